//! Which address is which call, and the template it is counted under.
//!
//! Facts: no trailing slash; path parts are percent-encoded (`ent%3Aname`); the routes by ids
//! (`/organizations/{org_id}/team/{team_id}`) survive renames and are what `Link` headers use.

use crate::standin::encode::percent_decode;

/// How an address names the organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OrgKey {
    Login(String),
    Id(u64),
}

/// How an address names a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TeamKey {
    Slug(String),
    Id(u64),
}

/// What is asked of a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Itself,
    Members,
    Membership(String),
    Children,
}

/// What is asked by an App, or of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AppRoute {
    Itself,
    Installations,
    OfOrg(String),
    Token(u64),
    HookConfig,
    Deliveries,
    Delivery(u64),
    Attempt(u64),
    /// Asked by somebody who has no token yet.
    Conversion(String),
}

/// One known address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Root,
    Meta,
    RateLimit,
    User,
    UserOrgs,
    UserById(u64),
    UserByLogin(String),
    Org(OrgKey),
    Teams(OrgKey),
    Team(OrgKey, TeamKey, Part),
    Members(OrgKey),
    Member(OrgKey, String),
    Membership(OrgKey, String),
    Hooks(OrgKey),
    Deliveries(OrgKey, u64),
    Delivery(OrgKey, u64, u64),
    Attempt(OrgKey, u64, u64),
    App(AppRoute),
}

impl Route {
    /// The REST route of a raw path without the server's prefix, or `None`.
    pub fn find(path: &str) -> Option<Route> {
        let rest = path.strip_prefix('/')?;
        if rest.is_empty() {
            return Some(Route::Root);
        }
        let parts: Vec<String> = rest.split('/').map(percent_decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        match parts[..] {
            ["meta"] => Some(Route::Meta),
            ["rate_limit"] => Some(Route::RateLimit),
            ["user"] => Some(Route::User),
            ["user", "orgs"] => Some(Route::UserOrgs),
            ["user", id] => id.parse().ok().map(Route::UserById),
            ["users", login] => Some(Route::UserByLogin(login.to_owned())),
            ["orgs", login, "installation"] => Some(Route::App(AppRoute::OfOrg(login.to_owned()))),
            ["app", ref more @ ..] => under_app(more).map(Route::App),
            ["app-manifests", code, "conversions"] => Some(Route::App(AppRoute::Conversion(code.to_owned()))),
            ["orgs", login, ref more @ ..] => under_org(OrgKey::Login(login.to_owned()), more),
            ["organizations", id, ref more @ ..] => under_org(OrgKey::Id(id.parse().ok()?), more),
            _ => None,
        }
    }

    /// The template without method.
    pub fn template(&self) -> String {
        match self {
            Route::Root => "/".to_owned(),
            Route::Meta => "/meta".to_owned(),
            Route::RateLimit => "/rate_limit".to_owned(),
            Route::User => "/user".to_owned(),
            Route::UserOrgs => "/user/orgs".to_owned(),
            Route::UserById(_) => "/user/{account_id}".to_owned(),
            Route::UserByLogin(_) => "/users/{username}".to_owned(),
            Route::Org(org) => org_template(org).to_owned(),
            Route::Teams(org) => format!("{}/teams", org_template(org)),
            Route::Team(org, team, part) => {
                format!("{}{}{}", org_template(org), team_template(team), part_template(part))
            }
            Route::Members(org) => format!("{}/members", org_template(org)),
            Route::Member(org, _) => format!("{}/members/{{username}}", org_template(org)),
            Route::Membership(org, _) => format!("{}/memberships/{{username}}", org_template(org)),
            Route::Hooks(org) => format!("{}/hooks", org_template(org)),
            Route::Deliveries(org, _) => {
                format!("{}/hooks/{{hook_id}}/deliveries", org_template(org))
            }
            Route::Delivery(org, ..) => {
                format!("{}/hooks/{{hook_id}}/deliveries/{{delivery_id}}", org_template(org))
            }
            Route::Attempt(org, ..) => {
                format!("{}/hooks/{{hook_id}}/deliveries/{{delivery_id}}/attempts", org_template(org))
            }
            Route::App(route) => app_template(route).to_owned(),
        }
    }
}

fn app_template(route: &AppRoute) -> &'static str {
    match route {
        AppRoute::Itself => "/app",
        AppRoute::Installations => "/app/installations",
        AppRoute::OfOrg(_) => "/orgs/{org}/installation",
        AppRoute::Token(_) => "/app/installations/{installation_id}/access_tokens",
        AppRoute::HookConfig => "/app/hook/config",
        AppRoute::Deliveries => "/app/hook/deliveries",
        AppRoute::Delivery(_) => "/app/hook/deliveries/{delivery_id}",
        AppRoute::Attempt(_) => "/app/hook/deliveries/{delivery_id}/attempts",
        AppRoute::Conversion(_) => "/app-manifests/{code}/conversions",
    }
}

fn under_app(more: &[&str]) -> Option<AppRoute> {
    Some(match *more {
        [] => AppRoute::Itself,
        ["installations"] => AppRoute::Installations,
        ["installations", id, "access_tokens"] => AppRoute::Token(id.parse().ok()?),
        ["hook", "config"] => AppRoute::HookConfig,
        ["hook", "deliveries"] => AppRoute::Deliveries,
        ["hook", "deliveries", id] => AppRoute::Delivery(id.parse().ok()?),
        ["hook", "deliveries", id, "attempts"] => AppRoute::Attempt(id.parse().ok()?),
        _ => return None,
    })
}

fn org_template(org: &OrgKey) -> &'static str {
    match org {
        OrgKey::Login(_) => "/orgs/{org}",
        OrgKey::Id(_) => "/organizations/{org_id}",
    }
}

fn team_template(team: &TeamKey) -> &'static str {
    match team {
        TeamKey::Slug(_) => "/teams/{slug}",
        TeamKey::Id(_) => "/team/{team_id}",
    }
}

fn part_template(part: &Part) -> &'static str {
    match part {
        Part::Itself => "",
        Part::Members => "/members",
        Part::Membership(_) => "/memberships/{username}",
        Part::Children => "/teams",
    }
}

fn under_org(org: OrgKey, more: &[&str]) -> Option<Route> {
    let own = |text: &str| text.to_owned();
    Some(match *more {
        [] => Route::Org(org),
        ["teams"] => Route::Teams(org),
        ["teams", slug, ref part @ ..] => Route::Team(org, TeamKey::Slug(own(slug)), team_part(part)?),
        ["team", id, ref part @ ..] => Route::Team(org, TeamKey::Id(id.parse().ok()?), team_part(part)?),
        ["members"] => Route::Members(org),
        ["members", login] => Route::Member(org, own(login)),
        ["memberships", login] => Route::Membership(org, own(login)),
        ["hooks"] => Route::Hooks(org),
        ["hooks", hook, "deliveries"] => Route::Deliveries(org, hook.parse().ok()?),
        ["hooks", hook, "deliveries", id, "attempts"] => {
            Route::Attempt(org, hook.parse().ok()?, id.parse().ok()?)
        }
        ["hooks", hook, "deliveries", id] => Route::Delivery(org, hook.parse().ok()?, id.parse().ok()?),
        _ => return None,
    })
}

fn team_part(part: &[&str]) -> Option<Part> {
    Some(match *part {
        [] => Part::Itself,
        ["members"] => Part::Members,
        ["memberships", login] => Part::Membership(login.to_owned()),
        ["teams"] => Part::Children,
        _ => return None,
    })
}
