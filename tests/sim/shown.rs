//! What the process tells of itself, as far as a sequence goes by it.

use serde::de::IgnoredAny;
use serde::Deserialize;

/// What `status --json` shows.
#[derive(Deserialize)]
pub struct Shown {
    pub mode: Option<String>,
    pub queued: usize,
    pub open_hints: usize,
    pub failed: usize,
    /// There once GitHub's list of deliveries was read.
    pub recovered: Option<IgnoredAny>,
    pub holds: Vec<ShownHold>,
    last_reconcile: Option<ShownComparison>,
}

/// What the last comparison found.
#[derive(Deserialize)]
struct ShownComparison {
    /// Teams that wait for a slug which another one has.
    stuck: usize,
}

#[derive(Deserialize)]
pub struct ShownHold {
    pub name: String,
    pub changes: Vec<String>,
    /// There once somebody has decided.
    pub decision: Option<IgnoredAny>,
}

impl Shown {
    /// What nobody has decided yet, but for what would take over the foreign team.
    pub fn undecided(&self) -> impl Iterator<Item = &ShownHold> {
        let is_foreign = |hold: &ShownHold| hold.changes.iter().any(|change| change.contains("`foreign`"));
        self.holds.iter().filter(move |hold| hold.decision.is_none() && !is_foreign(hold))
    }

    pub fn waits_for_slugs(&self) -> bool {
        self.last_reconcile.as_ref().is_some_and(|last| last.stuck > 0)
    }

    /// Nothing waits, neither for its time nor for a person.
    pub fn is_at_rest(&self) -> bool {
        self.holds.is_empty() && self.queued == 0 && self.open_hints == 0
    }
}
