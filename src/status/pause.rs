//! A pause, for people.

use serde::Serialize;

use crate::state::Pause;

#[derive(Clone, Debug, Serialize)]
pub struct PauseView {
    pub since: String,
    /// Why, in the operator's words; empty if they gave none.
    pub reason: String,
    /// Both in a sentence.
    #[serde(skip)]
    pub text: String,
}

impl PauseView {
    pub(super) fn of(pause: &Pause) -> Self {
        Self { since: pause.at.to_string(), reason: pause.reason.to_string(), text: pause.to_string() }
    }
}
