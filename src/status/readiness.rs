//! Why the service is not ready. Each reason says what to do. `/readyz` is for alerts: the webhook takes deliveries
//! even while the service is not ready.

use super::{Host, STUCK};
use crate::clock::Timestamp;
use crate::hosts::http::first_answer::Heard;
use crate::hosts::http::redirect::{GITHUB_ADDRESS, SENTRY_ADDRESS};
use crate::hosts::http::Upstream;
use crate::state::Org;
use crate::status::Observer;

/// The reason, if the host's API has not answered since the start, so that its address may be wrong. A refusal has a
/// reason of its own. `is_told`: earlier reasons already cover a host that has only been silent.
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
            "{name}'s API has not answered yet; deliveries are queued: {base} answers {why}; if this lasts, correct {setting}: {address}"
        )),
        _ if is_told => None,
        Heard::Silence(why) => Some(format!("{name} has not answered yet; deliveries are queued: {why}")),
        Heard::Nothing => Some(format!("{name} has not answered yet; deliveries are queued")),
    }
}

impl Observer {
    pub(super) fn why_not_ready(&self) -> Vec<String> {
        let (mirror, now) = (self.mirror(), self.mirror().clock.wall());
        self.not_ready(&Host::of(mirror.github.host(), now), &Host::of(mirror.sentry.host(), now))
    }

    pub(super) fn not_ready(&self, github: &Host, sentry: &Host) -> Vec<String> {
        let mirror = self.mirror();
        let (token, now) = (&mirror.github_token, mirror.clock.wall());
        let (org, has_mode, oldest) = mirror.state(|state| {
            let oldest = state.deliveries.queued().next().map(|delivery| delivery.at);
            (state.org.clone(), state.mode.is_some(), oldest)
        });
        let mut reasons = Vec::new();
        reasons.extend(mirror.faults.grave());
        // A refusal has a reason of its own below.
        if github.health != "refused" {
            if org.is_none() {
                reasons.push(mirror.why_no_organisation());
            } else if token.is_new() || token.is_untold() || !has_mode {
                reasons.push(token.why_no_mode());
            }
        }
        reasons.extend(org.filter(|org| org.deleted).map(|Org { login, .. }| {
            format!("GitHub reports that the organisation {login} was deleted: writes have stopped")
        }));
        let is_told = !reasons.is_empty();
        reasons.extend(unheard(mirror.github.host(), github, is_told));
        reasons.extend(unheard(mirror.sentry.host(), sentry, false));
        reasons.extend(mirror.journal.trouble().map(|why| why.to_string()));
        for (name, host) in [("GitHub", github), ("Sentry", sentry)] {
            if host.health == "refused" {
                reasons.push(format!("{name}: {}", host.why.clone().unwrap_or_default()));
            }
        }
        reasons.extend(self.grave_files(now));
        let well = github.is_well() && sentry.is_well();
        let is_explained = !well || mirror.pause().is_some() || !mirror.queue.lanes.waits().is_empty();
        let is_stuck = |at: &Timestamp| !is_explained && now.since(*at) > STUCK;
        reasons.extend(oldest.filter(is_stuck).map(|at| {
            format!("a delivery received at {at} is still queued: `sentry-team-sync status` shows why")
        }));
        reasons
    }
}
