//! The journal's keeper, on a thread of its own: it writes noted records, replaces a long log with a snapshot, and
//! repairs the journal after a full or broken disk.
//!
//! A *reserve* file holds space while the disk has enough. When the disk is full, the keeper removes it, to have room
//! for a snapshot that then lets old files be removed. Until the reserve can be written again, deliveries are refused:
//! the rest of the disk is for work already accepted.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Journal;
use crate::store::files::Space;

/// How long the keeper sleeps between two rounds, and so how late a noted record may reach the disk.
pub const EVERY: Duration = Duration::from_secs(1);
/// See [`Journal::compacting_at`].
pub(super) const COMPACT_AT: u64 = 8 << 20;
/// How long to wait after a failed compaction.
const COMPACT_AGAIN: Duration = Duration::from_secs(30);
/// The smallest reserve in bytes. It's twice the last snapshot's size if that is larger.
const RESERVE: u64 = 2 << 20;
/// The reserve takes at most one part in so many of the file system.
const RESERVE_SHARE: u64 = 20;
/// The reason given while there's no reserve.
const FULL: &str = "the disk of the state directory is full";

impl Journal {
    /// Replaces the log with a snapshot now and returns its size in bytes. Appends continue in a new log meanwhile.
    pub fn compact(&self) -> io::Result<u64> {
        let mut inner = self.inner.lock();
        while inner.flushing {
            let flush = inner.begun;
            inner = self.wait(inner, flush);
        }
        inner.state.forget_old(self.clock.wall());
        // The old log ends exactly where this state does: no other thread writes between here and the switch.
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

/// Maintains the journal, one round at a time.
pub struct Keeper<'a> {
    journal: &'a Journal,
    last_snapshot: u64,
    compact_from: Instant,
}

impl<'a> Keeper<'a> {
    /// Makes a keeper and writes the reserve.
    pub fn new(journal: &'a Journal) -> Self {
        let mut keeper = Self { journal, last_snapshot: 0, compact_from: journal.clock.now() };
        keeper.hold_reserve();
        keeper
    }

    /// Does one round: flushes, then repairs or compacts if needed, then retries the reserve.
    pub fn look(&mut self) {
        let inner = self.journal.inner.lock();
        let (broken, full) = (inner.trouble.broken.is_some(), inner.trouble.full.is_some());
        let long = inner.size > self.journal.compact_at.max(2 * self.last_snapshot);
        if broken || inner.pending.is_empty() || inner.flushing {
            drop(inner);
        } else {
            // `flush` has already logged a failure.
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

    /// Repairs the journal after a failed write: starts a new log, with a snapshot of the whole state before it.
    pub(super) fn mend(&mut self) {
        let mut inner = self.journal.inner.lock();
        // Pending records are in the state, and so in the snapshot. Later ones go into the new log.
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

    /// Removes the reserve if a full disk was the reason.
    fn make_room(&mut self, error: &io::Error) {
        if error.kind() != io::ErrorKind::StorageFull {
            return;
        }
        if self.journal.disk.give_up_reserve().is_ok() {
            log::warn!("journal: the disk is full; released the reserved space for a snapshot");
        }
        self.journal.inner.lock().trouble.full = Some(FULL.into());
    }

    /// Writes the reserve if it's missing or too small. Without it, deliveries are refused.
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
        // Twice the reserve must be free. Otherwise, writing it would leave no room to work in.
        if free < 2 * wanted {
            return Err(io::Error::new(io::ErrorKind::StorageFull, format!("{free} bytes are free")));
        }
        disk.take_reserve(wanted)
    }
}
