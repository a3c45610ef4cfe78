//! The plan as people and programs read it.

use serde_json::json;

use super::build::{World, AFTER};
use crate::identity::Identity;
use crate::reconcile::plan::{Counts, LinkPlan, LinkWay, Plan, Step};
use crate::state::ids::*;
use crate::state::values::Origin;

/// The plan for [`everything`].
fn plan() -> Plan {
    everything().plan()
}

/// A world with nearly every kind of step and of person.
pub fn everything() -> World {
    let pairs =
        [("SYNC_DELETE_TEAMS", "delete"), ("SYNC_TEAMS", "*, !dormant"), ("SYNC_PROTECT", "old-left")];
    let mut world = World::of_people(9, &pairs);
    world.person(
        10,
        Identity::Absent { why: "no Sentry member has the single sign-on address".into(), second: None },
        false,
    );
    world.person(11, Identity::Conflict { why: "saml fits several Sentry members: 1, 2".into() }, false);
    world.mirrored_team("kept", 1..=4);
    let wide = world.mirrored_team("wide", 1..=9);
    let (moving, shy) = (world.mirrored_team("moving", [1]), world.mirrored_team("shy", [1]));
    let (old, left) = (world.mirrored_team("old", [1]), world.mirrored_team("old-left", [1]));
    let theirs = world.mirrored_team("theirs", [1]);
    let sentry = world.sentry_of(theirs);
    world.bind(theirs, sentry, Origin::Adopted);
    world.team_mut(moving).facts.slug = GithubSlug::from("moved");
    world.team_mut(moving).facts.name = "Moved\u{202e} \"here\"".into();
    world.github_team("new", [2, 3, 10, 11]);
    world.github_team("dormant", [2]);
    let late = world.github_team("late", [2]);
    world.team_mut(late).facts.created_at = Some(AFTER);
    world.github_team("early", [2]);
    for slug in ["late", "early", "taken"] {
        world.sentry_team(slug, slug, vec![]);
    }
    let stuck = world.mirrored_team("stuck", [1]);
    world.team_mut(stuck).facts.slug = GithubSlug::from("taken");
    let waits = world.mirrored_team("waits", [1]);
    world.team_mut(waits).facts.slug = GithubSlug::from("stuck");
    world.leave(wide, 1..=3);
    world.leave(wide, 4..=4);
    [old, left, theirs].into_iter().for_each(|team| world.delete(team));
    world.github.teams.retain(|team| team.facts.id != shy);
    world
}

const TEXT: &str = r#"adopt    early  Sentry team 1008
         + u2  by saml
conflict late  Sentry team 1007 was there before  [on hold: fc9fd9c6]
rename   moving -> moved  "Moved\u{202e} \"here\""
create   new  "NEW"
         + u2  by saml
         + u3  by saml
delete   old  Sentry team 1004
leave    old-left  Sentry team 1005: protected by SYNC_PROTECT
unseen   shy  GitHub does not show the team to this token
wait     stuck  GitHub team 12 still has the slug
conflict taken  Sentry team 1009 has the slug: rename or delete it in Sentry
delete   theirs  Sentry team 1006  [on hold: 8c44e767]
keep     wide
         - u1  left the GitHub team  [on hold: 6dc092fb]
         - u2  left the GitHub team  [on hold: 6dc092fb]
         - u3  left the GitHub team  [on hold: 6dc092fb]
         - u4  left the GitHub team  [on hold: 6dc092fb]
people who match no Sentry member, left as they are:
  u10: no Sentry member has the single sign-on address (in new)
  u11: in conflict: saml fits several Sentry members: 1, 2 (in new)
on hold until you decide:
  fc9fd9c6: 1 change: adoption: the GitHub team is newer than this service, and the Sentry team with its slug existed before
    sentry-team-sync approve fc9fd9c6
  8c44e767: 1 change: adopted: the Sentry team existed before this service
    sentry-team-sync approve 8c44e767
  6dc092fb: 4 changes: SYNC_MAX_TEAM_REMOVALS 25%,3: 4 of 9 people would leave `wide`; the limit is 3
    sentry-team-sync approve 6dc092fb
1 to create, 2 to adopt, 1 to rename, 2 to delete, 3 to add, 4 to remove (6 of these on hold), 2 waiting for a slug, 2 people skipped; 1 team in sync, 1 left out, 1 not shown by GitHub
"#;

#[test]
fn the_text_of_a_plan() {
    assert_eq!(plan().to_string(), TEXT);
}

#[test]
fn the_same_two_sides_give_the_same_bytes_in_any_order() {
    let json = |world: &World| serde_json::to_string(&world.plan()).unwrap();
    let (sorted, mut world) = (json(&everything()), everything());
    world.github.teams.reverse();
    world.sentry.teams.reverse();
    world.sentry.members.reverse();
    assert_eq!((world.plan().to_string().as_str(), json(&world)), (TEXT, sorted.clone()));
    for n in 1..world.github.teams.len() {
        world.github.teams.rotate_left(n);
        world.sentry.teams.rotate_left(n);
        assert_eq!((world.plan().to_string().as_str(), json(&world)), (TEXT, sorted.clone()));
    }
}

#[test]
fn the_json_of_a_plan() {
    let json = serde_json::to_value(plan()).unwrap();
    assert_eq!(
        json["teams"][1],
        json!({
            "team": 10, "slug": "late", "name": "LATE", "held": "fc9fd9c6",
            "step": { "is": "conflict", "sentry": 1007, "bound": false },
        })
    );
    assert_eq!(
        json["teams"][10]["remove"][0],
        json!({ "user": 1, "who": "u1", "member": 501, "why": "left the GitHub team", "held": "6dc092fb" })
    );
    assert_eq!(
        json["teams"][3]["add"][0],
        json!({ "user": 2, "login": "u2", "member": 502, "source": "saml" })
    );
    assert_eq!(json["skipped"][0]["teams"], json!(["new"]));
    assert_eq!(
        json["holds"][1]["changes"],
        json!([{ "is": "delete", "team": 7, "sentry": 1006, "slug": "theirs" }])
    );
    assert_eq!((&json["in_sync"], &json["dormant"]), (&json!(1), &json!(1)));
}

#[test]
fn counts_tell_what_is_to_be_done() {
    let counts = Counts {
        create: 1,
        adopt: 2,
        back: 0,
        rename: 1,
        delete: 2,
        empty: 0,
        add: 3,
        remove: 4,
        held: 6,
        stuck: 2,
        unseen: 1,
        ..Counts::default()
    };
    assert_eq!(plan().counts(), counts);
    assert!(!plan().is_in_sync() && Plan::default().is_in_sync());
    assert_eq!(Plan::default().to_string(), "in sync: 0 teams in sync, 0 left out\n");
}

#[test]
fn each_difference_counts_once_and_what_can_not_be_done_does_not() {
    let counts = Counts {
        create: 1,
        adopt: 2,
        back: 4,
        rename: 8,
        delete: 16,
        empty: 32,
        link: 64,
        relink: 128,
        unlink: 256,
        add: 512,
        remove: 1024,
        held: 5000,
        stuck: 5000,
        unseen: 5000,
        conflicts: 5000,
    };
    assert_eq!(counts.all(), 2047);
}

#[test]
fn names_in_codeowners_are_counted_by_what_becomes_of_them() {
    let mut plan = plan();
    let ways = [
        (LinkWay::Link, 1),
        (LinkWay::Relink { from: "acme/old".into() }, 2),
        (LinkWay::Unlink, 3),
        (LinkWay::Conflict { sentry: SentryTeamId(9) }, 4),
    ];
    let all = ways.iter().flat_map(|(way, n)| std::iter::repeat_n(way.clone(), *n));
    assert!(plan.teams.len() >= 10);
    for (team, way) in plan.teams.iter_mut().zip(all) {
        let (name, slug) = (OwnerName::from("acme/crew"), GithubSlug::from("crew"));
        team.link = Some(LinkPlan { name, way, held: None, slug, rows: vec![] });
    }
    let counts = plan.counts();
    assert_eq!((counts.link, counts.relink, counts.unlink, counts.conflicts), (1, 2, 3, 4));
}

#[test]
fn what_can_not_be_done_is_told_and_is_no_difference() {
    let mut world = World::of_people(1, &[]);
    let team = world.mirrored_team("shy", [1]);
    world.github.teams.clear();
    world.state.apply(crate::state::record::Record::Read { sizes: world.sizes(), at: world.now });
    let plan = world.plan();
    assert_eq!((plan.teams[0].team, &plan.teams[0].step), (team, &Step::NotVisible));
    assert!(plan.is_in_sync());
}

/// The text of the plan for only the teams with these slugs.
fn only(world: &World, slugs: &[&str]) -> String {
    let slugs: Vec<_> = slugs.iter().map(|slug| slug.to_string()).collect();
    let choice = world.chosen(&slugs).unwrap();
    world.plan().only(&choice).to_string()
}

#[test]
fn only_the_teams_asked_for_are_shown_and_counted() {
    let text = r#"create   new  "NEW"
         + u2  by saml
         + u3  by saml
delete   theirs  Sentry team 1006  [on hold: 8c44e767]
people who match no Sentry member, left as they are:
  u10: no Sentry member has the single sign-on address (in new)
  u11: in conflict: saml fits several Sentry members: 1, 2 (in new)
on hold until you decide:
  8c44e767: 1 change: adopted: the Sentry team existed before this service
    sentry-team-sync approve 8c44e767
1 to create, 1 to delete, 2 to add (1 of these on hold), 2 people skipped; 0 teams in sync, 0 left out
"#;
    let world = &everything();
    assert_eq!(only(world, &["theirs", "new"]), text);
    assert_eq!(only(world, &["kept", "dormant"]), "in sync: 1 team in sync, 1 left out\n");
}

#[test]
fn a_slug_that_no_team_has_is_named_with_the_one_that_was_meant() {
    let world = everything();
    let ask = |slugs: &[&str]| world.chosen(&slugs.iter().map(|slug| slug.to_string()).collect::<Vec<_>>());
    let what = |slugs: &[&str]| ask(slugs).unwrap_err().what();
    assert_eq!(what(&["kept", "nonsense"]), "no team has the slug `nonsense`");
    assert_eq!(
        what(&["dormnat", "\u{1b}[2J"]),
        "no team has the slug `dormnat` (did you mean `dormant`?), nor `[2J`"
    );
    assert_eq!(what(&[""]), "no team has the slug ``");
    // Sentry alone has the slug `moving`, GitHub doesn't show `shy`, and `SYNC_TEAMS` leaves out `dormant`.
    let choice = ask(&["moving", "shy", "dormant"]).unwrap();
    assert_eq!((choice.teams.len(), choice.dormant), (3, vec!["dormant".to_string()]));
}

#[test]
fn a_team_is_known_by_its_slug_on_both_sides() {
    let mut world = World::of_people(1, &[("SYNC_SLUG_PREFIX", "acme-")]);
    let (crew, other) = (world.mirrored_team("crew", [1]), world.mirrored_team("acme-crew", [1]));
    let teams = |slug: &str| world.chosen(&[slug.to_string()]).unwrap().teams;
    assert_eq!(teams("crew"), [crew].into());
    assert_eq!(teams("acme-acme-crew"), [other].into());
    // Both teams have this slug, on different sides. The one in Sentry comes first, because plans show that.
    assert_eq!(teams("acme-crew"), [crew].into());
}

#[test]
fn a_decision_about_more_than_the_chosen_teams_says_so() {
    let mut world = World::of_people(9, &[("SYNC_MAX_REMOVALS", "1%,1")]);
    let (a, b) = (world.mirrored_team("aa", 1..=9), world.mirrored_team("bb", 1..=9));
    world.leave(a, [1]);
    world.leave(b, [2, 3]);
    let text = only(&world, &["aa"]);
    assert!(text.contains(": 1 of 3 changes: SYNC_MAX_REMOVALS"), "{text}");
    assert!(text.ends_with("\n1 to remove (on hold); 0 teams in sync, 0 left out\n"), "{text}");
}

#[test]
fn a_chosen_team_waits_for_a_slug_that_only_the_whole_plan_sets_free() {
    let mut world = World::of_people(1, &[]);
    let (a, b) = (world.mirrored_team("aa", [1]), world.mirrored_team("bb", [1]));
    world.team_mut(a).facts.slug = "bb".into();
    world.team_mut(b).facts.slug = "cc".into();
    assert_eq!(world.plan().counts().rename, 2);
    let text = only(&world, &["aa"]);
    assert!(text.starts_with(&format!("wait     bb  GitHub team {b} still has the slug\n")), "{text}");
    assert!(only(&world, &["cc"]).starts_with("rename   bb -> cc"));
}

#[test]
fn what_a_person_has_rejected_has_a_count_of_its_own() {
    let mut world = World::of_people(2, &[]);
    world.mirrored_team("kept", [1]);
    world.github_team("new", [1]);
    let late = world.github_team("late", [2]);
    world.team_mut(late).facts.created_at = Some(AFTER);
    world.sentry_team("late", "Late", vec![]);
    world.first = true;
    world.state.last_read = None;
    let plan = world.held();
    world.decide(&plan.holds[0].name, false);
    let text = "in sync: 1 team in sync, 0 left out, 2 as rejected\n";
    assert_eq!(world.plan().to_string(), text);
    assert_eq!(only(&world, &["new", "kept"]), "in sync: 1 team in sync, 0 left out, 1 as rejected\n");
    let json = serde_json::to_value(world.plan()).unwrap();
    assert_eq!(json["rejected"][1]["slug"], "new");
}

#[test]
fn an_emptied_team_has_a_line_and_a_count_of_its_own() {
    let mut world = World::of_people(1, &[("SYNC_DELETE_TEAMS", "empty")]);
    let team = world.mirrored_team("crew", [1]);
    world.delete(team);
    let text = "empty    crew  Sentry team 1000\n1 to empty; 0 teams in sync, 0 left out\n";
    assert_eq!(world.plan().to_string(), text);
}
