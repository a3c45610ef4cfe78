//! How things are, as one value: the status command, the page, the JSON and the metrics are views of it.

mod files;
mod headline;
mod help;
mod host;
mod incomplete;
pub mod metrics;
pub mod page;
mod pause;
pub mod process;
pub(crate) mod queue;
mod readiness;
mod recent;
mod since;
mod text;

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use files::ReloadsView;
pub use headline::{Headline, Mood};
pub use host::{Host, Rate};
pub use incomplete::IncompleteView;
pub use pause::PauseView;
pub use queue::{Attempt, Delayed, Queued, Wait};
pub use recent::{RecentView, Tone};

use crate::clock::Timestamp;
use crate::intake::counts::Counts;
use crate::reconcile::reconciler::Reconciled;
use crate::reconcile::reconciler::Reconciler;
use crate::reconcile::unused::Unused;
use crate::state::holds::Decision;
use crate::state::hours::Hour;
use crate::state::values::Mode;
use crate::state::State;
use crate::work::mirror::Mirror;
use since::Conditions;

/// How many entries of each list are shown; the numbers beside them are whole.
const SHOWN: usize = 100;
/// A delivery that waits longer than this, with nothing known to be in its way, is stuck.
pub const STUCK: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub version: &'static str,
    /// When this was true.
    pub at: String,
    /// When the service began; absent where none runs.
    pub started: Option<String>,
    /// All of it in two sentences.
    pub headline: Headline,
    /// Whether everything that should work does.
    pub ready: bool,
    pub not_ready_since: Option<String>,
    /// Whether deliveries that arrive now are kept, whatever else does not work.
    pub stores_deliveries: bool,
    /// What does not, each with what to do.
    pub reasons: Vec<String>,
    /// What is wrong without keeping the mirror from being true.
    pub warnings: Vec<String>,
    /// An operator's pause: nothing is written to Sentry.
    pub paused: Option<PauseView>,
    pub github_org: Option<String>,
    pub sentry_org: String,
    /// `read` or `payload`.
    pub mode: Option<Mode>,
    /// Deliveries that are not dealt with.
    pub queued: usize,
    /// Since when the oldest of them waits.
    pub oldest_queued: Option<String>,
    /// The oldest of them, each with why it is not done yet.
    pub queue: Vec<Queued>,
    /// What else is put off, the oldest first.
    pub delayed: Vec<Delayed>,
    /// How much that is.
    #[serde(skip)]
    pub n_delayed: usize,
    /// Hints being worked on or waiting in lanes.
    pub open_hints: usize,
    /// The last full comparison: when, and what it found.
    pub last_reconcile: Option<LastReconcile>,
    /// What GitHub does not show completely.
    pub incomplete: IncompleteView,
    /// Since when neither side, or Sentry's people, could be read; absent if the last reading was good.
    pub look_failed: Option<LookFailed>,
    /// Payload mode: what the last look for missed deliveries has found.
    pub recovered: Option<RecoveredView>,
    /// What reloads have come to.
    pub reloads: ReloadsView,
    /// Whether the user map's file is refused: the last good one is in use, if there is one.
    #[serde(skip)]
    pub user_map_refused: bool,
    /// Entries of lists that name nothing; not known before both sides were read.
    pub unused: Option<Vec<Unused>>,
    pub teams: usize,
    /// People with a remembered match.
    pub matched: usize,
    /// How many teams wait for another team's slug.
    pub waiting: usize,
    pub waits: Vec<Wait>,
    /// How many holds wait for a person.
    pub held: usize,
    /// What a guard stopped: what waits for a person first.
    pub holds: Vec<HoldView>,
    pub failed: usize,
    /// The failed ones, oldest first.
    pub failures: Vec<Failure>,
    /// How many people GitHub has in teams and Sentry does not know.
    pub wanted: usize,
    /// When they are looked for next; absent where that is never done by itself.
    pub next_look: Option<String>,
    /// Some of them, whoever waits longest first.
    pub unmatched: Vec<Unmatched>,
    /// What was dealt with last, newest first.
    pub recent: Vec<RecentView>,
    /// When the last signed delivery arrived.
    pub last_delivery: Option<String>,
    /// What arrived in each of the last 24 hours, oldest first; the last one is not over.
    pub hours: Vec<HourView>,
    /// Which of the webhook's secrets fitted last; absent if none did since the start.
    pub secret: Option<SecretView>,
    /// The journal, and the room that is left for it.
    pub disk: Option<Disk>,
    /// Audit lines that could not be written since the start.
    pub audit_lost: u64,
    pub github: Host,
    pub sentry: Host,
}

/// What a look for missed deliveries has found.
#[derive(Clone, Debug, Serialize)]
pub struct RecoveredView {
    pub at: String,
    /// Missed deliveries that were taken.
    pub taken: usize,
    /// Missed deliveries that newer news had overtaken.
    pub skipped: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LookFailed {
    pub since: String,
    /// Why, the last time.
    pub why: String,
}

/// A full comparison that was carried out.
#[derive(Clone, Debug, Serialize)]
pub struct LastReconcile {
    pub at: String,
    /// How long reading and comparing took, in seconds.
    pub seconds: f64,
    pub summary: String,
    /// How many differences these are, held ones included.
    pub differences: usize,
    /// How many of them a guard stops.
    pub held: usize,
    /// Teams that could not have their slug, because another team has it.
    pub stuck: usize,
    /// Teams that GitHub did not show.
    pub unseen: usize,
    /// Nothing of it was carried out, because of a pause.
    pub paused: bool,
    /// How it was read who is in Sentry's teams: `scim`, or `teams` one by one.
    pub members_by: &'static str,
    /// The same in words, with the reason.
    pub members_read: String,
    /// Teams with something still to be done.
    pub open: usize,
    /// Changes that were made in Sentry.
    pub written: usize,
    /// Teams that were bound to a Sentry team that was there, which changes nothing there.
    pub adopted: usize,
    /// What a delivery of just before says otherwise of: another comparison decides.
    pub left: usize,
    /// What could not be done.
    pub failed: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct HourView {
    pub start: String,
    /// Deliveries that were taken in it.
    pub deliveries: u64,
    /// Deliveries that were given up in it.
    pub failed: u64,
}

/// One of the webhook's secrets.
#[derive(Clone, Debug, Serialize)]
pub struct SecretView {
    /// `current` or `previous`.
    pub which: &'static str,
    pub at: String,
}

/// Room for the journal.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Disk {
    /// Bytes of its files.
    pub journal_bytes: u64,
    /// Bytes that are free where they lie.
    pub free_bytes: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct HoldView {
    /// What `approve` takes.
    pub name: String,
    pub n_changes: usize,
    /// What would be done; at most 100 of them.
    pub changes: Vec<String>,
    /// Why it is not.
    pub rule: String,
    pub since: String,
    /// `approved`, `rejected`, or not yet decided.
    pub decision: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// What `replay` takes.
    pub delivery: String,
    /// `event.action`.
    pub event: &'static str,
    /// Why, and what to do.
    pub why: String,
    pub at: String,
}

/// One person whom Sentry does not know.
#[derive(Clone, Debug, Serialize)]
pub struct Unmatched {
    pub login: String,
    pub id: u64,
    /// Why nobody was matched.
    pub why: String,
    /// What would match them.
    pub help: String,
    /// In how many teams they are wanted.
    pub teams: usize,
    pub since: String,
}

/// Tells how a running mirror stands.
pub struct Observer {
    pub reconciler: Arc<Reconciler>,
    /// What arrived, since start.
    pub arrived: Arc<Counts>,
    /// Since when things are as they are.
    conditions: Conditions,
}

impl Observer {
    /// `arrived`: what the intake counts; where nothing listens, nothing is counted.
    pub fn new(reconciler: Arc<Reconciler>, arrived: Arc<Counts>) -> Self {
        Self { reconciler, arrived, conditions: Conditions::default() }
    }

    pub fn mirror(&self) -> &Mirror {
        &self.reconciler.mirror
    }

    pub fn status(&self) -> Status {
        let now = self.reconciler.mirror.clock.wall();
        let github = Host::of(self.reconciler.mirror.github.host(), now);
        let sentry = Host::of(self.reconciler.mirror.sentry.host(), now);
        let reasons = self.not_ready(&github, &sentry);
        let not_ready_since = self.conditions.not_ready_since(now, reasons.is_empty());
        let waits = self.reconciler.mirror.queue.lanes.waits();
        let mut status = self.reconciler.mirror.state(|state| {
            let mut status = Status::of_state(state, now);
            status.waiting = waits.len();
            status.waits = waits.into_iter().take(SHOWN).map(|wait| Wait::of(wait, state)).collect();
            status
        });
        status.started = Some(self.reconciler.mirror.started.to_string());
        status.sentry_org = self.reconciler.mirror.settings().sentry_org.clone();
        status.add_attempts(self);
        status.look_failed = self.look_failed();
        status.next_look = self.next_look().map(|at| at.max(now).to_string());
        status.stores_deliveries = self.reconciler.mirror.journal.trouble().is_none();
        status.not_ready_since = not_ready_since.map(|since| since.to_string());
        status.ready = reasons.is_empty();
        status.reasons = reasons;
        status.warnings.extend(self.reconciler.mirror.audit.fault());
        self.add_files(&mut status, now);
        status.open_hints = self.reconciler.mirror.queue.lanes.counts().hints;
        status.audit_lost = self.reconciler.mirror.audit.n_lost();
        let order = self.reconciler.mirror.settings().identity.clone();
        for person in &mut status.unmatched {
            person.help = help::what_would_match(&person.login, &person.why, &order);
        }
        status.github = github;
        status.sentry = sentry;
        status.recovered = self.reconciler.missed.found().map(|(found, at)| RecoveredView {
            at: at.to_string(),
            taken: found.taken,
            skipped: found.skipped,
        });
        status.last_reconcile = self.reconciler.last_reconcile().map(LastReconcile::of);
        let incomplete = self.reconciler.incomplete.known();
        status.warnings.extend(IncompleteView::warning(&incomplete, now));
        status.incomplete = IncompleteView::of(&incomplete);
        self.add_what_arrived(&mut status, now);
        status.disk = self
            .reconciler
            .mirror
            .journal
            .space()
            .ok()
            .map(|(used, free)| Disk { journal_bytes: used, free_bytes: free });
        status.headline = status.tell(now);
        status
    }

    fn add_what_arrived(&self, status: &mut Status, now: Timestamp) {
        let secret = self.arrived.last_secret();
        let known = status.last_delivery.as_deref().and_then(Timestamp::parse);
        status.last_delivery = secret.map(|(_, at)| at).max(known).map(|at| at.to_string());
        status.secret = secret.map(|(which, at)| SecretView { which, at: at.to_string() });
        let view = |hour: Hour| HourView {
            start: hour.start().to_string(),
            deliveries: hour.deliveries,
            failed: hour.failed,
        };
        status.hours = self.reconciler.mirror.hours.until(now).into_iter().map(view).collect();
    }
}

impl Status {
    /// What the state alone tells: also without a running service.
    pub fn of_state(state: &State, now: Timestamp) -> Self {
        let deliveries = &state.deliveries;
        let newest = deliveries.queued().next_back().map(|delivery| delivery.at);
        let newest = deliveries.recent().map(|recent| recent.received).chain(newest).max();
        let mut status = Self {
            version: env!("CARGO_PKG_VERSION"),
            at: now.to_string(),
            started: None,
            headline: Headline::default(),
            ready: false,
            not_ready_since: None,
            stores_deliveries: false,
            reasons: Vec::new(),
            warnings: Vec::new(),
            reloads: ReloadsView::default(),
            user_map_refused: false,
            unused: None,
            paused: state.paused.as_ref().map(PauseView::of),
            github_org: state.org.as_ref().map(|org| org.login.to_string()),
            sentry_org: String::new(),
            mode: state.mode.as_ref().map(|(mode, _)| *mode),
            queued: deliveries.n_queued(),
            oldest_queued: deliveries.queued().next().map(|delivery| delivery.at.to_string()),
            queue: deliveries.queued().take(SHOWN).map(|delivery| Queued::of(delivery)).collect(),
            delayed: Vec::new(),
            n_delayed: 0,
            open_hints: 0,
            last_reconcile: None,
            incomplete: IncompleteView::default(),
            look_failed: None,
            recovered: None,
            teams: state.teams.n_bound(),
            matched: state.people.n_matched(),
            waiting: 0,
            waits: Vec::new(),
            held: state.holds.iter().filter(|hold| hold.decision.is_none()).count(),
            holds: holds(state),
            failed: deliveries.n_failed(),
            failures: deliveries.failed().take(SHOWN).map(Failure::of).collect(),
            wanted: state.people.n_wanted(),
            next_look: None,
            unmatched: unmatched(state),
            recent: recent::recent(state),
            last_delivery: newest.map(|at| at.to_string()),
            hours: Vec::new(),
            secret: None,
            disk: None,
            audit_lost: 0,
            github: Host::unknown(),
            sentry: Host::unknown(),
        };
        status.headline = status.tell(now);
        status
    }
}

fn holds(state: &State) -> Vec<HoldView> {
    let waits = |undecided: bool| state.holds.iter().filter(move |hold| hold.decision.is_none() == undecided);
    waits(true).chain(waits(false)).take(SHOWN).map(HoldView::of).collect()
}

/// Whoever waits longest, first. There may be tens of thousands, and everybody waits for the state meanwhile.
fn unmatched(state: &State) -> Vec<Unmatched> {
    let mut longest = BinaryHeap::with_capacity(SHOWN + 1);
    for (user, wanted) in state.people.wanted() {
        longest.push((wanted.since, user));
        if longest.len() > SHOWN {
            longest.pop();
        }
    }
    let longest = longest.into_sorted_vec().into_iter();
    longest.filter_map(|(_, user)| Some(Unmatched::of(user.0, state.people.wish(user)?))).collect()
}

impl LastReconcile {
    fn of(last: Reconciled) -> Self {
        let tally = last.run.tally();
        Self {
            at: last.at.to_string(),
            seconds: last.took.as_millis() as f64 / 1000.0,
            summary: last.summary,
            differences: last.counts.all(),
            held: last.counts.held,
            stuck: last.counts.stuck,
            unseen: last.counts.unseen,
            paused: last.paused,
            members_by: last.by.name(),
            members_read: last.by.to_string(),
            open: tally.open,
            written: tally.written,
            adopted: tally.adopted,
            left: tally.left,
            failed: tally.failed.into_iter().take(SHOWN).collect(),
        }
    }
}

impl HoldView {
    fn of(hold: &crate::state::holds::Hold) -> Self {
        Self {
            name: hold.name.to_string(),
            n_changes: hold.changes.len(),
            changes: hold.changes.iter().take(SHOWN).map(ToString::to_string).collect(),
            rule: hold.rule.to_string(),
            since: hold.at.to_string(),
            decision: hold.decision.map(Decision::word),
        }
    }
}

impl Failure {
    pub(crate) fn of(failure: &crate::state::deliveries::Failure) -> Self {
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
            login: crate::text::plain(wanted.login.as_str(), 60),
            id,
            why: wanted.why.to_string(),
            help: help::what_would_match(wanted.login.as_str(), &wanted.why, &help::ALL),
            teams: wanted.teams.len(),
            since: wanted.since.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
