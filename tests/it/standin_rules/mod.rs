//! The stand-ins' own rules: are they as unkind as the true sites?
//!
//! `recorded.txt` holds what a true Sentry answered; GitHub's side is checked against its
//! documentation, its published examples and our own query files.

mod compare;
mod deliver;
mod described;
mod faults;
mod github_events;
mod github_graphql;
mod github_graphql_errors;
mod github_hooks;
mod github_limits;
mod github_rest;
mod replay;
mod scopes;
mod seed;
mod sentry_external;
mod sentry_limits;
mod sentry_scim;
mod sentry_silos;
mod sentry_state;
mod sentry_today;

use crate::standin::client::ask;
use crate::standin::http::Response;
use serde_json::Value;

/// One question to a pretend Sentry, below `/api/0`.
fn sentry(url: &str, token: &str, method: &str, path: &str, body: Option<Value>) -> Response {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("Authorization", bearer.as_str())];
    let body = body.map(|body| body.to_string());
    if body.is_some() {
        headers.push(("Content-Type", "application/json"));
    }
    let body = body.unwrap_or_default();
    ask(&format!("{url}/api/0{path}"), method, &headers, body.as_bytes()).expect("an answer")
}

/// One GET of a pretend GitHub.
fn github(url: &str, token: &str, path: &str) -> Response {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("User-Agent", "standin-rules")];
    ask(&format!("{url}{path}"), "GET", &headers, b"").expect("an answer")
}

/// The JSON of an answer.
fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {:?}", String::from_utf8_lossy(&response.body)))
}

/// The texts under one key of a list of objects.
fn texts(list: &Value, key: &str) -> Vec<String> {
    let rows = list.as_array().expect("a list");
    rows.iter().map(|row| row[key].as_str().unwrap_or("").to_owned()).collect()
}
