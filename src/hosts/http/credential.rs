//! What calls to a host are signed in with: a token that stands, or one that is fetched and renewed.

use std::sync::Arc;
use std::time::Duration;

use super::asked::Asked;
use super::{Reply, Upstream};
use crate::clock::Timestamp;
use crate::config::secret::Secret;
use crate::config::sign_in::AppAccess;

/// A token, or where to get one.
#[derive(Clone)]
pub enum Credential {
    Standing(Secret),
    Renewed(Arc<dyn Renewed>),
}

/// Gives tokens that live for a while. Nobody who asks for one may have a lock.
pub trait Renewed: Send + Sync {
    /// One that lasts for the next call; it is fetched from `host` if need be. The error is what came of that.
    fn token(&self, host: &Upstream) -> Result<Secret, Box<Reply>>;

    /// The host has answered 401 to a token, at `there` by its own clock: after how long the call is to be tried again
    /// with what [`Renewed::token`] gives then, if that is of any use.
    fn refused(&self, token: &Secret, there: Option<Timestamp>) -> Option<Duration>;

    /// What is signed in with, as it is called where it is refused.
    fn name(&self) -> &'static str;

    /// What it signs in by.
    fn access(&self) -> &AppAccess;
}

impl Credential {
    pub(super) fn token(&self, host: &Upstream) -> Result<Secret, Box<Reply>> {
        match self {
            Credential::Standing(token) => Ok(token.clone()),
            Credential::Renewed(app) => app.token(host),
        }
    }

    /// As it is called where it is refused.
    pub(super) fn name(&self, asked: Asked) -> &'static str {
        match self {
            Credential::Standing(_) => asked.token(),
            Credential::Renewed(app) => app.name(),
        }
    }

    /// After a 401: when to try again, if that is of any use.
    pub(super) fn refused(&self, token: &Secret, there: Option<Timestamp>) -> Option<Duration> {
        match self {
            Credential::Standing(_) => None,
            Credential::Renewed(app) => app.refused(token, there),
        }
    }
}

/// Whether both sign in by the same, whatever token is in use.
impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Credential::Standing(token), Credential::Standing(other)) => token == other,
            (Credential::Renewed(app), Credential::Renewed(other)) => app.access() == other.access(),
            _ => false,
        }
    }
}
