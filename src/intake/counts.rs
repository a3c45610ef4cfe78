//! Counts what arrived since the start. Labels come from fixed sets, so no text from a sender ends up in them.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;

/// The events that are counted separately. All others count as `other`.
pub const EVENTS: [&str; 5] = ["team", "membership", "organization", "ping", "other"];
/// The answers to signed deliveries, in the order of [`Said`].
pub const ANSWERS: [&str; 4] = ["queued", "duplicate", "superseded", "ignored"];
/// Why requests are refused, by the status of the answer.
pub const REFUSALS: [(u16, &str); 7] = [
    (400, "malformed"),
    (401, "signature"),
    (403, "organisation"),
    (404, "path"),
    (405, "method"),
    (415, "content_type"),
    (503, "not_kept"),
];
/// The secrets, current first.
pub const SECRETS: [&str; 2] = ["current", "previous"];

/// The answer to a signed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is accepted, and on disk.
    Queued,
    /// It was seen before.
    Duplicate,
    /// A newer delivery was carried out instead.
    Superseded,
    /// It changes nothing. Pings count here.
    Ignored,
}

/// The counters since the start.
#[derive(Debug, Default)]
pub struct Counts {
    answered: [[AtomicU64; ANSWERS.len()]; EVENTS.len()],
    refused: [AtomicU64; REFUSALS.len()],
    signed: [AtomicU64; SECRETS.len()],
    signed_at: [AtomicU64; SECRETS.len()],
}

impl Counts {
    pub fn answer(&self, event: &str, said: Said) {
        let event = EVENTS.iter().position(|known| *known == event).unwrap_or(EVENTS.len() - 1);
        add(&self.answered[event][said as usize]);
    }

    pub fn refuse(&self, status: u16) {
        if let Some(reason) = REFUSALS.iter().position(|(known, _)| *known == status) {
            add(&self.refused[reason]);
        }
    }

    /// Counts a delivery whose signature matched this secret: 0 is the current one, 1 the previous.
    pub fn sign(&self, secret: usize, at: Timestamp) {
        if let (Some(count), Some(last)) = (self.signed.get(secret), self.signed_at.get(secret)) {
            add(count);
            last.store(at.0, Ordering::Relaxed);
        }
    }

    /// Event, answer, and how many deliveries of the event got that answer.
    pub fn answered(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        let rows = EVENTS.iter().zip(&self.answered);
        rows.flat_map(|(event, row)| ANSWERS.iter().zip(row).map(|(answer, n)| (*event, *answer, get(n))))
    }

    /// Reason, and how many requests were refused for it.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        REFUSALS.iter().zip(&self.refused).map(|((_, reason), n)| (*reason, get(n)))
    }

    /// How many deliveries each secret has signed, and when last.
    pub fn signed(&self) -> impl Iterator<Item = (&'static str, u64, Option<Timestamp>)> + '_ {
        let all = SECRETS.iter().zip(self.signed.iter().zip(&self.signed_at));
        all.map(|(secret, (n, at))| (*secret, get(n), Some(Timestamp(get(at))).filter(|at| at.0 > 0)))
    }

    /// The secret that matched last, and when.
    pub fn last_secret(&self) -> Option<(&'static str, Timestamp)> {
        self.signed().filter_map(|(secret, _, at)| Some((secret, at?))).max_by_key(|(_, at)| *at)
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_names_is_no_label() {
        let counts = Counts::default();
        counts.answer("membership", Said::Queued);
        counts.answer("membership\"} 7", Said::Ignored);
        counts.refuse(401);
        counts.refuse(999);
        let told: Vec<_> = counts.answered().filter(|(.., n)| *n > 0).collect();
        assert_eq!(told, [("membership", "queued", 1), ("other", "ignored", 1)]);
        let refused: Vec<_> = counts.refused().filter(|(_, n)| *n > 0).collect();
        assert_eq!(refused, [("signature", 1)]);
    }

    #[test]
    fn the_secret_that_fitted_last_is_known() {
        let counts = Counts::default();
        assert_eq!(counts.last_secret(), None);
        counts.sign(1, Timestamp(5));
        counts.sign(0, Timestamp(6));
        assert_eq!(counts.last_secret(), Some(("current", Timestamp(6))));
        counts.sign(1, Timestamp(7));
        counts.sign(2, Timestamp(8));
        assert_eq!(counts.last_secret(), Some(("previous", Timestamp(7))));
    }
}
