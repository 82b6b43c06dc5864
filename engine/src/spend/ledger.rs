//! What was spent, and what that comes to.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::calendar::Month;
use super::money::Money;
use super::rate::Rate;
use super::settings::{Credit, Settings};
use crate::problem::ProblemFile;

/// Most hours and months that are kept.
const MOST_HOURS: usize = 31 * 24;
const MOST_MONTHS: usize = 24;

/// Seconds of an hour.
const HOUR: f64 = 3600.0;

/// What was spent on nodes, by month, by hour, and in this month by whom and by what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// What runs costs this, as last seen.
    rate: Rate,
    /// Until when spend is counted, seconds since the Unix epoch.
    counted_to_seconds: Option<f64>,
    /// Spend of the last months, `YYYY-MM`.
    months: BTreeMap<String, Money>,
    /// Spend of the last hours, by their beginning in seconds since the Unix epoch.
    hours: BTreeMap<i64, Money>,
    /// The month that the following are of.
    month: String,
    by_service: BTreeMap<String, Money>,
    by_pool: BTreeMap<String, Money>,
    by_provider: BTreeMap<String, Money>,
    commitments_used: Money,
    commitments_unused: Money,
    /// Alerts raised this month, by their share of the budget in millionths.
    raised: BTreeSet<u64>,
    /// What was used of each credit.
    credits_used: BTreeMap<String, Money>,
    /// What credits paid this month.
    credited: Money,
}

/// What is spent now, was spent this month and is expected at its end, in USD.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The month, `YYYY-MM`, in UTC.
    pub month: String,
    /// What runs now costs this.
    pub rate: Rate,
    /// Spent this month since counting began.
    pub month_usd: f64,
    /// Of that, what credits paid.
    pub credited_usd: f64,
    /// Spent in the hour that runs.
    pub hour_usd: f64,
    /// Expected at the end of the month at the present rate.
    pub month_end_usd: f64,
    /// The same at the rate of the plan in force; absent without one.
    pub month_end_planned_usd: Option<f64>,
    /// This month by service.
    pub by_service_usd: BTreeMap<String, f64>,
    /// This month by pool.
    pub by_pool_usd: BTreeMap<String, f64>,
    /// This month by provider.
    pub by_provider_usd: BTreeMap<String, f64>,
    /// Commitments used this month.
    pub commitments_used_usd: f64,
    /// Commitments paid for and not used this month.
    pub commitments_unused_usd: f64,
    /// The budget, where there is one.
    pub budget_usd: Option<f64>,
    /// What is left of each credit; nothing of one that has expired.
    pub credits_left_usd: BTreeMap<String, f64>,
    /// Spend of the last months.
    pub months_usd: BTreeMap<String, f64>,
}

impl Ledger {
    /// Counts what ran until now at the rate last seen, then takes the rate of what runs now; the alerts that this raises, in words.
    ///
    /// What happened between two cycles is not known, so the earlier rate counts for all of it.
    pub fn accrue(
        &mut self,
        problem: &ProblemFile,
        now_seconds: f64,
        settings: &Settings,
    ) -> Vec<String> {
        let mut alerts = Vec::new();
        if let Some(from) = self.counted_to_seconds {
            let mut at = from;
            // Hour by hour, so that no part is of two months or hours. Hours before those that are kept are counted in one piece each month.
            while at < now_seconds {
                let end = self.next_stop(at, now_seconds);
                self.count(at, end - at, settings);
                at = end;
                alerts.extend(self.alerts(settings));
            }
        }
        let before = self.counted_to_seconds.unwrap_or(now_seconds);
        self.counted_to_seconds = Some(before.max(now_seconds));
        self.rate = Rate::of(problem);
        alerts
    }

    /// The end of the part that begins at a time: of its hour, or of its month where it is long past.
    fn next_stop(&self, at: f64, now_seconds: f64) -> f64 {
        let month_end = Month::of(at).end_seconds;
        let recent = now_seconds - HOUR * MOST_HOURS as f64;
        let hour_end = (at / HOUR).floor() * HOUR + HOUR;
        let end = if at < recent {
            month_end.min(recent.max(hour_end))
        } else {
            hour_end.min(month_end)
        };
        // A clock so large that an hour vanishes in it ends the count.
        if end > at {
            end.min(now_seconds)
        } else {
            now_seconds
        }
    }

    fn count(&mut self, at: f64, seconds: f64, settings: &Settings) {
        let month = Month::of(at).name;
        if month != self.month {
            self.begin(month);
        }
        let spent = |usd_per_hour: f64| Money::from_usd(usd_per_hour * seconds / HOUR);
        let total = spent(self.rate.total_usd_per_hour);
        *self.months.entry(self.month.clone()).or_default() += total;
        *self.hours.entry(hour_of(at)).or_default() += total;
        self.commitments_used += spent(self.rate.commitments_used_usd_per_hour);
        self.commitments_unused += spent(self.rate.commitments_unused_usd_per_hour);
        for (sums, weights) in [
            (&mut self.by_service, &self.rate.by_service),
            (&mut self.by_pool, &self.rate.by_pool),
            (&mut self.by_provider, &self.rate.by_provider),
        ] {
            for (name, part) in total.split(weights) {
                *sums.entry(name).or_default() += part;
            }
        }
        self.draw(total, at, &settings.credits);
        while self.hours.len() > MOST_HOURS {
            self.hours.pop_first();
        }
        while self.months.len() > MOST_MONTHS {
            self.months.pop_first();
        }
    }

    /// Starts a month: its sums are nothing and every alert may be raised again.
    fn begin(&mut self, month: String) {
        self.month = month;
        self.by_service.clear();
        self.by_pool.clear();
        self.by_provider.clear();
        (
            self.commitments_used,
            self.commitments_unused,
            self.credited,
        ) = (Money::ZERO, Money::ZERO, Money::ZERO);
        self.raised.clear();
    }

    /// Takes an amount from the credits, the one that expires first before the others.
    fn draw(&mut self, amount: Money, at: f64, credits: &[Credit]) {
        let mut credits: Vec<&Credit> = credits
            .iter()
            .filter(|credit| is_valid(credit, at))
            .collect();
        let expiry = |credit: &Credit| credit.expires_at_seconds.unwrap_or(f64::INFINITY);
        credits.sort_by(|a, b| expiry(a).total_cmp(&expiry(b)));
        let mut due = amount;
        for credit in credits {
            let drawn = due.min(self.left(credit)).max(Money::ZERO);
            if drawn > Money::ZERO {
                *self.credits_used.entry(credit.name.clone()).or_default() += drawn;
                self.credited += drawn;
                due = due - drawn;
            }
        }
    }

    fn left(&self, credit: &Credit) -> Money {
        let used = self
            .credits_used
            .get(&credit.name)
            .copied()
            .unwrap_or_default();
        (Money::from_usd(credit.usd) - used).max(Money::ZERO)
    }

    fn month_spent(&self) -> Money {
        self.months.get(&self.month).copied().unwrap_or_default()
    }

    /// Shares of the budget that are reached and were not told yet this month.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive share as a key"
    )]
    fn alerts(&mut self, settings: &Settings) -> Vec<String> {
        let Some(budget) = settings.monthly_budget_usd else {
            return Vec::new();
        };
        let spent = self.month_spent();
        let mut alerts = Vec::new();
        for share in &settings.alert_shares {
            let reached = spent >= Money::from_usd(budget * share);
            if reached && self.raised.insert((share * 1e6).round() as u64) {
                alerts.push(format!(
                    "{:.0} % of the budget of {budget:.2} USD for {} is spent: {:.2} USD",
                    100.0 * share,
                    self.month,
                    spent.usd()
                ));
            }
        }
        alerts
    }

    /// What it comes to; `None` before anything was counted. `planned_usd_per_hour` is the price of the nodes of the plan in force.
    pub fn report(
        &self,
        now_seconds: f64,
        planned_usd_per_hour: Option<f64>,
        settings: &Settings,
    ) -> Option<Report> {
        let counted_to = self.counted_to_seconds?;
        let month = Month::of(counted_to);
        // Counting goes by whole parts, so that a month that has just begun has no sums yet.
        let of_month = month.name == self.month;
        let usd = |sums: &BTreeMap<String, Money>| -> BTreeMap<String, f64> {
            let sums = sums.iter().filter(|_| of_month);
            sums.map(|(name, sum)| (name.clone(), sum.usd())).collect()
        };
        let this = |sum: Money| if of_month { sum.usd() } else { 0.0 };
        let month_usd = this(self.month_spent());
        let hours_left = ((month.end_seconds - counted_to) / HOUR).max(0.0);
        let at_rate = |usd_per_hour: f64| month_usd + usd_per_hour * hours_left;
        let credits = settings.credits.iter().map(|credit| {
            let left = if is_valid(credit, now_seconds) {
                self.left(credit).usd()
            } else {
                0.0
            };
            (credit.name.clone(), left)
        });
        Some(Report {
            month_usd,
            credited_usd: this(self.credited),
            hour_usd: self
                .hours
                .get(&hour_of(counted_to))
                .copied()
                .unwrap_or_default()
                .usd(),
            month_end_usd: at_rate(self.rate.total_usd_per_hour),
            month_end_planned_usd: planned_usd_per_hour.map(at_rate),
            by_service_usd: usd(&self.by_service),
            by_pool_usd: usd(&self.by_pool),
            by_provider_usd: usd(&self.by_provider),
            commitments_used_usd: this(self.commitments_used),
            commitments_unused_usd: this(self.commitments_unused),
            budget_usd: settings.monthly_budget_usd,
            credits_left_usd: credits.collect(),
            months_usd: self
                .months
                .iter()
                .map(|(name, sum)| (name.clone(), sum.usd()))
                .collect(),
            rate: self.rate.clone(),
            month: month.name,
        })
    }
}

fn is_valid(credit: &Credit, at: f64) -> bool {
    credit.expires_at_seconds.is_none_or(|expires| at < expires)
}

/// The beginning of the hour of a time.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a cast of a float saturates"
)]
fn hour_of(seconds: f64) -> i64 {
    ((seconds / HOUR).floor() * HOUR) as i64
}
