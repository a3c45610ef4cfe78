//! Finds out which Sentry member a GitHub account is. Pure: evidence in, one answer out.
//!
//! The first source with an answer decides. A later source that disagrees is a warning, or a conflict if anybody can
//! write what the first one says (`sentry-login`, `public`). Conflicts are reported and never acted on. "No member has
//! this address" and "no address is known" are different answers, and neither means that the person has left.

pub mod directory;
pub mod map_guard;
pub mod mapfile;
pub mod mapgrammar;
pub mod matcher;
pub mod remembered;
pub mod search;
pub mod usermap;

use crate::config::Trust;
use crate::hosts::github::facts::Claims;
use crate::state::address::Address;
use crate::state::event::Person;
use crate::state::ids::MemberId;
use crate::state::values::Source;
use crate::text::mask;
use directory::{Directory, Found, Instead};

/// Start of the reason why a person with a known address is not matched.
pub const NO_MEMBER_HAS: &str = "no Sentry member has the";

/// Start of the reason if Sentry knows the address only as a member's secondary address, and that does not count.
pub const SECOND: &str = "Sentry has the address from";

/// How to make such an address count.
pub const SECOND_FIX: &str =
    "have them make it their primary address in Sentry, name their primary address in SYNC_USER_MAP, \
                              or set SYNC_TRUST_UNVERIFIED=any";

/// Why a member is left out whose role does not allow them in any team.
pub const BARRED: &str =
    "their role in Sentry is billing, and Sentry lets nobody with that role be in a team";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Matched {
        member: MemberId,
        source: Source,
        /// Contradictions from other sources.
        warnings: Vec<String>,
        /// Only a search shows the address. The match is not remembered and never leads to a removal.
        by_search: bool,
    },
    /// This member, whose role does not allow them in any team.
    Barred { member: MemberId, source: Source },
    /// A source knows an address, but no Sentry member has it in a way that counts.
    Absent {
        /// The source, and what was found instead.
        why: String,
        /// The member who has it as a secondary address, which does not count.
        second: Option<MemberId>,
    },
    /// No source knows a usable address or a linked account.
    Unknown { why: String },
    /// Sources contradict each other, or one source fits several members.
    Conflict { why: String },
}

impl Identity {
    /// Whether a search may find more, or has to confirm the match.
    pub fn is_for_search(&self) -> bool {
        matches!(self, Identity::Absent { .. } | Identity::Matched { by_search: true, .. })
    }
}

/// The evidence about one account. It yields only usable addresses, whatever the sources say.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    person: &'a Person,
    map: Option<&'a Address>,
    claims: &'a Claims,
}

impl<'a> Evidence<'a> {
    pub fn new(person: &'a Person, map: Option<&'a Address>, claims: &'a Claims) -> Self {
        Self { person, map, claims }
    }

    /// The addresses that decide the match: those of the first source that knows any.
    pub fn deciding(&self, order: &[Source]) -> Vec<Address> {
        order.iter().map(|source| self.addresses(*source)).find(|known| !known.is_empty()).unwrap_or_default()
    }

    /// The addresses that one source knows. Links in Sentry have none: they are looked up by account.
    pub fn addresses(&self, source: Source) -> Vec<Address> {
        self.told(source).filter_map(Result::ok).collect()
    }

    /// The usable addresses of one source, and its entries that identify nobody.
    fn told(&self, source: Source) -> impl Iterator<Item = Result<Address, Useless<'a>>> {
        let texts = match source {
            Source::Map | Source::Sentry | Source::SentryLogin => &[],
            Source::Saml => self.claims.saml.as_slice(),
            Source::Verified => self.claims.verified.as_slice(),
            Source::Public => self.claims.public.as_slice(),
        };
        let map = self.map.filter(|_| source == Source::Map).map(Address::as_str);
        map.into_iter().chain(texts.iter().map(String::as_str)).map(|text| match Address::read(text) {
            Ok(address) if address.is_no_reply() => Err(Useless { text, why: NO_REPLY }),
            Ok(address) => Ok(address),
            Err(_) => Err(Useless { text, why: "not an e-mail address" }),
        })
    }
}

/// An entry that identifies nobody, and the reason.
struct Useless<'a> {
    text: &'a str,
    why: &'static str,
}

const NO_REPLY: &str = "GitHub's no-reply address, which belongs to no mailbox";

#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The sources, the strongest first. A source that is missing is off.
    pub order: &'a [Source],
    pub trust_unverified: Trust,
}

impl Rules<'_> {
    /// The sources in the order in which they are asked. A login that Sentry links without an account id is as weak as
    /// a public profile. So it is asked just before the profile, and only if `sentry` and `public` are both on.
    fn asked(&self) -> impl Iterator<Item = Source> + '_ {
        let has_links = self.order.contains(&Source::Sentry);
        self.order.iter().flat_map(move |source| {
            let before = (has_links && *source == Source::Public).then_some(Source::SentryLogin);
            before.into_iter().chain([*source])
        })
    }
}

/// Each source in order, with the addresses it knows, and the members they lead to; `None` if it knows nothing.
pub fn chain(
    evidence: &Evidence,
    rules: &Rules,
    directory: &Directory,
) -> Vec<(Source, Vec<String>, Option<Found>)> {
    let Person { id, login, .. } = evidence.person;
    let link = |source| match source {
        Source::Sentry => {
            let earlier = directory.earlier_owner(evidence.person);
            let earlier =
                earlier.map(|user| format!("ignored: a link with @{login} that means GitHub user {user}"));
            std::iter::once(format!("GitHub user {id}")).chain(earlier).collect()
        }
        Source::SentryLogin => vec![format!("@{login}")],
        source => {
            let useless = |Useless { text, why }: Useless| format!("{text} ({why})");
            let told = evidence.told(source);
            told.map(|told| told.map_or_else(useless, |address| address.to_string())).collect()
        }
    };
    rules.asked().map(|source| (source, link(source), says(source, evidence, rules, directory))).collect()
}

/// The first address as `z…@example.com`, which is enough to recognise it, and the number of others.
fn masked(addresses: &[Address]) -> String {
    let more = match addresses.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    addresses.first().map_or_else(|| "none".into(), |address| mask(address.as_str())) + &more
}

/// The answer of one source; `None` if it knows nothing about the account.
fn says(source: Source, evidence: &Evidence, rules: &Rules, directory: &Directory) -> Option<Found> {
    let is_somebody = |found: &Found| *found != Found::Nobody(None);
    match source {
        Source::Sentry => return Some(directory.linked(evidence.person.id)).filter(is_somebody),
        Source::SentryLogin => {
            return Some(directory.linked_by_login(&evidence.person.login)).filter(is_somebody)
        }
        _ => {}
    }
    let addresses = evidence.addresses(source);
    if addresses.is_empty() {
        return None;
    }
    let (mut members, mut by_search) = (Vec::new(), Vec::new());
    let mut instead = None;
    for address in &addresses {
        match directory.bearer(address, rules.trust_unverified) {
            Found::One(member) => members.push(member),
            Found::BySearch(member) => by_search.push(member),
            Found::Several(several) => members.extend(several),
            Found::Nobody(seen) => instead = instead.or(seen),
        }
    }
    // A member who shows one of the addresses wins over members who have one as a secondary address.
    let is_by_search = members.is_empty();
    let mut members = if is_by_search { by_search } else { members };
    members.sort();
    members.dedup();
    Some(match members.as_slice() {
        [] => Found::Nobody(instead),
        [member] if is_by_search => Found::BySearch(*member),
        [member] => Found::One(*member),
        _ => Found::Several(members),
    })
}

/// How messages name the address of a source.
fn kind_of_address(source: Source) -> &'static str {
    match source {
        Source::Map => "address from SYNC_USER_MAP",
        Source::Sentry | Source::SentryLogin => "address of the linked account",
        Source::Saml => "single sign-on address",
        Source::Verified => "verified GitHub address",
        Source::Public => "public GitHub address",
    }
}

pub fn resolve(evidence: &Evidence, rules: &Rules, directory: &Directory) -> Identity {
    let mut answers = rules
        .asked()
        .filter_map(|source| says(source, evidence, rules, directory).map(|found| (source, found)));
    let Some((source, first)) = answers.next() else {
        let asked: Vec<_> = rules.order.iter().map(|source| source.name()).collect();
        let useless = rules.order.iter().find_map(|source| {
            let useless = evidence.told(*source).find_map(Result::err)?;
            Some(format!("; what {} has is {}", source.name(), useless.why))
        });
        let useless = useless.unwrap_or_default();
        return Identity::Unknown { why: format!("no address is known from {}{useless}", asked.join(", ")) };
    };
    let by_search = matches!(first, Found::BySearch(_));
    let member = match first {
        Found::One(member) | Found::BySearch(member) => member,
        Found::Several(members) => {
            let why = format!("{} fits several Sentry members: {}", source.name(), ids(&members));
            return Identity::Conflict { why };
        }
        Found::Nobody(Some(Instead::Second(bearer))) => {
            let told = masked(&evidence.addresses(source));
            let why = format!("{SECOND} {} only as a second address of {bearer}: {told}", source.name());
            return Identity::Absent { why, second: Some(bearer.member) };
        }
        Found::Nobody(instead) => {
            let instead = instead.map(|what| format!(" (there is {what})")).unwrap_or_default();
            let told = masked(&evidence.addresses(source));
            let managed = managed(source, evidence, rules, directory).unwrap_or_default();
            let why = format!("{NO_MEMBER_HAS} {}: {told}{instead}{managed}", kind_of_address(source));
            return Identity::Absent { why, second: None };
        }
    };
    let mut warnings = Vec::new();
    for (other, found) in answers {
        let others = match found {
            Found::One(same) if same == member => continue,
            // Comparisons search only for the deciding addresses, so a search result for another source is chance.
            Found::Nobody(_) | Found::BySearch(_) => continue,
            Found::One(another) => vec![another],
            Found::Several(several) => several,
        };
        let why =
            format!("{} says Sentry member {member}, {} says {}", source.name(), other.name(), ids(&others));
        if source.is_weak() {
            return Identity::Conflict { why };
        }
        warnings.push(why);
    }
    if directory.has_no_teams(member) {
        return Identity::Barred { member, source };
    }
    Identity::Matched { member, source, warnings, by_search }
}

/// Start of the likely reason why no Sentry member has a managed user's address.
pub const MANAGED: &str = " (GitHub adds +";

/// The likely reason, if GitHub has added a managed user's short code to their address. The address without the code
/// never makes a match, because it may be somebody else's.
fn managed(source: Source, evidence: &Evidence, rules: &Rules, directory: &Directory) -> Option<String> {
    // The operator wrote the addresses in the map, so a tag there is meant.
    let addresses = evidence.addresses(source);
    let mut tagged = addresses.iter().filter(|_| source != Source::Map);
    let (tag, plain) = tagged.find_map(|address| address.without_tag_of(evidence.person.login.as_str()))?;
    let cause = match directory.bearer(&plain, rules.trust_unverified) {
        Found::One(member) => {
            format!("Sentry member {member} has it without: if that is them, say so in SYNC_USER_MAP")
        }
        _ => "Sentry most likely knows them by the address without it".into(),
    };
    Some(format!("{MANAGED}{tag} to the addresses of managed users; {cause})"))
}

/// The address at which a person may be invited to Sentry. The first source with an answer must be one that only the
/// organisation's own people can write, and no source may find a member.
pub fn invitation(evidence: &Evidence, rules: &Rules, directory: &Directory) -> Option<(Source, Address)> {
    let mut invitation = None;
    for source in rules.asked() {
        match says(source, evidence, rules, directory) {
            None => {}
            Some(Found::Nobody(None)) if invitation.is_some() => {}
            // Sentry may know the person by the address without GitHub's tag. An invite would create a second account.
            Some(Found::Nobody(None)) if managed(source, evidence, rules, directory).is_some() => {
                return None
            }
            Some(Found::Nobody(None)) if matches!(source, Source::Map | Source::Saml | Source::Verified) => {
                invitation = evidence.addresses(source).into_iter().next().map(|address| (source, address));
            }
            Some(_) => return None,
        }
    }
    invitation
}

pub fn remembered(member: MemberId, source: Source) -> Identity {
    Identity::Matched { member, source, warnings: Vec::new(), by_search: false }
}

fn ids(members: &[MemberId]) -> String {
    members.iter().map(MemberId::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::sentry::{Link, Member, Standing};
    use crate::state::ids::{GithubUserId, Login};

    const ORDER: [Source; 5] = [Source::Map, Source::Sentry, Source::Saml, Source::Verified, Source::Public];

    /// Members 1, 2, 3 with a@x, b@x, c@x; 2 is linked with the login `linked`.
    fn directory() -> Directory {
        let member = |id: u64, address: &str, logins: &[&str]| Member {
            id: MemberId(id),
            primary: Some(address.into()),
            verified: vec![address.into()],
            links: logins.iter().map(|login| Link { login: login.to_string(), user: None }).collect(),
            no_teams: false,
            suspended: false,
            standing: Standing::Member,
        };
        Directory::new(&[member(1, "a@x", &[]), member(2, "b@x", &["linked"]), member(3, "c@x", &[])])
    }

    fn octo(login: &str) -> Person {
        Person { id: GithubUserId(583_231), login: Login::from(login), bot: false }
    }

    fn at(address: &str) -> Address {
        Address::read(address).unwrap()
    }

    struct Case<'a> {
        login: &'a str,
        map: Option<&'a str>,
        saml: &'a [&'a str],
        verified: &'a [&'a str],
        public: Option<&'a str>,
    }

    const NOTHING: Case = Case { login: "octo", map: None, saml: &[], verified: &[], public: None };

    fn resolve_with(case: &Case, order: &[Source]) -> Identity {
        let list = |addresses: &[&str]| addresses.iter().map(|address| address.to_string()).collect();
        let claims = Claims {
            saml: list(case.saml),
            verified: list(case.verified),
            public: case.public.map(String::from),
        };
        let (person, map) = (octo(case.login), case.map.map(at));
        let evidence = Evidence::new(&person, map.as_ref(), &claims);
        resolve(&evidence, &Rules { order, trust_unverified: Trust::Primary }, &directory())
    }

    fn matched(case: Case) -> Option<(u64, Source, usize)> {
        match resolve_with(&case, &ORDER) {
            Identity::Matched { member, source, warnings, .. } => Some((member.0, source, warnings.len())),
            _ => None,
        }
    }

    #[test]
    fn the_first_source_with_an_answer_decides() {
        assert_eq!(matched(Case { public: Some("a@x"), ..NOTHING }), Some((1, Source::Public, 0)));
        assert_eq!(
            matched(Case { verified: &["b@x"], public: Some("a@x"), ..NOTHING }),
            Some((2, Source::Verified, 1))
        );
        assert_eq!(
            matched(Case { saml: &["c@x"], verified: &["b@x"], public: Some("a@x"), ..NOTHING }),
            Some((3, Source::Saml, 2))
        );
        assert_eq!(matched(Case { map: Some("A@X"), login: "linked", ..NOTHING }), Some((1, Source::Map, 1)));
    }

    #[test]
    fn an_address_that_nobody_bears_is_an_answer_too() {
        let case = Case { map: Some("nobody@x"), public: Some("a@x"), ..NOTHING };
        assert_eq!(
            resolve_with(&case, &ORDER),
            Identity::Absent {
                why: "no Sentry member has the address from SYNC_USER_MAP: n…@x".into(),
                second: None
            }
        );
    }

    #[test]
    fn a_no_reply_address_is_no_address_of_any_source() {
        let private = "7+octo@users.noreply.github.com";
        let member = |id: u64, address: &str| Member {
            id: MemberId(id),
            primary: Some(address.into()),
            verified: vec![address.into()],
            links: vec![],
            no_teams: false,
            suspended: false,
            standing: Standing::Member,
        };
        let known = Directory::new(&[member(1, "a@x"), member(9, private)]);
        let person = octo("octo");
        let why = |claims: Claims| {
            let evidence = Evidence::new(&person, None, &claims);
            let rules = Rules { order: &ORDER, trust_unverified: Trust::Primary };
            let shown: Vec<_> =
                chain(&evidence, &rules, &known).into_iter().flat_map(|(_, known, _)| known).collect();
            assert!(shown.iter().any(|text| text.contains(NO_REPLY)), "{shown:?}");
            (resolve(&evidence, &rules, &known), evidence.addresses(Source::Saml).len())
        };
        let nobody = "no address is known from map, sentry, saml, verified, public";
        for (source, claims) in [
            ("saml", Claims { saml: vec![private.into()], ..Claims::default() }),
            ("verified", Claims { verified: vec![private.into()], ..Claims::default() }),
            ("public", Claims { public: Some(private.into()), ..Claims::default() }),
        ] {
            let told = format!("{nobody}; what {source} has is {NO_REPLY}");
            assert_eq!(why(claims), (Identity::Unknown { why: told }, 0));
        }
        // A real address beside it counts.
        let both = Claims { saml: vec!["a@x".into(), private.into()], ..Claims::default() };
        assert!(matches!(why(both), (Identity::Matched { member: MemberId(1), .. }, 1)));
    }

    #[test]
    fn a_managed_users_address_with_githubs_tag_is_named_and_matches_nobody() {
        let case = |address: &'static str| Case { login: "ada_acme", public: Some(address), ..NOTHING };
        let why = |case: Case| match resolve_with(&case, &ORDER) {
            Identity::Absent { why, .. } => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            why(case("ada+acme@x")),
            "no Sentry member has the public GitHub address: a…@x (GitHub adds +acme to the addresses of managed users; \
             Sentry most likely knows them by the address without it)"
        );
        // Member 1 has a@x.
        let told = "Sentry member 1 has it without: if that is them, say so in SYNC_USER_MAP";
        assert!(why(case("a+acme@x")).contains(told));
        assert!(why(Case { login: "ada_acme", saml: &["a+acme@x"], ..NOTHING }).contains(told));
        assert!(!why(case("ada+other@x")).contains(MANAGED));
        // An address in the map is what the operator meant.
        assert!(!why(Case { login: "ada_acme", map: Some("a+acme@x"), ..NOTHING }).contains(MANAGED));
    }

    #[test]
    fn disagreement_with_what_anybody_can_write_is_a_conflict() {
        let case = Case { login: "linked", public: Some("a@x"), ..NOTHING };
        assert_eq!(
            resolve_with(&case, &ORDER),
            Identity::Conflict { why: "sentry-login says Sentry member 2, public says 1".into() }
        );
        let case = Case { verified: &["a@x"], public: Some("b@x"), ..NOTHING };
        assert!(matches!(
            resolve_with(&case, &[Source::Public, Source::Verified]),
            Identity::Conflict { .. }
        ));
    }

    #[test]
    fn a_link_with_the_accounts_id_comes_right_after_the_map_and_one_with_another_id_is_ignored() {
        let linked = |id: u64, user| Member {
            id: MemberId(id),
            primary: Some(format!("m{id}@x")),
            verified: vec![],
            links: vec![Link { login: "octo".into(), user }],
            no_teams: false,
            suspended: false,
            standing: Standing::Member,
        };
        let claims = |saml: &[&str], public: Option<&str>| Claims {
            saml: saml.iter().map(|address| address.to_string()).collect(),
            verified: vec![],
            public: public.map(String::from),
        };
        let who = |user: Option<u64>, order: &[Source], claims: Claims| {
            let directory =
                Directory::new(&[linked(1, user.map(GithubUserId)), linked(2, Some(GithubUserId(9)))]);
            let person = octo("octo");
            let rules = Rules { order, trust_unverified: Trust::Primary };
            match resolve(&Evidence::new(&person, None, &claims), &rules, &directory) {
                Identity::Matched { member, source, warnings, .. } => {
                    Some((member.0, source, warnings.len()))
                }
                _ => None,
            }
        };
        let own = Some(583_231);
        assert_eq!(who(own, &ORDER, claims(&["m2@x"], None)), Some((1, Source::Sentry, 1)));
        assert_eq!(who(own, &ORDER, claims(&[], None)), Some((1, Source::Sentry, 0)));
        assert_eq!(who(Some(7), &ORDER, claims(&[], None)), None);
        // A link by login alone is asked after all stronger sources, next to the profile, and is off without it.
        assert_eq!(who(None, &ORDER, claims(&["m2@x"], None)), Some((2, Source::Saml, 1)));
        assert_eq!(who(None, &ORDER, claims(&[], None)), Some((1, Source::SentryLogin, 0)));
        assert_eq!(who(None, &ORDER, claims(&[], Some("m2@x"))), None, "a conflict");
        assert_eq!(who(None, &[Source::Sentry, Source::Saml], claims(&[], None)), None);
        assert_eq!(who(None, &[Source::Public], claims(&[], None)), None);
    }

    #[test]
    fn several_members_within_one_source_are_a_conflict() {
        let case = Case { verified: &["a@x", "b@x"], ..NOTHING };
        assert_eq!(
            resolve_with(&case, &ORDER),
            Identity::Conflict { why: "verified fits several Sentry members: 1, 2".into() }
        );
        assert_eq!(
            matched(Case { verified: &["a@x", "other@x"], ..NOTHING }),
            Some((1, Source::Verified, 0))
        );
    }

    #[test]
    fn fault_null_email_nobody_known_is_unknown_and_not_an_error() {
        assert_eq!(
            resolve_with(&NOTHING, &ORDER),
            Identity::Unknown { why: "no address is known from map, sentry, saml, verified, public".into() }
        );
    }

    #[test]
    fn invited_is_only_who_has_an_address_that_strangers_can_not_write_and_nobody_bears() {
        let address = |case: Case| {
            let list = |addresses: &[&str]| addresses.iter().map(|address| address.to_string()).collect();
            let (saml, verified) = (list(case.saml), list(case.verified));
            let claims = Claims { saml, verified, public: case.public.map(String::from) };
            let (person, map) = (octo(case.login), case.map.map(at));
            let evidence = Evidence::new(&person, map.as_ref(), &claims);
            let rules = Rules { order: &ORDER, trust_unverified: Trust::Primary };
            invitation(&evidence, &rules, &directory())
        };
        let invited = |source, address: &str| Some((source, at(address)));
        assert_eq!(address(Case { map: Some("new@x"), ..NOTHING }), invited(Source::Map, "new@x"));
        assert_eq!(
            address(Case { saml: &["new@x"], verified: &["other@x"], public: Some("p@x"), ..NOTHING }),
            invited(Source::Saml, "new@x")
        );
        assert_eq!(address(Case { verified: &["new@x"], ..NOTHING }), invited(Source::Verified, "new@x"));
        // Sentry may know them by the address without GitHub's tag.
        assert_eq!(address(Case { login: "new_acme", saml: &["new+acme@x"], ..NOTHING }), None);
        assert_eq!(address(Case { public: Some("new@x"), ..NOTHING }), None);
        assert_eq!(address(NOTHING), None);
        // Sentry already has the person, by another address or a link.
        assert_eq!(address(Case { verified: &["new@x"], public: Some("a@x"), ..NOTHING }), None);
        assert_eq!(address(Case { saml: &["new@x"], login: "linked", ..NOTHING }), None);
    }

    #[test]
    fn a_source_left_out_is_off() {
        let case = Case { map: Some("a@x"), login: "linked", public: Some("c@x"), ..NOTHING };
        assert!(matches!(
            resolve_with(&case, &[Source::Public]),
            Identity::Matched { member: MemberId(3), .. }
        ));
        assert!(matches!(resolve_with(&case, &[Source::Saml]), Identity::Unknown { .. }));
    }
}
