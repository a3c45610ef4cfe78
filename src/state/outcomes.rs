//! Counts how deliveries ended since the start.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::state::event::Event;
use crate::state::values::Settled;

/// The outcomes, in the order in which they are counted.
pub const OUTCOMES: [&str; 4] = ["done", "superseded", "held", "failed"];

#[derive(Debug, Default)]
pub struct Outcomes([[AtomicU64; OUTCOMES.len()]; Event::NAMES.len()]);

impl Outcomes {
    /// Counts a delivery that was settled or failed.
    pub fn count(&self, event: &str, outcome: Result<Settled, ()>) {
        let place = match outcome {
            Ok(Settled::Done) => 0,
            Ok(Settled::Superseded) => 1,
            Ok(Settled::Held) => 2,
            Err(()) => 3,
        };
        if let Some(event) = Event::NAMES.iter().position(|name| *name == event) {
            self.0[event][place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Event, outcome, number.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        let rows = Event::NAMES.into_iter().zip(&self.0);
        rows.flat_map(|(event, row)| {
            OUTCOMES.into_iter().zip(row).map(move |(outcome, n)| (event, outcome, n.load(Ordering::Relaxed)))
        })
    }
}
