//! Lists and secrets as people really write them: what can name nothing is never taken in silence.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use crate::reload::{in_file, reload};
use crate::standin::Sender;
use crate::world::{bounds, Truth, World, BOTH};

/// What the service says that does not start: exit code and stderr.
fn refused(world: &World) -> (i32, String) {
    let (code, _, talk) = world.alone(&["serve"]);
    (code, talk)
}

#[test]
fn a_list_with_an_entry_that_can_name_nothing_starts_no_service() {
    for (var, value, fix) in [
        ("SYNC_PROTECT", "boss@acme.test;ceo@acme.test", "separate entries with commas"),
        ("SYNC_PROTECT", "<boss@acme.test>", "angle brackets"),
        ("SYNC_PROTECT", "\"boss@acme.test\"", "leave the quotes out"),
        ("SYNC_PROTECT", "boss@acme.test,\u{200b}crew", "remove \\u{200b}"),
        ("SYNC_PROTECT", "@acme/crew", "write the team's slug alone: crew"),
        ("SYNC_PROTECT", "@octocat", "how GitHub names people"),
        ("SYNC_PROTECT", ",", "no entry"),
        ("SYNC_TEAMS", "acme/crew", "write the team's slug alone: crew"),
        ("SYNC_TEAMS", "crew;search", "separate entries with commas"),
        ("SYNC_TEAMS", " , ", "no entry"),
        ("SYNC_IDENTITY", "map;public", "the sources are"),
        ("SYNC_IDENTITY", ",", "no entry"),
    ] {
        let mut world = World::new(Truth::Deliveries);
        world.set(var, value);
        let (code, talk) = refused(&world);
        assert!(code == 64 && talk.contains(var) && talk.contains(fix), "{var}={value}: {talk}");
        // The same from a file, with its line.
        if var != "SYNC_IDENTITY" && !value.trim_matches([',', ' ']).is_empty() && !value.starts_with('"') {
            let file = in_file(&mut world, var, &format!("# ours\nfine\n{value}\n"));
            let (code, talk) = refused(&world);
            let line = format!(" in line 3 of `{}`", file.display());
            assert!(code == 64 && talk.contains(&line), "{var}_FILE {value}: {talk}");
        }
    }
}

#[test]
fn a_value_that_is_no_text_is_a_fault_and_not_left_out() {
    let world = World::new(Truth::Deliveries);
    for (var, value) in [("SYNC_PROTECT", &b"m\xfcller@acme.test"[..]), ("GH_WEBHOOK_TOKEN", b"s\xfcss")] {
        let mut command = Command::new(World::program());
        command.arg("serve").env_clear().envs(&world.env).env(var, OsStr::from_bytes(value));
        let output = bounds::output(command.stdin(Stdio::null())).unwrap();
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{talk}");
        assert!(talk.contains(var) && talk.contains("not UTF-8"), "{talk}");
    }
}

#[test]
fn a_state_directory_that_is_not_what_it_seems_is_never_taken_for_another_services() {
    let (mut world, _) = World::new(Truth::Deliveries).with_crew();
    let good = world.env["SYNC_STATE_DIR"].clone();
    world.set("SYNC_STATE_DIR", &format!("{good}\u{a0}"));
    for args in [&["status"][..], &["approve", "--all"]] {
        let (code, said, talk) = world.command(args);
        assert_eq!((code, said.as_str()), (64, ""), "{talk}");
        assert!(talk.contains("remove \\u{a0}"), "{talk}");
    }
    let (code, said, _) = world.command(&["check", "-v"]);
    assert!(code == 64 && said.contains("remove \\u{a0}"), "{said}");
    world.set("SYNC_STATE_DIR", &good);
}

#[test]
fn a_byte_order_mark_and_capitals_take_no_protection_away() {
    for value in ["\u{feff}Crew,boss@acme.test", "\u{feff}boss@acme.test,CREW"] {
        let mut world = World::new(Truth::Deliveries);
        world.set("SYNC_PROTECT", value);
        world.set("SYNC_DELETE_TEAMS", "delete");
        let (world, crew) = world.with_crew();
        let (_, note) = world.settle(&world.github.delete_team(crew));
        assert!(note.contains("protected by SYNC_PROTECT"), "{note}");
        assert!(world.members("crew").is_some());
    }
}

#[test]
fn entries_that_name_nobody_and_nothing_are_told_in_log_check_status_and_a_metric() {
    for truth in BOTH {
        for may_list in [false, true] {
            let mut world = World::new(truth);
            if may_list {
                world = world.may_list_teams();
            }
            world.person("ana");
            world.sentry.add_team("platform", "Platform");
            world.set("SYNC_PROTECT", "ANA@acme.test,anna@acme.test,platform,plattform");
            world.set("SYNC_TEAMS", "*,crew,crwe,!old-*");
            let (mut world, _) = world.with_crew();
            let mut told = vec![
                "SYNC_PROTECT: `anna@acme.test` protects nobody and nothing: no member of the Sentry organisation",
                "SYNC_PROTECT: `plattform` protects nobody and nothing: the Sentry organisation has no team",
            ];
            for line in &told {
                world.service_mut().wait_for_line(&format!("warn {line}"));
            }
            let count = |setting: &str| world.get_admin("/metrics").1.contains(setting);
            world.wait_until("counted", || count("\nsync_unused_entries{setting=\"SYNC_PROTECT\"} 2\n"));
            let (_, status, _) = world.command(&["status", "-v"]);
            let (_, checked, _) = world.alone(&["check", "-v"]);
            for line in &told {
                assert!(status.contains(&format!("\nwarning: {line}")), "{status}");
            }
            if truth == Truth::Github {
                // The team is newer than the first comparison.
                let globs = ["SYNC_TEAMS: `crwe` fits no team", "SYNC_TEAMS: `!old-*` fits no team"];
                told.extend(globs);
                world.wait_until("compared", || world.status()["last_reconcile"].is_object());
            }
            for line in &told {
                assert!(checked.contains(&format!("warning  configuration  {line}")), "{line}: {checked}");
            }
            assert!(!checked.contains("SYNC_TEAMS: `crew`") && !checked.contains("`platform`"), "{checked}");
            let unused = world.status()["unused"].to_string();
            assert!(unused.contains("plattform") && !unused.contains("ANA"), "{unused}");
        }
    }
}

#[test]
fn globs_that_fit_no_team_are_a_note_of_the_status_and_gone_after_a_reload() {
    let mut world = World::new(Truth::Github);
    world.old_team("Crew");
    let file = in_file(&mut world, "SYNC_TEAMS", "crew\ncrwe\n");
    world.set("SYNC_FIRST", "apply");
    world.start();
    let count = "\nsync_unused_entries{setting=\"SYNC_TEAMS\"} 1\n";
    world.wait_until("counted", || world.get_admin("/metrics").1.contains(count));
    let (_, status, _) = world.command(&["status", "-v"]);
    assert!(
        status.contains("\nnote: SYNC_TEAMS: `crwe` fits no team: GitHub shows no team of such a slug"),
        "{status}"
    );
    assert!(!world.get_admin("/readyz").1.contains("warnings"));
    fs::write(&file, "crew\n").unwrap();
    reload(&world, "done");
    world.wait_until("counted anew", || {
        world.get_admin("/metrics").1.contains("\nsync_unused_entries{setting=\"SYNC_TEAMS\"} 0\n")
    });
}

#[test]
fn a_reload_with_a_list_that_protects_nobody_keeps_the_protection() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    let file = in_file(&mut world, "SYNC_PROTECT", "ana@acme.test\n");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    for bad in ["Ana <ana@acme.test>\n", "# nobody\n", "\"ana@acme.test\"\n"] {
        fs::write(&file, bad).unwrap();
        reload(&world, "failed");
        let (_, ready) = world.get_admin("/readyz");
        assert!(ready.contains("the reload of ") && ready.contains("SYNC_PROTECT_FILE"), "{ready}");
    }
    world.settle(&world.github.remove_member(crew, ana));
    assert!(world.members("crew").unwrap().contains(&"ana@acme.test".into()));
}

#[test]
fn a_webhooks_secret_that_is_most_likely_not_meant_is_taken_and_warned_of() {
    for (secret, told) in [
        ("\u{feff}quite a long secret", "begins with \\u{feff}, which cannot be seen"),
        ("quite a long\u{200b} secret", "has \\u{200b}, which cannot be seen"),
        ("\"quite a long secret\"", "is in quotes"),
        ("quite a long secret\r", "ends with \\u{d}, which cannot be seen"),
        (" quite a long secret", "begins with a blank"),
        ("quite a lông secret", "has 1 character beyond ASCII"),
    ] {
        let mut world = World::new(Truth::Deliveries);
        world.set("GH_WEBHOOK_TOKEN", secret);
        world.start();
        let told = format!("GH_WEBHOOK_TOKEN {told}");
        world.service_mut().wait_for_line(&format!("warn {told}"));
        // It may be meant: GitHub's form may have just this.
        let url = format!("{}/github", world.service().url);
        let (_, created) = world.github.create_team("Crew", world.olive);
        assert_eq!(Sender::new(&url, secret).send(&created[0]).unwrap().status, 202, "{told}");
        let (code, checked, _) = world.command(&["check", "-v", "--url", &url]);
        assert!(checked.contains(&format!("warning  configuration  {told}")), "{checked}");
        let line = checked.lines().find(|line| line.contains(" url ")).unwrap();
        assert!(line.starts_with("warning ") && line.contains("200 pong") && line.contains(&told), "{line}");
        assert!(code != 64 && !checked.contains("quite a l"), "{checked}");
    }
}

#[test]
fn a_token_with_something_odd_starts_no_service_and_is_not_shown() {
    for (token, told) in [
        ("\u{feff}ghp_0123456789", "GH_TOKEN begins with \\u{feff}"),
        ("\"ghp_0123456789\"", "GH_TOKEN is in quotes"),
        ("ghp_0123456789\r", "GH_TOKEN ends with \\u{d}"),
        ("Bearer ghp_0123456789", "GH_TOKEN has a blank in it"),
        ("ghp_01234\u{430}56789", "GH_TOKEN has \\u{430}, which no token has"),
    ] {
        let mut world = World::new(Truth::Deliveries);
        world.set("GH_TOKEN", token);
        let (code, talk) = refused(&world);
        assert!(code == 64 && talk.contains(told), "{talk}");
        assert!(!talk.contains("0123") && !talk.contains("56789"), "{talk}");
        let (code, checked, _) = world.alone(&["check", "-v"]);
        assert!(code == 64 && checked.contains(told) && !checked.contains("56789"), "{checked}");
    }
}
