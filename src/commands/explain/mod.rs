//! Everything that is known of one team, as one value: the command `explain` is a view of it. Looks only: nothing is
//! recorded and nothing is written, on either side.
//!
//! What the state and the audit log tell needs nothing else; [`live`] asks both sides.

pub mod answer;
pub mod live;
mod text;

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::clock::Shown;
use crate::config::Settings;
use crate::state::holds::{Decision, HeldChange};
use crate::state::ids::{GithubSlug, GithubTeamId, GithubUserId, SentryTeamId};
use crate::state::values::{Binding, Delivery, Fate, Intent, Mode};
use crate::state::{names, people, slug, State};
use crate::status::{Delayed, Failure, Observer, Queued, Wait};
use crate::store::audit::read::{Line, Log};
use live::Look;

/// How many of the last lines of the audit log are shown.
const LINES: usize = 5;

#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub team: GithubTeamId,
    /// What it is called: its slug on GitHub where that is known, else in Sentry.
    pub slug: Option<String>,
    pub mode: Option<Mode>,
    pub binding: Option<BindingView>,
    /// GitHub has deleted it, for good.
    pub gone: Option<GoneView>,
    /// `SYNC_TEAMS` leaves it out: what of it does.
    pub left_out: Option<String>,
    /// A change in Sentry that was begun, and whose end is not known.
    pub under_way: Option<UnderWay>,
    /// Its people are still to be looked at, because its Sentry team is new to the mirror.
    pub is_unfilled: bool,
    /// Who waits for whose slug, where it is one of both.
    pub waits: Vec<Wait>,
    pub holds: Vec<Held>,
    /// Whether GitHub has told its end, and a guard stops that.
    #[serde(skip)]
    pub is_end_held: bool,
    pub queued: Vec<Queued>,
    pub delayed: Vec<Delayed>,
    pub failed: Vec<Failure>,
    pub wanted: Vec<Wanted>,
    pub audit: Vec<Value>,
    /// What both sides show now; `None` where nobody was asked.
    pub look: Option<Look>,
    #[serde(skip)]
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Serialize)]
pub struct BindingView {
    #[serde(flatten)]
    pub at: Binding,
    /// Since when it follows, if the audit log still knows.
    pub since: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct GoneView {
    /// When it was dealt with.
    pub at: Shown,
    pub fate: Fate,
    /// What `undo` takes, if the mirror deleted a Sentry team.
    pub undo: Option<SentryTeamId>,
    /// The Sentry team that `undo` has made in its place.
    pub back: Option<SentryTeamId>,
}

#[derive(Clone, Debug, Serialize)]
pub struct UnderWay {
    pub what: String,
    pub since: Shown,
}

#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// What `approve` takes.
    pub name: String,
    /// What of it concerns the team.
    pub changes: Vec<String>,
    /// How many changes it has in all: `approve` decides about all of them.
    pub n_changes: usize,
    pub rule: String,
    pub since: Shown,
    /// `approved`, `rejected`, or not yet decided.
    pub decision: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Wanted {
    pub login: String,
    pub id: u64,
    pub why: String,
    pub since: Shown,
}

impl Explanation {
    pub fn of_state(state: &State, settings: &Settings, team: GithubTeamId) -> Self {
        let told = names::told_slug(state, team);
        let binding = state.teams.binding(team);
        let own = binding.map(|binding| slug::on_github(&binding.slug, &settings.slug_prefix));
        let is_about = |delivery: &Delivery| delivery.event.team().is_some_and(|known| known.id == team);
        let held = state.holds.of_team(team).map(|hold| {
            let changes = hold.changes.iter().filter(|change| change.team() == Some(team));
            Held {
                name: hold.name.to_string(),
                changes: changes.map(ToString::to_string).collect(),
                n_changes: hold.changes.len(),
                rule: hold.rule.to_string(),
                since: hold.at.into(),
                decision: hold.decision.map(Decision::word),
            }
        });
        let is_deletion = |change: &HeldChange| matches!(change, HeldChange::Delete { .. });
        let queued = state.deliveries.queued().filter(|delivery| is_about(delivery));
        let failed = state.deliveries.failed().filter(|failure| is_about(&failure.delivery));
        let gone = state.teams.gone(team);
        let under_way = state.teams.intent(team);
        Self {
            team,
            slug: told.as_ref().or(own.as_ref()).map(ToString::to_string),
            mode: state.mode.as_ref().map(|(mode, _)| *mode),
            left_out: told.or(own).and_then(|slug| settings.teams.why_not(&slug)),
            binding: binding.map(|binding| BindingView { at: binding.clone(), since: None }),
            gone: gone.map(|gone| GoneView { at: gone.at.into(), fate: gone.fate, undo: None, back: None }),
            under_way: under_way
                .map(|(intent, since)| UnderWay { what: what_is_begun(intent), since: (*since).into() }),
            is_unfilled: state.teams.is_unfilled(team),
            waits: Vec::new(),
            holds: held.collect(),
            is_end_held: state.holds.changes_of(team).any(is_deletion),
            queued: queued.map(|delivery| Queued::of(delivery)).collect(),
            delayed: Vec::new(),
            failed: failed.map(Failure::of).collect(),
            wanted: wanted(state, team),
            audit: Vec::new(),
            look: None,
            lines: Vec::new(),
        }
    }

    /// Who waits for whom, and why what is queued is not done yet, which only a running service knows.
    pub fn add_waits(&mut self, observer: &Observer) {
        let mirror = observer.mirror();
        let mut waits = mirror.queue.lanes.waits();
        waits.retain(|(team, on)| [*team, *on].contains(&self.team));
        self.waits = mirror.state(|state| waits.into_iter().map(|wait| Wait::of(wait, state)).collect());
        self.delayed = observer.add_attempts(&mut self.queued, &mut self.waits);
        self.delayed.retain(|delayed| delayed.team == Some(self.team.0));
    }

    /// What the audit log tells: the last lines, since when the binding holds, and what `undo` takes.
    pub fn add_audit(&mut self, state_dir: &Path) -> io::Result<()> {
        let mut last: VecDeque<(Value, Line)> = VecDeque::new();
        Log::of(state_dir).each(None, &mut |text, line| {
            if line.team != Some(self.team) {
                return Ok(());
            }
            let begins = ["create team", "adopt team"].contains(&line.decision.as_str());
            if let Some(binding) =
                self.binding.as_mut().filter(|b| begins && line.sentry_team == Some(b.at.sentry))
            {
                binding.since = Some(line.at.clone());
            }
            if let Some(gone) = self.gone.as_mut().filter(|_| line.decision == "will delete team") {
                gone.undo = line.sentry_team;
            }
            if last.len() == LINES {
                last.pop_front();
            }
            last.push_back((serde_json::from_slice(text.as_bytes())?, line.clone()));
            Ok(())
        })?;
        (self.audit, self.lines) = last.into_iter().unzip();
        if let Some(gone) = self.gone.as_mut().filter(|gone| gone.fate != Fate::Deleted) {
            gone.undo = None;
        }
        if self.slug.is_none() {
            self.slug = self.lines.iter().rev().find_map(|line| line.slug.clone());
        }
        Ok(())
    }

    /// What both sides show. GitHub's slug is newer than what any delivery has told.
    pub fn add_look(&mut self, look: Look, settings: &Settings) {
        if let Some(shown) = &look.github {
            self.left_out = settings.teams.why_not(&GithubSlug::from(shown.slug.as_str()));
            self.slug = Some(shown.slug.clone());
        }
        self.look = Some(look);
    }

    /// Whether something is to be done, or waits for a person.
    pub fn has_news(&self) -> bool {
        let undecided = self.holds.iter().any(|hold| hold.decision.is_none());
        let waits = self.waits.iter().any(|wait| wait.team == self.team.0);
        undecided
            || waits
            || !self.queued.is_empty()
            || !self.delayed.is_empty()
            || !self.failed.is_empty()
            || self.look.as_ref().is_some_and(|look| look.differs)
    }
}

fn what_is_begun(intent: &Intent) -> String {
    match intent {
        Intent::Creating { slug, .. } => format!("creating Sentry team `{slug}`"),
        Intent::Renaming { from, to, .. } => format!("renaming Sentry team `{from}` to `{to}`"),
        Intent::Deleting { sentry, slug } => format!("deleting Sentry team `{slug}` ({sentry})"),
        Intent::Restoring { sentry, slug, .. } => {
            format!("restoring Sentry team `{slug}`; to continue: sentry-team-sync undo {sentry}")
        }
    }
}

fn wanted(state: &State, team: GithubTeamId) -> Vec<Wanted> {
    let in_it = state.people.wanted().filter(|(_, wanted)| wanted.teams.contains(&team));
    let view = |(user, wanted): (GithubUserId, &people::Wanted)| Wanted {
        login: wanted.login.to_string(),
        id: user.0,
        why: wanted.why.to_string(),
        since: wanted.since.into(),
    };
    in_it.map(view).collect()
}
