//! The changes that would make Sentry match GitHub, as a value that can be printed. Pure.
//!
//! Sorted and stable: the same two sides give the same text and the same JSON. Teams in sync are only counted.

mod text;

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::choice::Choice;
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::snapshot::{Gap, List};
use crate::queue::part::{Addition, Removal};
use crate::state::holds::{HeldChange, HoldName};
use crate::state::ids::{GithubSlug, GithubTeamId, GithubUserId, Login, OwnerName, SentrySlug, SentryTeamId};
use crate::text::counted;

/// Everything to do, and everything that isn't done, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Teams with something to do or to report, by slug.
    pub teams: Vec<TeamPlan>,
    /// People in GitHub teams who could not be matched, by login.
    pub skipped: Vec<Skipped>,
    pub holds: Vec<PlannedHold>,
    /// Mirrored teams that need nothing.
    pub in_sync: usize,
    /// Teams that `SYNC_TEAMS` leaves out.
    pub dormant: usize,
    /// Sentry teams that follow no GitHub team, even after this plan: from another tool, or made by a person.
    #[serde(skip_serializing_if = "is_none")]
    pub unfollowed: usize,
    /// Teams that stay as they are because a person has rejected everything planned for them, by slug.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
    /// Lists that GitHub doesn't show completely. Absence from them never leads to a removal or deletion.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<Incomplete>,
    /// The names in CODEOWNERS, if `SYNC_CODEOWNERS` is `link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// People who would be removed if GitHub showed enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_in: Vec<LeftIn>,
}

/// A list that GitHub does not show completely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incomplete {
    #[serde(skip)]
    pub list: List,
    #[serde(rename = "list")]
    pub what: String,
    #[serde(flatten)]
    pub gap: Gap,
}

/// Somebody who stays in a team because GitHub didn't show enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftIn {
    pub team: GithubTeamId,
    pub slug: SentrySlug,
    #[serde(flatten)]
    pub removal: Removal,
    /// The part that GitHub didn't show.
    pub because: &'static str,
}

/// A team that is left as it is because a person rejected everything planned for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    pub team: GithubTeamId,
    /// The slug that it has in Sentry, or would get.
    pub slug: SentrySlug,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TeamPlan {
    pub team: GithubTeamId,
    /// The slug that it has in Sentry, or is to get.
    pub slug: SentrySlug,
    pub name: String,
    pub step: Step,
    /// The change to its name in CODEOWNERS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkPlan>,
    /// The people to add, by login.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<Addition>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Removal>,
    /// The hold that stops the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HoldName>,
    /// How many people are in the Sentry team now. Guards compare removals with this.
    #[serde(skip)]
    pub there: usize,
}

/// The change to a team's name in CODEOWNERS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkPlan {
    pub name: OwnerName,
    #[serde(flatten)]
    pub way: LinkWay,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HoldName>,
    /// The team's slug on GitHub.
    #[serde(skip)]
    pub slug: GithubSlug,
    /// Sentry's rows with that name, and the rows of the team.
    #[serde(skip)]
    pub rows: Vec<ExternalTeam>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum LinkWay {
    Link,
    /// The service's own row has another name, or belongs to another team.
    Relink {
        from: String,
    },
    /// The GitHub team is deleted, and its Sentry team stays.
    Unlink,
    /// Somebody has linked the name to another Sentry team. It is left as it is.
    Conflict {
        sentry: SentryTeamId,
    },
}

impl LinkPlan {
    /// Whether the name would be linked to the team, which may need approval.
    pub fn is_to_be_linked(&self) -> bool {
        matches!(self.way, LinkWay::Link | LinkWay::Relink { .. })
    }

    /// Whether it changes an existing link.
    pub fn is_relink(&self) -> bool {
        matches!(self.way, LinkWay::Relink { .. })
    }
}

/// The names in CODEOWNERS that are linked as they should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Links {
    pub linked: usize,
    /// Why no other links are made, with the fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barred: Option<String>,
    #[serde(skip)]
    pub rows: Vec<(GithubTeamId, ExternalTeam)>,
}

/// The change to a team itself, apart from its people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Step {
    Keep,
    Create,
    /// An existing Sentry team becomes the team's own.
    Adopt {
        sentry: SentryTeamId,
    },
    /// The team had ended and GitHub shows it again: its Sentry team follows it again.
    Return {
        /// The Sentry team that had followed it, or the one that a person has had made in its place.
        sentry: SentryTeamId,
        /// That Sentry team is gone, and is created again with everything it had.
        made: bool,
    },
    /// Another slug, another name, or both.
    Rename {
        /// The slug so far.
        from: SentrySlug,
    },
    /// GitHub has deleted the team.
    Delete {
        sentry: SentryTeamId,
        /// The Sentry team existed before the service.
        adopted: bool,
    },
    /// GitHub has deleted the team. Its Sentry team stays, without its people.
    Empty {
        sentry: SentryTeamId,
        /// The Sentry team existed before the service.
        adopted: bool,
    },
    /// GitHub has deleted the team. Its Sentry team is left alone from now on.
    Leave {
        sentry: SentryTeamId,
        why: String,
    },
    /// Its slug belongs to a Sentry team that it may not take over without approval.
    Conflict {
        /// The team that has the slug.
        sentry: SentryTeamId,
        /// The GitHub team has a Sentry team already, and wants the slug for a rename.
        bound: bool,
    },
    /// An identity provider manages its Sentry team, or the one that has its slug: that is not adopted or renamed.
    Locked {
        sentry: SentryTeamId,
    },
    /// Its slug belongs to another mirrored team, and is not free yet.
    Wait {
        /// The team that has the slug.
        owner: GithubTeamId,
    },
    /// GitHub does not show the team to this token: nothing is done.
    NotVisible,
}

/// Somebody who is not matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub user: GithubUserId,
    pub login: Login,
    pub why: String,
    /// The fix, if Sentry knows them by another of their addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<&'static str>,
    /// The teams that they would be in, by slug.
    pub teams: Vec<SentrySlug>,
}

/// Changes that wait for approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedHold {
    /// The name for the `approve` command.
    pub name: HoldName,
    /// The rule that stops them, with its numbers.
    pub rule: String,
    pub changes: Vec<HeldChange>,
    /// How many more changes the same decision covers, in teams that were not chosen.
    #[serde(skip_serializing_if = "is_none")]
    pub others: usize,
}

fn is_none(n: &usize) -> bool {
    *n == 0
}

impl TeamPlan {
    /// Whether there is nothing to do and nothing to report.
    pub fn is_empty(&self) -> bool {
        self.step == Step::Keep && self.link.is_none() && self.add.is_empty() && self.remove.is_empty()
    }
}

pub fn n_changes(n: usize) -> String {
    counted(n, "change", "changes")
}

/// How many of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub create: usize,
    pub adopt: usize,
    /// Teams that GitHub shows again after their end.
    #[serde(rename = "return")]
    pub back: usize,
    pub rename: usize,
    pub delete: usize,
    pub empty: usize,
    /// Names in CODEOWNERS, like the next two.
    pub link: usize,
    pub relink: usize,
    pub unlink: usize,
    /// People to add. Somebody counts once for each team.
    pub add: usize,
    /// People to remove. Somebody counts once for each team.
    pub remove: usize,
    /// Changes on hold. They are counted above too.
    pub held: usize,
    /// Teams that cannot get their slug: another team has it, or an identity provider manages the Sentry team.
    pub stuck: usize,
    /// Teams that GitHub does not show.
    pub unseen: usize,
    /// Names in CODEOWNERS that somebody has linked to another Sentry team.
    pub conflicts: usize,
}

impl Counts {
    /// All of the changes above, including those on hold.
    pub fn all(&self) -> usize {
        let teams = self.create + self.adopt + self.back + self.rename + self.delete + self.empty;
        teams + self.link + self.relink + self.unlink + self.add + self.remove
    }
}

impl Plan {
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for team in &self.teams {
            match team.step {
                Step::Create => counts.create += 1,
                Step::Adopt { .. } => counts.adopt += 1,
                Step::Return { .. } => counts.back += 1,
                Step::Rename { .. } => counts.rename += 1,
                Step::Delete { .. } => counts.delete += 1,
                Step::Empty { .. } => counts.empty += 1,
                Step::Conflict { bound: true, .. } | Step::Wait { .. } | Step::Locked { .. } => {
                    counts.stuck += 1
                }
                Step::NotVisible => counts.unseen += 1,
                // The adoption itself is what waits for approval.
                Step::Conflict { .. } if team.held.is_some() => counts.adopt += 1,
                Step::Keep | Step::Leave { .. } | Step::Conflict { .. } => {}
            }
            match team.link.as_ref().map(|link| &link.way) {
                Some(LinkWay::Link) => counts.link += 1,
                Some(LinkWay::Relink { .. }) => counts.relink += 1,
                Some(LinkWay::Unlink) => counts.unlink += 1,
                Some(LinkWay::Conflict { .. }) => counts.conflicts += 1,
                None => {}
            }
            counts.add += team.add.len();
            counts.remove += team.remove.len();
        }
        counts.held = self.holds.iter().map(|hold| hold.changes.len()).sum();
        counts
    }

    /// Whether no change is planned or held. Teams that are stuck, unseen or in conflict don't count.
    pub fn is_in_sync(&self) -> bool {
        self.holds.is_empty()
            && Counts { stuck: 0, unseen: 0, conflicts: 0, ..self.counts() } == Counts::default()
    }

    /// Whether Sentry matches GitHub, apart from people without a match and teams that GitHub doesn't show.
    pub fn is_the_same(&self) -> bool {
        let Counts { stuck, conflicts, .. } = self.counts();
        self.is_in_sync() && self.left_in.is_empty() && stuck + conflicts == 0
    }

    /// The part about the chosen teams. A chosen team that takes the slug of a team that was not chosen waits.
    pub fn only(&self, choice: &Choice) -> Self {
        let (chosen, others): (Vec<_>, Vec<_>) =
            self.teams.iter().partition(|team| choice.teams.contains(&team.team));
        let staying = others.into_iter().filter_map(|team| match &team.step {
            Step::Rename { from } => Some((from.clone(), team.team)),
            Step::Delete { .. } => Some((team.slug.clone(), team.team)),
            _ => None,
        });
        let slugs: HashSet<_> = chosen.iter().map(|team| &team.slug).collect();
        let skipped = self.skipped.iter().filter_map(|person| {
            let teams: Vec<_> = person.teams.iter().filter(|team| slugs.contains(team)).cloned().collect();
            (!teams.is_empty()).then(|| Skipped { teams, ..person.clone() })
        });
        let is_chosen = |change: &&HeldChange| change.team().is_some_and(|team| choice.teams.contains(&team));
        let holds = self.holds.iter().filter_map(|hold| {
            let changes: Vec<_> = hold.changes.iter().filter(is_chosen).cloned().collect();
            let others = hold.changes.len() - changes.len();
            (!changes.is_empty()).then(|| PlannedHold { changes, others, ..hold.clone() })
        });
        let rejected = self.rejected.iter().filter(|team| choice.teams.contains(&team.team));
        let rejected: Vec<_> = rejected.cloned().collect();
        let is_about = |entry: &&Incomplete| match entry.list {
            List::Members(team) => choice.teams.contains(&team),
            _ => true,
        };
        let incomplete = self.incomplete.iter().filter(is_about).cloned().collect();
        let left_in = self.left_in.iter().filter(|left| choice.teams.contains(&left.team));
        let left_in: Vec<_> = left_in.cloned().collect();
        let told = chosen.iter().map(|team| team.team).chain(rejected.iter().map(|team| team.team));
        let told: HashSet<_> = told.chain(left_in.iter().map(|left| left.team)).collect();
        let mut only = Self {
            skipped: skipped.collect(),
            holds: holds.collect(),
            in_sync: choice.mirrored.difference(&told).count(),
            dormant: choice.teams.len() - choice.mirrored.union(&told).count(),
            teams: chosen.into_iter().cloned().collect(),
            // These teams follow no GitHub team, so nobody can have chosen them.
            unfollowed: 0,
            rejected,
            incomplete,
            links: self.links.clone().map(|links| links.only(choice)),
            left_in,
        };
        only.wait_for(staying.collect());
        only
    }

    /// These slugs stay taken by their teams. A team that would get one waits, and so do those that want its slug.
    pub fn wait_for(&mut self, mut staying: Vec<(SentrySlug, GithubTeamId)>) {
        let takes =
            |team: &TeamPlan| team.held.is_none() && matches!(team.step, Step::Create | Step::Rename { .. });
        let teams = self.teams.iter().enumerate().filter(|(_, team)| takes(team));
        let mut takers: HashMap<SentrySlug, usize> =
            teams.map(|(at, team)| (team.slug.clone(), at)).collect();
        while let Some((slug, owner)) = staying.pop() {
            let taker = takers.remove(&slug).and_then(|at| self.teams.get_mut(at));
            let Some(team) = taker else { continue };
            match std::mem::replace(&mut team.step, Step::Wait { owner }) {
                Step::Rename { from } => staying.push((from, team.team)),
                _ => {
                    team.add.clear();
                    team.link = None;
                }
            }
        }
    }
}

impl Links {
    fn only(mut self, choice: &Choice) -> Self {
        self.rows.retain(|(team, _)| choice.teams.contains(team));
        self.linked = self.rows.len();
        self
    }
}
