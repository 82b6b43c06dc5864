//! Completing a problem from the catalogue and from what runs.

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::problem::{InputErrors, ProblemFile, read, resolve};

use crate::example::{EXAMPLE, edited, example};

fn resolved(source: &str) -> Result<ProblemFile, InputErrors> {
    resolve(
        read(source.as_bytes(), "f")?,
        Catalogue::built_in(),
        "fleet.yaml",
    )
}

#[test]
fn resolving_fills_everything_and_keeps_what_is_stated() {
    let problem = resolved(EXAMPLE).unwrap_or_else(|errors| panic!("{errors}"));
    let shape = Catalogue::built_in()
        .shape(ketscale_engine::problem::Provider::Gcp, "e2-standard-4")
        .unwrap();
    for offering in &problem.pools[0].offerings {
        let allocatable = offering.allocatable.as_ref().unwrap();
        assert_eq!(
            allocatable["cpu"].milli(),
            Some(shape.allocatable.cpu_mcores)
        );
        assert_eq!(
            allocatable["memory"].units(),
            Some(shape.allocatable.memory_bytes)
        );
        assert_eq!(allocatable["pods"].units(), Some(shape.allocatable.pods));
        assert!(!allocatable.contains_key("nvidia.com/gpu"));
        assert_eq!(offering.architecture.as_deref(), Some("amd64"));
    }
    let [spot, on_demand] = &problem.pools[0].offerings[..] else {
        panic!("two offerings")
    };
    assert_eq!(
        (spot.usd_per_hour, spot.interruptions_per_hour),
        (Some(0.05), Some(0.01))
    );
    assert_eq!(
        (on_demand.usd_per_hour, on_demand.interruptions_per_hour),
        (Some(0.15), Some(0.0))
    );
    assert_eq!(
        problem.services[0].clusters["gke-euw1"].now,
        Some(6),
        "stated"
    );
    assert_eq!(
        problem.services[1].clusters["gke-euw1"].now,
        Some(1),
        "counted"
    );
    assert_eq!(
        resolve(problem.clone(), Catalogue::built_in(), "f").unwrap(),
        problem,
        "a second time changes nothing"
    );
}

#[test]
fn prices_come_from_the_catalogue() {
    let known = Catalogue::built_in()
        .get(
            ketscale_engine::problem::Provider::Gcp,
            "europe-west1",
            "e2-standard-4",
        )
        .unwrap();
    let problem = resolved(&EXAMPLE.replace(", usd_per_hour: 0.15", "")).unwrap();
    assert_eq!(
        problem.pools[0].offerings[1].usd_per_hour,
        known.on_demand_usd_per_hour
    );
    assert!(known.on_demand_usd_per_hour.is_some());
}

#[test]
fn without_current_nodes_no_count_is_made_up() {
    let at = EXAMPLE.find("current:").unwrap();
    let end = EXAMPLE.find("policy:").unwrap();
    let source = format!(
        "{}{}",
        &EXAMPLE[..at],
        EXAMPLE[end..].replace("max_moves: 40, ", "")
    );
    assert_eq!(
        resolved(&source).unwrap().services[1].clusters["gke-euw1"].now,
        None
    );
}

#[test]
fn gpus_of_a_type_become_an_extended_resource() {
    let gpu = Catalogue::built_in()
        .iter()
        .find(|known| known.gpus > 0 && known.on_demand_usd_per_hour.is_some())
        .unwrap();
    let mut problem = example();
    problem.clusters[0].provider = gpu.provider;
    problem.clusters[0].region.clone_from(&gpu.region);
    let mut offering = problem.pools[0].offerings[1].clone();
    offering.instance_type.clone_from(&gpu.instance_type);
    offering.usd_per_hour = None;
    problem.pools[0].offerings = vec![offering];
    problem.current = None;
    problem.policy.max_moves = None;
    let problem =
        resolve(problem, Catalogue::built_in(), "f").unwrap_or_else(|errors| panic!("{errors}"));
    let allocatable = problem.pools[0].offerings[0].allocatable.as_ref().unwrap();
    assert_eq!(
        allocatable["nvidia.com/gpu"].units(),
        Some(u64::from(gpu.gpus))
    );
}

#[test]
fn what_nobody_knows_is_refused_with_what_to_write() {
    for (find, replace, expected) in [
        (
            "instance_type: e2-standard-4, zone: europe-west1-b, capacity_type: on-demand, usd_per_hour: 0.15",
            "instance_type: e2-standrd-4, zone: europe-west1-b, capacity_type: on-demand",
            "pools.general.offerings[1].usd_per_hour: no price is known for e2-standrd-4/europe-west1-b/on-demand: the catalogue has no type e2-standrd-4 of this provider; did you mean e2-standard-4?; write usd_per_hour",
        ),
        (
            "instance_type: e2-standard-4, zone: europe-west1-b, capacity_type: on-demand",
            "instance_type: own-1, zone: europe-west1-b, capacity_type: on-demand",
            "pools.general.offerings[1].allocatable: no size is known for own-1/europe-west1-b/on-demand",
        ),
        (
            "instance_type: e2-standard-4, zone: europe-west1-b, capacity_type: on-demand",
            "instance_type: own-1, zone: europe-west1-b, allocatable: {cpu: 4, memory: 8Gi}, capacity_type: on-demand",
            "pools.general.offerings[1].allocatable.pods: is missing, and the size of own-1/europe-west1-b/on-demand is not in the catalogue",
        ),
        ("region: europe-west1}", "region: mars-1}", ""),
    ] {
        let result = resolved(&edited(find, replace));
        if expected.is_empty() {
            result.unwrap_or_else(|errors| panic!("{errors}"));
        } else {
            let errors = result.unwrap_err();
            assert!(
                errors
                    .to_string()
                    .contains(&format!("fleet.yaml: {expected}")),
                "{errors}"
            );
        }
    }
    let unpriced =
        edited("region: europe-west1}", "region: mars-1}").replace(", usd_per_hour: 0.15", "");
    let errors = resolved(&unpriced).unwrap_err();
    assert!(
        errors.to_string().contains(
            "the catalogue has no prices of e2-standard-4 in region mars-1; write usd_per_hour"
        ),
        "{errors}"
    );
    let own = edited("provider: gcp", "provider: other");
    let errors = resolved(&own).unwrap_err();
    assert!(
        errors
            .to_string()
            .contains("provider other has no catalogue; write allocatable"),
        "{errors}"
    );
}

#[test]
fn a_price_from_the_catalogue_bounds_commitments_too() {
    let commitment = "commitments: [{pool: general, offering: e2-standard-4/europe-west1-b/on-demand, nodes: 1, usd_per_hour: 0.1, used_usd_per_hour: 9}]";
    let source = edited("commitments: []", commitment).replace(", usd_per_hour: 0.15", "");
    assert!(read(source.as_bytes(), "f").is_ok());
    let errors = resolved(&source).unwrap_err();
    assert!(
        errors
            .to_string()
            .contains("policy.commitments[0].used_usd_per_hour: 9 is above the offering's price"),
        "{errors}"
    );
}
