//! Pauses in the middle of everything: while one lasts, nothing is written to Sentry.

use std::time::Instant;

use super::Sequence;
use crate::world::PATIENCE;

impl Sequence {
    /// Somebody stops all writes, or allows them again.
    pub(super) fn pause_or_resume(&mut self) {
        self.revive();
        let until = Instant::now() + PATIENCE * 2;
        let code = match self.paused_at.take() {
            Some(mark) => {
                let written = self.world.writes_since(mark);
                assert!(written.is_empty(), "{written:?} during a pause: {}", self.context());
                self.command(&["resume"], until)
            }
            None => {
                let code = self.command(&["pause"], until);
                self.paused_at = Some(self.world.sentry.wire.mark());
                self.tally.pauses += 1;
                code
            }
        };
        assert_eq!(code, 0, "{}", self.context());
    }
}
