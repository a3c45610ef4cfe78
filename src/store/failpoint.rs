//! Places at which a test has the process die, and a wall clock that it moves, in a build of its own:
//! `RUSTFLAGS="--cfg failpoints"`.
//!
//! In every other build nothing of this exists: no variable, flag or file could switch it on. In that build, the file
//! `failpoint` in the state directory holds a number and a place: the process passes there so often, and dies. The file
//! `clock` there holds by how many milliseconds the wall clock is wrong, from the moment on that it is written.

#[cfg(failpoints)]
pub use armed::{arm, pass, PLACES};

/// Nothing, in this build.
#[cfg(not(failpoints))]
#[inline(always)]
pub fn arm(_state_dir: &std::path::Path) {}

/// Nothing, in this build.
#[cfg(not(failpoints))]
#[inline(always)]
pub fn pass(_place: &'static str) {}

#[cfg(failpoints)]
mod armed {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::OnceLock;

    pub const PLACES: [&str; 14] = [
        "before a write to the journal",
        "in the middle of a write to the journal",
        "before a sync of the journal",
        "after a sync of the journal",
        "before a new log has its first record",
        "before a new log's folder is synced",
        "before a new log is taken into use",
        "before a snapshot's last record",
        "before a snapshot has its name",
        "before a snapshot's folder is synced",
        "before an old file is removed",
        "before an audit line",
        "before a call",
        "after a call",
    ];

    static DUE: OnceLock<(u64, String, PathBuf)> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    /// Reads where it is to end, once: the file is removed, so that the next process lives.
    pub fn arm(state_dir: &Path) {
        let _ = crate::clock::WRONG.set(state_dir.join("clock"));
        let file = state_dir.join("failpoint");
        let Ok(text) = std::fs::read_to_string(&file) else { return };
        let Some((number, place)) = text.split_once(' ') else { return };
        if let Ok(number) = number.parse() {
            let _ = std::fs::remove_file(&file);
            let _ = DUE.set((number, place.into(), state_dir.join("failpoint.died")));
        }
    }

    /// Dies here if it is this place's turn; without a word, as a power cut would have it.
    pub fn pass(place: &'static str) {
        debug_assert!(PLACES.contains(&place), "{place} is no known place");
        let Some((due, at, told)) = DUE.get() else { return };
        if at != place {
            return;
        }
        if PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *due {
            let _ = std::fs::write(told, place);
            std::process::abort();
        }
    }
}
