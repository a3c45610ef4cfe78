//! The status for a terminal: problems first, then an overview in columns. Foreign text is escaped. Write results are
//! ignored, because writing to memory cannot fail.

use std::fmt::Write;

use super::{Failure, Headline, HoldView, Host, LastReconcile, Rate, Status};
use crate::clock::short;
use crate::state::holds::APPROVE_WITH;
use crate::state::values::Mode;
use crate::text::{counted, put, Safe};

/// The longest line. A command is never broken, so that it can be pasted.
const WIDTH: usize = 118;
/// How many entries of a list are shown, unless all are asked for.
const LISTED: usize = 5;
/// How many of the last deliveries are shown.
const RECENT: usize = 10;
/// The column at which a row's text begins, after its name.
const COLUMN: usize = 14;
/// The length of a GUID's first block.
pub const BLOCK: usize = 8;

impl Status {
    /// `verbose`: whole lists, unbroken lines and full GUIDs, and details that help to find a fault.
    pub fn to_text(&self, verbose: bool) -> String {
        let mut view = View { text: String::new(), verbose, guid: self.guid_length(verbose) };
        self.write_head(&mut view);
        self.write_holds(&mut view);
        self.write_failures(&mut view);
        self.write_what_waits(&mut view);
        self.write_incomplete(&mut view);
        self.write_unmatched(&mut view);
        self.write_mirror(&mut view);
        self.write_recent(&mut view);
        view.text
    }

    fn is_served(&self) -> bool {
        self.ready || !self.reasons.is_empty()
    }

    /// How many characters distinguish a GUID from all others that are shown.
    fn guid_length(&self, verbose: bool) -> usize {
        if verbose {
            return usize::MAX;
        }
        let queued = self.queue.iter().map(|queued| &queued.delivery);
        let failed = self.failures.iter().map(|failure| &failure.delivery);
        let recent = self.recent.iter().map(|recent| &recent.guid);
        let mut all: Vec<&str> = queued.chain(failed).chain(recent).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        let same = |pair: &[&str]| pair[0].chars().zip(pair[1].chars()).take_while(|(a, b)| a == b).count();
        all.windows(2).map(|pair| same(pair) + 1).max().unwrap_or(0).max(BLOCK)
    }

    fn write_head(&self, view: &mut View) {
        let Headline { title, why, .. } = &self.headline;
        match (self.ready, self.is_served()) {
            (true, _) => view.line("ready: ", &format!("{title}. {why}")),
            (false, false) => view.line("", "no service is running: this is what its state directory holds"),
            (false, true) => {
                view.line("NOT READY: ", &self.reasons.join("; "));
                view.line("  ", why);
            }
        }
        if let Some(pause) = &self.paused {
            view.line("PAUSED: ", &pause.to_string());
            view.line("  ", "to resume: sentry-team-sync resume");
        }
        for warning in &self.warnings {
            view.line("warning: ", warning);
        }
        // Unused entries of `SYNC_PROTECT` are among the warnings.
        for unused in self.unused.iter().flatten().filter(|one| !one.is_of_protection()) {
            view.line("note: ", &unused.told());
        }
    }

    fn write_holds(&self, view: &mut View) {
        let (open, decided): (Vec<_>, Vec<_>) = self.holds.iter().partition(|hold| hold.decision.is_none());
        if self.held > 0 {
            view.heading(&counted(self.held, "hold needs your decision", "holds need your decision"));
        }
        for hold in &open {
            let HoldView { name, asks, .. } = hold;
            view.line(&format!("  {name}  "), &hold.in_a_line());
            const UNDER: &str = "            ";
            let shown = if view.verbose { asks.len() } else { LISTED.min(asks.len()) };
            for change in asks.iter().take(if hold.n_changes > 1 { shown } else { 0 }) {
                view.line(&format!("{UNDER}- "), change);
            }
            if hold.n_changes > 1 {
                view.more(UNDER, shown, hold.n_changes);
            }
            if let Some(undo) = hold.undo(self.gives_projects_back) {
                view.line(UNDER, &undo);
            }
            view.line(UNDER, &format!("approve: sentry-team-sync approve {name}"));
            view.line(UNDER, &format!("reject:  sentry-team-sync reject {name}"));
        }
        view.more("  ", open.len(), self.held);
        if !decided.is_empty() {
            view.heading("decided");
        }
        for hold in decided {
            let decision = hold.decision.unwrap_or_default();
            view.line(&format!("  {}  ", hold.name), &format!("{decision}: {}", hold.in_a_line()));
        }
    }

    fn write_failures(&self, view: &mut View) {
        if self.failed > 0 {
            view.heading(&counted(self.failed, "delivery failed", "deliveries failed"));
        }
        view.list(&self.failures, self.failed, |view, Failure { delivery, event, why, at }| {
            let guid = view.guid(delivery);
            let before = format!("  {guid}  ");
            view.line(&before, &format!("{event}, {} ago: {why}", short(self.at.since(**at))));
            view.line(&" ".repeat(before.len()), &format!("retry: sentry-team-sync replay {guid}"));
        });
    }

    fn write_what_waits(&self, view: &mut View) {
        if let Some(failed) = &self.look_failed {
            let what = if self.compares() { "comparing" } else { "reading Sentry's members" };
            view.heading(&format!("{what} has failed since {}", failed.since));
            view.line("  ", &Safe(&failed.why).to_string());
        }
        if let Some(failed) =
            self.last_reconcile.as_ref().map(|last| &last.failed).filter(|all| !all.is_empty())
        {
            view.heading("not done by the last comparison");
            view.list(failed, failed.len(), |view, why| view.line("  ", why));
        }
        if self.waiting > 0 {
            view.heading(&counted(self.waiting, "team waits for a slug", "teams wait for a slug"));
        }
        view.list(&self.waits, self.waiting, |view, wait| {
            let sooner = if wait.attempt.next_try.is_some() { ", or as soon as it is free" } else { "" };
            view.line("  ", &format!("{wait}{}{sooner}", wait.attempt));
        });
        let queue: Vec<_> =
            self.queue.iter().filter(|queued| view.verbose || queued.attempt.why.is_some()).collect();
        if self.n_delayed + queue.len() > 0 {
            view.heading("not done yet");
        }
        view.list(&queue, queue.len(), |view, queued| {
            let team = queued.team_named();
            let before = format!("  {}  ", view.guid(&queued.delivery));
            view.line(
                &before,
                &format!("{}{team}, queued since {}{}", queued.event, queued.since, queued.attempt),
            );
        });
        view.list(&self.delayed, self.n_delayed, |view, delayed| {
            let event = if view.verbose { format!(" ({})", delayed.event) } else { String::new() };
            view.line("  ", &format!("{}{event}{}", delayed.what, delayed.attempt));
        });
    }

    fn write_unmatched(&self, view: &mut View) {
        if self.wanted > 0 {
            view.heading(&counted(
                self.wanted,
                "person has no match in Sentry",
                "people have no match in Sentry",
            ));
        }
        let shown = view.shown(self.unmatched.len());
        let logins = self.unmatched.iter().take(shown).map(|person| person.login.chars().count());
        let width = logins.max().unwrap_or(0);
        view.list(&self.unmatched, self.wanted, |view, person| {
            let teams = counted(person.teams, "team", "teams");
            view.line(&format!("  {:width$}  ", person.login), &format!("in {teams}: {}", person.why));
            view.line(&" ".repeat(width + 4), &format!("fix: {}", person.help));
        });
        if let Some(next) = self.next_look.as_ref().filter(|_| self.wanted > 0) {
            view.line("  ", &format!("next search: {next} at the latest"));
        }
    }

    fn write_mirror(&self, view: &mut View) {
        view.text.push('\n');
        let org = self.github_org.as_deref().unwrap_or("not known yet");
        let mode = match self.mode {
            Some(Mode::Read) => "read mode",
            Some(Mode::Payload) => "payload mode",
            None => "mode not known yet",
        };
        let to = if self.is_served() { format!(" -> {}", self.sentry_org) } else { String::new() };
        view.row("organisation", &format!("{org}{to}, {mode}"));
        let oldest = self.oldest_queued.map(|at| format!(", the oldest since {at}"));
        let queued = counted(self.queued, "delivery", "deliveries");
        view.row("queue", &format!("{queued}{}", oldest.unwrap_or_default()));
        let linked =
            if self.linked == 0 { String::new() } else { format!(", {} linked in CODEOWNERS", self.linked) };
        view.row("teams", &format!("{} mirrored{linked}", self.teams));
        view.row("people", &format!("{} matched, {} not matched", self.matched, self.wanted));
        if let Some(last) = &self.last_reconcile {
            self.write_comparison(last, view);
        }
        if self.is_served() {
            host(view, "GitHub", &self.github);
            host(view, "Sentry", &self.sentry);
        }
    }

    fn write_comparison(&self, last: &LastReconcile, view: &mut View) {
        let LastReconcile { at, summary, differences, .. } = last;
        view.row("comparison", &format!("{at}, {} ago, found: {summary}", short(self.at.since(**at))));
        if *differences > 0 {
            view.row("", &format!("since then: {}; {}", last.what_became_of_it(), last.what_was_made()));
        }
        if view.verbose {
            view.row("", &format!("Sentry's memberships were read {}", Safe(&last.members_read)));
        }
    }

    fn write_recent(&self, view: &mut View) {
        let shown = if view.verbose { self.recent.len() } else { RECENT.min(self.recent.len()) };
        if shown > 0 {
            view.heading("last deliveries");
        }
        let recent = || self.recent.iter().take(shown);
        let width = recent().map(|recent| recent.event.chars().count()).max().unwrap_or(0);
        for recent in recent() {
            let ago = || format!("{:>4} ago", short(self.at.since(*recent.at)));
            let at = if view.verbose { recent.at.to_string() } else { ago() };
            let before = format!("  {at}  {:width$}  {}  ", recent.event, view.guid(&recent.guid));
            // The command to approve is shown with the hold.
            let note = if view.verbose { None } else { recent.note.split(APPROVE_WITH).next() };
            let note = Safe(note.unwrap_or(&recent.note));
            view.line(&before, &format!("{}: {note}", recent.became()));
        }
    }
}

/// The text while it is written.
pub(super) struct View {
    text: String,
    pub verbose: bool,
    /// How many characters of a GUID are shown.
    guid: usize,
}

impl View {
    /// How many entries are shown of a list.
    fn shown(&self, all: usize) -> usize {
        if self.verbose {
            all
        } else {
            all.min(LISTED)
        }
    }

    pub fn heading(&mut self, title: &str) {
        let _ = writeln!(self.text, "\n{title}");
    }

    /// Writes `text` after `before`, and continues in the same column if it is too long for one line.
    pub fn line(&mut self, before: &str, text: &str) {
        /// The first of a command's three words, and by how much [`crate::commands::paste`] may lengthen it.
        const NAME: (&str, usize) = ("sentry-team-sync", 18);
        let indent = before.chars().count();
        let mut column = indent;
        self.text += before;
        let mut words = text.split_inclusive(' ');
        while let Some(word) = words.next() {
            if self.verbose {
                self.text += word;
            } else if word.trim_end().ends_with(NAME.0) {
                let command: String = std::iter::once(word).chain(words.by_ref().take(2)).collect();
                put(&mut self.text, &mut column, indent, WIDTH - NAME.1, &command);
            } else {
                put(&mut self.text, &mut column, indent, WIDTH, word);
            }
        }
        self.text.push('\n');
    }

    fn row(&mut self, name: &str, text: &str) {
        self.line(&format!("{name:COLUMN$}"), text);
    }

    /// Writes a list, which is cut, and how many of `all` entries are not shown.
    pub fn list<T>(&mut self, entries: &[T], all: usize, mut write: impl FnMut(&mut Self, &T)) {
        let shown = self.shown(entries.len());
        entries.iter().take(shown).for_each(|entry| write(self, entry));
        self.more("  ", shown, all);
    }

    fn more(&mut self, before: &str, shown: usize, all: usize) {
        if all > shown {
            let whole = if self.verbose { "" } else { " (-v shows more)" };
            let _ = writeln!(self.text, "{before}… and {} more{whole}", all - shown);
        }
    }

    fn guid(&self, guid: &str) -> String {
        Safe(&guid.chars().take(self.guid).collect::<String>()).to_string()
    }
}

fn host(view: &mut View, name: &str, host: &Host) {
    let why = host.why.as_deref().map(|why| format!(": {}", Safe(why))).unwrap_or_default();
    let health = match (host.health, host.calls) {
        ("well", 0) => "not asked yet",
        ("well", _) => "OK",
        ("down", _) => "NOT RESPONDING",
        _ => "REFUSES US",
    };
    let calls = counted(usize::try_from(host.calls).unwrap_or(usize::MAX), "call", "calls");
    view.row(name, &format!("{health}{why} ({calls}, {} failed)", host.failures));
    if let Some(at) = &host.token_expires {
        view.row("", &format!("token expires {at}"));
    }
    if let Some(app) = &host.app {
        view.row("", &format!("signed in as the GitHub App {app}"));
    }
    let verbose = view.verbose;
    for Rate { class, limit, remaining, reset } in host.rates.iter().filter(|rate| verbose || rate.is_low()) {
        view.row("", &format!("rate limit {class}: {remaining} of {limit} left, resets at {reset}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_and_commands_are_not() {
        let mut view = View { text: String::new(), verbose: false, guid: BLOCK };
        view.line(
            "  name  ",
            &format!("{} sentry-team-sync approve 0123abcd end", "word ".repeat(20).trim_end()),
        );
        let lines: Vec<_> = view.text.lines().collect();
        assert_eq!(
            lines,
            [
                format!("  name  {}", "word ".repeat(20).trim_end()),
                "        sentry-team-sync approve 0123abcd end".into()
            ]
        );
        view.verbose = true;
        view.text.clear();
        view.line("", &"word ".repeat(50));
        assert_eq!(view.text.lines().count(), 1);
    }
}
