//! Durations as Prometheus writes them: <https://prometheus.io/docs/prometheus/latest/querying/basics/#time-durations>.

/// Units from the largest to the smallest, in milliseconds; two letters before one, for `ms` begins with an `m`.
const UNITS: [(&str, f64); 7] = [
    ("y", 31_536_000_000.0),
    ("w", 604_800_000.0),
    ("d", 86_400_000.0),
    ("h", 3_600_000.0),
    ("ms", 1.0),
    ("m", 60_000.0),
    ("s", 1000.0),
];

/// The seconds of a duration such as `5m` or `1h30m`; `None` where it is none, or is zero.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let (mut total_ms, mut last_ms) = (0.0, f64::INFINITY);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at_checked(digits)?;
        let (name, unit_ms) = UNITS.into_iter().find(|(name, _)| unit.starts_with(name))?;
        if unit_ms >= last_ms {
            return None;
        }
        total_ms += number.parse::<f64>().ok()? * unit_ms;
        last_ms = unit_ms;
        rest = unit.strip_prefix(name)?;
    }
    (total_ms > 0.0).then_some(total_ms / 1000.0)
}

/// A duration of at least this many seconds and at least a millisecond.
pub(crate) fn of_seconds(seconds: f64) -> String {
    format!("{:.0}ms", (seconds * 1000.0).ceil().max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_prometheus_does() {
        for (text, expected) in [
            ("5m", Some(300.0)),
            ("1h30m", Some(5400.0)),
            ("1d", Some(86_400.0)),
            ("500ms", Some(0.5)),
            ("1m30s500ms", Some(90.5)),
            ("", None),
            ("0s", None),
            ("5", None),
            ("m", None),
            ("30m1h", None),
            ("1m1m", None),
            ("1.5h", None),
            ("-5m", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!(seconds(&of_seconds(900.0)), Some(900.0));
    }
}
