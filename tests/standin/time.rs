//! What time it is for the two sites, and how they write it: HTTP dates, ISO 8601 with seconds or microseconds.
//!
//! The system's clock, or for a thread one that somebody else moves. Proleptic Gregorian calendar, always UTC.

use sentry_team_sync::parts::Clock;
use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

thread_local! {
    static CLOCK: RefCell<Clock> = const { RefCell::new(Clock::System) };
}

/// From now on, the sites read this clock on this thread.
pub fn set_clock(clock: Clock) {
    CLOCK.set(clock);
}

/// The clock on the sites' wall.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(CLOCK.with_borrow(Clock::wall).0)
}

/// The clock that only goes forward.
pub fn instant() -> Instant {
    CLOCK.with_borrow(Clock::now)
}

/// Whole seconds since 1970; 0 for a clock before that.
pub fn epoch_seconds(at: SystemTime) -> u64 {
    since_epoch(at).as_secs()
}

fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Year, month, day, hour, minute, second of a moment (Howard Hinnant's civil-from-days).
fn civil(seconds: u64) -> (u64, u64, u64, u64, u64, u64) {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day, rest / 3_600, rest / 60 % 60, rest % 60)
}

/// `2026-11-23T21:55:14Z`, GitHub's form.
pub fn iso_seconds(at: SystemTime) -> String {
    let (year, month, day, hour, minute, second) = civil(epoch_seconds(at));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `2026-11-23T21:55:14.732198Z`, Sentry's form.
pub fn iso_micros(at: SystemTime) -> String {
    let seconds = iso_seconds(at);
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), since_epoch(at).subsec_micros())
}

/// `2026-11-30 21:55:14 UTC`, the form of GitHub's token expiry header.
pub fn spaced_utc(at: SystemTime) -> String {
    iso_seconds(at).replace('T', " ").replace('Z', " UTC")
}

/// `Mon, 23 Nov 2026 21:55:14 GMT`, the `Date` header.
pub fn http_date(at: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = epoch_seconds(at);
    let (year, month, day, hour, minute, second) = civil(seconds);
    let weekday = DAYS[(seconds / 86_400 % 7) as usize];
    let month = MONTHS[(month - 1) as usize];
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}
