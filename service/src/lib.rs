//! Ketscale as a service: live values from Prometheus, plans made on request or continuously, kept in SQLite and offered over gRPC.
//!
//! In the order in which data flows: [`prometheus`] asks, [`live`] brings a problem up to date, the planner of
//! `ketscale_engine` makes a plan which is verified before anyone sees it, [`store`] keeps it, `controller` does so again and again, and [`server`] answers calls as
//! `ketscale_proto` defines them.
//!
//! No mathematics here. The clock is read where a call comes in and passed on as an argument.
//!
//! ```no_run
//! use ketscale_service::server::{Config, run};
//!
//! # async fn example() -> Result<(), ketscale_service::server::ServeError> {
//! let config = Config::new("plans.sqlite".into());
//! run(config, async {
//!     let _ = tokio::signal::ctrl_c().await;
//! })
//! .await
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod prometheus;

pub mod live;

mod planning;

mod headline;
pub mod store;

mod controller;
mod metrics;

mod admin;
mod grpc;
pub mod server;

pub use controller::Continuous;
pub use headline::Headline;
