//! Worlds made by hand, and what tests ask of a plan.

use super::world::{settings, World, BEFORE, NOW};
use crate::hosts::github::facts::TeamFacts;
use crate::hosts::snapshot::GithubTeam;
use crate::reconcile::choice::{Choice, Roster, Unknown};
use crate::reconcile::plan::{Plan, PlannedHold};
use crate::state::holds::HoldName;
use crate::state::ids::*;
use crate::state::record::Record;
use crate::state::values::{Origin, Source};

impl World {
    /// People 1 to `n`, whom SSO matches, and no team.
    pub fn of_people(n: u64, pairs: &[(&str, &str)]) -> Self {
        let mut world = Self::empty(settings(pairs));
        (1..=n).for_each(|n| world.known(n, Source::Saml));
        world
    }

    /// A GitHub team, older than the mirror.
    pub fn github_team(&mut self, slug: &str, members: impl IntoIterator<Item = u64>) -> GithubTeamId {
        let id = GithubTeamId(self.next_team);
        self.next_team += 1;
        self.github.teams.push(GithubTeam {
            facts: TeamFacts {
                id,
                node_id: String::new(),
                name: slug.to_ascii_uppercase(),
                slug: GithubSlug::from(slug),
                created_at: Some(BEFORE),
                parent: None,
            },
            members: members.into_iter().map(GithubUserId).collect(),
        });
        id
    }

    /// A GitHub team whose Sentry team has the same people.
    pub fn mirrored_team(&mut self, slug: &str, members: impl IntoIterator<Item = u64>) -> GithubTeamId {
        let id = self.github_team(slug, members);
        let there = self.team(id).members.iter().map(|user| MemberId(500 + user.0)).collect();
        let slug = self.slug_of(self.team(id));
        let sentry = self.new_sentry_team(slug, self.team(id).facts.name.clone(), there);
        self.bind(id, sentry, Origin::Created);
        self.observe();
        self.note_what_was_seen();
        id
    }

    /// The teams of these slugs.
    pub fn chosen(&self, slugs: &[String]) -> Result<Choice, Unknown> {
        Roster::new(&self.github, &self.state, &self.settings).choose(slugs)
    }

    pub fn team(&self, id: GithubTeamId) -> &GithubTeam {
        self.github.teams.iter().find(|team| team.facts.id == id).unwrap()
    }

    pub fn team_mut(&mut self, id: GithubTeamId) -> &mut GithubTeam {
        self.github.teams.iter_mut().find(|team| team.facts.id == id).unwrap()
    }

    pub fn sentry_of(&self, id: GithubTeamId) -> SentryTeamId {
        self.state.teams.binding(id).unwrap().sentry
    }

    /// GitHub deletes a team, for certain.
    pub fn delete(&mut self, id: GithubTeamId) {
        self.github.teams.retain(|team| team.facts.id != id);
        self.deleted.insert(id);
        // Whether a reading is short is another test's business.
        self.state.apply(Record::Read { sizes: self.sizes(), at: NOW });
    }

    /// These people leave a team.
    pub fn leave(&mut self, id: GithubTeamId, users: impl IntoIterator<Item = u64>) {
        let users: Vec<_> = users.into_iter().map(GithubUserId).collect();
        self.team_mut(id).members.retain(|user| !users.contains(user));
        self.state.apply(Record::Read { sizes: self.sizes(), at: NOW });
    }
}

pub fn rules(plan: &Plan) -> Vec<&str> {
    plan.holds.iter().map(|hold| hold.rule.as_str()).collect()
}

pub fn only(plan: &Plan) -> &PlannedHold {
    assert_eq!(plan.holds.len(), 1, "{plan}");
    &plan.holds[0]
}

/// A hold as a comparison writes it down, decided.
pub fn decide(world: &mut World, name: &HoldName, approved: bool) {
    assert!(world.state.holds.get(name).is_some());
    world.decide(name, approved);
}

pub fn n_removed(plan: &Plan) -> usize {
    plan.teams.iter().flat_map(|team| &team.remove).filter(|removal| removal.held.is_none()).count()
}
