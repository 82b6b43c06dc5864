//! Milliseconds of a QAOA layer and of an adjoint gradient on registers of about 2^22 states, next to a reference pass that only multiplies both
//! arrays of a state in place.
//!
//! `cargo bench -p ketscale-simulator --bench layer`. A layer is (T(p = 10) − T(p = 2))/8, ⟨C⟩ included in T, best of five. Each
//! register checks its answer: the norm, and the same expectation on every instruction set to the bit.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

use ketscale_simulator::{
    Angles, Ansatz, Cost, InstructionSet, Limits, Mixer, Objective, Register, Table,
};
use std::hint::black_box;
use std::time::Instant;

const REPEATS: usize = 5;

fn main() {
    let registers = [
        ("22 qubits", vec![2; 22]),
        ("11 axes of 4", vec![4; 11]),
        ("3, 5, 7, 6 …", vec![3, 5, 7, 6, 4, 2, 3, 5, 7, 6, 4]),
    ];
    let reference_ms = reference_pass_ms(1 << 22);
    println!(
        "{} threads, {}",
        rayon_threads(),
        InstructionSet::best().name()
    );
    println!("reference pass over 2^22 amplitudes: {reference_ms:.2} ms");
    for (name, levels) in registers {
        measure(name, &levels, reference_ms);
    }
}

fn measure(name: &str, levels: &[usize], reference_ms: f64) {
    let register = Register::new(levels).expect("a register");
    let cost = cost(&register);
    let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start()).expect("an ansatz");
    check(name, &ansatz);
    let run = |depth| {
        best_ms(|| {
            ansatz
                .evaluate(Objective::Expectation, &angles(depth), &Limits::none())
                .expect("a value")
        })
    };
    let layer_ms = (run(10) - run(2)) / 8.0;
    let gradient_ms = best_ms(|| {
        ansatz
            .gradient(Objective::Expectation, &angles(3), &Limits::none())
            .expect("a gradient")
            .value
    });
    let amplitudes = register.dimension() as f64;
    let passes = layer_ms / reference_ms * f64::from(1 << 22) / amplitudes;
    println!(
        "{name}: N = {amplitudes}, layer {layer_ms:.2} ms ({:.0} million amplitudes/s, {passes:.2} reference passes), gradient at p = 3 {gradient_ms:.0} ms",
        amplitudes / layer_ms / 1e3,
    );
}

/// The answers must not depend on the instruction set, and the state must stay normalised.
fn check(name: &str, ansatz: &Ansatz) {
    let state = ansatz.evolve(&angles(3), &Limits::none()).expect("a state");
    assert!(
        (state.norm() - 1.0).abs() < 1e-11,
        "{name}: norm {}",
        state.norm()
    );
    let slower = InstructionSet::available()
        .into_iter()
        .filter(|&isa| isa != InstructionSet::SCALAR && isa != InstructionSet::best());
    for isa in slower {
        let other = ansatz
            .clone()
            .with_instruction_set(isa)
            .evolve(&angles(3), &Limits::none())
            .expect("a state");
        assert_eq!(
            other.expectation().to_bits(),
            state.expectation().to_bits(),
            "{name} on {}",
            isa.name()
        );
    }
}

/// A cost with a value for every pair of neighbouring axes, none of them integer.
fn cost(register: &Register) -> Cost {
    let levels = register.levels();
    let pair = |axis: usize| Table {
        variables: vec![axis, axis + 1],
        values: (0..levels[axis] * levels[axis + 1])
            .map(|at| ((at * (axis + 3)) as f64 * 0.731).sin())
            .collect(),
    };
    let tables: Vec<Table> = (0..levels.len() - 1).map(pair).collect();
    Cost::from_tables(register, &tables, 0.0).expect("a cost")
}

fn angles(depth: usize) -> Angles {
    let ramp = |from: f64, to: f64| {
        (0..depth)
            .map(|l| from + (to - from) * (l as f64 + 0.5) / depth as f64)
            .collect::<Vec<f64>>()
    };
    Angles::new(&ramp(0.1, 0.6), &ramp(0.6, 0.1)).expect("angles")
}

fn best_ms<T>(mut work: impl FnMut() -> T) -> f64 {
    let one = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..REPEATS).map(one).fold(f64::INFINITY, f64::min)
}

/// Both arrays of a state of this many amplitudes multiplied in place by all threads, best of twenty.
fn reference_pass_ms(amplitudes: usize) -> f64 {
    let mut arrays = vec![1.0_f64; 2 * amplitudes];
    let share = arrays.len() / rayon_threads();
    let mut pass = || {
        std::thread::scope(|scope| {
            for part in arrays.chunks_mut(share) {
                scope.spawn(|| part.iter_mut().for_each(|x| *x *= 1.000_000_1));
            }
        });
    };
    let best = (0..20)
        .map(|_| {
            let start = Instant::now();
            pass();
            start.elapsed().as_secs_f64() * 1e3
        })
        .fold(f64::INFINITY, f64::min);
    assert!(
        arrays.iter().all(|&x| (x - 1.000_002).abs() < 1e-9),
        "the reference pass multiplied twenty times"
    );
    best
}

fn rayon_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
