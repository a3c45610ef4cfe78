//! What today's Sentry does otherwise than 23.7.1: each row of the stand-in's table, asked of both.
//!
//! Every test names its rows; a row that no test names is a failure.

use super::{json as body_of, sentry, texts};
use crate::standin::http::Response;
use crate::standin::sentry::{
    mirror_permissions, Era, NewMember, NewToken, RateLimit, SentryStandin, Silo, DIFFERENCES, ERAS,
};
use serde_json::{json, Value};

/// One organisation `acme` of an era on a server of its own.
pub(super) struct Site {
    pub sentry: SentryStandin,
    pub token: String,
}

impl Site {
    /// Self-hosted, so that nothing but the era differs.
    pub fn of(era: Era) -> Site {
        let sentry = SentryStandin::start_on(era, Silo::Monolith, "acme", 0).expect("a loopback port");
        let token = sentry.add_token(mirror_permissions());
        Site { sentry, token }
    }

    pub fn today() -> Site {
        Site::of(Era::Today)
    }

    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        self.ask_as(&self.token, method, path, body)
    }

    pub fn ask_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Response {
        sentry(&self.sentry.url(), token, method, path, body)
    }

    /// An integration's token with these scopes.
    pub fn with(&self, scopes: &[&str]) -> String {
        self.sentry.add_token(NewToken::integration(scopes))
    }

    pub fn get(&self, path: &str) -> Value {
        body_of(&self.ask("GET", path, None))
    }
}

/// What a question gives on 23.7.1 and today.
pub(super) fn both<T>(question: impl Fn(&Site) -> T) -> [T; 2] {
    ERAS.map(|era| question(&Site::of(era)))
}

fn told(response: &Response) -> (u16, Value) {
    (response.status, if response.body.is_empty() { Value::Null } else { body_of(response) })
}

#[test]
fn every_row_of_the_table_is_tried() {
    let tests = [
        include_str!("sentry_today.rs"),
        include_str!("sentry_silos.rs"),
        include_str!("sentry_scim.rs"),
        include_str!("sentry_external.rs"),
    ];
    let rows = tests.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix("/// Rows: "));
    let tried: Vec<&str> = rows.flat_map(|names| names.trim_end_matches('.').split(", ")).collect();
    let missing: Vec<_> = DIFFERENCES.iter().filter(|row| !tried.contains(&row.name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    let unknown: Vec<_> =
        tried.iter().filter(|name| !DIFFERENCES.iter().any(|row| row.name == **name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for row in DIFFERENCES {
        assert!(row.observed != row.today && !row.source.is_empty(), "{row:?}");
    }
}

/// The primary address is told, and nobody is told whether it is verified.
///
/// Rows: addresses_told, identities_told, deprecated_keys_listed, partnership_told.
#[test]
fn listings_tell_primaries_alone() {
    let rows = both(|site| {
        let person = NewMember::new("ana@acme.test").also("ana@home.test", true).unverified();
        site.sentry.add_member(person);
        [site.get("/organizations/acme/members/")[0].clone(), site.get("/organizations/acme/members/1/")]
    });
    let [old, today] = rows;
    assert_eq!(texts(&old[0]["user"]["emails"], "email"), ["ana@acme.test", "ana@home.test"]);
    assert_eq!(old[1]["user"]["emails"][0]["is_verified"], false);
    assert_eq!(
        (&old[0]["role"], &old[0]["roleName"], &old[0]["groupOrgRoles"]),
        (&json!("member"), &json!("Member"), &json!([]))
    );
    assert!(old[0]["user"].get("identities").is_none());
    for row in &today {
        assert_eq!(
            (&row["email"], &row["user"]["email"]),
            (&json!("ana@acme.test"), &json!("ana@acme.test"))
        );
        assert_eq!((&row["user"]["emails"], &row["user"]["identities"]), (&json!([]), &json!([])));
        assert_eq!(
            (&row["orgRole"], &row["flags"]["partnership:restricted"]),
            (&json!("member"), &json!(false))
        );
        assert!(!row.to_string().contains("ana@home.test"), "{row}");
    }
    assert!(today[0].get("role").is_none() && today[0].get("roleName").is_none(), "{}", today[0]);
    assert_eq!(today[1]["role"], "member");
}

/// A person's own token is told its own addresses.
///
/// Rows: addresses_told.
#[test]
fn somebody_is_told_their_own_addresses() {
    let site = Site::today();
    let ana =
        site.sentry.add_member(NewMember::new("ana@acme.test").role("owner").also("ana@home.test", true));
    site.sentry.add_member(NewMember::new("ben@acme.test").also("ben@home.test", true));
    let token = site.sentry.add_token(NewToken::user(ana, &["member:read"]));
    let rows = body_of(&site.ask_as(&token, "GET", "/organizations/acme/members/", None));
    assert_eq!(texts(&rows[0]["user"]["emails"], "email"), ["ana@acme.test", "ana@home.test"]);
    assert_eq!(rows[1]["user"]["emails"], json!([]));
}

/// Unchanged, and today the only way: any address of a person finds them, several are OR-ed, and an open invite is found by
/// its exact letters.
#[test]
fn a_search_finds_any_address() {
    for era in ERAS {
        let site = Site::of(era);
        site.sentry.add_member(NewMember::new("ana@acme.test").also("Ana@home.test", false));
        site.sentry.add_member(NewMember::new("ben@acme.test").also("ben@home.test", true));
        site.sentry.add_member(NewMember::new("Cyd@acme.test").pending());
        site.sentry.add_member(NewMember::new("eve@acme.test").also("ben@home.test", false));
        let found =
            |words: &str| texts(&site.get(&format!("/organizations/acme/members/?query={words}")), "email");
        assert_eq!(found("email:ana@HOME.test"), ["ana@acme.test"], "{era:?}");
        assert_eq!(found("email:ana@home.test%20email:Cyd@acme.test"), ["ana@acme.test", "Cyd@acme.test"]);
        assert_eq!(found("email:ben@home.test"), ["ben@acme.test", "eve@acme.test"], "two bear it");
        assert_eq!(found("email:cyd@acme.test"), [""; 0]);
        assert_eq!(found("email:nobody@acme.test"), [""; 0]);
    }
}

/// A primary is changed to a verified address only, and keeps no trace of the one before.
#[test]
fn a_new_primary_is_a_verified_one() {
    let site = Site::of(Era::V23_7_1);
    let ana = site.sentry.add_member(NewMember::new("ana@acme.test").unverified());
    site.sentry.set_email(ana, "ana@new.test");
    let emails = site.get("/organizations/acme/members/")[0]["user"]["emails"].clone();
    assert_eq!(texts(&emails, "email"), ["ana@new.test"]);
    assert_eq!(emails[0]["is_verified"], true);
}

/// Rows: suspension_told.
#[test]
fn suspended_people_are_marked_and_stay_who_they_are() {
    let rows = both(|site| {
        let ana = site.sentry.add_member(NewMember::new("ana@acme.test").suspended());
        let ben = site.sentry.add_member("ben@acme.test");
        let team = site.sentry.add_team("crew", "Crew");
        assert!(site.sentry.join(team, ana) && site.sentry.join(team, ben));
        site.sentry.set_suspended(ben, true);
        site.sentry.set_suspended(ben, false);
        site.get("/teams/acme/crew/members/")
    });
    let mark = |rows: &Value| [0, 1].map(|n| rows[n]["user"].get("isSuspended").cloned());
    assert_eq!(mark(&rows[0]), [None, None]);
    assert_eq!(mark(&rows[1]), [Some(json!(true)), Some(json!(false))]);
    assert_eq!(rows[1][0]["user"]["isActive"], true);
}

/// A service account is a member without a user: it is nobody's, and has no address.
#[test]
fn a_service_account_is_a_member_without_address() {
    let site = Site::today();
    let robot = site.sentry.add_member(NewMember::service_account("robot"));
    let team = site.sentry.add_team("crew", "Crew");
    site.sentry.join(team, robot);
    for path in ["/organizations/acme/members/", "/teams/acme/crew/members/"] {
        let row = site.get(path)[0].clone();
        assert_eq!(
            (&row["name"], &row["email"], &row["pending"]),
            (&json!("robot"), &json!(""), &json!(false))
        );
        assert_eq!((&row["user"]["actorType"], &row["user"]["id"]), (&json!("service_account"), &json!("")));
    }
}

/// The id is there where somebody linked an identity, and nowhere else.
#[test]
fn an_external_user_may_have_the_github_id() {
    for era in ERAS {
        let site = Site::of(era);
        let other = site.sentry.add_integration("github_enterprise", "github.acme.test/acme");
        let person = NewMember::new("ana@acme.test").github("@ana").github_user("@ana-now", 583_231);
        site.sentry.add_member(person.external("github_enterprise", "@ana-there", Some("7"), Some(other)));
        let rows = site.get("/organizations/acme/members/?expand=externalUsers")[0]["externalUsers"].clone();
        let row = |n: usize| (rows[n]["externalName"].clone(), rows[n].get("externalId").cloned());
        assert_eq!(row(0), (json!("@ana-there"), Some(json!("7"))), "{era:?}");
        assert_eq!(row(1), (json!("@ana-now"), Some(json!("583231"))));
        assert_eq!(row(2), (json!("@ana"), None));
        assert_eq!(texts(&rows, "integrationId"), ["1", "2", "2"]);
        assert_eq!(texts(&rows, "provider"), ["github_enterprise", "github", "github"]);
    }
}

/// Rows: billing_forbids_teams.
#[test]
fn nobody_who_only_pays_is_put_into_a_team() {
    let site = Site::today();
    let payer = site.sentry.add_member(NewMember::new("payer@acme.test").role("billing"));
    let team = site.sentry.add_team("crew", "Crew");
    let words = "The user with a 'billing' role cannot have team-level permissions.";
    let path = format!("/organizations/acme/members/{payer}/teams/crew/");
    assert_eq!(site.get("/organizations/acme/members/")[0]["orgRole"], "billing");
    assert_eq!(told(&site.ask("POST", &path, None)), (403, json!({ "detail": words })));
    // Also where they are in it already.
    site.sentry.join(team, payer);
    assert_eq!(site.ask("POST", &path, None).status, 403);
    assert_eq!(site.ask("DELETE", &path, None).status, 200);
    let change = |body| site.ask("PUT", &format!("/organizations/acme/members/{payer}/"), Some(body));
    assert_eq!(told(&change(json!({"teams": ["crew"]}))), (400, json!({ "detail": words })));
    assert_eq!(change(json!({"teams": []})).status, 200);
    site.sentry.set_role(payer, "member");
    assert_eq!(site.ask("POST", &path, None).status, 201);
}

/// Rows: proxy_address.
#[test]
fn an_integration_has_an_address_of_its_own() {
    let [old, today] = both(|site| site.get("/")["user"].clone());
    assert_eq!(old["email"], "");
    let id = today["id"].as_str().expect("an id");
    assert_eq!(today["email"], format!("{id}@proxy-user.sentry.io"));
    assert_eq!(today["emails"][0]["is_verified"], false);
}

/// Rows: bad_number_is_an_error.
#[test]
fn a_query_by_no_number_is_an_empty_list() {
    let [old, today] = both(|site| told(&site.ask("GET", "/organizations/acme/members/?query=id:x", None)));
    assert_eq!((old.0, today), (500, (200, json!([]))));
}

/// Rows: integrations_invite, org_role_counts, invited_is_told_apart.
#[test]
fn an_integration_invites_members_only() {
    let invite =
        |site: &Site, body: Value| told(&site.ask("POST", "/organizations/acme/members/", Some(body)));
    let old = Site::of(Era::V23_7_1);
    assert_eq!(invite(&old, json!({"email": "a@acme.test"})).0, 400);
    let site = Site::today();
    let (status, made) = invite(&site, json!({"email": "a@acme.test", "orgRole": "member"}));
    assert_eq!((status, &made["orgRole"], &made["pending"]), (201, &json!("member"), &json!(true)));
    let only =
        json!(["Integration tokens are restricted to inviting new members with the member role only."]);
    for role in ["orgRole", "role"] {
        let body = json!({"email": "b@acme.test", role: "manager"});
        assert_eq!(invite(&site, body), (400, only.clone()), "{role}");
    }
    let may_not = json!({"role": ["You do not have permission to set that org-level role"]});
    let torn = json!({"email": "b@acme.test", "role": "manager", "orgRole": "member"});
    assert_eq!(invite(&site, torn), (400, may_not), "the role that does not count is looked at too");
    let again = |site: &Site| {
        site.sentry.add_member(NewMember::new("asked@acme.test").pending());
        let owner = site.sentry.add_member(NewMember::new("owner@acme.test").role("owner"));
        let token = site.sentry.add_token(NewToken::user(owner, &["member:admin"]));
        let body = json!({"email": "asked@acme.test"});
        body_of(&site.ask_as(&token, "POST", "/organizations/acme/members/", Some(body)))
    };
    assert_eq!(again(&old), json!({"email": ["The user asked@acme.test is already a member"]}));
    assert_eq!(again(&site), json!({"email": ["The user asked@acme.test has already been invited"]}));
    let owner = |site: &Site| {
        let owner = site.sentry.add_member(NewMember::new("boss@acme.test").role("owner"));
        let token = site.sentry.add_token(NewToken::user(owner, &["member:admin"]));
        let body = json!({"email": "new@acme.test", "orgRole": "manager"});
        body_of(&site.ask_as(&token, "POST", "/organizations/acme/members/", Some(body)))["orgRole"].clone()
    };
    assert_eq!([owner(&old), owner(&site)], ["member", "manager"]);
}

/// Teams of an invite are taken over; an item without `role` is a 500, though only its slug is read.
#[test]
fn an_invite_puts_into_teams() {
    let site = Site::today();
    site.sentry.add_team("crew", "Crew");
    let invite = |item: Value| {
        let body = json!({"email": "ana@acme.test", "teamRoles": [item]});
        site.ask("POST", "/organizations/acme/members/", Some(body)).status
    };
    assert_eq!(invite(json!({"teamSlug": "crew"})), 500);
    assert_eq!(invite(json!({"teamSlug": "crew", "role": null})), 201);
    assert_eq!(site.sentry.teams()["crew"].members, ["ana@acme.test"]);
}

#[test]
fn a_plan_may_forbid_invites() {
    for era in ERAS {
        let site = Site::of(era);
        site.sentry.set_may_invite(false);
        let answer = site.ask("POST", "/organizations/acme/members/", Some(json!({"email": "a@acme.test"})));
        let words = json!({"organization": "Your organization is not allowed to invite members"});
        assert_eq!(told(&answer), (403, words), "{era:?}");
        assert!(answer.header("www-authenticate").is_none(), "no permission is missing");
        assert_eq!(site.sentry.members(), [""; 0]);
    }
}

/// Rows: change_without_teams_wipes, reinvite_stands_alone, faults_of_a_change_told.
#[test]
fn a_change_of_a_member_wipes_teams_and_says_what_is_wrong() {
    let seen = both(|site| {
        let (team, member) = (
            site.sentry.add_team("crew", "Crew"),
            site.sentry.add_member(NewMember::new("a@acme.test").pending()),
        );
        site.sentry.join(team, member);
        let put = |body| site.ask("PUT", &format!("/organizations/acme/members/{member}/"), Some(body));
        let bad = put(json!({"teams": ["nonsense"]}));
        let beside = put(json!({"reinvite": true, "teams": ["crew"]})).status;
        let alone = put(json!({"reinvite": true})).status;
        let kept = site.sentry.teams()["crew"].members.len();
        put(json!({}));
        ((told(&bad), beside, alone, kept), site.sentry.teams()["crew"].members.len())
    });
    assert_eq!(seen[0], (((400, Value::Null), 200, 200, 1), 1));
    assert_eq!(seen[1], (((400, json!({"teams": ["Invalid teams"]})), 403, 200, 1), 0));
}

/// Rows: missing_scope_named.
#[test]
fn a_403_names_the_scopes_of_which_one_is_missing() {
    let asked = both(|site| {
        let token = site.with(&["team:read"]);
        let challenge = |method: &str, path: &str| {
            let answer = site.ask_as(&token, method, path, None);
            assert_eq!(
                told(&answer).1,
                json!({"detail": "You do not have permission to perform this action."})
            );
            answer.header("www-authenticate").map(str::to_owned)
        };
        [("GET", "/organizations/acme/members/"), ("DELETE", "/teams/acme/crew/")]
            .map(|(m, p)| challenge(m, p))
    });
    assert_eq!(asked[0], [None, None]);
    let named = |scopes: &str| Some(format!("Bearer error=\"insufficient_scope\", scope=\"{scopes}\""));
    assert_eq!(asked[1], [named("member:read member:write member:admin"), named("team:admin")]);
    // A refusal that no scope would change has none.
    let site = Site::today();
    let elsewhere = site.sentry.add_org("other").add_token(mirror_permissions());
    let answer = site.ask_as(&elsewhere, "GET", "/organizations/acme/teams/", None);
    assert_eq!((answer.status, answer.header("www-authenticate")), (403, None));
}

/// Both are needed to take somebody out: one at the door, the other inside.
///
/// Rows: scopes_to_leave, member_write_manages_teams.
#[test]
fn leaving_a_team_takes_two_scopes() {
    let statuses = both(|site| {
        let (team, member) = (site.sentry.add_team("crew", "Crew"), site.sentry.add_member("a@acme.test"));
        site.sentry.join(team, member);
        let path = format!("/organizations/acme/members/{member}/teams/crew/");
        [&["team:write"][..], &["team:admin"], &["team:admin", "member:write"], &["team:admin", "team:write"]]
            .map(|scopes| site.ask_as(&site.with(scopes), "DELETE", &path, None).status)
    });
    assert_eq!(statuses, [[200, 403, 403, 200], [403, 400, 200, 200]]);
}

/// Rows: scopes_to_see_membership, scopes_for_team_role, integrations_set_team_roles, org_write_manages_all_teams.
#[test]
fn roles_on_teams_are_for_who_manages_the_team() {
    let statuses = both(|site| {
        let owner = site.sentry.add_member(NewMember::new("boss@acme.test").role("owner"));
        let (team, member) = (site.sentry.add_team("crew", "Crew"), site.sentry.add_member("a@acme.test"));
        site.sentry.join(team, member);
        let path = format!("/organizations/acme/members/{member}/teams/crew/");
        let role = Some(json!({"teamRole": "admin"}));
        let seen = site.ask_as(&site.with(&["org:admin"]), "GET", &path, None).status;
        let set = site.ask_as(&site.with(&["team:write"]), "PUT", &path, role.clone()).status;
        // Whoever owns the organisation and is not in the team.
        let person = site.sentry.add_token(NewToken::user(owner, &["org:write"]));
        (seen, set, site.ask_as(&person, "PUT", &path, role).status)
    });
    assert_eq!(statuses, [(403, 403, 200), (200, 200, 400)]);
}

/// Rows: ids_in_urls.
#[test]
fn ids_stand_for_slugs_and_are_never_slugs() {
    let seen = both(|site| {
        let member = site.sentry.add_member("a@acme.test");
        let team = site.sentry.add_team("crew", "Crew");
        site.sentry.add_project(team, "shop");
        // A slug of before that is a number, and no id.
        site.sentry.add_team("2024", "Twenty");
        let paths = [
            format!("/teams/acme/{team}/"),
            format!("/teams/2/{team}/members/"),
            "/teams/acme/2024/".to_owned(),
            "/teams/acme/99999999999999999999/".to_owned(),
        ];
        let read = paths.map(|path| site.ask("GET", &path, None).status);
        let add = site.ask("POST", &format!("/organizations/2/members/{member}/teams/{team}/"), None).status;
        let projects = site.with(&["project:write"]);
        let link = site.ask_as(&projects, "POST", &format!("/projects/acme/shop/teams/{team}/"), None).status;
        let rename = site.ask("PUT", &format!("/teams/acme/{team}/"), Some(json!({"slug": "deck"}))).status;
        (read, add, link, rename)
    });
    assert_eq!(seen[0], ([404, 404, 200, 404], 404, 404, 404));
    assert_eq!(seen[1], ([200, 200, 404, 404], 201, 201, 200));
}

/// By its old slug it is gone, by its new one too; by its id it is there, and can even be renamed.
///
/// Rows: pending_answers_by_id.
#[test]
fn a_team_whose_deletion_is_pending_answers_by_id() {
    let site = Site::today();
    let team = site.sentry.add_team("crew", "Crew");
    assert_eq!(site.ask("DELETE", "/teams/acme/crew/", None).status, 204);
    let renamed = site.sentry.pending_deletions()[0].clone();
    for slug in ["crew", &renamed] {
        assert_eq!(site.ask("GET", &format!("/teams/acme/{slug}/"), None).status, 404, "{slug}");
    }
    let by_id = format!("/teams/acme/{team}/");
    let (status, body) = told(&site.ask("GET", &by_id, None));
    assert_eq!((status, &body["slug"]), (200, &json!(renamed)));
    assert_eq!(site.ask("GET", &format!("{by_id}members/"), None).status, 200);
    assert_eq!(site.ask("DELETE", &by_id, None).status, 204);
    assert_eq!(site.get("/organizations/acme/teams/?detailed=0"), json!([]));
    assert_eq!(site.ask("PUT", &by_id, Some(json!({"slug": "crew"}))).status, 200);
    assert!(site.sentry.teams().is_empty(), "it is still being deleted");
    site.sentry.tick();
    assert_eq!(site.ask("GET", &by_id, None).status, 404);
}

/// Rows: numeric_slugs.
#[test]
fn numeric_slugs_are_refused() {
    let site = Site::today();
    let words = "Enter a valid slug consisting of lowercase letters, numbers, underscores or hyphens. It cannot be entirely numeric.";
    let made = site.ask("POST", "/organizations/acme/teams/", Some(json!({"slug": "2024"})));
    assert_eq!(told(&made), (400, json!({"slug": [words]})));
    site.sentry.add_team("crew", "Crew");
    let renamed = site.ask("PUT", "/teams/acme/crew/", Some(json!({"slug": "2024"})));
    assert_eq!(told(&renamed), (400, json!({"slug": [words]})));
    let named = site.ask("POST", "/organizations/acme/teams/", Some(json!({"name": "12345"})));
    let slug = body_of(&named)["slug"].as_str().unwrap_or("").to_owned();
    assert!(slug.starts_with("12345-") && slug.len() == 9, "{slug}");
}

/// Rows: managed_teams_change, teams_have_org_role.
#[test]
fn managed_teams_are_neither_renamed_nor_deleted() {
    let seen = both(|site| {
        let team = site.sentry.add_team("crew", "Crew");
        site.sentry.set_idp_provisioned(team, true);
        let has_role = site.get("/teams/acme/crew/").get("orgRole").is_some();
        let change = told(&site.ask("PUT", "/teams/acme/crew/", Some(json!({"name": "x"}))));
        (has_role, change, told(&site.ask("DELETE", "/teams/acme/crew/", None)))
    });
    assert_eq!((seen[0].0, seen[0].1 .0, seen[0].2 .0), (true, 200, 204));
    let words = json!({"detail": "This team is managed through your organization's identity provider."});
    assert_eq!(seen[1], (false, (403, words.clone()), (403, words)));
}

/// Rows: limit_told_as_object, crowd_told_apart, unknown_rest_is_a_word.
#[test]
fn a_429_is_an_object_that_says_why() {
    let refused = both(|site| {
        site.sentry.set_rate_limit(Some(RateLimit { window_seconds: 3_600, ..RateLimit::per_second(1) }));
        let ask = || site.ask("GET", "/organizations/acme/teams/", None);
        ask();
        let often = ask();
        site.sentry.set_rate_limit(Some(RateLimit::per_second(999).parallel(0)));
        (often, ask())
    });
    let words = "You are attempting to use this endpoint too frequently. Limit is 1 requests in 3600 seconds";
    assert_eq!(body_of(&refused[0].0), json!(words));
    assert_eq!(body_of(&refused[1].0), json!({ "detail": words }));
    let crowded =
        "You are attempting to go above the allowed concurrency for this endpoint. Concurrency limit is 0";
    assert!(body_of(&refused[0].1).as_str().is_some_and(|words| words.contains("too frequently")));
    assert_eq!(body_of(&refused[1].1), json!({ "detail": crowded }));
    let rest =
        |answer: &Response| answer.header("x-sentry-rate-limit-concurrentremaining").map(str::to_owned);
    assert_eq!([0, 1].map(|era| rest(&refused[era].0)), [Some("None".to_owned()), None]);
    for (often, crowd) in refused {
        assert_eq!((often.status, crowd.status), (429, 429));
        assert_eq!((often.header("retry-after"), crowd.header("retry-after")), (None, None));
        assert_eq!(crowd.header("x-sentry-rate-limit-concurrentremaining"), Some("0"));
        assert_eq!(often.header("content-type"), Some("text/html; charset=utf-8"));
    }
}

/// Rows: members_a_second.
#[test]
fn members_have_a_limit_of_their_own() {
    let limits = both(|site| {
        site.sentry.set_rate_limit(Some(RateLimit::per_second(999)));
        ["members", "teams"].map(|what| {
            let answer = site.ask("GET", &format!("/organizations/acme/{what}/"), None);
            answer.header("x-sentry-rate-limit-limit").map(str::to_owned)
        })
    });
    assert_eq!(limits[0], [Some("999".into()), Some("999".into())]);
    assert_eq!(limits[1], [Some("40".into()), Some("999".into())]);
}
