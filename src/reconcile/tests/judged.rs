//! What guards let pass in any world, and what a person's word changes about that.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use crate::reconcile::judge::changes;
use crate::reconcile::plan::{Plan, Step};
use crate::state::holds::{HeldChange, Hold};
use crate::state::ids::*;
use crate::state::record::Record;

/// What takes something away, held or not.
fn taken_away(plan: &Plan, held: bool) -> BTreeSet<HeldChange> {
    let mut found = BTreeSet::new();
    for team in &plan.teams {
        let mut alone = team.clone();
        alone.remove.retain(|removal| removal.held.is_some() == held);
        let ends = matches!(team.step, Step::Delete { .. } | Step::Empty { .. });
        if !ends || team.held.is_some() != held {
            alone.step = Step::Keep;
        }
        found.extend(changes(&Plan { teams: vec![alone], ..Plan::default() }));
    }
    found
}

#[test]
fn no_more_is_let_pass_than_the_limits_say() {
    let mut held = 0;
    for seed in 0..1500 {
        let mut world = World::new(seed);
        world.observe();
        let compared = world.compared();
        let plan = world.judged(compared.clone());
        let about = || format!("seed {seed}:\n{plan}");
        let settings = &world.settings;
        let (mut people, mut ends) = (BTreeSet::new(), 0);
        for team in &plan.teams {
            let passing: Vec<_> = team.remove.iter().filter(|removal| removal.held.is_none()).collect();
            people.extend(passing.iter().map(|removal| removal.member));
            assert!(passing.len() <= settings.max_team_removals.of(team.there), "{}", about());
            let empty = team.there >= 3 && passing.len() == team.there && team.add.is_empty();
            assert!(!empty, "{}", about());
            match team.step {
                Step::Delete { adopted, .. } | Step::Empty { adopted, .. } if team.held.is_none() => {
                    assert!(!adopted, "{}", about());
                    ends += 1;
                }
                _ => {}
            }
        }
        assert!(people.len() <= settings.max_removals.of(world.people_in_teams()), "{}", about());
        assert!(ends <= settings.max_deletions.of(world.state.teams.n_bound()), "{}", about());
        // Everything that is held is in exactly one hold, under the name that its changes give it.
        let in_holds: Vec<_> = plan.holds.iter().flat_map(|hold| &hold.changes).cloned().collect();
        let adoptions = |change: &&HeldChange| !matches!(change, HeldChange::Adopt { .. });
        let taken: BTreeSet<_> = in_holds.iter().filter(adoptions).cloned().collect();
        assert_eq!(taken, taken_away(&plan, true), "{}", about());
        assert_eq!(in_holds.len(), in_holds.iter().collect::<BTreeSet<_>>().len(), "{}", about());
        for hold in &plan.holds {
            let same = Hold::new(hold.changes.clone(), String::new(), world.now, vec![]);
            assert_eq!((&same.name, &same.changes), (&hold.name, &hold.changes), "{}", about());
        }
        // Nobody's addition waits for that, unless the team itself has to wait.
        let additions = |plan: &Plan| -> BTreeMap<GithubTeamId, usize> {
            plan.teams.iter().map(|team| (team.team, team.add.len())).filter(|(_, n)| *n > 0).collect()
        };
        let (before, after) = (additions(&compared), additions(&plan));
        for (team, n) in before {
            let waits =
                plan.teams.iter().any(|row| row.team == team && matches!(row.step, Step::Wait { .. }));
            assert!(waits || after.get(&team) == Some(&n), "{}", about());
        }
        held += in_holds.len();
    }
    assert!(held > 1000, "{held}");
}

#[test]
fn a_persons_word_on_one_hold_is_no_word_on_others() {
    let mut decided = 0;
    for seed in 0..1500 {
        let mut world = World::new(seed);
        let plan = world.plan();
        let Some(hold) = world.rng.clone().pick(&plan.holds).cloned() else { continue };
        if hold.changes.iter().any(|change| matches!(change, HeldChange::Adopt { .. })) {
            continue;
        }
        decided += 1;
        let chosen: BTreeSet<_> = hold.changes.iter().cloned().collect();
        for approved in [true, false] {
            let mut world = world.clone();
            for hold in &plan.holds {
                let hold = Hold::new(hold.changes.clone(), hold.rule.clone(), world.now, vec![]);
                world.state.apply(Record::Held { hold: Hold { compared: true, ..hold } });
            }
            world.decide(&hold.name, approved);
            let after = world.plan();
            let about = || format!("seed {seed}, {}: {approved}\n{plan}\nand then\n{after}", hold.name);
            let (passed, passes) = (taken_away(&plan, false), taken_away(&after, false));
            assert_eq!(chosen.is_subset(&passes), approved, "{}", about());
            if approved {
                // Others may have to wait for what was approved: it counts.
                assert!(passes.difference(&chosen).all(|change| passed.contains(change)), "{}", about());
            } else {
                assert!(changes(&after).iter().all(|change| !chosen.contains(change)), "{}", about());
                assert_eq!(passes, passed, "{}", about());
            }
        }
    }
    assert!(decided > 300, "{decided}");
}

#[test]
fn the_first_comparison_does_nothing_before_a_person_says_so() {
    for seed in 0..500 {
        let mut world = World::new(seed);
        world.state.last_read = None;
        world.first = true;
        world.observe();
        let before = world.clone();
        let (plan, done) = world.round(usize::MAX);
        assert!(plan.holds.len() <= 1, "seed {seed}:\n{plan}");
        // With nothing to decide about, it begins.
        let Some(hold) = plan.holds.first() else { continue };
        assert_eq!((done.calls, world.picture()), (0, before.picture()), "seed {seed}:\n{plan}");
        let all: BTreeSet<_> = changes(&before.compared()).into_iter().collect();
        assert_eq!(hold.changes, all.into_iter().collect::<Vec<_>>(), "seed {seed}:\n{plan}");
        world.decide(&hold.name, true);
        let (after, _) = world.round(usize::MAX);
        let passes = taken_away(&after, false);
        assert!(taken_away(&plan, true).is_subset(&passes), "seed {seed}:\n{plan}\nand then\n{after}");
        assert!(world.state.last_read.is_some());
    }
}
