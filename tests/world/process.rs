//! What a running program costs, as the kernel counts it, and what it needs.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

/// Threads, open descriptors and memory of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Threads.
    pub threads: usize,
    /// Open descriptors.
    pub descriptors: usize,
    /// Resident memory, in MiB,
    pub resident: f64,
    /// and the most of it so far.
    pub peak: f64,
}

impl Size {
    /// Of the process with this id; nothing of one that is no more.
    pub fn of(pid: u32) -> Self {
        let n_entries =
            |of: &str| fs::read_dir(format!("/proc/{pid}/{of}")).map_or(0, |entries| entries.count());
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let memory = |which: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(which));
            line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0)
                / 1024.0
        };
        Self {
            threads: n_entries("task"),
            descriptors: n_entries("fd"),
            resident: memory("VmRSS:"),
            peak: memory("VmHWM:"),
        }
    }
}

/// How many connections a process has that others have opened: to these ports of its, and to any of its Unix sockets.
pub fn accepted(pid: u32, ports: &[u16]) -> usize {
    let read = |path: String| fs::read_to_string(path).unwrap_or_default();
    let columns = |table: &str| -> Vec<Vec<String>> {
        let table = read(format!("/proc/{pid}/net/{table}"));
        table.lines().skip(1).map(|line| line.split_whitespace().map(String::from).collect()).collect()
    };
    // What the columns of these tables are: proc_pid_net(5).
    let is_accepted = |columns: &Vec<String>| {
        let port = columns[1].rsplit(':').next().and_then(|hex| u16::from_str_radix(hex, 16).ok());
        port.is_some_and(|port| ports.contains(&port)) && columns[3] != LISTENING
    };
    let tcp =
        ["tcp", "tcp6"].into_iter().flat_map(columns).filter(is_accepted).map(|mut row| row.swap_remove(9));
    let unix =
        columns("unix").into_iter().filter(|row| row[5] == CONNECTED).map(|mut row| row.swap_remove(6));
    let inodes: BTreeSet<String> = tcp.chain(unix).collect();
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    let sockets = targets
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_string()));
    sockets.filter(|inode| inodes.contains(inode)).count()
}

/// The state of a TCP socket that listens, and of a Unix socket that is connected.
const LISTENING: &str = "0A";
const CONNECTED: &str = "03";

/// A port that nobody listens on. Below those that the kernel gives out, so that nobody gets it by chance before it is used.
pub fn unused_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(101);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let next = || 20_000 + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
    let ports = std::iter::repeat_with(next).filter_map(|port| u16::try_from(port).ok());
    ports.take(12_000).find(is_free).expect("a port")
}

/// A thousand connections take a thousand descriptors on this side too.
pub fn may_open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the hard limit");
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    assert!(now >= 4096, "this needs 4096 open files; the hard limit is {now}");
}
