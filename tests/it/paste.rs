//! Commands that are shown work when pasted where they are read: from a folder of the reader's own, without any variable.

use std::collections::BTreeSet;

use crate::standin::Delivery;
use crate::world::{shown, Truth, World};

/// A world with something to type for: a hold, and a delivery that failed. Its state lies where nobody would look, in a
/// folder whose name is two words to a shell, and half a quotation.
fn world_with_work() -> (World, String, Delivery) {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    let dir = world.dir.0.join("o'brien's state").display().to_string();
    world.set("SYNC_STATE_DIR", &dir);
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let (other, created) = world.github.create_team("Other", world.olive);
    world.settle(&created);
    world.sentry.set_idp_provisioned(world.sentry.teams()["crew"].id, true);
    let added = world.github.add_member(crew, ana).remove(0);
    assert_eq!(world.settle(std::slice::from_ref(&added)).0, "failed");
    world.sentry.add_project(world.sentry.teams()["other"].id, "shop");
    assert_eq!(world.settle(&world.github.delete_team(other)).0, "held");
    (world, dir.replace('\'', r"'\''"), added)
}

/// Every command in a text that begins like the program, up to where a sentence, a string or an element goes on.
fn commands(text: &str) -> BTreeSet<String> {
    let program = shown::program();
    let starts = text.match_indices(&program).map(|(at, _)| at);
    starts
        .map(|at| {
            let rest = &text[at..];
            let end = rest.find(['\n', '`', '<', '"', ';', ')']).unwrap_or(rest.len());
            rest[..end].trim_end_matches(['.', ',']).to_string()
        })
        .collect()
}

fn without_entities(html: &str) -> String {
    html.replace("&#39;", "'").replace("&quot;", "\"").replace("&amp;", "&")
}

#[test]
fn every_command_works_where_it_is_read() {
    let (mut world, dir, failed) = world_with_work();
    let hold = world.only_hold()["name"].as_str().unwrap().to_string();
    let page = without_entities(&world.get_admin("/").1);
    let ask = |args: &[&str]| {
        let (_, said, talk) = world.command(args);
        said + &talk
    };
    let strings = |json: &str| -> String {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        let mut all = Vec::new();
        collect(&value, &mut all);
        all.join("\n")
    };
    let sources = [
        ("page", page),
        ("status.json", strings(&world.get_admin("/status.json").1)),
        ("status", ask(&["status"])),
        ("status --json", strings(&ask(&["status", "--json"]))),
        ("explain crew", ask(&["explain", "crew"])),
        ("explain other", ask(&["explain", "other"])),
        ("explain nobody", ask(&["explain", "nobody"])),
        ("audit", ask(&["audit"])),
        ("check", ask(&["check"])),
        ("approve", ask(&["approve", "nothing"])),
        ("log", world.service().text()),
    ];
    let state = format!("--state-dir '{dir}'");
    let mut all = BTreeSet::new();
    for (source, text) in &sources {
        let found = commands(text);
        for command in &found {
            assert!(command.contains(&state), "{source} shows a command of another directory: {command}");
        }
        // Nothing is left that was meant for the default directory.
        let plain = text.replace(&shown::program(), "");
        for word in ["approve", "reject", "replay", "status", "undo", "explain", "check"] {
            assert!(!plain.contains(&format!("sentry-team-sync {word}")), "{word} in {source}: {text}");
        }
        all.extend(found);
    }
    let has = |command: &str| all.contains(&format!("{} {command}", shown::program()));
    let replay = format!("replay {state} {}", failed.guid);
    let (approve, reject) = (format!("approve {state} {hold}"), format!("reject {state} {hold}"));
    for command in [&replay, &approve, &reject] {
        assert!(has(command), "{command} in {all:#?}");
    }
    for (source, text) in &sources {
        let decides = ["page", "status.json", "status", "status --json", "explain other", "audit", "log"]
            .contains(source);
        assert_eq!(decides, text.contains(&approve), "{source}: {text}");
    }
    // Whoever pastes them decides, with a service and without one.
    let run = |command: &str| world.paste(&format!("{} {command}", shown::program()));
    world.sentry.set_idp_provisioned(world.sentry.teams()["crew"].id, false);
    assert_eq!(run(&replay).0, 0);
    world.wait_until("it is done", || world.status()["failed"] == 0);
    world.take_service().stop("-TERM");
    let (code, said, talk) = world.paste(&format!("{} {reject}", shown::program()));
    assert_eq!((code, said.starts_with("rejected: delete Sentry team `other`")), (0, true), "{said}{talk}");
}

fn collect(value: &serde_json::Value, all: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => all.push(text.clone()),
        serde_json::Value::Array(list) => list.iter().for_each(|value| collect(value, all)),
        serde_json::Value::Object(map) => map.values().for_each(|value| collect(value, all)),
        _ => {}
    }
}

/// A state directory is moved, and what was written into it goes along: texts are made for whoever reads them now.
#[test]
fn what_was_written_before_a_move_is_shown_for_the_place_of_now() {
    let (mut world, _, _) = world_with_work();
    let before = world.env["SYNC_STATE_DIR"].clone();
    world.take_service().stop("-TERM");
    let now = world.dir.0.join("moved").display().to_string();
    std::fs::rename(&before, &now).unwrap();
    world.set("SYNC_STATE_DIR", &now);
    world.start();
    let hold = world.only_hold()["name"].as_str().unwrap().to_string();
    let approve = world.shown(&format!("approve {hold}"));
    let (_, page) = world.get_admin("/");
    assert!(page.contains(&approve) && !page.contains("o&#39;brien"), "{page}");
    let note = world.status()["recent"][0]["note"].as_str().unwrap().to_string();
    assert!(note.ends_with(&format!("; approve with: {approve}")), "{note}");
}

#[test]
fn a_usage_error_names_the_directory_that_was_named() {
    let world = World::new(Truth::Deliveries);
    let (code, _, talk) = world.command_with(&["approve", "--state-dir", "/srv/x"], &[]);
    let list = shown::shown("status", Some("/srv/x"));
    assert_eq!(
        (code, talk),
        (64, format!("error: `approve` needs the name of a hold, or --all\n  fix: `{list}` lists them\n"))
    );
    let (code, _, talk) = world.command(&["explain", "crew", "search", "--state-dir=/srv/x"]);
    assert!(code == 64 && talk.contains("needs one team"), "{talk}");
}
