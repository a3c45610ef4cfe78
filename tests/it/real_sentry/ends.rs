//! Ends: deleted, held, emptied, and what Sentry keeps of a deleted team for a while.

use super::field::{Field, ORIGINAL};

pub fn a_deleted_team_is_deleted_with_its_past_in_the_audit_log(field: &mut Field) {
    let ana = field.person("ana");
    field.start();
    let crew = field.team("Crew");
    field.add(crew, ana);
    let (status, note) = field.settle(&field.github.delete_team(crew));
    assert!(status == "done" && note.starts_with("deleted Sentry team `crew`"), "{status}: {note}");
    assert!(field.teams().is_empty());
    let line = field.audit().into_iter().find(|line| line["decision"] == "will delete team");
    let before = line.expect("an audit line before the deletion")["before"].clone();
    assert_eq!((before["slug"].as_str(), before["name"].as_str()), (Some("crew"), Some("Crew")));
    assert!(before["members"].to_string().contains("ana@acme.test"), "{before}");
    assert_eq!(before["projects"], serde_json::json!([]));
}

/// Deletes the team `crew`, which ana is in and which owns the project shop, and brings it back while its deletion is
/// pending: exit code and answer.
fn bring_back(field: &mut Field) -> (i32, String) {
    field.set("SYNC_DELETE_TEAMS", "delete");
    let ana = field.person("ana");
    field.start();
    let crew = field.team("Crew");
    field.add(crew, ana);
    let deleted = field.id("crew");
    field.site.add_project(deleted, "shop");
    field.settle(&field.github.delete_team(crew));
    assert!(field.teams().is_empty());
    let (code, said, talk) = field.command(&["undo", &deleted.to_string()]);
    assert_eq!(talk, "", "{said}");
    assert!(field.people("crew").contains("ana@acme.test"), "{said}");
    assert_ne!(field.id("crew"), deleted);
    let (again, told, _) = field.command(&["undo", "crew"]);
    // What it still lacks of its projects is told again.
    assert!(again == code && told.contains("is back already"), "{told}");
    (code, said)
}

pub fn a_deleted_team_comes_back_with_its_people_and_projects(field: &mut Field) {
    field.use_token(&[&ORIGINAL[..], &["project:write"]].concat());
    let (code, said) = bring_back(field);
    assert!(code == 0 && said.contains("projects given back: shop\n"), "{said}");
}

pub fn a_deleted_team_comes_back_without_projects_where_the_token_may_not(field: &mut Field) {
    let (code, said) = bring_back(field);
    assert!(
        code == 2 && said.contains("could not give back shop: SENTRY_TOKEN lacks project:write"),
        "{said}"
    );
}

pub fn a_team_that_owns_projects_is_held_until_a_person_approves(field: &mut Field) {
    field.start();
    let crew = field.team("Crew");
    field.site.add_project(field.id("crew"), "shop");
    let (status, note) = field.settle(&field.github.delete_team(crew));
    assert_eq!(status, "held");
    assert!(
        note.starts_with("unless-projects: the Sentry team still owns 1 project (shop); approve with: "),
        "{note}"
    );
    assert_eq!(field.site.project_teams("shop"), ["crew"]);
    let hold = field.only_hold()["name"].as_str().expect("a name").to_string();
    assert_eq!(field.command(&["approve", &hold]).0, 0);
    field.wait_until("deleted", || field.teams().is_empty());
    field.wait_until("no hold is left", || field.status()["holds"] == serde_json::json!([]));
    field.site.tick();
    assert!(field.site.project_teams("shop").is_empty(), "the project is left, without a team");
}

pub fn a_team_is_made_again_while_its_deletion_is_pending(field: &mut Field) {
    let ana = field.person("ana");
    field.start();
    let mut ids = std::collections::BTreeSet::new();
    for n in 1..=2 {
        let crew = field.team("Crew");
        field.add(crew, ana);
        ids.insert(field.id("crew"));
        assert_eq!(field.settle(&field.github.delete_team(crew)).0, "done");
        assert_eq!(field.site.pending_deletions().len(), n);
    }
    let crew = field.team("Crew");
    field.add(crew, ana);
    ids.insert(field.id("crew"));
    assert_eq!(ids.len(), 3, "each is another team");
    field.site.tick();
    assert!(field.site.pending_deletions().is_empty());
    field.wait_for_people("crew", &["ana@acme.test"]);
}

fn made_and_deleted_again(field: &mut Field, length: usize) {
    let ana = field.person("ana");
    field.start();
    let name = "a".repeat(length);
    for _ in 0..2 {
        let team = field.team(&name);
        field.add(team, ana);
        field.wait_for_people(&name, &["ana@acme.test"]);
        let (status, note) = field.settle(&field.github.delete_team(team));
        assert_eq!(status, "done", "{note}");
        assert!(field.teams().is_empty());
    }
    field.site.tick();
    assert!(field.site.pending_deletions().is_empty());
}

pub fn a_slug_of_49_characters_is_free_again_after_each_deletion(field: &mut Field) {
    made_and_deleted_again(field, 49);
}

pub fn a_slug_of_50_characters_is_free_again_after_each_deletion(field: &mut Field) {
    made_and_deleted_again(field, 50);
}

/// Deleted by hand, a team of 50 characters keeps its slug until Sentry's task ran.
pub fn a_slug_that_sentry_does_not_set_free_is_waited_for(field: &mut Field) {
    field.start();
    let name = "b".repeat(50);
    field.site.add_team(&name, "By hand");
    field.delete_in_sentry(&name);
    let (_, created) = field.github.create_team(name.as_str(), field.olive);
    field.send(&created);
    field.wait_until("it waits", || field.service().text().contains("Sentry may be deleting one"));
    assert_eq!(field.status()["queued"], 1);
    field.site.tick();
    // The next try may be minutes away; a start tries at once.
    field.crash_and_restart();
    assert_eq!(field.outcome(&created[0]).0, "done");
    assert!(field.teams().contains_key(&name));
}

pub fn empty_takes_out_whom_the_mirror_knows_and_keeps_the_team(field: &mut Field) {
    field.set("SYNC_DELETE_TEAMS", "empty");
    let ana = field.person("ana");
    let stranger = field.site.add_member("stranger@acme.test".into());
    field.start();
    let crew = field.team("Crew");
    field.add(crew, ana);
    field.site.join(field.id("crew"), stranger);
    assert_eq!(field.settle(&field.github.delete_team(crew)).0, "done");
    field.wait_for_people("crew", &["stranger@acme.test"]);
}

pub fn a_team_that_is_gone_in_sentry_is_not_deleted_again(field: &mut Field) {
    field.start();
    let crew = field.team("Crew");
    field.delete_in_sentry("crew");
    let other = field.site.add_team("crew", "Somebody else's");
    assert_eq!(field.settle(&field.github.delete_team(crew)).0, "done");
    assert_eq!(field.ids(), [("crew".to_string(), other)]);
}
