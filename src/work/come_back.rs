//! A GitHub team whose end was known, and that GitHub shows all the same. In read mode GitHub is the truth: the team is not
//! deleted, whatever was written down. A passing 404, or a deletion that was no deletion, must not end a team for good.
//!
//! Its Sentry team, where it was left or emptied, is followed again by its id; where it was deleted, it is made again
//! as `undo` does. Never put back: somebody who is known on GitHub and not in the team any more.

use std::collections::BTreeSet;

use super::members::note_seen;
use super::team_job::TeamJob;
use super::undo::Work;
use crate::hosts::github::facts::TeamFacts;
use crate::hosts::sentry::ids::TeamAt;
use crate::hosts::sentry::Team;
use crate::queue::job::Outcome;
use crate::state::ids::GithubUserId;
use crate::state::slug;
use crate::state::teams::Gone;
use crate::state::values::{Binding, Fate, Origin};
use crate::store::audit::deletions::{self, Deletion, Was};
use crate::work::apply::Apply;

/// Brings the team back if GitHub shows it. Whether it is there: a team that was not gone is.
pub fn run(job: &TeamJob, apply: &Apply) -> Result<bool, Outcome> {
    let Some(gone) = job.mirror.state(|state| state.teams.gone(job.team).cloned()) else { return Ok(true) };
    // A replica that lags still shows what was deleted a moment ago.
    if let Some(wait) = job.mirror.queue.end_settles_in(job.team, job.mirror.clock.now()) {
        return Err(Outcome::LookAgain("the team was deleted a moment ago".into(), wait));
    }
    let Some(facts) = job.truth().facts()? else { return apply.settle_restoring() };
    if job.is_left_out(Some(&facts.slug), None) {
        return Err(Outcome::Done("the team is left out by SYNC_TEAMS".into()));
    }
    let mut put_in = Vec::new();
    let follows = match &gone.was {
        Some(was) => follow_again(job, apply, &facts, (&gone, was), &mut put_in)?,
        None => false,
    };
    if !follows {
        // Whatever has its slug by now is for the rules that hold for every team; a new slug proves nothing.
        let slug = job.sentry_slug(&facts.slug);
        let apart = gone.was.as_ref().is_some_and(|was| was.slug != slug);
        apply.come_back(None, apart)?;
    }
    note_seen(job, &put_in);
    Ok(true)
}

/// From now on it follows this Sentry team, which is as it was left: what GitHub has changed meanwhile, slug or name, is for
/// another comparison.
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

/// Has it follow the Sentry team that it had followed, made again if need be. Whether there is one. `put_in`: whoever may
/// have been put into that.
fn follow_again(
    job: &TeamJob,
    apply: &Apply,
    facts: &TeamFacts,
    (gone, was): (&Gone, &Binding),
    put_in: &mut Vec<GithubUserId>,
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
    match deletion_of(job, was)? {
        Some(deletion) => make_again(job, apply, facts, &deletion, put_in),
        None => Ok(false),
    }
}

/// What the audit log knows of the deletion; nothing, if it is older than the log is kept.
fn deletion_of(job: &TeamJob, was: &Binding) -> Result<Option<Deletion>, Outcome> {
    let log = job.mirror.audit.log();
    let all = deletions::all(&log)
        .map_err(|error| Outcome::Later(format!("cannot read the audit log: {error}"), None))?;
    Ok(all.into_iter().find(|deletion| deletion.sentry == was.sentry))
}

/// Not if its slug is somebody else's by now.
fn make_again(
    job: &TeamJob,
    apply: &Apply,
    facts: &TeamFacts,
    deletion: &Deletion,
    put_in: &mut Vec<GithubUserId>,
) -> Result<bool, Outcome> {
    let members = job.truth().members()?;
    let Some(members) = members else {
        return Err(Outcome::Later("GitHub does not show the team's members yet".into(), None));
    };
    let members: BTreeSet<GithubUserId> = members.rows.into_iter().map(|person| person.id).collect();
    let Some(team) = apply.restore(deletion, true)? else { return Ok(false) };
    // Before its people and projects: whatever fails of them, another end of the team is an end of this one.
    follow(job, apply, facts, (&team, Origin::Created))?;
    put_in.extend(&members);
    let belongs = |was: &Was| {
        let user = job.mirror.state(|state| state.people.of_member(was.member));
        user.is_none_or(|user| members.contains(&user))
    };
    let report = Work { deletion, step: &|| (), belongs: &belongs }.give_back(job, apply, &team)?;
    for (what, lost) in [("denied to SENTRY_TOKEN", &report.denied), ("gone", &report.vanished)] {
        if !lost.is_empty() {
            log::warn!("team {}: could not give back projects, {what}: {}", job.team, lost.join(", "));
        }
    }
    Ok(true)
}
