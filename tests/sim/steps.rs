//! What may happen in a sequence: a list of steps, each with a number from which all its draws follow. Whatever is left out
//! of a list, the others stay what they are.

use std::fmt;

use super::draw::Draw;

/// What happens in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Something changes on GitHub, and it tells of it.
    Change,
    /// Somebody whom Sentry did not know appears there.
    Appear,
    /// Somebody is put into a Sentry team by hand.
    Visit,
    /// A Sentry team owns a project from now on.
    OwnProject,
    /// A Sentry team gets another slug by hand.
    RenameByHand,
    /// Both sites begin or cease to fail.
    Faults,
    /// GitHub's replicas lag, or no longer.
    Lag,
    /// GitHub's lists have gaps.
    Gaps,
    /// An end of a team is told that never was.
    FalseEnd,
    /// Calls take longer, or a site is not to be reached.
    Network,
    /// The disk is full, read-only, or fails to sync.
    Disk,
    /// The clock on the wall is set.
    Clock,
    /// Somebody asks for a comparison.
    Compare,
    /// Somebody asks how things are.
    Ask,
    Approve,
    Reject,
    /// Somebody stops all writes, or allows them again.
    Pause,
    /// What has failed is looked at again.
    Replay,
    /// Somebody asks what could be brought back.
    Undo,
    /// The process dies, now or at some seam to come.
    Die,
    /// The process ends in order, and begins again.
    Restart,
    /// The configuration is read again.
    Reload,
    /// A site refuses some calls: its token, a policy, a gateway on the way.
    Refusal,
    /// Nothing happens, for a while.
    Wait,
}

impl Kind {
    /// Whether both sides are equal after it without a comparison, if all that GitHub tells arrives.
    pub fn leaves_what_is_heard(self) -> bool {
        use Kind::{Ask, Change, Clock, Faults, Lag, Network, Refusal, Wait};
        matches!(self, Change | Ask | Wait | Faults | Lag | Network | Clock | Refusal)
    }
}

/// How often each happens, beside the others.
const WEIGHTS: [(Kind, u64); 24] = [
    (Kind::Change, 420),
    (Kind::Appear, 40),
    (Kind::Visit, 30),
    (Kind::OwnProject, 30),
    (Kind::RenameByHand, 40),
    (Kind::Faults, 60),
    (Kind::Lag, 40),
    (Kind::Gaps, 30),
    (Kind::FalseEnd, 12),
    (Kind::Network, 45),
    (Kind::Disk, 45),
    (Kind::Clock, 20),
    (Kind::Compare, 75),
    (Kind::Ask, 30),
    (Kind::Approve, 30),
    (Kind::Reject, 12),
    (Kind::Pause, 24),
    (Kind::Replay, 10),
    (Kind::Undo, 12),
    (Kind::Die, 90),
    (Kind::Restart, 20),
    (Kind::Reload, 15),
    (Kind::Refusal, 190),
    (Kind::Wait, 60),
];

/// All that may happen.
pub fn kinds() -> impl Iterator<Item = Kind> {
    WEIGHTS.into_iter().map(|(kind, _)| kind)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub kind: Kind,
    /// What its draws follow from.
    pub number: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.number)
    }
}

impl Step {
    pub fn parse(line: &str) -> Option<Self> {
        let (kind, number) = line.split_once(' ')?;
        let (kind, _) = WEIGHTS.into_iter().find(|(known, _)| format!("{known:?}") == kind)?;
        Some(Self { kind, number: number.parse().ok()? })
    }
}

/// The steps of a seed.
pub fn of_seed(seed: u64) -> Vec<Step> {
    let mut draw = Draw::of(seed, 0, 1);
    let n = 6 + draw.below(13);
    (1..=n).map(|number| Step { kind: kind(&mut draw), number }).collect()
}

fn kind(draw: &mut Draw) -> Kind {
    let all: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut at = draw.below(all);
    for (kind, weight) in WEIGHTS {
        if at < weight {
            return kind;
        }
        at -= weight;
    }
    Kind::Change
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_as_it_is_written() {
        for step in of_seed(7) {
            assert_eq!(Step::parse(&step.to_string()), Some(step));
        }
    }
}
