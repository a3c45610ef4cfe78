//! Lists that GitHub does not show completely.

use sentry_team_sync::parts::{Gaps, List};

use super::*;

#[test]
fn teams_that_do_not_come_to_rest_are_a_list_that_is_incomplete() {
    let org = Org::new();
    let teams = sixty(&org, &[]);
    let github = slow(&org);
    let shifting = std::thread::scope(|scope| {
        org.meddle(scope, TEAMS, &[2, 4], |n| drop(org.github.delete_team(teams[n])));
        read(&github, NONE)
    });
    assert!(shifting.gaps.lacks_teams());
    assert_eq!(shifting.gaps.lists.get(&List::Teams).unwrap().to_string(), "GitHub counts 58 and shows 59");
    let after = read(&github, NONE);
    assert_eq!((after.teams.len(), after.gaps), (58, Gaps::default()));
}

/// What each list shows with a hole in it, and how it is named.
#[test]
fn a_null_is_a_gap_of_its_list_and_ends_nothing_else() {
    let org = Org::new();
    let people = org.people(120);
    for person in &people[..3] {
        org.github.set_emails(*person, None, &["x@acme.test"]);
    }
    org.github.add_person(GithubUser::new("ana").saml("ana@sso.test"));
    org.github.add_unclaimed_identity("nobody@acme.test");
    let crew = org.team("crew", &people);
    let round = org.team("round", &people[..5]);
    let whole = read(&org.by_owner(), ALL);
    assert_eq!(whole.gaps, Gaps::default(), "an identity that nobody has claimed is no gap");
    let told = |fault: GraphqlFault| {
        org.github.wire.script(Rule::new(GRAPHQL, Fault::Graphql(fault)).always());
        let snapshot = read(&org.by_owner(), ALL);
        org.github.wire.clear_faults();
        let lists = snapshot.gaps.lists.iter().map(|(list, gap)| format!("{list}: {gap}"));
        (lists.collect::<Vec<_>>(), snapshot)
    };
    for by_error in [false, true] {
        let nulls = |list| GraphqlFault::Nulls { list, entries: 1, told: by_error };
        let (lists, snapshot) = told(nulls("teams"));
        assert_eq!(lists, ["teams of the organisation: 1 of 2 is null"]);
        assert_eq!((snapshot.teams.len(), members(&snapshot, round).len()), (1, 5));
        // On each of its two pages.
        let (lists, snapshot) = told(nulls("members"));
        assert_eq!(
            lists,
            [
                format!("members of GitHub team {crew}: 2 of 120 are null"),
                format!("members of GitHub team {round}: 1 of 5 is null")
            ]
        );
        assert_eq!((members(&snapshot, crew).len(), snapshot.people.len()), (118, 122));
        let (lists, snapshot) = told(nulls("membersWithRole"));
        assert_eq!(lists, ["people of the organisation: 2 of 122 are null"]);
        let unlisted: Vec<u64> = snapshot.gaps.unlisted.iter().map(|user| user.0).collect();
        assert!(
            unlisted.len() == 1 && people.contains(&unlisted[0]),
            "{unlisted:?}: in a team, and not on the list"
        );
        let (lists, _) = told(nulls("externalIdentities"));
        assert_eq!(lists, ["single sign-on identities: 1 of 1 is null"], "members only");
    }
    for (list, by, told_as) in [
        ("teams", 3, vec!["teams of the organisation: GitHub counts 5 and shows 2".to_string()]),
        ("membersWithRole", -2, vec!["people of the organisation: GitHub counts 120 and shows 122".into()]),
        (
            "members",
            1,
            vec![
                format!("members of GitHub team {crew}: GitHub counts 121 and shows 120"),
                format!("members of GitHub team {round}: GitHub counts 6 and shows 5"),
            ],
        ),
    ] {
        let (lists, snapshot) = told(GraphqlFault::CountOff { list, by });
        assert_eq!(lists, told_as);
        assert_eq!((snapshot.teams.len(), members(&snapshot, crew).len()), (2, 120));
    }
}
