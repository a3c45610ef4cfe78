//! Findings, and the report of all of them. This module must never check anything itself.

use std::fmt::Write;

use serde::Serialize;

use crate::commands::Reply;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Reply as Answered, Trouble};
use crate::text::{self, counted};

/// The maximum length of a text, in characters.
const SENTENCE: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    /// Neither good nor bad: it was not checked, or it is a matter of taste.
    Note,
    /// It works, but is limited or at risk.
    Warning,
    Failed,
}

/// The subject of a finding, in the order in which findings are shown.
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

/// The result of one check. Its texts are escaped, so foreign text cannot control a terminal.
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
        let fix = "check again in a minute; the log has details";
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

/// How a report is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Json,
    /// For people: everything, or without the passed checks.
    Text {
        is_whole: bool,
    },
}

impl Shape {
    pub fn of(json: bool, verbose: bool) -> Self {
        if json {
            Shape::Json
        } else {
            Shape::Text { is_whole: verbose }
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
    /// Neither GitHub nor Sentry was asked, and no state directory was read.
    offline: bool,
    findings: Vec<Finding>,
    n_ok: usize,
    n_notes: usize,
    n_warnings: usize,
    n_failed: usize,
    exit: u8,
}

impl Report {
    /// Sums up. `misconfigured` means that the configuration has faults, which is exit code 64 instead of 1.
    pub fn new(mut findings: Vec<Finding>, by: By, misconfigured: bool) -> Self {
        findings.sort_by_key(|finding| finding.area);
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        let [n_ok, n_notes, n_warnings, n_failed] =
            [Level::Ok, Level::Note, Level::Warning, Level::Failed].map(count);
        let exit = if misconfigured { 64 } else { u8::from(n_failed > 0) };
        let (by_service, offline) = (by == By::Service, by == By::Offline);
        Self { by_service, offline, findings, n_ok, n_notes, n_warnings, n_failed, exit }
    }

    pub fn reply(&self, shape: Shape) -> Reply {
        let out = match shape {
            Shape::Json => text::pretty(self),
            Shape::Text { is_whole } => self.to_text(is_whole),
        };
        Reply { out, exit: self.exit, ..Reply::default() }
    }

    /// Shows the worst findings first, each fix below its finding, then a summary. Passed checks are only counted,
    /// unless `is_whole` is set or the user asked for the check with `--url`.
    fn to_text(&self, is_whole: bool) -> String {
        let mut text = String::new();
        let is_shown =
            |finding: &Finding| is_whole || finding.level != Level::Ok || finding.area == Area::Url;
        for level in [Level::Failed, Level::Warning, Level::Note, Level::Ok] {
            let is_of_level = |finding: &&Finding| finding.level == level && is_shown(finding);
            for Finding { area, what, fix, .. } in self.findings.iter().filter(is_of_level) {
                let _ = writeln!(text, "{:<7}  {:<13}  {what}", level.name(), area.name());
                if let Some(fix) = fix {
                    let _ = writeln!(text, "{:24}fix: {fix}", "");
                }
            }
        }
        let Self { n_notes, n_warnings, n_failed, .. } = self;
        if !is_whole {
            let n_hidden = self.findings.iter().filter(|finding| !is_shown(finding)).count();
            let _ = writeln!(text, "{} passed; -v shows them", counted(n_hidden, "check", "checks"));
        }
        let by = match (self.by_service, self.offline) {
            (true, _) => "the running service checked this",
            (false, false) => "no service is running, so this command checked its own settings",
            (false, true) => "this command checked the settings only",
        };
        let notes = counted(*n_notes, "note", "notes");
        let warnings = counted(*n_warnings, "warning", "warnings");
        text + &format!("{n_failed} failed, {warnings}, {notes}; {by}\n")
    }
}

/// Why an answer that is not from the API cannot be used.
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
    fn a_text_begins_with_the_worst_counts_what_is_good_and_ends_with_a_summary() {
        let findings = vec![
            Area::Sentry.failed("b \u{1b}[31m\nx", "do\u{202e} this"),
            Area::Configuration.ok("a"),
            Area::Clock.note("d"),
            Area::Sentry.warning("c", "e"),
            Area::Url.ok("f"),
        ];
        let report = Report::new(findings, By::Service, false);
        let text = |verbose| report.reply(Shape::of(false, verbose)).out;
        let bad = "failed   sentry         b \\u{1b}[31m\\u{a}x\n\
                   \x20                       fix: do\\u{202e} this\n\
                   warning  sentry         c\n\
                   \x20                       fix: e\n\
                   note     clock          d\n";
        let end = "1 failed, 1 warning, 1 note; the running service checked this\n";
        let asked = "ok       url            f\n";
        assert_eq!(text(false), format!("{bad}{asked}1 check passed; -v shows them\n{end}"));
        assert_eq!(text(true), format!("{bad}ok       configuration  a\n{asked}{end}"));
    }

    #[test]
    fn warnings_are_no_failure_and_faults_of_the_configuration_are_64() {
        let exit = |findings, misconfigured| {
            Report::new(findings, By::Command, misconfigured).reply(Shape::Json).exit
        };
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
