//! Which teams a slug stands for, on GitHub or in Sentry, by what is known here; what is typed for it reads `meant`.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::config::Settings;
use crate::state::ids::{GithubSlug, GithubTeamId};
use crate::state::names::{deliveries, slug_of};
use crate::state::record::Intent;
use crate::state::slug;
use crate::state::State;
use crate::store::audit::read::Log;

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
