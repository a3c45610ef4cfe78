//! GitHub's JSON for users, teams and organisations, in webhooks and in REST.
//!
//! Facts: the objects of a webhook are complete in practice, though only `team.id` and `team.name`
//! are promised; newer payloads have more fields than the published examples. Addresses are never
//! in a webhook's `member`. Must only read.

use super::build::Events;
use super::world::{node_id, Org, Origin, Privacy, Team, User, World};
use crate::standin::time::iso_seconds;
use serde_json::{json, Map, Value};

/// Where the addresses inside a body point.
#[derive(Clone, Debug)]
pub(crate) struct Bases {
    /// REST, such as `https://api.github.com`.
    pub api: String,
    /// Pages, such as `https://github.com`.
    pub html: String,
}

/// A user as it stands in lists and webhooks.
pub(crate) fn user(bases: &Bases, user: &User) -> Value {
    let (api, html, login) = (&bases.api, &bases.html, &user.login);
    let url = format!("{api}/users/{login}");
    json!({
        "login": login,
        "id": user.id,
        "node_id": node_id(if user.bot { "Bot" } else { "User" }, user.id),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", user.id),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{html}/{login}"),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": if user.bot { "Bot" } else { "User" },
        "site_admin": false,
    })
}

/// A user's public profile.
pub(crate) fn profile(bases: &Bases, row: &User) -> Value {
    let mut value = user(bases, row);
    merge(
        &mut value,
        json!({
            "user_view_type": "public", "name": row.name, "company": null, "blog": "", "location": null,
            "email": row.email, "hireable": null, "bio": null, "twitter_username": null, "public_repos": 0,
            "public_gists": 0, "followers": 0, "following": 0, "created_at": iso_seconds(row.created),
            "updated_at": iso_seconds(row.created),
        }),
    );
    value
}

/// An organisation as it stands in lists and webhooks.
pub(crate) fn org(bases: &Bases, org: &Org) -> Value {
    let url = format!("{}/orgs/{}", bases.api, org.login);
    json!({
        "login": org.login,
        "id": org.id,
        "node_id": node_id("Organization", org.id),
        "url": url,
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events"),
        "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"),
        "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", org.id),
        "description": "",
    })
}

/// An organisation's public page.
pub(crate) fn org_profile(bases: &Bases, row: &Org) -> Value {
    let mut value = org(bases, row);
    merge(
        &mut value,
        json!({
            "name": row.login, "company": null, "blog": null, "location": null, "email": null,
            "twitter_username": null, "is_verified": true, "has_organization_projects": true,
            "has_repository_projects": true, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
            "html_url": format!("{}/{}", bases.html, row.login), "created_at": iso_seconds(row.created),
            "updated_at": iso_seconds(row.created), "archived_at": null, "type": "Organization",
        }),
    );
    value
}

/// A team without its parent.
fn bare_team(bases: &Bases, org: &Org, team: &Team) -> Value {
    let url = format!("{}/organizations/{}/team/{}", bases.api, org.id, team.id);
    json!({
        "name": team.name,
        "id": team.id,
        "node_id": team.node_id(),
        "slug": team.slug,
        "description": team.description,
        "privacy": privacy(team),
        "notification_setting": "notifications_enabled",
        "url": url,
        "html_url": format!("{}/orgs/{}/teams/{}", bases.html, org.login, team.slug),
        "members_url": format!("{url}/members{{/member}}"),
        "repositories_url": format!("{url}/repos"),
        "permission": "pull",
        "type": if team.origin == Origin::Enterprise { "enterprise" } else { "organization" },
    })
}

fn privacy(team: &Team) -> &'static str {
    match team.privacy {
        Privacy::Closed => "closed",
        Privacy::Secret => "secret",
    }
}

/// A team with its parent; REST's list entry, and a webhook's `team` in its newer form.
pub(crate) fn team(bases: &Bases, world: &World, row: &Team) -> Value {
    let mut value = bare_team(bases, &world.org, row);
    let owner = if row.origin == Origin::Enterprise { "enterprise_id" } else { "organization_id" };
    value[owner] = json!(if row.origin == Origin::Enterprise { 1 } else { world.org.id });
    let parent = row.parent.and_then(|id| world.teams.get(&id));
    value["parent"] = parent.map_or(Value::Null, |parent| bare_team(bases, &world.org, parent));
    value
}

/// A single team as REST answers it.
pub(crate) fn full_team(bases: &Bases, world: &World, row: &Team) -> Value {
    let mut value = team(bases, world, row);
    merge(
        &mut value,
        json!({
            "members_count": row.members.len() + world.inherited(row.id).len(), "repos_count": 0,
            "created_at": iso_seconds(row.created), "updated_at": iso_seconds(row.updated),
            "organization": org_profile(bases, &world.org),
        }),
    );
    value
}

/// `team` inside a webhook.
pub(crate) fn event_team(bases: &Bases, world: &World, row: &Team, events: &Events) -> Value {
    if events.minimal {
        return json!({"id": row.id, "name": row.name});
    }
    if events.newer_fields {
        return team(bases, world, row);
    }
    let mut value = bare_team(bases, &world.org, row);
    // As in the published examples.
    let url = format!("{}/teams/{}", bases.api, row.id);
    value["members_url"] = json!(format!("{url}/members{{/member}}"));
    value["repositories_url"] = json!(format!("{url}/repos"));
    value["url"] = json!(url);
    without(&mut value, &["type", "notification_setting"]);
    value
}

/// A user inside a webhook.
pub(crate) fn event_user(bases: &Bases, row: &User, events: &Events) -> Value {
    let mut value = user(bases, row);
    if events.newer_fields {
        value["user_view_type"] = json!("public");
    }
    value
}

/// `membership` inside an `organization` webhook.
pub(crate) fn event_membership(
    bases: &Bases,
    world: &World,
    row: &User,
    state: &str,
    role: &str,
    events: &Events,
) -> Value {
    let url = format!("{}/orgs/{}", bases.api, world.org.login);
    let mut value = json!({
        "url": format!("{url}/memberships/{}", row.login),
        "state": state,
        "role": role,
        "organization_url": url,
        "user": event_user(bases, row, events),
    });
    if events.newer_fields {
        merge(
            &mut value,
            json!({"direct_membership": true, "enterprise_teams_providing_indirect_membership": []}),
        );
    }
    value
}

/// Adds what every webhook of the organisation has.
pub(crate) fn envelope(
    bases: &Bases,
    world: &World,
    sender: Option<&User>,
    events: &Events,
    payload: &mut Value,
) {
    payload["organization"] = org(bases, &world.org);
    if let Some(sender) = sender.filter(|_| events.sender) {
        payload["sender"] = event_user(bases, sender, events);
    }
    if let Some(id) = events.installation {
        payload["installation"] = json!({"id": id, "node_id": node_id("IntegrationInstallation", id)});
    }
    if events.enterprise {
        payload["enterprise"] = json!({
            "id": 1, "slug": "acme-enterprise", "name": "Acme Enterprise", "node_id": node_id("Business", 1),
            "avatar_url": "https://avatars.githubusercontent.com/b/1?v=4", "description": null, "website_url": null,
            "html_url": format!("{}/enterprises/acme-enterprise", bases.html), "created_at": iso_seconds(world.org.created),
            "updated_at": iso_seconds(world.org.created),
        });
    }
}

pub(crate) fn merge(value: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(from)) = (value, more) {
        into.extend(from);
    }
}

fn without(value: &mut Value, keys: &[&str]) {
    if let Value::Object(map) = value {
        let map: &mut Map<String, Value> = map;
        map.retain(|key, _| !keys.contains(&key.as_str()));
    }
}
