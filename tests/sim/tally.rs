//! What was played.

use std::collections::BTreeMap;
use std::fmt;

use super::steps::{self, Kind};
use crate::standin::Fault;

#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub sequences: u64,
    /// In how many sequences each kind of step was taken.
    pub kinds: BTreeMap<Kind, u64>,
    /// In how many sequences a call met each kind of fault.
    pub met: BTreeMap<String, u64>,
    pub changes: u64,
    pub deliveries: u64,
    pub lost: u64,
    pub late: u64,
    pub doubled: u64,
    pub deaths: u64,
    pub restarts: u64,
    pub faults: u64,
    pub comparisons: u64,
    pub approved: u64,
    pub rejected: u64,
    /// Holds that nobody decided for more than a week.
    pub expired: u64,
    pub pauses: u64,
    pub months: u64,
    pub rotten: u64,
    pub versions: u64,
    pub first_holds: u64,
    pub announced: u64,
    /// Calls to both hosts, of each sequence.
    pub calls: Vec<u64>,
    pub handed_on: u64,
    /// The death that was to come at a seam came.
    pub died_at_its_seam: bool,
}

impl Tally {
    pub fn saw(&mut self, kind: Kind) {
        self.kinds.insert(kind, 1);
    }

    /// A call met a fault.
    pub fn met(&mut self, fault: &Fault) {
        self.faults += 1;
        let text = format!("{fault:?}");
        // Of GraphQL's faults and of refusals, what is in it tells more than the first word.
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let n = match fault {
            Fault::Graphql(_) | Fault::Link(_) | Fault::Status(_) | Fault::StatusHtml(_) => 2,
            Fault::Refusal { .. } | Fault::Gateway { .. } => 3,
            _ => 1,
        };
        let name: Vec<_> = words.take(n).filter(|word| *word != "status").collect();
        self.met.insert(name.join(" "), 1);
    }

    /// Steps and faults that are too rare for what is said of them to mean much.
    pub fn rare(&self) -> Vec<String> {
        let kinds =
            steps::kinds().map(|kind| (format!("{kind:?}"), self.kinds.get(&kind).copied().unwrap_or(0)));
        let met = self.met.iter().map(|(name, n)| (name.clone(), *n));
        let all = kinds.chain(met);
        all.filter(|(_, n)| n * 100 < self.sequences).map(|(name, _)| name).collect()
    }

    pub fn add(&mut self, other: Self) {
        for (kind, n) in other.kinds {
            *self.kinds.entry(kind).or_default() += n;
        }
        for (name, n) in other.met {
            *self.met.entry(name).or_default() += n;
        }
        for (mine, others) in [
            (&mut self.sequences, other.sequences),
            (&mut self.changes, other.changes),
            (&mut self.deliveries, other.deliveries),
            (&mut self.lost, other.lost),
            (&mut self.late, other.late),
            (&mut self.doubled, other.doubled),
            (&mut self.deaths, other.deaths),
            (&mut self.restarts, other.restarts),
            (&mut self.faults, other.faults),
            (&mut self.comparisons, other.comparisons),
            (&mut self.approved, other.approved),
            (&mut self.rejected, other.rejected),
            (&mut self.expired, other.expired),
            (&mut self.pauses, other.pauses),
            (&mut self.months, other.months),
            (&mut self.rotten, other.rotten),
            (&mut self.versions, other.versions),
            (&mut self.first_holds, other.first_holds),
            (&mut self.announced, other.announced),
            (&mut self.handed_on, other.handed_on),
        ] {
            *mine += others;
        }
        self.calls.extend(other.calls);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |n: u64| n as f64 * 100.0 / self.sequences.max(1) as f64;
        let kinds: Vec<_> = self.kinds.iter().map(|(kind, n)| format!("{kind:?} {:.1}", share(*n))).collect();
        writeln!(f, "steps, in how many of a hundred sequences: {}", kinds.join(", "))?;
        let met: Vec<_> = self.met.iter().map(|(name, n)| format!("{name} {:.1}", share(*n))).collect();
        writeln!(f, "faults met, in how many of a hundred sequences: {}", met.join(", "))?;
        let mut calls = self.calls.clone();
        calls.sort_unstable();
        let median = calls.get(calls.len() / 2).copied().unwrap_or_default();
        let mean = calls.iter().sum::<u64>() / calls.len().max(1) as u64;
        let most = calls.last().copied().unwrap_or_default();
        write!(
            f,
            "calls: {mean} on average, {median} in the middle one, {most} at most; faults {}, deaths {}, restarts {}, deliveries {}, lost {}, \
             late {}, doubled {}, comparisons {}, approved {}, rejected {}, expired {}, pauses {}, months {}, bits {}, versions {}, handed on {}",
            self.faults,
            self.deaths,
            self.restarts,
            self.deliveries,
            self.lost,
            self.late,
            self.doubled,
            self.comparisons,
            self.approved,
            self.rejected,
            self.expired,
            self.pauses,
            self.months,
            self.rotten,
            self.versions,
            self.handed_on
        )
    }
}
