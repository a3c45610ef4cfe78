//! What attackers can and cannot do, as far as no other test shows it: SECURITY.md names them all.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sentry_team_sync::parts::retried;

use crate::standin::Delivery;
use crate::world::{bounds, unused_port, TempDir, Truth, World, BOTH};

/// Group and others have no way in, whatever mask the service was started with.
#[test]
fn nobody_else_on_the_machine_may_read_the_state_or_decide() {
    let mut world = World::new(Truth::Deliveries);
    world.start_with(world.shell("umask 000; exec \"$0\""));
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let state = world.dir.0.join("state");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join("control"))), (0o700, 0o600));
    assert!(fs::metadata(state.join("control")).unwrap().file_type().is_socket());
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may try it as another user");
        return;
    }
    // A copy: another user may not reach where it was built.
    let program = world.dir.0.join("program");
    fs::copy(World::program(), &program).unwrap();
    for args in [&["status"][..], &["approve", "--all"], &["replay", "--failed"], &["audit"]] {
        let mut command = Command::new(&program);
        command.args(args).env_clear().env("SYNC_STATE_DIR", &state).uid(65_534).gid(65_534);
        let output = bounds::output(&mut command).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{args:?}: {said}");
        assert!(
            said.contains("Permission denied") && said.contains("as the service's user or as root"),
            "{said}"
        );
    }
}

/// The signature covers the body alone: whoever has one delivery can send it again under a GUID of their own.
#[test]
fn a_captured_delivery_under_another_guid_changes_nothing_that_github_does_not_say() {
    for truth in BOTH {
        let world = World::new(truth);
        let ana = world.person("ana");
        let (world, crew) = world.with_crew();
        let added = world.github.add_member(crew, ana);
        world.settle(&added);
        world.settle(&world.github.remove_member(crew, ana));
        world.wait_for_members("crew", &[]);
        let again: Vec<Delivery> = added
            .iter()
            .map(|delivery| delivery.clone().with_guid("00000000-0000-4000-8000-00000000c0de"))
            .collect();
        world.send(&again);
        // In payload mode the deliveries are the truth, and this is the one thing that read mode is safer in.
        let end: &[&str] = if truth == Truth::Deliveries { &["ana"] } else { &[] };
        world.wait_for_rest();
        world.wait_for_members("crew", end);
        // Its content is not theirs to choose.
        assert_eq!(world.ask(&again[0].clone().tampered()).0, 401);
    }
}

/// Somebody in between, who has a certificate of their own making.
struct Between {
    server: Child,
    port: u16,
}

impl Between {
    fn start(dir: &Path) -> Option<Self> {
        let (key, certificate) = (dir.join("key"), dir.join("certificate"));
        let mut make = Command::new("openssl");
        make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
        make.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        make.arg("-keyout").arg(&key).arg("-out").arg(&certificate).stderr(Stdio::null());
        if !make.status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: there is no openssl");
            return None;
        }
        let port = unused_port();
        let mut serve = Command::new("openssl");
        serve.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
        serve.arg("-key").arg(&key).arg("-cert").arg(&certificate);
        // What it deciphers goes to stdout.
        let server =
            serve.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        Some(Self { server, port })
    }

    /// All that was said to it.
    fn heard(mut self) -> Vec<u8> {
        let _ = self.server.kill();
        let mut heard = Vec::new();
        self.server.stdout.take().unwrap().read_to_end(&mut heard).unwrap();
        let _ = self.server.wait();
        heard
    }
}

#[test]
fn a_certificate_that_nobody_trusts_gets_no_token() {
    for (truth, variable) in [(Truth::Deliveries, "SENTRY_URL"), (Truth::Github, "GH_API_URL")] {
        let dir = TempDir::new("between");
        let Some(between) = Between::start(&dir.0) else { return };
        let mut world = World::new(truth);
        world.set(variable, &format!("https://localhost:{}", between.port));
        world.start();
        let (_, created) = world.github.create_team("Crew", world.olive);
        world.send(&created);
        world.wait_until("it is told", || {
            let (status, body) = world.get_admin("/readyz");
            status == 503 && body.contains("its certificate is not trusted")
        });
        assert_eq!(world.status()["failed"], 0);
        let heard = between.heard();
        assert_eq!(String::from_utf8_lossy(&heard), "", "{variable}");
    }
}

/// Whoever may open the socket may decide; what is no command is no decision.
#[test]
fn garbage_on_the_control_socket_is_answered_and_changes_nothing() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let state = world.dir.0.join("state");
    let socket = sentry_team_sync::parts::ShortPath::new(&state, "control").unwrap();
    for line in [
        "",
        "{",
        "null",
        "{\"command\":\"launch\"}",
        "{\"command\":\"approve\",\"holds\":7}",
        "\u{0}\u{1b}[2J",
    ] {
        let mut stream = retried(|| UnixStream::connect(&socket.path)).unwrap();
        std::io::Write::write_all(&mut stream, format!("{line}\n").as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        let reply: serde_json::Value = serde_json::from_str(&said).unwrap();
        let err = reply["reply"]["err"].as_str().unwrap_or_default();
        assert!(err.contains("the service does not know this command"), "{line:?}: {said}");
    }
    world.wait_until("ready", || world.command(&["status"]).0 == 0);
}
