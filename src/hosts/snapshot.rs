//! Both sides as they were read: the whole GitHub organisation, and what Sentry shows. Pure values.
//!
//! If a page fails or an answer has errors, the whole reading fails. A list with null entries, or one that never fits
//! GitHub's own count, is kept as far as it goes, and [`Gaps`] names it: absence from such a list proves nothing. Teams
//! that the token cannot see are missing too; [`GithubSnapshot::sees_secret`] says whether there can be any.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde::Serialize;

use crate::hosts::github::facts::{Claims, TeamFacts};
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::sentry::{Member, Team};
use crate::state::ids::{GithubTeamId, GithubUserId, Login, MemberId, SentryTeamId};
use crate::state::sorted::Map;

/// All teams of a GitHub organisation with their direct members, and all people of the organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GithubSnapshot {
    /// The teams, sorted by id.
    pub teams: Vec<GithubTeam>,
    /// Members of the organisation and of its teams.
    pub people: BTreeMap<GithubUserId, GithubPerson>,
    /// The token sees secret teams too, so an absent team doesn't exist, rather than being invisible.
    pub sees_secret: bool,
    /// Whether people's public addresses were read. GraphQL may refuse them, and REST's lists don't have them.
    pub tells_public: bool,
    pub gaps: Gaps,
}

/// A list as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    pub gap: Option<Gap>,
}

impl<T> Listed<T> {
    pub fn map<U>(self, read: impl FnOnce(Vec<T>) -> Vec<U>) -> Listed<U> {
        Listed { rows: read(self.rows), gap: self.gap }
    }
}

/// How much an incomplete list shows, and how much it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Entries that were read.
    pub shown: usize,
    /// GitHub's own count of the entries, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted: Option<u64>,
    /// Entries that GitHub shows as null, mostly deleted accounts.
    pub nulls: usize,
}

impl Gap {
    /// The gap of a list that GitHub counts; `None` if the list is complete.
    pub fn by_count(shown: usize, counted: Option<u64>, nulls: usize) -> Option<Self> {
        let fits = counted == u64::try_from(shown).ok();
        (!fits || nulls > 0).then_some(Self { shown, counted, nulls })
    }

    /// The gap of a list without a count; `None` if no entry is null.
    pub fn by_nulls(shown: usize, nulls: usize) -> Option<Self> {
        (nulls > 0).then_some(Self { shown, counted: None, nulls })
    }

    /// Whether the null entries alone don't explain the gap. A list that changed while it was read looks like that.
    pub fn is_shift(&self) -> bool {
        let all = u64::try_from(self.shown.saturating_add(self.nulls)).ok();
        self.counted != all && (self.counted.is_some() || self.nulls == 0)
    }

    /// The likely number of all entries.
    pub fn whole(&self) -> usize {
        let counted = self.counted.and_then(|counted| usize::try_from(counted).ok()).unwrap_or_default();
        counted.max(self.shown.saturating_add(self.nulls))
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shown, counted, nulls } = self;
        match (self.is_shift(), counted) {
            (false, _) => {
                let are = if *nulls == 1 { "is" } else { "are" };
                write!(f, "{nulls} of {} {are} null", self.whole())
            }
            (true, Some(counted)) => {
                write!(f, "GitHub counts {counted} and shows {shown}")?;
                if *nulls > 0 {
                    write!(f, ", {nulls} as null")?;
                }
                Ok(())
            }
            (true, None) => write!(f, "GitHub shows {shown} and does not count them"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    Teams,
    /// Teams that are made at the enterprise.
    EnterpriseTeams,
    People,
    /// People's identities at the identity provider.
    Identities,
    Members(GithubTeamId),
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            List::Teams => f.write_str("teams of the organisation"),
            List::EnterpriseTeams => f.write_str("enterprise teams"),
            List::People => f.write_str("people of the organisation"),
            List::Identities => f.write_str("single sign-on identities"),
            List::Members(team) => write!(f, "members of GitHub team {team}"),
        }
    }
}

/// The lists of a snapshot that are known to be incomplete. The mirror adds what they show, but removes nothing because
/// it is absent from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    pub lists: Map<List, Gap>,
    /// People in teams who are absent from the list of people. They may be the ones that it shows as null.
    pub unlisted: BTreeSet<GithubUserId>,
}

impl Gaps {
    /// Records the gap of a list, if it has one.
    pub fn note(&mut self, list: List, gap: Option<Gap>) {
        self.lists.extend(gap.map(|gap| (list, gap)));
    }

    /// Whether there may be teams that GitHub doesn't show.
    pub fn lacks_teams(&self) -> bool {
        self.lists.contains_key(&List::Teams) || self.lists.contains_key(&List::EnterpriseTeams)
    }

    /// Whether a Sentry member without a matched GitHub account may have one that GitHub doesn't show.
    pub fn lacks_people(&self) -> bool {
        self.lists.contains_key(&List::People) || self.lists.contains_key(&List::Identities)
    }

    /// The gap in the list of a team's members.
    pub fn of_team(&self, team: GithubTeamId) -> Option<Gap> {
        self.lists.get(&List::Members(team)).copied()
    }
}

impl GithubSnapshot {
    /// The teams that may have members that GitHub doesn't show. `family`: the members of child teams count too.
    pub fn with_gaps(&self, family: bool) -> BTreeSet<GithubTeamId> {
        if family && self.gaps.lacks_teams() {
            return self.teams.iter().map(|team| team.facts.id).collect();
        }
        let with_gaps = self.gaps.lists.keys().filter_map(|list| match list {
            List::Members(team) => Some(*team),
            _ => None,
        });
        let mut teams: BTreeSet<_> = with_gaps.collect();
        if family && !teams.is_empty() {
            let parents: HashMap<_, _> =
                self.teams.iter().filter_map(|team| Some((team.facts.id, team.facts.parent?))).collect();
            let mut open: Vec<_> = teams.iter().copied().collect();
            while let Some(team) = open.pop() {
                open.extend(parents.get(&team).copied().filter(|parent| teams.insert(*parent)));
            }
        }
        teams
    }

    /// The members of each team, including those of all teams below it.
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubTeam {
    pub facts: TeamFacts,
    /// Its direct members, sorted.
    pub members: Vec<GithubUserId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubPerson {
    pub login: Login,
    /// GitHub says that this account is no person.
    pub bot: bool,
    /// The account's addresses by source, until it is matched with a Sentry member.
    pub claims: Claims,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentrySnapshot {
    /// All teams, or, if the token may not list them, those that were asked for by slug.
    pub teams: Vec<Team>,
    /// Whether `teams` has all teams.
    pub listed: bool,
    /// Everybody in the organisation: users and invites.
    pub members: Vec<Member>,
    /// The teams' names in CODEOWNERS; `None` unless `SYNC_CODEOWNERS` is `link`.
    pub links: Option<Vec<ExternalTeam>>,
    /// Why no CODEOWNERS name can be linked, with the fix.
    pub links_barred: Option<String>,
    /// Members whom `SYNC_PROTECT` protects by an address that only a search shows.
    pub protected: BTreeSet<MemberId>,
    /// The members of each team that was read, sorted.
    pub in_team: HashMap<SentryTeamId, Vec<MemberId>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told_in_words_and_numbers() {
        let told = |shown, counted, nulls| Gap::by_count(shown, counted, nulls).map(|gap| gap.to_string());
        assert_eq!(told(100, Some(100), 0), None);
        assert_eq!(told(100, Some(101), 1).unwrap(), "1 of 101 is null");
        assert_eq!(told(98, Some(100), 2).unwrap(), "2 of 100 are null");
        assert_eq!(told(100, Some(108), 0).unwrap(), "GitHub counts 108 and shows 100");
        assert_eq!(told(108, Some(100), 0).unwrap(), "GitHub counts 100 and shows 108");
        assert_eq!(told(100, Some(108), 3).unwrap(), "GitHub counts 108 and shows 100, 3 as null");
        assert_eq!(told(5, None, 0).unwrap(), "GitHub shows 5 and does not count them");
        assert_eq!(told(5, None, 1).unwrap(), "1 of 6 is null");
        assert_eq!(Gap::by_nulls(5, 0), None);
        assert_eq!(Gap::by_nulls(5, 1).unwrap().to_string(), "1 of 6 is null");
    }

    #[test]
    fn a_gap_is_one_of_the_teams_above_where_families_count() {
        let team = |id: u64, parent: Option<u64>| GithubTeam {
            facts: TeamFacts {
                id: GithubTeamId(id),
                node_id: String::new(),
                name: String::new(),
                slug: "x".into(),
                created_at: None,
                parent: parent.map(GithubTeamId),
            },
            members: Vec::new(),
        };
        let teams = vec![team(1, None), team(2, Some(1)), team(3, Some(2)), team(4, None)];
        let mut github = GithubSnapshot { teams, ..GithubSnapshot::default() };
        let ids = |github: &GithubSnapshot, family| -> Vec<u64> {
            github.with_gaps(family).into_iter().map(|id| id.0).collect()
        };
        assert!(ids(&github, true).is_empty());
        github.gaps.note(List::Members(GithubTeamId(3)), Gap::by_nulls(1, 1));
        assert_eq!((ids(&github, false), ids(&github, true)), (vec![3], vec![1, 2, 3]));
        github.gaps.note(List::Teams, Gap::by_nulls(4, 1));
        assert_eq!((ids(&github, false), ids(&github, true)), (vec![3], vec![1, 2, 3, 4]));
    }

    #[test]
    fn only_what_may_have_changed_meanwhile_is_a_shift() {
        let shift = |shown, counted, nulls| Gap::by_count(shown, counted, nulls).unwrap().is_shift();
        assert!(!shift(99, Some(100), 1) && !shift(99, None, 1));
        assert!(shift(99, Some(100), 0) && shift(98, Some(100), 1) && shift(5, None, 0));
        let whole = |shown, counted, nulls| Gap::by_count(shown, counted, nulls).unwrap().whole();
        assert_eq!(
            [whole(99, Some(100), 1), whole(100, Some(108), 0), whole(108, Some(100), 0)],
            [100, 108, 108]
        );
    }
}
