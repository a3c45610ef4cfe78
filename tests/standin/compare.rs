//! What differs between the two sites: the promise "at rest Sentry equals GitHub", as sorted lines.
//!
//! It looks at the stand-ins' own state, never through their interfaces, and must never be lenient
//! by itself: what a test does not name as ignored is a difference.

use super::github::{GithubStandin, GithubTeamView};
use super::sentry::SentryStandin;
use std::collections::{BTreeMap, BTreeSet};

type Mapping<'a, T> = Box<dyn Fn(&T) -> Option<String> + 'a>;

/// A comparison, to be made as often as wanted.
pub struct Comparison<'a> {
    github: &'a GithubStandin,
    sentry: &'a SentryStandin,
    email: Mapping<'a, str>,
    slug: Mapping<'a, GithubTeamView>,
    child_members: bool,
    ignored_teams: BTreeSet<String>,
    ignored_people: BTreeSet<String>,
}

impl<'a> Comparison<'a> {
    /// `email` gives the address that a login's Sentry member shows, or `None` for somebody who is
    /// not in Sentry. A team is expected under its GitHub slug.
    pub fn new(
        github: &'a GithubStandin,
        sentry: &'a SentryStandin,
        email: impl Fn(&str) -> Option<String> + 'a,
    ) -> Comparison<'a> {
        Comparison {
            github,
            sentry,
            email: Box::new(email),
            slug: Box::new(|team| Some(team.slug.clone())),
            child_members: false,
            ignored_teams: BTreeSet::new(),
            ignored_people: BTreeSet::new(),
        }
    }

    /// Expects a team under another slug, or (`None`) not at all.
    pub fn slugs(mut self, slug: impl Fn(&GithubTeamView) -> Option<String> + 'a) -> Comparison<'a> {
        self.slug = Box::new(slug);
        self
    }

    /// Expects the people of child teams too.
    pub fn with_child_members(mut self) -> Comparison<'a> {
        self.child_members = true;
        self
    }

    /// A Sentry team that is none of GitHub's.
    pub fn ignoring_team(mut self, slug: &str) -> Comparison<'a> {
        self.ignored_teams.insert(slug.to_owned());
        self
    }

    /// An address that may be in Sentry's teams whatever GitHub says.
    pub fn ignoring_person(mut self, email: &str) -> Comparison<'a> {
        self.ignored_people.insert(email.to_owned());
        self
    }

    /// The differences, sorted; none means equal.
    pub fn differences(&self) -> Vec<String> {
        let expected = self.expected();
        let present = self.sentry.teams();
        let mut lines = Vec::new();
        for (slug, (name, people)) in &expected {
            let Some(team) = present.get(slug) else {
                lines.push(format!("team {slug}: missing in Sentry"));
                continue;
            };
            if team.name != *name {
                lines.push(format!("team {slug}: named `{}` in Sentry, `{name}` on GitHub", team.name));
            }
            let own: BTreeSet<&String> =
                team.members.iter().filter(|email| !self.ignored_people.contains(*email)).collect();
            for email in people.iter().filter(|email| !own.contains(email)) {
                lines.push(format!("team {slug}: {email} is missing in Sentry"));
            }
            for email in own.iter().filter(|email| !people.contains(**email)) {
                lines.push(format!("team {slug}: {email} is in Sentry only"));
            }
        }
        for slug in
            present.keys().filter(|slug| !expected.contains_key(*slug) && !self.ignored_teams.contains(*slug))
        {
            lines.push(format!("team {slug}: in Sentry only"));
        }
        lines.sort();
        lines
    }

    fn expected(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let mut expected = BTreeMap::new();
        for team in self.github.teams().values() {
            let Some(slug) = (self.slug)(team) else {
                continue;
            };
            let people = if self.child_members { &team.all_members } else { &team.members };
            let emails = people.iter().filter_map(|login| (self.email)(login));
            let emails = emails.filter(|email| !self.ignored_people.contains(email)).collect();
            expected.insert(slug, (sentry_name(&team.name), emails));
        }
        expected
    }
}

/// A name as Sentry keeps it: trimmed, at most 64 characters.
fn sentry_name(name: &str) -> String {
    name.trim().chars().take(64).collect()
}

/// The differences under the plain rules: same slugs, same names, direct members.
pub fn differences(
    github: &GithubStandin,
    sentry: &SentryStandin,
    email: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    Comparison::new(github, sentry, email).differences()
}
