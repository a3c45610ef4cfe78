//! SCIM groups: everybody of a hundred teams in one call, as somebody else than the service asks for them, and as the
//! service uses them.

use serde_json::{json, Value};

use super::compare::{verified, LISTING};
use super::field::Field;
use crate::standin::sentry::InviteStatus;
use crate::standin::NewMember;

/// Status and JSON of one page.
fn groups(field: &Field, query: &str) -> (u16, Value) {
    let path = format!("/organizations/{}/scim/v2/Groups{query}", field.site.org());
    let (status, body) = field.call("GET", &path, None);
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

fn texts(list: &Value, key: &str) -> Vec<String> {
    let rows = list.as_array().into_iter().flatten();
    rows.map(|row| row[key].as_str().unwrap_or_default().to_string()).collect()
}

pub fn groups_are_shown_only_where_scim_is_switched_on(field: &mut Field) {
    field.start();
    field.team("Crew");
    let (status, body) = groups(field, "");
    assert_eq!(
        (status, &body["detail"]),
        (403, &json!("You do not have permission to perform this action."))
    );
    field.site.set_scim(true);
    assert_eq!(groups(field, "").0, 200);
    field.site.set_scim(false);
    assert_eq!(groups(field, "").0, 403);
}

pub fn groups_show_everybody_in_pages_that_begin_at_one(field: &mut Field) {
    field.site.set_scim(true);
    let site = field.site.clone();
    let people = [
        NewMember::new("ana@acme.test"),
        NewMember::new("asked@acme.test").pending(),
        NewMember::new("late@acme.test").expired(),
        NewMember::new("off@acme.test").deactivated(),
        NewMember::new("wants@acme.test").request(InviteStatus::RequestedToJoin),
    ]
    .map(|person| site.add_member(person));
    let teams = ["alpha", "beta", "gamma"].map(|slug| site.add_team(slug, &format!("The {slug}")));
    people.iter().rev().for_each(|person| site.join(teams[1], *person));
    people.iter().for_each(|person| site.join(teams[0], *person));
    field.start();
    let (_, all) = groups(field, "?startIndex=1&count=100");
    let envelope = ["totalResults", "startIndex", "itemsPerPage"].map(|key| all[key].clone());
    assert_eq!(envelope, [3, 1, 3].map(|n| json!(n)), "{all}");
    assert_eq!(texts(&all["Resources"], "displayName"), ["The alpha", "The beta", "The gamma"]);
    assert_eq!(texts(&all["Resources"], "id"), teams.map(|team| team.to_string()));
    // Everybody, in the order in which they first joined a team of the page.
    let order: Vec<String> = people.iter().rev().map(u64::to_string).collect();
    for group in [0, 1] {
        assert_eq!(texts(&all["Resources"][group]["members"], "value"), order);
    }
    assert_eq!(all["Resources"][2]["members"], json!([]));
    let (_, second) = groups(field, "?startIndex=2&count=1");
    assert_eq!(texts(&second["Resources"], "displayName"), ["The beta"]);
    // In pages of their own, people come in the order in which they joined that team.
    assert_eq!(texts(&groups(field, "?startIndex=1&count=1").1["Resources"][0]["members"], "value"), {
        people.map(|person| person.to_string())
    });
    let (_, past) = groups(field, "?startIndex=9&count=2");
    assert_eq!((&past["totalResults"], &past["Resources"]), (&json!(3), &json!([])));
    assert_eq!(groups(field, "?startIndex=0").0, 400);
    assert_eq!(groups(field, "?count=0").0, 500);
    field.delete_in_sentry("alpha");
    assert_eq!(groups(field, "").1["totalResults"], 2, "a team that is being deleted is left out");
}

/// What a comparison by groups says, one team by team says too; people whom lists do not show make no difference.
pub fn a_comparison_by_groups_says_the_same_as_one_team_by_team(field: &mut Field) {
    let way = |field: &Field, way: &str| {
        let (code, plan, err) = field.command(&["sync", "--apply"]);
        assert_eq!(err, "", "{plan}");
        assert_eq!(field.status()["last_reconcile"]["members_by"], way, "{plan}");
        (code, plan)
    };
    field.use_token(&LISTING);
    field.set("SYNC_FIRST", "apply");
    field.set("SYNC_INTERVAL", "off");
    let people = ["ana", "ben", "cem"].map(|login| verified(field, login));
    let others = [
        NewMember::new("asked@acme.test").pending(),
        NewMember::new("late@acme.test").expired(),
        NewMember::new("off@acme.test").deactivated(),
        NewMember::new("wants@acme.test").request(InviteStatus::RequestedToJoin),
    ]
    .map(|person| field.site.add_member(person));
    for name in ["Alpha", "Beta", "Gamma"] {
        let team = field.old_team(name);
        people.iter().for_each(|person| field.github.join(team, *person));
        let there = field.site.add_team(&name.to_lowercase(), name);
        others.iter().for_each(|member| field.site.join(there, *member));
    }
    field.site.set_scim(true);
    field.start();
    field.wait_until("the mode is known", || !field.status()["mode"].is_null());
    let (code, plan) = way(field, "scim");
    assert_eq!(code, 0, "{plan}");
    let in_sync = way(field, "scim");
    assert!(in_sync.1.starts_with("in sync: 3 teams in sync"), "{}", in_sync.1);
    // Who has left, and who came, is seen by groups alone.
    let alpha = field.github.team_id("alpha").expect("alpha");
    field.github.leave(alpha, people[0]);
    field.github.join(field.github.team_id("beta").expect("beta"), verified(field, "dan"));
    let beta = field.id("beta");
    field.site.join(beta, field.site.add_member("stranger@acme.test".into()));
    let (code, plan, _) = field.command(&["sync"]);
    assert!(code == 2 && plan.contains(" - ana ") && plan.contains(" + dan "), "{plan}");
    let (code, done) = way(field, "scim");
    assert_eq!(code, 0, "{done}");
    let by_scim = way(field, "scim");
    field.site.set_scim(false);
    assert_eq!(way(field, "teams"), by_scim);
    let checked = field.command(&["check", "-v"]).1;
    assert!(checked.contains("SCIM is off in Sentry"), "{checked}");
    field.site.set_scim(true);
    let checked = field.command(&["check", "-v"]).1;
    assert!(checked.contains("SCIM is on: "), "{checked}");
    assert_eq!(way(field, "scim"), by_scim);
}
