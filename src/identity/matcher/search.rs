//! Searches Sentry for addresses that its list of members does not show: for a delivery at once, for comparisons once
//! per interval, with no more calls than [`crate::identity::search`] allows.
//!
//! Results are kept in the directory, in memory only. A search that fails is a failed read, never "nobody has it".

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::Matcher;
use crate::hosts::github::facts::Claims;
use crate::hosts::http::several::several_at_once;
use crate::hosts::http::Trouble;
use crate::identity::directory::Directory;
use crate::identity::search::{self, Depth, Misses, Told};
use crate::identity::usermap::UserMap;
use crate::identity::{Evidence, Identity};
use crate::state::address::{Address, Folded};
use crate::state::event::Person;
use crate::state::ids::{GithubUserId, MemberId};
use crate::state::values::Mode;
use crate::state::State;

/// How many addresses of one person are searched for.
pub(super) const MOST_ADDRESSES: usize = 5;
/// Used instead of `SYNC_INTERVAL` if that is off.
const WITHOUT_INTERVAL: Duration = Duration::from_secs(3600);
/// After this time, a person who was searched for has certainly been noted as wanted or added to their team.
const LOOKED_FOR: Duration = Duration::from_secs(3600);

/// The history of searches. Their results are in the directory.
#[derive(Default)]
pub(super) struct Searches {
    asked: HashMap<Folded, Instant>,
    misses: Misses,
    /// Payload mode has no list of people, so it keeps the addresses of those without a match, and since when.
    of_person: BTreeMap<GithubUserId, (Instant, Vec<Address>)>,
}

#[derive(Debug, Default)]
pub(crate) struct Searched {
    /// Sentry has a row for one of the addresses, whether it counts or not.
    pub any: bool,
    /// The addresses whose result has changed.
    pub news: BTreeSet<Folded>,
}

impl Matcher<'_> {
    pub(crate) fn search_now(&self, addresses: Vec<Address>) -> Result<Searched, Trouble> {
        self.search(addresses.into_iter().collect(), Depth::Whole)
    }

    /// Searches for those addresses that were not searched for within half an interval.
    fn search_due(&self, mut addresses: BTreeSet<Address>, depth: Depth) -> Result<Searched, Trouble> {
        // Half, because comparisons are not exactly an interval apart, and each one must search again.
        let good_for = self.settings.interval.unwrap_or(WITHOUT_INTERVAL) / 2;
        let searches = self.who.searches.lock();
        addresses.retain(|address| {
            searches.asked.get(&address.folded()).is_none_or(|at| self.clock.since(*at) >= good_for)
        });
        drop(searches);
        self.search(addresses, depth)
    }

    fn search(&self, addresses: BTreeSet<Address>, depth: Depth) -> Result<Searched, Trouble> {
        let batches = search::batches(&addresses);
        if batches.is_empty() {
            return Ok(Searched::default());
        }
        let known = self.who.with_directory(Directory::clone_searched);
        let misses = self.who.searches.lock().misses.clone();
        let told = several_at_once(&batches, |batch| {
            search::ask_for(batch, &known, &misses, depth, |addresses| self.sentry.members_with(addresses))
        })?;
        Ok(self.learn_told(told))
    }

    fn learn_told(&self, told: Vec<Told>) -> Searched {
        let (now, mut searched) = (self.clock.now(), Searched::default());
        let mut directory = self.who.directory.write();
        let mut searches = self.who.searches.lock();
        let rows: Vec<_> = told.iter().flat_map(|told| &told.rows).cloned().collect();
        searched.any = !rows.is_empty();
        for (address, bearers) in told.iter().flat_map(|told| &told.bearers) {
            let is_new = rows.iter().any(|row| row.shows(address)) && !directory.shows(address);
            if directory.learn_searched(address, bearers.clone()) || is_new {
                searched.news.insert(address.folded());
            }
            searches.asked.insert(address.folded(), now);
        }
        if !rows.is_empty() {
            directory.learn(&rows);
        }
        let rows: BTreeSet<_> = rows.into_iter().map(|row| row.id).collect();
        searches.misses.retain(|(member, _)| !rows.contains(member));
        searches.misses.extend(told.into_iter().flat_map(|told| told.misses));
        searched
    }

    /// Searches for protected addresses, and for those of people in mirrored teams whom the directory did not match.
    /// Then identifies these people again.
    pub(super) fn identify_by_search(
        &self,
        absent: &[(Person, Claims)],
        map: &UserMap,
        people: &mut BTreeMap<GithubUserId, Identity>,
        depth: Depth,
    ) -> Result<(), Trouble> {
        let mut addresses = self.hidden_protected();
        for (person, claims) in absent {
            let evidence = Evidence::new(person, map.address(person), claims);
            addresses.extend(evidence.deciding(&self.settings.identity).into_iter().take(MOST_ADDRESSES));
        }
        self.search_due(addresses, depth)?;
        for (person, claims) in absent {
            people.insert(person.id, self.identify_shown(person, claims, map));
        }
        Ok(())
    }

    /// Payload mode: keeps the deciding addresses of a person whom nobody could match, for later searches.
    pub(super) fn note_addresses(&self, person: &Person, evidence: &Evidence) {
        if self.state(State::bearings).is_some_and(|(_, mode)| mode == Mode::Payload) {
            let addresses = evidence.deciding(&self.settings.identity);
            let addresses = addresses.into_iter().take(MOST_ADDRESSES).collect();
            self.who.searches.lock().of_person.insert(person.id, (self.clock.now(), addresses));
        }
    }

    /// Payload mode: searches for protected addresses, and for all wanted people whose addresses are known. Returns the
    /// people whose result has changed.
    pub fn search_for_wanted(&self) -> Result<BTreeSet<GithubUserId>, Trouble> {
        let wanted: BTreeSet<_> = self.state(|state| state.people.wanted().map(|(user, _)| user).collect());
        let known: BTreeMap<_, _> = {
            let mut searches = self.who.searches.lock();
            // A worker keeps somebody's addresses shortly before it notes them as wanted.
            searches
                .of_person
                .retain(|user, (since, _)| wanted.contains(user) || self.clock.since(*since) < LOOKED_FOR);
            let known = searches.of_person.iter().filter(|(user, _)| wanted.contains(user));
            known.map(|(user, (_, addresses))| (*user, addresses.clone())).collect()
        };
        let hidden = |address: &&Address| !self.who.with_directory(|directory| directory.shows(address));
        let mut addresses: BTreeSet<_> = known.values().flatten().filter(hidden).cloned().collect();
        addresses.extend(self.hidden_protected());
        let searched = self.search_due(addresses, Depth::Bounded)?;
        let is_news =
            |addresses: &[Address]| addresses.iter().any(|address| searched.news.contains(&address.folded()));
        Ok(known.into_iter().filter(|(_, addresses)| is_news(addresses)).map(|(user, _)| user).collect())
    }

    /// Searches for the addresses in `SYNC_PROTECT` that no member shows, unless that was done within half an interval.
    /// Nobody may be removed before it is known whom these addresses protect.
    pub(super) fn search_for_protected(&self) -> Result<(), Trouble> {
        self.search_due(self.hidden_protected(), Depth::Whole).map(drop)
    }

    fn hidden_protected(&self) -> BTreeSet<Address> {
        let addresses = self.settings.protect.addresses().iter();
        self.who.with_directory(|directory| addresses.filter(|a| !directory.shows(a)).cloned().collect())
    }

    /// The members whom an address in `SYNC_PROTECT` protects that only a search shows.
    pub fn protected_by_search(&self) -> BTreeSet<MemberId> {
        let hidden = self.hidden_protected();
        self.who.with_directory(|directory| {
            hidden.iter().flat_map(|address| directory.bearers(address)).map(|(member, _)| member).collect()
        })
    }
}
