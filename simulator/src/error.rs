//! What the simulator refuses, each with the data that a caller needs to say where and why.

use crate::limits::Stopped;
use crate::mixer::Mixer;

/// A malformed question, a question too large for the memory limit, or a run that its limits ended.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A register needs at least one axis.
    #[error("a register needs at least one axis")]
    NoAxes,
    /// An axis with fewer than two levels decides nothing.
    #[error("axis {axis} has {levels} levels, an axis needs at least 2")]
    TooFewLevels {
        /// Position of the axis.
        axis: usize,
        /// Its levels.
        levels: usize,
    },
    /// The number of basis states does not fit into a machine word.
    #[error("the register's dimension overflows at axis {axis}")]
    DimensionOverflow {
        /// First axis at which the product of the levels overflows.
        axis: usize,
    },
    /// A basis state with the wrong number of digits.
    #[error("{found} digits for {expected} axes")]
    DigitsLength {
        /// Axes of the register.
        expected: usize,
        /// Digits given.
        found: usize,
    },
    /// A digit that its axis does not have.
    #[error("digit {digit} on axis {axis}, which has {levels} levels")]
    DigitOutOfRange {
        /// Position of the axis.
        axis: usize,
        /// The digit given.
        digit: usize,
        /// Levels of the axis.
        levels: usize,
    },
    /// A table whose length is not the product of its axes' levels.
    #[error("table {table} has {found} values, its axes have {expected} states")]
    TableLength {
        /// Position of the table among those given.
        table: usize,
        /// Product of the levels.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A cost, coefficient or offset that is infinite or not a number.
    #[error("{what} {position} is {value}, not a finite number")]
    NotFinite {
        /// What kind of number it is.
        what: &'static str,
        /// Position of the number among those of its kind.
        position: usize,
        /// The number.
        value: f64,
    },
    /// Costs whose difference overflows.
    #[error("costs from {min} to {max}: their difference is not a finite number")]
    CostRange {
        /// Least cost.
        min: f64,
        /// Greatest cost.
        max: f64,
    },
    /// A variable that the register does not have.
    #[error("term {term} names variable {variable} of a register with {axes} axes")]
    VariableOutOfRange {
        /// Position of the term or table.
        term: usize,
        /// The variable named.
        variable: usize,
        /// Axes of the register.
        axes: usize,
    },
    /// A variable that a term names twice.
    #[error("term {term} names variable {variable} twice")]
    RepeatedVariable {
        /// Position of the term or table.
        term: usize,
        /// The variable named twice.
        variable: usize,
    },
    /// A spin on an axis that is no qubit.
    #[error(
        "term {term} takes the spin of variable {variable}, which has {levels} levels instead of 2"
    )]
    NotAQubit {
        /// Position of the term.
        term: usize,
        /// The variable.
        variable: usize,
        /// Its levels.
        levels: usize,
    },
    /// A start state made for another register, or a product state of the wrong shape.
    #[error(
        "the start state has {found} amplitudes on axis {axis}, the register {expected} levels"
    )]
    StartShape {
        /// Position of the axis.
        axis: usize,
        /// Levels that the register has there (0: none).
        expected: usize,
        /// Amplitudes that the start state has there (0: none).
        found: usize,
    },
    /// Amplitudes of an axis whose squares do not add up to one, or that are not finite.
    #[error("the squared amplitudes of axis {axis} add up to {norm} instead of 1")]
    StartNorm {
        /// Position of the axis.
        axis: usize,
        /// Sum of the squares.
        norm: f64,
    },
    /// A warm start's share outside (0, (d−1)/d].
    #[error("epsilon is {epsilon}, on axis {axis} it must be above 0 and at most {max}")]
    Epsilon {
        /// First axis that refuses it.
        axis: usize,
        /// The share given.
        epsilon: f64,
        /// Greatest share for this axis: the uniform state.
        max: f64,
    },
    /// A mixer that would not leave the start state alone.
    #[error("the {mixer} mixer needs a uniform start, axis {axis} is not")]
    MixerNeedsUniformStart {
        /// The mixer.
        mixer: Mixer,
        /// First axis that is not uniform.
        axis: usize,
    },
    /// A ring needs three levels to be one.
    #[error("the ring mixer needs at least 3 levels, axis {axis} has {levels}")]
    RingTooShort {
        /// Position of the axis.
        axis: usize,
        /// Its levels.
        levels: usize,
    },
    /// Angle lists of different lengths.
    #[error("{gamma} angles gamma and {beta} angles beta: both need one a layer")]
    AnglesLength {
        /// Number of phase angles.
        gamma: usize,
        /// Number of mixer angles.
        beta: usize,
    },
    /// An angle that is infinite or not a number.
    #[error("{angle}[{layer}] is {value}, not a finite number")]
    AngleNotFinite {
        /// `gamma` or `beta`.
        angle: &'static str,
        /// Layer, from zero.
        layer: usize,
        /// The angle.
        value: f64,
    },
    /// A phase so large that nothing of its value modulo 2π is left.
    #[error("gamma[{layer}] = {gamma} times the cost reaches {phase:e}, phases end at {limit:e}")]
    PhaseTooLarge {
        /// Layer, from zero.
        layer: usize,
        /// The angle.
        gamma: f64,
        /// Greatest phase it makes.
        phase: f64,
        /// Greatest phase that is computed.
        limit: f64,
    },
    /// Costs that single precision does not hold.
    #[error("costs reach {cost:e}: single precision ends at {limit:e}")]
    SinglePrecision {
        /// The largest cost, whatever its sign.
        cost: f64,
        /// The largest one that single precision works on.
        limit: f64,
    },
    /// Threads that cannot be had.
    #[error("{threads} threads: {reason}")]
    Threads {
        /// The number asked for.
        threads: usize,
        /// Why not.
        reason: String,
    },
    /// A CVaR share outside (0, 1].
    #[error("alpha is {alpha}, it must be above 0 and at most 1")]
    Alpha {
        /// The share given.
        alpha: f64,
    },
    /// A run that needs more memory than it may use.
    #[error("needs {needed_bytes} bytes of memory, {allowed_bytes} are allowed")]
    MemoryLimit {
        /// What the run needs.
        needed_bytes: u64,
        /// The register's limit.
        allowed_bytes: u64,
    },
    /// A run that its limits ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
