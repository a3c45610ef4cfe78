//! `SYNC_CHILD_MEMBERS=all`: the people of child teams count in all teams above them.

use super::{apply, people, teams, world};
use crate::standin::{Delivery, Events, GithubTeam};
use crate::world::World;

#[test]
fn people_of_a_child_that_is_deleted_or_moved_away_leave_the_teams_above_it() {
    let mut world = world();
    let all = people(&world, 20);
    world.set("SYNC_CHILD_MEMBERS", "all");
    world.set("SYNC_INTERVAL", "off");
    // So many that one team less is no short reading.
    let others: Vec<_> = (0..20).map(|n| format!("t{n}")).collect();
    teams(&world, &others.iter().map(String::as_str).collect::<Vec<_>>(), &all[3..5]);
    let top = teams(&world, &["Top"], &all[3..])[0];
    let mid = world.github.add_team(GithubTeam::new("Mid").parent(top));
    let leaf = world.github.add_team(GithubTeam::new("Leaf").parent(mid));
    let other = world.github.add_team(GithubTeam::new("Other").parent(mid));
    world.github.join(leaf, all[0]);
    world.github.join(other, all[1]);
    apply(&world);
    let has = |world: &World, slug: &str, n: usize| {
        let address = format!("p{n}@acme.test");
        world.members(slug).is_some_and(|members| members.contains(&address))
    };
    assert!([0, 1].iter().all(|n| has(&world, "top", *n) && has(&world, "mid", *n)));
    world.start();
    world.wait_until("its own comparison is over", || !world.status()["last_reconcile"].is_null());
    world.settle(&world.github.delete_team(leaf));
    world.wait_until("out of both", || !has(&world, "top", 0) && !has(&world, "mid", 0));
    assert!(["top", "mid", "other"].iter().all(|slug| has(&world, slug, 1)));
    world.github.set_events(Events { reparent: true, ..Events::default() });
    world.settle(&world.github.reparent(other, None));
    world.wait_until("out of both", || !has(&world, "top", 1) && !has(&world, "mid", 1));
    assert!(has(&world, "other", 1) && has(&world, "top", 3));
}

#[test]
fn who_joins_or_leaves_a_child_is_looked_at_in_the_teams_above_it() {
    let mut world = world();
    let all = people(&world, 2);
    world.set("SYNC_CHILD_MEMBERS", "all");
    world.set("SYNC_INTERVAL", "off");
    let top = teams(&world, &["Top"], &all[..1])[0];
    let mid = world.github.add_team(GithubTeam::new("Mid").parent(top));
    let [leaf, other] =
        ["Leaf", "Other"].map(|name| world.github.add_team(GithubTeam::new(name).parent(mid)));
    apply(&world);
    world.start();
    world.wait_until("its own comparison is over", || !world.status()["last_reconcile"].is_null());
    let is_in = |slugs: &[&str]| {
        let has =
            |slug: &str| world.members(slug).is_some_and(|members| members.contains(&"p1@acme.test".into()));
        ["top", "mid", "leaf", "other"].into_iter().filter(|slug| has(slug)).eq(slugs.iter().copied())
    };
    let step = |sent: Vec<Delivery>, slugs: &[&str]| {
        world.settle(&sent);
        world.wait_for_rest();
        assert!(is_in(slugs), "{slugs:?}: {}", world.service().text());
    };
    step(world.github.add_member(leaf, all[1]), &["top", "mid", "leaf"]);
    step(world.github.add_member(other, all[1]), &["top", "mid", "leaf", "other"]);
    // Still there through the other child.
    step(world.github.remove_member(leaf, all[1]), &["top", "mid", "other"]);
    step(world.github.add_member(top, all[1]), &["top", "mid", "other"]);
    step(world.github.remove_member(top, all[1]), &["top", "mid", "other"]);
    step(world.github.remove_member(other, all[1]), &[]);
}
