//! Compares both sides as they were read, and says what is to be done. Pure: no clock, file or socket, no guard.
//!
//! Never planned: anything about a Sentry team that follows no GitHub team, the removal of somebody whom nothing but a
//! public profile names, or of somebody in conflict.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::plan::{Addition, Plan, Removal, Skipped, Step, TeamPlan};
use crate::config::{RemoveMembers, Settings};
use crate::identity::Identity;
use crate::ids::{GithubTeamId, GithubUserId, MemberId, SentrySlug, SentryTeamId};
use crate::plan::{self, Holder, TeamStep, WantedTeam};
use crate::sentry::{Member, Team};
use crate::slug;
use crate::snapshot::{GithubSnapshot, GithubTeam, SentrySnapshot};
use crate::state::holds::HeldChange;
use crate::state::record::{Binding, Origin, Source};
use crate::state::State;

/// Everything that a comparison looks at.
pub struct Sides<'a> {
    /// GitHub as it was read.
    pub github: &'a GithubSnapshot,
    /// Sentry as it was read.
    pub sentry: &'a SentrySnapshot,
    /// Who everybody in a GitHub team is in Sentry.
    pub people: &'a BTreeMap<GithubUserId, Identity>,
    /// Bound teams that GitHub has deleted, for certain.
    pub deleted: &'a BTreeSet<GithubTeamId>,
    /// What the mirror knows.
    pub state: &'a State,
    /// The rules.
    pub settings: &'a Settings,
}

/// What is looked up again and again.
struct Index<'a> {
    sides: &'a Sides<'a>,
    by_slug: HashMap<&'a SentrySlug, &'a Team>,
    by_id: HashMap<SentryTeamId, &'a Team>,
    members: HashMap<MemberId, &'a Member>,
    /// Which accounts a member is: several may be one person.
    accounts: HashMap<MemberId, Vec<GithubUserId>>,
    /// Which GitHub team wants which slug: of two, the older one by id.
    wanted: HashMap<SentrySlug, GithubTeamId>,
}

/// The plan, before any guard.
pub fn compare(sides: &Sides) -> Plan {
    let index = Index::new(sides);
    let mut plan = Plan::default();
    let mut skipped: BTreeMap<GithubUserId, Vec<SentrySlug>> = BTreeMap::new();
    for team in &sides.github.teams {
        if sides.state.teams.gone(team.id).is_some() {
            continue;
        }
        if !sides.settings.teams.matches(&team.slug) {
            plan.dormant += 1;
            continue;
        }
        let planned = index.team(team, &mut skipped);
        if planned.is_empty() {
            plan.in_sync += 1;
        } else {
            plan.teams.push(planned);
        }
    }
    plan.teams.extend(index.absent());
    plan.teams.sort_by(|a, b| (&a.slug, a.team).cmp(&(&b.slug, b.team)));
    plan.skipped = index.skipped(skipped);
    plan
}

impl<'a> Index<'a> {
    fn new(sides: &'a Sides<'a>) -> Self {
        let mut accounts: HashMap<MemberId, Vec<GithubUserId>> = HashMap::new();
        for (user, found) in sides.state.people.matches() {
            accounts.entry(found.member).or_default().push(user);
        }
        for (user, identity) in sides.people {
            if let Identity::Matched { member, .. } = identity {
                let users = accounts.entry(*member).or_default();
                if !users.contains(user) {
                    users.push(*user);
                }
            }
        }
        let mut wanted = HashMap::new();
        for team in &sides.github.teams {
            if sides.settings.teams.matches(&team.slug) {
                let slug = slug::for_team(&team.slug, team.id, &sides.settings.slug_prefix);
                wanted.entry(slug).or_insert(team.id);
            }
        }
        Self {
            by_slug: sides.sentry.teams.iter().map(|team| (&team.slug, team)).collect(),
            by_id: sides.sentry.teams.iter().map(|team| (team.id, team)).collect(),
            members: sides.sentry.members.iter().map(|member| (member.id, member)).collect(),
            accounts,
            wanted,
            sides,
        }
    }

    /// The binding as Sentry shows the team now; `None` if it follows nothing, or that is gone.
    fn binding(&self, team: GithubTeamId) -> Option<Binding> {
        let binding = self.sides.state.teams.binding(team)?.clone();
        match self.by_id.get(&binding.sentry) {
            Some(now) => Some(Binding { slug: now.slug.clone(), name: now.name.as_str().into(), ..binding }),
            None if self.sides.sentry.listed => None,
            None => Some(binding),
        }
    }

    fn team(&self, team: &GithubTeam, skipped: &mut BTreeMap<GithubUserId, Vec<SentrySlug>>) -> TeamPlan {
        let settings = self.sides.settings;
        let slug = slug::for_team(&team.slug, team.id, &settings.slug_prefix);
        let binding = self.binding(team.id);
        let step = self.step(team, &slug, binding.as_ref());
        let sentry = match (&step, &binding) {
            (Step::Adopt { sentry }, _) => Some(*sentry),
            (_, Some(binding)) => Some(binding.sentry),
            _ => None,
        };
        let there = sentry.and_then(|id| self.sides.sentry.in_team.get(&id)).map_or(&[][..], Vec::as_slice);
        let goes_on = binding.is_some() || matches!(step, Step::Create | Step::Adopt { .. });
        let members = self.members_of(team);
        for user in &members {
            if !matches!(self.sides.people.get(user), Some(Identity::Matched { .. })) {
                skipped.entry(*user).or_default().push(slug.clone());
            }
        }
        let (add, remove) = match goes_on {
            true => {
                (self.additions(&members, there), self.removals(team, &members, there, binding.is_some()))
            }
            false => (Vec::new(), Vec::new()),
        };
        let name = slug::display_name(&team.name, &slug);
        TeamPlan { team: team.id, slug, name, step, add, remove, held: None, there: there.len() }
    }

    fn step(&self, team: &GithubTeam, slug: &SentrySlug, binding: Option<&Binding>) -> Step {
        let state = self.sides.state;
        if let Some(winner) = self.wanted.get(slug).filter(|winner| **winner != team.id) {
            return Step::Wait { owner: *winner };
        }
        let holder = match self.by_slug.get(slug) {
            Some(found) if binding.is_some_and(|binding| binding.sentry == found.id) => Holder::Nobody,
            Some(found) => match state.teams.of_sentry(found.id) {
                Some(owner) if owner != team.id => Holder::Team(owner),
                _ => Holder::Stranger(found.id, self.decision(team.id, found.id, slug)),
            },
            None => Holder::Nobody,
        };
        let older = match team.created_at {
            Some(at) => at.after(std::time::Duration::from_secs(1)) <= state.first_start,
            None => !state.teams.news(team.id).is_some_and(|news| news.born),
        };
        let renamed = state.teams.news(team.id).is_some_and(|news| news.named.is_some());
        let disputed = state.holds.disputes_of(team.id).next().is_some();
        let name = slug::display_name(&team.name, slug);
        // A name is GitHub's where the team was made from it; one that was adopted keeps its own until it is renamed.
        let named = binding.is_some_and(|binding| binding.origin == Origin::Created).then_some(name);
        let wanted =
            WantedTeam { slug: slug.clone(), name: named, adoptable: older && !renamed && !disputed };
        match plan::team(&wanted, binding, &holder) {
            TeamStep::Keep => Step::Keep,
            TeamStep::Create => Step::Create,
            TeamStep::Adopt(sentry) => Step::Adopt { sentry },
            TeamStep::Rename => {
                Step::Rename { from: binding.map_or_else(|| slug.clone(), |binding| binding.slug.clone()) }
            }
            // Its owner moves away in the same plan, or is bound to stay: either way it has to be waited for.
            TeamStep::WaitFor(owner) => match self.moves_away(owner, slug) {
                true if binding.is_some() => Step::Rename {
                    from: binding.map_or_else(|| slug.clone(), |binding| binding.slug.clone()),
                },
                true => Step::Create,
                false => Step::Wait { owner },
            },
            TeamStep::Conflict(sentry) => Step::Conflict { sentry, bound: binding.is_some() },
            // Refused by a person: left alone, and not told again.
            TeamStep::Rejected(_) => Step::Keep,
        }
    }

    /// Whether the team that has a slug gives it up by this very plan.
    fn moves_away(&self, owner: GithubTeamId, slug: &SentrySlug) -> bool {
        self.wanted.get(slug).is_some_and(|wanted| *wanted != owner)
            && (self.sides.deleted.contains(&owner)
                || self.sides.github.teams.iter().any(|team| team.id == owner))
    }

    fn decision(&self, team: GithubTeamId, sentry: SentryTeamId, slug: &SentrySlug) -> Option<bool> {
        let change = HeldChange::Adopt { team, sentry, slug: slug.clone() };
        self.sides.state.holds.decision(&change).map(|decision| decision.approved)
    }

    /// Direct members, or those of child teams too.
    fn members_of(&self, team: &GithubTeam) -> BTreeSet<GithubUserId> {
        let mut members: BTreeSet<_> = team.members.iter().copied().collect();
        if self.sides.settings.child_members {
            let mut open = vec![team.id];
            let mut seen = BTreeSet::from([team.id]);
            while let Some(parent) = open.pop() {
                for child in self.sides.github.teams.iter().filter(|child| child.parent == Some(parent)) {
                    if seen.insert(child.id) {
                        members.extend(&child.members);
                        open.push(child.id);
                    }
                }
            }
        }
        members.retain(|user| self.sides.github.people.get(user).is_none_or(|person| !person.bot));
        members
    }

    fn additions(&self, members: &BTreeSet<GithubUserId>, there: &[MemberId]) -> Vec<Addition> {
        let mut seen = BTreeSet::new();
        let mut add: Vec<_> = members
            .iter()
            .filter_map(|user| {
                let Some(Identity::Matched { member, source, .. }) = self.sides.people.get(user) else {
                    return None;
                };
                let login = self.sides.github.people.get(user)?.login.clone();
                let is_new = there.binary_search(member).is_err() && seen.insert(*member);
                is_new.then_some(Addition { user: *user, login, member: *member, source: *source })
            })
            .collect();
        add.sort_by(|a, b| (&a.login, a.user).cmp(&(&b.login, b.user)));
        add
    }

    fn removals(
        &self,
        team: &GithubTeam,
        members: &BTreeSet<GithubUserId>,
        there: &[MemberId],
        bound: bool,
    ) -> Vec<Removal> {
        // A team that is only about to be adopted has people of its own.
        if !bound || self.sides.settings.remove_members == RemoveMembers::Never {
            return Vec::new();
        }
        let mut remove: Vec<_> =
            there.iter().filter_map(|member| self.removal(team, members, *member)).collect();
        remove.sort_by(|a, b| (&a.who, a.member).cmp(&(&b.who, b.member)));
        remove
    }

    fn removal(
        &self,
        team: &GithubTeam,
        members: &BTreeSet<GithubUserId>,
        member: MemberId,
    ) -> Option<Removal> {
        let Sides { state, settings, .. } = self.sides;
        let row = self.members.get(&member)?;
        let addresses = row.primary.iter().chain(&row.verified).map(String::as_str);
        if settings.protect.covers_any(addresses) {
            return None;
        }
        let accounts = self.accounts.get(&member).map_or(&[][..], Vec::as_slice);
        if accounts.iter().any(|user| members.contains(user)) {
            return None;
        }
        // Somebody whom several sources, or several accounts, make of: nobody acts on a conflict.
        let in_conflict =
            |user: &GithubUserId| matches!(self.sides.people.get(user), Some(Identity::Conflict { .. }));
        if accounts.iter().any(in_conflict) {
            return None;
        }
        let news = state.teams.news(team.id);
        let was_in = |user: &&GithubUserId| news.is_some_and(|news| news.word(**user).is_some());
        let user = match settings.remove_members {
            RemoveMembers::Never => return None,
            RemoveMembers::Left => Some(accounts.iter().find(was_in)?),
            RemoveMembers::Known => Some(accounts.iter().find(was_in).or(accounts.first())?),
            RemoveMembers::All => accounts.iter().find(was_in).or(accounts.first()),
        };
        let found = user.and_then(|user| state.people.matched(*user));
        let source = user.and_then(|user| match self.sides.people.get(user) {
            Some(Identity::Matched { source, .. }) => Some(*source),
            _ => found.map(|found| found.source),
        });
        if source == Some(Source::Public) {
            return None;
        }
        let why = match user {
            Some(user) if was_in(&user) => "left the GitHub team",
            Some(_) => "is not in the GitHub team",
            None => "is nobody whom GitHub knows",
        };
        let login = user.and_then(|user| {
            let now = self.sides.github.people.get(user).map(|person| &person.login);
            now.or(found.map(|found| &found.login)).map(ToString::to_string)
        });
        let who = login.or_else(|| row.primary.clone()).unwrap_or_else(|| format!("member {member}"));
        Some(Removal { user: user.copied(), who, member, why, held: None })
    }

    /// Bound teams that the snapshot does not show.
    fn absent(&self) -> Vec<TeamPlan> {
        let shown: BTreeSet<_> = self.sides.github.teams.iter().map(|team| team.id).collect();
        let absent = self.sides.state.teams.bindings().filter(|(team, _)| !shown.contains(team));
        absent
            .filter_map(|(team, known)| {
                let binding = self.binding(team)?;
                let deleted = self.sides.deleted.contains(&team);
                let step = match deleted {
                    true => Step::Delete { sentry: binding.sentry, adopted: known.origin == Origin::Adopted },
                    false => Step::NotVisible,
                };
                let name = binding.name.to_string();
                Some(TeamPlan {
                    team,
                    slug: binding.slug,
                    name,
                    step,
                    add: Vec::new(),
                    remove: Vec::new(),
                    held: None,
                    there: 0,
                })
            })
            .collect()
    }

    fn skipped(&self, teams: BTreeMap<GithubUserId, Vec<SentrySlug>>) -> Vec<Skipped> {
        let mut skipped: Vec<_> = teams
            .into_iter()
            .filter_map(|(user, mut teams)| {
                let login = self.sides.github.people.get(&user)?.login.clone();
                let why = match self.sides.people.get(&user) {
                    Some(Identity::Absent { why } | Identity::Unknown { why }) => why.clone(),
                    Some(Identity::Conflict { why }) => format!("in conflict: {why}"),
                    Some(Identity::Matched { .. }) => return None,
                    None => "nobody was asked".into(),
                };
                teams.sort();
                Some(Skipped { user, login, why, teams })
            })
            .collect();
        skipped.sort_by(|a, b| (&a.login, a.user).cmp(&(&b.login, b.user)));
        skipped
    }
}
