//! The user map's file: what it has to look like, and what stays in use while it does not.

use std::fs;
use std::path::PathBuf;

use crate::standin::GithubUser;
use crate::world::{Truth, World};

/// A world whose user map has this text, and the map's path.
fn with_map(truth: Truth, text: &str) -> (World, PathBuf) {
    let mut world = World::new(truth);
    let map = world.dir.0.join("map.csv");
    fs::write(&map, text).unwrap();
    world.set("SYNC_USER_MAP", map.to_str().unwrap());
    (world, map)
}

#[test]
fn a_row_that_can_name_nobody_is_refused_by_its_line_and_displaces_no_good_match() {
    let (world, map) = with_map(Truth::Github, "ben,ben@corp.test\n");
    let ana = world.github.add_person(GithubUser::new("ana").saml("ana@sso.test"));
    let ben = world.github.add_person(GithubUser::new("ben"));
    world.sentry.add_member("ana@sso.test");
    world.sentry.add_member("ben@corp.test");
    let (mut world, crew) = world.with_crew();
    for (row, told) in [
        ("ana,<ana@corp.test>", "line 2 gives \"ana\" \"<ana@corp.test>\""),
        ("ana,mailto:ana@corp.test", "line 2 gives \"ana\" \"mailto:ana@corp.test\""),
        ("ana,ana@corp.test,", "line 2 has 3 columns"),
        ("ana;ana@corp.test", "line 2 has no comma"),
        ("https://github.com/ana,ana@corp.test", "line 2 names \"https://github.com/ana\""),
        ("BEN,other@corp.test", "line 2 names \"ben\" again: line 1 does"),
    ] {
        fs::write(&map, format!("ben,ben@corp.test\n{row}\n")).unwrap();
        let refused = format!("SYNC_USER_MAP `{}`: {told}", map.display());
        world.service_mut().wait_for_line(&format!("error user map: {refused}"));
    }
    fs::write(&map, "{\n\"ben\": \"ben@corp.test\",\n\"ana\": \"ana@corp.test\",\n\"ana\": \"a@b.test\"}")
        .unwrap();
    world
        .service_mut()
        .wait_for_line("line 4 names \"ana\" again: line 3 does; the last good one stays in use");
    assert_eq!(world.metric("sync_user_map_refused"), 1);
    let (code, ready) = world.get_admin("/readyz");
    assert!(code == 200 && ready.contains("line 4 names"), "{ready}");
    let (_, told, _) = world.command(&["status", "-v"]);
    assert!(told.contains("warning: SYNC_USER_MAP"), "{told}");
    let (code, told, _) = world.command(&["check", "-v"]);
    assert!(code == 1 && told.contains("line 4 names \"ana\" again"), "{told}");
    world.settle(&world.github.add_member(crew, ana));
    world.settle(&world.github.add_member(crew, ben));
    let members = world.members("crew").unwrap();
    for address in ["ana@sso.test", "ben@corp.test"] {
        assert!(members.contains(&address.to_string()), "{address} in {members:?}");
    }
    fs::write(&map, "ben,ben@corp.test\n").unwrap();
    world.wait_until("the map is well", || world.metric("sync_user_map_refused") == 0);
    assert!(!world.get_admin("/readyz").1.contains("warnings"));
}

#[test]
fn what_an_older_version_kept_goes_on_without_its_odd_rows_and_is_grave_after_a_day() {
    // As a version without this grammar took it and left it behind.
    let (world, map) = with_map(Truth::Deliveries, "ana,ana@corp.test\nben,<ben@corp.test>\n");
    let state = world.dir.0.join("state");
    fs::create_dir_all(&state).unwrap();
    let kept = state.join("user-map.json");
    fs::write(&kept, "{\n  \"ana\": \"ana@corp.test\",\n  \"ben\": \"<ben@corp.test>\"\n}").unwrap();
    world.sentry.add_member("ana@corp.test");
    let ana = world.github.add_person(GithubUser::new("ana"));
    let (mut world, crew) = world.with_crew();
    world.service_mut().wait_for_line(
        "warn user map: this version rejects a row of the saved map and skips it: it gives \"ben\"",
    );
    world.settle(&world.github.add_member(crew, ana));
    assert!(world.members("crew").unwrap().contains(&"ana@corp.test".into()));
    let (code, ready) = world.get_admin("/readyz");
    assert!(code == 200 && ready.contains("line 2 gives \\\"ben\\\""), "{ready}");
    // A restart does not begin to count anew.
    let since = fs::read_to_string(state.join("user-map.refused")).unwrap();
    world.crash_and_restart();
    world.wait_until("told again", || world.get_admin("/readyz").1.contains(since.trim()));
    world.take_service().stop("-TERM");
    fs::write(state.join("user-map.refused"), "2026-01-01T00:00:00Z\n").unwrap();
    world.start();
    world.wait_until("a day is over", || {
        let (code, ready) = world.get_admin("/readyz");
        code == 503 && ready.contains("line 2 gives")
    });
    fs::write(&map, "ana,ana@corp.test\n").unwrap();
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    assert!(!state.join("user-map.refused").exists());
}
