//! What is known of the token in use: which one it is, and whether GitHub has said what it may do.
//!
//! It must never hold the token itself, nor choose a mode: that takes GitHub's own word, see [`Permission`].

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

/// What is said of a GitHub token that was able to read members and no longer is.
pub const PERMISSION_LOST: &str = "GH_TOKEN has lost its permission: give it Members: read again";

/// The token in use, by its fingerprint.
#[derive(Debug)]
pub struct TokenInUse(Mutex<Known>);

#[derive(Debug)]
struct Known {
    fingerprint: String,
    /// It took another one's place: nothing is worked on until it is known what it may do.
    is_new: bool,
    /// What was answered in place of that, when last.
    untold: Option<String>,
}

impl TokenInUse {
    /// The token that the process started with.
    pub fn new(fingerprint: String) -> Self {
        Self(Mutex::new(Known { fingerprint, is_new: false, untold: None }))
    }

    /// Names the token without telling it.
    pub fn fingerprint(&self) -> String {
        self.0.lock().fingerprint.clone()
    }

    /// Another token is in use from now on.
    pub fn replace(&self, fingerprint: String) {
        *self.0.lock() = Known { fingerprint, is_new: true, untold: None };
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
        match self.0.lock().untold.as_deref() {
            Some(why) => format!(
                "what GH_TOKEN may do is not known yet, deliveries are kept: {why}; `check` looks at the token"
            ),
            None => "what GH_TOKEN may do is not known yet: GitHub has not answered".into(),
        }
    }
}
