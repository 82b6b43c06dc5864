//! What `evaluate` and `minimize` ask of the machine, and how they say what is wrong with a file.

use std::num::NonZeroUsize;

use ketscale_optimizer::Error;
use ketscale_optimizer::simulator::{self, InstructionSet};

use crate::exit::Failure;

/// Memory that a state and its cost may take where the system does not say what is free.
const MEMORY_WHERE_UNKNOWN: u64 = 16 << 30;

/// As many threads as asked for, or one a core.
pub(super) fn threads(wanted: Option<NonZeroUsize>) -> usize {
    match wanted {
        Some(threads) => threads.get(),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// The instruction set of the name, or the machine's best.
pub(super) fn instruction_set(wanted: Option<&str>) -> Result<InstructionSet, Failure> {
    let Some(wanted) = wanted else {
        return Ok(InstructionSet::best());
    };
    let available = InstructionSet::available();
    available
        .iter()
        .find(|isa| isa.name() == wanted)
        .copied()
        .ok_or_else(|| {
            let names: Vec<&str> = available.iter().map(|isa| isa.name()).collect();
            Failure::environment(format!(
                "--isa {wanted}: this machine has {}",
                names.join(", ")
            ))
        })
}

/// What is wrong with a file, one mistake a line; too little memory is the machine's fault.
pub(super) fn refused(name: &str, error: &Error) -> Failure {
    let lines = |text: String| {
        text.lines()
            .map(|line| format!("{name}: {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    match error {
        Error::Simulator(simulator::Error::MemoryLimit { .. }) => {
            Failure::environment(lines(error.to_string()))
        }
        _ => Failure::input(lines(error.to_string())),
    }
}

/// Memory that is free for use, as the system says.
pub(super) fn memory_bytes() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = info
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = available.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(MEMORY_WHERE_UNKNOWN, |kib| kib << 10)
}
