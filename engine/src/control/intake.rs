//! From an observation to a problem that can be planned from, or the reason why it cannot.

use std::collections::BTreeMap;

use super::belief::{Belief, Doubt, Sample};
use super::event::{EventKind, Events};
use super::settings::IntakeSettings;
use super::{Observation, Settings, State};
use crate::plan::{Gap, Reading};
use crate::planner::Source;
use crate::problem::{ProblemFile, Service};
use crate::snapshot::Snapshot;

/// What can be planned from.
pub(super) struct Taken {
    /// When it was measured, seconds since the Unix epoch.
    pub(super) taken_at_seconds: f64,
    /// The problem with the loads that are believed; not resolved.
    pub(super) problem: ProblemFile,
    /// Readings and gaps behind it.
    pub(super) source: Source,
    /// Believed loads by service, in requests per second.
    pub(super) loads: BTreeMap<String, f64>,
    /// Services that stay as they are, with the reason.
    pub(super) held: BTreeMap<String, String>,
}

/// Judges an observation as a whole, then the load of every service.
pub(super) fn take(
    state: &mut State,
    observation: Observation,
    now_seconds: f64,
    settings: &Settings,
    events: &mut Events,
) -> Result<Taken, Doubt> {
    let snapshot = observation
        .map_err(|reason| Doubt::new(EventKind::NoMetrics, format!("no metrics: {reason}")))?;
    let good = state.good_at_seconds();
    check_time(&snapshot, good, now_seconds, &settings.intake)?;
    check_placement(&snapshot)?;
    let source = snapshot.source(now_seconds);
    let mut taken = Taken {
        taken_at_seconds: snapshot.taken_at_seconds,
        problem: snapshot.problem,
        source,
        loads: BTreeMap::new(),
        held: BTreeMap::new(),
    };
    believe(state, &mut taken, now_seconds, &settings.intake, events)?;
    Ok(taken)
}

fn check_time(
    snapshot: &Snapshot,
    good_at_seconds: Option<f64>,
    now_seconds: f64,
    settings: &IntakeSettings,
) -> Result<(), Doubt> {
    let at = snapshot.taken_at_seconds;
    let age = now_seconds - at;
    if !at.is_finite() {
        return Err(Doubt::new(EventKind::Invalid, "the snapshot has no time"));
    }
    if age < -settings.skew_seconds {
        let message = format!(
            "clock skew: the snapshot was taken {:.0} s in the future",
            -age
        );
        return Err(Doubt::new(EventKind::ClockSkew, message));
    }
    if let Some(good) = good_at_seconds.filter(|good| at < *good) {
        let message = format!(
            "clock skew: the snapshot was taken {:.0} s before the last one",
            good - at
        );
        return Err(Doubt::new(EventKind::ClockSkew, message));
    }
    let same = good_at_seconds.is_some_and(|good| at <= good);
    if age > settings.stale_seconds || same {
        let message = if same {
            format!("stale: nothing newer than the snapshot of {age:.0} s ago")
        } else {
            format!(
                "stale: the snapshot is {age:.0} s old, at most {:.0} s are used",
                settings.stale_seconds
            )
        };
        return Err(Doubt::new(EventKind::Stale, message));
    }
    Ok(())
}

/// Where the placement is not known, no change can be told from what runs.
fn check_placement(snapshot: &Snapshot) -> Result<(), Doubt> {
    let unknown = |gap: &&Gap| matches!(gap.path.as_str(), "current" | "current.nodes");
    match snapshot.gaps.iter().find(unknown) {
        Some(gap) => {
            let message = format!(
                "partial metrics: what runs where is not known: {}",
                gap.reason
            );
            Err(Doubt::new(EventKind::Gap, message))
        }
        None => Ok(()),
    }
}

/// Believes loads or doubts them; an error when there is none to believe.
fn believe(
    state: &mut State,
    taken: &mut Taken,
    now_seconds: f64,
    settings: &IntakeSettings,
    events: &mut Events,
) -> Result<(), Doubt> {
    let known = Known::of(&taken.source);
    let (mut with_load, mut unread) = (0_usize, 0_usize);
    for service in &mut taken.problem.services {
        let name = service.name.as_str();
        if let Some(gap) = known.replicas_gap(service) {
            let reason = format!("its replicas could not be read: {}", gap.reason);
            taken.held.insert(name.to_owned(), reason);
        }
        let Some(load) = &mut service.load else {
            continue;
        };
        with_load += 1;
        let belief = &mut state.services.entry(name.to_owned()).or_default().belief;
        let unusable = known.unusable(name, now_seconds, settings);
        unread += usize::from(unusable.is_some());
        let sample = Sample {
            at_seconds: taken.taken_at_seconds,
            rps: load.rps,
        };
        let doubt = unusable.map_or_else(|| belief.take(sample, settings).err(), Some);
        match settle(belief, doubt, now_seconds, settings) {
            Settled::Followed(rps, told) => {
                if let Some(doubt) = told {
                    events.tell_of(doubt.kind, name, doubt.message);
                }
                load.rps = rps;
                taken.loads.insert(name.to_owned(), rps);
            }
            Settled::Held(rps, doubt) => {
                events.tell_of(
                    doubt.kind,
                    name,
                    format!("{}, so the service is held", doubt.message),
                );
                load.rps = rps;
                taken.held.insert(name.to_owned(), doubt.message);
            }
        }
    }
    if with_load > 0 && unread == with_load {
        let message = "no metrics: no service's load could be read";
        return Err(Doubt::new(EventKind::NoMetrics, message));
    }
    Ok(())
}

/// What a service's load is taken to be, in requests per second.
enum Settled {
    /// This; with the doubt where it is an earlier one.
    Followed(f64, Option<Doubt>),
    /// Not known for too long: the service is held, and this is the last that was known, or nothing.
    Held(f64, Doubt),
}

/// A load that is doubted is that of the last good reading, as long as that one is young enough.
fn settle(
    belief: &Belief,
    doubt: Option<Doubt>,
    now_seconds: f64,
    settings: &IntakeSettings,
) -> Settled {
    let rps = belief.good.map_or(0.0, |good| good.rps);
    let Some(doubt) = doubt else {
        return Settled::Followed(rps, None);
    };
    let age = belief.good.map(|good| now_seconds - good.at_seconds);
    match age.filter(|age| *age <= settings.gap_seconds) {
        Some(age) => {
            let message = format!("{}; its load of {age:.0} s ago is used", doubt.message);
            Settled::Followed(rps, Some(Doubt { message, ..doubt }))
        }
        None => {
            let message = format!(
                "{}; no load of the last {:.0} s is known",
                doubt.message, settings.gap_seconds
            );
            Settled::Held(rps, Doubt { message, ..doubt })
        }
    }
}

/// What was read and what was not, by path.
struct Known<'a> {
    gaps: BTreeMap<&'a str, &'a Gap>,
    readings: BTreeMap<&'a str, &'a Reading>,
}

impl<'a> Known<'a> {
    fn of(source: &'a Source) -> Self {
        Self {
            gaps: source
                .gaps
                .iter()
                .map(|gap| (gap.path.as_str(), gap))
                .collect(),
            readings: source
                .readings
                .iter()
                .map(|reading| (reading.path.as_str(), reading))
                .collect(),
        }
    }

    /// The first cluster in which a service's replicas could not be read.
    fn replicas_gap(&self, service: &Service) -> Option<&'a Gap> {
        let path = |cluster: &String| format!("services.{}.clusters.{cluster}.now", service.name);
        let gap = |cluster| self.gaps.get(path(cluster).as_str()).copied();
        service.clusters.keys().find_map(gap)
    }

    /// Why a service's load is not even looked at.
    fn unusable(
        &self,
        service: &str,
        now_seconds: f64,
        settings: &IntakeSettings,
    ) -> Option<Doubt> {
        let path = format!("services.{service}.load.rps");
        if let Some(gap) = self.gaps.get(path.as_str()) {
            let message = format!("partial metrics: no load: {}", gap.reason);
            return Some(Doubt::new(EventKind::Gap, message));
        }
        let age = now_seconds - self.readings.get(path.as_str())?.timestamp;
        if age > settings.stale_seconds {
            let message = format!("stale: its load is {age:.0} s old");
            return Some(Doubt::new(EventKind::Stale, message));
        }
        if age < -settings.skew_seconds {
            let message = format!(
                "clock skew: its load was measured {:.0} s in the future",
                -age
            );
            return Some(Doubt::new(EventKind::ClockSkew, message));
        }
        None
    }
}
