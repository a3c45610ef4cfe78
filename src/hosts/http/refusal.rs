//! Finds out what a refusal by GitHub means. Pure.
//!
//! A 403, 404 or 451 is about the token's permissions only if GitHub's API itself says so. A policy of the organisation
//! or enterprise refuses a token whatever its permissions. A 404 can mean both "not there" and "not for you". A
//! firewall, proxy or load balancer knows nothing about tokens at all.

use std::fmt;

use super::answer::Answer;

/// Who refused a call, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// GitHub: the token lacks the permission for this call.
    Permission,
    /// A policy refuses the token, whatever permissions it has.
    Policy(Policy),
    /// GitHub: not there, or not visible to the token.
    NotFound,
    /// GitHub, for a reason that isn't known here. It proves nothing about the token's permissions.
    Other,
    /// Not GitHub's API: a firewall, proxy or load balancer answered. It proves nothing about the token or the thing.
    NotTheApi,
}

/// Policies that refuse a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The organisation enforces single sign-on, and the token isn't authorised for it.
    SingleSignOn,
    /// This machine's address isn't on the IP allow list.
    IpAllowList,
    /// The organisation accepts only tokens that expire sooner.
    Lifetime,
    /// The organisation doesn't accept this kind of token.
    Kind,
    /// The account, or the App's installation, is suspended.
    Suspended,
    /// The token's account needs two-factor authentication.
    TwoFactor,
    /// The organisation has not approved the OAuth app that made the token.
    OauthApp,
    /// GitHub blocks access for legal reasons.
    Legal,
}

/// Parts of GitHub's messages, in lower case, each with its policy.
const WORDS: [(&str, Policy); 9] = [
    ("saml enforcement", Policy::SingleSignOn),
    ("saml sso", Policy::SingleSignOn),
    ("ip allow list", Policy::IpAllowList),
    ("token's lifetime", Policy::Lifetime),
    ("forbids access via a", Policy::Kind),
    ("suspended", Policy::Suspended),
    ("two-factor", Policy::TwoFactor),
    ("oauth app access restrictions", Policy::OauthApp),
    ("unavailable due to legal reasons", Policy::Legal),
];

/// Scopes of classic tokens. Any one of them lets a token read an organisation's teams and members.
const READS_ORGANISATIONS: [&str; 3] = ["read:org", "write:org", "admin:org"];

impl Refusal {
    /// The meaning of a 403, 404 or 451 from GitHub's REST API; `None` for any other status, and for a rate limit.
    pub fn of(answer: &Answer) -> Option<Self> {
        if !matches!(answer.status, 403 | 404 | 451) || is_rate_limit(answer) {
            return None;
        }
        if let Some(policy) = Policy::of(answer) {
            return Some(Refusal::Policy(policy));
        }
        let Some(message) = github_message(answer) else { return Some(Refusal::NotTheApi) };
        let lacks_scope = answer.headers.oauth_scopes.as_deref().is_some_and(|own| !reads_organisations(own));
        Some(match answer.status {
            403 if message.starts_with("Resource not accessible by ") => Refusal::Permission,
            403 | 404 if lacks_scope => Refusal::Permission,
            404 => Refusal::NotFound,
            451 => Refusal::Policy(Policy::Legal),
            _ => Refusal::Other,
        })
    }
}

impl Policy {
    fn of(answer: &Answer) -> Option<Self> {
        let wants_sso =
            answer.headers.sso.as_deref().is_some_and(|told| told.trim_start().starts_with("required"));
        if wants_sso {
            return Some(Policy::SingleSignOn);
        }
        Policy::named(&github_message(answer)?)
    }

    /// The policy that a message from GitHub names.
    pub fn named(message: &str) -> Option<Self> {
        let message = message.to_ascii_lowercase();
        WORDS.iter().find(|(words, _)| message.contains(words)).map(|(_, policy)| *policy)
    }

    pub fn fix(self) -> &'static str {
        match self {
            Policy::SingleSignOn => {
                "authorize the token for the organisation: Settings → Developer settings → Personal access tokens → \
                 Configure SSO"
            }
            Policy::IpAllowList => {
                "add this machine's public address to the IP allow list of the organisation or enterprise"
            }
            Policy::Lifetime => "make a token that expires sooner, within the organisation's limit",
            Policy::Kind => "use a kind of token that the organisation accepts: a fine-grained personal token, or a GitHub App",
            Policy::Suspended => "have the account or installation unsuspended, or use another account's token",
            Policy::TwoFactor => "enable two-factor authentication for the token's account",
            Policy::OauthApp => "have an organisation owner approve the OAuth app, or use a personal access token",
            Policy::Legal => "ask GitHub's support: the block is on their side",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Policy::SingleSignOn => "the organisation enforces single sign-on",
            Policy::IpAllowList => "the IP allow list doesn't have this machine's address",
            Policy::Lifetime => "the token is valid for longer than the organisation allows",
            Policy::Kind => "the organisation doesn't accept this kind of token",
            Policy::Suspended => "the account or installation is suspended",
            Policy::TwoFactor => "the token's account needs two-factor authentication",
            Policy::OauthApp => "the organisation restricts OAuth apps",
            Policy::Legal => "GitHub blocks access for legal reasons",
        })
    }
}

/// Whether a 403 is one of GitHub's rate limits, primary or secondary.
pub(crate) fn is_rate_limit(answer: &Answer) -> bool {
    answer.status == 403
        && (answer.headers.remaining == Some(0)
            || answer.headers.retry_after.is_some()
            || names_rate_limit(&answer.said()))
}

pub(crate) fn names_rate_limit(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("rate limit") || message.contains("abuse detection")
}

/// The `message` of an error from GitHub's REST API. The answer must also have a link to the documentation or one of
/// GitHub's own headers, as all errors of the API do: a gateway's `{"message":"Forbidden"}` has neither.
pub(crate) fn github_message(answer: &Answer) -> Option<String> {
    let body = answer.json()?;
    let message = body.get("message")?.as_str()?;
    let is_githubs =
        answer.headers.is_githubs || body.get("documentation_url").is_some_and(|url| url.is_string());
    is_githubs.then(|| message.to_string())
}

/// Whether a classic token with these scopes (`X-OAuth-Scopes`) may read teams and members.
pub fn reads_organisations(scopes: &str) -> bool {
    scopes.split(',').any(|own| READS_ORGANISATIONS.contains(&own.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::http::answer::Headers;

    fn github(status: u16, message: &str) -> Answer {
        let body =
            serde_json::json!({ "message": message, "documentation_url": "https://docs.github.com/rest" });
        let headers = Headers { json: true, ..Headers::default() };
        Answer { status, headers, body: body.to_string().into_bytes() }
    }

    #[test]
    fn only_githubs_own_words_are_about_permissions() {
        for by in ["personal access token", "integration"] {
            let answer = github(403, &format!("Resource not accessible by {by}"));
            assert_eq!(Refusal::of(&answer), Some(Refusal::Permission));
        }
        let scoped = |status, scopes: &str| {
            let mut answer = github(status, "Not Found");
            answer.headers.oauth_scopes = Some(scopes.into());
            Refusal::of(&answer)
        };
        for status in [403, 404] {
            assert_eq!(scoped(status, ""), Some(Refusal::Permission));
            assert_eq!(scoped(status, "repo, gist"), Some(Refusal::Permission));
        }
        assert_eq!(scoped(404, "repo, read:org"), Some(Refusal::NotFound));
        assert_eq!(scoped(403, "admin:org"), Some(Refusal::Other));
        assert_eq!(Refusal::of(&github(404, "Not Found")), Some(Refusal::NotFound));
        assert_eq!(Refusal::of(&github(403, "Must have admin rights to Repository.")), Some(Refusal::Other));
        for status in [200, 401, 410, 422, 429, 500] {
            assert_eq!(Refusal::of(&github(status, "Not Found")), None);
        }
    }

    #[test]
    fn policies_refuse_whatever_the_token_may_do() {
        for (message, policy) in [
            ("Resource protected by organization SAML enforcement. You must grant your token access.", Policy::SingleSignOn),
            ("Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.", Policy::IpAllowList),
            ("`acme` forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 366 days.", Policy::Lifetime),
            ("`acme` forbids access via a personal access token (classic). Please use a GitHub App.", Policy::Kind),
            ("This installation has been suspended", Policy::Suspended),
            ("Sorry. Your account was suspended.", Policy::Suspended),
            ("`acme` requires two-factor authentication.", Policy::TwoFactor),
            ("Although you appear to have the correct authorization credentials, the `acme` organization has enabled OAuth App access restrictions", Policy::OauthApp),
            ("Repository access blocked: unavailable due to legal reasons", Policy::Legal),
        ] {
            for status in [403, 404, 451] {
                let mut answer = github(status, message);
                assert_eq!(Refusal::of(&answer), Some(Refusal::Policy(policy)), "{message}");
                answer.headers.oauth_scopes = Some(String::new());
                assert_eq!(Refusal::of(&answer), Some(Refusal::Policy(policy)), "{message}: no scope helps");
            }
            assert!(!policy.fix().is_empty() && !policy.to_string().is_empty());
        }
        let mut answer = github(404, "Not Found");
        answer.headers.sso = Some("required; url=https://github.com/orgs/acme/sso".into());
        assert_eq!(Refusal::of(&answer), Some(Refusal::Policy(Policy::SingleSignOn)));
        // GitHub left the rows of another organisation out of a list. That is no refusal.
        answer.headers.sso = Some("partial-results; organizations=7".into());
        assert_eq!(Refusal::of(&answer), Some(Refusal::NotFound));
        assert_eq!(Refusal::of(&github(451, "Blocked")), Some(Refusal::Policy(Policy::Legal)));
    }

    #[test]
    fn what_others_answer_is_nothing_of_the_api() {
        for status in [403, 404, 451] {
            for (body, json) in [
                ("<html><body>Access denied</body></html>", false),
                ("", false),
                ("", true),
                ("Forbidden", false),
                // Gateways send an object with a message, but no sign of GitHub.
                (r#"{"message":"Forbidden"}"#, true),
                (r#"{"message":"Not Found"}"#, true),
                (r#"{"error":"not found"}"#, true),
                (r#"{"message":"Resource not accessible by personal access token"}"#, false),
                ("[]", true),
            ] {
                let headers = Headers { json, ..Headers::default() };
                let answer = Answer { status, headers, body: body.into() };
                assert_eq!(Refusal::of(&answer), Some(Refusal::NotTheApi), "{status} {body}");
            }
        }
        let headers = Headers { json: true, is_githubs: true, ..Headers::default() };
        let answer = Answer { status: 404, headers, body: br#"{"message":"Not Found"}"#.to_vec() };
        assert_eq!(Refusal::of(&answer), Some(Refusal::NotFound), "GitHub's own header");
    }

    #[test]
    fn a_rate_limit_is_no_refusal() {
        assert_eq!(Refusal::of(&github(403, "You have exceeded a secondary rate limit.")), None);
        let mut answer = github(403, "Forbidden");
        answer.headers.remaining = Some(0);
        assert_eq!(Refusal::of(&answer), None);
        answer.status = 404;
        assert_eq!(Refusal::of(&answer), Some(Refusal::NotFound));
    }
}
