//! Sentry's members by address and by linked GitHub account. Pure: filled from what [`crate::hosts::sentry`] has read.
//!
//! It uses sorted lists instead of maps: 50,000 people fit into about 5 MiB.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::config::Trust;
use crate::hosts::sentry::{Member, Standing};
use crate::state::address::{is_proxy, Address, Folded};
use crate::state::event::Person;
use crate::state::ids::{GithubUserId, Login, MemberId};
use crate::text::mask;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    addresses: Vec<Entry>,
    /// Links with a login but no account id, sorted by login.
    logins: Vec<(Folded, MemberId)>,
    /// Links with an account id, sorted by it, and the login.
    accounts: Vec<(GithubUserId, Folded, MemberId)>,
    /// Members whose role does not allow them in any team.
    no_teams: BTreeSet<MemberId>,
    /// Members with an address that counts at every trust setting, sorted.
    verified: Vec<MemberId>,
    suspended: BTreeSet<MemberId>,
    /// Results of searches: the members who have an address without showing it. No list is empty.
    searched: BTreeMap<Folded, Vec<Bearer>>,
}

/// A member whom a search has found by an address that the list of members does not show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bearer {
    pub member: MemberId,
    primary: Option<Box<str>>,
}

impl Bearer {
    pub fn of(member: &Member) -> Self {
        Self { member: member.id, primary: member.primary.as_deref().map(Into::into) }
    }
}

impl fmt::Display for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {}", self.member)?;
        match &self.primary {
            Some(primary) => write!(f, " ({})", mask(primary)),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    address: Folded,
    member: MemberId,
    weight: Weight,
}

/// How much an address is worth as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Sentry has verified it, or has sent it an invite that is still open.
    Counts,
    /// A user's primary address that Sentry does not show to be verified.
    Unverified,
    Expired,
}

const SECOND_ADDRESS: &str = "a second address of theirs, which Sentry does not show to be verified";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    One(MemberId),
    /// One member, by an address that only a search shows. The settings let it count.
    BySearch(MemberId),
    /// Nobody, with what was seen instead, if anything.
    Nobody(Option<Instead>),
    Several(Vec<MemberId>),
}

impl Found {
    pub fn one(&self) -> Option<MemberId> {
        match self {
            Found::One(member) | Found::BySearch(member) => Some(*member),
            Found::Several(_) | Found::Nobody(_) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// A member's primary address that does not count, because it is not verified.
    Unverified,
    /// An invite that has expired.
    ExpiredInvite,
    /// A member who has it as a secondary address, which does not count.
    Second(Bearer),
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instead::Unverified => f.write_str("an address that Sentry has not verified"),
            Instead::ExpiredInvite => f.write_str("an invite that has expired"),
            Instead::Second(bearer) => write!(f, "a second address of {bearer}"),
        }
    }
}

impl Directory {
    pub fn new(members: &[Member]) -> Self {
        let mut directory = Self::default();
        members.iter().for_each(|member| directory.push(member));
        directory.sort();
        directory
    }

    /// Adds rows that were read later. They replace what was known about the same members.
    pub fn learn(&mut self, members: &[Member]) {
        let ids: BTreeSet<_> = members.iter().map(|member| member.id).collect();
        self.keep_rows(|member| !ids.contains(&member));
        members.iter().for_each(|member| self.push(member));
        self.sort();
    }

    pub fn forget(&mut self, member: MemberId) {
        self.keep_rows(|known| known != member);
        self.keep_searched(|bearer| bearer.member != member);
    }

    fn keep_rows(&mut self, keeps: impl Fn(MemberId) -> bool) {
        self.addresses.retain(|entry| keeps(entry.member));
        self.logins.retain(|(_, member)| keeps(*member));
        self.accounts.retain(|(_, _, member)| keeps(*member));
        self.no_teams.retain(|member| keeps(*member));
        self.suspended.retain(|member| keeps(*member));
        self.verified.retain(|member| keeps(*member));
    }

    fn keep_searched(&mut self, keeps: impl Fn(&Bearer) -> bool) {
        self.searched.retain(|_, bearers| {
            bearers.retain(&keeps);
            !bearers.is_empty()
        });
    }

    /// A copy that has only the results of searches.
    pub fn clone_searched(&self) -> Self {
        Self { searched: self.searched.clone(), ..Self::default() }
    }

    /// Takes over the search results of an earlier directory, for members who are still there.
    pub fn take_searched(&mut self, before: &Directory) {
        self.searched = before.searched.clone();
        let there: BTreeSet<_> = self.addresses.iter().map(|entry| entry.member).collect();
        self.keep_searched(|bearer| there.contains(&bearer.member));
    }

    /// Sets the members who have an address without showing it. Returns whether that has changed.
    pub fn learn_searched(&mut self, address: &Address, mut bearers: Vec<Bearer>) -> bool {
        bearers.sort();
        bearers.dedup_by_key(|bearer| bearer.member);
        let known = self.searched.get(&address.folded()).map_or(&[][..], Vec::as_slice);
        let ids = |bearers: &[Bearer]| bearers.iter().map(|bearer| bearer.member).collect::<Vec<_>>();
        let is_news = ids(known) != ids(&bearers);
        self.searched.remove(&address.folded());
        if !bearers.is_empty() {
            self.searched.insert(address.folded(), bearers);
        }
        is_news
    }

    pub fn has_by_search(&self, member: MemberId, address: &Address) -> bool {
        self.by_search(address).iter().any(|bearer| bearer.member == member)
    }

    fn by_search(&self, address: &Address) -> &[Bearer] {
        self.searched.get(&address.folded()).map_or(&[], Vec::as_slice)
    }

    fn push(&mut self, member: &Member) {
        if member.primary.as_deref().is_some_and(is_proxy) {
            return;
        }
        let mut enter = |address: &str, weight| {
            let address = Folded::of(address);
            self.addresses.push(Entry { address, member: member.id, weight });
        };
        member.verified.iter().for_each(|address| enter(address, Weight::Counts));
        let is_verified =
            |address: &String| member.verified.iter().any(|verified| verified.eq_ignore_ascii_case(address));
        if let Some(primary) = member.primary.as_ref().filter(|address| !is_verified(address)) {
            let weight = match member.standing {
                Standing::Member => Weight::Unverified,
                Standing::Invited => Weight::Counts,
                Standing::Expired => Weight::Expired,
            };
            enter(primary, weight);
        }
        for link in &member.links {
            match link.user {
                Some(user) => self.accounts.push((user, Folded::of(&link.login), member.id)),
                None => self.logins.push((Folded::of(&link.login), member.id)),
            }
        }
        if member.no_teams {
            self.no_teams.insert(member.id);
        }
        if member.suspended {
            self.suspended.insert(member.id);
        }
    }

    fn sort(&mut self) {
        self.addresses.sort_unstable();
        self.addresses.shrink_to_fit();
        self.logins.sort_unstable();
        self.logins.shrink_to_fit();
        self.accounts.sort_unstable();
        self.accounts.shrink_to_fit();
        let verified = self.addresses.iter().filter(|entry| entry.weight == Weight::Counts);
        self.verified = verified.map(|entry| entry.member).collect();
        self.verified.sort_unstable();
        self.verified.dedup();
    }

    /// The member who has an address, regardless of case. A verified address or an open invite decides. If there is
    /// none, an unverified primary address counts as `trust` says. An address that only a search shows comes last.
    pub fn bearer(&self, address: &Address, trust: Trust) -> Found {
        let entries: Vec<_> = self.entries(address).collect();
        let with = |weight| -> BTreeSet<MemberId> {
            entries.iter().filter(|entry| entry.weight == weight).map(|entry| entry.member).collect()
        };
        let (counting, unverified) = (with(Weight::Counts), with(Weight::Unverified));
        if !counting.is_empty() {
            return one_of(counting);
        }
        if !unverified.is_empty() {
            return match trust {
                Trust::Never => Found::Nobody(Some(Instead::Unverified)),
                Trust::Primary | Trust::Any => one_of(unverified),
            };
        }
        match self.by_search(address) {
            [] if entries.is_empty() => Found::Nobody(None),
            [] => Found::Nobody(Some(Instead::ExpiredInvite)),
            [bearer] if trust == Trust::Any => Found::BySearch(bearer.member),
            [bearer] => Found::Nobody(Some(Instead::Second(bearer.clone()))),
            several => Found::Several(several.iter().map(|bearer| bearer.member).collect()),
        }
    }

    /// All members who have an address, by the list or by a search, and what it is worth, even if it does not count.
    pub fn bearers(&self, address: &Address) -> Vec<(MemberId, &'static str)> {
        let how = |weight| match weight {
            Weight::Counts => "verified, or an open invite",
            Weight::Unverified => "their primary address, which Sentry does not show to be verified",
            Weight::Expired => "an invite that has expired",
        };
        let shown = self.entries(address).map(|entry| (entry.member, how(entry.weight)));
        let hidden = self.by_search(address).iter();
        shown.chain(hidden.map(|bearer| (bearer.member, SECOND_ADDRESS))).collect()
    }

    /// Whether any member has an address, of any weight, by the list or by a search.
    pub fn knows(&self, address: &Address) -> bool {
        self.shows(address) || !self.by_search(address).is_empty()
    }

    /// Whether the list of members shows an address, of any weight.
    pub fn shows(&self, address: &Address) -> bool {
        self.entries(address).next().is_some()
    }

    fn entries(&self, address: &Address) -> impl Iterator<Item = &Entry> {
        let address = address.folded();
        let from = self.addresses.partition_point(|entry| entry.address < address);
        self.addresses[from..].iter().take_while(move |entry| entry.address == address)
    }

    /// The member who is linked in Sentry to the GitHub account with this id.
    pub fn linked(&self, user: GithubUserId) -> Found {
        let from = self.accounts.partition_point(|(known, ..)| *known < user);
        let of_user = self.accounts[from..].iter().take_while(|(known, ..)| *known == user);
        one_of(of_user.map(|(_, _, member)| *member).collect())
    }

    /// The member who is linked in Sentry to this GitHub login, by links without an account id.
    pub fn linked_by_login(&self, login: &Login) -> Found {
        let login = Folded::of(login.as_str());
        let from = self.logins.partition_point(|(known, _)| *known < login);
        let of_login = self.logins[from..].iter().take_while(|(known, _)| *known == login);
        one_of(of_login.map(|(_, member)| *member).collect())
    }

    /// Another GitHub account that is linked under this person's login, which it had earlier.
    pub fn earlier_owner(&self, person: &Person) -> Option<GithubUserId> {
        let login = Folded::of(person.login.as_str());
        let mut others = self.accounts.iter().filter(|(user, ..)| *user != person.id);
        others.find(|(_, known, _)| *known == login).map(|(user, ..)| *user)
    }

    pub fn has_no_teams(&self, member: MemberId) -> bool {
        self.no_teams.contains(&member)
    }

    /// Whether one of a member's addresses is verified, or has an open invite.
    pub fn shows_verified(&self, member: MemberId) -> bool {
        self.verified.binary_search(&member).is_ok()
    }

    /// Whether Sentry has suspended a member. Suspended members stay matched and in their teams.
    pub fn is_suspended(&self, member: MemberId) -> bool {
        self.suspended.contains(&member)
    }

    /// The addresses of a member, of any weight, from the list and from searches.
    pub fn addresses_of(&self, member: MemberId) -> impl Iterator<Item = &str> {
        let shown = self.addresses.iter().filter(move |entry| entry.member == member);
        let hidden =
            self.searched.iter().filter(move |(_, bearers)| bearers.iter().any(|b| b.member == member));
        shown.map(|entry| entry.address.as_str()).chain(hidden.map(|(address, _)| address.as_str()))
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
    use crate::hosts::sentry::Link;

    pub(super) fn member(id: u64, primary: &str, verified: &[&str], standing: Standing) -> Member {
        Member {
            id: MemberId(id),
            primary: Some(primary.into()),
            verified: verified.iter().map(|address| address.to_string()).collect(),
            links: vec![],
            no_teams: false,
            suspended: false,
            standing,
        }
    }

    fn link(login: &str, user: Option<u64>) -> Link {
        Link { login: login.into(), user: user.map(GithubUserId) }
    }

    #[test]
    fn a_row_with_an_id_means_that_account_whatever_it_is_called_now() {
        let linked = |id, login: &str, user| Member {
            links: vec![link(login, Some(user))],
            ..member(id, "x@x", &[], Standing::Member)
        };
        let directory = Directory::new(&[linked(1, "octo", 7), linked(2, "twice", 8), linked(3, "twice", 8)]);
        assert_eq!(directory.linked(GithubUserId(7)), Found::One(MemberId(1)));
        assert_eq!(directory.linked(GithubUserId(8)), Found::Several(vec![MemberId(2), MemberId(3)]));
        assert_eq!(directory.linked(GithubUserId(9)), Found::Nobody(None));
        assert_eq!(directory.linked_by_login(&Login::from("octo")), Found::Nobody(None));
        let person = |id, login: &str| Person { id: GithubUserId(id), login: Login::from(login), bot: false };
        assert_eq!(directory.earlier_owner(&person(9, "Octo")), Some(GithubUserId(7)));
        assert_eq!(directory.earlier_owner(&person(7, "octo")), None);
    }

    #[test]
    fn what_an_address_fits_instead_is_told() {
        assert_eq!(Instead::Unverified.to_string(), "an address that Sentry has not verified");
        assert_eq!(Instead::ExpiredInvite.to_string(), "an invite that has expired");
        let bearer = Bearer::of(&member(1, "x@x", &[], Standing::Member));
        let told = Instead::Second(bearer).to_string();
        assert!(told.starts_with("a second address of member 1"), "{told}");
    }

    #[test]
    fn whose_role_has_no_teams_is_known() {
        let of = |id, no_teams| Member { no_teams, ..member(id, "x@x", &[], Standing::Member) };
        let directory = Directory::new(&[of(1, true), of(2, false)]);
        assert!(directory.has_no_teams(MemberId(1)) && !directory.has_no_teams(MemberId(2)));
    }

    #[test]
    fn the_user_of_an_integration_is_nobody() {
        let proxy = "app-0b5@proxy-user.sentry.io";
        let directory = Directory::new(&[member(1, proxy, &[proxy], Standing::Member)]);
        assert_eq!(directory.bearer(&at(proxy), Trust::Primary), Found::Nobody(None));
    }

    fn at(address: &str) -> Address {
        Address::read(address).unwrap()
    }

    #[test]
    fn an_address_that_only_looks_like_anothers_is_not_theirs() {
        // U+212A folds to `k` in Unicode. Sentry, or a profile on GitHub, may have either.
        let kelvin = "\u{212a}ai@acme.test";
        let plain = Directory::new(&[member(1, "kai@acme.test", &[], Standing::Member)]);
        assert_eq!(plain.bearer(&at(kelvin), Trust::Primary), Found::Nobody(None));
        let odd = Directory::new(&[member(1, kelvin, &[], Standing::Member)]);
        assert_eq!(odd.bearer(&at("kai@acme.test"), Trust::Primary), Found::Nobody(None));
        assert_eq!(odd.bearer(&at(kelvin), Trust::Primary), Found::One(MemberId(1)));
        let linked =
            Member { links: vec![link("\u{212a}ai", None)], ..member(1, "x@x", &[], Standing::Member) };
        assert_eq!(Directory::new(&[linked]).linked_by_login(&Login::from("kai")), Found::Nobody(None));
    }

    #[test]
    fn addresses_compare_without_case() {
        let directory =
            Directory::new(&[member(1, "Mixed.Case@Acme.test", &["Mixed.Case@Acme.test"], Standing::Member)]);
        assert_eq!(directory.bearer(&at("mixed.case@ACME.TEST"), Trust::Never), Found::One(MemberId(1)));
        assert_eq!(directory.addresses_of(MemberId(1)).collect::<Vec<_>>(), ["mixed.case@acme.test"]);
    }

    #[test]
    fn an_unverified_primary_counts_only_if_trusted_and_alone() {
        let alone = Directory::new(&[member(1, "a@x", &[], Standing::Member)]);
        assert_eq!(alone.bearer(&at("a@x"), Trust::Primary), Found::One(MemberId(1)));
        assert_eq!(alone.bearer(&at("a@x"), Trust::Never), Found::Nobody(Some(Instead::Unverified)));
        // Somebody put the address of another member into their own account: the owner's verified one wins.
        let stolen = Directory::new(&[
            member(1, "a@x", &[], Standing::Member),
            member(2, "b@x", &["b@x", "a@x"], Standing::Member),
        ]);
        assert_eq!(stolen.bearer(&at("a@x"), Trust::Primary), Found::One(MemberId(2)));
        let twins = Directory::new(&[
            member(1, "a@x", &[], Standing::Member),
            member(2, "a@x", &[], Standing::Member),
        ]);
        assert_eq!(twins.bearer(&at("a@x"), Trust::Primary), Found::Several(vec![MemberId(1), MemberId(2)]));
        assert!(matches!(twins.bearer(&at("a@x"), Trust::Never), Found::Nobody(Some(_))));
    }

    #[test]
    fn open_invites_count_and_expired_ones_do_not() {
        let directory = Directory::new(&[
            member(1, "open@x", &[], Standing::Invited),
            member(2, "late@x", &[], Standing::Expired),
        ]);
        assert_eq!(directory.bearer(&at("open@x"), Trust::Never), Found::One(MemberId(1)));
        assert_eq!(
            directory.bearer(&at("late@x"), Trust::Primary),
            Found::Nobody(Some(Instead::ExpiredInvite))
        );
        assert_eq!(directory.bearer(&at("none@x"), Trust::Primary), Found::Nobody(None));
    }

    #[test]
    fn later_rows_replace_what_was_known() {
        let mut directory = Directory::new(&[member(1, "old@x", &[], Standing::Member)]);
        directory
            .learn(&[member(1, "new@x", &[], Standing::Member), member(2, "two@x", &[], Standing::Invited)]);
        assert_eq!(directory.bearer(&at("old@x"), Trust::Primary), Found::Nobody(None));
        assert_eq!(directory.bearer(&at("new@x"), Trust::Primary), Found::One(MemberId(1)));
        assert_eq!(directory.bearer(&at("two@x"), Trust::Primary), Found::One(MemberId(2)));
    }

    #[test]
    fn linked_logins() {
        let linked = |id, login: &str| Member {
            links: vec![link(login, None)],
            ..member(id, "x@x", &[], Standing::Member)
        };
        let directory = Directory::new(&[linked(1, "Octo"), linked(2, "twice"), linked(3, "twice")]);
        assert_eq!(directory.linked_by_login(&Login::from("octo")), Found::One(MemberId(1)));
        assert_eq!(
            directory.linked_by_login(&Login::from("twice")),
            Found::Several(vec![MemberId(2), MemberId(3)])
        );
        assert_eq!(directory.linked_by_login(&Login::from("nobody")), Found::Nobody(None));
    }
}
