//! Clock, state directory, unit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::{alone, beside, healthy};
use crate::standin::{Fault, Rule};
use crate::world::World;

fn state_dir(world: &World) -> PathBuf {
    world.dir.0.join("state")
}

/// A world whose service has run and ended.
fn with_state() -> World {
    let (mut world, _) = healthy().with_crew();
    world.take_service().stop("-TERM");
    world
}

#[test]
fn a_clock_that_is_apart_from_either_host_is_told() {
    for (ahead, level, exit) in [(0, "ok", 0), (-60, "warning", 0), (600, "failed", 1)] {
        let world = healthy();
        world.github.wire.set_clock_ahead(ahead);
        let checked = alone(&world);
        let fix: &[&str] = if level == "ok" { &[] } else { &["timedatectl set-ntp true"] };
        checked.one("clock", "GitHub's").must(level, fix);
        checked.one("clock", "Sentry's").must("ok", &[]);
        assert_eq!(checked.exit, exit);
        let way = if ahead < 0 { "ahead of GitHub's" } else { "behind GitHub's" };
        assert!(ahead == 0 || checked.says("clock", way), "{:#}", checked.report);
        world.github.wire.set_clock_ahead(0);
        world.sentry.wire.set_clock_ahead(ahead);
        alone(&world).one("clock", "Sentry's").must(level, fix);
    }
}

#[test]
fn a_state_directory_is_described_and_left_as_it_is() {
    let world = with_state();
    let files = || {
        let mut all: Vec<_> = fs::read_dir(state_dir(&world).join("journal")).unwrap().flatten().collect();
        all.sort_by_key(|entry| entry.path());
        all.into_iter().map(|entry| (entry.path(), fs::read(entry.path()).unwrap())).collect::<Vec<_>>()
    };
    let before = files();
    let checked = alone(&world);
    checked.one("state", "no service is running with `").must("ok", &[]);
    checked.one("state", "the state directory has mode 0700 and belongs to user ").must("ok", &[]);
    checked.one("state", " MiB are free on the state directory's disk").must("ok", &[]);
    checked.one("state", ", in format 4").must("ok", &[]);
    checked.one("state", "0 queued deliveries").must("ok", &[]);
    assert_eq!(files(), before);
}

#[test]
fn a_folder_that_others_may_enter_is_warned_of() {
    let mut world = with_state();
    let dir = world.dir.0.join("its state");
    fs::rename(state_dir(&world), &dir).unwrap();
    world.set("SYNC_STATE_DIR", dir.to_str().unwrap());
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let checked = alone(&world);
    let open = checked.one("state", "others than its owner can access `");
    let fix = format!("chmod 0700 '{}'", dir.display());
    open.must("warning", &[&fix]);
    assert!(open.what.ends_with("(mode 0755)"), "{open:?}");
    // As it stands there, it works.
    assert!(open.fix.ends_with(&format!("`{fix}`")), "{open:?}");
    assert!(Command::new("/bin/sh").args(["-c", &fix]).status().unwrap().success());
    alone(&world).one("state", "the state directory has mode 0700").must("ok", &[]);
}

#[test]
fn a_folder_of_another_user_than_the_services_is_told_with_the_command() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may give a folder away");
        return;
    }
    let mut world = healthy();
    world.start();
    let dir = state_dir(&world);
    std::os::unix::fs::chown(&dir, Some(61_184), Some(61_184)).unwrap();
    let fix = format!("chown -R 0:0 {}", dir.display());
    beside(&world)
        .one("state", " belongs to user 61184, but the service runs as another")
        .must("warning", &[&fix]);
}

/// As after `systemctl restart`: what the service has asked a moment ago is still to be answered.
#[test]
fn a_service_that_has_just_begun_is_given_time_for_its_first_answers() {
    let (mut world, _) = healthy().with_crew();
    world.take_service().stop("-TERM");
    world.sentry.wire.script(Rule::new("*", Fault::Stall(Duration::from_secs(2))).times(4));
    world.start();
    beside(&world).one("state", "the service is ready").must("ok", &[]);
}

#[test]
fn a_folder_that_can_not_be_made_is_told() {
    let mut world = healthy();
    let file = world.dir.0.join("file");
    fs::write(&file, "").unwrap();
    world.set("SYNC_STATE_DIR", file.join("state").to_str().unwrap());
    let checked = alone(&world);
    checked.one("state", "this user cannot create it").must("failed", &["SYNC_STATE_DIR"]);
    assert_eq!(checked.exit, 1);
}

#[test]
fn damage_in_the_journal_is_told_without_touching_it() {
    let world = with_state();
    let journal = state_dir(&world).join("journal");
    let log = journal.join("1.log");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&log, &bytes).unwrap();
    let checked = alone(&world);
    checked.one("state", "1.log` is damaged").must("failed", &["start the service"]);
    assert_eq!((fs::read(&log).unwrap(), checked.exit), (bytes, 1));
    fs::write(journal.join("0.log.damaged"), "x").unwrap();
    alone(&world)
        .one("state", "the journal has 1 damaged file, kept aside: \"0.log.damaged\"")
        .must("warning", &["check the disk"]);
}

#[test]
fn what_failed_and_what_is_held_is_told_with_the_command() {
    let mut world = healthy();
    let ana = world.person("ana");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let team = world.sentry.teams()["crew"].id;
    world.sentry.set_idp_provisioned(team, true);
    world.send(&world.github.add_member(crew, ana));
    world.wait_until("it failed", || world.status()["failed"] == 1);
    world.sentry.set_idp_provisioned(team, false);
    world.sentry.add_project(team, "shop");
    world.send(&world.github.delete_team(crew));
    world.only_hold();
    let checked = beside(&world);
    checked.one("state", "1 delivery could not be carried out").must("warning", &["replay", " --failed`"]);
    checked.one("state", "1 hold needs your decision").must("warning", &["approve"]);
    assert_eq!(checked.exit, 0);
}

#[test]
fn the_unit_that_runs_the_service_is_described() {
    let mut world = healthy();
    // Handed on by the shell that started it.
    world.set("INVOCATION_ID", "0123");
    world.start();
    let checked = beside(&world);
    checked.one("machine", "the service does not run under systemd").must("note", &[]);
    let mut world = healthy();
    world.set("INVOCATION_ID", "0123");
    world.set("NOTIFY_SOCKET", world.dir.0.join("notify").display().to_string().as_str());
    world.set("WATCHDOG_USEC", "30000000");
    world.set("CREDENTIALS_DIRECTORY", world.dir.0.display().to_string().as_str());
    world.start();
    let checked = beside(&world);
    checked
        .one("machine", "the service runs under systemd, with credentials, watchdog every 30s")
        .must("ok", &[]);
    // The tests run outside of the unit's sandbox.
    assert!(checked.says("machine", "the sandbox "), "{:#}", checked.report);
    assert!(checked.says("machine", "the service runs as "), "{:#}", checked.report);
}
