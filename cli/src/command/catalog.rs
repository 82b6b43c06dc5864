//! `ketscale catalog`: instance types, their prices, and what their nodes offer to pods.

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::catalogue::{Filter, InstanceType};

use super::json;
use crate::args::{CatalogArgs, Format};
use crate::exit::{Exit, Failure};
use crate::report::table::{list, section, table};
use crate::{input, output};

const GIB: f64 = 1_073_741_824.0;

pub(super) fn run(args: &CatalogArgs) -> Result<Exit, Failure> {
    let catalogue = input::catalogue(args.prices.as_deref())?;
    let rows = catalogue.filter(&Filter {
        provider: args.provider,
        region: args.region.clone(),
        architecture: args.architecture.clone(),
        min_vcpus: args.min_cpu,
        max_vcpus: None,
        min_memory_bytes: args.min_memory,
        gpus: args.gpu.then_some(true),
        name_contains: args.name.clone(),
    });
    output::print(match args.output {
        Format::Json => json(&rows)?,
        Format::Table => listing(&rows),
    })?;
    Ok(Exit::Yes)
}

/// One table a region, then the sources.
fn listing(rows: &[&InstanceType]) -> String {
    let mut regions: BTreeMap<String, Vec<&InstanceType>> = BTreeMap::new();
    for row in rows {
        regions
            .entry(format!("{} {}", row.provider, row.region))
            .or_default()
            .push(row);
    }
    let sources: BTreeSet<&str> = rows.iter().map(|row| row.source.as_str()).collect();
    let mut sections: Vec<String> = regions
        .iter()
        .map(|(place, rows)| section(place, &region(rows)))
        .collect();
    sections.push(section(
        &format!("{} in all; – is not known", rows.len()),
        &list("-", sources),
    ));
    if rows.is_empty() {
        sections = vec!["No type in the catalogue is like that.\n".to_owned()];
    }
    sections.join("\n")
}

fn region(rows: &[&InstanceType]) -> String {
    let header = [
        "type",
        "arch",
        "cores",
        "GiB",
        "GPUs",
        "pods'\ncores",
        "pods'\nGiB",
        "USD/h",
        "spot\nUSD/h",
        "reclaims\nan hour",
    ];
    let usd = |usd: Option<f64>| usd.map_or("–".to_owned(), |usd| format!("{usd:.4}"));
    let cells = rows.iter().map(|row| {
        [
            row.instance_type.clone(),
            row.architecture.clone(),
            row.vcpus.to_string(),
            gib(row.memory_bytes),
            row.gpus.to_string(),
            thousandths(row.allocatable.cpu_mcores),
            gib(row.allocatable.memory_bytes),
            usd(row.on_demand_usd_per_hour),
            usd(row.spot_usd_per_hour),
            row.spot_interruptions_per_hour
                .map_or("–".to_owned(), |rate| format!("{rate:.5}")),
        ]
    });
    table(header, cells, 2..=9)
}

#[allow(clippy::cast_precision_loss, reason = "shown rounded")]
fn thousandths(number: u64) -> String {
    format!("{:.2}", number as f64 / 1000.0)
}

#[allow(clippy::cast_precision_loss, reason = "shown rounded")]
fn gib(bytes: u64) -> String {
    let text = format!("{:.1}", bytes as f64 / GIB);
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
