//! Teams: list, create, read, rename, delete, their members, their projects.
//!
//! Facts: POST answers 409 for a taken slug, PUT 400; a team made with a name alone gets a slug of
//! its own each time; DELETE only renames the row (slug, `-`, random, cut to 50) and marks it, so a
//! slug of 50 characters stays taken and a second pending one of 49 collides (500). Today a pending team is found by its id,
//! and a team that an identity provider manages can not be changed.

use super::auth::{self, Access};
use super::body;
use super::era::Rules;
use super::render::{self, field_errors};
use super::search::tokens;
use super::site::{internal_error, listing};
use super::world::{Member, Org, Team, World};
use crate::standin::encode::latin_base;
use crate::standin::http::{Request, Response};
use crate::standin::time;
use serde_json::{json, Value};
use std::collections::BTreeMap;

const TAKEN: &str = "A team with this slug already exists.";
pub(crate) const MANAGED: &str = "This team is managed through your organization's identity provider.";

fn org_of(world: &World, org: u64) -> Result<&Org, Response> {
    world.orgs.get(&org).ok_or_else(auth::missing)
}

fn team_of(world: &World, org: u64, team: u64) -> Result<&Team, Response> {
    org_of(world, org)?.teams.get(&team).ok_or_else(auth::missing)
}

/// `GET /organizations/{org}/teams/`, sorted by slug, without pending deletions.
pub(crate) fn list(
    world: &mut World,
    request: &Request,
    org: u64,
    access: &Access,
) -> Result<Response, Response> {
    let query = tokens(&request.param("query").unwrap_or_default());
    if query.get("id").is_some_and(|ids| ids.iter().any(|id| id.parse::<i128>().is_err())) {
        return Err(Response::json(400, &json!({"detail": "Invalid id value"})));
    }
    if query.get("id").is_some_and(|ids| ids.iter().any(|id| id.parse::<i64>().is_err())) {
        return Err(internal_error(world));
    }
    let detailed = request.param("detailed").as_deref() != Some("0");
    let org = org_of(world, org)?;
    let rows = org.slugs.values().filter_map(|id| org.teams.get(id));
    let rows: Vec<&Team> = rows.filter(|team| !team.pending_deletion && wanted(team, &query)).collect();
    listing(world, request, rows, |team| {
        let mut value = render::team(org, team, access);
        if detailed {
            render::add_external_teams(&mut value, team);
            render::add_projects(&mut value, org, team, access);
        }
        value
    })
}

fn wanted(team: &Team, query: &BTreeMap<String, Vec<String>>) -> bool {
    query.iter().all(|(key, values)| match key.as_str() {
        "slug" => values.contains(&team.slug),
        "id" => values.iter().any(|id| id.parse() == Ok(team.id)),
        "hasExternalTeams" => values.iter().any(|value| value == "true") != team.external.is_empty(),
        "query" => {
            let words = values.join(" ").to_lowercase();
            team.name.to_lowercase().contains(&words) || team.slug.contains(&words)
        }
        _ => false,
    })
}

fn good_slug(slug: &str) -> bool {
    !slug.is_empty()
        && slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
}

fn numeric(slug: &str) -> bool {
    !slug.is_empty() && slug.chars().all(|letter| letter.is_ascii_digit())
}

/// The complaints about a slug that is not blank. `words` is what the method says of a bad one.
fn slug_faults(value: &Value, words: &str, rules: &Rules) -> Result<String, Vec<String>> {
    let Some(slug) = body::text(value) else {
        return Err(vec![words.to_owned()]);
    };
    let mut faults = body::text_faults(&slug, 50);
    if !good_slug(&slug) || !rules.numeric_slugs && numeric(&slug) {
        faults.push(words.to_owned());
    }
    if faults.is_empty() {
        Ok(slug)
    } else {
        Err(faults)
    }
}

fn slug_words(rules: &Rules, put: bool) -> &'static str {
    match (rules.numeric_slugs, put) {
        (false, _) => "Enter a valid slug consisting of lowercase letters, numbers, underscores or hyphens. It cannot be entirely numeric.",
        (true, true) => "This value does not match the required pattern.",
        (true, false) => "Enter a valid slug consisting of lowercase letters, numbers, underscores or hyphens.",
    }
}

struct NewTeam {
    name: Option<String>,
    slug: Option<String>,
    idp_provisioned: bool,
}

fn read_new(request: &Request, rules: &Rules) -> Result<NewTeam, Response> {
    let data = body::read_last(request)?;
    if !data.is_object() {
        return Err(body::not_an_object(&data));
    }
    let mut errors = Vec::new();
    let mut new = NewTeam { name: None, slug: None, idp_provisioned: false };
    match data.get("name") {
        None | Some(Value::Null) => {}
        Some(value) => match body::text(value) {
            None => errors.push(("name", vec!["Not a valid string.".to_owned()])),
            Some(name) => match body::text_faults(&name, 64) {
                faults if faults.is_empty() => new.name = Some(name).filter(|name| !name.is_empty()),
                faults => errors.push(("name", faults)),
            },
        },
    }
    match data.get("slug") {
        None | Some(Value::Null) => {}
        Some(value) if body::text(value).as_deref() == Some("") => {
            errors.push(("slug", vec!["This field may not be blank.".to_owned()]));
        }
        Some(value) => match slug_faults(value, slug_words(rules, false), rules) {
            Ok(slug) => new.slug = Some(slug),
            Err(faults) => errors.push(("slug", faults)),
        },
    }
    match data.get("idp_provisioned").map(truth) {
        None => {}
        Some(Ok(flag)) => new.idp_provisioned = flag,
        Some(Err(fault)) => errors.push(("idp_provisioned", vec![fault.to_owned()])),
    }
    if !errors.is_empty() {
        return Err(Response::json(400, &field_errors(errors)));
    }
    if new.name.is_none() && new.slug.is_none() {
        return Err(Response::json(400, &json!({"non_field_errors": ["Name or slug is required"]})));
    }
    Ok(new)
}

fn truth(value: &Value) -> Result<bool, &'static str> {
    let word = match value {
        Value::Null => return Err("This field may not be null."),
        Value::Bool(flag) => return Ok(*flag),
        other => body::text(other).unwrap_or_default(),
    };
    match word.to_lowercase().as_str() {
        "true" | "1" | "t" | "y" | "yes" | "on" => Ok(true),
        "false" | "0" | "f" | "n" | "no" | "off" => Ok(false),
        _ => Err("Must be a valid boolean."),
    }
}

/// `POST /organizations/{org}/teams/`. A person becomes a member of what they make; an
/// integration does not.
pub(crate) fn create(
    world: &mut World,
    request: &Request,
    org: u64,
    access: &Access,
) -> Result<Response, Response> {
    let new = read_new(request, access.rules)?;
    let slug = match &new.slug {
        Some(slug) => slug.clone(),
        None => free_slug(world, org, new.name.as_deref().unwrap_or("")),
    };
    if org_of(world, org)?.slugs.contains_key(&slug) {
        // The database counts the failed row too, so ids have gaps.
        world.ids.team += 1;
        return Err(Response::json(409, &json!({"non_field_errors": [TAKEN], "detail": TAKEN})));
    }
    let name = new.name.unwrap_or_else(|| slug.clone());
    let id = insert(world, org, &slug, &name, new.idp_provisioned);
    if let Some(member) = access.member {
        world.join(org, id, member, None);
    }
    let org = org_of(world, org)?;
    let team = org.teams.get(&id).ok_or_else(auth::missing)?;
    Ok(Response::json(201, &render::team(org, team, access)))
}

/// Puts a team row into the world.
pub(crate) fn insert(world: &mut World, org: u64, slug: &str, name: &str, idp_provisioned: bool) -> u64 {
    let id = World::next_id(&mut world.ids.team);
    world.n_teams_ever += 1;
    if let Some(org) = world.orgs.get_mut(&org) {
        let team = Team {
            id,
            slug: slug.to_owned(),
            name: name.to_owned(),
            created: time::now(),
            idp_provisioned,
            pending_deletion: false,
            rows: BTreeMap::new(),
            external: Vec::new(),
        };
        org.slugs.insert(slug.to_owned(), id);
        org.teams.insert(id, team);
    }
    id
}

/// The slug of a name: at most 30 characters, a random tail when taken, 12 hex digits when nothing
/// of the name is usable. Where a slug can not be all digits, that gets a random tail too.
fn free_slug(world: &mut World, org: u64, name: &str) -> String {
    let mut base: String = slugify(name).chars().take(30).collect();
    base = base.trim_matches('-').to_owned();
    if base.is_empty() {
        base = world.rng.hex(12);
    }
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
    if !world.rules().numeric_slugs && numeric(&base) {
        base = format!("{base}-{}", world.rng.text(LETTERS, 3));
    }
    let taken =
        |world: &World, slug: &str| world.orgs.get(&org).is_some_and(|org| org.slugs.contains_key(slug));
    let mut slug = base.clone();
    for size in [2, 3, 3, 3, 5, 5, 5, 12] {
        if !taken(world, &slug) {
            break;
        }
        let kept: String = base.chars().take(30 - size - 1).collect();
        slug = format!("{kept}-{}", world.rng.text(LETTERS, size));
    }
    slug
}

/// Accents dropped, lower case, only letters, digits, `_`, and single hyphens for blanks.
fn slugify(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        let plain = latin_base(letter).map(str::to_owned).unwrap_or_else(|| letter.to_string());
        for letter in plain.to_lowercase().chars() {
            if letter.is_ascii_alphanumeric() || letter == '_' {
                out.push(letter);
            } else if (letter.is_ascii_whitespace() || letter == '-') && !out.ends_with('-') {
                out.push('-');
            }
        }
    }
    out.trim_matches(['-', '_']).to_owned()
}

/// `GET /teams/{org}/{slug}/`.
pub(crate) fn get(
    world: &World,
    request: &Request,
    org: u64,
    team: u64,
    access: &Access,
) -> Result<Response, Response> {
    let (org, team) = (org_of(world, org)?, team_of(world, org, team)?);
    let (collapse, expand) = (request.param_list("collapse"), request.param_list("expand"));
    let mut value = render::team(org, team, access);
    if expand.iter().any(|name| name == "externalTeams") {
        render::add_external_teams(&mut value, team);
    }
    if !collapse.iter().any(|name| name == "organization") {
        value["organization"] = render::org(world, org);
    }
    if expand.iter().any(|name| name == "projects") {
        render::add_projects(&mut value, org, team, access);
    }
    Ok(Response::json(200, &value))
}

/// `PUT /teams/{org}/{slug}/`: name, slug, or both; the id stays.
pub(crate) fn update(
    world: &mut World,
    request: &Request,
    org: u64,
    team: u64,
    access: &Access,
) -> Result<Response, Response> {
    let data = body::read(request)?;
    if !data.is_object() {
        return Err(internal_error(world));
    }
    let rules = access.rules;
    let row = team_of(world, org, team)?;
    let asks_role = rules.teams_have_org_role && data.get("orgRole").is_some_and(|role| !role.is_null());
    if row.idp_provisioned && (asks_role || !rules.managed_teams_change) {
        return Err(Response::json(403, &json!({ "detail": MANAGED })));
    }
    if asks_role && !access.has("org:admin") {
        let detail = "You must have the role of owner to perform this action.";
        return Err(Response::json(403, &json!({ "detail": detail })));
    }
    let (name, slug) = read_changes(&data, org_of(world, org)?, team, rules)?;
    let org = world.orgs.get_mut(&org).ok_or_else(auth::missing)?;
    if let Some(slug) = slug {
        org.set_slug(team, &slug);
    }
    if let (Some(name), Some(row)) = (name, org.teams.get_mut(&team)) {
        row.name = name;
    }
    let row = org.teams.get(&team).ok_or_else(auth::missing)?;
    Ok(Response::json(200, &render::team(org, row, access)))
}

type Changes = (Option<String>, Option<String>);

fn read_changes(data: &Value, org: &Org, team: u64, rules: &Rules) -> Result<Changes, Response> {
    let mut errors: Vec<(&str, Vec<String>)> = Vec::new();
    let (mut name, mut slug) = (None, None);
    match data.get("name") {
        None => {}
        Some(Value::Null) => errors.push(("name", vec!["This field may not be null.".to_owned()])),
        Some(value) => match body::text(value) {
            None => errors.push(("name", vec!["Not a valid string.".to_owned()])),
            Some(text) if text.is_empty() => {
                errors.push(("name", vec!["This field may not be blank.".to_owned()]))
            }
            Some(text) => match body::text_faults(&text, 64) {
                faults if faults.is_empty() => name = Some(text),
                faults => errors.push(("name", faults)),
            },
        },
    }
    match data.get("slug") {
        None => {}
        Some(Value::Null) => errors.push(("slug", vec!["This field may not be null.".to_owned()])),
        Some(value) if body::text(value).as_deref() == Some("") => {
            errors.push(("slug", vec!["This field may not be blank.".to_owned()]));
        }
        Some(value) => match slug_faults(value, slug_words(rules, true), rules) {
            Ok(text) if org.slugs.get(&text).is_some_and(|&id| id != team) => {
                errors.push(("slug", vec![format!("The slug \"{text}\" is already in use.")]));
            }
            Ok(text) => slug = Some(text),
            Err(faults) => errors.push(("slug", faults)),
        },
    }
    if rules.teams_have_org_role && data.get("orgRole").is_some_and(Value::is_null) {
        errors.push(("orgRole", vec!["This field may not be null.".to_owned()]));
    }
    if errors.is_empty() {
        Ok((name, slug))
    } else {
        Err(Response::json(400, &field_errors(errors)))
    }
}

/// `DELETE /teams/{org}/{slug}/`: marks the row and frees the slug, as far as 50 characters allow.
pub(crate) fn delete(world: &mut World, org: u64, team: u64) -> Result<Response, Response> {
    let row = team_of(world, org, team)?;
    if row.idp_provisioned && !world.rules().managed_teams_change {
        return Err(Response::json(403, &json!({ "detail": MANAGED })));
    }
    if row.pending_deletion {
        // Found by its id: there is nothing left to do.
        return Ok(Response::empty(204));
    }
    let slug = row.slug.clone();
    let renamed: String = format!("{slug}-{}", world.rng.hex(32)).chars().take(50).collect();
    if org_of(world, org)?.slugs.get(&renamed).is_some_and(|&id| id != team) {
        return Err(internal_error(world));
    }
    let org = world.orgs.get_mut(&org).ok_or_else(auth::missing)?;
    org.set_slug(team, &renamed);
    if let Some(row) = org.teams.get_mut(&team) {
        row.pending_deletion = true;
    }
    Ok(Response::empty(204))
}

/// `GET /teams/{org}/{slug}/members/`: by invited address, then by membership row.
pub(crate) fn members(
    world: &World,
    request: &Request,
    org: u64,
    team: u64,
    access: &Access,
) -> Result<Response, Response> {
    let (org, team) = (org_of(world, org)?, team_of(world, org, team)?);
    let mut rows: Vec<(u64, &Member, Option<String>)> = team
        .rows
        .iter()
        .filter_map(|(&row, entry)| Some((row, org.members.get(&entry.member)?, entry.role.clone())))
        .filter(|(_, member, _)| world.listed(member))
        .collect();
    // Nothing invited sorts last, as in the true server's database.
    rows.sort_by_key(|(row, member, _)| (member.invited.is_none(), member.invited.clone(), *row));
    listing(world, request, rows, |(_, member, role)| {
        let mut value = render::listed_member(world, member, access);
        value["teamRole"] = role.into();
        value["teamSlug"] = team.slug.clone().into();
        value
    })
}

/// `POST`, `DELETE /projects/{org}/{project}/teams/{slug}/`.
pub(crate) fn link_project(
    world: &mut World,
    method: &str,
    org: u64,
    project: &str,
    slug: &str,
    access: &Access,
) -> Result<Response, Response> {
    let row = org_of(world, org)?;
    let found = row.projects.values().find(|row| row.slug == project).map(|row| row.id);
    let project = found.ok_or_else(auth::missing)?;
    let Some(team) = world.team_by_key(row, slug) else {
        return Err(Response::json(404, &json!({"detail": "Team does not exist."})));
    };
    if method == "DELETE" && !access.any(&["project:write"]) {
        return Err(Response::json(403, &json!({"detail": [auth::FORBIDDEN]})));
    }
    let org = world.orgs.get_mut(&org).ok_or_else(auth::missing)?;
    let row = org.projects.get_mut(&project).ok_or_else(auth::missing)?;
    let status = if method == "POST" {
        row.teams.insert(team);
        201
    } else {
        row.teams.remove(&team);
        200
    };
    let row = org.projects.get(&project).ok_or_else(auth::missing)?;
    Ok(Response::json(status, &render::project_with_teams(org, row, access)))
}
