//! People whose address on GitHub is a second one in Sentry: found by a search, named with what to do about it, and matched
//! only where the settings say so.

use std::collections::BTreeSet;

use crate::standin::{Era, GithubUser, NewMember};
use crate::world::{Truth, World, BOTH};

/// Of so many people in the team,
const PEOPLE: usize = 51;
/// so many are in Sentry under another primary address,
const SECOND: usize = 16;
/// and this one is not there at all.
const NOBODY: &str = "nobody";

/// Who they are on GitHub.
fn login(n: usize) -> String {
    let first = ["ana", "ben", "cleo", "dan", "eva", "finn", "gil", "hana", "ivo", "jo"][n % 10];
    let last = ["smith", "okafor", "lind", "rossi", "weber", "novak"][n / 10];
    format!("{first}-{last}")
}

/// The address that GitHub tells.
fn address(n: usize) -> String {
    format!("{}@acme.test", login(n))
}

/// How they show themselves in Sentry: the first half by a like address, the other half by one that tells nothing.
fn primary(n: usize) -> String {
    match n {
        n if n >= SECOND => address(n),
        n if n % 2 == 0 => format!("{}@home.test", login(n).replace('-', ".")),
        n => format!("x{}@mail.test", (n * 7919) % 1000),
    }
}

/// A world with everybody in the GitHub team `crew`, or in none yet.
fn crowd(truth: Truth, era: Era, trust: &str) -> (World, Vec<u64>) {
    let mut world = World::in_era(truth, era).may_list_teams();
    world.set("SYNC_TRUST_UNVERIFIED", trust);
    world.set("SYNC_FIRST", "apply");
    world.set("SYNC_INTERVAL", "1s");
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(world.github.add_person(GithubUser::new(&login(n)).email(&address(n))));
        let member = NewMember::new(&primary(n)).name(&login(n));
        world.sentry.add_member(if n < SECOND { member.also(&address(n), false) } else { member });
    }
    people.push(world.github_only(NOBODY));
    (world, people)
}

fn expected(trust: &str) -> BTreeSet<String> {
    let from = if trust == "any" { 0 } else { SECOND };
    (from..PEOPLE).map(primary).collect()
}

fn in_crew(world: &World) -> BTreeSet<String> {
    let members = world.members("crew").unwrap_or_default().into_iter();
    members.filter(|address| address != "olive@acme.test").collect()
}

fn searches_since(world: &World, mark: usize) -> Vec<String> {
    let calls = world.sentry.wire.calls_since(mark).into_iter();
    calls.map(|call| call.path).filter(|path| path.contains("query=email")).collect()
}

#[test]
fn a_comparison_names_all_of_them_with_the_fix_or_puts_them_in_as_set() {
    for era in [Era::Today, Era::V23_7_1] {
        for trust in ["primary", "any"] {
            let (world, people) = crowd(Truth::Github, era, trust);
            let crew = world.old_team("Crew");
            people.iter().for_each(|person| world.github.join(crew, *person));
            let (_, plan, _) = world.alone(&["sync"]);
            // Long lines are broken.
            let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
            let (code, done, err) = world.alone(&["sync", "--apply"]);
            assert_eq!(code, 0, "{done}{err}");
            assert_eq!(in_crew(&world), expected(trust), "{era:?} {trust}");
            let told = plan
                .matches("Sentry has the address from public only as a second address of member ")
                .count();
            assert_eq!(told, if trust == "any" { 0 } else { SECOND }, "{plan}");
            assert_eq!(plan.contains("or set SYNC_TRUST_UNVERIFIED=any"), trust != "any", "{plan}");
            assert!(plan.contains("nobody: no Sentry member has the public GitHub address"), "{plan}");
            let (_, json, _) = world.alone(&["sync", "--json"]);
            let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            let skipped = json["skipped"].as_array().expect("a list");
            let with_fix = skipped.iter().filter(|person| person["fix"].is_string()).count();
            assert_eq!(with_fix, told, "{json:#}");
        }
    }
}

#[test]
fn an_interval_costs_a_call_for_twenty_of_them_and_one_for_each_new_one() {
    for trust in ["primary", "any"] {
        let (mut world, people) = crowd(Truth::Github, Era::Today, trust);
        let crew = world.old_team("Crew");
        people.iter().for_each(|person| world.github.join(crew, *person));
        world.start();
        if trust == "any" {
            world.wait_until("everybody is in", || in_crew(&world) == expected(trust));
        } else {
            let named = || {
                let status = world.status();
                let people = status["unmatched"].as_array().cloned().unwrap_or_default();
                let second = people.iter().filter(|person| {
                    let why = person["why"].as_str().unwrap_or_default();
                    let help = person["help"].as_str().unwrap_or_default();
                    why.contains("only as a second address of member ")
                        && help.contains("SYNC_TRUST_UNVERIFIED=any")
                });
                second.count()
            };
            world.wait_until("all are named", || named() == SECOND);
            let (_, text, _) = world.command(&["status", "-v"]);
            assert_eq!(text.matches("only as a second address of member ").count(), SECOND, "{text}");
            assert!(world.get_admin("/").1.contains("only as a second address of member "));
            world.wait_until("the others are in", || in_crew(&world) == expected(trust));
        }
        // From now on nothing is new: one call for all seventeen, and only once an interval.
        let mark = world.sentry.wire.mark();
        let listings = || {
            let calls = world.sentry.wire.calls_since(mark);
            calls.iter().filter(|call| call.path.contains("/members/?expand")).count()
        };
        world.wait_until("four comparisons", || listings() >= 4);
        let searches = searches_since(&world, mark);
        let n = listings();
        assert!(searches.len() <= n && !searches.is_empty(), "{n}: {searches:#?}");
        assert!(searches.iter().all(|path| path.matches("email").count() == SECOND + 1), "{searches:#?}");
    }
}

#[test]
fn a_service_takes_a_batch_apart_by_one_call_for_each_new_person() {
    let (mut world, people) = crowd(Truth::Github, Era::Today, "primary");
    world.set("SYNC_INTERVAL", "1h");
    let crew = world.old_team("Crew");
    people.iter().for_each(|person| world.github.join(crew, *person));
    let mark = world.sentry.wire.mark();
    world.start();
    world.wait_until("compared", || !world.status()["last_reconcile"].is_null());
    let searches = searches_since(&world, mark);
    assert!(searches.len() <= 1 + SECOND, "{searches:#?}");
    // Another comparison within the interval asks nothing again.
    let mark = world.sentry.wire.mark();
    assert!(world.command(&["sync"]).0 <= 2);
    let again = searches_since(&world, mark);
    assert_eq!(again, [""; 0]);
}

#[test]
fn deliveries_find_them_at_once_in_both_modes() {
    for truth in BOTH {
        for trust in ["primary", "any"] {
            let (mut world, people) = crowd(truth, Era::Today, trust);
            world.set("SYNC_INTERVAL", "1h");
            let (world, crew) = world.with_crew();
            for (n, person) in people.iter().enumerate().take(SECOND + 2) {
                let mark = world.sentry.wire.mark();
                let (status, note) = world.settle(&world.github.add_member(crew, *person));
                assert_eq!(status, "done");
                let is_in = n >= SECOND || trust == "any";
                let second = "only as a second address of member ";
                assert!(
                    if is_in { note.starts_with("added ") } else { note.contains(second) },
                    "{truth:?} {n}: {note}"
                );
                assert_eq!(searches_since(&world, mark).len(), usize::from(n < SECOND), "{truth:?} {n}");
            }
            let expected: BTreeSet<_> =
                expected(trust).into_iter().filter(|a| (0..SECOND + 2).any(|n| primary(n) == *a)).collect();
            assert_eq!(in_crew(&world), expected, "{truth:?} {trust}");
            let (_, told, _) = world.command(&["whois", &login(0)]);
            assert_eq!(
                told.contains("  fix: have them make it their primary address in Sentry"),
                trust != "any",
                "{told}"
            );
            assert_eq!(told.contains("by a secondary address from public"), trust == "any", "{told}");
            // An event that names them takes them out again.
            let (_, note) = world.settle(&world.github.remove_member(crew, people[0]));
            assert_eq!(note.starts_with("removed "), trust == "any", "{note}");
        }
    }
}

#[test]
fn an_address_that_two_members_have_is_nobodys() {
    for truth in BOTH {
        for trust in ["primary", "any"] {
            let mut world = World::in_era(truth, Era::Today);
            world.set("SYNC_TRUST_UNVERIFIED", trust);
            let ana = world.github_only("ana");
            world.sentry.add_member(NewMember::new("one@acme.test").also("ana@acme.test", true));
            world.sentry.add_member(NewMember::new("two@acme.test").also("ana@acme.test", false));
            let (world, crew) = world.with_crew();
            let (_, note) = world.settle(&world.github.add_member(crew, ana));
            assert!(note.contains("in conflict: public fits several Sentry members: "), "{note}");
            assert!(in_crew(&world).is_empty());
        }
    }
}

#[test]
fn a_primary_address_comes_before_somebody_elses_second_one() {
    for truth in BOTH {
        let mut world = World::in_era(truth, Era::Today);
        world.set("SYNC_TRUST_UNVERIFIED", "any");
        let ana = world.person("ana");
        world.sentry.add_member(NewMember::new("eve@acme.test").also("ana@acme.test", true));
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        assert_eq!(in_crew(&world), BTreeSet::from(["ana@acme.test".to_string()]));
    }
}

#[test]
fn whoever_adds_the_address_in_sentry_later_is_found_at_the_next_interval() {
    for truth in BOTH {
        for trust in ["primary", "any"] {
            let mut world = World::in_era(truth, Era::Today);
            world.set("SYNC_TRUST_UNVERIFIED", trust);
            world.set("SYNC_INTERVAL", "1s");
            let ana = world.github_only("ana");
            let member = world.sentry.add_member("work@acme.test");
            let (world, crew) = world.with_crew();
            let (_, note) = world.settle(&world.github.add_member(crew, ana));
            assert!(note.contains("no Sentry member has"), "{note}");
            world.sentry.add_email(member, "ana@acme.test", true);
            match trust {
                "any" => world.wait_for_members("crew", &["work"]),
                _ => world.wait_until("named", || {
                    let why = world.status()["unmatched"][0]["why"].clone();
                    why.as_str().is_some_and(|why| why.contains("only as a second address of member "))
                }),
            }
        }
    }
}

#[test]
fn a_comparison_takes_nobody_out_for_what_a_search_says() {
    for trust in ["primary", "any"] {
        let mut world = World::in_era(Truth::Github, Era::Today).may_list_teams();
        world.set("SYNC_TRUST_UNVERIFIED", trust);
        world.set("SYNC_REMOVE_MEMBERS", "all");
        let (ana, ben) = (world.github_only("ana"), world.person("ben"));
        let work = world.sentry.add_member(NewMember::new("work@acme.test").also("ana@acme.test", true));
        let (crew, other) = (world.old_team("Crew"), world.old_team("Other"));
        [ana, ben].iter().for_each(|person| world.github.join(crew, *person));
        world.github.join(other, ben);
        for slug in ["crew", "other"] {
            let team = world.sentry.add_team(slug, slug);
            world.sentry.join(team, work);
        }
        assert_eq!(world.alone(&["sync", "--apply"]).0, 0);
        let (_, plan, err) = world.alone(&["sync"]);
        assert!(!plan.contains("- work@acme.test") && !plan.contains("- ana"), "{trust}: {plan}{err}");
    }
}

#[test]
fn nobody_whom_sentry_knows_by_a_second_address_is_invited() {
    for era in [Era::Today, Era::V23_7_1] {
        let mut world = World::in_era(Truth::Github, era);
        world.set("SYNC_INVITE", "member");
        world.set("SYNC_INTERVAL", "1s");
        let ana = world.github.add_person(GithubUser::new("ana").saml("ana@acme.test"));
        world.sentry.add_member(NewMember::new("work@acme.test").also("ana@acme.test", false));
        let (world, crew) = world.with_crew();
        let mark = world.sentry.wire.mark();
        world.settle(&world.github.add_member(crew, ana));
        let listings = || {
            let calls = world.sentry.wire.calls_since(mark);
            calls.iter().filter(|call| call.path.contains("/members/?expand=externalUsers&per_page")).count()
        };
        world.wait_until("three comparisons", || listings() >= 3);
        let invites = world.writes_since(mark).into_iter().filter(|call| call.ends_with("/members/"));
        assert_eq!(invites.collect::<Vec<_>>(), [""; 0]);
    }
}

#[test]
fn an_address_that_is_protected_is_found_too() {
    for truth in BOTH {
        let mut world = World::in_era(truth, Era::Today);
        world.set("SYNC_PROTECT", "boss@home.test");
        let boss = world.github_only("boss");
        world.sentry.add_member(NewMember::new("boss@acme.test").also("boss@home.test", true));
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, boss));
        assert_eq!(in_crew(&world).len(), 1);
        let (_, note) = world.settle(&world.github.remove_member(crew, boss));
        assert!(note.contains("protected by SYNC_PROTECT"), "{note}");
        assert_eq!(in_crew(&world).len(), 1);
        if truth == Truth::Github {
            let (_, told, _) = world.command(&["explain", "crew"]);
            assert!(told.contains("protected by SYNC_PROTECT"), "as a comparison would have it: {told}");
        }
        world.wait_until("known to be of use", || world.status()["unused"] == serde_json::json!([]));
    }
}

#[test]
fn whois_says_who_is_suspended_in_sentry_and_they_stay_in_their_teams() {
    for truth in BOTH {
        let world = World::in_era(truth, Era::Today);
        let ana = world.person("ana");
        let member = world.sentry.member_id("ana@acme.test").expect("ana is in Sentry");
        let (world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        world.sentry.set_suspended(member, true);
        for name in ["ana", "ana@acme.test"] {
            let (code, told, _) = world.command(&["whois", name]);
            assert!(code == 0 && told.contains("suspended in Sentry; they stay matched"), "{told}");
        }
        assert_eq!(in_crew(&world), BTreeSet::from(["ana@acme.test".to_string()]));
    }
}

/// Matched by a primary address, of which today's Sentry does not show whether it is verified.
#[test]
fn a_match_counts_no_more_when_its_trust_is_withdrawn_and_check_counts_it() {
    for truth in BOTH {
        let world = World::in_era(truth, Era::Today);
        let ana = world.person("ana");
        let (mut world, crew) = world.with_crew();
        world.settle(&world.github.add_member(crew, ana));
        assert_eq!(in_crew(&world), BTreeSet::from(["ana@acme.test".to_string()]));
        world.set("SYNC_TRUST_UNVERIFIED", "never");
        world.take_service().kill();
        let (_, told, _) = world.alone(&["check", "-v"]);
        assert!(told.contains(" no longer: SYNC_IDENTITY or SYNC_TRUST_UNVERIFIED"), "{told}");
        world.start();
        world.settle(&world.github.remove_member(crew, ana));
        assert_eq!(
            in_crew(&world),
            BTreeSet::from(["ana@acme.test".to_string()]),
            "{truth:?}: nobody is known"
        );
    }
}
