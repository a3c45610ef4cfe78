//! Lists that GitHub shows with holes, or counts otherwise than it shows them, for as long as it likes: nobody is taken out
//! and no team deleted because of them, and everything else goes on.

use crate::standin::{Fault, GithubTeam, GithubToken, GithubUser, GraphqlFault, Rule};
use crate::world::{Truth, World};

const GRAPHQL: &str = "POST /graphql";

/// A world that compares all the time, and whose people are known by single sign-on: a public profile removes nobody.
fn comparing() -> World {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.set("SYNC_INTERVAL", "1s");
    world.set("SYNC_FIRST", "apply");
    world.set("SYNC_DELETE_TEAMS", "delete");
    world
}

fn person(world: &World, login: &str) -> u64 {
    let address = format!("{login}@acme.test");
    world.sentry.add_member(address.as_str());
    world.github.add_person(GithubUser::new(login).saml(&address))
}

/// Waits for a comparison that began from now on.
fn another_comparison(world: &World) {
    let last = || world.status()["last_reconcile"].clone();
    for _ in 0..2 {
        let before = last()["at"].clone();
        world.wait_until("another comparison", || last()["at"] != before && last()["open"] == 0);
    }
}

fn nulls(list: &'static str) -> GraphqlFault {
    GraphqlFault::Nulls { list, entries: 1, told: false }
}

fn there(world: &World, slug: &str, login: &str) -> bool {
    world.members(slug).is_some_and(|all| all.contains(&format!("{login}@acme.test")))
}

#[test]
fn additions_go_on_and_nobody_is_removed_and_no_team_deleted_while_a_list_is_incomplete() {
    let mut world = comparing();
    let (ana, ben, zoe) = (person(&world, "ana"), person(&world, "ben"), person(&world, "zoe"));
    // The first of each list, whom the nulls hide.
    let first = |name: &str| {
        let team = world.github.add_team(GithubTeam::new(name));
        world.github.join(team, world.olive);
        team
    };
    let (_hidden, crew, gone) = (first("A Crew"), first("Crew"), first("Gone"));
    for user in [ana, ben] {
        world.github.join(crew, user);
    }
    world.start();
    world
        .wait_until("mirrored", || there(&world, "crew", "ben") && world.sentry.teams().contains_key("gone"));
    another_comparison(&world);
    // One of each list; the others look the same to whoever reads them (snapshot.rs).
    for fault in GraphqlFault::gaps().into_iter().skip(1).step_by(2).chain([nulls("externalIdentities")]) {
        let (list, about_members) = match &fault {
            GraphqlFault::Nulls { list, .. } | GraphqlFault::CountOff { list, .. } => {
                (*list, *list == "members")
            }
            _ => unreachable!("no gap"),
        };
        world.github.wire.script(Rule::new(GRAPHQL, Fault::Graphql(fault.clone())).always());
        another_comparison(&world);
        // Nobody is told of any of this.
        world.github.leave(crew, ana);
        world.github.join(crew, zoe);
        world.wait_until("zoe is added", || there(&world, "crew", "zoe"));
        another_comparison(&world);
        assert_eq!(
            there(&world, "crew", "ana"),
            about_members,
            "{fault:?}: only her team's own list keeps her"
        );
        let status = world.status();
        let told = status["incomplete"]["lists"].to_string();
        let names = match list {
            "teams" => "teams of the organisation: ",
            "members" => "members of `crew`",
            "membersWithRole" => "people of the organisation",
            _ => "single sign-on identities",
        };
        assert!(told.contains(names.trim_end_matches(": ")), "{fault:?}: {told}");
        assert!(world.metric("sync_incomplete_lists") > 0, "{fault:?}");
        assert_eq!(world.metric("sync_not_removed_people") > 0, about_members, "{fault:?}");
        assert_eq!(world.get_admin("/readyz").0, 200);
        world.github.wire.clear_faults();
        world.wait_until("complete again", || world.status()["incomplete"]["n_lists"] == 0);
        world.wait_until("ana is removed", || !there(&world, "crew", "ana"));
        world.github.leave(crew, zoe);
        world.github.join(crew, ana);
        world.wait_until("as before", || there(&world, "crew", "ana") && !there(&world, "crew", "zoe"));
        another_comparison(&world);
    }
    // A team that goes unheard while the list of teams has a hole.
    world.github.wire.script(Rule::new(GRAPHQL, Fault::Graphql(nulls("teams"))).always());
    another_comparison(&world);
    drop(world.github.delete_team(gone));
    another_comparison(&world);
    let summary = || world.status()["last_reconcile"]["summary"].to_string();
    assert!(!summary().contains("to delete"), "neither the one that is gone nor the hidden: {}", summary());
    world.github.wire.clear_faults();
    // One of three teams: a person decides.
    world.wait_until("due", || summary().contains("1 to delete (on hold)"));
    assert!(world.sentry.teams().contains_key("a-crew"));
}

#[test]
fn the_plan_names_list_and_number() {
    let mut world = comparing();
    world.set("SYNC_INTERVAL", "off");
    let (ana, ben) = (person(&world, "ana"), person(&world, "ben"));
    let crew = world.github.add_team(GithubTeam::new("Crew"));
    for user in [world.olive, ana, ben] {
        world.github.join(crew, user);
    }
    world.start();
    world.wait_until("mirrored", || there(&world, "crew", "ben"));
    world.wait_for_rest();
    let nulls = GraphqlFault::Nulls { list: "members", entries: 1, told: true };
    world.github.wire.script(Rule::new(GRAPHQL, Fault::Graphql(nulls)).always());
    world.github.leave(crew, ana);
    let (code, text, err) = world.command(&["sync"]);
    assert_eq!(code, 2, "{text}{err}");
    assert!(text.contains("  members of `crew`: 1 of 2 is null\n"), "{text}");
    assert!(text.contains("  ana in crew: left the GitHub team; GitHub does not show all"), "{text}");
    let (_, json, _) = world.command(&["sync", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(plan["incomplete"][0]["list"], "members of `crew`");
    assert_eq!((&plan["incomplete"][0]["counted"], &plan["incomplete"][0]["nulls"]), (&2.into(), &1.into()));
    assert_eq!(plan["left_in"][0]["who"], "ana");
    let mark = world.sentry.wire.mark();
    let (code, text, err) = world.command(&["sync", "--apply"]);
    assert_eq!((code, world.writes_since(mark)), (2, Vec::<String>::new()), "{text}{err}");
    let (_, text, _) = world.command(&["status", "-v"]);
    assert!(
        text.contains("  members of `crew`: 1 of 2 is null, since 20")
            && text.contains("not removed: ana in crew: "),
        "{text}"
    );
    let (code, text, _) = world.command(&["check", "-v"]);
    assert!(
        code == 1
            && text.contains("GitHub does not show 1 list completely: \"members of crew: 1 of 2 is null\""),
        "{text}"
    );
    assert!(text.contains("1 person stays in a Sentry team though"), "{text}");
}

/// GraphQL alone tells the direct members of a team with child teams.
#[test]
fn a_removal_that_an_event_names_is_confirmed_for_that_person() {
    let (world, crew) = World::new(Truth::Github).with_crew();
    let (child, created) = world.github.create_team(GithubTeam::new("Child").parent(crew), world.olive);
    world.settle(&created);
    let (ana, ben) = (world.person("ana"), world.person("ben"));
    for user in [ana, ben] {
        world.settle(&world.github.add_member(crew, user));
    }
    world.wait_for_members("crew", &["ana", "ben"]);
    // The whole list is hidden.
    let nulls = GraphqlFault::Nulls { list: "members", entries: 100, told: false };
    world.github.wire.script(Rule::new(GRAPHQL, Fault::Graphql(nulls)).always());
    world.settle(&world.github.remove_member(crew, ana));
    world.wait_for_members("crew", &["ben"]);
    // GitHub has ben in the team again before anybody looks.
    let removed = world.github.remove_member(crew, ben);
    world.github.join(crew, ben);
    let mark = world.sentry.wire.mark();
    world.settle(&removed);
    world.wait_for_rest();
    assert!(
        !world.writes_since(mark).iter().any(|write| write.starts_with("DELETE")),
        "{:?}",
        world.writes_since(mark)
    );
    world.wait_for_members("crew", &["ben"]);
    assert!(world.github.teams().contains_key(&child));
}

/// GraphQL is refused, and REST's lists have the holes.
#[test]
fn rests_lists_may_have_holes_and_be_cut_too() {
    let mut world = comparing();
    let token = GithubToken::members_read(world.olive).without_graphql();
    world.github_token = world.github.add_token(token);
    world.set("GH_TOKEN", &world.github_token.clone());
    let crew = world.github.add_team(GithubTeam::new("Crew"));
    let mut map = String::new();
    for i in 0..40 {
        let login = format!("u{i:02}");
        world.github.join(crew, person(&world, &login));
        map += &format!("{login},{login}@acme.test\n");
    }
    let zoe = person(&world, "zoe");
    map += "zoe,zoe@acme.test\n";
    let file = world.dir.0.join("map.csv");
    std::fs::write(&file, map).expect("a map");
    world.set("SYNC_USER_MAP", file.to_str().expect("a plain path"));
    world.start();
    world.wait_until("everybody is there", || world.members("crew").is_some_and(|all| all.len() == 40));
    another_comparison(&world);
    let members = "GET /organizations/{org_id}/team/{team_id}/members";
    for (route, fault, names) in [
        (members, Fault::NullRows(1), "members of `crew`"),
        // A proxy that drops the query and the header: thirty of forty, and no next page.
        (members, Fault::FirstRows(30), "members of `crew`"),
        ("GET /orgs/{org}/teams", Fault::NullRows(1), "teams of the organisation"),
        ("GET /orgs/{org}/members", Fault::NullRows(1), "people of the organisation"),
    ] {
        world.github.wire.script(Rule::new(route, fault.clone()).always());
        another_comparison(&world);
        let incomplete = world.status()["incomplete"].clone();
        assert!(incomplete["lists"].to_string().contains(names), "{fault:?}: {incomplete}");
        assert_eq!(world.members("crew").map(|all| all.len()), Some(40), "{fault:?}");
        world.github.wire.clear_faults();
        world.wait_until("complete again", || world.status()["incomplete"]["n_lists"] == 0);
    }
    world.github.join(crew, zoe);
    world.wait_until("zoe is added", || there(&world, "crew", "zoe"));
}

/// What GitHub refuses to tell of one person keeps nobody else from being matched: more people than are asked for at once.
#[test]
fn a_profile_that_github_refuses_is_one_persons() {
    let world = crate::people::classic();
    let crew = world.old_team("Crew");
    let logins: Vec<_> = (10..40).map(|n| format!("u{n}")).collect();
    logins.iter().for_each(|login| world.github.join(crew, world.person(login)));
    let refused = Fault::Refusal { status: 403, message: "Resource not accessible".into() };
    world.github.wire.script(Rule::new("GET /users/{username}", refused).times(1));
    let (code, out, err) = world.alone(&["sync", "--apply"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(world.members("crew").map(|members| members.len()), Some(logins.len() - 1), "{out}");
}
