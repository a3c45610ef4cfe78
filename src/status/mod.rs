//! The state of the service as one value. The `status` command, the page, the JSON and the metrics are views of it.

mod files;
mod headline;
pub mod help;
mod hold;
mod host;
mod incomplete;
pub mod metrics;
pub mod page;
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
pub use hold::HoldView;
pub use host::{Host, Rate};
pub use incomplete::IncompleteView;
pub use queue::{Attempt, Delayed, Queued, Wait};
pub use recent::{RecentView, Tone};
pub use text::BLOCK;

use crate::clock::{Shown, Timestamp};
use crate::intake::counts::Counts;
use crate::intake::missed::Recovered;
use crate::reconcile::reconciler::{Reconciled, Reconciler};
use crate::reconcile::schedule::Schedule;
use crate::reconcile::unused::Unused;
use crate::state::hours::Hour;
use crate::state::ids::GithubUserId;
use crate::state::people::Wanted;
use crate::state::values::{Mode, Source};
use crate::state::{deliveries, Pause, State};
use crate::work::mirror::Mirror;
use since::Conditions;

/// How many entries of each list are shown. The numbers beside them count all entries.
const SHOWN: usize = 100;
/// A delivery that is queued for longer than this, without a known reason, is stuck.
pub const STUCK: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    pub version: &'static str,
    pub at: Shown,
    /// Absent if no service is running.
    pub started: Option<Shown>,
    pub headline: Headline,
    /// Whether everything that should work does.
    pub ready: bool,
    pub not_ready_since: Option<Shown>,
    /// Whether deliveries that arrive now are stored, even if other things do not work.
    pub stores_deliveries: bool,
    /// Why the service is not ready, each reason with what to do.
    pub reasons: Vec<String>,
    /// Problems that do not affect readiness.
    pub warnings: Vec<String>,
    pub paused: Option<Pause>,
    pub github_org: Option<String>,
    pub sentry_org: String,
    pub mode: Option<Mode>,
    pub queued: usize,
    pub oldest_queued: Option<Shown>,
    /// The oldest of the queued deliveries.
    pub queue: Vec<Queued>,
    /// Other work that was put off, oldest first.
    pub delayed: Vec<Delayed>,
    #[serde(skip)]
    pub n_delayed: usize,
    /// Hints being worked on or waiting in lanes.
    pub open_hints: usize,
    pub last_reconcile: Option<LastReconcile>,
    pub incomplete: IncompleteView,
    /// Absent if the last reading of both sides, or in payload mode of Sentry's members, succeeded.
    pub look_failed: Option<LookFailed>,
    /// The last search for missed deliveries, which is made in payload mode and as a GitHub App.
    pub recovered: Option<RecoveredView>,
    pub reloads: ReloadsView,
    /// Whether the user map's file is rejected. The last good map stays in use, if there is one.
    #[serde(skip)]
    pub user_map_refused: bool,
    /// List entries that match nothing. Absent until both sides have been read.
    pub unused: Option<Vec<Unused>>,
    pub teams: usize,
    /// Names in CODEOWNERS that the service has linked to a Sentry team, or found linked.
    pub linked: usize,
    #[serde(skip)]
    pub links_barred: bool,
    /// People with a remembered match.
    pub matched: usize,
    /// How many teams wait for another team's slug.
    pub waiting: usize,
    pub waits: Vec<Wait>,
    /// How many holds need a decision.
    pub held: usize,
    /// Changes that a guard stopped, those without a decision first.
    pub holds: Vec<HoldView>,
    /// Whether `SENTRY_TOKEN` may give a restored team its projects back, if that is known.
    #[serde(skip)]
    pub gives_projects_back: Option<bool>,
    pub failed: usize,
    /// The failed deliveries, oldest first.
    pub failures: Vec<Failure>,
    /// How many people are in GitHub teams and have no match in Sentry.
    pub wanted: usize,
    /// When they are searched for next. Absent if `SYNC_INTERVAL` is off.
    pub next_look: Option<Shown>,
    /// Some of them, those who have waited longest first.
    pub unmatched: Vec<Unmatched>,
    /// The deliveries that were finished last, newest first.
    pub recent: Vec<RecentView>,
    /// When the last signed delivery arrived.
    pub last_delivery: Option<Shown>,
    /// Deliveries in each of the last 24 hours, oldest first. The last hour is not over.
    pub hours: Vec<Hour>,
    /// Which webhook secret matched last. Absent if none has since the start.
    pub secret: Option<SecretView>,
    pub disk: Option<Disk>,
    /// Audit lines that could not be written since the start.
    pub audit_lost: u64,
    pub github: Host,
    pub sentry: Host,
}

#[derive(Clone, Debug, Serialize)]
pub struct RecoveredView {
    pub at: Shown,
    #[serde(flatten)]
    pub found: Recovered,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LookFailed {
    pub since: Shown,
    /// Why the last attempt failed.
    pub why: String,
}

/// A full comparison that was carried out.
#[derive(Clone, Debug, Serialize)]
pub struct LastReconcile {
    pub at: Shown,
    /// How long reading and comparing took, in seconds.
    pub seconds: f64,
    pub summary: String,
    /// Includes those on hold.
    pub differences: usize,
    pub held: usize,
    /// Teams that could not get their slug, because another team has it.
    pub stuck: usize,
    /// Teams that GitHub did not show.
    pub unseen: usize,
    /// Names in CODEOWNERS that somebody has linked to another Sentry team.
    pub linked_elsewhere: usize,
    /// Nothing was carried out, because the service is paused.
    pub paused: bool,
    /// How the members of Sentry's teams were read: `scim`, or `teams` one by one.
    pub members_by: &'static str,
    /// The same in words, with the reason.
    pub members_read: String,
    /// Teams with unfinished changes.
    pub open: usize,
    pub written: usize,
    /// Teams that were bound to an existing Sentry team, which changes nothing there.
    pub adopted: usize,
    /// Changes that a recent delivery contradicts. The next comparison decides about them.
    pub left: usize,
    pub failed: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SecretView {
    /// `current` or `previous`.
    pub which: &'static str,
    pub at: Shown,
}

/// Disk space of the journal, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Disk {
    pub journal_bytes: u64,
    pub free_bytes: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The GUID, which `replay` takes.
    pub delivery: String,
    /// `event.action`.
    pub event: &'static str,
    /// Why it failed, and what to do.
    pub why: String,
    pub at: Shown,
}

/// A person whom Sentry does not know.
#[derive(Clone, Debug, Serialize)]
pub struct Unmatched {
    pub login: String,
    pub id: u64,
    pub why: String,
    /// How they could be matched.
    pub help: String,
    /// In how many teams they are wanted.
    pub teams: usize,
    pub since: Shown,
}

/// Reports the status of a running service.
pub struct Observer {
    pub reconciler: Arc<Reconciler>,
    pub arrived: Arc<Counts>,
    conditions: Conditions,
}

impl Observer {
    /// `arrived`: what the intake counts. If nothing listens, it stays at zero.
    pub fn new(reconciler: Arc<Reconciler>, arrived: Arc<Counts>) -> Self {
        Self { reconciler, arrived, conditions: Conditions::default() }
    }

    /// Does the pending scheduled work and notes the conditions. Returns how long to rest before the next step.
    pub fn step(&self, schedule: &mut Schedule) -> Duration {
        // Before and after: a step may take long, and so may the rest after one that failed.
        self.note_conditions();
        let rest = schedule.step();
        self.note_conditions();
        rest
    }

    pub fn mirror(&self) -> &Mirror {
        &self.reconciler.mirror
    }

    /// Why names of CODEOWNERS cannot be linked, with the fix. `None` if the settings turn links off.
    pub fn what_bars_links(&self) -> Option<String> {
        let mirror = self.mirror();
        mirror.owners.barred(&mirror.clock).filter(|_| mirror.settings().links)
    }

    pub fn status(&self) -> Status {
        let (mirror, settings) = (self.mirror(), self.mirror().settings());
        let now = mirror.clock.wall();
        let app = mirror.github.app().map(|app| app.told());
        let github = Host { app, ..Host::of(mirror.github.host(), now) };
        let sentry = Host::of(mirror.sentry.host(), now);
        let reasons = self.not_ready(&github, &sentry);
        let not_ready_since = self.conditions.not_ready_since(now, reasons.is_empty());
        let waits = mirror.queue.lanes.waits();
        let mut status = mirror.state(|state| Status {
            waiting: waits.len(),
            waits: waits.into_iter().take(SHOWN).map(|wait| Wait::of(wait, state)).collect(),
            ..Status::of_state(state, &settings.identity, now)
        });
        status.delayed = self.add_attempts(&mut status.queue, &mut status.waits);
        status.n_delayed = status.delayed.len();
        status.delayed.truncate(SHOWN);
        status.warnings.extend(mirror.audit.fault());
        self.add_files(&mut status, now);
        let incomplete = self.reconciler.incomplete.known();
        status.warnings.extend(IncompleteView::warning(&incomplete, now));
        let barred = self.what_bars_links();
        status.links_barred = barred.is_some();
        status.warnings.extend(barred.map(|why| format!("CODEOWNERS links are not made: {why}")));
        self.add_what_arrived(&mut status, now);
        let recovered = self.reconciler.missed.found();
        let space = mirror.journal.space().ok();
        status = Status {
            started: Some(mirror.started.into()),
            ready: reasons.is_empty(),
            not_ready_since: not_ready_since.map(Shown::from),
            stores_deliveries: mirror.journal.trouble().is_none(),
            reasons,
            sentry_org: settings.sentry_org.clone(),
            open_hints: mirror.queue.lanes.counts().hints,
            last_reconcile: self.reconciler.last_reconcile().map(LastReconcile::of),
            incomplete: IncompleteView::of(&incomplete),
            look_failed: self.look_failed(),
            recovered: recovered.map(|(found, at)| RecoveredView { at: at.into(), found }),
            next_look: self.next_look().map(|at| at.max(now).into()),
            gives_projects_back: mirror.scopes.give_projects_back(&mirror.clock),
            disk: space.map(|(journal_bytes, free_bytes)| Disk { journal_bytes, free_bytes }),
            audit_lost: mirror.audit.n_lost(),
            github,
            sentry,
            ..status
        };
        status.headline = status.tell(now);
        status
    }

    fn add_what_arrived(&self, status: &mut Status, now: Timestamp) {
        let secret = self.arrived.last_secret();
        status.last_delivery = secret.map(|(_, at)| at.into()).max(status.last_delivery);
        status.secret = secret.map(|(which, at)| SecretView { which, at: at.into() });
        status.hours = self.mirror().hours.until(now);
    }
}

impl Status {
    /// The part that needs only the state, not a running service. `order`: the sources that are on, as far as is known.
    pub fn of_state(state: &State, order: &[Source], now: Timestamp) -> Self {
        let deliveries = &state.deliveries;
        let newest = deliveries.queued().next_back().map(|delivery| delivery.at);
        let newest = deliveries.recent().map(|recent| recent.received).chain(newest).max();
        let mut status = Self {
            version: env!("CARGO_PKG_VERSION"),
            at: now.into(),
            paused: state.paused.clone(),
            github_org: state.org.as_ref().map(|org| org.login.to_string()),
            mode: state.mode.as_ref().map(|(mode, _)| *mode),
            queued: deliveries.n_queued(),
            oldest_queued: deliveries.queued().next().map(|delivery| delivery.at.into()),
            queue: deliveries.queued().take(SHOWN).map(|delivery| Queued::of(delivery)).collect(),
            teams: state.teams.n_bound(),
            linked: state.teams.links.rows().count(),
            matched: state.people.n_matched(),
            held: state.holds.iter().filter(|hold| hold.decision.is_none()).count(),
            holds: holds(state),
            failed: deliveries.n_failed(),
            failures: deliveries.failed().take(SHOWN).map(Failure::of).collect(),
            wanted: state.people.n_wanted(),
            unmatched: unmatched(state, order),
            recent: recent::recent(state),
            last_delivery: newest.map(Shown::from),
            ..Self::default()
        };
        status.headline = status.tell(now);
        status
    }
}

fn holds(state: &State) -> Vec<HoldView> {
    let waits = |undecided: bool| state.holds.iter().filter(move |hold| hold.decision.is_none() == undecided);
    waits(true).chain(waits(false)).take(SHOWN).map(|hold| HoldView::of(hold, state)).collect()
}

/// Those who have waited longest. There may be tens of thousands, and other threads wait for the state meanwhile.
fn unmatched(state: &State, order: &[Source]) -> Vec<Unmatched> {
    let mut longest = BinaryHeap::with_capacity(SHOWN + 1);
    for (user, wanted) in state.people.wanted() {
        longest.push((wanted.since, user));
        if longest.len() > SHOWN {
            longest.pop();
        }
    }
    let view = |(since, user): (Timestamp, GithubUserId)| {
        let Wanted { login, why, teams, .. } = state.people.wish(user)?;
        Some(Unmatched {
            login: crate::text::plain(login.as_str(), 60),
            id: user.0,
            why: why.to_string(),
            help: help::what_would_match(login.as_str(), why, order),
            teams: teams.len(),
            since: since.into(),
        })
    };
    longest.into_sorted_vec().into_iter().filter_map(view).collect()
}

impl LastReconcile {
    fn of(last: Reconciled) -> Self {
        let tally = last.run.tally();
        Self {
            at: last.at.into(),
            seconds: last.took.as_millis() as f64 / 1000.0,
            summary: last.summary,
            differences: last.counts.all(),
            held: last.counts.held,
            stuck: last.counts.stuck,
            unseen: last.counts.unseen,
            linked_elsewhere: last.counts.conflicts,
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

impl Failure {
    pub(crate) fn of(failure: &deliveries::Failure) -> Self {
        Self {
            delivery: failure.delivery.guid.to_string(),
            event: failure.delivery.event.name(),
            why: failure.why.to_string(),
            at: failure.at.into(),
        }
    }
}

#[cfg(test)]
mod tests;
