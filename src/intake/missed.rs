//! Payload mode: takes the deliveries that GitHub could not hand over, from its own list of them, where the token may
//! read that. In read mode a comparison heals whatever was missed.
//!
//! GitHub never sends a failed delivery again by itself, and forgets it after three days. Order is GitHub's: what is
//! older than newer news on the same team and person is told and skipped, because the later word is the true one.

use std::collections::{BTreeSet, HashMap};

use crate::hosts::github::facts::Sent;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::intake::{self, Kept};
use crate::state::event::{self, Event, Meaning, Parsed};
use crate::state::ids::{HookId, Seq};
use crate::state::values::DeliveryKey;
use crate::state::State;
use crate::store::audit;
use crate::text::Quoted;
use crate::work::engine::Engine;

/// The events that are of use.
const EVENTS: [&str; 3] = ["membership", "organization", "team"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Missed deliveries that were taken.
    pub taken: usize,
    /// Missed deliveries that newer news had overtaken.
    pub skipped: usize,
}

impl Engine {
    /// Looks for missed deliveries of the hooks that have sent something before. `None` if the token may not read them.
    pub fn recover(&self) -> Result<Option<Recovered>, Trouble> {
        let Some((org, _)) = self.bearings() else { return Ok(None) };
        let (hooks, since) = self.state(|state| (state.hooks.clone(), state.first_start));
        let mut recovered = Recovered::default();
        for hook in hooks {
            // What arrives while the list is read, or just before, may not be in it yet, and is newer than all that is.
            let before = self.settled_seq();
            let sent = match self.github.deliveries(&org.login, hook, since) {
                Ok(Some(sent)) => sent,
                Ok(None) => continue,
                Err(Trouble { kind: TroubleKind::Denied, .. }) => return Ok(None),
                Err(trouble) => return Err(trouble),
            };
            self.recover_from(hook, &sent, before, &mut recovered)?;
        }
        if recovered != Recovered::default() {
            let Recovered { taken, skipped } = recovered;
            log::info!("recover: {taken} missed deliveries taken, {skipped} skipped: newer news had come");
        }
        Ok(Some(recovered))
    }

    /// `sent` is newest first, as GitHub lists it.
    fn recover_from(
        &self,
        hook: HookId,
        sent: &[Sent],
        before: Seq,
        recovered: &mut Recovered,
    ) -> Result<(), Trouble> {
        let Some((org, _)) = self.bearings() else { return Ok(()) };
        let known = |guid: &str| {
            self.state(|state| state.deliveries.known(DeliveryKey::new(hook, guid)).map(|known| known.seq))
        };
        let mut places: HashMap<Seq, usize> = HashMap::new();
        let mut answered: BTreeSet<&str> = BTreeSet::new();
        for (place, delivery) in sent.iter().enumerate() {
            if let Some(seq) = known(&delivery.guid) {
                // A delivery stands where it was sent first: a redelivery says nothing newer.
                places.insert(seq, place);
                answered.insert(&delivery.guid);
            } else if (200..300).contains(&delivery.status) {
                answered.insert(&delivery.guid);
            }
        }
        let missed = sent.iter().enumerate().rev().filter(|(_, delivery)| {
            EVENTS.contains(&delivery.event.as_str()) && !answered.contains(delivery.guid.as_str())
        });
        let mut seen = BTreeSet::new();
        for (place, delivery) in missed {
            if !seen.insert(&delivery.guid) {
                continue;
            }
            let Some(payload) = self.github.delivery_payload(&org.login, hook, delivery.id)? else {
                continue;
            };
            let is_newer = |seq| places.get(&seq).map_or(seq > before, |at| *at < place);
            match self.take_missed(hook, delivery, &payload, is_newer) {
                Some(Some(seq)) => {
                    places.insert(seq, place);
                    recovered.taken += 1;
                }
                Some(None) => recovered.skipped += 1,
                None => {}
            }
        }
        Ok(())
    }

    /// The place that it was taken at, or none if newer news had come; `None` if it changes nothing.
    fn take_missed(
        &self,
        hook: HookId,
        sent: &Sent,
        payload: &[u8],
        is_newer: impl Fn(Seq) -> bool,
    ) -> Option<Option<Seq>> {
        let Ok(Parsed { org: Some(org), meaning: Meaning::Change(event) }) =
            event::parse(&sent.event, payload)
        else {
            return None;
        };
        let name = event.name();
        let entry = |decision| audit::Entry {
            delivery: Some(sent.guid.as_str().into()),
            event: name,
            decision,
            ..audit::Entry::default()
        };
        if self.state(|state| is_overtaken(state, &event, &is_newer)) {
            self.audit.write(entry("skip missed delivery").because("newer news had come"));
            return Some(None);
        }
        match intake::keep(self, hook, &sent.guid, event, &org) {
            Ok(Kept::Queued(seq)) => {
                log::info!(
                    "delivery={} event=\"{name}\" note=\"missed, taken from GitHub's list\"",
                    sent.guid
                );
                self.audit
                    .write(entry("take missed delivery").because(format!("GitHub had: {}", sent.status)));
                intake::enqueue(self, seq);
                Some(Some(seq))
            }
            Ok(_) => None,
            Err(why) => {
                log::error!("delivery={} outcome=\"not kept\" note={}", sent.guid, Quoted(&why.0));
                None
            }
        }
    }

    /// Looks once, and tells what went wrong; a token that may not read the list is asked no more.
    pub fn recover_if_possible(&self) {
        if self.may_not_recover() {
            return;
        }
        match self.recover() {
            Ok(Some(found)) => self.learn_recovered(found, self.clock.wall()),
            Ok(None) => self.learn_no_recovery(),
            Err(trouble) => log::warn!("recover: {trouble}"),
        }
    }
}

/// Whether a newer delivery has spoken on the same team and person.
fn is_overtaken(state: &State, event: &Event, is_newer: &impl Fn(Seq) -> bool) -> bool {
    let news = |team| state.teams.news(team);
    match event {
        Event::Membership { team, person: Some(person), .. } => {
            news(team.id).and_then(|news| news.word(person.id)).is_some_and(|(_, seq)| is_newer(seq))
        }
        Event::TeamEdited { team, slug_before: Some(_) } => {
            news(team.id).and_then(|news| news.named).is_some_and(is_newer)
        }
        // It would be the latest word in every team.
        Event::MemberRemoved { person: Some(person) } => state.teams.words_on(person.id).any(&is_newer),
        _ => false,
    }
}
