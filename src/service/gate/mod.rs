//! What stands between outside bytes and tiny_http.
//!
//! tiny_http has no limits and no timeouts, and one anonymous request can end it. A fixed number of threads accepts
//! connections here, reads each request whole under absolute deadlines and byte limits, and only then hands it on.
//! No read without a deadline, no buffer without a limit; the number of threads is the number of connections.

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

/// A whole head comes within this time, the first byte included.
const HEAD: Duration = Duration::from_secs(5);
/// A whole body comes within this time. GitHub itself gives up after 10 s.
const BODY: Duration = Duration::from_secs(10);
/// An answer is taken within this time.
const WRITE: Duration = Duration::from_secs(5);
/// How long a kept connection may be idle.
const IDLE: Duration = Duration::from_secs(5);
/// While no thread is free: how long a connection may be silent before its first byte,
const BUSY_SILENCE: Duration = Duration::from_millis(50);
/// how long within a request, be it head or body: a thousand such connections are sent away within 1.2 s,
const BUSY_PAUSE: Duration = Duration::from_millis(75);
/// and how long the whole request may take.
const BUSY_WHOLE: Duration = Duration::from_millis(500);
/// How often a thread that waits looks whether others do.
const LOOK: Duration = Duration::from_millis(25);
/// When the process stops: how long a new connection may still be silent.
const STOP_SILENCE: Duration = Duration::from_millis(500);
/// After a refusal, so much of what is still coming is read, for so long, that the peer sees the answer, not a reset. A
/// proxy passes on what is a little too long, and makes a 502 of a reset in the middle of it.
const LINGER_BYTES: usize = 2 * head::BODY_LIMIT;
const LINGER: Duration = Duration::from_secs(3);
/// And no longer than this once nothing comes.
const LINGER_SILENCE: Duration = Duration::from_millis(500);
/// The fix of what comes too slowly.
const LATE: &str = "look at the network and the proxy in front, then redeliver it";
/// The stack of a gate's thread: parsing and copying need little.
const STACK: usize = 256 << 10;

pub struct Gate {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What a gate is to be like.
pub struct Options {
    /// `public` or `admin`: told to whoever answers.
    pub name: &'static str,
    /// How many connections at once.
    pub threads: usize,
    pub inner: PathBuf,
    /// Bytes of bodies at once, over all gates.
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
    /// As they are now.
    pub fn now(&self) -> AtGate {
        let [passed, refused, shed] =
            [&self.passed, &self.refused, &self.shed].map(|count| count.load(Ordering::Relaxed));
        AtGate { passed, refused, shed }
    }
}

struct Shared {
    options: Options,
    listener: Listener,
    /// Only one thread waits in `accept`: the others cost neither wake-ups nor descriptors.
    accepting: Mutex<()>,
    busy: AtomicUsize,
    /// How many there are to be busy: as many as asked for, unless the system refused some.
    n_threads: AtomicUsize,
    stop: AtomicBool,
    /// Nobody listened on tiny_http's socket.
    missed: AtomicBool,
    counts: Counts,
}

/// Bytes that may still be taken.
pub struct Budget(AtomicUsize);

/// Bytes that were taken, given back when dropped.
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
    /// Starts the threads. Fewer than asked for are enough to go on with; none is an error.
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

    /// Whether nobody was found behind it since it was last asked: tiny_http has died.
    pub fn finds_nobody(&self) -> bool {
        self.shared.missed.swap(false, Ordering::Relaxed)
    }

    /// Stops accepting. Connections that are being answered go on.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until everybody is answered, at the most until `deadline`; whether that was so.
    pub fn wait_until_idle(&self, deadline: Instant) -> bool {
        while Instant::now() < deadline {
            if self.threads.iter().all(JoinHandle::is_finished) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// A request of the health path through this gate and tiny_http: whether it came back in time.
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
                // The descriptor table is full, say: that passes.
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

    /// A kept connection occupies a thread: only while most are free.
    fn may_keep(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
            && self.busy.load(Ordering::Acquire) * 2 <= self.n_threads.load(Ordering::Acquire)
    }

    /// One connection, until one side closes it.
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
                // All that came was read, so the answer arrives without waiting for anything.
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

    /// One request and its answer; whether the connection is kept.
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

    /// Reads until a head is complete; where it ends, and when the request began.
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
                    // How long a kept connection was idle does not count as its next request's time.
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

    /// Reads until `length` bytes are there of a body whose request began then.
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

    /// Reads with an eye on the others: while nobody is free, the silent and the slow have to go. So have the silent
    /// when the process stops.
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
            // Looked at first: whoever sends a byte now and then is not silent, but slow.
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

    /// Closes so that the peer can still read the answer; not for long while others wait for this thread.
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

/// What a connection is silent before.
#[derive(Clone, Copy)]
enum Silence {
    /// Its first byte. When the process stops, it may still be on its way.
    New,
    /// A further request, which may never come.
    Kept,
    /// The rest of a head.
    Within,
    /// The rest of a body whose request began then.
    Body {
        /// With the first byte of its head.
        request: Instant,
    },
}

impl Silence {
    /// When the request began that is being read, if one is.
    fn request(self, began: Instant) -> Option<Instant> {
        match self {
            Silence::New | Silence::Kept => None,
            Silence::Within => Some(began),
            Silence::Body { request } => Some(request),
        }
    }
}

/// Why there is nothing more to read.
enum Unread {
    Broken,
    Late,
    /// Others need the thread more.
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
    /// Refused by somebody who is needed elsewhere.
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
