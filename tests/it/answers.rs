//! Answers that are not what they look like: a firewall's 403, a balancer's 404, a policy's refusal.

use std::time::Duration;

use crate::standin::{Era, Fault, OrgRole, Rule};
use crate::world::{Truth, World};

/// A 404 of GitHub's own says that somebody is not in the organisation. A gateway's says nothing.
#[test]
fn a_404_of_somebody_else_takes_nobody_out() {
    each_at_once([Fault::StatusHtml(404), Fault::gateway_json(404), Fault::empty(404)], |fault| {
        let (world, crew) = World::new(Truth::Github).with_crew();
        let ana = world.person("ana");
        world.settle(&world.github.add_member(crew, ana));
        let left = world.github.remove_from_org(ana);
        // She is back before anybody looks.
        world.github.set_org_role(ana, OrgRole::Member);
        world.github.join(crew, ana);
        let mark = world.sentry.wire.mark();
        world.github.wire.script(Rule::new("GET /orgs/{org}/memberships/{username}", fault.clone()).times(3));
        let event: Vec<_> = left.into_iter().filter(|delivery| delivery.event == "organization").collect();
        let (_, note) = world.settle(&event);
        assert!(note.contains("nothing was removed"), "{fault:?}: {note}");
        assert_eq!(world.writes_since(mark), [""; 0], "{fault:?}");
        world.wait_for_members("crew", &["ana"]);
    });
}

/// Plays each in a world of its own; they wait side by side.
fn each_at_once<const N: usize>(faults: [Fault; N], play: impl Fn(Fault) + Sync) {
    std::thread::scope(|scope| {
        for fault in faults {
            let play = &play;
            scope.spawn(move || play(fault));
        }
    });
}

#[test]
fn a_404_of_somebody_else_deletes_no_team() {
    each_at_once([Fault::StatusHtml(404), Fault::gateway_json(404)], |fault| {
        let (world, crew) = World::new(Truth::Github).with_crew();
        let mut deleted = world.github.delete_team(crew);
        deleted.retain(|delivery| delivery.event == "team");
        let (again, _) = world.github.create_team("Crew", world.olive);
        // A deletion that GitHub contradicts, and a proxy that fails while it is looked at.
        let mut forged = deleted.remove(0);
        forged.body =
            String::from_utf8(forged.body).unwrap().replace(&crew.to_string(), &again.to_string()).into();
        let created = world.github.rename_team(again, "Crew Two");
        world.settle(&created);
        world.wait_until("mirrored", || world.sentry.teams().contains_key("crew-two"));
        world
            .github
            .wire
            .script(Rule::new("GET /organizations/{org_id}/team/{team_id}", fault.clone()).times(3));
        let (_, note) = world.settle(&[forged]);
        assert!(note.contains("GitHub still shows the team"), "{fault:?}: {note}");
        assert!(world.sentry.teams().contains_key("crew-two"), "{fault:?}");
    });
}

#[test]
fn a_policys_refusal_is_quoted_and_is_no_lost_permission() {
    let (world, crew) = World::new(Truth::Github).with_crew();
    let ana = world.person("ana");
    let policy = Fault::policies().into_iter().next().expect("the IP allow list");
    world.github.wire.script(Rule::new("*", policy).always());
    let mark = world.sentry.wire.mark();
    world.send(&world.github.add_member(crew, ana));
    world.wait_until("not ready", || world.get_admin("/readyz").0 == 503);
    let (_, body) = world.get_admin("/readyz");
    assert!(body.contains("IP allow list enabled"), "quoted: {body}");
    assert!(body.contains("add this machine's public address"), "with the fix: {body}");
    assert!(!body.contains("has lost its permission"), "{body}");
    assert_eq!((world.writes_since(mark).len(), world.status()["failed"].as_u64()), (0, Some(0)));
    assert_eq!(world.status()["mode"], "read");
}

#[test]
fn a_sentry_organisation_that_answers_404_as_a_whole_unbinds_nothing() {
    // A server that says so is asked again after a minute; a gateway that says nothing, after five.
    let world = World::in_era(Truth::Deliveries, Era::V23_7_1);
    let ana = world.person("ana");
    let (world, crew) = world.with_crew();
    world.sentry.set_org_slug("renamed");
    world.send(&world.github.add_member(crew, ana));
    world.send(&world.github.delete_team(crew));
    world.wait_until("not ready", || world.get_admin("/readyz").1.contains("correct SENTRY_ORG_SLUG"));
    assert_eq!(world.status()["teams"], 1, "the binding is kept");
    world.sentry.set_org_slug("acme-sentry");
    world.wait_within(Duration::from_secs(100), "deleted", || world.sentry.teams().is_empty());
}
