//! A disk that is full, at any byte of any file: what was answered is kept, what can not be kept is refused, and nothing is
//! lost in silence.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::{prlimit, Pid, Resource, Rlimit};

use crate::standin::Delivery;
use crate::world::{Service, Truth, World};

/// No file grows beyond so many bytes from now on; none is no limit.
fn let_files_have(world: &World, most: Option<u64>) {
    let pid = Pid::from_raw(world.service().pid() as i32);
    prlimit(pid, Resource::Fsize, Rlimit { current: most, maximum: None })
        .expect("a limit for a process of our own");
}

/// The bytes of the log that is appended to.
fn log_size(world: &World) -> u64 {
    let files = fs::read_dir(world.dir.0.join("state/journal")).unwrap().flatten();
    let logs = files.filter(|file| file.path().extension().is_some_and(|end| end == "log"));
    let number = |file: &fs::DirEntry| file.path().file_stem()?.to_str()?.parse::<u64>().ok();
    logs.max_by_key(number).unwrap().metadata().unwrap().len()
}

/// The XFSZ signal would end the process; without it, a write beyond the limit is an error.
const WITHOUT_SIGNAL: &str = "trap '' XFSZ; exec \"$0\"";

#[test]
fn a_disk_that_is_full_at_any_byte_keeps_what_was_answered_and_takes_the_rest_later() {
    let mut world = World::new(Truth::Deliveries);
    world.start_with(world.shell(WITHOUT_SIGNAL));
    let ana = world.person("ana");
    let mut n_refused = 0;
    for (n, room) in (0..3000).step_by(157).enumerate() {
        world.wait_for_rest();
        // Journal appends, snapshots and audit lines meet the limit, each somewhere else in each round.
        let_files_have(&world, Some(log_size(&world) + room));
        let (crew, mut sent) = world.github.create_team(format!("Crew {n}").as_str(), world.olive);
        sent.extend(world.github.add_member(crew, ana));
        sent.extend(world.github.rename_team(crew, format!("Deck {n}").as_str()));
        let mut refused: Vec<Delivery> = Vec::new();
        for delivery in sent {
            let answer = world.sender().send(&delivery).unwrap();
            match answer.status {
                202 => {}
                503 => refused.push(delivery),
                other => panic!("{room} bytes: {other}"),
            }
        }
        n_refused += refused.len();
        let_files_have(&world, None);
        world.wait_until("ready again", || world.get_admin("/readyz").0 == 200);
        if n % 4 == 3 {
            world.take_service().kill();
            world.start_with(world.shell(WITHOUT_SIGNAL));
        }
        world.send(&refused);
        world.wait_for_members(&format!("deck-{n}"), &["ana"]);
    }
    assert!(n_refused > 10, "{n_refused} were refused");
    assert_eq!(world.status()["failed"], 0);
    assert!(!world.service().text().contains("internal error"));
}

#[test]
fn an_audit_log_that_can_not_be_written_costs_no_line_in_silence_and_no_team() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    let audit = world.dir.0.join("state/audit");
    fs::create_dir_all(&audit).unwrap();
    // This month, and the next if it begins meanwhile: always full.
    for month in (2024..2100).flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}.jsonl"))) {
        symlink("/dev/full", audit.join(month)).unwrap();
    }
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_members("crew", &["ana"]);
    let log = world.service().text();
    let lines: Vec<_> =
        log.lines().filter(|line| line.starts_with("error audit: failed to write a line: ")).collect();
    for decision in ["create team", "add member"] {
        let told = format!("\"decision\":\"{decision}\"");
        assert!(lines.iter().any(|line| line.contains(&told)), "{decision}:\n{log}");
    }
    assert_eq!(world.metric("sync_audit_lost_total"), lines.len() as u64);
    let warned =
        |world: &World| world.status()["warnings"].to_string().contains("cannot write the audit log");
    assert!(warned(&world) && world.get_admin("/").1.contains("cannot write the audit log"));
    assert!(world.get_admin("/readyz").0 == 200);
    // What there was before is in no log then, so it is not done.
    world.send(&world.github.delete_team(crew));
    world.wait_until("it is told", || world.service().text().contains("audit"));
    world.wait_until("it waits", || world.status()["queued"] == 1);
    world
        .wait_until("it was tried", || world.service().text().matches("No space left").count() > lines.len());
    assert!(world.members("crew").is_some());
    world.take_service().kill();
    fs::remove_dir_all(&audit).unwrap();
    world.start();
    world.wait_until("deleted", || world.sentry.teams().is_empty());
    assert!(!warned(&world));
}

#[test]
fn a_start_on_a_full_disk_says_so_and_the_next_one_goes_on() {
    let mut world = World::new(Truth::Deliveries);
    let full = || Service::try_run(world.shell("trap '' XFSZ; ulimit -f 0; exec \"$0\"")).err();
    let said = full().expect("it does not start");
    assert!(said.contains("error: failed to make a journal file in"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    world.take_service().kill();
    // With a journal, reading and the lock need no space.
    world.start_with(world.shell("trap '' XFSZ; ulimit -S -f 0; exec \"$0\""));
    let renamed = world.github.rename_team(crew, "Deck");
    assert_eq!(world.ask(&renamed[0]).0, 503);
    let_files_have(&world, None);
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    world.send(&renamed);
    world.wait_until("renamed", || world.members("deck").is_some());
}
