//! Bare tiny_http with as many workers as the program has, in a process of its own: what the answers are compared with.
//!
//! "The same HMAC and append" is taken literally, and in the yardstick's favour where there is a choice: it appends a record
//! of the same kind and size to the same journal, which syncs once for all that wait, before it answers; nobody's answer
//! leaves before its record is on disk. It reads no JSON, looks for no duplicate, has no gate in front of it and nothing to do
//! afterwards. Another program may stand for it, built for another libc: `SYNC_TEST_YARDSTICK` names that benchmark.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use sentry_team_sync::parts::{
    signed_by, Change, Clock, Delivery, Entry, Event, GithubTeamId, GithubUserId, HookId, Journal, Person,
    Record, Secret, StateDir, TeamRef, Timestamp,
};
use tiny_http::{Response, Server};

use crate::world::{TempDir, SECRET};

/// As many as the program has.
const WORKERS: usize = 16;

/// A running yardstick.
pub struct Yardstick {
    child: Child,
    /// Where it listens.
    pub url: String,
}

impl Yardstick {
    /// Starts one: `append` or `nothing`.
    pub fn start(kind: &str) -> Self {
        let program = match std::env::var_os("SYNC_TEST_YARDSTICK") {
            Some(program) => program.into(),
            None => std::env::current_exe().unwrap(),
        };
        let mut child =
            Command::new(program).args(["--yardstick", kind]).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().into() }
    }
}

impl Yardstick {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Yardstick {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers until it is killed.
pub fn serve(kind: &str) {
    let dir = TempDir::new("yardstick");
    let journal = (kind == "append")
        .then(|| Arc::new(Journal::open(StateDir::claim(&dir.0).unwrap(), Clock::System).unwrap().0));
    let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
    println!("http://{}", server.server_addr());
    let secrets = Arc::new(vec![Secret::new(SECRET)]);
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (server, journal, secrets) = (server.clone(), journal.clone(), secrets.clone());
            std::thread::spawn(move || while answer(&server, journal.as_deref(), &secrets) {})
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

/// One like those that are sent.
fn an_event() -> Event {
    let team = TeamRef {
        id: GithubTeamId(1),
        name: "Crew".into(),
        slug: Some("crew".to_string().into()),
        parent: None,
    };
    let person = Person { id: GithubUserId(100), login: "person100".to_string().into(), bot: false };
    Event::Membership { team, person: Some(person), change: Change::Added }
}

fn answer(server: &Server, journal: Option<&Journal>, secrets: &[Secret]) -> bool {
    let Ok(mut request) = server.recv() else { return false };
    let mut body = Vec::new();
    request.as_reader().read_to_end(&mut body).unwrap();
    let header = |name: &str| {
        let is_it = |header: &&tiny_http::Header| header.field.as_str().as_str().eq_ignore_ascii_case(name);
        request
            .headers()
            .iter()
            .find(is_it)
            .map(|header| header.value.as_str().to_string())
            .unwrap_or_default()
    };
    let (signature, guid) = (header("x-hub-signature-256"), header("x-github-delivery"));
    if signed_by(secrets, &signature, &body).is_none() {
        return request.respond(Response::empty(401)).is_ok();
    }
    if let Some(journal) = journal {
        let kept = journal.decide(|state| {
            let delivery = Delivery {
                seq: state.next_seq(),
                at: Timestamp::now(),
                hook: HookId(1),
                guid: guid.into(),
                event: an_event(),
            };
            Entry::Keep(vec![Record::Received(delivery)], ())
        });
        kept.unwrap();
    }
    request.respond(Response::empty(202)).is_ok()
}
