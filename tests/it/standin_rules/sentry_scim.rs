//! SCIM groups: who is in which team, a hundred teams a call, where an identity provider has it switched on.

use super::sentry_today::{both, Site};
use super::{json as body_of, texts};
use crate::standin::sentry::{Era, InviteStatus, NewMember, ERAS};
use serde_json::{json, Value};

const GROUPS: &str = "/organizations/acme/scim/v2/Groups";

fn groups(site: &Site, query: &str) -> Value {
    site.get(&format!("{GROUPS}{query}"))
}

fn names(page: &Value) -> Vec<String> {
    texts(&page["Resources"], "displayName")
}

#[test]
fn without_scim_it_is_a_plain_403() {
    for era in ERAS {
        let site = Site::of(era);
        let asked = |token: &str, path: &str| {
            let answer = site.ask_as(token, "GET", path, None);
            assert_eq!(
                body_of(&answer),
                json!({"detail": "You do not have permission to perform this action."})
            );
            (answer.status, answer.header("www-authenticate").is_some())
        };
        assert_eq!(asked(&site.token, GROUPS), (403, false), "{era:?}: the scope is there");
        assert_eq!(asked(&site.token, &format!("{GROUPS}/2")), (403, false));
        let narrow = site.with(&["org:read"]);
        assert_eq!(asked(&narrow, GROUPS), (403, era == Era::Today));
        site.sentry.set_scim(true);
        assert_eq!(site.ask_as(&site.with(&["team:read"]), "GET", GROUPS, None).status, 200);
        assert_eq!(asked(&narrow, GROUPS), (403, era == Era::Today));
        // It has no slash at the end, and takes whatever is accepted.
        assert_eq!(site.ask("GET", &format!("{GROUPS}/"), None).status, 404);
        assert_eq!(site.ask("POST", GROUPS, Some(json!({"displayName": "x"}))).status, 403, "not played");
    }
}

#[test]
fn groups_show_everybody_and_no_slug() {
    for era in ERAS {
        let site = Site::of(era);
        site.sentry.set_scim(true);
        let people = [
            NewMember::new("ana@acme.test"),
            NewMember::new("asked@acme.test").pending(),
            NewMember::new("late@acme.test").expired(),
            NewMember::new("off@acme.test").deactivated(),
            NewMember::new("wants@acme.test").request(InviteStatus::RequestedToJoin),
        ]
        .map(|person| site.sentry.add_member(person));
        let crew = site.sentry.add_team("crew", "The Crew");
        let deck = site.sentry.add_team("deck", "Deck");
        people.iter().rev().for_each(|person| assert!(site.sentry.join(deck, *person)));
        people.iter().for_each(|person| assert!(site.sentry.join(crew, *person)));
        let page = groups(&site, "");
        let envelope = ["totalResults", "startIndex", "itemsPerPage"].map(|key| page[key].clone());
        assert_eq!(envelope, [2, 1, 2].map(|n| json!(n)), "{era:?}");
        assert_eq!(names(&page), ["The Crew", "Deck"], "sorted by slug, and named");
        let group = &page["Resources"][0];
        assert_eq!(
            (&group["id"], &group["meta"]),
            (&json!(crew.to_string()), &json!({"resourceType": "Group"}))
        );
        assert!(group.get("slug").is_none() && group.get("flags").is_none());
        // In the order in which they first joined any team of the page: here that of the other team.
        let order: Vec<String> = people.iter().rev().map(u64::to_string).collect();
        assert_eq!(texts(&group["members"], "value"), order);
        assert_eq!(group["members"][4]["display"], "ana@acme.test");
        assert_eq!(
            site.get("/teams/acme/crew/members/").as_array().map(Vec::len),
            Some(3),
            "others show fewer"
        );
        let bare = groups(&site, "?excludedAttributes=members&count=1");
        assert!(bare["Resources"][0].get("members").is_none());
    }
}

#[test]
fn pages_begin_at_one_and_shift_when_teams_vanish() {
    for era in ERAS {
        let site = Site::of(era);
        site.sentry.set_scim(true);
        let teams: Vec<u64> =
            (0..7).map(|n| site.sentry.add_team(&format!("t{n}"), &format!("T{n}"))).collect();
        let page = |start: usize| groups(&site, &format!("?startIndex={start}&count=3"));
        assert_eq!(names(&page(1)), ["T0", "T1", "T2"], "{era:?}");
        assert_eq!((names(&page(7)), page(7)["itemsPerPage"].clone()), (vec!["T6".to_owned()], json!(1)));
        let past = page(8);
        assert_eq!((names(&past), &past["totalResults"]), (vec![], &json!(7)));
        site.sentry.purge_team(teams[0]);
        assert_eq!(names(&page(4)), ["T4", "T5", "T6"], "T3 was never seen");
        assert_eq!(site.ask("DELETE", "/teams/acme/t1/", None).status, 204);
        assert_eq!(page(1)["totalResults"], 5, "a pending one is left out at once");
        let bad = [("startIndex=0", "startIndex"), ("startIndex=x", "startIndex"), ("count=-1", "count")];
        for (query, key) in bad {
            let answer = site.ask("GET", &format!("{GROUPS}?{query}"), None);
            assert_eq!(answer.status, 400, "{query}");
            assert!(body_of(&answer)[key].is_array(), "{query}");
        }
        assert_eq!(site.ask("GET", &format!("{GROUPS}?count=0"), None).status, 500);
        assert!(site.ask("GET", GROUPS, None).header("link").is_none());
    }
}

/// Rows: scim_most_groups.
#[test]
fn a_page_has_a_hundred_groups() {
    let rows = both(|site| {
        site.sentry.set_scim(true);
        for n in 0..130 {
            site.sentry.add_team(&format!("t{n:03}"), "T");
        }
        ["", "?count=250"].map(|query| groups(site, query)["itemsPerPage"].clone())
    });
    assert_eq!(rows, [[json!(100), json!(130)], [json!(100), json!(100)]]);
}

/// Rows: scim_most_people.
#[test]
fn the_groups_of_a_page_are_cut_together_and_without_a_word() {
    let sizes = both(|site| {
        site.sentry.set_scim(true);
        let (one, two) = (site.sentry.add_team("one", "One"), site.sentry.add_team("two", "Two"));
        for n in 0..11_000 {
            let member = site.sentry.add_member(format!("p{n}@acme.test").as_str());
            site.sentry.join(if n < 6_000 { one } else { two }, member);
        }
        let size = |query: &str, at: usize| {
            let page = groups(site, query);
            page["Resources"][at]["members"].as_array().map(Vec::len)
        };
        [size("", 0), size("", 1), size("?startIndex=2&count=1", 0)]
    });
    let shown = |cut| [Some(6_000), Some(cut), Some(5_000)];
    assert_eq!(sizes, [shown(4_990), shown(4_000)]);
}

/// Rows: scim_groups_by_slug.
#[test]
fn one_group_is_read_by_its_id() {
    let seen = both(|site| {
        site.sentry.set_scim(true);
        let team = site.sentry.add_team("crew", "Crew");
        let ask = |key: &str| site.ask("GET", &format!("{GROUPS}/{key}"), None);
        let found = ask(&team.to_string());
        assert_eq!((found.status, &body_of(&found)["displayName"]), (200, &json!("Crew")));
        let missing = ask("999");
        assert_eq!((missing.status, &body_of(&missing)["detail"]), (404, &json!("Group not found.")));
        site.ask("DELETE", "/teams/acme/crew/", None);
        assert_eq!(ask(&team.to_string()).status, 404, "a pending one is not found by its id here");
        site.sentry.add_team("deck", "Deck");
        ask("deck").status
    });
    assert_eq!(seen, [404, 200]);
}

#[test]
fn a_filter_finds_one_group() {
    for era in ERAS {
        let site = Site::of(era);
        site.sentry.set_scim(true);
        site.sentry.add_team("the-crew", "The Crew");
        site.sentry.add_team("deck", "Deck");
        let found = groups(&site, "?filter=displayName%20eq%20%22The%20Crew%22");
        assert_eq!((names(&found), &found["totalResults"]), (vec!["The Crew".to_owned()], &json!(1)));
        let bad = site.ask("GET", &format!("{GROUPS}?filter=name%20eq%20%22x%22"), None);
        assert_eq!((bad.status, &body_of(&bad)["scimType"]), (400, &json!("invalidFilter")));
    }
}
