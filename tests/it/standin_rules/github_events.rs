//! Webhooks of the pretend GitHub against the published examples, and what each change sends.

use crate::standin::deliver::Delivery;
use crate::standin::github::{slug, Events, GithubStandin, GithubTeam, GithubUser};
use serde_json::{json, Value};
use std::collections::BTreeSet;

/// An example of a true payload.
fn example(path: &str) -> Value {
    let whole = format!("{}/tests/payloads/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(&whole).unwrap_or_else(|error| panic!("{whole}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{whole}: {error}"))
}

/// All paths of keys in a value.
fn keys(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    if let Value::Object(map) = value {
        for (key, value) in map {
            let path = format!("{at}.{key}");
            keys(value, &path, found);
            found.insert(path);
        }
    }
}

struct Org {
    github: GithubStandin,
    people: Vec<u64>,
}

impl Org {
    fn start(events: Events) -> Org {
        let github = GithubStandin::start("Octocoders").expect("a loopback port");
        github.set_org_id(38_302_899);
        github.add_person(GithubUser::new("Codertocat").id(21_031_067).owner());
        github.set_events(events);
        let people = ["ana", "bo"].map(|login| github.add_person(login)).to_vec();
        Org { github, people }
    }
}

/// Event, action and team or login of deliveries, as short lines.
fn told(sent: &[Delivery]) -> Vec<String> {
    let line = |delivery: &Delivery| {
        let payload = delivery.payload();
        let name = payload["team"]["name"].as_str().unwrap_or("").to_owned();
        let who = payload["member"]["login"]
            .as_str()
            .or(payload["membership"]["user"]["login"].as_str())
            .unwrap_or("");
        let what = format!("{}.{}", delivery.event, delivery.action.as_deref().unwrap_or(""));
        let words = [what.as_str(), &name, who];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    sent.iter().map(line).collect()
}

/// The keys of an example that a payload lacks.
fn lacking(path: &str, delivery: &Delivery) -> Vec<String> {
    let (mut expected, mut own) = (BTreeSet::new(), BTreeSet::new());
    keys(&example(path), "", &mut expected);
    keys(&delivery.payload(), "", &mut own);
    // Newer payloads have it, and the examples disagree about it among themselves.
    expected.remove(".team.notification_setting");
    expected.difference(&own).cloned().collect()
}

#[test]
fn payloads_have_every_key_of_the_examples() {
    let org = Org::start(Events { newer_fields: false, installation: Some(1), ..Events::default() });
    let github = &org.github;
    let (team, mut sent) = github.create_team(GithubTeam::new("github").id(3_253_328), 21_031_067);
    sent.extend(github.edit_description(team, "Open-source team"));
    sent.extend(github.add_member(team, org.people[0]));
    sent.extend(github.remove_member(team, org.people[0]));
    sent.extend(github.add_to_org(github.add_user("hacktocat")));
    sent.extend(github.rename_org("Octosquad"));
    sent.extend(github.delete_team(team));
    sent.push(github.ping());
    let paths = [
        "team/created.payload.json",
        "team/edited.payload.json",
        "membership/added.payload.json",
        "membership/removed.with-installation.payload.json",
        "organization/member_added.payload.json",
        "organization/renamed.payload.json",
        "team/deleted.payload.json",
        "ping/with-organization.payload.json",
    ];
    for (path, delivery) in paths.iter().zip(&sent) {
        let missing = lacking(&format!("api.github.com/{path}"), delivery);
        assert!(missing.is_empty(), "{path}: {missing:?}");
    }
}

#[test]
fn a_created_team_equals_the_example() {
    let org = Org::start(Events { newer_fields: false, installation: Some(1), ..Events::default() });
    let (_, sent) = org.github.create_team(GithubTeam::new("github").id(3_253_328).secret(), 21_031_067);
    let (own, mut example) = (sent[0].payload(), example("api.github.com/team/created.payload.json"));
    example["team"].as_object_mut().expect("a team").remove("notification_setting");
    assert_eq!(own["team"], example["team"]);
    assert_eq!(own["installation"], example["installation"]);
    // The pictures' addresses have changed since.
    for key in ["organization", "sender"] {
        example[key]["avatar_url"] = own[key]["avatar_url"].clone();
        assert_eq!(own[key], example[key]);
    }
}

#[test]
fn leaving_looks_as_on_an_enterprise_server() {
    let org = Org::start(Events { newer_fields: false, enterprise: true, ..Events::default() });
    let left = org.github.remove_from_org(org.people[0]);
    let path = "ghes-35/organization/member_removed.json";
    assert_eq!(lacking(path, &left[0]), Vec::<String>::new());
    let example = example(path);
    assert_eq!(left[0].payload()["membership"]["state"], example["membership"]["state"]);
    assert_eq!(left[0].payload()["membership"]["role"], example["membership"]["role"]);
}

#[test]
fn by_default_only_what_is_promised_is_sent() {
    let org = Org::start(Events::default());
    let github = &org.github;
    let (parent, created) = github.create_team("Platform", org.people[0]);
    let child = github.add_team(GithubTeam::new("Storage").parent(parent));
    github.join(child, org.people[1]);
    assert_eq!(told(&created), ["team.created Platform"]);
    assert_eq!(github.teams()[&parent].members, ["ana"], "its maker is in it without a word");
    assert_eq!(told(&github.reparent(child, None)), Vec::<String>::new());
    github.reparent(child, Some(parent));
    assert_eq!(told(&github.remove_from_org(org.people[0])), ["organization.member_removed ana"]);
    assert!(github.teams()[&parent].members.is_empty());
    assert_eq!(told(&github.delete_team(parent)), ["team.deleted Platform"]);
    assert!(github.teams().is_empty(), "children go silently");
}

#[test]
fn with_every_option_everything_is_sent() {
    let events = Events {
        creator_membership: true,
        members_of_deleted: true,
        deleted_children: true,
        teams_of_leaver: true,
        reparent: true,
        ..Events::default()
    };
    let org = Org::start(events);
    let github = &org.github;
    let (parent, created) = github.create_team("Platform", org.people[0]);
    let child = github.add_team(GithubTeam::new("Storage").parent(parent));
    github.join(child, org.people[1]);
    assert_eq!(told(&created), ["team.created Platform", "membership.added Platform ana"]);
    assert_eq!(github.reparent(child, None)[0].payload()["changes"], json!({}));
    github.reparent(child, Some(parent));
    let left = github.remove_from_org(org.people[0]);
    assert_eq!(told(&left), ["organization.member_removed ana", "membership.removed Platform ana"]);
    assert_eq!(left[1].payload()["scope"], json!("organization"));
    let deleted = github.delete_team(parent);
    assert_eq!(
        told(&deleted),
        ["team.deleted Platform", "membership.removed Storage bo", "team.deleted Storage"]
    );
    assert_eq!(deleted[1].payload()["team"], json!({"id": child, "name": "Storage", "deleted": true}));
}

#[test]
fn a_rename_tells_the_old_name_and_the_new_slug() {
    let org = Org::start(Events::default());
    let team = org.github.add_team("Old Name");
    let sent = org.github.rename_team(team, "My TEam Näme");
    let payload = sent[0].payload();
    assert_eq!(payload["changes"], json!({"name": {"from": "Old Name"}}));
    assert_eq!((&payload["team"]["slug"], &payload["team"]["id"]), (&json!("my-team-name"), &json!(team)));
    assert_eq!(
        payload["team"]["url"],
        json!(format!("https://api.github.com/organizations/38302899/team/{team}"))
    );
    assert_eq!(
        (&payload["team"]["type"], &payload["team"]["organization_id"]),
        (&json!("organization"), &json!(38_302_899))
    );
    assert_eq!(org.github.team_id("old-name"), None);
}

#[test]
fn minimal_payloads_have_an_id_and_a_name() {
    let org = Org::start(Events { minimal: true, sender: false, ..Events::default() });
    let team = org.github.add_team("Platform");
    let sent = org.github.add_member(team, org.people[0]);
    let payload = sent[0].payload();
    assert_eq!(payload["team"], json!({"id": team, "name": "Platform"}));
    assert!(payload.get("sender").is_none());
}

#[test]
fn slugs_follow_the_rule() {
    let cases = [
        ("My TEam Näme", "my-team-name"),
        ("foo/bar@baz", "bar-baz"),
        ("🚀", ""),
        ("2024", "2024"),
        ("a  b...c", "a-b-c"),
        ("snake_case", "snake_case"),
        ("-- x --", "x"),
    ];
    for (name, expected) in cases {
        assert_eq!(slug(name), expected, "{name}");
    }
}

#[test]
fn a_taken_name_is_refused() {
    let org = Org::start(Events::default());
    org.github.add_team("Platform");
    let github = org.github.clone();
    let second = std::thread::spawn(move || github.add_team("platform")).join();
    assert!(second.is_err(), "GitHub answers 422");
}

#[test]
fn guids_are_repeatable_and_unique() {
    let guids = || {
        let org = Org::start(Events::default());
        let team = org.github.add_team("Platform");
        (0..50)
            .map(|i| org.github.edit_description(team, &i.to_string())[0].guid.clone())
            .collect::<Vec<String>>()
    };
    let (first, second) = (guids(), guids());
    assert_eq!(first, second);
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 50);
    assert!(first.iter().all(|guid| guid.len() == 36 && guid.split('-').count() == 5));
}

#[test]
fn making_secret_and_deleting_the_organization_are_told() {
    let org = Org::start(Events::default());
    let team = org.github.add_team("Platform");
    assert_eq!(org.github.make_secret(team)[0].payload()["changes"], json!({"privacy": {"from": "closed"}}));
    assert_eq!(org.github.make_visible(team)[0].payload()["changes"], json!({"privacy": {"from": "secret"}}));
    assert_eq!(told(&org.github.delete_org()), ["organization.deleted"]);
}
