//! Makes a deleted team again, because a person wants it back or GitHub shows its team again. Like every other write:
//! intent, call, verdict, record and audit line, in this order. [`Apply::restore`] binds it to no GitHub team.

use super::Apply;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::sentry::ids::TeamAt;
use crate::hosts::sentry::{Created, Linked, Team, Written};
use crate::queue::job::Outcome;
use crate::state::ids::SentryTeamId;
use crate::state::record::Record;
use crate::state::slug;
use crate::state::values::{Intent, Origin};
use crate::store::audit::deletions::Deletion;
use crate::store::audit::Entry;

/// The result of giving a team one of its projects back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkedBack {
    Done,
    /// The project no longer exists.
    Missing,
    /// The token lacks the permission.
    Denied,
}

impl Apply<'_> {
    /// Whether an earlier attempt to restore this very team is unfinished.
    pub fn is_restoring(&self, deletion: &Deletion) -> bool {
        self.mirror.state(|state| match state.teams.intent(self.team) {
            Some((Intent::Restoring { sentry, .. }, _)) => *sentry == deletion.sentry,
            _ => false,
        })
    }

    /// Makes a deleted team again, with its slug and name. The intent stays open until [`Apply::drop_intent`], because
    /// people and projects are part of it. After an attempt whose outcome is unknown, a newer team with this slug and
    /// name is the one that it made. `None` if somebody else has the slug. `shown`: GitHub shows the team again.
    pub fn restore(&self, deletion: &Deletion, shown: bool) -> Result<Option<Team>, Outcome> {
        let permit = self.mirror.may_write()?;
        let (at, name) = (&deletion.slug, slug::display_name(&deletion.name, &deletion.slug));
        let earlier = self.is_restoring(deletion);
        match self.look(at)? {
            Some(team) if earlier && self.is_made_by_us(&team, deletion.sentry, &name) => {
                return self.restored(team, deletion)
            }
            Some(_) if earlier => return self.drop_intent().map(|()| None),
            Some(_) => return Ok(None),
            None => {}
        }
        if !earlier {
            let (sentry, slug, name) = (deletion.sentry, at.clone(), name.as_str().into());
            if !self.intend(at, Intent::Restoring { sentry, slug, name, shown })? {
                return Ok(None);
            }
        }
        let entry = Entry { slug: Some(at.clone()), ..self.entry("bring back team") };
        let entry = entry.because(format!("in the place of Sentry team {}", deletion.sentry));
        let written = self.mirror.sentry.create_team(&permit, at, &name);
        let Written { outcome, exchange } =
            written.map_err(|trouble| self.trouble(entry.clone(), trouble, earlier))?;
        let now = if let Created::New(team) = &outcome { Some(team.id) } else { None };
        self.mirror.audit.write(Entry { sentry_team: now, ..entry }.exchange(&exchange));
        match outcome {
            Created::New(team) => self.restored(team, deletion),
            // By the earlier attempt, whose team is visible only now, or by somebody else.
            Created::Taken => {
                let by_us = |team: &Team| earlier && self.is_made_by_us(team, deletion.sentry, &name);
                match self.look(at)?.filter(by_us) {
                    Some(team) => self.restored(team, deletion),
                    None => self.drop_intent().map(|()| None),
                }
            }
        }
    }

    /// GitHub no longer shows a team that was being restored because it did. If the Sentry team was made, it is
    /// followed, so that it ends like any other. If not, it is no longer made. Returns whether the team has one again.
    pub fn settle_restoring(&self) -> Result<bool, Outcome> {
        let intent =
            self.mirror.state(|state| state.teams.intent(self.team).map(|(intent, _)| intent.clone()));
        let Some(Intent::Restoring { sentry, slug, name, shown: true }) = intent else { return Ok(false) };
        let there = match self.mirror.state(|state| state.teams.restored(sentry)) {
            Some(id) => self.look_for(TeamAt { id, slug: &slug })?,
            None => self.look(&slug)?.filter(|team| self.is_made_by_us(team, sentry, &name)),
        };
        let Some(team) = there else {
            self.drop_intent()?;
            self.mirror.queue.moved(self.team);
            return Ok(false);
        };
        self.come_back(Some((&team, Origin::Created)), false)?;
        self.mirror.queue.ask_for_reconcile();
        Ok(true)
    }

    /// Whether the service made this team in the place of the deleted one.
    fn is_made_by_us(&self, team: &Team, deleted: SentryTeamId, name: &str) -> bool {
        let follows = self.mirror.state(|state| state.teams.of_sentry(team.id));
        // Ids grow: a team that existed at the deletion is somebody else's.
        follows.is_none() && team.id > deleted && team.name == name
    }

    fn restored(&self, team: Team, deletion: &Deletion) -> Result<Option<Team>, Outcome> {
        self.mirror.keep(Record::Restored { deleted: deletion.sentry, now: team.id })?;
        log::info!("team {}: brought back Sentry team `{}` ({})", self.team, team.slug, team.id);
        self.mirror.queue.hear_making(self.team, self.cause.is_comparison());
        Ok(Some(team))
    }

    /// Gives this team a project that the deleted one had.
    pub fn give_project_back(&self, project: &str, team: &Team) -> Result<LinkedBack, Outcome> {
        let permit = self.mirror.may_write()?;
        let (slug, sentry_team) = (Some(team.slug.clone()), Some(team.id));
        let entry = Entry { slug, sentry_team, ..self.entry("link project") };
        let entry = entry.because(format!("the deleted team had `{project}`"));
        match self.mirror.sentry.link_project(&permit, project, team.at()) {
            Ok(Written { outcome, exchange }) => {
                self.mirror.audit.write(entry.exchange(&exchange));
                Ok(match outcome {
                    Linked::Done => LinkedBack::Done,
                    Linked::Missing => LinkedBack::Missing,
                })
            }
            // The host is not paused for this, because the service touches projects only to restore a team.
            Err(trouble @ Trouble { kind: TroubleKind::Denied, .. }) => {
                self.tell(entry, &trouble);
                Ok(LinkedBack::Denied)
            }
            Err(trouble) => {
                self.tell(entry, &trouble);
                Err(self.mirror.sentry_trouble(trouble))
            }
        }
    }
}
