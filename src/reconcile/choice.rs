//! Which teams of a comparison somebody has chosen by slug (`sync --team`). Pure.
//!
//! A slug that no team has is an error that names it. It must never be an empty choice: "in sync" is no answer to a
//! typing mistake.

use std::collections::HashSet;

use crate::config::Settings;
use crate::escape::plain;
use crate::ids::{GithubSlug, GithubTeamId, SentrySlug};
use crate::slug;
use crate::snapshot::GithubSnapshot;
use crate::state::State;

/// A slug of so many other letters is still taken for a typing mistake.
const SLIPS: usize = 2;

/// How every known team is called on both sides.
#[derive(Debug)]
pub struct Roster {
    teams: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    team: GithubTeamId,
    /// What GitHub calls it; `None` if GitHub does not show it.
    github: Option<GithubSlug>,
    /// What it is, and is to be, called in Sentry.
    sentry: Vec<SentrySlug>,
    dormant: bool,
}

/// The chosen teams.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// All of them.
    pub teams: HashSet<GithubTeamId>,
    /// Those that GitHub shows and that are mirrored.
    pub mirrored: HashSet<GithubTeamId>,
    /// The slugs, as they were asked for, of teams that `SYNC_TEAMS` leaves out.
    pub dormant: Vec<String>,
}

/// Slugs that no team has, and the most similar one that a team has.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown(Vec<(String, Option<String>)>);

impl Roster {
    /// The teams that GitHub shows, dormant ones too, and the bound ones that it does not show.
    pub fn new(github: &GithubSnapshot, state: &State, settings: &Settings) -> Self {
        let bound = |team| state.teams.binding(team).map(|binding| binding.slug.clone());
        let shown = github.teams.iter().map(|team| &team.facts);
        let mut teams: Vec<_> = shown
            .map(|facts| Entry {
                team: facts.id,
                github: Some(facts.slug.clone()),
                sentry: [slug::for_team(&facts.slug, facts.id, &settings.slug_prefix)]
                    .into_iter()
                    .chain(bound(facts.id))
                    .collect(),
                dormant: !settings.teams.matches(&facts.slug),
            })
            .collect();
        let known: HashSet<_> = teams.iter().map(|entry| entry.team).collect();
        let absent = state.teams.bindings().filter(|(team, _)| !known.contains(team));
        teams.extend(absent.map(|(team, binding)| Entry {
            team,
            github: None,
            sentry: vec![binding.slug.clone()],
            dormant: false,
        }));
        Self { teams }
    }

    /// The teams of these slugs. Sentry's slugs come first, because plans show those; GitHub's own are accepted too.
    pub fn choose(&self, slugs: &[String]) -> Result<Choice, Unknown> {
        let (mut choice, mut unknown) = (Choice::default(), Vec::new());
        for slug in slugs {
            let mut found: Vec<_> = self.teams.iter().filter(|entry| entry.has_in_sentry(slug)).collect();
            if found.is_empty() {
                found = self.teams.iter().filter(|entry| entry.has_on_github(slug)).collect();
            }
            if found.is_empty() {
                unknown.push((slug.clone(), self.nearest(slug)));
            }
            if found.iter().any(|entry| entry.dormant) {
                choice.dormant.push(slug.clone());
            }
            choice.teams.extend(found.iter().map(|entry| entry.team));
            let mirrored = found.iter().filter(|entry| entry.github.is_some() && !entry.dormant);
            choice.mirrored.extend(mirrored.map(|entry| entry.team));
        }
        if unknown.is_empty() {
            Ok(choice)
        } else {
            Err(Unknown(unknown))
        }
    }

    /// The known slug that is most like this one, if it may be what was meant.
    fn nearest(&self, slug: &str) -> Option<String> {
        let all = self.teams.iter().flat_map(|entry| {
            let github = entry.github.iter().map(GithubSlug::as_str);
            entry.sentry.iter().map(SentrySlug::as_str).chain(github)
        });
        let near = all.map(|known| (distance(slug, known), known)).filter(|(slips, _)| *slips <= SLIPS);
        near.min().map(|(_, known)| known.to_string())
    }
}

impl Entry {
    fn has_in_sentry(&self, slug: &str) -> bool {
        self.sentry.iter().any(|own| own.as_str() == slug)
    }

    fn has_on_github(&self, slug: &str) -> bool {
        self.github.as_ref().is_some_and(|own| !slug.is_empty() && own.as_str() == slug)
    }
}

impl Unknown {
    /// What is wrong, on one line.
    pub fn what(&self) -> String {
        let one = |(slug, near): &(String, Option<String>)| {
            let near = near.as_ref().map(|near| format!(" (did you mean `{}`?)", plain(near, 60)));
            format!("`{}`{}", plain(slug, 60), near.unwrap_or_default())
        };
        let slugs: Vec<_> = self.0.iter().map(one).collect();
        format!("no team has the slug {}", slugs.join(", nor "))
    }

    /// How the right slug is found.
    pub const FIX: &'static str = "take the slug from the end of the team's address on GitHub or in Sentry; `sync` \
                                   without --team shows all teams that differ. GH_TOKEN may also not see the team";
}

/// How many letters have to be put in, left out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, letter) in one.chars().enumerate() {
        let mut corner = n;
        let mut left = n + 1;
        for (above, theirs) in row.iter_mut().skip(1).zip(&other) {
            let changed = corner + usize::from(letter != *theirs);
            corner = *above;
            left = changed.min(*above + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = n + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (one, other, slips) in
            [("crew", "crew", 0), ("", "abc", 3), ("abc", "", 3), ("serach", "search", 2), ("cew", "crew", 1)]
        {
            assert_eq!(distance(one, other), slips, "{one} {other}");
        }
    }
}
