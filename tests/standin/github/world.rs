//! The state of the pretend GitHub: one organisation, its people and teams, and what it was a
//! moment ago.
//!
//! A [`World`] is a snapshot; readers keep theirs while the next one is made. No rule of the web
//! interface is decided here.

use crate::standin::encode::{base64, base64_decode};
use crate::standin::rng::Rng;
use crate::standin::time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Who may see a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Every member of the organisation (`closed` in REST, `VISIBLE` in GraphQL).
    Closed,
    /// Owners and its own members.
    Secret,
}

/// Where a team was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Organization,
    /// At the enterprise; its slug begins with `ent:`.
    Enterprise,
}

/// Role in the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrgRole {
    Owner,
    Member,
}

/// Role in a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamRole {
    Maintainer,
    Member,
}

impl TeamRole {
    pub(crate) fn rest(self) -> &'static str {
        match self {
            TeamRole::Maintainer => "maintainer",
            TeamRole::Member => "member",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub id: u64,
    pub login: String,
    pub name: Option<String>,
    /// The public profile address.
    pub email: Option<String>,
    /// Verified addresses on the organisation's verified domains.
    pub verified: Vec<String>,
    pub bot: bool,
    pub created: SystemTime,
}

/// A linked identity of the organisation's identity provider.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// `None` while nobody claimed it.
    pub user: Option<u64>,
    pub saml_name_id: Option<String>,
    pub scim_user_name: Option<String>,
    pub emails: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Team {
    pub id: u64,
    pub name: String,
    pub slug: String,
    pub description: Option<String>,
    pub privacy: Privacy,
    pub origin: Origin,
    pub parent: Option<u64>,
    pub created: SystemTime,
    pub updated: SystemTime,
    pub members: BTreeMap<u64, TeamRole>,
    /// Invited, not yet accepted.
    pub pending: BTreeSet<u64>,
}

impl Team {
    pub fn node_id(&self) -> String {
        node_id("Team", self.id)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Org {
    pub id: u64,
    pub login: String,
    pub deleted: bool,
    pub created: SystemTime,
    pub members: BTreeMap<u64, OrgRole>,
    /// Whether single sign-on is set up at the organisation.
    pub saml: bool,
    pub identities: BTreeMap<u64, Identity>,
    /// GraphQL shows enterprise teams too. GitHub does not document whether it does.
    pub enterprise_in_graphql: bool,
}

impl Org {
    /// The next free number of an identity.
    pub fn next_identity(&self) -> u64 {
        self.identities.last_key_value().map_or(1, |(id, _)| id + 1)
    }
}

/// GitHub's older global ids: the type's length and name and the number, in base64.
pub(crate) fn node_id(kind: &str, id: u64) -> String {
    base64(format!("0{}:{kind}{id}", kind.len()).as_bytes())
}

/// The type and number of a global id.
pub(crate) fn read_node_id(text: &str) -> Option<(String, u64)> {
    let text = String::from_utf8(base64_decode(text)?).ok()?;
    let (_, rest) = text.split_once(':')?;
    let at = rest.find(|letter: char| letter.is_ascii_digit())?;
    Some((rest[..at].to_owned(), rest[at..].parse().ok()?))
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub org: Org,
    pub users: BTreeMap<u64, Arc<User>>,
    pub teams: BTreeMap<u64, Arc<Team>>,
    slugs: BTreeMap<String, u64>,
    logins: BTreeMap<String, u64>,
    by_name: BTreeSet<(String, u64)>,
    children: BTreeMap<u64, BTreeSet<u64>>,
}

impl World {
    pub fn new(id: u64, login: &str) -> World {
        let org = Org {
            id,
            login: login.to_owned(),
            deleted: false,
            created: time::now(),
            members: BTreeMap::new(),
            saml: false,
            identities: BTreeMap::new(),
            enterprise_in_graphql: false,
        };
        World {
            org,
            users: BTreeMap::new(),
            teams: BTreeMap::new(),
            slugs: BTreeMap::new(),
            logins: BTreeMap::new(),
            by_name: BTreeSet::new(),
            children: BTreeMap::new(),
        }
    }

    /// Whether this login is the organisation's present one. A former login answers 404.
    pub fn is_org(&self, login: &str) -> bool {
        !self.org.deleted && self.org.login.eq_ignore_ascii_case(login)
    }

    pub fn user_by_login(&self, login: &str) -> Option<&Arc<User>> {
        self.logins.get(&login.to_lowercase()).and_then(|id| self.users.get(id))
    }

    pub fn put_user(&mut self, user: User) {
        if let Some(old) = self.users.get(&user.id) {
            self.logins.remove(&old.login.to_lowercase());
        }
        self.logins.insert(user.login.to_lowercase(), user.id);
        self.users.insert(user.id, Arc::new(user));
    }

    pub fn remove_user(&mut self, id: u64) {
        if let Some(user) = self.users.remove(&id) {
            self.logins.remove(&user.login.to_lowercase());
        }
        self.org.members.remove(&id);
        self.org.identities.retain(|_, identity| identity.user != Some(id));
        for team in self.teams_of(id) {
            if let Some(team) = self.people_of(team) {
                team.members.remove(&id);
            }
        }
    }

    pub fn team_by_slug(&self, slug: &str) -> Option<&Arc<Team>> {
        self.slugs.get(slug).and_then(|id| self.teams.get(id))
    }

    /// Adds a team, or replaces the one with its id.
    pub fn put_team(&mut self, team: Team) {
        self.forget(team.id);
        self.slugs.insert(team.slug.clone(), team.id);
        self.by_name.insert((team.name.to_lowercase(), team.id));
        if let Some(parent) = team.parent {
            self.children.entry(parent).or_default().insert(team.id);
        }
        self.teams.insert(team.id, Arc::new(team));
    }

    pub fn remove_team(&mut self, id: u64) {
        self.forget(id);
        self.teams.remove(&id);
    }

    fn forget(&mut self, id: u64) {
        let Some(team) = self.teams.get(&id) else {
            return;
        };
        if self.slugs.get(&team.slug) == Some(&id) {
            self.slugs.remove(&team.slug);
        }
        self.by_name.remove(&(team.name.to_lowercase(), id));
        if let Some(siblings) = team.parent.and_then(|parent| self.children.get_mut(&parent)) {
            siblings.remove(&id);
        }
    }

    /// A team whose people change; its name, slug and parent must not.
    pub fn people_of(&mut self, team: u64) -> Option<&mut Team> {
        self.teams.get_mut(&team).map(Arc::make_mut)
    }

    /// Changes a team, also its name, slug and parent.
    pub fn change_team(&mut self, id: u64, change: impl FnOnce(&mut Team)) {
        if let Some(team) = self.teams.get(&id) {
            let mut team = Team::clone(team);
            change(&mut team);
            self.put_team(team);
        }
    }

    /// Ids of all teams, by name without case, then id: GraphQL's order.
    pub fn team_ids_by_name(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.by_name.iter().map(|(_, id)| *id)
    }

    pub fn children(&self, id: u64) -> impl Iterator<Item = u64> + '_ {
        self.children.get(&id).into_iter().flatten().copied()
    }

    /// The team and everything below it.
    pub fn family(&self, id: u64) -> Vec<u64> {
        let mut found = vec![id];
        let mut at = 0;
        while let Some(&team) = found.get(at) {
            found.extend(self.children(team));
            at += 1;
        }
        found
    }

    /// People of child teams who are not direct members.
    pub fn inherited(&self, id: u64) -> BTreeSet<u64> {
        let direct = self.teams.get(&id);
        let below = self.family(id).into_iter().skip(1).filter_map(|id| self.teams.get(&id));
        let people = below.flat_map(|team| team.members.keys().copied());
        people.filter(|user| !direct.is_some_and(|team| team.members.contains_key(user))).collect()
    }

    /// Teams a person is directly in.
    pub fn teams_of(&self, user: u64) -> Vec<u64> {
        self.teams.values().filter(|team| team.members.contains_key(&user)).map(|team| team.id).collect()
    }

    pub fn is_owner(&self, user: u64) -> bool {
        self.org.members.get(&user) == Some(&OrgRole::Owner)
    }
}

/// The present world, and former ones as far as the lag reaches back.
pub(crate) struct History {
    now: Arc<World>,
    since: Instant,
    past: VecDeque<(Instant, Arc<World>)>,
    lag: Duration,
    /// How many of a hundred reads meet a replica that does not lag.
    fresh_percent: f64,
    rng: Rng,
}

impl History {
    pub fn new(world: World) -> History {
        History {
            now: Arc::new(world),
            since: time::instant(),
            past: VecDeque::new(),
            lag: Duration::ZERO,
            fresh_percent: 0.0,
            rng: Rng::new(0x1a6),
        }
    }

    /// The present world.
    pub fn now(&self) -> &Arc<World> {
        &self.now
    }

    /// Readers see the world as it was that long ago, from now on; some of them, by chance, as it is.
    pub fn set_lag(&mut self, lag: Duration, fresh_percent: f64) {
        self.lag = lag;
        self.fresh_percent = fresh_percent;
        if lag.is_zero() {
            self.past.clear();
        }
    }

    /// The world that the next reader sees.
    pub fn seen(&mut self) -> Arc<World> {
        if self.rng.percent(self.fresh_percent) {
            return Arc::clone(&self.now);
        }
        let Some(then) = time::instant().checked_sub(self.lag) else {
            return Arc::clone(&self.now);
        };
        if then >= self.since {
            return Arc::clone(&self.now);
        }
        let known = self.past.iter().rev().find(|(since, _)| *since <= then).or(self.past.front());
        Arc::clone(known.map_or(&self.now, |(_, world)| world))
    }

    /// The present world, to be changed. With a lag the former one is kept.
    pub fn change(&mut self) -> &mut World {
        if !self.lag.is_zero() {
            self.past.push_back((self.since, Arc::clone(&self.now)));
            self.since = time::instant();
            let horizon = self.since.checked_sub(self.lag);
            while self.past.get(1).is_some_and(|(since, _)| horizon.is_some_and(|horizon| *since <= horizon))
            {
                self.past.pop_front();
            }
        }
        Arc::make_mut(&mut self.now)
    }
}
