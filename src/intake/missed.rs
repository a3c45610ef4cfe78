//! Recovers deliveries that GitHub failed to deliver, from GitHub's own list: in payload mode, if the token may read
//! the list, and for a GitHub App. In all other cases a comparison makes up for them. An App needs the list too: its
//! comparison cannot distinguish a deleted team from one that the App may not see, but a delivery can.
//!
//! GitHub never resends a failed delivery unasked, and forgets it after three days. Deliveries count in GitHub's order.
//! In payload mode, one that is older than news on the same team and person is skipped, and audited.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::clock::Timestamp;
use crate::hosts::github::facts::Sent;
use crate::hosts::github::sent::SentBy;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::intake::ping::NEEDED;
use crate::intake::{self, Kept};
use crate::lock::Mutex;
use crate::state::event::{self, Event, Meaning, Parsed};
use crate::state::ids::{HookId, Seq};
use crate::state::values::{DeliveryKey, Mode};
use crate::state::State;
use crate::store::audit;
use crate::text::Quoted;
use crate::work::mirror::Mirror;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recovered {
    pub taken: usize,
    /// Missed deliveries that newer ones had overtaken.
    pub skipped: usize,
}

#[derive(Default)]
pub struct Missed {
    /// The token may not list deliveries.
    is_refused: AtomicBool,
    last: Mutex<Option<(Recovered, Timestamp)>>,
}

impl Missed {
    /// Looks once, and logs problems. Does nothing once GitHub has refused the list to this token.
    pub fn look(&self, mirror: &Mirror) {
        if self.is_refused.load(Ordering::Relaxed) {
            return;
        }
        match recover(mirror) {
            Ok(Some(found)) => *self.last.lock() = Some((found, mirror.clock.wall())),
            Ok(None) => {
                self.is_refused.store(true, Ordering::Relaxed);
                log::info!(
                    "recover: {} cannot list webhook deliveries, so missed ones cannot be recovered",
                    mirror.github_token.who()
                );
            }
            Err(trouble) => log::warn!("recover: {trouble}"),
        }
    }

    /// Looks again from now on, because a new token may be allowed to list deliveries.
    pub fn ask_again(&self) {
        self.is_refused.store(false, Ordering::Relaxed);
    }

    /// The result of the last look, and its time.
    pub fn found(&self) -> Option<(Recovered, Timestamp)> {
        *self.last.lock()
    }
}

/// The lists that GitHub can be asked for: an App's own, or those of all webhooks that have sent something.
pub fn lists(mirror: &Mirror) -> Vec<SentBy> {
    let Some((org, _)) = mirror.bearings() else { return Vec::new() };
    if mirror.github.app().is_some() {
        return vec![SentBy::App];
    }
    let hooks = mirror.state(|state| state.hooks.clone());
    hooks.into_iter().map(|hook| SentBy::Organisation(org.login.clone(), hook)).collect()
}

/// Looks for missed deliveries in all of these lists. `None` if the token may not read them.
fn recover(mirror: &Mirror) -> Result<Option<Recovered>, Trouble> {
    let since = mirror.state(|state| state.first_start);
    let mut recovered = Recovered::default();
    for list in lists(mirror) {
        // Deliveries that arrive meanwhile, or just before, may be missing from the list, and are newer than all of it.
        let before = mirror.queue.last_delivery_visible_everywhere();
        let sent = match mirror.github.sent(&list, since) {
            Ok(Some(sent)) => sent,
            Ok(None) => continue,
            Err(Trouble { kind: TroubleKind::Denied, .. }) => return Ok(None),
            Err(trouble) => return Err(trouble),
        };
        take_from(mirror, &list, &sent, before, &mut |_, fate| {
            match fate {
                Fate::Taken => recovered.taken += 1,
                Fate::Overtaken => recovered.skipped += 1,
                Fate::Unreadable | Fate::NothingToDo => {}
            }
            Ok(())
        })?;
    }
    if recovered != Recovered::default() {
        let Recovered { taken, skipped } = recovered;
        log::info!(
            "recover: recovered {taken} missed deliveries, skipped {skipped} because newer ones had arrived"
        );
    }
    Ok(Some(recovered))
}

/// The outcome for a delivery that GitHub failed to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is saved now, and queued.
    Taken,
    /// Payload mode: a newer delivery had arrived.
    Overtaken,
    /// GitHub doesn't show its payload.
    Unreadable,
    NothingToDo,
}

/// Takes every delivery that never got a 2xx and is not here, oldest first, and reports what became of each. `sent` is
/// newest first, as GitHub lists it. `before`: whatever arrived after this one is newer than all of `sent`.
pub fn take_from(
    mirror: &Mirror,
    list: &SentBy,
    sent: &[Sent],
    before: Seq,
    tell: &mut dyn FnMut(&Sent, Fate) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let known = |guid: &str| mirror.state(|state| known(state, list.hook(), guid));
    let mut places: HashMap<Seq, usize> = HashMap::new();
    let mut answered: BTreeSet<&str> = BTreeSet::new();
    for (place, delivery) in sent.iter().enumerate() {
        if let Some(seq) = known(&delivery.guid) {
            // A delivery's place is that of its first attempt, because a redelivery says nothing newer.
            places.insert(seq, place);
            answered.insert(&delivery.guid);
        } else if (200..300).contains(&delivery.status) {
            answered.insert(&delivery.guid);
        }
    }
    let missed = sent.iter().enumerate().rev().filter(|(_, delivery)| {
        NEEDED.contains(&delivery.event.as_str()) && !answered.contains(delivery.guid.as_str())
    });
    let mut seen = BTreeSet::new();
    for (place, delivery) in missed {
        if !seen.insert(&delivery.guid) {
            continue;
        }
        let Some(payload) = mirror.github.sent_payload(list, delivery.id)? else {
            tell(delivery, Fate::Unreadable)?;
            continue;
        };
        // A delivery that could not be saved is no newer news: the list has it too, in its own place.
        let is_kept = |state: &State, seq| seq > before && state.deliveries.has(seq);
        let is_newer =
            |state: &State, seq| places.get(&seq).map_or_else(|| is_kept(state, seq), |at| *at < place);
        let fate = match take_missed(mirror, list.hook(), delivery, &payload, is_newer) {
            Some(Some(seq)) => {
                places.insert(seq, place);
                Fate::Taken
            }
            Some(None) => Fate::Overtaken,
            None => Fate::NothingToDo,
        };
        tell(delivery, fate)?;
    }
    Ok(())
}

/// The place of a known delivery: from this webhook or, if the list does not name one, from any.
pub fn known(state: &State, hook: Option<HookId>, guid: &str) -> Option<Seq> {
    let from = |hook| state.deliveries.known(DeliveryKey::new(hook, guid)).map(|known| known.seq);
    match hook {
        Some(hook) => from(hook),
        None => state.hooks.iter().copied().chain([HookId(0)]).find_map(from),
    }
}

/// `Some(Some(place))` if it was taken, `Some(None)` if a newer delivery had arrived, `None` if it changes nothing.
fn take_missed(
    mirror: &Mirror,
    hook: Option<HookId>,
    sent: &Sent,
    payload: &[u8],
    is_newer: impl Fn(&State, Seq) -> bool,
) -> Option<Option<Seq>> {
    let Ok(Parsed { org: Some(org), meaning: Meaning::Change(event) }) = event::parse(&sent.event, payload)
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
    // In read mode GitHub is asked anyway, so the order doesn't matter.
    let by_order = matches!(mirror.bearings(), Some((_, Mode::Payload)));
    if by_order && mirror.state(|state| is_overtaken(state, &event, &is_newer)) {
        mirror.audit.write(entry("skip missed delivery").because("a newer delivery had arrived"));
        return Some(None);
    }
    let hook = hook.unwrap_or_else(|| mirror.state(|state| state.hooks.last().copied()).unwrap_or(HookId(0)));
    match intake::keep(mirror, hook, &sent.guid, event, &org) {
        Ok(Kept::Queued(seq)) => {
            log::info!(
                "delivery={} event=\"{name}\" note=\"missed; recovered from GitHub's list\"",
                sent.guid
            );
            mirror.audit.write(entry("take missed delivery").because(format!("GitHub had: {}", sent.status)));
            intake::enqueue(mirror, seq);
            Some(Some(seq))
        }
        Ok(_) => None,
        Err(why) => {
            log::error!("delivery={} outcome=\"not kept\" note={}", sent.guid, Quoted(&why.0));
            None
        }
    }
}

/// Whether a newer delivery has reported on the same team and person.
fn is_overtaken(state: &State, event: &Event, is_newer: &impl Fn(&State, Seq) -> bool) -> bool {
    let news = |team| state.teams.news(team);
    let is_newer = |seq| is_newer(state, seq);
    match event {
        Event::Membership { team, person: Some(person), .. } => {
            news(team.id).and_then(|news| news.word(person.id)).is_some_and(|(_, seq)| is_newer(seq))
        }
        Event::TeamEdited { team, slug_before: Some(_) } => {
            news(team.id).and_then(|news| news.named).is_some_and(is_newer)
        }
        // If it were taken now, it would be the latest news in every team.
        Event::MemberRemoved { person: Some(person) } => state.teams.words_on(person.id).any(is_newer),
        _ => false,
    }
}
