//! The signed ping to a public address.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{healthy, Checked, Finding};
use crate::standin::http::{Handler, HttpServer, Pause, Reply, Request, Response};
use crate::world::World;

/// Something in front of the service, or in place of it: answers everything alike and keeps what it was sent.
struct Proxy {
    answer: Response,
    stalls: bool,
    seen: Mutex<Vec<Request>>,
}

impl Handler for Proxy {
    fn handle(&self, request: &Request, pause: &dyn Pause) -> Reply {
        self.seen.lock().unwrap().push(request.clone());
        if self.stalls {
            pause.sleep(Duration::from_secs(60));
        }
        Reply::Whole(self.answer.clone())
    }
}

fn proxy(answer: Response) -> (HttpServer, Arc<Proxy>) {
    let proxy = Arc::new(Proxy { answer, stalls: false, seen: Mutex::default() });
    (HttpServer::start(0, proxy.clone()).unwrap(), proxy)
}

fn check_url(world: &World, url: &str) -> (Finding, i32) {
    let checked = Checked::read(world.alone(&["check", "--json", "--url", url]));
    let found = checked.all("url");
    assert_eq!(found.len(), 1, "{:#}", checked.report);
    (found[0].clone(), checked.exit)
}

fn address(server: &HttpServer) -> String {
    format!("http://127.0.0.1:{}/github", server.port())
}

#[test]
fn a_ping_that_the_service_answers_is_ok() {
    let mut world = healthy();
    world.start();
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    let url = format!("{}/github", world.service().url);
    let checked = Checked::read(world.command(&["check", "--json", "--url", &url]));
    checked.one("url", "answers the signed ping: 200 pong").must("ok", &[]);
    assert_eq!(checked.exit, 0);
    let log = world.service().text();
    assert!(
        log.contains("event=\"ping\" note=\"sent by `check`\"")
            && !log.contains("webhook is configured correctly"),
        "{log}"
    );
    assert_eq!(world.status()["queued"], 0);
    // An hourly ping of ours must not hide that GitHub has fallen silent.
    assert_eq!(world.status()["last_delivery"], serde_json::Value::Null);
    assert_eq!(world.metric("sync_signed_total{secret=\"current\"}"), 0);
}

#[test]
fn a_service_with_another_secret_is_told_from_a_proxy_that_refuses() {
    let mut world = healthy();
    world.start();
    let url = format!("{}/github", world.service().url);
    world.set("GH_WEBHOOK_TOKEN", "another");
    world.set("SYNC_STATE_DIR", world.dir.0.join("elsewhere").display().to_string().as_str());
    let (finding, exit) = check_url(&world, &url);
    finding.must("failed", &["each has its own secret"]);
    assert!(finding.what.contains("it has another secret, or the proxy changes the body"), "{finding:?}");
    assert_eq!(exit, 1);
    let (server, _) = proxy(Response::new(401, "text/html", "<h1>Log in</h1>"));
    let (finding, _) = check_url(&world, &address(&server));
    finding.must("failed", &["without login"]);
    assert!(finding.what.contains("something in front of the service refused"), "{finding:?}");
}

#[test]
fn a_path_that_the_service_does_not_have_is_told_with_the_one_it_has() {
    let mut world = healthy();
    world.start();
    let url = format!("{}/hook", world.service().url);
    let checked = Checked::read(world.command(&["check", "--json", "--url", &url]));
    checked.one("url", "there is nothing at this path").must("failed", &["/github"]);
}

#[test]
fn answers_of_something_else_are_told_apart() {
    let world = healthy();
    let page = |status, text: &str| Response::new(status, "text/html", text);
    for (answer, says, fix) in [
        (page(404, "<h1>404 Not Found</h1>"), "the proxy does not know this path: 404", "SYNC_LISTEN"),
        (
            page(502, "<h1>502 Bad Gateway</h1>"),
            "the proxy does not reach the service: 502",
            "start the service",
        ),
        (page(200, "<h1>Welcome</h1>"), "something else answered: 200", "SYNC_LISTEN"),
        (
            Response::empty(301).with("Location", "https://www.example.com/github"),
            "a redirect to \"https://www.example.com/github\", which GitHub does not follow",
            "final address",
        ),
    ] {
        let (server, proxy) = proxy(answer);
        let (finding, exit) = check_url(&world, &address(&server));
        finding.must("failed", &[fix]);
        assert!(finding.what.contains(says), "{finding:?}");
        assert_eq!((exit, proxy.seen.lock().unwrap().len()), (1, 1), "one ping, and no redirect is followed");
    }
}

#[test]
fn the_ping_is_as_github_sends_it_and_carries_no_token() {
    let world = healthy();
    let (server, proxy) = proxy(Response::new(200, "text/html", ""));
    check_url(&world, &address(&server));
    check_url(&world, &address(&server));
    let seen = proxy.seen.lock().unwrap();
    let header = |n: usize, name: &str| seen[n].header(name).unwrap_or_default().to_string();
    assert_eq!((seen[0].method.as_str(), header(0, "x-github-event").as_str()), ("POST", "ping"));
    assert!(header(0, "x-hub-signature-256").starts_with("sha256="));
    assert_ne!(header(0, "x-github-delivery"), header(1, "x-github-delivery"), "each has a GUID of its own");
    assert!(seen[0].header("authorization").is_none());
    let whole = format!("{:?}{}", seen[0], String::from_utf8_lossy(&seen[0].body));
    for secret in [&world.github_token, &world.sentry_token, crate::world::SECRET] {
        assert!(!whole.contains(secret as &str), "{whole}");
    }
}

#[test]
fn a_port_that_does_not_speak_tls_or_is_closed_is_told() {
    let world = healthy();
    let (server, _) = proxy(Response::empty(200));
    let (finding, exit) = check_url(&world, &format!("https://127.0.0.1:{}/github", server.port()));
    finding.must("failed", &["TLS"]);
    assert!(finding.what.contains("TLS failed: "), "{finding:?}");
    assert_eq!(exit, 1);
    server.close();
    let (finding, _) = check_url(&world, &address(&server));
    finding.must("failed", &["start the proxy"]);
    assert!(finding.what.contains("no connection"), "{finding:?}");
}

#[test]
fn nobody_who_answers_in_githubs_time_is_told() {
    let world = healthy();
    let proxy = Arc::new(Proxy { answer: Response::empty(200), stalls: true, seen: Mutex::default() });
    let server = HttpServer::start(0, proxy).unwrap();
    let (finding, _) = check_url(&world, &address(&server));
    finding.must("failed", &["whether the proxy reaches the service"]);
    assert!(finding.what.contains("no answer within 10 s"), "{finding:?}");
}

#[test]
fn without_the_secret_or_a_known_way_no_ping_is_sent() {
    let mut world = healthy();
    world.env.remove("GH_WEBHOOK_TOKEN");
    world.set("GH_WEBHOOK_TOKEN_PREVIOUS", "older");
    let (server, proxy) = proxy(Response::empty(200));
    let (finding, exit) = check_url(&world, &address(&server));
    finding.must("failed", &["GH_WEBHOOK_TOKEN"]);
    assert_eq!((exit, proxy.seen.lock().unwrap().len()), (64, 0));
    let mut world = healthy();
    world.set("ALL_PROXY", "nonsense://a b");
    let (finding, exit) = check_url(&world, &address(&server));
    finding.must("warning", &["correct the proxy variable"]);
    assert_eq!((exit, proxy.seen.lock().unwrap().len()), (64, 0));
}
