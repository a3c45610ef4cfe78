//! What GitHub tells: a delivery may be lost, doubled, late or out of order, and whether it was taken is known once its
//! answer is there.

use sentry_team_sync::parts::{DeliveryKey, HookId, IntakeAnswer};

use super::process::Process;
use super::sides::SECRET;
use super::stage::{Spawned, Stage};
use crate::standin::Delivery;

/// One that is on its way.
pub struct Underway {
    pub delivery: Delivery,
    answer: Spawned<IntakeAnswer>,
}

impl Underway {
    /// It arrives at the process.
    pub fn new(stage: &Stage, process: &Process, delivery: Delivery) -> Self {
        let (headers, body) = delivery.wire(SECRET);
        let headers: Vec<_> =
            headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let process = process.clone();
        let answer = stage.spawn(move || process.take(&headers, &body));
        Self { delivery, answer }
    }

    /// The answer, once there is one.
    pub fn answer(&self) -> Option<IntakeAnswer> {
        self.answer.take()
    }

    /// Waits for it.
    pub fn wait(&self) -> Option<IntakeAnswer> {
        self.answer.wait()
    }
}

pub fn key(delivery: &Delivery) -> DeliveryKey {
    DeliveryKey::new(HookId(delivery.hook_id), &delivery.guid)
}

/// As a story tells of it.
pub fn name(delivery: &Delivery) -> String {
    let payload = delivery.payload();
    let action = delivery.action.as_deref().unwrap_or_default();
    let (team, who) = (&payload["team"]["id"], &payload["member"]["login"]);
    let person = &payload["membership"]["user"]["login"];
    format!("{}.{action} {team} {who}{person} {}", delivery.event, delivery.guid)
}

/// A creation tells that a team is newer than the mirror, and without that it may take over an older Sentry team.
pub fn may_be_missed(delivery: &Delivery) -> bool {
    delivery.action.as_deref() != Some("created")
}
