//! Two webhooks that send the same: a GitHub App's and an organisation's, while an operator switches between them.
//!
//! An event that both send counts once, in place of the first delivery. Two changes must never count as one: a delivery
//! has one twin from each other webhook, and twins are no further apart than GitHub's two webhooks ever are. Twins are
//! kept in memory: after a restart, or after ten minutes, a twin counts as a new event.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::lock::Mutex;
use crate::state::event::Event;
use crate::state::ids::{GithubTeamId, GithubUserId, HookId};
use crate::state::values::{Delivery, DeliveryKey};

/// The longest time between twins.
const APART: Duration = Duration::from_secs(600);
/// How many deliveries are remembered. The two webhooks of a large organisation send fewer in that time.
const MOST: usize = 4096;

/// Recent deliveries, oldest first.
#[derive(Debug, Default)]
pub struct Twins(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    lately: VecDeque<First>,
    /// The last two webhooks that sent the same event, and when.
    both: Option<([HookId; 2], Timestamp)>,
}

#[derive(Debug)]
struct First {
    at: Timestamp,
    hook: HookId,
    key: DeliveryKey,
    said: Said,
    /// The other webhooks that have sent the same event since.
    also: Vec<HookId>,
}

/// An event's meaning, without the fields that two webhooks may write differently.
type Said = (&'static str, Option<GithubTeamId>, Option<GithubUserId>);

/// `None` if the event doesn't name the person it's about.
fn said(event: &Event) -> Option<Said> {
    let (team, person) = (event.team().map(|team| team.id), event.person().map(|person| person.id));
    let is_nameless = matches!(
        event,
        Event::Membership { person: None, .. }
            | Event::MemberAdded { person: None }
            | Event::MemberRemoved { person: None }
    );
    (!is_nameless).then(|| (event.name(), team, person))
}

impl Twins {
    /// The delivery that another webhook sent first, if this is its twin. Notes that `hook` has sent its twin now.
    pub fn first_of(&self, hook: HookId, event: &Event, at: Timestamp) -> Option<DeliveryKey> {
        let mut heard = self.0.lock();
        heard.forget_old(at);
        let said = said(event)?;
        // If a relay drops the webhook's id (0 here), the webhook cannot be identified.
        let is_another = |first: &First| first.hook != hook && ![first.hook, hook].contains(&HookId(0));
        let is_twin =
            |first: &&mut First| first.said == said && is_another(first) && !first.also.contains(&hook);
        let first = heard.lately.iter_mut().find(is_twin)?;
        first.also.push(hook);
        let (key, hooks) = (first.key, [first.hook, hook]);
        if heard.both.replace((hooks, at)).is_none() {
            log::warn!(
                "two webhooks send here ({} and {}), for example a GitHub App's and the organisation's: an event sent by both counts \
                 once; remove one of them",
                hooks[0],
                hooks[1]
            );
        }
        Some(key)
    }

    /// Whether the delivery of this key is known to be another event.
    pub fn differs(&self, key: DeliveryKey, event: &Event) -> bool {
        let heard = self.0.lock();
        let first = heard.lately.iter().find(|first| first.key == key);
        first.is_some_and(|first| said(event).is_none_or(|said| said != first.said))
    }

    /// Remembers a delivery.
    pub fn heard(&self, delivery: &Delivery) {
        let mut heard = self.0.lock();
        heard.forget_old(delivery.at);
        if let Some(said) = said(&delivery.event) {
            let (at, hook, key) = (delivery.at, delivery.hook, delivery.key());
            heard.lately.push_back(First { at, hook, key, said, also: Vec::new() });
        }
    }

    /// The two webhooks that sent the same event within the last day.
    pub fn both(&self, now: Timestamp) -> Option<[HookId; 2]> {
        let both = self.0.lock().both;
        both.filter(|(_, at)| now.since(*at) < Duration::from_secs(86_400)).map(|(hooks, _)| hooks)
    }
}

impl Heard {
    fn forget_old(&mut self, now: Timestamp) {
        while self.lately.front().is_some_and(|first| now.since(first.at) > APART || self.lately.len() > MOST)
        {
            self.lately.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::event::{Change, Person, TeamRef};
    use crate::state::ids::{Login, Seq};

    fn event(user: u64, change: Change) -> Event {
        let team = TeamRef { id: GithubTeamId(1), name: "T".into(), slug: None, parent: None };
        let person = Person { id: GithubUserId(user), login: Login::from("x"), bot: false };
        Event::Membership { team, person: Some(person), change }
    }

    /// Takes an event that `hook` sends in second `n`. If it's a twin, returns the key of the first delivery.
    fn take(twins: &Twins, n: u64, hook: u64, event: Event) -> Option<DeliveryKey> {
        let (at, hook) = (Timestamp::from_secs(n), HookId(hook));
        let first = twins.first_of(hook, &event, at);
        if first.is_none() {
            twins.heard(&Delivery { seq: Seq(n), at, hook, guid: n.to_string().into(), event });
        }
        first
    }

    fn key(n: u64, hook: u64) -> Option<DeliveryKey> {
        Some(DeliveryKey::new(HookId(hook), &n.to_string()))
    }

    #[test]
    fn each_change_has_one_twin_whichever_hook_is_first_and_however_late_the_other_is() {
        use Change::{Added, Removed};
        let twins = Twins::default();
        assert_eq!(take(&twins, 1, 7, event(5, Added)), None);
        assert_eq!(take(&twins, 2, 7, event(5, Removed)), None);
        assert_eq!(take(&twins, 3, 8, event(5, Added)), key(1, 7), "late, and nothing newer");
        assert_eq!(take(&twins, 4, 8, event(5, Removed)), key(2, 7));
        assert_eq!(
            take(&twins, 5, 8, event(5, Added)),
            None,
            "added once more, and heard from this hook first"
        );
        assert_eq!(take(&twins, 6, 7, event(5, Added)), key(5, 8));
        assert_eq!(take(&twins, 7, 7, event(5, Added)), None, "the same hook says news");
        assert_eq!(take(&twins, 8, 8, event(6, Added)), None, "of somebody else");
        assert_eq!(twins.both(Timestamp::from_secs(9)), Some([HookId(8), HookId(7)]));
        assert_eq!(take(&twins, 700, 8, event(5, Added)), None, "too late");
    }
}
