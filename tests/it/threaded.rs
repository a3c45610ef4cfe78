//! Random changes against the real program, with its real threads, sockets and files: what the simulation plays by the
//! thousand, here as a process does it. Whatever happens on GitHub, to deliveries and to the process, and however often
//! Sentry fails, the last comparison leaves Sentry as GitHub is.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sentry_team_sync::parts::{for_team, GithubSlug, GithubTeamId};

use crate::sim::org::Org;
use crate::sim::sides::Sides;
use crate::standin::rng::Rng;
use crate::standin::{Comparison, Delivery, Events, GithubTeamView, RandomFaults};
use crate::world::{number, Truth, World, PATIENCE};

/// So many worlds are played at once: each of them waits most of the time.
const WORLDS: u64 = 8;
/// So many changes.
const CHANGES: u64 = 30;

struct Play {
    seed: u64,
    world: World,
    sides: Sides,
    org: Org,
    rng: Rng,
    truth: Truth,
    late: Vec<Delivery>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let truth = if rng.percent(60.0) { Truth::Github } else { Truth::Deliveries };
        let told = truth == Truth::Deliveries;
        let mut world = World::new(truth);
        for (name, value) in [
            ("SYNC_FIRST", "apply"),
            ("SYNC_INTERVAL", "off"),
            ("SYNC_WORKERS", "4"),
            ("SYNC_MAX_DELETIONS", "100%,1000"),
            ("SYNC_MAX_REMOVALS", "100%,1000"),
            ("SYNC_MAX_TEAM_REMOVALS", "100%,1000"),
        ] {
            world.set(name, value);
        }
        world.github.set_events(Events {
            creator_membership: told,
            deleted_children: told,
            ..Events::default()
        });
        let (github, sentry, olive) = (world.github.clone(), world.sentry.clone(), world.olive);
        let sides = Sides { github, sentry, olive };
        let org = Org::new(&sides, truth);
        world.sentry.wire.set_random(Some(RandomFaults {
            seed,
            errors_percent: 10.0,
            after_percent: 50.0,
            limited_percent: 10.0,
            ..RandomFaults::default()
        }));
        world.start();
        Self { seed, world, sides, org, rng, truth, late: Vec::new() }
    }

    fn play(mut self) {
        for _ in 0..CHANGES {
            for delivery in self.org.change(&self.sides, &mut self.rng) {
                self.tell(delivery);
            }
            if self.rng.percent(8.0) {
                std::thread::sleep(Duration::from_millis(self.rng.below(12)));
                self.world.crash_and_restart();
            }
        }
        // All at once.
        std::thread::scope(|scope| {
            for delivery in &self.late {
                scope.spawn(|| self.send(delivery));
            }
        });
        self.world.sentry.wire.set_random(None);
        if self.truth == Truth::Github {
            self.compare();
        }
        let what = format!("both sides are equal, seed {}", self.seed);
        self.world.wait_within(PATIENCE * 2, &what, || self.differences().is_empty());
    }

    /// In payload mode, each arrives in its order; in read mode any may be lost or late.
    fn tell(&mut self, delivery: Delivery) {
        match self.rng.below(10) {
            0 if self.truth == Truth::Github => {}
            1 | 2 if self.truth == Truth::Github => self.late.push(delivery),
            _ => self.send(&delivery),
        }
    }

    /// Sends one until it is answered with a 2xx.
    fn send(&self, delivery: &Delivery) {
        self.world.wait_until("the delivery is taken", || {
            self.world.sender().send(delivery).is_ok_and(|answer| answer.status < 300)
        });
    }

    /// Compares and approves until nothing is left to do.
    fn compare(&mut self) {
        let until = Instant::now() + PATIENCE * 3;
        loop {
            match self.command(&["sync", "--apply"]) {
                Some(0) => return,
                Some(2) => drop(self.command(&["approve", "--all"])),
                _ => {}
            }
            let text = || self.world.service().text();
            assert!(Instant::now() < until, "seed {} does not come to an end:\n{}", self.seed, text());
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn command(&self, args: &[&str]) -> Option<i32> {
        let mut command = Command::new(World::program());
        command.args(args).env_clear().env("SYNC_STATE_DIR", &self.world.env["SYNC_STATE_DIR"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("the program starts").code()
    }

    fn differences(&self) -> Vec<String> {
        let slug = |team: &GithubTeamView| {
            Some(for_team(&GithubSlug::from(team.slug.as_str()), GithubTeamId(team.id), "").to_string())
        };
        let address = |login: &str| self.org.address(&self.sides, login);
        Comparison::new(&self.sides.github, &self.sides.sentry, address).slugs(slug).differences()
    }
}

#[test]
fn after_the_last_comparison_sentry_equals_github_with_real_threads_too() {
    let first = number("SYNC_TEST_SEED", 1);
    std::thread::scope(|scope| {
        for seed in first..first + number("SYNC_TEST_WORLDS", WORLDS) {
            scope.spawn(move || Play::new(seed).play());
        }
    });
}
