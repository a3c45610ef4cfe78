//! `pause` and `resume`: whether anything may be written to Sentry at all.
//!
//! A pause is a record in the journal, so it outlives the process. Every call that writes takes a [`Permit`], and
//! nobody gets one during a pause; calls that already have one are waited for. Meanwhile deliveries are still saved,
//! and both sides are still read and compared.

use std::time::Duration;

use crate::hosts::sentry::permit::Permit;
use crate::queue::job::Outcome;
use crate::state::Pause;
use crate::work::mirror::Mirror;

/// How long a stopped write waits before it checks again whether the pause is over.
pub const AGAIN: Duration = Duration::from_secs(1);

impl Mirror {
    /// The pause that an operator has begun, until it is resumed.
    pub fn pause(&self) -> Option<Pause> {
        self.state(|state| state.paused.clone())
    }

    /// Permission to write to Sentry; during a pause, the outcome that puts the write off.
    pub fn may_write(&self) -> Result<Permit<'_>, Outcome> {
        // Counted before the check: a pause that begins after it waits for this write.
        let permit = self.writes.begin();
        match self.pause() {
            Some(pause) => Err(Outcome::Later(pause.to_string(), Some(AGAIN))),
            None => Ok(permit),
        }
    }
}
