//! Everything that is known about one team, as one value; the command `explain` prints it. It only reads: it records
//! nothing, and writes nothing to GitHub or Sentry.
//!
//! The part from the state and the audit log needs no calls; [`live`] asks GitHub and Sentry.

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
    /// Its slug on GitHub if that is known, otherwise the one in Sentry.
    pub slug: Option<String>,
    pub mode: Option<Mode>,
    pub binding: Option<BindingView>,
    /// Set once GitHub has deleted the team for good.
    pub gone: Option<GoneView>,
    /// The part of `SYNC_TEAMS` that leaves the team out.
    pub left_out: Option<String>,
    /// A change in Sentry that was begun and whose outcome is not known.
    pub under_way: Option<UnderWay>,
    /// Its members have not been compared yet, because its Sentry team is new to the mirror.
    pub is_unfilled: bool,
    /// The waits for a slug in which this team is one of the two sides.
    pub waits: Vec<Wait>,
    pub holds: Vec<Held>,
    /// GitHub reported that the team was deleted, and a guard put the deletion in Sentry on hold.
    #[serde(skip)]
    pub is_end_held: bool,
    pub queued: Vec<Queued>,
    pub delayed: Vec<Delayed>,
    pub failed: Vec<Failure>,
    pub wanted: Vec<Wanted>,
    pub audit: Vec<Value>,
    /// Both sides as they are now; `None` if they were not asked.
    pub look: Option<Look>,
    #[serde(skip)]
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Serialize)]
pub struct BindingView {
    #[serde(flatten)]
    pub at: Binding,
    /// When it began to follow the GitHub team, if the audit log still knows.
    pub since: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct GoneView {
    /// When the service handled the deletion.
    pub at: Shown,
    pub fate: Fate,
    /// The id to give to `undo`, if the mirror deleted a Sentry team.
    pub undo: Option<SentryTeamId>,
    /// The Sentry team that `undo` created in its place.
    pub back: Option<SentryTeamId>,
}

#[derive(Clone, Debug, Serialize)]
pub struct UnderWay {
    pub what: String,
    pub since: Shown,
}

#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// The name to give to `approve`.
    pub name: String,
    /// Its changes to this team.
    pub changes: Vec<String>,
    /// How many changes it has in all; `approve` decides all of them.
    pub n_changes: usize,
    pub rule: String,
    pub since: Shown,
    /// `approved` or `rejected`; `None` if undecided.
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

    /// Adds who waits for a slug, and why queued work is not done yet. Only a running service knows that.
    pub fn add_waits(&mut self, observer: &Observer) {
        let mirror = observer.mirror();
        let mut waits = mirror.queue.lanes.waits();
        waits.retain(|(team, on)| [*team, *on].contains(&self.team));
        self.waits = mirror.state(|state| waits.into_iter().map(|wait| Wait::of(wait, state)).collect());
        self.delayed = observer.add_attempts(&mut self.queued, &mut self.waits);
        self.delayed.retain(|delayed| delayed.team == Some(self.team.0));
    }

    /// Adds the last lines of the audit log, the start of the binding, and the id for `undo`.
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

    /// Adds the look at both sides. GitHub's slug is newer than the one in any delivery.
    pub fn add_look(&mut self, look: Look, settings: &Settings) {
        if let Some(shown) = &look.github {
            self.left_out = settings.teams.why_not(&GithubSlug::from(shown.slug.as_str()));
            self.slug = Some(shown.slug.clone());
        }
        self.look = Some(look);
    }

    /// Whether something needs to be done or decided.
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
