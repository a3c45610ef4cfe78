//! The state directory: its path, its disk, and the lock that keeps a second process out.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Files, Machine};
use crate::error::{Context, Error, Result};

/// A claimed state directory. Dropping this releases its lock.
#[derive(Debug)]
pub struct StateDir {
    pub path: PathBuf,
    pub files: Arc<dyn Files>,
    // Kept open only for its lock.
    _lock: Option<File>,
}

impl StateDir {
    /// A state directory on the machine's disk, with an exclusive lock that keeps a second process out.
    pub fn claim(path: &Path) -> Result<Self> {
        Ok(Self { path: path.into(), files: Arc::new(Machine), _lock: Some(lock(path)?) })
    }

    /// A state directory on another disk, which no other process knows.
    pub fn on(files: Arc<dyn Files>, path: &Path) -> Self {
        Self { path: path.into(), files, _lock: None }
    }
}

fn lock(state_dir: &Path) -> Result<File> {
    let path = state_dir.join("lock");
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .context("failed to open", path.display())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(Error::failed(format!("another process holds the state directory `{}`", state_dir.display()))
                .fix("stop the other one, or give this one its own SYNC_STATE_DIR"))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).context("failed to lock", path.display()),
    }
}
