//! GraphQL of the pretend GitHub when something is wrong: with the query, the token, or GitHub.

use super::github_graphql::{Org, PEOPLE, TEAMS};
use super::json as body_of;
use crate::standin::fault::{Fault, GraphqlFault, Rule};
use crate::standin::github::{GithubToken, Limits};
use serde_json::{json, Value};

#[test]
fn what_does_not_fit_the_schema_has_no_data() {
    let org = Org::of(0);
    let cases = [
        ("{ organization(login: \"acme\") { nonsense } }", "Field 'nonsense' doesn't exist on type 'Organization'"),
        ("{ organization(login: \"acme\", x: 1) { login } }", "Field 'organization' doesn't accept argument 'x'"),
        ("{ organization { login } }", "Field 'organization' is missing required arguments: login"),
        ("{ organization(login: $org) { login } }", "Variable $org is used but not declared"),
        ("query Q($org: String!) { viewer { login } }", "Variable $org is declared by Q but not used"),
        ("query Q($org: String!) { organization(login: $org) { login } }", "Variable $org of type String! was provided invalid value"),
        ("{ viewer { login { x } } }", "Selections can't be made on scalars (field 'login' returns String)"),
        ("{ viewer }", "Field must have selections (field 'viewer' returns User but has no selections."),
        ("{ viewer { login ", "Parse error on end of file"),
        ("{ viewer { ...Nope } }", "Fragment Nope was used, but not defined"),
        ("mutation { x }", "only queries are played"),
        ("{ organization(login: \"acme\") { teams(first: \"x\") { totalCount } } }", "Argument 'first' on Field 'teams' has an invalid value"),
        ("{ organization(login: \"acme\") { team(slug: \"x\") { members(first: 1, membership: SOME) { totalCount } } } }", "Argument 'membership'"),
    ];
    for (query, words) in cases {
        let answer = org.ask(query, json!({}));
        let message = answer["errors"][0]["message"].as_str().unwrap_or("");
        assert!(message.starts_with(words) && answer.get("data").is_none(), "{query}: {answer}");
    }
}

#[test]
fn what_cannot_be_answered_is_null_with_an_error() {
    let org = Org::of(0);
    let path = json!(["organization", "teams"]);
    let teams =
        |inner: &str| format!("{{ organization(login: \"acme\") {{ teams{inner} {{ totalCount }} }} }}");
    assert_eq!(org.first_error(&teams("")), (json!("MISSING_PAGINATION_BOUNDARIES"), path.clone()));
    assert_eq!(org.first_error(&teams("(first: 101)")), (json!("EXCESSIVE_PAGINATION"), path.clone()));
    assert_eq!(org.first_error(&teams("(first: 0)")).1, path);
    assert_eq!(
        org.first_error(&teams("(first: 1, after: \"nonsense\")")).0,
        json!("INVALID_CURSOR_ARGUMENTS")
    );
    assert_eq!(
        org.first_error("{ organization(login: \"nobody\") { login } }"),
        (json!("NOT_FOUND"), json!(["organization"]))
    );
    assert_eq!(
        org.first_error("{ node(id: \"nonsense\") { __typename } }"),
        (json!("NOT_FOUND"), json!(["node"]))
    );
    org.github.rename_org("acme-two");
    assert_eq!(org.first_error(&teams("(first: 1)")).0, json!("NOT_FOUND"), "a former login");
}

#[test]
fn permissions_decide_field_by_field() {
    let org = Org::of(1);
    let none = org.github.add_token(GithubToken::no_permission(org.people[0]));
    let answer = body_of(&org.post(&none, TEAMS, &json!({"org": "acme"})));
    assert_eq!(
        (&answer["data"]["organization"], &answer["errors"][0]["type"]),
        (&Value::Null, &json!("FORBIDDEN"))
    );
    assert_eq!(answer["errors"][0]["message"], json!("Resource not accessible by personal access token"));
    let refused = org.github.add_token(GithubToken::members_read(org.people[0]).without_graphql());
    assert_eq!(org.post(&refused, TEAMS, &json!({"org": "acme"})).status, 403);
    assert_eq!(org.post("wrong", TEAMS, &json!({"org": "acme"})).status, 401);
    org.github.forbid_field("organizationVerifiedDomainEmails", true);
    let partial = org.ask(PEOPLE, json!({"org": "acme"}));
    assert_eq!(partial["errors"].as_array().map(Vec::len), Some(2), "one for each person");
    let edges = &partial["data"]["organization"]["membersWithRole"]["edges"];
    assert_eq!(
        (&edges[0]["node"], &edges[0]["role"]),
        (&Value::Null, &json!("ADMIN")),
        "the list may not be null, so its person is"
    );
    org.github.forbid_field("organizationVerifiedDomainEmails", false);
    assert!(org.ask(PEOPLE, json!({"org": "acme"})).get("errors").is_none());
}

#[test]
fn faults_inside_a_200() {
    let org = Org::of(3);
    for name in ["a", "b", "c"] {
        let team = org.github.add_team(name);
        org.people.iter().for_each(|user| org.github.join(team, *user));
    }
    let script =
        |fault: GraphqlFault| org.github.wire.script(Rule::new("POST /graphql", Fault::Graphql(fault)));
    script(GraphqlFault::RateLimited);
    let limited = org.post(&org.token, TEAMS, &json!({"org": "acme"}));
    assert_eq!((limited.status, limited.header("x-ratelimit-remaining")), (200, Some("0")));
    assert_eq!(body_of(&limited)["errors"][0]["type"], json!("RATE_LIMITED"));
    script(GraphqlFault::SecondaryLimit { retry_after: 7, typed: false });
    let limited = org.post(&org.token, TEAMS, &json!({"org": "acme"}));
    assert_eq!(
        (limited.header("retry-after"), limited.header("x-ratelimit-remaining")),
        (Some("7"), Some("4000"))
    );
    assert!(body_of(&limited)["errors"][0].get("type").is_none());
    script(GraphqlFault::Nulls { list: "members", entries: 1, told: true });
    let holes = org.ask(TEAMS, json!({"org": "acme"}));
    let members = &holes["data"]["organization"]["teams"]["nodes"][0]["members"];
    assert_eq!((&members["edges"][0]["node"], &members["totalCount"]), (&Value::Null, &json!(3)));
    let path = json!(["organization", "teams", "nodes", 0, "members", "edges", 0, "node"]);
    assert_eq!((&holes["errors"][0]["path"], &holes["errors"][0]["type"]), (&path, &json!("NOT_FOUND")));
    script(GraphqlFault::CountOff { list: "members", by: 2 });
    let off = org.ask(TEAMS, json!({"org": "acme"}));
    assert_eq!(off["data"]["organization"]["teams"]["nodes"][0]["members"]["totalCount"], json!(5));
    script(GraphqlFault::SamlEnforced { marked: true });
    let refused = org.ask(TEAMS, json!({"org": "acme"}));
    assert_eq!(refused["errors"][0]["extensions"], json!({"saml_failure": true}));
    assert_eq!(
        (&refused["data"]["organization"], &refused["errors"][0]["type"]),
        (&Value::Null, &json!("FORBIDDEN"))
    );
    script(GraphqlFault::ResourceLimits { entries: 5 });
    let partial = org.ask(TEAMS, json!({"org": "acme"}));
    assert_eq!(partial["errors"][0]["type"], json!("RESOURCE_LIMITS_EXCEEDED"));
    let nodes = &partial["data"]["organization"]["teams"]["nodes"];
    assert!(nodes[0].is_object() && nodes[2].is_null(), "{nodes}");
    script(GraphqlFault::Forbidden { field: "description".into() });
    let forbidden = org.ask(TEAMS, json!({"org": "acme"}));
    assert_eq!(forbidden["data"]["organization"]["teams"]["nodes"][0]["description"], Value::Null);
    assert_eq!(forbidden["errors"][0]["path"], json!(["organization", "teams", "nodes", 0, "description"]));
    assert!(org.ask(TEAMS, json!({"org": "acme"})).get("errors").is_none());
}

#[test]
fn large_queries_end_in_502_and_cost_points() {
    let org = Org::of(1);
    org.github.add_team("a");
    org.github.set_node_cap(Some((2_600, 502)));
    let status = |teams: u64| org.post(&org.token, TEAMS, &json!({"org": "acme", "teams": teams})).status;
    assert_eq!((status(50), status(25)), (502, 200));
    org.github.set_node_cap(Some((2_600, 504)));
    assert_eq!(status(50), 504);
    org.github.set_node_cap(None);
    org.github.set_limits(Limits { graphql: 2, ..Limits::default() });
    assert_eq!((status(50), status(50)), (200, 200));
    let third = org.ask(TEAMS, json!({"org": "acme"}));
    assert_eq!((&third["errors"][0]["type"], third.get("data")), (&json!("RATE_LIMITED"), None));
    let deep = "{ organization(login: \"acme\") { teams(first: 100) { nodes { childTeams(first: 100) { nodes { members(first: 100) { totalCount } } } } } } }";
    org.github.set_limits(Limits::default());
    assert_eq!(org.first_error(deep).0, json!("MAX_NODE_LIMIT_EXCEEDED"));
}
