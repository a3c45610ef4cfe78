//! Whether anything can be worked on at all, and the reason if not.

use std::time::Duration;

use super::mirror::Mirror;
use super::pause;
use crate::hosts::http::pace::Health;
use crate::hosts::http::Upstream;
use crate::state::values::Mode;

/// No organisation is pinned; names both ways to pin one.
const NOT_PINNED: &str =
    "the GitHub organisation is not known yet: set GH_ORG to its login, or wait for the first signed event";

impl Mirror {
    /// Why the service doesn't know yet whose teams to mirror, and what to do.
    pub fn why_no_organisation(&self) -> String {
        let health = self.github.host().health();
        match (self.faults.told(), health, &self.settings().github_org) {
            (Some(told), ..) => told,
            (None, Health::Refused(why) | Health::Down(why), _) => format!("GitHub: {why}"),
            (None, Health::Well, Some(login)) => {
                format!("GitHub has not confirmed the organisation `{login}` yet")
            }
            (None, Health::Well, None) => NOT_PINNED.into(),
        }
    }

    /// Whether nothing but deliveries and people's requests may write yet.
    pub fn waits_to_begin(&self) -> bool {
        let settings = self.settings();
        self.state(|state| super::guard::waits_to_begin(&settings, state))
    }

    /// For how long nothing can be worked on, and why.
    pub fn paused_for(&self) -> Option<(Duration, String)> {
        let pause = self.pause().map(|pause| (pause::AGAIN, pause.to_string()));
        pause.or_else(|| self.blind_for())
    }

    /// For how long GitHub or Sentry cannot be read, and why. An operator's pause doesn't count: it stops only writes.
    pub fn blind_for(&self) -> Option<(Duration, String)> {
        let a_moment = Duration::from_secs(1);
        if let Some(fault) = self.faults.grave() {
            return Some((a_moment, fault));
        }
        let Some((org, mode)) = self.bearings() else {
            let why = if self.state(|state| state.org.is_some()) {
                self.github_token.why_no_mode()
            } else {
                "the organisation is not known yet".into()
            };
            return Some((a_moment, why));
        };
        if self.github_token.is_new() {
            return Some((a_moment, self.github_token.why_no_mode()));
        }
        if org.deleted {
            return Some((
                a_moment,
                format!("GitHub reports that the organisation `{}` was deleted", org.login),
            ));
        }
        if let Some(why) = self.journal.trouble().filter(|_| self.journal.is_broken()) {
            return Some((a_moment, why.to_string()));
        }
        let host = |host: &Upstream| {
            let why = match host.health() {
                Health::Well => String::new(),
                Health::Down(why) | Health::Refused(why) => format!(": {why}"),
            };
            host.paused_for().map(|wait| (wait, format!("{} cannot be used{why}", host.name())))
        };
        let github = if mode == Mode::Read { host(self.github.host()) } else { None };
        github.into_iter().chain(host(self.sentry.host())).max()
    }
}
