//! What no plan may do, whatever the world.

use std::collections::{BTreeMap, BTreeSet};

use super::converge::settle;
use super::world::{World, AFTER, FIRST_START};
use crate::config::RemoveMembers;
use crate::identity::Identity;
use crate::queue::part::Removal;
use crate::reconcile::plan::{Plan, Step, TeamPlan};
use crate::state::ids::*;
use crate::state::slug;
use crate::state::values::{Origin, Source};

const ALL: usize = usize::MAX;

fn removals(plan: &Plan) -> impl Iterator<Item = (&TeamPlan, &Removal)> {
    plan.teams.iter().flat_map(|team| team.remove.iter().map(move |removal| (team, removal)))
}

/// Whether anything is taken away without a person's word.
fn takes_away(plan: &Plan) -> bool {
    let ends = |team: &TeamPlan| {
        matches!(team.step, Step::Delete { .. } | Step::Empty { .. }) && team.held.is_none()
    };
    plan.teams.iter().any(ends) || removals(plan).any(|(_, removal)| removal.held.is_none())
}

#[test]
fn nobody_is_taken_out_where_a_profile_could_not_be_read() {
    let mut world = World::of_people(4, &[("SYNC_REMOVE_MEMBERS", "all")]);
    let (a, b) = (world.mirrored_team("aa", 1..=4), world.mirrored_team("bb", 1..=4));
    world.leave(a, [1]);
    world.leave(b, [1]);
    world.person(9, Identity::Unknown { why: "unread".into() }, false);
    world.team_mut(a).members.push(GithubUserId(9));
    world.unread.insert(GithubUserId(9));
    let plan = world.plan();
    assert_eq!(plan.teams.iter().map(|team| team.slug.as_str()).collect::<Vec<_>>(), ["bb"]);
    world.unread.clear();
    assert_eq!(world.plan().counts().remove, 2);
}

#[test]
fn a_short_reading_takes_nothing_away_and_still_adds() {
    let mut short = 0;
    for seed in 0..800 {
        let mut world = World::generous(seed);
        settle(&mut world);
        let sizes = world.sizes();
        let bound: Vec<_> = world.state.teams.bindings().map(|(team, _)| team).collect();
        let half = |rng: &mut super::world::Rng| rng.percent(50);
        match world.rng.below(4) {
            0 => world.github.teams.clear(),
            1 => {
                let mut rng = world.rng.clone();
                world.github.teams.retain(|_| half(&mut rng));
            }
            2 => {
                let mut rng = world.rng.clone();
                world.github.teams.iter_mut().for_each(|team| team.members.retain(|_| half(&mut rng)));
            }
            _ => world.github.teams.iter_mut().for_each(|team| team.members.clear()),
        }
        let now = world.sizes();
        let is_short = |now: usize, before: usize| now * 10 < before * 9;
        if !is_short(now.teams, sizes.teams)
            && !is_short(now.people, sizes.people)
            && !is_short(now.memberships, sizes.memberships)
        {
            continue;
        }
        short += 1;
        // GitHub says 404 for what it does not show, too.
        world
            .deleted
            .extend(bound.iter().filter(|team| world.github.teams.iter().all(|row| row.facts.id != **team)));
        let before = world.sentry.clone();
        // And says so again: the second reading is as short as the first was.
        for n in 0..2 {
            let (plan, _) = world.round(ALL);
            let leaves = |team: &TeamPlan| matches!(team.step, Step::Leave { .. });
            assert!(n > 0 || !plan.teams.iter().any(leaves), "seed {seed}:\n{plan}");
            assert!(!takes_away(&plan), "seed {seed}:\n{plan}");
        }
        for team in &before.teams {
            let there = &world.sentry.in_team[&team.id];
            assert!(before.in_team[&team.id].iter().all(|member| there.contains(member)), "seed {seed}");
        }
        let newcomer = GithubUserId(1);
        world.known(newcomer.0, Source::Saml);
        let Some(team) = world.github.teams.first_mut() else { continue };
        team.members.insert(0, newcomer);
        let id = team.facts.id;
        let plan = world.plan();
        let row = plan.teams.iter().find(|row| row.team == id);
        let waits =
            |row: &TeamPlan| matches!(row.step, Step::Conflict { bound: false, .. } | Step::Wait { .. });
        let is_added = row.is_some_and(|row| row.add.iter().any(|added| added.user == newcomer));
        let dormant = row.is_none() && plan.dormant > 0;
        assert!(is_added || row.is_some_and(waits) || dormant, "seed {seed}:\n{plan}");
    }
    assert!(short > 500, "{short}");
}

#[test]
fn nobody_is_removed_who_is_not_known_for_certain() {
    let mut seen = BTreeMap::new();
    for seed in 0..2000 {
        let mut world = World::new(seed);
        let plan = world.plan();
        let policy = world.settings.remove_members;
        let identities = world.identities();
        let matched = |user: GithubUserId| match identities.get(&user) {
            Some(Identity::Matched { member, source, .. }) => Some((*member, *source)),
            Some(_) => None,
            None => world.state.people.matched(user).map(|found| (found.member, found.source)),
        };
        for (team, removal) in removals(&plan) {
            let about = || format!("seed {seed}: {removal:?} of\n{team}");
            *seen.entry((policy as u8, removal.user.is_some())).or_insert(0) += 1;
            assert_ne!(policy, RemoveMembers::Never, "{}", about());
            let there = world.members_of(team.team);
            let accounts: Vec<_> = world
                .sources
                .keys()
                .filter(|user| matched(**user).map(|found| found.0) == Some(removal.member))
                .collect();
            assert!(accounts.iter().all(|user| !there.contains(user)), "still in the team: {}", about());
            match removal.user {
                Some(user) => {
                    let found = matched(user);
                    assert!(found.is_some_and(|(member, _)| member == removal.member), "{}", about());
                    assert!(found.is_some_and(|(_, source)| source != Source::Public), "{}", about());
                    if policy == RemoveMembers::Left {
                        let was_in = |news: &crate::state::teams::News| news.word(user).is_some();
                        let all = world.settings.child_members;
                        let mut teams =
                            world.github.teams.iter().filter(|row| all || row.facts.id == team.team);
                        assert!(
                            teams.any(|row| world.state.teams.news(row.facts.id).is_some_and(was_in)),
                            "{}",
                            about()
                        );
                    }
                }
                None => {
                    assert_eq!((policy, accounts.len()), (RemoveMembers::All, 0), "{}", about());
                    assert!(removal.held.is_some(), "{}", about());
                }
            }
            let row = world.sentry.members.iter().find(|row| row.id == removal.member).unwrap();
            assert!(
                !world.settings.protect.covers_any(row.verified.iter().map(String::as_str)),
                "{}",
                about()
            );
        }
    }
    // Under every policy that removes, somebody was removed; and strangers only under `all`.
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(seen.values().all(|n| *n > 100), "{seen:?}");
}

#[test]
fn a_stranger_in_sentry_is_touched_by_an_allowed_adoption_only() {
    let mut adopted = 0;
    for seed in 0..2000 {
        let mut world = World::new(seed);
        world.observe();
        let before = world.clone();
        settle(&mut world);
        for team in &before.sentry.teams {
            if before.state.teams.of_sentry(team.id).is_some() {
                continue;
            }
            let about = || format!("seed {seed}: {team:?}");
            let now = world.sentry.teams.iter().find(|row| row.id == team.id);
            let Some(owner) = world.state.teams.of_sentry(team.id) else {
                assert_eq!(now, Some(team), "{}", about());
                assert_eq!(world.sentry.in_team[&team.id], before.sentry.in_team[&team.id], "{}", about());
                continue;
            };
            adopted += 1;
            assert_eq!(now, Some(team), "{}", about());
            let row = before.github.teams.iter().find(|row| row.facts.id == owner).unwrap();
            let news = before.state.teams.news(owner);
            assert_eq!(before.slug_of(row), team.slug, "{}", about());
            assert!(news.is_none_or(|news| news.named.is_none()), "{}", about());
            assert!(
                row.facts.created_at.map_or(news.is_none_or(|news| !news.born), |at| at < FIRST_START),
                "{}",
                about()
            );
            assert_eq!(world.state.teams.binding(owner).unwrap().origin, Origin::Adopted);
        }
        for row in world.github.teams.iter().filter(|row| row.facts.created_at == Some(AFTER)) {
            let was = before.state.teams.binding(row.facts.id);
            let is = world.state.teams.binding(row.facts.id).filter(|_| was.is_none());
            assert!(is.is_none_or(|known| known.origin == Origin::Created), "seed {seed}: {row:?}");
        }
    }
    assert!(adopted > 30, "{adopted}");
}

#[test]
fn a_settled_mirror_is_what_github_says() {
    for seed in 0..1000 {
        let mut world = World::generous(seed);
        settle(&mut world);
        let plan = world.plan();
        for team in &world.github.teams {
            if !world.settings.teams.matches(&team.facts.slug) {
                continue;
            }
            let row = plan.teams.iter().find(|row| row.team == team.facts.id);
            let waits = row.is_some_and(|row| matches!(row.step, Step::Wait { .. } | Step::Conflict { .. }));
            let about = || format!("seed {seed}: {team:?}\n{plan}");
            let Some(binding) = world.state.teams.binding(team.facts.id) else {
                assert!(waits, "{}", about());
                continue;
            };
            assert!(waits || binding.slug == world.slug_of(team), "{}", about());
            let there: BTreeSet<_> = world.sentry.in_team[&binding.sentry].iter().copied().collect();
            let due: BTreeSet<_> =
                world.members_of(team.facts.id).iter().filter_map(|user| world.member_of(*user)).collect();
            assert!(due.is_subset(&there), "{}", about());
            let held: BTreeSet<_> =
                row.iter().flat_map(|row| &row.remove).map(|removal| removal.member).collect();
            let known: BTreeSet<_> = world.sources.keys().filter_map(|user| world.member_of(*user)).collect();
            if world.settings.remove_members == RemoveMembers::Known && world.settings.protect.is_empty() {
                let public = |member: &MemberId| {
                    world
                        .state
                        .people
                        .matches()
                        .any(|(_, found)| found.member == *member && found.source == Source::Public)
                };
                let certain: BTreeSet<_> = world
                    .state
                    .people
                    .matches()
                    .map(|(_, found)| found.member)
                    .filter(|m| !public(m))
                    .collect();
                let too_many: Vec<_> = there
                    .iter()
                    .filter(|m| {
                        certain.contains(m) && known.contains(m) && !due.contains(m) && !held.contains(m)
                    })
                    .collect();
                assert!(too_many.is_empty(), "{too_many:?} {}", about());
            }
        }
    }
}

#[test]
fn a_team_that_is_left_out_is_not_planned_for() {
    let mut dormant = 0;
    for seed in 0..1000 {
        let mut world = World::new(seed);
        let plan = world.plan();
        let out = |team: &crate::hosts::snapshot::GithubTeam| !world.settings.teams.matches(&team.facts.slug);
        let left_out: BTreeSet<_> =
            world.github.teams.iter().filter(|team| out(team)).map(|team| team.facts.id).collect();
        assert_eq!(plan.dormant, left_out.len(), "seed {seed}");
        assert!(plan.teams.iter().all(|team| !left_out.contains(&team.team)), "seed {seed}:\n{plan}");
        dormant += left_out.len();
    }
    assert!(dormant > 50, "{dormant}");
}

#[test]
fn every_slug_fits_has_the_prefix_and_goes_to_one_team_only() {
    let mut shared = 0;
    for seed in 0..1000 {
        let mut world = World::new(seed);
        let plan = world.plan();
        let mut taken = BTreeSet::new();
        for team in plan.teams.iter() {
            let takes = match team.step {
                Step::Create | Step::Adopt { .. } | Step::Rename { .. } => true,
                Step::Wait { owner } => {
                    shared +=
                        usize::from(plan.teams.iter().any(|row| row.team == owner && row.slug == team.slug));
                    false
                }
                _ => false,
            };
            if takes {
                let slug = team.slug.as_str();
                assert!(
                    slug::fits(slug) && slug.starts_with(&world.settings.slug_prefix),
                    "seed {seed}: {slug}"
                );
                assert!(taken.insert(slug), "seed {seed}: {slug} twice in\n{plan}");
            }
        }
    }
    assert!(shared > 5, "{shared}");
}

#[test]
fn a_team_that_github_does_not_show_is_left_as_it_is_unless_it_is_deleted_for_certain() {
    let mut unseen = 0;
    for seed in 0..1000 {
        let mut world = World::generous(seed);
        let plan = world.plan();
        for (team, binding) in world.state.teams.bindings() {
            if world.github.teams.iter().any(|row| row.facts.id == team) {
                continue;
            }
            let row = plan.teams.iter().find(|row| row.team == team).unwrap();
            let ends = matches!(row.step, Step::Delete { .. } | Step::Empty { .. } | Step::Leave { .. });
            let is_deleted = world.deleted.contains(&team);
            // A short reading leaves what it can not judge.
            assert!(ends == is_deleted || row.step == Step::NotVisible, "seed {seed}: {binding:?}\n{plan}");
            assert!(row.add.is_empty() && row.remove.is_empty(), "seed {seed}:\n{plan}");
            unseen += usize::from(!is_deleted);
        }
        let before = world.clone();
        settle(&mut world);
        for (team, binding) in before.state.teams.bindings() {
            let is_gone = before.github.teams.iter().all(|row| row.facts.id != team);
            if is_gone && !before.deleted.contains(&team) {
                let row =
                    |world: &World| world.sentry.teams.iter().find(|row| row.id == binding.sentry).cloned();
                assert_eq!(row(&world), row(&before), "seed {seed}");
                assert_eq!(world.sentry.in_team[&binding.sentry], before.sentry.in_team[&binding.sentry]);
                assert!(world.state.teams.binding(team).is_some(), "seed {seed}");
            }
        }
    }
    assert!(unseen > 50, "{unseen}");
}
