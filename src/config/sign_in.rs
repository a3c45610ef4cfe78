//! How the program signs in to GitHub: by a person's token, or as a GitHub App.

use super::app_key::AppKey;
use super::secret::Secret;

#[derive(Clone, Debug, PartialEq)]
pub enum SignIn {
    /// `GH_TOKEN`.
    Token(Secret),
    App(AppAccess),
}

/// A GitHub App: its tokens are fetched, and live for an hour.
#[derive(Clone, Debug, PartialEq)]
pub struct AppAccess {
    /// `GH_APP_ID`: its number or its client id.
    pub id: Box<str>,
    /// `GH_APP_KEY`.
    pub key: AppKey,
}

impl SignIn {
    /// 8 hex digits that name a token without telling it. An App is the same whatever its key and its token of the hour:
    /// what it may do was granted to the App.
    pub fn fingerprint(&self) -> String {
        match self {
            SignIn::Token(token) => token.fingerprint(),
            SignIn::App(app) => Secret::new(format!("GitHub App {}", app.id)).fingerprint(),
        }
    }

    /// As it is called where it is told of.
    pub fn name(&self) -> &'static str {
        match self {
            SignIn::Token(_) => "GH_TOKEN",
            SignIn::App(_) => "the GitHub App",
        }
    }

    pub fn is_app(&self) -> bool {
        matches!(self, SignIn::App(_))
    }
}
