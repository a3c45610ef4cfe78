//! Recent deliveries, by their order of arrival. Pure: time is an argument.
//!
//! GitHub's replicas lag, so a reading may not show the change of a recent event. Therefore a reading doesn't overrule
//! a delivery that arrived within [`LAG`] before it began. A later reading decides.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::state::event::Event;
use crate::state::ids::{GithubTeamId, GithubUserId, Seq};
use crate::state::LAG;

/// Arrivals within this time share an entry, so that a flood of them costs nothing.
const GRAIN: Duration = Duration::from_millis(100);
/// An end recorded further in the future than this is an old one, recorded while the clock was wrong.
const SURELY_OLD: Duration = Duration::from_secs(60 * 60);

/// The deliveries since the process began, as far as they matter.
#[derive(Debug)]
pub struct RecentDeliveries {
    /// The latest delivery about each person who joined or left the organisation.
    people: HashMap<GithubUserId, Seq>,
    teams: HashMap<GithubTeamId, Seq>,
    /// The first delivery of each [`GRAIN`] of time.
    arrivals: VecDeque<(Instant, Seq)>,
    /// Teams whose end this process recorded, and when.
    ends: HashMap<GithubTeamId, Instant>,
    /// Ended teams to check again, and when, earliest first.
    doubted: VecDeque<(Instant, GithubTeamId)>,
    /// Teams for which this process created a Sentry team, and when.
    makings: HashMap<GithubTeamId, Instant>,
    /// When the last comparison began to read.
    compared: Option<Instant>,
    again: Option<Instant>,
    began: Instant,
    /// Whether the process continues after its first comparison.
    goes_on: bool,
}

fn note_lately(all: &mut HashMap<GithubTeamId, Instant>, team: GithubTeamId, now: Instant) {
    all.retain(|_, at| now.saturating_duration_since(*at) < LAG);
    all.insert(team, now);
}

impl RecentDeliveries {
    pub fn new(began: Instant) -> Self {
        Self {
            people: HashMap::new(),
            teams: HashMap::new(),
            arrivals: VecDeque::new(),
            ends: HashMap::new(),
            doubted: VecDeque::new(),
            makings: HashMap::new(),
            compared: None,
            again: None,
            began,
            goes_on: false,
        }
    }

    /// This process is a service and not a single command, so there will be time for another look.
    pub fn go_on(&mut self) {
        self.goes_on = true;
    }

    /// A team's end is being recorded.
    pub fn hear_end(&mut self, team: GithubTeamId, now: Instant) {
        note_lately(&mut self.ends, team, now);
        self.doubted.push_back((now + LAG + GRAIN, team));
    }

    /// Ended teams to check again, now that every replica must know: the end may be wrong. Returns each once.
    pub fn take_doubted(&mut self, now: Instant) -> Vec<GithubTeamId> {
        let n = self.doubted.iter().take_while(|(due, _)| *due <= now).count();
        self.doubted.drain(..n).map(|(_, team)| team).collect()
    }

    /// Whether the team's end was recorded since `then`. Ends older than [`LAG`] may be forgotten.
    pub fn has_ended_since(&self, team: GithubTeamId, then: Instant) -> bool {
        self.ends.get(&team).is_some_and(|at| *at >= then)
    }

    /// A Sentry team is created for it, because GitHub shows it.
    pub fn hear_making(&mut self, team: GithubTeamId, now: Instant) {
        note_lately(&mut self.makings, team, now);
    }

    /// That team was created for an event. If a comparison began to read just before, the team may already have been
    /// gone in its reading, and a lagging replica may have shown it to the event. Another comparison decides.
    pub fn doubt_making(&mut self, now: Instant) {
        if self.compared.is_some_and(|at| now.saturating_duration_since(at) < LAG) {
            self.look_again(now);
        }
    }

    /// Whether a replica may not show the team yet that another one has shown.
    pub fn is_new(&self, team: GithubTeamId, now: Instant) -> bool {
        self.makings.get(&team).is_some_and(|at| now.saturating_duration_since(*at) < LAG)
    }

    /// How long after `now` a replica may still show a team whose end was recorded at `at`. Time is measured by the
    /// monotonic clock: by the wall clock, a very recent end may look old. For an end from before this process, a
    /// service counts from its own start. A single command has only the wall clock; if that was set back since, it
    /// counts from its start too.
    pub fn end_settles_in(
        &self,
        team: GithubTeamId,
        at: Timestamp,
        now: Instant,
        wall: Timestamp,
    ) -> Duration {
        let ago = match self.ends.get(&team) {
            Some(heard) => now.saturating_duration_since(*heard),
            None if self.goes_on => now.saturating_duration_since(self.began),
            None if at <= wall => wall.since(at),
            None if at.since(wall) < SURELY_OLD => now.saturating_duration_since(self.began),
            None => LAG,
        };
        LAG.saturating_sub(ago)
    }

    /// Notes a delivery. Deliveries of the same moment may come here in another order than they arrived.
    pub fn hear(&mut self, event: &Event, seq: Seq, now: Instant) {
        let latest = |at: &mut Seq| *at = seq.max(*at);
        if let Event::MemberAdded { person: Some(person) } | Event::MemberRemoved { person: Some(person) } =
            event
        {
            self.people.entry(person.id).and_modify(latest).or_insert(seq);
        }
        if let Some(team) = event.team() {
            self.teams.entry(team.id).and_modify(latest).or_insert(seq);
        }
        self.arrive(seq, now);
    }

    /// A delivery has arrived and is about to be kept. [`Self::hear`] gets it only after that.
    pub fn arrive(&mut self, seq: Seq, now: Instant) {
        self.forget_arrivals(now);
        match self.arrivals.back_mut() {
            Some((at, first)) if now.saturating_duration_since(*at) < GRAIN => *first = seq.min(*first),
            _ => self.arrivals.push_back((now, seq)),
        }
    }

    fn forget_arrivals(&mut self, now: Instant) {
        let is_old = |at: Instant| now.saturating_duration_since(at) >= LAG + GRAIN;
        while self.arrivals.front().is_some_and(|(at, _)| is_old(*at)) {
            self.arrivals.pop_front();
        }
    }

    /// The first delivery that is so recent that a replica may not show its change yet.
    pub fn first_unsettled(&mut self, now: Instant) -> Option<Seq> {
        self.forget_arrivals(now);
        self.arrivals.iter().map(|(_, seq)| *seq).min()
    }

    /// The latest delivery that reported that a person joined or left the organisation.
    pub fn of_person(&self, user: GithubUserId) -> Option<Seq> {
        self.people.get(&user).copied()
    }

    /// The latest delivery about a team.
    pub fn of_team(&self, team: GithubTeamId) -> Option<Seq> {
        self.teams.get(&team).copied()
    }

    /// A comparison begins to read. Forgets deliveries up to `seq`: every reading from now on shows their changes.
    pub fn forget(&mut self, seq: Seq, now: Instant) {
        self.compared = Some(now);
        self.people.retain(|_, at| *at > seq);
        self.teams.retain(|_, at| *at > seq);
    }

    /// A reading contradicts a recent delivery. Another one decides, once every replica must show its change.
    pub fn look_again(&mut self, now: Instant) {
        self.again.get_or_insert(now + LAG + GRAIN);
    }

    /// Whether it's time for that reading. True only once.
    pub fn take_second_look(&mut self, now: Instant) -> bool {
        self.again.take_if(|at| *at <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::event::{Person, TeamRef};
    use crate::state::ids::Login;

    fn joined(user: u64) -> Event {
        let person = Person { id: GithubUserId(user), login: Login::from("x"), bot: false };
        Event::MemberAdded { person: Some(person) }
    }

    fn made(team: u64) -> Event {
        Event::TeamCreated {
            team: TeamRef { id: GithubTeamId(team), name: "T".into(), slug: None, parent: None },
        }
    }

    #[test]
    fn what_arrived_within_the_lag_is_unsettled() {
        let start = Instant::now();
        let mut heard = RecentDeliveries::new(start);
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(heard.first_unsettled(start), None);
        for (ms, seq) in [(0, 1), (50, 2), (99, 3), (100, 4), (9000, 5)] {
            heard.hear(&made(seq), Seq(seq), at(ms));
        }
        // A span of time counts until its last moment is settled.
        for (ms, first) in
            [(9000, Some(1)), (15_099, Some(1)), (15_100, Some(4)), (15_200, Some(5)), (24_100, None)]
        {
            assert_eq!(heard.first_unsettled(at(ms)), first.map(Seq), "{ms}");
        }
    }

    #[test]
    fn what_is_heard_out_of_order_is_told_by_its_place_among_the_deliveries() {
        let start = Instant::now();
        let mut heard = RecentDeliveries::new(start);
        let at = |ms: u64| start + Duration::from_millis(ms);
        for (ms, seq) in [(0, 3), (1, 2), (200, 5), (400, 4)] {
            heard.hear(&made(7), Seq(seq), at(ms));
            heard.hear(&joined(8), Seq(seq), at(ms));
        }
        assert_eq!(
            (heard.of_team(GithubTeamId(7)), heard.of_person(GithubUserId(8))),
            (Some(Seq(5)), Some(Seq(5)))
        );
        for (ms, first) in [(400, 2), (15_100, 4), (15_300, 4)] {
            assert_eq!(heard.first_unsettled(at(ms)), Some(Seq(first)), "{ms}");
        }
    }

    #[test]
    fn teams_and_people_are_remembered_until_a_reading_has_seen_them() {
        let now = Instant::now();
        let mut heard = RecentDeliveries::new(now);
        heard.hear(&joined(7), Seq(1), now);
        heard.hear(&made(5), Seq(2), now);
        assert_eq!(
            (heard.of_person(GithubUserId(7)), heard.of_team(GithubTeamId(5))),
            (Some(Seq(1)), Some(Seq(2)))
        );
        heard.forget(Seq(1), now);
        assert_eq!((heard.of_person(GithubUserId(7)), heard.of_team(GithubTeamId(5))), (None, Some(Seq(2))));
    }

    #[test]
    fn a_second_look_comes_once_and_after_the_lag() {
        let now = Instant::now();
        let mut heard = RecentDeliveries::new(now);
        assert!(!heard.take_second_look(now));
        heard.look_again(now);
        heard.look_again(now + LAG);
        assert!(!heard.take_second_look(now + LAG));
        assert!(heard.take_second_look(now + LAG + GRAIN));
        assert!(!heard.take_second_look(now + LAG * 9));
    }

    #[test]
    fn what_is_made_just_after_a_comparison_began_is_looked_at_again() {
        let now = Instant::now();
        let mut heard = RecentDeliveries::new(now);
        heard.doubt_making(now);
        heard.forget(Seq(1), now);
        heard.doubt_making(now + LAG);
        assert!(!heard.take_second_look(now + LAG * 9));
        heard.doubt_making(now + LAG - GRAIN);
        assert!(!heard.take_second_look(now + LAG) && heard.take_second_look(now + LAG * 2));
    }

    #[test]
    fn an_end_settles_within_the_lag_wherever_the_clock_on_the_wall_is_set() {
        let start = Instant::now();
        let mut heard = RecentDeliveries::new(start);
        let (team, other, ended) = (GithubTeamId(5), GithubTeamId(6), Timestamp(1_000_000_000));
        let now = start + Duration::from_secs(100);
        heard.hear_end(team, now);
        for wall in [0, 999_940_000, 1_000_000_000, 1_000_060_000, u64::MAX] {
            let settles = |secs| {
                let now = now + Duration::from_secs(secs);
                heard.end_settles_in(team, ended, now, Timestamp(wall)).as_secs()
            };
            assert_eq!([settles(0), settles(4), settles(15)], [15, 11, 0], "{wall}");
        }
        // An end that an earlier process recorded.
        let settles = |secs, wall| {
            let now = start + Duration::from_secs(secs);
            heard.end_settles_in(other, ended, now, Timestamp(wall)).as_secs()
        };
        assert_eq!([1_000_000_000, 1_000_004_000, 1_000_015_000].map(|wall| settles(0, wall)), [15, 11, 0]);
        assert_eq!([0, 4, 15].map(|secs| settles(secs, 996_400_001)), [15, 11, 0]);
        assert_eq!(settles(0, 996_400_000), 0);
        heard.go_on();
        for wall in [0, 996_400_000, 1_000_000_000, 1_000_060_000, u64::MAX] {
            let settles = |secs| {
                let now = start + Duration::from_secs(secs);
                heard.end_settles_in(other, ended, now, Timestamp(wall)).as_secs()
            };
            assert_eq!([settles(0), settles(4), settles(15)], [15, 11, 0], "{wall}");
        }
        heard.hear_end(other, now + LAG);
        assert_eq!(heard.ends.len(), 1);
        assert!(heard.has_ended_since(other, now) && !heard.has_ended_since(other, now + LAG + GRAIN));
        assert!(!heard.has_ended_since(team, start));
    }

    #[test]
    fn a_team_is_new_as_long_as_a_replica_may_not_know_it() {
        let now = Instant::now();
        let mut heard = RecentDeliveries::new(now);
        let (team, other) = (GithubTeamId(5), GithubTeamId(6));
        heard.hear_making(team, now);
        assert!(heard.is_new(team, now) && heard.is_new(team, now + LAG - GRAIN));
        assert!(!heard.is_new(team, now + LAG) && !heard.is_new(other, now));
    }
}
