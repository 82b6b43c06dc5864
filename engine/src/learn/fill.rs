//! What a problem file leaves out, from what was learned.

use std::collections::BTreeMap;

use super::{Cpu, Learned, Memory};
use crate::plan::{Gap, Reading};
use crate::problem::{Capacity, ProblemFile, Quantity, Service};

/// Where learned values come from, in place of a query.
const REGRESSION: &str = "learned: CPU use on replicas and load";
const PEAK: &str = "learned: highest memory use of a pod";

/// What was filled in, and what could not be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filled {
    /// Values that the problem has now. The query says what they were learned from, and how sure they are.
    pub readings: Vec<Reading>,
    /// Values that the problem still lacks, and why.
    pub gaps: Vec<Gap>,
}

/// Fills in the capacity of services with a load: all of it where the file has none, `memory_peak` where the file has the rest. What the file states stays.
pub fn fill_in(problem: &mut ProblemFile, learned: &BTreeMap<String, Learned>) -> Filled {
    let mut filled = Filled::default();
    for service in &mut problem.services {
        // Without a load the replicas are held on purpose.
        if let (Some(learned), Some(_)) = (learned.get(&service.name), &service.load) {
            filled.service(service, learned);
        }
    }
    filled
}

impl Filled {
    fn service(&mut self, service: &mut Service, learned: &Learned) {
        let path = format!("services.{}.capacity", service.name);
        if service.capacity.is_none() {
            match learned
                .cpu
                .as_ref()
                .map_err(Clone::clone)
                .and_then(capacity)
            {
                Ok((capacity, cpu)) => {
                    self.cpu(&path, cpu);
                    service.capacity = Some(capacity);
                }
                Err(reason) => self.gap(format!("{path}.cpu_per_rps"), REGRESSION, reason),
            }
        }
        let Some(capacity) = &mut service.capacity else {
            return;
        };
        if capacity.memory_peak.is_none() {
            let path = format!("{path}.memory_peak");
            match learned.memory.as_ref().map_err(Clone::clone).and_then(peak) {
                Ok((bytes, memory)) => {
                    let error = memory.high_bytes.standard_error;
                    let query = format!(
                        "{PEAK}; {} values, 99 % of them at most {:.0} ± {error:.0}",
                        memory.values, memory.high_bytes.value
                    );
                    self.reading(path, memory.most_bytes, query, memory.newest_seconds);
                    capacity.memory_peak = Some(bytes);
                }
                Err(reason) => self.gap(path, PEAK, reason),
            }
        }
    }

    fn cpu(&mut self, path: &str, cpu: &Cpu) {
        let numbers = [
            ("cpu_per_rps", cpu.cores_per_rps),
            ("idle_cpu", cpu.idle_cores),
        ];
        for (key, estimate) in numbers {
            let query = format!(
                "{REGRESSION}; {} values, standard error {:.3e}",
                cpu.values, estimate.standard_error
            );
            self.reading(
                format!("{path}.{key}"),
                estimate.value,
                query,
                cpu.newest_seconds,
            );
        }
    }

    fn reading(&mut self, path: String, value: f64, query: String, timestamp: f64) {
        self.readings.push(Reading {
            path,
            value,
            query,
            timestamp,
        });
    }

    fn gap(&mut self, path: String, query: &str, reason: String) {
        self.gaps.push(Gap {
            path,
            query: query.to_owned(),
            reason,
        });
    }
}

/// As the problem file has it, with its defaults for what is not learned.
fn capacity(cpu: &Cpu) -> Result<(Capacity, &Cpu), String> {
    let cpu_per_rps = cores(cpu.cores_per_rps.value).filter(|quantity| quantity.0 != "0");
    let idle_cpu = cores(cpu.idle_cores.value);
    let (Some(cpu_per_rps), Some(idle_cpu)) = (cpu_per_rps, idle_cpu) else {
        let (slope, idle) = (cpu.cores_per_rps.value, cpu.idle_cores.value);
        return Err(format!(
            "not a CPU use: {slope} cores a request per second, {idle} idle"
        ));
    };
    let capacity = Capacity {
        idle_cpu,
        ..Capacity::new(cpu_per_rps)
    };
    Ok((capacity, cpu))
}

fn peak(memory: &Memory) -> Result<(Quantity, &Memory), String> {
    let bytes = whole(memory.most_bytes)
        .ok_or_else(|| format!("not a memory use: {} bytes", memory.most_bytes))?;
    Ok((Quantity::from_units(bytes), memory))
}

/// Cores as a quantity of whole billionths, rounded up.
fn cores(cores: f64) -> Option<Quantity> {
    Some(match whole(cores * 1e9)? {
        0 => Quantity("0".to_owned()),
        nano => Quantity(format!("{nano}n")),
    })
}

/// Rounded up; `None` beyond what a quantity may be.
fn whole(value: f64) -> Option<u64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    let whole = |value: f64| value.ceil() as u64;
    (0.0..=9e15).contains(&value).then(|| whole(value))
}
