//! The part of the status page that lists unfinished work: why, since when, and when the next try is.

use std::fmt::{self, Write};

use super::{more, time::When};
use crate::clock::Timestamp;
use crate::status::{Attempt, Status};
use crate::text::{Html, Prose};

/// How many entries are shown.
const SHOWN: usize = 15;

/// Shows queued deliveries and other work that could not be done yet.
pub fn show(page: &mut String, status: &Status, now: Timestamp) {
    let queue = status.queue.iter().filter(|queued| queued.attempt.why.is_some());
    let queue = queue.map(|queued| (queued.to_string(), Some(queued.since), &queued.attempt));
    let delayed = status.delayed.iter().map(|one| (one.what.clone(), None, &one.attempt));
    let all: Vec<_> = queue.chain(delayed).collect();
    if all.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Not done yet</h2>\n");
    page.push_str("<p class=\"quiet\">These are retried automatically.</p>\n");
    for (what, received, attempt) in all.iter().take(SHOWN) {
        let received = match received {
            Some(at) => format!(" <span class=\"quiet\">received {}</span>", When { at: **at, now }),
            None => String::new(),
        };
        let _ = writeln!(
            page,
            "<article>\n<h3>{}{received}</h3>\n{}</article>",
            Prose(what),
            Tried { attempt, now, or: "" }
        );
    }
    // All other queued deliveries wait for these, or for their turn.
    more(page, all.len().min(SHOWN), (status.queued + status.n_delayed).max(all.len()));
    page.push_str("</section>\n");
}

pub fn waits(page: &mut String, status: &Status, now: Timestamp) {
    if status.waits.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Teams that wait for a slug</h2>\n");
    page.push_str(
        "<p class=\"quiet\">They continue automatically when the other team gives up the slug.</p>\n",
    );
    for wait in &status.waits {
        let tried = Tried { attempt: &wait.attempt, now, or: ", or as soon as it is free" };
        let _ = writeln!(page, "<article>\n<p>{}</p>\n{tried}</article>", Prose(&wait.to_string()));
    }
    more(page, status.waits.len(), status.waiting);
    page.push_str("</section>\n");
}

/// Why something is not done, and when the next try is. `or`: what else triggers a try.
struct Tried<'a> {
    attempt: &'a Attempt,
    now: Timestamp,
    or: &'static str,
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Attempt { why, why_since, next_try, at_work }, now) = (self.attempt, self.now);
        if let Some(why) = why {
            writeln!(f, "<p>{}</p>", Prose(why))?;
        }
        let since = why_since.map(|at| format!("since {}", When { at: *at, now }));
        let next = match (next_try, at_work) {
            (_, true) => Some("in progress".to_string()),
            (Some(at), false) => Some(format!("next try {}{}", When { at: **at, now }, Html(self.or))),
            (None, false) => None,
        };
        let told: Vec<_> = since.into_iter().chain(next).collect();
        if told.is_empty() {
            Ok(())
        } else {
            writeln!(f, "<p class=\"quiet\">{}</p>", told.join("; "))
        }
    }
}
