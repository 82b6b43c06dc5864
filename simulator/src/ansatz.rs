//! The circuit: a cost, a mixer and a start state, run at given angles.

use crate::amplitudes::Amplitudes;
use crate::cost::Source;
use crate::diagonal::{Diagonal, Table};
use crate::estimate::Estimate;
use crate::kernels::{InstructionSet, MAX_PHASE, Number};
use crate::layout::Layout;
use crate::limits::units;
use crate::mixer::AxisMixer;
use crate::parallel::{self, Pool};
use crate::pass::{Circuit, From, Plan, Scratch, forward};
use crate::step::{Mix, left_to_phase};
use crate::{Angles, Cost, Error, Limits, Mixer, Objective, Start, State};

/// Largest cost in single precision: beyond, a gradient's products of costs and amplitudes overflow.
const MOST_SINGLE: f64 = f32::MAX as f64 / 4.0;

/// `|ψ⟩ = Π_{l=1..p} e^{-iβ_l B} e^{-iγ_l C} |w⟩`, layer 1 first, with amplitudes of the precision `T`.
#[derive(Debug, Clone)]
pub struct Ansatz<'a, T: Number = f64> {
    pub(crate) cost: &'a Cost,
    start: Start,
    /// Amplitudes that are kept: all, or the half whose highest qubit is 0 where the other half mirrors it.
    dimension: usize,
    mixers: Vec<AxisMixer>,
    pub(crate) layout: Layout,
    pub(crate) isa: InstructionSet,
    mixer_bytes: u64,
    /// The mixer as each group carries it out, and on how many axes it leaves a factor to the phase.
    mixes: Vec<Mix<T>>,
    left: usize,
    /// The cost as each group sees it.
    diagonals: Vec<Diagonal<'a>>,
    /// The start state's low tile, and the factor of every one of them.
    product: (Vec<f64>, Vec<f64>),
    /// Memory that one run leaves to the next: states, what threads work in, and for each group tables of phases.
    states: Pool<Amplitudes<T>>,
    scratch: Pool<Scratch<T>>,
    tables: Vec<Pool<Table<T>>>,
}

impl<'a> Ansatz<'a> {
    /// A circuit on the cost's register, in double precision.
    ///
    /// # Errors
    /// A start state made for another register, a path or ring with a start state that is not uniform, a ring on fewer than three
    /// levels.
    pub fn new(cost: &'a Cost, mixer: Mixer, start: &Start) -> Result<Self, Error> {
        let mixers = mixer.axes(cost.register(), start)?;
        let mixer_bytes = mixer.bytes(cost.register());
        Ok(Self::with(
            cost,
            start.clone(),
            mixers,
            InstructionSet::best(),
            mixer_bytes,
        ))
    }

    /// The same circuit in single precision: half the memory, twice the speed, amplitudes good to six digits. Sums are taken in double
    /// precision all the same.
    ///
    /// # Errors
    /// Costs whose digits single precision does not hold: a range beyond its largest number.
    pub fn in_single_precision(self) -> Result<Ansatz<'a, f32>, Error> {
        let Self {
            cost,
            start,
            mixers,
            isa,
            mixer_bytes,
            ..
        } = self;
        let largest = cost.min().abs().max(cost.max().abs());
        if largest > MOST_SINGLE {
            return Err(Error::SinglePrecision {
                cost: largest,
                limit: MOST_SINGLE,
            });
        }
        Ok(Ansatz::with(cost, start, mixers, isa, mixer_bytes))
    }
}

impl<'a, T: Number> Ansatz<'a, T> {
    fn with(
        cost: &'a Cost,
        start: Start,
        mixers: Vec<AxisMixer>,
        isa: InstructionSet,
        mixer_bytes: u64,
    ) -> Self {
        let whole_columns = matches!(cost.source(), Source::Pairwise(_));
        let levels = cost.register().levels();
        let in_lanes = |axis: usize| !matches!(mixers[axis], AxisMixer::Lattice(_));
        // Both levels of the highest qubit are each other's mirror images, and stay so.
        let even = cost.even() && mixers.iter().all(|mixer| *mixer == AxisMixer::Flip);
        let half =
            even.then(|| Layout::new::<T>(&levels[..levels.len() - 1], in_lanes, whole_columns, 2));
        let half = half.filter(|layout| layout.groups.len() > 1);
        let axes = levels.len() - usize::from(half.is_some());
        let mut layout =
            half.unwrap_or_else(|| Layout::new::<T>(levels, in_lanes, whole_columns, 1));
        // Costs come in chunks, which a gap must not cut.
        if !layout.groups[0]
            .amplitudes()
            .is_multiple_of(cost.chunk_len())
        {
            layout.gap = 0;
        }
        let diagonals = (0..layout.groups.len())
            .map(|group| Diagonal::new::<T>(cost, &layout, group))
            .collect();
        let mixes = (0..layout.groups.len())
            .map(|group| Mix::new(&layout, group, &mixers))
            .collect();
        let left = left_to_phase(&mixers);
        let (low, high) = start.axes().split_at(layout.groups[0].axes.end);
        let (high, left_out) = high.split_at(axes - low.len());
        let mut product = (outer_product(low), outer_product(high));
        let factor: f64 = left_out.iter().map(|w| w[0]).product();
        product.1.iter_mut().for_each(|one| *one *= factor);
        let (states, scratch) = (Pool::new(), Pool::new());
        let tables = layout.groups.iter().map(|_| Pool::new()).collect();
        Self {
            cost,
            start,
            dimension: levels[..axes].iter().product(),
            mixers,
            layout,
            isa,
            mixer_bytes,
            mixes,
            left,
            diagonals,
            product,
            states,
            scratch,
            tables,
        }
    }

    /// The same circuit on another of the machine's instruction sets. Results are equal to the bit on all of them.
    #[must_use]
    pub fn with_instruction_set(mut self, isa: InstructionSet) -> Self {
        self.isa = isa;
        self
    }

    /// The cost that the circuit works on.
    pub fn cost(&self) -> &'a Cost {
        self.cost
    }

    /// Runs the circuit. Depth zero gives the start state.
    ///
    /// # Errors
    /// Angle lists of different lengths, angles that are not finite or make phases beyond 2^40, more memory than the register
    /// allows, or limits that end the run.
    pub fn evolve(&self, angles: &Angles, limits: &Limits) -> Result<State<'a, T>, Error> {
        self.admit(angles, self.estimate(angles.depth()).bytes)?;
        let circuit = self.circuit(layers(angles));
        let mut psi = self.memory();
        let (mut plans, last) = self.plans(angles.depth());
        plans.push(last);
        self.run(&circuit, &plans, &mut psi, limits)?;
        Ok(State::new(self.cost, psi, self.isa))
    }

    /// The objective at the given angles. The expectation is summed up in the last pass, without keeping the state.
    ///
    /// # Errors
    /// As [`Ansatz::evolve`], and a share α outside (0, 1].
    pub fn evaluate(
        &self,
        objective: Objective,
        angles: &Angles,
        limits: &Limits,
    ) -> Result<f64, Error> {
        objective.check()?;
        if objective != Objective::Expectation {
            return self.evolve(angles, limits)?.objective(objective);
        }
        self.admit(angles, self.estimate(angles.depth()).bytes)?;
        let (psi, mean) = self.expectation(angles, limits, false)?;
        self.leave(psi);
        Ok(mean)
    }

    /// The expectation at admitted angles, summed up in the last pass, and the state's memory, which holds the state only where `keep` says so:
    /// that takes longer.
    pub(crate) fn expectation(
        &self,
        angles: &Angles,
        limits: &Limits,
        keep: bool,
    ) -> Result<(Amplitudes<T>, f64), Error> {
        let circuit = self.circuit(layers(angles));
        let (plans, last) = self.plans(angles.depth());
        let mut psi = self.memory();
        self.run(&circuit, &plans, &mut psi, limits)?;
        self.spend(limits, angles.depth())?;
        let (center, from) = (self.cost.mean(), self.source(plans.len()));
        let mean = if keep {
            circuit.run(&last, from, &mut psi, Some(center))
        } else {
            circuit.run_mean(&last, from, &mut psi, center)
        };
        Ok((psi, center + self.copies() * mean))
    }

    /// The objective at several sets of angles. Small states are evaluated side by side, for one of them would keep one core busy at
    /// most; large ones one after the other, each on all cores.
    ///
    /// # Errors
    /// As [`Ansatz::evaluate`], the first one in the order of the sets.
    pub fn evaluate_all(
        &self,
        objective: Objective,
        sets: &[Angles],
        limits: &Limits,
    ) -> Result<Vec<f64>, Error> {
        let one = |angles: &Angles| self.evaluate(objective, angles, limits);
        let values = parallel::whole(self.dimension, sets.iter().collect(), one);
        values.into_iter().collect()
    }

    /// Bytes and rough seconds of a run of `depth` layers.
    pub fn estimate(&self, depth: usize) -> Estimate {
        Estimate::new::<T>(
            (self.dimension, self.cost.register().levels().len()),
            (&self.layout, self.copies() as u64),
            depth,
            self.mixer_bytes,
            self.cost.bytes().saturating_add(self.table_bytes(depth)),
        )
    }

    /// Bytes of the phases that a pass has: on one group of all layers, elsewhere of two.
    fn table_bytes(&self, depth: usize) -> u64 {
        let layers = if self.groups() == 1 { depth } else { 2 };
        let phases = self.diagonals.iter().map(Diagonal::phases).max();
        let bytes = 2 * size_of::<T>() as u64 * phases.unwrap_or(0) as u64;
        bytes.saturating_mul(layers as u64)
    }

    /// Work units of one run of `depth` layers.
    pub fn work(&self, depth: usize) -> u64 {
        let passes = depth.saturating_mul(self.passes_a_layer());
        let passes = passes.saturating_add(1);
        units(self.dimension, passes)
    }

    /// Passes that a layer counts for; on one group all layers are one pass, and still work.
    fn passes_a_layer(&self) -> usize {
        (self.layout.groups.len() - 1).max(1)
    }

    /// Pays for one of the passes of `depth` layers.
    pub(crate) fn spend(&self, limits: &Limits, depth: usize) -> Result<(), Error> {
        let passes = if self.layout.groups.len() == 1 {
            1 + depth
        } else {
            1
        };
        Ok(limits.spend(units(self.dimension, passes))?)
    }

    /// Carries out passes, the first of which makes the start state.
    pub(crate) fn run(
        &self,
        circuit: &Circuit<T>,
        plans: &[Plan],
        psi: &mut Amplitudes<T>,
        limits: &Limits,
    ) -> Result<(), Error> {
        let depth = circuit.angles.len();
        for (at, plan) in plans.iter().enumerate() {
            self.spend(limits, depth)?;
            circuit.run(plan, self.source(at), psi, None);
        }
        Ok(())
    }

    /// What the pass at a place begins with.
    fn source(&self, pass: usize) -> From<'_> {
        match &self.product {
            (tile, factors) if pass == 0 => From::Product { tile, factors },
            _ => From::Memory,
        }
    }

    /// The passes of a run, and the last of them.
    fn plans(&self, depth: usize) -> (Vec<Plan>, Plan) {
        forward(self.layout.groups.len(), depth)
    }

    /// How often every amplitude that is kept occurs in the state.
    pub(crate) fn copies(&self) -> f64 {
        (self.cost.register().dimension() / self.dimension) as f64
    }

    /// Number of groups.
    pub(crate) fn groups(&self) -> usize {
        self.layout.groups.len()
    }

    pub(crate) fn circuit(&self, angles: Vec<(f64, f64)>) -> Circuit<'_, T> {
        Circuit {
            layout: &self.layout,
            mixes: &self.mixes,
            left: self.left,
            diagonals: &self.diagonals,
            isa: self.isa,
            angles,
            mirrored: self.copies() > 1.0,
            pool: &self.scratch,
            tables: &self.tables,
        }
    }

    /// Memory for a state, perhaps of an earlier run; what it holds means nothing.
    pub(crate) fn memory(&self) -> Amplitudes<T> {
        self.states
            .take(|| Amplitudes::zeros(self.dimension, &self.layout))
    }

    /// Leaves memory to the next run.
    pub(crate) fn leave(&self, state: Amplitudes<T>) {
        self.states.put(state);
    }

    /// Refuses malformed angles, phases that the kernels cannot reduce, and more memory than the register allows.
    pub(crate) fn admit(&self, angles: &Angles, bytes: u64) -> Result<(), Error> {
        angles.check()?;
        let largest = self.cost.largest();
        for (layer, (&gamma, &beta)) in angles.gamma.iter().zip(&angles.beta).enumerate() {
            let phase = gamma.abs() * largest + beta.abs() * self.mixers.len() as f64;
            if phase > MAX_PHASE {
                return Err(Error::PhaseTooLarge {
                    layer,
                    gamma,
                    phase,
                    limit: MAX_PHASE,
                });
            }
        }
        self.cost.register().allow(bytes)
    }
}

/// One pair (γ, β) a layer.
pub(crate) fn layers(angles: &Angles) -> Vec<(f64, f64)> {
    angles
        .gamma
        .iter()
        .copied()
        .zip(angles.beta.iter().copied())
        .collect()
}

/// The product state of a few axes, axis 0 fastest.
fn outer_product(axes: &[Vec<f64>]) -> Vec<f64> {
    axes.iter().fold(vec![1.0], |state, w| {
        w.iter()
            .flat_map(|w| state.iter().map(move |s| w * s))
            .collect()
    })
}
