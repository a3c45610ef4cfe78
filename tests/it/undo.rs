//! A Sentry team that the mirror deleted comes back: whole, once, and bound to nobody.

use std::time::Duration;

use super::ends::with_crew;
use crate::standin::{Era, Fault, NewMember, NewToken, Rule};
use crate::world::{Truth, World, BOTH};

const CREATE: &str = "POST /organizations/{org}/teams/";
const ADD: &str = "POST /organizations/{org}/members/{id}/teams/{slug}/";

/// The permissions of the original, and those to give projects back.
const WITH_PROJECTS: [&str; 6] =
    ["team:read", "team:write", "team:admin", "member:read", "member:write", "project:write"];

/// A world in which the mirror has deleted the team `crew`, in which ana was, with the projects shop and web.
fn deleted(truth: Truth) -> (World, u64) {
    let (world, crew, sentry) = with_crew(truth, "delete");
    world.sentry.add_project(sentry, "shop");
    world.sentry.add_project(sentry, "web");
    world.settle(&world.github.delete_team(crew));
    assert!(world.sentry.teams().is_empty());
    // What is left of it in Sentry's own tables goes with its task.
    world.sentry.tick();
    (world, sentry)
}

fn undo(world: &World, id: &str) -> (i32, String, String) {
    world.command(&["undo", id])
}

fn ana_is_back(world: &World) -> bool {
    world.members("crew").is_some_and(|members| members.contains(&"ana@acme.test".into()))
}

#[test]
fn a_deleted_team_comes_back_with_its_people_and_its_projects() {
    for truth in BOTH {
        let (world, sentry) = deleted(truth);
        world.sentry.set_scopes(&world.sentry_token, &WITH_PROJECTS);
        let (code, said, talk) = undo(&world, &sentry.to_string());
        assert_eq!((code, talk.as_str()), (0, ""), "{said}");
        let now = world.sentry.teams()["crew"].id;
        let n = world.members("crew").unwrap().len();
        assert_eq!(
            said,
            format!(
                "brought back Sentry team `crew` \"Crew\" as {now} (was {sentry})\n\
                 members: {n} of {n} added again\n\
                 projects given back: shop, web\n\
                 it follows no GitHub team until GitHub has a team `crew` again\n"
            )
        );
        assert!(ana_is_back(&world));
        assert_eq!(world.sentry.project_teams("shop"), ["crew"]);
        assert_eq!(world.sentry.teams()["crew"].name, "Crew");
        let audit = world.audit();
        for decision in ["bring back team", "add member", "link project"] {
            let line = audit.iter().find(|line| line["event"] == "undo" && line["decision"] == decision);
            assert!(line.unwrap()["answer"].as_str().unwrap().starts_with("201"), "{decision}");
        }
    }
}

#[test]
fn somebody_who_only_claims_the_address_of_one_who_left_is_not_put_in() {
    for (trusts, n_back) in [("never", 1), ("primary", 2)] {
        // Today's Sentry shows no verified address: whoever trusts no other puts nobody in.
        let mut world = World::in_era(Truth::Github, Era::V23_7_1);
        world.set("SYNC_TRUST_UNVERIFIED", trusts);
        world.set("SYNC_DELETE_TEAMS", "delete");
        let ana = world.person("ana");
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        let sentry = world.sentry.teams()["crew"].id;
        world.settle(&world.github.delete_team(crew));
        world.sentry.remove_member(world.sentry.member_id("ana@acme.test").unwrap());
        // By Sentry's word alone, this may be anybody.
        world.sentry.add_member(NewMember::new("ana@acme.test").unverified());
        let (_, said, talk) = undo(&world, &sentry.to_string());
        assert!(said.contains(&format!("members: {n_back} of 2 added again")), "{trusts}: {said}{talk}");
    }
}

#[test]
fn a_token_that_may_not_touch_projects_tells_which_and_what_it_lacks() {
    let (world, sentry) = deleted(Truth::Github);
    let mark = world.sentry.wire.mark();
    let (code, said, talk) = undo(&world, &sentry.to_string());
    assert_eq!((code, talk.as_str()), (2, ""), "{said}");
    assert!(said.contains("projects: none given back\n  could not give back shop, web: SENTRY_TOKEN lacks project:write; add the team in each project's settings in Sentry"), "{said}");
    assert!(ana_is_back(&world));
    let links = world.writes_since(mark).into_iter().filter(|call| call.contains("/projects/")).count();
    assert_eq!(links, 1, "what is refused for one project is not asked for the next");
    // It is no reason to leave the rest of the mirror alone.
    let (_, created) = world.github.create_team("Next", world.olive);
    assert_eq!(world.settle(&created).0, "done");
}

#[test]
fn a_second_undo_says_that_it_is_back_and_tries_again_only_what_it_lacks_of_its_projects() {
    for truth in BOTH {
        let (world, sentry) = deleted(truth);
        undo(&world, "crew");
        let now = world.sentry.teams()["crew"].id;
        // Whoever was taken out by hand since stays out.
        world.sentry.leave(now, world.sentry.member_id("ana@acme.test").unwrap());
        let mark = world.sentry.wire.mark();
        for _ in 0..2 {
            let (code, said, _) = undo(&world, &sentry.to_string());
            let back = format!("Sentry team `crew` is back already, as {now}: nothing was done\n");
            assert!(code == 2 && said.starts_with(&back), "{said}");
            assert!(
                said.contains("could not give back shop, web: SENTRY_TOKEN lacks project:write"),
                "{said}"
            );
        }
        let tried = world.writes_since(mark);
        assert!(tried.iter().all(|call| call.contains("/projects/")), "{tried:?}");
        // A person has given them back in Sentry.
        ["shop", "web"].iter().for_each(|project| world.sentry.link_project(project, now));
        let mark = world.sentry.wire.mark();
        let (code, said, _) = undo(&world, &sentry.to_string());
        let back = format!("Sentry team `crew` is back already, as {now}: nothing was done\n");
        assert_eq!((code, said), (0, back));
        assert_eq!(world.writes_since(mark), [""; 0]);
        assert!(!ana_is_back(&world));
    }
}

#[test]
fn a_team_that_was_brought_back_and_deleted_by_hand_comes_back_again() {
    let (world, sentry) = deleted(Truth::Github);
    undo(&world, "crew");
    world.sentry.purge_team(world.sentry.teams()["crew"].id);
    let (_, said, _) = undo(&world, &sentry.to_string());
    assert!(said.starts_with("brought back Sentry team `crew`") && ana_is_back(&world), "{said}");
}

#[test]
fn a_team_that_was_brought_back_is_not_touched_until_github_has_its_slug() {
    for truth in BOTH {
        let (mut world, _) = deleted(truth);
        undo(&world, "crew");
        let now = world.sentry.teams()["crew"].id;
        let mark = world.sentry.wire.mark();
        // The deletion once more, under other names; a comparison; a restart.
        let ended = world.github.edit_description(world.old_team("Crew"), "x").remove(0);
        let ended = ended.with_payload(|payload| {
            payload["action"] = "deleted".into();
            payload.as_object_mut().map(|payload| payload.remove("changes"));
        });
        world.github.delete_team(world.github.team_id("crew").unwrap());
        world.settle(std::slice::from_ref(&ended));
        world.crash_and_restart();
        if truth == Truth::Github {
            assert_eq!(world.command(&["sync", "--apply"]).0, 0);
        }
        world.wait_for_rest();
        assert_eq!(world.writes_since(mark), [""; 0], "{truth:?}");
        assert!(ana_is_back(&world));
        // A new team of that slug does not walk into it: a person decides, as with every team that was there before.
        let (_, created) = world.github.create_team("Crew", world.olive);
        assert_eq!(world.settle(&created).0, "held");
        let name = world.only_hold()["name"].as_str().unwrap().to_string();
        world.command(&["approve", &name]);
        world.wait_until("it is adopted", || world.status()["teams"] == 1);
        assert_eq!(world.sentry.teams()["crew"].id, now);
    }
}

#[test]
fn who_left_sentry_meanwhile_is_named_and_who_came_back_is_found() {
    let (world, crew, sentry) = with_crew(Truth::Github, "delete");
    let (ben, chen) = (world.person("ben"), world.person("chen"));
    for person in [ben, chen] {
        world.settle(&world.github.add_member(crew, person));
    }
    world.settle(&world.github.delete_team(crew));
    for gone in ["ben@acme.test", "chen@acme.test"] {
        world.sentry.remove_member(world.sentry.member_id(gone).unwrap());
    }
    let again = world.sentry.add_member(NewMember::new("Ben@acme.test"));
    let (code, said, _) = undo(&world, &sentry.to_string());
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("members: 3 of 4 added again\n"), "{said}");
    assert!(said.contains("  now under another membership: ben@acme.test (member "), "{said}");
    assert!(said.contains(&format!("), member {again}\n")), "{said}");
    assert!(said.contains("  not in Sentry any more: chen@acme.test (member "), "{said}");
}

#[test]
fn a_slug_that_is_taken_is_refused_and_nothing_is_done() {
    for truth in BOTH {
        let (world, sentry) = deleted(truth);
        let other = world.sentry.add_team("crew", "Somebody else's");
        let mark = world.sentry.wire.mark();
        let (code, said, talk) = undo(&world, &sentry.to_string());
        assert_eq!((code, said.as_str()), (1, ""));
        assert_eq!(
            talk,
            format!("error: slug `crew` is taken by Sentry team {other}, which follows no GitHub team: nothing was done; give that one another slug in Sentry first\n")
        );
        // Also by one of the mirror's own.
        world.sentry.purge_team(other);
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        let (code, _, talk) = undo(&world, &sentry.to_string());
        assert!(
            code == 1 && talk.contains(&format!(", which follows GitHub team {crew}: nothing")),
            "{talk}"
        );
        let writes = world.writes_since(mark);
        assert!(writes.iter().all(|call| !call.contains("409")), "{writes:?}");
        // The refusal leaves nothing open.
        world.settle(&world.github.delete_team(crew));
        world.sentry.tick();
        let (code, said, _) = undo(&world, &sentry.to_string());
        assert!(code == 2 && ana_is_back(&world), "{said}");
    }
}

#[test]
fn an_answer_that_was_lost_makes_one_team_and_not_two() {
    for (route, fault) in [(CREATE, Fault::Cut), (CREATE, Fault::Status(502)), (ADD, Fault::Cut)] {
        let (world, sentry) = deleted(Truth::Deliveries);
        world.sentry.wire.script(Rule::new(route, fault).after());
        let (code, said, talk) = undo(&world, &sentry.to_string());
        assert_eq!(code, 2, "{said}{talk}");
        assert!(ana_is_back(&world) && said.contains("could not give back shop, web"), "{said}");
        assert_eq!(world.sentry.teams().len(), 1);
    }
}

#[test]
fn after_a_crash_in_between_a_second_undo_completes_it() {
    for truth in BOTH {
        for route in [CREATE, ADD] {
            let (mut world, sentry) = deleted(truth);
            let id = sentry.to_string();
            let stall = Fault::Stall(Duration::from_secs(60));
            let rule = Rule::new(route, stall);
            world.sentry.wire.script(if route == CREATE { rule.after() } else { rule });
            std::thread::scope(|scope| {
                scope.spawn(|| undo(&world, &id));
                world.wait_until("the team is made", || world.members("crew").is_some());
                let pid = world.service().pid().to_string();
                std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
            });
            world.sentry.wire.clear_faults();
            world.take_service();
            world.start();
            let (code, said, talk) = undo(&world, &id);
            assert_eq!(code, 2, "{truth:?} {route}: {said}{talk}");
            assert!(said.starts_with("brought back") && ana_is_back(&world), "{said}");
            assert_eq!(world.sentry.teams().len(), 1);
        }
    }
}

#[test]
fn a_deletion_that_never_took_place_is_not_undone() {
    let (world, crew, sentry) = with_crew(Truth::Deliveries, "delete");
    world.sentry.wire.script(Rule::new("DELETE /teams/{org}/{slug}/", Fault::Status(503)).always());
    world.send(&world.github.delete_team(crew));
    world.wait_until("it was tried", || {
        world.audit().iter().any(|line| line["decision"] == "will delete team")
    });
    assert_eq!(world.command(&["undo"]).1, "the audit log has no deleted team\n");
    let (code, _, talk) = undo(&world, &sentry.to_string());
    assert_eq!(code, 1);
    assert_eq!(talk, format!("error: Sentry team {sentry} was not deleted: it is there, as `crew`\n"));
}

#[test]
fn slugs_of_49_and_50_characters_come_back_as_they_were() {
    for n in [49, 50] {
        let mut world = World::new(Truth::Github);
        world.set("SYNC_DELETE_TEAMS", "delete");
        world.start();
        let name = "a".repeat(n);
        let (team, created) = world.github.create_team(name.as_str(), world.olive);
        world.settle(&created);
        let sentry = world.sentry.teams()[&name].id;
        world.settle(&world.github.delete_team(team));
        // Before Sentry's task has run.
        let (code, said, talk) = undo(&world, &sentry.to_string());
        assert_eq!((code, talk.as_str()), (0, ""), "{n}: {said}");
        assert!(world.members(&name).is_some(), "{n}: {said}");
    }
}

#[test]
fn without_an_id_what_can_be_brought_back_is_listed() {
    let (world, sentry) = deleted(Truth::Deliveries);
    let (code, said, _) = world.command(&["undo"]);
    let n = world.audit().iter().find(|line| line["decision"] == "will delete team").unwrap()["before"]
        ["members"]
        .as_array()
        .unwrap()
        .len();
    let people = if n == 1 { "person" } else { "people" };
    assert_eq!(code, 0);
    assert!(said.starts_with(&format!("{sentry}  crew  \"Crew\"  deleted 20")), "{said}");
    assert!(said.ends_with(&format!("Z, {n} {people}, projects shop, web\n")), "{said}");
    undo(&world, "crew");
    let back = world.sentry.teams()["crew"].id;
    let said = world.command(&["undo"]).1;
    assert!(said.ends_with(&format!("projects shop, web, back as {back}\n")), "{said}");
    let (code, _, talk) = undo(&world, "999999");
    assert_eq!(code, 1);
    let list = world.shown("undo");
    assert_eq!(talk, format!("error: the audit log has no deleted Sentry team `999999`\n  fix: `{list}` lists the teams deleted within SYNC_AUDIT_KEEP\n"));
}

#[test]
fn two_deletions_under_one_slug_are_told_apart_by_their_ids() {
    let (world, first) = deleted(Truth::Github);
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let second = world.sentry.teams()["crew"].id;
    world.settle(&world.github.delete_team(crew));
    let (code, _, talk) = undo(&world, "crew");
    assert_eq!(code, 1);
    for id in [first, second] {
        assert!(talk.contains(&format!("{id} (20")), "{talk}");
    }
    assert_eq!(undo(&world, &second.to_string()).0, 0);
}

#[test]
fn a_team_comes_back_where_no_service_runs() {
    for truth in BOTH {
        let (mut world, sentry) = deleted(truth);
        world.take_service().stop("-TERM");
        let (code, said, talk) = world.alone(&["undo", &sentry.to_string()]);
        assert_eq!((code, talk.as_str()), (2, ""), "{said}");
        assert!(ana_is_back(&world));
        let (code, said, _) = world.alone(&["undo", &sentry.to_string()]);
        assert!(code == 2 && said.contains("is back already"), "{said}");
        // The list needs no token.
        assert!(world.command(&["undo"]).1.starts_with(&sentry.to_string()));
    }
}

#[test]
fn a_host_that_can_not_be_used_ends_the_wait_and_a_second_undo_goes_on() {
    let (world, sentry) = deleted(Truth::Deliveries);
    let id = sentry.to_string();
    world.sentry.set_expired(&world.sentry_token, true);
    let (code, said, talk) = undo(&world, &id);
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(talk.starts_with("error: not done yet: "), "{talk}");
    assert!(talk.ends_with("  fix: repeat the command; it continues where it stopped\n"), "{talk}");
    world.sentry.set_expired(&world.sentry_token, false);
    // Sentry is asked again after a minute; a restart asks at once.
    let mut world = world;
    world.crash_and_restart();
    assert!(undo(&world, &id).0 == 2 && ana_is_back(&world));
    assert_eq!(world.sentry.teams().len(), 1);
}

/// Today's Sentry finds teams by their ids too, also those whose deletion is pending.
#[test]
fn a_team_comes_back_on_todays_sentry_too() {
    let mut world = World::in_era(Truth::Github, Era::Today);
    world.sentry_token = world.sentry.add_token(NewToken::integration(&WITH_PROJECTS));
    world.set("SENTRY_TOKEN", &world.sentry_token.clone());
    world.set("SYNC_DELETE_TEAMS", "delete");
    let ana = world.person("ana");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    let sentry = world.sentry.teams()["crew"].id;
    world.sentry.add_project(sentry, "shop");
    world.settle(&world.github.delete_team(crew));
    // Before and after Sentry's task has run.
    for _ in 0..2 {
        let (code, said, talk) = undo(&world, &sentry.to_string());
        assert_eq!((code, talk.as_str()), (0, ""), "{said}");
        assert!(said.contains("projects given back: shop\n") && ana_is_back(&world), "{said}");
        let (code, said, _) = undo(&world, &sentry.to_string());
        assert!(code == 0 && said.contains("is back already"), "{said}");
        world.sentry.tick();
        world.sentry.purge_team(world.sentry.teams()["crew"].id);
    }
}
