//! The status page: plain HTML and CSS, no script, dark and light, readable on a phone. All foreign text is escaped.
//!
//! It begins with whether Sentry is in step with GitHub. Then come the decisions that a person must make, with the
//! commands to type. Long lists are cut, here or where the status is made, and say so, so that the page stays short.

mod chart;
mod hosts;
mod queue;
mod time;

use std::fmt::Write;

use crate::clock::{short, Timestamp};
use crate::intake::missed::Recovered;
use crate::state::values::Mode;
use crate::state::Pause;
use crate::status::{Disk, HoldView, LastReconcile, Mood, Status, Tone};
use crate::text::{counted, Html, Prose};
use hosts::grouped;
use time::When;

const STYLE: &str = include_str!("page.css");
/// How many changes of one hold are shown; a first comparison may hold thousands.
const SHOWN: usize = 20;
/// How many of the last deliveries are shown.
const RECENT: usize = 15;
/// Seconds after which the browser loads the page again.
const REFRESH: u32 = 20;

pub fn render(status: &Status) -> String {
    let now = *status.at;
    let mut page = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
    let title = Html(&status.headline.title);
    let _ = write!(
        page,
        "<meta http-equiv=\"refresh\" content=\"{REFRESH}\">\n<title>{title} · sentry-team-sync</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    heading(&mut page, status);
    numbers(&mut page, status, now);
    holds(&mut page, status, now);
    failures(&mut page, status, now);
    queue::show(&mut page, status, now);
    queue::waits(&mut page, status, now);
    unmatched(&mut page, status, now);
    page.push_str("<section>\n<h2>Last 24 hours</h2>\n");
    chart::draw(&mut page, &status.hours);
    page.push_str("</section>\n");
    recent(&mut page, status, now);
    comparison(&mut page, status, now);
    hosts::show(&mut page, status, now);
    service(&mut page, status, now);
    let _ = write!(
        page,
        "<footer>sentry-team-sync {} · seen at {} UTC, again every {REFRESH} s · <a href=\"/status.json\">status.json</a> · <a href=\"/metrics\">metrics</a></footer>\n</main>\n</body>\n</html>\n",
        status.version,
        status.at.to_string().get(11..19).unwrap_or_default()
    );
    page
}

fn undecided(status: &Status) -> impl Iterator<Item = &HoldView> {
    status.holds.iter().filter(|hold| hold.decision.is_none())
}

fn heading(page: &mut String, status: &Status) {
    let class = match status.headline.mood {
        Mood::True => "good",
        Mood::Working => "work",
        Mood::Waits => "warn",
        Mood::Broken => "bad",
    };
    let mode = match status.mode {
        Some(Mode::Read) => " · read mode",
        Some(Mode::Payload) => " · payload mode",
        None => "",
    };
    let from = status.github_org.as_deref().unwrap_or("not known yet");
    let (from, to) = (Html(from), Html(&status.sentry_org));
    let (title, why) = (Html(&status.headline.title), Prose(&status.headline.why));
    let _ = writeln!(page, "<header class=\"{class}\">");
    let _ = writeln!(page, "<p class=\"route\">GitHub <b>{from}</b> → Sentry <b>{to}</b>{mode}</p>");
    let _ = writeln!(page, "<h1>{title}</h1>\n<p class=\"lead\">{why}</p>");
    if let Some(pause) = status.paused.as_ref().map(Pause::to_string) {
        if !status.headline.why.contains(&pause) {
            let _ = writeln!(page, "<p class=\"lead\">Paused: {}</p>", Prose(&pause));
        }
        page.push_str("<pre>sentry-team-sync resume</pre>\n");
    }
    for lines in [&status.reasons, &status.warnings].into_iter().filter(|lines| !lines.is_empty()) {
        list(page, lines, lines.len());
    }
    page.push_str("</header>\n");
}

fn list(page: &mut String, lines: &[String], shown: usize) {
    page.push_str("<ul>\n");
    for line in lines.iter().take(shown) {
        let _ = writeln!(page, "<li>{}</li>", Prose(line));
    }
    page.push_str("</ul>\n");
}

/// Says how many entries the list above does not show.
fn more(page: &mut String, shown: usize, all: usize) {
    if all > shown {
        let _ = writeln!(page, "<p class=\"quiet\">… and {} more</p>", all - shown);
    }
}

fn numbers(page: &mut String, status: &Status, now: Timestamp) {
    let oldest = status.oldest_queued.map(|at| format!("queued, oldest {}", short(now.since(*at))));
    let tiles = [
        (oldest.as_deref().unwrap_or("queued"), status.queued, ""),
        ("failed", status.failed, "bad"),
        ("held", status.held, "warn"),
        ("waiting", status.waiting, ""),
        ("not matched", status.wanted, ""),
        ("matched", status.matched, ""),
        ("teams", status.teams, ""),
    ];
    page.push_str("<div class=\"tiles\">\n");
    for (name, value, class) in tiles {
        let class = match (value, class) {
            (0, _) => " class=\"none\"".into(),
            (_, "") => String::new(),
            (_, class) => format!(" class=\"{class}\""),
        };
        let _ = writeln!(page, "<div{class}><b>{}</b><span>{name}</span></div>", grouped(value as u64));
    }
    page.push_str("</div>\n");
}

fn holds(page: &mut String, status: &Status, now: Timestamp) {
    if undecided(status).next().is_some() {
        page.push_str("<section class=\"warn\">\n<h2>Your decision</h2>\n");
        page.push_str("<p class=\"quiet\">These changes wait for you; everything else continues. <code>approve</code> checks again first. A hold without a decision expires after 7 days.</p>\n");
        undecided(status).for_each(|hold| question(page, hold, status.gives_projects_back, now));
        more(page, undecided(status).count(), status.held);
        page.push_str("</section>\n");
    }
    if undecided(status).count() == status.holds.len() {
        return;
    }
    page.push_str("<section>\n<h2>Decided</h2>\n<table>\n");
    for (hold, decision) in status.holds.iter().filter_map(|hold| Some((hold, hold.decision?))) {
        let (name, asked) = (Html(&hold.name), Prose(&hold.question));
        let _ = writeln!(
            page,
            "<tr><td class=\"fixed\">{decision}</td><td class=\"fixed\">{name}</td><td>{asked}</td></tr>"
        );
    }
    page.push_str("</table>\n</section>\n");
}

fn question(page: &mut String, hold: &HoldView, gives_projects_back: Option<bool>, now: Timestamp) {
    let (asked, means, since) =
        (Prose(&hold.question), Prose(&hold.consequence), When { at: *hold.since, now });
    let _ = writeln!(page, "<article>\n<h3>{asked}</h3>\n<p>{means}</p>");
    if hold.n_changes > 1 {
        list(page, &hold.asks, SHOWN);
        more(page, SHOWN.min(hold.asks.len()), hold.n_changes);
    }
    if let Some(undo) = hold.undo(gives_projects_back) {
        let _ = writeln!(page, "<p class=\"help\">{}</p>", Prose(&undo));
    }
    let rule = Html(hold.rule_and_reason().0);
    let _ = writeln!(page, "<p class=\"quiet\">{rule} since {since}</p>");
    let name = Html(&hold.name);
    let _ = writeln!(
        page,
        "<pre>sentry-team-sync approve {name}\nsentry-team-sync reject {name}</pre>\n</article>"
    );
}

fn failures(page: &mut String, status: &Status, now: Timestamp) {
    if status.failures.is_empty() {
        return;
    }
    page.push_str("<section class=\"bad\">\n<h2>Failed</h2>\n");
    page.push_str("<p class=\"quiet\">A retry alone does not help. Fix the cause first, then replay the delivery.</p>\n");
    for failure in &status.failures {
        let (event, why, at) = (failure.event, Prose(&failure.why), When { at: *failure.at, now });
        let _ = writeln!(page, "<article>\n<h3>{event}</h3>\n<p>{why}</p>\n<p class=\"quiet\">{at}</p>");
        let _ = writeln!(page, "<pre>sentry-team-sync replay {}</pre>\n</article>", Html(&failure.delivery));
    }
    more(page, status.failures.len(), status.failed);
    page.push_str("</section>\n");
}

fn unmatched(page: &mut String, status: &Status, now: Timestamp) {
    if status.unmatched.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>People without a match in Sentry</h2>\n");
    let next = match status.next_look {
        Some(at) => format!(" Next search: {} at the latest.", When { at: *at, now }),
        None => String::new(),
    };
    let _ = writeln!(
        page,
        "<p class=\"quiet\">They are added to their teams as soon as they can be matched.{next}</p>"
    );
    for person in &status.unmatched {
        let (login, teams) = (Html(&person.login), counted(person.teams, "team", "teams"));
        let since = When { at: *person.since, now };
        let _ = writeln!(
            page,
            "<article>\n<h3>{login} <span class=\"quiet\">in {teams}, since {since}</span></h3>"
        );
        let (why, help) = (Prose(&person.why), Prose(&person.help));
        let _ = writeln!(page, "<p>{why}</p>\n<p class=\"help\">{help}</p>\n</article>");
    }
    more(page, status.unmatched.len(), status.wanted);
    page.push_str("</section>\n");
}

fn comparison(page: &mut String, status: &Status, now: Timestamp) {
    if status.last_reconcile.is_some() || status.look_failed.is_some() {
        let title = if status.compares() { "Last comparison" } else { "Sentry's members" };
        let _ = writeln!(page, "<section>\n<h2>{title}</h2>");
        if let Some(failed) = &status.look_failed {
            let (since, why) = (When { at: *failed.since, now }, Prose(&failed.why));
            let _ = writeln!(page, "<p><span class=\"dot warn\"></span>Failing since {since}: {why}</p>");
        }
        if let Some(last) = &status.last_reconcile {
            last_good(page, last, now);
        }
        page.push_str("</section>\n");
    }
    if let Some(found) = &status.recovered {
        let (Recovered { taken, skipped }, at) = (found.found, When { at: *found.at, now });
        let _ = writeln!(
            page,
            "<section>\n<h2>Missed deliveries</h2>\n<p>{taken} recovered from GitHub's list, {skipped} skipped because newer deliveries had arrived</p>\n<p class=\"quiet\">{at}</p>\n</section>"
        );
    }
}

fn last_good(page: &mut String, last: &LastReconcile, now: Timestamp) {
    let LastReconcile { at, seconds, summary, differences, failed, .. } = last;
    let at = When { at: **at, now };
    let _ = writeln!(page, "<p>{at}, found: {}</p>", Prose(summary));
    if *differences > 0 {
        let became = Prose(&last.what_became_of_it()).to_string();
        let _ = writeln!(page, "<p>Since then: {became}; {}</p>", last.what_was_made());
    }
    let _ = writeln!(page, "<p class=\"quiet\">Took {seconds:.1} s</p>");
    if !failed.is_empty() {
        page.push_str("<h3>Not done</h3>\n");
        list(page, failed, failed.len());
    }
}

fn recent(page: &mut String, status: &Status, now: Timestamp) {
    page.push_str("<section>\n<h2>Last deliveries</h2>\n");
    if status.recent.is_empty() {
        page.push_str("<p class=\"quiet\">None yet.</p>\n");
    } else {
        page.push_str("<table>\n");
        for recent in status.recent.iter().take(RECENT) {
            let class = match recent.tone {
                Tone::Done => "good",
                Tone::Person => "work",
                Tone::Decision => "warn",
                Tone::Failed => "bad",
                Tone::Past => "",
            };
            let (event, note, at) = (Html(&recent.event), Prose(&recent.note), When { at: *recent.at, now });
            let word = recent.became();
            let _ = writeln!(
                page,
                "<tr><td class=\"fixed\"><span class=\"dot {class}\"></span>{event}</td><td><b>{word}</b> {note}</td><td class=\"fixed quiet\">{at}</td></tr>"
            );
        }
        page.push_str("</table>\n");
        more(page, RECENT.min(status.recent.len()), status.recent.len());
    }
    page.push_str("</section>\n");
}

fn service(page: &mut String, status: &Status, now: Timestamp) {
    page.push_str("<section>\n<h2>Service</h2>\n<dl>\n");
    if let Some(at) = status.started {
        let _ = writeln!(page, "<dt>up since</dt><dd>{}</dd>", When { at: *at, now });
    }
    hosts::secret(page, status, now);
    if let Some(at) = status.last_delivery {
        let _ = writeln!(page, "<dt>last delivery</dt><dd>{}</dd>", When { at: *at, now });
    }
    if let Some(Disk { journal_bytes, free_bytes }) = status.disk {
        let (used, free) = (bytes(journal_bytes), bytes(free_bytes));
        let _ = writeln!(page, "<dt>journal</dt><dd>{used} <span class=\"quiet\">{free} free</span></dd>");
    }
    page.push_str("</dl>\n</section>\n");
}

/// `12 KiB`, `3.4 GiB`.
fn bytes(n: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = n as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(size < 10.0);
    format!("{size:.digits$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::status::{Attempt, Delayed, Failure, Headline, LookFailed, Unmatched, Wait};

    const JANUARY: Timestamp = Timestamp(1_767_225_600_000);

    fn empty() -> Status {
        let headline = Headline { mood: Mood::True, title: "In step".into(), why: "All is well.".into() };
        Status { ready: true, headline, ..Status::of_state(&State::default(), &[], Timestamp::now()) }
    }

    fn hold(name: &str, changes: &[&str], decision: Option<&'static str>) -> HoldView {
        HoldView {
            name: name.into(),
            n_changes: changes.len(),
            changes: changes.iter().map(ToString::to_string).collect(),
            rule: "SYNC_FIRST <hold>: why".into(),
            since: JANUARY.into(),
            decision,
            asks: changes.iter().map(ToString::to_string).collect(),
            question: format!("{}?", changes[0]),
            consequence: "<Why>.".into(),
            ..HoldView::default()
        }
    }

    /// Everything that can be shown, with the most hostile names.
    fn full() -> Status {
        let bad = format!("<script>alert('{}')</script>\u{202e}", "long-name".repeat(40));
        let since = JANUARY.into();
        let failure =
            Failure { delivery: bad.clone(), event: "membership.added", why: bad.clone(), at: since };
        let person =
            Unmatched { login: bad.clone(), id: 1, why: bad.clone(), help: bad.clone(), teams: 1, since };
        let attempt =
            Attempt { why: Some(bad.clone()), why_since: Some(since), next_try: Some(since), at_work: false };
        let many: Vec<String> = (0..SHOWN + 5).map(|n| format!("change {n} of {bad}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        Status {
            reasons: vec![bad.clone()],
            warnings: vec![bad.clone()],
            ready: false,
            headline: Headline { mood: Mood::Broken, title: bad.clone(), why: bad.clone() },
            sentry_org: bad.clone(),
            held: 1,
            holds: vec![
                hold("aaaaaaaa", &many, None),
                hold("bbbbbbbb", &[&bad], Some("rejected")),
                hold("cccccccc", &["first", "second"], Some("approved")),
            ],
            failed: 7,
            failures: vec![failure],
            waiting: 3,
            waits: vec![Wait {
                team: 7,
                slug: Some(bad.clone()),
                waits_for: 8,
                wants: Some(bad.clone()),
                attempt: attempt.clone(),
            }],
            delayed: vec![Delayed { what: bad.clone(), team: None, event: "fill team", attempt }],
            n_delayed: 4,
            look_failed: Some(LookFailed { since, why: bad }),
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
        assert!(page.contains("SYNC_FIRST &lt;hold&gt; since"), "{page}");
    }

    #[test]
    fn commands_stand_only_where_something_is_to_be_decided() {
        let page = render(&full());
        assert!(page.contains("approve aaaaaaaa\nsentry-team-sync reject aaaaaaaa</pre>"), "{page}");
        assert!(!page.contains("approve bbbbbbbb") && !page.contains("approve cccccccc"), "{page}");
        assert!(page.contains(">cccccccc</td><td>first?<"), "{page}");
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let page = render(&full());
        assert!(page.contains(&format!("change {} of", SHOWN - 1)), "{page}");
        assert!(!page.contains(&format!("change {SHOWN} of")), "{page}");
        for rest in [5, 6, 3, 2, 1] {
            assert!(page.contains(&format!("… and {rest} more</p>")), "{rest} in {page}");
        }
    }

    #[test]
    fn the_headline_is_on_top_and_in_the_title() {
        let page = render(&empty());
        assert!(page.contains("<title>In step · sentry-team-sync</title>"), "{page}");
        assert!(page.contains("<header class=\"good\">") && page.contains("<h1>In step</h1>"), "{page}");
        assert!(render(&full()).contains("<header class=\"bad\">"));
    }

    #[test]
    fn sizes_are_short() {
        let shown = [0, 5_000, 300_000, 5 << 30, 20 << 40].map(bytes);
        assert_eq!(shown, ["0.0 KiB", "4.9 KiB", "293 KiB", "5.0 GiB", "20 TiB"]);
    }
}
