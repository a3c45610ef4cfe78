//! Restores a Sentry team that the service deleted: the team, its people, its projects and its names in CODEOWNERS.
//! Every step can be repeated, so a second call continues after a crash or an outage.

use super::bind;
use super::team_job::TeamJob;
use crate::config::Trust;
use crate::hosts::sentry::ids::TeamAt;
use crate::hosts::sentry::{Added, Member, Team};
use crate::identity::directory::{Directory, Found};
use crate::queue::job::{Hint, Outcome};
use crate::queue::restore_request::{Report, Undo};
use crate::state::address::Address;
use crate::state::ids::{GithubTeamId, MemberId};
use crate::state::values::{Binding, Mode, Origin};
use crate::state::Org;
use crate::store::audit::deletions::{Deletion, Was};
use crate::store::audit::Entry;
use crate::work::apply::restore::LinkedBack;
use crate::work::apply::Apply;
use crate::work::mirror::Mirror;

/// Restores the team, or continues an earlier attempt.
pub fn run(mirror: &Mirror, team: GithubTeamId, hint: &Hint, undo: &Undo, org: &Org, mode: Mode) -> Outcome {
    let job = TeamJob { mirror, team, org: org.clone(), mode };
    let apply = job.apply(hint);
    match bring_back(&job, &apply, undo) {
        Ok(report) => {
            undo.end(Ok(report));
            Outcome::Done(format!("Sentry team `{}` is back", undo.deletion.slug))
        }
        Err(Outcome::Failed(why)) => {
            undo.end(Err(why.clone()));
            Outcome::Done(why)
        }
        Err(outcome) => {
            if let Outcome::Later(why, _) | Outcome::Waiting(why) = &outcome {
                undo.put_off(why);
            }
            outcome
        }
    }
}

fn bring_back(job: &TeamJob, apply: &Apply, undo: &Undo) -> Result<Report, Outcome> {
    let deletion = &undo.deletion;
    if !apply.is_restoring(deletion) {
        bind::resolve_without_making(job, apply)?;
    }
    must_be_gone(job, apply, deletion)?;
    let team = match there_again(job, apply, deletion)? {
        Some(team) if !apply.is_restoring(deletion) => {
            let mut report = Report { was_back: true, now: Some(team.id), ..Report::default() };
            let work = Work { deletion, step: &|| undo.step(), belongs: &|_| true };
            work.projects(apply, &team, &mut report)?;
            return Ok(report);
        }
        Some(team) => team,
        None => match apply.restore(deletion, false)? {
            Some(team) => team,
            None => return Err(taken(job, apply, deletion)?),
        },
    };
    let work = Work { deletion, step: &|| undo.step(), belongs: &|_| true };
    let report = work.give_back(job, apply, &team)?;
    apply.drop_intent()?;
    // Teams that wait for the slug can see now that it is taken.
    job.mirror.queue.moved(job.team);
    Ok(report)
}

/// Fails if the Sentry team was not deleted after all, or if the GitHub team has another Sentry team by now.
fn must_be_gone(job: &TeamJob, apply: &Apply, deletion: &Deletion) -> Result<(), Outcome> {
    let Deletion { sentry, slug, .. } = deletion;
    if let Some(team) = apply.look_for(TeamAt { id: *sentry, slug })? {
        return Err(Outcome::Failed(format!(
            "Sentry team {sentry} was not deleted: it is there, as `{}`",
            team.slug
        )));
    }
    match job.binding() {
        Some(binding) => Err(Outcome::Failed(format!(
            "GitHub team {} has another Sentry team by now, `{}` ({})",
            job.team, binding.slug, binding.sentry
        ))),
        None => Ok(()),
    }
}

/// The team that an earlier attempt made in its place.
fn there_again(job: &TeamJob, apply: &Apply, deletion: &Deletion) -> Result<Option<Team>, Outcome> {
    let Some(now) = job.mirror.state(|state| state.teams.restored(deletion.sentry)) else { return Ok(None) };
    apply.look_for(TeamAt { id: now, slug: &deletion.slug })
}

fn taken(job: &TeamJob, apply: &Apply, deletion: &Deletion) -> Result<Outcome, Outcome> {
    let slug = &deletion.slug;
    let whose = match apply.look(slug)? {
        Some(team) => match job.mirror.state(|state| state.teams.of_sentry(team.id)) {
            Some(owner) => format!("by Sentry team {}, which follows GitHub team {owner}", team.id),
            None => format!("by Sentry team {}, which follows no GitHub team", team.id),
        },
        None => match job.mirror.state(|state| state.teams.owner(slug)) {
            Some(owner) => format!("in a moment by GitHub team {owner}"),
            None => {
                return Ok(Outcome::Failed(format!(
                    "slug `{slug}` is taken, though no team shows it: Sentry may still be deleting one, try again in 15 minutes"
                )))
            }
        },
    };
    Ok(Outcome::Failed(format!(
        "slug `{slug}` is taken {whose}: nothing was done; give that one another slug in Sentry first"
    )))
}

/// Gives a team that was made again what the deleted one had.
pub(super) struct Work<'a> {
    pub deletion: &'a Deletion,
    /// Called for each person, project and name.
    pub step: &'a dyn Fn(),
    /// Whether somebody who was in the team still belongs there.
    pub belongs: &'a dyn Fn(&Was) -> bool,
}

impl Work<'_> {
    /// Gives back people, projects and names. Every step can be repeated.
    pub fn give_back(&self, job: &TeamJob, apply: &Apply, team: &Team) -> Result<Report, Outcome> {
        let mut report = Report { now: Some(team.id), ..Report::default() };
        self.people(job, apply, team, &mut report)?;
        self.projects(apply, team, &mut report)?;
        self.names(apply, team, &mut report)?;
        Ok(report)
    }

    /// Gives back the team's names in CODEOWNERS. A name that means another team by now is left there.
    fn names(&self, apply: &Apply, team: &Team, report: &mut Report) -> Result<(), Outcome> {
        let binding = team.bound(Origin::Created);
        for was in &self.deletion.links {
            (self.step)();
            match apply.link_back(&binding, was, self.deletion.sentry)? {
                None => report.named.push(was.name.to_string()),
                Some(why) => report.unnamed.push((was.name.to_string(), why)),
            }
        }
        Ok(())
    }

    fn people(&self, job: &TeamJob, apply: &Apply, team: &Team, report: &mut Report) -> Result<(), Outcome> {
        let deletion = self.deletion;
        if deletion.members.is_empty() {
            return Ok(());
        }
        let members = job.mirror.read_members(false).map_err(|trouble| job.mirror.sentry_trouble(trouble))?;
        let (directory, trust) = (Directory::new(&members), job.mirror.settings().trust_unverified);
        let binding = team.bound(Origin::Created);
        for was in deletion.members.iter().filter(|was| (self.belongs)(was)) {
            (self.step)();
            let Some(member) = now_in_sentry(was, &members, &directory, trust) else {
                report.left.push(was.clone());
                continue;
            };
            let why = match apply.add(&binding, member, entry(job, apply, &binding, member)) {
                Ok(Added::New(_) | Added::Already) => {
                    report.n_back += 1;
                    if member != was.member {
                        report.moved.push((was.clone(), member));
                    }
                    continue;
                }
                Ok(Added::Missing) if apply.look_at(team.at())?.is_some() => {
                    report.left.push(was.clone());
                    continue;
                }
                Ok(Added::Missing) => {
                    return Err(Outcome::Later("the Sentry team was not found under its slug".into(), None))
                }
                Ok(Added::Requested) => {
                    "Sentry only filed an access request; give SENTRY_TOKEN Team: Admin (team:write)".into()
                }
                Ok(Added::Locked) => "your identity provider manages who is in a team".into(),
                Err(Outcome::Failed(why)) => why,
                Err(outcome) => return Err(outcome),
            };
            report.failed.push((was.clone(), why));
        }
        Ok(())
    }

    fn projects(&self, apply: &Apply, team: &Team, report: &mut Report) -> Result<(), Outcome> {
        let Some(projects) = &self.deletion.projects else {
            report.unknown_projects = true;
            return Ok(());
        };
        let read = apply.mirror.sentry.bound_with_projects(team.at());
        let there = read.map_err(|trouble| apply.mirror.sentry_trouble(trouble))?;
        let there = there.and_then(|there| there.projects).unwrap_or_default();
        for project in projects.iter().filter(|project| !there.contains(project)) {
            (self.step)();
            // If the token may not link one project, it may not link the others either.
            let linked = if report.denied.is_empty() {
                apply.give_project_back(project, team)?
            } else {
                LinkedBack::Denied
            };
            match linked {
                LinkedBack::Done => report.linked.push(project.clone()),
                LinkedBack::Missing => report.vanished.push(project.clone()),
                LinkedBack::Denied => report.denied.push(project.clone()),
            }
        }
        Ok(())
    }
}

fn entry(job: &TeamJob, apply: &Apply, binding: &Binding, member: MemberId) -> Entry {
    let person = job.mirror.state(|state| state.people.of_member(member));
    let login = |user| job.mirror.state(|state| state.people.matched(user).map(|found| found.login.clone()));
    let entry = Entry {
        slug: Some(binding.slug.clone()),
        sentry_team: Some(binding.sentry),
        member: Some(member),
        person,
        login: person.and_then(login),
        ..apply.entry("add member")
    };
    entry.because("was in the team before its deletion")
}

/// Somebody's current membership in Sentry: the same one, or that of the member who has the address by the usual
/// matching rules. A person who left Sentry and came back has another membership.
fn now_in_sentry(was: &Was, members: &[Member], directory: &Directory, trust: Trust) -> Option<MemberId> {
    if members.iter().any(|member| member.id == was.member) {
        return Some(was.member);
    }
    match directory.bearer(&Address::read(was.email.as_ref()?).ok()?, trust) {
        Found::One(member) => Some(member),
        Found::BySearch(_) | Found::Nobody(_) | Found::Several(_) => None,
    }
}
