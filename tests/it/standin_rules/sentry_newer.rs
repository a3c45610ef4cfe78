//! What newer Sentry does differently. Read in its published schema and source, not observed.

use super::{json as body_of, sentry};
use crate::standin::http::Response;
use crate::standin::sentry::{mirror_permissions, Dialect, NewMember, NewToken, RateLimit, SentryStandin};
use serde_json::{json, Value};

struct Newer {
    sentry: SentryStandin,
    token: String,
}

impl Newer {
    fn start() -> Newer {
        let sentry = SentryStandin::start_as(Dialect::Newer, "acme", 0).expect("a loopback port");
        let token = sentry.add_token(mirror_permissions());
        Newer { sentry, token }
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        sentry(&self.sentry.url(), &self.token, method, path, body)
    }
}

#[test]
fn numeric_slugs_are_refused() {
    let newer = Newer::start();
    let words = "Enter a valid slug consisting of lowercase letters, numbers, underscores or hyphens. It cannot be entirely numeric.";
    let made = newer.ask("POST", "/organizations/acme/teams/", Some(json!({"slug": "2024"})));
    assert_eq!((made.status, body_of(&made)), (400, json!({"slug": [words]})));
    newer.sentry.add_team("crew", "Crew");
    let renamed = newer.ask("PUT", "/teams/acme/crew/", Some(json!({"slug": "2024"})));
    assert_eq!((renamed.status, body_of(&renamed)), (400, json!({"slug": [words]})));
    let named = newer.ask("POST", "/organizations/acme/teams/", Some(json!({"name": "12345"})));
    let slug = body_of(&named)["slug"].as_str().unwrap_or("").to_owned();
    assert!(slug.starts_with("12345-") && slug.len() == 9, "{slug}");
}

#[test]
fn ids_stand_for_slugs() {
    let newer = Newer::start();
    let team = newer.sentry.add_team("crew", "Crew");
    assert_eq!(newer.ask("GET", &format!("/teams/acme/{team}/"), None).status, 200);
    assert_eq!(newer.ask("GET", &format!("/teams/2/{team}/"), None).status, 200);
}

#[test]
fn leaving_a_team_needs_team_admin() {
    let newer = Newer::start();
    let (team, member) = (newer.sentry.add_team("crew", "Crew"), newer.sentry.add_member("a@acme.test"));
    newer.sentry.join(team, member);
    let path = format!("/organizations/acme/members/{member}/teams/crew/");
    let write = newer.sentry.add_token(NewToken::integration(&["team:write"]));
    assert_eq!(sentry(&newer.sentry.url(), &write, "DELETE", &path, None).status, 403);
    assert_eq!(newer.ask("DELETE", &path, None).status, 200);
    assert_eq!(newer.sentry.teams()["crew"].members, Vec::<String>::new());
}

#[test]
fn managed_teams_are_neither_renamed_nor_deleted() {
    let newer = Newer::start();
    let team = newer.sentry.add_team("crew", "Crew");
    newer.sentry.set_idp_provisioned(team, true);
    let words = json!({"detail": "This team is managed through your organization's identity provider."});
    for (method, body) in [("PUT", Some(json!({"name": "x"}))), ("DELETE", None)] {
        let answer = newer.ask(method, "/teams/acme/crew/", body);
        assert_eq!((answer.status, body_of(&answer)), (403, words.clone()));
    }
}

#[test]
fn a_change_without_teams_wipes_them() {
    let newer = Newer::start();
    let (team, member) = (newer.sentry.add_team("crew", "Crew"), newer.sentry.add_member("a@acme.test"));
    newer.sentry.join(team, member);
    newer.ask("PUT", &format!("/organizations/acme/members/{member}/"), Some(json!({})));
    assert!(newer.sentry.teams()["crew"].members.is_empty());
}

#[test]
fn an_integration_invites_members_only() {
    let newer = Newer::start();
    newer.sentry.add_member(NewMember::new("asked@acme.test").pending());
    let invite = |body: Value| newer.ask("POST", "/organizations/acme/members/", Some(body));
    assert_eq!(invite(json!({"email": "a@acme.test"})).status, 201);
    assert_eq!(invite(json!({"email": "b@acme.test", "orgRole": "manager"})).status, 400);
    let again = invite(json!({"email": "asked@acme.test"}));
    assert_eq!(body_of(&again), json!({"email": ["The user asked@acme.test has already been invited"]}));
}

#[test]
fn a_query_by_no_number_is_an_empty_list() {
    let newer = Newer::start();
    let answer = newer.ask("GET", "/organizations/acme/members/?query=id:x", None);
    assert_eq!((answer.status, body_of(&answer)), (200, json!([])));
}

#[test]
fn members_have_a_limit_of_their_own() {
    let newer = Newer::start();
    newer.sentry.set_rate_limit(Some(RateLimit::per_second(999)));
    let limit =
        |path: &str| newer.ask("GET", path, None).header("x-sentry-rate-limit-limit").map(str::to_owned);
    assert_eq!(limit("/organizations/acme/members/").as_deref(), Some("40"));
    assert_eq!(limit("/organizations/acme/teams/").as_deref(), Some("999"));
}
