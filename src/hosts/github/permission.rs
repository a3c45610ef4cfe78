//! What is known about the token in use: which one it is, and whether GitHub has said what it may do.
//!
//! It must never hold the token itself, nor choose a mode: only GitHub's own answer decides that, see [`Permission`].

use crate::config::sign_in::SignIn;
use crate::hosts::http::Trouble;
use crate::lock::Mutex;

/// What a token may do in an organisation, as far as GitHub says so.
#[derive(Clone, Debug)]
pub enum Permission {
    /// It may read teams and members.
    Reads,
    /// It may not; what GitHub said.
    Lacks(String),
    /// GitHub did not say; what was answered instead.
    Untold(Trouble),
}

/// The token in use, identified by its fingerprint.
#[derive(Debug)]
pub struct TokenInUse(Mutex<Known>);

#[derive(Debug)]
struct Known {
    fingerprint: String,
    /// The name for it in messages.
    who: &'static str,
    /// The token or its permissions have changed: no work is done until it is known what it may do.
    is_new: bool,
    /// The last answer, if it did not say what the token may do.
    untold: Option<String>,
}

impl TokenInUse {
    /// The token that the process started with.
    pub fn new(as_whom: &SignIn) -> Self {
        let (fingerprint, who) = (as_whom.fingerprint(), as_whom.name());
        Self(Mutex::new(Known { fingerprint, who, is_new: false, untold: None }))
    }

    /// The message for a token that could read members and no longer can.
    pub fn permission_lost(&self) -> String {
        format!("{} has lost its permission: give it Members: read again", self.0.lock().who)
    }

    /// The name for it in messages.
    pub fn who(&self) -> &'static str {
        self.0.lock().who
    }

    /// Identifies the token without revealing it.
    pub fn fingerprint(&self) -> String {
        self.0.lock().fingerprint.clone()
    }

    /// Another token replaces this one.
    pub fn replace(&self, as_whom: &SignIn) {
        let (fingerprint, who) = (as_whom.fingerprint(), as_whom.name());
        *self.0.lock() = Known { fingerprint, who, is_new: true, untold: None };
    }

    /// The token's permissions have changed, so they must be checked again.
    pub fn doubt(&self) {
        let mut known = self.0.lock();
        (known.is_new, known.untold) = (true, None);
    }

    /// Whether it still has to be found out what the token may do, after it or its permissions changed.
    pub fn is_new(&self) -> bool {
        self.0.lock().is_new
    }

    /// Notes that it is known what the token with this fingerprint may do.
    pub fn know(&self, fingerprint: &str) {
        let mut known = self.0.lock();
        if known.fingerprint == fingerprint {
            known.is_new = false;
        }
    }

    /// Remembers the answer that did not say what the token may do; `None` once that is known.
    pub fn learn_untold(&self, why: Option<&Trouble>) {
        self.0.lock().untold = why.map(ToString::to_string);
    }

    /// Whether GitHub was asked what the token may do, and did not say.
    pub fn is_untold(&self) -> bool {
        self.0.lock().untold.is_some()
    }

    /// The message that it is not known yet what the token may do, with the answer that GitHub gave instead.
    pub fn why_no_mode(&self) -> String {
        let Known { who, untold, .. } = &*self.0.lock();
        match untold {
            Some(why) => format!(
                "what {who} may do is not known yet, deliveries are kept: {why}; `check` looks at the token"
            ),
            None => format!("what {who} may do is not known yet: GitHub has not answered"),
        }
    }
}
