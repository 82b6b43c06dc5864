//! `WatchPlans`: the plan in force at once, then each one that is published.

use std::pin::Pin;

use futures::Stream;
use futures::stream::unfold;
use ketscale_proto::v1;
use tonic::Status;

use super::Plans as Service;
use super::reply;
use super::status::CallError;
use crate::controller::InForce;

/// The plans of one problem as they are published.
pub(crate) type Plans = Pin<Box<dyn Stream<Item = Result<v1::Plan, Status>> + Send>>;

impl Service {
    pub(super) fn watch(&self, problem: &str) -> Result<Plans, CallError> {
        let in_force = self.controlled.problem(problem)?.in_force();
        Ok(Box::pin(follow(in_force)))
    }
}

/// Ends when nobody publishes any more.
fn follow(mut in_force: InForce) -> impl Stream<Item = Result<v1::Plan, Status>> {
    // The first reading is news to this client.
    in_force.mark_changed();
    unfold(in_force, async |mut in_force| {
        loop {
            in_force.changed().await.ok()?;
            let plan = in_force.borrow_and_update().clone();
            if let Some(plan) = plan {
                return Some((Ok(reply::plan((*plan).clone())), in_force));
            }
        }
    })
}
