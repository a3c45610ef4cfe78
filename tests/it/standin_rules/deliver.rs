//! The sender of deliveries: signatures, headers, forms, sockets.

use crate::standin::deliver::{deliver, sign, sign_sha1, Delivery, Sender};
use crate::standin::encode::form_decode;
use crate::standin::github::{Flavour, GithubStandin, Hook};
use crate::standin::http::{Handler, HttpServer, Pause, Reply, Request, Response};
use crate::standin::sentry::SentryStandin;
use sentry_team_sync::parts::retried;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, PoisonError};

const SECRET: &str = "It's a Secret to Everybody";

/// Keeps what it receives and answers 202.
#[derive(Default)]
struct Receiver(Mutex<Vec<Request>>);

impl Handler for Receiver {
    fn handle(&self, request: &Request, _pause: &dyn Pause) -> Reply {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        Reply::Whole(Response::new(202, "text/plain", "queued"))
    }
}

impl Receiver {
    fn last(&self) -> Request {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last().cloned().expect("a request")
    }
}

fn receiver() -> (Arc<Receiver>, HttpServer, String) {
    let receiver = Arc::new(Receiver::default());
    let server = HttpServer::start(0, Arc::clone(&receiver) as Arc<dyn Handler>).expect("a loopback port");
    let url = format!("http://127.0.0.1:{}/webhook", server.port());
    (receiver, server, url)
}

fn delivery() -> Delivery {
    let github = GithubStandin::start("acme").expect("a loopback port");
    let team = github.add_team("Crème");
    github.edit_description(team, "näher + 100 % & mehr").remove(0)
}

#[test]
fn the_published_vector_is_signed_alike() {
    let body = b"Hello, World!";
    assert_eq!(sign(SECRET, body), "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    assert_eq!(sign_sha1(SECRET, body), "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
    assert_eq!(
        sign_sha1("Jefe", b"what do ya want for nothing?"),
        "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    );
    assert_eq!(sign(&"k".repeat(200), b"").len(), 71);
}

#[test]
fn a_delivery_has_githubs_headers() {
    let (receiver, _server, url) = receiver();
    let delivery = delivery();
    let answer = deliver(&url, SECRET, &delivery).expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice()), (202, b"queued".as_slice()));
    let request = receiver.last();
    let header = |name: &str| request.header(name).unwrap_or("").to_owned();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/webhook"));
    assert_eq!(header("x-github-event"), "team");
    assert_eq!(header("x-github-delivery"), delivery.guid);
    assert_eq!(header("x-github-hook-id"), delivery.hook_id.to_string());
    assert_eq!(header("x-github-hook-installation-target-type"), "organization");
    assert_eq!(header("x-github-hook-installation-target-id"), "38302899");
    assert!(header("user-agent").starts_with("GitHub-Hookshot/"));
    assert_eq!((header("accept"), header("content-type")), ("*/*".into(), "application/json".into()));
    assert_eq!(header("x-hub-signature-256"), sign(SECRET, &request.body));
    assert_eq!(header("x-hub-signature"), sign_sha1(SECRET, &request.body));
}

#[test]
fn a_form_is_signed_as_a_form() {
    let (receiver, _server, url) = receiver();
    let delivery = delivery().form();
    deliver(&url, SECRET, &delivery).expect("an answer");
    let request = receiver.last();
    assert_eq!(request.media_type(), "application/x-www-form-urlencoded");
    assert_eq!(request.header("x-hub-signature-256"), Some(sign(SECRET, &request.body).as_str()));
    let fields = form_decode(&String::from_utf8_lossy(&request.body));
    assert_eq!(fields, [("payload".to_owned(), String::from_utf8_lossy(&delivery.body).into_owned())]);
}

#[test]
fn a_delivery_can_be_spoiled() {
    let (receiver, _server, url) = receiver();
    let send = |delivery: &Delivery| {
        deliver(&url, SECRET, delivery).expect("an answer");
        receiver.last()
    };
    let tampered = send(&delivery().tampered());
    assert_ne!(tampered.header("x-hub-signature-256"), Some(sign(SECRET, &tampered.body).as_str()));
    assert!(send(&delivery().without("X-Hub-Signature-256")).header("x-hub-signature-256").is_none());
    assert_eq!(send(&delivery().with_guid("other")).header("x-github-delivery"), Some("other"));
    assert_eq!(send(&delivery().with_hook(7)).header("x-github-hook-id"), Some("7"));
    assert_eq!(send(&delivery().signed_as("sha256=00")).header("x-hub-signature-256"), Some("sha256=00"));
    assert_eq!(
        send(&delivery().with_header("X-GitHub-Event", "push")).header("x-github-event"),
        Some("push")
    );
    deliver(&url, "", &delivery()).expect("an answer");
    assert!(receiver.last().header("x-hub-signature-256").is_none(), "no secret, no signature");
}

#[test]
fn a_raw_payload_is_sent_byte_for_byte() {
    let (receiver, _server, url) = receiver();
    let path =
        format!("{}/tests/payloads/api.github.com/membership/added.payload.json", env!("CARGO_MANIFEST_DIR"));
    let body = std::fs::read(&path).expect("an example");
    let delivery = Delivery::raw("guid", 1, "membership", &body);
    deliver(&url, SECRET, &delivery).expect("an answer");
    assert_eq!(receiver.last().body, body);
    assert_eq!((delivery.action.as_deref(), delivery.target_id), (Some("added"), 38_302_899));
}

#[test]
fn a_unix_socket_and_a_kept_connection() {
    let folder = std::env::temp_dir().join(format!("standin-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let socket = folder.join("hook.sock");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).expect("a socket");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut served = 0;
        let mut buffer = [0; 65_536];
        while retried(|| stream.read(&mut buffer)).is_ok_and(|count| count > 0) {
            served += 1;
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok").expect("written");
        }
        served
    });
    let mut sender = Sender::unix(&socket, "/github", SECRET).keep_alive();
    let prepared = sender.prepare(&delivery());
    for _ in 0..3 {
        assert_eq!(sender.send_prepared(&prepared).expect("an answer").body, b"ok");
    }
    drop(sender);
    assert_eq!(server.join().expect("no panic"), 3, "one connection for all");
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn the_hook_sends_and_remembers() {
    let (receiver, server, url) = receiver();
    let github = GithubStandin::start("acme").expect("a loopback port");
    github.set_hook(Hook { url, content_type: "form".into(), ..Hook::default() });
    let team = github.add_team("a");
    let sent = github.edit_description(team, "x");
    assert_eq!(github.send(&sent[0]).map(|response| response.status).ok(), Some(202));
    assert_eq!(receiver.last().media_type(), "application/x-www-form-urlencoded");
    drop(server);
    assert!(github.send(&sent[0]).is_err(), "nobody listens, and nothing is repeated");
    let older = GithubStandin::start_as(Flavour::EnterpriseServer, "acme", 0).expect("a loopback port");
    let team = older.add_team("a");
    let (headers, _) = older.edit_description(team, "x")[0].wire(SECRET);
    assert!(headers.iter().any(|(name, _)| name == "X-GitHub-Enterprise-Host"));
}

#[test]
fn the_last_clone_ends_the_server() {
    let sentry = SentryStandin::start("acme").expect("a loopback port");
    let (clone, url) = (sentry.clone(), sentry.url());
    drop(sentry);
    let ask = || {
        crate::standin::client::ask(&format!("{url}/api/0/"), "GET", &[], b"")
            .map(|response| response.status)
            .ok()
    };
    assert_eq!(ask(), Some(200));
    drop(clone);
    assert_eq!(ask(), None);
}
