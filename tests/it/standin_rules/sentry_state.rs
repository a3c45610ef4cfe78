//! What the pretend Sentry remembers: deletion in two steps, slugs that stay taken, races, pages
//! that shift.

use super::seed::seeded;
use super::{json as body_of, sentry, texts};
use crate::standin::sentry::{mirror_permissions, original_permissions, NewMember, SentryStandin};
use serde_json::json;

fn started() -> (SentryStandin, String) {
    let sentry = SentryStandin::start("acme").expect("a loopback port");
    let token = sentry.add_token(mirror_permissions());
    (sentry, token)
}

#[test]
fn the_original_permissions_cannot_list_teams() {
    let (standin, mirror) = started();
    let original = standin.add_token(original_permissions());
    let list = |token: &str| sentry(&standin.url(), token, "GET", "/organizations/acme/teams/", None).status;
    assert_eq!((list(&original), list(&mirror)), (403, 200));
    assert_eq!(sentry(&standin.url(), &original, "GET", "/organizations/acme/members/", None).status, 200);
}

#[test]
fn a_slug_of_fifty_stays_taken_until_the_task_ran() {
    let (standin, token) = started();
    let slug = "f".repeat(50);
    let ask = |method: &str, path: &str| {
        let body = (method == "POST").then(|| json!({"slug": slug}));
        sentry(&standin.url(), &token, method, path, body).status
    };
    assert_eq!(ask("POST", "/organizations/acme/teams/"), 201);
    assert_eq!(ask("DELETE", &format!("/teams/acme/{slug}/")), 204);
    assert_eq!(ask("GET", &format!("/teams/acme/{slug}/")), 404);
    assert_eq!(ask("POST", "/organizations/acme/teams/"), 409);
    assert_eq!(standin.pending_deletions(), std::slice::from_ref(&slug));
    assert!(standin.teams().is_empty());
    standin.tick();
    assert_eq!(ask("POST", "/organizations/acme/teams/"), 201);
}

#[test]
fn a_second_pending_slug_of_forty_nine_collides() {
    let (standin, token) = started();
    let slug = "h".repeat(49);
    for expected in [204, 500] {
        standin.add_team(&slug, "H");
        let answer = sentry(&standin.url(), &token, "DELETE", &format!("/teams/acme/{slug}/"), None);
        assert_eq!(answer.status, expected);
    }
    assert!(standin.teams().contains_key(&slug), "the failed deletion deleted nothing");
}

#[test]
fn a_deleted_team_takes_its_memberships_along_but_not_its_projects() {
    let (standin, token) = started();
    let (team, member) = (standin.add_team("crew", "Crew"), standin.add_member("a@acme.test"));
    standin.join(team, member);
    standin.add_project(team, "shop");
    sentry(&standin.url(), &token, "DELETE", "/teams/acme/crew/", None);
    let one = sentry(&standin.url(), &token, "GET", &format!("/organizations/acme/members/{member}/"), None);
    assert_eq!(body_of(&one)["teams"], json!([]));
    assert!(standin.project_teams("shop")[0].starts_with("crew-"));
    standin.tick();
    assert!(standin.project_teams("shop").is_empty());
}

#[test]
fn twelve_at_once_make_one_team_and_one_membership() {
    let (standin, token) = started();
    let member = standin.add_member("a@acme.test");
    standin.add_team("crew", "Crew");
    let at_once = |method: &'static str, path: String, body: Option<serde_json::Value>| -> Vec<u16> {
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let ask = || sentry(&standin.url(), &token, method, &path, body.clone()).status;
            let threads: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        });
        statuses.sort_unstable();
        statuses
    };
    let one = |first: u16, rest: u16| [vec![first], vec![rest; 11]].concat();
    assert_eq!(
        at_once("POST", "/organizations/acme/teams/".into(), Some(json!({"slug": "race"}))),
        one(201, 409)
    );
    let path = format!("/organizations/acme/members/{member}/teams/crew/");
    assert_eq!(at_once("POST", path.clone(), None), one(201, 204));
    assert_eq!(at_once("DELETE", path, None), [200; 12]);
    assert_eq!(at_once("DELETE", "/teams/acme/race/".into(), None), one(204, 404));
}

#[test]
fn rows_are_skipped_when_others_vanish_between_pages() {
    let world = seeded();
    let page = |cursor: &str| {
        let path = format!("/organizations/acme/members/?per_page=5{cursor}");
        texts(&body_of(&sentry(&world.sentry.url(), &world.tokens["RS_TOKEN"], "GET", &path, None)), "id")
    };
    assert_eq!(page(""), ["1", "2", "3", "4", "5"]);
    world.sentry.remove_member(5);
    assert_eq!(page("&cursor=5:1:0"), ["7", "8", "9", "10", "11"], "6 was never seen");
}

#[test]
fn a_202_leaves_a_request_and_nobody_in_the_team() {
    let (standin, _) = started();
    let (member, token) = (standin.add_member("a@acme.test"), standin.add_token(org_read()));
    standin.add_team("crew", "Crew");
    standin.set_open_membership(false);
    let path = format!("/organizations/acme/members/{member}/teams/crew/");
    for _ in 0..2 {
        let answer = sentry(&standin.url(), &token, "POST", &path, None);
        assert_eq!((answer.status, answer.body.len()), (202, 0));
    }
    assert!(standin.teams()["crew"].members.is_empty());
    assert_eq!(standin.access_requests(), [("crew".to_owned(), "a@acme.test".to_owned())]);
}

fn org_read() -> crate::standin::sentry::NewToken {
    crate::standin::sentry::NewToken::integration(&["org:read"])
}

#[test]
fn an_accepted_invite_keeps_its_row_and_teams() {
    let (standin, token) = started();
    let member = standin.add_member(NewMember::new("asked@acme.test").pending());
    let team = standin.add_team("crew", "Crew");
    standin.join(team, member);
    standin.accept_invite(member, "Ana@acme.test");
    let one = body_of(&sentry(
        &standin.url(),
        &token,
        "GET",
        &format!("/organizations/acme/members/{member}/"),
        None,
    ));
    assert_eq!(
        (&one["email"], &one["pending"], &one["teams"]),
        (&json!("Ana@acme.test"), &json!(false), &json!(["crew"]))
    );
}

#[test]
fn external_users_come_with_expand() {
    let (standin, token) = started();
    standin.add_member(NewMember::new("ana@acme.test").github("@ana").github("@ana-second"));
    let list = |query: &str| {
        let answer =
            sentry(&standin.url(), &token, "GET", &format!("/organizations/acme/members/{query}"), None);
        body_of(&answer)[0]["externalUsers"].clone()
    };
    assert!(list("").is_null());
    assert_eq!(texts(&list("?expand=externalUsers"), "externalName"), ["@ana-second", "@ana"]);
}

#[test]
fn tokens_of_every_sad_kind_are_refused() {
    let (standin, token) = started();
    let list = |token: &str| {
        let answer = sentry(&standin.url(), token, "GET", "/organizations/acme/teams/", None);
        (answer.status, body_of(&answer)["detail"].as_str().unwrap_or("").to_owned())
    };
    standin.set_expired(&token, true);
    assert_eq!(list(&token), (401, "Token expired".to_owned()));
    standin.set_expired(&token, false);
    assert_eq!(list(&token).0, 200);
    let foreign = standin.add_org("other").add_token(mirror_permissions());
    assert_eq!(list(&foreign).0, 403);
    standin.revoke(&token);
    assert_eq!(list(&token), (401, "Invalid token".to_owned()));
}
