//! Asks Sentry who has an address that nobody in its list of members shows: in a delivery at once, in comparisons once an
//! interval, and no more calls than [`crate::identity::search`] allows.
//!
//! What was found is kept in the directory, in memory only. A search that fails is a failed read, never "nobody has it".

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

/// How many addresses of one person are asked for.
pub(super) const MOST_ADDRESSES: usize = 5;
/// How long a search is good for where `SYNC_INTERVAL` is off.
const WITHOUT_INTERVAL: Duration = Duration::from_secs(3600);
/// Within this time whoever was looked for is noted as wanted, or put into their team.
const LOOKED_FOR: Duration = Duration::from_secs(3600);

/// What is remembered of searches, beside what the directory has learned of them.
#[derive(Default)]
pub(super) struct Searches {
    asked: HashMap<Folded, Instant>,
    misses: Misses,
    /// The addresses of people whom nobody could match, and since when: payload mode has no list of them.
    of_person: BTreeMap<GithubUserId, (Instant, Vec<Address>)>,
}

#[derive(Debug, Default)]
pub(crate) struct Searched {
    /// Sentry knows somebody by one of the addresses, in whatever way.
    pub any: bool,
    /// The addresses of which something else is known than before.
    pub news: BTreeSet<Folded>,
}

impl Matcher<'_> {
    pub(crate) fn search_now(&self, addresses: Vec<Address>) -> Result<Searched, Trouble> {
        self.search(addresses.into_iter().collect(), Depth::Whole)
    }

    /// Asks for those that were not asked for within the interval.
    fn search_due(&self, mut addresses: BTreeSet<Address>, depth: Depth) -> Result<Searched, Trouble> {
        // A comparison is not to the second.
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

    /// Asks for the addresses of people in mirrored teams whom the directory did not match, and of those who are protected,
    /// and sees who they are.
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

    /// Payload mode: notes which addresses decide who somebody is whom nobody could match.
    pub(super) fn note_addresses(&self, person: &Person, evidence: &Evidence) {
        if self.state(State::bearings).is_some_and(|(_, mode)| mode == Mode::Payload) {
            let addresses = evidence.deciding(&self.settings.identity);
            let addresses = addresses.into_iter().take(MOST_ADDRESSES).collect();
            self.who.searches.lock().of_person.insert(person.id, (self.clock.now(), addresses));
        }
    }

    /// Payload mode: asks for everybody who is waited for, and whose addresses are known, and for those who are protected.
    /// Returns of whom there is news.
    pub fn search_for_wanted(&self) -> Result<BTreeSet<GithubUserId>, Trouble> {
        let wanted: BTreeSet<_> = self.state(|state| state.people.wanted().map(|(user, _)| user).collect());
        let known: BTreeMap<_, _> = {
            let mut searches = self.who.searches.lock();
            // A worker may have noted somebody whom it has not yet noted as wanted.
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

    /// Asks for the addresses in `SYNC_PROTECT` that nobody shows, where that was not done within the interval: nobody is taken
    /// out before it is known whom they protect.
    pub(super) fn search_for_protected(&self) -> Result<(), Trouble> {
        self.search_due(self.hidden_protected(), Depth::Whole).map(drop)
    }

    fn hidden_protected(&self) -> BTreeSet<Address> {
        let addresses = self.settings.protect.addresses().iter();
        self.who.with_directory(|directory| addresses.filter(|a| !directory.shows(a)).cloned().collect())
    }

    /// Whom an address in `SYNC_PROTECT` protects that only a search shows.
    pub fn protected_by_search(&self) -> BTreeSet<MemberId> {
        let hidden = self.hidden_protected();
        self.who.with_directory(|directory| {
            hidden.iter().flat_map(|address| directory.bearers(address)).map(|(member, _)| member).collect()
        })
    }
}
