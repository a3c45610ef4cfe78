//! Sentry's JSON: teams, members, users, organisations, projects, as 23.7.1 writes them, and today's servers where
//! [the table](super::era) says so.
//!
//! Facts: ids are strings; `isMember`, `teamRole`, `access`, `hasAccess` and `isPending` are about
//! the caller; `memberCount` also counts deactivated users, whom the members call hides; a row of a
//! members listing has no teams, a single member has. The order of keys inside an object is
//! alphabetical here and Sentry's own there; avatar addresses are made up. Must only read.

use super::auth::Access;
use super::era::Rules;
use super::roles;
use super::world::{External, InviteStatus, Member, Org, Project, Row, Team, User, World};
use crate::standin::time::iso_micros;
use serde_json::{json, Map, Value};
use sha2::{Digest, Sha256};

/// A team as the caller sees it.
pub(crate) fn team(org: &Org, team: &Team, access: &Access) -> Value {
    let row =
        access.member.and_then(|member| org.row_of(team.id, member)).and_then(|row| team.rows.get(&row));
    let is_member = row.is_some();
    let has_access = is_member || org.open_membership || access.role().is_some_and(|role| role.global);
    let role = access.team_role(row.and_then(|row| row.role.as_deref()));
    let scopes: &[&str] = if has_access { roles::team_scopes(role) } else { &[] };
    let pending = access.member.is_some_and(|member| org.requests.contains(&(team.id, member)));
    let approved =
        |row: &&Row| org.members.get(&row.member).is_some_and(|m| m.status == InviteStatus::Approved);
    let mut value = json!({
        "id": team.id.to_string(),
        "slug": team.slug,
        "name": team.name,
        "dateCreated": iso_micros(team.created),
        "isMember": is_member,
        "teamRole": is_member.then_some(role),
        "flags": {"idp:provisioned": team.idp_provisioned},
        "access": scopes,
        "hasAccess": has_access,
        "isPending": pending,
        "memberCount": team.rows.values().filter(approved).count(),
        "avatar": letter(),
    });
    if access.rules.teams_have_org_role {
        value["orgRole"] = Value::Null;
    }
    value
}

/// Adds `externalTeams`.
pub(crate) fn add_external_teams(value: &mut Value, team: &Team) {
    let rows = team.external.iter().map(|row| external_of(row, "teamId", team.id));
    value["externalTeams"] = rows.collect();
}

/// Adds `projects`.
pub(crate) fn add_projects(value: &mut Value, org: &Org, team: &Team, access: &Access) {
    let own = org.projects.values().filter(|project| project.teams.contains(&team.id));
    value["projects"] = own.map(|row| project(org, row, access)).collect();
}

/// A link to a name elsewhere; the other side's id only where it is known.
pub(crate) fn external(row: &External) -> Value {
    let mut value = json!({
        "id": row.id.to_string(), "provider": row.provider, "externalName": row.name,
        "integrationId": row.integration.to_string(),
    });
    if let Some(id) = &row.external_id {
        value["externalId"] = id.clone().into();
    }
    value
}

/// The same with whose it is.
pub(crate) fn external_of(row: &External, owner: &str, id: u64) -> Value {
    let mut value = external(row);
    value[owner] = id.to_string().into();
    value
}

/// A project inside a team, as the caller sees it.
pub(crate) fn project(org: &Org, project: &Project, access: &Access) -> Value {
    let own = |team: &u64| org.row_of(*team, access.member?);
    let rows: Vec<(u64, u64)> = project.teams.iter().filter_map(|team| Some((*team, own(team)?))).collect();
    let is_member = !rows.is_empty();
    let global = access.role().is_some_and(|role| role.global);
    let has_access = is_member || org.open_membership || global;
    let admin = rows.iter().any(|(team, row)| {
        let row = org.teams.get(team).and_then(|team| team.rows.get(row));
        row.is_some_and(|row| row.role.as_deref() == Some("admin"))
    });
    // An integration has no role, so it gets none of a role's scopes.
    let scopes: &[&str] = match access.role() {
        Some(_) if has_access => roles::team_scopes(access.team_role(admin.then_some("admin"))),
        _ => &[],
    };
    json!({
        "id": project.id.to_string(), "slug": project.slug, "name": project.name, "platform": "python",
        "dateCreated": iso_micros(project.created), "isBookmarked": false, "isMember": is_member,
        "features": ["alert-filters", "data-forwarding", "minidump", "race-free-group-creation", "rate-limits"],
        "firstEvent": null, "firstTransactionEvent": false, "access": scopes, "hasAccess": has_access,
        "hasMinifiedStackTrace": false, "hasMonitors": false, "hasProfiles": false, "hasReplays": false,
        "hasSessions": false, "isInternal": false, "isPublic": false, "avatar": letter(), "color": "#3fbfb9",
        "status": "active",
    })
}

/// A project with its teams, the answer of linking one.
pub(crate) fn project_with_teams(org: &Org, row: &Project, access: &Access) -> Value {
    let mut value = project(org, row, access);
    let teams: Vec<Value> = row
        .teams
        .iter()
        .filter_map(|id| org.teams.get(id))
        .map(|team| json!({"id": team.id.to_string(), "slug": team.slug, "name": team.name}))
        .collect();
    value["team"] = teams.first().cloned().unwrap_or(Value::Null);
    value["teams"] = teams.into();
    value
}

fn letter() -> Value {
    json!({"avatarType": "letter_avatar", "avatarUuid": null})
}

fn avatar_url(email: &str) -> String {
    let digest = hex::encode(Sha256::digest(email.to_lowercase().as_bytes()));
    format!("https://secure.gravatar.com/avatar/{}?s=32&d=mm", &digest[..32])
}

/// A user as the caller sees it: with all addresses and their verified marks, or with none.
pub(crate) fn user(user: &User, rules: &Rules, own: bool) -> Value {
    let emails = user.emails.iter().map(
        |email| json!({"id": email.id.to_string(), "email": email.address, "is_verified": email.verified}),
    );
    let told = own || rules.addresses_told;
    let created = iso_micros(user.created);
    let mut value = json!({
        "id": user.id.to_string(), "name": display_name(user), "username": user.username, "email": user.email,
        "avatarUrl": avatar_url(&user.email), "isActive": user.active, "hasPasswordAuth": !user.app,
        "isManaged": false, "dateJoined": created, "lastLogin": null, "has2fa": false,
        "lastActive": created, "isSuperuser": false, "isStaff": false, "experiments": {},
        "emails": emails.filter(|_| told).collect::<Value>(), "avatar": letter(),
    });
    if rules.identities_told {
        value["identities"] = json!([]);
    }
    if rules.suspension_told {
        value["isSuspended"] = user.suspended.into();
    }
    value
}

/// What stands in the place of a service account's user.
fn service_user(name: &str) -> Value {
    json!({
        "id": "", "name": name, "username": name, "email": "", "avatarUrl": "", "isActive": true,
        "isSuspended": false, "hasPasswordAuth": false, "isManaged": false, "dateJoined": null, "lastLogin": null,
        "has2fa": false, "lastActive": null, "isSuperuser": false, "isStaff": false, "experiments": {},
        "emails": [], "avatar": letter(), "actorType": "service_account",
    })
}

fn display_name(user: &User) -> &str {
    [&user.name, &user.email, &user.username]
        .into_iter()
        .find(|text| !text.is_empty())
        .map_or("", String::as_str)
}

/// The caller's own user in `GET /api/0/`.
pub(crate) fn own_user(row: &User, rules: &Rules) -> Value {
    let mut value = user(row, rules, true);
    value["options"] = json!({
        "theme": "light", "language": "en", "stacktraceOrder": -1, "timezone": "UTC", "clock24Hours": false,
    });
    value["flags"] = json!({"newsletter_consent_prompt": false});
    value["identities"] = json!([]);
    value
}

/// A row of a members listing.
pub(crate) fn listed_member(world: &World, row: &Member, access: &Access) -> Value {
    let mut value = member(world, row, access);
    if let (Value::Object(fields), false) = (&mut value, access.rules.deprecated_keys_listed) {
        fields.remove("role");
        fields.remove("roleName");
    }
    value
}

/// A member, alone or in a listing.
fn member(world: &World, row: &Member, access: &Access) -> Value {
    let person = world.user_of(row);
    let email = world.email_of(row);
    let role = roles::role(&row.role);
    let user = match (&row.service, person) {
        (Some(name), _) => service_user(name),
        (None, Some(person)) => user(person, access.rules, access.user == Some(person.id)),
        (None, None) => Value::Null,
    };
    let invited = row.user.is_none() && row.service.is_none();
    let mut value = json!({
        "id": row.id.to_string(),
        "email": email,
        "name": row.service.as_deref().unwrap_or(person.map_or(email.as_str(), display_name)),
        "user": user,
        "role": row.role,
        "roleName": role.map_or("", |role| role.name),
        "orgRole": row.role,
        "pending": invited,
        "expired": invited && row.expired,
        "flags": {
            "idp:provisioned": row.idp_provisioned, "idp:role-restricted": false, "sso:linked": false,
            "sso:invalid": false, "member-limit:restricted": false,
        },
        "dateCreated": iso_micros(row.created),
        "inviteStatus": row.status.name(),
        "inviterName": row.inviter,
    });
    if access.rules.deprecated_keys_listed {
        value["groupOrgRoles"] = json!([]);
    }
    if access.rules.partnership_told {
        value["flags"]["partnership:restricted"] = false.into();
    }
    value
}

/// Adds `externalUsers`, sorted as Sentry does, newest first.
pub(crate) fn add_external_users(value: &mut Value, world: &World, row: &Member) {
    let user = world.user_of(row);
    let rows = user
        .into_iter()
        .flat_map(|user| user.external.iter().rev().map(|row| external_of(row, "userId", user.id)));
    value["externalUsers"] = rows.collect();
}

/// A single member. `allowed` are the roles the caller may hand out; when there are any, the
/// invite link and a detailed user come with it (and `{}` instead of null for an open invite).
pub(crate) fn member_with_roles(
    world: &World,
    org: &Org,
    row: &Member,
    access: &Access,
    allowed: &[&str],
) -> Value {
    let mut value = member(world, row, access);
    let team_rows = row.teams.iter().filter_map(|(row, team)| {
        let team = org.teams.get(team)?;
        // A team whose deletion is pending is left out at once.
        let shown = !team.pending_deletion;
        shown.then(|| (team.slug.clone(), team.rows.get(row).and_then(|row| row.role.clone())))
    });
    let team_rows: Vec<(String, Option<String>)> = team_rows.collect();
    value["teams"] = team_rows.iter().map(|(slug, _)| slug.clone()).collect();
    value["teamRoles"] =
        team_rows.into_iter().map(|(slug, role)| json!({"teamSlug": slug, "role": role})).collect();
    if !allowed.is_empty() {
        let link = format!("{}/accept/{}/{}/", world.base, row.id, row.invite_token);
        value["invite_link"] = row.user.is_none().then_some(link).into();
        if value["user"].is_null() {
            value["user"] = json!({});
        } else {
            value["user"]["authenticators"] = json!([]);
            value["user"]["canReset2fa"] = json!(true);
        }
    }
    value["isOnlyOwner"] = is_only_owner(world, org, row).into();
    value["orgRoleList"] = roles::org_role_list(allowed);
    value["roles"] = roles::org_role_list(allowed);
    value["teamRoleList"] = roles::team_role_list();
    value
}

/// Whether no other active member owns the organisation.
pub(crate) fn is_only_owner(world: &World, org: &Org, row: &Member) -> bool {
    let active_owner = |other: &&Member| {
        other.role == "owner" && other.id != row.id && world.user_of(other).is_some_and(|user| user.active)
    };
    row.role == "owner" && !org.members.values().any(|other| active_owner(&other))
}

const FEATURES: &[&str] = &[
    "advanced-search",
    "change-alerts",
    "crash-rate-alerts",
    "custom-symbol-sources",
    "dashboards-basic",
    "dashboards-edit",
    "data-forwarding",
    "derive-code-mappings",
    "discover-basic",
    "discover-query",
    "event-attachments",
    "integrations-alert-rule",
    "integrations-chat-unfurl",
    "integrations-codeowners",
    "integrations-deployment",
    "integrations-event-hooks",
    "integrations-incident-management",
    "integrations-issue-basic",
    "integrations-issue-sync",
    "integrations-ticket-rules",
    "invite-members",
    "invite-members-rate-limits",
    "minute-resolution-sessions",
    "performance-issues-search",
    "performance-view",
    "project-stats",
    "relay",
    "session-replay-ui",
    "shared-issues",
    "sso-basic",
    "sso-saml2",
    "symbol-sources",
    "team-insights",
    "team-roles",
    "transaction-name-mark-scrubbed-as-sanitized",
    "transaction-name-normalize",
];

/// An organisation as inside a team or a listing.
pub(crate) fn org(world: &World, org: &Org) -> Value {
    let open = org.open_membership.then_some("open-membership");
    let has = |feature: &str| match feature {
        "integrations-codeowners" => org.codeowners,
        "invite-members" => org.invites,
        _ => true,
    };
    let features: Vec<&str> = FEATURES.iter().copied().filter(|feature| has(feature)).chain(open).collect();
    let region = if world.regional { world.region_url(&org.region) } else { world.base.clone() };
    json!({
        "id": org.id.to_string(), "slug": org.slug, "status": {"id": "active", "name": "active"}, "name": org.name,
        "dateCreated": iso_micros(org.created), "isEarlyAdopter": false, "require2FA": false,
        "requireEmailVerification": false, "avatar": letter(), "features": features,
        "links": {"organizationUrl": world.base, "regionUrl": region}, "hasAuthProvider": org.scim,
    })
}

/// The organisation's own page; `detailed` brings its teams and projects.
pub(crate) fn org_details(world: &World, row: &Org, access: &Access, detailed: bool) -> Value {
    let mut value = org(world, row);
    let more = json!({
        "experiments": {}, "isDefault": false, "defaultRole": "member",
        "quota": {"maxRate": null, "maxRateInterval": 60, "accountLimit": 0, "projectLimit": 100},
        "availableRoles": roles::ROLES.iter().map(|r| json!({"id": r.id, "name": r.name})).collect::<Value>(),
        "orgRoleList": roles::org_role_list(&[]), "teamRoleList": roles::team_role_list(),
        "openMembership": row.open_membership, "allowSharedIssues": true, "enhancedPrivacy": false,
        "dataScrubber": false, "dataScrubberDefaults": false, "sensitiveFields": [], "safeFields": [],
        "storeCrashReports": 0, "attachmentsRole": "member", "debugFilesRole": "admin", "eventsMemberAdmin": true,
        "alertsMemberWrite": true, "scrubIPAddresses": false, "scrapeJavaScript": true, "allowJoinRequests": true,
        "relayPiiConfig": null, "codecovAccess": false, "aiSuggestedSolution": true, "githubPRBot": true,
        "trustedRelays": [], "access": access.scopes, "pendingAccessRequests": 0, "onboardingTasks": [],
        "isDynamicallySampled": false,
    });
    merge(&mut value, more);
    if let Some(role) = access.role() {
        merge(&mut value, json!({"role": role.id, "orgRole": role.id}));
    }
    if detailed {
        let active =
            row.slugs.values().filter_map(|id| row.teams.get(id)).filter(|team| !team.pending_deletion);
        value["teams"] = active.map(|item| team(row, item, access)).collect();
        value["projects"] = row.projects.values().map(|item| project_with_teams(row, item, access)).collect();
    }
    value
}

fn merge(value: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(from)) = (value, more) {
        into.extend(from);
    }
}

/// An error body with one message per field.
pub(crate) fn field_errors(errors: Vec<(&str, Vec<String>)>) -> Value {
    let mut map = Map::new();
    for (field, messages) in errors {
        map.insert(field.to_owned(), messages.into());
    }
    Value::Object(map)
}
