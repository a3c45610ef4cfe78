//! Whether Sentry takes ids of teams: asked once, kept in the journal with the host and the organisation that it is true of.

use crate::hosts::http::Trouble;
use crate::hosts::sentry::Team;
use crate::reconcile::reconciler::Reconciler;
use crate::state::values::Binding;

/// So many bound teams are looked at for one that is there.
const CANDIDATES: usize = 3;

/// Whether a bound team is in Sentry, under its slug.
type IsThere<'a> = &'a dyn Fn(&Binding) -> Result<bool, Trouble>;

impl Reconciler {
    /// Asks for a team by its id, if it is not known whether Sentry takes that. `bound`: the teams that were bound before the
    /// others in `shown`, all in Sentry and sorted by slug, were read.
    pub fn ask_for_ids<'a>(&self, bound: impl Iterator<Item = &'a Binding>, shown: &[Team]) {
        let find = |binding: &Binding| {
            let at = shown.binary_search_by(|team| team.slug.cmp(&binding.slug));
            Ok(at.ok().and_then(|at| shown.get(at)).is_some_and(|team| team.id == binding.sentry))
        };
        self.ask(bound, &find);
    }

    /// The same of all that are bound, each of which is looked at under its slug.
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
        // Where slugs may be all digits, an address of digits proves nothing.
        let is_plain = |binding: &&Binding| !binding.slug.as_str().bytes().all(|byte| byte.is_ascii_digit());
        if let Err(trouble) = self.try_one(&bound.filter(is_plain).collect::<Vec<_>>(), is_there) {
            say!(log::Level::Debug, "whether Sentry takes ids of teams is not known yet: {trouble}");
        }
    }

    /// After a move, only if every bound team is there under its slug: they are the same teams then.
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
            // What does not answer to its id may be gone: that tells nothing.
            if answers || is_there(binding)? {
                self.mirror.sentry.ids().learn(answers);
                break;
            }
        }
        Ok(())
    }
}
