//! The process dies at any moment, and starts again: nothing that was answered is lost, nothing harmful is done twice.
//!
//! The real process, killed at random moments; at every single step it dies in the simulation. `SYNC_TEST_KILLS` and
//! `SYNC_TEST_SEED` make it longer and other.

use std::time::{Duration, Instant};

use crate::standin::rng::Rng;
use crate::standin::{Delivery, Events};
use crate::world::{number, Truth, World, PATIENCE};

/// A world whose service may die at any time, with a Sentry team that is none of its business.
struct Mortal {
    world: World,
    foreign: u64,
}

impl Mortal {
    fn new(truth: Truth) -> Self {
        let mut world = World::new(truth);
        world.set("SYNC_MAX_DELETIONS", "100%,1000");
        // In payload mode, nobody else could tell of the creator.
        world.github.set_events(Events { creator_membership: true, ..Events::default() });
        let foreign = world.sentry.add_team("foreign", "Foreign");
        let olive = world.sentry.member_id("olive@acme.test").expect("a member");
        world.sentry.join(foreign, olive);
        Self { world, foreign }
    }

    /// Sends one delivery until it is answered with a 2xx, starting the service whenever it is dead.
    fn send(&mut self, delivery: &Delivery) {
        let until = Instant::now() + PATIENCE * 2;
        loop {
            assert!(Instant::now() < until, "{} {} is never taken", delivery.event, delivery.guid);
            let is_alive = self.world.is_started() && self.world.service_mut().is_alive();
            if !is_alive && !self.world.try_start() {
                continue;
            }
            match self.world.sender().send(delivery) {
                Ok(answer) if answer.status < 300 => return,
                // It dies, or is about to.
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Whether it has come to rest without dying.
    fn rests(&mut self) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            if Instant::now() > until {
                panic!("no rest:\n{}\n{:#}", self.world.service().text(), self.world.status());
            }
            if !self.world.service_mut().is_alive() {
                return false;
            }
            match self.world.try_status() {
                Some(status) if status["queued"] == 0 && status["open_hints"] == 0 => return true,
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// At most so many teams may have been made and deleted: one that was deleted before anybody looked is never made.
    #[track_caller]
    fn assert_right_at_the_end(&mut self, context: &str, most_made: usize, most_deleted: usize) {
        // A place to die at may come after the rest, too.
        let until = Instant::now() + PATIENCE * 2;
        let status = loop {
            assert!(Instant::now() < until, "no rest: {context}");
            if !(self.world.is_started() && self.world.service_mut().is_alive()) {
                self.world.try_start();
            } else if let (true, Some(status)) = (self.rests(), self.world.try_status()) {
                break status;
            }
        };
        let log = self.world.service().text();
        let differences: Vec<_> =
            self.world.differences().into_iter().filter(|line| !line.contains("foreign")).collect();
        assert_eq!(differences, [""; 0], "{context}\n{log}\n{status:#}");
        assert_eq!(
            (&status["failed"], &status["holds"]),
            (&0.into(), &serde_json::json!([])),
            "{context}\n{log}"
        );
        let (slug, view) = self.world.sentry.team_of_id(self.foreign).expect("it is still there");
        assert_eq!((slug.as_str(), view.members.len()), ("foreign", 1), "{context}");
        let calls = self.world.sentry.wire.calls();
        let n_made = calls
            .iter()
            .filter(|call| call.route == "POST /organizations/{org}/teams/" && call.status == 201);
        let n_made = n_made.count();
        assert!(n_made <= most_made, "{n_made} teams were made, {most_made} are the most: {context}");
        let deletions =
            calls.iter().filter(|call| call.route == "DELETE /teams/{org}/{slug}/" && call.status == 204);
        let n_deleted = deletions.count();
        assert!(
            n_deleted <= most_deleted,
            "{n_deleted} teams were deleted, {most_deleted} are the most: {context}"
        );
        let touched = calls.iter().filter(|call| call.method != "GET" && call.path.contains("/foreign/"));
        assert_eq!(touched.count(), 0, "{context}");
    }
}

#[test]
fn kills_at_random_moments_lose_nothing_that_was_answered_and_repeat_nothing_harmful() {
    let (n_kills, seed) = (number("SYNC_TEST_KILLS", 24), number("SYNC_TEST_SEED", 7));
    for truth in [Truth::Deliveries, Truth::Github] {
        let mut mortal = Mortal::new(truth);
        let mut rng = Rng::new(seed);
        let people: Vec<_> = (0..12).map(|n| mortal.world.person(&format!("person{n}"))).collect();
        let mut teams = Vec::new();
        let mut n_deleted = 0;
        for round in 0..n_kills / 2 {
            let world = &mortal.world;
            let (team, mut sent) = world.github.create_team(format!("Team {round}").as_str(), world.olive);
            teams.push(team);
            for person in people.iter().filter(|_| rng.percent(50.0)) {
                sent.extend(world.github.add_member(team, *person));
            }
            if rng.percent(50.0) {
                sent.extend(world.github.rename_team(team, format!("Other {round}").as_str()));
            }
            if rng.percent(30.0) {
                let team = teams.remove(rng.below(teams.len() as u64) as usize);
                sent.extend(world.github.delete_team(team));
                n_deleted += 1;
            }
            let kill_at = rng.below(sent.len() as u64) as usize;
            for (n, delivery) in sent.iter().enumerate() {
                mortal.send(delivery);
                if n == kill_at {
                    std::thread::sleep(Duration::from_millis(rng.below(12)));
                    mortal.world.take_service().kill();
                }
            }
        }
        let context = format!("seed {seed}, {truth:?}");
        mortal.assert_right_at_the_end(&context, (n_kills / 2) as usize, n_deleted);
    }
}
