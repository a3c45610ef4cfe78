//! Puts a change on hold: records and reports it, and leaves it to a person to approve it.

use super::apply::Apply;
use super::team_job::TeamJob;
use crate::queue::job::Outcome;
use crate::state::holds::{HeldChange, Hold, APPROVE_WITH};
use crate::state::record::Record;

pub fn ask_approval(job: &TeamJob, apply: &Apply, change: HeldChange, rule: String) -> Outcome {
    let (text, now) = (change.to_string(), job.mirror.clock.wall());
    let is_end = matches!(change, HeldChange::Delete { .. });
    let hold = Hold::new(vec![change], rule.clone(), now, Vec::new());
    let name = hold.name.clone();
    let is_news =
        job.mirror.state(|state| state.holds.get(&name).is_none_or(|known| known.rule != hold.rule));
    if is_news {
        if let Err(outcome) = job.mirror.keep(Record::Held { hold }) {
            return outcome;
        }
        let entry = crate::store::audit::Entry { hold: Some(name.clone()), ..apply.entry("hold") };
        job.mirror.audit.write(entry.because(format!("{rule}; it would {text}")));
        if is_end {
            // Looked up now, so that the person who decides can see whether `undo` could give the projects back.
            job.mirror.scopes.known(|| job.mirror.sentry.scopes(), &job.mirror.clock);
        }
    }
    let note = format!("{rule}{APPROVE_WITH}{name}");
    Outcome::Held(name, note)
}
