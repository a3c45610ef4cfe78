//! Teams: which Sentry team follows which GitHub team, which changes are under way, and the latest news on each.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::state::event::{Change, Event};
use crate::state::ids::{GithubTeamId, GithubUserId, SentrySlug, SentryTeamId, Seq};
use crate::state::links::Links;
use crate::state::sorted::Map;
use crate::state::values::{Binding, Delivery, Fate, Intent};

/// The span in which `SYNC_MAX_DELETIONS` counts deletions.
pub const DELETION_SPAN: Duration = Duration::from_secs(3600);
/// If a team came back after its end, another end within this time is held.
pub const RETURN_SPAN: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Teams {
    bound: Map<GithubTeamId, Binding>,
    by_slug: HashMap<SentrySlug, GithubTeamId>,
    by_sentry: HashMap<SentryTeamId, GithubTeamId>,
    pub(super) intents: Map<GithubTeamId, (Intent, Timestamp)>,
    pub(super) gone: Map<GithubTeamId, Gone>,
    /// When teams came back after their end. For [`RETURN_SPAN`] after that, another end of theirs is held.
    pub(super) returned: Map<GithubTeamId, Timestamp>,
    /// Existing teams that the GitHub token in use, or another token of the same account, has shown.
    pub(super) shown: BTreeSet<GithubTeamId>,
    unfilled: BTreeSet<GithubTeamId>,
    /// The rows of Sentry's external teams that are the mirror's.
    pub links: Links,
    /// For each deleted Sentry team, the one that was made in its place.
    pub(super) restored: Map<SentryTeamId, SentryTeamId>,
    pub(super) news: Map<GithubTeamId, News>,
}

/// A deleted GitHub team, until GitHub shows it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// How its Sentry team ended.
    pub fate: Fate,
    /// A Sentry team with its slug is taken to be somebody else's: the GitHub team was newer than this mirror, was
    /// renamed while the mirror ran, or was in conflict with that very team.
    pub apart: bool,
    /// The Sentry team that followed it. Missing from ends that older versions recorded.
    pub was: Option<Binding>,
    pub at: Timestamp,
}

/// The latest that deliveries said about one team. In payload mode this is trusted as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// A `created` event arrived, so the team is newer than this mirror.
    pub born: bool,
    /// The latest delivery that renamed it.
    pub named: Option<Seq>,
    /// The first delivery that renamed it. Only that one has the name that the team had before the mirror started.
    pub first_named: Option<Seq>,
    /// The latest news on each person, sorted by person.
    people: Vec<(GithubUserId, Word)>,
}

/// Whether a person is in the team, and which delivery said so. Packed, because there may be half a million of these.
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
    /// Restores it from a snapshot; people may come in any order.
    pub(super) fn told(born: bool, named: [Option<Seq>; 2], people: Vec<(GithubUserId, bool, Seq)>) -> Self {
        let [first_named, named] = named;
        let word = |(user, present, seq)| (user, Word::new(seq, present));
        let mut people: Vec<_> = people.into_iter().map(word).collect();
        people.sort_unstable();
        people.dedup_by_key(|(user, _)| *user);
        Self { born, named, first_named, people }
    }

    /// Whether a Sentry team with its slug is more likely somebody else's than its own.
    pub fn is_apart(&self) -> bool {
        self.born || self.named.is_some()
    }

    /// Whether a person is in the team by the latest news, and which delivery said so (0 if only a read showed them).
    pub fn word(&self, user: GithubUserId) -> Option<(bool, Seq)> {
        let at = self.people.binary_search_by_key(&user, |(id, _)| *id).ok()?;
        self.people.get(at).map(|(_, word)| (word.present(), word.seq()))
    }

    /// The same for everybody on whom there is any news.
    pub fn people(&self) -> impl Iterator<Item = (GithubUserId, bool, Seq)> + '_ {
        self.people.iter().map(|(user, word)| (*user, word.present(), word.seq()))
    }

    /// Takes over a read of the team's members that began at `seq`; newer deliveries win. A changed entry keeps its
    /// delivery's place: a read may have met a lagging replica, so it must not make a delivery count as superseded.
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

    /// Whether a read that shows exactly these people, sorted, would change nothing.
    pub fn agrees(&self, people: &[GithubUserId]) -> bool {
        let present = self.people.iter().filter(|(_, word)| word.present()).map(|(user, _)| user);
        present.eq(people.iter())
    }

    /// Whether a delivery after `seq`, up to `read`, contradicts a read that shows exactly these people, sorted.
    pub fn says_otherwise(&self, people: &[GithubUserId], seq: Seq, read: Seq) -> bool {
        let is_between = |at| seq < at && at <= read;
        self.people()
            .any(|(user, present, at)| is_between(at) && present != people.binary_search(&user).is_ok())
    }

    /// Everybody known to be in the team, and the people who were seen in it now; empty if none of these is new. People
    /// who left according to a delivery are not added.
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

    /// The GitHub team that a Sentry team follows.
    pub fn of_sentry(&self, sentry: SentryTeamId) -> Option<GithubTeamId> {
        self.by_sentry.get(&sentry).copied()
    }

    /// The binding of the GitHub team that a Sentry team follows.
    pub fn binding_of_sentry(&self, sentry: SentryTeamId) -> Option<&Binding> {
        self.binding(self.of_sentry(sentry)?)
    }

    /// The GitHub team that has this Sentry slug, or is about to get it.
    pub fn owner(&self, slug: &SentrySlug) -> Option<GithubTeamId> {
        let about_to = || self.intents.iter().find(|(_, (intent, _))| intent.slug() == Some(slug));
        self.by_slug.get(slug).or_else(|| about_to().map(|(team, _)| team)).copied()
    }

    /// The change that is under way for a team, and since when.
    pub fn intent(&self, team: GithubTeamId) -> Option<&(Intent, Timestamp)> {
        self.intents.get(&team)
    }

    /// The teams for which a change is under way.
    pub fn open_intents(&self) -> impl Iterator<Item = GithubTeamId> + '_ {
        self.intents.keys().copied()
    }

    /// The teams that are being made, and the slug that each is to get. Only the binding shows that Sentry has made
    /// one, also across a crash.
    pub fn being_made(&self) -> impl Iterator<Item = (GithubTeamId, &SentrySlug)> {
        self.intents.iter().filter_map(|(team, (intent, _))| match intent {
            Intent::Creating { slug, .. } if !self.bound.contains_key(team) => Some((*team, slug)),
            _ => None,
        })
    }

    /// Whether the team's members are still to be checked.
    pub fn is_unfilled(&self, team: GithubTeamId) -> bool {
        self.unfilled.contains(&team)
    }

    /// The teams whose members are still to be checked.
    pub fn unfilled(&self) -> impl Iterator<Item = GithubTeamId> + '_ {
        self.unfilled.iter().copied()
    }

    pub fn gone(&self, team: GithubTeamId) -> Option<&Gone> {
        self.gone.get(&team)
    }

    /// When a team came back after its end, if that is at most [`RETURN_SPAN`] before `now`.
    pub fn returned(&self, team: GithubTeamId, now: Timestamp) -> Option<Timestamp> {
        self.returned.get(&team).copied().filter(|at| *at >= now.before(RETURN_SPAN))
    }

    /// Whether the GitHub token in use, or another token of the same account, has shown a team.
    pub fn was_shown(&self, team: GithubTeamId) -> bool {
        self.shown.contains(&team)
    }

    /// The Sentry team that was made in the place of a deleted one.
    pub fn restored(&self, deleted: SentryTeamId) -> Option<SentryTeamId> {
        self.restored.get(&deleted).copied()
    }

    /// The deleted Sentry team in whose place this one was made.
    pub fn made_in_place_of(&self, sentry: SentryTeamId) -> Option<SentryTeamId> {
        self.restored.iter().find(|(_, now)| **now == sentry).map(|(deleted, _)| *deleted)
    }

    /// Whether this Sentry team was made in the place of a deleted one.
    pub fn was_brought_back(&self, sentry: SentryTeamId) -> bool {
        self.made_in_place_of(sentry).is_some()
    }

    pub fn news(&self, team: GithubTeamId) -> Option<&News> {
        self.news.get(&team)
    }

    /// The same as [`News::and_seen`]. Of a team without news, everybody who was seen.
    pub fn and_seen(&self, team: GithubTeamId, people: &[GithubUserId]) -> Vec<GithubUserId> {
        self.news(team).map_or_else(|| people.to_vec(), |news| news.and_seen(people))
    }

    /// The teams that a person is in by the latest news, where that is older than `seq`.
    pub fn teams_of(&self, user: GithubUserId, seq: Seq) -> Vec<GithubTeamId> {
        let in_it = |news: &News| news.word(user).is_some_and(|(present, at)| present && at < seq);
        self.news.iter().filter(|(_, news)| in_it(news)).map(|(team, _)| *team).collect()
    }

    /// The teams in which the latest news on a person is from delivery `seq`. If the person left the organisation with
    /// it, these are the teams that they left.
    pub fn heard_of(&self, user: GithubUserId, seq: Seq) -> Vec<GithubTeamId> {
        let in_it = |news: &News| news.word(user).is_some_and(|(_, at)| at == seq);
        self.news.iter().filter(|(_, news)| in_it(news)).map(|(team, _)| *team).collect()
    }

    /// For each team with news on a person, the delivery that it is from.
    pub fn words_on(&self, user: GithubUserId) -> impl Iterator<Item = Seq> + '_ {
        self.news.values().filter_map(move |news| news.word(user)).map(|(_, seq)| seq)
    }

    /// How many Sentry teams were deleted or emptied within the hour before `now`.
    pub fn deleted_within_hour(&self, now: Timestamp) -> usize {
        let since = now.before(DELETION_SPAN);
        self.gone.values().filter(|gone| gone.fate == Fate::Deleted && gone.at >= since).count()
    }

    /// The teams that are being deleted. They stay bound until that is over, also across a crash.
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
        // The rows belong to the old Sentry team.
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
            // Somebody may have given the slug to another team in Sentry. The entry is that team's by now.
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

    /// GitHub shows the team again, so its end is history. Only the doubt about its slug (`apart`) stays.
    pub(super) fn come_back(&mut self, team: GithubTeamId, at: Timestamp, apart: bool) {
        if self.gone.remove(&team).is_some_and(|gone| gone.apart) || apart {
            self.news.or_default(team).born = true;
        }
        self.returned.insert(team, at);
    }

    /// Whether a Sentry team with its slug is more likely somebody else's than its own, by the latest news or by what
    /// was known at its end.
    pub fn is_apart(&self, team: GithubTeamId) -> bool {
        let of_its_end = self.gone.get(&team).is_some_and(|gone| gone.apart);
        of_its_end || self.news.get(&team).is_some_and(News::is_apart)
    }

    /// The ended GitHub team that this Sentry team followed.
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

    /// The teams that the GitHub token in use, or another of its account, has shown, by id.
    pub fn shown(&self) -> impl Iterator<Item = GithubTeamId> + '_ {
        self.shown.iter().copied()
    }
}
