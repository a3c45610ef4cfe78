//! A GitHub organisation and a Sentry that followed it, then went apart: everything from one seed.

use std::collections::{BTreeMap, BTreeSet};

use super::apart::some_settings;
use crate::clock::Timestamp;
use crate::config::{load, Need, Settings};
use crate::hosts::github::facts::{Claims, TeamFacts};
use crate::hosts::sentry::{Member, Standing, Team};
use crate::hosts::snapshot::{GithubPerson, GithubSnapshot, GithubTeam, SentrySnapshot};
use crate::identity::Identity;
use crate::reconcile::compare::{compare, Sides};
use crate::reconcile::judge::{judge, Measure};
use crate::reconcile::plan::Plan;
use crate::state::ids::*;
use crate::state::record::Record;
use crate::state::teams::Gone;
use crate::state::values::{Binding, Match, Origin, Sizes, Source};
use crate::state::{slug, State, LAG};

/// When the mirror was first started, in every world.
pub const FIRST_START: Timestamp = Timestamp(1_000_000);
pub const BEFORE: Timestamp = Timestamp(500_000);
pub const AFTER: Timestamp = Timestamp(2_000_000);
pub const NOW: Timestamp = Timestamp(100_000_000);

/// Names with the slugs that GitHub gives them; some do not fit Sentry, and two become equal there.
pub const NAMES: &[(&str, &str)] = &[
    ("Alpha", "alpha"),
    ("Beta", "beta"),
    ("Gamma", "gamma"),
    ("Delta", "delta"),
    ("Epsilon", "epsilon"),
    ("X-Ray", "x-ray"),
    ("Xenon", "xenon"),
    ("2024", "2024"),
    ("2024-655773", "2024-655773"),
    ("Ops", "ent:ops"),
    ("🦀", ""),
    ("Long", "a-very-long-slug-that-github-allows-and-sentry-does-not-take"),
];

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

pub fn settings(pairs: &[(&str, &str)]) -> Settings {
    let env = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    load(&Default::default(), &env, Need::StateDir).unwrap().settings
}

/// Both sides as they are, and what the mirror knows.
#[derive(Clone, Debug)]
pub struct World {
    pub seed: u64,
    pub rng: Rng,
    pub settings: Settings,
    /// The GitHub organisation's login.
    pub org: Login,
    pub github: GithubSnapshot,
    pub sentry: SentrySnapshot,
    /// What the sources say of every account.
    pub sources: BTreeMap<GithubUserId, Identity>,
    /// Whose public profile could not be read.
    pub unread: BTreeSet<GithubUserId>,
    /// GitHub teams that are deleted for certain.
    pub deleted: BTreeSet<GithubTeamId>,
    /// Sentry teams that own projects.
    pub owners: BTreeSet<SentryTeamId>,
    pub state: State,
    pub now: Timestamp,
    pub first: bool,
    pub seq: u64,
    pub next_team: u64,
    pub next_sentry: u64,
}

impl World {
    /// Nobody and nothing.
    pub fn empty(settings: Settings) -> Self {
        let sentry = SentrySnapshot { listed: true, ..SentrySnapshot::default() };
        Self {
            seed: 0,
            org: Login::from("acme"),
            rng: Rng(0),
            settings,
            github: GithubSnapshot { sees_secret: true, ..GithubSnapshot::default() },
            sentry,
            sources: BTreeMap::new(),
            unread: BTreeSet::new(),
            deleted: BTreeSet::new(),
            owners: BTreeSet::new(),
            state: State::new(FIRST_START),
            now: NOW,
            first: false,
            seq: 0,
            next_team: 1,
            next_sentry: 1000,
        }
    }

    /// A mirrored world, gone apart, under some rules.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let settings = some_settings(&mut rng, false);
        Self::with(seed, settings)
    }

    /// The same with limits that hold nothing back.
    pub fn generous(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let settings = some_settings(&mut rng, true);
        Self::with(seed, settings)
    }

    pub fn with(seed: u64, settings: Settings) -> Self {
        let mut world = Self { seed, rng: Rng(seed ^ 0xa5a5), ..Self::empty(settings) };
        world.people();
        world.mirrored();
        for _ in 0..world.rng.below(9) {
            world.github_changes();
        }
        for _ in 0..world.rng.below(6) {
            world.sentry_changes();
        }
        for _ in 0..world.rng.below(4) {
            world.event();
        }
        for _ in 0..world.rng.below(2) {
            world.somebody_becomes_unknown();
        }
        world
    }

    pub fn person(&mut self, user: u64, identity: Identity, bot: bool) {
        let login = Login::from(format!("u{user}"));
        self.github.people.insert(GithubUserId(user), GithubPerson { login, bot, claims: Claims::default() });
        self.sources.insert(GithubUserId(user), identity);
    }

    pub fn member(&mut self, member: u64) {
        let address = format!("m{member}@x.example");
        self.sentry.members.push(Member {
            id: MemberId(member),
            primary: Some(address.clone()),
            verified: vec![address],
            links: Vec::new(),
            no_teams: false,
            suspended: false,
            standing: Standing::Member,
        });
    }

    /// Somebody whom `source` matches: user `n`, member `500 + n`.
    pub fn known(&mut self, n: u64, source: Source) {
        self.member(500 + n);
        self.person(n, matched(500 + n, source), false);
    }

    fn people(&mut self) {
        const SOLID: [Source; 4] = [Source::Map, Source::Sentry, Source::Saml, Source::Verified];
        let n = 4 + self.rng.below(9) as u64;
        for n in 100..100 + n {
            self.member(500 + n);
            let why = || "w".to_string();
            let identity = match self.rng.below(100) {
                0..=60 => matched(500 + n, SOLID[self.rng.below(4)]),
                61..=70 => matched(500 + n, Source::Public),
                71..=78 => Identity::Unknown { why: why() },
                79..=85 => Identity::Absent { why: why(), second: None },
                86..=92 => Identity::Conflict { why: why() },
                // A second account of the one before.
                _ if n > 100 => matched(500 + n - 1, SOLID[self.rng.below(4)]),
                _ => matched(500 + n, Source::Map),
            };
            let bot = self.rng.percent(4);
            self.person(n, if bot { Identity::Unknown { why: why() } } else { identity }, bot);
        }
        // People of Sentry whom GitHub does not have.
        (900..903).for_each(|member| self.member(member));
    }

    /// A GitHub team with a free name.
    pub fn new_team(&mut self) -> Option<GithubTeamId> {
        let (name, slug) = self.free_name()?;
        let created_at = match self.rng.below(10) {
            0..=5 => Some(BEFORE),
            6..=8 => Some(AFTER),
            _ => None,
        };
        let id = GithubTeamId(self.next_team);
        self.next_team += 1;
        let users: Vec<_> = self.github.people.keys().copied().collect();
        let share = self.rng.below(80);
        let members = users.into_iter().filter(|_| self.rng.percent(share)).collect();
        let parent = if self.rng.percent(25) {
            self.rng.clone().pick(&self.github.teams).map(|team| team.facts.id)
        } else {
            None
        };
        let (name, slug) = (name.into(), GithubSlug::from(slug));
        let facts = TeamFacts { id, node_id: String::new(), name, slug, created_at, parent };
        self.github.teams.push(GithubTeam { facts, members });
        Some(id)
    }

    pub fn free_name(&mut self) -> Option<(&'static str, &'static str)> {
        let free: Vec<_> = NAMES
            .iter()
            .filter(|(_, slug)| self.github.teams.iter().all(|team| team.facts.slug.as_str() != *slug))
            .copied()
            .collect();
        self.rng.pick(&free).copied()
    }

    pub fn slug_of(&self, team: &GithubTeam) -> SentrySlug {
        slug::for_team(&team.facts.slug, team.facts.id, &self.settings.slug_prefix)
    }

    pub fn is_free(&self, slug: &SentrySlug) -> bool {
        self.sentry.teams.iter().all(|team| team.slug != *slug)
    }

    pub fn new_sentry_team(
        &mut self,
        slug: SentrySlug,
        name: String,
        members: Vec<MemberId>,
    ) -> SentryTeamId {
        let id = SentryTeamId(self.next_sentry);
        self.next_sentry += 1;
        self.sentry.teams.push(Team { id, slug, name, member_count: None, locked: false, projects: None });
        self.sentry.in_team.insert(id, members);
        id
    }

    pub fn bind(&mut self, team: GithubTeamId, sentry: SentryTeamId, origin: Origin) {
        let row = self.sentry.teams.iter().find(|row| row.id == sentry).unwrap();
        let binding = Binding { sentry, slug: row.slug.clone(), name: row.name.as_str().into(), origin };
        self.state.apply(Record::Bound { team, binding });
    }

    /// Everybody whom GitHub and the rules put into a team.
    pub fn members_of(&self, team: GithubTeamId) -> BTreeSet<GithubUserId> {
        let mut teams = BTreeSet::from([team]);
        loop {
            let is_below =
                |child: &&GithubTeam| child.facts.parent.is_some_and(|parent| teams.contains(&parent));
            let more: Vec<_> =
                self.github.teams.iter().filter(is_below).map(|child| child.facts.id).collect();
            let before = teams.len();
            teams.extend(more);
            if !self.settings.child_members || teams.len() == before {
                break;
            }
        }
        teams.retain(|other| self.settings.child_members || *other == team);
        let rows = self.github.teams.iter().filter(|row| teams.contains(&row.facts.id));
        let users = rows.flat_map(|row| row.members.iter().copied());
        users.filter(|user| !self.github.people[user].bot).collect()
    }

    fn mirrored(&mut self) {
        for _ in 0..1 + self.rng.below(6) {
            self.new_team();
        }
        self.observe();
        for team in self.github.teams.clone() {
            let slug = self.slug_of(&team);
            if self.rng.percent(10) || !self.is_free(&slug) {
                continue;
            }
            let there: BTreeSet<_> =
                self.members_of(team.facts.id).iter().filter_map(|user| self.member_of(*user)).collect();
            let adopted = self.rng.percent(25);
            let name = if adopted { "Of old".into() } else { slug::display_name(&team.facts.name, &slug) };
            let sentry = self.new_sentry_team(slug, name, there.into_iter().collect());
            self.bind(team.facts.id, sentry, if adopted { Origin::Adopted } else { Origin::Created });
            if self.rng.percent(20) {
                self.owners.insert(sentry);
            }
        }
        self.note_what_was_seen();
    }

    /// The member whom a source, or memory, takes an account to be.
    pub fn member_of(&self, user: GithubUserId) -> Option<MemberId> {
        match self.identity(user) {
            Identity::Matched { member, .. } => Some(member),
            _ => None,
        }
    }

    /// As the service identifies people of a snapshot: memory counts where no source speaks.
    fn identity(&self, user: GithubUserId) -> Identity {
        match (&self.sources[&user], self.state.people.matched(user)) {
            (Identity::Unknown { .. }, Some(found)) => {
                crate::identity::remembered(found.member, found.source)
            }
            (identity, _) => identity.clone(),
        }
    }

    pub fn identities(&self) -> BTreeMap<GithubUserId, Identity> {
        let users = self.github.teams.iter().flat_map(|team| &team.members);
        let people = users.filter(|user| !self.github.people[user].bot);
        people.map(|user| (*user, self.identity(*user))).collect()
    }

    /// What the service learns from reading both sides, before it compares.
    pub fn observe(&mut self) {
        for (user, identity) in self.identities() {
            let known = self.state.people.matched(user);
            match &identity {
                Identity::Matched { member, source, .. } => {
                    if known.is_none_or(|known| (known.member, known.source) != (*member, *source)) {
                        let login = self.github.people[&user].login.clone();
                        let found = Match { member: *member, login, source: *source, at: NOW };
                        self.state.apply(Record::Matched { user, found });
                    }
                }
                Identity::Unknown { .. } => {}
                _ => self.state.apply(Record::Unmatched { user }),
            }
        }
        let bindings: Vec<_> =
            self.state.teams.bindings().map(|(team, known)| (team, known.clone())).collect();
        for (team, known) in bindings {
            match self.sentry.teams.iter().find(|row| row.id == known.sentry) {
                Some(row) if (&row.slug, &*row.name) != (&known.slug, &*known.name) => {
                    self.bind(team, known.sentry, known.origin)
                }
                Some(_) => {}
                None => self.state.apply(Record::Unbound { team }),
            }
        }
    }

    pub fn sizes(&self) -> Sizes {
        let people: BTreeSet<_> = self.github.teams.iter().flat_map(|team| &team.members).collect();
        Sizes {
            teams: self.github.teams.len(),
            people: people.len(),
            memberships: self.github.teams.iter().map(|team| team.members.len()).sum(),
        }
    }

    /// What the service writes down of a reading.
    pub fn note_what_was_seen(&mut self) {
        self.state.apply(Record::Read { sizes: self.sizes(), at: self.now });
        for team in self.github.teams.iter().filter(|team| self.settings.teams.matches(&team.facts.slug)) {
            let people = team.members.clone();
            self.state.apply(Record::Looked { team: team.facts.id, seq: Seq(self.seq), people });
        }
    }

    /// The plan before any guard.
    pub fn compared(&self) -> Plan {
        let people = self.identities();
        let bound = |team: &&GithubTeamId| self.state.teams.binding(**team).is_some();
        let deleted = self.deleted.iter().filter(bound).copied().collect();
        let is_just_gone = |gone: &Gone| self.now.since(gone.at) < LAG && gone.at <= self.now;
        let teams = self.github.teams.iter().map(|team| team.facts.id);
        let just_gone = teams.filter(|team| self.state.teams.gone(*team).is_some_and(is_just_gone)).collect();
        compare(&Sides {
            org: &self.org,
            github: &self.github,
            sentry: &self.sentry,
            unread: &self.unread,
            people: &people,
            deleted: &deleted,
            state: &self.state,
            settings: &self.settings,
            just_gone: &just_gone,
        })
    }

    /// How many people are in mirrored teams.
    pub fn people_in_teams(&self) -> usize {
        let bound: BTreeSet<_> = self.state.teams.bindings().map(|(_, known)| known.sentry).collect();
        let there = self.sentry.in_team.iter().filter(|(team, _)| bound.contains(team));
        there.flat_map(|(_, members)| members).collect::<BTreeSet<_>>().len()
    }

    pub fn judged(&self, plan: Plan) -> Plan {
        judge(
            plan,
            &Measure {
                settings: &self.settings,
                state: &self.state,
                sizes: self.sizes(),
                people: self.people_in_teams(),
                first: self.first,
                now: self.now,
            },
        )
    }

    /// What a comparison says now.
    pub fn plan(&mut self) -> Plan {
        self.observe();
        self.judged(self.compared())
    }

    pub fn team_row(&mut self, id: SentryTeamId) -> &mut Team {
        self.sentry.teams.iter_mut().find(|team| team.id == id).unwrap()
    }
}

pub fn matched(member: u64, source: Source) -> Identity {
    Identity::Matched { member: MemberId(member), source, warnings: Vec::new(), by_search: false }
}
