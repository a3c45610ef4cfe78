//! The command `explain`: finds the team that is meant, and says what is known of it and what both sides show.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;

use super::{Bench, Reply};
use crate::engine::Engine;
use crate::escape::{self, Quoted, Safe};
use crate::explain::{find, look, Explanation};
use crate::github::TeamFacts;
use crate::ids::{GithubSlug, GithubTeamId, SentrySlug, SentryTeamId};
use crate::state::record::Mode;
use crate::work::hint::Outcome;

/// Explains one team.
pub fn run(bench: &Bench, text: &str, json: bool) -> Reply {
    let mut reply = Reply::default();
    let shown = match bench.engine.map_or(Ok(None), |engine| on_github(engine, text)) {
        Ok(shown) => shown,
        Err(why) => {
            reply.fail(&format!("failed to ask GitHub for the team: {why}"));
            None
        }
    };
    let team = match which(bench, text, shown.as_ref()) {
        Ok(Some(team)) => team,
        // It may be one that only GitHub knows.
        Ok(None) if reply.exit != 0 => return reply,
        Ok(None) => {
            let found = bench.engine.and_then(|engine| unfollowed(engine, text, json));
            return found.unwrap_or_else(|| unknown(text));
        }
        Err(several) => return several,
    };
    let mut told = bench.journal.read(|state| Explanation::of_state(state, &bench.settings, team));
    if let Err(error) = told.add_audit(&bench.settings.state_dir) {
        reply.tell(&format!("warning: the audit log can not be read: {error}"));
    }
    bench.journal.read(|state| told.add_restored(state));
    if let Some(engine) = bench.engine {
        told.add_waits(engine);
        if reply.exit == 0 {
            look_at_both(engine, shown.filter(|facts| facts.id == team), &mut told, &mut reply);
        }
    }
    if reply.exit == 0 && told.has_news() {
        reply.exit = 2;
    }
    reply.out = match json {
        true => escape::pretty(&told),
        false => told.to_text(),
    };
    reply
}

fn look_at_both(engine: &Engine, facts: Option<TeamFacts>, told: &mut Explanation, reply: &mut Reply) {
    match look::look(engine, told.team, facts) {
        Ok(look) => told.add_look(look, &engine.settings()),
        Err(Outcome::Later(why, _) | Outcome::Failed(why)) => {
            reply.fail(&format!("failed to look at both sides: {why}"));
        }
        Err(_) => reply.fail("failed to look at both sides"),
    }
}

/// What is said of a Sentry team that follows nobody, if Sentry has one of that slug.
fn unfollowed(engine: &Engine, text: &str, json: bool) -> Option<Reply> {
    let slug = SentrySlug::from(text);
    let team = engine.sentry.team(&slug).ok().flatten().filter(|team| team.slug == slug)?;
    let out = match json {
        true => {
            escape::pretty(&json!({ "team": null, "sentry": team.id, "slug": team.slug, "name": team.name }))
        }
        false => format!(
            "{} (Sentry team {}) {}\n  on GitHub: no team of this slug\n  in Sentry: it follows no GitHub team: the mirror \
             leaves it alone\n",
            Safe(text),
            team.id,
            Quoted(&team.name)
        ),
    };
    Some(Reply { out, ..Reply::default() })
}

/// A team that the mirror follows, in the list.
#[derive(Serialize)]
struct Listed<'a> {
    team: GithubTeamId,
    sentry: SentryTeamId,
    slug: &'a str,
}

/// All teams that follow a GitHub team.
pub fn list(bench: &Bench, json: bool) -> Reply {
    let mut reply = Reply::default();
    bench.journal.read(|state| {
        let teams = state.teams.bindings().map(|(team, binding)| {
            let (sentry, slug) = (binding.sentry, binding.slug.as_str());
            Listed { team, sentry, slug }
        });
        if json {
            reply.out = escape::pretty(&teams.collect::<Vec<_>>());
            return;
        }
        for Listed { team, sentry, slug } in teams {
            reply.say(&format!("{}  GitHub team {team}, Sentry team {sentry}", Safe(slug)));
        }
    });
    if reply.out.is_empty() {
        reply.say("no Sentry team follows a GitHub team yet");
    }
    reply
}

/// The team that GitHub shows under this slug now; of one that is named by its id, if the mirror does not know it.
fn on_github(engine: &Engine, text: &str) -> Result<Option<TeamFacts>, String> {
    let Some((org, Mode::Read)) = engine.bearings() else { return Ok(None) };
    let shown = match find::by_id(text) {
        Some(team) if engine.state(|state| find::is_known(state, team)) => return Ok(None),
        Some(team) => engine.github.team(org.id, team),
        None => engine.github.team_of_slug(&org.login, &GithubSlug::from(text)),
    };
    shown.map_err(|trouble| match engine.github_trouble(trouble) {
        Outcome::Later(why, _) | Outcome::Failed(why) => why,
        _ => "no answer".into(),
    })
}

/// The team that is meant; an error if there are several.
fn which(bench: &Bench, text: &str, shown: Option<&TeamFacts>) -> Result<Option<GithubTeamId>, Reply> {
    if let Some(team) = find::by_id(text) {
        let known = shown.is_some() || bench.journal.read(|state| find::is_known(state, team));
        return Ok(known.then_some(team));
    }
    let mut teams = bench.journal.read(|state| find::by_slug(state, &bench.settings, text));
    teams.extend(shown.map(|facts| facts.id));
    if teams.is_empty() {
        teams = find::in_audit(&bench.settings.state_dir, text).unwrap_or_default();
    }
    let mut found = teams.iter();
    match (found.next(), found.next()) {
        (only, None) => Ok(only.copied()),
        _ => Err(several(bench, text, &teams)),
    }
}

fn unknown(text: &str) -> Reply {
    Reply::failed(format_args!(
        "no team `{}` is known: neither as a slug on GitHub or in Sentry, nor as id:NUMBER of GitHub\n  fix: `sentry-team-sync explain` lists the teams that are mirrored",
        Safe(text)
    ))
}

fn several(bench: &Bench, text: &str, teams: &BTreeSet<GithubTeamId>) -> Reply {
    let names: Vec<_> = bench.journal.read(|state| {
        teams.iter().map(|team| format!("id:{team} for {}", find::name_of(state, *team))).collect()
    });
    Reply::failed(format_args!(
        "several teams have or had the slug `{}`\n  fix: name one: {}",
        Safe(text),
        names.join(", ")
    ))
}
