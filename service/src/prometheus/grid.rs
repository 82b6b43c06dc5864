//! An even grid of times, as a range query has it.

use jiff::Timestamp;

use super::error::PrometheusError;
use super::response::Track;

/// Most points that Prometheus gives for a series: it refuses (end − start) / step above this
/// (<https://github.com/prometheus/prometheus/blob/v2.42.0/web/api/v1/api.go>, `queryRange`).
const MAX_POINTS_PER_QUERY: usize = 11_000;

/// Most points of a grid; two years at one a minute.
const MAX_POINTS: i64 = 1_100_000;

/// How far the time of a point may be from its place, in seconds; times travel as doubles and in milliseconds.
const TOLERANCE_SECONDS: f64 = 0.0015;

/// Times `start + i · step`, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    start_ms: i64,
    step_ms: i64,
    /// At least 1.
    pub(super) points: usize,
}

impl Grid {
    /// From `start` to `end`, both included where the step reaches them.
    pub(super) fn new(
        start: Timestamp,
        end: Timestamp,
        step_seconds: f64,
    ) -> Result<Self, PrometheusError> {
        let refuse = |reason: String| Err(PrometheusError::Range { reason });
        let (start_ms, end_ms) = (start.as_millisecond(), end.as_millisecond());
        let step = (step_seconds * 1000.0).round();
        if !(1.0..=1e12).contains(&step) {
            return refuse(format!("a step of {step_seconds} s"));
        }
        #[allow(clippy::cast_possible_truncation, reason = "the range was checked")]
        let step_ms = step as i64;
        let Some(length_ms) = end_ms.checked_sub(start_ms).filter(|length| *length >= 0) else {
            return refuse(format!("it ends at {end} and begins at {start}"));
        };
        let points = length_ms / step_ms + 1;
        if points > MAX_POINTS {
            return refuse(format!(
                "{points} steps of {step_seconds} s; at most {MAX_POINTS} are read"
            ));
        }
        Ok(Self {
            start_ms,
            step_ms,
            points: usize::try_from(points).unwrap_or(usize::MAX),
        })
    }

    /// The part from a point on that one query may ask for: at most `most` points.
    pub(super) fn part(&self, first: usize, most: usize) -> Self {
        let left = self.points.saturating_sub(first);
        Self {
            start_ms: self.time_ms(first),
            points: left.min(most).clamp(1, MAX_POINTS_PER_QUERY),
            ..*self
        }
    }

    /// `start`, `end` and `step` as the API takes them, in seconds.
    pub(super) fn parameters(&self) -> [(&'static str, String); 3] {
        let seconds = |ms: i64| format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000));
        [
            ("start", seconds(self.start_ms)),
            ("end", seconds(self.time_ms(self.points.saturating_sub(1)))),
            ("step", seconds(self.step_ms)),
        ]
    }

    /// The points of a series on the grid; else what is wrong with them.
    pub(super) fn lay(&self, track: &Track) -> Result<Vec<Option<f64>>, String> {
        let mut values = vec![None; self.points];
        for (time, value) in &track.points {
            let place = self.place(*time).and_then(|index| values.get_mut(index));
            match place {
                None => return Err(format!("a point at {time}, which was not asked for")),
                Some(Some(_)) => return Err(format!("two points at {time} in one series")),
                Some(free) => *free = Some(*value),
            }
        }
        Ok(values)
    }

    /// The point at a time, if there is one.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds are exact in a double, and the range is checked before the cast"
    )]
    fn place(&self, time_seconds: f64) -> Option<usize> {
        let (start, step) = (self.start_ms as f64 / 1000.0, self.step_ms as f64 / 1000.0);
        let index = ((time_seconds - start) / step).round();
        let there = (0.0..self.points as f64).contains(&index)
            && (start + index * step - time_seconds).abs() <= TOLERANCE_SECONDS;
        there.then_some(index as usize)
    }

    fn time_ms(&self, index: usize) -> i64 {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        self.start_ms
            .saturating_add(self.step_ms.saturating_mul(index))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn parts_cover_the_grid_without_overlap() {
        let grid = Grid::new(at(1_700_000_000), at(1_700_000_000 + 60 * 25_000), 60.0).unwrap();
        assert_eq!(grid.points, 25_001);
        for most in [usize::MAX, 11_000, 700, 1] {
            let mut next = 0;
            while next < grid.points {
                let part = grid.part(next, most);
                assert_eq!(part.start_ms, grid.time_ms(next));
                assert!(part.points <= most.min(11_000) && part.points > 0);
                next += part.points;
            }
            assert_eq!(next, grid.points);
        }
    }

    #[test]
    fn times_are_written_in_milliseconds() {
        let grid = Grid::new(at(10), at(11), 0.25).unwrap();
        let written = grid.parameters().map(|(_, value)| value);
        assert_eq!(written, ["10.000", "11.000", "0.250"]);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (start, end, step) in [
            (10, 9, 1.0),
            (0, 10, 0.0),
            (0, 10, -1.0),
            (0, 10, f64::NAN),
            (0, 10, f64::INFINITY),
            (0, 1_000_000_000, 1.0),
        ] {
            assert!(
                matches!(
                    Grid::new(at(start), at(end), step),
                    Err(PrometheusError::Range { .. })
                ),
                "{start} {end} {step}"
            );
        }
    }

    #[test]
    fn only_points_of_the_grid_are_taken() {
        let grid = Grid::new(at(100), at(130), 10.0).unwrap();
        let lay = |points: &[(f64, f64)]| {
            grid.lay(&Track {
                points: points.to_vec(),
                ..Track::default()
            })
        };
        assert_eq!(
            lay(&[(100.0, 1.0), (119.9999, 3.0)]),
            Ok(vec![Some(1.0), None, Some(3.0), None])
        );
        for wrong in [
            &[(95.0, 1.0)][..],
            &[(140.0, 1.0)],
            &[(f64::NAN, 1.0)],
            &[(100.0, 1.0), (100.0, 1.0)],
        ] {
            assert!(lay(wrong).is_err(), "{wrong:?}");
        }
    }
}
