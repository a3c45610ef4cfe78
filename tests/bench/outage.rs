//! A day without Sentry and GitHub: what waiting deliveries cost, how often a host that is down is asked, how long a
//! start with them takes, and how fast they are caught up with.

use std::time::{Duration, Instant};

use crate::compare::resident_now;
use crate::load::Load;
use crate::standin::{Delivery, Events, GithubTeam, Reach};
use crate::table::Table;
use crate::world::{Truth, World, SECRET};

/// How much is kept waiting: teams, and people in each.
const TEAMS: usize = 250;
const EACH: usize = 200;

/// What it came to.
struct Outage {
    /// Resident memory after the start, with all waiting, and after a start with twice as many, in MiB.
    memory: [f64; 3],
    /// Calls that Sentry was asked for within a minute of the outage.
    asked_a_minute: f64,
    /// From the start of the program to the first answer, with nothing and with twice as many waiting.
    starts: [Duration; 2],
    /// Deliveries that waited for a start.
    waiting: usize,
    /// From the hosts' return to an empty queue, and how many teams differ then.
    caught_up: Duration,
    /// What differs at the end.
    differences: usize,
}

/// What waits while both hosts are down, and what the program itself takes.
pub fn run(quick: bool, table: &mut Table) {
    let share = if quick { 25 } else { 1 };
    let outage = play(share);
    let half = TEAMS / share * EACH;
    let [at_rest, waiting, after_start] = outage.memory;
    let [start_empty, start_full] = outage.starts.map(|took| took.as_secs_f64() * 1000.0);
    let all = 2 * half;
    let caught_up = outage.caught_up.as_secs_f64();
    table.part("outage", "both hosts down", &["value"]);
    for (name, value) in [
        ("memory at rest, MiB".into(), at_rest),
        (format!("memory with {half} deliveries waiting, MiB"), waiting),
        (format!("memory after a start with {all} waiting, MiB"), after_start),
        ("start to listening, nothing waits, ms".into(), start_empty),
        (format!("start to listening, {all} wait, ms"), start_full),
        ("calls a minute to a host that is down".into(), outage.asked_a_minute),
        ("caught up with, s".into(), caught_up),
        ("caught up with, deliveries per s".into(), outage.waiting as f64 / caught_up),
        ("differences afterwards".into(), outage.differences as f64),
        ("the binary, MiB".into(), size()),
    ] {
        table.row(name, &[value]);
    }
}

/// The program's file.
fn size() -> f64 {
    std::fs::metadata(World::program()).expect("the program").len() as f64 / f64::from(1 << 20)
}

/// Plays it with one of `share` deliveries.
fn play(share: usize) -> Outage {
    let mut world = World::new(Truth::Github).may_list_teams();
    for (name, value) in [("RUST_LOG", "error"), ("SYNC_FIRST", "apply"), ("SYNC_WORKERS", "8")] {
        world.set(name, value);
    }
    world.github.set_events(Events { creator_membership: true, ..Events::default() });
    for wire in [&world.github.wire, &world.sentry.wire] {
        wire.keep_calls(false);
    }
    let people: Vec<_> = (0..EACH).map(|n| world.person(&format!("person{n}"))).collect();
    let teams: Vec<_> =
        (0..TEAMS / share).map(|n| world.github.add_team(GithubTeam::new(&format!("team-{n:03}")))).collect();
    let start_empty = timed_start(&mut world);
    world.wait_within(Duration::from_secs(300), "the teams are there", || {
        world.status()["teams"] == teams.len() && world.status()["open_hints"] == 0
    });
    let at_rest = resident_now(world.service().pid());
    set_reach(&world, Reach::Refused);
    let sent: Vec<Delivery> = teams
        .iter()
        .flat_map(|team| people.iter().flat_map(|person| world.github.add_member(*team, *person)))
        .collect();
    let load = Load { connections: 32, keep_alive: true, every: None };
    load.run(&world.service().url, SECRET, &sent);
    let waiting = resident_now(world.service().pid());
    let asked_a_minute = asked_a_minute(&world, Duration::from_secs(if share > 1 { 3 } else { 20 }));
    // As many again: other deliveries about the same people.
    let again: Vec<Delivery> =
        sent.iter().enumerate().map(|(n, one)| one.clone().with_guid(&format!("again-{n}"))).collect();
    load.run(&world.service().url, SECRET, &again);
    world.take_service().kill();
    let start_full = timed_start(&mut world);
    let after_start = resident_now(world.service().pid());
    let n_waiting = world.status()["queued"].as_u64().unwrap_or(0) as usize;
    set_reach(&world, Reach::Up);
    let began = Instant::now();
    world.wait_within(Duration::from_secs(1800), "all is caught up with", || world.status()["queued"] == 0);
    Outage {
        memory: [at_rest, waiting, after_start],
        asked_a_minute,
        starts: [start_empty, start_full],
        waiting: n_waiting,
        caught_up: began.elapsed(),
        differences: world.differences().len(),
    }
}

fn set_reach(world: &World, reach: Reach) {
    world.github.set_reach(reach).expect("the stand-in obeys");
    world.sentry.set_reach(reach).expect("the stand-in obeys");
}

/// From the start of the program until it listens.
fn timed_start(world: &mut World) -> Duration {
    let began = Instant::now();
    // The line with its addresses is written right after it listens.
    world.set("RUST_LOG", "error,sentry_team_sync=info");
    world.start();
    began.elapsed()
}

/// What the program's own counter says over some seconds of the outage: a host that is down counts nothing.
fn asked_a_minute(world: &World, watched: Duration) -> f64 {
    let calls = || world.status()["sentry"]["calls"].as_u64().unwrap_or(0);
    let before = calls();
    std::thread::sleep(watched);
    (calls() - before) as f64 * 60.0 / watched.as_secs_f64()
}
