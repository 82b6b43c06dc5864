//! What a query gave, with the age of each value.

use std::collections::BTreeMap;

use super::client::Client;
use super::clock::Moment;
use super::error::PrometheusError;
use super::queries::{Queries, Query};
use super::response::Sample;

/// A usable value and the time of its oldest sample in seconds since the Unix epoch; or why there is none.
pub type Observation = Result<(f64, f64), String>;

/// The reason of a gap where nothing answers at all.
pub(crate) const MISSING: &str = "missing: no series answers the query";

/// The answer to a [`Query`] at one time.
#[derive(Clone, Debug)]
pub struct Family {
    /// The query for the values, in full.
    pub query: String,
    /// The values.
    pub samples: Vec<Sample>,
    times: Vec<Sample>,
    now_seconds: f64,
    max_age_seconds: f64,
    max_clock_skew_seconds: f64,
    /// Why no age can be trusted, if that is so.
    skew: Option<String>,
}

impl Family {
    /// Asks for values and ages.
    ///
    /// # Errors
    /// Those of [`Client::query`].
    pub async fn read(
        client: &Client,
        queries: &Queries,
        query: &Query,
        moment: &Moment,
    ) -> Result<Self, PrometheusError> {
        let (value, sampled_at) = (
            queries.expand(&query.value),
            queries.expand(&query.sampled_at),
        );
        let (samples, times) = futures::try_join!(
            client.query(&value, moment.at),
            client.query(&sampled_at, moment.at)
        )?;
        Ok(Self {
            query: value,
            samples,
            times,
            now_seconds: moment.seconds(),
            max_age_seconds: queries.max_age_seconds,
            max_clock_skew_seconds: queries.max_clock_skew_seconds,
            skew: moment.skew(queries.max_clock_skew_seconds),
        })
    }

    /// What is observed under each key; series without a key are left aside. Of several values under one key none is believed.
    pub fn by<'s, K: Ord>(
        &'s self,
        key: impl Fn(&'s Sample) -> Option<K>,
    ) -> BTreeMap<K, Observation> {
        let mut values: BTreeMap<K, Vec<f64>> = BTreeMap::new();
        for sample in &self.samples {
            if let Some(key) = key(sample) {
                values.entry(key).or_default().push(sample.value);
            }
        }
        let times = self.oldest_by(&key);
        // A key with a time alone has a series, but the query gives nothing for it, such as a rate over a single sample.
        let mut observations: BTreeMap<K, Observation> = BTreeMap::new();
        for (key, values) in values {
            let time = times.get(&key).copied();
            let observation =
                one(&values).and_then(|value| Ok((usable(value)?, self.fresh(time)?)));
            observations.insert(key, observation);
        }
        for key in times.into_keys() {
            observations.entry(key).or_insert_with(|| {
                Err("missing: the series has too few samples for the query".to_owned())
            });
        }
        observations
    }

    /// The time of the oldest sample under each key.
    pub fn oldest_by<'s, K: Ord>(
        &'s self,
        key: impl Fn(&'s Sample) -> Option<K>,
    ) -> BTreeMap<K, f64> {
        let mut times: BTreeMap<K, f64> = BTreeMap::new();
        for sample in &self.times {
            if let Some(key) = key(sample) {
                let oldest = times.entry(key).or_insert(f64::INFINITY);
                // What is no time is no proof of freshness.
                *oldest = if sample.value.is_finite() {
                    oldest.min(sample.value)
                } else {
                    f64::NEG_INFINITY
                };
            }
        }
        times
    }

    /// The time of the newest sample of all; `None` where there is none.
    pub fn newest(&self) -> Option<f64> {
        let finite = self.times.iter().map(|sample| sample.value);
        finite.filter(|time| time.is_finite()).reduce(f64::max)
    }

    /// The ages in seconds of the newest and the oldest sample of all, never below 0.
    pub fn ages_seconds(&self) -> Option<(f64, f64)> {
        let age = |time: f64| (self.now_seconds - time).max(0.0);
        let finite = self.times.iter().map(|sample| sample.value);
        let oldest = finite.filter(|time| time.is_finite()).reduce(f64::min)?;
        Some((age(self.newest()?), age(oldest)))
    }

    /// The time itself if it is recent enough, at most now; else why not.
    pub fn fresh(&self, time: Option<f64>) -> Result<f64, String> {
        let time =
            time.ok_or("stale: the series has ended, and only its past still answers the query")?;
        if let Some(skew) = &self.skew {
            return Err(skew.clone());
        }
        let age = self.now_seconds - time;
        if age > self.max_age_seconds {
            Err(format!(
                "stale: the last sample is {age:.0} s old; at most {} s are accepted",
                self.max_age_seconds
            ))
        } else if age >= -self.max_clock_skew_seconds {
            Ok(time.min(self.now_seconds))
        } else {
            Err(format!(
                "in the future: the last sample is {:.0} s ahead of this machine's clock; at most {} s are accepted",
                -age, self.max_clock_skew_seconds
            ))
        }
    }
}

fn one(values: &[f64]) -> Result<f64, String> {
    match values {
        [value] => Ok(*value),
        _ => Err(format!(
            "ambiguous: {} series answer where one was expected",
            values.len()
        )),
    }
}

/// A number that can be a measurement.
pub(crate) fn usable(value: f64) -> Result<f64, String> {
    if value.is_nan() {
        Err(
            "not a number: the query gives NaN, as a quantile or a ratio without any requests does"
                .to_owned(),
        )
    } else if value.is_infinite() {
        Err(format!("not finite: the query gives {value}"))
    } else if value < 0.0 {
        Err(format!("negative: the query gives {value}"))
    } else {
        Ok(value)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn sample(name: &str, value: f64) -> Sample {
        Sample {
            labels: BTreeMap::from([("name".to_owned(), name.to_owned())]),
            value,
        }
    }

    fn observe(values: &[f64], times: &[f64]) -> Option<Observation> {
        let list = |numbers: &[f64]| numbers.iter().map(|number| sample("a", *number)).collect();
        let family = Family {
            query: "q".into(),
            samples: list(values),
            times: list(times),
            now_seconds: 1000.0,
            max_age_seconds: 60.0,
            max_clock_skew_seconds: 30.0,
            skew: None,
        };
        family
            .by(|sample| Some(sample.label("name").to_owned()))
            .remove("a")
    }

    #[test]
    fn a_value_stands_with_the_oldest_of_its_times() {
        assert_eq!(observe(&[2.0], &[999.0, 950.0]), Some(Ok((2.0, 950.0))));
        assert_eq!(observe(&[0.0], &[940.0]), Some(Ok((0.0, 940.0))));
        // A clock a little ahead is no reason for an age below zero.
        assert_eq!(observe(&[0.0], &[1030.0]), Some(Ok((0.0, 1000.0))));
    }

    #[test]
    fn everything_doubtful_is_a_gap() {
        let reason = |values: &[f64], times: &[f64]| observe(values, times).unwrap().unwrap_err();
        assert!(reason(&[2.0], &[939.0]).starts_with("stale: the last sample is 61 s old"));
        assert!(reason(&[2.0], &[]).starts_with("stale: the series has ended"));
        assert!(reason(&[], &[999.0]).starts_with("missing"));
        assert!(reason(&[f64::NAN], &[999.0]).starts_with("not a number"));
        assert!(reason(&[f64::INFINITY], &[999.0]).starts_with("not finite"));
        assert!(reason(&[-1.0], &[999.0]).starts_with("negative"));
        assert!(reason(&[1.0, 1.0], &[999.0]).starts_with("ambiguous"));
        assert!(reason(&[1.0], &[f64::NAN]).starts_with("stale"));
        assert!(reason(&[1.0], &[1031.0]).starts_with("in the future: the last sample is 31 s"));
        assert!(reason(&[1.0], &[f64::INFINITY]).starts_with("stale"));
        assert_eq!(observe(&[], &[]), None);
    }
}
