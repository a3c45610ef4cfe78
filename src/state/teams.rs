//! Teams: which Sentry team follows which GitHub team, what is under way, and the latest word on each.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::state::event::{Change, Event};
use crate::state::ids::{GithubTeamId, GithubUserId, SentrySlug, SentryTeamId, Seq};
use crate::state::links::Links;
use crate::state::sorted::Map;
use crate::state::values::{Binding, Delivery, Fate, Intent};

/// The span of time that `SYNC_MAX_DELETIONS` speaks of.
pub const DELETION_SPAN: Duration = Duration::from_secs(3600);
/// How long the end of a team is held that has come back from one before.
pub const RETURN_SPAN: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Teams {
    bound: Map<GithubTeamId, Binding>,
    by_slug: HashMap<SentrySlug, GithubTeamId>,
    by_sentry: HashMap<SentryTeamId, GithubTeamId>,
    pub(super) intents: Map<GithubTeamId, (Intent, Timestamp)>,
    pub(super) gone: Map<GithubTeamId, Gone>,
    /// Teams that came back after their end, and when, for as long as another end of theirs is held.
    pub(super) returned: Map<GithubTeamId, Timestamp>,
    /// Live teams that the GitHub token in use, or another one of the same account, has shown.
    pub(super) shown: BTreeSet<GithubTeamId>,
    unfilled: BTreeSet<GithubTeamId>,
    /// The rows of Sentry's external teams that are the mirror's.
    pub links: Links,
    /// By the deleted Sentry team: the one that a person has had made in its place.
    pub(super) restored: Map<SentryTeamId, SentryTeamId>,
    pub(super) news: Map<GithubTeamId, News>,
}

/// A GitHub team that is deleted, for as long as GitHub does not show it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// What became of its Sentry team.
    pub fate: Fate,
    /// A Sentry team of its slug is somebody else's: the GitHub team was newer than this mirror, was renamed under its
    /// eyes, or was in conflict with that very team.
    pub apart: bool,
    /// The Sentry team that had followed it. Not known of ends that older versions have written down.
    pub was: Option<Binding>,
    pub at: Timestamp,
}

/// The latest word of the deliveries on one team. In payload mode it is the truth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// A `created` was received: the team is newer than this mirror.
    pub born: bool,
    /// The latest delivery that named it.
    pub named: Option<Seq>,
    /// The first one: only that told the name under which the team was before the mirror.
    pub first_named: Option<Seq>,
    /// The latest word per person, sorted by person.
    people: Vec<(GithubUserId, Word)>,
}

/// In the team or not, and by which delivery: packed, because there may be half a million of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Word(u64);

impl Word {
    fn new(seq: Seq, present: bool) -> Self {
        Self(seq.0 << 1 | u64::from(present))
    }

    fn seq(self) -> Seq {
        Seq(self.0 >> 1)
    }

    fn present(self) -> bool {
        self.0 & 1 == 1
    }
}

impl News {
    /// From a snapshot; people in any order.
    pub(super) fn told(born: bool, named: [Option<Seq>; 2], people: Vec<(GithubUserId, bool, Seq)>) -> Self {
        let [first_named, named] = named;
        let word = |(user, present, seq)| (user, Word::new(seq, present));
        let mut people: Vec<_> = people.into_iter().map(word).collect();
        people.sort_unstable();
        people.dedup_by_key(|(user, _)| *user);
        Self { born, named, first_named, people }
    }

    /// Whether a Sentry team of its slug is more likely somebody else's than its own.
    pub fn is_apart(&self) -> bool {
        self.born || self.named.is_some()
    }

    /// The latest word on a person.
    pub fn word(&self, user: GithubUserId) -> Option<(bool, Seq)> {
        let at = self.people.binary_search_by_key(&user, |(id, _)| *id).ok()?;
        self.people.get(at).map(|(_, word)| (word.present(), word.seq()))
    }

    /// Everybody on whom there was a word.
    pub fn people(&self) -> impl Iterator<Item = (GithubUserId, bool, Seq)> + '_ {
        self.people.iter().map(|(user, word)| (*user, word.present(), word.seq()))
    }

    /// Who is in the team, by a look that began at `seq`: newer words stay. A changed word keeps its place, so that no
    /// delivery counts as overtaken by a look, which may have met a replica that lags behind it.
    fn looked(&mut self, seq: Seq, people: &[GithubUserId]) {
        let mut present = people.to_vec();
        present.sort_unstable();
        for (user, word) in &mut self.people {
            let is_in = present.binary_search(user).is_ok();
            if word.seq() <= seq && word.present() != is_in {
                *word = Word::new(word.seq(), is_in);
            }
        }
        let known = |user: &GithubUserId| self.people.binary_search_by_key(user, |(id, _)| *id).is_ok();
        let new: Vec<_> = present.into_iter().filter(|user| !known(user)).collect();
        self.people.extend(new.into_iter().map(|user| (user, Word::new(Seq(0), true))));
        self.people.sort_unstable_by_key(|(user, _)| *user);
        self.people.shrink_to_fit();
    }

    /// Whether a look at exactly these people, sorted, would change nothing.
    pub fn agrees(&self, people: &[GithubUserId]) -> bool {
        let present = self.people.iter().filter(|(_, word)| word.present()).map(|(user, _)| user);
        present.eq(people.iter())
    }

    /// Whether one of the deliveries after `seq`, up to `read`, says otherwise than a look at exactly these people, sorted.
    pub fn says_otherwise(&self, people: &[GithubUserId], seq: Seq, read: Seq) -> bool {
        let is_between = |at| seq < at && at <= read;
        self.people()
            .any(|(user, present, at)| is_between(at) && present != people.binary_search(&user).is_ok())
    }

    /// Everybody who is in the team by all that is known, with those who are seen in it now; nobody if none of them is new.
    /// Somebody of whom a delivery has said that they left is not.
    pub fn and_seen(&self, people: &[GithubUserId]) -> Vec<GithubUserId> {
        let word = |user: &GithubUserId| self.word(*user);
        let is_new = |user: &GithubUserId| word(user).is_none_or(|(present, seq)| !present && seq == Seq(0));
        let new: Vec<_> = people.iter().copied().filter(is_new).collect();
        let known =
            self.people().filter(|(_, present, _)| *present && !new.is_empty()).map(|(user, ..)| user);
        known.chain(new.iter().copied()).collect()
    }

    fn say(&mut self, user: GithubUserId, present: bool, seq: Seq) {
        let word = Word::new(seq, present);
        match self.people.binary_search_by_key(&user, |(id, _)| *id) {
            Ok(at) => {
                if let Some((_, known)) = self.people.get_mut(at).filter(|(_, known)| known.seq() <= seq) {
                    *known = word;
                }
            }
            Err(at) => self.people.insert(at, (user, word)),
        }
    }
}

impl Teams {
    /// The Sentry team that follows a GitHub team.
    pub fn binding(&self, team: GithubTeamId) -> Option<&Binding> {
        self.bound.get(&team)
    }

    /// All bindings in the order of GitHub's ids.
    pub fn bindings(&self) -> impl Iterator<Item = (GithubTeamId, &Binding)> {
        self.bound.iter().map(|(team, binding)| (*team, binding))
    }

    pub fn n_bound(&self) -> usize {
        self.bound.len()
    }

    /// Which GitHub team a Sentry team follows.
    pub fn of_sentry(&self, sentry: SentryTeamId) -> Option<GithubTeamId> {
        self.by_sentry.get(&sentry).copied()
    }

    /// The binding of the GitHub team that a Sentry team follows.
    pub fn binding_of_sentry(&self, sentry: SentryTeamId) -> Option<&Binding> {
        self.binding(self.of_sentry(sentry)?)
    }

    /// Which GitHub team has this Sentry slug, or is about to get it.
    pub fn owner(&self, slug: &SentrySlug) -> Option<GithubTeamId> {
        let about_to = || self.intents.iter().find(|(_, (intent, _))| intent.slug() == Some(slug));
        self.by_slug.get(slug).or_else(|| about_to().map(|(team, _)| team)).copied()
    }

    /// What is under way for a team, and since when.
    pub fn intent(&self, team: GithubTeamId) -> Option<&(Intent, Timestamp)> {
        self.intents.get(&team)
    }

    /// The teams that something is under way for.
    pub fn open_intents(&self) -> impl Iterator<Item = GithubTeamId> + '_ {
        self.intents.keys().copied()
    }

    /// The teams that are being made, and the slug that each is to get: whether Sentry has made one is known with its
    /// binding, also across a crash.
    pub fn being_made(&self) -> impl Iterator<Item = (GithubTeamId, &SentrySlug)> {
        self.intents.iter().filter_map(|(team, (intent, _))| match intent {
            Intent::Creating { slug, .. } if !self.bound.contains_key(team) => Some((*team, slug)),
            _ => None,
        })
    }

    /// Whether everybody in the team is still to be looked at.
    pub fn is_unfilled(&self, team: GithubTeamId) -> bool {
        self.unfilled.contains(&team)
    }

    /// The teams whose people are still to be looked at.
    pub fn unfilled(&self) -> impl Iterator<Item = GithubTeamId> + '_ {
        self.unfilled.iter().copied()
    }

    pub fn gone(&self, team: GithubTeamId) -> Option<&Gone> {
        self.gone.get(&team)
    }

    /// When a team came back after its end, if that was not long before `now`.
    pub fn returned(&self, team: GithubTeamId, now: Timestamp) -> Option<Timestamp> {
        self.returned.get(&team).copied().filter(|at| *at >= now.before(RETURN_SPAN))
    }

    /// Whether the GitHub token in use has shown a team.
    pub fn was_shown(&self, team: GithubTeamId) -> bool {
        self.shown.contains(&team)
    }

    /// The Sentry team that took the place of a deleted one, if a person wanted that back.
    pub fn restored(&self, deleted: SentryTeamId) -> Option<SentryTeamId> {
        self.restored.get(&deleted).copied()
    }

    /// Whether a person has had this Sentry team made in the place of a deleted one.
    pub fn was_brought_back(&self, sentry: SentryTeamId) -> bool {
        self.restored.values().any(|now| *now == sentry)
    }

    pub fn news(&self, team: GithubTeamId) -> Option<&News> {
        self.news.get(&team)
    }

    /// The same as [`News::and_seen`]; of a team that nothing is known of, whoever is seen.
    pub fn and_seen(&self, team: GithubTeamId, people: &[GithubUserId]) -> Vec<GithubUserId> {
        self.news(team).map_or_else(|| people.to_vec(), |news| news.and_seen(people))
    }

    /// The teams that a person is in, by the latest word before `seq`.
    pub fn teams_of(&self, user: GithubUserId, seq: Seq) -> Vec<GithubTeamId> {
        let in_it = |news: &News| news.word(user).is_some_and(|(present, at)| present && at < seq);
        self.news.iter().filter(|(_, news)| in_it(news)).map(|(team, _)| *team).collect()
    }

    /// The teams in which the latest word on a person is that of `seq`: those that a departure from the organisation
    /// spoke of.
    pub fn heard_of(&self, user: GithubUserId, seq: Seq) -> Vec<GithubTeamId> {
        let in_it = |news: &News| news.word(user).is_some_and(|(_, at)| at == seq);
        self.news.iter().filter(|(_, news)| in_it(news)).map(|(team, _)| *team).collect()
    }

    /// The deliveries that had the latest word on a person in each team.
    pub fn words_on(&self, user: GithubUserId) -> impl Iterator<Item = Seq> + '_ {
        self.news.values().filter_map(move |news| news.word(user)).map(|(_, seq)| seq)
    }

    /// How many teams were deleted within the hour before `now`.
    pub fn deleted_within_hour(&self, now: Timestamp) -> usize {
        let since = now.before(DELETION_SPAN);
        self.gone.values().filter(|gone| gone.fate == Fate::Deleted && gone.at >= since).count()
    }

    /// The teams that are being deleted. They are bound until that is over, also across a crash.
    pub fn being_deleted(&self) -> impl Iterator<Item = GithubTeamId> + '_ {
        let deleting =
            self.intents.iter().filter(|(_, (intent, _))| matches!(intent, Intent::Deleting { .. }));
        deleting.map(|(team, _)| *team)
    }

    pub(super) fn received(&mut self, delivery: &Delivery) {
        if let Event::MemberRemoved { person: Some(person) } = &delivery.event {
            for news in self.news.values_mut() {
                if news.word(person.id).is_some() {
                    news.say(person.id, false, delivery.seq);
                }
            }
        }
        let Some(team) = delivery.event.team().map(|team| team.id) else { return };
        if self.gone.contains_key(&team) {
            return;
        }
        match &delivery.event {
            Event::TeamCreated { .. } => self.news.or_default(team).born = true,
            Event::TeamEdited { slug_before: Some(_), .. } => {
                let news = self.news.or_default(team);
                news.named = news.named.max(Some(delivery.seq));
                news.first_named.get_or_insert(delivery.seq);
            }
            Event::Membership { person: Some(person), change, .. } => {
                let present = *change == Change::Added;
                self.news.or_default(team).say(person.id, present, delivery.seq);
            }
            _ => {}
        }
    }

    pub(super) fn looked(&mut self, team: GithubTeamId, seq: Seq, people: &[GithubUserId]) {
        if !self.gone.contains_key(&team) {
            self.news.or_default(team).looked(seq, people);
        }
    }

    pub(super) fn bind(&mut self, team: GithubTeamId, binding: Binding) {
        // Another Sentry team has rows of its own.
        if self.bound.get(&team).is_some_and(|before| before.sentry != binding.sentry) {
            self.links.forget_team(team);
        }
        self.take_apart(team);
        self.intents.remove(&team);
        self.by_slug.insert(binding.slug.clone(), team);
        self.by_sentry.insert(binding.sentry, team);
        self.bound.insert(team, binding);
    }

    pub(super) fn unbind(&mut self, team: GithubTeamId) {
        self.links.forget_team(team);
        self.take_apart(team);
    }

    fn take_apart(&mut self, team: GithubTeamId) {
        if let Some(binding) = self.bound.remove(&team) {
            // Somebody may have passed the slug on in Sentry: then it is another team's entry by now.
            if self.by_slug.get(&binding.slug) == Some(&team) {
                self.by_slug.remove(&binding.slug);
            }
            if self.by_sentry.get(&binding.sentry) == Some(&team) {
                self.by_sentry.remove(&binding.sentry);
            }
        }
    }

    pub(super) fn end(&mut self, team: GithubTeamId, mut gone: Gone) {
        let bound = self.bound.get(&team).cloned();
        self.unbind(team);
        self.intents.remove(&team);
        self.unfilled.remove(&team);
        self.shown.remove(&team);
        let before = self.gone.remove(&team);
        gone.apart |= before.as_ref().is_some_and(|before| before.apart);
        gone.apart |= self.news.remove(&team).is_some_and(|news| news.is_apart());
        gone.was = gone.was.or(bound).or(before.and_then(|before| before.was));
        self.gone.insert(team, gone);
    }

    /// GitHub shows the team: what was known of its end is history, but for whether a slug proves nothing.
    pub(super) fn come_back(&mut self, team: GithubTeamId, at: Timestamp, apart: bool) {
        if self.gone.remove(&team).is_some_and(|gone| gone.apart) || apart {
            self.news.or_default(team).born = true;
        }
        self.returned.insert(team, at);
    }

    /// Whether a Sentry team of its slug is more likely somebody else's than its own, by what was said of it, now or before
    /// its end.
    pub fn is_apart(&self, team: GithubTeamId) -> bool {
        let of_its_end = self.gone.get(&team).is_some_and(|gone| gone.apart);
        of_its_end || self.news.get(&team).is_some_and(News::is_apart)
    }

    /// The GitHub team that this Sentry team followed until that ended.
    pub fn ended_with(&self, sentry: SentryTeamId) -> Option<GithubTeamId> {
        let was = |gone: &Gone| gone.was.as_ref().is_some_and(|was| was.sentry == sentry);
        self.gone.iter().find(|(_, gone)| was(gone)).map(|(team, _)| *team)
    }

    pub(super) fn forget_old(&mut self, now: Timestamp) {
        self.returned.retain(|_, at| *at >= now.before(RETURN_SPAN));
    }

    pub(super) fn fill(&mut self, team: GithubTeamId, open: bool) {
        if open {
            self.unfilled.insert(team);
        } else {
            self.unfilled.remove(&team);
        }
    }

    /// The teams that the GitHub token in use has shown, by id.
    pub fn shown(&self) -> impl Iterator<Item = GithubTeamId> + '_ {
        self.shown.iter().copied()
    }
}
