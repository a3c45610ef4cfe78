//! SIGHUP: reads secrets and filters again, without a restart.
//!
//! It applies the webhook's secrets, both tokens, `SYNC_TEAMS` and `SYNC_PROTECT` if they come from files: the
//! environment of a process doesn't change. The user map needs no signal; its file is checked all the time. A reload
//! with a fault changes nothing at all: the previous values stay in use, and log, metrics, status and readiness say so
//! until a reload succeeds.

use crate::config::{self, Config, Environment, Need};
use crate::hosts::http::credential::Credential;
use crate::intake::Intake;
use crate::service::core::Core;

/// Reads the configuration again and applies it, or logs why not.
pub fn reload(core: &Core, intake: &Intake, flags: &Environment, env: &Environment) {
    let mirror = core.mirror();
    match config::load(flags, env, Need::Everything) {
        Ok(config) => {
            let mut changed = take_over(core, &config);
            if intake.take_over(&config.webhook_secrets) {
                changed.insert(0, "GH_WEBHOOK_TOKEN");
            }
            config.warnings.iter().for_each(|config::Fault { what, fix, .. }| log::warn!("{what}; {fix}"));
            let what = if changed.is_empty() { "no changes".into() } else { changed.join(", ") };
            log::info!("reloaded: {what}");
            mirror.reloads.learn(None, mirror.clock.wall());
        }
        Err(error) => {
            log::error!("reload failed, keeping the previous settings: {error}");
            let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            let at = mirror.clock.wall();
            mirror.reloads.learn(Some(format!("the reload of {at} failed: {why}")), at);
        }
    }
}

/// Applies the settings that may change while the service runs. Returns the names of those that did.
fn take_over(core: &Core, config: &Config) -> Vec<&'static str> {
    let (mirror, reconciler) = (core.mirror(), &core.observer.reconciler);
    let mut changed = Vec::new();
    let mut settings = (*mirror.settings()).clone();
    if settings.teams != config.settings.teams {
        settings.teams = config.settings.teams.clone();
        changed.push("SYNC_TEAMS");
    }
    if settings.protect != config.settings.protect {
        settings.protect = config.settings.protect.clone();
        changed.push("SYNC_PROTECT");
    }
    if !changed.is_empty() {
        reconciler.forget_unused();
    }
    mirror.settings.set(settings);
    core.set_around(core.around().after_reload(config));
    if mirror.sentry.host().sign_in(Credential::Standing(config.sentry_token.clone())) {
        mirror.scopes.forget();
        mirror.owners.forget();
        reconciler.scim.forget();
        changed.push("SENTRY_TOKEN");
    }
    if mirror.sign_in_to_github(&config.github) {
        mirror.github_token.replace(&config.github);
        reconciler.missed.ask_again();
        changed.push(if config.github.is_app() { "GH_APP_KEY" } else { "GH_TOKEN" });
    }
    if !changed.is_empty() {
        mirror.queue.begin_anew();
    }
    changed
}
