//! One person in one team: `/organizations/{org}/members/{id}/teams/{slug}/`.
//!
//! Facts: POST 201 added, 204 already in, 202 only requested (not in!), 403 for a team that an
//! identity provider manages; DELETE 200 whether or not there was anything to do, 400 when the
//! caller may not; 404 does not say which part is missing; the body of POST is not read; a team
//! whose deletion is pending is still found, by its new slug. Today a member of the role `billing` is 403 first of all.

use super::auth::{self, Access};
use super::body;
use super::render;
use super::roles;
use super::teams::MANAGED;
use super::world::{Org, Team, World};
use crate::standin::http::{Request, Response};
use serde_json::{json, Value};

const MAY_NOT: &str = "You do not have permission to edit that user's membership.";

/// Answers one of the four methods.
pub(crate) fn answer(
    world: &mut World,
    request: &Request,
    org: u64,
    member: u64,
    slug: &str,
    access: &Access,
) -> Result<Response, Response> {
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    let team = world.team_by_key(row, slug).ok_or_else(auth::missing)?;
    match request.method.as_str() {
        "GET" => get(row, team, member),
        "POST" => join(world, org, team, member, access),
        "PUT" => set_role(world, request, org, team, member, access),
        _ => leave(world, org, team, member, access),
    }
}

fn refuse(status: u16, detail: &str) -> Response {
    Response::json(status, &json!({ "detail": detail }))
}

fn team_of(org: &Org, team: u64) -> Result<&Team, Response> {
    org.teams.get(&team).ok_or_else(auth::missing)
}

fn membership(team: &Team, row: u64) -> Value {
    json!({"isActive": true, "teamRole": team.rows.get(&row).and_then(|row| row.role.clone())})
}

fn get(org: &Org, team: u64, member: u64) -> Result<Response, Response> {
    let row = org.row_of(team, member).ok_or_else(auth::missing)?;
    Ok(Response::json(200, &membership(team_of(org, team)?, row)))
}

fn join(world: &mut World, org: u64, team: u64, member: u64, access: &Access) -> Result<Response, Response> {
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    let role = row.members.get(&member).map_or("", |member| member.role.as_str());
    if !teams_allowed(role, access) {
        return Err(refuse(403, &no_teams(role)));
    }
    if row.row_of(team, member).is_some() {
        return Ok(Response::empty(204));
    }
    let target = team_of(row, team)?;
    if target.idp_provisioned {
        return Err(refuse(403, MANAGED));
    }
    if !may_add(row, target, access) {
        let row = world.orgs.get_mut(&org).ok_or_else(auth::missing)?;
        row.requests.insert((team, member));
        return Ok(Response::empty(202));
    }
    world.join(org, team, member, None);
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    Ok(Response::json(201, &render::team(row, team_of(row, team)?, access)))
}

/// Whether people of this role can be in teams.
pub(crate) fn teams_allowed(role: &str, access: &Access) -> bool {
    !access.rules.billing_forbids_teams || roles::role(role).is_none_or(|role| role.teams)
}

/// What is said where they can not.
pub(crate) fn no_teams(role: &str) -> String {
    format!("The user with a '{role}' role cannot have team-level permissions.")
}

/// With open membership off an integration needs more than `org:read`; a person must own or manage
/// the organisation, or administer the team.
fn may_add(org: &Org, team: &Team, access: &Access) -> bool {
    if access.integration && !org.open_membership {
        return access.any(&["org:write", "team:write"]);
    }
    access.global(org) || access.can_admin_team(org, team)
}

fn may_remove(org: &Org, team: &Team, member: u64, access: &Access) -> bool {
    let own = access.member == Some(member);
    let manages = access.role().is_some_and(|role| role.scopes.contains(&"org:write"));
    own || manages || access.can_admin_team(org, team)
}

fn leave(world: &mut World, org: u64, team: u64, member: u64, access: &Access) -> Result<Response, Response> {
    let row = world.orgs.get_mut(&org).ok_or_else(auth::missing)?;
    let target = team_of(row, team)?;
    if !may_remove(row, target, member, access) {
        return Err(refuse(400, MAY_NOT));
    }
    if target.idp_provisioned {
        return Err(refuse(403, MANAGED));
    }
    row.leave(team, member);
    Ok(Response::json(200, &render::team(row, team_of(row, team)?, access)))
}

/// PUT `{"teamRole": …}`.
fn set_role(
    world: &mut World,
    request: &Request,
    org: u64,
    team: u64,
    member: u64,
    access: &Access,
) -> Result<Response, Response> {
    let org = world.orgs.get_mut(&org).ok_or_else(auth::missing)?;
    let row = org.row_of(team, member).ok_or_else(auth::missing)?;
    let data = body::read(request)?;
    if let Some(role) = data.get("teamRole") {
        let role = role.as_str().filter(|role| matches!(*role, "contributor" | "admin"));
        let Some(role) = role else {
            return Err(Response::empty(400));
        };
        let target = team_of(org, team)?;
        let ranks = access.role().is_some_and(|role| role.team_role == "admin");
        let integration = access.integration && access.rules.integrations_set_team_roles;
        if !access.can_admin_team(org, target) || !(ranks || integration) {
            return Err(refuse(400, MAY_NOT));
        }
        let stored = (role == "admin").then(|| role.to_owned());
        if let Some(row) = org.teams.get_mut(&team).and_then(|team| team.rows.get_mut(&row)) {
            row.role = stored;
        }
    }
    Ok(Response::json(200, &membership(team_of(org, team)?, row)))
}
