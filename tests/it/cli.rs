//! The command line as people use it: help, wrong usage, exit codes, and commands with and without a running service.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::standin::Delivery;
use crate::world::{bounds, shown, Truth, World};

/// Runs the program without any environment: exit code, stdout, stderr.
fn program(args: &[&str]) -> (i32, String, String) {
    let output = bounds::output(Command::new(World::program()).args(args).env_clear()).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// A world in which one delivery has failed for good.
fn world_with_failure() -> (World, Delivery, u64) {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("the team is made", || world.members("crew").is_some());
    let team = world.sentry.teams()["crew"].id;
    world.sentry.set_idp_provisioned(team, true);
    let added = world.github.add_member(crew, ana).remove(0);
    world.send(std::slice::from_ref(&added));
    world.wait_until("it failed", || world.status()["failed"] == 1);
    (world, added, team)
}

#[test]
fn help_and_version_go_to_stdout_and_need_nothing() {
    let (code, help, talk) = program(&["--help"]);
    assert_eq!((code, talk.as_str()), (0, ""));
    assert!(help.starts_with("Keeps Sentry's teams and their members the same as GitHub's"), "{help}");
    assert!(help.contains("\n  approve      carry out changes that are on hold\n"), "{help}");
    assert!(
        help.contains("\n  GH_WEBHOOK_TOKEN  the webhook's secret\n") && !help.contains("SYNC_"),
        "{help}"
    );
    assert_eq!(program(&["-h"]), (0, help, String::new()));
    let (code, all, talk) = program(&["--help", "settings"]);
    assert_eq!((code, talk.as_str()), (0, ""));
    assert!(all.contains("\n  --listen ADDR, SYNC_LISTEN\n      where to receive deliveries"), "{all}");
    for args in [&["sync", "--help"][..], &["--help", "sync"], &["help", "sync"], &["sync", "--json", "-h"]] {
        let (code, help, talk) = program(args);
        assert_eq!((code, talk.as_str()), (0, ""), "{args:?}");
        assert!(help.starts_with("usage: sentry-team-sync sync [--json] [--team TEAM]…"), "{help}");
        assert!(
            help.contains("--save FILE ") && help.contains("\nexample: sentry-team-sync sync "),
            "{help}"
        );
        assert!(help.contains("\nexit codes: 0 in sync"), "{help}");
    }
    let version = format!("sentry-team-sync {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["--version", "-V"] {
        assert_eq!(program(&[flag]), (0, version.clone(), String::new()));
    }
}

#[test]
fn wrong_usage_ends_with_64_and_says_what_is_right() {
    for (args, said) in [
        (&["fly"][..], "error: there is no command `fly`\n  fix: `{program} --help` lists them\n"),
        (&["--fly"], "error: there is no flag `--fly`\n  fix: `{program} --help` lists them\n"),
        (&["-x"], "error: there is no flag `-x`\n  fix: `{program} --help` lists them\n"),
        (&["approve"], "error: `approve` needs the name of a hold, or --all\n  fix: `{program} status` lists them\n"),
        (&["whois"], "error: `whois` needs one person: a GitHub login, GitHub's id:NUMBER, or an e-mail address\n  fix: give the login as in github.com/LOGIN\n"),
        (&["completions", "csh"], "error: there are no completions for the shell `csh`\n  fix: choose bash, zsh or fish\n"),
        (&["reject"], "error: `reject` needs the name of a hold\n  fix: `{program} status` lists them\n"),
        (&["replay"], "error: `replay` needs the GUID of a delivery, or --failed, or --github\n  fix: `{program} status` lists them\n"),
    ] {
        let said = said.replace("{program}", &shown::program());
        assert_eq!(program(args), (64, String::new(), said), "{args:?}");
    }
    let many: [&[&str]; 9] = [
        &["sync", "--save", "a", "--save", "b"],
        &["whois", "ana", "ben"],
        &["serve", "now"],
        &["status", "--all"],
        &["status", "crew"],
        &["approve", "a", "--all"],
        &["replay", "--json", "a"],
        &["serve", "--listen"],
        // A token on the command line would be visible to everybody on the machine.
        &["serve", "--gh-token", "secret"],
    ];
    for args in many {
        let (code, answer, talk) = program(args);
        assert_eq!((code, answer.as_str()), (64, ""), "{args:?}");
        assert!(talk.starts_with("error: ") && talk.lines().count() <= 2, "{args:?}: {talk}");
    }
}

fn nothing_there(dir: &Path, how: &str) -> String {
    let dir = dir.display();
    format!("no service has run yet: `{dir}` {how}; for a service with another folder, use --state-dir\n")
}

/// Whoever asks may have half of a configuration, or one of yesterday: it is not theirs that counts.
#[test]
fn beside_a_service_no_command_minds_what_else_is_set_for_the_caller() {
    let (world, _) = World::new(Truth::Github).with_crew();
    let odd = [
        ("GH_TOKEN_FILE", "/nowhere/token"),
        ("SENTRY_TOKEN", "two words"),
        ("SENTRY_URL", "http://sentry.example.com"),
        ("SYNC_WORKERS", "many"),
        ("SYNC_TEAMS_FILE", "/nowhere/teams"),
        ("SYNC_LISTN", "127.0.0.1:1"),
    ];
    for (args, code) in [
        (&["status"][..], 0),
        (&["explain", "crew"], 0),
        (&["whois", "olive"], 0),
        (&["sync"], 0),
        (&["approve", "--all"], 0),
        (&["replay", "--failed"], 0),
        (&["audit"], 0),
        (&["undo"], 0),
    ] {
        let (ended, said, talk) = world.command_with(args, &odd);
        assert_eq!((ended, talk.as_str()), (code, ""), "{args:?}: {said}");
    }
    // What is wrong on the command line is wrong.
    let (ended, _, talk) = world.command(&["status", "--workers", "many"]);
    assert_eq!(ended, 64, "{talk}");
    assert!(talk.contains("SYNC_WORKERS is `many`"), "{talk}");
}

#[test]
fn a_setting_on_the_command_line_never_seems_to_count_for_a_running_service() {
    let (world, _) = World::new(Truth::Github).with_crew();
    let (code, said, talk) = world.command(&["sync", "--teams", "nothing"]);
    assert_eq!((code, said.as_str()), (0, "in sync: 1 team in sync, 0 left out\n"));
    assert_eq!(talk, "warning: the running service has its own settings: --teams is ignored\n");
    // Whoever limits what is about to be done is not overheard.
    let (code, said, talk) = world.command(&["sync", "--apply", "--delete-teams", "keep"]);
    assert_eq!((code, said.as_str()), (64, ""));
    assert!(talk.contains("--delete-teams would be ignored\n  fix: "), "{talk}");
}

#[test]
fn commands_that_are_shown_name_the_state_directory_that_was_named() {
    let (world, failed, _) = world_with_failure();
    let dir = world.env["SYNC_STATE_DIR"].clone();
    let shown = |args: &[&str]| world.command(args).1;
    let whole = world.shown(&format!("replay {}", &failed.guid[..8]));
    // A variable may be gone when the command is pasted.
    assert!(shown(&["status"]).contains(&whole));
    assert!(shown(&["status", "--state-dir", &dir]).contains(&whole));
}

#[test]
fn without_a_service_every_fault_and_every_unknown_variable_is_told() {
    let world = World::new(Truth::Deliveries);
    let odd = [
        ("SYNC_WORKERS", "many"),
        ("RUST_LOG", "loud"),
        ("GH_ORG", "https://github.com/acme"),
        ("SYNC_TEAMS", "[a"),
    ];
    let (ended, _, talk) = world.command_with(&["status"], &odd);
    assert_eq!(ended, 64, "{talk}");
    for (var, value) in odd {
        assert!(talk.contains(var) && talk.contains(value), "{var}: {talk}");
    }
    // A name that is not known is told beside the faults, and not only when these are gone.
    let (ended, _, talk) =
        world.command_with(&["status"], &[("SYNC_WORKERS", "many"), ("SYNC_PROTETC", "boss@example.com")]);
    assert_eq!(ended, 64, "{talk}");
    assert!(talk.contains("SYNC_WORKERS is `many`") && talk.contains("did you mean SYNC_PROTECT?"), "{talk}");
    let (ended, _, talk) = world.command_with(&["status"], &[("SYNC_LISTN", "127.0.0.1:1")]);
    let said =
        "warning: the variable SYNC_LISTN is not known to this version and is ignored; did you mean SYNC_LISTEN?\n";
    assert_eq!((ended, talk.as_str()), (0, said));
}

#[test]
fn a_slip_of_the_finger_is_told_what_was_meant() {
    for (args, meant) in [
        (&["statsu"][..], "status"),
        (&["snyc"], "sync"),
        (&["status", "--jsn"], "--json"),
        (&["--lisen", "x"], "--listen"),
        (&["--verison"], "--version"),
        (&["--hlep"], "--help"),
        (&["-v"], "--version"),
        (&["check", "--ulr", "x"], "--url"),
    ] {
        let (code, _, talk) = program(args);
        assert_eq!(code, 64);
        assert!(talk.contains(&format!("did you mean `{meant}`?")), "{talk}");
    }
    assert_eq!(program(&["help"]), program(&["--help"]));
    for help in ["help", "--help"] {
        assert_eq!(program(&[help, "stauts"]), program(&["stauts"]));
    }
    for (args, fix) in [
        (&["sync", "--apply", "plan.json"][..], "write `--apply=plan.json`"),
        (&["--apply"], "did you mean `sync --apply`?"),
        (&["sync", "--dry-run"], "`sync` alone shows the plan and changes nothing"),
    ] {
        let (code, _, talk) = program(args);
        assert!(code == 64 && talk.contains(fix), "{talk}");
    }
}

#[test]
fn whoever_tries_a_secret_on_the_command_line_is_told_why_not_and_how_else() {
    for (flag, fixes) in [
        ("--gh-token", &["GH_TOKEN, or --gh-token-file FILE"][..]),
        ("--gh-tokne=ghp_0123456789", &["GH_TOKEN, or --gh-token-file FILE"]),
        ("--sentry-token=ghp_0123456789", &["SENTRY_TOKEN, or --sentry-token-file FILE"]),
        ("--gh-webhook-token", &["GH_WEBHOOK_TOKEN, or --gh-webhook-token-file FILE"]),
        ("--webhook-secret", &["GH_TOKEN, or --gh-token-file FILE", "--gh-webhook-token-file FILE"]),
    ] {
        let (code, _, talk) = program(&["serve", flag, "ghp_0123456789"]);
        assert_eq!(code, 64, "{talk}");
        assert!(talk.contains("everyone on this machine can read a command line"), "{talk}");
        assert!(fixes.iter().all(|fix| talk.contains(fix)), "{talk}");
        assert!(!talk.contains("ghp_0123456789"), "{talk}");
    }
}

#[test]
fn a_hold_that_was_decided_is_told_so_whether_it_is_over_or_not() {
    let (mut world, name) = World::new(Truth::Deliveries).with_held_deletion();
    world.take_service().stop("-TERM");
    assert!(world.command(&["reject", &name]).1.starts_with("rejected: delete Sentry team"));
    let again = |world: &World, word: &str| world.command(&[word, &name]);
    let (code, said, _) = again(&world, "reject");
    assert!(code == 0 && said.starts_with(&format!("hold {name} was already rejected at 20")), "{said}");
    world.start();
    world.wait_until("no hold is left", || world.status()["holds"] == serde_json::json!([]));
    // Another process knows it too.
    for _ in 0..2 {
        let (code, said, _) = again(&world, "reject");
        assert!(code == 0 && said.starts_with(&format!("hold {name} was already rejected at 20")), "{said}");
        let (code, _, talk) = again(&world, "approve");
        let told = format!("error: hold `{name}` is over: it was rejected at 20");
        assert!(code == 1 && talk.starts_with(&told), "{talk}");
        world.crash_and_restart();
    }
    let (code, _, talk) = world.command(&["reject", "00000000"]);
    assert!(code == 1 && talk.contains("there is no hold `00000000`"), "{talk}");
}

#[test]
fn flags_win_over_the_environment_in_the_real_program() {
    let world = World::new(Truth::Deliveries);
    let dir = world.dir.0.join("by-flag");
    let mut command = Command::new(World::program());
    command
        .args(["status", "--state-dir", dir.to_str().unwrap()])
        .env_clear()
        .env("SYNC_STATE_DIR", "/nowhere");
    let output = bounds::output(&mut command).unwrap();
    let said = nothing_there(&dir, "does not exist");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), said);
}

#[test]
fn looking_where_no_service_has_run_says_so_and_makes_nothing() {
    let world = World::new(Truth::Deliveries);
    let dir = world.dir.0.join("state");
    let entries = || fs::read_dir(&dir).map_or(0, |entries| entries.count());
    for exists in [false, true] {
        if exists {
            fs::create_dir(&dir).unwrap();
        }
        let said = nothing_there(&dir, if exists { "holds no state" } else { "does not exist" });
        assert_eq!(world.command(&["status"]), (0, said, String::new()));
        assert_eq!(world.command(&["status", "--json"]), (0, "null\n".into(), String::new()));
        let lacking = format!(
            "error: there is no state in `{}`\n  fix: give the service's folder with --state-dir\n",
            dir.display()
        );
        for args in [&["replay", "--failed"][..], &["replay", "a"], &["approve", "--all"], &["reject", "a"]] {
            assert_eq!(world.command(args), (1, String::new(), lacking.clone()), "{args:?}");
        }
        assert_eq!((dir.exists(), entries()), (exists, 0));
    }
}

#[test]
fn status_is_told_by_the_running_service_without_any_of_its_variables() {
    let (mut world, added, _) = world_with_failure();
    let calls = |status: &Value| status["sentry"]["calls"].as_u64().unwrap();
    let (code, text, talk) = world.command(&["status"]);
    assert_eq!((code, talk.as_str()), (0, ""));
    assert!(text.starts_with("ready: 1 delivery failed. "), "{text}");
    assert!(text.contains("organisation  acme -> acme-sentry, payload mode\n"), "{text}");
    assert!(text.contains(&format!("\n  {}  membership.added, ", &added.guid[..8])), "{text}");
    let (code, json, talk) = world.command(&["status", "--json"]);
    assert_eq!((code, talk.as_str()), (0, ""));
    let status: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&status["ready"], &status["failed"], &status["queued"]),
        (&true.into(), &1.into(), &0.into())
    );
    assert_eq!(status["failures"][0]["delivery"], added.guid.as_str());
    assert!(calls(&status) > 0, "only the service knows how many calls it has made");
    assert!(world.service().text().contains("control: status"));
    // The same without a service, from what is on disk.
    world.take_service().stop("-TERM");
    let (code, text, talk) = world.command(&["status"]);
    assert_eq!((code, talk.as_str()), (0, ""));
    assert!(text.starts_with("no service is running: this is what its state directory holds\n"), "{text}");
    let status: Value = serde_json::from_str(&world.command(&["status", "--json"]).1).unwrap();
    assert_eq!((&status["failed"], calls(&status)), (&1.into(), 0));
}

#[test]
fn unknown_names_are_refused_one_by_one_with_1() {
    let (mut world, _, _) = world_with_failure();
    let list = world.shown("status");
    for is_running in [true, false] {
        if !is_running {
            world.take_service().stop("-TERM");
        }
        let delivery =
            |name: &str| format!("error: no failed delivery is called `{name}`: `{list}` lists them\n");
        let hold = |name: &str| format!("error: there is no hold `{name}`: `{list}` lists them\n");
        assert_eq!(world.command(&["replay", "a", "b"]), (1, String::new(), delivery("a") + &delivery("b")));
        assert_eq!(world.command(&["approve", "a", "b"]), (1, String::new(), hold("a") + &hold("b")));
        assert_eq!(world.command(&["reject", "a"]), (1, String::new(), hold("a")));
        assert_eq!(world.command(&["approve", "--all"]), (0, "nothing is on hold\n".into(), String::new()));
    }
}

#[test]
fn a_replay_looks_again_at_what_failed() {
    for args in [&["replay", "GUID"][..], &["replay", "--failed"]] {
        for is_running in [true, false] {
            let (mut world, added, team) = world_with_failure();
            world.sentry.set_idp_provisioned(team, false);
            if !is_running {
                world.take_service().stop("-TERM");
            }
            let args: Vec<_> =
                args.iter().map(|arg| if *arg == "GUID" { added.guid.as_str() } else { arg }).collect();
            let said = format!("replaying {}\n", added.guid);
            let alone = "no service is running: it is retried when one starts\n";
            let talk = if is_running { "" } else { alone };
            assert_eq!(world.command(&args), (0, said, talk.to_string()));
            if !is_running {
                world.start();
            }
            world.wait_until("ana is in", || world.members("crew") == Some(vec!["ana@acme.test".into()]));
            world.wait_for_rest();
            assert_eq!(
                world.command(&["replay", "--failed"]),
                (0, "no delivery has failed\n".into(), String::new())
            );
            if !is_running {
                break;
            }
        }
    }
}

#[test]
fn what_is_held_makes_status_end_with_2_until_it_is_decided() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("the team is made", || world.members("crew").is_some());
    world.sentry.add_project(world.sentry.teams()["crew"].id, "shop");
    world.send(&world.github.delete_team(crew));
    world.wait_until("it is held", || {
        world.status()["holds"].as_array().is_some_and(|holds| holds.len() == 1)
    });
    let name = world.status()["holds"][0]["name"].as_str().unwrap().to_string();
    let (code, text, talk) = world.command(&["status"]);
    assert_eq!((code, talk.as_str()), (2, ""));
    assert!(text.contains(&format!("\n  {name}  Delete Sentry team `")), "{text}");
    assert_eq!(world.command(&["status", "--json"]).0, 2);
    let (code, said, talk) = world.command(&["approve", &name]);
    assert_eq!((code, talk.as_str()), (0, ""));
    assert!(said.starts_with("approved: "), "{said}");
    world.wait_until("the team is deleted", || world.members("crew").is_none());
    world.wait_until("nothing is held", || world.command(&["status"]).0 == 0);
}

#[test]
fn the_control_socket_and_the_state_directory_are_their_owners_alone() {
    let mut world = World::new(Truth::Deliveries);
    // A socket's address has room for 107 bytes; the folder's path may be longer.
    let dir = world.dir.0.join("a-very-long-name-of-a-folder".repeat(5)).join("state");
    world.set("SYNC_STATE_DIR", dir.to_str().unwrap());
    let command = world.shell("umask 0; exec \"$0\"");
    world.start_with(command);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join("control"))), (0o700, 0o600));
    // It ends with 1 until the service is ready.
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    assert_eq!(world.command(&["status"]).0, 0);
}

#[test]
fn a_delivery_that_has_not_failed_is_not_replayed_and_told_what_became_of_it() {
    let (mut world, failed, sentry) = world_with_failure();
    let (crew, created) = world.github.create_team("Other", world.olive);
    world.settle(&created);
    let other = world.sentry.teams()["other"].id;
    world.sentry.add_project(other, "shop");
    let held = world.github.delete_team(crew);
    assert_eq!(world.settle(&held).0, "held");
    let held = held.last().unwrap().guid.clone();
    for (guid, why) in [
        (&created[0].guid, "it is done"),
        (&held, &format!("it is on hold: `{}` shows the hold to approve", world.shown("status"))),
    ] {
        let (code, said, talk) = world.command(&["replay", guid]);
        let told = format!("error: no failed delivery is called `{guid}`: {why}\n");
        assert_eq!((code, said.as_str(), talk), (1, "", told));
    }
    let said = world.command(&["status"]).1;
    let replay = format!("            retry: {}", world.shown(&format!("replay {}", &failed.guid[..8])));
    assert!(said.lines().any(|line| line == replay), "{said}");
    // Without a service, it is kept for the next one.
    world.take_service().stop("-TERM");
    world.sentry.set_idp_provisioned(sentry, false);
    let (code, said, talk) = world.command(&["replay", &failed.guid[..8]]);
    assert_eq!((code, said), (0, format!("replaying {}\n", failed.guid)));
    assert_eq!(talk, "no service is running: it is retried when one starts\n");
    world.start();
    world.wait_until("it is done", || world.status()["failed"] == 0);
}

#[test]
fn a_hold_that_was_decided_is_not_asked_for_any_more() {
    for (word, said) in [("approve", "; approved 20"), ("reject", "; rejected 20")] {
        let mut world = World::new(Truth::Deliveries);
        world.start();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        world.sentry.add_project(world.sentry.teams()["crew"].id, "shop");
        let (_, note) = world.settle(&world.github.delete_team(crew));
        assert!(note.contains(&format!("approve with: {} ", world.shown("approve"))), "{note}");
        let name = world.only_hold()["name"].as_str().unwrap().to_string();
        // Decided, and not yet carried out: no service runs.
        world.take_service().stop("-TERM");
        assert_eq!(world.command(&[word, &name]).0, 0);
        let told = |world: &World| world.command(&["status", "-v"]).1;
        let rule = "unless-projects: the Sentry team still owns 1 project (shop)";
        assert!(told(&world).contains(&format!("{rule}{said}")), "{}", told(&world));
        world.start();
        world.wait_until("no hold is left", || world.status()["holds"] == serde_json::json!([]));
        assert!(told(&world).contains(&format!("{rule}{said}")), "{}", told(&world));
    }
}
