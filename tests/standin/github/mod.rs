//! The pretend GitHub: REST, GraphQL and webhooks of one organisation, with state.
//!
//! GitHub could not be recorded, so its rules come from its documentation, its machine-readable
//! schemas and public threads; where these leave something open, an option plays either case (see
//! [`Events`], [`Denial`]). It must never be kinder than what is written: 404 for what may not be
//! seen, no event that is not promised, child teams' people in every team unless asked otherwise.

mod app;
mod build;
mod change;
mod connections;
mod fields;
mod gql;
mod hooks;
mod identities;
mod limits;
mod pages;
mod payload;
mod people;
mod route;
mod site;
mod slug;
mod state;
mod teams;
mod world;

pub use app::{GithubApp, APP_KEY, APP_KEY_PKCS8, OTHER_KEY};
pub use build::{Denial, Events, Flavour, GithubTeam, GithubToken, GithubUser, Hook, Limits, TokenKind};
pub(crate) use gql::{schema, schema_problem};
pub use slug::slug;
pub use world::{OrgRole, Origin, Privacy, TeamRole};

use super::deliver::{Delivery, Sender};
use super::http::{lock, Handler, Response};
use super::wire::{Host, Reach, Wire};
use site::GithubSite;
use state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A team as a test wants to compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubTeamView {
    /// Its id.
    pub id: u64,
    /// Its slug; may be empty.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Whether only owners and members see it.
    pub secret: bool,
    /// Its parent's id.
    pub parent: Option<u64>,
    /// Logins of its direct members, sorted.
    pub members: Vec<String>,
    /// Logins of its direct members and those of teams below it, sorted.
    pub all_members: Vec<String>,
}

/// A running pretend GitHub. Cheap to clone; the server ends with the last clone.
#[derive(Clone)]
pub struct GithubStandin {
    host: Arc<Host>,
    state: Arc<Mutex<State>>,
    /// Latency, faults, call log.
    pub wire: Wire,
}

impl GithubStandin {
    /// Starts github.com with one organisation on any free port.
    pub fn start(org: &str) -> io::Result<GithubStandin> {
        GithubStandin::start_as(Flavour::Dotcom, org, 0)
    }

    /// Starts one of a flavour on a port (0: any).
    pub fn start_as(flavour: Flavour, org: &str, port: u16) -> io::Result<GithubStandin> {
        GithubStandin::made(flavour, org, |site| Host::start(port, site))
    }

    /// One that nobody reaches over a network, at an address with this port.
    pub fn apart(flavour: Flavour, org: &str, port: u16) -> GithubStandin {
        GithubStandin::made(flavour, org, |site| Ok(Host::apart(port, site))).expect("no server to start")
    }

    /// What answers requests.
    pub fn handler(&self) -> &Arc<dyn Handler> {
        &self.host.handler
    }

    fn made(
        flavour: Flavour,
        org: &str,
        begin: impl FnOnce(GithubSite) -> io::Result<Host>,
    ) -> io::Result<GithubStandin> {
        let state = Arc::new(Mutex::new(State::new(flavour, org)));
        let host = Arc::new(begin(GithubSite { state: Arc::clone(&state), running: Arc::default() })?);
        lock(&state).base = format!("http://127.0.0.1:{}", host.port());
        let wire = host.wire.clone();
        Ok(GithubStandin { host, state, wire })
    }

    /// The base of REST, without a slash at the end (`/api/v3` on an Enterprise Server).
    pub fn url(&self) -> String {
        lock(&self.state).own_bases().api
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

    /// Reads answer from the world as it was that long ago. Changes made before are not hidden.
    pub fn set_lag(&self, lag: Duration) {
        lock(&self.state).history.set_lag(lag, 0.0);
    }

    /// The same for so many of a hundred reads, by chance: one replica lags, another does not.
    pub fn set_uneven_lag(&self, lag: Duration, percent: f64) {
        lock(&self.state).history.set_lag(lag, 100.0 - percent);
    }

    /// Other rate limits. Counting starts anew.
    pub fn set_limits(&self, limits: Limits) {
        let mut state = lock(&self.state);
        state.limits = limits;
        state.usage.clear();
        state.per_minute.clear();
    }

    /// What is sent where the documentation leaves it open.
    pub fn set_events(&self, events: Events) {
        lock(&self.state).events = events;
    }

    /// The webhook's settings; `url` and `secret` also decide where [`send`](Self::send) goes.
    pub fn set_hook(&self, hook: Hook) {
        lock(&self.state).hook = hook;
    }

    /// The webhook's settings.
    pub fn hook(&self) -> Hook {
        lock(&self.state).hook.clone()
    }

    /// Plays an App on the organisation, or another one; its tokens of before stay.
    pub fn set_app(&self, app: GithubApp) {
        self.wire.set_clock_ahead(app.ahead);
        lock(&self.state).app = Some(app);
    }

    /// Changes the App that is played.
    pub fn change_app(&self, change: impl FnOnce(&mut GithubApp)) {
        let mut app = lock(&self.state).app.clone().unwrap_or_default();
        change(&mut app);
        self.set_app(app);
    }

    /// What GitHub tells an App of its installation: `suspend`, `deleted` and so on.
    pub fn installation_event(&self, action: &str) -> Delivery {
        lock(&self.state).installation_event(action)
    }

    /// Shows single deliveries without what was sent, or with it.
    pub fn hide_payloads(&self, hides: bool) {
        lock(&self.state).hides_payloads = hides;
    }

    /// What was asked to be sent again since the last time.
    pub fn take_asked_again(&self) -> Vec<Delivery> {
        std::mem::take(&mut lock(&self.state).asked_again)
    }

    /// GraphQL fields of this name answer FORBIDDEN on every call, or no longer.
    pub fn forbid_field(&self, field: &str, forbidden: bool) {
        let mut state = lock(&self.state);
        if forbidden {
            state.forbidden_fields.insert(field.to_owned());
        } else {
            state.forbidden_fields.remove(field);
        }
    }

    /// Whether GraphQL shows enterprise teams, without any mark.
    pub fn show_enterprise_in_graphql(&self, shows: bool) {
        lock(&self.state).history.change().org.enterprise_in_graphql = shows;
    }

    /// GraphQL queries that ask for more nodes end in this status (502 or 504).
    pub fn set_node_cap(&self, cap: Option<(u64, u16)>) {
        lock(&self.state).node_cap = cap;
    }

    /// Who does what comes next; stands as `sender` in the events. The first account at the start.
    pub fn set_actor(&self, user: u64) {
        lock(&self.state).actor = Some(user);
    }

    /// The organisation's id.
    pub fn org_id(&self) -> u64 {
        lock(&self.state).history.now().org.id
    }

    /// The organisation's login.
    pub fn org_login(&self) -> String {
        lock(&self.state).history.now().org.login.clone()
    }

    /// Sets the organisation's id, before anything else is done with it.
    pub fn set_org_id(&self, id: u64) {
        lock(&self.state).history.change().org.id = id;
    }

    /// Adds an account outside of the organisation; gives its id.
    pub fn add_user(&self, new: impl Into<GithubUser>) -> u64 {
        lock(&self.state).add_user(new.into(), false)
    }

    /// Adds an account and puts it into the organisation, without an event; gives its id.
    pub fn add_person(&self, new: impl Into<GithubUser>) -> u64 {
        lock(&self.state).add_user(new.into(), true)
    }

    /// Adds an identity of the identity provider that no account has claimed.
    pub fn add_unclaimed_identity(&self, name_id: &str) {
        let mut state = lock(&self.state);
        let org = &mut state.history.change().org;
        org.saml = true;
        let identity = world::Identity {
            user: None,
            saml_name_id: Some(name_id.to_owned()),
            scim_user_name: None,
            emails: Vec::new(),
        };
        org.identities.insert(org.next_identity(), identity);
    }

    /// Adds a team, without an event; gives its id.
    pub fn add_team(&self, new: impl Into<GithubTeam>) -> u64 {
        lock(&self.state).add_team(new.into())
    }

    /// Puts somebody into a team, without an event: what a lost delivery leaves behind.
    pub fn join(&self, team: u64, user: u64) {
        lock(&self.state).join(team, user, TeamRole::Member);
    }

    /// Takes somebody out of a team, without an event.
    pub fn leave(&self, team: u64, user: u64) {
        lock(&self.state).leave(team, user);
    }

    /// Invites somebody to a team; they show as `pending` in the membership call only.
    pub fn invite(&self, team: u64, user: u64) {
        if let Some(team) = lock(&self.state).history.change().people_of(team) {
            team.pending.insert(user);
        }
    }

    /// Makes somebody an owner of the organisation, or an ordinary member.
    pub fn set_org_role(&self, user: u64, role: OrgRole) {
        lock(&self.state).history.change().org.members.insert(user, role);
    }

    /// Changes the addresses of an account: the public one, and those on verified domains.
    pub fn set_emails(&self, user: u64, public: Option<&str>, verified: &[&str]) {
        let mut state = lock(&self.state);
        let Some(row) = state.history.now().users.get(&user) else {
            return;
        };
        let mut row = world::User::clone(row);
        row.email = public.map(str::to_owned);
        row.verified = verified.iter().map(|email| (*email).to_owned()).collect();
        state.history.change().put_user(row);
    }

    /// Adds a token; gives its text.
    pub fn add_token(&self, new: GithubToken) -> String {
        let mut state = lock(&self.state);
        let start = match new.kind {
            TokenKind::FineGrained => "github_pat_11",
            TokenKind::Classic => "ghp_",
            TokenKind::App => "ghs_",
        };
        let text = format!("{start}{}", state.rng.hex(40));
        state.tokens.insert(text.clone(), new);
        text
    }

    /// Deletes a token.
    pub fn revoke(&self, token: &str) {
        lock(&self.state).tokens.remove(token);
    }

    /// Changes what a token may do.
    pub fn set_token(&self, token: &str, new: GithubToken) {
        lock(&self.state).tokens.insert(token.to_owned(), new);
    }

    /// Somebody makes a team and becomes its maintainer: `team.created`, optionally
    /// `membership.added`.
    pub fn create_team(&self, new: impl Into<GithubTeam>, creator: u64) -> (u64, Vec<Delivery>) {
        lock(&self.state).create_team(new.into(), creator)
    }

    /// `team.edited` with `changes.name.from`; the slug follows the name.
    pub fn rename_team(&self, team: u64, name: &str) -> Vec<Delivery> {
        lock(&self.state).rename_team(team, name)
    }

    /// `team.edited` with `changes.description.from`.
    pub fn edit_description(&self, team: u64, text: &str) -> Vec<Delivery> {
        lock(&self.state).edit_description(team, text)
    }

    /// `team.edited` with `changes.privacy.from`.
    pub fn make_secret(&self, team: u64) -> Vec<Delivery> {
        lock(&self.state).set_privacy(team, Privacy::Secret)
    }

    /// `team.edited` with `changes.privacy.from`.
    pub fn make_visible(&self, team: u64) -> Vec<Delivery> {
        lock(&self.state).set_privacy(team, Privacy::Closed)
    }

    /// Nothing is promised for it; optionally `team.edited` with empty `changes`.
    pub fn reparent(&self, team: u64, parent: Option<u64>) -> Vec<Delivery> {
        lock(&self.state).reparent(team, parent)
    }

    /// `team.deleted` of a team that stays.
    pub fn announce_deletion(&self, team: u64) -> Vec<Delivery> {
        lock(&self.state).announce_deletion(team)
    }

    /// `team.deleted`; everything below the team is deleted too, by default without a word.
    pub fn delete_team(&self, team: u64) -> Vec<Delivery> {
        lock(&self.state).delete_team(team)
    }

    /// `membership.added`.
    pub fn add_member(&self, team: u64, user: u64) -> Vec<Delivery> {
        lock(&self.state).add_member(team, user, TeamRole::Member)
    }

    /// `membership.added`, as a maintainer.
    pub fn add_maintainer(&self, team: u64, user: u64) -> Vec<Delivery> {
        lock(&self.state).add_member(team, user, TeamRole::Maintainer)
    }

    /// `membership.removed`.
    pub fn remove_member(&self, team: u64, user: u64) -> Vec<Delivery> {
        lock(&self.state).remove_member(team, user)
    }

    /// `organization.member_added`.
    pub fn add_to_org(&self, user: u64) -> Vec<Delivery> {
        lock(&self.state).add_to_org(user)
    }

    /// `organization.member_removed`; out of every team, optionally with an event for each.
    pub fn remove_from_org(&self, user: u64) -> Vec<Delivery> {
        lock(&self.state).remove_from_org(user)
    }

    /// `organization.renamed`.
    pub fn rename_org(&self, login: &str) -> Vec<Delivery> {
        lock(&self.state).rename_org(login)
    }

    /// `organization.deleted`; from now on everything of it is 404.
    pub fn delete_org(&self) -> Vec<Delivery> {
        lock(&self.state).delete_org()
    }

    /// A user takes another login. GitHub sends nothing.
    pub fn rename_user(&self, user: u64, login: &str) {
        lock(&self.state).rename_user(user, login);
    }

    /// An account is deleted. GitHub sends nothing.
    pub fn delete_account(&self, user: u64) {
        lock(&self.state).history.change().remove_user(user);
    }

    /// `ping`, with the hook's settings.
    pub fn ping(&self) -> Delivery {
        lock(&self.state).ping()
    }

    /// Sends a delivery to the hook's address and keeps it in the list of deliveries, answered or
    /// not.
    pub fn send(&self, delivery: &Delivery) -> io::Result<Response> {
        let hook = self.hook();
        let result = Sender::new(&hook.url, &hook.secret).send(delivery);
        lock(&self.state).log(delivery, result.as_ref().ok());
        result
    }

    /// Keeps a delivery in the list as one that was sent, or (`None`) as one that failed. Gives its
    /// id in the list.
    pub fn log_delivery(&self, delivery: &Delivery, answer: Option<&Response>) -> u64 {
        lock(&self.state).log(delivery, answer)
    }

    /// Empties the list of deliveries, as time does.
    pub fn forget_deliveries(&self) {
        lock(&self.state).sent.clear();
    }

    /// All teams by id.
    pub fn teams(&self) -> BTreeMap<u64, GithubTeamView> {
        let state = lock(&self.state);
        let world = state.history.now();
        let logins = |ids: &mut dyn Iterator<Item = u64>| -> Vec<String> {
            let names: BTreeSet<String> =
                ids.filter_map(|id| Some(world.users.get(&id)?.login.clone())).collect();
            names.into_iter().collect()
        };
        let views = world.teams.values().map(|team| {
            let direct = team.members.keys().copied();
            let view = GithubTeamView {
                id: team.id,
                slug: team.slug.clone(),
                name: team.name.clone(),
                secret: team.privacy == Privacy::Secret,
                parent: team.parent,
                members: logins(&mut direct.clone()),
                all_members: logins(&mut direct.chain(world.inherited(team.id))),
            };
            (team.id, view)
        });
        views.collect()
    }

    /// The id of a login.
    pub fn user_id(&self, login: &str) -> Option<u64> {
        lock(&self.state).history.now().user_by_login(login).map(|user| user.id)
    }

    /// The id of a team by slug.
    pub fn team_id(&self, slug: &str) -> Option<u64> {
        lock(&self.state).history.now().team_by_slug(slug).map(|team| team.id)
    }
}
