//! The program's calls against both official descriptions: that the check complains, and what no scenario reaches.

use std::panic::{catch_unwind, AssertUnwindSafe};

use serde_json::{json, Map, Value};

use crate::standin::client::ask;
use crate::standin::described::{self, PROGRAM};
use crate::standin::graphql::schema::Schema;
use crate::standin::{github, GithubStandin, SentryStandin, Wire};

/// The texts themselves: the program has no command that prints them.
#[path = "../../../src/hosts/github/queries.rs"]
mod queries;

const QUERIES: &str = include_str!("../../../src/hosts/github/queries.rs");

/// Every query that the program can send, with variables as it gives them.
fn all_queries() -> Vec<(String, Value)> {
    let both = [false, true];
    let page = json!({"org": "acme", "first": 100, "after": null});
    let mut all = vec![
        (queries::TEAM_MEMBERS.to_owned(), json!({"id": "T_1", "after": "x"})),
        (queries::TEAMS_OF.to_owned(), json!({"org": "acme", "login": "olive", "after": null})),
        (queries::TEAMS_WITH_MEMBERS.to_owned(), page.clone()),
        (queries::IDENTITIES.to_owned(), page.clone()),
    ];
    for email in both {
        for verified in both {
            all.push((queries::people(email, verified), page.clone()));
            for saml in both {
                let variables = if verified || saml {
                    json!({"login": "olive", "org": "acme"})
                } else {
                    json!({"login": "olive"})
                };
                all.push((queries::person(email, verified, saml), variables));
            }
        }
    }
    all
}

fn name_of(query: &str) -> &str {
    let rest = query.split("query ").nth(1).unwrap_or_default();
    rest.split('(').next().unwrap_or_default()
}

#[test]
fn every_query_of_the_program_fits_githubs_schema() {
    let all = all_queries();
    for (query, variables) in &all {
        let variables: &Map<String, Value> = variables.as_object().expect("an object");
        assert_eq!(described::query_faults(query, None, variables), Vec::<String>::new());
    }
    // Nobody adds a query and forgets it here.
    let written = QUERIES.match_indices("query ").map(|(at, _)| name_of(&QUERIES[at..]));
    for name in written.filter(|name| name.starts_with(char::is_uppercase)) {
        assert!(all.iter().any(|(query, _)| name_of(query) == name), "{name} is not tried");
    }
}

#[test]
fn a_query_that_does_not_fit_is_told() {
    let cases = [
        ("query Q($a: String) { user(login: $a) { login } }", "Type mismatch on variable $a and argument login (String / String!)"),
        ("query Q($a: Int!) { organization(login: \"a\") { teams(first: 1, userLogins: [$a]) { totalCount } } }", "Type mismatch on variable $a and argument userLogins (Int! / String!)"),
        ("query Q($a: [String!]) { organization(login: \"a\") { teams(first: 1, query: $a) { totalCount } } }", "Type mismatch on variable $a"),
        ("query Q($a: OrderDirection) { organization(login: \"a\") { teams(first: 1, orderBy: {field: NAME, direction: $a}) { totalCount } } }", "Type mismatch on variable $a"),
        ("query Q($a: User!) { user(login: $a) { login } }", "Type mismatch on variable $a"),
        ("{ node(id: \"x\") { ... on PageInfo { endCursor } } }", "Fragment on PageInfo can't be spread inside Node"),
        ("{ organization(login: \"a\") { teams(first: 1, orderBy: {field: NAME}) { totalCount } } }", "Argument 'orderBy' on Field 'teams' has an invalid value"),
        ("{ user(login: \"a\") { anyPinnableItem } }", "Field 'anyPinnableItem' doesn't exist on type 'User'"),
    ];
    for (query, words) in cases {
        let faults = described::query_faults(query, None, &Map::new());
        assert!(faults.iter().any(|fault| fault.starts_with(words)), "{query}: {faults:?}");
    }
}

#[test]
fn the_stand_in_plays_a_part_of_githubs_schema() {
    assert_eq!(described::schema_differences(github::schema(), described::github_schema()), [""; 0]);
    let other = Schema::read("type User { login(of: Int): Int nothing: ID } enum TeamRole { CHIEF }")
        .expect("a schema");
    let differences = described::schema_differences(&other, described::github_schema());
    assert_eq!(differences.len(), 4, "{differences:?}");
}

/// One call in the program's name, below the site's base, and what its description has against it.
fn as_program(wire: &Wire, base: &str, method: &str, path: &str, body: Option<Value>) -> Vec<String> {
    let agent = format!("{PROGRAM}0");
    let mut headers = vec![("User-Agent", agent.as_str())];
    if body.is_some() {
        headers.push(("Content-Type", "application/json"));
    }
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    ask(&format!("{base}{path}"), method, &headers, body.as_bytes()).expect("an answer");
    wire.take_undescribed()
}

#[test]
fn a_call_that_sentrys_description_does_not_have_is_told() {
    let sentry = SentryStandin::start("acme").unwrap();
    let teams = "/api/0/organizations/acme/teams/";
    let cases = [
        ("GET", "/api/0/organizations/acme/teams", None, "no such operation"),
        ("PATCH", teams, None, "no such operation"),
        ("GET", "/api/0/organizations//teams/", None, "no such operation"),
        ("GET", "/api/0/organizations/acme/teams/?per_page=many", None, "`per_page` is of type \"integer\""),
        ("GET", "/api/0/organizations/acme/teams/?cursor=", None, "`cursor` has at least 1 characters"),
        ("GET", "/api/0/organizations/acme/teams/?pages=1", None, "query parameter `pages` is not described"),
        ("GET", "/api/0/teams/acme/crew/?query=x", None, "query parameter `query` is not described"),
        ("POST", teams, Some(json!({"slug": "Crew"})), "`body.slug` is a slug"),
        ("POST", teams, Some(json!({"slug": "12"})), "`body.slug` is a slug"),
        ("POST", teams, Some(json!({"slug": "a".repeat(51)})), "`body.slug` has at most 50 characters"),
        ("POST", teams, Some(json!({"slug": "crew", "title": "Crew"})), "`body.title` is not described"),
        ("POST", teams, Some(json!({"name": 1})), "`body.name` is of type \"string\""),
        ("POST", teams, Some(json!(["crew"])), "`body` is of type \"object\""),
        ("PUT", "/api/0/teams/acme/crew/", None, "a body is required"),
        ("PUT", "/api/0/teams/acme/crew/", Some(json!({"name": "Crew"})), "`body.slug` is required"),
        ("DELETE", "/api/0/teams/acme/crew/", Some(json!({})), "a body is not described"),
        (
            "POST",
            "/api/0/organizations/acme/members/",
            Some(json!({"email": "a@acme.test", "orgRole": "chief"})),
            "`body.orgRole` is one of",
        ),
        ("GET", "/api/0/organizations/acme/scim/v2/Groups/", None, "no such operation"),
        ("GET", "/api/0/organizations/acme/scim/v2/Groups?startIndex=0", None, "`startIndex` is at least 1"),
        (
            "GET",
            "/api/0/organizations/acme/scim/v2/Groups?per_page=100",
            None,
            "query parameter `per_page` is not described",
        ),
        (
            "POST",
            "/api/0/teams/acme/crew/external-teams/",
            Some(json!({"external_name": "@acme/crew", "provider": "github"})),
            "`body.integration_id` is required",
        ),
        ("DELETE", "/api/0/teams/acme/crew/external-teams/x/", None, "`external_team_id` is of type"),
        (
            "GET",
            "/api/0/organizations/acme/integrations/?provider=github",
            None,
            "`provider` is not described",
        ),
    ];
    for (method, path, body, words) in cases {
        let told = as_program(&sentry.wire, &sentry.url(), method, path, body);
        assert!(told.len() == 1 && told[0].contains(words), "{method} {path}: {told:?}");
    }
    let described = json!({"slug": "crew", "name": null});
    assert_eq!(as_program(&sentry.wire, &sentry.url(), "POST", teams, Some(described)), [""; 0]);
    let reads = [
        "/api/0/organizations/acme/scim/v2/Groups?startIndex=101&count=100",
        "/api/0/organizations/acme/integrations/?providerKey=github&includeConfig=0",
        "/api/0/organizations/acme/teams/?detailed=1&per_page=100",
        "/api/0/teams/2/3/?collapse=organization&expand=externalTeams",
    ];
    for path in reads {
        assert_eq!(as_program(&sentry.wire, &sentry.url(), "GET", path, None), [""; 0], "{path}");
    }
}

#[test]
fn a_call_that_githubs_description_does_not_have_is_told() {
    let github = GithubStandin::start("acme").unwrap();
    let query = |query: &str| Some(json!({ "query": query }));
    let cases = [
        ("GET", "/orgs/acme/team", None, "no such operation"),
        ("GET", "/user/olive", None, "`account_id` is of type \"integer\""),
        ("GET", "/organizations/acme/team/1", None, "`org_id` is of type \"integer\""),
        ("GET", "/orgs/acme/teams?team_type=secret", None, "`team_type` is one of"),
        ("GET", "/orgs/acme?per_page=1", None, "query parameter `per_page` is not described"),
        ("GET", "/orgs/acme/hooks/x/deliveries", None, "`hook_id` is of type \"integer\""),
        (
            "POST",
            "/graphql",
            query("{ viewer { nonsense } }"),
            "Field 'nonsense' doesn't exist on type 'User'",
        ),
        ("POST", "/graphql", Some(json!({ "text": "{}" })), "GraphQL knows no `text`"),
        ("GET", "/graphql", None, "GraphQL is asked by POST"),
    ];
    for (method, path, body, words) in cases {
        let told = as_program(&github.wire, &github.url(), method, path, body);
        assert!(told.len() == 1 && told[0].contains(words), "{method} {path}: {told:?}");
    }
    let in_words = "/organizations/1/team/2/members?per_page=100";
    assert_eq!(as_program(&github.wire, &github.url(), "GET", in_words, None), [""; 0]);
}

#[test]
fn a_stand_in_that_was_asked_what_is_not_described_does_not_end_in_silence() {
    let sentry = SentryStandin::start("acme").unwrap();
    let headers = [("User-Agent", PROGRAM)];
    ask(&format!("{}/api/0/nonsense/", sentry.url()), "GET", &headers, b"").expect("an answer");
    let end = catch_unwind(AssertUnwindSafe(|| drop(sentry))).expect_err("it tells");
    let words = end.downcast_ref::<String>().expect("words");
    assert!(words.contains("no such operation: GET /api/0/nonsense/"), "{words}");
}
