//! Who asked for something: the process at the other end of the control socket, or this process.
//!
//! The user id comes from the kernel. So does the login's user id, which survives sudo, if the process is visible. A
//! sandboxed service cannot see other users' processes; it then keeps the command's own report, as a claim.

use std::fmt;
use std::fs;
use std::os::unix::net::UnixStream;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::config::Environment;
use crate::text::plain;

/// The user id that the kernel reports if it cannot map one into the service's user namespace.
const UNTRANSLATED: u32 = 65_534;
/// `/proc/PID/loginuid` of a process that no login started.
const NO_LOGIN: u32 = u32::MAX;
const NAME: usize = 64;

/// Who asked, for the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Actor {
    /// The process's user; absent where the service's sandbox hides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// That user's name, if the machine's own list of users has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Who logged in, before any sudo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_user: Option<String>,
    /// What the command reports about itself, unverified.
    #[serde(skip_serializing_if = "Claims::is_empty")]
    pub claimed: Claims,
}

/// What a command reports about the person who ran it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// `SUDO_USER`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    /// The user id of its login, as it reads it itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_uid: Option<u32>,
}

impl Claims {
    pub fn of_self(env: &Environment) -> Self {
        let sudo_user = env.get("SUDO_USER").filter(|name| !name.is_empty()).cloned();
        Self { sudo_user, login_uid: login_of("self") }.made_harmless()
    }

    /// Removes control characters, because these values go into a file and onto terminals.
    fn made_harmless(self) -> Self {
        Self { sudo_user: self.sudo_user.map(|name| plain(&name, NAME)), ..self }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Actor {
    /// The process at the other end, with what it claims.
    pub fn of_peer(stream: &UnixStream, claimed: Claims) -> Self {
        let Ok(peer) = rustix::net::sockopt::socket_peercred(stream) else {
            return Self { claimed: claimed.made_harmless(), ..Self::default() };
        };
        let uid = peer.uid.as_raw();
        let is_hidden = uid == UNTRANSLATED && !sees_all_users();
        // A process in another PID namespace has no process id here.
        let pid = Pid::as_raw(Some(peer.pid));
        let login_uid = (pid > 0).then(|| login_of(&pid.to_string())).flatten();
        Self::known((!is_hidden).then_some(uid), login_uid, claimed.made_harmless())
    }

    pub fn of_self(env: &Environment) -> Self {
        let uid = rustix::process::getuid().as_raw();
        Self::known(Some(uid), login_of("self"), Claims::of_self(env))
    }

    fn known(uid: Option<u32>, login_uid: Option<u32>, mut claimed: Claims) -> Self {
        // A claim that the kernel confirms is no longer a claim.
        claimed.login_uid = claimed.login_uid.filter(|claim| Some(*claim) != login_uid);
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let named = |uid: Option<u32>| uid.and_then(|uid| name_of(&users, uid));
        Self { uid, user: named(uid), login_uid, login_user: named(login_uid), claimed }
    }
}

/// The login's user id of a process, if it's visible.
fn login_of(process: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/loginuid")).ok()?;
    text.trim().parse().ok().filter(|uid| *uid != NO_LOGIN)
}

/// Whether this process's user namespace maps every user id of the machine.
fn sees_all_users() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| is_whole(&map))
}

fn is_whole(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The name of a user id in `users`, the contents of `/etc/passwd`.
fn name_of(users: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let mut lines = users.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| plain(name, NAME))
    })
}

impl fmt::Display for Actor {
    /// `root (uid 0), logged in as ana (uid 1000)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = |uid: u32, name: &Option<String>| match name {
            Some(name) => format!("{} (uid {uid})", plain(name, NAME)),
            None => format!("uid {uid}"),
        };
        match self.uid {
            Some(uid) => f.write_str(&user(uid, &self.user))?,
            None => f.write_str("a user that the service's sandbox hides")?,
        }
        if let Some(login) = self.login_uid {
            write!(f, ", logged in as {}", user(login, &self.login_user))?;
        }
        if let Some(login) = self.claimed.login_uid {
            write!(f, ", claims login uid {login}")?;
        }
        if let Some(name) = &self.claimed.sudo_user {
            write!(f, ", claims SUDO_USER {}", plain(name, NAME))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_the_names_of_the_machines_list() {
        let users = "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/home:/bin/sh\nbroken\n";
        assert_eq!(name_of(users, 0).as_deref(), Some("root"));
        assert_eq!(name_of(users, 1000).as_deref(), Some("ana"));
        assert_eq!(name_of(users, 10), None);
    }

    #[test]
    fn a_namespace_that_hides_users_is_told_from_one_that_does_not() {
        assert!(is_whole("         0          0 4294967295\n"));
        // The map that systemd's PrivateUsers= sets up.
        assert!(!is_whole("         0          0          1\n     61184      61184          1\n"));
    }

    #[test]
    fn what_is_claimed_is_told_as_a_claim() {
        let claimed = Claims { sudo_user: Some("ana\u{1b}[31m".into()), login_uid: Some(1000) };
        let seen = Actor::known(Some(0), Some(1000), claimed.clone().made_harmless());
        assert_eq!((seen.claimed.login_uid, seen.login_uid), (None, Some(1000)));
        let hidden = Actor { uid: None, ..Actor::known(None, None, claimed.made_harmless()) };
        let told = "a user that the service's sandbox hides, claims login uid 1000, claims SUDO_USER ana[31m";
        assert_eq!(hidden.to_string(), told);
        let json = serde_json::to_string(&hidden).unwrap();
        assert_eq!(json, r#"{"claimed":{"sudo_user":"ana[31m","login_uid":1000}}"#);
        assert_eq!(serde_json::from_str::<Actor>(&json).unwrap(), hidden);
    }

    #[test]
    fn the_other_end_of_a_socket_is_known_by_the_kernel() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Actor::of_peer(&one, Claims::default());
        let own = Actor::of_self(&Environment::new());
        assert_eq!((peer.uid, peer.login_uid), (own.uid, own.login_uid));
    }
}
