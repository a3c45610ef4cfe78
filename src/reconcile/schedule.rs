//! What happens without an event: finding out at start whose teams these are and what the token may do, and looking
//! now and then at what nobody tells (new people in Sentry, moved teams, holds that expire).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::hosts::github::permission::{Permission, PERMISSION_LOST};
use crate::hosts::http::first_answer::Heard;
use crate::hosts::http::Trouble;
use crate::hosts::sentry::Team;
use crate::identity::Identity;
use crate::queue::job::{Ask, Hint, LaneKey, Origin, Own};
use crate::reconcile::invite;
use crate::state::event::{OrgRef, Person};
use crate::state::holds::{HeldChange, Hold};
use crate::state::ids::{GithubTeamId, GithubUserId, SentryTeamId};
use crate::state::record::Record;
use crate::state::values::{Binding, Mode};
use crate::state::Org;
use crate::store::audit::decisions::Asked;
use crate::store::journal::Entry;
use crate::work::engine::Engine;
use crate::work::step::{self, PersonStep};

/// Holds that nobody decides about are history after this time.
const HOLDS_EXPIRE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Everybody who is waited for is tried again after this time, even if nothing in Sentry changed.
const WANTED_AGAIN: Duration = Duration::from_secs(24 * 3600);
/// How often GitHub is asked which organisation the token belongs to, while no event has told.
const ORGANISATION_AGAIN: Duration = Duration::from_secs(300);
/// How often an organisation that was deleted is looked for.
const DELETED_AGAIN: Duration = Duration::from_secs(300);
/// How often GitHub is asked what another token may do.
const TOKEN_AGAIN: Duration = Duration::from_secs(10);
/// How often a host is asked that has not answered since the start.
const UNHEARD_AGAIN: Duration = Duration::from_secs(10);
/// The longest pause between two tries to get started.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Engine {
    /// Whose teams, and by which truth. `false` if the organisation is not known yet. `ask`: GitHub is asked for it;
    /// otherwise only a signed event can have told it meanwhile.
    pub fn find_bearings(&self, ask: bool) -> Result<bool, Trouble> {
        if self.state(|state| state.org.is_none()) {
            if !ask {
                return Ok(false);
            }
            self.find_organisation()?;
        } else {
            self.check_organisation()?;
        }
        let Some(org) = self.state(|state| state.org.clone()) else { return Ok(false) };
        let known = self.state(|state| state.mode.clone());
        let token = self.github_token.fingerprint();
        let same_token = known.filter(|(_, fingerprint)| **fingerprint == *token).map(|(mode, _)| mode);
        self.find_mode(&org, same_token, &token)?;
        self.github_token.know(&token);
        Ok(true)
    }

    /// Which mode the token allows; `known` is what is known of this very token. Only GitHub's own word that the token
    /// may not read members chooses the weaker mode.
    fn find_mode(&self, org: &Org, known: Option<Mode>, token: &str) -> Result<(), Trouble> {
        let told = match known {
            // What is chosen goes on: a policy that refuses this look must not pause what the token is still good for.
            Some(Mode::Payload) => self.probe(&self.github.afresh(), org),
            _ => self.probe(&self.github, org),
        };
        if !matches!(told, Permission::Untold(_)) {
            self.github_token.learn_untold(None);
        }
        let mode = match (known, told) {
            (Some(Mode::Read), Permission::Lacks(said)) => {
                self.github.host().refuse(&format!("{PERMISSION_LOST} ({said})"));
                return Ok(());
            }
            (Some(Mode::Payload), Permission::Untold(trouble)) => {
                log::warn!(
                    "mode: payload, as before; GitHub does not say what GH_TOKEN may do now: {trouble}"
                );
                return Ok(());
            }
            (_, Permission::Untold(trouble)) => {
                self.github_token.learn_untold(Some(&trouble));
                return Err(trouble);
            }
            (_, Permission::Reads) => Mode::Read,
            (_, Permission::Lacks(_)) => Mode::Payload,
        };
        if known != Some(mode) {
            let means = match mode {
                Mode::Read => "read: GitHub is asked for the truth",
                Mode::Payload => "payload: the token may not read members, the deliveries are the truth",
            };
            log::info!("mode: {means}");
            // Whose it is matters where GitHub is asked for the truth; an App's token is nobody's.
            let by = if mode == Mode::Read { self.github.viewer() } else { None };
            self.journal.note(Record::Mode { mode, fingerprint: token.into(), by });
        }
        Ok(())
    }

    fn find_organisation(&self) -> Result<(), Trouble> {
        let found = match &self.settings().github_org {
            Some(login) => {
                let found = self.github.org(login)?;
                if found.is_none() {
                    self.tell_once(&format!("GitHub knows no organisation `{login}`: correct GH_ORG"));
                }
                found
            }
            None => self.github.only_org()?,
        };
        if let Some(OrgRef { id, login }) = found {
            let named = login.clone();
            // The first signed event may have been quicker.
            let pinned = self.journal.decide(|state| match state.org {
                None => Entry::Keep(vec![Record::Org { id, login, deleted: false }], true),
                Some(_) => Entry::Nothing(false),
            });
            if pinned.unwrap_or(false) {
                log::info!("organisation pinned: {} ({id})", crate::text::Quoted(named.as_str()));
            }
        }
        Ok(())
    }

    /// A state directory belongs to one organisation: another one in `GH_ORG` is a mistake, unless it is the new name
    /// of the same.
    fn check_organisation(&self) -> Result<(), Trouble> {
        let Some(pinned) = self.state(|state| state.org.clone()) else { return Ok(()) };
        let settings = self.settings();
        let Some(configured) = settings.github_org.as_ref().filter(|login| !login.is(pinned.login.as_str()))
        else {
            return Ok(());
        };
        match self.github.org(configured)? {
            Some(found) if found.id == pinned.id => self.follow_organisation(&pinned, found.login),
            Some(found) => self.set_fault(format!(
                "GH_ORG is `{}`, but the state directory belongs to `{}`: give each organisation its own SYNC_STATE_DIR",
                found.login, pinned.login
            )),
            None => {}
        }
        Ok(())
    }

    /// Looks at what no event tells: in read mode at everything, in payload mode at Sentry's people. `first`: at start.
    pub fn look_round(&self, first: bool) -> Result<(), Trouble> {
        self.note_look();
        let looked = match self.bearings() {
            Some((_, Mode::Read)) => self.reconcile(true, &|_| (), &mut |_| true).map(drop),
            Some((_, Mode::Payload)) => self.look_at_sentry(first),
            None => Ok(()),
        };
        self.note_looked(&looked);
        looked
    }

    fn look_at_sentry(&self, first: bool) -> Result<(), Trouble> {
        self.recover_if_possible();
        let changed = self.read_directory()?;
        self.ask_for_ids_of_bound();
        if (changed || first) && self.pause().is_none() {
            self.try_wanted(|_| true);
        }
        let found = self.matcher().search_for_wanted()?;
        self.learn_unused_of_sentry();
        if !found.is_empty() && self.pause().is_none() {
            self.try_wanted(|user| found.contains(user));
        }
        Ok(())
    }

    /// Follows bound teams that were renamed in Sentry, by a list of all that was read after `bindings` were looked at:
    /// the workers go on meanwhile.
    pub fn follow_renames(&self, bindings: Vec<(GithubTeamId, Binding)>, teams: &[Team]) {
        if self.sentry.ids().are_of_another_host() {
            return;
        }
        let by_id: BTreeMap<SentryTeamId, &Team> = teams.iter().map(|team| (team.id, team)).collect();
        for (team, binding) in bindings {
            let differs = |now: &&&Team| now.slug != binding.slug || *now.name != *binding.name;
            let Some(now) = by_id.get(&binding.sentry).filter(differs) else { continue };
            let followed =
                Binding { slug: now.slug.clone(), name: now.name.as_str().into(), ..binding.clone() };
            let changed = self.journal.decide(|state| {
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
                self.lanes.moved(team);
            }
        }
    }

    /// Tries everybody who is waited for and `may` be tried; whoever Sentry knows by now is handed to the lanes.
    pub fn try_wanted(&self, may: impl Fn(&GithubUserId) -> bool) {
        if self.waits_to_begin() {
            return;
        }
        let wanted: Vec<_> = self.state(|state| {
            let wanted = state.people.wanted().filter(|(user, _)| may(user));
            wanted.map(|(user, wanted)| (user, wanted.login.clone())).collect()
        });
        for (user, login) in wanted {
            if self.lanes.is_stopping() {
                return;
            }
            let person = Person { id: user, login, bot: false };
            match self.identify_in_directory(&person) {
                Ok(Identity::Matched { .. }) => self.try_wish(&person),
                Ok(identity) => self.note_why_not(&person, &identity),
                Err(_) => {}
            }
        }
    }

    /// Somebody stays wanted for another reason than before.
    fn note_why_not(&self, person: &Person, identity: &Identity) {
        let PersonStep::Want(why) = step::present(identity) else { return };
        let teams = self.state(|state| {
            let wish = state.people.wish(person.id).filter(|wish| *wish.why != *why);
            wish.map(|wish| wish.teams.clone()).unwrap_or_default()
        });
        for team in teams {
            let (login, why) = (person.login.clone(), why.as_str().into());
            self.journal.note(Record::Wanted { team, user: person.id, login, why, at: self.clock.wall() });
        }
    }

    /// Has a person looked at in every team in which they are waited for.
    pub fn try_wish(&self, person: &Person) {
        let sure = self.bearings().is_some_and(|(_, mode)| mode == Mode::Payload);
        for team in self.state(|state| state.people.wanted_in(person.id).to_vec()) {
            let ask = Ask::Member { person: person.clone(), change: None, sure };
            self.lanes.add(
                LaneKey::Team(team),
                Hint::new(self.now_seq(), Origin::Own(Own::WantedPerson), ask, self.clock.now()),
            );
        }
    }

    /// What nobody decides about is not done. A deletion that expires is a deletion rejected: its GitHub team is gone,
    /// and its Sentry team is left alone from then on.
    fn expire_holds(&self) {
        let now = self.clock.wall();
        let old: Vec<_> = self.state(|state| {
            let undecided = state.holds.iter().filter(|hold| hold.decision.is_none());
            undecided.filter(|hold| now.since(hold.at) > HOLDS_EXPIRE).cloned().collect()
        });
        for hold in old {
            let is_first = hold.is_first();
            let lines = Asked::default().about(&hold, "expire hold");
            let Hold { name, changes, .. } = hold;
            log::warn!("hold {name} has expired; nothing was done");
            lines.into_iter().for_each(|line| self.audit.write(line));
            // What stops the mirror's beginning comes up again; it was nobody's decision about a team.
            if !is_first && changes.iter().all(|change| matches!(change, HeldChange::Delete { .. })) {
                self.journal.note(Record::Decided { name, approved: false, at: now });
                changes.iter().for_each(|change| self.look_at_decision(change));
            } else {
                self.journal.note(Record::Released { name });
            }
        }
    }

    /// Whoever may not take over a Sentry team can do without, once that one is gone or renamed.
    fn look_at_disputes(&self) {
        if self.waits_to_begin() {
            return;
        }
        let teams: BTreeSet<_> = self.state(|state| {
            // What only waits for the mirror to begin is in dispute with nobody.
            let holds = state.holds.iter().filter(|hold| !hold.is_first());
            let adoptions = holds.flat_map(|hold| &hold.changes);
            adoptions
                .filter(|change| matches!(change, HeldChange::Adopt { .. }))
                .filter_map(HeldChange::team)
                .collect()
        });
        teams.into_iter().for_each(|team| self.look_at_team(team, Own::DisputedSlug));
    }

    /// Changes whenever another user map is in use; looks at the file.
    fn map_version(&self) -> usize {
        self.user_map().map_or(0, |map| std::sync::Arc::as_ptr(&map) as usize)
    }

    /// After a reload: finds out what another GitHub token may do.
    fn look_at_new_token(&self, asked: &mut Option<Instant>) {
        let is_due = asked.is_none_or(|at| self.clock.since(at) >= TOKEN_AGAIN);
        if !self.github_token.is_new() {
            *asked = None;
        } else if is_due && self.github.host().paused_for().is_none() {
            *asked = Some(self.clock.now());
            let before = self.github_token.why_no_mode();
            if let Err(trouble) = self.find_bearings(true) {
                let is_news = self.github_token.why_no_mode() != before;
                let level = if is_news { log::Level::Warn } else { log::Level::Debug };
                log::log!(
                    level,
                    "what the new GH_TOKEN may do is not known yet, deliveries are kept: {trouble}"
                );
            }
        }
    }

    /// In payload mode nothing needs GitHub, and nothing would ask again whether it is there.
    fn look_for_github(&self, asked: &mut Instant) {
        let host = self.github.host();
        if host.heard() == Heard::TheApi
            || self.clock.since(*asked) < UNHEARD_AGAIN
            || host.paused_for().is_some()
        {
            return;
        }
        *asked = self.clock.now();
        if let Some(org) = self.state(|state| state.org.clone()) {
            self.probe(&self.github.afresh(), &org);
        }
    }

    /// An organisation that GitHub shows is not deleted, whatever was said.
    fn look_for_deleted_organisation(&self) {
        let Some(org) = self.state(|state| state.org.clone()).filter(|org| org.deleted) else { return };
        if let Ok(Some(shown)) = self.github.org(&org.login) {
            if shown.id == org.id {
                log::info!("GitHub shows the organisation `{}` again: work goes on", org.login);
                self.journal.note(Record::Org { id: org.id, login: shown.login, deleted: false });
            }
        }
    }
}

/// Gets started, then looks round at every interval, until the process stops. To be called on a thread of its own.
pub fn run(engine: &Engine) {
    get_started(engine);
    let (mut looked, mut tried, mut searched) = (engine.clock.now(), engine.clock.now(), engine.clock.now());
    let (mut asked_token, mut asked_github) = (None, engine.clock.now());
    let mut map = engine.map_version();
    let mut invites = invite::Turn::default();
    let mut was_paused = engine.pause().is_some();
    while !engine.lanes.is_stopping() {
        engine.lanes.rest(Duration::from_secs(1));
        engine.note_conditions();
        engine.tell_ended_holds();
        let before = looked;
        // What a pause has kept back is looked for at once.
        let is_resumed = std::mem::replace(&mut was_paused, engine.pause().is_some()) && !was_paused;
        if is_resumed {
            engine.ask_for_reconcile();
        }
        engine.look_at_new_token(&mut asked_token);
        engine.look_for_github(&mut asked_github);
        engine.expire_holds();
        if engine.clock.since(searched) >= DELETED_AGAIN {
            searched = engine.clock.now();
            engine.look_for_deleted_organisation();
        }
        let by_interval =
            engine.settings().interval.is_some_and(|interval| engine.clock.since(looked) >= interval);
        let is_due = || engine.take_reconcile_due() || engine.take_second_look() || by_interval;
        // What is asked for while another comparison is carried out is still due after it.
        if engine.blind_for().is_none() && !engine.is_reconciling() && is_due() {
            looked = engine.clock.now();
            engine.github.forget_refusals();
            if !was_paused {
                engine.look_at_disputes();
            }
            if let Err(trouble) = engine.look_round(false) {
                log::warn!("interval: {trouble}");
            }
        }
        invites.take(engine, looked > before);
        let map_now = engine.map_version();
        let try_again = map_now != map || is_resumed || engine.clock.since(tried) >= WANTED_AGAIN;
        if try_again && engine.paused_for().is_none() {
            (map, tried) = (map_now, engine.clock.now());
            engine.try_wanted(|_| true);
        }
    }
}

/// Finds organisation and mode, then reads both sides once; tries until it succeeds or the process stops. Workers wait
/// for the first half only.
fn get_started(engine: &Engine) {
    let mut pause = Duration::from_secs(1);
    let mut asked: Option<Instant> = None;
    let mut told = BTreeSet::new();
    while !engine.lanes.is_stopping() {
        let ask = asked.is_none_or(|at| engine.clock.since(at) >= ORGANISATION_AGAIN);
        engine.note_conditions();
        let found = engine.find_bearings(ask);
        if ask && found.is_ok() {
            asked = Some(engine.clock.now());
        }
        match found.and_then(|found| if found { engine.look_round(true).map(|()| true) } else { Ok(false) }) {
            Ok(true) => return,
            // Without a configured organisation, the first signed event tells it.
            Ok(false) => engine.lanes.rest(Duration::from_millis(50)),
            Err(trouble) => {
                let why = trouble.to_string();
                // An outage of hours is a warning for each thing that goes wrong, not for each try.
                let level = if told.contains(&why) { log::Level::Debug } else { log::Level::Warn };
                log::log!(level, "start: not all is known yet, deliveries are kept: {why}");
                told.insert(why);
                engine.note_conditions();
                engine.lanes.rest(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
