//! One round: eliminations down to what can be enumerated, and back.

use super::{Round, Settings, enumerate};
use crate::Ising;
use crate::first_layer::{Correlation, FirstLayer, Optimum, Tracked, follow, scan};
use crate::greedy::{Status, against, construct, gains};
use crate::ising::Removed;
use ketscale_simulator::{Limits, Stopped};

/// Expectations this close to the strongest, as a share, count as equal to it: symmetric pairs differ by rounding alone.
const TIE: f64 = 1e-9;
/// γ is looked for on all scales again when the share of coupled spins since the last time is this.
const RESCAN_SHARE: f64 = 0.75;
/// Undone eliminations that one work unit pays for, and between two looks at the limits.
const UNDONE_PER_UNIT: u64 = 64;

/// What has been decided of a spin.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// `z_i = sign`.
    Fixed { i: usize, sign: i8 },
    /// `z_i = sign · z_j`.
    Tied { i: usize, j: usize, sign: i8 },
}

impl Rule {
    fn apply(self, spins: &mut [i8]) {
        match self {
            Self::Fixed { i, sign } => spins[i] = sign,
            Self::Tied { i, j, sign } => spins[i] = sign * spins[j],
        }
    }
}

/// What a round found.
pub(super) struct Found {
    pub(super) spins: Vec<i8>,
    pub(super) round: Round,
    pub(super) status: Status,
    pub(super) first: Option<Optimum>,
    pub(super) evaluations: usize,
}

/// One round.
pub(super) struct Recursion<'a> {
    model: Ising,
    limits: &'a Limits<'a>,
    /// Spins that stay within what is left of the model.
    known: Option<Vec<i8>>,
    eliminated: Vec<(Rule, Removed)>,
    /// Spins that still have couplings.
    coupled: usize,
    /// The last γ, and the coupled spins when γ was last looked for on all scales.
    gamma: f64,
    scanned: usize,
    first: Option<Optimum>,
    eliminations: usize,
    evaluations: usize,
}

impl<'a> Recursion<'a> {
    pub(super) fn new(model: Ising, known: Option<Vec<i8>>, limits: &'a Limits) -> Self {
        let mut recursion = Self {
            eliminated: Vec::with_capacity(model.variables()),
            coupled: 0,
            gamma: 0.0,
            scanned: usize::MAX,
            first: None,
            eliminations: 0,
            evaluations: 0,
            model,
            known,
            limits,
        };
        recursion.release(0..recursion.model.variables());
        recursion
    }

    /// The whole round; nothing when the limits ended it before its first evaluation.
    pub(super) fn run(mut self, ising: &Ising, settings: &Settings) -> Option<Found> {
        let mut status = self.eliminate(settings.enumerated);
        if status != Status::Complete && self.evaluations == 0 {
            return None;
        }
        let (first, evaluations) = (self.first, self.evaluations);
        let eliminations = self.eliminations;
        let mut spins = self.rest(&mut status);
        let cost_before_flips = ising.sum(&self.unfolded(spins.clone()));
        if settings.flips && status == Status::Complete {
            status = self.undo(&mut spins);
        } else {
            spins = self.unfolded(spins);
        }
        let cost = ising.sum(&spins);
        let round = Round {
            cost_before_flips,
            cost,
            eliminations,
        };
        Some(Found {
            spins,
            round,
            status,
            first,
            evaluations,
        })
    }

    /// Eliminates spins until so many are left with couplings.
    fn eliminate(&mut self, left: usize) -> Status {
        while self.coupled > left {
            match self.layer() {
                Ok((layer, beta)) => {
                    let rule = self.strongest(&layer, beta);
                    self.eliminations += 1;
                    let touched = self.carry_out(rule);
                    self.release(touched);
                }
                Err(stopped) => return stopped.into(),
            }
        }
        Status::Complete
    }

    /// The best layer of the model as it stands.
    fn layer(&mut self) -> Result<(FirstLayer, f64), Stopped> {
        let anew = self.coupled as f64 <= RESCAN_SHARE * self.scanned as f64;
        let mut tracked = Tracked::new(&self.model, self.limits);
        let ended = if anew {
            scan(&mut tracked)
        } else {
            follow(&mut tracked, self.gamma)
        };
        self.evaluations += tracked.evaluations;
        let best = tracked.best;
        ended?;
        // A search that was not ended has evaluated something.
        let (layer, beta) = best.ok_or(Stopped::Flag)?;
        if anew {
            self.scanned = self.coupled;
        }
        self.gamma = layer.gamma();
        self.first.get_or_insert(Optimum {
            gamma: layer.gamma(),
            beta,
            expectation: layer.expectation(beta),
            evaluations: self.evaluations,
        });
        Ok((layer, beta))
    }

    /// Eliminates a spin; returns its former neighbours.
    fn carry_out(&mut self, rule: Rule) -> Vec<usize> {
        let removed = match rule {
            Rule::Fixed { i, sign } => self.model.fix(i, f64::from(sign)),
            Rule::Tied { i, j, sign } => self.model.tie(i, j, f64::from(sign)),
        };
        let neighbours = removed.neighbours().collect();
        self.eliminated.push((rule, removed));
        neighbours
    }

    /// Sets those of the spins that have a field and no coupling: against the field is best, whatever the others are.
    fn release(&mut self, spins: impl IntoIterator<Item = usize>) {
        for i in spins {
            let field = self.model.fields()[i];
            if self.model.couplings()[i].is_empty() && field != 0.0 {
                let sign = against(field);
                self.carry_out(Rule::Fixed { i, sign });
            }
        }
        let couplings = self.model.couplings().iter();
        self.coupled = couplings.filter(|of| !of.is_empty()).count();
    }

    /// Spins of what is left of the model: the best ones, or greedy ones where a limit has ended the run.
    fn rest(&self, status: &mut Status) -> Vec<i8> {
        if *status == Status::Complete {
            match enumerate::best(&self.model, self.limits) {
                Ok(spins) => return spins,
                Err(stopped) => *status = stopped.into(),
            }
        }
        construct(&self.model)
    }

    /// All spins as the rules have them.
    fn unfolded(&self, mut spins: Vec<i8>) -> Vec<i8> {
        for (rule, _) in self.eliminated.iter().rev() {
            rule.apply(&mut spins);
        }
        spins
    }

    /// Undoes the eliminations, and flips single spins of every model on the way.
    fn undo(mut self, spins: &mut [i8]) -> Status {
        let mut status = Status::Complete;
        let mut undone = 0_u64;
        while let Some((rule, removed)) = self.eliminated.pop() {
            rule.apply(spins);
            let mut doubtful: Vec<usize> = removed.neighbours().collect();
            doubtful.push(removed.spin);
            self.model.restore(removed);
            if undone.is_multiple_of(UNDONE_PER_UNIT) && status == Status::Complete {
                status = self.limits.spend(1).map_or_else(Status::from, |()| status);
            }
            undone += 1;
            if status == Status::Complete {
                settle(&self.model, spins, doubtful);
            }
        }
        status
    }

    /// The rule of the strongest expectation: pairs before spins, the lowest indices first where several are equally strong.
    fn strongest(&self, layer: &FirstLayer, beta: f64) -> Rule {
        let single = |i: usize, value: f64| {
            let z = self.known.as_ref().map_or(sign(value), |z| z[i]);
            (f64::from(z) * value * self.share(self.model.fields()[i]), z)
        };
        let pair = |pair: &Correlation, coupling: f64| {
            let z = self.known.as_ref();
            let z = z.map_or(sign(pair.value), |z| z[pair.i] * z[pair.j]);
            (f64::from(z) * pair.value * self.share(coupling), z)
        };
        let pairs = || layer.pairs(beta).zip(self.model.pairs());
        let singles = || {
            layer
                .singles(beta)
                .enumerate()
                .filter(|&(i, _)| self.model.fields()[i] != 0.0)
        };
        let strengths = pairs().map(|(of, (_, _, j))| pair(&of, j).0);
        let strengths = strengths.chain(singles().map(|(i, value)| single(i, value).0));
        let greatest = strengths.fold(f64::NEG_INFINITY, f64::max);
        let least = greatest - TIE * greatest.abs();
        for (of, (i, j, coupling)) in pairs() {
            let (strength, sign) = pair(&of, coupling);
            if strength >= least {
                return self.tied(i, j, sign);
            }
        }
        let strong = singles().map(|(i, value)| (i, single(i, value)));
        let mut strong = strong.filter(|(_, (strength, _))| *strength >= least);
        let (i, sign) = strong.next().map_or((0, 1), |(i, (_, sign))| (i, sign));
        Rule::Fixed { i, sign }
    }

    /// What an expectation's strength is weighed with: in further rounds its coefficient, so that it counts by its share of ⟨C⟩.
    fn share(&self, coefficient: f64) -> f64 {
        if self.known.is_some() {
            coefficient.abs()
        } else {
            1.0
        }
    }

    /// Of a pair the spin with fewer couplings goes, the second where they have as many.
    fn tied(&self, i: usize, j: usize, sign: i8) -> Rule {
        let degree = |i: usize| self.model.couplings()[i].len();
        let (i, j) = if degree(i) < degree(j) {
            (i, j)
        } else {
            (j, i)
        };
        Rule::Tied { i, j, sign }
    }
}

/// Flips those of the spins, and those next to them, whose flip lowers the energy, until none does.
fn settle(model: &Ising, spins: &mut [i8], mut doubtful: Vec<usize>) {
    while let Some(i) = doubtful.pop() {
        if gains(model, spins, i) {
            spins[i] = -spins[i];
            doubtful.extend(model.couplings()[i].iter().map(|&(k, _)| k));
        }
    }
}

fn sign(value: f64) -> i8 {
    if value < 0.0 { -1 } else { 1 }
}
