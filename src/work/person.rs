//! A person across teams: somebody joined or left the organisation.

use std::collections::BTreeSet;

use super::SECOND_LOOK;
use crate::identity::Identity;
use crate::queue::job::{Ask, Hint, LaneKey, Origin, Outcome, Whole};
use crate::state::event::{Change, Event, Person};
use crate::state::ids::GithubTeamId;
use crate::state::values::Mode;
use crate::state::{Org, State};
use crate::work::mirror::Mirror;

/// Works on one hint. `None` if it lives on in its parts.
pub fn run(mirror: &Mirror, hint: &Hint, org: &Org, mode: Mode) -> Option<Outcome> {
    match hint.event() {
        Some(Event::MemberAdded { person: Some(person) }) => joined(mirror, hint, person, org, mode),
        Some(Event::MemberRemoved { person: Some(person) }) => left(mirror, hint, person, org, mode),
        _ => Some(Outcome::Done("nothing to do".into())),
    }
}

fn joined(mirror: &Mirror, hint: &Hint, person: &Person, org: &Org, mode: Mode) -> Option<Outcome> {
    if mode == Mode::Payload {
        return Some(Outcome::Done("joined the organisation; each team membership has its own event".into()));
    }
    match mirror.github.teams_of(&org.login, person) {
        Ok(Some(teams)) => in_parts(mirror, hint, person, teams, None, false),
        // The organisation itself is not visible, which says nothing about its teams.
        Ok(None) => {
            Some(mirror.check_permission(org).err().unwrap_or_else(|| {
                Outcome::Later("GitHub does not show the organisation's teams".into(), None)
            }))
        }
        Err(trouble) => Some(mirror.github_trouble(trouble)),
    }
}

fn left(mirror: &Mirror, hint: &Hint, person: &Person, org: &Org, mode: Mode) -> Option<Outcome> {
    if mode == Mode::Read {
        match mirror.github.is_in_org(&org.login, person) {
            // A token without permission gets the same 404.
            Ok(false) => match mirror.check_permission(org) {
                Ok(()) => {}
                Err(outcome) => return Some(outcome),
            },
            Ok(true) if hint.looks == 0 => {
                return Some(Outcome::LookAgain(
                    "GitHub still shows them in the organisation".into(),
                    SECOND_LOOK,
                ));
            }
            Ok(true) => return back(mirror, hint, person, org).unwrap_or_else(Some),
            Err(trouble) => return Some(mirror.github_trouble(trouble)),
        }
    }
    let teams = match mirrored_teams(mirror, person, hint) {
        Ok(teams) => teams,
        Err(outcome) => return Some(outcome),
    };
    in_parts(mirror, hint, person, teams, Some(Change::Removed), true)
}

/// Somebody who left may be back by the time that GitHub is asked, but not in all their teams. The departure supersedes
/// older events about these teams, so every team that GitHub does not show them in is looked at.
fn back(mirror: &Mirror, hint: &Hint, person: &Person, org: &Org) -> Result<Option<Outcome>, Outcome> {
    let mut teams = mirrored_teams(mirror, person, hint)?;
    if !teams.is_empty() {
        let shown = mirror.github.teams_of(&org.login, person);
        let shown = shown.map_err(|trouble| mirror.github_trouble(trouble))?;
        // If GitHub does not show their teams, that proves nothing about any of them.
        teams.retain(|team| shown.as_ref().is_some_and(|shown| !shown.contains(team)));
    }
    if teams.is_empty() {
        let still = format!("GitHub shows `{}` in the organisation; nothing was removed", person.login);
        return Ok(Some(Outcome::Done(still)));
    }
    Ok(in_parts(mirror, hint, person, teams, Some(Change::Removed), false))
}

/// The bound teams that the person is in: according to Sentry and, because an addition may be under way, according to
/// our own state. Sentry teams that follow no GitHub team do not matter here.
fn mirrored_teams(mirror: &Mirror, person: &Person, hint: &Hint) -> Result<Vec<GithubTeamId>, Outcome> {
    let ours = mirror.state(|state| {
        let mut teams: BTreeSet<_> = state.people.wanted_in(person.id).iter().copied().collect();
        teams.extend(state.teams.teams_of(person.id, hint.seq));
        // The state already includes this delivery. It is the latest news on the person in the teams that they left.
        teams.extend(state.teams.heard_of(person.id, hint.seq));
        teams
    });
    // The remembered membership may be gone from Sentry, and the person may have a new one. So this tries twice.
    let theirs = match teams_in_sentry(mirror, person)? {
        Some(teams) => teams,
        None => teams_in_sentry(mirror, person)?.unwrap_or_default(),
    };
    let all: BTreeSet<_> = ours.into_iter().chain(theirs).collect();
    Ok(mirror.state(|state| all.into_iter().filter(|team| state.teams.binding(*team).is_some()).collect()))
}

/// `None` if the member whom the person was matched with is gone from Sentry.
fn teams_in_sentry(mirror: &Mirror, person: &Person) -> Result<Option<Vec<GithubTeamId>>, Outcome> {
    let Identity::Matched { member, .. } = mirror.identify_for_removal(person)? else {
        return Ok(Some(Vec::new()));
    };
    match mirror.sentry.teams_of(member).map_err(|trouble| mirror.sentry_trouble(trouble))? {
        Some(slugs) => {
            let owners = |state: &State| slugs.iter().filter_map(|slug| state.teams.owner(slug)).collect();
            Ok(Some(mirror.state(owners)))
        }
        None => {
            mirror.matcher().unmatch(person.id, member);
            Ok(None)
        }
    }
}

/// Hands the person to the lanes of their teams. `change` is what the event said, `sure` whether it needs no further
/// check. The delivery is settled when all these parts are done.
fn in_parts(
    mirror: &Mirror,
    hint: &Hint,
    person: &Person,
    teams: Vec<GithubTeamId>,
    change: Option<Change>,
    sure: bool,
) -> Option<Outcome> {
    let delivery = hint.delivery()?;
    if teams.is_empty() {
        return Some(Outcome::Done(format!("`{}` is in no mirrored team", person.login)));
    }
    let whole = Whole::new(delivery.clone(), teams.len());
    for team in teams {
        let ask = Ask::Member { person: person.clone(), change, sure };
        let part = Hint::new(hint.seq, Origin::Part(whole.clone()), ask, mirror.clock.now());
        mirror.queue.lanes.add(LaneKey::Team(team), part);
    }
    None
}
