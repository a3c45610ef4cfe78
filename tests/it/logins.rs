//! A login is not the account: it changes, becomes a hash, is given up and taken by somebody else.

use crate::standin::{GithubUser, OrgRole};
use crate::world::{Truth, World, BOTH};

fn is_in(world: &World, slug: &str, address: &str) -> bool {
    world.members(slug).is_some_and(|members| members.iter().any(|member| member == address))
}

#[test]
fn a_re_registered_login_inherits_nothing() {
    for truth in BOTH {
        let world = World::new(truth);
        let ana = world.person("ana");
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        world.settle(&world.github.remove_member(crew, ana));
        // Ana takes another login; somebody else registers the one that is free now.
        world.github.rename_user(ana, "ana-of-old");
        let eve = world.github.add_person(GithubUser::new("ana"));
        let (_, note) = world.settle(&world.github.add_member(crew, eve));
        assert!(note.contains("is wanted"), "{note}");
        world.wait_for_members("crew", &[]);
    }
}

#[test]
fn somebody_whose_login_changed_is_still_the_same_person() {
    for truth in BOTH {
        let world = World::new(truth);
        let ana = world.person("ana");
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        world.github.rename_user(ana, "ana2");
        world.settle(&world.github.remove_member(crew, ana));
        world.wait_for_members("crew", &[]);
    }
}

/// A suspended account's login becomes a hash: the 404 of the old one is no departure.
#[test]
fn a_login_that_became_another_is_no_departure() {
    let (world, crew) = World::new(Truth::Github).with_crew();
    let ana = world.person("ana");
    // Above a hundred people, single ones are asked for by login.
    for n in 0..120 {
        let filler = world.github.add_person(GithubUser::new(&format!("filler{n}")));
        world.github.join(crew, filler);
    }
    world.settle(&world.github.add_member(crew, ana));
    let from_team = world.github.remove_member(crew, ana);
    let from_org = world.github.remove_from_org(ana);
    // What was said is not so, or not any more.
    world.github.set_org_role(ana, OrgRole::Member);
    world.github.join(crew, ana);
    world.github.rename_user(ana, "3f2a9c31d0b7_corp");
    let mark = world.sentry.wire.mark();
    let left: Vec<_> = from_org.into_iter().filter(|delivery| delivery.event == "organization").collect();
    let (_, note) = world.settle(&left);
    assert!(note.contains("nothing was removed"), "{note}");
    world.settle(&from_team);
    assert!(is_in(&world, "crew", "ana@acme.test"), "{:?}", world.writes_since(mark));
    // Once they are really gone, they go.
    let left = world.github.remove_from_org(ana);
    world.send(&left);
    world.wait_until("taken out", || !is_in(&world, "crew", "ana@acme.test"));
}

/// A "yes" of the organisation to a login is about whoever has it now.
#[test]
fn a_login_that_somebody_else_has_now_keeps_nobody_in() {
    let (world, crew) = World::new(Truth::Github).with_crew();
    let ana = world.person("ana");
    world.settle(&world.github.add_member(crew, ana));
    let left = world.github.remove_from_org(ana);
    world.github.rename_user(ana, "ana-of-old");
    world.github.add_person(GithubUser::new("ana"));
    world.send(&left);
    world.wait_until("taken out", || !is_in(&world, "crew", "ana@acme.test"));
}
