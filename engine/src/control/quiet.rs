//! Quiet hours: times of the week, in UTC, in which only what the objective needs is published.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds of a day and of a minute.
const DAY: f64 = 86_400.0;
const MINUTE: f64 = 60.0;

/// A range of the day on some days of the week, in UTC. A range whose end is not after its start ends on the next day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Days on which the range begins. Default every day.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// When it begins, `HH:MM` in UTC.
    pub from: String,
    /// When it ends, `HH:MM` in UTC; equal to `from` is a whole day.
    pub to: String,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Weekday {
    /// All days; 1 January 1970 was a Thursday.
    const SINCE_EPOCH: [Self; 7] = [
        Self::Thu,
        Self::Fri,
        Self::Sat,
        Self::Sun,
        Self::Mon,
        Self::Tue,
        Self::Wed,
    ];

    /// The day of the week of the `day`-th day since the Unix epoch.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a remainder of 7"
    )]
    fn of(day: f64) -> Self {
        let index = day.rem_euclid(7.0) as usize;
        Self::SINCE_EPOCH[index % 7]
    }
}

impl QuietHours {
    /// Minutes of the day at which the range begins and ends; why not, where they are no times.
    pub(super) fn minutes(&self) -> Result<(u32, u32), String> {
        let (from, to) = (minute(&self.from), minute(&self.to));
        match (from, to) {
            (Some(from), Some(to)) => Ok((from, to)),
            (None, _) => Err(format!("from: {:?} is no time such as 22:30", self.from)),
            (_, None) => Err(format!("to: {:?} is no time such as 06:00", self.to)),
        }
    }

    /// The end of the range, in seconds since the Unix epoch, when the time is within it.
    fn end_seconds(&self, now_seconds: f64) -> Option<f64> {
        let (from, to) = self.minutes().ok()?;
        let (from, to) = (f64::from(from) * MINUTE, f64::from(to) * MINUTE);
        let length = if to > from {
            to - from
        } else {
            to - from + DAY
        };
        let today = (now_seconds / DAY).floor();
        // A range that began yesterday may go on.
        [today, today - 1.0].into_iter().find_map(|day| {
            let begins = day * DAY + from;
            let applies = self.days.is_empty() || self.days.contains(&Weekday::of(day));
            (applies && (begins..begins + length).contains(&now_seconds)).then_some(begins + length)
        })
    }
}

/// `HH:MM` as a minute of the day.
fn minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, most: u32| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|n: &u32| digits && *n < most)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// The end of the quiet hours that the time is in, in seconds since the Unix epoch; `None` outside of them.
pub(super) fn quiet_until(hours: &[QuietHours], now_seconds: f64) -> Option<f64> {
    let ends = hours
        .iter()
        .filter_map(|hours| hours.end_seconds(now_seconds));
    ends.reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(days: &[Weekday], from: &str, to: &str) -> QuietHours {
        QuietHours {
            days: days.to_vec(),
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    /// Saturday, 28 November 2026, 00:00 UTC.
    const SATURDAY: f64 = 1_795_824_000.0;

    #[test]
    fn a_range_over_midnight_belongs_to_the_day_it_begins_on() {
        let friday_night = [hours(&[Weekday::Fri], "22:00", "06:00")];
        let at = |hour: f64| quiet_until(&friday_night, SATURDAY + hour * 3600.0);
        assert_eq!(at(-2.5), None);
        assert_eq!(at(-2.0), Some(SATURDAY + 6.0 * 3600.0));
        assert_eq!(at(5.9), Some(SATURDAY + 6.0 * 3600.0));
        assert_eq!(at(6.0), None);
        assert_eq!(at(23.0), None);
    }

    #[test]
    fn no_days_are_all_days_and_equal_times_a_whole_day() {
        assert_eq!(
            quiet_until(&[hours(&[], "00:00", "00:00")], SATURDAY + 1.0),
            Some(SATURDAY + DAY)
        );
    }

    #[test]
    fn only_times_of_the_day_are_read() {
        for wrong in ["", "7:00", "24:00", "12:60", "12", "+1:00", "12:00:00"] {
            assert!(hours(&[], wrong, "06:00").minutes().is_err(), "{wrong}");
            assert!(hours(&[], "06:00", wrong).minutes().is_err(), "{wrong}");
        }
    }
}
