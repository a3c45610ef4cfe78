//! Every decision is a line of the audit log: who, about which hold, why, and what came of it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use sentry_team_sync::parts::retried;
use serde_json::{json, Value};

use crate::standin::GithubTeam;
use crate::world::{Truth, World};

/// The lines with this decision.
fn lines(world: &World, decision: &str) -> Vec<Value> {
    world.audit().into_iter().filter(|line| line["decision"] == decision).collect()
}

fn one(world: &World, decision: &str) -> Value {
    let mut all = lines(world, decision);
    assert_eq!(all.len(), 1, "{decision}: {:#?}", world.audit());
    all.remove(0)
}

/// This test's own user, as the kernel and the machine's list of users have it.
fn own_user() -> (u32, String) {
    use std::os::unix::fs::MetadataExt;
    let uid = std::fs::metadata("/proc/self").unwrap().uid();
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.split(':').nth(2) == Some(&uid.to_string()));
    (uid, line.and_then(|line| line.split(':').next()).unwrap_or_default().to_string())
}

#[track_caller]
fn is_mine(line: &Value) {
    let (uid, name) = own_user();
    assert_eq!(line["by"]["uid"], uid, "{line:#}");
    if !name.is_empty() {
        assert_eq!(line["by"]["user"], name.as_str(), "{line:#}");
    }
}

/// A service that has held the end of `crew`, which owns a project: the hold's name.
fn held_end(truth: Truth) -> (World, u64, String) {
    let (world, crew) = World::new(truth).with_crew();
    world.sentry.add_project(world.sentry.teams()["crew"].id, "shop");
    world.settle(&world.github.delete_team(crew));
    let name = world.only_hold()["name"].as_str().unwrap().to_string();
    (world, crew, name)
}

/// A service that has held the take-over of `payments` by a newer team.
fn held_adoption() -> (World, String) {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.sentry.add_team("payments", "Payments");
    world.set("SYNC_FIRST", "apply");
    world.start();
    world.wait_until("compared", || world.status()["last_reconcile"].is_object());
    let in_an_hour = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let team = world.github.add_team(GithubTeam::new("Payments").created(in_an_hour));
    world.settle(&world.github.add_member(team, world.olive));
    let name = world.only_hold()["name"].as_str().unwrap().to_string();
    (world, name)
}

#[test]
fn an_approval_is_told_with_who_and_why_and_what_was_done_for_it() {
    for truth in [Truth::Deliveries, Truth::Github] {
        let (world, crew, name) = held_end(truth);
        let hold = one(&world, "hold");
        assert_eq!((&hold["hold"], &hold["by"]), (&json!(name), &Value::Null));
        let sudo = [("SUDO_USER", "ana"), ("SUDO_UID", "1000")];
        let (code, said, talk) =
            world.command_with(&["approve", &name, "--reason", "the shop \"is\" closed"], &sudo);
        assert_eq!((code, talk.as_str()), (0, ""), "{said}");
        world.wait_until("it is over", || !lines(&world, "end hold").is_empty());
        let decided = one(&world, "approve");
        is_mine(&decided);
        assert_eq!(decided["by"]["claimed"]["sudo_user"], "ana", "{decided:#}");
        assert_eq!((&decided["hold"], &decided["said"]), (&json!(name), &json!("the shop \"is\" closed")));
        assert_eq!((&decided["team"], &decided["slug"]), (&json!(crew), &json!("crew")));
        world.wait_until("all of it is told", || !lines(&world, "end team").is_empty());
        for done in ["will delete team", "delete team", "end team"] {
            assert_eq!(one(&world, done)["hold"], name.as_str(), "{done}");
        }
        let end = one(&world, "end hold");
        assert_eq!(end["hold"], name.as_str());
        assert!(end["reason"].as_str().unwrap().starts_with("approved 20"), "{end:#}");
        // It is found by the team, and reads as a sentence.
        let (_, said, _) = world.command(&["audit", "-v", "--team", "crew"]);
        let line = said.lines().find(|line| line.contains(" command: approve crew (Sentry team ")).unwrap();
        let (uid, user) = own_user();
        let who = if user.is_empty() { format!("by uid {uid}") } else { format!("by {user} (uid {uid})") };
        assert!(
            line.contains(&who)
                && line.contains(", claims SUDO_USER ana, who said \"the shop \\\"is\\\" closed\""),
            "{line}"
        );
        assert!(line.ends_with(&format!(" [hold {name}]")), "{line}");
        assert!(world.service().text().contains(&format!("control: approve {who}")));
    }
}

#[test]
fn a_rejected_adoption_is_told_like_a_rejected_deletion() {
    let (world, name) = held_adoption();
    assert_eq!(world.command(&["reject", &name, "--reason=not theirs"]).0, 0);
    let decided = one(&world, "reject");
    is_mine(&decided);
    assert_eq!(
        (&decided["hold"], &decided["slug"], &decided["said"]),
        (&json!(name), &json!("payments"), &json!("not theirs"))
    );
    let (world, _, name) = held_end(Truth::Deliveries);
    assert_eq!(world.command(&["reject", &name]).0, 0);
    world.wait_until("it is over", || !lines(&world, "end hold").is_empty());
    assert_eq!(one(&world, "reject")["said"], Value::Null);
    world.wait_until("it is told", || !lines(&world, "leave team").is_empty());
    assert_eq!(one(&world, "leave team")["hold"], name.as_str());
}

#[test]
fn a_decision_without_a_service_is_told_too_and_so_is_what_came_of_it_later() {
    let (mut world, _, name) = held_end(Truth::Deliveries);
    world.take_service().stop("-TERM");
    assert_eq!(world.command(&["approve", "--all", "--reason", "gone"]).0, 0);
    is_mine(&one(&world, "approve"));
    world.start();
    world.wait_until("it is over", || !lines(&world, "end hold").is_empty());
    assert_eq!(one(&world, "delete team")["hold"], name.as_str());
}

#[test]
fn a_removal_that_was_approved_names_its_hold() {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.set("SYNC_FIRST", "apply");
    world.set("SYNC_MAX_TEAM_REMOVALS", "1%,1");
    world.set("SYNC_INTERVAL", "1s");
    let crew = world.old_team("Crew");
    let all: Vec<_> = ["ana", "ben", "eve"]
        .map(|login| {
            world.sentry.add_member(format!("{login}@acme.test").as_str());
            world
                .github
                .add_person(crate::standin::GithubUser::new(login).verified(&format!("{login}@acme.test")))
        })
        .into();
    all.iter().chain([&world.olive]).for_each(|person| world.github.join(crew, *person));
    world.start();
    world.wait_for_members("crew", &["ana", "ben", "eve"]);
    world.wait_for_rest();
    all[..2].iter().for_each(|person| world.github.leave(crew, *person));
    let name = world.only_hold()["name"].as_str().unwrap().to_string();
    // Somebody who is back makes another hold of it: the one before is told to be over, and why.
    world.github.join(crew, all[0]);
    world.wait_until("another hold", || world.only_hold()["name"] != name.as_str());
    world.wait_until("the first is told", || !lines(&world, "end hold").is_empty());
    let end = one(&world, "end hold");
    assert_eq!((&end["hold"], &end["team"]), (&json!(name), &json!(crew)));
    assert!(end["reason"].as_str().unwrap().ends_with("or is part of another hold"), "{end:#}");
    let name = world.only_hold()["name"].as_str().unwrap().to_string();
    assert_eq!(world.command(&["approve", &name]).0, 0);
    world.wait_for_members("crew", &["ana", "eve"]);
    world.wait_until("it is told", || !lines(&world, "remove member").is_empty());
    assert_eq!(one(&world, "remove member")["hold"], name.as_str());
    // Whoever asks for a person finds the decision.
    let (_, said, _) = world.command(&["audit", "--person", "ben", "--json"]);
    let decisions: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(decisions.iter().any(|line| line["decision"] == "approve"), "{said}");
}

#[test]
fn a_replay_and_an_undo_are_told_with_what_came_of_them() {
    let (world, crew) = World::new(Truth::Deliveries).with_crew();
    let ana = world.person("ana");
    let sentry = world.sentry.teams()["crew"].id;
    world.sentry.set_idp_provisioned(sentry, true);
    let added = world.github.add_member(crew, ana);
    world.settle(&added);
    world.sentry.set_idp_provisioned(sentry, false);
    assert_eq!(world.command(&["replay", "--failed", "--reason", "unlocked"]).0, 0);
    world.wait_until("it is told", || !lines(&world, "end replay").is_empty());
    let (replay, end) = (one(&world, "replay"), one(&world, "end replay"));
    is_mine(&replay);
    let guid = json!(added.last().unwrap().guid);
    assert_eq!((&replay["delivery"], &replay["said"], &end["delivery"]), (&guid, &json!("unlocked"), &guid));
    assert_eq!(end["reason"], "done: added `ana` to `crew`");
    world.settle(&world.github.delete_team(crew));
    assert_eq!(world.command(&["undo", "crew", "--reason", "too soon"]).0, 0);
    let (undo, end) = (one(&world, "undo"), one(&world, "end undo"));
    is_mine(&undo);
    assert_eq!((&undo["sentry_team"], &undo["said"]), (&json!(sentry), &json!("too soon")));
    assert!(end["reason"].as_str().unwrap().starts_with("brought back Sentry team `crew`"), "{end:#}");
}

#[test]
fn a_plan_that_somebody_has_carried_out_is_told() {
    let world = World::new(Truth::Github).may_list_teams();
    world.old_team("Crew");
    assert_eq!(world.alone(&["sync", "--apply"]).0, 0);
    let line = one(&world, "carry out plan");
    is_mine(&line);
    assert_eq!(line["reason"], "1 to create; 0 teams in sync, 0 left out");
}

/// A command of another version, or nobody's: what the kernel says of it is all there is.
#[test]
fn whoever_says_nothing_or_nonsense_of_themselves_is_known_by_their_user() {
    let (world, _, name) = held_end(Truth::Deliveries);
    for (n, caller) in
        [Value::Null, json!("x"), json!({ "sudo_user": 7 }), json!({ "sudo_user": "a\u{1b}[2J\n" })]
            .into_iter()
            .enumerate()
    {
        let mut asked =
            json!({ "command": if n == 3 { "reject" } else { "approve" }, "holds": [name], "all": false });
        if n > 0 {
            asked["caller"] = caller;
        }
        if n == 1 || n == 2 {
            asked["holds"] = json!(["00000000"]);
        }
        if n == 0 {
            asked = json!({ "command": "status", "json": false });
        }
        let mut stream =
            retried(|| UnixStream::connect(format!("{}/control", world.env["SYNC_STATE_DIR"]))).unwrap();
        writeln!(stream, "{asked}").unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert!(answer.starts_with("{\"reply\":"), "{answer}");
    }
    let decided = one(&world, "reject");
    is_mine(&decided);
    assert_eq!(decided["by"]["claimed"], json!({ "sudo_user": "a[2J" }));
}
