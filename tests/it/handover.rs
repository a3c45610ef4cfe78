//! A first `sync --apply` leaves its state where it was typed: it says where and how a service gets it, and a service that
//! begins without it says what it lacks.

use std::os::unix::fs::{chown, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{Truth, World};

/// A team that a command has created, the folder that it was typed in, and its state there.
fn created_by_a_command() -> (World, PathBuf, PathBuf) {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.set("SYNC_INTERVAL", "off");
    world.old_team("Crew");
    let home = world.dir.0.canonicalize().unwrap().join("home");
    let (left, own) = (home.join("state"), world.env["SYNC_STATE_DIR"].clone());
    std::fs::create_dir(&home).unwrap();
    world.set("SYNC_STATE_DIR", left.to_str().unwrap());
    let (code, said, talk) = world.alone(&["sync", "--apply"]);
    assert!(code == 0 && said.starts_with("done: 1 change made in Sentry; "), "{said}{talk}");
    let shown = left.display();
    assert!(talk.starts_with("which Sentry team belongs to which GitHub team is kept in `"), "{talk}");
    assert!(talk.contains(&format!("mv -T {shown} /var/lib/sentry-team-sync\n")), "{talk}");
    assert!(talk.ends_with(&format!("start that with SYNC_STATE_DIR={shown}\n")), "{talk}");
    // Whoever goes on without a service hears it once.
    let again = (0, "in sync: 1 team in sync, 0 left out\n".to_string());
    let (code, said, talk) = world.alone(&["sync", "--apply"]);
    assert!(code == again.0 && said.starts_with(&again.1) && talk.is_empty(), "{said}{talk}");
    world.set("SYNC_STATE_DIR", &own);
    (world, home, left)
}

/// Stops the service, does what it has said, and starts it again: it has nothing to ask then.
fn hand_over(world: &mut World, commands: &str) {
    assert_eq!(world.sentry.teams().len(), 1);
    let mark = world.sentry.wire.mark();
    world.take_service().stop("-TERM");
    let done = Command::new("/bin/sh").args(["-ec", commands]).output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{commands}: {done:?}");
    world.start();
    world.service_mut().wait_for_line("reconcile: ");
    world.wait_until("in sync", || world.command(&["sync"]).0 == 0);
    assert_eq!(world.status()["holds"], serde_json::json!([]));
    assert!(!world.service().text().contains("the state directory is new"), "{}", world.service().text());
    assert_eq!(world.writes_since(mark), [""; 0]);
}

/// What stands between `stop the service, then` and `, and start it again`.
fn commands_of(world: &World) -> String {
    world.wait_until("told", || world.service().text().contains("the state directory is new"));
    let text = world.service().text();
    let said: Vec<_> = text.lines().filter(|line| line.contains("the state directory is new")).collect();
    let [line] = said[..] else { panic!("it is told once: {text}") };
    let (_, behind) = line.split_once("stop the service, then ").expect(line);
    behind.strip_suffix(", and start it again").expect(line).to_string()
}

#[test]
fn a_service_that_would_adopt_what_a_command_has_created_says_what_it_lacks() {
    let (mut world, _, left) = created_by_a_command();
    world.start();
    world.only_hold();
    let commands = commands_of(&world);
    assert!(world.service().text().contains("1 Sentry team has the name of a GitHub team"));
    hand_over(&mut world, &commands.replace("FOLDER", left.to_str().unwrap()));
}

#[test]
fn a_service_that_is_started_where_a_state_was_left_says_so_at_once() {
    let (mut world, home, left) = created_by_a_command();
    let script = format!("cd {} && exec \"$0\"", home.display());
    world.start_with(world.shell(&script));
    world.service_mut().wait_for_line(", where commands leave it");
    world.only_hold();
    let commands = commands_of(&world);
    assert!(commands.contains(left.to_str().unwrap()), "{commands}");
    hand_over(&mut world, &commands);
}

/// Everything in a folder, with itself.
fn all(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| if path.is_dir() { all(&path) } else { vec![path] });
    below.chain([dir.to_path_buf()]).collect()
}

#[test]
fn what_root_does_while_the_service_is_stopped_leaves_its_state_to_the_service() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may use what belongs to another user");
        return;
    }
    let mut world = World::new(Truth::Github).may_list_teams();
    world.set("SYNC_FIRST", "apply");
    world.start();
    world.wait_for_rest();
    world.take_service().stop("-TERM");
    let state = world.dir.0.join("state");
    let owner = 61_184;
    all(&state).iter().for_each(|path| chown(path, Some(owner), Some(owner)).unwrap());
    world.old_team("Crew");
    for (args, code) in [
        (&["status"][..], 0),
        (&["check"], 0),
        (&["sync", "--apply"], 0),
        (&["reject", "none"], 1),
        (&["explain"], 0),
        (&["sync", "--team", "none"], 1),
    ] {
        let (ended, said, talk) = world.alone(args);
        assert_eq!(ended, code, "{args:?}: {said}{talk}");
        let strange: Vec<_> =
            all(&state).into_iter().filter(|path| path.symlink_metadata().unwrap().uid() != owner).collect();
        assert_eq!(strange, [""; 0].map(PathBuf::from), "{args:?}");
    }
    assert_eq!(world.sentry.teams().len(), 1);
}
