//! GitHub's REST routes of accounts, the organisation, its members, and the site itself.
//!
//! Facts: profiles and organisation pages need no permission; `email` is the public address or
//! null; `/rate_limit` is free, and 404 on an Enterprise Server without limits; an old login of a
//! person or organisation is 404.

use super::limits::Resource;
use super::pages::paged;
use super::payload;
use super::site::{error, not_found, Viewer};
use super::state::State;
use super::world::{OrgRole, User, World};
use crate::standin::http::{Request, Response};
use crate::standin::time::epoch_seconds;
use serde_json::json;
use std::sync::Arc;

/// The addresses that `GET /` names, below the base.
const ADDRESSES: &[(&str, &str)] = &[
    ("current_user_url", "/user"),
    ("authorizations_url", "/authorizations"),
    ("code_search_url", "/search/code?q={query}{&page,per_page,sort,order}"),
    ("commit_search_url", "/search/commits?q={query}{&page,per_page,sort,order}"),
    ("emails_url", "/user/emails"),
    ("emojis_url", "/emojis"),
    ("events_url", "/events"),
    ("feeds_url", "/feeds"),
    ("followers_url", "/user/followers"),
    ("following_url", "/user/following{/target}"),
    ("gists_url", "/gists{/gist_id}"),
    ("issue_search_url", "/search/issues?q={query}{&page,per_page,sort,order}"),
    ("issues_url", "/issues"),
    ("keys_url", "/user/keys"),
    ("notifications_url", "/notifications"),
    ("organization_url", "/orgs/{org}"),
    ("organization_repositories_url", "/orgs/{org}/repos{?type,page,per_page,sort}"),
    ("organization_teams_url", "/orgs/{org}/teams"),
    ("public_gists_url", "/gists/public"),
    ("rate_limit_url", "/rate_limit"),
    ("repository_url", "/repos/{owner}/{repo}"),
    ("repository_search_url", "/search/repositories?q={query}{&page,per_page,sort,order}"),
    ("current_user_repositories_url", "/user/repos{?type,page,per_page,sort}"),
    ("starred_url", "/user/starred{/owner}{/repo}"),
    ("starred_gists_url", "/gists/starred"),
    ("user_url", "/users/{user}"),
    ("user_organizations_url", "/user/orgs"),
    ("user_repositories_url", "/users/{user}/repos{?type,page,per_page,sort}"),
    ("user_search_url", "/search/users?q={query}{&page,per_page,sort,order}"),
];

/// `GET /`.
pub(crate) fn root(state: &State) -> Response {
    let bases = state.own_bases();
    let page = format!("{}/settings/connections/applications{{/client_id}}", bases.html);
    let mut value = json!({ "current_user_authorizations_html_url": page });
    for (name, path) in ADDRESSES {
        value[*name] = json!(format!("{}{path}", bases.api));
    }
    Response::json(200, &value)
}

/// `GET /meta`.
pub(crate) fn meta() -> Response {
    let ranges =
        json!(["192.30.252.0/22", "185.199.108.0/22", "140.82.112.0/20", "143.55.64.0/20", "2a0a:a440::/29"]);
    Response::json(
        200,
        &json!({
            "verifiable_password_authentication": false, "hooks": ranges, "web": ranges, "api": ranges, "git": ranges,
        }),
    )
}

/// `GET /rate_limit`.
pub(crate) fn rate_limit(state: &mut State, request: &Request, viewer: &Viewer) -> Response {
    if state.enterprise_server() {
        return error(404, "Rate limiting is not enabled.");
    }
    let mut entry = |resource: Resource| {
        let (limit, usage) =
            (state.limit_of(&viewer.limit_owner, resource), state.usage_of(&viewer.limit_owner, resource));
        json!({
            "limit": limit, "used": usage.used, "remaining": limit.saturating_sub(usage.used),
            "reset": epoch_seconds(usage.reset), "resource": resource.name(),
        })
    };
    let (core, graphql) = (entry(Resource::Core), entry(Resource::Graphql));
    let search = json!({
        "limit": 30, "used": 0, "remaining": 30, "reset": core["reset"], "resource": "search",
    });
    let mut value = json!({"resources": {"core": core, "graphql": graphql, "search": search}});
    // The newest version has dropped it.
    if request.header("x-github-api-version") != Some("2026-03-10") {
        value["rate"] = value["resources"]["core"].clone();
    }
    Response::json(200, &value)
}

/// `GET /user`.
pub(crate) fn own_user(state: &State, world: &World, viewer: &Viewer) -> Result<Response, Response> {
    if viewer.token.is_none() {
        return Err(error(401, "Requires authentication"));
    }
    let user = viewer.id().and_then(|id| world.users.get(&id)).ok_or_else(|| viewer.denied())?;
    Ok(Response::json(200, &payload::profile(&state.own_bases(), user)))
}

/// `GET /user/orgs`.
pub(crate) fn own_orgs(state: &State, world: &World, viewer: &Viewer) -> Result<Response, Response> {
    let Some(token) = &viewer.token else {
        return Err(error(401, "Requires authentication"));
    };
    let bases = state.own_bases();
    let inside = !world.org.deleted && viewer.id().is_some_and(|id| world.org.members.contains_key(&id));
    let mut rows = Vec::new();
    if inside && !token.unauthorised {
        rows.push(payload::org(&bases, &world.org));
    }
    for (id, login) in &token.other_orgs {
        let other = World::new(*id, login);
        rows.push(payload::org(&bases, &other.org));
    }
    let response = Response::json(200, &rows.into());
    Ok(if inside && token.unauthorised {
        response.with("X-GitHub-SSO", format!("partial-results; organizations={}", world.org.id))
    } else {
        response
    })
}

/// A public profile.
pub(crate) fn profile(state: &State, user: Option<&Arc<User>>) -> Result<Response, Response> {
    let user = user.ok_or_else(not_found)?;
    Ok(Response::json(200, &payload::profile(&state.own_bases(), user)))
}

/// `GET /orgs/{org}`.
pub(crate) fn org(state: &State, world: &World) -> Response {
    Response::json(200, &payload::org_profile(&state.own_bases(), &world.org))
}

/// `GET /orgs/{org}/members`, by user id.
pub(crate) fn members(state: &State, world: &World, request: &Request) -> Response {
    let wanted = request.param("role").unwrap_or_default();
    let fits = |role: &OrgRole| match wanted.as_str() {
        "admin" => *role == OrgRole::Owner,
        "member" => *role == OrgRole::Member,
        _ => true,
    };
    let people = world.org.members.iter().filter(|(_, role)| fits(role));
    let rows: Vec<_> = people.filter_map(|(id, _)| world.users.get(id)).collect();
    let (bases, path) = (state.own_bases(), format!("/organizations/{}/members", world.org.id));
    paged(state, request, &path, rows, |user| payload::user(&bases, user))
}

fn role_of(world: &World, login: &str) -> Result<(Arc<User>, OrgRole), Response> {
    let user = world.user_by_login(login).ok_or_else(not_found)?;
    let role = world.org.members.get(&user.id).copied().ok_or_else(not_found)?;
    Ok((Arc::clone(user), role))
}

/// `GET /orgs/{org}/members/{username}`: 204 or 404.
pub(crate) fn member(world: &World, login: &str) -> Result<Response, Response> {
    role_of(world, login).map(|_| Response::empty(204))
}

/// `GET /orgs/{org}/memberships/{username}`.
pub(crate) fn membership(state: &State, world: &World, login: &str) -> Result<Response, Response> {
    let (user, role) = role_of(world, login)?;
    let bases = state.own_bases();
    let url = format!("{}/orgs/{}", bases.api, world.org.login);
    Ok(Response::json(
        200,
        &json!({
            "url": format!("{url}/memberships/{}", user.login), "state": "active",
            "role": if role == OrgRole::Owner { "admin" } else { "member" }, "organization_url": url,
            "direct_membership": true, "enterprise_teams_providing_indirect_membership": [],
            "organization": payload::org(&bases, &world.org), "user": payload::user(&bases, &user),
        }),
    ))
}
