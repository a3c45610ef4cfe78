//! One request to the pretend GitHub, from its headers to its answer.
//!
//! The order of checks: `User-Agent` (403), API version (400), token (401), rate limits (403),
//! address (404), permission (403 or 404 by the kind of token), then the thing itself. 404 is also
//! the answer for a missing permission, so it proves nothing; that is GitHub's way.

use super::build::{Denial, Flavour, GithubToken, TokenKind};
use super::limits::{primary, secondary, Resource};
use super::route::{AppRoute, OrgKey, Part, Route, TeamKey};
use super::state::State;
use super::world::{Privacy, Team, World};
use super::{app, gql, hooks, people, teams};
use crate::standin::described;
use crate::standin::fault::Fault;
use crate::standin::http::{lock, Request, Response};
use crate::standin::time::{self, spaced_utc};
use crate::standin::wire::{Admission, Site};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// The words of single sign-on.
pub(crate) const UNAUTHORISED: &str =
    "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.";

const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// The site behind the wire.
pub(crate) struct GithubSite {
    pub state: Arc<Mutex<State>>,
    pub running: Arc<AtomicUsize>,
}

/// A call that counts against the limit of parallel calls until dropped.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub token: Option<GithubToken>,
    /// Whose limit is used, in the words of the refusal.
    pub limit_owner: String,
    /// The App itself, by its key.
    pub as_app: bool,
}

impl Viewer {
    pub fn id(&self) -> Option<u64> {
        self.token.as_ref().and_then(|token| token.viewer)
    }

    pub fn is_app(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.kind == TokenKind::App)
    }

    pub fn is_owner(&self, world: &World) -> bool {
        self.id().is_some_and(|id| world.is_owner(id))
    }

    /// Whether the organisation's members and teams may be read at all.
    pub fn reads_members(&self, world: &World) -> bool {
        let inside = self.is_app() || self.id().is_some_and(|id| world.org.members.contains_key(&id));
        inside && self.token.as_ref().is_some_and(|token| token.members && !token.unauthorised)
    }

    /// Secret teams are for owners, their own members, and Apps.
    pub fn sees(&self, world: &World, team: &Team) -> bool {
        team.privacy == Privacy::Closed
            || self.is_app()
            || self.is_owner(world)
            || self.id().is_some_and(|id| team.members.contains_key(&id))
    }

    /// The refusal of a missing permission, or of a token that is not authorised for single sign-on.
    pub fn denied(&self) -> Response {
        match &self.token {
            None => error(401, "Requires authentication"),
            Some(token) if token.unauthorised => {
                let address = "https://github.com/orgs/acme/sso?authorization_request=AZSCK";
                error(403, UNAUTHORISED).with("X-GitHub-SSO", format!("required; url={address}"))
            }
            Some(token) if token.denial == Denial::NotFound => error(404, "Not Found"),
            Some(token) if token.kind == TokenKind::App => {
                error(403, "Resource not accessible by integration")
            }
            Some(_) => error(403, "Resource not accessible by personal access token"),
        }
    }
}

/// An error body.
pub(crate) fn error(status: u16, message: &str) -> Response {
    let body = json!({"message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string()});
    Response::json(status, &body)
}

pub(crate) fn not_found() -> Response {
    error(404, "Not Found")
}

impl Site for GithubSite {
    fn route(&self, request: &Request) -> String {
        let prefix = lock(&self.state).rest_prefix();
        let path = request.path();
        let known = path.strip_prefix(prefix).and_then(Route::find);
        match known {
            _ if is_graphql(prefix, path) => format!("{} /graphql", request.method),
            Some(route) => format!("{} {}", request.method, route.template()),
            None => format!("{} (unknown)", request.method),
        }
    }

    fn undescribed(&self, request: &Request) -> Vec<String> {
        let prefix = lock(&self.state).rest_prefix();
        let path = request.path();
        match path.strip_prefix(prefix) {
            _ if is_graphql(prefix, path) => described::graphql_faults(request),
            Some(path) => described::github().faults(request, path),
            None => vec![format!("{} is not below {prefix}", request.target)],
        }
    }

    fn admit(&self, _request: &Request) -> Admission {
        let (limit, limited) = {
            let state = lock(&self.state);
            (state.limits.parallel, state.flavour == Flavour::Dotcom)
        };
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        let refused = (limited && running > limit).then(|| secondary(60));
        let held = Some(Box::new(Running(Arc::clone(&self.running))) as Box<dyn std::any::Any>);
        Admission { refused, held, headers: Vec::new() }
    }

    fn answer(&self, request: &Request, fault: Option<&Fault>) -> Response {
        let graphql = is_graphql(lock(&self.state).rest_prefix(), request.path());
        let (viewer, resource, response) = match self.check(request) {
            Err(refusal) => (None, Resource::Core, refusal),
            Ok(viewer) if graphql => {
                let response = self.graphql(request, &viewer, fault);
                (Some(viewer), Resource::Graphql, response)
            }
            Ok(viewer) => {
                let response = self.rest(request, &viewer);
                (Some(viewer), Resource::Core, response)
            }
        };
        self.dress(response, viewer.as_ref(), resource)
    }

    fn refusal(&self, request: &Request, fault: &Fault) -> Response {
        let viewer = self.check(request).ok();
        let owner = viewer.as_ref().map_or("anonymous", |viewer| viewer.limit_owner.as_str());
        let soon = |seconds: u64| time::now() + Duration::from_secs(seconds);
        let response = match fault {
            Fault::Status(status) => error(*status, "Server Error"),
            Fault::Refusal { status, message } => error(*status, message),
            Fault::Unauthorized => error(401, "Bad credentials"),
            Fault::SecondaryLimit { retry_after } => secondary(*retry_after),
            Fault::PrimaryLimit { status, reset_in } => {
                primary(*status, 5_000, soon(*reset_in), owner, Resource::Core)
            }
            _ => primary(403, 5_000, soon(1), owner, Resource::Core),
        };
        // Whom a refused token belongs to is nobody's business; what failed within has counted for its owner.
        let viewer = viewer.filter(|_| !matches!(fault, Fault::Unauthorized));
        self.dress(response, viewer.as_ref(), Resource::Core)
    }
}

fn is_graphql(prefix: &str, path: &str) -> bool {
    path == if prefix.is_empty() { "/graphql" } else { "/api/graphql" }
}

impl GithubSite {
    /// The checks that need no address.
    fn check(&self, request: &Request) -> Result<Viewer, Response> {
        if request.header("user-agent").unwrap_or("").is_empty() {
            let words = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
            return Err(Response::new(403, "text/html", words));
        }
        let state = lock(&self.state);
        let versions = if state.enterprise_server() { &VERSIONS[..1] } else { &VERSIONS[..] };
        if request.header("x-github-api-version").is_some_and(|version| !versions.contains(&version)) {
            return Err(error(400, "The given X-GitHub-Api-Version is not supported"));
        }
        let Some(header) = request.header("authorization") else {
            return Ok(Viewer { token: None, limit_owner: "anonymous".to_owned(), as_app: false });
        };
        let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
        let known = matches!(scheme.to_ascii_lowercase().as_str(), "bearer" | "token");
        if let Some(app) = state.app.as_ref().filter(|_| known && value.starts_with("eyJ")) {
            app.admits(value)?;
            return Ok(Viewer { token: None, limit_owner: format!("app ID {}", app.id), as_app: true });
        }
        let token = state.tokens.get(value.trim()).filter(|_| known);
        let good = |at: Option<SystemTime>| at.is_none_or(|at| at > time::now());
        let token = token.filter(|token| good(token.expires) && good(token.ends));
        let app = state.app.as_ref();
        if let Some(refusal) = app.and_then(|app| token.and_then(|token| app.refusal_of(token))) {
            return Err(refusal);
        }
        let Some(token) = token.cloned() else {
            return Err(error(401, "Bad credentials"));
        };
        let limit_owner =
            token.viewer.map_or_else(|| "installation ID 1".to_owned(), |id| format!("user ID {id}"));
        Ok(Viewer { token: Some(token), limit_owner, as_app: false })
    }

    fn rest(&self, request: &Request, viewer: &Viewer) -> Response {
        let mut state = lock(&self.state);
        let limited = !state.enterprise_server();
        let Some(route) = request.path().strip_prefix(state.rest_prefix()).and_then(Route::find) else {
            return not_found();
        };
        if let Route::App(route) = &route {
            let needs_key = !matches!(route, AppRoute::Conversion(_));
            if needs_key && !viewer.as_app {
                return error(401, "A JSON web token could not be decoded");
            }
            let world = state.history.seen();
            return app::answer(&mut state, &world, request, route);
        }
        if viewer.as_app {
            return error(403, "Resource not accessible by integration");
        }
        let is_read = matches!(request.method.as_str(), "GET" | "HEAD");
        if is_read == matches!(route, Route::Attempt(..)) {
            return not_found();
        }
        if route == Route::RateLimit {
            return people::rate_limit(&mut state, request, viewer);
        }
        let owner = &viewer.limit_owner;
        if limited && !state.spend_minute(owner, Resource::Core) {
            return secondary(60);
        }
        if limited && !state.spend(owner, Resource::Core, 1) {
            let (limit, usage) =
                (state.limit_of(owner, Resource::Core), state.usage_of(owner, Resource::Core));
            return primary(403, limit, usage.reset, owner, Resource::Core);
        }
        let world = state.history.seen();
        let response = dispatch(&state, &world, request, viewer, &route);
        let response = conditional(request, response);
        if response.status == 304 {
            // Not counted.
            if let Some(usage) = state.usage.get_mut(&format!("{owner}:core")) {
                usage.used = usage.used.saturating_sub(1);
            }
        }
        response
    }

    fn graphql(&self, request: &Request, viewer: &Viewer, fault: Option<&Fault>) -> Response {
        if request.method != "POST" {
            return not_found();
        }
        let Some(token) = &viewer.token else {
            return error(401, "This endpoint requires you to be authenticated.");
        };
        if !token.graphql {
            return error(403, "Resource not accessible by personal access token");
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return error(400, "Problems parsing JSON");
        };
        let fault = match fault {
            Some(Fault::Graphql(fault)) => Some(fault),
            _ => None,
        };
        gql::answer(&self.state, viewer, &body, fault)
    }

    /// Adds what every answer has.
    fn dress(&self, mut response: Response, viewer: Option<&Viewer>, resource: Resource) -> Response {
        let mut state = lock(&self.state);
        let id = state.rng.hex(8).to_uppercase();
        response = response
            .with("Server", "github.com")
            .with("X-GitHub-Request-Id", format!("{}:{}", &id[..4], &id[4..]));
        response = response
            .with("X-GitHub-Media-Type", "github.v3; format=json")
            .with("x-github-api-version-selected", VERSIONS[0]);
        let owner = viewer.map_or("anonymous", |viewer| viewer.limit_owner.as_str());
        if response.header("x-ratelimit-limit").is_none() && response.header("retry-after").is_none() {
            response.headers.extend(state.limit_headers(owner, resource));
        }
        if let Some(token) = viewer.and_then(|viewer| viewer.token.as_ref()) {
            if let Some(at) = token.expires {
                response = response.with("github-authentication-token-expiration", spaced_utc(at));
            }
            if token.kind == TokenKind::Classic {
                let scopes = [(token.webhooks, "admin:org_hook"), (token.members, "read:org")];
                let scopes: Vec<_> = scopes.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
                response = response.with("X-OAuth-Scopes", scopes.join(", "));
            }
        }
        response
    }
}

/// `ETag`, and 304 for a client that has this body already.
fn conditional(request: &Request, response: Response) -> Response {
    if response.status != 200 {
        return response;
    }
    let tag = format!("W/\"{}\"", hex::encode(Sha256::digest(&response.body)));
    if request.header("if-none-match") == Some(tag.as_str()) {
        return Response::empty(304).with("ETag", tag);
    }
    response.with("ETag", tag)
}

/// Answers a route, and names the permission it asks of a fine-grained token.
fn dispatch(state: &State, world: &World, request: &Request, viewer: &Viewer, route: &Route) -> Response {
    let (permission, answer) = match route {
        Route::Hooks(org) | Route::Deliveries(org, _) | Route::Delivery(org, ..) => {
            let answer =
                hooks::enter(world, org, viewer).and_then(|()| hooks::answer(state, world, request, route));
            (Some("organization_hooks=read"), answer)
        }
        Route::Teams(org)
        | Route::Team(org, ..)
        | Route::Members(org)
        | Route::Member(org, _)
        | Route::Membership(org, _) => {
            let answer = enter_members(world, org, viewer)
                .and_then(|()| members_only(state, world, request, viewer, route));
            (Some("members=read"), answer)
        }
        Route::Root => (None, Ok(people::root(state))),
        Route::Meta => (None, Ok(people::meta())),
        Route::User => (None, people::own_user(state, world, viewer)),
        Route::UserOrgs => (None, people::own_orgs(state, world, viewer)),
        Route::UserById(id) => (None, people::profile(state, world.users.get(id))),
        Route::UserByLogin(login) => (None, people::profile(state, world.user_by_login(login))),
        Route::Org(org) => (None, enter(world, org).map(|()| people::org(state, world))),
        Route::Attempt(..) | Route::App(_) | Route::RateLimit => (None, Err(not_found())),
    };
    let response = answer.unwrap_or_else(|refusal| refusal);
    let fine_grained = |token: &GithubToken| token.kind == TokenKind::FineGrained;
    match permission.filter(|_| viewer.token.as_ref().is_some_and(fine_grained)) {
        Some(permission) => response.with("X-Accepted-GitHub-Permissions", permission),
        None => response,
    }
}

/// The routes that need Members: read.
fn members_only(
    state: &State,
    world: &World,
    request: &Request,
    viewer: &Viewer,
    route: &Route,
) -> Result<Response, Response> {
    match route {
        Route::Teams(_) => Ok(teams::list(state, world, request, viewer)),
        Route::Team(_, key, part) => {
            let team = find_team(world, key, viewer)?;
            match part {
                Part::Itself => Ok(teams::get(state, world, team)),
                Part::Members => Ok(teams::members(state, world, request, team)),
                Part::Membership(login) => teams::membership(state, world, team, login),
                Part::Children => Ok(teams::children(state, world, request, viewer, team)),
            }
        }
        Route::Members(_) => Ok(people::members(state, world, request)),
        Route::Member(_, login) => people::member(world, login),
        Route::Membership(_, login) => people::membership(state, world, login),
        _ => Err(not_found()),
    }
}

/// 404 unless the address names the organisation as it is called now.
pub(crate) fn enter(world: &World, org: &OrgKey) -> Result<(), Response> {
    let known = match org {
        OrgKey::Login(login) => world.is_org(login),
        OrgKey::Id(id) => !world.org.deleted && world.org.id == *id,
    };
    if known {
        Ok(())
    } else {
        Err(not_found())
    }
}

fn enter_members(world: &World, org: &OrgKey, viewer: &Viewer) -> Result<(), Response> {
    enter(world, org)?;
    if viewer.reads_members(world) {
        Ok(())
    } else {
        Err(viewer.denied())
    }
}

fn find_team<'a>(world: &'a World, key: &TeamKey, viewer: &Viewer) -> Result<&'a Team, Response> {
    let team = match key {
        TeamKey::Slug(slug) => world.team_by_slug(slug),
        TeamKey::Id(id) => world.teams.get(id),
    };
    team.map(AsRef::as_ref).filter(|team| viewer.sees(world, team)).ok_or_else(not_found)
}
