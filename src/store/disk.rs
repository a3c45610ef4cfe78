//! The journal's files: their names, how they are read at start, and how a snapshot is written.
//!
//! Records are appended to `N.log`. `N.snap` is the fold of everything before `N.log`: it's written as `N.snap.new`,
//! synced and renamed, and only then are older files removed. A damaged file is also kept as a copy, `….damaged`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::{Context, Error, Result};
use crate::state::record::{Record, FORMAT};
use crate::state::State;
use crate::store::files::{self, Files, Open, OpenFile, Space, Stream};
use crate::store::frame;
use crate::store::state_dir::StateDir;

/// The folder of the journal's files.
#[derive(Clone, Debug)]
pub struct Disk {
    dir: PathBuf,
    files: Arc<dyn Files>,
}

pub struct Found {
    /// The fold of all valid records.
    pub state: State,
    pub segment: Segment,
    /// Why `segment` cannot be appended to: its last flush may not be on disk.
    pub broken: Option<io::Error>,
    /// Warnings for the log: torn tails, damaged files.
    pub remarks: Vec<String>,
}

/// The log that is appended to.
pub struct Segment {
    pub number: u64,
    pub file: Arc<dyn OpenFile>,
    pub size: u64,
}

impl Disk {
    /// Opens the journal's folder below the state directory, and makes it if it's missing.
    pub fn open(state_dir: &StateDir) -> Result<Self> {
        let disk = Self::at(&state_dir.path, state_dir.files.clone());
        disk.files.make_dir(&disk.dir).context("failed to make the folder", disk.dir.display())?;
        Ok(disk)
    }

    /// The same without making the folder, for callers that only read.
    pub fn at(state_dir: &Path, files: Arc<dyn Files>) -> Self {
        Self { dir: state_dir.join("journal"), files }
    }

    /// The total and free space of the folder's file system.
    pub fn file_system(&self) -> io::Result<Space> {
        self.files.space(&self.dir)
    }

    /// Bytes used by the folder's files, without the reserve, and bytes free on its file system.
    pub fn space(&self) -> io::Result<(u64, u64)> {
        let mut used = 0;
        for path in self.files.list(&self.dir)? {
            // A file that was removed since the listing takes no space.
            if path != self.reserve() {
                used += self.files.stat(&path).map_or(0, |stat| stat.len);
            }
        }
        Ok((used, self.file_system()?.free))
    }

    /// The reserve file: space that is released when the disk is full.
    fn reserve(&self) -> PathBuf {
        self.dir.join("reserve")
    }

    /// The reserve's size in bytes; 0 if there's none.
    pub fn reserved(&self) -> u64 {
        self.files.stat(&self.reserve()).map_or(0, |stat| stat.len)
    }

    /// Writes the reserve. Removes it again if that fails, because half a reserve would only make the disk fuller.
    pub fn take_reserve(&self, bytes: u64) -> io::Result<()> {
        let written = self.write_zeros(bytes);
        if written.is_err() {
            let _ = self.give_up_reserve();
        }
        written
    }

    fn write_zeros(&self, bytes: u64) -> io::Result<()> {
        let file = self.files.open(&self.reserve(), Open::New)?;
        let zeros = [0; 1 << 16];
        for at in (0..bytes).step_by(zeros.len()) {
            let n = (bytes - at).min(zeros.len() as u64) as usize;
            file.write_at(&zeros[..n], at)?;
        }
        file.sync()
    }

    pub fn give_up_reserve(&self) -> io::Result<()> {
        self.files.remove(&self.reserve())
    }

    fn log(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number}.log"))
    }

    fn snap(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number}.snap"))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.files.sync_dir(&self.dir)
    }

    /// The numbers of the files that end in `.suffix`, ascending.
    fn numbers(&self, suffix: &str) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for path in self.files.list(&self.dir)? {
            let name = path.file_name().and_then(|name| name.to_str());
            let stem = name.and_then(|name| name.strip_suffix(suffix)?.strip_suffix('.'));
            numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Reads the newest snapshot, then the logs from its number on, and opens a log to append to.
    pub fn recover(&self, now: Timestamp) -> Result<Found> {
        let at = || self.dir.display();
        let newest_snap = self.numbers("snap").context("failed to read", at())?.pop();
        let mut logs = self.numbers("log").context("failed to read", at())?;
        logs.retain(|number| *number >= newest_snap.unwrap_or(0));
        let mut found = Recovery::new(self, now, false);
        if let Some(number) = newest_snap {
            found.snapshot(number)?;
        }
        // Ignore a blank last log: it was created for a snapshot that was never completed.
        while logs.len() > 1 && logs.last().is_some_and(|number| self.is_blank(*number)) {
            if let Some(number) = logs.pop() {
                self.discard(number);
            }
        }
        for number in &logs {
            found.log(*number, logs.last() == Some(number))?;
        }
        let expected = newest_snap.unwrap_or(1)..;
        if (newest_snap.is_some() || !logs.is_empty())
            && !expected.take(logs.len().max(1)).eq(logs.iter().copied())
        {
            found.damaged = true;
            found.remarks.push(format!("files of the journal in `{}` are missing", at()));
        }
        let Recovery { mut state, mut remarks, damaged, oldest_format, last_flush, .. } = found;
        let mut broken = None;
        let segment = match logs.last() {
            Some(number) if !damaged && oldest_format < FORMAT => {
                remarks.push(upgraded(&self.dir, oldest_format));
                self.upgrade(number + 1, &state).context("failed to write the state anew in", at())?
            }
            Some(number) if !damaged => {
                let segment = self.reopen(*number)?;
                broken = self.write_again(&segment, &last_flush).err();
                segment
            }
            // There's no log to continue: the folder is empty, or files are damaged. After damage, a new snapshot
            // replaces the old files; copies of the damaged ones stay.
            last => {
                let number = last.copied().or(newest_snap).map_or(1, |n| n + 1);
                if damaged {
                    state.apply(Record::Damaged { at: now });
                    self.write_snapshot(number, &state).context("failed to write a snapshot in", at())?;
                }
                self.create(number, &state).context("failed to make a journal file in", at())?
            }
        };
        Ok(Found { state, segment, broken, remarks })
    }

    /// Folds the files without changing them. Records that a running process hasn't finished writing aren't seen.
    pub fn look(&self, now: Timestamp) -> Result<(State, Vec<String>)> {
        let at = || self.dir.display();
        let newest_snap = self.numbers("snap").context("failed to read", at())?.pop();
        let logs = self.numbers("log").context("failed to read", at())?;
        let mut found = Recovery::new(self, now, true);
        if let Some(number) = newest_snap {
            found.snapshot(number)?;
        }
        for number in logs.iter().filter(|number| **number >= newest_snap.unwrap_or(0)) {
            found.log(*number, logs.last() == Some(number))?;
        }
        Ok((found.state, found.remarks))
    }

    /// Starts a log in the current format, with a snapshot of everything before it: an older program must not take new
    /// records in an old file for damage. The log comes first, because a blank log does no harm.
    fn upgrade(&self, number: u64, state: &State) -> io::Result<Segment> {
        let segment = self.create(number, state)?;
        if let Err(error) = self.write_snapshot(number, state) {
            self.discard(number);
            return Err(error);
        }
        Ok(segment)
    }

    /// Whether a log holds no record but its format.
    fn is_blank(&self, number: u64) -> bool {
        let mut blank = true;
        let look = |record| -> io::Result<()> {
            blank &= matches!(record, Record::Format { version, .. } if version <= FORMAT);
            Ok(())
        };
        let scanned =
            files::read(&*self.files, &self.log(number)).and_then(|bytes| frame::scan(&bytes, look));
        blank && scanned.is_ok_and(|scan| !scan.damaged)
    }

    /// Removes a log that won't be used, so that the previous one stays the last.
    pub fn discard(&self, number: u64) {
        let _ = self.files.remove(&self.log(number));
    }

    /// Creates a log that holds only the format record.
    pub fn create(&self, number: u64, state: &State) -> io::Result<Segment> {
        let begun = self.begin(number, state);
        if begun.is_err() {
            self.discard(number);
        }
        begun
    }

    fn begin(&self, number: u64, state: &State) -> io::Result<Segment> {
        let file = self.files.open(&self.log(number), Open::New)?;
        let mut bytes = Vec::new();
        frame::encode(&Record::Format { version: FORMAT, first_start: state.first_start }, true, &mut bytes)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        self.sync_dir()?;
        Ok(Segment { number, file, size: bytes.len() as u64 })
    }

    fn reopen(&self, number: u64) -> Result<Segment> {
        let path = self.log(number);
        let file =
            self.files.open(&path, Open::Write).context("failed to open for writing", path.display())?;
        let size = file.size().context("failed to read", path.display())?;
        Ok(Segment { number, file, size })
    }

    /// Writes a log's last flush again, the same bytes in the same place. If the previous process ended right after a
    /// failed sync, the kernel still shows those bytes but will never write them, and reports no error.
    fn write_again(&self, log: &Segment, last_flush: &[u8]) -> io::Result<()> {
        log.file.write_at(last_flush, log.size - last_flush.len() as u64)?;
        log.file.sync()?;
        self.sync_dir()
    }

    /// Writes the fold of everything before `number.log`, then removes the files it replaces.
    pub fn write_snapshot(&self, number: u64, state: &State) -> io::Result<u64> {
        let new = self.dir.join(format!("{number}.snap.new"));
        // Half a snapshot would keep space on a full disk that nobody ever gives back.
        let size = self.write_new(&new, state).inspect_err(|_| drop(self.files.remove(&new)))?;
        self.files.rename(&new, &self.snap(number))?;
        self.sync_dir()?;
        self.remove_before(number)?;
        Ok(size)
    }

    fn write_new(&self, path: &Path, state: &State) -> io::Result<u64> {
        let file = self.files.open(path, Open::New)?;
        let mut to = BufWriter::new(Stream::new(file.clone()));
        let mut bytes = Vec::new();
        let mut size = 0;
        state.each_record(&mut |record| {
            bytes.clear();
            frame::encode(&record, true, &mut bytes)?;
            size += bytes.len() as u64;
            to.write_all(&bytes)
        })?;
        bytes.clear();
        // The last record closes the file: without it, the snapshot is incomplete.
        frame::encode(&Record::Next { seq: state.next_seq() }, true, &mut bytes)?;
        to.write_all(&bytes)?;
        to.flush()?;
        file.sync()?;
        Ok(size)
    }

    fn remove_before(&self, number: u64) -> io::Result<()> {
        for (suffix, path) in [("log", Self::log as fn(&Self, u64) -> PathBuf), ("snap", Self::snap)] {
            for old in self.numbers(suffix)?.into_iter().filter(|old| *old < number) {
                self.files.remove(&path(self, old))?;
            }
        }
        Ok(())
    }
}

struct Recovery<'a> {
    disk: &'a Disk,
    state: State,
    remarks: Vec<String>,
    damaged: bool,
    /// Read-only: no file may change.
    looks: bool,
    /// The oldest format found in any file.
    oldest_format: u32,
    /// The last log's last flush, which may not have been synced.
    last_flush: Vec<u8>,
}

impl<'a> Recovery<'a> {
    fn new(disk: &'a Disk, now: Timestamp, looks: bool) -> Self {
        Self {
            disk,
            state: State::new(now),
            remarks: Vec::new(),
            damaged: false,
            looks,
            oldest_format: FORMAT,
            last_flush: Vec::new(),
        }
    }

    fn snapshot(&mut self, number: u64) -> Result<()> {
        let path = self.disk.snap(number);
        let Folded { scan, torn, complete, .. } = self.fold(&path)?;
        // A snapshot gets its name only once it's complete, so a bad end is damage and not a write torn by a crash.
        if scan.damaged || torn > 0 || !complete {
            self.keep_aside(&path)?;
        }
        Ok(())
    }

    fn log(&mut self, number: u64, last: bool) -> Result<()> {
        let path = self.disk.log(number);
        let Folded { scan, torn, last_flush, .. } = self.fold(&path)?;
        self.last_flush = last_flush;
        if scan.damaged || (torn > 0 && !last) {
            self.keep_aside(&path)?;
        } else if torn > 0 && !self.looks {
            let file = self
                .disk
                .files
                .open(&path, Open::Write)
                .context("failed to open for writing", path.display())?;
            file.set_size(scan.good_until as u64).context("failed to cut the torn end of", path.display())?;
            file.sync().context("failed to sync", path.display())?;
            let path = path.display();
            self.remarks.push(format!("cut {torn} bytes of an unfinished record from the end of `{path}`"));
        }
        Ok(())
    }

    fn fold(&mut self, path: &Path) -> Result<Folded> {
        let bytes = files::read(&*self.disk.files, path).context("failed to read", path.display())?;
        let mut complete = false;
        let scan = frame::scan(&bytes, |record| {
            complete = matches!(record, Record::Next { .. });
            match record {
                Record::Format { version, .. } if version > FORMAT => Err(too_new(path, version)),
                record => {
                    if let Record::Format { version, .. } = record {
                        self.oldest_format = self.oldest_format.min(version);
                    }
                    self.state.apply(record);
                    Ok(())
                }
            }
        })?;
        let last_flush = bytes[scan.last_flush..scan.good_until].to_vec();
        Ok(Folded { torn: bytes.len() - scan.good_until, scan, last_flush, complete })
    }

    fn keep_aside(&mut self, path: &Path) -> Result<()> {
        if self.looks {
            self.remarks.push(format!("`{}` is damaged", path.display()));
            return Ok(());
        }
        let aside = PathBuf::from(format!("{}.damaged", path.display()));
        self.disk.files.copy(path, &aside).context("failed to keep aside", path.display())?;
        self.damaged = true;
        self.remarks.push(format!(
            "`{}` is damaged; it is kept as `{}`, and what verifies was taken",
            path.display(),
            aside.display()
        ));
        Ok(())
    }
}

struct Folded {
    scan: frame::Scan,
    /// Bytes after the last good record.
    torn: usize,
    /// The good part of the last flush.
    last_flush: Vec<u8>,
    /// The last record closes a snapshot.
    complete: bool,
}

fn too_new(path: &Path, version: u32) -> Error {
    Error::failed(format!("the state in `{}` has format {version}", path.display()))
        .why(format!("this version reads formats up to {FORMAT}"))
        .fix("start the newer version that wrote it, or put back the copy of the state from before its first start")
}

fn upgraded(dir: &Path, from: u32) -> String {
    format!(
        "the state in `{}` was of format {from} and is of format {FORMAT} now; older versions refuse it",
        dir.display()
    )
}
