//! Seconds that the stock tools take on generated fleets, and those to make their placements feasible before any improvement.
//!
//! `RAYON_NUM_THREADS=1 cargo bench -p ketscale-engine --bench baseline` for one core. The answer is checked: every placement has the
//! replicas asked for, less the pods that it says are pending.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use ketscale_engine::baseline::{repair, stock};
use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::cost::cost;
use ketscale_engine::fleet::{Fleet, compile};
use ketscale_engine::generate::{self, FleetSize};
use ketscale_engine::limits::{Limits, Meter};
use ketscale_engine::problem;

/// Services and offerings.
const SIZES: [(usize, usize); 4] = [(50, 60), (200, 200), (1000, 2000), (5000, 2000)];

fn main() {
    println!("fleet        stock s  repair s  USD/h (pods pending, work) of each tool, repaired");
    for (services, offerings) in SIZES {
        let fleet = fleet(services, offerings);
        let stop = AtomicBool::new(false);
        let unlimited = Limits::new(&stop, None);
        let start = Instant::now();
        let stocks = stock(&fleet, &Meter::new(unlimited));
        let stock_seconds = start.elapsed().as_secs_f64();
        let replicas = |placement| -> u32 {
            let services = 0..fleet.services.len();
            services.map(|s| replicas(placement, s)).sum()
        };
        let asked: Vec<u32> = stocks
            .iter()
            .map(|stock| replicas(&stock.placement) + stock.pending)
            .collect();
        assert!(asked.windows(2).all(|pair| pair[0] == pair[1]), "{asked:?}");
        let none = Limits::new(&stop, Some(0));
        let start = Instant::now();
        let repaired = repair(&fleet, &stocks, &Meter::new(none));
        let repair_seconds = start.elapsed().as_secs_f64();
        print!(
            "{:<12} {stock_seconds:>7.3} {repair_seconds:>9.3} ",
            format!("{services}x{offerings}")
        );
        for stock in &stocks {
            let total = cost(&fleet, &stock.placement).total_usd_per_hour;
            print!(" {total:.3} ({}, {})", stock.pending, stock.work);
        }
        let repaired = repaired.first();
        let repaired = repaired.map(|placement| cost(&fleet, placement).total_usd_per_hour);
        println!("  {repaired:?}");
    }
}

fn replicas(placement: &ketscale_engine::placement::Placement, s: usize) -> u32 {
    placement.replicas(s)
}

fn fleet(services: usize, offerings: usize) -> Fleet {
    let size = FleetSize {
        services,
        offerings,
        seed: 1,
    };
    let problem = generate::fleet(&size, Catalogue::built_in()).expect("sizes within range");
    let problem = problem::resolve(problem, Catalogue::built_in(), "fleet").expect("complete");
    compile(problem, &[]).expect("a fleet")
}
