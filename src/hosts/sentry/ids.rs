//! How a bound team is addressed: by its id if the host takes ids in place of slugs, otherwise by its slug.
//!
//! Current Sentry takes ids, older versions do not, and only an answer shows which one it is. So the service asks once,
//! keeps the result, and asks again if an answer contradicts it. An id alone proves little: a team whose deletion is
//! pending still answers by id, with another slug that leads to a 404. So a team found by id counts only if its slug
//! leads to it too.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{wire, Sentry, Team};
use crate::clock::{Clock, Timestamp};
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::{unless_denied, Seen};
use crate::lock::Mutex;
use crate::state::ids::{SentrySlug, SentryTeamId};
use crate::state::slug;
use crate::state::values::{Binding, Origin};

/// A host that takes no ids is asked again after this time: it may have been upgraded, which nothing else would show.
const ASK_AGAIN: Duration = Duration::from_secs(24 * 3600);
/// A team that was seen alive needs no second look for this long.
const ALIVE_FOR: Duration = Duration::from_secs(60);
/// How many looks are remembered before old ones are dropped.
const MOST_SEEN: usize = 1000;
/// How often a team is read if its slug changes each time.
const READINGS: usize = 3;
/// When to look again at a team that may be another server's.
const HELD_FOR: Duration = Duration::from_secs(300);
/// The queries that a team is read with.
const PLAIN: &str = "?collapse=organization";
const WITH_PROJECTS: &str = "?collapse=organization&expand=projects";

/// How to find a team: its id, and its slug for hosts that need that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TeamAt<'a> {
    pub id: SentryTeamId,
    /// Its slug when last seen.
    pub slug: &'a SentrySlug,
}

impl Binding {
    pub fn at(&self) -> TeamAt<'_> {
        TeamAt { id: self.sentry, slug: &self.slug }
    }
}

impl Team {
    pub fn at(&self) -> TeamAt<'_> {
        TeamAt { id: self.id, slug: &self.slug }
    }

    /// The binding of a GitHub team that follows this one.
    pub fn bound(&self, origin: Origin) -> Binding {
        Binding { sentry: self.id, slug: self.slug.clone(), name: self.name.as_str().into(), origin }
    }
}

/// Stores whether the host takes ids.
type Keep = Box<dyn Fn(bool) + Send + Sync>;

/// What is known about whether a host takes ids.
pub struct Ids {
    clock: Clock,
    known: Mutex<Known>,
    keep: OnceLock<Keep>,
    /// Bound teams that were recently seen alive.
    seen: Mutex<HashMap<SentryTeamId, Instant>>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    /// Whether the host takes ids, and when that was found out.
    taken: Option<(bool, Timestamp)>,
    /// The teams were bound on another host, or in another organisation: here, their ids may belong to other teams.
    moved: bool,
}

impl Ids {
    pub fn new(clock: Clock) -> Self {
        Self { clock, known: Mutex::default(), keep: OnceLock::new(), seen: Mutex::default() }
    }

    /// Takes what was known before this process started, and the function that stores what it finds out.
    pub fn remember(&self, taken: Option<(bool, Timestamp)>, moved: bool, keep: Keep) {
        *self.known.lock() = Known { taken, moved };
        let _ = self.keep.set(keep);
    }

    pub fn are_taken(&self) -> bool {
        self.known.lock().taken.is_some_and(|(taken, _)| taken)
    }

    /// Whether the host has to be asked.
    pub fn are_unknown(&self, now: Timestamp) -> bool {
        match self.known.lock().taken {
            Some((true, _)) => false,
            Some((false, at)) => now.since(at) >= ASK_AGAIN,
            None => true,
        }
    }

    /// Whether the teams were bound on another host, and it is not confirmed yet that they are the same here.
    pub fn are_of_another_host(&self) -> bool {
        self.known.lock().moved
    }

    pub fn learn(&self, taken: bool) {
        let mut known = self.known.lock();
        let before = known.taken.replace((taken, self.clock.wall())).map(|(taken, _)| taken);
        let moved = std::mem::take(&mut known.moved);
        drop(known);
        if before == Some(true) && !taken {
            log::warn!("Sentry no longer accepts team ids; addressing teams by slug");
        } else if before != Some(taken) || moved {
            let by = if taken { "ids" } else { "slugs" };
            log::info!("addressing Sentry's teams by {by}");
        }
        if let Some(keep) = self.keep.get() {
            keep(taken);
        }
    }

    /// Like [`Ids::learn`], for what another call shows: keeps only news, and only if the host has not changed.
    fn learn_news(&self, taken: bool) {
        let known = *self.known.lock();
        if !known.moved && known.taken.is_none_or(|(before, _)| before != taken) {
            self.learn(taken);
        }
    }

    fn saw_alive(&self, id: SentryTeamId) {
        let mut seen = self.seen.lock();
        if seen.len() >= MOST_SEEN {
            seen.retain(|_, at| self.clock.since(*at) < ALIVE_FOR);
        }
        seen.insert(id, self.clock.now());
    }

    fn was_seen_alive(&self, id: SentryTeamId) -> bool {
        self.seen.lock().get(&id).is_some_and(|at| self.clock.since(*at) < ALIVE_FOR)
    }
}

/// What an id leads to.
enum ById {
    /// The team, whose slug leads to it too.
    Alive(Team),
    /// A team whose slug does not lead to it: its deletion is pending.
    Pending,
    Nobody,
}

impl Sentry {
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// How URLs name a team. Only this function chooses between id and slug.
    pub(super) fn key(&self, at: TeamAt) -> String {
        if self.ids.are_taken() {
            at.id.to_string()
        } else {
            at.slug.to_string()
        }
    }

    /// The bound team as it is now: under its slug or, if the host takes ids, under any slug. `None` if it is not
    /// there. By slug, it may also have been renamed, which [`Sentry::find`] finds out.
    pub fn bound(&self, at: TeamAt) -> Seen<Team> {
        self.bound_as(at, PLAIN)
    }

    pub fn bound_with_projects(&self, at: TeamAt) -> Seen<Team> {
        self.bound_as(at, WITH_PROJECTS)
    }

    fn bound_as(&self, at: TeamAt, query: &str) -> Seen<Team> {
        if !self.ids.are_taken() {
            return self.by_slug(at, query);
        }
        match self.by_id(at, query)? {
            ById::Alive(team) => Ok(Some(team)),
            ById::Pending => Ok(None),
            ById::Nobody => {
                let team = self.by_slug(at, query)?;
                if team.is_some() {
                    self.ids.learn_news(false);
                }
                Ok(team)
            }
        }
    }

    /// The team that `at` was, under whatever slug it has now. Newer Sentry finds teams by id; older Sentry only
    /// through the list, which needs *Organization: Read*. `None` if neither finds it.
    pub fn find(&self, at: TeamAt) -> Seen<Team> {
        let was_by_id = self.ids.are_taken();
        let found = match self.by_id(at, PLAIN)? {
            ById::Alive(team) => Some(team),
            ById::Pending => None,
            ById::Nobody if was_by_id => {
                let found = match self.by_slug(at, PLAIN)? {
                    None => self.listed(at.id)?,
                    found => found,
                };
                if found.is_some() {
                    self.ids.learn_news(false);
                }
                found
            }
            ById::Nobody => self.listed(at.id)?,
        };
        found.map(|team| self.found(at, team)).transpose()
    }

    /// The team that `at` was, under the same slug or another one.
    pub fn look_for(&self, at: TeamAt) -> Seen<Team> {
        // If the host takes ids, `find` needs no slug.
        if !self.ids.are_taken() {
            if let Some(team) = self.by_slug(at, PLAIN)? {
                return Ok(Some(team));
            }
        }
        self.find(at)
    }

    fn by_slug(&self, at: TeamAt, query: &str) -> Seen<Team> {
        Ok(self.team_at(at.slug.as_str(), query)?.filter(|team| team.id == at.id))
    }

    /// Until the ids are confirmed on another host, a team with this id but another slug may be any team.
    fn found(&self, at: TeamAt, team: Team) -> Result<Team, Trouble> {
        if team.slug == *at.slug || !self.ids.are_of_another_host() {
            return Ok(team);
        }
        let why = format!(
            "SENTRY_URL or SENTRY_ORG_SLUG has changed, and Sentry team {} is `{}` here and was `{}`: nothing is done with it; if it is the same team, give it its slug back in Sentry; if this is another Sentry, give it a SYNC_STATE_DIR of its own",
            at.id, team.slug, at.slug
        );
        let call = format!("GET {}", self.team_path(&at.id.to_string()));
        Err(Trouble::of_call(TroubleKind::Later(HELD_FOR), call, why))
    }

    fn listed(&self, id: SentryTeamId) -> Seen<Team> {
        let path = self.org_path(&format!("teams/?detailed=0&query=id%3A{id}"));
        let rows = unless_denied(self.get::<Vec<wire::TeamRow>>(path))?;
        let mut teams = rows.into_iter().flatten().filter_map(wire::TeamRow::into_team);
        Ok(teams.find(|team| team.id == id))
    }

    /// Looks a team up by its id. A slug of 49 or 50 characters may stay with a team while its deletion is pending, so
    /// even if it is the bound slug, it has to lead to the team.
    fn by_id(&self, at: TeamAt, query: &str) -> Result<ById, Trouble> {
        let id = at.id.to_string();
        let mut before: Option<Team> = None;
        for _ in 0..READINGS {
            let Some(team) = self.team_at(&id, query)?.filter(|team| team.id == at.id) else {
                return Ok(ById::Nobody);
            };
            // Old Sentry has slugs that are all digits, so such an answer does not prove that ids are taken.
            if team.slug.as_str() != id {
                self.ids.learn_news(true);
            }
            if before.is_some_and(|before| before.slug == team.slug) {
                return Ok(ById::Pending);
            }
            let is_plain = team.slug == *at.slug && !slug::is_kept_after_deletion(&team.slug);
            if is_plain || self.team(&team.slug)?.is_some_and(|now| now.id == at.id) {
                self.ids.saw_alive(at.id);
                return Ok(ById::Alive(team));
            }
            // It may have been renamed between the two calls.
            before = Some(team);
        }
        Err(Trouble::broken(&self.team_path(&id), "the team has another slug at each look"))
    }

    /// The bound team, if it is alive and is the one that a write hit. By slug, the id in the answer decides. By id, it
    /// is this team in any case, but its slug has to lead to it too.
    pub fn confirm(&self, at: TeamAt, hit: &Team) -> Seen<Team> {
        match hit.id == at.id {
            true if hit.slug == *at.slug || !self.ids.are_taken() => Ok(Some(hit.clone())),
            true => self.bound(at),
            false => Ok(None),
        }
    }

    /// Whether the bound team is alive, after an answer that contains neither its id nor its slug. Addressed by slug, a
    /// team that is gone would not have answered like that.
    pub fn is_alive(&self, at: TeamAt) -> Result<bool, Trouble> {
        Ok(!self.ids.are_taken() || self.ids.was_seen_alive(at.id) || self.bound(at)?.is_some())
    }

    /// Whether the host finds a team if its id is in the place of a slug.
    pub fn answers_to_id(&self, at: TeamAt) -> Result<bool, Trouble> {
        let team = self.team_at(&at.id.to_string(), PLAIN)?;
        Ok(team.is_some_and(|team| team.id == at.id))
    }
}
