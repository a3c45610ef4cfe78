//! What only REST tells, or tells where GraphQL is refused; and how a call of it is repeated.

use super::*;

const ENTERPRISE_MEMBERS: &str = "GET /orgs/{org}/teams/{slug}/members";

#[test]
fn rest_is_read_where_graphql_is_refused() {
    let org = Org::new();
    let people = org.people(120);
    let bot = org.github.add_person(GithubUser::new("robot").bot());
    let ana = org.github.add_person(GithubUser::new("ana").email("ana@home.test").saml("ana@sso.test"));
    let parent = org.team("Platform", &people);
    let child = org.team(GithubTeam::new("Storage").parent(parent), &[bot, ana]);
    let github = org.client(GithubToken::members_read(org.owner).without_graphql());
    let snapshot = read(&github, ALL);
    assert_whole(&org, &snapshot);
    assert_eq!(members(&snapshot, parent), people, "nobody of the child team");
    assert_eq!(members(&snapshot, child), [bot, ana]);
    assert!(snapshot.people[&GithubUserId(bot)].bot);
    assert_eq!(claims(&snapshot, ana), &Claims::default(), "lists have no addresses");
    assert!(!snapshot.sees_secret && snapshot.teams.iter().all(|team| team.facts.node_id.is_empty()));
    let everywhere = org.team(GithubTeam::new("Everywhere").enterprise(), &people[..1]);
    assert_eq!(members(&read(&github, ALL), everywhere), people[..1]);
    let rule = Rule::new("GET /organizations/{org_id}/team/*", Fault::Status(500)).nth(3);
    org.github.wire.script(rule);
    assert_eq!(trouble(&github, ALL).kind, TroubleKind::Unknown);
}

#[test]
fn an_older_server_without_graphql_can_not_tell_direct_members_of_parents() {
    let org = Org::of(Flavour::EnterpriseServer);
    let people = org.people(3);
    let parent = org.team("Platform", &people);
    let with_graphql = org.by_owner();
    let without = org.client(GithubToken::members_read(org.owner).without_graphql());
    assert_whole(&org, &read(&without, ALL));
    org.team(GithubTeam::new("Storage").parent(parent), &people[..1]);
    assert_whole(&org, &read(&with_graphql, ALL));
    let trouble = trouble(&without, ALL);
    assert_eq!(trouble.kind, TroubleKind::Never);
    assert!(trouble.why.contains("`platform`") && trouble.why.contains("needs GraphQL"), "{trouble}");
}

#[test]
fn enterprise_teams_are_read_whether_graphql_shows_them_or_not() {
    for shown in [false, true] {
        let org = Org::new();
        let people = org.people(150);
        org.team("Platform", &people[..2]);
        org.github.show_enterprise_in_graphql(shown);
        let github = org.by_owner();
        let before = org.calls();
        read(&github, NONE);
        assert_eq!(org.calls(), before + 3, "teams, and two pages of people");
        let hands = org.team(GithubTeam::new("All Hands").enterprise(), &people);
        let before = org.calls();
        let snapshot = read(&github, NONE);
        assert_whole(&org, &snapshot);
        assert_eq!(members(&snapshot, hands), people);
        assert!(snapshot.sees_secret);
        let team = snapshot.teams.iter().find(|team| team.facts.id == GithubTeamId(hands));
        assert_eq!(team.map(|team| team.facts.slug.as_str()), Some("ent:all-hands"));
        // Beyond the first page, either way: GraphQL's tail, or REST's two pages.
        assert_eq!(org.calls(), before + if shown { 4 } else { 5 }, "{shown}");
    }
}

#[test]
fn where_enterprise_teams_are_refused_no_absence_is_believed() {
    for (route, status) in [(ENTERPRISE_LIST, 422), (ENTERPRISE_LIST, 403), (ENTERPRISE_MEMBERS, 422)] {
        let org = Org::new();
        let people = org.people(2);
        org.team("Platform", &people);
        org.team(GithubTeam::new("All Hands").enterprise(), &people);
        let github = org.by_owner();
        org.github.wire.script(Rule::new(route, Fault::Status(status)).always());
        let snapshot = read(&github, NONE);
        assert_eq!((snapshot.teams.len(), snapshot.sees_secret), (1, false), "{route} {status}");
        org.github.wire.clear_faults();
        assert!(read(&github, NONE).sees_secret);
        // No answer is no refusal.
        org.github.wire.script(Rule::new(route, Fault::Status(502)).always());
        assert_eq!(trouble(&github, NONE).kind, TroubleKind::Unknown);
    }
}

#[test]
fn a_server_that_knows_no_enterprise_teams_is_asked_once_for_them() {
    let org = Org::of(Flavour::EnterpriseServer);
    sixty(&org, &[]);
    for n in 0..60 {
        org.team(format!("more {n:02}").as_str(), &[]);
    }
    let snapshot = read(&org.by_owner(), NONE);
    assert_whole(&org, &snapshot);
    let lists = org.github.wire.counts().get(ENTERPRISE_LIST).copied();
    assert_eq!((lists, snapshot.sees_secret), (Some(1), true));
}

#[test]
fn a_get_that_met_a_closing_connection_is_asked_once_more_and_a_post_is_not() {
    let org = Org::new();
    let ana = org.github.add_person("ana");
    let github = org.by_owner();
    let person = Person { id: GithubUserId(ana), login: Login::from("ana"), bot: false };
    let profile = || github.profile(&person).map(|profile| profile.is_some());
    org.github.wire.close_kept(true);
    assert!(profile().expect("a first connection"));
    let calls = org.calls();
    assert!(profile().expect("a fresh connection"));
    assert_eq!(org.calls(), calls + 2);
    // A query, too, is a POST, of which nobody can tell here whether it changes anything.
    assert_eq!(github.teams_of(&acme(), &person).unwrap_err().kind, TroubleKind::Unknown);
    assert_eq!(org.calls(), calls + 3);
}

#[test]
fn a_host_that_answers_nothing_is_asked_once_more_once() {
    let org = Org::new();
    let github = org.by_owner();
    assert!(github.org(&acme()).expect("an answer").is_some());
    org.github.wire.script(Rule::new("*", Fault::Cut).always());
    for calls in [2, 1] {
        let before = org.calls();
        assert_eq!(github.org(&acme()).unwrap_err().kind, TroubleKind::Unknown);
        assert_eq!(org.calls(), before + calls);
    }
}
