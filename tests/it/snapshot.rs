//! A whole organisation as the library reads it from the pretend GitHub: complete, in few calls, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::Scope;
use std::time::{Duration, Instant};

use serde_json::Value;

use sentry_team_sync::parts::{
    base_url, load, Claims, Clock, Github, GithubSnapshot, GithubTeam as Team, GithubTeamId, GithubUserId,
    Login, Need, Person, Secret, SignIn, Trouble, TroubleKind, Wanted, Way, Whose,
};

use crate::standin::{
    Denial, Fault, Flavour, GithubApp, GithubStandin, GithubTeam, GithubToken, GithubUser, GraphqlFault,
    Rule, APP_KEY,
};

mod gaps;
mod rest;

const GRAPHQL: &str = "POST /graphql";
const TEAMS: &str = "TeamsWithMembers";
const ENTERPRISE_LIST: &str = "GET /orgs/{org}/teams";
const ALL: Wanted = Wanted { saml: true, verified: true };
const NONE: Wanted = Wanted { saml: false, verified: false };

/// An organisation `acme` with the owner `olive`.
struct Org {
    github: GithubStandin,
    owner: u64,
}

impl Org {
    fn new() -> Org {
        Org::of(Flavour::Dotcom)
    }

    fn of(flavour: Flavour) -> Org {
        let github = GithubStandin::start_as(flavour, "acme", 0).expect("a loopback port");
        let owner = github.add_person(GithubUser::new("olive").owner());
        Org { github, owner }
    }

    fn people(&self, n: usize) -> Vec<u64> {
        (0..n).map(|i| self.github.add_person(format!("u{i:03}").as_str())).collect()
    }

    fn team(&self, new: impl Into<GithubTeam>, members: &[u64]) -> u64 {
        let team = self.github.add_team(new);
        members.iter().for_each(|user| self.github.join(team, *user));
        team
    }

    fn client(&self, token: GithubToken) -> Github {
        let base = base_url(&self.github.url()).expect("an address");
        let token = SignIn::Token(Secret::new(self.github.add_token(token)));
        Github::new(&base, &token, Whose::default(), &Way::local(), &Clock::System)
    }

    /// As an App that is installed here.
    fn by_app(&self) -> Github {
        let app = GithubApp::default();
        self.github.set_app(app.clone());
        let env = [("GH_APP_ID", app.client_id.as_str()), ("GH_APP_KEY", APP_KEY)];
        let more = [("SENTRY_TOKEN", "s"), ("SENTRY_ORG_SLUG", "acme")];
        let env = env.into_iter().chain(more).map(|(name, value)| (name.into(), value.into())).collect();
        let config = load(&BTreeMap::new(), &env, Need::Tokens).expect("a configuration");
        let base = base_url(&self.github.url()).expect("an address");
        Github::new(&base, &config.github, Whose::default(), &Way::local(), &Clock::System)
    }

    fn by_owner(&self) -> Github {
        self.client(GithubToken::members_read(self.owner))
    }

    /// All calls but the one of each reading that lists the enterprise teams.
    fn calls(&self) -> usize {
        let lists = self.github.wire.counts().get(ENTERPRISE_LIST).copied();
        self.github.wire.n_calls() - lists.unwrap_or_default()
    }

    /// The variables of each query of that name, in order of arrival.
    fn queries(&self, name: &str) -> Vec<Value> {
        let start = format!("query {name}(");
        let bodies = self.github.wire.calls().into_iter().map(|call| call.body);
        let bodies = bodies.filter_map(|body| serde_json::from_slice::<Value>(&body).ok());
        let wanted = bodies.filter(|body| body["query"].as_str().is_some_and(|q| q.starts_with(&start)));
        wanted.map(|body| body["variables"].clone()).collect()
    }

    /// How many teams each call for teams wanted.
    fn page_sizes(&self) -> Vec<u64> {
        self.queries(TEAMS).iter().filter_map(|vars| vars["first"].as_u64()).collect()
    }

    /// Does `change` each time when so many queries of that name have arrived, the last of them not answered yet.
    fn meddle<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        name: &'scope str,
        at: &'scope [usize],
        change: impl Fn(usize) + Send + 'scope,
    ) {
        let before = self.queries(name).len();
        scope.spawn(move || {
            for (n, at) in at.iter().enumerate() {
                let late = Instant::now() + Duration::from_secs(30);
                while self.queries(name).len() < before + at && Instant::now() < late {
                    std::thread::sleep(Duration::from_millis(2));
                }
                change(n);
            }
        });
    }
}

/// Slow enough that something can change while a call is on its way.
fn slow(org: &Org) -> Github {
    org.github.wire.set_latency(Duration::from_millis(150));
    org.by_owner()
}

/// Sixty teams, of which the first is called `team 00`.
fn sixty(org: &Org, members: &[u64]) -> Vec<u64> {
    (0..60).map(|n| org.team(format!("team {n:02}").as_str(), members)).collect()
}

fn acme() -> Login {
    Login::from("acme")
}

fn read(github: &Github, wanted: Wanted) -> GithubSnapshot {
    github.snapshot(&acme(), wanted).expect("no trouble").expect("an organisation")
}

fn trouble(github: &Github, wanted: Wanted) -> Trouble {
    github.snapshot(&acme(), wanted).map(|read| read.map(|read| read.teams.len())).expect_err("trouble")
}

fn team(snapshot: &GithubSnapshot, id: u64) -> &Team {
    snapshot.teams.iter().find(|team| team.facts.id == GithubTeamId(id)).expect("that team")
}

fn members(snapshot: &GithubSnapshot, id: u64) -> Vec<u64> {
    team(snapshot, id).members.iter().map(|id| id.0).collect()
}

fn claims(snapshot: &GithubSnapshot, user: u64) -> &Claims {
    &snapshot.people[&GithubUserId(user)].claims
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| text.to_string()).collect()
}

/// Every team with its name, slug, parent and direct members, and nobody else's people.
fn assert_whole(org: &Org, snapshot: &GithubSnapshot) {
    let there = org.github.teams();
    let ids: Vec<u64> = snapshot.teams.iter().map(|team| team.facts.id.0).collect();
    assert_eq!(ids, there.keys().copied().collect::<Vec<_>>(), "sorted by id");
    for team in &snapshot.teams {
        let view = &there[&team.facts.id.0];
        assert_eq!((&*team.facts.name, team.facts.slug.as_str()), (&*view.name, &*view.slug));
        assert_eq!(team.facts.parent.map(|id| id.0), view.parent);
        assert!(team.members.is_sorted());
        assert_eq!(
            team.facts.created_at.is_some(),
            !team.facts.node_id.is_empty(),
            "REST's list does not tell"
        );
        let logins: BTreeSet<&str> =
            team.members.iter().map(|id| snapshot.people[id].login.as_str()).collect();
        assert_eq!(logins, view.members.iter().map(String::as_str).collect(), "{}", view.name);
    }
}

#[test]
fn the_direct_members_of_nested_teams_are_read() {
    let org = Org::new();
    let people = org.people(4);
    let parent = org.team("Platform", &people[..2]);
    let child = org.team(GithubTeam::new("Storage").parent(parent), &people[1..3]);
    let grandchild = org.team(GithubTeam::new("Disks & Tapes").parent(child), &people[3..]);
    let empty = org.team("Empty", &[]);
    let snapshot = read(&org.by_owner(), NONE);
    assert_whole(&org, &snapshot);
    assert_eq!(members(&snapshot, parent), people[..2], "nobody of the child teams");
    assert_eq!(members(&snapshot, child), people[1..3]);
    assert_eq!(team(&snapshot, grandchild).facts.parent, Some(GithubTeamId(child)));
    assert!(members(&snapshot, empty).is_empty() && !team(&snapshot, empty).facts.node_id.is_empty());
    assert_eq!(snapshot.people.len(), 5);
    assert_eq!(snapshot.people[&GithubUserId(people[0])].login.as_str(), "u000");
    assert_eq!(org.calls(), 2, "one for teams, one for people, none for single sign-on");
}

#[test]
fn an_organisation_without_teams_is_read_too() {
    let org = Org::new();
    let snapshot = read(&org.by_owner(), ALL);
    assert!(snapshot.teams.is_empty());
    assert_eq!((snapshot.people.len(), org.calls()), (1, 3));
}

#[test]
fn a_hundred_teams_and_five_hundred_people_cost_few_calls() {
    let org = Org::new();
    let people: Vec<u64> = (0..499)
        .map(|i| org.github.add_person(GithubUser::new(&format!("u{i}")).saml(&format!("u{i}@acme.test"))))
        .collect();
    for n in 0..100 {
        let members: Vec<u64> = (0..20).map(|i| people[(n * 7 + i * 13) % people.len()]).collect();
        org.team(format!("team {n}").as_str(), &members);
    }
    let github = org.by_owner();
    let snapshot = read(&github, ALL);
    assert_whole(&org, &snapshot);
    assert_eq!(claims(&snapshot, people[498]).saml, ["u498@acme.test"]);
    assert_eq!(org.calls(), 100 / 50 + 2 * 500 / 100);
}

#[test]
fn a_large_team_costs_one_more_call_per_further_hundred() {
    let org = Org::new();
    let people = org.people(250);
    let everyone = org.team("everyone", &people);
    org.team("round", &people[..100]);
    let snapshot = read(&org.by_owner(), NONE);
    assert_whole(&org, &snapshot);
    assert_eq!(members(&snapshot, everyone).len(), 250);
    assert_eq!(org.calls(), 1 + 3 + 2, "teams, people, two tails");
}

#[test]
fn an_app_reads_a_whole_organisation_on_both_servers_and_is_not_known_to_see_all_of_it() {
    for flavour in [Flavour::Dotcom, Flavour::EnterpriseServer] {
        let org = Org::of(flavour);
        let people = org.people(3);
        org.team("Platform", &people);
        let snapshot = read(&org.by_app(), NONE);
        assert_whole(&org, &snapshot);
        assert!(!snapshot.sees_secret);
    }
}

#[test]
fn only_an_owners_token_is_known_to_see_secret_teams() {
    let org = Org::new();
    let people = org.people(2);
    org.team("open", &people);
    let own = org.team(GithubTeam::new("own").secret(), &people[..1]);
    let other = org.team(GithubTeam::new("other").secret(), &people[1..]);
    org.github.add_maintainer(own, people[0]);
    let by_owner = read(&org.by_owner(), NONE);
    assert_whole(&org, &by_owner);
    assert!(by_owner.sees_secret);
    let by_member = read(&org.client(GithubToken::members_read(people[0])), NONE);
    assert!(!by_member.sees_secret, "not for the maintainer of one of them");
    let shown: Vec<u64> = by_member.teams.iter().map(|team| team.facts.id.0).collect();
    assert!(shown.contains(&own) && !shown.contains(&other), "{shown:?}");
    let by_app = read(&org.client(GithubToken::app()), NONE);
    assert_eq!((by_app.teams.len(), by_app.sees_secret), (3, false), "it sees them, but does not say so");
}

#[test]
fn pages_are_halved_until_github_answers_and_stay_so() {
    for status in [502, 504] {
        let org = Org::new();
        let people = org.people(3);
        sixty(&org, &people);
        // 12 teams with 100 members each, and no more.
        org.github.set_node_cap(Some((12 * 101, status)));
        assert_whole(&org, &read(&org.by_owner(), NONE));
        assert_eq!(org.page_sizes(), [50, 25, 12, 12, 12, 12, 12]);
    }
}

#[test]
fn pages_are_halved_when_a_query_is_too_much_work() {
    let org = Org::new();
    let people = org.people(3);
    sixty(&org, &people);
    let github = org.by_owner();
    let too_much = |entries| Fault::Graphql(GraphqlFault::ResourceLimits { entries });
    // Three teams with three members each, and no more.
    org.github.wire.script(Rule::new(GRAPHQL, too_much(12)).always());
    assert_whole(&org, &read(&github, NONE));
    assert_eq!(org.page_sizes()[..6], [50, 25, 12, 6, 3, 3]);
    org.github.wire.clear_faults();
    org.github.wire.script(Rule::new(GRAPHQL, too_much(1)).always());
    let trouble = trouble(&github, ALL);
    assert_eq!(trouble.kind, TroubleKind::Unknown);
    assert!(trouble.why.contains("Resource limits"), "{trouble}");
    assert!(org.page_sizes().ends_with(&[50, 25, 12, 6, 3, 1]), "{:?}", org.page_sizes());
}

#[test]
fn pages_of_people_and_identities_are_halved_too() {
    let org = Org::new();
    for n in 0..120 {
        org.github.add_person(GithubUser::new(&format!("u{n}")).saml(&format!("u{n}@sso.test")));
    }
    let github = org.by_owner();
    org.github.wire.script(Rule::new(GRAPHQL, Fault::StatusHtml(504)).times(3));
    let snapshot = read(&github, ALL);
    assert_eq!(snapshot.people.len(), 121);
    assert_eq!(snapshot.people.values().filter(|person| !person.claims.saml.is_empty()).count(), 120);
}

#[test]
fn an_answer_with_errors_is_never_data() {
    let org = Org::new();
    let people = org.people(3);
    org.team("crew", &people);
    let github = org.by_owner();
    // A team's name that may not be seen takes only that team out of an answer that looks whole otherwise.
    org.github.forbid_field("name", true);
    org.github.wire.script(Rule::new("GET *", Fault::Status(500)).always());
    assert_eq!(trouble(&github, ALL).kind, TroubleKind::Unknown, "refused by GraphQL, and REST is broken");
    org.github.forbid_field("name", false);
    org.github.wire.clear_faults();
    for fault in [Fault::HtmlPage, Fault::TruncatedJson, Fault::WrongJson, Fault::Half, Fault::Cut] {
        org.github.wire.script(Rule::new(GRAPHQL, fault.clone()).nth(2));
        assert_eq!(trouble(&github, ALL).kind, TroubleKind::Unknown, "{fault:?}");
        assert_whole(&org, &read(&github, ALL));
    }
}

#[test]
fn a_limit_of_graphql_is_waited_for_as_long_as_it_names_and_a_long_one_is_the_callers() {
    let org = Org::new();
    org.team("crew", &[]);
    let script = |fault| org.github.wire.script(Rule::new(GRAPHQL, Fault::Graphql(fault)));
    script(GraphqlFault::RateLimited);
    assert_whole(&org, &read(&org.by_owner(), ALL));
    for typed in [true, false] {
        // The window ends in fifty minutes.
        script(GraphqlFault::SecondaryLimit { retry_after: 1, typed });
        assert_whole(&org, &read(&org.by_owner(), ALL));
        script(GraphqlFault::SecondaryLimit { retry_after: 40, typed });
        let github = org.by_owner();
        let TroubleKind::Later(wait) = trouble(&github, ALL).kind else { panic!("no limit") };
        assert!(wait <= Duration::from_secs(40), "{wait:?}");
        assert_eq!(
            github.host().tally().failures().find(|(name, _)| *name == "limited"),
            Some(("limited", 1))
        );
    }
}

#[test]
fn single_sign_on_refuses_the_token_and_switches_no_source_off() {
    let org = Org::new();
    let ana = org.github.add_person(GithubUser::new("ana").saml("ana@sso.test"));
    let one = Person { id: GithubUserId(ana), login: "ana".into(), bot: false };
    for marked in [true, false] {
        let github = org.by_owner();
        org.github
            .wire
            .script(Rule::new(GRAPHQL, Fault::Graphql(GraphqlFault::SamlEnforced { marked })).always());
        assert_eq!(github.claims(&acme(), &one, ALL).expect_err("refused").kind, TroubleKind::Refused);
        let github = org.by_owner();
        let trouble = trouble(&github, ALL);
        assert_eq!(trouble.kind, TroubleKind::Refused, "not read by REST either: {trouble}");
        assert!(
            trouble.why.contains("SAML enforcement") && trouble.why.contains("Configure SSO"),
            "{trouble}"
        );
        assert_eq!(github.refused_sources(), []);
        org.github.wire.clear_faults();
        let github = github.afresh();
        assert_eq!(claims(&read(&github, ALL), ana).saml, texts(&["ana@sso.test"]));
    }
    let github = org.client(GithubToken::members_read(org.owner).classic().unauthorised());
    assert_eq!(trouble(&github, ALL).kind, TroubleKind::Refused);
    assert_eq!(github.refused_sources(), []);
}

#[test]
fn a_page_that_fails_makes_the_whole_fail() {
    let org = Org::new();
    let people = org.people(220);
    sixty(&org, &people[..2]);
    let everyone = org.team("everyone", &people);
    let github = org.by_owner();
    assert_whole(&org, &read(&github, NONE));
    let calls = org.calls();
    assert_eq!(calls, 2 + 3 + 2);
    for n in 1..=calls {
        org.github.wire.script(Rule::new(GRAPHQL, Fault::Status(500)).nth(n));
        assert_eq!(trouble(&github, NONE).kind, TroubleKind::Unknown, "call {n}");
        org.github.wire.clear_faults();
    }
    assert_eq!(members(&read(&github, NONE), everyone).len(), 220);
}

#[test]
fn addresses_come_by_source_and_most_people_have_none() {
    let org = Org::new();
    let plain = org.github.add_person("plain");
    let ana = org.github.add_person(
        GithubUser::new("ana")
            .email("ana@home.test")
            .verified("ana@acme.test")
            .saml("ana@sso.test")
            .scim("ana", &["a.na@acme.test", "ana@sso.test"]),
    );
    let bo = org.github.add_person(GithubUser::new("bo").saml("U4711"));
    org.github.add_unclaimed_identity("cy@acme.test");
    let github = org.by_owner();
    let snapshot = read(&github, ALL);
    let of_ana = claims(&snapshot, ana);
    assert_eq!(of_ana.saml, texts(&["a.na@acme.test", "ana@sso.test"]));
    assert_eq!(of_ana.verified, texts(&["ana@acme.test"]));
    assert_eq!(of_ana.public.as_deref(), Some("ana@home.test"));
    assert_eq!(claims(&snapshot, bo), &Claims::default(), "a nameId is not always an address");
    assert_eq!(claims(&snapshot, plain), &Claims::default());
    let one = Person { id: GithubUserId(ana), login: "ana".into(), bot: false };
    assert_eq!(&github.claims(&acme(), &one, ALL).expect("no trouble"), of_ana, "the same as one by one");
    let snapshot = read(&github, NONE);
    let public = Claims { public: Some("ana@home.test".into()), ..Claims::default() };
    assert_eq!(claims(&snapshot, ana), &public);
}

#[test]
fn a_source_that_the_token_may_not_see_is_left_out() {
    let org = Org::new();
    let ana = org.github.add_person(
        GithubUser::new("ana").email("ana@home.test").verified("ana@acme.test").saml("ana@sso.test"),
    );
    let both = Claims {
        saml: texts(&["ana@sso.test"]),
        verified: texts(&["ana@acme.test"]),
        public: Some("ana@home.test".into()),
    };
    for (field, expected) in [
        ("organizationVerifiedDomainEmails", Claims { verified: Vec::new(), ..both.clone() }),
        ("samlIdentityProvider", Claims { saml: Vec::new(), ..both.clone() }),
        ("email", Claims { public: None, ..both.clone() }),
    ] {
        let github = org.by_owner();
        org.github.forbid_field(field, true);
        org.github.wire.reset_counts();
        assert_eq!(claims(&read(&github, ALL), ana), &expected, "{field}");
        assert_eq!(org.calls(), 3 + usize::from(field != "samlIdentityProvider"));
        org.github.forbid_field(field, false);
        assert_eq!(claims(&read(&github, ALL), ana), &expected, "{field} is not asked for again");
        let one = Person { id: GithubUserId(ana), login: "ana".into(), bot: false };
        let one = github.claims(&acme(), &one, ALL).expect("no trouble");
        assert_eq!(
            one,
            Claims { public: both.public.clone(), ..expected },
            "profiles are open to every token"
        );
        github.forget_refusals();
        assert_eq!(claims(&read(&github, ALL), ana), &both);
    }
    // Identities are for owners.
    let by_member = read(&org.client(GithubToken::members_read(ana)), ALL);
    assert_eq!(claims(&by_member, ana), &Claims { saml: Vec::new(), ..both });
}

#[test]
fn people_of_teams_who_are_not_in_the_organisation_have_no_addresses() {
    let org = Org::new();
    let stray = org.github.add_user(GithubUser::new("stray").email("stray@home.test"));
    let crew = org.team("crew", &[stray]);
    let snapshot = read(&org.by_owner(), ALL);
    assert_eq!(members(&snapshot, crew), [stray]);
    assert_eq!(snapshot.people[&GithubUserId(stray)].login.as_str(), "stray");
    assert_eq!(claims(&snapshot, stray), &Claims::default());
}

#[test]
fn teams_that_come_and_go_while_they_are_read_are_read_again() {
    let org = Org::new();
    let people = org.people(2);
    let teams = sixty(&org, &people);
    let github = slow(&org);
    std::thread::scope(|scope| {
        org.meddle(scope, TEAMS, &[2], |_| drop(org.github.delete_team(teams[0])));
        assert_eq!(read(&github, NONE).teams.len(), 59);
    });
    assert_eq!((org.page_sizes().len(), org.calls()), (4, 5), "people fit: they are not read again");
    std::thread::scope(|scope| {
        org.meddle(scope, TEAMS, &[2], |_| {
            org.github.add_team("an early one");
        });
        assert_whole(&org, &read(&github, NONE));
    });
}

#[test]
fn a_renamed_team_that_shows_twice_is_there_once() {
    let org = Org::new();
    let teams = sixty(&org, &[]);
    let github = slow(&org);
    std::thread::scope(|scope| {
        org.meddle(scope, TEAMS, &[2], |_| drop(org.github.rename_team(teams[0], "zebra")));
        assert_whole(&org, &read(&github, NONE));
    });
    assert_eq!(org.page_sizes().len(), 2, "sixty were counted, and sixty are there");
}

#[test]
fn people_who_leave_while_people_are_read_are_no_gap() {
    let org = Org::new();
    let people = org.people(220);
    let github = slow(&org);
    std::thread::scope(|scope| {
        org.meddle(scope, "People", &[2], |_| drop(org.github.remove_from_org(people[0])));
        let snapshot = read(&github, NONE);
        assert_eq!(snapshot.people.len(), 220);
        assert!(!snapshot.people.contains_key(&GithubUserId(people[0])));
    });
    assert_eq!(org.calls(), 1 + 3 + 3);
}

#[test]
fn a_large_team_that_changes_while_it_is_read_is_read_again_alone() {
    let org = Org::new();
    let people = org.people(250);
    let everyone = org.team("everyone", &people);
    let github = slow(&org);
    std::thread::scope(|scope| {
        org.meddle(scope, "TeamMembers", &[1], |_| org.github.leave(everyone, people[0]));
        assert_eq!(members(&read(&github, NONE), everyone), people[1..]);
    });
    assert_eq!((org.page_sizes().len(), org.calls()), (1, 1 + 3 + 2 + 3));
}

#[test]
fn a_large_team_that_goes_while_it_is_read_is_not_there() {
    let org = Org::new();
    let people = org.people(250);
    let everyone = org.team("everyone", &people);
    let crew = org.team("crew", &people[..1]);
    let github = slow(&org);
    std::thread::scope(|scope| {
        org.meddle(scope, "TeamMembers", &[1], |_| drop(org.github.delete_team(everyone)));
        let snapshot = read(&github, NONE);
        assert_eq!(snapshot.teams.len(), 1);
        assert_eq!(members(&snapshot, crew), people[..1]);
    });
}

#[test]
fn an_organisation_that_is_not_to_be_seen_is_none() {
    let org = Org::new();
    let github = org.by_owner();
    assert!(github.snapshot(&Login::from("other"), ALL).expect("no trouble").is_none());
    let by_rest = org.client(GithubToken::members_read(org.owner).without_graphql());
    assert!(by_rest.snapshot(&Login::from("other"), ALL).expect("no trouble").is_none());
    org.github.delete_org();
    assert!(github.snapshot(&acme(), ALL).expect("no trouble").is_none());
    assert!(by_rest.snapshot(&acme(), ALL).expect("no trouble").is_none());
}

#[test]
fn a_token_that_may_not_read_members_has_no_snapshot() {
    let org = Org::new();
    org.team("crew", &[]);
    let denied = org.client(GithubToken::no_permission(org.owner));
    assert_eq!(trouble(&denied, ALL).kind, TroubleKind::Denied);
    let hidden = org.client(GithubToken::no_permission(org.owner).denial(Denial::NotFound));
    assert!(hidden.snapshot(&acme(), ALL).expect("no trouble").is_none());
    let wrong = org.client(GithubToken::members_read(org.owner).expires(std::time::UNIX_EPOCH));
    assert_eq!(trouble(&wrong, ALL).kind, TroubleKind::Refused);
}
