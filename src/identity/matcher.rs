//! Runs the identity chain: asks the sources that cost no call first, then GitHub, then searches Sentry for fresh rows,
//! and remembers a match.

mod profiles;
mod search;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{Settings, Trust};
use crate::hosts::github::facts::{Claims, Wanted};
use crate::hosts::github::Github;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::sentry::{Member, Sentry};
use crate::hosts::snapshot::{GithubSnapshot, GithubTeam, List};
use crate::identity::directory::Directory;
use crate::identity::mapfile::MapFile;
use crate::identity::remembered::is_allowed;
use crate::identity::search::Depth;
use crate::identity::usermap::UserMap;
use crate::identity::{self, Evidence, Identity, Rules};
use crate::lock::{Mutex, RwLock, Turn, Turns};
use crate::state::address::Address;
use crate::state::event::Person;
use crate::state::ids::{GithubUserId, MemberId};
use crate::state::record::Record;
use crate::state::values::{Match, Mode, Source};
use crate::state::State;
use crate::store::audit::Audit;
use crate::store::files::Files;
use crate::store::journal::Journal;

/// Sentry's members as last read, and the user map.
pub struct Who {
    directory: RwLock<Directory>,
    /// Whether the whole directory has been read since the start.
    is_read: AtomicBool,
    /// Concurrent callers block here until the first one has loaded the directory.
    reading: Turns,
    searches: Mutex<search::Searches>,
    pub(crate) map: MapFile,
    profiles: profiles::Profiles,
    /// The user map in use has changed since the last comparison.
    pub(super) has_new_map: AtomicBool,
}

impl Who {
    pub fn new(settings: &Settings, files: &Arc<dyn Files>) -> Self {
        Self {
            directory: RwLock::default(),
            is_read: AtomicBool::new(false),
            reading: Turns::default(),
            searches: Mutex::default(),
            map: MapFile::new(files, settings.user_map.clone(), &settings.state_dir),
            profiles: profiles::Profiles::default(),
            has_new_map: AtomicBool::new(false),
        }
    }

    /// Whether the user map in use has changed since the last call, so that people may be in the wrong teams by now.
    pub fn take_new_map(&self) -> bool {
        self.has_new_map.swap(false, Ordering::Relaxed)
    }

    pub fn with_addresses<R>(
        &self,
        member: MemberId,
        use_them: impl FnOnce(&mut dyn Iterator<Item = &str>) -> R,
    ) -> R {
        use_them(&mut self.directory.read().addresses_of(member))
    }

    /// Whether a member is in Sentry: the directory has an address of theirs.
    fn has(&self, member: MemberId) -> bool {
        self.with_directory(|directory| directory.addresses_of(member).next().is_some())
    }

    pub fn with_directory<R>(&self, look: impl FnOnce(&Directory) -> R) -> R {
        look(&self.directory.read())
    }

    pub fn learn(&self, member: &Member) {
        self.directory.write().learn(std::slice::from_ref(member));
    }

    pub fn bearer_of(&self, address: &Address, trust: Trust) -> Option<MemberId> {
        self.with_directory(|directory| directory.bearer(address, trust)).one()
    }
}

/// Finds out which Sentry member an account is. Has everything that this needs, with the settings as they were when it
/// was made, so that a reload cannot change them halfway.
pub struct Matcher<'a> {
    pub who: &'a Who,
    pub journal: &'a Journal,
    pub audit: &'a Audit,
    pub github: &'a Github,
    pub sentry: &'a Sentry,
    pub settings: Arc<Settings>,
    pub clock: &'a Clock,
}

/// How much may be done to identify somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// The result is not remembered.
    Look,
    /// The directory was just read, so Sentry is not searched.
    Directory,
    /// Sentry is searched for fresh rows before the answer is that it has nobody.
    Fresh,
}

/// Why somebody could not be identified.
#[derive(Clone, Debug)]
pub enum Untold {
    Github(Trouble),
    Sentry(Trouble),
    /// There is no user map: the file is bad, or its map waits for approval.
    Map(String),
}

impl Matcher<'_> {
    pub(super) fn state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.journal.read(look)
    }

    /// Reads all of Sentry's members. Returns whether anything has changed.
    pub fn read_directory(&self) -> Result<bool, Trouble> {
        let turn = self.who.reading.take();
        self.read_in(&turn)
    }

    fn read_in(&self, turn: &Turn) -> Result<bool, Trouble> {
        let linked = self.settings.identity.contains(&Source::Sentry);
        Ok(self.learn_in(turn, &self.sentry.members(linked)?))
    }

    /// Replaces the directory with the members that a comparison has read.
    pub fn learn_members(&self, members: &[Member]) {
        self.learn_in(&self.who.reading.take(), members);
    }

    fn learn_in(&self, _: &Turn, members: &[Member]) -> bool {
        let mut fresh = Directory::new(members);
        let mut directory = self.who.directory.write();
        fresh.take_searched(&directory);
        let changed = *directory != fresh;
        *directory = fresh;
        self.who.is_read.store(true, Ordering::Release);
        changed
    }

    /// Identifies everybody in a team of the snapshot, or in the whole organisation if removals may affect people never
    /// seen in a team. Also returns the people of whom too little could be read. GitHub is asked only about people
    /// whose public address the snapshot could not include. Sentry is searched for people whom its list does not match.
    /// New and changed matches are remembered. The snapshot's addresses are dropped to save memory.
    pub fn identify_all(
        &self,
        github: &mut GithubSnapshot,
        depth: Depth,
    ) -> Result<(BTreeMap<GithubUserId, Identity>, BTreeSet<GithubUserId>), Trouble> {
        let map = self.user_map().map_err(no_map)?;
        let in_teams: HashSet<_> =
            github.teams.iter().flat_map(|team| team.members.iter().copied()).collect();
        let settings = &self.settings;
        let everybody = settings.remove_members.is_about_everybody();
        let lacks_identities =
            settings.identity.contains(&Source::Saml) && github.gaps.lists.contains_key(&List::Identities);
        let mut unsure = BTreeSet::new();
        let is_mirrored = |team: &&GithubTeam| settings.teams.matches(&team.facts.slug);
        let mirrored: HashSet<_> =
            github.teams.iter().filter(is_mirrored).flat_map(|team| team.members.iter().copied()).collect();
        let mut absent = Vec::new();
        let mut note_absent = |person: Person, identity: &Identity, claims: Claims| {
            if identity.is_for_search() && mirrored.contains(&person.id) {
                absent.push((person, claims));
            }
        };
        let (all, gaps) = (&mut github.people, &github.gaps);
        let identified = all.iter_mut().filter_map(|(user, shown)| {
            let claims = std::mem::take(&mut shown.claims);
            if shown.bot || !(everybody || in_teams.contains(user)) {
                return None;
            }
            let person = Person { id: *user, login: shown.login.clone(), bot: false };
            let is_unsure = gaps.unlisted.contains(user) || (lacks_identities && claims.saml.is_empty());
            let identity = if !is_unsure {
                self.identify_shown(&person, &claims, &map)
            } else {
                self.identify_unsure(&person, &claims, &map)
            };
            unsure.extend(is_unsure.then_some(*user));
            note_absent(person, &identity, claims);
            Some((*user, identity))
        });
        let mut people = identified.collect();
        let mut unread = BTreeSet::new();
        if settings.identity.contains(&Source::Public) {
            let may = |user: &GithubUserId| !github.tells_public || github.gaps.unlisted.contains(user);
            unread = self.identify_by_profiles(github, &map, &mut people, may, &mut note_absent);
        }
        self.identify_by_search(&absent, &map, &mut people, depth)?;
        let is_nobody = |user: &GithubUserId| !matches!(people.get(user), Some(Identity::Matched { .. }));
        unread.extend(unsure.into_iter().filter(is_nobody));
        Ok((people, unread))
    }

    /// Identifies an account for which a source may be incomplete. A source that says nothing is no contradiction then,
    /// so a remembered match stays, unless the map, a link by id or a conflict says otherwise.
    fn identify_unsure(&self, person: &Person, claims: &Claims, map: &UserMap) -> Identity {
        let evidence = Evidence::new(person, map.address(person), claims);
        let is_sure = matches!(
            self.resolve(&evidence),
            Identity::Matched { source: Source::Map | Source::Sentry, .. } | Identity::Conflict { .. }
        );
        match self.recalled(person.id).filter(|found| !is_sure && self.who.has(found.member)) {
            Some(found) => self.recall(&found),
            None => self.identify_shown(person, claims, map),
        }
    }

    /// The remembered match of an account, if the settings still allow it.
    fn recalled(&self, user: GithubUserId) -> Option<Match> {
        let found = self.state(|state| state.people.matched(user).cloned())?;
        let allowed = |directory: &Directory| is_allowed(&found, &rules(&self.settings), directory);
        self.who.with_directory(allowed).then_some(found)
    }

    /// Uses the snapshot's claims. If no source knows anything, a remembered match counts while its member exists.
    pub(crate) fn identify_shown(&self, person: &Person, claims: &Claims, map: &UserMap) -> Identity {
        let evidence = Evidence::new(person, map.address(person), claims);
        let identity = self.unless_inherited(person, map, self.resolve(&evidence));
        if matches!(identity, Identity::Unknown { .. }) {
            let found = self.recalled(person.id).filter(|found| self.who.has(found.member));
            return found.map_or(identity, |found| self.recall(&found));
        }
        let remembered = self.state(|state| state.people.matched(person.id).cloned());
        let says = |found: &Match| match &identity {
            Identity::Matched { member, source, .. } | Identity::Barred { member, source } => {
                found.member == *member && found.source == *source
            }
            _ => false,
        };
        if !remembered.as_ref().is_some_and(says) {
            self.remember(person, &identity);
        }
        identity
    }

    /// Reads Sentry's members, unless they have been read since the start.
    pub fn need_directory(&self) -> Result<(), Untold> {
        let turn = self.who.reading.take();
        if self.who.is_read.load(Ordering::Acquire) {
            return Ok(());
        }
        self.read_in(&turn).map(drop).map_err(Untold::Sentry)
    }

    pub fn identify(&self, person: &Person, effort: Effort) -> Result<Identity, Untold> {
        let map = self.user_map()?;
        // Without Sentry's members, nothing could contradict a remembered match.
        self.need_directory()?;
        if let Some(remembered) = self.remembered(person, &map) {
            return Ok(remembered);
        }
        let claims = self.claims(person)?;
        let evidence = Evidence::new(person, map.address(person), &claims);
        let mut identity = self.resolve(&evidence);
        if identity.is_for_search() {
            self.note_addresses(person, &evidence);
            if effort == Effort::Fresh && self.ask_for_fresh_rows(&evidence)? {
                identity = self.resolve(&evidence);
            }
        }
        let identity = self.unless_inherited(person, &map, identity);
        if effort != Effort::Look {
            self.remember(person, &identity);
        }
        Ok(identity)
    }

    /// Identifies an account that is to be removed from a team. GitHub stops showing a person's addresses the moment
    /// they leave, so a remembered match is worth more than anything that GitHub shows now.
    pub fn identify_for_removal(&self, person: &Person) -> Result<Identity, Untold> {
        if self.settings.trust_unverified == Trust::Never {
            // Needed to see whether the member has a verified address.
            self.need_directory()?;
        }
        match self.recalled(person.id) {
            Some(found) => {
                // The member's addresses decide whether they are protected.
                if !self.settings.protect.is_empty() {
                    self.need_directory()?;
                    self.search_for_protected().map_err(Untold::Sentry)?;
                }
                let source = match found.source {
                    // Older versions remembered both kinds of link as `Sentry`.
                    Source::Sentry if self.is_linked_by_login(person, found.member)? => Source::SentryLogin,
                    source => source,
                };
                Ok(identity::remembered(found.member, source))
            }
            None => self.identify(person, Effort::Fresh),
        }
    }

    fn is_linked_by_login(&self, person: &Person, member: MemberId) -> Result<bool, Untold> {
        self.need_directory()?;
        Ok(self.who.with_directory(|directory| {
            directory.linked(person.id).one() != Some(member)
                && directory.linked_by_login(&person.login).one() == Some(member)
        }))
    }

    /// The identity that a remembered match gives now.
    fn recall(&self, found: &Match) -> Identity {
        if self.who.with_directory(|directory| directory.has_no_teams(found.member)) {
            Identity::Barred { member: found.member, source: found.source }
        } else {
            identity::remembered(found.member, found.source)
        }
    }

    /// Forgets a match whose member no longer exists in Sentry, so that the next attempt starts from scratch.
    pub fn unmatch(&self, user: GithubUserId, member: MemberId) {
        let known = self.state(|state| state.people.matched(user).map(|found| found.member));
        if known == Some(member) {
            log::info!("identity: Sentry member {member} of GitHub user {user} no longer exists");
            self.journal.note(Record::Unmatched { user });
        }
        self.who.directory.write().forget(member);
    }

    /// The remembered match, unless the map or a link in Sentry contradicts it. Asking these two costs no call.
    fn remembered(&self, person: &Person, map: &UserMap) -> Option<Identity> {
        let found = self.recalled(person.id)?;
        let is_on = |source| self.settings.identity.contains(&source);
        let address = map.address(person).filter(|_| is_on(Source::Map));
        let map_says =
            address.and_then(|address| self.who.bearer_of(address, self.settings.trust_unverified));
        let mut linked = None;
        if is_on(Source::Sentry) {
            linked = self.who.with_directory(|directory| directory.linked(person.id)).one();
            // A link that anybody could have made does not contradict a stronger source.
            if linked.is_none() && found.source.is_weak() && is_on(Source::Public) {
                linked = self.who.with_directory(|directory| directory.linked_by_login(&person.login)).one();
            }
        }
        let true_still = [map_says, linked].into_iter().flatten().all(|member| member == found.member);
        true_still.then(|| self.recall(&found))
    }

    /// A source that goes by login alone may mean the account that had the login earlier. If that account was matched
    /// with the same member, this is a conflict: logins change hands, and the new owner inherits nothing.
    pub(crate) fn unless_inherited(&self, person: &Person, map: &UserMap, identity: Identity) -> Identity {
        let (Identity::Matched { member, source, .. } | Identity::Barred { member, source }) = &identity
        else {
            return identity;
        };
        if *source != Source::SentryLogin && (*source != Source::Map || map.names_id(person)) {
            return identity;
        }
        let earlier = self.state(|state| {
            if state.people.matched(person.id).is_some_and(|found| found.member == *member) {
                return None;
            }
            let mut others = state.people.matches().filter(|(user, _)| *user != person.id);
            let is_earlier = |found: &Match| found.member == *member && found.login.is(person.login.as_str());
            others.find(|(_, found)| is_earlier(found)).map(|(user, _)| user)
        });
        let Some(user) = earlier else { return identity };
        let why = format!(
            "the login belonged to GitHub user {user} when it was matched with Sentry member {member}; correct the link in Sentry, or map id:{}",
            person.id
        );
        Identity::Conflict { why }
    }

    /// The addresses that GitHub shows for a person, read with at most one call, whichever sources are on.
    pub(crate) fn claims(&self, person: &Person) -> Result<Claims, Untold> {
        let is_on = |source| self.settings.identity.contains(&source);
        let wanted = Wanted { saml: is_on(Source::Saml), verified: is_on(Source::Verified) };
        let read = match self.state(State::bearings) {
            Some((org, Mode::Read)) if wanted.saml || wanted.verified => {
                self.github.claims(&org.login, person, wanted)
            }
            _ if is_on(Source::Public) => self.github.profile(person).map(|profile| Claims {
                public: profile.and_then(|profile| profile.email),
                ..Claims::default()
            }),
            _ => Ok(Claims::default()),
        };
        read.map_err(Untold::Github)
    }

    pub(crate) fn resolve(&self, evidence: &Evidence) -> Identity {
        let rules = rules(&self.settings);
        self.who.with_directory(|directory| identity::resolve(evidence, &rules, directory))
    }

    /// Searches Sentry for a person's addresses, before the answer is that it has nobody. The directory may be an hour
    /// old, and most often the person joined Sentry a moment ago. Returns whether Sentry knows any of the addresses.
    pub(crate) fn ask_for_fresh_rows(&self, evidence: &Evidence) -> Result<bool, Untold> {
        let addresses = self.settings.identity.iter().flat_map(|source| evidence.addresses(*source));
        let searched = self.search_now(addresses.take(search::MOST_ADDRESSES).collect());
        Ok(searched.map_err(Untold::Sentry)?.any)
    }

    fn remember(&self, person: &Person, identity: &Identity) {
        if let Identity::Matched { warnings, by_search: false, .. } = identity {
            let login = crate::text::Quoted(person.login.as_str());
            warnings.iter().for_each(|warning| log::warn!("identity: {login} ({}): {warning}", person.id));
        }
        match identity {
            Identity::Matched { member, source, by_search: false, .. }
            | Identity::Barred { member, source } => {
                let (login, at) = (person.login.clone(), self.clock.wall());
                let found = Match { member: *member, login, source: *source, at };
                self.journal.note(Record::Matched { user: person.id, found });
            }
            // A remembered match that a source now contradicts must not be used for a removal either.
            _ if self.state(|state| state.people.matched(person.id).is_some()) => {
                self.journal.note(Record::Unmatched { user: person.id });
            }
            _ => {}
        }
    }
}

pub fn rules(settings: &Settings) -> Rules<'_> {
    Rules { order: &settings.identity, trust_unverified: settings.trust_unverified }
}

fn no_map(why: Untold) -> Trouble {
    match why {
        Untold::Github(trouble) | Untold::Sentry(trouble) => trouble,
        Untold::Map(why) => Trouble::of_call(TroubleKind::Unknown, "user map".into(), why),
    }
}
