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
    assert_eq!(world.status()["github"]["app"], "424242 (installation 7700001)");
    assert_eq!(world.metric("sync_github_app"), 1);
    assert!(world.get_admin("/").1.contains("GitHub App 424242 (installation 7700001)"));
    assert!(world.command(&["status"]).1.contains("signed in as the GitHub App 424242"));
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
        assert!(!log.contains("\nerror "), "{log}");
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
    assert!(!log.contains("\nerror ") && !log.contains("-> 401"), "{log}");
}

#[test]
fn a_token_that_is_not_known_yet_is_tried_again() {
    let mut world = world();
    world.github.change_app(|app| app.young = Duration::from_secs(2));
    world.start();
    world.wait_until("it is ready", || is_ready(&world));
    assert_eq!(fetched(&world), 1);
    assert!(!world.service().text().contains("\nerror "), "{}", world.service().text());
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
    world.service_mut().wait_for_line("GitHub rejected GH_APP_KEY");
    assert!(!is_ready(&world));
    std::fs::write(path, crate::standin::APP_KEY).unwrap();
    reload(&world, "done");
    world.wait_until("it is ready", || is_ready(&world));
    assert!(world.service().text().contains("reloaded: GH_APP_KEY"));
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

#[test]
fn missed_deliveries_are_taken_from_the_apps_own_list_and_none_of_another_installation() {
    for permission in ["members", "metadata"] {
        let mut world = world();
        world
            .github
            .change_app(|app| app.permissions = [(permission.to_string(), "read".to_string())].into());
        world.set("SYNC_DELETE_TEAMS", "delete");
        world.set("SYNC_INTERVAL", "1s");
        world.start();
        let (payments, made) = world.github.create_team("Payments", world.olive);
        world.send(&made);
        world.wait_until("it is made", || world.sentry.teams().contains_key("payments"));
        let (missed, sent) = world.github.create_team("Missed", world.olive);
        world.github.log_delivery(&sent[0], None);
        let other = world.github.create_team("Other", world.olive).1.remove(0);
        let theirs = other.with_payload(|body| body["installation"]["id"] = 5.into());
        world.github.log_delivery(&theirs, None);
        world.wait_until("it is taken", || world.sentry.teams().contains_key("missed"));
        // By absence alone an App never knows that a team was deleted.
        let deleted = world.github.delete_team(payments).remove(0);
        world.github.log_delivery(&deleted, None);
        world.wait_until("it is deleted", || !world.sentry.teams().contains_key("payments"));
        assert!(world.status()["recovered"].to_string().contains("taken"), "{}", world.status());
        assert_eq!(
            world.sentry.teams().contains_key("other"),
            permission == "members",
            "by a comparison alone"
        );
        assert!(world.github.teams().contains_key(&missed));
    }
}

#[test]
fn check_knows_an_app() {
    let mut world = world();
    world.start();
    mirror_a_team(&world, "Payments", "ada");
    world
        .github
        .set_hook(crate::standin::Hook { url: "https://sync.example/github".into(), ..world.github.hook() });
    let (code, out, err) = world.command(&["check", "-v"]);
    assert!(code == 0, "{out}{err}");
    for told in [
        "the GitHub App \"team-sync\" (424242) signs in with the key SHA256:",
        "the App is installed on \"acme\" (installation 7700001)",
        "an App's installation token",
        "read mode",
        "the App's webhook to \"https://sync.example/github\" sends Memberships, Organizations and Teams as JSON",
    ] {
        assert!(out.contains(told), "{told} in {out}");
    }
    world.github.change_app(|app| {
        app.events.retain(|event| event != "membership");
        app.permissions.insert("members".into(), "write".into());
        app.permissions.insert("contents".into(), "read".into());
    });
    let (code, out, _) = world.command(&["check", "-v"]);
    assert_eq!(code, 1, "{out}");
    for told in [
        "does not send membership",
        "has more permissions than it needs: \"contents: read\"",
        "may change the organisation's members",
    ] {
        assert!(out.contains(told), "{told} in {out}");
    }
    world.github.change_app(|app| app.suspended = true);
    let (code, out, _) = world.command(&["check", "-v"]);
    assert!(code == 1 && out.contains("suspended"), "{out}");
    world.github.change_app(|app| app.installation = None);
    let (code, out, _) = world.alone(&["check", "-v"]);
    assert!(code == 1 && out.contains("not installed on"), "{out}");
    world.take_service().kill();
    world.set("GH_APP_KEY", OTHER_KEY);
    let (code, out, _) = world.alone(&["check", "-v"]);
    assert!(code == 1 && out.contains("GitHub rejected GH_APP_KEY"), "{out}");
    assert!(!out.contains("GH_TOKEN"), "{out}");
}

#[test]
fn replay_github_takes_in_what_failed_and_asks_only_for_what_can_not_be_read() {
    let mut world = world();
    world.start();
    mirror_a_team(&world, "Payments", "ada");
    let (_, nothing, err) = world.command(&["replay", "--github"]);
    assert!(nothing.contains("nothing was missed"), "{nothing}{err}");
    let (_, sent) = world.github.create_team("Missed", world.olive);
    world.github.log_delivery(&sent[0], None);
    let (code, out, err) = world.command(&["replay", "--github", "--reason", "an outage of the proxy"]);
    assert!(code == 0 && out.contains(&sent[0].guid), "{out}{err}");
    assert!(out.contains("answered no answer: taken from GitHub's list"), "{out}");
    world.wait_until("it is made", || world.sentry.teams().contains_key("missed"));
    let (_, out, _) = world.command(&["replay", "--github"]);
    assert!(out.contains("nothing was missed"), "what is settled is left alone: {out}");
    assert!(world.github.take_asked_again().is_empty());
}

#[test]
fn what_can_not_be_read_is_asked_to_be_sent_again_one_after_the_other_and_waited_for() {
    let mut world = world();
    world.start();
    mirror_a_team(&world, "Payments", "ada");
    world.github.hide_payloads(true);
    let missed: Vec<_> =
        ["One", "Two"].map(|name| world.github.create_team(name, world.olive).1.remove(0)).into();
    for delivery in &missed {
        world.github.log_delivery(delivery, None);
    }
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let (code, out, err) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let asked = world.github.take_asked_again();
                assert!(asked.len() <= 1, "each waits for the one before: {asked:?}");
                world.send(&asked);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let told = world.command(&["replay", "--github"]);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        told
    });
    assert_eq!(code, 0, "{out}{err}");
    let places = missed.iter().map(|delivery| out.find(&delivery.guid).unwrap()).collect::<Vec<_>>();
    assert!(places[0] < places[1] && out.matches("sent again, and here now").count() == 2, "{out}");
    world.wait_until("both are made", || {
        ["one", "two"].iter().all(|slug| world.sentry.teams().contains_key(*slug))
    });
}

#[test]
fn where_the_list_is_not_to_be_seen_replay_github_names_the_page() {
    let mut world = World::new(Truth::Github);
    world.start();
    world.send(&world.github.create_team("Payments", world.olive).1);
    let (code, _, err) = world.command(&["replay", "--github"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("/organizations/acme/settings/hooks: the webhook → Recent Deliveries"), "{err}");
}

#[test]
fn an_app_is_made_from_a_page_and_its_key_fetched_into_files_that_work() {
    let mut world = World::new(Truth::Github);
    let dir = world.dir.0.join("made");
    std::fs::create_dir(&dir).unwrap();
    let into = dir.to_str().unwrap().to_string();
    let url = "https://sync.example/github";
    let (code, out, err) = world.alone(&["app", "--org", "acme", "--url", url, "--into", &into]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("github-app.html") && out.contains("--code -"), "{out}");
    let page = std::fs::read_to_string(dir.join("github-app.html")).unwrap();
    for told in [
        "/organizations/acme/settings/apps/new?state=",
        "&quot;default_permissions&quot;:{&quot;members&quot;:&quot;read&quot;}",
        "&quot;default_events&quot;:[&quot;membership&quot;,&quot;organization&quot;,&quot;team&quot;]",
        "&quot;public&quot;:false",
        "&quot;url&quot;:&quot;https://sync.example/github&quot;",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    let fetch =
        |world: &World, code: &str| world.alone(&["app", "--org", "acme", "--into", &into, "--code", code]);
    let names = ["gh_app_id", "gh_app_key", "gh_webhook_token"];
    let there = || names.iter().filter(|name| dir.join(name).exists()).count();
    world.github.set_app(crate::standin::GithubApp::default());
    let (code, _, err) = fetch(&world, "abc");
    assert!(code == 1 && err.contains("does not know this code") && there() == 0, "{err}");
    world.github.change_app(|app| app.manifest_owner = Some("mallory".into()));
    let (code, _, err) = fetch(&world, "abc");
    assert!(code == 1 && err.contains("belongs to `mallory`") && there() == 0, "{err}");
    let (code, _, err) = fetch(&world, "http://127.0.0.1:8279/github-app?code=abc&state=0");
    assert!(code == 64 && there() == 0, "{err}");
    world.github.change_app(|app| app.manifest_owner = Some("Acme".into()));
    let (code, out, err) = fetch(&world, "abc");
    assert!(code == 0 && there() == 3, "{err}");
    for told in ["GH_APP_ID=424242", "LoadCredential=gh_app_key:", "/settings/apps/team-sync/installations"] {
        assert!(out.contains(told), "{told} in {out}");
    }
    for name in names {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let (code, _, err) = fetch(&world, "abc");
    assert!(code == 1 && err.contains("move the file away"), "what is there stays: {err}");
    world.env.remove("GH_TOKEN");
    world.set("GH_APP_ID", "424242");
    world.set("GH_APP_KEY_FILE", dir.join("gh_app_key").to_str().unwrap());
    world.start();
    world.wait_until("it is ready", || is_ready(&world));
}

#[test]
fn what_the_app_command_lacks_is_told() {
    let world = World::new(Truth::Github);
    for (args, told) in [
        (&["app"][..], "--org ORG"),
        (&["app", "--org", "acme"], "--url URL, or --code CODE"),
        (&["app", "--org", "a/b", "--url", "https://x.example"], "--org"),
        (&["app", "--org", "acme", "--url", "nonsense"], "--url"),
        (&["app", "--org", "acme", "--url", "https://x.example", "--code", "x"], "cannot be used together"),
    ] {
        let (code, _, err) = world.alone(args);
        assert!(code == 64 && err.contains(told), "{args:?}: {err}");
    }
}

#[test]
fn what_two_hooks_say_counts_once_at_the_place_of_the_first() {
    for truth in crate::world::BOTH {
        let (world, crew) = World::new(truth).with_crew();
        let ada = world.person("ada");
        let added = world.github.add_member(crew, ada).remove(0);
        let removed = world.github.remove_member(crew, ada).remove(0);
        world.send(&[added.clone(), removed.clone()]);
        world.wait_for_rest();
        let answer = |delivery: &crate::standin::Delivery| {
            let answer = world.sender().send(delivery).unwrap();
            (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap()["status"].to_string())
        };
        // The other hook's come later, and its addition last of all.
        for (late, guid) in [(&removed, "other-1"), (&added, "other-2")] {
            let (status, said) = answer(&late.clone().with_hook(77).with_guid(guid));
            assert!(
                status == 200 && ["\"duplicate\"", "\"superseded\""].contains(&said.as_str()),
                "{truth:?} {said}"
            );
        }
        let (status, _) = answer(&added.clone().with_hook(88));
        assert_eq!(status, 200, "the same GUID");
        world.wait_for_rest();
        assert_eq!(
            world.members("crew"),
            Some(match truth {
                Truth::Github => vec!["olive@acme.test".to_string()],
                Truth::Deliveries => vec![],
            }),
            "{truth:?}"
        );
        assert!(world.service().text().contains("two webhooks send here"));
        let (_, out, _) = world.command(&["check", "-v"]);
        assert!(out.contains("two webhooks send the same events here"), "{out}");
    }
}
