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
    rows: impl Iterator<Item = &'a ExternalTeam> + Clone,
) -> LinkStep<'a> {
    let named = rows.clone().filter(|row| row.name == *name);
    let mut others = named.clone().filter(|row| row.team != sentry);
    if let Some(row) = others.clone().find(|row| !may_take(state, row)) {
        return LinkStep::Conflict(row);
    }
    if let Some(row) = named.clone().find(|row| row.team == sentry) {
        return LinkStep::Keep(row);
    }
    if let Some(row) = others.next() {
        return LinkStep::Take(row);
    }
    let is_own = |row: &&ExternalTeam| row.team == sentry && is_ours(state, row);
    rows.clone().find(is_own).map_or(LinkStep::Make, LinkStep::Rename)
}

/// Whether it is the mirror's, under the name that it has.
pub fn is_ours(state: &State, row: &ExternalTeam) -> bool {
    let links = &state.teams.links;
    let follows = state.teams.of_sentry(row.team);
    if follows.is_some_and(|team| links.is_meant(team, &row.name)) {
        return true;
    }
    links.owner(row.id).is_some_and(|team| links.of(team).any(|(id, name)| id == row.id && *name == row.name))
}

/// Whether a row may be moved to the team that has its name now: it is the mirror's, or goes with a team that the mirror has
/// deleted.
pub fn may_take(state: &State, row: &ExternalTeam) -> bool {
    let is_deleted = || {
        let ended = state.teams.ended_with(row.team).and_then(|team| state.teams.gone(team));
        ended.is_some_and(|gone| gone.fate == Fate::Deleted)
    };
    is_ours(state, row) || is_deleted()
}
