//! The Sentry token, from a refused one to the exact permission that is missing.

use super::{alone, healthy};
use crate::standin::{asking_permissions, original_permissions, Fault, NewMember, NewToken, RateLimit, Rule};
use crate::world::{Truth, World};

const FORM: &str = "Settings → Custom Integrations → the integration → Permissions";

fn with_token(mut world: World, token: NewToken) -> World {
    world.sentry_token = world.sentry.add_token(token);
    world.set("SENTRY_TOKEN", &world.sentry_token.clone());
    world
}

#[test]
fn a_refused_token_is_told_and_github_is_still_checked() {
    let world = healthy();
    world.sentry.revoke(&world.sentry_token);
    let checked = alone(&world);
    checked
        .one("sentry", "Sentry rejected SENTRY_TOKEN (401 \"Invalid token\")")
        .must("failed", &["Custom Integrations", "SENTRY_URL"]);
    assert_eq!((checked.all("sentry").len(), checked.exit), (1, 1));
    checked.one("github", "read mode").must("ok", &[]);
    let world = healthy();
    world.sentry.set_expired(&world.sentry_token, true);
    alone(&world).one("sentry", "Sentry rejected SENTRY_TOKEN (401 \"Token expired\")").must("failed", &[]);
}

#[test]
fn an_organisation_token_is_of_the_wrong_kind() {
    let checked = alone(&with_token(healthy(), NewToken::org()));
    checked
        .one("sentry", "SENTRY_TOKEN is an organisation token (sntrys_…)")
        .must("failed", &["Internal Integration"]);
    assert_eq!((checked.all("sentry").len(), checked.exit), (1, 1));
}

#[test]
fn from_a_failing_token_to_the_exact_permission_with_check_alone() {
    let all = ["team:read", "team:write", "team:admin", "member:read", "member:write"];
    let cases: [(&str, &[&str], &str, &str, &str); 3] = [
        (
            "team:write",
            &["team:write"],
            "it cannot create or rename teams",
            "POST /organizations/{org}/teams/",
            "Team: Admin",
        ),
        (
            "team:admin",
            &["team:admin"],
            "it cannot delete teams",
            "DELETE /teams/{org}/{slug}/",
            "Team: Admin",
        ),
        (
            "member:read",
            &["member:read", "member:write"],
            "nobody is matched",
            "GET /organizations/{org}/members/",
            "Member: Read & Write",
        ),
    ];
    for (scope, without, says, call, tick) in cases {
        let own: Vec<_> = all.into_iter().filter(|own| !without.contains(own)).collect();
        let checked = alone(&with_token(healthy(), NewToken::integration(&own)));
        let finding = checked.one("sentry", &format!("SENTRY_TOKEN lacks {scope}"));
        finding.must("failed", &[FORM, tick]);
        assert!(finding.what.contains(says) && finding.what.contains(call), "{finding:?}");
        let n_failed = checked.all("sentry").iter().filter(|finding| finding.level == "failed").count();
        assert_eq!((n_failed, checked.exit), (1, 1), "{scope}: {:#}", checked.report);
    }
}

#[test]
fn without_organization_read_it_is_told_what_that_would_save() {
    let world = World::new(Truth::Github);
    for n in 0..150 {
        world.old_team(&format!("Team {n}"));
    }
    let checked = alone(&world);
    let finding = checked.one("sentry", "SENTRY_TOKEN lacks org:read, which is optional");
    finding.must("warning", &[FORM, "Organization: Read"]);
    assert!(finding.what.contains("reads 150 teams with 150 calls instead of 2"), "{finding:?}");
    assert_eq!(checked.exit, 0);
}

#[test]
fn an_organisation_that_is_not_found_or_of_another_token_is_told() {
    let mut world = healthy();
    world.set("SENTRY_ORG_SLUG", "acme-sentri");
    let checked = alone(&world);
    checked
        .one("sentry", "Sentry knows no organisation `acme-sentri`")
        .must("failed", &["correct SENTRY_ORG_SLUG"]);
    assert_eq!(checked.exit, 1);
    let world = healthy();
    let other = world.sentry.add_org("other");
    let token = other.add_token(original_permissions());
    let mut world = world;
    world.set("SENTRY_TOKEN", &token);
    let checked = alone(&world);
    checked.one("sentry", "SENTRY_TOKEN has no access to `acme-sentry`").must("failed", &["SENTRY_ORG_SLUG"]);
}

#[test]
fn open_membership_is_told_with_its_consequence() {
    let world = healthy();
    alone(&world).one("sentry", "Open Membership is on: people can join").must("ok", &[]);
    world.sentry.set_open_membership(false);
    alone(&world).one("sentry", "Open Membership is off: only this service").must("ok", &[]);
    let world = with_token(world, asking_permissions());
    let checked = alone(&world);
    checked.one("sentry", "Sentry only files a request (202)").must("failed", &["Team: Admin"]);
}

#[test]
fn teams_that_an_identity_provider_manages_are_told_if_the_mirror_would_change_them() {
    let world = healthy();
    world.old_team("Crew");
    for slug in ["crew", "nobodys"] {
        let team = world.sentry.add_team(slug, slug);
        world.sentry.set_idp_provisioned(team, true);
    }
    let checked = alone(&world);
    let finding = checked.one("sentry", "your identity provider manages these teams");
    finding.must("warning", &["SYNC_TEAMS=*,!SLUG"]);
    assert!(finding.what.ends_with(": \"crew\""), "{finding:?}");
}

#[test]
fn whether_the_token_can_invite_is_told_where_invites_are_on() {
    let invites = |token: Option<NewToken>, role: &str| {
        let mut world = healthy();
        if let Some(token) = token {
            world = with_token(world, token);
        }
        world.set("SYNC_INVITE", role);
        alone(&world).one("sentry", "SYNC_INVITE")
    };
    invites(None, "member").must("warning", &["user token of an owner or manager"]);
    invites(None, "admin").must("failed", &["user token of an owner or manager"]);
    let scopes = ["org:read", "team:read", "team:write", "team:admin", "member:read"];
    invites(Some(NewToken::integration(&scopes)), "member").must("failed", &["SYNC_INVITE=never"]);
    assert!(!alone(&healthy()).says("sentry", "SYNC_INVITE"), "where they are off, nothing is said");
    let mut world = healthy();
    let owner = world.sentry.add_member(NewMember::new("owner@acme.test").role("owner"));
    world = with_token(world, NewToken::user(owner, &[&scopes[..], &["member:admin"]].concat()));
    world.set("SYNC_INVITE", "manager");
    let checked = alone(&world);
    checked.one("sentry", "SYNC_INVITE is `manager`, and the token can invite people").must("ok", &[]);
    checked.one("sentry", "SENTRY_TOKEN is valid: a person's").must("ok", &[]);
}

#[test]
fn what_is_left_of_the_rate_is_told() {
    let world = healthy();
    world.sentry.set_rate_limit(Some(RateLimit::per_second(40)));
    let finding = alone(&world).one("sentry", "rate limit: ");
    assert!(finding.what.contains(" of 40 calls left in this window"), "{finding:?}");
}

#[test]
fn a_sentry_that_is_down_or_that_is_none_costs_only_its_own_findings() {
    let world = healthy();
    world.sentry.set_down(true).unwrap();
    let checked = alone(&world);
    let finding = checked.one("sentry", "failed to reach Sentry at ");
    finding.must("failed", &["SENTRY_URL"]);
    assert!(finding.what.contains(": no answer"), "{finding:?}");
    checked.one("github", "read mode").must("ok", &[]);
    assert_eq!(checked.exit, 1);
    for (fault, says) in [
        (Fault::HtmlPage, "200 that is no answer of the API"),
        (
            Fault::Redirect("https://login.test/".into()),
            "answered with a redirect to \"https://login.test/\"",
        ),
        (Fault::Status(503), "503"),
    ] {
        let world = healthy();
        world.sentry.wire.script(Rule::new("GET /", fault.clone()).always());
        let checked = alone(&world);
        assert_eq!(checked.one("sentry", says).level, "failed", "{fault:?}");
        assert_eq!(checked.all("sentry").len(), 1, "{fault:?}: the rest would only repeat it");
    }
}
