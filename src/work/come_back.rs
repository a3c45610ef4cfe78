//! Brings back a GitHub team whose end was recorded, but that GitHub shows all the same. In read mode GitHub is right,
//! whatever was recorded: a passing 404, or a deletion that did not happen, must not end a team for good.
//!
//! If its Sentry team was left alone or emptied, the team follows it again by its id. If it was deleted, it is made
//! again as `undo` does. Somebody who is known on GitHub and is not in the team any more is never put back.

use super::members::note_seen;
use super::team_job::TeamJob;
use super::undo::Work;
use crate::hosts::github::facts::TeamFacts;
use crate::hosts::sentry::ids::TeamAt;
use crate::hosts::sentry::Team;
use crate::queue::job::Outcome;
use crate::state::ids::{GithubUserId, SentryTeamId};
use crate::state::slug;
use crate::state::teams::Gone;
use crate::state::values::{Binding, Fate, Mode, Origin};
use crate::store::audit::deletions::{self, Deletion, Was};
use crate::work::apply::Apply;

/// Brings the team back if GitHub shows it. Returns whether the team exists; one that had not ended does.
pub fn run(job: &TeamJob, apply: &Apply) -> Result<bool, Outcome> {
    let Some(gone) = job.mirror.state(|state| state.teams.gone(job.team).cloned()) else { return Ok(true) };
    // A lagging replica still shows a team that was deleted a moment ago.
    if let Some(wait) = job.mirror.queue.end_settles_in(job.team, job.mirror.clock.now()) {
        return Err(Outcome::LookAgain("the team was deleted a moment ago".into(), wait));
    }
    let Some(facts) = job.truth().facts()? else { return apply.settle_restoring() };
    if job.is_left_out(Some(&facts.slug), None) {
        return Err(Outcome::Done("the team is left out by SYNC_TEAMS".into()));
    }
    let follows = match &gone.was {
        Some(was) => follow_again(job, apply, &facts, (&gone, was))?,
        None => false,
    };
    if !follows {
        // The usual rules decide about a Sentry team that has its slug by now. A slug that has changed proves nothing.
        let slug = job.sentry_slug(&facts.slug);
        let apart = gone.was.as_ref().is_some_and(|was| was.slug != slug);
        apply.come_back(None, apart)?;
    }
    Ok(true)
}

/// Makes the team follow this Sentry team, as that is now. If GitHub has changed slug or name meanwhile, another
/// comparison applies that.
fn follow(
    job: &TeamJob,
    apply: &Apply,
    facts: &TeamFacts,
    (team, origin): (&Team, Origin),
) -> Result<(), Outcome> {
    apply.come_back(Some((team, origin)), false)?;
    let slug = job.sentry_slug(&facts.slug);
    let named = origin != Origin::Created || team.name == slug::display_name(&facts.name, &slug);
    if team.slug != slug || !named {
        job.mirror.queue.ask_for_reconcile();
    }
    Ok(())
}

/// Makes the team follow its previous Sentry team, which is made again if necessary. Returns whether there is one.
fn follow_again(
    job: &TeamJob,
    apply: &Apply,
    facts: &TeamFacts,
    (gone, was): (&Gone, &Binding),
) -> Result<bool, Outcome> {
    let restored = job.mirror.state(|state| state.teams.restored(was.sentry));
    let id = restored.unwrap_or(was.sentry);
    let (at, was_deleted) =
        (TeamAt { id, slug: &was.slug }, gone.fate == Fate::Deleted && restored.is_none());
    let there = if was_deleted { apply.look_at(at)? } else { apply.look_for(at)? };
    if let Some(team) = there {
        let origin = if restored.is_some() { Origin::Created } else { was.origin };
        if !team.locked {
            follow(job, apply, facts, (&team, origin))?;
        }
        return Ok(!team.locked);
    }
    if !was_deleted {
        return Ok(false);
    }
    let Some(deletion) = deletion_of(job, was.sentry)? else { return Ok(false) };
    // `false` if somebody else has its slug by now.
    let Some(team) = apply.restore(&deletion, true)? else { return Ok(false) };
    follow(job, apply, facts, (&team, Origin::Created))?;
    Ok(true)
}

/// The deletion as the audit log has it; `None` if it is older than the log is kept.
fn deletion_of(job: &TeamJob, sentry: SentryTeamId) -> Result<Option<Deletion>, Outcome> {
    let log = job.mirror.audit.log();
    let all = deletions::all(&log)
        .map_err(|error| Outcome::Later(format!("cannot read the audit log: {error}"), None))?;
    Ok(all.into_iter().find(|deletion| deletion.sentry == sentry))
}

/// Gives a Sentry team that was made again what the deleted one had. The team follows it already, so that a new end of
/// the GitHub team ends it too. Every step can be repeated: it is done again until the team is filled, also after a
/// crash.
pub fn give_back(job: &TeamJob, apply: &Apply) -> Result<(), Outcome> {
    let unfilled = job.mirror.state(|state| {
        let binding = state.teams.binding(job.team).filter(|_| state.teams.is_unfilled(job.team))?;
        Some((binding.clone(), state.teams.made_in_place_of(binding.sentry)?))
    });
    let Some((binding, deleted)) = unfilled.filter(|_| job.mode == Mode::Read) else { return Ok(()) };
    let Some(deletion) = deletion_of(job, deleted)? else { return Ok(()) };
    let Some(team) = apply.look_at(binding.at())? else { return Ok(()) };
    let Some(members) = job.truth().members()? else {
        return Err(Outcome::Later("GitHub does not show the team's members yet".into(), None));
    };
    let members: Vec<GithubUserId> = members.rows.into_iter().map(|person| person.id).collect();
    let belongs = |was: &Was| {
        let user = job.mirror.state(|state| state.people.of_member(was.member));
        user.is_none_or(|user| members.contains(&user))
    };
    let report =
        Work { deletion: &deletion, step: &|| (), belongs: &belongs }.give_back(job, apply, &team)?;
    for (what, lost) in [("denied to SENTRY_TOKEN", &report.denied), ("gone", &report.vanished)] {
        if !lost.is_empty() {
            log::warn!("team {}: could not give back projects, {what}: {}", job.team, lost.join(", "));
        }
    }
    note_seen(job, &members);
    Ok(())
}
