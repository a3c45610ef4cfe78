//! `pause` and `resume`: whether anything may be written to Sentry at all.
//!
//! A pause is a record of the journal, so that it outlives the process. Every call that writes takes a [`Permit`], which
//! nobody gets during a pause; calls that have one when it begins are waited for. Deliveries are still kept, and both
//! sides are still read and compared.

use std::time::Duration;

use crate::lock::{Condvar, Mutex};
use crate::queue::job::Outcome;
use crate::state::Pause;
use crate::work::engine::Engine;

/// When whoever wanted to write looks again whether the pause is over.
pub const AGAIN: Duration = Duration::from_secs(1);

/// How many writes are under way.
#[derive(Debug, Default)]
pub struct Writes {
    under_way: Mutex<usize>,
    ended: Condvar,
}

/// Leave to write to Sentry, for as long as it is held.
#[derive(Debug)]
pub struct Permit<'a>(&'a Writes);

impl Writes {
    fn begin(&self) -> Permit<'_> {
        *self.under_way.lock() += 1;
        Permit(self)
    }

    /// Waits until no write is under way, but not longer than `patience`; whether that is so.
    pub fn wait_for_none(&self, patience: Duration) -> bool {
        let waited =
            self.ended.wait_timeout_while(self.under_way.lock(), patience, |under_way| *under_way > 0);
        *waited == 0
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.under_way.lock() -= 1;
        self.0.ended.notify_all();
    }
}

impl Engine {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_waited_for_until_the_last_one_has_ended() {
        let writes = Writes::default();
        assert!(writes.wait_for_none(Duration::ZERO));
        let (one, two) = (writes.begin(), writes.begin());
        assert!(!writes.wait_for_none(Duration::ZERO));
        drop(one);
        assert!(!writes.wait_for_none(Duration::ZERO));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| writes.wait_for_none(Duration::MAX));
            drop(two);
            assert!(waits.join().unwrap());
        });
    }
}
