//! Latency, faults and outages, on the wire that both stand-ins share.

use super::{json as body_of, sentry};
use crate::standin::client::{ask, Connection, Place};
use crate::standin::fault::{Fault, RandomFaults, Rule};
use crate::standin::http::Response;
use crate::standin::sentry::{mirror_permissions, Era, RateLimit, SentryStandin, Silo};
use crate::standin::wire::Reach;
use serde_json::{json, Value};
use std::io;
use std::time::{Duration, Instant};

const TEAMS: &str = "/organizations/acme/teams/";
const POST_TEAM: &str = "POST /organizations/{org}/teams/";

struct Site {
    sentry: SentryStandin,
    token: String,
}

impl Site {
    fn start() -> Site {
        let sentry = SentryStandin::start("acme").expect("a loopback port");
        let token = sentry.add_token(mirror_permissions());
        Site { sentry, token }
    }

    fn create(&self, slug: &str) -> io::Result<Response> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let body = json!({ "slug": slug }).to_string();
        ask(&format!("{}/api/0{TEAMS}", self.sentry.url()), "POST", &headers, body.as_bytes())
    }

    fn exists(&self, slug: &str) -> bool {
        self.sentry.teams().contains_key(slug)
    }
}

#[test]
fn each_fault_looks_as_it_should() {
    let site = Site::start();
    type Check = fn(io::Result<Response>) -> bool;
    let cases: Vec<(Fault, Check)> = vec![
        (Fault::Status(500), |r| {
            r.is_ok_and(|r| r.status == 500 && body_of(&r)["detail"] == "Internal Error")
        }),
        (Fault::Status(503), |r| r.is_ok_and(|r| r.status == 503 && body_of(&r)["detail"].is_string())),
        (Fault::StatusHtml(502), |r| r.is_ok_and(|r| r.status == 502 && r.body.starts_with(b"<html>"))),
        (Fault::Cut, |r| r.is_err()),
        (Fault::Half, |r| r.is_err()),
        (Fault::RateLimited, |r| r.is_ok_and(|r| r.status == 429 && r.header("retry-after").is_none())),
        (Fault::Unauthorized, |r| r.is_ok_and(|r| r.status == 401 && r.header("www-authenticate").is_some())),
        (Fault::HtmlPage, |r| {
            r.is_ok_and(|r| r.status == 200 && r.header("content-type") == Some("text/html"))
        }),
        (Fault::TruncatedJson, |r| {
            r.is_ok_and(|r| r.status == 200 && serde_json::from_slice::<Value>(&r.body).is_err())
        }),
        (Fault::WrongJson, |r| r.is_ok_and(|r| r.status == 200 && body_of(&r).is_string())),
        (Fault::Refusal { status: 403, message: "no".into() }, |r| {
            r.is_ok_and(|r| r.status == 403 && body_of(&r) == json!({"detail": "no"}))
        }),
        (Fault::gateway_json(404), |r| {
            r.is_ok_and(|r| r.status == 404 && body_of(&r) == json!({"message": "Not Found"}))
        }),
        (Fault::empty(403), |r| r.is_ok_and(|r| r.status == 403 && r.body.is_empty())),
        (Fault::Redirect("http://127.0.0.1:1/".into()), |r| {
            r.is_ok_and(|r| r.status == 302 && r.header("location") == Some("http://127.0.0.1:1/"))
        }),
    ];
    for (index, (fault, looks_right)) in cases.into_iter().enumerate() {
        for after in [false, true] {
            let slug = format!("team-{index}-{after}");
            let rule = Rule::new(POST_TEAM, fault.clone());
            site.sentry.wire.script(if after { rule.after() } else { rule });
            assert!(looks_right(site.create(&slug)), "{fault:?}, after {after}");
            assert_eq!(site.exists(&slug), after, "{fault:?}, after {after}");
            assert_eq!(
                site.create(&format!("{slug}-next")).map(|r| r.status).ok(),
                Some(201),
                "{fault:?} played once only"
            );
        }
    }
}

#[test]
fn a_limit_of_an_announcing_server_announces_its_reset() {
    let site = Site::start();
    site.sentry.set_rate_limit(Some(RateLimit::per_second(7)));
    site.sentry.wire.script(Rule::new("*", Fault::RateLimited));
    let answer = site.create("x").expect("an answer");
    assert_eq!((answer.status, answer.header("x-sentry-rate-limit-limit")), (429, Some("7")));
    let mut names: Vec<String> = answer.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "no header twice");
}

#[test]
fn rules_count_the_calls_they_match() {
    let site = Site::start();
    site.sentry.wire.script(Rule::new(POST_TEAM, Fault::Status(502)).nth(2));
    site.sentry.wire.script(Rule::new("GET *", Fault::Status(503)).always());
    let list = || sentry(&site.sentry.url(), &site.token, "GET", TEAMS, None).status;
    let create = |slug: &str| site.create(slug).map(|response| response.status).unwrap_or(0);
    assert_eq!((create("a"), list(), create("b"), list(), create("c")), (201, 503, 502, 503, 201));
    site.sentry.wire.clear_faults();
    assert_eq!(list(), 200);
}

#[test]
fn a_stalled_call_is_answered_late_and_ends_with_the_server() {
    let site = Site::start();
    site.sentry.wire.script(Rule::new(POST_TEAM, Fault::Stall(Duration::from_millis(300))));
    let start = Instant::now();
    assert_eq!(site.create("late").map(|r| r.status).ok(), Some(201));
    assert!(start.elapsed() >= Duration::from_millis(300));
    site.sentry.wire.script(Rule::new(POST_TEAM, Fault::Stall(Duration::from_secs(3_600))));
    let url = format!("{}/api/0{TEAMS}", site.sentry.url());
    let caller = std::thread::spawn(move || ask(&url, "POST", &[], b"{}").is_err());
    while site.sentry.wire.n_calls() < 2 {
        std::thread::yield_now();
    }
    drop(site);
    let start = Instant::now();
    assert!(caller.join().expect("no panic"), "the stalled call was cut");
    assert!(start.elapsed() < Duration::from_secs(3_000));
}

#[test]
fn random_faults_repeat_with_their_seed() {
    let play = |seed: u64| -> (Vec<u16>, Vec<String>) {
        let site = Site::start();
        let faults = RandomFaults {
            seed,
            errors_percent: 30.0,
            after_percent: 50.0,
            limited_percent: 20.0,
            ..RandomFaults::default()
        };
        site.sentry.wire.set_random(Some(faults));
        let statuses =
            (0..60).map(|i| site.create(&format!("t{i}")).map(|r| r.status).unwrap_or(0)).collect();
        (statuses, site.sentry.teams().into_keys().collect())
    };
    let (first, made) = play(7);
    assert_eq!((first.clone(), made.clone()), play(7));
    assert_ne!(first, play(8).0);
    let answered = first.iter().filter(|status| **status == 201).count();
    assert!(first.contains(&429) && first.contains(&0) && first.iter().any(|status| *status >= 500));
    assert!(made.len() > answered, "some writes took place behind a failure");
}

#[test]
fn an_outage_refuses_and_ends_on_the_same_port() {
    let site = Site::start();
    let (port, url) = (site.sentry.port(), site.sentry.url());
    let mut kept = Connection::open(&Place::port(port), Duration::from_secs(5)).expect("a connection");
    let head = [("Authorization".to_owned(), format!("Bearer {}", site.token))];
    assert_eq!(kept.send("GET", "/api/0/", &head, b"").map(|r| r.status).ok(), Some(200));
    site.sentry.set_reach(Reach::Refused).expect("closed");
    assert!(kept.send("GET", "/api/0/", &head, b"").is_err(), "open connections are cut");
    let refused = site.create("x").map_err(|error| error.kind());
    assert_eq!(refused.err(), Some(io::ErrorKind::ConnectionRefused));
    site.sentry.set_reach(Reach::Up).expect("the same port");
    assert_eq!((site.sentry.url(), site.create("x").map(|r| r.status).ok()), (url, Some(201)));
    site.sentry.set_reach(Reach::Unavailable).expect("still open");
    assert_eq!(site.create("y").map(|r| r.status).ok(), Some(503));
    site.sentry.set_reach(Reach::Up).expect("still open");
    assert!(!site.exists("y"));
}

#[test]
fn a_stopped_server_leaves_its_port() {
    let site = Site::start();
    let port = site.sentry.port();
    drop(site);
    let again = SentryStandin::start_on(Era::V23_7_1, Silo::Monolith, "acme", port);
    assert_eq!(again.map(|sentry| sentry.port()).ok(), Some(port));
}

#[test]
fn latency_overlaps_for_parallel_calls() {
    let site = Site::start();
    let latency = Duration::from_millis(500);
    site.sentry.wire.set_latency(latency);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for i in 0..8 {
            let site = &site;
            scope.spawn(move || assert_eq!(site.create(&format!("p{i}")).map(|r| r.status).ok(), Some(201)));
        }
    });
    let taken = start.elapsed();
    assert!(taken >= latency && taken < latency * 8, "{taken:?}");
}

#[test]
fn calls_are_logged_and_counted() {
    let site = Site::start();
    site.create("a").expect("an answer");
    let mark = site.sentry.wire.mark();
    site.sentry.wire.script(Rule::new(POST_TEAM, Fault::Status(500)));
    site.create("b").expect("an answer");
    sentry(&site.sentry.url(), &site.token, "GET", "/teams/acme/a/?collapse=organization", None);
    let calls = site.sentry.wire.calls_since(mark);
    let told: Vec<_> =
        calls.iter().map(|call| (call.route.as_str(), call.status, call.fault.clone())).collect();
    assert_eq!(told, [(POST_TEAM, 500, Some(Fault::Status(500))), ("GET /teams/{org}/{slug}/", 200, None)]);
    assert_eq!(calls[1].path, "/api/0/teams/acme/a/?collapse=organization");
    assert_eq!(calls[0].body, br#"{"slug":"b"}"#);
    assert_eq!(site.sentry.wire.counts()[POST_TEAM], 2);
    site.sentry.wire.reset_counts();
    assert_eq!(site.sentry.wire.n_calls(), 0);
}

#[test]
fn the_server_keeps_connections_and_refuses_nonsense() {
    let site = Site::start();
    let mut connection =
        Connection::open(&Place::port(site.sentry.port()), Duration::from_secs(5)).expect("a connection");
    for _ in 0..3 {
        let answer = connection.send("GET", "/api/0/", &[], b"").expect("an answer");
        assert_eq!((answer.status, answer.header("date").is_some()), (200, true));
    }
    let chunked = [("Transfer-Encoding".to_owned(), "chunked".to_owned())];
    assert_eq!(connection.send("GET", "/api/0/", &chunked, b"").map(|r| r.status).ok(), Some(411));
    let mut other =
        Connection::open(&Place::port(site.sentry.port()), Duration::from_secs(5)).expect("a connection");
    let wrong = [("Content-Length".to_owned(), "x".to_owned())];
    assert_eq!(other.send("GET", "/api/0/", &wrong, b"").map(|r| r.status).ok(), Some(400));
}
