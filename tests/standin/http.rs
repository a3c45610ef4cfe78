//! A small HTTP/1.1 server over `std`: one thread per connection, keep-alive, bodies with
//! `Content-Length`, hard limits, and an end that is an end.
//!
//! It knows nothing of GitHub or Sentry. It must never outlive its handle: when [`HttpServer`] is
//! dropped, or closed, every connection is shut and every thread joined. A closed server can be
//! opened again on the same port, so that a client meets a true "connection refused" meanwhile.

use super::message::{parse_head, plain, render};
pub use super::message::{reason, Request, Response};
use sentry_team_sync::parts::retried;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 8 * 1024 * 1024;
const MAX_CONNECTIONS: usize = 2_048;
const IDLE: Duration = Duration::from_secs(75);
const WRITE: Duration = Duration::from_secs(30);

/// Locks without caring for poison: a handler that panicked must not silence the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What goes over the wire for one request.
#[derive(Debug)]
pub enum Reply {
    /// The whole answer.
    Whole(Response),
    /// Head and half of the body, then the connection is cut.
    Half(Response),
    /// The connection is cut without a byte.
    Cut,
}

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Waiting must go through `pause`, so that closing the server ends it.
    fn handle(&self, request: &Request, pause: &dyn Pause) -> Reply;
}

/// How a handler waits.
pub trait Pause {
    /// Sleeps; false as soon as nobody waits for the answer any more.
    fn sleep(&self, duration: Duration) -> bool;
}

/// A sleep that ends early when the server closes.
struct Visit {
    door: Arc<Door>,
    epoch: u64,
}

impl Pause for Visit {
    fn sleep(&self, duration: Duration) -> bool {
        let same = |state: &mut Doorway| state.epoch == self.epoch;
        let mut state = lock(&self.door.state);
        if !duration.is_zero() {
            let waited = self.door.changed.wait_timeout_while(state, duration, same);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.epoch == self.epoch
    }
}

/// Shared by the server and its threads.
struct Door {
    state: Mutex<Doorway>,
    changed: Condvar,
}

#[derive(Default)]
struct Doorway {
    /// Counts closings; a thread of an older epoch ends.
    epoch: u64,
    open: bool,
    next_connection: u64,
    connections: BTreeMap<u64, TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

/// A running server. Dropping it ends everything it started.
pub struct HttpServer {
    port: u16,
    door: Arc<Door>,
    handler: Arc<dyn Handler>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl HttpServer {
    /// Listens on 127.0.0.1; port 0 means any free one.
    pub fn start(port: u16, handler: Arc<dyn Handler>) -> io::Result<HttpServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = listener.local_addr()?.port();
        let door = Arc::new(Door { state: Mutex::default(), changed: Condvar::new() });
        let server = HttpServer { port, door, handler, accepting: Mutex::new(None) };
        server.accept_on(listener)?;
        Ok(server)
    }

    /// The port, the same through every [`close`](Self::close) and [`open`](Self::open).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops listening, cuts every connection and waits for every thread. Connections are refused
    /// from now on.
    pub fn close(&self) {
        let mut accepting = lock(&self.accepting);
        {
            let mut state = lock(&self.door.state);
            state.open = false;
            state.epoch += 1;
        }
        self.door.changed.notify_all();
        if let Some(thread) = accepting.take() {
            // The accept call returns for this connection and then sees that the door is shut.
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
            let _ = thread.join();
        }
        let threads = {
            let mut state = lock(&self.door.state);
            for stream in state.connections.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut state.threads)
        };
        for thread in threads {
            let _ = thread.join();
        }
    }

    /// Listens again on the same port after [`close`](Self::close).
    pub fn open(&self) -> io::Result<()> {
        if lock(&self.accepting).is_some() {
            return Ok(());
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)) {
                Ok(listener) => return self.accept_on(listener),
                // Somebody else got the port for a moment; their connection will end.
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(error),
            }
        }
    }

    fn accept_on(&self, listener: TcpListener) -> io::Result<()> {
        let epoch = {
            let mut state = lock(&self.door.state);
            state.open = true;
            state.epoch
        };
        let (door, handler) = (Arc::clone(&self.door), Arc::clone(&self.handler));
        let thread = std::thread::Builder::new()
            .name(format!("standin-{}", self.port))
            .spawn(move || accept(&listener, &door, &handler, epoch))?;
        *lock(&self.accepting) = Some(thread);
        Ok(())
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.close();
    }
}

fn accept(listener: &TcpListener, door: &Arc<Door>, handler: &Arc<dyn Handler>, epoch: u64) {
    for stream in listener.incoming() {
        let mut state = lock(&door.state);
        if state.epoch != epoch {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(twin) = stream.try_clone() else {
            continue;
        };
        state.threads.retain(|thread| !thread.is_finished());
        if state.connections.len() >= MAX_CONNECTIONS {
            continue;
        }
        let id = state.next_connection;
        state.next_connection += 1;
        let pause = Visit { door: Arc::clone(door), epoch };
        let handler = Arc::clone(handler);
        let spawned = std::thread::Builder::new()
            .name(format!("standin-connection-{id}"))
            .stack_size(1024 * 1024)
            .spawn(move || {
                let leaving = Leaving { door: Arc::clone(&pause.door), id };
                let _ = serve(stream, handler.as_ref(), &pause);
                drop(leaving);
            });
        if let Ok(thread) = spawned {
            state.connections.insert(id, twin);
            state.threads.push(thread);
        }
    }
}

/// Takes a connection off the list when its thread ends, also by a panic in the handler.
struct Leaving {
    door: Arc<Door>,
    id: u64,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(stream) = lock(&self.door.state).connections.remove(&self.id) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Serves one connection until either side ends it.
fn serve(mut stream: TcpStream, handler: &dyn Handler, pause: &dyn Pause) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(WRITE))?;
    let mut buffer = Vec::new();
    let mut on_kept = false;
    loop {
        let (mut request, keep) = match read_request(&mut stream, &mut buffer)? {
            Incoming::Request(request, keep) => (request, keep),
            Incoming::Refused(response) => {
                stream.write_all(&render(&response, false, false))?;
                return stream.shutdown(Shutdown::Both);
            }
            Incoming::End => return Ok(()),
        };
        let head_only = request.method == "HEAD";
        request.on_kept = std::mem::replace(&mut on_kept, true);
        match handler.handle(&request, pause) {
            Reply::Whole(response) => stream.write_all(&render(&response, keep, head_only))?,
            Reply::Half(response) => {
                let whole = render(&response, keep, head_only);
                let cut = whole.len() - response.body.len() / 2 - 1;
                stream.write_all(&whole[..cut.min(whole.len())])?;
                return stream.shutdown(Shutdown::Both);
            }
            Reply::Cut => return stream.shutdown(Shutdown::Both),
        }
        if !keep {
            return Ok(());
        }
    }
}

enum Incoming {
    Request(Request, bool),
    Refused(Response),
    End,
}

/// Reads one request; `buffer` keeps what already came of the next one.
fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Incoming> {
    let (mut request, head_length, version) = loop {
        match parse_head(buffer) {
            Ok(Some(parsed)) => break parsed,
            Ok(None) if buffer.len() > MAX_HEAD => return Ok(Incoming::Refused(plain(431))),
            Ok(None) => {}
            Err(()) => return Ok(Incoming::Refused(plain(400))),
        }
        if read_some(stream, buffer)? == 0 {
            return Ok(Incoming::End);
        }
    };
    if request.header("transfer-encoding").is_some() {
        return Ok(Incoming::Refused(plain(411)));
    }
    let length = match request.header("content-length").map(|value| value.trim().parse::<usize>()) {
        None => 0,
        Some(Ok(length)) if length <= MAX_BODY => length,
        Some(Ok(_)) => return Ok(Incoming::Refused(plain(413))),
        Some(Err(_)) => return Ok(Incoming::Refused(plain(400))),
    };
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    while buffer.len() < head_length + length {
        if read_some(stream, buffer)? == 0 {
            return Ok(Incoming::End);
        }
    }
    let rest = buffer.split_off(head_length + length);
    request.body = buffer.split_off(head_length);
    *buffer = rest;
    let connection = request.header("connection").unwrap_or("").to_ascii_lowercase();
    let keep = if version == 0 { connection.contains("keep-alive") } else { !connection.contains("close") };
    Ok(Incoming::Request(request, keep))
}

fn read_some(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 16 * 1024];
    let count = retried(|| stream.read(&mut chunk))?;
    buffer.extend_from_slice(&chunk[..count]);
    Ok(count)
}

/// The address a port stands for.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
