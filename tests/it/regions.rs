//! Hosts of sentry.io: a region's own one that tells no scopes, a gateway that answers with nothing, organisations that are
//! not there, calls that are being retired, plans that forbid invites. Each is told as what it is, and nothing is lost.

use crate::check::{alone, beside};
use crate::standin::{original_permissions, Era, Fault, NewMember, NewToken, Rule, ERAS};
use crate::world::{Played, Truth, World, BOTH};

const MEMBER_TEAM: &str = "POST /organizations/{org}/members/{id}/teams/{slug}/";
const ORG: &str = "GET /organizations/{org}/";
const INVITE: &str = "POST /organizations/{org}/members/";
/// What a gateway says that knows nobody whom to pass a call on to.
const NOTHING: Fault = Fault::Gateway { status: 404, content_type: "text/html; charset=utf-8", body: "" };
const FORM: &str = "Settings → Custom Integrations → the integration → Permissions";

fn region() -> Played {
    Played::region("de")
}

/// Both eras, each of today's servers.
fn everywhere() -> [Played; 4] {
    let [older, today] = ERAS.map(Played::usual);
    [older, today, region(), Played::self_hosted()]
}

fn with_token(mut world: World, scopes: &[&str]) -> World {
    world.sentry_token = world.sentry.add_token(NewToken::integration(scopes));
    world.set("SENTRY_TOKEN", &world.sentry_token.clone());
    world
}

/// Waits until the only queued delivery is put off, and gives the reason.
fn put_off(world: &World) -> String {
    let why = || world.status()["queue"][0]["why"].as_str().map(String::from);
    world.wait_until("it is put off", || why().is_some());
    why().expect("just seen")
}

fn n_calls(world: &World, route: &str) -> usize {
    world.sentry.wire.counts().get(route).copied().unwrap_or(0)
}

#[test]
fn check_ends_well_on_a_region_with_the_permissions_of_the_original() {
    let world = World::with(Truth::Github, region());
    for n in 0..150 {
        world.old_team(&format!("Team {n}"));
    }
    let checked = alone(&world);
    assert_eq!(checked.exit, 0, "{:#}", checked.report);
    checked.one("sentry", "does not show a token's scopes").must("note", &[]);
    checked.one("sentry", "the organisation `acme-sentry` is found").must("ok", &[]);
    let finding = checked.one("sentry", "SENTRY_TOKEN lacks org:read, which is optional");
    finding.must("warning", &[FORM, "Organization: Read"]);
    assert!(finding.what.contains("reads 150 teams with 150 calls instead of 2"), "{finding:?}");
    assert!(!checked.says("sentry", "can not be asked"), "{:#}", checked.report);
    // The same from the service, which stays well.
    let (world, _) = World::with(Truth::Github, region()).with_crew();
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    let checked = beside(&world);
    assert_eq!(checked.exit, 0, "{:#}", checked.report);
    checked.one("sentry", "does not show a token's scopes").must("note", &[]);
    assert_eq!(world.status()["sentry"]["health"], "well");
}

#[test]
fn a_region_refuses_a_token_and_names_what_it_lacks() {
    let world = World::with(Truth::Github, region());
    world.sentry.revoke(&world.sentry_token);
    let checked = alone(&world);
    checked
        .one("sentry", "Sentry rejected SENTRY_TOKEN (401 \"Invalid token\")")
        .must("failed", &["SENTRY_URL"]);
    assert_eq!(checked.all("sentry").len(), 1, "{:#}", checked.report);
    let world = with_token(World::with(Truth::Github, region()), &["team:read", "team:write", "team:admin"]);
    let checked = alone(&world);
    checked.one("sentry", "SENTRY_TOKEN lacks member:read").must("failed", &[FORM, "Member: Read & Write"]);
    assert_eq!(checked.exit, 1);
}

#[test]
fn invites_are_no_failure_where_nobody_tells_the_scopes() {
    let mut world = World::with(Truth::Github, region());
    world.set("SYNC_INVITE", "member");
    let checked = alone(&world);
    checked.one("sentry", "whether SENTRY_TOKEN can invite people").must("note", &[]);
    assert_eq!(checked.exit, 0, "{:#}", checked.report);
}

#[test]
fn a_region_that_is_none_of_sentrys_is_still_told() {
    let world = World::with(Truth::Github, region());
    world.sentry.set_down(true).unwrap();
    alone(&world).one("sentry", "failed to reach Sentry at ").must("failed", &["SENTRY_URL"]);
}

#[test]
fn an_organisation_that_is_not_there_is_told_as_that_by_every_server() {
    for played in everywhere() {
        let mut world = World::with(Truth::Github, played.clone());
        world.set("SENTRY_ORG_SLUG", "acme-sentri");
        let checked = alone(&world);
        let finding = checked.one("sentry", "Sentry knows no organisation `acme-sentri`");
        finding.must("failed", &["correct SENTRY_ORG_SLUG", "renamed", "set SENTRY_URL"]);
        assert!(finding.what.contains(&world.sentry.url()), "{finding:?}");
        let n_failed = checked.all("sentry").iter().filter(|finding| finding.level == "failed").count();
        assert_eq!((n_failed, checked.exit), (1, 1), "{played:?}: {:#}", checked.report);
    }
}

#[test]
fn an_organisation_of_another_region_is_told_as_that_with_or_without_a_gateway() {
    for gateway in [true, false] {
        let world = World::with(Truth::Github, region());
        world.sentry.set_region("us");
        world.sentry.set_gateway_everywhere(gateway);
        let checked = alone(&world);
        checked
            .one("sentry", "Sentry knows no organisation `acme-sentry`")
            .must("failed", &["another region", "https://sentry.io"]);
        assert_eq!(checked.exit, 1);
    }
}

#[test]
fn sentry_io_names_the_region() {
    let world = World::in_era(Truth::Github, Era::Today);
    world.sentry.set_region("jp");
    let checked = alone(&world);
    checked.one("sentry", "is found; its region is https://jp.sentry.io").must("ok", &[]);
    assert_eq!(checked.exit, 0, "{:#}", checked.report);
    for played in [Played::usual(Era::V23_7_1), region(), Played::self_hosted()] {
        assert!(!alone(&World::with(Truth::Github, played)).says("sentry", "its region is"));
    }
}

/// An organisation is renamed, or moved, while the service runs: deliveries wait, Sentry is left in peace, and the right slug
/// goes on where it was left.
#[test]
fn an_organisation_that_goes_away_pauses_the_work_and_fails_nothing() {
    for (truth, played) in BOTH.into_iter().flat_map(|truth| everywhere().map(|played| (truth, played))) {
        let world = World::with(truth, played.clone());
        let ana = world.person("ana");
        let (mut world, crew) = world.with_crew();
        world.wait_for_rest();
        world.sentry.set_org_slug("acme-now");
        let mark = world.sentry.wire.mark();
        world.send(&world.github.add_member(crew, ana));
        world.wait_until("not ready", || {
            world.get_admin("/readyz").1.contains("no organisation `acme-sentry`")
        });
        let (code, ready) = world.get_admin("/readyz");
        assert!(code == 503 && ready.contains("correct SENTRY_ORG_SLUG"), "{played:?}: {ready}");
        let (status, calls) = (world.status(), world.sentry.wire.calls_since(mark));
        assert_eq!((&status["failed"], &status["queued"]), (&0.into(), &1.into()), "{played:?}");
        assert_eq!(status["sentry"]["health"], "refused", "{played:?}");
        assert!(calls.len() < 10, "{played:?}: {calls:#?}");
        world.take_service().stop("-TERM");
        world.set("SENTRY_ORG_SLUG", "acme-now");
        world.start();
        world.wait_for_members("crew", &["ana"]);
    }
}

/// Nothing as an answer to one call, of an organisation that is there: that call waits, and nothing else does.
#[test]
fn nothing_in_answer_to_one_call_is_neither_an_outage_nor_a_404() {
    for truth in BOTH {
        let world = World::with(truth, region());
        let (ana, ben) = (world.person("ana"), world.person("ben"));
        let (mut world, crew) = world.with_crew();
        world.wait_for_rest();
        world.sentry.wire.script(Rule::new(MEMBER_TEAM, NOTHING).always());
        let asked = n_calls(&world, ORG);
        world.send(&world.github.add_member(crew, ana));
        let why = put_off(&world);
        assert!(why.contains("404 without a body from a gateway, though it has the organisation"), "{why}");
        assert_eq!(n_calls(&world, ORG), asked + 1, "the organisation is asked for once");
        // As often as an outage takes to be one, and the host is still well.
        for n in 0..8 {
            let team = world.github.create_team(format!("Team {n}").as_str(), world.olive);
            world.send(&team.1);
            world.send(&world.github.add_member(team.0, ben));
        }
        world.wait_until("the other teams are made", || world.sentry.teams().len() == 9);
        world.wait_until("all are put off", || n_calls(&world, MEMBER_TEAM) >= 9);
        assert_eq!(world.status()["sentry"]["health"], "well");
        assert_eq!((world.get_admin("/readyz").0, &world.status()["failed"]), (200, &0.into()));
        world.sentry.wire.clear_faults();
        world.crash_and_restart();
        world.wait_for_members("crew", &["ana"]);
    }
}

/// The call is refused for want of a scope: the answer names it, and nobody asks again for that.
#[test]
fn a_scope_that_the_refusal_names_costs_no_second_call() {
    for played in [Played::usual(Era::Today), region()] {
        let world = World::with(Truth::Deliveries, played.clone());
        let ana = world.person("ana");
        let (world, crew) = world.with_crew();
        world.wait_for_rest();
        let index = n_calls(&world, "GET /");
        world.sentry.set_scopes(&world.sentry_token, &["team:read", "team:admin", "member:read"]);
        world.send(&world.github.add_member(crew, ana));
        world.wait_until("not ready", || {
            world.get_admin("/readyz").1.contains("SENTRY_TOKEN lacks team:write")
        });
        assert_eq!(
            (world.status()["failed"].as_u64(), n_calls(&world, "GET /")),
            (Some(0), index),
            "{played:?}"
        );
    }
}

/// Refused without a reason where nobody tells the scopes: it is listed, with what may be the cause, and replayed.
#[test]
fn no_delivery_waits_for_scopes_that_nobody_tells() {
    for truth in BOTH {
        let world = World::with(truth, region());
        let (ana, ben) = (world.person("ana"), world.person("ben"));
        let (world, crew) = world.with_crew();
        world.wait_for_rest();
        let message = "You do not have permission to perform this action.".to_string();
        world.sentry.wire.script(Rule::new(MEMBER_TEAM, Fault::Refusal { status: 403, message }));
        let (status, why) = world.settle(&world.github.add_member(crew, ana));
        assert_eq!(status, "failed", "{why}");
        assert!(why.contains("does not say whether SENTRY_TOKEN lacks a permission"), "{why}");
        assert!(why.contains(" --failed` (POST "), "{why}");
        assert_eq!(world.settle(&world.github.add_member(crew, ben)).0, "done", "others go on");
        assert_eq!(world.command(&["replay", "--failed"]).0, 0);
        world.wait_for_members("crew", &["ana", "ben"]);
    }
}

/// A token of another organisation, on a host that tells nothing of it.
#[test]
fn a_token_of_another_organisation_is_told_on_a_region_too() {
    let mut world = World::with(Truth::Deliveries, region());
    let other = world.sentry.add_org("other");
    let token = other.add_token(original_permissions());
    world.set("SENTRY_TOKEN", &token);
    let checked = alone(&world);
    checked
        .one("sentry", "SENTRY_TOKEN cannot read the members of `acme-sentry`")
        .must("failed", &["correct the token or SENTRY_ORG_SLUG"]);
    world.start();
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("not ready", || {
        world.get_admin("/readyz").1.contains("it belongs to another organisation")
    });
    assert_eq!(world.status()["failed"], 0);
}

/// A call that Sentry answers with 410 for a while: later, with what replaces it; everything else goes on.
#[test]
fn a_call_that_is_being_retired_waits_and_names_what_replaces_it() {
    let gone = Fault::Gone { since: "2026-12-01", replacement: "/api/1/members/" };
    for truth in BOTH {
        let world = World::in_era(truth, Era::Today);
        let ana = world.person("ana");
        let (mut world, crew) = world.with_crew();
        world.wait_for_rest();
        world.sentry.wire.script(Rule::new(MEMBER_TEAM, gone.clone()).always());
        world.send(&world.github.add_member(crew, ana));
        let why = put_off(&world);
        assert!(why.contains("2026-12-01") && why.contains("/api/1/members/"), "{why}");
        let other = world.github.create_team("Other", world.olive);
        world.settle(&other.1[..1]);
        let (text, status) = (world.service().text(), world.status());
        let said = "is being retired (\"2026-12-01\"), replaced by \"/api/1/members/\"";
        assert_eq!(text.matches(said).count(), 1, "{text}");
        assert_eq!((&status["failed"], &status["sentry"]["health"]), (&0.into(), &"well".into()));
        let finding = beside(&world).one("sentry", "is being retired");
        finding.must("warning", &["newer version"]);
        assert!(finding.what.contains(said), "{finding:?}");
        world.sentry.wire.clear_faults();
        world.crash_and_restart();
        world.wait_for_members("crew", &["ana"]);
    }
}

/// Sentry's plan lets nobody be invited: told once, with the plan and not the token to blame; tried again after an hour, and
/// who comes otherwise is put into the team.
#[test]
fn invites_that_the_plan_forbids_are_told_once_and_the_person_stays_wanted() {
    for played in everywhere() {
        let mut world = World::with(Truth::Deliveries, played.clone());
        let scopes = [
            "org:read",
            "team:read",
            "team:write",
            "team:admin",
            "member:read",
            "member:write",
            "member:admin",
        ];
        let owner = world.sentry.add_member(NewMember::new("owner@acme.test").role("owner"));
        world.sentry_token = world.sentry.add_token(NewToken::user(owner, &scopes));
        world.set("SENTRY_TOKEN", &world.sentry_token.clone());
        let map = world.dir.0.join("map.csv");
        std::fs::write(&map, "ana,ana@corp.test\nben,ben@corp.test\n").unwrap();
        world.set("SYNC_USER_MAP", map.to_str().unwrap());
        world.set("SYNC_INVITE", "member");
        world.set("SYNC_INTERVAL", "1s");
        world.sentry.set_may_invite(false);
        let [ana, ben] = ["ana", "ben"].map(|login| world.github_only(login));
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        let told = || world.service().text().matches("plan lets the organisation invite nobody").count();
        world.wait_until("it is told", || told() == 1);
        // Somebody else, and several intervals.
        world.settle(&world.github.add_member(crew, ben));
        let lists = n_calls(&world, "GET /organizations/{org}/members/");
        world.wait_until("intervals", || n_calls(&world, "GET /organizations/{org}/members/") >= lists + 3);
        assert_eq!((told(), n_calls(&world, INVITE)), (1, 1), "{played:?}");
        assert!(!world.service().text().contains("SENTRY_TOKEN may not invite"));
        assert_eq!((&world.status()["wanted"], world.get_admin("/readyz").0), (&2.into(), 200));
        beside(&world)
            .one("sentry", "nobody can be invited: Sentry's plan")
            .must("warning", &["change the plan", "SYNC_INVITE=never"]);
        world.sentry.add_member(NewMember::new("ana@corp.test"));
        world.wait_until("she is in", || {
            world.members("crew").is_some_and(|all| all.iter().any(|address| address == "ana@corp.test"))
        });
    }
}
