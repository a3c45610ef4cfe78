//! Floods: a thousand connections that hold something back, bodies and heads without end, and resources that run out.
//! Good deliveries are answered, nothing grows, and everything comes to rest.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{prlimit, Pid, Resource, Rlimit};
use sentry_team_sync::parts::retried;

use crate::gate::{a_delivery, assert_comes_to_rest, size, world};
use crate::raw::{self, Raw};
use crate::standin::Sender;
use crate::world::bounds::SetAtEnd;
use crate::world::{get, may_open_many_files, Service, Truth, World, PATIENCE, SECRET};

/// So long does GitHub wait for an answer.
const GITHUBS_PATIENCE: Duration = Duration::from_secs(10);
/// The memory of a service that was flooded, in MiB: buffers of 64 threads, and what they freed again.
const FLOODED: f64 = 64.0;

/// A good delivery on a connection of its own, as GitHub sends it.
#[track_caller]
fn assert_is_taken(world: &World, name: &str) {
    let url = format!("{}/github", world.service().url);
    let sent = Sender::new(&url, SECRET).patience(GITHUBS_PATIENCE).send(&a_delivery(world, name));
    assert_eq!(sent.expect("an answer, as long as GitHub waits for it").status, 202, "{name}");
}

#[test]
fn a_good_delivery_is_answered_whatever_a_thousand_connections_hold_back() {
    may_open_many_files();
    let world = world();
    world.wait_for_rest();
    assert_is_taken(&world, "First");
    let before = size(&world);
    let (head, body) = raw::delivery_in_two(&a_delivery(&world, "Never"), "");
    let half = [&head[..], &body[..body.len() / 2]].concat();
    let kinds = [
        ("a request", &b""[..]),
        ("the rest of a head", b"POST /github HTTP/1.1\r\nConte"),
        ("a body", &head),
        ("the rest of a body", &half),
        ("their end after a refusal", b"POST / HTTP/1.1\r\nContent-Length: 30000000000\r\n\r\n"),
    ];
    for (name, first) in kinds {
        let mut all: Vec<_> = (0..1000).map(|_| Raw::open(&world.service().url)).collect();
        for raw in &mut all {
            raw.send(first);
        }
        assert_is_taken(&world, name);
        let now = world.service().size();
        println!("1,000 connections hold back {name}: {now:?}");
        assert!(now.threads <= before.0 + 80 && now.descriptors <= before.1 + 400, "{name}: {now:?}");
        assert!(now.peak < FLOODED, "{name}: {now:?}");
    }
    assert_comes_to_rest(&world, before);
    assert!(world.metric("sync_gate_requests_total{gate=\"public\",result=\"shed\"}") > 0);
    assert!(!world.sentry.teams().contains_key("never"));
}

/// Somebody who sends a byte now and then is never silent, and goes all the same.
#[test]
fn a_good_delivery_is_answered_while_hundreds_of_requests_drip() {
    let world = world();
    let (head, _) = raw::delivery_in_two(&a_delivery(&world, "Never"), "");
    for first in [&b"POST /github HTTP/1.1\r\nX: "[..], &head] {
        let over = AtomicBool::new(false);
        let mut all: Vec<_> = (0..200).map(|_| Raw::open(&world.service().url)).collect();
        for raw in &mut all {
            raw.send(first);
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    all.retain_mut(|raw| raw.send("x"));
                    thread::sleep(Duration::from_millis(10));
                }
            });
            let _end = SetAtEnd(&over);
            assert_is_taken(&world, &format!("Team {}", first.len()));
        });
    }
}

/// Sends the same again and again until nobody takes it any more; how many bytes were taken, and what came back.
fn stream_without_end(url: &str, first: &[u8], again: &[u8]) -> (usize, String) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut reader = stream.try_clone().unwrap();
    // Read meanwhile: a reset at the end may take the answer away.
    let answer = thread::spawn(move || {
        let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = retried(|| reader.read(&mut chunk)) {
            answer.extend_from_slice(&chunk[..n]);
        }
        String::from_utf8(answer).unwrap()
    });
    let mut sent = 0;
    if stream.write_all(first).is_ok() {
        while stream.write_all(again).is_ok() {
            sent += again.len();
        }
    }
    (sent, answer.join().unwrap())
}

#[test]
fn bodies_and_heads_without_end_are_refused_at_once_and_fill_nothing() {
    let world = world();
    world.wait_for_rest();
    let before = size(&world);
    let url = &world.service().url;
    let block = vec![b'a'; 64 << 10];
    let chunk = [b"10000\r\n", &block[..], b"\r\n"].concat();
    let cases: [(&str, &[u8], &[u8], &str); 6] = [
        ("a body of 30 GB", b"POST /github HTTP/1.1\r\nContent-Length: 30000000000\r\n\r\n", &block, "413"),
        ("chunks", b"POST /github HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", &chunk, "411"),
        ("a chunk's size", b"POST /github HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", &block, "411"),
        ("a header", b"POST /github HTTP/1.1\r\nA: ", &block, "431"),
        ("headers", b"POST /github HTTP/1.1\r\n", &b"A: b\r\n".repeat(1000), "431"),
        ("a method", b"A", &block, "431"),
    ];
    thread::scope(|scope| {
        let streams: Vec<_> = (0..60)
            .map(|n| {
                let (name, first, again, status) = cases[n % cases.len()];
                (name, status, scope.spawn(move || stream_without_end(url, first, again)))
            })
            .collect();
        assert_is_taken(&world, "Meanwhile");
        for (name, status, stream) in streams {
            let (sent, answer) = stream.join().unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer:?}");
            assert_eq!(
                answer.matches("HTTP/1.1").count(),
                1,
                "{name}: nothing behind it is taken for a request"
            );
            // What the kernel buffers on both ends, and what is read so that the answer can be seen.
            assert!(sent < 32 << 20, "{name}: {sent} bytes were taken");
        }
    });
    let now = world.service().size();
    println!("60 streams without end: {now:?}");
    assert!(now.peak < FLOODED, "{now:?}");
    assert_comes_to_rest(&world, before);
}

#[test]
fn whoever_never_reads_the_answers_is_let_go() {
    let world = world();
    world.wait_for_rest();
    let before = size(&world);
    let requests = b"GET /healthz HTTP/1.1\r\n\r\n".repeat(2000);
    thread::scope(|scope| {
        for _ in 0..8 {
            let mut raw = Raw::open(&world.service().url);
            // It ends when the answers have filled all buffers and the service has closed.
            let requests = &requests;
            scope.spawn(move || while raw.send(requests) {});
        }
        assert_is_taken(&world, "Meanwhile");
    });
    assert!(world.service().size().peak < FLOODED);
    assert_comes_to_rest(&world, before);
}

/// As many bodies of the largest size as there are threads are all that is ever received at once.
#[test]
fn bodies_beyond_the_budget_are_refused_until_others_are_through() {
    let world = world();
    world.wait_for_rest();
    let before = size(&world);
    let head = |more: &str| format!("POST /github HTTP/1.1\r\n{more}Content-Length: 1048576\r\n\r\n");
    let open = || {
        let mut raw = Raw::open(&world.service().url);
        raw.send(head("Expect: 100-continue\r\n"));
        raw
    };
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Each sends a little now and then, so that it is neither silent nor done. One that was too slow begins anew.
        scope.spawn(|| {
            let mut all: Vec<_> = (0..64).map(|_| open()).collect();
            while !over.load(Ordering::Relaxed) {
                for raw in &mut all {
                    if !raw.send("x") {
                        *raw = open();
                    }
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        let _end = SetAtEnd(&over);
        world.wait_until("the budget is used up", || {
            let mut raw = Raw::open(&world.service().admin);
            raw.send(head("Expect: 100-continue\r\n"));
            let answer = raw.answer();
            answer.is_some_and(|answer| {
                answer.status == 503
                    && answer.header("retry-after") == Some("5")
                    && answer.body.contains("too much")
            })
        });
    });
    assert_is_taken(&world, "Afterwards");
    assert_comes_to_rest(&world, before);
}

/// How much of something a process may have.
fn limit(world: &World, resource: Resource, most: u64) {
    let pid = Pid::from_raw(world.service().pid() as i32);
    let hard = rustix::process::getrlimit(resource).maximum;
    prlimit(pid, resource, Rlimit { current: Some(most), maximum: hard }).unwrap();
}

/// Sends deliveries on connections of their own, all at once; what each was answered, once `meanwhile` is over.
fn all_at_once(world: &World, name: &str, n: usize, meanwhile: impl FnOnce()) -> Vec<Option<u16>> {
    let mut all: Vec<_> = (0..n)
        .map(|i| {
            let mut raw = Raw::open(&world.service().url);
            raw.send(raw::delivery(&a_delivery(world, &format!("{name} {i}")), "Connection: close\r\n"));
            raw
        })
        .collect();
    meanwhile();
    all.iter_mut().map(|raw| raw.answer().map(|answer| answer.status)).collect()
}

#[track_caller]
fn assert_recovers(world: &World, name: &str, answers: &[Option<u16>]) {
    for (i, answer) in answers.iter().enumerate() {
        assert!(
            matches!(answer, None | Some(202 | 503)),
            "{name} {i}: {answer:?}\n{}",
            world.service().text()
        );
    }
    let healthy = || Sender::new(&format!("{}/github", world.service().url), SECRET);
    let again = a_delivery(world, &format!("{name} again"));
    world.wait_until("deliveries are taken again", || {
        healthy().patience(PATIENCE).send(&again).is_ok_and(|answer| answer.status < 300)
    });
    world.wait_for_rest();
    let teams = world.sentry.teams();
    for (i, answer) in answers.iter().enumerate() {
        let slug = format!("{name}-{i}");
        assert!(
            *answer != Some(202) || teams.contains_key(&slug),
            "{slug} was answered with 202 and is lost"
        );
    }
}

#[test]
fn descriptors_that_run_out_cost_answers_for_as_long_and_nothing_that_was_taken() {
    let world = world();
    world.wait_for_rest();
    let (_, open) = size(&world);
    for more in (0..12).step_by(2) {
        let name = format!("wave{more}");
        limit(&world, Resource::Nofile, open as u64 + more);
        let answers = all_at_once(&world, &name, 16, || {
            thread::sleep(Duration::from_millis(300));
            limit(&world, Resource::Nofile, 4096);
        });
        println!("{open} + {more} descriptors: {answers:?}");
        assert_recovers(&world, &name, &answers);
    }
}

/// tiny_http dies while one of its threads still reads a connection; what comes of that is queued when its workers have gone
/// over to its successor.
#[test]
fn what_a_dead_tiny_http_still_reads_is_answered() {
    let mut world = world();
    world.wait_for_rest();
    // To tiny_http itself, as the gates do.
    let socket = world.dir.0.join("state/http");
    let mut begun = retried(|| UnixStream::connect(&socket)).unwrap();
    begun.set_read_timeout(Some(PATIENCE)).unwrap();
    begun.write_all(b"GET /healthz HTTP/1.1\r\nX-Gate: public\r\n").unwrap();
    // Another one that is answered was accepted later.
    assert_eq!(get(&format!("{}/healthz", world.service().url)).0, 200);
    limit(&world, Resource::Nofile, size(&world).1 as u64);
    world.wait_until("it has died", || retried(|| UnixStream::connect(&socket)).is_err());
    limit(&world, Resource::Nofile, 4096);
    let healthy = format!("{}/healthz", world.service().url);
    world.wait_until("another one is in its place", || get(&healthy).0 == 200);
    world.service_mut().wait_for_line("http: restarted the internal server");
    begun.write_all(b"Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    begun.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_is_taken(&world, "Crew");
}

/// Threads are counted per user, so the service is one that nobody else is.
#[test]
fn threads_that_run_out_cost_answers_for_as_long_and_nothing_that_was_taken() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may start it as another user");
        return;
    }
    let mut world = World::new(Truth::Deliveries);
    let somebody = 60_000 + std::process::id() % 5_000;
    // A copy: that user may not reach where it was built.
    let program = world.dir.0.join("program");
    fs::copy(World::program(), &program).unwrap();
    fs::create_dir(world.dir.0.join("state")).unwrap();
    chown(world.dir.0.join("state"), Some(somebody), Some(somebody)).unwrap();
    let command = |world: &World, script: &str| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(&program).env_clear().envs(&world.env).uid(somebody).gid(somebody);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    // Some shells call it so, others so.
    let few = command(&world, "ulimit -u 60 2>/dev/null || ulimit -p 60 || exit 9; exec \"$0\"");
    let why = Service::try_run(few).err().unwrap();
    assert!(why.contains("fix: allow more threads: TasksMax= in the unit, or ulimit -u"), "{why}");
    world.start_with(command(&world, "exec \"$0\""));
    world.wait_for_rest();
    let before = size(&world);
    let pid = world.service().pid().to_string();
    let allow = |most: usize| {
        let limit = format!("--nproc={most}:");
        let mut command = Command::new("prlimit");
        let done = command.args(["--pid", &pid, &limit]).uid(somebody).gid(somebody).status();
        done.is_ok_and(|status| status.success())
    };
    if !allow(4096) {
        eprintln!("skipped: there is no prlimit, or it may not");
        return;
    }
    let mut n_deaths = 0;
    // Idle threads of before may be enough for a wave.
    for (wave, more) in [0, 2, 4, 0, 1, 0, 1, 0].into_iter().enumerate() {
        if wave > 2 && n_deaths > 0 {
            break;
        }
        let name = format!("wave{wave}");
        assert!(allow(size(&world).0 + more));
        let answers = all_at_once(&world, &name, 60, || {
            thread::sleep(Duration::from_millis(300));
            assert!(allow(4096));
        });
        let n_taken = answers.iter().filter(|answer| **answer == Some(202)).count();
        let log = world.service().text();
        let died = log.matches("the internal server died").count() - n_deaths;
        println!("{more} more threads: {n_taken} of 60 were taken, tiny_http died {died} times");
        n_deaths += died;
        assert_recovers(&world, &name, &answers);
    }
    if n_deaths == 0 {
        eprintln!("skipped: threads were never short on this machine");
    }
    assert_comes_to_rest(&world, before);
}
