//! TCP and Unix listeners and connections: binding, inheriting from systemd, accepting so that it can be stopped.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::values::Listen;
use crate::config::Environment;
use crate::error::{Context, Error, Result};
use crate::store::interrupted::retried;

/// How many connections the kernel queues; std's own 128 overflow in a burst, and a client then waits a second.
const BACKLOG: i32 = 1024;
/// How long `accept` waits at a time, so that its caller can check whether the process stops.
const ACCEPT: Duration = Duration::from_millis(200);

pub enum Listener {
    Tcp(TcpListener),
    /// A Unix socket, and its path if this process made it. The path is removed at the end.
    Unix(UnixListener, Option<PathBuf>),
}

pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Binds a configured address. `mode` is for Unix sockets.
pub fn bind(listen: &Listen, mode: u32) -> Result<Listener> {
    let listener = match listen {
        Listen::Tcp(addr) => {
            let what = || Error::failed(format!("failed to listen on `{addr}`"));
            let tcp = TcpListener::bind(addr).map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => what().why("the address is in use").fix(
                    "stop the other program, or set SYNC_LISTEN or SYNC_ADMIN_LISTEN to another address",
                ),
                _ => what().why(error),
            })?;
            Listener::Tcp(tcp)
        }
        Listen::Unix(path) => {
            remove_stale(path)?;
            let unix = UnixListener::bind(path).context("failed to listen on", path.display())?;
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(path, permissions).context("failed to set the mode of", path.display())?;
            Listener::Unix(unix, Some(path.clone()))
        }
    };
    listener.prepare().context("failed to prepare the listener on", listen)?;
    Ok(listener)
}

/// Removes a socket on which no process listens: the one that made it has ended.
fn remove_stale(path: &Path) -> Result<()> {
    match retried(|| UnixStream::connect(path)) {
        Ok(_) => Err(Error::failed(format!("another process listens on `{}`", path.display()))
            .fix("stop it, or name another path")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            // An ordinary file refuses connections too.
            if fs::symlink_metadata(path).is_ok_and(|there| !there.file_type().is_socket()) {
                return Err(Error::failed(format!("`{}` exists and is not a socket", path.display()))
                    .fix("name a path where a socket can be made"));
            }
            fs::remove_file(path).context("failed to remove the stale socket", path.display())
        }
        Err(_) => Ok(()),
    }
}

/// The sockets that systemd passes, in its order: the public one first. Empty if there are none for this process. Must
/// be called once, before any thread starts.
#[allow(unsafe_code)]
pub fn inherited(env: &Environment) -> Result<Vec<Listener>> {
    use std::os::fd::FromRawFd;
    let ours = env.get("LISTEN_PID").and_then(|pid| pid.parse().ok()) == Some(std::process::id());
    let n: i32 = env.get("LISTEN_FDS").and_then(|n| n.parse().ok()).filter(|_| ours).unwrap_or(0);
    ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].iter().for_each(|name| std::env::remove_var(name));
    let mut listeners = Vec::new();
    for fd in 3..3 + n.clamp(0, 16) {
        // SAFETY: by systemd's protocol, descriptors 3 to 3+n-1 are for this very process. No other code has opened or
        // taken them, because this runs once, before everything else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let name = rustix::net::getsockname(&fd).context("failed to use the inherited socket", "systemd")?;
        let listener = match name.address_family() {
            rustix::net::AddressFamily::UNIX => Listener::Unix(fd.into(), None),
            _ => Listener::Tcp(fd.into()),
        };
        listener.prepare().context("failed to prepare the inherited socket", listener.name())?;
        listeners.push(listener);
    }
    Ok(listeners)
}

impl Listener {
    /// Sets a timeout, which makes `accept` return now and then. The listener must not be shut down instead: it may be
    /// systemd's, and the next process may use it.
    fn prepare(&self) -> io::Result<()> {
        let fd = match self {
            Listener::Tcp(tcp) => tcp.as_fd(),
            Listener::Unix(unix, _) => unix.as_fd(),
        };
        rustix::net::listen(fd, BACKLOG)?;
        rustix::net::sockopt::set_socket_timeout(fd, rustix::net::sockopt::Timeout::Recv, Some(ACCEPT))?;
        Ok(())
    }

    /// The next connection; `None` if none came for a moment.
    pub fn accept(&self) -> io::Result<Option<Stream>> {
        let accepted = match self {
            Listener::Tcp(tcp) => tcp.accept().map(|(stream, _)| {
                let _ = stream.set_nodelay(true);
                Stream::Tcp(stream)
            }),
            Listener::Unix(unix, _) => unix.accept().map(|(stream, _)| Stream::Unix(stream)),
        };
        match accepted {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(None),
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Where it listens, for people.
    pub fn name(&self) -> String {
        match self {
            Listener::Tcp(tcp) => tcp.local_addr().map_or_else(|_| "?".into(), |addr| addr.to_string()),
            Listener::Unix(unix, _) => {
                let addr = unix.local_addr().ok();
                let path =
                    addr.as_ref().and_then(|addr| addr.as_pathname()).map(|path| path.display().to_string());
                format!("unix:{}", path.unwrap_or_default())
            }
        }
    }

    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Listener::Tcp(tcp) => tcp.local_addr().is_ok_and(|addr| addr.ip().is_loopback()),
            Listener::Unix(..) => true,
        }
    }

    /// Connects to itself, for the watchdog.
    pub fn connect(&self, timeout: Duration) -> io::Result<Stream> {
        match self {
            Listener::Tcp(tcp) => {
                let mut addr = tcp.local_addr()?;
                if addr.ip().is_unspecified() {
                    match addr {
                        SocketAddr::V4(_) => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
                        SocketAddr::V6(_) => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
                    }
                }
                TcpStream::connect_timeout(&addr, timeout).map(Stream::Tcp)
            }
            Listener::Unix(unix, _) => {
                let addr = unix.local_addr()?;
                retried(|| UnixStream::connect_addr(&addr)).map(Stream::Unix)
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix(_, Some(path)) = self {
            let _ = fs::remove_file(path);
        }
    }
}

impl Stream {
    /// Reads once. Waits for bytes until `deadline`, then fails.
    pub fn read_by(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        until(deadline, |left| match self {
            Stream::Tcp(tcp) => tcp.set_read_timeout(Some(left)).and_then(|()| tcp.read(buffer)),
            Stream::Unix(unix) => unix.set_read_timeout(Some(left)).and_then(|()| unix.read(buffer)),
        })
    }

    /// Writes everything before `deadline`, or fails.
    pub fn write_by(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = until(deadline, |left| match self {
                Stream::Tcp(tcp) => tcp.set_write_timeout(Some(left)).and_then(|()| tcp.write(bytes)),
                Stream::Unix(unix) => unix.set_write_timeout(Some(left)).and_then(|()| unix.write(bytes)),
            })?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = bytes.get(n..).unwrap_or_default();
        }
        Ok(())
    }

    /// Closes the writing side, so that the peer sees the end.
    pub fn finish_writing(&self) {
        let _ = match self {
            Stream::Tcp(tcp) => tcp.shutdown(Shutdown::Write),
            Stream::Unix(unix) => unix.shutdown(Shutdown::Write),
        };
    }
}

/// Reads or writes once in the time left. A timeout is always `TimedOut`, whatever the system calls it.
fn until(deadline: Instant, mut call: impl FnMut(Duration) -> io::Result<usize>) -> io::Result<usize> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match call(left) {
            // Linux reports the timeout of a socket as EAGAIN.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
