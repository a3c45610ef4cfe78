//! The people of a bound team: finds out who is in it on GitHub and who they are in Sentry, then adds or removes them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::batch::TeamBatch;
use super::bind::{self, How};
use super::hold;
use super::SECOND_LOOK;
use crate::hosts::sentry::{Added, Removed};
use crate::hosts::snapshot::Listed;
use crate::identity::matcher::Effort;
use crate::identity::Identity;
use crate::queue::job::{Ask, Hint, LaneKey, Origin, Outcome, Own};
use crate::state::event::{Change, Person};
use crate::state::holds::HeldChange;
use crate::state::ids::{GithubUserId, Login, MemberId, Seq};
use crate::state::notes;
use crate::state::record::Record;
use crate::state::values::{Binding, Mode};
use crate::store::audit::Entry;
use crate::text::counted;
use crate::work::guard;
use crate::work::step::{self, PersonStep};
use crate::work::team_job::TeamJob;
use crate::work::truth::Question;

/// GitHub's replicas lag. If a look contradicts the event, an early second look often agrees,
const EARLY_LOOK: Duration = Duration::from_secs(3);
/// and a third one, at least 15 seconds after the first, decides.
const DECISIVE_LOOK: Duration = Duration::from_secs(13);
/// How many looks come before the decisive one.
const LOOKS: u8 = 2;

/// Works on the latest hint of each person.
pub fn run(job: &TeamJob, binding: &Binding, hints: Vec<Hint>) -> Vec<(Hint, Outcome)> {
    let (thorough, quick): (Vec<_>, Vec<_>) = hints.into_iter().partition(|hint| hint.looks > 0);
    let mut results = Vec::new();
    for (hints, thorough) in [(quick, false), (thorough, true)] {
        results.extend(look_and_act(job, binding, hints, thorough));
    }
    results
}

fn look_and_act(job: &TeamJob, binding: &Binding, hints: Vec<Hint>, thorough: bool) -> Vec<(Hint, Outcome)> {
    let asked: Vec<Question> = hints.iter().filter_map(|hint| asks_github(job, hint)).collect();
    let presence = match job.truth().presence(&asked, thorough) {
        Ok(presence) => presence,
        Err(outcome) => return hints.into_iter().map(|hint| (hint, outcome.clone())).collect(),
    };
    let mut results: Vec<(Hint, Outcome)> = Vec::new();
    for hint in hints {
        // If one person's trouble concerns a whole host, it concerns everybody.
        let later = results.last().map(|(_, outcome)| outcome).filter(|o| matches!(o, Outcome::Later(..)));
        if let Some(outcome) = later.filter(|_| job.mirror.paused_for().is_some()).cloned() {
            results.push((hint, outcome));
            continue;
        }
        let outcome = match (&presence, asks_github(job, &hint)) {
            (None, Some(_)) => job.not_visible(&hint),
            (Some(presence), Some(Question { person, .. })) => {
                one(job, binding, &hint, presence.get(&person.id).copied().unwrap_or(false))
            }
            (_, None) => one(job, binding, &hint, is_present_by_word(&hint)),
        };
        results.push((hint, outcome));
    }
    results
}

/// The person about whom GitHub has to be asked; `None` if the hint is already certain.
fn asks_github<'a>(job: &TeamJob, hint: &'a Hint) -> Option<Question<'a>> {
    let (person, _, sure) = hint.member()?;
    let expected = hint.member().is_some_and(|(_, change, _)| change == Some(Change::Added));
    (job.mode == Mode::Read && !sure).then_some(Question { person, expected })
}

fn is_present_by_word(hint: &Hint) -> bool {
    hint.member().is_some_and(|(_, change, _)| change != Some(Change::Removed))
}

/// Handles one person, who is (`present`) or is not in the team.
fn one(job: &TeamJob, binding: &Binding, hint: &Hint, present: bool) -> Outcome {
    let Some((person, change, _)) = hint.member() else {
        return Outcome::Done("the event names nobody".into());
    };
    if person.bot {
        return Outcome::Done(format!("skipped `{}`, which is a bot", person.login));
    }
    if is_outdated(job, hint, person.id, present) {
        return Outcome::Done(format!("a newer delivery about `{}` has arrived", person.login));
    }
    let decisive = hint.looks >= LOOKS;
    match (change, present) {
        (Some(Change::Added) | None, true) => put_in(job, binding, hint, person),
        (Some(Change::Removed), false) => take_out(job, binding, hint, person),
        (Some(Change::Added), false) if decisive => take_out(job, binding, hint, person),
        (Some(Change::Removed), true) if decisive => put_in(job, binding, hint, person),
        (None, false) => {
            forget_wish(job, person.id);
            Outcome::Done(format!("`{}` is not in the GitHub team", person.login))
        }
        (Some(Change::Added), false) => look_again(hint, "GitHub does not show them in the team yet"),
        (Some(Change::Removed), true) => {
            // GitHub shows them in the team, so they are added now. The removal waits for a clear answer.
            if hint.looks == 0 {
                let outcome = put_in(job, binding, hint, person);
                if matches!(outcome, Outcome::Later(..)) {
                    return outcome;
                }
            }
            look_again(hint, "GitHub still shows them in the team")
        }
    }
}

/// In payload mode, the service's own looks, for an older wish or decision, never overrule the latest delivery.
fn is_outdated(job: &TeamJob, hint: &Hint, user: GithubUserId, present: bool) -> bool {
    let word = job.mirror.state(|state| state.teams.news(job.team).and_then(|news| news.word(user)));
    job.mode == Mode::Payload && hint.delivery().is_none() && word.is_some_and(|(word, _)| word != present)
}

fn look_again(hint: &Hint, why: &str) -> Outcome {
    Outcome::LookAgain(why.into(), if hint.looks == 0 { EARLY_LOOK } else { DECISIVE_LOOK })
}

/// An audit line about a person in a team.
pub fn entry(
    job: &TeamJob,
    hint: &Hint,
    binding: &Binding,
    person: &Person,
    decision: &'static str,
) -> Entry {
    Entry {
        person: Some(person.id),
        login: Some(person.login.clone()),
        slug: Some(binding.slug.clone()),
        sentry_team: Some(binding.sentry),
        ..job.apply(hint).entry(decision)
    }
}

fn put_in(job: &TeamJob, binding: &Binding, hint: &Hint, person: &Person) -> Outcome {
    release_removals(job, person.id);
    let person = &match with_login(job, person) {
        Ok(person) => person,
        Err(outcome) => return outcome,
    };
    let identity = match job.mirror.identify(person, Effort::Fresh) {
        Ok(identity) => identity,
        Err(outcome) => return outcome,
    };
    let member = match step::present(&identity) {
        PersonStep::Add(member) => member,
        PersonStep::Want(why) => return want(job, binding, hint, person, why),
        PersonStep::Remove(_) | PersonStep::Leave(_) => return Outcome::Done("nothing to do".into()),
    };
    // Recorded first: after a crash, nothing else would show that they were in the team.
    note_seen(job, &[person.id]);
    let source = source_of(&identity);
    let entry = Entry { member: Some(member), ..entry(job, hint, binding, person, "add member") };
    match job.apply(hint).add(binding, member, entry.because(format!("matched by {source}"))) {
        Ok(added @ (Added::New(_) | Added::Already)) => {
            forget_wish(job, person.id);
            let (login, slug) = (&person.login, &binding.slug);
            Outcome::Done(match added {
                Added::New(_) => format!("added `{login}` to `{slug}`"),
                _ => format!("`{login}` was already in `{slug}`"),
            })
        }
        Ok(Added::Requested) => only_requested(person, binding),
        Ok(Added::Locked) => locked(binding),
        Ok(Added::Missing) => missing(job, binding, hint, person, member).unwrap_or_else(|| {
            // The first retry comes soon: the person may have another membership by now.
            let wait = (hint.tries == 0).then_some(Duration::from_millis(500));
            Outcome::Later("the member is no longer in Sentry".into(), wait)
        }),
        Err(outcome) => outcome,
    }
}

/// The account with its login, which is unknown if the account was last mentioned long ago. The user map and links may
/// need the login, and so do people who read about a person without a match.
fn with_login(job: &TeamJob, person: &Person) -> Result<Person, Outcome> {
    if !person.login.as_str().is_empty() {
        return Ok(person.clone());
    }
    let profile =
        job.mirror.github.profile_by_id(person.id).map_err(|told| job.mirror.github_trouble(told))?;
    Ok(profile.map_or_else(|| person.clone(), |profile| profile.person))
}

/// The outcome if Sentry only filed an access request.
pub fn only_requested(person: &Person, binding: &Binding) -> Outcome {
    Outcome::Failed(format!(
        "`{}` is not in `{}`: Sentry only filed an access request; give SENTRY_TOKEN Team: Admin (team:write)",
        person.login, binding.slug
    ))
}

fn source_of(identity: &Identity) -> &'static str {
    match identity {
        Identity::Matched { source, .. } => source.name(),
        _ => "",
    }
}

fn take_out(job: &TeamJob, binding: &Binding, hint: &Hint, person: &Person) -> Outcome {
    forget_wish(job, person.id);
    // The remembered membership may be gone from Sentry, and the person may have a new one. So this tries twice.
    take_out_once(job, binding, hint, person)
        .or_else(|| take_out_once(job, binding, hint, person))
        .unwrap_or_else(|| Outcome::Done(format!("`{}` is no longer in Sentry", person.login)))
}

/// `None` if the member whom the person was matched with is gone from Sentry.
fn take_out_once(job: &TeamJob, binding: &Binding, hint: &Hint, person: &Person) -> Option<Outcome> {
    let mirror = job.mirror;
    let identity = match mirror.identify_for_removal(person) {
        Ok(identity) => identity,
        Err(outcome) => return Some(outcome),
    };
    let protected = |member| {
        mirror.who.with_addresses(member, |addresses| mirror.settings().protect.covers_any(addresses))
    };
    let member = match step::absent(&identity, mirror.settings().remove_members, protected) {
        PersonStep::Remove(member) => member,
        PersonStep::Leave(why) => {
            mirror.audit.write(entry(job, hint, binding, person, "leave member").because(why.clone()));
            return Some(Outcome::Done(format!("`{}`: {why}", person.login)));
        }
        PersonStep::Add(_) | PersonStep::Want(_) => return Some(Outcome::Done("nothing to do".into())),
    };
    if let Some(outcome) = held_back(job, binding, hint, person) {
        return Some(outcome);
    }
    let entry = Entry { member: Some(member), ..entry(job, hint, binding, person, "remove member") };
    let entry = entry.because(format!("matched by {}", source_of(&identity)));
    match job.apply(hint).remove(binding, member, entry) {
        Ok(Removed::Done(_)) => {
            release_removals(job, person.id);
            Some(Outcome::Done(format!("removed `{}` from `{}`", person.login, binding.slug)))
        }
        Ok(Removed::Locked) => Some(locked(binding)),
        Ok(Removed::Missing) => missing(job, binding, hint, person, member),
        Err(outcome) => Some(outcome),
    }
}

/// Ends holds and decisions about removing this person: the removal is done, or no longer wanted.
pub fn release_removals(job: &TeamJob, user: GithubUserId) {
    job.not_due(|change| matches!(change, HeldChange::Remove { user: theirs, .. } if *theirs == user));
}

/// After damage to the journal, nobody is removed until a person approves it.
fn held_back(job: &TeamJob, binding: &Binding, hint: &Hint, person: &Person) -> Option<Outcome> {
    let rule = job.mirror.state(guard::removal).err()?;
    let change = HeldChange::Remove { team: job.team, user: person.id, slug: binding.slug.clone() };
    match job.mirror.state(|state| state.holds.decision(&change)) {
        Some(decision) if decision.approved => None,
        Some(_) => Some(Outcome::Done(format!("removing `{}` was rejected", person.login))),
        None => Some(hold::ask_approval(job, &job.apply(hint), change, rule)),
    }
}

/// A 404 doesn't say what is missing, so the team is read, then the member. `None` if the team exists and the member is
/// gone. Otherwise the outcome, for example if the team had to be found again.
pub fn missing(
    job: &TeamJob,
    binding: &Binding,
    hint: &Hint,
    person: &Person,
    member: MemberId,
) -> Option<Outcome> {
    let apply = job.apply(hint);
    let again = || {
        Outcome::Later(
            "looking for the Sentry team under another slug".into(),
            Some(Duration::from_millis(200)),
        )
    };
    let by_id = job.mirror.sentry.ids().are_taken();
    match apply.look_bound(binding) {
        // The request used an id, which the host doesn't take any more.
        Ok(Some(_)) if by_id && !job.mirror.sentry.ids().are_taken() => return Some(again()),
        Ok(Some(_)) => {}
        Ok(None) => {
            return Some(bind::find_again(job, &apply, binding).map_or_else(|outcome| outcome, |()| again()));
        }
        Err(outcome) => return Some(outcome),
    }
    match job.mirror.sentry.teams_of(member) {
        Ok(Some(_)) => {
            Some(Outcome::Later("Sentry answered 404 although team and member are there".into(), None))
        }
        Ok(None) => {
            job.mirror.matcher().unmatch(person.id, member);
            None
        }
        Err(trouble) => Some(job.mirror.sentry_trouble(trouble)),
    }
}

/// The outcome for a team that an identity provider manages.
pub fn locked(binding: &Binding) -> Outcome {
    Outcome::Failed(format!(
        "Sentry team `{}` is managed by your identity provider: change its members there, or leave the team out with SYNC_TEAMS",
        binding.slug
    ))
}

/// Notes that somebody whom Sentry doesn't know yet is wanted in the team.
fn want(job: &TeamJob, binding: &Binding, hint: &Hint, person: &Person, why: String) -> Outcome {
    job.mirror.note_wanted(job.team, person.id, &person.login, &why);
    job.mirror.audit.write(entry(job, hint, binding, person, "want member").because(why.clone()));
    Outcome::Done(notes::wanted(person.login.as_str(), &binding.slug, &why))
}

/// Drops a wish: the person is in the team by now, or not wanted there any more.
pub fn forget_wish(job: &TeamJob, user: GithubUserId) {
    if job.mirror.state(|state| state.people.is_wanted(job.team, user)) {
        job.mirror.journal.note(Record::Unwanted { team: job.team, user });
    }
}

/// Adds everybody who should be in the team and isn't: after the team was made, and when an event names nobody in
/// particular. Removes nobody. People who cannot be added now stay wanted. `cause` is the hint that led to it. Returns
/// a short note if there was anything to do.
pub fn fill(
    job: &TeamJob,
    binding: &Binding,
    how: How,
    folded: &TeamBatch,
    cause: &Hint,
) -> Result<Option<String>, Outcome> {
    let people: Vec<_> =
        who_is_in(job)?.into_iter().filter(|person| !folded.members.contains_key(&person.id)).collect();
    if people.is_empty() {
        return Ok(None);
    }
    let there = if how == How::Created { BTreeSet::new() } else { members_there(job, binding)? };
    let (mut added, mut open) = (0, 0);
    for person in people {
        let known = job.mirror.state(|state| state.people.matched(person.id).map(|found| found.member));
        if known.is_some_and(|member| there.contains(&member)) {
            continue;
        }
        let hint = look_hint(cause, &person, job.mirror.clock.now());
        match one(job, binding, &hint, true) {
            Outcome::Done(_) => added += 1,
            outcome @ Outcome::Later(..) if job.mirror.paused_for().is_some() => return Err(outcome),
            Outcome::Later(why, _) => {
                open += 1;
                // The wish survives a restart. Until then, the addition is retried like any hint.
                want(job, binding, &hint, &person, why);
                let ask = Ask::Member { person, change: None, sure: job.mode == Mode::Payload };
                let due = job.mirror.clock.now() + EARLY_LOOK;
                let again = Hint::new(hint.seq, Origin::Own(Own::FillTeam), ask, due);
                job.mirror.queue.lanes.add(LaneKey::Team(job.team), again);
            }
            // An addition that cannot be made is listed with its reason, and tried again like every wish.
            Outcome::Failed(why) => {
                open += 1;
                want(job, binding, &hint, &person, why);
            }
            _ => open += 1,
        }
    }
    let checked = counted(added, "other member", "other members");
    Ok(match (added, open) {
        (0, 0) => None,
        (_, 0) => Some(format!("also checked {checked}")),
        _ => Some(format!("also checked {checked}, {open} still to be checked")),
    })
}

/// Everybody who is in the team, according to GitHub or to deliveries.
fn who_is_in(job: &TeamJob) -> Result<Vec<Person>, Outcome> {
    Ok(match job.mode {
        Mode::Read => match job.truth().members()? {
            Some(Listed { rows: people, .. }) => {
                note_seen(job, &people.iter().map(|person| person.id).collect::<Vec<_>>());
                // A delivery may know more than a lagging replica shows.
                let is_unseen = |person: &Person| people.iter().all(|other| other.id != person.id);
                for person in by_word(job).into_iter().filter(is_unseen) {
                    let ask = Ask::Member { person, change: None, sure: false };
                    let lane = LaneKey::Team(job.team);
                    job.mirror.queue.ask_later(lane, Own::FillTeam, ask, SECOND_LOOK);
                }
                people
            }
            None => {
                job.mirror.check_permission(&job.org)?;
                return Err(Outcome::Later("GitHub does not show the team's members yet".into(), None));
            }
        },
        Mode::Payload if job.mirror.state(|state| state.teams.is_unfilled(job.team)) => by_word(job),
        Mode::Payload => Vec::new(),
    })
}

/// Records who was seen in the team, so that a comparison can tell who has left: the next one may run after they left.
/// News from deliveries stays as it is.
pub(super) fn note_seen(job: &TeamJob, people: &[GithubUserId]) {
    if job.mode == Mode::Payload {
        return;
    }
    let seen = job.mirror.state(|state| state.teams.and_seen(job.team, people));
    if !seen.is_empty() {
        job.mirror.journal.note(Record::Looked { team: job.team, seq: Seq(0), people: seen });
    }
}

/// A look at one more person, on behalf of the hint that led to it.
fn look_hint(cause: &Hint, person: &Person, now: Instant) -> Hint {
    let ask = Ask::Member { person: person.clone(), change: None, sure: true };
    Hint::new(cause.seq, cause.origin.clone(), ask, now)
}

fn members_there(job: &TeamJob, binding: &Binding) -> Result<BTreeSet<MemberId>, Outcome> {
    let read = job.mirror.sentry.team_members(binding.at());
    let members = read.map_err(|trouble| job.mirror.sentry_trouble(trouble))?;
    Ok(members.unwrap_or_default().into_iter().map(|member| member.id).collect())
}

/// Everybody who is in the team by the latest news from deliveries.
fn by_word(job: &TeamJob) -> Vec<Person> {
    job.mirror.state(|state| {
        let news = state.teams.news(job.team);
        let present = news.into_iter().flat_map(|news| news.people()).filter(|(_, present, _)| *present);
        let login = |user| {
            let matched = state.people.matched(user).map(|found| found.login.clone());
            let wanted =
                || state.people.wanted().find(|(id, _)| *id == user).map(|(_, wanted)| wanted.login.clone());
            // Without a login, the person is looked up by id.
            matched.or_else(wanted).unwrap_or_else(|| Login::from(""))
        };
        present.map(|(user, ..)| Person { id: user, login: login(user), bot: false }).collect()
    })
}
