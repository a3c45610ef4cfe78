//! How things are, as one value: the status command, the page, the JSON and the metrics are views of it.

mod headline;
mod help;
mod pause;
mod text;

use std::collections::BinaryHeap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

pub use headline::{Headline, Mood};
pub use pause::PauseView;

use crate::clock::{self, Timestamp};
use crate::engine::Engine;
use crate::explain::find;
use crate::hours::Hour;
use crate::ids::GithubTeamId;
use crate::reconcile::run::Reconciled;
use crate::state::deliveries::Recent;
use crate::state::holds::Decision;
use crate::state::record::{Mode, Status as Outcome};
use crate::state::State;
use crate::upstream::pace::Health;
use crate::upstream::tally::Budget;
use crate::upstream::Upstream;

/// How many entries of each list are shown; the numbers beside them are whole.
const SHOWN: usize = 100;
/// A delivery that waits longer than this, with nothing known to be in its way, is stuck.
pub const STUCK: Duration = Duration::from_secs(3600);

/// Nobody has said whose teams are mirrored, and both ways to say it.
const NOT_PINNED: &str =
    "the GitHub organisation is not known yet: set GH_ORG to its login, or wait for the first signed event";

/// How things are.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// When this was true.
    pub at: String,
    /// When the service began; absent where none runs.
    pub started: Option<String>,
    /// All of it in two sentences.
    pub headline: Headline,
    /// Whether everything that should work does.
    pub ready: bool,
    /// What does not, each with what to do.
    pub reasons: Vec<String>,
    /// What is wrong without keeping the mirror from being true.
    pub warnings: Vec<String>,
    /// An operator's pause: nothing is written to Sentry.
    pub paused: Option<PauseView>,
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
    /// How many teams wait for another team's slug.
    pub waiting: usize,
    /// Some of them.
    pub waits: Vec<Wait>,
    /// How many holds wait for a person.
    pub held: usize,
    /// What a guard stopped: what waits for a person first.
    pub holds: Vec<HoldView>,
    /// How many deliveries failed.
    pub failed: usize,
    /// The failed ones, oldest first.
    pub failures: Vec<Failure>,
    /// How many people GitHub has in teams and Sentry does not know.
    pub wanted: usize,
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
    /// How long reading and comparing took, in seconds.
    pub seconds: f64,
    /// What it found.
    pub summary: String,
    /// How many differences these are, held ones included.
    pub differences: usize,
    /// How many of them a guard stops.
    pub held: usize,
    /// Nothing of it was carried out, because of a pause.
    pub paused: bool,
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
    /// What it is called now: its slug in Sentry, else the one that GitHub told last.
    pub slug: Option<String>,
    /// The one that has its slug.
    pub waits_for: u64,
    /// That slug.
    pub wants: Option<String>,
}

/// One hour.
#[derive(Clone, Debug, Serialize)]
pub struct HourView {
    /// When it began.
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
    /// When it fitted.
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

/// One hold.
#[derive(Clone, Debug, Serialize)]
pub struct HoldView {
    /// What `approve` takes.
    pub name: String,
    /// How many changes these are.
    pub n_changes: usize,
    /// What would be done; at most 100 of them.
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
    /// Whether it is held, and nobody has decided yet.
    #[serde(skip)]
    pub waits: bool,
}

impl RecentView {
    fn of(recent: &Recent, state: &State) -> Self {
        let note = state.holds.note_now(&recent.note);
        Self {
            waits: recent.status == Outcome::Held && *note == *recent.note,
            guid: recent.guid.to_string(),
            event: recent.event.to_string(),
            note,
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
    /// What would match them.
    pub help: String,
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
    /// Its rates, as far as it told them.
    pub rates: Vec<Rate>,
    /// When its token expires, if it said so.
    pub token_expires: Option<String>,
}

/// How many calls a host still takes.
#[derive(Clone, Debug, Serialize)]
pub struct Rate {
    /// GitHub: `core` and `graphql`. Sentry: `read` and `write`, of which each kind of call has its own.
    pub class: &'static str,
    /// Calls in a window.
    pub limit: u64,
    /// Calls that are left of them.
    pub remaining: u64,
    /// When the next window begins; past, if nothing was asked since.
    pub reset: String,
}

impl Host {
    fn of(host: &Upstream, now: Timestamp) -> Self {
        let (health, why) = match host.health() {
            Health::Well => ("well", None),
            Health::Down(why) => ("down", Some(why)),
            Health::Refused(why) => ("refused", Some(why)),
        };
        let tally = host.tally();
        let (calls, failures) = tally.counts();
        let rate = |(class, _, budget): (_, _, Option<Budget>)| {
            let budget = budget?;
            let (limit, remaining, reset) = (budget.limit, budget.left(now), budget.reset.to_string());
            Some(Rate { class, limit, remaining, reset })
        };
        let rates = tally.classes().filter_map(rate).collect();
        let readable = |text: String| clock::parse_spaced(&text).map_or(text, |at| at.to_string());
        let token_expires = host.token_expires().map(readable);
        Self { health, why, calls, failures, rates, token_expires }
    }

    /// A host of which nothing is known: no service runs.
    fn unknown() -> Self {
        Self { health: "well", why: None, calls: 0, failures: 0, rates: Vec::new(), token_expires: None }
    }
}

impl Engine {
    /// How things are.
    pub fn status(&self) -> Status {
        let now = Timestamp::now();
        let github = Host::of(self.github.host(), now);
        let sentry = Host::of(self.sentry.host(), now);
        let reasons = self.not_ready(&github, &sentry);
        let waits = self.lanes.waits();
        let mut status = self.state(|state| {
            let mut status = Status::of_state(state);
            status.waiting = waits.len();
            status.waits = waits.into_iter().take(SHOWN).map(|wait| Wait::of(wait, state)).collect();
            status
        });
        status.started = Some(self.started.to_string());
        status.sentry_org = self.settings().sentry_org.clone();
        status.ready = reasons.is_empty();
        status.reasons = reasons;
        status.warnings.extend(self.reloads.fault().into_iter().chain(self.audit.fault()));
        let (done, failed) = self.reloads.counts();
        status.reloads = ReloadsView { done, failed, fault: self.reloads.fault() };
        status.open_hints = self.lanes.counts().hints;
        status.audit_lost = self.audit.n_lost();
        let order = self.settings().identity.clone();
        for person in &mut status.unmatched {
            person.help = help::what_would_match(&person.login, &person.why, &order);
        }
        status.github = github;
        status.sentry = sentry;
        status.recovered = self.recovered().map(|(found, at)| RecoveredView {
            at: at.to_string(),
            taken: found.taken,
            skipped: found.skipped,
        });
        status.last_reconcile = self.last_reconcile().map(LastReconcile::of);
        self.add_what_arrived(&mut status, now);
        status.disk =
            self.journal.space().ok().map(|(used, free)| Disk { journal_bytes: used, free_bytes: free });
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
        status.hours = self.hours.until(now).into_iter().map(view).collect();
    }

    /// Why it is not known whose teams are mirrored, and what to do.
    pub fn why_no_organisation(&self) -> String {
        let health = self.github.host().health();
        match (self.told(), health, &self.settings().github_org) {
            (Some(told), ..) => told,
            (None, Health::Refused(why) | Health::Down(why), _) => format!("GitHub: {why}"),
            (None, Health::Well, Some(login)) => {
                format!("GitHub has not told yet who the organisation `{login}` is")
            }
            (None, Health::Well, None) => NOT_PINNED.into(),
        }
    }

    /// What keeps the mirror from being true, each with what to do.
    fn not_ready(&self, github: &Host, sentry: &Host) -> Vec<String> {
        let mut reasons = Vec::new();
        reasons.extend(self.fault());
        // A refusal is told with the hosts.
        if self.state(|state| state.org.is_none()) && github.health != "refused" {
            reasons.push(self.why_no_organisation());
        } else if self.state(|state| state.mode.is_none()) && github.is_well() {
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
        let well = github.is_well() && sentry.is_well() && self.pause().is_none();
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
        let deliveries = &state.deliveries;
        let newest = deliveries.queued().next_back().map(|delivery| delivery.at);
        let newest = deliveries.recent().map(|recent| recent.received).chain(newest).max();
        let mut status = Self {
            version: env!("CARGO_PKG_VERSION"),
            at: Timestamp::now().to_string(),
            started: None,
            headline: Headline::default(),
            ready: false,
            reasons: Vec::new(),
            warnings: Vec::new(),
            reloads: ReloadsView::default(),
            paused: state.paused.as_ref().map(PauseView::of),
            github_org: state.org.as_ref().map(|org| org.login.to_string()),
            sentry_org: String::new(),
            mode: state.mode.as_ref().map(|(mode, _)| *mode),
            queued: deliveries.n_queued(),
            oldest_queued: deliveries.queued().next().map(|delivery| delivery.at.to_string()),
            open_hints: 0,
            last_reconcile: None,
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
            unmatched: unmatched(state),
            recent: deliveries.recent().map(|recent| RecentView::of(recent, state)).collect(),
            last_delivery: newest.map(|at| at.to_string()),
            hours: Vec::new(),
            secret: None,
            disk: None,
            audit_lost: 0,
            github: Host::unknown(),
            sentry: Host::unknown(),
        };
        status.headline = status.tell(Timestamp::now());
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
            paused: last.paused,
            open: tally.open,
            written: tally.written,
            failed: tally.failed.into_iter().take(SHOWN).collect(),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.slug {
            Some(slug) => write!(f, "`{slug}` (GitHub team {})", self.team)?,
            None => write!(f, "GitHub team {}", self.team)?,
        }
        match &self.wants {
            Some(slug) => write!(f, " waits for the slug `{slug}`, which GitHub team {} has", self.waits_for),
            None => write!(f, " waits for the slug of GitHub team {}", self.waits_for),
        }
    }
}

impl Wait {
    /// Who waits for whom.
    pub(crate) fn of((team, on): (GithubTeamId, GithubTeamId), state: &State) -> Self {
        let bound = |team| state.teams.binding(team).map(|binding| binding.slug.to_string());
        let told = || find::told_slug(state, team).map(|slug| crate::escape::plain(slug.as_str(), 100));
        Self { team: team.0, slug: bound(team).or_else(told), waits_for: on.0, wants: bound(on) }
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
            login: crate::escape::plain(wanted.login.as_str(), 60),
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
