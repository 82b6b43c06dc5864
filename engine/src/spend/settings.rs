//! Budgets and credits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::{At, Mistakes, value};

/// Settings of the cost watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Budget for nodes in USD a calendar month. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_budget_usd: Option<f64>,
    /// Shares of the budget at which an alert is raised, once each a month, > 0. Default 0.5, 0.8 and 1.
    pub alert_shares: Vec<f64>,
    /// Credits that are used up before money is spent, the one that expires first before the others. Default none.
    pub credits: Vec<Credit>,
}

/// An amount that a provider has granted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// Unique name; what was used of it is remembered under it.
    pub name: String,
    /// The amount in USD.
    pub usd: f64,
    /// When the rest of it is lost, seconds since the Unix epoch. Default never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_seconds: Option<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            monthly_budget_usd: None,
            alert_shares: vec![0.5, 0.8, 1.0],
            credits: Vec::new(),
        }
    }
}

impl Settings {
    /// Tells what is wrong with them.
    pub(crate) fn check(&self, mistakes: &mut Mistakes, at: &At<'_>) {
        if let Some(budget) = self.monthly_budget_usd {
            value::positive(mistakes, &at.key("monthly_budget_usd"), budget);
        }
        let shares = at.key("alert_shares");
        for (index, share) in self.alert_shares.iter().enumerate() {
            value::positive(mistakes, &shares.item(index), *share);
        }
        let list = at.key("credits");
        for (index, credit) in self.credits.iter().enumerate() {
            let entry = list.named(index, &credit.name);
            value::not_negative(mistakes, &entry.key("usd"), credit.usd);
            if self
                .credits
                .iter()
                .take(index)
                .any(|other| other.name == credit.name)
            {
                mistakes.add(&entry.key("name"), "stands there twice");
            }
        }
    }
}
