//! Gives a GitHub team its Sentry team: makes, adopts, renames or finds it, or waits for its slug.

use crate::hosts::sentry::ids::TeamAt;
use crate::hosts::sentry::Team;
use crate::queue::job::Outcome;
use crate::queue::part::WantedTeam;
use crate::state::holds::HeldChange;
use crate::state::ids::{GithubSlug, GithubTeamId, SentrySlug, SentryTeamId};
use crate::state::record::Record;
use crate::state::slug;
use crate::state::values::{Binding, Fate, Intent, Mode};
use crate::work::apply::{Apply, Moved};
use crate::work::hold::ask_approval;
use crate::work::step::{self, Facts, Holder, Next, TeamStep};
use crate::work::team_job::{Stop, TeamJob};
use crate::work::trouble::not_kept;

/// This many rounds of "look, decide, act" are enough for every case. If not, somebody is working against us.
const ROUNDS: usize = 6;
/// How long Sentry may take to free a deleted team's slug, and so when to try again.
const SLUG_FREED: std::time::Duration = std::time::Duration::from_secs(300);

pub struct Wish {
    /// Slug, name if it changed, and whether an existing team may be adopted.
    pub team: WantedTeam,
    /// The name to use if the team has to be made, or gets another slug.
    pub full_name: String,
    /// The previous slug, if a rename event gave it.
    pub before: Option<SentrySlug>,
    /// Its slug on GitHub, if that is known.
    pub on_github: Option<GithubSlug>,
}

/// How a team got into its wanted state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Known,
    Created,
    /// An existing Sentry team was adopted.
    Adopted,
    Renamed,
}

/// Finds out what became of a write whose outcome is unknown, after a crash, a cut connection or a 5xx. Returns whether
/// that write made the team. If it didn't, the team is made now, if GitHub still shows it.
fn resolve_intent(job: &TeamJob, apply: &Apply) -> Result<How, Stop> {
    let Some((intent, _)) = job.mirror.state(|state| state.teams.intent(job.team).cloned()) else {
        return Ok(How::Known);
    };
    let Intent::Creating { slug, mut name } = intent else {
        return Ok(resolve_other(job, apply, intent).map(|()| How::Known)?);
    };
    if let Some(how) = find_made(job, apply, &slug)? {
        return Ok(how);
    }
    if job.mode == Mode::Read {
        // GitHub is asked first: without the team's deletion event, nothing would delete what is made here.
        let Some(facts) = job.truth().facts()? else { return Err(Stop::NotVisible) };
        // The name may have changed without changing the slug, in upper and lower case for example.
        if job.sentry_slug(&facts.slug) == slug {
            name = facts.name.into();
        }
    }
    match apply.create(&slug, &name, true)? {
        Some(_) => Ok(How::Created),
        None => Err(still_taken(&slug).into()),
    }
}

/// The same, but never makes the team: for use before its end, and before a person has it restored.
pub fn resolve_without_making(job: &TeamJob, apply: &Apply) -> Result<(), Outcome> {
    match job.mirror.state(|state| state.teams.intent(job.team).cloned()) {
        Some((Intent::Creating { slug, .. }, _)) => match find_made(job, apply, &slug)? {
            Some(_) => Ok(()),
            None => apply.drop_intent(),
        },
        Some((intent, _)) => resolve_other(job, apply, intent),
        None => Ok(()),
    }
}

/// Gives up making a team that GitHub has not shown for a minute, if Sentry has no team with the slug that it was to
/// get. Other teams may have the slug then.
pub fn give_up_making(job: &TeamJob, apply: &Apply) -> Result<(), Outcome> {
    match job.mirror.state(|state| state.teams.intent(job.team).cloned()) {
        Some((Intent::Creating { slug, .. }, _)) if apply.look(&slug)?.is_none() => {
            apply.drop_intent()?;
            job.mirror.queue.moved(job.team);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn resolve_other(job: &TeamJob, apply: &Apply, intent: Intent) -> Result<(), Outcome> {
    match intent {
        Intent::Renaming { from, to, .. } => resolve_rename(job, apply, &from, &to),
        // A restoration is continued only by the operation that began it.
        Intent::Creating { .. } | Intent::Restoring { .. } => Ok(()),
        Intent::Deleting { sentry, slug } => {
            // Somebody may have renamed it in Sentry meanwhile.
            if apply.look_for(TeamAt { id: sentry, slug: &slug })?.is_some() {
                return apply.drop_intent();
            }
            confirm_organisation(job)?;
            let why = "its Sentry team is gone after a deletion whose outcome was not known";
            apply.end("end team", why, Fate::Deleted)
        }
    }
}

/// The same, for callers that work on the team after this. The unfinished write may have been its deletion, whose
/// answer was lost: then there is nothing left to work on.
pub fn resolve_and_go_on(job: &TeamJob, apply: &Apply) -> Result<How, Stop> {
    let how = resolve_intent(job, apply)?;
    match job.fate() {
        Some(_) => Err(Outcome::Done("the team is deleted".into()).into()),
        None => Ok(how),
    }
}

/// The slug was free when the intent was written, so a team that has it now was made by that attempt. If no team has
/// it, only repeating the call under the same intent shows what happened.
fn find_made(job: &TeamJob, apply: &Apply, slug: &SentrySlug) -> Result<Option<How>, Outcome> {
    match apply.look(slug)? {
        Some(team) if owner_of(job, &team).is_none() && !team.locked => {
            apply.made(&team, "an earlier attempt of ours made it")?;
            Ok(Some(How::Created))
        }
        Some(_) => {
            apply.drop_intent()?;
            Ok(Some(How::Known))
        }
        None => Ok(None),
    }
}

fn resolve_rename(job: &TeamJob, apply: &Apply, from: &SentrySlug, to: &SentrySlug) -> Result<(), Outcome> {
    let Some(binding) = job.binding() else { return apply.drop_intent() };
    let look = |slug| apply.look_at(TeamAt { id: binding.sentry, slug });
    // By slug, the team is found under one slug or the other. By id, the first call finds it.
    let there = match look(to)? {
        None => look(from)?,
        there => there,
    };
    match there {
        // The rename did not take place, whatever Sentry answered. The failed call is in the log.
        Some(team) if team.slug == *from => apply.drop_intent(),
        Some(team) if team.slug == *to => {
            apply.follow(&team, binding.origin, "a rename whose outcome was not known has taken place")?;
            job.mirror.queue.moved(job.team);
            Ok(())
        }
        Some(team) => apply.follow_to(&binding, &team).map(drop),
        None => find_again(job, apply, &binding),
    }
}

/// Brings the team into the wanted state. `how` is what is known so far. `shown`, the Sentry team that had the slug
/// when it was read a moment ago, need not be read again.
pub fn ensure(
    job: &TeamJob,
    apply: &Apply,
    wish: &Wish,
    mut how: How,
    mut shown: Option<Team>,
) -> Result<(Binding, How), Outcome> {
    if let (None, Some(before)) = (job.binding(), &wish.before) {
        if adopt_by_old_slug(job, apply, wish, before)? {
            how = How::Adopted;
        }
    }
    for _ in 0..ROUNDS {
        let binding = job.binding();
        let (next, found) = next(job, apply, wish, binding.as_ref(), &mut shown)?;
        let step = match next {
            Next::Do(step) => step,
            Next::End(outcome) => return Err(outcome),
            // The slug's holder was read, so nothing else can be missing.
            Next::Read => continue,
        };
        match (step, &binding) {
            (TeamStep::Keep, Some(binding)) => return Ok((binding.clone(), how)),
            (TeamStep::Rename, Some(binding)) => {
                if let Some(binding) = rename(job, apply, binding, wish)? {
                    return Ok((binding, How::Renamed));
                }
            }
            // If the slug was taken meanwhile, the next round looks at it.
            (TeamStep::Create, _) => {
                if apply.create(&wish.team.slug, &wish.full_name, false)?.is_some() {
                    how = How::Created;
                }
            }
            (TeamStep::Adopt(_), _) => {
                if let Some(team) = found {
                    adopt(job, apply, &wish.team.slug, &team)?;
                    how = How::Adopted;
                }
            }
            (TeamStep::WaitFor(owner), binding) => {
                return Err(wait_for(job, apply, owner, binding.as_ref(), wish))
            }
            (TeamStep::Conflict(sentry), _) => return Err(conflict(job, apply, &wish.team.slug, sentry)),
            // Keep and Rename always have a binding. The other steps have ended earlier.
            (TeamStep::Keep | TeamStep::Rename | TeamStep::Rejected(_) | TeamStep::Locked(_), _) => {}
        }
    }
    Err(still_taken(&wish.team.slug))
}

/// The next step, and the Sentry team that has the slug, if it was looked up and follows nobody.
fn next(
    job: &TeamJob,
    apply: &Apply,
    wish: &Wish,
    binding: Option<&Binding>,
    shown: &mut Option<Team>,
) -> Result<(Next<TeamStep>, Option<Team>), Outcome> {
    let mut wanted = wish.team.clone();
    match step::next(&Facts { wanted: &wanted, binding, holder: None }) {
        Next::Read => {}
        next => return Ok((next, None)),
    }
    let (holder, found) = holder(job, apply, &wanted.slug, binding.is_none(), shown.take())?;
    // Checked after the look, so that news that arrived meanwhile counts.
    wanted.adoptable = may_adopt(job, wish);
    Ok((step::next(&Facts { wanted: &wanted, binding, holder: Some(holder) }), found))
}

/// Whether the team may adopt an existing Sentry team. A team that was seen to be renamed may adopt one only by its old
/// slug: otherwise anybody could rename a team into an existing Sentry team. While a person has to decide about it, it
/// may not adopt one either.
fn may_adopt(job: &TeamJob, wish: &Wish) -> bool {
    let in_question = job.mirror.state(|state| state.is_in_question(job.team));
    wish.team.adoptable && wish.before.is_none() && !in_question
}

/// Who has a slug, and the team itself if it follows nobody. Sentry is asked only if a team without a binding would
/// take the slug: a rename's own answer shows whether it is taken. Nor is Sentry asked for what it has just shown.
fn holder(
    job: &TeamJob,
    apply: &Apply,
    slug: &SentrySlug,
    ask: bool,
    shown: Option<Team>,
) -> Result<(Holder, Option<Team>), Outcome> {
    let owner = job.mirror.state(|state| state.teams.owner(slug)).filter(|owner| *owner != job.team);
    if let Some(owner) = owner {
        return Ok((Holder::Team(owner), None));
    }
    if !ask {
        return Ok((Holder::Nobody, None));
    }
    let found = match shown.filter(|team| team.slug == *slug) {
        Some(team) => Some(team),
        None => apply.look(slug)?,
    };
    let Some(team) = found else { return Ok((Holder::Nobody, None)) };
    Ok(match owner_of(job, &team) {
        Some(owner) => (Holder::Team(owner), None),
        None if team.locked => (Holder::Locked(team.id), None),
        None => (Holder::Stranger(team.id, decision(job, slug, &team)), Some(team)),
    })
}

fn owner_of(job: &TeamJob, team: &Team) -> Option<GithubTeamId> {
    job.mirror.state(|state| state.teams.of_sentry(team.id)).filter(|owner| *owner != job.team)
}

fn decision(job: &TeamJob, slug: &SentrySlug, team: &Team) -> Option<bool> {
    let change = HeldChange::Adopt { team: job.team, sentry: team.id, slug: slug.clone() };
    job.mirror.state(|state| state.holds.decision(&change)).map(|decision| decision.approved)
}

fn adopt_by_old_slug(
    job: &TeamJob,
    apply: &Apply,
    wish: &Wish,
    before: &SentrySlug,
) -> Result<bool, Outcome> {
    // The old name of a later rename may be one that the team was not allowed to adopt. So may the old name of a team
    // that was known before its end, and has come back.
    let now = job.mirror.clock.wall();
    let trustworthy = job.mirror.state(|state| {
        let once = state.teams.news(job.team).is_none_or(|news| news.first_named == news.named)
            && state.teams.returned(job.team, now).is_none();
        let disputed = state.holds.disputed_slug(job.team).is_some();
        once && !disputed && state.teams.owner(before).is_none()
    });
    if !wish.team.adoptable || !trustworthy {
        return Ok(false);
    }
    let found = apply.look(before)?.filter(|team| owner_of(job, team).is_none() && !team.locked);
    let Some(team) = found else { return Ok(false) };
    apply.adopt(&team, "it has the slug that the GitHub team had before its rename").map(|_| true)
}

/// `team` is exactly the one that was approved or allowed. The record is kept only if it follows no other team by now.
fn adopt(job: &TeamJob, apply: &Apply, slug: &SentrySlug, team: &Team) -> Result<(), Outcome> {
    let why = match decision(job, slug, team) {
        Some(true) => "a person approved it",
        _ => "it has the team's slug and the GitHub team is older than this mirror",
    };
    apply.adopt(team, why).map(drop)
}

/// Ends holds about making the team or adopting another one: it is in its wanted state.
pub fn release_adoptions(job: &TeamJob) {
    job.not_due(|change| matches!(change, HeldChange::Adopt { .. } | HeldChange::Create { .. }));
}

/// The renamed binding; `None` if everything has to be looked at again.
fn rename(job: &TeamJob, apply: &Apply, binding: &Binding, wish: &Wish) -> Result<Option<Binding>, Outcome> {
    match apply.rename(binding, &wish.team.slug, Some(&wish.full_name))? {
        Moved::Done(binding) => Ok(Some(binding)),
        Moved::Lost => find_again(job, apply, binding).map(|()| None),
        Moved::Taken => match apply.look(&wish.team.slug)? {
            Some(team) if owner_of(job, &team).is_none() => Err(step::in_the_way(&wish.team.slug)),
            Some(_) => Ok(None),
            None => Err(still_taken(&wish.team.slug)),
        },
    }
}

/// The slug belongs to another mirrored team, so this team waits. If that one waits for this one, directly or around a
/// circle, this team moves to a temporary slug.
fn wait_for(
    job: &TeamJob,
    apply: &Apply,
    owner: GithubTeamId,
    binding: Option<&Binding>,
    wish: &Wish,
) -> Outcome {
    let closes_circle = job.mirror.queue.lanes.wait_for(job.team, owner);
    if let (true, Some(binding)) = (closes_circle, binding) {
        for attempt in 0..3 {
            match apply.rename(binding, &slug::temporary(binding.sentry, attempt), None) {
                Ok(Moved::Done(_)) => break,
                Ok(Moved::Taken) => {}
                Ok(Moved::Lost) => {
                    return Outcome::Later("the Sentry team was not found under its slug".into(), None)
                }
                Err(outcome) => return outcome,
            }
        }
    } else if job.mode == Mode::Read {
        job.mirror.queue.ask_owner(owner);
    }
    Outcome::Waiting(format!("slug `{}` still belongs to GitHub team {owner}", wish.team.slug))
}

/// A newer team, or one that was renamed, would take over an existing Sentry team: a person has to decide.
fn conflict(job: &TeamJob, apply: &Apply, slug: &SentrySlug, sentry: SentryTeamId) -> Outcome {
    let change = HeldChange::Adopt { team: job.team, sentry, slug: slug.clone() };
    ask_approval(job, apply, change, step::ADOPTION_RULE.into())
}

fn still_taken(slug: &SentrySlug) -> Outcome {
    let why = format!("slug `{slug}` is taken, though no team shows it: Sentry may be deleting one");
    Outcome::Later(why, Some(SLUG_FREED))
}

/// Checks that the bound team, if there is one, is still where it was. If not, deals with that.
pub fn look_for_it(job: &TeamJob, apply: &Apply) -> Result<(), Outcome> {
    match job.binding() {
        Some(binding) if apply.look_bound(&binding)?.is_none() => find_again(job, apply, &binding),
        _ => Ok(()),
    }
}

/// Deals with a bound team that is not under its slug. If its id finds it, the binding follows it. If not, it is
/// unbound, and the next look makes it again.
pub fn find_again(job: &TeamJob, apply: &Apply, binding: &Binding) -> Result<(), Outcome> {
    let mirror = job.mirror;
    match apply.find(binding.at())? {
        Some(team) => {
            apply.follow(&team, binding.origin, "it was renamed in Sentry")?;
        }
        None => {
            confirm_organisation(job)?;
            let entry = apply.entry("unbind team").because("its Sentry team vanished without us");
            let record = Record::Unbound { team: job.team };
            mirror.journal.keep(record).map_err(not_kept)?;
            mirror.audit.write(entry);
            log::warn!(
                "team {}: Sentry team `{}` ({}) disappeared; if it was only renamed there, a token with Organization: Read would find it",
                job.team,
                binding.slug,
                binding.sentry
            );
        }
    }
    mirror.queue.moved(job.team);
    Ok(())
}

/// Run before a 404 is taken for "the team is gone": an organisation that was renamed or never existed answers 404 too.
pub fn confirm_organisation(job: &TeamJob) -> Result<(), Outcome> {
    job.mirror.sentry.confirm_organisation().map_err(|trouble| job.mirror.sentry_trouble(trouble))
}
