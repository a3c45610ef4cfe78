//! A GitHub App in the place of a token: how it signs in, what it bears, and what becomes of its installation.

use std::time::Duration;

use serde_json::Value;

use super::reload::{in_file, reload};
use crate::standin::{Fault, Rule, APP_KEY_PKCS8, OTHER_KEY};
use crate::world::{Truth, World};

fn world() -> World {
    let mut world = World::new(Truth::Deliveries);
    world.as_app();
    world.set("SYNC_FIRST", "apply");
    world
}

/// How often tokens were fetched.
fn fetched(world: &World) -> usize {
    let counts = world.github.wire.counts();
    counts.get("POST /app/installations/{installation_id}/access_tokens").copied().unwrap_or_default()
}

fn is_ready(world: &World) -> bool {
    world.get_admin("/readyz").0 == 200
}

/// Makes a team with somebody in it, told by deliveries, and waits for Sentry.
fn mirror_a_team(world: &World, name: &str, login: &str) -> u64 {
    let user = world.person(login);
    let (team, mut sent) = world.github.create_team(name, world.olive);
    sent.extend(world.github.add_member(team, user));
    world.send(&sent);
    world.wait_until("both sides agree", || world.differences().is_empty());
    team
}

#[test]
fn an_app_mirrors_as_a_token_does_with_one_token_an_hour_and_no_more_permissions_than_it_needs() {
    let mut world = world();
    world.github.change_app(|app| {
        app.permissions.insert("organization_administration".into(), "write".into());
    });
    world.start();
    mirror_a_team(&world, "Payments", "ada");
    world.wait_until("it is ready", || is_ready(&world));
    assert_eq!(world.status()["mode"], "read");
    assert_eq!(fetched(&world), 1);
    let calls = world.github.wire.calls();
    let asked = calls.iter().find(|call| call.path.ends_with("/access_tokens")).unwrap();
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body, serde_json::json!({ "permissions": { "members": "read" } }));
    let log = world.service().text();
    assert!(!log.contains("ghs_") && !log.contains("eyJ"), "{log}");
}

#[test]
fn the_organisation_is_the_installations_if_nobody_names_it() {
    let mut world = world();
    world.start();
    world.wait_until("it is ready", || is_ready(&world));
    assert_eq!(world.status()["github_org"], "acme", "{}", world.status());
}

#[test]
fn both_forms_of_a_key_and_line_ends_of_two_letters_are_read() {
    for key in [
        APP_KEY_PKCS8.to_string(),
        crate::standin::APP_KEY.replace('\n', "\\n"),
        crate::standin::APP_KEY.replace('\n', "\r\n"),
    ] {
        let mut world = world();
        world.set("GH_APP_KEY", &key);
        world.start();
        world.wait_until("it is ready", || is_ready(&world));
    }
}

#[test]
fn the_client_id_is_as_good_as_the_number_and_so_is_a_named_organisation() {
    let mut world = world();
    world.set("GH_APP_ID", "Iv23liTheTests");
    world.set("GH_ORG", "Acme");
    world.github.change_app(|app| app.elsewhere.push((9, "other".into())));
    world.start();
    world.wait_until("it is ready", || is_ready(&world));
}

#[test]
fn an_app_on_several_organisations_wants_to_be_told_which() {
    let mut world = world();
    world.github.change_app(|app| app.elsewhere.push((9, "other".into())));
    world.start();
    world.service_mut().wait_for_line("the GitHub App is installed on several organisations: set GH_ORG");
    assert!(!is_ready(&world));
}

#[test]
fn a_wrong_clock_is_healed_by_githubs_own() {
    for ahead in [-7200, 7200] {
        let mut world = world();
        world.github.change_app(|app| app.ahead = ahead);
        world.start();
        world.wait_until("it is ready", || is_ready(&world));
        mirror_a_team(&world, "Payments", "ada");
        assert_eq!(fetched(&world), 1, "an hour by GitHub's clock is an hour");
        let log = world.service().text();
        assert!(log.contains("clock is"), "{log}");
        assert!(!log.contains("ERROR"), "{log}");
    }
}

#[test]
fn tokens_are_renewed_before_they_end_and_nothing_is_forgotten() {
    let mut world = world();
    // Renewed when less than five minutes are left: each is, after two seconds.
    world.github.change_app(|app| app.life = Duration::from_secs(302));
    world.start();
    mirror_a_team(&world, "Payments", "ada");
    let before = fetched(&world);
    let n = std::cell::Cell::new(0);
    world.wait_until("it was renewed twice", || {
        n.set(n.get() + 1);
        world.send(&[world
            .github
            .edit_description(world.github.team_id("payments").unwrap(), &n.get().to_string())
            .remove(0)]);
        std::thread::sleep(Duration::from_millis(200));
        fetched(&world) >= before + 2
    });
    world.wait_until("both sides agree", || world.differences().is_empty());
    let log = world.service().text();
    assert_eq!(log.matches("mode: ").count(), 1, "{log}");
    assert!(!log.contains("ERROR") && !log.contains("401"), "{log}");
}

#[test]
fn a_token_that_is_not_known_yet_is_tried_again() {
    let mut world = world();
    world.github.change_app(|app| app.young = Duration::from_secs(2));
    world.start();
    world.wait_until("it is ready", || is_ready(&world));
    assert_eq!(fetched(&world), 1);
    assert!(!world.service().text().contains("ERROR"), "{}", world.service().text());
}

#[test]
fn a_token_that_is_refused_later_gives_way_to_a_new_one() {
    let mut world = world();
    world.start();
    let team = mirror_a_team(&world, "Payments", "ada");
    std::thread::sleep(Duration::from_secs(6));
    world.github.wire.script(Rule::new("*", Fault::Unauthorized));
    let bob = world.person("bob");
    world.send(&world.github.add_member(team, bob));
    world.wait_until("both sides agree", || world.differences().is_empty());
    assert_eq!(fetched(&world), 2);
    assert!(is_ready(&world));
}

#[test]
fn a_key_that_the_app_does_not_know_is_told_and_healed_by_a_reload() {
    let mut world = world();
    let path = in_file(&mut world, "GH_APP_KEY", OTHER_KEY);
    world.start();
    world.service_mut().wait_for_line("GH_APP_KEY is not accepted");
    assert!(!is_ready(&world));
    std::fs::write(path, crate::standin::APP_KEY).unwrap();
    reload(&world, "done");
    world.wait_until("it is ready", || is_ready(&world));
    assert!(world.service().text().contains("reload: taken over: GH_APP_KEY"));
}

#[test]
fn a_suspended_app_pauses_everything_and_nothing_is_removed_until_it_is_back() {
    let mut world = world();
    world.start();
    let team = mirror_a_team(&world, "Payments", "ada");
    world.github.change_app(|app| app.suspended = true);
    world.send(&[world.github.installation_event("suspend")]);
    world.wait_until("it is not ready", || !is_ready(&world));
    let (_, why) = world.get_admin("/readyz");
    assert!(why.contains("suspended"), "{why}");
    let bob = world.person("bob");
    world.send(&world.github.add_member(team, bob));
    let before = world.sentry.wire.mark();
    std::thread::sleep(Duration::from_secs(1));
    let writes = world.sentry.wire.calls_since(before);
    assert!(writes.iter().all(|call| call.method == "GET"), "{writes:?}");
    world.github.change_app(|app| app.suspended = false);
    world.send(&[world.github.installation_event("unsuspend")]);
    world.wait_until("it is ready", || is_ready(&world));
    world.wait_until("both sides agree", || world.differences().is_empty());
}

#[test]
fn an_app_that_was_taken_off_and_installed_again_goes_on() {
    let mut world = world();
    world.set("GH_ORG", "acme");
    world.start();
    let team = mirror_a_team(&world, "Payments", "ada");
    world.github.change_app(|app| app.installation = None);
    let bob = world.person("bob");
    world.send(&world.github.add_member(team, bob));
    world.wait_until("it is not ready", || !is_ready(&world));
    let (_, why) = world.get_admin("/readyz");
    assert!(why.contains("not installed on") || why.contains("no longer installed on"), "{why}");
    world.github.change_app(|app| app.installation = Some(8_800_000));
    world.send(&[world.github.installation_event("created")]);
    world.wait_until("it is ready", || is_ready(&world));
    world.wait_until("both sides agree", || world.differences().is_empty());
}

#[test]
fn other_installations_and_those_who_have_no_app_are_not_meant() {
    let mut world = world();
    world.start();
    world.wait_until("it is ready", || is_ready(&world));
    let other =
        world.github.installation_event("deleted").with_payload(|body| body["installation"]["id"] = 5.into());
    let answer = world.sender().send(&other).unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains("another installation"), "{answer:?}");
    assert!(is_ready(&world));
    let mut world = World::new(Truth::Github);
    world.start();
    let answer = world.sender().send(&world.github.installation_event("deleted")).unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains("ignored"), "{answer:?}");
}

#[test]
fn the_organisations_new_name_comes_with_the_installation_target() {
    let mut world = world();
    world.start();
    mirror_a_team(&world, "Payments", "ada");
    let renamed = world.github.rename_org("beta").remove(0);
    let mut target = renamed.with_payload(|body| {
        body["account"] =
            serde_json::json!({ "id": body["organization"]["id"], "login": "beta", "type": "Organization" });
        body["target_type"] = "Organization".into();
        body.as_object_mut().unwrap().remove("organization");
    });
    target.event = "installation_target".into();
    world.send(&[target]);
    world.wait_until("it is followed", || world.status()["github_org"] == "beta");
}

#[test]
fn an_app_that_may_not_read_members_is_in_payload_mode() {
    let mut world = world();
    world.github.change_app(|app| {
        app.permissions.remove("members");
    });
    world.start();
    let ada = world.person("ada");
    let (team, mut sent) = world.github.create_team("Payments", world.olive);
    sent.extend(world.github.add_member(team, ada));
    world.send(&sent);
    world.wait_for_members("payments", &["ada"]);
    assert_eq!(world.status()["mode"], "payload");
}

#[test]
fn settings_that_do_not_fit_together_are_told_with_their_fix() {
    for (change, told) in [
        (("GH_TOKEN", Some("ghp_x")), "GH_TOKEN is set, and so is a GitHub App"),
        (("GH_APP_KEY", None), "GH_APP_ID is set, but GH_APP_KEY is not"),
        (("GH_APP_ID", None), "GH_APP_KEY is set, but GH_APP_ID is not"),
        (("GH_APP_KEY", Some("nonsense")), "GH_APP_KEY is no PEM"),
        (("GH_APP_KEY", Some(&crate::standin::APP_KEY[..400])), "GH_APP_KEY is"),
        (("GH_APP_ID", Some("a b")), "GH_APP_ID"),
    ] {
        let mut world = world();
        let (name, value) = change;
        match value {
            Some(value) => world.set(name, value),
            None => drop(world.env.remove(name)),
        }
        let (code, _, err) = world.alone(&["sync"]);
        assert_eq!(code, 64, "{told}: {err}");
        assert!(err.contains(told) && !err.contains("MII"), "{told}: {err}");
        assert!(!err.contains("GH_TOKEN is not set"), "{err}");
    }
}
