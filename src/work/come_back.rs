//! Brings back a GitHub team whose end was recorded, but that GitHub shows all the same. In read mode GitHub is right,
//! whatever was recorded: a passing 404, or a deletion that did not happen, must not end a team for good.
//!
//! If its Sentry team was left alone or emptied, the team follows it again by its id. If it was deleted, it is made
//! again as `undo` does. Somebody who is known on GitHub and is not in the team any more is never put back.

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
    let mut put_in = Vec::new();
    let follows = match &gone.was {
        Some(was) => follow_again(job, apply, &facts, (&gone, was), &mut put_in)?,
        None => false,
    };
    if !follows {
        // The usual rules decide about a Sentry team that has its slug by now. A slug that has changed proves nothing.
        let slug = job.sentry_slug(&facts.slug);
        let apart = gone.was.as_ref().is_some_and(|was| was.slug != slug);
        apply.come_back(None, apart)?;
    }
    note_seen(job, &put_in);
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

/// Makes the team follow its previous Sentry team, which is made again if necessary. Returns whether there is one. Adds
/// the people who may have been put into it to `put_in`.
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

/// The deletion as the audit log has it; `None` if it is older than the log is kept.
fn deletion_of(job: &TeamJob, was: &Binding) -> Result<Option<Deletion>, Outcome> {
    let log = job.mirror.audit.log();
    let all = deletions::all(&log)
        .map_err(|error| Outcome::Later(format!("cannot read the audit log: {error}"), None))?;
    Ok(all.into_iter().find(|deletion| deletion.sentry == was.sentry))
}

/// Makes the deleted Sentry team again. `false` if somebody else has its slug by now.
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
    // Done before people and projects: if these fail, a new end of the GitHub team has to end this Sentry team too.
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
