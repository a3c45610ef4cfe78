//! Both sides as they were read: the whole GitHub organisation, and what Sentry shows of it. Pure values.
//!
//! A snapshot is complete or it does not exist: a page that failed, an answer with errors, a count that does not fit make
//! the reading fail as a whole. What the token can not see is not in it, and [`GithubSnapshot::sees_secret`] says whether
//! that can be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::github::{Claims, TeamFacts};
use crate::ids::{GithubTeamId, GithubUserId, Login, MemberId, SentryTeamId};
use crate::sentry::{Member, Team};

/// All teams of a GitHub organisation with their direct members, and everybody who is in one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GithubSnapshot {
    /// The teams, sorted by id.
    pub teams: Vec<GithubTeam>,
    /// Members of the organisation and of its teams.
    pub people: BTreeMap<GithubUserId, GithubPerson>,
    /// Secret teams are shown to this token too, so that an absent team is more than an invisible one.
    pub sees_secret: bool,
    /// Public addresses are in it, for whoever has one. GraphQL may refuse them, and REST's lists do not have them.
    pub tells_public: bool,
}

impl GithubSnapshot {
    /// Who is in each team or in one below it.
    pub fn with_children(&self) -> HashMap<GithubTeamId, BTreeSet<GithubUserId>> {
        let own = |team: &GithubTeam| (team.facts.id, team.members.iter().copied().collect());
        let mut all: HashMap<GithubTeamId, BTreeSet<_>> = self.teams.iter().map(own).collect();
        let parents: HashMap<_, _> =
            self.teams.iter().filter_map(|team| Some((team.facts.id, team.facts.parent?))).collect();
        for team in &self.teams {
            let (mut at, mut seen) = (team.facts.id, BTreeSet::from([team.facts.id]));
            while let Some(parent) = parents.get(&at).filter(|parent| seen.insert(**parent)) {
                all.entry(*parent).or_default().extend(&team.members);
                at = *parent;
            }
        }
        all
    }
}

/// A team as the snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubTeam {
    /// The team itself.
    pub facts: TeamFacts,
    /// Its direct members, sorted.
    pub members: Vec<GithubUserId>,
}

/// An account as the snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubPerson {
    /// Its login now.
    pub login: Login,
    /// GitHub says that this is no person.
    pub bot: bool,
    /// Its addresses by source, until it is told who that is in Sentry.
    pub claims: Claims,
}

/// What Sentry shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentrySnapshot {
    /// All teams; where the token may not list them, those whose slugs were asked for.
    pub teams: Vec<Team>,
    /// These are all teams that there are.
    pub listed: bool,
    /// Everybody in the organisation: users and invites.
    pub members: Vec<Member>,
    /// Who is in which team, sorted; only teams that were asked for.
    pub in_team: HashMap<SentryTeamId, Vec<MemberId>>,
}
