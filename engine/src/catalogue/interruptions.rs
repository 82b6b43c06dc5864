//! Spot interruption bands as hourly rates.

/// Hours in a month, here and in every monthly figure of the project.
const HOURS_PER_MONTH: f64 = 730.0;

/// Width of a band: the share of instances reclaimed in a month.
const BAND_WIDTH: f64 = 0.05;

/// Expected interruptions of one node an hour for a band of the EC2 Spot Instance Advisor; `None` for a band above 4.
///
/// The advisor gives the share p of spot instances that were reclaimed within the trailing month in bands of five per cent:
/// 0 is below 5 %, 1 is 5 to 10 %, 2 is 10 to 15 %, 3 is 15 to 20 %, 4 is above 20 %
/// (<https://aws.amazon.com/ec2/spot/instance-advisor/>). The rate is the middle of the band over a month, p/730 with
/// p = 5 % · (band + ½). Band 4 has no upper edge; it is read as 20 to 25 %, so its rate is the least that it can mean.
pub fn interruptions_per_hour_of_band(band: u8) -> Option<f64> {
    (band <= 4).then(|| BAND_WIDTH * (f64::from(band) + 0.5) / HOURS_PER_MONTH)
}

#[cfg(test)]
mod tests {
    use super::interruptions_per_hour_of_band;

    #[test]
    fn a_month_in_the_middle_of_each_band() {
        for (band, share) in [(0, 0.025), (1, 0.075), (2, 0.125), (3, 0.175), (4, 0.225)] {
            let rate = interruptions_per_hour_of_band(band).unwrap_or(f64::NAN);
            assert!(
                (rate * 730.0 - share).abs() < 1e-12,
                "band {band} gives {rate}"
            );
        }
        assert_eq!(interruptions_per_hour_of_band(5), None);
    }
}
