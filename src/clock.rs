//! Points in time as they are stored and shown, and the clock that they come from. Rules that depend on time take a
//! [`Timestamp`] or an `Instant` as an argument. Everything else asks the [`Clock`] of the process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Where the time comes from: the machine, or a test.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's monotonic clock and its wall clock.
    #[default]
    System,
    /// Two clocks that move only when a test moves them.
    Hand(Arc<Hand>),
}

impl Clock {
    /// The monotonic clock, for measuring time spans.
    pub fn now(&self) -> Instant {
        match self {
            Self::System => Instant::now(),
            Self::Hand(hand) => hand.now(),
        }
    }

    /// The wall clock, for people and for records. It may be set to any time at any moment.
    pub fn wall(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Hand(hand) => hand.wall(),
        }
    }

    /// The time since `earlier`; zero if `earlier` is in the future.
    pub fn since(&self, earlier: Instant) -> Duration {
        self.now().saturating_duration_since(earlier)
    }
}

/// A clock that a test moves by hand. Its lock is the standard one, so reading the clock never switches threads.
#[derive(Debug)]
pub struct Hand(Mutex<Hands>);

#[derive(Debug)]
struct Hands {
    now: Instant,
    wall: Timestamp,
}

impl Hand {
    /// Starts at `wall`, and at an instant from which years can be subtracted. One before boot may not exist.
    pub fn at(wall: Timestamp) -> Self {
        const YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
        let now = Instant::now();
        Self(Mutex::new(Hands { now: now.checked_add(YEARS).unwrap_or(now), wall }))
    }

    pub fn now(&self) -> Instant {
        self.hands().now
    }

    pub fn wall(&self) -> Timestamp {
        self.hands().wall
    }

    /// Moves both clocks forward.
    pub fn pass(&self, span: Duration) {
        let mut hands = self.hands();
        hands.now = hands.now.checked_add(span).unwrap_or(hands.now);
        hands.wall = hands.wall.after(span);
    }

    /// Sets the wall clock alone.
    pub fn set_wall(&self, wall: Timestamp) {
        self.hands().wall = wall;
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970, UTC. Shown as RFC 3339.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

const DAY_MS: u64 = 86_400_000;

impl Timestamp {
    /// The wall clock. A clock before 1970 counts as 1970.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_millis() as u64)
    }

    /// From whole seconds since 1970, as rate-limit headers give them.
    pub fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// The time from `earlier` to this; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This point moved back by `span`; never before 1970.
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.as_millis() as u64))
    }

    /// This point moved forward by `span`.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_millis() as u64))
    }

    /// `2026-11` for the file names of the audit log.
    pub fn month(self) -> String {
        let (year, month, _) = self.date();
        format!("{year:04}-{month:02}")
    }

    /// Year, month 1 to 12, day 1 to 31 in the Gregorian calendar.
    ///
    /// The days-to-civil algorithm counts from 1 March of year 0 in 400-year eras, so that the leap day
    /// is the last of its year.
    fn date(self) -> (u64, u64, u64) {
        let days = self.0 / DAY_MS + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        (year, month, day)
    }

    /// Reads `2026-11-23T21:53:48Z`, with or without a fraction, as both APIs send it. Other forms are `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut clock = clock.splitn(3, ':').map(|part| part.parse::<u64>().ok());
        let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
        let valid = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        if !valid {
            return None;
        }
        let ms = format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()?;
        let days = days_since_1970(year, month, day);
        Some(Self(days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms))
    }
}

fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let secs = self.0 % DAY_MS / 1000;
        let (hour, minute, second) = (secs / 3600, secs / 60 % 60, secs % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// A point in time as the status shows it: in whole seconds, and in JSON as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown(Timestamp);

impl From<Timestamp> for Shown {
    fn from(at: Timestamp) -> Self {
        Self(Timestamp(at.0 / 1000 * 1000))
    }
}

impl std::ops::Deref for Shown {
    type Target = Timestamp;

    fn deref(&self) -> &Timestamp {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Reads the date of an HTTP header, `Mon, 23 Nov 2026 21:53:48 GMT`; older forms are `None`.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let rest = text.strip_suffix(" GMT")?.split_once(", ")?.1;
    let mut parts = rest.splitn(4, ' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Timestamp::parse(&format!("{year}-{month:02}-{day}T{time}Z"))
}

/// Reads `2026-12-25 11:00:00 UTC` and the same with an offset, `… -0700`: the format of a token's expiry date on
/// GitHub. Anything else is `None`.
pub fn parse_spaced(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(' ')?;
    let (time, zone) = rest.split_once(' ')?;
    let there = Timestamp::parse(&format!("{date}T{time}Z"))?;
    if matches!(zone, "UTC" | "GMT" | "Z") {
        return Some(there);
    }
    let digits = zone.get(1..)?;
    let (hours, minutes) = (digits.get(..2)?.parse::<u64>().ok()?, digits.get(2..)?.parse::<u64>().ok()?);
    let offset = Duration::from_secs((hours * 60 + minutes) * 60);
    match zone.get(..1)? {
        "+" => Some(there.before(offset)),
        "-" => Some(there.after(offset)),
        _ => None,
    }
}

/// `90s`, `15m`, `2h`, `3d` for people: rounded down to the largest unit that it has at least 2 of, or to seconds.
pub fn short(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        172_800.. => format!("{}d", secs / 86_400),
        7200.. => format!("{}h", secs / 3600),
        120.. => format!("{}m", secs / 60),
        _ => format!("{secs}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hands_pass_together_and_the_wall_can_be_set_alone() {
        let hand = Arc::new(Hand::at(Timestamp(10_000)));
        let clock = Clock::Hand(hand.clone());
        let began = clock.now();
        assert!(began.checked_sub(Duration::from_secs(9 * 365 * 24 * 3600)).is_some());
        hand.pass(Duration::from_secs(5));
        assert_eq!((clock.since(began), clock.wall()), (Duration::from_secs(5), Timestamp(15_000)));
        hand.set_wall(Timestamp(3));
        assert_eq!((clock.since(began), clock.wall()), (Duration::from_secs(5), Timestamp(3)));
        assert_eq!(clock.since(clock.now() + Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn shows_and_reads_the_same_moment() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_470_828_000, "2026-11-23T21:53:48Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp(ms).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(ms)));
        }
        assert_eq!(Timestamp::parse("2026-11-23T21:53:48.976318Z"), Some(Timestamp(1_795_470_828_976)));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "Z", "2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z", "x-1-1T0:0:0Z"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn reads_the_date_header() {
        assert_eq!(parse_http_date("Mon, 23 Nov 2026 21:53:48 GMT"), Some(Timestamp(1_795_470_828_000)));
        assert_eq!(parse_http_date("Monday, 23-Nov-26 21:53:48 GMT"), None);
    }

    #[test]
    fn reads_the_day_on_which_a_token_expires() {
        for (text, same) in [
            ("2026-12-25 11:00:00 UTC", Some("2026-12-25T11:00:00Z")),
            ("2026-12-25 11:00:00 -0730", Some("2026-12-25T18:30:00Z")),
            ("2026-12-25 11:00:00 +0100", Some("2026-12-25T10:00:00Z")),
            ("2026-12-25 11:00:00", None),
            ("2026-12-25 11:00:00 CEST", None),
            ("soon", None),
        ] {
            assert_eq!(parse_spaced(text).map(|at| at.to_string()).as_deref(), same, "{text}");
        }
    }

    #[test]
    fn spans_are_short() {
        let texts: Vec<_> =
            [0, 59, 119, 120, 7199, 7200, 172_799, 172_800].map(|s| short(Duration::from_secs(s))).into();
        assert_eq!(texts, ["0s", "59s", "119s", "2m", "119m", "2h", "47h", "2d"]);
    }
}
