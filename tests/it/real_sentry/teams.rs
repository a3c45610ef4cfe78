//! Teams: made, renamed, passed round, adopted, held, found again.

use super::field::{Field, ORIGINAL};
use crate::world::Truth;

/// The original's permissions and *Organization: Read*.
const MAY_LIST: [&str; 6] =
    ["org:read", "team:read", "team:write", "team:admin", "member:read", "member:write"];

pub fn a_new_team_is_made_with_its_people(field: &mut Field) {
    let ana = field.person("ana");
    field.start();
    let (crew, created) = field.github.create_team("Crew", field.olive);
    assert_eq!(field.settle(&created).0, "done");
    let (status, note) = field.add(crew, ana);
    assert_eq!((status.as_str(), note.as_str()), ("done", "added `ana` to `crew`"));
    assert_eq!(field.teams()["crew"].name, "Crew");
    field.wait_for_people("crew", &["ana@acme.test"]);
}

pub fn a_rename_keeps_team_members_and_projects(field: &mut Field) {
    let ana = field.person("ana");
    field.start();
    let crew = field.team("Crew");
    field.add(crew, ana);
    let id = field.id("crew");
    field.site.add_project(id, "shop");
    assert_eq!(field.settle(&field.github.rename_team(crew, "Night Crew")).0, "done");
    let teams = field.teams();
    assert_eq!(
        (teams.len(), teams["night-crew"].id, teams["night-crew"].name.as_str()),
        (1, id, "Night Crew")
    );
    assert_eq!(field.site.project_teams("shop"), ["night-crew"]);
    field.wait_for_people("night-crew", &["ana@acme.test"]);
}

pub fn a_case_only_rename_changes_the_name_alone(field: &mut Field) {
    field.start();
    let crew = field.team("Crew");
    let id = field.id("crew");
    assert_eq!(field.settle(&field.github.rename_team(crew, "CREW")).0, "done");
    let team = &field.teams()["crew"];
    assert_eq!((team.id, team.name.as_str()), (id, "CREW"));
}

pub fn names_passed_round_keep_every_team_its_people(field: &mut Field) {
    let people: Vec<_> = (0..3).map(|n| field.person(&format!("p{n}"))).collect();
    field.start();
    let teams: Vec<_> = ["A", "B", "C"].iter().map(|name| field.team(name)).collect();
    teams.iter().zip(&people).for_each(|(team, person)| assert_eq!(field.add(*team, *person).0, "done"));
    let ids = ["a", "b", "c"].map(|slug| field.id(slug));
    // GitHub's names are unique too: somebody makes way first.
    let mut sent = field.github.rename_team(teams[0], "X");
    for (n, name) in [(1, "A"), (2, "B"), (0, "C")] {
        sent.extend(field.github.rename_team(teams[n], name));
    }
    field.send(&sent);
    field.wait_for_rest();
    let expected = [("a", ids[1]), ("b", ids[2]), ("c", ids[0])].map(|(slug, id)| (slug.to_string(), id));
    assert_eq!(field.ids(), expected);
    field.wait_for_people("a", &["p1@acme.test"]);
    field.wait_for_people("c", &["p0@acme.test"]);
}

pub fn a_chain_of_names_arrives_in_any_order(field: &mut Field) {
    field.start();
    let teams: Vec<_> = ["A", "B", "C"].iter().map(|name| field.team(name)).collect();
    let ids = ["a", "b", "c"].map(|slug| field.id(slug));
    let mut sent = Vec::new();
    for (n, name) in [(2, "D"), (1, "C"), (0, "B")] {
        sent.extend(field.github.rename_team(teams[n], name));
    }
    if field.truth == Truth::Github {
        sent.reverse();
    }
    field.send(&sent);
    field.wait_for_rest();
    let expected = [("b", ids[0]), ("c", ids[1]), ("d", ids[2])].map(|(slug, id)| (slug.to_string(), id));
    assert_eq!(field.ids(), expected);
}

pub fn an_older_team_takes_the_sentry_team_of_its_slug(field: &mut Field) {
    let ana = field.person("ana");
    let ben = field.person("ben");
    let crew = field.old_team("Crew");
    field.github.join(crew, ben);
    let id = field.site.add_team("crew", "The crew of old");
    field.start();
    assert_eq!(field.add(crew, ana).0, "done");
    field.wait_for_rest();
    let team = &field.teams()["crew"];
    assert_eq!((team.id, team.name.as_str()), (id, "The crew of old"));
    // The deliveries do not tell who was in it before.
    match field.truth {
        Truth::Deliveries => field.wait_for_people("crew", &["ana@acme.test"]),
        Truth::Github => field.wait_for_people("crew", &["ana@acme.test", "ben@acme.test"]),
    }
}

pub fn a_newer_team_is_held_until_a_person_approves(field: &mut Field) {
    let eve = field.person("eve");
    let payments = field.site.add_team("payments", "Payments");
    field.start();
    let (team, created) = field.github.create_team("Payments", field.olive);
    assert_eq!(field.settle(&created).0, "held");
    assert_eq!(field.add(team, eve).0, "held");
    assert!(field.teams()["payments"].members.is_empty());
    let hold = field.only_hold()["name"].as_str().expect("a name").to_string();
    assert_eq!(field.command(&["approve", &hold]).0, 0);
    field.wait_for_people("payments", &["eve@acme.test"]);
    assert_eq!(field.ids(), [("payments".to_string(), payments)]);
}

pub fn a_team_never_renames_its_way_into_an_existing_one(field: &mut Field) {
    let payments = field.site.add_team("payments", "Payments");
    field.start();
    let team = field.team("Harmless");
    field.send(&field.github.rename_team(team, "Payments"));
    field.wait_until("it waits", || field.service().text().contains("follows no GitHub team"));
    assert_eq!(field.id("payments"), payments);
    assert!(field.teams().contains_key("harmless"));
}

pub fn a_team_renamed_in_sentry_is_found_by_its_id(field: &mut Field) {
    field.use_token(&MAY_LIST);
    let ana = field.person("ana");
    field.start();
    let crew = field.team("Crew");
    let id = field.id("crew");
    field.site.rename_team(id, "somewhere-else", "Crew");
    field.send(&field.github.add_member(crew, ana));
    field.wait_for_people("somewhere-else", &["ana@acme.test"]);
    assert_eq!(field.ids(), [("somewhere-else".to_string(), id)]);
}

pub fn a_team_of_somebody_else_under_the_bound_slug_is_left_alone(field: &mut Field) {
    field.use_token(&MAY_LIST);
    let ana = field.person("ana");
    field.start();
    let crew = field.team("Crew");
    field.site.rename_team(field.id("crew"), "moved", "Crew");
    field.site.add_team("crew", "Somebody else's");
    field.send(&field.github.add_member(crew, ana));
    field.wait_for_people("moved", &["ana@acme.test"]);
    field.wait_for_people("crew", &[]);
}

pub fn a_team_deleted_in_sentry_is_made_anew(field: &mut Field) {
    field.use_token(&ORIGINAL);
    let ana = field.person("ana");
    let ben = field.person("ben");
    field.start();
    let crew = field.team("Crew");
    field.add(crew, ana);
    let first = field.id("crew");
    field.delete_in_sentry("crew");
    field.send(&field.github.add_member(crew, ben));
    field.wait_for_people("crew", &["ana@acme.test", "ben@acme.test"]);
    assert_ne!(field.id("crew"), first);
}

pub fn names_that_are_no_slugs_become_teams_all_the_same(field: &mut Field) {
    field.start();
    let names = [
        "2024",
        &"long ".repeat(13),
        "🦀",
        "Größe & <Maß> \"1\"",
        "-",
        "under_score",
        "api",
        &"é".repeat(70),
    ];
    for name in names {
        let (_, created) = field.github.create_team(name, field.olive);
        assert_eq!(field.settle(&created), ("done".into(), field.outcome(&created[0]).1), "{name}");
    }
    assert_eq!(field.teams().len(), names.len(), "{:?}", field.ids());
}
