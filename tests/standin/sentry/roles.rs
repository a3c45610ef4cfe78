//! Sentry's organisation and team roles, as a 23.7.1 server shows them, and sentry.io's `billing`.
//!
//! A table; nothing is decided here.

use serde_json::{json, Value};

/// One organisation role. The order of [`ROLES`] is the order of rank.
pub(crate) struct Role {
    pub id: &'static str,
    pub name: &'static str,
    pub desc: &'static str,
    pub scopes: &'static [&'static str],
    pub retired: bool,
    /// Reaches every team, whatever open membership says.
    pub global: bool,
    /// The team role that comes with it everywhere.
    pub team_role: &'static str,
    /// Whether people of this role can be in teams.
    pub teams: bool,
}

/// Scopes of the team role `contributor`, in the order seen in `access`.
pub(crate) const CONTRIBUTOR: &[&str] = &[
    "project:read",
    "alerts:read",
    "project:releases",
    "team:read",
    "member:read",
    "org:read",
    "event:read",
    "event:write",
];

/// Scopes of the team role `admin`, in the order seen in `access`.
pub(crate) const TEAM_ADMIN: &[&str] = &[
    "project:write",
    "team:write",
    "org:integrations",
    "alerts:write",
    "team:admin",
    "project:read",
    "alerts:read",
    "project:releases",
    "team:read",
    "member:read",
    "project:admin",
    "event:admin",
    "org:read",
    "event:read",
    "event:write",
];

/// From the lowest rank to the highest.
pub(crate) const ROLES: &[Role] = &[
    Role {
        id: "member",
        name: "Member",
        desc: "Members can view and act on events, as well as view most other data within the organization.",
        scopes: &[
            "alerts:write",
            "project:releases",
            "member:read",
            "project:read",
            "event:read",
            "team:read",
            "event:write",
            "event:admin",
            "alerts:read",
            "org:read",
        ],
        retired: false,
        global: false,
        team_role: "contributor",
        teams: true,
    },
    Role {
        id: "admin",
        name: "Admin",
        desc: "Admin privileges on any teams of which they're a member.",
        scopes: &[
            "project:admin",
            "alerts:write",
            "project:write",
            "team:admin",
            "member:read",
            "project:releases",
            "project:read",
            "event:read",
            "team:read",
            "event:write",
            "event:admin",
            "org:integrations",
            "team:write",
            "alerts:read",
            "org:read",
        ],
        retired: true,
        global: false,
        team_role: "admin",
        teams: true,
    },
    Role {
        id: "manager",
        name: "Manager",
        desc: "Gains admin access on all teams as well as the ability to add and remove members.",
        scopes: &[
            "alerts:write",
            "project:write",
            "project:releases",
            "project:read",
            "event:write",
            "event:admin",
            "org:integrations",
            "org:write",
            "alerts:read",
            "project:admin",
            "member:admin",
            "team:admin",
            "member:read",
            "team:read",
            "event:read",
            "member:write",
            "team:write",
            "org:read",
        ],
        retired: false,
        global: true,
        team_role: "admin",
        teams: true,
    },
    Role {
        id: "owner",
        name: "Owner",
        desc: "Unrestricted access to the organization, its data, and its settings.",
        scopes: &[
            "org:admin",
            "alerts:write",
            "project:write",
            "project:releases",
            "project:read",
            "org:integrations",
            "event:admin",
            "event:write",
            "org:write",
            "alerts:read",
            "project:admin",
            "member:admin",
            "team:admin",
            "member:read",
            "team:read",
            "event:read",
            "member:write",
            "team:write",
            "org:read",
        ],
        retired: false,
        global: true,
        team_role: "admin",
        teams: true,
    },
];

/// sentry.io's role for whoever only pays. It is in no list here: nobody can be given it through the interface.
const BILLING: Role = Role {
    id: "billing",
    name: "Billing",
    desc: "Can manage subscription and billing details.",
    scopes: &["org:billing"],
    retired: false,
    global: false,
    team_role: "contributor",
    teams: false,
};

/// A role by id.
pub(crate) fn role(id: &str) -> Option<&'static Role> {
    ROLES.iter().chain([&BILLING]).find(|role| role.id == id)
}

/// Rank of a role; unknown ones rank lowest.
pub(crate) fn rank(id: &str) -> usize {
    ROLES.iter().position(|role| role.id == id).unwrap_or(0)
}

/// The roles that somebody of this role may hand out: their own and everything below.
pub(crate) fn up_to(id: &str) -> Vec<&'static str> {
    ROLES.iter().take(rank(id) + 1).map(|role| role.id).collect()
}

/// Scopes of a team role, in the order of `access`.
pub(crate) fn team_scopes(team_role: &str) -> &'static [&'static str] {
    if team_role == "admin" {
        TEAM_ADMIN
    } else {
        CONTRIBUTOR
    }
}

/// The list `orgRoleList` of single members and organisations.
pub(crate) fn org_role_list(allowed: &[&str]) -> Value {
    let roles = ROLES.iter().map(|role| {
        let allowed = allowed.contains(&role.id);
        json!({
            "id": role.id, "name": role.name, "desc": role.desc, "scopes": role.scopes,
            "allowed": allowed, "isAllowed": allowed, "isRetired": role.retired,
            "is_global": role.global, "isGlobal": role.global, "minimumTeamRole": role.team_role,
        })
    });
    roles.collect()
}

/// The list `teamRoleList`.
pub(crate) fn team_role_list() -> Value {
    json!([
        {"id": "contributor", "name": "Contributor",
         "desc": "Contributors can view and act on events, as well as view most other data within the team's projects.",
         "scopes": CONTRIBUTOR, "allowed": false, "isAllowed": false, "isRetired": false, "isMinimumRoleFor": null},
        {"id": "admin", "name": "Team Admin", "desc": "Admin privileges on the team.",
         "scopes": TEAM_ADMIN, "allowed": false, "isAllowed": false, "isRetired": false, "isMinimumRoleFor": "admin"},
    ])
}
