//! Rate limits of the pretend Sentry, as recorded.

use super::seed::{seeded, Seeded};
use super::sentry;
use crate::standin::http::Response;
use crate::standin::sentry::RateLimit;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TOO_OFTEN: &str =
    "\"You are attempting to use this endpoint too frequently. Limit is 3 requests in 1 seconds\"";

/// Waits for the start of a second, so that a burst stays inside one window.
fn start_of_a_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    std::thread::sleep(Duration::from_millis(1_005 - u64::from(now.subsec_millis())));
}

/// So many calls an hour: a window that does not end while a test counts.
fn hourly(calls: u64) -> RateLimit {
    RateLimit { window_seconds: 3_600, ..RateLimit::per_second(calls) }
}

/// Lists one team of acme.
fn list(world: &Seeded, token: &str) -> Response {
    let path = "/organizations/acme/teams/?detailed=0&per_page=1";
    sentry(&world.sentry.url(), &world.tokens[token], "GET", path, None)
}

fn left(response: &Response) -> &str {
    response.header("x-sentry-rate-limit-remaining").unwrap_or("")
}

#[test]
fn a_window_that_is_used_up_refuses() {
    let world = seeded();
    world.sentry.set_rate_limit(Some(RateLimit::per_second(3)));
    start_of_a_second();
    let burst: Vec<Response> = (0..5).map(|_| list(&world, "RS_TOKEN")).collect();
    let told: Vec<(u16, &str)> = burst.iter().map(|response| (response.status, left(response))).collect();
    assert_eq!(told, [(200, "2"), (200, "1"), (200, "0"), (429, "0"), (429, "0")]);
    let refused = &burst[3];
    assert_eq!(String::from_utf8_lossy(&refused.body), TOO_OFTEN);
    assert_eq!(refused.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(refused.header("x-sentry-rate-limit-concurrentremaining"), Some("None"));
    assert_eq!((refused.header("retry-after"), refused.header("allow")), (None, None));
    let reset = refused.header("x-sentry-rate-limit-reset").and_then(|text| text.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    assert_eq!(reset, Some(now.as_secs() + 1));
    start_of_a_second();
    assert_eq!(list(&world, "RS_TOKEN").status, 200, "a new window");
}

#[test]
fn windows_count_per_method_and_owner() {
    let world = seeded();
    world.sentry.set_rate_limit(Some(hourly(3)));
    (0..3).for_each(|_| assert_eq!(list(&world, "RS_TOKEN").status, 200));
    let body = Some(json!({"slug": "rate"}));
    let made =
        sentry(&world.sentry.url(), &world.tokens["RS_TOKEN"], "POST", "/organizations/acme/teams/", body);
    assert_eq!(made.status, 201, "methods are counted apart");
    assert_eq!(list(&world, "RS_INT_READ").status, 429, "integrations of one organization share");
    assert_eq!(left(&list(&world, "RS_TOKEN_OWNER")), "2", "a person has a count");
    assert_eq!(left(&list(&world, "RS_TOKEN_READ")), "1", "and one for all tokens");
}

#[test]
fn a_refused_write_did_not_happen() {
    let world = seeded();
    world.sentry.set_rate_limit(Some(hourly(3)));
    for i in 1..=5 {
        let slug = json!({"slug": format!("burst-{i}")});
        sentry(
            &world.sentry.url(),
            &world.tokens["RS_TOKEN"],
            "POST",
            "/organizations/acme/teams/",
            Some(slug),
        );
    }
    let made: Vec<String> =
        world.sentry.teams().into_keys().filter(|slug| slug.starts_with("burst")).collect();
    assert_eq!(made, ["burst-1", "burst-2", "burst-3"]);
}

#[test]
fn too_many_at_once_get_the_same_words() {
    let world = seeded();
    world.sentry.set_rate_limit(Some(RateLimit::per_second(999).parallel(1)));
    world.sentry.wire.set_latency(Duration::from_millis(200));
    let (url, token) = (world.sentry.url(), world.tokens["RS_TOKEN"].clone());
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| sentry(&url, &token, "GET", "/organizations/acme/teams/", None)))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let refused: Vec<_> = answers.iter().filter(|response| response.status == 429).collect();
    assert_eq!(refused.len(), 3);
    assert!(String::from_utf8_lossy(&refused[0].body).contains("Limit is 999 requests in 1 seconds"));
    assert_eq!(refused[0].header("x-sentry-rate-limit-concurrentremaining"), Some("0"));
    assert_eq!(refused[0].header("x-sentry-rate-limit-concurrentlimit"), Some("1"));
}

#[test]
fn self_hosted_has_no_such_headers() {
    let world = seeded();
    let answer =
        sentry(&world.sentry.url(), &world.tokens["RS_TOKEN"], "GET", "/organizations/acme/teams/", None);
    assert!(answer.headers.iter().all(|(name, _)| !name.to_lowercase().starts_with("x-sentry-rate")));
}

#[test]
fn the_eleventh_invite_of_an_address_is_one_too_many() {
    let world = seeded();
    let invite = || {
        let body = json!({"email": "again@acme.test"});
        let answer = sentry(
            &world.sentry.url(),
            &world.tokens["RS_TOKEN_OWNER"],
            "POST",
            "/organizations/acme/members/",
            Some(body),
        );
        if let Some(id) = world.sentry.member_id("again@acme.test") {
            world.sentry.remove_member(id);
        }
        answer
    };
    let statuses: Vec<u16> = (0..12).map(|_| invite().status).collect();
    assert_eq!(statuses, [[201; 10].as_slice(), &[429; 2]].concat());
    assert_eq!(invite().body, br#"{"detail":"You are being rate limited for too many invitations."}"#);
}
