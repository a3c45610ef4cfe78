//! Takes jobs out of the lanes, carries them out, and settles the deliveries that asked for them.

pub mod apply;
pub mod batch;
pub mod decision;
pub mod faults;
pub mod guard;
pub mod hold;
pub mod link_step;
pub mod mirror;
pub mod organisation;
pub mod owners;
pub mod pause;
pub mod readiness;
pub mod step;
pub mod trouble;
pub mod truth;
pub mod undo;

mod bind;
mod come_back;
mod end;
mod link;
mod members;
mod nameless;
mod org;
mod part;
mod people;
mod person;
mod team;
pub mod team_job;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Duration;

use crate::queue::job::{Hint, LaneKey, Origin, Outcome};
use crate::queue::lanes::{Job, LONGEST_PAUSE};
use crate::state::holds::HoldName;
use crate::state::ids::{GithubTeamId, Seq};
use crate::state::record::Record;
use crate::state::values::{Delivery, Mode, Settled};
use crate::state::{notes, Org};
use crate::store::audit::Entry;
use crate::text::Quoted;
use crate::work::mirror::Mirror;

/// GitHub is read again after this time if it doesn't show an event's change yet: one of its replicas may lag.
const SECOND_LOOK: Duration = Duration::from_secs(15);
/// A hint that was put off this often, for whatever reason, fails for good if its job panics.
const MOST_PANICS: u32 = 5;
/// The shortest and longest wait between two checks whether a pause is over: it may end early.
const LEAST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(1);
/// The longest note in the journal, in characters.
const NOTE: usize = 300;

/// The result of a job: an outcome for each hint, and how long the whole lane has to rest.
#[derive(Debug, Default)]
pub struct Ended {
    /// The job's hints with their outcomes, except hints that live on in their parts.
    pub results: Vec<(Hint, Outcome)>,
    /// How long the lane rests, if some trouble concerned all hints.
    pub pause: Option<Duration>,
}

/// A worker's loop: runs jobs until the lanes are stopped.
pub fn run(mirror: &Mirror) {
    while step(mirror) {}
}

/// Waits until no pause is in force, then takes a job and does it. `false` when the lanes are stopped.
pub fn step(mirror: &Mirror) -> bool {
    let lanes = &mirror.queue.lanes;
    let pause = || Some(mirror.paused_for()?.0.clamp(LEAST_REST, LONGEST_REST));
    if pause().is_some() {
        lanes.wait_out(pause);
    }
    let Some(job) = lanes.take() else { return false };
    let ticket = job.ticket();
    // A pause may have begun while this worker waited for the job.
    let (left, pause) = match mirror.paused_for() {
        Some(_) => (job.hints, None),
        None => settle(mirror, carry_out(mirror, job)),
    };
    lanes.finish(ticket, left, pause);
    true
}

/// Runs a job. A panic only puts its hints off: the process and the deliveries survive.
fn carry_out(mirror: &Mirror, job: Job) -> Ended {
    let (key, hints) = (job.key, job.hints);
    let spare = hints.clone();
    catch_unwind(AssertUnwindSafe(|| dispatch(mirror, key, hints))).unwrap_or_else(|_| {
        let outcome = |hint: &Hint| match hint.tries {
            MOST_PANICS.. => Outcome::Failed("an internal error, see the log: please report it".into()),
            _ => Outcome::Later("an internal error, see the log".into(), None),
        };
        each(spare, |hint| Some(outcome(hint)))
    })
}

fn dispatch(mirror: &Mirror, key: LaneKey, hints: Vec<Hint>) -> Ended {
    let Some((org, mode)) = mirror.bearings() else {
        let why = "the organisation or the token's permission is not known yet";
        return all(hints, &Outcome::Later(why.into(), None));
    };
    match key {
        LaneKey::Team(team) => of_team(mirror, team, hints, org, mode),
        LaneKey::Person(_) => each(hints, |hint| person::run(mirror, hint, &org, mode)),
        LaneKey::Org => each(hints, |hint| org::run(mirror, hint, &org, mode)),
    }
}

fn of_team(mirror: &Mirror, team: GithubTeamId, hints: Vec<Hint>, org: Org, mode: Mode) -> Ended {
    if hints.iter().all(Hint::is_low) {
        return each(hints, |hint| Some(part::run(mirror, team, hint, &org, mode)));
    }
    // Callers that add such hints check this too. The check here covers those that forget it.
    let early = |hint: &Hint| hint.is_unasked() && mirror.waits_to_begin();
    let (early, hints): (Vec<_>, Vec<_>) = hints.into_iter().partition(early);
    let mut ended = all(early, &Outcome::Done("the first comparison is not approved yet".into()));
    let (undone, hints): (Vec<_>, Vec<_>) = hints.into_iter().partition(|hint| hint.undo().is_some());
    if !hints.is_empty() {
        let worked = team::run(mirror, team, hints, org.clone(), mode);
        ended.results.extend(worked.results);
        ended.pause = worked.pause;
    }
    let undone = each(undone, |hint| Some(undo::run(mirror, team, hint, hint.undo()?, &org, mode)));
    ended.results.extend(undone.results);
    ended
}

fn all(hints: Vec<Hint>, outcome: &Outcome) -> Ended {
    Ended { results: hints.into_iter().map(|hint| (hint, outcome.clone())).collect(), pause: None }
}

fn each(hints: impl IntoIterator<Item = Hint>, mut work: impl FnMut(&Hint) -> Option<Outcome>) -> Ended {
    let mut ended = Ended::default();
    for hint in hints {
        // A hint without an outcome lives on in its parts.
        if let Some(outcome) = work(&hint) {
            ended.results.push((hint, outcome));
        }
    }
    ended
}

/// Records the hints that are finished, and returns those that go back into the lane, with the lane's pause.
fn settle(mirror: &Mirror, ended: Ended) -> (Vec<Hint>, Option<Duration>) {
    let mut left = Vec::new();
    let mut pause = ended.pause;
    for (hint, outcome) in ended.results {
        tell(&hint, &outcome);
        if let Some((hint, wait)) = settle_one(mirror, hint, outcome) {
            // If the same trouble put off several hints, the lane rests for the longest of their waits.
            pause = pause.map(|pause| pause.max(wait));
            left.push(hint);
        }
    }
    (left, pause)
}

fn settle_one(mirror: &Mirror, mut hint: Hint, outcome: Outcome) -> Option<(Hint, Duration)> {
    let now = mirror.clock.now();
    if let Outcome::Later(why, _) | Outcome::LookAgain(why, _) | Outcome::Waiting(why) = &outcome {
        hint.put_off(why, mirror.clock.wall());
    }
    let ended = match outcome {
        Outcome::Done(note) => Ok((Settled::Done, None, note)),
        Outcome::Superseded(note) => Ok((Settled::Superseded, None, note)),
        Outcome::Held(hold, note) => Ok((Settled::Held, Some(hold), note)),
        Outcome::Failed(why) => Err(why),
        Outcome::Later(_, wait) => {
            hint.tries += 1;
            hint.patient = false;
            let wait = wait.unwrap_or_else(|| backoff(hint.tries, hint.seq)).min(LONGEST_PAUSE);
            hint.due = now + wait;
            return Some((hint, wait));
        }
        Outcome::LookAgain(_, wait) => {
            hint.looks += 1;
            hint.tries = 0;
            hint.patient = true;
            hint.due = now + wait;
            return Some((hint, Duration::ZERO));
        }
        Outcome::GoOn => {
            hint.tries = 0;
            hint.put_off = None;
            hint.due = now;
            return Some((hint, Duration::ZERO));
        }
        Outcome::Waiting(_) => {
            // It is woken earlier, when its reason to wait ends.
            hint.patient = false;
            hint.due = now + LONGEST_PAUSE;
            return Some((hint, Duration::ZERO));
        }
    };
    match hint.origin {
        Origin::Delivery(delivery) => record(mirror, &delivery, ended),
        Origin::Part(whole) => {
            let note = ended.map(|(_, _, note)| note);
            if let Some(note) = whole.part_ended(note) {
                record(mirror, whole.delivery(), note.map(|note| (Settled::Done, None, note)));
            }
        }
        Origin::Own(_) => {}
    }
    None
}

fn record(mirror: &Mirror, delivery: &Delivery, ended: Result<(Settled, Option<HoldName>, String), String>) {
    let (seq, at) = (delivery.seq, mirror.clock.wall());
    let outcome = ended.as_ref().map(|(how, ..)| *how).map_err(drop);
    mirror.outcomes.count(delivery.event.name(), outcome);
    if outcome.is_err() {
        mirror.hours.failed(at);
    }
    if mirror.queue.replays.take(seq) {
        let (word, note) = match &ended {
            Ok((Settled::Done, _, note)) => ("done", note),
            Ok((Settled::Superseded, _, note)) => ("superseded", note),
            Ok((Settled::Held, _, note)) => ("held", note),
            Err(why) => ("failed", why),
        };
        let (event, team) = (delivery.event.name(), delivery.event.team().map(|team| team.id));
        let delivery = Some(delivery.guid.clone());
        let entry = Entry { delivery, event, decision: "end replay", team, ..Entry::default() };
        mirror.audit.write(entry.because(format!("{word}: {note}")));
    }
    let short = |text: String| notes::short(&text, NOTE).into();
    mirror.journal.note(match ended {
        Ok((how, hold, note)) => Record::Settled { seqs: vec![seq], how, note: short(note), hold, at },
        Err(why) => Record::Failed { seq, why: short(why), at },
    });
}

/// 1, 2, 4 … 300 seconds, reduced by up to 24% depending on the hint, so that many lanes don't retry all at once.
fn backoff(tries: u32, seq: Seq) -> Duration {
    let full = Duration::from_secs(1 << tries.saturating_sub(1).min(9)).min(LONGEST_PAUSE);
    let spread = (seq.0.wrapping_mul(0x9e37_79b9) >> 7) % 25;
    full - full * spread as u32 / 100
}

/// Logs one line per outcome. A hint that is put off is a warning the first time, and a debug line after that.
fn tell(hint: &Hint, outcome: &Outcome) {
    let (level, word, text) = match outcome {
        // The comparison logs one line for all its shares, and the audit log has one for each change.
        Outcome::Done(note) if hint.is_low() => (log::Level::Debug, "done", note),
        Outcome::Done(note) => (log::Level::Info, "done", note),
        Outcome::Superseded(note) => (log::Level::Info, "superseded", note),
        Outcome::Held(_, note) => (log::Level::Warn, "held", note),
        Outcome::Failed(why) => (log::Level::Error, "failed", why),
        Outcome::Later(why, _) if hint.tries == 0 => (log::Level::Warn, "later", why),
        Outcome::Later(why, _) => (log::Level::Debug, "later", why),
        Outcome::LookAgain(why, _) => (log::Level::Debug, "look again", why),
        Outcome::Waiting(why) => (log::Level::Info, "waiting", why),
        Outcome::GoOn => return,
    };
    let delivery = hint.delivery().map_or("-", |delivery| &delivery.guid);
    let event = hint.event_name();
    say!(level, "delivery={delivery} event=\"{event}\" outcome=\"{word}\" note={}", Quoted(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_at_most_five_minutes_apart_and_do_not_come_back_at_once() {
        let waits: Vec<_> = (1..=12).map(|tries| backoff(tries, Seq(0)).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        let spread: std::collections::BTreeSet<_> = (0..50).map(|seq| backoff(9, Seq(seq))).collect();
        assert!(spread.len() > 10);
        let (least, most) = (Duration::from_secs(190), Duration::from_secs(256));
        assert!(spread.iter().all(|wait| (least..=most).contains(wait)));
    }
}
