//! Which address is which call: templates, allowed methods, and the scopes that suffice.
//!
//! Facts: paths are matched after decoding (so `%2F` splits a segment), the trailing slash is part
//! of the route, and the list of methods and the scope table are Sentry 23.7.1's. Newer servers
//! take `team:admin` instead of `team:write` for taking somebody out of a team.

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
}

const ORG: [&str; 3] = ["org:read", "org:write", "org:admin"];
const MEMBER: [&str; 3] = ["member:read", "member:write", "member:admin"];
const TEAM: [&str; 3] = ["team:read", "team:write", "team:admin"];

impl Route {
    /// The route of a raw path, or `None`.
    pub fn find(path: &str) -> Option<Route> {
        let path = percent_decode(path);
        let rest = path.strip_prefix("/api/0/")?;
        if rest.is_empty() {
            return Some(Route::Index);
        }
        let parts: Vec<&str> = rest.strip_suffix('/')?.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        let own = |text: &str| text.to_owned();
        Some(match parts[..] {
            ["organizations"] => Route::Orgs,
            ["organizations", org] => Route::Org { org: own(org) },
            ["organizations", org, "teams"] => Route::Teams { org: own(org) },
            ["organizations", org, "members"] => Route::Members { org: own(org) },
            ["organizations", org, "members", id] => Route::Member { org: own(org), id: own(id) },
            ["organizations", org, "members", id, "teams", slug] => {
                Route::MemberTeam { org: own(org), id: own(id), slug: own(slug) }
            }
            ["teams", org, slug] => Route::Team { org: own(org), slug: own(slug) },
            ["teams", org, slug, "members"] => Route::TeamMembers { org: own(org), slug: own(slug) },
            ["projects", org, project, "teams", slug] => {
                Route::ProjectTeam { org: own(org), project: own(project), slug: own(slug) }
            }
            _ => return None,
        })
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
        }
    }

    /// The methods that have code behind them.
    pub fn methods(&self) -> &'static [&'static str] {
        match self {
            Route::Index | Route::TeamMembers { .. } => &["GET"],
            // GET only is played; PUT, POST and DELETE exist on the true server.
            Route::Orgs => &["GET", "POST"],
            Route::Teams { .. } | Route::Members { .. } => &["GET", "POST"],
            Route::Org { .. } | Route::Team { .. } | Route::Member { .. } => &["GET", "PUT", "DELETE"],
            Route::MemberTeam { .. } => &["GET", "POST", "PUT", "DELETE"],
            Route::ProjectTeam { .. } => &["POST", "DELETE"],
        }
    }

    /// The `Allow` header.
    pub fn allow(&self) -> String {
        let head = if self.methods().contains(&"GET") { ", HEAD" } else { "" };
        format!("{}{head}, OPTIONS", self.methods().join(", "))
    }

    /// The scopes of which one suffices for a method; empty for a method without any.
    pub fn scopes(&self, method: &str, newer: bool) -> &'static [&'static str] {
        match (self, method) {
            (Route::Orgs | Route::Org { .. } | Route::Teams { .. }, "GET") => &ORG,
            (Route::Orgs | Route::Org { .. }, "POST" | "PUT") => &["org:write", "org:admin"],
            (Route::Orgs | Route::Org { .. }, "DELETE") => &["org:admin"],
            (Route::Teams { .. }, "POST" | "PUT") => &["org:write", "org:admin", "team:write"],
            (Route::Teams { .. }, "DELETE") => &["org:admin", "team:write"],
            (Route::Team { .. } | Route::TeamMembers { .. }, "GET") => &TEAM,
            (Route::Team { .. } | Route::TeamMembers { .. }, "POST" | "PUT") => &["team:write", "team:admin"],
            (Route::Team { .. } | Route::TeamMembers { .. }, "DELETE") => &["team:admin"],
            (Route::Members { .. } | Route::Member { .. }, "GET") => &MEMBER,
            (Route::Members { .. } | Route::Member { .. }, "POST" | "PUT") => {
                &["member:write", "member:admin"]
            }
            (Route::Members { .. }, "DELETE") => &["member:admin"],
            // Anybody may leave; the handler looks closer.
            (Route::Member { .. }, "DELETE") => &MEMBER,
            (Route::MemberTeam { .. }, "GET" | "PUT") => {
                &["org:read", "org:write", "member:read", "member:write", "member:admin"]
            }
            (Route::MemberTeam { .. }, "POST") => &["org:read", "org:write", "team:write"],
            (Route::MemberTeam { .. }, "DELETE") if newer => {
                &["org:read", "org:write", "org:admin", "team:admin"]
            }
            (Route::MemberTeam { .. }, "DELETE") => &["org:read", "org:write", "org:admin", "team:write"],
            (Route::ProjectTeam { .. }, "POST" | "DELETE") => &["project:write", "project:admin"],
            _ => &[],
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
