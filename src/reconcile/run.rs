//! One comparison from end to end: read, compare, judge, and queue the allowed changes in the lanes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::choice::{Roster, Unknown};
use super::compare::{compare, Sides};
use super::judge::{self, judge, Measure};
use super::plan::{n_changes, Plan, PlannedHold, Step, TeamPlan};
use super::read::Both;
use super::{links, rules, Progress};
use crate::hosts::http::Trouble;
use crate::hosts::sentry::Team;
use crate::hosts::snapshot::GithubTeam;
use crate::identity::search::Depth;
use crate::identity::{Identity, BARRED};
use crate::queue::job::{Ask, Hint, LaneKey, Origin as From, Own};
use crate::queue::part::{Part, Run, Shown, Task, WantedTeam};
use crate::reconcile::reconciler::{Reconciled, Reconciler};
use crate::state::holds::{HeldChange, Hold, FIRST};
use crate::state::ids::{GithubTeamId, GithubUserId, SentrySlug, SentryTeamId, Seq};
use crate::state::links::Links;
use crate::state::record::Record;
use crate::state::sorted::Map;
use crate::state::values::Origin;
use crate::state::State;
use crate::store::audit::Entry;
use crate::work::guard;

/// Keeps a record far below the journal's size limit.
const SHOWN_PER_RECORD: usize = 1000;

/// The result of a comparison, before anything is done about it.
pub struct Comparison {
    /// The whole plan, with the holds that the guards have made.
    plan: Plan,
    /// The part that is shown and carried out, if a person has chosen teams.
    part: Option<Plan>,
    /// Every planned change, whatever guards and people say about it.
    due: Vec<HeldChange>,
    /// The first comparison needs approval, so nothing of this is carried out.
    waits_for_first: bool,
    both: Both,
    /// When the reading began.
    began: Instant,
    before: Before,
    /// The latest delivery that every replica of GitHub knew when the reading began, and the latest of all.
    seq: Seq,
    read: Seq,
}

/// The state when a comparison began. Anything newer must be left alone.
struct Before {
    /// The people who were waiting for a match, and in which team.
    wishes: BTreeSet<(GithubTeamId, GithubUserId)>,
    /// The rows of CODEOWNERS names that belonged to the service.
    links: Links,
}

impl Before {
    fn of(state: &State) -> Self {
        Self { wishes: state.people.wishes().collect(), links: state.teams.links.clone() }
    }
}

impl Comparison {
    /// The plan that is shown and carried out.
    pub fn plan(&self) -> &Plan {
        self.part.as_ref().unwrap_or(&self.plan)
    }

    /// The Sentry team with this slug, as it was read.
    fn shown(&self, slug: &SentrySlug) -> Option<Shown> {
        let teams = &self.both.sentry.teams;
        let at = teams.binary_search_by(|team| team.slug.cmp(slug)).ok()?;
        Some(Shown { team: teams.get(at)?.clone(), at: self.began })
    }

    /// Shows and carries out only the teams with these slugs from now on; all teams if there are no slugs. Returns the
    /// names of those that `SYNC_TEAMS` leaves out.
    pub fn choose(&mut self, state: &State, slugs: &[String]) -> Result<Vec<String>, Unknown> {
        if slugs.is_empty() {
            return Ok(Vec::new());
        }
        let roster = Roster::new(&self.both.github, state, &self.both.settings);
        let choice = roster.choose(slugs)?;
        self.part = Some(self.plan.only(&choice));
        Ok(choice.dormant)
    }
}

impl Reconciler {
    /// Reads both sides and makes the plan. `serving`: for a running service, whose first comparison is held.
    pub fn compare(&self, serving: bool, progress: Progress) -> Result<Option<Comparison>, Trouble> {
        let Some((org, _)) = self.mirror.bearings() else { return Ok(None) };
        // The token may be able to do more by now, so sources that GitHub has refused are tried again.
        self.mirror.github.forget_refusals();
        let began = self.mirror.clock.now();
        let (seq, read) = (self.mirror.queue.last_delivery_visible_everywhere(), self.mirror.queue.now_seq());
        self.mirror.queue.forget_heard(seq);
        let before = self.mirror.state(Before::of);
        let bindings: Vec<_> = self
            .mirror
            .state(|state| state.teams.bindings().map(|(team, binding)| (team, binding.clone())).collect());
        // A command gets a complete search. A service continues at its next comparison.
        let depth = if serving { Depth::Bounded } else { Depth::Whole };
        let mut both = self.read_both(&org.login, depth, progress)?;
        if serving {
            // A command makes one comparison only, and would save nothing with the answer.
            self.ask_for_ids(bindings.iter().map(|(_, binding)| binding), &both.sentry.teams);
        }
        self.learn_unused(&both);
        if both.sentry.listed {
            self.follow_renames(bindings, &both.sentry.teams);
        }
        progress("comparing");
        // A copy, because everybody else is blocked while the state is looked at.
        let state = self.mirror.state(State::without_deliveries);
        self.forget_ended(&mut both, &state, began);
        if let Some(rows) = &mut both.sentry.links {
            links::follow_own(rows, &before.links, &state, self.mirror.owners.integration().as_ref());
        }
        let just_gone =
            self.mirror.queue.just_gone(both.github.teams.iter().map(|team| team.facts.id), began);
        if !just_gone.is_empty() {
            self.mirror.queue.look_again();
        }
        let sides = Sides {
            org: &org.login,
            github: &both.github,
            sentry: &both.sentry,
            people: &both.people,
            unread: &both.unread,
            deleted: &both.deleted,
            state: &state,
            settings: &both.settings,
            just_gone: &just_gone,
        };
        let plan = compare(&sides);
        let due = judge::changes(&plan);
        let first = serving && guard::waits_to_begin(&both.settings, &state) && has_teams(&both, &state);
        let (people, now) = (people_in_teams(&state, &both), self.mirror.clock.wall());
        let (settings, sizes) = (&both.settings, both.sizes);
        let plan = judge(plan, &Measure { settings, state: &state, sizes, people, first, now });
        // Rejecting the first comparison's hold doesn't let the service begin either.
        let is_held = plan.holds.iter().any(|hold| hold.rule.starts_with(FIRST));
        let waits_for_first = first && (is_held || state.holds.iter().any(Hold::is_first));
        Ok(Some(Comparison { plan, part: None, due, waits_for_first, both, began, before, seq, read }))
    }

    /// Drops Sentry teams whose GitHub team was ended by an event since the reading: most are deleted by now.
    fn forget_ended(&self, both: &mut Both, state: &State, began: Instant) {
        let has_ended = |team: &Team| {
            let was_of = state.teams.ended_with(team.id);
            was_of.is_some_and(|team| self.mirror.queue.heard(|heard| heard.has_ended_since(team, began)))
        };
        both.sentry.teams.retain(|team| !has_ended(team));
    }

    /// Makes a comparison, and carries out the allowed changes if the caller agrees to the plan, which it may also
    /// limit to some teams. Only one such run at a time. `None` if the caller doesn't agree, while a previous run isn't
    /// over, or while organisation or mode isn't known.
    pub fn reconcile(
        &self,
        serving: bool,
        progress: Progress,
        agrees: &mut dyn FnMut(&mut Comparison) -> bool,
    ) -> Result<Option<Reconciled>, Trouble> {
        let comparing = self.comparing.take();
        let last = self.last_reconcile();
        if self.is_reconciling() {
            return Ok(None);
        }
        let began = self.mirror.clock.now();
        let Some(mut comparison) = self.compare(serving, progress)? else { return Ok(None) };
        if !agrees(&mut comparison) {
            return Ok(None);
        }
        if let Some(last) = last {
            last.run.supersede();
        }
        let took = self.mirror.clock.since(began);
        let paused = self.mirror.pause().is_some();
        let run = self.carry_out(&comparison, paused);
        let (mut summary, counts) = (comparison.plan.summary(), comparison.plan.counts());
        if paused {
            summary += "; paused: none of it was carried out";
        }
        let by = comparison.both.by.clone();
        let done = Reconciled { at: self.mirror.clock.wall(), took, summary, counts, paused, by, run };
        *self.last_run.lock() = Some(done.clone());
        drop(comparing);
        let changed = !comparison.plan.is_in_sync();
        let level = if changed { log::Level::Info } else { log::Level::Debug };
        say!(level, "reconcile: {}", done.summary);
        Ok(Some(done))
    }

    /// Whether a comparison is being carried out, so that another one has to wait. Never during a pause.
    pub fn is_reconciling(&self) -> bool {
        let last = self.last_reconcile();
        last.is_some_and(|last| last.run.tally().is_under_way(self.mirror.clock.now()))
            && self.mirror.pause().is_none()
    }

    pub fn last_reconcile(&self) -> Option<Reconciled> {
        self.last_run.lock().clone()
    }

    /// Records what was seen, and queues the allowed changes in the lanes unless `paused`.
    fn carry_out(&self, comparison: &Comparison, paused: bool) -> Arc<Run> {
        let Comparison { plan, due, waits_for_first, both, before, seq, read, .. } = comparison;
        self.tell_of_strangers(plan);
        self.keep_holds(plan, due, both.github.gaps.lacks_teams());
        self.forget_disputes(&both.deleted);
        self.forget_denied(&both.github.teams);
        self.incomplete.learn(plan, self.mirror.clock.wall());
        self.mirror
            .tree
            .learn_all(both.github.teams.iter().map(|team| &team.facts), !both.github.gaps.lacks_teams());
        let run = Arc::new(Run::new(self.mirror.clock.clone()));
        if *waits_for_first {
            return run;
        }
        // A short reading must not be the measure for the next one.
        if !plan.holds.iter().any(|hold| hold.rule.starts_with(judge::SHORT_READING)) {
            self.mirror.journal.note(Record::Read { sizes: both.measure, at: self.mirror.clock.wall() });
            let rules = rules::of(&both.settings);
            if self.mirror.state(|state| state.rules.as_ref() != Some(&rules)) {
                self.mirror.journal.note(Record::Rules { rules });
            }
        }
        self.note_what_was_seen(both, &before.wishes, *seq, *read);
        self.note_shown(both);
        self.note_links(plan, both, &before.links);
        let distrusted = plan.holds.iter().any(|hold| hold.rule.starts_with(judge::DAMAGED));
        if self.mirror.state(|state| state.damaged.is_some()) && !distrusted {
            log::info!("reconcile: this comparison found everything that the damaged journal may have lost");
            self.mirror.journal.note(Record::Mended);
        }
        if paused {
            return run;
        }
        self.wait_for_slugs(plan, &run);
        for team in &comparison.plan().teams {
            let tasks = self.tasks(team, comparison);
            if !tasks.is_empty() {
                self.hand_out(team.team, tasks, [*seq, *read], &run);
            }
        }
        if both.moved {
            // Nobody is removed from that team in this run. Another comparison reads who is in it.
            run.leave();
            self.mirror.queue.look_again();
        }
        self.forget_what_is_gone(both, *seq, *read, &run);
        run
    }

    /// Teams that wait for a slug are not made in this run. If a deletion frees it, another comparison makes them.
    fn wait_for_slugs(&self, plan: &Plan, run: &Run) {
        let waiting = plan.teams.iter().filter_map(|team| match team.step {
            Step::Wait { owner } => Some((owner, team.slug.clone())),
            _ => None,
        });
        let wanted: Vec<_> = waiting.collect();
        for team in &plan.teams {
            let ends = team.held.is_none() && matches!(team.step, Step::Delete { .. });
            if ends && wanted.iter().any(|(owner, _)| *owner == team.team) {
                run.leave();
            }
        }
        self.mirror.queue.wait_for_slugs(wanted);
    }

    /// Warns if a first comparison adopts teams: the service itself may have created them, before this state existed.
    fn tell_of_strangers(&self, plan: &Plan) {
        let n = plan.counts().adopt;
        let is_first = n > 0 && self.mirror.state(|state| state.last_read.is_none());
        let said = self.at_adoptions.get().filter(|_| is_first).and_then(|said| said(n));
        if let Some(said) = said {
            log::warn!("reconcile: {said}");
        }
    }

    /// Forgets teams that GitHub has deleted and that Sentry never got or no longer has, so that their slugs are free.
    /// Nothing changes in Sentry, so no plan shows it.
    fn forget_what_is_gone(&self, both: &Both, seq: Seq, read: Seq, run: &Arc<Run>) {
        let there = |is_it: &dyn Fn(&Team) -> bool| both.sentry.teams.iter().any(is_it);
        let deleted = |team: &GithubTeamId| both.deleted.contains(team);
        let gone: Vec<_> = self.mirror.state(|state| {
            let unmade = state
                .teams
                .being_made()
                .filter(|(team, slug)| deleted(team) && !there(&|team| team.slug == **slug));
            // If teams can't be listed, a team that isn't found under its slug may have another one.
            let lost = state.teams.bindings().filter(|(team, binding)| {
                both.sentry.listed && deleted(team) && !there(&|team| team.id == binding.sentry)
            });
            unmade.map(|(team, _)| team).chain(lost.map(|(team, _)| team)).collect()
        });
        gone.into_iter().for_each(|team| self.hand_out(team, vec![Task::End], [seq, read], run));
    }

    /// Queues a team's share of a comparison. Newer events take precedence over it.
    fn hand_out(&self, team: GithubTeamId, tasks: Vec<Task>, seqs: [Seq; 2], run: &Arc<Run>) {
        let part = Part::new(team, seqs, tasks, run.clone());
        let now = self.mirror.clock.now();
        let hint = Hint::new(seqs[1], From::Own(Own::Reconcile), Ask::Part(part), now);
        self.mirror.queue.lanes.add(LaneKey::Team(team), hint);
    }

    /// Records new holds, and ends those whose changes are no longer planned. If GitHub didn't show enough this time,
    /// nobody knows whether a change is still needed: its hold or decision stays.
    fn keep_holds(&self, plan: &Plan, due: &[HeldChange], lacks_teams: bool) {
        let now = self.mirror.clock.wall();
        for PlannedHold { rule, changes, .. } in &plan.holds {
            let hold = Hold { compared: true, ..Hold::new(changes.clone(), rule.clone(), now, Vec::new()) };
            let name = hold.name.clone();
            let known = self
                .mirror
                .state(|state| state.holds.get(&name).is_some_and(|known| known.rule == hold.rule));
            if known {
                continue;
            }
            log::warn!("reconcile: held {name}: {rule}; approve with: sentry-team-sync approve {name}");
            let entry = Entry { event: "reconcile", decision: "hold", hold: Some(name), ..Entry::default() };
            self.mirror.audit.write(entry.because(format!("{}: {rule}", n_changes(changes.len()))));
            self.mirror.journal.note(Record::Held { hold });
        }
        let due: HashSet<_> = due.iter().map(HeldChange::key).collect();
        let left_in: HashSet<_> = plan.left_in.iter().map(|left| judge::of_left_in(left).key()).collect();
        let is_unseen = |change: &HeldChange| {
            left_in.contains(&change.key()) || (lacks_teams && matches!(change, HeldChange::Delete { .. }))
        };
        let is_due = |change: &HeldChange| due.contains(&change.key()) || is_unseen(change);
        let planned: BTreeSet<_> = plan.holds.iter().map(|planned| &planned.name).collect();
        let is_planned = |hold: &Hold| planned.contains(&hold.name);
        let history: Vec<_> = self.mirror.state(|state| {
            let compared = state.holds.iter().filter(|hold| hold.compared && !is_planned(hold));
            // An undecided change that is in another hold now belongs to that hold.
            let over = |hold: &&Hold| match hold.decision {
                None => !hold.changes.iter().any(is_unseen),
                Some(_) => !hold.changes.iter().any(is_due),
            };
            compared.filter(over).map(|hold| hold.name.clone()).collect()
        });
        history.into_iter().for_each(|name| self.mirror.journal.note(Record::Released { name }));
    }

    /// A deleted team that was never bound can't take anything over, so nobody needs to decide about it.
    fn forget_disputes(&self, deleted: &BTreeSet<GithubTeamId>) {
        for team in deleted {
            let over: Vec<_> = self.mirror.state(|state| {
                let unbound = state.teams.binding(*team).is_none();
                state.holds.changes_of(*team).filter(|_| unbound).cloned().collect()
            });
            over.into_iter().for_each(|change| self.mirror.journal.note(Record::NotDue { change }));
        }
    }

    fn forget_denied(&self, listed: &[GithubTeam]) {
        let now = self.mirror.clock.wall();
        let denied = self.mirror.state(|state| judge::denied(state, listed, now));
        denied.into_iter().for_each(|change| self.mirror.journal.note(Record::NotDue { change }));
    }

    /// Records the teams that this token has shown. Only for those can absence mean deletion later.
    fn note_shown(&self, both: &Both) {
        let ids = both.github.teams.iter().map(|team| team.facts.id);
        let new: Vec<_> =
            self.mirror.state(|state| ids.filter(|team| !state.teams.was_shown(*team)).collect());
        for teams in new.chunks(SHOWN_PER_RECORD) {
            self.mirror.journal.note(Record::Shown { teams: teams.to_vec() });
        }
    }

    fn note_what_was_seen(
        &self,
        both: &Both,
        wishes: &BTreeSet<(GithubTeamId, GithubUserId)>,
        seq: Seq,
        read: Seq,
    ) {
        let mirrored = |team: &&GithubTeam| both.settings.teams.matches(&team.facts.slug);
        // Members through a child team have to be on record, so that they count as having left when the child is gone.
        let mut families = both.settings.child_members.then(|| both.github.with_children());
        let with_gaps = both.github.with_gaps(both.settings.child_members);
        for team in both.github.teams.iter().filter(mirrored) {
            let id = team.facts.id;
            let family = families.as_mut().and_then(|families| families.remove(&id));
            let family: Option<Vec<_>> = family.map(|people| people.into_iter().collect());
            // Absence from an incomplete list doesn't mean that somebody has left.
            let seen = with_gaps.contains(&id).then(|| {
                let people = family.as_ref().unwrap_or(&team.members);
                let mut seen = self.mirror.state(|state| state.teams.and_seen(id, people));
                seen.sort_unstable();
                seen
            });
            if seen.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            let people = seen.as_ref().or(family.as_ref()).unwrap_or(&team.members);
            let (agrees, is_contradicted) = self.mirror.state(|state| {
                let news = state.teams.news(id);
                let agrees = news.is_some_and(|news| news.agrees(people));
                (agrees, news.is_some_and(|news| news.says_otherwise(people, seq, read)))
            });
            if is_contradicted {
                // The delivery may not be carried out yet, so that both sides look equal. Nobody else would look again.
                self.mirror.queue.look_again();
            }
            let unheard = people.is_empty() && self.mirror.state(|state| state.teams.news(id).is_none());
            if !(agrees || unheard) {
                self.mirror.journal.note(Record::Looked { team: id, seq, people: people.clone() });
            }
        }
        self.note_wishes(both, wishes, seq);
    }

    /// Keeps people without a match on record as wanted in their mirrored teams, and drops those who left. Records
    /// newer than the reading are left alone.
    fn note_wishes(&self, both: &Both, before: &BTreeSet<(GithubTeamId, GithubUserId)>, seq: Seq) {
        let mut wanted: Map<(GithubTeamId, GithubUserId), &str> = Map::default();
        let mirrored = both.github.teams.iter().filter(|team| both.settings.teams.matches(&team.facts.slug));
        for team in mirrored {
            for user in &team.members {
                let why = match both.people.get(user) {
                    Some(
                        Identity::Absent { why, .. } | Identity::Unknown { why } | Identity::Conflict { why },
                    ) => why,
                    Some(Identity::Barred { .. }) => BARRED,
                    Some(Identity::Matched { .. }) | None => continue,
                };
                wanted.insert((team.facts.id, *user), why);
            }
        }
        let known: Map<(GithubTeamId, GithubUserId), Box<str>> = self.mirror.state(|state| {
            let wishes = state.people.wanted();
            wishes
                .flat_map(|(user, wish)| wish.teams.iter().map(move |team| ((*team, user), wish.why.clone())))
                .collect()
        });
        for ((team, user), why) in &wanted {
            let Some(person) = both.github.people.get(user) else { continue };
            if known.get(&(*team, *user)).is_none_or(|known| **known != **why) {
                self.mirror.note_wanted(*team, *user, &person.login, why);
            }
        }
        let shown: HashMap<_, _> =
            both.github.teams.iter().map(|team| (team.facts.id, &team.members)).collect();
        let is_older = |wish: &(GithubTeamId, GithubUserId)| {
            let word = self.mirror.state(|state| state.teams.news(wish.0).and_then(|news| news.word(wish.1)));
            before.contains(wish) && word.is_none_or(|(_, at)| at <= seq)
        };
        for (team, user) in known.into_iter().map(|(wish, _)| wish).filter(is_older) {
            // A matched person stays on record until they are added to the team.
            let is_complete = both.github.gaps.of_team(team).is_none();
            if is_complete && shown.get(&team).is_some_and(|members| members.binary_search(&user).is_err()) {
                self.mirror.journal.note(Record::Unwanted { team, user });
            }
        }
    }

    fn tasks(&self, team: &TeamPlan, comparison: &Comparison) -> Vec<Task> {
        let mut tasks = Vec::new();
        let shape = |adoptable: bool, name: Option<String>| Task::Shape {
            wanted: WantedTeam { slug: team.slug.clone(), name, adoptable },
            full_name: team.name.clone(),
            shown: comparison.shown(&team.slug).filter(|_| adoptable),
        };
        let new = matches!(team.step, Step::Create | Step::Adopt { .. } | Step::Return { .. });
        if self.mirror.state(|state| state.teams.gone(team.team).is_some()) {
            tasks.push(Task::Return);
        }
        match &team.step {
            _ if team.held.is_some() && new => return Vec::new(),
            _ if team.held.is_some() => {}
            Step::Create => {
                // The team is bound, and yet has to be created: Sentry no longer had its team.
                if self.mirror.state(|state| state.teams.binding(team.team).is_some()) {
                    tasks.push(Task::FindAgain);
                }
                tasks.push(shape(false, None));
            }
            Step::Adopt { .. } => tasks.push(shape(true, None)),
            Step::Return { .. } => tasks.push(shape(false, None)),
            Step::Rename { from } => {
                let binding = self.mirror.state(|state| state.teams.binding(team.team).cloned());
                // The recorded slug isn't Sentry's: a rename in Sentry could not be recorded a moment ago.
                if binding.as_ref().is_some_and(|binding| binding.slug != *from) {
                    tasks.push(Task::FindAgain);
                }
                let created = binding.is_some_and(|binding| binding.origin == Origin::Created);
                tasks.push(shape(false, created.then(|| team.name.clone())));
            }
            Step::Delete { .. } | Step::Empty { .. } | Step::Leave { .. } => tasks.push(Task::End),
            Step::Keep
            | Step::Conflict { .. }
            | Step::Locked { .. }
            | Step::Wait { .. }
            | Step::NotVisible => {}
        }
        tasks.extend(team.add.iter().cloned().map(Task::Add));
        let removals = team.remove.iter().filter(|removal| removal.held.is_none());
        tasks.extend(removals.cloned().map(Task::Remove));
        if new {
            tasks.push(Task::Filled);
        }
        // The link comes last, because it may have to wait for another team.
        let link = team.link.as_ref().filter(|link| link.is_to_be_linked() && link.held.is_none());
        tasks.extend(link.map(|link| Task::Link { slug: link.slug.clone(), rows: link.rows.clone() }));
        tasks
    }
}

/// Whether Sentry has teams that the service did not create.
fn has_teams(both: &Both, state: &State) -> bool {
    let is_ours = |team: &Team| {
        state.teams.binding_of_sentry(team.id).is_some_and(|binding| binding.origin == Origin::Created)
    };
    !both.sentry.teams.iter().all(is_ours)
}

fn people_in_teams(state: &State, both: &Both) -> usize {
    let bound: BTreeSet<SentryTeamId> = state.teams.bindings().map(|(_, binding)| binding.sentry).collect();
    let in_bound = both.sentry.in_team.iter().filter(|(team, _)| bound.contains(team));
    in_bound.flat_map(|(_, members)| members).collect::<HashSet<_>>().len()
}
