//! How the program signs in to GitHub: by a person's token, or as a GitHub App.

use super::app_key::AppKey;
use super::secret::Secret;

/// The names of the two ways, for messages.
pub const BY_TOKEN: &str = "GH_TOKEN";
pub const BY_APP: &str = "the GitHub App";

#[derive(Clone, Debug, PartialEq)]
pub enum SignIn {
    /// `GH_TOKEN`.
    Token(Secret),
    App(AppAccess),
}

/// A GitHub App. Its tokens are fetched from GitHub, and last an hour.
#[derive(Clone, Debug, PartialEq)]
pub struct AppAccess {
    /// `GH_APP_ID`: its number or its client id.
    pub id: Box<str>,
    /// `GH_APP_KEY`.
    pub key: AppKey,
}

impl SignIn {
    /// 8 hex digits that identify a token without revealing it. An App keeps its fingerprint with every key and token,
    /// because permissions are granted to the App.
    pub fn fingerprint(&self) -> String {
        match self {
            SignIn::Token(token) => token.fingerprint(),
            SignIn::App(app) => Secret::new(format!("GitHub App {}", app.id)).fingerprint(),
        }
    }

    /// Its name in messages.
    pub fn name(&self) -> &'static str {
        match self {
            SignIn::Token(_) => BY_TOKEN,
            SignIn::App(_) => BY_APP,
        }
    }

    pub fn is_app(&self) -> bool {
        matches!(self, SignIn::App(_))
    }
}
