//! What the master's rows and the fluid relaxation lose: nothing, and nothing that would make a bound wrong.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicBool;

use super::*;
use crate::catalogue::Catalogue;
use crate::generate::{self as generated, FleetSize};
use crate::limits::Limits;
use crate::{fleet, problem};

fn fleet_of(services: usize, offerings: usize, seed: u64) -> Fleet {
    let size = FleetSize {
        services,
        offerings,
        seed,
    };
    let problem = generated::fleet(&size, Catalogue::built_in()).unwrap();
    let problem = problem::resolve(problem, Catalogue::built_in(), "fleet").unwrap();
    fleet::compile(problem, &[]).unwrap()
}

/// A master with the first columns, whose cells have a row each where `apart`.
fn master(fleet: &Fleet, apart: bool) -> Master<'_> {
    let penalty = penalty(fleet);
    let objective = Objective::Cost { penalty };
    let own = || (0..2 * fleet.zones.len()).collect();
    let mut master = if apart {
        let rows = fleet.services.iter().map(|_| own()).collect();
        Master::with_rows(fleet, objective, rows).unwrap()
    } else {
        Master::new(fleet, objective).unwrap()
    };
    seed(fleet, &mut master, &[]).unwrap();
    master
}

fn relaxed(fleet: &Fleet, master: &mut Master) -> Relaxed {
    let never = AtomicBool::new(false);
    let meter = Meter::new(Limits::new(&never, None));
    let floors = Floors::none(fleet);
    let (relaxed, _) = generate(fleet, master, &floors, Effort::THOROUGH, &meter).unwrap();
    assert!(relaxed.broken < 1e-6);
    relaxed
}

#[test]
fn cells_that_share_a_row_lose_nothing() {
    for seed in 0..6 {
        let fleet = fleet_of(8, 12, seed);
        let (mut apart, mut together) = (master(&fleet, true), master(&fleet, false));
        assert!(together.kinds.len() < apart.kinds.len(), "seed {seed}");
        let of_apart = relaxed(&fleet, &mut apart).objective;
        let of_together = relaxed(&fleet, &mut together).objective;
        let difference = (of_apart - of_together).abs();
        assert!(
            difference < 1e-4 * of_apart,
            "seed {seed}: {of_apart} in {} rows, {of_together} in {}",
            apart.kinds.len(),
            together.kinds.len()
        );
    }
}

#[test]
fn columns_are_spread_over_cells_alike_and_keep_their_pods() {
    for seed in 0..6 {
        let fleet = fleet_of(8, 12, seed);
        let mut master = master(&fleet, false);
        let relaxed = relaxed(&fleet, &mut master);
        let spread = rounding::Spread::new(&fleet, &master, &relaxed.weights);
        for choice in &master.choices {
            let Choice::Service(s, column) = choice else {
                continue;
            };
            let of_cells = spread.column(*s, column);
            assert_eq!(of_cells.replicas, column.replicas);
            let mut sums = vec![0; column.cells.len()];
            for (cell, pods) in of_cells.cells.iter().enumerate() {
                sums[master.alike[*s][cell]] += pods;
            }
            assert_eq!(sums, column.cells, "seed {seed}, service {s}");
        }
    }
}

#[test]
fn at_fluid_duals_no_pattern_is_worth_more_than_its_node() {
    for seed in 0..6 {
        let fleet = fleet_of(12, 16, seed);
        let never = AtomicBool::new(false);
        let meter = Meter::new(Limits::new(&never, None));
        let mut master = master(&fleet, false);
        let centre = fluid::relax(&fleet, &mut master, &meter).unwrap();
        let duals = master.duals(&centre.rows);
        let sized = Floors::none(&fleet).sized;
        for class in 0..fleet.classes.len() {
            let offering = fleet.offering_of(class);
            let evictions =
                |s: usize| offering.interruptions_per_hour * fleet.services[s].usd_per_eviction;
            let best = pattern(
                &fleet,
                class,
                &|s| duals.pods[s][offering.cell] - evictions(s),
                &|s| duals.moves[s],
                &|s| {
                    fleet.services[s]
                        .node_limit(sized[s])
                        .max(fleet.classes[class].pinned[s])
                },
                &|s| fleet.services[s].pod_size(sized[s]),
                Precision {
                    most_nodes: 20_000,
                    ..Precision::GREEDY
                },
            );
            let price = duals.node[class] - duals.class[class];
            let value = best.unwrap().value;
            assert!(
                value <= price + 1e-9,
                "seed {seed}, class {class}: {value} > {price}"
            );
        }
        let objective = relaxed(&fleet, &mut master).objective;
        let proven = centre.usd_per_hour.unwrap();
        assert!(
            0.5 * objective < proven && proven <= objective + 1e-6,
            "seed {seed}: {proven} of {objective}"
        );
    }
}
