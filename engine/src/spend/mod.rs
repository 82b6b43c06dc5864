//! The cost watch: what nodes cost, by service, pool and provider, by hour and by month; budgets, credits and commitments.
//!
//! Rates are floats, for prices are. What was spent is counted in whole billionths of a dollar ([`Money`]), so that sums over a month of cycles
//! are exact and the parts of every split add up to the whole.

mod calendar;
mod ledger;
mod money;
mod rate;
mod settings;

pub use ledger::{Ledger, Report};
pub use money::Money;
pub use rate::Rate;
pub use settings::{Credit, Settings};
