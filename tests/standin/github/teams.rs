//! GitHub's REST routes of teams.
//!
//! Facts: secret teams are listed for owners and their members only; the members of a team include
//! those of its child teams, told apart by `inherited` since 2026 and by nothing on older servers;
//! the membership call says yes for members of child teams too, and `maintainer` for every owner of
//! the organisation; pending people show only there.

use super::pages::paged;
use super::payload;
use super::site::{not_found, Viewer};
use super::state::State;
use super::world::{Origin, Team, TeamRole, World};
use crate::standin::http::{Request, Response};
use serde_json::json;

fn path(world: &World, team: &Team, more: &str) -> String {
    format!("/organizations/{}/team/{}{more}", world.org.id, team.id)
}

/// `GET /orgs/{org}/teams`, by id.
pub(crate) fn list(state: &State, world: &World, request: &Request, viewer: &Viewer) -> Response {
    let origin = request.param("team_type").unwrap_or_default();
    let fits = |team: &Team| match origin.as_str() {
        "enterprise" => team.origin == Origin::Enterprise,
        "organization" => team.origin == Origin::Organization,
        _ => true,
    };
    let all = world.teams.values();
    let rows: Vec<_> = all.filter(|team| fits(team) && viewer.sees(world, team)).collect();
    let (bases, path) = (state.own_bases(), format!("/organizations/{}/teams", world.org.id));
    paged(state, request, &path, rows, |team| payload::team(&bases, world, team))
}

/// A single team.
pub(crate) fn get(state: &State, world: &World, team: &Team) -> Response {
    Response::json(200, &payload::full_team(&state.own_bases(), world, team))
}

/// Direct child teams.
pub(crate) fn children(
    state: &State,
    world: &World,
    request: &Request,
    viewer: &Viewer,
    team: &Team,
) -> Response {
    let below = world.children(team.id).filter_map(|id| world.teams.get(&id));
    let rows: Vec<_> = below.filter(|team| viewer.sees(world, team)).collect();
    let (bases, path) = (state.own_bases(), path(world, team, "/teams"));
    paged(state, request, &path, rows, |team| payload::team(&bases, world, team))
}

/// The role that REST tells: owners of the organisation are always maintainers.
fn role(world: &World, team: &Team, user: u64) -> TeamRole {
    if world.is_owner(user) {
        return TeamRole::Maintainer;
    }
    team.members.get(&user).copied().unwrap_or(TeamRole::Member)
}

/// Members of the team and of the teams below it, by user id.
pub(crate) fn members(state: &State, world: &World, request: &Request, team: &Team) -> Response {
    let wanted = request.param("role").unwrap_or_else(|| "all".to_owned());
    let mut ids: Vec<(u64, bool)> = team.members.keys().map(|id| (*id, false)).collect();
    ids.extend(world.inherited(team.id).into_iter().map(|id| (id, true)));
    ids.sort_unstable();
    ids.retain(|(id, _)| wanted == "all" || wanted == role(world, team, *id).rest());
    let rows = ids.into_iter().filter_map(|(id, inherited)| Some((world.users.get(&id)?, inherited)));
    let (bases, path) = (state.own_bases(), path(world, team, "/members"));
    paged(state, request, &path, rows.collect(), |(user, inherited)| {
        let mut row = payload::user(&bases, user);
        if !state.enterprise_server() {
            let role = role(world, team, user.id).rest();
            let newer = json!({"role": role, "inherited": inherited, "user_view_type": "public"});
            payload::merge(&mut row, newer);
        }
        row
    })
}

/// One person's membership: active, pending, or 404.
pub(crate) fn membership(
    state: &State,
    world: &World,
    team: &Team,
    login: &str,
) -> Result<Response, Response> {
    let user = world.user_by_login(login).ok_or_else(not_found)?;
    let active = team.members.contains_key(&user.id) || world.inherited(team.id).contains(&user.id);
    if !active && !team.pending.contains(&user.id) {
        return Err(not_found());
    }
    let url =
        format!("{}{}", state.own_bases().api, path(world, team, &format!("/memberships/{}", user.login)));
    let (role, kind) = (role(world, team, user.id).rest(), if active { "active" } else { "pending" });
    Ok(Response::json(200, &json!({"url": url, "role": role, "state": kind})))
}
