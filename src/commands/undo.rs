//! The command `undo`: lists the Sentry teams that the mirror has deleted, and restores one of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Reply;
use crate::queue::job::{Ask, LaneKey, Own};
use crate::queue::restore_request::{Report, Undo};
use crate::reconcile::Progress;
use crate::state::ids::SentryTeamId;
use crate::state::meant::TeamName;
use crate::store::audit::decisions::Asked;
use crate::store::audit::deletions::{self, Deletion, Was};
use crate::store::audit::read::Log;
use crate::store::audit::Entry;
use crate::text::{counted, Quoted, Safe};
use crate::work::mirror::Mirror;

/// How often progress is shown.
const TELL: Duration = Duration::from_secs(2);
/// The command gives up after this many waits in a row without progress.
const MOST_WAITS: usize = 60;
/// The same while no work can be done at all, for example during a pause.
const MOST_WAITS_PAUSED: usize = 3;

/// Lists the deleted teams. `back` returns the team that has already replaced a deleted one, if that is known.
pub fn list(state_dir: &Path, back: &dyn Fn(SentryTeamId) -> Option<SentryTeamId>) -> Reply {
    if let Some(err) = Log::of(state_dir).is_missing() {
        return Reply { err, ..Reply::default() };
    }
    let mut found = match read(state_dir) {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let mut reply = Reply::default();
    found.retain(|deletion| deletion.is_certain);
    if found.is_empty() {
        reply.say("the audit log has no deleted team");
    }
    for deletion in &found {
        let Deletion { at, sentry, slug, name, members, projects, .. } = deletion;
        let projects = match projects.as_deref() {
            None => "projects unknown".into(),
            Some([]) => "no projects".into(),
            Some(projects) => format!("projects {}", listed(projects)),
        };
        let people = counted(members.len(), "person", "people");
        let back = back(*sentry).map(|now| format!(", back as {now}")).unwrap_or_default();
        let (slug, name, at) = (Safe(slug.as_str()), Quoted(name), Safe(at));
        reply.say(&format!("{sentry}  {slug}  {name}  deleted {at}, {people}, {projects}{back}"));
    }
    reply
}

pub fn run(mirror: &Mirror, id: &str, asked: &Asked, progress: Progress) -> Reply {
    if let Some(pause) = mirror.pause() {
        return Reply::paused(&pause);
    }
    let name = TeamName::read(id);
    if let Some(why) = mirror.state(|state| name.stranger(state.org.as_ref().map(|org| &org.login))) {
        return Reply::failed(why);
    }
    let deletion = match read(&mirror.settings().state_dir).and_then(|found| choose(found, id, &name)) {
        Ok(deletion) => deletion,
        Err(reply) => return reply,
    };
    let team = deletion.team;
    let line = |decision| Entry {
        team: Some(team),
        slug: Some(deletion.slug.clone()),
        sentry_team: Some(deletion.sentry),
        ..asked.entry(decision)
    };
    mirror.audit.write(line("undo").because(format!("it was deleted {}", deletion.at)));
    let ended = line("end undo");
    let undo = Arc::new(Undo::new(deletion));
    mirror.queue.ask(LaneKey::Team(team), Own::Undo, Ask::Undo(undo.clone()));
    let (said, reply) = match wait(mirror, &undo, progress) {
        Ok(report) => {
            let reply = told(&undo.deletion, &report);
            (reply.out.clone(), reply)
        }
        Err(why) => (why.clone(), Reply::failed(why)),
    };
    mirror.audit.write(ended.because(said.lines().next().unwrap_or_default()));
    reply
}

fn read(state_dir: &Path) -> Result<Vec<Deletion>, Reply> {
    deletions::all(&Log::of(state_dir)).map_err(|error| {
        Reply::failed(format_args!("failed to read the audit log in `{}`: {error}", state_dir.display()))
    })
}

/// Finds the deletion by the Sentry team's id, or by a slug or GitHub id that only one deleted team had. Only the
/// Sentry id also finds a deletion whose outcome is unknown.
fn choose(found: Vec<Deletion>, id: &str, name: &TeamName) -> Result<Deletion, Reply> {
    let number = id.trim().parse().ok().map(SentryTeamId);
    let is_it = |deletion: &&Deletion| match (number, name) {
        (Some(number), _) => deletion.sentry == number,
        (None, TeamName::Id(team)) => deletion.team == *team && deletion.is_certain,
        (None, TeamName::Slug(slug, _)) => {
            deletion.slug.as_str().eq_ignore_ascii_case(slug) && deletion.is_certain
        }
    };
    let chosen: Vec<_> = found.iter().filter(is_it).collect();
    match chosen.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Reply::failed(format_args!(
            "the audit log has no deleted Sentry team `{}`\n  fix: `sentry-team-sync undo` lists the teams deleted within SYNC_AUDIT_KEEP",
            Safe(id)
        ))),
        several => {
            let ids: Vec<_> = several.iter().map(|d| format!("{} ({})", d.sentry, Safe(&d.at))).collect();
            Err(Reply::failed(format_args!(
                "several deleted teams had the slug `{}`\n  fix: give the id of one: {}",
                Safe(id),
                ids.join(", ")
            )))
        }
    }
}

/// Waits until the restore ends, or until it has made no progress for too long.
fn wait(mirror: &Mirror, undo: &Undo, progress: Progress) -> Result<Report, String> {
    let (mut waits, mut n_steps) = (0, 0);
    loop {
        let told = undo.wait(TELL);
        if let Some(ended) = told.ended {
            return ended;
        }
        waits = if told.n_steps > n_steps { 0 } else { waits + 1 };
        n_steps = told.n_steps;
        let paused = mirror.paused_for().map(|(_, why)| why);
        let most = if paused.is_some() { MOST_WAITS_PAUSED } else { MOST_WAITS };
        let why = paused.or(told.put_off).unwrap_or_else(|| format!("{n_steps} members and projects so far"));
        if waits >= most {
            return Err(format!(
                "not done yet: {why}\n  fix: repeat the command; it continues where it stopped"
            ));
        }
        progress(&format!("bringing the team back: {why}"));
    }
}

fn told(deletion: &Deletion, report: &Report) -> Reply {
    let slug = Safe(deletion.slug.as_str());
    let now = report.now.map(|now| now.to_string()).unwrap_or_default();
    let mut reply = Reply::default();
    if report.was_back {
        let lacks = [&report.linked, &report.vanished, &report.denied].iter().any(|list| !list.is_empty());
        let end = if report.linked.is_empty() { ": nothing was done" } else { "" };
        reply.say(&format!("Sentry team `{slug}` is back already, as {now}{end}"));
        if lacks {
            tell_projects(report, &mut reply);
            reply.exit = if report.denied.is_empty() { 0 } else { 2 };
        }
        return reply;
    }
    let name = Quoted(&deletion.name);
    reply.say(&format!("brought back Sentry team `{slug}` {name} as {now} (was {})", deletion.sentry));
    tell_people(deletion, report, &mut reply);
    tell_projects(report, &mut reply);
    tell_names(report, &mut reply);
    reply.say(&format!("it follows no GitHub team until GitHub has a team `{slug}` again"));
    let is_whole = report.left.is_empty()
        && report.failed.is_empty()
        && report.vanished.is_empty()
        && report.denied.is_empty()
        && report.unnamed.is_empty()
        && !report.unknown_projects;
    reply.exit = if is_whole { 0 } else { 2 };
    reply
}

fn tell_people(deletion: &Deletion, report: &Report, reply: &mut Reply) {
    reply.say(&format!("members: {} of {} added again", report.n_back, deletion.members.len()));
    for (was, now) in &report.moved {
        reply.say(&format!("  now under another membership: {}, member {now}", whom(was)));
    }
    for was in &report.left {
        reply.say(&format!("  not in Sentry any more: {}", whom(was)));
    }
    for (was, why) in &report.failed {
        reply.say(&format!("  could not add {}: {}", whom(was), Safe(why)));
    }
}

fn whom(was: &Was) -> String {
    match &was.email {
        Some(email) => format!("{} (member {})", Safe(email), was.member),
        None => format!("member {}", was.member),
    }
}

/// Lists every name, however many: the reader may have to restore them by hand.
fn listed(projects: &[String]) -> String {
    projects.iter().map(|project| Safe(project).to_string()).collect::<Vec<_>>().join(", ")
}

/// Reports which names in CODEOWNERS are linked to the team again, and which could not be.
fn tell_names(report: &Report, reply: &mut Reply) {
    if !report.named.is_empty() {
        reply.say(&format!("in CODEOWNERS: {} again", listed(&report.named)));
    }
    for (name, why) in &report.unnamed {
        reply.say(&format!("  could not link {} in CODEOWNERS: {}", Safe(name), Safe(why)));
    }
}

fn tell_projects(report: &Report, reply: &mut Reply) {
    if report.unknown_projects {
        reply.say("projects: unknown which it had; add the team in each project's settings in Sentry");
        return;
    }
    reply.say(&match (report.linked.as_slice(), report.denied.is_empty() && report.vanished.is_empty()) {
        ([], true) => "projects: it had none".into(),
        ([], false) => "projects: none given back".into(),
        (linked, _) => format!("projects given back: {}", listed(linked)),
    });
    if !report.vanished.is_empty() {
        reply.say(&format!("  not in Sentry any more: {}", listed(&report.vanished)));
    }
    if !report.denied.is_empty() {
        reply.say(&format!(
            "  could not give back {}: SENTRY_TOKEN lacks project:write; add the team in each project's settings in Sentry, or set Project to Read & Write in the integration's permissions and repeat the command",
            listed(&report.denied)
        ));
    }
}
