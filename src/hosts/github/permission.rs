//! What is known of the token in use: which one it is, and whether GitHub has said what it may do.
//!
//! It must never hold the token itself, nor choose a mode: that takes GitHub's own word, see [`Permission`].

use crate::config::sign_in::SignIn;
use crate::hosts::http::Trouble;
use crate::lock::Mutex;

/// What a token may do in an organisation, as far as GitHub says so.
#[derive(Clone, Debug)]
pub enum Permission {
    /// It reads teams and members.
    Reads,
    /// It may not, in GitHub's words.
    Lacks(String),
    /// Nothing was said about that, and what was said instead.
    Untold(Trouble),
}

/// The token in use, by its fingerprint.
#[derive(Debug)]
pub struct TokenInUse(Mutex<Known>);

#[derive(Debug)]
struct Known {
    fingerprint: String,
    /// As it is called where it is told of.
    who: &'static str,
    /// It took another one's place: nothing is worked on until it is known what it may do.
    is_new: bool,
    /// What was answered in place of that, when last.
    untold: Option<String>,
}

impl TokenInUse {
    /// The token that the process started with.
    pub fn new(as_whom: &SignIn) -> Self {
        let (fingerprint, who) = (as_whom.fingerprint(), as_whom.name());
        Self(Mutex::new(Known { fingerprint, who, is_new: false, untold: None }))
    }

    /// What is said of one that was able to read members and no longer is.
    pub fn permission_lost(&self) -> String {
        format!("{} has lost its permission: give it Members: read again", self.0.lock().who)
    }

    /// As it is called where it is told of.
    pub fn who(&self) -> &'static str {
        self.0.lock().who
    }

    /// Names the token without telling it.
    pub fn fingerprint(&self) -> String {
        self.0.lock().fingerprint.clone()
    }

    /// Another token is in use from now on.
    pub fn replace(&self, as_whom: &SignIn) {
        let (fingerprint, who) = (as_whom.fingerprint(), as_whom.name());
        *self.0.lock() = Known { fingerprint, who, is_new: true, untold: None };
    }

    /// What it may do has changed: that is to be found out anew.
    pub fn doubt(&self) {
        let mut known = self.0.lock();
        (known.is_new, known.untold) = (true, None);
    }

    /// Whether it is yet to be found out what a token may do that took another one's place.
    pub fn is_new(&self) -> bool {
        self.0.lock().is_new
    }

    /// What the token of this fingerprint may do is known.
    pub fn know(&self, fingerprint: &str) {
        let mut known = self.0.lock();
        if known.fingerprint == fingerprint {
            known.is_new = false;
        }
    }

    /// Keeps in mind what was answered in place of what the token may do; nothing, once that is known.
    pub fn learn_untold(&self, why: Option<&Trouble>) {
        self.0.lock().untold = why.map(ToString::to_string);
    }

    /// Whether GitHub was asked what the token may do, and has not said.
    pub fn is_untold(&self) -> bool {
        self.0.lock().untold.is_some()
    }

    /// That it is not known what the token may do, and what was answered instead.
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
