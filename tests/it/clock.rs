//! A wall clock that is wrong, and is put right while the service runs: a machine that has no clock of its own starts in
//! 1970, another one is years ahead. Nothing that matters may depend on it.
//!
//! Tried in a build with `--cfg failpoints` alone, in which the clock can be moved.

use sentry_team_sync::parts::Timestamp;
use serde_json::json;

use crate::standin::{Delivery, Events, Fault, Rule};
use crate::world::{World, BOTH};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 3600;
const YEAR: i64 = 365 * DAY;

/// How wrong the clock is at the start, and later, in seconds.
const JUMPS: [(i64, i64); 8] = [
    // 1970, and what it then is.
    (-60 * YEAR, 0),
    (0, -60 * YEAR),
    (20 * YEAR, 0),
    (0, 20 * YEAR),
    (0, -10 * MINUTE),
    (0, 10 * MINUTE),
    (0, -DAY),
    (0, DAY),
];

fn in_every_way(story: impl Fn(World, i64, i64) + Sync) {
    std::thread::scope(|scope| {
        for truth in BOTH {
            for (at_first, later) in JUMPS {
                let story = &story;
                scope.spawn(move || {
                    println!("{truth:?}, {at_first} s wrong and then {later} s");
                    let mut world = World::new(truth);
                    world.set("SYNC_FIRST", "apply");
                    // In payload mode, nobody else could tell of the creator.
                    world.github.set_events(Events { creator_membership: true, ..Events::default() });
                    world.set_clock(at_first);
                    world.start();
                    story(world, at_first, later);
                });
            }
        }
    });
}

#[track_caller]
fn assert_equal(world: &World, context: &str) {
    world.wait_for_rest();
    let log = || world.service().text();
    assert_eq!(world.differences(), [""; 0], "{context}\n{}", log());
    let status = world.status();
    assert_eq!((&status["failed"], &status["holds"]), (&json!(0), &json!([])), "{context}\n{}", log());
}

/// The clock is the one that was set: audit lines tell the time.
#[track_caller]
fn assert_clock(world: &World, seconds: i64) {
    let expected = Timestamp(Timestamp::now().0.saturating_add_signed(seconds * 1000)).to_string();
    let audit = world.audit();
    let at = |line: &serde_json::Value| line["at"].as_str().unwrap().starts_with(&expected[..5]);
    assert!(audit.iter().any(at), "{seconds}: no {} in {audit:#?}", &expected[..5]);
}

#[test]
fn a_clock_that_jumps_changes_nothing_of_what_is_done() {
    in_every_way(|mut world, at_first, later| {
        let context = format!("{at_first} {later}");
        let [ana, ben] = ["ana", "ben"].map(|login| world.person(login));
        let (crew, mut sent) = world.github.create_team("Crew", world.olive);
        sent.extend(world.github.add_member(crew, ana));
        world.send(&sent);
        assert_equal(&world, &context);
        assert_clock(&world, at_first);
        world.set_clock(later);
        let taken: Vec<_> = sent.iter().map(|delivery| world.ask(delivery).1["status"].clone()).collect();
        assert_eq!(taken, vec![json!("duplicate"); sent.len()], "{context}");
        let mut more = world.github.add_member(crew, ben);
        more.extend(world.github.remove_member(crew, ana));
        more.extend(world.github.rename_team(crew, "Staff"));
        let (night, created) = world.github.create_team("Night", world.olive);
        more.extend(created);
        more.extend(world.github.add_member(night, ana));
        world.send(&more);
        assert_equal(&world, &context);
        assert_clock(&world, later);
        world.crash_and_restart();
        world.send(&world.github.delete_team(night));
        assert_equal(&world, &context);
        let (code, out, err) = world.command(&["sync", "--apply"]);
        assert_eq!(code, if world.status()["mode"] == "read" { 0 } else { 1 }, "{context}: {out}{err}");
        assert_equal(&world, &context);
    });
}

/// Pauses are counted by a clock that does not jump, whatever Sentry says of the time of day.
#[test]
fn a_clock_that_jumps_during_an_outage_neither_lengthens_nor_ends_it() {
    in_every_way(|world, at_first, later| {
        let ana = world.person("ana");
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.send(&created);
        world.wait_for_rest();
        for fault in [Fault::Status(503), Fault::RateLimited] {
            world.sentry.wire.script(Rule::new("*", fault).times(3));
            let mark = world.sentry.wire.mark();
            let sent: Vec<Delivery> = match world.members("crew").is_some_and(|there| there.len() > 1) {
                true => world.github.remove_member(crew, ana),
                false => world.github.add_member(crew, ana),
            };
            world.send(&sent);
            world.wait_until("it failed once", || !world.sentry.wire.calls_since(mark).is_empty());
            world.set_clock(later);
            assert_equal(&world, &format!("{at_first} {later}"));
            world.sentry.wire.clear_faults();
            world.set_clock(at_first);
        }
    });
}
