//! What random sequences have found, each as the shortest story that shows it.

use std::time::Duration;

use serde_json::json;

use crate::standin::{Call, Fault, GithubToken, GithubUser, Rule};
use crate::world::{Truth, World};

/// How long a call of Sentry's is made to take, so that something else happens first.
const MEANWHILE: Duration = Duration::from_secs(2);

/// Read mode, and nothing to decide at the start.
fn world() -> World {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.set("SYNC_FIRST", "apply");
    world
}

/// Somebody whom a comparison may take out.
fn person(world: &World, login: &str) -> u64 {
    let address = format!("{login}@acme.test");
    world.sentry.add_member(address.as_str());
    world.github.add_person(GithubUser::new(login).verified(&address))
}

/// Starts the service, and waits until it mirrors the old team `crew` with the organisation's owner.
fn with_old_crew(world: &mut World) -> u64 {
    let crew = world.old_team("Crew");
    world.github.join(crew, world.olive);
    world.start();
    world.wait_for_members("crew", &[]);
    world.wait_for_rest();
    crew
}

/// A comparison that takes its time over Sentry's people: what happens after it has read GitHub, and all of Sentry's
/// teams. What `sync --apply` came to.
fn compare_while(world: &World, happens: impl FnOnce()) -> (i32, String, String) {
    let (github, sentry) = (world.github.wire.mark(), world.sentry.wire.mark());
    let slow = Rule::new("GET /organizations/{org}/members/", Fault::Stall(MEANWHILE));
    world.sentry.wire.script(slow);
    std::thread::scope(|scope| {
        let compared = scope.spawn(|| world.command(&["sync", "--apply"]));
        let answered = |calls: Vec<Call>, path: &str| {
            calls.iter().filter(|call| call.path.starts_with(path) && call.status == 200).count()
        };
        world.wait_until("both sides are read but for Sentry's people", || {
            answered(world.github.wire.calls_since(github), "/graphql") >= 3
                && answered(world.sentry.wire.calls_since(sentry), "/api/0/organizations/acme-sentry/teams/")
                    >= 1
        });
        happens();
        compared.join().expect("a comparison")
    })
}

/// Its people are asked for under the slug that it had a moment before: the 404 is no empty team.
#[test]
fn a_team_that_is_renamed_by_hand_while_both_sides_are_read_loses_whoever_left_all_the_same() {
    let mut world = world();
    world.set("SYNC_INTERVAL", "off");
    let ana = person(&world, "ana");
    let crew = with_old_crew(&mut world);
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_members("crew", &["ana"]);
    world.github.leave(crew, ana);
    let sentry = world.sentry.teams()["crew"].id;
    compare_while(&world, || world.sentry.rename_team(sentry, "by-hand", "By hand"));
    world.wait_until("she is out", || {
        let team = world.sentry.team_of_id(sentry).map(|(_, team)| team.members);
        team.is_some_and(|members| !members.contains(&"ana@acme.test".into()))
    });
}

/// The same where nobody but a list could say where it has gone, and there is none.
#[test]
fn a_team_that_vanishes_while_both_sides_are_read_is_looked_at_again() {
    let mut world = world();
    world.set("SYNC_INTERVAL", "off");
    let ana = person(&world, "ana");
    let crew = with_old_crew(&mut world);
    world.settle(&world.github.add_member(crew, ana));
    world.github.leave(crew, ana);
    let route = "GET /teams/{org}/{slug}/members/";
    world.sentry.wire.script(Rule::new(route, Fault::Status(404)));
    let by_id = Rule::new("GET /teams/{org}/{slug}/", Fault::Status(404));
    world.sentry.wire.script(by_id);
    world.sentry.wire.script(Rule::new("GET /organizations/{org}/teams/", Fault::Status(403)).nth(2));
    let (code, out, err) = world.command(&["sync", "--apply"]);
    assert!(code == 2 && err.contains("1 change left for the next comparison"), "{code} {out}{err}");
    world.wait_for_members("crew", &[]);
}

/// A name that a stranger has may never become free; who is in the team is no question of its name.
#[test]
fn a_team_that_waits_for_its_slug_has_its_people_compared_meanwhile() {
    let mut world = world();
    world.set("SYNC_INTERVAL", "1s");
    let ana = person(&world, "ana");
    world.sentry.add_team("foreign", "Foreign");
    let crew = with_old_crew(&mut world);
    world.send(&world.github.rename_team(crew, "Foreign"));
    world.wait_until("it waits", || world.service().text().contains("follows no GitHub team"));
    world.github.join(crew, ana);
    world.wait_for_members("crew", &["ana"]);
}

/// A name that one team had when GitHub was read, and another one has by now, is nothing to wait for.
#[test]
fn a_comparison_that_wants_a_slug_which_another_team_got_meanwhile_ends_and_another_one_follows() {
    let mut world = world();
    let crew = with_old_crew(&mut world);
    world.github.rename_team(crew, "Beta");
    let (code, out, err) = compare_while(&world, || {
        world.github.rename_team(crew, "Gamma");
        let (_, created) = world.github.create_team("Beta", world.olive);
        world.settle(&created);
    });
    assert!(code == 1 && err.contains("slug `beta` still belongs to GitHub team"), "{code} {out}{err}");
    world.wait_until("both have their names", || {
        world.sentry.teams().into_keys().collect::<Vec<_>>() == ["beta", "gamma"]
    });
}

/// A comparison knows nothing of what happened after it had read GitHub.
#[test]
fn whoever_becomes_wanted_while_both_sides_are_read_stays_wanted() {
    let mut world = world();
    let ana = world.github_only("ana");
    let crew = with_old_crew(&mut world);
    let (code, out, err) = compare_while(&world, || {
        let (_, note) = world.settle(&world.github.add_member(crew, ana));
        assert!(note.contains("is wanted"), "{note}");
    });
    assert_eq!((code, &world.status()["wanted"]), (0, &json!(1)), "{out}{err}");
}

/// Nobody can decide about a team that is no more.
#[test]
fn what_was_held_about_a_team_that_github_deleted_unheard_is_history() {
    let mut world = world();
    world.sentry.add_team("night", "Of others");
    with_old_crew(&mut world);
    world.wait_until("the first comparison is over", || !world.status()["last_reconcile"].is_null());
    let (night, created) = world.github.create_team("Night", world.olive);
    world.settle(&created);
    assert!(world.only_hold()["changes"][0].as_str().is_some_and(|change| change.contains("take over")));
    world.github.delete_team(night);
    let (code, out, err) = world.command(&["sync", "--apply"]);
    assert_eq!((code, &world.status()["holds"]), (0, &json!([])), "{out}{err}");
    assert_eq!(world.sentry.teams()["night"].name, "Of others");
}

/// Replicas of GitHub lag behind one another, and an event tells what was true last.
#[test]
fn a_comparison_takes_out_nobody_whom_an_event_has_just_put_in_and_a_second_one_decides() {
    let mut world = world();
    let ana = person(&world, "ana");
    let crew = with_old_crew(&mut world);
    let lag = Duration::from_secs(5);
    world.github.set_uneven_lag(lag, 0.0);
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_members("crew", &["ana"]);
    world.github.set_uneven_lag(lag, 100.0);
    let mark = world.sentry.wire.mark();
    let (code, out, err) = world.command(&["sync", "--apply"]);
    assert_eq!(world.writes_since(mark), [""; 0], "{out}{err}");
    assert!(code == 2 && err.contains("1 change left for the next comparison"), "{code} {out}{err}");
    // That she has left since, nobody tells.
    world.github.leave(crew, ana);
    world.wait_for_members("crew", &[]);
}

/// GitHub's list shows a delivery once it was answered, so that the newest ones may not be in it yet.
#[test]
fn what_arrives_while_missed_deliveries_are_looked_for_is_newer_than_all_of_them() {
    let mut world = World::new(Truth::Deliveries);
    let token = world.github.add_token(GithubToken::no_permission(world.olive).webhooks());
    world.set("GH_TOKEN", &token);
    let (mut world, crew) = world.with_crew();
    for missed in world.github.rename_team(crew, "Beta") {
        world.github.log_delivery(&missed, None);
    }
    world.settle(&world.github.rename_team(crew, "Gamma"));
    world.crash_and_restart();
    world.wait_until("it is told", || {
        world.service().text().contains("recovered 0 missed deliveries, skipped 1")
    });
    world.wait_for_rest();
    assert_eq!(world.sentry.teams().into_keys().collect::<Vec<_>>(), ["gamma"]);
}

/// A 404 says that nothing has the slug, not that the team is gone.
#[test]
fn a_team_that_is_renamed_by_hand_in_the_moment_of_its_deletion_is_deleted_all_the_same() {
    let (world, crew) = world().with_crew();
    let sentry = world.sentry.teams()["crew"].id;
    let route = "DELETE /teams/{org}/{slug}/";
    world.sentry.wire.script(Rule::new(route, Fault::Stall(MEANWHILE)));
    world.send(&world.github.delete_team(crew));
    world.wait_until("it is about to be deleted", || world.sentry.wire.counts().contains_key(route));
    world.sentry.rename_team(sentry, "by-hand", "By hand");
    world.wait_until("it is gone", || world.sentry.team_of_id(sentry).is_none());
}

/// Whoever is put in because GitHub shows them there, not because an event says so, was in the team all the same.
#[test]
fn somebody_whom_only_a_look_has_put_in_is_taken_out_when_they_left_unheard() {
    let story = |told_by_their_joining: bool| {
        let mut world = world();
        world.set("SYNC_INTERVAL", "1s");
        let ana = person(&world, "ana");
        // So many that one person less is no sign of a short reading.
        let many = world.old_team("Many");
        for n in 0..20 {
            world.github.join(many, world.github.add_person(GithubUser::new(&format!("other{n}"))));
        }
        let crew = with_old_crew(&mut world);
        let (team, told) = if told_by_their_joining {
            (crew, world.github.add_to_org(ana))
        } else {
            world.github.create_team("Night", world.olive)
        };
        world.github.join(team, ana);
        world.send(&told);
        let slug = if told_by_their_joining { "crew" } else { "night" };
        world.wait_for_members(slug, &["ana"]);
        world.github.leave(team, ana);
        world.wait_for_members(slug, &[]);
    };
    std::thread::scope(|scope| {
        for told_by_their_joining in [true, false] {
            scope.spawn(move || story(told_by_their_joining));
        }
    });
}

/// Found by its id under another slug, and no longer there a moment later: it has moved again.
#[test]
fn a_deleted_team_that_somebody_renames_twice_is_looked_for_until_it_is_found() {
    let (world, crew) = world().with_crew();
    world.wait_for_rest();
    let sentry = world.sentry.teams()["crew"].id;
    world.sentry.rename_team(sentry, "by-hand", "By hand");
    let (route, mark) = ("GET /teams/{org}/{slug}/", world.sentry.wire.mark());
    world.sentry.wire.script(Rule::new(route, Fault::Stall(MEANWHILE)).nth(2));
    world.send(&world.github.delete_team(crew));
    world.wait_until("it was followed", || {
        world.sentry.wire.calls_since(mark).iter().any(|call| call.path.contains("/by-hand/"))
    });
    world.sentry.rename_team(sentry, "by-hand-again", "By hand");
    world.wait_until("it is gone", || world.sentry.team_of_id(sentry).is_none());
}

/// GitHub tells no more addresses of whoever has left: only the match says who they are in Sentry.
#[test]
fn whoever_was_put_in_just_before_the_process_died_and_then_left_the_organisation_is_taken_out() {
    let mut world = world();
    let ana = person(&world, "ana");
    let crew = with_old_crew(&mut world);
    let route = "POST /organizations/{org}/members/{id}/teams/{slug}/";
    world.sentry.wire.script(Rule::new(route, Fault::Stall(MEANWHILE * 100)).after());
    world.send(&world.github.add_member(crew, ana));
    world.wait_for_members("crew", &["ana"]);
    world.take_service().kill();
    world.sentry.wire.clear_faults();
    world.github.remove_from_org(ana);
    world.start();
    world.wait_for_members("crew", &[]);
}

/// How a call goes that makes a team while the process dies.
#[derive(Clone, Copy, PartialEq)]
enum Making {
    /// Sentry has made the team, and nobody has heard of it.
    Done,
    /// It never got there.
    Lost,
}

/// The service dies between the call that makes a team and its record, and GitHub deletes the team unheard. Whether the
/// GitHub token may see that it is deleted, and not only hidden.
fn dies_while_it_makes_a_team(making: Making, sees_all: bool) -> World {
    let mut world = world();
    world.set("SYNC_INTERVAL", "off");
    if !sees_all {
        let viewer = world.github.add_person(GithubUser::new("viewer"));
        let token = world.github.add_token(GithubToken::members_read(viewer));
        world.set("GH_TOKEN", &token);
    }
    with_old_crew(&mut world);
    let cut = Rule::new(MAKES, Fault::Cut);
    world.sentry.wire.script(if making == Making::Done { cut.after() } else { cut.always() });
    // Whether Sentry has made it is not to be found out before the end.
    world.sentry.wire.script(Rule::new(LOOKS, Fault::Status(500)).nth(2).always());
    let (night, created) = world.github.create_team("Night", world.olive);
    let mark = world.sentry.wire.mark();
    world.send(&created);
    world.wait_until("the call is made", || match making {
        Making::Done => world.members("night").is_some(),
        Making::Lost => world.sentry.wire.calls_since(mark).iter().any(|call| call.route == MAKES),
    });
    world.take_service().kill();
    world.sentry.wire.clear_faults();
    assert_eq!(world.members("night").is_some(), making == Making::Done);
    world.github.delete_team(night);
    world
}

const MAKES: &str = "POST /organizations/{org}/teams/";
const LOOKS: &str = "GET /teams/{org}/{slug}/";

/// What was made for nobody goes, whoever is first at the next start: the look at what is open, or the comparison.
#[test]
fn a_team_that_was_made_as_the_process_died_and_that_github_deleted_unheard_is_deleted() {
    for comparison_first in [true, false] {
        let mut world = dies_while_it_makes_a_team(Making::Done, true);
        let (later, times) =
            if comparison_first { (LOOKS, 2) } else { ("GET /organizations/{org}/teams/", 1) };
        world.sentry.wire.script(Rule::new(later, Fault::Status(500)).times(times));
        world.start();
        world.wait_until("it is deleted", || world.members("night").is_none());
        let (_, created) = world.github.create_team("Night", world.olive);
        world.send(&created);
        world.wait_for_members("night", &[]);
        assert_eq!(world.status()["holds"], json!([]));
    }
}

#[test]
fn a_team_that_was_not_yet_made_as_the_process_died_and_that_github_deleted_unheard_is_never_made() {
    let mut world = dies_while_it_makes_a_team(Making::Lost, true);
    let mark = world.sentry.wire.mark();
    world.start();
    world.wait_until("the first comparison is over", || !world.status()["last_reconcile"].is_null());
    // Its slug is another team's.
    let (_, created) = world.github.create_team("Night", world.olive);
    world.send(&created);
    world
        .wait_until("that one is made", || world.members("night").is_some_and(|members| !members.is_empty()));
    assert_eq!(world.writes_since(mark).iter().filter(|call| call.starts_with(MAKES)).count(), 1);
}

/// Nobody can tell whether it is deleted or only hidden, and the name is another team's by now.
#[test]
fn a_team_that_was_not_yet_made_and_is_no_longer_to_be_seen_gives_up_its_slug() {
    let mut world = dies_while_it_makes_a_team(Making::Lost, false);
    let mark = world.sentry.wire.mark();
    world.start();
    let (_, created) = world.github.create_team("Night", world.olive);
    world.send(&created);
    // It is looked at again after 2, 15 and 60 seconds.
    world.wait_within(Duration::from_secs(110), "another one has the slug", || {
        world.members("night").is_some_and(|members| !members.is_empty())
    });
    assert_eq!(world.writes_since(mark).iter().filter(|call| call.starts_with(MAKES)).count(), 1);
}
