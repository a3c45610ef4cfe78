//! The command `explain`: what is known of a team, what both sides show, what would be done and why not.

use serde_json::Value;

use super::ends::with_crew;
use crate::standin::{Fault, GithubTeam, GithubUser, Rule};
use crate::world::{Truth, World, BOTH};

#[track_caller]
fn explain(world: &World, team: &str, code: i32) -> String {
    let (ended, said, talk) = world.command(&["explain", team]);
    assert_eq!((ended, talk.as_str()), (code, ""), "{said}");
    said
}

fn json(world: &World, team: &str) -> Value {
    serde_json::from_str(&world.command(&["explain", "--json", team]).1).unwrap()
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line:?} in\n{text}");
    }
}

/// A world in read mode, with the team `crew`: the owner and ana.
fn crew() -> (World, u64, u64) {
    with_crew(Truth::Github, "delete")
}

#[test]
fn a_team_in_sync_is_told_whole_and_ends_with_0() {
    let (world, crew, sentry) = crew();
    let said = explain(&world, "crew", 0);
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some(format!("crew (GitHub team {crew})").as_str()));
    assert!(lines.next().unwrap().starts_with("  on GitHub: \"Crew\", created 20"), "{said}");
    let bound = lines.next().unwrap();
    let begin = format!(
        "  in Sentry: crew (Sentry team {sentry}) \"Crew\", created by this service, followed since 20"
    );
    assert!(bound.starts_with(&begin), "{said}");
    let (ana, olive) = (world.sentry.member_id("ana@acme.test"), world.sentry.member_id("olive@acme.test"));
    let (ana, olive) = (ana.unwrap(), olive.unwrap());
    has(
        &said,
        &[
            "people:",
            &format!("    ana  on both sides, member {ana} by public"),
            &format!("    olive  on both sides, member {olive} by public"),
            "last lines of the audit log:",
            "in sync",
        ],
    );
    assert!(said.contains("Z  add member        crew              ana: matched by public\n"), "{said}");
}

#[test]
fn differences_are_told_with_what_would_be_done_and_why_not() {
    let (mut world, crew, sentry) = crew();
    world.set("SYNC_INTERVAL", "off");
    world.crash_and_restart();
    let chen = world.github.add_person(GithubUser::new("chen").verified("chen@acme.test"));
    let chen_member = world.sentry.add_member("chen@acme.test");
    world.settle(&world.github.add_member(crew, chen));
    world.settle(&world.github.add_member(crew, world.github_only("zoe")));
    // Behind the mirror's back: chen and zoe's match, ana out in Sentry, a stranger in.
    world.github.leave(crew, chen);
    world.sentry.leave(sentry, world.sentry.member_id("ana@acme.test").unwrap());
    let stranger = world.sentry.add_member("stranger@acme.test");
    world.sentry.join(sentry, stranger);
    world.wait_for_rest();
    let (writes, ana) = (world.sentry.wire.mark(), world.sentry.member_id("ana@acme.test").unwrap());
    let before = world.status()["matched"].clone();
    let said = explain(&world, "crew", 2);
    has(
        &said,
        &[
            &format!("  + ana  on GitHub only, member {ana} by public: to be added"),
            &format!("  - chen  in Sentry only, member {chen_member}: to be removed, left the GitHub team"),
            &format!(
                "    stranger@acme.test  in Sentry only, member {stranger}: stays, no GitHub account matches them"
            ),
            "to do: 1 to add, 1 to remove",
        ],
    );
    assert!(
        said.contains("  ? zoe  on GitHub only: skipped, no Sentry member has the public GitHub address"),
        "{said}"
    );
    assert_eq!(world.writes_since(writes), [""; 0]);
    assert_eq!(world.status()["matched"], before);
    // The comparison itself says the same.
    let plan = world.command(&["sync", "--team", "crew"]).1;
    assert!(plan.contains("+ ana  by public") && plan.contains("- chen  left the GitHub team"), "{plan}");
}

#[test]
fn a_look_costs_a_few_calls() {
    let (world, ..) = crew();
    let (github, sentry) = (world.github.wire.mark(), world.sentry.wire.mark());
    explain(&world, "crew", 0);
    assert!(world.github.wire.calls_since(github).len() <= 3);
    assert!(world.sentry.wire.calls_since(sentry).len() <= 2);
}

#[test]
fn a_guard_that_would_stop_something_is_named() {
    let (mut world, crew, _) = crew();
    world.set("SYNC_INTERVAL", "off");
    world.set("SYNC_MAX_TEAM_REMOVALS", "1%,1");
    world.crash_and_restart();
    let people: Vec<_> = ["ben", "chen"]
        .into_iter()
        .map(|login| {
            world.sentry.add_member(format!("{login}@acme.test").as_str());
            world.github.add_person(GithubUser::new(login).verified(&format!("{login}@acme.test")))
        })
        .collect();
    people.iter().for_each(|person| drop(world.settle(&world.github.add_member(crew, *person))));
    people.iter().for_each(|person| world.github.leave(crew, *person));
    let said = explain(&world, "crew", 2);
    assert!(said.contains("a guard puts some of it on hold: SYNC_MAX_TEAM_REMOVALS 1%,1"), "{said}");
}

#[test]
fn what_is_held_tells_the_command_to_decide() {
    for truth in BOTH {
        let (world, crew, sentry) = with_crew(truth, "unless-projects");
        world.sentry.add_project(sentry, "shop");
        world.settle(&world.github.delete_team(crew));
        let name = world.only_hold()["name"].as_str().unwrap().to_string();
        let said = explain(&world, &format!("id:{crew}"), 2);
        has(
            &said,
            &[
                &format!("  on hold {name}: delete Sentry team `crew` ({sentry}) of GitHub team {crew} [unless-projects: the Sentry team still owns 1"),
                &format!("    to carry it out: {}", world.shown(&format!("approve {name}"))),
                &format!("    to discard it: {}", world.shown(&format!("reject {name}"))),
            ],
        );
        assert!(!said.contains("not show the team to this token"), "GitHub has said why: {said}");
    }
}

/// Left-overs of another tool, or of teams that were deleted unheard.
#[test]
fn sentry_teams_that_follow_nobody_are_counted_by_the_plan_and_listed() {
    let mut world = World::new(Truth::Github).may_list_teams();
    world.set("SYNC_FIRST", "apply");
    world.old_team("Crew");
    // Adopted, so that it follows somebody; the others do not.
    let crew = world.sentry.add_team("crew", "Crew");
    let (web, old) = (world.sentry.add_team("web", "Web"), world.sentry.add_team("old-api", "Old API"));
    let (_, plan, _) = world.alone(&["sync"]);
    assert!(
        plan.contains("\n2 Sentry teams follow no GitHub team: left alone, `explain` lists them\n"),
        "{plan}"
    );
    let (_, json, _) = world.alone(&["sync", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["unfollowed"], 2);
    world.start();
    world.wait_until("mirrored", || world.status()["teams"] == 1);
    let team = world.github.team_id("crew").unwrap();
    let listed = format!(
        "crew  GitHub team {team}, Sentry team {crew}\n\
         old-api  no GitHub team, Sentry team {old}\n\
         web  no GitHub team, Sentry team {web}\n"
    );
    assert_eq!(world.command(&["explain"]), (0, listed, String::new()));
    let (_, json, _) = world.command(&["explain", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[1]["slug"], &json[1]["team"]), (&"old-api".into(), &serde_json::Value::Null));
    // A chosen team is none of them.
    assert!(!world.command(&["sync", "--team", "crew"]).1.contains("follow"));
}

#[test]
fn what_failed_tells_the_command_to_replay() {
    let (world, crew, sentry) = crew();
    world.sentry.set_idp_provisioned(sentry, true);
    let added = world.github.add_member(crew, world.person("ben"));
    world.settle(&added);
    let said = explain(&world, "crew", 2);
    assert!(
        said.contains(": membership.added: Sentry team `crew` is managed by your identity provider"),
        "{said}"
    );
    has(&said, &[&format!("    {}", world.shown(&format!("replay {}", added[0].guid)))]);
}

#[test]
fn a_team_left_out_tells_which_pattern_does_it() {
    let (mut world, crew, _) = crew();
    for (filter, why) in [("*,!cr*", "`!cr*` excludes it"), ("ops-*", "`ops-*` does not match it")] {
        world.set("SYNC_TEAMS", filter);
        world.crash_and_restart();
        world.sentry.leave(world.sentry.teams()["crew"].id, world.sentry.member_id("ana@acme.test").unwrap());
        let said = explain(&world, "crew", 0);
        has(
            &said,
            &[
                &format!("  left out by SYNC_TEAMS: {why}; nothing is written"),
                "nothing to do: it is left out",
            ],
        );
        // Also where only its id is told.
        assert_eq!(json(&world, &format!("id:{crew}"))["left_out"], why);
    }
}

#[test]
fn a_deleted_team_tells_the_command_to_have_it_back() {
    for truth in BOTH {
        let (world, crew, sentry) = with_crew(truth, "delete");
        world.settle(&world.github.delete_team(crew));
        // By the slug that only the audit log still knows.
        let said = explain(&world, "crew", 0);
        has(
            &said,
            &[
                "  on GitHub: deleted",
                "  in Sentry: no team follows it",
                &format!("    to restore it: {}", world.shown(&format!("undo {sentry}"))),
            ],
        );
        assert!(said.contains(": its Sentry team was deleted or emptied"), "{said}");
        assert!(said.starts_with(&format!("crew (GitHub team {crew})\n")), "{said}");
        assert!(said.ends_with("GitHub deleted it; nothing is left to do\n"), "{said}");
        world.command(&["undo", "crew"]);
        let back = world.sentry.teams()["crew"].id;
        let told = format!("    restored as Sentry team {back}, which follows no GitHub team");
        has(&explain(&world, &format!("id:{crew}"), 0), &[&told]);
    }
}

/// What was not asked is not told.
#[test]
fn where_github_is_not_asked_for_a_team_it_is_not_said_to_have_none() {
    let (world, _) = World::new(Truth::Deliveries).with_crew();
    world.sentry.add_team("billing", "billing");
    world.github.add_team(GithubTeam::new("Billing"));
    has(
        &explain(&world, "billing", 0),
        &["  on GitHub: not asked: GH_TOKEN cannot read members, and no delivery has named it"],
    );
}

#[test]
fn a_sentry_team_that_follows_nobody_is_told_as_what_it_is() {
    let (world, ..) = crew();
    let billing = world.sentry.add_team("billing", "billing");
    let said = explain(&world, "billing", 0);
    let first = format!("billing (Sentry team {billing}) \"billing\"");
    has(
        &said,
        &[
            &first,
            "  on GitHub: no team of this slug",
            "  in Sentry: it follows no GitHub team, so this service leaves it alone",
        ],
    );
    let told = json(&world, "billing");
    assert_eq!((&told["sentry"], &told["team"]), (&billing.into(), &Value::Null));
}

#[test]
fn all_mirrored_teams_are_listed_for_people_and_for_programs() {
    let (world, crew, sentry) = crew();
    assert_eq!(world.command(&["explain"]).1, format!("crew  GitHub team {crew}, Sentry team {sentry}\n"));
    let told: Value = serde_json::from_str(&world.command(&["explain", "--json"]).1).unwrap();
    assert_eq!(told, serde_json::json!([{ "team": crew, "sentry": sentry, "slug": "crew" }]));
}

#[test]
fn who_waits_for_whom_is_told_by_slug() {
    let mut world = World::new(Truth::Deliveries);
    world.start();
    let (_, created) = world.github.create_team("Ops", world.olive);
    world.settle(&created);
    let (crew, created) = world.github.create_team("Crew", world.olive);
    world.settle(&created);
    let ops = world.github.team_id("ops").unwrap();
    // The rename of the team that has the slug is late.
    let _late = world.github.rename_team(ops, "Night Ops");
    world.send(&world.github.rename_team(crew, "Ops"));
    world.wait_until("it waits", || world.status()["waits"].as_array().is_some_and(|waits| waits.len() == 1));
    let said = explain(&world, "crew", 2);
    let told = format!(
        "  waiting: GitHub team `crew` ({crew}) waits for the slug `ops`, which GitHub team {ops} still has"
    );
    let tells = |said: &str| said.lines().any(|line| line.starts_with(&told));
    assert!(tells(&said), "{said}");
    assert!(said.contains("  queued since 20"), "{said}");
    // "ops" is the Sentry slug of one and the GitHub slug of the other by now: a person has to say which.
    let (code, _, talk) = world.command(&["explain", "ops"]);
    assert_eq!(code, 1);
    assert!(talk.contains(&format!("id:{ops} for ")) && talk.contains(&format!("id:{crew} for ")), "{talk}");
    assert!(tells(&explain(&world, &format!("id:{ops}"), 0)));
}

#[test]
fn payload_mode_tells_what_the_deliveries_said() {
    let (world, crew, sentry) = with_crew(Truth::Deliveries, "delete");
    world.settle(&world.github.add_member(crew, world.github_only("zoe")));
    let said = explain(&world, "crew", 0);
    let ana = world.sentry.member_id("ana@acme.test").unwrap();
    has(
        &said,
        &[
            "  on GitHub: not asked; payload mode trusts the deliveries",
            &format!("    ana  on both sides, member {ana} by public"),
            "in sync with the deliveries",
        ],
    );
    assert!(said.contains("  ? zoe  on GitHub only: skipped, no Sentry member has"), "{said}");
    world.sentry.leave(sentry, ana);
    let said = explain(&world, "crew", 2);
    assert!(
        said.contains("  + ana  on GitHub only") && said.contains("redeliver the event on GitHub"),
        "{said}"
    );
}

#[test]
fn a_team_answers_to_its_slugs_on_both_sides_and_to_its_id() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.set("SYNC_SLUG_PREFIX", "acme-");
        world.start();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        for name in ["crew", "acme-crew", &format!("id:{crew}")] {
            assert_eq!(json(&world, name)["team"], crew, "{truth:?} {name}");
        }
        assert_eq!(
            world.command(&["explain"]).1,
            format!("acme-crew  GitHub team {crew}, Sentry team {}\n", world.sentry.teams()["acme-crew"].id)
        );
    }
}

#[test]
fn an_unknown_team_ends_with_1_and_says_what_was_looked_for() {
    for truth in BOTH {
        let (world, ..) = with_crew(truth, "delete");
        for name in ["nobody", "id:999999", "id:x"] {
            let (code, said, talk) = world.command(&["explain", name]);
            assert_eq!((code, said.as_str()), (1, ""));
            let list = world.shown("explain");
            assert_eq!(talk, format!("error: there is no team `{name}`: not as a slug on GitHub or in Sentry, and not as GitHub's id:NUMBER\n  fix: `{list}` lists the teams that are mirrored\n"));
        }
    }
}

#[test]
fn a_team_that_the_mirror_has_not_met_is_told_from_github() {
    let mut world = World::new(Truth::Github);
    world.set("SYNC_INTERVAL", "off");
    world.start();
    // Until it knows whose teams these are, GitHub is not asked.
    world.wait_until("ready", || world.status()["ready"] == true);
    world.github.add_team(GithubTeam::new("New"));
    world.sentry.add_team("new", "There before");
    has(&explain(&world, "new", 2), &["  in Sentry: no team follows it"]);
    assert!(world.command(&["explain", "new"]).1.contains("conflict: Sentry team "));
}

#[test]
fn without_a_service_both_sides_are_looked_at_if_there_are_tokens() {
    for truth in BOTH {
        let (mut world, ..) = with_crew(truth, "delete");
        let lines = |said: String| -> Vec<String> { said.lines().map(String::from).collect() };
        let beside = lines(explain(&world, "crew", 0));
        world.take_service().stop("-TERM");
        let (code, said, talk) = world.alone(&["explain", "crew"]);
        assert_eq!((code, talk.as_str()), (0, ""));
        assert_eq!(lines(said), beside);
        // Without tokens: what is known.
        let (code, said, talk) = world.command(&["explain", "crew"]);
        assert!(talk.starts_with("warning: GitHub and Sentry were not asked: "), "{talk}");
        assert!(code == 0 && said.ends_with("GitHub and Sentry were not asked\n"), "{said}");
        assert!(said.contains("  in Sentry: crew (Sentry team "), "{said}");
    }
    // Nor is a state directory needed.
    let world = World::new(Truth::Github);
    world.old_team("Crew");
    let (code, said, _) = world.alone(&["explain", "crew"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("to do: create Sentry team `crew`"), "{said}");
    assert!(!world.dir.0.join("state").exists());
}

#[test]
fn a_host_that_does_not_answer_leaves_what_is_known() {
    for is_github in [false, true] {
        let (world, crew, _) = crew();
        let wire = if is_github { &world.github.wire } else { &world.sentry.wire };
        wire.script(Rule::new("*", Fault::Status(500)).always());
        for name in ["crew", &format!("id:{crew}")] {
            let (code, said, talk) = world.command(&["explain", name]);
            assert_eq!(code, 1);
            assert!(talk.starts_with("error: failed to "), "{talk}");
            assert_eq!(talk.lines().count(), 1, "{talk}");
            assert!(said.contains("  in Sentry: crew (Sentry team "), "{said}");
            assert!(said.ends_with("GitHub and Sentry were not asked\n"), "{said}");
        }
        // What GitHub alone could tell is not unknown because GitHub does not answer.
        let (code, said, talk) = world.command(&["explain", "other"]);
        assert_eq!((code, said.as_str()), (1, ""));
        assert_eq!(talk.contains("failed to ask GitHub for the team: "), is_github, "{talk}");
    }
}

#[test]
fn hostile_names_steer_no_terminal_in_text_and_json() {
    for truth in BOTH {
        let evil = format!("<b>\u{202e}\u{1b}[2J\n\u{e0001}{}", "ü".repeat(200));
        let mut world = World::new(truth);
        world.start();
        let (crew, created) = world.github.create_team("Crew", world.olive);
        world.settle(&created);
        let sentry = world.sentry.teams()["crew"].id;
        world.sentry.rename_team(sentry, "crew", &evil);
        world.settle(&world.github.rename_team(crew, &evil));
        world.wait_for_rest();
        let stranger = world.sentry.add_member(evil.as_str());
        world.sentry.join(sentry, stranger);
        let name = format!("id:{crew}");
        let harmful = |c: &char| (c.is_control() && *c != '\n') || ['\u{202e}', '\u{e0001}'].contains(c);
        let most = 60;
        for args in [&["explain", &name][..], &["explain", "--json", &name], &["explain", &evil]] {
            let (_, said, talk) = world.command(args);
            let found: Vec<_> = said.chars().chain(talk.chars()).filter(harmful).collect();
            assert!(found.is_empty(), "{args:?}: {found:?} in {said}{talk}");
            assert!(args.contains(&"--json") || said.lines().count() < most, "a name forges no line: {said}");
            assert!(said.lines().all(|line| !line.starts_with("[2J")), "{said}");
        }
    }
}
