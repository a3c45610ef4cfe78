//! The GitHub token, from a refused one to the exact permission that is missing.

use std::time::{Duration, SystemTime};

use super::{alone, beside, healthy, Finding};
use crate::standin::{
    Denial, Fault, Flavour, GithubStandin, GithubTeam, GithubToken, GithubUser, Limits, Rule,
};
use crate::world::World;

/// The same world with another kind of token.
fn with_token(mut world: World, token: GithubToken) -> World {
    world.github_token = world.github.add_token(token);
    world.set("GH_TOKEN", &world.github_token.clone());
    world
}

fn days(n: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(n * 86_400 + 3600)
}

#[test]
fn a_refused_token_is_told_with_where_to_make_another_and_sentry_is_still_checked() {
    let world = healthy();
    world.github.revoke(&world.github_token);
    let checked = alone(&world);
    checked
        .one("github", "GitHub rejected GH_TOKEN (401 \"Bad credentials\")")
        .must("failed", &["make a new token in GitHub: ", "→ Fine-grained tokens"]);
    assert_eq!((checked.all("github").len(), checked.exit), (1, 1));
    checked.one("sentry", "SENTRY_TOKEN has every scope").must("ok", &[]);
    checked.one("clock", "agrees with GitHub's").must("ok", &[]);
}

/// What is found of a token that may not read members.
fn payload_mode(make: impl FnOnce(GithubToken) -> GithubToken) -> Finding {
    let world = healthy();
    let token = make(GithubToken::no_permission(world.olive));
    let checked = alone(&with_token(world, token));
    assert_eq!(checked.exit, 0, "payload mode is a way to work");
    let finding = checked.one("github", "payload mode: the token cannot read teams and members");
    assert!(finding.what.contains("GET /orgs/acme/teams?per_page=1: 40"), "{finding:?}");
    finding
}

#[test]
fn from_a_failing_token_to_the_exact_permission_with_check_alone() {
    const TOKENS: &str = "Settings → Developer settings → Personal access tokens";
    let fine_grained = payload_mode(|token| token);
    let tick = "Fine-grained tokens → the token → Organization permissions → Members: Read-only";
    fine_grained.must("warning", &[TOKENS, tick, "\"acme\""]);
    assert!(fine_grained.what.contains("403") && fine_grained.what.contains("it needs \"members=read\""));

    // A 404 may have other reasons, so that no mode is chosen by it.
    let world = healthy();
    let of_another_owner = GithubToken::no_permission(world.olive).denial(Denial::NotFound);
    let checked = alone(&with_token(world, of_another_owner));
    checked
        .one("github", "GitHub does not say what the token may do")
        .must("failed", &[TOKENS, "Resource owner \"acme\"", "Members: Read-only", "approve"]);
    assert_eq!(checked.exit, 1);

    let classic = payload_mode(GithubToken::classic);
    classic.must("warning", &["tick read:org (under admin:org)", TOKENS, "→ Tokens (classic) → the token"]);
    assert!(classic.what.contains("404") && classic.what.contains("it needs the scope read:org"));
}

#[test]
fn a_permission_that_was_lost_is_a_failure_and_named() {
    let (world, _) = healthy().with_crew();
    world.github.set_token(&world.github_token, GithubToken::no_permission(world.olive));
    let checked = beside(&world);
    checked.one("github", "GH_TOKEN has lost its permission").must("failed", &["Members: Read-only"]);
    assert_eq!(checked.exit, 1);
}

#[test]
fn a_token_that_the_service_has_given_up_on_for_a_minute_is_asked_about_all_the_same() {
    let mut world = healthy();
    world.start();
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    let old = world.github_token.clone();
    world.github.revoke(&old);
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("refused", || world.get_admin("/readyz").0 == 503);
    beside(&world).one("github", "GitHub rejected GH_TOKEN").must("failed", &[]);
    let token = GithubToken::members_read(world.olive);
    world.github.set_token(&old, token);
    let checked = beside(&world);
    checked.one("github", "GH_TOKEN is valid").must("ok", &[]);
    checked
        .one("state", "the service is not ready: GitHub: GitHub rejected GH_TOKEN")
        .must("failed", &["tries again"]);
}

#[test]
fn kinds_of_tokens_are_told_by_their_first_letters() {
    let kind = |make: fn(u64) -> GithubToken| {
        let world = healthy();
        let token = make(world.olive);
        alone(&with_token(world, token)).one("github", "GH_TOKEN is valid: ").what
    };
    assert!(kind(GithubToken::members_read).ends_with("a fine-grained personal token"));
    let classic = kind(|olive| GithubToken::members_read(olive).classic());
    assert!(classic.ends_with("a classic personal token, with the scopes \"read:org\""), "{classic}");
    let bare = kind(|olive| GithubToken::no_permission(olive).classic());
    assert!(bare.ends_with("a classic personal token, without any scope"), "{bare}");
    assert!(kind(|_| GithubToken::app()).contains("an App's installation token"));
}

#[test]
fn a_token_that_expires_soon_is_warned_of() {
    for (left, level) in [(20, "ok"), (13, "warning")] {
        let world = healthy();
        let token = GithubToken::members_read(world.olive).expires(days(left));
        let checked = alone(&with_token(world, token));
        let fix: &[&str] = if level == "ok" { &[] } else { &["make a new token with the same permissions"] };
        checked.one("github", &format!("the token expires in {left}d")).must(level, fix);
        assert_eq!(checked.exit, 0);
    }
    let world = healthy();
    let token = GithubToken::members_read(world.olive).expires(SystemTime::now() - Duration::from_secs(60));
    let checked = alone(&with_token(world, token));
    checked.one("github", "GitHub rejected GH_TOKEN").must("failed", &["make a new token"]);
}

#[test]
fn what_is_left_of_the_rate_is_told() {
    let world = healthy();
    world.github.set_limits(Limits { core: 100, ..Limits::default() });
    for _ in 0..95 {
        let org = format!("{}/orgs/acme", world.github.url());
        ask(&world, &org);
    }
    alone(&world).one("github", "rate limit: 5 of 100 REST calls left").must("warning", &["account"]);
}

/// One call that counts against the token's account.
fn ask(world: &World, url: &str) {
    let (place, path) = crate::standin::client::Place::parse(url);
    let mut connection =
        crate::standin::client::Connection::open(&place, Duration::from_secs(10)).expect("a connection");
    let token = format!("Bearer {}", world.github_token);
    let headers = [("Authorization".to_string(), token), ("User-Agent".to_string(), "test".to_string())];
    assert_eq!(connection.send("GET", &path, &headers, b"").expect("an answer").status, 200);
}

#[test]
fn an_organisation_that_is_not_found_or_another_is_told() {
    let mut world = healthy();
    world.set("GH_ORG", "acmee");
    let run = |world: &World| super::Checked::read(world.alone_as_set(&["check", "--json"]));
    let checked = run(&world);
    checked.one("github", "GitHub knows no organisation \"acmee\"").must("failed", &["correct GH_ORG"]);
    assert_eq!(checked.exit, 1);
    world.env.remove("GH_ORG");
    let token = GithubToken::members_read(world.olive).other_org(7, "other");
    let world = with_token(world, token);
    let checked = run(&world);
    checked
        .one("github", "the organisation is not known: the token belongs to several")
        .must("warning", &["set GH_ORG"]);
    assert_eq!(checked.exit, 0);
}

#[test]
fn a_state_directory_of_another_organisation_is_told() {
    let (mut world, _) = healthy().with_crew();
    world.take_service().stop("-TERM");
    world.github.set_org_id(77);
    let checked = alone(&world);
    checked
        .one("github", "(77), but the state directory belongs to \"acme\"")
        .must("failed", &["SYNC_STATE_DIR"]);
    assert_eq!(checked.exit, 1);
}

#[test]
fn an_organisation_that_was_renamed_is_followed_and_told() {
    let (mut world, _) = healthy().with_crew();
    world.take_service().stop("-TERM");
    world.set("GH_ORG", "acme");
    world.github.rename_org("acme-inc");
    let checked = super::Checked::read(world.alone_as_set(&["check", "--json"]));
    checked
        .one("github", "GitHub has no organisation \"acme\"; ")
        .must("warning", &["set GH_ORG to the new name"]);
    checked.one("github", "read mode: the token can read the teams of \"acme-inc\"").must("ok", &[]);
}

#[test]
fn single_sign_on_that_the_token_is_not_authorised_for_is_told_with_the_address() {
    let world = healthy();
    let token = GithubToken::members_read(world.olive).classic().unauthorised();
    let checked = alone(&with_token(world, token));
    checked.one("github", "enforces single sign-on, and the token is not authorised").must(
        "failed",
        &["Configure SSO → Authorize", "https://github.com/orgs/acme/sso?authorization_request="],
    );
    assert_eq!(checked.exit, 1);
}

#[test]
fn a_policy_or_a_firewall_is_told_as_what_it_is_and_no_mode_follows() {
    let fixes = [
        "IP allow list of the organisation",
        "Configure SSO",
        "expires sooner",
        "a fine-grained personal token, or a GitHub App",
        "unsuspended",
        "unsuspended",
    ];
    for (policy, fix) in Fault::policies().into_iter().zip(fixes) {
        let world = healthy();
        world.github.wire.script(Rule::new("GET /orgs/{org}/teams", policy.clone()).always());
        let checked = alone(&world);
        checked.one("github", "GH_TOKEN is blocked: ").must("failed", &[fix]);
        assert!(!checked.says("github", "payload mode"), "{policy:?}");
        assert_eq!(checked.exit, 1);
    }
    for fault in Fault::of_others() {
        let world = healthy();
        world.github.wire.script(Rule::new("GET /orgs/{org}/teams", fault.clone()).always());
        let checked = alone(&world);
        checked.one("github", "failed to read the teams: ").must("failed", &[]);
        assert!(!checked.says("github", "payload mode"), "{fault:?}");
    }
}

#[test]
fn a_token_that_does_not_see_secret_teams_is_told() {
    let world = healthy();
    let ana = world.person("ana");
    world.github.add_team(GithubTeam::new("Hush").secret());
    world.old_team("Crew");
    let checked = alone(&with_token(world, GithubToken::members_read(ana)));
    checked
        .one("github", "1 team is visible; the token sees only those secret teams")
        .must("warning", &["owner"]);
}

#[test]
fn sources_of_addresses_that_the_token_may_not_read_are_told_with_what_would_open_them() {
    let world = healthy();
    world.github.add_person(GithubUser::new("ana").saml("ana@sso.test").verified("ana@acme.test"));
    let checked = alone(&world);
    checked.one("github", "single sign-on identities (`saml`) are known for 1 of 2 people").must("ok", &[]);
    checked
        .one("github", "addresses on verified domains (`verified`) are known for 1 of 2 people")
        .must("ok", &[]);
    checked.one("github", "public addresses (`public`) are known for 1 of 2 people").must("ok", &[]);
    for (field, says, fix) in [
        (
            "samlIdentityProvider",
            "this token cannot read single sign-on identities (`saml`)",
            "owner's classic token with read:org",
        ),
        (
            "organizationVerifiedDomainEmails",
            "this token cannot read addresses on verified domains (`verified`)",
            "SYNC_IDENTITY",
        ),
    ] {
        world.github.forbid_field(field, true);
        alone(&world).one("github", says).must("warning", &[fix]);
        world.github.forbid_field(field, false);
    }
}

#[test]
fn a_token_without_graphql_is_told() {
    let world = healthy();
    world.old_team("Crew");
    let token = GithubToken::members_read(world.olive).without_graphql();
    let checked = alone(&with_token(world, token));
    checked.one("github", "GraphQL is blocked").must("warning", &["firewall or proxy"]);
}

#[test]
fn a_classic_token_whose_account_is_not_in_the_organisation_is_told_so() {
    let world = healthy();
    let stranger = world.github.add_user("stranger");
    let checked = alone(&with_token(world, GithubToken::members_read(stranger).classic()));
    checked
        .one("github", "GitHub does not say what the token may do")
        .must("failed", &["add the token's account to \"acme\""]);
}

#[test]
fn an_address_without_the_path_of_the_api_is_told() {
    let mut world = healthy();
    let url = format!("{}/github", world.github.url());
    world.set("GH_API_URL", &url);
    let checked = alone(&world);
    checked.one("github", "there is no GitHub API at ").must("failed", &["https://HOST/api/v3"]);
    assert_eq!(checked.exit, 1);
    assert_eq!(world.github.wire.take_undescribed(), ["no such operation: GET /github/rate_limit"]);
}

#[test]
fn an_enterprise_server_without_rate_limits_is_no_failure() {
    let mut world = healthy();
    world.github = GithubStandin::start_as(Flavour::EnterpriseServer, "acme", 0).unwrap();
    world.olive = world.github.add_person(GithubUser::new("olive").owner().email("olive@acme.test"));
    let (url, token) = (world.github.url(), GithubToken::members_read(world.olive));
    world.set("GH_API_URL", &url);
    let checked = alone(&with_token(world, token));
    checked.one("github", "GH_TOKEN is valid").must("ok", &[]);
    assert!(!checked.says("github", "rate limit: "));
    assert_eq!((checked.bad(), checked.exit), (vec![], 0));
}

#[test]
fn a_github_that_is_down_costs_only_its_own_findings() {
    let world = healthy();
    world.github.set_down(true).unwrap();
    let checked = alone(&world);
    let finding = checked.one("github", "failed to reach GitHub at ");
    finding.must("failed", &["GH_API_URL"]);
    assert!(finding.what.contains(": no answer"), "{finding:?}");
    checked.one("sentry", "1 member or invite can be read").must("ok", &[]);
    assert_eq!(checked.exit, 1);
}

#[test]
fn answers_that_are_none_of_github_are_told() {
    for (fault, says) in [
        (Fault::HtmlPage, "200 that is no answer of the API"),
        (
            Fault::Redirect("https://login.test/".into()),
            "answered with a redirect to \"https://login.test/\"",
        ),
        (Fault::StatusHtml(502), "502"),
        (Fault::StatusHtml(403), "403 that is no answer of the API"),
        (Fault::StatusHtml(404), "there is no GitHub API at "),
        (Fault::Cut, "no answer"),
    ] {
        let world = healthy();
        world.github.wire.script(Rule::new("GET /rate_limit", fault.clone()).always());
        let checked = alone(&world);
        assert!(checked.one("github", says).level == "failed", "{fault:?}");
        assert_eq!(checked.all("github").len(), 1, "{fault:?}: the rest would only repeat it");
    }
}
