//! SIGHUP: reads secrets and filters again, without a restart.
//!
//! Taken over are the webhook's secrets, both tokens, `SYNC_TEAMS` and `SYNC_PROTECT`, where they come from files: the
//! environment of a process does not change. The user map needs no signal; its file is looked at all the time. A reload
//! with a fault changes nothing at all: what was in use stays, and log, metrics, status and readiness say so until a
//! reload succeeds.

use std::sync::atomic::{AtomicU64, Ordering};

use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::{self, Config, Environment, Need};
use crate::intake::Intake;
use crate::lock::Mutex;
use crate::work::engine::Engine;

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

    fn learn(&self, fault: Option<String>, at: Timestamp) {
        let counter = if fault.is_some() { &self.failed } else { &self.done };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut known = self.fault.lock();
        let since = known.as_ref().map_or(at, |(_, since)| *since);
        *known = fault.map(|why| (why, since));
    }
}

/// Reads the configuration again and takes it over, or says why not.
pub fn reload(engine: &Engine, intake: &Intake, flags: &Environment, env: &Environment) {
    match config::load(flags, env, Need::Everything) {
        Ok(config) => {
            let mut changed = engine.take_over(&config);
            if intake.take_over(&config.webhook_secrets) {
                changed.insert(0, "GH_WEBHOOK_TOKEN");
            }
            config.warnings.iter().for_each(|config::Fault { what, fix, .. }| log::warn!("{what}; {fix}"));
            let what = if changed.is_empty() { "nothing has changed".into() } else { changed.join(", ") };
            log::info!("reload: taken over: {what}");
            engine.reloads.learn(None, Timestamp::now());
        }
        Err(error) => {
            log::error!("reload: what was in use stays in use: {error}");
            let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            let at = Timestamp::now();
            engine.reloads.learn(Some(format!("the reload of {at} was not taken over: {why}")), at);
        }
    }
}

impl Engine {
    /// Takes over what may change while the service runs; names what did.
    fn take_over(&self, config: &Config) -> Vec<&'static str> {
        let mut changed = Vec::new();
        let mut settings = (*self.settings()).clone();
        if settings.teams != config.settings.teams {
            settings.teams = config.settings.teams.clone();
            changed.push("SYNC_TEAMS");
        }
        if settings.protect != config.settings.protect {
            settings.protect = config.settings.protect.clone();
            changed.push("SYNC_PROTECT");
        }
        if !changed.is_empty() {
            self.forget_unused();
        }
        self.set_settings(settings);
        self.set_surroundings(self.surroundings().after_reload(config));
        if self.sentry.host().set_token(&config.sentry_token) {
            self.forget_scopes();
            self.scim.forget();
            changed.push("SENTRY_TOKEN");
        }
        if self.github.host().set_token(&config.github_token) {
            self.replace_github_token(config.github_token.fingerprint());
            changed.push("GH_TOKEN");
        }
        if !changed.is_empty() {
            self.ask_for_reconcile();
        }
        changed
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
