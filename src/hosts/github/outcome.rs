//! What a GraphQL answer with status 200 contains: data, or what its errors mean. Pure.
//!
//! The verdict has dealt with rate limits and policies already. An answer with errors never counts as data here,
//! however much data it contains; only `wire::data_with_holes` reads one.

use serde_json::Value;

use crate::hosts::http::graphql::{errors, lacks_scopes, Error};

#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Data(Value),
    /// The object requested by name is not there.
    NotFound,
    /// The token may not read a field, or this server does not know it.
    Forbidden(Forbidden),
    /// The query asks for more than GitHub can or will answer at once.
    TooMuch(String),
    Failed(String),
}

/// Which fields GitHub refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forbidden {
    pub(super) what: String,
    /// The refused address sources.
    pub(super) sources: Sources,
    /// Something else is refused too, so leaving out sources does not help.
    pub(super) elsewhere: bool,
}

/// Address sources, each with its own field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    pub(super) saml: bool,
    pub(super) verified: bool,
    /// `User.email`: a classic token needs the scope `read:user` or `user:email` for it in GraphQL, not in REST.
    pub(super) public: bool,
}

impl Sources {
    pub(super) const NONE: Self = Self { saml: false, verified: false, public: false };

    /// The source that an error is about, judged by the field that it names, never by its wording: GitHub's messages
    /// also mention SAML if the token has to be authorised for it.
    fn of(error: &Error) -> Self {
        let is = |name: &str| error.field.as_deref() == Some(name);
        let within = |name: &str| is(name) || error.path.iter().any(|part| part == name);
        let saml = within("samlIdentityProvider") || is("externalIdentities");
        Self {
            saml,
            verified: within("organizationVerifiedDomainEmails"),
            public: !saml && (is("email") || error.path.last().is_some_and(|part| part == "email")),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.with(other, |one, other| one || other)
    }

    pub(super) fn common(self, other: Self) -> Self {
        self.with(other, |one, other| one && other)
    }

    fn with(self, other: Self, of: fn(bool, bool) -> bool) -> Self {
        let saml = of(self.saml, other.saml);
        Self { saml, verified: of(self.verified, other.verified), public: of(self.public, other.public) }
    }

    pub(super) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

pub(super) fn outcome(body: &[u8]) -> Outcome {
    let Ok(mut body_value) = serde_json::from_slice::<Value>(body) else {
        return Outcome::Failed("an answer that is not JSON".into());
    };
    let errors = errors(body);
    if errors.is_empty() {
        return match body_value.get_mut("data").map(Value::take) {
            Some(data @ Value::Object(_)) => Outcome::Data(data),
            _ => Outcome::Failed("an answer without data".into()),
        };
    }
    // The most serious error first.
    let is_too_much = |error: &&Error| {
        matches!(error.kind.as_str(), "RESOURCE_LIMITS_EXCEEDED" | "MAX_NODE_LIMIT_EXCEEDED")
            || is_timeout(&error.message)
    };
    if let Some(error) = errors.iter().find(is_too_much) {
        return Outcome::TooMuch(error.text());
    }
    if let Some(forbidden) = forbidden(&errors) {
        return Outcome::Forbidden(forbidden);
    }
    if errors.iter().all(|error| error.kind == "NOT_FOUND") {
        return Outcome::NotFound;
    }
    Outcome::Failed(errors.first().map(Error::text).unwrap_or_default())
}

fn forbidden(errors: &[Error]) -> Option<Forbidden> {
    let is_it = |error: &&Error| {
        matches!(error.kind.as_str(), "FORBIDDEN" | "INSUFFICIENT_SCOPES" | "undefinedField")
            || lacks_scopes(&error.message)
    };
    let all: Vec<_> = errors.iter().filter(is_it).collect();
    let sources = all.iter().fold(Sources::NONE, |sources, error| sources.and(Sources::of(error)));
    let elsewhere = all.iter().any(|error| Sources::of(error).is_none());
    Some(Forbidden { what: all.first()?.text(), sources, elsewhere })
}

/// GitHub's messages about its own time limit, which have no type.
fn is_timeout(message: &str) -> bool {
    let said = message.to_ascii_lowercase();
    ["timeout", "timed out", "respond to your request in time"].iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graphql(body: &str) -> Outcome {
        outcome(body.as_bytes())
    }

    fn elsewhere(what: &str) -> Outcome {
        Outcome::Forbidden(Forbidden { what: what.into(), sources: Sources::NONE, elsewhere: true })
    }

    #[test]
    fn an_answer_with_errors_is_never_data() {
        let data = r#""data":{"x":1}"#;
        assert_eq!(graphql(&format!("{{{data}}}")), Outcome::Data(serde_json::json!({"x":1})));
        for (errors, expected) in [
            (r#"{"type":"FORBIDDEN","path":["user","a"],"message":"m"}"#, elsewhere("user.a m")),
            (r#"{"extensions":{"code":"undefinedField"},"message":"m"}"#, elsewhere("m")),
            (r#"{"type":"NOT_FOUND"}"#, Outcome::NotFound),
            (
                r#"{"type":"NOT_FOUND"},{"type":"RESOURCE_LIMITS_EXCEEDED","message":"m"}"#,
                Outcome::TooMuch("m".into()),
            ),
            (
                r#"{"type":"FORBIDDEN"},{"type":"MAX_NODE_LIMIT_EXCEEDED","message":"m"}"#,
                Outcome::TooMuch("m".into()),
            ),
            (
                r#"{"message":"This may be the result of a timeout"}"#,
                Outcome::TooMuch("This may be the result of a timeout".into()),
            ),
            (
                r#"{"message":"Your token has not been granted the required scopes: x"}"#,
                elsewhere("Your token has not been granted the required scopes: x"),
            ),
            (r#"{"message":"boom"}"#, Outcome::Failed("boom".into())),
        ] {
            let body = format!("{{{data},\"errors\":[{errors}]}}");
            assert_eq!(graphql(&body), expected, "{errors}");
            assert_eq!(super::super::wire::data::<Value>(body.as_bytes()), None, "{errors}");
        }
        assert!(super::super::wire::data::<Value>(format!("{{{data},\"errors\":[]}}").as_bytes()).is_some());
        assert_eq!(graphql("<html>"), Outcome::Failed("an answer that is not JSON".into()));
        assert_eq!(graphql(r#"{"data":null}"#), Outcome::Failed("an answer without data".into()));
    }

    #[test]
    fn a_source_is_named_by_the_place_of_its_field_and_by_no_word() {
        let named = |error: &str| match graphql(&format!(r#"{{"errors":[{error}]}}"#)) {
            Outcome::Forbidden(forbidden) => forbidden,
            other => panic!("{other:?}"),
        };
        let saml = Sources { saml: true, ..Sources::NONE };
        let verified = Sources { verified: true, ..Sources::NONE };
        let public = Sources { public: true, ..Sources::NONE };
        for (error, sources) in [
            (r#"{"type":"FORBIDDEN","path":["organization","samlIdentityProvider"],"message":"no"}"#, saml),
            (
                r#"{"type":"FORBIDDEN","path":["organization","samlIdentityProvider","externalIdentities","nodes",0,"user","email"],"message":"no"}"#,
                saml,
            ),
            (
                r#"{"extensions":{"code":"undefinedField","fieldName":"samlIdentityProvider"},"message":"m"}"#,
                saml,
            ),
            (
                r#"{"type":"FORBIDDEN","path":["user","organizationVerifiedDomainEmails"],"message":"no"}"#,
                verified,
            ),
            (
                r#"{"type":"INSUFFICIENT_SCOPES","message":"The 'email' field requires one of the following scopes"}"#,
                public,
            ),
            (
                r#"{"type":"FORBIDDEN","path":["organization","membersWithRole","nodes",3,"email"],"message":"no"}"#,
                public,
            ),
        ] {
            let forbidden = named(error);
            assert_eq!((forbidden.sources, forbidden.elsewhere), (sources, false), "{error}");
        }
        for error in [
            r#"{"type":"FORBIDDEN","path":["organization"],"message":"externalIdentities and SAML of organizationVerifiedDomainEmails"}"#,
            r#"{"type":"FORBIDDEN","path":["organization","teams","nodes",1,"saml"],"message":"The 'email' field requires SAML"}"#,
            r#"{"type":"FORBIDDEN","message":"samlIdentityProvider"}"#,
        ] {
            let forbidden = named(error);
            assert_eq!((forbidden.sources, forbidden.elsewhere), (Sources::NONE, true), "{error}");
        }
        let both = named(
            r#"{"type":"FORBIDDEN","path":["user","organizationVerifiedDomainEmails"]},{"type":"FORBIDDEN","path":["organization","teams"]}"#,
        );
        assert_eq!((both.sources, both.elsewhere), (verified, true));
    }
}
