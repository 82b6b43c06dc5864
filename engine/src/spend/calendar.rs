//! Months of the civil calendar in UTC, from seconds since the Unix epoch.

/// Seconds of a day.
const DAY_SECONDS: f64 = 86_400.0;

/// Days from the first of January 1970 to a date of the proleptic Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`, for the first of a month).
fn days_to_month(year: i64, month: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year and month of a day since the epoch (`civil_from_days`).
fn month_of(day: i64) -> (i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month)
}

/// A month.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Month {
    /// `YYYY-MM`.
    pub(super) name: String,
    /// When the next one begins, seconds since the Unix epoch.
    pub(super) end_seconds: f64,
}

impl Month {
    /// The month of a time.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "days of a clamped time"
    )]
    pub(super) fn of(seconds: f64) -> Self {
        // Years −30,000 to 30,000: beyond them there is no calendar to keep.
        let day = (seconds / DAY_SECONDS).floor().clamp(-1.2e7, 1e7) as i64;
        let (year, month) = month_of(day);
        let (next_year, next_month) = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
        Self {
            name: format!("{year:04}-{month:02}"),
            end_seconds: days_to_month(next_year, next_month) as f64 * DAY_SECONDS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_over_four_hundred_years() {
        let mut month = Month::of(0.0);
        assert_eq!(month.name, "1970-01");
        let (mut months, mut days) = (0, 0.0);
        while months < 4800 {
            let next = Month::of(month.end_seconds);
            assert_eq!(Month::of(month.end_seconds - 1.0), month);
            let length = (next.end_seconds - month.end_seconds) / DAY_SECONDS;
            assert!((28.0..=31.0).contains(&length), "{}", next.name);
            days += length;
            month = next;
            months += 1;
        }
        assert_eq!((days, month.name.as_str()), (146_097.0, "2370-01"));
    }

    #[test]
    fn known_dates_are_in_their_month() {
        // 29 February 2024 and 1 March 2024, 00:00 UTC.
        assert_eq!(Month::of(1_709_164_800.0).name, "2024-02");
        assert_eq!(Month::of(1_709_251_200.0).name, "2024-03");
        assert_eq!(Month::of(-1.0).name, "1969-12");
    }
}
