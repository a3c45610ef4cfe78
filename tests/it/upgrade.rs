//! From one version to the next: the state of before is read and written anew, and a state of the future is refused.
//!
//! `tests/states/format-1.log` is a journal as a program of format 1 left it when it was killed: two bound teams, one
//! deleted, ana matched, zoe wanted, a failed delivery, and `team.created` of `Late` still queued. The files of the
//! later formats are what programs of those formats made of it.

use std::fs;
use std::path::Path;

use crate::sim::formats::set_version;
use crate::world::{Truth, World};

fn journal_files(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.dir.0.join("state/journal")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "reserve").collect();
    names.sort();
    names
}

/// The files that a program of each older format left, by their endings, and the number of each journal's last log.
const BEFORE: [(u32, &[&str], u32); 3] =
    [(1, &["log"], 1), (2, &["log", "snap"], 2), (3, &["log", "snap"], 3)];

/// What this program writes.
const FORMAT: u32 = 4;

fn world_of_before((format, files, number): (u32, &[&str], u32)) -> World {
    let world = World::new(Truth::Deliveries);
    // Under the ids that the journal knows; the third had been deleted.
    let _ids = ["crew", "locked", "another"].map(|slug| world.sentry.add_team(slug, slug));
    let journal = world.dir.0.join("state/journal");
    fs::create_dir_all(&journal).unwrap();
    let states = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/states");
    for file in files {
        let recorded = states.join(format!("format-{format}.{file}"));
        fs::copy(recorded, journal.join(format!("{number}.{file}"))).unwrap();
    }
    world
}

#[test]
fn the_state_of_each_version_before_goes_on_and_is_written_in_the_new_format() {
    BEFORE.into_iter().for_each(goes_on);
}

fn goes_on(before: (u32, &[&str], u32)) {
    let (format, _, number) = before;
    let mut world = world_of_before(before);
    world.sentry.set_down(true).unwrap();
    world.start();
    let status = world.status();
    for (what, n) in [("teams", 2), ("matched", 1), ("wanted", 1), ("failed", 1), ("queued", 1)] {
        assert_eq!(status[what], n, "{what} in {status:#}");
    }
    assert_eq!((&status["github_org"], &status["unmatched"][0]["login"]), (&"acme".into(), &"zoe".into()));
    let told = format!("was of format {format} and is of format {FORMAT} now; older versions refuse it");
    assert!(world.service().text().contains(&told), "{}", world.service().text());
    assert_eq!(journal_files(&world), ["log", "snap"].map(|ending| format!("{}.{ending}", number + 1)));
    world.sentry.set_down(false).unwrap();
    world.wait_until("what was queued is carried out", || world.members("late").is_some());
    world.wait_until("nothing is queued", || world.status()["queued"] == 0);
    world.crash_and_restart();
    assert!(!world.service().text().contains(&told), "once is enough");
    assert_eq!(world.status()["teams"], 3);
}

/// The queued delivery is days old.
#[test]
fn a_pause_of_days_is_no_reason_not_to_be_ready() {
    let mut world = world_of_before(BEFORE[0]);
    assert_eq!(world.alone(&["pause"]).0, 0);
    world.start();
    world.wait_until("ready", || world.status()["ready"] == true);
    assert_eq!(
        (&world.status()["queued"], world.status()["headline"]["title"].as_str()),
        (&1.into(), Some("Paused"))
    );
}

#[test]
fn a_state_of_a_newer_version_is_refused_and_left_as_it_is() {
    let mut world = world_of_before(BEFORE[0]);
    world.start();
    world.take_service().kill();
    let log = world.dir.0.join("state/journal/2.log");
    let mut newer = fs::read(&log).unwrap();
    assert_eq!(set_version(&mut newer, b'9'), Some(b'4'));
    fs::write(&log, &newer).unwrap();
    let (code, _, said) = world.alone(&["serve"]);
    assert_eq!(code, 1, "{said}");
    let expected = format!(
        "has format 9: this version reads formats up to {FORMAT}\n  fix: start the newer version that wrote it, or \
         put back the copy of the state from before its first start"
    );
    assert!(said.contains(&expected), "{said}");
    assert_eq!(fs::read(&log).unwrap(), newer);
}
