//! Carries out a plan as the lanes do, one call at a time, on a Sentry that is a value.

use std::collections::{BTreeMap, VecDeque};

use super::world::World;
use crate::config::DeleteTeams;
use crate::queue::part::WantedTeam;
use crate::reconcile::judge::changes;
use crate::reconcile::plan::{Plan, PlannedHold, Step, TeamPlan};
use crate::state::holds::{HeldChange, Hold, FIRST};
use crate::state::ids::*;
use crate::state::record::Record;
use crate::state::slug;
use crate::state::values::{Binding, Fate, Intent, Origin};
use crate::work::guard;
use crate::work::step::{self, EndStep, Holder, TeamStep};

enum Task {
    Back { sentry: SentryTeamId, made: bool, slug: SentrySlug },
    Shape { wanted: WantedTeam, full_name: String },
    Add(MemberId),
    Remove(GithubUserId, MemberId),
    RemoveMember(MemberId),
    End,
}

enum Came {
    /// Done, or not to be done; whether it took a call.
    Over(bool),
    /// A slug has to be set free, by that team if by any.
    Waits(Option<GithubTeamId>),
}

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Done {
    pub calls: usize,
    /// Shares that wait for ever: no other share sets their slug free.
    pub stuck: Vec<GithubTeamId>,
}

impl World {
    /// Compares, and makes so many calls of what may be done.
    pub fn round(&mut self, calls: usize) -> (Plan, Done) {
        self.observe();
        let compared = self.compared();
        let due = changes(&compared);
        let plan = self.judged(compared);
        let done = self.carry_out(&plan, &due, calls);
        (plan, done)
    }

    pub fn carry_out(&mut self, plan: &Plan, due: &[HeldChange], calls: usize) -> Done {
        let waits_for_first = plan.holds.iter().any(|hold| hold.rule.starts_with(FIRST));
        self.keep_holds(plan, due);
        let mut done = Done::default();
        if waits_for_first {
            return done;
        }
        self.note_what_was_seen();
        let mut parts: Vec<_> = plan.teams.iter().map(|team| (team.team, self.tasks(team))).collect();
        loop {
            parts.retain(|(_, tasks)| !tasks.is_empty());
            self.rng.shuffle(&mut parts);
            let mut waits = BTreeMap::new();
            let mut moved = false;
            for (team, tasks) in &mut parts {
                if done.calls >= calls {
                    return done;
                }
                let Some(task) = tasks.front() else { continue };
                match self.one(*team, task) {
                    Came::Over(called) => {
                        tasks.pop_front();
                        done.calls += usize::from(called);
                        moved = true;
                    }
                    Came::Waits(owner) => drop(waits.insert(*team, owner)),
                }
            }
            if parts.is_empty() {
                return done;
            }
            if !moved && !self.make_way(&waits) {
                done.stuck = waits.into_keys().collect();
                return done;
            }
            done.calls += usize::from(!moved);
        }
    }

    fn tasks(&self, team: &TeamPlan) -> VecDeque<Task> {
        let mut tasks = VecDeque::new();
        let shape = |adoptable, name: Option<String>| Task::Shape {
            wanted: WantedTeam { slug: team.slug.clone(), name, adoptable },
            full_name: team.name.clone(),
        };
        match &team.step {
            Step::Create | Step::Adopt { .. } if team.held.is_some() => return tasks,
            _ if team.held.is_some() => {}
            Step::Create => tasks.push_back(shape(false, None)),
            Step::Adopt { .. } => tasks.push_back(shape(true, None)),
            Step::Return { sentry, made } => {
                tasks.push_back(Task::Back { sentry: *sentry, made: *made, slug: team.slug.clone() });
                tasks.push_back(shape(false, None));
            }
            Step::Rename { .. } => {
                let origin = self.state.teams.binding(team.team).map(|known| known.origin);
                tasks.push_back(shape(false, (origin == Some(Origin::Created)).then(|| team.name.clone())));
            }
            Step::Delete { .. } | Step::Empty { .. } | Step::Leave { .. } => tasks.push_back(Task::End),
            Step::Keep
            | Step::Conflict { .. }
            | Step::Locked { .. }
            | Step::Wait { .. }
            | Step::NotVisible => {}
        }
        tasks.extend(team.add.iter().map(|addition| Task::Add(addition.member)));
        let removals = team.remove.iter().filter(|removal| removal.held.is_none());
        tasks.extend(removals.map(|removal| match removal.user {
            Some(user) => Task::Remove(user, removal.member),
            None => Task::RemoveMember(removal.member),
        }));
        tasks
    }

    fn one(&mut self, team: GithubTeamId, task: &Task) -> Came {
        if let Task::Back { sentry, made, slug } = task {
            self.state.apply(Record::Returned { team, at: self.now, apart: false });
            let sentry = match made {
                true => self.new_sentry_team(slug.clone(), slug.to_string(), vec![]),
                false => *sentry,
            };
            self.bind(team, sentry, Origin::Created);
            return Came::Over(*made);
        }
        if self.state.teams.gone(team).is_some() {
            return Came::Over(false);
        }
        let binding = self.state.teams.binding(team).cloned();
        match (task, binding) {
            (Task::Back { .. }, _) => Came::Over(false),
            (Task::Shape { wanted, full_name }, binding) => self.shape(team, wanted, full_name, binding),
            (Task::End, binding) => self.end(team, binding),
            (_, None) => Came::Over(false),
            (Task::Add(member), Some(binding)) => {
                let there = self.sentry.in_team.entry(binding.sentry).or_default();
                if let Err(at) = there.binary_search(member) {
                    there.insert(at, *member);
                }
                Came::Over(true)
            }
            (Task::Remove(_, member) | Task::RemoveMember(member), Some(binding)) => {
                self.sentry.in_team.entry(binding.sentry).or_default().retain(|other| other != member);
                self.release(|change| match (change, task) {
                    (HeldChange::Remove { team: at, user: who, .. }, Task::Remove(user, _)) => {
                        (*at, who) == (team, user)
                    }
                    _ => false,
                });
                Came::Over(true)
            }
        }
    }

    fn shape(
        &mut self,
        team: GithubTeamId,
        wanted: &WantedTeam,
        full_name: &str,
        binding: Option<Binding>,
    ) -> Came {
        let slug = &wanted.slug;
        let found = self.sentry.teams.iter().find(|row| row.slug == *slug).cloned();
        let owner = self.state.teams.owner(slug).filter(|owner| *owner != team);
        let holder = match (&binding, owner, &found) {
            (Some(binding), ..) if binding.slug == *slug => Holder::Nobody,
            (_, Some(owner), _) => Holder::Team(owner),
            (None, None, Some(found)) => {
                let change = HeldChange::Adopt { team, sentry: found.id, slug: slug.clone() };
                let decided = self.state.holds.decision(&change).map(|decision| decision.approved);
                Holder::Stranger(found.id, decided)
            }
            _ => Holder::Nobody,
        };
        let renamed = self.state.teams.news(team).is_some_and(|news| news.named.is_some());
        let in_question = renamed || self.state.holds.disputes_of(team).next().is_some();
        let wanted = WantedTeam { adoptable: wanted.adoptable && !in_question, ..wanted.clone() };
        let step = step::team(&wanted, binding.as_ref(), &holder);
        let name = slug::display_name(full_name, slug);
        match (step, binding, found) {
            (TeamStep::Keep, ..) => Came::Over(false),
            (TeamStep::Rename, Some(binding), found) => {
                if found.is_some_and(|found| found.id != binding.sentry) {
                    return Came::Waits(None);
                }
                let row = self.team_row(binding.sentry);
                (row.slug, row.name) = (slug.clone(), name);
                self.bind(team, binding.sentry, binding.origin);
                self.shaped(team)
            }
            (TeamStep::Create, _, None) => {
                let sentry = self.new_sentry_team(slug.clone(), name, Vec::new());
                self.bind(team, sentry, Origin::Created);
                self.shaped(team)
            }
            (TeamStep::Adopt(sentry), _, Some(found)) => {
                assert_eq!(sentry, found.id);
                self.bind(team, sentry, Origin::Adopted);
                self.shaped(team)
            }
            (TeamStep::WaitFor(owner), ..) => Came::Waits(Some(owner)),
            (TeamStep::Rejected(_), ..) => Came::Over(false),
            (TeamStep::Conflict(sentry), None, _) => {
                let change = HeldChange::Adopt { team, sentry, slug: slug.clone() };
                self.hold_one(change, step::ADOPTION_RULE.into());
                Came::Over(false)
            }
            (step, binding, found) => panic!("seed {}: {step:?} of {binding:?} with {found:?}", self.seed),
        }
    }

    fn shaped(&mut self, team: GithubTeamId) -> Came {
        self.release(|change| matches!(change, HeldChange::Adopt { team: theirs, .. } if *theirs == team));
        Came::Over(true)
    }

    /// Teams that wait for one another in a circle: one of them takes a temporary slug.
    fn make_way(&mut self, waits: &BTreeMap<GithubTeamId, Option<GithubTeamId>>) -> bool {
        let closes = |team: &GithubTeamId| {
            let mut at = waits[team];
            for _ in 0..waits.len() {
                if at == Some(*team) {
                    return true;
                }
                at = at.and_then(|at| waits.get(&at).copied().flatten());
            }
            false
        };
        for team in waits.keys().filter(|team| closes(team)) {
            let Some(binding) = self.state.teams.binding(*team).cloned() else { continue };
            self.team_row(binding.sentry).slug = slug::temporary(binding.sentry, 0);
            self.bind(*team, binding.sentry, binding.origin);
            return true;
        }
        false
    }

    fn end(&mut self, team: GithubTeamId, binding: Option<Binding>) -> Came {
        let Some(binding) = binding else { return self.gone(team, Fate::NotFound) };
        let own = binding.slug.as_str();
        let own = own.strip_prefix(self.settings.slug_prefix.as_str()).unwrap_or(own);
        if !self.settings.teams.matches(&GithubSlug::from(own)) {
            return self.gone(team, Fate::Left);
        }
        let change = HeldChange::Delete { team, sentry: binding.sentry, slug: binding.slug.clone() };
        let approved = match self.state.holds.decision(&change) {
            Some(decision) if !decision.approved => return self.gone(team, Fate::Left),
            decision => decision.is_some(),
        };
        let projects =
            if self.owners.contains(&binding.sentry) { vec!["shop".to_string()] } else { Vec::new() };
        let judged = guard::deletion(&self.settings, &self.state, team, self.now);
        match (step::end(&self.settings, &binding.slug, Some(&projects), approved), judged) {
            (EndStep::Leave(_), _) => self.gone(team, Fate::Left),
            (EndStep::Hold(rule), _) | (_, Err(rule)) if !approved => {
                self.hold_one(change, rule);
                Came::Over(false)
            }
            (EndStep::Empty, _) => {
                let known: Vec<_> = self.state.people.matches().map(|(_, found)| found.member).collect();
                let protected = |member: MemberId| {
                    let row = self.sentry.members.iter().find(|row| row.id == member);
                    row.is_some_and(|row| {
                        self.settings.protect.covers_any(row.verified.iter().map(String::as_str))
                    })
                };
                let mut there = self.sentry.in_team[&binding.sentry].clone();
                there.retain(|member| !known.contains(member) || protected(*member));
                self.sentry.in_team.insert(binding.sentry, there);
                self.gone(team, Fate::Deleted)
            }
            _ => {
                assert!(self.settings.delete_teams != DeleteTeams::Keep);
                let intent = Intent::Deleting { sentry: binding.sentry, slug: binding.slug };
                self.state.apply(Record::Intends { team, intent, at: self.now });
                self.sentry.teams.retain(|row| row.id != binding.sentry);
                self.sentry.in_team.remove(&binding.sentry);
                self.gone(team, Fate::Deleted)
            }
        }
    }

    fn gone(&mut self, team: GithubTeamId, fate: Fate) -> Came {
        self.state.apply(Record::Gone { team, fate, apart: false, was: None, at: self.now });
        self.release(|change| change.team() == Some(team));
        Came::Over(true)
    }

    fn hold_one(&mut self, change: HeldChange, rule: String) {
        let hold = Hold::new(vec![change], rule, self.now, Vec::new());
        self.state.apply(Record::Held { hold });
    }

    /// Holds that have nothing else left are history.
    fn release(&mut self, is_over: impl Fn(&HeldChange) -> bool) {
        let over = self.state.holds.iter().filter(|hold| hold.changes.iter().all(&is_over));
        let names: Vec<_> = over.map(|hold| hold.name.clone()).collect();
        names.into_iter().for_each(|name| self.state.apply(Record::Released { name }));
    }

    fn keep_holds(&mut self, plan: &Plan, due: &[HeldChange]) {
        for PlannedHold { name, rule, changes, .. } in &plan.holds {
            if self.state.holds.get(name).is_some_and(|known| *known.rule == **rule) {
                continue;
            }
            let hold = Hold::new(changes.clone(), rule.clone(), self.now, Vec::new());
            self.state.apply(Record::Held { hold: Hold { compared: true, ..hold } });
        }
        let is_due = |change: &HeldChange| due.iter().any(|other| other.is_same(change));
        let over = self.state.holds.iter().filter(|hold| {
            let planned = plan.holds.iter().any(|planned| planned.name == hold.name);
            hold.compared && !planned && (hold.decision.is_none() || !hold.changes.iter().any(is_due))
        });
        let names: Vec<_> = over.map(|hold| hold.name.clone()).collect();
        names.into_iter().for_each(|name| self.state.apply(Record::Released { name }));
    }

    /// Decides what of the holds there are.
    pub fn decide(&mut self, name: &crate::state::holds::HoldName, approved: bool) {
        self.state.apply(Record::Decided { name: name.clone(), approved, at: self.now });
    }

    /// Sentry as it is, without the ids that it gives away: slug, name, members, and the GitHub team it follows.
    pub fn picture(&self) -> Vec<(String, String, Vec<MemberId>, Option<GithubTeamId>)> {
        let mut rows: Vec<_> = self
            .sentry
            .teams
            .iter()
            .map(|row| {
                let there = self.sentry.in_team.get(&row.id).cloned().unwrap_or_default();
                (row.slug.to_string(), row.name.clone(), there, self.state.teams.of_sentry(row.id))
            })
            .collect();
        rows.sort();
        rows
    }
}
