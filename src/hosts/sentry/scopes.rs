//! Which scopes the Sentry token needs, what for, and where to tick each.
//!
//! A refusal may name the missing scopes, and Sentry may list a token's scopes when asked; some hosts do neither.
//!
//! In Sentry's checks, no scope includes another, so each is looked for by its own name. Only `member:read` has
//! substitutes: `member:write` and `member:admin`.

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::lock::{Mutex, Turns};

/// How often Sentry is asked which scopes the token has.
pub const ASKED_EVERY: Duration = Duration::from_secs(60);
/// A server that fails for this long to report the scopes counts as one that does not report them. Otherwise work that
/// needs them would wait for ever.
const FAILS_FOR: Duration = Duration::from_secs(600);

/// A right that the service needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The scope that grants it.
    pub scope: &'static str,
    /// Any one of these scopes is enough.
    any: &'static [&'static str],
    /// What the service cannot do without it.
    pub purpose: &'static str,
    /// The calls that Sentry refuses without it.
    pub calls: &'static str,
    /// What to choose in the integration's permissions.
    pub tick: &'static str,
}

const NEEDED: [Needed; 3] = [
    Needed {
        scope: "team:write",
        any: &["team:write"],
        purpose: "it cannot create or rename teams, or add anybody to one",
        calls: "POST /organizations/{org}/teams/, POST /organizations/{org}/members/{id}/teams/{slug}/",
        tick: "Team: Admin",
    },
    Needed {
        scope: "team:admin",
        any: &["team:admin"],
        purpose: "it cannot delete teams or, on newer Sentry, remove anybody from one",
        calls: "DELETE /teams/{org}/{slug}/, DELETE /organizations/{org}/members/{id}/teams/{slug}/",
        tick: "Team: Admin",
    },
    Needed {
        scope: "member:read",
        any: &["member:read", "member:write", "member:admin"],
        purpose: "it cannot see who is in Sentry, so nobody is matched",
        calls: "GET /organizations/{org}/members/",
        tick: "Member: Read & Write",
    },
];

fn has(scopes: &[String], any: &[&str]) -> bool {
    any.iter().any(|name| scopes.iter().any(|scope| scope == name))
}

pub fn lacking(scopes: &[String]) -> Vec<Needed> {
    NEEDED.into_iter().filter(|needed| !has(scopes, needed.any)).collect()
}

/// The right that a refusal is about, by the scopes that it names as enough; `None` if the service needs none of these.
pub fn lacked(sufficient: &[String]) -> Option<Needed> {
    NEEDED.into_iter().find(|needed| sufficient.iter().any(|scope| scope == needed.scope))
}

/// What is known of a token's scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    Scopes(Vec<String>),
    /// Sentry does not report them.
    Untold,
    /// Sentry could not answer just now.
    NotNow,
}

/// Sentry's last answer about the scopes.
#[derive(Debug, Default)]
pub struct Told {
    asked: Option<Instant>,
    known: Option<Option<Vec<String>>>,
    fails_since: Option<Instant>,
}

impl Told {
    pub fn is_due(&self, now: Instant) -> bool {
        self.asked.is_none_or(|at| now.saturating_duration_since(at) >= ASKED_EVERY)
    }

    /// Takes the answer: `Ok(None)` if the server does not report scopes, `Err` if it could not be asked.
    pub fn learn<E>(&mut self, told: Result<Option<Vec<String>>, E>, now: Instant) {
        match told {
            Ok(known) => *self = Self { asked: Some(now), known: Some(known), fails_since: None },
            // The known scopes may be out of date, so the next caller asks again.
            Err(_) => {
                *self = Self { fails_since: self.fails_since.or(Some(now)), ..Self::default() };
            }
        }
    }

    pub fn known(&self, now: Instant) -> Known {
        let fails_long = |since: Instant| now.saturating_duration_since(since) >= FAILS_FOR;
        match &self.known {
            Some(Some(scopes)) => Known::Scopes(scopes.clone()),
            Some(None) => Known::Untold,
            None if self.fails_since.is_some_and(fails_long) => Known::Untold,
            None => Known::NotNow,
        }
    }
}

/// The scopes of the token in use, read when they are needed.
#[derive(Debug, Default)]
pub struct InUse {
    told: Mutex<Told>,
    /// Concurrent callers wait until the first one has asked, and then use its answer.
    asking: Turns,
}

impl InUse {
    /// Forgets the scopes, because the token was replaced.
    pub fn forget(&self) {
        // A call in progress still asks about the previous token, so wait for it to end.
        let _turn = self.asking.take();
        *self.told.lock() = Told::default();
    }

    /// Whether the token may give a team projects; `None` if that is not known without asking.
    pub fn give_projects_back(&self, clock: &Clock) -> Option<bool> {
        match self.told.lock().known(clock.now()) {
            Known::Scopes(scopes) => Some(has(&scopes, &["project:write", "project:admin"])),
            Known::Untold | Known::NotNow => None,
        }
    }

    /// `ask` asks Sentry; it is called if the last answer is too old.
    pub fn known<E>(&self, ask: impl FnOnce() -> Result<Option<Vec<String>>, E>, clock: &Clock) -> Known {
        let _turn = self.asking.take();
        let is_due = self.told.lock().is_due(clock.now());
        if is_due {
            let answer = ask();
            self.told.lock().learn(answer, clock.now());
        }
        self.told.lock().known(clock.now())
    }
}

/// Whether a token with these scopes may invite people: on Sentry 23.7, and on newer servers.
pub fn may_invite(scopes: &[String]) -> (bool, bool) {
    (has(scopes, &["member:admin"]), has(scopes, &["member:admin", "member:write"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permissions_of_the_original_lack_nothing() {
        let scopes = |list: &[&str]| list.iter().map(|scope| scope.to_string()).collect::<Vec<_>>();
        let original = ["team:read", "team:write", "team:admin", "member:read", "member:write"];
        assert!(lacking(&scopes(&original)).is_empty());
        let lacks: Vec<_> =
            lacking(&scopes(&["team:admin", "org:read"])).into_iter().map(|needed| needed.scope).collect();
        assert_eq!(lacks, ["team:write", "member:read"]);
        assert_eq!(may_invite(&scopes(&original)), (false, true));
    }

    #[test]
    fn a_refusal_names_what_the_mirror_lacks() {
        let of = |named: &[&str]| {
            let named: Vec<_> = named.iter().map(|scope| scope.to_string()).collect();
            lacked(&named).map(|needed| needed.scope)
        };
        assert_eq!(of(&["org:read", "org:write", "team:write"]), Some("team:write"));
        assert_eq!(of(&["org:read", "org:write", "org:admin", "team:admin"]), Some("team:admin"));
        assert_eq!(of(&["member:read", "member:write", "member:admin"]), Some("member:read"));
        assert_eq!(of(&["project:write", "project:admin"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn scopes_that_can_not_be_had_are_not_waited_for_for_ever() {
        let (mut told, start) = (Told::default(), Instant::now());
        let at = |secs| start + Duration::from_secs(secs);
        assert!(told.is_due(start));
        told.learn(Ok::<_, ()>(Some(vec!["org:read".into()])), start);
        assert_eq!(told.known(at(30)), Known::Scopes(vec!["org:read".into()]));
        assert!(!told.is_due(at(59)) && told.is_due(at(60)));
        told.learn(Err(()), at(60));
        assert!(told.is_due(at(61)), "a failure is no answer");
        told.learn(Err(()), at(600));
        assert_eq!(told.known(at(659)), Known::NotNow);
        assert_eq!(told.known(at(660)), Known::Untold);
        told.learn(Ok::<_, ()>(None), at(700));
        assert_eq!(told.known(at(700)), Known::Untold);
        told.learn(Err(()), at(800));
        assert_eq!(told.known(at(1399)), Known::NotNow, "it was answered in between");
    }
}
