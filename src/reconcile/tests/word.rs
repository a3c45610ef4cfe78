//! What a person's word does to what is held.

use super::build::{decide, n_removed, only, rules};
use super::world::{World, AFTER, NOW};
use crate::clock::Timestamp;
use crate::reconcile::plan::Step;
use crate::state::holds::{Hold, FIRST};
use crate::state::ids::*;
use crate::state::record::Record;
use crate::state::values::Origin;

const ALL: usize = usize::MAX;

#[test]
fn the_first_comparison_is_one_hold_that_lets_the_mirror_begin() {
    let mut world = World::of_people(9, &[]);
    let (old, _) = (world.github_team("old", 1..=3), world.github_team("new", 1..=3));
    world.new_sentry_team(SentrySlug::from("old"), "Old".into(), vec![]);
    world.first = true;
    let (plan, done) = world.round(ALL);
    assert_eq!(only(&plan).rule, format!("{FIRST}: the first comparison, and Sentry has teams already"));
    assert_eq!((only(&plan).changes.len(), done.calls), (2, 0));
    assert!(plan.teams.iter().all(|team| team.held.is_some()));
    assert!(world.state.last_read.is_none());
    // The same comparison is the same hold, and says the same.
    let (again, done) = world.round(ALL);
    assert_eq!((again.to_string(), done.calls), (plan.to_string(), 0));
    decide(&mut world, &only(&plan).name.clone(), true);
    let newcomer = world.github_team("later", 1..=1);
    let (plan, _) = world.round(ALL);
    assert!(plan.holds.is_empty(), "{plan}");
    assert_eq!(world.state.teams.binding(old).unwrap().origin, Origin::Adopted);
    assert!(world.state.teams.binding(newcomer).is_some());
}

#[test]
fn what_no_guard_ever_stops_waits_for_the_beginning_too() {
    let mut world = World::of_people(9, &[]);
    let (named, joined) = (world.mirrored_team("deck", 1..=2), world.mirrored_team("crew", 1..=2));
    world.github_team("new", 1..=3);
    world.team_mut(named).facts.slug = GithubSlug::from("bridge");
    world.team_mut(joined).members.push(GithubUserId(3));
    world.state.last_read = None;
    world.first = true;
    let (plan, done) = world.round(ALL);
    assert_eq!((only(&plan).changes.len(), done.calls), (1, 0));
    let name = &only(&plan).name;
    let text = plan.to_string();
    for line in
        [format!("rename   deck -> bridge  \"DECK\"  [held {name}]"), format!("keep     crew  [held {name}]")]
    {
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[test]
fn what_only_waits_for_the_beginning_is_done_when_a_person_begins_otherwise() {
    let mut world = World::of_people(9, &[]);
    let team = world.mirrored_team("crew", 1..=9);
    world.github_team("new", 1..=3);
    world.leave(team, 1..=1);
    world.state.last_read = None;
    world.first = true;
    assert_eq!(world.round(ALL).1.calls, 0);
    // `sync --apply`, or SYNC_FIRST=apply.
    world.first = false;
    let (plan, done) = world.round(ALL);
    assert_eq!((plan.holds.len(), done.calls), (0, 5), "{plan}");
}

#[test]
fn a_rename_to_a_slug_whose_deletion_waits_for_the_beginning_waits_too() {
    let mut world = World::of_people(9, &[]);
    let (gone, renamed) = (world.mirrored_team("crew", 1..=2), world.mirrored_team("deck", 1..=2));
    world.delete(gone);
    world.team_mut(renamed).facts.slug = GithubSlug::from("crew");
    world.state.last_read = None;
    world.first = true;
    let (plan, done) = world.round(ALL);
    let step = plan.teams.iter().find(|team| team.team == renamed).map(|team| team.step.clone());
    assert_eq!((step, done.calls), (Some(Step::Wait { owner: gone }), 0), "{plan}");
}

#[test]
fn what_was_refused_at_first_is_not_done() {
    let mut world = World::of_people(9, &[]);
    world.github_team("new", 1..=3);
    world.new_sentry_team(SentrySlug::from("stranger"), "S".into(), vec![]);
    world.first = true;
    let (plan, _) = world.round(ALL);
    decide(&mut world, &only(&plan).name.clone(), false);
    let (plan, done) = world.round(ALL);
    assert!(plan.teams.is_empty() && plan.holds.is_empty() && done.calls == 0, "{plan}");
}

#[test]
fn a_newer_team_adopts_with_a_persons_word_only() {
    for approved in [true, false] {
        let mut world = World::of_people(3, &[]);
        let team = world.github_team("crew", 1..=2);
        world.team_mut(team).facts.created_at = Some(AFTER);
        let sentry = world.new_sentry_team(SentrySlug::from("crew"), "Crew".into(), vec![MemberId(503)]);
        let (plan, done) = world.round(ALL);
        assert_eq!((only(&plan).rule.as_str(), done.calls), (crate::work::step::ADOPTION_RULE, 0));
        decide(&mut world, &only(&plan).name.clone(), approved);
        let (plan, done) = world.round(ALL);
        assert!(plan.holds.is_empty(), "{plan}");
        if approved {
            assert_eq!(world.sentry_of(team), sentry);
            assert_eq!(world.sentry.in_team[&sentry], [501, 502, 503].map(MemberId));
        } else {
            assert_eq!((plan.teams.len(), done.calls), (0, 0))
        }
    }
}

#[test]
fn approving_lets_exactly_those_changes_pass() {
    let mut world = World::of_people(30, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    world.leave(team, 1..=6);
    let (plan, _) = world.round(ALL);
    let hold = only(&plan).clone();
    decide(&mut world, &hold.name, true);
    world.leave(team, 7..=12);
    let (plan, done) = world.round(ALL);
    assert_eq!(done.calls, 6);
    assert_eq!(rules(&plan), ["SYNC_MAX_TEAM_REMOVALS 25%,3: 6 of 20 people of `crew`, 5 may be"]);
    assert!(only(&plan).changes.iter().all(|change| !hold.changes.contains(change)));
}

#[test]
fn rejecting_drops_the_changes_for_as_long_as_they_are_due() {
    let mut world = World::of_people(30, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    world.leave(team, 1..=6);
    let (plan, _) = world.round(ALL);
    decide(&mut world, &only(&plan).name.clone(), false);
    for _ in 0..2 {
        let (plan, done) = world.round(ALL);
        assert!(plan.teams.is_empty() && plan.holds.is_empty() && done.calls == 0, "{plan}");
    }
    world.leave(team, 7..=7);
    assert_eq!(n_removed(&world.plan()), 1);
    // They come back: what was refused is history, and the next time they leave is another time.
    world.team_mut(team).members = (1..=20).map(GithubUserId).collect();
    world.round(ALL);
    assert_eq!(world.state.holds.iter().count(), 0);
    world.leave(team, 1..=1);
    assert_eq!(n_removed(&world.plan()), 1);
}

#[test]
fn of_two_decisions_the_later_one_counts() {
    for approved in [true, false] {
        let mut world = World::of_people(30, &[]);
        let team = world.mirrored_team("crew", 1..=20);
        world.leave(team, 1..=6);
        let (plan, _) = world.round(ALL);
        let one = only(&plan).clone();
        let change = one.changes[0].clone();
        let hold = Hold::new(vec![change.clone()], "r".into(), NOW, vec![]);
        world.state.apply(Record::Held { hold: hold.clone() });
        for (name, approved, at) in [(one.name, !approved, 1), (hold.name, approved, 2)] {
            world.state.apply(Record::Decided { name, approved, at: Timestamp(at) });
        }
        assert_eq!(world.state.holds.decision(&change).unwrap().approved, approved);
        assert_eq!(n_removed(&world.plan()), if approved { 1 } else { 5 });
    }
}

#[test]
fn the_same_changes_are_the_same_hold() {
    let mut world = World::of_people(30, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    world.leave(team, 1..=6);
    let (first, _) = world.round(ALL);
    world.now = Timestamp(NOW.0 + 3_600_000);
    let (second, _) = world.round(ALL);
    assert_eq!(first.to_string(), second.to_string());
    assert_eq!(world.state.holds.iter().count(), 1);
    world.rng.shuffle(&mut world.sentry.members);
    assert_eq!(only(&world.plan()).name, only(&first).name);
}

#[test]
fn what_was_held_is_not_let_pass_by_additions_that_make_the_team_larger() {
    let mut world = World::of_people(40, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    world.leave(team, 1..=6);
    world.team_mut(team).members.extend((21..=30).map(GithubUserId));
    let (first, done) = world.round(ALL);
    assert_eq!((only(&first).changes.len(), done.calls), (6, 10));
    let (second, done) = world.round(ALL);
    assert_eq!((only(&second).name.clone(), done.calls), (only(&first).name.clone(), 0));
}

#[test]
fn what_a_short_reading_stopped_stays_stopped_while_it_is_due() {
    let mut world = World::of_people(40, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    let full = world.team(team).members.clone();
    world.team_mut(team).members.drain(..3);
    let (first, _) = world.round(ALL);
    assert!(only(&first).rule.starts_with("short reading: 17 people on GitHub, 20 the last time"));
    // As short again, and now the last reading was no longer one.
    let (second, done) = world.round(ALL);
    assert_eq!((only(&second).name.clone(), done.calls), (only(&first).name.clone(), 0));
    world.team_mut(team).members = full;
    world.round(ALL);
    assert_eq!(world.state.holds.iter().count(), 0);
}

#[test]
fn others_go_on_while_something_is_held() {
    let mut world = World::of_people(40, &[]);
    let (team, other) = (world.mirrored_team("crew", 1..=20), world.mirrored_team("other", 21..=30));
    world.leave(team, 1..=6);
    world.round(ALL);
    world.leave(team, 7..=7);
    world.leave(other, 21..=21);
    let (plan, done) = world.round(ALL);
    assert_eq!((only(&plan).changes.len(), done.calls), (6, 2));
}
