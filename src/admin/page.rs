//! The status page: plain HTML and CSS, no script, dark and light, readable on a phone. All foreign text is escaped.
//!
//! What waits for a person comes first, with what to type.

use std::fmt::Write;

use crate::escape::Html;
use crate::state::record::{Mode, Status as Outcome};
use crate::status::{HoldView, Host, Status};

const STYLE: &str = include_str!("page.css");
/// How many changes of one hold are shown; a first comparison may hold thousands.
const SHOWN: usize = 20;

/// The whole page.
pub fn render(status: &Status) -> String {
    let mut page = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.push_str("<meta http-equiv=\"refresh\" content=\"10\">\n<title>sentry-team-sync</title>\n");
    let _ = write!(page, "<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n");
    heading(&mut page, status);
    numbers(&mut page, status);
    holds(&mut page, status);
    failures(&mut page, status);
    unmatched(&mut page, status);
    waits(&mut page, status);
    hosts(&mut page, status);
    comparison(&mut page, status);
    recent(&mut page, status);
    let _ = write!(
        page,
        "<footer>sentry-team-sync {} · {} · <a href=\"/status.json\">status.json</a> · <a href=\"/metrics\">metrics</a></footer>\n</main>\n</body>\n</html>\n",
        status.version,
        Html(&status.at)
    );
    page
}

fn undecided(status: &Status) -> impl Iterator<Item = &HoldView> {
    status.holds.iter().filter(|hold| hold.decision.is_none())
}

fn heading(page: &mut String, status: &Status) {
    let waits_for_a_person = status.failed > 0 || undecided(status).next().is_some();
    let (class, word) = match (status.ready, waits_for_a_person) {
        (false, _) => ("bad", "Not ready"),
        (true, true) => ("warn", "Ready, and something waits for you"),
        (true, false) => ("good", "Ready"),
    };
    let from = status.github_org.as_deref().unwrap_or("not known yet");
    let _ = write!(
        page,
        "<header>\n<h1><span class=\"dot {class}\"></span>{word}</h1>\n<p>GitHub <b>{}</b> → Sentry <b>{}</b></p>\n</header>\n",
        Html(from),
        Html(&status.sentry_org)
    );
    if !status.reasons.is_empty() {
        page.push_str("<section class=\"alert\">\n");
        list(page, &status.reasons);
        page.push_str("</section>\n");
    }
}

fn list(page: &mut String, lines: &[String]) {
    page.push_str("<ul>\n");
    for line in lines {
        let _ = writeln!(page, "<li>{}</li>", Html(line));
    }
    page.push_str("</ul>\n");
}

/// The list is cut; the number is whole.
fn more(page: &mut String, shown: usize, all: usize) {
    if all > shown {
        let _ = writeln!(page, "<p class=\"quiet\">… and {} more</p>", all - shown);
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
        ("held", undecided(status).count().to_string()),
        ("teams", status.teams.to_string()),
        ("people matched", status.matched.to_string()),
        ("people wanted", status.wanted.to_string()),
        ("mode", mode.to_string()),
    ];
    page.push_str("<section>\n<div class=\"tiles\">\n");
    for (name, value) in tiles {
        let _ = writeln!(page, "<div><b>{value}</b><span>{name}</span></div>");
    }
    page.push_str("</div>\n");
    if let Some(oldest) = &status.oldest_queued {
        let _ = writeln!(page, "<p class=\"quiet\">Oldest queued delivery: {}</p>", Html(oldest));
    }
    page.push_str("</section>\n");
}

fn holds(page: &mut String, status: &Status) {
    if undecided(status).next().is_some() {
        page.push_str("<section>\n<h2>Held: waiting for you</h2>\n");
        page.push_str("<p class=\"quiet\">A guard stopped these changes. Approving takes a fresh look first; without a decision they expire after 7 days.</p>\n");
        for hold in undecided(status) {
            let name = Html(&hold.name);
            let (rule, since) = (Html(&hold.rule), Html(&hold.since));
            let _ = writeln!(page, "<article>\n<p><b>{rule}</b></p>\n<p class=\"quiet\">since {since}</p>");
            list(page, &hold.changes[..hold.changes.len().min(SHOWN)]);
            more(page, SHOWN, hold.changes.len());
            let _ = writeln!(
                page,
                "<pre>sentry-team-sync approve {name}\nsentry-team-sync reject {name}</pre>\n</article>"
            );
        }
        page.push_str("</section>\n");
    }
    let mut decided = status.holds.iter().filter_map(|hold| Some((hold, hold.decision?))).peekable();
    if decided.peek().is_some() {
        page.push_str("<section>\n<h2>Decided</h2>\n<table>\n");
        for (hold, decision) in decided {
            let first = hold.changes.first().map_or("", String::as_str);
            let rest = match hold.changes.len() {
                0 | 1 => String::new(),
                n => format!(" … and {} more", n - 1),
            };
            let _ = writeln!(
                page,
                "<tr><td class=\"fixed\">{decision}</td><td class=\"fixed\">{}</td><td>{}{rest}</td></tr>",
                Html(&hold.name),
                Html(first)
            );
        }
        page.push_str("</table>\n</section>\n");
    }
}

fn failures(page: &mut String, status: &Status) {
    if status.failures.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Failed</h2>\n");
    page.push_str("<p class=\"quiet\">Trying again would not have helped. Mend the cause, then have it looked at again.</p>\n");
    for failure in &status.failures {
        let _ = writeln!(
            page,
            "<article>\n<p><b>{}</b> {}</p>\n<p class=\"quiet\">{}</p>\n<pre>sentry-team-sync replay {}</pre>\n</article>",
            failure.event,
            Html(&failure.why),
            Html(&failure.at),
            Html(&failure.delivery)
        );
    }
    more(page, status.failures.len(), status.failed);
    page.push_str("</section>\n");
}

fn unmatched(page: &mut String, status: &Status) {
    if status.unmatched.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>People Sentry does not know</h2>\n");
    page.push_str("<p class=\"quiet\">They are added when they join Sentry, or when SYNC_USER_MAP names them.</p>\n<table>\n");
    for person in &status.unmatched {
        let s = if person.teams == 1 { "" } else { "s" };
        let _ = writeln!(
            page,
            "<tr><td><b>{}</b></td><td>{}</td><td class=\"fixed\">in {} team{s}</td><td class=\"fixed quiet\">since {}</td></tr>",
            Html(&person.login),
            Html(&person.why),
            person.teams,
            Html(&person.since)
        );
    }
    page.push_str("</table>\n");
    more(page, status.unmatched.len(), status.wanted);
    page.push_str("</section>\n");
}

fn waits(page: &mut String, status: &Status) {
    if status.waits.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Teams that wait for a slug</h2>\n");
    page.push_str("<p class=\"quiet\">They go on by themselves when the other team gives it up.</p>\n");
    for wait in &status.waits {
        let _ =
            writeln!(page, "<p>GitHub team {} waits for the slug of team {}.</p>", wait.team, wait.waits_for);
    }
    page.push_str("</section>\n");
}

fn hosts(page: &mut String, status: &Status) {
    page.push_str("<section>\n<h2>Hosts</h2>\n<table>\n");
    let row = |page: &mut String, name: &str, host: &Host| {
        let class = if host.health == "well" { "good" } else { "bad" };
        let expires = host.token_expires.as_ref().map(|at| format!("token expires {at}"));
        let notes: Vec<String> = host.why.iter().cloned().chain(expires).collect();
        let _ = writeln!(
            page,
            "<tr><td class=\"fixed\"><span class=\"dot {class}\"></span>{name}</td><td class=\"fixed\">{}</td><td class=\"fixed\">{} calls, {} failed</td><td>{}</td></tr>",
            host.health,
            host.calls,
            host.failures,
            Html(&notes.join("; "))
        );
    };
    row(page, "GitHub", &status.github);
    row(page, "Sentry", &status.sentry);
    page.push_str("</table>\n</section>\n");
}

fn comparison(page: &mut String, status: &Status) {
    if let Some(last) = &status.last_reconcile {
        let (summary, at) = (Html(&last.summary), Html(&last.at));
        let _ = writeln!(
            page,
            "<section>\n<h2>Last comparison</h2>\n<p>{summary}</p>\n<p class=\"quiet\">{at}</p>"
        );
        if !last.failed.is_empty() {
            page.push_str("<p>Not done:</p>\n");
            list(page, &last.failed);
        }
        page.push_str("</section>\n");
    }
    if let Some(found) = &status.recovered {
        let _ = writeln!(
            page,
            "<section>\n<h2>Missed deliveries</h2>\n<p>{} taken from GitHub's list, {} overtaken by newer news</p>\n<p class=\"quiet\">{}</p>\n</section>",
            found.taken,
            found.skipped,
            Html(&found.at)
        );
    }
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
                "<tr><td class=\"fixed quiet\">{}</td><td class=\"fixed\"><span class=\"dot {class}\"></span>{}</td><td>{}</td></tr>",
                Html(&recent.at),
                Html(&recent.event),
                Html(&recent.note)
            );
        }
        page.push_str("</table>\n");
    }
    page.push_str("</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::status::{Failure, Unmatched};

    fn empty() -> Status {
        Status { ready: true, ..Status::of_state(&State::default()) }
    }

    fn hold(name: &str, changes: &[&str], decision: Option<&'static str>) -> HoldView {
        HoldView {
            name: name.into(),
            n_changes: changes.len(),
            changes: changes.iter().map(ToString::to_string).collect(),
            rule: "SYNC_FIRST <hold>".into(),
            since: "2026-01-01T00:00:00Z".into(),
            decision,
        }
    }

    /// With everything that can be shown, in names as bad as they get.
    fn full() -> Status {
        let bad = format!("<script>alert('{}')</script>\u{202e}", "long-name".repeat(40));
        let failure = Failure {
            delivery: bad.clone(),
            event: "membership.added",
            why: bad.clone(),
            at: "2026-01-01T00:00:00Z".into(),
        };
        let person = Unmatched {
            login: bad.clone(),
            id: 1,
            why: bad.clone(),
            help: String::new(),
            teams: 1,
            since: "2026-01-01T00:00:00Z".into(),
        };
        let many: Vec<String> = (0..SHOWN + 5).map(|n| format!("change {n} of {bad}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        Status {
            reasons: vec![bad.clone()],
            ready: false,
            sentry_org: bad.clone(),
            holds: vec![
                hold("aaaaaaaa", &many, None),
                hold("bbbbbbbb", &[&bad], Some("rejected")),
                hold("cccccccc", &["first", "second", "third"], Some("approved")),
            ],
            failed: 7,
            failures: vec![failure],
            wanted: 2,
            unmatched: vec![person],
            ..empty()
        }
    }

    #[test]
    fn foreign_text_is_text() {
        let page = render(&full());
        assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;long-name"), "{page}");
        assert!(page.contains("<b>SYNC_FIRST &lt;hold&gt;</b>"), "{page}");
    }

    #[test]
    fn commands_stand_only_where_something_is_to_be_decided() {
        let page = render(&full());
        assert!(page.contains("approve aaaaaaaa\nsentry-team-sync reject aaaaaaaa</pre>"), "{page}");
        assert!(!page.contains("approve bbbbbbbb") && !page.contains("approve cccccccc"), "{page}");
        assert!(page.contains(">cccccccc</td><td>first … and 2 more<"), "{page}");
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let page = render(&full());
        assert!(page.contains(&format!("change {} of", SHOWN - 1)), "{page}");
        assert!(!page.contains(&format!("change {SHOWN} of")), "{page}");
        for rest in [5, 6, 1] {
            assert!(page.contains(&format!("… and {rest} more</p>")), "{rest} in {page}");
        }
    }

    #[test]
    fn the_headline_is_true() {
        let word = |status: &Status| {
            let page = render(status);
            page.split("</span>").nth(1).unwrap().split("</h1>").next().unwrap().to_string()
        };
        assert_eq!(word(&empty()), "Ready");
        assert_eq!(word(&full()), "Not ready");
        let held = Status { holds: vec![hold("a", &["b"], None)], ..empty() };
        assert_eq!(word(&held), "Ready, and something waits for you");
        let decided = Status { holds: vec![hold("a", &["b"], Some("rejected"))], ..empty() };
        assert_eq!(word(&decided), "Ready");
        assert_eq!(word(&Status { failed: 1, ..empty() }), "Ready, and something waits for you");
    }
}
