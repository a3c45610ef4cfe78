//! The kinds of GitHub tokens, and where to grant a permission that one lacks. Pure.

use crate::hosts::github::Github;
use crate::hosts::http::answer::Headers;
use crate::hosts::http::refusal::reads_organisations;
use crate::state::values::Source;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    FineGrained,
    Classic,
    /// An installation token of a GitHub App.
    Installation,
    /// A token that a person gave to an app, or one of unknown kind.
    Other,
}

const TOKENS: &str = "GitHub: Settings → Developer settings → Personal access tokens";

impl Kind {
    /// By prefix. Tokens from before 2021 and of some servers have none, but GitHub shows the scopes of classic ones.
    pub fn of(github: &Github, headers: &Headers) -> Self {
        let begins = |with| github.host().token_begins(with);
        match () {
            () if begins("github_pat_") => Kind::FineGrained,
            () if begins("ghp_") => Kind::Classic,
            () if begins("ghs_") || github.app().is_some() => Kind::Installation,
            () if begins("gho_") || begins("ghu_") => Kind::Other,
            () if headers.oauth_scopes.is_some() => Kind::Classic,
            () => Kind::Other,
        }
    }

    pub fn told(self, scopes: Option<&str>) -> String {
        let scopes = scopes.map(str::trim).map(|scopes| match scopes {
            "" => ", without any scope".to_string(),
            scopes => format!(", with the scopes {}", crate::text::Quoted(scopes)),
        });
        let scopes = scopes.unwrap_or_default();
        match self {
            Kind::FineGrained => "a fine-grained personal token".into(),
            Kind::Classic => format!("a classic personal token{scopes}"),
            Kind::Installation => "an App's installation token, which is valid for an hour".into(),
            Kind::Other => format!("an app's token for a person, or one of unknown kind{scopes}"),
        }
    }

    pub fn make(self) -> String {
        match self {
            Kind::FineGrained => format!("make a new token in {TOKENS} → Fine-grained tokens"),
            Kind::Classic => format!("make a new token in {TOKENS} → Tokens (classic)"),
            Kind::Installation | Kind::Other => "make a new token".into(),
        }
    }

    /// How to allow reading teams and members; `status` is that of the refused call.
    pub fn members_read(self, org: &str, headers: &Headers, status: u16) -> String {
        let has_scope = headers.oauth_scopes.as_deref().is_some_and(reads_organisations);
        match self {
            Kind::FineGrained if status == 404 => format!(
                "the token does not cover {org}: make one in {TOKENS} → Fine-grained tokens with Resource owner {org} and \
                 Organization permissions → Members: Read-only; if the organisation approves tokens, have an owner approve it"
            ),
            Kind::FineGrained => format!(
                "open {TOKENS} → Fine-grained tokens → the token → Organization permissions → Members: Read-only \
                 (its Resource owner must be {org})"
            ),
            Kind::Classic if has_scope => {
                format!("add the token's account to {org}: the token has the scope, but cannot see the organisation")
            }
            Kind::Classic => format!("tick read:org (under admin:org) in {TOKENS} → Tokens (classic) → the token"),
            Kind::Installation | Kind::Other => format!(
                "set Members: Read-only in the App's settings → Permissions & events → Organization permissions, then accept it in {org}; \
                 for an OAuth token, request the scope read:org"
            ),
        }
    }

    /// How to allow reading a source of addresses.
    pub fn addresses(self, source: Source) -> &'static str {
        match (source, self) {
            (Source::Public, Kind::Classic) => "tick read:user in the classic token, or remove the source from SYNC_IDENTITY",
            (Source::Saml, _) => {
                "use an organisation owner's classic token with read:org, or remove the source from SYNC_IDENTITY"
            }
            _ => "use an organisation owner's token with Members: Read-only, or remove the source from SYNC_IDENTITY",
        }
    }
}
