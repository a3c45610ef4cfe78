//! The journal's keeper, which has a thread of its own: writes noted records, replaces a long log by a snapshot, and brings the journal back
//! after a full or broken disk.
//!
//! A *reserve* file takes space in good days and is given up when the disk is full, so that there is room for the
//! snapshot whose completion lets old files be removed. While it can not be taken back, deliveries are refused:
//! what is left of the disk belongs to the work already taken.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Journal;
use crate::store::files::Space;

/// How long the keeper sleeps between two looks, and so how late a noted record may reach the disk.
pub const EVERY: Duration = Duration::from_secs(1);
/// See [`Journal::compacting_at`].
pub(super) const COMPACT_AT: u64 = 8 << 20;
/// How long to leave a log alone whose replacement failed.
const COMPACT_AGAIN: Duration = Duration::from_secs(30);
/// The smallest reserve. A larger one is kept when the last snapshot was larger.
const RESERVE: u64 = 2 << 20;
/// The reserve takes at most this share of the file system.
const RESERVE_SHARE: u64 = 20;
/// What is said while there is no reserve.
const FULL: &str = "the disk of the state directory is full";

impl Journal {
    /// Replaces the log by a snapshot now; its size in bytes. Appends go on in a new log meanwhile.
    pub fn compact(&self) -> io::Result<u64> {
        let mut inner = self.inner.lock();
        while inner.flushing {
            let flush = inner.begun;
            inner = self.wait(inner, flush);
        }
        inner.state.forget_old(self.clock.wall());
        // The old log ends exactly where this state does: nobody writes between here and the switch.
        let (state, next, batch) = (inner.state.clone(), inner.number + 1, inner.begin_flush());
        drop(inner);
        let written = batch.write();
        let begun = if written.is_ok() { Some(self.disk.create(next, &state)) } else { None };
        let mut inner = self.inner.lock();
        inner.end_flush(batch, &written);
        let switched = begun.map(|segment| segment.map(|segment| inner.switch_to(segment)));
        drop(inner);
        self.wake_all();
        written?;
        switched.transpose()?;
        self.disk.write_snapshot(next, &state)
    }
}

/// Keeps the journal in order, a look at a time.
pub struct Keeper<'a> {
    journal: &'a Journal,
    last_snapshot: u64,
    compact_from: Instant,
}

impl<'a> Keeper<'a> {
    /// Takes the reserve.
    pub fn new(journal: &'a Journal) -> Self {
        let mut keeper = Self { journal, last_snapshot: 0, compact_from: journal.clock.now() };
        keeper.hold_reserve();
        keeper
    }

    /// Does what is due.
    pub fn look(&mut self) {
        let inner = self.journal.inner.lock();
        let (broken, full) = (inner.trouble.broken.is_some(), inner.trouble.full.is_some());
        let long = inner.size > self.journal.compact_at.max(2 * self.last_snapshot);
        if broken || inner.pending.is_empty() || inner.flushing {
            drop(inner);
        } else {
            // A failure is told where it is met.
            let _ = self.journal.flush(inner);
        }
        if broken {
            self.mend();
        } else if long && self.journal.clock.now() >= self.compact_from {
            self.compact();
        }
        if full {
            self.hold_reserve();
        }
    }

    fn compact(&mut self) {
        match self.journal.compact() {
            Ok(size) => self.last_snapshot = size,
            Err(error) => {
                log::warn!("journal: failed to write a snapshot, continuing with the log: {error}");
                self.compact_from = self.journal.clock.now() + COMPACT_AGAIN;
                self.make_room(&error);
            }
        }
    }

    /// Brings the journal back after a failed write: a snapshot of all that is known, then a new log.
    pub(super) fn mend(&mut self) {
        let mut inner = self.journal.inner.lock();
        // What is in line is in the state, and so in the snapshot; what comes now goes into the new log.
        inner.pending.clear();
        let (state, next, upto) = (inner.state.clone(), inner.number + 1, inner.appended);
        drop(inner);
        let disk = &self.journal.disk;
        let begun = disk.create(next, &state).and_then(|segment| {
            let written = disk.write_snapshot(next, &state).inspect_err(|_| disk.discard(next));
            written.map(|size| (segment, size))
        });
        match begun {
            Ok((segment, size)) => {
                self.last_snapshot = size;
                let mut inner = self.journal.inner.lock();
                inner.switch_to(segment);
                inner.durable = upto;
                inner.trouble.broken = None;
                drop(inner);
                self.journal.wake_all();
                log::info!("journal: writable again");
            }
            Err(error) => self.make_room(&error),
        }
    }

    /// Gives up the reserve if a full disk was the reason.
    fn make_room(&mut self, error: &io::Error) {
        if error.kind() != io::ErrorKind::StorageFull {
            return;
        }
        if self.journal.disk.give_up_reserve().is_ok() {
            log::warn!("journal: the disk is full; released the reserved space for a snapshot");
        }
        self.journal.inner.lock().trouble.full = Some(FULL.into());
    }

    /// Takes the reserve, or takes it back. Without it, deliveries are refused.
    fn hold_reserve(&mut self) {
        let held = self.take_reserve();
        let full = match &held {
            Ok(()) => None,
            Err(_) => Some(Arc::from(FULL)),
        };
        let before = std::mem::replace(&mut self.journal.inner.lock().trouble.full, full);
        match (held, before) {
            (Ok(()), Some(_)) => log::info!("journal: disk space is available again; accepting deliveries"),
            (Err(error), None) => log::error!("journal: {FULL}: {error}; refusing deliveries"),
            _ => {}
        }
    }

    fn take_reserve(&self) -> io::Result<()> {
        let disk = &self.journal.disk;
        let Space { total, free } = disk.file_system()?;
        let wanted = RESERVE.max(2 * self.last_snapshot).min(total / RESERVE_SHARE);
        if disk.reserved() >= wanted {
            return Ok(());
        }
        // Twice the reserve must be free: else taking it back would leave no room to work in.
        if free < 2 * wanted {
            return Err(io::Error::new(io::ErrorKind::StorageFull, format!("{free} bytes are free")));
        }
        disk.take_reserve(wanted)
    }
}
