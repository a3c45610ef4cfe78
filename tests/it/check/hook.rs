//! The webhook as GitHub has it.

use super::{alone, beside, healthy, Checked};
use crate::standin::{GithubToken, Hook};
use crate::world::World;

/// A world whose token may see webhooks, with this one.
fn with_hook(change: impl FnOnce(&mut Hook)) -> World {
    let mut world = healthy();
    world.github_token = world.github.add_token(GithubToken::members_read(world.olive).webhooks());
    world.set("GH_TOKEN", &world.github_token.clone());
    let mut hook = Hook { url: "https://hooks.example.com/github".into(), ..Hook::default() };
    change(&mut hook);
    world.github.set_hook(hook);
    world
}

#[test]
fn where_webhooks_are_not_shown_it_is_told_how_to_compare_by_hand() {
    let checked = alone(&healthy());
    let finding = checked.one("hook", "the token cannot see webhooks");
    finding.must("note", &[]);
    for part in [
        "Webhooks: Read-only",
        "application/json",
        "Memberships, Organizations and Teams",
        "Recent Deliveries",
    ] {
        assert!(finding.what.contains(part), "{finding:?}");
    }
}

#[test]
fn a_webhook_that_is_set_well_is_ok() {
    let checked = alone(&with_hook(|_| ()));
    checked
        .one("hook", "to \"https://hooks.example.com/github\" sends Memberships, Organizations and Teams")
        .must("ok", &[]);
    checked.one("hook", "no deliveries in the last few days").must("note", &[]);
    assert_eq!(checked.exit, 0);
}

#[test]
fn each_setting_that_is_wrong_is_told() {
    let judged = |change: fn(&mut Hook), says: &str| {
        let checked = alone(&with_hook(change));
        (checked.one("hook", says), checked.exit)
    };
    let form = "Organization settings → Webhooks → Edit";
    let missing = |hook: &mut Hook| hook.events.retain(|event| event != "membership");
    let (finding, exit) = judged(missing, "the webhook does not send membership");
    finding.must("failed", &[form]);
    assert_eq!(exit, 1);
    let (finding, exit) = judged(|hook| hook.active = false, "is not active");
    finding.must("failed", &[form]);
    assert_eq!(exit, 1);
    let (finding, exit) = judged(|hook| hook.insecure_ssl = "1".into(), "SSL verification is disabled");
    finding.must("warning", &[form]);
    assert_eq!(exit, 0);
    let plain = |hook: &mut Hook| hook.url = "http://hooks.example.com/github".into();
    judged(plain, "does not use https").0.must("warning", &[form]);
    judged(|hook| hook.content_type = "form".into(), "urlencoded; it works").0.must("note", &[]);
}

#[test]
fn an_organisation_whose_webhooks_are_all_for_others_has_none() {
    let world = with_hook(|hook| hook.events = vec!["push".into()]);
    let checked = alone(&world);
    checked
        .one("hook", "no webhook of the organisation sends here (it has 1 other active webhook)")
        .must("failed", &["Add webhook"]);
    assert_eq!(checked.exit, 1);
}

#[test]
fn the_last_deliveries_and_what_they_were_answered_are_told() {
    let mut world = with_hook(|_| ());
    world.start();
    let hook = world.github.hook();
    world.github.set_hook(Hook {
        url: format!("{}/github", world.service().url),
        secret: crate::world::SECRET.into(),
        ..hook
    });
    let (_, created) = world.github.create_team("Crew", world.olive);
    for delivery in &created {
        world.github.send(delivery).unwrap();
    }
    let last = |checked: &Checked| checked.one("hook", "the last delivery at ");
    let checked = beside(&world);
    assert!(
        last(&checked).what.ends_with("got 202; 0 of the last 1 failed"),
        "{checked:?}",
        checked = checked.report
    );
    last(&checked).must("ok", &[]);
    let missed = world.github.ping();
    world.github.log_delivery(&missed, None);
    let checked = beside(&world);
    assert!(last(&checked).what.ends_with("got no answer; 1 of the last 2 failed"));
    last(&checked).must("failed", &["Recent Deliveries", "check", " --url`"]);
    assert_eq!(checked.exit, 1);
    world.github.send(&world.github.ping()).unwrap();
    let checked = beside(&world);
    assert!(last(&checked).what.ends_with("got 200; 1 of the last 3 failed"));
    last(&checked).must("warning", &["Redeliver"]);
}
