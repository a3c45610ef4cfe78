//! Whether the names in CODEOWNERS find the mirrored teams in Sentry. It counts them even while `SYNC_CODEOWNERS` is
//! off, so that people learn about the setting. It reports nothing if the token cannot list the names.

use super::finding::{some_of, Area, Finding};
use super::patient::Patient;
use crate::hosts::sentry::external::{ExternalTeam, OwnersOf};
use crate::hosts::sentry::Sentry;
use crate::hosts::snapshot::GithubSnapshot;
use crate::state::ids::{Login, OwnerName};
use crate::state::values::Binding;
use crate::text::counted;

const AREA: Area = Area::Sentry;

/// The mirrored teams, by what CODEOWNERS finds under their names.
#[derive(Default)]
struct Found<'a> {
    linked: usize,
    missing: Vec<&'a str>,
    elsewhere: Vec<&'a str>,
    /// Linked names that no team of the GitHub organisation has.
    stale: Vec<&'a str>,
}

pub(super) fn look(patient: &Patient, github: Option<&GithubSnapshot>, sentry: &Sentry) -> Vec<Finding> {
    let known = patient.known.as_ref().map(|known| &known.state);
    let org = known.and_then(|state| state.org.as_ref()).map(|org| &org.login);
    let (Some(github), Some(state), Some(org)) = (github, known, org) else { return Vec::new() };
    let rows = match sentry.links() {
        Ok(Some(mut rows)) => {
            rows.sort_by(|a, b| a.name.cmp(&b.name));
            rows
        }
        Ok(None) => return Vec::new(),
        Err(trouble) => return vec![AREA.unread("the names that CODEOWNERS uses for teams", &trouble)],
    };
    let named = github.teams.iter().filter_map(|team| Some((OwnerName::of(org, &team.facts.slug)?, team)));
    let mut named: Vec<_> = named.collect();
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut found = Found::default();
    for (name, team) in &named {
        let binding = state.teams.binding(team.facts.id);
        let is_wanted = patient.settings.teams.matches(&team.facts.slug);
        if let Some(binding) = binding.filter(|_| is_wanted) {
            found.look(name, binding, &rows);
        }
    }
    let is_a_teams = |name: &OwnerName| named.binary_search_by(|(known, _)| known.cmp(name)).is_ok();
    let is_stale = |row: &&ExternalTeam| org.is(row.name.org()) && !is_a_teams(&row.name);
    if !github.gaps.lacks_teams() {
        found.stale = rows.iter().filter(is_stale).map(|row| row.name.as_str()).collect();
    }
    let mut findings = vec![found.told(patient.settings.links)];
    match sentry.owners_of_projects() {
        Ok(Some(files)) => {
            let known: Vec<_> = named.iter().map(|(name, _)| name).collect();
            findings.extend(of_files(&files, org, &known));
        }
        Ok(None) => {}
        Err(trouble) => {
            findings.push(AREA.unread("the errors that Sentry found in CODEOWNERS files", &trouble))
        }
    }
    if let Some(why) = patient.service.and_then(|service| service.what_bars_links()) {
        let (what, fix) = why.split_once(": ").unwrap_or((&why, "see the log"));
        findings.push(AREA.warning(format!("no more names of CODEOWNERS are linked: {what}"), fix));
    }
    findings
}

/// Reports the errors that Sentry itself found in CODEOWNERS files. `known` are the names of the organisation's teams.
fn of_files(files: &[OwnersOf], org: &Login, known: &[&OwnerName]) -> Vec<Finding> {
    let (mut unknown, mut misspelt, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        for name in file.unknown.iter().filter(|name| org.is(name.org())) {
            let is_meant = |known: &&&OwnerName| known.as_str().eq_ignore_ascii_case(name.as_str());
            match known.iter().find(is_meant) {
                Some(known) if *known != name => {
                    misspelt.push(format!("{name} for {known} in {}", file.project))
                }
                _ => unknown.push(format!("{name} in {}", file.project)),
            }
        }
        without.extend(file.without_access.iter().map(|team| format!("{team} in {}", file.project)));
    }
    let some = |of: &[String]| some_of(of.iter().map(String::as_str));
    let mut findings = Vec::new();
    if !unknown.is_empty() {
        let what = format!("CODEOWNERS names teams that Sentry does not find: {}", some(&unknown));
        findings.push(
            AREA.warning(what, "link them with SYNC_CODEOWNERS=link, and remove deleted teams from the file"),
        );
    }
    if !misspelt.is_empty() {
        let what = format!(
            "CODEOWNERS spells team names differently from GitHub, and Sentry is case-sensitive: {}",
            some(&misspelt)
        );
        findings.push(AREA.warning(what, "spell them in the file as GitHub does"));
    }
    if !without.is_empty() {
        let what = format!("CODEOWNERS names teams that the project does not belong to, so Sentry assigns them no issues there: {}", some(&without));
        findings.push(AREA.note(format!("{what}; add the team in the project's settings")));
    }
    if findings.is_empty() && !files.is_empty() {
        let n = counted(files.len(), "project", "projects");
        findings.push(AREA.ok(format!("Sentry finds every team of `{org}` in the CODEOWNERS files of {n}")));
    }
    findings
}

impl<'a> Found<'a> {
    fn look(&mut self, name: &OwnerName, binding: &'a Binding, rows: &[ExternalTeam]) {
        let slug = binding.slug.as_str();
        // The rows are sorted by name.
        let first = rows.partition_point(|row| row.name < *name);
        let mut named = rows.iter().skip(first).take_while(|row| row.name == *name).peekable();
        if named.peek().is_none() {
            self.missing.push(slug);
        } else if named.all(|row| row.team == binding.sentry) {
            self.linked += 1;
        } else {
            self.elsewhere.push(slug);
        }
    }

    fn told(&self, is_on: bool) -> Finding {
        let Self { linked, missing, elsewhere, stale } = self;
        let mirrored = linked + missing.len() + elsewhere.len();
        let some = |of: &[&str]| match some_of(of.iter().copied()) {
            names if names.is_empty() => String::new(),
            names => format!(" ({names})"),
        };
        let mut what = format!(
            "of {}, CODEOWNERS finds {linked}, misses {}{}, and takes {} for another Sentry team{}",
            counted(mirrored, "mirrored team", "mirrored teams"),
            missing.len(),
            some(missing),
            elsewhere.len(),
            some(elsewhere),
        );
        if !stale.is_empty() {
            what += &format!(
                "; {} no GitHub team{}",
                counted(stale.len(), "name fits", "names fit"),
                some(stale)
            );
        }
        match (is_on, missing.is_empty(), elsewhere.is_empty() && stale.is_empty()) {
            (_, true, true) => AREA.ok(what),
            (false, ..) => AREA.note(format!("{what}; with SYNC_CODEOWNERS=link the service links them and follows renames")),
            (true, false, _) => AREA.warning(what, "run `sentry-team-sync sync`: it shows what prevents the links"),
            (true, true, false) => AREA.warning(
                what,
                "change or delete those mappings in Sentry (Settings, Integrations, GitHub, Configure, Team Mappings)",
            ),
        }
    }
}
