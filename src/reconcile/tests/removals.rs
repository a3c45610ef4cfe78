//! Who is removed from a team: each kind of match under each policy.

use super::build::{matched, World};
use crate::identity::Identity;
use crate::reconcile::plan::Plan;
use crate::state::ids::*;
use crate::state::values::Source;

const POLICIES: [&str; 4] = ["left", "known", "all", "never"];

/// The effect of a plan on member 501 of the team.
fn fate(plan: &Plan, team: GithubTeamId) -> &'static str {
    let row = plan.teams.iter().find(|row| row.team == team);
    let removal = row.and_then(|row| row.remove.iter().find(|removal| removal.member == MemberId(501)));
    match removal {
        None => "stays",
        Some(removal) if removal.held.is_some() => "held",
        Some(removal) => {
            assert_eq!(removal.user, Some(GithubUserId(1)));
            removal.why
        }
    }
}

#[test]
fn nobody_is_taken_out_who_is_not_known_for_certain() {
    const LEFT: &str = "left the GitHub team";
    const OUT: &str = "is not in the GitHub team";
    let (member, why) = (MemberId(501), || "w".to_string());
    let by_search = Identity::Matched { member, source: Source::Saml, warnings: vec![], by_search: true };
    let solid = [Source::Map, Source::Sentry, Source::Saml, Source::Verified];
    let weak = [Source::Public, Source::SentryLogin];
    let is = |source| matched(501, source);
    let barred = |source| Identity::Barred { member, source };
    let certain = solid.map(is).into_iter().chain(solid.map(barred));
    let uncertain = weak
        .map(is)
        .into_iter()
        .chain(weak.map(barred))
        .chain([by_search, Identity::Absent { why: why(), second: Some(member) }]);
    let nobody = [
        Identity::Absent { why: why(), second: None },
        Identity::Unknown { why: why() },
        Identity::Conflict { why: why() },
    ];
    // Under each policy: for somebody who left the team, and for somebody who was never in it on GitHub.
    let rows = [
        (certain.collect::<Vec<_>>(), [[LEFT, LEFT, LEFT, "stays"], ["stays", OUT, OUT, "stays"]]),
        (uncertain.collect(), [["stays"; 4]; 2]),
        // A member without a match is removed only with approval.
        (nobody.to_vec(), [["stays", "stays", "held", "stays"]; 2]),
    ];
    for (identities, [left, never_in]) in &rows {
        for (policy, (left, never_in)) in POLICIES.iter().zip(left.iter().zip(never_in)) {
            for identity in identities {
                for (was_in, expected) in [(true, left), (false, never_in)] {
                    let mut world = World::of_people(0, &[("SYNC_REMOVE_MEMBERS", policy)]);
                    world.member(501);
                    world.person(1, identity.clone(), false);
                    (2..=9).for_each(|n| world.known(n, Source::Saml));
                    // Another team has them, so that they are identified.
                    world.mirrored_team("other", 1..=9);
                    let team = world.mirrored_team("crew", if was_in { 1..=9 } else { 2..=9 });
                    world.put_in(team, 501..=509);
                    world.leave(team, [1]);
                    assert_eq!(fate(&world.plan(), team), *expected, "{policy}: {identity:?}, {was_in}");
                }
            }
        }
    }
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
