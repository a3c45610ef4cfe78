//! Who asks, and what they may do: tokens, scopes, roles, open membership.
//!
//! Facts: scopes are not cumulative (`team:admin` does not stand for `team:write`); a call without
//! a fitting scope is 403 before anything is looked up (today it names them); a user token has the scopes that both the
//! token and the person's role have; an integration reaches every team of its own organisation.

use super::era::Rules;
use super::roles::{self, Role};
use super::world::{Org, Team, Who, World};
use crate::standin::http::{Request, Response};
use serde_json::json;

pub(crate) const FORBIDDEN: &str = "You do not have permission to perform this action.";

/// An authenticated caller.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub who: Who,
    pub scopes: Vec<String>,
}

/// 401 with Sentry's challenge.
pub(crate) fn unauthorized(detail: &str) -> Response {
    Response::json(401, &json!({ "detail": detail })).with("WWW-Authenticate", "xBasic realm=\"api\"")
}

/// 403 in the usual words.
pub(crate) fn forbidden() -> Response {
    Response::json(403, &json!({ "detail": FORBIDDEN }))
}

/// 403 for a token that has none of these scopes.
pub(crate) fn lacking(scopes: &[&str], rules: &Rules) -> Response {
    let response = forbidden();
    if !rules.missing_scope_named || scopes.is_empty() {
        return response;
    }
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", scopes.join(" "));
    response.with("WWW-Authenticate", challenge)
}

/// 404 in the usual words.
pub(crate) fn missing() -> Response {
    Response::json(404, &json!({ "detail": "The requested resource does not exist" }))
}

/// Reads `Authorization`. `Ok(None)` is somebody without credentials, also with an unknown scheme.
pub(crate) fn authenticate(world: &World, request: &Request) -> Result<Option<Caller>, Response> {
    let header = request.header("authorization").unwrap_or("");
    let mut parts = header.split_whitespace();
    match parts.next().map(str::to_ascii_lowercase).as_deref() {
        Some("bearer") => {}
        Some("basic") => return Err(unauthorized("API key is not valid")),
        _ => return Ok(None),
    }
    let Some(value) = parts.next() else {
        return Err(unauthorized("Invalid token header. No credentials provided."));
    };
    if parts.next().is_some() {
        return Err(unauthorized("Invalid token header. Token string should not contain spaces."));
    }
    let Some(token) = world.tokens.get(value) else {
        let org_token = value.starts_with("sntrys_");
        return Err(unauthorized(if org_token { "Invalid org token" } else { "Invalid token" }));
    };
    if token.expired {
        return Err(unauthorized("Token expired"));
    }
    if let Who::User(id) = token.who {
        if !world.users.get(&id).is_some_and(|user| user.active) {
            return Err(unauthorized("User inactive or deleted"));
        }
    }
    Ok(Some(Caller { who: token.who.clone(), scopes: token.scopes.clone() }))
}

/// What a caller may do in one organisation.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Scopes that hold here.
    pub scopes: Vec<String>,
    /// Scopes of the token, whatever the role.
    upper_bound: Vec<String>,
    pub integration: bool,
    /// The caller's own membership; an integration has none.
    pub member: Option<u64>,
    /// The user behind the token.
    pub user: Option<u64>,
    role: Option<String>,
    pub rules: &'static Rules,
}

impl Access {
    /// Works out the access of a caller to an organisation. Strangers get no scope at all.
    pub fn of(caller: &Caller, org: &Org, rules: &'static Rules) -> Access {
        let nothing = Access {
            scopes: Vec::new(),
            upper_bound: caller.scopes.clone(),
            integration: false,
            member: None,
            user: None,
            role: None,
            rules,
        };
        match caller.who {
            Who::Integration { org: home, user } if home == org.id => {
                Access { scopes: caller.scopes.clone(), integration: true, user: Some(user), ..nothing }
            }
            Who::Integration { .. } | Who::Org => nothing,
            Who::User(user) => {
                let Some(member) = org.members.values().find(|member| member.user == Some(user)) else {
                    return Access { user: Some(user), ..nothing };
                };
                let role_scopes = roles::role(&member.role).map_or(&[][..], |role| role.scopes);
                let both = caller.scopes.iter().filter(|scope| role_scopes.contains(&scope.as_str()));
                Access {
                    scopes: both.cloned().collect(),
                    member: Some(member.id),
                    user: Some(user),
                    role: Some(member.role.clone()),
                    ..nothing
                }
            }
        }
    }

    pub fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    pub fn any(&self, scopes: &[&str]) -> bool {
        scopes.iter().any(|scope| self.has(scope))
    }

    pub fn role(&self) -> Option<&'static Role> {
        self.role.as_deref().and_then(roles::role)
    }

    /// Reaches teams that the person is not in.
    pub fn global(&self, org: &Org) -> bool {
        self.integration || org.open_membership || self.role().is_some_and(|role| role.global)
    }

    /// Is in the team; an integration counts as in every team.
    fn in_team(&self, org: &Org, team: &Team) -> bool {
        self.integration || self.member.is_some_and(|member| org.row_of(team.id, member).is_some())
    }

    /// May see the team at all.
    pub fn team_access(&self, org: &Org, team: &Team) -> bool {
        self.global(org) || self.in_team(org, team)
    }

    /// Has a scope on this team, by organisation role or by team role.
    fn team_scope(&self, org: &Org, team: &Team, scope: &str) -> bool {
        if !self.team_access(org, team) {
            return false;
        }
        if self.has(scope) {
            return true;
        }
        let row =
            self.member.and_then(|member| org.row_of(team.id, member)).and_then(|row| team.rows.get(&row));
        let by_row =
            row.is_some_and(|row| roles::team_scopes(self.team_role(row.role.as_deref())).contains(&scope));
        by_row && self.upper_bound.iter().any(|own| own == scope)
    }

    /// The check of the routes under `/teams/{org}/{slug}/`.
    pub fn may_use_team(&self, org: &Org, team: &Team, scopes: &[&str]) -> bool {
        if self.any(scopes) {
            return self.team_access(org, team);
        }
        scopes.iter().any(|scope| self.team_scope(org, team, scope))
    }

    /// May change who is in the team.
    pub fn can_admin_team(&self, org: &Org, team: &Team) -> bool {
        if self.has("org:write") && self.rules.org_write_manages_all_teams {
            return true;
        }
        let by_member = self.rules.member_write_manages_teams && self.has("member:write");
        let may = by_member || self.has("org:write") || self.team_scope(org, team, "team:write");
        self.in_team(org, team) && may
    }

    /// The role on a team that counts: the row's own, or what the organisation role brings.
    pub fn team_role(&self, own: Option<&str>) -> &'static str {
        let minimum = self.role().map_or("contributor", |role| role.team_role);
        if own == Some("admin") || minimum == "admin" {
            "admin"
        } else {
            "contributor"
        }
    }
}
