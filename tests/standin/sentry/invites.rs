//! Inviting somebody: `POST /organizations/{org}/members/`.
//!
//! Facts: a plan may forbid invites (403); an integration cannot invite on 23.7.1 (no role is allowed to it); `role` decides
//! there and defaults to `member`, `orgRole` is ignored; an address of an active member, verified or not, and
//! a pending one in the same letters are refused; other letters make a second invite; an open join
//! request is replaced; the 11th invite of an address is 429.

use super::auth::{self, Access};
use super::body;
use super::members::{allowed_roles, bears, team_list, team_roles, TOO_MANY_INVITES};
use super::membership::{no_teams, teams_allowed};
use super::render::{self, field_errors};
use super::roles;
use super::site::internal_error;
use super::world::{InviteStatus, Member, World};
use crate::standin::http::{Request, Response};
use crate::standin::time;
use serde_json::{json, Value};
use std::collections::BTreeMap;

const MAY_NOT: &str = "You do not have permission to set that org-level role";
const NOT_IN_THE_PLAN: &str = "Your organization is not allowed to invite members";
const MEMBERS_ONLY: &str =
    "Integration tokens are restricted to inviting new members with the member role only.";

/// Answers the POST.
pub(crate) fn create(
    world: &mut World,
    request: &Request,
    org: u64,
    access: &Access,
) -> Result<Response, Response> {
    let data = body::read_last(request)?;
    if !data.is_object() {
        return Err(body::not_an_object(&data));
    }
    if world.orgs.get(&org).is_none_or(|org| !org.invites) {
        return Err(Response::json(403, &json!({ "organization": NOT_IN_THE_PLAN })));
    }
    let (rules, mut errors) = (access.rules, Vec::new());
    let allowed = roles_to_give(access, &data)?;
    let email = read_email(world, org, &data).unwrap_or_else(|faults| {
        errors.push(("email", faults));
        String::new()
    });
    let role = read_role(&data, "role", &allowed, access, &mut errors);
    let org_role = read_role(&data, "orgRole", &allowed, access, &mut errors);
    let teams = read_teams(world, org, &data, &mut errors)?;
    if !errors.is_empty() {
        return Err(Response::json(400, &field_errors(errors)));
    }
    if world.invites.exceeded(org, access.user.unwrap_or(0), &email) {
        return Err(Response::json(429, &json!({ "detail": TOO_MANY_INVITES })));
    }
    let role = if rules.org_role_counts && data.get("orgRole").is_some() { org_role } else { role };
    if !teams.is_empty() && !teams_allowed(&role, access) {
        return Err(Response::json(400, &json!({ "email": no_teams(&role) })));
    }
    let id = insert(world, org, &email, &role, access);
    for team in teams {
        world.join(org, team, id, None);
    }
    let row = world.orgs.get(&org).and_then(|org| org.members.get(&id)).ok_or_else(auth::missing)?;
    Ok(Response::json(201, &render::listed_member(world, row, access)))
}

/// The roles that the caller may invite with. An integration's token that may invite at all is refused by itself for any
/// role but `member`.
fn roles_to_give(access: &Access, data: &Value) -> Result<Vec<&'static str>, Response> {
    if !(access.integration && access.rules.integrations_invite) {
        return Ok(allowed_roles(access, None));
    }
    let named = |key: &str| data.get(key).and_then(Value::as_str).filter(|role| !role.is_empty());
    match named("orgRole").or(named("role")).unwrap_or("member") {
        "member" => Ok(vec!["member"]),
        _ => Err(Response::json(400, &json!([MEMBERS_ONLY]))),
    }
}

fn insert(world: &mut World, org: u64, email: &str, role: &str, access: &Access) -> u64 {
    let inviter = access.user.and_then(|id| world.users.get(&id)).map(|user| user.name.clone());
    let id = World::next_id(&mut world.ids.member);
    let invite_token = world.rng.hex(64);
    if let Some(org) = world.orgs.get_mut(&org) {
        let request =
            |row: &Member| row.status != InviteStatus::Approved && row.invited.as_deref() == Some(email);
        let replaced: Vec<u64> = org.members.values().filter(|row| request(row)).map(|row| row.id).collect();
        for id in replaced {
            org.remove_member(id);
        }
        let row = Member {
            id,
            user: None,
            invited: Some(email.to_owned()),
            service: None,
            role: role.to_owned(),
            status: InviteStatus::Approved,
            expired: false,
            idp_provisioned: false,
            created: time::now(),
            inviter,
            invite_token,
            teams: BTreeMap::new(),
        };
        org.members.insert(id, row);
    }
    id
}

fn read_email(world: &World, org: u64, data: &Value) -> Result<String, Vec<String>> {
    let one = |text: &str| vec![text.to_owned()];
    let email = match data.get("email") {
        None => return Err(one("This field is required.")),
        Some(Value::Null) => return Err(one("This field may not be null.")),
        Some(value) => body::text(value).ok_or_else(|| one("Not a valid string."))?,
    };
    if email.is_empty() {
        return Err(one("This field may not be blank."));
    }
    let mut faults = body::text_faults(&email, 75);
    if !looks_like_address(&email) {
        faults.extend(["Enter a valid email address.", "Enter a valid email address."].map(str::to_owned));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let org = world.orgs.get(&org).ok_or_else(|| one("no organization"))?;
    let known = org.members.values().filter(|row| row.status == InviteStatus::Approved).find(|row| {
        let active = world.user_of(row).filter(|user| user.active);
        bears(row, active, &email)
    });
    match known {
        None => Ok(email),
        Some(row) if world.rules().invited_is_told_apart && row.user.is_none() => {
            Err(one(&format!("The user {email} has already been invited")))
        }
        Some(_) => Err(one(&format!("The user {email} is already a member"))),
    }
}

/// A local part, `@`, and a domain whose last label has two letters or more.
fn looks_like_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let labels: Vec<&str> = domain.split('.').collect();
    let last = labels.last().copied().unwrap_or("");
    !local.is_empty()
        && !local.chars().any(|c| c.is_whitespace() || "\"(),:;<>@[\\]".contains(c))
        && labels.len() > 1
        && labels.iter().all(|part| label(part))
        && last.chars().count() > 1
        && !last.chars().all(|c| c.is_ascii_digit())
}

fn read_role(
    data: &Value,
    key: &'static str,
    allowed: &[&str],
    access: &Access,
    errors: &mut Vec<(&str, Vec<String>)>,
) -> String {
    let role = match data.get(key) {
        None => "member".to_owned(),
        Some(value) => body::text(value).unwrap_or_default(),
    };
    let known = roles::role(&role).is_some_and(|role| role.teams || access.rules.billing_forbids_teams);
    if !known {
        errors.push((key, vec![format!("\"{role}\" is not a valid choice.")]));
    } else if !allowed.contains(&role.as_str()) {
        errors.push((key, vec![MAY_NOT.to_owned()]));
    }
    role
}

/// The invited teams; roles on teams are dropped. 500 for a `teamRoles` item without `role`.
fn read_teams(
    world: &mut World,
    org: u64,
    data: &Value,
    errors: &mut Vec<(&str, Vec<String>)>,
) -> Result<Vec<u64>, Response> {
    let mut teams = Vec::new();
    match data.get("teams") {
        None => {}
        Some(Value::Null) => errors.push(("teams", vec!["This field may not be null.".to_owned()])),
        Some(list) => match team_list(world, org, list) {
            Ok(list) => teams = list,
            Err(fault) => errors.push(("teams", vec![fault])),
        },
    }
    match data.get("teamRoles") {
        None => {}
        Some(Value::Null) => return Err(internal_error(world)),
        Some(list) => match team_roles(world, org, list)? {
            Ok(list) if list.is_empty() => {}
            Ok(list) => teams = list.into_iter().map(|(team, _)| team).collect(),
            Err(fault) => errors.push(("teamRoles", vec![fault])),
        },
    }
    Ok(teams)
}
