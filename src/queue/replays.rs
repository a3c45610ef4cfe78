//! Deliveries that had failed, and that a person wants to be looked at again.

use std::collections::BTreeSet;

use crate::lock::Mutex;
use crate::state::ids::Seq;

/// What comes of them is told in the audit log.
#[derive(Debug, Default)]
pub struct Replays(Mutex<BTreeSet<Seq>>);

impl Replays {
    pub fn note(&self, seq: Seq) {
        self.0.lock().insert(seq);
    }

    /// Whether a person wanted it; it is dealt with now.
    pub fn take(&self, seq: Seq) -> bool {
        self.0.lock().remove(&seq)
    }
}
