//! What stands in a call's way, once its answer was judged.

use std::fmt;
use std::time::Duration;

use super::{Reply, POSTPONED};
use crate::hosts::http::verdict::Verdict;
use crate::state::exchange::Exchange;

/// Why there is nothing to work with.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What can be done about it.
    pub kind: TroubleKind,
    /// What the host said, or what happened to the call.
    pub why: String,
    pub exchange: Exchange,
    /// A refusal that names what is lacking: the scopes of which any one would have been enough.
    pub sufficient_scopes: Vec<String>,
}

/// What can be done about a [`Trouble`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// Nothing took place; ask again after this time.
    Later(Duration),
    /// It may have taken place; look, then repeat.
    Unknown,
    /// The token or the address is wrong; everything that needs this host waits.
    Refused,
    /// The token may not do this one thing.
    Denied,
    Never,
}

impl Reply {
    /// The trouble that a verdict without a meaning of its own stands for.
    pub fn into_trouble(self) -> Trouble {
        let (kind, why) = match self.verdict {
            Verdict::Wait(wait) => (TroubleKind::Later(wait), self.exchange.answer.clone()),
            Verdict::Unknown(why) => (TroubleKind::Unknown, why),
            Verdict::Refused(why) => (TroubleKind::Refused, why),
            Verdict::Denied(why) => (TroubleKind::Denied, why),
            Verdict::Never(why) => (TroubleKind::Never, why),
            Verdict::Postponed(why) => (TroubleKind::Later(POSTPONED), why),
            Verdict::Nowhere => (TroubleKind::Later(POSTPONED), "404 without a body".into()),
            // Where these have a meaning, the caller has read it before.
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
    /// One that names no scopes.
    pub fn new(kind: TroubleKind, why: String, exchange: Exchange) -> Self {
        Self { kind, why, exchange, sufficient_scopes: Vec::new() }
    }

    /// One that no answer tells: what is wrong with `call`, in our own words.
    pub fn of_call(kind: TroubleKind, call: String, why: String) -> Self {
        Self::new(kind, why.clone(), Exchange { call, answer: why })
    }

    /// What was read at `path` is not what is read there.
    pub(in crate::hosts) fn unreadable(path: &str) -> Self {
        Self::broken(path, "cannot read the answer")
    }

    /// What was read at `path` can not be relied on.
    pub(in crate::hosts) fn broken(path: &str, why: impl Into<String>) -> Self {
        Self::of_call(TroubleKind::Unknown, format!("GET {path}"), why.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.exchange.call, self.why)
    }
}
