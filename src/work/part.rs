//! Makes one call of a team's share of a comparison. News from events since the comparison began is newer, and wins.

use super::bind::{self, How, Wish};
use super::team_job::{Stop, TeamJob};
use super::{come_back, end, members};
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::sentry::{Added, Removed};
use crate::queue::job::{Ask, Hint, Outcome};
use crate::queue::part::{Addition, Effect, Part, Removal, Shown, Task};
use crate::state::event::Person;
use crate::state::ids::{GithubSlug, GithubTeamId, GithubUserId, Seq};
use crate::state::record::Record;
use crate::state::values::{Binding, Fate, Mode};
use crate::state::Org;
use crate::work::apply::Apply;
use crate::work::mirror::Mirror;

/// Makes the next call.
pub fn run(mirror: &Mirror, team: GithubTeamId, hint: &Hint, org: &Org, mode: Mode) -> Outcome {
    let Ask::Part(part) = &hint.ask else { return Outcome::Done("nothing to do".into()) };
    let job = TeamJob { mirror, team, org: org.clone(), mode };
    let outcome = next(&job, hint, part);
    if matches!(outcome, Outcome::Done(_)) {
        // Teams of the same comparison that wait for this team's slug now check whether waiting is still of use.
        part.close();
        mirror.queue.moved(team);
    }
    outcome
}

fn next(job: &TeamJob, hint: &Hint, part: &Part) -> Outcome {
    let team = job.team;
    if job.fate().is_some() && !matches!(part.task(), Some(Task::Return)) {
        if part.task().is_some_and(|task| !matches!(task, Task::End)) {
            // The comparison saw the team. Another one finds out whether a replica lagged, or the end was wrong.
            job.mirror.queue.look_again();
        }
        return Outcome::Done("the team is deleted".into());
    }
    if part.is_superseded() {
        return Outcome::Done("a newer comparison decides".into());
    }
    let Some(task) = part.task() else { return Outcome::Done("done".into()) };
    let result = match one(job, hint, part, task) {
        Ok(effect) => Ok(effect),
        // The comparison saw the team. Another one finds out whether it is gone.
        Err(Stop::NotVisible) => {
            look_again(job, part);
            return Outcome::Done("GitHub does not show the team".into());
        }
        Err(Stop::With(Outcome::Failed(why))) => Err(format!("team {team}: {why}")),
        Err(Stop::With(Outcome::Held(name, why))) => Err(format!("held {name}: {why}")),
        Err(Stop::With(Outcome::Waiting(why))) if waits_in_vain(job, part, task) => {
            job.mirror.queue.ask_for_reconcile();
            Err(format!("team {team}: {why}, which has changed since the comparison"))
        }
        Err(Stop::With(Outcome::Done(_) | Outcome::Superseded(_))) => Ok(Effect::Nothing),
        Err(Stop::With(later)) => {
            if let Outcome::Later(why, _) | Outcome::Waiting(why) = &later {
                part.put_off(why);
            }
            return later;
        }
    };
    if part.passed(result) {
        Outcome::Done("the team's share of the comparison is done".into())
    } else {
        Outcome::GoOn
    }
}

/// Whether the team waits for a slug that nobody will give up: the share of the slug's owner is over, and changes since
/// then are for another comparison.
fn waits_in_vain(job: &TeamJob, part: &Part, task: &Task) -> bool {
    let Task::Shape { wanted, .. } = task else { return false };
    let owner = job.mirror.state(|state| state.teams.owner(&wanted.slug));
    !owner.is_some_and(|owner| part.may_wait_for(owner))
}

fn one(job: &TeamJob, hint: &Hint, part: &Part, task: &Task) -> Result<Effect, Stop> {
    let apply = job.apply(hint);
    if matches!(task, Task::Return) {
        let is_back = come_back::run(job, &apply)?;
        if is_back {
            come_back::give_back(job, &apply)?;
            // The comparison recorded nobody as seen in this team, because the team had ended when it was read.
            members::note_seen(job, &part.added());
        }
        return Ok(Effect::written(is_back));
    }
    // An end settles unfinished writes itself, and makes nothing for them.
    if !matches!(task, Task::End) {
        bind::resolve_and_go_on(job, &apply)?;
    }
    match task {
        // Handled above.
        Task::Return => Ok(Effect::Nothing),
        Task::FindAgain => {
            // The comparison read Sentry before it looked at the bindings, so the team may have been made in between.
            bind::look_for_it(job, &apply)?;
            Ok(Effect::Nothing)
        }
        Task::Shape { wanted, full_name, shown } => {
            let (team, full_name) = (wanted.clone(), full_name.clone());
            let wish = Wish { team, full_name, before: None, on_github: None };
            Ok(shape(job, &apply, part, &wish, shown.as_ref())?)
        }
        Task::Link { slug, rows } => Ok(link(job, &apply, hint, part, (slug, rows))?),
        Task::Add(addition) => Ok(add(job, hint, part, addition)?),
        Task::Remove(removal) => Ok(remove(job, hint, part, removal)?),
        // A team that a delivery has just been about may be too new for a lagging replica.
        Task::End if is_spoken_of(job, part, None) => Ok(Effect::Nothing),
        Task::End if job.mirror.queue.is_new(job.team) => {
            look_again(job, part);
            Ok(Effect::Nothing)
        }
        Task::End => match end::run(job, None, hint.event_name(), false) {
            // A team that is left alone is not a change in Sentry.
            end::End::Over(Outcome::Done(_)) => Ok(Effect::written(job.fate() == Some(Fate::Deleted))),
            end::End::Over(outcome) | end::End::NotYet(outcome) => Err(outcome.into()),
        },
        Task::Filled => {
            job.mirror.journal.note(Record::Fill { team: job.team, open: false });
            Ok(Effect::Nothing)
        }
    }
}

fn shape(
    job: &TeamJob,
    apply: &Apply,
    part: &Part,
    wish: &Wish,
    shown: Option<&Shown>,
) -> Result<Effect, Outcome> {
    let wanted = &wish.team;
    let named = job.mirror.state(|state| state.teams.news(job.team).and_then(|news| news.named));
    let is_in_shape = job.binding().is_some_and(|binding| {
        binding.slug == wanted.slug && wanted.name.as_deref().is_none_or(|name| name == &*binding.name)
    });
    if !is_in_shape && named.is_some_and(|at| at > part.seq) {
        // The rename's own job went by what GitHub showed it, perhaps before the comparison saw another name.
        look_again(job, part);
        return Ok(Effect::Nothing);
    }
    let shown = shown.filter(|shown| {
        let heard = job.mirror.queue.heard(|heard| heard.of_team(job.team));
        Shown::is_fresh(job.mirror.clock.since(shown.at), heard.is_some_and(|at| at > part.seq))
    });
    let (_, how) = bind::ensure(job, apply, wish, How::Known, shown.map(|shown| shown.team.clone()))?;
    bind::release_adoptions(job);
    job.mirror.queue.lanes.has_its_slug(job.team);
    Ok(match how {
        How::Known => Effect::Nothing,
        How::Adopted => Effect::Adopted,
        How::Created | How::Renamed => Effect::Written,
    })
}

fn link(
    job: &TeamJob,
    apply: &Apply,
    hint: &Hint,
    part: &Part,
    (slug, rows): (&GithubSlug, &[ExternalTeam]),
) -> Result<Effect, Outcome> {
    // The team may have been unbound or renamed since it was read. Its own job has linked it then.
    let named = job.mirror.state(|state| state.teams.news(job.team).and_then(|news| news.named));
    match job.binding() {
        Some(binding)
            if named.is_none_or(|at| at <= part.seq) && is_still_called(job, hint, &binding, slug)? =>
        {
            super::link::follow(job, apply, &binding, slug, hint.tries == 0, Some(rows))
        }
        _ => {
            look_again(job, part);
            Ok(Effect::Nothing)
        }
    }
}

/// Whether GitHub still has the slug that the comparison saw. GitHub is asked after a wait, or if the Sentry team has
/// another slug: the team may have been renamed so that another can have its slug, without any delivery.
fn is_still_called(
    job: &TeamJob,
    hint: &Hint,
    binding: &Binding,
    slug: &GithubSlug,
) -> Result<bool, Outcome> {
    if hint.tries == 0 && binding.slug == job.sentry_slug(slug) {
        return Ok(true);
    }
    Ok(job.truth().facts()?.is_some_and(|facts| facts.slug == *slug))
}

/// Whether a delivery that came since the comparison began, or just before, says otherwise.
fn is_overtaken(job: &TeamJob, part: &Part, user: GithubUserId, present: bool) -> bool {
    let word = word(job, user);
    let contrary = word.filter(|(word, _)| *word != present).map(|(_, at)| at);
    let heard = job.mirror.queue.heard(|heard| heard.of_person(user));
    is_newer(job, part, contrary) || is_heard_of(job, part, heard, word)
}

/// The latest news on whether somebody is in the team, and its delivery.
fn word(job: &TeamJob, user: GithubUserId) -> Option<(bool, Seq)> {
    job.mirror.state(|state| state.teams.news(job.team).and_then(|news| news.word(user)))
}

/// Whether any delivery since then was about the team. `user` is the person whom the comparison would remove.
fn is_spoken_of(job: &TeamJob, part: &Part, user: Option<GithubUserId>) -> bool {
    let heard = job.mirror.queue.heard(|heard| heard.of_team(job.team));
    is_heard_of(job, part, heard, user.and_then(|user| word(job, user)))
}

/// Like [`is_newer`], for a delivery that may not be the latest news on this person in this team. If it isn't, its own
/// job does not settle the question, so another comparison has to.
fn is_heard_of(job: &TeamJob, part: &Part, heard: Option<Seq>, word: Option<(bool, Seq)>) -> bool {
    if heard.is_some_and(|at| at > part.read) && word.map(|(_, at)| at) != heard {
        look_again(job, part);
    }
    is_newer(job, part, heard)
}

/// Whether that delivery is newer than what the comparison is sure to have seen. If the comparison may have seen it and
/// contradicts it all the same, another one decides, as soon as no replica can lag behind it.
fn is_newer(job: &TeamJob, part: &Part, at: Option<Seq>) -> bool {
    let Some(at) = at.filter(|at| *at > part.seq) else { return false };
    if at <= part.read {
        look_again(job, part);
    }
    true
}

fn look_again(job: &TeamJob, part: &Part) {
    job.mirror.queue.look_again();
    part.leave();
}

fn add(job: &TeamJob, hint: &Hint, part: &Part, addition: &Addition) -> Result<Effect, Outcome> {
    let Addition { user, login, member, source } = addition;
    let Some(binding) = job.binding().filter(|_| !is_overtaken(job, part, *user, true)) else {
        return Ok(Effect::Nothing);
    };
    let person = Person { id: *user, login: login.clone(), bot: false };
    // A wrong end of the team may have been recorded in between. It forgets who was seen in the team.
    members::note_seen(job, &[*user]);
    let entry = members::entry(job, hint, &binding, &person, "add member");
    let entry = crate::store::audit::Entry { member: Some(*member), ..entry }
        .because(format!("matched by {}", source.name()));
    match job.apply(hint).add(&binding, *member, entry)? {
        added @ (Added::New(_) | Added::Already) => {
            members::forget_wish(job, *user);
            Ok(Effect::written(matches!(added, Added::New(_))))
        }
        Added::Requested => Err(members::only_requested(&person, &binding)),
        Added::Locked => Err(members::locked(&binding)),
        // The next comparison handles it.
        Added::Missing => {
            members::missing(job, &binding, hint, &person, *member).map_or(Ok(Effect::Nothing), Err)
        }
    }
}

fn remove(job: &TeamJob, hint: &Hint, part: &Part, removal: &Removal) -> Result<Effect, Outcome> {
    let Removal { user, who, member, why, .. } = removal;
    // No event named this person. If one was about the team just now, a lagging replica may not show them yet.
    let overtaken =
        user.is_some_and(|user| is_overtaken(job, part, user, false)) || is_spoken_of(job, part, *user);
    let Some(binding) = job.binding().filter(|_| !overtaken) else { return Ok(Effect::Nothing) };
    let entry = crate::store::audit::Entry {
        slug: Some(binding.slug.clone()),
        sentry_team: Some(binding.sentry),
        member: Some(*member),
        person: *user,
        login: user.map(|_| who.as_str().into()),
        ..job.apply(hint).entry("remove member")
    };
    match job.apply(hint).remove(&binding, *member, entry.because(*why))? {
        Removed::Done(_) => {
            if let Some(user) = user {
                members::release_removals(job, *user);
            }
            Ok(Effect::Written)
        }
        Removed::Locked => Err(members::locked(&binding)),
        // Gone from Sentry, or under another membership: the next comparison handles it.
        Removed::Missing => Ok(Effect::Nothing),
    }
}
