//! Finds members by addresses that Sentry's list of members does not show. Pure: the caller makes the calls.
//!
//! Current versions of Sentry list only primary addresses, and find the others by a search. A search takes several
//! addresses at once, and its rows do not say which address matched. If all rows of a batch are known already, that one
//! call confirms them. If a row is new, single addresses are searched for, the most likely one first.

use std::collections::BTreeSet;

use super::directory::{Bearer, Directory};
use crate::hosts::sentry::{Hit, Member};
use crate::state::address::{Address, Folded};
use crate::state::ids::MemberId;

const PER_CALL: usize = 20;

/// Addresses that members were found not to have, while it is still unknown which address of a batch they have.
pub type Misses = BTreeSet<(MemberId, Folded)>;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// All rows of all answers, to update the directory.
    pub rows: Vec<Member>,
    /// For each address of the batch, the members known to have it without showing it.
    pub bearers: Vec<(Address, Vec<Bearer>)>,
    /// Addresses that members do not have, if it is still unknown which one they have.
    pub misses: Vec<(MemberId, Folded)>,
}

fn is_searchable(address: &Address) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "@.-_+'~!$&/=".contains(c);
    address.as_str().chars().all(plain)
}

/// Splits addresses into one batch per call. An apostrophe would join two addresses, so its address goes alone.
pub fn batches(addresses: &BTreeSet<Address>) -> Vec<Vec<Address>> {
    let searchable = addresses.iter().filter(|address| is_searchable(address)).cloned();
    let (alone, joined): (Vec<_>, Vec<_>) = searchable.partition(|address| address.as_str().contains('\''));
    let batches = joined.chunks(PER_CALL).map(<[_]>::to_vec);
    batches.chain(alone.into_iter().map(|address| vec![address])).collect()
}

/// How many calls a batch with new rows may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// One more call for each new row. If that is not enough, the next search continues.
    Bounded,
    /// As many as it takes to find an address for every row.
    Whole,
}

/// Searches for one batch. `known`: the results of earlier searches; `misses`: what these have ruled out.
pub fn ask_for<E>(
    batch: &[Address],
    known: &Directory,
    misses: &Misses,
    depth: Depth,
    mut ask: impl FnMut(&[Address]) -> Result<Vec<Hit>, E>,
) -> Result<Told, E> {
    let hits = ask(batch)?;
    let mut told = Told { rows: members(&hits), ..Told::default() };
    if let [address] = batch {
        told.bearers.push((address.clone(), bearers(&hits, address)));
        return Ok(told);
    }
    for address in batch {
        let still = hits.iter().filter(|hit| known.has_by_search(hit.member.id, address));
        told.bearers.push((address.clone(), still.map(|hit| Bearer::of(&hit.member)).collect()));
    }
    let is_known =
        |hit: &Hit| batch.iter().any(|a| hit.member.shows(a) || known.has_by_search(hit.member.id, a));
    let mut new: Vec<_> = hits.into_iter().filter(|hit| !is_known(hit)).collect();
    let mut open: Vec<_> = batch.iter().collect();
    let mut calls = if depth == Depth::Whole { batch.len() } else { new.len() };
    let mut ruled_out: Misses = misses.clone();
    while calls > 0 && !new.is_empty() {
        let Some(address) = likeliest(&new, &open, &ruled_out) else { break };
        open.retain(|other| *other != address);
        calls -= 1;
        let hits = ask(std::slice::from_ref(address))?;
        let has_it = |hit: &Hit| hits.iter().any(|other| other.member.id == hit.member.id);
        ruled_out.extend(new.iter().filter(|hit| !has_it(hit)).map(|hit| (hit.member.id, address.folded())));
        new.retain(|hit| !has_it(hit));
        if let Some((_, known)) = told.bearers.iter_mut().find(|(other, _)| other == address) {
            *known = bearers(&hits, address);
        }
        told.rows.extend(members(&hits));
    }
    let still_new = |id: MemberId| new.iter().any(|hit| hit.member.id == id);
    told.misses = ruled_out.into_iter().filter(|(id, _)| still_new(*id)).collect();
    Ok(told)
}

fn members(hits: &[Hit]) -> Vec<Member> {
    hits.iter().map(|hit| hit.member.clone()).collect()
}

/// The members who have an address without showing it.
fn bearers(hits: &[Hit], address: &Address) -> Vec<Bearer> {
    let hidden = hits.iter().filter(|hit| !hit.member.shows(address));
    hidden.map(|hit| Bearer::of(&hit.member)).collect()
}

/// The address that most likely explains why one of the rows was found.
fn likeliest<'a>(new: &[Hit], open: &[&'a Address], ruled_out: &Misses) -> Option<&'a Address> {
    let pairs = new.iter().flat_map(|hit| open.iter().map(move |address| (hit, *address)));
    let possible = pairs.filter(|(hit, address)| !ruled_out.contains(&(hit.member.id, address.folded())));
    let best = possible.max_by_key(|(hit, address)| (likeness(hit, address), std::cmp::Reverse(*address)));
    // All pairs were ruled out earlier: somebody has got another address since then.
    best.map(|(_, address)| address).or_else(|| open.first().copied())
}

/// How similar an address is to a member's name and primary address. People write their name in most addresses.
fn likeness(hit: &Hit, address: &Address) -> usize {
    let (local, domain) = split(address.as_str());
    let primary = hit.member.primary.as_deref().unwrap_or_default();
    let (own, own_domain) = split(primary);
    let own_words = words(&own).chain(words(&hit.name)).collect::<BTreeSet<_>>();
    let shared = words(&local).filter(|word| own_words.contains(word)).count();
    let within = own_words.iter().filter(|word| word.len() > 2 && local.contains(word.as_str())).count();
    let common = common_run(&local, &own).max(common_run(&local, &hit.name.to_ascii_lowercase()));
    let same = usize::from(local == own) * 1000;
    same + shared * 100 + within * 30 + common * 10 + usize::from(domain == own_domain)
}

/// The part before the `@` without its `+tag`, and the domain, both in lower case.
fn split(address: &str) -> (String, String) {
    let folded = address.to_ascii_lowercase();
    let (local, domain) = folded.split_once('@').unwrap_or((&folded, ""));
    let local = local.split_once('+').map_or(local, |(name, _)| name);
    (local.into(), domain.into())
}

/// The words of a text in lower case, with digits split off.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let pieces = text.split(|c: char| !c.is_alphanumeric());
    let words = pieces.flat_map(|piece| {
        let digits_from = piece.find(|c: char| c.is_ascii_digit()).unwrap_or(piece.len());
        let (letters, digits) = piece.split_at(digits_from);
        [letters, digits]
    });
    words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase)
}

/// The length of the longest run of characters that both contain.
fn common_run(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut best = 0;
    let mut before = vec![0; b.len() + 1];
    for x in &a {
        let mut row = vec![0; b.len() + 1];
        for (n, y) in b.iter().enumerate() {
            let run = if x == y { before.get(n).copied().unwrap_or(0) + 1 } else { 0 };
            if let Some(place) = row.get_mut(n + 1) {
                *place = run;
            }
            best = best.max(run);
        }
        before = row;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Trust;
    use crate::hosts::sentry::Standing;
    use crate::identity::directory::Found;

    fn at(address: &str) -> Address {
        Address::read(address).unwrap()
    }

    fn member(id: u64, primary: &str) -> Member {
        Member {
            id: MemberId(id),
            primary: Some(primary.into()),
            verified: vec![],
            links: vec![],
            no_teams: false,
            suspended: false,
            standing: Standing::Member,
        }
    }

    /// A fake Sentry: members with their name and secondary addresses, and the number of addresses in each search.
    struct Site(Vec<(Member, &'static str, Vec<Address>)>, Vec<usize>);

    impl Site {
        fn ask(&mut self, addresses: &[Address]) -> Result<Vec<Hit>, ()> {
            self.1.push(addresses.len());
            let has = |(member, _, more): &&(Member, &str, Vec<Address>)| {
                addresses.iter().any(|address| member.shows(address) || more.contains(address))
            };
            let hit = |(member, name, _): &(Member, &str, _)| Hit {
                member: member.clone(),
                name: name.to_string(),
            };
            Ok(self.0.iter().filter(has).map(hit).collect())
        }

        fn search(
            &mut self,
            batch: &[Address],
            directory: &mut Directory,
            misses: &mut Misses,
            depth: Depth,
        ) -> usize {
            self.1.clear();
            let told = ask_for(batch, directory, misses, depth, |addresses| self.ask(addresses)).unwrap();
            for (address, bearers) in told.bearers {
                directory.learn_searched(&address, bearers);
            }
            *misses = told.misses.into_iter().collect();
            self.1.len()
        }
    }

    fn twenty() -> Vec<Address> {
        (10..30).map(|n| at(&format!("person{n}@home.test"))).collect()
    }

    #[test]
    fn the_likeliest_address_is_asked_for_first_and_the_next_batch_confirms_it_alone() {
        let mut site = Site(
            vec![
                (member(1, "person17@work.test"), "", vec![at("person17@home.test")]),
                (member(2, "boss@work.test"), "Person 23", vec![at("person23@home.test")]),
            ],
            vec![],
        );
        let (mut directory, mut misses) = (Directory::default(), Misses::new());
        let mut search =
            |directory: &mut _, misses: &mut _| site.search(&twenty(), directory, misses, Depth::Bounded);
        assert_eq!(search(&mut directory, &mut misses), 1 + 2);
        let found = |directory: &Directory, address| directory.bearer(&at(address), Trust::Any);
        assert_eq!(found(&directory, "person17@home.test"), Found::BySearch(MemberId(1)));
        assert_eq!(found(&directory, "person23@home.test"), Found::BySearch(MemberId(2)));
        assert_eq!(found(&directory, "person11@home.test"), Found::Nobody(None));
        assert_eq!(search(&mut directory, &mut misses), 1);
        assert_eq!(found(&directory, "person17@home.test"), Found::BySearch(MemberId(1)));
    }

    #[test]
    fn whom_no_likeness_tells_is_found_later_and_never_by_more_calls_than_there_are_new_people() {
        let names = ["kite", "moss", "fern"];
        let people = names.iter().enumerate().map(|(n, name)| {
            let hidden = at(&format!("person{}@home.test", 27 - 8 * n));
            (member(n as u64, &format!("{name}@work.test")), "", vec![hidden])
        });
        let mut site = Site(people.collect(), vec![]);
        let (mut directory, mut misses) = (Directory::default(), Misses::new());
        let n_found = |directory: &Directory| {
            let found = |a: &&Address| matches!(directory.bearer(a, Trust::Any), Found::BySearch(_));
            twenty().iter().filter(found).count()
        };
        let mut rounds = 0;
        while n_found(&directory) < 3 {
            let new = 3 - n_found(&directory);
            let calls = site.search(&twenty(), &mut directory, &mut misses, Depth::Bounded);
            assert!(calls <= 1 + new, "{calls} calls for {new}");
            rounds += 1;
            assert!(rounds < 20, "what was ruled out is not asked again");
        }
        assert_eq!(site.search(&twenty(), &mut directory, &mut misses, Depth::Bounded), 1);
        // A search without a limit on its calls finds everybody at once.
        let (mut directory, mut misses) = (Directory::default(), Misses::new());
        site.search(&twenty(), &mut directory, &mut misses, Depth::Whole);
        assert_eq!(n_found(&directory), 3);
    }

    #[test]
    fn whoever_has_the_address_no_more_is_forgotten_and_two_who_have_it_are_a_conflict() {
        let both = |n| (member(n, &format!("m{n}@work.test")), "", vec![at("person12@home.test")]);
        let mut site = Site(vec![both(1)], vec![]);
        let (mut directory, mut misses) = (Directory::default(), Misses::new());
        let address = at("person12@home.test");
        site.search(&twenty(), &mut directory, &mut misses, Depth::Whole);
        assert_eq!(directory.bearer(&address, Trust::Any), Found::BySearch(MemberId(1)));
        assert!(matches!(directory.bearer(&address, Trust::Primary), Found::Nobody(Some(_))));
        site.0.push(both(2));
        site.search(&twenty(), &mut directory, &mut misses, Depth::Whole);
        assert_eq!(directory.bearer(&address, Trust::Any), Found::Several(vec![MemberId(1), MemberId(2)]));
        site.0.clear();
        site.search(&twenty(), &mut directory, &mut misses, Depth::Whole);
        assert_eq!(directory.bearer(&address, Trust::Any), Found::Nobody(None));
    }

    #[test]
    fn what_two_addresses_have_in_common_counts_whatever_their_domains() {
        let hit = Hit { member: member(1, "annalee@work.test"), name: String::new() };
        assert!(likeness(&hit, &at("annal33@home.test")) > likeness(&hit, &at("bob@home.test")));
        assert!(likeness(&hit, &at("bob@work.test")) > likeness(&hit, &at("bob@home.test")));
    }

    #[test]
    fn only_what_sentry_takes_for_an_address_is_asked_for_and_an_apostrophe_stands_alone() {
        let all: BTreeSet<_> =
            twenty().into_iter().chain([at("z@x"), at("o'neill@x"), at("a#b@x")]).collect();
        let batches = batches(&all);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [20, 1, 1]);
        assert!(batches.iter().flatten().all(|address| !address.is("a#b@x")));
    }
}
