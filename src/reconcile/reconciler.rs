//! Whoever compares both sides: what it works with, and what it remembers from one comparison to the next. What it does
//! stands in the files beside this one, and must never be called by what works on single teams.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::config::Settings;
use crate::hosts::http::Trouble;
use crate::hosts::sentry::Sentry;
use crate::intake::missed::Missed;
use crate::lock::{Mutex, Turns};
use crate::queue::part::Run;
use crate::reconcile::incomplete::Incompleteness;
use crate::reconcile::plan::Counts;
use crate::reconcile::scim::{By, Scim};
use crate::reconcile::unused::Unused;
use crate::state::record::Record;
use crate::state::values::SentryPlace;
use crate::store::journal::Journal;
use crate::work::mirror::Mirror;

/// Says to an operator that a first comparison adopts so many teams, if there is anything to say.
pub type AtAdoptions = Box<dyn Fn(usize) -> Option<String> + Send + Sync>;

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
    pub(super) invite_trouble: Mutex<Option<InviteTrouble>>,
    /// Entries of lists that name nothing.
    pub(super) unused: Mutex<Option<Vec<Unused>>>,
    /// Deliveries that GitHub could not hand over.
    pub missed: Missed,
    /// What a service says that begins without the state of before; a command says nothing of the kind.
    pub at_adoptions: OnceLock<AtAdoptions>,
    pub(super) looks: Mutex<Looks>,
}

/// A comparison that was carried out, or is being.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// When its parts were handed out.
    pub at: Timestamp,
    /// How long reading and comparing took.
    pub took: Duration,
    /// What it found, on one line.
    pub summary: String,
    /// The same as numbers.
    pub counts: Counts,
    /// Nothing of it was carried out, because of a pause.
    pub paused: bool,
    /// How it was read who is in Sentry's teams.
    pub by: By,
    pub run: Arc<Run>,
}

/// Why nobody can be invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteTrouble {
    /// What Sentry said, or which limit is reached.
    pub what: String,
    pub fix: String,
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
        remember(&mirror.sentry, &mirror.settings(), &mirror.journal, mirror.clock.clone());
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

    pub(super) fn note_looked(&self, looked: &Result<(), Trouble>) {
        let mut looks = self.looks.lock();
        looks.failed = looked.as_ref().err().map(|trouble| {
            let since = looks.failed.take().map_or_else(|| self.mirror.clock.wall(), |(since, _)| since);
            (since, trouble.to_string())
        });
    }
}

/// Tells a new client what was known before, and has whatever it finds out kept.
fn remember(sentry: &Sentry, settings: &Settings, journal: &Arc<Journal>, clock: Clock) {
    let host = settings.sentry_url.to_string();
    let place = SentryPlace { host: host.into(), org: settings.sentry_org.as_str().into() };
    let (taken, moved) = journal.read(|state| match &state.team_ids {
        Some((known, taken, at)) if *known == place => (Some((*taken, *at)), false),
        known => (None, known.is_some() && state.teams.n_bound() > 0),
    });
    let journal = journal.clone();
    let keep = move |taken| {
        let (place, at) = (place.clone(), clock.wall());
        journal.note(Record::TeamIds { place, taken, at });
    };
    sentry.ids().remember(taken, moved, Box::new(keep));
}
