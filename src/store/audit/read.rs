//! Reads the audit log a line at a time, because it may be larger than memory. It never writes, and needs no lock:
//! files are only appended to, and a line that is still being written counts as unreadable.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::state::ids::{GithubTeamId, GithubUserId, MemberId, SentryTeamId};
use crate::store::actor::Actor;
use crate::store::files::{Files, Machine, Open, Stream};
use crate::store::interrupted::retried;

/// The longest line in bytes; a longer one isn't ours. A deleted team of 50,000 people takes about 4 MiB.
const LONGEST: usize = 16 << 20;
/// How many lines are sorted together. Several threads write, and clocks are set back.
const WINDOW: usize = 4096;
/// The same limit in bytes.
const WINDOW_BYTES: usize = 4 << 20;

/// One line as it's read back. A missing field was unknown when it was written; additional fields are ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    pub at: String,
    /// The GUID of the delivery that led to it.
    pub delivery: Option<String>,
    /// The delivery's event, or another cause.
    #[serde(default)]
    pub event: String,
    pub decision: String,
    #[serde(default)]
    pub reason: String,
    pub team: Option<GithubTeamId>,
    pub slug: Option<String>,
    /// The new slug, for a rename.
    pub to: Option<String>,
    pub sentry_team: Option<SentryTeamId>,
    pub person: Option<GithubUserId>,
    pub login: Option<String>,
    pub member: Option<MemberId>,
    pub call: Option<String>,
    pub answer: Option<String>,
    /// The team before a deletion.
    pub before: Option<Value>,
    pub hold: Option<String>,
    /// Who asked for it.
    pub by: Option<Actor>,
    /// The reason they gave.
    pub said: Option<String>,
}

impl Line {
    fn parse(text: &str) -> Option<(Timestamp, Self)> {
        let line: Self = serde_json::from_slice(text.as_bytes()).ok()?;
        Some((Timestamp::parse(&line.at)?, line))
    }
}

/// The log of one state directory.
pub struct Log {
    files: Arc<dyn Files>,
    dir: PathBuf,
}

impl Log {
    /// The log below a state directory on the machine's disk. It need not exist.
    pub fn of(state_dir: &Path) -> Self {
        Self::on(Arc::new(Machine), state_dir.join("audit"))
    }

    /// The log in any folder, on any disk.
    pub(super) fn on(files: Arc<dyn Files>, dir: PathBuf) -> Self {
        Self { files, dir }
    }

    /// The message to show if there's no log.
    pub fn is_missing(&self) -> Option<String> {
        let below = self.dir.parent().unwrap_or(&self.dir);
        let is_there = self.files.stat(&self.dir).is_ok_and(|stat| stat.is_dir);
        (!is_there).then(|| format!("there is no audit log below `{}` yet\n", below.display()))
    }

    /// Passes every line from `since` on to `take`, oldest first: its text as in the file, and the parsed line. Returns
    /// how many lines could not be read because a crash tore them or they aren't ours. Doesn't open the files of months
    /// before `since`. Ends with the first error of `take`.
    pub fn each(
        &self,
        since: Option<Timestamp>,
        take: &mut dyn FnMut(&str, &Line) -> io::Result<()>,
    ) -> io::Result<usize> {
        let (mut unread, mut window) = (0, Window::default());
        for file in self.files(since)? {
            let mut lines = Lines::new(Stream::new(self.files.open(&file, Open::Read)?));
            while let Some(text) = lines.next()? {
                match text.and_then(|text| Some((Line::parse(text)?, text))) {
                    Some(((at, _), _)) if since.is_some_and(|since| at < since) => {}
                    Some(((at, line), text)) => window.push(at, text, line, take)?,
                    None => unread += 1,
                }
            }
        }
        window.finish(take)?;
        Ok(unread)
    }

    fn files(&self, since: Option<Timestamp>) -> io::Result<Vec<PathBuf>> {
        let paths = match self.files.list(&self.dir) {
            Ok(paths) => paths,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let since = since.map(Timestamp::month);
        let mut files = Vec::new();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(month) = name.strip_suffix(".jsonl").filter(|month| is_month(month)) else { continue };
            if since.as_deref().is_none_or(|since| month >= since) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

pub(super) fn is_month(text: &str) -> bool {
    text.len() == 7
        && text.bytes().enumerate().all(|(n, byte)| if n == 4 { byte == b'-' } else { byte.is_ascii_digit() })
}

/// The lines of one file.
struct Lines {
    from: BufReader<Stream>,
    line: Vec<u8>,
}

impl Lines {
    fn new(file: Stream) -> Self {
        Self { from: BufReader::with_capacity(1 << 16, file), line: Vec::new() }
    }

    /// The next line that isn't blank; `Some(None)` if it isn't UTF-8 or is too long.
    fn next(&mut self) -> io::Result<Option<Option<&str>>> {
        loop {
            self.line.clear();
            let Some(whole) = self.read()? else { return Ok(None) };
            if !whole {
                return Ok(Some(None));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(std::str::from_utf8(&self.line).ok()))
    }

    /// Reads a line without its line end. Returns whether all of it was kept; `None` at the end of the file.
    fn read(&mut self) -> io::Result<Option<bool>> {
        let (mut begun, mut whole) = (false, true);
        loop {
            retried(|| self.from.fill_buf().map(drop))?;
            // Already buffered: this call doesn't read.
            let bytes = self.from.fill_buf()?;
            if bytes.is_empty() {
                return Ok(begun.then_some(whole));
            }
            begun = true;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (part, used) = match end {
                Some(end) => (&bytes[..end], end + 1),
                None => (bytes, bytes.len()),
            };
            whole &= self.line.len() + part.len() <= LONGEST;
            if whole {
                self.line.extend_from_slice(part);
            }
            self.from.consume(used);
            if end.is_some() {
                return Ok(Some(whole));
            }
        }
    }
}

/// The lines kept back for sorting.
#[derive(Default)]
struct Window {
    held: BTreeMap<(Timestamp, u64), (String, Line)>,
    bytes: usize,
    n: u64,
}

impl Window {
    fn push(
        &mut self,
        at: Timestamp,
        text: &str,
        line: Line,
        take: &mut dyn FnMut(&str, &Line) -> io::Result<()>,
    ) -> io::Result<()> {
        self.n += 1;
        self.bytes += text.len();
        self.held.insert((at, self.n), (text.into(), line));
        while self.held.len() > WINDOW || self.bytes > WINDOW_BYTES {
            self.pop(take)?;
        }
        Ok(())
    }

    fn pop(&mut self, take: &mut dyn FnMut(&str, &Line) -> io::Result<()>) -> io::Result<()> {
        if let Some((_, (text, line))) = self.held.pop_first() {
            self.bytes -= text.len();
            take(&text, &line)?;
        }
        Ok(())
    }

    fn finish(mut self, take: &mut dyn FnMut(&str, &Line) -> io::Result<()>) -> io::Result<()> {
        while !self.held.is_empty() {
            self.pop(take)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("audit-read-{name}-{}", std::process::id()));
            fs::create_dir_all(dir.join("audit")).unwrap();
            Self(dir)
        }

        fn write(&self, name: &str, text: impl AsRef<[u8]>) {
            fs::write(self.0.join("audit").join(name), text).unwrap();
        }

        /// The reasons in order, and how many lines could not be read.
        fn read(&self, since: Option<&str>) -> (Vec<String>, usize) {
            let mut reasons = Vec::new();
            let since = since.map(|at| Timestamp::parse(at).unwrap());
            let unread = Log::of(&self.0)
                .each(since, &mut |_, line| {
                    reasons.push(line.reason.clone());
                    Ok(())
                })
                .unwrap();
            (reasons, unread)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn line(at: &str, reason: &str) -> String {
        format!("{{\"at\":\"{at}\",\"decision\":\"d\",\"reason\":\"{reason}\"}}\n")
    }

    #[test]
    fn lines_come_in_the_order_of_time_whatever_the_order_in_the_file() {
        let dir = Dir::new("order");
        dir.write("2026-11.jsonl", line("2026-11-02T00:00:00Z", "b") + &line("2026-11-01T00:00:00Z", "a"));
        dir.write("2026-10.jsonl", line("2026-10-31T00:00:00Z", "0") + &line("2026-10-31T00:00:00Z", "1"));
        assert_eq!(dir.read(None), (["0", "1", "a", "b"].map(String::from).into(), 0));
        assert_eq!(dir.read(Some("2026-11-02T00:00:00Z")).0, ["b"]);
    }

    #[test]
    fn months_that_are_over_are_not_opened() {
        let dir = Dir::new("months");
        // A folder cannot be read as a file, so opening it would fail.
        fs::create_dir_all(dir.0.join("audit/2026-10.jsonl")).unwrap();
        dir.write("2026-11.jsonl", line("2026-11-02T00:00:00Z", "b"));
        dir.write("notes.jsonl", "foreign\n");
        assert_eq!(dir.read(Some("2026-11-01T00:00:00Z")), (vec!["b".into()], 0));
        assert!(Log::of(&dir.0).each(None, &mut |_, _| Ok(())).is_err());
    }

    #[test]
    fn what_can_not_be_read_is_counted_and_costs_no_other_line() {
        let dir = Dir::new("torn");
        let mut bytes = b"\xff\xfe\n\n[1]\n{\"at\":\"noon\",\"decision\":\"d\"}\n".to_vec();
        bytes.extend(vec![b'x'; LONGEST + 1]);
        bytes.extend(format!("\n{}{{\"at\":\"2026-11-0", line("2026-11-02T00:00:00Z", "b")).into_bytes());
        dir.write("2026-11.jsonl", bytes);
        assert_eq!(dir.read(None), (vec!["b".into()], 5));
    }

    #[test]
    fn without_a_log_there_is_nothing_to_read() {
        let dir = Dir::new("none");
        fs::remove_dir(dir.0.join("audit")).unwrap();
        assert_eq!(dir.read(None), (vec![], 0));
    }
}
