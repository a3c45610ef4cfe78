//! The proxy examples in `systemd/`, with the real nginx and Caddy before the real service: TLS and a client of openssl
//! outside, loopback or a Unix socket inside.
//!
//! A proxy that is not installed is not tried, unless `SYNC_TEST_PROXIES=1` says that it has to be there.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::gate::{passed, refused};
use crate::raw;
use crate::standin::Delivery;
use crate::world::{bounds, unused_port, TempDir, Truth, World, PATIENCE};

/// The name in both examples.
const HOST: &str = "hooks.example.com";

/// The proxies that are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nginx,
    Caddy,
}

impl Kind {
    fn example(self) -> String {
        let name = ["nginx.conf", "Caddyfile"][self as usize];
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
        fs::read_to_string(path).unwrap()
    }

    fn program(self) -> Option<PathBuf> {
        let name = ["nginx", "caddy"][self as usize];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), "/usr/bin".into()]);
        folders.map(|folder| folder.join(name)).find(|program| program.is_file())
    }

    /// Those that are here. With `SYNC_TEST_PROXIES=1` all have to be.
    fn installed() -> impl Iterator<Item = Kind> {
        let all = [Kind::Nginx, Kind::Caddy].into_iter();
        all.filter(|kind| {
            let is_here = kind.program().is_some();
            let is_asked_for = std::env::var_os("SYNC_TEST_PROXIES").is_some();
            assert!(is_here || !is_asked_for, "{kind:?} is not installed: apt-get install nginx-light caddy");
            is_here
        })
    }
}

/// A running proxy with the example's configuration, and the certificate that its clients trust.
struct Proxy {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Replaces what must be there.
#[track_caller]
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the example has no `{from}`");
    text.replace(from, to)
}

fn run(dir: &Path, program: &str, args: &[&str]) {
    let output = bounds::output(Command::new(program).args(args).current_dir(dir));
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority of our own, and a certificate of its for the example's name.
fn certificate(dir: &Path) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let ca =
        ["req", "-x509", "-subj", "/CN=an authority of the tests", "-keyout", "ca.key", "-out", "ca.pem"];
    run(dir, "openssl", &[&ca[..], &key].concat());
    let name = format!("/CN={HOST}");
    let request = ["req", "-subj", &name, "-keyout", "key.pem", "-out", "request.pem"];
    run(dir, "openssl", &[&request[..], &key[..5]].concat());
    fs::write(dir.join("names"), format!("subjectAltName=DNS:{HOST}\n")).unwrap();
    let sign = ["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    run(dir, "openssl", &[&sign[..], &["-days", "2", "-extfile", "names", "-out", "cert.pem"]].concat());
}

impl Proxy {
    /// In front of `upstream`, in the words of the example, which is changed where this machine needs it and by `change`.
    fn start(kind: Kind, upstream: &str, change: impl Fn(String, &Path) -> String) -> Self {
        let dir = TempDir::new("proxy");
        certificate(&dir.0);
        let port = unused_port();
        let at = dir.0.to_str().unwrap();
        let example = change(kind.example(), &dir.0);
        let mut command = Command::new(kind.program().unwrap());
        match kind {
            Kind::Nginx => {
                let site = replace(&example, "listen 443 ssl;", &format!("listen 127.0.0.1:{port} ssl;"));
                let site = replace(&site, "    listen [::]:443 ssl;\n", "");
                let live = format!("/etc/letsencrypt/live/{HOST}");
                let site = replace(&site, &format!("{live}/fullchain.pem"), &format!("{at}/cert.pem"));
                let site = replace(&site, &format!("{live}/privkey.pem"), &format!("{at}/key.pem"));
                let site =
                    replace(&site, "proxy_pass http://127.0.0.1:8080;", &format!("proxy_pass {upstream};"));
                fs::write(dir.0.join("site.conf"), site).unwrap();
                let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|name| format!("{name}_temp_path {at}/{name};\n"))
                    .concat();
                let main = format!(
                    "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log stderr;\nevents {{}}\n\
                     http {{\naccess_log off;\n{temp}include {at}/site.conf;\n}}\n"
                );
                fs::write(dir.0.join("main.conf"), main).unwrap();
                command.args(["-p", at, "-e", "stderr", "-c", "main.conf"]);
            }
            Kind::Caddy => {
                let global = "{\n    admin off\n    auto_https disable_redirects\n    servers {";
                let site = replace(&example, "{\n    servers {", global);
                let address = format!(
                    "https://{HOST}:{port} {{\n    bind 127.0.0.1\n    tls {at}/cert.pem {at}/key.pem\n"
                );
                let site = replace(&site, &format!("{HOST} {{\n"), &address);
                let upstream = upstream.trim_start_matches("http://").replace("unix:", "unix/");
                let site =
                    replace(&site, "reverse_proxy 127.0.0.1:8080 {", &format!("reverse_proxy {upstream} {{"));
                fs::write(dir.0.join("Caddyfile"), site).unwrap();
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(dir.0.join("Caddyfile"));
                command.env("HOME", at).env("XDG_DATA_HOME", at).env("XDG_CONFIG_HOME", at);
            }
        }
        let log = fs::File::create(dir.0.join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut proxy = Self { child, port, dir };
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = proxy.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "{kind:?} {ended:?}: {}", proxy.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        proxy
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.0.join("log")).unwrap()
    }

    /// A client that trusts our authority alone, and the name of the example.
    fn client(&self) -> Client {
        let to = format!("127.0.0.1:{}", self.port);
        let args = ["s_client", "-quiet", "-no_ign_eof", "-verify_return_error", "-verify_hostname", HOST];
        let mut child = Command::new("openssl")
            .args(args)
            .args(["-servername", HOST, "-CAfile", "ca.pem", "-connect", &to])
            .current_dir(&self.dir.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Client { child, input, output }
    }

    /// What is answered to these bytes, until the end.
    fn ask(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = self.client();
        client.send(request);
        client.rest()
    }

    /// The status that is answered; 0 if none is.
    fn status(&self, request: impl AsRef<[u8]>) -> u16 {
        status(&self.ask(request))
    }
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// One connection over TLS.
struct Client {
    child: Child,
    input: std::process::ChildStdin,
    output: std::process::ChildStdout,
}

impl Client {
    /// What the other side no longer takes is no error: the answer counts.
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.input.write_all(bytes.as_ref());
    }

    /// All that comes until the other side closes.
    #[track_caller]
    fn rest(&mut self) -> String {
        let mut answer = Vec::new();
        let (_, closed) = bounds::within(self.child.id(), || self.output.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(closed, "nobody closes the connection: {answer:?}");
        answer
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signed(delivery: &Delivery) -> String {
    let request = String::from_utf8(raw::delivery(delivery, "Connection: close\r\n")).unwrap();
    request.replace("Host: localhost\r\n", &format!("Host: {HOST}\r\n"))
}

fn head(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{more}\r\n")
}

fn as_it_is(example: String, _: &Path) -> String {
    example
}

#[test]
fn a_signed_delivery_arrives_through_each_proxy_and_nothing_else_does() {
    for kind in Kind::installed() {
        let mut world = World::new(Truth::Deliveries);
        world.start();
        let proxy = Proxy::start(kind, &world.service().url, as_it_is);
        let (_, created) = world.github.create_team("Crew", world.olive);
        let answer = proxy.ask(signed(&created[0]));
        assert_eq!(status(&answer), 202, "{kind:?}: {answer}\n{}", proxy.log());
        assert!(answer.contains("\"status\":\"queued\""), "{answer}");
        world.wait_until("the team is made", || world.members("crew").is_some());
        let unsigned =
            proxy.ask(head("POST", "/github", "Content-Type: application/json\r\nContent-Length: 0\r\n"));
        assert_eq!(status(&unsigned), 401, "{kind:?}: {unsigned}");
        let before = passed(&world);
        for path in [
            "/",
            "/metrics",
            "/status.json",
            "/readyz",
            "/healthz",
            "/health",
            "/webhook",
            "/github/",
            "/github/../metrics",
            "/github/..%2fmetrics",
            "//metrics",
            "/github?x=/../metrics",
        ] {
            let answer = proxy.ask(head("GET", path, ""));
            let refused = [400, 403, 404, 405].contains(&status(&answer));
            assert!(refused && !answer.contains("sentry"), "{kind:?} {path}: {answer}");
        }
        for method in ["PUT", "DELETE", "HEAD", "OPTIONS"] {
            let answer = proxy.ask(head(method, "/github", "Content-Length: 0\r\n"));
            assert!([403, 404, 405].contains(&status(&answer)), "{kind:?} {method}: {answer}");
        }
        assert_eq!(passed(&world), before, "{kind:?} let something else through");
    }
}

#[test]
fn bodies_that_are_or_claim_to_be_too_large_are_refused_by_each_proxy() {
    for kind in Kind::installed() {
        let mut world = World::new(Truth::Deliveries);
        world.start();
        let proxy = Proxy::start(kind, &world.service().url, as_it_is);
        let typed = |length: u64| {
            let more = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
            head("POST", "/github", &more)
        };
        let came = |world: &World| passed(world) + refused(world);
        let before = came(&world);
        for length in [30_000_000_000, 9_999_999, 2_000_000, (1 << 20) + 1] {
            assert_eq!(proxy.status(typed(length)), 413, "{kind:?}: {length}");
        }
        assert_eq!(came(&world), before, "{kind:?} passed one on");
        // As large as it may be: the service itself says what it thinks of it.
        assert_eq!(proxy.status(typed(1 << 20) + &"x".repeat(1 << 20)), 401, "{kind:?}");
    }
}

#[test]
fn a_client_that_falls_silent_is_cut_by_each_proxy() {
    for kind in Kind::installed() {
        let mut world = World::new(Truth::Deliveries);
        world.start();
        let proxy = Proxy::start(kind, &world.service().url, as_it_is);
        std::thread::scope(|scope| {
            let whole = head("POST", "/github", "Content-Type: application/json\r\nContent-Length: 1000\r\n");
            let (half, body) = (whole[..40].to_string(), whole + "{\"a\":");
            for begun in [half, body] {
                let proxy = &proxy;
                scope.spawn(move || {
                    // The other side closes, with or without a word.
                    let answer = proxy.ask(&begun);
                    assert!([0, 400, 408].contains(&status(&answer)), "{kind:?}: {answer}");
                });
            }
        });
    }
}

#[test]
fn a_restart_behind_a_proxy_keeps_deliveries_waiting_and_answers_them() {
    for kind in Kind::installed() {
        let mut world = World::new(Truth::Deliveries);
        let public = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").unwrap();
        world.start_on(&public, &admin);
        let proxy = Proxy::start(kind, &world.service().url, as_it_is);
        for n in 0..5 {
            let slug = format!("team-{n}");
            let (_, created) = world.github.create_team(slug.as_str(), world.olive);
            let request = signed(&created[0]);
            assert_eq!(world.take_service().stop("-TERM").0, Some(0));
            std::thread::scope(|scope| {
                let answer = scope.spawn(|| proxy.status(&request));
                world.start_on(&public, &admin);
                assert_eq!(answer.join().unwrap(), 202, "{kind:?} {n}: {}", proxy.log());
            });
            world.wait_until("the team is made", || world.members(&slug).is_some());
        }
    }
}

#[test]
fn a_unix_socket_and_the_list_of_githubs_addresses_are_options_of_each_example() {
    for kind in Kind::installed() {
        let mut world = World::new(Truth::Deliveries);
        let socket = world.dir.0.join("hook.sock");
        world.set("SYNC_LISTEN", &format!("unix:{}", socket.display()));
        world.start();
        let upstream = format!("http://unix:{}", socket.display());
        let (_, created) = world.github.create_team("Crew", world.olive);
        for (addresses, expected) in [("192.0.2.0/24 2001:db8::/32", [403, 404]), ("127.0.0.0/8", [202, 202])]
        {
            let proxy = Proxy::start(kind, &upstream, |example, dir| {
                let list = match kind {
                    Kind::Nginx => addresses.split(' ').map(|range| format!("allow {range};\n")).collect(),
                    Kind::Caddy => format!("remote_ip {addresses}\n"),
                };
                fs::write(dir.join("github-hooks"), list).unwrap();
                let example = match kind {
                    Kind::Nginx => replace(&replace(&example, "#include ", "include "), "#deny ", "deny "),
                    Kind::Caddy => replace(&example, "#import ", "import "),
                };
                let folder = ["/etc/nginx", "/etc/caddy"][kind as usize];
                let line = |name: &str| format!("{folder}/{name}");
                let ours = dir.join("github-hooks").display().to_string();
                replace(&example, &line("github-hooks"), &ours)
            });
            let status = proxy.status(signed(&created[0]));
            assert!(expected.contains(&status), "{kind:?} {addresses}: {status}\n{}", proxy.log());
        }
    }
}
