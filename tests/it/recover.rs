//! Payload mode: what GitHub could not hand over is taken from its own list, in its own order.

use crate::standin::http::Response;
use crate::standin::{Delivery, Fault, GithubToken, Rule};
use crate::world::{Truth, World};

/// A running world whose token may read the webhook's deliveries, with a mirrored team `crew`.
fn world() -> (World, u64) {
    let mut world = World::new(Truth::Deliveries);
    let token = world.github.add_token(GithubToken::no_permission(world.olive).webhooks());
    world.set("GH_TOKEN", &token);
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    hand_over(&world, &created);
    (world, crew)
}

/// Sends deliveries, and has GitHub remember that they were answered.
fn hand_over(world: &World, deliveries: &[Delivery]) {
    for delivery in deliveries {
        world.settle(std::slice::from_ref(delivery));
        world.github.log_delivery(delivery, Some(&Response::new(202, "application/json", "{}")));
    }
}

/// Nobody answers, or a proxy does.
fn miss(world: &World, deliveries: &[Delivery]) {
    for (n, delivery) in deliveries.iter().enumerate() {
        let bad_gateway = Response::new(502, "text/html", "<html>");
        world.github.log_delivery(delivery, (n % 2 == 0).then_some(&bad_gateway));
    }
}

#[test]
fn what_was_missed_while_down_is_taken_in_order_at_the_start() {
    let (mut world, crew) = world();
    let (ana, ben) = (world.person("ana"), world.person("ben"));
    world.take_service().stop("-TERM");
    miss(&world, &world.github.add_member(crew, ana));
    miss(&world, &world.github.add_member(crew, ben));
    miss(&world, &world.github.rename_team(crew, "Night Crew"));
    miss(&world, &world.github.remove_member(crew, ana));
    world.start();
    world.wait_for_members("night-crew", &["ben"]);
    world.wait_until("it is told", || {
        world.service().text().contains("recover: recovered 4 missed deliveries")
    });
    // They are taken once.
    world.crash_and_restart();
    world.wait_until("looked again", || world.status()["recovered"]["taken"] == 0);
    let lines = world.audit();
    assert_eq!(lines.iter().filter(|line| line["decision"] == "take missed delivery").count(), 4);
}

#[test]
fn a_missed_delivery_that_newer_news_has_overtaken_is_skipped() {
    let (mut world, crew) = world();
    let (ana, ben) = (world.person("ana"), world.person("ben"));
    hand_over(&world, &world.github.add_member(crew, ben));
    miss(&world, &world.github.add_member(crew, ana));
    hand_over(&world, &world.github.remove_member(crew, ana));
    // Ben left the organisation and came back: only the departure was missed.
    miss(&world, &world.github.remove_from_org(ben));
    world.github.add_to_org(ben);
    hand_over(&world, &world.github.add_member(crew, ben));
    world.crash_and_restart();
    world.wait_until("it is told", || {
        world.service().text().contains("recovered 0 missed deliveries, skipped 2")
    });
    world.wait_for_rest();
    world.wait_for_members("crew", &["ben"]);
}

#[test]
fn a_token_that_may_not_read_the_list_is_told_once_and_asked_no_more() {
    let mut world = World::new(Truth::Deliveries);
    world.set("SYNC_INTERVAL", "1s");
    world.start();
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    world.wait_until("told", || world.service().text().contains("cannot list webhook deliveries"));
    let asked = || {
        let calls = world.github.wire.calls();
        calls.iter().filter(|call| call.path.contains("/deliveries")).count()
    };
    let before = asked();
    let mark = world.sentry.wire.mark();
    world.wait_until("an interval went by", || world.sentry.wire.calls_since(mark).len() >= 2);
    assert_eq!(asked(), before);
}

#[test]
fn a_list_whose_page_leads_to_itself_is_told_and_not_read_for_ever() {
    let (mut world, crew) = world();
    let ana = world.person("ana");
    world.take_service().stop("-TERM");
    miss(&world, &world.github.add_member(crew, ana));
    let mark = world.github.wire.mark();
    world
        .github
        .wire
        .script(Rule::new("GET /orgs/{org}/hooks/{hook_id}/deliveries", Fault::SamePage).times(3));
    world.start();
    world.wait_until("it is told", || world.service().text().contains("the page leads to itself"));
    let calls = world.github.wire.calls_since(mark);
    assert!(calls.iter().filter(|call| call.route.ends_with("/deliveries")).count() <= 3);
    world.github.wire.clear_faults();
    world.crash_and_restart();
    world.wait_for_members("crew", &["ana"]);
}
