//! The `Reconciler`: what it works with, and what it remembers between comparisons. Its methods are in the other files
//! of this folder. Code that works on single teams must never call them.

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

/// Takes the number of teams that a first comparison adopts. Returns a warning for the operator, if one is needed.
pub type AtAdoptions = Box<dyn Fn(usize) -> Option<String> + Send + Sync>;

pub struct Reconciler {
    pub mirror: Arc<Mirror>,
    /// Locked while a comparison is made, so that only one runs at a time.
    pub(super) comparing: Turns,
    /// The last comparison that was carried out.
    pub(super) last_run: Mutex<Option<Reconciled>>,
    /// Whether Sentry's SCIM can be read.
    pub scim: Scim,
    /// The lists that GitHub doesn't show completely.
    pub incomplete: Incompleteness,
    pub(super) invite_trouble: Mutex<Option<InviteTrouble>>,
    /// Entries of `SYNC_PROTECT` and `SYNC_TEAMS` that match nothing.
    pub(super) unused: Mutex<Option<Vec<Unused>>>,
    /// Recovers deliveries that GitHub failed to deliver.
    pub missed: Missed,
    /// The warning of a service that starts without its previous state. Commands don't set it.
    pub at_adoptions: OnceLock<AtAdoptions>,
    pub(super) looks: Mutex<Looks>,
}

/// A comparison that was carried out, or is being carried out.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// When its parts were queued.
    pub at: Timestamp,
    /// How long reading and comparing took.
    pub took: Duration,
    /// The result, on one line.
    pub summary: String,
    /// The same in numbers.
    pub counts: Counts,
    /// Nothing was carried out, because the service is paused.
    pub paused: bool,
    /// How the members of Sentry's teams were read.
    pub by: By,
    pub run: Arc<Run>,
}

/// Why nobody can be invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteTrouble {
    /// Sentry's answer, or the limit that was reached.
    pub what: String,
    pub fix: String,
}

/// When the service last looked at both sides (in payload mode, at Sentry's people) without an event, and the result.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    /// When the last look began.
    pub last: Option<Timestamp>,
    /// Since when looks have failed, and why the last one did.
    pub failed: Option<(Timestamp, String)>,
}

impl Reconciler {
    /// Makes no call to GitHub or Sentry.
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

/// Gives a new client what is known about team ids, and has the journal keep what it finds out.
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
