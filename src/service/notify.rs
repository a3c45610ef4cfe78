//! Messages to systemd: `READY=1`, `STOPPING=1`, `WATCHDOG=1`. Without systemd, nothing is sent.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::config::Environment;
use crate::store::interrupted::retried;

/// Where to send messages, and systemd's watchdog timeout.
pub struct Notify {
    to: Option<SocketAddr>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// From `NOTIFY_SOCKET` (a path, or `@` and an abstract name), `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn new(env: &Environment) -> Self {
        let to = env.get("NOTIFY_SOCKET").filter(|name| !name.is_empty()).and_then(|name| {
            let bytes = std::ffi::OsStr::new(name).as_bytes();
            match bytes.strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name).ok(),
                None => SocketAddr::from_pathname(name).ok(),
            }
        });
        let ours = env.get("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let usec =
            env.get("WATCHDOG_USEC").and_then(|usec| usec.parse().ok()).filter(|usec| ours && *usec > 0);
        Self { to, watchdog: usec.map(Duration::from_micros) }
    }

    /// How often to send a sign of life: half of the time that systemd waits.
    pub fn watchdog_period(&self) -> Option<Duration> {
        self.to.as_ref().and(self.watchdog).map(|wait| wait / 2)
    }

    /// Sends one message. If systemd cannot be reached, that is logged and the service continues.
    pub fn send(&self, message: &str) {
        let Some(to) = &self.to else { return };
        let sent = || -> io::Result<usize> {
            let from = UnixDatagram::unbound()?;
            retried(|| from.send_to_addr(message.as_bytes(), to))
        };
        if let Err(error) = sent() {
            log::warn!("failed to notify systemd of {message}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_at_an_abstract_socket() {
        let name = format!("notify-{}", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name).unwrap();
        let there = UnixDatagram::bind_addr(&addr).unwrap();
        let env = [("NOTIFY_SOCKET", format!("@{name}")), ("WATCHDOG_USEC", "30000000".into())];
        let notify = Notify::new(&env.map(|(name, value)| (name.to_string(), value)).into());
        notify.send("READY=1");
        let mut buffer = [0; 32];
        let n = retried(|| there.recv(&mut buffer)).unwrap();
        assert_eq!(&buffer[..n], b"READY=1");
        assert_eq!(notify.watchdog_period(), Some(Duration::from_secs(15)));
    }

    #[test]
    fn without_systemd_nothing_is_sent() {
        let notify = Notify::new(&Environment::new());
        notify.send("READY=1");
        assert_eq!(notify.watchdog_period(), None);
    }
}
