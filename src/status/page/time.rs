//! Times as people read them. All are UTC, and say so.

use std::fmt;
use std::time::Duration;

use crate::clock::{short, Timestamp};

/// A time in a `<time>` element, and how long ago that was: `12:46:17 UTC, 3m ago`. Other days have a date.
pub struct When {
    pub at: Timestamp,
    pub now: Timestamp,
}

/// If less time than this has passed, the text says "now".
const NOW: Duration = Duration::from_secs(5);

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, now } = *self;
        write!(f, "<time datetime=\"{at}\">{}</time>", clock(at, now))?;
        match (at > now, now.since(at)) {
            (true, _) => write!(f, ", in {}", short(at.since(now))),
            (false, ago) if ago < NOW => f.write_str(", now"),
            (false, ago) => write!(f, ", {} ago", short(ago)),
        }
    }
}

/// `12:46:17 UTC` today, `24 Nov, 12:46 UTC` this year, else `24 Nov 2025, 12:46 UTC`.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let (text, today) = (at.to_string(), now.to_string());
    // Timestamps print as `YYYY-MM-DDTHH:MM:SSZ`.
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    if text.get(..10) == today.get(..10) {
        return format!("{} UTC", part(11, 19));
    }
    let month = part(5, 7).parse::<usize>().ok().and_then(|n| MONTHS.get(n.wrapping_sub(1))).unwrap_or(&"?");
    let day = part(8, 10).trim_start_matches('0');
    let year = if text.get(..4) == today.get(..4) { String::new() } else { format!(" {}", part(0, 4)) };
    format!("{day} {month}{year}, {} UTC", part(11, 16))
}

/// A time as `13:00`.
pub fn hour_and_minute(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or("?").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_readable_and_utc() {
        let now = Timestamp::parse("2026-11-25T12:46:17Z").unwrap();
        let shown = |at: &str| When { at: Timestamp::parse(at).unwrap(), now }.to_string();
        for (at, text) in [
            ("2026-11-25T12:43:00Z", "12:43:00 UTC</time>, 3m ago"),
            ("2026-11-25T12:46:15Z", "12:46:15 UTC</time>, now"),
            ("2026-11-04T02:03:04Z", "4 Nov, 02:03 UTC</time>, 21d ago"),
            ("2025-12-31T23:59:59Z", "31 Dec 2025, 23:59 UTC</time>, 328d ago"),
            ("2026-12-09T12:46:17Z", "9 Dec, 12:46 UTC</time>, in 14d"),
        ] {
            assert_eq!(shown(at), format!("<time datetime=\"{at}\">{text}"));
        }
    }
}
