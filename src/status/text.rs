//! The status for a terminal: plain lines, foreign text escaped. Writing to memory can not fail.

use std::fmt::Write;

use super::{Failure, Headline, HoldView, Host, LastReconcile, Rate, Status};
use crate::clock::short;
use crate::state::values::Mode;
use crate::text::{counted, Quoted, Safe};

/// How many of the last deliveries are shown.
const RECENT: usize = 10;
/// How many of the queued ones are.
const QUEUED: usize = 10;

impl Status {
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write_head(&mut text);
        if self.is_served() {
            host(&mut text, "github", &self.github);
            host(&mut text, "sentry", &self.sentry);
        }
        self.write_comparison(&mut text);
        self.write_what_waits(&mut text);
        for recent in self.recent.iter().take(RECENT) {
            let _ =
                writeln!(text, "{} {} {}: {}", recent.at, recent.event, recent.guid, Quoted(&recent.note));
        }
        text
    }

    fn is_served(&self) -> bool {
        self.ready || !self.reasons.is_empty()
    }

    fn write_head(&self, text: &mut String) {
        let Headline { title, why, .. } = &self.headline;
        let _ = match (self.ready, self.is_served()) {
            (true, _) => writeln!(text, "ready: the mirror works\n{title}: {why}"),
            (false, false) => {
                writeln!(text, "no service is running: this is what its state directory holds")
            }
            (false, true) => {
                let reasons = self.reasons.join("; ");
                writeln!(text, "NOT READY: {reasons}\n  {why}\n  what to do: sentry-team-sync check")
            }
        };
        if let Some(pause) = &self.paused {
            let _ = writeln!(text, "PAUSED: {pause}\n  to resume: sentry-team-sync resume");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        // Those of a protection are among the warnings.
        for unused in self.unused.iter().flatten().filter(|one| !one.is_of_protection()) {
            let _ = writeln!(text, "note: {}", unused.told());
        }
        let org = self.github_org.as_deref().unwrap_or("not known yet");
        let mode = match self.mode {
            Some(Mode::Read) => "read",
            Some(Mode::Payload) => "payload",
            None => "not known yet",
        };
        let to = if self.is_served() { format!(" -> {}", self.sentry_org) } else { String::new() };
        let _ = writeln!(text, "organisation: {org}{to}, mode: {mode}");
        let oldest = self.oldest_queued.map_or_else(|| "none".into(), |at| at.to_string());
        let _ = writeln!(text, "queue: {}, oldest: {oldest}", counted(self.queued, "delivery", "deliveries"));
        self.write_queue(text);
        let Self { teams, matched, wanted, .. } = self;
        let linked =
            if self.linked == 0 { String::new() } else { format!(", {} linked in CODEOWNERS", self.linked) };
        let _ = writeln!(text, "teams: {teams} bound{linked}; people: {matched} matched, {wanted} wanted");
    }

    fn write_queue(&self, text: &mut String) {
        for queued in self.queue.iter().take(QUEUED) {
            let _ = writeln!(text, "  since {}: {queued}{}", queued.since, queued.attempt);
        }
        if self.queued > QUEUED {
            let _ = writeln!(text, "  … and {} more", self.queued - QUEUED);
        }
    }

    fn write_comparison(&self, text: &mut String) {
        if let Some(last) = &self.last_reconcile {
            let LastReconcile { at, summary, failed, differences, .. } = last;
            let ago = short(self.at.since(**at));
            let _ = writeln!(text, "last comparison: {at}, {ago} ago; it found: {summary}");
            let _ = writeln!(text, "  who is in Sentry's teams was read {}", Safe(&last.members_read));
            if *differences > 0 {
                let became = last.what_became_of_it();
                let _ = writeln!(text, "  since then: {became}; {}", last.what_was_made());
            }
            for why in failed {
                let _ = writeln!(text, "not done: {why}");
            }
        }
        if let Some(failed) = &self.look_failed {
            let what = if self.compares() { "not compared" } else { "Sentry's people not read" };
            let _ = writeln!(text, "{what} since {}: {}", failed.since, Safe(&failed.why));
        }
    }

    fn write_what_waits(&self, text: &mut String) {
        self.write_incomplete(text);
        for wait in &self.waits {
            let sooner = if wait.attempt.next_try.is_some() { ", or as soon as it is free" } else { "" };
            let _ = writeln!(text, "waiting: {wait}{}{sooner}", wait.attempt);
        }
        for delayed in &self.delayed {
            let _ = writeln!(text, "put off: {} of {}{}", delayed.event, delayed.what, delayed.attempt);
        }
        for hold in &self.holds {
            let decision = hold.decision.unwrap_or("waits for you");
            let more = hold.n_changes.saturating_sub(hold.changes.len());
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let (changes, HoldView { name, rule, .. }) = (hold.changes.join(", "), hold);
            let _ = writeln!(text, "hold {name}: {changes}{more} [{rule}], {decision}");
            if hold.decision.is_none() {
                let _ = writeln!(text, "  to carry it out: sentry-team-sync approve {name}");
                let _ = writeln!(text, "  to leave it: sentry-team-sync reject {name}");
            }
        }
        for Failure { delivery, event, why, .. } in &self.failures {
            let _ = writeln!(text, "failed {delivery}: {event}: {why}");
            let _ = writeln!(text, "  to try again: sentry-team-sync replay {delivery}");
        }
        for person in &self.unmatched {
            let _ = writeln!(text, "wanted {}: {} (in {} teams)", person.login, person.why, person.teams);
            let _ = writeln!(text, "  to match them: {}", person.help);
        }
        if let Some(next) = self.next_look.as_ref().filter(|_| self.wanted > 0) {
            let _ = writeln!(text, "whoever is wanted is looked for again at {next}, at the latest");
        }
        for (what, shown, all) in [
            ("teams wait", self.waits.len(), self.waiting),
            ("things are put off", self.delayed.len(), self.n_delayed),
            ("deliveries failed", self.failures.len(), self.failed),
            ("people are wanted", self.unmatched.len(), self.wanted),
        ] {
            more(text, what, shown, all);
        }
    }
}

/// A list is cut; the number is whole.
pub(super) fn more(text: &mut String, what: &str, shown: usize, all: usize) {
    if all > shown {
        let _ = writeln!(text, "… and {} more {what}", all - shown);
    }
}

fn host(text: &mut String, name: &str, host: &Host) {
    let why = host.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    let health = match (host.health, host.calls) {
        ("well", 0) => "not asked yet",
        (health, _) => health,
    };
    let calls = counted(usize::try_from(host.calls).unwrap_or(usize::MAX), "call", "calls");
    let _ = writeln!(text, "{name}: {health}{why}, {calls}, {} failed", host.failures);
    for Rate { class, limit, remaining, reset } in &host.rates {
        let _ = writeln!(text, "  rate {class}: {remaining} of {limit} left, new at {reset}");
    }
    if let Some(app) = &host.app {
        let _ = writeln!(text, "  signed in as the GitHub App {app}");
    }
    if let Some(at) = &host.token_expires {
        let _ = writeln!(text, "  its token expires: {at}");
    }
}
