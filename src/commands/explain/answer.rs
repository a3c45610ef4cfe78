//! The command `explain`: finds the team that the user named, and reports what the service knows and both sides show.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::commands::explain::{live, Explanation};
use crate::commands::{Bench, Reply};
use crate::hosts::github::facts::TeamFacts;
use crate::hosts::sentry::Team;
use crate::hosts::snapshot::SentrySnapshot;
use crate::queue::job::Outcome;
use crate::reconcile::compare::unfollowed;
use crate::state::ids::{GithubSlug, GithubTeamId, SentrySlug, SentryTeamId};
use crate::state::meant::TeamName;
use crate::state::names;
use crate::state::values::Mode;
use crate::store::audit::read::Log;
use crate::text::{self, Quoted, Safe};
use crate::work::mirror::Mirror;

pub fn run(bench: &Bench, text: &str, json: bool) -> Reply {
    let mut reply = Reply::default();
    let name = TeamName::read(text);
    if let Some(why) = bench.journal.read(|state| name.stranger(state.org.as_ref().map(|org| &org.login))) {
        return Reply::failed(why);
    }
    let shown = match bench.mirror().map_or(Ok(None), |mirror| on_github(mirror, &name)) {
        Ok(shown) => shown,
        Err(why) => {
            reply.fail(&format!("failed to ask GitHub for the team: {why}"));
            None
        }
    };
    let team = match which(bench, text, &name, shown.as_ref()) {
        Ok(Some(team)) => team,
        // GitHub could not be asked, and it may be a team that only GitHub knows.
        Ok(None) if reply.exit != 0 => return reply,
        Ok(None) => {
            let found = bench.mirror().and_then(|mirror| one_unfollowed(mirror, name.slug()?, json));
            return found.unwrap_or_else(|| Reply::failed(format_args!(
                "there is no team `{}`: not as a slug on GitHub or in Sentry, and not as GitHub's id:NUMBER\n  fix: `sentry-team-sync explain` lists the teams that are mirrored",
                Safe(text)
            )));
        }
        Err(several) => return several,
    };
    let mut told = bench.journal.read(|state| Explanation::of_state(state, &bench.settings, team));
    if let Err(error) = told.add_audit(&bench.settings.state_dir) {
        reply.tell(&format!("warning: failed to read the audit log: {error}"));
    }
    if let Some(gone) = told.gone.as_mut() {
        gone.back = gone.undo.and_then(|deleted| bench.journal.read(|state| state.teams.restored(deleted)));
    }
    if let Some(live) = bench.live {
        told.add_waits(live.observer);
        if reply.exit == 0 {
            look_at_both(live.mirror(), shown.filter(|facts| facts.id == team), &mut told, &mut reply);
        }
    }
    if reply.exit == 0 && told.has_news() {
        reply.exit = 2;
    }
    reply.out = if json { text::pretty(&told) } else { told.to_text() };
    reply
}

fn look_at_both(mirror: &Mirror, facts: Option<TeamFacts>, told: &mut Explanation, reply: &mut Reply) {
    match live::look(mirror, told.team, facts) {
        Ok(look) => told.add_look(look, &mirror.settings()),
        Err(Outcome::Later(why, _) | Outcome::Failed(why)) => {
            reply.fail(&format!("failed to read both sides: {why}"));
        }
        Err(_) => reply.fail("failed to read both sides"),
    }
}

/// Describes the Sentry team with this slug that follows no GitHub team; `None` if there is none.
fn one_unfollowed(mirror: &Mirror, text: &str, json: bool) -> Option<Reply> {
    let slug = SentrySlug::from(text);
    let team = mirror.sentry.team(&slug).ok().flatten().filter(|team| team.slug == slug)?;
    let on_github = match mirror.bearings() {
        Some((_, Mode::Read)) => "no team of this slug".into(),
        Some((_, Mode::Payload)) => format!(
            "not asked: {} cannot read members, and no delivery has named it",
            mirror.github_token.who()
        ),
        None => "not asked yet: the GitHub organisation is not known".to_string(),
    };
    let out = if json {
        text::pretty(&json!({ "team": null, "sentry": team.id, "slug": team.slug, "name": team.name }))
    } else {
        format!(
        "{} (Sentry team {}) {}\n  on GitHub: {on_github}\n  in Sentry: it follows no GitHub team, so this service \
         leaves it alone\n",
        Safe(text),
        team.id,
        Quoted(&team.name)
    )
    };
    Some(Reply { out, ..Reply::default() })
}

#[derive(Serialize)]
struct Listed {
    /// The GitHub team that it follows, if any.
    team: Option<GithubTeamId>,
    sentry: SentryTeamId,
    slug: SentrySlug,
}

/// Lists the Sentry teams that follow a GitHub team and, if Sentry can be asked, those that follow none.
pub fn list(bench: &Bench, json: bool) -> Reply {
    let mut reply = Reply::default();
    let mut teams: Vec<_> = bench.journal.read(|state| {
        let bound = state.teams.bindings().map(|(team, binding)| Listed {
            team: Some(team),
            sentry: binding.sentry,
            slug: binding.slug.clone(),
        });
        bound.collect()
    });
    if !json && teams.is_empty() {
        reply.say("no Sentry team follows a GitHub team yet");
    }
    teams.extend(bench.mirror().map(|mirror| all_unfollowed(mirror, &mut reply)).unwrap_or_default());
    if json {
        reply.out = text::pretty(&teams);
        return reply;
    }
    for Listed { team, sentry, slug } in teams {
        let follows = team.map_or("no GitHub team".into(), |team| format!("GitHub team {team}"));
        reply.say(&format!("{}  {follows}, Sentry team {sentry}", Safe(slug.as_str())));
    }
    reply
}

/// Sentry teams that follow no GitHub team, for example because a person or another tool created them.
fn all_unfollowed(mirror: &Mirror, reply: &mut Reply) -> Vec<Listed> {
    let sentry = match mirror.sentry.teams() {
        Ok(Some(teams)) => SentrySnapshot { teams, listed: true, ..SentrySnapshot::default() },
        Ok(None) => {
            reply.tell(
                "Sentry teams that follow no GitHub team are not listed, because that needs Organization: Read",
            );
            return Vec::new();
        }
        Err(trouble) => {
            reply.fail(&format!("failed to list Sentry's teams: {trouble}"));
            return Vec::new();
        }
    };
    let mut teams = mirror.state(|state| unfollowed(&sentry, state));
    teams.sort_by(|a, b| a.slug.cmp(&b.slug));
    let listed = |team: &Team| Listed { team: None, sentry: team.id, slug: team.slug.clone() };
    teams.into_iter().map(listed).collect()
}

/// Asks GitHub for the team, in read mode only. By id, it asks only for a team that the mirror does not know.
fn on_github(mirror: &Mirror, name: &TeamName) -> Result<Option<TeamFacts>, String> {
    let Some((org, Mode::Read)) = mirror.bearings() else { return Ok(None) };
    let shown = match name {
        TeamName::Id(team) if mirror.state(|state| names::is_known(state, *team)) => return Ok(None),
        TeamName::Id(team) => mirror.github.team(org.id, *team),
        TeamName::Slug(slug, _) => mirror.github.team_of_slug(&org.login, &GithubSlug::from(slug.as_str())),
    };
    shown.map_err(|trouble| match mirror.github_trouble(trouble) {
        Outcome::Later(why, _) | Outcome::Failed(why) => why,
        _ => "no answer".into(),
    })
}

fn which(
    bench: &Bench,
    text: &str,
    name: &TeamName,
    shown: Option<&TeamFacts>,
) -> Result<Option<GithubTeamId>, Reply> {
    let mut teams = bench.journal.read(|state| name.in_state(state, &bench.settings.slug_prefix));
    teams.extend(shown.map(|facts| facts.id));
    if let (true, Some(slug)) = (teams.is_empty(), name.slug()) {
        teams = in_audit(&bench.settings.state_dir, slug).unwrap_or_default();
    }
    if teams.len() <= 1 {
        return Ok(teams.pop_first());
    }
    let names: Vec<_> = bench.journal.read(|state| {
        teams.iter().map(|team| format!("id:{team} for {}", names::name_of(state, *team))).collect()
    });
    Err(Reply::failed(format_args!(
        "several teams have or had the slug `{}`\n  fix: name one: {}",
        Safe(text),
        names.join(", ")
    )))
}

/// The teams that have or had this slug according to the audit log, including deleted ones.
fn in_audit(state_dir: &Path, slug: &str) -> io::Result<BTreeSet<GithubTeamId>> {
    let mut teams = BTreeSet::new();
    Log::of(state_dir).each(None, &mut |_, line| {
        if line.slug.iter().chain(&line.to).any(|known| known.eq_ignore_ascii_case(slug)) {
            teams.extend(line.team);
        }
        Ok(())
    })?;
    Ok(teams)
}
