//! Links CODEOWNERS' name of a team to its Sentry team. Trouble with that never stops the work on a team or its people.

use std::time::Duration;

use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::sentry::external::{ExternalTeam, Integration};
use crate::hosts::sentry::links::OwnerLinked;
use crate::queue::job::Outcome;
use crate::queue::part::Effect;
use crate::state::holds::HeldChange;
use crate::state::ids::{GithubSlug, GithubTeamId, Login, OwnerName};
use crate::state::record::Record;
use crate::state::values::{Binding, Mode};
use crate::work::apply::link::Refused;
use crate::work::apply::Apply;
use crate::work::link_step::{is_ours, may_take, step, LinkStep};
use crate::work::mirror::Mirror;
use crate::work::owners::{self, Claim};
use crate::work::team_job::TeamJob;

/// How long a team waits for another one to give up the name.
const GIVEN_UP: Duration = Duration::from_secs(2);

/// The rows that a comparison has read, so that they need not be read again.
pub type Rows<'a> = Option<&'a [ExternalTeam]>;

/// Links the team's name on GitHub to its Sentry team, if links are wanted. `patient`: this is the first try.
pub fn follow(
    job: &TeamJob,
    apply: &Apply,
    binding: &Binding,
    slug: &GithubSlug,
    patient: bool,
    seen: Rows,
) -> Result<Effect, Outcome> {
    let mirror = job.mirror;
    let wanted = OwnerName::of(&job.org.login, slug).filter(|_| mirror.settings().links);
    let Some(name) = wanted else { return Ok(Effect::Nothing) };
    // If the service has a row with this name that is not among them, not everything was read.
    let is_seen = |row| seen.is_some_and(|rows| rows.iter().any(|seen| seen.id == row));
    let (is_known, has_moved, is_whole) = mirror.state(|state| {
        let known = || state.teams.links.of(job.team).map(|(_, known)| known);
        (
            known().any(|known| *known == name),
            known().any(|known| known.org() != name.org()),
            state.teams.links.rows().all(|(_, row, known)| *known != name || is_seen(row)),
        )
    });
    // An event need not ask again about a name that was found elsewhere a moment ago; a comparison has just read it. A
    // new login of the organisation changes all names: where there are comparisons, a person has to approve that.
    let is_told = mirror.owners.was_elsewhere(&name, &mirror.clock) || has_moved && job.mode == Mode::Read;
    if is_known || seen.is_none() && is_told || mirror.owners.barred(&mirror.clock).is_some() {
        return Ok(Effect::Nothing);
    }
    let read;
    // Rows that were read before a wait are outdated.
    let rows = match seen.filter(|_| patient && is_whole) {
        Some(rows) => rows,
        None => {
            read = read_rows(job, binding, &name, patient)?;
            &read
        }
    };
    Way { job, apply, binding, name: &name, patient }.walk(rows, !patient)
}

impl Mirror {
    /// The integration with this organisation. If Sentry does not list integrations, the known `rows` may show it.
    /// `None` if none can be found, which is logged.
    ///
    /// # Errors
    /// Sentry could not be asked.
    pub fn integration(&self, org: &Login, rows: &[ExternalTeam]) -> Result<Option<Integration>, Trouble> {
        let (known, barred) = (self.owners.integration(), self.owners.barred(&self.clock));
        if known.is_some() || barred.is_some() {
            return Ok(known);
        }
        let settings = self.settings();
        let found = match settings.integration {
            Some(id) => Ok(owners::of_setting(id, &settings.github_url)),
            None => {
                let listed = self.sentry.integrations()?;
                let ours =
                    |row: &&ExternalTeam| self.state(|state| state.teams.links.owner(row.id).is_some());
                let rows = owners::Rows { ours: rows.iter().filter(ours).collect(), all: rows };
                owners::choose(listed.as_deref(), &rows, &owners::domain(&settings.github_url, org), org)
            }
        };
        Ok(self.owners.learn(found, &self.clock))
    }
}

/// Reads the rows that decide. Older Sentry would give a name to two teams, so all rows are read if the token may list
/// them. Newer Sentry has each name once in the organisation and shows another team's row in its answer to a write. So
/// only the rows of teams that may have one are read.
fn read_rows(
    job: &TeamJob,
    binding: &Binding,
    name: &OwnerName,
    patient: bool,
) -> Result<Vec<ExternalTeam>, Outcome> {
    let mirror = job.mirror;
    if !mirror.sentry.ids().are_taken() {
        if let Some(rows) = mirror.sentry.links().map_err(|trouble| mirror.sentry_trouble(trouble))? {
            return Ok(rows);
        }
    }
    let (has_row, other) = mirror.state(|state| {
        let links = &state.teams.links;
        let other = links.iter().find(|(team, _, known)| *known == name && *team != job.team);
        (links.iter().any(|(team, ..)| team == job.team), other.map(|(team, ..)| team))
    });
    let mut rows = if has_row { rows_at(mirror, binding)?.unwrap_or_default() } else { Vec::new() };
    if let Some(other) = other {
        rows.extend(rows_of_other(mirror, other, name, patient)?);
    }
    Ok(rows)
}

/// The rows of another team that the name may still belong to. If teams are addressed by slug, a team that is being
/// renamed seems to have no rows, and older Sentry would then give the name to both teams.
fn rows_of_other(
    mirror: &Mirror,
    other: GithubTeamId,
    name: &OwnerName,
    patient: bool,
) -> Result<Vec<ExternalTeam>, Outcome> {
    let bound = || mirror.state(|state| state.teams.binding(other).cloned());
    let Some(binding) = bound() else { return Ok(Vec::new()) };
    match rows_at(mirror, &binding)? {
        Some(rows) => Ok(rows),
        None if patient || bound().is_some_and(|now| now.slug != binding.slug) => Err(changing(name)),
        None => Ok(Vec::new()),
    }
}

/// A team's rows; `None` if the team is not where it was last seen.
fn rows_at(mirror: &Mirror, binding: &Binding) -> Result<Option<Vec<ExternalTeam>>, Outcome> {
    let found = mirror.sentry.team_with_links(binding.at());
    Ok(found.map_err(|trouble| mirror.sentry_trouble(trouble))?.map(|(_, rows)| rows))
}

fn changing(name: &OwnerName) -> Outcome {
    Outcome::Later(format!("the link of `{name}` is changing"), Some(GIVEN_UP))
}

/// The work of linking one name to one team.
struct Way<'a> {
    job: &'a TeamJob<'a>,
    apply: &'a Apply<'a>,
    binding: &'a Binding,
    name: &'a OwnerName,
    patient: bool,
}

impl Way<'_> {
    /// Does what the rows ask for. If another team's row got its new name while the rows were read, they show it under
    /// its old name, as if somebody had given it that name by hand. If `again`, the rows are then read once more.
    fn walk(&self, rows: &[ExternalTeam], again: bool) -> Result<Effect, Outcome> {
        let mirror = self.job.mirror;
        // The service may know these rows only by their names, which are about to change. So it records their ids.
        let is_own = |row: &&ExternalTeam| {
            row.team == self.binding.sentry && mirror.state(|state| is_ours(state, row))
        };
        rows.iter().filter(is_own).for_each(|row| self.learn(row));
        let is_the_mirrors =
            |row: &ExternalTeam| mirror.state(|state| state.teams.links.owner(row.id).is_some());
        let all: Vec<_> = rows.iter().collect();
        match mirror.state(|state| step(state, self.name, self.binding.sentry, &all)) {
            LinkStep::Keep(row) => {
                self.learn(row);
                Ok(Effect::Nothing)
            }
            LinkStep::Rename(row) => self.rename(row, rows),
            LinkStep::Take(row) => self.take(row),
            LinkStep::Make => self.make(rows),
            LinkStep::Conflict(row) if again && is_the_mirrors(row) => {
                self.walk(&read_rows(self.job, self.binding, self.name, false)?, false)
            }
            LinkStep::Conflict(row) => self.leave(row),
        }
    }

    fn learn(&self, row: &ExternalTeam) {
        let team = self.job.team;
        if !self.job.mirror.state(|state| state.teams.links.has(team, row.id, &row.name)) {
            let (row, name) = (row.id, row.name.clone());
            self.job.mirror.journal.note(Record::Linked { team, row, name });
        }
    }

    fn rename(&self, row: &ExternalTeam, rows: &[ExternalTeam]) -> Result<Effect, Outcome> {
        let Some(_claim) = self.claim(row) else { return Err(changing(self.name)) };
        match self.relink(row, format!("from `{}`", row.name))? {
            Some(OwnerLinked::Row(row)) => self.took(&row),
            // Sentry's answer to making the link shows who has the name.
            Some(OwnerLinked::Taken | OwnerLinked::Missing) => self.make(rows),
            None => Ok(Effect::Nothing),
        }
    }

    fn make(&self, rows: &[ExternalTeam]) -> Result<Effect, Outcome> {
        let mirror = self.job.mirror;
        let with = mirror.integration(&self.job.org.login, rows);
        let Some(with) = with.map_err(|trouble| mirror.sentry_trouble(trouble))? else {
            return Ok(Effect::Nothing);
        };
        let meant = self.apply.mean(self.name);
        match self.written(meant.and_then(|()| self.apply.link(self.binding, self.name, &with)))? {
            Some(OwnerLinked::Row(row)) if row.team == self.binding.sentry => self.took(&row),
            Some(OwnerLinked::Row(row)) if mirror.state(|state| may_take(state, &row)) => self.take(&row),
            Some(OwnerLinked::Row(row)) => self.leave(&row),
            Some(OwnerLinked::Taken | OwnerLinked::Missing) | None => Ok(Effect::Nothing),
        }
    }

    /// The other team usually gives the name up in a moment. In a circle no team would, so a retry takes it.
    fn take(&self, row: &ExternalTeam) -> Result<Effect, Outcome> {
        let mirror = self.job.mirror;
        let owner = mirror.state(|state| state.teams.of_sentry(row.team));
        if let Some(owner) = owner.filter(|owner| self.patient && *owner != self.job.team) {
            mirror.queue.ask_owner(owner);
            let why = format!("`{}` is still linked to the Sentry team of GitHub team {owner}", self.name);
            return Err(Outcome::Later(why, Some(GIVEN_UP)));
        }
        let Some(_claim) = self.claim(row) else { return Err(changing(self.name)) };
        match self.relink(row, format!("from Sentry team {}", row.team))? {
            Some(OwnerLinked::Row(row)) => self.took(&row),
            Some(OwnerLinked::Taken | OwnerLinked::Missing) | None => Ok(Effect::Nothing),
        }
    }

    fn relink(&self, row: &ExternalTeam, why: String) -> Result<Option<OwnerLinked>, Outcome> {
        let meant = self.apply.mean(self.name);
        self.written(meant.and_then(|()| self.apply.relink(self.binding, row, self.name, why)))
    }

    /// Reserves the row, if nobody else is changing it or has changed it since it was read.
    fn claim(&self, row: &ExternalTeam) -> Option<Claim<'_>> {
        let claim = self.job.mirror.owners.claim(row.id)?;
        self.job.mirror.state(|state| may_take(state, row)).then_some(claim)
    }

    fn took(&self, row: &ExternalTeam) -> Result<Effect, Outcome> {
        self.learn(row);
        self.job.not_due(|change| matches!(change, HeldChange::Link { .. }));
        Ok(Effect::Written)
    }

    /// Leaves somebody else's row alone. If it is a row of the service that is being renamed right now, waits instead.
    fn leave(&self, row: &ExternalTeam) -> Result<Effect, Outcome> {
        let mirror = self.job.mirror;
        if self.patient && mirror.state(|state| state.teams.links.owner(row.id).is_some()) {
            return Err(changing(self.name));
        }
        if !mirror.owners.is_elsewhere(row, &mirror.clock) {
            return Ok(Effect::Nothing);
        }
        log::warn!(
            "team {}: `{}` in CODEOWNERS is linked to Sentry team {}, which is none of the mirror's doing, and stays so: change \
             or delete that mapping in Sentry",
            self.job.team,
            self.name,
            row.team
        );
        Ok(Effect::Nothing)
    }

    /// Handles a refused link. The refusal may concern all links, this link, or the token.
    fn written<T>(&self, answer: Result<T, Refused>) -> Result<Option<T>, Outcome> {
        let trouble = match answer {
            Ok(written) => return Ok(Some(written)),
            Err(Refused::Outcome(outcome)) => return Err(outcome),
            Err(Refused::Trouble(trouble)) => trouble,
        };
        let mirror = self.job.mirror;
        match trouble.kind {
            // A single refusal may come from a proxy on the way.
            TroubleKind::Denied | TroubleKind::Never if self.patient => {
                return Err(Outcome::Later(trouble.to_string(), Some(GIVEN_UP)))
            }
            TroubleKind::Denied if trouble.sufficient_scopes.is_empty() => mirror.owners.bar(
                format!(
                    "Sentry's plan has no code owners, or SENTRY_TOKEN lacks team:write: take the Business plan, set Team to Admin \
                     in the integration's permissions, or set SYNC_CODEOWNERS=never ({trouble})"
                ),
                &mirror.clock,
            ),
            TroubleKind::Never => mirror.owners.bar(
                format!("Sentry refuses a link: see whether SYNC_CODEOWNERS_INTEGRATION is right ({trouble})"),
                &mirror.clock,
            ),
            _ => return Err(mirror.sentry_trouble(trouble)),
        }
        Ok(None)
    }
}
