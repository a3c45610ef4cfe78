//! A whole world for one test: both stand-ins, a state directory of its own, and the real program between them.
//!
//! The program is started as a process and spoken to over HTTP; nothing reaches into it.

#![allow(dead_code)] // Compiled as a module of several binaries, none of which uses all of it.

pub mod bounds;
mod dir;
mod era;
mod process;
mod secrets;
pub mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use dir::TempDir;
#[allow(unused_imports)] // As above.
pub use era::Played;
#[allow(unused_imports)] // As above.
pub use process::{accepted, may_open_many_files, unused_port, Size};
#[allow(unused_imports)] // As above.
pub use secrets::{written, Secrets};
use serde_json::Value;

use crate::standin::client::{Connection, Place};
pub use crate::standin::Truth;
use crate::standin::{
    original_permissions, Comparison, Delivery, GithubStandin, GithubTeam, GithubToken, GithubUser,
    NewMember, Sender, SentryStandin,
};

/// The webhook's secret in every world.
pub const SECRET: &str = "a secret of the tests, 2026";

/// How long something that should happen may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running program.
pub struct Service {
    child: Child,
    /// Where deliveries go.
    pub url: String,
    /// The admin listener.
    pub admin: String,
    /// Everything it wrote to stderr.
    pub log: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Starts `program` with exactly this environment and waits until it listens.
    pub fn start(program: &Path, args: &[&str], env: &BTreeMap<String, String>) -> Self {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(env).stdin(Stdio::null()).stdout(Stdio::null());
        Self::run(command)
    }

    /// Starts what a test has prepared otherwise, and waits until it listens.
    pub fn run(command: Command) -> Self {
        Self::try_run(command).unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same for one that may end before it listens: then what it said.
    pub fn try_run(mut command: Command) -> Result<Self, String> {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let to = log.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if std::env::var_os("SYNC_TEST_LOG").is_some() {
                    eprintln!("| {line}");
                }
                to.lock().expect("log").push(line);
            }
        });
        let mut service = Self { child, url: String::new(), admin: String::new(), log };
        let line = service.look_for_lines("listening=", 1)?;
        let address = |name: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap_or_default();
            if word.starts_with("unix:") {
                word.to_string()
            } else {
                format!("http://{word}")
            }
        };
        service.url = address("listening=");
        service.admin = address("admin=");
        Ok(service)
    }

    /// The first log line that contains `part`.
    pub fn wait_for_line(&mut self, part: &str) -> String {
        self.wait_for_lines(part, 1)
    }

    /// The `n`-th log line that contains `part`.
    pub fn wait_for_lines(&mut self, part: &str, n: usize) -> String {
        self.look_for_lines(part, n).unwrap_or_else(|why| panic!("{why}"))
    }

    fn look_for_lines(&mut self, part: &str, n: usize) -> Result<String, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let log = self.log.lock().expect("log").clone();
            if let Some(line) = log.into_iter().filter(|line| line.contains(part)).nth(n - 1) {
                return Ok(line);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                std::thread::sleep(Duration::from_millis(100));
                let log = self.log.lock().expect("log").join("\n");
                return Err(format!("the program ended with {status} before it logged {part:?}:\n{log}"));
            }
            if Instant::now() >= until {
                return Err(format!("no log line with {part:?}:\n{}", self.text()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Everything it wrote to stderr.
    pub fn text(&self) -> String {
        self.log.lock().expect("log").join("\n")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it costs at this moment.
    pub fn size(&self) -> Size {
        Size::of(self.pid())
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal and waits for the end: exit code and how long it took.
    pub fn stop(mut self, signal: &str) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        Command::new("kill").args([signal, &pid]).status().expect("kill");
        let status = bounds::end_of(&mut self.child);
        let status = status.unwrap_or_else(|| panic!("{signal} did not end it:\n{}", self.text()));
        (status.code(), began.elapsed())
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A number that a variable gives to whoever wants a test longer, or other.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A GET: status and body.
pub fn get(url: &str) -> (u16, String) {
    try_get(url).expect("an answer")
}

/// A GET of somebody who may be dying.
pub fn try_get(url: &str) -> std::io::Result<(u16, String)> {
    let (place, path) = Place::parse(url);
    let answer = Connection::open(&place, PATIENCE)?.send("GET", &path, &[], b"")?;
    Ok((answer.status, String::from_utf8(answer.body).expect("UTF-8")))
}

/// Both kinds.
pub const BOTH: [Truth; 2] = [Truth::Deliveries, Truth::Github];

/// Both stand-ins, people, tokens, a state directory, and the service once it is started.
pub struct World {
    /// Pretend GitHub.
    pub github: GithubStandin,
    /// Pretend Sentry.
    pub sentry: SentryStandin,
    /// An owner of the organisation, who makes the teams.
    pub olive: u64,
    /// The GitHub token.
    pub github_token: String,
    /// The Sentry token.
    pub sentry_token: String,
    /// The program's environment; change it before `start`.
    pub env: BTreeMap<String, String>,
    /// The state directory's parent.
    pub dir: TempDir,
    /// What to start instead of [`World::program`], with its leading arguments: an example has no program beside it.
    pub launch: Option<(PathBuf, Vec<String>)>,
    service: Option<Service>,
    secrets: Secrets,
    /// What each service said that ran here.
    logs: Vec<Arc<Mutex<Vec<String>>>>,
}

impl World {
    /// A world without teams: an owner, and tokens of the given kind; the Sentry token has the original's permissions.
    pub fn new(truth: Truth) -> Self {
        Self::with(truth, Played::asked_for())
    }

    fn around(truth: Truth, sentry: SentryStandin) -> Self {
        let github = GithubStandin::start("acme").expect("the stand-in starts");
        let site = github.url().replace("http://", "");
        sentry.add_integration("github", &format!("{site}/acme"));
        let olive = github.add_person(GithubUser::new("olive").owner().email("olive@acme.test"));
        sentry.add_member("olive@acme.test");
        let token = match truth {
            Truth::Deliveries => GithubToken::no_permission(olive),
            Truth::Github => GithubToken::members_read(olive),
        };
        let github_token = github.add_token(token);
        let sentry_token = sentry.add_token(original_permissions());
        let dir = TempDir::new("world");
        let state_dir = dir.0.join("state");
        let env = [
            ("GH_TOKEN", github_token.as_str()),
            ("GH_WEBHOOK_TOKEN", SECRET),
            ("SENTRY_TOKEN", &sentry_token),
            ("SENTRY_ORG_SLUG", "acme-sentry"),
            ("GH_API_URL", &github.url()),
            ("SENTRY_URL", &sentry.url()),
            ("SYNC_LISTEN", "127.0.0.1:0"),
            ("SYNC_ADMIN_LISTEN", "127.0.0.1:0"),
            ("SYNC_STATE_DIR", state_dir.to_str().expect("a plain path")),
            ("RUST_LOG", "sentry_team_sync=debug,warn"),
        ];
        let env: BTreeMap<_, _> =
            env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let mut secrets = Secrets::default();
        secrets.learn(&env);
        let logs = Vec::new();
        let mut world = Self {
            github,
            sentry,
            olive,
            github_token,
            sentry_token,
            env,
            dir,
            launch: None,
            service: None,
            secrets,
            logs,
        };
        // The whole suite can be tried so: whatever a personal token reads, an App's reads too.
        if truth == Truth::Github && std::env::var_os("SYNC_TEST_APP").is_some() {
            world.as_app();
        }
        world
    }

    /// Sets a variable of the program.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    /// Somebody with an account on both sides, found by their public address.
    pub fn person(&self, login: &str) -> u64 {
        self.sentry.add_member(NewMember::new(&format!("{login}@acme.test")));
        self.github_only(login)
    }

    /// Somebody whom Sentry does not know.
    pub fn github_only(&self, login: &str) -> u64 {
        self.github.add_person(GithubUser::new(login).email(&format!("{login}@acme.test")))
    }

    /// The program under test.
    pub fn program() -> PathBuf {
        // Set for the static build, which is the same program.
        let set = std::env::var_os("SYNC_TEST_PROGRAM").map(PathBuf::from);
        let built = || option_env!("CARGO_BIN_EXE_sentry-team-sync").map(PathBuf::from);
        set.or_else(built).expect("built as an integration test")
    }

    /// The program and its leading arguments.
    fn launch(&self) -> (PathBuf, Vec<String>) {
        self.launch.clone().unwrap_or_else(|| (Self::program(), Vec::new()))
    }

    /// Starts the service.
    pub fn start(&mut self) {
        let (program, leading) = self.launch();
        let leading: Vec<&str> = leading.iter().map(String::as_str).collect();
        self.take_in(Service::start(&program, &leading, &self.env));
    }

    /// Starts the service, which may end before it listens; whether it lives.
    pub fn try_start(&mut self) -> bool {
        let mut command = Command::new(Self::program());
        command.env_clear().envs(&self.env).stdin(Stdio::null()).stdout(Stdio::null());
        self.service = None;
        match Service::try_run(command) {
            Ok(service) => self.take_in(service),
            Err(said) => self.secrets.must_not_stand_in("what it said before it ended", said.as_bytes()),
        }
        self.service.is_some()
    }

    /// Takes a service in that a test has started itself.
    pub fn take_in(&mut self, service: Service) {
        self.secrets.learn(&self.env);
        self.logs.push(service.log.clone());
        self.service = Some(service);
    }

    /// Starts the service in a way of the test's own.
    pub fn start_with(&mut self, command: Command) {
        self.take_in(Service::run(command));
    }

    /// Starts the service on two listening sockets, public and admin, as systemd hands them over: they outlive it.
    pub fn start_on(&mut self, public: &TcpListener, admin: &TcpListener) {
        let handed_over =
            |socket: &TcpListener| OwnedFd::from(socket.try_clone().expect("one more descriptor"));
        let mut command = self
            .shell("exec 3<&0 4<&1 0</dev/null 1>/dev/null; export LISTEN_FDS=2 LISTEN_PID=$$; exec \"$0\"");
        command.stdin(handed_over(public)).stdout(handed_over(admin));
        self.start_with(command);
    }

    /// The program in this world's environment behind a shell that prepares something; `"$0"` is the program.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(Self::program()).env_clear().envs(&self.env);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// The service.
    pub fn service(&self) -> &Service {
        self.service.as_ref().expect("started")
    }

    /// The service, to wait for lines or to look whether it lives.
    pub fn service_mut(&mut self) -> &mut Service {
        self.service.as_mut().expect("started")
    }

    /// Whether the service was started and not taken out.
    pub fn is_started(&self) -> bool {
        self.service.is_some()
    }

    /// Takes the service out, to end it.
    pub fn take_service(&mut self) -> Service {
        self.service.take().expect("started")
    }

    /// Ends it as a power cut would, and starts it again.
    pub fn crash_and_restart(&mut self) {
        self.take_service().kill();
        self.start();
    }

    /// A sender of signed deliveries.
    pub fn sender(&self) -> Sender {
        Sender::new(&format!("{}/github", self.service().url), SECRET).patience(PATIENCE)
    }

    /// Sends deliveries one after the other; each must be answered with a 2xx.
    pub fn send(&self, deliveries: &[Delivery]) {
        let mut sender = self.sender();
        for delivery in deliveries {
            let answer = sender.send(delivery).expect("an answer");
            let text = String::from_utf8_lossy(&answer.body);
            assert!(answer.status < 300, "{} {}: {} {text}", delivery.event, delivery.guid, answer.status);
        }
    }

    /// `/status.json` of a service that may be dying.
    pub fn try_status(&self) -> Option<Value> {
        let (_, body) = try_get(&format!("{}/status.json", self.service().admin)).ok()?;
        serde_json::from_str(&body).ok()
    }

    /// `/status.json`.
    pub fn status(&self) -> Value {
        let (status, body) = self.get_admin("/status.json");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// One sample of `/metrics`, by its name and labels.
    pub fn metric(&self, sample: &str) -> u64 {
        let (_, text) = self.get_admin("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no sample {sample} in\n{text}")).parse().expect("a whole number")
    }

    /// Sends one delivery: status and the answer's JSON.
    pub fn ask(&self, delivery: &Delivery) -> (u16, Value) {
        let answer = self.sender().send(delivery).expect("an answer");
        self.secrets.must_not_stand_in("an answer", &answer.body);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        (answer.status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// A GET of the admin listener: status and body.
    pub fn get_admin(&self, path: &str) -> (u16, String) {
        let (status, body) = get(&format!("{}{path}", self.service().admin));
        self.secrets.must_not_stand_in(path, body.as_bytes());
        (status, body)
    }

    /// Waits until `is_so`; panics with the log if it never is.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        self.wait_within(PATIENCE, what, is_so);
    }

    /// The same with a time of its own.
    #[track_caller]
    pub fn wait_within(&self, patience: Duration, what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + patience;
        while !is_so() {
            if Instant::now() >= until {
                panic!("never so: {what}\n{}\n{:#}", self.service().text(), self.status());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until nothing is queued and nobody is at work.
    #[track_caller]
    pub fn wait_for_rest(&self) {
        self.wait_within(Duration::from_secs(150), "at rest", || {
            let status = self.status();
            status["queued"] == 0 && status["open_hints"] == 0
        });
    }

    /// What differs between GitHub's teams and Sentry's; everybody has the address of their login.
    pub fn differences(&self) -> Vec<String> {
        Comparison::new(&self.github, &self.sentry, |login| Some(format!("{login}@acme.test"))).differences()
    }

    /// Members of a Sentry team by address; `None` if there is no such team.
    pub fn members(&self, slug: &str) -> Option<Vec<String>> {
        self.sentry.teams().get(slug).map(|team| team.members.clone())
    }

    /// A GitHub team that is a day older than this world: old enough to take a Sentry team of its slug to be its own.
    pub fn old_team(&self, name: &str) -> u64 {
        let yesterday = std::time::SystemTime::now() - Duration::from_secs(24 * 3600);
        self.github.add_team(GithubTeam::new(name).created(yesterday))
    }

    /// Starts the service and has it mirror a new team `crew`; gives its id on GitHub.
    pub fn with_crew(mut self) -> (Self, u64) {
        self.start();
        let (crew, created) = self.github.create_team("Crew", self.olive);
        self.settle(&created);
        // The comparison at the start may have seen the team too.
        self.wait_for_rest();
        (self, crew)
    }

    /// Starts the service, and has the deletion of a team that owns a project held; the hold's name.
    pub fn with_held_deletion(self) -> (Self, String) {
        let (world, crew) = self.with_crew();
        world.sentry.add_project(world.sentry.teams()["crew"].id, "shop");
        world.settle(&world.github.delete_team(crew));
        let name = world.only_hold()["name"].as_str().expect("a name").to_string();
        (world, name)
    }

    /// Waits until a Sentry team has exactly these members besides the owner of the organisation.
    #[track_caller]
    pub fn wait_for_members(&self, slug: &str, logins: &[&str]) {
        let wanted: BTreeSet<_> = logins.iter().map(|login| format!("{login}@acme.test")).collect();
        let there = || -> Option<BTreeSet<String>> {
            let members = self.members(slug)?.into_iter();
            Some(members.filter(|address| address != "olive@acme.test").collect())
        };
        self.wait_until(&format!("{logins:?} in {slug}"), || there().as_ref() == Some(&wanted));
    }

    /// What became of a delivery: its entry among the last ones in the status, once it is dealt with.
    #[track_caller]
    pub fn outcome(&self, delivery: &Delivery) -> (String, String) {
        let find = || -> Option<(String, String)> {
            let status = self.status();
            let recent = status["recent"].as_array()?.iter().find(|r| r["guid"] == delivery.guid.as_str())?;
            Some((recent["status"].as_str()?.into(), recent["note"].as_str()?.into()))
        };
        self.wait_until(&format!("{} {} is dealt with", delivery.event, delivery.guid), || find().is_some());
        find().expect("just seen")
    }

    /// Sends deliveries and waits until the last of them is dealt with: what became of it.
    #[track_caller]
    pub fn settle(&self, deliveries: &[Delivery]) -> (String, String) {
        self.send(deliveries);
        self.outcome(deliveries.last().expect("at least one delivery"))
    }

    /// Calls that changed something in Sentry since `mark`: method, route, status.
    pub fn writes_since(&self, mark: usize) -> Vec<String> {
        let calls = self.sentry.wire.calls_since(mark).into_iter();
        let writes = calls.filter(|call| call.method != "GET");
        writes.map(|call| format!("{} {}", call.route, call.status)).collect()
    }

    /// The only hold, as the status shows it.
    #[track_caller]
    pub fn only_hold(&self) -> Value {
        self.wait_until("something is held", || {
            self.status()["holds"].as_array().is_some_and(|h| h.len() == 1)
        });
        self.status()["holds"][0].clone()
    }

    /// The audit log's lines.
    pub fn audit(&self) -> Vec<Value> {
        let dir = self.dir.0.join("state/audit");
        let mut files: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
        files.sort();
        let text: String = files.iter().map(|file| fs::read_to_string(file).expect("audit")).collect();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Runs a command of the program in this world: exit code, stdout, stderr.
    pub fn command(&self, args: &[&str]) -> (i32, String, String) {
        let only = [("SYNC_STATE_DIR".to_string(), self.env["SYNC_STATE_DIR"].clone())];
        self.run_in(args, only.into())
    }

    /// Runs a command of somebody who has more set.
    pub fn command_with(&self, args: &[&str], more: &[(&str, &str)]) -> (i32, String, String) {
        let only = ("SYNC_STATE_DIR".to_string(), self.env["SYNC_STATE_DIR"].clone());
        let more = more.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        self.run_in(args, more.chain([only]).collect())
    }

    /// Runs a command with everything that the service knows: for where no service runs.
    pub fn alone(&self, args: &[&str]) -> (i32, String, String) {
        let mut env = self.env.clone();
        env.remove("RUST_LOG");
        env.insert("GH_ORG".into(), self.github.org_login());
        self.run_in(args, env)
    }

    /// The same with the organisation as it is set, or not set.
    pub fn alone_as_set(&self, args: &[&str]) -> (i32, String, String) {
        let mut env = self.env.clone();
        env.remove("RUST_LOG");
        self.run_in(args, env)
    }

    fn run_in(&self, args: &[&str], env: BTreeMap<String, String>) -> (i32, String, String) {
        let (program, leading) = self.launch();
        let mut command = Command::new(program);
        command.args(leading).args(args).env_clear().envs(env);
        let (output, in_time) = bounds::output_or_end(&mut command).expect("the command runs");
        assert!(in_time, "{args:?} did not end: {output:?} {:?}", self.service.as_ref().map(Service::text));
        self.secrets.must_not_stand_in(&args.join(" "), &output.stdout);
        self.secrets.must_not_stand_in(&args.join(" "), &output.stderr);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }
}
