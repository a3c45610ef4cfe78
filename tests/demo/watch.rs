//! What the demo knows of the two sides: which calls came since it last looked, and what changed in Sentry's teams.
//!
//! It looks into the stand-ins, never into the service.

use std::collections::{BTreeMap, BTreeSet};

use crate::cast::PROJECTS;
use crate::standin::{Call, TeamView};
use crate::world::World;

/// The two hosts, as they are labelled.
pub const HOSTS: [&str; 2] = ["GitHub", "Sentry"];

/// One call and the host that got it.
pub struct Heard {
    /// Its place in [`HOSTS`].
    pub host: usize,
    /// The call.
    pub call: Call,
}

impl Heard {
    /// Whether it belongs to what the service reads by itself at every interval: all teams of GitHub, all people of Sentry.
    pub fn is_of_interval(&self) -> bool {
        let all_people =
            self.call.route == "GET /organizations/{org}/members/" && !self.call.path.contains("query=");
        all_people || self.graphql() == "Teams"
    }

    /// Whether it changes something.
    pub fn writes(&self) -> bool {
        self.call.method != "GET" && self.graphql().is_empty()
    }

    /// `GET 200 /path`, in columns, so that paths of any length stay aligned; a query that does not fit is cut.
    pub fn text(&self, room: usize) -> String {
        let Call { method, path, status, .. } = &self.call;
        let text = |what: &str| format!("{method:<6} {status:>3}  {what}");
        let whole = match self.graphql() {
            "" => text(path),
            query => text(&format!("{path} (query {query})")),
        };
        match path.split_once('?') {
            Some((path, _)) if whole.len() > room => text(&format!("{path}?...")),
            _ => whole,
        }
    }

    /// The name of a GraphQL query.
    fn graphql(&self) -> &str {
        let body = std::str::from_utf8(&self.call.body).unwrap_or_default();
        let name = body.split_once("query ").map_or("", |(_, rest)| rest);
        match self.call.path.ends_with("/graphql") {
            true => name.split('(').next().unwrap_or_default(),
            false => "",
        }
    }
}

/// How many calls there were of either host: by deliveries and decisions, by the interval, refused by an outage.
#[derive(Default)]
pub struct Tally {
    /// Because something happened.
    pub caused: [usize; 2],
    /// Because time passed.
    pub interval: [usize; 2],
}

/// Which calls are shown.
#[derive(Clone, Copy, PartialEq)]
pub enum Which {
    /// All.
    All,
    /// Those that something caused.
    Caused,
    /// The same, and the interval's read of Sentry's people that brought the news.
    CausedByInterval,
    /// Those that several lanes made side by side, in an order of chance: reads as they came, then writes by path.
    CausedSideBySide,
}

/// What was seen so far.
#[derive(Default)]
pub struct Watch {
    marks: [usize; 2],
    teams: BTreeMap<u64, Shown>,
}

/// A Sentry team as it was last shown.
#[derive(Clone, PartialEq)]
struct Shown {
    slug: String,
    name: String,
    members: BTreeSet<String>,
    projects: Vec<String>,
}

/// What to show of a team.
pub enum Change {
    /// `slug (id 1)`, who is in it, who came, who went.
    Team { title: String, stay: Vec<String>, came: Vec<String>, went: Vec<String> },
    /// It is no more.
    Gone(String),
}

impl Watch {
    /// The calls since the last time, in the order of their arrival.
    pub fn calls(&mut self, world: &World, which: Which) -> Vec<Heard> {
        let wires = [&world.github.wire, &world.sentry.wire];
        let mut all = Vec::new();
        for (host, wire) in wires.iter().enumerate() {
            let since = wire.calls_since(self.marks[host]);
            self.marks[host] += since.len();
            all.extend(since.into_iter().map(|call| Heard { host, call }));
        }
        all.sort_by_key(|heard| heard.call.at);
        let first = all.iter().position(|heard| !heard.is_of_interval()).unwrap_or(0);
        let news = all[..first].iter().rposition(|heard| heard.host == 1);
        let is_shown = |n: usize, heard: &Heard| match which {
            Which::All => true,
            Which::Caused | Which::CausedSideBySide => !heard.is_of_interval(),
            Which::CausedByInterval => !heard.is_of_interval() || Some(n) == news,
        };
        let shown = all.into_iter().enumerate().filter(|(n, heard)| is_shown(*n, heard));
        let mut shown: Vec<Heard> = shown.map(|(_, heard)| heard).collect();
        if which == Which::CausedSideBySide {
            shown.sort_by_key(|heard| heard.writes().then(|| heard.call.path.clone()));
        }
        shown
    }

    /// What changed in Sentry's teams since the last time, by id; at first everything.
    pub fn changes(&mut self, world: &World) -> Vec<Change> {
        let now = teams(world);
        let known = std::mem::replace(&mut self.teams, now);
        let first = known.is_empty();
        let mut changes = Vec::new();
        for (id, team) in &self.teams {
            match known.get(id) {
                Some(before) if before == team => {}
                Some(before) => changes.push(team.change(*id, &before.members)),
                None if first => changes.push(team.change(*id, &team.members)),
                None => changes.push(team.change(*id, &BTreeSet::new())),
            }
        }
        let gone = known.iter().filter(|(id, _)| !self.teams.contains_key(id));
        changes.extend(gone.map(|(id, team)| Change::Gone(team.title(*id))));
        changes
    }
}

impl Shown {
    fn title(&self, id: u64) -> String {
        let projects: String = self.projects.iter().map(|project| format!(", project {project}")).collect();
        format!("{} (id {id}{projects})", self.slug)
    }

    fn change(&self, id: u64, before: &BTreeSet<String>) -> Change {
        let list = |people: &mut dyn Iterator<Item = &String>| people.cloned().collect();
        Change::Team {
            title: self.title(id),
            stay: list(&mut self.members.intersection(before)),
            came: list(&mut self.members.difference(before)),
            went: list(&mut before.difference(&self.members)),
        }
    }
}

fn teams(world: &World) -> BTreeMap<u64, Shown> {
    let owns = |slug: &str| -> Vec<String> {
        let own = PROJECTS
            .iter()
            .filter(|(project, _)| world.sentry.project_teams(project).iter().any(|s| s == slug));
        own.map(|(project, _)| project.to_string()).collect()
    };
    let shown = |(slug, team): (String, TeamView)| {
        let projects = owns(&slug);
        (team.id, Shown { slug, name: team.name, members: team.members.into_iter().collect(), projects })
    };
    world.sentry.teams().into_iter().map(shown).collect()
}

/// All calls so far.
pub fn tally(world: &World) -> Tally {
    let mut tally = Tally::default();
    for (host, wire) in [&world.github.wire, &world.sentry.wire].iter().enumerate() {
        for call in wire.calls() {
            match (Heard { host, call }).is_of_interval() {
                true => tally.interval[host] += 1,
                false => tally.caused[host] += 1,
            }
        }
    }
    tally
}
