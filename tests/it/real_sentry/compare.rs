//! Comparisons of everything, `check`, invites, and an organisation of several pages.

use std::time::Duration;

use serde_json::json;

use super::field::{Field, ORIGINAL};
use crate::standin::{Era, GithubUser, NewMember};
use crate::world::Truth;

/// The permission with which teams can be listed.
pub const LISTING: [&str; 6] =
    ["org:read", "team:read", "team:write", "team:admin", "member:read", "member:write"];

/// What the service says to `sync`: exit code and plan.
fn sync(field: &Field, args: &[&str]) -> (i32, String) {
    let (code, said, _) = field.command(&[&["sync"], args].concat());
    (code, said)
}

/// Somebody on both sides by an address that nobody else can claim: only such people are taken out by a comparison.
pub fn verified(field: &Field, login: &str) -> u64 {
    let address = format!("{login}@acme.test");
    field.site.add_member(address.as_str().into());
    field.github.add_person(GithubUser::new(login).verified(&address))
}

/// Approves what the first comparison of the service holds, and waits until nothing differs.
fn approve_the_first(field: &Field) {
    field.wait_until("the first comparison waits", || field.status()["held"] == 1);
    assert_eq!(field.command(&["approve", "--all"]).0, 0);
    // A true Sentry takes its time, and every question of ours would take some of it.
    field.wait_within(Duration::from_secs(300), "all of it is done", || {
        let status = field.status();
        let open = &status["last_reconcile"]["open"];
        status["holds"] == json!([]) && *open == 0 && status["open_hints"] == 0 && status["queued"] == 0
    });
    let (code, plan) = sync(field, &[]);
    assert_eq!(code, 0, "{plan}");
}

pub fn the_first_comparison_waits_and_then_makes_both_sides_the_same(field: &mut Field) {
    let (ana, ben) = (verified(field, "ana"), verified(field, "ben"));
    let crew = field.old_team("Crew");
    let search = field.old_team("Search");
    field.github.join(crew, ana);
    field.github.join(search, ben);
    field.github.join(search, field.github_only("zoe"));
    let kept = field.site.add_team("crew", "The crew of old");
    let stranger = field.site.add_member("stranger@acme.test".into());
    field.site.join(kept, stranger);
    let foreign = field.site.add_team("foreign", "Foreign");
    field.site.join(foreign, stranger);
    field.start();
    approve_the_first(field);
    assert_eq!((field.id("crew"), field.id("foreign")), (kept, foreign));
    field.wait_for_people("crew", &["ana@acme.test", "stranger@acme.test"]);
    field.wait_for_people("search", &["ben@acme.test"]);
    field.wait_for_people("foreign", &["stranger@acme.test"]);
    // What nobody has told is healed, and whoever the mirror does not know stays.
    field.github.leave(search, ben);
    field.github.join(crew, ben);
    let (code, plan) = sync(field, &["--apply"]);
    assert_eq!(code, 0, "{plan}");
    field.wait_for_people("crew", &["ana@acme.test", "ben@acme.test", "stranger@acme.test"]);
    field.wait_for_people("search", &[]);
    assert_eq!(sync(field, &[]).0, 0);
}

/// 231 teams and 251 people: three pages of each, the last ones not full.
fn several_pages(field: &mut Field) {
    let all = field.old_team("All");
    for n in 1..231 {
        field.old_team(&format!("Team {n:03}"));
        field.site.add_team(&format!("team-{n:03}"), &format!("Team {n:03}"));
    }
    let id = field.site.add_team("all", "All");
    field.site.crowd(id, 249);
    for n in 0..249 {
        field
            .github
            .join(all, field.with_address(&format!("crowd{n:03}"), &format!("crowd{n:03}@acme.test")));
    }
    let last = verified(field, "last");
    field.github.join(all, last);
    field.start();
    approve_the_first(field);
    let said = sync(field, &[]).1;
    assert_eq!(said, "in sync: 231 teams in sync, 0 left out\n");
    assert_eq!(field.people("all").len(), 250);
    // Whoever is on the last page is seen to have left.
    field.github.leave(all, last);
    let (code, plan) = sync(field, &["--apply"]);
    assert_eq!((code, field.people("all").len()), (0, 249), "{plan}");
}

pub fn several_pages_of_teams_and_people_are_all_seen(field: &mut Field) {
    field.use_token(&LISTING);
    several_pages(field);
}

pub fn several_pages_are_seen_by_a_token_that_can_not_list_teams(field: &mut Field) {
    field.use_token(&ORIGINAL);
    several_pages(field);
}

pub fn check_finds_what_the_token_may_do(field: &mut Field) {
    field.start();
    let findings = |field: &Field| -> Vec<(String, String)> {
        let said = field.command(&["check", "--json"]).1;
        let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let all = report["findings"].as_array().expect("findings").clone();
        let ours = all.into_iter().filter(|finding| finding["area"] == "sentry");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
        ours.map(|finding| (text(&finding["level"]), text(&finding["what"]))).collect()
    };
    let found = findings(field);
    assert!(found.iter().all(|(level, _)| level != "failed"), "{found:?}");
    // A region's own host tells no scopes: what is lacking is named by the call that needs it.
    let (lost, named) = if !found.iter().any(|(_, what)| what.contains("does not tell a token's scopes")) {
        ("team:admin", "team:admin")
    } else {
        ("member:", "member:read")
    };
    let lacking: Vec<_> = ORIGINAL.iter().copied().filter(|scope| !scope.starts_with(lost)).collect();
    field.site.set_scopes(&field.token, &lacking);
    let found = findings(field);
    let is_named = found.iter().any(|(level, what)| level == "failed" && what.contains(named));
    assert!(is_named, "{found:?}");
}

/// Sentry 23.7.1 lets an internal integration invite nobody, whatever its scopes: that is told, and everything else goes on.
/// Today it may.
pub fn an_integration_invites_or_says_that_it_may_not(field: &mut Field) {
    let map = field.dir.0.join("map.csv");
    std::fs::write(&map, "ana,ana@corp.test\n").expect("a map");
    field.set("SYNC_USER_MAP", map.to_str().expect("a plain path"));
    field.set("SYNC_INVITE", "member");
    // What events ask for is done by then: what both find to do at once is done twice.
    field.set("SYNC_INTERVAL", "8s");
    let ana = field.github.add_person(GithubUser::new("ana"));
    let ben = field.person("ben");
    field.start();
    // Its map is news to it: it compares once more.
    let is_quiet = || field.service().text().matches("reconcile: in sync: 0 teams").count() == 2;
    field.wait_until("it has looked by its map", || field.truth == Truth::Deliveries || is_quiet());
    let crew = field.team("Crew");
    field.add(crew, ana);
    if field.era == Era::V23_7_1 {
        field.wait_until("it is told", || field.service().text().contains("SENTRY_TOKEN may not invite"));
    }
    assert_eq!(field.add(crew, ben).0, "done");
    if field.era == Era::V23_7_1 {
        field.wait_for_people("crew", &["ben@acme.test"]);
        // She is invited by a person, and is in the team from then on.
        field.site.add_member(NewMember::new("ana@corp.test").pending());
    }
    field.wait_for_people("crew", &["ana@corp.test", "ben@acme.test"]);
}
