//! The deliveries that were finished last, with their results as they are now.

use serde::Serialize;

use crate::clock::Shown;
use crate::state::deliveries::Recent;
use crate::state::holds::{APPROVED, REJECTED};
use crate::state::notes::{self, Note, Open};
use crate::state::values::Status as Outcome;
use crate::state::State;

#[derive(Clone, Debug, Serialize)]
pub struct RecentView {
    pub guid: String,
    /// `event.action`.
    pub event: String,
    pub note: String,
    pub status: Outcome,
    pub received: Shown,
    /// When it was finished.
    pub at: Shown,
    #[serde(skip)]
    pub tone: Tone,
}

/// How things are now with a delivery that was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Done,
    /// Done as far as possible: somebody has no match in Sentry.
    Person,
    Decision,
    /// It failed, and has not been replayed.
    Failed,
    /// It was held or had failed, and that is settled.
    Past,
}

impl RecentView {
    /// The result in one or two words.
    pub fn became(&self) -> &'static str {
        match self.tone {
            Tone::Done => "done",
            Tone::Person => "no match",
            Tone::Decision => "on hold",
            Tone::Failed => "failed",
            Tone::Past if self.status == Outcome::Failed => "replayed",
            Tone::Past => [APPROVED, REJECTED]
                .into_iter()
                .find(|word| self.note.contains(&format!("; {word} ")))
                .unwrap_or("settled"),
        }
    }

    fn of(recent: &Recent, notes: &mut notes::Reader, state: &State) -> Self {
        let Note { text: mut note, open } = notes.read(&recent.note);
        let has_failed = || state.deliveries.failed().any(|failure| failure.delivery.guid == recent.guid);
        let tone = match (recent.status, open) {
            (Outcome::Failed, _) if has_failed() => Tone::Failed,
            (_, Some(Open::Decision)) => Tone::Decision,
            (_, Some(Open::Person)) => Tone::Person,
            (Outcome::Failed | Outcome::Held, None) => Tone::Past,
            (_, None) => Tone::Done,
        };
        if recent.status == Outcome::Failed && tone != Tone::Failed {
            note += "; tried again since then";
        }
        Self {
            tone,
            guid: recent.guid.to_string(),
            event: recent.event.to_string(),
            note,
            status: recent.status,
            received: recent.received.into(),
            at: recent.at.into(),
        }
    }
}

pub(super) fn recent(state: &State) -> Vec<RecentView> {
    let mut notes = notes::Reader::new(state);
    state.deliveries.recent().map(|recent| RecentView::of(recent, &mut notes, state)).collect()
}
