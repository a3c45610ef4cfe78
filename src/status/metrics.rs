//! `/metrics` in Prometheus' text format. It has numbers and labels from fixed sets only: no names of people or teams.
//!
//! Every sample exists from the first second on: a counter that begins with its first event hides that event from
//! `increase()`. A value that is not known (yet) is `NaN`, which matches no comparison and so triggers no alert.

use std::fmt::Write;

use super::process;
use crate::clock::{Shown, Timestamp};
use crate::hosts::http::tally::Budget;
use crate::hosts::http::Upstream;
use crate::reconcile::unused::Unused;
use crate::status::{IncompleteView, Observer, ReloadsView as Reloads, Status};
use crate::work::mirror::Mirror;

/// How many requests passed one gate since the start, and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtGate {
    pub passed: u64,
    pub refused: u64,
    /// Connections closed because no thread was free.
    pub shed: u64,
}

/// All metrics, in a fixed order.
pub fn render(observer: &Observer, status: &Status, gates: &[(&str, AtGate)]) -> String {
    let mirror = &observer.reconciler.mirror;
    let mut text = Text::default();
    process_itself(&mut text, mirror, status);
    arrived(&mut text, observer, status);
    let now = mirror.clock.wall();
    work(&mut text, status, now);
    comparison(&mut text, status);
    incomplete(&mut text, status, now);
    hosts(&mut text, mirror);
    room(&mut text, status);
    at_the_gates(&mut text, gates);
    text.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    /// One metric with all its samples, each with its labels.
    fn metric<'a, const N: usize>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        labels: [&str; N],
        samples: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (values, n) in samples {
            let pairs: Vec<_> =
                labels.iter().zip(values).map(|(label, v)| format!("{label}=\"{v}\"")).collect();
            let labels = if N == 0 { String::new() } else { format!("{{{}}}", pairs.join(",")) };
            let _ = writeln!(self.0, "{name}{labels} {n}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, n: f64) {
        self.metric((name, "gauge", help), [], [([], n)]);
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Seconds since 1970.
fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}

/// How many seconds ago that was; zero for `None`.
fn age(since: Option<Shown>, now: Timestamp) -> f64 {
    since.map_or(0.0, |at| now.since(*at).as_secs_f64())
}

fn process_itself(text: &mut Text, mirror: &Mirror, status: &Status) {
    let build = ("sync_build_info", "gauge", "Always 1; the label is the version.");
    text.metric(build, ["version"], [([status.version], 1.0)]);
    text.gauge(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970.",
        seconds(mirror.started),
    );
    let memory = process::resident_bytes().map_or(f64::NAN, |bytes| bytes as f64);
    text.gauge("process_resident_memory_bytes", "Resident memory.", memory);
    let Reloads { done, failed, fault } = &status.reloads;
    let help = "Reloads on SIGHUP; a failed one changes nothing.";
    let samples = [(["done"], *done as f64), (["failed"], *failed as f64)];
    text.metric(("sync_reloads_total", "counter", help), ["result"], samples);
    text.gauge("sync_reload_failed", "1 while the last reload has failed.", flag(fault.is_some()));
    let unused = |setting| {
        let of = |all: &Vec<Unused>| all.iter().filter(|one| one.setting == setting).count() as f64;
        status.unused.as_ref().map_or(f64::NAN, of)
    };
    let help = "List entries that match nobody and nothing; NaN until both sides have been read.";
    let samples = ["SYNC_PROTECT", "SYNC_TEAMS"].map(|setting| ([setting], unused(setting)));
    text.metric(("sync_unused_entries", "gauge", help), ["setting"], samples);
    let help = "1 while the user map's file is refused; the last good one stays in use.";
    text.gauge("sync_user_map_refused", help, flag(status.user_map_refused));
    text.gauge("sync_ready", "1 if everything that should work does.", flag(status.ready));
    text.gauge("sync_paused", "1 while writes to Sentry are paused.", flag(status.paused.is_some()));
}

fn arrived(text: &mut Text, observer: &Observer, status: &Status) {
    let (mirror, counts) = (&observer.reconciler.mirror, &observer.arrived);
    let help = "Signed deliveries, by event and answer.";
    let samples = counts.answered().map(|(event, answer, n)| ([event, answer], n as f64));
    text.metric(("sync_deliveries_total", "counter", help), ["event", "answer"], samples);
    let help = "Refused requests, by reason.";
    let samples = counts.refused().map(|(reason, n)| ([reason], n as f64));
    text.metric(("sync_refused_total", "counter", help), ["reason"], samples);
    let help = "Signed deliveries, by the secret that matched.";
    let samples = counts.signed().map(|(secret, n, _)| ([secret], n as f64));
    text.metric(("sync_signed_total", "counter", help), ["secret"], samples);
    let help = "When each secret last matched, in seconds since 1970; 0 if never since the start.";
    let samples = counts.signed().map(|(secret, _, at)| ([secret], at.map_or(0.0, seconds)));
    text.metric(("sync_signed_timestamp_seconds", "gauge", help), ["secret"], samples);
    let last = status.last_delivery.map_or(0.0, |at| seconds(*at));
    let help =
        "When the last signed delivery arrived, pings included, in seconds since 1970; 0 if none is known.";
    text.gauge("sync_last_delivery_timestamp_seconds", help, last);
    let help = "Deliveries, by outcome.";
    let samples = mirror.outcomes.all().map(|(event, outcome, n)| ([event, outcome], n as f64));
    text.metric(("sync_outcomes_total", "counter", help), ["event", "outcome"], samples);
}

fn work(text: &mut Text, status: &Status, now: Timestamp) {
    const HINTS: &str = "Pieces of work that are under way or queued.";
    let age = age(status.oldest_queued, now);
    for (name, help, n) in [
        ("sync_queue_deliveries", "Deliveries in the queue.", status.queued as f64),
        ("sync_queue_oldest_seconds", "Age of the oldest delivery in the queue.", age),
        ("sync_open_hints", HINTS, status.open_hints as f64),
        ("sync_failed_deliveries", "Deliveries that failed.", status.failed as f64),
        ("sync_holds", "Holds that need a decision.", status.held as f64),
        ("sync_waiting_teams", "Teams that wait for another team's slug.", status.waiting as f64),
        ("sync_wanted_people", "People in GitHub teams who are not in Sentry.", status.wanted as f64),
        ("sync_matched_people", "People with a remembered match.", status.matched as f64),
        ("sync_bound_teams", "Sentry teams that follow a GitHub team.", status.teams as f64),
        ("sync_links", "Names in CODEOWNERS that are linked to a Sentry team.", status.linked as f64),
        ("sync_links_barred", "1 while no names of CODEOWNERS can be linked.", flag(status.links_barred)),
    ] {
        text.gauge(name, help, n);
    }
}

fn comparison(text: &mut Text, status: &Status) {
    let last = status.last_reconcile.as_ref();
    let of = |number: fn(&crate::status::LastReconcile) -> f64| last.map_or(f64::NAN, number);
    text.gauge(
        "sync_reconcile_timestamp_seconds",
        "When the last full comparison ended, in seconds since 1970. NaN before the first one, and in payload mode.",
        of(|last| seconds(*last.at)),
    );
    let help = "How long it took to read and compare both sides.";
    text.gauge("sync_reconcile_duration_seconds", help, of(|last| last.seconds));
    text.metric(
        ("sync_reconcile_differences", "gauge", "Differences that it found, by whether they are on hold."),
        ["held"],
        [
            (["false"], of(|last| last.differences.saturating_sub(last.held) as f64)),
            (["true"], of(|last| last.held as f64)),
        ],
    );
    let help = "Teams with unfinished changes from it.";
    text.gauge("sync_reconcile_open_teams", help, of(|last| last.open as f64));
    let help = "Names in CODEOWNERS that are linked to another Sentry team.";
    text.gauge("sync_links_elsewhere", help, of(|last| last.linked_elsewhere as f64));
    let help = "Changes from it that failed, at most 100.";
    text.gauge("sync_reconcile_failures", help, of(|last| last.failed.len() as f64));
}

fn incomplete(text: &mut Text, status: &Status, now: Timestamp) {
    let IncompleteView { n_lists, since, n_not_removed, not_removed_since, .. } = &status.incomplete;
    let help = "Lists that GitHub did not show completely in the last comparison; nobody is removed because of them.";
    text.gauge("sync_incomplete_lists", help, *n_lists as f64);
    let help = "For how long the oldest of them has been incomplete, since the start.";
    text.gauge("sync_incomplete_oldest_seconds", help, age(*since, now));
    let help = "People who stay in teams because GitHub did not show enough to remove them.";
    text.gauge("sync_not_removed_people", help, *n_not_removed as f64);
    let help = "For how long the first of them has stayed, since the start.";
    text.gauge("sync_not_removed_oldest_seconds", help, age(*not_removed_since, now));
}

fn hosts(text: &mut Text, mirror: &Mirror) {
    let hosts = [("github", mirror.github.host()), ("sentry", mirror.sentry.host())];
    let tallies = hosts.map(|(name, host)| (name, host.tally()));
    text.metric(
        ("sync_calls_total", "counter", "API calls made, by what the host counts apart."),
        ["host", "class"],
        tallies
            .iter()
            .flat_map(|(name, tally)| tally.classes().map(|(class, n, _)| ([*name, class], n as f64))),
    );
    text.metric(
        ("sync_call_failures_total", "counter", "API calls that were not answered, or turned away, by how."),
        ["host", "reason"],
        tallies.iter().flat_map(|(name, tally)| tally.failures().map(|(why, n)| ([*name, why], n as f64))),
    );
    let well = |host: &Upstream| flag(host.health() == crate::hosts::http::pace::Health::Well);
    let help = "1 if the host answers and takes the token.";
    let samples = hosts.iter().map(|(name, host)| ([*name], well(host)));
    text.metric(("sync_host_well", "gauge", help), ["host"], samples);
    let now = mirror.clock.wall();
    let mut rate = |name: &str, help: &str, number: &dyn Fn(Budget) -> f64| {
        let of = |budget: Option<Budget>| budget.map_or(f64::NAN, number);
        let samples = tallies
            .iter()
            .flat_map(|(host, tally)| tally.classes().map(|(class, _, budget)| ([*host, class], of(budget))));
        text.metric((name, "gauge", help), ["host", "class"], samples);
    };
    let help = "Calls allowed per rate-limit window; NaN until the host reports it.";
    rate("sync_rate_limit", help, &|budget| budget.limit as f64);
    rate("sync_rate_remaining", "Calls left in this window.", &|budget| budget.left(now) as f64);
    let help = "When the next window begins, in seconds since 1970.";
    rate("sync_rate_reset_timestamp_seconds", help, &|budget| seconds(budget.reset));
    let expiry = |host: &Upstream| {
        let at = host.token_expires().and_then(|at| crate::clock::parse_spaced(&at));
        at.map_or(f64::NAN, seconds)
    };
    let help = "1 if the service signs in to GitHub as an App, 0 with a token.";
    text.gauge("sync_github_app", help, flag(mirror.github.app().is_some()));
    let help = "When the token expires, in seconds since 1970; NaN if the host does not say.";
    let samples = hosts.iter().map(|(name, host)| ([*name], expiry(host)));
    text.metric(("sync_token_expires_timestamp_seconds", "gauge", help), ["host"], samples);
}

fn room(text: &mut Text, status: &Status) {
    let of =
        |number: fn(crate::status::Disk) -> u64| status.disk.map_or(f64::NAN, |disk| number(disk) as f64);
    text.gauge("sync_journal_bytes", "Size of the journal.", of(|disk| disk.journal_bytes));
    text.gauge("sync_state_free_bytes", "Free disk space for the state.", of(|disk| disk.free_bytes));
    let help = "Audit lines that could not be written; the log has them.";
    text.metric(("sync_audit_lost_total", "counter", help), [], [([], status.audit_lost as f64)]);
}

fn at_the_gates(text: &mut Text, gates: &[(&str, AtGate)]) {
    let samples = gates.iter().flat_map(|(name, counts)| {
        let results = [("passed", counts.passed), ("refused", counts.refused), ("shed", counts.shed)];
        results.map(|(result, n)| ([*name, result], n as f64))
    });
    let gate = ("sync_gate_requests_total", "counter", "Requests, by gate and result.");
    text.metric(gate, ["gate", "result"], samples);
}
