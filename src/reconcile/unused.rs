//! Entries of `SYNC_PROTECT` and `SYNC_TEAMS` that name nothing. A safety list must not fail in silence: each such entry
//! is in the log, in `check`, in the status and in a metric. They are found whenever both sides have been read.

use serde::Serialize;

use crate::config::Settings;
use crate::hosts::sentry::Member;
use crate::reconcile::read::Both;
use crate::reconcile::reconciler::Reconciler;
use crate::state::address::Address;
use crate::state::ids::{GithubSlug, SentrySlug};
use crate::text::{plain, Safe};

/// One entry that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unused {
    pub setting: &'static str,
    /// The entry, as it is in use.
    pub entry: String,
    /// What was looked for.
    pub why: String,
}

impl Unused {
    fn new(setting: &'static str, entry: &str, why: &str) -> Self {
        // A letter of another script may look like one of these.
        let odd: Vec<_> =
            entry.chars().filter(|c| !c.is_ascii()).map(|c| format!("U+{:04X}", c as u32)).collect();
        let odd = match odd.as_slice() {
            [] => String::new(),
            odd => format!("; mind the characters beyond ASCII: {}", odd.join(", ")),
        };
        Self { setting, entry: plain(entry, 100), why: format!("{why}{odd}") }
    }

    /// Whether somebody or something may be without protection because of it.
    pub fn is_of_protection(&self) -> bool {
        self.setting == "SYNC_PROTECT"
    }

    /// All of it, in a sentence.
    pub fn told(&self) -> String {
        let effect = if self.is_of_protection() { "protects nobody and nothing" } else { "fits no team" };
        format!("{}: `{}` {effect}: {}", self.setting, Safe(&self.entry), self.why)
    }
}

/// The entries of `SYNC_PROTECT` that nobody has as an address and nothing as a slug.
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

/// The globs of `SYNC_TEAMS` that fit none of the teams that GitHub shows.
pub fn of_teams(settings: &Settings, teams: &[&GithubSlug]) -> Vec<Unused> {
    let why = "GitHub shows no team of such a slug";
    settings.teams.unused(teams).iter().map(|glob| Unused::new("SYNC_TEAMS", glob, why)).collect()
}

/// Whether one of Sentry's members shows an address.
pub fn is_shown(members: &[Member], address: &Address) -> bool {
    members.iter().any(|member| member.shows(address))
}

impl Reconciler {
    /// The entries that named nothing when both sides were read last; `None` before that.
    pub fn unused(&self) -> Option<Vec<Unused>> {
        self.unused.lock().clone()
    }

    /// Other lists are in use: nothing is known of them yet.
    pub fn forget_unused(&self) {
        *self.unused.lock() = None;
    }

    /// Read mode: both sides have been read.
    pub fn learn_unused(&self, both: &Both) {
        let teams: Vec<_> = both.github.teams.iter().map(|team| &team.facts.slug).collect();
        let listed = |slug: &SentrySlug| both.sentry.teams.iter().any(|team| team.slug == *slug);
        let has_member =
            |address: &Address| self.mirror.who.with_directory(|directory| directory.knows(address));
        let has_team = |slug: &SentrySlug| listed(slug) || (!both.sentry.listed && self.may_exist(slug));
        let mut unused = of_protect(&both.settings, has_member, has_team);
        unused.extend(of_teams(&both.settings, &teams));
        self.tell_unused(unused);
    }

    /// Payload mode: Sentry's people have been read. Which teams GitHub has is not known.
    pub fn learn_unused_of_sentry(&self) {
        let settings = self.mirror.settings();
        if settings.protect.is_empty() {
            return self.tell_unused(Vec::new());
        }
        let has_member =
            |address: &Address| self.mirror.who.with_directory(|directory| directory.knows(address));
        self.tell_unused(of_protect(&settings, has_member, |slug| self.may_exist(slug)));
    }

    /// Whether Sentry has a team of a slug; where that cannot be found out now, it may.
    fn may_exist(&self, slug: &SentrySlug) -> bool {
        let is_bound = |slug: &SentrySlug| {
            self.mirror.state(|state| state.teams.bindings().any(|(_, bound)| bound.slug == *slug))
        };
        is_bound(slug) || !matches!(self.mirror.sentry.team(slug), Ok(None))
    }

    fn tell_unused(&self, unused: Vec<Unused>) {
        let mut known = self.unused.lock();
        let is_new = |one: &&Unused| known.as_ref().is_none_or(|known| !known.contains(one));
        unused.iter().filter(is_new).for_each(|one| log::warn!("{}", one.told()));
        *known = Some(unused);
    }
}
