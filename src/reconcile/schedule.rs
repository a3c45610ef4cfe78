//! Work that no event starts. At the start: finding out which organisation this is and what the token may do. Later:
//! looking now and then for changes that nobody reports (new people in Sentry, renamed teams, holds that expire).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::hosts::github::permission::Permission;
use crate::hosts::http::first_answer::Heard;
use crate::hosts::http::Trouble;
use crate::hosts::sentry::Team;
use crate::identity::matcher::Effort;
use crate::identity::Identity;
use crate::queue::job::{Ask, LaneKey, Own};
use crate::reconcile::invite;
use crate::reconcile::reconciler::Reconciler;
use crate::state::event::{OrgRef, Person};
use crate::state::holds::{HeldChange, Hold};
use crate::state::ids::{GithubTeamId, GithubUserId, SentryTeamId};
use crate::state::record::Record;
use crate::state::sorted::Map;
use crate::state::values::{Binding, Mode};
use crate::state::Org;
use crate::store::audit::decisions::Asked;
use crate::store::journal::Entry;
use crate::work::step::{self, PersonStep};

/// Holds that nobody decides about expire after this time.
const HOLDS_EXPIRE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Everybody who waits for a match is tried again after this time, even if nothing in Sentry changed.
const WANTED_AGAIN: Duration = Duration::from_secs(24 * 3600);
/// A comparison that was asked for, but failed, is tried again after this time, and then after twice as long each time,
/// up to about an hour: it may read a whole organisation before it fails.
const FAILED_AGAIN: Duration = Duration::from_secs(60);
const LONGEST_FAILED: Duration = Duration::from_secs(64 * 60);
/// How often GitHub is asked which organisation the token belongs to, until an event shows it.
const ORGANISATION_AGAIN: Duration = Duration::from_secs(300);
/// How often the service checks whether a deleted organisation is back.
const DELETED_AGAIN: Duration = Duration::from_secs(300);
/// How often GitHub is asked what a new token may do.
const TOKEN_AGAIN: Duration = Duration::from_secs(10);
/// How often GitHub is asked while it has not answered as the API since the start.
const UNHEARD_AGAIN: Duration = Duration::from_secs(10);
/// The pause between two steps once the service has started.
const EVERY: Duration = Duration::from_secs(1);
/// The longest pause between two attempts to start.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Reconciler {
    /// Finds out the organisation and the mode. `false` if the organisation isn't known yet. `ask`: ask GitHub for it;
    /// otherwise only a signed event can have supplied it meanwhile.
    pub fn find_bearings(&self, ask: bool) -> Result<bool, Trouble> {
        if self.mirror.state(|state| state.org.is_none()) {
            if !ask {
                return Ok(false);
            }
            self.find_organisation()?;
        } else {
            self.check_organisation()?;
        }
        let Some(org) = self.mirror.state(|state| state.org.clone()) else { return Ok(false) };
        let known = self.mirror.state(|state| state.mode.clone());
        let token = self.mirror.github_token.fingerprint();
        let same_token = known.filter(|(_, fingerprint)| **fingerprint == *token).map(|(mode, _)| mode);
        self.find_mode(&org, same_token, &token)?;
        self.mirror.github_token.know(&token);
        Ok(true)
    }

    /// Chooses the mode that the token allows. `known`: the mode that was found for this very token before. Payload
    /// mode is chosen only if GitHub itself says that the token may not read members.
    fn find_mode(&self, org: &Org, known: Option<Mode>, token: &str) -> Result<(), Trouble> {
        let told = match known {
            // Payload mode continues: a policy that refuses this check must not pause what the token is still good for.
            Some(Mode::Payload) => self.mirror.probe(&self.mirror.github.afresh(), org),
            _ => self.mirror.probe(&self.mirror.github, org),
        };
        if !matches!(told, Permission::Untold(_)) {
            self.mirror.github_token.learn_untold(None);
        }
        let mode = match (known, told) {
            (Some(Mode::Read), Permission::Lacks(_)) => {
                self.mirror.lose_permission();
                return Ok(());
            }
            (Some(Mode::Payload), Permission::Untold(trouble)) => {
                log::warn!(
                    "mode: payload (unchanged); could not check what {} may do now: {trouble}",
                    self.mirror.github_token.who()
                );
                return Ok(());
            }
            (_, Permission::Untold(trouble)) => {
                self.mirror.github_token.learn_untold(Some(&trouble));
                return Err(trouble);
            }
            (_, Permission::Reads) => Mode::Read,
            (_, Permission::Lacks(_)) => Mode::Payload,
        };
        if known != Some(mode) {
            let means = match mode {
                Mode::Read => "read (every event is verified with GitHub)",
                Mode::Payload => {
                    "payload (the token cannot read members, so webhook payloads are trusted as they are)"
                }
            };
            log::info!("mode: {means}");
            // The token's owner matters only in read mode. An App's token has no owner.
            let by = if mode == Mode::Read { self.mirror.github.viewer() } else { None };
            self.mirror.journal.note(Record::Mode { mode, fingerprint: token.into(), by });
        }
        Ok(())
    }

    fn find_organisation(&self) -> Result<(), Trouble> {
        let found = match &self.mirror.settings().github_org {
            Some(login) => {
                let found = self.mirror.github.org(login)?;
                if found.is_none() {
                    self.mirror
                        .faults
                        .tell_once(&format!("GitHub knows no organisation `{login}`: correct GH_ORG"));
                }
                found
            }
            None => self.mirror.github.only_org()?,
        };
        if let Some(OrgRef { id, login }) = found {
            let named = login.clone();
            // A signed event may have pinned the organisation first.
            let pinned = self.mirror.journal.decide(|state| match state.org {
                None => Entry::Keep(vec![Record::Org { id, login, deleted: false }], true),
                Some(_) => Entry::Nothing(false),
            });
            if pinned.unwrap_or(false) {
                log::info!("organisation pinned: {} ({id})", crate::text::Quoted(named.as_str()));
            }
        }
        Ok(())
    }

    /// A state directory belongs to one organisation. Another one in `GH_ORG` is a mistake, unless it is the new login
    /// of the same organisation.
    fn check_organisation(&self) -> Result<(), Trouble> {
        let Some(pinned) = self.mirror.state(|state| state.org.clone()) else { return Ok(()) };
        let settings = self.mirror.settings();
        let Some(configured) = settings.github_org.as_ref().filter(|login| !login.is(pinned.login.as_str()))
        else {
            return Ok(());
        };
        match self.mirror.github.org(configured)? {
            Some(found) if found.id == pinned.id => self.mirror.follow_organisation(&pinned, found.login),
            Some(found) => self.mirror.faults.set_grave(format!(
                "GH_ORG is `{}`, but the state directory belongs to `{}`: give each organisation its own SYNC_STATE_DIR",
                found.login, pinned.login
            )),
            None => {}
        }
        Ok(())
    }

    /// Looks for changes without an event: in read mode on both sides, in payload mode in Sentry. `first`: at the
    /// start.
    pub fn look_round(&self, first: bool) -> Result<(), Trouble> {
        self.looks.lock().last = Some(self.mirror.clock.wall());
        let looked = match self.mirror.bearings() {
            Some((_, Mode::Read)) => {
                if self.mirror.github.app().is_some() {
                    self.missed.look(&self.mirror);
                }
                self.reconcile(true, &|_| (), &mut |_| true).map(drop)
            }
            Some((_, Mode::Payload)) => self.look_at_sentry(first),
            None => Ok(()),
        };
        self.note_looked(&looked);
        looked
    }

    fn look_at_sentry(&self, first: bool) -> Result<(), Trouble> {
        self.mirror.github.forget_refusals();
        self.missed.look(&self.mirror);
        let changed = self.mirror.read_directory()?;
        self.ask_for_ids_of_bound();
        if (changed || first) && self.mirror.pause().is_none() {
            self.try_wanted(|_| true);
        }
        let found = self.mirror.matcher().search_for_wanted()?;
        self.learn_unused_of_sentry();
        if !found.is_empty() && self.mirror.pause().is_none() {
            self.try_wanted(|user| found.contains(user));
        }
        Ok(())
    }

    /// Follows bound teams that were renamed in Sentry. `teams`: the complete list, read after `bindings` was copied.
    /// Workers may have changed bindings since.
    pub fn follow_renames(&self, bindings: Vec<(GithubTeamId, Binding)>, teams: &[Team]) {
        if self.mirror.sentry.ids().are_of_another_host() {
            return;
        }
        let by_id: Map<SentryTeamId, &Team> = teams.iter().map(|team| (team.id, team)).collect();
        for (team, binding) in bindings {
            let differs = |now: &&&Team| now.slug != binding.slug || *now.name != *binding.name;
            let Some(now) = by_id.get(&binding.sentry).filter(differs) else { continue };
            let followed =
                Binding { slug: now.slug.clone(), name: now.name.as_str().into(), ..binding.clone() };
            let changed = self.mirror.journal.decide(|state| {
                let as_before =
                    state.teams.binding(team) == Some(&binding) && state.teams.intent(team).is_none();
                if as_before {
                    Entry::Keep(vec![Record::Bound { team, binding: followed }], true)
                } else {
                    Entry::Nothing(false)
                }
            });
            if changed.unwrap_or(false) {
                log::info!(
                    "team {team}: its Sentry team was renamed from `{}` to `{}`",
                    binding.slug,
                    now.slug
                );
                self.mirror.queue.moved(team);
            }
        }
    }

    /// Tries everybody who waits for a match and `may` be tried. Those whom Sentry knows by now go to the lanes.
    pub fn try_wanted(&self, may: impl Fn(&GithubUserId) -> bool) {
        if self.mirror.waits_to_begin() {
            return;
        }
        let wanted: Vec<_> = self.mirror.state(|state| {
            let wanted = state.people.wanted().filter(|(user, _)| may(user));
            wanted.map(|(user, wanted)| (user, wanted.login.clone())).collect()
        });
        for (user, login) in wanted {
            if self.mirror.queue.lanes.is_stopping() {
                return;
            }
            let person = Person { id: user, login, bot: false };
            match self.mirror.identify(&person, Effort::Directory) {
                Ok(Identity::Matched { .. }) => self.try_wish(&person),
                Ok(identity) => self.note_why_not(&person, &identity),
                Err(_) => self.try_wish(&person), // its job tries again until it is answered
            }
        }
    }

    /// Records why somebody still has no match, if the reason has changed.
    fn note_why_not(&self, person: &Person, identity: &Identity) {
        let PersonStep::Want(why) = step::present(identity) else { return };
        let teams = self.mirror.state(|state| {
            let wish = state.people.wish(person.id).filter(|wish| *wish.why != *why);
            wish.map(|wish| wish.teams.clone()).unwrap_or_default()
        });
        teams.into_iter().for_each(|team| self.mirror.note_wanted(team, person.id, &person.login, &why));
    }

    /// Queues a look at a person in every team where they wait for a match.
    pub fn try_wish(&self, person: &Person) {
        let sure = self.mirror.bearings().is_some_and(|(_, mode)| mode == Mode::Payload);
        for team in self.mirror.state(|state| state.people.wanted_in(person.id).to_vec()) {
            let ask = Ask::Member { person: person.clone(), change: None, sure };
            self.mirror.queue.ask(LaneKey::Team(team), Own::WantedPerson, ask);
        }
    }

    /// Undecided holds expire without any change. If all changes of a hold are deletions, expiry counts as rejection:
    /// the GitHub teams are gone, and their Sentry teams are left alone from then on.
    fn expire_holds(&self) {
        let now = self.mirror.clock.wall();
        let old: Vec<_> = self.mirror.state(|state| {
            let undecided = state.holds.iter().filter(|hold| hold.decision.is_none());
            undecided.filter(|hold| now.since(hold.at) > HOLDS_EXPIRE).cloned().collect()
        });
        for hold in old {
            let is_first = hold.is_first();
            let lines = Asked::default().about(&hold, "expire hold");
            let Hold { name, changes, .. } = hold;
            log::warn!("hold {name} expired; nothing was changed");
            lines.into_iter().for_each(|line| self.mirror.audit.write(line));
            // The first comparison's hold comes up again. Its expiry is not a decision about any team.
            if !is_first && changes.iter().all(|change| matches!(change, HeldChange::Delete { .. })) {
                self.mirror.journal.note(Record::Decided { name, approved: false, at: now });
                changes.iter().for_each(|change| self.mirror.look_at_decision(change));
            } else {
                self.mirror.journal.note(Record::Released { name });
            }
        }
    }

    /// Looks again at teams that may not take over a Sentry team: that one may be gone or renamed by now.
    fn look_at_disputes(&self) {
        if self.mirror.waits_to_begin() {
            return;
        }
        let teams: BTreeSet<_> = self.mirror.state(|state| {
            // The first comparison's hold covers every adoption, disputed or not.
            let holds = state.holds.iter().filter(|hold| !hold.is_first());
            let adoptions = holds.flat_map(|hold| &hold.changes);
            adoptions
                .filter(|change| matches!(change, HeldChange::Adopt { .. }))
                .filter_map(HeldChange::team)
                .collect()
        });
        teams.into_iter().for_each(|team| self.mirror.queue.look_at_team(team, Own::DisputedSlug));
    }

    /// A number that changes with the user map in use. Checks the file.
    fn map_version(&self) -> usize {
        self.mirror.user_map().map_or(0, |map| std::sync::Arc::as_ptr(&map) as usize)
    }

    /// Read mode: checks whether teams recorded as ended are gone. In payload mode, payloads are trusted as they are.
    fn look_at_ended(&self) {
        let ended = self.mirror.queue.take_doubted();
        if matches!(self.mirror.bearings(), Some((_, Mode::Read))) {
            ended.into_iter().for_each(|team| self.mirror.queue.look_at_team(team, Own::Ended));
        }
    }

    /// After a reload: finds out what a new GitHub token may do.
    fn look_at_new_token(&self, asked: &mut Option<Instant>) {
        let is_due = asked.is_none_or(|at| self.mirror.clock.since(at) >= TOKEN_AGAIN);
        if !self.mirror.github_token.is_new() {
            *asked = None;
        } else if is_due && self.mirror.github.host().paused_for().is_none() {
            *asked = Some(self.mirror.clock.now());
            let before = self.mirror.github_token.why_no_mode();
            if let Err(trouble) = self.find_bearings(true) {
                let is_news = self.mirror.github_token.why_no_mode() != before;
                let level = if is_news { log::Level::Warn } else { log::Level::Debug };
                say!(
                    level,
                    "could not check yet what the new {} may do, deliveries are queued: {trouble}",
                    self.mirror.github_token.who().trim_start_matches("the ")
                );
            }
        }
    }

    /// In payload mode nothing depends on GitHub, so nothing else would ask again whether it answers.
    fn look_for_github(&self, asked: &mut Instant) {
        let host = self.mirror.github.host();
        if host.heard() == Heard::TheApi
            || self.mirror.clock.since(*asked) < UNHEARD_AGAIN
            || host.paused_for().is_some()
        {
            return;
        }
        *asked = self.mirror.clock.now();
        if let Some(org) = self.mirror.state(|state| state.org.clone()) {
            self.mirror.probe(&self.mirror.github.afresh(), &org);
        }
    }

    /// If GitHub shows the organisation, it isn't deleted, whatever an event said.
    fn look_for_deleted_organisation(&self) {
        let Some(org) = self.mirror.state(|state| state.org.clone()).filter(|org| org.deleted) else {
            return;
        };
        if let Ok(Some(shown)) = self.mirror.github.org(&org.login) {
            if shown.id == org.id {
                log::info!("GitHub shows the organisation `{}` again: continuing", org.login);
                self.mirror.journal.note(Record::Org { id: org.id, login: shown.login, deleted: false });
            }
        }
    }
}

/// Runs the work that no event starts, one step at a time.
pub struct Schedule<'a> {
    reconciler: &'a Reconciler,
    stage: Stage,
}

enum Stage {
    /// Organisation and mode have to be found, and both sides read once. Workers wait only for the first of these.
    Starting(Start),
    /// Both sides are looked at in every interval.
    Running(Box<Round>),
}

impl<'a> Schedule<'a> {
    pub fn new(reconciler: &'a Reconciler) -> Self {
        let start = Start { pause: Duration::from_secs(1), asked: None, told: BTreeSet::new() };
        Self { reconciler, stage: Stage::Starting(start) }
    }

    /// Does the work that is pending. Returns how long to rest before the next step.
    pub fn step(&mut self) -> Duration {
        match &mut self.stage {
            Stage::Starting(start) => start.step(self.reconciler).unwrap_or_else(|| {
                self.stage = Stage::Running(Box::new(Round::new(self.reconciler)));
                EVERY
            }),
            Stage::Running(round) => {
                round.step(self.reconciler);
                EVERY
            }
        }
    }
}

/// Tries to start until that succeeds.
struct Start {
    pause: Duration,
    /// When GitHub was last asked for the organisation.
    asked: Option<Instant>,
    /// The problems that were logged as warnings.
    told: BTreeSet<String>,
}

impl Start {
    /// Returns how long to rest before the next attempt, or `None` once everything is known.
    fn step(&mut self, reconciler: &Reconciler) -> Option<Duration> {
        let clock = &reconciler.mirror.clock;
        let ask = self.asked.is_none_or(|at| clock.since(at) >= ORGANISATION_AGAIN);
        let found = reconciler.find_bearings(ask);
        if ask && found.is_ok() {
            self.asked = Some(clock.now());
        }
        let looked =
            found
                .and_then(|found| if found { reconciler.look_round(true).map(|()| true) } else { Ok(false) });
        match looked {
            Ok(true) => None,
            // The organisation isn't known yet. A signed event may supply it at any moment.
            Ok(false) => Some(Duration::from_millis(50)),
            Err(trouble) => {
                let why = trouble.to_string();
                // In a long outage, each different problem is logged as a warning once, not at every attempt.
                let level = if self.told.contains(&why) { log::Level::Debug } else { log::Level::Warn };
                say!(level, "start: not everything is known yet, deliveries are queued: {why}");
                self.told.insert(why);
                let pause = self.pause;
                self.pause = (pause * 2).min(LONGEST_PAUSE);
                Some(pause)
            }
        }
    }
}

/// When each kind of work was last done, and what was seen then.
struct Round {
    looked: Instant,
    /// How long after the last look a comparison is tried again that was asked for and failed.
    again: Option<Duration>,
    tried: Instant,
    /// When a deleted organisation was last looked for.
    searched: Instant,
    asked_token: Option<Instant>,
    asked_github: Instant,
    map: usize,
    invites: invite::Turn,
    was_paused: bool,
}

impl Round {
    fn new(reconciler: &Reconciler) -> Self {
        let now = reconciler.mirror.clock.now();
        Self {
            looked: now,
            again: None,
            tried: now,
            searched: now,
            asked_token: None,
            asked_github: now,
            map: reconciler.map_version(),
            invites: invite::Turn::default(),
            was_paused: reconciler.mirror.pause().is_some(),
        }
    }

    fn step(&mut self, reconciler: &Reconciler) {
        let mirror = &reconciler.mirror;
        mirror.tell_ended_holds();
        // After a pause, a comparison catches up at once.
        let is_resumed =
            std::mem::replace(&mut self.was_paused, mirror.pause().is_some()) && !self.was_paused;
        if is_resumed {
            mirror.queue.ask_for_reconcile();
        }
        reconciler.look_at_new_token(&mut self.asked_token);
        reconciler.look_for_github(&mut self.asked_github);
        reconciler.expire_holds();
        reconciler.look_at_ended();
        if mirror.clock.since(self.searched) >= DELETED_AGAIN {
            self.searched = mirror.clock.now();
            reconciler.look_for_deleted_organisation();
        }
        let has_looked = self.look_round(reconciler);
        self.invites.take(reconciler, has_looked);
        let map = reconciler.map_version();
        let try_again = map != self.map || is_resumed || mirror.clock.since(self.tried) >= WANTED_AGAIN;
        if try_again && mirror.paused_for().is_none() {
            (self.map, self.tried) = (map, mirror.clock.now());
            reconciler.try_wanted(|_| true);
        }
    }

    /// Compares, or looks at Sentry's people, if the interval or a request says so. Returns whether it did.
    fn look_round(&mut self, reconciler: &Reconciler) -> bool {
        let mirror = &reconciler.mirror;
        let by_interval =
            mirror.settings().interval.is_some_and(|interval| mirror.clock.since(self.looked) >= interval);
        // A request that comes while another comparison is carried out stays pending until that is over.
        if mirror.blind_for().is_some() || reconciler.is_reconciling() {
            return false;
        }
        let since = mirror.clock.since(self.looked);
        let is_again = self.again.is_some_and(|pause| since >= pause);
        let has_new_map = mirror.who.take_new_map();
        let is_requested =
            mirror.queue.take_reconcile_due() || has_new_map || mirror.queue.take_second_look() || is_again;
        if !is_requested && !by_interval {
            return false;
        }
        let before = std::mem::replace(&mut self.looked, mirror.clock.now());
        if !self.was_paused {
            reconciler.look_at_disputes();
        }
        let looked = reconciler.look_round(false);
        if let Err(trouble) = &looked {
            log::warn!("interval: {trouble}");
        }
        self.again = match looked {
            Err(_) if is_requested || self.again.is_some() => {
                Some(self.again.map_or(FAILED_AGAIN, |pause| (pause * 2).min(LONGEST_FAILED)))
            }
            _ => None,
        };
        self.looked > before
    }
}
