//! The user map, in which the operator says which GitHub account has which address in Sentry.
//!
//! JSON, `{"octocat": "ada@example.com", "id:583231": "ada@example.com"}`, or CSV with one `login,address` per line.
//! Pure: [`super::mapgrammar`] parses the text, [`super::mapfile`] watches the file.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::state::address::{Address, Folded};
use crate::state::event::Person;
use crate::state::ids::{GithubUserId, MemberId};
use crate::state::sorted::Map;
use crate::state::values::{Match, Source};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserMap {
    entries: Map<Key, Address>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// By login: the account that has it now.
    Login(Folded),
    /// By id: the account, whatever its login is now.
    Id(GithubUserId),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Login(login) => f.write_str(login.as_str()),
            Key::Id(id) => write!(f, "id:{id}"),
        }
    }
}

impl UserMap {
    /// The address of an account. An entry by id wins over one by login: logins change hands.
    pub fn address(&self, person: &Person) -> Option<&Address> {
        let by_id = self.entries.get(&Key::Id(person.id));
        by_id.or_else(|| self.entries.get(&Key::Login(Folded::of(person.login.as_str()))))
    }

    pub(super) fn insert(&mut self, key: Key, address: Address) {
        self.entries.insert(key, address);
    }

    pub fn names_id(&self, person: &Person) -> bool {
        self.entries.contains_key(&Key::Id(person.id))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// JSON that can be parsed again. The same entries always give the same text.
    pub fn to_json(&self) -> String {
        let texts: BTreeMap<_, _> =
            self.entries.iter().map(|(key, address)| (key.to_string(), address.as_str())).collect();
        serde_json::to_string_pretty(&texts).unwrap_or_default()
    }

    /// A hash of the content: 8 hex digits.
    pub fn fingerprint(&self) -> Box<str> {
        let sum = Sha256::digest(self.to_json());
        hex::encode(sum).chars().take(8).collect::<String>().into()
    }

    /// How many remembered matches this map would change: it leads to another member or to nobody, or no longer has the
    /// entry that made the match.
    pub fn changes<'a>(
        &self,
        matches: impl Iterator<Item = (GithubUserId, &'a Match)>,
        bearer: impl Fn(&Address) -> Option<MemberId>,
    ) -> usize {
        let changes = |(id, found): &(GithubUserId, &Match)| {
            let person = Person { id: *id, login: found.login.clone(), bot: false };
            match self.address(&person) {
                Some(address) => bearer(address) != Some(found.member),
                None => found.source == Source::Map,
            }
        };
        matches.filter(changes).count()
    }
}

/// Whether so many matches change that a person must approve. A file that was cut short or mixed up looks like this.
pub fn is_suspicious(changed: usize, matches: usize) -> bool {
    changed > 5 && changed.saturating_mul(100) > matches.saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::super::mapgrammar::parse;
    use super::*;
    use crate::state::ids::Login;

    fn person(id: u64, login: &str) -> Person {
        Person { id: GithubUserId(id), login: Login::from(login), bot: false }
    }

    fn at(address: &str) -> Address {
        Address::read(address).unwrap()
    }

    #[test]
    fn json_and_csv_say_the_same() {
        let json = parse(r#"{"Octo": "a@x", "id:7": "b@x"}"#).unwrap();
        let csv = parse("login,email\n# people\n@Octo, a@x\n\"id:7\",\"b@x\"\n\n").unwrap();
        assert_eq!(json, csv);
        assert_eq!(json.address(&person(1, "octo")), Some(&at("a@x")));
        assert_eq!(json.address(&person(7, "octo")), Some(&at("b@x")));
        assert_eq!(json.address(&person(2, "other")), None);
    }

    #[test]
    fn a_map_that_changes_more_than_2_percent_and_5_matches_is_suspicious() {
        for (changed, matches, held) in [
            (5, 10, false),
            (6, 10, true),
            (6, 300, false),
            (7, 300, true),
            (20, 1000, false),
            (21, 1000, true),
        ] {
            assert_eq!(is_suspicious(changed, matches), held, "{changed} of {matches}");
        }
    }

    #[test]
    fn changed_are_those_who_lead_elsewhere_and_those_whom_the_map_names_no_more() {
        let found = |member, login: &str, source| Match {
            member: MemberId(member),
            login: Login::from(login),
            source,
            at: crate::clock::Timestamp(0),
        };
        let known = [
            (GithubUserId(1), found(1, "same", Source::Map)),
            (GithubUserId(2), found(2, "elsewhere", Source::Public)),
            (GithubUserId(3), found(3, "dropped", Source::Map)),
            (GithubUserId(4), found(4, "never-named", Source::Public)),
            (GithubUserId(5), found(5, "nobody", Source::Saml)),
        ];
        let map = parse("same,a@x\nelsewhere,a@x\nnobody,none@x\n").unwrap();
        let bearer = |address: &Address| address.is("a@x").then_some(MemberId(1));
        assert_eq!(map.changes(known.iter().map(|(id, found)| (*id, found)), bearer), 3);
    }

    #[test]
    fn a_map_is_named_by_its_entries_whatever_the_form_of_the_file() {
        let (json, csv) = (parse(r#"{"b": "b@x", "a": "a@x"}"#).unwrap(), parse("a,a@x\nB,b@x").unwrap());
        assert_eq!(json.fingerprint(), csv.fingerprint());
        assert_ne!(json.fingerprint(), parse("a,a@x").unwrap().fingerprint());
        assert_eq!(parse(&json.to_json()).unwrap(), json);
    }
}
