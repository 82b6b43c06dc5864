//! Commands that look at the past: where it is read from, and what is made of it.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use ketscale_engine::baseline::Tool;
use ketscale_engine::replay::Policy;

use super::{Format, seconds};

/// A range of the past that a Prometheus knows.
#[derive(Debug, Args)]
pub(crate) struct RangeArgs {
    /// The Prometheus whose past is read: the loads of the problem's services.
    #[arg(long, value_name = "URL", group = "source")]
    pub(crate) prometheus: Option<String>,
    /// Settings of the connection (credentials, TLS, limits) and queries that replace the built-in ones, as YAML.
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(crate) queries: Option<PathBuf>,
    /// Where the range begins, as RFC 3339 (2026-01-31T00:00:00Z). Default: 14 days before its end.
    #[arg(long, value_name = "TIME", requires = "prometheus", value_parser = time)]
    pub(crate) from: Option<Timestamp>,
    /// Where the range ends. Default: now.
    #[arg(long, value_name = "TIME", requires = "prometheus", value_parser = time)]
    pub(crate) to: Option<Timestamp>,
    /// Seconds from one value of the range to the next. Default: 300.
    #[arg(long, value_name = "SECONDS", requires = "prometheus", value_parser = seconds)]
    pub(crate) step: Option<f64>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct ForecastArgs {
    /// The history as CSV: a header `time,value`, times as RFC 3339, `YYYY-MM-DD HH:MM:SS` (UTC) or Unix seconds, ascending; what is
    /// missing is a gap. `-` is standard input.
    #[arg(value_name = "FILE", group = "source")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// The problem file with the service whose load is forecast.
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(crate) problem: Option<PathBuf>,
    /// The service whose load is forecast, such as shop/cart.
    #[arg(long, value_name = "NAME", requires = "prometheus")]
    pub(crate) service: Option<String>,
    /// Hours to forecast, beginning just after the last value.
    #[arg(long, value_name = "HOURS", default_value = "2", value_parser = seconds)]
    pub(crate) hours: f64,
    /// Quantile of the upper end of the interval, in [0.5, 1); the lower end is at 1 − quantile.
    #[arg(long, value_name = "SHARE", default_value = "0.9")]
    pub(crate) quantile: f64,
    /// Forecast at every step of the last hours as if what came after were not known, and say how these forecasts did.
    #[arg(long, value_name = "HOURS", value_parser = seconds)]
    pub(crate) evaluate_hours: Option<f64>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
    /// Where to draw history and forecast as well, as SVG.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct ReplayArgs {
    /// The problem file whose fleet meets the loads; `-` is standard input.
    #[arg(value_name = "PROBLEM", required_unless_present = "snapshots")]
    pub(crate) file: Option<PathBuf>,
    /// Loads over time, as CSV: time,service,rps, or time and a column for each service. Times are RFC 3339, YYYY-MM-DD HH:MM:SS in UTC, or
    /// seconds since 1970; services that are not named keep the problem's load.
    #[arg(long, value_name = "CSV", group = "source", requires = "file")]
    pub(crate) loads: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Folder of snapshot files (`*.json`): the fleet of the first one meets the loads of all.
    #[arg(long, value_name = "DIR", group = "source", conflicts_with = "file")]
    pub(crate) snapshots: Option<PathBuf>,
    /// Who runs the fleet: ketscale, and hpa- with a target of CPU use over request in percent.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "hpa-50,hpa-60,hpa-70,hpa-80,ketscale"
    )]
    pub(crate) policies: Vec<Policy>,
    /// Settings of Ketscale's control loop, as `ketscale schema control` has them. Default: their defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) control: Option<PathBuf>,
    /// Seconds from one cycle of Ketscale's control loop to the next.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) cycle: f64,
    /// Most work units of each of Ketscale's plans (about a microsecond each).
    #[arg(long, value_name = "UNITS", default_value = "300000")]
    pub(crate) work_limit: u64,
    /// Seed of everything random.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub(crate) seed: u64,
    /// The node autoscaler beside the HPAs: karpenter, cluster_autoscaler_price or cluster_autoscaler_least_waste.
    #[arg(long, value_name = "NAME", default_value = "karpenter", value_parser = tool)]
    pub(crate) node_autoscaler: Tool,
    /// Prices of your own, as CSV; see `ketscale catalog --help`.
    #[arg(long, value_name = "CSV")]
    pub(crate) prices: Option<PathBuf>,
    /// Where to draw load, replicas and cost over time, as SVG. Default: nowhere.
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "expected a time as RFC 3339, such as 2026-01-31T00:00:00Z".to_owned())
}

fn tool(text: &str) -> Result<Tool, String> {
    let names = || Tool::ALL.map(Tool::as_str);
    let found = Tool::ALL.into_iter().find(|tool| tool.as_str() == text);
    found.ok_or_else(|| format!("expected one of {}", names().join(", ")))
}
