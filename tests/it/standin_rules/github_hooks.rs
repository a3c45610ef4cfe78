//! The hook of the pretend GitHub and the list of what it sent.

use super::github_rest::Org;
use super::{json as body_of, texts};
use crate::standin::github::GithubToken;
use crate::standin::http::Response;
use serde_json::json;

/// Where the hook's deliveries are listed.
fn deliveries_of(org: &Org) -> String {
    format!("/orgs/Octocoders/hooks/{}/deliveries", org.github.hook().id)
}

#[test]
fn hooks_are_for_owners_with_the_permission() {
    let org = Org::start();
    let owner = org.github.add_token(GithubToken::members_read(org.owner).webhooks());
    let list = body_of(&org.get(&owner, "/orgs/Octocoders/hooks"));
    assert_eq!(list[0]["id"], json!(org.github.hook().id));
    assert_eq!(list[0]["config"]["secret"], json!("********"));
    let member = org.github.add_token(GithubToken::members_read(org.people[0]).webhooks());
    for token in [member, org.reader()] {
        assert_eq!(org.get(&token, "/orgs/Octocoders/hooks").status, 403);
        assert_eq!(org.get(&token, &deliveries_of(&org)).status, 403);
    }
}

#[test]
fn deliveries_are_listed_newest_first_and_kept_whole() {
    let org = Org::start();
    let owner = org.github.add_token(GithubToken::members_read(org.owner).webhooks());
    let ok = Response::new(202, "application/json", "{}");
    let wrong = Response::new(500, "text/plain", "oops");
    let send = |text: &str, answer: Option<&Response>| {
        let sent = org.github.edit_description(org.parent, text);
        org.github.log_delivery(&sent[0], answer);
        sent
    };
    let first = send("first", Some(&ok));
    org.github.log_delivery(&first[0], Some(&ok));
    for answer in [Some(&wrong), None, Some(&ok), Some(&ok)] {
        send("more", answer);
    }
    let base = deliveries_of(&org);
    let page = org.get(&owner, &format!("{base}?per_page=4"));
    let rows = body_of(&page);
    let codes: Vec<u64> = (0..4).map(|at| rows[at]["status_code"].as_u64().unwrap_or(9)).collect();
    assert_eq!(codes, [202, 202, 0, 500]);
    let link = page.header("link").unwrap_or("").to_owned();
    let next = link.trim_start_matches('<').split('>').next().unwrap_or("");
    let rest = body_of(&org.get(&owner, next.trim_start_matches(&org.github.url())));
    assert_eq!(rest.as_array().map(Vec::len), Some(2));
    assert_eq!((&rest[0]["redelivery"], &rest[1]["redelivery"]), (&json!(true), &json!(false)));
    assert_eq!(rest[0]["guid"], rest[1]["guid"]);
    let failed = body_of(&org.get(&owner, &format!("{base}?status=failure")));
    assert_eq!(texts(&failed, "status"), ["Invalid HTTP Response: 500"], "no answer is in no filter");
    let id = rows[3]["id"].as_u64().unwrap_or(0);
    let single = body_of(&org.get(&owner, &format!("{base}/{id}")));
    assert_eq!(single["request"]["payload"]["team"]["id"], json!(org.parent));
    assert_eq!(single["request"]["headers"]["X-GitHub-Event"], json!("team"));
    assert_eq!(single["response"]["payload"], json!("oops"));
    org.github.forget_deliveries();
    assert_eq!(org.get(&owner, &base).body, b"[]");
}
