//! Who a GitHub account is in Sentry, and what happens to those whom nobody can match.

use std::fs;
use std::path::PathBuf;

use crate::standin::{Era, Fault, GithubToken, GithubUser, NewMember, Reach, Rule};
use crate::world::{Truth, World, BOTH};

fn is_in(world: &World, slug: &str, address: &str) -> bool {
    world.members(slug).is_some_and(|members| members.iter().any(|member| member == address))
}

/// What GitHub shows of somebody's profile, by REST.
const PROFILE: &str = "GET /users/{username}";

/// A world whose GitHub token is a classic one, which learns no public address from GraphQL.
pub(crate) fn classic() -> World {
    let mut world = World::new(Truth::Github).may_list_teams();
    let token = world.github.add_token(GithubToken::members_read(world.olive).classic());
    world.set("GH_TOKEN", &token);
    world
}

#[test]
fn public_addresses_that_graphql_does_not_tell_are_read_one_by_one_where_they_are_needed() {
    let mut world = classic();
    world.set("SYNC_TEAMS", "*,!idle");
    let (ana, ben, idle) = (world.person("ana"), world.github_only("ben"), world.person("idle"));
    world.sentry.add_member("mia@acme.test");
    let mia =
        world.github.add_person(GithubUser::new("mia").verified("mia@acme.test").email("mia@home.test"));
    let (crew, left_out) = (world.old_team("Crew"), world.old_team("Idle"));
    [ana, ben, mia].iter().for_each(|person| world.github.join(crew, *person));
    world.github.join(left_out, idle);
    let profiles = || -> Vec<String> {
        let calls = world.github.wire.calls().into_iter().filter(|call| call.route == PROFILE);
        let mut paths: Vec<_> = calls.map(|call| call.path).collect();
        paths.sort();
        paths
    };
    let (code, out, err) = world.alone(&["sync", "--apply", "--json"]);
    assert_eq!(code, 0, "{err}");
    let plan: serde_json::Value = serde_json::from_str(&out).unwrap();
    let added = plan["teams"][0]["add"].as_array().unwrap().iter();
    let added: Vec<_> = added.map(|row| (row["login"].as_str(), row["source"].as_str())).collect();
    assert_eq!(added, [(Some("ana"), Some("public")), (Some("mia"), Some("verified"))], "{out}");
    assert!(out.contains("no Sentry member has the public GitHub address"), "{out}");
    assert_eq!(
        profiles(),
        ["/users/ana", "/users/ben"],
        "nobody whom another source knows, or who is left out"
    );
    // Whoever was matched is remembered; the other one is asked for once by each process.
    assert_eq!(world.alone(&["sync"]).0, 0);
    assert_eq!(profiles(), ["/users/ana", "/users/ben", "/users/ben"]);
}

#[test]
fn a_profile_that_was_read_is_not_read_again_by_the_next_comparison() {
    let mut world = classic();
    world.set("SYNC_INTERVAL", "1s");
    let ben = world.github_only("ben");
    world.github.join(world.old_team("Crew"), ben);
    world.start();
    let mark = std::cell::Cell::new(0);
    for _ in 0..3 {
        let teams = || world.github.wire.counts().get("GET /orgs/{org}/teams").copied().unwrap_or_default();
        world.wait_until("another comparison", || teams() > mark.get());
        mark.set(teams());
    }
    assert_eq!(world.github.wire.counts().get(PROFILE), Some(&1));
    // A member who appears meanwhile is found by what was read.
    world.sentry.add_member("ben@acme.test");
    world.wait_for_members("crew", &["ben"]);
}

#[test]
fn a_profile_that_can_not_be_read_takes_nobody_out() {
    let mut world = classic();
    world.set("SYNC_REMOVE_MEMBERS", "all");
    let ana = world.person("ana");
    let crew = world.old_team("Crew");
    world.github.join(crew, ana);
    let sentry = world.sentry.add_team("crew", "Crew");
    let member = world.sentry.add_member("someone@acme.test");
    world.sentry.join(sentry, member);
    world.github.wire.script(Rule::new(PROFILE, Fault::Status(500)).always());
    let mark = world.sentry.wire.mark();
    for _ in 0..2 {
        let (_, out, err) = world.alone(&["sync"]);
        world.alone(&["sync", "--apply"]);
        let why = "ana: no other source knows an address, and the public profile could not be read (in crew)";
        assert!(out.contains(why), "{out}{err}");
    }
    assert_eq!(world.writes_since(mark), [""; 0]);
    world.github.wire.clear_faults();
    let (_, out, _) = world.alone(&["sync"]);
    assert!(out.contains("+ ana  by public") && out.contains("- someone@acme.test"), "{out}");
}

#[test]
fn the_map_names_people_by_login_or_id() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let ana = world.github.add_person(GithubUser::new("ana"));
        let ben = world.github.add_person(GithubUser::new("ben"));
        world.sentry.add_member("a@corp.test");
        world.sentry.add_member("b@corp.test");
        let map = world.dir.0.join("map.csv");
        fs::write(&map, format!("ANA,A@Corp.test\nid:{ben},b@corp.test\n")).expect("a map");
        world.set("SYNC_USER_MAP", map.to_str().expect("a plain path"));
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        world.settle(&world.github.add_member(crew, ben));
        assert!(is_in(&world, "crew", "a@corp.test") && is_in(&world, "crew", "b@corp.test"));
    }
}

#[test]
fn a_bad_map_matches_nobody_and_a_mended_one_is_read_again() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    let map = world.dir.0.join("map.csv");
    fs::write(&map, "no comma\n").expect("a map");
    world.set("SYNC_USER_MAP", map.to_str().expect("a plain path"));
    let (world, crew) = world.with_crew();
    world.send(&world.github.add_member(crew, ana));
    world.wait_until("told", || world.service().text().contains("line 1 has no comma"));
    assert!(!is_in(&world, "crew", "ana@acme.test"));
    assert_eq!(world.get_admin("/readyz").0, 503);
    fs::write(&map, "other,other@acme.test\n").expect("a map");
    world.wait_for_members("crew", &["ana"]);
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
}

/// A mirrored team `crew` of eight people whom a map names; and the map's path.
fn with_a_map_of_eight(truth: Truth) -> (World, PathBuf) {
    let mut world = World::new(truth);
    let map = world.dir.0.join("map.csv");
    let names = ["ana", "ben", "cat", "dan", "eva", "fay", "gil", "hal"];
    let people = names.map(|name| {
        world.sentry.add_member(format!("{name}@corp.test").as_str());
        world.github.add_person(GithubUser::new(name))
    });
    fs::write(&map, names.map(|name| format!("{name},{name}@corp.test\n")).concat()).expect("a map");
    world.set("SYNC_USER_MAP", map.to_str().expect("a plain path"));
    let (world, crew) = world.with_crew();
    for person in people {
        world.settle(&world.github.add_member(crew, person));
    }
    assert!(names.iter().all(|name| is_in(&world, "crew", &format!("{name}@corp.test"))));
    (world, map)
}

#[test]
fn a_map_that_was_cut_short_waits_for_a_person_and_changes_nobody() {
    for truth in BOTH {
        let (mut world, map) = with_a_map_of_eight(truth);
        let before = world.members("crew");
        let ivy = world.github.add_person(GithubUser::new("ivy"));
        world.sentry.add_member("ivy@corp.test");
        fs::write(&map, "ana,ana@corp.test\nivy,ivy@corp.test\n").expect("a map");
        world.wait_until("held", || world.status()["holds"].as_array().is_some_and(|holds| holds.len() == 1));
        let hold = world.only_hold();
        assert!(hold["rule"].as_str().is_some_and(|rule| rule.starts_with("SYNC_USER_MAP: 7 of ")), "{hold}");
        // The map of before is in use, across a restart too.
        world.crash_and_restart();
        let crew = world.github.team_id("crew").expect("the team");
        world.settle(&world.github.add_member(crew, ivy));
        assert!(!is_in(&world, "crew", "ivy@corp.test"));
        assert_eq!(world.members("crew"), before);
        let name = world.only_hold()["name"].as_str().expect("a name").to_string();
        assert_eq!(world.command(&["approve", &name]).0, 0);
        world.wait_until("in use", || is_in(&world, "crew", "ivy@corp.test"));
        world.wait_until("no hold", || world.status()["holds"].as_array().is_some_and(Vec::is_empty));
    }
}

#[test]
fn a_map_that_is_put_back_needs_no_decision() {
    let (world, map) = with_a_map_of_eight(Truth::Github);
    let good = fs::read_to_string(&map).expect("a map");
    fs::write(&map, "ana,ana@corp.test\n").expect("a map");
    world.wait_until("held", || world.status()["holds"].as_array().is_some_and(|holds| holds.len() == 1));
    fs::write(&map, good).expect("a map");
    world.wait_until("no hold", || world.status()["holds"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn a_link_in_sentry_names_people() {
    for truth in BOTH {
        let world = World::new(truth);
        let ana = world.github.add_person(GithubUser::new("ana"));
        world.sentry.add_member(NewMember::new("somebody@corp.test").github("@Ana"));
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        assert!(is_in(&world, "crew", "somebody@corp.test"));
    }
}

#[test]
fn a_link_with_the_accounts_id_names_people_by_that_and_one_with_another_id_nobody() {
    for truth in BOTH {
        let world = World::in_era(truth, Era::Today);
        let ana = world.github.add_person(GithubUser::new("ana"));
        let eve = world.github.add_person(GithubUser::new("eve"));
        world.sentry.add_member(NewMember::new("somebody@corp.test").github_user("@ana-of-old", ana));
        world.sentry.add_member(NewMember::new("other@corp.test").github_user("@eve", eve + 1000));
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        let (_, note) = world.settle(&world.github.add_member(crew, eve));
        assert!(note.contains("is wanted"), "{note}");
        assert!(is_in(&world, "crew", "somebody@corp.test") && !is_in(&world, "crew", "other@corp.test"));
        let line =
            world.audit().into_iter().find(|line| line["decision"] == "add member" && line["person"] == ana);
        assert_eq!(line.expect("an audit line")["reason"], "matched by sentry");
        let (_, told, _) = world.command(&["whois", "eve"]);
        assert!(
            told.contains(&format!("ignored: a link with @eve that means GitHub user {}", eve + 1000)),
            "{told}"
        );
        let (_, note) = world.settle(&world.github.remove_member(crew, ana));
        assert!(note.starts_with("removed "), "{note}");
    }
}

#[test]
fn people_of_the_role_billing_are_left_out_without_a_call_until_they_have_another_one() {
    for truth in BOTH {
        let mut world = World::in_era(truth, Era::Today).may_list_teams();
        world.set("SYNC_INTERVAL", "1s");
        world.set("SYNC_FIRST", "apply");
        let ana = world.github_only("ana");
        let member = world.sentry.add_member(NewMember::new("ana@acme.test").role("billing"));
        let (mut world, crew) = world.with_crew();
        let mark = world.sentry.wire.mark();
        let (status, note) = world.settle(&world.github.add_member(crew, ana));
        assert!(status == "done" && note.contains("their role in Sentry is billing"), "{note}");
        if truth == Truth::Github {
            let (code, plan, _) = world.command(&["sync"]);
            assert!(code == 0 && plan.contains("ana: their role in Sentry is billing"), "{plan}");
        }
        assert_eq!(world.writes_since(mark), [""; 0]);
        assert_eq!(world.status()["unmatched"][0]["help"], "give them another role in Sentry");
        assert!(world
            .command(&["whois", "ana"])
            .1
            .contains("not added to any team: their role in Sentry is billing"));
        world.sentry.set_role(member, "member");
        world.wait_for_members("crew", &["ana"]);
        world.crash_and_restart();
    }
}

#[test]
fn single_sign_on_and_verified_domains_name_people_in_read_mode() {
    let world = World::new(Truth::Github);
    let ana = world.github.add_person(GithubUser::new("ana").saml("ana@sso.test"));
    let ben = world.github.add_person(GithubUser::new("ben").verified("ben@corp.test"));
    world.sentry.add_member("ana@sso.test");
    world.sentry.add_member("ben@corp.test");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.settle(&world.github.add_member(crew, ben));
    let lines = world.audit();
    let why = |person: u64| {
        let line = lines.iter().find(|line| line["decision"] == "add member" && line["person"] == person);
        line.and_then(|line| line["reason"].as_str()).unwrap_or_default().to_string()
    };
    assert_eq!((why(ana).as_str(), why(ben).as_str()), ("matched by saml", "matched by verified"));
}

#[test]
fn a_source_that_the_token_may_not_see_is_left_out_and_the_others_go_on() {
    let world = World::new(Truth::Github);
    world.github.forbid_field("organizationVerifiedDomainEmails", true);
    world.github.forbid_field("samlIdentityProvider", true);
    let ana = world.person("ana");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.wait_for_members("crew", &["ana"]);
}

#[test]
fn a_public_address_set_to_somebody_elses_is_a_conflict_where_a_better_source_speaks() {
    for truth in BOTH {
        let world = World::new(truth);
        let eve = world.github.add_person(GithubUser::new("eve").email("boss@corp.test"));
        world.sentry.add_member(NewMember::new("eve@corp.test").github("@eve"));
        world.sentry.add_member("boss@corp.test");
        let (world, crew) = world.with_crew();
        let (status, note) = world.settle(&world.github.add_member(crew, eve));
        assert_eq!(status, "done");
        assert!(note.contains("in conflict: sentry-login says Sentry member"), "{note}");
        assert!(!is_in(&world, "crew", "boss@corp.test") && !is_in(&world, "crew", "eve@corp.test"));
        assert_eq!(world.status()["wanted"], 1, "it is reported");
    }
}

#[test]
fn an_unverified_sentry_address_set_to_somebody_elses_gains_nothing() {
    for truth in BOTH {
        let world = World::new(truth);
        let ana = world.github.add_person(GithubUser::new("ana").email("ana@corp.test"));
        world.sentry.add_member(NewMember::new("eve@corp.test").also("ana@corp.test", false));
        let (world, crew) = world.with_crew();
        let (_, note) = world.settle(&world.github.add_member(crew, ana));
        assert!(note.contains("is wanted"), "{note}");
        assert!(!is_in(&world, "crew", "eve@corp.test"));
    }
}

#[test]
fn unverified_primary_addresses_count_as_configured() {
    for (trust, expected) in [("primary", true), ("never", false)] {
        let mut world = World::new(Truth::Deliveries);
        world.set("SYNC_TRUST_UNVERIFIED", trust);
        let ana = world.github_only("ana");
        world.sentry.add_member(NewMember::new("ana@acme.test").unverified());
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        assert_eq!(is_in(&world, "crew", "ana@acme.test"), expected, "{trust}");
    }
}

#[test]
fn an_open_invite_is_a_member_and_an_expired_one_is_not() {
    let world = World::new(Truth::Deliveries);
    let ana = world.github_only("ana");
    let ben = world.github_only("ben");
    world.sentry.add_member(NewMember::new("ana@acme.test").pending());
    world.sentry.add_member(NewMember::new("ben@acme.test").expired());
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    let (_, note) = world.settle(&world.github.add_member(crew, ben));
    assert!(is_in(&world, "crew", "ana@acme.test"));
    assert!(note.contains("an invite that has expired"), "{note}");
}

#[test]
fn somebody_unknown_stays_wanted_and_is_added_when_they_join_sentry() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.set("SYNC_INTERVAL", "1s");
        let ana = world.github_only("ana");
        let (mut world, crew) = world.with_crew();
        let (status, note) = world.settle(&world.github.add_member(crew, ana));
        assert_eq!(status, "done");
        assert!(note.starts_with("`ana` is wanted in `crew`: no Sentry member has the"), "{note}");
        // The wish outlives a crash.
        world.crash_and_restart();
        world.wait_until("ana is wanted", || world.status()["wanted"] == 1);
        world.sentry.add_member("ana@acme.test");
        world.wait_for_members("crew", &["ana"]);
        world.wait_until("nobody is wanted", || world.status()["wanted"] == 0);
    }
}

#[test]
fn somebody_who_left_github_before_joining_sentry_is_not_added() {
    for truth in BOTH {
        let mut world = World::new(truth);
        world.set("SYNC_INTERVAL", "1s");
        let ana = world.github_only("ana");
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        world.settle(&world.github.remove_member(crew, ana));
        // A comparison that has read GitHub before may want her once more.
        world.wait_until("nobody is wanted", || world.status()["wanted"] == 0);
        let mark = world.sentry.wire.mark();
        world.sentry.add_member("ana@acme.test");
        let reads = || {
            world.sentry.wire.calls_since(mark).iter().filter(|call| call.path.contains("/members/?")).count()
        };
        world.wait_until("Sentry's people were read again", || reads() >= 2);
        assert_eq!(world.writes_since(mark), [""; 0]);
    }
}

#[test]
fn fault_unknown_person_as_a_path_nobody_is_removed_whom_nobody_knows() {
    for truth in BOTH {
        let world = World::new(truth);
        let ghost = world.github.add_person(GithubUser::new("ghost"));
        let stranger = world.sentry.add_member("stranger@acme.test");
        let (world, crew) = world.with_crew();
        let sentry = world.sentry.teams()["crew"].id;
        world.sentry.join(sentry, stranger);
        world.settle(&world.github.add_member(crew, ghost));
        let mark = world.sentry.wire.mark();
        let (status, note) = world.settle(&world.github.remove_member(crew, ghost));
        assert_eq!(status, "done");
        assert!(note.contains("somebody unknown is never removed"), "{note}");
        assert_eq!(world.writes_since(mark), [""; 0]);
        assert!(!world
            .sentry
            .wire
            .calls()
            .iter()
            .any(|call| call.path.contains("None") || call.path.contains("null")));
        assert!(is_in(&world, "crew", "stranger@acme.test"));
    }
}

#[test]
fn a_match_is_remembered_when_github_stops_telling_the_address() {
    for truth in BOTH {
        let world = World::new(truth);
        let ana = world.person("ana");
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        world.github.set_emails(ana, None, &[]);
        world.settle(&world.github.remove_member(crew, ana));
        world.wait_for_members("crew", &[]);
    }
}

#[test]
fn somebody_who_left_sentry_and_came_back_is_found_under_the_new_membership() {
    for truth in BOTH {
        let world = World::new(truth);
        let ana = world.github_only("ana");
        let first = world.sentry.add_member("ana@acme.test");
        let (world, crew) = world.with_crew();
        let (other, created) = world.github.create_team("Other", world.olive);
        world.settle(&created);
        world.settle(&world.github.add_member(crew, ana));
        world.sentry.remove_member(first);
        world.sentry.add_member("ana@acme.test");
        world.settle(&world.github.add_member(other, ana));
        world.wait_for_members("other", &["ana"]);
    }
}

#[test]
fn bots_and_nobody_are_skipped() {
    for truth in BOTH {
        let world = World::new(truth);
        let bot = world.github.add_person(GithubUser::new("robot").bot().email("olive@acme.test"));
        let (world, crew) = world.with_crew();
        let mark = world.sentry.wire.mark();
        let added = world.github.add_member(crew, bot);
        let (status, note) = world.settle(&added);
        assert_eq!((status.as_str(), note.contains("is a bot")), ("done", true), "{note}");
        let nobody = added[0].clone().with_guid("00000000-0000-0000-0000-000000000001");
        let nobody = nobody.with_payload(|payload| payload["member"] = serde_json::Value::Null);
        assert_eq!(world.settle(&[nobody]).0, "done");
        assert_eq!(world.writes_since(mark), [""; 0]);
    }
}

#[test]
fn leaving_the_organisation_is_leaving_every_mirrored_team_and_no_other() {
    for truth in BOTH {
        let world = World::new(truth);
        let ana = world.person("ana");
        let (world, crew) = world.with_crew();
        let (other, created) = world.github.create_team("Other", world.olive);
        world.settle(&created);
        world.settle(&world.github.add_member(crew, ana));
        world.settle(&world.github.add_member(other, ana));
        let member = world.sentry.member_id("ana@acme.test").expect("ana");
        world.sentry.join(world.sentry.add_team("foreign", "Foreign"), member);
        // Of this one, nobody but Sentry knows.
        world.settle(&world.github.create_team("By hand", world.olive).1);
        world.sentry.join(world.sentry.teams()["by-hand"].id, member);
        assert_eq!(world.settle(&world.github.remove_from_org(ana)).0, "done");
        ["crew", "other", "by-hand"].into_iter().for_each(|team| world.wait_for_members(team, &[]));
        assert!(is_in(&world, "foreign", "ana@acme.test"), "other teams are nobody's business");
    }
}

#[test]
fn a_departure_that_github_denies_removes_nobody() {
    let world = World::new(Truth::Github);
    let ana = world.person("ana");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    let mut left = world.github.remove_from_org(ana);
    world.github.add_to_org(ana);
    world.github.join(crew, ana);
    world.send(&left.split_off(0));
    world.wait_until("looked at", || world.service().text().contains("still shows them in the organisation"));
    assert!(is_in(&world, "crew", "ana@acme.test"));
}

#[test]
fn joining_the_organisation_has_ones_teams_looked_at_in_read_mode() {
    let world = World::new(Truth::Github);
    let ana = world.person("ana");
    let (world, crew) = world.with_crew();
    // The membership's own event is lost.
    world.github.join(crew, ana);
    world.settle(&world.github.add_to_org(ana));
    world.wait_for_members("crew", &["ana"]);
}

#[test]
fn protected_people_are_never_removed_and_never_forbids_all_removals() {
    for truth in BOTH {
        for (name, value) in [("SYNC_PROTECT", "Ana@Acme.test"), ("SYNC_REMOVE_MEMBERS", "never")] {
            let mut world = World::new(truth);
            world.set(name, value);
            let ana = world.person("ana");
            let (world, crew) = world.with_crew();
            world.settle(&world.github.add_member(crew, ana));
            assert_eq!(world.settle(&world.github.remove_member(crew, ana)).0, "done");
            assert!(is_in(&world, "crew", "ana@acme.test"), "{name}");
        }
    }
}

#[test]
fn protected_people_are_protected_from_the_first_moment_of_a_start() {
    let mut world = World::new(Truth::Deliveries);
    world.set("SYNC_PROTECT", "ana@acme.test");
    let ana = world.person("ana");
    let (mut world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    world.sentry.set_reach(Reach::Refused).expect("down");
    world.send(&world.github.remove_member(crew, ana));
    world.take_service().kill();
    world.sentry.set_reach(Reach::Up).expect("up");
    // Sentry's people can not be read for a while after the start.
    world.sentry.wire.script(Rule::new("GET /organizations/{org}/members/", Fault::Status(500)).times(3));
    world.start();
    world.wait_for_rest();
    assert!(is_in(&world, "crew", "ana@acme.test"));
}

#[test]
fn somebody_who_came_back_to_sentry_is_taken_out_under_the_new_membership() {
    for truth in BOTH {
        for whole in [false, true] {
            let world = World::new(truth);
            let ana = world.github_only("ana");
            let first = world.sentry.add_member("ana@acme.test");
            let (world, crew) = world.with_crew();
            world.settle(&world.github.add_member(crew, ana));
            world.sentry.remove_member(first);
            let second = world.sentry.add_member("ana@acme.test");
            world.sentry.join(world.sentry.teams()["crew"].id, second);
            let gone =
                if whole { world.github.remove_from_org(ana) } else { world.github.remove_member(crew, ana) };
            world.settle(&gone);
            world.wait_for_members("crew", &[]);
        }
    }
}

#[test]
fn a_wish_of_before_never_outruns_a_removal_that_waits() {
    let mut world = World::new(Truth::Deliveries);
    world.set("SYNC_INTERVAL", "1s");
    let ana = world.github_only("ana");
    let (world, crew) = world.with_crew();
    world.settle(&world.github.add_member(crew, ana));
    assert_eq!(world.status()["wanted"], 1);
    // The slug can not be looked at: the removal waits in the lane while the wish comes true.
    world.sentry.wire.script(Rule::new("GET /teams/{org}/{slug}/", Fault::Status(500)).times(4));
    world.send(&world.github.rename_team(crew, "Crew 2"));
    world.send(&world.github.remove_member(crew, ana));
    world.sentry.add_member("ana@acme.test");
    world.wait_for_rest();
    world.wait_until("nobody is wanted", || world.status()["wanted"] == 0);
    world.wait_for_rest();
    let slug = if world.members("crew-2").is_some() { "crew-2" } else { "crew" };
    world.wait_for_members(slug, &[]);
}

#[test]
fn a_re_registered_login_inherits_no_link_and_no_map_entry() {
    for truth in BOTH {
        let mut world = World::new(truth);
        let map = world.dir.0.join("map.csv");
        fs::write(&map, "ben,ben@acme.test\n").expect("a map");
        world.set("SYNC_USER_MAP", map.to_str().expect("a plain path"));
        let ana = world.github.add_person(GithubUser::new("ana"));
        let ben = world.github.add_person(GithubUser::new("ben"));
        world.sentry.add_member(NewMember::new("ana@acme.test").github("@ana"));
        world.sentry.add_member("ben@acme.test");
        let (world, crew) = world.with_crew();
        for (user, login) in [(ana, "ana"), (ben, "ben")] {
            world.settle(&world.github.add_member(crew, user));
            assert!(is_in(&world, "crew", &format!("{login}@acme.test")));
            let (_, note) = world.settle(&world.github.remove_member(crew, user));
            // A link without an id may mean another account: it takes nobody out.
            assert_eq!(
                note.contains("the link in Sentry has their login and no id"),
                login == "ana",
                "{note}"
            );
            world.github.rename_user(user, &format!("{login}-of-old"));
            let other = world.github.add_person(GithubUser::new(login));
            let (_, note) = world.settle(&world.github.add_member(crew, other));
            assert!(note.contains("the login belonged to GitHub user"), "{note}");
        }
        world.wait_for_members("crew", &["ana"]);
    }
}
