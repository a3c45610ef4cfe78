//! One team's job, as far as everybody knows it who works on a part of it. It must never know what is done about the team.

use crate::queue::job::{Hint, Outcome};
use crate::state::holds::HeldChange;
use crate::state::ids::{GithubSlug, GithubTeamId, SentrySlug};
use crate::state::record::Record;
use crate::state::values::{Binding, Fate, Mode};
use crate::state::{slug, Org};
use crate::work::apply::{Apply, Cause};
use crate::work::mirror::Mirror;
use crate::work::truth::Truth;

/// What the parts of a team's job share.
pub struct TeamJob<'a> {
    pub mirror: &'a Mirror,
    pub team: GithubTeamId,
    pub org: Org,
    /// Where the truth comes from.
    pub mode: Mode,
}

/// Why a team could not be brought into shape.
pub enum Stop {
    /// For all hints alike.
    With(Outcome),
    NotVisible,
}

impl From<Outcome> for Stop {
    fn from(outcome: Outcome) -> Self {
        Stop::With(outcome)
    }
}

impl TeamJob<'_> {
    /// The writer, on behalf of a hint.
    pub fn apply(&self, hint: &Hint) -> Apply<'_> {
        self.apply_for(Cause::of(hint))
    }

    /// The writer, for a cause: a write without one would be in the audit log unexplained.
    pub fn apply_for(&self, cause: Cause) -> Apply<'_> {
        Apply { mirror: self.mirror, team: self.team, cause }
    }

    /// The slug that a GitHub slug becomes in Sentry, for this team.
    pub fn sentry_slug(&self, github: &GithubSlug) -> SentrySlug {
        slug::for_team(github, self.team, &self.mirror.settings().slug_prefix)
    }

    /// What was held about the team, of this kind, is done or no longer due.
    pub fn not_due(&self, is_it: impl Fn(&HeldChange) -> bool) {
        let changes: Vec<_> = self.mirror.state(|state| {
            let held = state.holds.changes_of(self.team);
            held.filter(|change| is_it(change)).cloned().collect()
        });
        changes.into_iter().for_each(|change| self.mirror.journal.note(Record::NotDue { change }));
    }

    pub fn truth(&self) -> Truth<'_> {
        Truth { mirror: self.mirror, org: self.org.id, team: self.team }
    }

    pub fn binding(&self) -> Option<Binding> {
        self.mirror.state(|state| state.teams.binding(self.team).cloned())
    }

    /// A team that `SYNC_TEAMS` leaves out is dormant: its binding is kept, nothing is written. Without any slug at
    /// hand, a bound team's own is asked.
    pub fn is_left_out(&self, told: Option<&GithubSlug>, binding: Option<&Binding>) -> bool {
        let settings = &self.mirror.settings();
        let own = binding.map(|binding| slug::on_github(&binding.slug, &settings.slug_prefix));
        told.or(own.as_ref()).is_some_and(|slug| !settings.teams.matches(slug))
    }

    /// What became of the Sentry team, if the GitHub team's end is known.
    pub fn fate(&self) -> Option<Fate> {
        self.mirror.state(|state| state.teams.gone(self.team).map(|gone| gone.fate))
    }
}
