//! The command `sync`: shows the plan, keeps it in a file, or carries it out.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

use super::part::Tally;
use super::plan::Plan;
use super::read::Progress;
use crate::commands::Reply;
use crate::engine::Engine;
use crate::state::record::Mode;

/// How often whoever waits is told how far it is.
const TELL: Duration = Duration::from_secs(2);

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// As JSON.
    pub json: bool,
    /// Only these teams are shown, by slug; empty for all.
    pub teams: Vec<String>,
    /// Carry it out.
    pub apply: bool,
    /// A kept plan: carried out only if a fresh one is the same.
    pub kept: Option<Value>,
    /// The caller wants to keep the plan.
    pub save: bool,
}

/// Carries out the command by an engine that knows whose teams these are.
pub fn run(engine: &Engine, sync: &Sync, progress: Progress) -> Reply {
    if engine.bearings().is_some_and(|(_, mode)| mode == Mode::Payload) {
        return failed("GH_TOKEN may not read members, so that there is nothing to compare with", PERMISSION);
    }
    // Without both sides: what is carried out below is compared afresh, and two organisations are too much to keep.
    let shown = match engine.compare(false, progress) {
        Ok(Some(comparison)) => comparison.plan,
        Ok(None) => return failed("the GitHub organisation is not known yet", "set GH_ORG to its login"),
        Err(trouble) => return failed(&format!("failed to read both sides: {trouble}"), ""),
    };
    let plan = shown.only_if(&sync.teams);
    let mut reply = Reply { out: show(&plan, sync.json), ..Reply::default() };
    let kept = keepable(&plan);
    reply.exit = if plan.is_in_sync() { 0 } else { 2 };
    if let Some(expected) = sync.kept.as_ref().filter(|expected| **expected != kept) {
        reply.out = differences(expected, &plan);
        reply.err = "error: the plan has changed since it was kept; nothing was done\n".into();
        reply.exit = 2;
        return reply;
    }
    if sync.save {
        reply.plan = Some(kept);
    }
    if !sync.apply {
        return reply;
    }
    if !sync.teams.is_empty() {
        return failed("`sync --apply` carries out the whole plan", "leave --team out");
    }
    loop {
        match engine.reconcile(false, progress) {
            Ok(Some(done)) => {
                applied(&mut reply, &wait(&done.run, progress), &plan);
                return reply;
            }
            // What is still being carried out comes first.
            Ok(None) => match engine.last_reconcile() {
                Some(last) => drop(wait(&last.run, progress)),
                None => return failed("the GitHub organisation is not known yet", "set GH_ORG to its login"),
            },
            Err(trouble) => return failed(&format!("failed to read both sides: {trouble}"), ""),
        }
    }
}

const PERMISSION: &str = "give the token Members: read on the organisation";

fn failed(what: &str, fix: &str) -> Reply {
    let fix = if fix.is_empty() { String::new() } else { format!("  fix: {fix}\n") };
    Reply { err: format!("error: {what}\n{fix}"), exit: 1, ..Reply::default() }
}

fn show(plan: &Plan, as_json: bool) -> String {
    match as_json {
        true => serde_json::to_string_pretty(plan).unwrap_or_default() + "\n",
        false => plan.to_string(),
    }
}

/// The plan as it is kept in a file: for programs, and for whoever opens it.
fn keepable(plan: &Plan) -> Value {
    let lines: Vec<_> = plan.to_string().lines().map(String::from).collect();
    json!({ "format": 1, "text": lines, "plan": plan })
}

/// The lines that are in one of both only.
fn differences(kept: &Value, plan: &Plan) -> String {
    let now = plan.to_string();
    let now: Vec<_> = now.lines().collect();
    let then: Vec<_> = kept["text"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out = String::new();
    for line in then.iter().filter(|line| !now.contains(line)) {
        let _ = writeln!(out, "- {}", crate::escape::plain(line, 300));
    }
    for line in now.iter().filter(|line| !then.contains(line)) {
        let _ = writeln!(out, "+ {line}");
    }
    out
}

fn wait(run: &super::part::Run, progress: Progress) -> Tally {
    let total = run.tally().open;
    loop {
        let tally = run.wait(TELL);
        if tally.open == 0 {
            return tally;
        }
        let put_off = tally.put_off.map(|why| format!(" ({why})")).unwrap_or_default();
        progress(&format!("{} changes made, {} of {total} teams to go{put_off}", tally.written, tally.open));
    }
}

fn applied(reply: &mut Reply, tally: &Tally, plan: &Plan) {
    let _ = writeln!(reply.out, "done: {} changes made in Sentry", tally.written);
    for why in &tally.failed {
        let _ = writeln!(reply.err, "error: {why}");
    }
    reply.exit = match (tally.failed.is_empty(), plan.holds.is_empty()) {
        (false, _) => 1,
        (true, false) => 2,
        (true, true) => 0,
    };
}
