//! A wall clock that is wrong: only a build with `--cfg failpoints` has one that can be moved.

use std::fs;

use super::World;

impl World {
    /// From now on the service's clock is wrong by so many seconds.
    pub fn set_clock(&self, seconds: i64) {
        let state = self.dir.0.join("state");
        fs::create_dir_all(&state).expect("a folder");
        // In one step: it is read at any time.
        fs::write(state.join("clock.new"), (seconds * 1000).to_string()).expect("a file");
        fs::rename(state.join("clock.new"), state.join("clock")).expect("a name");
    }
}
