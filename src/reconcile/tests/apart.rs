//! How the sides of a world go apart, and under which rules.

use super::world::{settings, Rng, World, NAMES};
use crate::config::Settings;
use crate::identity::Identity;
use crate::state::event::{Change, Event, Person, TeamRef};
use crate::state::ids::*;
use crate::state::record::Record;
use crate::state::slug;
use crate::state::values::Delivery;

impl World {
    pub fn github_changes(&mut self) {
        let all: Vec<_> = (0..self.github.teams.len()).collect();
        let Some(&at) = self.rng.pick(&all) else {
            self.new_team();
            return;
        };
        match self.rng.below(12) {
            0 | 1 => drop(self.new_team()),
            2 => {
                let team = self.github.teams.remove(at);
                self.github
                    .teams
                    .iter_mut()
                    .filter(|t| t.facts.parent == Some(team.facts.id))
                    .for_each(|t| t.facts.parent = None);
                if self.rng.percent(75) {
                    self.deleted.insert(team.facts.id);
                }
            }
            3 | 4 => {
                if let Some((name, slug)) = self.free_name() {
                    self.rename(at, name.into(), GithubSlug::from(slug));
                }
            }
            // Two change names, or more in a circle.
            5 | 6 => {
                let mut circle = all;
                self.rng.shuffle(&mut circle);
                circle.truncate(2 + self.rng.below(3));
                let names: Vec<_> = circle
                    .iter()
                    .map(|at| {
                        (self.github.teams[*at].facts.name.clone(), self.github.teams[*at].facts.slug.clone())
                    })
                    .collect();
                for (n, at) in circle.iter().enumerate() {
                    let (name, slug) = names[(n + 1) % names.len()].clone();
                    self.rename(*at, name, slug);
                }
            }
            7 => {
                let parent = self.rng.clone().pick(&self.github.teams).map(|team| team.facts.id);
                let team = &mut self.github.teams[at];
                team.facts.parent = parent.filter(|parent| *parent < team.facts.id);
            }
            _ => {
                let users: Vec<_> = self.github.people.keys().copied().collect();
                for user in users {
                    if self.rng.percent(20) {
                        let members = &mut self.github.teams[at].members;
                        match members.binary_search(&user) {
                            Ok(at) => drop(members.remove(at)),
                            Err(at) => members.insert(at, user),
                        }
                    }
                }
            }
        }
    }

    fn rename(&mut self, at: usize, name: String, slug: GithubSlug) {
        let team = &mut self.github.teams[at];
        (team.facts.name, team.facts.slug) = (name, slug);
    }

    pub fn sentry_changes(&mut self) {
        let (_, slug) = NAMES[self.rng.below(NAMES.len())];
        let slug = slug::for_team(&GithubSlug::from(slug), GithubTeamId(0), &self.settings.slug_prefix);
        let ids: Vec<_> = self.sentry.teams.iter().map(|team| team.id).collect();
        let members: Vec<_> = self.sentry.members.iter().map(|member| member.id).collect();
        let Some(id) = self.rng.pick(&ids).copied() else { return };
        match self.rng.below(10) {
            0 | 4 if self.is_free(&slug) => {
                let there: Vec<_> = members.into_iter().filter(|_| self.rng.percent(20)).collect();
                self.new_sentry_team(slug, "Stranger".into(), there);
            }
            1 if self.is_free(&slug) => self.team_row(id).slug = slug,
            2 => self.team_row(id).name = "By hand".into(),
            3 if self.rng.percent(30) => {
                self.sentry.teams.retain(|team| team.id != id);
                self.sentry.in_team.remove(&id);
            }
            _ => {
                for member in members {
                    if self.rng.percent(20) {
                        self.toggle(id, member);
                    }
                }
            }
        }
    }

    fn toggle(&mut self, team: SentryTeamId, member: MemberId) {
        let there = self.sentry.in_team.entry(team).or_default();
        match there.binary_search(&member) {
            Ok(at) => drop(there.remove(at)),
            Err(at) => there.insert(at, member),
        }
    }

    /// A delivery that has not been worked on.
    pub fn event(&mut self) {
        let Some(team) = self.rng.clone().pick(&self.github.teams).cloned() else { return };
        let users: Vec<_> = self.github.people.keys().copied().collect();
        let Some(&id) = self.rng.pick(&users) else { return };
        let shown = TeamRef {
            id: team.facts.id,
            name: team.facts.name.as_str().into(),
            slug: Some(team.facts.slug),
            parent: None,
        };
        let person = Person { id, login: self.github.people[&id].login.clone(), bot: false };
        let event = match self.rng.below(4) {
            0 => Event::TeamCreated { team: shown },
            1 => Event::TeamEdited { team: shown, slug_before: Some(GithubSlug::from("before")) },
            2 => Event::Membership { team: shown, person: Some(person), change: Change::Removed },
            _ => Event::Membership { team: shown, person: Some(person), change: Change::Added },
        };
        self.seq += 1;
        let (seq, guid) = (Seq(self.seq), format!("g{}", self.seq).into());
        self.state.apply(Record::Received(Delivery { seq, at: self.now, hook: HookId(1), guid, event }));
    }

    /// GitHub stops telling somebody's addresses.
    pub fn somebody_becomes_unknown(&mut self) {
        let users: Vec<_> = self.sources.keys().copied().collect();
        if let Some(user) = self.rng.pick(&users) {
            let why = "w".into();
            self.sources.insert(
                *user,
                match self.rng.below(3) {
                    0 => Identity::Unknown { why },
                    1 => Identity::Absent { why, second: None },
                    _ => Identity::Conflict { why },
                },
            );
        }
    }
}

pub fn some_settings(rng: &mut Rng, generous: bool) -> Settings {
    let mut one = |words: &[&'static str]| words[rng.below(words.len())];
    let mut pairs = vec![
        ("SYNC_SLUG_PREFIX", one(&["", "", "acme-"])),
        ("SYNC_CHILD_MEMBERS", one(&["direct", "direct", "all"])),
        ("SYNC_REMOVE_MEMBERS", one(&["left", "left", "known", "known", "all", "never"])),
        (
            "SYNC_DELETE_TEAMS",
            one(&["delete", "delete", "delete", "unless-projects", "unless-projects", "empty", "keep"]),
        ),
        ("SYNC_TEAMS", one(&["*", "*", "*", "*, !x*"])),
        ("SYNC_PROTECT", one(&["", "", "m601@x.example, M603@X.example, beta, acme-beta"])),
    ];
    if generous {
        pairs.extend([
            ("SYNC_MAX_TEAM_REMOVALS", "100%,1000"),
            ("SYNC_MAX_REMOVALS", "100%,1000"),
            ("SYNC_MAX_DELETIONS", "100%,1000"),
        ]);
    } else {
        pairs.extend([
            ("SYNC_MAX_TEAM_REMOVALS", one(&["25%,3", "25%,1", "0%,0"])),
            ("SYNC_MAX_REMOVALS", one(&["5%,10", "5%,2"])),
            ("SYNC_MAX_DELETIONS", one(&["5%,2", "5%,1", "0%,0"])),
        ]);
    }
    settings(&pairs)
}
