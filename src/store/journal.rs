//! The journal: every change of the [`State`] goes through it, and it makes changes durable before they're confirmed.
//!
//! Appends are grouped. A thread that finds no flush under way leads one: it writes and syncs for all waiting threads
//! (one `fdatasync`). Flushes are numbered, and each thread waits for the flush that takes its record. The end of a
//! flush wakes the threads that it served, and one thread of the next flush, which leads that.
//!
//! A record is in the state as soon as it's appended; [`Journal::keep`] returns once it's on disk. A failed write or
//! sync ends the file it happened on, because the kernel drops what it could not write, and a second sync would wrongly
//! succeed. Deliveries are then refused until the keeper (`compact`) has started a new file with a snapshot.
//!
//! Nothing here knows what a record means to GitHub or Sentry.

pub mod compact;

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::disk::{self, Disk, Segment};
use super::files::{Files, Machine, OpenFile};
use super::frame;
use super::state_dir::StateDir;
use crate::clock::{Clock, Timestamp};
use crate::error::Result;
use crate::lock::{Condvar, Mutex, MutexGuard};
use crate::state::holds::Hold;
use crate::state::ids::Seq;
use crate::state::record::Record;
use crate::state::State;
use compact::COMPACT_AT;

/// The durable log of one state directory, held by one process.
pub struct Journal {
    clock: Clock,
    disk: Disk,
    inner: Mutex<Inner>,
    /// Where threads wait for an even-numbered flush, and for an odd-numbered one. At most two are awaited at once.
    wake: [Condvar; 2],
    state_dir: StateDir,
    compact_at: u64,
}

struct Inner {
    state: State,
    /// Encoded records that no flush has taken yet.
    pending: Vec<u8>,
    /// Bytes ever appended and bytes known to be on disk.
    appended: u64,
    durable: u64,
    /// Where the last record about people ends, counted as `appended`.
    people: u64,
    flushing: bool,
    /// Flushes ever begun, and where the last one ends, counted as `appended`.
    begun: u64,
    taken: u64,
    file: Arc<dyn OpenFile>,
    number: u64,
    size: u64,
    trouble: Trouble,
    /// Holds that have ended and aren't in the audit log yet.
    ended: Vec<Hold>,
}

/// Why records cannot be kept at the moment.
#[derive(Clone, Debug, Default)]
struct Trouble {
    /// The error that ended the file. Nothing is written until there's a new one.
    broken: Option<Arc<str>>,
    /// The disk is nearly full: deliveries are refused, so that work already taken can be finished.
    full: Option<Arc<str>>,
    /// The process is stopping: no more records are accepted.
    closed: bool,
}

/// Why a record could not be kept, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotKept(pub Arc<str>);

/// What to do after a decision under the journal's lock.
pub enum Entry<R> {
    /// Append these records and wait until they are on disk.
    Keep(Vec<Record>, R),
    /// Append nothing, but wait until everything appended so far is on disk.
    Await(R),
    Nothing(R),
}

impl Journal {
    /// Reads a state directory's journal and prepares to append.
    ///
    /// The second value is a list of warnings: unfinished records cut off, damage found.
    pub fn open(state_dir: StateDir, clock: Clock) -> Result<(Self, Vec<String>)> {
        let disk = Disk::open(&state_dir)?;
        let disk::Found { mut state, segment, broken, remarks } = disk.recover(clock.wall())?;
        state.forget_old(clock.wall());
        let Segment { number, file, size } = segment;
        let mut inner = Inner {
            state,
            pending: Vec::new(),
            appended: 0,
            people: 0,
            durable: 0,
            flushing: false,
            begun: 0,
            taken: 0,
            file,
            number,
            size,
            trouble: Trouble::default(),
            ended: Vec::new(),
        };
        if let Some(error) = broken {
            inner.break_off(&error);
        }
        let journal = Self {
            clock,
            disk,
            inner: Mutex::new(inner),
            wake: Default::default(),
            state_dir,
            compact_at: COMPACT_AT,
        };
        Ok((journal, remarks))
    }

    /// A snapshot replaces a log above this many bytes, or above twice the last snapshot's size if that is larger.
    pub fn compacting_at(self, compact_at: u64) -> Self {
        Self { compact_at, ..self }
    }

    /// Folds a state directory's journal without its lock and without changing anything, for use while no service runs.
    /// The second value is a list of warnings.
    pub fn look(state_dir: &Path, now: Timestamp) -> Result<(State, Vec<String>)> {
        Disk::at(state_dir, Arc::new(Machine)).look(now)
    }

    /// The disk under the state directory.
    pub fn files(&self) -> &Arc<dyn Files> {
        &self.state_dir.files
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Reads the state. `look` must be short, because all other threads wait meanwhile.
    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.inner.lock().state)
    }

    /// Decides and appends under one lock, so that nothing can change between the look and the record. Returns when the
    /// records are on disk. A delivery whose record could not be synced is forgotten again.
    pub fn decide<R>(&self, choose: impl FnOnce(&State) -> Entry<R>) -> Result<R, NotKept> {
        let mut inner = self.inner.lock();
        let (records, value) = match choose(&inner.state) {
            Entry::Keep(records, value) => (records, value),
            Entry::Await(value) => {
                let upto = inner.appended;
                return self.until_durable(inner, upto).map(|()| value);
            }
            Entry::Nothing(value) => return Ok(value),
        };
        let received: Vec<Seq> = records.iter().filter_map(received).collect();
        inner.trouble.check(!received.is_empty())?;
        for record in records {
            inner.append(record)?;
        }
        let upto = inner.appended;
        self.until_durable(inner, upto).inspect_err(|_| {
            let mut inner = self.inner.lock();
            received.into_iter().for_each(|seq| inner.state.forget_delivery(seq));
        })?;
        Ok(value)
    }

    /// Appends a record and returns when it is on disk.
    pub fn keep(&self, record: Record) -> Result<(), NotKept> {
        self.decide(|_| Entry::Keep(vec![record], ()))
    }

    /// Returns when everything appended so far is on disk, for callers whose answer relies on records of other threads.
    pub fn keep_all(&self) -> Result<(), NotKept> {
        self.decide(|_| Entry::Await(()))
    }

    /// Appends a record that need not survive a crash. It's written with the next flush, within a second, or with the
    /// snapshot that ends a failure.
    pub fn note(&self, record: Record) {
        let mut inner = self.inner.lock();
        if let Err(NotKept(why)) = inner.append(record) {
            log::error!("journal: failed to write a record: {why}");
        }
    }

    /// Returns when all records about people (who they are, where they were seen) are on disk. Call it before adding
    /// somebody to a team: if no event reports that they leave later, only these records allow their removal.
    pub fn keep_people(&self) -> Result<(), NotKept> {
        let inner = self.inner.lock();
        let upto = inner.people;
        self.until_durable(inner, upto)
    }

    /// The holds that have ended since the last call.
    pub fn take_ended(&self) -> Vec<Hold> {
        std::mem::take(&mut self.inner.lock().ended)
    }

    /// Why deliveries cannot be accepted at the moment.
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.inner.lock().trouble.check(true).err().map(|NotKept(why)| why)
    }

    /// Whether nothing can be written at the moment, so that no work can be done either.
    pub fn is_broken(&self) -> bool {
        self.inner.lock().trouble.broken.is_some()
    }

    /// Bytes used by the journal's files, and bytes free on their file system.
    pub fn space(&self) -> io::Result<(u64, u64)> {
        self.disk.space()
    }

    /// Writes what is pending. No more records are accepted from then on.
    pub fn close(&self) {
        let mut inner = self.inner.lock();
        inner.trouble.closed = true;
        let upto = inner.appended;
        if let Err(NotKept(why)) = self.until_durable(inner, upto) {
            log::error!("journal: failed to write the last records: {why}");
        }
    }

    // A panic under the lock leaves no half-applied record: `apply` is total, and no flag changes while it runs.

    /// Where threads wait for that flush.
    fn wake_of(&self, flush: u64) -> &Condvar {
        let [even, odd] = &self.wake;
        if flush.is_multiple_of(2) {
            even
        } else {
            odd
        }
    }

    fn wait<'a>(&self, inner: MutexGuard<'a, Inner>, flush: u64) -> MutexGuard<'a, Inner> {
        self.wake_of(flush).wait(inner)
    }

    /// Makes all waiting threads look again.
    fn wake_all(&self) {
        self.wake.iter().for_each(Condvar::notify_all);
    }

    /// Waits until everything up to `upto` is on disk. Leads a flush if no other thread does.
    fn until_durable(&self, mut inner: MutexGuard<'_, Inner>, upto: u64) -> Result<(), NotKept> {
        while inner.durable < upto {
            if let Some(why) = &inner.trouble.broken {
                return Err(NotKept(why.clone()));
            }
            if !inner.flushing {
                // This flush takes all that is pending, so everything up to `upto` as well.
                return self.flush(inner);
            }
            let flush = inner.flush_of(upto);
            inner = self.wait(inner, flush);
        }
        Ok(())
    }

    /// Leads a flush: writes and syncs all that is pending. The lock isn't held while writing or waking.
    fn flush(&self, mut inner: MutexGuard<'_, Inner>) -> Result<(), NotKept> {
        let batch = inner.begin_flush();
        let flush = inner.begun;
        drop(inner);
        let written = batch.write();
        let mut inner = self.inner.lock();
        inner.end_flush(batch, &written);
        let broken = inner.trouble.broken.clone();
        drop(inner);
        if let Some(why) = broken {
            self.wake_all();
            return Err(NotKept(why));
        }
        self.wake_of(flush).notify_all();
        self.wake_of(flush + 1).notify_one();
        Ok(())
    }
}

/// What one flush writes, and where.
struct Batch {
    bytes: Vec<u8>,
    upto: u64,
    at: u64,
    file: Arc<dyn OpenFile>,
}

impl Batch {
    fn write(&self) -> io::Result<()> {
        self.file.write_at(&self.bytes, self.at)?;
        self.file.sync()?;
        Ok(())
    }
}

fn received(record: &Record) -> Option<Seq> {
    match record {
        Record::Received(delivery) => Some(delivery.seq),
        _ => None,
    }
}

impl Inner {
    /// Applies a record and queues it for the next flush.
    fn append(&mut self, record: Record) -> Result<(), NotKept> {
        let before = self.pending.len();
        if let Err(error) = frame::encode(&record, before == 0, &mut self.pending) {
            self.pending.truncate(before);
            return Err(NotKept(error.to_string().into()));
        }
        self.appended += (self.pending.len() - before) as u64;
        if matches!(record, Record::Matched { .. } | Record::Looked { .. }) {
            self.people = self.appended;
        }
        let ended = self.state.take(record);
        self.ended.extend(ended);
        Ok(())
    }

    /// Takes all that is pending. No other thread writes until `end_flush`.
    fn begin_flush(&mut self) -> Batch {
        self.flushing = true;
        self.begun += 1;
        self.taken = self.appended;
        let bytes = std::mem::take(&mut self.pending);
        Batch { bytes, upto: self.appended, at: self.size, file: self.file.clone() }
    }

    /// The number of the flush that takes what was appended up to `upto`: the one under way, or the next.
    fn flush_of(&self, upto: u64) -> u64 {
        if self.flushing && upto <= self.taken {
            self.begun
        } else {
            self.begun + 1
        }
    }

    fn end_flush(&mut self, batch: Batch, written: &io::Result<()>) {
        self.flushing = false;
        match written {
            Ok(()) => {
                self.durable = batch.upto;
                self.size = batch.at + batch.bytes.len() as u64;
                self.reuse(batch.bytes);
            }
            Err(error) => self.break_off(error),
        }
    }

    fn switch_to(&mut self, segment: Segment) {
        self.file = segment.file;
        self.number = segment.number;
        self.size = segment.size;
    }

    /// Stops using this file. Its pending records are in the state, and so in the next snapshot.
    fn break_off(&mut self, error: &io::Error) {
        let why = format!("cannot write the journal: {error}");
        log::error!("journal: {why}; refusing deliveries until it can be written");
        self.trouble.broken = Some(why.into());
    }

    /// Keeps a flushed batch's memory for the next one, unless it was unusually large.
    fn reuse(&mut self, mut batch: Vec<u8>) {
        if self.pending.is_empty() && batch.capacity() <= 1 << 20 {
            batch.clear();
            self.pending = batch;
        }
    }
}

impl Trouble {
    fn check(&self, delivery: bool) -> Result<(), NotKept> {
        if self.closed {
            return Err(NotKept("the service is stopping".into()));
        }
        match (&self.broken, &self.full) {
            (Some(why), _) => Err(NotKept(why.clone())),
            (None, Some(why)) if delivery => Err(NotKept(why.clone())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
