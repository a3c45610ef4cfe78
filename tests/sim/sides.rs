//! Both sites with an organisation, an owner and tokens; and which truth the GitHub token allows.

use std::time::Duration;

use super::stage::Stage;
pub use crate::standin::Truth;
use crate::standin::{
    original_permissions, time, GithubStandin, GithubTeam, GithubToken, GithubUser, SentryStandin,
};

/// The webhook's secret.
pub const SECRET: &str = "a secret of forty letters, for the webhook";

pub struct Sides {
    pub github: GithubStandin,
    pub sentry: SentryStandin,
    /// An owner of the organisation, who makes the teams.
    pub olive: u64,
}

impl Sides {
    /// An organisation without teams. The process of that stage is told of both.
    pub fn new(stage: &Stage, truth: Truth) -> Self {
        let (github, sentry) = (stage.github.clone(), stage.sentry.clone());
        let site = github.url().replace("http://", "");
        sentry.add_integration("github", &format!("{site}/acme"));
        let olive = GithubUser::new("olive").owner();
        // A comparison takes nobody out by an address that anybody may set.
        let olive = github.add_person(match truth {
            Truth::Github => olive.verified("olive@acme.test"),
            Truth::Deliveries => olive.email("olive@acme.test"),
        });
        sentry.add_member("olive@acme.test");
        let token = match truth {
            Truth::Deliveries => GithubToken::no_permission(olive),
            Truth::Github => GithubToken::members_read(olive),
        };
        for (name, value) in [
            ("GH_TOKEN", github.add_token(token).as_str()),
            ("GH_WEBHOOK_TOKEN", SECRET),
            ("SENTRY_TOKEN", &sentry.add_token(original_permissions())),
            ("SENTRY_ORG_SLUG", "acme-sentry"),
            ("GH_API_URL", &github.url()),
            ("SENTRY_URL", &sentry.url()),
            ("SYNC_STATE_DIR", super::process::STATE),
        ] {
            stage.set(name, value);
        }
        Self { github, sentry, olive }
    }

    /// A team that was there before the mirror.
    pub fn old_team(&self, name: &str) -> u64 {
        let yesterday = time::now() - Duration::from_secs(24 * 3600);
        self.github.add_team(GithubTeam::new(name).created(yesterday))
    }

    /// What of it takes somebody or something away.
    pub fn removals_since(&self, mark: usize) -> Vec<String> {
        let mut writes = self.writes_since(mark);
        writes.retain(|write| write.starts_with("DELETE "));
        writes
    }

    /// What was written to Sentry since, whatever came of it.
    pub fn writes_since(&self, mark: usize) -> Vec<String> {
        let calls = self.sentry.wire.calls_since(mark).into_iter();
        let writes = calls.filter(|call| call.method != "GET");
        writes.map(|call| format!("{} {}", call.route, call.status)).collect()
    }
}
