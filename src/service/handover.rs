//! Warns if a service starts without the state that a first `sync --apply` left where it was run.
//!
//! Only a state directory records which Sentry team belongs to which GitHub team. A service with another one takes its
//! own teams for somebody else's. It rightly holds them, but a person who approves that hold loses the record.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{getgid, getuid};

use crate::commands::paste::{absolute, is_same, needs_sudo, quoted};
use crate::config::{Environment, PACKAGED_STATE_DIR};
use crate::service::control::Running;
use crate::text::counted;

/// The folder that a state directory has once it was used.
const JOURNAL: &str = "journal";

/// The message after a command has made the first bindings: where they are, and how to give them to a service. `None`
/// if a service looks there anyway.
pub fn after_first_bonds(dir: &Path, env: &Environment) -> Option<String> {
    if is_same(dir, Path::new(PACKAGED_STATE_DIR)) || env.contains_key("STATE_DIRECTORY") {
        return None;
    }
    let is_root = getuid().is_root() && !env.contains_key("SUDO_UID");
    let (sudo, dir) = (if is_root { "" } else { "sudo " }, absolute(dir));
    let word = quoted(&dir.to_string_lossy());
    Some(format!(
        "which Sentry team belongs to which GitHub team is kept in `{}`; a service that begins without it takes these \
         teams for somebody else's\n  \
         to hand it to the systemd service, before that is started for the first time (systemd gives it to the service's \
         user): {sudo}mv -T {word} {PACKAGED_STATE_DIR}\n  \
         to hand it to another service: start that with SYNC_STATE_DIR={word}\n",
        dir.display()
    ))
}

/// A service that a state directory may be handed over to.
#[derive(Debug)]
pub struct Heir {
    dir: PathBuf,
    /// The systemd units to stop and start, if they are ours.
    units: Option<String>,
    /// Whether a service manager gives the folder to the service's user.
    is_managed: bool,
    /// State where commands leave it, if it isn't this service's.
    left: Option<PathBuf>,
    was_told: AtomicBool,
}

impl Heir {
    /// This process, as a service.
    pub fn new(dir: &Path, env: &Environment) -> Self {
        let state_directory = env.get("STATE_DIRECTORY");
        // Where a command leaves it if run in the same folder. Not if another service uses that state.
        let left = Some(Path::new("state")).filter(|left| left.join(JOURNAL).is_dir() && !is_same(left, dir));
        let left = left.filter(|left| matches!(Running::find(left), Ok(None)));
        // The real path: moving a symbolic link aside would not replace the folder behind it.
        let real = dir.canonicalize().unwrap_or_else(|_| absolute(dir));
        let units = real.file_name().filter(|_| state_directory.is_some());
        Self {
            units: units.and_then(|name| units_of(&name.to_string_lossy())),
            is_managed: state_directory.is_some(),
            left: left.map(absolute),
            dir: real,
            was_told: AtomicBool::new(false),
        }
    }

    /// The warning at the start, while nothing was ever compared: only if such a state was found.
    pub fn at_start(&self) -> Option<String> {
        let left = self.left.as_ref()?;
        let said = format!(
            "the state directory is new, and there is a state in `{}`, where commands leave it",
            left.display()
        );
        self.once(&said)
    }

    /// The warning when the first comparison finds teams to adopt.
    pub fn at_adoptions(&self, n: usize) -> Option<String> {
        let has = counted(
            n,
            "Sentry team has the name of a GitHub team",
            "Sentry teams have the names of GitHub teams",
        );
        self.once(&format!(
            "the state directory is new, and {has}: if `sync --apply` created them, its state is in the folder that it \
             named, `./state` where it was run"
        ))
    }

    fn once(&self, said: &str) -> Option<String> {
        let is_first = !self.was_told.swap(true, Ordering::Relaxed);
        is_first.then(|| {
            format!("{said}; to continue with that state, before you approve anything: {}", self.commands())
        })
    }

    /// The commands that put the other state in the place of this service's.
    fn commands(&self) -> String {
        let uid = getuid().as_raw();
        let is_root_needed = needs_sudo(uid, self.is_managed);
        let sudo = if is_root_needed { "sudo " } else { "" };
        let from = self.left.as_ref().map_or("FOLDER".into(), |left| quoted(&left.to_string_lossy()));
        let (dir, aside) = (self.dir.to_string_lossy(), format!("{}.new", self.dir.display()));
        let (dir, aside) = (quoted(&dir), quoted(&aside));
        let moves = format!("{sudo}mv -T {dir} {aside} && {sudo}mv -T {from} {dir}");
        match &self.units {
            Some(units) => {
                format!("sudo systemctl stop {units} && {moves} && sudo systemctl start {units}")
            }
            // A service manager would change the owner at the start.
            None if is_root_needed && !self.is_managed => {
                let owner = format!("{uid}:{}", getgid().as_raw());
                format!("stop the service, then {moves} && sudo chown -R {owner} {dir}, and start it again")
            }
            None => format!("stop the service, then {moves}, and start it again"),
        }
    }
}

/// Our units, by the name of their state directory.
fn units_of(name: &str) -> Option<String> {
    let instance = name.strip_prefix("sentry-team-sync")?;
    let unit = match instance.strip_prefix('-') {
        Some(instance) if !instance.is_empty() => format!("sentry-team-sync@{instance}"),
        _ if instance.is_empty() => name.to_string(),
        _ => return None,
    };
    Some(format!("{unit}.socket {unit}.service"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heir(dir: &str, env: &[(&str, &str)]) -> Heir {
        let env = env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Heir::new(Path::new(dir), &env)
    }

    #[test]
    fn a_service_of_a_unit_names_its_units_and_leaves_the_owner_to_systemd() {
        let dir = "/var/lib/private/sentry-team-sync-acme";
        let told = heir(dir, &[("STATE_DIRECTORY", dir)]).commands();
        let units = "sentry-team-sync@acme.socket sentry-team-sync@acme.service";
        let (stop, start) =
            (format!("sudo systemctl stop {units} && "), format!(" && sudo systemctl start {units}"));
        assert!(told.starts_with(&stop) && told.ends_with(&start), "{told}");
        assert!(told.contains(&format!("mv -T FOLDER {dir}")) && !told.contains("chown"), "{told}");
        assert_eq!(units_of("sentry-team-sync").unwrap(), "sentry-team-sync.socket sentry-team-sync.service");
        assert_eq!((units_of("mirror"), units_of("sentry-team-syncs")), (None, None));
    }

    #[test]
    fn it_is_told_once() {
        let heir = heir("/srv/mirror", &[]);
        let told = heir.at_adoptions(2).unwrap();
        assert!(told.contains("2 Sentry teams have the names of GitHub teams"), "{told}");
        assert!(told.contains("mv -T /srv/mirror /srv/mirror.new"), "{told}");
        assert_eq!(heir.at_adoptions(2), None);
    }

    #[test]
    fn what_lies_where_a_service_looks_needs_no_word() {
        let env = |name: &str| Environment::from([(name.to_string(), "1".to_string())]);
        assert_eq!(after_first_bonds(Path::new(PACKAGED_STATE_DIR), &Environment::new()), None);
        assert_eq!(after_first_bonds(Path::new("/x"), &env("STATE_DIRECTORY")), None);
        let told = after_first_bonds(Path::new("/home/a b/state"), &env("SUDO_UID")).unwrap();
        assert!(told.contains("sudo mv -T '/home/a b/state' /var/lib/sentry-team-sync\n"), "{told}");
    }
}
