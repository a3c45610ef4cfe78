//! The end of a GitHub team: deleted, emptied, kept or held in Sentry, and never without a signed word.

use std::time::Duration;

use crate::standin::{Events, Fault, GithubToken, GithubUser, Rule};
use crate::world::{Truth, World, BOTH};

const DELETE: &str = "DELETE /teams/{org}/{slug}/";

/// A running world with a mirrored team `crew` that ana is in: the GitHub team and the Sentry team.
pub(crate) fn with_crew(truth: Truth, policy: &str) -> (World, u64, u64) {
    let mut world = World::new(truth);
    world.set("SYNC_DELETE_TEAMS", policy);
    let ana = world.person("ana");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    world.settle(&world.github.add_member(crew, ana));
    let sentry = world.sentry.teams()["crew"].id;
    (world, crew, sentry)
}

#[test]
fn a_deleted_team_is_deleted_with_its_past_in_the_audit_log() {
    for truth in BOTH {
        let (world, crew, sentry) = with_crew(truth, "unless-projects");
        let (status, note) = world.settle(&world.github.delete_team(crew));
        let undo = world.shown(&format!("undo {sentry}"));
        let said = format!("deleted Sentry team `crew`; to restore it: {undo}");
        assert_eq!((status.as_str(), note.as_str()), ("done", said.as_str()));
        assert!(world.sentry.teams().is_empty());
        let line = world.audit().into_iter().find(|line| line["decision"] == "will delete team");
        let before = line.expect("an audit line before the deletion")["before"].clone();
        assert_eq!((before["slug"].as_str(), before["name"].as_str()), (Some("crew"), Some("Crew")));
        assert!(before["members"].to_string().contains("ana@acme.test"), "{before}");
        assert_eq!(before["projects"], serde_json::json!([]));
    }
}

#[test]
fn a_team_that_owns_projects_is_held_until_a_person_approves() {
    for truth in BOTH {
        let (world, crew, sentry) = with_crew(truth, "unless-projects");
        world.sentry.add_project(sentry, "shop");
        let mark = world.sentry.wire.mark();
        let (status, note) = world.settle(&world.github.delete_team(crew));
        assert_eq!(status, "held");
        assert!(
            note.starts_with("unless-projects: the Sentry team still owns 1 project (shop); approve with: "),
            "{note}"
        );
        assert_eq!(world.writes_since(mark), [""; 0]);
        let told = world.command(&["status"]).1;
        let asked = format!(
            "  Delete Sentry team `crew` ({sentry})? GitHub deleted its team ({crew}). The Sentry team"
        );
        let undo = "`undo` could bring it back with its members, but not projects: SENTRY_TOKEN lacks project:write\n";
        assert!(told.contains(&asked) && told.contains(undo), "{told}");
        assert!(
            told.lines().all(|line| line.contains("--state-dir") || line.chars().count() <= 120),
            "{told}"
        );
        // The hold outlives a restart; the decision is carried out by the service.
        let mut world = world;
        world.crash_and_restart();
        let name = world.only_hold()["name"].as_str().expect("a name").to_string();
        assert_eq!(world.command(&["approve", &name]).0, 0);
        world.wait_until("deleted", || world.sentry.teams().is_empty());
        world.wait_until("no hold is left", || world.status()["holds"] == serde_json::json!([]));
    }
}

#[test]
fn a_rejected_deletion_leaves_the_team_alone_for_good() {
    for truth in BOTH {
        let (world, crew, sentry) = with_crew(truth, "unless-projects");
        world.sentry.add_project(sentry, "shop");
        world.settle(&world.github.delete_team(crew));
        let name = world.only_hold()["name"].as_str().expect("a name").to_string();
        let mark = world.sentry.wire.mark();
        assert_eq!(world.command(&["reject", &name]).0, 0);
        world.wait_until("no hold is left", || world.status()["holds"] == serde_json::json!([]));
        world.wait_for_rest();
        assert_eq!(world.writes_since(mark), [""; 0]);
        assert!(world.members("crew").is_some());
    }
}

#[test]
fn an_unreadable_answer_about_projects_is_asked_for_again() {
    let (world, crew, _) = with_crew(Truth::Deliveries, "unless-projects");
    let odd = Fault::WrongJson;
    world.sentry.wire.script(Rule::new("GET /teams/{org}/{slug}/", odd).times(2));
    world.send(&world.github.delete_team(crew));
    world.wait_for_rest();
    // An answer that can not be read is asked for again, never taken for "no projects".
    assert!(world.sentry.teams().is_empty());
}

#[test]
fn delete_deletes_whether_it_owns_projects_or_not_as_the_original_did() {
    for truth in BOTH {
        let (world, crew, sentry) = with_crew(truth, "delete");
        world.sentry.add_project(sentry, "shop");
        world.settle(&world.github.delete_team(crew));
        assert!(world.sentry.teams().is_empty());
    }
}

#[test]
fn empty_takes_out_whom_the_mirror_knows_and_keeps_the_team() {
    for truth in BOTH {
        let (world, crew, sentry) = with_crew(truth, "empty");
        let stranger = world.sentry.add_member("stranger@acme.test");
        world.sentry.join(sentry, stranger);
        world.settle(&world.github.delete_team(crew));
        let left = world.members("crew").expect("the team stays");
        assert!(!left.contains(&"ana@acme.test".into()), "{left:?}");
        assert!(left.contains(&"stranger@acme.test".into()), "somebody unknown is never removed");
    }
}

#[test]
fn keep_and_protected_teams_stay_as_they_are() {
    for truth in BOTH {
        for (policy, protect) in [("keep", ""), ("delete", "crew")] {
            let mut world = World::new(truth);
            world.set("SYNC_DELETE_TEAMS", policy);
            world.set("SYNC_PROTECT", protect);
            world.start();
            let (crew, created) = world.github.create_team("Crew", world.olive);
            world.settle(&created);
            if truth == Truth::Github {
                // It looks at the team too, and may be slower than the delivery.
                world.wait_until("compared", || world.status()["last_reconcile"].is_object());
            }
            world.wait_for_rest();
            let mark = world.sentry.wire.mark();
            assert_eq!(world.settle(&world.github.delete_team(crew)).0, "done");
            assert_eq!(world.writes_since(mark), [""; 0]);
            assert!(world.members("crew").is_some());
        }
    }
}

#[test]
fn fault_no_slug_on_a_deleted_team_ends_it_by_its_id() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let ana = world.person("ana");
        world.github.set_events(Events { members_of_deleted: true, ..Events::default() });
        world.start();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        world.settle(&world.github.add_member(crew, ana));
        let sent = world.github.delete_team(crew);
        // Only the memberships of the deleted team arrive: `{id, name, deleted: true}`.
        let memberships: Vec<_> =
            sent.into_iter().filter(|delivery| delivery.event == "membership").collect();
        assert!(!memberships.is_empty());
        world.settle(&memberships);
        world.wait_until("deleted", || world.sentry.teams().is_empty());
    }
}

#[test]
fn more_deletions_than_the_limit_within_an_hour_are_held_across_restarts() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.start();
        let teams: Vec<_> = (0..4)
            .map(|n| {
                let (team, created) = world.github.create_team(format!("Team {n}").as_str(), world.olive);
                world.settle(&created);
                team
            })
            .collect();
        for team in &teams[..2] {
            assert_eq!(world.settle(&world.github.delete_team(*team)).0, "done");
        }
        world.crash_and_restart();
        let (status, note) = world.settle(&world.github.delete_team(teams[2]));
        assert_eq!(status, "held");
        assert!(
            note.starts_with(
                "SYNC_MAX_DELETIONS 5%,2: 2 of 4 teams were deleted within the last hour; the limit is 2"
            ),
            "{note}"
        );
        assert_eq!(world.sentry.teams().keys().collect::<Vec<_>>(), ["team-2", "team-3"]);
        // Additions go on meanwhile.
        let ana = world.person("ana");
        world.settle(&world.github.add_member(teams[3], ana));
        assert_eq!(world.command(&["approve", "--all"]).0, 0);
        world.wait_until("deleted", || world.sentry.teams().len() == 1);
    }
}

#[test]
fn a_deletion_whose_answer_was_lost_is_done_once_and_counted_once() {
    for truth in BOTH {
        for fault in [Fault::Cut, Fault::Status(500), Fault::StatusHtml(502)] {
            let (world, crew, _) = with_crew(truth, "unless-projects");
            world.sentry.wire.script(Rule::new(DELETE, fault).after());
            world.send(&world.github.delete_team(crew));
            world.wait_for_rest();
            assert!(world.sentry.teams().is_empty());
            let deletes = world.sentry.wire.counts().get(DELETE).copied().unwrap_or(0);
            assert_eq!(deletes, 1, "a team that is gone is not deleted again");
        }
    }
}

#[test]
fn teams_with_slugs_of_49_and_50_characters_leave_their_slugs_free() {
    for n in [49, 50] {
        let mut world = World::new(Truth::Github);
        world.start();
        let name = "a".repeat(n);
        for _ in 0..2 {
            let (team, created) = world.github.create_team(name.as_str(), world.olive);
            assert_eq!(world.settle(&created).0, "done", "{n}");
            assert_eq!(world.settle(&world.github.delete_team(team)).0, "done", "{n}");
        }
        assert!(world.sentry.teams().is_empty());
    }
}

#[test]
fn an_unbound_team_of_the_payloads_slug_is_deleted_in_payload_mode_only() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let crew = world.old_team("Crew");
        world.sentry.add_team("crew", "Crew");
        world.start();
        world.settle(&world.github.delete_team(crew));
        let left = world.sentry.teams().len();
        assert_eq!(left, if truth == Truth::Deliveries { 0 } else { 1 }, "{truth:?}");
    }
}

/// The end is known from whoever was in it, without a slug.
#[test]
fn a_deletion_that_tells_the_slug_after_others_that_do_not_is_still_carried_out() {
    let mut world = World::new(Truth::Deliveries);
    world.github.set_events(Events { members_of_deleted: true, ..Events::default() });
    let crew = world.old_team("Crew");
    world.github.join(crew, world.olive);
    world.sentry.add_team("crew", "Crew");
    world.start();
    let (own, others): (Vec<_>, Vec<_>) =
        world.github.delete_team(crew).into_iter().partition(|delivery| delivery.event == "team");
    assert!(!own.is_empty() && !others.is_empty());
    world.settle(&others);
    assert!(world.members("crew").is_some(), "nobody has told whose slug it is");
    world.settle(&own);
    assert!(world.sentry.teams().is_empty());
}

#[test]
fn a_deletion_that_github_denies_deletes_nothing() {
    let (world, crew, _) = with_crew(Truth::Github, "delete");
    // The signed deletion of another team's past, say: GitHub still shows the team.
    let deleted = world.github.edit_description(crew, "x").remove(0).with_payload(|payload| {
        payload["action"] = "deleted".into();
        payload.as_object_mut().map(|payload| payload.remove("changes"));
    });
    world.send(std::slice::from_ref(&deleted));
    world.wait_until("it is looked at again", || {
        world.service().text().contains("GitHub still shows the deleted team")
    });
    assert!(world.members("crew").is_some());
}

#[test]
fn what_follows_a_deletion_for_the_same_id_brings_nothing_back() {
    let (world, crew, _) = with_crew(Truth::Deliveries, "delete");
    let late = world.github.remove_member(crew, world.github.user_id("ana").expect("ana"));
    let late_added = world.github.add_member(crew, world.github.user_id("ana").expect("ana"));
    world.settle(&world.github.delete_team(crew));
    world.settle(&late);
    world.settle(&late_added);
    world.wait_for_rest();
    assert!(world.sentry.teams().is_empty());
}

#[test]
fn a_team_re_created_under_its_name_is_another_team() {
    for truth in BOTH {
        let (world, crew, sentry) = with_crew(truth, "delete");
        world.settle(&world.github.delete_team(crew));
        let (_, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        world.wait_for_rest();
        assert_ne!(world.sentry.teams()["crew"].id, sentry);
        assert!(!world.members("crew").is_some_and(|members| members.contains(&"ana@acme.test".into())));
    }
}

#[test]
fn children_of_a_deleted_parent_are_looked_at_and_not_deleted_on_a_404_alone() {
    let mut world = World::new(Truth::Github);
    world.start();
    let (parent, created) = world.github.create_team("Parent", world.olive);
    world.settle(&created);
    let (_, created) =
        world.github.create_team(crate::standin::GithubTeam::new("Child").parent(parent), world.olive);
    world.settle(&created);
    world.settle(&world.github.delete_team(parent));
    world
        .wait_until("the child is looked at", || world.service().text().contains("event=\"parent deleted\""));
    assert_eq!(world.sentry.teams().keys().collect::<Vec<_>>(), ["child"]);
}

/// Whoever may create a GitHub team must not get somebody else's Sentry team deleted by deleting theirs.
#[test]
fn a_team_in_conflict_takes_nothing_along_when_it_is_deleted() {
    for truth in BOTH {
        for renamed in [false, true] {
            let mut world = World::new(truth);
            world.set("SYNC_DELETE_TEAMS", "delete");
            world.github.set_events(Events { members_of_deleted: true, ..Events::default() });
            let eve = world.person("eve");
            let old = world.old_team("Harmless");
            world.sentry.add_team("payments", "Payments");
            world.start();
            let team = if renamed {
                world.settle(&world.github.rename_team(old, "Payments"));
                old
            } else {
                let (team, created) = world.github.create_team("Payments", world.olive);
                world.settle(&created);
                team
            };
            world.settle(&world.github.add_member(team, eve));
            // The memberships of the deleted team come first, and tell no slug.
            world.settle(&world.github.delete_team(team));
            world.wait_for_rest();
            assert_eq!(world.members("payments"), Some(vec![]), "{truth:?} {renamed}");
            let held = world.status()["holds"].to_string();
            assert!(!held.contains("payments"), "what is no longer due is no longer held: {held}");
        }
    }
}

#[test]
fn a_second_hooks_deletion_takes_no_team_that_came_since() {
    let (world, crew, _) = with_crew(Truth::Deliveries, "delete");
    let deleted = world.github.delete_team(crew);
    world.settle(&deleted);
    world.sentry.add_team("crew", "Somebody else's");
    let again: Vec<_> = deleted.iter().map(|delivery| delivery.clone().with_hook(7)).collect();
    world.settle(&again);
    world.wait_for_rest();
    assert!(world.members("crew").is_some());
}

#[test]
fn a_deletion_that_told_no_slug_at_first_is_held_and_approved_like_any_other() {
    let mut world = World::new(Truth::Deliveries);
    world.github.set_events(Events { members_of_deleted: true, ..Events::default() });
    let ana = world.person("ana");
    let crew = world.old_team("Crew");
    world.github.join(crew, ana);
    let sentry = world.sentry.add_team("crew", "Crew");
    world.sentry.add_project(sentry, "shop");
    world.start();
    // `{id, name, deleted: true}` first, then the team's own event with its slug.
    world.settle(&world.github.delete_team(crew));
    let hold = world.only_hold();
    assert_eq!(world.command(&["approve", hold["name"].as_str().expect("a name")]).0, 0);
    world.wait_until("deleted", || world.sentry.teams().is_empty());
}

#[test]
fn a_team_made_secret_is_not_taken_for_deleted() {
    let mut world = World::new(Truth::Github);
    let viewer = world.github.add_person(GithubUser::new("viewer"));
    let token = world.github.add_token(GithubToken::members_read(viewer));
    world.set("GH_TOKEN", &token);
    let ana = world.person("ana");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.send(&world.github.make_secret(crew));
    // Looked at after 2, 15 and 60 seconds; meanwhile nothing is done.
    world.wait_until("it is looked at again", || {
        world.service().text().contains("GitHub does not show the team")
    });
    world.wait_for_members("crew", &["ana"]);
    world.wait_within(Duration::from_secs(110), "it is told", || {
        world.service().text().contains("not visible")
    });
    world.wait_for_members("crew", &["ana"]);
    assert_eq!(world.status()["failed"], 0);
}
