//! The audit log: one JSON line per decision, with its delivery, reason, call and answer. It's for people, and for
//! restoring deleted teams; no other decision depends on it.
//!
//! Files are monthly, `audit/2026-11.jsonl`, and removed when older than `SYNC_AUDIT_KEEP`.

pub mod decisions;
pub mod deletions;
pub mod read;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock::{Clock, Timestamp};
use crate::lock::{Mutex, MutexGuard, Turns};
use crate::state::exchange::Exchange;
use crate::state::holds::HoldName;
use crate::state::ids::{GithubTeamId, GithubUserId, Login, MemberId, SentrySlug, SentryTeamId};
use crate::store::actor::Actor;
use crate::store::audit::read::Log;
use crate::store::files::{Files, Open, OpenFile};

#[derive(Clone, Debug, Default, Serialize)]
pub struct Entry {
    pub at: String,
    /// The GUID of the delivery that led to it; absent if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Box<str>>,
    /// The delivery's `event.action`, or another cause.
    pub event: &'static str,
    /// What was decided: `add member`, `create team`, `hold`, …
    pub decision: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<GithubTeamId>,
    /// The Sentry team's slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<SentrySlug>,
    /// The new slug, for a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<SentrySlug>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentry_team: Option<SentryTeamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<GithubUserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// The API call that carried it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The team before a deletion: name, members, projects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// The hold that it's about, or that a person approved for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldName>,
    /// Who asked for it; absent if no person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// The reason they gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl Entry {
    pub fn exchange(mut self, exchange: &Exchange) -> Self {
        self.call = Some(exchange.call.clone());
        self.answer = Some(exchange.answer.clone());
        self
    }

    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// The log of one state directory.
pub struct Audit {
    clock: Clock,
    files: Arc<dyn Files>,
    dir: PathBuf,
    keep: Duration,
    turns: Turns,
    open: Mutex<Option<(String, Arc<dyn OpenFile>)>>,
    lost: Mutex<Lost>,
}

/// Lines that could not be written, and are only in the service's log.
#[derive(Default)]
struct Lost {
    lines: u64,
    /// Why the last line could not be written; `None` if it was.
    why: Option<String>,
}

impl Audit {
    /// The log below a state directory. Nothing is created before the first line.
    pub fn new(files: &Arc<dyn Files>, state_dir: &Path, keep: Duration, clock: Clock) -> Self {
        let (files, dir) = (files.clone(), state_dir.join("audit"));
        Self {
            clock,
            files,
            dir,
            keep,
            turns: Turns::default(),
            open: Mutex::new(None),
            lost: Mutex::default(),
        }
    }

    /// Opens the log for reading.
    pub fn log(&self) -> Log {
        Log::on(self.files.clone(), self.dir.clone())
    }

    /// Writes a line. If that fails, the line goes to the service's log and work continues: the journal has the record.
    pub fn write(&self, mut entry: Entry) {
        entry.at = self.clock.wall().to_string();
        if let Err(error) = self.append(&entry, false) {
            let line = serde_json::to_string(&entry).unwrap_or_default();
            log::error!("audit: failed to write a line: {error}: {}", crate::text::json(&line));
            self.lost().lines += 1;
        }
    }

    /// How many lines could not be written since the start.
    pub fn n_lost(&self) -> u64 {
        self.lost().lines
    }

    /// Why lines cannot be written at the moment, and what to do.
    pub fn fault(&self) -> Option<String> {
        let why = self.lost().why.clone()?;
        Some(format!(
            "cannot write the audit log: {why}; its lines go to the service's log, and no team is deleted: \
             make room in `{}`, or let the service's user write there",
            self.dir.display()
        ))
    }

    fn lost(&self) -> MutexGuard<'_, Lost> {
        self.lost.lock()
    }

    /// Writes a line and syncs it, for changes that could not be undone without it.
    pub fn write_synced(&self, mut entry: Entry) -> io::Result<()> {
        entry.at = self.clock.wall().to_string();
        self.append(&entry, true)
    }

    fn append(&self, entry: &Entry, sync: bool) -> io::Result<()> {
        let appended = self.try_append(entry, sync);
        self.lost().why = appended.as_ref().err().map(ToString::to_string);
        appended
    }

    fn try_append(&self, entry: &Entry, sync: bool) -> io::Result<()> {
        // Lines are written one at a time, and no lock is held while the disk works.
        let _turn = self.turns.take();
        let now = self.clock.wall();
        // The same JSON value, escaped so that showing the file can't control a terminal.
        let mut line = crate::text::json(&serde_json::to_string(entry)?).into_bytes();
        line.push(b'\n');
        let month = now.month();
        let last = self.open.lock().clone();
        let file = match last {
            Some((known, file)) if known == month => file,
            last => {
                let file = self.begin(&month, now, last.as_ref().map(|(known, _)| known.as_str()))?;
                *self.open.lock() = Some((month, file.clone()));
                file
            }
        };
        let written = file.append(&line).and_then(|()| if sync { file.sync() } else { Ok(()) });
        if written.is_err() {
            // After reopening, the next line doesn't start behind half of this one.
            *self.open.lock() = None;
        }
        written
    }

    /// Opens a month's file. `last` is the month written to until now; its file stays, whatever the clock says.
    fn begin(&self, month: &str, now: Timestamp, last: Option<&str>) -> io::Result<Arc<dyn OpenFile>> {
        self.files.make_dir(&self.dir)?;
        self.remove_old(now, last);
        let path = self.dir.join(format!("{month}.jsonl"));
        let fresh = self.files.stat(&path).is_err();
        let file = self.files.open(&path, Open::Append)?;
        if fresh {
            self.files.sync_dir(&self.dir)?;
        }
        end_torn_line(&*file)?;
        Ok(file)
    }

    /// Removes files whose month ended longer ago than the log is kept. Age is counted from the clock, or from the
    /// newest file's month if that is earlier: a clock that jumps ahead by years must not remove everything.
    fn remove_old(&self, now: Timestamp, last: Option<&str>) {
        let paths = self.files.list(&self.dir).unwrap_or_default();
        let month = |path: &PathBuf| {
            let stem = path.file_stem()?.to_str()?;
            Timestamp::parse(&format!("{stem}-28T00:00:00Z"))
        };
        let newest = paths.iter().filter_map(month).max().unwrap_or(now);
        let oldest = format!("{}.jsonl", now.min(newest).before(self.keep).month());
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let stem = name.strip_suffix(".jsonl").filter(|stem| read::is_month(stem));
            if stem.is_some() && name < oldest.as_str() && stem != last {
                match self.files.remove(&path) {
                    Ok(()) => log::info!("audit: removed `{}`, older than SYNC_AUDIT_KEEP", path.display()),
                    Err(error) => log::warn!("audit: failed to remove `{}`: {error}", path.display()),
                }
            }
        }
    }
}

/// Ends a last line that a crash has torn. Otherwise the next line would become part of it and be lost too.
fn end_torn_line(file: &dyn OpenFile) -> io::Result<()> {
    let mut last = [b'\n'];
    if let Some(at) = file.size()?.checked_sub(1) {
        file.read_at(&mut last, at)?;
    }
    if last != [b'\n'] {
        file.append(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::files::Machine;

    fn audit(dir: &Path, days: u64) -> Audit {
        let files: Arc<dyn Files> = Arc::new(Machine);
        Audit::new(&files, dir, Duration::from_secs(86_400 * days), Clock::System)
    }

    #[test]
    fn lines_are_appended_and_old_months_removed() {
        let dir = std::env::temp_dir().join(format!("audit-{}", std::process::id()));
        let audit = audit(&dir, 31);
        fs::create_dir_all(dir.join("audit")).unwrap();
        fs::write(dir.join("audit/2020-01.jsonl"), "old\n").unwrap();
        fs::write(dir.join(format!("audit/{}.jsonl", Timestamp::now().month())), "").unwrap();
        let exchange = Exchange { call: "POST /x".into(), answer: "201".into() };
        let entry = Entry { event: "membership.added", decision: "add member", ..Entry::default() };
        audit.write(entry.clone().because("in \"GitHub\"\n").exchange(&exchange));
        audit.write_synced(entry).unwrap();
        let files: Vec<_> = fs::read_dir(dir.join("audit")).unwrap().flatten().map(|e| e.path()).collect();
        assert_eq!(files.len(), 1);
        let text = fs::read_to_string(&files[0]).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["answer"], &lines[0]["reason"]), (&"201".into(), &"in \"GitHub\"\n".into()));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_clock_that_jumps_takes_nothing_along() {
        let dir = std::env::temp_dir().join(format!("audit-clock-{}", std::process::id()));
        let audit = audit(&dir, 400);
        let begin = |now: &str, last: Option<&str>| {
            let now = Timestamp::parse(now).unwrap();
            drop(audit.begin(&now.month(), now, last).unwrap());
        };
        let left = || {
            let files = fs::read_dir(dir.join("audit")).unwrap().flatten();
            let mut names: Vec<_> = files.map(|file| file.file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let (now, ahead) = ("2026-11-25T00:00:00Z", "2036-11-25T00:00:00Z");
        begin("2025-12-01T00:00:00Z", None);
        begin(now, Some("2025-12"));
        begin(ahead, Some("2026-11"));
        assert_eq!(left(), ["2025-12.jsonl", "2026-11.jsonl", "2036-11.jsonl"]);
        // A machine without a hardware clock, until the network sets the time.
        begin("1970-01-01T00:00:00Z", None);
        begin(now, Some("1970-01"));
        assert_eq!(left(), ["1970-01.jsonl", "2025-12.jsonl", "2026-11.jsonl", "2036-11.jsonl"]);
        fs::remove_dir_all(&dir).unwrap();
    }
}
