//! Folds the hints of one team: the latest news per person, the latest name, and the team's end. Pure.

use std::collections::BTreeSet;

use crate::queue::job::{Ask, Hint};
use crate::state::event::Event;
use crate::state::ids::{GithubSlug, GithubUserId, Seq};
use crate::state::slug;
use crate::state::sorted::Map;
use crate::state::teams::News;

/// One job's hints, sorted by what they ask for.
#[derive(Debug, Default)]
pub struct TeamBatch {
    /// The team is deleted.
    pub ended: Vec<Hint>,
    /// The team exists, or has to be looked at. Some of these hints give its name.
    pub team: Vec<Hint>,
    /// The latest hint per person.
    pub members: Map<GithubUserId, Hint>,
    /// Hints that a newer one on the same team or person replaces, each with the newer one's place.
    pub superseded: Vec<(Hint, Seq)>,
}

/// A name and slug that an event gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// GitHub's slug; derived from the name if the event had none.
    pub slug: GithubSlug,
    pub name: Box<str>,
    /// The previous slug, if this was a rename.
    pub before: Option<GithubSlug>,
}

impl TeamBatch {
    /// Sorts hints. `news` is the latest news from all deliveries, including those in other jobs.
    pub fn new(hints: Vec<Hint>, news: Option<&News>) -> Self {
        let mut folded = Self::default();
        let latest_name = news.and_then(|news| news.named);
        let mut seen = BTreeSet::new();
        for hint in hints {
            // The same delivery can come twice, after a replay for example. It counts once.
            if hint.event().is_some() && !seen.insert(hint.seq) {
                continue;
            }
            match hint.event() {
                Some(Event::TeamDeleted { .. }) => folded.ended.push(hint),
                Some(Event::TeamEdited { slug_before: Some(_), .. }) if latest_name > Some(hint.seq) => {
                    folded.superseded.push((hint, latest_name.unwrap_or(Seq(0))));
                }
                _ => match hint.user() {
                    Some(user) => folded.member(user, hint, news),
                    None => folded.team.push(hint),
                },
            }
        }
        folded
    }

    fn member(&mut self, user: GithubUserId, hint: Hint, news: Option<&News>) {
        let latest = news.and_then(|news| news.word(user)).map(|(_, seq)| seq);
        if let Some(latest) = latest.filter(|latest| *latest > hint.seq) {
            return self.superseded.push((hint, latest));
        }
        // A hint that only asks to look never replaces one that says what changed, even if it is newer.
        match self.members.remove(&user) {
            Some(known) if rank(&known) > rank(&hint) => {
                let seq = known.seq;
                self.superseded.push((hint, seq));
                self.members.insert(user, known);
            }
            Some(known) => {
                self.superseded.push((known, hint.seq));
                self.members.insert(user, hint);
            }
            None => {
                self.members.insert(user, hint);
            }
        }
    }

    /// The hint that audit lines about the team itself name as their cause, though all hints led to them.
    pub fn cause(&self) -> Option<&Hint> {
        let of_people = self.members.values().chain(&self.ended);
        self.team.iter().chain(of_people).next().or_else(|| self.superseded.first().map(|(hint, _)| hint))
    }

    /// The name from the latest rename event.
    pub fn renamed(&self) -> Option<Named> {
        let renames = self.team.iter().filter_map(|hint| match hint.event() {
            Some(Event::TeamEdited { team, slug_before: Some(before) }) => Some((hint.seq, team, before)),
            _ => None,
        });
        renames.max_by_key(|(seq, ..)| *seq).map(|(_, team, before)| Named {
            slug: team.slug.clone().unwrap_or_else(|| slug::from_name(&team.name)),
            name: team.name.clone(),
            before: Some(before.clone()),
        })
    }

    /// The name for a team that is not bound yet: from a rename, else from the creation, else from the latest event
    /// that has a slug.
    pub fn first_name(&self) -> Option<Named> {
        if let Some(renamed) = self.renamed() {
            return Some(renamed);
        }
        let all = || {
            self.team.iter().chain(self.members.values()).filter_map(|hint| Some((hint, hint.team_ref()?)))
        };
        let created = all().find(|(hint, _)| matches!(hint.event(), Some(Event::TeamCreated { .. })));
        let telling = all().filter(|(_, team)| team.slug.is_some()).max_by_key(|(hint, _)| hint.seq);
        let team = created.or(telling).map(|(_, team)| team)?;
        let slug = team.slug.clone().unwrap_or_else(|| slug::from_name(&team.name));
        Some(Named { slug, name: team.name.clone(), before: None })
    }

    /// The newest slug in any event.
    pub fn slug(&self) -> Option<&GithubSlug> {
        let hints = self.team.iter().chain(self.members.values()).chain(&self.ended);
        hints
            .filter_map(|hint| Some((hint.seq, hint.slug()?)))
            .max_by_key(|(seq, _)| *seq)
            .map(|(_, slug)| slug)
    }

    /// Whether GitHub has to be asked about the team itself, not only about people in it.
    pub fn asks_for_team(&self) -> bool {
        !self.team.is_empty() || !self.ended.is_empty()
    }

    /// Whether none of the hints came from a delivery.
    pub fn is_our_own(&self) -> bool {
        let mut hints = self.team.iter().chain(self.members.values()).chain(&self.ended);
        hints.all(|hint| hint.delivery().is_none())
    }

    pub fn asks_for_everybody(&self) -> bool {
        self.team.iter().any(|hint| {
            matches!(hint.event(), Some(Event::TeamCreated { .. } | Event::Membership { person: None, .. }))
        })
    }
}

/// The greater hint stays: first one that says what changed, then the later one, then the delivery itself.
fn rank(hint: &Hint) -> (bool, Seq, bool) {
    let says = hint.member().is_some_and(|(_, change, _)| change.is_some());
    (says, hint.seq, matches!(hint.ask, Ask::Event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Instant;

    use crate::clock::Timestamp;
    use crate::queue::job::{Origin, Own};
    use crate::state::event::{Change, Person, TeamRef};
    use crate::state::ids::{GithubTeamId, HookId, Login};
    use crate::state::record::Record;
    use crate::state::values::Delivery;
    use crate::state::State;

    fn team(slug: Option<&str>) -> TeamRef {
        TeamRef {
            id: GithubTeamId(1),
            name: "My Team".into(),
            slug: slug.map(GithubSlug::from),
            parent: None,
        }
    }

    fn person(id: u64) -> Person {
        Person { id: GithubUserId(id), login: Login::from("x"), bot: false }
    }

    fn delivery(seq: u64, event: Event) -> Delivery {
        Delivery { seq: Seq(seq), at: Timestamp(0), hook: HookId(1), guid: format!("{seq}").into(), event }
    }

    fn hint(seq: u64, event: Event) -> Hint {
        Hint::of_delivery(Arc::new(delivery(seq, event)), Instant::now())
    }

    fn member(seq: u64, id: u64, change: Change) -> Hint {
        hint(seq, Event::Membership { team: team(Some("t")), person: Some(person(id)), change })
    }

    fn seqs<'a>(hints: impl Iterator<Item = &'a Hint>) -> Vec<u64> {
        hints.map(|hint| hint.seq.0).collect()
    }

    #[test]
    fn the_latest_word_per_person_stays() {
        let hints =
            vec![member(3, 7, Change::Removed), member(1, 7, Change::Added), member(2, 8, Change::Added)];
        let folded = TeamBatch::new(hints, None);
        assert_eq!(seqs(folded.members.values()), [3, 2]);
        assert_eq!(seqs(folded.superseded.iter().map(|(hint, _)| hint)), [1]);
    }

    #[test]
    fn newer_news_in_other_jobs_supersede_too() {
        let mut state = State::default();
        let Event::Membership { team, person, .. } = member(9, 7, Change::Removed).event().unwrap().clone()
        else {
            unreachable!()
        };
        let newer = Event::Membership { team, person, change: Change::Removed };
        state.apply(Record::Received(delivery(9, newer)));
        let folded = TeamBatch::new(vec![member(1, 7, Change::Added)], state.teams.news(GithubTeamId(1)));
        assert!(folded.members.is_empty());
        assert_eq!(folded.superseded[0].1, Seq(9));
    }

    #[test]
    fn whatever_is_written_about_the_team_has_something_that_led_to_it() {
        let edited = || hint(4, Event::TeamEdited { team: team(Some("t")), slug_before: None });
        let deleted = || hint(5, Event::TeamDeleted { team: team(Some("t")) });
        let cause = |hints| TeamBatch::new(hints, None).cause().map(|hint| hint.seq.0);
        assert_eq!(cause(vec![member(1, 7, Change::Added), edited()]), Some(4));
        assert_eq!(cause(vec![deleted(), member(1, 7, Change::Added)]), Some(1));
        assert_eq!(cause(vec![deleted()]), Some(5));
        let mut state = State::default();
        state.apply(Record::Received(delivery(9, member(9, 7, Change::Removed).event().unwrap().clone())));
        let folded = TeamBatch::new(vec![member(1, 7, Change::Added)], state.teams.news(GithubTeamId(1)));
        assert_eq!(folded.cause().map(|hint| hint.seq.0), Some(1));
        assert!(TeamBatch::default().cause().is_none());
    }

    #[test]
    fn a_deliverys_word_wins_over_a_look_of_the_same_place() {
        let ask = Ask::Member { person: person(7), change: None, sure: false };
        let look = Hint::new(Seq(1), Origin::Own(Own::WantedPerson), ask, Instant::now());
        for hints in
            [vec![look.clone(), member(1, 7, Change::Added)], vec![member(1, 7, Change::Added), look.clone()]]
        {
            let folded = TeamBatch::new(hints, None);
            assert!(folded.members.values().all(|hint| hint.event().is_some()));
        }
    }

    #[test]
    fn a_later_look_displaces_no_word_and_a_delivery_is_taken_once() {
        let ask = Ask::Member { person: person(7), change: None, sure: true };
        let look = Hint::new(Seq(9), Origin::Own(Own::WantedPerson), ask, Instant::now());
        let removed = member(3, 7, Change::Removed);
        for hints in
            [vec![look.clone(), removed.clone()], vec![removed.clone(), look.clone(), removed.clone()]]
        {
            let folded = TeamBatch::new(hints, None);
            assert_eq!(seqs(folded.members.values()), [3]);
            assert_eq!(seqs(folded.superseded.iter().map(|(hint, _)| hint)), [9]);
        }
    }

    #[test]
    fn fault_renames_ignored_the_latest_rename_names_the_team() {
        let edited = |seq, slug: &str, before: &str| {
            let slug_before = Some(GithubSlug::from(before));
            hint(seq, Event::TeamEdited { team: team(Some(slug)), slug_before })
        };
        let folded = TeamBatch::new(vec![edited(2, "c", "b"), edited(1, "b", "a")], None);
        let named = folded.renamed().unwrap();
        assert_eq!((named.slug.as_str(), named.before.unwrap().as_str()), ("c", "b"));
    }

    #[test]
    fn a_slug_inside_a_membership_event_names_only_a_team_without_a_name() {
        let folded = TeamBatch::new(vec![member(5, 7, Change::Added)], None);
        assert_eq!(folded.renamed(), None);
        assert_eq!(folded.first_name().unwrap().slug.as_str(), "t");
        let created = hint(1, Event::TeamCreated { team: team(Some("born")) });
        let folded = TeamBatch::new(vec![created, member(5, 7, Change::Added)], None);
        assert_eq!(folded.first_name().unwrap().slug.as_str(), "born");
    }

    #[test]
    fn a_team_without_a_slug_waits_unless_its_creation_tells_a_name() {
        let bare =
            hint(1, Event::Membership { team: team(None), person: Some(person(7)), change: Change::Added });
        assert_eq!(TeamBatch::new(vec![bare.clone()], None).first_name(), None);
        let created = hint(2, Event::TeamCreated { team: team(None) });
        assert_eq!(TeamBatch::new(vec![bare, created], None).first_name().unwrap().slug.as_str(), "my-team");
    }
}
