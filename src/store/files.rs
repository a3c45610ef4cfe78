//! The disk under the state directory. The journal, the audit log and the copy of the user map access it only through
//! [`Files`], so that tests can replace the machine's disk with one that loses unsynced writes.
//!
//! This module decides nothing. Locks, other programs' folders and configuration files don't go through it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Operations on paths.
pub trait Files: Send + Sync + fmt::Debug {
    /// Makes a folder and its parents. An existing folder stays as it is.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// The paths in a folder, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// The space of the file system that a folder is on.
    fn space(&self, dir: &Path) -> io::Result<Space>;
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn OpenFile>>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Atomic: a reader finds either the old file or the new one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn copy(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Until this returns, a power cut may undo changes to the folder's list of files.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A file that is open. Several threads may use it at once.
pub trait OpenFile: Send + Sync {
    fn size(&self) -> io::Result<u64>;
    /// Truncates the file, or extends it with zeros.
    fn set_size(&self, size: u64) -> io::Result<()>;
    /// Returns how many bytes were read; 0 at the end of the file.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all bytes. After an error, any part of them may be written.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Writes at the file's current end. The file must be opened with [`Open::Append`].
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Until this returns, a power cut may lose what was written.
    fn sync(&self) -> io::Result<()>;
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    Read,
    /// For writing. The file must exist.
    Write,
    /// For writing. The file is created, or emptied if it exists.
    New,
    /// Like `New`. If the file is created, only its owner may read it.
    NewPrivate,
    /// For reading and appending. The file is created if it's missing.
    Append,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub len: u64,
    pub modified: Option<SystemTime>,
    pub is_dir: bool,
}

/// In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// Free for users other than root.
    pub free: u64,
}

/// Reads or writes a file from its beginning.
pub struct Stream {
    file: Arc<dyn OpenFile>,
    at: u64,
}

impl Stream {
    pub fn new(file: Arc<dyn OpenFile>) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(bytes, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a whole file.
pub fn read(files: &dyn Files, path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Stream::new(files.open(path, Open::Read)?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a whole file that must be UTF-8.
pub fn read_text(files: &dyn Files, path: &Path) -> io::Result<String> {
    String::from_utf8(read(files, path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl Files for Machine {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let meta = fs::metadata(path)?;
        Ok(Stat { len: meta.len(), modified: meta.modified().ok(), is_dir: meta.is_dir() })
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let stats = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stats.f_frsize);
        Ok(Space { total: bytes(stats.f_blocks), free: bytes(stats.f_bavail) })
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn OpenFile>> {
        let mut options = OpenOptions::new();
        let options = match how {
            Open::Read => options.read(true),
            Open::Write => options.write(true),
            Open::New => options.write(true).create(true).truncate(true),
            Open::NewPrivate => options.write(true).create(true).truncate(true).mode(0o600),
            Open::Append => options.read(true).append(true).create(true),
        };
        Ok(Arc::new(options.open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::copy(from, to).map(drop)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl OpenFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&*self).write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
