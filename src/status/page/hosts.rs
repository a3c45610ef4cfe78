//! The part of the status page about GitHub and Sentry: whether they answer, what is left of their rate limits, when
//! the tokens expire, and which webhook secret is in use.

use std::fmt::Write;

use super::time::When;
use crate::clock::{short, Timestamp};
use crate::status::{Host, Rate, Status};
use crate::text::{Html, Prose};

/// An expiry in fewer days than this is a warning.
const SOON: u64 = 14;

pub fn show(page: &mut String, status: &Status, now: Timestamp) {
    page.push_str("<div class=\"pair\">\n");
    host(page, "GitHub", &status.github, now);
    host(page, "Sentry", &status.sentry, now);
    page.push_str("</div>\n");
}

fn host(page: &mut String, name: &str, host: &Host, now: Timestamp) {
    let (class, word) = match host.health {
        "well" if host.calls == 0 => ("", "not asked yet"),
        "well" => ("good", "answers"),
        "down" => ("warn", "does not answer"),
        _ => ("bad", "refuses our calls"),
    };
    let why = host.why.as_ref().map(|why| format!(": {}", Prose(why))).unwrap_or_default();
    let _ =
        writeln!(page, "<section>\n<h2>{name}</h2>\n<p><span class=\"dot {class}\"></span>{word}{why}</p>");
    page.push_str("<dl>\n");
    for rate in &host.rates {
        budget(page, rate, now);
    }
    if host.rates.is_empty() {
        page.push_str("<dt>rate limit</dt><dd class=\"quiet\">not known yet</dd>\n");
    }
    let (calls, failed) = (grouped(host.calls), grouped(host.failures));
    let _ = writeln!(
        page,
        "<dt>calls</dt><dd>{calls} <span class=\"quiet\">since the start, {failed} failed</span></dd>"
    );
    if let Some(app) = &host.app {
        let _ = writeln!(page, "<dt>signed in as</dt><dd>GitHub App {}</dd>", Html(app));
    }
    if let Some(at) = &host.token_expires {
        // A text that is not a time is shown as the host sent it.
        let _ = match Timestamp::parse(at) {
            None => writeln!(page, "<dt>token expires</dt><dd>{}</dd>", Html(at)),
            Some(at) => {
                let class = if at.since(now).as_secs() / 86_400 < SOON { " class=\"warn\"" } else { "" };
                let word = if at <= now { "token expired" } else { "token expires" };
                writeln!(page, "<dt>{word}</dt><dd{class}>{}</dd>", When { at, now })
            }
        };
    }
    page.push_str("</dl>\n</section>\n");
}

fn budget(page: &mut String, rate: &Rate, now: Timestamp) {
    let percent = (rate.remaining.min(rate.limit) * 100).checked_div(rate.limit).unwrap_or(0);
    let class = if percent < 10 { "bar low" } else { "bar" };
    let at = *rate.reset;
    let reset = if at > now {
        format!(", resets <time datetime=\"{at}\">in {}</time>", short(at.since(now)))
    } else {
        String::new()
    };
    let _ = writeln!(
        page,
        "<dt>rate limit {}</dt><dd>{} <span class=\"quiet\">of {} left{reset}</span>\n<svg class=\"budget\" viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"rest\" width=\"100\" height=\"4\"/><rect class=\"{class}\" width=\"{percent}\" height=\"4\"/></svg></dd>",
        rate.class,
        grouped(rate.remaining),
        grouped(rate.limit)
    );
}

/// Which webhook secret is in use. Operators look here while they rotate it.
pub fn secret(page: &mut String, status: &Status, now: Timestamp) {
    let text = match &status.secret {
        None => "no signed delivery since the start".into(),
        Some(secret) if secret.which == "current" => format!("current, {}", When { at: *secret.at, now }),
        Some(secret) => format!(
            "<span class=\"warn\">previous</span>, {}: enter the new one in GitHub's webhook settings",
            When { at: *secret.at, now }
        ),
    };
    let _ = writeln!(page, "<dt>webhook secret</dt><dd>{text}</dd>");
}

/// `12 345`, with narrow no-break spaces.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        let shown = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
    }
}
