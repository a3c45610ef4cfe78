//! Which teams a person has chosen with `sync --team`. Pure.
//!
//! A name that no team has is an error that shows the name. It must never count as an empty choice: "in sync" is no
//! answer to a typing mistake.

use std::collections::HashSet;

use crate::config::Settings;
use crate::hosts::snapshot::GithubSnapshot;
use crate::state::ids::{GithubSlug, GithubTeamId, Login, SentrySlug};
use crate::state::meant::TeamName;
use crate::state::{slug, State};
use crate::text::{nearest, plain};

/// All known teams, with their names on both sides.
#[derive(Debug)]
pub struct Roster {
    teams: Vec<Entry>,
    org: Option<Login>,
}

#[derive(Debug)]
struct Entry {
    team: GithubTeamId,
    /// GitHub's slug; `None` if GitHub doesn't show the team.
    github: Option<GithubSlug>,
    /// The slugs that it has, and should have, in Sentry.
    sentry: Vec<SentrySlug>,
    dormant: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Choice {
    pub teams: HashSet<GithubTeamId>,
    /// The chosen teams that GitHub shows and that are mirrored.
    pub mirrored: HashSet<GithubTeamId>,
    /// The names, as they were typed, of teams that `SYNC_TEAMS` leaves out.
    pub dormant: Vec<String>,
}

/// Names that no team has.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown(Vec<Nobody>);

#[derive(Debug, PartialEq, Eq)]
enum Nobody {
    /// A slug, and the most similar slug that a team has.
    Slug(String, Option<String>),
    Id(GithubTeamId),
    /// A team of another organisation; the message about it.
    Elsewhere(String),
}

impl Roster {
    /// The teams that GitHub shows, including those that `SYNC_TEAMS` leaves out, and bound ones that it doesn't show.
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
        Self { teams, org: state.org.as_ref().map(|org| org.login.clone()) }
    }

    /// The teams with these names. Sentry's slugs are tried first, because plans show those. GitHub's are accepted too.
    pub fn choose(&self, names: &[String]) -> Result<Choice, Unknown> {
        let (mut choice, mut unknown) = (Choice::default(), Vec::new());
        for text in names {
            let found = self.find(text).unwrap_or_else(|nobody| {
                unknown.push(nobody);
                Vec::new()
            });
            if found.iter().any(|entry| entry.dormant) {
                choice.dormant.push(text.clone());
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

    fn find(&self, text: &str) -> Result<Vec<&Entry>, Nobody> {
        let name = &TeamName::read(text);
        if let Some(why) = name.stranger(self.org.as_ref()) {
            return Err(Nobody::Elsewhere(why));
        }
        let all = |is_it: &dyn Fn(&Entry) -> bool| -> Vec<_> {
            self.teams.iter().filter(|entry| is_it(entry)).collect()
        };
        let found = match name {
            TeamName::Id(team) => all(&|entry| entry.team == *team),
            TeamName::Slug(slug, _) => {
                let is_it = |own: &str| own.eq_ignore_ascii_case(slug);
                let on_github = |entry: &Entry| entry.github.iter().any(|own| is_it(own.as_str()));
                match all(&|entry| entry.sentry.iter().any(|own| is_it(own.as_str()))) {
                    none if none.is_empty() && !slug.is_empty() => all(&on_github),
                    in_sentry => in_sentry,
                }
            }
        };
        match (found.is_empty(), name) {
            (false, _) => Ok(found),
            (true, TeamName::Id(team)) => Err(Nobody::Id(*team)),
            (true, TeamName::Slug(slug, _)) => Err(Nobody::Slug(text.into(), self.nearest(slug))),
        }
    }

    /// The known slug that is most similar, if it's close enough to be the intended one.
    fn nearest(&self, slug: &str) -> Option<String> {
        let all = self.teams.iter().flat_map(|entry| {
            let github = entry.github.iter().map(GithubSlug::as_str);
            entry.sentry.iter().map(SentrySlug::as_str).chain(github)
        });
        nearest(slug, all).map(str::to_string)
    }
}

impl Unknown {
    /// The problem, on one line.
    pub fn what(&self) -> String {
        let (mut slugs, mut others) = (Vec::new(), Vec::new());
        for nobody in &self.0 {
            match nobody {
                Nobody::Slug(slug, near) => {
                    let near = near.as_ref().map(|near| format!(" (did you mean `{}`?)", plain(near, 60)));
                    slugs.push(format!("`{}`{}", plain(slug, 60), near.unwrap_or_default()));
                }
                Nobody::Id(team) => others.push(format!("GitHub shows no team with the id {team}")),
                Nobody::Elsewhere(why) => others.push(why.clone()),
            }
        }
        let slugs = (!slugs.is_empty()).then(|| format!("no team has the slug {}", slugs.join(", nor ")));
        slugs.into_iter().chain(others).collect::<Vec<_>>().join("; ")
    }

    /// How to find the right slug.
    pub const FIX: &'static str = "take the slug from the end of the team's address on GitHub or in Sentry; `sync` \
                                   without --team shows all teams that differ. GitHub may also not show the team";
}
