//! Whoever compares both sides: what it works with, and what it remembers from one comparison to the next. What it does
//! stands in the files beside this one, and must never be called by what works on single teams.

use std::sync::{Arc, OnceLock};

use crate::clock::Timestamp;
use crate::hosts::http::Trouble;
use crate::intake::missed::Missed;
use crate::lock::{Mutex, Turns};
use crate::reconcile::in_team::Scim;
use crate::reconcile::incomplete::Incompleteness;
use crate::reconcile::invite::InviteTrouble;
use crate::reconcile::run::Reconciled;
use crate::reconcile::team_ids;
use crate::reconcile::unused::Unused;
use crate::work::mirror::Mirror;

/// Says to an operator that a first comparison adopts so many teams, if there is anything to say.
pub type AtAdoptions = Box<dyn Fn(usize) -> Option<String> + Send + Sync>;

/// Compares both sides.
pub struct Reconciler {
    pub mirror: Arc<Mirror>,
    /// Taken while a comparison is made: one at a time.
    pub(super) comparing: Turns,
    /// The last comparison that was carried out.
    pub(super) last_run: Mutex<Option<Reconciled>>,
    /// Whether Sentry's SCIM can be read.
    pub scim: Scim,
    /// What GitHub does not show completely.
    pub incomplete: Incompleteness,
    /// Why nobody can be invited.
    pub(super) invite_trouble: Mutex<Option<InviteTrouble>>,
    /// Entries of lists that name nothing.
    pub(super) unused: Mutex<Option<Vec<Unused>>>,
    /// Deliveries that GitHub could not hand over.
    pub missed: Missed,
    /// What a service says that begins without the state of before; a command says nothing of the kind.
    pub at_adoptions: OnceLock<AtAdoptions>,
    looks: Mutex<Looks>,
}

/// When both sides, or Sentry's people, were looked at without an event, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    /// The last one began then.
    pub last: Option<Timestamp>,
    /// Since when they fail, and why the last one did.
    pub failed: Option<(Timestamp, String)>,
}

impl Reconciler {
    /// Nothing is asked of anybody yet.
    pub fn new(mirror: Arc<Mirror>) -> Self {
        team_ids::remember(&mirror.sentry, &mirror.settings(), &mirror.journal, mirror.clock.clone());
        Self {
            mirror,
            comparing: Turns::default(),
            last_run: Mutex::default(),
            scim: Scim::default(),
            incomplete: Incompleteness::default(),
            invite_trouble: Mutex::default(),
            unused: Mutex::default(),
            missed: Missed::default(),
            at_adoptions: OnceLock::new(),
            looks: Mutex::default(),
        }
    }

    pub fn looks(&self) -> Looks {
        self.looks.lock().clone()
    }

    pub(super) fn note_look(&self) {
        self.looks.lock().last = Some(self.mirror.clock.wall());
    }

    pub(super) fn note_looked(&self, looked: &Result<(), Trouble>) {
        let mut looks = self.looks.lock();
        looks.failed = looked.as_ref().err().map(|trouble| {
            let since = looks.failed.take().map_or_else(|| self.mirror.clock.wall(), |(since, _)| since);
            (since, trouble.to_string())
        });
    }
}
