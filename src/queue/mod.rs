//! What waits to be done, and in which order: a lane for each team, person and organisation. It must never carry anything
//! out.

pub mod job;
pub mod lanes;
pub mod part;
pub mod replays;
pub mod replica_lag;
pub mod restore_request;
pub mod twins;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::lock::Mutex;
use crate::state::ids::{GithubTeamId, SentrySlug, Seq};
use crate::state::values::Delivery;
use crate::state::LAG;
use crate::store::journal::Journal;
use job::{Ask, Hint, LaneKey, Origin, Own};
use lanes::Lanes;
use replays::Replays;
use replica_lag::RecentDeliveries;
use twins::Twins;

/// The lanes, with what the journal and deliveries of a moment ago say about their order.
pub struct Queue {
    clock: Clock,
    journal: Arc<Journal>,
    pub lanes: Lanes,
    /// What deliveries have said lately.
    heard: Mutex<RecentDeliveries>,
    began: Instant,
    /// A full comparison is due.
    reconcile_due: AtomicBool,
    /// Slugs that the last comparison wants for other teams, by the team that still has them.
    wanted: Mutex<Vec<(GithubTeamId, SentrySlug)>>,
    /// Deliveries that a person wants to be looked at again.
    pub replays: Replays,
    /// What two hooks have both said.
    pub twins: Twins,
}

impl Queue {
    pub fn new(clock: &Clock, journal: &Arc<Journal>) -> Self {
        let began = clock.now();
        Self {
            clock: clock.clone(),
            journal: journal.clone(),
            lanes: Lanes::new(clock.clone()),
            heard: Mutex::new(RecentDeliveries::new(began)),
            began,
            reconcile_due: AtomicBool::new(false),
            wanted: Mutex::default(),
            replays: Replays::default(),
            twins: Twins::default(),
        }
    }

    /// A delivery is about to be kept: a reading that begins just after need not know what it says. To be told before
    /// anybody can see its place among the deliveries.
    pub fn arrive(&self, delivery: &Delivery) {
        self.twins.heard(delivery);
        self.heard.lock().arrive(delivery.seq, self.clock.now());
    }

    /// A delivery is to be worked on: a reading that began before it, or just after, may not know what it says.
    pub fn deliver(&self, delivery: Arc<Delivery>) {
        let now = self.clock.now();
        self.heard.lock().hear(&delivery.event, delivery.seq, now);
        self.lanes.add(LaneKey::of(&delivery.event), Hint::of_delivery(delivery, now));
    }

    /// What the mirror asks for by itself: newer than every delivery so far, and older than the next.
    pub fn ask(&self, key: LaneKey, why: Own, ask: Ask) {
        self.ask_later(key, why, ask, Duration::ZERO);
    }

    /// The same, to be done when some time has passed.
    pub fn ask_later(&self, key: LaneKey, why: Own, ask: Ask, wait: Duration) {
        let due = self.clock.now() + wait;
        self.lanes.add(key, Hint::new(self.now_seq(), Origin::Own(why), ask, due));
    }

    /// Asks for a look at a team's slug and name, and at whatever is open for it.
    pub fn look_at_team(&self, team: GithubTeamId, why: Own) {
        self.ask(LaneKey::Team(team), why, Ask::Team);
    }

    /// After a service's start: every queued delivery, and every team for which something is open.
    pub fn fill(&self) {
        let (queued, teams) = self.journal.read(|state| {
            self.heard.lock().go_on();
            let queued: Vec<Arc<Delivery>> = state.deliveries.queued().cloned().collect();
            let teams: BTreeSet<_> = state.teams.open_intents().chain(state.teams.unfilled()).collect();
            (queued, teams)
        });
        queued.into_iter().for_each(|delivery| self.deliver(delivery));
        teams.into_iter().for_each(|team| self.look_at_team(team, Own::OpenIntent));
    }

    /// A team's end is about to be written down.
    pub fn hear_end(&self, team: GithubTeamId) {
        self.heard.lock().hear_end(team, self.clock.now());
    }

    /// Teams whose end every replica must know by now: GitHub may have shown them to nobody for a moment.
    pub fn take_doubted(&self) -> Vec<GithubTeamId> {
        self.heard.lock().take_doubted(self.clock.now())
    }

    /// A Sentry team was made for it; `compared`: because a comparison has seen it.
    pub fn hear_making(&self, team: GithubTeamId, compared: bool) {
        let (mut heard, now) = (self.heard.lock(), self.clock.now());
        heard.hear_making(team, now);
        if !compared {
            heard.doubt_making(now);
        }
    }

    /// Whether a replica may not know the team yet.
    pub fn is_new(&self, team: GithubTeamId) -> bool {
        self.heard.lock().is_new(team, self.clock.now())
    }

    /// A look at what deliveries have said lately.
    pub fn heard<R>(&self, look: impl FnOnce(&RecentDeliveries) -> R) -> R {
        look(&self.heard.lock())
    }

    /// The place of the latest delivery: what the mirror does by itself is newer than that, and older than the next.
    pub fn now_seq(&self) -> Seq {
        self.journal.read(|state| Seq(state.next_seq().0 - 1))
    }

    /// The latest delivery whose word every replica of GitHub knows by now.
    pub fn last_delivery_visible_everywhere(&self) -> Seq {
        let (latest, now) = (self.now_seq(), self.clock.now());
        let heard = self.heard.lock().first_unsettled(now);
        // What a process of before has heard just before its end stands in the journal.
        let before = (now.duration_since(self.began) < LAG).then(|| {
            let since = self.clock.wall().before(LAG);
            self.journal.read(|state| state.deliveries.first_since(since))
        });
        let first = heard.into_iter().chain(before.flatten()).min();
        first.map_or(latest, |first| latest.min(Seq(first.0.saturating_sub(1))))
    }

    /// For how long a replica may still show a team that has ended, if it is asked at `now`; `None` if not, or no longer.
    pub fn end_settles_in(&self, team: GithubTeamId, now: Instant) -> Option<Duration> {
        let ended = self.journal.read(|state| state.teams.gone(team).map(|gone| gone.at))?;
        let wait = self.heard.lock().end_settles_in(team, ended, now, self.clock.wall());
        Some(wait).filter(|wait| !wait.is_zero())
    }

    /// Of the teams that a reading shows which began at `began`, those that a replica may show although they have ended.
    pub fn just_gone(
        &self,
        shown: impl Iterator<Item = GithubTeamId>,
        began: Instant,
    ) -> BTreeSet<GithubTeamId> {
        let ended: Vec<_> = self
            .journal
            .read(|state| shown.filter_map(|team| Some((team, state.teams.gone(team)?.at))).collect());
        let (heard, wall) = (self.heard.lock(), self.clock.wall());
        let is_unsettled =
            |(team, at): &(GithubTeamId, _)| !heard.end_settles_in(*team, *at, began, wall).is_zero();
        ended.into_iter().filter(is_unsettled).map(|(team, _)| team).collect()
    }

    /// Forgets what was heard up to `seq`: a comparison that begins there has seen it.
    pub fn forget_heard(&self, seq: Seq) {
        self.heard.lock().forget(seq, self.clock.now());
    }

    /// A comparison contradicts what a delivery said just before it: another one decides, a little later.
    pub fn look_again(&self) {
        self.heard.lock().look_again(self.clock.now());
    }

    pub fn take_second_look(&self) -> bool {
        self.heard.lock().take_second_look(self.clock.now())
    }

    /// A comparison leaves teams waiting for slugs that others have: a full one follows as soon as one of these is free.
    pub fn wait_for_slugs(&self, wanted: Vec<(GithubTeamId, SentrySlug)>) {
        *self.wanted.lock() = wanted;
        self.look_for_free_slugs(None);
    }

    /// A team may have given up a slug, by a new name or for good: whoever waits for it looks again now.
    pub fn moved(&self, team: GithubTeamId) {
        self.lanes.moved(team);
        self.look_for_free_slugs(Some(team));
    }

    /// Looks at those that one team had, or all.
    fn look_for_free_slugs(&self, had_by: Option<GithubTeamId>) {
        let mut wanted = self.wanted.lock();
        let mut slugs = wanted.iter().filter(|(owner, _)| had_by.is_none_or(|team| team == *owner));
        if slugs.any(|(owner, slug)| self.journal.read(|state| state.teams.owner(slug) != Some(*owner))) {
            wanted.clear();
            self.ask_for_reconcile();
        }
    }

    /// A full comparison is due now.
    pub fn ask_for_reconcile(&self) {
        self.reconcile_due.store(true, Ordering::Relaxed);
    }

    /// A host has another token, or what it may read has changed: what failed is tried again, and all is compared.
    pub fn begin_anew(&self) {
        self.lanes.begin_anew();
        self.ask_for_reconcile();
    }

    /// Whether somebody has asked for a full comparison since the last time.
    pub fn take_reconcile_due(&self) -> bool {
        self.reconcile_due.swap(false, Ordering::Relaxed)
    }
}
