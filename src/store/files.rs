//! What the state directory's files are kept on. Everything that the journal, the audit log and the copy of the user map
//! do to the disk goes through [`Files`], so that a disk that loses what was not synced can be put in the machine's place.
//!
//! Nothing is decided here. Locks, folders that other programs own and the configuration's files are none of it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Files by their paths.
pub trait Files: Send + Sync + fmt::Debug {
    /// Makes a folder and those above it; one that is there is left as it is.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// What lies in a folder, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// Of the file system on which a folder lies.
    fn space(&self, dir: &Path) -> io::Result<Space>;
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn OpenFile>>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// In one step: whoever looks finds the one file or the other.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn copy(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Until then, a power cut may forget which files a folder has.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A file that is open. Several threads may use it at once.
pub trait OpenFile: Send + Sync {
    fn size(&self) -> io::Result<u64>;
    /// Cuts the file off, or makes it longer by zeros.
    fn set_size(&self, size: u64) -> io::Result<()>;
    /// How many bytes were read; none at the end of the file.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize>;
    /// All of them, or an error after any part of them.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// The same at the end of the file, wherever that is, of one that was opened for it.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Until then, a power cut may take what was written.
    fn sync(&self) -> io::Result<()>;
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    Read,
    /// One that is there.
    Write,
    /// One that is empty, whatever was there.
    New,
    /// The same, for nobody but its owner to read.
    NewPrivate,
    /// Whatever is there, to read it and to append.
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
    /// What whoever is not root may still take.
    pub free: u64,
}

/// Reads or writes a file from its beginning on.
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

/// All that a file holds.
pub fn read(files: &dyn Files, path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Stream::new(files.open(path, Open::Read)?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same, of one that holds text.
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
