//! Since when the service has not been ready, and since when nothing could be tried. Only regular checks can show that.

use super::LookFailed;
use crate::clock::Timestamp;
use crate::lock::Mutex;
use crate::status::Observer;

/// The findings of the last check. A check every second keeps them current.
#[derive(Debug, Default)]
pub struct Conditions(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    not_ready: Option<Timestamp>,
    /// The reason, and when it was first seen.
    paused: Option<(String, Timestamp)>,
}

impl Conditions {
    pub(super) fn not_ready_since(&self, now: Timestamp, is_ready: bool) -> Option<Timestamp> {
        let mut seen = self.0.lock();
        seen.not_ready = (!is_ready).then(|| seen.not_ready.unwrap_or(now));
        seen.not_ready
    }

    pub(super) fn paused_since(&self, now: Timestamp, why: &str) -> Timestamp {
        let mut seen = self.0.lock();
        let known = seen.paused.take().filter(|(known, _)| known == why);
        let (why, since) = known.unwrap_or_else(|| (why.into(), now));
        seen.paused = Some((why, since));
        since
    }

    fn not_paused(&self) {
        self.0.lock().paused = None;
    }
}

impl Observer {
    /// Checks both conditions, so that it is known since when they hold. Must be called every second.
    pub fn note_conditions(&self) {
        let now = self.mirror().clock.wall();
        self.conditions.not_ready_since(now, self.why_not_ready().is_empty());
        if self.standstill(now).is_none() {
            self.conditions.not_paused();
        }
    }

    /// Since when the service's own comparisons (payload mode: reads of Sentry's members) have failed, and why.
    pub(super) fn look_failed(&self) -> Option<LookFailed> {
        let failed = self.reconciler.looks().failed;
        failed.map(|(since, why)| LookFailed { since: since.into(), why })
    }

    pub(super) fn next_look(&self) -> Option<Timestamp> {
        let last = self.reconciler.looks().last.unwrap_or(self.mirror().started);
        Some(last.after(self.mirror().settings().interval?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_so_is_so_since_it_was_first_seen() {
        let seen = Conditions::default();
        let ready = |now, is_ready| seen.not_ready_since(Timestamp(now), is_ready).map(|at| at.0);
        assert_eq!([ready(1, false), ready(2, false)], [Some(1), Some(1)]);
        assert_eq!([ready(3, true), ready(4, false)], [None, Some(4)]);
        let paused = |now, why| seen.paused_since(Timestamp(now), why).0;
        assert_eq!([paused(1, "a"), paused(2, "a"), paused(3, "b")], [1, 1, 3]);
        seen.not_paused();
        assert_eq!(paused(4, "b"), 4);
    }
}
