//! One HTTP answer, reduced to the parts that the mirror reads. Pure.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::window::{Told, LONGEST_WINDOW};
use crate::clock::{self, Timestamp};
use crate::text;

/// A complete answer: its body was read to the end.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Headers,
    /// The body, at most [`super::transport::BODY_LIMIT`] bytes.
    pub body: Vec<u8>,
}

/// The headers that matter. An absent or unreadable one is `None`.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// The content type is JSON.
    pub json: bool,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    /// How many calls are left in this window: `X-RateLimit-Remaining` or `X-Sentry-Rate-Limit-Remaining`.
    pub remaining: Option<u64>,
    /// How many calls a window allows: `X-RateLimit-Limit` or `X-Sentry-Rate-Limit-Limit`.
    pub limit: Option<u64>,
    /// How many more calls could be in progress at this moment: `X-Sentry-Rate-Limit-ConcurrentRemaining`. With a 429,
    /// Sentry sends the text `None`, which means zero.
    pub concurrent_remaining: Option<usize>,
    /// When the next window begins, in seconds since 1970.
    pub reset: Option<u64>,
    pub date: Option<Timestamp>,
    /// `Link`, with the previous and the next page. Several such headers are joined with commas into one.
    pub link: Option<String>,
    pub location: Option<String>,
    /// `X-GitHub-SSO`: the refused token must be authorised for the organisation, perhaps with the address for that.
    pub sso: Option<String>,
    /// `X-OAuth-Scopes`: the scopes of a classic token. Other kinds of tokens have no such header.
    pub oauth_scopes: Option<String>,
    /// `X-Accepted-GitHub-Permissions`: the permissions that the call needs.
    pub accepted_permissions: Option<String>,
    /// `github-authentication-token-expiration`.
    pub token_expires: Option<String>,
    /// `WWW-Authenticate` of a call refused for a missing scope: any one of these would have been enough.
    pub sufficient_scopes: Vec<String>,
    /// `X-Sentry-Proxy-URL`: the address of the organisation's region, to which sentry.io passed the call.
    pub passed_on_to: Option<String>,
    /// `X-Sentry-Deprecation-Date`: the date, past or future, from which Sentry no longer answers the call.
    pub retired_since: Option<String>,
    /// `X-Sentry-Replacement-Endpoint`: what to call instead.
    pub replacement: Option<String>,
    /// The answer has a header that only GitHub's own servers send.
    pub is_githubs: bool,
}

impl Headers {
    pub fn pick<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in all {
            let number = || value.trim().parse().ok();
            let text = || Some(value.into());
            match name.to_ascii_lowercase().as_str() {
                "content-type" => headers.json = is_json(value),
                "retry-after" => headers.retry_after = number(),
                "x-ratelimit-remaining" | "x-sentry-rate-limit-remaining" => headers.remaining = number(),
                "x-ratelimit-limit" | "x-sentry-rate-limit-limit" => headers.limit = number(),
                "x-sentry-rate-limit-concurrentremaining" => {
                    headers.concurrent_remaining = Some(value.trim().parse().unwrap_or(0));
                }
                "x-ratelimit-reset" | "x-sentry-rate-limit-reset" => headers.reset = number(),
                "date" => headers.date = clock::parse_http_date(value),
                "link" => match &mut headers.link {
                    Some(lines) => lines.extend([", ", value]),
                    lines => *lines = text(),
                },
                "location" => headers.location = text(),
                "x-github-sso" => headers.sso = text(),
                "x-oauth-scopes" => headers.oauth_scopes = text(),
                "x-accepted-github-permissions" => headers.accepted_permissions = text(),
                "github-authentication-token-expiration" => headers.token_expires = text(),
                "www-authenticate" => headers.sufficient_scopes.extend(insufficient_scope(value)),
                "x-sentry-proxy-url" => headers.passed_on_to = text(),
                "x-sentry-deprecation-date" => headers.retired_since = text(),
                "x-sentry-replacement-endpoint" => headers.replacement = text(),
                "x-github-request-id" | "x-github-media-type" => headers.is_githubs = true,
                _ => {}
            }
        }
        headers
    }

    /// The reported rate, if its headers are complete.
    pub fn told(&self) -> Option<Told> {
        Some(Told { limit: self.limit?, remaining: self.remaining?, reset: self.reset? })
    }

    /// Seconds until the next rate-limit window by the server's own clock, or by ours if it sends no `Date`. `None` if
    /// that is later than any window lasts.
    pub fn until_reset(&self, now: Timestamp) -> Option<u64> {
        let there = self.date.unwrap_or(now);
        let seconds = self.reset.map(|reset| reset.saturating_sub(there.0 / 1000));
        seconds.filter(|seconds| *seconds <= LONGEST_WINDOW.as_secs())
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// The scopes in `Bearer error="insufficient_scope", scope="a b"`; none in any other challenge.
fn insufficient_scope(challenge: &str) -> Vec<String> {
    let params = challenge.split(',').filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        // The first name comes after the scheme.
        Some((name.split_whitespace().next_back()?, value.trim().trim_matches('"')))
    });
    let params: Vec<_> = params.collect();
    let value = |wanted: &str| {
        params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
    };
    match (value("error"), value("scope")) {
        (Some("insufficient_scope"), Some(scopes)) => scopes.split_whitespace().map(String::from).collect(),
        _ => Vec::new(),
    }
}

impl Answer {
    /// The body, if the content type is JSON and it parses.
    pub fn json(&self) -> Option<serde_json::Value> {
        self.headers.json.then(|| serde_json::from_slice(&self.body).ok())?
    }

    /// Whether the body is a JSON object with this field.
    pub fn names(&self, field: &str) -> bool {
        self.json().is_some_and(|body| body.get(field).is_some())
    }

    /// The code that Sentry gives some refusals: `{"detail": {"code": …}}`.
    pub fn code(&self) -> Option<String> {
        Some(self.json()?.pointer("/detail/code")?.as_str()?.into())
    }

    pub fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// The target of a redirect, in quotes.
    pub fn redirects_to(&self) -> String {
        text::Quoted(self.headers.location.as_deref().unwrap_or("nowhere")).to_string()
    }

    /// A hash of the body, to find out whether two pages are the same.
    pub fn sum(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.body.hash(&mut hasher);
        hasher.finish()
    }

    /// The body's message, on one line of at most 200 characters: that of a JSON error in any form that the two APIs
    /// use, otherwise the beginning of the text.
    pub fn said(&self) -> String {
        let text = match serde_json::from_slice(&self.body) {
            Ok(value) => message(&value).unwrap_or_else(|| value.to_string()),
            Err(_) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        let text = if text.trim_start().starts_with('<') { without_tags(&text) } else { text };
        let words: Vec<_> = text.split_whitespace().collect();
        text::plain(&words.join(" "), 200)
    }

    /// Status and message: `403 "You do not have permission…"`.
    pub fn brief(&self) -> String {
        match self.said() {
            said if said.is_empty() => self.status.to_string(),
            said => format!("{} {}", self.status, text::Quoted(&said)),
        }
    }
}

/// Roughly the text that an HTML page shows. Proxies and login walls answer with such pages.
fn without_tags(page: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    // The head is left out: its title repeats the text.
    let body = page.find("<body").or_else(|| page.find("<BODY")).unwrap_or(0);
    for c in page[body..].chars() {
        match c {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

/// The message of an error body: `{"detail": text}`, `{"message": text}`, `{field: [texts]}`, a bare string or list.
fn message(body: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match body {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.first().and_then(message),
        Value::Object(fields) => {
            let whole = ["detail", "message", "info"].iter().find_map(|name| match fields.get(*name)? {
                Value::String(text) => Some(text.as_str()),
                // `{"code": …, "message": …}`
                detail => detail.get("message")?.as_str(),
            });
            whole.map(String::from).or_else(|| {
                let (name, value) = fields.iter().next()?;
                Some(format!("{name}: {}", message(value)?))
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer { status: 400, body: body.into(), ..Answer::default() }
    }

    #[test]
    fn error_bodies_of_every_form_are_read() {
        for (body, said) in [
            (r#"{"detail":"no"}"#, "no"),
            ("<html><head><title>503</title></head>\n<body>Back soon.<hr></body></html>", "Back soon."),
            ("<never closed", ""),
            (r#"{"message":"Not Found","documentation_url":"x"}"#, "Not Found"),
            (r#"{"slug":["bad slug"]}"#, "slug: bad slug"),
            (r#"{"non_field_errors":["a"],"detail":"b"}"#, "b"),
            (r#"{"info":"route"}"#, "route"),
            (
                r#"{"detail":{"code":"sso-required","message":"Must login via SSO","extra":{"loginUrl":"/"}}}"#,
                "Must login via SSO",
            ),
            (r#""bare string""#, "bare string"),
            (r#"["list"]"#, "list"),
            ("<html>\n  x\u{1b}[1m</html>", "x[1m"),
            ("", ""),
            ("{}", "{}"),
        ] {
            assert_eq!(answer(body).said(), said, "{body}");
        }
        assert_eq!(answer("").brief(), "400");
    }

    #[test]
    fn long_bodies_are_cut() {
        assert_eq!(answer(&"x".repeat(100_000)).said().len(), 200);
    }

    #[test]
    fn a_challenge_names_the_scopes_that_would_be_enough() {
        for (challenge, scopes) in [
            (
                r#"Bearer error="insufficient_scope", scope="org:read team:write""#,
                &["org:read", "team:write"][..],
            ),
            (r#"bearer realm="api", scope="a",ERROR=insufficient_scope"#, &["a"]),
            (r#"Bearer error="invalid_token", scope="a""#, &[]),
            (r#"Bearer error="insufficient_scope""#, &[]),
            (r#"xBasic realm="api""#, &[]),
            ("=,==, =", &[]),
            ("", &[]),
        ] {
            let headers = Headers::pick([("www-authenticate", challenge)].into_iter());
            assert_eq!(headers.sufficient_scopes, scopes, "{challenge}");
        }
    }

    #[test]
    fn headers_are_read_without_case() {
        let headers = Headers::pick(
            [
                ("Content-Type", "application/vnd.github+json; charset=utf-8"),
                ("X-SENTRY-RATE-LIMIT-REMAINING", "3"),
                ("x-sentry-rate-limit-reset", "1795470999"),
                ("Date", "Mon, 23 Nov 2026 21:56:37 GMT"),
                ("Retry-After", "soon"),
                ("Link", "<a>; rel=next"),
                ("link", "</a.css>; rel=preload"),
            ]
            .into_iter(),
        );
        assert!(headers.json);
        assert_eq!(headers.link.as_deref(), Some("<a>; rel=next, </a.css>; rel=preload"));
        assert_eq!((headers.remaining, headers.retry_after), (Some(3), None));
        assert_eq!(headers.until_reset(Timestamp(0)), Some(2));
        for (reset, seconds) in
            [("3600", Some(3600)), ("1764000000000", None), ("18446744073709551615", None)]
        {
            let headers = Headers::pick([("X-RateLimit-Reset", reset)].into_iter());
            assert_eq!(headers.until_reset(Timestamp(0)), seconds, "{reset}");
        }
    }
}
