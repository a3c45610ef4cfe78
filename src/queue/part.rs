//! One team's share of a comparison: its tasks, one call at a time, and their results.
//!
//! Between two calls, other work can run. So an event waits for at most one call, and wins because it's newer than the
//! comparison.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::clock::Clock;
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::sentry::Team;
use crate::lock::{Condvar, Mutex};
use crate::state::holds::HoldName;
use crate::state::ids::{GithubSlug, GithubTeamId, GithubUserId, Login, MemberId, SentrySlug, Seq};
use crate::state::values::Source;

/// A GitHub team as Sentry should show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedTeam {
    pub slug: SentrySlug,
    /// Its name in Sentry; `None` if no change of the name is known.
    pub name: Option<String>,
    /// Whether it's older than this mirror, so that a Sentry team with its slug may be adopted.
    pub adoptable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Addition {
    pub user: GithubUserId,
    pub login: Login,
    pub member: MemberId,
    /// How they were matched.
    pub source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// The GitHub account, if one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<GithubUserId>,
    /// Its login when last seen, or the member's address.
    pub who: String,
    pub member: MemberId,
    pub why: &'static str,
    /// The hold, if a guard stops it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HoldName>,
}

/// A run without progress for this long no longer delays others: a team may wait for a slug that is never freed.
const STUCK: Duration = Duration::from_secs(600);

/// A Sentry team that was read longer ago is read again before a GitHub team is bound to it.
const FRESH: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Part {
    /// The latest delivery that every GitHub replica knew when the comparison began to read. Newer ones aren't
    /// contradicted.
    pub seq: Seq,
    /// The latest delivery when the comparison began to read.
    pub read: Seq,
    team: GithubTeamId,
    tasks: Vec<Task>,
    next: AtomicUsize,
    run: Arc<Run>,
}

/// One thing to do, with one call or two.
#[derive(Clone, Debug)]
pub enum Task {
    /// GitHub shows the team again: undo its end.
    Return,
    /// Its Sentry team wasn't in the list of all teams: look it up by its id, and follow or unbind it.
    FindAgain,
    /// Make the team exist, bound and named like this.
    Shape {
        /// Slug, name if it is to be changed, and whether it may be adopted.
        wanted: WantedTeam,
        full_name: String,
        /// The Sentry team to adopt, as it was read.
        shown: Option<Shown>,
    },
    /// Make the team's CODEOWNERS name refer to its Sentry team.
    Link {
        /// Its slug on GitHub.
        slug: GithubSlug,
        /// Sentry's rows for that name or that team.
        rows: Vec<ExternalTeam>,
    },
    Add(Addition),
    Remove(Removal),
    /// GitHub has deleted the team.
    End,
    /// All people were looked at.
    Filled,
}

/// A Sentry team as a comparison has read it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub team: Team,
    /// When the reading began.
    pub at: Instant,
}

impl Shown {
    /// Whether what was read `age` ago still counts. Not if a delivery about the GitHub team came since (`spoken_of`).
    pub fn is_fresh(age: Duration, spoken_of: bool) -> bool {
        age <= FRESH && !spoken_of
    }
}

/// What a finished task changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it was already so, or a newer delivery decided.
    Nothing,
    /// A team was bound to an existing Sentry team. Nothing changed in Sentry.
    Adopted,
    Written,
}

impl Effect {
    /// The effect of a call that may have found nothing to change.
    pub fn written(is_written: bool) -> Self {
        if is_written {
            Effect::Written
        } else {
            Effect::Nothing
        }
    }
}

impl Part {
    /// A team's share of a run.
    pub fn new(team: GithubTeamId, [seq, read]: [Seq; 2], tasks: Vec<Task>, run: Arc<Run>) -> Arc<Self> {
        let mut tally = run.tally.lock();
        tally.open += 1;
        tally.at_work.insert(team);
        tally.moved = Some(run.clock.now());
        drop(tally);
        Arc::new(Self { seq, read, team, tasks, next: AtomicUsize::new(0), run })
    }

    pub fn task(&self) -> Option<&Task> {
        self.tasks.get(self.next.load(Ordering::Relaxed))
    }

    /// All people to add, done or not.
    pub fn added(&self) -> Vec<GithubUserId> {
        let added = self.tasks.iter().filter_map(|task| match task {
            Task::Add(addition) => Some(addition.user),
            _ => None,
        });
        added.collect()
    }

    /// Ends the current task with its result. Returns whether it was the last.
    pub fn passed(&self, result: Result<Effect, String>) -> bool {
        let mut tally = self.run.tally.lock();
        tally.moved = Some(self.run.clock.now());
        match result {
            Ok(Effect::Written) => tally.written += 1,
            Ok(Effect::Adopted) => tally.adopted += 1,
            Ok(Effect::Nothing) => {}
            Err(why) => tally.failed.push(why),
        }
        drop(tally);
        self.next.fetch_add(1, Ordering::Relaxed) + 1 >= self.tasks.len()
    }

    /// Whether a newer comparison has taken its place.
    pub fn is_superseded(&self) -> bool {
        self.run.tally.lock().superseded
    }

    /// Nothing more of this share will ever be done.
    pub fn close(&self) {
        self.run.tally.lock().at_work.remove(&self.team);
    }

    /// Whether another team's share may still change something.
    pub fn may_wait_for(&self, other: GithubTeamId) -> bool {
        other != self.team && self.run.tally.lock().at_work.contains(&other)
    }

    /// Leaves one change to another comparison.
    pub fn leave(&self) {
        self.run.leave();
    }

    /// Notes why it was put off, for callers that wait for the run.
    pub fn put_off(&self, why: &str) {
        self.run.tally.lock().put_off = Some(why.into());
    }
}

impl Drop for Part {
    /// The last hint with this share is gone: it's done, or the team's end made it pointless.
    fn drop(&mut self) {
        self.close();
        let mut tally = self.run.tally.lock();
        tally.open = tally.open.saturating_sub(1);
        drop(tally);
        self.run.wake.notify_all();
    }
}

/// All parts of one comparison.
#[derive(Debug, Default)]
pub struct Run {
    clock: Clock,
    tally: Mutex<Tally>,
    wake: Condvar,
}

/// A run's progress.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub open: usize,
    /// Changes made in Sentry.
    pub written: usize,
    /// Teams that were bound to an existing Sentry team.
    pub adopted: usize,
    /// What cannot be done, and why.
    pub failed: Vec<String>,
    /// Changes left to another comparison: a recent delivery contradicts them, or something moved during the reading.
    pub left: usize,
    /// Why something was last put off.
    pub put_off: Option<String>,
    /// The teams whose shares aren't finished.
    at_work: BTreeSet<GithubTeamId>,
    /// When something was last done or handed out.
    moved: Option<Instant>,
    /// A newer comparison has taken its place.
    superseded: bool,
}

impl Tally {
    /// Whether shares are being worked on, or may be soon.
    pub fn is_under_way(&self, now: Instant) -> bool {
        self.open > 0 && self.moved.is_none_or(|at| now.saturating_duration_since(at) < STUCK)
    }
}

impl Run {
    /// A run without shares yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Leaves one change to another comparison.
    pub fn leave(&self) {
        self.tally.lock().left += 1;
    }

    /// Leaves the rest of it to another run.
    pub fn supersede(&self) {
        self.tally.lock().superseded = true;
    }

    pub fn tally(&self) -> Tally {
        self.tally.lock().clone()
    }

    /// Waits until every share is over, but not longer than `patience`. Returns the progress then.
    pub fn wait(&self, patience: Duration) -> Tally {
        let tally = self.tally.lock();
        self.wake.wait_timeout_while(tally, patience, |tally| tally.open > 0).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_believed_for_a_minute_and_until_somebody_speaks_of_it() {
        let fresh = |seconds, spoken_of| Shown::is_fresh(Duration::from_secs(seconds), spoken_of);
        assert_eq!(
            [fresh(0, false), fresh(60, false), fresh(61, false), fresh(0, true)],
            [true, true, false, false]
        );
    }

    #[test]
    fn a_run_is_waited_for_as_long_as_something_moves() {
        let run = Arc::new(Run::default());
        let now = Instant::now;
        assert!(!run.tally().is_under_way(now()));
        let part = Part::new(GithubTeamId(1), [Seq(1); 2], vec![Task::Filled, Task::Filled], run.clone());
        assert!(!part.passed(Ok(Effect::Written)) && run.tally().is_under_way(now()));
        assert!(!run.tally().is_under_way(now() + STUCK));
        assert!(!part.may_wait_for(GithubTeamId(1)) && !part.may_wait_for(GithubTeamId(2)));
        let other = Part::new(GithubTeamId(2), [Seq(1); 2], vec![Task::Filled], run.clone());
        assert!(part.may_wait_for(GithubTeamId(2)));
        other.close();
        assert!(!part.may_wait_for(GithubTeamId(2)));
        drop(other);
        run.supersede();
        assert!(part.is_superseded());
        drop(part);
        assert!(!run.tally().is_under_way(now()));
    }
}
