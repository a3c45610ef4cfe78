//! The gate between outside connections and tiny_http.
//!
//! tiny_http has no limits and no timeouts, and one anonymous request can end it. A fixed number of threads accepts
//! connections here, reads each request whole under absolute deadlines and byte limits, and only then passes it on.
//! Every read has a deadline and every buffer a limit. Each thread serves one connection at a time.

pub mod head;
pub mod relay;
pub mod socket;

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use head::{Refusal, HEAD_LIMIT, ITSELF, SMALLER};
use relay::Reply;
use socket::{Listener, Stream};

use crate::lock::Mutex;
use crate::status::metrics::AtGate;

/// How long a whole head may take. On a new connection, that includes the wait for the first byte.
const HEAD: Duration = Duration::from_secs(5);
/// How long a whole body may take. GitHub itself gives up after 10 s.
const BODY: Duration = Duration::from_secs(10);
/// How long a client may take to read an answer.
const WRITE: Duration = Duration::from_secs(5);
/// How long a kept connection may be idle.
const IDLE: Duration = Duration::from_secs(5);
/// While no thread is free: how long a connection may be silent before its first byte.
const BUSY_SILENCE: Duration = Duration::from_millis(50);
/// While no thread is free: how long a connection may be silent within a request. A thousand such close within 1.2 s.
const BUSY_PAUSE: Duration = Duration::from_millis(75);
/// While no thread is free: how long a whole request may take.
const BUSY_WHOLE: Duration = Duration::from_millis(500);
/// How often a waiting thread checks whether no thread is free.
const LOOK: Duration = Duration::from_millis(25);
/// While the process stops: how long a new connection may be silent.
const STOP_SILENCE: Duration = Duration::from_millis(500);
/// After a refusal, this many bytes are still read, for at most `LINGER`, so that the peer sees the answer and not a
/// reset. A proxy forwards a request that is slightly too long, and turns a reset in the middle into a 502.
const LINGER_BYTES: usize = 2 * head::BODY_LIMIT;
const LINGER: Duration = Duration::from_secs(3);
/// How long to linger while nothing arrives.
const LINGER_SILENCE: Duration = Duration::from_millis(500);
/// The fix for a request that comes too slowly.
const LATE: &str = "look at the network and the proxy in front, then redeliver it";
/// The stack of a gate's thread: parsing and copying need little.
const STACK: usize = 256 << 10;

pub struct Gate {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// A gate's settings.
pub struct Options {
    /// `public` or `admin`, which is passed on with each request.
    pub name: &'static str,
    /// How many connections at once.
    pub threads: usize,
    pub inner: PathBuf,
    /// Bytes of request bodies at once, over all gates.
    pub budget: Arc<Budget>,
}

#[derive(Debug, Default)]
pub struct Counts {
    pub passed: AtomicU64,
    pub refused: AtomicU64,
    /// Connections closed because no thread was free.
    pub shed: AtomicU64,
}

impl Counts {
    pub fn now(&self) -> AtGate {
        let [passed, refused, shed] =
            [&self.passed, &self.refused, &self.shed].map(|count| count.load(Ordering::Relaxed));
        AtGate { passed, refused, shed }
    }
}

struct Shared {
    options: Options,
    listener: Listener,
    /// Only one thread waits in `accept`. The others cost neither wake-ups nor descriptors.
    accepting: Mutex<()>,
    busy: AtomicUsize,
    /// How many threads there are: as many as asked for, unless the system refused some.
    n_threads: AtomicUsize,
    stop: AtomicBool,
    /// Whether no server was listening on tiny_http's socket.
    missed: AtomicBool,
    counts: Counts,
}

/// Bytes that may still be claimed.
pub struct Budget(AtomicUsize);

/// Claimed bytes, given back when dropped.
struct Claim<'a>(&'a Budget, usize);

impl Budget {
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(bytes)))
    }

    fn claim(&self, bytes: usize) -> Option<Claim<'_>> {
        let take = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok().map(|_| Claim(self, bytes))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0 .0.fetch_add(self.1, Ordering::AcqRel);
    }
}

impl Gate {
    /// Starts the threads. Fewer than asked for are enough, but it's an error if there is none at all.
    pub fn open(listener: Listener, options: Options) -> io::Result<Self> {
        let wanted = options.threads;
        let shared = Arc::new(Shared {
            options,
            listener,
            accepting: Mutex::new(()),
            busy: AtomicUsize::new(0),
            n_threads: AtomicUsize::new(wanted),
            stop: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            counts: Counts::default(),
        });
        let mut threads = Vec::new();
        for n in 0..wanted {
            let shared_too = shared.clone();
            let name = format!("gate-{}-{n}", shared.options.name);
            match thread::Builder::new().name(name).stack_size(STACK).spawn(move || shared_too.run()) {
                Ok(thread) => threads.push(thread),
                Err(error) if threads.is_empty() => return Err(error),
                Err(error) => {
                    log::warn!("gate: only {n} of {wanted} threads could be started: {error}");
                    break;
                }
            }
        }
        shared.n_threads.store(threads.len(), Ordering::Release);
        Ok(Self { shared, threads })
    }

    pub fn name(&self) -> String {
        self.shared.listener.name()
    }

    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Whether tiny_http was found dead since the last call.
    pub fn finds_nobody(&self) -> bool {
        self.shared.missed.swap(false, Ordering::Relaxed)
    }

    /// Stops accepting. Requests under way are still answered.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until all threads have ended, but not past `deadline`. Returns whether they have.
    pub fn wait_until_idle(&self, deadline: Instant) -> bool {
        while Instant::now() < deadline {
            if self.threads.iter().all(JoinHandle::is_finished) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Sends a health request through this gate and tiny_http. Returns whether it was answered in time.
    pub fn is_alive(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let ask = || -> io::Result<bool> {
            let mut stream = self.shared.listener.connect(within)?;
            stream.write_by(
                b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                deadline,
            )?;
            let mut answer = [0; 12];
            let mut n = 0;
            while n < answer.len() {
                match stream.read_by(&mut answer[n..], deadline)? {
                    0 => return Ok(false),
                    more => n += more,
                }
            }
            Ok(answer == *b"HTTP/1.1 200")
        };
        ask().unwrap_or(false)
    }
}

impl Shared {
    fn run(&self) {
        let mut buffer = Vec::new();
        let mut told = false;
        while !self.stop.load(Ordering::Relaxed) {
            let accepted = {
                let _one = self.accepting.lock();
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                self.listener.accept()
            };
            match accepted {
                Ok(None) => {}
                Ok(Some(stream)) => {
                    told = false;
                    self.busy.fetch_add(1, Ordering::AcqRel);
                    let served = catch_unwind(AssertUnwindSafe(|| self.serve(stream, &mut buffer)));
                    self.busy.fetch_sub(1, Ordering::AcqRel);
                    if served.is_err() {
                        buffer = Vec::new();
                    }
                }
                // For example, the descriptor table is full. That passes.
                Err(error) => {
                    if !told {
                        log::error!("gate: failed to accept a connection: {error}");
                        told = true;
                    }
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    fn nobody_is_free(&self) -> bool {
        self.busy.load(Ordering::Acquire) >= self.n_threads.load(Ordering::Acquire)
    }

    /// A kept connection occupies a thread, so it's kept only while at least half of them are free.
    fn may_keep(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
            && self.busy.load(Ordering::Acquire) * 2 <= self.n_threads.load(Ordering::Acquire)
    }

    /// Serves one connection until one side closes it.
    fn serve(&self, mut stream: Stream, buffer: &mut Vec<u8>) {
        buffer.clear();
        let mut kept = false;
        loop {
            let outcome = self.one(&mut stream, buffer, kept);
            kept = true;
            match outcome {
                Ok(true) => {}
                Ok(false) => break,
                Err(End::Closed) => return,
                Err(End::Refused(reply)) => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    if stream.write_by(&render(&reply, false), Instant::now() + WRITE).is_ok() {
                        self.linger(&mut stream);
                    }
                    return;
                }
                // Everything that came was read, so the answer arrives without lingering.
                Err(End::Shed(reply)) => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    let _ = stream.write_by(&render(&reply, false), Instant::now() + WRITE);
                    return;
                }
            }
        }
        if !buffer.is_empty() {
            self.linger(&mut stream);
        }
        if buffer.capacity() > 4 * HEAD_LIMIT {
            *buffer = Vec::new();
        }
    }

    /// Answers one request. Returns whether the connection is kept.
    fn one(&self, stream: &mut Stream, buffer: &mut Vec<u8>, kept: bool) -> Result<bool, End> {
        let (end, began) = self.read_head(stream, buffer, kept)?;
        let bytes = buffer.get(..end).unwrap_or_default();
        let head = head::parse(bytes).map_err(|refusal| {
            let mut reply = refused(&refusal);
            if bytes.starts_with(b"HEAD ") {
                reply.body.clear();
            }
            End::Refused(reply)
        })?;
        buffer.drain(..end);
        let Some(claim) = self.options.budget.claim(head.length) else {
            return busy("too much is being received at this moment");
        };
        if head.expects_continue && buffer.len() < head.length {
            stream
                .write_by(b"HTTP/1.1 100 Continue\r\n\r\n", Instant::now() + WRITE)
                .map_err(|_| End::Closed)?;
        }
        self.read_body(stream, buffer, head.length, began)?;
        self.counts.passed.fetch_add(1, Ordering::Relaxed);
        let body = buffer.get(..head.length).unwrap_or_default();
        let reply = relay::connect(&self.options.inner, &self.missed)
            .and_then(|stream| relay::ask(stream, self.options.name, &head, body));
        buffer.drain(..head.length);
        drop(claim);
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                log::error!("gate: a request was not answered within the process: {error}");
                return busy("the service is busy");
            }
        };
        let keep = !head.close && self.may_keep();
        stream.write_by(&render(&reply, keep), Instant::now() + WRITE).map_err(|_| End::Closed)?;
        Ok(keep)
    }

    /// Reads until a head is complete. Returns where it ends, and when the request began.
    fn read_head(
        &self,
        stream: &mut Stream,
        buffer: &mut Vec<u8>,
        kept: bool,
    ) -> Result<(usize, Instant), End> {
        let mut began = Instant::now();
        let mut looked = 0;
        loop {
            let end = head::end_of_head(buffer, looked);
            looked = buffer.len();
            if end.map_or(looked >= HEAD_LIMIT, |end| end > HEAD_LIMIT) {
                let sentence = format!("the head of the request is longer than {HEAD_LIMIT} bytes");
                return refuse(431, sentence, SMALLER);
            }
            if let Some(end) = end {
                return Ok((end, began));
            }
            if !head::may_begin(buffer) {
                let sentence = "this is no HTTP request; TLS ends at the proxy in front of this service";
                return refuse(400, sentence, ITSELF);
            }
            // Most deliveries come whole with the first read.
            let mut chunk = [0; 16 << 10];
            let room = (HEAD_LIMIT + head::BODY_LIMIT - looked).min(chunk.len());
            let silence = match (buffer.is_empty(), kept) {
                (true, true) => Silence::Kept,
                (true, false) => Silence::New,
                (false, _) => Silence::Within,
            };
            match self.read_patiently(stream, &mut chunk[..room], began, silence) {
                Ok(0) | Err(Unread::Broken) => return Err(End::Closed),
                Ok(n) => {
                    // A kept connection's idle time doesn't count for its next request.
                    if buffer.is_empty() && kept {
                        began = Instant::now();
                    }
                    buffer.extend_from_slice(&chunk[..n]);
                }
                Err(_) if buffer.is_empty() => return Err(End::Closed),
                Err(unread) => return unread.refuse("the head of the request did not come in time"),
            }
        }
    }

    /// Reads until `length` bytes of a body are there. `request` is when its request began.
    fn read_body(
        &self,
        stream: &mut Stream,
        buffer: &mut Vec<u8>,
        length: usize,
        request: Instant,
    ) -> Result<(), End> {
        let silence = Silence::Body { request };
        let (began, mut chunk) = (Instant::now(), [0; 16 << 10]);
        while buffer.len() < length {
            let room = (length - buffer.len()).min(chunk.len());
            match self.read_patiently(stream, &mut chunk[..room], began, silence) {
                Ok(0) | Err(Unread::Broken) => return Err(End::Closed),
                Ok(n) => buffer.extend_from_slice(&chunk[..n]),
                Err(unread) => return unread.refuse("the body of the request did not come in time"),
            }
        }
        Ok(())
    }

    /// Reads, with less patience when others need it: while no thread is free, silent and slow connections end early,
    /// and while the process stops, silent ones do.
    fn read_patiently(
        &self,
        stream: &mut Stream,
        chunk: &mut [u8],
        began: Instant,
        silence: Silence,
    ) -> Result<usize, Unread> {
        let (wait, busy, stop) = match silence {
            Silence::Kept => (IDLE, BUSY_SILENCE, Duration::ZERO),
            Silence::New => (HEAD, BUSY_SILENCE, STOP_SILENCE),
            Silence::Within => (HEAD, BUSY_PAUSE, HEAD),
            Silence::Body { .. } => (BODY, BUSY_PAUSE, BODY),
        };
        let asked = Instant::now();
        loop {
            // Checked first: a peer that sends a byte now and then isn't silent, but slow.
            let slow = silence.request(began).is_some_and(|request| request.elapsed() >= BUSY_WHOLE);
            if (slow || asked.elapsed() >= busy) && self.nobody_is_free() {
                self.counts.shed.fetch_add(1, Ordering::Relaxed);
                return Err(Unread::Shed);
            }
            match stream.read_by(chunk, (Instant::now() + LOOK).min(began + wait)) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                read => return read.map_err(|_| Unread::Broken),
            }
            let waited = began.elapsed();
            if waited >= wait || waited >= stop && self.stop.load(Ordering::Relaxed) {
                return Err(Unread::Late);
            }
        }
    }

    /// Closes so that the peer can still read the answer. This is quicker while no thread is free.
    fn linger(&self, stream: &mut Stream) {
        stream.finish_writing();
        let began = Instant::now();
        let (mut heard, mut left, mut chunk) = (began, LINGER_BYTES, [0; 8192]);
        while left > 0 {
            match stream.read_by(&mut chunk, Instant::now() + LOOK) {
                Ok(0) => return,
                Ok(n) => (heard, left) = (Instant::now(), left.saturating_sub(n)),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                Err(_) => return,
            }
            let busy = self.nobody_is_free();
            let (most, silence) = if busy { (BUSY_WHOLE, LOOK) } else { (LINGER, LINGER_SILENCE) };
            if began.elapsed() >= most || heard.elapsed() >= silence {
                return;
            }
        }
    }
}

/// Where in its requests a connection is silent.
#[derive(Clone, Copy)]
enum Silence {
    /// Before its first byte, which may still be on its way when the process stops.
    New,
    /// Before a further request, which may never come.
    Kept,
    /// Within a head.
    Within,
    /// Within a body.
    Body {
        /// When its request began: a connection's first one when it was accepted, a later one with its first byte.
        request: Instant,
    },
}

impl Silence {
    /// When the request that is being read began, if there is one.
    fn request(self, began: Instant) -> Option<Instant> {
        match self {
            Silence::New | Silence::Kept => None,
            Silence::Within => Some(began),
            Silence::Body { request } => Some(request),
        }
    }
}

/// Why reading ended.
enum Unread {
    Broken,
    Late,
    /// The thread is needed for other connections.
    Shed,
}

impl Unread {
    fn refuse<T>(self, sentence: &str) -> Result<T, End> {
        let reply = refused(&Refusal { status: 408, sentence: sentence.into(), fix: LATE });
        Err(match self {
            Unread::Broken => End::Closed,
            Unread::Late => End::Refused(reply),
            Unread::Shed => End::Shed(reply),
        })
    }
}

/// Why a connection ends before a request was answered.
enum End {
    Closed,
    Refused(Reply),
    /// Refused because the thread is needed for other connections.
    Shed(Reply),
}

fn refuse<T>(status: u16, sentence: impl Into<String>, fix: &'static str) -> Result<T, End> {
    Err(End::Refused(refused(&Refusal { status, sentence: sentence.into(), fix })))
}

fn busy<T>(what: &str) -> Result<T, End> {
    refuse(503, what, "redeliver it in a moment")
}

fn refused(refusal: &Refusal) -> Reply {
    let body = serde_json::json!({ "status": "refused", "error": refusal.sentence, "fix": refusal.fix });
    let body = format!("{body}\n").into_bytes();
    let mut headers = vec![("content-type".into(), "application/json".into())];
    match refusal.status {
        405 => headers.push(("allow".into(), "GET, HEAD, POST".into())),
        503 => headers.push(("retry-after".into(), "5".into())),
        _ => {}
    }
    Reply { status: refusal.status, headers, length: body.len(), body }
}

fn render(reply: &Reply, keep: bool) -> Vec<u8> {
    let connection = if keep { "keep-alive" } else { "close" };
    let mut text = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\nconnection: {connection}\r\n\r\n", reply.length));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&reply.body);
    bytes
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Answer",
    }
}
