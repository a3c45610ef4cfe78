//! The state of one team on GitHub, as GitHub shows it in read mode. In payload mode GitHub is not asked.
//!
//! The *direct* membership counts, unless `SYNC_CHILD_MEMBERS` says otherwise. REST also says yes for members of child
//! teams, so a team that has child teams is read by GraphQL. Every read is complete, or says what it lacks, or is an
//! error. "Not visible" is a result of its own.

use std::collections::BTreeSet;

use crate::hosts::github::facts::{Count, TeamFacts};
use crate::hosts::snapshot::Listed;
use crate::queue::job::Outcome;
use crate::state::event::Person;
use crate::state::ids::{GithubOrgId, GithubTeamId, GithubUserId};
use crate::state::record::Record;
use crate::state::sorted::Map;
use crate::state::State;
use crate::work::mirror::Mirror;

/// More people than this are looked up by one list rather than one by one.
const ONE_BY_ONE: usize = 2;

/// Reads one team from GitHub.
pub struct Truth<'a> {
    pub mirror: &'a Mirror,
    pub org: GithubOrgId,
    pub team: GithubTeamId,
}

/// A person whose membership is in question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub person: &'a Person,
    /// The event says that they are in the team.
    pub expected: bool,
}

/// Which of the people in question are in the team.
pub type Presence = Map<GithubUserId, bool>;

impl Truth<'_> {
    /// The team itself; `None` if it is not visible.
    pub fn facts(&self) -> Result<Option<TeamFacts>, Outcome> {
        let facts =
            self.mirror.github.team(self.org, self.team).map_err(|t| self.mirror.github_trouble(t))?;
        if let Some(facts) = &facts {
            self.mirror.team_moved(self.mirror.tree.learn(facts));
            // Recorded so that, once GitHub no longer shows the team, it is known that the token could see it.
            let is_news =
                |state: &State| state.teams.gone(facts.id).is_none() && !state.teams.was_shown(facts.id);
            if self.mirror.state(is_news) {
                self.mirror.journal.note(Record::Shown { teams: vec![facts.id] });
            }
        }
        Ok(facts)
    }

    fn count(&self) -> Count {
        if self.mirror.settings().child_members {
            Count::WithChildren
        } else {
            Count::Direct
        }
    }

    /// Everybody who counts as being in the team; `None` if the team is not visible.
    pub fn members(&self) -> Result<Option<Listed<Person>>, Outcome> {
        let read = match (self.count(), self.mirror.tree.has_children(self.team)) {
            (count @ Count::WithChildren, _) | (count, Some(false)) => {
                self.mirror.github.members(self.org, self.team, count)
            }
            _ => match self.node_id()? {
                Some(node_id) => self.mirror.github.direct_members(self.org, self.team, &node_id),
                None => Ok(None),
            },
        };
        read.map_err(|trouble| self.mirror.github_trouble(trouble))
    }

    fn node_id(&self) -> Result<Option<String>, Outcome> {
        match self.mirror.tree.node_id(self.team) {
            Some(node_id) => Ok(Some(node_id)),
            None => Ok(self.facts()?.map(|facts| facts.node_id)),
        }
    }

    /// Which of `asked` are in the team; `None` if the team is not visible.
    ///
    /// GitHub answers 404 both for "not in the team" and for "this token may no longer see it". So only people who are
    /// expected in the team are looked up right away, because a yes is certain. An absence is believed only after a
    /// list has shown that the team is visible. Lists also compare ids, so they find a person whose login has changed.
    /// `thorough` looks always read the whole list. If GitHub does not show a list completely, an absence from it is
    /// confirmed person by person.
    pub fn presence(&self, asked: &[Question], thorough: bool) -> Result<Option<Presence>, Outcome> {
        if asked.is_empty() {
            return Ok(Some(Presence::default()));
        }
        let nested = self.count() == Count::Direct && self.mirror.tree.has_children(self.team) != Some(false);
        if thorough || nested || asked.len() > ONE_BY_ONE {
            let Some(Listed { rows, gap }) = self.members()? else { return Ok(None) };
            let mut presence = found_in(&rows, asked);
            if let Some(gap) = gap {
                log::warn!(
                    "members of GitHub team {}: {gap}; checking one by one the people it lacks",
                    self.team
                );
                let absent = asked.iter().filter(|question| presence.get(&question.person.id) != Some(&true));
                let absent: Vec<_> = absent.copied().collect();
                presence.extend(self.one_by_one(&absent)?);
            }
            return Ok(Some(presence));
        }
        if asked.iter().any(|question| !question.expected) {
            let first = self.mirror.github.first_members(self.org, self.team, self.count());
            match first.map_err(|trouble| self.mirror.github_trouble(trouble))? {
                None => return Ok(None),
                Some((members, true)) => return Ok(Some(found_in(&members, asked))),
                // The team is visible. It is large, so single people are looked up instead of reading all its pages.
                Some((_, false)) => {}
            }
        }
        self.one_by_one(asked).map(Some)
    }

    fn one_by_one(&self, asked: &[Question]) -> Result<Presence, Outcome> {
        let mut presence = Presence::default();
        for Question { person, .. } in asked {
            let is_member = self.mirror.github.is_member(self.org, self.team, person);
            presence.insert(person.id, is_member.map_err(|trouble| self.mirror.github_trouble(trouble))?);
        }
        Ok(presence)
    }
}

fn found_in(members: &[Person], asked: &[Question]) -> Presence {
    let members: BTreeSet<_> = members.iter().map(|member| member.id).collect();
    asked.iter().map(|question| (question.person.id, members.contains(&question.person.id))).collect()
}
