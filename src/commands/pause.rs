//! The commands `pause` and `resume`.

use std::time::Duration;

use super::{Bench, Reply};
use crate::reconcile::Progress;
use crate::state::record::Record;
use crate::state::Pause;
use crate::store::audit::Entry;
use crate::store::journal::{Entry as Write, NotKept};
use crate::text::{counted, plain, Quoted};
use crate::work::mirror::Mirror;

/// How long a reason may be, in characters.
const REASON: usize = 300;
/// No call takes longer than this.
const UNDER_WAY: Duration = Duration::from_secs(120);

/// Stops all writes to Sentry, and waits up to `UNDER_WAY` for calls that have already begun.
pub fn pause(bench: &Bench, reason: Option<&str>, progress: Progress) -> Reply {
    let reason = plain(reason.unwrap_or_default(), REASON);
    let pause = Pause { reason: reason.as_str().into(), at: bench.journal.clock().wall() };
    let record = Record::Paused { reason: pause.reason.clone(), at: pause.at };
    let before = bench.journal.decide(|state| match &state.paused {
        Some(before) => Write::Await(Some(before.clone())),
        None => Write::Keep(vec![record], None),
    });
    let mut reply = Reply::default();
    match before {
        Err(why) => return not_kept(bench, "the pause", true, &why),
        Ok(Some(before)) => {
            // Whoever paused first may still be waiting for the same calls.
            if let Some(mirror) = bench.mirror() {
                wait_for_calls(mirror, progress, &mut reply);
            }
            reply.say(&format!("already paused: {before}"));
            return reply;
        }
        Ok(None) => {}
    }
    log::warn!("writes paused: reason={}", Quoted(&reason));
    tell_audit(bench, "pause", &reason);
    match bench.mirror() {
        Some(mirror) => {
            wait_for_calls(mirror, progress, &mut reply);
            reply.say("paused: no more writes to Sentry; deliveries are still accepted, and GitHub and Sentry are still compared");
        }
        None => reply.say("paused: no service is running; one that starts will not write to Sentry"),
    }
    reply.say("to resume: sentry-team-sync resume");
    reply
}

fn wait_for_calls(mirror: &Mirror, progress: Progress, reply: &mut Reply) {
    progress("waiting for calls that are under way");
    if !mirror.writes.wait_for_none(UNDER_WAY) {
        reply.fail("a call that was already under way has not ended yet; no other one will be made");
    }
}

pub fn resume(bench: &Bench) -> Reply {
    let was = bench.journal.decide(|state| match &state.paused {
        Some(pause) => Write::Keep(vec![Record::Resumed], Some(pause.clone())),
        None => Write::Await(None),
    });
    let mut reply = Reply::default();
    match was {
        Err(why) => return not_kept(bench, "the end of the pause", false, &why),
        Ok(None) => reply.say("not paused"),
        Ok(Some(pause)) => {
            log::info!("writes resumed: paused_since={}", pause.at);
            tell_audit(bench, "resume", &format!("paused since {}", pause.at));
            let n_queued = bench.journal.read(|state| state.deliveries.n_queued());
            let queued = counted(n_queued, "queued delivery", "queued deliveries");
            reply.say(&match bench.mirror() {
                Some(_) => format!("resumed: working through {queued}, then comparing GitHub and Sentry"),
                None => {
                    format!("resumed: no service is running; {queued} will be worked through when one starts")
                }
            });
        }
    }
    reply
}

/// The change is not on disk and may be lost, but it may apply while this process runs.
fn not_kept(bench: &Bench, what: &str, paused: bool, NotKept(why): &NotKept) -> Reply {
    let is_so = bench.journal.read(|state| state.paused.is_some()) == paused;
    let meanwhile = if is_so { "; until then it lasts no longer than this process" } else { "" };
    Reply::failed(format_args!("failed to record {what}: {why}; ask again once it can be{meanwhile}"))
}

fn tell_audit(bench: &Bench, decision: &'static str, reason: &str) {
    let by = Some(bench.by.clone());
    let entry = Entry { event: "command", decision, by, ..Entry::default() }.because(reason);
    bench.audit(vec![entry]);
}
