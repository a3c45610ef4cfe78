//! Failed deliveries that a person asked to replay.

use std::collections::BTreeSet;

use crate::lock::Mutex;
use crate::state::ids::Seq;

/// Their outcomes go into the audit log.
#[derive(Debug, Default)]
pub struct Replays(Mutex<BTreeSet<Seq>>);

impl Replays {
    pub fn note(&self, seq: Seq) {
        self.0.lock().insert(seq);
    }

    /// Whether a person asked for it. Forgets that, because the delivery is settled now.
    pub fn take(&self, seq: Seq) -> bool {
        self.0.lock().remove(&seq)
    }
}
