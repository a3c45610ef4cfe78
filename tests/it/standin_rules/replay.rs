//! Every recorded exchange with a true Sentry, asked again of the stand-in.
//!
//! `recorded.txt` holds them: a request, the status, the telling headers and the body, in the order
//! they were asked, with what was done behind the interface in between (`!`). Compared is everything
//! but times, avatar addresses, error numbers and descriptions.

use super::seed::{seeded, Seeded};
use crate::standin::client::ask;
use crate::standin::http::Response;
use crate::standin::sentry::{template, RateLimit};
use serde_json::Value;
use std::collections::BTreeMap;

const RECORDED: &str = include_str!("recorded.txt");

/// One recorded exchange.
#[derive(Default, Debug)]
struct Exchange {
    title: String,
    request: String,
    headers: Vec<String>,
    body: Option<String>,
    status: u16,
    expected: Vec<String>,
    names: Option<String>,
    json: Option<Value>,
    text: Option<String>,
}

enum Step {
    File(String),
    Do(String),
    Ask(Box<Exchange>),
}

fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    let mut open: Option<Exchange> = None;
    for line in RECORDED.lines() {
        let (mark, rest) = line.split_at(line.len().min(2));
        if matches!(mark, "@ " | "! " | "# " | "##") {
            steps.extend(open.take().map(|exchange| Step::Ask(Box::new(exchange))));
        }
        match mark {
            "@ " => steps.push(Step::File(rest.to_owned())),
            "! " => steps.push(Step::Do(rest.to_owned())),
            "# " => open = Some(Exchange { title: rest.to_owned(), ..Exchange::default() }),
            _ => {}
        }
        let Some(exchange) = &mut open else { continue };
        match mark {
            "H " => exchange.headers.push(rest.to_owned()),
            "B " => exchange.body = Some(rest.to_owned()),
            "= " => exchange.status = rest.parse().expect("status"),
            "h " => exchange.expected.push(rest.to_owned()),
            "n " => exchange.names = Some(rest.to_owned()),
            "j " => exchange.json = Some(serde_json::from_str(rest).expect("json")),
            "t " => exchange.text = Some(rest.replace("\\n", "\n")),
            "# " | "##" | "b" => {}
            _ => exchange.request = line.to_owned(),
        }
    }
    steps.extend(open.map(|exchange| Step::Ask(Box::new(exchange))));
    steps
}

#[test]
fn recorded_exchanges_are_answered_alike() {
    let mut world = seeded();
    let (mut file, mut asked, mut faults) = (String::new(), 0, Vec::new());
    let mut allows: BTreeMap<String, String> = BTreeMap::new();
    for step in steps() {
        match step {
            Step::File(name) => {
                file = name;
                world = seeded();
                world.sentry.set_rate_limit(Some(RateLimit::per_second(999)));
            }
            Step::Do(what) if what == "reset" => world = seeded(),
            Step::Do(what) => act(&world, &what),
            Step::Ask(exchange) => {
                asked += 1;
                let (method, _) = exchange.request.split_once(' ').expect("request");
                let response = put(&world, &exchange);
                let found = differences(&world, &exchange, method, &response, &mut allows);
                if !found.is_empty() {
                    faults.push(format!(
                        "{file}: {}\n  {}\n  {}",
                        exchange.title,
                        exchange.request,
                        found.join("\n  ")
                    ));
                }
            }
        }
    }
    assert!(asked > 400, "only {asked} exchanges found");
    assert!(faults.is_empty(), "{} of {asked} differ:\n{}", faults.len(), faults.join("\n"));
}

/// What was done to the true server's database between two questions.
fn act(world: &Seeded, what: &str) {
    let sentry = &world.sentry;
    match what {
        "open-membership off" => sentry.set_open_membership(false),
        "tick" => sentry.tick(),
        "u20 in" => {
            sentry.join(3, 23);
        }
        "u20 out" => {
            sentry.leave(3, 23);
        }
        "deactivate 3" => sentry.set_active(3, false),
        "activate 3" => sentry.set_active(3, true),
        "remove-member 5" => sentry.remove_member(5),
        "idp-member 24" => sentry.set_member_provisioned(24, true),
        other => panic!("unknown step {other}"),
    }
}

fn put(world: &Seeded, exchange: &Exchange) -> Response {
    let (line, who) = exchange.request.split_once(" [").expect("caller");
    let (method, path) = line.split_once(' ').expect("path");
    let who = who.trim_end_matches(']');
    let mut path = path.to_owned();
    if path.contains("{pending:") {
        let pending = world.sentry.pending_deletions();
        let slug = pending.iter().find(|slug| slug.starts_with("backend-2-")).expect("pending team");
        path = path.replace("{pending:backend-2-}", slug);
    }
    let mut headers: Vec<(&str, &str)> =
        exchange.headers.iter().filter_map(|line| line.split_once(": ")).collect();
    let auth = world.authorization(who);
    headers.extend(auth.as_deref().map(|value| ("Authorization", value)));
    let named = headers.iter().any(|(name, _)| *name == "Content-Type");
    if exchange.body.is_some() && !named {
        headers.push(("Content-Type", "application/json"));
    }
    let body = exchange.body.as_deref().unwrap_or("");
    ask(&format!("{}{path}", world.sentry.url()), method, &headers, body.as_bytes()).expect("answer")
}

fn differences(
    world: &Seeded,
    exchange: &Exchange,
    method: &str,
    response: &Response,
    allows: &mut BTreeMap<String, String>,
) -> Vec<String> {
    let text = String::from_utf8_lossy(&response.body);
    if response.status != exchange.status {
        let (own, expected) = (response.status, exchange.status);
        return vec![format!("status {own} instead of {expected}: {text}")];
    }
    let mut found = header_differences(world, exchange, response);
    if let Some(allow) = response.header("allow") {
        let path = exchange.request.split([' ', '?']).nth(1).unwrap_or("");
        let known = allows.entry(template("", path)).or_insert_with(|| allow.to_owned());
        if known != allow {
            found.push(format!("Allow {allow}, before {known}"));
        }
    }
    match (&exchange.json, &exchange.text) {
        _ if method == "HEAD" => {}
        (Some(expected), _) => match serde_json::from_str::<Value>(&text) {
            Ok(own) => compare(expected, &own, "", &mut found),
            Err(_) => found.push(format!("no JSON: {text}")),
        },
        (None, Some(expected)) if text.trim_end() != expected.trim_end() => {
            found.push(format!("body {text:?}\n    instead of {expected:?}"));
        }
        (None, None) if !text.is_empty() => found.push(format!("a body where there was none: {text}")),
        _ => {}
    }
    found
}

fn header_differences(world: &Seeded, exchange: &Exchange, response: &Response) -> Vec<String> {
    let lines = exchange.expected.iter();
    let mut found: Vec<String> = lines.filter_map(|line| header_difference(world, line, response)).collect();
    let content_type = response.header("content-type");
    let told = exchange.expected.iter().any(|line| line.to_lowercase().contains("content-type"));
    if !told && content_type != Some("application/json") {
        found.push(format!("content type {content_type:?}"));
    }
    if let Some(names) = &exchange.names {
        let mut own: Vec<String> = response.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
        own.retain(|name| name != "date" && name != "connection");
        own.sort();
        if own.join(",") != *names {
            found.push(format!("headers {}\n    instead of {names}", own.join(",")));
        }
    }
    found
}

fn header_difference(world: &Seeded, line: &str, response: &Response) -> Option<String> {
    if line == "no Content-Type" {
        return response.header("content-type").map(|own| format!("content type {own} where there was none"));
    }
    let (name, value) = line.split_once(": ")?;
    let own = response.header(name).unwrap_or("(none)");
    let expected = if name == "Link" { link(world, value, response) } else { value.to_owned() };
    (own != expected).then(|| format!("{name}: {own}\n    instead of {expected}"))
}

/// The whole header from its short form: `false 100:-1:1 true 100:1:0 ?query`.
fn link(world: &Seeded, short: &str, response: &Response) -> String {
    let (words, query) = short.split_once(" ?").unwrap_or((short, ""));
    let words: Vec<&str> = words.split(' ').collect();
    let own = response.header("link").unwrap_or("");
    let path = own.split(['<', '?']).nth(1).unwrap_or("").trim_start_matches(&world.sentry.url()).to_owned();
    let relation = |name: &str, results: &str, cursor: &str| {
        format!(
            "<{}{path}?{query}&cursor={cursor}>; rel=\"{name}\"; results=\"{results}\"; cursor=\"{cursor}\"",
            world.sentry.url()
        )
    };
    format!("{}, {}", relation("previous", words[0], words[1]), relation("next", words[2], words[3]))
}

/// Compares a body with a recorded one, where `...` stands for what was left out.
fn compare(expected: &Value, own: &Value, at: &str, found: &mut Vec<String>) {
    match (expected, own) {
        (Value::String(text), _) if text == "*" => {}
        (Value::String(pattern), Value::String(text)) if fits(pattern, text) => {}
        (Value::Object(expected), Value::Object(own)) => compare_objects(expected, own, at, found),
        (Value::Array(expected), Value::Array(own)) => compare_lists(expected, own, at, found),
        _ if expected == own => {}
        _ => found.push(format!("{at}: {own} instead of {expected}")),
    }
}

type Map = serde_json::Map<String, Value>;

fn compare_objects(expected: &Map, own: &Map, at: &str, found: &mut Vec<String>) {
    for (key, value) in expected.iter().filter(|(key, _)| *key != "...") {
        // The address rows were made in another order; an integration's own user has a random name.
        if matches!(key.as_str(), "username" | "emails") || key == "name" && at == ".user" {
            continue;
        }
        match own.get(key) {
            Some(own) => compare(value, own, &format!("{at}.{key}"), found),
            None => found.push(format!("{at}.{key} is missing")),
        }
    }
    let more = own.len().saturating_sub(expected.keys().filter(|key| *key != "...").count());
    let told = expected
        .get("...")
        .and_then(Value::as_str)
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0);
    if more != told {
        let extra: Vec<&String> = own.keys().filter(|key| !expected.contains_key(*key)).collect();
        found.push(format!("{at}: {more} more fields instead of {told}: {extra:?}"));
    }
}

fn compare_lists(expected: &[Value], own: &[Value], at: &str, found: &mut Vec<String>) {
    let rest = expected.last().and_then(Value::as_str).filter(|text| text.starts_with("... "));
    let shown = &expected[..expected.len() - usize::from(rest.is_some())];
    let total = match rest {
        Some(text) => {
            text.split(", ").nth(1).and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0)
        }
        None => shown.len(),
    };
    if own.len() != total {
        found.push(format!("{at}: {} rows instead of {total}", own.len()));
    }
    let sorted = ["access", "features", "scopes"].iter().any(|key| at.ends_with(key));
    let mut own = own.to_vec();
    if sorted {
        own.sort_by_key(|value| value.to_string());
    }
    for (index, (expected, own)) in shown.iter().zip(&own).enumerate() {
        compare(expected, own, &format!("{at}[{index}]"), found);
    }
}

/// `?` in the pattern stands for any one character.
fn fits(pattern: &str, text: &str) -> bool {
    pattern.chars().count() == text.chars().count()
        && pattern.chars().zip(text.chars()).all(|(p, t)| p == '?' || p == t)
}

/// The tables of scopes: which status a call gets with one scope alone.
pub(super) fn scope_tables() -> Vec<(String, Vec<Vec<String>>)> {
    let mut tables = Vec::new();
    let start = RECORDED.find("@ 11-scopes").expect("scopes");
    for line in RECORDED[start..].lines() {
        if let Some(title) = line.strip_prefix("## ") {
            tables.push((title.to_owned(), Vec::new()));
        } else if let (Some(row), Some((_, rows))) = (line.strip_prefix("| "), tables.last_mut()) {
            rows.push(row.trim_end_matches(" |").split(" | ").map(str::to_owned).collect());
        }
    }
    tables
}
