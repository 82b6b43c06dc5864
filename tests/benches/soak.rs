//! The continuous loop over many cycles: how long one takes, what it keeps in memory and on disk, and whether its log is whole.
//!
//! `make bench BENCH=soak` takes the example through 1,000 cycles, a fleet of 50 services through 60 and one of 1,000 through 4 (half an hour;
//! a case that takes more than twice as long as it should is stopped). With `ARGS='200'` the example goes through 200, with `ARGS='50x60'` that fleet is
//! the only case, with `ARGS='50x60/7'` the one of a seed.
//!
//! All of it is real: the binary with its store, and a Prometheus that scrapes an exporter of the fleet, on loopback. Loads move by three per cent all
//! the time, and every so often that of one service goes up or down by a third, so that some cycles plan and others find nothing new. Nobody carries
//! plans out.
//!
//! The answers are checked: no cycle failed, nothing was missing in a reading, every cycle's decision is in the log, the log is whole, and the plan in
//! force verifies from its own bytes. What is aimed at is printed as met or missed, for seconds depend on the machine.
//!
//! Skipped, with a line that says so, where there is no Prometheus.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot run has nothing to report"
)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::generate::{FleetSize, fleet};
use ketscale_engine::problem::{self, ProblemFile};
use ketscale_proto::v1;
use ketscale_tests::{Exporter, How, Prometheus, Server, binary};
use tokio_stream::StreamExt;

const EXAMPLE: &[u8] = include_bytes!("../../examples/boutique/problem.yaml");

/// The defaults with a cycle a second in place of one a minute; spend, intake and fallback keep theirs.
const MINUTE_AS_SECOND: &str = "
schema: ketscale.control/v1
replan_seconds: 15
demand: {horizon_seconds: 10, history_step_seconds: 5, history_seconds: 21600}
judge: {cooldown_seconds: 5}
scale_down: {stabilization_seconds: 5}
";

const DEFAULTS: &str = "schema: ketscale.control/v1";

/// Cycles after which memory is read.
const MARKS: [u64; 4] = [10, 100, 500, 1000];

/// How many times as long as its cycles should take a case may run, beside a minute to begin with; then it is stopped and told as it is.
const PATIENCE: f64 = 2.0;

/// How long a server may take to end: a cycle under way ends first.
const ENDING: Duration = Duration::from_secs(600);

/// A fleet and how it is followed.
struct Case {
    name: String,
    problem: ProblemFile,
    control: &'static str,
    cycles: u64,
    every_seconds: f64,
    scrape_seconds: u32,
    /// Seconds from one step of a load to the next.
    step_seconds: f64,
    /// Most seconds of a cycle that are aimed at.
    aim_seconds: Option<f64>,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let cycles = arguments.iter().find_map(|text| text.parse().ok());
    let names = arguments.iter().filter(|text| text.parse::<u64>().is_err());
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        names = vec!["boutique", "50x60", "1000x60"];
    }
    for name in names {
        let case = match name {
            "boutique" => boutique(cycles.unwrap_or(1000)),
            size => generated(size),
        };
        soak(&case).await;
    }
}

/// The example, a cycle a second.
fn boutique(cycles: u64) -> Case {
    Case {
        name: "boutique".to_owned(),
        problem: problem::read(EXAMPLE, "problem.yaml").expect("the example is well formed"),
        control: MINUTE_AS_SECOND,
        cycles,
        every_seconds: 1.0,
        scrape_seconds: 1,
        step_seconds: 20.0,
        aim_seconds: None,
    }
}

/// A fleet of a size such as `50x60`, or the one of a seed, such as `50x60/7`.
fn generated(text: &str) -> Case {
    let (size, seed) = text.split_once('/').unwrap_or((text, "1"));
    let (services, offerings) = size.split_once('x').expect("SERVICESxOFFERINGS");
    let number = |text: &str| text.parse().expect("a number");
    let size = FleetSize {
        services: number(services),
        offerings: number(offerings),
        seed: seed.parse().expect("a seed"),
    };
    let is_large = size.services > 200;
    Case {
        name: format!("{services}x{offerings}/{seed}"),
        problem: fleet(&size, Catalogue::built_in()).expect("a size that can be"),
        control: if is_large { DEFAULTS } else { MINUTE_AS_SECOND },
        cycles: if is_large { 4 } else { 60 },
        // What is aimed at for a cycle, so that one that takes longer is seen to be late.
        every_seconds: if is_large { 60.0 } else { 2.0 },
        scrape_seconds: if is_large { 15 } else { 1 },
        step_seconds: if is_large { 180.0 } else { 20.0 },
        aim_seconds: Some(if is_large { 60.0 } else { 2.0 }),
    }
}

async fn soak(case: &Case) {
    // To the loop the exporter's fleet is a real one; a plan for a made-up problem would never be published.
    let problem = ProblemFile {
        synthetic: false,
        ..case.problem.clone()
    };
    let exporter = Exporter::start(&problem);
    let Some(prometheus) = Prometheus::start(exporter.address, case.scrape_seconds).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(&How {
        folder: folder.path(),
        prometheus: &format!("http://{}", prometheus.address),
        name: &problem.name,
        problem: &serde_json::to_string(&problem).unwrap(),
        control: case.control,
        queries: &format!("window: {}", prometheus.window()),
        every_seconds: case.every_seconds,
        record: false,
    })
    .await;
    let begun = Instant::now();
    let seen = follow(case, &problem, &exporter, &server).await;
    report(case, &seen, begun.elapsed());
    if seen.last.cycles == 0 {
        return;
    }
    if seen.last.published > 0 {
        plan_in_force(&mut server, &problem.name, folder.path()).await;
    }
    assert!(
        server.terminate(ENDING).await,
        "the server did not end cleanly"
    );
    let events = log(folder.path(), &problem.name, &seen.last);
    let store = std::fs::metadata(folder.path().join("plans.sqlite")).unwrap();
    println!(
        "  store      {:.1} MiB, {events} events, whole, every cycle among them\n",
        mib(store.len())
    );
}

/// What `/metrics` says.
#[derive(Clone, Debug, Default)]
struct Figures {
    cycles: u64,
    published: u64,
    held: u64,
    fallback: u64,
    failed: u64,
    /// Seconds of all cycles together.
    seconds: f64,
    /// Plans made, published or not.
    plans: u64,
    unread: u64,
    gaps: u64,
    held_services: u64,
    resident_bytes: u64,
}

impl Figures {
    fn of(text: &str) -> Self {
        let of = |prefix: &str| -> f64 {
            let lines = text.lines().filter(|line| line.starts_with(prefix));
            let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            values.sum()
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts and bytes are far below 2⁵³"
        )]
        let count = |prefix: &str| of(prefix) as u64;
        let by_result = |result: &str| -> u64 {
            let lines = text
                .lines()
                .filter(|line| line.starts_with("ketscale_cycles_total{"));
            let label = format!("result=\"{result}\"");
            let mut lines = lines.filter(|line| line.contains(&label));
            let value = lines
                .next()
                .and_then(|line| line.rsplit(' ').next()?.parse().ok());
            value.unwrap_or(0)
        };
        Self {
            cycles: count("ketscale_cycle_duration_seconds_count"),
            published: by_result("published"),
            held: by_result("held"),
            fallback: by_result("fallback"),
            failed: by_result("failed"),
            seconds: of("ketscale_cycle_duration_seconds_sum"),
            plans: count("ketscale_plans_total"),
            unread: count("ketscale_observation_failures_total"),
            gaps: count("ketscale_observation_gaps"),
            held_services: count("ketscale_held_services"),
            resident_bytes: count("process_resident_memory_bytes"),
        }
    }
}

/// What was seen of all cycles.
#[derive(Debug, Default)]
struct Seen {
    /// Seconds of each cycle that made a plan.
    planned: Vec<f64>,
    /// Seconds of each other cycle.
    quiet: Vec<f64>,
    /// Resident bytes at each of [`MARKS`] that was reached.
    resident: Vec<(u64, u64)>,
    last: Figures,
}

impl Seen {
    /// Takes note of the cycles that ended since the last look. It is taken often enough that more than one is rare; these then count
    /// with their mean.
    fn note(&mut self, now: Figures) {
        let ended = now.cycles - self.last.cycles;
        let seconds =
            (now.seconds - self.last.seconds) / f64::from(u32::try_from(ended).unwrap().max(1));
        let planned = (now.plans - self.last.plans).min(ended);
        for number in 0..ended {
            let kind = if number < planned {
                &mut self.planned
            } else {
                &mut self.quiet
            };
            kind.push(seconds);
        }
        let marks = MARKS
            .into_iter()
            .filter(|mark| (self.last.cycles + 1..=now.cycles).contains(mark));
        self.resident
            .extend(marks.map(|mark| (mark, now.resident_bytes)));
        self.last = now;
    }
}

/// Moves the loads and looks on until enough cycles have ended, or the time is up.
async fn follow(case: &Case, problem: &ProblemFile, exporter: &Exporter, server: &Server) -> Seen {
    let mut seen = Seen::default();
    let begun = Instant::now();
    let look = Duration::from_secs_f64(case.every_seconds / 40.0);
    let most = 60.0 + PATIENCE * case.every_seconds * count(case.cycles);
    let mut moved_at = f64::NEG_INFINITY;
    while seen.last.cycles < case.cycles {
        let seconds = begun.elapsed().as_secs_f64();
        if seconds > most {
            break;
        }
        if seconds >= moved_at + f64::from(case.scrape_seconds) {
            move_loads(case, problem, exporter, seconds);
            moved_at = seconds;
        }
        seen.note(Figures::of(&server.get("/metrics").await.1));
        assert_eq!(seen.last.failed, 0, "a cycle failed");
        tokio::time::sleep(look).await;
    }
    seen
}

/// Each load swings by three per cent in its own time; every so often the next service goes up by a third, or back.
fn move_loads(case: &Case, problem: &ProblemFile, exporter: &Exporter, seconds: f64) {
    let services = count(problem.services.len() as u64);
    let steps = (seconds / case.step_seconds).floor();
    for (index, service) in problem.services.iter().enumerate() {
        let Some(load) = &service.load else { continue };
        let index = count(index as u64);
        // Steps of this service so far, one in every round over all services.
        let own = ((steps - index + services - 1.0) / services).floor();
        let level = if own.rem_euclid(2.0) == 1.0 {
            4.0 / 3.0
        } else {
            1.0
        };
        let swing = 1.0 + 0.03 * (seconds * (0.2 + 0.013 * index) + index).sin();
        exporter.set_load(&service.name, load.rps * level * swing);
    }
}

/// Checks the plan in force from its own bytes, by the binary.
async fn plan_in_force(server: &mut Server, problem: &str, folder: &Path) {
    let request = v1::WatchPlansRequest {
        problem: problem.to_owned(),
    };
    let plans = server.client.watch_plans(request).await;
    let mut plans = plans.unwrap().into_inner();
    let next = tokio::time::timeout(Duration::from_secs(30), plans.next()).await;
    let plan = next.expect("no plan is in force").unwrap().unwrap();
    let path = folder.join("plan.json");
    std::fs::write(&path, &plan.plan_json).unwrap();
    let verified = Command::new(binary())
        .arg("verify")
        .arg(&path)
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
    println!(
        "  in force   {:.1} MiB, verifies",
        mib(plan.plan_json.len() as u64)
    );
}

/// Checks the whole log, and that each cycle's decision is in it; the number of its events.
fn log(folder: &Path, problem: &str, last: &Figures) -> u64 {
    let audit = Command::new(binary())
        .args(["audit", "--output", "json", "--last", "1000000"])
        .args(["--problem", problem, "--store"])
        .arg(folder.join("plans.sqlite"))
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert!(audit.status.success() && told["whole"] == true, "{told:#}");
    let decided = |action: &str| -> u64 {
        let events = told["events"].as_array().unwrap().iter();
        let decisions = events.filter(|event| {
            event["kind"] == "decision" && event["message"].as_str().unwrap().starts_with(action)
        });
        decisions.count() as u64
    };
    // Between the last look and the end of the server another cycle or two may end.
    for (action, cycles) in [
        ("publish: ", last.published),
        ("hold: ", last.held),
        ("fallback: ", last.fallback),
    ] {
        let decided = decided(action);
        assert!(
            (cycles..=cycles + 2).contains(&decided),
            "{decided} decisions begin with {action:?}, of {cycles} cycles"
        );
    }
    told["events_in_log"].as_u64().unwrap()
}

fn report(case: &Case, seen: &Seen, took: Duration) {
    let last = &seen.last;
    assert_eq!(
        (last.gaps, last.held_services),
        (0, 0),
        "what is exported was not read whole"
    );
    println!(
        "{}: {} of {} cycles in {:.0} s, one each {} s: {} published, {} held, {} fallback, {} failed; {} without readings",
        case.name,
        last.cycles,
        case.cycles,
        took.as_secs_f64(),
        case.every_seconds,
        last.published,
        last.held,
        last.fallback,
        last.failed,
        last.unread
    );
    println!("  cycles     number  median s  95th s  longest s");
    let all = [&seen.planned[..], &seen.quiet].concat();
    for (kind, seconds) in [
        ("all", &all),
        ("planned", &seen.planned),
        ("quiet", &seen.quiet),
    ] {
        if seconds.is_empty() {
            continue;
        }
        let mut sorted = seconds.clone();
        sorted.sort_by(f64::total_cmp);
        println!(
            "  {kind:<10} {:>6} {:>9.3} {:>7.3} {:>10.3}",
            sorted.len(),
            quantile(&sorted, 0.5),
            quantile(&sorted, 0.95),
            quantile(&sorted, 1.0)
        );
    }
    if let Some(aim) = case.aim_seconds {
        let longest = all.iter().copied().fold(0.0, f64::max);
        let is_met = last.cycles == case.cycles && longest <= aim;
        println!("  aimed at   {aim} s at most: {}", met(is_met));
    }
    let marks = seen.resident.iter();
    let marks = marks.map(|(mark, bytes)| format!("{:.1} MiB at cycle {mark}", mib(*bytes)));
    let end = format!("{:.1} MiB at the end", mib(last.resident_bytes));
    let marks: Vec<String> = marks.chain([end]).collect();
    println!("  memory     {}", marks.join(", "));
    let at = |wanted| seen.resident.iter().find(|(mark, _)| *mark == wanted);
    if let (Some((_, early)), Some((_, late))) = (at(100), at(1000)) {
        let ratio = count(*late) / count(*early);
        println!(
            "  growth     {ratio:.3} from cycle 100 to 1,000, 1.05 at most: {}",
            met(ratio <= 1.05)
        );
    }
}

/// The value below which a share lies; NaN of none.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index below the length"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (count(last as u64) * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}

fn mib(bytes: u64) -> f64 {
    count(bytes) / 1_048_576.0
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts and bytes are far below 2⁵³"
)]
fn count(number: u64) -> f64 {
    number as f64
}
