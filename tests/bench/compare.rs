//! What a full comparison costs: calls, seconds and memory, by the size of the organisation.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::standin::{GithubTeam, GithubUser, NewMember};
use crate::world::{Truth, World};

/// How large an organisation is.
#[derive(Clone, Copy)]
pub struct Size {
    /// Teams.
    pub teams: usize,
    /// People in each.
    pub each: usize,
    /// People in all.
    pub people: usize,
}

/// What one run cost.
pub struct Cost {
    /// Calls to GitHub.
    pub github: usize,
    /// Calls to Sentry.
    pub sentry: usize,
    /// From start to end.
    pub took: Duration,
    /// The most memory at any moment, in MiB.
    pub peak: f64,
    /// The exit code.
    pub code: i32,
}

/// Both sides are the same, but the program has not seen either.
pub fn world(size: Size) -> World {
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
pub fn run(world: &World, args: &[&str]) -> Cost {
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
