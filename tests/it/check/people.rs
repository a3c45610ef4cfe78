//! Who is matched by which source, and who is left.

use std::fs;

use super::{alone, beside, healthy};
use crate::standin::{Era, GithubUser, NewMember};
use crate::world::{Truth, World};

#[test]
fn each_source_is_counted_and_everybody_left_is_named_by_what_would_help() {
    let mut world = healthy();
    let map = world.dir.0.join("map.csv");
    fs::write(&map, "mapped,mapped@corp.test\n").unwrap();
    world.set("SYNC_USER_MAP", map.to_str().unwrap());
    let crew = world.old_team("Crew");
    for user in [
        GithubUser::new("mapped"),
        GithubUser::new("linked"),
        GithubUser::new("sso").saml("sso@corp.test"),
        GithubUser::new("domain").verified("domain@corp.test"),
        GithubUser::new("public").email("public@corp.test"),
        GithubUser::new("stranger").email("stranger@home.test"),
        GithubUser::new("ghost"),
        GithubUser::new("twin").email("twin@corp.test"),
    ] {
        let id = world.github.add_person(user);
        world.github.join(crew, id);
    }
    world.sentry.add_member(NewMember::new("linked@corp.test").github("@linked"));
    for name in ["mapped", "sso", "domain", "public", "twin", "twin"] {
        world.sentry.add_member(NewMember::new(&format!("{name}@corp.test")));
    }
    let checked = alone(&world);
    checked.one("identity", "names 1 person").must("ok", &[]);
    let matched = checked.one("identity", " matched, by source");
    assert!(matched.what.starts_with("5 of 8 people in teams are matched"), "{matched:?}");
    assert!(
        matched.what.ends_with(": map 1, sentry 0, saml 1, verified 1, public 1, sentry-login 1"),
        "{matched:?}"
    );
    checked
        .one("identity", "1 person has an address that nobody in Sentry has: \"stranger\"")
        .must("warning", &["invite them", "SYNC_USER_MAP", "whois", " PERSON` shows why"]);
    checked
        .one("identity", "1 person has no known address: \"ghost\"")
        .must("warning", &["SYNC_USER_MAP", "whois", " PERSON` shows why"]);
    checked
        .one("identity", "1 person has conflicting matches and is left alone: \"twin\"")
        .must("warning", &["whois", " PERSON` shows why"]);
    assert_eq!(checked.exit, 0);
    assert!(!checked.report.to_string().contains("@corp.test"), "addresses are not shown");
}

#[test]
fn check_says_what_kind_of_sentry_it_sees_and_what_each_trust_comes_to() {
    for (era, kind, counts) in [
        (
            Era::Today,
            "only its members' primary addresses, and not whether they are verified",
            "never 0, primary 2, any 3",
        ),
        (
            Era::V23_7_1,
            "all addresses of its members, and which of them are verified",
            "never 1, primary 2, any 3",
        ),
    ] {
        let world = World::in_era(Truth::Github, era).may_list_teams();
        let crew = world.old_team("Crew");
        for login in ["plain", "unproven", "second", "payer", "nobody"] {
            world.github.join(crew, world.github_only(login));
        }
        world.sentry.add_member("plain@acme.test");
        world.sentry.add_member(NewMember::new("unproven@acme.test").unverified());
        world.sentry.add_member(NewMember::new("work@acme.test").also("second@acme.test", false));
        world.sentry.add_member(NewMember::new("payer@acme.test").role("billing"));
        let checked = alone(&world);
        checked.one("identity", kind).must("ok", &[]);
        let told = checked.one("identity", "SYNC_TRUST_UNVERIFIED is primary");
        assert!(told.what.ends_with(counts), "{told:?}");
        checked
            .one("identity", "1 person has an address that is only a secondary one in Sentry: \"second\"")
            .must(
                "warning",
                &["make it their primary address", "SYNC_USER_MAP", "SYNC_TRUST_UNVERIFIED=any"],
            );
        checked.one("identity", "1 person has a Sentry role that cannot be in a team: \"payer\"");
        checked.one("identity", "1 person has an address that nobody in Sentry has: \"nobody\"");
        assert_eq!(checked.exit, 0);
    }
}

#[test]
fn what_a_wider_permission_may_add_is_told_where_a_source_is_closed() {
    let world = healthy();
    let crew = world.old_team("Crew");
    let ghost = world.github.add_person(GithubUser::new("ghost").verified("ghost@acme.test"));
    world.github.join(crew, ghost);
    world.github.forbid_field("organizationVerifiedDomainEmails", true);
    alone(&world)
        .one("identity", "1 person has no known address")
        .must("warning", &["let the token read `verified`"]);
}

#[test]
fn in_payload_mode_those_whom_deliveries_have_named_are_counted() {
    let world = World::new(Truth::Deliveries).may_list_teams();
    assert!(alone(&world).says("identity", "0 people are matched and 0 not"));
    let (ana, zoe) = (world.person("ana"), world.github_only("zoe"));
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.settle(&world.github.add_member(crew, zoe));
    let checked = beside(&world);
    checked
        .one("identity", "1 person is matched and 1 not")
        .must("warning", &["SYNC_USER_MAP", "Members: Read-only"]);
}

#[test]
fn a_user_map_that_can_not_be_read_is_told() {
    let mut world = healthy();
    let map = world.dir.0.join("map.csv");
    world.set("SYNC_USER_MAP", map.to_str().unwrap());
    let checked = alone(&world);
    checked.one("identity", "cannot be read").must("failed", &["correct the file"]);
    fs::write(&map, "no address here\n").unwrap();
    assert_eq!(alone(&world).exit, 1);
}

#[test]
fn without_either_token_people_are_not_counted() {
    let world = healthy();
    world.sentry.revoke(&world.sentry_token);
    alone(&world).one("identity", "was not counted").must("warning", &["both tokens"]);
}
