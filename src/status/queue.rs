//! Unfinished work: queued deliveries, waiting teams and other delays, each with its last reason and its next try.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::clock::{Shown, Timestamp};
use crate::queue::job::LaneKey;
use crate::queue::lanes::Entry;
use crate::state::ids::{GithubTeamId, Seq};
use crate::state::values::Delivery;
use crate::state::{names, State};
use crate::status::Observer;
use crate::text::{plain, Safe};

/// Why something is not done yet, and when the next try is. Only a running service knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Why the last try failed, or why it cannot be tried. Absent if neither is known.
    pub why: Option<String>,
    pub why_since: Option<Shown>,
    /// When the next try is, at the latest. Absent if that is not known.
    pub next_try: Option<Shown>,
    pub at_work: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Queued {
    #[serde(skip)]
    seq: Seq,
    pub delivery: String,
    /// `event.action`.
    pub event: &'static str,
    pub team: Option<u64>,
    /// That team's slug, as the delivery gave it.
    pub slug: Option<String>,
    pub since: Shown,
    #[serde(flatten)]
    pub attempt: Attempt,
}

/// Delayed work that no delivery waits for: a team's share of a comparison, a decision, a wanted person.
#[derive(Clone, Debug, Serialize)]
pub struct Delayed {
    /// The team or the person.
    pub what: String,
    pub team: Option<u64>,
    /// The event or work that led to it.
    pub event: &'static str,
    #[serde(flatten)]
    pub attempt: Attempt,
}

#[derive(Clone, Debug, Serialize)]
pub struct Wait {
    pub team: u64,
    /// Its slug in Sentry, or else the last one that GitHub has reported.
    pub slug: Option<String>,
    /// The team that has the slug.
    pub waits_for: u64,
    pub wants: Option<String>,
    /// The team is also tried as soon as the slug is free.
    #[serde(flatten)]
    pub attempt: Attempt,
}

/// The reason why nothing at all can be tried.
pub(super) struct Standstill {
    pub why: String,
    pub since: Timestamp,
    /// Nothing is tried until then; `None` if the end is not known.
    pub until: Option<Timestamp>,
}

impl Queued {
    /// A delivery, with only what the state knows of it.
    pub(crate) fn of(delivery: &Delivery) -> Self {
        let team = delivery.event.team();
        let slug = team.and_then(|team| team.slug.as_ref());
        Self {
            seq: delivery.seq,
            delivery: delivery.guid.to_string(),
            event: delivery.event.name(),
            team: team.map(|team| team.id.0),
            slug: slug.map(|slug| plain(slug.as_str(), 100)),
            since: delivery.at.into(),
            attempt: Attempt::default(),
        }
    }

    /// The team, as it follows the event: ``, GitHub team `crew` (7)``.
    pub(super) fn team_named(&self) -> String {
        match (&self.slug, self.team) {
            (Some(slug), Some(team)) => format!(", GitHub team `{slug}` ({team})"),
            (None, Some(team)) => format!(", GitHub team {team}"),
            (_, None) => String::new(),
        }
    }
}

impl Attempt {
    /// Combines the entries of one piece of work: the oldest reason and the earliest next try.
    fn of(entries: &[&Entry], pause: Option<&Standstill>, clocks: (Timestamp, Instant)) -> Self {
        let (now, instant) = clocks;
        let next = |entry: &Entry| entry.next.map(|next| now.after(next.saturating_duration_since(instant)));
        let at_work = entries.iter().any(|entry| entry.next.is_none());
        let reason =
            entries.iter().filter_map(|entry| entry.put_off.as_ref()).min_by_key(|known| known.since);
        let next_try = entries.iter().copied().filter_map(next).min();
        // Work whose next try is after the end of the pause is delayed for its own reason.
        let is_held_up =
            |pause: &&Standstill| reason.is_none() || pause.until.is_none() || next_try <= pause.until;
        let (why, since, next_try) = match pause.filter(|_| !at_work).filter(is_held_up) {
            Some(pause) => (Some(pause.why.clone()), Some(pause.since), pause.until),
            None => {
                let next_try = next_try.filter(|_| !at_work).map(|next| next.max(now));
                (reason.map(|known| known.why.to_string()), reason.map(|known| known.since), next_try)
            }
        };
        Self { why, why_since: since.map(Shown::from), next_try: next_try.map(Shown::from), at_work }
    }
}

impl Observer {
    pub(super) fn standstill(&self, now: Timestamp) -> Option<Standstill> {
        let (wait, why) = self.mirror().paused_for()?;
        // A wait of a second means that the end is not known, only that the next look is in a second.
        let until = (wait > Duration::from_secs(1)).then(|| now.after(wait));
        Some(Standstill { since: self.conditions.paused_since(now, &why), why, until })
    }

    /// Adds the attempts to queued deliveries and waiting teams. Returns the other work that was put off, oldest first.
    pub(crate) fn add_attempts(&self, queue: &mut [Queued], waits: &mut [Wait]) -> Vec<Delayed> {
        let clocks = (self.mirror().clock.wall(), self.mirror().clock.now());
        let pause = self.standstill(clocks.0);
        let seqs: BTreeSet<Seq> = queue.iter().map(|queued| queued.seq).collect();
        let teams: BTreeSet<u64> = waits.iter().map(|wait| wait.team).collect();
        let entries = self.mirror().queue.lanes.entries(|delivery, put_off| match delivery {
            Some(seq) => seqs.contains(&seq) || put_off && !teams.is_empty(),
            None => put_off,
        });
        let attempt = |entries: &[&Entry]| Attempt::of(entries, pause.as_ref(), clocks);
        for queued in queue {
            let own: Vec<_> = entries.iter().filter(|entry| entry.delivery == Some(queued.seq)).collect();
            queued.attempt = attempt(&own);
        }
        for wait in waits {
            let key = LaneKey::Team(GithubTeamId(wait.team));
            let own = entries.iter().filter(|entry| entry.key == key && entry.put_off.is_some());
            wait.attempt = attempt(&own.collect::<Vec<_>>());
        }
        let mut others: BTreeMap<(LaneKey, &'static str), Vec<&Entry>> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.delivery.is_none()) {
            others.entry((entry.key, entry.event)).or_default().push(entry);
        }
        let since = |entry: &&Entry| Some(entry.put_off.as_ref()?.since);
        let oldest = |entries: &[&Entry]| entries.iter().filter_map(since).min();
        let mut others: Vec<_> = others.into_iter().map(|(key, own)| (oldest(&own), key, own)).collect();
        others.sort_by_key(|(since, key, _)| (*since, *key));
        let delayed = |(_, (key, event), own): (_, (LaneKey, &'static str), Vec<&Entry>)| {
            let (what, team) = self.mirror().state(|state| name_of(state, key));
            Delayed { what, team, event, attempt: attempt(&own) }
        };
        others.into_iter().map(delayed).collect()
    }
}

fn name_of(state: &State, key: LaneKey) -> (String, Option<u64>) {
    match key {
        LaneKey::Team(team) => (names::name_of(state, team), Some(team.0)),
        LaneKey::Person(user) => (format!("GitHub user {user}"), None),
        LaneKey::Org => ("the organisation".into(), None),
    }
}

impl fmt::Display for Attempt {
    /// As it follows the work in a line: `: no answer, since …; next try …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.why {
            write!(f, ": {}", Safe(why))?;
            if let Some(since) = &self.why_since {
                write!(f, ", since {since}")?;
            }
        }
        match (&self.next_try, self.at_work) {
            (_, true) => f.write_str("; in progress"),
            (Some(next), false) => write!(f, "; next try {next}"),
            (None, false) => Ok(()),
        }
    }
}

impl fmt::Display for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.event, Safe(&self.delivery), self.team_named())
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.slug {
            Some(slug) => write!(f, "GitHub team `{slug}` ({})", self.team)?,
            None => write!(f, "GitHub team {}", self.team)?,
        }
        match &self.wants {
            Some(slug) => {
                write!(f, " waits for the slug `{slug}`, which GitHub team {} still has", self.waits_for)
            }
            None => write!(f, " waits for the slug of GitHub team {}", self.waits_for),
        }
    }
}

impl Wait {
    pub(crate) fn of((team, on): (GithubTeamId, GithubTeamId), state: &State) -> Self {
        let bound = |team| state.teams.binding(team).map(|binding| binding.slug.to_string());
        let told = || names::told_slug(state, team).map(|slug| plain(slug.as_str(), 100));
        let (slug, wants) = (bound(team).or_else(told), bound(on));
        Self { team: team.0, slug, waits_for: on.0, wants, attempt: Attempt::default() }
    }
}
