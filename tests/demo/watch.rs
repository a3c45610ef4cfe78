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
        if self.call.path.ends_with("/graphql") {
            name.split('(').next().unwrap_or_default()
        } else {
            ""
        }
    }
}

/// Which calls are shown.
#[derive(Clone, Copy, PartialEq)]
pub enum Which {
    /// All, as they came.
    All,
    /// Those that change something; a comparison's many reads, side by side in an order of chance, are only counted.
    Writes,
    /// Those that several lanes made side by side, in an order of chance: reads as they came, then writes by path.
    SideBySide,
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
        match which {
            Which::All => {}
            Which::Writes => all.retain(Heard::writes),
            Which::SideBySide => all.sort_by_key(|heard| heard.writes().then(|| heard.call.path.clone())),
        }
        all
    }

    /// How many reads of each host there were since the calls were shown last.
    pub fn reads(&self, world: &World) -> [usize; 2] {
        let wires = [&world.github.wire, &world.sentry.wire];
        let of = |host: usize| {
            let calls = wires[host].calls_since(self.marks[host]).into_iter();
            calls.filter(|call| !Heard { host, call: call.clone() }.writes()).count()
        };
        [of(0), of(1)]
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

/// How many calls each host got so far.
pub fn tally(world: &World) -> [usize; 2] {
    [world.github.wire.n_calls(), world.sentry.wire.n_calls()]
}
