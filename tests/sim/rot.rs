//! Bit rot: what was written and synced is read otherwise by the process that begins next. What it has lost it can not know;
//! so much is promised that it removes nothing from then on, until a person or a whole comparison has said that nothing is
//! missing.

use super::draw::Draw;
use super::play::{Done, Sequence};
use super::rules::{holds, Failure};
use super::sides::Truth;

/// What tells its draws apart.
const OF_ROT: u64 = 10;
/// What the program says of a file that is not as it was written, and once it knows that nothing is missing any more.
const IS_DAMAGED: &str = "is damaged; it is kept as";
const IS_WHOLE: &str = "found everything that the damaged journal may have lost";

impl Sequence {
    /// A bit of a snapshot falls over, once; in a log that has only begun it would pass for a write that a crash has torn. In
    /// payload mode, what is lost by it is lost.
    pub fn rot(&mut self) {
        if self.profile.truth != Truth::Github || self.rotten.is_some() {
            return;
        }
        let number = self.draw.next();
        let mut draw = Draw::of(self.seed, number, OF_ROT);
        let Some(path) = self.stage.disk.rot(&mut draw) else { return };
        self.say(&format!("a bit of {} falls over", path.display()));
        self.regain_permission();
        // A pause that it has lost is over.
        self.paused_at = None;
        self.rotten = Some(self.sides.sentry.wire.mark());
        self.tally.rotten += 1;
    }

    /// Nobody and nothing is taken away by a process that knows that it has lost something.
    pub fn check_what_is_rotten(&self) -> Done {
        let Some(mark) = self.rotten else { return Ok(()) };
        // What was approved before it is carried out behind it.
        if self.tally.approved > 0 || self.has_said(IS_WHOLE) {
            return Ok(());
        }
        if !self.has_said(IS_DAMAGED) && self.process.is_some() {
            return Err(Failure::new("damage_is_told", "nothing was said of it".into()));
        }
        let removals = self.sides.removals_since(mark);
        holds(removals.is_empty(), "damage_removes_nothing_unasked", || format!("{removals:?}"))
    }
}
