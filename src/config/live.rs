//! The settings in force, and the results of reloads. The settings can be older than the files that define them.

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

    /// The current settings. A reload replaces them, so a caller that needs a consistent set keeps this one.
    pub fn get(&self) -> Arc<Settings> {
        self.0.read().clone()
    }

    pub fn set(&self, settings: Settings) {
        *self.0.write() = Arc::new(settings);
    }
}

/// The results of reloads since the start.
#[derive(Debug, Default)]
pub struct Reloads {
    done: AtomicU64,
    failed: AtomicU64,
    /// Why the last reload failed, and since when reloads have failed.
    fault: Mutex<Option<(String, Timestamp)>>,
}

/// Reloads that fail for longer than this are grave: nobody has noticed the warnings. Before that, settings that differ
/// from their files are no emergency.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);

impl Reloads {
    /// How many reloads succeeded, and how many failed.
    pub fn counts(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// Why the last reload failed; `None` if it succeeded.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().clone().map(|(why, _)| why)
    }

    /// The same, if reloads have failed for more than a day.
    pub fn grave_fault(&self, now: Timestamp) -> Option<String> {
        let fault = self.fault.lock().clone();
        fault.filter(|(_, since)| now.since(*since) > GRACE).map(|(why, _)| why)
    }

    /// Records a reload, with its fault if it failed.
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
