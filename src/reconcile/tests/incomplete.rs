//! Lists that GitHub doesn't show completely never cause a removal, and hold nothing else up.

use std::collections::BTreeSet;

use super::build::World;
use super::text::everything;
use crate::hosts::snapshot::{Gap, List};
use crate::reconcile::judge::changes;
use crate::reconcile::plan::{Plan, Step};
use crate::state::ids::*;

fn gap(shown: usize) -> Option<Gap> {
    Gap::by_nulls(shown, 1)
}

fn removed(plan: &Plan) -> BTreeSet<(GithubTeamId, MemberId)> {
    let teams = plan.teams.iter();
    teams.flat_map(|team| team.remove.iter().map(|removal| (team.team, removal.member))).collect()
}

fn left_in(plan: &Plan) -> BTreeSet<(GithubTeamId, MemberId)> {
    plan.left_in.iter().map(|left| (left.team, left.removal.member)).collect()
}

fn added(plan: &Plan) -> BTreeSet<(GithubTeamId, MemberId)> {
    let teams = plan.teams.iter();
    teams.flat_map(|team| team.add.iter().map(|addition| (team.team, addition.member))).collect()
}

#[test]
fn a_team_whose_list_has_a_hole_loses_nobody_and_gains_everybody() {
    let mut world = World::of_people(9, &[]);
    let crew = world.mirrored_team("crew", 1..=4);
    let other = world.mirrored_team("other", 1..=9);
    world.leave(crew, [1]);
    world.leave(other, [1]);
    world.team_mut(crew).members.push(GithubUserId(7));
    world.github.gaps.note(List::Members(crew), gap(4));
    let plan = world.plan();
    assert_eq!(removed(&plan), [(other, MemberId(501))].into(), "{plan}");
    assert_eq!(added(&plan), [(crew, MemberId(507))].into());
    assert_eq!(left_in(&plan), [(crew, MemberId(501))].into());
    assert!(!plan.is_the_same());
    let only = plan.only(&world.chosen(&["other".into()]).unwrap());
    assert_eq!(
        (only.in_sync, only.dormant, only.left_in.len()),
        (0, 0, 0),
        "nothing of the team that was not chosen"
    );
    let text = plan.to_string();
    for line in [
        "incomplete on GitHub; nobody is removed and no team deleted because of these lists:\n  members of `crew`: 1 of 5 is null\n",
        "not removed, because GitHub did not show enough:\n  u1 in crew: left the GitHub team; GitHub does not show all of the team's members\n",
        "1 to add, 1 to remove, 1 not removed; 0 teams in sync, 0 left out, 1 incomplete list\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let json = serde_json::to_value(&plan).unwrap();
    let incomplete = serde_json::json!([{"list": "members of `crew`", "shown": 4, "nulls": 1}]);
    assert_eq!(json["incomplete"], incomplete);
    assert_eq!((&json["left_in"][0]["who"], &json["left_in"][0]["team"]), (&"u1".into(), &crew.0.into()));
    world.github.gaps = Default::default();
    let whole = serde_json::to_value(world.plan()).unwrap();
    assert!(whole.get("incomplete").is_none() && whole.get("left_in").is_none(), "a whole plan is as before");
}

#[test]
fn where_families_count_a_hole_below_or_among_the_teams_counts_too() {
    let mut world = World::of_people(9, &[("SYNC_CHILD_MEMBERS", "all")]);
    let parent = world.mirrored_team("parent", 1..=4);
    let child = world.mirrored_team("child", 5..=9);
    let apart = world.mirrored_team("apart", 1..=9);
    world.team_mut(child).facts.parent = Some(parent);
    for team in [parent, child, apart] {
        world.leave(team, [4, 9]);
    }
    world.github.gaps.note(List::Members(child), gap(4));
    let plan = world.plan();
    assert!(removed(&plan).iter().all(|(team, _)| *team == apart) && !removed(&plan).is_empty(), "{plan}");
    world.github.gaps = Default::default();
    world.github.gaps.note(List::EnterpriseTeams, gap(0));
    let plan = world.plan();
    assert!(removed(&plan).is_empty() && left_in(&plan).len() > 3, "any team may have a child: {plan}");
    let mut direct = World::of_people(4, &[]);
    let crew = direct.mirrored_team("crew", 1..=4);
    direct.leave(crew, [1]);
    direct.github.gaps.note(List::Teams, gap(1));
    assert_eq!(removed(&direct.plan()).len(), 1, "its own list is complete");
}

#[test]
fn nobody_is_nobody_while_people_or_identities_are_missing() {
    for list in [List::People, List::Identities] {
        let mut world = World::of_people(9, &[("SYNC_REMOVE_MEMBERS", "all")]);
        let crew = world.mirrored_team("crew", 1..=4);
        world.member(900);
        world.put_in(crew, [501, 502, 503, 504, 900]);
        world.leave(crew, [1]);
        assert_eq!(removed(&world.plan()), [(crew, MemberId(501)), (crew, MemberId(900))].into());
        world.github.gaps.note(list, gap(8));
        let plan = world.plan();
        assert_eq!(removed(&plan), [(crew, MemberId(501))].into(), "{list}: {plan}");
        assert_eq!(left_in(&plan), [(crew, MemberId(900))].into());
    }
}

#[test]
fn a_team_that_is_not_shown_is_not_told_to_be_deleted() {
    let mut world = World::of_people(4, &[]);
    let crew = world.mirrored_team("crew", 1..=4);
    world.github.teams.clear();
    // The reading names no deleted teams while the list of teams is incomplete.
    world.deleted.clear();
    world.github.gaps.note(List::Teams, gap(0));
    let plan = world.plan();
    assert!(plan.teams.iter().all(|team| team.team == crew && team.step == Step::NotVisible), "{plan}");
}

#[test]
fn what_was_refused_stays_refused_while_it_can_not_be_seen() {
    let mut world = World::of_people(9, &[("SYNC_MAX_TEAM_REMOVALS", "0%,0")]);
    let crew = world.mirrored_team("crew", 1..=4);
    world.leave(crew, [1]);
    let held = world.held().holds[0].clone();
    world.github.gaps.note(List::Members(crew), gap(3));
    assert_eq!(changes(&world.compared()).len(), 1, "it is due as far as anybody knows");
    assert_eq!(left_in(&world.plan()).len(), 1);
    world.decide(&held.name, false);
    let plan = world.plan();
    assert!(plan.left_in.is_empty() && plan.holds.is_empty(), "a person has said that they stay: {plan}");
}

/// Additions and removals in other teams are made as usual. Removals that are left out are listed.
#[test]
fn holes_change_nothing_but_removals() {
    let mut world = everything();
    let whole = world.compared();
    let members: Vec<_> = world.github.teams.iter().map(|team| List::Members(team.facts.id)).collect();
    let others = [List::Teams, List::People, List::Identities];
    let one_by_one = members.iter().chain(&others).map(|list| vec![*list]);
    for lists in one_by_one.chain([members.clone(), others.to_vec()]) {
        world.github.gaps = Default::default();
        lists.iter().for_each(|list| world.github.gaps.note(*list, gap(3)));
        let plan = world.compared();
        assert_eq!(added(&plan), added(&whole), "{lists:?}");
        let all: BTreeSet<_> = removed(&plan).union(&left_in(&plan)).copied().collect();
        assert_eq!(all, removed(&whole), "{lists:?}");
        let with_gaps = world.github.with_gaps(false);
        let stays = |(team, _): &(GithubTeamId, MemberId)| with_gaps.contains(team);
        assert_eq!(left_in(&plan), removed(&whole).into_iter().filter(stays).collect(), "{lists:?}");
        let steps = |plan: &Plan| -> Vec<_> {
            let steps = plan.teams.iter().map(|team| (team.team, team.step.clone()));
            steps.filter(|(_, step)| *step != Step::Keep).collect()
        };
        assert_eq!(steps(&plan), steps(&whole), "{lists:?}");
    }
}
