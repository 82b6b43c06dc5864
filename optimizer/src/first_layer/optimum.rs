//! The best angles of one layer.

use super::FirstLayer;
use crate::{Error, Ising};
use ketscale_simulator::{Limits, Stopped};

/// Steps, each a factor of a product, that one work unit pays for.
const STEPS_PER_UNIT: u64 = 1 << 20;
/// Values of γ in an octave of the scan on every scale, and most of them.
const GAMMAS_PER_OCTAVE: f64 = 4.0;
const MOST_GAMMAS: f64 = 96.0;
/// The scan begins and ends where 2γr is this for the greatest and for the least local size r. A lone pair has its optimum at 2γJ = π/2; a spin
/// among many has it at 2γr near one.
const SCANNED: (f64, f64) = (0.4, 3.2);
/// Besides, 2γr of the greatest local size takes this many steps of this width: few spins have their optimum beyond the first lobe at times.
const LOBES: (usize, f64) = (32, 0.5);
/// Local minima of the scan that are refined.
const REFINED: usize = 3;
/// Evaluations to refine one of them.
const REFINEMENTS: usize = 24;
/// Values of ⟨C⟩ this close, as a share, are equal.
const TIE: f64 = 1e-13;
/// γ is good enough when its bracket is this share of it.
const GAMMA_TOLERANCE: f64 = 1e-7;
/// Evaluations to follow an optimum after a small change of the model, and the share of |⟨C⟩| that d⟨C⟩/d ln γ may then be.
const FOLLOWED: (usize, f64) = (6, 1e-3);

/// The best angles of one layer and what they give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimum {
    /// γ in radians, above zero: (−γ, −β) gives the same ⟨C⟩.
    pub gamma: f64,
    /// β in radians, in [0, π).
    pub beta: f64,
    /// ⟨C⟩.
    pub expectation: f64,
    /// Values of γ at which all expectations were computed.
    pub evaluations: usize,
}

/// The (γ, β) at which ⟨C⟩ of one layer is least, as far as a scan of γ and a refinement of its best points find it; β is exact for
/// its γ. The same model gives the same angles on any machine and any number of threads.
///
/// A pass over 2^20 factors is one work unit.
///
/// # Errors
/// Limits that end the run before its first evaluation; when they end it later, the best angles so far are returned.
pub fn optimum(ising: &Ising, limits: &Limits) -> Result<Optimum, Error> {
    let (model, scale) = ising.normalised();
    let mut tracked = Tracked::new(&model, limits);
    // Only whether anything was evaluated matters here.
    let _ = scan(&mut tracked);
    let evaluations = tracked.evaluations;
    let (layer, beta) = tracked.best.ok_or(Error::NothingEvaluated)?;
    Ok(Optimum {
        gamma: layer.gamma() / scale,
        beta,
        expectation: layer.expectation(beta) * scale,
        evaluations,
    })
}

/// Evaluations of one model: counted, limited, the best one kept.
pub(crate) struct Tracked<'a> {
    ising: &'a Ising,
    limits: &'a Limits<'a>,
    pub(crate) evaluations: usize,
    /// The best γ seen, with its best β.
    pub(crate) best: Option<(FirstLayer, f64)>,
}

impl<'a> Tracked<'a> {
    pub(crate) fn new(ising: &'a Ising, limits: &'a Limits) -> Self {
        Self {
            ising,
            limits,
            evaluations: 0,
            best: None,
        }
    }

    /// ⟨C⟩ at the best β, and its derivative by γ.
    fn at(&mut self, gamma: f64) -> Result<(f64, f64), Stopped> {
        self.limits.spend(units(self.ising))?;
        self.evaluations += 1;
        let layer = FirstLayer::at(self.ising, gamma);
        let beta = layer.best_beta();
        let found = (layer.expectation(beta), layer.slopes(beta).0);
        let better = |(best, beta): &(FirstLayer, f64)| {
            let least = best.expectation(*beta);
            let tie = TIE * (least - self.ising.offset()).abs();
            // Whole couplings repeat themselves at larger γ; rounding shall not choose among the repetitions.
            found.0 < least - tie || (found.0 <= least + tie && gamma < best.gamma())
        };
        if self.best.as_ref().is_none_or(better) {
            self.best = Some((layer, beta));
        }
        Ok(found)
    }
}

/// Looks at γ on every scale that the model has, then closely at the best points.
pub(crate) fn scan(tracked: &mut Tracked) -> Result<(), Stopped> {
    let gammas = gammas(tracked.ising);
    let mut values = Vec::with_capacity(gammas.len());
    for &gamma in &gammas {
        values.push(tracked.at(gamma)?.0);
    }
    let value = |at: usize| values.get(at).copied().unwrap_or(f64::INFINITY);
    let mut minima: Vec<usize> = (0..gammas.len())
        .filter(|&at| value(at) <= value(at.wrapping_sub(1)) && value(at) <= value(at + 1))
        .collect();
    minima.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
    for at in minima.into_iter().take(REFINED) {
        let low = gammas[at.saturating_sub(1)];
        let high = gammas[(at + 1).min(gammas.len() - 1)];
        refine(tracked, low, high)?;
    }
    Ok(())
}

/// Values of γ from the scale of the spin with the greatest fields and couplings to that with the least, in ascending order.
fn gammas(ising: &Ising) -> Vec<f64> {
    let size = |i: usize| {
        let squares = ising.couplings()[i].iter().map(|(_, j)| j * j);
        squares
            .fold(ising.fields()[i].powi(2), |sum, square| sum + square)
            .sqrt()
    };
    let sizes = (0..ising.variables()).map(size).filter(|&r| r > 0.0);
    let (least, greatest) = sizes.fold((f64::INFINITY, 0.0), |(least, greatest), r| {
        (f64::min(least, r), f64::max(greatest, r))
    });
    if greatest == 0.0 {
        return vec![1.0];
    }
    let (from, to) = (0.5 * SCANNED.0 / greatest, 0.5 * SCANNED.1 / least);
    let count = ((to / from).log2() * GAMMAS_PER_OCTAVE)
        .ceil()
        .min(MOST_GAMMAS);
    let scales = (0..=count as usize).map(|at| from * (at as f64 / GAMMAS_PER_OCTAVE).exp2());
    let lobes = (1..=LOBES.0).map(|at| 0.5 * LOBES.1 / greatest * at as f64);
    let mut gammas: Vec<f64> = scales.chain(lobes).collect();
    gammas.sort_by(f64::total_cmp);
    gammas
}

/// Narrows a bracket of γ by the sign of the derivative, by its secant where that is inside.
fn refine(tracked: &mut Tracked, low: f64, high: f64) -> Result<(), Stopped> {
    let mut low = (low, tracked.at(low)?.1);
    let mut high = (high, tracked.at(high)?.1);
    for step in 0..REFINEMENTS {
        let width = high.0 - low.0;
        if width <= GAMMA_TOLERANCE * high.0 {
            break;
        }
        let secant = low.0 - low.1 * width / (high.1 - low.1);
        // Every third step halves, so that one end does not stay for good.
        let inside = secant > low.0 && secant < high.0 && step % 3 != 2;
        let gamma = if inside {
            secant
        } else {
            f64::midpoint(low.0, high.0)
        };
        let slope = tracked.at(gamma)?.1;
        if slope == 0.0 {
            break;
        }
        if slope > 0.0 {
            high = (gamma, slope);
        } else {
            low = (gamma, slope);
        }
    }
    Ok(())
}

/// Follows the optimum from the γ of a model that was changed a little.
pub(crate) fn follow(tracked: &mut Tracked, gamma: f64) -> Result<(), Stopped> {
    let (evaluations, tolerance) = FOLLOWED;
    let mut last = (gamma, tracked.at(gamma)?);
    // First two hundredths downhill, then by the secant of the derivative.
    let mut next = gamma * if last.1.1 > 0.0 { 0.98 } else { 1.02 };
    for _ in 1..evaluations {
        let (value, slope) = last.1;
        let size = (value - tracked.ising.offset()).abs();
        if (slope * last.0).abs() <= tolerance * size {
            break;
        }
        let here = (next, tracked.at(next)?);
        let secant = here.0 - here.1.1 * (here.0 - last.0) / (here.1.1 - last.1.1);
        let downhill = here.0 * if here.1.1 > 0.0 { 0.9 } else { 1.1 };
        let near = secant > 0.8 * here.0 && secant < 1.25 * here.0;
        next = if near { secant } else { downhill };
        last = here;
    }
    Ok(())
}

/// Factors of all products of one evaluation.
pub(crate) fn work(ising: &Ising) -> usize {
    ising.couplings().iter().map(|of| of.len() * of.len()).sum()
}

fn units(ising: &Ising) -> u64 {
    (work(ising) as u64).div_ceil(STEPS_PER_UNIT).max(1)
}
