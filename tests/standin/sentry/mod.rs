//! The pretend Sentry: a server with state that answers as Sentry 23.7.1 was seen to answer, or as today's does.
//!
//! Every rule here was recorded from a true server, except what [`era`] says of today's, which was read in published schema
//! and source. A stand-in that is kinder than the true thing is a bug: when in doubt, refuse.
//!
//! | to have | ask |
//! | --- | --- |
//! | 23.7.1 | [`SentryStandin::start`] |
//! | today's sentry.io, its region hosts | [`SentryStandin::start_in`], [`SentryStandin::region_host`] |
//! | a self-hosted server of today | [`SentryStandin::start_on`] with [`Silo::Monolith`] |
//! | what is switched on, sold and installed | `set_scim`, `set_may_invite`, `set_codeowners`, `add_integration` |
//! | kinds of people | [`NewMember`]: `role("billing")`, `suspended`, `service_account`, `github_user` |
//! | how many calls ran at once | [`SentryStandin::most_at_once`] |

mod auth;
mod body;
mod build;
mod control;
mod era;
mod external;
mod gateway;
mod insert;
mod invites;
mod limits;
mod members;
mod membership;
mod paging;
mod render;
mod roles;
mod route;
mod scim;
mod search;
mod site;
mod teams;
mod world;

use crate::standin::time;
pub use build::{asking_permissions, mirror_permissions, original_permissions, NewMember, NewToken};
pub use era::{Difference, Era, Silo, DIFFERENCES, ERAS};
pub use limits::RateLimit;
pub(crate) use route::template;
pub use world::InviteStatus;

use super::http::{lock, Handler};
use super::wire::{Host, Reach, Wire};
use insert::{insert_proxy, insert_user};
use site::SentrySite;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use world::{Email, External, Member, Org, Project, Token, User, Who, World};

/// A team as a test wants to compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamView {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The addresses its members show, open invites included, sorted.
    pub members: Vec<String>,
}

/// A running pretend Sentry. Cheap to clone; the server ends with the last clone.
#[derive(Clone)]
pub struct SentryStandin {
    host: Arc<Host>,
    world: Arc<Mutex<World>>,
    counters: Arc<limits::Counters>,
    org: u64,
    /// Latency, faults, call log.
    pub wire: Wire,
}

impl SentryStandin {
    /// Starts a Sentry 23.7.1 with one organisation on any free port.
    pub fn start(org: &str) -> io::Result<SentryStandin> {
        SentryStandin::start_in(Era::V23_7_1, org)
    }

    /// Starts one of an era: a 23.7.1 of its users' own, today's sentry.io.
    pub fn start_in(era: Era, org: &str) -> io::Result<SentryStandin> {
        SentryStandin::start_on(era, era.usual_silo(), org, 0)
    }

    /// Starts one of an era, as one of its servers, on a port (0: any). A region's organisation lives in that region.
    pub fn start_on(era: Era, silo: Silo, org: &str, port: u16) -> io::Result<SentryStandin> {
        SentryStandin::made(era, silo, org, |site| Host::start(port, site))
    }

    /// One that nobody reaches over a network, at an address with this port.
    pub fn apart(era: Era, silo: Silo, org: &str, port: u16) -> SentryStandin {
        SentryStandin::made(era, silo, org, |site| Ok(Host::apart(port, site))).expect("no server to start")
    }

    /// What answers requests.
    pub fn handler(&self) -> &Arc<dyn Handler> {
        &self.host.handler
    }

    fn made(
        era: Era,
        silo: Silo,
        org: &str,
        begin: impl FnOnce(SentrySite) -> io::Result<Host>,
    ) -> io::Result<SentryStandin> {
        let mut world = World::new(era);
        world.regional = silo != Silo::Monolith;
        world.limit = silo.rules().limits.then_some(RateLimit::per_second(999));
        let region = match &silo {
            Silo::Region(name) => name.clone(),
            Silo::Monolith | Silo::Control => "us".to_owned(),
        };
        let world = Arc::new(Mutex::new(world));
        let counters = Arc::default();
        let site =
            SentrySite { world: Arc::clone(&world), counters: Arc::clone(&counters), silo: silo.clone() };
        let host = Arc::new(begin(site)?);
        let url = format!("http://127.0.0.1:{}", host.port());
        if let Silo::Region(name) = silo {
            lock(&world).region_hosts.insert(name, url.clone());
        }
        lock(&world).base = url;
        let wire = host.wire.clone();
        let mut standin = SentryStandin { host, world, counters, org: 0, wire };
        standin.org = standin.insert_org(org);
        standin.set_region(&region);
        Ok(standin)
    }

    /// `http://127.0.0.1:PORT`, without a path.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.host.port()
    }

    /// Lets the site be reached or not, from now on.
    pub fn set_reach(&self, reach: Reach) -> io::Result<()> {
        self.host.set_reach(reach)
    }

    /// The same for tests that only know up and down: refused while down.
    pub fn set_down(&self, down: bool) -> io::Result<()> {
        self.set_reach(if down { Reach::Refused } else { Reach::Up })
    }

    /// Announces and enforces a rate limit; `None` is a self-hosted server without any.
    pub fn set_rate_limit(&self, limit: Option<RateLimit>) {
        lock(&self.world).limit = limit;
    }

    /// Adds an organisation; the answer is a handle whose methods mean that organisation.
    pub fn add_org(&self, slug: &str) -> SentryStandin {
        let org = self.insert_org(slug);
        SentryStandin { org, ..self.clone() }
    }

    fn insert_org(&self, slug: &str) -> u64 {
        let mut world = lock(&self.world);
        let id = World::next_id(&mut world.ids.org);
        let org = Org {
            id,
            slug: slug.to_owned(),
            name: slug.to_owned(),
            created: time::now(),
            open_membership: true,
            region: "us".to_owned(),
            scim: false,
            invites: true,
            codeowners: true,
            codeowners_files: BTreeMap::new(),
            integrations: BTreeMap::new(),
            teams: BTreeMap::new(),
            slugs: BTreeMap::new(),
            members: BTreeMap::new(),
            projects: BTreeMap::new(),
            requests: Default::default(),
        };
        world.orgs.insert(id, org);
        id
    }

    fn with_org<T: Default>(&self, change: impl FnOnce(&mut Org) -> T) -> T {
        lock(&self.world).orgs.get_mut(&self.org).map(change).unwrap_or_default()
    }

    /// Whether everybody may join every team (on at the start).
    pub fn set_open_membership(&self, open: bool) {
        self.with_org(|org| org.open_membership = open);
    }

    /// Renames the organisation's slug.
    pub fn set_org_slug(&self, slug: &str) {
        self.with_org(|org| org.slug = slug.to_owned());
    }

    /// Adds a person; gives the member id.
    pub fn add_member(&self, new: impl Into<NewMember>) -> u64 {
        let new = new.into();
        let mut world = lock(&self.world);
        let user = new.joined.then(|| insert_user(&mut world, self.org, &new));
        let invite_token = world.rng.hex(64);
        let id = World::next_id(&mut world.ids.member);
        let member = Member {
            id,
            user,
            invited: (user.is_none() && !new.service).then(|| new.email.clone()),
            service: new.service.then(|| new.name.clone()),
            role: new.role,
            status: new.status,
            expired: new.expired,
            idp_provisioned: new.idp_provisioned,
            created: time::now(),
            inviter: None,
            invite_token,
            teams: BTreeMap::new(),
        };
        if let Some(org) = world.orgs.get_mut(&self.org) {
            org.members.insert(id, member);
        }
        id
    }

    /// The invited person arrives under this address: the row keeps its id and teams.
    pub fn accept_invite(&self, member: u64, email: &str) {
        let mut world = lock(&self.world);
        let user = insert_user(&mut world, self.org, &NewMember::new(email));
        if let Some(row) = world.orgs.get_mut(&self.org).and_then(|org| org.members.get_mut(&member)) {
            row.user = Some(user);
            row.invited = None;
        }
    }

    /// Removes a person from the organisation.
    pub fn remove_member(&self, member: u64) {
        self.with_org(|org| org.remove_member(member));
    }

    /// Switches a member's user off or on.
    pub fn set_active(&self, member: u64, active: bool) {
        self.with_user(member, |user| user.active = active);
    }

    /// Gives a member's user another primary address (verified).
    pub fn set_email(&self, member: u64, email: &str) {
        let id = World::next_id(&mut lock(&self.world).ids.email);
        self.with_user(member, |user| {
            user.emails.retain(|own| own.address != user.email);
            user.email = email.to_owned();
            user.emails.push(Email { id, address: email.to_owned(), verified: true });
        });
    }

    /// Gives a member's user one more address.
    pub fn add_email(&self, member: u64, email: &str, verified: bool) {
        let id = World::next_id(&mut lock(&self.world).ids.email);
        self.with_user(member, |user| {
            user.emails.push(Email { id, address: email.to_owned(), verified });
        });
    }

    fn with_user(&self, member: u64, change: impl FnOnce(&mut User)) {
        let mut world = lock(&self.world);
        let user =
            world.orgs.get(&self.org).and_then(|org| org.members.get(&member)).and_then(|row| row.user);
        if let Some(user) = user.and_then(|id| world.users.get_mut(&id)) {
            change(user);
        }
    }

    /// The user id behind a member; `None` for an open invite.
    pub fn user_id(&self, member: u64) -> Option<u64> {
        self.with_org(|org| org.members.get(&member).and_then(|row| row.user))
    }

    /// The member who shows this address in the listing, if exactly one does.
    pub fn member_id(&self, email: &str) -> Option<u64> {
        let world = lock(&self.world);
        let org = world.orgs.get(&self.org)?;
        let mut found = org.members.values().filter(|row| world.email_of(row) == email).map(|row| row.id);
        found.next().filter(|_| found.next().is_none())
    }

    /// Adds a team; gives its id. An existing slug gives the existing team's id.
    pub fn add_team(&self, slug: &str, name: &str) -> u64 {
        let mut world = lock(&self.world);
        let known = world.orgs.get(&self.org).and_then(|org| org.slugs.get(slug).copied());
        known.unwrap_or_else(|| teams::insert(&mut world, self.org, slug, name, false))
    }

    /// Links a team to a name on GitHub (with `@`), as Sentry's code owners do.
    pub fn add_external_team(&self, team: u64, name: &str) {
        let mut world = lock(&self.world);
        let id = World::next_id(&mut world.ids.external);
        let integration = world.github_of(self.org);
        if let Some(team) = world.orgs.get_mut(&self.org).and_then(|org| org.teams.get_mut(&team)) {
            let (provider, name) = ("github".to_owned(), name.to_owned());
            team.external.push(External { id, provider, name, external_id: None, integration });
        }
    }

    /// Marks a team as managed by an identity provider, or not.
    pub fn set_idp_provisioned(&self, team: u64, provisioned: bool) {
        self.with_org(|org| {
            if let Some(team) = org.teams.get_mut(&team) {
                team.idp_provisioned = provisioned;
            }
        });
    }

    /// Marks a person as provisioned by an identity provider, or not.
    pub fn set_member_provisioned(&self, member: u64, provisioned: bool) {
        self.with_org(|org| {
            if let Some(row) = org.members.get_mut(&member) {
                row.idp_provisioned = provisioned;
            }
        });
    }

    /// Adds a project owned by this team, its slug in lower case; gives its id.
    pub fn add_project(&self, team: u64, slug: &str) -> u64 {
        let mut world = lock(&self.world);
        let id = World::next_id(&mut world.ids.project);
        let project = Project {
            id,
            slug: slug.to_lowercase(),
            name: slug.to_owned(),
            created: time::now(),
            teams: [team].into(),
        };
        if let Some(org) = world.orgs.get_mut(&self.org) {
            org.projects.insert(id, project);
        }
        id
    }

    /// Makes a team one of a project's behind the interface's back.
    pub fn link_project(&self, project: &str, team: u64) {
        let mut world = lock(&self.world);
        let Some(org) = world.orgs.get_mut(&self.org) else { return };
        for row in org.projects.values_mut().filter(|row| row.slug == project) {
            row.teams.insert(team);
        }
    }

    /// The slugs of the teams that own a project, pending deletions included.
    pub fn project_teams(&self, project: &str) -> Vec<String> {
        self.with_org(|org| {
            let row = org.projects.values().find(|row| row.slug == project);
            let teams = row.into_iter().flat_map(|row| &row.teams).filter_map(|id| org.teams.get(id));
            teams.map(|team| team.slug.clone()).collect()
        })
    }

    /// Puts a member into a team behind the interface's back.
    pub fn join(&self, team: u64, member: u64) -> bool {
        lock(&self.world).join(self.org, team, member, None)
    }

    /// Takes a member out of a team behind the interface's back.
    pub fn leave(&self, team: u64, member: u64) -> bool {
        self.with_org(|org| org.leave(team, member))
    }

    /// Renames a team behind the interface's back.
    pub fn rename_team(&self, team: u64, slug: &str, name: &str) {
        self.with_org(|org| {
            org.set_slug(team, slug);
            if let Some(team) = org.teams.get_mut(&team) {
                team.name = name.to_owned();
            }
        });
    }

    /// Removes a team at once, behind the interface's back.
    pub fn purge_team(&self, team: u64) {
        self.with_org(|org| org.purge_team(team));
    }

    /// Adds a token; gives its text.
    pub fn add_token(&self, new: NewToken) -> String {
        let mut world = lock(&self.world);
        let digits = world.rng.hex(64);
        let text = if new.org_token { format!("sntrys_{digits}") } else { digits };
        let who = match new.member {
            _ if new.org_token => Who::Org,
            Some(member) => {
                let row = world.orgs.get(&self.org).and_then(|org| org.members.get(&member));
                Who::User(row.and_then(|row| row.user).unwrap_or(0))
            }
            None => Who::Integration { org: self.org, user: insert_proxy(&mut world, self.org) },
        };
        world.tokens.insert(text.clone(), Token { who, scopes: new.scopes, expired: new.expired });
        text
    }

    /// Replaces a token's scopes.
    pub fn set_scopes(&self, token: &str, scopes: &[&str]) {
        if let Some(token) = lock(&self.world).tokens.get_mut(token) {
            token.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        }
    }

    /// Lets a token expire, or brings it back.
    pub fn set_expired(&self, token: &str, expired: bool) {
        if let Some(token) = lock(&self.world).tokens.get_mut(token) {
            token.expired = expired;
        }
    }

    /// Deletes a token.
    pub fn revoke(&self, token: &str) {
        lock(&self.world).tokens.remove(token);
    }

    /// Runs the deletion task once: pending teams go for good.
    pub fn tick(&self) {
        self.with_org(|org| {
            let pending = org.teams.values().filter(|team| team.pending_deletion).map(|team| team.id);
            for id in pending.collect::<Vec<u64>>() {
                org.purge_team(id);
            }
        });
    }

    /// All teams by slug, without pending deletions.
    pub fn teams(&self) -> BTreeMap<String, TeamView> {
        let world = lock(&self.world);
        let Some(org) = world.orgs.get(&self.org) else {
            return BTreeMap::new();
        };
        let active = org.teams.values().filter(|team| !team.pending_deletion);
        active.map(|team| (team.slug.clone(), view(&world, org, team))).collect()
    }

    /// Slug and content of the team with this id, unless deleted.
    pub fn team_of_id(&self, id: u64) -> Option<(String, TeamView)> {
        self.teams().into_iter().find(|(_, team)| team.id == id)
    }

    /// How many teams were ever made, deleted ones included.
    pub fn n_teams_ever(&self) -> usize {
        lock(&self.world).n_teams_ever
    }

    /// Slugs of the rows that wait for the deletion task.
    pub fn pending_deletions(&self) -> Vec<String> {
        self.with_org(|org| {
            let pending = org
                .slugs
                .iter()
                .filter(|(_, id)| org.teams.get(id).is_some_and(|team| team.pending_deletion));
            pending.map(|(slug, _)| slug.clone()).collect()
        })
    }

    /// Access requests that 202 answers left behind: (team slug, address).
    pub fn access_requests(&self) -> Vec<(String, String)> {
        let world = lock(&self.world);
        let Some(org) = world.orgs.get(&self.org) else {
            return Vec::new();
        };
        let named = org.requests.iter().filter_map(|(team, member)| {
            Some((org.teams.get(team)?.slug.clone(), world.email_of(org.members.get(member)?)))
        });
        named.collect()
    }

    /// The addresses of all members and open invites, sorted.
    pub fn members(&self) -> Vec<String> {
        let world = lock(&self.world);
        let Some(org) = world.orgs.get(&self.org) else {
            return Vec::new();
        };
        let mut all: Vec<String> = org.members.values().map(|row| world.email_of(row)).collect();
        all.sort();
        all
    }
}

fn view(world: &World, org: &Org, team: &world::Team) -> TeamView {
    let people = team.rows.values().filter_map(|row| org.members.get(&row.member));
    let mut members: Vec<String> = people.map(|row| world.email_of(row)).collect();
    members.sort();
    TeamView { id: team.id, name: team.name.clone(), members }
}
