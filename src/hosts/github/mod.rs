//! Typed calls to GitHub's API, which never change teams or people. The only action that they request is a redelivery.
//!
//! Teams are read by id, which survives renames of the team and of the organisation. GitHub answers 404 for a missing
//! permission as well as for a missing thing, so `None` means "not visible", never "deleted".

pub mod app;
pub mod facts;
pub mod inspect;
mod jwt;
mod membership;
mod outcome;
mod pages;
pub mod permission;
mod queries;
mod rest;
pub mod sent;
mod snapshot;
pub mod tree;
mod wire;

#[cfg(test)]
pub(crate) use wire::{read_anything, EXAMPLES};

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{json, Value};

use crate::clock::Clock;
use crate::config::sign_in::{self, SignIn};
use crate::config::values::BaseUrl;
use crate::hosts::http::answer::Headers;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::credential::Credential;
use crate::hosts::http::pace::{Health, Method};
use crate::hosts::http::refusal::Refusal;
use crate::hosts::http::transport::Carrier;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Reply, Request, Trouble, TroubleKind, Upstream};
use crate::hosts::snapshot::{Gap, List, Listed};
use crate::hosts::{seen, Seen};
use crate::lock::{Mutex, RwLock};
use crate::state::event::{OrgRef, Person};
use crate::state::ids::{GithubOrgId, GithubSlug, GithubTeamId, GithubUserId, Login};
use crate::text::path_part;
use app::{App, Whose};
use facts::{Claims, Count, Profile, TeamFacts, Wanted};
use outcome::{outcome, Forbidden, Outcome, Sources};
use pages::Connection;
use permission::Permission;
use snapshot::settled;

/// Every server knows version 2022-11-28. Enterprise Servers before 3.21 know no other.
const HEADERS: &[(&str, &str)] =
    &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];

/// The most pages that a list may have; more means that a broken server repeats them endlessly.
const MOST_PAGES: usize = 10_000;

/// GitHub, as one account or App sees it.
pub struct Github {
    host: Arc<Upstream>,
    /// The App that the service signs in as; `None` with a token.
    app: RwLock<Option<Arc<App>>>,
    /// The REST API's path: empty on github.com, `/api/v3` on Enterprise Server.
    rest: String,
    graphql: String,
    /// Address sources that GitHub has refused to this token.
    refused: Mutex<Sources>,
}

impl Github {
    /// `whose` says which of the App's installations to use.
    pub fn new(base: &BaseUrl, as_whom: &SignIn, whose: Whose, carrier: &dyn Carrier, clock: &Clock) -> Self {
        let rest = base.path().to_string();
        let graphql = match rest.strip_suffix("/v3") {
            Some(api) => format!("{api}/graphql"),
            None => format!("{rest}/graphql"),
        };
        let (app, credential) = signed_in(as_whom, &rest, whose, clock);
        let host =
            Arc::new(Upstream::new("GitHub", ["core", "graphql"], base, credential, HEADERS, carrier, clock));
        Self { host, app: RwLock::new(app), rest, graphql, refused: Mutex::default() }
    }

    /// Replaces the credential. Returns whether it is another one: another token, App or key.
    pub fn sign_in(&self, as_whom: &SignIn, whose: Whose, clock: &Clock) -> bool {
        let (app, credential) = signed_in(as_whom, &self.rest, whose, clock);
        let is_another = self.host.sign_in(credential);
        if is_another {
            *self.app.write() = app;
        }
        is_another
    }

    /// The App that the service signs in as; `None` with a token.
    pub fn app(&self) -> Option<Arc<App>> {
        self.app.read().clone()
    }

    /// The name for the credential in messages.
    pub fn signed_as(&self) -> &'static str {
        self.app().map_or(sign_in::BY_TOKEN, |_| sign_in::BY_APP)
    }

    /// The HTTP client, which knows the host's health and pauses, and can be stopped.
    pub fn host(&self) -> &Arc<Upstream> {
        &self.host
    }

    fn shown(&self, path: &str) -> Seen<Reply> {
        seen(self.ask_rest(Asked::Github, &Request::get(path.into())))
    }

    /// Calls below `/app` are signed with the App's key, not with an installation's token.
    fn ask_rest(&self, asked: Asked, request: &Request) -> Reply {
        let path = request.path.strip_prefix(&self.rest).unwrap_or_default();
        let is_apps = path == "/app" || path.starts_with("/app/");
        match self.app().filter(|_| is_apps) {
            Some(app) => app.ask(&self.host, request),
            None => self.host.ask(asked, request),
        }
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> Seen<(T, Headers)> {
        let Some((body, headers)) = self.body(path)? else { return Ok(None) };
        serde_json::from_value(body).map(|row| Some((row, headers))).map_err(|_| Trouble::unreadable(path))
    }

    /// Returns a `Value`: rows are parsed from it, not from bytes, so that each row's parser is compiled only once.
    fn body(&self, path: &str) -> Seen<(Value, Headers)> {
        let Some(reply) = self.shown(path)? else { return Ok(None) };
        match serde_json::from_slice(&reply.answer.body) {
            Ok(body) => Ok(Some((body, reply.answer.headers))),
            Err(_) => Err(reply.into_trouble()),
        }
    }

    fn get<T: DeserializeOwned>(&self, path: String) -> Seen<T> {
        Ok(self.ask(&format!("{}{path}", self.rest))?.map(|(row, _)| row))
    }

    /// Whether the token may read members, found out with a list that needs this permission. Only GitHub's own
    /// permission error counts as a no: a 404, a policy or a proxy says nothing about what the token may do.
    pub fn probe(&self, org: &Login) -> Permission {
        let path = format!("{}/orgs/{}/teams?per_page=1", self.rest, path_part(org.as_str()));
        let reply = self.host.ask(Asked::Github, &Request::get(path));
        let brief = reply.answer.brief();
        match (&reply.verdict, reply.refusal()) {
            (Verdict::Done, _) if reply.answer.headers.sso.is_some() => {
                Permission::Untold(untold(reply, "a list with rows left out for single sign-on".into()))
            }
            (Verdict::Done, _) if serde_json::from_slice::<Vec<Value>>(&reply.answer.body).is_ok() => {
                Permission::Reads
            }
            (_, Some(Refusal::Permission)) => Permission::Lacks(brief),
            (Verdict::Missing | Verdict::Denied(_), _) => Permission::Untold(untold(reply, brief)),
            _ => Permission::Untold(reply.into_trouble()),
        }
    }

    /// The account that owns the token; `None` for an App's token, and if the call fails.
    pub fn viewer(&self) -> Option<GithubUserId> {
        if self.app().is_some() {
            return None;
        }
        let row: Option<wire::UserRow> = self.get("/user".into()).ok()?;
        row.map(|row| row.into_person().id)
    }

    /// The organisation with this login. It is public, so every token can read it.
    pub fn org(&self, login: &Login) -> Seen<OrgRef> {
        let row: Option<wire::OrgRow> = self.get(format!("/orgs/{}", path_part(login.as_str())))?;
        Ok(row.map(|row| OrgRef { id: row.id, login: row.login }))
    }

    /// The organisation with this id, whatever its login is now; `None` also if this server lacks the route.
    pub fn org_by_id(&self, id: GithubOrgId) -> Seen<OrgRef> {
        let row: Option<wire::OrgRow> = self.get(format!("/organizations/{id}"))?;
        Ok(row.map(|row| OrgRef { id: row.id, login: row.login }).filter(|org| org.id == id))
    }

    /// The token's only organisation; `None` if it has several, or may show none. If single sign-on hides rows of the
    /// list, its only row may not be the only organisation.
    pub fn only_org(&self) -> Seen<OrgRef> {
        if let Some(app) = self.app() {
            let found = app.find(&self.host).map_err(|reply| reply.into_trouble())?;
            return Ok(Some(found.account));
        }
        let path = format!("{}/user/orgs?per_page=2", self.rest);
        let rows = match self.ask::<Vec<wire::OrgRow>>(&path) {
            Ok(Some((rows, headers))) if headers.sso.is_none() => rows,
            Ok(_) | Err(Trouble { kind: TroubleKind::Denied, .. }) => Vec::new(),
            Err(trouble) => return Err(trouble),
        };
        match <[wire::OrgRow; 1]>::try_from(rows) {
            Ok([only]) => Ok(Some(OrgRef { id: only.id, login: only.login })),
            Err(_) => Ok(None),
        }
    }

    pub fn team(&self, org: GithubOrgId, team: GithubTeamId) -> Seen<TeamFacts> {
        let row: Option<wire::TeamRow> = self.get(format!("/organizations/{org}/team/{team}"))?;
        Ok(row.map(wire::TeamRow::into_facts).filter(|facts| facts.id == team))
    }

    /// The team that has this slug now; `None` if there is none, or it is not visible.
    pub fn team_of_slug(&self, org: &Login, slug: &GithubSlug) -> Seen<TeamFacts> {
        let (org, slug) = (path_part(org.as_str()), path_part(slug.as_str()));
        let row: Option<wire::TeamRow> = self.get(format!("/orgs/{org}/teams/{slug}"))?;
        Ok(row.map(wire::TeamRow::into_facts))
    }

    /// All members of a team; `None` if it is not visible. [`Count::Direct`] is only for teams without child teams.
    pub fn members(&self, org: GithubOrgId, team: GithubTeamId, count: Count) -> Seen<Listed<Person>> {
        let path = format!("/organizations/{org}/team/{team}/members?per_page=100");
        let listed: Option<Listed<wire::UserRow>> = self.pages(&path)?;
        Ok(listed.map(|listed| listed.map(|rows| count.people(rows))))
    }

    /// Up to 100 members of a team in one call, and whether these are all; `None` if the team is not visible.
    /// [`Count::Direct`] is only for teams without child teams.
    pub fn first_members(
        &self,
        org: GithubOrgId,
        team: GithubTeamId,
        count: Count,
    ) -> Seen<(Vec<Person>, bool)> {
        let path = format!("{}/organizations/{org}/team/{team}/members?per_page=100", self.rest);
        let Some(page) = self.page::<wire::UserRow>(&path)? else { return Ok(None) };
        let is_all = page.is_last() && page.nulls == 0;
        Ok(Some((count.people(page.rows), is_all)))
    }

    /// The direct members of a team that may have child teams; `None` if the team is not visible. Where GraphQL is
    /// refused, REST shows which members a team has from its child teams.
    pub fn direct_members(
        &self,
        org: GithubOrgId,
        team: GithubTeamId,
        node_id: &str,
    ) -> Seen<Listed<Person>> {
        match self.direct_members_by_query(team, node_id) {
            Err(trouble) if trouble.is_for_good() => {
                let by_rest = |is_last| self.team_by_rest((org, team), &team.to_string(), true, is_last);
                let listed = settled(by_rest)?;
                Ok(listed.map(|listed| listed.map(|rows| Count::Direct.people(rows))))
            }
            read => read,
        }
    }

    fn direct_members_by_query(&self, team: GithubTeamId, node_id: &str) -> Seen<Listed<Person>> {
        let is_it = |data: &Value| data.pointer("/node/databaseId").and_then(Value::as_u64) == Some(team.0);
        settled(|is_last| {
            let vars = json!({ "id": node_id });
            let person = wire::UserNode::into_person;
            let read = self.connection(queries::TEAM_MEMBERS, vars, "/node/members", is_it, person)?;
            let Some(Connection { mut rows, nulls, counted }) = read else { return Ok(None) };
            rows.sort_by_key(|person| person.id);
            rows.dedup_by_key(|person| person.id);
            let gap = self.gap(&List::Members(team), Gap::by_count(rows.len(), counted, nulls), is_last)?;
            Ok(Some(Listed { rows, gap }))
        })
    }

    /// The profile of an account: by login, or by id if the login is not this account's any more.
    pub fn profile(&self, person: &Person) -> Seen<Profile> {
        if person.login.as_str().is_empty() {
            return self.profile_by_id(person.id);
        }
        let by_login: Option<wire::UserRow> =
            self.get(format!("/users/{}", path_part(person.login.as_str())))?;
        let profile = by_login.map(wire::UserRow::into_profile).filter(|p| p.person.id == person.id);
        match profile {
            Some(profile) => Ok(Some(profile)),
            None => self.profile_by_id(person.id),
        }
    }

    /// The account that has a login now; `None` if there is none, or it is hidden.
    pub fn account(&self, login: &Login) -> Seen<Profile> {
        let row: Option<wire::UserRow> = self.get(format!("/users/{}", path_part(login.as_str())))?;
        Ok(row.map(wire::UserRow::into_profile))
    }

    /// The profile of an account by its id; `None` if there is no such account, or it is hidden.
    pub fn profile_by_id(&self, id: GithubUserId) -> Seen<Profile> {
        let row: Option<wire::UserRow> = self.get(format!("/user/{id}"))?;
        Ok(row.map(wire::UserRow::into_profile).filter(|profile| profile.person.id == id))
    }

    /// A person's addresses from all wanted sources, in one query. A source that the token may not read is skipped from
    /// then on. If GraphQL is refused altogether, only the profile's address is returned.
    pub fn claims(&self, org: &Login, person: &Person, wanted: Wanted) -> Result<Claims, Trouble> {
        let asked = self.claims_by_query(org, &person.login, wanted)?;
        match asked {
            Some((id, claims)) if id == person.id => {
                // REST shows the public address to every token, GraphQL does not.
                if !self.refused.lock().public {
                    return Ok(claims);
                }
                let public = self.profile(person)?.and_then(|profile| profile.email);
                Ok(Claims { public, ..claims })
            }
            // The login is gone or somebody else's, or GraphQL is refused.
            _ => self.claims_by_profile(org, person, wanted),
        }
    }

    /// Reads the profile, by id if necessary, because nobody or somebody else has the login, or GraphQL is refused. If
    /// the account has another login now, its addresses are queried under that one.
    fn claims_by_profile(&self, org: &Login, person: &Person, wanted: Wanted) -> Result<Claims, Trouble> {
        let Some(profile) = self.profile(person)? else { return Ok(Claims::default()) };
        let now = &profile.person.login;
        if !now.is(person.login.as_str()) {
            if let Some((id, claims)) = self.claims_by_query(org, now, wanted)? {
                if id == person.id {
                    return Ok(Claims { public: profile.email, ..claims });
                }
            }
        }
        Ok(Claims { public: profile.email, ..Claims::default() })
    }

    /// `None` if GraphQL is refused or knows no such login, or if there is no wanted source to ask for.
    fn claims_by_query(&self, org: &Login, login: &Login, wanted: Wanted) -> Seen<(GithubUserId, Claims)> {
        loop {
            let refused = *self.refused.lock();
            let (verified, saml) = (wanted.verified && !refused.verified, wanted.saml && !refused.saml);
            if !verified && !saml {
                return Ok(None);
            }
            let public = !refused.public;
            let query = queries::person(public, verified, saml);
            let reply = self.post(&query, json!({ "login": login, "org": org }));
            if reply.verdict != Verdict::Done {
                let trouble = reply.into_trouble();
                return if trouble.is_for_good() { Ok(None) } else { Err(trouble) };
            }
            let asked = Sources { saml, verified, public };
            match outcome(&reply.answer.body) {
                Outcome::Data(data) => return Ok(wire::claims(&data)),
                Outcome::NotFound => return Ok(None),
                Outcome::Forbidden(forbidden) if self.leave_out(&forbidden, asked) => {}
                // GitHub refuses more than address sources, so GraphQL is of no use for this person.
                Outcome::Forbidden(_) => return Ok(None),
                other => return Err(graphql_trouble(reply, other)),
            }
        }
    }

    /// Skips the refused sources from now on. Returns `false` if the query would be refused without them too.
    fn leave_out(&self, forbidden: &Forbidden, asked: Sources) -> bool {
        let out = forbidden.sources.common(asked);
        // If the token as a whole is refused by now, that says nothing about its sources once it is good again.
        if forbidden.elsewhere || out.is_none() || matches!(self.host.health(), Health::Refused(_)) {
            return false;
        }
        let mut refused = self.refused.lock();
        *refused = refused.and(out);
        log::warn!(
            "GitHub: this token cannot read a source of e-mail addresses, so it is skipped: {}",
            forbidden.what
        );
        true
    }

    /// Forgets which sources were refused: the token or its permissions may have changed.
    pub fn forget_refusals(&self) {
        *self.refused.lock() = Sources::NONE;
    }

    fn post(&self, query: &str, variables: Value) -> Reply {
        let body = json!({ "query": query, "variables": variables });
        let request = Request { method: Method::Post, path: self.graphql.clone(), body: Some(body) };
        self.host.ask(Asked::Graphql, &request)
    }
}

/// The credential for calls, and the App behind it, if there is one.
fn signed_in(as_whom: &SignIn, rest: &str, whose: Whose, clock: &Clock) -> (Option<Arc<App>>, Credential) {
    match as_whom {
        SignIn::Token(token) => (None, Credential::Standing(token.clone())),
        SignIn::App(access) => {
            let app = Arc::new(App::new(access, rest, whose, clock));
            (Some(app.clone()), Credential::Renewed(app))
        }
    }
}

/// `Direct` drops people who are in the team only through a child team, where GitHub marks them.
impl Count {
    fn people(self, rows: Vec<wire::UserRow>) -> Vec<Person> {
        match self {
            Count::Direct => direct(rows),
            Count::WithChildren => rows.into_iter().map(wire::UserRow::into_person).collect(),
        }
    }
}

fn direct(rows: Vec<wire::UserRow>) -> Vec<Person> {
    rows.into_iter().filter(|row| !row.is_inherited()).map(wire::UserRow::into_person).collect()
}

fn graphql_trouble(reply: Reply, outcome: Outcome) -> Trouble {
    let (kind, why) = match outcome {
        Outcome::Forbidden(forbidden) => (TroubleKind::Denied, forbidden.what),
        Outcome::TooMuch(why) | Outcome::Failed(why) => (TroubleKind::Unknown, why),
        Outcome::Data(_) | Outcome::NotFound => (TroubleKind::Unknown, "an unexpected answer".into()),
    };
    let mut exchange = reply.exchange;
    exchange.answer = format!("{} with errors: {why}", reply.answer.status);
    Trouble::new(kind, why, exchange)
}

/// For a valid answer that does not say what the token may do.
fn untold(reply: Reply, why: String) -> Trouble {
    Trouble::new(TroubleKind::Unknown, why, reply.exchange)
}
