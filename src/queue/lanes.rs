//! Which worker does what, and when: one lane per team, person and organisation; serial within a lane, parallel across.
//!
//! A lane's hints are taken together as one job. A lane that is put off doesn't delay the others. This module doesn't
//! know what a job does, and keeps nothing across a restart, because the journal does.

mod entry;

use std::collections::{BTreeSet, HashMap};

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::lock::{Condvar, Mutex};
use crate::queue::job::{Hint, LaneKey};
use crate::state::ids::GithubTeamId;
pub use entry::Entry;

/// The longest time between two tries of a hint, and between two looks at a lane that waits for another.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);

#[derive(Default)]
pub struct Lanes {
    clock: Clock,
    inner: Mutex<Inner>,
    /// Where workers wait for a job.
    wake: Condvar,
    /// Where threads rest. It's separate, because a wake-up for a job must reach a worker.
    resting: Condvar,
}

#[derive(Default)]
struct Inner {
    lanes: HashMap<LaneKey, Lane>,
    /// Lanes with work and no worker on them, by the time of their first job.
    due: BTreeSet<(Instant, LaneKey)>,
    /// The same for comparison shares, which give way to all other work that can run. A lane may be in both.
    low: BTreeSet<(Instant, LaneKey)>,
    busy: usize,
    stopping: bool,
    /// When the one worker that watches the clock looks again. The others wait to be woken.
    watched: Option<Instant>,
    /// Whether a thread watches a pause for all others.
    pause_is_watched: bool,
    /// Counts each time that a team gave up a slug, or that everything put off was to be retried. If it has grown since
    /// a job began, the reason to put the job off may be gone.
    moves: u64,
    moved: HashMap<GithubTeamId, u64>,
    /// The count at the last retry of everything.
    begun_anew: u64,
    /// Whether any lane may wait for another.
    somebody_waits: bool,
}

#[derive(Default)]
struct Lane {
    hints: Vec<Hint>,
    busy: bool,
    /// The hints of the job under way.
    at_work: Vec<Entry>,
    /// Its entries in `due` and `low`.
    scheduled: Dues,
    /// After a failure of the whole lane: nothing runs before this.
    not_before: Option<Instant>,
    /// The team whose slug this one waits for.
    waits_on: Option<GithubTeamId>,
}

/// When a lane's urgent work can run (events, and what follows from them), and when a comparison's share can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dues {
    first: Option<Instant>,
    low: Option<Instant>,
}

/// Hints that one worker took from one lane.
pub struct Job {
    pub key: LaneKey,
    /// The hints, sorted by delivery number.
    pub hints: Vec<Hint>,
    moves: u64,
}

/// How much work there is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Hints in all lanes, including those being worked on.
    pub hints: usize,
    /// Lanes being worked on.
    pub busy: usize,
}

impl Lane {
    /// A comparison's share waits for hints that can run now, but not for hints that are put off: a team may wait for a
    /// slug for ever, and its people must be checked meanwhile.
    fn dues(&self) -> Dues {
        let of = |low: bool| {
            let first = self.hints.iter().filter(|hint| hint.is_low() == low).map(|hint| hint.due).min()?;
            Some(first.max(self.not_before.unwrap_or(first)))
        };
        Dues { first: of(false), low: of(true) }
    }

    /// Takes the hints that can run now, and those that lose nothing by running with them: hints that are only put off
    /// after a failure, and older ones about the same person, which the newer one decides.
    fn take(&mut self, now: Instant) -> Vec<Hint> {
        let newest_due = |hint: &Hint| {
            self.hints.iter().any(|due| due.due <= now && due.user() == hint.user() && due.seq > hint.seq)
        };
        let low = !self.hints.iter().any(|hint| !hint.is_low() && hint.due <= now);
        let comes = |hint: &Hint| {
            let due = hint.due <= now || !hint.patient || (hint.user().is_some() && newest_due(hint));
            hint.is_low() == low && due
        };
        let taken: Vec<bool> = self.hints.iter().map(comes).collect();
        let mut taken = taken.into_iter();
        let (mut job, stay) =
            std::mem::take(&mut self.hints).into_iter().partition(|_| taken.next() == Some(true));
        self.hints = stay;
        job_order(&mut job);
        job
    }
}

fn job_order(hints: &mut [Hint]) {
    hints.sort_by_key(|hint| hint.seq);
}

impl Inner {
    /// Enters a lane into `due` and `low` by its times; removes it if it's empty.
    fn schedule(&mut self, key: LaneKey) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        let Dues { first, low } = std::mem::take(&mut lane.scheduled);
        first.map(|at| self.due.remove(&(at, key)));
        low.map(|at| self.low.remove(&(at, key)));
        if lane.busy {
            return;
        }
        let dues = lane.dues();
        if dues == Dues::default() {
            self.lanes.remove(&key);
            return;
        }
        lane.scheduled = dues;
        self.due.extend(dues.first.map(|at| (at, key)));
        self.low.extend(dues.low.map(|at| (at, key)));
    }

    fn wake_now(&mut self, key: LaneKey, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.not_before = None;
            lane.hints.iter_mut().filter(|hint| !hint.patient).for_each(|hint| hint.due = hint.due.min(now));
            self.schedule(key);
        }
    }
}

impl Lanes {
    pub fn new(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Puts a hint into its lane. One look is enough, however often the service asks for it while it cannot be done.
    pub fn add(&self, key: LaneKey, hint: Hint) {
        let mut inner = self.inner.lock();
        let lane = inner.lanes.entry(key).or_default();
        if hint.own_look().is_some() && lane.hints.iter().any(|other| other.own_look() == hint.own_look()) {
            return;
        }
        let due = hint.due.max(lane.not_before.unwrap_or(hint.due));
        let scheduled = if hint.is_low() { lane.scheduled.low } else { lane.scheduled.first };
        lane.hints.push(hint);
        // Only a hint that is now the first changes the schedule: a lane may hold tens of thousands.
        if scheduled.is_none_or(|at| due < at) {
            inner.schedule(key);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// The next job; waits until there is one. `None` when the process stops.
    pub fn take(&self) -> Option<Job> {
        let mut inner = self.inner.lock();
        loop {
            if inner.stopping {
                return None;
            }
            let now = self.clock.now();
            let until = |set: &BTreeSet<(Instant, LaneKey)>| {
                set.first().map(|(at, _)| at.saturating_duration_since(now))
            };
            let wait = until(&inner.due).into_iter().chain(until(&inner.low)).min().unwrap_or(LONGEST_PAUSE);
            if wait.is_zero() {
                let job = inner.start(now);
                // A wake-up reaches one worker, which wakes the next.
                if !inner.due.is_empty() || !inner.low.is_empty() {
                    self.wake.notify_one();
                }
                return job;
            }
            // Only one worker watches the clock. Otherwise all would wake up for one job.
            let until = now + wait;
            if inner.watched.is_some_and(|at| at <= until) {
                inner = self.wake.wait(inner);
                continue;
            }
            inner.watched = Some(until);
            inner = self.wake.wait_timeout(inner, wait);
            if inner.watched == Some(until) {
                inner.watched = None;
            }
        }
    }

    /// Ends a job. `left` goes back into its lane, which rests as a whole if there's a `pause`.
    pub fn finish(&self, job: (LaneKey, u64), left: Vec<Hint>, pause: Option<Duration>) {
        let (key, moves) = job;
        let now = self.clock.now();
        let mut inner = self.inner.lock();
        inner.busy -= 1;
        if let Some(lane) = inner.lanes.get_mut(&key) {
            lane.busy = false;
            lane.at_work.clear();
            lane.not_before = pause.map(|pause| now + pause);
            lane.hints.extend(left);
            let waits_on = lane.waits_on;
            inner.schedule(key);
            // Since the job's look, the slug's owner may have given it up, or a token may have been replaced.
            let is_over = |at: &u64| *at > moves;
            if is_over(&inner.begun_anew)
                || waits_on.and_then(|team| inner.moved.get(&team)).is_some_and(is_over)
            {
                inner.wake_now(key, now);
            }
        }
        if inner.busy == 0 {
            inner.moved.clear();
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Notes that `team` waits for a slug of `on`. Returns whether that closes a circle of waiting teams. The team that
    /// closes it must break it. There's exactly one, because noting and checking are one step.
    pub fn wait_for(&self, team: GithubTeamId, on: GithubTeamId) -> bool {
        let mut inner = self.inner.lock();
        if let Some(lane) = inner.lanes.get_mut(&LaneKey::Team(team)) {
            lane.waits_on = Some(on);
            inner.somebody_waits = true;
        }
        let mut at = on;
        for _ in 0..=inner.lanes.len() {
            if at == team {
                return true;
            }
            match inner.lanes.get(&LaneKey::Team(at)).and_then(|lane| lane.waits_on) {
                Some(next) => at = next,
                None => return false,
            }
        }
        false
    }

    /// A team gave up a slug, by a rename or its end. Teams that wait for it are tried now.
    pub fn moved(&self, team: GithubTeamId) {
        let now = self.clock.now();
        let mut inner = self.inner.lock();
        inner.moves += 1;
        let moves = inner.moves;
        inner.moved.insert(team, moves);
        // Ten thousand comparison shares end one after another, and usually no team waits.
        if !inner.somebody_waits {
            return;
        }
        let waiting: Vec<_> = inner
            .lanes
            .iter()
            .filter(|(_, lane)| lane.waits_on == Some(team) && !lane.busy)
            .map(|(key, _)| *key)
            .collect();
        inner.somebody_waits = inner.lanes.values().any(|lane| lane.waits_on.is_some());
        waiting.into_iter().for_each(|key| inner.wake_now(key, now));
        drop(inner);
        self.wake.notify_one();
    }

    /// A comparison gave a team the slug that it waits for. What is put off in its lane is tried now.
    pub fn has_its_slug(&self, team: GithubTeamId) {
        let mut inner = self.inner.lock();
        if let Some(lane) = inner.lanes.get_mut(&LaneKey::Team(team)).filter(|lane| lane.waits_on.is_some()) {
            lane.waits_on = None;
            inner.wake_now(LaneKey::Team(team), self.clock.now());
        }
    }

    /// Retries what is put off after a failure: a host that refused the token has another one now.
    pub fn begin_anew(&self) {
        let now = self.clock.now();
        let mut inner = self.inner.lock();
        inner.moves += 1;
        inner.begun_anew = inner.moves;
        let put_off: Vec<_> =
            inner.lanes.iter().filter(|(_, lane)| !lane.busy).map(|(key, _)| *key).collect();
        put_off.into_iter().for_each(|key| inner.wake_now(key, now));
        drop(inner);
        self.wake.notify_one();
    }

    /// Sleeps for `wait`, or until the process stops.
    pub fn rest(&self, wait: Duration) {
        drop(self.resting.wait_timeout_while(self.inner.lock(), wait, |inner| !inner.stopping));
    }

    /// Waits out a pause. `left` says how long to wait before the next look. One thread looks for all that wait.
    pub fn wait_out(&self, left: impl Fn() -> Option<Duration>) {
        let mut inner = self.inner.lock();
        if inner.pause_is_watched {
            drop(self.resting.wait_while(inner, |inner| inner.pause_is_watched && !inner.stopping));
            return;
        }
        inner.pause_is_watched = true;
        drop(inner);
        let _watch = PauseWatch(self);
        while let Some(wait) = left().filter(|_| !self.is_stopping()) {
            self.rest(wait);
        }
    }

    /// Gives out no more jobs, and wakes all waiting threads.
    pub fn stop(&self) {
        self.inner.lock().stopping = true;
        self.wake.notify_all();
        self.resting.notify_all();
    }

    pub fn is_stopping(&self) -> bool {
        self.inner.lock().stopping
    }

    pub fn counts(&self) -> Counts {
        let inner = self.inner.lock();
        let hints = inner.lanes.values().map(|lane| lane.hints.len() + lane.at_work.len()).sum();
        Counts { hints, busy: inner.busy }
    }

    /// The teams that wait for another team's slug, each with that team, sorted.
    pub fn waits(&self) -> Vec<(GithubTeamId, GithubTeamId)> {
        let inner = self.inner.lock();
        let mut waits: Vec<_> = inner
            .lanes
            .iter()
            .filter_map(|(key, lane)| match (key, lane.waits_on) {
                (LaneKey::Team(team), Some(on)) if !lane.busy => Some((*team, on)),
                _ => None,
            })
            .collect();
        waits.sort();
        waits
    }
}

impl Inner {
    fn start(&mut self, now: Instant) -> Option<Job> {
        let is_due = |first: Option<&(Instant, LaneKey)>| first.filter(|(at, _)| *at <= now).copied();
        let entry = is_due(self.due.first()).or(is_due(self.low.first()))?;
        let (_, key) = entry;
        let moves = self.moves;
        let lane = self.lanes.get_mut(&key)?;
        lane.busy = true;
        let hints = lane.take(now);
        lane.not_before = None;
        // A team keeps waiting for a slug while a comparison's share looks at its people.
        if !hints.iter().all(Hint::is_low) {
            lane.waits_on = None;
            // A comparison's share may be waiting for what this job does, so it's tried next.
            lane.hints.iter_mut().filter(|hint| hint.is_low()).for_each(|hint| hint.due = hint.due.min(now));
        }
        lane.at_work = hints.iter().map(|hint| Entry::of(key, hint, None)).collect();
        self.busy += 1;
        self.schedule(key);
        Some(Job { key, hints, moves })
    }
}

/// Held by the thread that watches a pause. Dropping it wakes the others, even after a panic.
struct PauseWatch<'a>(&'a Lanes);

impl Drop for PauseWatch<'_> {
    fn drop(&mut self) {
        self.0.inner.lock().pause_is_watched = false;
        self.0.resting.notify_all();
    }
}

impl Job {
    /// What [`Lanes::finish`] needs, for a caller that moves the hints out.
    pub fn ticket(&self) -> (LaneKey, u64) {
        (self.key, self.moves)
    }
}

#[cfg(test)]
mod tests;
