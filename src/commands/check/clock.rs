//! Compares the local clock with the hosts' clocks. Pure.
//!
//! Expiry, holds and rate limits depend on clocks, so a wrong clock shows up as some other problem.

use std::time::Duration;

use super::finding::{Area, Finding};
use crate::clock::{short, Timestamp};

/// Differences up to this are ignored: `Date` has whole seconds, and an answer takes a moment to arrive.
const BLUR: Duration = Duration::from_secs(2);
/// A larger difference is a warning.
const WARN: Duration = Duration::from_secs(30);
/// A larger difference is a failure.
const FAIL: Duration = Duration::from_secs(300);

/// A host's `Date`, and the local time at which its answer arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub there: Timestamp,
    pub here: Timestamp,
}

pub(super) fn look(host: &str, moment: Option<Moment>) -> Option<Finding> {
    let Moment { there, here } = moment?;
    let (apart, word) =
        if here >= there { (here.since(there), "ahead of") } else { (there.since(here), "behind") };
    if apart <= BLUR {
        return Some(Area::Clock.ok(format!("the local clock agrees with {host}'s")));
    }
    let what = format!("the local clock is {} {word} {host}'s", short(apart));
    let fix = "synchronise the clock: run `timedatectl set-ntp true`, or install chrony";
    Some(match apart {
        _ if apart > FAIL => Area::Clock.failed(what, fix),
        _ if apart > WARN => Area::Clock.warning(what, fix),
        _ => Area::Clock.ok(what),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::finding::Level;

    #[test]
    fn a_clock_that_is_apart_is_told_by_how_much_and_which_way() {
        let at = |secs: i64| {
            let there = Timestamp::from_secs(1_000_000);
            let here = Timestamp::from_secs(1_000_000u64.saturating_add_signed(secs));
            let finding = look("GitHub", Some(Moment { there, here })).unwrap();
            (finding.level, finding.what)
        };
        assert_eq!(at(1), (Level::Ok, "the local clock agrees with GitHub's".into()));
        assert_eq!(at(30).0, Level::Ok);
        assert_eq!(at(31), (Level::Warning, "the local clock is 31s ahead of GitHub's".into()));
        assert_eq!(at(-300).0, Level::Warning);
        assert_eq!(at(-301), (Level::Failed, "the local clock is 5m behind GitHub's".into()));
        assert_eq!(look("GitHub", None), None);
    }
}
