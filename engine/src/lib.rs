//! Fleet planning: from a problem file to a plan with a proven bound.
//!
//! The modules stand in the order in which data flows; `ARCHITECTURE.md` shows the path on one page.
//!
//! Conventions: money is US dollars an hour, CPU is millicores, memory is bytes, a month is 730 hours. Names are unique and address list
//! entries (`services.shop/cart.load.rps`). Nothing here reads a clock, the environment or the network: stop flags, work limits and
//! seeds are arguments.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use ketscale_engine::{catalogue::Catalogue, planner, problem, verify};
//!
//! let text = "
//! schema: ketscale.problem/v1
//! name: one
//! clusters: [{name: c, provider: gcp, region: europe-west1}]
//! services: [{name: shop/cart, clusters: {c: {min: 3, max: 3}}, requests: {cpu: 500m, memory: 1Gi}}]
//! pools: [{name: p, cluster: c, offerings: [{instance_type: e2-standard-4, zone: europe-west1-b, capacity_type: on-demand}]}]
//! ";
//! let problem = problem::read(text.as_bytes(), "one.yaml")?;
//! let problem = problem::resolve(problem, Catalogue::built_in(), "one.yaml")?;
//! let (stop, settings) = (AtomicBool::new(false), planner::Settings::default());
//! let limits = planner::Limits::new(&stop, None);
//! let plan = planner::plan(problem, planner::Source::default(), &settings, &limits, &|_, _| {})?;
//! assert_eq!(plan.plan().nodes[0].count, 1);
//! assert!(verify::verify(plan.bytes()).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

// What is asked.
pub mod catalogue;
pub mod cluster_dump;
mod csv_line;
pub mod generate;
pub mod problem;

// What was measured, over time and at one time.
pub mod series;
pub mod snapshot;

// What comes next.
pub mod forecast;
pub mod learn;
pub mod warning;

// What it means.
pub mod cost;
pub mod feasibility;
pub mod fleet;
pub mod placement;

// What the stock tools would do, and what solvers find.
pub mod baseline;
pub mod choices;
pub mod exact;
pub mod improve;
mod knapsack;
pub mod limits;
pub mod packing;
mod parallel;
pub mod sampling;
mod standing;
pub mod surrogate;
pub mod vector_packing;

// How it is carried out, checked and told.
pub mod control;
pub mod diff;
pub mod explain;
pub mod export;
pub mod plan;
pub mod planner;
pub mod replay;
pub mod scheduler;
pub mod spend;
pub mod steps;
pub mod verify;
