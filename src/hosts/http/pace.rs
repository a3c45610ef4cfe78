//! Decides when a host may be called, by its announced rate, its pauses and its health. Pure: time is an argument.
//!
//! Rates are counted per method, as Sentry does. A host that failed several times in a row is *down*: no call is made
//! during a growing pause, then one call tries. A host that refuses the token is paused and tried as well.

use std::time::{Duration, Instant};

use super::window::{Calls, ServerClock, Told};

/// This many failures in a row are an outage. Fewer are bad luck, which the job's own retries handle.
const FAILURES_THAT_ARE_AN_OUTAGE: u32 = 5;
/// The longest pause between two tries of a host that is down.
const LONGEST_OUTAGE_PAUSE: Duration = Duration::from_secs(60);
/// The pause before a refused token is tried again.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// How long other calls wait each time, while one call tries whether a pause can end.
const WHILE_TRYING: Duration = Duration::from_millis(500);

/// If a try has not come back after this time, another call may try.
const LONGEST_TRY: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    /// Creates a team, adds a member, asks GraphQL.
    Post,
    Put,
    /// Deletes a team, removes a member.
    Delete,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

#[derive(Debug, Default)]
pub struct Pace {
    not_before: [Option<Instant>; 4],
    calls: [Calls; 4],
    clock: ServerClock,
    failures: u32,
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    until: Instant,
    /// The start of the call that tries whether the host is back, if there is one.
    trying: Option<Instant>,
    /// Why the token or address is refused; `None` in an outage.
    refused: Option<String>,
    why: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    /// The host fails. The reason is that of the last call.
    Down(String),
    /// The host refuses the token, or the address is wrong.
    Refused(String),
}

impl Pace {
    /// How long a call has to wait. After zero, the caller makes the call now and then calls [`Pace::came_back`].
    pub fn turn(&mut self, method: Method, now: Instant) -> Duration {
        if let Some(pause) = &mut self.pause {
            if now < pause.until {
                return pause.until - now;
            }
            if pause.trying.is_some_and(|since| now < since + LONGEST_TRY) {
                return WHILE_TRYING;
            }
            pause.trying = Some(now);
        }
        let calls = &mut self.calls[method as usize];
        let wait =
            self.not_before[method as usize].map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let wait = wait.max(calls.wait(now));
        if wait.is_zero() {
            calls.begin(now);
        } else {
            self.end_try();
        }
        wait
    }

    fn end_try(&mut self) {
        if let Some(pause) = &mut self.pause {
            pause.trying = None;
        }
    }

    /// The same call is made again: it ends, and its next turn is a try again if this one was.
    pub fn repeats(&mut self, method: Method) {
        self.calls[method as usize].end();
        self.end_try();
    }

    /// Records the end of a call, the rate that its answer reported, and the second in which the host says it answered.
    pub fn came_back(&mut self, method: Method, told: Option<Told>, second: Option<u64>, now: Instant) {
        let calls = &mut self.calls[method as usize];
        calls.end();
        if let Some(second) = second {
            self.clock.tick(second, now);
        }
        if let Some(told) = told {
            calls.learn(told, self.clock, now);
        }
    }

    /// The host says that its rate was exceeded, so the estimate of its clock is wrong and is forgotten.
    pub fn overdrawn(&mut self) {
        self.clock = ServerClock::default();
    }

    /// Allows no call of this method for `wait`: a rate limit asked for that, or its window is used up.
    pub fn hold(&mut self, method: Method, wait: Duration, now: Instant) {
        let until = now + wait;
        let slot = &mut self.not_before[method as usize];
        *slot = (*slot).max(Some(until));
    }

    /// Records a usable answer. If the token was refused meanwhile, this ends the pause only while a call tries the
    /// token again. Returns whether a pause ended.
    pub fn well(&mut self) -> bool {
        self.failures = 0;
        if matches!(&self.pause, Some(Pause { refused: Some(_), trying: None, .. })) {
            return false;
        }
        self.pause.take().is_some()
    }

    /// Records an answer that something is forbidden or missing. That ends an outage, but doesn't prove that a refused
    /// token or address works. Returns whether a pause ended.
    pub fn answered(&mut self) -> bool {
        match &mut self.pause {
            Some(Pause { refused: Some(_), trying, .. }) => {
                *trying = None;
                false
            }
            _ => self.well(),
        }
    }

    /// Records a failure of the host. Returns whether a pause began.
    pub fn failed(&mut self, why: &str, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let Some(more) = self.failures.checked_sub(FAILURES_THAT_ARE_AN_OUTAGE) else {
            self.end_try();
            return false;
        };
        let pause = Duration::from_secs(1 << more.min(6)).min(LONGEST_OUTAGE_PAUSE);
        let began = self.pause.is_none();
        self.pause = Some(Pause { until: now + pause, trying: None, refused: None, why: why.into() });
        began
    }

    /// Records that the host refuses the token or the address. Returns whether that is news.
    pub fn refused(&mut self, why: &str, now: Instant) -> bool {
        self.refused_for(why, REFUSED_PAUSE, now)
    }

    /// Like [`Pace::refused`], with another pause before the next try.
    pub fn refused_for(&mut self, why: &str, pause: Duration, now: Instant) -> bool {
        let news = !matches!(&self.pause, Some(Pause { refused: Some(known), .. }) if known == why);
        let until = now + pause;
        self.pause = Some(Pause { until, trying: None, refused: Some(why.into()), why: why.into() });
        news
    }

    /// Forgets that the old token was refused or has used up its rate, because there is another token.
    pub fn forget_token(&mut self) {
        self.not_before = Default::default();
        self.calls.iter_mut().for_each(Calls::forget);
        if matches!(&self.pause, Some(Pause { refused: Some(_), .. })) {
            self.pause = None;
        }
    }

    /// How long no call at all can be made; `None` if there is no pause.
    pub fn paused_for(&self, now: Instant) -> Option<Duration> {
        self.pause.as_ref().map(|pause| pause.until.saturating_duration_since(now)).filter(|d| !d.is_zero())
    }

    pub fn health(&self) -> Health {
        match &self.pause {
            None => Health::Well,
            Some(Pause { refused: Some(why), .. }) => Health::Refused(why.clone()),
            Some(Pause { why, .. }) => Health::Down(why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A host that has just been found to be down.
    fn down() -> (Pace, Instant) {
        let (mut pace, now) = (Pace::default(), Instant::now());
        (0..5).for_each(|_| assert!(pace.failed("x", now) || pace.health() == Health::Well));
        (pace, now)
    }

    #[test]
    fn rates_are_kept_per_method() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.hold(Method::Get, SECOND, now);
        pace.hold(Method::Get, SECOND / 2, now);
        assert_eq!(pace.turn(Method::Get, now), SECOND);
        assert_eq!(pace.turn(Method::Post, now), Duration::ZERO);
        assert_eq!(pace.turn(Method::Get, now + SECOND), Duration::ZERO);
    }

    #[test]
    fn an_outage_is_several_failures_in_a_row_and_pauses_grow() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        for _ in 0..4 {
            assert!(!pace.failed("x", now));
        }
        assert_eq!(pace.turn(Method::Get, now), Duration::ZERO);
        pace.well();
        for _ in 0..4 {
            assert!(!pace.failed("x", now));
        }
        assert!(pace.failed("x", now));
        assert_eq!(pace.health(), Health::Down("x".into()));
        let pauses: Vec<_> = (0..8)
            .map(|_| {
                let pause = pace.paused_for(now).unwrap();
                assert!(!pace.failed("x", now));
                pause.as_secs()
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(pace.well());
        assert_eq!((pace.health(), pace.paused_for(now)), (Health::Well, None));
    }

    #[test]
    fn one_call_tries_whether_an_outage_is_over() {
        let (mut pace, now) = down();
        let later = now + SECOND;
        assert_eq!(pace.turn(Method::Get, later), Duration::ZERO);
        assert_eq!(pace.turn(Method::Get, later), WHILE_TRYING);
        assert!(!pace.failed("x", later));
        assert_eq!(pace.turn(Method::Get, later), 2 * SECOND);
    }

    #[test]
    fn a_try_that_is_repeated_does_not_wait_for_itself() {
        let (mut pace, now) = down();
        let later = now + SECOND;
        assert_eq!(pace.turn(Method::Get, later), Duration::ZERO);
        pace.repeats(Method::Get);
        assert_eq!(pace.turn(Method::Get, later), Duration::ZERO);
        assert_eq!(pace.turn(Method::Get, later), WHILE_TRYING, "for others it is still tried");
    }

    #[test]
    fn a_refused_token_is_tried_once_a_minute() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!(pace.refused("no", now));
        assert!(!pace.refused("no", now));
        assert_eq!(pace.turn(Method::Get, now), REFUSED_PAUSE);
        assert_eq!(pace.turn(Method::Get, now + REFUSED_PAUSE), Duration::ZERO);
        assert_eq!(pace.health(), Health::Refused("no".into()));
    }

    #[test]
    fn what_is_not_there_is_tried_as_seldom_as_was_asked_for() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!(pace.refused_for("no organisation", 300 * SECOND, now));
        assert!(!pace.refused_for("no organisation", 300 * SECOND, now), "no news");
        assert_eq!(pace.turn(Method::Get, now), 300 * SECOND);
        // The try finds nothing again, and its caller asks for the organisation at once.
        assert_eq!(pace.turn(Method::Get, now + 300 * SECOND), Duration::ZERO);
        assert!(!pace.answered());
        assert_eq!(pace.turn(Method::Get, now + 300 * SECOND), Duration::ZERO);
        assert!(pace.well(), "it is there");
    }

    #[test]
    fn another_token_has_a_rate_of_its_own() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.turn(Method::Get, now), Duration::ZERO);
        pace.came_back(Method::Get, Some(Told { limit: 60, remaining: 0, reset: 3601 }), Some(1), now);
        pace.hold(Method::Post, SECOND, now);
        assert_eq!(pace.turn(Method::Get, now), 3600 * SECOND);
        pace.forget_token();
        assert_eq!((pace.turn(Method::Get, now), pace.turn(Method::Post, now)), Default::default());
    }

    #[test]
    fn a_refusal_outlives_answers_that_prove_nothing() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.refused("lacks a scope", now);
        // A call that was in progress is answered with 403 or 404.
        assert!(!pace.answered());
        // Another one, which needs another scope, is answered with 200.
        assert!(!pace.well());
        assert_eq!(pace.health(), Health::Refused("lacks a scope".into()));
        assert_eq!(pace.paused_for(now), Some(REFUSED_PAUSE));
        // A minute later, a try that gets such an answer lets the next call try at once.
        assert_eq!(pace.turn(Method::Get, now + REFUSED_PAUSE), Duration::ZERO);
        assert!(!pace.answered());
        assert_eq!(pace.turn(Method::Post, now + REFUSED_PAUSE), Duration::ZERO);
        assert!(pace.well());
        (0..5).for_each(|_| assert!(pace.failed("x", now) || pace.health() == Health::Well));
        assert!(pace.answered(), "an outage is over with any answer");
        assert_eq!(pace.health(), Health::Well);
    }
}
