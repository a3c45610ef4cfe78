//! Counts one host's calls and failures, and keeps the rate that it last reported. For display only: [`super::pace`]
//! keeps the pace, and nothing is decided here.

use super::window::Told;
use crate::clock::Timestamp;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::verdict::Verdict;

/// The ways in which a call gives no usable answer or is turned away.
pub const FAILURES: [&str; 5] = ["unanswered", "limited", "refused", "denied", "rejected"];

/// How many kinds of calls a host counts separately.
pub const N_CLASSES: usize = 2;

/// The counts of one host since start.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    names: [&'static str; N_CLASSES],
    calls: [u64; N_CLASSES],
    budgets: [Option<Budget>; N_CLASSES],
    failures: [u64; FAILURES.len()],
}

/// A rate, as the host last reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub limit: u64,
    pub remaining: u64,
    pub reset: Timestamp,
}

impl Budget {
    /// A later window wins. Within a window the lower remainder wins, because answers overtake one another and Sentry
    /// has a separate rate for each kind of call.
    fn says_more_than(&self, known: &Self) -> bool {
        (self.reset, known.remaining) >= (known.reset, self.remaining)
    }

    /// How many calls are left now. A new window that no answer has reported yet counts as unused.
    pub fn left(&self, now: Timestamp) -> u64 {
        if now < self.reset {
            self.remaining
        } else {
            self.limit
        }
    }
}

/// The index of a call's class. GitHub counts GraphQL separately, Sentry counts writes. Calls that a GitHub App signs
/// and redeliveries share GraphQL's index.
fn class(asked: Asked) -> usize {
    usize::from(!matches!(asked, Asked::Github | Asked::Sentry | Asked::Groups))
}

impl Tally {
    /// An empty tally. `names` are those of the classes, reads first.
    pub fn new(names: [&'static str; N_CLASSES]) -> Self {
        Self { names, calls: [0; N_CLASSES], budgets: [None; N_CLASSES], failures: [0; FAILURES.len()] }
    }

    pub(super) fn ask(&mut self, asked: Asked) {
        self.calls[class(asked)] += 1;
    }

    /// Records the outcome of a call, whether it was answered or not.
    pub(super) fn learn(&mut self, asked: Asked, verdict: &Verdict, told: Option<Told>) {
        if let Some(Told { limit, remaining, reset }) = told {
            let told = Budget { limit, remaining, reset: Timestamp::from_secs(reset) };
            let known = &mut self.budgets[class(asked)];
            if known.is_none_or(|known| told.says_more_than(&known)) {
                *known = Some(told);
            }
        }
        let failure = match verdict {
            // Most organisations have no SCIM groups, which is no failure.
            Verdict::Denied(_) | Verdict::Never(_) if asked == Asked::Groups => return,
            Verdict::Unknown(_) => 0,
            Verdict::Wait(_) => 1,
            Verdict::Refused(_) => 2,
            Verdict::Denied(_) => 3,
            Verdict::Never(_) => 4,
            _ => return,
        };
        self.failures[failure] += 1;
    }

    /// Forgets the reported rates, because another token has its own.
    pub(super) fn forget_budgets(&mut self) {
        self.budgets = [None; N_CLASSES];
    }

    /// Each class with its name, its calls, and its rate if the host reported one.
    pub fn classes(&self) -> impl Iterator<Item = (&'static str, u64, Option<Budget>)> + '_ {
        (0..N_CLASSES).map(|n| (self.names[n], self.calls[n], self.budgets[n]))
    }

    pub fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        FAILURES.into_iter().zip(self.failures)
    }

    /// The number of calls, and of those that the host didn't answer usably or for which it refused the token.
    pub fn counts(&self) -> (u64, u64) {
        (self.calls.iter().sum(), self.failures[0] + self.failures[2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_there_are_no_groups_is_no_failure() {
        let mut tally = Tally::new(["read", "write"]);
        for verdict in [Verdict::Denied("403".into()), Verdict::Missing, Verdict::Never("410".into())] {
            tally.learn(Asked::Groups, &verdict, None);
        }
        assert!(tally.failures().all(|(_, n)| n == 0));
        tally.learn(Asked::Groups, &Verdict::Unknown("500".into()), None);
        assert_eq!(tally.failures().map(|(_, n)| n).sum::<u64>(), 1);
    }

    #[test]
    fn calls_are_counted_by_class_and_failures_by_reason() {
        let mut tally = Tally::new(["core", "graphql"]);
        for (asked, verdict) in [
            (Asked::Github, Verdict::Done),
            (Asked::Github, Verdict::Unknown("502".into())),
            (Asked::Graphql, Verdict::Wait(std::time::Duration::ZERO)),
            (Asked::Github, Verdict::Missing),
        ] {
            tally.ask(asked);
            tally.learn(asked, &verdict, None);
        }
        let calls: Vec<_> = tally.classes().map(|(name, calls, _)| (name, calls)).collect();
        assert_eq!(calls, [("core", 3), ("graphql", 1)]);
        let failures: Vec<_> = tally.failures().filter(|(_, n)| *n > 0).collect();
        assert_eq!(failures, [("unanswered", 1), ("limited", 1)]);
        assert_eq!(tally.counts(), (4, 1));
    }

    #[test]
    fn within_a_window_the_least_that_was_told_counts() {
        let mut tally = Tally::new(["read", "write"]);
        let mut left = |remaining, reset| {
            tally.learn(Asked::Sentry, &Verdict::Done, Some(Told { limit: 40, remaining, reset }));
            tally.classes().next().and_then(|(_, _, budget)| budget).map(|budget| budget.remaining)
        };
        assert_eq!([left(9, 100), left(12, 100), left(8, 100)], [Some(9), Some(9), Some(8)]);
        assert_eq!([left(30, 101), left(1, 100)], [Some(30), Some(30)]);
    }

    #[test]
    fn a_window_that_is_over_leaves_everything() {
        let told = Told { limit: 40, remaining: 3, reset: 100 };
        let mut tally = Tally::new(["read", "write"]);
        tally.learn(Asked::AddMember, &Verdict::Done, Some(told));
        let budget = tally.classes().find_map(|(name, _, budget)| Some((name, budget?))).unwrap();
        assert_eq!(
            (budget.0, budget.1.left(Timestamp(99_999)), budget.1.left(Timestamp(100_000))),
            ("write", 3, 40)
        );
    }
}
