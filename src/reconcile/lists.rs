//! Which entries of lists name nothing, as both sides were read last; told once each.

use super::read::Both;
use super::reconciler::Reconciler;
use super::unused::{of_protect, of_teams, Unused};
use crate::state::address::Address;
use crate::state::ids::SentrySlug;

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
        self.mirror.state(|state| state.teams.bindings().any(|(_, bound)| bound.slug == *slug))
            || !matches!(self.mirror.sentry.team(slug), Ok(None))
    }

    fn tell_unused(&self, unused: Vec<Unused>) {
        let mut known = self.unused.lock();
        let is_new = |one: &&Unused| known.as_ref().is_none_or(|known| !known.contains(one));
        unused.iter().filter(is_new).for_each(|one| log::warn!("{}", one.told()));
        *known = Some(unused);
    }
}
