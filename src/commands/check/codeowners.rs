//! Whether CODEOWNERS finds the mirrored teams in Sentry: counted also while `SYNC_CODEOWNERS` is off, so that people learn of
//! it. Nothing is said where the token may not list teams.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{some_of, Area, Finding};
use super::patient::Patient;
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::sentry::Sentry;
use crate::hosts::snapshot::GithubSnapshot;
use crate::state::ids::{Login, OwnerName, SentryTeamId};
use crate::text::counted;

const AREA: Area = Area::Sentry;

/// The names of the mirrored teams, and what they mean.
#[derive(Default)]
struct Found<'a> {
    linked: usize,
    missing: BTreeSet<&'a str>,
    elsewhere: BTreeSet<&'a str>,
    /// Names of teams that the organisation does not have.
    stale: BTreeSet<&'a str>,
}

pub(super) fn look(patient: &Patient, github: Option<&GithubSnapshot>, sentry: &Sentry) -> Vec<Finding> {
    let known = patient.known.as_ref().map(|known| &known.state);
    let org = known.and_then(|state| state.org.as_ref()).map(|org| &org.login);
    let (Some(github), Some(state), Some(org)) = (github, known, org) else { return Vec::new() };
    let rows = match sentry.links() {
        Ok(Some(rows)) => rows,
        Ok(None) => return Vec::new(),
        Err(trouble) => return vec![AREA.unread("what CODEOWNERS calls the teams", &trouble)],
    };
    let mirrored = github.teams.iter().filter_map(|team| {
        let binding = state.teams.binding(team.facts.id)?;
        let is_wanted = patient.settings.teams.matches(&team.facts.slug);
        let name = OwnerName::of(org, &team.facts.slug).filter(|_| is_wanted)?;
        Some((name, (binding.sentry, binding.slug.as_str())))
    });
    let mirrored: BTreeMap<_, _> = mirrored.collect();
    let all: BTreeSet<_> =
        github.teams.iter().filter_map(|team| OwnerName::of(org, &team.facts.slug)).collect();
    let found = Found::new(&mirrored, &rows, org, &all, !github.gaps.lacks_teams());
    let mut findings = vec![found.told(mirrored.len(), patient.settings.links)];
    if let Some(why) = patient.service.and_then(|service| service.what_bars_links()) {
        let (what, fix) = why.split_once(": ").unwrap_or((&why, "see the log"));
        findings.push(AREA.warning(format!("no more names of CODEOWNERS are linked: {what}"), fix));
    }
    findings
}

impl<'a> Found<'a> {
    fn new(
        mirrored: &'a BTreeMap<OwnerName, (SentryTeamId, &'a str)>,
        rows: &'a [ExternalTeam],
        org: &Login,
        all: &BTreeSet<OwnerName>,
        whole: bool,
    ) -> Self {
        let mut found = Self::default();
        for (name, (sentry, slug)) in mirrored {
            let mut named = rows.iter().filter(|row| row.name == *name).peekable();
            if named.peek().is_none() {
                found.missing.insert(slug);
            } else if named.all(|row| row.team == *sentry) {
                found.linked += 1;
            } else {
                found.elsewhere.insert(slug);
            }
        }
        let ours = rows.iter().filter(|row| whole && org.is(row.name.org()) && !all.contains(&row.name));
        found.stale = ours.map(|row| row.name.as_str()).collect();
        found
    }

    fn told(&self, mirrored: usize, is_on: bool) -> Finding {
        let Self { linked, missing, elsewhere, stale } = self;
        let some = |of: &BTreeSet<&str>| match some_of(of.iter().copied()) {
            names if names.is_empty() => String::new(),
            names => format!(" ({names})"),
        };
        let mut what = format!(
            "of {}, CODEOWNERS finds {linked} by its name, {} not at all{}, {} as another Sentry team{}",
            counted(mirrored, "mirrored team", "mirrored teams"),
            missing.len(),
            some(missing),
            elsewhere.len(),
            some(elsewhere),
        );
        if !stale.is_empty() {
            what += &format!(
                "; {} of no GitHub team{}",
                counted(stale.len(), "name is", "names are"),
                some(stale)
            );
        }
        match (is_on, missing.is_empty(), elsewhere.is_empty() && stale.is_empty()) {
            (_, true, true) => AREA.ok(what),
            (false, ..) => AREA.note(format!("{what}; SYNC_CODEOWNERS=link has the mirror link them, and follow renames")),
            (true, false, _) => AREA.warning(what, "look at `sentry-team-sync sync`, which says what keeps them from being linked"),
            (true, true, false) => AREA.warning(
                what,
                "change or delete those mappings in Sentry (Settings, Integrations, GitHub, Configure, Team Mappings)",
            ),
        }
    }
}
