//! Finds out once whether this Sentry accepts team ids in place of slugs. The journal keeps the answer, with the host
//! and organisation that it holds for.

use crate::hosts::http::Trouble;
use crate::hosts::sentry::Team;
use crate::reconcile::reconciler::Reconciler;
use crate::state::values::Binding;

/// How many bound teams are tried until one is found that exists.
const CANDIDATES: usize = 3;

/// Whether a bound team exists in Sentry under its slug.
type IsThere<'a> = &'a dyn Fn(&Binding) -> Result<bool, Trouble>;

impl Reconciler {
    /// Asks for a team by its id, if nobody knows yet whether Sentry accepts ids. `bound`: the teams bound before
    /// `shown` was read. `shown`: Sentry's teams, sorted by slug.
    pub fn ask_for_ids<'a>(&self, bound: impl Iterator<Item = &'a Binding>, shown: &[Team]) {
        let find = |binding: &Binding| {
            let at = shown.binary_search_by(|team| team.slug.cmp(&binding.slug));
            Ok(at.ok().and_then(|at| shown.get(at)).is_some_and(|team| team.id == binding.sentry))
        };
        self.ask(bound, &find);
    }

    /// The same for all bound teams. Each is looked up in Sentry by its slug.
    pub fn ask_for_ids_of_bound(&self) {
        let bound: Vec<Binding> =
            self.mirror.state(|state| state.teams.bindings().map(|(_, binding)| binding.clone()).collect());
        let find = |binding: &Binding| {
            let team = self.mirror.sentry.team(&binding.slug)?;
            Ok(team.is_some_and(|team| team.id == binding.sentry))
        };
        self.ask(bound.iter(), &find);
    }

    fn ask<'a>(&self, bound: impl Iterator<Item = &'a Binding>, is_there: IsThere) {
        if !self.mirror.sentry.ids().are_unknown(self.mirror.clock.wall()) {
            return;
        }
        // An all-digit slug could be equal to the id, and then an answer proves nothing.
        let is_plain = |binding: &&Binding| !binding.slug.as_str().bytes().all(|byte| byte.is_ascii_digit());
        if let Err(trouble) = self.try_one(&bound.filter(is_plain).collect::<Vec<_>>(), is_there) {
            say!(log::Level::Debug, "whether Sentry takes ids of teams is not known yet: {trouble}");
        }
    }

    /// After a move, only if every bound team exists there under its slug: then they are the same teams.
    fn try_one(&self, bound: &[&Binding], is_there: IsThere) -> Result<(), Trouble> {
        if self.mirror.sentry.ids().are_of_another_host() {
            for binding in bound {
                if !is_there(binding)? {
                    return Ok(());
                }
            }
            if let Some(binding) = bound.last() {
                self.mirror.sentry.ids().learn(self.mirror.sentry.answers_to_id(binding.at())?);
            }
            return Ok(());
        }
        for binding in bound.iter().take(CANDIDATES) {
            let answers = self.mirror.sentry.answers_to_id(binding.at())?;
            // A team that doesn't answer to its id may be gone, which says nothing about ids.
            if answers || is_there(binding)? {
                self.mirror.sentry.ids().learn(answers);
                break;
            }
        }
        Ok(())
    }
}
