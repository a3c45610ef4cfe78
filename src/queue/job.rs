//! What a lane holds: hints that say which team and person to look at again, and what became of them.

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
    /// Its place among the deliveries: newer news on the same team and person win.
    pub seq: Seq,
    pub origin: Origin,
    pub ask: Ask,
    /// Not before.
    pub due: Instant,
    /// It waits for that moment even if the lane is worked on earlier: a second look.
    pub patient: bool,
    /// How often GitHub was looked at for it without a clear answer.
    pub looks: u8,
    /// How often it was put off because something failed.
    pub tries: u32,
    /// Why it is not done yet, once it was tried.
    pub put_off: Option<PutOff>,
}

/// Why something is not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOff {
    /// The reason, when it was tried last.
    pub why: Arc<str>,
    /// When that reason came up first.
    pub since: Timestamp,
}

#[derive(Clone, Debug)]
pub enum Origin {
    /// A delivery, settled with this hint.
    Delivery(Arc<Delivery>),
    /// One of several hints that a delivery became.
    Part(Arc<Whole>),
    Own(Own),
}

/// Why the mirror looks at something by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// A call whose outcome is not known is to be found out about.
    OpenIntent,
    /// Everybody in a team that was just made or adopted is still to be looked at.
    FillTeam,
    /// A person has decided about something that was held.
    Decision,
    /// An event about a child team counts in the team above it.
    ChildTeam,
    /// An event gave another team the slug that this one has.
    SlugIsWanted,
    /// It ended a moment ago, and may be there all the same.
    Ended,
    /// An event ended the team above.
    ParentIsDeleted,
    /// The Sentry team that this one may not take over may be gone by now.
    DisputedSlug,
    /// Somebody who was waited for may be in Sentry by now.
    WantedPerson,
    Reconcile,
    /// A person wants a deleted team back.
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

    /// Whether neither a delivery nor a person has asked for it. A comparison is not here: it holds itself back.
    fn is_unasked(self) -> bool {
        matches!(self, Own::DisputedSlug | Own::WantedPerson)
    }
}

#[derive(Clone, Debug)]
pub enum Ask {
    /// What its delivery says.
    Event,
    Member {
        person: Person,
        /// What an event said; `None` asks only to look.
        change: Option<Change>,
        /// It was read from GitHub a moment ago, or follows from what was: no need to look again.
        sure: bool,
    },
    /// The team's slug and name, whatever is open for it, and whether it is to be ended.
    Team,
    /// One team's share of a comparison, a call at a time, when nothing else is due.
    Part(Arc<Part>),
    /// A deleted Sentry team is to come back.
    Undo(Arc<Undo>),
}

/// A delivery that became several hints; it is settled when all of them are.
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

/// What is shown of the parts of a whole.
const MOST_NOTES: usize = 5;

impl Whole {
    pub fn new(delivery: Arc<Delivery>, parts: usize) -> Arc<Self> {
        Arc::new(Self { delivery, open: Mutex::new(Open { parts, ..Open::default() }) })
    }

    pub fn delivery(&self) -> &Arc<Delivery> {
        &self.delivery
    }

    /// A part is dealt with. With the last one: how the whole ended.
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
    /// Dealt with; what it caused.
    Done(String),
    Superseded(String),
    /// A guard stopped it; the hold, and the rule.
    Held(HoldName, String),
    /// It can not be carried out.
    Failed(String),
    /// Something failed; again after a growing time, or after the named one.
    Later(String, Option<Duration>),
    /// GitHub gave no clear answer; another look after this time, without holding up the rest of the team.
    LookAgain(String, Duration),
    /// The team waits for something that others have to do; looked at again when that happens, or now and then.
    Waiting(String),
    /// A call of several was made; the next one as soon as nothing else is due.
    GoOn,
}

impl Outcome {
    /// The same after something else was dealt with, too.
    pub fn after(self, note: &str) -> Self {
        match self {
            Outcome::Done(more) => Outcome::Done(format!("{note}; {more}")),
            other => other,
        }
    }
}

impl Hint {
    /// A hint that a delivery gives, due at once.
    pub fn of_delivery(delivery: Arc<Delivery>, now: Instant) -> Self {
        Self::new(delivery.seq, Origin::Delivery(delivery), Ask::Event, now)
    }

    /// A hint of the mirror itself, or a part of a delivery.
    pub fn new(seq: Seq, origin: Origin, ask: Ask, due: Instant) -> Self {
        Self { seq, origin, ask, due, patient: false, looks: 0, tries: 0, put_off: None }
    }

    /// It was tried and is not done. The same reason as before holds since then.
    pub fn put_off(&mut self, why: &str, now: Timestamp) {
        if self.put_off.as_ref().is_none_or(|known| *known.why != *why) {
            self.put_off = Some(PutOff { why: why.into(), since: now });
        }
    }

    /// Whether it gives way to everything else.
    pub fn is_low(&self) -> bool {
        matches!(self.ask, Ask::Part(_))
    }

    /// Whether neither a delivery nor a person has asked for it: nothing is written for it before a person has let the
    /// mirror begin.
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

    /// What led to it, for log and audit.
    pub fn event_name(&self) -> &'static str {
        match &self.origin {
            Origin::Own(why) => why.name(),
            _ => self.delivery().map_or("", |delivery| delivery.event.name()),
        }
    }

    /// The event, if the hint stands for the whole of one.
    pub fn event(&self) -> Option<&Event> {
        match (&self.ask, &self.origin) {
            (Ask::Event, Origin::Delivery(delivery)) => Some(&delivery.event),
            _ => None,
        }
    }

    pub fn team_ref(&self) -> Option<&TeamRef> {
        self.delivery().and_then(|delivery| delivery.event.team())
    }

    /// The slug that the event showed.
    pub fn slug(&self) -> Option<&GithubSlug> {
        self.team_ref().and_then(|team| team.slug.as_ref())
    }

    /// Who is to be looked at in the team, what an event said, and whether that is sure.
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

/// What is worked on one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneKey {
    Org,
    /// A person across teams.
    Person(GithubUserId),
    Team(GithubTeamId),
}

impl LaneKey {
    /// Where a delivery's hint belongs.
    pub fn of(event: &Event) -> Self {
        match event {
            Event::MemberAdded { person: Some(person) } | Event::MemberRemoved { person: Some(person) } => {
                LaneKey::Person(person.id)
            }
            // Somebody whom nobody names may be anybody.
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
