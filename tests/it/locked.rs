//! Sentry teams that an identity provider manages are never adopted, renamed or deleted, also where Sentry would let it
//! pass, as 23.7.1 does.

use crate::standin::{Era, ERAS};
use crate::world::{Truth, World, BOTH};

const MANAGED: &str = "Sentry team `crew` is managed by your identity provider: change it there";

fn each(play: impl Fn(World)) {
    for era in ERAS {
        for truth in BOTH {
            play(world(truth, era));
        }
    }
}

fn world(truth: Truth, era: Era) -> World {
    let mut world = World::in_era(truth, era).may_list_teams();
    world.set("SYNC_FIRST", "apply");
    world.set("SYNC_INTERVAL", "off");
    world
}

/// No call has changed anything, but for people, whom Sentry refuses by itself.
#[track_caller]
fn assert_untouched(world: &World, mark: usize, before: &crate::standin::TeamView) {
    let mut writes = world.writes_since(mark);
    writes.retain(|write| !write.contains("/members/"));
    assert_eq!(writes, [""; 0]);
    let now = &world.sentry.teams()["crew"];
    assert_eq!((now.id, &now.name, &now.members), (before.id, &before.name, &before.members));
}

#[test]
fn an_event_never_makes_such_a_team_a_github_teams_own() {
    each(|mut world| {
        let ana = world.person("ana");
        let crew = world.old_team("crew");
        let there = world.sentry.add_team("crew", "The crew");
        world.sentry.set_idp_provisioned(there, true);
        let (mark, before) = (world.sentry.wire.mark(), world.sentry.teams()["crew"].clone());
        world.start();
        let (status, why) = world.settle(&world.github.add_member(crew, ana));
        assert_eq!((status.as_str(), why.contains(MANAGED)), ("failed", true), "{why}");
        assert_untouched(&world, mark, &before);
        let status = world.status();
        assert_eq!(
            (&status["teams"], &status["held"]),
            (&0.into(), &0.into()),
            "there is nothing to approve"
        );
        // Its deletion is none of that team's either.
        world.settle(&world.github.delete_team(crew));
        assert_untouched(&world, mark, &before);
    });
}

#[test]
fn an_event_renames_and_deletes_no_such_team() {
    each(|world| {
        let (world, crew) = world.with_crew();
        world.sentry.set_idp_provisioned(world.sentry.teams()["crew"].id, true);
        let (mark, before) = (world.sentry.wire.mark(), world.sentry.teams()["crew"].clone());
        let (status, why) = world.settle(&world.github.rename_team(crew, "Band"));
        assert_eq!((status.as_str(), why.contains(MANAGED)), ("failed", true), "{why}");
        assert_untouched(&world, mark, &before);
        let (status, why) = world.settle(&world.github.delete_team(crew));
        let left = "Sentry team `crew` is left alone: managed by your identity provider";
        assert_eq!((status.as_str(), why.as_str()), ("done", left));
        assert_untouched(&world, mark, &before);
    });
}

#[test]
fn a_comparison_adopts_renames_and_deletes_no_such_team() {
    for era in ERAS {
        let world = world(Truth::Github, era);
        let crew = world.old_team("crew");
        let there = world.sentry.add_team("crew", "The crew");
        // Only beside nine times as many that are shown, an absent team is known to be deleted.
        for n in 0..20 {
            let other = format!("other{n}");
            world.old_team(&other);
            world.sentry.add_team(&other, &other);
        }
        let lock = |on| world.sentry.set_idp_provisioned(there, on);
        lock(true);
        let compared = |line: &str| {
            let (mark, before) = (world.sentry.wire.mark(), world.sentry.teams()["crew"].clone());
            let (_, out, _) = world.alone(&["sync"]);
            let (code, ..) = world.alone(&["sync", "--apply"]);
            assert!(out.contains(line), "{line:?} in {out}");
            assert_untouched(&world, mark, &before);
            code
        };
        let locked =
            |slug: &str| format!("locked   {slug}  Sentry team {there} is managed by your identity provider");
        compared(&locked("crew"));
        lock(false);
        assert_eq!(compared("adopt    crew"), 0);
        lock(true);
        world.github.rename_team(crew, "Band");
        compared(&locked("band"));
        // Whoever waits for its slug does so until it is free.
        world.old_team("crew");
        compared("wait     crew");
        world.github.delete_team(crew);
        world.github.delete_team(world.github.team_id("crew").expect("the other one"));
        compared(&format!("leave    crew  Sentry team {there}: managed by your identity provider"));
        assert!(world.alone(&["sync"]).1.starts_with("in sync: "), "{era:?}");
    }
}
