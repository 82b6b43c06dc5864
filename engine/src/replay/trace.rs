//! The load of every service over time: what all policies meet.

use crate::problem::ProblemFile;

/// Loads at ascending times. Each holds until the next time, the last one for as long as the one before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    times_seconds: Vec<f64>,
    /// Requests per second by step and, in the order of the problem, service; `None` for services without a load model.
    rps: Vec<Vec<Option<f64>>>,
    /// Values that were not measured, and for which the one before stands.
    held: u64,
}

/// A stretch of time with constant loads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step<'a> {
    /// Its beginning, seconds since the Unix epoch.
    pub start_seconds: f64,
    /// Its end.
    pub end_seconds: f64,
    /// Requests per second of each service; `None` for services without a load model.
    pub rps: &'a [Option<f64>],
}

impl Trace {
    /// Loads by service name at ascending finite times, at least two; services that are not named keep the problem's load, and where a
    /// value is absent the one before it holds (the problem's before the first).
    ///
    /// # Errors
    ///
    /// What is wrong with the times, in words.
    pub fn new(
        problem: &ProblemFile,
        times_seconds: Vec<f64>,
        measured: impl Fn(&str, usize) -> Option<f64>,
        is_named: impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        check(&times_seconds)?;
        let mut trace = Self {
            rps: vec![Vec::with_capacity(problem.services.len()); times_seconds.len()],
            times_seconds,
            held: 0,
        };
        for service in &problem.services {
            let mut last = service.load.as_ref().map(|load| load.rps);
            let named = last.is_some() && is_named(&service.name);
            for (index, step) in trace.rps.iter_mut().enumerate() {
                if named {
                    match measured(&service.name, index) {
                        Some(rps) => last = Some(rps),
                        None => trace.held += 1,
                    }
                }
                step.push(last);
            }
        }
        Ok(trace)
    }

    /// The steps in order.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step<'_>> {
        let steps = self.times_seconds.iter().zip(&self.rps).enumerate();
        steps.map(|(index, (start, rps))| Step {
            start_seconds: *start,
            end_seconds: self.end_of(index),
            rps,
        })
    }

    fn end_of(&self, index: usize) -> f64 {
        let times = &self.times_seconds;
        let time = |index: usize| times.get(index).copied();
        match (
            time(index),
            time(index + 1),
            index.checked_sub(1).and_then(time),
        ) {
            (_, Some(next), _) => next,
            (Some(last), None, Some(before)) => last + (last - before),
            (last, ..) => last.unwrap_or(0.0),
        }
    }

    /// When the replay begins, seconds since the Unix epoch.
    pub fn start_seconds(&self) -> f64 {
        self.times_seconds.first().copied().unwrap_or(0.0)
    }

    /// When it ends.
    pub fn end_seconds(&self) -> f64 {
        self.end_of(self.times_seconds.len().saturating_sub(1))
    }

    /// Values that were not measured, and for which the one before stands.
    pub fn held(&self) -> u64 {
        self.held
    }
}

fn check(times_seconds: &[f64]) -> Result<(), String> {
    if times_seconds.len() < 2 {
        return Err(format!(
            "{} times; a replay needs at least two",
            times_seconds.len()
        ));
    }
    let ascending = times_seconds.windows(2).all(|pair| match pair {
        [a, b] => a.is_finite() && b.is_finite() && a < b,
        _ => false,
    });
    if ascending {
        Ok(())
    } else {
        Err("times that do not ascend".to_owned())
    }
}
