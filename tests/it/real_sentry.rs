//! The real service against a true Sentry.
//!
//! One list of scenarios is played on two kinds of Sentry: on the stand-in always, in both of its eras, and with
//! `SYNC_TEST_REAL_SENTRY=1` on a Sentry 23.7.1 that the scripts of `tests/real_sentry` install and start on loopback.
//! There, each scenario must end well *and* the service must have got the same kinds of answers from both: a stand-in that
//! is kinder than the true thing shows here. GitHub is played by its stand-in.
//!
//! `SYNC_TEST_SCENARIO` chooses scenarios by a part of their name, `SYNC_TEST_ERA` one era or server of the stand-in.

mod compare;
mod ends;
mod field;
mod links;
mod people;
mod scim;
mod site;
mod teams;
mod trouble;

use std::collections::BTreeSet;
use std::io::Write;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::standin::{Era, Silo, ERAS};
use crate::world::{Played, Truth, BOTH};
use field::Field;
use site::Server;

/// One scenario. Where the truth comes from makes no difference to some.
struct Scenario {
    name: &'static str,
    truths: &'static [Truth],
    play: fn(&mut Field),
    /// Whether chance decides what is asked: which of two calls comes first, or when a server is back.
    by_chance: bool,
    /// Where it can not end well yet, and why: `today`, `gateway` (sentry.io and its regions), `region` (their own hosts).
    not: Option<(&'static str, &'static str)>,
}

impl Scenario {
    /// Why it can not end well on this Sentry yet.
    fn note(&self, played: &Played) -> Option<&'static str> {
        let (place, why) = self.not?;
        let is_there = match place {
            "today" => played.era == Era::Today,
            "gateway" => played.silo != Silo::Monolith,
            "region" => matches!(played.silo, Silo::Region(_)),
            _ => panic!("{place} is no place to be noted"),
        };
        is_there.then_some(why)
    }
}

/// The Sentry that a scenario is played on.
pub enum On {
    /// A stand-in.
    Pretended(Played),
    /// The installed one.
    True(Rc<Server>),
}

const ONE: &[Truth] = &[Truth::Deliveries];
/// Payload mode compares nothing.
const READ: &[Truth] = &[Truth::Github];

// Why some can not end well yet.
const UNDONE_TOO_EARLY: &str =
    "undo takes a team whose deletion is pending, and which its id still finds, for one that is there";
const PENDING_IS_NO_RENAME: &str =
    "a team whose deletion is pending is found by its id and taken for a renamed one";

macro_rules! scenarios {
    ($($module:ident::$name:ident in $truths:expr $(, by $chance:ident)? $(, not $place:ident: $why:expr)?;)*) => {
        &[$(Scenario {
            name: stringify!($name),
            truths: $truths,
            play: $module::$name,
            by_chance: !(&[$(stringify!($chance))?] as &[&str]).is_empty(),
            not: (&[$((stringify!($place), $why))?] as &[(&'static str, &'static str)]).first().copied(),
        }),*]
    };
}

const SCENARIOS: &[Scenario] = scenarios![
    teams::a_new_team_is_made_with_its_people in &BOTH;
    teams::a_rename_keeps_team_members_and_projects in &BOTH;
    teams::a_case_only_rename_changes_the_name_alone in &BOTH;
    teams::names_passed_round_keep_every_team_its_people in &BOTH;
    teams::a_chain_of_names_arrives_in_any_order in &BOTH;
    teams::an_older_team_takes_the_sentry_team_of_its_slug in &BOTH;
    teams::a_newer_team_is_held_until_a_person_approves in &BOTH;
    teams::a_team_never_renames_its_way_into_an_existing_one in &BOTH;
    teams::a_team_renamed_in_sentry_is_found_by_its_id in &BOTH;
    teams::a_team_of_somebody_else_under_the_bound_slug_is_left_alone in ONE;
    teams::a_team_deleted_in_sentry_is_made_anew in &BOTH, not today: PENDING_IS_NO_RENAME;
    teams::names_that_are_no_slugs_become_teams_all_the_same in ONE;
    ends::a_deleted_team_is_deleted_with_its_past_in_the_audit_log in &BOTH;
    ends::a_team_that_owns_projects_is_held_until_a_person_approves in &BOTH;
    ends::a_deleted_team_comes_back_with_its_people_and_projects in &BOTH, not today: UNDONE_TOO_EARLY;
    ends::a_deleted_team_comes_back_without_projects_where_the_token_may_not in ONE, not today: UNDONE_TOO_EARLY;
    ends::a_team_is_made_again_while_its_deletion_is_pending in &BOTH;
    ends::a_slug_of_49_characters_is_free_again_after_each_deletion in &BOTH;
    ends::a_slug_of_50_characters_is_free_again_after_each_deletion in &BOTH;
    ends::a_slug_that_sentry_does_not_set_free_is_waited_for in ONE;
    ends::empty_takes_out_whom_the_mirror_knows_and_keeps_the_team in ONE;
    ends::a_team_that_is_gone_in_sentry_is_not_deleted_again in ONE, not today: PENDING_IS_NO_RENAME;
    links::a_name_comes_with_its_team_follows_its_rename_and_goes_with_it in &BOTH, by chance;
    links::a_name_that_is_linked_elsewhere_is_told_and_left in &BOTH;
    links::a_comparison_links_what_is_there_and_finds_it_so in READ;
    links::names_passed_round_end_where_they_belong in &BOTH, by chance;
    links::undo_gives_the_names_back in ONE;
    people::somebody_is_added_removed_and_added_again in &BOTH;
    people::somebody_unknown_is_added_when_they_join_sentry in &BOTH;
    people::somebody_who_joined_sentry_a_moment_ago_is_found_at_once in ONE;
    people::an_open_invite_is_a_member_and_an_expired_one_is_not in ONE;
    people::an_invited_person_who_arrives_is_still_the_same in ONE;
    people::addresses_count_as_sentry_has_verified_them in &BOTH;
    people::an_unverified_primary_address_counts_for_nothing_where_told_so in ONE;
    people::a_link_in_sentry_names_people in &BOTH;
    people::somebody_who_left_sentry_and_came_back_is_found_again in ONE;
    people::somebody_who_left_sentry_is_no_failure_when_taken_out in ONE;
    people::leaving_the_organisation_is_leaving_every_mirrored_team_and_no_other in &BOTH;
    people::more_people_than_a_page_holds_are_all_seen in &BOTH;
    compare::the_first_comparison_waits_and_then_makes_both_sides_the_same in READ;
    compare::several_pages_of_teams_and_people_are_all_seen in READ, by chance;
    compare::several_pages_are_seen_by_a_token_that_can_not_list_teams in READ, by chance;
    compare::check_finds_what_the_token_may_do in &BOTH;
    compare::an_integration_invites_or_says_that_it_may_not in &BOTH;
    scim::groups_are_shown_only_where_scim_is_switched_on in ONE;
    scim::groups_show_everybody_in_pages_that_begin_at_one in ONE;
    scim::a_comparison_by_groups_says_the_same_as_one_team_by_team in READ;
    trouble::a_team_that_the_identity_provider_manages_fails_by_name in &BOTH;
    trouble::the_permissions_of_the_original_suffice in &BOTH;
    trouble::a_missing_scope_is_named_and_nothing_is_lost in ONE;
    trouble::a_token_without_a_scope_from_the_start_is_named in ONE;
    trouble::an_access_request_is_not_taken_for_done in &BOTH;
    trouble::with_open_membership_off_the_originals_permissions_still_suffice in ONE;
    trouble::a_revoked_token_pauses_the_work_and_a_good_one_goes_on in ONE;
    trouble::a_wrong_organisation_is_told_and_nothing_is_lost in ONE;
    trouble::many_changes_at_once_end_as_github_says in &BOTH, by chance;
    trouble::sentry_away_and_then_slow_loses_nothing in &BOTH, by chance;
];

/// Past the test runner, which shows what a test prints only if it fails.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Plays a scenario: the kinds of exchanges with Sentry, or the first line of what did not hold. The rest of it, with the
/// service's log, is in the test's own output.
fn play(scenario: &Scenario, truth: Truth, on: &On) -> Result<BTreeSet<String>, String> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut field = Field::new(truth, on);
        (scenario.play)(&mut field);
        // What is there in Sentry may be a moment ahead of the service's log.
        std::thread::sleep(Duration::from_millis(200));
        field.exchanges()
    }));
    played.map_err(|panic| {
        let literal = || panic.downcast_ref::<&str>().map(|text| text.to_string());
        let text = panic.downcast_ref::<String>().cloned().or_else(literal).unwrap_or_default();
        text.lines().next().unwrap_or("it panicked").to_string()
    })
}

/// What only one of the two said.
fn differences(pretended: &BTreeSet<String>, real: &BTreeSet<String>) -> Vec<String> {
    let only = |side: &str, one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).map(|exchange| format!("only {side}: {exchange}")).collect()
    };
    let mut all = only("the true Sentry", real, pretended);
    all.extend(only("the stand-in", pretended, real));
    all
}

/// The scenarios that were asked for by a part of their name in `SYNC_TEST_SCENARIO`, or all.
fn chosen() -> impl Iterator<Item = (&'static Scenario, Truth)> + Send {
    let part = std::env::var("SYNC_TEST_SCENARIO").unwrap_or_default();
    let all = SCENARIOS.iter().filter(move |scenario| scenario.name.contains(&part));
    all.flat_map(|scenario| scenario.truths.iter().map(move |truth| (scenario, *truth)))
}

/// The stand-ins that they are played on: one of each era, or the one that was asked for.
fn stand_ins() -> Vec<Played> {
    match std::env::var_os("SYNC_TEST_ERA") {
        Some(_) => vec![Played::asked_for()],
        None => ERAS.map(Played::usual).into(),
    }
}

/// With `SYNC_TEST_NOTED=1` those are played too of which a note says that they can not end well, and a note that is no
/// longer true is a failure.
#[test]
fn every_scenario_ends_well_on_the_stand_in() {
    let noted = std::env::var("SYNC_TEST_NOTED").as_deref() == Ok("1");
    let on_each = |played: Played| chosen().map(move |(scenario, truth)| (played.clone(), scenario, truth));
    let all = stand_ins().into_iter().flat_map(on_each);
    let all = all.filter(|(played, scenario, _)| noted || scenario.note(played).is_none());
    // Several at a time: they mostly wait.
    let (next, failed) = (Mutex::new(all), Mutex::new(Vec::new()));
    let take = || next.lock().expect("no scenario is played under the lock").next();
    let work = || {
        while let Some((played, scenario, truth)) = take() {
            let result = play(scenario, truth, &On::Pretended(played.clone()));
            let why = match (result, scenario.note(&played)) {
                (Ok(_), None) => continue,
                (Ok(_), Some(note)) => format!("ends well in spite of its note, {note:?}"),
                (Err(why), None) => why,
                (Err(why), Some(note)) => {
                    say(&format!("{} ({truth:?}, {played:?}): as noted, {note:?}: {why}", scenario.name));
                    continue;
                }
            };
            failed.lock().expect("none").push(format!("{} ({truth:?}, {played:?}): {why}", scenario.name));
        }
    };
    std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().expect("no thread panicked");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_scenario_ends_well_on_a_true_sentry_and_as_on_the_stand_in() {
    if std::env::var("SYNC_TEST_REAL_SENTRY").as_deref() != Ok("1") {
        return say(
            "skipped: the real service against a true Sentry: ask for it with SYNC_TEST_REAL_SENTRY=1",
        );
    }
    let server = match Server::start() {
        Ok(server) => Rc::new(server),
        Err(why) => return say(&format!("skipped: the real service against a true Sentry: {why}")),
    };
    say(&format!("true Sentry at {}; tests/real_sentry/stop.sh ends it", server.url()));
    let (mut n, mut failed) = (0, Vec::new());
    for (scenario, truth) in chosen() {
        let began = Instant::now();
        let real = play(scenario, truth, &On::True(server.clone()));
        let took = began.elapsed().as_secs_f32();
        let pretended = play(scenario, truth, &On::Pretended(Played::usual(Era::V23_7_1)));
        let result = match (&real, &pretended) {
            (Err(why), _) => format!("FAILED: {why}"),
            (_, Err(why)) => format!("FAILED on the stand-in: {why}"),
            (Ok(_), Ok(_)) if scenario.by_chance => "ok".to_string(),
            (Ok(real), Ok(pretended)) => match differences(pretended, real).join("\n    ") {
                same if same.is_empty() => "ok".to_string(),
                different => format!("DIFFERENT\n    {different}"),
            },
        };
        say(&format!("{:?}: {} ({took:.1} s): {result}", truth, scenario.name));
        n += 1;
        if result != "ok" {
            failed.push(scenario.name);
        }
    }
    say(&format!("true Sentry: {n} scenarios played, {} not ok", failed.len()));
    assert!(failed.is_empty(), "{failed:#?}");
}
