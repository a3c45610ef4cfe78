//! Which host is reached through the proxy, and which without it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use sentry_team_sync::parts::retried;

use super::{alone, healthy, Checked};
use crate::world::World;

/// A proxy that lets nobody through, and keeps what it was asked for.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let to = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && retried(|| stream.read(&mut byte)).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let first = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_string();
            to.lock().unwrap().push(first);
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (port, asked)
}

/// Beyond this machine, at names that nobody has.
fn far_away() -> World {
    let mut world = healthy();
    world.set("GH_API_URL", "https://ghe.corp.test/api/v3");
    world.set("SENTRY_URL", "https://sentry.corp.test");
    world
}

#[test]
fn no_proxy_is_read_as_people_write_it_and_shown_for_each_host() {
    for (list, github, sentry) in [
        ("", true, true),
        ("other.test, ghe.corp.test", false, true),
        (".corp.test", false, false),
        ("corp.test", false, false),
        ("sentry.corp.test:443", true, false),
        ("sentry.corp.test:8443", true, true),
        ("*", false, false),
    ] {
        let (port, asked) = proxy();
        let mut world = far_away();
        world.set("https_proxy", &format!("http://127.0.0.1:{port}"));
        world.set("NO_PROXY", list);
        let checked = alone(&world);
        let asked = asked.lock().unwrap().clone();
        for (name, host, is_used) in
            [("GitHub", "ghe.corp.test", github), ("Sentry", "sentry.corp.test", sentry)]
        {
            let how = if is_used {
                format!("through the proxy 127.0.0.1:{port} (https_proxy)")
            } else {
                "without the proxy: NO_PROXY has `".into()
            };
            checked.one("machine", &format!("{name} ({host}) is reached {how}")).must("ok", &[]);
            let connect = format!("CONNECT {host}:443 ");
            assert_eq!(asked.iter().any(|line| line.starts_with(&connect)), is_used, "{list}: {asked:?}");
        }
    }
}

#[test]
fn an_exception_that_exempts_nothing_is_warned_of() {
    let mut world = far_away();
    world.set("HTTPS_PROXY", "http://127.0.0.1:1");
    world.set("no_proxy", "https://sentry.corp.test,a;b");
    let checked = alone(&world);
    checked
        .one("machine", "no_proxy has `https://sentry.corp.test`, `a;b`, which are no names")
        .must("warning", &[".example.com,10.0.0.0/8"]);
}

#[test]
fn a_socks_proxy_is_a_fault_and_not_passed_by() {
    let mut world = far_away();
    world.set("ALL_PROXY", "socks5://127.0.0.1:1080");
    let checked = alone(&world);
    checked.one("machine", "ALL_PROXY names a SOCKS proxy").must("failed", &["HTTPS_PROXY"]);
    assert_eq!(checked.exit, 64);
    let (code, _, talk) = world.alone(&["serve"]);
    assert!(code == 64 && talk.contains("SOCKS"), "{talk}");
}

#[test]
fn the_ping_goes_by_the_same_rules() {
    let mut world = healthy();
    let (port, asked) = proxy();
    world.set("HTTPS_PROXY", &format!("http://127.0.0.1:{port}"));
    let ping = |world: &World| {
        Checked::read(world.alone(&["check", "--json", "--url", "https://hooks.corp.test/github"]))
    };
    let how = format!("--url (hooks.corp.test) is reached through the proxy 127.0.0.1:{port} (HTTPS_PROXY)");
    ping(&world).one("machine", &how).must("ok", &[]);
    assert_eq!(*asked.lock().unwrap(), ["CONNECT hooks.corp.test:443 HTTP/1.1"]);
    world.set("NO_PROXY", ".corp.test");
    ping(&world).one("machine", "--url (hooks.corp.test) is reached without the proxy").must("ok", &[]);
    assert_eq!(asked.lock().unwrap().len(), 1);
}
