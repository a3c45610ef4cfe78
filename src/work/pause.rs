//! `pause` and `resume`: whether anything may be written to Sentry at all.
//!
//! A pause is a record of the journal, so that it outlives the process. Every call that writes takes a [`Permit`], which
//! nobody gets during a pause; calls that have one when it begins are waited for. Deliveries are still kept, and both
//! sides are still read and compared.

use std::time::Duration;

use crate::hosts::sentry::permit::Permit;
use crate::queue::job::Outcome;
use crate::state::Pause;
use crate::work::mirror::Mirror;

/// When whoever wanted to write looks again whether the pause is over.
pub const AGAIN: Duration = Duration::from_secs(1);

impl Mirror {
    /// The pause that an operator has asked for, until it is resumed.
    pub fn pause(&self) -> Option<Pause> {
        self.state(|state| state.paused.clone())
    }

    /// Leave to write to Sentry; what has to be done later instead, during a pause.
    pub fn may_write(&self) -> Result<Permit<'_>, Outcome> {
        // Counted before the look: whoever pauses after it waits for this one.
        let permit = self.writes.begin();
        match self.pause() {
            Some(pause) => Err(Outcome::Later(pause.to_string(), Some(AGAIN))),
            None => Ok(permit),
        }
    }
}
