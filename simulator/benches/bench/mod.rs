//! What the benchmarks share: the cases and which of them are wanted, seconds, the reference pass, and the table that is printed.
//!
//! A bench runs its cases from small to large. On the command line, words choose the cases whose names contain all of them, and `--up-to 22`
//! those of 2^22 amplitudes at most: `cargo bench -p ketscale-simulator --bench layer -- dense f64 --up-to 22`.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]
#![allow(dead_code, reason = "no bench uses all of it")]

pub mod case;
pub mod known;
pub mod reference;

use case::{Case, circuits};
use ketscale_simulator::{Angles, Ansatz, InstructionSet, Mixer, Number};
use std::hint::black_box;
use std::time::Instant;

/// Which cases are wanted.
pub struct Wanted {
    words: Vec<String>,
    most: f64,
}

impl Wanted {
    /// As the command line says.
    pub fn new() -> Self {
        let (mut words, mut most) = (Vec::new(), f64::INFINITY);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            if argument == "--up-to" {
                let exponent: f64 = arguments
                    .next()
                    .and_then(|exponent| exponent.parse().ok())
                    .expect("--up-to takes a number n, for 2^n amplitudes");
                most = exponent.exp2();
            } else if !argument.starts_with('-') {
                words.push(argument);
            }
        }
        Self { words, most }
    }

    /// The cases of at most the size that the command line names and that the free memory holds, in `bytes` an amplitude.
    pub fn sized(&self, cases: Vec<Case>, bytes: u64) -> Vec<Case> {
        let fits = |case: &Case| {
            let needed = case.dimension() as u64 * bytes;
            let free = free_bytes();
            if needed > free {
                println!("{}: left out, needs {needed} bytes of {free}", case.name);
            }
            needed <= free
        };
        cases
            .into_iter()
            .filter(|case| case.dimension() as f64 <= self.most && fits(case))
            .collect()
    }

    /// Whether a case is wanted in a precision.
    pub fn has(&self, case: &Case, precision: &str) -> bool {
        let name = format!("{}, {precision}", case.name);
        self.words.iter().all(|word| name.contains(word.as_str()))
    }
}

/// What a bench does with a circuit.
pub trait Measure {
    /// Checks answers, measures and prints a row.
    fn measure<T: Number>(case: &Case, ansatz: &Ansatz<T>);
}

/// Measures the wanted ones of all circuits, in both precisions, in at most `bytes` an amplitude.
pub fn measure_circuits<M: Measure>(what: &str, bytes: u64) {
    let wanted = Wanted::new();
    head(what);
    for case in wanted.sized(circuits(), bytes) {
        let [double, single] = ["f64", "f32"].map(|precision| wanted.has(&case, precision));
        if !double && !single {
            continue;
        }
        let cost = case.cost();
        let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start()).expect("an ansatz");
        if double {
            M::measure(&case, &ansatz);
        }
        if single {
            M::measure(
                &case,
                &ansatz.in_single_precision().expect("single precision"),
            );
        }
    }
}

/// Memory that is free for use, as the system says; everything where it does not.
fn free_bytes() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = info
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib << 10)
}

/// Prints what the figures were taken on, and the head of the table.
pub fn head(what: &str) {
    println!(
        "{what}; {} threads, {}",
        reference::threads(),
        InstructionSet::best().name()
    );
    println!(
        "{:<36} {:>4} {:>11} {:>12} {:>14} {:>10}",
        "case", "", "amplitudes", "ms", "amplitudes/s", "ref passes"
    );
}

/// Prints a row: milliseconds, and the same in amplitudes a second and in reference passes.
pub fn row(case: &Case, precision: &str, ms: f64, reference_ms: f64, more: &str) {
    let rate = case.dimension() as f64 / ms * 1e3;
    println!(
        "{:<36} {precision:>4} {:>11} {ms:>12.4} {rate:>14.3e} {:>10.2}  {more}",
        case.name,
        case.dimension(),
        ms / reference_ms,
    );
}

/// Angles of a schedule that a search could end with.
pub fn ramp(depth: usize) -> Angles {
    let ramp = |from: f64, to: f64| {
        (0..depth)
            .map(|l| from + (to - from) * (l as f64 + 0.5) / depth as f64)
            .collect::<Vec<f64>>()
    };
    Angles::new(&ramp(0.05, 0.3), &ramp(0.6, 0.1)).expect("angles")
}

/// What is too short for the clock is done as often as this takes.
const SHORTEST_MS: f64 = 2.0;
/// Beyond this time three repetitions instead of five.
const LONG_MS: f64 = 2000.0;

/// Median of the milliseconds that `work` takes, in memory that an earlier run has warmed.
pub fn median_ms<R>(mut work: impl FnMut() -> R) -> f64 {
    let mut ms = |times: usize| {
        let start = Instant::now();
        for _ in 0..times {
            black_box(work());
        }
        start.elapsed().as_secs_f64() * 1e3 / times as f64
    };
    let first_ms = ms(1).min(ms(1));
    let times = (SHORTEST_MS / first_ms).ceil().max(1.0) as usize;
    let repeats = if first_ms > LONG_MS { 3 } else { 5 };
    let mut all: Vec<f64> = (0..repeats).map(|_| ms(times)).collect();
    all.sort_by(f64::total_cmp);
    all[repeats / 2]
}
