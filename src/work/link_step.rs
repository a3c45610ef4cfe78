//! Decides what to do so that CODEOWNERS' name of a team means its Sentry team. Pure.
//!
//! Only the service's own rows may be changed: those that it made, or found correct. A name that somebody else linked
//! is reported and left alone.

use crate::hosts::sentry::external::ExternalTeam;
use crate::state::ids::{OwnerName, SentryTeamId};
use crate::state::values::Fate;
use crate::state::State;

/// The step to take for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkStep<'a> {
    /// This row has the name and means the team.
    Keep(&'a ExternalTeam),
    /// This row of the team still has the team's previous name.
    Rename(&'a ExternalTeam),
    /// This row has the name and another team, and may be moved ([`may_take`]).
    Take(&'a ExternalTeam),
    Make,
    /// This row has the name and another team, and belongs to somebody else.
    Conflict(&'a ExternalTeam),
}

/// Decides what to do so that `name` means `sentry`, given the rows that were read. Pure.
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

/// Whether a row is the service's, under the name that it has.
pub fn is_ours(state: &State, row: &ExternalTeam) -> bool {
    let links = &state.teams.links;
    let follows = state.teams.of_sentry(row.team);
    if follows.is_some_and(|team| links.is_meant(team, &row.name)) {
        return true;
    }
    links.owner(row.id).is_some_and(|team| links.has(team, row.id, &row.name))
}

/// Whether a row may be moved to the team that has its name now: it is the service's, or belongs to a Sentry team that
/// the service deleted, even if that team has been made again since.
pub fn may_take(state: &State, row: &ExternalTeam) -> bool {
    let is_deleted = || {
        let ended = state.teams.ended_with(row.team).and_then(|team| state.teams.gone(team));
        ended.is_some_and(|gone| gone.fate == Fate::Deleted) || state.teams.restored(row.team).is_some()
    };
    is_ours(state, row) || is_deleted()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::state::ids::{ExternalTeamId, GithubTeamId, SentrySlug};
    use crate::state::record::Record;
    use crate::state::values::{Binding, Origin};

    const TEAM: GithubTeamId = GithubTeamId(1);
    const CREW: SentryTeamId = SentryTeamId(11);
    const OTHER: SentryTeamId = SentryTeamId(12);

    fn row(id: u64, name: &str, team: SentryTeamId) -> ExternalTeam {
        let (id, name) = (ExternalTeamId(id), OwnerName::from(name));
        ExternalTeam { id, name, team, provider: "github".into(), integration: None }
    }

    fn linked(row: u64, name: &str) -> Record {
        Record::Linked { team: TEAM, row: ExternalTeamId(row), name: OwnerName::from(name) }
    }

    /// The team follows `crew`, and has these rows.
    fn state(records: impl IntoIterator<Item = Record>) -> State {
        let mut state = State::default();
        let (slug, name) = (SentrySlug::from("crew"), "Crew".into());
        let binding = Binding { sentry: CREW, slug, name, origin: Origin::Created };
        state.apply(Record::Bound { team: TEAM, binding });
        records.into_iter().for_each(|record| state.apply(record));
        state
    }

    fn by(state: &State, rows: &[ExternalTeam]) -> String {
        let name = OwnerName::from("@acme/crew");
        match step(state, &name, CREW, &rows.iter().collect::<Vec<_>>()) {
            LinkStep::Keep(row) => format!("keep {}", row.id),
            LinkStep::Rename(row) => format!("rename {}", row.id),
            LinkStep::Take(row) => format!("take {}", row.id),
            LinkStep::Make => "make".into(),
            LinkStep::Conflict(row) => format!("conflict {}", row.id),
        }
    }

    #[test]
    fn a_name_is_made_kept_or_renamed_from_the_one_before() {
        let before = [row(6, "@acme/old", CREW)];
        let both = [before[0].clone(), row(5, "@acme/crew", CREW)];
        let known = state([linked(6, "@acme/old")]);
        assert_eq!(by(&known, &[]), "make");
        assert_eq!(by(&known, &before), "rename 6");
        assert_eq!(by(&known, &both), "keep 5");
        // This row is not the service's, so it must not be renamed.
        assert_eq!(by(&state([]), &before), "make");
        assert_eq!(by(&state([linked(6, "@acme/older")]), &before), "make");
    }

    #[test]
    fn a_row_that_is_meant_to_have_its_name_is_the_mirrors_before_it_is_seen() {
        let meant = state([linked(0, "@acme/old")]);
        assert_eq!(by(&meant, &[row(6, "@acme/old", CREW)]), "rename 6");
        assert_eq!(by(&meant, &[row(6, "@acme/older", CREW)]), "make");
    }

    #[test]
    fn the_name_of_others_is_left_unless_it_is_the_mirrors_or_goes_with_a_team_that_it_has_deleted() {
        let theirs = [row(7, "@acme/crew", OTHER)];
        assert_eq!(by(&state([]), &theirs), "conflict 7");
        assert_eq!(by(&state([linked(7, "@acme/crew")]), &theirs), "take 7");
        let ended = |fate| {
            let team = GithubTeamId(2);
            let (slug, name) = (SentrySlug::from("other"), "Other".into());
            let binding = Binding { sentry: OTHER, slug, name, origin: Origin::Created };
            let gone =
                Record::Gone { team, fate, apart: false, was: Some(binding.clone()), at: Timestamp(1) };
            state([Record::Bound { team, binding }, gone])
        };
        assert_eq!(by(&ended(Fate::Deleted), &theirs), "take 7");
        assert_eq!(by(&ended(Fate::Left), &theirs), "conflict 7");
    }
}
