//! Permits to write to Sentry. Nothing is written without one, and a pause waits until nobody has one.

use std::time::Duration;

use crate::lock::{Condvar, Mutex};

/// Counts the writes in progress.
#[derive(Debug, Default)]
pub struct Writes {
    under_way: Mutex<usize>,
    ended: Condvar,
}

/// Permission to write to Sentry, for as long as this value exists.
#[derive(Debug)]
pub struct Permit<'a>(&'a Writes);

impl Writes {
    pub fn begin(&self) -> Permit<'_> {
        *self.under_way.lock() += 1;
        Permit(self)
    }

    /// Waits until no write is in progress, for at most `patience`. Returns whether none is.
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
