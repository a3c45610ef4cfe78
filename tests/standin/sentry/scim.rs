//! SCIM groups: every team with all its members, where an identity provider has SCIM switched on.
//!
//! Facts: a plain 403 where it is not, though the scope is there; teams sorted by slug, which is not shown; members of every
//! kind, invites, requests and deactivated people too, in the order in which they first joined any team of the page;
//! `startIndex` counts from 1 and is an offset, so rows are skipped when others vanish between two pages; `count=0` is a 500;
//! no `Link`. Writing through SCIM makes a team the identity provider's, and is not played.

use super::auth;
use super::site::internal_error;
use super::world::{Org, Team, World};
use crate::standin::http::{Request, Response};
use serde_json::{json, Value};
use std::collections::{BTreeMap, BTreeSet};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

fn bad(body: Value) -> Response {
    Response::json(400, &body)
}

fn number(request: &Request, name: &str, usual: usize, least: i64) -> Result<usize, Response> {
    let Some(text) = request.param(name) else { return Ok(usual) };
    match text.trim().parse::<i64>() {
        Ok(number) if number >= least => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
        Ok(_) => {
            let words = format!("Ensure this value is greater than or equal to {least}.");
            Err(bad(json!({ name: [words] })))
        }
        Err(_) => Err(bad(json!({ name: ["A valid integer is required."] }))),
    }
}

/// The name that `displayName eq "…"` asks for, as a slug.
fn filter(request: &Request) -> Result<Option<String>, Response> {
    let Some(text) = request.param("filter") else { return Ok(None) };
    let invalid = || bad(json!({"schemas": [ERROR], "scimType": "invalidFilter"}));
    let (key, value) =
        text.split_once(" eq ").filter(|_| text.matches(" eq ").count() == 1).ok_or_else(invalid)?;
    let value = value.trim();
    if text.contains(',') || !["userName", "value", "displayName"].contains(&key.trim()) || value.len() < 2 {
        return Err(invalid());
    }
    let inner: String = value.chars().skip(1).take(value.chars().count() - 2).collect();
    Ok(Some(inner.to_lowercase().replace(' ', "-")))
}

fn shows_members(request: &Request) -> bool {
    !request.param_list("excludedAttributes").iter().any(|name| name == "members")
}

/// `GET /organizations/{org}/scim/v2/Groups`.
pub(crate) fn groups(world: &mut World, request: &Request, org: u64) -> Result<Response, Response> {
    let start = number(request, "startIndex", 1, 1)?;
    let mut count = number(request, "count", 100, 0)?;
    if let Some(most) = world.rules().scim_most_groups {
        count = count.min(most);
    }
    if count == 0 {
        return Err(internal_error(world));
    }
    let wanted = filter(request)?;
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    let active = row.slugs.values().filter_map(|id| row.teams.get(id)).filter(|team| !team.pending_deletion);
    let all: Vec<&Team> =
        active.filter(|team| wanted.as_ref().is_none_or(|slug| team.slug == *slug)).collect();
    let page: Vec<&Team> = all.iter().skip(start - 1).take(count).copied().collect();
    let members = shows_members(request).then(|| members_of(world, row, &page));
    let rows: Vec<Value> = page.iter().map(|team| group(team, members.as_ref())).collect();
    let body = json!({
        "schemas": [LIST], "totalResults": all.len(), "startIndex": start, "itemsPerPage": rows.len(), "Resources": rows,
    });
    Ok(Response::json(200, &body))
}

/// `GET /organizations/{org}/scim/v2/Groups/{id}`.
pub(crate) fn one(world: &World, request: &Request, org: u64, key: &str) -> Result<Response, Response> {
    let missing = || Response::json(404, &json!({"schemas": [ERROR], "detail": "Group not found."}));
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    let id = match key.parse::<u64>() {
        Ok(id) => Some(id),
        Err(_) if world.rules().scim_groups_by_slug => row.slugs.get(key).copied(),
        // No such address.
        Err(_) => return Err(Response::new(404, "text/html; charset=utf-8", "")),
    };
    let team = id.and_then(|id| row.teams.get(&id)).filter(|team| !team.pending_deletion);
    let team = team.ok_or_else(missing)?;
    let members = shows_members(request).then(|| members_of(world, row, &[team]));
    Ok(Response::json(200, &group(team, members.as_ref())))
}

type Members = BTreeMap<u64, Vec<Value>>;

/// The members of some teams, as far as Sentry looks at them, each team's in the order in which they first joined one of them.
fn members_of(world: &World, org: &Org, teams: &[&Team]) -> Members {
    let mut rows: Vec<(u64, u64, u64)> = Vec::new();
    for team in teams {
        rows.extend(team.rows.iter().map(|(&row, entry)| (row, entry.member, team.id)));
    }
    rows.sort_unstable();
    let mut first: BTreeMap<u64, u64> = BTreeMap::new();
    for &(row, member, _) in &rows {
        first.entry(member).or_insert(row);
    }
    rows.sort_by_key(|&(row, member, _)| (first[&member], row));
    // Of the page's people only so many are looked at, by id; whoever is left out is so in each of its teams.
    let people: BTreeSet<u64> = first.into_keys().take(world.rules().scim_most_people).collect();
    let mut members = Members::new();
    for (_, member, team) in rows {
        let shown = members.entry(team).or_default();
        let person = org.members.get(&member).filter(|_| people.contains(&member));
        shown.extend(
            person.map(|person| json!({"value": member.to_string(), "display": world.email_of(person)})),
        );
    }
    members
}

fn group(team: &Team, members: Option<&Members>) -> Value {
    let mut value = json!({
        "schemas": [GROUP], "id": team.id.to_string(), "displayName": team.name, "meta": {"resourceType": "Group"},
    });
    if let Some(members) = members {
        value["members"] = members.get(&team.id).cloned().unwrap_or_default().into();
    }
    value
}
