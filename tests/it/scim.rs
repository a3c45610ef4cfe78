//! Comparisons that read who is in Sentry's teams by SCIM: what they cost, that they say the same as others, and that
//! nothing but all of it counts.

use std::time::Duration;

use serde_json::{json, Value};

use crate::standin::client::ask;
use crate::standin::sentry::InviteStatus;
use crate::standin::{
    mirror_permissions, original_permissions, Era, Fault, GithubUser, NewMember, Rule, ERAS,
};
use crate::world::{number, Truth, World};

const GROUPS: &str = "GET /organizations/{org}/scim/v2/Groups";
const TEAM_MEMBERS: &str = "GET /teams/{org}/{slug}/members/";

/// A world in read mode with SCIM, people `p0`, `p1`, … on both sides.
fn world(era: Era, n_people: usize) -> (World, Vec<(u64, u64)>) {
    let world = World::in_era(Truth::Github, era).may_list_teams();
    world.sentry.set_scim(true);
    let one = |n: usize| {
        let address = format!("p{n}@acme.test");
        let member = world.sentry.add_member(NewMember::new(&address));
        (world.github.add_person(GithubUser::new(&format!("p{n}")).verified(&address)), member)
    };
    let people = (0..n_people).map(one).collect();
    (world, people)
}

/// Teams of a day ago that are the same on both sides: each of `each` of these people.
fn teams(world: &World, people: &[(u64, u64)], n_teams: usize, each: usize) {
    for n in 0..n_teams {
        let name = format!("team-{n:05}");
        let (team, there) = (world.old_team(&name), world.sentry.add_team(&name, &name));
        for k in 0..each {
            let (user, member) = people[(n * 7 + k * people.len().div_ceil(each)) % people.len()];
            world.github.join(team, user);
            world.sentry.join(there, member);
        }
    }
}

/// Carries out what the comparison finds.
#[track_caller]
fn apply(world: &World) {
    let (code, out, err) = world.alone(&["sync", "--apply"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// A comparison: exit code, plan, and how often it asked for groups and for one team's members.
fn compare(world: &World) -> (i32, String, usize, usize) {
    world.sentry.wire.reset_counts();
    world.github.wire.reset_counts();
    let (code, out, err) = world.alone(&["sync"]);
    assert_eq!(err, "", "{out}");
    (code, out, asked(world, GROUPS), asked(world, TEAM_MEMBERS))
}

fn asked(world: &World, route: &str) -> usize {
    world.sentry.wire.counts().get(route).copied().unwrap_or_default()
}

#[test]
fn a_hundred_teams_in_sync_cost_ten_calls_of_each_side() {
    for era in ERAS {
        // 500 with the owner.
        let (world, people) = world(era, 499);
        teams(&world, &people, 100, 20);
        apply(&world);
        let (code, out, ..) = compare(&world);
        assert_eq!((code, out.as_str()), (0, "in sync: 100 teams in sync, 0 left out\n"));
        let (github, sentry) = (world.github.wire.counts(), world.sentry.wire.counts());
        assert!(world.sentry.wire.n_calls() <= 10, "{era:?}: {sentry:?}");
        assert!(world.github.wire.n_calls() <= 10, "{era:?}: {github:?}");
    }
}

/// `SYNC_TEST_SCALE=50` counts the calls for 10,000 teams of 50 of 50,000 people: at most 704 and 703.
#[test]
fn large_organisations_cost_pages_and_not_teams() {
    let scale = usize::try_from(number("SYNC_TEST_SCALE", 1)).expect("a small number");
    let (n_teams, n_people) = (200 * scale, 1_000 * scale);
    for era in ERAS {
        let (world, people) = world(era, n_people - 1);
        world.github.wire.keep_calls(false);
        world.sentry.wire.keep_calls(false);
        teams(&world, &people, n_teams, scale);
        apply(&world);
        let (code, out, ..) = compare(&world);
        assert_eq!((code, out), (0, format!("in sync: {n_teams} teams in sync, 0 left out\n")));
        let (github, sentry) = (world.github.wire.counts(), world.sentry.wire.counts());
        let most = n_teams / 50 + n_people / 100 + 4;
        assert!(world.github.wire.n_calls() <= most, "{era:?}: {github:?}");
        let most = 2 * n_teams / 100 + n_people / 100 + 3;
        assert!(world.sentry.wire.n_calls() <= most, "{era:?}: {sentry:?}");
    }
}

#[test]
fn a_mixed_organisation_has_the_same_plan_by_scim_and_team_by_team() {
    for era in ERAS {
        for may_list in [true, false] {
            let (mut world, people) = world(era, 40);
            mixed(&mut world, &people);
            if !may_list {
                let token = world.sentry.add_token(original_permissions());
                world.set("SENTRY_TOKEN", &token);
            }
            let by_scim = compare(&world);
            assert_eq!((by_scim.0, by_scim.2), (2, 1), "{era:?}: {}", by_scim.1);
            assert!(by_scim.3 <= 1, "{era:?}: {} teams were read by themselves", by_scim.3);
            world.sentry.set_scim(false);
            let other = compare(&world);
            assert_eq!((other.0, other.2), (2, 1), "{era:?}");
            assert!(other.3 > 5, "{era:?}: {} teams were read by themselves", other.3);
            assert_eq!(by_scim.1, other.1, "{era:?}, may list teams: {may_list}");
            assert!(by_scim.1.contains(" - p3 ") && by_scim.1.contains(" + p4 "), "{}", by_scim.1);
        }
    }
}

/// Teams in sync and not, empty, foreign, renamed, pending, gone; people invited, deactivated, asking, unknown, who left.
fn mixed(world: &mut World, people: &[(u64, u64)]) {
    world.set("SYNC_REMOVE_MEMBERS", "all");
    teams(world, people, 12, 10);
    world.sentry.add_team("empty", "Empty");
    world.old_team("empty");
    apply(world);
    let there = |slug: &str| world.sentry.teams()[slug].id;
    let [first, second, third] = ["team-00001", "team-00002", "team-00003"].map(there);
    for other in [
        NewMember::new("asked@acme.test").pending(),
        NewMember::new("late@acme.test").expired(),
        NewMember::new("off@acme.test").deactivated(),
        NewMember::new("wants@acme.test").request(InviteStatus::RequestedToJoin),
        NewMember::new("stranger@acme.test"),
    ] {
        let member = world.sentry.add_member(other);
        [first, second].iter().for_each(|team| assert!(world.sentry.join(*team, member)));
    }
    let github = |slug: &str| world.github.team_id(slug).expect("a team");
    let crew = github("team-00003");
    world.github.leave(crew, people[21].0);
    world.github.leave(crew, people[25].0);
    world.github.join(github("team-00004"), people[3].0);
    world.sentry.join(third, people[3].1);
    world.github.join(crew, people[4].0);
    let foreign = world.sentry.add_team("foreign", "Foreign");
    world.sentry.join(foreign, people[0].1);
    let (new, old) = (world.old_team("late comer"), world.sentry.add_team("late-comer", "Late comer"));
    world.sentry.join(old, people[1].1);
    world.github.join(new, people[2].0);
    let ghost = world.github.add_person(GithubUser::new("ghost"));
    world.github.join(new, ghost);
    // One that is being deleted is on no page and under no slug.
    let bearer = format!("Bearer {}", world.sentry_token);
    let url = format!("{}/api/0/teams/acme-sentry/team-00007/", world.sentry.url());
    let answer = ask(&url, "DELETE", &[("Authorization", &bearer)], b"").expect("an answer");
    assert_eq!(answer.status, 204);
}

/// Each answer in place of the page of that number, and what the log says of it.
fn odd_pages() -> Vec<(usize, Fault, &'static str)> {
    let json = |body: Value| {
        let body = Box::leak(body.to_string().into_boxed_str());
        Fault::Gateway { status: 200, content_type: "application/json", body }
    };
    let page = |total: usize, start: usize, ids: std::ops::Range<u64>| {
        let groups: Vec<_> = ids.map(|id| json!({ "id": id.to_string(), "members": [] })).collect();
        json!({ "totalResults": total, "startIndex": start, "itemsPerPage": groups.len(), "Resources": groups })
    };
    let with = |mut page: Value, key: &str, value: Value| {
        page[key] = value;
        page
    };
    let mut all: Vec<_> = Fault::useless()
        .into_iter()
        .chain([Fault::Unauthorized, Fault::Redirect("/elsewhere".into()), Fault::empty(404)])
        .flat_map(|fault| [(1, fault.clone(), "can not be used"), (2, fault, "can not be used")])
        .collect();
    all.extend([
        (1, json(json!([])), "can not be used"),
        (1, json(json!({ "totalResults": 0 })), "can not be used"),
        (1, json(with(page(130, 1, 1..3), "itemsPerPage", json!(100))), "a page of 100 groups has 2"),
        (1, json(page(130, 2, 1..101)), "begins with 2"),
        (1, json(page(1, 1, 1..3)), "2 groups were told of 1"),
        (1, json(page(130, 1, 1..1)), "0 of 130 groups were told"),
        (
            1,
            json(with(page(1, 1, 1..2), "Resources", json!([{ "id": "crew", "members": [] }]))),
            "has no number",
        ),
        (2, json(page(129, 101, 900..929)), "changed to 129"),
        (2, json(page(130, 1, 900..930)), "begins with 1"),
        (2, json(page(130, 101, 900..900)), "100 of 130 groups were told"),
        (2, json(page(130, 101, 900..940)), "140 groups were told of 130"),
        (
            2,
            json(with(page(130, 101, 900..901), "Resources", json!([{ "id": "900", "members": [{}] }]))),
            "read",
        ),
        // The API says no more in the middle of it.
        (2, Fault::Refusal { status: 403, message: "no".into() }, "403"),
        (2, Fault::Refusal { status: 404, message: "no".into() }, "404"),
    ]);
    all
}

#[test]
fn odd_pages_of_every_kind_are_no_reading_and_never_an_absence() {
    let (world, people) = world(Era::Today, 30);
    // Two pages, of which few teams are mirrored: these are read by themselves where SCIM is no use.
    for n in 0..120 {
        world.sentry.add_team(&format!("foreign-{n:03}"), "Foreign");
    }
    teams(&world, &people, 10, 3);
    apply(&world);
    let (_, in_sync, by_scim, singly) = compare(&world);
    assert!(in_sync.starts_with("in sync: 10 teams in sync, 0 left out"), "{in_sync}");
    assert_eq!((by_scim, singly), (2, 0));
    for (nth, fault, why) in odd_pages() {
        // Twice: what met a connection at its end is asked once more.
        world.sentry.wire.script(Rule::new(GROUPS, fault.clone()).nth(nth).times(2));
        let (code, plan, _, singly) = compare(&world);
        world.sentry.wire.clear_faults();
        assert_eq!((code, plan.as_str()), (0, in_sync.as_str()), "{fault:?}, {why}");
        assert_eq!(singly, 10, "{fault:?} in place of page {nth} is no reading: {why}");
    }
}

#[test]
fn the_log_says_why_scim_is_no_use_and_the_next_comparison_tries_it_again() {
    let (mut world, people) = world(Era::Today, 30);
    teams(&world, &people, 20, 3);
    apply(&world);
    world.set("SYNC_INTERVAL", "1s");
    world.sentry.wire.script(Rule::new(GROUPS, Fault::StatusHtml(502)));
    world.start();
    world.service_mut().wait_for_line("is read team by team: SCIM's answer cannot be used: ");
    world.service_mut().wait_for_line("is read by SCIM, 100 teams a call");
    world.wait_until("it is shown", || world.status()["last_reconcile"]["members_by"] == "scim");
    let text = world.command(&["status", "-v"]).1;
    assert!(text.contains("Sentry's memberships were read by SCIM, 100 teams a call\n"), "{text}");
}

#[test]
fn groups_that_are_cut_or_not_told_are_read_by_themselves() {
    let (world, people) = world(Era::Today, 3);
    let (all, there) = (world.old_team("all"), world.sentry.add_team("all", "All"));
    for n in 0..10_001 {
        let member = world.sentry.add_member(format!("crowd{n}@acme.test").as_str());
        world.sentry.join(there, member);
    }
    // Who came last to Sentry is cut off, in every team of the page.
    let member = world.sentry.add_member(NewMember::new("last@acme.test"));
    let last = world.github.add_person(GithubUser::new("last").verified("last@acme.test"));
    for team in [all, world.old_team("small")] {
        world.github.join(team, last);
        world.github.join(team, people[0].0);
    }
    let small = world.sentry.add_team("small", "Small");
    for team in [there, small] {
        world.sentry.join(team, member);
        world.sentry.join(team, people[0].1);
    }
    // Both are taken over with their people: whoever was cut off is not put in again.
    apply(&world);
    assert_eq!(asked(&world, GROUPS), 1);
    let decisions: Vec<_> = world.audit().iter().map(|line| line["decision"].clone()).collect();
    assert_eq!(decisions, ["carry out plan", "adopt team", "adopt team"]);
}

#[test]
fn a_team_made_or_deleted_between_two_pages_harms_nobody() {
    let (world, people) = world(Era::Today, 30);
    teams(&world, &people, 130, 3);
    let doomed: Vec<_> = (0..2).map(|n| world.sentry.add_team(&format!("a{n}"), "A")).collect();
    apply(&world);
    // While the second page is waited for.
    let meddle = |change: &dyn Fn()| {
        world.sentry.wire.reset_counts();
        world.sentry.wire.script(Rule::new(GROUPS, Fault::Stall(Duration::from_secs(2))).nth(2));
        std::thread::scope(|scope| {
            let compared = scope.spawn(|| world.alone(&["sync"]));
            while asked(&world, GROUPS) < 2 && !compared.is_finished() {
                std::thread::sleep(Duration::from_millis(5));
            }
            change();
            let (code, plan, _) = compared.join().expect("a comparison");
            assert!(plan.starts_with("in sync: 130 teams in sync, 0 left out\n"), "{plan}");
            (code, asked(&world, TEAM_MEMBERS))
        })
    };
    let seen = meddle(&|| world.sentry.purge_team(doomed[0]));
    assert_eq!(seen, (0, 130), "the number of groups has changed: no reading");
    let seen = meddle(&|| {
        world.sentry.purge_team(doomed[1]);
        world.sentry.add_team("zz", "Z");
    });
    assert_eq!(seen, (0, 1), "the number is the same: whoever was passed over is read by itself");
}

#[test]
fn scim_is_used_where_it_saves_calls_and_not_where_it_costs_more() {
    let (mut world, people) = world(Era::Today, 10);
    for n in 0..250 {
        world.sentry.add_team(&format!("foreign-{n:03}"), "Foreign");
    }
    teams(&world, &people, 3, 2);
    apply(&world);
    let (code, _, by_scim, singly) = compare(&world);
    assert_eq!((code, by_scim, singly), (0, 0, 3), "three pages are no fewer than three teams");
    let (more, there) = (world.old_team("more"), world.sentry.add_team("more", "More"));
    world.github.join(more, people[0].0);
    world.sentry.join(there, people[0].1);
    let (_, _, by_scim, singly) = compare(&world);
    assert_eq!((by_scim, singly), (3, 0));
    // Who may not list teams does not know how many there are before the first page has told it.
    let token = world.sentry.add_token(original_permissions());
    world.set("SENTRY_TOKEN", &token);
    world.github.delete_team(world.github.team_id("more").expect("more"));
    let (_, _, by_scim, singly) = compare(&world);
    assert_eq!((by_scim, singly), (1, 3));
}

#[test]
fn scim_off_is_asked_for_once_and_check_finds_it_on_again() {
    for era in ERAS {
        let (mut world, people) = world(era, 10);
        teams(&world, &people, 5, 2);
        apply(&world);
        world.set("SYNC_INTERVAL", "1s");
        world.set("SYNC_FIRST", "apply");
        world.start();
        let way = |world: &World| world.status()["last_reconcile"]["members_by"].clone();
        world.wait_until("SCIM is used", || way(&world) == "scim");
        let checked = super::check::beside(&world);
        checked.one("sentry", "SCIM is on: ").must("ok", &[]);
        world.sentry.set_scim(false);
        world.wait_until("it is read team by team", || way(&world) == "teams");
        let text = world.command(&["status", "-v"]).1;
        assert!(
            text.contains("team by team: SCIM is off in Sentry, or not available to this token\n"),
            "{text}"
        );
        assert_eq!(world.metric("sync_call_failures_total{host=\"sentry\",reason=\"denied\"}"), 0);
        let (mark, at) = (world.sentry.wire.mark(), world.status()["last_reconcile"]["at"].clone());
        let compared =
            || world.sentry.wire.calls_since(mark).iter().filter(|call| call.route == TEAM_MEMBERS).count();
        world.wait_until("two more comparisons", || {
            compared() >= 15 && world.status()["last_reconcile"]["at"] != at
        });
        assert!(world.sentry.wire.calls_since(mark).iter().all(|call| call.route != GROUPS), "{era:?}");
        super::check::beside(&world).one("sentry", "SCIM is off in Sentry").must("note", &[]);
        world.sentry.set_scim(true);
        super::check::beside(&world).one("sentry", "SCIM is on: ").must("ok", &[]);
        world.wait_until("SCIM is used again", || way(&world) == "scim");
    }
}

#[test]
fn another_token_is_asked_for_scim_at_once() {
    let (mut world, people) = world(Era::Today, 10);
    teams(&world, &people, 5, 2);
    apply(&world);
    world.set("SYNC_FIRST", "apply");
    let file = world.dir.0.join("token");
    let token = world.env.remove("SENTRY_TOKEN").expect("a token");
    std::fs::write(&file, token).expect("a file");
    world.set("SENTRY_TOKEN_FILE", file.to_str().expect("a plain path"));
    world.sentry.set_scim(false);
    world.start();
    let way = |world: &World| world.status()["last_reconcile"]["members_by"].clone();
    world.wait_until("it is read team by team", || way(&world) == "teams");
    world.sentry.set_scim(true);
    std::fs::write(&file, world.sentry.add_token(mirror_permissions())).expect("a file");
    let pid = world.service().pid().to_string();
    std::process::Command::new("kill").args(["-HUP", &pid]).status().expect("kill");
    world.wait_until("SCIM is used", || way(&world) == "scim");
}
