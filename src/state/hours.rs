//! Counts deliveries and failures in each of the last hours, for the chart of the status page.
//!
//! A ring of fixed size. Nothing depends on it, and it is not stored. At start it is refilled from the deliveries that
//! the state remembers, by the time when they were dealt with, because no other time is kept.

use serde::{Serialize, Serializer};

use crate::clock::Timestamp;
use crate::lock::Mutex;
use crate::state::values::Status;
use crate::state::State;

/// How many hours are kept: a day, including the current hour.
pub const HOURS: usize = 24;

const HOUR_MS: u64 = 3_600_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// Hours since 1970; in JSON, the time at which it begins.
    #[serde(rename = "start", serialize_with = "begin")]
    pub hour: u64,
    /// Deliveries that were accepted in this hour.
    pub deliveries: u64,
    /// Deliveries that failed in this hour.
    pub failed: u64,
}

impl Hour {
    pub fn start(&self) -> Timestamp {
        Timestamp(self.hour * HOUR_MS)
    }
}

fn begin<S: Serializer>(hour: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&Timestamp(hour * HOUR_MS))
}

#[derive(Debug, Default)]
pub struct Hours(Mutex<[Hour; HOURS]>);

impl Hours {
    /// Counts what the state remembers.
    pub fn of(state: &State, now: Timestamp) -> Self {
        let hours = Self::default();
        let oldest = hour_of(now).saturating_sub(HOURS as u64 - 1);
        for (at, status) in state.deliveries.seen().filter(|(at, _)| hour_of(*at) >= oldest && *at <= now) {
            hours.count(at, |hour| hour.deliveries += 1);
            if status == Status::Failed {
                hours.count(at, |hour| hour.failed += 1);
            }
        }
        hours
    }

    pub fn taken(&self, at: Timestamp) {
        self.count(at, |hour| hour.deliveries += 1);
    }

    pub fn failed(&self, at: Timestamp) {
        self.count(at, |hour| hour.failed += 1);
    }

    /// The last hours, oldest first, including empty ones.
    pub fn until(&self, now: Timestamp) -> Vec<Hour> {
        let ring = self.0.lock();
        let last = hour_of(now);
        (last.saturating_sub(HOURS as u64 - 1)..=last)
            .map(|hour| {
                let known = ring[place(hour)];
                if known.hour == hour {
                    known
                } else {
                    Hour { hour, ..Hour::default() }
                }
            })
            .collect()
    }

    fn count(&self, at: Timestamp, add: impl FnOnce(&mut Hour)) {
        let hour = hour_of(at);
        let slot = &mut self.0.lock()[place(hour)];
        // If the clock was set back, the slot may hold a newer hour, which stays.
        if slot.hour < hour {
            *slot = Hour { hour, ..Hour::default() };
        }
        if slot.hour == hour {
            add(slot);
        }
    }
}

fn hour_of(at: Timestamp) -> u64 {
    at.0 / HOUR_MS
}

fn place(hour: u64) -> usize {
    (hour % HOURS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u64) -> Timestamp {
        Timestamp(hour * HOUR_MS + 1)
    }

    fn seen(hours: &Hours, now: u64) -> Vec<(u64, u64, u64)> {
        let all = hours.until(at(now)).into_iter();
        all.filter(|hour| hour.deliveries + hour.failed > 0)
            .map(|hour| (hour.hour, hour.deliveries, hour.failed))
            .collect()
    }

    #[test]
    fn a_day_is_kept_and_older_hours_give_their_place() {
        let hours = Hours::default();
        hours.taken(at(1000));
        hours.taken(at(1001));
        hours.failed(at(1001));
        assert_eq!(seen(&hours, 1001), [(1000, 1, 0), (1001, 1, 1)]);
        assert_eq!(seen(&hours, 1023), [(1000, 1, 0), (1001, 1, 1)]);
        assert_eq!(seen(&hours, 1024), [(1001, 1, 1)], "a day later it is no longer shown");
        hours.taken(at(1024));
        assert_eq!(seen(&hours, 1024), [(1001, 1, 1), (1024, 1, 0)]);
        assert_eq!(hours.until(at(1024)).len(), HOURS);
    }

    #[test]
    fn what_the_state_remembers_is_counted_by_its_hour() {
        let state = crate::state::tests::full();
        let (n, n_failed) = (state.deliveries.seen().count() as u64, state.deliveries.n_failed() as u64);
        let hours = Hours::of(&state, at(1));
        assert!(n > 2);
        assert_eq!(seen(&hours, 1), [(0, n, n_failed)]);
        assert!(hours.until(at(5)).iter().map(|hour| hour.hour).eq(0..=5), "empty hours tell when they were");
    }

    #[test]
    fn a_clock_that_was_set_back_wipes_nothing_out() {
        let hours = Hours::default();
        hours.taken(at(1024));
        hours.taken(at(1000));
        assert_eq!(seen(&hours, 1024), [(1024, 1, 0)]);
        assert_eq!(Hours::default().until(Timestamp(0)).len(), 1);
    }
}
