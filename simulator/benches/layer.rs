//! Milliseconds of a QAOA layer on registers of about 2^24 states, next to a reference pass that only multiplies both arrays of a
//! state in place.
//!
//! `cargo bench -p ketscale-simulator --bench layer`, with a part of a case's name for that case alone. A layer is
//! (T(p = 10) − T(p = 2))/8, ⟨C⟩ included in T, the median of five. Then the gradient by all 2p angles at p = 8 next to the evaluation;
//! on 24 qubits the same layer on one thread; and how many evaluations of ten qubits at p = 4 a second has. Each case checks its
//! answer against every other instruction set, to the bit.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

use ketscale_simulator::{
    Angles, Ansatz, Cost, InstructionSet, Limits, Mixer, Number, Objective, Register, Table, Term,
    on_threads,
};
use std::hint::black_box;
use std::time::Instant;

const REPEATS: usize = 5;

/// A name, and how to build the cost.
type Case = (&'static str, fn() -> Cost);

fn main() {
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| {
        only.as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    };
    println!("{} threads, {}", threads(), InstructionSet::best().name());
    let costs: [Case; 8] = [
        ("10 qubits, dense quadratic", || dense(10)),
        ("22 qubits, dense quadratic", || dense(22)),
        ("24 qubits, dense quadratic", || dense(24)),
        ("24 qubits, 3-regular", || regular(24)),
        ("12 axes of 4, pairs", || pairs(&[4; 12])),
        ("3, 5, 7, 6 …, pairs", || {
            pairs(&[3, 5, 7, 6, 4, 2, 3, 5, 7, 6, 4])
        }),
        ("24 qubits, table", || table(24)),
        ("27 qubits, dense quadratic", || dense(27)),
    ];
    for (name, cost) in costs.into_iter().filter(|(name, _)| wanted(name)) {
        let cost = cost();
        let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start()).expect("an ansatz");
        measure(name, &ansatz);
        measure(
            name,
            &ansatz.in_single_precision().expect("single precision"),
        );
    }
}

fn measure<T: Number>(name: &str, ansatz: &Ansatz<T>) {
    let evaluate = |ansatz: &Ansatz<T>, depth| {
        ansatz
            .evaluate(Objective::Expectation, &angles(depth), &Limits::none())
            .expect("a value")
    };
    let amplitudes = ansatz.cost().register().dimension();
    if amplitudes < MANY {
        return measure_many(name, ansatz);
    }
    let reference_ms = reference_pass_ms::<T>(amplitudes);
    let layer = || {
        let shallow_ms = median_ms(|| evaluate(ansatz, 2));
        (median_ms(|| evaluate(ansatz, 10)) - shallow_ms) / 8.0
    };
    let layer_ms = layer();
    let value = evaluate(ansatz, 2);
    for isa in InstructionSet::available().into_iter().skip(1) {
        let other = evaluate(&ansatz.clone().with_instruction_set(isa), 2);
        assert_eq!(other.to_bits(), value.to_bits(), "{name} on {}", isa.name());
    }
    let passes = layer_ms / reference_ms;
    let rate = amplitudes as f64 / layer_ms / 1e3;
    println!(
        "{name}, {}: layer {layer_ms:.2} ms, {rate:.0} million amplitudes/s, {passes:.2} reference passes of {reference_ms:.2} ms",
        T::NAME
    );
    let evaluation_ms = median_ms(|| evaluate(ansatz, 8));
    let gradient = || {
        ansatz
            .gradient(Objective::Expectation, &angles(8), &Limits::none())
            .expect("a gradient")
            .value
    };
    let gradient_ms = median_ms(gradient);
    println!(
        "    p = 8: evaluation {evaluation_ms:.0} ms, gradient {gradient_ms:.0} ms: {:.2} evaluations, {:.1} reference passes a layer",
        gradient_ms / evaluation_ms,
        gradient_ms / 8.0 / reference_ms,
    );
    if amplitudes == 1 << 24 {
        let alone_ms = on_threads(1, layer).expect("a thread");
        println!(
            "    one thread: layer {alone_ms:.1} ms, {:.2} times as long",
            alone_ms / layer_ms
        );
    }
}

/// States so small that many are evaluated side by side.
const MANY: usize = 1 << 16;

fn measure_many<T: Number>(name: &str, ansatz: &Ansatz<T>) {
    let sets = vec![angles(4); 10_000];
    let all = || {
        ansatz
            .evaluate_all(Objective::Expectation, &sets, &Limits::none())
            .expect("values")
    };
    let rate = sets.len() as f64 / median_ms(all) * 1e3;
    println!("{name}, {}, p = 4: {rate:.0} evaluations a second", T::NAME);
}

/// Every pair and every qubit with a coefficient of its own.
fn dense(n: usize) -> Cost {
    let mut terms = Vec::new();
    for i in 0..n {
        terms.push(Term {
            variables: vec![i],
            coefficient: (i as f64 * 0.731).sin(),
        });
        terms.extend((0..i).map(|j| Term {
            variables: vec![j, i],
            coefficient: ((i * n + j) as f64 * 0.417).cos(),
        }));
    }
    Cost::from_terms(&Register::qubits(n).expect("a register"), &terms, 0.0).expect("a cost")
}

/// A ring with chords to the opposite side, weighted.
fn regular(n: usize) -> Cost {
    let edges = (0..n)
        .map(|i| (i, (i + 1) % n))
        .chain((0..n / 2).map(|i| (i, i + n / 2)));
    let term = |(at, (i, j)): (usize, (usize, usize))| Term {
        variables: vec![i, j],
        coefficient: 0.5 + (at as f64 * 0.613).sin().abs(),
    };
    let terms: Vec<Term> = edges.enumerate().map(term).collect();
    Cost::from_terms(&Register::qubits(n).expect("a register"), &terms, 0.0).expect("a cost")
}

/// A value for every pair of axes.
fn pairs(levels: &[usize]) -> Cost {
    let pair = |(i, j): (usize, usize)| Table {
        variables: vec![i, j],
        values: (0..levels[i] * levels[j])
            .map(|at| ((at * (i + 3) + j) as f64 * 0.731).sin())
            .collect(),
    };
    let pairs = (0..levels.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
    let tables: Vec<Table> = pairs.map(pair).collect();
    Cost::from_tables(&Register::new(levels).expect("a register"), &tables, 0.0).expect("a cost")
}

/// A number for every state.
fn table(n: usize) -> Cost {
    let values = (0..1_usize << n)
        .map(|at| (at as f64 * 0.618_034).fract())
        .collect();
    Cost::table(&Register::qubits(n).expect("a register"), values).expect("a cost")
}

fn angles(depth: usize) -> Angles {
    let ramp = |from: f64, to: f64| {
        (0..depth)
            .map(|l| from + (to - from) * (l as f64 + 0.5) / depth as f64)
            .collect::<Vec<f64>>()
    };
    Angles::new(&ramp(0.05, 0.3), &ramp(0.6, 0.1)).expect("angles")
}

fn median_ms<T>(mut work: impl FnMut() -> T) -> f64 {
    let one = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64() * 1e3
    };
    let mut times: Vec<f64> = (0..REPEATS).map(one).collect();
    times.sort_by(f64::total_cmp);
    times[REPEATS / 2]
}

/// Both arrays of a state of this many amplitudes multiplied in place by all threads, on huge pages where the system has them, best
/// of twenty.
fn reference_pass_ms<T: Number>(amplitudes: usize) -> f64 {
    let mut pages = memmap2::MmapOptions::new()
        .len(2 * amplitudes * size_of::<T>())
        .map_anon()
        .expect("memory");
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::HugePage);
    let arrays: &mut [T] = bytemuck::cast_slice_mut(&mut pages);
    arrays.fill(T::from_f64(1.0));
    let share = arrays.len().div_ceil(threads());
    let mut pass = || {
        std::thread::scope(|scope| {
            for part in arrays.chunks_mut(share) {
                scope.spawn(|| scale(part, 1.000_000_1));
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
        arrays.iter().all(|x| (x.to_f64() - 1.000_002).abs() < 1e-5),
        "the reference pass multiplied twenty times"
    );
    best
}

/// Multiplies a list in place; the memory is the limit, whatever vector code the compiler makes of it.
fn scale<T: Number>(part: &mut [T], factor: f64) {
    match T::NAME {
        "f32" => bytemuck::cast_slice_mut::<T, f32>(part)
            .iter_mut()
            .for_each(|x| *x *= factor as f32),
        _ => bytemuck::cast_slice_mut::<T, f64>(part)
            .iter_mut()
            .for_each(|x| *x *= factor),
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
