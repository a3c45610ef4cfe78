//! Watches the user map's file, and reads it again when it has changed. A bad file leaves the last good map in use.
//!
//! The map in use is also saved in the state directory. So it survives a restart, even if the file is bad or its map
//! waits for approval. This module must never take a changed map into use: [`crate::identity::map_guard`] decides that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mapgrammar::{self, parse};
use super::usermap::UserMap;
use crate::clock::Timestamp;
use crate::config::live::GRACE;
use crate::lock::{Mutex, Turns};
use crate::store::files::{self, Files, Open, Stat};
use crate::text::Safe;

/// The copy of the map in use, in the state directory.
const KEPT: &str = "user-map.json";
/// Says since when the file has been rejected, so that a restart does not reset the time. Gone once the file is good.
const REFUSED: &str = "user-map.refused";
/// The map in use, and the file it comes from.
pub struct MapFile {
    files: Arc<dyn Files>,
    path: Option<PathBuf>,
    kept: PathBuf,
    refused: PathBuf,
    /// Lets one thread at a time read and write the files. `inner` is not locked meanwhile: a disk may be slow.
    turns: Turns,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The file's metadata when it was last read, to notice changes.
    seen: Option<Stat>,
    good: Option<Arc<UserMap>>,
    /// The map that the file has now, if it differs from the one in use.
    candidate: Option<Arc<UserMap>>,
    fault: Option<Refused>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub why: String,
    pub since: Timestamp,
    /// Whether a good map is in use. Without one, nobody is matched.
    pub has_last_good: bool,
}

impl Refused {
    /// Whether the service is not ready because of it. With a good map in use it has a day, so that an upgrade to a
    /// version that rejects the file raises no alarm at once.
    pub fn is_grave(&self, now: Timestamp) -> bool {
        !self.has_last_good || now.since(self.since) > GRACE
    }
}

impl MapFile {
    /// Watches a file. Without a path, the map is empty.
    pub fn new(files: &Arc<dyn Files>, path: Option<PathBuf>, state_dir: &Path) -> Self {
        let (kept, refused) = (state_dir.join(KEPT), state_dir.join(REFUSED));
        let good = match path {
            None => Some(Arc::default()),
            Some(_) => read_kept(&**files, &kept).map(Arc::new),
        };
        let inner = Mutex::new(Inner { good, ..Inner::default() });
        Self { files: files.clone(), path, kept, refused, turns: Turns::default(), inner }
    }

    /// The file's map, if it is valid and differs from the one in use. Reads the file if it has changed.
    pub fn candidate(&self, now: Timestamp) -> Option<Arc<UserMap>> {
        let path = self.path.as_ref()?;
        let _turn = self.turns.take();
        let stamp = self.files.stat(path).ok();
        let is_seen = {
            let inner = self.inner.lock();
            let unread = inner.good.is_none() && inner.candidate.is_none();
            !unread && stamp.is_some() && stamp == inner.seen
        };
        if !is_seen {
            self.read(path, stamp, now);
        }
        self.inner.lock().candidate.clone()
    }

    fn read(&self, path: &Path, stamp: Option<Stat>, now: Timestamp) {
        let text = files::read_text(&*self.files, path).map_err(|e| format!("cannot be read: {e}"));
        let fault = match text.and_then(|text| parse(&text)) {
            Ok(map) => {
                if self.files.stat(&self.refused).is_ok() {
                    let _ = self.files.remove(&self.refused);
                }
                return self.inner.lock().take_in(map, stamp);
            }
            Err(why) => format!("SYNC_USER_MAP `{}`: {why}", Safe(&path.display().to_string())),
        };
        let known = self.inner.lock().fault.as_ref().map(|fault| fault.since);
        let since = known.unwrap_or_else(|| since(&*self.files, &self.refused, now));
        self.inner.lock().refuse(fault, since, stamp);
    }

    pub fn admit(&self, map: Arc<UserMap>) {
        let _turn = self.turns.take();
        log::info!("user map: {} entries in use", map.len());
        if let Err(why) = self.keep(&map) {
            let kept = self.kept.display();
            log::warn!(
                "user map: failed to save a copy to `{kept}`, so a restart needs the file itself: {why}"
            );
        }
        let mut inner = self.inner.lock();
        inner.candidate = None;
        inner.good = Some(map);
    }

    fn keep(&self, map: &UserMap) -> std::io::Result<()> {
        let fresh = self.kept.with_extension("new");
        let file = self.files.open(&fresh, Open::NewPrivate)?;
        file.write_at(map.to_json().as_bytes(), 0)?;
        file.sync()?;
        self.files.rename(&fresh, &self.kept)
    }

    /// The map in use. It is an error only if there has never been one: then nobody may be matched, because it is not
    /// known what the map would say. As long as the map does not change, all callers get the same `Arc`.
    pub fn current(&self) -> Result<Arc<UserMap>, String> {
        let inner = self.inner.lock();
        match (&inner.good, &inner.fault) {
            (Some(map), _) => Ok(map.clone()),
            (None, Some(fault)) => Err(fault.why.clone()),
            (None, None) => {
                Err("SYNC_USER_MAP: the map waits to be approved; `status` names the hold".into())
            }
        }
    }

    /// Why the file was rejected, if it was.
    pub fn fault(&self) -> Option<Refused> {
        let inner = self.inner.lock();
        inner.fault.clone().map(|fault| Refused { has_last_good: inner.good.is_some(), ..fault })
    }
}

/// The saved copy, which this version or an earlier one has written.
fn read_kept(files: &dyn Files, path: &Path) -> Option<UserMap> {
    let (map, dropped) = mapgrammar::kept(&files::read_text(files, path).ok()?)?;
    for why in dropped {
        log::warn!("user map: this version rejects a row of the saved map and skips it: it {why}");
    }
    Some(map)
}

impl Inner {
    fn take_in(&mut self, map: UserMap, stamp: Option<Stat>) {
        self.seen = stamp;
        self.fault = None;
        let new = self.good.as_deref() != Some(&map);
        self.candidate = new.then(|| Arc::new(map));
    }

    fn refuse(&mut self, why: String, since: Timestamp, stamp: Option<Stat>) {
        if self.fault.as_ref().is_none_or(|fault| fault.why != why) {
            let kept = match self.good {
                Some(_) => "the last good one stays in use",
                None => "nobody is matched",
            };
            log::error!("user map: {why}; {kept}");
        }
        self.seen = stamp;
        self.candidate = None;
        self.fault = Some(Refused { why, since, has_last_good: true });
    }
}

/// Since when the file has been rejected, by this process or an earlier one.
fn since(files: &dyn Files, marker: &Path, now: Timestamp) -> Timestamp {
    let told = files::read_text(files, marker).ok().and_then(|text| Timestamp::parse(text.trim()));
    told.unwrap_or_else(|| {
        let write = |text: &str| files.open(marker, Open::New)?.write_at(text.as_bytes(), 0);
        if let Err(why) = write(&format!("{now}\n")) {
            say!(log::Level::Debug, "user map: failed to write `{}`: {why}", marker.display());
        }
        now
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::files::Machine;

    fn machine() -> Arc<dyn Files> {
        Arc::new(Machine)
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mapfile-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self) -> MapFile {
            MapFile::new(&machine(), Some(self.0.join("map")), &self.0)
        }

        fn write(&self, text: &str) {
            fs::write(self.0.join("map"), text).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Reads the file and takes its map into use. Returns how many entries are in use then.
    fn take(file: &MapFile) -> Option<usize> {
        if let Some(map) = file.candidate(Timestamp::now()) {
            file.admit(map);
        }
        file.current().ok().map(|map| map.len())
    }

    #[test]
    fn without_a_file_the_map_is_empty_and_never_changes() {
        let file = MapFile::new(&machine(), None, Path::new("/nowhere"));
        assert_eq!(file.candidate(Timestamp::now()), None);
        let (first, second) = (file.current().unwrap(), file.current().unwrap());
        assert!(first.is_empty());
        assert!(Arc::ptr_eq(&first, &second), "a change has everybody who is waited for tried again");
    }

    #[test]
    fn a_bad_file_keeps_the_last_good_one() {
        let folder = Folder::new("bad");
        let file = folder.file();
        assert_eq!((take(&file), file.fault().is_some()), (None, true));
        folder.write("a,a@x\n");
        assert_eq!((take(&file), file.fault()), (Some(1), None));
        folder.write("a,a@x\nb\n");
        assert_eq!((take(&file), file.fault().is_some()), (Some(1), true));
        folder.write("a,a@x\nb,b@x\n");
        assert_eq!((take(&file), file.fault()), (Some(2), None));
        fs::remove_file(folder.0.join("map")).unwrap();
        assert_eq!((take(&file), file.fault().is_some()), (Some(2), true));
    }

    #[test]
    fn a_restart_keeps_the_last_good_one_too() {
        let folder = Folder::new("restart");
        folder.write("a,a@x\n");
        assert_eq!(take(&folder.file()), Some(1));
        folder.write("nonsense");
        let again = folder.file();
        assert_eq!((take(&again), again.fault().is_some()), (Some(1), true));
    }

    #[test]
    fn a_refused_file_is_grave_at_once_without_a_last_good_one_and_after_a_day_with_one() {
        let folder = Folder::new("grave");
        folder.write("a,<a@x>\n");
        let file = folder.file();
        take(&file);
        let first = file.fault().unwrap();
        assert!(!first.has_last_good && first.is_grave(first.since));
        folder.write("a,a@x\n");
        assert_eq!((take(&file), file.fault()), (Some(1), None));
        folder.write("a,a@x;b@x\n");
        take(&file);
        let fault = file.fault().unwrap();
        let later = |hours: u32| fault.since.after(GRACE * hours / 24);
        assert_eq!([0, 24, 25].map(|hours| fault.is_grave(later(hours))), [false, false, true]);
        // A restart every night does not reset the time.
        fs::write(folder.0.join(REFUSED), "2026-11-01T10:00:00Z\n").unwrap();
        let again = folder.file();
        take(&again);
        assert_eq!(again.fault().unwrap().since.to_string(), "2026-11-01T10:00:00Z");
        folder.write("a,a@x\n");
        take(&again);
        assert!(!folder.0.join(REFUSED).exists());
    }

    #[test]
    fn a_copy_that_an_older_version_kept_goes_on_without_its_odd_rows() {
        let folder = Folder::new("older");
        fs::write(folder.0.join(KEPT), r#"{"a": "a@x", "b": "<b@x>"}"#).unwrap();
        folder.write("a,a@x\nb,<b@x>\n");
        let file = folder.file();
        assert_eq!(take(&file), Some(1));
        let fault = file.fault().unwrap();
        assert!(fault.has_last_good && fault.why.contains("line 2 gives \"b\" \"<b@x>\""), "{fault:?}");
    }

    #[test]
    fn a_changed_file_is_not_in_use_before_it_is_admitted() {
        let folder = Folder::new("waits");
        folder.write("a,a@x\n");
        let file = folder.file();
        assert!(file.current().unwrap_err().contains("SYNC_USER_MAP"));
        take(&file);
        folder.write("a,other@x\nb,b@x\n");
        assert_eq!(file.candidate(Timestamp::now()).unwrap().len(), 2);
        assert_eq!(file.current().unwrap().len(), 1);
        folder.write("a,a@x\n");
        assert_eq!(file.candidate(Timestamp::now()), None, "the file says again what is in use");
    }
}
