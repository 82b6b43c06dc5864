//! What the process itself uses, under the names that all Prometheus clients give it.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// Read from the kernel at each scrape; nothing where the kernel tells nothing.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(bytes) = resident_bytes() else {
            return Ok(());
        };
        let help = "Resident memory of the process in bytes";
        let metric = encoder.encode_descriptor(
            "process_resident_memory_bytes",
            help,
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(bytes).encode(metric)
    }
}

/// `VmRSS` of `/proc/self/status`, which Linux alone has; it is in KiB.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
