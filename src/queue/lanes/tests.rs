use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::queue::job::{Ask, Origin, Own};
use crate::queue::part::Part;
use crate::state::event::Person;
use crate::state::ids::{GithubUserId, Login, Seq};

pub(crate) const TEAM: LaneKey = LaneKey::Team(GithubTeamId(1));
pub(crate) const OTHER: LaneKey = LaneKey::Team(GithubTeamId(2));

pub(crate) fn hint(seq: u64, user: u64) -> Hint {
    let person = Person { id: GithubUserId(user), login: Login::from("x"), bot: false };
    Hint::new(
        Seq(seq),
        Origin::Own(Own::Reconcile),
        Ask::Member { person, change: None, sure: false },
        Instant::now(),
    )
}

fn part(seq: u64) -> Hint {
    Hint::new(
        Seq(seq),
        Origin::Own(Own::Reconcile),
        Ask::Part(Part::new(GithubTeamId(1), [Seq(seq); 2], vec![], Default::default())),
        Instant::now(),
    )
}

pub(crate) fn later(hint: Hint, patient: bool) -> Hint {
    Hint { due: Instant::now() + Duration::from_secs(100), patient, ..hint }
}

pub(crate) fn seqs(job: &Job) -> Vec<u64> {
    job.hints.iter().map(|hint| hint.seq.0).collect()
}

#[test]
fn hints_of_one_team_are_one_job_and_teams_are_worked_on_in_parallel() {
    let lanes = Lanes::default();
    for (key, seq) in [(TEAM, 2), (TEAM, 1), (OTHER, 3)] {
        lanes.add(key, hint(seq, seq));
    }
    let (one, two) = (lanes.take().unwrap(), lanes.take().unwrap());
    assert_eq!((one.key, seqs(&one)), (TEAM, vec![1, 2]));
    assert_eq!((two.key, seqs(&two)), (OTHER, vec![3]));
    // New hints wait until the lane is free again.
    lanes.add(TEAM, hint(4, 4));
    assert!(lanes.inner.lock().due.is_empty());
    lanes.finish(one.ticket(), vec![], None);
    assert_eq!(seqs(&lanes.take().unwrap()), [4]);
}

#[test]
fn what_is_worked_on_counts_until_it_is_finished() {
    let lanes = Lanes::default();
    lanes.add(TEAM, hint(1, 1));
    lanes.add(TEAM, hint(2, 2));
    let job = lanes.take().unwrap();
    lanes.add(TEAM, hint(3, 3));
    assert_eq!(lanes.counts(), Counts { hints: 3, busy: 1 });
    lanes.finish(job.ticket(), vec![hint(1, 1)], None);
    assert_eq!(lanes.counts(), Counts { hints: 2, busy: 0 });
    lanes.finish(lanes.take().unwrap().ticket(), vec![], None);
    assert_eq!(lanes.counts(), Counts { hints: 0, busy: 0 });
}

#[test]
fn a_second_look_waits_and_a_put_off_hint_comes_along() {
    let lanes = Lanes::default();
    lanes.add(TEAM, later(hint(1, 1), true));
    lanes.add(TEAM, later(hint(2, 2), false));
    lanes.add(TEAM, hint(3, 3));
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [2, 3]);
    lanes.finish(job.ticket(), vec![], None);
    assert_eq!(lanes.counts(), Counts { hints: 1, busy: 0 });
}

#[test]
fn a_comparisons_share_waits_for_what_is_due_and_not_for_what_is_put_off() {
    let lanes = Lanes::default();
    lanes.add(TEAM, part(9));
    lanes.add(TEAM, hint(1, 1));
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [1]);
    // It waits for a slug that may never be given up.
    lanes.wait_for(GithubTeamId(1), GithubTeamId(2));
    lanes.finish(job.ticket(), vec![later(hint(1, 1), false)], None);
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [9]);
    lanes.add(TEAM, hint(2, 2));
    lanes.finish(job.ticket(), job.hints, None);
    assert_eq!(lanes.waits(), [(GithubTeamId(1), GithubTeamId(2))]);
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [1, 2]);
    // A share that gets the team its slug ends the wait.
    lanes.wait_for(GithubTeamId(1), GithubTeamId(2));
    lanes.finish(job.ticket(), vec![later(hint(1, 1), false)], None);
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [9]);
    lanes.has_its_slug(GithubTeamId(1));
    lanes.finish(job.ticket(), job.hints, None);
    assert_eq!(lanes.waits(), []);
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [1]);
    lanes.finish(job.ticket(), vec![], None);
    assert_eq!(seqs(&lanes.take().unwrap()), [9]);
    assert!(lanes.inner.lock().due.is_empty() && lanes.inner.lock().low.is_empty());
}

#[test]
fn a_comparisons_share_that_was_put_off_follows_the_next_job_of_its_lane() {
    let lanes = Lanes::default();
    lanes.add(TEAM, later(part(9), false));
    lanes.add(TEAM, hint(1, 1));
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [1]);
    lanes.finish(job.ticket(), vec![], None);
    assert_eq!(seqs(&lanes.take().unwrap()), [9]);
}

#[test]
fn newer_news_on_the_same_person_take_the_older_hint_along() {
    let lanes = Lanes::default();
    lanes.add(TEAM, later(hint(1, 7), true));
    lanes.add(TEAM, later(hint(9, 8), true));
    lanes.add(TEAM, hint(3, 7));
    assert_eq!(seqs(&lanes.take().unwrap()), [1, 3]);
}

#[test]
fn trouble_of_a_whole_lane_puts_off_new_hints_too() {
    let lanes = Lanes::default();
    lanes.add(TEAM, hint(1, 1));
    let job = lanes.take().unwrap();
    let ticket = job.ticket();
    lanes.finish(ticket, job.hints, Some(Duration::from_secs(100)));
    lanes.add(TEAM, hint(2, 2));
    lanes.add(TEAM, part(3));
    assert!(lanes.inner.lock().low.first().unwrap().0 > Instant::now() + Duration::from_secs(50));
    let (at, _) = *lanes.inner.lock().due.first().unwrap();
    assert!(at > Instant::now() + Duration::from_secs(50));
}

#[test]
fn exactly_one_of_a_circle_of_waiting_teams_is_told_to_break_it() {
    let lanes = Lanes::default();
    let teams = [1, 2, 3].map(GithubTeamId);
    teams.iter().for_each(|team| lanes.add(LaneKey::Team(*team), hint(1, 1)));
    let jobs: Vec<_> = teams.iter().map(|_| lanes.take().unwrap()).collect();
    assert!(!lanes.wait_for(teams[0], teams[1]));
    assert!(!lanes.wait_for(teams[1], teams[2]));
    assert!(lanes.wait_for(teams[2], teams[0]));
    drop(jobs);
    // A team that starts to wait for a member of an existing circle doesn't close one.
    lanes.add(LaneKey::Team(GithubTeamId(4)), hint(1, 1));
    let _job = lanes.take();
    assert!(!lanes.wait_for(GithubTeamId(4), teams[0]));
}

#[test]
fn a_slug_given_up_wakes_whoever_waits_even_in_between() {
    let lanes = Lanes::default();
    lanes.add(TEAM, hint(1, 1));
    // The slug is given up after the wait was noted, while the lane is idle.
    let job = lanes.take().unwrap();
    lanes.wait_for(GithubTeamId(1), GithubTeamId(2));
    let ticket = job.ticket();
    lanes.finish(ticket, vec![later(hint(1, 1), false)], None);
    assert_eq!(lanes.waits(), [(GithubTeamId(1), GithubTeamId(2))]);
    lanes.moved(GithubTeamId(2));
    // The slug is given up while the job still runs.
    let job = lanes.take().unwrap();
    lanes.moved(GithubTeamId(2));
    lanes.wait_for(GithubTeamId(1), GithubTeamId(2));
    let ticket = job.ticket();
    lanes.finish(ticket, vec![later(hint(1, 1), false)], None);
    assert_eq!(seqs(&lanes.take().unwrap()), [1]);
}

#[test]
fn whoever_rests_takes_no_wake_up_from_a_worker() {
    let lanes = Lanes::default();
    let resting = || lanes.rest(Duration::from_secs(100));
    std::thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(resting)));
        let worker = scope.spawn(|| (0..50).filter_map(|_| lanes.take()).count());
        for seq in 0..50 {
            std::thread::sleep(Duration::from_millis(2));
            lanes.add(LaneKey::Team(GithubTeamId(seq)), hint(seq, 1));
        }
        assert_eq!(worker.join().unwrap(), 50);
        lanes.stop();
    });
}

#[test]
fn stopping_ends_waiting() {
    let lanes = Lanes::default();
    lanes.stop();
    assert!(lanes.take().is_none());
    lanes.rest(Duration::from_secs(100));
    lanes.wait_out(|| Some(Duration::from_secs(100)));
}

#[test]
fn one_looks_at_a_pause_for_all_also_after_a_panic() {
    let lanes = Lanes::default();
    let (looks, is_paused) = (AtomicUsize::new(0), AtomicBool::new(true));
    let left = || {
        looks.fetch_add(1, Ordering::SeqCst);
        is_paused.load(Ordering::SeqCst).then_some(Duration::from_millis(1))
    };
    let broken = || -> Option<Duration> { panic!("on purpose") };
    std::thread::scope(|scope| {
        assert!(scope.spawn(|| lanes.wait_out(broken)).join().is_err());
        let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| lanes.wait_out(left))).collect();
        while looks.load(Ordering::SeqCst) < 10 {
            std::thread::yield_now();
        }
        assert!(waiting.iter().all(|thread| !thread.is_finished()));
        is_paused.store(false, Ordering::SeqCst);
        waiting.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn all_workers_are_woken_for_as_many_jobs() {
    let lanes = Lanes::default();
    let together = std::sync::Barrier::new(9);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let job = lanes.take().unwrap();
                // The barrier opens only if each of the others has a job too.
                together.wait();
                lanes.finish(job.ticket(), Vec::new(), None);
            });
        }
        (0..8).for_each(|seq| lanes.add(LaneKey::Team(GithubTeamId(seq)), hint(seq, 1)));
        together.wait();
    });
}

#[test]
fn what_failed_is_tried_again_when_all_begins_anew_although_it_was_still_at_work() {
    let lanes = Lanes::default();
    lanes.add(TEAM, later(hint(1, 1), false));
    lanes.begin_anew();
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [1]);
    // The job meets the old token's refusal before this, and is put off after it.
    lanes.begin_anew();
    lanes.finish(job.ticket(), vec![later(hint(1, 1), false)], Some(Duration::from_secs(100)));
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [1]);
    // A second look, which waits on purpose for the host's lagging replicas, isn't brought forward.
    lanes.add(OTHER, later(hint(2, 2), true));
    lanes.begin_anew();
    lanes.finish(job.ticket(), Vec::new(), None);
    lanes.add(TEAM, hint(3, 3));
    assert_eq!(seqs(&lanes.take().unwrap()), [3]);
    assert_eq!(lanes.counts(), Counts { hints: 2, busy: 1 });
}

#[test]
fn a_look_of_the_services_own_waits_once_and_a_decision_each_time() {
    let lanes = Lanes::default();
    let look = |seq, why| Hint::new(Seq(seq), Origin::Own(why), Ask::Team, Instant::now());
    for (seq, why) in [(1, Own::DisputedSlug), (2, Own::DisputedSlug), (3, Own::SlugIsWanted)] {
        lanes.add(TEAM, look(seq, why));
    }
    lanes.add(TEAM, look(4, Own::Decision));
    lanes.add(TEAM, look(5, Own::Decision));
    let job = lanes.take().unwrap();
    assert_eq!(seqs(&job), [1, 3, 4, 5]);
    // While it is being done, something may have changed since it began.
    lanes.add(TEAM, look(6, Own::DisputedSlug));
    lanes.finish(job.ticket(), Vec::new(), None);
    assert_eq!(seqs(&lanes.take().unwrap()), [6]);
}
