//! Names for teams, people and changes, from what the state knows. Pure.

use std::collections::BTreeSet;

use super::holds::HeldChange;
use super::ids::{GithubSlug, GithubTeamId, GithubUserId};
use super::{slug, State};
use crate::text::plain;

/// How many of the newest queued deliveries are searched for the slug of a team.
const LOOKED_THROUGH: usize = 1000;

/// The teams that the state knows by a slug.
pub fn by_slug(state: &State, prefix: &str, text: &str) -> BTreeSet<GithubTeamId> {
    let is_it = |team, slug: &str| {
        slug == text || slug == slug::for_team(&GithubSlug::from(text), team, prefix).as_str()
    };
    let bound = state.teams.bindings().filter(|(team, binding)| is_it(*team, binding.slug.as_str()));
    let held = state.holds.iter().flat_map(|hold| &hold.changes).filter_map(|change| {
        let (team, slug) = (change.team()?, slug_of(change)?);
        is_it(team, slug).then_some(team)
    });
    let begun = state.teams.intents.iter().filter_map(|(team, (intent, _))| {
        intent.slug().is_some_and(|slug| is_it(*team, slug.as_str())).then_some(*team)
    });
    let told =
        deliveries(state).filter(|(_, slug)| slug.as_str().eq_ignore_ascii_case(text)).map(|(team, _)| team);
    bound.map(|(team, _)| team).chain(held).chain(begun).chain(told).collect()
}

pub fn is_known(state: &State, team: GithubTeamId) -> bool {
    let teams = &state.teams;
    teams.binding(team).is_some()
        || teams.gone(team).is_some()
        || teams.news(team).is_some()
        || teams.intent(team).is_some()
        || state.holds.of_team(team).next().is_some()
        || deliveries(state).any(|(known, _)| known == team)
}

/// The slug that the newest queued delivery gives, or else the newest failed one. Only the newest of a long queue are
/// searched.
pub fn told_slug(state: &State, team: GithubTeamId) -> Option<GithubSlug> {
    let newest = state.deliveries.queued().rev().take(LOOKED_THROUGH);
    let failed = state.deliveries.failed().rev().map(|failure| &failure.delivery);
    let mut teams = newest.chain(failed).filter_map(|delivery| delivery.event.team());
    teams.find_map(|known| known.slug.clone().filter(|_| known.id == team))
}

/// A team as people know it: its slug in Sentry, or the last one from a delivery, and its id.
pub fn name_of(state: &State, team: GithubTeamId) -> String {
    let slug = state.teams.binding(team).map(|binding| binding.slug.to_string());
    match slug.or_else(|| told_slug(state, team).map(|slug| slug.to_string())) {
        Some(slug) => format!("GitHub team `{}` ({team})", plain(&slug, 100)),
        None => format!("GitHub team {team}"),
    }
}

/// The same for a person, by the login with which they were matched or wanted.
fn person(state: &State, user: GithubUserId) -> String {
    let matched = state.people.matched(user).map(|found| &found.login);
    match matched.or_else(|| state.people.wish(user).map(|wanted| &wanted.login)) {
        Some(login) => format!("GitHub user `{}` ({user})", plain(login.as_str(), 60)),
        None => format!("GitHub user {user}"),
    }
}

/// A held change, described with names for the person who decides.
pub fn change(state: &State, change: &HeldChange) -> String {
    match change {
        HeldChange::Delete { sentry, slug, .. } => format!("delete Sentry team `{slug}` ({sentry})"),
        HeldChange::Adopt { team, sentry, slug } => {
            format!("let {} take over Sentry team `{slug}` ({sentry})", name_of(state, *team))
        }
        HeldChange::Remove { user, slug, .. } => {
            format!("remove {} from Sentry team `{slug}`", person(state, *user))
        }
        HeldChange::RemoveMember { member, slug, .. } => {
            format!("remove Sentry member {member} from Sentry team `{slug}`")
        }
        HeldChange::Link { name, slug, .. } => {
            format!("link `{name}` in CODEOWNERS to Sentry team `{slug}`")
        }
        HeldChange::Create { .. } | HeldChange::UserMap { .. } => change.to_string(),
    }
}

/// All queued and failed deliveries that name a team with its slug.
pub fn deliveries(state: &State) -> impl Iterator<Item = (GithubTeamId, &GithubSlug)> {
    let failed = state.deliveries.failed().map(|failure| &failure.delivery);
    failed.chain(state.deliveries.queued()).filter_map(|delivery| {
        let team = delivery.event.team()?;
        Some((team.id, team.slug.as_ref()?))
    })
}

/// The Sentry slug that a held change is about.
pub fn slug_of(change: &HeldChange) -> Option<&str> {
    match change {
        HeldChange::Delete { slug, .. }
        | HeldChange::Adopt { slug, .. }
        | HeldChange::Remove { slug, .. }
        | HeldChange::RemoveMember { slug, .. }
        | HeldChange::Create { slug, .. }
        | HeldChange::Link { slug, .. } => Some(slug.as_str()),
        HeldChange::UserMap { .. } => None,
    }
}
