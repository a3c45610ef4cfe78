//! tiny_http within the process: its workers, and its replacement when it has died.
//!
//! Its accept thread ends silently at the first system error, for example without a free descriptor or thread. Its
//! socket then refuses connections, which the gates notice; such shortages pass. Its other threads still read the
//! connections that it had accepted, and queue their requests, which are answered too.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tiny_http::{Request, Server};

use crate::error::{Context, Error, Result};
use crate::lock::Mutex;
use crate::service::control::ShortPath;
use crate::service::gate::relay;

/// How many threads answer requests, and so how many deliveries can share a flush to disk.
const WORKERS: usize = 16;
/// How long to wait between attempts to replace the server or to start missing workers.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the queue of a dead server is read. No gate waits longer for an answer.
const LATE: Duration = relay::ANSWER.saturating_add(Duration::from_secs(5));
/// How often those queues are read.
const PERIOD: Duration = Duration::from_millis(20);

pub type Answer = Arc<dyn Fn(Request) + Send + Sync>;

/// tiny_http and its workers.
pub struct Inner {
    socket: ShortPath,
    server: Arc<Server>,
    workers: Vec<JoinHandle<()>>,
    retired: Arc<Retired>,
    late: Option<JoinHandle<()>>,
    not_before: Instant,
}

/// Dead servers, for as long as a request may still turn up in their queues.
#[derive(Default)]
struct Retired {
    servers: Mutex<Vec<Dead>>,
    stop: AtomicBool,
}

struct Dead {
    server: Arc<Server>,
    /// They end once they have answered what was queued when the server was replaced.
    workers: Vec<JoinHandle<()>>,
    until: Instant,
}

impl Inner {
    /// Listens on a socket that only this process should find. Requests aren't answered yet.
    pub fn open(socket: ShortPath) -> Result<Self> {
        let server = listen(&socket.path)?;
        Ok(Self {
            socket,
            server,
            workers: Vec::new(),
            retired: Arc::default(),
            late: None,
            not_before: Instant::now(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.socket.path
    }

    /// Starts as many workers as possible. It's an error if there is none at all.
    pub fn serve(&mut self, answer: &Answer) -> Result<()> {
        if self.late.is_none() {
            // Started while threads are available: it's needed when they aren't.
            let (retired, answer) = (self.retired.clone(), answer.clone());
            let name = "http-late".to_string();
            let started = thread::Builder::new().name(name.clone()).spawn(move || retired.run(&answer));
            self.late = Some(started.context("failed to start the thread", name)?);
        }
        for n in self.workers.len()..WORKERS {
            let (server, answer) = (self.server.clone(), answer.clone());
            let name = format!("http-{n}");
            match thread::Builder::new().name(name.clone()).spawn(move || work(&server, &answer)) {
                Ok(worker) => self.workers.push(worker),
                Err(error) if n == 0 => return Err(error).context("failed to start the thread", name),
                Err(error) => {
                    log::warn!("http: only {n} of {WORKERS} threads could be started: {error}");
                    break;
                }
            }
        }
        Ok(())
    }

    /// Starts the missing workers, unless that was tried a moment ago.
    pub fn complete(&mut self, answer: &Answer) {
        if self.workers.len() < WORKERS && self.may_try() {
            if let Err(error) = self.serve(answer) {
                log::error!("http: {error}; retrying");
            }
        }
    }

    /// Replaces a dead server, unless that was tried a moment ago.
    pub fn replace(&mut self, answer: &Answer) {
        if !self.may_try() {
            return;
        }
        log::error!("http: the internal server died; the process may be out of file descriptors or threads");
        let replaced = listen(&self.socket.path).and_then(|server| {
            let old = std::mem::replace(&mut self.server, server);
            let workers: Vec<_> = self.workers.drain(..).collect();
            workers.iter().for_each(|_| old.unblock());
            let dead = Dead { server: old, workers, until: Instant::now() + LATE };
            self.retired.servers.lock().push(dead);
            self.late.iter().for_each(|late| late.thread().unpark());
            self.serve(answer)
        });
        match replaced {
            Ok(()) => log::info!("http: restarted the internal server"),
            Err(error) => log::error!("http: {error}; retrying"),
        }
    }

    fn may_try(&mut self) -> bool {
        let now = Instant::now();
        let may = now >= self.not_before;
        if may {
            self.not_before = now + AGAIN;
        }
        may
    }

    /// Ends the workers once they have answered what is queued. Returns their threads.
    pub fn end(self) -> Vec<JoinHandle<()>> {
        self.workers.iter().for_each(|_| self.server.unblock());
        let _ = std::fs::remove_file(&self.socket.path);
        self.retired.stop.store(true, Ordering::Relaxed);
        self.late.iter().for_each(|late| late.thread().unpark());
        self.workers.into_iter().chain(self.late).collect()
    }
}

impl Retired {
    /// Answers requests in the queues of dead servers, until the end.
    fn run(&self, answer: &Answer) {
        while !self.stop.load(Ordering::Relaxed) {
            let late = self.late();
            if !late.is_empty() {
                late.into_iter().for_each(|request| answer_one(request, answer));
            } else if self.servers.lock().is_empty() {
                thread::park();
            } else {
                thread::park_timeout(PERIOD);
            }
        }
    }

    /// The requests that came since the last call. Forgets servers that no gate waits for any more.
    fn late(&self) -> Vec<Request> {
        let mut dead = self.servers.lock();
        // Until its own workers have ended, the queue is theirs: it also has the markers that end them.
        let left = dead.iter().filter(|dead| dead.workers.iter().all(JoinHandle::is_finished));
        let late =
            left.flat_map(|dead| std::iter::from_fn(|| dead.server.try_recv().ok().flatten())).collect();
        let now = Instant::now();
        let (gone, waited_for) = std::mem::take(&mut *dead).into_iter().partition(|dead| now >= dead.until);
        *dead = waited_for;
        // Dropping them would remove their successor's socket.
        gone.into_iter().for_each(|dead: Dead| std::mem::forget(dead.server));
        late
    }
}

fn listen(path: &Path) -> Result<Arc<Server>> {
    let failed = || Error::failed("failed to start the HTTP server");
    let _ = std::fs::remove_file(path);
    // It panics if no thread can be started.
    match catch_unwind(|| Server::http_unix(path)) {
        Ok(started) => started.map(Arc::new).map_err(|error| failed().why(error)),
        Err(_) => Err(failed().why("no thread could be started")),
    }
}

/// Answers requests until the server is unblocked at the end.
fn work(server: &Server, answer: &Answer) {
    while let Ok(request) = server.recv() {
        answer_one(request, answer);
    }
}

/// A panic loses one answer, but not a worker.
fn answer_one(request: Request, answer: &Answer) {
    if catch_unwind(AssertUnwindSafe(|| answer(request))).is_err() {
        log::error!("http: internal error while handling a request");
    }
}
