//! Decides which planned changes may be made and which wait for approval. Pure.
//!
//! Guards stop changes that no event asked for: removals, deletions, changed links, and adoptions of existing teams.
//! Additions are never held because of removals; only the first comparison is held as a whole.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::plan::{LeftIn, LinkPlan, LinkWay, Plan, PlannedHold, Rejected, Step, TeamPlan};
use super::rules;
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::hosts::snapshot::GithubTeam;
use crate::queue::part::Removal;
use crate::state::holds::{ChangeKey, Decision, HeldChange, Hold, HoldName, FIRST};
use crate::state::ids::{GithubTeamId, MemberId, OwnerName, SentrySlug};
use crate::state::sorted::Map;
use crate::state::values::Sizes;
use crate::state::{State, LAG};
use crate::work::guard;

/// How the rule starts that holds all removals and deletions after damage to the journal.
pub const DAMAGED: &str = "the journal was found damaged";
/// How the rule starts that holds all removals and deletions of a reading that is too small.
pub const SHORT_READING: &str = "short reading";
/// A team with at least this many people is never emptied without approval.
const LARGE: usize = 3;
/// A reading below this percentage of the last complete one is short.
const SHORT: usize = 90;

/// The figures that the guards compare with.
pub struct Measure<'a> {
    pub settings: &'a Settings,
    pub state: &'a State,
    /// How much GitHub has, by the reading.
    pub sizes: Sizes,
    /// How many people are in mirrored Sentry teams, each counted once.
    pub people: usize,
    /// This is a service's first comparison, and Sentry has teams already.
    pub first: bool,
    pub now: Timestamp,
}

/// A change that may be held, by its place in the plan.
#[derive(Clone, Copy)]
enum Item {
    /// The step of the team at this index.
    Team(usize),
    /// In the team at the first index, the removal at the second.
    Removal(usize, usize),
    /// The CODEOWNERS name of the team at this index.
    Link(usize),
}

/// Changes that an event's guard has stopped, and that GitHub doesn't confirm: a listed team isn't deleted, and a
/// listed member isn't removed. Holds younger than the replica lag are skipped.
pub fn denied(state: &State, listed: &[GithubTeam], now: Timestamp) -> Vec<HeldChange> {
    let listed: HashMap<_, _> = listed.iter().map(|team| (team.facts.id, &team.members)).collect();
    let is_denied = |change: &&HeldChange| match change {
        HeldChange::Delete { team, .. } => listed.contains_key(team),
        HeldChange::Remove { team, user, .. } => {
            listed.get(team).is_some_and(|members| members.contains(user))
        }
        _ => false,
    };
    let old = state.holds.iter().filter(|hold| !hold.compared && now.since(hold.at) > LAG);
    old.flat_map(|hold| &hold.changes).filter(is_denied).cloned().collect()
}

/// Marks what is held, and drops what a person has rejected.
pub fn judge(mut plan: Plan, measure: &Measure) -> Plan {
    let opinions = Opinions::new(measure.state);
    let staying = drop_rejected(&mut plan, &opinions);
    let mut judged = Judged { plan, measure, opinions };
    if measure.first && !guard::was_begun(measure.state) {
        judged.hold_everything();
        judged.wait_for_what_stays(staying);
        return judged.plan;
    }
    judged.adoptions();
    judged.held_before();
    judged.deletions();
    judged.removals();
    judged.relinks();
    judged.wait_for_what_stays(staying);
    judged.plan
}

/// The decisions and open holds by change, so that the plan of a large organisation is judged quickly.
struct Opinions<'a> {
    decided: HashMap<ChangeKey, Decision>,
    /// The undecided hold of each change. Not the first comparison's, which ends when the service begins.
    open: HashMap<ChangeKey, &'a Hold>,
}

impl<'a> Opinions<'a> {
    fn new(state: &'a State) -> Self {
        let (mut decided, mut open) = (HashMap::<_, Decision>::new(), HashMap::new());
        for hold in state.holds.iter() {
            for key in hold.changes.iter().map(HeldChange::key) {
                match hold.decision {
                    Some(decision) => {
                        let latest = decided.entry(key).or_insert(decision);
                        if decision.at > latest.at {
                            *latest = decision;
                        }
                    }
                    None if hold.is_first() => {}
                    None => drop(open.insert(key, hold)),
                }
            }
        }
        Self { decided, open }
    }

    fn is(&self, change: &HeldChange, approved: bool) -> bool {
        self.decided.get(&change.key()).is_some_and(|decision| decision.approved == approved)
    }
}

/// All changes in a plan that a person can decide about.
pub fn changes(plan: &Plan) -> Vec<HeldChange> {
    let of = |team: &TeamPlan| -> Vec<_> {
        let removals = team.remove.iter().map(|removal| of_removal(team, removal));
        of_team(team).into_iter().chain(of_link(team)).chain(removals).collect()
    };
    let left_in = plan.left_in.iter().map(of_left_in);
    plan.teams.iter().flat_map(of).chain(left_in).collect()
}

/// The change that would be held, or was decided, for somebody who stays because too little could be read.
pub fn of_left_in(left: &LeftIn) -> HeldChange {
    removal_from(left.team, left.slug.clone(), &left.removal)
}

fn of_team(team: &TeamPlan) -> Option<HeldChange> {
    let (id, slug) = (team.team, team.slug.clone());
    match team.step {
        Step::Create => Some(HeldChange::Create { team: id, slug }),
        Step::Adopt { sentry } | Step::Conflict { sentry, bound: false } => {
            Some(HeldChange::Adopt { team: id, sentry, slug })
        }
        Step::Delete { sentry, .. } | Step::Empty { sentry, .. } => {
            Some(HeldChange::Delete { team: id, sentry, slug })
        }
        _ => None,
    }
}

/// Unlinking isn't a change of its own here: a person decides about the end of the team.
fn of_link(team: &TeamPlan) -> Option<HeldChange> {
    let link = team.link.as_ref().filter(|link| link.is_to_be_linked())?;
    Some(HeldChange::Link { team: team.team, name: link.name.clone(), slug: team.slug.clone() })
}

fn of_removal(team: &TeamPlan, removal: &Removal) -> HeldChange {
    removal_from(team.team, team.slug.clone(), removal)
}

fn removal_from(team: GithubTeamId, slug: SentrySlug, removal: &Removal) -> HeldChange {
    match removal.user {
        Some(user) => HeldChange::Remove { team, user, slug },
        None => HeldChange::RemoveMember { team, member: removal.member, slug },
    }
}

/// Returns the Sentry teams whose deletion was rejected. They keep their slugs.
fn drop_rejected(plan: &mut Plan, opinions: &Opinions) -> Vec<(SentrySlug, GithubTeamId)> {
    let rejected = |change: &HeldChange| opinions.is(change, false);
    plan.left_in.retain(|left| !rejected(&of_left_in(left)));
    for team in &mut plan.teams {
        let refused: BTreeSet<MemberId> = team
            .remove
            .iter()
            .filter(|removal| rejected(&of_removal(team, removal)))
            .map(|removal| removal.member)
            .collect();
        team.remove.retain(|removal| !refused.contains(&removal.member));
        if of_link(team).is_some_and(|change| rejected(&change)) {
            team.link = None;
        }
    }
    let mut staying = Vec::new();
    plan.teams.retain(|team| {
        let is_rejected = of_team(team).is_some_and(|change| rejected(&change));
        if is_rejected && is_end(team) {
            staying.push((team.slug.clone(), team.team));
        }
        let stays = !is_rejected && !team.is_empty();
        if !stays {
            plan.rejected.push(Rejected { team: team.team, slug: team.slug.clone() });
        }
        stays
    });
    staying
}

/// Whether the Sentry team of a deleted GitHub team is deleted or emptied.
fn is_end(team: &TeamPlan) -> bool {
    matches!(team.step, Step::Delete { .. } | Step::Empty { .. })
}

struct Judged<'a> {
    plan: Plan,
    measure: &'a Measure<'a>,
    opinions: Opinions<'a>,
}

impl Judged<'_> {
    fn change(&self, item: Item) -> Option<HeldChange> {
        match item {
            Item::Team(at) => of_team(self.plan.teams.get(at)?),
            Item::Removal(at, n) => {
                let team = self.plan.teams.get(at)?;
                Some(of_removal(team, team.remove.get(n)?))
            }
            Item::Link(at) => of_link(self.plan.teams.get(at)?),
        }
    }

    fn is_approved(&self, item: Item) -> bool {
        self.change(item).is_some_and(|change| self.opinions.is(&change, true))
    }

    /// Those that nobody has approved and no guard has stopped yet.
    fn open(&self, items: impl IntoIterator<Item = Item>) -> Vec<Item> {
        let is_held = |item: Item| match item {
            Item::Team(at) => self.plan.teams.get(at).is_none_or(|team| team.held.is_some()),
            Item::Removal(at, n) => {
                let removal = self.plan.teams.get(at).and_then(|team| team.remove.get(n));
                removal.is_none_or(|removal| removal.held.is_some())
            }
            Item::Link(at) => {
                let link = self.plan.teams.get(at).and_then(|team| team.link.as_ref());
                link.is_none_or(|link| link.held.is_some())
            }
        };
        items.into_iter().filter(|item| !self.is_approved(*item) && !is_held(*item)).collect()
    }

    /// Makes one hold of all `items` that are open.
    fn hold(&mut self, items: impl IntoIterator<Item = Item>, rule: String) {
        let items = self.open(items);
        let changes: Vec<_> = items.iter().filter_map(|item| self.change(*item)).collect();
        if changes.is_empty() {
            return;
        }
        let Hold { name, changes, .. } = Hold::new(changes, rule.clone(), self.measure.now, Vec::new());
        items.into_iter().for_each(|item| self.mark(item, &name));
        self.plan.holds.push(PlannedHold { name, rule, changes, others: 0 });
    }

    fn mark(&mut self, item: Item, name: &HoldName) {
        let (Item::Team(at) | Item::Removal(at, _) | Item::Link(at)) = item;
        let Some(team) = self.plan.teams.get_mut(at) else { return };
        let held = match item {
            Item::Team(_) => Some(&mut team.held),
            Item::Removal(_, n) => team.remove.get_mut(n).map(|removal| &mut removal.held),
            Item::Link(_) => team.link.as_mut().map(|link| &mut link.held),
        };
        held.into_iter().for_each(|held| *held = Some(name.clone()));
    }

    fn teams(&self, is_it: impl Fn(&TeamPlan) -> bool) -> Vec<Item> {
        let all = self.plan.teams.iter().enumerate();
        all.filter(|(_, team)| is_it(team)).map(|(at, _)| Item::Team(at)).collect()
    }

    fn removals_of(&self, at: usize) -> Vec<Item> {
        let n = self.plan.teams.get(at).map_or(0, |team| team.remove.len());
        (0..n).map(|n| Item::Removal(at, n)).collect()
    }

    fn all_removals(&self) -> Vec<Item> {
        (0..self.plan.teams.len()).flat_map(|at| self.removals_of(at)).collect()
    }

    fn links(&self, is_it: impl Fn(&LinkPlan) -> bool) -> Vec<Item> {
        let all = self.plan.teams.iter().enumerate();
        let is_it = |team: &TeamPlan| team.link.as_ref().is_some_and(&is_it);
        all.filter(|(_, team)| is_it(team)).map(|(at, _)| Item::Link(at)).collect()
    }

    fn all_deletions(&self) -> Vec<Item> {
        self.teams(is_end)
    }

    /// If anything is held, changes that no guard would stop are held with it, such as renames and added people.
    fn hold_everything(&mut self) {
        let mut items = self.teams(|team| of_team(team).is_some());
        items.extend(self.all_removals());
        items.extend(self.links(|_| true));
        self.hold(items, format!("{FIRST}: the first comparison, and Sentry has teams already"));
        let Some(name) = self.plan.holds.first().map(|hold| hold.name.clone()) else { return };
        let moves =
            |step: &Step| matches!(step, Step::Rename { .. } | Step::Leave { .. } | Step::Return { .. });
        let changes = |team: &&mut TeamPlan| moves(&team.step) || !team.add.is_empty();
        for team in self.plan.teams.iter_mut().filter(changes) {
            team.held.get_or_insert_with(|| name.clone());
        }
    }

    fn adoptions(&mut self) {
        for item in self.teams(|team| matches!(team.step, Step::Conflict { bound: false, .. })) {
            self.hold([item], crate::work::step::ADOPTION_RULE.into());
        }
    }

    /// A held change stays held for as long as it's planned. It isn't released because people were added, because
    /// GitHub was read as short again, or because an hour has passed.
    fn held_before(&mut self) {
        let mut again: Map<HoldName, (String, Vec<Item>)> = Map::default();
        let all = self.all_deletions().into_iter().chain(self.all_removals());
        let items = self.open(all.chain(self.links(LinkPlan::is_relink)));
        for item in items {
            let Some(change) = self.change(item) else { continue };
            if let Some(hold) = self.opinions.open.get(&change.key()) {
                let rule = || (hold.rule.to_string(), Vec::new());
                again.or_insert_with(hold.name.clone(), rule).1.push(item);
            }
        }
        again.into_values().for_each(|(rule, items)| self.hold(items, rule));
    }

    fn deletions(&mut self) {
        let Measure { settings, state, now, .. } = *self.measure;
        if let Some(rule) = self.distrust() {
            // A team's end isn't accepted either, because that would be final.
            let left = self.plan.teams.iter_mut().filter(|team| matches!(team.step, Step::Leave { .. }));
            left.for_each(|team| team.step = Step::NotVisible);
            let items = self.all_deletions();
            return self.hold(items, rule);
        }
        let adopted = |team: &TeamPlan| {
            matches!(team.step, Step::Delete { adopted: true, .. } | Step::Empty { adopted: true, .. })
        };
        for item in self.teams(adopted) {
            self.hold([item], "adopted: the Sentry team existed before this service".into());
        }
        for item in self.all_deletions() {
            let team = self.change(item).and_then(|change| change.team());
            if let Some(rule) = team.and_then(|team| guard::deleted_again(state, team, now)) {
                self.hold([item], rule);
            }
        }
        let open = self.open(self.all_deletions());
        // A deletion that a crash has interrupted is in the plan again, and counts there.
        let planned: HashSet<_> =
            self.plan.teams.iter().filter(|team| is_end(team)).map(|team| team.team).collect();
        let under_way = state.teams.being_deleted().filter(|team| !planned.contains(team)).count();
        let deleted = state.teams.deleted_within_hour(now);
        let (done, whole) = (deleted + under_way, state.teams.n_bound() + deleted);
        let limit = settings.max_deletions.of(whole);
        // Approved deletions are made whatever the limit is, and count towards it.
        let approved = self.all_deletions().into_iter().filter(|item| self.is_approved(*item)).count();
        let done = done + approved;
        if done + open.len() > limit {
            let n = open.len();
            self.hold(
                open,
                format!(
                    "SYNC_MAX_DELETIONS {}: {n} of {whole} teams would be deleted, after {done} within the last hour or approved; the limit is {limit}",
                    settings.max_deletions
                ),
            );
        }
    }

    /// Why this reading may not lead to any removal or deletion.
    fn distrust(&self) -> Option<String> {
        let Measure { state, sizes, .. } = *self.measure;
        if let Some(at) = state.damaged {
            return Some(format!("{DAMAGED} at {at}, so removals need approval"));
        }
        let (last, _) = state.last_read?;
        let short = |now: usize, before: usize| now.saturating_mul(100) < before.saturating_mul(SHORT);
        [
            ("teams", sizes.teams, last.teams),
            ("people", sizes.people, last.people),
            ("memberships", sizes.memberships, last.memberships),
        ]
        .into_iter()
        .find(|(_, now, before)| short(*now, *before))
        .map(|(what, now, before)| {
            format!("{SHORT_READING}: {now} {what} on GitHub, {before} the last time; below {SHORT} % removals need approval")
        })
    }

    fn removals(&mut self) {
        if let Some(rule) = self.distrust() {
            let items = self.all_removals();
            return self.hold(items, rule);
        }
        let is_unmatched = |item: &Item| matches!(self.change(*item), Some(HeldChange::RemoveMember { .. }));
        let unknown: Vec<_> = self.all_removals().into_iter().filter(is_unmatched).collect();
        self.hold(
            unknown,
            "SYNC_REMOVE_MEMBERS all: no source matches these people to a GitHub account".into(),
        );
        let Measure { settings, state, .. } = *self.measure;
        let before = state.rules.as_ref();
        if let Some(wider) = before.and_then(|before| rules::widened(before, &rules::of(settings))) {
            let items = self.all_removals();
            self.hold(items, format!("wider rule: {wider}; the first comparison since"));
        }
        for at in 0..self.plan.teams.len() {
            self.removals_of_team(at);
        }
        self.removals_overall();
    }

    fn removals_of_team(&mut self, at: usize) {
        let Some(team) = self.plan.teams.get(at) else { return };
        let (there, slug) = (team.there, team.slug.clone());
        let leaving = team.remove.iter().filter(|removal| removal.held.is_none()).count();
        let left_empty = leaving == there && team.add.is_empty();
        let open = self.open(self.removals_of(at));
        let settings = self.measure.settings;
        let (n, limit) = (open.len(), settings.max_team_removals.of(there));
        if there >= LARGE && left_empty {
            self.hold(open, format!("left empty: it would remove all {there} people of `{slug}`"));
        } else if n > limit {
            let rule = settings.max_team_removals;
            self.hold(
                open,
                format!("SYNC_MAX_TEAM_REMOVALS {rule}: {n} of {there} people would leave `{slug}`; the limit is {limit}"),
            );
        }
    }

    fn removals_overall(&mut self) {
        let open = self.open(self.all_removals());
        let member = |item: &Item| match *item {
            Item::Removal(at, n) => self.plan.teams.get(at)?.remove.get(n).map(|removal| removal.member),
            Item::Team(_) | Item::Link(_) => None,
        };
        let n = open.iter().filter_map(member).collect::<BTreeSet<_>>().len();
        let Measure { settings, people, .. } = *self.measure;
        let limit = settings.max_removals.of(people);
        if n > limit {
            let rule = settings.max_removals;
            self.hold(
                open,
                format!(
                    "SYNC_MAX_REMOVALS {rule}: {n} of {people} people would be removed; the limit is {limit}"
                ),
            );
        }
    }

    /// The names are in people's CODEOWNERS files. A new login of the organisation would change all of them at once.
    fn relinks(&mut self) {
        let moves = |link: &LinkPlan| match &link.way {
            LinkWay::Relink { from } => {
                let before = OwnerName::from(from.as_str());
                !before.org().is_empty() && before.org() != link.name.org()
            }
            _ => false,
        };
        let moved = self.links(moves);
        let n = moved.len();
        self.hold(moved, format!("SYNC_CODEOWNERS: the organisation was renamed, so {n} links would change"));
        let Measure { settings, state, .. } = *self.measure;
        let open = self.open(self.links(LinkPlan::is_relink));
        let (n, whole) = (open.len(), state.teams.n_bound());
        let limit = settings.max_deletions.of(whole);
        if n > limit {
            let rule = settings.max_deletions;
            self.hold(
                open,
                format!("SYNC_MAX_DELETIONS {rule}: {n} links of {whole} teams would change; the limit is {limit}"),
            );
        }
    }

    /// A slug stays taken if the deletion that would free it is held, or was rejected.
    fn wait_for_what_stays(&mut self, mut staying: Vec<(SentrySlug, GithubTeamId)>) {
        let held = self.plan.teams.iter().filter(|team| is_end(team) && team.held.is_some());
        staying.extend(held.map(|team| (team.slug.clone(), team.team)));
        self.plan.wait_for(staying);
    }
}
