//! Hundreds of random changes, and Sentry failing in every way that it does: at rest both sides are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::standin::rng::Rng;
use crate::standin::{Delivery, Events, GithubStandin, RandomFaults};
use crate::world::{number, Truth, World};

const N_EVENTS: usize = 600;
const N_PEOPLE: usize = 40;
/// Few names, so that they are given up and taken again all the time.
const NAMES: [&str; 16] = [
    "Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta", "Theta", "Iota", "Kappa", "Lambda", "Mu",
    "Nu", "Xi", "Omikron", "Pi",
];

/// Somebody who changes teams at random and knows what is there.
struct Org<'a> {
    github: &'a GithubStandin,
    olive: u64,
    people: Vec<u64>,
    rng: Rng,
    teams: BTreeMap<u64, (&'static str, BTreeSet<u64>)>,
}

impl<'a> Org<'a> {
    fn new(world: &'a World, seed: u64) -> Self {
        let people = (0..N_PEOPLE).map(|n| world.person(&format!("person{n}"))).collect();
        Self {
            github: &world.github,
            olive: world.olive,
            people,
            rng: Rng::new(seed),
            teams: BTreeMap::new(),
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.rng.below(from.len() as u64) as usize).copied()
    }

    fn free_name(&mut self) -> Option<&'static str> {
        let free: Vec<_> =
            NAMES.into_iter().filter(|name| self.teams.values().all(|(used, _)| used != name)).collect();
        self.pick(&free)
    }

    fn some_team(&mut self) -> Option<u64> {
        let ids: Vec<_> = self.teams.keys().copied().collect();
        self.pick(&ids)
    }

    /// One change; what GitHub sends of it.
    fn change(&mut self) -> Vec<Delivery> {
        match self.rng.below(100) {
            0..=11 => self.create(),
            12..=19 => self.delete(),
            20..=34 => self.rename(),
            35..=74 => self.add(),
            _ => self.remove(),
        }
    }

    fn create(&mut self) -> Vec<Delivery> {
        let Some(name) = self.free_name() else { return self.delete() };
        let (id, sent) = self.github.create_team(name, self.olive);
        self.teams.insert(id, (name, BTreeSet::new()));
        sent
    }

    fn delete(&mut self) -> Vec<Delivery> {
        let Some(id) = self.some_team().filter(|_| self.teams.len() > 4) else { return self.create() };
        self.teams.remove(&id);
        self.github.delete_team(id)
    }

    fn rename(&mut self) -> Vec<Delivery> {
        let (Some(id), Some(name)) = (self.some_team(), self.free_name()) else { return self.create() };
        if let Some((known, _)) = self.teams.get_mut(&id) {
            *known = name;
        }
        self.github.rename_team(id, name)
    }

    fn add(&mut self) -> Vec<Delivery> {
        let everybody = self.people.clone();
        let (Some(id), Some(who)) = (self.some_team(), self.pick(&everybody)) else { return self.create() };
        if let Some((_, members)) = self.teams.get_mut(&id) {
            members.insert(who);
        }
        self.github.add_member(id, who)
    }

    fn remove(&mut self) -> Vec<Delivery> {
        let Some(id) = self.some_team() else { return self.create() };
        let members: Vec<_> = self.teams[&id].1.iter().copied().collect();
        let Some(who) = self.pick(&members) else { return self.add() };
        if let Some((_, members)) = self.teams.get_mut(&id) {
            members.remove(&who);
        }
        self.github.remove_member(id, who)
    }

    fn changes(&mut self, n: usize) -> Vec<Delivery> {
        let mut sent = Vec::new();
        while sent.len() < n {
            sent.extend(self.change());
        }
        sent
    }
}

fn seed() -> u64 {
    number("SYNC_TEST_SEED", 7)
}

fn stormy(truth: Truth, seed: u64) -> World {
    let mut world = World::new(truth);
    // Guards have tests of their own; here everything must go through.
    world.set("SYNC_MAX_DELETIONS", "100%,1000");
    world.github.set_events(Events { creator_membership: true, ..Events::default() });
    world.sentry.wire.set_random(Some(RandomFaults {
        seed,
        errors_percent: 10.0,
        after_percent: 50.0,
        limited_percent: 10.0,
        ..RandomFaults::default()
    }));
    world.start();
    world
}

/// Sends everything, 32 at a time; every answer must be a 2xx.
fn send_32_at_a_time(world: &World, deliveries: &[Delivery]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let mut sender = world.sender();
                while let Some(delivery) = deliveries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = sender.send(delivery).expect("an answer in time");
                    assert!(answer.status < 300, "{} {}: {}", delivery.event, delivery.guid, answer.status);
                }
            });
        }
    });
}

#[track_caller]
fn assert_equal_at_rest(world: &World, seed: u64) {
    world.wait_for_rest();
    assert_eq!(world.differences(), [""; 0], "seed {seed}\n{}\n{:#}", world.service().text(), world.status());
    let status = world.status();
    assert_eq!(
        (status["failed"].as_u64(), status["holds"].as_array().map(Vec::len)),
        (Some(0), Some(0)),
        "seed {seed}"
    );
}

/// Read mode: any order will do, and GitHub changes on while deliveries of before arrive.
#[test]
fn shuffled_doubled_deliveries_and_a_failing_sentry_end_equal_in_read_mode() {
    let seed = seed();
    let world = stormy(Truth::Github, seed);
    let mut org = Org::new(&world, seed);
    let mut rng = Rng::new(seed ^ 1);
    std::thread::scope(|scope| {
        let mut sending = None;
        for _ in 0..4 {
            let mut deliveries = org.changes(N_EVENTS / 4);
            let doubles: Vec<_> = deliveries.iter().filter(|_| rng.percent(20.0)).cloned().collect();
            deliveries.extend(doubles);
            for at in (1..deliveries.len()).rev() {
                deliveries.swap(at, rng.below(at as u64 + 1) as usize);
            }
            let world = &world;
            let before = sending.replace(scope.spawn(move || send_32_at_a_time(world, &deliveries)));
            if let Some(before) = before {
                before.join().expect("all were answered");
            }
        }
    });
    assert_equal_at_rest(&world, seed);
}

/// Payload mode: the order of arrival decides, duplicates change nothing.
#[test]
fn deliveries_in_order_with_duplicates_and_a_failing_sentry_end_equal_in_payload_mode() {
    let seed = seed();
    let world = stormy(Truth::Deliveries, seed);
    let mut org = Org::new(&world, seed);
    let mut rng = Rng::new(seed ^ 1);
    let mut sent: Vec<Delivery> = Vec::new();
    for delivery in org.changes(N_EVENTS) {
        world.send(std::slice::from_ref(&delivery));
        sent.push(delivery);
        if rng.percent(20.0) {
            let again = rng.below(sent.len() as u64) as usize;
            world.send(&sent[again..=again]);
        }
    }
    assert_equal_at_rest(&world, seed);
}

/// Read mode: a tenth of the deliveries never arrives, and a comparison runs every second among them.
#[test]
fn lost_deliveries_and_comparisons_in_between_end_equal_in_read_mode() {
    let seed = seed();
    let mut world = World::new(Truth::Github);
    for (name, value) in [
        ("SYNC_INTERVAL", "1s"),
        ("SYNC_MAX_DELETIONS", "100%,1000"),
        ("SYNC_MAX_REMOVALS", "100%,1000"),
        ("SYNC_MAX_TEAM_REMOVALS", "100%,1000"),
        ("SYNC_DELETE_TEAMS", "delete"),
    ] {
        world.set(name, value);
    }
    world.github.set_events(Events { creator_membership: true, ..Events::default() });
    let storm = RandomFaults {
        seed,
        errors_percent: 5.0,
        after_percent: 50.0,
        limited_percent: 5.0,
        ..RandomFaults::default()
    };
    world.sentry.wire.set_random(Some(storm));
    world.start();
    let mut org = Org::new(&world, seed);
    // An address that anybody may set is not enough for a comparison to remove somebody.
    for n in 0..N_PEOPLE {
        let login = format!("person{n}");
        let user = world.github.user_id(&login).expect("a person");
        world.github.set_emails(user, None, &[&format!("{login}@acme.test")]);
    }
    let mut rng = Rng::new(seed ^ 1);
    for _ in 0..6 {
        let mut deliveries = org.changes(N_EVENTS / 6);
        // A deletion that nobody tells is told by the team's absence alone; that is a comparison's to judge.
        deliveries.retain(|_| !rng.percent(10.0));
        for at in (1..deliveries.len()).rev() {
            deliveries.swap(at, rng.below(at as u64 + 1) as usize);
        }
        send_32_at_a_time(&world, &deliveries);
    }
    world.sentry.wire.set_random(None);
    world.wait_within(std::time::Duration::from_secs(120), "equal, apart from what is held", || {
        let held = world.status()["holds"].to_string();
        world.differences().iter().all(|line| {
            let slug = line.trim_start_matches("team ").split(':').next().unwrap_or_default();
            held.contains(&format!("`{slug}`"))
        })
    });
}
