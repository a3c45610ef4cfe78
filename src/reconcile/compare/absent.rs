//! Plans what happens to bound teams that GitHub doesn't show.

use super::{Index, Step, TeamPlan};
use crate::state::slug;
use crate::state::values::{Binding, Origin};
use crate::work::step::{self, EndStep};

impl Index<'_> {
    /// The plans for teams that have a Sentry team and that the snapshot doesn't show.
    pub(super) fn absent(&self) -> Vec<TeamPlan> {
        let bound = self.sides.state.teams.bindings().map(|(team, _)| team);
        let absent = bound.chain(self.made.values().copied()).filter(|team| !self.shown.contains(team));
        absent
            .filter_map(|team| {
                let binding = self.binding(team)?;
                let deleted = self.sides.deleted.contains(&team);
                let step = if deleted { self.end(&binding) } else { Step::NotVisible };
                let name = binding.name.to_string();
                let link = self.unlink(team, &step);
                Some(TeamPlan {
                    team,
                    slug: binding.slug,
                    name,
                    step,
                    link,
                    add: Vec::new(),
                    remove: Vec::new(),
                    held: None,
                    there: 0,
                })
            })
            .collect()
    }

    /// The step for the Sentry team of a deleted GitHub team, as far as that is known without reading its projects.
    pub(super) fn end(&self, binding: &Binding) -> Step {
        let settings = self.sides.settings;
        let (sentry, adopted) = (binding.sentry, binding.origin == Origin::Adopted);
        if !settings.teams.matches(&slug::on_github(&binding.slug, &settings.slug_prefix)) {
            return Step::Leave { sentry, why: "left out by SYNC_TEAMS".into() };
        }
        if self.is_locked(sentry) {
            return Step::Leave { sentry, why: step::LOCKED.into() };
        }
        match step::end(settings, &binding.slug, Some(&[]), false) {
            EndStep::Leave(why) => Step::Leave { sentry, why },
            EndStep::Empty => Step::Empty { sentry, adopted },
            // The worker reads the Sentry team later, and sees whether it owns projects, needs approval, or is gone.
            EndStep::Delete | EndStep::Hold(_) | EndStep::Refused | EndStep::Gone => {
                Step::Delete { sentry, adopted }
            }
        }
    }
}
