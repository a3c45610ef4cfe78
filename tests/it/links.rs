//! CODEOWNERS links: `@org/team` of each mirrored team means its Sentry team, and nothing of anybody else's is changed.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::reconcile::{apply, teams};
use crate::standin::{Call, Era, Fault, GithubTeam, Rule, ERAS};
use crate::world::{Played, Truth, World, BOTH};

/// The permissions of the original.
const ORIGINAL: [&str; 5] = ["team:read", "team:write", "team:admin", "member:read", "member:write"];
const MAKE: &str = "POST /teams/{org}/{slug}/external-teams/";
const CHANGE: &str = "PUT /teams/{org}/{slug}/external-teams/{id}/";
const TAKE: &str = "DELETE /teams/{org}/{slug}/external-teams/{id}/";
const LIST: &str = "GET /organizations/{org}/teams/";
const INTEGRATIONS: &str = "GET /organizations/{org}/integrations/";

/// A world in which CODEOWNERS links are wanted.
fn linking(world: World) -> World {
    let mut world = world.may_list_teams();
    world.set("SYNC_CODEOWNERS", "link");
    world
}

fn in_era(truth: Truth, era: Era) -> World {
    linking(World::with(truth, Played::usual(era)))
}

/// A world with a mirrored team `Crew`, and what happens to teams that GitHub deletes.
fn with_crew(truth: Truth, era: Era, deleted: &str) -> (World, u64) {
    let mut world = in_era(truth, era);
    world.set("SYNC_DELETE_TEAMS", deleted);
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    (world, crew)
}

/// The names that mean the Sentry team of a slug.
fn names(world: &World, slug: &str) -> Vec<String> {
    let Some(team) = world.sentry.teams().get(slug).map(|team| team.id) else {
        return vec!["no team".into()];
    };
    world.sentry.external_teams(team).into_iter().map(|(_, name)| name).collect()
}

/// All names, by the slug of what they mean.
fn all_names(world: &World) -> Vec<(String, Vec<String>)> {
    world.sentry.teams().into_keys().map(|slug| (slug.clone(), names(world, &slug))).collect()
}

fn calls_of(calls: &[Call], route: &str) -> usize {
    calls.iter().filter(|call| call.route == route).count()
}

fn link_calls(calls: &[Call]) -> [usize; 4] {
    [MAKE, CHANGE, TAKE, INTEGRATIONS].map(|route| calls_of(calls, route))
}

#[test]
fn a_name_comes_with_its_team_follows_its_rename_and_goes_with_it() {
    for (truth, era) in BOTH.into_iter().flat_map(|truth| ERAS.map(|era| (truth, era))) {
        let (world, crew) = with_crew(truth, era, "delete");
        assert_eq!(names(&world, "crew"), ["@acme/crew"], "{truth:?} {era:?}: {}", world.service().text());
        let mark = world.sentry.wire.mark();
        world.settle(&world.github.rename_team(crew, "Night Crew"));
        assert_eq!(names(&world, "night-crew"), ["@acme/night-crew"], "{truth:?} {era:?}");
        let [made, changed, taken, asked] = link_calls(&world.sentry.wire.calls_since(mark));
        assert_eq!((made, changed, taken, asked), (0, 1, 0, 0), "the row itself is renamed");
        world.settle(&world.github.delete_team(crew));
        assert!(world.sentry.teams().is_empty());
        let audit = world.audit();
        for decision in ["link owner", "relink owner"] {
            let line = audit.iter().find(|line| line["decision"] == decision).expect("a line");
            assert!(line["answer"].as_str().unwrap().starts_with('2'), "{line}");
            assert_eq!(line["team"], crew);
        }
    }
}

#[test]
fn a_deleted_team_whose_sentry_team_stays_keeps_its_name_only_if_that_is_left_as_it_is() {
    for (policy, left) in [("empty", vec![]), ("keep", vec!["@acme/crew".to_owned()])] {
        let (world, crew) = with_crew(Truth::Deliveries, Era::Today, policy);
        // What a person has added is theirs.
        let team = world.sentry.teams()["crew"].id;
        world.sentry.add_external_team(team, "@acme/by-hand");
        world.settle(&world.github.delete_team(crew));
        let all: Vec<_> = ["@acme/by-hand".to_owned()].into_iter().chain(left).collect();
        assert_eq!(names(&world, "crew"), all, "{policy}");
    }
}

#[test]
fn without_the_setting_no_name_is_touched() {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let team = world.sentry.teams()["crew"].id;
    world.sentry.add_external_team(team, "@acme/crew");
    world.settle(&world.github.rename_team(crew, "Deck"));
    world.wait_for_rest();
    assert_eq!(names(&world, "deck"), ["@acme/crew"]);
    assert_eq!(link_calls(&world.sentry.wire.calls()), [0; 4]);
}

#[test]
fn a_comparison_links_all_with_one_write_each_and_in_sync_costs_nothing() {
    for era in ERAS {
        let mut world = in_era(Truth::Github, era);
        let slugs: Vec<_> = (0..120).map(|n| format!("t{n}")).collect();
        teams(&world, &slugs.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        world.set("SYNC_CODEOWNERS", "never");
        apply(&world);
        let plain = |world: &World| {
            let mark = world.sentry.wire.mark();
            let (code, out, err) = world.alone(&["sync"]);
            (code, out, err, world.sentry.wire.calls_since(mark))
        };
        let (code, _, _, before) = plain(&world);
        assert_eq!(code, 0);
        world.set("SYNC_CODEOWNERS", "link");
        let (code, out, _, _) = plain(&world);
        assert_eq!(code, 2);
        assert!(out.contains("keep     t7\n         link @acme/t7\n"), "{out}");
        assert!(out.ends_with("120 to link; 0 teams in sync, 0 left out\n"), "{out}");
        let mark = world.sentry.wire.mark();
        apply(&world);
        let calls = world.sentry.wire.calls_since(mark);
        assert_eq!(link_calls(&calls), [120, 0, 0, 1], "{era:?}");
        assert_eq!(calls.len(), before.len() + 121, "one more read than without links");
        assert!(all_names(&world).iter().all(|(slug, names)| *names == [format!("@acme/{slug}")]));
        let (code, out, err, after) = plain(&world);
        assert_eq!((code, out.as_str()), (0, "in sync: 120 teams in sync, 0 left out\n"), "{err}");
        assert_eq!(after.len(), before.len(), "{era:?}: in sync, the list of teams tells all");
        assert_eq!(calls_of(&after, LIST), calls_of(&before, LIST));
    }
}

#[test]
fn the_plan_is_json_too_and_counts_what_is_linked() {
    let world = in_era(Truth::Github, Era::Today);
    teams(&world, &["Crew"], &[]);
    let (_, json, _) = world.alone(&["sync", "--json"]);
    let plan: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(plan["teams"][0]["link"], serde_json::json!({ "name": "@acme/crew", "is": "link" }));
    assert_eq!(plan["links"]["linked"], 0);
    apply(&world);
    let (_, json, _) = world.alone(&["sync", "--json"]);
    let plan: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&plan["teams"], &plan["links"]["linked"]), (&serde_json::json!([]), &1.into()));
}

#[test]
fn a_name_that_somebody_has_linked_elsewhere_is_told_and_left() {
    for (truth, era) in BOTH.into_iter().flat_map(|truth| ERAS.map(|era| (truth, era))) {
        let mut world = in_era(truth, era);
        let other = world.sentry.add_team("other", "Other");
        world.sentry.add_external_team(other, "@acme/crew");
        world.set("SYNC_FIRST", "apply");
        world.start();
        let (_, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        assert_eq!(names(&world, "other"), ["@acme/crew"], "{truth:?} {era:?}");
        assert_eq!(names(&world, "crew"), [""; 0]);
        let log = world.service().text();
        assert!(
            log.contains(&format!("`@acme/crew` in CODEOWNERS is linked to Sentry team {other}, ")),
            "{log}"
        );
        if truth == Truth::Github {
            let (code, out, _) = world.command(&["sync"]);
            let told = format!("conflict @acme/crew  linked to Sentry team {other} by hand: ");
            assert!(code == 2 && out.contains(&told) && out.contains("1 linked elsewhere"), "{code} {out}");
            let (_, out, _) = world.command(&["explain", "crew"]);
            assert!(out.contains(&format!("  in CODEOWNERS: {told}")), "{out}");
            // Taken away by its person, it is linked.
            world.sentry.drop_external_team(other, "@acme/crew");
            world.command(&["sync", "--apply"]);
            assert_eq!(names(&world, "crew"), ["@acme/crew"]);
            let (_, out, _) = world.command(&["explain", "crew"]);
            assert!(out.contains("  in CODEOWNERS: @acme/crew is linked\n"), "{out}");
        }
    }
}

#[test]
fn a_link_that_a_person_has_made_is_kept_and_follows_a_rename() {
    for era in ERAS {
        let mut world = in_era(Truth::Github, era);
        let crew = teams(&world, &["Crew"], &[])[0];
        world.set("SYNC_CODEOWNERS", "never");
        apply(&world);
        world.set("SYNC_CODEOWNERS", "link");
        let team = world.sentry.teams()["crew"].id;
        world.sentry.add_external_team(team, "@acme/crew");
        world.sentry.add_external_team(team, "@acme/by-hand");
        world.start();
        world.wait_until("it was compared", || !world.status()["last_reconcile"].is_null());
        world.settle(&world.github.rename_team(crew, "Deck"));
        assert_eq!(names(&world, "deck"), ["@acme/by-hand", "@acme/deck"], "{era:?}");
    }
}

#[test]
fn names_passed_round_end_where_they_belong() {
    for (truth, era) in BOTH.into_iter().flat_map(|truth| ERAS.map(|era| (truth, era))) {
        let mut world = in_era(truth, era);
        world.start();
        let ids = ["Ana", "Ben", "Cyd"].map(|name| {
            let (id, created) = world.github.create_team(name, world.olive);
            world.settle(&created);
            id
        });
        // A circle of three through a fourth name, told at once.
        let mut sent = Vec::new();
        for (id, name) in [(ids[0], "Via"), (ids[1], "Ana"), (ids[2], "Ben"), (ids[0], "Cyd")] {
            sent.extend(world.github.rename_team(id, name));
        }
        world.send(&sent);
        world.wait_for_rest();
        if truth == Truth::Github {
            world.command(&["sync", "--apply"]);
        }
        let expected = ["ana", "ben", "cyd"].map(|slug| (slug.to_owned(), vec![format!("@acme/{slug}")]));
        assert_eq!(all_names(&world), expected, "{truth:?} {era:?}: {}", world.service().text());
    }
}

#[test]
fn a_team_made_again_right_after_its_end_gets_its_name_at_once() {
    let (world, crew) = with_crew(Truth::Deliveries, Era::Today, "delete");
    world.settle(&world.github.delete_team(crew));
    // Sentry has not carried the deletion out yet: the row is still the deleted team's.
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    assert_eq!(names(&world, "crew"), ["@acme/crew"], "{}", world.service().text());
    world.sentry.tick();
    assert_eq!(names(&world, "crew"), ["@acme/crew"]);
}

/// What keeps links from being made, and what is said of it.
#[test]
fn what_bars_links_is_told_once_and_bars_nothing_else() {
    type Prepare = fn(&mut World);
    let cases: [(&str, Prepare, &str); 4] = [
        ("the plan", |world| world.sentry.set_codeowners(false), "Sentry's plan has no code owners"),
        ("no integration", |world| world.sentry.drop_integrations(), "Sentry has no integration with "),
        (
            "no org:read",
            |world| world.sentry.set_scopes(&world.sentry_token, &ORIGINAL),
            "SENTRY_TOKEN may not list the integrations in Sentry",
        ),
        (
            "a wrong number",
            |world| world.set("SYNC_CODEOWNERS_INTEGRATION", "77"),
            "see whether SYNC_CODEOWNERS_INTEGRATION is right",
        ),
    ];
    for (what, prepare, told) in cases {
        for truth in BOTH {
            let mut world = in_era(truth, Era::Today);
            prepare(&mut world);
            let ana = world.person("ana");
            world.start();
            for name in ["Crew", "Deck"] {
                let (team, created) = world.github.create_team(name, world.olive);
                world.settle(&created);
                world.settle(&world.github.add_member(team, ana));
            }
            assert!(world.members("deck").unwrap().contains(&"ana@acme.test".to_owned()));
            assert_eq!(all_names(&world), [("crew".into(), vec![]), ("deck".into(), vec![])], "{what}");
            let log = world.service().text();
            let said = log.lines().filter(|line| line.contains("CODEOWNERS links are not made: ")).count();
            assert!(said == 1 && log.contains(told), "{what}: {log}");
            assert_eq!(world.status()["failed"], 0);
            assert_eq!(world.get_admin("/readyz").0, 200);
            let (_, text, _) = world.command(&["status", "-v"]);
            assert!(text.contains(told), "{what}: {text}");
            assert_eq!(world.metric("sync_links_barred"), 1);
            if truth == Truth::Github {
                let (code, out, _) = world.command(&["sync"]);
                assert!(
                    code == 0 && out.contains("no more names in CODEOWNERS are linked: "),
                    "{what}: {out}"
                );
            }
        }
    }
}

#[test]
fn a_region_without_a_list_of_integrations_takes_the_number() {
    let mut world = linking(World::with(Truth::Github, Played::region("us")));
    world.set("SYNC_CODEOWNERS_INTEGRATION", "https://acme-sentry.sentry.io/settings/integrations/github/1/");
    world.start();
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    assert_eq!(names(&world, "crew"), ["@acme/crew"], "{}", world.service().text());
}

#[test]
fn of_several_integrations_the_organisations_own_is_taken_and_a_row_may_tell_it() {
    let world = in_era(Truth::Github, Era::Today);
    world.sentry.add_integration("github", "github.com/emca");
    let team = world.sentry.add_team("theirs", "Theirs");
    world.sentry.add_external_team(team, "@ACME/theirs");
    world.sentry.set_scopes(&world.sentry_token, &ORIGINAL);
    teams(&world, &["Theirs", "Crew"], &[]);
    let (code, out, err) = world.alone(&["sync", "--apply"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(names(&world, "crew"), ["@acme/crew"], "learnt from the row of another spelling: {out}");
    assert_eq!(
        names(&world, "theirs"),
        ["@ACME/theirs", "@acme/theirs"],
        "names are compared letter by letter"
    );
}

#[test]
fn a_new_login_of_the_organisation_is_one_hold() {
    for era in ERAS {
        let mut world = in_era(Truth::Github, era);
        let ids = teams(&world, &["Crew", "Deck"], &[]);
        apply(&world);
        world.start();
        world.wait_until("it was compared", || !world.status()["last_reconcile"].is_null());
        world.settle(&world.github.rename_org("acme-inc"));
        let (_, out, _) = world.command(&["sync"]);
        let (code, _, err) = world.command(&["sync", "--apply"]);
        assert_eq!(code, 2, "{out}{err}");
        assert!(out.contains("relink @acme-inc/crew  from @acme/crew  [on hold: "), "{out}");
        world.settle(&world.github.add_member(ids[0], world.olive));
        world.settle(&world.github.rename_team(ids[0], "CREW"));
        assert_eq!(names(&world, "crew"), ["@acme/crew"], "nor is it done by and by");
        let hold = world.only_hold();
        assert!(hold["rule"].as_str().unwrap().starts_with("SYNC_CODEOWNERS: the organisation was renamed"));
        let (code, _, err) = world.command(&["approve", hold["name"].as_str().unwrap()]);
        assert_eq!(code, 0, "{err}");
        world.wait_until("they follow", || names(&world, "deck") == ["@acme-inc/deck"]);
        world.wait_until("both", || names(&world, "crew") == ["@acme-inc/crew"]);
        world.wait_for_rest();
        assert_eq!(world.status()["holds"], serde_json::json!([]));
    }
}

#[test]
fn many_links_that_would_change_at_once_are_held_and_a_rejection_is_remembered() {
    let mut world = in_era(Truth::Github, Era::Today);
    let names_of: Vec<_> = (0..6).map(|n| format!("t{n}")).collect();
    let ids = teams(&world, &names_of.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    apply(&world);
    world.set("SYNC_INTERVAL", "off");
    for id in &ids[..3] {
        world.github.rename_team(*id, &format!("New {id}"));
    }
    let (_, out, _) = world.alone(&["sync"]);
    let (code, _, _) = world.alone(&["sync", "--apply"]);
    assert_eq!(code, 2, "{out}");
    assert!(
        out.contains("SYNC_MAX_DELETIONS 5%,2: 3 links of 6 teams would change; the limit is 2"),
        "{out}"
    );
    assert!(out.contains("\n         relink @acme/new-"), "{out}");
    let renamed: Vec<_> = world.sentry.teams().into_keys().filter(|slug| slug.starts_with("new-")).collect();
    assert_eq!(renamed.len(), 3, "the teams are renamed all the same");
    assert!(renamed.iter().all(|slug| names(&world, slug)[0].starts_with("@acme/t")));
    world.start();
    let hold = world.only_hold();
    world.command(&["reject", hold["name"].as_str().unwrap()]);
    world.wait_for_rest();
    let (code, out, _) = world.command(&["sync", "--apply"]);
    assert_eq!(code, 0, "{out}");
    assert!(renamed.iter().all(|slug| names(&world, slug)[0].starts_with("@acme/t")));
}

#[test]
fn the_first_comparison_links_nothing_before_it_is_approved() {
    let mut world = in_era(Truth::Github, Era::Today);
    teams(&world, &["Crew"], &[]);
    world.set("SYNC_CODEOWNERS", "never");
    apply(&world);
    std::fs::remove_dir_all(&world.env["SYNC_STATE_DIR"]).unwrap();
    world.set("SYNC_CODEOWNERS", "link");
    world.start();
    world.wait_until("it was compared", || !world.status()["last_reconcile"].is_null());
    assert_eq!(link_calls(&world.sentry.wire.calls())[..3], [0; 3]);
    let hold = world.only_hold();
    world.command(&["approve", hold["name"].as_str().unwrap()]);
    world.wait_until("linked", || names(&world, "crew") == ["@acme/crew"]);
}

#[test]
fn undo_gives_the_names_back() {
    for era in ERAS {
        for ticks in [true, false] {
            let (world, crew) = with_crew(Truth::Deliveries, era, "delete");
            let team = world.sentry.teams()["crew"].id;
            world.sentry.add_external_team(team, "@acme/by-hand");
            world.settle(&world.github.delete_team(crew));
            if ticks {
                world.sentry.tick();
            }
            let (_, out, err) = world.command(&["undo", &team.to_string()]);
            assert!(out.contains("in CODEOWNERS: @acme/crew, @acme/by-hand again\n"), "{era:?} {out}{err}");
            world.sentry.tick();
            assert_eq!(names(&world, "crew"), ["@acme/by-hand", "@acme/crew"], "{era:?}");
            // A name of people's is theirs also when the team follows a GitHub team again.
            let (crew, created) = world.github.create_team("Crew", world.olive);
            world.settle(&created);
            world.command(&["approve", world.only_hold()["name"].as_str().unwrap()]);
            world.wait_for_rest();
            world.settle(&world.github.rename_team(crew, "Deck"));
            assert_eq!(names(&world, "deck"), ["@acme/by-hand", "@acme/deck"], "{era:?}");
        }
    }
}

#[test]
fn a_team_that_is_left_out_keeps_what_it_has_and_gets_no_name() {
    let mut world = in_era(Truth::Github, Era::Today);
    teams(&world, &["Crew", "Deck"], &[]);
    apply(&world);
    let deck = world.sentry.teams()["deck"].id;
    world.sentry.drop_external_team(deck, "@acme/deck");
    world.set("SYNC_TEAMS", "*,!deck,!crew");
    let (code, out, _) = world.alone(&["sync"]);
    assert_eq!((code, out.as_str()), (0, "in sync: 0 teams in sync, 2 left out\n"));
    apply(&world);
    assert_eq!(names(&world, "crew"), ["@acme/crew"], "what is left out keeps its row");
    assert_eq!(names(&world, "deck"), [""; 0]);
}

/// GitHub lets no team of an enterprise own code.
#[test]
fn a_team_of_the_enterprise_gets_no_name() {
    let world = in_era(Truth::Github, Era::Today);
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 3600);
    world.github.add_team(GithubTeam::new("All Hands").enterprise().created(yesterday));
    teams(&world, &["Crew"], &[]);
    apply(&world);
    let all = [("crew".into(), vec!["@acme/crew".into()]), ("ent-all-hands-00ffb4".into(), vec![])];
    assert_eq!(all_names(&world), all);
    assert_eq!(world.alone(&["sync"]).0, 0);
}

#[test]
fn an_answer_that_is_lost_makes_one_row_and_a_failing_sentry_is_waited_for() {
    let mut world = in_era(Truth::Deliveries, Era::Today);
    world.start();
    world.sentry.wire.script(Rule::new(MAKE, Fault::Status(502)).after());
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    assert_eq!(names(&world, "crew"), ["@acme/crew"]);
    world.sentry.wire.script(Rule::new(CHANGE, Fault::Status(502)).after());
    world.settle(&world.github.rename_team(crew, "Deck"));
    assert_eq!(names(&world, "deck"), ["@acme/deck"]);
}

/// In payload mode nothing is compared: whatever event names the team has it linked.
#[test]
fn in_payload_mode_the_next_event_links_a_team_that_was_there_before() {
    let mut world = in_era(Truth::Deliveries, Era::Today);
    world.set("SYNC_CODEOWNERS", "never");
    let ana = world.person("ana");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let old = world.github.rename_team(crew, "Deck");
    world.settle(&old);
    world.take_service().stop("-TERM");
    world.set("SYNC_CODEOWNERS", "link");
    world.start();
    world.settle(&world.github.add_member(crew, ana));
    assert_eq!(names(&world, "deck"), ["@acme/deck"]);
    let mark = world.sentry.wire.mark();
    world.settle(&world.github.remove_member(crew, ana));
    assert_eq!(link_calls(&world.sentry.wire.calls_since(mark)), [0; 4]);
}

#[test]
fn check_counts_names_while_links_are_off_and_on() {
    let mut world = in_era(Truth::Github, Era::Today);
    teams(&world, &["Crew", "Deck", "Bridge"], &[]);
    world.set("SYNC_CODEOWNERS", "never");
    apply(&world);
    let ids: Vec<_> = world.sentry.teams().into_iter().map(|(slug, team)| (slug, team.id)).collect();
    let id = |slug: &str| ids.iter().find(|(known, _)| known == slug).expect("a team").1;
    world.sentry.add_external_team(id("crew"), "@acme/crew");
    world.sentry.add_external_team(id("crew"), "@acme/gone");
    world.sentry.add_external_team(id("bridge"), "@acme/deck");
    let (_, out, _) = world.alone(&["check", "-v"]);
    let counted = "of 3 mirrored teams, CODEOWNERS finds 1, misses 1 (\"bridge\"), and takes 1 for another Sentry team (\"deck\"); \
                   1 name fits no GitHub team (\"@acme/gone\")";
    assert!(out.contains(counted), "{out}");
    assert!(out.contains("SYNC_CODEOWNERS=link"), "{out}");
    world.set("SYNC_CODEOWNERS", "link");
    let (_, out, _) = world.alone(&["check", "-v"]);
    assert!(out.contains(counted), "{out}");
    assert!(!out.contains("CODEOWNERS files"), "there are none: {out}");
    world.sentry.add_project(id("bridge"), "web");
    world.sentry.set_codeowners_file("web", &["@acme/crew", "@acme/bridge", "@ACME/crew", "@other/crew"]);
    let (_, out, _) = world.alone(&["check", "-v"]);
    for told in [
        "CODEOWNERS names teams that Sentry does not find: \"@acme/bridge in web\"",
        "Sentry is case-sensitive: \"@ACME/crew for @acme/crew in web\"",
        "Sentry assigns them no issues there: \"#crew in web\"",
    ] {
        assert!(out.contains(told), "{told}: {out}");
    }
    world.sentry.add_external_team(id("bridge"), "@acme/bridge");
    world.sentry.set_codeowners_file("web", &["@acme/bridge"]);
    let (_, out, _) = world.alone(&["check", "-v"]);
    assert!(out.contains("Sentry finds every team of `acme` in the CODEOWNERS files of 1 project"), "{out}");
    world.sentry.set_scopes(&world.sentry_token, &ORIGINAL);
    let (_, out, _) = world.alone(&["check", "-v"]);
    assert!(!out.contains("CODEOWNERS finds"), "not told: {out}");
}
