//! Sentry's people by address and by linked GitHub login. Pure: filled from what [`crate::sentry`] read.
//!
//! Sorted lists instead of maps: 50,000 people fit into some 5 MiB.

use std::collections::BTreeSet;

use crate::address::{Address, Folded};
use crate::ids::{Login, MemberId};
use crate::sentry::{Member, Standing};

/// Who bears which address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    addresses: Vec<Entry>,
    links: Vec<(Folded, MemberId)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    address: Folded,
    member: MemberId,
    weight: Weight,
}

/// What an address is worth as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Sentry has verified it, or sent an invite to it that is open.
    Counts,
    /// A user's primary address that nobody has verified.
    Unverified,
    /// An invite that has expired.
    Expired,
}

/// Who was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// One member.
    One(MemberId),
    /// Nobody; what was seen instead, if anything.
    Nobody(Option<&'static str>),
    /// Several members, none of whom can be preferred.
    Several(Vec<MemberId>),
}

impl Directory {
    /// From all members.
    pub fn new(members: &[Member]) -> Self {
        let mut directory = Self::default();
        members.iter().for_each(|member| directory.push(member));
        directory.sort();
        directory
    }

    /// Takes in rows read later; what was known of the same members is replaced.
    pub fn learn(&mut self, members: &[Member]) {
        let ids: BTreeSet<_> = members.iter().map(|member| member.id).collect();
        self.addresses.retain(|entry| !ids.contains(&entry.member));
        self.links.retain(|(_, member)| !ids.contains(member));
        members.iter().for_each(|member| self.push(member));
        self.sort();
    }

    /// A member is gone from Sentry.
    pub fn forget(&mut self, member: MemberId) {
        self.addresses.retain(|entry| entry.member != member);
        self.links.retain(|(_, known)| *known != member);
    }

    fn push(&mut self, member: &Member) {
        let mut enter = |address: &str, weight| {
            let address = Folded::of(address);
            self.addresses.push(Entry { address, member: member.id, weight });
        };
        member.verified.iter().for_each(|address| enter(address, Weight::Counts));
        let is_verified =
            |address: &String| member.verified.iter().any(|verified| verified.eq_ignore_ascii_case(address));
        if let Some(primary) = member.primary.as_ref().filter(|address| !is_verified(address)) {
            enter(
                primary,
                match member.standing {
                    Standing::Member => Weight::Unverified,
                    Standing::Invited => Weight::Counts,
                    Standing::Expired => Weight::Expired,
                },
            );
        }
        self.links.extend(member.logins.iter().map(|login| (Folded::of(login), member.id)));
    }

    fn sort(&mut self) {
        self.addresses.sort_unstable();
        self.addresses.shrink_to_fit();
        self.links.sort_unstable();
        self.links.shrink_to_fit();
    }

    /// Who bears an address. Letters' case does not matter. An unverified primary address counts, if `trust_unverified`,
    /// as long as no other member bears the address in any way that could count.
    pub fn bearer(&self, address: &Address, trust_unverified: bool) -> Found {
        let entries: Vec<_> = self.entries(address).collect();
        let with = |weight| -> BTreeSet<MemberId> {
            entries.iter().filter(|entry| entry.weight == weight).map(|entry| entry.member).collect()
        };
        let (counting, unverified) = (with(Weight::Counts), with(Weight::Unverified));
        if !counting.is_empty() {
            return one_of(counting);
        }
        match (unverified.is_empty(), trust_unverified) {
            (false, true) => one_of(unverified),
            (false, false) => Found::Nobody(Some("an address that Sentry has not verified")),
            (true, _) if entries.is_empty() => Found::Nobody(None),
            (true, _) => Found::Nobody(Some("an invite that has expired")),
        }
    }

    /// Everybody who shows an address, whether it counts or not, and what it is worth.
    pub fn bearers(&self, address: &Address) -> Vec<(MemberId, &'static str)> {
        let how = |weight| match weight {
            Weight::Counts => "verified, or an open invite",
            Weight::Unverified => "their primary address, which Sentry does not show to be verified",
            Weight::Expired => "an invite that has expired",
        };
        self.entries(address).map(|entry| (entry.member, how(entry.weight))).collect()
    }

    /// Whether any member shows an address, of whatever weight.
    pub fn knows(&self, address: &Address) -> bool {
        self.entries(address).next().is_some()
    }

    fn entries(&self, address: &Address) -> impl Iterator<Item = &Entry> {
        let address = address.folded();
        let from = self.addresses.partition_point(|entry| entry.address < address);
        self.addresses[from..].iter().take_while(move |entry| entry.address == address)
    }

    /// Who is linked with a GitHub login in Sentry.
    pub fn linked(&self, login: &Login) -> Found {
        let login = Folded::of(login.as_str());
        let members: BTreeSet<_> =
            self.links.iter().filter(|(known, _)| *known == login).map(|(_, member)| *member).collect();
        one_of(members)
    }

    /// The addresses of a member, of whatever weight.
    pub fn addresses_of(&self, member: MemberId) -> impl Iterator<Item = &str> {
        self.addresses.iter().filter(move |entry| entry.member == member).map(|entry| entry.address.as_str())
    }
}

fn one_of(members: BTreeSet<MemberId>) -> Found {
    let members: Vec<_> = members.into_iter().collect();
    match members.as_slice() {
        [] => Found::Nobody(None),
        [member] => Found::One(*member),
        _ => Found::Several(members),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn member(id: u64, primary: &str, verified: &[&str], standing: Standing) -> Member {
        Member {
            id: MemberId(id),
            primary: Some(primary.into()),
            verified: verified.iter().map(|address| address.to_string()).collect(),
            logins: vec![],
            standing,
        }
    }

    fn at(address: &str) -> Address {
        Address::read(address).unwrap()
    }

    #[test]
    fn an_address_that_only_looks_like_anothers_is_not_theirs() {
        // U+212A folds to `k` in Unicode. Sentry, or a profile on GitHub, may have either.
        let kelvin = "\u{212a}ai@acme.test";
        let plain = Directory::new(&[member(1, "kai@acme.test", &[], Standing::Member)]);
        assert_eq!(plain.bearer(&at(kelvin), true), Found::Nobody(None));
        let odd = Directory::new(&[member(1, kelvin, &[], Standing::Member)]);
        assert_eq!(odd.bearer(&at("kai@acme.test"), true), Found::Nobody(None));
        assert_eq!(odd.bearer(&at(kelvin), true), Found::One(MemberId(1)));
        let linked = Member { logins: vec!["\u{212a}ai".into()], ..member(1, "x@x", &[], Standing::Member) };
        assert_eq!(Directory::new(&[linked]).linked(&Login::from("kai")), Found::Nobody(None));
    }

    #[test]
    fn addresses_compare_without_case() {
        let directory =
            Directory::new(&[member(1, "Mixed.Case@Acme.test", &["Mixed.Case@Acme.test"], Standing::Member)]);
        assert_eq!(directory.bearer(&at("mixed.case@ACME.TEST"), false), Found::One(MemberId(1)));
        assert_eq!(directory.addresses_of(MemberId(1)).collect::<Vec<_>>(), ["mixed.case@acme.test"]);
    }

    #[test]
    fn an_unverified_primary_counts_only_if_trusted_and_alone() {
        let alone = Directory::new(&[member(1, "a@x", &[], Standing::Member)]);
        assert_eq!(alone.bearer(&at("a@x"), true), Found::One(MemberId(1)));
        assert_eq!(
            alone.bearer(&at("a@x"), false),
            Found::Nobody(Some("an address that Sentry has not verified"))
        );
        // Somebody put the address of another member into their own account: the owner's verified one wins.
        let stolen = Directory::new(&[
            member(1, "a@x", &[], Standing::Member),
            member(2, "b@x", &["b@x", "a@x"], Standing::Member),
        ]);
        assert_eq!(stolen.bearer(&at("a@x"), true), Found::One(MemberId(2)));
        let twins = Directory::new(&[
            member(1, "a@x", &[], Standing::Member),
            member(2, "a@x", &[], Standing::Member),
        ]);
        assert_eq!(twins.bearer(&at("a@x"), true), Found::Several(vec![MemberId(1), MemberId(2)]));
        assert!(matches!(twins.bearer(&at("a@x"), false), Found::Nobody(Some(_))));
    }

    #[test]
    fn open_invites_count_and_expired_ones_do_not() {
        let directory = Directory::new(&[
            member(1, "open@x", &[], Standing::Invited),
            member(2, "late@x", &[], Standing::Expired),
        ]);
        assert_eq!(directory.bearer(&at("open@x"), false), Found::One(MemberId(1)));
        assert_eq!(directory.bearer(&at("late@x"), true), Found::Nobody(Some("an invite that has expired")));
        assert_eq!(directory.bearer(&at("none@x"), true), Found::Nobody(None));
    }

    #[test]
    fn later_rows_replace_what_was_known() {
        let mut directory = Directory::new(&[member(1, "old@x", &[], Standing::Member)]);
        directory
            .learn(&[member(1, "new@x", &[], Standing::Member), member(2, "two@x", &[], Standing::Invited)]);
        assert_eq!(directory.bearer(&at("old@x"), true), Found::Nobody(None));
        assert_eq!(directory.bearer(&at("new@x"), true), Found::One(MemberId(1)));
        assert_eq!(directory.bearer(&at("two@x"), true), Found::One(MemberId(2)));
    }

    #[test]
    fn linked_logins() {
        let linked = |id, login: &str| Member {
            logins: vec![login.into()],
            ..member(id, "x@x", &[], Standing::Member)
        };
        let directory = Directory::new(&[linked(1, "Octo"), linked(2, "twice"), linked(3, "twice")]);
        assert_eq!(directory.linked(&Login::from("octo")), Found::One(MemberId(1)));
        assert_eq!(directory.linked(&Login::from("twice")), Found::Several(vec![MemberId(2), MemberId(3)]));
        assert_eq!(directory.linked(&Login::from("nobody")), Found::Nobody(None));
    }
}
