//! External teams, which code owners go by, and the integrations that they belong to.
//!
//! Facts: keys in either form, complaints in camelCase; POST is get-or-create, 201 or 200, over one team's rows on 23.7.1 and
//! over all of the organisation's today, so that the row answered may be another team's; the same name with another id is a
//! 500; PUT through another team's address moves the row there, and does not look at a name that comes without its provider;
//! there is no GET; a plan without code owners is a plain 403 for POST and PUT; a row goes with its team, and not before that
//! is removed for good.

use super::auth::{self, Access};
use super::body;
use super::render::{self, field_errors};
use super::site::{internal_error, listing};
use super::world::{External, Integration, Org, Team, World};
use crate::standin::http::{Request, Response};
use serde_json::{json, Map, Value};

const NAME: &str = "External Name must start with '@' and can't contain special characters or spaces.";
const TAKEN: &str = "There already exists an external association with this external_name and provider.";
const NO_INTEGRATION: &str = "Integration does not exist for this organization";

/// What a body says; absent fields are left as they are.
#[derive(Default)]
struct Fields {
    name: Option<String>,
    provider: Option<String>,
    integration: Option<u64>,
    external_id: Option<Option<String>>,
}

/// `POST /teams/{org}/{slug}/external-teams/`.
pub(crate) fn create(
    world: &mut World,
    request: &Request,
    org: u64,
    team: u64,
    access: &Access,
) -> Result<Response, Response> {
    let fields = read(world, request, org, access, false)?;
    let (Some(name), Some(provider), Some(integration)) = (fields.name, fields.provider, fields.integration)
    else {
        return Err(internal_error(world));
    };
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    let same = |known: &External| known.provider == provider && known.name == name;
    let whole = |known: &External| {
        let id = fields.external_id.as_ref();
        same(known) && known.integration == integration && id.is_none_or(|id| known.external_id == *id)
    };
    let everywhere = access.rules.external_name_is_taken_once;
    let teams = row.teams.values().filter(|own| everywhere || own.id == team);
    let known = teams.flat_map(|own| own.external.iter().map(move |known| (own.id, known)));
    if let Some((owner, known)) = known.filter(|(_, known)| whole(known)).min_by_key(|(_, known)| known.id) {
        return Ok(Response::json(200, &render::external_of(known, "teamId", owner)));
    }
    let own = row.teams.get(&team).ok_or_else(auth::missing)?;
    if own.external.iter().any(same) {
        // The database counts the failed row too.
        world.ids.external += 1;
        return Err(internal_error(world));
    }
    let id = World::next_id(&mut world.ids.external);
    let made = External { id, provider, name, external_id: fields.external_id.flatten(), integration };
    let body = render::external_of(&made, "teamId", team);
    team_of(world, org, team)?.external.push(made);
    Ok(Response::json(201, &body))
}

/// `PUT` and `DELETE /teams/{org}/{slug}/external-teams/{id}/`.
pub(crate) fn change(
    world: &mut World,
    request: &Request,
    org: u64,
    team: u64,
    id: &str,
    access: &Access,
) -> Result<Response, Response> {
    let Ok(id) = id.parse::<u64>() else { return Err(internal_error(world)) };
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    let owner = row.teams.values().find(|team| team.external.iter().any(|row| row.id == id));
    let owner = owner.map(|team| team.id).ok_or_else(not_found)?;
    if request.method == "DELETE" {
        team_of(world, org, owner)?.external.retain(|row| row.id != id);
        return Ok(Response::empty(204));
    }
    let fields = read(world, request, org, access, true)?;
    let rows = &team_of(world, org, owner)?.external;
    let mut changed = rows.iter().find(|row| row.id == id).cloned().ok_or_else(not_found)?;
    changed.name = fields.name.unwrap_or(changed.name);
    changed.provider = fields.provider.unwrap_or(changed.provider);
    changed.integration = fields.integration.unwrap_or(changed.integration);
    changed.external_id = fields.external_id.unwrap_or(changed.external_id);
    let others = team_of(world, org, team)?.external.iter().filter(|row| row.id != id);
    if others.into_iter().any(|row| row.name == changed.name && row.provider == changed.provider) {
        return Err(Response::json(400, &json!([TAKEN])));
    }
    let body = render::external(&changed);
    team_of(world, org, owner)?.external.retain(|row| row.id != id);
    let rows = &mut team_of(world, org, team)?.external;
    rows.push(changed);
    rows.sort_by_key(|row| row.id);
    Ok(Response::json(200, &body))
}

fn not_found() -> Response {
    Response::json(404, &json!({"detail": "Not found."}))
}

fn team_of(world: &mut World, org: u64, team: u64) -> Result<&mut Team, Response> {
    let org = world.orgs.get_mut(&org);
    org.and_then(|org| org.teams.get_mut(&team)).ok_or_else(auth::missing)
}

/// Reads a body, whose fields may be left out if `partial`.
fn read(
    world: &mut World,
    request: &Request,
    org: u64,
    access: &Access,
    partial: bool,
) -> Result<Fields, Response> {
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    if !row.codeowners {
        return Err(auth::forbidden());
    }
    let data = body::read_last(request)?;
    let Some(data) = data.as_object() else { return Err(internal_error(world)) };
    let mut fields = Fields::default();
    let mut errors = Vec::new();
    let required = |key: &'static str| (!partial).then(|| (key, vec!["This field is required.".to_owned()]));
    let strict = matches!(either(data, "provider").and_then(Value::as_str), Some("github" | "gitlab"));
    match either(data, "external_name").map(|value| name(value, strict)) {
        None => errors.extend(required("externalName")),
        Some(Ok(name)) => fields.name = Some(name),
        Some(Err(fault)) => errors.push(("externalName", vec![fault])),
    }
    match either(data, "provider").map(|value| provider(value, access)) {
        None => errors.extend(required("provider")),
        Some(Ok(provider)) => fields.provider = Some(provider),
        Some(Err(fault)) => errors.push(("provider", vec![fault])),
    }
    match either(data, "integration_id").map(|value| integration(value, row)) {
        None => errors.extend(required("integrationId")),
        Some(Ok(id)) => fields.integration = Some(id),
        Some(Err(fault)) => errors.push(("integrationId", vec![fault])),
    }
    match either(data, "external_id").map(external_id) {
        None => {}
        Some(Ok(id)) => fields.external_id = Some(id),
        Some(Err(fault)) => errors.push(("externalId", vec![fault])),
    }
    if errors.is_empty() {
        Ok(fields)
    } else {
        Err(Response::json(400, &field_errors(errors)))
    }
}

/// A field by its name with underscores or in camelCase.
fn either<'a>(data: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        camel.extend(part.chars().next().map(|letter| letter.to_ascii_uppercase()));
        camel.extend(part.chars().skip(1));
    }
    data.get(name).or_else(|| data.get(&camel))
}

fn name(value: &Value, strict: bool) -> Result<String, String> {
    if value.is_null() {
        return Err("This field may not be null.".to_owned());
    }
    let name = body::text(value).ok_or("Not a valid string.")?;
    if name.is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    let length = name.chars().count();
    if strict && length > 255 {
        let words = format!("External Name has invalid length: {length}. Length must be between 1 and 255");
        return Err(words);
    }
    let plain = |letter: char| letter.is_alphanumeric() || "_/.-".contains(letter);
    let fits = name.strip_prefix('@').is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain));
    if strict && !fits {
        return Err(NAME.to_owned());
    }
    Ok(name)
}

fn provider(value: &Value, access: &Access) -> Result<String, String> {
    if value.is_null() {
        return Err("This field may not be null.".to_owned());
    }
    let provider = body::text(value).unwrap_or_default();
    if access.rules.external_providers.contains(&provider.as_str()) {
        Ok(provider)
    } else {
        Err(format!("\"{provider}\" is not a valid choice."))
    }
}

fn integration(value: &Value, org: &Org) -> Result<u64, String> {
    if value.is_null() {
        return Err("This field may not be null.".to_owned());
    }
    let id =
        body::text(value).and_then(|text| text.parse::<i64>().ok()).ok_or("A valid integer is required.")?;
    let known = u64::try_from(id).ok().filter(|id| org.integrations.contains_key(id));
    known.ok_or_else(|| NO_INTEGRATION.to_owned())
}

fn external_id(value: &Value) -> Result<Option<String>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let id = body::text(value).ok_or("Not a valid string.")?;
    match id.chars().count() {
        0 => Err("This field may not be blank.".to_owned()),
        1..=64 => Ok(Some(id)),
        length => Err(format!("external_id has invalid length: {length}. Length must be between 1 and 64")),
    }
}

/// `GET /organizations/{org}/integrations/`, sorted by name.
pub(crate) fn integrations(
    world: &World,
    request: &Request,
    org: u64,
    access: &Access,
) -> Result<Response, Response> {
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    let asked = access.rules.integration_filters.iter().find_map(|name| request.param(name));
    let asked = asked.filter(|provider| !provider.is_empty()).map(|provider| provider.to_lowercase());
    let wanted = |own: &&Integration| asked.as_ref().is_none_or(|provider| own.provider == *provider);
    let mut rows: Vec<&Integration> = row.integrations.values().filter(wanted).collect();
    rows.sort_by_key(|own| (own.name.clone(), own.id));
    let whole = request.param("includeConfig").as_deref() != Some("0");
    listing(world, request, rows, |own| integration_row(own, org, whole))
}

/// `GET /organizations/{org}/codeowners-associations/`: each project's CODEOWNERS file, and what Sentry makes of its names. A
/// team is found by its name, letter by letter, and owns nothing in a project that is not its own.
pub(crate) fn associations(world: &World, org: u64) -> Result<Response, Response> {
    let row = world.orgs.get(&org).ok_or_else(auth::missing)?;
    let mut all = Map::new();
    for (slug, names) in &row.codeowners_files {
        let project = row.projects.values().find(|project| project.slug == *slug);
        let (mut found, mut missing, mut denied) = (Map::new(), Vec::new(), Vec::new());
        for name in names {
            let is_it = |team: &&Team| team.external.iter().any(|known| known.name == *name);
            match row.teams.values().find(is_it) {
                None => missing.push(name.clone()),
                Some(team) if project.is_some_and(|project| project.teams.contains(&team.id)) => {
                    found.insert(name.clone(), format!("#{}", team.slug).into());
                }
                Some(team) => denied.push(format!("#{}", team.slug)),
            }
        }
        let errors = json!({
            "missing_user_emails": [], "missing_external_users": [], "missing_external_teams": missing,
            "teams_without_access": denied, "users_without_access": [],
        });
        all.insert(slug.clone(), json!({ "associations": found, "errors": errors }));
    }
    Ok(Response::json(200, &Value::Object(all)))
}

fn integration_row(own: &Integration, org: u64, whole: bool) -> Value {
    let mut value = json!({
        "id": own.id.to_string(), "name": own.name, "icon": null, "domainName": own.domain,
        "accountType": "Organization", "scopes": null, "status": "active",
        "provider": {
            "key": own.provider, "slug": own.provider, "name": own.provider, "canAdd": true, "canDisable": false,
            "features": ["codeowners", "commits", "issue-basic", "stacktrace-link"], "aspects": {},
        },
        "configData": null, "externalId": (9_000 + own.id).to_string(), "organizationId": org,
        "organizationIntegrationStatus": "active", "gracePeriodEnd": null,
    });
    if whole {
        value["configOrganization"] = json!([]);
        value["configData"] = json!({});
    }
    value
}
