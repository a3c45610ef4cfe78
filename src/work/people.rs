//! Finds out who people are, for jobs. If that fails, the failure becomes an outcome for the hint.

use std::sync::Arc;

use super::mirror::Mirror;
use crate::hosts::github::facts::Claims;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::sentry::Member;
use crate::identity::matcher::{Effort, Matcher, Untold};
use crate::identity::usermap::UserMap;
use crate::identity::Identity;
use crate::queue::job::Outcome;
use crate::state::event::Person;
use crate::state::ids::{GithubTeamId, GithubUserId, Login};
use crate::state::record::Record;

impl Mirror {
    /// The matcher, with the settings in force.
    pub fn matcher(&self) -> Matcher<'_> {
        Matcher {
            who: &self.who,
            journal: &self.journal,
            audit: &self.audit,
            github: &self.github,
            sentry: &self.sentry,
            settings: self.settings(),
            clock: &self.clock,
        }
    }

    /// The outcome for a hint if it cannot be found out who somebody is.
    pub fn untold(&self, why: Untold) -> Outcome {
        match why {
            Untold::Github(trouble) => self.github_trouble(trouble),
            Untold::Sentry(trouble) => self.sentry_trouble(trouble),
            Untold::Map(why) => Outcome::Later(why, None),
        }
    }

    pub fn read_members(&self, linked: bool) -> Result<Vec<Member>, Trouble> {
        self.sentry.members(linked).inspect_err(|trouble| self.note_denied(trouble))
    }

    /// Reads all of Sentry's people. Returns whether they differ from before.
    pub fn read_directory(&self) -> Result<bool, Trouble> {
        self.matcher().read_directory().inspect_err(|trouble| self.note_denied(trouble))
    }

    /// If even the members are denied, this finds out what is wrong with the token, before any delivery meets it.
    fn note_denied(&self, trouble: &Trouble) {
        if trouble.kind == TroubleKind::Denied {
            self.sentry_trouble(trouble.clone());
        }
    }

    /// Notes that somebody whom Sentry doesn't know is wanted in a team.
    pub fn note_wanted(&self, team: GithubTeamId, user: GithubUserId, login: &Login, why: &str) {
        let (login, why, at) = (login.clone(), why.into(), self.clock.wall());
        self.journal.note(Record::Wanted { team, user, login, why, at });
    }

    /// Reads Sentry's people, unless they have been read.
    pub fn need_directory(&self) -> Result<(), Outcome> {
        self.matcher().need_directory().map_err(|why| self.untold(why))
    }

    pub fn user_map(&self) -> Result<Arc<UserMap>, Outcome> {
        self.matcher().user_map().map_err(|why| self.untold(why))
    }

    pub fn claims(&self, person: &Person) -> Result<Claims, Outcome> {
        self.matcher().claims(person).map_err(|why| self.untold(why))
    }

    pub fn identify(&self, person: &Person, effort: Effort) -> Result<Identity, Outcome> {
        self.matcher().identify(person, effort).map_err(|why| self.untold(why))
    }

    pub fn identify_for_removal(&self, person: &Person) -> Result<Identity, Outcome> {
        self.matcher().identify_for_removal(person).map_err(|why| self.untold(why))
    }
}
