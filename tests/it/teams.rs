//! Which Sentry team follows which GitHub team: made, adopted, in conflict, renamed, waited for.

use crate::standin::{Fault, Rule};
use crate::world::{Truth, World, BOTH};

const CREATE: &str = "POST /organizations/{org}/teams/";
const UPDATE: &str = "PUT /teams/{org}/{slug}/";

#[test]
fn a_new_team_is_made_with_everybody_in_it_although_no_event_names_its_creator() {
    let mut world = World::new(Truth::Github);
    world.start();
    let (_, created) = world.github.create_team("Crew", world.olive);
    assert_eq!(world.settle(&created).0, "done");
    assert_eq!(world.members("crew"), Some(vec!["olive@acme.test".into()]));
}

#[test]
fn a_membership_event_makes_the_team_when_its_creation_was_missed() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let ana = world.person("ana");
        let crew = world.old_team("Crew");
        world.start();
        world.settle(&world.github.add_member(crew, ana));
        world.wait_for_members("crew", &["ana"]);
    }
}

#[test]
fn an_older_team_takes_the_sentry_team_of_its_slug_to_be_its_own() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let ana = world.person("ana");
        let crew = world.old_team("Crew");
        let sentry = world.sentry.add_team("crew", "The crew of old");
        world.start();
        world.settle(&world.github.add_member(crew, ana));
        world.wait_for_members("crew", &["ana"]);
        let team = &world.sentry.teams()["crew"];
        assert_eq!((team.id, team.name.as_str()), (sentry, "The crew of old"), "adopting changes no name");
        assert!(world.audit().iter().any(|line| line["decision"] == "adopt team" && line["slug"] == "crew"));
    }
}

#[test]
fn a_newer_team_never_walks_into_an_existing_sentry_team() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let eve = world.person("eve");
        let secret = world.sentry.add_team("payments", "Payments");
        world.start();
        let mark = world.sentry.wire.mark();
        let (team, created) = world.github.create_team("Payments", world.olive);
        let (status, note) = world.settle(&created);
        assert_eq!(status, "held", "{note}");
        let (status, _) = world.settle(&world.github.add_member(team, eve));
        assert_eq!(status, "held");
        assert_eq!(world.writes_since(mark), [""; 0]);
        assert_eq!(world.members("payments"), Some(vec![]));
        let hold = world.only_hold();
        let name = hold["name"].as_str().expect("a name");
        assert!(note.contains(&world.shown(&format!("approve {name}"))), "{note}");
        // A person who says so may hand it over.
        let (code, out, _) = world.command(&["approve", name]);
        assert_eq!((code, out.starts_with("approved: let GitHub team")), (0, true), "{out}");
        let eve_is_in =
            || world.members("payments").is_some_and(|members| members.contains(&"eve@acme.test".into()));
        world.wait_until("eve is in", eve_is_in);
        assert_eq!(world.sentry.teams()["payments"].id, secret);
        world.wait_until("the hold is history", || {
            world.status()["holds"].as_array().is_some_and(Vec::is_empty)
        });
    }
}

#[test]
fn a_team_never_renames_its_way_into_an_existing_sentry_team() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.sentry.add_team("payments", "Payments");
        world.start();
        let (team, created) = world.github.create_team("Harmless", world.olive);
        world.settle(&created);
        world.send(&world.github.rename_team(team, "Payments"));
        world.wait_until("it waits", || world.service().text().contains("follows no GitHub team"));
        assert_eq!(world.members("payments"), Some(vec![]));
        assert!(world.members("harmless").is_some());
        // Once the slug is free, the rename takes place.
        let in_the_way = world.sentry.teams()["payments"].id;
        world.sentry.rename_team(in_the_way, "old-payments", "Payments");
        world.settle(&world.github.rename_team(team, "Payments 2"));
        world.settle(&world.github.rename_team(team, "Payments"));
        world.wait_for_rest();
        assert!(world.members("harmless").is_none() && world.members("payments").is_some());
    }
}

#[test]
fn fault_renames_ignored_a_rename_keeps_team_members_and_projects() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let ana = world.person("ana");
        world.start();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        world.settle(&world.github.add_member(crew, ana));
        let id = world.sentry.teams()["crew"].id;
        world.sentry.add_project(id, "shop");
        let mark = world.sentry.wire.mark();
        world.settle(&world.github.rename_team(crew, "Night Crew"));
        world.wait_for_members("night-crew", &["ana"]);
        assert_eq!(world.writes_since(mark), [format!("{UPDATE} 200")]);
        assert_eq!(world.sentry.teams()["night-crew"].id, id);
        assert_eq!(world.sentry.project_teams("shop"), ["night-crew"]);
    }
}

#[test]
fn a_team_first_seen_through_a_rename_is_found_by_its_old_slug() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let crew = world.old_team("Crew");
        let sentry = world.sentry.add_team("crew", "Crew");
        world.start();
        world.settle(&world.github.rename_team(crew, "Night Crew"));
        world.wait_for_rest();
        let teams = world.sentry.teams();
        assert_eq!(teams.keys().collect::<Vec<_>>(), ["night-crew"]);
        assert_eq!(teams["night-crew"].id, sentry);
    }
}

#[test]
fn case_only_renames_change_the_name_alone() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.start();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        world.settle(&world.github.rename_team(crew, "CREW"));
        world.wait_for_rest();
        assert_eq!(world.sentry.teams()["crew"].name, "CREW");
    }
}

/// Three teams pass their names round; `in_between` happens after all deliveries were sent.
fn pass_names_round(truth: Truth, in_between: impl Fn(&mut World)) {
    let mut world = World::new(truth);
    world.start();
    let people: Vec<_> = (0..3).map(|n| world.person(&format!("p{n}"))).collect();
    let mut ids = Vec::new();
    for (name, person) in ["A", "B", "C"].iter().zip(&people) {
        let (team, created) = world.github.create_team(*name, world.olive);
        world.settle(&created);
        world.settle(&world.github.add_member(team, *person));
        ids.push((team, world.sentry.teams()[&name.to_lowercase()].id));
    }
    // GitHub's names are unique too: somebody makes way first.
    let mut sent = world.github.rename_team(ids[0].0, "X");
    for (n, name) in [(1, "A"), (2, "B"), (0, "C")] {
        sent.extend(world.github.rename_team(ids[n].0, name));
    }
    world.send(&sent);
    in_between(&mut world);
    world.wait_for_rest();
    let teams = world.sentry.teams();
    let now: Vec<_> = teams.iter().map(|(slug, team)| (slug.as_str(), team.id)).collect();
    assert_eq!(now, [("a", ids[1].1), ("b", ids[2].1), ("c", ids[0].1)], "{truth:?}");
    world.wait_for_members("c", &["p0"]);
    world.wait_for_members("a", &["p1"]);
}

#[test]
fn names_passed_round_keep_every_team_its_people() {
    BOTH.into_iter().for_each(|truth| pass_names_round(truth, |_| {}));
}

#[test]
fn names_passed_round_survive_crashes_in_between() {
    for truth in BOTH {
        pass_names_round(truth, |world| {
            for n in 0..4 {
                // The next write takes place, and the process dies before it learns so.
                let stall = Fault::Stall(std::time::Duration::from_secs(600));
                let mark = world.sentry.wire.mark();
                world.sentry.wire.script(Rule::new(UPDATE, stall).after().nth(1 + n % 2));
                let seen = |world: &World| {
                    world
                        .sentry
                        .wire
                        .calls_since(mark)
                        .iter()
                        .any(|call| call.method == "PUT" && call.status == 0)
                };
                let until = std::time::Instant::now() + std::time::Duration::from_secs(2);
                while !seen(world) && std::time::Instant::now() < until {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                world.crash_and_restart();
                world.sentry.wire.clear_faults();
            }
        });
    }
}

#[test]
fn a_name_given_up_by_a_deletion_goes_to_the_next_team_in_any_order() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.start();
        let (old, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        let first = world.sentry.teams()["crew"].id;
        let mut sent = world.github.delete_team(old);
        sent.extend(world.github.create_team("Crew", world.olive).1);
        if truth == Truth::Github {
            sent.reverse();
        }
        world.send(&sent);
        world.wait_for_rest();
        assert_ne!(world.sentry.teams()["crew"].id, first, "{truth:?}");
    }
}

#[test]
fn a_creation_whose_answer_was_lost_is_found_and_not_repeated() {
    for truth in BOTH {
        for fault in [Fault::Cut, Fault::Status(502), Fault::Half] {
            let mut world = World::new(truth);
            world.start();
            world.sentry.wire.script(Rule::new(CREATE, fault).after());
            let (_, created) = world.github.create_team("Crew", world.olive);
            assert_eq!(world.settle(&created).0, "done");
            assert_eq!(world.sentry.teams().keys().collect::<Vec<_>>(), ["crew"]);
            assert!(
                world.status()["holds"].as_array().is_some_and(Vec::is_empty),
                "a 409 after our own attempt is ours"
            );
        }
    }
}

#[test]
fn a_crash_between_creation_and_answer_leaves_one_team_and_no_conflict() {
    let mut world = World::new(Truth::Github);
    world.start();
    let stall = Fault::Stall(std::time::Duration::from_secs(600));
    world.sentry.wire.script(Rule::new(CREATE, stall).after());
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("it is made", || world.members("crew").is_some());
    world.crash_and_restart();
    assert_eq!(world.outcome(&created[0]).0, "done");
    assert_eq!(world.members("crew"), Some(vec!["olive@acme.test".into()]));
    assert!(world.status()["holds"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn slugs_that_sentry_would_not_take_become_stable_readable_ones() {
    let mut world = World::new(Truth::Github);
    world.start();
    let long = "a".repeat(60);
    for name in ["2024", long.as_str(), "🦀"] {
        let (_, created) = world.github.create_team(name, world.olive);
        assert_eq!(world.settle(&created).0, "done", "{name}");
    }
    let slugs: Vec<_> = world.sentry.teams().into_keys().collect();
    assert!(slugs.contains(&"2024-655773".into()), "{slugs:?}");
    assert!(slugs.iter().any(|slug| slug.starts_with("aaaa") && slug.len() <= 48), "{slugs:?}");
    assert!(slugs.iter().any(|slug| slug.starts_with("team-")), "{slugs:?}");
}

#[test]
fn a_membership_event_without_a_slug_waits_for_one() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    let crew = world.old_team("Crew");
    world.start();
    let without_slug = |delivery: &crate::standin::Delivery| {
        delivery.clone().with_payload(|payload| {
            payload["team"].as_object_mut().map(|team| team.remove("slug"));
        })
    };
    let bare: Vec<_> = world.github.add_member(crew, ana).iter().map(without_slug).collect();
    world.send(&bare);
    world.wait_until("it waits", || world.service().text().contains("no event has named the slug"));
    assert_eq!(world.sentry.teams().len(), 0);
    let ben = world.person("ben");
    world.settle(&world.github.add_member(crew, ben));
    world.wait_for_members("crew", &["ana", "ben"]);
}

#[test]
fn a_bound_team_that_somebody_renamed_in_sentry_is_found_again_by_its_id() {
    let mut world = World::new(Truth::Github).may_list_teams();
    let ana = world.person("ana");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let id = world.sentry.teams()["crew"].id;
    world.sentry.rename_team(id, "somewhere-else", "Crew");
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_rest();
    let (_, team) = world.sentry.team_of_id(id).expect("the team is still there");
    assert!(team.members.contains(&"ana@acme.test".into()));
    assert_eq!(world.sentry.teams().len(), 1, "no second team was made");
}

#[test]
fn a_team_of_somebody_else_under_the_bound_slug_is_never_written_to() {
    let mut world = World::new(Truth::Github).may_list_teams();
    let ana = world.person("ana");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let ours = world.sentry.teams()["crew"].id;
    world.sentry.rename_team(ours, "moved", "Crew");
    let theirs = world.sentry.add_team("crew", "Somebody else's");
    world.send(&world.github.add_member(crew, ana));
    let in_ours =
        || world.sentry.team_of_id(ours).is_some_and(|(_, t)| t.members.contains(&"ana@acme.test".into()));
    world.wait_until("ana is in our team", in_ours);
    let (slug, team) = world.sentry.team_of_id(theirs).expect("theirs");
    assert_eq!((slug.as_str(), team.name.as_str(), team.members), ("crew", "Somebody else's", vec![]));
}

#[test]
fn what_a_person_has_to_decide_is_not_done_by_the_next_event() {
    for truth in BOTH {
        // Its comparison finds the Sentry team and waits for a person too, whether it is first or the delivery is.
        let mut world = World::new(truth).may_list_teams();
        let eve = world.person("eve");
        let old = world.old_team("Harmless");
        world.sentry.add_team("payments", "Payments");
        world.start();
        assert_eq!(world.settle(&world.github.rename_team(old, "Payments")).0, "held");
        let (status, _) = world.settle(&world.github.add_member(old, eve));
        assert_eq!((status.as_str(), world.members("payments")), ("held", Some(vec![])), "{truth:?}");
    }
}

#[test]
fn a_name_that_has_to_wait_holds_up_nobodys_removal() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let ana = world.person("ana");
        let ben = world.person("ben");
        world.sentry.add_team("payments", "Payments");
        world.start();
        let (team, created) = world.github.create_team("Harmless", world.olive);
        world.settle(&created);
        world.settle(&world.github.add_member(team, ana));
        world.send(&world.github.rename_team(team, "Payments"));
        world.wait_until("it waits", || world.service().text().contains("follows no GitHub team"));
        world.settle(&world.github.remove_member(team, ana));
        world.settle(&world.github.add_member(team, ben));
        world.wait_for_members("harmless", &["ben"]);
    }
}

#[test]
fn a_disputed_slug_that_becomes_free_is_taken() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.set("SYNC_INTERVAL", "1s");
        let stranger = world.sentry.add_team("payments", "Payments");
        world.start();
        let (_, created) = world.github.create_team("Payments", world.olive);
        assert_eq!(world.settle(&created).0, "held");
        world.sentry.rename_team(stranger, "old-payments", "Payments");
        world.wait_until("it is made", || world.members("payments").is_some());
        world.wait_until("the hold is history", || world.status()["holds"] == serde_json::json!([]));
    }
}

#[test]
fn everybody_gets_in_although_the_process_died_right_after_the_team_was_made() {
    let mut world = World::new(Truth::Github);
    let ana = world.person("ana");
    let crew = world.old_team("Crew");
    world.github.join(crew, world.olive);
    world.sentry.add_team("crew", "Crew");
    world.start();
    let stall = Fault::Stall(std::time::Duration::from_secs(600));
    world.sentry.wire.script(Rule::new("GET /teams/{org}/{slug}/members/", stall));
    world.send(&world.github.add_member(crew, ana));
    // A call without a status is not answered yet.
    world.wait_until("its people are about to be read", || {
        world
            .sentry
            .wire
            .calls()
            .iter()
            .any(|call| call.route.ends_with("/{slug}/members/") && call.status == 0)
    });
    world.crash_and_restart();
    world.wait_until("olive is in, whom no event named", || {
        world.members("crew").is_some_and(|members| members.contains(&"olive@acme.test".into()))
    });
    world.wait_for_members("crew", &["ana"]);
}

/// By its old name a team is found that was renamed before anybody looked; not one that was kept out under that name.
#[test]
fn renaming_twice_leads_into_no_existing_team_either() {
    for truth in BOTH {
        for at_once in [false, true] {
            let mut world = World::new(truth);
            let mallory = world.person("mallory");
            let billing = world.sentry.add_team("billing", "Billing");
            world.start();
            // The comparison at the start would mirror it under its first name.
            world.wait_until("it got started", || {
                truth == Truth::Deliveries || !world.status()["last_reconcile"].is_null()
            });
            let old = world.old_team("Knitting");
            world.github.join(old, mallory);
            let mut sent = world.github.rename_team(old, "Billing");
            if !at_once {
                assert_eq!(world.settle(&sent).0, "held");
                sent.clear();
            }
            sent.extend(world.github.rename_team(old, "Crochet"));
            world.send(&sent);
            world.wait_for_rest();
            let (slug, team) = world.sentry.team_of_id(billing).expect("the team is there");
            assert_eq!((slug.as_str(), team.members.len()), ("billing", 0), "{truth:?} {at_once}");
            assert!(world.members("crochet").is_some(), "it gets a team of its own");
        }
    }
}
