//! Where a list ends: whatever becomes of the `Link` header on its way, a page is never taken for the whole list.

use sentry_team_sync::parts::{
    base_url, Clock, Count, Github, GithubOrgId, GithubTeamId, Login, Secret, Sentry, SentrySlug,
    SentryTeamId, SignIn, TeamAt, TroubleKind, Wanted, Way, Whose,
};

use crate::standin::{
    mirror_permissions, Fault, Flavour, GithubStandin, GithubTeam, GithubToken, GithubUser, LinkFault, Rule,
    SentryStandin,
};
use crate::world::{Truth, World};

const NO_ADDRESSES: Wanted = Wanted { saml: false, verified: false };

/// `acme` with so many people, all of them in one team, and a token for which GraphQL is refused.
fn acme(n: usize) -> (GithubStandin, u64, Github) {
    let github = GithubStandin::start_as(Flavour::Dotcom, "acme", 0).expect("a loopback port");
    let owner = github.add_person(GithubUser::new("olive").owner());
    let team = github.add_team(GithubTeam::new("Crew"));
    for i in 0..n {
        let user = github.add_person(format!("u{i:03}").as_str());
        github.join(team, user);
    }
    let token = github.add_token(GithubToken::members_read(owner).without_graphql());
    let (base, token) = (base_url(&github.url()).unwrap(), SignIn::Token(Secret::new(token)));
    let client = Github::new(&base, &token, Whose::default(), &Way::local(), &Clock::System);
    (github, team, client)
}

#[test]
fn githubs_lists_are_read_to_their_end_whatever_the_link_looks_like() {
    // One page less one, exactly one, two pages, exactly three.
    for n in [99, 100, 108, 300] {
        let (github, team, client) = acme(n);
        for link in LinkFault::readable() {
            github.wire.script(Rule::new("GET *", Fault::Link(link)).always());
            let read =
                client.snapshot(&Login::from("acme"), NO_ADDRESSES).expect("no trouble").expect("acme");
            assert_eq!((read.teams[0].members.len(), read.people.len()), (n, n + 1), "{link:?}");
            let org = GithubOrgId(github.org_id());
            let first = client.first_members(org, GithubTeamId(team), Count::Direct).unwrap().unwrap();
            assert_eq!((first.0.len(), first.1), (n.min(100), n < 100), "{n} {link:?}");
            github.wire.clear_faults();
        }
    }
}

#[test]
fn a_link_that_can_not_be_read_is_a_failed_read_and_never_an_end() {
    let (github, team, client) = acme(108);
    for link in LinkFault::unreadable() {
        for nth in [1, 2] {
            let rule = Rule::new("GET /organizations/{org_id}/team/{team_id}/members", Fault::Link(link));
            github.wire.script(rule.nth(nth));
            let org = GithubOrgId(github.org_id());
            let trouble = client.members(org, GithubTeamId(team), Count::Direct).expect_err("a failed read");
            assert_eq!(trouble.kind, TroubleKind::Unknown);
            assert!(trouble.why.contains("the Link header is no use"), "{trouble}");
            github.wire.clear_faults();
        }
    }
}

#[test]
fn sentrys_lists_are_read_to_their_end_whatever_the_link_looks_like() {
    for n in [99, 100, 108, 300] {
        let standin = SentryStandin::start("acme").expect("a loopback port");
        let team = standin.add_team("crew", "Crew");
        for i in 0..n {
            let member = standin.add_member(format!("u{i}@acme.test").as_str());
            standin.join(team, member);
        }
        let token = standin.add_token(mirror_permissions());
        let base = base_url(&standin.url()).unwrap();
        let sentry =
            || Sentry::new(&base, "acme", &Secret::new(token.clone()), &base, &Way::local(), &Clock::System);
        for link in LinkFault::readable() {
            standin.wire.script(Rule::new("GET *", Fault::Link(link)).always());
            assert_eq!(sentry().members(false).expect("no trouble").len(), n, "{link:?}");
            let crew = SentrySlug::from("crew".to_string());
            let at = TeamAt { id: SentryTeamId(team), slug: &crew };
            assert_eq!(sentry().team_members(at).expect("no trouble").expect("crew").len(), n, "{link:?}");
            standin.wire.clear_faults();
        }
        for link in LinkFault::unreadable() {
            standin.wire.script(Rule::new("GET *", Fault::Link(link)));
            let trouble = sentry().members(false).expect_err("a failed read");
            assert!(trouble.why.contains("the Link header is no use"), "{trouble}");
        }
    }
}

/// GraphQL refused, a team of 108, and a proxy that drops the header: nobody is taken out.
#[test]
fn a_comparison_takes_nobody_out_because_a_header_was_lost() {
    let mut world = World::new(Truth::Github);
    let token = GithubToken::members_read(world.olive).without_graphql();
    world.github_token = world.github.add_token(token);
    world.set("GH_TOKEN", &world.github_token.clone());
    world.set("SYNC_INTERVAL", "1s");
    world.set("SYNC_FIRST", "apply");
    let crew = world.old_team("Crew");
    // What only a public profile says takes nobody out anyway.
    let mut map = String::from("olive,olive@acme.test\n");
    for i in 0..107 {
        let user = world.person(&format!("u{i:03}"));
        world.github.join(crew, user);
        map += &format!("u{i:03},u{i:03}@acme.test\n");
    }
    let file = world.dir.0.join("map.csv");
    std::fs::write(&file, map).expect("a map");
    world.set("SYNC_USER_MAP", file.to_str().expect("a plain path"));
    world.github.join(crew, world.olive);
    world.start();
    let everybody = |world: &World| world.members("crew").is_some_and(|all| all.len() == 108);
    world.wait_until("everybody is there", || everybody(&world));
    world.wait_for_rest();
    for link in LinkFault::readable() {
        world.github.wire.script(Rule::new("GET *", Fault::Link(link)).always());
        // The first one may have begun to read before.
        for _ in 0..2 {
            another_comparison(&world);
        }
        let status = world.status();
        assert_eq!(status["last_reconcile"]["differences"], 0, "{link:?}: {:#}", status["last_reconcile"]);
        assert!(everybody(&world), "{link:?}");
        world.github.wire.clear_faults();
    }
}

fn another_comparison(world: &World) {
    let last = || world.status()["last_reconcile"].clone();
    let before = last()["at"].clone();
    world.wait_until("another comparison", || last()["at"] != before && last()["open"] == 0);
}

/// The person is on the second page, of which the header does not tell.
#[test]
fn a_first_page_is_no_proof_of_an_absence() {
    let (world, crew) = World::new(Truth::Github).with_crew();
    for i in 0..104 {
        let user = world.github.add_person(format!("u{i:03}").as_str());
        world.github.join(crew, user);
    }
    let zoe = world.person("zoe");
    world.settle(&world.github.add_member(crew, zoe));
    let removed = world.github.remove_member(crew, zoe);
    world.github.join(crew, zoe);
    let mark = world.sentry.wire.mark();
    world.github.wire.script(Rule::new("GET *", Fault::Link(LinkFault::Stripped)).always());
    world.settle(&removed);
    world.wait_for_rest();
    assert!(!world.writes_since(mark).iter().any(|write| write.starts_with("DELETE")));
    world.wait_for_members("crew", &["zoe"]);
}
