//! A disk in memory that keeps what was synced apart from what was not, and loses any part of the latter in a crash: a
//! write may be torn, and of what happened to a folder's names the last may be forgotten. It can be full, or read-only,
//! and a sync can fail, after which what it was for is never kept.
//!
//! Every operation is a seam: the process may die there, and another thread may go on.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use sentry_team_sync::parts::{Files, Hand, Open, OpenFile, Space, Stat};

use super::baton::Baton;
use super::draw::Draw;

/// What the file system holds in all.
const TOTAL: u64 = 2 << 20;

/// How the disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weather {
    #[default]
    Well,
    /// No byte more fits.
    Full,
    ReadOnly,
    /// The next sync fails; the process may die so many seams later.
    FailsToSync {
        dies_after: Option<u64>,
    },
}

#[derive(Clone)]
pub struct Disk(Arc<Shared>);

struct Shared {
    baton: Arc<Baton>,
    hand: Arc<Hand>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    nodes: BTreeMap<u64, Node>,
    /// Files by their paths, as whoever looks sees them, and as they would be after a crash.
    names: BTreeMap<PathBuf, u64>,
    kept_names: BTreeMap<PathBuf, u64>,
    /// What happened to the names since they were last synced, in its order.
    renamed: Vec<Naming>,
    next: u64,
    weather: Weather,
}

#[derive(Default)]
struct Node {
    now: Vec<u8>,
    kept: Vec<u8>,
    /// What was done since the last sync, in its order.
    since: Vec<Change>,
    modified: u64,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Size(usize),
}

#[derive(Clone)]
enum Naming {
    Made(PathBuf, u64),
    Gone(PathBuf),
    Renamed(PathBuf, PathBuf),
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    pub fn new(baton: &Arc<Baton>, hand: &Arc<Hand>) -> Self {
        Self(Arc::new(Shared { baton: baton.clone(), hand: hand.clone(), inner: Mutex::default() }))
    }

    pub fn set_weather(&self, weather: Weather) {
        self.inner().weather = weather;
    }

    /// The power is cut: of what was not synced, any part is lost.
    pub fn crash(&self, draw: &mut Draw) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        let n = draw.below(inner.renamed.len() as u64 + 1) as usize;
        for naming in inner.renamed.drain(..).take(n) {
            naming.apply(&mut inner.kept_names);
        }
        inner.names = inner.kept_names.clone();
        for node in inner.nodes.values_mut() {
            node.crash(draw);
        }
        let named: Vec<u64> = inner.names.values().copied().collect();
        inner.nodes.retain(|id, _| named.contains(id));
        inner.sync_no_longer_fails();
    }

    /// The process ends and the machine goes on: nothing is lost.
    pub fn survive(&self) {
        self.inner().sync_no_longer_fails();
    }

    /// One bit of the newest snapshot is another one than was written; of which file, if there is any.
    pub fn rot(&self, draw: &mut Draw) -> Option<PathBuf> {
        let mut inner = self.inner();
        let snapshots =
            inner.names.iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "snap"));
        // Their numbers have no zeros in front.
        let newest = snapshots.max_by_key(|(path, _)| (path.as_os_str().len(), *path));
        let (path, id) = newest.map(|(path, id)| (path.clone(), *id))?;
        let node = inner.node(id).ok()?;
        let bit = draw.below(node.now.len() as u64 * 8) as usize;
        *node.now.get_mut(bit / 8)? ^= 1 << (bit % 8);
        node.kept = node.now.clone();
        // Another death does not bring the one of before back.
        inner.kept_names.insert(path.clone(), id);
        Some(path)
    }

    /// Changes each file of the journal, as something before the process has; what it says of each, where it is one.
    pub fn change_journal<T>(&self, change: &dyn Fn(&mut [u8]) -> Option<T>) -> Vec<T> {
        let mut inner = self.inner();
        let Inner { names, nodes, .. } = &mut *inner;
        let is_one = |path: &Path| path.extension().is_some_and(|kind| kind == "log" || kind == "snap");
        let files = names.iter().filter(|(path, _)| is_one(path));
        let said = files.filter_map(|(_, id)| {
            let node = nodes.get_mut(id)?;
            let of_file = change(&mut node.now)?;
            node.kept = node.now.clone();
            Some(of_file)
        });
        said.collect()
    }

    /// All files, sorted by path.
    pub fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let inner = self.inner();
        inner.names.iter().map(|(path, id)| (path.clone(), inner.nodes[id].now.clone())).collect()
    }

    /// A person writes a file, which no crash takes away.
    pub fn write_by_hand(&self, path: &Path, text: &[u8]) {
        let modified = self.0.hand.wall().0;
        let mut inner = self.inner();
        let id = inner.found(path).unwrap_or_else(|_| inner.make_node());
        let node = Node { now: text.into(), kept: text.into(), since: Vec::new(), modified };
        inner.nodes.insert(id, node);
        inner.names.insert(path.into(), id);
        inner.kept_names.insert(path.into(), id);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another thread may go on, then the operation is carried out in one step.
    fn at(&self, what: &str) -> io::Result<MutexGuard<'_, Inner>> {
        self.0.baton.seam(what);
        let inner = self.inner();
        if self.0.baton.is_dead() {
            return Err(io::Error::other("the process is dead"));
        }
        Ok(inner)
    }

    fn to_change(&self, what: &str) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.at(what)?;
        match inner.weather {
            Weather::ReadOnly => Err(ErrorKind::ReadOnlyFilesystem.into()),
            _ => Ok(inner),
        }
    }
}

impl Node {
    fn crash(&mut self, draw: &mut Draw) {
        for change in std::mem::take(&mut self.since) {
            match change {
                Change::Size(size) if draw.percent(50) => self.kept.resize(size, 0),
                Change::Size(_) => {}
                Change::Write(at, bytes) => {
                    let n = match draw.below(3) {
                        0 => 0,
                        1 => bytes.len(),
                        _ => draw.below(bytes.len() as u64 + 1) as usize,
                    };
                    put(&mut self.kept, at, &bytes[..n]);
                }
            }
        }
        self.now = self.kept.clone();
    }

    fn sync(&mut self) {
        for change in self.since.drain(..) {
            match change {
                Change::Size(size) => self.kept.resize(size, 0),
                Change::Write(at, bytes) => put(&mut self.kept, at, &bytes),
            }
        }
    }
}

impl Naming {
    fn apply(self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Naming::Made(path, id) => drop(names.insert(path, id)),
            Naming::Gone(path) => drop(names.remove(&path)),
            Naming::Renamed(from, to) => {
                if let Some(id) = names.remove(&from) {
                    names.insert(to, id);
                }
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if new.is_empty() {
        return;
    }
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

impl Inner {
    fn sync_no_longer_fails(&mut self) {
        if matches!(self.weather, Weather::FailsToSync { .. }) {
            self.weather = Weather::Well;
        }
    }

    fn make_node(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn name(&mut self, naming: Naming) {
        naming.clone().apply(&mut self.names);
        self.renamed.push(naming);
    }

    fn used(&self) -> u64 {
        self.nodes.values().map(|node| node.now.len() as u64).sum()
    }

    fn found(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn node(&mut self, id: u64) -> io::Result<&mut Node> {
        self.nodes.get_mut(&id).ok_or_else(|| io::Error::other("a file of a process that is dead"))
    }

    fn change(&mut self, id: u64, change: Change, now: u64) -> io::Result<()> {
        let grows = match &change {
            Change::Write(at, bytes) => at + bytes.len(),
            Change::Size(size) => *size,
        };
        let full = self.weather == Weather::Full;
        let node = self.node(id)?;
        if full && grows > node.now.len() {
            return Err(ErrorKind::StorageFull.into());
        }
        match &change {
            Change::Write(at, bytes) => put(&mut node.now, *at, bytes),
            Change::Size(size) => node.now.resize(*size, 0),
        }
        node.modified = now;
        node.since.push(change);
        Ok(())
    }
}

impl Files for Disk {
    fn make_dir(&self, _dir: &Path) -> io::Result<()> {
        self.to_change("making a folder").map(drop)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let inner = self.at("listing a folder")?;
        Ok(inner.names.keys().filter(|path| path.parent() == Some(dir)).cloned().collect())
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let mut inner = self.at("looking at a file")?;
        let Ok(id) = inner.found(path) else {
            let is_dir = inner.names.keys().any(|known| known.starts_with(path));
            return if is_dir {
                Ok(Stat { len: 0, modified: None, is_dir })
            } else {
                Err(ErrorKind::NotFound.into())
            };
        };
        let node = inner.node(id)?;
        let modified = Some(UNIX_EPOCH + Duration::from_millis(node.modified));
        Ok(Stat { len: node.now.len() as u64, modified, is_dir: false })
    }

    fn space(&self, _dir: &Path) -> io::Result<Space> {
        let inner = self.at("looking at the space")?;
        let free = if inner.weather == Weather::Full { 0 } else { TOTAL - inner.used().min(TOTAL) };
        Ok(Space { total: TOTAL, free })
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn OpenFile>> {
        let changes = how != Open::Read;
        let mut inner = if changes { self.to_change("opening a file")? } else { self.at("opening a file")? };
        let now = self.0.hand.wall().0;
        let id = match (inner.found(path), how) {
            (Ok(id), Open::New | Open::NewPrivate) => {
                inner.change(id, Change::Size(0), now)?;
                id
            }
            (Ok(id), _) => id,
            (Err(error), Open::Read | Open::Write) => return Err(error),
            (Err(_), _) => {
                if inner.weather == Weather::Full {
                    return Err(ErrorKind::StorageFull.into());
                }
                let id = inner.make_node();
                inner.nodes.insert(id, Node { modified: now, ..Node::default() });
                inner.name(Naming::Made(path.into(), id));
                id
            }
        };
        Ok(Arc::new(Handle { disk: self.clone(), id }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.to_change("removing a file")?;
        inner.found(path)?;
        inner.name(Naming::Gone(path.into()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.to_change("renaming a file")?;
        inner.found(from)?;
        inner.name(Naming::Renamed(from.into(), to.into()));
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        let bytes = {
            let mut inner = self.at("copying a file")?;
            let id = inner.found(from)?;
            inner.node(id)?.now.clone()
        };
        self.open(to, Open::New)?.write_at(&bytes, 0)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.to_change("syncing a folder")?;
        let inner = &mut *inner;
        debug_assert!(inner.names.keys().all(|path| path.starts_with("/")), "{dir:?}");
        for naming in inner.renamed.drain(..) {
            naming.apply(&mut inner.kept_names);
        }
        Ok(())
    }
}

/// An open file.
struct Handle {
    disk: Disk,
    id: u64,
}

impl OpenFile for Handle {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.at("looking at a file")?.node(self.id)?.now.len() as u64)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let now = self.disk.0.hand.wall().0;
        self.disk.to_change("cutting a file")?.change(self.id, Change::Size(size as usize), now)
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        let mut inner = self.disk.at("reading a file")?;
        let there = &inner.node(self.id)?.now;
        let from = there.get(at as usize..).unwrap_or_default();
        let n = from.len().min(bytes.len());
        bytes[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let now = self.disk.0.hand.wall().0;
        self.disk.to_change("writing a file")?.change(self.id, Change::Write(at as usize, bytes.into()), now)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let now = self.disk.0.hand.wall().0;
        let mut inner = self.disk.to_change("writing a file")?;
        let at = inner.node(self.id)?.now.len();
        inner.change(self.id, Change::Write(at, bytes.into()), now)
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.to_change("syncing a file")?;
        if let Weather::FailsToSync { dies_after } = inner.weather {
            inner.weather = Weather::Well;
            dies_after.into_iter().for_each(|seams| self.disk.0.baton.die_after(seams));
            // What it was for is never written: a second sync would not even say so.
            inner.node(self.id)?.since.clear();
            return Err(io::Error::other("input/output error"));
        }
        inner.node(self.id)?.sync();
        Ok(())
    }
}
