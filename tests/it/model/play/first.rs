//! Before the first approval: whatever wakes the mirror, nothing is written, and what was printed at first can be typed.

use std::process::Command;
use std::time::{Duration, Instant};

use super::Sequence;
use crate::world::PATIENCE;

impl Sequence {
    /// The first comparison waits for a person through some of what may wake it.
    pub(super) fn wait_for_approval(&mut self) {
        let mark = self.world.sentry.wire.mark();
        let name = self.first_hold();
        for _ in 0..1 + self.rng.below(5) {
            self.wake();
            assert_eq!(self.first_hold(), name, "another name: {}", self.context());
            let written = self.world.writes_since(mark);
            assert!(written.is_empty(), "{written:?} before the first approval: {}", self.context());
        }
        let code = self.command(&["approve", &name], Instant::now() + PATIENCE);
        assert_eq!(code, 0, "{}", self.context());
        self.tally.first_holds += 1;
    }

    fn wake(&mut self) {
        let until = Instant::now() + PATIENCE * 2;
        match self.rng.below(7) {
            0 => drop(self.command(&["sync"], until)),
            1 => drop(self.command(&["sync", "--json"], until)),
            2 => {
                self.org.story.push("the process dies".into());
                self.tally.deaths += 1;
                self.world.take_service().kill();
                self.start();
            }
            3 => {
                let pid = self.world.service().pid().to_string();
                let sent = Command::new("kill").args(["-HUP", &pid]).status();
                assert!(sent.expect("kill").success());
                self.org.story.push("the configuration is read again".into());
            }
            4 => drop(self.org.appear(&self.world)),
            // Nobody tells of it.
            5 => drop(self.org.add_known(&self.world, &mut self.rng)),
            _ => std::thread::sleep(Duration::from_millis(1100)),
        }
    }

    /// The one hold's name.
    fn first_hold(&mut self) -> String {
        let until = Instant::now() + PATIENCE * 2;
        loop {
            let status = self.world.try_status().unwrap_or_default();
            if let [hold] = status["holds"].as_array().map(Vec::as_slice).unwrap_or_default() {
                let rule = hold["rule"].as_str().unwrap_or_default();
                assert!(rule.starts_with("SYNC_FIRST hold"), "{hold}: {}", self.context());
                return hold["name"].as_str().expect("a name").into();
            }
            assert!(Instant::now() < until, "nothing is held: {}", self.context());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
