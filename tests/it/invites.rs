//! Invites: off by default, counted, and only on addresses that no stranger can write.

use std::fs;

use crate::standin::{Era, GithubUser, NewMember, NewToken};
use crate::world::{Truth, World, BOTH};

/// A world with a token that may invite, and with a map for whom it names.
fn inviting(truth: Truth, map: &str) -> World {
    let mut world = World::new(truth);
    let owner = world.sentry.add_member(NewMember::new("owner@acme.test").role("owner"));
    let scopes =
        ["org:read", "team:read", "team:write", "team:admin", "member:read", "member:write", "member:admin"];
    let token = world.sentry.add_token(NewToken::user(owner, &scopes));
    world.set("SENTRY_TOKEN", &token);
    world.set("SYNC_INVITE", "member");
    with_map(world, map)
}

fn with_map(mut world: World, text: &str) -> World {
    let map = world.dir.0.join("map.csv");
    fs::write(&map, text).expect("a map");
    world.set("SYNC_USER_MAP", map.to_str().expect("a plain path"));
    world
}

fn is_known(world: &World, address: &str) -> bool {
    world.sentry.members().iter().any(|known| known == address)
}

#[test]
fn whoever_the_map_names_is_invited_and_joins_the_team_with_the_invite() {
    for truth in BOTH {
        let world = inviting(truth, "ana,ana@corp.test\n");
        let ana = world.github.add_person(GithubUser::new("ana"));
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        world.wait_until("invited", || is_known(&world, "ana@corp.test"));
        world.wait_until("in the team", || {
            world.members("crew").is_some_and(|all| all.iter().any(|member| member == "ana@corp.test"))
        });
        let audit = world.audit();
        let line = audit.iter().find(|line| line["decision"] == "invite person").expect("an audit line");
        assert_eq!((&line["login"], &line["reason"]), (&"ana".into(), &"address from map".into()));
        assert_eq!(line["person"], ana);
    }
}

#[test]
fn addresses_of_single_sign_on_and_verified_domains_count_and_public_ones_never() {
    let world = inviting(Truth::Github, "other,other@corp.test\n");
    let ana = world.github.add_person(GithubUser::new("ana").saml("ana@sso.test"));
    let ben = world.github.add_person(GithubUser::new("ben").verified("ben@corp.test"));
    let eve = world.github.add_person(GithubUser::new("eve").email("eve@home.test"));
    let (world, crew) = world.with_crew();
    for person in [eve, ana, ben] {
        world.settle(&world.github.add_member(crew, person));
    }
    for address in ["ana@sso.test", "ben@corp.test"] {
        world.wait_until(address, || is_known(&world, address));
    }
    assert!(!is_known(&world, "eve@home.test"));
    world.wait_until("one is still wanted", || world.status()["wanted"] == 1);
}

#[test]
fn nobody_is_invited_unless_asked_for() {
    let world = with_map(World::new(Truth::Github), "ana,ana@corp.test\n");
    let ana = world.github.add_person(GithubUser::new("ana"));
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_rest();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(!is_known(&world, "ana@corp.test"));
}

#[test]
fn no_more_than_the_days_number_is_invited_across_restarts() {
    let mut world = inviting(Truth::Deliveries, "ana,ana@corp.test\nben,ben@corp.test\ncat,cat@corp.test\n");
    world.set("SYNC_MAX_INVITES", "2");
    let people = ["ana", "ben", "cat"].map(|name| world.github.add_person(GithubUser::new(name)));
    let (mut world, crew) = world.with_crew();
    for person in people {
        world.settle(&world.github.add_member(crew, person));
    }
    world.wait_until("told", || world.service().text().contains("SYNC_MAX_INVITES allows no more"));
    world.crash_and_restart();
    world.wait_until("told again", || world.service().text().contains("SYNC_MAX_INVITES allows no more"));
    let invited = world.sentry.members().iter().filter(|address| address.ends_with("@corp.test")).count();
    assert_eq!(invited, 2);
}

#[test]
fn nobody_who_left_is_invited_again() {
    for truth in BOTH {
        let mut world = inviting(truth, "ana,ana@corp.test\nben,ben@corp.test\n");
        world.set("SYNC_INTERVAL", "1s");
        let ana = world.github.add_person(GithubUser::new("ana"));
        let ben = world.github.add_person(GithubUser::new("ben"));
        let ben_there = world.sentry.add_member("ben@corp.test");
        let (world, crew) = world.with_crew();
        for (person, address) in [(ana, "ana@corp.test"), (ben, "ben@corp.test")] {
            world.settle(&world.github.add_member(crew, person));
            world.wait_until("in the team", || {
                world.members("crew").is_some_and(|all| all.iter().any(|member| member == address))
            });
        }
        // One was invited, one was there by himself; both leave Sentry and stay in the GitHub team.
        let ana_there = world.sentry.member_id("ana@corp.test").expect("the invite");
        world.sentry.remove_member(ana_there);
        world.sentry.remove_member(ben_there);
        world.wait_until("both are wanted", || {
            world.status()["wanted"].as_u64() >= Some(2) || {
                world.send(&world.github.add_member(crew, ana));
                world.send(&world.github.add_member(crew, ben));
                false
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(2500));
        assert!(!is_known(&world, "ana@corp.test") && !is_known(&world, "ben@corp.test"), "{truth:?}");
    }
}

#[test]
fn an_integration_that_may_not_invite_is_told_and_goes_on() {
    for truth in BOTH {
        // Today's Sentry lets an integration invite members.
        let mut world = with_map(World::in_era(truth, Era::V23_7_1), "ana,ana@corp.test\n");
        world.set("SYNC_INVITE", "member");
        let ana = world.github.add_person(GithubUser::new("ana"));
        let ben = world.person("ben");
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        world.wait_until("told", || world.service().text().contains("SENTRY_TOKEN may not invite"));
        assert_eq!(world.get_admin("/readyz").0, 200);
        world.settle(&world.github.add_member(crew, ben));
        assert!(world.members("crew").is_some_and(|all| all.iter().any(|member| member == "ben@acme.test")));
    }
}
