//! Worlds whose Sentry is of another era, or another of its servers.
//!
//! `SYNC_TEST_ERA` chooses for all worlds that do not choose themselves: `23.7.1` (the default), `today` (sentry.io),
//! `today/region` (a host of one of its regions) or `today/self-hosted`.

use super::{Truth, World};
use crate::standin::{mirror_permissions, Era, GithubApp, SentryStandin, Silo, APP_KEY};

/// The pretend Sentry that worlds get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Its era.
    pub era: Era,
    /// Which of its servers the program is told.
    pub silo: Silo,
}

impl Played {
    /// The usual server of an era.
    pub fn usual(era: Era) -> Self {
        Self { era, silo: era.usual_silo() }
    }

    /// Today's host of a region.
    pub fn region(name: &str) -> Self {
        Self { era: Era::Today, silo: Silo::Region(name.into()) }
    }

    /// Today's self-hosted server.
    pub fn self_hosted() -> Self {
        Self { era: Era::Today, silo: Silo::Monolith }
    }

    /// What `SYNC_TEST_ERA` asks for.
    pub fn asked_for() -> Self {
        match std::env::var("SYNC_TEST_ERA").as_deref() {
            Err(_) | Ok("" | "23.7.1") => Self::usual(Era::V23_7_1),
            Ok("today") => Self::usual(Era::Today),
            Ok("today/region") => Self::region("de"),
            Ok("today/self-hosted") => Self::self_hosted(),
            Ok(other) => {
                panic!("SYNC_TEST_ERA is `{other}`: 23.7.1, today, today/region or today/self-hosted")
            }
        }
    }

    pub(super) fn start(self) -> SentryStandin {
        SentryStandin::start_on(self.era, self.silo, "acme-sentry", 0).expect("the stand-in starts")
    }
}

impl World {
    /// A world whose Sentry is of this era, on its usual server.
    pub fn in_era(truth: Truth, era: Era) -> Self {
        Self::with(truth, Played::usual(era))
    }

    /// A world with this Sentry.
    pub fn with(truth: Truth, played: Played) -> Self {
        Self::around(truth, played.start())
    }

    /// With a Sentry token that may also list teams.
    pub fn may_list_teams(mut self) -> Self {
        self.sentry_token = self.sentry.add_token(mirror_permissions());
        self.set("SENTRY_TOKEN", &self.sentry_token.clone());
        self
    }

    /// Signs in to GitHub as an App that is installed on the organisation, in place of the token.
    pub fn as_app(&mut self) {
        let app = GithubApp::default();
        self.env.remove("GH_TOKEN");
        self.set("GH_APP_ID", &app.id.to_string());
        self.set("GH_APP_KEY", APP_KEY);
        self.github.set_app(app);
    }
}
