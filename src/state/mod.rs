//! Everything that the mirror knows: the fold of all records of the journal. Pure.
//!
//! Only the journal changes it, through [`State::apply`]; everybody else only reads. Applying never fails: a record
//! that does not fit (a delivery settled twice, say) changes nothing, so any prefix of the log is a valid state.

pub mod address;
pub mod deliveries;
pub mod event;
pub mod exchange;
pub mod holds;
pub mod hours;
pub mod ids;
pub mod links;
pub mod meant;
pub mod names;
pub mod notes;
pub mod outcomes;
pub mod people;
pub mod record;
pub mod slug;
pub mod sorted;
pub mod tagged;
pub mod teams;
pub mod values;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use serde::{Serialize, Serializer};

use crate::clock::Timestamp;
use crate::state::event::Event;
use crate::state::ids::{GithubOrgId, GithubTeamId, GithubUserId, HookId, Login, Seq};
use deliveries::Deliveries;
use holds::{Decision, HeldChange, Hold, Holds};
use people::People;
use record::{Record, FORMAT};
use teams::{Gone, News, Teams};
use values::{Binding, Delivery, Mode, Rules, SentryPlace, Sizes, Status};

/// How far one of GitHub's replicas may lag behind.
pub const LAG: Duration = Duration::from_secs(15);

/// How many keys one record of a snapshot holds, so that it stays far below the journal's limit.
const KEYS_PER_RECORD: usize = 1000;

/// The fold of the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// When the state directory was made.
    pub first_start: Timestamp,
    pub org: Option<Org>,
    /// The mode that the GitHub token's permissions allow, and that token's fingerprint.
    pub mode: Option<(Mode, Box<str>)>,
    /// The account that owns the token, if GitHub showed it.
    pub token_of: Option<GithubUserId>,
    /// The last complete read of GitHub: its sizes and its time.
    pub last_read: Option<(Sizes, Timestamp)>,
    /// The rules of the last comparison that was carried out.
    pub rules: Option<Rules>,
    /// Whether Sentry accepts team ids in place of slugs: in which organisation, whether, and when that was found out.
    pub team_ids: Option<(SentryPlace, bool, Timestamp)>,
    /// When damage to the journal was found that lost records.
    pub damaged: Option<Timestamp>,
    /// Set while an operator has paused writes to Sentry.
    pub paused: Option<Pause>,
    /// The webhooks that have sent a delivery.
    pub hooks: BTreeSet<HookId>,
    pub deliveries: Deliveries,
    /// Shared with the copies that comparisons work on. A change copies them first.
    pub teams: Arc<Teams>,
    /// People, shared like the teams.
    pub people: Arc<People>,
    pub holds: Holds,
    next: u64,
}

/// The pinned GitHub organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    pub id: GithubOrgId,
    pub login: Login,
    /// GitHub reported that it was deleted.
    pub deleted: bool,
}

/// An operator's pause of all writes to Sentry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    #[serde(rename = "since", serialize_with = "as_text")]
    pub at: Timestamp,
    /// The operator's reason; empty if none was given.
    pub reason: Box<str>,
}

fn as_text<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writes to Sentry have been paused since {}", self.at)?;
        if self.reason.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", crate::text::Safe(&self.reason))
    }
}

impl State {
    /// The pinned organisation and the mode, once both are known.
    pub fn bearings(&self) -> Option<(Org, Mode)> {
        Some((self.org.clone()?, self.mode.as_ref()?.0))
    }

    /// A state without a history.
    pub fn new(first_start: Timestamp) -> Self {
        Self { first_start, ..Self::default() }
    }

    /// Everything but the deliveries, for a comparison to work on. Teams and people are shared, not copied, until one
    /// of them changes: half a million memberships would take as much memory again.
    pub fn without_deliveries(&self) -> Self {
        Self {
            first_start: self.first_start,
            org: self.org.clone(),
            mode: self.mode.clone(),
            token_of: self.token_of,
            last_read: self.last_read,
            rules: self.rules.clone(),
            team_ids: self.team_ids.clone(),
            hooks: self.hooks.clone(),
            damaged: self.damaged,
            paused: self.paused.clone(),
            deliveries: Deliveries::default(),
            teams: self.teams.clone(),
            people: self.people.clone(),
            holds: self.holds.clone(),
            next: self.next,
        }
    }

    /// The next delivery's place in the order of arrival, counted from 1.
    pub fn next_seq(&self) -> Seq {
        Seq(self.next + 1)
    }

    /// Whether a newer delivery covers the same team and person or, for a rename, has renamed the same team.
    pub fn is_superseded(&self, delivery: &Delivery) -> bool {
        let news = |team| self.teams.news(team);
        match &delivery.event {
            Event::Membership { team, person: Some(person), .. } => news(team.id)
                .and_then(|news| news.word(person.id))
                .is_some_and(|(_, latest)| latest > delivery.seq),
            Event::TeamEdited { team, slug_before: Some(_) } => {
                news(team.id).and_then(|news| news.named).is_some_and(|latest| latest > delivery.seq)
            }
            _ => false,
        }
    }

    /// Whether a Sentry team with its slug may not be taken for the GitHub team's own: it is more likely somebody
    /// else's, or there is a hold on this team taking one over.
    pub fn is_in_question(&self, team: GithubTeamId) -> bool {
        self.teams.is_apart(team) || self.holds.disputed_slug(team).is_some()
    }

    /// Whether a GitHub team is older than this mirror. GitHub gives whole seconds, so a team created in the second of
    /// the first start counts as newer. Without a creation time, a `created` event makes a team newer.
    pub fn is_older_team(&self, team: GithubTeamId, created_at: Option<Timestamp>) -> bool {
        match created_at {
            Some(at) => at.after(Duration::from_secs(1)) <= self.first_start,
            None => !self.teams.news(team).is_some_and(|news| news.born),
        }
    }

    pub fn apply(&mut self, record: Record) {
        self.take(record);
    }

    /// Applies a record and returns the holds that it ended.
    pub fn take(&mut self, record: Record) -> Vec<Hold> {
        let mut ended = Vec::new();
        match record {
            Record::Format { first_start, .. } => self.first_start = first_start,
            Record::Received(delivery) => self.receive(delivery),
            Record::Settled { seqs, how, note, hold, at } => {
                hold.iter().for_each(|name| self.holds.wait_for(name, self.deliveries.keys_of(&seqs)));
                self.deliveries.settled(&seqs, how, &note, at);
            }
            Record::Failed { seq, why, at } => self.deliveries.fail(seq, why, at),
            Record::Again { seq } => self.deliveries.again(seq),
            Record::Org { id, login, deleted } => self.org = Some(Org { id, login, deleted }),
            Record::Mode { mode, fingerprint, by } => self.learn_mode(mode, fingerprint, by),
            Record::Bound { team, binding } => ended = self.bind(team, binding),
            Record::Unbound { team } => self.teams_mut().unbind(team),
            Record::Gone { team, fate, apart, was, at } => {
                ended = self.end(team, Gone { fate, apart, was, at });
            }
            Record::Returned { team, at, apart } => self.teams_mut().come_back(team, at, apart),
            Record::Shown { teams } => self.teams_mut().shown.extend(teams),
            Record::Linked { team, row, name } => self.teams_mut().links.learn(team, row, name),
            Record::Unlinked { row } => self.teams_mut().links.forget(row),
            Record::Restored { deleted, now } => drop(self.teams_mut().restored.insert(deleted, now)),
            Record::Fill { team, open } => self.teams_mut().fill(team, open),
            Record::Intends { team, intent, at } => drop(self.teams_mut().intents.insert(team, (intent, at))),
            Record::Dropped { team } => drop(self.teams_mut().intents.remove(&team)),
            Record::Matched { user, found } => drop(self.people_mut().matched.insert(user, found)),
            Record::Unmatched { user } => self.people_mut().unmatch(user),
            Record::Invited { user, at } => drop(self.people_mut().invited.insert(user, at)),
            Record::Wanted { team, user, login, why, at } => {
                self.people_mut().want(team, user, login, why, at)
            }
            Record::Unwanted { team, user } => self.people_mut().unwant(team, user),
            Record::Held { hold } => self.holds.hold(hold),
            Record::Decided { name, approved, at } => self.holds.decide(&name, Decision { approved, at }),
            Record::Released { name } => {
                let released = self.holds.release(&name);
                ended = self.over(released.into_iter().collect());
            }
            Record::NotDue { change } => ended = self.not_due(&change),
            Record::Looked { team, seq, people } => self.teams_mut().looked(team, seq, &people),
            Record::Read { sizes, at } => self.last_read = Some((sizes, at)),
            Record::Rules { rules } => self.rules = Some(rules),
            Record::TeamIds { place, taken, at } => self.team_ids = Some((place, taken, at)),
            Record::Damaged { at } => self.damaged = Some(at),
            Record::Mended => self.damaged = None,
            Record::Paused { reason, at } => self.paused = Some(Pause { reason, at }),
            Record::Resumed => self.paused = None,
            Record::Keys { keys } => self.deliveries.remember_all(keys),
            Record::News { team, born, named, first_named, people } => {
                self.teams_mut().news.insert(team, News::told(born, [first_named, named], people));
            }
            Record::Hook { id } => drop(self.hooks.insert(id)),
            Record::Recent { list } => self.deliveries.show_only(list),
            Record::Next { seq } => self.next = self.next.max(seq.0.saturating_sub(1)),
        }
        ended
    }

    fn receive(&mut self, delivery: Delivery) {
        self.next = self.next.max(delivery.seq.0);
        if delivery.hook.0 != 0 {
            self.hooks.insert(delivery.hook);
        }
        self.teams_mut().received(&delivery);
        self.deliveries.received(delivery);
    }

    fn bind(&mut self, team: GithubTeamId, binding: Binding) -> Vec<Hold> {
        self.teams_mut().bind(team, binding);
        let is_it =
            |change: &HeldChange| matches!(change, HeldChange::Adopt { .. } | HeldChange::Create { .. });
        self.no_longer_due(team, is_it)
    }

    fn end(&mut self, team: GithubTeamId, gone: Gone) -> Vec<Hold> {
        let apart = gone.apart || self.holds.disputed_slug(team).is_some();
        self.teams_mut().end(team, Gone { apart, ..gone });
        self.people_mut().unwant_team(team);
        self.no_longer_due(team, |_| true)
    }

    /// Forgets which teams were shown if the token is another account's: this one may not see them.
    fn learn_mode(&mut self, mode: Mode, fingerprint: Box<str>, by: Option<GithubUserId>) {
        let same_token = self.mode.as_ref().is_some_and(|(_, known)| *known == fingerprint);
        let same_account = by.is_some() && by == self.token_of;
        if !same_token && !same_account {
            self.teams_mut().shown.clear();
        }
        (self.mode, self.token_of) = (Some((mode, fingerprint)), by);
    }

    /// Ends what was held about a team and is now done or pointless. The record that made it so does this itself, so no
    /// crash can separate the two.
    fn no_longer_due(&mut self, team: GithubTeamId, is_it: impl Fn(&HeldChange) -> bool) -> Vec<Hold> {
        let changes: Vec<_> = self.holds.changes_of(team).filter(|change| is_it(change)).cloned().collect();
        let mut ended = Vec::new();
        for change in changes {
            ended.extend(self.not_due(&change));
        }
        ended
    }

    fn not_due(&mut self, change: &HeldChange) -> Vec<Hold> {
        let released = self.holds.not_due(change);
        self.over(released)
    }

    /// Settles the deliveries that waited for these holds, and updates notes that name them.
    fn over(&mut self, released: Vec<Hold>) -> Vec<Hold> {
        for hold in &released {
            hold.deliveries.iter().for_each(|key| self.deliveries.mark(*key, Status::Done));
            self.deliveries.say_anew(|note| hold.last_note(note));
        }
        released
    }

    fn teams_mut(&mut self) -> &mut Teams {
        Arc::make_mut(&mut self.teams)
    }

    fn people_mut(&mut self) -> &mut People {
        Arc::make_mut(&mut self.people)
    }

    /// Takes back a delivery whose record could not be synced. What it said about team and person stays: it was signed.
    pub fn forget_delivery(&mut self, seq: Seq) {
        self.deliveries.forget(seq);
    }

    /// Forgets what is too old to matter.
    pub fn forget_old(&mut self, now: Timestamp) {
        self.deliveries.forget_old(now);
        if self.teams.returned.keys().any(|team| self.teams.returned(*team, now).is_none()) {
            self.teams_mut().forget_old(now);
        }
    }

    /// Writes the whole state as records, one at a time. Folding them in this order gives the same state.
    pub fn each_record(&self, out: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        out(Record::Format { version: FORMAT, first_start: self.first_start })?;
        if let Some(Org { id, login, deleted }) = self.org.clone() {
            out(Record::Org { id, login, deleted })?;
        }
        if let Some((mode, fingerprint)) = self.mode.clone() {
            out(Record::Mode { mode, fingerprint, by: self.token_of })?;
        }
        if let Some((sizes, at)) = self.last_read {
            out(Record::Read { sizes, at })?;
        }
        if let Some(rules) = self.rules.clone() {
            out(Record::Rules { rules })?;
        }
        if let Some((place, taken, at)) = self.team_ids.clone() {
            out(Record::TeamIds { place, taken, at })?;
        }
        if let Some(at) = self.damaged {
            out(Record::Damaged { at })?;
        }
        if let Some(Pause { reason, at }) = self.paused.clone() {
            out(Record::Paused { reason, at })?;
        }
        for id in self.hooks.iter().copied() {
            out(Record::Hook { id })?;
        }
        self.each_delivery_record(out)?;
        self.each_team_record(out)?;
        // Before the matches, because `Unmatched` removes them.
        for user in self.people.lost.iter().copied() {
            out(Record::Unmatched { user })?;
        }
        for (&user, &at) in &self.people.invited {
            out(Record::Invited { user, at })?;
        }
        for (user, found) in self.people.matches() {
            out(Record::Matched { user, found: found.clone() })?;
        }
        for (user, wanted) in self.people.wanted() {
            let people::Wanted { login, why, since: at, teams } = wanted.clone();
            for team in teams {
                out(Record::Wanted { team, user, login: login.clone(), why: why.clone(), at })?;
            }
        }
        for hold in self.holds.all_past() {
            let name = hold.name.clone();
            out(Record::Held { hold })?;
            out(Record::Released { name })?;
        }
        for hold in self.holds.iter() {
            out(Record::Held { hold: hold.clone() })?;
        }
        Ok(())
    }

    // Folding a delivery changes what is known of its team, so deliveries come before `Gone` and `News`, which have the
    // final say.
    fn each_delivery_record(&self, out: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        for failure in self.deliveries.failed() {
            let (delivery, why) = (Delivery::clone(&failure.delivery), failure.why.clone());
            let seq = delivery.seq;
            out(Record::Received(delivery))?;
            out(Record::Failed { seq, why, at: failure.at })?;
        }
        for delivery in self.deliveries.queued() {
            out(Record::Received(Delivery::clone(delivery)))?;
        }
        for chunk in self.deliveries.settled_keys().chunks(KEYS_PER_RECORD) {
            let keys = chunk.iter().map(|(key, known)| (*key, known.seq, known.status, known.at)).collect();
            out(Record::Keys { keys })?;
        }
        let mut list: Vec<_> = self.deliveries.recent().cloned().collect();
        list.reverse();
        out(Record::Recent { list })?;
        out(Record::Next { seq: self.next_seq() })
    }

    fn each_team_record(&self, out: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        // Before the ends: `Returned` removes an end, and one that is still known came later.
        for (&team, &at) in &self.teams.returned {
            out(Record::Returned { team, at, apart: false })?;
        }
        for (&team, gone) in &self.teams.gone {
            let Gone { fate, apart, was, at } = gone.clone();
            out(Record::Gone { team, fate, apart, was, at })?;
        }
        let shown: Vec<_> = self.teams.shown().collect();
        for teams in shown.chunks(KEYS_PER_RECORD) {
            out(Record::Shown { teams: teams.to_vec() })?;
        }
        for (&team, news) in &self.teams.news {
            let people = news.people().collect();
            let News { born, named, first_named, .. } = *news;
            out(Record::News { team, born, named, first_named, people })?;
        }
        // If two bindings have the same slug, the later record gets it: that of the slug's owner.
        for is_owner in [false, true] {
            for (team, binding) in self.teams.bindings() {
                if (self.teams.owner(&binding.slug) == Some(team)) == is_owner {
                    out(Record::Bound { team, binding: binding.clone() })?;
                }
            }
        }
        for (team, row, name) in self.teams.links.iter() {
            out(Record::Linked { team, row, name: name.clone() })?;
        }
        for (&deleted, &now) in &self.teams.restored {
            out(Record::Restored { deleted, now })?;
        }
        for team in self.teams.unfilled() {
            out(Record::Fill { team, open: true })?;
        }
        for (&team, (intent, at)) in &self.teams.intents {
            out(Record::Intends { team, intent: intent.clone(), at: *at })?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
