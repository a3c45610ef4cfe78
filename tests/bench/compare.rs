//! What a full comparison costs: calls, seconds and memory, by the size of the organisation.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::standin::{GithubTeam, GithubUser, NewMember};
use crate::table::Table;
use crate::world::{Truth, World};

/// How large an organisation is.
#[derive(Clone, Copy)]
struct Size {
    teams: usize,
    /// People in each team.
    each: usize,
    /// People in all.
    people: usize,
}

/// What one run cost.
struct Cost {
    github: usize,
    sentry: usize,
    took: Duration,
    /// The most memory at any moment, in MiB.
    peak: f64,
    code: i32,
}

const SMALL: Size = Size { teams: 100, each: 20, people: 500 };
const MIDDLE: Size = Size { teams: 1000, each: 50, people: 2000 };
const LARGE: Size = Size { teams: 10_000, each: 50, people: 50_000 };

/// Full comparisons of organisations that are in sync; the service at the largest.
pub fn run_all(quick: bool, table: &mut Table) {
    table.part("comparisons", "full comparison, in sync", &["s", "GitHub", "Sentry", "MiB", "differs"]);
    let sizes: &[(Size, &[u64])] = if quick {
        &[(SMALL, &[0, 20])]
    } else {
        &[(SMALL, &[0, 20, 100]), (MIDDLE, &[0, 20, 100]), (LARGE, &[0, 20, 100])]
    };
    for (size, latencies) in sizes {
        let mut world = world(*size);
        // Once, so that matches and bindings are known, as they are all days but the first.
        run(&world, &["sync", "--apply"]);
        let Size { teams, each, people } = size;
        let name = format!("{teams} teams x {each} of {people}");
        for latency in *latencies {
            set_latency(&world, *latency);
            measure(&world, format!("{name}, {latency} ms a call"), table);
        }
        world.sentry.set_scim(true);
        for latency in *latencies {
            set_latency(&world, *latency);
            measure(&world, format!("{name}, {latency} ms a call, by SCIM"), table);
        }
        world.sentry.set_scim(false);
        set_latency(&world, 0);
        let (took, peak) = service(&mut world);
        table.row(format!("{name}, the service"), &[took, f64::NAN, f64::NAN, peak, f64::NAN]);
    }
}

fn measure(world: &World, what: String, table: &mut Table) {
    let Cost { github, sentry, took, peak, code } = run(world, &["sync"]);
    table.row(what, &[took.as_secs_f64(), github as f64, sentry as f64, peak, f64::from(code)]);
}

fn set_latency(world: &World, ms: u64) {
    let latency = Duration::from_millis(ms);
    world.github.wire.set_latency(latency);
    world.sentry.wire.set_latency(latency);
}

/// From the start of the service to the end of its first comparison, and the most memory that took.
fn service(world: &mut World) -> (f64, f64) {
    world.set("RUST_LOG", "error,sentry_team_sync=info");
    let began = Instant::now();
    world.start();
    world.wait_within(Duration::from_secs(600), "compared", || !world.status()["last_reconcile"].is_null());
    (began.elapsed().as_secs_f64(), resident(world.service().pid()))
}

/// Both sides are the same, but the program has not seen either.
fn world(size: Size) -> World {
    let world = World::new(Truth::Github).may_list_teams();
    world.github.wire.keep_calls(false);
    world.sentry.wire.keep_calls(false);
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(86_400);
    let people: Vec<_> = (0..size.people)
        .map(|n| {
            let address = format!("person{n}@acme.test");
            let member = world.sentry.add_member(NewMember::new(&address));
            (world.github.add_person(GithubUser::new(&format!("person{n}")).verified(&address)), member)
        })
        .collect();
    for n in 0..size.teams {
        let name = format!("team-{n:05}");
        let team = world.github.add_team(GithubTeam::new(&name).created(yesterday));
        let there = world.sentry.add_team(&name, &name);
        for k in 0..size.each {
            let (user, member) = people[(n * 7 + k * (size.people / size.each)) % size.people];
            world.github.join(team, user);
            world.sentry.join(there, member);
        }
    }
    world
}

/// Runs a command of the program to its end.
fn run(world: &World, args: &[&str]) -> Cost {
    world.github.wire.reset_counts();
    world.sentry.wire.reset_counts();
    let mut env: BTreeMap<String, String> = world.env.clone();
    env.remove("RUST_LOG");
    env.insert("GH_ORG".into(), world.github.org_login());
    let began = Instant::now();
    let mut child = Command::new(World::program())
        .args(args)
        .env_clear()
        .envs(env)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0.0f64;
    let code = loop {
        peak = peak.max(resident(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status.code().unwrap_or(-1);
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Cost {
        github: world.github.wire.n_calls(),
        sentry: world.sentry.wire.n_calls(),
        took: began.elapsed(),
        peak,
        code,
    }
}

/// The most memory of a process so far, in MiB.
pub fn resident(pid: u32) -> f64 {
    memory(pid, "VmHWM:")
}

/// The memory of a process now, in MiB.
pub fn resident_now(pid: u32) -> f64 {
    memory(pid, "VmRSS:")
}

fn memory(pid: u32, which: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
