//! What each field of GitHub's GraphQL schema answers.
//!
//! Facts: `members` counts child teams' people unless asked for `IMMEDIATE`; `email` is an empty
//! text when there is none; verified addresses only on the organisation's domains and only for its
//! members; `samlIdentityProvider` is null without single sign-on at the organisation and only for
//! owners and Apps; every connection needs `first` or `last`, 1 to 100. Whether enterprise teams are
//! shown is not documented: they are not, unless a test says so. Must only read.

use super::build::TokenKind;
use super::connections::{slice, Connection, Kind};
use super::site::Viewer;
use super::world::{node_id, read_node_id, Identity, OrgRole, Origin, Privacy, Team, TeamRole, User, World};
use crate::standin::graphql::{Arguments, Failure, Out, Resolver};
use crate::standin::time::iso_seconds;
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

/// An object of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Query,
    Org,
    Team(u64),
    User(u64),
    Rate,
    Connection(Arc<Connection>),
    Edge(Arc<Connection>, usize),
    PageInfo(Arc<Connection>),
    Provider,
    Identity(u64),
    Saml(u64),
    Scim(u64),
    Email { value: String, primary: bool },
}

/// What `rateLimit` tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub cost: u64,
    pub nodes: u64,
    pub limit: u64,
    pub used: u64,
    pub reset: SystemTime,
}

/// The resolver.
pub(crate) struct Fields<'a> {
    pub(super) world: &'a World,
    pub(super) viewer: &'a Viewer,
    rate: Rate,
    /// Names of fields that are refused.
    pub forbidden: BTreeSet<String>,
    /// How many list entries may still be answered.
    pub budget: Option<usize>,
}

pub(super) type Answer = Result<Out<Node>, Failure>;

pub(super) fn value(value: impl Into<Value>) -> Answer {
    Ok(Out::Value(value.into()))
}

pub(super) fn fail<T>(kind: &'static str, message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { kind, message: message.into() })
}

pub(super) fn text<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}

impl<'a> Fields<'a> {
    pub fn new(world: &'a World, viewer: &'a Viewer, rate: Rate) -> Fields<'a> {
        Fields { world, viewer, rate, forbidden: BTreeSet::new(), budget: None }
    }

    fn team(&self, id: u64) -> Result<&'a Team, Failure> {
        let team = self.world.teams.get(&id).map(AsRef::as_ref);
        team.map_or_else(|| fail("NOT_FOUND", "Could not resolve to a Team"), Ok)
    }

    fn visible(&self, id: &u64) -> bool {
        self.world.teams.get(id).is_some_and(|team| self.shows(team))
    }

    fn shows(&self, team: &Team) -> bool {
        let known = team.origin == Origin::Organization || self.world.org.enterprise_in_graphql;
        known && self.viewer.sees(self.world, team)
    }

    fn user(&self, id: u64) -> Result<&'a User, Failure> {
        let user = self.world.users.get(&id).map(AsRef::as_ref);
        user.map_or_else(|| fail("NOT_FOUND", "Could not resolve to a User"), Ok)
    }

    /// Refuses what needs Members: read.
    pub(super) fn permitted(&self) -> Result<(), Failure> {
        if self.viewer.reads_members(self.world) {
            return Ok(());
        }
        let unauthorised = self.viewer.token.as_ref().is_some_and(|token| token.unauthorised);
        let message = if unauthorised {
            super::site::UNAUTHORISED
        } else if self.viewer.is_app() {
            "Resource not accessible by integration"
        } else {
            "Resource not accessible by personal access token"
        };
        fail("FORBIDDEN", message)
    }

    /// Refuses a classic token what needs one of the scopes of addresses; REST does not.
    fn may_see_addresses(&self) -> Result<(), Failure> {
        let token = self.viewer.token.as_ref();
        if !token.is_some_and(|token| token.kind == TokenKind::Classic && !token.user_email) {
            return Ok(());
        }
        fail(
            "INSUFFICIENT_SCOPES",
            "Your token has not been granted the required scopes to execute this query. The 'email' field requires \
             one of the following scopes: ['user:email', 'read:user'], but your token has only been granted the: \
             ['read:org'] scopes. Please modify your token's scopes at: https://github.com/settings/tokens.",
        )
    }

    /// Cuts a page out of ids and makes it an object.
    pub(super) fn connection(
        &mut self,
        name: &str,
        kind: Kind,
        ids: Vec<u64>,
        arguments: &Arguments,
    ) -> Answer {
        if self.budget == Some(0) {
            return fail("RESOURCE_LIMITS_EXCEEDED", "Resource limits for this query exceeded.");
        }
        let world = self.world;
        let page = slice(name, kind, ids, arguments, |id| key(world, kind, id))?;
        if let Some(budget) = &mut self.budget {
            *budget = budget.saturating_sub(page.ids.len());
        }
        Ok(Out::Node(Some(Node::Connection(Arc::new(page)))))
    }

    fn query(&mut self, name: &str, arguments: &Arguments) -> Answer {
        match name {
            "organization" => match text(arguments, "login") {
                Some(login) if self.world.is_org(login) => Ok(Out::Node(Some(Node::Org))),
                login => {
                    let login = login.unwrap_or("");
                    fail(
                        "NOT_FOUND",
                        format!("Could not resolve to an Organization with the login of '{login}'."),
                    )
                }
            },
            "user" => {
                let login = text(arguments, "login").unwrap_or("");
                match self.world.user_by_login(login).filter(|user| !user.bot) {
                    Some(user) => Ok(Out::Node(Some(Node::User(user.id)))),
                    None => {
                        fail("NOT_FOUND", format!("Could not resolve to a User with the login of '{login}'."))
                    }
                }
            }
            "node" => self.node(arguments.get("id").and_then(Value::as_str).unwrap_or("")),
            "viewer" => match self.viewer.id() {
                Some(id) => Ok(Out::Node(Some(Node::User(id)))),
                None => fail("FORBIDDEN", "Resource not accessible by integration"),
            },
            _ => Ok(Out::Node(Some(Node::Rate))),
        }
    }

    fn node(&self, id: &str) -> Answer {
        let world = self.world;
        let (kind, number) = read_node_id(id).unwrap_or_default();
        match kind.as_str() {
            "Team" if self.visible(&number) => {
                self.permitted()?;
                return Ok(Out::Node(Some(Node::Team(number))));
            }
            "User" if world.users.contains_key(&number) => return Ok(Out::Node(Some(Node::User(number)))),
            "Organization" if world.org.id == number && !world.org.deleted => {
                return Ok(Out::Node(Some(Node::Org)))
            }
            _ => {}
        }
        fail("NOT_FOUND", format!("Could not resolve to a node with the global id of '{id}'"))
    }

    fn org(&mut self, name: &str, arguments: &Arguments) -> Answer {
        let (world, org) = (self.world, &self.world.org);
        match name {
            "id" => value(node_id("Organization", org.id)),
            "databaseId" => value(org.id),
            "login" | "name" => value(org.login.clone()),
            "createdAt" => value(iso_seconds(org.created)),
            "viewerCanAdminister" => value(self.viewer.is_owner(world)),
            "viewerIsAMember" => value(self.viewer.id().is_some_and(|id| org.members.contains_key(&id))),
            "team" => {
                self.permitted()?;
                let wanted = text(arguments, "slug").unwrap_or("");
                // The schema says: the name or the slug.
                let by_name = || world.teams.values().find(|team| team.name == wanted);
                let found = world.team_by_slug(wanted).or_else(by_name).filter(|team| self.shows(team));
                Ok(Out::Node(found.map(|team| Node::Team(team.id))))
            }
            "teams" => {
                self.permitted()?;
                let ids = self.teams_wanted(world.team_ids_by_name().collect(), arguments);
                self.connection(name, Kind::Teams, ids, arguments)
            }
            "membersWithRole" => {
                self.permitted()?;
                let ids = org.members.keys().copied().collect();
                self.connection(name, Kind::OrgMembers, ids, arguments)
            }
            _ => self.provider_of_org(),
        }
    }

    fn teams_wanted(&self, mut ids: Vec<u64>, arguments: &Arguments) -> Vec<u64> {
        let world = self.world;
        let logins = arguments.get("userLogins").and_then(Value::as_array);
        let people: Option<Vec<u64>> = logins.map(|logins| {
            let users = logins.iter().filter_map(|login| world.user_by_login(login.as_str()?));
            users.map(|user| user.id).collect()
        });
        let privacy = text(arguments, "privacy");
        let words = text(arguments, "query").map(str::to_lowercase);
        let roots = arguments.get("rootTeamsOnly") == Some(&json!(true));
        ids.retain(|id| {
            let Some(team) = world.teams.get(id).filter(|_| self.visible(id)) else {
                return false;
            };
            let has_people =
                people.as_ref().is_none_or(|people| people.iter().any(|id| team.members.contains_key(id)));
            let has_words = words
                .as_ref()
                .is_none_or(|words| team.name.to_lowercase().contains(words) || team.slug.contains(words));
            has_people
                && has_words
                && privacy.is_none_or(|wanted| wanted == privacy_word(team))
                && !(roots && team.parent.is_some())
        });
        let order = arguments.get("orderBy").and_then(|order| order["direction"].as_str());
        if order == Some("DESC") {
            ids.reverse();
        }
        ids
    }

    fn team_field(&mut self, id: u64, name: &str, arguments: &Arguments) -> Answer {
        let (world, team) = (self.world, self.team(id)?);
        match name {
            "id" => value(team.node_id()),
            "databaseId" => value(team.id),
            "name" => value(team.name.clone()),
            "slug" => value(team.slug.clone()),
            "combinedSlug" => value(format!("{}/{}", world.org.login, team.slug)),
            "description" => value(team.description.clone()),
            "privacy" => value(privacy_word(team)),
            "notificationSetting" => value("NOTIFICATIONS_ENABLED"),
            "createdAt" => value(iso_seconds(team.created)),
            "updatedAt" => value(iso_seconds(team.updated)),
            "viewerCanAdminister" => {
                let own = self.viewer.id().and_then(|id| team.members.get(&id));
                value(self.viewer.is_owner(world) || own == Some(&TeamRole::Maintainer))
            }
            "organization" => Ok(Out::Node(Some(Node::Org))),
            "parentTeam" => Ok(Out::Node(team.parent.filter(|id| self.visible(id)).map(Node::Team))),
            "childTeams" => {
                let all = arguments.get("immediateOnly") == Some(&json!(false));
                let mut ids: Vec<u64> =
                    if all { world.family(id).split_off(1) } else { world.children(id).collect() };
                ids.sort_by_key(|id| key(world, Kind::Teams, *id));
                let ids = self.teams_wanted(ids, arguments);
                self.connection(name, Kind::Teams, ids, arguments)
            }
            _ => {
                let ids = self.team_members(team, arguments);
                self.connection(name, Kind::TeamMembers(id), ids, arguments)
            }
        }
    }

    fn team_members(&self, team: &Team, arguments: &Arguments) -> Vec<u64> {
        let direct = || team.members.keys().copied();
        let mut ids: Vec<u64> = match text(arguments, "membership") {
            Some("IMMEDIATE") => direct().collect(),
            Some("CHILD_TEAM") => self.world.inherited(team.id).into_iter().collect(),
            _ => direct().chain(self.world.inherited(team.id)).collect(),
        };
        ids.sort_unstable();
        let role = text(arguments, "role");
        let words = text(arguments, "query").map(str::to_lowercase);
        ids.retain(|id| {
            let login = self.world.users.get(id).map(|user| user.login.to_lowercase());
            let has_words =
                words.as_ref().is_none_or(|words| login.as_ref().is_some_and(|login| login.contains(words)));
            has_words && role.is_none_or(|role| role == team_role(team, *id))
        });
        if arguments.get("orderBy").and_then(|order| order["direction"].as_str()) == Some("DESC") {
            ids.reverse();
        }
        ids
    }

    fn user_field(&self, id: u64, name: &str, arguments: &Arguments) -> Answer {
        let user = self.user(id)?;
        match name {
            "id" => value(node_id("User", user.id)),
            "databaseId" => value(user.id),
            "login" => value(user.login.clone()),
            "name" => value(user.name.clone()),
            "email" => {
                self.may_see_addresses()?;
                value(user.email.clone().unwrap_or_default())
            }
            "createdAt" => value(iso_seconds(user.created)),
            _ => {
                let login = text(arguments, "login").unwrap_or("");
                self.permitted()?;
                let told = self.world.is_org(login) && self.world.org.members.contains_key(&id);
                value(if told { user.verified.clone() } else { Vec::new() })
            }
        }
    }

    fn edge(&self, page: &Connection, at: usize, name: &str) -> Answer {
        let id = page.ids.get(at).copied().unwrap_or(0);
        match name {
            "cursor" => value(page.cursors.get(at).cloned()),
            "node" => Ok(Out::Node(Some(page.node(id)))),
            "role" => match page.kind {
                Kind::TeamMembers(team) => value(team_role(self.team(team)?, id)),
                _ => value(match self.world.org.members.get(&id) {
                    Some(OrgRole::Owner) => "ADMIN",
                    _ => "MEMBER",
                }),
            },
            _ => value(Value::Null),
        }
    }

    fn rate_field(&self, name: &str) -> Answer {
        let rate = &self.rate;
        match name {
            "cost" => value(rate.cost),
            "limit" => value(rate.limit),
            "nodeCount" => value(rate.nodes),
            "remaining" => value(rate.limit.saturating_sub(rate.used)),
            "used" => value(rate.used),
            _ => value(iso_seconds(rate.reset)),
        }
    }
}

fn privacy_word(team: &Team) -> &'static str {
    match team.privacy {
        Privacy::Closed => "VISIBLE",
        Privacy::Secret => "SECRET",
    }
}

/// The direct role; somebody of a child team is a member.
fn team_role(team: &Team, user: u64) -> &'static str {
    match team.members.get(&user) {
        Some(TeamRole::Maintainer) if team.origin == Origin::Organization => "MAINTAINER",
        _ => "MEMBER",
    }
}

/// What the order of a connection goes by, for its cursors.
fn key(world: &World, kind: Kind, id: u64) -> (String, u64) {
    match kind {
        Kind::Teams => (world.teams.get(&id).map(|team| team.name.to_lowercase()).unwrap_or_default(), id),
        _ => (String::new(), id),
    }
}

impl Resolver for Fields<'_> {
    type Node = Node;

    fn type_name(&self, node: &Node) -> &'static str {
        match node {
            Node::Query => "Query",
            Node::Org => "Organization",
            Node::Team(_) => "Team",
            Node::User(_) => "User",
            Node::Rate => "RateLimit",
            Node::Connection(page) => page.kind.connection_type(),
            Node::Edge(page, _) => page.kind.edge_type(),
            Node::PageInfo(_) => "PageInfo",
            Node::Provider => "OrganizationIdentityProvider",
            Node::Identity(_) => "ExternalIdentity",
            Node::Saml(_) => "ExternalIdentitySamlAttributes",
            Node::Scim(_) => "ExternalIdentityScimAttributes",
            Node::Email { .. } => "UserEmailMetadata",
        }
    }

    fn field(&mut self, node: &Node, name: &str, arguments: &Arguments) -> Answer {
        if self.forbidden.contains(name) {
            return fail("FORBIDDEN", "Resource not accessible by personal access token");
        }
        match node {
            Node::Query => self.query(name, arguments),
            Node::Org => self.org(name, arguments),
            Node::Team(id) => self.team_field(*id, name, arguments),
            Node::User(id) => self.user_field(*id, name, arguments),
            Node::Rate => self.rate_field(name),
            Node::Connection(page) => Ok(page.field(name)),
            Node::Edge(page, at) => self.edge(page, *at, name),
            Node::PageInfo(page) => Ok(page.page_info(name)),
            Node::Provider => match name {
                "externalIdentities" => self.identities(name, arguments),
                "id" => value(node_id("OrganizationIdentityProvider", 1)),
                "organization" => Ok(Out::Node(Some(Node::Org))),
                _ => value("https://idp.acme.test/"),
            },
            Node::Identity(id) => self.identity_field(*id, name),
            Node::Saml(id) => self.attributes(*id, true, name),
            Node::Scim(id) => self.attributes(*id, false, name),
            Node::Email { value: email, primary } => match name {
                "value" => value(email.clone()),
                "primary" => value(*primary),
                _ => value("work"),
            },
        }
    }
}
