//! What the program costs and how fast it is, beside yardsticks measured in the same run: `cargo bench`.
//!
//! The real program runs as a process of its own; so do the yardsticks, which are bare tiny_http. No network. It prints one
//! table, with what an earlier run says otherwise in the last column; it informs and never fails.
//!
//! ```text
//! cargo bench                          everything
//! cargo bench -- comparisons outage    some parts: comparisons outage flood answers effects intake
//! cargo bench -- --quick               a twentieth of everything
//! cargo bench -- --json FILE           the table as JSON too
//! cargo bench -- --baseline FILE       compared with another run than tests/bench/baseline.json
//! ```
//!
//! `SYNC_TEST_PROGRAM` names another build of the program, `SYNC_TEST_YARDSTICK` another build of this benchmark.

// A benchmark that can not go on stops.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// The stand-ins fold names as GitHub and Sentry do.
#![allow(clippy::disallowed_methods)]

#[path = "../standin/mod.rs"]
mod standin;
#[path = "../world/mod.rs"]
mod world;

mod answers;
mod compare;
mod flood;
mod intake;
mod load;
mod outage;
mod table;
mod yardstick;

use table::Table;
use world::{Truth, World};

/// A part: whether a small share of it is enough, and where the figures go.
type Part = fn(bool, &mut Table);

const PARTS: &[(&str, Part)] = &[
    ("comparisons", compare::run_all),
    ("outage", outage::run),
    ("flood", flood::run),
    ("answers", answers::run),
    ("effects", answers::effects),
    ("intake", intake::run),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value_of = |flag: &str| {
        let at = args.iter().position(|arg| arg == flag)?;
        Some(args.get(at + 1).unwrap_or_else(|| panic!("{flag} wants a value")).as_str())
    };
    if let Some(kind) = value_of("--yardstick") {
        return yardstick::serve(kind);
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    let chosen = |name: &str| args.iter().any(|arg| arg == name);
    let all = !PARTS.iter().any(|(name, _)| chosen(name));
    let mut table = Table::new(value_of("--baseline"));
    for (_, part) in PARTS.iter().filter(|(name, _)| all || chosen(name)) {
        part(quick, &mut table);
    }
    if let Some(file) = value_of("--json") {
        let text = serde_json::to_string_pretty(&table.to_json(quick)).unwrap();
        std::fs::write(file, text + "\n").unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

/// A twentieth of everything is quick.
fn share(quick: bool, full: usize) -> usize {
    if quick {
        full / 20
    } else {
        full
    }
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
