//! More than a year in the middle of a sequence: what is remembered for a time is forgotten, and nothing else is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::play::{Done, Sequence};
use super::profile::REST_OF_YEARS;

const MONTH: Duration = Duration::from_secs(30 * 86_400);
/// More than the audit log is kept by default.
const MONTHS: u64 = 17;

impl Sequence {
    /// Months go by, with a change in each that comes to its end. Nothing is out of order so long, and nothing waits so long
    /// for a person: it would look again every few minutes.
    pub fn grow_old(&mut self, step: usize) -> Done {
        self.let_it_go_on()?;
        self.wait_until("it knows the organisation and what its token may do", |seq| {
            Ok(seq.status().is_some_and(|shown| shown.mode.is_some()))
        })?;
        let every_second = self.stage.least_rest.swap(REST_OF_YEARS, Ordering::Relaxed);
        for month in 1..=MONTHS {
            self.say(&format!("-- month {month}"));
            self.revive();
            self.change(step)?;
            // GitHub sends nothing again that is older than three days, a server of its own than seven.
            self.send_the_rest()?;
            self.come_to_an_end()?;
            self.pass(MONTH);
            self.tally.months += 1;
            self.taken.clear();
            self.check_step()?;
        }
        self.stage.least_rest.store(every_second, Ordering::Relaxed);
        // Whoever keeps the journal looks again now, and not in days.
        self.stage.baton.is_called();
        self.check_what_is_kept()?;
        // So does whoever looks without an event: the process of before rests for days.
        self.restart()
    }
}
