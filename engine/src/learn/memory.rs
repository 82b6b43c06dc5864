//! Peak memory of a pod.

use super::{Estimate, FEWEST_VALUES, Memory, as_f64};
use crate::series::Series;

/// The high quantile.
const HIGH: f64 = 0.99;

/// Highest use and high quantile. The quantile's standard error is half the distance between the order statistics one binomial deviation to either side.
pub(super) fn memory(series: Option<&Series>) -> Result<Memory, String> {
    let series = series.ok_or("memory use was not measured")?;
    let measured = || {
        let values = series.measured();
        values.filter(|(_, bytes)| bytes.is_finite() && *bytes > 0.0)
    };
    let mut values: Vec<f64> = measured().map(|(_, bytes)| bytes).collect();
    let (Some(most), true) = (
        values.iter().copied().reduce(f64::max),
        values.len() >= FEWEST_VALUES,
    ) else {
        return Err(format!(
            "too few values: memory use is known at {} times, {FEWEST_VALUES} are needed",
            values.len()
        ));
    };
    values.sort_unstable_by(f64::total_cmp);
    let deviation = (HIGH * (1.0 - HIGH) / as_f64(values.len())).sqrt();
    let quantile = |share: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length is an index"
        )]
        let index = (share.clamp(0.0, 1.0) * as_f64(values.len() - 1)).ceil() as usize;
        values.get(index).copied().unwrap_or(most)
    };
    Ok(Memory {
        most_bytes: most,
        high_bytes: Estimate {
            value: quantile(HIGH),
            standard_error: (quantile(HIGH + deviation) - quantile(HIGH - deviation)) / 2.0,
        },
        values: values.len(),
        newest_seconds: measured().next_back().map_or(0.0, |(time, _)| time),
    })
}
