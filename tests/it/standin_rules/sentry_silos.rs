//! Which server of a Sentry is asked: one that is everything, sentry.io's control silo, a region's own host.

use super::{json as body_of, sentry};
use crate::standin::fault::{Fault, Rule};
use crate::standin::http::Response;
use crate::standin::sentry::{mirror_permissions, Era, NewToken, RateLimit, SentryStandin, Silo};
use serde_json::json;
use std::time::Duration;

const TEAMS: &str = "/organizations/acme/teams/";

/// sentry.io with the organisation `acme`, which lives in the region `us`, and a token of it.
fn sentry_io() -> (SentryStandin, String) {
    let sentry = SentryStandin::start_in(Era::Today, "acme").expect("a loopback port");
    let token = sentry.add_token(mirror_permissions());
    (sentry, token)
}

fn get(host: &SentryStandin, token: &str, path: &str) -> Response {
    sentry(&host.url(), token, "GET", path, None)
}

/// Status, body and content type of an empty 404.
fn is_empty_404(answer: &Response) -> bool {
    answer.status == 404
        && answer.body.is_empty()
        && answer.header("content-type") == Some("text/html; charset=utf-8")
}

#[test]
fn scopes_are_told_by_the_control_silo_and_by_no_region() {
    let (control, token) = sentry_io();
    let region = control.region_host("us").expect("a loopback port");
    assert_eq!(body_of(&get(&control, &token, "/"))["auth"]["scopes"][0], "org:read");
    for caller in [&token[..], "nonsense"] {
        assert!(is_empty_404(&get(&region, caller, "/")), "{caller}");
    }
    assert_eq!(get(&region, &token, TEAMS).status, 200, "everything else is there");
    assert_eq!(get(&control, "nonsense", "/").status, 401);
}

#[test]
fn an_unknown_organisation_is_an_empty_404_whoever_asks() {
    let (control, token) = sentry_io();
    let region = control.region_host("us").expect("a loopback port");
    for host in [&control, &region] {
        for (caller, path) in [
            (&token[..], "/organizations/nobody/"),
            ("nonsense", "/organizations/nobody/teams/"),
            (&token, "/teams/nobody/crew/"),
            (&token, "/organizations/ACME/members/"),
            (&token, "/organizations/99/scim/v2/Groups"),
        ] {
            assert!(is_empty_404(&get(host, caller, path)), "{path}");
        }
        assert_eq!(get(host, "nonsense", TEAMS).status, 401, "a known one asks for a token");
        // A team that is not there is the interface's own 404.
        let detail = json!({"detail": "The requested resource does not exist"});
        assert_eq!(body_of(&get(host, &token, "/teams/acme/crew/")), detail);
    }
    control.set_org_slug("acme-now");
    assert!(is_empty_404(&get(&control, &token, TEAMS)), "a renamed one is as unknown");
    assert_eq!(get(&control, &token, &format!("/organizations/{}/teams/", control.org_id())).status, 200);
}

#[test]
fn self_hosted_servers_say_in_words_that_they_know_no_organisation() {
    let sentry = SentryStandin::start_on(Era::Today, Silo::Monolith, "acme", 0).expect("a loopback port");
    let token = sentry.add_token(mirror_permissions());
    let answer = get(&sentry, &token, "/organizations/nobody/teams/");
    assert_eq!(
        (answer.status, body_of(&answer)),
        (404, json!({"detail": "The requested resource does not exist"}))
    );
    assert_eq!(get(&sentry, "nonsense", "/organizations/nobody/teams/").status, 401);
    assert_eq!(get(&sentry, &token, "/").status, 200);
    let answer = get(&sentry, &token, TEAMS);
    assert!(
        answer.headers.iter().all(|(name, _)| !name.to_lowercase().starts_with("x-sentry-")),
        "{answer:?}"
    );
    assert_eq!(body_of(&get(&sentry, &token, "/organizations/acme/"))["links"]["regionUrl"], sentry.url());
}

#[test]
fn an_organisation_of_another_region_is_on_its_own_host_and_at_sentry_io() {
    let (control, token) = sentry_io();
    let [us, de] = ["us", "de"].map(|name| control.region_host(name).expect("a loopback port"));
    control.set_region("de");
    assert!(is_empty_404(&get(&us, &token, TEAMS)));
    assert!(is_empty_404(&get(&us, &token, "/organizations/acme/")));
    for host in [&control, &de] {
        assert_eq!(get(host, &token, TEAMS).status, 200);
        let links = body_of(&get(host, &token, "/organizations/acme/"))["links"].clone();
        assert_eq!(links["regionUrl"], de.url());
    }
    // sentry.io names where it passed the call on to; a region's host has nothing to name.
    let named =
        |host: &SentryStandin| get(host, &token, TEAMS).header("x-sentry-proxy-url").map(str::to_owned);
    assert_eq!(named(&control), Some(format!("{}/api/0{TEAMS}", de.url())));
    assert_eq!((named(&de), named(&us)), (None, None));
    assert!(get(&control, &token, "/").header("x-sentry-proxy-url").is_none());
    // Where nobody plays the region's host, its name is the true one.
    control.set_region("jp");
    assert_eq!(named(&control), Some(format!("https://jp.sentry.io/api/0{TEAMS}")));
}

/// As the source reads; either may be met.
#[test]
fn a_regions_host_without_a_gateway_knows_no_other_organisation_in_words() {
    let (control, token) = sentry_io();
    let [us, de] = ["us", "de"].map(|name| control.region_host(name).expect("a loopback port"));
    control.set_region("de");
    control.set_gateway_everywhere(false);
    let answer = get(&us, &token, TEAMS);
    let detail = json!({"detail": "The requested resource does not exist"});
    assert_eq!((answer.status, body_of(&answer)), (404, detail));
    assert_eq!(get(&us, "nonsense", TEAMS).status, 401, "the token comes first");
    assert_eq!([&de, &control].map(|host| get(host, &token, TEAMS).status), [200, 200]);
    assert!(is_empty_404(&get(&us, &token, "/")));
    assert!(is_empty_404(&get(&control, &token, "/organizations/nobody/")), "sentry.io has one all the same");
}

#[test]
fn one_state_is_behind_all_hosts_and_each_has_its_own_wire() {
    let (control, token) = sentry_io();
    let us = control.region_host("us").expect("a loopback port");
    let made = sentry(&us.url(), &token, "POST", TEAMS, Some(json!({"slug": "crew"})));
    assert_eq!((made.status, control.teams().contains_key("crew")), (201, true));
    assert_eq!((us.wire.n_calls(), control.wire.n_calls()), (1, 0));
}

#[test]
fn a_region_may_be_all_that_is_played() {
    let de =
        SentryStandin::start_on(Era::Today, Silo::Region("de".into()), "acme", 0).expect("a loopback port");
    let token = de.add_token(mirror_permissions());
    assert_eq!(get(&de, &token, TEAMS).status, 200);
    assert!(is_empty_404(&get(&de, &token, "/")));
    assert_eq!(body_of(&get(&de, &token, "/organizations/acme/"))["links"]["regionUrl"], de.url());
}

#[test]
fn integrations_are_listed_by_the_control_silo_and_by_no_region() {
    let (control, token) = sentry_io();
    control.add_integration("github", "github.com/acme");
    let region = control.region_host("us").expect("a loopback port");
    let path = "/organizations/acme/integrations/";
    assert_eq!(body_of(&get(&control, &token, path))[0]["domainName"], "github.com/acme");
    assert!(is_empty_404(&get(&region, &token, path)));
    // Nothing is passed on, so an unknown organisation is told in words.
    let unknown = get(&control, &token, "/organizations/nobody/integrations/");
    assert_eq!((unknown.status, unknown.body.is_empty()), (404, false));
}

/// Rows: at_once.
#[test]
fn twenty_five_calls_at_once_and_not_one_more() {
    let (control, token) = sentry_io();
    let first = get(&control, &token, TEAMS);
    assert_eq!(first.header("x-sentry-rate-limit-concurrentlimit"), Some("25"));
    assert_eq!(first.header("x-sentry-rate-limit-concurrentremaining"), Some("24"));
    // A window that does not end while the test counts; only the calls at once can be too many.
    control.set_rate_limit(Some(RateLimit { window_seconds: 3_600, ..RateLimit::per_second(999) }));
    // They are told to overlap; on a slow machine that takes longer.
    let statuses = [1, 4, 16, 64].into_iter().find_map(|seconds| {
        control.reset_most_at_once();
        control.wire.set_latency(Duration::from_secs(seconds));
        let statuses = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..30).map(|_| scope.spawn(|| get(&control, &token, TEAMS).status)).collect();
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect::<Vec<u16>>()
        });
        (control.most_at_once() == 30).then_some(statuses)
    });
    let statuses = statuses.expect("thirty calls ran at once");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5, "{statuses:?}");
    control.wire.set_latency(Duration::ZERO);
    control.reset_most_at_once();
    assert_eq!(get(&control, &token, TEAMS).status, 200);
    assert_eq!(control.most_at_once(), 1);
    // 23.7.1 announces a limit only where it was told to, and then another one.
    let old = SentryStandin::start("acme").expect("a loopback port");
    let token = old.add_token(mirror_permissions());
    old.set_rate_limit(Some(RateLimit::per_second(999)));
    let answer = get(&old, &token, TEAMS);
    assert_eq!(answer.header("x-sentry-rate-limit-concurrentlimit"), Some("999"));
}

#[test]
fn the_gateways_own_answers_count_for_no_limit() {
    let (control, token) = sentry_io();
    let answer = get(&control, &token, "/organizations/nobody/");
    assert!(answer.header("x-sentry-rate-limit-limit").is_none());
    let region = control.region_host("us").expect("a loopback port");
    assert!(get(&region, &token, "/").header("x-sentry-rate-limit-limit").is_none());
    // A region's host and sentry.io count together.
    control.set_rate_limit(Some(RateLimit { window_seconds: 3_600, ..RateLimit::per_second(2) }));
    let statuses = [&control, &region, &control].map(|host| get(host, &token, TEAMS).status);
    assert_eq!(statuses, [200, 200, 429]);
}

#[test]
fn a_call_that_is_going_away_names_what_replaces_it() {
    let (control, token) = sentry_io();
    let gone =
        Fault::Gone { since: "2026-05-14T00:00:00+00:00", replacement: "/api/0/organizations/{org}/crews/" };
    control.wire.script(Rule::new("GET /organizations/{org}/teams/", gone).nth(2));
    let statuses = [0, 1, 2].map(|_| get(&control, &token, TEAMS));
    assert_eq!(statuses.each_ref().map(|answer| answer.status), [200, 410, 200]);
    assert_eq!(body_of(&statuses[1]), json!({"message": "This API no longer exists."}));
    assert_eq!(statuses[1].header("x-sentry-deprecation-date"), Some("2026-05-14T00:00:00+00:00"));
    assert_eq!(
        statuses[1].header("x-sentry-replacement-endpoint"),
        Some("/api/0/organizations/{org}/crews/")
    );
    assert!(statuses[0].header("x-sentry-deprecation-date").is_none());
}

#[test]
fn a_token_of_another_region_is_known_everywhere() {
    let (control, _) = sentry_io();
    let other = control.add_org("other");
    other.set_region("de");
    let token = other.add_token(NewToken::integration(&["org:read"]));
    let de = control.region_host("de").expect("a loopback port");
    assert_eq!(get(&de, &token, "/organizations/other/teams/").status, 200);
    assert_eq!(get(&control, &token, TEAMS).status, 403, "there, and not theirs");
    assert!(is_empty_404(&get(&de, &token, TEAMS)));
}
