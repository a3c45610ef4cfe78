//! Pending work and its order: a lane for each team, person and organisation. It must never carry anything out.

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

/// How long a team isn't asked again for what another team needs.
const OWNER_AGAIN: Duration = Duration::from_secs(60);

/// The lanes, with the recent deliveries that decide which readings of GitHub are new enough.
pub struct Queue {
    clock: Clock,
    journal: Arc<Journal>,
    pub lanes: Lanes,
    /// Recent deliveries.
    heard: Mutex<RecentDeliveries>,
    began: Instant,
    /// A full comparison was requested.
    reconcile_due: AtomicBool,
    /// Slugs that the last comparison wants for other teams, each with the team that still has it.
    wanted: Mutex<Vec<(GithubTeamId, SentrySlug)>>,
    /// When each team was last asked for something that another team needs.
    owners: Mutex<Vec<(GithubTeamId, Instant)>>,
    /// Failed deliveries that a person asked to replay.
    pub replays: Replays,
    /// Events that two webhooks both sent.
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
            owners: Mutex::default(),
            replays: Replays::default(),
            twins: Twins::default(),
        }
    }

    /// A delivery is about to be kept. A reading that begins just after it may not show its change. Call this before
    /// any other thread can see the delivery's number.
    pub fn arrive(&self, delivery: &Delivery) {
        self.twins.heard(delivery);
        self.heard.lock().arrive(delivery.seq, self.clock.now());
    }

    /// Queues a kept delivery. A reading that began before it, or just after, may not show its change.
    pub fn deliver(&self, delivery: Arc<Delivery>) {
        let now = self.clock.now();
        self.heard.lock().hear(&delivery.event, delivery.seq, now);
        self.lanes.add(LaneKey::of(&delivery.event), Hint::of_delivery(delivery, now));
    }

    /// Queues the mirror's own work. It counts as newer than every delivery so far, and older than the next.
    pub fn ask(&self, key: LaneKey, why: Own, ask: Ask) {
        self.ask_later(key, why, ask, Duration::ZERO);
    }

    /// The same, but not before `wait` has passed.
    pub fn ask_later(&self, key: LaneKey, why: Own, ask: Ask, wait: Duration) {
        let due = self.clock.now() + wait;
        self.lanes.add(key, Hint::new(self.now_seq(), Origin::Own(why), ask, due));
    }

    /// Queues a look at a team's slug and name, and at everything that is open for it.
    pub fn look_at_team(&self, team: GithubTeamId, why: Own) {
        self.ask(LaneKey::Team(team), why, Ask::Team);
    }

    /// Queues a look at a team that has the slug, or the name in CODEOWNERS, that another team needs: its rename may have
    /// been missed. At most once in `OWNER_AGAIN`: two teams that wait for each other would keep each other busy.
    pub fn ask_owner(&self, owner: GithubTeamId) {
        let now = self.clock.now();
        let mut asked = self.owners.lock();
        asked.retain(|(_, at)| now.saturating_duration_since(*at) < OWNER_AGAIN);
        if asked.iter().all(|(team, _)| *team != owner) {
            asked.push((owner, now));
            drop(asked);
            self.look_at_team(owner, Own::SlugIsWanted);
        }
    }

    /// At the service's start: queues every unsettled delivery, and every team for which something is open.
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

    /// A team's end is about to be recorded.
    pub fn hear_end(&self, team: GithubTeamId) {
        self.heard.lock().hear_end(team, self.clock.now());
    }

    /// Ended teams to check again once every replica must know: GitHub may have hidden them only for a moment.
    pub fn take_doubted(&self) -> Vec<GithubTeamId> {
        self.heard.lock().take_doubted(self.clock.now())
    }

    /// A Sentry team was created for it. `compared`: for a comparison, and not for an event.
    pub fn hear_making(&self, team: GithubTeamId, compared: bool) {
        let (mut heard, now) = (self.heard.lock(), self.clock.now());
        heard.hear_making(team, now);
        if !compared {
            heard.doubt_making(now);
        }
    }

    /// Whether a replica may not show the team yet.
    pub fn is_new(&self, team: GithubTeamId) -> bool {
        self.heard.lock().is_new(team, self.clock.now())
    }

    /// Reads the recent deliveries.
    pub fn heard<R>(&self, look: impl FnOnce(&RecentDeliveries) -> R) -> R {
        look(&self.heard.lock())
    }

    /// The number of the latest delivery. The mirror's own work gets it too: newer than that one, older than the next.
    pub fn now_seq(&self) -> Seq {
        self.journal.read(|state| Seq(state.next_seq().0 - 1))
    }

    /// The latest delivery whose change every GitHub replica must show by now.
    pub fn last_delivery_visible_everywhere(&self) -> Seq {
        let (latest, now) = (self.now_seq(), self.clock.now());
        let heard = self.heard.lock().first_unsettled(now);
        // The journal has the deliveries that the previous process received just before it ended.
        let before = (now.duration_since(self.began) < LAG).then(|| {
            let since = self.clock.wall().before(LAG);
            self.journal.read(|state| state.deliveries.first_since(since))
        });
        let first = heard.into_iter().chain(before.flatten()).min();
        first.map_or(latest, |first| latest.min(Seq(first.0.saturating_sub(1))))
    }

    /// How long after `now` a replica may still show an ended team; `None` if it hasn't ended, or if that time is over.
    pub fn end_settles_in(&self, team: GithubTeamId, now: Instant) -> Option<Duration> {
        let ended = self.journal.read(|state| state.teams.gone(team).map(|gone| gone.at))?;
        let wait = self.heard.lock().end_settles_in(team, ended, now, self.clock.wall());
        Some(wait).filter(|wait| !wait.is_zero())
    }

    /// Of the teams `shown` by a reading that began at `began`, the ended ones that a lagging replica may still show.
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

    /// Forgets deliveries up to `seq`: the comparison that begins now sees their changes.
    pub fn forget_heard(&self, seq: Seq) {
        self.heard.lock().forget(seq, self.clock.now());
    }

    /// A comparison contradicts a delivery from just before it. Another comparison, a little later, decides.
    pub fn look_again(&self) {
        self.heard.lock().look_again(self.clock.now());
    }

    pub fn take_second_look(&self) -> bool {
        self.heard.lock().take_second_look(self.clock.now())
    }

    /// A comparison left teams waiting for slugs that others have. As soon as one is free, a full comparison follows.
    pub fn wait_for_slugs(&self, wanted: Vec<(GithubTeamId, SentrySlug)>) {
        *self.wanted.lock() = wanted;
        self.look_for_free_slugs(None);
    }

    /// A team may have given up its slug, by a rename or its end. Teams that wait for the slug are tried now.
    pub fn moved(&self, team: GithubTeamId) {
        self.lanes.moved(team);
        self.look_for_free_slugs(Some(team));
    }

    /// Looks at the wanted slugs that one team had, or at all of them.
    fn look_for_free_slugs(&self, had_by: Option<GithubTeamId>) {
        let mut wanted = self.wanted.lock();
        let mut slugs = wanted.iter().filter(|(owner, _)| had_by.is_none_or(|team| team == *owner));
        if slugs.any(|(owner, slug)| self.journal.read(|state| state.teams.owner(slug) != Some(*owner))) {
            wanted.clear();
            self.ask_for_reconcile();
        }
    }

    /// Requests a full comparison.
    pub fn ask_for_reconcile(&self) {
        self.reconcile_due.store(true, Ordering::Relaxed);
    }

    /// A token, its permissions or the settings have changed: retries what failed and requests a full comparison.
    pub fn begin_anew(&self) {
        self.lanes.begin_anew();
        self.ask_for_reconcile();
    }

    /// Whether a full comparison was requested since the last call.
    pub fn take_reconcile_due(&self) -> bool {
        self.reconcile_due.swap(false, Ordering::Relaxed)
    }
}
