//! Deliveries that do not say what they could: `null` in a person's place, or a team that is told to be deleted in passing.

use serde_json::Value;

use crate::standin::{Delivery, GithubUser};
use crate::world::{Truth, World, BOTH};

/// The same delivery, from GitHub that does not name the person.
fn without_the_person(mut deliveries: Vec<Delivery>) -> Delivery {
    deliveries.remove(0).with_payload(|payload| match payload.get_mut("membership") {
        Some(membership) => membership["user"] = Value::Null,
        None => payload["member"] = Value::Null,
    })
}

/// A world that compares both sides at its start, and from then on only when there is a reason. Somebody of whom only the
/// public profile tells who they are is never removed by a comparison.
fn world_with_ana(truth: Truth) -> (World, u64, u64) {
    let mut world = World::new(truth);
    world.set("SYNC_INTERVAL", "off");
    let ana = GithubUser::new("ana").verified("ana@acme.test").email("ana@acme.test");
    let ana = world.github.add_person(ana);
    world.sentry.add_member("ana@acme.test");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_members("crew", &["ana"]);
    (world, crew, ana)
}

#[test]
fn whoever_is_added_without_a_name_is_found_by_a_look_at_the_team() {
    let (world, crew, _) = world_with_ana(Truth::Github);
    let ben = world.person("ben");
    world.send(&[without_the_person(world.github.add_member(crew, ben))]);
    world.wait_for_members("crew", &["ana", "ben"]);
}

#[test]
fn whoever_leaves_a_team_without_a_name_is_found_by_a_comparison() {
    let (world, crew, ana) = world_with_ana(Truth::Github);
    let (status, note) = world.settle(&[without_the_person(world.github.remove_member(crew, ana))]);
    assert_eq!(status, "done");
    assert!(
        note.ends_with("the event names nobody; comparing GitHub and Sentry to find out who it was"),
        "{note}"
    );
    world.wait_for_members("crew", &[]);
}

#[test]
fn whoever_joins_or_leaves_the_organisation_without_a_name_is_found_by_a_comparison() {
    let (world, crew, ana) = world_with_ana(Truth::Github);
    let left = without_the_person(world.github.remove_from_org(ana));
    assert_eq!(left.payload()["action"], "member_removed");
    world.send(&[left]);
    world.wait_for_members("crew", &[]);
    let joined = without_the_person(world.github.add_to_org(ana));
    world.github.join(crew, ana);
    world.send(&[joined]);
    world.wait_for_members("crew", &["ana"]);
}

#[test]
fn without_a_name_and_without_github_nothing_is_changed_and_the_reason_is_told() {
    let (mut world, crew, ana) = world_with_ana(Truth::Deliveries);
    let ben = world.person("ben");
    let mark = world.sentry.wire.mark();
    let silent = [
        without_the_person(world.github.add_member(crew, ben)),
        without_the_person(world.github.remove_member(crew, ana)),
        without_the_person(world.github.remove_from_org(ana)),
    ];
    for delivery in silent {
        let (status, note) = world.settle(&[delivery]);
        let why = "the event names nobody, and GH_TOKEN cannot read members, so it is unknown who it was";
        assert_eq!((status.as_str(), note.ends_with(why)), ("done", true), "{note}");
    }
    assert_eq!(world.writes_since(mark), [""; 0]);
    world.crash_and_restart();
    // What was kept without a name is read again, and done.
    world.wait_for_rest();
    assert_eq!(world.status()["failed"], 0);
}

#[test]
fn a_team_that_an_event_marks_as_deleted_is_deleted() {
    for truth in BOTH {
        let (world, crew, _) = world_with_ana(truth);
        let deleted = world.github.delete_team(crew).pop().unwrap().with_payload(|payload| {
            payload["action"] = "edited".into();
            payload["changes"] = serde_json::json!({});
            payload["team"]["deleted"] = true.into();
        });
        world.settle(&[deleted]);
        world.wait_until("gone", || world.members("crew").is_none());
    }
}
