//! How fast deliveries are taken, beside yardsticks measured in the same run: `cargo bench`.
//!
//! The real program runs as a process of its own; so do the yardsticks, which are bare tiny_http with as many workers:
//! one that checks the signature and appends to the same journal, one that checks and keeps nothing. No network.
//! `cargo bench -- --quick` is a twentieth of everything; names of parts choose: comparisons, outage, flood, answers, intake.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A benchmark that can not go on stops.

#[path = "../standin/mod.rs"]
mod standin;
#[path = "../world/mod.rs"]
mod world;

mod compare;
mod flood;
mod load;
mod outage;
mod yardstick;

use std::time::Duration;

use compare::Size;
use load::{Load, Report};
use standin::Reach;
use world::{Truth, World};
use yardstick::Yardstick;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(kind) = args.iter().position(|arg| arg == "--yardstick").and_then(|at| args.get(at + 1)) {
        return yardstick::serve(kind);
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    let parts: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    for (name, part) in [
        ("comparisons", comparisons as fn(bool)),
        ("outage", an_outage),
        ("flood", |_| flood::run()),
        ("answers", answer_times),
        ("intake", intakes),
    ] {
        if parts.is_empty() || parts.iter().any(|part| *part == name) {
            part(quick);
        }
    }
}

fn heading() {
    println!("{:<52} {:>9} {:>8} {:>8} {:>8} {:>6}", "", "per s", "p50 ms", "p99 ms", "max ms", "lost");
}

/// A twentieth of everything is quick.
fn share(quick: bool, full: usize) -> usize {
    if quick {
        full / 20
    } else {
        full
    }
}

fn answer_times(quick: bool) {
    heading();
    println!("answers, 2 KiB, 32 connections, 1 delivery each 2 ms");
    for (name, latency, reach) in [
        ("  Sentry and GitHub at once", 0, Reach::Up),
        ("  Sentry and GitHub take 100 ms a call", 100, Reach::Up),
        ("  Sentry and GitHub are down", 0, Reach::Refused),
    ] {
        row(name, &answers(share(quick, 4000), latency, reach));
    }
}

fn intakes(quick: bool) {
    heading();
    println!("durable intake, 8 KiB, as fast as it goes");
    for keep_alive in [true, false] {
        for connections in [1, 8, 32, 128] {
            intake(connections, keep_alive, share(quick, 20_000));
        }
    }
}

/// Full comparisons of organisations that are in sync, seen for the first time and once more.
fn comparisons(quick: bool) {
    println!("{:<52} {:>9} {:>8} {:>8} {:>8}", "full comparison", "s", "GitHub", "Sentry", "MiB");
    let small = Size { teams: 100, each: 20, people: 500 };
    let middle = Size { teams: 1000, each: 50, people: 2000 };
    let large = Size { teams: 10_000, each: 50, people: 50_000 };
    let sizes: &[(Size, &[u64])] = match quick {
        true => &[(small, &[20])],
        false => &[(small, &[0, 20, 100]), (middle, &[0, 20]), (large, &[0])],
    };
    for (size, latencies) in sizes {
        let world = compare::world(*size);
        compare::run(&world, &["sync", "--apply"]);
        for latency in *latencies {
            let latency_ms = Duration::from_millis(*latency);
            world.github.wire.set_latency(latency_ms);
            world.sentry.wire.set_latency(latency_ms);
            let cost = compare::run(&world, &["sync"]);
            let Size { teams, each, people } = size;
            println!(
                "{:<52} {:>9.2} {:>8} {:>8} {:>8.1}{}",
                format!("  {teams} teams x {each} of {people}, {latency} ms a call"),
                cost.took.as_secs_f64(),
                cost.github,
                cost.sentry,
                cost.peak,
                if cost.code == 0 { "" } else { "  NOT IN SYNC" }
            );
        }
    }
}

/// What waits while both hosts are down.
fn an_outage(quick: bool) {
    let outage = outage::run(if quick { 25 } else { 1 });
    let [at_rest, waiting, after_start] = outage.memory;
    let [start_empty, start_full] = outage.starts.map(|took| took.as_secs_f64() * 1000.0);
    let n = outage.waiting;
    let caught_up = outage.caught_up.as_secs_f64();
    println!("both hosts down");
    for (name, value) in [
        ("  memory at rest, MiB".into(), at_rest),
        (format!("  memory with {} deliveries waiting, MiB", n / 2), waiting),
        (format!("  memory after a start with {n} waiting, MiB"), after_start),
        ("  start to listening, nothing waits, ms".into(), start_empty),
        (format!("  start to listening, {n} wait, ms"), start_full),
        ("  calls a minute to a host that is down".into(), outage.asked_a_minute),
        ("  caught up with, s".into(), caught_up),
        ("  caught up with, deliveries per s".into(), n as f64 / caught_up),
    ] {
        println!("{name:<52} {value:>9.1}");
    }
    if outage.differences > 0 {
        println!("  NOT IN SYNC: {} differences", outage.differences);
    }
}

fn row(name: &str, report: &Report) {
    let ms = |at: Duration| at.as_secs_f64() * 1000.0;
    println!(
        "{name:<52} {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>6}",
        report.rate(),
        ms(report.at(50.0)),
        ms(report.at(99.0)),
        ms(report.at(100.0)),
        report.lost
    );
}

/// A world in read mode whose service runs quietly, with people and a mirrored team.
fn world() -> (World, u64, Vec<u64>) {
    let mut world = World::new(Truth::Github);
    world.set("RUST_LOG", "error,sentry_team_sync=info");
    let people: Vec<_> = (0..200).map(|n| world.person(&format!("person{n}"))).collect();
    world.start();
    let (team, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    world.github.wire.keep_calls(false);
    world.sentry.wire.keep_calls(false);
    (world, team, people)
}

/// Deliveries of memberships, each with a GUID of its own, padded to `size` bytes.
fn deliveries(world: &World, team: u64, people: &[u64], n: usize, size: usize) -> Vec<standin::Delivery> {
    let of_one: Vec<_> = people.iter().flat_map(|person| world.github.add_member(team, *person)).collect();
    (0..n)
        .map(|i| {
            let guid = format!("00000000-0000-4000-8000-{i:012x}");
            of_one[i % of_one.len()].clone().with_guid(&guid).with_payload(|payload| {
                let missing = size.saturating_sub(payload.to_string().len() + 20);
                payload["padding"] = "x".repeat(missing).into();
            })
        })
        .collect()
}

/// Answer times at a modest rate while the other sides are slow or down.
fn answers(n: usize, latency_ms: u64, reach: Reach) -> Report {
    let (world, team, people) = world();
    let deliveries = deliveries(&world, team, &people, n, 2048);
    let latency = Duration::from_millis(latency_ms);
    world.github.wire.set_latency(latency);
    world.sentry.wire.set_latency(latency);
    world.github.set_reach(reach).unwrap();
    world.sentry.set_reach(reach).unwrap();
    let load = Load { connections: 32, keep_alive: false, every: Some(Duration::from_millis(2)) };
    load.run(&world.service().url, world::SECRET, &deliveries)
}

/// The program and its yardsticks under the same load, one after the other.
fn intake(connections: usize, keep_alive: bool, n: usize) {
    let load = Load { connections, keep_alive, every: None };
    let kind = if keep_alive { "keep-alive" } else { "a connection each" };
    let (world, team, people) = world();
    // Down, so that the disk and the answer are all that is measured.
    world.sentry.set_reach(Reach::Refused).unwrap();
    world.github.set_reach(Reach::Refused).unwrap();
    let deliveries = deliveries(&world, team, &people, n, 8192);
    let ours = load.run(&world.service().url, world::SECRET, &deliveries);
    row(&format!("  {connections} connections, {kind}"), &ours);
    drop(world);
    for (kind, name) in
        [("append", "bare tiny_http, HMAC and append"), ("nothing", "bare tiny_http, HMAC alone")]
    {
        let yardstick = Yardstick::start(kind);
        let theirs = load.run(&yardstick.url, world::SECRET, &deliveries);
        let share = 100.0 * ours.rate() / theirs.rate();
        row(&format!("    {name} (ours: {share:.0} %)"), &theirs);
    }
}
