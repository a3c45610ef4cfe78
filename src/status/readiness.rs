//! What keeps the mirror from being true: each reason says what to do. `/readyz` is for alerts; nothing stands before the
//! webhook because of it.

use super::{Host, STUCK};
use crate::clock::Timestamp;
use crate::engine::Engine;
use crate::upstream::pace::Health;

/// Nobody has said whose teams are mirrored, and both ways to say it.
const NOT_PINNED: &str =
    "the GitHub organisation is not known yet: set GH_ORG to its login, or wait for the first signed event";

impl Engine {
    /// Why it is not known whose teams are mirrored, and what to do.
    pub fn why_no_organisation(&self) -> String {
        let health = self.github.host().health();
        match (self.told(), health, &self.settings().github_org) {
            (Some(told), ..) => told,
            (None, Health::Refused(why) | Health::Down(why), _) => format!("GitHub: {why}"),
            (None, Health::Well, Some(login)) => {
                format!("GitHub has not told yet who the organisation `{login}` is")
            }
            (None, Health::Well, None) => NOT_PINNED.into(),
        }
    }

    /// What keeps the mirror from being true at this moment.
    pub(super) fn why_not_ready(&self) -> Vec<String> {
        let now = Timestamp::now();
        self.not_ready(&Host::of(self.github.host(), now), &Host::of(self.sentry.host(), now))
    }

    /// What keeps the mirror from being true, each with what to do.
    pub(super) fn not_ready(&self, github: &Host, sentry: &Host) -> Vec<String> {
        let mut reasons = Vec::new();
        let token = &self.github_token;
        reasons.extend(self.fault());
        // A refusal is told with the hosts.
        if self.state(|state| state.org.is_none()) && github.health != "refused" {
            reasons.push(self.why_no_organisation());
        } else if (token.is_new() || token.is_untold() || self.state(|state| state.mode.is_none()))
            && github.health != "refused"
        {
            reasons.push(token.why_no_mode());
        }
        if let Some(org) = self.state(|state| state.org.clone()).filter(|org| org.deleted) {
            reasons.push(format!(
                "GitHub says that the organisation {} is deleted: all writes have stopped",
                org.login
            ));
        }
        reasons.extend(self.journal.trouble().map(|why| why.to_string()));
        for (name, host) in [("GitHub", github), ("Sentry", sentry)] {
            if host.health == "refused" {
                reasons.push(format!("{name}: {}", host.why.clone().unwrap_or_default()));
            }
        }
        reasons.extend(self.grave_files(Timestamp::now()));
        let well = github.is_well() && sentry.is_well();
        let oldest = self.state(|state| state.deliveries.queued().next().map(|delivery| delivery.at));
        if let Some(at) =
            oldest.filter(|at| well && Timestamp::now().since(*at) > STUCK && self.lanes.waits().is_empty())
        {
            reasons.push(format!("a delivery of {at} is still queued: `sentry-team-sync status` says why"));
        }
        reasons
    }
}
