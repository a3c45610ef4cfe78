//! Deliveries: those queued, those failed, and the keys that were seen lately.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::state::ids::Seq;
use crate::state::sorted::Map;
use crate::state::values::{Delivery, DeliveryKey, Settled, Status};

/// How long a settled delivery's key is remembered. GitHub redelivers for 3 days, GitHub Enterprise Server for 7.
pub const REMEMBERED: Duration = Duration::from_secs(8 * 24 * 3600);
/// How many settled or failed deliveries are shown.
const RECENT: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    keys: HashMap<DeliveryKey, Known>,
    queued: BTreeMap<Seq, Arc<Delivery>>,
    failed: Map<Seq, Failure>,
    recent: VecDeque<Recent>,
}

/// The facts that are remembered under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its place in the order of arrival.
    pub seq: Seq,
    pub status: Status,
    pub at: Timestamp,
}

/// A delivery that could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Kept so that it can be replayed.
    pub delivery: Arc<Delivery>,
    /// Why, and what to do.
    pub why: Box<str>,
    pub at: Timestamp,
}

/// A settled or failed delivery, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    pub guid: Box<str>,
    /// `event.action`.
    pub event: Box<str>,
    pub note: Box<str>,
    pub status: Status,
    pub received: Timestamp,
    /// When it was settled or failed.
    pub at: Timestamp,
}

impl Deliveries {
    pub fn known(&self, key: DeliveryKey) -> Option<Known> {
        self.keys.get(&key).copied()
    }

    /// Whether the delivery with this place was kept and is still remembered.
    pub fn has(&self, seq: Seq) -> bool {
        self.keys.values().any(|known| known.seq == seq)
    }

    /// All queued deliveries, in the order of arrival.
    pub fn queued(&self) -> impl DoubleEndedIterator<Item = &Arc<Delivery>> {
        self.queued.values()
    }

    pub fn queued_at(&self, seq: Seq) -> Option<Arc<Delivery>> {
        self.queued.get(&seq).cloned()
    }

    pub fn n_queued(&self) -> usize {
        self.queued.len()
    }

    /// The failed deliveries, oldest first.
    pub fn failed(&self) -> impl DoubleEndedIterator<Item = &Failure> {
        self.failed.values()
    }

    pub fn failure(&self, seq: Seq) -> Option<&Failure> {
        self.failed.get(&seq)
    }

    pub fn n_failed(&self) -> usize {
        self.failed.len()
    }

    /// The deliveries that were settled or failed last, newest first.
    pub fn recent(&self) -> impl Iterator<Item = &Recent> {
        self.recent.iter().rev()
    }

    /// All remembered deliveries, in no order: when each was received or dealt with, and its status.
    pub fn seen(&self) -> impl Iterator<Item = (Timestamp, Status)> + '_ {
        self.keys.values().map(|known| (known.at, known.status))
    }

    /// The first, in the order of arrival, of the deliveries received or dealt with at `since` or later.
    pub fn first_since(&self, since: Timestamp) -> Option<Seq> {
        self.keys.values().filter(|known| known.at >= since).map(|known| known.seq).min()
    }

    pub(super) fn received(&mut self, delivery: Delivery) {
        let known = Known { seq: delivery.seq, status: Status::Queued, at: delivery.at };
        self.keys.insert(delivery.key(), known);
        self.queued.insert(delivery.seq, Arc::new(delivery));
    }

    /// Takes back a delivery whose record could not be synced, as if it had never arrived.
    pub(super) fn forget(&mut self, seq: Seq) {
        if let Some(delivery) = self.queued.remove(&seq) {
            self.keys.remove(&delivery.key());
        }
    }

    /// The keys of queued or failed deliveries.
    pub(super) fn keys_of(&self, seqs: &[Seq]) -> Vec<DeliveryKey> {
        let of = |seq| self.queued.get(seq).or_else(|| self.failed.get(seq).map(|failure| &failure.delivery));
        seqs.iter().filter_map(|seq| of(seq).map(|delivery| delivery.key())).collect()
    }

    pub(super) fn settled(&mut self, seqs: &[Seq], how: Settled, note: &str, at: Timestamp) {
        let status = match how {
            Settled::Done => Status::Done,
            Settled::Superseded => Status::Superseded,
            Settled::Held => Status::Held,
        };
        for seq in seqs {
            let delivery = self.queued.remove(seq).or_else(|| self.failed.remove(seq).map(|f| f.delivery));
            if let Some(delivery) = delivery {
                self.leave(&delivery, status, note, at);
            }
        }
    }

    pub(super) fn fail(&mut self, seq: Seq, why: Box<str>, at: Timestamp) {
        if let Some(delivery) = self.queued.remove(&seq) {
            self.leave(&delivery, Status::Failed, &why, at);
            self.failed.insert(seq, Failure { delivery, why, at });
        }
    }

    pub(super) fn again(&mut self, seq: Seq) {
        if let Some(failure) = self.failed.remove(&seq) {
            self.mark(failure.delivery.key(), Status::Queued);
            self.queued.insert(seq, failure.delivery);
        }
    }

    pub(super) fn mark(&mut self, key: DeliveryKey, status: Status) {
        if let Some(known) = self.keys.get_mut(&key) {
            known.status = status;
        }
    }

    /// Restores the keys that a snapshot has kept.
    pub fn remember_all(&mut self, keys: Vec<(DeliveryKey, Seq, Status, Timestamp)>) {
        for (key, seq, status, at) in keys {
            self.keys.entry(key).or_insert(Known { seq, status, at });
        }
    }

    pub(super) fn show_only(&mut self, list: Vec<Recent>) {
        self.recent.clear();
        list.into_iter().for_each(|recent| self.show(recent));
    }

    /// Changes the notes of recent deliveries. `anew` returns the new note, or `None` to keep the old one.
    pub(super) fn say_anew(&mut self, anew: impl Fn(&str) -> Option<String>) {
        for recent in &mut self.recent {
            if let Some(note) = anew(&recent.note) {
                recent.note = note.into();
            }
        }
    }

    fn show(&mut self, recent: Recent) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(recent);
    }

    fn leave(&mut self, delivery: &Delivery, status: Status, note: &str, at: Timestamp) {
        self.keys.insert(delivery.key(), Known { seq: delivery.seq, status, at });
        self.show(Recent {
            guid: delivery.guid.clone(),
            event: delivery.event.name().into(),
            note: note.into(),
            status,
            received: delivery.at,
            at,
        });
    }

    /// Forgets settled keys older than [`REMEMBERED`]. Queued, held and failed deliveries are never forgotten.
    pub(super) fn forget_old(&mut self, now: Timestamp) {
        let oldest = now.before(REMEMBERED);
        self.keys.retain(|_, known| {
            known.at >= oldest || matches!(known.status, Status::Queued | Status::Held | Status::Failed)
        });
        self.keys.shrink_to_fit();
    }

    /// The keys of deliveries that are neither queued nor failed, in the order of arrival.
    pub(super) fn settled_keys(&self) -> Vec<(DeliveryKey, Known)> {
        let settled = |status| !matches!(status, Status::Queued | Status::Failed);
        let mut keys: Vec<_> =
            self.keys.iter().filter(|(_, k)| settled(k.status)).map(|(key, known)| (*key, *known)).collect();
        keys.sort_by_key(|(key, known)| (known.seq, *key));
        keys
    }
}
