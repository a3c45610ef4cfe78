//! tiny_http within the process: its workers, and another one in its place when it has died.
//!
//! Its accept thread ends with the first error of the system, when no descriptor or no thread is to be had, and tells
//! nobody. Its socket then refuses connections: the gates notice, and what is short passes.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tiny_http::{Request, Server};

use crate::control::ShortPath;
use crate::error::{Context, Error, Result};

/// So many deliveries share a flush to disk.
const WORKERS: usize = 16;
/// How long to leave it alone when no other could be started.
const AGAIN: Duration = Duration::from_secs(1);

/// Answers one request.
pub type Answer = Arc<dyn Fn(Request) + Send + Sync>;

/// tiny_http and its workers.
pub struct Inner {
    socket: ShortPath,
    server: Arc<Server>,
    workers: Vec<JoinHandle<()>>,
    not_before: Instant,
}

impl Inner {
    /// Listens on a socket that only this process should find. Nobody answers yet.
    pub fn open(socket: ShortPath) -> Result<Self> {
        let server = listen(&socket.path)?;
        Ok(Self { socket, server, workers: Vec::new(), not_before: Instant::now() })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.socket.path
    }

    /// Starts the workers, as many as can be had; none is an error.
    pub fn serve(&mut self, answer: &Answer) -> Result<()> {
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

    /// Starts the workers that could not be had before, unless that was tried a moment ago.
    pub fn complete(&mut self, answer: &Answer) {
        if self.workers.len() < WORKERS && self.may_try() {
            if let Err(error) = self.serve(answer) {
                log::error!("http: {error}; it is tried again");
            }
        }
    }

    /// Puts another one in the place of one that has died, unless that was tried a moment ago.
    pub fn replace(&mut self, answer: &Answer) {
        if !self.may_try() {
            return;
        }
        log::error!("http: the server within the process has died, as for want of descriptors or threads");
        match listen(&self.socket.path) {
            Ok(server) => {
                let old = std::mem::replace(&mut self.server, server);
                self.workers.drain(..).for_each(|_| old.unblock());
                // Dropped, it would remove the socket of its successor.
                std::mem::forget(old);
                match self.serve(answer) {
                    Ok(()) => log::info!("http: another one is in its place"),
                    Err(error) => log::error!("http: {error}; it is tried again"),
                }
            }
            Err(error) => log::error!("http: {error}; it is tried again"),
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

    /// Lets the workers go when they have answered what is queued.
    pub fn end(self) -> Vec<JoinHandle<()>> {
        self.workers.iter().for_each(|_| self.server.unblock());
        let _ = std::fs::remove_file(&self.socket.path);
        self.workers
    }
}

fn listen(path: &Path) -> Result<Arc<Server>> {
    let failed = || Error::failed("failed to start the HTTP server");
    let _ = std::fs::remove_file(path);
    // Without a thread to be had, it panics.
    match catch_unwind(|| Server::http_unix(path)) {
        Ok(started) => started.map(Arc::new).map_err(|error| failed().why(error)),
        Err(_) => Err(failed().why("no thread could be started")),
    }
}

/// Answers until the server is unblocked at the end.
fn work(server: &Server, answer: &Answer) {
    while let Ok(request) = server.recv() {
        // A panic costs one request its answer, not the service a worker.
        if catch_unwind(AssertUnwindSafe(|| answer(request))).is_err() {
            log::error!("http: a request met an internal error");
        }
    }
}
