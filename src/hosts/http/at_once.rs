//! Limits how many calls a host gets at the same time, from all workers and readers together.
//!
//! Besides calls per second, Sentry limits calls in progress. All integrations of an organisation share that limit: 25
//! at sentry.io. So the mirror makes only a few calls at a time, whatever `SYNC_WORKERS` says, and fewer if Sentry
//! reports that few are left.

use crate::lock::{Condvar, Mutex};

/// The most calls at the same time.
pub const MOST: usize = 8;

/// The calls in progress.
#[derive(Debug)]
pub struct AtOnce {
    inner: Mutex<Inner>,
    free: Condvar,
}

#[derive(Debug)]
struct Inner {
    under_way: usize,
    most: usize,
    stopped: bool,
}

/// One call's place. Dropping it frees the place.
#[derive(Debug)]
pub struct Place<'a>(&'a AtOnce);

impl Default for AtOnce {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { under_way: 0, most: MOST, stopped: false }), free: Condvar::new() }
    }
}

impl AtOnce {
    /// Waits for a place; `None` if the process stops.
    pub fn take(&self) -> Option<Place<'_>> {
        let inner = self.inner.lock();
        let is_full = |inner: &mut Inner| !inner.stopped && inner.under_way >= inner.most;
        let mut inner = self.free.wait_while(inner, is_full);
        if inner.stopped {
            return None;
        }
        inner.under_way += 1;
        Some(Place(self))
    }

    /// Learns from an answer how many more calls could be in progress now. One is always allowed: otherwise no answer
    /// would ever report that there are more again.
    pub fn learn(&self, remaining: Option<usize>) {
        let Some(remaining) = remaining else { return };
        self.inner.lock().most = remaining.clamp(1, MOST);
        self.free.notify_all();
    }

    pub fn stop(&self) {
        self.inner.lock().stopped = true;
        self.free.notify_all();
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.inner.lock().under_way -= 1;
        self.0.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Lets many threads take a place. Returns the most that ever had one at the same time.
    fn most_inside(at_once: &AtOnce) -> usize {
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 * MOST {
                scope.spawn(|| {
                    let _place = at_once.take().unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        most.into_inner()
    }

    #[test]
    fn no_more_than_a_few_are_under_way_and_fewer_where_few_are_left() {
        let at_once = AtOnce::default();
        assert!(most_inside(&at_once) <= MOST);
        at_once.learn(Some(2));
        assert!(most_inside(&at_once) <= 2);
        at_once.learn(Some(0));
        assert_eq!(most_inside(&at_once), 1, "one always asks");
        at_once.learn(None);
        assert_eq!(at_once.inner.lock().most, 1, "who says nothing changes nothing");
        at_once.learn(Some(999));
        assert_eq!(at_once.inner.lock().most, MOST);
    }

    #[test]
    fn stopping_ends_waiting() {
        let at_once = AtOnce::default();
        at_once.learn(Some(1));
        let place = at_once.take();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| at_once.take().is_none());
            at_once.stop();
            assert!(waiting.join().unwrap());
        });
        drop(place);
        assert!(at_once.take().is_none());
    }
}
