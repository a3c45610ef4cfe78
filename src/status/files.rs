//! The status of what the operator has set: lists that name nothing, reloads, the user map.

use serde::Serialize;

use super::Status;
use crate::clock::Timestamp;
use crate::reconcile::unused::Unused;
use crate::status::Observer;

/// What reloads have come to, since start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReloadsView {
    pub done: u64,
    /// How many had a fault and changed nothing.
    pub failed: u64,
    /// What was wrong with the last one.
    pub fault: Option<String>,
}

impl Observer {
    /// What is wrong with a file without keeping the mirror from doing its work.
    pub(super) fn add_files(&self, status: &mut Status, now: Timestamp) {
        let (done, failed) = self.reconciler.mirror.reloads.counts();
        status.reloads = ReloadsView { done, failed, fault: self.reconciler.mirror.reloads.fault() };
        let grave = self.reconciler.mirror.reloads.grave_fault(now);
        status.warnings.extend(self.reconciler.mirror.reloads.fault().filter(|_| grave.is_none()));
        let map = self.reconciler.mirror.who.map_fault();
        status.user_map_refused = map.is_some();
        let map = map.filter(|fault| !fault.is_grave(now));
        status.unused = self.reconciler.unused();
        let unused = status.unused.iter().flatten();
        status.warnings.extend(unused.filter(|one| one.is_of_protection()).map(Unused::told));
        status.warnings.extend(map.map(|fault| {
            format!("{}; the last good one stays in use (refused since {})", fault.why, fault.since)
        }));
    }

    /// The faults of files that keep the mirror from being true.
    pub(super) fn grave_files(&self, now: Timestamp) -> impl Iterator<Item = String> {
        let map =
            self.reconciler.mirror.who.map_fault().filter(|fault| fault.is_grave(now)).map(|fault| fault.why);
        map.into_iter().chain(self.reconciler.mirror.reloads.grave_fault(now))
    }
}
