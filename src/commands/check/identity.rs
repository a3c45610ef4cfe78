//! How many people each source matches, who has no match, and what a wider permission would add. It stores no matches.

use std::collections::BTreeSet;

use super::finding::{some_of, Area, Finding};
use super::patient::Patient;
use super::{github, sentry};
use crate::config::Trust;
use crate::hosts::github::facts::Claims;
use crate::hosts::sentry::Member;
use crate::hosts::snapshot::{GithubPerson, GithubSnapshot};
use crate::identity::directory::Directory;
use crate::identity::remembered::is_allowed;
use crate::identity::search::{self, Depth, Misses};
use crate::identity::usermap::UserMap;
use crate::identity::{self, mapgrammar, matcher, Evidence, Identity, Rules};
use crate::state::event::Person;
use crate::state::sorted::Map;
use crate::state::values::{Mode, Source};
use crate::text::counted;

const AREA: Area = Area::Identity;

pub(super) fn look(patient: &Patient, github: &github::Seen, sentry: &sentry::Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    let map = user_map(patient, &mut findings);
    match (&github.snapshot, &sentry.members) {
        (Some(read), Some(members)) => {
            let mut directory = Directory::new(members);
            findings.push(kind(members));
            findings.extend(search(patient, read, &map, &mut directory));
            let count = |trust| Count::of(patient, trust, read, &map, &directory);
            let counts = Trust::WORDS.map(|(word, trust)| format!("{word} {}", count(trust).n_matched()));
            let set = patient.settings.trust_unverified.name();
            let by_trust = format!("each value would match: {}", counts.join(", "));
            findings.push(AREA.ok(format!("SYNC_TRUST_UNVERIFIED is {set}; {by_trust}")));
            findings.extend(count(patient.settings.trust_unverified).told(patient, &github.refused));
            findings.extend(no_longer_allowed(patient, &directory));
        }
        (None, members) if github.mode == Some(Mode::Payload) => {
            findings.push(told_by_deliveries(patient));
            let directory = members.as_ref().map(|members| Directory::new(members));
            findings.extend(directory.and_then(|directory| no_longer_allowed(patient, &directory)));
        }
        _ => findings.push(AREA.warning(
            "how many people match was not counted",
            "this needs both tokens; fix the problems above first",
        )),
    }
    findings
}

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
            let fix = "correct the file; the last good one stays in use until then";
            findings.push(AREA.failed(format!("SYNC_USER_MAP `{shown}`: {why}"), fix));
            UserMap::default()
        }
    }
}

/// Reports whether this Sentry shows which addresses are verified.
fn kind(members: &[Member]) -> Finding {
    let shows_all = members.iter().any(|member| !member.verified.is_empty());
    let all = "this Sentry shows all addresses of its members, and which of them are verified";
    let some = "this Sentry shows only its members' primary addresses, and not whether they are verified; others are found by search";
    AREA.ok(if shows_all { all } else { some })
}

/// Searches Sentry for the addresses of the people that its list of members does not match.
fn search(
    patient: &Patient,
    read: &GithubSnapshot,
    map: &UserMap,
    directory: &mut Directory,
) -> Option<Finding> {
    let client = patient.sentry.as_ref()?;
    let rules = matcher::rules(patient.settings);
    let mut addresses = BTreeSet::new();
    for (person, claims) in people(read) {
        let evidence = Evidence::new(&person, map.address(&person), claims);
        if identity::resolve(&evidence, &rules, directory).is_for_search() {
            addresses.extend(evidence.deciding(rules.order));
        }
    }
    for batch in search::batches(&addresses) {
        let ask = |addresses: &[_]| client.members_with(addresses);
        match search::ask_for(&batch, directory, &Misses::new(), Depth::Whole, ask) {
            Ok(told) => {
                directory.learn(&told.rows);
                for (address, bearers) in told.bearers {
                    directory.learn_searched(&address, bearers);
                }
            }
            Err(trouble) => {
                let what = format!(
                    "failed to search Sentry for people who are not in its list of members: {trouble}"
                );
                return Some(AREA.warning(what, "check again in a minute"));
            }
        }
    }
    None
}

/// Everybody in a team, without bots.
fn people(read: &GithubSnapshot) -> impl Iterator<Item = (Person, &Claims)> {
    let in_teams: BTreeSet<_> = read.teams.iter().flat_map(|team| team.members.iter().copied()).collect();
    in_teams.into_iter().filter_map(|id| {
        let GithubPerson { login, bot, claims } = read.people.get(&id)?;
        (!bot).then(|| (Person { id, login: login.clone(), bot: false }, claims))
    })
}

/// In payload mode, only deliveries say who is in a team.
fn told_by_deliveries(patient: &Patient) -> Finding {
    let people = patient.known.as_ref().map(|known| &known.state.people);
    let (matched, wanted) = people.map_or((0, 0), |people| (people.n_matched(), people.n_wanted()));
    let are = counted(matched, "person is", "people are");
    let what = format!(
        "of the people whom deliveries named, {are} matched and {wanted} not; payload mode knows nobody else"
    );
    match wanted {
        0 => AREA.ok(what),
        _ => AREA.warning(
            what,
            "name them in SYNC_USER_MAP; with Members: Read-only on GitHub, `saml` and `verified` identify people too",
        ),
    }
}

/// The people in teams, by the result of matching them.
#[derive(Default)]
struct Count {
    n_people: usize,
    by_source: Map<Source, usize>,
    /// Matched earlier; no source knows them now.
    n_remembered: usize,
    absent: Vec<String>,
    /// Sentry has their address only as a member's secondary one, which does not count.
    second: Vec<String>,
    unknown: Vec<String>,
    conflicts: Vec<String>,
    barred: Vec<String>,
}

impl Count {
    fn n_matched(&self) -> usize {
        self.by_source.values().sum::<usize>() + self.n_remembered
    }

    fn of(
        patient: &Patient,
        trust: Trust,
        read: &GithubSnapshot,
        map: &UserMap,
        directory: &Directory,
    ) -> Self {
        let mut count = Self::default();
        let rules = Rules { trust_unverified: trust, ..matcher::rules(patient.settings) };
        for (person, claims) in people(read) {
            count.n_people += 1;
            let (user, login) = (person.id, person.login.to_string());
            let evidence = Evidence::new(&person, map.address(&person), claims);
            let known = patient.known.as_ref().and_then(|known| known.state.people.matched(user));
            let remembered = known.is_some_and(|found| is_allowed(found, &rules, directory));
            match identity::resolve(&evidence, &rules, directory) {
                Identity::Matched { source, .. } => *count.by_source.or_default(source) += 1,
                Identity::Unknown { .. } if remembered => count.n_remembered += 1,
                Identity::Unknown { .. } => count.unknown.push(login),
                Identity::Absent { second: Some(_), .. } => count.second.push(login),
                Identity::Absent { .. } => count.absent.push(login),
                Identity::Conflict { .. } => count.conflicts.push(login),
                Identity::Barred { .. } => count.barred.push(login),
            }
        }
        count
    }

    fn told(&self, patient: &Patient, refused: &[Source]) -> Vec<Finding> {
        let n = |source| self.by_source.get(source).copied();
        let own = patient.settings.identity.iter().map(|source| (source, n(source).unwrap_or(0)));
        let by_login = n(&Source::SentryLogin).map(|n| (&Source::SentryLogin, n));
        let mut sources: Vec<_> =
            own.chain(by_login).map(|(source, n)| format!("{} {n}", source.name())).collect();
        if self.n_remembered > 0 {
            sources.push(format!("remembered {}", self.n_remembered));
        }
        let (matched, sources) = (self.n_matched(), sources.join(", "));
        let all = counted(self.n_people, "person in teams is", "people in teams are");
        let what = format!("{matched} of {all} matched, by source: {sources}");
        let mut findings = vec![AREA.ok(what)];
        let whois = "`sentry-team-sync whois PERSON` shows why";
        let mut add = |people: &[String], one, many, fix: String| {
            if !people.is_empty() {
                let names = some_of(people.iter().map(String::as_str));
                findings.push(AREA.warning(format!("{}: {names}", counted(people.len(), one, many)), fix));
            }
        };
        add(
            &self.absent,
            "person has an address that nobody in Sentry has",
            "people have addresses that nobody in Sentry has",
            format!("invite them to Sentry, or name their address there in SYNC_USER_MAP; {whois}"),
        );
        add(
            &self.second,
            "person has an address that is only a secondary one in Sentry",
            "people have addresses that are only secondary ones in Sentry",
            format!("{}; {whois}", identity::SECOND_FIX),
        );
        add(
            &self.barred,
            "person has a Sentry role that cannot be in a team",
            "people have Sentry roles that cannot be in a team",
            "nothing, or give them another role than billing in Sentry".into(),
        );
        add(
            &self.unknown,
            "person has no known address",
            "people have no known address",
            format!("name them in SYNC_USER_MAP{}; {whois}", wider(refused)),
        );
        add(
            &self.conflicts,
            "person has conflicting matches and is left alone",
            "people have conflicting matches and are left alone",
            whois.into(),
        );
        findings
    }
}

/// Warns about matches that the current settings no longer allow.
fn no_longer_allowed(patient: &Patient, directory: &Directory) -> Option<Finding> {
    let rules = matcher::rules(patient.settings);
    let matches = patient.known.as_ref()?.state.people.matches();
    let n = matches.filter(|(_, found)| !is_allowed(found, &rules, directory)).count();
    (n > 0).then(|| {
        AREA.warning(
            format!(
                "{} no longer: SYNC_IDENTITY or SYNC_TRUST_UNVERIFIED excludes its source",
                counted(n, "remembered match counts", "remembered matches count")
            ),
            "if you did not intend this, allow the source again, or name the people in SYNC_USER_MAP",
        )
    })
}

fn wider(refused: &[Source]) -> String {
    let names: Vec<_> = refused.iter().map(|source| format!("`{}`", source.name())).collect();
    match names.as_slice() {
        [] => String::new(),
        _ => format!(", or let the token read {}, which may have their addresses", names.join(" and ")),
    }
}
