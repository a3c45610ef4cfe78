//! Bare tiny_http with as many workers as the program has, in a process of its own: what the answers are compared with.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use sentry_team_sync::event::Event;
use sentry_team_sync::ids::{HookId, Seq};
use sentry_team_sync::intake::signature::signed_by;
use sentry_team_sync::journal::{Entry, Journal};
use sentry_team_sync::secret::Secret;
use sentry_team_sync::state::record::{Delivery, Record};
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
        let program = std::env::current_exe().unwrap();
        let mut child =
            Command::new(program).args(["--yardstick", kind]).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().into() }
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
    let journal = (kind == "append").then(|| Arc::new(Journal::open(&dir.0).unwrap().0));
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
        // The body's size and shape do not matter to the record: the program keeps what it says, not the body.
        let parsed: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let login = parsed["member"]["login"].as_str().unwrap_or_default().into();
        let kept = journal.decide(|state| {
            let seq = Seq(state.next_seq().0);
            let event = Event::OrgRenamed { login };
            let delivery =
                Delivery { seq, at: Default::default(), hook: HookId(1), guid: guid.into(), event };
            Entry::Keep(vec![Record::Received(delivery)], ())
        });
        kept.unwrap();
    }
    request.respond(Response::empty(202)).is_ok()
}
