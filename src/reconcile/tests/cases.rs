//! How a comparison treats single cases.

use super::build::{matched, World};
use crate::identity::Identity;
use crate::reconcile::plan::{Step, TeamPlan};
use crate::state::holds::{HeldChange, Hold};
use crate::state::ids::*;
use crate::state::record::Record;
use crate::state::slug;
use crate::state::values::{Binding, Fate, Origin, Source};

fn row(world: &World, team: GithubTeamId) -> TeamPlan {
    let plan = world.plan();
    plan.teams.iter().find(|row| row.team == team).unwrap_or_else(|| panic!("{plan}")).clone()
}

fn members(row: &TeamPlan) -> (Vec<u64>, Vec<u64>) {
    let add = row.add.iter().map(|addition| addition.member.0).collect();
    (add, row.remove.iter().map(|removal| removal.member.0).collect())
}

#[test]
fn each_policy_removes_whom_it_names() {
    for (policy, removed) in
        [("left", vec![502]), ("known", vec![502, 504]), ("all", vec![502, 504, 900]), ("never", vec![])]
    {
        let mut world = World::of_people(4, &[("SYNC_REMOVE_MEMBERS", policy)]);
        let team = world.mirrored_team("crew", 1..=2);
        // Matched through another team, and put into this one by hand.
        world.mirrored_team("other", 3..=4);
        world.member(900);
        world.put_in(team, [501, 502, 504, 900]);
        world.leave(team, [2]);
        let plan = world.plan();
        let row = plan.teams.iter().find(|row| row.team == team);
        let mut found = row.map(|row| members(row).1).unwrap_or_default();
        found.sort();
        assert_eq!(found, removed, "{policy}");
    }
}

#[test]
fn a_protected_person_stays() {
    let mut world = World::of_people(4, &[("SYNC_PROTECT", "M501@x.example")]);
    let team = world.mirrored_team("crew", 1..=4);
    world.leave(team, [1, 2]);
    assert_eq!(members(&row(&world, team)), (vec![], vec![502]));
}

#[test]
fn somebody_with_two_accounts_stays_while_one_is_in_the_team() {
    let mut world = World::of_people(2, &[]);
    world.person(3, matched(501, Source::Map), false);
    let team = world.mirrored_team("crew", [1, 2]);
    world.team_mut(team).members.push(GithubUserId(3));
    // They are added only once.
    world.put_in(team, [502]);
    assert_eq!(members(&row(&world, team)), (vec![501], vec![]));
    world.put_in(team, [501, 502]);
    world.note_what_was_seen();
    world.leave(team, [1]);
    assert!(world.plan().teams.is_empty());
    world.leave(team, [3]);
    assert_eq!(members(&row(&world, team)), (vec![], vec![501]));
}

#[test]
fn a_public_profile_takes_nobody_out_but_another_account_may() {
    let mut world = World::of_people(1, &[("SYNC_REMOVE_MEMBERS", "all")]);
    world.known(2, Source::Public);
    let team = world.mirrored_team("crew", [1, 2]);
    world.leave(team, [2]);
    assert!(world.plan().teams.is_empty());
    // The first account is known by its profile only, the second for certain.
    world.person(3, matched(502, Source::Saml), false);
    world.team_mut(team).members.push(GithubUserId(3));
    world.note_what_was_seen();
    world.leave(team, [3]);
    assert_eq!(members(&row(&world, team)), (vec![], vec![502]));
}

#[test]
fn whoever_is_in_conflict_is_neither_added_nor_removed() {
    let mut world = World::of_people(2, &[("SYNC_REMOVE_MEMBERS", "known")]);
    let (team, other) = (world.mirrored_team("crew", 1..=2), world.mirrored_team("other", [2]));
    world.leave(team, [2]);
    world.sources.insert(GithubUserId(2), Identity::Conflict { why: "w".into() });
    world.put_in(other, []);
    // Whether the earlier match is still on record or not.
    for is_forgotten in [false, true] {
        if is_forgotten {
            world.state.apply(Record::Unmatched { user: GithubUserId(2) });
        }
        let plan = world.plan();
        assert!(plan.teams.is_empty(), "{plan}");
        assert_eq!((plan.skipped.len(), plan.skipped[0].why.as_str()), (1, "in conflict: w"));
    }
}

#[test]
fn members_of_child_teams_count_when_they_should_and_leave_the_parent_too() {
    let mut world = World::of_people(6, &[("SYNC_CHILD_MEMBERS", "all")]);
    let (parent, child) = (world.mirrored_team("parent", 1..=3), world.mirrored_team("child", 4..=5));
    world.team_mut(child).facts.parent = Some(parent);
    assert_eq!(members(&row(&world, parent)), (vec![504, 505], vec![]));
    world.put_in(parent, 501..=505);
    assert!(world.plan().teams.is_empty());
    world.leave(child, [5]);
    assert_eq!(members(&row(&world, parent)), (vec![], vec![505]));
    assert_eq!(members(&row(&world, child)), (vec![], vec![505]));
    // GitHub never makes a circle of parents, but one must not cause an endless loop.
    world.team_mut(parent).facts.parent = Some(child);
    world.plan();
}

/// Whether the former Sentry team of a team that GitHub shows again has to be created again. `None` if it doesn't
/// follow the team again.
fn back(fate: Fate, is_there: bool) -> Option<bool> {
    let mut world = World::of_people(1, &[]);
    let team = world.mirrored_team("crew", [1]);
    let was = world.state.teams.binding(team).cloned();
    let at = world.now;
    world.state.apply(Record::Gone { team, fate, apart: false, was: was.clone(), at });
    if !is_there {
        world.sentry.teams.retain(|row| Some(row.id) != was.as_ref().map(|was| was.sentry));
    }
    match row(&world, team).step {
        Step::Return { made, .. } => Some(made),
        _ => None,
    }
}

#[test]
fn a_team_that_comes_back_gets_the_sentry_team_that_is_there_or_one_in_place_of_what_was_deleted() {
    assert_eq!(back(Fate::Left, true), Some(false));
    assert_eq!(back(Fate::Deleted, true), Some(false), "a person has brought it back");
    assert_eq!(back(Fate::Deleted, false), Some(true));
    assert_eq!(back(Fate::Left, false), None, "somebody else has deleted it");
}

#[test]
fn a_sentry_team_that_follows_none_is_counted_where_it_can_be_listed() {
    let mut world = World::of_people(1, &[]);
    world.mirrored_team("crew", [1]);
    world.sentry_team("apart", "Apart", vec![]);
    assert_eq!(world.plan().unfollowed, 1);
    world.sentry.listed = false;
    assert_eq!(world.plan().unfollowed, 0);
}

#[test]
fn bots_are_nobody() {
    let mut world = World::of_people(1, &[]);
    world.person(2, Identity::Unknown { why: "w".into() }, true);
    let team = world.mirrored_team("crew", [1]);
    world.team_mut(team).members.push(GithubUserId(2));
    let plan = world.plan();
    assert!(plan.teams.is_empty() && plan.skipped.is_empty(), "{plan}");
}

#[test]
fn swaps_and_circles_of_names_are_renames() {
    let mut world = World::of_people(1, &[]);
    let teams = ["a", "b", "c"].map(|slug| world.mirrored_team(slug, [1]));
    for (team, slug) in teams.iter().zip(["b", "c", "a"]) {
        let team = world.team_mut(*team);
        (team.facts.slug, team.facts.name) = (GithubSlug::from(slug), slug.to_ascii_uppercase());
    }
    let plan = world.plan();
    let renames = plan.teams.iter().filter(|team| matches!(team.step, Step::Rename { .. }));
    assert_eq!((renames.count(), plan.teams.len()), (3, 3), "{plan}");
}

#[test]
fn a_slug_that_stays_taken_is_waited_for() {
    let mut world = World::of_people(1, &[("SYNC_DELETE_TEAMS", "delete"), ("SYNC_TEAMS", "*, !x")]);
    let (a, b, c) =
        (world.mirrored_team("a", [1]), world.mirrored_team("b", [1]), world.mirrored_team("c", [1]));
    // If the team at the head of a chain is deleted, the whole chain moves.
    world.delete(c);
    world.team_mut(b).facts.slug = GithubSlug::from("c");
    world.team_mut(a).facts.slug = GithubSlug::from("b");
    assert_eq!(row(&world, a).step, Step::Rename { from: SentrySlug::from("a") });
    // While that deletion is held, nothing moves.
    let sentry = world.sentry_of(c);
    world.bind(c, sentry, Origin::Adopted);
    assert_eq!(row(&world, b).step, Step::Wait { owner: c });
    assert_eq!(row(&world, a).step, Step::Wait { owner: b });
    let plan = world.held();
    // If the deletion is rejected, nothing moves either.
    world.decide(&plan.holds[0].name, false);
    assert_eq!(row(&world, b).step, Step::Wait { owner: c });
    assert_eq!(row(&world, a).step, Step::Wait { owner: b });
    // Nothing moves behind a team that GitHub doesn't show, or one that `SYNC_TEAMS` leaves out.
    world.deleted.clear();
    assert_eq!(row(&world, b).step, Step::Wait { owner: c });
    world.github_team("x", [1]);
    let x = GithubTeamId(4);
    let sentry = world.sentry_team("d", "D", vec![]);
    world.bind(x, sentry, Origin::Created);
    world.team_mut(a).facts.slug = GithubSlug::from("d");
    assert_eq!(row(&world, a).step, Step::Wait { owner: x });
}

#[test]
fn a_slug_that_may_be_held_at_the_last_moment_is_waited_for() {
    let mut world = World::of_people(1, &[]);
    let (a, b) = (world.mirrored_team("a", [1]), world.mirrored_team("b", [1]));
    world.delete(b);
    world.team_mut(a).facts.slug = GithubSlug::from("b");
    assert_eq!(row(&world, a).step, Step::Wait { owner: b });
    world.end(b, world.now);
    assert_eq!(row(&world, a).step, Step::Rename { from: SentrySlug::from("a") });
}

#[test]
fn of_two_teams_that_want_one_slug_the_one_that_has_it_keeps_it() {
    let mut world = World::of_people(2, &[]);
    let old = world.github_team("2024", [1]);
    let new = world.github_team("2024-655773", [2]);
    assert_eq!(row(&world, new).step, Step::Wait { owner: old });
    assert_eq!(row(&world, old).step, Step::Create);
    let sentry = world.sentry_team("2024-655773", "2024-655773", vec![]);
    world.bind(new, sentry, Origin::Created);
    assert_eq!(row(&world, old).step, Step::Wait { owner: new });
    assert!(row(&world, new).step == Step::Keep);
}

#[test]
fn a_team_that_is_known_to_be_gone_keeps_no_slug_from_others() {
    let mut world = World::of_people(2, &[]);
    let ghost = world.github_team("2024", [1]);
    let team = world.github_team("2024-655773", [2]);
    world.just_gone.insert(ghost);
    assert_eq!(row(&world, team).step, Step::Create);
}

#[test]
fn an_adopted_team_keeps_its_name_until_it_is_renamed() {
    let mut world = World::of_people(1, &[]);
    let team = world.mirrored_team("crew", [1]);
    let sentry = world.sentry_of(team);
    world.team_row(sentry).name = "By hand".into();
    assert_eq!(row(&world, team).step, Step::Rename { from: SentrySlug::from("crew") });
    world.bind(team, sentry, Origin::Adopted);
    assert!(world.plan().teams.is_empty());
    world.team_mut(team).facts.slug = GithubSlug::from("crew-2");
    assert_eq!(row(&world, team).step, Step::Rename { from: SentrySlug::from("crew") });
}

#[test]
fn an_older_team_adopts_unless_it_was_renamed_or_is_disputed() {
    let mut world = World::of_people(3, &[("SYNC_REMOVE_MEMBERS", "known")]);
    world.mirrored_team("other", 1..=3);
    let team = world.github_team("crew", [1]);
    let sentry = world.sentry_team("crew", "Crew", vec![MemberId(502)]);
    let found = row(&world, team);
    assert_eq!(found.step, Step::Adopt { sentry });
    // It has members of its own, who are compared only after the adoption.
    assert_eq!(members(&found), (vec![501], vec![]));
    let mut disputed = world.clone();
    let change = HeldChange::Adopt { team, sentry, slug: SentrySlug::from("crew") };
    let hold = Hold::new(vec![change], "r".into(), world.now, vec![]);
    disputed.state.apply(Record::Held { hold });
    assert_eq!(row(&disputed, team).step, Step::Conflict { sentry, bound: false });
    let people = vec![];
    world.state.apply(Record::News { team, born: false, named: Some(Seq(1)), first_named: None, people });
    assert_eq!(row(&world, team).step, Step::Conflict { sentry, bound: false });
    // Without a creation date, a received `created` event decides.
    world.team_mut(team).facts.created_at = None;
    for (born, step) in [(false, Step::Adopt { sentry }), (true, Step::Conflict { sentry, bound: false })] {
        world.state.apply(Record::News { team, born, named: None, first_named: None, people: vec![] });
        assert_eq!(row(&world, team).step, step);
    }
}

#[test]
fn an_enterprise_team_gets_a_slug_that_fits() {
    let mut world = World::of_people(1, &[("SYNC_SLUG_PREFIX", "acme-")]);
    let team = world.github_team("ent:platform", [1]);
    assert_eq!(row(&world, team).slug.as_str(), "acme-ent-platform-2faf7e");
}

/// This includes names and slugs that Sentry doesn't accept unchanged.
#[test]
fn a_team_that_was_made_as_planned_leaves_no_difference() {
    let long = "a-very-long-slug-that-github-allows-and-sentry-does-not-take";
    let odd = [("2024", "2024"), ("Ops", "ent:ops"), ("\u{1f980}", ""), ("Long", long), ("", "nameless")];
    let repeated = "very long ".repeat(9);
    for (name, slug) in odd.into_iter().chain([(repeated.as_str(), "long"), (" Spaced  out ", "spaced-out")])
    {
        for prefix in ["", "acme-"] {
            let mut world = World::of_people(1, &[("SYNC_SLUG_PREFIX", prefix)]);
            let team = world.github_team(slug, [1]);
            world.team_mut(team).facts.name = name.into();
            let made = row(&world, team);
            assert_eq!(made.step, Step::Create);
            assert!(slug::fits(made.slug.as_str()) && made.slug.as_str().starts_with(prefix), "{made}");
            let sentry = world.sentry_team(made.slug.as_str(), &made.name, vec![MemberId(501)]);
            world.bind(team, sentry, Origin::Created);
            assert!(world.plan().teams.is_empty(), "{name:?}, {slug:?}: {}", world.plan());
        }
    }
}

#[test]
fn a_bound_team_is_never_renamed_into_a_stranger() {
    let mut world = World::of_people(2, &[]);
    let team = world.mirrored_team("crew", [1]);
    let stranger = world.sentry_team("band", "Band", vec![]);
    let row_now = world.team_mut(team);
    row_now.facts.slug = GithubSlug::from("band");
    row_now.members.push(GithubUserId(2));
    let found = row(&world, team);
    assert_eq!(found.step, Step::Conflict { sentry: stranger, bound: true });
    // Its people are kept up to date meanwhile.
    assert_eq!(members(&found), (vec![502], vec![]));
    assert!(found.held.is_none());
}

#[test]
fn a_slug_that_its_own_sentry_team_has_by_now_is_nobody_elses() {
    let mut world = World::of_people(1, &[]);
    let team = world.mirrored_team("crew", [1]);
    let sentry = world.sentry_of(team);
    world.team_mut(team).facts.slug = GithubSlug::from("band");
    world.team_row(sentry).slug = SentrySlug::from("band");
    assert!(world.plan().teams.is_empty(), "{}", world.plan());
}

#[test]
fn a_large_organisation_is_compared_and_judged_in_one_go() {
    // 2,000 teams with a chain of 500 renames and 20,000 removals to be judged: quadratic work would take minutes.
    let mut world = World::of_people(2000, &[("SYNC_CHILD_MEMBERS", "all")]);
    for n in 0..2000u64 {
        let slug = format!("t{n}");
        let team = world.github_team(&slug, n * 10 % 2000 + 1..=n * 10 % 2000 + 10);
        let there = world.team(team).members.iter().map(|user| MemberId(500 + user.0)).collect();
        let sentry = world.sentry_team(&slug, &slug.to_ascii_uppercase(), there);
        let (slug, name) = (SentrySlug::from(slug.as_str()), slug.to_ascii_uppercase().into());
        let binding = Binding { sentry, slug, name, origin: Origin::Created };
        world.state.apply(Record::Bound { team, binding });
    }
    world.note_what_was_seen();
    for team in &mut world.github.teams {
        let id = team.facts.id.0;
        team.members.clear();
        team.facts.slug = GithubSlug::from(format!("t{}", if id <= 500 { id } else { id + 5000 }));
        team.facts.parent = (id > 1900).then_some(GithubTeamId(1));
    }
    let plan = world.judged(world.compared());
    assert_eq!((plan.counts().remove, plan.counts().rename), (20_000, 2000));
    for hold in &plan.holds {
        let hold = Hold::new(hold.changes.clone(), hold.rule.clone(), world.now, vec![]);
        world.state.apply(Record::Held { hold });
    }
    let again = world.judged(world.compared());
    assert_eq!(again.counts(), plan.counts());
    let slugs: Vec<_> = plan.teams.iter().map(|team| team.slug.to_string()).collect();
    assert_eq!(plan.only(&world.chosen(&slugs).unwrap()), plan);
}
