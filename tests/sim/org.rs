//! A GitHub organisation that changes at random, and what it remembers of that.
//!
//! It keeps within what GitHub allows; what GitHub sends of a change is the stand-in's business, whether it arrives is
//! the sequence's.

use std::collections::{BTreeMap, BTreeSet};

use super::sides::{Sides, Truth};
use crate::standin::github::slug;
use crate::standin::rng::Rng;
use crate::standin::{Delivery, GithubTeam, GithubUser, NewMember};

/// The slug of a Sentry team that is none of the mirror's business.
pub const FOREIGN: &str = "foreign";

/// Few names, so that they are given up and taken again all the time; some do not fit into Sentry, or delete badly there.
const NAMES: [&str; 10] = [
    "Alpha",
    "Beta",
    "Gamma",
    "Delta",
    "Ops & Co",
    "2024",
    "Legacy",
    "A team whose name has just fifty letters in it, so",
    "A team whose name has only forty-nine letters, so",
    "A team whose name is longer than any slug that Sentry would ever take",
];

/// What the mirror may do with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In Sentry, and never taken out of anything on GitHub: never to be taken out of anything in Sentry.
    Steady,
    /// In Sentry, and comes and goes.
    Ordinary,
    /// Comes and goes; Sentry does not know them at first.
    Late,
    /// Comes and goes; Sentry never knows them.
    Unknown,
}

/// Somebody on GitHub.
pub struct Person {
    /// GitHub's id.
    pub id: u64,
    /// The login now.
    pub login: String,
    /// The address by which Sentry knows them, or would.
    pub address: String,
    /// What may happen to them.
    pub kind: Kind,
    /// Sentry has them.
    pub in_sentry: bool,
    pub in_org: bool,
}

struct Team {
    name: String,
    parent: Option<u64>,
    secret: bool,
    members: BTreeSet<u64>,
}

/// The organisation and its history.
pub struct Org {
    pub people: Vec<Person>,
    teams: BTreeMap<u64, Team>,
    /// Every team that ever was.
    pub ever: BTreeSet<u64>,
    /// Teams that are deleted.
    pub deleted: BTreeSet<u64>,
    /// What has happened, for whoever looks into a failure.
    pub story: Vec<String>,
}

impl Org {
    /// An organisation with people and no teams.
    pub fn new(sides: &Sides, truth: Truth) -> Self {
        let kinds = [(Kind::Steady, 2), (Kind::Ordinary, 4), (Kind::Late, 1), (Kind::Unknown, 1)];
        let mut people = Vec::new();
        for kind in kinds.into_iter().flat_map(|(kind, n)| std::iter::repeat_n(kind, n)) {
            let login = format!("person{}", people.len());
            let address = format!("{login}@acme.test");
            let user = GithubUser::new(&login);
            // A comparison takes nobody out by an address that anybody may set.
            let user = if truth == Truth::Github { user.verified(&address) } else { user.email(&address) };
            let in_sentry = matches!(kind, Kind::Steady | Kind::Ordinary);
            if in_sentry {
                sides.sentry.add_member(NewMember::new(&address));
            }
            let id = sides.github.add_person(user);
            people.push(Person { id, login, address, kind, in_sentry, in_org: true });
        }
        Self {
            people,
            teams: BTreeMap::new(),
            ever: BTreeSet::new(),
            deleted: BTreeSet::new(),
            story: Vec::new(),
        }
    }

    /// People of both organisations to whom nothing ever happens.
    pub fn crowd_in(sides: &Sides, n: usize) {
        for n in 0..n {
            let (login, address) = (format!("crowd{n}"), format!("crowd{n}@acme.test"));
            sides.sentry.add_member(NewMember::new(&address));
            sides.github.add_person(GithubUser::new(&login).verified(&address));
        }
    }

    /// A team that was there before everything else, with some people; nothing is sent of it.
    pub fn old_team(&mut self, sides: &Sides, name: &str, people: &[usize]) -> u64 {
        let id = sides.old_team(name);
        let mut team = Team { name: name.into(), parent: None, secret: false, members: BTreeSet::new() };
        for person in people.iter().filter_map(|n| self.people.get(*n)) {
            sides.github.join(id, person.id);
            team.members.insert(person.id);
        }
        self.story.push(format!("team {id} `{name}` was there before, with {:?}", team.members));
        self.teams.insert(id, team);
        self.ever.insert(id);
        id
    }

    /// The address that a login's Sentry member shows.
    pub fn address(&self, sides: &Sides, login: &str) -> Option<String> {
        if login == "olive" {
            return Some("olive@acme.test".into());
        }
        let id = sides.github.user_id(login)?;
        let person = self.people.iter().find(|person| person.id == id)?;
        person.in_sentry.then(|| person.address.clone())
    }

    /// One change; what GitHub sends of it.
    pub fn change(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        match rng.below(100) {
            0..=13 => self.create(sides, rng),
            14..=21 => self.delete(sides, rng),
            22..=31 => self.rename(sides, rng),
            32..=37 => self.swap(sides, rng),
            38..=40 => self.rename_by_case(sides, rng),
            41..=68 => self.add(sides, rng),
            69..=84 => self.remove(sides, rng),
            85..=88 => self.leave(sides, rng),
            89..=91 => self.come_back(sides, rng),
            92..=94 => self.reparent(sides, rng),
            95..=97 => self.make_secret(sides, rng),
            _ => self.rename_login(sides, rng),
        }
    }

    /// Whom no other source knows is known by the user map from now on, as that address: id and login.
    pub fn name_by_map(&mut self, address: &str) -> Option<(u64, String)> {
        let person = self.people.iter_mut().find(|person| person.kind == Kind::Unknown)?;
        (person.address, person.in_sentry) = (address.into(), true);
        Some((person.id, person.login.clone()))
    }

    /// The login of whom the map has named so.
    pub fn named_by_map(&self, address: &str) -> Option<String> {
        self.people.iter().find(|person| person.address == address).map(|person| person.login.clone())
    }

    /// Somebody whom Sentry did not know appears there.
    pub fn appear(&mut self, sides: &Sides) -> bool {
        let Some(person) =
            self.people.iter_mut().find(|person| person.kind == Kind::Late && !person.in_sentry)
        else {
            return false;
        };
        sides.sentry.add_member(NewMember::new(&person.address));
        person.in_sentry = true;
        self.story.push(format!("{} appears in Sentry", person.login));
        true
    }

    /// Whatever would need a person's word to take over the foreign team makes way.
    pub fn make_way(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let there = self.teams.iter().find(|(_, team)| slug(&team.name) == FOREIGN).map(|(id, _)| *id);
        match (there, self.free_name(rng)) {
            (Some(id), Some(name)) => self.rename_to(sides, id, name),
            (Some(id), None) => self.end(sides, id),
            (None, _) => Vec::new(),
        }
    }

    /// Whether this user was ever taken out of anything.
    pub fn is_steady(&self, address: &str) -> bool {
        self.people.iter().any(|person| person.address == address && person.kind == Kind::Steady)
    }

    fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> Option<T> {
        from.get(rng.below(from.len() as u64) as usize).copied()
    }

    /// One of those that there are.
    pub fn some_team(&self, rng: &mut Rng) -> Option<u64> {
        let ids: Vec<_> = self.teams.keys().copied().collect();
        Self::pick(rng, &ids)
    }

    fn free_name(&self, rng: &mut Rng) -> Option<&'static str> {
        let is_free = |name: &&str| self.teams.values().all(|team| slug(&team.name) != slug(name));
        Self::pick(rng, &NAMES.into_iter().filter(is_free).collect::<Vec<_>>())
    }

    /// Mostly a free one; now and then that of a Sentry team which is nobody's.
    fn some_name(&self, rng: &mut Rng, foreign: bool) -> Option<&'static str> {
        let is_free = self.teams.values().all(|team| slug(&team.name) != FOREIGN);
        if foreign && is_free && rng.percent(8.0) {
            return Some("Foreign");
        }
        self.free_name(rng)
    }

    fn create(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let Some(name) = self.some_name(rng, true) else { return self.delete(sides, rng) };
        let parents: Vec<_> = self.teams.iter().filter(|(_, team)| !team.secret).map(|(id, _)| *id).collect();
        let parent = if rng.percent(20.0) { Self::pick(rng, &parents) } else { None };
        let new = parent.into_iter().fold(GithubTeam::new(name), GithubTeam::parent);
        let (id, sent) = sides.github.create_team(new, sides.olive);
        self.story.push(format!("team {id} `{name}` is made under {parent:?}"));
        let members = BTreeSet::from([sides.olive]);
        self.teams.insert(id, Team { name: name.into(), parent, secret: false, members });
        self.ever.insert(id);
        sent
    }

    fn family(&self, id: u64) -> Vec<u64> {
        let mut family = vec![id];
        let mut at = 0;
        while let Some(&above) = family.get(at) {
            family
                .extend(self.teams.iter().filter(|(_, team)| team.parent == Some(above)).map(|(id, _)| *id));
            at += 1;
        }
        family
    }

    pub fn delete(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        // A team's end takes steady people out too: nothing says so of them, and nothing is removed one by one.
        let Some(id) = self.some_team(rng) else { return self.create(sides, rng) };
        self.end(sides, id)
    }

    fn end(&mut self, sides: &Sides, id: u64) -> Vec<Delivery> {
        let family = self.family(id);
        self.story.push(format!("teams {family:?} are deleted"));
        for id in family {
            self.teams.remove(&id);
            self.deleted.insert(id);
        }
        sides.github.delete_team(id)
    }

    fn rename(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let (Some(id), Some(name)) = (self.some_team(rng), self.some_name(rng, true)) else {
            return self.create(sides, rng);
        };
        self.rename_to(sides, id, name)
    }

    fn rename_to(&mut self, sides: &Sides, id: u64, name: &str) -> Vec<Delivery> {
        self.story.push(format!("team {id} is now `{name}`"));
        if let Some(team) = self.teams.get_mut(&id) {
            team.name = name.into();
        }
        sides.github.rename_team(id, name)
    }

    /// Two teams take each other's name.
    pub fn swap(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let (Some(one), Some(two)) = (self.some_team(rng), self.some_team(rng)) else {
            return self.create(sides, rng);
        };
        if one == two {
            return self.rename(sides, rng);
        }
        let names = [one, two].map(|id| self.teams[&id].name.clone());
        let mut sent = self.rename_to(sides, one, "For a moment");
        sent.extend(self.rename_to(sides, two, &names[0]));
        sent.extend(self.rename_to(sides, one, &names[1]));
        sent
    }

    fn rename_by_case(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let Some(id) = self.some_team(rng) else { return self.create(sides, rng) };
        self.spell_otherwise(sides, id)
    }

    /// The team gets its name in other letters, and keeps its slug.
    pub fn spell_otherwise(&mut self, sides: &Sides, id: u64) -> Vec<Delivery> {
        let name = &self.teams[&id].name;
        let upper = name.to_uppercase();
        let other = if *name == upper { name.to_lowercase() } else { upper };
        self.rename_to(sides, id, &other)
    }

    /// Somebody whom Sentry knows joins a team.
    pub fn add_known(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        self.add_one_of(|person| person.in_org && person.in_sentry, sides, rng)
    }

    /// Somebody whom Sentry does not know, and may get to know, joins a team.
    pub fn add_late(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        self.add_one_of(|person| person.in_org && person.kind == Kind::Late, sides, rng)
    }

    fn add(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        self.add_one_of(|person| person.in_org, sides, rng)
    }

    fn add_one_of(&mut self, may: fn(&Person) -> bool, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let people: Vec<_> =
            self.people.iter().filter(|person| may(person)).map(|person| person.id).collect();
        let (Some(id), Some(who)) = (self.some_team(rng), Self::pick(rng, &people)) else {
            return self.create(sides, rng);
        };
        self.story.push(format!("{who} joins team {id}"));
        self.teams.get_mut(&id).expect("picked").members.insert(who);
        sides.github.add_member(id, who)
    }

    fn remove(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let may_go =
            |who: &u64| self.people.iter().any(|person| person.id == *who && person.kind != Kind::Steady);
        let Some(id) = self.some_team(rng) else { return self.create(sides, rng) };
        let members: Vec<_> = self.teams[&id].members.iter().copied().filter(may_go).collect();
        let Some(who) = Self::pick(rng, &members) else { return self.add(sides, rng) };
        self.story.push(format!("{who} leaves team {id}"));
        self.teams.get_mut(&id).expect("picked").members.remove(&who);
        sides.github.remove_member(id, who)
    }

    fn leave(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let may_go = |person: &&Person| person.in_org && person.kind != Kind::Steady;
        let people: Vec<_> = self.people.iter().filter(may_go).map(|person| person.id).collect();
        let Some(who) = Self::pick(rng, &people) else { return self.add(sides, rng) };
        self.story.push(format!("{who} leaves the organisation"));
        for team in self.teams.values_mut() {
            team.members.remove(&who);
        }
        self.set_in_org(who, false);
        sides.github.remove_from_org(who)
    }

    fn come_back(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let gone = self.people.iter().filter(|person| !person.in_org).map(|person| person.id);
        let Some(who) = Self::pick(rng, &gone.collect::<Vec<_>>()) else { return self.add(sides, rng) };
        self.story.push(format!("{who} is in the organisation again"));
        self.set_in_org(who, true);
        sides.github.add_to_org(who)
    }

    fn set_in_org(&mut self, who: u64, in_org: bool) {
        self.people.iter_mut().filter(|person| person.id == who).for_each(|person| person.in_org = in_org);
    }

    fn reparent(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let open: Vec<_> = self.teams.iter().filter(|(_, team)| !team.secret).map(|(id, _)| *id).collect();
        let (Some(id), Some(parent)) = (Self::pick(rng, &open), Self::pick(rng, &open)) else {
            return self.add(sides, rng);
        };
        let parent = Some(parent).filter(|parent| !self.family(id).contains(parent));
        self.story.push(format!("team {id} is now under {parent:?}"));
        self.teams.get_mut(&id).expect("picked").parent = parent;
        sides.github.reparent(id, parent)
    }

    fn make_secret(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let Some(id) = self.some_team(rng) else { return self.create(sides, rng) };
        let team = &self.teams[&id];
        let nested = team.parent.is_some() || self.family(id).len() > 1;
        if team.secret || nested {
            return if team.secret { self.set_secret(sides, id, false) } else { self.add(sides, rng) };
        }
        self.set_secret(sides, id, true)
    }

    fn set_secret(&mut self, sides: &Sides, id: u64, secret: bool) -> Vec<Delivery> {
        self.story.push(format!("team {id}: secret {secret}"));
        self.teams.get_mut(&id).expect("known").secret = secret;
        if secret {
            sides.github.make_secret(id)
        } else {
            sides.github.make_visible(id)
        }
    }

    /// GitHub tells nobody.
    fn rename_login(&mut self, sides: &Sides, rng: &mut Rng) -> Vec<Delivery> {
        let at = rng.below(self.people.len() as u64) as usize;
        let person = &mut self.people[at];
        person.login.push('x');
        self.story.push(format!("{} is now `{}`", person.id, person.login));
        sides.github.rename_user(person.id, &person.login);
        Vec::new()
    }
}
