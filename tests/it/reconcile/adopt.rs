//! Teams that are there and the same already: bound by what the comparison has read, and counted as what they are.

use super::{people, teams, world};
use crate::standin::{Fault, Rule};
use crate::world::World;

/// So many teams of a day ago, with the same people on both sides.
fn same_on_both_sides(world: &World, n: usize) -> Vec<u64> {
    let all = people(world, 3);
    let names: Vec<_> = (0..n).map(|n| format!("Team {n:03}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let ids = teams(world, &names, &all);
    let members: Vec<_> =
        (0..3).map(|n| world.sentry.member_id(&format!("p{n}@acme.test")).unwrap()).collect();
    for name in names {
        let team = world.sentry.add_team(&name.to_lowercase().replace(' ', "-"), name);
        members.iter().for_each(|member| assert!(world.sentry.join(team, *member)));
    }
    ids
}

/// Calls to both sides by route, of a command without a service.
fn calls(world: &World, args: &[&str]) -> (Vec<String>, String) {
    let (github, sentry) = (world.github.wire.mark(), world.sentry.wire.mark());
    let (code, out, err) = world.alone(args);
    let (expected, talk) = match args.len() {
        1 => (2, ""),
        // The first bonds: where they are kept.
        _ => (0, "which Sentry team belongs to which GitHub team is kept in `"),
    };
    assert!(code == expected && err.starts_with(talk) && err.is_empty() == talk.is_empty(), "{out}{err}");
    let all = world.github.wire.calls_since(github).into_iter().chain(world.sentry.wire.calls_since(sentry));
    let mut all: Vec<_> = all.map(|call| call.route).collect();
    all.sort();
    (all, out)
}

#[test]
fn a_team_that_is_the_same_already_is_bound_without_a_call_beyond_the_comparisons() {
    let world = world();
    same_on_both_sides(&world, 30);
    let (compared, _) = calls(&world, &["sync"]);
    let (carried_out, out) = calls(&world, &["sync", "--apply"]);
    assert_eq!(carried_out, compared);
    let done = "done: 0 changes made in Sentry; 30 teams were bound to existing Sentry teams; ";
    assert!(out.starts_with(done), "{out}");
    assert_eq!(world.alone(&["sync"]).1, "in sync: 30 teams in sync, 0 left out\n");
}

#[test]
fn a_service_that_adopts_says_so_and_has_no_line_for_each_team() {
    let mut world = world();
    world.set("SYNC_FIRST", "apply");
    world.set("RUST_LOG", "info");
    same_on_both_sides(&world, 30);
    world.start();
    world.wait_until("adopted", || {
        let last = &world.status()["last_reconcile"];
        (last["adopted"].as_u64(), last["written"].as_u64()) == (Some(30), Some(0)) && last["open"] == 0
    });
    let log = world.service().text();
    assert!(!log.contains("share of the comparison"), "{log}");
    assert!(log.contains("info reconcile: 30 to adopt; "), "{log}");
    assert!(world
        .command(&["status", "-v"])
        .1
        .contains("30 fixed; 0 changes made in Sentry, 30 teams bound"));
}

/// Approving the first comparison costs another comparison, not calls for each team.
#[test]
fn adoptions_that_are_approved_are_bound_by_the_comparison_that_follows() {
    let mut world = world();
    same_on_both_sides(&world, 20);
    world.start();
    let hold = world.only_hold();
    world.wait_for_rest();
    let sentry = world.sentry.wire.mark();
    assert_eq!(world.command(&["approve", hold["name"].as_str().expect("a name")]).0, 0);
    world.wait_until("adopted", || world.status()["teams"] == 20);
    world.wait_for_rest();
    let asked = |route: &str| {
        let calls = world.sentry.wire.calls_since(sentry);
        calls.iter().filter(|call| call.route == route).count()
    };
    assert_eq!(asked("GET /teams/{org}/{slug}/"), 0);
    assert_eq!(world.writes_since(sentry), [""; 0]);
}

/// What was said of a team since the reading began may be what the reading does not know.
#[test]
fn a_team_that_was_spoken_of_meanwhile_is_read_again_before_it_is_adopted() {
    const TEAM: &str = "GET /teams/{org}/{slug}/";
    let mut world = world();
    world.set("SYNC_FIRST", "apply");
    let ids = same_on_both_sides(&world, 3);
    let slow =
        Rule::new("GET /organizations/{org}/members/", Fault::Stall(std::time::Duration::from_secs(2)));
    world.sentry.wire.script(slow);
    let mark = world.sentry.wire.mark();
    world.start();
    let asked =
        |route: &str| world.sentry.wire.calls_since(mark).iter().filter(|call| call.route == route).count();
    world.wait_until("Sentry's teams are read", || asked("GET /organizations/{org}/teams/") > 0);
    world.send(&world.github.edit_description(ids[0], "of another kind"));
    world.wait_until("adopted", || world.status()["teams"] == 3);
    world.wait_for_rest();
    // By the event, which came first, or by the comparison: it was looked at, and the others were not.
    let looked: Vec<_> =
        world.sentry.wire.calls_since(mark).into_iter().filter(|call| call.route == TEAM).collect();
    assert!(!looked.is_empty() && looked.iter().all(|call| call.path.contains("team-000")), "{looked:?}");
}

#[test]
fn decisions_without_a_service_are_told_once() {
    let mut world = world();
    let all = people(&world, 20);
    let ids = teams(&world, &["Crew", "Search"], &all);
    super::apply(&world);
    for id in &ids {
        all[..8].iter().for_each(|person| world.github.leave(*id, *person));
    }
    world.set("SYNC_MAX_TEAM_REMOVALS", "10%,1");
    assert_eq!(world.alone(&["sync", "--apply"]).0, 2);
    let (code, out, err) = world.alone(&["approve", "--all"]);
    assert_eq!((code, out.lines().count()), (0, 16), "{out}");
    assert_eq!(err, "no service is running: the decision is saved and will be carried out when one starts\n");
}
