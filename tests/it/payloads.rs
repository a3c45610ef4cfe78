//! GitHub's published example payloads, unedited: each is taken or ignored as the contract says, in both forms. And every
//! body that its descriptions allow.

mod allowed;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{json, Value};

use crate::standin::Delivery;
use crate::world::{Truth, World};

/// One published example.
struct Example {
    path: PathBuf,
    event: String,
    bytes: Vec<u8>,
    payload: Value,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// All examples of one site; the folder that a file lies in is its event's name.
fn examples(site: &str) -> Vec<Example> {
    let read = |path: PathBuf| {
        let event = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_string();
        let bytes = fs::read(&path).unwrap();
        let payload = serde_json::from_slice(&bytes).unwrap();
        Example { path, event, bytes, payload }
    };
    files_below(&folder().join(site)).into_iter().map(read).collect()
}

/// What the contract says about an event and its action.
fn answer_to(event: &str, action: &str) -> (u16, &'static str) {
    match (event, action) {
        ("ping", _) => (200, "pong"),
        ("team", "created" | "edited" | "deleted") => (202, "queued"),
        ("membership", "added" | "removed") => (202, "queued"),
        ("organization", "member_added" | "member_removed" | "renamed" | "deleted") => (202, "queued"),
        _ => (200, "ignored"),
    }
}

#[test]
fn every_published_payload_is_taken_or_ignored_in_both_forms() {
    for (site, n_files) in [("api.github.com", 16), ("ghes-35", 10)] {
        let mut world = World::new(Truth::Deliveries);
        // Nothing but the deliveries tells the organisation, and nothing is carried out meanwhile.
        world.github.set_down(true).unwrap();
        world.start();
        let mut all = examples(site);
        assert!(all.len() >= n_files, "{site}: {} files", all.len());
        // The first event about a team pins the organisation of this site's examples.
        all.sort_by_key(|example| !["membership", "team"].contains(&example.event.as_str()));
        let mut answers: BTreeMap<&str, u64> = BTreeMap::new();
        for (n, example) in all.iter().enumerate() {
            let json = Delivery::raw(&format!("json-{n}"), 7, &example.event, &example.bytes);
            let form = Delivery::raw(&format!("form-{n}"), 7, &example.event, &example.bytes).form();
            for delivery in [json, form] {
                let (status, answer) = world.ask(&delivery);
                let action = example.payload["action"].as_str().unwrap_or_default();
                let (wanted, word) = answer_to(&example.event, action);
                let path = example.path.display();
                assert_eq!((status, &answer["status"]), (wanted, &json!(word)), "{path}: {answer}");
                *answers.entry(word).or_default() += 1;
            }
        }
        assert_eq!(world.status()["queued"], answers["queued"], "{site}");
        assert_eq!(world.status()["github_org"], "Octocoders");
        let queued = ["team", "membership", "organization"].map(|event| {
            world.metric(&format!("sync_deliveries_total{{event=\"{event}\",answer=\"queued\"}}"))
        });
        assert_eq!(queued.iter().sum::<u64>(), answers["queued"]);
        assert_eq!(world.metric("sync_refused_total{reason=\"malformed\"}"), 0);
    }
}

/// The answer to a ping is advice. Two of the three say that they are a repository's, one beside its `app_id`.
#[test]
fn published_pings_get_their_advice() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let mut advice = Vec::new();
    for example in examples("api.github.com").iter().filter(|example| example.event == "ping") {
        let (_, answer) = world.ask(&Delivery::raw("ping", 7, "ping", &example.bytes));
        let warnings = answer["warnings"].as_array().unwrap().len();
        advice.push((example.path.file_name().unwrap().to_str().unwrap().to_string(), warnings));
    }
    let expected =
        [("payload.json", 1), ("with-app_id.payload.json", 1), ("with-organization.payload.json", 0)];
    assert_eq!(advice, expected.map(|(name, n)| (name.to_string(), n)));
}

/// What the parser insists on is what GitHub's own schemas promise.
#[test]
fn the_published_schemas_promise_what_is_required_of_a_body() {
    let schemas = folder().join("schemas");
    let required = |file: &str| -> Vec<String> {
        let text = fs::read_to_string(schemas.join(format!("{file}.schema.json"))).unwrap();
        serde_json::from_value(serde_json::from_str::<Value>(&text).unwrap()["required"].clone()).unwrap()
    };
    let mut n_checked = 0;
    for (event, fields) in [
        ("team", &["action", "team", "organization"][..]),
        ("membership", &["action", "member", "team", "organization"]),
        ("organization", &["action", "organization"]),
        ("ping", &["hook"]),
    ] {
        for file in files_below(&schemas.join(event)) {
            let name = format!("{event}/{}", file.file_name().unwrap().to_str().unwrap());
            let promised = required(name.strip_suffix(".schema.json").unwrap());
            for field in fields {
                assert!(promised.contains(&field.to_string()), "{name} does not promise {field}");
            }
            n_checked += 1;
        }
    }
    assert!(n_checked >= 13, "{n_checked}");
    for (file, fields) in [
        ("common/team", &["id", "name"][..]),
        ("common/user", &["id", "login"]),
        ("common/organization", &["id", "login"]),
        ("common/membership", &["user"]),
        ("organization/member_added", &["membership"]),
        ("organization/member_removed", &["membership"]),
    ] {
        let promised = required(file);
        assert!(fields.iter().all(|field| promised.contains(&field.to_string())), "{file}: {promised:?}");
    }
}
