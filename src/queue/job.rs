//! The contents of a lane: hints that say which team and person to look at again, and their outcomes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::lock::Mutex;
use crate::queue::part::Part;
use crate::queue::restore_request::Undo;
use crate::state::event::{Change, Event, Person, TeamRef};
use crate::state::holds::HoldName;
use crate::state::ids::{GithubSlug, GithubTeamId, GithubUserId, Seq};
use crate::state::values::Delivery;

/// One reason to look at a team, a person or the organisation.
#[derive(Clone, Debug)]
pub struct Hint {
    /// Its place among the deliveries. The newest one about the same team and person wins.
    pub seq: Seq,
    pub origin: Origin,
    pub ask: Ask,
    /// When it can run.
    pub due: Instant,
    /// Whether it waits for `due` even if the lane is worked on earlier. Used for a second look.
    pub patient: bool,
    /// How often GitHub gave no clear answer about it.
    pub looks: u8,
    /// How often it was put off because something failed.
    pub tries: u32,
    /// Why it isn't done yet, if it was tried.
    pub put_off: Option<PutOff>,
}

/// Why a hint isn't done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOff {
    /// The reason at the last try.
    pub why: Arc<str>,
    /// When that reason came up first.
    pub since: Timestamp,
}

#[derive(Clone, Debug)]
pub enum Origin {
    /// A delivery, which is settled when this hint is.
    Delivery(Arc<Delivery>),
    /// One of several hints made from a delivery.
    Part(Arc<Whole>),
    Own(Own),
}

/// Why the mirror itself asked for a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// The outcome of an earlier call is unknown and must be found out.
    OpenIntent,
    /// A team was just created or adopted, and its people are still to be looked at.
    FillTeam,
    /// A person decided about a hold.
    Decision,
    /// An event about a child team also counts for its parent team.
    ChildTeam,
    /// Another team needs the slug that this one still has.
    SlugIsWanted,
    /// The team ended a moment ago, but may still exist.
    Ended,
    /// An event ended the parent team.
    ParentIsDeleted,
    /// A Sentry team that it may not adopt had its slug, and may be gone by now.
    DisputedSlug,
    /// A person without a match may be in Sentry by now.
    WantedPerson,
    Reconcile,
    /// A person asked to restore a deleted team.
    Undo,
}

impl Own {
    /// The name in log and audit.
    pub fn name(self) -> &'static str {
        match self {
            Own::OpenIntent => "open intent",
            Own::FillTeam => "fill team",
            Own::Decision => "decision",
            Own::ChildTeam => "child team",
            Own::SlugIsWanted => "slug needed elsewhere",
            Own::Ended => "deletion noticed",
            Own::ParentIsDeleted => "parent deleted",
            Own::DisputedSlug => "slug conflict",
            Own::WantedPerson => "person without a match",
            Own::Reconcile => "reconcile",
            Own::Undo => "undo",
        }
    }

    /// Whether neither a delivery nor a person asked for it. Comparisons aren't included: they hold themselves back.
    fn is_unasked(self) -> bool {
        matches!(self, Own::DisputedSlug | Own::WantedPerson)
    }
}

#[derive(Clone, Debug)]
pub enum Ask {
    /// The event of its delivery.
    Event,
    Member {
        person: Person,
        /// The change that an event reported; `None` only asks for a look.
        change: Option<Change>,
        /// No look at GitHub is needed: it was just read there, or follows from what was.
        sure: bool,
    },
    /// The team's slug and name, everything open for it, and whether it must end.
    Team,
    /// One team's share of a comparison, one call at a time, when nothing else can run.
    Part(Arc<Part>),
    /// Restores a deleted Sentry team.
    Undo(Arc<Undo>),
}

/// A delivery that became several hints. It's settled when all of them are.
#[derive(Debug)]
pub struct Whole {
    delivery: Arc<Delivery>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    parts: usize,
    failed: Option<String>,
    notes: Vec<String>,
}

/// How many notes are shown for a delivery with several parts.
const MOST_NOTES: usize = 5;

impl Whole {
    pub fn new(delivery: Arc<Delivery>, parts: usize) -> Arc<Self> {
        Arc::new(Self { delivery, open: Mutex::new(Open { parts, ..Open::default() }) })
    }

    pub fn delivery(&self) -> &Arc<Delivery> {
        &self.delivery
    }

    /// Ends a part. For the last one, returns how the whole ended.
    pub fn part_ended(&self, note: Result<String, String>) -> Option<Result<String, String>> {
        let mut open = self.open.lock();
        open.parts = open.parts.saturating_sub(1);
        match note {
            Ok(note) => open.notes.push(note),
            Err(why) => open.failed = open.failed.take().or(Some(why)),
        }
        if open.parts > 0 {
            return None;
        }
        let Open { failed, mut notes, .. } = std::mem::take(&mut *open);
        if let Some(why) = failed {
            return Some(Err(why));
        }
        let more = notes.len().saturating_sub(MOST_NOTES);
        notes.sort();
        notes.dedup();
        notes.truncate(MOST_NOTES);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Some(Ok(notes.join("; ") + &more))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; what it caused.
    Done(String),
    Superseded(String),
    /// A guard held it; the hold, and the rule.
    Held(HoldName, String),
    /// It cannot be carried out.
    Failed(String),
    /// Something failed. It's tried again after a growing delay, or after the given one.
    Later(String, Option<Duration>),
    /// GitHub gave no clear answer. It's looked at again after this time, without delaying the rest of the team.
    LookAgain(String, Duration),
    /// The team waits for other work. It's tried again when that is done, or after five minutes.
    Waiting(String),
    /// One of several calls was made. The next follows as soon as nothing else can run.
    GoOn,
}

impl Outcome {
    /// Adds a note about work that was done before.
    pub fn after(self, note: &str) -> Self {
        match self {
            Outcome::Done(more) => Outcome::Done(format!("{note}; {more}")),
            other => other,
        }
    }
}

impl Hint {
    /// A hint for a delivery, which can run at once.
    pub fn of_delivery(delivery: Arc<Delivery>, now: Instant) -> Self {
        Self::new(delivery.seq, Origin::Delivery(delivery), Ask::Event, now)
    }

    /// A hint from the mirror itself, or for a part of a delivery.
    pub fn new(seq: Seq, origin: Origin, ask: Ask, due: Instant) -> Self {
        Self { seq, origin, ask, due, patient: false, looks: 0, tries: 0, put_off: None }
    }

    /// It was tried and isn't done. If the reason is the same as before, the time it first came up stays.
    pub fn put_off(&mut self, why: &str, now: Timestamp) {
        if self.put_off.as_ref().is_none_or(|known| *known.why != *why) {
            self.put_off = Some(PutOff { why: why.into(), since: now });
        }
    }

    /// Why the service itself asked for a look at the team, unless a person's decision led to it.
    pub fn own_look(&self) -> Option<Own> {
        match (&self.origin, &self.ask) {
            (Origin::Own(own), Ask::Team) if *own != Own::Decision => Some(*own),
            _ => None,
        }
    }

    /// Whether it gives way to everything else.
    pub fn is_low(&self) -> bool {
        matches!(self.ask, Ask::Part(_))
    }

    /// Whether neither a delivery nor a person asked for it. Nothing is written for such a hint before a person has
    /// approved the first comparison.
    pub fn is_unasked(&self) -> bool {
        matches!(self.origin, Origin::Own(why) if why.is_unasked())
    }

    pub fn undo(&self) -> Option<&Undo> {
        match &self.ask {
            Ask::Undo(undo) => Some(undo),
            _ => None,
        }
    }

    pub fn delivery(&self) -> Option<&Arc<Delivery>> {
        match &self.origin {
            Origin::Delivery(delivery) => Some(delivery),
            Origin::Part(whole) => Some(whole.delivery()),
            Origin::Own(_) => None,
        }
    }

    pub fn seq_of_delivery(&self) -> Option<Seq> {
        self.delivery().map(|delivery| delivery.seq)
    }

    /// Its event or other cause, for log and audit log.
    pub fn event_name(&self) -> &'static str {
        match &self.origin {
            Origin::Own(why) => why.name(),
            _ => self.delivery().map_or("", |delivery| delivery.event.name()),
        }
    }

    /// The event, if the hint is for all of it.
    pub fn event(&self) -> Option<&Event> {
        match (&self.ask, &self.origin) {
            (Ask::Event, Origin::Delivery(delivery)) => Some(&delivery.event),
            _ => None,
        }
    }

    pub fn team_ref(&self) -> Option<&TeamRef> {
        self.delivery().and_then(|delivery| delivery.event.team())
    }

    /// The slug in the event.
    pub fn slug(&self) -> Option<&GithubSlug> {
        self.team_ref().and_then(|team| team.slug.as_ref())
    }

    /// The person to look at in the team, the change that an event reported, and whether no look at GitHub is needed.
    pub fn member(&self) -> Option<(&Person, Option<Change>, bool)> {
        match (&self.ask, self.event()) {
            (Ask::Member { person, change, sure }, _) => Some((person, *change, *sure)),
            (_, Some(Event::Membership { person: Some(person), change, .. })) => {
                Some((person, Some(*change), false))
            }
            _ => None,
        }
    }

    /// The account whose membership it is about.
    pub fn user(&self) -> Option<GithubUserId> {
        self.member().map(|(person, _, _)| person.id)
    }
}

/// A lane. Its work is done one job at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneKey {
    Org,
    /// A person across teams.
    Person(GithubUserId),
    Team(GithubTeamId),
}

impl LaneKey {
    /// The lane for a delivery's hint.
    pub fn of(event: &Event) -> Self {
        match event {
            Event::MemberAdded { person: Some(person) } | Event::MemberRemoved { person: Some(person) } => {
                LaneKey::Person(person.id)
            }
            // An event that names no person may be about anybody.
            Event::MemberAdded { person: None } | Event::MemberRemoved { person: None } => LaneKey::Org,
            Event::OrgRenamed { .. } | Event::OrgDeleted => LaneKey::Org,
            Event::TeamCreated { team }
            | Event::TeamEdited { team, .. }
            | Event::TeamDeleted { team }
            | Event::Membership { team, .. } => LaneKey::Team(team.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ids::{GithubUserId, HookId, Login};

    fn whole(parts: usize) -> Arc<Whole> {
        let delivery = Delivery {
            seq: Seq(1),
            at: Timestamp(0),
            hook: HookId(1),
            guid: "g".into(),
            event: Event::OrgDeleted,
        };
        Whole::new(Arc::new(delivery), parts)
    }

    #[test]
    fn a_whole_ends_with_its_last_part() {
        let three = whole(3);
        assert_eq!(three.part_ended(Ok("b".into())), None);
        assert_eq!(three.part_ended(Ok("a".into())), None);
        assert_eq!(three.part_ended(Ok("a".into())), Some(Ok("a; b".into())));
    }

    #[test]
    fn a_reason_holds_since_it_came_up_first() {
        let person = Person { id: GithubUserId(1), login: Login::from("x"), bot: false };
        let ask = Ask::Member { person, change: None, sure: false };
        let mut hint = Hint::new(Seq(1), Origin::Own(Own::FillTeam), ask, Instant::now());
        let mut told = |why: &str, now| {
            hint.put_off(why, Timestamp(now));
            hint.put_off.clone().map(|known| (known.why.to_string(), known.since.0))
        };
        assert_eq!(told("a", 1), Some(("a".into(), 1)));
        assert_eq!(told("a", 2), Some(("a".into(), 1)));
        assert_eq!(told("b", 3), Some(("b".into(), 3)));
    }

    #[test]
    fn one_failed_part_fails_the_whole() {
        let two = whole(2);
        assert_eq!(two.part_ended(Err("no".into())), None);
        assert_eq!(two.part_ended(Ok("a".into())), Some(Err("no".into())));
    }
}
