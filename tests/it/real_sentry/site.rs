//! A Sentry as the scenarios shape it and look at it, whether it is true or pretended.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{json, Value};

use crate::standin::sentry::InviteStatus;
use crate::standin::{NewMember, NewToken, RateLimit, SentryStandin, TeamView};

/// One organisation of a Sentry, and what is done to it behind its web interface.
pub trait Site {
    /// `http://127.0.0.1:PORT`.
    fn url(&self) -> String;
    /// The organisation's slug.
    fn org(&self) -> String;
    /// An integration's token.
    fn add_token(&self, scopes: &[&str]) -> String;
    /// Gives a token other scopes.
    fn set_scopes(&self, token: &str, scopes: &[&str]);
    /// Deletes a token.
    fn revoke(&self, token: &str);
    /// A member, or an invite: the member id.
    fn add_member(&self, new: NewMember) -> u64;
    /// The invited person arrives.
    fn accept_invite(&self, member: u64, email: &str);
    /// Somebody leaves the organisation.
    fn remove_member(&self, member: u64);
    /// So many members at once, `crowd000@acme.test` and so on, all in one team.
    fn crowd(&self, team: u64, n: usize);
    /// A team that nobody's webhook made: its id.
    fn add_team(&self, slug: &str, name: &str) -> u64;
    /// Somebody renames a team in Sentry.
    fn rename_team(&self, team: u64, slug: &str, name: &str);
    /// Somebody joins a team in Sentry.
    fn join(&self, team: u64, member: u64);
    /// A project that a team owns.
    fn add_project(&self, team: u64, slug: &str);
    /// The slugs of a project's teams.
    fn project_teams(&self, project: &str) -> Vec<String>;
    /// Whether an identity provider manages a team.
    fn set_idp_provisioned(&self, team: u64, on: bool);
    /// Whether an identity provider has SCIM switched on.
    fn set_scim(&self, on: bool);
    /// Whether everybody may join every team.
    fn set_open_membership(&self, on: bool);
    /// An integration with the GitHub organisation of this domain, unless there is one.
    fn add_integration(&self, domain: &str);
    /// Somebody has a name of CODEOWNERS mean a team.
    fn link_team(&self, team: u64, name: &str);
    /// The names of CODEOWNERS that mean a team, sorted.
    fn external_teams(&self, team: u64) -> Vec<String>;
    /// All teams by slug, without those that are being deleted.
    fn teams(&self) -> BTreeMap<String, TeamView>;
    /// The slugs of those that are being deleted.
    fn pending_deletions(&self) -> Vec<String>;
    /// What cron does: deletions take place.
    fn tick(&self);
    /// The web server is stopped.
    fn stop(&self);
    /// The web server is there again, and allows so many calls a second.
    fn start(&self, calls_per_second: u64);
}

impl Site for SentryStandin {
    fn url(&self) -> String {
        SentryStandin::url(self)
    }

    fn org(&self) -> String {
        "acme-sentry".into()
    }

    fn add_token(&self, scopes: &[&str]) -> String {
        SentryStandin::add_token(self, NewToken::integration(scopes))
    }

    fn set_scopes(&self, token: &str, scopes: &[&str]) {
        SentryStandin::set_scopes(self, token, scopes);
    }

    fn revoke(&self, token: &str) {
        SentryStandin::revoke(self, token);
    }

    fn add_member(&self, new: NewMember) -> u64 {
        SentryStandin::add_member(self, new)
    }

    fn accept_invite(&self, member: u64, email: &str) {
        SentryStandin::accept_invite(self, member, email);
    }

    fn remove_member(&self, member: u64) {
        SentryStandin::remove_member(self, member);
    }

    fn crowd(&self, team: u64, n: usize) {
        for i in 0..n {
            let member = SentryStandin::add_member(self, format!("crowd{i:03}@acme.test").as_str());
            SentryStandin::join(self, team, member);
        }
    }

    fn add_team(&self, slug: &str, name: &str) -> u64 {
        SentryStandin::add_team(self, slug, name)
    }

    fn rename_team(&self, team: u64, slug: &str, name: &str) {
        SentryStandin::rename_team(self, team, slug, name);
    }

    fn join(&self, team: u64, member: u64) {
        SentryStandin::join(self, team, member);
    }

    fn add_project(&self, team: u64, slug: &str) {
        SentryStandin::add_project(self, team, slug);
    }

    fn project_teams(&self, project: &str) -> Vec<String> {
        SentryStandin::project_teams(self, project)
    }

    fn set_idp_provisioned(&self, team: u64, on: bool) {
        SentryStandin::set_idp_provisioned(self, team, on);
    }

    fn set_scim(&self, on: bool) {
        SentryStandin::set_scim(self, on);
    }

    fn set_open_membership(&self, on: bool) {
        SentryStandin::set_open_membership(self, on);
    }

    fn add_integration(&self, _: &str) {}

    fn link_team(&self, team: u64, name: &str) {
        SentryStandin::add_external_team(self, team, name);
    }

    fn external_teams(&self, team: u64) -> Vec<String> {
        SentryStandin::external_teams(self, team).into_iter().map(|(_, name)| name).collect()
    }

    fn teams(&self) -> BTreeMap<String, TeamView> {
        SentryStandin::teams(self)
    }

    fn pending_deletions(&self) -> Vec<String> {
        SentryStandin::pending_deletions(self)
    }

    fn tick(&self) {
        SentryStandin::tick(self);
    }

    fn stop(&self) {
        self.set_down(true).expect("down");
    }

    fn start(&self, calls_per_second: u64) {
        self.set_rate_limit(Some(RateLimit::per_second(calls_per_second)));
        self.set_down(false).expect("up");
    }
}

/// The scripts of `tests/real_sentry`, and a process that has its hands inside the running server.
pub struct Server {
    url: String,
    process: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_sentry").join(name)
}

/// The exit code of `start.sh` where no Sentry is installed.
const UNAVAILABLE: i32 = 69;

impl Server {
    /// Starts the installed Sentry unless it runs. The error is the reason why there is none to run.
    pub fn start() -> Result<Server, String> {
        let output = Command::new(script("start.sh")).stdin(Stdio::null()).output().expect("start.sh");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match output.status.code() {
            Some(0) => {}
            Some(UNAVAILABLE) => return Err(err.trim().to_string()),
            code => panic!("start.sh ended with {code:?}: {err}"),
        }
        let url = out.lines().last().expect("start.sh prints the address").to_string();
        let mut process = Command::new(script("hands.sh"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("hands.sh");
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        let pipes = RefCell::new((process.stdin.take().expect("piped"), answers));
        Ok(Server { url, process, pipes })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A fresh organisation.
    pub fn organization(self: &Rc<Self>) -> Organization {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
        let slug = format!("acme-{now}");
        self.ask("organization", json!({ "slug": slug }));
        Organization { server: self.clone(), slug, disturbed: Cell::new(false) }
    }

    fn ask(&self, what: &str, mut request: Value) -> Value {
        request["do"] = what.into();
        let (questions, answers) = &mut *self.pipes.borrow_mut();
        writeln!(questions, "{request}").and_then(|()| questions.flush()).expect("hands.py listens");
        let mut line = String::new();
        answers.read_line(&mut line).expect("hands.py answers");
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("hands.py ended on {request}; its log is logs/hands.log in the home of the Sentry")
        });
        match answer.get("ok") {
            Some(value) => value.clone(),
            None => panic!("hands.py: {what}: {}", answer["error"]),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One organisation of a true Sentry.
pub struct Organization {
    server: Rc<Server>,
    slug: String,
    /// Whether the web server was stopped, or started with a limit of its own.
    disturbed: Cell<bool>,
}

/// However a scenario ends, the next one finds the web server as it should be.
impl Drop for Organization {
    fn drop(&mut self) {
        if self.disturbed.get() {
            self.stop();
            self.start(999);
        }
    }
}

impl Organization {
    fn id(answer: Value) -> u64 {
        answer.as_u64().expect("an id")
    }

    fn slugs(answer: Value) -> Vec<String> {
        serde_json::from_value(answer).expect("slugs")
    }
}

impl Site for Organization {
    fn url(&self) -> String {
        self.server.url.clone()
    }

    fn org(&self) -> String {
        self.slug.clone()
    }

    fn add_token(&self, scopes: &[&str]) -> String {
        let token = self.server.ask("token", json!({ "org": self.slug, "scopes": scopes }));
        token.as_str().expect("a token").into()
    }

    fn set_scopes(&self, token: &str, scopes: &[&str]) {
        self.server.ask("scopes", json!({ "token": token, "scopes": scopes }));
    }

    fn revoke(&self, token: &str) {
        self.server.ask("revoke", json!({ "token": token }));
    }

    fn add_member(&self, new: NewMember) -> u64 {
        let status = match new.status {
            InviteStatus::Approved => "APPROVED",
            InviteStatus::RequestedToJoin => "REQUESTED_TO_JOIN",
            InviteStatus::RequestedToBeInvited => "REQUESTED_TO_BE_INVITED",
        };
        assert!(!new.idp_provisioned, "not needed so far");
        let github: Vec<_> = new.external.iter().map(|row| (&row.name, &row.external_id)).collect();
        let member = json!({
            "org": self.slug, "email": new.email, "name": new.name, "username": new.username, "role": new.role,
            "verified": new.verified, "more": new.more, "joined": new.joined, "expired": new.expired,
            "active": new.active, "status": status, "github": github,
        });
        Self::id(self.server.ask("member", member))
    }

    fn accept_invite(&self, member: u64, email: &str) {
        self.server.ask("accept", json!({ "member": member, "email": email }));
    }

    fn remove_member(&self, member: u64) {
        self.server.ask("remove_member", json!({ "member": member }));
    }

    fn crowd(&self, team: u64, n: usize) {
        self.server.ask("crowd", json!({ "org": self.slug, "team": team, "n": n }));
    }

    fn add_team(&self, slug: &str, name: &str) -> u64 {
        Self::id(self.server.ask("team", json!({ "org": self.slug, "slug": slug, "name": name })))
    }

    fn rename_team(&self, team: u64, slug: &str, name: &str) {
        self.server.ask("rename_team", json!({ "team": team, "slug": slug, "name": name }));
    }

    fn join(&self, team: u64, member: u64) {
        self.server.ask("join", json!({ "team": team, "member": member }));
    }

    fn add_project(&self, team: u64, slug: &str) {
        self.server.ask("project", json!({ "team": team, "slug": slug }));
    }

    fn project_teams(&self, project: &str) -> Vec<String> {
        Self::slugs(self.server.ask("project_teams", json!({ "org": self.slug, "slug": project })))
    }

    fn set_idp_provisioned(&self, team: u64, on: bool) {
        self.server.ask("idp", json!({ "team": team, "on": on }));
    }

    fn set_scim(&self, on: bool) {
        self.server.ask("scim", json!({ "org": self.slug, "on": on }));
    }

    fn set_open_membership(&self, on: bool) {
        self.server.ask("open_membership", json!({ "org": self.slug, "on": on }));
    }

    fn add_integration(&self, domain: &str) {
        self.server.ask("integration", json!({ "org": self.slug, "domain": domain }));
    }

    fn link_team(&self, team: u64, name: &str) {
        self.server.ask("link_team", json!({ "team": team, "name": name }));
    }

    fn external_teams(&self, team: u64) -> Vec<String> {
        Self::slugs(self.server.ask("external_teams", json!({ "team": team })))
    }

    fn teams(&self) -> BTreeMap<String, TeamView> {
        let answer = self.server.ask("teams", json!({ "org": self.slug }));
        let view = |(slug, team): (&String, &Value)| {
            let members = Self::slugs(team["members"].clone());
            let name = team["name"].as_str().expect("a name").into();
            (slug.clone(), TeamView { id: Self::id(team["id"].clone()), name, members })
        };
        answer.as_object().expect("teams").iter().map(view).collect()
    }

    fn pending_deletions(&self) -> Vec<String> {
        Self::slugs(self.server.ask("pending", json!({ "org": self.slug })))
    }

    fn tick(&self) {
        self.server.ask("tick", json!({}));
    }

    fn stop(&self) {
        let stopped = Command::new(script("stop.sh")).arg("--web").status().expect("stop.sh");
        assert!(stopped.success());
        self.disturbed.set(true);
    }

    fn start(&self, calls_per_second: u64) {
        let limit = calls_per_second.to_string();
        let started = Command::new(script("start.sh"))
            .env("REAL_SENTRY_RATE_LIMIT", limit)
            .stdin(Stdio::null())
            .output()
            .expect("start.sh");
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    }
}
