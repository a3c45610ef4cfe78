//! What keeps the mirror from being true: each reason says what to do. `/readyz` is for alerts; nothing stands before the
//! webhook because of it.

use super::{Host, STUCK};
use crate::hosts::http::first_answer::Heard;
use crate::hosts::http::redirect::{GITHUB_ADDRESS, SENTRY_ADDRESS};
use crate::hosts::http::Upstream;
use crate::status::Observer;

/// The API itself has not answered since the start, so that nobody knows whether its address is right. A refusal is told
/// with the hosts; `is_told`: so is what else is missing of it.
fn unheard(host: &Upstream, shown: &Host, is_told: bool) -> Option<String> {
    let (name, base) = (host.name(), host.base());
    let (setting, address) = match name {
        "GitHub" => ("GH_API_URL", GITHUB_ADDRESS),
        _ => ("SENTRY_URL", SENTRY_ADDRESS),
    };
    match host.heard() {
        Heard::TheApi => None,
        _ if shown.health == "refused" => None,
        Heard::Another(why) => Some(format!(
            "{name}'s API has not answered yet, deliveries are kept: {base} says {why}; if this lasts, correct {setting}: {address}"
        )),
        _ if is_told => None,
        Heard::Silence(why) => Some(format!("{name} has not answered yet, deliveries are kept: {why}")),
        Heard::Nothing => Some(format!("{name} has not answered yet, deliveries are kept")),
    }
}

impl Observer {
    /// What keeps the mirror from being true at this moment.
    pub(super) fn why_not_ready(&self) -> Vec<String> {
        let now = self.reconciler.mirror.clock.wall();
        self.not_ready(
            &Host::of(self.reconciler.mirror.github.host(), now),
            &Host::of(self.reconciler.mirror.sentry.host(), now),
        )
    }

    /// What keeps the mirror from being true, each with what to do.
    pub(super) fn not_ready(&self, github: &Host, sentry: &Host) -> Vec<String> {
        let mut reasons = Vec::new();
        let token = &self.reconciler.mirror.github_token;
        reasons.extend(self.reconciler.mirror.faults.grave());
        // A refusal is told with the hosts.
        if self.reconciler.mirror.state(|state| state.org.is_none()) && github.health != "refused" {
            reasons.push(self.reconciler.mirror.why_no_organisation());
        } else if (token.is_new()
            || token.is_untold()
            || self.reconciler.mirror.state(|state| state.mode.is_none()))
            && github.health != "refused"
        {
            reasons.push(token.why_no_mode());
        }
        if let Some(org) = self.reconciler.mirror.state(|state| state.org.clone()).filter(|org| org.deleted) {
            reasons.push(format!(
                "GitHub says that the organisation {} is deleted: all writes have stopped",
                org.login
            ));
        }
        let is_told = !reasons.is_empty();
        reasons.extend(unheard(self.reconciler.mirror.github.host(), github, is_told));
        reasons.extend(unheard(self.reconciler.mirror.sentry.host(), sentry, false));
        reasons.extend(self.reconciler.mirror.journal.trouble().map(|why| why.to_string()));
        for (name, host) in [("GitHub", github), ("Sentry", sentry)] {
            if host.health == "refused" {
                reasons.push(format!("{name}: {}", host.why.clone().unwrap_or_default()));
            }
        }
        reasons.extend(self.grave_files(self.reconciler.mirror.clock.wall()));
        let well = github.is_well() && sentry.is_well();
        let oldest = self
            .reconciler
            .mirror
            .state(|state| state.deliveries.queued().next().map(|delivery| delivery.at));
        if let Some(at) = oldest.filter(|at| {
            well && self.reconciler.mirror.clock.wall().since(*at) > STUCK
                && self.reconciler.mirror.queue.lanes.waits().is_empty()
        }) {
            reasons.push(format!("a delivery of {at} is still queued: `sentry-team-sync status` says why"));
        }
        reasons
    }
}
