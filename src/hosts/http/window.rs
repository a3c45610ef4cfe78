//! An announced rate: a number of calls for each window of whole seconds, counted by the server's clock. Pure: time is
//! an argument.
//!
//! A server's report on a window is old when it arrives, and may or may not include the calls in progress. So the
//! mirror counts its own calls, and learns from the server only how many calls others have made. It estimates the
//! server's clock from `Date`, which has whole seconds: the more answers, the better the estimate.

use std::time::{Duration, Instant};

/// No host has longer windows: GitHub's last an hour, Sentry's a few seconds. A report of a longer one is not believed.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(2 * 3600);

/// The rate that one answer reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// How many calls a window allows.
    pub limit: u64,
    /// How many of them are left.
    pub remaining: u64,
    /// When the next window begins, in the server's seconds since 1970.
    pub reset: u64,
}

/// The server's clock, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerClock {
    /// At this local moment, this second had already begun on the server.
    known: Option<(Instant, u64)>,
}

impl ServerClock {
    /// Learns from an answer that arrives now and was sent in this second of the server's clock.
    pub fn tick(&mut self, second: u64, now: Instant) {
        let sooner = |(at, known): (Instant, u64)| begins(at, known, second).is_none_or(|by| now < by);
        if self.known.is_none_or(sooner) {
            self.known = Some((now, second));
        }
    }

    /// Seconds until this second of the server's clock, about; zero while the clock is unknown.
    fn until(self, second: u64, now: Instant) -> u64 {
        let (at, known) = self.known.unwrap_or((now, second));
        let passed = now.saturating_duration_since(at).as_secs();
        second.saturating_sub(known.saturating_add(passed))
    }

    /// The latest local moment at which this second of the server's clock can begin.
    fn begins(self, second: u64, now: Instant) -> Instant {
        let (at, known) = self.known.unwrap_or((now, second.saturating_sub(1)));
        begins(at, known, second).unwrap_or(now)
    }
}

fn begins(at: Instant, known: u64, second: u64) -> Option<Instant> {
    match second.checked_sub(known) {
        Some(later) => at.checked_add(Duration::from_secs(later)),
        None => at.checked_sub(Duration::from_secs(known - second)),
    }
}

/// The calls of one method.
#[derive(Debug, Default)]
pub struct Calls {
    asking: u64,
    window: Option<Window>,
}

#[derive(Debug)]
struct Window {
    limit: u64,
    reset: u64,
    ends: Instant,
    /// The mirror's own calls that may count in this window.
    begun: u64,
    /// The calls that others have made in this window.
    others: u64,
}

impl Calls {
    pub fn wait(&self, now: Instant) -> Duration {
        match &self.window {
            Some(window) if window.begun.saturating_add(window.others) >= window.limit => {
                window.ends.saturating_duration_since(now)
            }
            _ => Duration::ZERO,
        }
    }

    pub fn begin(&mut self, now: Instant) {
        self.asking += 1;
        if let Some(window) = &mut self.window {
            if now >= window.ends {
                // The next window, which no answer has reported yet. Calls in progress may count in it.
                let second = Duration::from_secs(1);
                let (reset, ends) = (window.reset.saturating_add(1), now + second);
                *window = Window { reset, ends, begun: self.asking, others: 0, ..*window };
            } else {
                window.begun += 1;
            }
        }
    }

    pub fn end(&mut self) {
        self.asking = self.asking.saturating_sub(1);
    }

    /// Forgets the reported rate, because it no longer applies.
    pub fn forget(&mut self) {
        self.window = None;
    }

    /// Learns what an answer reports about its window. Must be called after [`Calls::end`] for the same call.
    pub fn learn(&mut self, told: Told, clock: ServerClock, now: Instant) {
        let Told { limit, remaining, reset } = told;
        if clock.until(reset, now) > LONGEST_WINDOW.as_secs() {
            return;
        }
        let used = limit.saturating_sub(remaining);
        match &mut self.window {
            Some(window) if reset < window.reset => {}
            Some(window) if reset == window.reset => {
                window.limit = limit;
                window.others = window.others.max(used.saturating_sub(window.begun));
                window.ends = clock.begins(reset, now);
            }
            window => {
                let begun = self.asking + 1;
                let others = used.saturating_sub(begun);
                *window = Some(Window { limit, reset, ends: clock.begins(reset, now), begun, others });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with fixed windows. Its clock is in milliseconds.
    struct Server {
        limit: u64,
        length: u64,
        window: u64,
        used: u64,
        refused: u64,
    }

    impl Server {
        fn call(&mut self, at: u64) -> Told {
            let window = at / (self.length * 1000);
            if window != self.window {
                (self.window, self.used) = (window, 0);
            }
            self.used += 1;
            if self.used > self.limit {
                self.refused += 1;
            }
            Told {
                limit: self.limit,
                remaining: self.limit.saturating_sub(self.used),
                reset: (window + 1) * self.length,
            }
        }
    }

    struct Play {
        limit: u64,
        length: u64,
        workers: usize,
        there: u64,
        back: u64,
        calls: usize,
        others: bool,
    }

    /// Plays the calls. Returns how many were refused, and how many milliseconds it took.
    fn play(play: &Play) -> (u64, u64) {
        let began = Instant::now();
        let at = |ms: u64| began + Duration::from_millis(ms);
        let offset = 5_000_777;
        let mut server = Server { limit: play.limit, length: play.length, window: 0, used: 0, refused: 0 };
        let (mut calls, mut clock) = (Calls::default(), ServerClock::default());
        let (mut left, mut done, mut ms) = (play.calls, 0, 0);
        let mut arriving: Vec<u64> = Vec::new();
        let mut coming: Vec<(u64, Told, u64)> = Vec::new();
        while done < play.calls {
            if play.others && ms % 700 == 0 {
                server.call(ms + offset);
            }
            let (now, later): (Vec<_>, Vec<_>) = arriving.into_iter().partition(|at| *at == ms);
            arriving = later;
            for _ in now {
                coming.push((ms + play.back, server.call(ms + offset), (ms + offset) / 1000));
            }
            let (now, later): (Vec<_>, Vec<_>) = coming.into_iter().partition(|(at, ..)| *at == ms);
            coming = later;
            for (_, told, date) in now {
                clock.tick(date, at(ms));
                calls.end();
                calls.learn(told, clock, at(ms));
                done += 1;
            }
            while left > 0 && arriving.len() + coming.len() < play.workers && calls.wait(at(ms)).is_zero() {
                calls.begin(at(ms));
                arriving.push(ms + play.there);
                left -= 1;
            }
            ms += 1;
        }
        (server.refused, ms)
    }

    const PLAY: Play =
        Play { limit: 40, length: 1, workers: 1, there: 10, back: 10, calls: 400, others: false };

    #[test]
    fn an_announced_rate_is_used_up_and_never_overdrawn() {
        for (limit, workers, there, back) in [
            (3, 1, 1, 1),
            (3, 4, 5, 5),
            (40, 8, 10, 10),
            (40, 4, 1, 1),
            (100, 16, 20, 30),
            (5, 8, 40, 1),
            (40, 8, 1, 60),
        ] {
            let calls = (limit * 12) as usize;
            let (refused, ms) = play(&Play { limit, workers, there, back, calls, ..PLAY });
            // The first answer reports the limit. Only calls that are made before it can be refused.
            let unknown = (workers as u64).saturating_sub(limit);
            assert!(refused <= unknown, "{limit} a second, {workers} at once: {refused} refused");
            let at_most = 12_000 + 1_000 + 12 * 2 * (there + back);
            assert!(ms <= at_most, "{limit} a second, {workers} at once: {ms} ms, at most {at_most}");
        }
    }

    /// Milliseconds in place of seconds, say. What the host says later counts.
    #[test]
    fn a_window_that_lasts_for_ages_is_not_believed() {
        let (mut calls, mut clock, now) = (Calls::default(), ServerClock::default(), Instant::now());
        clock.tick(1000, now);
        for reset in [1_764_000_000_000, u64::MAX] {
            calls.begin(now);
            calls.end();
            calls.learn(Told { limit: 5, remaining: 0, reset }, clock, now);
            assert_eq!(calls.wait(now), Duration::ZERO, "{reset}");
        }
        calls.learn(Told { limit: 5, remaining: 0, reset: 4600 }, clock, now);
        assert_eq!(calls.wait(now), Duration::from_secs(3600));
    }

    #[test]
    fn longer_windows_are_kept_too() {
        let (refused, ms) = play(&Play { limit: 50, length: 10, workers: 4, calls: 150, ..PLAY });
        assert_eq!(refused, 0);
        assert!(ms <= 31_000, "{ms}");
    }

    #[test]
    fn what_others_use_is_learned() {
        let (refused, _) = play(&Play { limit: 10, workers: 1, calls: 100, others: true, ..PLAY });
        assert!(refused <= 10, "{refused}: at most the other's call that came in between, in each window");
    }

    #[test]
    fn an_answer_of_the_window_before_says_nothing_of_this_one() {
        let now = Instant::now();
        let mut clock = ServerClock::default();
        clock.tick(100, now);
        let mut calls = Calls::default();
        calls.begin(now);
        calls.begin(now);
        calls.end();
        calls.learn(Told { limit: 2, remaining: 0, reset: 101 }, clock, now);
        let second = Duration::from_secs(1);
        assert_eq!(calls.wait(now), second);
        calls.begin(now + second);
        calls.end();
        calls.learn(Told { limit: 2, remaining: 0, reset: 101 }, clock, now + second);
        // Two calls count in this window: the one still in progress, and the one begun in it.
        assert!(calls.wait(now + second) > Duration::ZERO);
        assert_eq!(calls.wait(now + 2 * second), Duration::ZERO);
    }
}
