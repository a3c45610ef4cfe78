//! People of a bound team: who is in it on GitHub's side, who they are in Sentry, in or out.

use std::collections::BTreeSet;
use std::time::Duration;

use super::bind::{self, How};
use super::news::Folded;
use crate::audit::Entry;
use crate::clock::Timestamp;
use crate::event::{Change, Person};
use crate::guard;
use crate::identity::Identity;
use crate::ids::{GithubUserId, Login, MemberId};
use crate::plan::{self, PersonStep};
use crate::sentry::{Added, Removed};
use crate::state::holds::HeldChange;
use crate::state::record::{Binding, Mode, Record};
use crate::work::hint::{Ask, Hint, LaneKey, Origin, Outcome};
use crate::work::team::TeamJob;

/// GitHub's replicas lag: when a look contradicts the event, an early second look often agrees,
const EARLY_LOOK: Duration = Duration::from_secs(3);
/// and one that is at least 15 seconds after the first decides.
const DECISIVE_LOOK: Duration = Duration::from_secs(13);
/// How many looks come before the one that decides.
const LOOKS: u8 = 2;

/// Works on the latest hint of each person.
pub fn run(job: &TeamJob, binding: &Binding, hints: Vec<Hint>) -> Vec<(Hint, Outcome)> {
    let (thorough, quick): (Vec<_>, Vec<_>) = hints.into_iter().partition(|hint| hint.looks >= LOOKS);
    let mut results = Vec::new();
    for (hints, thorough) in [(quick, false), (thorough, true)] {
        results.extend(look_and_act(job, binding, hints, thorough));
    }
    results
}

fn look_and_act(job: &TeamJob, binding: &Binding, hints: Vec<Hint>, thorough: bool) -> Vec<(Hint, Outcome)> {
    let asked: Vec<&Person> = hints.iter().filter_map(|hint| asks_github(job, hint)).collect();
    let presence = match job.truth().presence(&asked, thorough) {
        Ok(presence) => presence,
        Err(outcome) => return hints.into_iter().map(|hint| (hint, outcome.clone())).collect(),
    };
    let mut results = Vec::new();
    for hint in hints {
        let outcome = match (&presence, asks_github(job, &hint)) {
            (None, Some(_)) => job.not_visible(&hint),
            (Some(presence), Some(person)) => {
                one(job, binding, &hint, presence.get(&person.id).copied().unwrap_or(false))
            }
            (_, None) => one(job, binding, &hint, is_present_by_word(&hint)),
        };
        results.push((hint, outcome));
    }
    results
}

/// The person whom GitHub has to be asked about, if the hint does not already hold the truth.
fn asks_github<'a>(job: &TeamJob, hint: &'a Hint) -> Option<&'a Person> {
    hint.member().filter(|(_, _, sure)| job.mode == Mode::Read && !sure).map(|(person, _, _)| person)
}

fn is_present_by_word(hint: &Hint) -> bool {
    hint.member().is_some_and(|(_, change, _)| change != Some(Change::Removed))
}

/// One person, whom the truth shows in the team or not.
fn one(job: &TeamJob, binding: &Binding, hint: &Hint, present: bool) -> Outcome {
    let Some((person, change, _)) = hint.member() else { return Outcome::Done("nobody is named".into()) };
    if person.bot {
        return Outcome::Done(format!("`{}` is a bot and skipped", person.login));
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
            // GitHub shows them in the team: that much is done now, the removal waits for a clear answer.
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

fn look_again(hint: &Hint, why: &str) -> Outcome {
    Outcome::LookAgain(why.into(), if hint.looks == 0 { EARLY_LOOK } else { DECISIVE_LOOK })
}

fn entry(job: &TeamJob, hint: &Hint, binding: &Binding, person: &Person, decision: &'static str) -> Entry {
    Entry {
        person: Some(person.id),
        login: Some(person.login.clone()),
        slug: Some(binding.slug.clone()),
        sentry_team: Some(binding.sentry),
        ..job.apply(Some(hint)).entry(decision)
    }
}

fn put_in(job: &TeamJob, binding: &Binding, hint: &Hint, person: &Person) -> Outcome {
    let identity = match job.engine.identify(person) {
        Ok(identity) => identity,
        Err(outcome) => return outcome,
    };
    let member = match plan::present(&identity) {
        PersonStep::Add(member) => member,
        PersonStep::Want(why) => return want(job, binding, hint, person, why),
        PersonStep::Remove(_) | PersonStep::Leave(_) => return Outcome::Done("nothing to do".into()),
    };
    let source = source_of(&identity);
    let entry = Entry { member: Some(member), ..entry(job, hint, binding, person, "add member") };
    match job.apply(Some(hint)).add(binding, member, entry.because(format!("matched by {source}"))) {
        Ok(Added::New(_)) => {
            forget_wish(job, person.id);
            Outcome::Done(format!("added `{}` to `{}`", person.login, binding.slug))
        }
        Ok(Added::Already) => {
            forget_wish(job, person.id);
            Outcome::Done(format!("`{}` was already in `{}`", person.login, binding.slug))
        }
        Ok(Added::Requested) => Outcome::Failed(format!(
            "`{}` is not in `{}`: Sentry only filed an access request; give SENTRY_TOKEN Team: Admin (team:write)",
            person.login, binding.slug
        )),
        Ok(Added::Locked) => locked(binding),
        Ok(Added::Missing) => missing(job, binding, hint, person, member)
            .unwrap_or_else(|| {
                // At once the first time: the person may have another membership by now.
                let wait = (hint.tries == 0).then_some(Duration::from_millis(500));
                Outcome::Later("the member is no longer in Sentry".into(), wait)
            }),
        Err(outcome) => outcome,
    }
}

fn source_of(identity: &Identity) -> &'static str {
    match identity {
        Identity::Matched { source, .. } => source.name(),
        _ => "",
    }
}

fn take_out(job: &TeamJob, binding: &Binding, hint: &Hint, person: &Person) -> Outcome {
    forget_wish(job, person.id);
    let engine = job.engine;
    let identity = match engine.identify_for_removal(person) {
        Ok(identity) => identity,
        Err(outcome) => return outcome,
    };
    let protected =
        |member| engine.who.with_addresses(member, |addresses| engine.settings.protect.covers_any(addresses));
    let member = match plan::absent(&identity, engine.settings.remove_members, protected) {
        PersonStep::Remove(member) => member,
        PersonStep::Leave(why) => {
            engine.audit.write(entry(job, hint, binding, person, "leave member").because(why.clone()));
            return Outcome::Done(format!("`{}`: {why}", person.login));
        }
        PersonStep::Add(_) | PersonStep::Want(_) => return Outcome::Done("nothing to do".into()),
    };
    if let Some(outcome) = held_back(job, binding, hint, person) {
        return outcome;
    }
    let entry = Entry { member: Some(member), ..entry(job, hint, binding, person, "remove member") };
    match job.apply(Some(hint)).remove(
        binding,
        member,
        entry.because(format!("matched by {}", source_of(&identity))),
    ) {
        Ok(Removed::Done(_)) => Outcome::Done(format!("removed `{}` from `{}`", person.login, binding.slug)),
        Ok(Removed::Locked) => locked(binding),
        Ok(Removed::Missing) => missing(job, binding, hint, person, member)
            .unwrap_or_else(|| Outcome::Done(format!("`{}` is no longer in Sentry", person.login))),
        Err(outcome) => outcome,
    }
}

/// After damage to the journal, nobody is taken out before a person has said so.
fn held_back(job: &TeamJob, binding: &Binding, hint: &Hint, person: &Person) -> Option<Outcome> {
    let rule = job.engine.state(guard::removal).err()?;
    let change = HeldChange::Remove { team: job.team, user: person.id, slug: binding.slug.clone() };
    match job.engine.state(|state| state.holds.decision(&change)) {
        Some(decision) if decision.approved => None,
        Some(_) => Some(Outcome::Done(format!("removing `{}` was rejected", person.login))),
        None => Some(bind::hold(job, &job.apply(Some(hint)), change, rule)),
    }
}

/// A 404 does not say what is missing: the team is read, then the member. `None` if the team is there, so that it was
/// the member; an outcome if the team had to be found again.
fn missing(
    job: &TeamJob,
    binding: &Binding,
    hint: &Hint,
    person: &Person,
    member: MemberId,
) -> Option<Outcome> {
    let apply = job.apply(Some(hint));
    match apply.look(&binding.slug) {
        Ok(Some(team)) if team.id == binding.sentry => {}
        Ok(_) => {
            let again =
                || Outcome::Later("the Sentry team was looked for".into(), Some(Duration::from_millis(200)));
            return Some(bind::find_again(job, &apply, binding).map_or_else(|outcome| outcome, |()| again()));
        }
        Err(outcome) => return Some(outcome),
    }
    match job.engine.sentry.teams_of(member) {
        Ok(Some(_)) => {
            Some(Outcome::Later("Sentry answered 404 although team and member are there".into(), None))
        }
        Ok(None) => {
            job.engine.unmatch(person.id, member);
            None
        }
        Err(trouble) => Some(job.engine.sentry_trouble(trouble)),
    }
}

fn locked(binding: &Binding) -> Outcome {
    Outcome::Failed(format!(
        "Sentry team `{}` is managed by your identity provider: change its members there, or leave the team out with SYNC_TEAMS",
        binding.slug
    ))
}

/// Somebody whom Sentry does not know yet stays wanted.
fn want(job: &TeamJob, binding: &Binding, hint: &Hint, person: &Person, why: String) -> Outcome {
    job.engine.journal.note(Record::Wanted {
        team: job.team,
        user: person.id,
        login: person.login.clone(),
        why: why.as_str().into(),
        at: Timestamp::now(),
    });
    job.engine.audit.write(entry(job, hint, binding, person, "want member").because(why.clone()));
    Outcome::Done(format!("`{}` is wanted in `{}`: {why}", person.login, binding.slug))
}

fn forget_wish(job: &TeamJob, user: GithubUserId) {
    if job.engine.state(|state| state.people.is_wanted(job.team, user)) {
        job.engine.journal.note(Record::Unwanted { team: job.team, user });
    }
}

/// Everybody who should be in the team and is not: after it was made, and when an event names nobody in particular.
/// Only additions; whoever can not be added now stays wanted. A few words on it, if there was anything to do.
pub fn fill(job: &TeamJob, binding: &Binding, how: How, folded: &Folded) -> Result<Option<String>, Outcome> {
    let people = match job.mode {
        Mode::Read => job.truth().members()?.unwrap_or_default(),
        Mode::Payload if matches!(how, How::Created | How::Adopted) || folded.fills_again() => by_word(job),
        Mode::Payload => Vec::new(),
    };
    let people: Vec<_> =
        people.into_iter().filter(|person| !folded.members.contains_key(&person.id)).collect();
    if people.is_empty() {
        return Ok(None);
    }
    let there = if how == How::Created { BTreeSet::new() } else { members_there(job, binding)? };
    let (mut added, mut open) = (0, 0);
    let cause = folded.team.first().or_else(|| folded.members.values().next());
    for person in people {
        let known = job.engine.state(|state| state.people.matched(person.id).map(|found| found.member));
        if known.is_some_and(|member| there.contains(&member)) {
            continue;
        }
        let Some(hint) = cause.map(|cause| look_hint(cause, &person)) else { continue };
        match one(job, binding, &hint, true) {
            Outcome::Done(_) => added += 1,
            Outcome::Later(why, _) => {
                open += 1;
                // It outlives a restart as a wish; meanwhile it is tried again like any hint.
                want(job, binding, &hint, &person, why);
                let again = Hint { due: hint.due + EARLY_LOOK, origin: Origin::Own("fill team"), ..hint };
                job.engine.lanes.add(LaneKey::Team(job.team), again);
            }
            _ => open += 1,
        }
    }
    Ok(Some(format!(
        "looked at {added} more of its people{}",
        if open > 0 { format!(", {open} still open") } else { String::new() }
    )))
}

/// A look at one more person on behalf of the hint that led to it.
fn look_hint(cause: &Hint, person: &Person) -> Hint {
    let ask = Ask::Member { person: person.clone(), change: None, sure: true };
    Hint::new(cause.seq, cause.origin.clone(), ask)
}

fn members_there(job: &TeamJob, binding: &Binding) -> Result<BTreeSet<MemberId>, Outcome> {
    let read = job.engine.sentry.team_members(&binding.slug);
    let members = read.map_err(|trouble| job.engine.sentry_trouble(trouble))?;
    Ok(members.unwrap_or_default().into_iter().map(|member| member.id).collect())
}

/// Payload mode: everybody whose latest word is "in the team", when the Sentry team had to be made anew.
fn by_word(job: &TeamJob) -> Vec<Person> {
    job.engine.state(|state| {
        let news = state.teams.news(job.team);
        let present = news.into_iter().flat_map(|news| news.people()).filter(|(_, present, _)| *present);
        let login = |user| {
            let matched = state.people.matched(user).map(|found| found.login.clone());
            let wanted =
                || state.people.wanted().find(|(id, _)| *id == user).map(|(_, wanted)| wanted.login.clone());
            // Without a login, the account is looked up by its id.
            matched.or_else(wanted).unwrap_or_else(|| Login::from(""))
        };
        present.map(|(user, ..)| Person { id: user, login: login(user), bot: false }).collect()
    })
}
