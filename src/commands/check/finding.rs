//! What was found, and the report of all of it. It must never look at anything.

use std::fmt::Write;

use serde::Serialize;

use crate::commands::Reply;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Reply as Answered, Trouble};
use crate::text::{self, counted};

/// No sentence is longer.
const SENTENCE: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    /// Nothing is known to be wrong: it was not looked at, or it is a matter of taste.
    Note,
    /// It works, with a limit that somebody can lift, or a danger to come.
    Warning,
    Failed,
}

/// What a finding is about, in the order in which findings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    Configuration,
    Machine,
    State,
    Clock,
    Github,
    Hook,
    Sentry,
    Identity,
    Url,
}

/// One thing that was looked at. What is foreign in its texts can not steer a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub area: Area,
    pub level: Level,
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Area {
    pub fn name(self) -> &'static str {
        match self {
            Area::Configuration => "configuration",
            Area::Machine => "machine",
            Area::State => "state",
            Area::Clock => "clock",
            Area::Github => "github",
            Area::Hook => "hook",
            Area::Sentry => "sentry",
            Area::Identity => "identity",
            Area::Url => "url",
        }
    }

    pub fn ok(self, what: impl AsRef<str>) -> Finding {
        self.finding(Level::Ok, what.as_ref(), None)
    }

    pub fn note(self, what: impl AsRef<str>) -> Finding {
        self.finding(Level::Note, what.as_ref(), None)
    }

    pub fn warning(self, what: impl AsRef<str>, fix: impl AsRef<str>) -> Finding {
        self.finding(Level::Warning, what.as_ref(), Some(fix.as_ref()))
    }

    pub fn failed(self, what: impl AsRef<str>, fix: impl AsRef<str>) -> Finding {
        self.finding(Level::Failed, what.as_ref(), Some(fix.as_ref()))
    }

    pub fn unread(self, what: &str, trouble: &Trouble) -> Finding {
        let fix = "check again in a minute; the log says more";
        self.failed(format!("failed to read {what}: {trouble}"), fix)
    }

    fn finding(self, level: Level, what: &str, fix: Option<&str>) -> Finding {
        let shown = |text: &str| text::revealed(text).chars().take(SENTENCE).collect();
        Finding { area: self, level, what: shown(what), fix: fix.map(shown) }
    }
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Failed => "failed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Service,
    Command,
    Offline,
}

/// All findings, sorted by area; within one, in the order in which they were found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    by_service: bool,
    /// Neither host was asked, and no state directory looked at.
    offline: bool,
    findings: Vec<Finding>,
    n_ok: usize,
    n_notes: usize,
    n_warnings: usize,
    n_failed: usize,
    exit: u8,
}

impl Report {
    /// Sums up. `misconfigured`: the configuration has faults, which is another exit code than a failure.
    pub fn new(mut findings: Vec<Finding>, by: By, misconfigured: bool) -> Self {
        findings.sort_by_key(|finding| finding.area);
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        let [n_ok, n_notes, n_warnings, n_failed] =
            [Level::Ok, Level::Note, Level::Warning, Level::Failed].map(count);
        let exit = if misconfigured { 64 } else { u8::from(n_failed > 0) };
        let (by_service, offline) = (by == By::Service, by == By::Offline);
        Self { by_service, offline, findings, n_ok, n_notes, n_warnings, n_failed, exit }
    }

    pub fn reply(&self, json: bool) -> Reply {
        let out = if json { text::pretty(self) } else { self.to_text() };
        Reply { out, exit: self.exit, ..Reply::default() }
    }

    /// One line a finding, its fix on a line of its own, and a summary.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for Finding { area, level, what, fix } in &self.findings {
            let _ = writeln!(text, "{:<8} {:<13} {what}", level.name(), area.name());
            if let Some(fix) = fix {
                let _ = writeln!(text, "  fix: {fix}");
            }
        }
        let by = match (self.by_service, self.offline) {
            (true, _) => "the running service",
            (false, false) => "this command, no service runs",
            (false, true) => "this command, the configuration alone",
        };
        let Self { n_ok, n_notes, n_warnings, n_failed, exit, .. } = self;
        let notes = counted(*n_notes, "note", "notes");
        let warnings = counted(*n_warnings, "warning", "warnings");
        text + &format!(
            "checked by {by}: {n_ok} ok, {notes}, {warnings}, {n_failed} failed; exit code {exit}\n"
        )
    }
}

/// Why an answer that is none of the API can not be used.
pub(super) fn unusable<'a>(verdict: &'a Verdict, reply: &'a Answered) -> &'a str {
    match verdict {
        Verdict::Unknown(why) | Verdict::Denied(why) | Verdict::Never(why) => why,
        _ => &reply.exchange.answer,
    }
}

/// The first few of `names`, quoted, and how many more there are.
pub(super) fn some_of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let n = names.len();
    let shown: Vec<_> = names.take(SHOWN).map(|name| text::Quoted(name).to_string()).collect();
    let more = if n > SHOWN { format!(" and {} more", n - SHOWN) } else { String::new() };
    shown.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_sorted_by_area_and_ends_with_a_summary() {
        let findings = vec![
            Area::Sentry.failed("b \u{1b}[31m\nx", "do\u{202e} this"),
            Area::Configuration.ok("a"),
            Area::Sentry.ok("c"),
        ];
        let report = Report::new(findings, By::Service, false);
        assert_eq!(
            report.to_text(),
            "ok       configuration a\n\
             failed   sentry        b \\u{1b}[31m\\u{a}x\n\
             \x20 fix: do\\u{202e} this\n\
             ok       sentry        c\n\
             checked by the running service: 2 ok, 0 notes, 0 warnings, 1 failed; exit code 1\n"
        );
    }

    #[test]
    fn warnings_are_no_failure_and_faults_of_the_configuration_are_64() {
        let exit =
            |findings, misconfigured| Report::new(findings, By::Command, misconfigured).reply(true).exit;
        assert_eq!(exit(vec![Area::Clock.warning("a", "b")], false), 0);
        assert_eq!(exit(vec![Area::Clock.failed("a", "b")], false), 1);
        assert_eq!(exit(vec![Area::Clock.failed("a", "b")], true), 64);
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..10).map(|n| format!("n{n}")).collect();
        let told = some_of(names.iter().map(String::as_str));
        assert!(told.starts_with("\"n0\", \"n1\"") && told.ends_with(" and 2 more"), "{told}");
    }
}
