//! The command `audit`: which lines are shown, in which order, beside a service and without one.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{json, Value};

use super::ends::with_crew;
use crate::standin::GithubUser;
use crate::world::{bounds, Truth, World, BOTH};

fn ask(world: &World, args: &[&str]) -> String {
    let (code, said, talk) = world.command(&[&["audit", "-v"], args].concat());
    let none = if said.is_empty() { "the audit log has no matching lines\n" } else { "" };
    assert_eq!((code, talk.as_str()), (0, none), "{args:?}");
    said
}

/// Puts lines into the log of a month.
fn write(world: &World, month: &str, lines: &[Value]) {
    let dir = world.dir.0.join("state/audit");
    fs::create_dir_all(&dir).unwrap();
    let mut file =
        fs::OpenOptions::new().append(true).create(true).open(dir.join(format!("{month}.jsonl"))).unwrap();
    lines.iter().for_each(|line| writeln!(file, "{line}").unwrap());
}

fn decisions(lines: &str) -> Vec<String> {
    let decision =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["decision"].as_str().unwrap().to_string();
    lines.lines().map(decision).collect()
}

#[test]
fn every_decision_is_a_line_with_event_reason_call_and_answer() {
    for truth in BOTH {
        let (world, _, sentry) = with_crew(truth, "delete");
        let said = ask(&world, &[]);
        let made = said.lines().next().unwrap();
        assert!(made.contains(" team.created: create team crew"), "{said}");
        assert!(made.contains("; POST /api/0/organizations/acme-sentry/teams/ -> 201 ["), "{said}");
        let ana = said.lines().find(|line| line.contains("add member ana")).unwrap();
        assert!(
            ana.contains(" membership.added: add member ana, team crew: matched by public; POST "),
            "{ana}"
        );
        assert!(ana.contains("/teams/crew/ -> 201 ["), "{ana}");
        let (_, short, _) = world.command(&["audit"]);
        let ana = short.lines().find(|line| line.contains("ana")).unwrap();
        assert!(ana.ends_with("Z  add member        crew              ana: matched by public"), "{ana}");
        assert!(short.lines().all(|line| line.chars().count() <= 120) && !short.contains("POST"), "{short}");
        // A deletion tells the id that brings the team back.
        let id = world.github.team_id("crew").unwrap();
        world.settle(&world.github.delete_team(id));
        let told = ask(&world, &["--team", "crew"]);
        assert!(told.contains(&format!("delete team crew (Sentry team {sentry}); DELETE ")), "{told}");
    }
}

#[test]
fn json_lines_are_those_of_the_file() {
    let (world, _, _) = with_crew(Truth::Github, "delete");
    let said = ask(&world, &["--json"]);
    let dir = world.dir.0.join("state/audit");
    let files = fs::read_dir(dir).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    assert_eq!(said, files.collect::<String>());
}

#[test]
fn lines_are_chosen_by_team_person_and_time() {
    let (world, crew, _) = with_crew(Truth::Deliveries, "delete");
    let (other, created) = world.github.create_team("Other", world.olive);
    world.settle(&created);
    world.settle(&world.github.add_member(other, world.person("ben")));
    world.settle(&world.github.rename_team(crew, "Night Crew"));
    let crews = ["create team", "add member", "rename team"];
    // By any slug that it ever had, and by its id.
    for team in ["crew", "night-crew", &format!("id:{crew}")] {
        assert_eq!(decisions(&ask(&world, &["--json", "--team", team])), crews, "{team}");
    }
    assert_eq!(decisions(&ask(&world, &["--json", "--team", "crew", "--team", "other"])).len(), 5);
    for person in ["BEN".into(), "@ben".to_string(), format!("id:{}", world.github.user_id("ben").unwrap())] {
        let said = ask(&world, &["--person", &person]);
        assert_eq!(said.lines().count(), 1, "{person}: {said}");
        assert!(said.contains("add member ben, team other"), "{said}");
    }
    assert_eq!(ask(&world, &["--person", "ben", "--team", "crew"]), "");
    assert_eq!(ask(&world, &["--since", "1h"]), ask(&world, &[]));
    assert_eq!(ask(&world, &["--since", "2999-01-01"]), "");
    assert_eq!(ask(&world, &["--since", "yesterday"]), ask(&world, &[]));
    let (code, said, talk) = world.command(&["audit", "--since", "last week"]);
    assert_eq!((code, said.as_str()), (64, ""));
    assert_eq!(talk, "error: --since: `last week` is not a time: write for example 2026-11-01, 2026-11-01T10:00:00Z, yesterday, 36h or 7d\n");
}

#[test]
fn lines_come_in_the_order_of_time_from_all_months_that_count() {
    let world = World::new(Truth::Deliveries);
    let line = |at: &str, decision: &str| json!({ "at": at, "event": "e", "decision": decision });
    write(&world, "2026-10", &[line("2026-10-31T23:59:59Z", "a"), line("2026-10-01T00:00:00Z", "b")]);
    write(&world, "2026-11", &[line("2026-11-03T00:00:00Z", "c"), line("2026-11-02T00:00:00Z", "d")]);
    assert_eq!(decisions(&ask(&world, &["--json"])), ["b", "a", "d", "c"]);
    assert_eq!(decisions(&ask(&world, &["--json", "--since", "2026-11-02T12:00:00Z"])), ["c"]);
    // A month that can not be read is not asked for what came after it.
    fs::create_dir(world.dir.0.join("state/audit/2026-09.jsonl")).unwrap();
    assert_eq!(decisions(&ask(&world, &["--json", "--since", "2026-10-15"])), ["a", "d", "c"]);
    assert_eq!(world.command(&["audit"]).0, 1);
}

#[test]
fn what_can_not_be_read_is_counted_and_the_next_line_is_not_lost_with_it() {
    let (mut world, crew, _) = with_crew(Truth::Deliveries, "delete");
    let before = ask(&world, &[]);
    world.take_service().kill();
    let file = fs::read_dir(world.dir.0.join("state/audit")).unwrap().next().unwrap().unwrap().path();
    let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
    // Garbage, and a line that a power cut has torn.
    file.write_all(b"\xff\xfe\0\n{}\n{\"at\":\"2026-11-25T00:").unwrap();
    world.start();
    world.settle(&world.github.rename_team(crew, "Night Crew"));
    let (code, said, talk) = world.command(&["audit", "-v"]);
    assert_eq!((code, talk.as_str()), (0, "warning: 3 lines of the log are damaged and were left out\n"));
    assert!(said.starts_with(&before) && said.contains("rename team crew"), "{said}");
}

#[test]
fn the_log_is_read_without_a_service_and_while_somebody_has_the_lock() {
    let (mut world, _, _) = with_crew(Truth::Github, "delete");
    let said = ask(&world, &["--team", "crew"]);
    // Without its socket, nobody can ask the service, which has the lock.
    fs::remove_file(world.dir.0.join("state/control")).unwrap();
    assert!(world.command(&["status"]).2.contains("another process holds the state directory"));
    assert_eq!(ask(&world, &["--team", "crew"]), said);
    world.take_service().stop("-TERM");
    assert_eq!(ask(&world, &["--team", "crew"]), said);
    // Copied somewhere else, too.
    let copy = world.dir.0.join("copy");
    fs::create_dir(&copy).unwrap();
    fs::rename(world.dir.0.join("state/audit"), copy.join("audit")).unwrap();
    assert_eq!(ask(&world, &["--state-dir", copy.to_str().unwrap(), "--team", "crew"]), said);
    let none = format!("there is no audit log below `{}` yet\n", world.env["SYNC_STATE_DIR"]);
    assert_eq!(world.command(&["audit"]), (0, String::new(), none));
}

#[test]
fn hostile_names_steer_no_terminal_in_text_and_json() {
    let mut world = World::new(Truth::Deliveries);
    let evil = format!("<b>\u{202e}\u{1b}[2J\u{e0001}{}", "ü".repeat(240));
    let sentry_team = world.sentry.add_team("crew", &"x".repeat(64));
    let crew = world.old_team("Crew");
    world.start();
    world.settle(&world.github.edit_description(crew, &evil));
    world.settle(&world.github.rename_team(crew, &evil));
    world.settle(&world.github.add_member(crew, world.github.add_person(GithubUser::new("ana").name(&evil))));
    write(
        &world,
        "2026-11",
        &[
            json!({ "at": "2026-11-25T00:00:00Z", "event": evil, "decision": evil, "login": evil, "slug": evil,
            "reason": evil, "call": evil, "answer": evil, "delivery": evil, "before": evil, "sentry_team": sentry_team }),
        ],
    );
    let before = json!({ "name": evil, "slug": evil, "members": [{ "member": 1, "email": evil }], "projects": [evil] });
    let told = |decision: &str| {
        json!({ "at": "2026-11-25T00:00:01Z", "event": "e", "decision": decision,
        "team": 1, "sentry_team": 9999, "slug": evil, "answer": "204", "before": before })
    };
    write(&world, "2026-11", &[told("will delete team"), told("delete team")]);
    assert!(ask(&world, &[]).contains("; people: 1, projects: 1"));
    assert!(world.command(&["undo"]).1.starts_with("9999  <b>\\u{202e}\\u{1b}[2J\\u{e0001}"));
    let harmful = |c: &char| (c.is_control() && *c != '\n') || ['\u{202e}', '\u{e0001}'].contains(c);
    for args in [
        &["audit"][..],
        &["audit", "--json"],
        &["undo"],
        &["undo", &evil],
        &["undo", "9999"],
        &["status"],
        &["whois", "ana"],
    ] {
        let (_, said, talk) = world.command(args);
        let found: Vec<_> = said.chars().chain(talk.chars()).filter(harmful).collect();
        let is_told = !said.is_empty() || !talk.is_empty();
        assert!(found.is_empty() && is_told, "{args:?}: {found:?} in {said}{talk}");
    }
    // The forged record's slug is none that Sentry ever gave: asking for it is this test's doing, and nothing else was wrong.
    let asked = world.sentry.wire.take_undescribed();
    assert!(!asked.is_empty() && asked.iter().all(|fault| fault.contains("`body.slug`")), "{asked:?}");
    // JSON says the same all the same.
    let said = ask(&world, &["--json", "--team", &evil]);
    assert_eq!(serde_json::from_str::<Value>(said.lines().next().unwrap()).unwrap()["reason"], evil.as_str());
}

/// A log that is larger than the service may ever be goes through it in pieces.
#[test]
fn a_long_log_is_streamed_and_a_reader_may_stop() {
    let mut world = World::new(Truth::Deliveries);
    let line =
        json!({ "at": "2026-11-20T00:00:00Z", "event": "e", "decision": "d", "reason": "r".repeat(9_000) });
    let lines = vec![line; 2_000];
    write(&world, "2026-11", &lines);
    world.start();
    let peak = |world: &World| -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", world.service().pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    };
    let before = peak(&world);
    assert_eq!(ask(&world, &["--json"]).lines().count(), lines.len());
    let grown = peak(&world) - before;
    assert!(grown < 12, "{grown} MiB more for a log of 17 MiB");
    // As `head -1` does.
    let mut child = Command::new(World::program())
        .args(["audit", "-v"])
        .env_clear()
        .env("SYNC_STATE_DIR", &world.env["SYNC_STATE_DIR"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("2026-11-20T00:00:00Z e: d: rrr"), "{first}");
    let ended = bounds::output_of(child);
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0));
    assert!(world.service_mut().is_alive());
}
