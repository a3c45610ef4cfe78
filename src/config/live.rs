//! The settings in force, and what reloads have come to: they may be older than the files that say them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::Settings;
use crate::lock::{Mutex, RwLock};

/// The configuration without its secrets.
#[derive(Debug)]
pub struct InForce(RwLock<Arc<Settings>>);

impl InForce {
    pub fn new(settings: Settings) -> Self {
        Self(RwLock::new(Arc::new(settings)))
    }

    /// They change with a reload: whoever needs them to be one and the same for a while keeps what this returns.
    pub fn get(&self) -> Arc<Settings> {
        self.0.read().clone()
    }

    pub fn set(&self, settings: Settings) {
        *self.0.write() = Arc::new(settings);
    }
}

/// What reloads have come to, since start.
#[derive(Debug, Default)]
pub struct Reloads {
    done: AtomicU64,
    failed: AtomicU64,
    /// Why the last one was not taken over, and since when none was.
    fault: Mutex<Option<(String, Timestamp)>>,
}

/// After so long, nobody has looked at the warnings: files that say something else than what is in use are no matter of
/// minutes.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);

impl Reloads {
    /// How many were taken over, and how many had a fault.
    pub fn counts(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// Why the last one was not taken over.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().clone().map(|(why, _)| why)
    }

    /// The same, if none was taken over for a day.
    pub fn grave_fault(&self, now: Timestamp) -> Option<String> {
        let fault = self.fault.lock().clone();
        fault.filter(|(_, since)| now.since(*since) > GRACE).map(|(why, _)| why)
    }

    /// One was taken over, or had a fault.
    pub fn learn(&self, fault: Option<String>, at: Timestamp) {
        let counter = if fault.is_some() { &self.failed } else { &self.done };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut known = self.fault.lock();
        let since = known.as_ref().map_or(at, |(_, since)| *since);
        *known = fault.map(|why| (why, since));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reloads_that_fail_for_a_day_are_grave_however_often_they_are_tried() {
        let reloads = Reloads::default();
        let at = |hours: u64| Timestamp(0).after(Duration::from_secs(hours * 3600));
        reloads.learn(Some("a".into()), at(0));
        assert_eq!((reloads.fault(), reloads.grave_fault(at(24))), (Some("a".into()), None));
        reloads.learn(Some("b".into()), at(23));
        assert_eq!(reloads.grave_fault(at(25)), Some("b".into()));
        reloads.learn(None, at(26));
        reloads.learn(Some("c".into()), at(27));
        assert_eq!((reloads.grave_fault(at(28)), reloads.counts()), (None, (1, 3)));
    }
}
