//! The state of the pretend Sentry: organisations, teams, members, users, tokens.
//!
//! Plain data and the few changes that must keep two sides in step. No rule of the web interface
//! is decided here; the route modules do that.

use super::era::{Era, Rules};
use super::limits::{InviteCounts, RateLimit};
use crate::standin::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

/// Where an organisation's member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteStatus {
    /// A member, or an invite that was sent.
    Approved,
    /// Asked to join; shown in no listing of members.
    RequestedToJoin,
    /// Proposed by a member; shown in no listing of members.
    RequestedToBeInvited,
}

impl InviteStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            InviteStatus::Approved => "approved",
            InviteStatus::RequestedToJoin => "requested_to_join",
            InviteStatus::RequestedToBeInvited => "requested_to_be_invited",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Email {
    pub id: u64,
    pub address: String,
    pub verified: bool,
}

/// The link from a Sentry user or team to a name on GitHub or elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct External {
    pub id: u64,
    pub provider: String,
    pub name: String,
    /// The other side's own id, where it is known.
    pub external_id: Option<String>,
    pub integration: u64,
}

/// An installed integration with GitHub or another host.
#[derive(Clone, Debug)]
pub(crate) struct Integration {
    pub id: u64,
    pub provider: String,
    /// What it is called; the other side's name of the organisation.
    pub name: String,
    /// `github.com/ORG`.
    pub domain: String,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub id: u64,
    pub name: String,
    pub username: String,
    pub email: String,
    pub emails: Vec<Email>,
    pub active: bool,
    pub suspended: bool,
    pub created: SystemTime,
    pub external: Vec<External>,
    /// Stands for an integration; has no password.
    pub app: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub id: u64,
    /// `None` while the invite is open.
    pub user: Option<u64>,
    /// The invited address; `None` once the person has joined.
    pub invited: Option<String>,
    /// The name of a service account, which is a member without a user.
    pub service: Option<String>,
    pub role: String,
    pub status: InviteStatus,
    pub expired: bool,
    pub idp_provisioned: bool,
    pub created: SystemTime,
    pub inviter: Option<String>,
    pub invite_token: String,
    /// Membership row → team.
    pub teams: BTreeMap<u64, u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub member: u64,
    pub role: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Team {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub created: SystemTime,
    pub idp_provisioned: bool,
    /// Deleted, but the row is still there under another slug.
    pub pending_deletion: bool,
    /// Membership row → member.
    pub rows: BTreeMap<u64, Row>,
    pub external: Vec<External>,
}

#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub created: SystemTime,
    pub teams: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Org {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub created: SystemTime,
    pub open_membership: bool,
    /// Where its data is: the `us` of `us.sentry.io`.
    pub region: String,
    /// An identity provider with SCIM switched on.
    pub scim: bool,
    /// Whether the plan lets anybody be invited.
    pub invites: bool,
    /// Whether the plan has code owners, and with them external teams.
    pub codeowners: bool,
    /// The names in each project's CODEOWNERS file, by the project's slug.
    pub codeowners_files: BTreeMap<String, Vec<String>>,
    pub integrations: BTreeMap<u64, Integration>,
    pub teams: BTreeMap<u64, Team>,
    /// Every row's slug, pending deletions included: that is what makes some slugs taken.
    pub slugs: BTreeMap<String, u64>,
    pub members: BTreeMap<u64, Member>,
    pub projects: BTreeMap<u64, Project>,
    /// Access requests: (team, member).
    pub requests: BTreeSet<(u64, u64)>,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// An internal integration; acts as a user of its own that is nobody's member.
    Integration { org: u64, user: u64 },
    /// A person's token.
    User(u64),
    /// An organisation token (`sntrys_…`).
    Org,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub who: Who,
    pub scopes: Vec<String>,
    pub expired: bool,
}

/// Next free number of each kind. Users start one ahead of members, as on a fresh server: a user
/// id taken for a member id finds somebody else, not nobody.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    pub org: u64,
    pub team: u64,
    pub member: u64,
    pub user: u64,
    pub email: u64,
    pub row: u64,
    pub project: u64,
    pub external: u64,
    pub integration: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub era: Era,
    /// `http://127.0.0.1:PORT`; stands in `Link` headers.
    pub base: String,
    /// Whether it is sentry.io, whose organisations live in regions.
    pub regional: bool,
    /// Whether a gateway stands before the regions' own hosts too.
    pub gateway_everywhere: bool,
    /// The addresses of the regions' own hosts that are played.
    pub region_hosts: BTreeMap<String, String>,
    pub limit: Option<RateLimit>,
    pub orgs: BTreeMap<u64, Org>,
    pub users: BTreeMap<u64, User>,
    pub tokens: BTreeMap<String, Token>,
    pub invites: InviteCounts,
    pub ids: Ids,
    /// Every team that was ever made, by whomever.
    pub n_teams_ever: usize,
    pub rng: Rng,
}

impl World {
    pub fn new(era: Era) -> World {
        World {
            era,
            base: String::new(),
            regional: false,
            gateway_everywhere: true,
            region_hosts: BTreeMap::new(),
            limit: None,
            orgs: BTreeMap::new(),
            users: BTreeMap::new(),
            tokens: BTreeMap::new(),
            invites: InviteCounts::default(),
            ids: Ids {
                org: 2,
                team: 2,
                member: 1,
                user: 2,
                email: 2,
                row: 1,
                project: 2,
                external: 1,
                integration: 1,
            },
            n_teams_ever: 0,
            rng: Rng::new(0x5e17),
        }
    }

    /// What this Sentry does where eras differ.
    pub fn rules(&self) -> &'static Rules {
        self.era.rules()
    }

    /// An organisation by slug or, where that is so, by id.
    pub fn org_by_key(&self, key: &str) -> Option<u64> {
        if let Some(id) = self.id_in_url(key) {
            return self.orgs.contains_key(&id).then_some(id);
        }
        self.orgs.values().find(|org| org.slug == key).map(|org| org.id)
    }

    /// A team row by slug or, where that is so, by id; pending deletions included.
    pub fn team_by_key(&self, org: &Org, key: &str) -> Option<u64> {
        if let Some(id) = self.id_in_url(key) {
            return org.teams.contains_key(&id).then_some(id);
        }
        org.slugs.get(key).copied()
    }

    /// The id that a part of an address is; a number too large for one is nobody's id.
    pub fn id_in_url(&self, key: &str) -> Option<u64> {
        let digits = !key.is_empty() && key.chars().all(|letter| letter.is_ascii_digit());
        (digits && self.rules().ids_in_urls).then(|| key.parse().unwrap_or(u64::MAX))
    }

    /// The address of a region's own host.
    pub fn region_url(&self, region: &str) -> String {
        let known = self.region_hosts.get(region).cloned();
        known.unwrap_or_else(|| format!("https://{region}.sentry.io"))
    }

    pub fn user_of(&self, member: &Member) -> Option<&User> {
        member.user.and_then(|id| self.users.get(&id))
    }

    /// The address a member shows: the user's primary one, or the invited one.
    pub fn email_of(&self, member: &Member) -> String {
        match self.user_of(member) {
            Some(user) => user.email.clone(),
            None => member.invited.clone().unwrap_or_default(),
        }
    }

    /// Whether listings show the member: approved, and not a deactivated user.
    pub fn listed(&self, member: &Member) -> bool {
        member.status == InviteStatus::Approved && self.user_of(member).is_none_or(|user| user.active)
    }

    /// Puts a member into a team under the next row number; false when they are in it already.
    pub fn join(&mut self, org: u64, team: u64, member: u64, role: Option<String>) -> bool {
        let row = self.ids.row;
        let Some(org) = self.orgs.get_mut(&org) else {
            return false;
        };
        let (Some(team), Some(person)) = (org.teams.get_mut(&team), org.members.get_mut(&member)) else {
            return false;
        };
        if person.teams.values().any(|&id| id == team.id) {
            return false;
        }
        self.ids.row += 1;
        team.rows.insert(row, Row { member, role });
        person.teams.insert(row, team.id);
        org.requests.remove(&(team.id, member));
        true
    }

    /// The organisation's integration with GitHub, made if there is none.
    pub fn github_of(&mut self, org: u64) -> u64 {
        let own = self
            .orgs
            .get(&org)
            .and_then(|org| org.integrations.values().find(|own| own.provider == "github"));
        if let Some(own) = own {
            return own.id;
        }
        let name = self.orgs.get(&org).map_or_else(String::new, |org| org.slug.clone());
        self.add_integration(org, "github", &format!("github.com/{name}"))
    }

    /// Installs an integration; gives its id.
    pub fn add_integration(&mut self, org: u64, provider: &str, domain: &str) -> u64 {
        let id = World::next_id(&mut self.ids.integration);
        let name = domain.rsplit('/').next().unwrap_or(domain).to_owned();
        let integration = Integration { id, provider: provider.to_owned(), name, domain: domain.to_owned() };
        if let Some(org) = self.orgs.get_mut(&org) {
            org.integrations.insert(id, integration);
        }
        id
    }

    pub fn next_id(counter: &mut u64) -> u64 {
        *counter += 1;
        *counter - 1
    }
}

impl Org {
    /// Takes a member out of a team; false when there was nothing to do.
    pub fn leave(&mut self, team: u64, member: u64) -> bool {
        let (Some(team), Some(person)) = (self.teams.get_mut(&team), self.members.get_mut(&member)) else {
            return false;
        };
        let Some(row) = person.teams.iter().find(|(_, &id)| id == team.id).map(|(&row, _)| row) else {
            return false;
        };
        person.teams.remove(&row);
        team.rows.remove(&row);
        true
    }

    /// The membership row of a member in a team.
    pub fn row_of(&self, team: u64, member: u64) -> Option<u64> {
        let person = self.members.get(&member)?;
        person.teams.iter().find(|(_, &id)| id == team).map(|(&row, _)| row)
    }

    /// Takes a member out of everything.
    pub fn remove_member(&mut self, member: u64) {
        let Some(person) = self.members.remove(&member) else {
            return;
        };
        for (row, team) in person.teams {
            if let Some(team) = self.teams.get_mut(&team) {
                team.rows.remove(&row);
            }
        }
        self.requests.retain(|&(_, id)| id != member);
    }

    /// Removes a team row for good, with its memberships and project links.
    pub fn purge_team(&mut self, id: u64) {
        let Some(team) = self.teams.remove(&id) else {
            return;
        };
        self.slugs.remove(&team.slug);
        for (row, entry) in team.rows {
            if let Some(person) = self.members.get_mut(&entry.member) {
                person.teams.remove(&row);
            }
        }
        for project in self.projects.values_mut() {
            project.teams.remove(&id);
        }
        self.requests.retain(|&(team, _)| team != id);
    }

    /// Gives a team row another slug.
    pub fn set_slug(&mut self, id: u64, slug: &str) {
        if let Some(team) = self.teams.get_mut(&id) {
            self.slugs.remove(&team.slug);
            team.slug = slug.to_owned();
            self.slugs.insert(slug.to_owned(), id);
        }
    }
}
