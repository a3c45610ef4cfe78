//! What is true on GitHub's side, for one team: from GitHub itself in read mode, from the deliveries in payload mode.
//!
//! In read mode the *direct* membership counts. REST also says yes for members of child teams, so a team that has
//! child teams is read by GraphQL. Every look is complete or an error; "not to be seen" is an answer of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Engine;
use crate::event::Person;
use crate::github::TeamFacts;
use crate::ids::{GithubOrgId, GithubTeamId, GithubUserId};
use crate::work::hint::Outcome;

/// More people than this are looked up by one list rather than one by one.
const ONE_BY_ONE: usize = 2;

/// GitHub's word on one team.
pub struct Truth<'a> {
    /// Everything shared.
    pub engine: &'a Engine,
    /// The organisation.
    pub org: GithubOrgId,
    /// The team.
    pub team: GithubTeamId,
}

/// Who of the people asked for is in the team.
pub type Presence = BTreeMap<GithubUserId, bool>;

impl Truth<'_> {
    /// The team itself; `None` if it is not to be seen.
    pub fn facts(&self) -> Result<Option<TeamFacts>, Outcome> {
        let facts =
            self.engine.github.team(self.org, self.team).map_err(|t| self.engine.github_trouble(t))?;
        if let Some(facts) = &facts {
            self.engine.learn_team(facts);
        }
        Ok(facts)
    }

    /// Everybody who is directly in the team; `None` if the team is not to be seen.
    pub fn members(&self) -> Result<Option<Vec<Person>>, Outcome> {
        let read = match self.engine.has_children(self.team) {
            Some(false) => self.engine.github.members(self.org, self.team),
            _ => match self.with_node_id()? {
                Some(facts) => self.engine.github.direct_members(&facts),
                None => Ok(None),
            },
        };
        read.map_err(|trouble| self.engine.github_trouble(trouble))
    }

    fn with_node_id(&self) -> Result<Option<TeamFacts>, Outcome> {
        match self.engine.node_id(self.team) {
            Some(node_id) => Ok(Some(TeamFacts {
                id: self.team,
                node_id,
                name: String::new(),
                slug: crate::ids::GithubSlug::from(""),
                created_at: None,
                parent: None,
            })),
            None => self.facts(),
        }
    }

    /// Who of `people` is in the team; `None` if the team is not to be seen. A thorough look compares ids in the list of
    /// members, where a person whose login has changed is found too, and tells an absent person from a hidden team;
    /// a quick one asks for one login at a time and takes a 404 for "not in it".
    pub fn presence(&self, people: &[&Person], thorough: bool) -> Result<Option<Presence>, Outcome> {
        if people.is_empty() {
            return Ok(Some(Presence::new()));
        }
        let by_list =
            thorough || people.len() > ONE_BY_ONE || self.engine.has_children(self.team) != Some(false);
        if by_list {
            let Some(members) = self.members()? else { return Ok(None) };
            let members: BTreeSet<_> = members.into_iter().map(|member| member.id).collect();
            return Ok(Some(people.iter().map(|person| (person.id, members.contains(&person.id))).collect()));
        }
        let mut presence = Presence::new();
        for person in people {
            let is_member = self.engine.github.is_member(self.org, self.team, &person.login);
            presence.insert(person.id, is_member.map_err(|trouble| self.engine.github_trouble(trouble))?);
        }
        Ok(Some(presence))
    }
}
