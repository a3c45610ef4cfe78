//! The status page: plain HTML and CSS, no script, dark and light, readable on a phone. All foreign text is escaped.

use std::fmt::Write;

use crate::escape::Html;
use crate::state::record::{Mode, Status as Outcome};
use crate::status::{Host, Status};

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub fn render(status: &Status) -> String {
    let mut page = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.push_str("<meta http-equiv=\"refresh\" content=\"10\">\n<title>sentry-team-sync</title>\n");
    let _ = write!(page, "<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n");
    heading(&mut page, status);
    numbers(&mut page, status);
    hosts(&mut page, status);
    holds(&mut page, status);
    failures(&mut page, status);
    unmatched(&mut page, status);
    recent(&mut page, status);
    let _ = write!(
        page,
        "<footer>sentry-team-sync {} · {} · <a href=\"/status.json\">status.json</a> · <a href=\"/metrics\">metrics</a></footer>\n</main>\n</body>\n</html>\n",
        status.version,
        Html(&status.at)
    );
    page
}

fn heading(page: &mut String, status: &Status) {
    let (class, word) = if status.ready { ("good", "In step") } else { ("bad", "Not ready") };
    let from = status.github_org.as_deref().unwrap_or("?");
    let _ = write!(
        page,
        "<header>\n<h1><span class=\"dot {class}\"></span>{word}</h1>\n<p>GitHub <b>{}</b> → Sentry <b>{}</b></p>\n</header>\n",
        Html(from),
        Html(&status.sentry_org)
    );
    if !status.reasons.is_empty() {
        page.push_str("<section class=\"alert\">\n<ul>\n");
        for reason in &status.reasons {
            let _ = writeln!(page, "<li>{}</li>", Html(reason));
        }
        page.push_str("</ul>\n</section>\n");
    }
}

fn numbers(page: &mut String, status: &Status) {
    let mode = match status.mode {
        Some(Mode::Read) => "read",
        Some(Mode::Payload) => "payload",
        None => "–",
    };
    let tiles = [
        ("queued", status.queued.to_string()),
        ("failed", status.failed.to_string()),
        ("held", status.holds.iter().filter(|hold| hold.decision.is_none()).count().to_string()),
        ("teams", status.teams.to_string()),
        ("people matched", status.matched.to_string()),
        ("people wanted", status.wanted.to_string()),
        ("mode", mode.to_string()),
    ];
    page.push_str("<section class=\"tiles\">\n");
    for (name, value) in tiles {
        let _ = writeln!(page, "<div><b>{value}</b><span>{name}</span></div>");
    }
    page.push_str("</section>\n");
    if let Some(oldest) = &status.oldest_queued {
        let _ = writeln!(page, "<p class=\"quiet\">Oldest queued delivery: {}</p>", Html(oldest));
    }
}

fn hosts(page: &mut String, status: &Status) {
    page.push_str("<section>\n<h2>Hosts</h2>\n<table>\n");
    let row = |page: &mut String, name: &str, host: &Host| {
        let class = if host.health == "well" { "good" } else { "bad" };
        let why = host.why.as_deref().unwrap_or_default();
        let expires =
            host.token_expires.as_deref().map(|at| format!("token expires {at}")).unwrap_or_default();
        let _ = writeln!(
            page,
            "<tr><td><span class=\"dot {class}\"></span>{name}</td><td>{}</td><td>{} calls, {} failed</td><td>{} {}</td></tr>",
            host.health,
            host.calls,
            host.failures,
            Html(why),
            Html(&expires)
        );
    };
    row(page, "GitHub", &status.github);
    row(page, "Sentry", &status.sentry);
    page.push_str("</table>\n</section>\n");
}

fn holds(page: &mut String, status: &Status) {
    if status.holds.is_empty() && status.waits.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Waiting for you</h2>\n");
    for hold in &status.holds {
        let _ = writeln!(
            page,
            "<article><p><b>{}</b></p><p class=\"quiet\">{} · since {}</p><pre>sentry-team-sync approve {}</pre></article>",
            Html(&hold.changes.join(", ")),
            Html(&hold.rule),
            Html(&hold.since),
            Html(&hold.name)
        );
    }
    for wait in &status.waits {
        let _ =
            writeln!(page, "<p>GitHub team {} waits for the slug of team {}.</p>", wait.team, wait.waits_for);
    }
    page.push_str("</section>\n");
}

fn failures(page: &mut String, status: &Status) {
    if status.failures.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Failed</h2>\n");
    for failure in &status.failures {
        let _ = writeln!(
            page,
            "<article><p><b>{}</b> {}</p><p class=\"quiet\">{}</p><pre>sentry-team-sync replay {}</pre></article>",
            failure.event,
            Html(&failure.why),
            Html(&failure.at),
            Html(&failure.delivery)
        );
    }
    page.push_str("</section>\n");
}

fn unmatched(page: &mut String, status: &Status) {
    if status.unmatched.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>People Sentry does not know</h2>\n<table>\n");
    for person in &status.unmatched {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{} teams</td><td class=\"quiet\">since {}</td></tr>",
            Html(&person.login),
            Html(&person.why),
            person.teams,
            Html(&person.since)
        );
    }
    page.push_str("</table>\n</section>\n");
}

fn recent(page: &mut String, status: &Status) {
    page.push_str("<section>\n<h2>Last deliveries</h2>\n");
    if status.recent.is_empty() {
        page.push_str("<p class=\"quiet\">None yet.</p>\n");
    } else {
        page.push_str("<table>\n");
        for recent in &status.recent {
            let class = match recent.status {
                Outcome::Failed => "bad",
                Outcome::Held => "warn",
                _ => "good",
            };
            let _ = writeln!(
                page,
                "<tr><td class=\"quiet\">{}</td><td><span class=\"dot {class}\"></span>{}</td><td>{}</td></tr>",
                recent.at,
                Html(&recent.event),
                Html(&recent.note)
            );
        }
        page.push_str("</table>\n");
    }
    page.push_str("</section>\n");
}
