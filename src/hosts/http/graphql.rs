//! The `errors` of a GraphQL answer. Pure.
//!
//! GitHub reports most problems of a query with status 200: rate limits, policies, and fields that the token may not
//! see. The first two concern the host and the token, and are judged like a status. The caller handles the rest.

use serde::Deserialize;
use serde_json::Value;

use super::answer::Answer;
use super::refusal::{names_rate_limit, Policy};
use crate::text;

/// The values of `type` or `extensions.code` with which GitHub marks a rate limit.
const LIMITS: [&str; 2] = ["RATE_LIMITED", "RATE_LIMIT"];

/// One entry of `errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// `type`, else `extensions.code`; empty where there is neither.
    pub kind: String,
    /// The path of the field from the root down, without list indexes.
    pub path: Vec<String>,
    /// The field's name, if only the name is known.
    pub field: Option<String>,
    pub message: String,
    /// GitHub's mark for a token that isn't authorised for single sign-on.
    saml_failure: bool,
}

/// The errors in a body; none if it has none or is no GraphQL answer.
pub fn errors(body: &[u8]) -> Vec<Error> {
    #[derive(Deserialize)]
    struct Whole {
        errors: Option<Vec<Value>>,
    }
    let whole = serde_json::from_slice::<Whole>(body).ok();
    whole.and_then(|whole| whole.errors).unwrap_or_default().iter().map(Error::of).collect()
}

impl Error {
    fn of(error: &Value) -> Self {
        let text = |at: &str| error.pointer(at).and_then(Value::as_str).unwrap_or_default().to_string();
        let path = error.get("path").and_then(Value::as_array).into_iter().flatten();
        let kind = match text("/type") {
            kind if kind.is_empty() => text("/extensions/code"),
            kind => kind,
        };
        let message = text("/message");
        let field = match text("/extensions/fieldName") {
            name if name.is_empty() => quoted_field(&kind, &message),
            name => Some(name),
        };
        Self {
            path: path.filter_map(|part| part.as_str().map(String::from)).collect(),
            saml_failure: error.pointer("/extensions/saml_failure") == Some(&Value::Bool(true)),
            kind,
            field,
            message,
        }
    }

    /// Whether this is a rate limit, by its type or, if it has none, by its message.
    fn is_limit(&self) -> bool {
        LIMITS.contains(&self.kind.as_str()) || (self.kind.is_empty() && names_rate_limit(&self.message))
    }

    fn policy(&self) -> Option<Policy> {
        if self.saml_failure {
            return Some(Policy::SingleSignOn);
        }
        let is_refusal = matches!(self.kind.as_str(), "" | "FORBIDDEN");
        Policy::named(&self.message).filter(|_| is_refusal)
    }

    /// The path and the message, for display.
    pub fn text(&self) -> String {
        text::plain(format!("{} {}", self.path.join("."), self.message).trim_start(), 200)
    }
}

/// The name in `The 'email' field requires one of the following scopes`: GitHub reports a missing scope without a path.
fn quoted_field(kind: &str, message: &str) -> Option<String> {
    if kind != "INSUFFICIENT_SCOPES" && !lacks_scopes(message) {
        return None;
    }
    let (name, _) = message.split_once("The '")?.1.split_once("' field requires")?;
    Some(name.to_string())
}

/// Whether a classic token lacks the scope for a field. Not every server gives this error a type.
pub fn lacks_scopes(message: &str) -> bool {
    message.contains("has not been granted the required scopes")
}

/// An error that concerns the host or the token rather than the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Limit,
    /// A policy refuses the token, with GitHub's message.
    Policy(Policy, String),
}

/// Looks for a rate limit first, because it explains every other error of the same answer.
pub(crate) fn whole(answer: &Answer) -> Option<Whole> {
    let errors = errors(&answer.body);
    // If the answer has a rate limit's header, an error without a type is a rate limit, whatever its message.
    let is_marked = answer.headers.retry_after.is_some() || answer.headers.remaining == Some(0);
    if errors.iter().any(|error| error.is_limit() || (is_marked && error.kind.is_empty())) {
        return Some(Whole::Limit);
    }
    let policy = |error: &Error| Some(Whole::Policy(error.policy()?, error.text()));
    errors.iter().find_map(policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::http::answer::Headers;

    fn told(error: &str, headers: Headers) -> Option<Whole> {
        let body = format!(r#"{{"data":{{"x":1}},"errors":[{{"type":"NOT_FOUND"}},{error}]}}"#);
        whole(&Answer { status: 200, headers, body: body.into() })
    }

    #[test]
    fn a_limit_is_one_with_or_without_a_type() {
        for error in [
            r#"{"type":"RATE_LIMITED","message":"m"}"#,
            r#"{"extensions":{"code":"RATE_LIMIT"}}"#,
            r#"{"message":"API rate limit already exceeded for user ID 1."}"#,
            r#"{"message":"You have exceeded a secondary rate limit."}"#,
        ] {
            assert_eq!(told(error, Headers::default()), Some(Whole::Limit), "{error}");
        }
        let untyped = r#"{"message":"Please wait a few minutes before you try again."}"#;
        assert_eq!(told(untyped, Headers::default()), None);
        let marked = [
            Headers { retry_after: Some(3), ..Headers::default() },
            Headers { remaining: Some(0), ..Headers::default() },
        ];
        for headers in marked {
            assert_eq!(told(untyped, headers.clone()), Some(Whole::Limit));
            // The last call of a window can fail for another reason.
            assert_eq!(told(r#"{"type":"FORBIDDEN","message":"no"}"#, headers), None);
        }
        let named = r#"{"type":"NOT_FOUND","message":"Could not resolve to a Team named 'Rate limit'"}"#;
        assert_eq!(told(named, Headers::default()), None);
    }

    #[test]
    fn single_sign_on_refuses_the_token_and_a_provider_that_may_not_be_seen_does_not() {
        let policy = |error: &str| match told(error, Headers::default()) {
            Some(Whole::Policy(policy, _)) => Some(policy),
            _ => None,
        };
        for error in [
            r#"{"type":"FORBIDDEN","path":["organization"],"extensions":{"saml_failure":true},"message":"Resource protected by organization SAML enforcement."}"#,
            r#"{"type":"FORBIDDEN","path":["organization"],"message":"Resource protected by organization SAML enforcement. You must grant your token access."}"#,
            r#"{"type":"FORBIDDEN","extensions":{"saml_failure":true},"message":"no"}"#,
        ] {
            assert_eq!(policy(error), Some(Policy::SingleSignOn), "{error}");
        }
        let allow_list = r#"{"type":"FORBIDDEN","path":["organization"],"message":"the `acme` organization has an IP allow list enabled"}"#;
        assert_eq!(policy(allow_list), Some(Policy::IpAllowList));
        for error in [
            r#"{"type":"FORBIDDEN","path":["organization","samlIdentityProvider"],"message":"You do not have permission to view this organization's SAML identity provider."}"#,
            r#"{"type":"NOT_FOUND","path":["user"],"message":"Could not resolve to a User with the login of 'suspended'."}"#,
        ] {
            assert_eq!(policy(error), None, "{error}");
        }
    }

    #[test]
    fn an_error_names_its_field_by_path_or_by_itself() {
        let body = r#"{"errors":[
            {"type":"FORBIDDEN","path":["organization","membersWithRole","nodes",3,"email"],"message":"m"},
            {"type":"INSUFFICIENT_SCOPES","message":"Your token has not been granted the required scopes. The 'email' field requires one of the following scopes"},
            {"extensions":{"code":"undefinedField","fieldName":"samlIdentityProvider"},"message":"The 'x' field requires"}]}"#;
        let errors = errors(body.as_bytes());
        assert_eq!(errors[0].path, ["organization", "membersWithRole", "nodes", "email"]);
        assert_eq!(errors[0].text(), "organization.membersWithRole.nodes.email m");
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_deref()).collect();
        assert_eq!(fields, [None, Some("email"), Some("samlIdentityProvider")]);
        assert_eq!(errors[2].kind, "undefinedField");
        for none in ["<html>", "{}", r#"{"errors":null}"#, r#"{"data":{"errors":[{}]}}"#] {
            assert!(super::errors(none.as_bytes()).is_empty(), "{none}");
        }
    }
}
