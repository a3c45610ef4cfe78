//! The shared part of one team's job. It must never know what is done about the team.

use crate::queue::job::{Hint, Outcome};
use crate::state::holds::HeldChange;
use crate::state::ids::{GithubSlug, GithubTeamId, SentrySlug};
use crate::state::record::Record;
use crate::state::values::{Binding, Fate, Mode};
use crate::state::{slug, Org};
use crate::work::apply::{Apply, Cause};
use crate::work::mirror::Mirror;
use crate::work::truth::Truth;

/// The values that all parts of a team's job share.
pub struct TeamJob<'a> {
    pub mirror: &'a Mirror,
    pub team: GithubTeamId,
    pub org: Org,
    /// Whose data is trusted.
    pub mode: Mode,
}

/// Why a team could not be brought into the wanted state.
pub enum Stop {
    /// The same outcome for all hints.
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

    /// The writer, for a cause. Without one, a write would be unexplained in the audit log.
    pub fn apply_for(&self, cause: Cause) -> Apply<'_> {
        Apply { mirror: self.mirror, team: self.team, cause }
    }

    /// The slug that a GitHub slug becomes in Sentry, for this team.
    pub fn sentry_slug(&self, github: &GithubSlug) -> SentrySlug {
        slug::for_team(github, self.team, &self.mirror.settings().slug_prefix)
    }

    /// Ends what was held about the team, of this kind: it is done or no longer needed.
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

    /// Whether `SYNC_TEAMS` leaves the team out. Such a team keeps its binding, but nothing is written. If no GitHub
    /// slug is given, the bound team's own slug decides.
    pub fn is_left_out(&self, told: Option<&GithubSlug>, binding: Option<&Binding>) -> bool {
        let settings = &self.mirror.settings();
        let own = binding.map(|binding| slug::on_github(&binding.slug, &settings.slug_prefix));
        told.or(own.as_ref()).is_some_and(|slug| !settings.teams.matches(slug))
    }

    /// The fate of the Sentry team, if the GitHub team's end was recorded.
    pub fn fate(&self) -> Option<Fate> {
        self.mirror.state(|state| state.teams.gone(self.team).map(|gone| gone.fate))
    }
}
