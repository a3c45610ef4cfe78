//! What deliveries have said lately, by their place in the order of arrival. Pure: time is an argument.
//!
//! GitHub's replicas lag behind one another, so that a reading may know less than an event of a moment ago. What was said
//! within [`LAG`] before a reading began is not contradicted by it; another reading decides, later than that.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::state::event::Event;
use crate::state::ids::{GithubTeamId, GithubUserId, Seq};
use crate::state::LAG;

/// Arrivals are told apart no finer than this, so that a flood of them costs nothing.
const GRAIN: Duration = Duration::from_millis(100);
/// An end further ahead than this tells of a clock that was wrong, and is an old one.
const SURELY_OLD: Duration = Duration::from_secs(60 * 60);

/// What was heard since the process began, as far as it matters.
#[derive(Debug)]
pub struct RecentDeliveries {
    /// Who joined or left the organisation.
    people: HashMap<GithubUserId, Seq>,
    teams: HashMap<GithubTeamId, Seq>,
    /// The first delivery of each span of time.
    arrivals: VecDeque<(Instant, Seq)>,
    /// Teams that this process has ended.
    ends: HashMap<GithubTeamId, Instant>,
    /// When these are to be looked at once more, earliest first.
    doubted: VecDeque<(Instant, GithubTeamId)>,
    /// Teams for which this process has made one in Sentry.
    makings: HashMap<GithubTeamId, Instant>,
    /// When the last comparison began to read.
    compared: Option<Instant>,
    again: Option<Instant>,
    began: Instant,
    /// Whether the process goes on after its first comparison.
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

    /// A service begins, and not a single command: there will be time to look once more.
    pub fn go_on(&mut self) {
        self.goes_on = true;
    }

    /// A team's end is written down.
    pub fn hear_end(&mut self, team: GithubTeamId, now: Instant) {
        note_lately(&mut self.ends, team, now);
        self.doubted.push_back((now + LAG + GRAIN, team));
    }

    /// The teams whose end every replica must know by now: it may have been none. Each is told once.
    pub fn take_doubted(&mut self, now: Instant) -> Vec<GithubTeamId> {
        let n = self.doubted.iter().take_while(|(due, _)| *due <= now).count();
        self.doubted.drain(..n).map(|(_, team)| team).collect()
    }

    /// Whether the team's end was written down after that, and not long ago.
    pub fn has_ended_since(&self, team: GithubTeamId, then: Instant) -> bool {
        self.ends.get(&team).is_some_and(|at| *at >= then)
    }

    /// A Sentry team is made for it, because GitHub shows it.
    pub fn hear_making(&mut self, team: GithubTeamId, now: Instant) {
        note_lately(&mut self.makings, team, now);
    }

    /// That was so for an event's sake. If a comparison has read just before, the team may have been gone for it already, and
    /// shown to the event by a replica that lags: another comparison decides.
    pub fn doubt_making(&mut self, now: Instant) {
        if self.compared.is_some_and(|at| now.saturating_duration_since(at) < LAG) {
            self.look_again(now);
        }
    }

    /// Whether a replica may not know the team yet that another one has shown.
    pub fn is_new(&self, team: GithubTeamId, now: Instant) -> bool {
        self.makings.get(&team).is_some_and(|at| now.saturating_duration_since(*at) < LAG)
    }

    /// For how long a replica may still show a team whose end was written down at `at`, if it is asked at `now`. Spans are
    /// told by the clock that only goes forward: by the one on the wall, an end of this very moment may look old. Of an end
    /// before this process, whoever goes on counts from its own beginning; a single command has nothing but that clock, unless
    /// it was set back since.
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

    /// What is heard at the same moment need not be heard in the order of arrival.
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

    /// A delivery has come, and is about to be kept. Nobody has heard it until it is.
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

    /// The first delivery that arrived so lately that not every replica need know what it says.
    pub fn first_unsettled(&mut self, now: Instant) -> Option<Seq> {
        self.forget_arrivals(now);
        self.arrivals.iter().map(|(_, seq)| *seq).min()
    }

    /// When a person was last said to have joined or left the organisation.
    pub fn of_person(&self, user: GithubUserId) -> Option<Seq> {
        self.people.get(&user).copied()
    }

    /// When a team was last spoken of.
    pub fn of_team(&self, team: GithubTeamId) -> Option<Seq> {
        self.teams.get(&team).copied()
    }

    /// A comparison begins to read. Forgets what was heard up to `seq`: every reading from now on has seen it.
    pub fn forget(&mut self, seq: Seq, now: Instant) {
        self.compared = Some(now);
        self.people.retain(|_, at| *at > seq);
        self.teams.retain(|_, at| *at > seq);
    }

    /// A reading contradicts what was said just before: another one decides, when every replica knows that.
    pub fn look_again(&mut self, now: Instant) {
        self.again.get_or_insert(now + LAG + GRAIN);
    }

    /// Whether that is due.
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
        // A span of time counts as a whole until its last moment is settled.
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
        // Of a process before.
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
