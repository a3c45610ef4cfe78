//! How long GitHub waits for an answer while the other sides are slow or down, and how long Sentry waits for a change.

use std::time::{Duration, Instant};

use crate::intake::ms;
use crate::load::{Load, Report};
use crate::standin::Reach;
use crate::table::Table;
use crate::world::SECRET;
use crate::{deliveries, share, world};

/// Answers at a modest rate.
pub fn run(quick: bool, table: &mut Table) {
    let columns = &["per s", "p50 ms", "p99 ms", "p99.9 ms", "lost"];
    table.part("answers", "answers, 2 KiB, 32 connections, one each 2 ms", columns);
    for (name, latency, reach) in [
        ("Sentry and GitHub at once", 0, Reach::Up),
        ("Sentry and GitHub take 100 ms a call", 100, Reach::Up),
        ("Sentry and GitHub are down", 0, Reach::Refused),
    ] {
        let report = answers(share(quick, 4000), latency, reach);
        let [p50, p99, p999] = [50.0, 99.0, 99.9].map(|percent| ms(report.at(percent)));
        table.row(name, &[report.rate(), p50, p99, p999, report.lost as f64]);
    }
}

fn answers(n: usize, latency_ms: u64, reach: Reach) -> Report {
    let (world, team, people) = world();
    let deliveries = deliveries(&world, team, &people, n, 2048);
    let latency = Duration::from_millis(latency_ms);
    world.github.wire.set_latency(latency);
    world.sentry.wire.set_latency(latency);
    world.github.set_reach(reach).unwrap();
    world.sentry.set_reach(reach).unwrap();
    let load = Load { connections: 32, keep_alive: false, every: Some(Duration::from_millis(2)) };
    load.run(&world.service().url, SECRET, &deliveries)
}

/// From the first byte of a delivery to the moment at which Sentry is asked for the change, one after the other. Team and
/// people are known, as they are all days but the first.
pub fn effects(quick: bool, table: &mut Table) {
    table.part("effects", "from a delivery to Sentry's change", &["p50 ms", "p99 ms", "max ms", "calls"]);
    for latency in [0, 100] {
        let (world, team, people) = world();
        let n = share(quick, if latency == 0 { 200 } else { 100 }).max(5);
        let people = &people[..n];
        let join = |person: &u64| world.github.add_member(team, *person);
        people.iter().for_each(|person| world.send(&join(person)));
        world.wait_for_rest();
        people.iter().for_each(|person| world.send(&world.github.remove_member(team, *person)));
        world.wait_for_rest();
        for wire in [&world.github.wire, &world.sentry.wire] {
            wire.set_latency(Duration::from_millis(latency));
            wire.keep_calls(true);
            wire.reset_counts();
        }
        let began = Instant::now();
        let times = people.iter().map(|person| {
            let (mark, sent) = (world.sentry.wire.mark(), Instant::now());
            world.send(&join(person));
            let change = || {
                let calls = world.sentry.wire.calls_since(mark);
                // Answered, so that the next delivery meets nobody at work.
                calls.iter().find(|call| call.method == "POST" && call.status != 0).map(|call| call.at)
            };
            world.wait_until("Sentry has answered", || change().is_some());
            change().unwrap().saturating_duration_since(sent)
        });
        let report = Report::of(times.collect(), began);
        world.wait_for_rest();
        let calls = (world.github.wire.n_calls() + world.sentry.wire.n_calls()) as f64 / n as f64;
        let [p50, p99, most] = [50.0, 99.0, 100.0].map(|percent| ms(report.at(percent)));
        table.row(format!("somebody joins a team, {latency} ms a call"), &[p50, p99, most, calls]);
    }
}
