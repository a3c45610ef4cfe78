//! How things are, as one value: the status command, the page, the JSON and the metrics are views of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::engine::Engine;
use crate::state::deliveries::Recent;
use crate::state::record::{Mode, Status as Outcome};
use crate::state::State;
use crate::upstream::pace::Health;
use crate::upstream::Upstream;

/// How many entries of each list are shown; the numbers beside them are whole.
const SHOWN: usize = 100;
/// A delivery that waits longer than this, with nothing known to be in its way, is stuck.
const STUCK: Duration = Duration::from_secs(3600);

/// How things are.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// When this was true.
    pub at: String,
    /// Whether everything that should work does.
    pub ready: bool,
    /// What does not, each with what to do.
    pub reasons: Vec<String>,
    /// What is wrong without keeping the mirror from being true.
    pub warnings: Vec<String>,
    /// The GitHub organisation.
    pub github_org: Option<String>,
    /// The Sentry organisation.
    pub sentry_org: String,
    /// `read` or `payload`.
    pub mode: Option<Mode>,
    /// Deliveries that are not dealt with.
    pub queued: usize,
    /// Since when the oldest of them waits.
    pub oldest_queued: Option<String>,
    /// Hints being worked on or waiting in lanes.
    pub open_hints: usize,
    /// The last full comparison: when, and what it found.
    pub last_reconcile: Option<LastReconcile>,
    /// Payload mode: what the last look for missed deliveries has found.
    pub recovered: Option<RecoveredView>,
    /// What reloads have come to.
    pub reloads: ReloadsView,
    /// Bound teams.
    pub teams: usize,
    /// People with a remembered match.
    pub matched: usize,
    /// Teams that wait for another team's slug: GitHub ids.
    pub waits: Vec<Wait>,
    /// What a guard stopped.
    pub holds: Vec<HoldView>,
    /// How many deliveries failed.
    pub failed: usize,
    /// The failed ones, oldest first.
    pub failures: Vec<Failure>,
    /// How many people GitHub has in teams and Sentry does not know.
    pub wanted: usize,
    /// Some of them.
    pub unmatched: Vec<Unmatched>,
    /// What was dealt with last, newest first.
    pub recent: Vec<RecentView>,
    /// GitHub.
    pub github: Host,
    /// Sentry.
    pub sentry: Host,
}

/// What reloads have come to, since start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReloadsView {
    /// How many were taken over.
    pub done: u64,
    /// How many had a fault and changed nothing.
    pub failed: u64,
    /// What was wrong with the last one.
    pub fault: Option<String>,
}

/// What a look for missed deliveries has found.
#[derive(Clone, Debug, Serialize)]
pub struct RecoveredView {
    /// When.
    pub at: String,
    /// Missed deliveries that were taken.
    pub taken: usize,
    /// Missed deliveries that newer news had overtaken.
    pub skipped: usize,
}

/// A full comparison that was carried out.
#[derive(Clone, Debug, Serialize)]
pub struct LastReconcile {
    /// When.
    pub at: String,
    /// What it found.
    pub summary: String,
    /// Teams with something still to be done.
    pub open: usize,
    /// Changes that were made in Sentry.
    pub written: usize,
    /// What could not be done.
    pub failed: Vec<String>,
}

/// One team that waits for another.
#[derive(Clone, Debug, Serialize)]
pub struct Wait {
    /// The GitHub team that waits.
    pub team: u64,
    /// The one that has its slug.
    pub waits_for: u64,
}

/// One hold.
#[derive(Clone, Debug, Serialize)]
pub struct HoldView {
    /// What `approve` takes.
    pub name: String,
    /// What would be done.
    pub changes: Vec<String>,
    /// Why it is not.
    pub rule: String,
    /// Since when.
    pub since: String,
    /// `approved`, `rejected`, or not yet decided.
    pub decision: Option<&'static str>,
}

/// One failed delivery.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// What `replay` takes.
    pub delivery: String,
    /// `event.action`.
    pub event: &'static str,
    /// Why, and what to do.
    pub why: String,
    /// When.
    pub at: String,
}

/// One delivery that was dealt with.
#[derive(Clone, Debug, Serialize)]
pub struct RecentView {
    /// Its GUID.
    pub guid: String,
    /// `event.action`.
    pub event: String,
    /// What it caused.
    pub note: String,
    /// What became of it.
    pub status: Outcome,
    /// When it was received.
    pub received: String,
    /// When it was dealt with.
    pub at: String,
}

impl RecentView {
    fn of(recent: &Recent) -> Self {
        Self {
            guid: recent.guid.to_string(),
            event: recent.event.to_string(),
            note: recent.note.to_string(),
            status: recent.status,
            received: recent.received.to_string(),
            at: recent.at.to_string(),
        }
    }
}

/// One person whom Sentry does not know.
#[derive(Clone, Debug, Serialize)]
pub struct Unmatched {
    /// The GitHub login.
    pub login: String,
    /// The GitHub id.
    pub id: u64,
    /// Why nobody was matched.
    pub why: String,
    /// In how many teams they are wanted.
    pub teams: usize,
    /// Since when.
    pub since: String,
}

/// One host.
#[derive(Clone, Debug, Serialize)]
pub struct Host {
    /// `well`, `down` or `refused`.
    pub health: &'static str,
    /// Why, unless it is well.
    pub why: Option<String>,
    /// Calls since start.
    pub calls: u64,
    /// Calls without a usable answer.
    pub failures: u64,
    /// When its token expires, if it said so.
    pub token_expires: Option<String>,
}

impl Host {
    fn of(host: &Upstream) -> Self {
        let (health, why) = match host.health() {
            Health::Well => ("well", None),
            Health::Down(why) => ("down", Some(why)),
            Health::Refused(why) => ("refused", Some(why)),
        };
        let (calls, failures) = host.counts();
        Self { health, why, calls, failures, token_expires: host.token_expires() }
    }
}

impl Engine {
    /// How things are.
    pub fn status(&self) -> Status {
        let (github, sentry) = (Host::of(self.github.host()), Host::of(self.sentry.host()));
        let reasons = self.not_ready(&github, &sentry);
        let mut status = self.state(Status::of_state);
        status.sentry_org = self.settings().sentry_org.clone();
        status.ready = reasons.is_empty();
        status.reasons = reasons;
        status.warnings.extend(self.reloads.fault());
        let (done, failed) = self.reloads.counts();
        status.reloads = ReloadsView { done, failed, fault: self.reloads.fault() };
        status.open_hints = self.lanes.counts().hints;
        let wait = |(team, on): (crate::ids::GithubTeamId, crate::ids::GithubTeamId)| Wait {
            team: team.0,
            waits_for: on.0,
        };
        status.waits = self.lanes.waits().into_iter().take(SHOWN).map(wait).collect();
        status.github = github;
        status.sentry = sentry;
        status.recovered = self.recovered().map(|(found, at)| RecoveredView {
            at: at.to_string(),
            taken: found.taken,
            skipped: found.skipped,
        });
        status.last_reconcile = self.last_reconcile().map(|last| {
            let tally = last.run.tally();
            LastReconcile {
                at: last.at.to_string(),
                summary: last.summary,
                open: tally.open,
                written: tally.written,
                failed: tally.failed.into_iter().take(SHOWN).collect(),
            }
        });
        status
    }

    /// What keeps the mirror from being true, each with what to do.
    fn not_ready(&self, github: &Host, sentry: &Host) -> Vec<String> {
        let mut reasons = Vec::new();
        reasons.extend(self.fault());
        if self.state(|state| state.org.is_none()) {
            let not_yet =
                "the GitHub organisation is not known yet: set GH_ORG, or wait for the first signed event";
            reasons.push(self.told().unwrap_or_else(|| not_yet.into()));
        } else if self.state(|state| state.mode.is_none()) {
            reasons.push("what GH_TOKEN may do is not known yet: GitHub has not answered".into());
        }
        if let Some(org) = self.state(|state| state.org.clone()).filter(|org| org.deleted) {
            reasons.push(format!(
                "GitHub says that the organisation {} is deleted: all writes have stopped",
                org.login
            ));
        }
        reasons.extend(self.journal.trouble().map(|why| why.to_string()));
        for (name, host) in [("GitHub", github), ("Sentry", sentry)] {
            if host.health == "refused" {
                reasons.push(format!("{name}: {}", host.why.clone().unwrap_or_default()));
            }
        }
        reasons.extend(self.who.map_fault());
        let well = github.health == "well" && sentry.health == "well";
        let oldest = self.state(|state| state.deliveries.queued().next().map(|delivery| delivery.at));
        if let Some(at) =
            oldest.filter(|at| well && Timestamp::now().since(*at) > STUCK && self.lanes.waits().is_empty())
        {
            reasons.push(format!("a delivery of {at} is still queued: see the log for why"));
        }
        reasons
    }
}

impl Status {
    /// What the state alone tells: also without a running service.
    pub fn of_state(state: &State) -> Self {
        let none = || Host { health: "well", why: None, calls: 0, failures: 0, token_expires: None };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            at: Timestamp::now().to_string(),
            ready: false,
            reasons: Vec::new(),
            warnings: Vec::new(),
            reloads: ReloadsView::default(),
            github_org: state.org.as_ref().map(|org| org.login.to_string()),
            sentry_org: String::new(),
            mode: state.mode.as_ref().map(|(mode, _)| *mode),
            queued: state.deliveries.n_queued(),
            oldest_queued: state.deliveries.queued().next().map(|delivery| delivery.at.to_string()),
            open_hints: 0,
            last_reconcile: None,
            recovered: None,
            teams: state.teams.n_bound(),
            matched: state.people.n_matched(),
            waits: Vec::new(),
            holds: state.holds.iter().take(SHOWN).map(HoldView::of).collect(),
            failed: state.deliveries.n_failed(),
            failures: state.deliveries.failed().take(SHOWN).map(Failure::of).collect(),
            wanted: state.people.n_wanted(),
            unmatched: state
                .people
                .wanted()
                .take(SHOWN)
                .map(|(id, wanted)| Unmatched::of(id.0, wanted))
                .collect(),
            recent: state.deliveries.recent().map(RecentView::of).collect(),
            github: none(),
            sentry: none(),
        }
    }

    /// For a terminal: plain lines, foreign text escaped.
    pub fn to_text(&self) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        let line = |text: &mut String, line: String| {
            let _ = writeln!(text, "{line}");
        };
        line(
            &mut text,
            match (self.ready, self.reasons.is_empty()) {
                (true, _) => "ready: the mirror works".into(),
                (false, true) => "no service is running: this is what its state directory holds".into(),
                (false, false) => format!("NOT READY: {}", self.reasons.join("; ")),
            },
        );
        for warning in &self.warnings {
            line(&mut text, format!("warning: {warning}"));
        }
        let org = self.github_org.as_deref().unwrap_or("not known yet");
        let mode = match self.mode {
            Some(Mode::Read) => "read",
            Some(Mode::Payload) => "payload",
            None => "not known yet",
        };
        let served = self.ready || !self.reasons.is_empty();
        let to = if served { format!(" -> {}", self.sentry_org) } else { String::new() };
        line(&mut text, format!("organisation: {org}{to}, mode: {mode}"));
        line(
            &mut text,
            format!(
                "queue: {} deliveries, oldest: {}",
                self.queued,
                self.oldest_queued.as_deref().unwrap_or("none")
            ),
        );
        line(
            &mut text,
            format!("teams: {} bound; people: {} matched, {} wanted", self.teams, self.matched, self.wanted),
        );
        let hosts = [("github", &self.github), ("sentry", &self.sentry)];
        for (name, host) in hosts.into_iter().filter(|_| served) {
            let why = host.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
            line(
                &mut text,
                format!("{name}: {}{why}, {} calls, {} failed", host.health, host.calls, host.failures),
            );
        }
        if let Some(LastReconcile { at, summary, failed, .. }) = &self.last_reconcile {
            line(&mut text, format!("last comparison: {at}: {summary}"));
            for why in failed {
                line(&mut text, format!("not done: {why}"));
            }
        }
        for wait in &self.waits {
            line(
                &mut text,
                format!("waiting: GitHub team {} waits for the slug of {}", wait.team, wait.waits_for),
            );
        }
        for hold in &self.holds {
            let decision = hold.decision.unwrap_or("approve or reject it");
            line(
                &mut text,
                format!("hold {}: {} [{}], {decision}", hold.name, hold.changes.join(", "), hold.rule),
            );
        }
        for failure in &self.failures {
            line(&mut text, format!("failed {}: {}: {}", failure.delivery, failure.event, failure.why));
        }
        for person in &self.unmatched {
            line(&mut text, format!("wanted {}: {} (in {} teams)", person.login, person.why, person.teams));
        }
        for recent in self.recent.iter().take(10) {
            let note = crate::escape::Quoted(&recent.note);
            line(&mut text, format!("{} {} {}: {note}", recent.at, recent.event, recent.guid));
        }
        text
    }
}

impl HoldView {
    fn of(hold: &crate::state::holds::Hold) -> Self {
        Self {
            name: hold.name.to_string(),
            changes: hold.changes.iter().map(ToString::to_string).collect(),
            rule: hold.rule.to_string(),
            since: hold.at.to_string(),
            decision: hold.decision.map(|decision| if decision.approved { "approved" } else { "rejected" }),
        }
    }
}

impl Failure {
    fn of(failure: &crate::state::deliveries::Failure) -> Self {
        Self {
            delivery: failure.delivery.guid.to_string(),
            event: failure.delivery.event.name(),
            why: failure.why.to_string(),
            at: failure.at.to_string(),
        }
    }
}

impl Unmatched {
    fn of(id: u64, wanted: &crate::state::people::Wanted) -> Self {
        Self {
            login: crate::escape::plain(wanted.login.as_str(), 60),
            id,
            why: wanted.why.to_string(),
            teams: wanted.teams.len(),
            since: wanted.since.to_string(),
        }
    }
}

/// A counter's value.
pub fn count(counter: &std::sync::atomic::AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
