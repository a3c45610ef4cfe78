//! A person's request to restore a Sentry team that the mirror deleted, and its progress.

use std::time::Duration;

use crate::lock::{Condvar, Mutex};
use crate::state::ids::{MemberId, SentryTeamId};
use crate::store::audit::deletions::{Deletion, Was};

/// One person's request, and its progress.
#[derive(Debug)]
pub struct Undo {
    pub deletion: Deletion,
    told: Mutex<Told>,
    wake: Condvar,
}

#[derive(Clone, Debug, Default)]
pub struct Told {
    pub ended: Option<Result<Report, String>>,
    /// Why it was last put off.
    pub put_off: Option<String>,
    /// How many people and projects were handled, over all attempts.
    pub n_steps: usize,
}

/// What was restored, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The team was restored earlier. Only its missing projects were handled now.
    pub was_back: bool,
    pub now: Option<SentryTeamId>,
    /// How many people are in it again.
    pub n_back: usize,
    /// Who has another Sentry membership now, and which.
    pub moved: Vec<(Was, MemberId)>,
    /// Who has left Sentry since.
    pub left: Vec<Was>,
    /// Who could not be added, and why.
    pub failed: Vec<(Was, String)>,
    /// Projects that are the team's again.
    pub linked: Vec<String>,
    /// Projects that no longer exist.
    pub vanished: Vec<String>,
    /// Projects that the token isn't allowed to give back.
    pub denied: Vec<String>,
    /// Names in CODEOWNERS that refer to the team again.
    pub named: Vec<String>,
    /// Names that could not be given back, and why.
    pub unnamed: Vec<(String, String)>,
    /// It isn't known which projects the team had.
    pub unknown_projects: bool,
}

impl Undo {
    pub fn new(deletion: Deletion) -> Self {
        Self { deletion, told: Mutex::default(), wake: Condvar::new() }
    }

    /// A person or a project was handled.
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

    /// Waits for the end, but not longer than `patience`. Returns the progress then.
    pub fn wait(&self, patience: Duration) -> Told {
        let told = self.told.lock();
        self.wake.wait_timeout_while(told, patience, |told| told.ended.is_none()).clone()
    }
}
