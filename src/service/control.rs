//! The control socket: a running service runs commands for other processes, with its own credentials. The file's mode
//! is the authority: anyone who can open the socket may decide.
//!
//! One command per connection: a line of JSON in; lines of progress, pieces of a long answer and, at the end, the reply
//! out. Lines have a maximum length, and each read and write has a timeout.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::commands::{Bench, Command, Live, Output, Reply};
use crate::error::{Context, Error, Result};
use crate::reconcile::Progress;
use crate::service::core::Core;
use crate::store::actor::{Actor, Claims};
use crate::store::interrupted::retried;

/// The longest line in bytes. A saved plan of the largest organisation is about 30 MiB.
const LINE: u64 = 64 << 20;
/// How long either side waits for the other. A service that works on a command reports progress now and then.
const PATIENCE: Duration = Duration::from_secs(600);
/// How many commands that ask GitHub and Sentry can run at once.
const AT_ONCE: usize = 4;
/// How many commands of all kinds: an operator who wants to stop everything must not wait for comparisons.
const CONNECTIONS: usize = 16;
/// How often the service looks for a command, and whether to stop.
const PERIOD: Duration = Duration::from_millis(200);

/// A path to a Unix socket in a folder. It fits into the 108 bytes of a socket address, however long the folder's is.
pub struct ShortPath {
    // The path below goes through this descriptor.
    _dir: fs::File,
    /// The socket's path for this process.
    pub path: PathBuf,
}

impl ShortPath {
    pub fn new(dir: &Path, name: &str) -> io::Result<Self> {
        let dir = fs::File::open(dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()));
        Ok(Self { _dir: dir, path })
    }
}

pub struct Control {
    listener: UnixListener,
    path: ShortPath,
}

impl Control {
    /// Opens `control` in the state directory. The state directory's lock is held, so an existing socket is stale.
    pub fn open(state_dir: &Path) -> Result<Self> {
        let what = || state_dir.join("control").display().to_string();
        let path = ShortPath::new(state_dir, "control").context("failed to open", what())?;
        let _ = fs::remove_file(&path.path);
        let listener = UnixListener::bind(&path.path).context("failed to make the control socket", what())?;
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&path.path, mode).context("failed to set the mode of", what())?;
        listener.set_nonblocking(true).context("failed to prepare", what())?;
        Ok(Self { listener, path })
    }

    /// Runs commands until `stop` is set and the thread is unparked. Must be called on a thread of its own.
    pub fn run(&self, core: &Arc<Core>, stop: &AtomicBool) {
        let (connected, busy) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        while !stop.load(Ordering::Relaxed) {
            match self.listener.accept() {
                // Each gets a thread: a long one must not delay others, such as `status`.
                Ok((stream, _)) => {
                    let Some(connection) = Busy::new(&connected, CONNECTIONS) else {
                        let _ = write_line(&stream, &Line::Reply(Reply::failed(BUSY)));
                        continue;
                    };
                    let (core, busy) = (core.clone(), busy.clone());
                    let work = move || {
                        let _connection = connection;
                        if let Err(error) = serve(&stream, &core, &busy) {
                            say!(log::Level::Debug, "control: {error}");
                        }
                    };
                    if let Err(error) = std::thread::Builder::new().name("command".into()).spawn(work) {
                        log::warn!("control: no thread could be started: {error}");
                    }
                }
                Err(_) => std::thread::park_timeout(PERIOD),
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path.path);
    }
}

/// The reply to one command too many.
const BUSY: &str = "the service is busy with other commands; try again when one of them has ended";

/// One of a limited number of places, given back when dropped.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    /// Takes a place, unless `most` are taken.
    fn new(busy: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let more = |n: usize| (n < most).then_some(n + 1);
        busy.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Self(busy.clone()))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the service sends back over the socket.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The progress so far.
    Talk(String),
    /// A piece of an answer that may be long.
    Out(String),
    Reply(Reply),
}

fn serve(stream: &UnixStream, core: &Core, busy: &Arc<AtomicUsize>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let mut lines = BufReader::new(stream);
    let line = read_line(&mut lines, Duration::from_secs(10))?;
    let reply = match serde_json::from_slice::<Command>(line.as_bytes()) {
        Ok(command) => {
            let place = command.asks_hosts().then(|| Busy::new(busy, AT_ONCE));
            let Caller { caller } = serde_json::from_slice(line.as_bytes()).unwrap_or_default();
            match &place {
                Some(None) => Reply::failed(BUSY),
                _ => carry_out(stream, core, &command, Actor::of_peer(stream, caller)),
            }
        }
        Err(error) => Reply::failed(format_args!("the service does not know this command: {error}")),
    };
    write_line(stream, &Line::Reply(reply))
}

/// Sent along with a command. An older service ignores it, and an older command doesn't send it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Caller {
    caller: Claims,
}

fn with_caller(command: &Command, caller: Claims) -> io::Result<serde_json::Value> {
    let mut line = serde_json::to_value(command)?;
    if let (Some(line), serde_json::Value::Object(caller)) =
        (line.as_object_mut(), serde_json::to_value(Caller { caller })?)
    {
        line.extend(caller);
    }
    Ok(line)
}

fn carry_out(stream: &UnixStream, core: &Core, command: &Command, by: Actor) -> Reply {
    log::info!("control: {} by {by}", command.name());
    // The client may be gone. The command continues all the same.
    let talk = |text: &str| drop(write_line(stream, &Line::Talk(text.into())));
    let out = |text: &str| write_line(stream, &Line::Out(text.into()));
    let (mirror, around) = (core.mirror(), core.around());
    let live = Some(Live { observer: &core.observer, around: &around });
    let bench = Bench { journal: &mirror.journal, settings: mirror.settings(), live, out: &out, by };
    let reply = bench.run(command, &talk);
    mirror.tell_ended_holds();
    reply
}

fn read_line(lines: &mut BufReader<&UnixStream>, patience: Duration) -> io::Result<String> {
    lines.get_ref().set_read_timeout(Some(patience))?;
    let mut line = String::new();
    lines.take(LINE).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line)
}

fn write_line(mut stream: &UnixStream, value: &impl serde::Serialize) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// A running service, as a command sees it.
pub struct Running {
    stream: UnixStream,
    /// The socket's path, for errors.
    socket: String,
}

impl Running {
    /// The service that runs on a state directory; `None` if there is none.
    pub fn find(state_dir: &Path) -> Result<Option<Self>> {
        let socket = state_dir.join("control").display().to_string();
        let connected =
            ShortPath::new(state_dir, "control").and_then(|path| retried(|| UnixStream::connect(&path.path)));
        match connected {
            Ok(stream) => Ok(Some(Self { stream, socket })),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(Error::failed(format!("failed to open `{socket}`"))
                    .why(error)
                    .fix("run the command as the service's user or as root"))
            }
            Err(_) => Ok(None),
        }
    }

    /// Has the service carry out a command. `caller` is what this process reports about the person who ran it.
    pub fn ask(&self, command: &Command, caller: Claims, progress: Progress, out: Output) -> Result<Reply> {
        let asked = || -> io::Result<Reply> {
            write_line(&self.stream, &with_caller(command, caller)?)?;
            let mut lines = BufReader::new(&self.stream);
            loop {
                match serde_json::from_slice(read_line(&mut lines, PATIENCE)?.as_bytes())? {
                    Line::Talk(text) => progress(&text),
                    // The reader that closed the pipe has read enough.
                    Line::Out(text) if out(&text).is_err() => return Ok(Reply::default()),
                    Line::Out(_) => {}
                    Line::Reply(reply) => return Ok(reply),
                }
            }
        };
        asked().context("failed to have the running service carry out the command over", &self.socket)
    }
}
