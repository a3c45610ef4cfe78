//! Which teams a slug stands for, on GitHub or in Sentry, by what is known here; what is typed for it reads `meant`.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::config::Settings;
use crate::state::holds::HeldChange;
use crate::state::ids::{GithubSlug, GithubTeamId};
use crate::state::record::Intent;
use crate::state::slug;
use crate::state::State;
use crate::store::audit::read::Log;

/// How many of the newest queued deliveries are looked through for the slug of a team.
const LOOKED_THROUGH: usize = 1000;

/// The teams that the state knows under a slug.
pub fn by_slug(state: &State, settings: &Settings, text: &str) -> BTreeSet<GithubTeamId> {
    let is_it = |team, slug: &str| {
        slug == text || slug == slug::for_team(&GithubSlug::from(text), team, &settings.slug_prefix).as_str()
    };
    let bound = state.teams.bindings().filter(|(team, binding)| is_it(*team, binding.slug.as_str()));
    let held = state.holds.iter().flat_map(|hold| &hold.changes).filter_map(|change| {
        let (team, slug) = (change.team()?, slug_of(change)?);
        is_it(team, slug).then_some(team)
    });
    let begun = state.teams.open_intents().filter(|team| match state.teams.intent(*team) {
        Some((Intent::Creating { slug, .. } | Intent::Restoring { slug, .. }, _)) => {
            is_it(*team, slug.as_str())
        }
        Some((Intent::Renaming { to, .. }, _)) => is_it(*team, to.as_str()),
        _ => false,
    });
    let told =
        deliveries(state).filter(|(_, slug)| slug.as_str().eq_ignore_ascii_case(text)).map(|(team, _)| team);
    bound.map(|(team, _)| team).chain(held).chain(begun).chain(told).collect()
}

/// The teams that the audit log knows under a slug: also those that are gone.
pub fn in_audit(state_dir: &Path, text: &str) -> io::Result<BTreeSet<GithubTeamId>> {
    let mut teams = BTreeSet::new();
    Log::of(state_dir).each(None, &mut |_, line| {
        if line.slug.iter().chain(&line.to).any(|slug| slug.eq_ignore_ascii_case(text)) {
            teams.extend(line.team);
        }
        Ok(())
    })?;
    Ok(teams)
}

/// Whether the state knows anything of a team.
pub fn is_known(state: &State, team: GithubTeamId) -> bool {
    let teams = &state.teams;
    teams.binding(team).is_some()
        || teams.gone(team).is_some()
        || teams.news(team).is_some()
        || teams.intent(team).is_some()
        || state.holds.of_team(team).next().is_some()
        || deliveries(state).any(|(known, _)| known == team)
}

/// The slug that the latest delivery told, of those that are not dealt with; of a long queue, the newest are looked
/// through.
pub fn told_slug(state: &State, team: GithubTeamId) -> Option<GithubSlug> {
    let newest = state.deliveries.queued().rev().take(LOOKED_THROUGH);
    let failed = state.deliveries.failed().map(|failure| &failure.delivery);
    let mut teams = newest.chain(failed).filter_map(|delivery| delivery.event.team());
    teams.find_map(|known| known.slug.clone().filter(|_| known.id == team))
}

/// A team as people know it: its slug in Sentry, or the last one that a delivery told, and its id.
pub fn name_of(state: &State, team: GithubTeamId) -> String {
    let slug = state.teams.binding(team).map(|binding| binding.slug.to_string());
    match slug.or_else(|| told_slug(state, team).map(|slug| slug.to_string())) {
        Some(slug) => format!("`{}` (GitHub team {team})", crate::text::plain(&slug, 100)),
        None => format!("GitHub team {team}"),
    }
}

fn deliveries(state: &State) -> impl Iterator<Item = (GithubTeamId, &GithubSlug)> {
    let failed = state.deliveries.failed().map(|failure| &failure.delivery);
    failed.chain(state.deliveries.queued()).filter_map(|delivery| {
        let team = delivery.event.team()?;
        Some((team.id, team.slug.as_ref()?))
    })
}

fn slug_of(change: &HeldChange) -> Option<&str> {
    match change {
        HeldChange::Delete { slug, .. }
        | HeldChange::Adopt { slug, .. }
        | HeldChange::Remove { slug, .. }
        | HeldChange::RemoveMember { slug, .. }
        | HeldChange::Create { slug, .. } => Some(slug.as_str()),
        HeldChange::UserMap { .. } => None,
    }
}
