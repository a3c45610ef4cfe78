//! The control socket: commands beside a running service are run by it, with its credentials. The file's mode is the
//! authority: whoever may open the socket may decide.
//!
//! One command a connection: a line of JSON in, a line of JSON out. Lines are bounded and have deadlines.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::commands::{Bench, Command, Reply};
use crate::engine::Engine;
use crate::error::{Context, Error, Result};

/// No command is longer.
const LINE: u64 = 64 << 10;
/// How long either side waits for the other's line.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the service looks whether it is to stop.
const PERIOD: Duration = Duration::from_millis(200);

/// A Unix socket in a folder, by a path that fits into the 108 bytes of such an address however long the folder's is.
pub struct ShortPath {
    // The path below leads through this descriptor.
    _dir: fs::File,
    /// The socket's path for this process.
    pub path: PathBuf,
}

impl ShortPath {
    /// `name` in `dir`.
    pub fn new(dir: &Path, name: &str) -> io::Result<Self> {
        let dir = fs::File::open(dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()));
        Ok(Self { _dir: dir, path })
    }
}

/// The service's end.
pub struct Control {
    listener: UnixListener,
    path: ShortPath,
}

impl Control {
    /// Opens `control` in the state directory. The journal's lock is held, so one that is there is stale.
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

    /// Runs commands until `stop` is set and the thread is unparked. To be called on a thread of its own.
    pub fn run(&self, engine: &Engine, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Err(error) = serve(stream, engine) {
                        log::debug!("control: {error}");
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

fn serve(stream: UnixStream, engine: &Engine) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let line = read_line(&stream, Duration::from_secs(2))?;
    let reply = match serde_json::from_str::<Command>(&line) {
        Ok(command) => {
            log::info!("control: {}", serde_json::to_string(&command).unwrap_or_default());
            Bench { journal: &engine.journal, engine: Some(engine) }.run(&command)
        }
        Err(error) => Reply {
            err: format!("error: the service does not know this command: {error}\n"),
            exit: 1,
            ..Reply::default()
        },
    };
    write_line(&stream, &reply)
}

fn read_line(stream: &UnixStream, patience: Duration) -> io::Result<String> {
    stream.set_read_timeout(Some(patience))?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE * 64)).read_line(&mut line)?;
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

/// Has the running service carry out a command; `None` if no service runs on that state directory.
pub fn ask(state_dir: &Path, command: &Command) -> Result<Option<Reply>> {
    let what = || state_dir.join("control").display().to_string();
    let denied = |error: io::Error| {
        Error::failed(format!("failed to open `{}`", what()))
            .why(error)
            .fix("run the command as the service's user or as root")
    };
    let path = match ShortPath::new(state_dir, "control") {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(denied(error)),
        Err(_) => return Ok(None),
    };
    let stream = match UnixStream::connect(&path.path) {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(denied(error)),
        Err(_) => return Ok(None),
    };
    let asked = write_line(&stream, command).and_then(|()| read_line(&stream, PATIENCE));
    let line = asked.context("failed to have the running service carry out the command over", what())?;
    serde_json::from_str(&line).map(Some).context("failed to read the running service's answer over", what())
}
