//! Members of an organisation: list, find, read, change, remove.
//!
//! Facts: listings hold active users and approved invites (expired ones too), not deactivated
//! users, not requests; `email:` finds any address of a user without case, an open invite only by
//! its exact letters; PUT with `teams` or `teamRoles` replaces all teams of a person, also past an
//! identity provider's lock; an integration can never remove a member. Today PUT without both keys empties them.

use super::auth::{self, Access};
use super::body;
use super::membership::{no_teams, teams_allowed};
use super::render;
use super::roles;
use super::search::tokens;
use super::site::{internal_error, listing};
use super::world::{InviteStatus, Member, Org, User, World};
use crate::standin::http::{Request, Response};
use serde_json::{json, Value};
use std::collections::BTreeMap;

pub(crate) const TOO_MANY_INVITES: &str = "You are being rate limited for too many invitations.";
const MORE_ACCESS: &str = "You cannot remove a member who has more access than you.";
const EDIT_WHEN_REINVITING: &str =
    "You cannot modify member details when resending an invitation. Separate requests are required.";
const NEEDS_ADMIN: &str = "You are missing the member:admin scope.";

fn org_of(world: &World, org: u64) -> Result<&Org, Response> {
    world.orgs.get(&org).ok_or_else(auth::missing)
}

fn refuse(status: u16, detail: &str) -> Response {
    Response::json(status, &json!({ "detail": detail }))
}

/// `GET /organizations/{org}/members/`, sorted by member id.
pub(crate) fn list(
    world: &mut World,
    request: &Request,
    org: u64,
    access: &Access,
) -> Result<Response, Response> {
    let query = tokens(&request.param("query").unwrap_or_default());
    let numbers = ["id", "user.id"].into_iter().filter_map(|key| query.get(key)).flatten();
    let all_numbers = numbers.into_iter().all(|value| value.parse::<i64>().is_ok());
    if !all_numbers && world.rules().bad_number_is_an_error {
        return Err(internal_error(world));
    }
    let expand = request.param_list("expand").iter().any(|name| name == "externalUsers");
    let rows =
        org_of(world, org)?.members.values().filter(|row| world.listed(row) && wanted(world, row, &query));
    listing(world, request, rows, |row| {
        let mut value = render::listed_member(world, row, access);
        if expand {
            render::add_external_users(&mut value, world, row);
        }
        value
    })
}

fn wanted(world: &World, row: &Member, query: &BTreeMap<String, Vec<String>>) -> bool {
    let user = world.user_of(row);
    query.iter().all(|(key, values)| {
        let yes = values.iter().any(|value| value == "true");
        match key.as_str() {
            "email" => values.iter().any(|value| bears(row, user, value)),
            "id" => values.iter().any(|value| value.parse() == Ok(row.id)),
            "user.id" => values.iter().any(|value| value.parse().ok() == row.user),
            "role" => values.contains(&row.role),
            "scope" => {
                let scopes = roles::role(&row.role).map_or(&[][..], |role| role.scopes);
                values.iter().any(|value| scopes.contains(&value.as_str()))
            }
            "isInvited" => yes == row.user.is_none(),
            "ssoLinked" | "has2fa" => !yes,
            "hasExternalUsers" => yes == user.is_some_and(|user| !user.external.is_empty()),
            "query" => matches_words(row, user, &values.join(" ").to_lowercase()),
            _ => false,
        }
    })
}

/// Whether an address belongs to a member: any of a user's without case, or exactly the invited one.
pub(crate) fn bears(row: &Member, user: Option<&User>, address: &str) -> bool {
    let same = |email: &str| email.to_lowercase() == address.to_lowercase();
    row.invited.as_deref() == Some(address)
        || user.is_some_and(|user| user.emails.iter().any(|email| same(&email.address)))
}

fn matches_words(row: &Member, user: Option<&User>, words: &str) -> bool {
    let contains = |text: &str| text.to_lowercase().contains(words);
    row.invited.as_deref().is_some_and(contains)
        || user.is_some_and(|user| {
            contains(&user.name) || user.emails.iter().any(|email| contains(&email.address))
        })
}

/// The member an address names: a number, or `me` for a person's token. Requests are found too.
pub(crate) fn find(world: &World, org: u64, id: &str, access: &Access) -> Result<u64, Response> {
    if id == "me" {
        return access.member.ok_or_else(auth::missing);
    }
    let text = id.trim();
    let whole = text.split_once('.').filter(|(_, rest)| rest.chars().all(|digit| digit == '0'));
    let number = whole.map_or(text, |(whole, _)| whole).parse::<u64>().ok();
    let known = number.filter(|id| world.orgs.get(&org).is_some_and(|org| org.members.contains_key(id)));
    known.ok_or_else(auth::missing)
}

/// The roles the caller may hand out: none without `member:admin`. A listing for one member goes by
/// that member's role, a change by the caller's; an integration has none of its own.
pub(crate) fn allowed_roles(access: &Access, shown: Option<&Member>) -> Vec<&'static str> {
    if !access.has("member:admin") {
        return Vec::new();
    }
    match (shown, access.role()) {
        (Some(row), _) => roles::up_to(&row.role),
        (None, Some(role)) => roles::up_to(role.id),
        (None, None) => Vec::new(),
    }
}

/// Answers one of the three methods on one member; those who only asked to join are 404.
pub(crate) fn answer(
    world: &mut World,
    request: &Request,
    org: u64,
    id: u64,
    access: &Access,
) -> Result<Response, Response> {
    let row = org_of(world, org)?.members.get(&id);
    if row.is_none_or(|row| row.status != InviteStatus::Approved) {
        return Err(auth::missing());
    }
    match request.method.as_str() {
        "GET" => get(world, org, id, access),
        "PUT" => update(world, request, org, id, access),
        _ => delete(world, org, id, access),
    }
}

/// `GET /organizations/{org}/members/{id}/`.
fn get(world: &World, org: u64, id: u64, access: &Access) -> Result<Response, Response> {
    let org = org_of(world, org)?;
    let row = org.members.get(&id).ok_or_else(auth::missing)?;
    let allowed = allowed_roles(access, Some(row));
    Ok(Response::json(200, &render::member_with_roles(world, org, row, access, &allowed)))
}

/// A 400 that says what is wrong, where this Sentry does.
fn invalid(access: &Access, field: &str, fault: &str) -> Response {
    if access.rules.faults_of_a_change_told {
        Response::json(400, &json!({ field: [fault] }))
    } else {
        Response::empty(400)
    }
}

/// `PUT /organizations/{org}/members/{id}/`.
fn update(
    world: &mut World,
    request: &Request,
    org: u64,
    id: u64,
    access: &Access,
) -> Result<Response, Response> {
    let data = body::read(request)?;
    let Some(fields) = data.as_object() else {
        return Err(invalid(access, "non_field_errors", "Invalid data. Expected a dictionary."));
    };
    let allowed = allowed_roles(access, None);
    for key in ["role", "orgRole"] {
        let role = data.get(key);
        if role.is_some_and(|role| !role.as_str().is_some_and(|role| allowed.contains(&role))) {
            return Err(invalid(access, key, "You do not have permission to set that org-level role"));
        }
    }
    let teams = wanted_teams(world, org, access, &data)?;
    let reinvites = data.get("reinvite") == Some(&Value::Bool(true));
    if reinvites {
        let alone = fields.keys().all(|key| matches!(key.as_str(), "reinvite" | "regenerate"));
        if access.rules.reinvite_stands_alone && !alone {
            return Err(refuse(403, EDIT_WHEN_REINVITING));
        }
        let regenerate = data.get("regenerate") == Some(&Value::Bool(true));
        reinvite(world, org, id, access, regenerate)?;
    }
    if !(reinvites && access.rules.reinvite_stands_alone) {
        change(world, org, id, access, &data, teams)?;
    }
    let org = org_of(world, org)?;
    let row = org.members.get(&id).ok_or_else(auth::missing)?;
    Ok(Response::json(200, &render::member_with_roles(world, org, row, access, &allowed)))
}

/// Sets teams and role.
fn change(
    world: &mut World,
    org: u64,
    id: u64,
    access: &Access,
    data: &Value,
    teams: Option<TeamsAndRoles>,
) -> Result<(), Response> {
    let row = org_of(world, org)?.members.get(&id).ok_or_else(auth::missing)?;
    let role = data.get("orgRole").or(data.get("role")).and_then(Value::as_str).map(str::to_owned);
    let new_role = role.as_deref().unwrap_or(&row.role);
    let in_teams = teams.as_ref().map_or(!row.teams.is_empty(), |teams| !teams.is_empty());
    if in_teams && !teams_allowed(new_role, access) {
        return Err(refuse(400, &no_teams(new_role)));
    }
    match teams {
        Some(teams) => replace_teams(world, org, id, teams),
        None if access.rules.change_without_teams_wipes => replace_teams(world, org, id, Vec::new()),
        None => {}
    }
    if let (Some(role), Some(org)) = (role, world.orgs.get_mut(&org)) {
        if let Some(row) = org.members.get_mut(&id) {
            row.role = role;
        }
    }
    Ok(())
}

/// In the order of the database, by id, whatever the order asked.
type TeamsAndRoles = Vec<(u64, Option<String>)>;

/// The teams of `teamRoles` or else `teams`; an unknown one, or one named twice, is 400.
fn wanted_teams(
    world: &mut World,
    org: u64,
    access: &Access,
    data: &Value,
) -> Result<Option<TeamsAndRoles>, Response> {
    if let Some(list) = data.get("teamRoles") {
        if list.is_null() {
            return Err(internal_error(world));
        }
        return match team_roles(world, org, list)? {
            Ok(teams) => Ok(Some(teams)),
            Err(fault) => Err(invalid(access, "teamRoles", &fault)),
        };
    }
    match data.get("teams") {
        None => Ok(None),
        Some(list) => match team_list(world, org, list) {
            Ok(mut teams) => {
                teams.sort_unstable();
                Ok(Some(teams.into_iter().map(|team| (team, None)).collect()))
            }
            Err(fault) => Err(invalid(access, "teams", &fault)),
        },
    }
}

/// Active teams by slug, or what is wrong with the list.
pub(crate) fn team_list(world: &World, org: u64, list: &Value) -> Result<Vec<u64>, String> {
    let Some(slugs) = list.as_array() else {
        let kind = if list.is_string() { "str" } else { "dict" };
        return Err(format!("Expected a list of items but got type \"{kind}\"."));
    };
    let mut teams = Vec::new();
    for slug in slugs {
        let org = world.orgs.get(&org);
        let id = slug.as_str().and_then(|slug| org.and_then(|org| org.slugs.get(slug)));
        let active =
            id.filter(|id| org.and_then(|org| org.teams.get(id)).is_some_and(|team| !team.pending_deletion));
        match active {
            Some(&id) if !teams.contains(&id) => teams.push(id),
            _ => return Err("Invalid teams".to_owned()),
        }
    }
    Ok(teams)
}

/// Teams with roles; the outer error is the 500 for an item without `role`.
pub(crate) fn team_roles(
    world: &mut World,
    org: u64,
    list: &Value,
) -> Result<Result<TeamsAndRoles, String>, Response> {
    let items = list.as_array().cloned().unwrap_or_default();
    if items.iter().any(|item| item.get("role").is_none() || item.get("teamSlug").is_none()) {
        return Err(internal_error(world));
    }
    let role = |item: &Value| item["role"].as_str().map(str::to_owned);
    if items.iter().any(|item| {
        !item["role"].is_null() && !matches!(role(item).as_deref(), Some("contributor" | "admin"))
    }) {
        return Ok(Err("Invalid team-role".to_owned()));
    }
    let slugs: Vec<Value> = items.iter().map(|item| item["teamSlug"].clone()).collect();
    let teams = team_list(world, org, &slugs.into());
    Ok(teams.map(|teams| {
        let mut pairs: TeamsAndRoles = teams.into_iter().zip(items.iter().map(role)).collect();
        pairs.sort();
        pairs
    }))
}

fn replace_teams(world: &mut World, org: u64, id: u64, teams: TeamsAndRoles) {
    let present: Vec<u64> = world
        .orgs
        .get(&org)
        .and_then(|org| org.members.get(&id))
        .map(|row| row.teams.values().copied().collect())
        .unwrap_or_default();
    if let Some(org) = world.orgs.get_mut(&org) {
        for team in present {
            org.leave(team, id);
        }
    }
    for (team, role) in teams {
        world.join(org, team, id, role);
    }
}

fn reinvite(world: &mut World, org: u64, id: u64, access: &Access, regenerate: bool) -> Result<(), Response> {
    let row = org_of(world, org)?.members.get(&id).ok_or_else(auth::missing)?;
    let Some(email) = row.invited.clone().filter(|_| row.user.is_none()) else {
        return Err(refuse(400, "You cannot send an invitation to a user who is already a full member."));
    };
    if world.invites.exceeded(org, access.user.unwrap_or(0), &email) {
        return Err(refuse(429, TOO_MANY_INVITES));
    }
    if regenerate && !access.has("member:admin") {
        return Err(refuse(400, NEEDS_ADMIN));
    }
    let row = world.orgs.get_mut(&org).and_then(|org| org.members.get_mut(&id)).ok_or_else(auth::missing)?;
    if regenerate {
        row.expired = false;
    }
    if row.expired {
        return Err(refuse(400, "You cannot resend an expired invitation without regenerating the token."));
    }
    Ok(())
}

/// `DELETE /organizations/{org}/members/{id}/`.
fn delete(world: &mut World, org: u64, id: u64, access: &Access) -> Result<Response, Response> {
    let row_org = org_of(world, org)?;
    let row = row_org.members.get(&id).ok_or_else(auth::missing)?;
    let Some(own) = access.member else {
        return Err(refuse(400, MORE_ACCESS));
    };
    if own != id {
        if !access.has("member:admin") {
            return Err(refuse(400, NEEDS_ADMIN));
        }
        if access.role().is_none_or(|role| roles::rank(role.id) < roles::rank(&row.role)) {
            return Err(refuse(400, MORE_ACCESS));
        }
    }
    if render::is_only_owner(world, row_org, row) {
        return Err(refuse(403, "You cannot remove the only remaining owner of the organization."));
    }
    if row.idp_provisioned {
        return Err(refuse(403, "This user is managed through your organization's identity provider."));
    }
    if let Some(org) = world.orgs.get_mut(&org) {
        org.remove_member(id);
    }
    Ok(Response::empty(204))
}
