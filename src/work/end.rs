//! The end of a GitHub team: decides what happens to its Sentry team, and does it.

use std::time::Duration;

use super::batch::TeamBatch;
use super::{bind, SECOND_LOOK};
use crate::config::DeleteTeams;
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::sentry::{Member, Removed, Team};
use crate::queue::job::{Hint, Outcome, Own};
use crate::state::holds::{Decision, HeldChange};
use crate::state::ids::{GithubSlug, MemberId};
use crate::state::slug;
use crate::state::values::{Binding, Fate, Mode};
use crate::work::apply::{Apply, Before, Cause, Moved};
use crate::work::guard;
use crate::work::hold::ask_approval;
use crate::work::step::{self, EndFacts, EndStep, Next};
use crate::work::team_job::TeamJob;

/// When to look again for a team that was not under its slug.
const FOUND_AGAIN: Duration = Duration::from_millis(200);

/// The result of ending a team.
pub enum End {
    /// The GitHub team no longer exists, whatever happened to its Sentry team.
    Over(Outcome),
    /// The end did not take place: GitHub still shows the team, or something failed.
    NotYet(Outcome),
}

impl End {
    /// The outcome for the deletion's own hints.
    pub fn for_the_deletion(&self) -> Outcome {
        match self {
            End::Over(outcome) | End::NotYet(outcome) => outcome.clone(),
        }
    }

    /// The outcome for other hints of a team that no longer exists.
    pub fn for_others(&self) -> Outcome {
        match self {
            End::Over(later @ Outcome::Later(..)) => later.clone(),
            _ => Outcome::Done("the team is deleted".into()),
        }
    }
}

/// Whether the team has to end: a delivery says so, or a person has decided about its deletion, which was on hold.
pub fn is_due(job: &TeamJob, folded: &TeamBatch) -> bool {
    !folded.ended.is_empty() || !folded.team.is_empty() && is_decided(job)
}

/// Whether the team's deletion is on hold, and nobody has decided yet.
pub fn is_held(job: &TeamJob) -> bool {
    held_deletion(job).is_some_and(|decision| decision.is_none())
}

/// Whether a person has decided about the team's deletion, and that decision has not been carried out yet.
pub fn is_decided(job: &TeamJob) -> bool {
    held_deletion(job).flatten().is_some()
}

/// The decision about this team's deletion, if any; the outer `None` if it is not on hold.
fn held_deletion(job: &TeamJob) -> Option<Option<Decision>> {
    let is_deletion = |change: &HeldChange| matches!(change, HeldChange::Delete { .. });
    job.mirror.state(|state| {
        let mut holds = state.holds.of_team(job.team);
        holds.find(|hold| hold.changes.iter().any(is_deletion)).map(|hold| hold.decision)
    })
}

/// Ends the team as `SYNC_DELETE_TEAMS` says. `otherwise` is the cause in the audit log if there is no hint.
/// `by_decision`: only a person's decision about its hold led here. If the hold is over by then, nothing happens.
pub fn run(job: &TeamJob, hint: Option<&Hint>, otherwise: &'static str, by_decision: bool) -> End {
    if let Err(outcome) = github_agrees(job, hint) {
        return End::NotYet(outcome);
    }
    let apply = job.apply_for(hint.map_or_else(|| Cause::own(otherwise), Cause::of));
    let slug = hint.and_then(Hint::slug);
    match end(job, &apply, slug, by_decision) {
        Err(outcome @ Outcome::Superseded(_)) => End::NotYet(outcome),
        ended => End::Over(ended.unwrap_or_else(|outcome| outcome)),
    }
}

/// Read mode: a signed deletion counts unless GitHub still shows the team.
fn github_agrees(job: &TeamJob, hint: Option<&Hint>) -> Result<(), Outcome> {
    if job.mode == Mode::Payload {
        return Ok(());
    }
    if job.truth().facts()?.is_none() {
        // GitHub also answers 404 for what a token may not see. So a 404 counts only if the token may read teams.
        return job.mirror.check_permission(&job.org);
    }
    match hint {
        Some(hint) if hint.looks == 0 => {
            Err(Outcome::LookAgain("GitHub still shows the deleted team".into(), SECOND_LOOK))
        }
        _ => {
            job.not_due(|change| matches!(change, HeldChange::Delete { .. }));
            Err(Outcome::Done("GitHub still shows the team; nothing was deleted".into()))
        }
    }
}

fn end(
    job: &TeamJob,
    apply: &Apply,
    slug: Option<&GithubSlug>,
    by_decision: bool,
) -> Result<Outcome, Outcome> {
    bind::resolve_without_making(job, apply)?;
    if job.fate() == Some(Fate::Deleted) {
        return Ok(Outcome::Done("the Sentry team was deleted".into()));
    }
    let children = job.mirror.tree.children(job.team);
    let outcome = match target(job, apply, slug)? {
        Some(binding) => end_bound(job, apply, &binding, slug, by_decision)?,
        None => {
            let fate = if slug.is_some() { Fate::Left } else { Fate::NotFound };
            apply.end("end team", "no Sentry team followed it", fate)?;
            Outcome::Done("the team is deleted; no Sentry team followed it".into())
        }
    };
    // GitHub doesn't promise that each child of a deleted parent gets an event of its own.
    if job.mode == Mode::Read {
        children.into_iter().for_each(|child| job.mirror.queue.look_at_team(child, Own::ParentIsDeleted));
    }
    Ok(outcome)
}

/// The Sentry team to end: the bound one. In payload mode, like the original, also a Sentry team that follows nobody
/// and has the team's slug. It doesn't count if the slug may be a coincidence: the GitHub team is newer than this
/// service, was renamed while the service ran, or there is a hold about taking that Sentry team over.
fn target(job: &TeamJob, apply: &Apply, slug: Option<&GithubSlug>) -> Result<Option<Binding>, Outcome> {
    if let Some(binding) = job.binding() {
        return Ok(Some(binding));
    }
    let Some(slug) = slug.filter(|_| job.mode == Mode::Payload) else { return Ok(None) };
    let settings = &job.mirror.settings();
    let apart = job.mirror.state(|state| state.is_in_question(job.team));
    if apart || !settings.teams.matches(slug) {
        return Ok(None);
    }
    let slug = job.sentry_slug(slug);
    if job.mirror.state(|state| state.teams.owner(&slug)).is_some() {
        return Ok(None);
    }
    // A team that was restored has only the slug in common with this one.
    let free = |team: &Team| {
        job.mirror.state(|state| {
            let follows = state.teams.of_sentry(team.id).is_some();
            !follows
                && !team.locked
                && !state.holds.is_disputed(team.id)
                && !state.teams.was_brought_back(team.id)
        })
    };
    match apply.look(&slug)?.filter(free) {
        Some(team) => apply.adopt(&team, "it has the slug of the deleted GitHub team").map(Some),
        None => Ok(None),
    }
}

fn end_bound(
    job: &TeamJob,
    apply: &Apply,
    binding: &Binding,
    slug: Option<&GithubSlug>,
    by_decision: bool,
) -> Result<Outcome, Outcome> {
    let change = HeldChange::Delete { team: job.team, sentry: binding.sentry, slug: binding.slug.clone() };
    let decision = job.mirror.state(|state| state.holds.decision(&change));
    if by_decision && decision.is_none() {
        // A comparison has found the team in the meantime, say. Without the decision, nothing asks for an end.
        return Err(Outcome::Superseded("its hold is over; nothing was deleted".into()));
    }
    let approved = decision.map(|decision| decision.approved);
    let is_left_out = job.is_left_out(slug, Some(binding));
    // Uses the settings of that moment: a reload may have come while the team was read.
    let next_of_end = |slug, shown| {
        let settings = &job.mirror.settings();
        step::next_of_end(&EndFacts { settings, slug, is_left_out, approved, shown })
    };
    let (mut there, mut next) = (None, next_of_end(&binding.slug, None));
    if next == Next::Read {
        there = read_bound(job, apply, binding)?;
        let slug = there.as_ref().map_or(&binding.slug, |(binding, _)| &binding.slug);
        next = next_of_end(slug, Some(there.as_ref().map(|(_, team)| team)));
    }
    match (next, &there) {
        (Next::Do(EndStep::Refused), _) => {
            apply.end("leave team", "its deletion was rejected", Fate::Left)?;
            let note = format!("deleting Sentry team `{}` was rejected; it is left alone", binding.slug);
            Ok(Outcome::Done(note))
        }
        (Next::Do(EndStep::Leave(why)), there) => {
            apply.end("leave team", &why, Fate::Left)?;
            let binding = there.as_ref().map_or(binding, |(binding, _)| binding);
            Ok(Outcome::Done(format!("Sentry team `{}` is left alone: {why}", binding.slug)))
        }
        (Next::Do(EndStep::Hold(rule)), _) => Ok(ask_approval(job, apply, change, rule)),
        (Next::Do(EndStep::Empty), Some((binding, _))) => empty(job, apply, binding),
        (Next::Do(EndStep::Delete), Some((binding, team))) => {
            delete(job, apply, binding, team, change, approved.is_some())
        }
        (Next::Do(EndStep::Gone), _) => {
            apply.end("end team", "its Sentry team was gone", Fate::Left)?;
            Ok(Outcome::Done("the team is deleted; its Sentry team was gone".into()))
        }
        (Next::End(outcome), _) => Ok(outcome),
        // A team that was not read is never changed.
        (Next::Do(EndStep::Empty | EndStep::Delete) | Next::Read, _) => Err(looked_for()),
    }
}

/// The bound team as Sentry shows it now, wherever its slug has gone; with projects unless teams are only emptied.
fn read_bound(job: &TeamJob, apply: &Apply, binding: &Binding) -> Result<Option<(Binding, Team)>, Outcome> {
    let mirror = job.mirror;
    let expand = mirror.settings().delete_teams != DeleteTeams::Empty;
    let read = |binding: &Binding| {
        let read = if expand {
            mirror.sentry.bound_with_projects(binding.at())
        } else {
            mirror.sentry.bound(binding.at())
        };
        let Some(team) = read.map_err(|trouble| mirror.sentry_trouble(trouble))? else { return Ok(None) };
        Ok::<_, Outcome>(Some((apply.follow_to(binding, &team)?, team)))
    };
    if let Some(found) = read(binding)? {
        return Ok(Some(found));
    }
    bind::find_again(job, apply, binding)?;
    match job.binding() {
        // It was followed, and renamed again since then. Look once more, instead of taking it to be gone.
        Some(binding) => read(&binding)?.map(Some).ok_or_else(looked_for),
        None => Ok(None),
    }
}

fn delete(
    job: &TeamJob,
    apply: &Apply,
    binding: &Binding,
    team: &Team,
    change: HeldChange,
    approved: bool,
) -> Result<Outcome, Outcome> {
    let members = match team.member_count {
        Some(0) => Vec::new(),
        _ => read_members(job, binding)?,
    };
    // Checked before anything is changed, because a held team must stay as it was.
    if let (Err(rule), false) = (judge(job), approved) {
        return Ok(ask_approval(job, apply, change, rule));
    }
    // `undo` gives the team these names back.
    let links = if job.mirror.settings().links { read_links(job, binding)? } else { Vec::new() };
    let binding = make_slug_deletable(job, apply, binding)?;
    match apply.delete(&binding, &Before { team, members: &members, links: &links }, approved)? {
        None => Ok(Outcome::Done(format!(
            "deleted Sentry team `{}`; to restore it: sentry-team-sync undo {}",
            team.slug, team.id
        ))),
        Some(rule) => Ok(ask_approval(job, apply, change, rule)),
    }
}

/// The guard's current verdict on one more deletion.
fn judge(job: &TeamJob) -> Result<(), String> {
    let now = job.mirror.clock.wall();
    job.mirror.state(|state| guard::deletion(&job.mirror.settings(), state, job.team, now))
}

fn read_members(job: &TeamJob, binding: &Binding) -> Result<Vec<Member>, Outcome> {
    let read = job.mirror.sentry.team_members(binding.at());
    let read = read.map_err(|trouble| job.mirror.sentry_trouble(trouble))?;
    // A 404 doesn't mean that the team is empty: somebody has just renamed it in Sentry.
    read.ok_or_else(looked_for)
}

fn looked_for() -> Outcome {
    Outcome::Later("looking for the Sentry team under another slug".into(), Some(FOUND_AGAIN))
}

/// Sentry keeps a slug of 50 characters taken after the team's deletion, and fails to delete a second team with a slug
/// of 49. Such a team gets a short slug first.
fn make_slug_deletable(job: &TeamJob, apply: &Apply, binding: &Binding) -> Result<Binding, Outcome> {
    if !slug::is_kept_after_deletion(&binding.slug) {
        return Ok(binding.clone());
    }
    for attempt in 0..3 {
        match apply.rename(binding, &slug::temporary(binding.sentry, attempt), None)? {
            Moved::Done(binding) => return Ok(binding),
            Moved::Taken => {}
            Moved::Lost => bind::find_again(job, apply, binding)?,
        }
    }
    Err(Outcome::Later(format!("no temporary slug was free for `{}`", binding.slug), None))
}

/// Removes everybody whom the service knows, and leaves the team in Sentry.
fn empty(job: &TeamJob, apply: &Apply, binding: &Binding) -> Result<Outcome, Outcome> {
    let mirror = job.mirror;
    if let Err(rule) = judge(job) {
        let change =
            HeldChange::Delete { team: job.team, sentry: binding.sentry, slug: binding.slug.clone() };
        let approved = mirror.state(|state| state.holds.decision(&change)).is_some_and(|d| d.approved);
        if !approved {
            return Ok(ask_approval(job, apply, change, rule));
        }
    }
    unlink(job, apply, binding)?;
    let (mut out, mut left) = (0, 0);
    for member in read_members(job, binding)? {
        if may_be_taken_out(job, &member) && take_out(job, apply, binding, member.id)? {
            out += 1
        } else {
            left += 1
        }
    }
    apply.end(
        "empty team",
        &format!("SYNC_DELETE_TEAMS is empty; {out} out, {left} unknown or protected left"),
        Fate::Deleted,
    )?;
    Ok(Outcome::Done(format!("emptied Sentry team `{}`: {out} out, {left} left", binding.slug)))
}

/// Removes the team's names in CODEOWNERS. If the Sentry team is deleted instead, Sentry removes them.
fn unlink(job: &TeamJob, apply: &Apply, binding: &Binding) -> Result<(), Outcome> {
    let has_links = job.mirror.state(|state| state.teams.links.of(job.team).next().is_some());
    if job.mirror.settings().links && has_links {
        let rows = read_links(job, binding)?;
        apply.unlink(binding, &rows)?;
    }
    Ok(())
}

fn read_links(job: &TeamJob, binding: &Binding) -> Result<Vec<ExternalTeam>, Outcome> {
    let read = job.mirror.sentry.team_with_links(binding.at());
    let (_, rows) = read.map_err(|trouble| job.mirror.sentry_trouble(trouble))?.ok_or_else(looked_for)?;
    Ok(rows)
}

fn may_be_taken_out(job: &TeamJob, member: &Member) -> bool {
    let known = job.mirror.state(|state| state.people.of_member(member.id)).is_some();
    let addresses = member.primary.iter().chain(&member.verified).map(String::as_str);
    known && !job.mirror.settings().protect.covers_any(addresses)
}

fn take_out(job: &TeamJob, apply: &Apply, binding: &Binding, member: MemberId) -> Result<bool, Outcome> {
    let entry = crate::store::audit::Entry {
        slug: Some(binding.slug.clone()),
        sentry_team: Some(binding.sentry),
        member: Some(member),
        person: job.mirror.state(|state| state.people.of_member(member)),
        ..apply.entry("remove member")
    };
    let removed = apply.remove(binding, member, entry.because("the GitHub team is deleted"))?;
    Ok(matches!(removed, Removed::Done(_)))
}

/// Handles a deletion that arrives after the team's end was recorded, this time with a slug: a Sentry team that could
/// not be found by id may be found by slug.
pub fn by_slug(job: &TeamJob, hint: &Hint, slug: Option<&GithubSlug>) -> Outcome {
    if job.fate() != Some(Fate::NotFound) || slug.is_none() || job.mode == Mode::Read {
        return Outcome::Done("the team is deleted".into());
    }
    end(job, &job.apply(hint), slug, false).unwrap_or_else(|outcome| outcome)
}
