//! A plan that was carried out leaves nothing to do, however it was interrupted.

use super::world::World;
use crate::config::DeleteTeams;
use crate::reconcile::judge::changes;
use crate::reconcile::plan::{Plan, Step};

const ALL: usize = usize::MAX;

/// What a plan may still tell once it was carried out: what waits for a person or a stranger, or is not to be seen.
pub fn is_settled(plan: &Plan) -> bool {
    plan.teams.iter().all(|team| {
        let is_told =
            matches!(team.step, Step::Keep | Step::Wait { .. } | Step::Conflict { .. } | Step::NotVisible);
        let is_held = team.held.is_some();
        (is_held || is_told && team.add.is_empty())
            && team.remove.iter().all(|removal| removal.held.is_some())
    })
}

/// Carries out plans until nothing is left to do; how many it took.
pub fn settle(world: &mut World) -> usize {
    for n in 0..8 {
        let (plan, done) = world.round(ALL);
        assert_eq!(done.stuck, [], "seed {}: shares that wait for ever\n{plan}", world.seed);
        if is_settled(&plan) && !has_consequences(world, &plan) {
            return n;
        }
    }
    let plan = world.plan();
    panic!("seed {}: never settles\n{plan}", world.seed);
}

/// What a plan does may give rise to more, which only the next one shows: the people who were in a team that was adopted,
/// and a slug whose fate was open until a deletion had been tried.
fn has_consequences(world: &World, plan: &Plan) -> bool {
    plan.teams.iter().filter(|team| team.held.is_none()).any(|team| match team.step {
        Step::Adopt { .. } | Step::Leave { .. } | Step::Empty { .. } => true,
        // Not believed of a short reading.
        Step::NotVisible => world.deleted.contains(&team.team),
        Step::Delete { .. } => world.settings.delete_teams == DeleteTeams::UnlessProjects,
        _ => false,
    })
}

#[test]
fn a_plan_that_was_carried_out_leaves_no_difference() {
    for seed in 0..2000 {
        let mut world = World::new(seed);
        let (plan, done) = world.round(ALL);
        assert_eq!(done.stuck, [], "seed {seed}: shares that wait for ever\n{plan}");
        let consequences = has_consequences(&world, &plan);
        let (second, done) = world.round(ALL);
        if !consequences {
            assert!(is_settled(&second), "seed {seed}:\n{plan}\nand then\n{second}");
            assert_eq!(done.calls, 0, "seed {seed}: {done:?}");
        }
        settle(&mut world);
    }
}

#[test]
fn in_sync_stays_in_sync() {
    for seed in 0..1000 {
        let mut world = World::new(seed);
        settle(&mut world);
        let (before, plan) = (world.clone(), world.plan());
        let (again, done) = world.round(ALL);
        assert_eq!((done.calls, again.to_string()), (0, plan.to_string()), "seed {seed}");
        assert_eq!(world.picture(), before.picture(), "seed {seed}");
        assert_eq!(world.state.holds, before.state.holds, "seed {seed}");
    }
}

#[test]
fn the_same_two_sides_give_the_same_bytes_in_any_order() {
    for seed in 0..1000 {
        let mut world = World::new(seed);
        let plan = world.plan();
        let mut other = world.clone();
        other.rng.shuffle(&mut other.github.teams);
        other.rng.shuffle(&mut other.sentry.teams);
        other.rng.shuffle(&mut other.sentry.members);
        let other = other.plan();
        assert_eq!(plan.to_string(), other.to_string(), "seed {seed}");
        let json = |plan: &Plan| serde_json::to_string(plan).unwrap();
        assert_eq!(json(&plan), json(&other), "seed {seed}");
    }
}

#[test]
fn a_plan_may_be_interrupted_after_any_call() {
    for seed in 0..400 {
        let mut whole = World::generous(seed);
        let mut cut = whole.clone();
        let (_, done) = whole.round(ALL);
        settle(&mut whole);
        let mut calls: Vec<_> = (0..done.calls).collect();
        cut.rng.shuffle(&mut calls);
        for calls in calls.into_iter().take(3) {
            let mut cut = cut.clone();
            let (plan, _) = cut.round(calls);
            settle(&mut cut);
            assert_eq!(cut.picture(), whole.picture(), "seed {seed}, after {calls} calls of\n{plan}");
        }
    }
}

#[test]
fn a_plan_never_undoes_what_it_has_done() {
    for seed in 0..1000 {
        let mut world = World::generous(seed);
        let (plan, _) = world.round(ALL);
        world.observe();
        for change in changes(&world.compared()) {
            let planned = plan.teams.iter().flat_map(|team| &team.add).any(|added| {
                matches!(&change, crate::state::holds::HeldChange::Remove { user, .. } if *user == added.user)
                    && plan
                        .teams
                        .iter()
                        .any(|team| Some(team.team) == change.team() && team.add.contains(added))
            });
            assert!(!planned, "seed {seed}: {change} after\n{plan}");
        }
    }
}
