//! Stops what no event named: more than a few deletions an hour; all removals while the journal is known to have lost
//! records; and, until a person lets the service begin, everything that nobody asked for. Pure.

use crate::clock::Timestamp;
use crate::config::Settings;
use crate::state::holds::Hold;
use crate::state::ids::GithubTeamId;
use crate::state::values::Mode;
use crate::state::State;

/// Whether a person has let the service begin, by approving its first comparison, or a comparison was carried out.
pub fn was_begun(state: &State) -> bool {
    let approved = |hold: &Hold| hold.decision.is_some_and(|decision| decision.approved);
    state.last_read.is_some() || state.holds.iter().any(|hold| hold.is_first() && approved(hold))
}

/// Whether nothing but deliveries and people's requests may write yet: the first comparison was not made yet, or waits
/// for approval. A restart or another token doesn't change that. In payload mode there are no comparisons to approve,
/// so nothing waits, unless one was made earlier.
pub fn waits_to_begin(settings: &Settings, state: &State) -> bool {
    let compares = state.mode.as_ref().is_some_and(|(mode, _)| *mode == Mode::Read);
    let was_compared = || state.holds.iter().any(Hold::is_first);
    settings.hold_first && !was_begun(state) && (compares || was_compared())
}

/// Whether one more team may be deleted now; if not, the rule with its numbers.
pub fn deletion(
    settings: &Settings,
    state: &State,
    team: GithubTeamId,
    now: Timestamp,
) -> Result<(), String> {
    if let Some(at) = state.damaged {
        return Err(damaged(at));
    }
    if let Some(rule) = deleted_again(state, team, now) {
        return Err(rule);
    }
    let deleted = state.teams.deleted_within_hour(now);
    let done = deleted + state.teams.being_deleted().count();
    // The teams that were deleted within the hour still count as part of the whole.
    let whole = state.teams.n_bound() + deleted;
    let limit = settings.max_deletions.of(whole);
    if done < limit {
        return Ok(());
    }
    Err(format!(
        "SYNC_MAX_DELETIONS {}: {done} of {whole} teams were deleted within the last hour; the limit is {limit}",
        settings.max_deletions
    ))
}

/// The rule for a team that GitHub has shown again after an end: a team that comes and goes is not deleted each time.
pub fn deleted_again(state: &State, team: GithubTeamId, now: Timestamp) -> Option<String> {
    let at = state.teams.returned(team, now)?;
    Some(format!("deleted again: the team came back on GitHub on {at} after its first deletion; a second deletion within 7 days needs approval"))
}

/// Whether a person may be removed from a team because an event says so.
pub fn removal(state: &State) -> Result<(), String> {
    state.damaged.map_or(Ok(()), |at| Err(damaged(at)))
}

fn damaged(at: Timestamp) -> String {
    format!("the journal was found damaged at {at}, so removals need approval")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{load, Need};
    use crate::state::ids::{GithubTeamId, SentrySlug, SentryTeamId};
    use crate::state::record::Record;
    use crate::state::values::{Binding, Fate, Intent, Origin};

    /// The team that is to be deleted.
    const TEAM: GithubTeamId = GithubTeamId(9);

    fn settings(limit: &str) -> Settings {
        let env = [("SYNC_MAX_DELETIONS".to_string(), limit.to_string())].into();
        load(&Default::default(), &env, Need::StateDir).unwrap().settings
    }

    /// `bound` teams, of which the first `deleted` are deleted at times 1, 2, …
    fn state(bound: u64, deleted: u64) -> State {
        let mut state = State::default();
        for n in 1..=bound {
            let slug = SentrySlug::from(format!("t{n}"));
            let binding = Binding { sentry: SentryTeamId(n), slug, name: "".into(), origin: Origin::Created };
            state.apply(Record::Bound { team: GithubTeamId(n), binding });
        }
        for n in 1..=deleted {
            state.apply(Record::Gone {
                team: GithubTeamId(n),
                fate: Fate::Deleted,
                apart: false,
                was: None,
                at: Timestamp(n),
            });
        }
        state
    }

    #[test]
    fn nothing_begins_before_a_person_has_said_so_or_a_comparison_was_carried_out() {
        use crate::state::holds::{HeldChange, FIRST};
        use crate::state::ids::SentrySlug;
        use crate::state::values::Sizes;
        let settings = settings("5%,2");
        let mode = |mode| Record::Mode { mode, fingerprint: "f".into(), by: None };
        let change = HeldChange::Create { team: GithubTeamId(1), slug: SentrySlug::from("t") };
        let hold = Hold::new(vec![change], format!("{FIRST}: why"), Timestamp(1), vec![]);
        let decided = |approved| Record::Decided { name: hold.name.clone(), approved, at: Timestamp(2) };
        let held = || Record::Held { hold: hold.clone() };
        let after = |records: Vec<Record>| {
            let mut state = state(3, 0);
            records.into_iter().for_each(|record| state.apply(record));
            waits_to_begin(&settings, &state)
        };
        let read = || Record::Read { sizes: Sizes::default(), at: Timestamp(1) };
        assert!(after(vec![mode(Mode::Read)]), "teams that events have brought in are no comparison");
        assert!(after(vec![mode(Mode::Read), held()]) && after(vec![mode(Mode::Payload), held()]));
        assert!(after(vec![mode(Mode::Read), held(), decided(false)]), "refused is not begun");
        assert!(!after(vec![mode(Mode::Payload)]), "there is nothing to approve");
        assert!(!after(vec![mode(Mode::Read), held(), decided(true)]));
        assert!(!after(vec![mode(Mode::Read), read()]));
        let expired = Record::Released { name: hold.name.clone() };
        assert!(after(vec![mode(Mode::Read), held(), expired]), "what expires is not approved");
        let mut begins =
            load(&Default::default(), &[("SYNC_FIRST".into(), "apply".into())].into(), Need::StateDir)
                .unwrap()
                .settings;
        let mut state = state(0, 0);
        state.apply(mode(Mode::Read));
        assert!(!waits_to_begin(&begins, &state));
        begins.hold_first = true;
        assert!(waits_to_begin(&begins, &state));
    }

    #[test]
    fn more_deletions_than_the_limit_within_an_hour_are_held() {
        let settings = settings("5%,2");
        assert_eq!(deletion(&settings, &state(10, 1), TEAM, Timestamp(9)), Ok(()));
        assert_eq!(
            deletion(&settings, &state(10, 2), TEAM, Timestamp(9)),
            Err("SYNC_MAX_DELETIONS 5%,2: 2 of 10 teams were deleted within the last hour; the limit is 2"
                .into())
        );
        assert_eq!(deletion(&settings, &state(10, 2), TEAM, Timestamp(3_600_002)), Ok(()));
        assert_eq!(deletion(&settings, &state(100, 4), TEAM, Timestamp(9)), Ok(()));
        assert!(deletion(&settings, &state(100, 5), TEAM, Timestamp(9)).is_err());
    }

    #[test]
    fn a_team_that_came_back_is_not_deleted_again_for_a_week() {
        let mut state = state(100, 0);
        let came_back = Timestamp(1_000_000);
        state.apply(Record::Gone {
            team: TEAM,
            fate: Fate::Deleted,
            apart: false,
            was: None,
            at: Timestamp(1),
        });
        state.apply(Record::Returned { team: TEAM, at: came_back, apart: false });
        let settings = settings("5%,2");
        let after = |days: u64| Timestamp(came_back.0 + days * 24 * 3_600_000);
        let rule = deletion(&settings, &state, TEAM, after(7)).unwrap_err();
        assert!(rule.starts_with("deleted again: the team came back on GitHub on "), "{rule}");
        assert_eq!(deletion(&settings, &state, GithubTeamId(8), after(1)), Ok(()));
        assert_eq!(deletion(&settings, &state, TEAM, after(8)), Ok(()));
        // A return is forgotten only when it no longer counts.
        state.forget_old(after(7));
        assert!(deletion(&settings, &state, TEAM, after(7)).is_err());
        state.forget_old(after(8));
        assert_eq!(deletion(&settings, &state, TEAM, after(7)), Ok(()));
    }

    #[test]
    fn deletions_under_way_count() {
        let mut state = state(10, 1);
        let intent = Intent::Deleting { sentry: SentryTeamId(5), slug: SentrySlug::from("t5") };
        state.apply(Record::Intends { team: GithubTeamId(5), intent, at: Timestamp(5) });
        // It is one of the nine that are bound.
        assert_eq!(
            deletion(&settings("5%,2"), &state, TEAM, Timestamp(9)),
            Err("SYNC_MAX_DELETIONS 5%,2: 2 of 10 teams were deleted within the last hour; the limit is 2"
                .into())
        );
    }

    #[test]
    fn nothing_is_taken_away_after_damage() {
        let mut state = state(10, 0);
        assert_eq!(removal(&state), Ok(()));
        state.apply(Record::Damaged { at: Timestamp(0) });
        assert!(
            removal(&state).is_err() && deletion(&settings("100%,99"), &state, TEAM, Timestamp(9)).is_err()
        );
    }
}
