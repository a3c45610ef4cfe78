//! People: remembered matches, and those who wait to be matched.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::state::ids::{GithubTeamId, GithubUserId, Login, MemberId};
use crate::state::sorted::Map;
use crate::state::values::Match;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    pub(super) matched: BTreeMap<GithubUserId, Match>,
    wanted: BTreeMap<GithubUserId, Wanted>,
    /// People whose match was true once but no longer is, mostly because they left Sentry.
    pub(super) lost: BTreeSet<GithubUserId>,
    pub(super) invited: Map<GithubUserId, Timestamp>,
}

/// A person whom GitHub has in teams and Sentry does not know yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The login when last seen.
    pub login: Login,
    /// Why nobody was matched at the last attempt.
    pub why: Box<str>,
    pub since: Timestamp,
    /// The teams, sorted.
    pub teams: Vec<GithubTeamId>,
}

impl People {
    pub fn matched(&self, user: GithubUserId) -> Option<&Match> {
        self.matched.get(&user)
    }

    /// All remembered matches in the order of GitHub's ids.
    pub fn matches(&self) -> impl Iterator<Item = (GithubUserId, &Match)> {
        self.matched.iter().map(|(user, found)| (*user, found))
    }

    /// The account that a member was matched with.
    pub fn of_member(&self, member: MemberId) -> Option<GithubUserId> {
        self.matches().find(|(_, found)| found.member == member).map(|(user, _)| user)
    }

    /// All wanted people, in the order of GitHub's ids.
    pub fn wanted(&self) -> impl Iterator<Item = (GithubUserId, &Wanted)> {
        self.wanted.iter().map(|(user, wanted)| (*user, wanted))
    }

    /// Teams and the people wanted in them, in the order of GitHub's user ids.
    pub fn wishes(&self) -> impl Iterator<Item = (GithubTeamId, GithubUserId)> + '_ {
        self.wanted().flat_map(|(user, wanted)| wanted.teams.iter().map(move |team| (*team, user)))
    }

    pub fn wish(&self, user: GithubUserId) -> Option<&Wanted> {
        self.wanted.get(&user)
    }

    pub fn n_matched(&self) -> usize {
        self.matched.len()
    }

    pub fn n_wanted(&self) -> usize {
        self.wanted.len()
    }

    pub fn is_wanted(&self, team: GithubTeamId, user: GithubUserId) -> bool {
        self.wanted.get(&user).is_some_and(|wanted| wanted.teams.contains(&team))
    }

    pub fn wanted_in(&self, user: GithubUserId) -> &[GithubTeamId] {
        self.wanted.get(&user).map_or(&[], |wanted| &wanted.teams)
    }

    /// Whether somebody was ever matched or invited. The mirror never invites again somebody who left.
    pub fn has_a_past(&self, user: GithubUserId) -> bool {
        self.matched.contains_key(&user) || self.lost.contains(&user) || self.invited.contains_key(&user)
    }

    pub fn invited_since(&self, since: Timestamp) -> usize {
        self.invited.values().filter(|at| **at >= since).count()
    }

    pub(super) fn unmatch(&mut self, user: GithubUserId) {
        self.matched.remove(&user);
        self.lost.insert(user);
    }

    pub(super) fn want(
        &mut self,
        team: GithubTeamId,
        user: GithubUserId,
        login: Login,
        why: Box<str>,
        at: Timestamp,
    ) {
        let wanted = self.wanted.entry(user).or_insert_with(|| Wanted {
            login: login.clone(),
            why: why.clone(),
            since: at,
            teams: Vec::new(),
        });
        wanted.login = login;
        wanted.why = why;
        if let Err(place) = wanted.teams.binary_search(&team) {
            wanted.teams.insert(place, team);
        }
    }

    pub(super) fn unwant(&mut self, team: GithubTeamId, user: GithubUserId) {
        if let Some(wanted) = self.wanted.get_mut(&user) {
            wanted.teams.retain(|known| *known != team);
            if wanted.teams.is_empty() {
                self.wanted.remove(&user);
            }
        }
    }

    pub(super) fn unwant_team(&mut self, team: GithubTeamId) {
        self.wanted.retain(|_, wanted| {
            wanted.teams.retain(|known| *known != team);
            !wanted.teams.is_empty()
        });
    }
}
