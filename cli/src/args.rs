//! What a user may type. What the program then means by it stands under `command/`.

mod past;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ketscale_engine::planner::Solver;
use ketscale_engine::problem::{Provider, Quantity, Setting};

pub(crate) use past::{ForecastArgs, RangeArgs, ReplayArgs};

/// Seconds after which a plan is cut by the clock, unless stated otherwise.
pub(crate) const DEFAULT_TIME_LIMIT_SECONDS: f64 = 30.0;

/// Plans how many replicas each service needs and which nodes to run them on, and proves the plan.
#[derive(Debug, Parser)]
#[command(name = "ketscale", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 yes; 1 the answer is no (no feasible plan, verification failed); 2 bad input; \
3 environment (network, disk, memory); 64 usage; 70 a bug in ketscale.

Start with `ketscale demo`.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Plan the example fleet that this program carries, and say what to do next.
    Demo(DemoArgs),
    /// Write a problem file from `kubectl get … -o json`, from Prometheus, or from both.
    Init(InitArgs),
    /// Plan: the cheapest replicas and nodes found for a problem file, with a proven bound.
    Plan(PlanArgs),
    /// Check a plan from its file alone; no solver takes part.
    Verify(VerifyArgs),
    /// Say why a plan is as it is: what binds, what it costs, what sets each service's replicas.
    Explain(ExplainArgs),
    /// Say what two plans have different.
    Diff(DiffArgs),
    /// Write a plan in the words of the controllers that carry it out.
    Export(ExportArgs),
    /// List instance types with prices and what their nodes offer to pods.
    Catalog(CatalogArgs),
    /// Print the JSON Schema of a file format.
    Schema(SchemaArgs),
    /// Run one QAOA circuit on a model file (QUBO, Ising or tables), and say what its state says.
    Evaluate(EvaluateArgs),
    /// Search a model file for its least cost, by QAOA or by what QAOA is compared with.
    Minimize(MinimizeArgs),
    /// Pack items into the fewest bins (`.vbp`), or processes onto the cheapest computers, with a proven bound.
    Pack(PackArgs),
    /// Write a model file of a well-known family, or a problem file with a fleet made up to a size.
    Generate(GenerateArgs),
    /// Forecast a load from its history, with intervals and how the method did on the recent past.
    Forecast(ForecastArgs),
    /// Replay a past load: what each policy would have cost, and how it would have served.
    Replay(ReplayArgs),
    /// Answer requests for plans over gRPC; with --every also plan continuously.
    Serve(ServeArgs),
    /// Show what happened to continuously planned problems, and whether the log of it is whole.
    Audit(AuditArgs),
    /// Write what a Prometheus knows of a fleet now, and say what is missing.
    Snapshot(SnapshotArgs),
    /// Check every query against a Prometheus: what is found, missing or stale, what to do, and who else sets what a plan would.
    Doctor(DoctorArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Most seconds in all; a fifth of them is kept for the steps, the bound and its verification.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) time_limit: f64,
    /// Where to write the plan file. Default: nowhere.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Output of `kubectl get deploy,sts,ds,hpa,pdb,pvc,pv,nodes,pods -A -o json`; `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "prometheus")]
    pub(crate) file: Option<PathBuf>,
    /// Prometheus to read loads, latencies and use from; without FILE the fleet itself as well.
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus: Option<String>,
    /// Settings of the connection (credentials, TLS, limits) and queries that replace the built-in ones, as YAML.
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(crate) queries: Option<PathBuf>,
    /// Prices of your own, as CSV; see `ketscale catalog --help`.
    #[arg(long, value_name = "CSV")]
    pub(crate) prices: Option<PathBuf>,
    /// Name of the cluster and of the problem. Default: what the input says.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where to write the problem file. Default: standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The problem file, YAML or JSON; `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "problem")]
    pub(crate) file: Option<PathBuf>,
    /// The problem file, in another spelling.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) problem: Option<PathBuf>,
    /// Prometheus whose readings replace the file's loads, latencies and placement.
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus: Option<String>,
    /// Settings of the connection (credentials, TLS, limits) and queries that replace the built-in ones, as YAML.
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(crate) queries: Option<PathBuf>,
    /// Prices of your own, as CSV; see `ketscale catalog --help`.
    #[arg(long, value_name = "CSV")]
    pub(crate) prices: Option<PathBuf>,
    /// What if: plan with this value in place of the file's, such as services.shop/cart.load.rps=900; the table then ends with what
    /// differs from the plan of the file as it is, each found in half of the time. May be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(crate) set: Vec<Setting>,
    /// What if: plan without this entry or optional key, such as pools.general or services.shop/cart; what hangs on it goes too. May be
    /// repeated.
    #[arg(long, value_name = "PATH")]
    pub(crate) without: Vec<String>,
    /// What to print: a table, or the plan file's bytes.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
    /// Where to write the plan file as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of everything random.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Most seconds in all, a fifth of them kept for verification [default: 30; none when --work-limit is given].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) time_limit: Option<f64>,
    /// Most work units to search (about a microsecond each): the same plan to the byte on every machine.
    #[arg(long, value_name = "UNITS")]
    pub(crate) work_limit: Option<u64>,
    /// auto, baseline, exact, qaoa, anneal, uniform or enumerate.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(crate) solver: Solver,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The plan file; `-` is standard input.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// The problem file that the plan must be for; a changed problem is another problem.
    #[arg(long, value_name = "FILE")]
    pub(crate) problem: Option<PathBuf>,
    /// Prices of your own that the plan was made with, as CSV.
    #[arg(long, value_name = "CSV", requires = "problem")]
    pub(crate) prices: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The plan file; `-` is standard input.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// Only this service, `namespace/name`.
    #[arg(value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    /// Plan anew with each service at one replica fewer and one more, and give the true costs beside the estimates.
    #[arg(long)]
    pub(crate) exact: bool,
    /// Most seconds for --exact, shared by all that is planned anew [default: 30].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "exact")]
    pub(crate) time_limit: Option<f64>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The plan file to start from; one of the two may be `-`, standard input.
    #[arg(value_name = "PLAN_A")]
    pub(crate) before: PathBuf,
    /// The plan file to compare.
    #[arg(value_name = "PLAN_B")]
    pub(crate) after: PathBuf,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The plan file; `-` is standard input. It is verified first.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// For whom: HorizontalPodAutoscalers, Karpenter NodePools (both YAML), or counts of node groups (JSON).
    #[arg(long = "as", value_enum, value_name = "TARGET")]
    pub(crate) target: Target,
    /// Only this cluster's part.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// Who carries an exported plan out.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Target {
    Hpa,
    Karpenter,
    Nodegroups,
}

/// Prices of your own are read from a CSV file with the columns provider, region, instance_type, on_demand_usd_per_hour and, where
/// known, spot_usd_per_hour, interruptions_per_hour, interruption_band, architecture, vcpus, memory, gpus, pods.
#[derive(Debug, Args)]
pub(crate) struct CatalogArgs {
    /// Only types of this provider: aws, gcp or azure.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<Provider>,
    /// Only types in this region.
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// Only types of this architecture: amd64 or arm64.
    #[arg(long, value_name = "NAME", value_parser = ["amd64", "arm64"])]
    pub(crate) architecture: Option<String>,
    /// Only types with at least this many cores.
    #[arg(long, value_name = "CORES")]
    pub(crate) min_cpu: Option<u32>,
    /// Only types with at least this much memory, such as 16Gi.
    #[arg(long, value_name = "QUANTITY", value_parser = bytes)]
    pub(crate) min_memory: Option<u64>,
    /// Only types with GPUs.
    #[arg(long)]
    pub(crate) gpu: bool,
    /// Only types whose name contains this.
    #[arg(long, value_name = "PART")]
    pub(crate) name: Option<String>,
    /// Prices of your own, as CSV, added to the list.
    #[arg(long, value_name = "CSV")]
    pub(crate) prices: Option<PathBuf>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Which file format.
    #[arg(value_enum, default_value_t)]
    pub(crate) of: SchemaOf,
}

/// A file format.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum SchemaOf {
    /// What `plan` reads.
    #[default]
    Problem,
    /// What `plan` writes.
    Plan,
    /// Settings of the control loop.
    Control,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// The model file, minimised: {"vartype": "SPIN" or "BINARY", "variables": n, "terms": [{"vars": [i, …], "coeff": c}, …]}, or
    /// {"vartype": "DISCRETE", "variables": [d, …], "tables": [{"vars": [i, …], "values": […]}, …]}; "offset" may be added.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Angles in radians, layer 1 first: {"gamma": […], "beta": […]}; what `minimize --angles-out` writes will do.
    #[arg(long, value_name = "FILE")]
    pub(crate) angles: PathBuf,
    /// Precision of the amplitudes; sums are always taken in f64.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) precision: Precision,
    /// What moves amplitude between the levels of an axis.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mixer: MixerName,
    /// Start state: {"incumbent": [level, …], "epsilon": 0.25}, or {"amplitudes": [[…], …]}. Default: uniform.
    #[arg(long, value_name = "FILE")]
    pub(crate) start: Option<PathBuf>,
    /// Differentiate by all angles: the expectation, or CVaR where --cvar is given.
    #[arg(long)]
    pub(crate) gradient: bool,
    /// Mean cost of the best share of the shots, above 0 and at most 1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) cvar: Option<f64>,
    /// Basis states to draw.
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = clap::value_parser!(u64).range(..=100_000_000))]
    pub(crate) shots: u64,
    /// Seed of the draws.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub(crate) seed: u64,
    /// Most probable states to list.
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub(crate) top: u32,
    /// Evaluate the expectation (with --cvar: CVaR) this often once more, in memory that is warm, and give the median of the seconds.
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub(crate) repeat: u32,
    /// Threads. Default: one a core. The answer is the same to the bit.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
    /// Instruction set: scalar, avx2, avx512 or neon. Default: the machine's best. The answer is the same to the bit.
    #[arg(long, value_name = "NAME", value_parser = ["scalar", "avx2", "avx512", "neon"])]
    pub(crate) isa: Option<String>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// Precision of amplitudes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Precision {
    /// Double.
    #[default]
    F64,
    /// Single: half the memory, about twice the speed, good to six digits.
    F32,
}

/// A mixer by its name.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum MixerName {
    /// Between any two levels; X on a qubit.
    #[default]
    Complete,
    /// Between neighbouring levels.
    Path,
    /// Between neighbouring levels, the last next to the first.
    Ring,
}

impl From<MixerName> for ketscale_optimizer::Mixer {
    fn from(name: MixerName) -> Self {
        match name {
            MixerName::Complete => Self::Complete,
            MixerName::Path => Self::Path,
            MixerName::Ring => Self::Ring,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct MinimizeArgs {
    /// The model file, as `ketscale evaluate --help` has it.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How to search.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) method: Method,
    /// Layers of the circuit, for qaoa [default: 3].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) depth: Option<u32>,
    /// What moves amplitude between the levels of an axis, for qaoa [default: complete].
    #[arg(long, value_enum)]
    pub(crate) mixer: Option<MixerName>,
    /// Start state, for qaoa: {"incumbent": [level, …], "epsilon": 0.25}, or {"amplitudes": [[…], …]} [default: uniform].
    #[arg(long, value_name = "FILE")]
    pub(crate) start: Option<PathBuf>,
    /// Angles to begin from, for qaoa: {"gamma": […], "beta": […], "deviation": σ}, where σ, if it is there, is the standard deviation of the cost that they were found
    /// for, so that they are scaled to this one; other depths are interpolated.
    #[arg(long, value_name = "FILE")]
    pub(crate) angles: Option<PathBuf>,
    /// Begin with one layer and add one after the other by interpolation, for qaoa.
    #[arg(long)]
    pub(crate) deepen: bool,
    /// Minimise the mean cost of the best share of the shots, above 0 and at most 1, for qaoa [default: of all].
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) cvar: Option<f64>,
    /// Local searches for angles, for qaoa [default: 1].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) starts: Option<u32>,
    /// Most evaluations: of the circuit for qaoa [default: 60], of the cost for anneal [default: 10000].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) evaluations: Option<u64>,
    /// Basis states to draw from the best circuit, for qaoa [default: 1024].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) shots: Option<u64>,
    /// Seed of everything random, for qaoa and anneal [default: 0].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Threads. Default: one a core. The answer is the same to the bit.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
    /// Instruction set, for qaoa: scalar, avx2, avx512 or neon. Default: the machine's best. The answer is the same to the bit.
    #[arg(long, value_name = "NAME", value_parser = ["scalar", "avx2", "avx512", "neon"])]
    pub(crate) isa: Option<String>,
    /// Where to write the angles found, for qaoa and recursive, as `--angles` of this command and of `evaluate` reads them.
    #[arg(long, value_name = "FILE")]
    pub(crate) angles_out: Option<PathBuf>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// How to search for the least cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Angles of a circuit, and the best state drawn from it.
    #[default]
    Qaoa,
    /// Recursive QAOA by the formulas of one layer, from greedy spins where they are better: quadratic models of thousands of spins or bits.
    Recursive,
    /// Greedy construction and single flips, for quadratic models of any size.
    Greedy,
    /// Simulated annealing.
    Anneal,
    /// The whole table: the optimum.
    Enumerate,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// Which family.
    #[arg(value_enum)]
    pub(crate) family: Family,
    /// Number of variables of a model.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) n: Option<usize>,
    /// Edges at every vertex of maxcut-regular [default: 3].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) degree: Option<usize>,
    /// Number of services of a fleet.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) services: Option<usize>,
    /// Number of offerings of a fleet: instance type × zone × capacity type, over as many clusters as it takes.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) offerings: Option<usize>,
    /// Seed of everything random.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub(crate) seed: u64,
    /// Where to write the file. Default: standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// A family of models, or a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Family {
    /// Low-autocorrelation binary sequences.
    Labs,
    /// Sherrington–Kirkpatrick: every pair coupled by ±1/√n.
    Sk,
    /// Minus the cut of a random regular graph.
    MaxcutRegular,
    /// A dense quadratic polynomial in bits, coefficients uniform in [−1, 1).
    Qubo,
    /// A problem file, marked synthetic: services of 3 to 50 replicas on instance types of the catalogue, placed as stock tools leave them.
    Fleet,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7311")]
    pub(crate) listen: std::net::SocketAddr,
    /// SQLite file that keeps the plans.
    #[arg(long, value_name = "FILE", default_value = "ketscale.sqlite")]
    pub(crate) store: PathBuf,
    /// Prometheus for requests that ask for live readings.
    #[arg(long, value_name = "URL", requires = "problem")]
    pub(crate) prometheus: Option<String>,
    /// The problem file that live readings complete.
    #[arg(long, value_name = "FILE")]
    pub(crate) problem: Option<PathBuf>,
    /// Settings of the connection (credentials, TLS, limits) and queries that replace the built-in ones, as YAML.
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(crate) queries: Option<PathBuf>,
    /// Plan the problem continuously, one cycle in as many seconds; without this only when a client asks.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "prometheus")]
    pub(crate) every: Option<f64>,
    /// When to publish, hold and fall back, as YAML; see `ketscale schema control`.
    #[arg(long, value_name = "FILE", requires = "every")]
    pub(crate) control: Option<PathBuf>,
    /// Folder where each cycle's snapshot is written, for `ketscale replay`.
    #[arg(long, value_name = "FOLDER", requires = "every")]
    pub(crate) record: Option<PathBuf>,
    /// Address for metrics and health over HTTP: /metrics, /healthz, /readyz; port 0 takes a free one. Default: none.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<std::net::SocketAddr>,
    /// Prices of your own, as CSV.
    #[arg(long, value_name = "CSV")]
    pub(crate) prices: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The store of `ketscale serve`.
    #[arg(long, value_name = "FILE", default_value = "ketscale.sqlite")]
    pub(crate) store: PathBuf,
    /// Only events of this problem; the whole log is checked all the same.
    #[arg(long, value_name = "NAME")]
    pub(crate) problem: Option<String>,
    /// How many events to show, of the newest.
    #[arg(long, value_name = "NUMBER", default_value = "50", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) last: u32,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// A `.vbp` file (dimensions, capacities, kinds of items, then sizes and count of each), or cloud balancing as JSON
    /// (`computerList`, `processList`); `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Most seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) time_limit: f64,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// The problem file whose values are brought up to date; `-` is standard input.
    #[arg(value_name = "PROBLEM")]
    pub(crate) problem: PathBuf,
    /// The Prometheus.
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus: String,
    /// Settings of the connection (credentials, TLS, limits) and queries that replace the built-in ones, as YAML.
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: Option<PathBuf>,
    /// Where to write the snapshot. Default: standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// A folder to write it to, under the time as its name, such as 20260131T235900.000Z.json.
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub(crate) out_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The problem file; `-` is standard input.
    #[arg(value_name = "PROBLEM")]
    pub(crate) problem: PathBuf,
    /// The Prometheus.
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus: String,
    /// Settings of the connection (credentials, TLS, limits) and queries that replace the built-in ones, as YAML.
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: Option<PathBuf>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Seconds above 0, at most a year.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "expected a number of seconds, such as 30 or 0.5".to_owned())?;
    if seconds > 0.0 && seconds <= 31_536_000.0 {
        Ok(seconds)
    } else {
        Err("expected a number of seconds above 0, and at most a year".to_owned())
    }
}

/// Above 0, at most 1.
fn share(text: &str) -> Result<f64, String> {
    let refuse = || "expected a share above 0 and at most 1, such as 0.1".to_owned();
    let share: f64 = text.parse().map_err(|_| refuse())?;
    if share > 0.0 && share <= 1.0 {
        Ok(share)
    } else {
        Err(refuse())
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    Quantity(text.to_owned())
        .units()
        .ok_or_else(|| "expected a quantity of memory, such as 16Gi".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn a_time_limit_is_a_time() {
        for refused in ["0", "-1", "NaN", "inf", "1e9", "soon", ""] {
            assert!(super::seconds(refused).is_err(), "{refused}");
        }
        assert_eq!(super::seconds("0.5"), Ok(0.5));
    }
}
