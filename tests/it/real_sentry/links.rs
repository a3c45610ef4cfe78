//! CODEOWNERS links, on a plan that has code owners.

use super::field::Field;

/// The permissions of the original, with those to list teams and integrations.
const LINKING: [&str; 6] =
    ["org:read", "team:read", "team:write", "team:admin", "member:read", "member:write"];

fn begin(field: &mut Field) {
    let site = field.github.url().replace("http://", "");
    field.site.add_integration(&format!("{site}/acme"));
    field.use_token(&LINKING);
    field.set("SYNC_CODEOWNERS", "link");
    field.set("SYNC_DELETE_TEAMS", "delete");
}

fn names(field: &Field, slug: &str) -> Vec<String> {
    field.site.external_teams(field.id(slug))
}

pub fn a_name_comes_with_its_team_follows_its_rename_and_goes_with_it(field: &mut Field) {
    begin(field);
    field.start();
    let crew = field.team("Crew");
    assert_eq!(names(field, "crew"), ["@acme/crew"]);
    field.settle(&field.github.rename_team(crew, "Night Crew"));
    assert_eq!(names(field, "night-crew"), ["@acme/night-crew"]);
    field.settle(&field.github.delete_team(crew));
    assert!(field.teams().is_empty());
    let (_, created) = field.github.create_team("Night Crew", field.olive);
    field.settle(&created);
    assert_eq!(names(field, "night-crew"), ["@acme/night-crew"]);
}

pub fn a_name_that_is_linked_elsewhere_is_told_and_left(field: &mut Field) {
    begin(field);
    let other = field.site.add_team("other", "Other");
    field.site.link_team(other, "@acme/crew");
    field.set("SYNC_FIRST", "apply");
    field.start();
    field.team("Crew");
    assert_eq!((names(field, "other"), names(field, "crew")), (vec!["@acme/crew".into()], vec![]));
    assert!(field.service().text().contains(&format!("is linked to Sentry team {other}, ")));
}

pub fn a_comparison_links_what_is_there_and_finds_it_so(field: &mut Field) {
    begin(field);
    for name in ["Crew", "Deck"] {
        field.old_team(name);
    }
    let by_hand = field.site.add_team("deck", "Deck");
    field.site.link_team(by_hand, "@acme/deck");
    field.site.link_team(by_hand, "@acme/by-hand");
    let (_, out, _) = field.alone(&["sync"]);
    let (code, _, err) = field.alone(&["sync", "--apply"]);
    assert!(code == 0 && out.contains("1 to link"), "{out}{err}");
    assert_eq!(names(field, "crew"), ["@acme/crew"]);
    assert_eq!(names(field, "deck"), ["@acme/by-hand", "@acme/deck"]);
    let (code, out, _) = field.alone(&["sync"]);
    assert_eq!((code, out.as_str()), (0, "in sync: 2 teams in sync, 0 left out\n"));
    field.start();
}

pub fn names_passed_round_end_where_they_belong(field: &mut Field) {
    begin(field);
    field.start();
    let [crew, deck] = ["Crew", "Deck"].map(|name| field.team(name));
    let told = [(crew, "Via"), (deck, "Crew"), (crew, "Deck")];
    let sent: Vec<_> =
        told.into_iter().flat_map(|(team, name)| field.github.rename_team(team, name)).collect();
    field.send(&sent);
    field.wait_for_rest();
    assert_eq!(
        (names(field, "crew"), names(field, "deck")),
        (vec!["@acme/crew".into()], vec!["@acme/deck".into()])
    );
}

pub fn undo_gives_the_names_back(field: &mut Field) {
    begin(field);
    field.start();
    let crew = field.team("Crew");
    let deleted = field.id("crew");
    field.site.link_team(deleted, "@acme/by-hand");
    field.settle(&field.github.delete_team(crew));
    field.site.tick();
    let (_, said, _) = field.command(&["undo", &deleted.to_string()]);
    assert!(said.contains("in CODEOWNERS: @acme/crew, @acme/by-hand again\n"), "{said}");
    assert_eq!(names(field, "crew"), ["@acme/by-hand", "@acme/crew"]);
}
