//! Evaluations of the objective: counted, limited, and the best one kept.

use super::Status;
use crate::Error;
use ketscale_simulator::{Angles, Ansatz, Error as Refusal, Gradient, Limits, Objective, Stopped};

/// Why there is no further evaluation, or not this one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    /// A limit: the whole search ends.
    Limit(Status),
    /// These angles cannot be evaluated: this local search ends.
    Angles,
    /// The question is malformed: the search fails.
    Refused(Refusal),
}

/// All evaluations of one search go through here.
#[derive(Debug)]
pub(super) struct Tracker<'a> {
    ansatz: &'a Ansatz<'a>,
    objective: Objective,
    max_evaluations: usize,
    limits: Limits<'a>,
    evaluations: usize,
    /// Whether a piece has used up its evaluations.
    exhausted: bool,
    first: Option<f64>,
    best: Option<(f64, Angles)>,
    ended: Option<Ended>,
}

impl<'a> Tracker<'a> {
    pub(super) fn new(
        ansatz: &'a Ansatz<'a>,
        objective: Objective,
        max_evaluations: usize,
        limits: Limits<'a>,
    ) -> Self {
        Self {
            ansatz,
            objective,
            max_evaluations,
            limits,
            evaluations: 0,
            exhausted: false,
            first: None,
            best: None,
            ended: None,
        }
    }

    /// A tracker of its own for so many evaluations and one of `parts` equal parts of the work left.
    pub(super) fn piece(&self, evaluations: usize, parts: u64) -> Self {
        let work = self.limits.left().unwrap_or(u64::MAX) / parts.max(1);
        let limits = self.limits.part(work);
        Self::new(self.ansatz, self.objective, evaluations, limits)
    }

    /// Counts what a piece has used and keeps what it has found.
    pub(super) fn absorb(&mut self, piece: Self) {
        self.evaluations += piece.evaluations;
        self.limits.settle(piece.limits.spent());
        self.exhausted |= piece.left() == 0;
        if let Some((value, angles)) = piece.best {
            self.keep(value, &angles);
        }
        match piece.ended {
            // A piece's evaluations are not all there are.
            None | Some(Ended::Angles | Ended::Limit(Status::EvaluationLimit)) => {}
            Some(ended) => drop(self.end(ended)),
        }
    }

    pub(super) fn ansatz(&self) -> &'a Ansatz<'a> {
        self.ansatz
    }

    /// Work units spent.
    pub(super) fn spent(&self) -> u64 {
        self.limits.spent()
    }

    /// The best angles seen.
    pub(super) fn best(&self) -> Option<&Angles> {
        self.best.as_ref().map(|(_, angles)| angles)
    }

    /// The objective.
    pub(super) fn value(&mut self, angles: &Angles) -> Result<f64, Ended> {
        let objective = self.objective;
        self.evaluate(
            angles,
            |ansatz, limits| ansatz.evaluate(objective, angles, limits),
            |&value| value,
        )
    }

    /// The objective with its derivatives.
    pub(super) fn gradient(&mut self, angles: &Angles) -> Result<Gradient, Ended> {
        let objective = self.objective;
        self.evaluate(
            angles,
            |ansatz, limits| ansatz.gradient(objective, angles, limits),
            |gradient| gradient.value,
        )
    }

    fn evaluate<T>(
        &mut self,
        angles: &Angles,
        run: impl FnOnce(&Ansatz, &Limits) -> Result<T, Refusal>,
        value: impl FnOnce(&T) -> f64,
    ) -> Result<T, Ended> {
        if self.left() == 0 {
            return Err(self.end(Ended::Limit(Status::EvaluationLimit)));
        }
        match run(self.ansatz, &self.limits) {
            Ok(result) => {
                self.evaluations += 1;
                self.keep(value(&result), angles);
                Ok(result)
            }
            Err(Refusal::Stopped(Stopped::Flag)) => Err(self.end(Ended::Limit(Status::Stopped))),
            Err(Refusal::Stopped(Stopped::Work { .. })) => {
                Err(self.end(Ended::Limit(Status::WorkLimit)))
            }
            // A line search may leap to angles without meaning. It has to start elsewhere; nothing is wrong with the question.
            Err(Refusal::PhaseTooLarge { .. } | Refusal::AngleNotFinite { .. }) => {
                Err(Ended::Angles)
            }
            Err(refusal) => Err(self.end(Ended::Refused(refusal))),
        }
    }

    fn keep(&mut self, value: f64, angles: &Angles) {
        self.first.get_or_insert(value);
        if self.best.as_ref().is_none_or(|(best, _)| value < *best) {
            self.best = Some((value, angles.clone()));
        }
    }

    fn end(&mut self, ended: Ended) -> Ended {
        self.ended.get_or_insert(ended).clone()
    }

    /// Evaluations left.
    pub(super) fn left(&self) -> usize {
        self.max_evaluations - self.evaluations
    }

    /// Evaluations used.
    pub(super) fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// What ended the whole search, if anything did.
    pub(super) fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// The first value, the best value and its angles.
    ///
    /// # Errors
    /// What kept the search from its first evaluation, or made its question malformed.
    pub(super) fn result(self) -> Result<(Status, f64, f64, Angles), Error> {
        let none_left = self.exhausted || self.left() == 0;
        let status = match self.ended {
            Some(Ended::Refused(refusal)) => return Err(refusal.into()),
            Some(Ended::Limit(status)) => status,
            _ if none_left => Status::EvaluationLimit,
            Some(Ended::Angles) | None => Status::Converged,
        };
        match (self.first, self.best) {
            (Some(first), Some((best, angles))) => Ok((status, first, best, angles)),
            _ => Err(Error::NothingEvaluated),
        }
    }
}
