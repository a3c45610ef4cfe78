//! Places at which a test has the process die, in a build of its own: `RUSTFLAGS="--cfg failpoints"`.
//!
//! In every other build nothing of this exists: no variable, flag or file could switch it on. In that build, the file
//! `failpoint` in the state directory names a number, and the process dies at the place that is passed as the so-manieth.

#[cfg(failpoints)]
pub use armed::{arm, pass};

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

    static DUE: OnceLock<(u64, PathBuf)> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    /// Reads which place is to be the last, once: the file is removed, so that the next process lives.
    pub fn arm(state_dir: &Path) {
        let file = state_dir.join("failpoint");
        let number = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        if let Some(number) = number {
            let _ = std::fs::remove_file(&file);
            let _ = DUE.set((number, state_dir.join("failpoint.died")));
        }
    }

    /// Dies here if it is this place's turn; without a word, as a power cut would have it.
    pub fn pass(place: &'static str) {
        let Some((due, told)) = DUE.get() else { return };
        if PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *due {
            let _ = std::fs::write(told, place);
            std::process::abort();
        }
    }
}
