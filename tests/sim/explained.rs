//! Whatever a process has written to Sentry is in the audit log, with what led to it and whom it was about.

use serde_json::Value;

use super::play::{Done, Sequence};
use super::rules::{holds, Failure};
use crate::standin::Call;

/// What a line is called that could only be written into the service's log.
const ELSEWHERE: &str = "audit: failed to write a line: ";

impl Sequence {
    /// Of the process that runs: one that died may not have come to write a line.
    pub fn check_log(&self) -> Done {
        let mut lines = self.audit_lines();
        let is_written = |call: &&Call| call.method != "GET" && (200..300).contains(&call.status);
        let calls = self.sides.sentry.wire.calls();
        for call in calls.iter().skip(self.opened_at).filter(is_written) {
            let told = format!("{} {}", call.method, call.path);
            let found = lines.iter().position(|line| line["call"] == told.as_str());
            let Some(line) = found.map(|at| lines.swap_remove(at)) else {
                return Err(Failure::new("each_write_is_explained", told));
            };
            let missing = missing(call, &line);
            holds(missing.is_none(), "each_write_is_explained", || {
                format!("{told}: no {} in {line}", missing.unwrap_or_default())
            })?;
        }
        Ok(())
    }

    fn audit_lines(&self) -> Vec<Value> {
        let files = self.stage.disk.all();
        let texts = files.iter().filter(|(path, _)| path.to_string_lossy().contains("/audit/"));
        let texts = texts.map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>();
        let heard = self.stage.heard.lines();
        let elsewhere = heard.iter().filter(|line| line.contains(ELSEWHERE));
        let elsewhere = elsewhere.filter_map(|line| line.find('{').and_then(|at| line.get(at..)));
        let all = texts.iter().flat_map(|text| text.lines()).chain(elsewhere);
        all.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// What a line has to say and does not.
fn missing(call: &Call, line: &Value) -> Option<&'static str> {
    let is_told = |field: &str| line.get(field).is_some_and(|value| *value != "");
    let of_member = call.route.contains("/members/{id}/teams/");
    let of_invite = call.route.ends_with("/members/");
    // Not all members are people of GitHub's: strangers come back with a team, and a conflict may be about nobody.
    let is_matched = line["reason"].as_str().is_some_and(|reason| reason.starts_with("matched by "));
    let of_person = of_invite || is_matched || is_told("login");
    // That of a team that is made is told by the answer, if there is one.
    let of_known = !of_invite && (call.method != "POST" || of_member || line["answer"] == "201");
    let due = [
        ("event", true),
        ("decision", true),
        ("answer", true),
        ("reason", of_member),
        ("team", !of_invite),
        ("slug", !of_invite),
        ("sentry_team", of_known),
        ("member", of_member),
        ("person", of_person),
        ("login", of_person),
    ];
    due.into_iter().find_map(|(field, is_due)| (is_due && !is_told(field)).then_some(field))
}
