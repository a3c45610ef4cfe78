//! Deliveries per hour as inline SVG: bars, the failed part of each in its own colour, and a summary in words for
//! people who cannot see the chart. Colours come from the page's style.

use std::fmt::Write;

use super::time::hour_and_minute;
use crate::state::hours::Hour;
use crate::text::counted;

/// In units of the drawing: one bar with the gap behind it, the gap, and the height of the tallest bar.
const STEP: usize = 10;
const GAP: usize = 2;
const HEIGHT: u64 = 100;
/// The smallest height of a bar: even a single delivery must be visible.
const LEAST: u64 = 4;

pub fn draw(page: &mut String, hours: &[Hour]) {
    let most = hours.iter().map(|hour| hour.deliveries.max(hour.failed)).max().unwrap_or(0);
    let width = hours.len() * STEP;
    let _ = write!(
        page,
        "<figure>\n<svg class=\"chart\" viewBox=\"0 0 {width} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\">\n<title>Deliveries per hour, last {} hours</title>\n<desc>{}</desc>\n",
        hours.len(),
        in_words(hours)
    );
    for x in (0..width).step_by(6 * STEP) {
        let _ = writeln!(page, "<line class=\"axis\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{HEIGHT}\"/>");
    }
    for (n, hour) in hours.iter().enumerate() {
        bar(page, n * STEP, hour, most);
    }
    let _ = writeln!(
        page,
        "<line class=\"axis\" x1=\"0\" x2=\"{width}\" y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/>\n</svg>"
    );
    axis(page, hours);
    let _ = writeln!(page, "<figcaption>{}</figcaption>\n</figure>", in_words(hours));
}

fn bar(page: &mut String, x: usize, hour: &Hour, most: u64) {
    if hour.deliveries == 0 && hour.failed == 0 {
        return;
    }
    let height = |n: u64| if n == 0 { 0 } else { (n * HEIGHT / most.max(1)).max(LEAST) };
    let start = hour_and_minute(hour.start());
    let failed = if hour.failed == 0 { String::new() } else { format!(", {} failed", hour.failed) };
    let _ = write!(page, "<g><title>from {start} UTC: {}{failed}</title>", deliveries(hour.deliveries));
    for (class, n) in [("bar", hour.deliveries), ("bar failed", hour.failed)] {
        let height = height(n);
        if height > 0 {
            let _ = write!(
                page,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{height}\"/>",
                HEIGHT - height,
                STEP - GAP
            );
        }
    }
    page.push_str("</g>\n");
}

/// A label for every sixth hour, and for the end.
fn axis(page: &mut String, hours: &[Hour]) {
    page.push_str("<div class=\"hours\" aria-hidden=\"true\">");
    for hour in hours.iter().step_by(6) {
        let _ = write!(page, "<span>{}</span>", hour_and_minute(hour.start()));
    }
    page.push_str("<span>now</span></div>\n");
}

fn in_words(hours: &[Hour]) -> String {
    let all: u64 = hours.iter().map(|hour| hour.deliveries).sum();
    let failed: u64 = hours.iter().map(|hour| hour.failed).sum();
    let Some(busiest) = hours.iter().max_by_key(|hour| hour.deliveries).filter(|hour| hour.deliveries > 0)
    else {
        return match failed {
            0 => "No delivery in the last 24 hours.".into(),
            n => format!(
                "No delivery in the last 24 hours; {} failed.",
                counted(n as usize, "earlier one", "earlier ones")
            ),
        };
    };
    let failed = if failed == 0 { "none failed".into() } else { format!("{failed} failed") };
    format!(
        "{} in 24 hours, {failed}. Most at {} UTC: {}.",
        deliveries(all),
        hour_and_minute(busiest.start()),
        busiest.deliveries
    )
}

fn deliveries(n: u64) -> String {
    counted(n as usize, "delivery", "deliveries")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: u64, deliveries: u64, failed: u64) -> Hour {
        Hour { hour, deliveries, failed }
    }

    #[test]
    fn the_chart_says_in_words_what_it_shows() {
        let mut page = String::new();
        draw(&mut page, &[hour(0, 0, 0), hour(1, 200, 1), hour(2, 1, 0)]);
        let words = "201 deliveries in 24 hours, 1 failed. Most at 01:00 UTC: 200.";
        assert_eq!(page.matches(words).count(), 2, "{page}");
        assert!(page.contains("<title>from 01:00 UTC: 200 deliveries, 1 failed</title>"), "{page}");
        assert!(page.contains("<rect class=\"bar\" x=\"10\" y=\"0\" width=\"8\" height=\"100\"/>"), "{page}");
        assert!(
            page.contains("<rect class=\"bar failed\" x=\"10\" y=\"96\" width=\"8\" height=\"4\"/>"),
            "{page}"
        );
        assert!(
            page.contains("<rect class=\"bar\" x=\"20\" y=\"96\" width=\"8\" height=\"4\"/>"),
            "small is not nothing"
        );
        assert_eq!(page.matches("<rect").count(), 3, "{page}");
    }

    #[test]
    fn a_quiet_day_is_said_to_be_one() {
        let mut page = String::new();
        draw(&mut page, &[hour(0, 0, 0)]);
        assert!(page.contains("<figcaption>No delivery in the last 24 hours.</figcaption>"), "{page}");
        assert!(!page.contains("<rect"), "{page}");
    }
}
