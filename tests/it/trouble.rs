//! Sentry and GitHub misbehaving: refused tokens, locks, outages, limits, lag; and what an event may cost.

use std::time::Duration;

use crate::standin::{
    asking_permissions, mirror_permissions, Denial, Fault, GithubToken, GraphqlFault, RateLimit, Reach, Rule,
};
use crate::world::{Truth, World, BOTH};

const ADD: &str = "POST /organizations/{org}/members/{id}/teams/{slug}/";
const REMOVE: &str = "DELETE /organizations/{org}/members/{id}/teams/{slug}/";

/// A running world with a mirrored team `crew`, and somebody known who is not in it.
fn with_crew_and_ana(world: World) -> (World, u64, u64) {
    let ana = world.person("ana");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.settle(&world.github.remove_member(crew, ana));
    world.wait_for_members("crew", &[]);
    (world, crew, ana)
}

#[test]
fn fault_all_members_listed_per_event_one_event_costs_one_call_to_each_side() {
    for truth in BOTH {
        let (world, crew, ana) = with_crew_and_ana(World::new(truth));
        let github = match truth {
            Truth::Deliveries => 0,
            Truth::Github => 1,
        };
        for event in [world.github.add_member(crew, ana), world.github.remove_member(crew, ana)] {
            // What GitHub shows and what the event says are the same: the truth is set back for the first one.
            let is_added = event[0].action.as_deref() == Some("added");
            if is_added {
                world.github.join(crew, ana);
            } else {
                world.github.leave(crew, ana);
            }
            let (there, here) = (world.github.wire.mark(), world.sentry.wire.mark());
            world.settle(&event);
            assert_eq!(world.github.wire.calls_since(there).len(), github, "{truth:?}");
            assert_eq!(world.sentry.wire.calls_since(here).len(), 1, "{truth:?}");
        }
    }
}

#[test]
fn fault_202_taken_for_done_a_mere_access_request_is_a_failure_that_is_listed() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.sentry.set_open_membership(false);
        let token = world.sentry.add_token(asking_permissions());
        let ana = world.person("ana");
        let crew = world.old_team("Crew");
        world.sentry.add_team("crew", "Crew");
        world.set("SENTRY_TOKEN", &token);
        world.start();
        let added = world.github.add_member(crew, ana);
        let (status, why) = world.settle(&added);
        assert_eq!(status, "failed");
        assert!(why.contains("Sentry only filed an access request; give SENTRY_TOKEN Team: Admin"), "{why}");
        assert_eq!(world.members("crew"), Some(vec![]));
        // With the permission given, a replay does it.
        world.sentry.set_scopes(&token, &["team:read", "team:write", "team:admin", "member:read"]);
        let (code, out, err) = world.command(&["replay", "--failed"]);
        assert_eq!((code, out.contains(&added[0].guid)), (0, true), "{out}{err}");
        world.wait_for_members("crew", &["ana"]);
    }
}

#[test]
fn fault_200_on_failure_a_team_that_the_identity_provider_manages_fails_by_name() {
    for truth in BOTH {
        let (world, crew, ana) = with_crew_and_ana(World::new(truth));
        world.sentry.set_idp_provisioned(world.sentry.teams()["crew"].id, true);
        let mark = world.sentry.wire.mark();
        let (status, why) = world.settle(&world.github.add_member(crew, ana));
        assert_eq!(status, "failed");
        assert!(why.contains("managed by your identity provider"), "{why}");
        assert_eq!(world.writes_since(mark), [format!("{ADD} 403")], "not tried again");
        let (code, out, _) = world.command(&["status", "-v"]);
        assert_eq!((code, out.contains("managed by your identity provider")), (0, true), "{out}");
    }
}

#[test]
fn fault_immediate_loss_on_outage_everything_arrives_when_sentry_is_back() {
    for truth in BOTH {
        for reach in [Reach::Refused, Reach::Unavailable] {
            let (world, crew, ana) = with_crew_and_ana(World::new(truth));
            world.sentry.set_reach(reach).expect("down");
            let mut sent = world.github.add_member(crew, ana);
            for n in 0..20 {
                let who = world.github.add_person(
                    crate::standin::GithubUser::new(&format!("p{n}")).email(&format!("p{n}@acme.test")),
                );
                world.sentry.add_member(format!("p{n}@acme.test").as_str());
                sent.extend(world.github.add_member(crew, who));
            }
            let (team, created) = world.github.create_team("Second", world.olive);
            sent.extend(created);
            sent.extend(world.github.rename_team(team, "Third"));
            world.send(&sent);
            world.wait_until("it is told", || world.status()["sentry"]["health"] == "down");
            let calls = world.sentry.wire.n_calls();
            std::thread::sleep(Duration::from_millis(1500));
            assert!(world.sentry.wire.n_calls() - calls < 10, "a host that is down is left alone");
            world.sentry.set_reach(Reach::Up).expect("up");
            world.wait_for_rest();
            assert!(
                world.differences().iter().all(|line| line.contains("olive") && truth == Truth::Deliveries),
                "{:?}",
                world.differences()
            );
        }
    }
}

#[test]
fn a_start_while_github_is_down_warns_once_for_each_thing_that_goes_wrong() {
    let mut world = World::new(Truth::Github);
    world.set("GH_ORG", "acme");
    world.github.set_reach(Reach::Unavailable).expect("down");
    world.start();
    let tries = |world: &World, level: &str| -> Vec<String> {
        let start = format!("{level} start: not everything is known yet");
        let text = world.service().text();
        text.lines().filter(|line| line.starts_with(&start)).map(String::from).collect()
    };
    // The others are for whoever looks closer.
    world.wait_until("several tries", || !tries(&world, "debug").is_empty());
    let mut warnings = tries(&world, "warn");
    let n_warnings = warnings.len();
    warnings.sort();
    warnings.dedup();
    assert!(n_warnings > 0 && warnings.len() == n_warnings, "{}", world.service().text());
    world.github.set_reach(Reach::Up).expect("up");
    world.wait_until("it got started", || !world.status()["last_reconcile"].is_null());
}

/// The write takes place, in payload mode, or not, in read mode, and its answer is of no use: either way the end is right,
/// and nothing is told as done that is not. The simulation mixes them.
#[test]
fn answers_that_are_cut_or_nonsense_lose_nothing_and_pretend_nothing() {
    for truth in BOTH {
        let (world, crew, ana) = with_crew_and_ana(World::new(truth));
        for fault in Fault::useless() {
            let rule = |route: &str| {
                let rule = Rule::new(route, fault.clone());
                if truth == Truth::Deliveries {
                    rule.after()
                } else {
                    rule
                }
            };
            world.sentry.wire.script(rule(ADD));
            world.sentry.wire.script(rule(REMOVE));
            world.settle(&world.github.add_member(crew, ana));
            world.wait_for_members("crew", &["ana"]);
            world.settle(&world.github.remove_member(crew, ana));
            world.wait_for_members("crew", &[]);
            assert_eq!(world.status()["failed"], 0, "{fault:?}");
            world.sentry.wire.clear_faults();
        }
    }
}

#[test]
fn a_redirect_is_never_followed_with_the_token() {
    for truth in BOTH {
        let (world, crew, ana) = with_crew_and_ana(World::new(truth));
        let elsewhere = crate::standin::SentryStandin::start("acme-sentry").expect("the stand-in starts");
        let to = format!("{}/api/0/elsewhere/", elsewhere.url());
        world.sentry.wire.script(Rule::new(ADD, Fault::Redirect(to.clone())).always());
        world.send(&world.github.add_member(crew, ana));
        world.wait_until("it is told", || world.get_admin("/readyz").1.contains("a redirect to"));
        assert_eq!(elsewhere.wire.n_calls(), 0);
    }
}

#[test]
fn sentrys_announced_rate_is_kept_without_a_single_429_by_all_workers_together() {
    let (world, crew, _) = with_crew_and_ana(World::new(Truth::Deliveries));
    // From the first call on: what was called in the same second counts too.
    world.sentry.set_rate_limit(Some(RateLimit::per_second(6)));
    let mut teams = vec![crew];
    for name in ["Deck", "Mirror", "Galley"] {
        let (team, created) = world.github.create_team(name, world.olive);
        world.settle(&created);
        teams.push(team);
    }
    let people: Vec<_> = (0..5).map(|n| world.person(&format!("p{n}"))).collect();
    for (team, person) in teams.iter().zip(&people) {
        world.settle(&world.github.add_member(*team, *person));
    }
    let mark = world.sentry.wire.mark();
    for team in &teams {
        for person in &people {
            world.send(&world.github.add_member(*team, *person));
        }
    }
    world.wait_for_rest();
    world.sentry.set_rate_limit(None);
    assert!(teams
        .iter()
        .all(|team| world.members(&slug_of(&world, *team)).is_some_and(|all| all.len() == 5)));
    let calls = world.sentry.wire.calls_since(mark);
    assert_eq!(calls.iter().filter(|call| call.status == 429).count(), 0, "the limit was announced");
}

fn slug_of(world: &World, team: u64) -> String {
    world.github.teams().get(&team).map(|team| team.slug.clone()).expect("the team")
}

/// It was answered: what is told is the answer, and nothing is found again that was never lost.
#[test]
fn a_rename_that_sentry_answers_with_500_is_told_as_that() {
    let (world, crew, _) = with_crew_and_ana(World::new(Truth::Deliveries));
    world.sentry.wire.script(Rule::new("PUT *", Fault::Status(500)).times(2));
    let (_, note) = world.settle(&world.github.rename_team(crew, "Deck"));
    assert!(world.sentry.teams().contains_key("deck"), "{note}");
    let (_, audit, _) = world.command(&["audit", "-v"]);
    let renames: Vec<_> = audit.lines().filter(|line| line.contains("rename team")).collect();
    assert_eq!(renames.len(), 3, "{audit}");
    assert!(renames[..2].iter().all(|line| line.contains("-> 500 \"Internal Error\"")), "{audit}");
    assert!(!audit.contains("lost") && !audit.contains("follow team"), "{audit}");
    // Done all the same: that is another thing.
    world.sentry.wire.script(Rule::new("PUT *", Fault::Status(500)).after());
    world.settle(&world.github.rename_team(crew, "Crew"));
    let (_, audit, _) = world.command(&["audit", "-v"]);
    assert!(audit.contains("a rename whose outcome was not known has taken place"), "{audit}");
}

#[test]
fn a_sentry_token_that_is_refused_for_a_cause_names_it() {
    let (world, crew, ana) = with_crew_and_ana(World::new(Truth::Deliveries));
    let body = r#"{"detail":{"code":"2fa-required","message":"Organization requires two-factor authentication to be enabled","extra":{}}}"#;
    let refusal = Fault::Gateway { status: 401, content_type: "application/json", body };
    world.sentry.wire.script(Rule::new("*", refusal).always());
    world.send(&world.github.add_member(crew, ana));
    world.wait_until("not ready", || world.get_admin("/readyz").0 == 503);
    let (_, told) = world.get_admin("/readyz");
    assert!(told.contains("2fa-required") && told.contains("requires two-factor authentication"), "{told}");
    assert!(!told.contains(" rejected "), "{told}");
    let (_, text, _) = world.command(&["check", "-v"]);
    assert!(
        text.contains("Sentry rejected SENTRY_TOKEN: `2fa-required`") && !text.contains("revoked"),
        "{text}"
    );
}

#[test]
fn a_revoked_sentry_token_pauses_the_work_and_a_good_one_goes_on() {
    for truth in BOTH {
        let (mut world, crew, ana) = with_crew_and_ana(World::new(truth));
        let token = world.sentry_token.clone();
        world.sentry.revoke(&token);
        world.send(&world.github.add_member(crew, ana));
        world.wait_until("not ready", || world.get_admin("/readyz").0 == 503);
        let (_, body) = world.get_admin("/readyz");
        assert!(body.contains("Sentry rejected SENTRY_TOKEN"), "{body}");
        assert!(!body.contains(&token));
        let calls = world.sentry.wire.n_calls();
        world.send(&world.github.remove_member(crew, ana));
        world.send(&world.github.add_member(crew, ana));
        std::thread::sleep(Duration::from_millis(1500));
        assert!(world.sentry.wire.n_calls() - calls <= 1, "a refused token is left alone");
        assert_eq!(world.status()["failed"], 0);
        let good = world.sentry.add_token(mirror_permissions());
        world.set("SENTRY_TOKEN", &good);
        world.take_service().stop("-TERM");
        world.start();
        world.wait_for_members("crew", &["ana"]);
    }
}

#[test]
fn a_missing_sentry_scope_is_named_and_nothing_is_lost() {
    for truth in BOTH {
        let (world, crew, ana) = with_crew_and_ana(World::new(truth));
        world.sentry.set_scopes(&world.sentry_token, &["team:read", "team:admin", "member:read"]);
        world.send(&world.github.add_member(crew, ana));
        world.wait_until("not ready", || world.get_admin("/readyz").0 == 503);
        let (_, body) = world.get_admin("/readyz");
        assert!(body.contains("SENTRY_TOKEN lacks team:write"), "{body}");
        assert_eq!(world.status()["failed"], 0);
        assert!(world.status()["queued"].as_u64() > Some(0));
    }
}

#[test]
fn a_sentry_token_of_another_organisation_is_named_before_and_after_a_delivery() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let ana = world.person("ana");
        let crew = world.old_team("Crew");
        let elsewhere = world.sentry.add_org("elsewhere").add_token(mirror_permissions());
        world.set("SENTRY_TOKEN", &elsewhere);
        world.start();
        let is_told = |world: &World| {
            let (code, body) = world.get_admin("/readyz");
            code == 503 && body.contains("correct the token or SENTRY_ORG_SLUG")
        };
        world.wait_until("told without a delivery", || is_told(&world));
        world.send(&world.github.add_member(crew, ana));
        std::thread::sleep(Duration::from_millis(500));
        assert!(is_told(&world), "{:?}", world.get_admin("/readyz"));
        assert_eq!(world.status()["failed"], 0);
    }
}

#[test]
fn a_github_token_that_loses_its_permission_pauses_and_never_changes_the_mode() {
    let lost = "GH_TOKEN has lost its permission";
    let untold =
        "what GH_TOKEN may do is not known yet, deliveries are kept: GET /orgs/acme/teams?per_page=1: 404";
    for (denial, told) in [(Denial::Forbidden, lost), (Denial::NotFound, untold)] {
        let (mut world, crew, ana) = with_crew_and_ana(World::new(Truth::Github));
        world.github.set_token(&world.github_token, GithubToken::no_permission(world.olive).denial(denial));
        let mark = world.sentry.wire.mark();
        // Whatever the delivery says: the truth can not be read, so nothing is done.
        world.send(&world.github.add_member(crew, ana));
        world.wait_within(Duration::from_secs(110), "not ready", || world.get_admin("/readyz").0 == 503);
        assert!(world.get_admin("/readyz").1.contains(told), "{:?}", world.get_admin("/readyz"));
        assert_eq!((world.status()["mode"].as_str(), world.writes_since(mark).len()), (Some("read"), 0));
        // Not after a restart with the same token either.
        world.crash_and_restart();
        world.wait_until("not ready", || world.get_admin("/readyz").1.contains(told));
        assert_eq!((world.status()["mode"].as_str(), world.writes_since(mark).len()), (Some("read"), 0));
        world.github.set_token(&world.github_token, GithubToken::members_read(world.olive));
        world.crash_and_restart();
        world.wait_for_members("crew", &["ana"]);
    }
}

#[test]
fn replicas_that_lag_lose_no_addition_and_no_removal() {
    let (world, crew, ana) = with_crew_and_ana(World::new(Truth::Github));
    world.github.set_lag(Duration::from_secs(4));
    let (new, created) = world.github.create_team("New", world.olive);
    world.send(&created);
    world.send(&world.github.add_member(crew, ana));
    world.send(&world.github.add_member(new, ana));
    world.wait_for_members("crew", &["ana"]);
    world.wait_for_members("new", &["ana"]);
    world.send(&world.github.remove_member(crew, ana));
    world.wait_for_members("crew", &[]);
    world.wait_for_members("new", &["ana"]);
}

#[test]
fn an_event_that_github_contradicts_for_good_ends_as_github_says() {
    let (world, crew, ana) = with_crew_and_ana(World::new(Truth::Github));
    // Added and removed again; only the news of the addition arrived, and Sentry has her in it.
    let added = world.github.add_member(crew, ana);
    world.github.leave(crew, ana);
    let team = world.sentry.teams()["crew"].id;
    world.sentry.join(team, world.sentry.member_id("ana@acme.test").expect("ana"));
    world.send(&added);
    world.wait_for_members("crew", &[]);
    world.wait_for_rest();
}

#[test]
fn members_of_child_teams_are_no_members_of_the_parent() {
    let (world, crew, ana) = with_crew_and_ana(World::new(Truth::Github));
    let (child, created) =
        world.github.create_team(crate::standin::GithubTeam::new("Child").parent(crew), world.olive);
    world.settle(&created);
    world.settle(&world.github.add_member(child, ana));
    world.wait_for_members("child", &["ana"]);
    // A removal from the parent that REST would deny, because the person is in the child.
    let team = world.sentry.teams()["crew"].id;
    world.sentry.join(team, world.sentry.member_id("ana@acme.test").expect("ana"));
    world.settle(&world.github.remove_member(crew, ana));
    world.wait_for_members("crew", &[]);
    world.wait_for_members("child", &["ana"]);
}

/// REST shows who is in the parent only through the child.
#[test]
fn events_of_a_parent_team_are_carried_out_where_graphql_is_refused() {
    let mut world = World::new(Truth::Github);
    let token = world.github.add_token(GithubToken::members_read(world.olive).without_graphql());
    world.set("GH_TOKEN", &token);
    let (ana, ben) = (world.github_only("ana"), world.github_only("ben"));
    world.sentry.add_member("ana@acme.test");
    world.sentry.add_member("ben@acme.test");
    let (world, crew) = world.with_crew();
    let (child, created) =
        world.github.create_team(crate::standin::GithubTeam::new("Child").parent(crew), world.olive);
    world.settle(&created);
    world.settle(&world.github.add_member(child, ben));
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_members("crew", &["ana"]);
    world.settle(&world.github.remove_member(crew, ana));
    world.wait_for_members("crew", &[]);
    world.wait_for_members("child", &["ben"]);
}

#[test]
fn an_answer_with_graphql_errors_is_never_taken_for_data() {
    for fault in [GraphqlFault::RateLimited, GraphqlFault::ResourceLimits { entries: 0 }] {
        let (world, crew, ana) = with_crew_and_ana(World::new(Truth::Github));
        let (_, created) =
            world.github.create_team(crate::standin::GithubTeam::new("Child").parent(crew), world.olive);
        world.settle(&created);
        let ben = world.person("ben");
        world.settle(&world.github.add_member(crew, ben));
        world.wait_for_members("crew", &["ben"]);
        world.github.wire.script(Rule::new("POST /graphql", Fault::Graphql(fault.clone())));
        world.send(&world.github.add_member(crew, ana));
        if fault != GraphqlFault::RateLimited {
            world.wait_for_members("crew", &["ana", "ben"]);
            continue;
        }
        // A limit of an hour: nothing is done, nobody is taken out, and the delivery waits.
        std::thread::sleep(Duration::from_millis(500));
        world.wait_for_members("crew", &["ben"]);
        assert_eq!(
            (world.status()["queued"].as_u64(), world.status()["failed"].as_u64()),
            (Some(1), Some(0))
        );
    }
}

#[test]
fn the_organisations_rename_is_followed_and_its_deletion_stops_all_writes() {
    for truth in BOTH {
        let (world, crew, ana) = with_crew_and_ana(World::new(truth));
        world.settle(&world.github.rename_org("acme-inc"));
        world.settle(&world.github.add_member(crew, ana));
        world.wait_for_members("crew", &["ana"]);
        assert_eq!(world.status()["github_org"], "acme-inc");
        world.send(&world.github.delete_org());
        world.wait_until("not ready", || {
            world.get_admin("/readyz").1.contains("was deleted: writes have stopped")
        });
        assert!(world.members("crew").is_some(), "nothing is deleted on the other side");
    }
}

#[test]
fn an_organisation_renamed_while_nobody_listened_is_followed_by_its_id() {
    let (mut world, crew, ana) = with_crew_and_ana(World::new(Truth::Github));
    world.take_service().stop("-TERM");
    // The event is lost.
    world.github.rename_org("acme-inc");
    world.start();
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_members("crew", &["ana"]);
    assert_eq!(world.status()["github_org"], "acme-inc");
    assert_eq!(world.get_admin("/readyz").0, 200);
}
