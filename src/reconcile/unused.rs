//! Finds entries of `SYNC_PROTECT` and `SYNC_TEAMS` that match nothing. A safety list must not fail silently: each such
//! entry is in the log, in `check`, in the status and in a metric. They are found at every reading of both sides.

use serde::Serialize;

use crate::config::Settings;
use crate::hosts::sentry::Member;
use crate::state::address::Address;
use crate::state::ids::{GithubSlug, SentrySlug};
use crate::text::{plain, Safe};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unused {
    pub setting: &'static str,
    /// The entry, as it is in force.
    pub entry: String,
    /// Why it matches nothing.
    pub why: String,
}

impl Unused {
    fn new(setting: &'static str, entry: &str, why: &str) -> Self {
        // A letter of another script may look like an ASCII one.
        let odd: Vec<_> =
            entry.chars().filter(|c| !c.is_ascii()).map(|c| format!("U+{:04X}", c as u32)).collect();
        let odd = match odd.as_slice() {
            [] => String::new(),
            odd => format!("; mind the characters beyond ASCII: {}", odd.join(", ")),
        };
        Self { setting, entry: plain(entry, 100), why: format!("{why}{odd}") }
    }

    /// Whether somebody or something may be unprotected because of it.
    pub fn is_of_protection(&self) -> bool {
        self.setting == "SYNC_PROTECT"
    }

    /// The setting, the entry, its effect and the reason, in one sentence.
    pub fn told(&self) -> String {
        let effect = if self.is_of_protection() { "protects nobody and nothing" } else { "fits no team" };
        format!("{}: `{}` {effect}: {}", self.setting, Safe(&self.entry), self.why)
    }
}

/// The entries of `SYNC_PROTECT` that are no member's address and no team's slug.
pub fn of_protect(
    settings: &Settings,
    has_member: impl Fn(&Address) -> bool,
    has_team: impl Fn(&SentrySlug) -> bool,
) -> Vec<Unused> {
    let unused = settings.protect.unused(has_member, has_team);
    let one = |entry: String| {
        let why = if entry.contains('@') {
            "no member of the Sentry organisation has this address"
        } else {
            "the Sentry organisation has no team of this slug; for a person, write their e-mail address"
        };
        Unused::new("SYNC_PROTECT", &entry, why)
    };
    unused.into_iter().map(one).collect()
}

/// The globs of `SYNC_TEAMS` that match none of the teams that GitHub shows.
pub fn of_teams(settings: &Settings, teams: &[&GithubSlug]) -> Vec<Unused> {
    let why = "GitHub shows no team of such a slug";
    settings.teams.unused(teams).iter().map(|glob| Unused::new("SYNC_TEAMS", glob, why)).collect()
}

/// Whether one of these Sentry members shows the address.
pub fn is_shown(members: &[Member], address: &Address) -> bool {
    members.iter().any(|member| member.shows(address))
}
