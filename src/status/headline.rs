//! Sums up the status in a title and a few sentences: is Sentry in step with GitHub? Pure: the time is an argument.

use std::time::Duration;

use serde::Serialize;

use super::{HoldView, LastReconcile, Status};
use crate::clock::{short, Timestamp};
use crate::state::holds::FIRST;
use crate::state::values::Mode;
use crate::text::{capital, counted, Safe};

/// A delay of less than this is no trouble: a host hiccups, or a replica of GitHub lags.
const PASSING: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Headline {
    pub mood: Mood,
    pub title: String,
    pub why: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    /// Sentry is in step with GitHub, as far as the service can know.
    #[default]
    True,
    /// Changes are being made.
    Working,
    /// Something needs a person, or cannot be done at the moment.
    Waits,
    Broken,
}

impl Status {
    /// The first of these that applies: no service, not ready, paused, something for a person, a host that is down,
    /// failing comparisons, delayed changes, work under way, in step.
    pub(super) fn tell(&self, now: Timestamp) -> Headline {
        let say = |mood, title: &str, why: String| Headline { mood, title: title.into(), why };
        if self.started.is_none() {
            let why = "This is what its state directory holds.";
            return say(Mood::Broken, "No service is running", why.into());
        }
        if !self.reasons.is_empty() {
            return say(Mood::Broken, "Not ready", self.while_not_ready(now));
        }
        let for_you = self.for_a_person();
        if let Some(pause) = &self.paused {
            let also = self.queue(now).into_iter().chain(for_you).collect::<Vec<_>>().join(", ");
            let also = if also.is_empty() { also } else { format!(" {}", sentence(&also)) };
            return say(Mood::Waits, "Paused", sentence(&pause.to_string()) + &also);
        }
        if let [first, also @ ..] = for_you.as_slice() {
            let also = if also.is_empty() { String::new() } else { sentence(&also.join(", ")) };
            let why = also + &self.about_the_rest(now);
            let why = if why.is_empty() { "Details are below." } else { why.trim_start() };
            return say(Mood::Waits, first, why.into());
        }
        let hosts = [("GitHub", &self.github), ("Sentry", &self.sentry)];
        if let Some((name, _)) = hosts.into_iter().find(|(_, host)| !host.is_well()) {
            let waiting = self.queue(now).unwrap_or_else(|| "nothing is waiting for it".into());
            return say(Mood::Waits, &format!("{name} does not answer"), sentence(&waiting));
        }
        if let Some(why) = self.not_compared(now) {
            let title = if self.compares() { "Comparison failing" } else { "Cannot read Sentry's members" };
            return say(Mood::Waits, title, why);
        }
        if let Some(why) = self.stalled(now) {
            return say(Mood::Waits, "Some changes are delayed", why);
        }
        if let Some(work) = self.under_way(now) {
            return say(Mood::Working, "Catching up", sentence(&work));
        }
        match (&self.last_reconcile, self.mode) {
            (Some(last), _) => {
                let why = last.account(now) + &self.incomplete.sentence() + &self.unmatched();
                if last.is_mended() && self.incomplete.n_not_removed == 0 {
                    say(Mood::True, &self.in_step(), why)
                } else {
                    say(Mood::Waits, "Out of step", why)
                }
            }
            (None, Some(Mode::Payload)) => {
                let why = "All deliveries are done. Payload mode does not compare.";
                say(Mood::True, "In step", why.to_string() + &self.unmatched())
            }
            (None, _) => say(Mood::Working, "Ready", "The first comparison is still running.".into()),
        }
    }

    /// Since when the service has not been ready, what happens to deliveries meanwhile, and where to read on.
    fn while_not_ready(&self, now: Timestamp) -> String {
        let since = self.not_ready_since.map(|at| format!("Since {at}, {} ago. ", short(now.since(*at))));
        let since = since.unwrap_or_default();
        let stored = if self.stores_deliveries {
            "Deliveries are being stored; nothing is lost."
        } else {
            "Deliveries cannot be stored and are refused: GitHub keeps them for three days, under Recent Deliveries."
        };
        format!("{since}{stored} `sentry-team-sync check` shows how to fix it.")
    }

    /// A person may have rejected changes, so that Sentry differs from GitHub on purpose.
    fn in_step(&self) -> String {
        let rejected = self.holds.iter().filter(|hold| hold.decision == Some("rejected"));
        match rejected.map(|hold| hold.n_changes).sum() {
            0 => "In step".into(),
            n => format!("In step but for {}", counted(n, "rejected change", "rejected changes")),
        }
    }

    /// The state of everything that needs no person.
    fn about_the_rest(&self, now: Timestamp) -> String {
        let first = |hold: &HoldView| hold.decision.is_none() && hold.rule.starts_with(FIRST);
        if self.holds.iter().any(first) {
            let teams = match self.teams {
                0 => "no team is mirrored yet".into(),
                n => counted(n, "team is mirrored", "teams are mirrored"),
            };
            return format!(
                " Until you approve the first comparison, only deliveries change anything: {teams}."
            );
        }
        if let Some(why) = self.not_compared(now).or_else(|| self.stalled(now)) {
            return format!(" {why}");
        }
        match (&self.last_reconcile, self.under_way(now)) {
            (_, Some(work)) => format!(" {}", sentence(&work)),
            (Some(last), None)
                if self.teams > 0
                    && last.is_mended()
                    && last.differences <= last.held
                    && self.incomplete.n_not_removed == 0 =>
            {
                format!(
                    " Everything else was in step at the last comparison, {} ago.",
                    short(now.since(*last.at))
                )
            }
            (Some(last), None) => format!(" {}", last.account(now)),
            (None, None) => String::new(),
        }
    }

    fn unmatched(&self) -> String {
        match self.wanted {
            0 => String::new(),
            n => {
                let people = counted(n, "person in GitHub's teams is", "people in GitHub's teams are");
                format!(" {people} not in Sentry yet.")
            }
        }
    }

    fn for_a_person(&self) -> Vec<String> {
        let all = [
            (self.held, "decision needs you", "decisions need you"),
            (self.failed, "delivery failed", "deliveries failed"),
            (self.warnings.len(), "warning", "warnings"),
        ];
        all.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, more)| counted(n, one, more)).collect()
    }

    /// Whether both sides are compared. In payload mode, payloads are trusted, and only Sentry's members are read.
    pub fn compares(&self) -> bool {
        self.mode != Some(Mode::Payload)
    }

    /// Both sides, or Sentry's members, could not be read: they may be out of step by now.
    fn not_compared(&self, now: Timestamp) -> Option<String> {
        let failed = self.look_failed.as_ref()?;
        let last = self.last_reconcile.as_ref().map(|last| last.at);
        // A person may have run `sync --apply` since then.
        if last.is_some_and(|last| last > failed.since) {
            return None;
        }
        let (ago, why) = (short(now.since(*failed.since)), Safe(&failed.why));
        if !self.compares() {
            return Some(format!(
                "New Sentry members cannot be found: reading Sentry's members has failed for {ago}: {why}."
            ));
        }
        let before = match last {
            Some(last) => format!("The last comparison was {} ago", short(now.since(*last))),
            None => "There was no comparison yet".into(),
        };
        Some(format!("{before}; comparing has failed for {ago}: {why}."))
    }

    /// The oldest work that has been delayed for longer than a passing problem lasts.
    fn stalled(&self, now: Timestamp) -> Option<String> {
        let queue = self.queue.iter().map(|queued| (queued.to_string(), &queued.attempt));
        let waits = self.waits.iter().map(|wait| (wait.to_string(), &wait.attempt));
        let delayed = self.delayed.iter().map(|delayed| (delayed.what.clone(), &delayed.attempt));
        let all = queue.chain(waits).chain(delayed);
        let oldest = all.filter_map(|(what, attempt)| Some((attempt.why_since?, what, attempt)));
        let (since, what, attempt) = oldest.min_by_key(|(since, ..)| *since)?;
        if now.since(*since) < PASSING {
            return None;
        }
        let n = (self.queued + self.n_delayed).saturating_sub(1);
        let more = match n {
            0 => String::new(),
            n => format!(" {} delayed too.", counted(n, "other change is", "other changes are")),
        };
        Some(format!("{}{attempt}.{more}", capital(&what)))
    }

    fn under_way(&self, now: Timestamp) -> Option<String> {
        let open = self.last_reconcile.as_ref().filter(|last| last.open > 0);
        let approved = self.holds.iter().filter(|hold| hold.decision == Some("approved")).count();
        match (self.queue(now), open, approved, self.open_hints) {
            (Some(queue), ..) => Some(queue),
            (None, Some(last), ..) => {
                let teams = counted(last.open, "team is", "teams are");
                Some(format!(
                    "the last comparison found {}; {teams} still being worked on",
                    differences(last)
                ))
            }
            (None, None, 0, 0) => None,
            (None, None, 0, n) => Some(format!("{} being made", counted(n, "change is", "changes are"))),
            (None, None, n, _) => {
                Some(format!("{} being carried out", counted(n, "approved hold is", "approved holds are")))
            }
        }
    }

    fn queue(&self, now: Timestamp) -> Option<String> {
        let oldest = self.oldest_queued?;
        let waits = counted(self.queued, "delivery is queued", "deliveries are queued");
        Some(format!("{waits}, the oldest for {}", short(now.since(*oldest))))
    }
}

impl LastReconcile {
    /// Whether everything that it found, and that is not on hold, is done.
    pub(crate) fn is_mended(&self) -> bool {
        self.open == 0 && self.failed.is_empty() && self.left == 0 && self.stuck == 0
    }

    /// Reports what it found, and the result.
    fn account(&self, now: Timestamp) -> String {
        let found = format!("The last comparison, {} ago, found", short(now.since(*self.at)));
        let found = match self.differences {
            0 => format!("{found} no differences"),
            _ if self.paused => {
                format!("{found} {}; writes were paused, so none was carried out", differences(self))
            }
            _ => format!("{found} {}: {}", differences(self), self.what_became_of_it()),
        };
        let told = |n, one, many| match n {
            0 => String::new(),
            n => format!("; {}", counted(n, one, many)),
        };
        let stuck = told(self.stuck, "team waits for a slug", "teams wait for a slug");
        let unseen = told(self.unseen, "team is not visible on GitHub", "teams are not visible on GitHub");
        format!("{found}{stuck}{unseen}.")
    }

    /// `3 changes made in Sentry, 1 team bound; 2 teams are still being worked on`.
    pub(super) fn what_was_made(&self) -> String {
        let mut made = format!("{} made in Sentry", counted(self.written, "change", "changes"));
        if self.adopted > 0 {
            made += &format!(", {} bound", counted(self.adopted, "team", "teams"));
        }
        if self.open > 0 {
            made += &format!("; {} still being worked on", counted(self.open, "team is", "teams are"));
        }
        made
    }

    /// `2 fixed, 1 on hold`; empty if it found nothing.
    pub(crate) fn what_became_of_it(&self) -> String {
        let unfixed = self.failed.len() + self.left;
        let fixed = self.differences.saturating_sub(self.held + unfixed);
        let parts = [
            (fixed, if self.open == 0 { "fixed" } else { "fixed or in progress" }),
            (self.held, "on hold"),
            (self.failed.len(), "failed"),
            (self.left, "left for the next comparison"),
        ];
        let parts = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        parts.collect::<Vec<_>>().join(", ")
    }
}

fn differences(last: &LastReconcile) -> String {
    counted(last.differences, "difference", "differences")
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    capital(text) + "."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::status::{Attempt, Delayed, HoldView, LookFailed};

    const NOW: Timestamp = Timestamp(1_795_470_828_000);

    fn told(change: impl FnOnce(&mut Status)) -> (Mood, String, String) {
        let mut status = Status {
            started: Some(Timestamp(0).into()),
            mode: Some(Mode::Read),
            ..Status::of_state(&State::default(), &[], Timestamp::now())
        };
        change(&mut status);
        let Headline { mood, title, why } = status.tell(NOW);
        (mood, title, why)
    }

    fn is(mood: Mood, title: &str, why: &str) -> (Mood, String, String) {
        (mood, title.into(), why.into())
    }

    fn last(differences: usize, open: usize, failed: &[&str]) -> Option<LastReconcile> {
        let failed = failed.iter().map(ToString::to_string).collect();
        let at = Timestamp(NOW.0 - 600_000).into();
        Some(LastReconcile {
            at,
            seconds: 0.5,
            summary: String::new(),
            differences,
            held: 0,
            stuck: 0,
            unseen: 0,
            linked_elsewhere: 0,
            paused: false,
            members_by: "teams",
            members_read: String::new(),
            open,
            written: 0,
            adopted: 0,
            left: 0,
            failed,
        })
    }

    fn hold(decision: &'static str) -> HoldView {
        let (changes, text) = (Vec::new(), String::new);
        let (decision, since) = (Some(decision), NOW.into());
        HoldView { name: text(), n_changes: 2, changes, rule: text(), since, decision, ..HoldView::default() }
    }

    #[test]
    fn the_headline_is_the_worst_that_holds() {
        assert_eq!(told(|_| ()), is(Mood::Working, "Ready", "The first comparison is still running."));
        assert_eq!(
            told(|status| status.last_reconcile = last(0, 0, &[])),
            is(Mood::True, "In step", "The last comparison, 10m ago, found no differences.")
        );
        assert_eq!(
            told(|status| status.last_reconcile = last(1, 0, &[])),
            is(Mood::True, "In step", "The last comparison, 10m ago, found 1 difference: 1 fixed.")
        );
        assert_eq!(
            told(|status| status.last_reconcile = last(3, 2, &[])),
            is(
                Mood::Working,
                "Catching up",
                "The last comparison found 3 differences; 2 teams are still being worked on."
            )
        );
        assert_eq!(
            told(|status| status.last_reconcile = last(3, 0, &["x"])),
            is(
                Mood::Waits,
                "Out of step",
                "The last comparison, 10m ago, found 3 differences: 2 fixed, 1 failed."
            )
        );
        let rejected = |status: &mut Status| {
            status.last_reconcile = last(2, 0, &[]).map(|last| LastReconcile { held: 2, ..last });
            status.holds = ["rejected", "approved"].map(hold).into();
        };
        let why = "The last comparison, 10m ago, found 2 differences: 2 on hold.";
        assert_eq!(told(rejected), is(Mood::Working, "Catching up", "1 approved hold is being carried out."));
        let settled = |status: &mut Status| {
            rejected(status);
            status.holds.pop();
        };
        assert_eq!(told(settled), is(Mood::True, "In step but for 2 rejected changes", why));
        let looking = |status: &mut Status| (status.open_hints, status.last_reconcile) = (2, last(0, 0, &[]));
        assert_eq!(told(looking), is(Mood::Working, "Catching up", "2 changes are being made."));
        let busy = |status: &mut Status| {
            status.last_reconcile = last(0, 0, &[]);
            status.queued = 2;
            status.oldest_queued = Some(Timestamp(NOW.0 - 40_000).into());
        };
        let queue = "2 deliveries are queued, the oldest for 40s.";
        assert_eq!(told(busy), is(Mood::Working, "Catching up", queue));
        let down = |status: &mut Status| {
            busy(status);
            status.sentry.health = "down";
        };
        assert_eq!(told(down), is(Mood::Waits, "Sentry does not answer", queue));
        let held = |status: &mut Status| {
            down(status);
            (status.held, status.failed) = (1, 2);
        };
        let warned = |status: &mut Status| status.warnings = vec!["x".into()];
        let warned_while_busy = "2 deliveries are queued, the oldest for 40s.";
        let busy_too = |status: &mut Status| {
            busy(status);
            warned(status);
        };
        assert_eq!(told(busy_too), is(Mood::Waits, "1 warning", warned_while_busy));
        assert_eq!(told(warned), is(Mood::Waits, "1 warning", "Details are below."));
        let both = "2 deliveries failed. 2 deliveries are queued, the oldest for 40s.";
        assert_eq!(told(held), is(Mood::Waits, "1 decision needs you", both));
        let broken = |status: &mut Status| {
            held(status);
            status.reasons = vec!["Sentry: no".into()];
            status.not_ready_since = Some(Timestamp(NOW.0 - 600_000).into());
        };
        let refusing = "Since 2026-11-23T21:43:48Z, 10m ago. Deliveries cannot be stored and are refused: GitHub keeps them for three days, under Recent Deliveries. `sentry-team-sync check` shows how to fix it.";
        assert_eq!(told(broken), is(Mood::Broken, "Not ready", refusing));
        let storing = |status: &mut Status| {
            broken(status);
            status.stores_deliveries = true;
        };
        let (_, _, why) = told(storing);
        assert!(
            why.starts_with(
                "Since 2026-11-23T21:43:48Z, 10m ago. Deliveries are being stored; nothing is lost. "
            ),
            "{why}"
        );
    }

    /// The headline must not say "in step" about anything that was not approved, read, done or matched.
    #[test]
    fn the_headline_reassures_of_nothing_that_is_not_so() {
        let first = |status: &mut Status| {
            status.held = 1;
            status.last_reconcile = last(3, 0, &[]).map(|last| LastReconcile { held: 3, ..last });
            let rule = format!("{FIRST}: the first comparison, and Sentry has teams already");
            status.holds = vec![HoldView { decision: None, rule, ..hold("") }];
        };
        let why = "Until you approve the first comparison, only deliveries change anything: no team is mirrored yet.";
        assert_eq!(told(first), is(Mood::Waits, "1 decision needs you", why));
        // This is not the first comparison, and no team is mirrored.
        let adoptions = |status: &mut Status| {
            first(status);
            status.holds[0].rule = "the Sentry team was there before".into();
        };
        let why = "The last comparison, 10m ago, found 3 differences: 3 on hold.";
        assert_eq!(told(adoptions), is(Mood::Waits, "1 decision needs you", why));
        let mirrored = |status: &mut Status| {
            adoptions(status);
            status.teams = 4;
        };
        let why = "Everything else was in step at the last comparison, 10m ago.";
        assert_eq!(told(mirrored), is(Mood::Waits, "1 decision needs you", why));
        let unmatched = |status: &mut Status| {
            status.last_reconcile = last(0, 0, &[]);
            status.wanted = 2;
        };
        let why = "The last comparison, 10m ago, found no differences. 2 people in GitHub's teams are not in Sentry yet.";
        assert_eq!(told(unmatched), is(Mood::True, "In step", why));
        let left = |status: &mut Status| {
            status.last_reconcile = last(2, 0, &[]).map(|last| LastReconcile { left: 1, ..last });
        };
        let why =
            "The last comparison, 10m ago, found 2 differences: 1 fixed, 1 left for the next comparison.";
        assert_eq!(told(left), is(Mood::Waits, "Out of step", why));
        let stuck = |status: &mut Status| {
            status.last_reconcile = last(0, 0, &[]).map(|last| LastReconcile { stuck: 1, unseen: 2, ..last });
        };
        let why = "The last comparison, 10m ago, found no differences; 1 team waits for a slug; 2 teams are not visible on GitHub.";
        assert_eq!(told(stuck), is(Mood::Waits, "Out of step", why));
        let staying = |status: &mut Status| {
            status.last_reconcile = last(0, 0, &[]);
            status.incomplete.n_not_removed = 2;
        };
        assert_eq!((told(staying).0, told(staying).1.as_str()), (Mood::Waits, "Out of step"));
        assert!(told(staying).2.contains("2 people stay in teams because"), "{}", told(staying).2);
        let unread = |status: &mut Status| {
            status.last_reconcile = last(0, 0, &[]);
            let since = Timestamp(NOW.0 - 300_000).into();
            status.look_failed = Some(LookFailed { since, why: "GET /x: 502".into() });
        };
        let why = "The last comparison was 10m ago; comparing has failed for 5m: GET /x: 502.";
        assert_eq!(told(unread), is(Mood::Waits, "Comparison failing", why));
        // A person has run a comparison since then.
        let read = |status: &mut Status| {
            unread(status);
            status.look_failed.as_mut().unwrap().since = Timestamp(NOW.0 - 700_000).into();
        };
        assert_eq!(told(read).1, "In step");
    }

    #[test]
    fn what_is_put_off_is_told_with_its_reason_once_it_is_no_passing_trouble() {
        let put_off = |seconds: u64| {
            move |status: &mut Status| {
                status.last_reconcile = last(0, 0, &[]);
                let attempt = Attempt {
                    why: Some("slug `crew` is taken".into()),
                    why_since: Some(Timestamp(NOW.0 - seconds * 1000).into()),
                    next_try: Some(Timestamp(NOW.0 + 60_000).into()),
                    at_work: false,
                };
                let (what, team) = ("`crew` (GitHub team 7)".into(), Some(7));
                status.delayed = vec![Delayed { what, team, event: "fill team", attempt }];
                status.n_delayed = 1;
                status.open_hints = 1;
            }
        };
        assert_eq!(told(put_off(10)).1, "Catching up");
        let why = "`crew` (GitHub team 7): slug `crew` is taken, since 2026-11-23T21:43:48Z; next try 2026-11-23T21:54:48Z.";
        assert_eq!(told(put_off(600)), is(Mood::Waits, "Some changes are delayed", why));
    }

    #[test]
    fn payload_mode_promises_no_more_than_it_knows() {
        let why = "All deliveries are done. Payload mode does not compare.";
        assert_eq!(told(|status| status.mode = Some(Mode::Payload)), is(Mood::True, "In step", why));
    }
}
