//! Which address is which call: templates, allowed methods, and the scopes that suffice.
//!
//! Facts: paths are matched after decoding (so `%2F` splits a segment), the trailing slash is part
//! of the route (SCIM's have none), and the list of methods and the scope table are Sentry 23.7.1's where
//! [the table](super::era) does not say otherwise.

use super::era::Rules;
use crate::standin::encode::percent_decode;

/// One known address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Index,
    Orgs,
    Org { org: String },
    Teams { org: String },
    Team { org: String, slug: String },
    TeamMembers { org: String, slug: String },
    Members { org: String },
    Member { org: String, id: String },
    MemberTeam { org: String, id: String, slug: String },
    ProjectTeam { org: String, project: String, slug: String },
    ExternalTeams { org: String, slug: String },
    ExternalTeam { org: String, slug: String, id: String },
    Integrations { org: String },
    Associations { org: String },
    ScimGroups { org: String },
    ScimGroup { org: String, id: String },
}

const ORG: [&str; 3] = ["org:read", "org:write", "org:admin"];
const MEMBER: [&str; 3] = ["member:read", "member:write", "member:admin"];
const INTEGRATIONS: [&str; 4] = ["org:read", "org:write", "org:admin", "org:integrations"];
const TEAM: [&str; 3] = ["team:read", "team:write", "team:admin"];

impl Route {
    /// The route of a raw path, or `None`.
    pub fn find(path: &str) -> Option<Route> {
        let path = percent_decode(path);
        let rest = path.strip_prefix("/api/0/")?;
        if rest.is_empty() {
            return Some(Route::Index);
        }
        let own = |text: &str| text.to_owned();
        let Some(rest) = rest.strip_suffix('/') else {
            return match rest.split('/').collect::<Vec<_>>()[..] {
                ["organizations", "", ..] => None,
                ["organizations", org, "scim", "v2", "Groups"] => Some(Route::ScimGroups { org: own(org) }),
                ["organizations", org, "scim", "v2", "Groups", id] if !id.is_empty() => {
                    Some(Route::ScimGroup { org: own(org), id: own(id) })
                }
                _ => None,
            };
        };
        let parts: Vec<&str> = rest.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        Some(match parts[..] {
            ["organizations"] => Route::Orgs,
            ["organizations", org] => Route::Org { org: own(org) },
            ["organizations", org, "teams"] => Route::Teams { org: own(org) },
            ["organizations", org, "members"] => Route::Members { org: own(org) },
            ["organizations", org, "members", id] => Route::Member { org: own(org), id: own(id) },
            ["organizations", org, "members", id, "teams", slug] => {
                Route::MemberTeam { org: own(org), id: own(id), slug: own(slug) }
            }
            ["organizations", org, "integrations"] => Route::Integrations { org: own(org) },
            ["organizations", org, "codeowners-associations"] => Route::Associations { org: own(org) },
            ["teams", org, slug, "external-teams"] => Route::ExternalTeams { org: own(org), slug: own(slug) },
            ["teams", org, slug, "external-teams", id] => {
                Route::ExternalTeam { org: own(org), slug: own(slug), id: own(id) }
            }
            ["teams", org, slug] => Route::Team { org: own(org), slug: own(slug) },
            ["teams", org, slug, "members"] => Route::TeamMembers { org: own(org), slug: own(slug) },
            ["projects", org, project, "teams", slug] => {
                Route::ProjectTeam { org: own(org), project: own(project), slug: own(slug) }
            }
            _ => return None,
        })
    }

    /// The organisation it is about, as the address names it.
    pub fn org(&self) -> Option<&str> {
        match self {
            Route::Index | Route::Orgs => None,
            Route::Org { org }
            | Route::Teams { org }
            | Route::Team { org, .. }
            | Route::TeamMembers { org, .. }
            | Route::Members { org }
            | Route::Member { org, .. }
            | Route::MemberTeam { org, .. }
            | Route::ProjectTeam { org, .. }
            | Route::ExternalTeams { org, .. }
            | Route::ExternalTeam { org, .. }
            | Route::Integrations { org }
            | Route::Associations { org }
            | Route::ScimGroups { org }
            | Route::ScimGroup { org, .. } => Some(org),
        }
    }

    /// The organisation and team that it is about, for the routes that look for the team first of all.
    pub fn team(&self) -> Option<(&str, &str)> {
        match self {
            Route::Team { org, slug }
            | Route::TeamMembers { org, slug }
            | Route::ExternalTeams { org, slug }
            | Route::ExternalTeam { org, slug, .. } => Some((org, slug)),
            _ => None,
        }
    }

    /// Whether it speaks SCIM, which answers JSON whatever is accepted.
    pub fn is_scim(&self) -> bool {
        matches!(self, Route::ScimGroups { .. } | Route::ScimGroup { .. })
    }

    /// The template without method.
    pub fn template(&self) -> &'static str {
        match self {
            Route::Index => "/",
            Route::Orgs => "/organizations/",
            Route::Org { .. } => "/organizations/{org}/",
            Route::Teams { .. } => "/organizations/{org}/teams/",
            Route::Team { .. } => "/teams/{org}/{slug}/",
            Route::TeamMembers { .. } => "/teams/{org}/{slug}/members/",
            Route::Members { .. } => "/organizations/{org}/members/",
            Route::Member { .. } => "/organizations/{org}/members/{id}/",
            Route::MemberTeam { .. } => "/organizations/{org}/members/{id}/teams/{slug}/",
            Route::ProjectTeam { .. } => "/projects/{org}/{project}/teams/{slug}/",
            Route::ExternalTeams { .. } => "/teams/{org}/{slug}/external-teams/",
            Route::ExternalTeam { .. } => "/teams/{org}/{slug}/external-teams/{id}/",
            Route::Integrations { .. } => "/organizations/{org}/integrations/",
            Route::Associations { .. } => "/organizations/{org}/codeowners-associations/",
            Route::ScimGroups { .. } => "/organizations/{org}/scim/v2/Groups",
            Route::ScimGroup { .. } => "/organizations/{org}/scim/v2/Groups/{id}",
        }
    }

    /// The methods that have code behind them.
    pub fn methods(&self) -> &'static [&'static str] {
        match self {
            Route::Index
            | Route::TeamMembers { .. }
            | Route::Integrations { .. }
            | Route::Associations { .. } => &["GET"],
            // GET only is played; PUT, POST and DELETE exist on the true server.
            Route::Orgs => &["GET", "POST"],
            Route::Teams { .. } | Route::Members { .. } => &["GET", "POST"],
            Route::Org { .. } | Route::Team { .. } | Route::Member { .. } => &["GET", "PUT", "DELETE"],
            Route::MemberTeam { .. } => &["GET", "POST", "PUT", "DELETE"],
            Route::ProjectTeam { .. } => &["POST", "DELETE"],
            Route::ExternalTeams { .. } => &["POST"],
            Route::ExternalTeam { .. } => &["PUT", "DELETE"],
            // Only GET is played: writes through SCIM would make the team the identity provider's.
            Route::ScimGroups { .. } => &["GET", "POST"],
            Route::ScimGroup { .. } => &["GET", "PUT", "PATCH", "DELETE"],
        }
    }

    /// The `Allow` header.
    pub fn allow(&self) -> String {
        let head = if self.methods().contains(&"GET") { ", HEAD" } else { "" };
        format!("{}{head}, OPTIONS", self.methods().join(", "))
    }

    /// The scopes of which one suffices for a method; empty for a method without any.
    pub fn scopes(&self, method: &str, rules: &Rules) -> &'static [&'static str] {
        match self {
            Route::Index => &[],
            Route::Orgs | Route::Org { .. } => match method {
                "GET" => &ORG,
                "POST" | "PUT" => &["org:write", "org:admin"],
                "DELETE" => &["org:admin"],
                _ => &[],
            },
            Route::Teams { .. } => match method {
                "GET" => &ORG,
                "POST" | "PUT" => &["org:write", "org:admin", "team:write"],
                "DELETE" => &["org:admin", "team:write"],
                _ => &[],
            },
            Route::Team { .. }
            | Route::TeamMembers { .. }
            | Route::ExternalTeams { .. }
            | Route::ExternalTeam { .. }
            | Route::ScimGroups { .. }
            | Route::ScimGroup { .. } => match method {
                "GET" => &TEAM,
                "POST" | "PUT" | "PATCH" if self.is_scim() || method != "PATCH" => {
                    &["team:write", "team:admin"]
                }
                "DELETE" => &["team:admin"],
                _ => &[],
            },
            Route::Members { .. } | Route::Member { .. } => match (self, method) {
                (_, "GET") => &MEMBER,
                (_, "POST" | "PUT") => &["member:write", "member:admin"],
                (Route::Members { .. }, "DELETE") => &["member:admin"],
                // Anybody may leave; the handler looks closer.
                (_, "DELETE") => &MEMBER,
                _ => &[],
            },
            Route::MemberTeam { .. } => match method {
                "GET" => rules.scopes_to_see_membership,
                "PUT" => rules.scopes_for_team_role,
                "POST" => &["org:read", "org:write", "team:write"],
                "DELETE" => rules.scopes_to_leave,
                _ => &[],
            },
            Route::ProjectTeam { .. } if matches!(method, "POST" | "DELETE") => {
                &["project:write", "project:admin"]
            }
            Route::Integrations { .. } | Route::Associations { .. } if method == "GET" => &INTEGRATIONS,
            Route::ProjectTeam { .. } | Route::Integrations { .. } | Route::Associations { .. } => &[],
        }
    }
}

/// The template of any request, for counting.
pub(crate) fn template(method: &str, path: &str) -> String {
    match Route::find(path) {
        Some(route) => format!("{method} {}", route.template()),
        None => format!("{method} (unknown)"),
    }
}
