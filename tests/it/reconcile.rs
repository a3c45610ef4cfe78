//! The whole organisation: compared, shown, healed, and never harmed.

use std::fs;
use std::time::Duration;

use crate::standin::{asking_permissions, Call, Fault, GithubTeam, GithubUser, NewMember, RateLimit, Rule};
use crate::world::{Truth, World};

mod adopt;
mod children;
mod script;

/// A world whose people are matched by an address on a verified domain, so that a comparison may also remove them.
fn world() -> World {
    World::new(Truth::Github).may_list_teams()
}

fn person(world: &World, login: &str) -> u64 {
    let address = format!("{login}@acme.test");
    world.sentry.add_member(NewMember::new(&address));
    world.github.add_person(GithubUser::new(login).verified(&address))
}

/// Teams of a day ago, each with these people.
pub fn teams(world: &World, names: &[&str], people: &[u64]) -> Vec<u64> {
    let one = |name: &&str| {
        let team = world.old_team(name);
        people.iter().for_each(|person| world.github.join(team, *person));
        team
    };
    names.iter().map(one).collect()
}

fn people(world: &World, n: usize) -> Vec<u64> {
    (0..n).map(|n| person(world, &format!("p{n}"))).collect()
}

/// Carries out the plan; nothing may be held or fail.
#[track_caller]
pub fn apply(world: &World) -> String {
    let (code, out, err) = world.alone(&["sync", "--apply"]);
    assert_eq!(code, 0, "{out}{err}");
    out
}

#[test]
fn looking_shows_the_plan_and_changes_and_leaves_nothing() {
    let world = world();
    let all = people(&world, 2);
    teams(&world, &["Search", "Crew"], &all);
    let ghost = world.github.add_person(GithubUser::new("ghost"));
    world.github.join(world.github.team_id("crew").expect("crew"), ghost);
    let mark = world.sentry.wire.mark();
    let (code, out, err) = world.alone(&["sync"]);
    assert_eq!((code, err.as_str()), (2, ""));
    let expected = "\
create   crew  \"Crew\"
         + p0  by verified
         + p1  by verified
create   search  \"Search\"
         + p0  by verified
         + p1  by verified
people who match no Sentry member, left as they are:
  ghost: no address is known from map, sentry, saml, verified, public (in crew)
2 to create, 4 to add, 1 person skipped; 0 teams in sync, 0 left out
";
    assert_eq!(out, expected);
    assert_eq!(world.writes_since(mark), [""; 0]);
    assert!(!fs::exists(&world.env["SYNC_STATE_DIR"]).expect("a path"), "looking leaves no state directory");
    // The same input gives the same bytes, as text and as JSON.
    assert_eq!(world.alone(&["sync"]).1, expected);
    let (_, json, _) = world.alone(&["sync", "--json"]);
    assert_eq!(json, world.alone(&["sync", "--json"]).1);
    let plan: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(plan["teams"][0]["slug"], "crew");
}

#[test]
fn applying_makes_both_sides_the_same_and_a_second_run_writes_nothing() {
    let world = world();
    let all = people(&world, 5);
    teams(&world, &["Search", "Crew", "2024"], &all);
    let out = apply(&world);
    assert!((out == "done: 18 changes made in Sentry; 0 teams already in sync, 0 left out\n"), "{out}");
    assert_eq!(world.members("crew").map(|members| members.len()), Some(5));
    let mark = world.sentry.wire.mark();
    let (code, out, _) = world.alone(&["sync", "--apply"]);
    assert_eq!((code, out.as_str()), (0, "in sync: 3 teams in sync, 0 left out\n"));
    assert_eq!(world.writes_since(mark), [""; 0]);
}

#[test]
fn a_hundred_teams_cost_pages_and_not_people() {
    let world = world();
    let all = people(&world, 500);
    for n in 0..100 {
        let team = world.old_team(&format!("Team {n:03}"));
        for k in 0..20 {
            world.github.join(team, all[(n * 7 + k * 23) % 500]);
        }
    }
    let writes = 100 + 2000;
    apply(&world);
    assert!(world.sentry.wire.n_calls() <= writes + 200, "{} calls", world.sentry.wire.n_calls());
    assert_eq!(world.differences(), [""; 0]);
    world.sentry.wire.reset_counts();
    world.github.wire.reset_counts();
    let (code, out, err) = world.alone(&["sync"]);
    assert_eq!((code, out.as_str()), (0, "in sync: 100 teams in sync, 0 left out\n"), "{err}");
    let (github, sentry) = (world.github.wire.counts(), world.sentry.wire.counts());
    assert!(world.github.wire.n_calls() <= 15, "{github:?}");
    assert!(world.sentry.wire.n_calls() <= 108, "{sentry:?}");
}

#[test]
fn an_announced_limit_is_never_overdrawn_by_making_everything_and_by_comparing_it() {
    let world = world();
    let all = people(&world, 10);
    let names: Vec<_> = (0..20).map(|n| format!("Team {n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    teams(&world, &names, &all);
    world.sentry.set_rate_limit(Some(RateLimit::per_second(50)));
    let mark = world.sentry.wire.mark();
    assert!(apply(&world).contains("done: 220 changes made in Sentry"));
    assert!(apply(&world).starts_with("in sync"));
    let calls = world.sentry.wire.calls_since(mark);
    assert_eq!(calls.iter().filter(|call| call.status == 429).count(), 0, "of {} calls", calls.len());
}

#[test]
fn what_nobody_told_is_healed_by_the_next_comparison() {
    let mut world = world();
    world.set("SYNC_INTERVAL", "1s");
    let all = people(&world, 4);
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    for person in &all[..3] {
        world.settle(&world.github.add_member(crew, *person));
    }
    // None of these is delivered.
    world.github.rename_team(crew, "Night Crew");
    world.github.add_member(crew, all[3]);
    world.github.remove_member(crew, all[0]);
    world.github.create_team("Second", world.olive);
    world.wait_until("healed", || world.differences().is_empty());
    assert!(world.status()["last_reconcile"]["summary"].as_str().is_some());
}

#[test]
fn a_team_without_members_that_somebody_deleted_in_sentry_is_made_again() {
    let mut world = world();
    world.set("SYNC_INTERVAL", "1s");
    teams(&world, &["Crew"], &[]);
    world.set("SYNC_FIRST", "apply");
    world.start();
    world.wait_for_members("crew", &[]);
    let before = world.sentry.teams()["crew"].id;
    world.sentry.purge_team(before);
    world.wait_until("made again", || world.sentry.teams().get("crew").is_some_and(|team| team.id != before));
}

#[test]
fn names_passed_round_while_down_are_set_right_at_the_start() {
    let mut world = world();
    world.start();
    let ids: Vec<_> = ["A", "B", "C"]
        .iter()
        .map(|name| {
            let (team, created) = world.github.create_team(*name, world.olive);
            world.settle(&created);
            (team, world.sentry.teams()[&name.to_lowercase()].id)
        })
        .collect();
    world.take_service().stop("-TERM");
    world.github.rename_team(ids[0].0, "X");
    for (n, name) in [(1, "A"), (2, "B"), (0, "C")] {
        world.github.rename_team(ids[n].0, name);
    }
    world.start();
    let now = || world.sentry.teams().iter().map(|(slug, team)| (slug.clone(), team.id)).collect::<Vec<_>>();
    let wanted = [("a".to_string(), ids[1].1), ("b".to_string(), ids[2].1), ("c".to_string(), ids[0].1)];
    world.wait_until("renamed", || now() == wanted);
}

#[test]
fn the_first_comparison_of_a_service_waits_for_a_person() {
    let mut world = world();
    let all = people(&world, 2);
    teams(&world, &["Crew", "New"], &all);
    let stranger = world.sentry.add_member("stranger@acme.test");
    let sentry = world.sentry.add_team("crew", "Crew");
    world.sentry.join(sentry, stranger);
    let mark = world.sentry.wire.mark();
    world.start();
    let hold = world.only_hold();
    assert!(hold["rule"].as_str().is_some_and(|rule| rule.starts_with("SYNC_FIRST hold")), "{hold}");
    world.crash_and_restart();
    let hold = world.only_hold();
    assert_eq!(world.writes_since(mark), [""; 0]);
    assert_eq!(world.command(&["approve", hold["name"].as_str().expect("a name")]).0, 0);
    world.wait_until("mirrored", || {
        world.members("new").is_some_and(|members| members.len() == 2)
            && world.members("crew").is_some_and(|members| members.len() == 3)
    });
    world.wait_until("the hold is history", || {
        world.command(&["sync"]).0 == 0 && world.status()["holds"] == serde_json::json!([])
    });
}

/// The comparison comes after they have left: that they were in the team is known from the look that put them in.
#[test]
fn whoever_was_put_in_by_a_look_and_left_unheard_is_taken_out() {
    let mut world = world();
    world.set("SYNC_INTERVAL", "off");
    let all = people(&world, 12);
    teams(&world, &["Other"], &all);
    world.start();
    world.wait_until("compared", || world.command(&["sync"]).0 == 0);
    world.wait_for_rest();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    all[..3].iter().for_each(|person| world.github.join(crew, *person));
    world.settle(&created);
    world.wait_for_members("crew", &["p0", "p1", "p2"]);
    world.github.leave(crew, all[1]);
    let (_, plan, _) = world.command(&["sync"]);
    let (code, _, talk) = world.command(&["sync", "--apply"]);
    assert!(plan.contains("- p1  left the GitHub team"), "{plan}");
    // The team was spoken of a moment before: a second look takes them out.
    assert!(code == 2 && talk.contains("1 change left for the next comparison"), "{talk}");
    world.wait_for_members("crew", &["p0", "p2"]);
    // A program that reads the plan reads nothing else.
    let (code, plan, talk) = world.command(&["sync", "--json", "--apply"]);
    assert!(code == 0 && talk.starts_with("in sync: 2 teams in sync"), "{talk}");
    assert!(serde_json::from_str::<serde_json::Value>(&plan).is_ok(), "{plan}");
}

#[test]
fn what_was_rejected_stays_rejected_from_comparison_to_comparison() {
    let mut world = world();
    let all = people(&world, 1);
    teams(&world, &["Crew"], &all);
    apply(&world);
    world.sentry.add_team("payments", "Payments");
    let in_an_hour = std::time::SystemTime::now() + Duration::from_secs(3600);
    world.github.add_team(GithubTeam::new("Payments").created(in_an_hour));
    world.start();
    let hold = world.only_hold();
    assert_eq!(world.command(&["reject", hold["name"].as_str().expect("a name")]).0, 0);
    for _ in 0..3 {
        let (code, out, err) = world.command(&["sync", "--apply"]);
        assert!(out.starts_with("in sync: 1 team in sync, 0 left out, 1 as rejected\n"), "{out}{err}");
        assert_eq!(code, 0, "{err}");
    }
    assert_eq!(world.only_hold()["decision"], "rejected");
}

/// What deliveries ask for meanwhile is done all the same, and that alone.
#[test]
fn a_first_comparison_that_waits_keeps_no_delivery_waiting() {
    let mut world = world();
    world.set("SYNC_INTERVAL", "1s");
    let all = people(&world, 3);
    let ids = teams(&world, &["Crew", "New"], &all[..1]);
    world.sentry.add_team("crew", "Crew");
    world.start();
    world.only_hold();
    world.settle(&world.github.add_member(ids[0], all[1]));
    world.wait_for_members("crew", &["p0", "p1"]);
    assert_eq!(world.members("new"), None);
    // Not delivered: the next comparisons find it, in the team that a delivery has brought in, and wait with it.
    world.github.join(ids[0], all[2]);
    let comparisons = world.service().text().matches("info reconcile: ").count();
    world.service_mut().wait_for_lines("info reconcile: ", comparisons + 2);
    let hold = world.only_hold();
    let changes = hold["changes"].to_string();
    assert!(changes.contains("create Sentry team `new`") && !changes.contains("crew"), "{changes}");
    assert_eq!(world.members("crew").map(|members| members.len()), Some(2));
    assert_eq!(world.command(&["approve", hold["name"].as_str().expect("a name")]).0, 0);
    world.wait_for_members("crew", &["p0", "p1", "p2"]);
    world.wait_for_members("new", &["p0"]);
}

#[test]
fn sync_first_apply_begins_at_once() {
    let mut world = world();
    world.set("SYNC_FIRST", "apply");
    let all = people(&world, 2);
    teams(&world, &["Crew"], &all);
    world.sentry.add_team("crew", "Crew");
    world.start();
    world.wait_for_members("crew", &["p0", "p1"]);
}

#[test]
fn many_removals_are_held_approved_and_done_and_additions_go_on_meanwhile() {
    let world = world();
    let all = people(&world, 20);
    let ids = teams(&world, &["Crew", "A", "B", "C", "D"], &all);
    apply(&world);
    all[..8].iter().for_each(|person| world.github.leave(ids[0], *person));
    let late = person(&world, "late");
    world.github.join(ids[0], late);
    let (code, out, _) = world.alone(&["sync", "--apply"]);
    assert_eq!(code, 2);
    assert!(
        out.contains("SYNC_MAX_TEAM_REMOVALS 25%,3: 8 of 20 people would leave `crew`; the limit is 5"),
        "{out}"
    );
    assert_eq!(world.members("crew").map(|members| members.len()), Some(21), "the addition was made");
    let name =
        out.lines().find_map(|line| line.trim().strip_prefix(&world.shown("approve "))).expect("a name");
    let (code, out, _) = world.alone(&["approve", name]);
    assert_eq!((code, out.lines().count()), (0, 8), "{out}");
    apply(&world);
    assert_eq!(world.differences(), [""; 0]);
}

#[test]
fn a_team_left_empty_and_a_short_reading_remove_nobody() {
    let world = world();
    let all = people(&world, 12);
    let ids = teams(&world, &["Crew", "Other"], &all);
    apply(&world);
    all[..3].iter().for_each(|person| world.github.leave(ids[0], *person));
    let (code, out, _) = world.alone(&["sync"]);
    assert_eq!(code, 2);
    assert!(out.contains("short reading: 21 memberships on GitHub, 24 the last time"), "{out}");
    world.github.join(ids[0], all[0]);
    world.github.join(ids[0], all[1]);
    assert!(apply(&world).starts_with("done: 1 change made in Sentry; "));
}

#[test]
fn somebody_added_by_hand_is_left_alone_unless_all_are_asked_for_and_then_held() {
    for (policy, expected) in [("left", None), ("known", Some("p1")), ("all", Some("p1"))] {
        let mut world = world();
        world.set("SYNC_REMOVE_MEMBERS", policy);
        // p1 is in GitHub's organisation, and in no team.
        let all = people(&world, 2);
        teams(&world, &["Crew"], &all[..1]);
        apply(&world);
        let crew = world.sentry.teams()["crew"].id;
        let stranger = world.sentry.add_member("stranger@acme.test");
        world.sentry.join(crew, stranger);
        world.sentry.join(crew, world.sentry.member_id("p1@acme.test").expect("p1"));
        let (code, out, _) = world.alone(&["sync", "--apply"]);
        assert_eq!(code, if policy == "all" { 2 } else { 0 }, "{policy} {out}");
        let left = world.members("crew").expect("crew");
        assert!(left.contains(&"stranger@acme.test".into()), "{policy}");
        assert_eq!(left.contains(&"p1@acme.test".into()), expected.is_none(), "{policy} {out}");
    }
}

#[test]
fn a_wider_rule_removes_nobody_before_a_person_has_approved_what_it_comes_to() {
    let mut world = world();
    world.set("SYNC_FIRST", "apply");
    world.set("SYNC_INTERVAL", "1s");
    let all = people(&world, 2);
    teams(&world, &["Crew"], &all[..1]);
    world.start();
    world.wait_for_members("crew", &["p0"]);
    world.wait_until("compared", || world.command(&["sync"]).0 == 0);
    let crew = world.sentry.teams()["crew"].id;
    world.sentry.join(crew, world.sentry.member_id("p1@acme.test").expect("p1"));
    world.take_service().stop("-TERM");
    world.set("SYNC_REMOVE_MEMBERS", "known");
    world.start();
    let hold = world.only_hold();
    world.service_mut().wait_for_lines("info reconcile: ", 3);
    assert_eq!(
        hold["rule"],
        "wider rule: SYNC_REMOVE_MEMBERS was left and is known; the first comparison since"
    );
    world.wait_for_members("crew", &["p0", "p1"]);
    assert_eq!(world.command(&["approve", hold["name"].as_str().expect("a name")]).0, 0);
    world.wait_for_members("crew", &["p0"]);
}

#[test]
fn a_match_by_public_address_alone_removes_nobody() {
    let world = world();
    let ana = world.person("ana");
    let ids = teams(&world, &["Crew"], &[ana]);
    apply(&world);
    world.github.leave(ids[0], ana);
    world.github.join(ids[0], world.olive);
    apply(&world);
    assert!(world.members("crew").is_some_and(|members| members.contains(&"ana@acme.test".into())));
}

#[test]
fn enterprise_teams_are_mirrored_under_a_slug_that_sentry_takes() {
    let mut world = world();
    let all = people(&world, 2);
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(24 * 3600);
    let hands = world.github.add_team(GithubTeam::new("All Hands").enterprise().created(yesterday));
    all.iter().for_each(|person| world.github.join(hands, *person));
    let filler: Vec<_> = (0..20).map(|n| format!("t{n}")).collect();
    teams(&world, &filler.iter().map(String::as_str).collect::<Vec<_>>(), &all);
    let (_, out, _) = world.alone(&["sync"]);
    apply(&world);
    let slug = "ent-all-hands-00ffb4";
    assert!(out.contains(&format!("create   {slug}  \"All Hands\"")), "{out}");
    assert_eq!(world.members(slug).map(|members| members.len()), Some(2));
    for shown in [true, false] {
        world.github.show_enterprise_in_graphql(shown);
        let (code, out, err) = world.alone(&["sync", "--team", "ent:all-hands"]);
        assert_eq!((code, out.as_str()), (0, "in sync: 1 team in sync, 0 left out\n"), "{err}");
    }
    // Nobody is taken out, and nothing deleted, because GitHub says no to this one kind of team.
    world.github.wire.script(Rule::new("GET /orgs/{org}/teams", Fault::Status(422)).nth(2));
    let (code, out, err) = world.alone(&["sync"]);
    let expected = format!(
        "unseen   {slug}  GitHub does not show the team to this token\nin sync: 20 teams in sync, 0 left out, 1 not shown by GitHub\n"
    );
    assert_eq!((code, out), (0, expected), "{err}");
    world.github.wire.clear_faults();
    world.github.leave(hands, all[1]);
    apply(&world);
    assert_eq!(world.members(slug).map(|members| members.len()), Some(1));
    world.set("SYNC_TEAMS", "*,!ent:*");
    assert!(world.alone(&["sync"]).1.starts_with("in sync: 20 teams in sync, 1 left out"));
    world.set("SYNC_TEAMS", "*");
    world.github.delete_team(hands);
    apply(&world);
    assert_eq!(world.members(slug), None);
}

#[test]
fn a_kept_plan_is_carried_out_only_while_it_still_holds() {
    let world = world();
    let all = people(&world, 2);
    let ids = teams(&world, &["Crew"], &all[..1]);
    let file = world.dir.0.join("plan.json");
    let file = file.to_str().expect("a plain path");
    let (code, out, err) = world.alone(&["sync", "--save", file]);
    assert!(code == 2 && out.starts_with("create   crew"), "{out}{err}");
    let said = format!(
        "the plan is saved in `{file}`; to carry it out: {}\n",
        world.shown(&format!("sync --apply={file}"))
    );
    assert_eq!(err, said);
    world.github.join(ids[0], all[1]);
    let (code, out, err) = world.alone(&["sync", &format!("--apply={file}")]);
    assert_eq!(code, 2);
    assert!(out.contains("\n+ ") || out.starts_with("+ "), "{out}");
    assert!(out.contains("+ p1") && err.contains("the plan has changed"), "{out}{err}");
    assert!(world.sentry.teams().is_empty());
    world.github.leave(ids[0], all[1]);
    assert_eq!(world.alone(&["sync", &format!("--apply={file}")]).0, 0);
    assert!(world.members("crew").is_some());
}

#[test]
fn sync_beside_a_service_is_run_by_it_with_its_tokens() {
    let mut world = world();
    let all = people(&world, 1);
    world.start();
    world.wait_until("its own comparison is over", || !world.status()["last_reconcile"].is_null());
    teams(&world, &["Crew"], &all);
    let (code, out, err) = world.command(&["sync"]);
    assert_eq!((code, out.starts_with("create   crew")), (2, true), "{out}{err}");
    let (code, out, err) = world.command(&["sync", "--team", "nothing", "--team", "crwe"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("no team has the slug `nothing`, nor `crwe` (did you mean `crew`?)"), "{err}");
    assert!(err.contains("  fix: take the slug from"), "{err}");
    let (code, out, err) = world.command(&["sync", "--apply"]);
    assert_eq!((code, out.starts_with("done: 2 changes made in Sentry; ")), (0, true), "{out}{err}");
    let (code, out, err) = world.command(&["whois", "@nob\u{202e}ody"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("error: GitHub has no account `nobody`, or hides it"), "{err}");
    assert!(err.contains("\n  fix: give the login as in github.com/LOGIN"), "{err}");
    let (code, out, _) = world.command(&["whois", "p0"]);
    assert_eq!(code, 0);
    assert!(out.contains("verified   p0@acme.test -> Sentry member"), "{out}");
    assert!(out.contains("matched: Sentry member") && out.contains("by verified"), "{out}");
}

#[test]
fn sync_of_chosen_teams_shows_and_carries_out_those_alone() {
    let mut world = world();
    let all = people(&world, 2);
    let ids = teams(&world, &["Crew", "Other", "Idle"], &all[..1]);
    let (code, out, err) = world.alone(&["sync", "--apply", "--team", "crew", "--team", "idle"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, "done: 4 changes made in Sentry; 0 teams already in sync, 0 left out\n");
    assert_eq!(world.sentry.teams().into_keys().collect::<Vec<_>>(), ["crew", "idle"]);
    // Two that differ, one that was chosen.
    world.github.join(ids[0], all[1]);
    let (code, out, _) = world.alone(&["sync", "--team", "idle"]);
    assert_eq!((code, out.as_str()), (0, "in sync: 1 team in sync, 0 left out\n"));
    world.set("SYNC_TEAMS", "*,!other");
    let (code, out, err) = world.alone(&["sync", "--team", "other"]);
    assert_eq!((code, out.as_str()), (0, "in sync: 0 teams in sync, 1 left out\n"));
    assert_eq!(err, "`other` is left out by SYNC_TEAMS\n");
    let mark = world.sentry.wire.mark();
    let (code, out, err) = world.alone(&["sync", "--apply", "--team", "crew", "--team", "none"]);
    assert_eq!((code, out.as_str(), world.writes_since(mark)), (1, "", Vec::new()), "{err}");
}

#[test]
fn a_token_without_members_read_is_told_so() {
    let world = World::new(Truth::Deliveries);
    let (code, out, err) = world.alone(&["sync"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("GH_TOKEN cannot read members") && err.contains("fix: give the token"), "{err}");
}

#[test]
fn without_organization_read_teams_are_read_by_slug() {
    let world = World::new(Truth::Github);
    let all = people(&world, 3);
    teams(&world, &["Crew", "Second"], &all);
    apply(&world);
    assert_eq!(world.differences(), [""; 0]);
    let (code, out, err) = world.alone(&["sync"]);
    assert_eq!((code, out.as_str()), (0, "in sync: 2 teams in sync, 0 left out\n"), "{err}");
}

#[test]
fn a_sentry_team_that_is_left_alone_is_no_change() {
    let mut world = world();
    let all = people(&world, 1);
    let names: Vec<_> = (0..20).map(|n| format!("t{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let ids = teams(&world, &names, &all);
    apply(&world);
    world.github.delete_team(ids[0]);
    world.set("SYNC_DELETE_TEAMS", "keep");
    assert!(world.alone(&["sync"]).1.contains("leave    t0"));
    assert_eq!(apply(&world), "in sync: 19 teams in sync, 0 left out\n");
    assert!(world.members("t0").is_some());
    assert!(apply(&world).starts_with("in sync: 19 teams in sync, 0 left out\n"));
}

#[test]
fn a_team_made_secret_is_not_visible_and_not_deleted() {
    let mut world = world();
    let viewer = world.github.add_person(GithubUser::new("viewer"));
    let token = world.github.add_token(crate::standin::GithubToken::members_read(viewer));
    let all = people(&world, 3);
    let ids = teams(&world, &["Crew", "Second", "Third"], &all);
    apply(&world);
    world.set("GH_TOKEN", &token);
    world.github.make_secret(ids[0]);
    let (_, out, err) = world.alone(&["sync"]);
    assert!(out.contains("unseen   crew"), "{out}{err}");
    let (_, out, err) = world.alone(&["sync", "--apply"]);
    assert!(out.ends_with(", 1 not shown by GitHub\n"), "{out}{err}");
    assert_eq!(world.members("crew").map(|members| members.len()), Some(3));
}

#[test]
fn events_overtake_a_comparison_and_are_never_undone() {
    let mut world = world();
    let all = people(&world, 60);
    teams(&world, &["Crew", "Second", "Third", "Fourth", "Fifth", "Sixth"], &all);
    world.start();
    world.wait_until("the comparison is at work", || world.members("crew").is_some_and(|m| m.len() > 3));
    world.sentry.wire.set_latency(Duration::from_millis(20));
    // Somebody whom the comparison is still to add leaves; somebody else joins.
    let crew = world.github.team_id("crew").expect("crew");
    let late = person(&world, "late");
    let added = world.github.add_member(crew, late);
    world.settle(&added);
    assert!(world.members("crew").is_some_and(|members| members.contains(&"late@acme.test".into())));
    let left = world.github.remove_member(crew, all[59]);
    world.settle(&left);
    world.sentry.wire.set_latency(Duration::ZERO);
    world.wait_for_rest();
    assert_eq!(world.differences(), [""; 0]);
}

#[test]
fn a_team_that_an_event_made_while_a_comparison_read_is_not_taken_for_vanished() {
    let (world, _) = World::new(Truth::Github).with_crew();
    world.wait_for_rest();
    let (_, sent) = world.github.create_team("Night", world.olive);
    // The comparison has seen that there is no `night`, and is kept from going on.
    let members = "GET /teams/{org}/{slug}/members/";
    world.sentry.wire.script(Rule::new(members, Fault::Stall(Duration::from_secs(2))));
    let mark = world.sentry.wire.mark();
    std::thread::scope(|scope| {
        let compared = scope.spawn(|| world.command(&["sync", "--apply"]));
        let is_reading = |call: &Call| call.route == members;
        world.wait_until("it reads", || world.sentry.wire.calls_since(mark).iter().any(is_reading));
        world.settle(&sent);
        let (code, out, talk) = compared.join().unwrap();
        assert_eq!(code, 0, "{out}{talk}");
    });
    world.wait_for_rest();
    let log = world.service().text();
    assert!(log.contains("created Sentry team `night`") && !log.contains("vanished"), "{log}");
    assert_eq!((&world.status()["teams"], &world.status()["holds"]), (&2.into(), &serde_json::json!([])));
}
