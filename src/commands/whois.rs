//! The command `whois`: shows which Sentry member an account matches, source by source, and which account a Sentry
//! member's address belongs to. It stores no match.

use std::fmt::Write;

use super::{Reply, LOOK};
use crate::hosts::github::facts::Profile;
use crate::hosts::http::Trouble;
use crate::identity::directory::Found;
use crate::identity::matcher::rules;
use crate::identity::{self, Evidence, Identity};
use crate::queue::job::Outcome;
use crate::state::address::Address;
use crate::state::event::Person;
use crate::state::ids::MemberId;
use crate::state::meant::PersonName;
use crate::state::values::Match;
use crate::text::{counted, plain};
use crate::work::mirror::Mirror;

const SUSPENDED: &str = "suspended in Sentry; they stay matched and in their teams";

pub fn run(mirror: &Mirror, text: &str) -> Reply {
    let who = mirror.github_token.who();
    let told = match PersonName::read(text) {
        PersonName::Mail(address) => of_address(mirror, &address),
        PersonName::Login(login) => of_account(mirror, mirror.github.account(&login)).unwrap_or_else(|| {
            let login = plain(login.as_str(), 60);
            Err(Outcome::Failed(format!(
                "GitHub has no account `{login}`, or hides it from {who}\n  fix: give the login as in github.com/LOGIN; \
                 a renamed account is found only by its new login"
            )))
        }),
        PersonName::Id(user) => of_account(mirror, mirror.github.profile_by_id(user)).unwrap_or_else(|| {
            Err(Outcome::Failed(format!(
                "GitHub has no account with the id {user}, or hides it from {who}\n  fix: give the login instead"
            )))
        }),
    };
    match told {
        Ok(out) => Reply { out, ..Reply::default() },
        Err(Outcome::Failed(why)) => Reply::failed(why),
        Err(Outcome::Later(why, _)) => Reply::failed(format_args!("{why}\n  fix: {LOOK}")),
        Err(_) => Reply { exit: 1, ..Reply::default() },
    }
}

/// The identity chain of one account, step by step; `None` if GitHub does not show the account.
fn of_account(mirror: &Mirror, found: Result<Option<Profile>, Trouble>) -> Option<Result<String, Outcome>> {
    let person = match found {
        Ok(profile) => profile?.person,
        Err(trouble) => return Some(Err(mirror.github_trouble(trouble))),
    };
    if let Err(trouble) = mirror.read_directory() {
        return Some(Err(mirror.sentry_trouble(trouble)));
    }
    Some(chain(mirror, &person))
}

fn chain(mirror: &Mirror, person: &Person) -> Result<String, Outcome> {
    let (map, claims) = (mirror.user_map()?, mirror.claims(person)?);
    let evidence = Evidence::new(person, map.address(person), &claims);
    let settings = mirror.settings();
    let rules = rules(&settings);
    let mut text = format!("{} (GitHub user {})\n", plain(person.login.as_str(), 60), person.id);
    let addresses = settings.identity.iter().flat_map(|source| evidence.addresses(*source)).collect();
    mirror.matcher().search_now(addresses).map_err(|trouble| mirror.sentry_trouble(trouble))?;
    let steps = mirror.who.with_directory(|directory| identity::chain(&evidence, &rules, directory));
    for (source, known, found) in steps {
        let known = if known.is_empty() {
            "nothing".into()
        } else {
            known.iter().map(|text| plain(text, 120)).collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(text, "  {:<10} {known} -> {}", source.name(), whom(found));
    }
    let (remembered, wanted) = mirror
        .state(|state| (state.people.matched(person.id).cloned(), state.people.wanted_in(person.id).len()));
    let is_remembered = remembered.is_some();
    if let Some(Match { member, login, source, at }) = remembered {
        let source = source.name();
        let _ = writeln!(text, "  remembered Sentry member {member}, as `{login}` by {source} since {at}");
    }
    let matcher = mirror.matcher();
    let identity = matcher.unless_inherited(person, &map, matcher.resolve(&evidence));
    let remark = remark(mirror, &identity);
    let _ = match identity {
        Identity::Matched { member, source, by_search: true, .. } => writeln!(
            text,
            "matched: Sentry member {member}, by a secondary address from {}; this match is not remembered",
            source.name()
        ),
        Identity::Barred { member, source } => {
            let by = source.name();
            writeln!(
                text,
                "matched: Sentry member {member}, by {by}; not added to any team: {}",
                identity::BARRED
            )
        }
        Identity::Matched { member, source, .. } => {
            writeln!(text, "matched: Sentry member {member}, by {}", source.name())
        }
        Identity::Absent { why, .. } | Identity::Unknown { why } if is_remembered => {
            writeln!(text, "no current match: {why}; the remembered match counts only for removals")
        }
        Identity::Absent { why, .. } | Identity::Unknown { why } => writeln!(text, "not matched: {why}"),
        Identity::Conflict { why } => writeln!(text, "conflicting matches, so nothing is done: {why}"),
    };
    text.push_str(&remark);
    if wanted > 0 {
        let wanted = counted(wanted, "team", "teams");
        let _ = writeln!(text, "wanted in {wanted}; they are added as soon as they are in Sentry");
    }
    Ok(text)
}

fn remark(mirror: &Mirror, identity: &Identity) -> String {
    match identity {
        Identity::Absent { second: Some(_), .. } => format!("  fix: {}\n", identity::SECOND_FIX),
        Identity::Matched { member, .. } | Identity::Barred { member, .. }
            if is_suspended(mirror, *member) =>
        {
            format!("  {SUSPENDED}\n")
        }
        _ => String::new(),
    }
}

/// Shows which Sentry members have an address, and which GitHub accounts they match.
fn of_address(mirror: &Mirror, address: &Address) -> Result<String, Outcome> {
    mirror.read_directory().map_err(|trouble| mirror.sentry_trouble(trouble))?;
    let bearers = || mirror.who.with_directory(|directory| directory.bearers(address));
    let mut found = bearers();
    if found.is_empty() {
        // Sentry's list of members does not show every address.
        mirror
            .matcher()
            .search_now(vec![address.clone()])
            .map_err(|trouble| mirror.sentry_trouble(trouble))?;
        found = bearers();
    }
    if found.is_empty() {
        return Err(Outcome::Failed(format!(
            "no Sentry member has the address `{}`\n  fix: ask by GitHub login; Sentry's list of members shows \
             everyone's address",
            plain(address.as_str(), 100)
        )));
    }
    let mut text = format!("{}\n", plain(address.as_str(), 100));
    for (member, how) in found {
        let _ = writeln!(text, "  Sentry member {member}: {how}");
        if is_suspended(mirror, member) {
            let _ = writeln!(text, "    {SUSPENDED}");
        }
        account(mirror, member, &mut text);
    }
    Ok(text)
}

fn is_suspended(mirror: &Mirror, member: MemberId) -> bool {
    mirror.who.with_directory(|directory| directory.is_suspended(member))
}

fn account(mirror: &Mirror, member: MemberId, text: &mut String) {
    let matched = mirror.state(|state| {
        let user = state.people.of_member(member)?;
        Some((user, state.people.matched(user)?.clone()))
    });
    let _ = match matched {
        Some((user, Match { login, source, at, .. })) => {
            let (login, source) = (plain(login.as_str(), 60), source.name());
            writeln!(
                text,
                "    matches `{login}` (GitHub user {user}) by {source} since {at}; details: sentry-team-sync whois id:{user}"
            )
        }
        None => writeln!(text, "    no GitHub account matches this member"),
    };
}

fn whom(found: Option<Found>) -> String {
    match found {
        None => "no answer".into(),
        Some(Found::One(member)) => format!("Sentry member {member}"),
        Some(Found::BySearch(member)) => format!("Sentry member {member}, as a secondary address"),
        Some(Found::Nobody(None)) => "nobody in Sentry".into(),
        Some(Found::Nobody(Some(instead))) => format!("nobody in Sentry; there is {instead}"),
        Some(Found::Several(members)) => {
            let members: Vec<_> = members.iter().map(ToString::to_string).collect();
            format!("several Sentry members: {}", members.join(", "))
        }
    }
}
