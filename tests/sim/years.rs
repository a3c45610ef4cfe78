//! Long times: what is remembered for a time is forgotten, and nothing else is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::happenings::only_ends;
use super::play::{Done, Sequence};
use super::process::IDLE;
use super::profile::REST_OF_YEARS;
use super::sides::Truth;

const MONTH: Duration = Duration::from_secs(30 * 86_400);
/// More than the audit log is kept by default.
const MONTHS: u64 = 17;
/// More than a hold waits for a person.
const WEEK: Duration = Duration::from_secs(8 * 86_400);

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

    /// Nobody decides for more than a week: whatever was held is over, and nothing of it was done.
    pub fn decide_nothing(&mut self) -> Done {
        // What is missed for three days is missed for ever, where GitHub can not be asked.
        if self.profile.truth == Truth::Deliveries || self.profile.is_app {
            return Ok(());
        }
        self.revive();
        self.send_the_rest()?;
        let mut held = self.held();
        // What waits for what is held is looked at every few minutes.
        let waits = self.status().is_none_or(|shown| shown.queued + shown.open_hints > 0);
        if held.is_empty() || waits {
            return Ok(());
        }
        self.say("nobody decides for more than a week");
        let before = self.stage.heard.lines().len();
        self.tally.expired += held.len() as u64;
        let every_second = self.stage.least_rest.swap(REST_OF_YEARS, Ordering::Relaxed);
        self.pass(WEEK);
        // Deliveries are remembered for a week.
        self.taken.clear();
        self.stage.least_rest.store(every_second, Ordering::Relaxed);
        // What a comparison holds on the first of these days is over at their end, too.
        let since = self.held().into_iter().filter(|hold| !held.contains(hold));
        held.extend(since.collect::<Vec<_>>());
        self.restart()?;
        self.wait_until("what nobody has decided about is over", |seq| {
            let still = seq.held();
            // What is due again has the same name.
            Ok(held.iter().all(|hold| {
                let (name, _) = hold;
                let is_said = |what: String| seq.has_said_since(before, &what);
                !still.contains(hold)
                    || is_said(format!("hold {name} expired"))
                    || is_said(format!("held {name}: "))
            }))
        })?;
        // A hold may expire up to a minute after the start, and the journal's keeper looks once a minute: a crash before
        // that has the hold expire again, perhaps after the last comparison.
        self.pass(IDLE * 2);
        // A deletion that nobody wanted is one that was refused.
        held.retain(|(name, _)| self.has_said_since(before, &format!("hold {name} expired")));
        self.refused.extend(held.iter().filter_map(|(_, changes)| only_ends(changes)).flatten());
        Ok(())
    }

    /// What the process has told of itself since it had told so many lines.
    fn has_said_since(&self, n_lines: usize, part: &str) -> bool {
        self.stage.heard.lines().iter().skip(n_lines).any(|line| line.contains(part))
    }
}
