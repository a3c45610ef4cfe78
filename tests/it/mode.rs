//! Only GitHub's own word that a token may not read members chooses payload mode, and only then.

use std::fs;

use super::reload::{in_file, reload};
use crate::standin::{Fault, GithubToken, Rule};
use crate::world::{Truth, World};

const PROBE: &str = "GET /orgs/{org}/teams";

/// Answers that say nothing about a token's permissions, and what is quoted of each.
fn untold() -> Vec<(Fault, &'static str)> {
    let mut faults = vec![
        (Fault::StatusHtml(403), "403"),
        (Fault::StatusHtml(404), "404"),
        (Fault::gateway_json(403), "Forbidden"),
        (Fault::gateway_json(404), "404"),
        (Fault::empty(403), "403"),
        (Fault::Refusal { status: 404, message: "Not Found".into() }, "Not Found"),
        (Fault::Refusal { status: 403, message: "Must have admin rights.".into() }, "Must have admin rights"),
    ];
    let quoted =
        ["IP allow list", "SAML enforcement", "lifetime", "(classic)", "account was suspended", "suspended"];
    faults.extend(Fault::policies().into_iter().zip(quoted));
    faults
}

/// A delivery is kept meanwhile, nothing is written, and the mode that the token really allows is found once GitHub says so.
#[test]
fn no_mode_is_chosen_by_what_is_not_githubs_word_on_permissions() {
    std::thread::scope(|scope| {
        for (fault, quoted) in untold() {
            scope.spawn(move || {
                let mut world = World::new(Truth::Github);
                world.set("GH_ORG", "acme");
                world.github.wire.script(Rule::new(PROBE, fault.clone()).always());
                world.start();
                world.wait_until("the answer is quoted", || {
                    let (status, body) = world.get_admin("/readyz");
                    status == 503 && body.contains(quoted)
                });
                let (_, created) = world.github.create_team("Crew", world.olive);
                let (status, answer) = world.ask(&created[0]);
                assert_eq!((status, &answer["status"]), (202, &"queued".into()), "{fault:?}");
                let (code, out, _) = world.command(&["status"]);
                assert_eq!(code, 1, "{fault:?}: {out}");
                assert!(world.status()["mode"].is_null(), "{fault:?}: {:#}", world.status());
                assert_eq!(world.sentry.teams().len(), 0, "{fault:?}");
                let (code, out, _) = world.command(&["check", "-v"]);
                assert!(code == 1 && !out.contains("payload mode"), "{fault:?}: {out}");
                world.github.wire.clear_faults();
                // A refused host is asked once a minute; a restart is what an operator would do.
                world.crash_and_restart();
                world.wait_until("the mode is known", || world.status()["mode"] == "read");
                world.wait_until("nothing was lost", || world.sentry.teams().contains_key("crew"));
                world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
            });
        }
    });
}

#[test]
fn githubs_own_words_and_scopes_choose_payload_mode() {
    for token in [
        GithubToken::no_permission(1),
        GithubToken { members: false, ..GithubToken::no_permission(1).classic() },
    ] {
        let mut world = World::new(Truth::Deliveries);
        let token = world.github.add_token(GithubToken { viewer: Some(world.olive), ..token });
        world.set("GH_TOKEN", &token);
        world.set("GH_ORG", "acme");
        world.start();
        world.wait_until("the mode is known", || world.status()["mode"] == "payload");
        world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    }
}

/// A token of before is as good as it was: what refuses the look at the teams refuses nothing that payload mode needs.
#[test]
fn a_payload_mode_that_was_chosen_goes_on_whatever_refuses_the_look_at_the_teams() {
    std::thread::scope(|scope| {
        for (fault, _) in untold() {
            scope.spawn(move || {
                let mut world = World::new(Truth::Deliveries);
                world.set("GH_ORG", "acme");
                let ana = world.person("ana");
                world.start();
                world.wait_until("the mode is known", || world.status()["mode"] == "payload");
                world.take_service().stop("-TERM");
                world.github.wire.script(Rule::new(PROBE, fault.clone()).always());
                world.start();
                let (crew, created) = world.github.create_team("Crew", world.olive);
                world.settle(&created);
                let (_, note) = world.settle(&world.github.add_member(crew, ana));
                assert_eq!(note, "added `ana` to `crew`", "{fault:?}");
                assert_eq!(world.get_admin("/readyz").0, 200, "{fault:?}");
                assert_eq!(world.status()["mode"], "payload", "{fault:?}");
            });
        }
    });
}

#[test]
fn another_token_of_which_nothing_is_said_is_not_ready_and_keeps_what_arrives() {
    let mut world = World::new(Truth::Github);
    let token = world.github_token.clone();
    let file = in_file(&mut world, "GH_TOKEN", &token);
    world.start();
    world.wait_until("the mode is known", || world.status()["mode"] == "read");
    let not_found = Fault::Refusal { status: 404, message: "Not Found".into() };
    world.github.wire.script(Rule::new(PROBE, not_found).always());
    fs::write(&file, world.github.add_token(GithubToken::members_read(world.olive))).unwrap();
    reload(&world, "done");
    world.wait_until("not ready", || {
        let (status, body) = world.get_admin("/readyz");
        status == 503 && body.contains("what GH_TOKEN may do is not known yet") && body.contains("Not Found")
    });
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    assert_eq!(world.sentry.teams().len(), 0);
    world.github.wire.clear_faults();
    world.wait_until("nothing was lost", || world.sentry.teams().contains_key("crew"));
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
}

/// GitHub leaves out the rows of organisations that want single sign-on: the one that is left need not be ours.
#[test]
fn a_list_with_organisations_left_out_pins_none() {
    let mut world = World::new(Truth::Github);
    world.github.wire.script(Rule::new("GET /user/orgs", Fault::PartialResults).always());
    world.start();
    world.wait_until("asked", || world.github.wire.counts().contains_key("GET /user/orgs"));
    world.service_mut().wait_for_line("GET /user/orgs?per_page=2 -> 200");
    assert!(world.status()["github_org"].is_null());
    assert_eq!(world.get_admin("/readyz").0, 503);
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    assert_eq!(world.status()["github_org"], "acme", "the first signed event tells it");
}
