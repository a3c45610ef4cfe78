//! REST of the pretend GitHub against what GitHub documents.

use super::{github, json as body_of, texts};
use crate::standin::client::ask;
use crate::standin::encode::path_encode;
use crate::standin::github::{Denial, Flavour, GithubStandin, GithubTeam, GithubToken, GithubUser, OrgRole};
use crate::standin::http::Response;
use serde_json::{json, Value};

/// An organisation with an owner, three people, nested teams and a secret one.
pub(super) struct Org {
    pub github: GithubStandin,
    pub owner: u64,
    pub people: Vec<u64>,
    pub parent: u64,
    pub child: u64,
    pub secret: u64,
}

impl Org {
    pub fn start() -> Org {
        Org::start_as(Flavour::Dotcom)
    }

    pub fn start_as(flavour: Flavour) -> Org {
        let github = GithubStandin::start_as(flavour, "Octocoders", 0).expect("a loopback port");
        let owner = github.add_person(GithubUser::new("olive").owner());
        let people = ["ana", "bo", "cy"].map(|login| github.add_person(login)).to_vec();
        let parent = github.add_team("Platform");
        let child = github.add_team(GithubTeam::new("Storage Crew").parent(parent));
        let secret = github.add_team(GithubTeam::new("Hush").secret());
        github.join(parent, people[0]);
        github.join(child, people[1]);
        github.join(secret, people[2]);
        Org { github, owner, people, parent, child, secret }
    }

    pub fn reader(&self) -> String {
        self.github.add_token(GithubToken::members_read(self.owner))
    }

    pub fn get(&self, token: &str, path: &str) -> Response {
        github(&self.github.url(), token, path)
    }
}

#[test]
fn headers_decide_first() {
    let org = Org::start();
    let url = format!("{}/users/ana", org.github.url());
    let status = |headers: &[(&str, &str)]| ask(&url, "GET", headers, b"").expect("an answer").status;
    assert_eq!(status(&[]), 403, "a User-Agent is required");
    let agent = ("User-Agent", "x");
    assert_eq!(status(&[agent, ("X-GitHub-Api-Version", "2022-11-28")]), 200);
    assert_eq!(status(&[agent, ("X-GitHub-Api-Version", "2026-03-10")]), 200);
    assert_eq!(status(&[agent, ("X-GitHub-Api-Version", "1999-01-01")]), 400);
    assert_eq!(status(&[agent, ("Authorization", "Bearer wrong")]), 401);
    assert_eq!(org.get(&org.reader(), "/orgs/octocoders/teams/").status, 404, "no trailing slash");
}

#[test]
fn a_token_without_permission_reads_profiles_only() {
    let org = Org::start();
    let none = org.github.add_token(GithubToken::no_permission(org.owner));
    for path in ["/users/ana", "/orgs/Octocoders", "/user", "/user/orgs", "/meta", "/rate_limit", "/"] {
        assert_eq!(org.get(&none, path).status, 200, "{path}");
    }
    assert_eq!(org.get(&none, &format!("/user/{}", org.people[0])).status, 200);
    let refused = org.get(&none, "/orgs/Octocoders/teams?per_page=1");
    assert_eq!(
        (refused.status, body_of(&refused)["message"].clone()),
        (403, json!("Resource not accessible by personal access token"))
    );
    assert_eq!(refused.header("x-accepted-github-permissions"), Some("members=read"));
    let stranger = org.github.add_token(GithubToken::no_permission(org.owner).denial(Denial::NotFound));
    assert_eq!(org.get(&stranger, "/orgs/Octocoders/teams").status, 404);
    let classic = org.github.add_token(GithubToken::no_permission(org.owner).classic());
    assert_eq!(org.get(&classic, "/orgs/Octocoders/members").status, 404);
    let anonymous =
        ask(&format!("{}/orgs/Octocoders/teams", org.github.url()), "GET", &[("User-Agent", "x")], b"");
    assert_eq!(anonymous.map(|response| response.status).ok(), Some(401));
}

#[test]
fn secret_teams_are_for_owners_members_and_apps() {
    let org = Org::start();
    let listed = |token: GithubToken| {
        let token = org.github.add_token(token);
        let by_id = format!("/organizations/{}/team/{}", org.github.org_id(), org.secret);
        (texts(&body_of(&org.get(&token, "/orgs/Octocoders/teams")), "slug"), org.get(&token, &by_id).status)
    };
    let all = ["platform", "storage-crew", "hush"].map(str::to_owned).to_vec();
    assert_eq!(listed(GithubToken::members_read(org.owner)), (all.clone(), 200));
    assert_eq!(listed(GithubToken::members_read(org.people[2])), (all.clone(), 200));
    assert_eq!(listed(GithubToken::app()), (all.clone(), 200));
    assert_eq!(listed(GithubToken::members_read(org.people[0])), (all[..2].to_vec(), 404));
    org.github.set_org_role(org.people[0], OrgRole::Owner);
    assert_eq!(listed(GithubToken::members_read(org.people[0])).1, 200);
}

#[test]
fn team_members_include_those_of_child_teams() {
    let org = Org::start();
    let token = org.reader();
    let list = body_of(&org.get(&token, "/orgs/Octocoders/teams/platform/members"));
    assert_eq!(texts(&list, "login"), ["ana", "bo"]);
    assert_eq!((&list[0]["inherited"], &list[1]["inherited"]), (&json!(false), &json!(true)));
    let membership = |login: &str| {
        let path = format!("/organizations/{}/team/{}/memberships/{login}", org.github.org_id(), org.parent);
        let answer = org.get(&token, &path);
        (answer.status, body_of(&answer)["state"].as_str().map(str::to_owned))
    };
    assert_eq!(membership("bo"), (200, Some("active".to_owned())), "also for a member of a child team");
    assert_eq!(membership("cy"), (404, None));
    assert_eq!(membership("nobody"), (404, None));
    org.github.invite(org.parent, org.people[2]);
    assert_eq!(membership("cy"), (200, Some("pending".to_owned())));
    let children = body_of(&org.get(&token, "/orgs/Octocoders/teams/platform/teams"));
    assert_eq!(texts(&children, "slug"), ["storage-crew"]);
    assert_eq!(children[0]["parent"]["slug"], json!("platform"));
}

#[test]
fn owners_are_always_maintainers() {
    let org = Org::start();
    org.github.join(org.child, org.owner);
    let token = org.reader();
    let list = body_of(&org.get(&token, "/orgs/Octocoders/teams/storage-crew/members"));
    assert_eq!(texts(&list, "role"), ["maintainer", "member"]);
    let filtered = body_of(&org.get(&token, "/orgs/Octocoders/teams/storage-crew/members?role=member"));
    assert_eq!(texts(&filtered, "login"), ["bo"]);
}

#[test]
fn old_names_answer_404_and_ids_survive() {
    let org = Org::start();
    let token = org.reader();
    org.github.rename_team(org.parent, "Foundation");
    org.github.rename_org("Octosquad");
    org.github.rename_user(org.people[0], "anna");
    let statuses: Vec<u16> = [
        "/orgs/Octosquad/teams/platform",
        "/orgs/Octocoders/teams/foundation",
        "/users/ana",
        "/orgs/Octosquad/teams/foundation",
        "/users/anna",
    ]
    .iter()
    .map(|path| org.get(&token, path).status)
    .collect();
    assert_eq!(statuses, [404, 404, 404, 200, 200]);
    let by_id = org.get(&token, &format!("/organizations/{}/team/{}", org.github.org_id(), org.parent));
    assert_eq!(body_of(&by_id)["slug"], json!("foundation"));
    let user = body_of(&org.get(&token, &format!("/user/{}", org.people[0])));
    assert_eq!((&user["login"], &user["email"]), (&json!("anna"), &Value::Null));
}

#[test]
fn pages_are_linked_by_organization_id() {
    let org = Org::start();
    for i in 0..120 {
        org.github.add_team(format!("t{i}").as_str());
    }
    let token = org.reader();
    let mut path = "/orgs/Octocoders/teams?per_page=500".to_owned();
    let mut sizes = Vec::new();
    loop {
        let page = org.get(&token, &path);
        sizes.push(body_of(&page).as_array().map_or(0, Vec::len));
        let link = page.header("link").unwrap_or("").to_owned();
        let Some(next) = link.split(", ").find(|part| part.ends_with("rel=\"next\"")) else {
            break;
        };
        let address = next.trim_start_matches('<').split('>').next().unwrap_or("");
        path = address.trim_start_matches(&org.github.url()).to_owned();
        assert!(path.starts_with(&format!("/organizations/{}/teams?", org.github.org_id())), "{path}");
    }
    assert_eq!(sizes, [100, 23], "at most 100 a page");
    assert_eq!(org.get(&token, "/orgs/Octocoders/teams?per_page=100&page=9").body, b"[]");
    assert!(
        org.get(&token, "/orgs/Octocoders/members").header("link").is_none(),
        "a single page has no link"
    );
}

#[test]
fn enterprise_teams_have_a_prefix_and_a_type() {
    let org = Org::start();
    org.github.add_team(GithubTeam::new("All Hands").enterprise());
    let token = org.reader();
    let slugs =
        |query: &str| texts(&body_of(&org.get(&token, &format!("/orgs/Octocoders/teams?{query}"))), "slug");
    assert!(slugs("").contains(&"ent:all-hands".to_owned()));
    assert_eq!(slugs("team_type=enterprise"), ["ent:all-hands"]);
    assert!(!slugs("team_type=organization").contains(&"ent:all-hands".to_owned()));
    let one = org.get(&token, &format!("/orgs/Octocoders/teams/{}", path_encode("ent:all-hands")));
    assert_eq!(body_of(&one)["type"], json!("enterprise"));
}

#[test]
fn organization_membership_is_told() {
    let org = Org::start();
    let token = org.reader();
    assert_eq!(org.get(&token, "/orgs/Octocoders/members/ana").status, 204);
    assert_eq!(org.get(&token, "/orgs/Octocoders/members/nobody").status, 404);
    let own = body_of(&org.get(&token, "/orgs/Octocoders/memberships/olive"));
    assert_eq!(
        (&own["role"], &own["state"], &own["direct_membership"]),
        (&json!("admin"), &json!("active"), &json!(true))
    );
    let admins = body_of(&org.get(&token, "/orgs/Octocoders/members?role=admin"));
    assert_eq!(texts(&admins, "login"), ["olive"]);
}

#[test]
fn a_token_loses_the_organization_with_its_user() {
    let org = Org::start();
    let token = org.github.add_token(GithubToken::members_read(org.people[0]));
    assert_eq!(org.get(&token, "/orgs/Octocoders/teams").status, 200);
    org.github.remove_from_org(org.people[0]);
    assert_eq!(org.get(&token, "/orgs/Octocoders/teams").status, 403);
}

#[test]
fn an_enterprise_server_is_older() {
    let org = Org::start_as(Flavour::EnterpriseServer);
    let token = org.reader();
    assert!(org.github.url().ends_with("/api/v3"));
    let list = org.get(&token, "/orgs/Octocoders/teams/platform/members");
    let rows = body_of(&list);
    assert_eq!(texts(&rows, "login"), ["ana", "bo"]);
    assert!(rows[0].get("inherited").is_none() && rows[0].get("role").is_none());
    assert!(list.header("x-ratelimit-limit").is_none());
    assert_eq!(org.get(&token, "/rate_limit").status, 404);
    let newest = [("User-Agent", "x"), ("X-GitHub-Api-Version", "2026-03-10")];
    let answer = ask(&format!("{}/meta", org.github.url()), "GET", &newest, b"").expect("an answer");
    assert_eq!(answer.status, 400);
    let graphql = format!("http://127.0.0.1:{}/api/graphql", org.github.port());
    let bearer = format!("Bearer {token}");
    let headers = [("User-Agent", "x"), ("Authorization", bearer.as_str())];
    let query = br#"{"query": "{ viewer { login } }"}"#;
    let answer = ask(&graphql, "POST", &headers, query).expect("an answer");
    assert_eq!(body_of(&answer)["data"], json!({"viewer": {"login": "olive"}}));
}

#[test]
fn a_token_that_is_not_authorised_for_single_sign_on_is_told_where_to_authorise_it() {
    let org = Org::start();
    let token =
        org.github.add_token(GithubToken::members_read(org.owner).classic().webhooks().unauthorised());
    for path in ["/orgs/Octocoders/teams", "/orgs/Octocoders/members", "/orgs/Octocoders/hooks"] {
        let refused = org.get(&token, path);
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused
            .header("x-github-sso")
            .is_some_and(|told| told.starts_with("required; url=https://")));
    }
    let own = org.get(&token, "/user/orgs");
    assert_eq!((own.status, String::from_utf8_lossy(&own.body).as_ref()), (200, "[]"));
    let partial = format!("partial-results; organizations={}", org.github.org_id());
    assert_eq!(own.header("x-github-sso"), Some(partial.as_str()));
}
