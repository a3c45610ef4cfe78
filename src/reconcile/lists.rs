//! Entries of `SYNC_PROTECT` and `SYNC_TEAMS` that matched nothing at the last reading. Each is logged once.

use super::read::Both;
use super::reconciler::Reconciler;
use super::unused::{of_protect, of_teams, Unused};
use crate::state::address::Address;
use crate::state::ids::SentrySlug;

impl Reconciler {
    /// The entries that matched nothing at the last reading; `None` if nothing was read since the lists changed.
    pub fn unused(&self) -> Option<Vec<Unused>> {
        self.unused.lock().clone()
    }

    /// Forgets the result, because other lists are in use now.
    pub fn forget_unused(&self) {
        *self.unused.lock() = None;
    }

    /// Read mode, after both sides were read.
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

    /// Payload mode, after Sentry's people were read. `SYNC_TEAMS` isn't checked: nobody knows which teams GitHub has.
    pub fn learn_unused_of_sentry(&self) {
        let settings = self.mirror.settings();
        if settings.protect.is_empty() {
            return self.tell_unused(Vec::new());
        }
        let has_member =
            |address: &Address| self.mirror.who.with_directory(|directory| directory.knows(address));
        self.tell_unused(of_protect(&settings, has_member, |slug| self.may_exist(slug)));
    }

    /// Whether Sentry has a team with this slug. If that can't be found out now, the answer is yes.
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
