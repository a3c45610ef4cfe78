//! How calls to a host are signed in: with a fixed token, or with one that is fetched and renewed.

use std::sync::Arc;
use std::time::Duration;

use super::asked::Asked;
use super::{Reply, Upstream};
use crate::clock::Timestamp;
use crate::config::secret::Secret;
use crate::config::sign_in::AppAccess;

/// A token, or a source of tokens.
#[derive(Clone)]
pub enum Credential {
    Standing(Secret),
    Renewed(Arc<dyn Renewed>),
}

/// A source of short-lived tokens. The caller must not hold a lock, because a token may have to be fetched.
pub trait Renewed: Send + Sync {
    /// A token that is valid for the next call, fetched from `host` if necessary. The error is the reply to that fetch.
    fn token(&self, host: &Upstream) -> Result<Secret, Box<Reply>>;

    /// Called after the host answered 401 to `token`, at `there` by the host's clock. Returns how long to wait before
    /// the call is repeated with [`Renewed::token`]; `None` if that is no use.
    fn refused(&self, token: &Secret, there: Option<Timestamp>) -> Option<Duration>;

    /// The name of the credential in messages about a refusal.
    fn name(&self) -> &'static str;

    /// The App and key that it signs in with.
    fn access(&self) -> &AppAccess;
}

impl Credential {
    pub(super) fn token(&self, host: &Upstream) -> Result<Secret, Box<Reply>> {
        match self {
            Credential::Standing(token) => Ok(token.clone()),
            Credential::Renewed(app) => app.token(host),
        }
    }

    /// The name of the credential in messages about a refusal.
    pub(super) fn name(&self, asked: Asked) -> &'static str {
        match self {
            Credential::Standing(_) => asked.token(),
            Credential::Renewed(app) => app.name(),
        }
    }

    /// How long to wait after a 401 before trying again; `None` if that is no use.
    pub(super) fn refused(&self, token: &Secret, there: Option<Timestamp>) -> Option<Duration> {
        match self {
            Credential::Standing(_) => None,
            Credential::Renewed(app) => app.refused(token, there),
        }
    }
}

/// Whether both have the same fixed token, or the same App and key, whichever of its tokens is in use.
impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Credential::Standing(token), Credential::Standing(other)) => token == other,
            (Credential::Renewed(app), Credential::Renewed(other)) => app.access() == other.access(),
            _ => false,
        }
    }
}
