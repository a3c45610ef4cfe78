//! Reads public profiles one by one by REST, for people whose public address the snapshot lacks.
//!
//! GraphQL refuses `User.email` to a classic token without `user:email` or `read:user`, and REST's lists have no
//! addresses. Every token may read single profiles, but each costs a call. So only people in mirrored teams whom no
//! other source knows are read, and a profile that was read is not read again for a day. If a profile cannot be read,
//! its owner stays unknown, and nobody is removed because of that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Matcher;
use crate::hosts::github::facts::Claims;
use crate::hosts::http::several::several_at_once;
use crate::hosts::http::Trouble;
use crate::hosts::snapshot::GithubSnapshot;
use crate::identity::usermap::UserMap;
use crate::identity::Identity;
use crate::lock::Mutex;
use crate::state::event::Person;
use crate::state::ids::GithubUserId;

/// The reason for people whose profile could not be read. It is the same for every error.
const UNREAD: &str = "no other source knows an address, and the public profile could not be read";

/// How long a profile is not read again.
const GOOD_FOR: Duration = Duration::from_secs(24 * 3600);

/// The public addresses that were read within the last day.
#[derive(Default)]
pub(super) struct Profiles(Mutex<HashMap<GithubUserId, (Option<String>, Instant)>>);

impl Profiles {
    /// A person's public address, if they have one. `None` if their profile was not read.
    fn get(&self, user: GithubUserId) -> Option<Option<String>> {
        self.0.lock().get(&user).map(|(address, _)| address.clone())
    }

    fn learn(&self, user: GithubUserId, address: Option<String>, now: Instant) {
        self.0.lock().insert(user, (address, now));
    }

    fn forget_old(&self, now: Instant) {
        self.0.lock().retain(|_, (_, at)| now.saturating_duration_since(*at) < GOOD_FOR);
    }
}

impl Matcher<'_> {
    /// Reads the profiles of people in mirrored teams whom no source knows, if `may` allows it, and identifies them.
    /// Returns those whose profile could not be read. Calls `told` for each profile that was read.
    pub fn identify_by_profiles(
        &self,
        github: &GithubSnapshot,
        map: &UserMap,
        people: &mut BTreeMap<GithubUserId, Identity>,
        may: impl Fn(&GithubUserId) -> bool,
        told: &mut dyn FnMut(Person, &Identity, Claims),
    ) -> BTreeSet<GithubUserId> {
        let mirrored = github.teams.iter().filter(|team| self.settings.teams.matches(&team.facts.slug));
        let needed: BTreeSet<_> = mirrored.flat_map(|team| &team.members).copied().collect();
        let is_unknown =
            |user: &GithubUserId| matches!(people.get(user), Some(Identity::Unknown { .. })) && may(user);
        let needed: Vec<_> = needed
            .into_iter()
            .filter(is_unknown)
            .filter_map(|id| Some(Person { id, login: github.people.get(&id)?.login.clone(), bot: false }))
            .collect();
        self.read_profiles(&needed);
        let mut unread = BTreeSet::new();
        for person in needed {
            let (user, known) = (person.id, self.who.profiles.get(person.id));
            let identity = match known {
                Some(public) => {
                    let claims = Claims { public, ..Claims::default() };
                    let identity = self.identify_shown(&person, &claims, map);
                    told(person, &identity, claims);
                    identity
                }
                None => {
                    unread.insert(user);
                    Identity::Unknown { why: UNREAD.into() }
                }
            };
            people.insert(user, identity);
        }
        unread
    }

    fn read_profiles(&self, needed: &[Person]) {
        self.who.profiles.forget_old(self.clock.now());
        let unknown = |person: &&Person| self.who.profiles.get(person.id).is_none();
        let missing: Vec<_> = needed.iter().filter(unknown).collect();
        let is_over = AtomicBool::new(false);
        let ask = |person: &&Person| -> Result<(), Trouble> {
            if is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            match self.github.profile(person) {
                Ok(profile) => {
                    let email = profile.and_then(|profile| profile.email);
                    self.who.profiles.learn(person.id, email, self.clock.now());
                }
                Err(trouble) => {
                    // A refusal concerns one person. A rate limit or outage ends it for all until the next comparison.
                    if !trouble.is_for_good() && !is_over.swap(true, Ordering::Relaxed) {
                        log::warn!("identity: failed to read public profiles, so nobody is removed because of them: {trouble}");
                    }
                }
            }
            Ok(())
        };
        // This is never an error: people whose profile was not read stay unknown.
        let _ = several_at_once(&missing, ask);
    }
}
