//! Simulated annealing over the digits of a register.

use crate::samples::Tally;
use crate::{Error, Sample, Samples};
use ketscale_simulator::{Limits, Register};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The share of a run's evaluations that draw random states: they set the temperature and offer the first state.
const WARM_UP_SHARE: u64 = 20;
/// The last temperature as a share of the first, which is the standard deviation of the random states' costs.
const COOLING: f64 = 1e-3;
/// Evaluations that one work unit pays for, and between two looks at the limits.
const EVALUATIONS_PER_UNIT: u64 = 1 << 12;

/// What an annealing run may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Calls of the cost function, at least 1. Default 10,000.
    pub evaluations: u64,
    /// Independent runs that share the evaluations, at least 1. Default 4.
    pub restarts: u64,
    /// Seed of everything random. Default 0.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            evaluations: 10_000,
            restarts: 4,
            seed: 0,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        let counts = [
            ("evaluations", self.evaluations),
            ("restarts", self.restarts),
        ];
        match counts.into_iter().find(|&(_, value)| value == 0) {
            Some((setting, value)) => Err(Error::Setting {
                setting,
                value: value.to_string(),
                must: "at least 1",
            }),
            None => Ok(()),
        }
    }
}

/// Anneals `cost`, a function of a basis state's index and digits; with a table at hand it is
/// `|index, _| values[index]` on [`Cost::values`](ketscale_simulator::Cost::values).
///
/// Metropolis moves to another level of one axis under geometric cooling (Kirkpatrick, Gelatt and Vecchi, Science 220, 671 (1983)). Returns where the runs
/// stood after each evaluation, so the counts add up to the evaluations; a run that the limits end returns what it has.
///
/// # Errors
/// A setting out of range, or a cost that is no finite number.
pub fn anneal(
    register: &Register,
    cost: impl FnMut(usize, &[usize]) -> f64,
    settings: &Settings,
    limits: &Limits,
) -> Result<Samples, Error> {
    settings.check()?;
    let mut walk = Walk::new(register, cost, settings.seed, limits);
    for restart in 0..settings.restarts {
        let share = settings.evaluations / settings.restarts
            + u64::from(restart < settings.evaluations % settings.restarts);
        if !walk.run(share)? {
            break;
        }
    }
    Ok(walk.seen.samples())
}

/// A state with its digits.
#[derive(Debug, Clone)]
struct Position {
    digits: Vec<usize>,
    index: usize,
    cost: f64,
}

struct Walk<'a, F> {
    levels: &'a [usize],
    strides: Vec<usize>,
    cost: F,
    random: ChaCha8Rng,
    limits: &'a Limits<'a>,
    evaluations: u64,
    seen: Tally,
}

impl<'a, F: FnMut(usize, &[usize]) -> f64> Walk<'a, F> {
    fn new(register: &'a Register, cost: F, seed: u64, limits: &'a Limits) -> Self {
        let step = |stride: &mut usize, &d: &usize| Some(std::mem::replace(stride, *stride * d));
        Self {
            levels: register.levels(),
            strides: register.levels().iter().scan(1, step).collect(),
            cost,
            random: ChaCha8Rng::seed_from_u64(seed),
            limits,
            evaluations: 0,
            seen: Tally::default(),
        }
    }

    /// One run of the given number of evaluations; false when the limits ended it.
    fn run(&mut self, evaluations: u64) -> Result<bool, Error> {
        let warm_up = (evaluations / WARM_UP_SHARE).max(2).min(evaluations);
        let mut costs = Vec::new();
        let mut here: Option<Position> = None;
        for _ in 0..warm_up {
            let Some(position) = self.random_position()? else {
                return Ok(false);
            };
            costs.push(position.cost);
            self.stand_on(&position);
            here = here
                .filter(|here| here.cost <= position.cost)
                .or(Some(position));
        }
        let Some(mut here) = here else {
            return Ok(true);
        };
        let first = standard_deviation(&costs);
        for step in 0..evaluations - warm_up {
            let Some(next) = self.neighbour(&here)? else {
                return Ok(false);
            };
            let temperature = first * COOLING.powf(step as f64 / (evaluations - warm_up) as f64);
            if self.accepts(next.cost - here.cost, temperature) {
                here = next;
            }
            self.stand_on(&here);
        }
        Ok(true)
    }

    fn random_position(&mut self) -> Result<Option<Position>, Error> {
        let digits: Vec<usize> = self
            .levels
            .iter()
            .map(|&d| self.random.random_range(0..d as u64) as usize)
            .collect();
        let index = digits
            .iter()
            .zip(&self.strides)
            .map(|(digit, stride)| digit * stride)
            .sum();
        self.evaluate(digits, index)
    }

    /// The state with another level on one axis.
    fn neighbour(&mut self, here: &Position) -> Result<Option<Position>, Error> {
        let axis = self.random.random_range(0..self.levels.len() as u64) as usize;
        let other = self.random.random_range(1..self.levels[axis] as u64) as usize;
        let mut digits = here.digits.clone();
        let old = digits[axis];
        // Round the axis, whose levels may be as many as a word can count.
        let above = self.levels[axis] - other;
        digits[axis] = if old < above {
            old + other
        } else {
            old - above
        };
        let index = here.index - old * self.strides[axis] + digits[axis] * self.strides[axis];
        self.evaluate(digits, index)
    }

    fn evaluate(&mut self, digits: Vec<usize>, index: usize) -> Result<Option<Position>, Error> {
        if self.evaluations.is_multiple_of(EVALUATIONS_PER_UNIT) && self.limits.spend(1).is_err() {
            return Ok(None);
        }
        self.evaluations += 1;
        let cost = (self.cost)(index, &digits);
        if !cost.is_finite() {
            return Err(Error::CostNotFinite {
                digits,
                value: cost,
            });
        }
        Ok(Some(Position {
            digits,
            index,
            cost,
        }))
    }

    /// The Metropolis rule.
    fn accepts(&mut self, difference: f64, temperature: f64) -> bool {
        difference <= 0.0 || self.random.random_range(0.0..1.0) < (-difference / temperature).exp()
    }

    fn stand_on(&mut self, position: &Position) {
        self.seen.add(Sample {
            index: position.index,
            cost: position.cost,
            count: 1,
        });
    }
}

fn standard_deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum::<f64>()
        / values.len() as f64)
        .sqrt()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A cost with many local minima: a rugged function of the digits.
    fn rugged(_: usize, x: &[usize]) -> f64 {
        x.windows(2)
            .enumerate()
            .map(|(k, pair)| ((pair[0] * 7 + pair[1] * 13 + k * 5) as f64 * 0.37).sin())
            .sum()
    }

    /// The least value of `rugged` on twelve axes of four levels: the best way to each level of one axis after the other.
    fn chain_optimum() -> f64 {
        let mut best = [0.0_f64; 4];
        for axis in 0..11 {
            let pair = |a: usize, b: usize| ((a * 7 + b * 13 + axis * 5) as f64 * 0.37).sin();
            let to = |b| {
                (0..4)
                    .map(|a| best[a] + pair(a, b))
                    .fold(f64::INFINITY, f64::min)
            };
            best = std::array::from_fn(to);
        }
        best.into_iter().fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn comes_within_a_twentieth_of_the_optimum_among_sixteen_million_states() {
        let register = Register::new(&[4; 12]).unwrap();
        for seed in 0..10 {
            let settings = Settings {
                evaluations: 20_000,
                seed,
                ..Settings::default()
            };
            let best = anneal(&register, rugged, &settings, &Limits::none())
                .unwrap()
                .best()
                .unwrap()
                .cost;
            assert!(best >= chain_optimum() - 1e-12);
            assert!(
                best <= 0.95 * chain_optimum(),
                "seed {seed}: {best}, the optimum is {}",
                chain_optimum()
            );
        }
    }

    proptest! {
        #[test]
        fn calls_the_cost_as_often_as_told(evaluations in 1_u64..300, restarts in 1_u64..10, seed: u64) {
            let register = Register::new(&[2, 3, 5]).unwrap();
            let mut calls = 0;
            let cost = |index: usize, digits: &[usize]| {
                calls += 1;
                assert_eq!(register.index(digits).unwrap(), index);
                rugged(index, digits)
            };
            let samples = anneal(&register, cost, &Settings { evaluations, restarts, seed }, &Limits::none()).unwrap();
            prop_assert_eq!(calls, evaluations);
            prop_assert_eq!(samples.total(), evaluations);
            for sample in samples.entries() {
                prop_assert_eq!(sample.cost, rugged(0, &register.digits(sample.index).unwrap()));
            }
        }
    }

    #[test]
    fn limits_end_a_run_with_what_it_has() {
        let register = Register::new(&[4; 7]).unwrap();
        let settings = Settings {
            evaluations: 100_000,
            restarts: 1,
            seed: 1,
        };
        let samples = anneal(&register, rugged, &settings, &Limits::new(None, Some(2))).unwrap();
        assert_eq!(samples.total(), 2 * EVALUATIONS_PER_UNIT);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let register = Register::new(&[2, 2]).unwrap();
        let none = Settings {
            evaluations: 0,
            ..Settings::default()
        };
        assert!(matches!(
            anneal(&register, rugged, &none, &Limits::none()),
            Err(Error::Setting {
                setting: "evaluations",
                ..
            })
        ));
        let none = Settings {
            restarts: 0,
            ..Settings::default()
        };
        assert!(matches!(
            anneal(&register, rugged, &none, &Limits::none()),
            Err(Error::Setting {
                setting: "restarts",
                ..
            })
        ));
        let nan = anneal(
            &register,
            |_, _| f64::NAN,
            &Settings::default(),
            &Limits::none(),
        );
        assert!(matches!(nan, Err(Error::CostNotFinite { .. })));
    }

    #[test]
    fn an_axis_may_be_as_long_as_a_word_can_count() {
        let register = Register::new(&[usize::MAX]).unwrap();
        let low = |index: usize, digits: &[usize]| {
            assert_eq!([index], digits);
            index as f64
        };
        let samples = anneal(&register, low, &Settings::default(), &Limits::none()).unwrap();
        assert_eq!(samples.total(), 10_000);
    }

    #[test]
    fn a_constant_cost_is_walked_over() {
        let register = Register::new(&[2, 2]).unwrap();
        let samples = anneal(&register, |_, _| 1.0, &Settings::default(), &Limits::none()).unwrap();
        assert_eq!(samples.entries().len(), 4);
    }
}
