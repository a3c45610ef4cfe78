//! The effect of a person's decision on held changes.

use std::collections::BTreeSet;

use super::build::{n_removed, only, rules, taken_away, World, AFTER, NOW};
use super::text::everything;
use crate::clock::Timestamp;
use crate::reconcile::judge::changes;
use crate::reconcile::plan::{Plan, Step, TeamPlan};
use crate::state::holds::{HeldChange, Hold, FIRST};
use crate::state::ids::*;
use crate::state::record::Record;

/// Makes the next comparison a service's first one, with teams in Sentry.
fn first(mut world: World) -> World {
    world.state.last_read = None;
    world.first = true;
    world
}

/// The plan's step for a team; `None` if the plan doesn't have the team.
fn step(plan: &Plan, team: GithubTeamId) -> Option<&Step> {
    plan.teams.iter().find(|row| row.team == team).map(|row| &row.step)
}

/// Whether everything in the plan waits for approval.
fn waits(plan: &Plan) -> bool {
    let stays = |team: &TeamPlan| team.step == Step::Keep && team.add.is_empty();
    plan.teams.iter().all(|team| team.held.is_some() || stays(team)) && n_removed(plan) == 0
}

#[test]
fn the_first_comparison_is_one_hold_that_lets_the_mirror_begin() {
    let mut world = World::of_people(9, &[]);
    let (old, new) = (world.github_team("old", 1..=3), world.github_team("new", 1..=3));
    let sentry = world.sentry_team("old", "Old", vec![]);
    let mut world = first(world);
    let plan = world.held();
    assert_eq!(only(&plan).rule, format!("{FIRST}: the first comparison, and Sentry has teams already"));
    assert_eq!((only(&plan).changes.len(), waits(&plan)), (2, true));
    // The same comparison makes the same hold and the same text.
    assert_eq!(world.held().to_string(), plan.to_string());
    world.decide(&only(&plan).name, true);
    let later = world.github_team("later", 1..=1);
    let plan = world.plan();
    assert!(plan.holds.is_empty() && plan.teams.iter().all(|team| team.held.is_none()), "{plan}");
    assert_eq!(step(&plan, old), Some(&Step::Adopt { sentry }));
    assert_eq!([new, later].map(|team| step(&plan, team)), [Some(&Step::Create); 2]);
}

#[test]
fn the_first_comparison_holds_all_that_a_person_may_have_an_opinion_on() {
    let mut world = first(everything());
    let all: BTreeSet<_> = changes(&world.compared()).into_iter().collect();
    let plan = world.held();
    assert_eq!(only(&plan).changes, all.into_iter().collect::<Vec<_>>());
    assert_eq!(taken_away(&plan, false), BTreeSet::new());
    world.decide(&only(&plan).name, true);
    assert_eq!(taken_away(&world.plan(), false), taken_away(&plan, true));
}

#[test]
fn what_no_guard_ever_stops_waits_for_the_beginning_too() {
    let mut world = World::of_people(9, &[]);
    let (named, joined) = (world.mirrored_team("deck", 1..=2), world.mirrored_team("crew", 1..=2));
    world.github_team("new", 1..=3);
    world.team_mut(named).facts.slug = GithubSlug::from("bridge");
    world.team_mut(joined).members.push(GithubUserId(3));
    let plan = first(world).plan();
    assert_eq!((only(&plan).changes.len(), waits(&plan)), (1, true));
    let name = &only(&plan).name;
    let text = plan.to_string();
    for line in [
        format!("rename   deck -> bridge  \"DECK\"  [on hold: {name}]"),
        format!("keep     crew  [on hold: {name}]"),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[test]
fn what_only_waits_for_the_beginning_is_done_when_a_person_begins_otherwise() {
    let mut world = World::of_people(9, &[]);
    let team = world.mirrored_team("crew", 1..=9);
    world.github_team("new", 1..=3);
    world.leave(team, 1..=1);
    let mut world = first(world);
    assert!(waits(&world.held()));
    // `sync --apply`, or SYNC_FIRST=apply.
    world.first = false;
    let plan = world.plan();
    assert!(plan.holds.is_empty(), "{plan}");
    let counts = plan.counts();
    assert_eq!((counts.create, counts.add, n_removed(&plan)), (1, 3, 1));
}

#[test]
fn a_rename_to_a_slug_whose_deletion_waits_for_the_beginning_waits_too() {
    let mut world = World::of_people(9, &[]);
    let (gone, renamed) = (world.mirrored_team("crew", 1..=2), world.mirrored_team("deck", 1..=2));
    world.delete(gone);
    world.team_mut(renamed).facts.slug = GithubSlug::from("crew");
    assert_eq!(step(&first(world).plan(), renamed), Some(&Step::Wait { owner: gone }));
}

#[test]
fn what_was_refused_at_first_is_not_done() {
    let mut world = World::of_people(9, &[]);
    world.github_team("new", 1..=3);
    world.sentry_team("stranger", "S", vec![]);
    let mut world = first(world);
    let plan = world.held();
    world.decide(&only(&plan).name, false);
    let plan = world.plan();
    assert!(plan.teams.is_empty() && plan.holds.is_empty(), "{plan}");
}

#[test]
fn a_newer_team_adopts_with_a_persons_word_only() {
    for approved in [true, false] {
        let mut world = World::of_people(3, &[]);
        let team = world.github_team("crew", 1..=2);
        world.team_mut(team).facts.created_at = Some(AFTER);
        let sentry = world.sentry_team("crew", "Crew", vec![MemberId(503)]);
        let plan = world.held();
        assert_eq!(only(&plan).rule, crate::work::step::ADOPTION_RULE);
        assert_eq!(step(&plan, team), Some(&Step::Conflict { sentry, bound: false }));
        world.decide(&only(&plan).name, approved);
        let plan = world.plan();
        assert!(plan.holds.is_empty(), "{plan}");
        assert_eq!(step(&plan, team), approved.then_some(&Step::Adopt { sentry }));
        // The members that it had stay.
        let counts = plan.counts();
        assert_eq!((counts.add, counts.remove), (if approved { 2 } else { 0 }, 0));
    }
}

#[test]
fn a_word_on_one_hold_is_no_word_on_others() {
    let mut world = everything();
    let before = world.held();
    let passed = taken_away(&before, false);
    for hold in before.holds.iter().filter(|hold| !matches!(hold.changes[0], HeldChange::Adopt { .. })) {
        let chosen: BTreeSet<_> = hold.changes.iter().cloned().collect();
        for approved in [true, false] {
            let mut world = world.clone();
            world.decide(&hold.name, approved);
            let after = world.plan();
            let passes = taken_away(&after, false);
            if approved {
                assert_eq!(passes, passed.union(&chosen).cloned().collect(), "{after}");
            } else {
                assert_eq!(passes, passed, "{after}");
                assert!(changes(&after).iter().all(|change| !chosen.contains(change)), "{after}");
            }
            let others = |other: &&str| *other != hold.rule;
            let rules_before: Vec<_> = rules(&before).into_iter().filter(others).collect();
            assert_eq!(rules(&after), rules_before, "{after}");
        }
    }
}

#[test]
fn approving_lets_exactly_those_changes_pass() {
    let mut world = World::of_people(30, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    world.leave(team, 1..=6);
    let hold = only(&world.held()).clone();
    world.decide(&hold.name, true);
    world.leave(team, 7..=12);
    let plan = world.plan();
    assert_eq!(taken_away(&plan, false), hold.changes.into_iter().collect());
    assert_eq!(
        rules(&plan),
        ["SYNC_MAX_TEAM_REMOVALS 25%,3: 6 of 20 people would leave `crew`; the limit is 5"]
    );
}

#[test]
fn rejecting_drops_those_changes_and_no_others() {
    let mut world = World::of_people(30, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    world.leave(team, 1..=6);
    let plan = world.held();
    world.decide(&only(&plan).name, false);
    let plan = world.plan();
    assert!(plan.teams.is_empty() && plan.holds.is_empty(), "{plan}");
    world.leave(team, 7..=7);
    assert_eq!(n_removed(&world.plan()), 1);
}

#[test]
fn of_two_decisions_the_later_one_counts() {
    for approved in [true, false] {
        let mut world = World::of_people(30, &[]);
        let team = world.mirrored_team("crew", 1..=20);
        world.leave(team, 1..=6);
        let one = only(&world.held()).clone();
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
    let first = world.held();
    world.now = Timestamp(NOW.0 + 3_600_000);
    assert_eq!(world.held().to_string(), first.to_string());
    assert_eq!(world.state.holds.iter().count(), 1);
    world.sentry.members.reverse();
    assert_eq!(only(&world.plan()).name, only(&first).name);
}

#[test]
fn what_was_held_is_not_let_pass_by_additions_that_make_the_team_larger() {
    let mut world = World::of_people(40, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    world.leave(team, 1..=6);
    world.team_mut(team).members.extend((21..=30).map(GithubUserId));
    let first = world.held();
    assert_eq!((only(&first).changes.len(), first.counts().add), (6, 10));
    world.put_in(team, 501..=530);
    let second = world.plan();
    assert_eq!((&only(&second).name, n_removed(&second)), (&only(&first).name, 0));
}

#[test]
fn what_a_short_reading_stopped_stays_stopped_while_it_is_due() {
    let mut world = World::of_people(40, &[]);
    let team = world.mirrored_team("crew", 1..=20);
    let full = world.team(team).members.clone();
    world.team_mut(team).members.drain(..3);
    let first = world.held();
    assert!(only(&first).rule.starts_with("short reading: 17 people on GitHub, 20 the last time"));
    // The reading is as small again, but no longer short compared with the last one.
    world.note_what_was_seen();
    let second = world.plan();
    assert_eq!((&only(&second).name, n_removed(&second)), (&only(&first).name, 0));
    world.team_mut(team).members = full;
    assert!(world.plan().teams.is_empty());
}

#[test]
fn others_go_on_while_something_is_held() {
    let mut world = World::of_people(40, &[]);
    let (team, other) = (world.mirrored_team("crew", 1..=20), world.mirrored_team("other", 21..=30));
    world.leave(team, 1..=6);
    world.held();
    world.leave(team, 7..=7);
    world.leave(other, 21..=21);
    let plan = world.plan();
    assert_eq!((only(&plan).changes.len(), n_removed(&plan)), (6, 2));
}
