//! What strangers can do to the listener: whatever they send, the process lives, tiny_http sees whole clean requests
//! only, and good deliveries are answered.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{json, Value};

use crate::raw::{self, Raw};
use crate::standin::{Delivery, Sender};
use crate::world::{accepted, bounds, get, may_open_many_files, Truth, World, PATIENCE, SECRET};

/// In payload mode, with its service running.
pub fn world() -> World {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    world
}

/// What GitHub sends of a new team.
pub fn a_delivery(world: &World, name: &str) -> Delivery {
    world.github.create_team(name, world.olive).1.remove(0)
}

/// Requests that the public gate handed on.
pub fn passed(world: &World) -> u64 {
    world.metric("sync_gate_requests_total{gate=\"public\",result=\"passed\"}")
}

/// Requests that it refused itself.
pub fn refused(world: &World) -> u64 {
    world.metric("sync_gate_requests_total{gate=\"public\",result=\"refused\"}")
}

/// Threads and descriptors of the service.
pub(crate) fn size(world: &World) -> (usize, usize) {
    let size = world.service().size();
    (size.threads, size.descriptors)
}

/// A stranger leaves nothing behind: neither threads (tiny_http's go after five idle seconds) nor a single connection. What
/// the service opens for itself, files and connections to both hosts, is its own affair.
#[track_caller]
pub(crate) fn assert_comes_to_rest(world: &World, before: (usize, usize)) {
    let port = |url: &str| url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let ports = [port(&world.service().url), port(&world.service().admin)];
    let left = || (size(world).0.saturating_sub(before.0), accepted(world.service().pid(), &ports));
    world.wait_until("no more threads than before, and no connection", || left() == (0, 0));
}

#[test]
fn hostile_requests_get_their_status_and_never_reach_tiny_http() {
    let world = world();
    let length =
        |value: &str| format!("POST /github HTTP/1.1\r\nContent-Length: {value}\r\n\r\nabc").into_bytes();
    let post = |lines: &str, body: &str| format!("POST /github HTTP/1.1\r\n{lines}\r\n{body}").into_bytes();
    let line = |bytes: &[u8]| [b"GET /healthz HTTP/1.1\r\n", bytes, b"\r\n\r\n"].concat();
    let smuggled = "GET /healthz HTTP/1.1\r\n\r\n";
    let mut cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("30 GB", length("30000000000"), 413),
        ("20 GB", length("20000000000"), 413),
        ("2^64 - 1", length("18446744073709551615"), 413),
        ("2^64", length("18446744073709551616"), 413),
        ("one byte too many", length("1048577"), 413),
        ("negative", length("-1"), 400),
        ("signed", length("+3"), 400),
        ("hexadecimal", length("0x10"), 400),
        ("a list", length("3,3"), 400),
        ("letters behind", length("3abc"), 400),
        ("empty", length(""), 400),
        ("none", post("", "abc"), 411),
        ("two that differ", post("Content-Length: 3\r\nContent-Length: 30\r\n", smuggled), 400),
        ("two that agree", post("Content-Length: 3\r\ncontent-length: 3\r\n", "abc"), 400),
        ("chunked", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), 411),
        (
            "chunked, and a length",
            post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            411,
        ),
        ("identity", post("Content-Length: 3\r\nTransfer-Encoding: identity\r\n", "abc"), 411),
        ("an unknown coding", post("Transfer-Encoding: x\r\n", "abc"), 411),
        ("an endless chunk size", post("Transfer-Encoding: chunked\r\n", &"1".repeat(4 << 20)), 411),
        ("a GET with a body", b"GET /healthz HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".to_vec(), 400),
        ("a header of 1 MB", post(&format!("A: {}\r\n", "a".repeat(1 << 20)), ""), 431),
        ("200,000 headers", post(&"A: b\r\n".repeat(200_000), ""), 431),
        ("65 headers", post(&"A: b\r\n".repeat(65), ""), 431),
        ("a method of 100 KB", format!("{} / HTTP/1.1\r\n\r\n", "A".repeat(100_000)).into_bytes(), 431),
        ("an unknown method", b"BREW /pot HTTP/1.1\r\n\r\n".to_vec(), 405),
        ("a target of 2 KB", format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(2048)).into_bytes(), 400),
        ("an absolute target", b"GET http://localhost/healthz HTTP/1.1\r\n\r\n".to_vec(), 400),
        ("no target", b"GET  HTTP/1.1\r\n\r\n".to_vec(), 400),
        ("another expectation", post("Content-Length: 3\r\nExpect: magic\r\n", "abc"), 417),
        ("HTTP/2.0", b"GET /healthz HTTP/2.0\r\n\r\n".to_vec(), 400),
        ("HTTP/9.9", b"GET /healthz HTTP/9.9\r\n\r\n".to_vec(), 400),
        ("no version", b"GET /healthz\r\n\r\n".to_vec(), 400),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 400),
        ("TLS", [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 500]].concat(), 400),
        ("zeros", vec![0; 100], 400),
        ("a byte beyond ASCII in what is read", line(b"Host: \xe4"), 400),
        ("UTF-8 in what is read", line("X-GitHub-Event: ä".as_bytes()), 400),
        ("UTF-8 in a length", line("Content-Length: ３".as_bytes()), 400),
        ("NUL in a value", line(b"A: a\0b"), 400),
        ("a bare CR in a value", line(b"A: a\rb"), 400),
        ("NUL in a name", line(b"A\0: b"), 400),
        ("an empty name", line(b": b"), 400),
        ("a blank before the colon", line(b"A : b"), 400),
        ("a folded line", line(b"A: b\r\n c: d"), 400),
        ("no colon", line(b"abc"), 400),
        ("two hosts", line(b"Host: a\r\nHost: b"), 400),
    ];
    // A head is too long at 16 KiB, in however many pieces it comes.
    cases.push(("a head of 17 KB", line(format!("A: {}", "a".repeat(17_000)).as_bytes()), 431));
    let before = (passed(&world), refused(&world));
    for (name, request, status) in &cases {
        let mut raw = Raw::open(&world.service().url);
        for piece in request.chunks(8_000) {
            if !raw.send(piece) {
                break;
            }
        }
        let answer = raw.answer().unwrap_or_else(|| panic!("{name}: no answer"));
        assert_eq!(answer.status, *status, "{name}: {}", answer.body);
        assert_eq!(answer.header("connection"), Some("close"), "{name}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let filled = |field: &str| body[field].as_str().is_some_and(|text| text.len() > 10);
        assert!(body["status"] == "refused" && filled("error") && filled("fix"), "{name}: {body}");
        assert_eq!(raw.answer(), None, "{name}: nothing behind it is taken for a request");
    }
    assert_eq!((passed(&world), refused(&world)), (before.0, before.1 + cases.len() as u64));
    assert_eq!(get(&format!("{}/healthz", world.service().url)).0, 200);
    assert!(!world.service().text().contains("internal error"));
}

#[test]
fn a_head_of_more_than_16_kib_is_refused_in_whatever_pieces_it_comes() {
    let world = world();
    let head = |length: usize| {
        format!("GET /healthz HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(length - 30)).into_bytes()
    };
    for (length, status) in [(16 << 10, 200), ((16 << 10) + 1, 431), (17_000, 431)] {
        let mut raw = Raw::open(&world.service().url);
        let bytes = head(length);
        assert_eq!(bytes.len(), length);
        let (first, rest) = bytes.split_at(8_000);
        raw.send(first);
        // Long enough for the first piece to be read alone, on most machines; the rule holds either way.
        assert!(raw.is_silent_for(Duration::from_millis(100)));
        raw.send(rest);
        assert_eq!(raw.answer().unwrap().status, status, "{length} bytes");
    }
}

#[test]
fn a_body_of_up_to_twice_the_limit_can_be_sent_whole_and_its_refusal_be_read() {
    let world = world();
    for _ in 0..20 {
        let mut raw = Raw::open(&world.service().url);
        raw.send("POST /github HTTP/1.1\r\nContent-Length: 2097152\r\n\r\n");
        for _ in 0..32 {
            assert!(raw.send([b'x'; 64 << 10]), "a reset could reach the sender before the answer");
        }
        assert_eq!(raw.answer().map(|answer| answer.status), Some(413));
    }
}

#[test]
fn the_slow_and_the_silent_are_sent_away_at_their_deadlines() {
    let world = world();
    let url = world.service().url.clone();
    let delivery = a_delivery(&world, "Crew");
    let (head, body) = raw::delivery_in_two(&delivery, "");
    let half = &body[..body.len() / 2];
    let before = passed(&world);
    let pause = Duration::from_millis(250);
    let closed_silently = |first: &[u8]| {
        let mut raw = Raw::open(&url);
        raw.send(first);
        raw.answer().is_none()
    };
    let status_after = |first: &[u8], drip: &str| {
        let mut raw = Raw::open(&url);
        raw.send(first);
        while !drip.is_empty() && raw.is_silent_for(pause) {
            raw.send(drip);
        }
        raw.answer().map(|answer| answer.status)
    };
    std::thread::scope(|scope| {
        let silent = scope.spawn(|| closed_silently(b""));
        let kept = scope.spawn(|| {
            let mut raw = Raw::open(&url);
            raw.send("GET /healthz HTTP/1.1\r\n\r\n");
            raw.answer().map(|answer| answer.status) == Some(200) && raw.is_closed()
        });
        let late: Vec<_> = [
            ("half a head", b"POST /github HTTP/1.1\r\nContent-".to_vec(), ""),
            ("a head that drips", b"GET /healthz HTTP/1.1\r\n".to_vec(), "A: b\r\n"),
            ("line feeds alone", b"GET /healthz HTTP/1.1\nHost: x\n\n".to_vec(), ""),
            ("no body", head.clone(), ""),
            ("half a body", [&head[..], half].concat(), ""),
            ("a body that drips", head.clone(), "{"),
        ]
        .into_iter()
        .map(|(name, first, drip)| (name, scope.spawn(move || status_after(&first, drip))))
        .collect();
        for _ in 0..10 {
            assert_eq!(get(&format!("{url}/healthz")).0, 200, "meanwhile, others are answered");
        }
        for (name, status) in late {
            assert_eq!(status.join().unwrap(), Some(408), "{name}");
        }
        assert!(silent.join().unwrap(), "silence is not answered");
        assert!(kept.join().unwrap(), "an idle connection is closed without a word");
    });
    assert_eq!(passed(&world), before + 11, "what was not whole was not handed on");
    assert_eq!(world.ask(&delivery).0, 202, "and none of it was taken for the delivery");
}

#[test]
fn connections_that_are_reset_leave_nothing_behind() {
    let world = world();
    let delivery = a_delivery(&world, "Crew");
    assert_eq!(world.ask(&delivery).0, 202);
    let before = size(&world);
    let whole = raw::delivery(&a_delivery(&world, "Other"), "");
    let requests =
        [&b"GET /healthz HTTP/1.1\r\n\r\n"[..], &whole, &whole[..whole.len() - 100], b"GET /he", b""];
    for n in 0..400 {
        let mut raw = Raw::open(&world.service().url);
        raw.send(requests[n % requests.len()]);
        raw.reset();
    }
    assert!(world.ask(&delivery).0 < 300, "the process lives");
    assert_comes_to_rest(&world, before);
    let log = world.service().text();
    assert!(!log.contains("internal error"), "{log}");
}

#[test]
fn a_good_delivery_is_answered_while_a_thousand_connections_sit_silent() {
    may_open_many_files();
    let mut world = world();
    world.wait_for_rest();
    assert_eq!(world.ask(&a_delivery(&world, "First")).0, 202);
    let before = size(&world);
    let address = world.service().url.strip_prefix("http://").unwrap().to_string();
    let silent: Vec<_> = (0..1000).map(|_| TcpStream::connect(&address).unwrap()).collect();
    for name in ["Second", "Third", "Fourth"] {
        let delivery = a_delivery(&world, name);
        let mut sender =
            Sender::new(&format!("http://{address}/github"), SECRET).patience(Duration::from_secs(10));
        assert_eq!(sender.send(&delivery).expect("an answer, as GitHub waits for it").status, 202);
    }
    assert!(size(&world).0 <= before.0 + 80, "the number of threads is bounded: {:?}", size(&world));
    drop(silent);
    assert_comes_to_rest(&world, before);
    let shed = world.metric("sync_gate_requests_total{gate=\"public\",result=\"shed\"}");
    assert!(shed > 0, "somebody had to go");
    assert!(world.service_mut().is_alive());
}

#[test]
fn silent_connections_at_the_admin_listener_do_not_hide_how_things_are() {
    let world = world();
    let address = world.service().admin.strip_prefix("http://").unwrap().to_string();
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(&address).unwrap()).collect();
    assert_eq!(world.get_admin("/healthz").0, 200);
    assert_eq!(world.get_admin("/metrics").0, 200);
    drop(silent);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let world = world();
    let (one, two) = (a_delivery(&world, "One"), a_delivery(&world, "Two"));
    let health = b"GET /healthz HTTP/1.1\r\n\r\n".to_vec();
    let bytes = [
        health.clone(),
        raw::delivery(&one, ""),
        b"GET /nowhere HTTP/1.1\r\n\r\n".to_vec(),
        raw::delivery(&two.clone().form(), ""),
        raw::delivery(&one.clone().tampered(), ""),
        b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
        health,
    ]
    .concat();
    let mut raw = Raw::open(&world.service().url);
    raw.send(bytes);
    let answers: Vec<_> = std::iter::from_fn(|| raw.answer()).collect();
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 202, 404, 202, 401, 200], "and what follows `close` is not read");
    for (answer, delivery) in [(&answers[1], &one), (&answers[3], &two)] {
        assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["delivery"], json!(delivery.guid));
    }
    let connection: Vec<_> = answers.iter().map(|answer| answer.header("connection").unwrap()).collect();
    assert_eq!(connection, ["keep-alive", "keep-alive", "keep-alive", "keep-alive", "keep-alive", "close"]);
}

#[test]
fn one_connection_carries_many_deliveries_in_whatever_pieces() {
    let world = world();
    let mut raw = Raw::open(&world.service().url);
    for n in 0..5 {
        let bytes = raw::delivery(&a_delivery(&world, &format!("Team {n}")), "");
        for piece in bytes.chunks(1 + n * 700) {
            raw.send(piece);
        }
        let answer = raw.answer().unwrap();
        assert_eq!((answer.status, answer.header("connection")), (202, Some("keep-alive")));
    }
    raw.send(raw::delivery(&a_delivery(&world, "Last"), "Connection: close\r\n"));
    let answer = raw.answer().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (202, Some("close")));
    assert!(raw.is_closed());
}

#[test]
fn whoever_asks_before_sending_a_body_is_told_to_go_on() {
    let world = world();
    let delivery = a_delivery(&world, "Crew");
    let (head, body) = raw::delivery_in_two(&delivery, "Expect: 100-continue\r\n");
    let mut raw = Raw::open(&world.service().url);
    raw.send(&head);
    assert_eq!(raw.answer().unwrap().status, 100);
    raw.send(&body);
    assert_eq!(raw.answer().unwrap().status, 202);
    // On the same connection, and a body that is too large is refused before it is sent.
    raw.send("POST /github HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n");
    assert_eq!(raw.answer().unwrap().status, 413);
    assert!(raw.is_closed());
}

/// Cloudflare names the city, nginx and HAProxy the holder of a client certificate: neither in ASCII.
#[test]
fn what_a_proxy_adds_and_nobody_reads_costs_no_delivery() {
    let world = world();
    let added: [&[u8]; 5] = [
        "CF-IPCity: São Paulo\r\nCF-Region: Île-de-France\r\n".as_bytes(),
        b"X-SSL-Client-S-DN: CN=J\xf6rg M\xfcller\r\n",
        b"X-SSL-Client-Cert: -----BEGIN CERTIFICATE-----\t\xff\xfe\r\n",
        b"Expect:\r\n",
        b"Expect: \r\nX-GitHub-Hook-Installation-Target-Type: \xc3\xa9\r\n",
    ];
    for (n, added) in added.into_iter().enumerate() {
        let (head, body) = raw::delivery_in_two(&a_delivery(&world, &format!("Crew {n}")), "");
        let whole = [head.strip_suffix(b"\r\n").unwrap(), added, b"\r\n", &body].concat();
        let answer = raw::ask(&world.service().url, whole).unwrap();
        assert_eq!(answer.status, 202, "{}: {}", String::from_utf8_lossy(added), answer.body);
    }
}

#[test]
fn head_is_get_without_its_body() {
    let world = world();
    for path in ["/healthz", "/github", "/nowhere"] {
        let request =
            |method: &str, more: &str| format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
        let mut raw = Raw::open(&world.service().url);
        raw.send(request("HEAD", "") + &request("GET", "Connection: close\r\n"));
        let head = raw.answer_to_head().unwrap();
        let get = raw.answer().unwrap();
        assert_eq!(head.status, get.status);
        assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()), "{path}");
        assert!(raw.is_closed());
    }
    let mut refused = Raw::open(&world.service().url);
    refused.send("HEAD /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(refused.answer_to_head().unwrap().status, 411);
    assert!(refused.is_closed(), "a refused HEAD has no body either");
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let world = world();
    let mut raw = Raw::open(&world.service().url);
    raw.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = raw.answer().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(raw.is_closed());
    let request = String::from_utf8(raw::delivery(&a_delivery(&world, "Crew"), "")).unwrap();
    assert_eq!(
        raw::ask(&world.service().url, request.replacen("HTTP/1.1", "HTTP/1.0", 1)).unwrap().status,
        202
    );
}

#[test]
fn with_few_descriptors_it_serves_fewer_at_once_or_says_what_it_needs() {
    for (limit, n_threads, n_silent) in [(180, 1, 20), (300, 31, 200)] {
        let mut world = World::new(Truth::Deliveries);
        let command = world.shell(&format!("ulimit -n {limit}; exec \"$0\""));
        world.start_with(command);
        let log = world.service().text();
        let said = format!(
            "the limit of open files is {limit}: allowing {n_threads} connections at once instead of 64"
        );
        assert!(log.contains(&said), "{log}");
        let address = world.service().url.strip_prefix("http://").unwrap().to_string();
        let silent: Vec<_> = (0..n_silent).map(|_| TcpStream::connect(&address).unwrap()).collect();
        for name in ["One", "Two", "Three"] {
            let url = format!("http://{address}/github");
            let answer =
                Sender::new(&url, SECRET).patience(PATIENCE).send(&a_delivery(&world, name)).unwrap();
            assert_eq!(answer.status, 202, "{limit} files");
        }
        drop(silent);
        world.wait_until("all three are made", || world.sentry.teams().len() == 3);
        let log = world.service().text();
        assert!(!log.contains("failed to accept") && !log.contains("internal error"), "{log}");
    }
    let world = World::new(Truth::Deliveries);
    let mut command: Command = world.shell("ulimit -n 64; exec \"$0\"");
    let output = bounds::output(&mut command).unwrap();
    let expected =
        "error: only 64 files may be open\n  fix: allow 432: LimitNOFILE= in the unit, or ulimit -n\n";
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()),
        (Some(1), expected)
    );
}
