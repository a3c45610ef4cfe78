//! GraphQL of the pretend GitHub: our four queries, and what is wrong with others.

use super::json as body_of;
use crate::standin::client::ask;
use crate::standin::github::{schema_problem, GithubStandin, GithubTeam, GithubToken, GithubUser};
use crate::standin::http::Response;
use serde_json::{json, Value};
use std::time::Duration;

pub(super) const PEOPLE: &str = "query People($org: String!, $after: String) {
  organization(login: $org) {
    membersWithRole(first: 100, after: $after) {
      totalCount
      pageInfo { hasNextPage endCursor }
      edges { role node { databaseId login name email organizationVerifiedDomainEmails(login: $org) } }
    }
  }
  rateLimit { cost remaining resetAt }
}";

const SAML: &str = "query Saml($org: String!, $after: String) {
  organization(login: $org) {
    samlIdentityProvider {
      externalIdentities(first: 100, after: $after, membersOnly: true) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes {
          user { databaseId login }
          samlIdentity { nameId username emails { value primary type } }
          scimIdentity { username emails { value primary type } }
        }
      }
    }
  }
  rateLimit { cost remaining resetAt }
}";

const TEAM_TAIL: &str = "query TeamTail($id: ID!, $after: String!) {
  node(id: $id) {
    ... on Team {
      databaseId
      members(first: 100, after: $after, membership: IMMEDIATE) {
        pageInfo { hasNextPage endCursor }
        edges { role node { databaseId login } }
      }
    }
  }
  rateLimit { cost remaining resetAt }
}";

pub(super) const TEAMS: &str =
    "query Teams($org: String!, $after: String, $teams: Int = 50, $members: Int = 100) {
  organization(login: $org) {
    databaseId
    login
    teams(first: $teams, after: $after, orderBy: {field: NAME, direction: ASC}) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes {
        databaseId id name slug description privacy notificationSetting updatedAt
        parentTeam { databaseId slug }
        members(first: $members, membership: IMMEDIATE) {
          totalCount
          pageInfo { hasNextPage endCursor }
          edges { role node { databaseId login } }
        }
      }
    }
  }
  rateLimit { cost remaining resetAt nodeCount }
}";

pub(super) struct Org {
    pub github: GithubStandin,
    pub token: String,
    pub people: Vec<u64>,
}

impl Org {
    /// An owner and `n` people `u000`, ….
    pub fn of(n: usize) -> Org {
        let github = GithubStandin::start("acme").expect("a loopback port");
        let owner = github.add_person(GithubUser::new("olive").owner());
        let people = (0..n).map(|i| github.add_person(format!("u{i:03}").as_str())).collect();
        let token = github.add_token(GithubToken::members_read(owner));
        Org { github, token, people }
    }

    pub fn post(&self, token: &str, query: &str, variables: &Value) -> Response {
        let bearer = format!("Bearer {token}");
        let headers =
            [("Authorization", bearer.as_str()), ("User-Agent", "x"), ("Content-Type", "application/json")];
        let body = json!({"query": query, "variables": variables}).to_string();
        ask(&format!("{}/graphql", self.github.url()), "POST", &headers, body.as_bytes()).expect("an answer")
    }

    pub fn ask(&self, query: &str, variables: Value) -> Value {
        let answer = self.post(&self.token, query, &variables);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        body_of(&answer)
    }

    /// The class and the path of the first error.
    pub fn first_error(&self, query: &str) -> (Value, Value) {
        let answer = self.ask(query, json!({}));
        (answer["errors"][0]["type"].clone(), answer["errors"][0]["path"].clone())
    }
}

#[test]
fn the_schema_text_can_be_read() {
    assert_eq!(schema_problem(), None);
}

#[test]
fn teams_come_in_pages_with_their_direct_members() {
    let org = Org::of(3);
    let parent = org.github.add_team("beta");
    let child = org.github.add_team(GithubTeam::new("Alpha").parent(parent).description("first"));
    org.github.add_team(GithubTeam::new("gamma").secret());
    org.github.join(parent, org.people[0]);
    org.github.add_maintainer(child, org.people[1]);
    let page = org.ask(TEAMS, json!({"org": "acme", "teams": 2}));
    assert!(page.get("errors").is_none(), "{page}");
    let teams = &page["data"]["organization"]["teams"];
    let names: Vec<&Value> =
        teams["nodes"].as_array().expect("nodes").iter().map(|team| &team["name"]).collect();
    assert_eq!(
        (names, &teams["totalCount"]),
        (vec![&json!("Alpha"), &json!("beta")], &json!(3)),
        "by name, without case"
    );
    assert_eq!(teams["nodes"][0]["parentTeam"], json!({"databaseId": parent, "slug": "beta"}));
    assert_eq!(
        teams["nodes"][1]["members"]["edges"],
        json!([{"role": "MEMBER", "node": {"databaseId": org.people[0], "login": "u000"}}]),
        "nobody of the child team"
    );
    assert_eq!(teams["nodes"][0]["members"]["edges"][0]["role"], json!("MAINTAINER"));
    assert_eq!(page["data"]["rateLimit"]["nodeCount"], json!(2 + 200));
    let after = &teams["pageInfo"]["endCursor"];
    let last = org.ask(TEAMS, json!({"org": "acme", "teams": 2, "after": after}));
    let teams = &last["data"]["organization"]["teams"];
    assert_eq!(teams["nodes"][0]["privacy"], json!("SECRET"));
    assert_eq!(teams["pageInfo"]["hasNextPage"], json!(false));
}

#[test]
fn a_vanished_team_skips_no_other() {
    let org = Org::of(0);
    let ids: Vec<u64> = ["a", "b", "c", "d"].iter().map(|name| org.github.add_team(*name)).collect();
    let page = org.ask(TEAMS, json!({"org": "acme", "teams": 2}));
    org.github.delete_team(ids[0]);
    let after = &page["data"]["organization"]["teams"]["pageInfo"]["endCursor"];
    let next = org.ask(TEAMS, json!({"org": "acme", "teams": 2, "after": after}));
    let nodes = next["data"]["organization"]["teams"]["nodes"].as_array().cloned().unwrap_or_default();
    let names: Vec<&Value> = nodes.iter().map(|team| &team["name"]).collect();
    assert_eq!(names, [&json!("c"), &json!("d")]);
}

#[test]
fn the_tail_of_a_large_team_is_read_by_node_id() {
    let org = Org::of(230);
    let team = org.github.add_team("everyone");
    org.people.iter().for_each(|user| org.github.join(team, *user));
    let page = org.ask(TEAMS, json!({"org": "acme"}));
    let node = &page["data"]["organization"]["teams"]["nodes"][0];
    assert_eq!((&node["members"]["totalCount"], &node["databaseId"]), (&json!(230), &json!(team)));
    let mut seen = node["members"]["edges"].as_array().map_or(0, Vec::len);
    let mut info = node["members"]["pageInfo"].clone();
    while info["hasNextPage"] == json!(true) {
        let tail = org.ask(TEAM_TAIL, json!({"id": node["id"], "after": info["endCursor"]}));
        let members = &tail["data"]["node"]["members"];
        seen += members["edges"].as_array().map_or(0, Vec::len);
        info = members["pageInfo"].clone();
    }
    assert_eq!(seen, 230);
}

#[test]
fn people_have_an_empty_address_rather_than_none() {
    let org = Org::of(1);
    org.github
        .add_person(GithubUser::new("ana").name("Ana").email("ana@home.test").verified("ana@acme.test"));
    let answer = org.ask(PEOPLE, json!({"org": "ACME"}));
    let edges = &answer["data"]["organization"]["membersWithRole"]["edges"];
    assert_eq!(edges[0]["role"], json!("ADMIN"));
    let plain = json!({"databaseId": org.people[0], "login": "u000", "name": null, "email": "", "organizationVerifiedDomainEmails": []});
    assert_eq!(edges[1]["node"], plain);
    assert_eq!(edges[2]["node"]["email"], json!("ana@home.test"));
    assert_eq!(edges[2]["node"]["organizationVerifiedDomainEmails"], json!(["ana@acme.test"]));
}

#[test]
fn verified_addresses_end_with_the_membership() {
    let org = Org::of(0);
    let ana = org.github.add_person(GithubUser::new("ana").verified("ana@acme.test"));
    let query =
        "{ user(login: \"ana\") { databaseId email organizationVerifiedDomainEmails(login: \"acme\") } }";
    let told = || org.ask(query, json!({}))["data"]["user"]["organizationVerifiedDomainEmails"].clone();
    assert_eq!(told(), json!(["ana@acme.test"]));
    org.github.remove_from_org(ana);
    assert_eq!(told(), json!([]));
}

#[test]
fn linked_identities_are_for_owners_and_apps() {
    let org = Org::of(0);
    assert_eq!(
        org.ask(SAML, json!({"org": "acme"}))["data"]["organization"]["samlIdentityProvider"],
        Value::Null
    );
    org.github.add_person(
        GithubUser::new("ana").saml("ana@acme.test").scim("ana", &["ana@acme.test", "a@acme.test"]),
    );
    let leaver = org.github.add_person(GithubUser::new("bo").saml("bo@acme.test"));
    org.github.remove_from_org(leaver);
    org.github.add_unclaimed_identity("cy@acme.test");
    let answer = org.ask(SAML, json!({"org": "acme"}));
    let found = &answer["data"]["organization"]["samlIdentityProvider"]["externalIdentities"];
    assert_eq!(found["totalCount"], json!(1), "members only");
    assert_eq!(found["nodes"][0]["samlIdentity"]["nameId"], json!("ana@acme.test"));
    assert_eq!(
        found["nodes"][0]["scimIdentity"]["emails"][0],
        json!({"value": "ana@acme.test", "primary": true, "type": "work"})
    );
    let member = org.github.add_token(GithubToken::members_read(org.github.user_id("ana").unwrap_or(0)));
    let refused = body_of(&org.post(&member, SAML, &json!({"org": "acme"})));
    assert_eq!(refused["data"]["organization"]["samlIdentityProvider"], Value::Null);
    assert_eq!(refused["errors"][0]["type"], json!("FORBIDDEN"));
}

#[test]
fn further_fields_that_we_ask() {
    let org = Org::of(2);
    let parent = org.github.add_team("Platform");
    let child = org.github.add_team(GithubTeam::new("Storage").parent(parent));
    let grandchild = org.github.add_team(GithubTeam::new("Disks").parent(child));
    org.github.join(grandchild, org.people[0]);
    let query = "query($org: String!, $who: [String!]) {
      viewer { login }
      organization(login: $org) {
        viewerCanAdminister
        team(slug: \"platform\") {
          createdAt viewerCanAdminister
          all: members(first: 10) { totalCount }
          below: members(first: 10, membership: CHILD_TEAM) { nodes { login } }
          childTeams(first: 10, immediateOnly: false) { nodes { __typename slug parentTeam { slug } } }
        }
        teams(first: 10, userLogins: $who) { nodes { slug } }
      }
    }";
    let data = org.ask(query, json!({"org": "acme", "who": ["u000"]}))["data"].clone();
    assert_eq!(data["viewer"], json!({"login": "olive"}));
    let team = &data["organization"]["team"];
    assert_eq!((&team["all"]["totalCount"], &team["viewerCanAdminister"]), (&json!(1), &json!(true)));
    assert_eq!(team["below"]["nodes"], json!([{"login": "u000"}]));
    assert_eq!(
        team["childTeams"]["nodes"],
        json!([
            {"__typename": "Team", "slug": "disks", "parentTeam": {"slug": "storage"}},
            {"__typename": "Team", "slug": "storage", "parentTeam": {"slug": "platform"}},
        ])
    );
    assert_eq!(data["organization"]["teams"]["nodes"], json!([{"slug": "disks"}]));
}

#[test]
fn graphql_lags_as_rest_does() {
    let org = Org::of(1);
    let team = org.github.add_team("a");
    org.github.set_lag(Duration::from_secs(60));
    org.github.add_member(team, org.people[0]);
    let page = org.ask(TEAMS, json!({"org": "acme"}));
    assert_eq!(page["data"]["organization"]["teams"]["nodes"][0]["members"]["totalCount"], json!(0));
    org.github.set_lag(Duration::ZERO);
    let page = org.ask(TEAMS, json!({"org": "acme"}));
    assert_eq!(page["data"]["organization"]["teams"]["nodes"][0]["members"]["totalCount"], json!(1));
}
