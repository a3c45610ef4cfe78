//! A GitHub App. It signs in as itself with its key, and gets tokens for its installation, which last for an hour.
//!
//! Source: GitHub's documentation, "Authenticating as a GitHub App installation". One thread at a time fetches a token,
//! early enough that no call has to wait for it. Knowledge about the mirrored organisation belongs to the App, and must
//! never be tied to one of these tokens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::clock::{Clock, Timestamp};
use crate::config::secret::Secret;
use crate::config::sign_in::AppAccess;
use crate::config::Settings;
use crate::hosts::github::jwt;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::credential::{Credential, Renewed};
use crate::hosts::http::pace::Method;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Reply, Request, Upstream};
use crate::lock::{Condvar, Mutex};
use crate::state::event::OrgRef;
use crate::state::ids::{GithubOrgId, InstallationId, Login};
use crate::state::Org;
use crate::text::{path_part, Quoted};

/// A token is renewed this long before it expires.
const EARLY: Duration = Duration::from_secs(300);
/// A token with less time left than this is not used any more.
const LAST: Duration = Duration::from_secs(60);
/// If a renewal fails while the old token is still valid, the next attempt waits this long.
const RENEW_AGAIN: Duration = Duration::from_secs(30);
/// Some of GitHub's servers may not know a new token for this long.
const YOUNG: Duration = Duration::from_secs(5);
/// How long to wait before trying a refused new token again.
const YOUNG_AGAIN: Duration = Duration::from_secs(1);
/// A signed JWT is reused for this long; it is valid for nine minutes.
const SIGNED_AGAIN: Duration = Duration::from_secs(240);
/// A difference from GitHub's clock from which ours counts as wrong.
const CLOCK_IS_WRONG: Duration = Duration::from_secs(20);
/// The assumed life of a token if GitHub's answer does not say when it expires: shorter than the usual hour.
const LIFE: Duration = Duration::from_secs(3000);

/// Which installation to use, as far as that is known.
#[derive(Clone, Debug, Default)]
pub struct Whose {
    /// `GH_ORG`.
    pub login: Option<Login>,
    /// The organisation that the state belongs to.
    pub pinned: Option<GithubOrgId>,
}

/// The App's installation on an organisation.
#[derive(Clone, Debug)]
pub struct Installation {
    pub id: InstallationId,
    pub account: OrgRef,
}

pub struct App {
    itself: Arc<Itself>,
    /// The REST API's path.
    rest: String,
    whose: Whose,
    known: Mutex<Known>,
    fetched: Condvar,
}

#[derive(Default)]
struct Known {
    installation: Option<Installation>,
    token: Option<Fresh>,
    is_fetching: bool,
    /// A token that is still valid is not renewed before this moment, because a renewal has just failed.
    again: Option<Instant>,
    /// The App lacks the permission that tokens are limited to, so they are requested without a limit.
    is_wide: bool,
}

struct Fresh {
    token: Secret,
    made: Instant,
    ends: Instant,
}

/// Makes calls as the App itself, each signed with its key.
struct Itself {
    access: AppAccess,
    clock: Clock,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    /// GitHub's clock minus ours, in milliseconds.
    skew: i64,
    /// The last signed JWT, and when it was signed by GitHub's clock.
    signed: Option<(Secret, Timestamp)>,
}

impl App {
    /// Makes no call yet.
    pub fn new(access: &AppAccess, rest: &str, whose: Whose, clock: &Clock) -> Self {
        let itself = Itself { access: access.clone(), clock: clock.clone(), said: Mutex::default() };
        let (known, fetched) = (Mutex::default(), Condvar::new());
        Self { itself: Arc::new(itself), rest: rest.into(), whose, known, fetched }
    }

    /// Its number or client id.
    pub fn id(&self) -> &str {
        &self.itself.access.id
    }

    /// The App and its installation, for messages.
    pub fn told(&self) -> String {
        match self.installation() {
            Some(found) => format!("{} (installation {})", self.id(), found.id),
            None => self.id().into(),
        }
    }

    /// The SHA-256 of the public key, which GitHub shows beside each of the App's keys.
    pub fn key_print(&self) -> [u8; 32] {
        self.itself.access.key.print()
    }

    /// The installation, if it has been found.
    pub fn installation(&self) -> Option<Installation> {
        self.known.lock().installation.clone()
    }

    /// The installation; looks it up if it is not known.
    pub fn find(&self, host: &Upstream) -> Result<Installation, Box<Reply>> {
        match self.installation() {
            Some(known) => Ok(known),
            None => {
                let found = self.look_for_installation(host)?;
                self.known.lock().installation = Some(found.clone());
                Ok(found)
            }
        }
    }

    /// Forgets the installation and its token, because something about them has changed. Both are fetched again.
    pub fn forget(&self) {
        let mut known = self.known.lock();
        *known = Known { is_fetching: known.is_fetching, ..Known::default() };
    }

    /// Makes one call, signed with the key.
    pub fn ask(&self, host: &Upstream, request: &Request) -> Reply {
        host.ask_signed(Asked::App, request, Credential::Renewed(self.itself.clone()))
    }

    /// A GET below the REST API's base.
    fn get(&self, host: &Upstream, path: &str) -> Reply {
        self.ask(host, &Request::get(format!("{}{path}", self.rest)))
    }

    fn look_for_installation(&self, host: &Upstream) -> Result<Installation, Box<Reply>> {
        if let Some(login) = &self.whose.login {
            let path = format!("/orgs/{}/installation", path_part(login.as_str()));
            let reply = self.get(host, &path);
            let found = reply.answer.json().as_ref().and_then(installation);
            match (&reply.verdict, found) {
                (Verdict::Done, Some(row)) => return Ok(row),
                // Not there, or the organisation was renamed: the list of installations shows which.
                (Verdict::Missing, _) => {}
                _ => return Err(unusable(host, reply)),
            }
        }
        let reply = self.get(host, "/app/installations?per_page=100");
        let Some(Value::Array(rows)) = reply.answer.json().filter(|_| reply.verdict == Verdict::Done) else {
            return Err(unusable(host, reply));
        };
        let all: Vec<_> = rows.iter().filter_map(installation).collect();
        match self.whose.choose(&all) {
            Ok(chosen) => Ok(chosen.clone()),
            Err(why) => Err(refused(host, reply, why)),
        }
    }

    fn fetch(&self, host: &Upstream) -> Result<Fresh, Box<Reply>> {
        let mut was_known = self.installation().is_some();
        loop {
            let Installation { id, account } = self.find(host)?;
            let is_wide = self.known.lock().is_wide;
            // Requests no more than the service needs, whatever the App may do.
            let body = (!is_wide).then(|| json!({ "permissions": { "members": "read" } }));
            let path = format!("{}/app/installations/{id}/access_tokens", self.rest);
            let began = self.itself.clock.now();
            let reply = self.ask(host, &Request { method: Method::Post, path, body });
            match (&reply.verdict, reply.answer.status) {
                (Verdict::Done, _) => {
                    let fresh = self.read_token(&reply, began);
                    return fresh.ok_or_else(|| unusable(host, reply));
                }
                (Verdict::Never(_), 422) if !is_wide => self.known.lock().is_wide = true,
                (Verdict::Missing, _) => {
                    self.known.lock().installation = None;
                    if !std::mem::take(&mut was_known) {
                        let why = format!(
                            "the GitHub App is no longer installed on {}",
                            Quoted(account.login.as_str())
                        );
                        return Err(refused(host, reply, format!("{why}: {INSTALL}")));
                    }
                }
                _ => return Err(unusable(host, reply)),
            }
        }
    }

    /// GitHub's clock determines how long the token lives; our monotonic clock, which nobody can set, measures that.
    fn read_token(&self, reply: &Reply, began: Instant) -> Option<Fresh> {
        let body = reply.answer.json()?;
        let of = |name: &str| body.get(name).and_then(Value::as_str);
        let token =
            of("token").filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()))?;
        let there = reply.answer.headers.date.unwrap_or_else(|| self.itself.clock.wall());
        let ends = of("expires_at").and_then(Timestamp::parse);
        let life = ends.map_or(LIFE, |at| at.since(there));
        Some(Fresh { token: Secret::new(token), made: self.itself.clock.now(), ends: began + life })
    }

    /// The current token, if it can still be used; `None` if this thread has to fetch one.
    fn take_turn(&self) -> Option<Secret> {
        let mut known = self.known.lock();
        loop {
            let now = self.itself.clock.now();
            if let Some(fresh) = &known.token {
                let left = fresh.ends.saturating_duration_since(now);
                let may_stay = known.is_fetching || known.again.is_some_and(|again| now < again);
                if left > EARLY || (left > LAST && may_stay) {
                    return Some(fresh.token.clone());
                }
            }
            if !known.is_fetching {
                known.is_fetching = true;
                return None;
            }
            known = self.fetched.wait_while(known, |known| known.is_fetching);
        }
    }
}

/// Ends the turn to fetch a token when dropped, even after an error or a panic.
struct Turn<'a>(&'a App);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.known.lock().is_fetching = false;
        self.0.fetched.notify_all();
    }
}

impl Renewed for App {
    fn token(&self, host: &Upstream) -> Result<Secret, Box<Reply>> {
        if let Some(token) = self.take_turn() {
            return Ok(token);
        }
        let _turn = Turn(self);
        let fetched = self.fetch(host);
        let (mut known, now) = (self.known.lock(), self.itself.clock.now());
        match (fetched, &known.token) {
            (Ok(fresh), _) => {
                let token = fresh.token.clone();
                (known.token, known.again) = (Some(fresh), None);
                Ok(token)
            }
            // The old token is valid for a while yet.
            (Err(_), Some(old)) if old.ends.saturating_duration_since(now) > LAST => {
                let token = old.token.clone();
                known.again = Some(now + RENEW_AGAIN);
                Ok(token)
            }
            (Err(reply), _) => Err(reply),
        }
    }

    fn refused(&self, token: &Secret, _: Option<Timestamp>) -> Option<Duration> {
        let (mut known, now) = (self.known.lock(), self.itself.clock.now());
        match &known.token {
            Some(fresh) if fresh.token == *token => {
                if now.saturating_duration_since(fresh.made) < YOUNG {
                    return Some(YOUNG_AGAIN);
                }
                known.token = None;
                Some(Duration::ZERO)
            }
            _ => Some(Duration::ZERO),
        }
    }

    fn name(&self) -> &'static str {
        "the GitHub App's token"
    }

    fn access(&self) -> &AppAccess {
        &self.itself.access
    }
}

impl Renewed for Itself {
    fn token(&self, _: &Upstream) -> Result<Secret, Box<Reply>> {
        let mut said = self.said.lock();
        let now = Timestamp(self.clock.wall().0.saturating_add_signed(said.skew));
        match &said.signed {
            Some((signed, at)) if *at <= now && now.since(*at) < SIGNED_AGAIN => Ok(signed.clone()),
            _ => {
                let signed = jwt::signed(&self.access, now);
                said.signed = Some((signed.clone(), now));
                Ok(signed)
            }
        }
    }

    /// A wrong clock makes GitHub refuse the JWT. The next one goes by GitHub's clock, and is accepted.
    fn refused(&self, _: &Secret, there: Option<Timestamp>) -> Option<Duration> {
        let mut said = self.said.lock();
        said.signed = None;
        let seen = there?.0 as i64 - self.clock.wall().0 as i64;
        if (seen - said.skew).unsigned_abs() < CLOCK_IS_WRONG.as_millis() as u64 {
            return None;
        }
        said.skew = seen;
        log::warn!(
            "this machine's clock is {} s off GitHub's: synchronise it, for example with NTP",
            seen / 1000
        );
        Some(Duration::ZERO)
    }

    fn name(&self) -> &'static str {
        "GH_APP_KEY"
    }

    fn access(&self) -> &AppAccess {
        &self.access
    }
}

impl Whose {
    pub fn of(settings: &Settings, org: Option<&Org>) -> Self {
        Self { login: settings.github_org.clone(), pinned: org.map(|org| org.id) }
    }

    /// The installation to use, or why there is none.
    fn choose<'a>(&self, all: &'a [Installation]) -> Result<&'a Installation, String> {
        let by_id = all.iter().find(|found| Some(found.account.id) == self.pinned);
        let is_named = |found: &&Installation| {
            self.login.as_ref().is_some_and(|login| login.is(found.account.login.as_str()))
        };
        if let Some(found) = by_id.or_else(|| all.iter().find(is_named)) {
            return Ok(found);
        }
        match (&self.login, self.pinned, all) {
            (Some(login), ..) => {
                Err(format!("the GitHub App is not installed on {}: {INSTALL}", Quoted(login.as_str())))
            }
            (None, Some(id), _) => {
                Err(format!("the GitHub App is not installed on the organisation {id}: {INSTALL}"))
            }
            (None, None, [only]) => Ok(only),
            (None, None, []) => {
                Err(format!("the GitHub App is not installed on any organisation: {INSTALL}"))
            }
            (None, None, _) => {
                Err("the GitHub App is installed on several organisations: set GH_ORG to one of them".into())
            }
        }
    }
}

const INSTALL: &str = "an owner of the organisation installs it: the App's settings → Install App";

/// Pauses the whole host: without an installation's token, nothing can be asked.
fn refused(host: &Upstream, reply: Reply, why: String) -> Box<Reply> {
    host.refuse(&why);
    Box::new(Reply { verdict: Verdict::Refused(why), ..reply })
}

/// What a failure to get a token means for the call that needed one: never an answer to that call.
fn unusable(host: &Upstream, reply: Reply) -> Box<Reply> {
    match reply.verdict {
        Verdict::Wait(_) | Verdict::Unknown(_) | Verdict::Refused(_) | Verdict::Postponed(_) => {
            Box::new(reply)
        }
        Verdict::Done | Verdict::Nowhere => {
            let why = format!("{} with an unreadable body", reply.answer.status);
            Box::new(Reply { verdict: Verdict::Unknown(why), ..reply })
        }
        _ => {
            let why = format!("gives the GitHub App no token: {}", reply.answer.brief());
            refused(host, reply, why)
        }
    }
}

/// An installation on an organisation; installations on user accounts are ignored.
fn installation(row: &Value) -> Option<Installation> {
    let is_orgs = row.get("target_type").is_none_or(|target| target == "Organization");
    let account = row.get("account")?;
    let (id, org) = (row.get("id")?.as_u64()?, account.get("id")?.as_u64()?);
    let account = OrgRef { id: GithubOrgId(org), login: Login::from(account.get("login")?.as_str()?) };
    is_orgs.then_some(Installation { id: InstallationId(id), account })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(id: u64, org: u64, login: &str) -> Installation {
        let account = OrgRef { id: GithubOrgId(org), login: Login::from(login.to_string()) };
        Installation { id: InstallationId(id), account }
    }

    #[test]
    fn the_installation_is_that_of_the_pinned_then_of_the_named_organisation_then_the_only_one() {
        let whose = |login: Option<&str>, pinned: Option<u64>| Whose {
            login: login.map(|login| Login::from(login.to_string())),
            pinned: pinned.map(GithubOrgId),
        };
        let two = [installed(1, 10, "acme"), installed(2, 20, "beta")];
        let chosen = |whose: &Whose, all: &[Installation]| whose.choose(all).map(|found| found.id.0);
        assert_eq!(chosen(&whose(Some("ACME"), None), &two), Ok(1));
        assert_eq!(chosen(&whose(Some("acme"), Some(20)), &two), Ok(2), "renamed since");
        assert_eq!(chosen(&whose(None, Some(20)), &two), Ok(2));
        assert_eq!(chosen(&whose(None, None), &two[..1]), Ok(1));
        assert!(chosen(&whose(None, None), &two).unwrap_err().contains("several"));
        assert!(chosen(&whose(Some("x"), None), &two[..1]).unwrap_err().contains("not installed on \"x\""));
        assert!(chosen(&whose(None, Some(9)), &two[..1])
            .unwrap_err()
            .contains("not installed on the organisation 9"));
        assert!(chosen(&whose(None, None), &[]).unwrap_err().contains("not installed on any"));
    }
}
