//! What is to be done so that CODEOWNERS' name of a team means its Sentry team. Pure.
//!
//! Nothing but the mirror's own rows is changed: those that it has made, or found as they should be. A name of somebody else's
//! is told and left.

use crate::hosts::sentry::external::ExternalTeam;
use crate::state::ids::{OwnerName, SentryTeamId};
use crate::state::values::Fate;
use crate::state::State;

/// What is to be done about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkStep<'a> {
    /// It means the team. The row.
    Keep(&'a ExternalTeam),
    /// A row of the team's own has the name of before.
    Rename(&'a ExternalTeam),
    /// The mirror's row of this name is still another team's.
    Take(&'a ExternalTeam),
    Make,
    /// Somebody has had it mean another Sentry team.
    Conflict(&'a ExternalTeam),
}

/// What is to be done so that `name` means `sentry`, by the rows as they were seen. Pure.
pub fn step<'a>(
    state: &State,
    name: &OwnerName,
    sentry: SentryTeamId,
    rows: &[&'a ExternalTeam],
) -> LinkStep<'a> {
    let (mut own, mut other, mut before) = (None, None, None);
    for row in rows.iter().copied() {
        match (row.name == *name, row.team == sentry) {
            (true, true) => own = own.or(Some(row)),
            (true, false) if may_take(state, row) => other = other.or(Some(row)),
            (true, false) => return LinkStep::Conflict(row),
            (false, true) if is_ours(state, row) => before = before.or(Some(row)),
            (false, _) => {}
        }
    }
    match (own, other, before) {
        (Some(row), ..) => LinkStep::Keep(row),
        (None, Some(row), _) => LinkStep::Take(row),
        (None, None, Some(row)) => LinkStep::Rename(row),
        (None, None, None) => LinkStep::Make,
    }
}

/// Whether it is the mirror's, under the name that it has.
pub fn is_ours(state: &State, row: &ExternalTeam) -> bool {
    let links = &state.teams.links;
    let follows = state.teams.of_sentry(row.team);
    if follows.is_some_and(|team| links.is_meant(team, &row.name)) {
        return true;
    }
    links.owner(row.id).is_some_and(|team| links.has(team, row.id, &row.name))
}

/// Whether a row may be moved to the team that has its name now: it is the mirror's, or goes with a team that the mirror has
/// deleted, also where another one has been made in that one's place since.
pub fn may_take(state: &State, row: &ExternalTeam) -> bool {
    let is_deleted = || {
        let ended = state.teams.ended_with(row.team).and_then(|team| state.teams.gone(team));
        ended.is_some_and(|gone| gone.fate == Fate::Deleted) || state.teams.restored(row.team).is_some()
    };
    is_ours(state, row) || is_deleted()
}
