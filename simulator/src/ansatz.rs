//! The circuit: a cost, a mixer and a start state, run at given angles.

use crate::amplitudes::Amplitudes;
use crate::estimate::Estimate;
use crate::kernels::{InstructionSet, MAX_PHASE};
use crate::layout::Layout;
use crate::limits::units;
use crate::mixer::AxisMixer;
use crate::step::Layer;
use crate::sweep::Sweep;
use crate::{Angles, Cost, Error, Limits, Mixer, Start, State};

/// `|ψ⟩ = Π_{l=1..p} e^{-iβ_l B} e^{-iγ_l C} |w⟩`, layer 1 first.
#[derive(Debug, Clone)]
pub struct Ansatz<'a> {
    pub(crate) cost: &'a Cost,
    pub(crate) start: Start,
    pub(crate) axes: Vec<AxisMixer>,
    pub(crate) layout: Layout,
    pub(crate) isa: InstructionSet,
    mixer_bytes: u64,
}

impl<'a> Ansatz<'a> {
    /// A circuit on the cost's register.
    ///
    /// # Errors
    /// A start state made for another register, a path or ring with a start state that is not uniform, a ring on fewer than three
    /// levels.
    pub fn new(cost: &'a Cost, mixer: Mixer, start: &Start) -> Result<Self, Error> {
        Ok(Self {
            cost,
            start: start.clone(),
            axes: mixer.axes(cost.register(), start)?,
            layout: Layout::new(cost.register().levels()),
            isa: InstructionSet::best(),
            mixer_bytes: mixer.bytes(cost.register()),
        })
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
    pub fn evolve(&self, angles: &Angles, limits: &Limits) -> Result<State<'a>, Error> {
        self.check(angles)?;
        self.cost
            .register()
            .allow(self.estimate(angles.depth()).bytes)?;
        let psi = self.run(angles, limits)?;
        Ok(State::new(self.cost, psi, self.isa))
    }

    /// Bytes and rough seconds of a run of `depth` layers.
    pub fn estimate(&self, depth: usize) -> Estimate {
        Estimate::new(self.cost.register(), &self.layout, depth, self.mixer_bytes)
    }

    /// Work units of one run of `depth` layers.
    pub fn work(&self, depth: usize) -> u64 {
        units(
            self.cost.register().dimension(),
            1 + depth * self.layout.passes(),
        )
    }

    /// The circuit itself: the start state, then layer by layer.
    pub(crate) fn run(&self, angles: &Angles, limits: &Limits) -> Result<Amplitudes, Error> {
        let dimension = self.cost.register().dimension();
        limits.spend(units(dimension, 1))?;
        let mut psi = Amplitudes::product(&self.start, &self.layout);
        for (&gamma, &beta) in angles.gamma.iter().zip(&angles.beta) {
            limits.spend(units(dimension, self.layout.passes()))?;
            self.sweep().forward(&mut psi, &self.layer(gamma, beta));
        }
        Ok(psi)
    }

    pub(crate) fn sweep(&self) -> Sweep<'_> {
        Sweep {
            layout: &self.layout,
            axes: &self.axes,
            cost: self.cost.values(),
            isa: self.isa,
        }
    }

    pub(crate) fn layer(&self, gamma: f64, beta: f64) -> Layer {
        Layer::new(&self.layout, &self.axes, gamma, beta)
    }

    /// Refuses malformed angles, and phases that the kernels cannot reduce.
    pub(crate) fn check(&self, angles: &Angles) -> Result<(), Error> {
        angles.check()?;
        let largest = self.cost.min().abs().max(self.cost.max().abs());
        for (layer, (&gamma, &beta)) in angles.gamma.iter().zip(&angles.beta).enumerate() {
            let phase = gamma.abs() * largest + beta.abs() * self.axes.len() as f64;
            if phase > MAX_PHASE {
                return Err(Error::PhaseTooLarge {
                    layer,
                    gamma,
                    phase,
                    limit: MAX_PHASE,
                });
            }
        }
        Ok(())
    }
}
