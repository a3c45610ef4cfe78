//! Typed calls to Sentry's API. Any code may read; only [`crate::work::apply`] may make the calls that write.
//!
//! Sentry addresses a team by its slug, and newer servers by its id too ([`ids`]). Callers have to be sure of the id,
//! so every answer that contains one returns it.

pub mod external;
pub mod ids;
pub mod inspect;
pub mod links;
mod outcome;
pub mod permit;
pub mod scim;
pub mod scopes;
mod wire;

#[cfg(test)]
pub(crate) use wire::{read_anything, EXAMPLES};

use std::cell::Cell;
use std::sync::Arc;

pub use outcome::{Added, Created, Deleted, Invited, Linked, Removed, Renamed};
use serde::de::DeserializeOwned;
use serde_json::{json, Value};

use crate::clock::Clock;
use crate::config::secret::Secret;
use crate::config::values::BaseUrl;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::credential::Credential;
use crate::hosts::http::first_answer::Heard;
use crate::hosts::http::pace::Method;
use crate::hosts::http::redirect::SENTRY_ADDRESS;
use crate::hosts::http::transport::Carrier;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Reply, Request, Trouble, TroubleKind, Upstream, POSTPONED};
use crate::hosts::{seen, unless_denied, Seen};
use crate::state::address::Address;
use crate::state::exchange::Exchange;
use crate::state::ids::{GithubUserId, MemberId, SentrySlug, SentryTeamId};
use crate::text::path_part;
use ids::{Ids, TeamAt};
use permit::Permit;

/// The most pages of 100 that a list may have. No organisation has that many people, so more pages mean that a broken
/// server repeats them endlessly.
const MOST_PAGES: usize = 3_000;

/// What to do if Sentry does not know the organisation.
pub const NO_ORGANISATION: &str =
    "correct SENTRY_ORG_SLUG (the part before .sentry.io) if it is wrong or was renamed; if the organisation has moved to \
     another region, set SENTRY_URL to that region's address, or to https://sentry.io, which finds every region";

pub struct Sentry {
    host: Arc<Upstream>,
    /// The path of the base address, followed by `/api/0`.
    api: String,
    /// The organisation's slug, percent-encoded.
    org: String,
    ids: Arc<Ids>,
    /// Sentry's provider name for accounts of another GitHub than ours.
    other_github: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    pub id: SentryTeamId,
    /// How the API addresses it.
    pub slug: SentrySlug,
    pub name: String,
    /// How many members Sentry counts, deactivated ones included.
    pub member_count: Option<u64>,
    /// An identity provider manages the team: it is never adopted, renamed or deleted.
    pub locked: bool,
    /// The slugs of its projects, if they were requested and Sentry sent them.
    pub projects: Option<Vec<String>>,
}

/// A member of the organisation, or an invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: MemberId,
    /// The user's primary address, or the address that was invited.
    pub primary: Option<String>,
    /// Addresses that Sentry has verified.
    pub verified: Vec<String>,
    /// GitHub accounts that are linked to the user in Sentry.
    pub links: Vec<Link>,
    /// Their role does not let them be in a team.
    pub no_teams: bool,
    /// The user is suspended in Sentry, but stays a member and in teams.
    pub suspended: bool,
    pub standing: Standing,
}

/// A GitHub account that is linked to a user in Sentry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The account's login when it was linked.
    pub login: String,
    /// The account's id, if Sentry knows it.
    pub user: Option<GithubUserId>,
}

impl Member {
    /// Whether the list of members shows this address for them.
    pub fn shows(&self, address: &Address) -> bool {
        self.primary.iter().chain(&self.verified).any(|shown| address.is(shown))
    }
}

/// A member found by a search for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub member: Member,
    pub name: String,
}

/// What kind of row in the list of members it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Member,
    Invited,
    Expired,
}

/// A write that Sentry has answered.
#[derive(Clone, Debug)]
pub struct Written<T> {
    pub outcome: T,
    /// For the audit log.
    pub exchange: Exchange,
}

type Answered<T> = Result<Written<T>, Trouble>;

impl Sentry {
    /// A client for one organisation. `github` is the base address of the GitHub API that is in use.
    pub fn new(
        base: &BaseUrl,
        org: &str,
        token: &Secret,
        github: &BaseUrl,
        carrier: &dyn Carrier,
        clock: &Clock,
    ) -> Self {
        Self {
            host: Arc::new(Upstream::new(
                "Sentry",
                ["read", "write"],
                base,
                Credential::Standing(token.clone()),
                &[("accept", "application/json")],
                carrier,
                clock,
            )),
            api: format!("{}/api/0", base.path()),
            org: path_part(org),
            ids: Arc::new(Ids::new(clock.clone())),
            other_github: wire::other_github(github),
        }
    }

    /// The HTTP client, which knows the host's health and pauses, and can be stopped.
    pub fn host(&self) -> &Arc<Upstream> {
        &self.host
    }

    fn team_path(&self, team: &str) -> String {
        format!("{}/teams/{}/{}/", self.api, self.org, path_part(team))
    }

    fn org_path(&self, rest: &str) -> String {
        format!("{}/organizations/{}/{rest}", self.api, self.org)
    }

    /// Asks about something in the organisation. For every such call, an empty 404 from a gateway is explained here.
    fn ask(&self, asked: Asked, request: &Request) -> Reply {
        let reply = self.host.ask(asked, request);
        match reply.verdict {
            Verdict::Nowhere => Reply { verdict: self.why_nothing(), ..reply },
            _ => reply,
        }
    }

    /// What an empty 404 means. The organisation itself is asked once: if that answer is empty too, it is not here, and
    /// no call will work. Otherwise only this call failed, and its object may well exist.
    fn why_nothing(&self) -> Verdict {
        let path = self.org_path("?detailed=0");
        let reply = self.host.ask(Asked::Sentry, &Request::get(path.clone()));
        match reply.verdict {
            Verdict::Nowhere => {
                let mut why = format!(
                    "Sentry knows no organisation `{}` (404 without a body, asked twice): {NO_ORGANISATION}",
                    self.org
                );
                if self.host.heard() != Heard::TheApi {
                    why.push_str(&format!("; or correct SENTRY_URL: {SENTRY_ADDRESS}"));
                }
                self.host.refuse_for(&why, POSTPONED);
                Verdict::Refused(why)
            }
            Verdict::Missing => Verdict::Refused(self.no_organisation(path).why),
            // Whether the token may see more of the organisation does not matter here.
            Verdict::Done | Verdict::Denied(_) => {
                let why = "404 without a body from a gateway, though it has the organisation: asked again in 5 minutes";
                Verdict::Postponed(why.into())
            }
            verdict => verdict,
        }
    }

    fn shown(&self, path: String) -> Seen<Reply> {
        seen(self.ask(Asked::Sentry, &Request::get(path)))
    }

    fn get<T: DeserializeOwned>(&self, path: String) -> Seen<T> {
        let Some(reply) = self.shown(path)? else { return Ok(None) };
        parsed(reply).map(|(row, _)| Some(row))
    }

    pub fn team(&self, slug: &SentrySlug) -> Seen<Team> {
        self.team_at(slug.as_str(), "?collapse=organization")
    }

    fn team_at(&self, slug_or_id: &str, query: &str) -> Seen<Team> {
        let path = self.team_path(slug_or_id) + query;
        let row: Option<wire::TeamRow> = self.get(path.clone())?;
        row.map(|row| row.into_team().ok_or_else(|| Trouble::unreadable(&path))).transpose()
    }

    /// Checks that the organisation itself answers, before a 404 for something in it is believed.
    pub fn confirm_organisation(&self) -> Result<(), Trouble> {
        let path = self.org_path("members/?per_page=1");
        match self.get::<Vec<wire::MemberRow>>(path.clone())? {
            Some(_) => Ok(()),
            None => Err(self.no_organisation(path)),
        }
    }

    /// The token's scopes; `None` if Sentry does not report them, as on the hosts of sentry.io's regions.
    pub fn scopes(&self) -> Seen<Vec<String>> {
        let reply = self.host.ask(Asked::Sentry, &Request::get(format!("{}/", self.api)));
        match reply.verdict {
            Verdict::Done => {
                parsed(reply).map(|(row, _): (wire::TokenRow, _)| row.auth.map(|auth| auth.scopes))
            }
            Verdict::Missing | Verdict::Nowhere => Ok(None),
            _ => Err(reply.into_trouble()),
        }
    }

    /// All teams; `None` where the token may not list them, which needs *Organization: Read*.
    pub fn teams(&self) -> Seen<Vec<Team>> {
        let path = self.org_path("teams/?detailed=0&per_page=100");
        unless_denied(self.pages(&path, wire::TeamRow::into_team))
    }

    /// Everybody in the organisation: users and invites. `linked` requests their linked GitHub accounts too.
    pub fn members(&self, linked: bool) -> Result<Vec<Member>, Trouble> {
        let path = self.org_path(if linked { "members/?expand=externalUsers" } else { "members/?" });
        let path = format!("{path}&per_page=100");
        let read = |row: wire::MemberRow| row.without_links_of(self.other_github).into_member();
        // A 404 is not an empty list: the organisation was renamed, or this is another one.
        self.pages(&path, read)?.ok_or_else(|| self.no_organisation(path))
    }

    /// Pauses the host, because Sentry does not know the organisation: nothing works until somebody corrects its slug.
    pub fn no_organisation(&self, path: String) -> Trouble {
        let why = format!("Sentry knows no organisation `{}`: {NO_ORGANISATION}", self.org);
        self.host.refuse(&why);
        let exchange = Exchange { call: format!("GET {path}"), answer: "404".into() };
        Trouble::new(TroubleKind::Refused, why, exchange)
    }

    /// Everybody who has one of these addresses, primary or not, verified or not. The rows do not say which address
    /// matched. [`crate::identity::search`] knows which addresses can be searched for, and how many at once.
    pub fn members_with(&self, addresses: &[Address]) -> Result<Vec<Hit>, Trouble> {
        let words: Vec<_> = addresses.iter().map(|address| format!("email:{address}")).collect();
        let query = path_part(&words.join(" "));
        let path = self.org_path(&format!("members/?query={query}&expand=externalUsers"));
        let read = |row: wire::MemberRow| row.without_links_of(self.other_github).into_hit();
        // If nobody matches, Sentry sends an empty list, not a 404.
        let nowhere = || Trouble::broken(&path, "Sentry answered 404 to a search for members");
        self.pages(&path, read)?.ok_or_else(nowhere)
    }

    /// Everybody in a team, including open and expired invites; `None` if there is no such team.
    pub fn team_members(&self, at: TeamAt) -> Seen<Vec<Member>> {
        self.people_of(at, wire::MemberRow::into_member)
    }

    /// The ids of everybody in a team, sorted. A comparison keeps them for all teams, so they are shrunk: a list of ids
    /// that is collected from a list of rows keeps the rows' larger allocation.
    pub fn team_member_ids(&self, at: TeamAt) -> Seen<Vec<MemberId>> {
        let ids = self.people_of(at, |row| row.into_member().map(|member| member.id))?;
        Ok(ids.map(|mut ids| {
            ids.sort_unstable();
            ids.dedup();
            ids.shrink_to_fit();
            ids
        }))
    }

    /// A team whose deletion is pending still answers by id, so the slug in each row is checked.
    fn people_of<T>(&self, at: TeamAt, read: impl Fn(wire::MemberRow) -> Option<T>) -> Seen<Vec<T>> {
        let moved = Cell::new(false);
        let read = |row: wire::MemberRow| {
            moved.set(moved.get() || row.team_slug.as_ref().is_some_and(|slug| slug != at.slug));
            read(row)
        };
        let people = |key: &str| self.pages(&format!("{}members/?per_page=100", self.team_path(key)), read);
        let key = self.key(at);
        match people(&key)? {
            found if key == at.slug.as_str() => Ok(found),
            Some(_) if moved.get() && self.bound(at)?.is_none() => Ok(None),
            // Finds out whether the team is gone, or the host does not take ids any more.
            None if self.bound(at)?.is_some() => people(&self.key(at)),
            found => Ok(found),
        }
    }

    /// The slugs of a member's teams; `None` if there is no such member.
    pub fn teams_of(&self, member: MemberId) -> Seen<Vec<SentrySlug>> {
        let row: Option<wire::MemberTeamsRow> = self.get(self.org_path(&format!("members/{member}/")))?;
        Ok(row.map(|row| row.teams))
    }

    /// All pages of a list. If a page fails, the whole list fails: half a list is never returned.
    fn pages<R: DeserializeOwned, T>(&self, path: &str, read: impl Fn(R) -> Option<T>) -> Seen<Vec<T>> {
        let mut items = Vec::new();
        let seen = self.each_page(path, &mut |rows| {
            for row in rows {
                let row = serde_json::from_value(row).ok();
                items.push(row.and_then(&read).ok_or_else(|| Trouble::unreadable(path))?);
            }
            Ok(())
        })?;
        Ok(seen.map(|()| items))
    }

    fn each_page(&self, path: &str, take: &mut dyn FnMut(Vec<Value>) -> Result<(), Trouble>) -> Seen<()> {
        let mut next = path.to_string();
        let mut last = None;
        for number in 0..MOST_PAGES {
            let Some(reply) = self.shown(next.clone())? else { return Ok(None) };
            let sum = reply.answer.sum();
            let (rows, link): (Vec<Value>, _) = parsed(reply)?;
            let cursor = wire::next_cursor(link.as_deref(), rows.len(), number)
                .map_err(|why| Trouble::broken(&next, format!("the Link header is no use: {why}")))?;
            if last.replace(sum) == Some(sum) && !rows.is_empty() {
                return Err(Trouble::broken(&next, "the page is the same as the one before"));
            }
            take(rows)?;
            let Some(cursor) = cursor else { return Ok(Some(())) };
            let after = format!("{path}&cursor={}", path_part(&cursor));
            if after == next {
                return Err(Trouble::broken(&next, "the page leads to itself"));
            }
            next = after;
        }
        Err(Trouble::broken(&next, format!("more than {MOST_PAGES} pages")))
    }

    /// Every call that changes something in Sentry goes through here.
    fn write(&self, _: &Permit, asked: Asked, method: Method, path: String, body: Option<Value>) -> Reply {
        self.ask(asked, &Request { method, path, body })
    }

    /// Creates a team. Always sends name and slug: with only a name, a repeated call would create another team.
    pub fn create_team(&self, permit: &Permit, slug: &SentrySlug, name: &str) -> Answered<Created> {
        let body = json!({ "name": name, "slug": slug });
        let reply = self.write(permit, Asked::CreateTeam, Method::Post, self.org_path("teams/"), Some(body));
        match reply.verdict {
            Verdict::Done => written_team(reply, Created::New),
            Verdict::Taken => Ok(written(reply, Created::Taken)),
            _ => Err(reply.into_trouble()),
        }
    }

    pub fn rename_team(
        &self,
        permit: &Permit,
        at: TeamAt,
        to: &SentrySlug,
        name: Option<&str>,
    ) -> Answered<Renamed> {
        let body = match name {
            Some(name) => json!({ "name": name, "slug": to }),
            None => json!({ "slug": to }),
        };
        let path = self.team_path(&self.key(at));
        let reply = self.write(permit, Asked::UpdateTeam, Method::Put, path, Some(body));
        match reply.verdict {
            Verdict::Done => written_team(reply, Renamed::Done),
            Verdict::Taken => Ok(written(reply, Renamed::Taken)),
            Verdict::Missing => Ok(written(reply, Renamed::Missing)),
            Verdict::Locked => Ok(written(reply, Renamed::Locked)),
            _ => Err(reply.into_trouble()),
        }
    }

    pub fn delete_team(&self, permit: &Permit, at: TeamAt) -> Answered<Deleted> {
        let path = self.team_path(&self.key(at));
        let reply = self.write(permit, Asked::DeleteTeam, Method::Delete, path, None);
        match reply.verdict {
            Verdict::Done => Ok(written(reply, Deleted::Done)),
            Verdict::Missing => Ok(written(reply, Deleted::Missing)),
            Verdict::Locked => Ok(written(reply, Deleted::Locked)),
            _ => Err(reply.into_trouble()),
        }
    }

    fn membership_path(&self, member: MemberId, at: TeamAt) -> String {
        self.org_path(&format!("members/{member}/teams/{}/", path_part(&self.key(at))))
    }

    /// Adds a member to a team. Repeating it is harmless.
    pub fn add_member(&self, permit: &Permit, member: MemberId, at: TeamAt) -> Answered<Added> {
        let path = self.membership_path(member, at);
        let reply = self.write(permit, Asked::AddMember, Method::Post, path, None);
        match reply.verdict {
            Verdict::Done => written_team(reply, Added::New),
            Verdict::Already => Ok(written(reply, Added::Already)),
            Verdict::Requested => Ok(written(reply, Added::Requested)),
            Verdict::Locked => Ok(written(reply, Added::Locked)),
            Verdict::Missing => Ok(written(reply, Added::Missing)),
            _ => Err(reply.into_trouble()),
        }
    }

    /// Gives a team a project. Repeating it is harmless. Needs `project:write`.
    pub fn link_project(&self, permit: &Permit, project: &str, at: TeamAt) -> Answered<Linked> {
        let (project, team) = (path_part(project), path_part(&self.key(at)));
        let path = format!("{}/projects/{}/{project}/teams/{team}/", self.api, self.org);
        let reply = self.write(permit, Asked::LinkProject, Method::Post, path, None);
        match reply.verdict {
            Verdict::Done => Ok(written(reply, Linked::Done)),
            Verdict::Missing => Ok(written(reply, Linked::Missing)),
            _ => Err(reply.into_trouble()),
        }
    }

    /// Invites somebody; Sentry sends the mail. Older servers read only `role`, newer ones `orgRole`.
    pub fn invite(&self, permit: &Permit, address: &str, role: &str) -> Answered<Invited> {
        let body = json!({ "email": address, "role": role, "orgRole": role, "sendInvite": true });
        let reply = self.write(permit, Asked::Invite, Method::Post, self.org_path("members/"), Some(body));
        let said = reply.answer.said();
        match reply.verdict {
            Verdict::Done => {
                let row: Option<wire::MemberRow> = row(&reply);
                match row.and_then(wire::MemberRow::into_member) {
                    Some(member) => Ok(written(reply, Invited::New(member))),
                    None => Err(reply.into_trouble()),
                }
            }
            Verdict::Never(_) if said.contains("already") => Ok(written(reply, Invited::Already)),
            // A 403 about the organisation, rather than the caller, has a field of that name.
            Verdict::Denied(_) if reply.answer.names("organization") => {
                Ok(written(reply, Invited::NotInPlan))
            }
            Verdict::Never(_) if reply.answer.status == 402 => Ok(written(reply, Invited::NotInPlan)),
            Verdict::Never(_)
                if said.contains("do not have permission") || said.contains("okens are restricted") =>
            {
                Err(Trouble { kind: TroubleKind::Denied, ..reply.into_trouble() })
            }
            _ => Err(reply.into_trouble()),
        }
    }

    /// Removes a member from a team. Repeating it is harmless.
    pub fn remove_member(&self, permit: &Permit, member: MemberId, at: TeamAt) -> Answered<Removed> {
        let path = self.membership_path(member, at);
        let reply = self.write(permit, Asked::RemoveMember, Method::Delete, path, None);
        match reply.verdict {
            Verdict::Done if reply.answer.status == 204 => Ok(written(reply, Removed::Done(None))),
            Verdict::Done => written_team(reply, |team| Removed::Done(Some(team))),
            Verdict::Locked => Ok(written(reply, Removed::Locked)),
            Verdict::Missing => Ok(written(reply, Removed::Missing)),
            _ => Err(reply.into_trouble()),
        }
    }
}

fn written<T>(reply: Reply, outcome: T) -> Written<T> {
    Written { outcome, exchange: reply.exchange }
}

fn written_team<T>(reply: Reply, outcome: impl FnOnce(Team) -> T) -> Answered<T> {
    let row: Option<wire::TeamRow> = row(&reply);
    match row.and_then(wire::TeamRow::into_team) {
        Some(team) => Ok(written(reply, outcome(team))),
        // The write took place, but the answer does not show which team it hit: the next look finds out.
        None => Err(reply.into_trouble()),
    }
}

/// The parsed body and the `Link` header. Parsing goes through a `Value`, so each row's parser is compiled only once.
fn parsed<T: DeserializeOwned>(reply: Reply) -> Result<(T, Option<String>), Trouble> {
    match row(&reply) {
        Some(rows) => Ok((rows, reply.answer.headers.link)),
        None => Err(reply.into_trouble()),
    }
}

fn row<T: DeserializeOwned>(reply: &Reply) -> Option<T> {
    serde_json::from_value(serde_json::from_slice(&reply.answer.body).ok()?).ok()
}
