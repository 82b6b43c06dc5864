//! The catalogue against the data it was selected from and the published formulas.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::catalogue::allocatable::{self, Capacity};
use ketscale_engine::catalogue::{Catalogue, Filter, InstanceType};
use ketscale_engine::problem::Provider;
use ketscale_test_support::shared;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

// The built-in tables.

#[test]
fn the_built_in_catalogue_covers_three_providers_and_every_family_of_use() {
    let catalogue = Catalogue::built_in();
    let types: BTreeSet<_> = catalogue
        .iter()
        .map(|row| (row.provider, &row.instance_type))
        .collect();
    assert!(types.len() >= 150, "only {} types", types.len());
    for (provider, regions) in [
        (Provider::Aws, vec!["us-east-1"]),
        (
            Provider::Gcp,
            vec!["europe-west1", "europe-west4", "us-central1"],
        ),
        (Provider::Azure, vec!["eastus", "northeurope", "westeurope"]),
    ] {
        for region in regions {
            let of = |filter: Filter| {
                catalogue
                    .filter(&Filter {
                        provider: Some(provider),
                        region: Some(region.to_owned()),
                        ..filter
                    })
                    .len()
            };
            assert!(of(Filter::default()) >= 70, "{provider} {region}");
            assert!(
                of(Filter {
                    architecture: Some("arm64".to_owned()),
                    ..Filter::default()
                }) >= 5,
                "{provider} {region}"
            );
            assert!(
                of(Filter {
                    gpus: Some(true),
                    ..Filter::default()
                }) >= 3,
                "{provider} {region}"
            );
        }
    }
}

#[test]
fn every_built_in_row_is_priced_cited_and_leaves_room_for_pods() {
    for row in Catalogue::built_in().iter() {
        let name = &row.instance_type;
        let on_demand = row.on_demand_usd_per_hour.expect(name);
        assert!(on_demand > 0.0, "{name}");
        assert!(
            row.spot_usd_per_hour
                .is_none_or(|spot| spot > 0.0 && spot < on_demand),
            "{name}"
        );
        assert!(
            row.source.contains("202"),
            "{name}: no date in {:?}",
            row.source
        );
        assert!(
            row.allocatable.memory_bytes > 0 && row.allocatable.memory_bytes < row.memory_bytes,
            "{name}"
        );
        assert!(
            row.allocatable.cpu_mcores > 0
                && row.allocatable.cpu_mcores < u64::from(row.vcpus) * 1000,
            "{name}"
        );
        assert_eq!(row.allocatable.gpus, u64::from(row.gpus), "{name}");
        let spot_figures = (
            row.spot_usd_per_hour.is_some(),
            row.spot_interruptions_per_hour.is_some(),
        );
        match row.provider {
            Provider::Aws => assert!(spot_figures.1, "{name}"),
            Provider::Gcp => assert!(
                !spot_figures.1,
                "{name}: Google publishes no interruption rate"
            ),
            Provider::Azure | Provider::Other => assert_eq!(spot_figures, (false, false), "{name}"),
        }
    }
}

#[test]
fn a_type_has_one_shape_in_all_regions_and_no_price_where_none_is_known() {
    let catalogue = Catalogue::built_in();
    for row in catalogue.iter() {
        assert_eq!(
            catalogue.shape(row.provider, &row.instance_type),
            Some(&row.shape())
        );
        assert_eq!(
            catalogue.get(row.provider, &row.region, &row.instance_type),
            Some(row)
        );
        assert_eq!(
            catalogue.get(row.provider, "mars-north1", &row.instance_type),
            None
        );
    }
    assert_eq!(catalogue.shape(Provider::Aws, "e2-standard-4"), None);
    assert_eq!(catalogue.shape(Provider::Other, "e2-standard-4"), None);
}

// Against the data that the tables were selected from.

/// Records of a shared CSV by column name; `None` when the data is absent.
fn shared_rows(path: &str) -> Option<Vec<BTreeMap<String, String>>> {
    let text = std::fs::read_to_string(shared(path)?).expect(path);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    Some(reader.deserialize().map(|row| row.expect(path)).collect())
}

fn number(text: &str) -> Option<f64> {
    (!text.is_empty()).then(|| text.parse().expect(text))
}

#[test]
fn eks_allocatable_equals_every_row_of_karpenters_table() {
    let Some(rows) = shared_rows("data/prices/aws_us-east-1.csv") else {
        return;
    };
    let mut compared = 0;
    for row in rows.iter().filter(|row| !row["alloc_mem_mib"].is_empty()) {
        let whole = |column: &str| row[column].parse::<u64>().expect(column);
        let capacity = Capacity {
            instance_type: &row["type"],
            architecture: &row["arch"],
            vcpus: u32::try_from(whole("vcpu")).unwrap(),
            memory_bytes: whole("mem_mib") * MIB,
            gpus: 0,
        };
        let got = allocatable::eks(&capacity, u32::try_from(whole("pods")).unwrap());
        let expected = (
            whole("alloc_cpu_milli"),
            whole("alloc_mem_mib") * MIB,
            whole("pods"),
        );
        assert_eq!(
            (got.cpu_mcores, got.memory_bytes, got.pods),
            expected,
            "{}",
            row["type"]
        );
        compared += 1;
    }
    assert!(compared >= 1345, "only {compared} rows carry allocatable");
}

#[test]
fn the_aws_table_equals_its_source() {
    let Some(rows) = shared_rows("data/prices/aws_us-east-1.csv") else {
        return;
    };
    let source: BTreeMap<_, _> = rows.iter().map(|row| (row["type"].as_str(), row)).collect();
    for ours in rows_of(Provider::Aws) {
        let theirs = source[ours.instance_type.as_str()];
        assert_eq!(ours.architecture, theirs["arch"], "{}", ours.instance_type);
        assert_eq!(
            ours.vcpus.to_string(),
            theirs["vcpu"],
            "{}",
            ours.instance_type
        );
        assert_eq!(
            (ours.memory_bytes / MIB).to_string(),
            theirs["mem_mib"],
            "{}",
            ours.instance_type
        );
        assert_eq!(
            ours.gpus.to_string(),
            theirs["gpu"],
            "{}",
            ours.instance_type
        );
        assert_eq!(
            ours.allocatable.pods.to_string(),
            theirs["pods"],
            "{}",
            ours.instance_type
        );
        assert_eq!(
            (ours.allocatable.memory_bytes / MIB).to_string(),
            theirs["alloc_mem_mib"],
            "{}",
            ours.instance_type
        );
        assert_eq!(
            ours.on_demand_usd_per_hour,
            number(&theirs["od_usd_h"]),
            "{}",
            ours.instance_type
        );
        // The table leaves out spot prices that are not below the on-demand price.
        let spot = number(&theirs["spot_usd_h_2025"])
            .filter(|&spot| Some(spot) < ours.on_demand_usd_per_hour);
        assert_eq!(ours.spot_usd_per_hour, spot, "{}", ours.instance_type);
        let share = [0.025, 0.075, 0.125, 0.175, 0.225]
            [theirs["interruption_band"].parse::<usize>().unwrap()];
        let rate = ours.spot_interruptions_per_hour.unwrap();
        assert!(
            (rate - share / 730.0).abs() < 1e-15,
            "{}: {rate}",
            ours.instance_type
        );
    }
}

#[test]
fn the_gcp_table_equals_its_source() {
    let Some(rows) = shared_rows("data/prices/gcp_prices.csv") else {
        return;
    };
    let source: BTreeMap<_, _> = rows
        .iter()
        .map(|row| ((row["region"].as_str(), row["type"].as_str()), row))
        .collect();
    for ours in rows_of(Provider::Gcp) {
        let theirs = source[&(ours.region.as_str(), ours.instance_type.as_str())];
        assert_eq!(
            ours.vcpus.to_string(),
            theirs["vcpu"],
            "{}",
            ours.instance_type
        );
        assert_eq!(
            Some(ours.memory_bytes as f64 / GIB as f64),
            number(&theirs["mem_gib"]),
            "{}",
            ours.instance_type
        );
        assert_eq!(
            ours.on_demand_usd_per_hour,
            number(&theirs["od_usd_h"]),
            "{}",
            ours.instance_type
        );
        assert_eq!(
            ours.spot_usd_per_hour,
            number(&theirs["spot_usd_h"]),
            "{}",
            ours.instance_type
        );
    }
}

#[test]
fn the_azure_table_equals_its_source() {
    let Some(rows) = shared_rows("data/prices/azure_prices.csv") else {
        return;
    };
    let source: BTreeMap<_, _> = rows
        .iter()
        .map(|row| ((row["region"].as_str(), row["type"].as_str()), row))
        .collect();
    for ours in rows_of(Provider::Azure) {
        let theirs = source[&(ours.region.as_str(), ours.instance_type.as_str())];
        assert_eq!(ours.architecture, theirs["arch"], "{}", ours.instance_type);
        assert_eq!(
            ours.vcpus.to_string(),
            theirs["vcpu"],
            "{}",
            ours.instance_type
        );
        assert_eq!(
            (ours.memory_bytes / MIB).to_string(),
            theirs["mem_mib"],
            "{}",
            ours.instance_type
        );
        assert_eq!(
            ours.gpus.to_string(),
            theirs["gpu"],
            "{}",
            ours.instance_type
        );
        assert_eq!(
            ours.on_demand_usd_per_hour,
            number(&theirs["od_usd_h"]),
            "{}",
            ours.instance_type
        );
    }
}

fn rows_of(provider: Provider) -> Vec<&'static InstanceType> {
    Catalogue::built_in().filter(&Filter {
        provider: Some(provider),
        ..Filter::default()
    })
}

// Filters.

type Keeps = fn(&InstanceType) -> bool;

#[test]
#[allow(clippy::too_many_lines, reason = "one case after another")]
fn each_filter_keeps_exactly_what_it_says() {
    let catalogue = Catalogue::built_in();
    let cases: [(Filter, Keeps); 9] = [
        (
            Filter {
                provider: Some(Provider::Gcp),
                ..Filter::default()
            },
            |row| row.provider == Provider::Gcp,
        ),
        (
            Filter {
                region: Some("westeurope".to_owned()),
                ..Filter::default()
            },
            |row| row.region == "westeurope",
        ),
        (
            Filter {
                architecture: Some("arm64".to_owned()),
                ..Filter::default()
            },
            |row| row.architecture == "arm64",
        ),
        (
            Filter {
                min_vcpus: Some(8),
                ..Filter::default()
            },
            |row| row.vcpus >= 8,
        ),
        (
            Filter {
                max_vcpus: Some(8),
                ..Filter::default()
            },
            |row| row.vcpus <= 8,
        ),
        (
            Filter {
                min_memory_bytes: Some(64 * GIB),
                ..Filter::default()
            },
            |row| row.memory_bytes >= 64 * GIB,
        ),
        (
            Filter {
                gpus: Some(true),
                ..Filter::default()
            },
            |row| row.gpus > 0,
        ),
        (
            Filter {
                gpus: Some(false),
                ..Filter::default()
            },
            |row| row.gpus == 0,
        ),
        (
            Filter {
                name_contains: Some("d4S_V5".to_owned()),
                ..Filter::default()
            },
            |row| row.instance_type.contains("D4s_v5"),
        ),
    ];
    let all = catalogue.iter().count();
    assert_eq!(catalogue.filter(&Filter::default()).len(), all);
    for (filter, keeps) in cases {
        let kept = catalogue.filter(&filter);
        assert!(!kept.is_empty() && kept.len() < all, "{filter:?}");
        let expected: Vec<_> = catalogue.iter().filter(|row| keeps(row)).collect();
        assert_eq!(kept, expected, "{filter:?}");
    }
}

#[test]
fn filters_are_joined_by_and() {
    let filter = Filter {
        provider: Some(Provider::Gcp),
        region: Some("europe-west1".to_owned()),
        min_vcpus: Some(4),
        max_vcpus: Some(4),
        name_contains: Some("e2-standard".to_owned()),
        ..Filter::default()
    };
    let names: Vec<_> = Catalogue::built_in()
        .filter(&filter)
        .iter()
        .map(|row| row.instance_type.as_str())
        .collect();
    assert_eq!(names, ["e2-standard-4"]);
}
