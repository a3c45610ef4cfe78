//! Compares both sides as they were read, and plans the changes. Pure: no clock, file or socket, and no guard.
//!
//! It never plans a change to a Sentry team that follows no GitHub team, other than adopting it. It never removes
//! somebody in conflict, or somebody identified only by a weak source or a search.

mod absent;
mod links;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::plan::{Incomplete, LeftIn, Links, Plan, Skipped, Step, TeamPlan};
use crate::config::{DeleteTeams, RemoveMembers, Settings};
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::sentry::{Member, Team};
use crate::hosts::snapshot::{GithubSnapshot, GithubTeam, List, SentrySnapshot};
use crate::identity::{self, Identity};
use crate::queue::part::{Addition, Removal, WantedTeam};
use crate::state::holds::HeldChange;
use crate::state::ids::{GithubTeamId, GithubUserId, Login, MemberId, SentrySlug, SentryTeamId};
use crate::state::sorted::Map;
use crate::state::teams::News;
use crate::state::values::{Binding, Fate, Origin};
use crate::state::{slug, State};
use crate::work::step::{self, Holder, TeamStep};

/// Everything that a comparison looks at.
pub struct Sides<'a> {
    /// The GitHub organisation.
    pub org: &'a Login,
    pub github: &'a GithubSnapshot,
    pub sentry: &'a SentrySnapshot,
    /// Who everybody in a GitHub team is in Sentry.
    pub people: &'a BTreeMap<GithubUserId, Identity>,
    /// People in GitHub teams of whom too little could be read, so that they may be anybody.
    pub unread: &'a BTreeSet<GithubUserId>,
    /// Teams that GitHub has certainly deleted, and that are bound, being created, or waiting for approval to be bound.
    pub deleted: &'a BTreeSet<GithubTeamId>,
    pub state: &'a State,
    pub settings: &'a Settings,
    /// Teams that are known to be deleted, but so recently that a replica may still show them.
    pub just_gone: &'a BTreeSet<GithubTeamId>,
}

/// Tables for everything that is looked up repeatedly.
struct Index<'a> {
    sides: &'a Sides<'a>,
    by_slug: HashMap<&'a SentrySlug, &'a Team>,
    by_id: HashMap<SentryTeamId, &'a Team>,
    members: HashMap<MemberId, &'a Member>,
    /// The GitHub accounts of each member. One person may have several.
    accounts: HashMap<MemberId, Vec<GithubUserId>>,
    shown: HashSet<GithubTeamId>,
    children: HashMap<GithubTeamId, Vec<&'a GithubTeam>>,
    rows: links::Rows<'a>,
    /// The slug that each mirrored team should have in Sentry.
    slugs: HashMap<GithubTeamId, SentrySlug>,
    /// The GitHub team that gets each slug. If two want it: the one that has it, else the older one by id.
    wanted: HashMap<SentrySlug, GithubTeamId>,
    /// Teams that would take over a Sentry team if a person approved.
    disputed: HashSet<GithubTeamId>,
    /// Sentry teams that the service has created without getting the answer, each with its GitHub team.
    made: Map<SentryTeamId, GithubTeamId>,
    /// Slugs of teams that were being created, and that neither GitHub nor Sentry shows now.
    unmade: HashMap<&'a SentrySlug, GithubTeamId>,
    /// Teams that give up their slug in this very plan.
    giving_up: HashSet<GithubTeamId>,
}

/// Results that are collected besides the team plans.
#[derive(Default)]
struct Aside {
    /// People without a match, and the teams that they would be in.
    skipped: Map<GithubUserId, Vec<SentrySlug>>,
    left_in: Vec<LeftIn>,
    linked: Vec<(GithubTeamId, ExternalTeam)>,
}

/// The plan, before any guard.
pub fn compare(sides: &Sides) -> Plan {
    let index = Index::new(sides);
    let mut plan = Plan::default();
    let mut aside = Aside::default();
    for team in &sides.github.teams {
        if sides.just_gone.contains(&team.facts.id) {
            continue;
        }
        let Some(slug) = index.slugs.get(&team.facts.id) else {
            plan.dormant += 1;
            continue;
        };
        let n_left = aside.left_in.len();
        let planned = index.team(team, slug, &mut aside);
        if !planned.is_empty() {
            plan.teams.push(planned);
        } else if aside.left_in.len() == n_left {
            plan.in_sync += 1;
        }
    }
    plan.teams.extend(index.absent());
    plan.teams.sort_by(|a, b| (&a.slug, a.team).cmp(&(&b.slug, b.team)));
    plan.skipped = index.skipped(aside.skipped);
    plan.left_in = aside.left_in;
    plan.left_in.sort_by(|a, b| (&a.slug, a.team, &a.removal.who).cmp(&(&b.slug, b.team, &b.removal.who)));
    plan.links = sides.sentry.links.as_ref().map(|_| {
        let barred = sides.sentry.links_barred.clone();
        Links { linked: aside.linked.len(), barred, rows: aside.linked }
    });
    plan.incomplete = index.incomplete();
    plan.unfollowed = index.unfollowed(&plan).len();
    plan
}

/// The Sentry teams that are bound to no GitHub team, sorted by slug. Empty if the token may not list teams.
pub fn unfollowed<'a>(sentry: &'a SentrySnapshot, state: &State) -> Vec<&'a Team> {
    let teams = sentry.teams.iter().filter(|team| sentry.listed && state.teams.of_sentry(team.id).is_none());
    teams.collect()
}

impl<'a> Index<'a> {
    fn new(sides: &'a Sides<'a>) -> Self {
        let mut accounts: HashMap<MemberId, Vec<GithubUserId>> = HashMap::new();
        for (user, found) in sides.state.people.matches() {
            accounts.entry(found.member).or_default().push(user);
        }
        for (user, identity) in sides.people {
            // A member found only by a second address counts too: they may be this person.
            if let Identity::Matched { member, .. }
            | Identity::Barred { member, .. }
            | Identity::Absent { second: Some(member), .. } = identity
            {
                let users = accounts.entry(*member).or_default();
                if !users.contains(user) {
                    users.push(*user);
                }
            }
        }
        let settings = sides.settings;
        let mirrored = |team: &&GithubTeam| {
            settings.teams.matches(&team.facts.slug) && !sides.just_gone.contains(&team.facts.id)
        };
        let slug = |team: &GithubTeam| slug::for_team(&team.facts.slug, team.facts.id, &settings.slug_prefix);
        let slugs =
            sides.github.teams.iter().filter(mirrored).map(|team| (team.facts.id, slug(team))).collect();
        let mut children: HashMap<_, Vec<_>> = HashMap::new();
        for team in sides.github.teams.iter().filter(|_| settings.child_members) {
            if let Some(parent) = team.facts.parent {
                children.entry(parent).or_default().push(team);
            }
        }
        let mut index = Self {
            by_slug: sides.sentry.teams.iter().map(|team| (&team.slug, team)).collect(),
            by_id: sides.sentry.teams.iter().map(|team| (team.id, team)).collect(),
            members: sides.sentry.members.iter().map(|member| (member.id, member)).collect(),
            accounts,
            shown: sides.github.teams.iter().map(|team| team.facts.id).collect(),
            children,
            rows: links::Rows::new(sides),
            slugs,
            wanted: HashMap::new(),
            disputed: disputed(sides.state),
            made: Map::default(),
            unmade: HashMap::new(),
            giving_up: HashSet::new(),
            sides,
        };
        index.made = index.made();
        index.unmade = index.unmade();
        index.wanted = index.wanted();
        index.giving_up = index.giving_up();
        index
    }

    /// The slug was free when the attempt was recorded, so a team that has it now was created by that attempt.
    fn made(&self) -> Map<SentryTeamId, GithubTeamId> {
        let teams = &self.sides.state.teams;
        let made = teams.being_made().filter_map(|(team, slug)| Some((self.by_slug.get(slug)?.id, team)));
        made.filter(|(sentry, _)| teams.of_sentry(*sentry).is_none() && !self.is_locked(*sentry)).collect()
    }

    /// Whether an identity provider manages a Sentry team.
    fn is_locked(&self, sentry: SentryTeamId) -> bool {
        self.by_id.get(&sentry).is_some_and(|team| team.locked)
    }

    fn unmade(&self) -> HashMap<&'a SentrySlug, GithubTeamId> {
        let being_made = self.sides.state.teams.being_made().map(|(team, slug)| (slug, team));
        being_made
            .filter(|(slug, team)| !self.shown.contains(team) && !self.by_slug.contains_key(slug))
            .collect()
    }

    fn owner(&self, sentry: SentryTeamId) -> Option<GithubTeamId> {
        self.sides.state.teams.of_sentry(sentry).or_else(|| self.made.get(&sentry).copied())
    }

    fn wanted(&self) -> HashMap<SentrySlug, GithubTeamId> {
        let mut wanted: HashMap<SentrySlug, (bool, GithubTeamId)> = HashMap::new();
        for (team, slug) in &self.slugs {
            let has_it = self.binding(*team).is_some_and(|binding| binding.slug == *slug);
            let claim = (!has_it, *team);
            wanted.entry(slug.clone()).and_modify(|best| *best = claim.min(*best)).or_insert(claim);
        }
        wanted.into_iter().map(|(slug, (_, team))| (slug, team)).collect()
    }

    /// Follows every bound team to the slug that it wants, then to the team that has that slug, and so on. The last one
    /// in the chain decides whether all of them can move. A circle is broken with a temporary slug.
    fn giving_up(&self) -> HashSet<GithubTeamId> {
        let mut known: HashMap<GithubTeamId, bool> = HashMap::new();
        let bound = self.sides.state.teams.bindings().map(|(team, _)| team);
        for first in bound.chain(self.made.values().copied()) {
            let (mut path, mut at) = (Vec::new(), first);
            let moves = loop {
                match known.get(&at) {
                    Some(moves) => break *moves,
                    // Provisional: a chain that comes back to this team is a circle, so its teams can move.
                    None => known.insert(at, true),
                };
                path.push(at);
                match self.way_out(at) {
                    Ok(next) => at = next,
                    Err(moves) => break moves,
                }
            };
            known.extend(path.into_iter().map(|team| (team, moves)));
        }
        let deleted = self.unmade.values().copied().filter(|team| self.sides.deleted.contains(team));
        known.into_iter().filter(|(_, moves)| *moves).map(|(team, _)| team).chain(deleted).collect()
    }

    /// `Ok`: the team that has the slug this bound team wants. `Err`: no other team is in the way, and whether this
    /// team gives up its own slug.
    fn way_out(&self, team: GithubTeamId) -> Result<GithubTeamId, bool> {
        let Some(binding) = self.binding(team) else { return Err(false) };
        let Some(slug) = self.slugs.get(&team) else {
            let is_deleted = self.sides.deleted.contains(&team) && !self.shown.contains(&team);
            // A team that may own projects may be held when its turn comes. No other team may depend on that.
            let is_sure = self.sides.settings.delete_teams == DeleteTeams::Delete;
            return Err(is_deleted && is_sure && matches!(self.end(&binding), Step::Delete { .. }));
        };
        if binding.slug == *slug || self.wanted.get(slug) != Some(&team) || self.is_locked(binding.sentry) {
            return Err(false);
        }
        match self.by_slug.get(slug) {
            None => Err(self.unmade.get(slug).is_none_or(|team| self.sides.deleted.contains(team))),
            Some(found) => self.owner(found.id).ok_or(false),
        }
    }

    /// The binding, with slug and name as Sentry shows them now. `None` if there is no Sentry team (any more).
    fn binding(&self, team: GithubTeamId) -> Option<Binding> {
        let Some(binding) = self.sides.state.teams.binding(team).cloned() else { return self.made_for(team) };
        match self.by_id.get(&binding.sentry) {
            Some(now) => Some(Binding { slug: now.slug.clone(), name: now.name.as_str().into(), ..binding }),
            None if self.sides.sentry.listed => None,
            None => Some(binding),
        }
    }

    fn made_for(&self, team: GithubTeamId) -> Option<Binding> {
        let sentry = self.made.iter().find(|(_, made_for)| **made_for == team).map(|(sentry, _)| *sentry)?;
        let Team { slug, name, .. } = self.by_id.get(&sentry)?;
        Some(Binding { sentry, slug: slug.clone(), name: name.as_str().into(), origin: Origin::Created })
    }

    fn team(&self, team: &GithubTeam, slug: &SentrySlug, aside: &mut Aside) -> TeamPlan {
        let binding = self.binding(team.facts.id);
        let step = self.step(team, slug, binding.as_ref());
        let sentry = match (&step, &binding) {
            (Step::Adopt { sentry } | Step::Return { sentry, .. }, _) => Some(*sentry),
            (_, Some(binding)) => Some(binding.sentry),
            _ => None,
        };
        let there = sentry.and_then(|id| self.sides.sentry.in_team.get(&id)).map_or(&[][..], Vec::as_slice);
        let goes_on =
            binding.is_some() || matches!(step, Step::Create | Step::Adopt { .. } | Step::Return { .. });
        let family = self.family(team);
        let members = self.members_of(&family);
        for user in &members {
            if !matches!(self.sides.people.get(user), Some(Identity::Matched { .. })) {
                aside.skipped.or_default(*user).push(slug.clone());
            }
        }
        let (add, remove) = if goes_on {
            let add = self.additions(&members, there);
            // A Sentry team that is only about to be adopted has members of its own, who stay.
            let bound = binding.is_some();
            let due = if bound { self.removals(&family, &members, there) } else { Vec::new() };
            let (left, remove): (Vec<_>, Vec<_>) = due
                .into_iter()
                .map(|removal| (self.why_left(&family, &members, &removal), removal))
                .partition(|(why, _)| why.is_some());
            aside.left_in.extend(left.into_iter().filter_map(|(because, removal)| {
                let (team, slug) = (team.facts.id, slug.clone());
                Some(LeftIn { team, slug, removal, because: because? })
            }));
            (add, remove.into_iter().map(|(_, removal)| removal).collect())
        } else {
            (Vec::new(), Vec::new())
        };
        let name = slug::display_name(&team.facts.name, slug);
        let (link, linked) = if goes_on { self.link(team, sentry) } else { (None, None) };
        aside.linked.extend(linked);
        TeamPlan {
            team: team.facts.id,
            slug: slug.clone(),
            name,
            step,
            link,
            add,
            remove,
            held: None,
            there: there.len(),
        }
    }

    fn step(&self, team: &GithubTeam, slug: &SentrySlug, binding: Option<&Binding>) -> Step {
        let state = self.sides.state;
        if let Some(step) = self.comes_back(team.facts.id) {
            return step;
        }
        if let Some(winner) = self.wanted.get(slug).filter(|winner| **winner != team.facts.id) {
            return Step::Wait { owner: *winner };
        }
        let holder = match self.by_slug.get(slug) {
            Some(found) => match self.owner(found.id) {
                Some(owner) if owner != team.facts.id => Holder::Team(owner),
                _ if found.locked => Holder::Locked(found.id),
                _ => Holder::Stranger(found.id, self.decision(team.facts.id, found.id, slug)),
            },
            None => self.unmade.get(slug).map_or(Holder::Nobody, |owner| Holder::Team(*owner)),
        };
        let older = state.is_older_team(team.facts.id, team.facts.created_at);
        let apart = state.teams.is_apart(team.facts.id);
        let disputed = self.disputed.contains(&team.facts.id);
        let name = slug::display_name(&team.facts.name, slug);
        // A Sentry team that the service created has GitHub's name. An adopted one keeps its own until it is renamed.
        let named = binding.is_some_and(|binding| binding.origin == Origin::Created).then_some(name);
        let wanted = WantedTeam { slug: slug.clone(), name: named, adoptable: older && !apart && !disputed };
        let step = step::team(&wanted, binding, &holder);
        if let Some(binding) = binding.filter(|binding| self.is_locked(binding.sentry)) {
            return match step {
                TeamStep::Keep => Step::Keep,
                _ => Step::Locked { sentry: binding.sentry },
            };
        }
        match step {
            TeamStep::Keep => Step::Keep,
            TeamStep::Create => Step::Create,
            TeamStep::Adopt(sentry) => Step::Adopt { sentry },
            TeamStep::Rename => {
                Step::Rename { from: binding.map_or_else(|| slug.clone(), |binding| binding.slug.clone()) }
            }
            TeamStep::WaitFor(owner) => match (self.giving_up.contains(&owner), binding) {
                (true, Some(binding)) => Step::Rename { from: binding.slug.clone() },
                (true, None) => Step::Create,
                (false, _) => Step::Wait { owner },
            },
            TeamStep::Locked(sentry) => Step::Locked { sentry },
            // A rejected adoption is planned too: the guards know about the rejection and drop it.
            TeamStep::Conflict(sentry) | TeamStep::Rejected(sentry) => {
                Step::Conflict { sentry, bound: binding.is_some() }
            }
        }
    }

    /// The step for a team that had ended and that its Sentry team should follow again. Others get the usual steps.
    fn comes_back(&self, team: GithubTeamId) -> Option<Step> {
        let teams = &self.sides.state.teams;
        let gone = teams.gone(team)?;
        let was = gone.was.as_ref()?.sentry;
        let sentry = teams.restored(was).unwrap_or(was);
        if self.is_locked(sentry) {
            return None;
        }
        let is_there = self.by_id.contains_key(&sentry) && teams.of_sentry(sentry).is_none();
        let made = !is_there && gone.fate == Fate::Deleted;
        (is_there || made).then_some(Step::Return { sentry, made })
    }

    fn decision(&self, team: GithubTeamId, sentry: SentryTeamId, slug: &SentrySlug) -> Option<bool> {
        let change = HeldChange::Adopt { team, sentry, slug: slug.clone() };
        self.sides.state.holds.decision(&change).map(|decision| decision.approved)
    }

    /// The teams whose direct members count: the team itself and, with `SYNC_CHILD_MEMBERS`, all teams below it.
    fn family(&self, team: &'a GithubTeam) -> Vec<&'a GithubTeam> {
        let mut family = vec![team];
        let mut seen = HashSet::from([team.facts.id]);
        let mut at = 0;
        while let Some(parent) = family.get(at) {
            let children = self.children.get(&parent.facts.id).into_iter().flatten();
            family.extend(children.filter(|child| seen.insert(child.facts.id)).copied());
            at += 1;
        }
        family
    }

    fn members_of(&self, family: &[&GithubTeam]) -> BTreeSet<GithubUserId> {
        let is_bot = |user| self.sides.github.people.get(user).is_some_and(|person| person.bot);
        let members = family.iter().flat_map(|team| &team.members);
        members.filter(|user| !is_bot(user)).copied().collect()
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
        family: &[&GithubTeam],
        members: &BTreeSet<GithubUserId>,
        there: &[MemberId],
    ) -> Vec<Removal> {
        if self.sides.settings.remove_members == RemoveMembers::Never {
            return Vec::new();
        }
        let news: Vec<_> =
            family.iter().filter_map(|team| self.sides.state.teams.news(team.facts.id)).collect();
        let mut remove: Vec<_> =
            there.iter().filter_map(|member| self.removal(&news, members, *member)).collect();
        remove.sort_by(|a, b| (&a.who, a.member).cmp(&(&b.who, b.member)));
        remove
    }

    /// Why somebody who seems to have left stays, if GitHub did not show enough.
    fn why_left(
        &self,
        family: &[&GithubTeam],
        members: &BTreeSet<GithubUserId>,
        removal: &Removal,
    ) -> Option<&'static str> {
        let gaps = &self.sides.github.gaps;
        if family.iter().any(|team| gaps.of_team(team.facts.id).is_some()) {
            return Some("GitHub does not show all of the team's members");
        }
        if self.sides.settings.child_members && gaps.lacks_teams() {
            return Some("GitHub does not show all teams, and one of them may be a child of this one");
        }
        if removal.user.is_none() && gaps.lacks_people() {
            return Some("GitHub does not show everybody in the organisation");
        }
        // Somebody who seems to have left may be the person in the team of whom too little could be read.
        let is_unread = !members.is_disjoint(self.sides.unread);
        is_unread.then_some("somebody in the team could not be identified")
    }

    /// The lists that GitHub does not show completely.
    fn incomplete(&self) -> Vec<Incomplete> {
        let gaps = self.sides.github.gaps.lists.iter();
        let told = gaps.filter_map(|(list, gap)| {
            let what = match list {
                List::Members(team) => format!("members of `{}`", self.slugs.get(team)?),
                list => list.to_string(),
            };
            Some(Incomplete { list: *list, what, gap: *gap })
        });
        told.collect()
    }

    fn removal(&self, news: &[&News], members: &BTreeSet<GithubUserId>, member: MemberId) -> Option<Removal> {
        let Sides { state, settings, .. } = self.sides;
        let row = self.members.get(&member)?;
        let addresses = row.primary.iter().chain(&row.verified).map(String::as_str);
        if settings.protect.covers_any(addresses) || self.sides.sentry.protected.contains(&member) {
            return None;
        }
        let accounts = self.accounts.get(&member).map_or(&[][..], Vec::as_slice);
        if accounts.iter().any(|user| members.contains(user)) {
            return None;
        }
        // Sources or members contradict each other about this person. Nobody acts on a conflict.
        let in_conflict =
            |user: &GithubUserId| matches!(self.sides.people.get(user), Some(Identity::Conflict { .. }));
        if accounts.iter().any(in_conflict) {
            return None;
        }
        // A weak source or a search alone removes nobody. If the person has several accounts, another one may.
        let is_solid = |user: &&GithubUserId| match self.sides.people.get(*user) {
            Some(Identity::Matched { by_search: true, .. }) => false,
            Some(Identity::Matched { source, .. } | Identity::Barred { source, .. }) => !source.is_weak(),
            _ => state.people.matched(**user).is_some_and(|found| !found.source.is_weak()),
        };
        let mut solid = accounts.iter().filter(is_solid);
        let was_in = |user: &&GithubUserId| news.iter().any(|news| news.word(**user).is_some());
        let left = solid.clone().find(was_in);
        let user = match settings.remove_members {
            RemoveMembers::Never => return None,
            RemoveMembers::Left => Some(left?),
            RemoveMembers::Known => Some(left.or(solid.next())?),
            RemoveMembers::All if accounts.is_empty() => None,
            RemoveMembers::All => Some(left.or(solid.next())?),
        };
        let why = match user {
            Some(user) if left == Some(user) => "left the GitHub team",
            Some(_) => "is not in the GitHub team",
            None => "no GitHub account is matched with them",
        };
        let login = user.and_then(|user| {
            let now = self.sides.github.people.get(user).map(|person| &person.login);
            now.or(state.people.matched(*user).map(|found| &found.login)).map(ToString::to_string)
        });
        let who = login.or_else(|| row.primary.clone()).unwrap_or_else(|| format!("member {member}"));
        Some(Removal { user: user.copied(), who, member, why, held: None })
    }

    fn unfollowed(&self, plan: &Plan) -> Vec<&Team> {
        let named = plan.teams.iter().filter_map(|team| match team.step {
            Step::Adopt { sentry } | Step::Conflict { sentry, .. } | Step::Return { sentry, .. } => {
                Some(sentry)
            }
            _ => None,
        });
        let named: HashSet<_> = named.collect();
        let mut teams = unfollowed(self.sides.sentry, self.sides.state);
        teams.retain(|team| !named.contains(&team.id));
        teams
    }

    fn skipped(&self, teams: Map<GithubUserId, Vec<SentrySlug>>) -> Vec<Skipped> {
        let mut skipped: Vec<_> = teams
            .into_iter()
            .filter_map(|(user, mut teams)| {
                let login = self.sides.github.people.get(&user)?.login.clone();
                let why = match self.sides.people.get(&user) {
                    Some(Identity::Absent { why, .. } | Identity::Unknown { why }) => why.clone(),
                    Some(Identity::Conflict { why }) => format!("in conflict: {why}"),
                    Some(Identity::Barred { .. }) => identity::BARRED.into(),
                    Some(Identity::Matched { .. }) => return None,
                    None => "nobody was asked".into(),
                };
                teams.sort();
                let is_second = why.starts_with(identity::SECOND);
                let fix = is_second.then_some(identity::SECOND_FIX);
                Some(Skipped { user, login, why, fix, teams })
            })
            .collect();
        skipped.sort_by(|a, b| (&a.login, a.user).cmp(&(&b.login, b.user)));
        skipped
    }
}

/// Teams whose adoption is in a hold. Not the first comparison's hold: it covers every adoption, disputed or not.
fn disputed(state: &State) -> HashSet<GithubTeamId> {
    let holds = state.holds.iter().filter(|hold| !hold.is_first());
    let adoptions = holds.flat_map(|hold| &hold.changes).filter_map(|change| match change {
        HeldChange::Adopt { team, .. } => Some(*team),
        _ => None,
    });
    adoptions.collect()
}
