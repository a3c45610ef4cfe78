//! The end of a sequence: everything outside is well again, and the mirror comes to rest.

use std::time::Duration;

use sentry_team_sync::parts::{Command, Reply, Sync};

use super::play::{Done, Sequence};
use super::rules::{holds, Failure};
use super::sides::Truth;

/// So many comparisons, each with a person's word on what was held, are enough for anything.
const ROUNDS: usize = 8;
/// Of so many of a hundred sequences, nobody asks for more than one.
const ONE_IS_ENOUGH: u64 = 50;
/// So many may follow each other by themselves.
const SECOND_LOOKS: usize = 3;
/// In so many of a hundred, nobody decides about what waits at the end for more than a week.
const DECIDES_NOTHING: u64 = 40;
/// In so many of a hundred, a person says no to one of the deletions that wait at the end.
const REFUSES_AN_END: u64 = 40;

impl Sequence {
    pub fn end(&mut self) -> Done {
        for site in [&self.sides.sentry.wire, &self.sides.github.wire] {
            site.calls()
                .iter()
                .filter_map(|call| call.fault.as_ref())
                .for_each(|fault| self.tally.met(fault));
        }
        self.let_it_go_on()?;
        if self.rarely(DECIDES_NOTHING) {
            self.decide_nothing()?;
        }
        if self.rarely(REFUSES_AN_END) {
            self.reject_by_chance();
        }
        // Whoever refused a deletion sees to what stayed: it would keep its slug from others for ever.
        for (sentry, github) in self.refused.clone() {
            if self.org.deleted.contains(&github) {
                self.sides.sentry.purge_team(sentry);
                self.owners.remove(&sentry);
                self.legacy = self.legacy.filter(|(_, legacy)| *legacy != sentry);
            }
        }
        self.send_the_rest()?;
        // A source of addresses that GitHub has refused is asked again by the next comparison, and not before.
        if self.profile.is_heard && !self.has_said("a source of e-mail addresses, so it is skipped") {
            self.check_what_was_heard()?;
        }
        self.has_new_people |= self.draw.percent(50) && self.org.appear(&self.sides);
        // Otherwise only time tells the service of new people in payload mode.
        let must = self.profile.recovers || self.has_new_people && self.profile.truth == Truth::Deliveries;
        if must || self.draw.percent(60) {
            self.revive();
            self.bury();
        }
        self.revive();
        self.wait_out_what_bars_links();
        match self.profile.truth {
            Truth::Github => self.come_to_an_end()?,
            // Sentry's people, and GitHub's list, are read anew at every start, which nobody tells.
            Truth::Deliveries => self.wait_until_equal()?,
        }
        let rests = self.wait_for_rest();
        // Whose Sentry team it is that has a slug which another one wants, the disk has forgotten: a person has to say so.
        let is_said = rests.is_err() && self.has_said("rename or delete that one in Sentry");
        if self.rotten.is_some() && (is_said || self.status().is_some_and(|shown| shown.waits_for_slugs())) {
            return self.check_step();
        }
        rests?;
        // Both sides were equal before what was queued was done; then a second look is due.
        for _ in 0..SECOND_LOOKS {
            if self.differences().is_empty() {
                break;
            }
            self.pass(Duration::from_secs(20));
            self.approve()?;
            self.wait_for_rest()?;
        }
        self.check()
    }

    /// Of whatever has arrived, nothing waits for a comparison to be seen to.
    fn check_what_was_heard(&mut self) -> Done {
        self.wait_for_rest()?;
        let differences = self.differences();
        let what = || format!("without a comparison: {}", differences.join("\n"));
        holds(differences.is_empty(), "at_rest_both_sides_agree", what)
    }

    /// All is well outside, nobody dies any more, and nothing is paused.
    pub fn let_it_go_on(&mut self) -> Done {
        self.clear_the_sky();
        self.stage.baton.live_on();
        // A pause may have been kept whose command was not answered.
        self.wait_until("writes go on", |seq| {
            seq.paused_at = None;
            Ok(seq.command(Command::Resume).is_some_and(|reply| reply.exit == 0))
        })
    }

    /// What was said just before a comparison is not contradicted by it: then another one follows by itself.
    pub fn come_to_an_end(&mut self) -> Done {
        if self.rarely(ONE_IS_ENOUGH) {
            self.compare_once()?;
            // Equal by name is not done: a second look may be due, and hold something.
            for _ in 0..ROUNDS {
                self.pass(Duration::from_secs(20));
                self.approve()?;
            }
            self.wait_until_equal()?;
        } else if !self.compare_to_the_end()? {
            self.wait_until_equal()?;
            // Equal by name is not done: what has the name may be another team's.
            for _ in 0..ROUNDS {
                if self.compare_to_the_end()? {
                    break;
                }
                self.pass(Duration::from_millis(500));
            }
        }
        self.wait_until_equal()?;
        // An approved deletion of a team that GitHub shows takes a second look to be over.
        self.wait_until("nothing is held", |seq| {
            let Some(shown) = seq.status() else { return Ok(false) };
            seq.approve_of(&shown)?;
            Ok(shown.holds.is_empty())
        })
    }

    /// Whatever one comparison leaves, for a second look or a person, the mirror comes to by itself.
    fn compare_once(&mut self) -> Done {
        self.wait_until("a comparison is carried out", |seq| {
            let reply = seq.command(Command::Sync(Sync { apply: true, ..Sync::default() }));
            // What it could not do, it says, and sees to it by itself.
            let is_done = |reply: Reply| matches!(reply.exit, 0 | 2) || reply.out.contains(" made in Sentry");
            Ok(reply.is_some_and(is_done))
        })
    }

    /// Compares and approves until nothing is left to do; false if something is left for a second look.
    fn compare_to_the_end(&mut self) -> Result<bool, Failure> {
        for _ in 0..120 {
            self.revive();
            self.tally.comparisons += 1;
            let reply = self.command(Command::Sync(Sync { apply: true, ..Sync::default() }));
            match reply.map(|reply| reply.exit) {
                Some(0) => return Ok(true),
                // What is not held is left for a second look.
                Some(2) if !self.approve()? => return Ok(false),
                // Still waiting for what failed before.
                _ => self.pass(Duration::from_secs(10)),
            }
        }
        Err(Failure::new("it_comes_to_an_end", "comparison after comparison finds something to do".into()))
    }

    /// What is held meanwhile is approved.
    fn wait_until_equal(&mut self) -> Done {
        for n in 0..400 {
            if self.differences().is_empty() {
                break;
            }
            self.revive();
            self.approve()?;
            self.pass(Duration::from_secs(if n < 20 { 1 } else { 20 }));
        }
        Ok(())
    }

    fn wait_for_rest(&mut self) -> Done {
        self.wait_until("nothing is queued", |seq| {
            // What was missed is queued by the time at which it is told that GitHub's list was read.
            let Some(shown) = seq.status() else { return Ok(false) };
            let is_read = seq.missed.is_empty() || shown.recovered.is_some();
            // A deletion that is held keeps a slug from the team that waits for it, although all looks equal.
            seq.approve_of(&shown)?;
            Ok(is_read && shown.is_at_rest())
        })
    }
}
