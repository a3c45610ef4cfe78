//! Keeps a state directory its owner's, even if root used it while no service was running.
//!
//! Operators run commands as root. While the service is stopped, the files that a command makes would be root's, and
//! the service could not write to them later: a service manager leaves a folder alone that already has the right owner.
//!
//! The owner isn't trusted, and may put anything into the folder meanwhile. So no link is followed, and only folders
//! that root owns, and files that root owns and that have no other hard link, change hands.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{fchown, openat, Dir, Gid, Mode, OFlags, Uid, CWD};
use rustix::io::Errno;
use rustix::process::geteuid;

/// How many levels of subfolders are entered; the state directory has one.
const DEPTH: usize = 2;

/// Gives a state directory's owner the files that root made in it. Does nothing unless root runs it.
pub fn give_back(dir: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let folder = match openat(CWD, dir, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(folder) => File::from(folder),
        // There's no state directory.
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let owner = folder.metadata()?;
    match owner.uid() {
        0 => Ok(()),
        uid => give(&folder.into(), (Uid::from_raw(uid), Gid::from_raw(owner.gid())), DEPTH),
    }
}

fn give(folder: &OwnedFd, owner: (Uid, Gid), depth: usize) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        // A symbolic link, a socket, or removed meanwhile: not ours.
        let Ok(found) = openat(folder, name, how, Mode::empty()) else { continue };
        let found = File::from(found);
        let meta = found.metadata()?;
        let is_ours = meta.uid() == 0 && (meta.is_dir() || meta.is_file() && meta.nlink() == 1);
        if is_ours {
            fchown(&found, Some(owner.0), Some(owner.1))?;
        }
        if meta.is_dir() && depth > 0 {
            give(&found.into(), owner, depth - 1)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{chown, symlink};

    #[test]
    fn only_what_root_has_made_there_changes_hands() {
        if !geteuid().is_root() {
            eprintln!("skipped: only root may give anything away");
            return;
        }
        let dir = std::env::temp_dir().join(format!("owner-{}", std::process::id()));
        let state = dir.join("state");
        fs::create_dir_all(state.join("journal")).unwrap();
        for file in ["elsewhere", "linked", "state/lock", "state/journal/1.log", "state/theirs"] {
            fs::write(dir.join(file), "").unwrap();
        }
        symlink(dir.join("elsewhere"), state.join("link")).unwrap();
        fs::hard_link(dir.join("linked"), state.join("hard")).unwrap();
        chown(state.join("theirs"), Some(61_185), Some(61_185)).unwrap();
        let owner = |file: &str| {
            let meta = fs::symlink_metadata(dir.join(file)).unwrap();
            (meta.uid(), meta.gid())
        };
        // A folder that belongs to root stays root's.
        give_back(&state).unwrap();
        assert_eq!(owner("state/lock"), (0, 0));
        chown(&state, Some(61_184), Some(61_186)).unwrap();
        give_back(&state).unwrap();
        for given in ["state/lock", "state/journal", "state/journal/1.log"] {
            assert_eq!(owner(given), (61_184, 61_186), "{given}");
        }
        for left in ["elsewhere", "linked", "state/link"] {
            assert_eq!(owner(left), (0, 0), "{left}");
        }
        assert_eq!(owner("state/theirs"), (61_185, 61_185));
        fs::remove_dir_all(&dir).unwrap();
        give_back(&state).unwrap();
    }
}
