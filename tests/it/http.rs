//! What deliveries are answered: each row of the contract's table that is a 2xx, in JSON and as a form, and the one
//! case in which a good delivery is not taken.

use std::fs;

use rustix::process::{prlimit, Pid, Resource, Rlimit};
use serde_json::{json, Value};

use crate::standin::client::ask;
use crate::standin::{Delivery, GithubToken, Sender};
use crate::world::{get, Truth, World, SECRET};

/// A running service, one team that it has made in Sentry, and somebody who is not in it yet.
fn world_with_crew() -> (World, u64, u64) {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("the team is made", || world.members("crew").is_some());
    world.wait_for_rest();
    (world, crew, ana)
}

fn queued(delivery: &Delivery) -> (u16, Value) {
    (202, json!({ "status": "queued", "delivery": delivery.guid }))
}

fn seen(word: &str, delivery: &Delivery) -> (u16, Value) {
    (200, json!({ "status": word, "delivery": delivery.guid }))
}

/// How often a GUID stands in the journal: once when it was received.
fn records_of(world: &World, delivery: &Delivery) -> usize {
    let files = fs::read_dir(world.dir.0.join("state/journal")).unwrap();
    let texts =
        files.map(|file| String::from_utf8_lossy(&fs::read(file.unwrap().path()).unwrap()).into_owned());
    texts.map(|text| text.matches(&format!("\"guid\":\"{}\"", delivery.guid)).count()).sum()
}

fn only(mut deliveries: Vec<Delivery>) -> Delivery {
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0)
}

#[test]
fn a_change_is_answered_202_with_its_guid_on_every_path_and_in_both_forms() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    let added = only(world.github.add_member(crew, ana));
    let renamed = only(world.github.rename_team(crew, "Ünion & Söhne=1+1"));
    let deliveries = [("/", only(created)), ("/github", added.form()), ("/webhook?a=b", renamed.form())];
    for (path, delivery) in deliveries {
        let mut sender = Sender::new(&format!("{}{path}", world.service().url), SECRET);
        let answer = sender.send(&delivery).unwrap();
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, body), queued(&delivery), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(records_of(&world, &delivery), 1, "on disk before the answer");
    }
    world.wait_for_rest();
    assert_eq!(world.members("union-sohne-1-1"), Some(vec!["ana@acme.test".into()]), "{}", world.status());
    assert_eq!(world.sentry.teams()["union-sohne-1-1"].name, "Ünion & Söhne=1+1");
}

#[test]
fn a_key_that_is_still_queued_is_queued_again_without_a_second_record() {
    let (world, crew, ana) = world_with_crew();
    world.sentry.set_down(true).unwrap();
    let added = only(world.github.add_member(crew, ana));
    for _ in 0..3 {
        assert_eq!(world.ask(&added), queued(&added));
        assert_eq!(world.ask(&added.clone().form()), queued(&added));
    }
    assert_eq!(world.status()["queued"], 1);
    assert_eq!(records_of(&world, &added), 1);
}

#[test]
fn a_key_that_is_done_is_a_duplicate_also_after_a_restart() {
    let (mut world, crew, ana) = world_with_crew();
    let added = only(world.github.add_member(crew, ana));
    world.send(std::slice::from_ref(&added));
    world.wait_for_rest();
    let calls = world.sentry.wire.n_calls();
    assert_eq!(world.ask(&added), seen("duplicate", &added));
    assert_eq!(world.ask(&added.clone().form()), seen("duplicate", &added));
    assert_eq!(world.status()["queued"], 0);
    assert_eq!(world.sentry.wire.n_calls(), calls, "a duplicate causes nothing");
    world.take_service().stop("-TERM");
    world.start();
    assert_eq!(world.ask(&added), seen("duplicate", &added));
}

#[test]
fn a_key_that_failed_is_queued_again() {
    for is_form in [false, true] {
        let (world, crew, ana) = world_with_crew();
        let team = world.sentry.teams()["crew"].id;
        world.sentry.set_idp_provisioned(team, true);
        let added = only(world.github.add_member(crew, ana));
        let added = if is_form { added.form() } else { added };
        assert_eq!(world.ask(&added), queued(&added));
        world.wait_until("it failed", || world.status()["failed"] == 1);
        world.sentry.set_idp_provisioned(team, false);
        assert_eq!(world.ask(&added), queued(&added));
        world.wait_until("ana is in", || world.members("crew") == Some(vec!["ana@acme.test".into()]));
        world.wait_for_rest();
        assert_eq!(world.status()["failed"], 0);
        assert_eq!(world.ask(&added), seen("duplicate", &added));
    }
}

#[test]
fn a_redelivery_older_than_newer_news_is_superseded() {
    let (world, crew, ana) = world_with_crew();
    let team = world.sentry.teams()["crew"].id;
    world.sentry.set_idp_provisioned(team, true);
    let added = only(world.github.add_member(crew, ana));
    world.send(std::slice::from_ref(&added));
    world.wait_until("it failed", || world.status()["failed"] == 1);
    world.sentry.set_idp_provisioned(team, false);
    world.send(&world.github.remove_member(crew, ana));
    world.wait_for_rest();
    for _ in 0..2 {
        assert_eq!(world.ask(&added), seen("superseded", &added));
        assert_eq!(world.ask(&added.clone().form()), seen("superseded", &added));
    }
    world.wait_for_rest();
    assert_eq!(world.members("crew"), Some(vec![]), "the newer word holds");
    assert_eq!(world.status()["failed"], 0, "what is superseded has not failed");
}

#[test]
fn two_hooks_with_the_same_guid_are_two_deliveries() {
    let (world, crew, ana) = world_with_crew();
    let first = only(world.github.add_member(crew, ana));
    let second =
        only(world.github.add_member(crew, world.olive)).with_guid(&first.guid).with_hook(first.hook_id + 1);
    world.send(std::slice::from_ref(&first));
    world.wait_for_rest();
    assert_eq!(world.ask(&second), queued(&second));
    world.wait_for_rest();
    assert_eq!(world.members("crew"), Some(vec!["ana@acme.test".into(), "olive@acme.test".into()]));
    assert_eq!(world.ask(&second), seen("duplicate", &second));
    // A relay that drops the hook's id: one hook more.
    let third = second.clone().without("X-GitHub-Hook-ID");
    assert_eq!(world.ask(&third), queued(&third));
    world.wait_for_rest();
    assert_eq!(world.ask(&third), seen("duplicate", &third));
}

#[test]
fn a_ping_is_told_what_the_hooks_form_has_wrong() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let pong = |warnings: Value| (200, json!({ "status": "pong", "warnings": warnings }));
    let good = world.github.ping();
    assert_eq!(world.ask(&good), pong(json!([])));
    assert_eq!(world.ask(&good), pong(json!([])), "a ping is never a duplicate");
    let nulls = world.github.ping().with_payload(|payload| payload["hook"]["type"] = json!(null));
    assert_eq!(world.ask(&nulls), pong(json!([])), "GitHub's schema may leave it out");
    let bad = world.github.ping().with_payload(|payload| {
        payload["hook"]["events"] = json!(["team", "push"]);
        payload["hook"]["config"]["content_type"] = json!("form");
        payload["hook"]["config"]["insecure_ssl"] = json!("1");
        payload["hook"]["type"] = json!("Repository");
    });
    let warnings = [
        "this is a Repository webhook, which receives no membership events; create a webhook in the organisation's settings",
        "the webhook does not send membership, organization: choose \"Let me select individual events\" and tick Memberships, Organizations and Teams",
        "the content type is application/x-www-form-urlencoded; it works, but application/json is smaller",
        "SSL verification is disabled: enable it, or anybody between GitHub and this service can read the deliveries",
    ];
    assert_eq!(world.ask(&bad.form()), pong(json!(warnings)));
    world.wait_until("the log says it too", || {
        world.service().text().contains("SSL verification is disabled")
    });
}

#[test]
fn events_and_actions_that_change_nothing_are_ignored_with_the_reason() {
    let (world, crew, _) = world_with_crew();
    let edited = only(world.github.edit_description(crew, "about"));
    let with = |event: &str, action: &str| {
        let mut delivery = edited.clone().with_payload(|payload| payload["action"] = json!(action));
        delivery.event = event.into();
        delivery.with_guid(&format!("{event}-{action}").replace('_', "-"))
    };
    let calls = world.sentry.wire.n_calls();
    let mut star = with("star", "created");
    star.event = "star".into();
    for (delivery, reason) in [
        (star, "`star` events change no team"),
        (with("push", ""), "`push` events change no team"),
        (with("team", "added_to_repository"), "`team.added_to_repository` changes no membership"),
        (with("team", "from_the_future"), "`team.from_the_future` changes no membership"),
    ] {
        let ignored = (200, json!({ "status": "ignored", "reason": reason }));
        assert_eq!(world.ask(&delivery), ignored, "{}", delivery.event);
        assert_eq!(world.ask(&delivery.form()), ignored);
    }
    assert_eq!(world.status()["queued"], 0);
    assert_eq!(world.sentry.wire.n_calls(), calls);
}

#[test]
fn only_an_event_about_a_team_pins_the_organisation_and_others_are_refused_from_then_on() {
    let mut world = World::new(Truth::Deliveries);
    // A token of somebody in no organisation, so that it tells none.
    let stranger = world.github.add_user("stranger");
    world.github.set_token(&world.github_token, GithubToken::no_permission(stranger));
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    let ana = world.person("ana");
    let left = only(world.github.remove_from_org(ana));
    let ignored = json!({ "status": "ignored", "reason": "no team of this organisation is mirrored yet" });
    assert_eq!(world.ask(&left), (200, ignored));
    world.send(&created);
    let id = world.github.org_id();
    let other = only(world.github.rename_team(crew, "Mine")).with_payload(|payload| {
        payload["organization"]["id"] = json!(id + 1);
        payload["organization"]["login"] = json!("evil");
    });
    let refused = |login: &str| {
        let error = format!("this service does not mirror the organisation {login}");
        let fix = "point the webhook of that organisation at a service of its own, or set GH_ORG";
        (403, json!({ "status": "refused", "error": error, "fix": fix }))
    };
    assert_eq!(world.ask(&other), refused("evil"));
    assert_eq!(world.ask(&other.clone().form()), refused("evil"));
    // The id counts: a stranger may have taken the login.
    let thief = other.with_payload(|payload| payload["organization"]["login"] = json!("acme"));
    assert_eq!(world.ask(&thief), refused("acme"));
    // And a renamed organisation is still the same.
    let renamed = only(world.github.rename_org("acme-2"));
    assert_eq!(world.ask(&renamed), queued(&renamed));
    let later = only(world.github.rename_team(crew, "Ours"));
    assert_eq!(world.ask(&later), queued(&later));
}

#[test]
fn a_configured_organisation_is_the_only_one_even_before_github_was_asked() {
    let mut world = World::new(Truth::Deliveries);
    world.set("GH_ORG", "ACME");
    world.github.set_down(true).unwrap();
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    let other =
        created[0].clone().with_payload(|payload| payload["organization"]["login"] = json!("acme-evil"));
    let (status, body) = world.ask(&other);
    assert_eq!(
        (status, body["error"].as_str().unwrap()),
        (403, "this service does not mirror the organisation acme-evil")
    );
    assert_eq!(world.ask(&created[0]), queued(&created[0]));
    world.github.set_down(false).unwrap();
    world.wait_until("the team is made", || world.members("crew").is_some());
    assert!(crew > 0);
}

#[test]
fn both_secrets_are_accepted_while_rotating_and_metrics_tell_which() {
    let mut world = World::new(Truth::Deliveries);
    world.set("GH_WEBHOOK_TOKEN_PREVIOUS", "the one before");
    world.start();
    let url = format!("{}/github", world.service().url);
    let (crew, created) = world.github.create_team("Crew", world.olive);
    let renamed = world.github.rename_team(crew, "Crew Two");
    let signed = |secret: &str| world.metric(&format!("sync_signed_total{{secret=\"{secret}\"}}"));
    let old = Sender::new(&url, "the one before").send(&created[0]).unwrap();
    assert_eq!((old.status, signed("current"), signed("previous")), (202, 0, 1));
    let new = Sender::new(&url, SECRET).send(&renamed[0].clone().form()).unwrap();
    assert_eq!((new.status, signed("current"), signed("previous")), (202, 1, 1));
    let neither = Sender::new(&url, "the one before that").send(&renamed[0]).unwrap();
    assert_eq!((neither.status, signed("current"), signed("previous")), (401, 1, 1));
    assert_eq!(world.metric("sync_deliveries_total{event=\"team\",answer=\"queued\"}"), 2);
    assert_eq!(world.metric("sync_refused_total{reason=\"signature\"}"), 1);
}

#[test]
fn githubs_published_signature_is_accepted() {
    let mut world = World::new(Truth::Deliveries);
    world.set("GH_WEBHOOK_TOKEN", "It's a Secret to Everybody");
    world.start();
    let url = format!("{}/github", world.service().url);
    let post = |signature: &str| {
        let headers = [
            ("Content-Type", "application/json"),
            ("X-GitHub-Event", "team"),
            ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ("X-Hub-Signature-256", signature),
        ];
        ask(&url, "POST", &headers, b"Hello, World!").unwrap()
    };
    let published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let answer = post(published);
    let body = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.status, 400, "signed, but no JSON: {body}");
    assert!(body.contains("the body is not JSON"), "{body}");
    assert_eq!(post(&published.replace("17", "18")).status, 401);
}

#[test]
fn health_is_200_while_the_process_works() {
    let mut world = World::new(Truth::Deliveries);
    world.github.set_down(true).unwrap();
    world.sentry.set_down(true).unwrap();
    world.start();
    let ok = (200, "{\"status\":\"ok\"}\n".to_string());
    for base in [world.service().url.clone(), world.service().admin.clone()] {
        for path in ["/healthz", "/health"] {
            assert_eq!(get(&format!("{base}{path}")), ok, "{base}{path}");
        }
    }
    let (status, body) = world.get_admin("/readyz");
    assert_eq!(status, 503, "healthy is not ready: {body}");
}

/// Every write to a file fails from now on, or none. Signals apart, this is what a broken disk looks like.
fn let_files_grow(world: &World, may: bool) {
    let pid = Pid::from_raw(world.service().pid() as i32);
    let limit = Rlimit { current: (!may).then_some(0), maximum: None };
    prlimit(pid, Resource::Fsize, limit).expect("a limit for a process of our own");
}

#[test]
fn what_can_not_be_stored_is_answered_503_and_is_not_taken() {
    let mut world = World::new(Truth::Deliveries);
    let (ana, ben) = (world.person("ana"), world.person("ben"));
    // A write beyond the limit is an error then, not the end.
    let command = world.shell("trap '' XFSZ; exec \"$0\"");
    world.start_with(command);
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.send(&world.github.add_member(crew, ana));
    world.wait_for_rest();
    let_files_grow(&world, false);
    let lost = only(world.github.add_member(crew, ben));
    for delivery in [lost.clone(), lost.clone().form(), lost.clone()] {
        let answer = world.sender().send(&delivery).unwrap();
        let why = "cannot write the journal: File too large (os error 27)";
        let expected = json!({
            "status": "refused",
            "error": format!("cannot store the delivery: {why}"),
            "fix": "redeliver it later in GitHub",
        });
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), expected);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")));
        let (status, body) = world.get_admin("/readyz");
        assert_eq!((status, body.contains(why)), (503, true), "{body}");
    }
    assert_eq!(world.metric("sync_refused_total{reason=\"not_kept\"}"), 3);
    assert_eq!(world.status()["queued"], 0);
    assert_eq!(get(&format!("{}/healthz", world.service().url)).0, 200, "it works, it is only not ready");
    let_files_grow(&world, true);
    world.wait_until("ready again", || world.get_admin("/readyz").0 == 200);
    assert_eq!(world.members("crew"), Some(vec!["ana@acme.test".into()]), "what was refused is not done");
    assert_eq!(world.ask(&lost), queued(&lost), "and not remembered");
    world.crash_and_restart();
    world.wait_for_rest();
    assert_eq!(world.members("crew"), Some(vec!["ana@acme.test".into(), "ben@acme.test".into()]));
}
