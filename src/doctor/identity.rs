//! How many people each source matches, who is left, and what a wider permission would add. Nothing is remembered.

use std::collections::{BTreeMap, BTreeSet};

use super::patient::Patient;
use super::{github, sentry, some_of, Area, Finding};
use crate::event::Person;
use crate::identity::directory::Directory;
use crate::identity::mapgrammar;
use crate::identity::usermap::UserMap;
use crate::identity::{self, Evidence, Identity};
use crate::snapshot::{GithubPerson, GithubSnapshot};
use crate::state::record::{Mode, Source};
use crate::who;
use crate::words::counted;

const AREA: Area = Area::Identity;

/// Looks.
pub(super) fn look(patient: &Patient, github: &github::Seen, sentry: &sentry::Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    let map = user_map(patient, &mut findings);
    match (&github.snapshot, &sentry.members) {
        (Some(read), Some(members)) => {
            let count = Count::of(patient, read, &map, &Directory::new(members));
            findings.extend(count.told(patient, &github.refused));
        }
        (None, _) if github.mode == Some(Mode::Payload) => findings.push(told_by_deliveries(patient)),
        _ => findings.push(AREA.warning(
            "who is matched can not be counted",
            "it takes both tokens: mend what else is told here",
        )),
    }
    findings
}

/// The map, as far as its file is one.
pub(super) fn user_map(patient: &Patient, findings: &mut Vec<Finding>) -> UserMap {
    let Some(path) = &patient.settings.user_map else { return UserMap::default() };
    let shown = path.display();
    let read = std::fs::read_to_string(path).map_err(|why| format!("cannot be read: {why}"));
    match read.and_then(|text| mapgrammar::parse(&text)) {
        Ok(map) => {
            let n = counted(map.len(), "person", "people");
            findings.push(AREA.ok(format!("SYNC_USER_MAP `{shown}` names {n}")));
            map
        }
        Err(why) => {
            let fix = "correct the file; until then the last good one stays in use";
            findings.push(AREA.failed(format!("SYNC_USER_MAP `{shown}`: {why}"), fix));
            UserMap::default()
        }
    }
}

/// Payload mode: only deliveries tell who is in a team.
fn told_by_deliveries(patient: &Patient) -> Finding {
    let (matched, wanted) =
        patient.known.as_ref().map_or((0, 0), |known| (known.people.n_matched(), known.people.n_wanted()));
    let what = format!(
        "{} matched whom deliveries have named, {wanted} not; in payload mode nobody else is known",
        counted(matched, "person is", "people are")
    );
    match wanted {
        0 => AREA.ok(what),
        _ => AREA.warning(
            what,
            "name them in SYNC_USER_MAP; Members: Read-only on GitHub adds `saml` and `verified` as sources, and everybody in teams",
        ),
    }
}

/// The people in teams, by what came of each.
#[derive(Default)]
struct Count<'a> {
    n_people: usize,
    by_source: BTreeMap<Source, usize>,
    /// Matched before, and no source speaks now.
    n_remembered: usize,
    absent: Vec<&'a str>,
    unknown: Vec<&'a str>,
    conflicts: Vec<&'a str>,
}

impl<'a> Count<'a> {
    fn of(patient: &Patient, read: &'a GithubSnapshot, map: &UserMap, directory: &Directory) -> Self {
        let in_teams: BTreeSet<_> = read.teams.iter().flat_map(|team| team.members.iter().copied()).collect();
        let mut count = Self::default();
        let rules = who::rules(patient.settings);
        let people = in_teams.iter().filter_map(|user| Some((*user, read.people.get(user)?)));
        for (user, GithubPerson { login, bot, claims }) in people {
            if *bot {
                continue;
            }
            count.n_people += 1;
            let person = Person { id: user, login: login.clone(), bot: false };
            let evidence = Evidence::new(login, map.address(&person), claims);
            let remembered = patient.known.as_ref().is_some_and(|known| known.people.matched(user).is_some());
            match identity::resolve(&evidence, &rules, directory) {
                Identity::Matched { source, .. } => *count.by_source.entry(source).or_default() += 1,
                Identity::Unknown { .. } if remembered => count.n_remembered += 1,
                Identity::Unknown { .. } => count.unknown.push(login.as_str()),
                Identity::Absent { .. } => count.absent.push(login.as_str()),
                Identity::Conflict { .. } => count.conflicts.push(login.as_str()),
            }
        }
        count
    }

    fn told(&self, patient: &Patient, refused: &[Source]) -> Vec<Finding> {
        let mut sources: Vec<String> = Vec::new();
        for source in &patient.settings.identity {
            let n = self.by_source.get(source).copied().unwrap_or(0);
            sources.push(format!("{} {n}", source.name()));
        }
        if self.n_remembered > 0 {
            sources.push(format!("remembered {}", self.n_remembered));
        }
        let matched = self.by_source.values().sum::<usize>() + self.n_remembered;
        let what = format!(
            "{matched} of {} matched, the first source with an answer decides: {}",
            counted(self.n_people, "person in teams is", "people in teams are"),
            sources.join(", ")
        );
        let mut findings = vec![AREA.ok(what)];
        let whois = "`sentry-team-sync whois PERSON` shows why";
        let mut add = |people: &[&str], one, many, fix: String| {
            if !people.is_empty() {
                let names = some_of(people.iter().copied());
                findings.push(AREA.warning(format!("{}: {names}", counted(people.len(), one, many)), fix));
            }
        };
        add(
            &self.absent,
            "person has an address that nobody in Sentry bears",
            "people have addresses that nobody in Sentry bears",
            format!("invite them to Sentry, or name their address there in SYNC_USER_MAP; {whois}"),
        );
        add(
            &self.unknown,
            "person has no address that is known",
            "people have no address that is known",
            format!("name them in SYNC_USER_MAP{}; {whois}", wider(refused)),
        );
        add(
            &self.conflicts,
            "person is in conflict, and nothing is done about them",
            "people are in conflict, and nothing is done about them",
            whois.into(),
        );
        findings
    }
}

/// What a wider permission could add for those of whom no address is known.
fn wider(refused: &[Source]) -> String {
    let names: Vec<_> = refused.iter().map(|source| format!("`{}`", source.name())).collect();
    match names.as_slice() {
        [] => String::new(),
        _ => format!(", or let the token read {}, which may tell their addresses", names.join(" and ")),
    }
}
