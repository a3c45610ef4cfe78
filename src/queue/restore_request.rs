//! A person wants a Sentry team back that the mirror deleted: what is asked for, and how it stands.

use std::time::Duration;

use crate::lock::{Condvar, Mutex};
use crate::state::ids::{MemberId, SentryTeamId};
use crate::store::audit::deletions::{Deletion, Was};

/// What one person asked for, and how it stands.
#[derive(Debug)]
pub struct Undo {
    pub deletion: Deletion,
    told: Mutex<Told>,
    wake: Condvar,
}

#[derive(Clone, Debug, Default)]
pub struct Told {
    pub ended: Option<Result<Report, String>>,
    /// Why it was put off, when last.
    pub put_off: Option<String>,
    /// How many people and projects were dealt with, of all attempts.
    pub n_steps: usize,
}

/// What was brought back, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// It had been brought back before: only what it lacked of its projects was done.
    pub was_back: bool,
    pub now: Option<SentryTeamId>,
    /// How many people are in it again.
    pub n_back: usize,
    /// Who has another membership by now, and which.
    pub moved: Vec<(Was, MemberId)>,
    /// Who left Sentry meanwhile.
    pub left: Vec<Was>,
    /// Who could not be put in, and why.
    pub failed: Vec<(Was, String)>,
    /// Projects that are the team's again.
    pub linked: Vec<String>,
    /// Projects that are not there any more.
    pub vanished: Vec<String>,
    /// Projects that the token may not give back.
    pub denied: Vec<String>,
    /// Names in CODEOWNERS that mean the team again.
    pub named: Vec<String>,
    /// Names that could not be given back, and why.
    pub unnamed: Vec<(String, String)>,
    /// Which projects it had was not known.
    pub unknown_projects: bool,
}

impl Undo {
    pub fn new(deletion: Deletion) -> Self {
        Self { deletion, told: Mutex::default(), wake: Condvar::new() }
    }

    /// Somebody or something was dealt with.
    pub fn step(&self) {
        self.told.lock().n_steps += 1;
    }

    pub fn put_off(&self, why: &str) {
        self.told.lock().put_off = Some(why.into());
    }

    pub fn end(&self, ended: Result<Report, String>) {
        self.told.lock().ended = Some(ended);
        self.wake.notify_all();
    }

    /// Waits for the end, at the most this long; how it stands then.
    pub fn wait(&self, patience: Duration) -> Told {
        let told = self.told.lock();
        self.wake.wait_timeout_while(told, patience, |told| told.ended.is_none()).clone()
    }
}
