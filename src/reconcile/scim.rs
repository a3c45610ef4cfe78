//! Whether comparisons read Sentry's teams over SCIM, and how that is reported.

use std::fmt;
use std::time::{Duration, Instant};

use crate::lock::Mutex;

/// How long SCIM isn't tried again after Sentry has refused it.
const OFF_FOR: Duration = Duration::from_secs(24 * 3600);

/// How the members of Sentry's teams were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Through SCIM groups, a hundred teams per call.
    Groups,
    Teams(Why),
}

/// Why SCIM groups were not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// SCIM is switched off, or not available to this token.
    Off,
    /// SCIM would take as many calls or more.
    Few,
    /// Sentry's answer could not be used.
    Failed(String),
}

impl By {
    pub fn name(&self) -> &'static str {
        match self {
            By::Groups => "scim",
            By::Teams(_) => "teams",
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Groups => f.write_str("by SCIM, 100 teams a call"),
            By::Teams(why) => write!(f, "team by team: {why}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Off => f.write_str("SCIM is off in Sentry, or not available to this token"),
            Why::Few => f.write_str("SCIM would not save a call"),
            Why::Failed(why) => write!(f, "SCIM's answer cannot be used: {why}"),
        }
    }
}

/// Facts about SCIM that are kept between two comparisons.
#[derive(Debug, Default)]
pub struct Scim {
    off_since: Mutex<Option<Instant>>,
    last: Mutex<Option<By>>,
}

impl Scim {
    pub(super) fn is_off(&self, now: Instant) -> bool {
        self.off_since.lock().is_some_and(|since| now.saturating_duration_since(since) < OFF_FOR)
    }

    /// Records whether SCIM is on, after Sentry was asked.
    pub fn learn(&self, is_on: bool, now: Instant) {
        *self.off_since.lock() = (!is_on).then_some(now);
    }

    /// Forgets that SCIM was off, because there is a new token.
    pub fn forget(&self) {
        *self.off_since.lock() = None;
    }

    /// Logs how members are read, if that has changed since the last time.
    pub(super) fn tell(&self, by: &By) {
        if self.last.lock().replace(by.clone()).as_ref() == Some(by) {
            return;
        }
        let is_odd = matches!(by, By::Teams(Why::Failed(_)));
        let level = if is_odd { log::Level::Warn } else { log::Level::Info };
        log::log!(level, "reconcile: who is in Sentry's teams is read {by}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_scim_is_off_counts_for_a_day() {
        let (scim, now) = (Scim::default(), Instant::now());
        assert!(!scim.is_off(now));
        scim.learn(false, now);
        assert!(scim.is_off(now) && scim.is_off(now + OFF_FOR - Duration::from_secs(1)));
        assert!(!scim.is_off(now + OFF_FOR));
        scim.learn(true, now);
        assert!(!scim.is_off(now));
        scim.learn(false, now);
        scim.forget();
        assert!(!scim.is_off(now));
    }
}
