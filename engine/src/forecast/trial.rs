//! A rolling-origin test: what a method would have said at every step of the recent past, against what came.

use super::candidate::Model;
use super::correction::Correction;
use super::history::as_f64;

/// Leads that are tested, in steps, up to half of the test; others are interpolated.
const LEADS: [usize; 17] = [
    1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 48, 72, 96, 144, 192, 288, 576,
];

/// What was tested.
#[derive(Clone, Copy)]
pub(super) struct Test<'a> {
    /// Values before the first origin.
    pub(super) training: &'a [Option<f64>],
    /// Values from there on.
    pub(super) test: &'a [Option<f64>],
    /// Methods are compared at leads up to this one, in steps.
    pub(super) horizon: usize,
}

/// A method with its best correction, and how it did.
pub(super) struct Trial {
    pub(super) model: Model,
    pub(super) correction: Correction,
    /// Ascending; at least one.
    pub(super) leads: Vec<Lead>,
    /// Up to the horizon.
    pub(super) errors: Errors,
}

/// How a method did at one lead.
pub(super) struct Lead {
    /// Steps from the last known value to the value that was forecast, ≥ 1.
    pub(super) steps: usize,
    /// In the order of time.
    pub(super) pairs: Vec<Pair>,
}

/// A value, and what had been said of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) came: f64,
    pub(super) said: f64,
}

/// Sums over pairs, for means.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Errors {
    absolute: f64,
    came: f64,
    relative: f64,
    positive: usize,
}

impl Test<'_> {
    /// How each model does that gives a curve at all, in the order of the models.
    pub(super) fn trials(&self, models: Vec<Model>) -> Vec<Trial> {
        models
            .into_iter()
            .filter_map(|model| self.trial(model))
            .collect()
    }

    fn trial(&self, model: Model) -> Option<Trial> {
        let curve = model.curve(self.training, self.test.len())?;
        let leads = || LEADS.into_iter().filter(|lead| 2 * lead <= self.test.len());
        let pairs = |correction: Correction, lead: usize| {
            let levels = correction.levels(&curve.values, &curve.errors, self.test);
            self.pairs(&curve.values, &levels, correction, lead)
                .collect::<Vec<Pair>>()
        };
        let errors = |correction: Correction| {
            let levels = correction.levels(&curve.values, &curve.errors, self.test);
            let compared = leads().filter(|lead| *lead <= self.horizon.max(1));
            compared.fold(Errors::default(), |sum, lead| {
                self.pairs(&curve.values, &levels, correction, lead)
                    .fold(sum, Errors::with)
            })
        };
        let corrections: Vec<Correction> = match model {
            Model::Naive => vec![Correction::FULL],
            _ => Correction::all().collect(),
        };
        let (correction, errors) = corrections
            .into_iter()
            .map(|correction| (correction, errors(correction)))
            .min_by(|a, b| a.1.absolute.total_cmp(&b.1.absolute))?;
        let leads = leads().map(|steps| Lead {
            steps,
            pairs: pairs(correction, steps),
        });
        Some(Trial {
            leads: leads.collect(),
            model,
            correction,
            errors,
        })
    }

    /// What came at a lead from every origin, with what was said.
    fn pairs<'b>(
        &'b self,
        curve: &'b [f64],
        levels: &'b [f64],
        correction: Correction,
        lead: usize,
    ) -> impl Iterator<Item = Pair> + 'b {
        let left = correction.left(lead);
        let ahead = lead.saturating_sub(1);
        let values = self.test.iter().zip(curve).skip(ahead);
        values
            .zip(levels)
            .filter_map(move |((value, curve), level)| {
                Some(Pair {
                    came: (*value)?,
                    said: (curve + level * left).max(0.0),
                })
            })
    }
}

impl Errors {
    /// With one more pair.
    pub(super) fn with(self, pair: Pair) -> Self {
        let error = (pair.came - pair.said).abs();
        let positive = pair.came > 0.0;
        Self {
            absolute: self.absolute + error,
            came: self.came + pair.came,
            relative: self.relative + if positive { error / pair.came } else { 0.0 },
            positive: self.positive + usize::from(positive),
        }
    }

    /// Of all pairs at a lead.
    pub(super) fn of(pairs: &[Pair]) -> Self {
        pairs.iter().copied().fold(Self::default(), Self::with)
    }

    /// Mean of the absolute errors over the values, those that are 0 left out; `None` where all are.
    pub(super) fn mape(&self) -> Option<f64> {
        (self.positive > 0).then(|| self.relative / as_f64(self.positive))
    }

    /// Sum of the absolute errors over the sum of the values; `None` where all are 0.
    pub(super) fn wape(&self) -> Option<f64> {
        (self.came > 0.0).then(|| self.absolute / self.came)
    }

    /// Whether these errors are no larger than those of another method on the same values, by either measure.
    pub(super) fn no_worse_than(&self, other: &Self) -> bool {
        self.absolute <= other.absolute && self.relative <= other.relative
    }

    /// Sum of the absolute errors.
    pub(super) fn absolute(&self) -> f64 {
        self.absolute
    }
}
