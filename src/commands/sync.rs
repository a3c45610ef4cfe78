//! The command `sync`: shows the plan, saves it to a file, or carries it out.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

use crate::commands::{Reply, LOOK};
use crate::hosts::http::Trouble;
use crate::queue::part::Tally;
use crate::reconcile::choice::Unknown;
use crate::reconcile::plan::{n_changes, Plan};
use crate::reconcile::reconciler::Reconciler;
use crate::reconcile::run::Comparison;
use crate::reconcile::Progress;
use crate::state::values::Mode;
use crate::store::audit::decisions::Asked;
use crate::text::counted;
use crate::work::mirror::Mirror;

/// How often the progress is shown.
const TELL: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    pub json: bool,
    /// The teams to show and carry out, as the user typed them; empty means all.
    pub teams: Vec<String>,
    pub apply: bool,
    /// A saved plan: carried out only if a fresh plan is the same.
    pub kept: Option<Value>,
    pub save: bool,
}

/// Runs the command. It fails if the mirror does not know its GitHub organisation.
pub fn run(reconciler: &Reconciler, sync: &Sync, asked: &Asked, progress: Progress) -> Reply {
    let mirror = &reconciler.mirror;
    if mirror.bearings().is_some_and(|(_, mode)| mode == Mode::Payload) {
        let fix = "give the token Members: Read-only on the organisation";
        let who = mirror.github_token.who();
        return failed(&format!("{who} cannot read members, so there is nothing to compare"), fix);
    }
    match (sync.apply, mirror.pause()) {
        (true, Some(pause)) => Reply::paused(&pause),
        (true, None) => carry_out(reconciler, sync, asked, progress),
        (false, _) => look(reconciler, sync, progress),
    }
}

fn look(reconciler: &Reconciler, sync: &Sync, progress: Progress) -> Reply {
    let mirror = &reconciler.mirror;
    match reconciler.compare(false, progress) {
        Ok(Some(mut comparison)) => answer(mirror, &mut comparison, sync).unwrap_or_else(|refused| refused),
        Ok(None) => nobody_knows_whose(mirror),
        Err(trouble) => unread(&trouble),
    }
}

/// Carries out exactly the plan that it shows, because both sides are read only once.
fn carry_out(reconciler: &Reconciler, sync: &Sync, asked: &Asked, progress: Progress) -> Reply {
    let mirror = &reconciler.mirror;
    loop {
        let mut shown = None;
        let mut agrees = |comparison: &mut Comparison| {
            let mut answered = answer(mirror, comparison, sync);
            let agreed = answered.is_ok();
            let plan = comparison.plan();
            if let Ok(reply) = &mut answered {
                let line = asked.entry("carry out plan");
                mirror.audit.write(line.because(plan.summary()));
                if !sync.json {
                    reply.out = plan.on_hold();
                }
            }
            let held = !(plan.holds.is_empty() && plan.left_in.is_empty());
            let is_idle = plan.counts().all() == 0;
            let end = if is_idle { plan.summary() } else { plan.remaining() };
            shown = Some((answered, Ending { is_idle, held, end }));
            agreed
        };
        let done = reconciler.reconcile(false, progress, &mut agrees);
        match (done, shown) {
            (Ok(Some(done)), Some((Ok(reply), ending))) => {
                let tally = wait(mirror, &done.run, progress);
                let reply = applied(reply, sync, &tally, &ending);
                return with_pause(mirror, reply);
            }
            (Ok(None), Some((Err(refused), _))) => return refused,
            // An earlier comparison is still being carried out: wait for it, then try again.
            (Ok(_), _) => match reconciler.last_reconcile() {
                Some(last) => drop(wait(mirror, &last.run, progress)),
                None => return nobody_knows_whose(mirror),
            },
            (Err(trouble), _) => return unread(&trouble),
        }
    }
}

/// Returns the plan for the chosen teams, to show or to save. An `Err` is the reply that refuses: a team is unknown, or
/// the saved plan is outdated or from another version.
fn answer(mirror: &Mirror, comparison: &mut Comparison, sync: &Sync) -> Result<Reply, Reply> {
    let chosen = mirror.state(|state| comparison.choose(state, &sync.teams));
    let dormant = chosen.map_err(|unknown| failed(&unknown.what(), Unknown::FIX))?;
    let plan = comparison.plan();
    if sync.kept.as_ref().is_some_and(|kept| kept["format"] != FORMAT) {
        let fix = "save a new one: sentry-team-sync sync --save FILE";
        return Err(failed("another version of the program saved this plan; nothing was done", fix));
    }
    let kept = (sync.save || sync.kept.is_some()).then(|| keepable(plan));
    // Compare the data only: another version may word the text for people differently.
    let is_another = |expected: &&Value| kept.as_ref().is_none_or(|kept| kept["plan"] != expected["plan"]);
    if let Some(expected) = sync.kept.as_ref().filter(is_another) {
        let err = "error: the plan has changed since it was saved; nothing was done\n".into();
        return Err(Reply { out: differences(expected, plan), err, exit: 2, plan: None });
    }
    let left_out = |slug: &String| format!("`{}` is left out by SYNC_TEAMS\n", crate::text::plain(slug, 60));
    let err = dormant.iter().map(left_out).collect();
    let exit = if plan.is_the_same() { 0 } else { 2 };
    let out = if sync.json { crate::text::pretty(plan) } else { plan.to_string() };
    Ok(Reply { out, err, exit, plan: kept.filter(|_| sync.save) })
}

fn nobody_knows_whose(mirror: &Mirror) -> Reply {
    failed(&mirror.why_no_organisation(), LOOK)
}

fn unread(trouble: &Trouble) -> Reply {
    failed(&format!("failed to read both sides: {trouble}"), LOOK)
}

const FORMAT: u64 = 1;

fn failed(what: &str, fix: &str) -> Reply {
    Reply::failed(format_args!("{what}\n  fix: {fix}"))
}

/// The plan as it is saved in a file: data for programs, and text for people who open the file.
fn keepable(plan: &Plan) -> Value {
    let lines: Vec<_> = plan.to_string().lines().map(String::from).collect();
    json!({ "format": FORMAT, "text": lines, "plan": plan })
}

/// Lists the lines that only one of the two plans has.
fn differences(kept: &Value, plan: &Plan) -> String {
    let now = plan.to_string();
    let now: Vec<_> = now.lines().collect();
    let then: Vec<_> = kept["text"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out = String::new();
    for line in then.iter().filter(|line| !now.contains(line)) {
        let _ = writeln!(out, "- {}", crate::text::plain(line, 300));
    }
    for line in now.iter().filter(|line| !then.contains(line)) {
        let _ = writeln!(out, "+ {line}");
    }
    out
}

/// Waits until the run ends or a pause begins. The rest of a paused run is carried out after the pause.
fn wait(mirror: &Mirror, run: &crate::queue::part::Run, progress: Progress) -> Tally {
    let total = run.tally().open;
    loop {
        let tally = run.wait(TELL);
        if tally.open == 0 || mirror.pause().is_some() {
            return tally;
        }
        let put_off = tally.put_off.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let done = what_was_done(&tally);
        progress(&format!("{done}, {} of {total} teams left{put_off}", tally.open));
    }
}

/// Adopted teams are counted apart, because adopting a Sentry team changes nothing in Sentry.
fn what_was_done(tally: &Tally) -> String {
    let written = format!("{} made in Sentry", n_changes(tally.written));
    match tally.adopted {
        0 => written,
        n => {
            let one = "team was bound to an existing Sentry team";
            let many = "teams were bound to existing Sentry teams";
            format!("{written}; {}", counted(n, one, many))
        }
    }
}

/// Adds an error if a pause has begun meanwhile: the rest of the plan waits for `resume`.
fn with_pause(mirror: &Mirror, mut reply: Reply) -> Reply {
    if let Some(pause) = mirror.pause() {
        let _ = writeln!(reply.err, "error: {pause}; what is left is done after `sentry-team-sync resume`");
        reply.exit = 1;
    }
    reply
}

/// Facts about the plan that the final message needs.
struct Ending {
    /// There was nothing to carry out.
    is_idle: bool,
    /// Changes are on hold, or removals were left out because GitHub showed too little.
    held: bool,
    /// The summary of an empty plan; otherwise its part about the changes that remain.
    end: String,
}

fn applied(mut reply: Reply, sync: &Sync, tally: &Tally, ending: &Ending) -> Reply {
    let Ending { is_idle, held, end } = ending;
    // With --json, stdout has the plan and nothing else.
    let to = if sync.json { &mut reply.err } else { &mut reply.out };
    let _ =
        if *is_idle { writeln!(to, "{end}") } else { writeln!(to, "done: {}; {end}", what_was_done(tally)) };
    for why in &tally.failed {
        let _ = writeln!(reply.err, "error: {why}");
    }
    if tally.left > 0 {
        let left = n_changes(tally.left);
        let _ = writeln!(
            reply.err,
            "{left} left for the next comparison: a delivery of the last 15 seconds says otherwise, a Sentry team was \
             renamed meanwhile, or a slug has only now become free"
        );
    }
    reply.exit = match (tally.failed.is_empty(), *held || tally.left > 0) {
        (false, _) => 1,
        (true, true) => 2,
        (true, false) => 0,
    };
    reply
}
