//! The hints of the lanes, for people: why each isn't done yet, and when it's tried next.

use std::time::Instant;

use super::{Lane, Lanes};
use crate::queue::job::{Hint, LaneKey, PutOff};
use crate::state::ids::Seq;

/// One hint in its lane, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: LaneKey,
    /// The delivery that it comes from.
    pub delivery: Option<Seq>,
    /// Its event, or another cause.
    pub event: &'static str,
    /// Why it isn't done yet, if it was tried.
    pub put_off: Option<PutOff>,
    /// When it is tried, or tried again; `None` while it is being worked on.
    pub next: Option<Instant>,
}

impl Lanes {
    /// The hints of all lanes that `is_it` selects, by the delivery that they come from and whether they were put off.
    pub fn entries(&self, is_it: impl Fn(Option<Seq>, bool) -> bool) -> Vec<Entry> {
        let (now, inner) = (self.clock.now(), self.inner.lock());
        let mut entries = Vec::new();
        for (key, lane) in &inner.lanes {
            let chosen =
                lane.hints.iter().filter(|hint| is_it(hint.seq_of_delivery(), hint.put_off.is_some()));
            let first = entries.len();
            entries.extend(chosen.map(|hint| Entry::of(*key, hint, Some(lane.next_try(hint)))));
            // Hints that arrive while the whole lane rests wait for the same reason.
            if lane.not_before.is_some_and(|at| at > now) {
                let why = lane.hints.iter().find_map(|hint| hint.put_off.as_ref());
                for entry in entries.iter_mut().skip(first).filter(|entry| entry.put_off.is_none()) {
                    entry.put_off = why.cloned();
                }
            }
            let at_work = lane.at_work.iter().filter(|entry| is_it(entry.delivery, entry.put_off.is_some()));
            entries.extend(at_work.cloned());
        }
        entries
    }
}

impl Lane {
    fn next_try(&self, hint: &Hint) -> Instant {
        hint.due.max(self.not_before.unwrap_or(hint.due))
    }
}

impl Entry {
    pub(super) fn of(key: LaneKey, hint: &Hint, next: Option<Instant>) -> Self {
        let (delivery, event) = (hint.seq_of_delivery(), hint.event_name());
        Self { key, delivery, event, put_off: hint.put_off.clone(), next }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::queue::lanes::tests::{hint, later, seqs, OTHER, TEAM};

    #[test]
    fn what_is_put_off_is_shown_with_its_reason_and_the_next_try() {
        let lanes = Lanes::default();
        let mut put_off = later(hint(1, 1), false);
        put_off.put_off("no answer", Timestamp(7));
        let due = put_off.due;
        lanes.add(TEAM, put_off);
        lanes.add(OTHER, hint(2, 2));
        let shown = || lanes.entries(|_, put_off| put_off);
        assert_eq!(shown().len(), 1);
        let entry = shown().remove(0);
        assert_eq!((entry.key, entry.event, entry.next), (TEAM, "reconcile", Some(due)));
        assert_eq!(entry.put_off.map(|known| known.why.to_string()), Some("no answer".into()));
        assert_eq!(lanes.entries(|_, _| true).len(), 2);
        // A lane that rests as a whole isn't tried before its time.
        let job = lanes.take().unwrap();
        let mut left = job.hints[0].clone();
        left.put_off("down", Timestamp(8));
        lanes.finish(job.ticket(), vec![left], Some(Duration::from_secs(500)));
        let next = shown().into_iter().find(|entry| entry.key == OTHER).and_then(|entry| entry.next).unwrap();
        assert!(next > due, "not before the lane's rest is over");
        // Hints that arrive meanwhile rest with it, for the same reason.
        lanes.add(OTHER, hint(4, 4));
        let all = lanes.entries(|_, _| true);
        let resting =
            all.iter().filter(|entry| entry.key == OTHER).map(|entry| entry.put_off.as_ref().unwrap());
        assert_eq!(resting.map(|known| &*known.why).collect::<Vec<_>>(), ["down", "down"]);
        // While it's being tried again, the reason is still shown.
        lanes.add(TEAM, hint(3, 3));
        let job = lanes.take().unwrap();
        assert_eq!(seqs(&job), [1, 3]);
        let entry = shown().into_iter().find(|entry| entry.key == TEAM).unwrap();
        assert_eq!((entry.next, entry.put_off.is_some()), (None, true));
    }
}
