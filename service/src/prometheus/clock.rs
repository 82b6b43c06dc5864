//! The time at which a server is asked, and how far its clock is from ours.
//!
//! An instant query gives what the server had at a time of *its* clock. Where that runs ahead, values look fresh that are old; where
//! it runs behind, fresh ones look old. So the clock is asked for first.

use jiff::Timestamp;

use super::client::Client;
use super::error::PrometheusError;

/// A time at which a server is asked.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub at: Timestamp,
    /// Seconds by which the server's clock is ahead of this machine's, at the least; below 0 behind. `None` where it does not tell.
    pub ahead_seconds: Option<f64>,
}

impl Moment {
    /// Asks the server what time it is.
    ///
    /// # Errors
    /// Those of [`Client::query`].
    pub async fn of(client: &Client, at: Timestamp) -> Result<Self, PrometheusError> {
        let before = seconds(Timestamp::now());
        let answer = client.query_now("vector(time())").await?;
        let after = seconds(Timestamp::now());
        let ahead_seconds = match answer.as_slice() {
            [sample] if sample.labels.is_empty() && sample.value.is_finite() => {
                Some(ahead(sample.value, before, after))
            }
            _ => None,
        };
        Ok(Self { at, ahead_seconds })
    }

    /// The time in seconds since the Unix epoch.
    pub fn seconds(&self) -> f64 {
        seconds(self.at)
    }

    /// Why no age can be trusted, if the clocks differ by more than a tolerance.
    pub fn skew(&self, tolerance_seconds: f64) -> Option<String> {
        let ahead = self
            .ahead_seconds
            .filter(|ahead| ahead.abs() > tolerance_seconds)?;
        let side = if ahead > 0.0 { "ahead of" } else { "behind" };
        Some(format!(
            "clock skew: the clock of the Prometheus is {:.0} s {side} this machine's; at most {tolerance_seconds} s are accepted",
            ahead.abs()
        ))
    }
}

/// How far a clock is from the time between `before` and `after`, at the least.
fn ahead(server: f64, before: f64, after: f64) -> f64 {
    if server > after {
        server - after
    } else if server < before {
        server - before
    } else {
        0.0
    }
}

/// Seconds since the Unix epoch.
#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are exact in a double for 285,000 years"
)]
pub(crate) fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew() {
        assert_eq!(ahead(105.0, 100.0, 110.0), 0.0);
        assert_eq!(ahead(170.0, 100.0, 110.0), 60.0);
        assert_eq!(ahead(40.0, 100.0, 110.0), -60.0);
    }

    #[test]
    fn skew_is_told_beyond_the_tolerance() {
        let skew = |ahead_seconds| {
            let at = Timestamp::UNIX_EPOCH;
            Moment { at, ahead_seconds }.skew(30.0)
        };
        assert_eq!(skew(None), None);
        assert_eq!(skew(Some(-30.0)), None);
        assert!(skew(Some(600.0)).is_some_and(|reason| reason.contains("600 s ahead of")));
        assert!(skew(Some(-31.0)).is_some_and(|reason| reason.contains("31 s behind")));
    }
}
