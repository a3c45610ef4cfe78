//! External teams, which code owners go by, and the integrations behind them.

use super::sentry_today::{both, Site};
use super::{json as body_of, texts};
use crate::standin::sentry::{Era, ERAS};
use serde_json::{json, Value};

fn link(site: &Site, team: &str, name: &str) -> (u16, Value) {
    let body = json!({"external_name": name, "provider": "github", "integration_id": 1});
    let answer = site.ask("POST", &format!("/teams/acme/{team}/external-teams/"), Some(body));
    (answer.status, body_of(&answer))
}

fn site_of(era: Era) -> Site {
    let site = Site::of(era);
    site.sentry.add_integration("github", "github.com/acme");
    for slug in ["crew", "deck"] {
        site.sentry.add_team(slug, slug);
    }
    site
}

/// The trap: 200 does not mean that this team has the name.
///
/// Rows: external_name_is_taken_once.
#[test]
fn making_a_link_again_answers_with_the_row_that_is_there() {
    let seen = ERAS.map(|era| {
        let site = site_of(era);
        let (made, row) = link(&site, "crew", "@acme/crew");
        assert_eq!(
            (made, &row["externalName"], &row["integrationId"]),
            (201, &json!("@acme/crew"), &json!("1"))
        );
        assert_eq!(link(&site, "crew", "@acme/crew"), (200, row.clone()));
        let (status, other) = link(&site, "deck", "@acme/crew");
        (status, other["teamId"] == row["teamId"], site.sentry.external_teams(3).len())
    });
    assert_eq!(seen, [(201, false, 1), (200, true, 0)]);
}

#[test]
fn links_come_with_teams_and_go_with_them() {
    for era in ERAS {
        let site = site_of(era);
        link(&site, "crew", "@acme/crew");
        let shown = |path: &str| site.get(path);
        assert!(shown("/teams/acme/crew/").get("externalTeams").is_none());
        let one =
            shown("/teams/acme/crew/?collapse=organization&expand=externalTeams")["externalTeams"].clone();
        assert_eq!(
            (texts(&one, "externalName"), &one[0]["teamId"]),
            (vec!["@acme/crew".to_owned()], &json!("2"))
        );
        let listed = shown("/organizations/acme/teams/?detailed=1");
        assert_eq!((&listed[0]["externalTeams"], &listed[1]["externalTeams"]), (&one, &json!([])));
        assert!(shown("/organizations/acme/teams/?detailed=0")[0].get("externalTeams").is_none());
        // A rename in Sentry keeps the row.
        site.sentry.rename_team(2, "crew-now", "Crew");
        assert_eq!(site.sentry.external_teams(2), [("github".to_owned(), "@acme/crew".to_owned())]);
        // A deleted team keeps the name until the task has run.
        assert_eq!(site.ask("DELETE", "/teams/acme/crew-now/", None).status, 204);
        assert_eq!(link(&site, "deck", "@acme/crew").0, if era == Era::Today { 200 } else { 201 });
        site.sentry.tick();
        assert_eq!(link(&site, "deck", "@acme/crew").0, if era == Era::Today { 201 } else { 200 });
    }
}

#[test]
fn a_link_is_renamed_moved_and_taken_away() {
    for era in ERAS {
        let site = site_of(era);
        link(&site, "crew", "@acme/crew");
        link(&site, "crew", "@acme/old");
        let put = |team: &str, id: &str, body: Value| {
            let answer = site.ask("PUT", &format!("/teams/acme/{team}/external-teams/{id}/"), Some(body));
            (answer.status, body_of(&answer))
        };
        let (status, row) = put("crew", "1", json!({"external_name": "@acme/night-crew"}));
        assert_eq!((status, row.get("teamId")), (200, None), "whose it is is not said");
        let taken = ["There already exists an external association with this external_name and provider."];
        assert_eq!(put("crew", "1", json!({"external_name": "@acme/old"})), (400, json!(taken)));
        assert_eq!(put("deck", "1", json!({"externalName": "@acme/night-crew"})).0, 200);
        assert_eq!(site.sentry.external_teams(3), [("github".to_owned(), "@acme/night-crew".to_owned())]);
        assert_eq!(put("crew", "99", json!({})), (404, json!({"detail": "Not found."})));
        assert_eq!(put("crew", "x", json!({})).0, 500);
        let take =
            |token: &str| site.ask_as(token, "DELETE", "/teams/acme/deck/external-teams/1/", None).status;
        assert_eq!(take(&site.with(&["team:write"])), 403);
        assert_eq!([take(&site.token), take(&site.token)], [204, 404]);
        assert_eq!(site.ask("GET", "/teams/acme/deck/external-teams/", None).status, 405);
    }
}

#[test]
fn a_plan_without_code_owners_refuses_as_if_a_scope_were_missing_and_names_none() {
    for era in ERAS {
        let site = site_of(era);
        link(&site, "crew", "@acme/crew");
        site.sentry.set_codeowners(false);
        let body = Some(json!({"external_name": "@acme/x", "provider": "github", "integration_id": 1}));
        let ask = |method: &str, path: &str, token: &str| {
            let answer = site.ask_as(token, method, path, body.clone());
            (answer.status, answer.header("www-authenticate").is_some())
        };
        let (all, one) = ("/teams/acme/crew/external-teams/", "/teams/acme/crew/external-teams/1/");
        assert_eq!(ask("POST", all, &site.token), (403, false), "{era:?}");
        assert_eq!(ask("PUT", one, &site.token), (403, false));
        assert_eq!(ask("POST", all, &site.with(&["team:read"])), (403, era == Era::Today));
        assert_eq!(site.ask("DELETE", one, None).status, 204, "what is there can still be taken away");
    }
}

/// Rows: external_providers.
#[test]
fn names_and_providers_are_looked_at() {
    let statuses = both(|site| {
        site.sentry.add_integration("github_enterprise", "github.acme.test/acme");
        site.sentry.add_team("crew", "Crew");
        let body =
            json!({"external_name": "@acme/crew", "provider": "github_enterprise", "integration_id": 1});
        site.ask("POST", "/teams/acme/crew/external-teams/", Some(body)).status
    });
    assert_eq!(statuses, [400, 201]);
    let site = site_of(Era::Today);
    for name in ["acme/crew", "@acme crew", "@acme/crew!", "@"] {
        let words = "External Name must start with '@' and can't contain special characters or spaces.";
        assert_eq!(link(&site, "crew", name), (400, json!({"externalName": [words]})), "{name}");
    }
}

/// As observed on 23.7.1.
#[test]
fn what_sentry_makes_of_codeowners_files_is_told_by_project() {
    for era in ERAS {
        let site = site_of(era);
        site.sentry.add_project(site.sentry.teams()["deck"].id, "web");
        link(&site, "crew", "@acme/crew");
        link(&site, "deck", "@acme/deck");
        site.sentry.set_codeowners_file("web", &["@acme/crew", "@acme/missing", "@acme/deck", "@Acme/deck"]);
        let told = site.get("/organizations/acme/codeowners-associations/");
        let errors = json!({
            "missing_user_emails": [], "missing_external_users": [],
            "missing_external_teams": ["@acme/missing", "@Acme/deck"],
            "teams_without_access": ["#crew"], "users_without_access": [],
        });
        let web = json!({ "associations": { "@acme/deck": "#deck" }, "errors": errors });
        assert_eq!(told, json!({ "web": web }), "{era:?}");
        let narrow = site.with(&["team:read"]);
        let refused = site.ask_as(&narrow, "GET", "/organizations/acme/codeowners-associations/", None);
        assert_eq!(refused.status, 403);
    }
}

/// Rows: integration_filters.
#[test]
fn integrations_are_listed_with_their_domain() {
    let names = both(|site| {
        for (provider, domain) in
            [("slack", "acme.slack.com"), ("github", "github.com/acme"), ("github", "github.com/emca")]
        {
            site.sentry.add_integration(provider, domain);
        }
        let list = |query: &str| {
            texts(&site.get(&format!("/organizations/acme/integrations/{query}")), "domainName")
        };
        assert_eq!(list("").len(), 3);
        list("?providerKey=github&includeConfig=0")
    });
    assert_eq!(names[0].len(), 3, "23.7.1 knows the parameter by another name");
    assert_eq!(names[1], ["github.com/acme", "github.com/emca"]);
    let site = site_of(Era::Today);
    let narrow = site.with(&["team:read", "team:write", "team:admin", "member:read", "member:write"]);
    let answer = site.ask_as(&narrow, "GET", "/organizations/acme/integrations/", None);
    let named =
        "Bearer error=\"insufficient_scope\", scope=\"org:read org:write org:admin org:integrations\"";
    assert_eq!((answer.status, answer.header("www-authenticate")), (403, Some(named)));
    let row = site.get("/organizations/acme/integrations/?includeConfig=0")[0].clone();
    assert_eq!((&row["id"], &row["provider"]["key"]), (&json!("1"), &json!("github")));
    assert!(row.get("configOrganization").is_none());
}
