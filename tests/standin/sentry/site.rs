//! One request to the pretend Sentry, from its address to its answer.
//!
//! The order of checks is the true server's: gateway (at sentry.io), address, `Accept`, token (401), scope (403), method
//! (405), the thing itself (404), access to it (403), then the body. The site must never look at a
//! body before the caller is known to be allowed.

use super::auth::{self, authenticate, Access, Caller};
use super::era::Silo;
use super::limits::{self, Counters, RateLimit};
use super::paging::page;
use super::route::{template, Route};
use super::world::{Org, Who, World};
use super::{external, gateway, invites, members, membership, render, scim, teams};
use crate::standin::described;
use crate::standin::encode::percent_decode;
use crate::standin::fault::Fault;
use crate::standin::http::{lock, Request, Response};
use crate::standin::time::{self, epoch_seconds};
use crate::standin::wire::{Admission, Site};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// The site behind the wire: one of a Sentry's servers, which share everything but their address.
pub(crate) struct SentrySite {
    pub world: Arc<Mutex<World>>,
    pub counters: Arc<Counters>,
    pub silo: Silo,
}

impl SentrySite {
    /// What the gateway says by itself.
    fn turned_away(&self, world: &World, request: &Request) -> Option<Response> {
        gateway::turn_away(world, &self.silo, &Route::find(request.path())?)
    }
}

impl Site for SentrySite {
    fn route(&self, request: &Request) -> String {
        template(&request.method, request.path())
    }

    fn undescribed(&self, request: &Request) -> Vec<String> {
        described::sentry().faults(request, request.path())
    }

    fn admit(&self, request: &Request) -> Admission {
        let world = lock(&self.world);
        match self.turned_away(&world, request) {
            // The gateway counts nothing.
            Some(_) => self.counters.let_in(),
            None => self.counters.admit(&world, request),
        }
    }

    fn answer(&self, request: &Request, _fault: Option<&Fault>) -> Response {
        let mut world = lock(&self.world);
        let Some(route) = Route::find(request.path()) else {
            return everywhere(unknown(request));
        };
        if let Some(answer) = self.turned_away(&world, request) {
            return everywhere(answer);
        }
        let elsewhere = gateway::take_elsewhere(&mut world, &self.silo);
        let answer = answer(&mut world, request, &route).unwrap_or_else(|refusal| refusal);
        world.orgs.extend(elsewhere);
        everywhere(gateway::mark(&world, &self.silo, &route, request, endpoint(&route, answer)))
    }

    fn refusal(&self, _request: &Request, fault: &Fault) -> Response {
        let response = match fault {
            Fault::Status(500) => internal_error(&mut lock(&self.world)),
            Fault::Status(status) => {
                Response::json(*status, &json!({"detail": "Service temporarily unavailable"}))
            }
            Fault::Refusal { status, message } => Response::json(*status, &json!({ "detail": message })),
            Fault::Unauthorized => auth::unauthorized("Invalid token"),
            Fault::Gone { since, replacement } => Response::json(410, &json!({"message": GONE}))
                .with("X-Sentry-Deprecation-Date", *since)
                .with("X-Sentry-Replacement-Endpoint", *replacement),
            _ => {
                let world = lock(&self.world);
                let limit = world.limit.unwrap_or(RateLimit::per_second(40));
                let reset = epoch_seconds(time::now()) / limit.window_seconds + 1;
                let mut response = limits::refusal(&limit, world.rules(), false);
                let reset = reset * limit.window_seconds;
                response.headers.extend(limits::headers(&limit, 0, reset, None, world.rules()));
                response
            }
        };
        everywhere(response)
    }
}

/// What is said of a call that is going away, in the windows in which it already does.
const GONE: &str = "This API no longer exists.";

/// 500 as every fault of the true server shows.
pub(crate) fn internal_error(world: &mut World) -> Response {
    Response::json(500, &json!({"detail": "Internal Error", "errorId": world.rng.hex(32)}))
}

/// Headers of every answer.
fn everywhere(response: Response) -> Response {
    response
        .with("Vary", "Accept-Language, Cookie")
        .with("Content-Language", "en")
        .with("X-Frame-Options", "deny")
        .with("X-Content-Type-Options", "nosniff")
        .with("X-XSS-Protection", "1; mode=block")
}

/// Headers of every answer that came from a known address; 204 has a length here.
fn endpoint(route: &Route, response: Response) -> Response {
    let allow = route.allow();
    let response = if response.status == 204 { response.with("Content-Length", "0") } else { response };
    response
        .with("Allow", allow.as_str())
        .with("Access-Control-Allow-Methods", allow)
        .with("Access-Control-Allow-Headers", "X-Sentry-Auth, X-Requested-With, Origin, Accept, Content-Type, Authentication, Authorization, Content-Encoding, sentry-trace, baggage, X-CSRFToken")
        .with("Access-Control-Expose-Headers", "X-Sentry-Error, Retry-After")
        .with("Access-Control-Allow-Origin", "*")
}

/// An address nobody answers: a hint when only the slash is missing, else an empty page.
fn unknown(request: &Request) -> Response {
    let path = percent_decode(request.path());
    if !path.starts_with("/api/0/") {
        return if path.ends_with('/') {
            Response::new(404, "text/html; charset=utf-8", "")
        } else {
            Response::new(301, "text/html; charset=utf-8", "").with("Location", format!("{path}/"))
        };
    }
    if path.ends_with('/') {
        return Response::new(404, "text/html; charset=utf-8", "");
    }
    let hint = "Route not found, did you forget a trailing slash?";
    if request.media_type() == "application/json" {
        return Response::json(404, &json!({"info": format!("{hint} try: {path}/")}));
    }
    let arrow = " ".repeat(path.chars().count() + "try: ".len());
    Response::new(404, "text/plain", format!("{hint}\n\ntry: {path}/\n{arrow}^\n"))
}

fn answer(world: &mut World, request: &Request, route: &Route) -> Result<Response, Response> {
    let method = request.method.as_str();
    if method == "OPTIONS" {
        let response = Response::new(200, "text/html; charset=utf-8", "");
        return Ok(response.with("Access-Control-Max-Age", "3600"));
    }
    if !route.is_scim() && !accepts_json(request) {
        return Err(Response::json(406, &json!({"detail": "Could not satisfy the request Accept header."})));
    }
    let caller = authenticate(world, request)?;
    if *route == Route::Index {
        return index(world, method, caller.as_ref());
    }
    let scopes = route.scopes(method, world.rules());
    let Some(caller) = caller else {
        return Err(auth::unauthorized("Authentication credentials were not provided."));
    };
    if !caller.scopes.iter().any(|own| scopes.contains(&own.as_str())) {
        return Err(auth::lacking(scopes, world.rules()));
    }
    if !route.methods().contains(&method) {
        return Err(not_allowed(method));
    }
    dispatch(world, request, &caller, route, scopes)
}

fn not_allowed(method: &str) -> Response {
    Response::json(405, &json!({"detail": format!("Method \"{method}\" not allowed.")}))
}

fn accepts_json(request: &Request) -> bool {
    let Some(accept) = request.header("accept") else {
        return true;
    };
    let media = accept.split(',').map(|part| part.split(';').next().unwrap_or("").trim());
    media.into_iter().any(|media| matches!(media, "" | "*/*" | "application/*" | "application/json"))
}

/// `GET /api/0/`: tells a token's scopes, and answers nulls to nobody.
fn index(world: &World, method: &str, caller: Option<&Caller>) -> Result<Response, Response> {
    if !matches!(method, "GET" | "HEAD") {
        return Err(not_allowed(method));
    }
    let user = caller.and_then(|caller| match caller.who {
        Who::Integration { user, .. } | Who::User(user) => world.users.get(&user),
        Who::Org => None,
    });
    let value = json!({
        "version": "0",
        "auth": caller.map(|caller| json!({"scopes": caller.scopes})),
        "user": user.map(|user| render::own_user(user, world.rules())),
    });
    Ok(Response::json(200, &value))
}

fn dispatch(
    world: &mut World,
    request: &Request,
    caller: &Caller,
    route: &Route,
    scopes: &[&str],
) -> Result<Response, Response> {
    let method = request.method.as_str();
    if let Some((org, slug)) = route.team() {
        let (org, team, access) = enter_team(world, caller, org, slug, scopes)?;
        return one_team(world, request, route, (org, team, &access));
    }
    let Some(key) = route.org() else { return orgs(world, method, caller) };
    let (org, access) = enter(world, caller, key, scopes)?;
    if route.is_scim() && (world.orgs.get(&org).is_none_or(|org| !org.scim) || method != "GET") {
        return Err(auth::forbidden());
    }
    match (route, method) {
        (Route::Teams { .. }, "GET") => teams::list(world, request, org, &access),
        (Route::Teams { .. }, _) => teams::create(world, request, org, &access),
        (Route::Members { .. }, "GET") => members::list(world, request, org, &access),
        (Route::Members { .. }, _) => invites::create(world, request, org, &access),
        (Route::Member { id, .. }, _) => {
            let id = members::find(world, org, id, &access)?;
            members::answer(world, request, org, id, &access)
        }
        (Route::MemberTeam { id, slug, .. }, _) => {
            let id = members::find(world, org, id, &access)?;
            membership::answer(world, request, org, id, slug, &access)
        }
        (Route::ProjectTeam { project, slug, .. }, _) => {
            teams::link_project(world, method, org, project, slug, &access)
        }
        (Route::Integrations { .. }, _) => external::integrations(world, request, org, &access),
        (Route::Associations { .. }, _) => external::associations(world, org),
        (Route::ScimGroups { .. }, _) => scim::groups(world, request, org),
        (Route::ScimGroup { id, .. }, _) => scim::one(world, request, org, id),
        _ => org_details(world, request, org, &access),
    }
}

fn one_team(
    world: &mut World,
    request: &Request,
    route: &Route,
    (org, team, access): (u64, u64, &Access),
) -> Result<Response, Response> {
    match (route, request.method.as_str()) {
        (Route::ExternalTeams { .. }, _) => external::create(world, request, org, team, access),
        (Route::ExternalTeam { id, .. }, _) => external::change(world, request, org, team, id, access),
        (Route::TeamMembers { .. }, _) => teams::members(world, request, org, team, access),
        (_, "GET") => teams::get(world, request, org, team, access),
        (_, "PUT") => teams::update(world, request, org, team, access),
        _ => teams::delete(world, org, team),
    }
}

/// The organisation and the caller's access to it.
fn enter(world: &World, caller: &Caller, key: &str, scopes: &[&str]) -> Result<(u64, Access), Response> {
    let org = find_org(world, key)?;
    let access = Access::of(caller, org, world.rules());
    if !access.any(scopes) {
        return Err(auth::forbidden());
    }
    Ok((org.id, access))
}

fn find_org<'a>(world: &'a World, key: &str) -> Result<&'a Org, Response> {
    world.org_by_key(key).and_then(|id| world.orgs.get(&id)).ok_or_else(auth::missing)
}

/// The team, looked up before the access is checked: a stranger learns which slugs exist.
fn enter_team(
    world: &World,
    caller: &Caller,
    org: &str,
    slug: &str,
    scopes: &[&str],
) -> Result<(u64, u64, Access), Response> {
    let org = find_org(world, org)?;
    let team = world.team_by_key(org, slug).and_then(|id| org.teams.get(&id));
    let by_id = world.rules().pending_answers_by_id && world.id_in_url(slug).is_some();
    let team = team.filter(|team| by_id || !team.pending_deletion).ok_or_else(auth::missing)?;
    let access = Access::of(caller, org, world.rules());
    if !access.may_use_team(org, team, scopes) {
        return Err(auth::forbidden());
    }
    Ok((org.id, team.id, access))
}

/// Organisations of the caller's user; an integration has none.
fn orgs(world: &World, method: &str, caller: &Caller) -> Result<Response, Response> {
    if method != "GET" {
        return Err(auth::forbidden());
    }
    let own = world.orgs.values().filter(|org| match caller.who {
        Who::User(user) => org.members.values().any(|member| member.user == Some(user)),
        _ => false,
    });
    let rows: Vec<_> = own.map(|org| render::org(world, org)).collect();
    let link = |name: &str, cursor: &str| {
        let address = format!("{}/api/0/organizations/?&cursor={cursor}", world.base);
        format!("<{address}>; rel=\"{name}\"; results=\"false\"; cursor=\"{cursor}\"")
    };
    let link = format!("{}, {}", link("previous", "0:0:1"), link("next", "0:0:0"));
    Ok(Response::json(200, &rows.into()).with("Link", link))
}

fn org_details(world: &World, request: &Request, org: u64, access: &Access) -> Result<Response, Response> {
    if request.method != "GET" {
        return Err(auth::forbidden());
    }
    let org = world.orgs.get(&org).ok_or_else(auth::missing)?;
    let detailed = request.param("detailed").as_deref() != Some("0");
    Ok(Response::json(200, &render::org_details(world, org, access, detailed)))
}

/// A listing: the page of the rows, rendered, with its `Link`.
pub(crate) fn listing<T>(
    world: &World,
    request: &Request,
    rows: impl IntoIterator<Item = T>,
    show: impl Fn(T) -> serde_json::Value,
) -> Result<Response, Response> {
    let (rows, link) = page(world, request, rows)?;
    let rows: Vec<_> = rows.into_iter().map(show).collect();
    Ok(Response::json(200, &rows.into()).with("Link", link))
}
