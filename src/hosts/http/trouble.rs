//! The error of a failed call, once its answer was judged.

use std::fmt;
use std::time::Duration;

use super::{Reply, POSTPONED};
use crate::hosts::http::verdict::Verdict;
use crate::state::exchange::Exchange;

/// Why a call has no usable result.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub kind: TroubleKind,
    /// The host's message, or what happened to the call.
    pub why: String,
    pub exchange: Exchange,
    /// If the refusal names the missing scopes: any one of these would have been enough.
    pub sufficient_scopes: Vec<String>,
}

/// How the caller can react to a [`Trouble`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// Nothing took place; try again after this time.
    Later(Duration),
    /// It may have taken place; read the current state, then repeat.
    Unknown,
    /// The token or the address is wrong; everything that needs this host waits.
    Refused,
    /// The token may not do this one thing.
    Denied,
    Never,
}

impl Reply {
    /// Turns a reply into a trouble, for a verdict that the caller doesn't handle itself.
    pub fn into_trouble(self) -> Trouble {
        let (kind, why) = match self.verdict {
            Verdict::Wait(wait) => (TroubleKind::Later(wait), self.exchange.answer.clone()),
            Verdict::Unknown(why) => (TroubleKind::Unknown, why),
            Verdict::Refused(why) => (TroubleKind::Refused, why),
            Verdict::Denied(why) => (TroubleKind::Denied, why),
            Verdict::Never(why) => (TroubleKind::Never, why),
            Verdict::Postponed(why) => (TroubleKind::Later(POSTPONED), why),
            Verdict::Nowhere => (TroubleKind::Later(POSTPONED), "404 without a body".into()),
            // A caller for which these have a meaning has already handled them.
            Verdict::Missing | Verdict::Taken | Verdict::Locked | Verdict::Requested => {
                (TroubleKind::Never, self.answer.brief())
            }
            Verdict::Done | Verdict::Already => {
                (TroubleKind::Unknown, format!("{} with an unreadable body", self.answer.status))
            }
        };
        let sufficient_scopes = self.answer.headers.sufficient_scopes;
        Trouble { kind, why, exchange: self.exchange, sufficient_scopes }
    }
}

impl Trouble {
    /// Whether the host refuses this one thing, and will again: only another way can help.
    pub fn is_for_good(&self) -> bool {
        matches!(self.kind, TroubleKind::Denied | TroubleKind::Never)
    }

    /// A trouble that names no scopes.
    pub fn new(kind: TroubleKind, why: String, exchange: Exchange) -> Self {
        Self { kind, why, exchange, sufficient_scopes: Vec::new() }
    }

    /// A trouble without an error from the host. `why` says in our own words what is wrong with `call`.
    pub fn of_call(kind: TroubleKind, call: String, why: String) -> Self {
        Self::new(kind, why.clone(), Exchange { call, answer: why })
    }

    /// The answer at `path` doesn't have the expected form.
    pub(in crate::hosts) fn unreadable(path: &str) -> Self {
        Self::broken(path, "cannot read the answer")
    }

    /// The answer at `path` cannot be relied on.
    pub(in crate::hosts) fn broken(path: &str, why: impl Into<String>) -> Self {
        Self::of_call(TroubleKind::Unknown, format!("GET {path}"), why.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.exchange.call, self.why)
    }
}
