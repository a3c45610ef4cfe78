//! From start to end and to the next start: signals, systemd's protocol, sockets, the lock, and what is on disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sentry_team_sync::parts::retried;

use crate::raw::{self, Raw};
use crate::standin::client::{Connection, Place};
use crate::standin::{Delivery, Fault, Rule, Sender};
use crate::world::{bounds, get, Service, Truth, World, PATIENCE, SECRET};

/// Long past the time that a stop may take, short of what a stalled call would.
const STOP: Duration = Duration::from_secs(60);

/// Runs the program to its end in this world's environment, changed so: exit code and stderr.
fn run_to_end(world: &World, changes: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new(World::program());
    command.env_clear().envs(&world.env).envs(changes.iter().copied());
    let output = bounds::output(&mut command).unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
}

/// Deliveries that make some teams and put ana into each.
fn some_changes(world: &World, ana: u64) -> Vec<Delivery> {
    let made = (0..5).map(|n| world.github.create_team(format!("Team {n}").as_str(), world.olive));
    made.flat_map(|(team, created)| [created, world.github.add_member(team, ana)].concat()).collect()
}

/// Every change is in Sentry. The teams' maker is in none of them: no event promises that, and nobody may ask GitHub.
fn assert_nothing_was_lost(world: &World) {
    world.wait_for_rest();
    let expected: Vec<_> = (0..5).map(|n| (format!("team-{n}"), vec!["ana@acme.test".to_string()])).collect();
    let found: Vec<_> = world.sentry.teams().into_iter().map(|(slug, team)| (slug, team.members)).collect();
    assert_eq!(found, expected);
}

#[test]
fn both_signals_end_it_with_0_although_sentry_stalls_and_nothing_answered_is_lost() {
    std::thread::scope(|scope| {
        for signal in ["-TERM", "-INT"] {
            scope.spawn(move || {
                let mut world = World::new(Truth::Deliveries);
                let ana = world.person("ana");
                world.sentry.wire.script(Rule::new("*", Fault::Stall(STOP * 2)).always());
                world.start();
                world.send(&some_changes(&world, ana));
                world.wait_until("a call stalls", || world.sentry.wire.n_calls() > 0);
                let mut kept = Raw::open(&world.service().url);
                kept.send("GET /healthz HTTP/1.1\r\n\r\n");
                assert_eq!(kept.answer().unwrap().status, 200);
                let log = world.service().log.clone();
                let (code, took) = world.take_service().stop(signal);
                assert_eq!(code, Some(0), "{signal}: {}", log.lock().unwrap().join("\n"));
                assert!(took < STOP, "{signal} took {took:?}");
                assert!(kept.is_closed());
                world.sentry.wire.clear_faults();
                world.start();
                assert_nothing_was_lost(&world);
            });
        }
    });
}

#[test]
fn a_kill_loses_nothing_that_was_answered() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    world.start();
    let changes = some_changes(&world, ana);
    let (early, late) = changes.split_at(3);
    world.send(early);
    world.wait_for_rest();
    world.sentry.set_down(true).unwrap();
    world.send(late);
    world.take_service().kill();
    world.sentry.set_down(false).unwrap();
    world.start();
    assert_nothing_was_lost(&world);
}

/// Some senders at once, and the end in the middle of it: whoever got an answer can rely on it.
#[test]
fn an_end_in_the_middle_of_a_burst_loses_nothing_that_was_answered() {
    for signal in ["-KILL", "-TERM"] {
        let mut world = World::new(Truth::Deliveries);
        world.start();
        let made: Vec<_> = (0..160)
            .map(|n| {
                let (team, mut created) = world.github.create_team(format!("Team {n}").as_str(), world.olive);
                (world.github.teams()[&team].slug.clone(), created.remove(0))
            })
            .collect();
        let answered = Mutex::new(BTreeSet::new());
        let service = world.take_service();
        let url = format!("{}/github", service.url);
        std::thread::scope(|scope| {
            for part in made.chunks(20) {
                let (answered, url) = (&answered, &url);
                scope.spawn(move || {
                    let mut sender = Sender::new(url, SECRET).patience(PATIENCE);
                    for (slug, delivery) in part {
                        match sender.send(delivery) {
                            Ok(answer) if answer.status == 202 => {
                                answered.lock().unwrap().insert(slug.clone())
                            }
                            _ => return,
                        };
                    }
                });
            }
            let until = Instant::now() + PATIENCE;
            while answered.lock().unwrap().len() < 40 {
                assert!(Instant::now() < until, "too few are answered");
                std::thread::sleep(Duration::from_millis(1));
            }
            service.stop(signal);
        });
        world.start();
        world.wait_for_rest();
        let teams = world.sentry.teams();
        let lost: Vec<_> =
            answered.into_inner().unwrap().into_iter().filter(|slug| !teams.contains_key(slug)).collect();
        assert_eq!(lost, Vec::<String>::new(), "{signal}");
    }
}

/// A stop closes idle connections at once, but hears out whoever has begun to speak.
#[test]
fn a_stop_answers_what_has_begun_to_arrive() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let (_, created) = world.github.create_team("Crew", world.olive);
    let (head, body) = raw::delivery_in_two(&created[0], "Expect: 100-continue\r\n");
    let mut idle = Raw::open(&world.service().url);
    idle.send("GET /healthz HTTP/1.1\r\n\r\n");
    assert_eq!(idle.answer().unwrap().status, 200);
    let mut speaking = Raw::open(&world.service().url);
    speaking.send(&head);
    assert_eq!(speaking.answer().unwrap().status, 100);
    let service = world.take_service();
    let log = service.log.clone();
    let stopping = std::thread::spawn(move || service.stop("-TERM"));
    let until = Instant::now() + PATIENCE;
    while !log.lock().unwrap().iter().any(|line| line.contains("stopping:")) {
        assert!(Instant::now() < until, "it never began to stop");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(idle.is_closed());
    speaking.send(&body);
    let answer = speaking.answer().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (202, Some("close")));
    assert_eq!(stopping.join().unwrap().0, Some(0));
    world.start();
    world.wait_until("the team is made", || world.members("crew").is_some());
}

/// Two sockets as systemd would hand them over: they outlive the process, and whoever comes meanwhile waits.
#[test]
fn deliveries_that_come_while_no_process_runs_wait_in_an_inherited_socket() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    let public = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let (public_addr, admin_addr) = (public.local_addr().unwrap(), admin.local_addr().unwrap());
    // What is inherited wins: this address could not even be listened on.
    world.set("SYNC_LISTEN", "192.0.2.1:80");
    world.start_on(&public, &admin);
    assert_eq!(world.service().url, format!("http://{public_addr}"));
    assert_eq!(world.service().admin, format!("http://{admin_addr}"));
    let changes = some_changes(&world, ana);
    let (early, late) = changes.split_at(4);
    world.send(early);
    for stop in ["-TERM", "-KILL"] {
        world.take_service().stop(stop);
        let url = format!("http://{public_addr}/github");
        let waiting = if stop == "-TERM" { &late[..3] } else { &late[3..] };
        let senders: Vec<_> = waiting
            .iter()
            .cloned()
            .map(|delivery| {
                let mut sender = Sender::new(&url, SECRET).patience(PATIENCE);
                std::thread::spawn(move || sender.send(&delivery).map(|answer| answer.status))
            })
            .collect();
        let health = std::thread::spawn(move || get(&format!("http://{admin_addr}/healthz")).0);
        world.start_on(&public, &admin);
        for sender in senders {
            assert_eq!(sender.join().unwrap().unwrap(), 202);
        }
        assert_eq!(health.join().unwrap(), 200);
    }
    assert_nothing_was_lost(&world);
}

/// tiny_http panics when it drops a request of such a length. The gate lets none through, so this goes around it, to
/// each of the sixteen workers.
#[test]
fn a_workers_panic_costs_its_request_and_nothing_else() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let inner = world.dir.0.join("state/http");
    for n in 1..=20 {
        let mut stream = retried(|| UnixStream::connect(&inner)).unwrap();
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n")
            .unwrap();
        drop(stream);
        world.service_mut().wait_for_lines("http: internal error while handling a request", n);
    }
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("the team is made", || world.members("crew").is_some());
    assert_eq!(world.take_service().stop("-TERM").0, Some(0));
}

#[test]
fn an_inherited_unix_socket_serves_and_is_left_where_it_is() {
    let mut world = World::new(Truth::Deliveries);
    let path = world.dir.0.join("hook.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut command = world.shell("exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\"");
    command.stdin(OwnedFd::from(listener.try_clone().unwrap()));
    world.start_with(command);
    let (_, created) = world.github.create_team("Crew", world.olive);
    assert_eq!(Sender::unix(&path, "/github", SECRET).send(&created[0]).unwrap().status, 202);
    assert_eq!(world.take_service().stop("-TERM").0, Some(0));
    assert!(path.exists(), "it is not ours to remove");
}

#[test]
fn sockets_for_another_process_are_not_taken() {
    let mut world = World::new(Truth::Deliveries);
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = foreign.local_addr().unwrap();
    let mut command = world.shell("exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=1; exec \"$0\"");
    command.stdin(OwnedFd::from(foreign));
    world.start_with(command);
    assert_ne!(world.service().url, format!("http://{address}"));
    assert_eq!(get(&format!("{}/healthz", world.service().url)).0, 200);
}

#[test]
fn both_listeners_may_be_unix_sockets() {
    let mut world = World::new(Truth::Deliveries);
    let (hook, admin) = (world.dir.0.join("hook.sock"), world.dir.0.join("admin.sock"));
    world.set("SYNC_LISTEN", &format!("unix:{}", hook.display()));
    world.set("SYNC_ADMIN_LISTEN", &format!("unix:{}", admin.display()));
    world.start();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&hook), mode(&admin)), (0o666, 0o660));
    let (_, created) = world.github.create_team("Crew", world.olive);
    assert_eq!(Sender::unix(&hook, "/github", SECRET).send(&created[0]).unwrap().status, 202);
    let page = |path: &str| {
        let mut connection = Connection::open(&Place::Unix(admin.clone()), PATIENCE).unwrap();
        connection.send("GET", path, &[], b"").unwrap()
    };
    assert_eq!(page("/healthz").status, 200);
    assert!(String::from_utf8(page("/").body).unwrap().contains(" · sentry-team-sync</title>"));
    let second = TempState::beside(&world);
    let (code, said) = run_to_end(&world, &[("SYNC_STATE_DIR", second.0.to_str().unwrap())]);
    assert_eq!(code, 1);
    let expected = format!("error: another process listens on `{}`\n  fix: ", hook.display());
    assert!(said.starts_with(&expected), "{said}");
    // A killed process leaves its sockets behind; they are no obstacle.
    world.take_service().kill();
    assert!(hook.exists() && admin.exists());
    world.start();
    assert_eq!(page("/healthz").status, 200);
    assert_eq!(world.take_service().stop("-TERM").0, Some(0));
    assert!(!hook.exists() && !admin.exists(), "one that is stopped takes them along");
    let left: Vec<PathBuf> = fs::read_dir(world.dir.0.join("state"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_socket())
        .map(|entry| entry.path())
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

/// A state directory of another service in the same world.
struct TempState(PathBuf);

impl TempState {
    fn beside(world: &World) -> Self {
        Self(world.dir.0.join("second"))
    }
}

#[test]
fn a_second_service_on_one_state_directory_refuses() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let (code, said) = run_to_end(&world, &[]);
    let dir = world.dir.0.join("state");
    let expected = format!(
        "error: another process holds the state directory `{}`\n  fix: stop the other one, or give this one its own SYNC_STATE_DIR\n",
        dir.display()
    );
    assert_eq!((code, said), (1, expected));
    // The first one is none the worse for it, control socket included.
    world.wait_until("ready", || world.command(&["status"]).0 == 0);
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("the team is made", || world.members("crew").is_some());
}

#[test]
fn an_address_in_use_is_told_with_its_fix() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let address = world.service().url.strip_prefix("http://").unwrap().to_string();
    let second = TempState::beside(&world);
    let state = second.0.to_str().unwrap();
    for name in ["SYNC_LISTEN", "SYNC_ADMIN_LISTEN"] {
        let (code, said) = run_to_end(&world, &[("SYNC_STATE_DIR", state), (name, &address)]);
        let expected = format!(
            "error: failed to listen on `{address}`: the address is in use\n  fix: stop the other program, or set SYNC_LISTEN or SYNC_ADMIN_LISTEN to another address\n"
        );
        assert_eq!((code, said), (1, expected));
    }
}

#[test]
fn a_wrong_configuration_ends_with_64_and_every_fault() {
    let world = World::new(Truth::Deliveries);
    let changes = [
        ("GH_TOKEN", ""),
        ("GH_WEBHOOK_TOKEN", ""),
        ("SENTRY_TOKEN", "two words"),
        ("SENTRY_ORG_SLUG", "a/b"),
        ("SENTRY_URL", "http://sentry.example"),
        ("SYNC_LISTEN", "8080"),
        ("SYNC_WORKERS", "many"),
    ];
    let (code, said) = run_to_end(&world, &changes);
    assert_eq!(code, 64);
    assert!(said.starts_with("error: the configuration has 7 faults:\n"), "{said}");
    for (name, _) in changes {
        assert_eq!(said.matches(&format!("\n  {name} ")).count(), 1, "{name} in {said}");
    }
    assert_eq!(said.matches("\n    fix: ").count(), 7, "{said}");
    assert!(!said.contains("two words"), "a secret is not repeated, not even a wrong one: {said}");
    assert!(!world.dir.0.join("state").exists(), "and nothing was made");
}

#[test]
fn a_state_directory_that_can_not_be_made_is_told() {
    let world = World::new(Truth::Deliveries);
    let (code, said) = run_to_end(&world, &[("SYNC_STATE_DIR", "/proc/nowhere/state")]);
    assert_eq!(code, 1);
    assert!(said.starts_with("error: failed to make the state directory `/proc/nowhere/state`: "), "{said}");
    assert!(
        said.ends_with("\n  fix: name a folder that this user may write to in SYNC_STATE_DIR\n"),
        "{said}"
    );
}

/// The newest log of the journal.
fn last_log(world: &World) -> PathBuf {
    let files = fs::read_dir(world.dir.0.join("state/journal")).unwrap().map(|file| file.unwrap().path());
    let number = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max_by_key(number)
        .unwrap()
}

#[test]
fn a_torn_tail_of_the_journal_is_cut_off_and_told() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    world.start();
    let changes = some_changes(&world, ana);
    let (early, late) = changes.split_at(5);
    world.send(early);
    world.wait_for_rest();
    world.sentry.set_down(true).unwrap();
    world.send(late);
    // Half of a record that was there, bytes of no meaning, and zeros that a file system puts behind a file.
    let record = fs::read(last_log(&world)).unwrap()[..60].to_vec();
    for tail in [record, vec![0xa5; 777], vec![0; 4096]] {
        world.take_service().kill();
        let path = last_log(&world);
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&tail).unwrap();
        world.start();
        let said =
            format!("cut {} bytes of an unfinished record from the end of `{}`", tail.len(), path.display());
        assert!(world.service().text().contains(&said), "{}", world.service().text());
        assert_eq!(world.status()["queued"], 5, "what was answered is there");
    }
    world.sentry.set_down(false).unwrap();
    assert_nothing_was_lost(&world);
}

/// A small file system of its own, where this user may mount one.
struct Mount(PathBuf);

impl Mount {
    fn new(world: &World, options: &str) -> Option<Self> {
        let dir = world.dir.0.join("disk");
        fs::create_dir(&dir).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&dir).stderr(Stdio::null());
        let mounted = command.status().is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("skipped: this user may not mount a tmpfs");
        }
        mounted.then_some(Self(dir))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a service that fails its test may still hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_deliveries_until_there_is_space_and_keeps_what_was_answered() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    let Some(disk) = Mount::new(&world, "size=4m") else { return };
    let state = disk.0.join("state");
    world.set("SYNC_STATE_DIR", state.to_str().unwrap());
    world.start();
    let changes = some_changes(&world, ana);
    let (early, late) = changes.split_at(4);
    world.send(early);
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    // Somebody else fills what the reserve leaves.
    let filler = disk.0.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[b'x'; 4096]).is_ok() {}
    let mut statuses = Vec::new();
    let mut refused = Vec::new();
    // A page may still have room for some records.
    for delivery in late.iter().cycle().take(200) {
        let answer = world.sender().send(delivery).unwrap();
        statuses.push(answer.status);
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), Some("30"));
            refused.push(delivery.clone());
            let (status, reasons) = world.get_admin("/readyz");
            assert_eq!(status, 503);
            assert!(reasons.contains("the disk") || reasons.contains("the journal"), "{reasons}");
            break;
        }
        let more = Delivery::new(&format!("filler-{}", statuses.len()), 1, 1, "team", &delivery.payload());
        world.sender().send(&more).unwrap();
    }
    assert_eq!(statuses.last(), Some(&503), "{statuses:?}");
    drop(file);
    fs::remove_file(&filler).unwrap();
    world.wait_until("ready again", || world.get_admin("/readyz").0 == 200);
    world.send(&refused);
    world.send(late);
    world.take_service().kill();
    world.start();
    assert_nothing_was_lost(&world);
    drop(world.take_service());
}

#[test]
fn a_read_only_disk_is_told_at_start() {
    let world = World::new(Truth::Deliveries);
    let Some(disk) = Mount::new(&world, "size=1m,ro") else { return };
    let state = disk.0.join("state");
    let (code, said) = run_to_end(&world, &[("SYNC_STATE_DIR", state.to_str().unwrap())]);
    let expected = format!(
        "error: failed to make the state directory `{}`: Read-only file system (os error 30)\n  fix: name a folder that this user may write to in SYNC_STATE_DIR\n",
        state.display()
    );
    assert_eq!((code, said), (1, expected));
    let (code, said) = run_to_end(&world, &[("SYNC_STATE_DIR", disk.0.to_str().unwrap())]);
    let expected =
        format!("error: failed to open `{}`: Read-only file system", disk.0.join("lock").display());
    assert!(code == 1 && said.starts_with(&expected), "{code}: {said}");
}

#[test]
fn the_admin_listener_can_be_switched_off() {
    let mut world = World::new(Truth::Deliveries);
    world.set("SYNC_ADMIN_LISTEN", "off");
    world.start();
    assert!(world.service().text().contains(" admin=off "), "{}", world.service().text());
    assert_eq!(get(&format!("{}/healthz", world.service().url)).0, 200);
    // By the control socket, which is still there.
    world.wait_until("ready", || world.command(&["status"]).0 == 0);
}

#[test]
fn an_ended_service_has_closed_everything() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let url = world.service().url.clone();
    let log = world.service().log.clone();
    let service: Service = world.take_service();
    assert_eq!(service.stop("-TERM").0, Some(0));
    let text = log.lock().unwrap().join("\n");
    assert!(text.contains("stopped in "), "{text}");
    assert!(std::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).is_err());
    let names: Vec<_> =
        fs::read_dir(world.dir.0.join("state")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name == "control" || name == "http"), "{names:?}");
}
