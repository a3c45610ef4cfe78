//! The status of what the operator has set: list entries that match nothing, reloads, the user map.

use serde::Serialize;

use super::Status;
use crate::clock::Timestamp;
use crate::identity::mapfile::Refused;
use crate::reconcile::unused::Unused;
use crate::status::Observer;
use crate::work::mirror::Mirror;

/// The results of reloads since the start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReloadsView {
    pub done: u64,
    pub failed: u64,
    pub fault: Option<String>,
}

impl Observer {
    /// Adds the problems of files and lists that do not stop the service from doing its work.
    pub(super) fn add_files(&self, status: &mut Status, now: Timestamp) {
        let Mirror { reloads, who, .. } = self.mirror();
        let ((done, failed), fault) = (reloads.counts(), reloads.fault());
        status.warnings.extend(fault.clone().filter(|_| reloads.grave_fault(now).is_none()));
        status.reloads = ReloadsView { done, failed, fault };
        let map = who.map.fault();
        status.user_map_refused = map.is_some();
        status.unused = self.reconciler.unused();
        let unused = status.unused.iter().flatten();
        status.warnings.extend(unused.filter(|one| one.is_of_protection()).map(Unused::told));
        status.warnings.extend(map.filter(|fault| !fault.is_grave(now)).map(
            |Refused { why, since, .. }| {
                format!("{why}; the last good one stays in use (refused since {since})")
            },
        ));
    }

    /// The problems of files that make the service not ready.
    pub(super) fn grave_files(&self, now: Timestamp) -> impl Iterator<Item = String> {
        let Mirror { reloads, who, .. } = self.mirror();
        let map = who.map.fault().filter(|fault| fault.is_grave(now)).map(|fault| fault.why);
        map.into_iter().chain(reloads.grave_fault(now))
    }
}
