//! How long GitHub has shown a list incompletely, and how long somebody has stayed in a team because of it. Kept in
//! memory: after a restart, the time is counted from the next comparison.

use std::time::Duration;

use super::plan::{Incomplete, LeftIn, Plan};
use crate::clock::Timestamp;
use crate::hosts::snapshot::List;
use crate::lock::Mutex;
use crate::state::ids::{GithubTeamId, MemberId};
use crate::state::sorted::Map;

/// A list that has been incomplete for this long is reported as a lasting problem.
pub const LASTING: Duration = Duration::from_secs(24 * 3600);

/// Everything that comparisons have found incomplete since the start.
#[derive(Debug, Default)]
pub struct Incompleteness(Mutex<Known>);

/// Everything that is incomplete now, each entry with the time when that began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The lists, as the last comparison found them.
    pub lists: Map<List, (Incomplete, Timestamp)>,
    /// People who stay in a team only because a list is incomplete.
    pub left_in: Map<(GithubTeamId, MemberId), (LeftIn, Timestamp)>,
}

impl Incompleteness {
    /// Records what a comparison has found.
    pub fn learn(&self, plan: &Plan, now: Timestamp) {
        self.0.lock().learn(plan, now);
    }

    pub fn known(&self) -> Known {
        self.0.lock().clone()
    }
}

impl Known {
    fn learn(&mut self, plan: &Plan, now: Timestamp) {
        let lists = plan.incomplete.iter().map(|entry| {
            let since = self.lists.get(&entry.list).map_or(now, |(_, since)| *since);
            (entry.list, (entry.clone(), since))
        });
        let lists = lists.collect();
        let left_in = plan.left_in.iter().map(|left| {
            let key = (left.team, left.removal.member);
            let since = self.left_in.get(&key).map_or(now, |(_, since)| *since);
            (key, (left.clone(), since))
        });
        *self = Self { left_in: left_in.collect(), lists };
    }

    /// Since when the oldest incomplete list has been incomplete.
    pub fn oldest_list(&self) -> Option<Timestamp> {
        self.lists.values().map(|(_, since)| *since).min()
    }

    /// Since when somebody has stayed in a team who would otherwise have been removed.
    pub fn oldest_left_in(&self) -> Option<Timestamp> {
        self.left_in.values().map(|(_, since)| *since).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::snapshot::Gap;
    use crate::queue::part::Removal;

    fn plan(lists: &[List], members: &[u64]) -> Plan {
        let gap = Gap { shown: 1, counted: None, nulls: 1 };
        let entry = |list: &List| Incomplete { list: *list, what: list.to_string(), gap };
        let left = |member: &u64| LeftIn {
            team: GithubTeamId(1),
            slug: "crew".into(),
            removal: Removal {
                user: None,
                who: "ana".into(),
                member: MemberId(*member),
                why: "left the GitHub team",
                held: None,
            },
            because: "why",
        };
        Plan {
            incomplete: lists.iter().map(entry).collect(),
            left_in: members.iter().map(left).collect(),
            ..Plan::default()
        }
    }

    #[test]
    fn what_stays_incomplete_keeps_its_beginning_and_what_is_whole_again_is_forgotten() {
        let open = Incompleteness::default();
        let crew = List::Members(GithubTeamId(1));
        open.learn(&plan(&[List::People], &[5]), Timestamp(10));
        open.learn(&plan(&[List::People, crew], &[5, 6]), Timestamp(20));
        let known = open.known();
        let since = |list| known.lists.get(list).unwrap().1;
        assert_eq!((since(&List::People), since(&crew)), (Timestamp(10), Timestamp(20)));
        assert_eq!((known.oldest_list(), known.oldest_left_in()), (Some(Timestamp(10)), Some(Timestamp(10))));
        open.learn(&plan(&[crew], &[6]), Timestamp(30));
        let known = open.known();
        assert_eq!((known.oldest_list(), known.oldest_left_in()), (Some(Timestamp(20)), Some(Timestamp(20))));
        open.learn(&plan(&[], &[]), Timestamp(40));
        assert_eq!(open.known(), Known::default());
        open.learn(&plan(&[crew], &[6]), Timestamp(50));
        assert_eq!(open.known().oldest_list(), Some(Timestamp(50)), "it was whole in between");
    }
}
