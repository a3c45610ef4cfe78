//! Hosts that break HTTP, JSON or all patience: what is shown of each, and that nothing is lost, done or filled by it.
//!
//! Beneath what the stand-ins can do: these hosts write bytes. Each misbehaves in one way towards every call, as Sentry and
//! as GitHub; then the service is killed and started with the true host, and all that was answered is carried out.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::standin::{Fault, GithubToken, Rule};
use crate::world::{Truth, World, PATIENCE};

/// How a host treats a call: its connection, behind the request, and how many came before.
type Play = fn(TcpStream, usize);

/// A host that misbehaves.
struct Host {
    url: String,
    over: Arc<AtomicBool>,
}

impl Host {
    fn start(play: Play) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let over = Arc::new(AtomicBool::new(false));
        let (is_over, n_calls) = (over.clone(), Arc::new(AtomicUsize::new(0)));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let n_calls = n_calls.clone();
                thread::spawn(move || {
                    if read_head(&stream) {
                        play(stream, n_calls.fetch_add(1, Ordering::Relaxed));
                    }
                });
            }
        });
        Self { url, over }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.url.strip_prefix("http://").unwrap());
    }
}

fn read_head(stream: &TcpStream) -> bool {
    let mut lines = BufReader::new(stream).lines();
    lines.by_ref().map_while(Result::ok).any(|line| line.is_empty())
}

fn send(mut stream: &TcpStream, text: &str) -> bool {
    stream.write_all(text.as_bytes()).is_ok()
}

fn say(stream: &TcpStream, text: &str) {
    send(stream, text);
}

/// A whole answer.
fn answer(stream: &TcpStream, status: &str, content_type: &str, body: &str) {
    let length = body.len();
    send(
        stream,
        &format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ),
    );
}

fn reset(stream: TcpStream, _: usize) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

fn endless(stream: &TcpStream, head: &str, piece: &str) {
    let block = piece.repeat((64 << 10) / piece.len());
    if send(stream, head) {
        while send(stream, &block) {}
    }
}

fn drip(stream: TcpStream, _: usize) {
    send(&stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n[");
    while send(&stream, " ") {
        thread::sleep(Duration::from_millis(200));
    }
}

fn pages(stream: TcpStream, n: usize) {
    page(&stream, n);
}

fn same_page(stream: TcpStream, _: usize) {
    page(&stream, 1);
}

fn page(stream: &TcpStream, n: usize) {
    let link = format!(
        "<http://x/?page={n}&cursor=100:{n}:0>; rel=\"next\"; results=\"true\"; cursor=\"100:{n}:0\""
    );
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close";
    send(stream, &format!("{head}\r\nLink: {link}\r\n\r\n[]"));
}

const JSON: &str = "application/json";

/// Each way, and what is told of it.
const CASES: &[(&str, Play, &str)] = &[
    ("a reset", reset, "no answer: "),
    ("an end", |_, _| (), "no answer: "),
    ("another protocol", |s, _| say(&s, "SSH-2.0-OpenSSH_9.2\r\n\r\n"), "no answer: "),
    // Ended by its size; on a slow machine, by its time.
    (
        "a head without end",
        |s, _| endless(&s, "HTTP/1.1 200 OK\r\n", "A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
        "no answer",
    ),
    ("a header without end", |s, _| endless(&s, "HTTP/1.1 200 OK\r\nA: ", "a"), "no answer"),
    (
        "a body of 30 GB",
        |s, _| {
            endless(
                &s,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 30000000000\r\n\r\n[",
                " ",
            )
        },
        "no answer",
    ),
    (
        "chunks without end",
        |s, _| {
            endless(
                &s,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
                "20\r\n                                \r\n",
            )
        },
        "no answer",
    ),
    (
        "half an answer",
        |s, _| {
            say(
                &s,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n[{\"id\":",
            )
        },
        "no answer: ",
    ),
    (
        "a login page",
        |s, _| answer(&s, "200 OK", "text/html", "<html><title>Sign in</title>"),
        "no answer of the API",
    ),
    ("a proxy's page", |s, _| answer(&s, "502 Bad Gateway", "text/html", "<html>Bad"), "502"),
    ("another content type", |s, _| answer(&s, "200 OK", "text/plain", "[]"), "no answer of the API"),
    ("JSON that ends early", |s, _| answer(&s, "200 OK", JSON, "{\"id\": 1, \"x"), "200"),
    ("JSON of another kind", |s, _| answer(&s, "200 OK", JSON, "\"maintenance\""), "200"),
    ("JSON that is deep", |s, _| answer(&s, "200 OK", JSON, &"[".repeat(100_000)), "200"),
    ("a status that is none", |s, _| answer(&s, "299 Odd", JSON, "{}"), "299"),
    ("unavailable", |s, _| answer(&s, "503 No", JSON, "{\"detail\":\"maintenance\"}"), "maintenance"),
    ("pages without end", pages, "3000 pages"),
    ("a page that leads to itself", same_page, "leads to itself"),
    (
        "no answer",
        |s, _| drop((thread::sleep(Duration::from_secs(60)), s)),
        "no answer in time (receive response)",
    ),
    ("a body that drips", drip, "no answer in time (global)"),
];

/// Plays one case towards one side; whether it was told.
fn plays(truth: Truth, variable: &str, name: &str, url: &str, told: &str) {
    let mut world = World::new(truth);
    let ana = world.person("ana");
    let good = world.env[variable].clone();
    world.set(variable, url);
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    let sent = [created, world.github.add_member(crew, ana)].concat();
    world.send(&sent);
    // 3,000 pages take their time on a slow machine.
    world.wait_within(PATIENCE * 5, &format!("{name}: {told} is told"), || {
        let log = world.service().text();
        log.contains(told) || world.status().to_string().contains(told)
    });
    let status = world.status();
    println!("{truth:?} {variable} {name}: {:.0} MiB", world.service().size().peak);
    assert_eq!((&status["failed"], &status["queued"]), (&0.into(), &sent.len().into()), "{name}");
    assert!(world.sentry.teams().is_empty(), "{name}: nothing is done before it is known");
    assert!(world.service().size().peak < 128.0, "{name}: {:?}", world.service().size());
    world.take_service().kill();
    world.set(variable, &good);
    world.start();
    world.wait_for_members("crew", &["ana"]);
}

#[test]
fn hosts_that_misbehave_are_told_lose_nothing_and_fill_nothing() {
    let jobs: Vec<_> = CASES
        .iter()
        .flat_map(|case| [(Truth::Deliveries, "SENTRY_URL", case), (Truth::Github, "GH_API_URL", case)])
        // GitHub's first calls ask for no list.
        .filter(|(_, variable, (name, ..))| *variable == "SENTRY_URL" || !name.contains("page"))
        .collect();
    let next = AtomicUsize::new(0);
    // Most of them wait for something most of the time.
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((truth, variable, (name, play, told))) =
                    jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let host = Host::start(*play);
                    plays(*truth, variable, name, &host.url, told);
                }
            });
        }
    });
}

#[test]
fn a_name_that_nobody_knows_is_told_and_nothing_is_lost() {
    // Reserved: no resolver knows it, whether it is asked or not to be reached.
    for (truth, variable) in [(Truth::Deliveries, "SENTRY_URL"), (Truth::Github, "GH_API_URL")] {
        plays(truth, variable, "an unknown name", "https://host.invalid", "failed to lookup address");
    }
}

/// Whatever becomes of a read, nobody is put in or taken out by it: the next one decides.
#[test]
fn answers_of_github_that_are_cut_nonsense_or_limits_lose_nothing_and_pretend_nothing() {
    let mut world = World::new(Truth::Github).may_list_teams();
    let (ana, ben) = (world.person("ana"), world.person("ben"));
    // Made by the first comparison: a team that an event made just after it would be compared once more, in between.
    let crew = world.old_team("Crew");
    world.start();
    world.wait_until("mirrored", || world.members("crew").is_some());
    world.wait_for_rest();
    world.settle(&world.github.add_member(crew, ben));
    let limits = [
        Fault::PrimaryLimit { status: 403, reset_in: 1 },
        Fault::PrimaryLimit { status: 429, reset_in: 1 },
        Fault::SecondaryLimit { retry_after: 1 },
    ];
    for fault in Fault::useless().into_iter().chain(limits) {
        let mark = world.sentry.wire.mark();
        world.github.wire.script(Rule::new("*", fault.clone()));
        world.send(&world.github.add_member(crew, ana));
        world.wait_for_members("crew", &["ana", "ben"]);
        world.github.wire.script(Rule::new("*", fault.clone()));
        world.send(&world.github.remove_member(crew, ana));
        world.wait_for_members("crew", &["ben"]);
        world.wait_for_rest();
        assert_eq!(world.status()["failed"], 0, "{fault:?}");
        assert_eq!(world.writes_since(mark).len(), 2, "{fault:?}: {:?}", world.writes_since(mark));
        world.github.wire.clear_faults();
    }
}

#[test]
fn sentrys_429_is_waited_for_and_the_write_is_done_once() {
    for times in [1, 4] {
        let mut world = World::new(Truth::Deliveries);
        let ana = world.person("ana");
        world.start();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        let mark = world.sentry.wire.mark();
        world.sentry.wire.script(Rule::new("*", Fault::RateLimited).times(times));
        world.send(&world.github.add_member(crew, ana));
        world.wait_for_members("crew", &["ana"]);
        world.wait_for_rest();
        let done = world.writes_since(mark).into_iter().filter(|write| !write.ends_with("429"));
        assert_eq!(done.count(), 1, "{:?}", world.writes_since(mark));
        assert_eq!((&world.status()["failed"], world.get_admin("/readyz").0), (&0.into(), 200));
    }
}

/// Nobody takes what the kernel keeps waiting, so no further connection comes about.
#[test]
fn a_host_that_takes_no_connection_is_told_by_the_name_of_the_timeout() {
    for (truth, variable) in [(Truth::Deliveries, "SENTRY_URL"), (Truth::Github, "GH_API_URL")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        let short = Duration::from_millis(100);
        let waiting: Vec<_> = (0..4).map(|_| TcpStream::connect_timeout(&address, short)).collect();
        assert!(waiting.iter().any(Result::is_err), "it has room for everybody");
        plays(truth, variable, "no connection", &format!("http://{address}"), "no answer in time (connect)");
    }
}

#[test]
fn a_revoked_github_token_pauses_the_work_and_a_good_one_goes_on() {
    let (mut world, crew) = World::new(Truth::Github).with_crew();
    let ana = world.person("ana");
    world.github.revoke(&world.github_token);
    let mark = world.sentry.wire.mark();
    world.send(&world.github.add_member(crew, ana));
    world.wait_until("not ready", || {
        let (status, body) = world.get_admin("/readyz");
        status == 503 && body.contains("GH_TOKEN")
    });
    assert_eq!((world.writes_since(mark).len(), &world.status()["failed"]), (0, &0.into()));
    let good = world.github.add_token(GithubToken::members_read(world.olive));
    world.set("GH_TOKEN", &good);
    world.take_service().stop("-TERM");
    world.start();
    world.wait_for_members("crew", &["ana"]);
}
