//! Events that name nobody: GitHub may send `null` in a person's place.

use std::time::Duration;

use crate::queue::job::{Hint, Outcome};
use crate::state::event::Event;
use crate::state::values::Mode;
use crate::state::LAG;
use crate::work::mirror::Mirror;

/// By then, every replica of GitHub knows what the event says.
const SETTLED: Duration = LAG.saturating_add(Duration::from_secs(1));

/// Whether the hint is about a person whom its event doesn't name.
pub fn is_it(hint: &Hint) -> bool {
    matches!(
        hint.event(),
        Some(
            Event::Membership { person: None, .. }
                | Event::MemberAdded { person: None }
                | Event::MemberRemoved { person: None }
        )
    )
}

/// Looks for that person. GitHub knows who it was, so a comparison finds out once its replicas agree. No event names
/// the person, so all guards apply to a removal. In payload mode GitHub cannot be asked, so it stays unknown.
pub fn look(mirror: &Mirror, hint: &Hint, mode: Mode) -> Outcome {
    match mode {
        Mode::Payload => Outcome::Done(format!(
            "the event names nobody, and {} cannot read members, so it is unknown who it was",
            mirror.github_token.who()
        )),
        Mode::Read if hint.looks == 0 => Outcome::LookAgain("the event names nobody".into(), SETTLED),
        Mode::Read => {
            mirror.queue.ask_for_reconcile();
            Outcome::Done("the event names nobody; comparing GitHub and Sentry to find out who it was".into())
        }
    }
}
