//! Each guard with its numbers.

use super::build::{n_removed, only, rules, World, NOW};
use crate::clock::Timestamp;
use crate::reconcile::judge::denied;
use crate::reconcile::plan::Step;
use crate::state::holds::{HeldChange, Hold};
use crate::state::ids::*;
use crate::state::record::Record;
use crate::state::values::{Fate, Intent, Origin, Sizes};
use crate::state::LAG;

#[test]
fn more_than_a_share_of_a_team_is_held() {
    let mut world = World::of_people(20, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    world.leave(team, 1..=5);
    assert_eq!((rules(&world.plan()), n_removed(&world.plan())), (vec![], 5));
    world.leave(team, 6..=6);
    let plan = world.plan();
    assert_eq!(
        rules(&plan),
        ["SYNC_MAX_TEAM_REMOVALS 25%,3: 6 of 20 people would leave `crew`; the limit is 5"]
    );
    assert_eq!(n_removed(&plan), 0);
    // In a small team, three people may be removed whatever their share is.
    let mut world = World::of_people(4, &[]);
    let team = world.mirrored_team("crew", 1..=4);
    world.leave(team, 1..=3);
    assert_eq!(n_removed(&world.plan()), 3);
}

#[test]
fn a_team_of_three_or_more_is_not_left_empty() {
    let mut world = World::of_people(9, &[]);
    let (two, three) = (world.mirrored_team("two", 1..=2), world.mirrored_team("three", 3..=5));
    world.leave(two, 1..=2);
    world.leave(three, 3..=5);
    assert_eq!(rules(&world.plan()), ["left empty: it would remove all 3 people of `three`"]);
    assert_eq!(n_removed(&world.plan()), 2);
    // If others replace the removed people, the team isn't left empty.
    world.team_mut(three).members = vec![GithubUserId(6)];
    assert_eq!((rules(&world.plan()), n_removed(&world.plan())), (vec![], 5));
}

#[test]
fn what_was_approved_of_a_team_does_not_make_it_empty_unasked() {
    let mut world = World::of_people(4, &[]);
    let team = world.mirrored_team("crew", 1..=4);
    world.leave(team, 1..=1);
    let change = HeldChange::Remove { team, user: GithubUserId(1), slug: SentrySlug::from("crew") };
    let hold = Hold::new(vec![change], "r".into(), NOW, vec![]);
    world.state.apply(Record::Held { hold: hold.clone() });
    world.decide(&hold.name, true);
    world.leave(team, 2..=4);
    let plan = world.plan();
    assert_eq!(rules(&plan), ["left empty: it would remove all 4 people of `crew`"]);
    assert_eq!((only(&plan).changes.len(), n_removed(&plan)), (3, 1));
}

#[test]
fn what_an_event_said_and_github_denies_is_held_no_longer_than_replicas_lag() {
    let mut world = World::of_people(3, &[]);
    let (crew, band) = (world.mirrored_team("crew", [1]), world.mirrored_team("band", [3]));
    let deleted = |team| HeldChange::Delete {
        team,
        sentry: world.sentry_of(team),
        slug: world.team(team).facts.slug.to_string().as_str().into(),
    };
    let removed = |user| HeldChange::Remove { team: crew, user: GithubUserId(user), slug: "crew".into() };
    let held = [deleted(crew), deleted(band), removed(1), removed(2)];
    let hold = |changes: &[HeldChange], compared| {
        let hold = Hold::new(changes.to_vec(), "r".into(), NOW, vec![]);
        Record::Held { hold: Hold { compared, ..hold } }
    };
    let listed: Vec<_> = world.github.teams.iter().filter(|team| team.facts.id == crew).cloned().collect();
    let later = Timestamp(NOW.0 + LAG.as_millis() as u64 + 1);
    let mut of_events = world.state.clone();
    of_events.apply(hold(&held, false));
    assert_eq!(denied(&of_events, &listed, later), [held[0].clone(), held[2].clone()]);
    assert!(denied(&of_events, &listed, Timestamp(later.0 - 1)).is_empty());
    // Each comparison judges its own holds again, so they are not denied here.
    let mut of_comparisons = world.state.clone();
    of_comparisons.apply(hold(&held, true));
    assert!(denied(&of_comparisons, &listed, later).is_empty());
}

#[test]
fn a_deletion_that_a_crash_has_interrupted_counts_once() {
    let mut world = World::of_people(1, &[("SYNC_DELETE_TEAMS", "delete")]);
    let teams: Vec<_> = (0..10).map(|n| world.mirrored_team(&format!("t{n}"), [1])).collect();
    world.delete(teams[0]);
    world.end(teams[0], NOW);
    world.delete(teams[1]);
    let intent = Intent::Deleting { sentry: world.sentry_of(teams[1]), slug: SentrySlug::from("t1") };
    world.state.apply(Record::Intends { team: teams[1], intent, at: NOW });
    assert_eq!((rules(&world.plan()), world.plan().counts().delete), (vec![], 1));
    world.delete(teams[2]);
    let rule = "SYNC_MAX_DELETIONS 5%,2: 2 of 10 teams would be deleted, after 1 within the last hour or approved; the limit is 2";
    assert_eq!(rules(&world.plan()), [rule]);
}

#[test]
fn the_first_comparison_under_a_wider_rule_removes_nobody_unasked() {
    let mut world = World::of_people(20, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    world.state.apply(Record::Rules { rules: crate::reconcile::rules::of(&world.settings) });
    world.leave(team, 1..=1);
    assert_eq!((rules(&world.plan()), n_removed(&world.plan())), (vec![], 1));
    world.settings.remove_members = crate::config::RemoveMembers::Known;
    let plan = world.plan();
    let rule = "wider rule: SYNC_REMOVE_MEMBERS was left and is known; the first comparison since";
    assert_eq!((rules(&plan), n_removed(&plan)), (vec![rule], 0));
    // Removals held then stay held at the next comparisons, under the same rule. Later ones are made.
    world.held();
    world.state.apply(Record::Rules { rules: crate::reconcile::rules::of(&world.settings) });
    world.leave(team, 2..=2);
    let plan = world.plan();
    assert_eq!((rules(&plan), n_removed(&plan)), (vec![rule], 1));
}

#[test]
fn more_than_a_share_of_all_people_is_held_and_people_count_once() {
    let mut world = World::of_people(60, &[("SYNC_MAX_REMOVALS", "5%,2")]);
    let teams: Vec<_> =
        (0..4).map(|n| world.mirrored_team(&format!("t{n}"), n * 15 + 1..=n * 15 + 15)).collect();
    let both = world.mirrored_team("both", 1..=20);
    world.leave(both, 1..=2);
    world.leave(teams[0], 1..=3);
    assert_eq!((rules(&world.plan()), n_removed(&world.plan())), (vec![], 5));
    world.leave(teams[2], 40..=40);
    let plan = world.plan();
    assert_eq!(rules(&plan), ["SYNC_MAX_REMOVALS 5%,2: 4 of 60 people would be removed; the limit is 3"]);
    assert_eq!((only(&plan).changes.len(), n_removed(&plan)), (6, 0));
}

#[test]
fn more_than_a_few_deletions_are_held_and_the_hour_counts() {
    let deleted = |n: u64| {
        let mut world = World::of_people(0, &[]);
        let teams: Vec<_> = (0..10).map(|n| world.mirrored_team(&format!("t{n}"), [])).collect();
        (0..n).for_each(|n| world.delete(teams[n as usize]));
        (world, teams)
    };
    let (mut world, teams) = deleted(2);
    assert_eq!(rules(&world.plan()), [] as [&str; 0]);
    let (three, _) = deleted(3);
    let rule = "SYNC_MAX_DELETIONS 5%,2: 3 of 10 teams would be deleted, after 0 within the last hour or approved; the limit is 2";
    assert_eq!(rules(&three.plan()), [rule]);
    let gone = |at| Record::Gone { team: teams[9], fate: Fate::Deleted, apart: false, was: None, at };
    world.delete(teams[9]);
    world.state.apply(gone(Timestamp(NOW.0 - 3_600_001)));
    assert_eq!(rules(&world.plan()), [] as [&str; 0]);
    world.state.apply(gone(Timestamp(NOW.0 - 3_599_999)));
    let rule = "SYNC_MAX_DELETIONS 5%,2: 2 of 10 teams would be deleted, after 1 within the last hour or approved; the limit is 2";
    assert_eq!(rules(&world.plan()), [rule]);
}

#[test]
fn approved_deletions_count_for_the_others() {
    let mut world = World::of_people(0, &[]);
    let teams: Vec<_> = (0..10).map(|n| world.mirrored_team(&format!("t{n}"), [])).collect();
    (0..3).for_each(|n| world.delete(teams[n]));
    let plan = world.held();
    world.decide(&only(&plan).name, true);
    world.delete(teams[3]);
    let plan = world.plan();
    assert_eq!(plan.teams.iter().filter(|team| team.held.is_none()).count(), 3, "{plan}");
    let rule = "SYNC_MAX_DELETIONS 5%,2: 1 of 10 teams would be deleted, after 3 within the last hour or approved; the limit is 2";
    assert_eq!(rules(&plan), [rule]);
}

#[test]
fn an_adopted_team_is_deleted_or_emptied_through_a_hold_only() {
    for policy in ["delete", "unless-projects", "empty"] {
        let mut world = World::of_people(3, &[("SYNC_DELETE_TEAMS", policy)]);
        let team = world.mirrored_team("crew", 1..=3);
        let sentry = world.sentry_of(team);
        world.bind(team, sentry, Origin::Adopted);
        world.delete(team);
        let plan = world.held();
        assert_eq!(rules(&plan), ["adopted: the Sentry team existed before this service"]);
        assert!(plan.teams[0].held.is_some(), "{plan}");
        world.decide(&only(&plan).name, true);
        let plan = world.plan();
        assert!(plan.holds.is_empty() && plan.teams[0].held.is_none(), "{policy}: {plan}");
    }
}

#[test]
fn a_protected_or_kept_team_is_left_and_counts_for_nothing() {
    for pairs in [[("SYNC_PROTECT", "t0, t1, t2, t3")], [("SYNC_DELETE_TEAMS", "keep")]] {
        let mut world = World::of_people(2, &pairs);
        let teams: Vec<_> = (0..4).map(|n| world.mirrored_team(&format!("t{n}"), 1..=2)).collect();
        teams.iter().for_each(|team| world.delete(*team));
        let plan = world.plan();
        assert!(plan.teams.iter().all(|team| matches!(team.step, Step::Leave { .. })), "{plan}");
        assert!(plan.holds.is_empty() && plan.is_in_sync(), "{plan}");
        assert_eq!(plan.teams.len(), 4);
    }
}

#[test]
fn after_damage_every_removal_and_deletion_is_held() {
    let mut world = World::of_people(20, &[]);
    let (team, other) = (world.mirrored_team("crew", 1..=10), world.mirrored_team("other", []));
    world.leave(team, 1..=1);
    world.team_mut(team).members.push(GithubUserId(11));
    world.delete(other);
    world.state.apply(Record::Damaged { at: NOW });
    let plan = world.plan();
    let rule = format!("the journal was found damaged at {NOW}, so removals need approval");
    assert_eq!(rules(&plan), [rule.as_str(), rule.as_str()]);
    assert_eq!((n_removed(&plan), plan.counts().add, plan.counts().held), (0, 1, 2));
}

#[test]
fn below_ninety_percent_of_the_last_reading_nothing_is_taken_away() {
    for (last, what) in [
        (Sizes { teams: 2, people: 8, memberships: 9 }, "1 teams on GitHub, 2 the last time"),
        (Sizes { teams: 1, people: 11, memberships: 9 }, "9 people on GitHub, 11 the last time"),
        (Sizes { teams: 1, people: 9, memberships: 11 }, "9 memberships on GitHub, 11 the last time"),
    ] {
        let mut world = World::of_people(20, &[]);
        let team = world.mirrored_team("crew", 1..=10);
        world.leave(team, 1..=1);
        world.put_in(team, 501..=509);
        world.state.apply(Record::Read { sizes: last, at: NOW });
        let rule = format!("short reading: {what}; below 90 % removals need approval");
        let plan = world.plan();
        assert_eq!((rules(&plan), n_removed(&plan), plan.counts().add), (vec![rule.as_str()], 0, 1));
        // Exactly 90 % is enough.
        let sizes = Sizes { teams: 1, people: 10, memberships: 10 };
        world.state.apply(Record::Read { sizes, at: NOW });
        assert_eq!(n_removed(&world.plan()), 1);
    }
}

#[test]
fn a_short_reading_ends_no_team_for_good() {
    let mut world = World::of_people(10, &[("SYNC_PROTECT", "crew")]);
    let (crew, other) = (world.mirrored_team("crew", 1..=10), world.mirrored_team("other", 1..=10));
    let whole = world.sizes();
    [crew, other].into_iter().for_each(|team| world.delete(team));
    let steps = |world: &World| world.plan().teams.into_iter().map(|team| team.step).collect::<Vec<_>>();
    assert!(matches!(steps(&world)[..], [Step::Leave { .. }, Step::Delete { .. }]));
    world.state.apply(Record::Read { sizes: whole, at: NOW });
    assert!(matches!(steps(&world)[..], [Step::NotVisible, Step::Delete { .. }]));
    assert!(only(&world.plan()).rule.starts_with("short reading: 0 teams on GitHub, 2 the last time"));
}

#[test]
fn people_whom_nobody_matches_are_held_under_all() {
    let mut world = World::of_people(5, &[("SYNC_REMOVE_MEMBERS", "all")]);
    let team = world.mirrored_team("crew", 1..=4);
    world.member(900);
    world.put_in(team, [501, 502, 503, 504, 900]);
    let plan = world.held();
    assert_eq!(rules(&plan), ["SYNC_REMOVE_MEMBERS all: no source matches these people to a GitHub account"]);
    assert_eq!(n_removed(&plan), 0);
    world.decide(&only(&plan).name, true);
    let plan = world.plan();
    assert_eq!((n_removed(&plan), plan.teams[0].remove[0].member), (1, MemberId(900)));
}
