//! One sequence: changes on GitHub, deliveries that meet every fate, an end of the process at any moment, both APIs
//! failing; then the end of all that, a last comparison, and what must be true.

mod check;
mod crowd;
mod first;
mod pause;
mod tally;
mod weather;

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use tally::Tally;

use super::org::{Org, FOREIGN};
use crate::standin::rng::Rng;
use crate::standin::{Delivery, Events, GithubToken, NewMember};
use crate::world::{Truth, World, PATIENCE};

/// An address in Sentry that no GitHub account has anything to do with.
const STRANGER: &str = "stranger@elsewhere.test";
/// What the Sentry team that was there before is called.
const LEGACY_NAME: &str = "Legacy of old";
/// So many comparisons, each with a person's word on what was held, are enough for anything.
const ROUNDS: usize = 8;

/// A world in which one sequence is played.
pub struct Sequence {
    seed: u64,
    truth: Truth,
    rng: Rng,
    world: World,
    org: Org,
    /// Whether the Sentry token may list all teams.
    may_list: bool,
    /// Whether the GitHub token may read the list of deliveries.
    recovers: bool,
    /// Whether everything waits for a person at first.
    waits_to_begin: bool,
    foreign: u64,
    legacy: Option<(u64, u64)>,
    stranger: u64,
    /// Sentry teams that were mirrored before the first change.
    begun_with: BTreeSet<u64>,
    /// Sentry teams that own a project.
    owners: BTreeSet<u64>,
    /// Sentry teams into which somebody has put the stranger by hand.
    visited: BTreeSet<u64>,
    /// Deliveries that arrive before the step of that number.
    late: Vec<(usize, Delivery)>,
    /// What was sent.
    sent: Vec<Delivery>,
    /// Deletions that were announced and never happened.
    announced: Vec<Delivery>,
    /// What GitHub could not hand over, and has in its list.
    missed: Vec<Delivery>,
    logs: Vec<Arc<Mutex<Vec<String>>>>,
    /// Whether Sentry has somebody new since the process has begun.
    has_new_people: bool,
    comparing: Vec<Child>,
    /// The place of the first call of Sentry's that came after a pause began.
    paused_at: Option<usize>,
    tally: Tally,
}

impl Sequence {
    /// Everything that is to come follows from the seed, as far as it is this side's to decide.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let truth = if rng.percent(70.0) { Truth::Github } else { Truth::Deliveries };
        let mut world = World::new(truth);
        let may_list = rng.percent(50.0);
        if may_list {
            world = world.may_list_teams();
        }
        let recovers = truth == Truth::Deliveries && rng.percent(50.0);
        if recovers {
            let token = world.github.add_token(GithubToken::no_permission(world.olive).webhooks());
            world.set("GH_TOKEN", &token);
        }
        let waits_to_begin = truth == Truth::Github && rng.percent(20.0);
        for (name, value) in [
            ("SYNC_FIRST", if waits_to_begin { "hold" } else { "apply" }),
            ("SYNC_MAX_DELETIONS", "100%,1000"),
            ("SYNC_MAX_REMOVALS", "100%,1000"),
            ("SYNC_MAX_TEAM_REMOVALS", "100%,1000"),
        ] {
            world.set(name, value);
        }
        world.set("SYNC_INTERVAL", if rng.percent(30.0) { "1s" } else { "off" });
        world.set("SYNC_REMOVE_MEMBERS", if rng.percent(50.0) { "left" } else { "known" });
        world.set("SYNC_WORKERS", ["1", "2", "4"][rng.below(3) as usize]);
        let told = truth == Truth::Deliveries;
        world.github.set_events(Events {
            creator_membership: told || rng.percent(30.0),
            deleted_children: told || rng.percent(30.0),
            members_of_deleted: rng.percent(50.0),
            // A departure that was missed is not taken once anything newer was said of the person.
            teams_of_leaver: recovers || rng.percent(50.0),
            reparent: rng.percent(30.0),
            ..Events::default()
        });
        let foreign = world.sentry.add_team(FOREIGN, "Foreign");
        let stranger = world.sentry.add_member(NewMember::new(STRANGER));
        world.sentry.join(foreign, stranger);
        let mut org = Org::new(&world, truth);
        if truth == Truth::Github && rng.percent(10.0) {
            crowd::come(&mut world, &mut org, &mut rng);
        }
        Self {
            seed,
            truth,
            rng,
            world,
            org,
            may_list,
            recovers,
            waits_to_begin,
            foreign,
            legacy: None,
            stranger,
            begun_with: BTreeSet::new(),
            owners: BTreeSet::new(),
            visited: BTreeSet::new(),
            late: Vec::new(),
            sent: Vec::new(),
            announced: Vec::new(),
            missed: Vec::new(),
            logs: Vec::new(),
            has_new_people: false,
            comparing: Vec::new(),
            paused_at: None,
            tally: Tally { sequences: 1, ..Tally::default() },
        }
    }

    /// Plays it to the end.
    pub fn play(mut self) -> Tally {
        self.begin();
        let steps = 6 + self.rng.below(12) as usize;
        for step in 0..steps {
            self.step(step);
        }
        self.end();
        self.tally
    }

    fn begin(&mut self) {
        if self.rng.percent(40.0) {
            let people: &[usize] = if self.truth == Truth::Github { &[0, 2] } else { &[] };
            let github = self.org.old_team(&self.world, "Legacy", people);
            let sentry = self.world.sentry.add_team("legacy", LEGACY_NAME);
            self.world.sentry.join(sentry, self.stranger);
            self.visited.insert(sentry);
            self.legacy = Some((github, sentry));
        }
        if self.truth == Truth::Github && self.rng.percent(50.0) {
            self.org.old_team(&self.world, "Old", &[1, 3, 4]);
        }
        if self.rng.percent(30.0) {
            self.bad_start();
        } else {
            self.start();
        }
        // Where nothing would be done, or no team of Sentry's is seen, nothing waits.
        let has_teams = !self.world.github.teams().is_empty();
        if self.waits_to_begin && has_teams && (self.may_list || self.legacy.is_some()) {
            self.wait_for_approval();
        }
        // A team that was renamed before it was ever seen would be older than the mirror under its new name too.
        self.world.wait_until("old teams are mirrored", || {
            self.world.github.teams().values().all(|team| {
                self.world
                    .sentry
                    .teams()
                    .get(&team.slug)
                    .is_some_and(|there| there.members.len() >= team.members.len())
            })
        });
        if let Some((github, _)) = self.legacy {
            let told = self.world.github.edit_description(github, "of old");
            told.iter().for_each(|delivery| self.send_surely(delivery));
            self.world.wait_until("adopted", || {
                self.logs.iter().any(|log| {
                    log.lock().expect("log").iter().any(|line| line.contains("adopted Sentry team"))
                })
            });
        }
        self.begun_with = self.world.sentry.teams().into_values().map(|team| team.id).collect();
        self.begun_with.remove(&self.foreign);
    }

    fn step(&mut self, step: usize) {
        if self.rng.percent(60.0) {
            self.revive();
        }
        self.weather();
        if self.rng.percent(if self.paused_at.is_some() { 30.0 } else { 4.0 }) {
            self.pause_or_resume();
        }
        let mut sent = self.org.change(&self.world, &mut self.rng);
        self.tally.changes += 1;
        if self.truth == Truth::Github && self.rng.percent(2.0) {
            sent.extend(self.announce_an_end());
        }
        if self.rng.percent(4.0) {
            self.has_new_people |= self.org.appear(&self.world);
        }
        if self.rng.percent(8.0) {
            self.visit();
        }
        if self.rng.percent(8.0) {
            self.own_a_project();
        }
        if self.may_list && self.truth == Truth::Github && self.rng.percent(12.0) {
            self.rename_by_hand();
        }
        match self.truth {
            Truth::Deliveries => self.send_in_order(sent),
            Truth::Github => {
                let (due, later): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= step);
                self.late = later;
                sent.extend(due.into_iter().map(|(_, delivery)| delivery));
                self.send_by_chance(step, sent);
            }
        }
        if self.rng.percent(40.0) {
            std::thread::sleep(Duration::from_millis(self.rng.below(20)));
        }
        if self.truth == Truth::Github && self.rng.percent(12.0) {
            self.compare_meanwhile();
        }
        if self.rng.percent(18.0) {
            std::thread::sleep(Duration::from_millis(self.rng.below(12)));
            self.die();
        }
    }

    /// Somebody puts the stranger into a Sentry team by hand.
    fn visit(&mut self) {
        let Some(team) = self.some_sentry_team() else { return };
        self.world.sentry.join(team, self.stranger);
        self.visited.insert(team);
        self.org.story.push(format!("the stranger is put into Sentry team {team}"));
    }

    /// A Sentry team that follows a GitHub team, or may.
    fn some_sentry_team(&mut self) -> Option<u64> {
        let teams = self.world.sentry.teams().into_values().map(|team| team.id);
        let teams: Vec<_> = teams.filter(|id| *id != self.foreign).collect();
        teams.get(self.rng.below(teams.len() as u64) as usize).copied()
    }

    /// From now on, the team is not deleted without a person's word.
    fn own_a_project(&mut self) {
        let Some(team) = self.some_sentry_team() else { return };
        self.world.sentry.add_project(team, &format!("project-{}", self.owners.len()));
        // One whose projects were read a moment ago is deleted all the same: nobody can prevent that.
        let is_alive = self.world.is_started() && self.world.service_mut().is_alive();
        if !is_alive && self.world.sentry.team_of_id(team).is_some() {
            self.owners.insert(team);
        }
        self.org.story.push(format!("Sentry team {team} owns a project"));
    }

    /// Somebody gives a Sentry team another slug, past the mirror. Not one that was made a moment ago: whose answer was
    /// lost, and who has another slug when it is looked for, nobody can find.
    fn rename_by_hand(&mut self) {
        let Some(team) = self.some_sentry_team().filter(|team| self.begun_with.contains(team)) else {
            return;
        };
        // Sentry gives no slug twice.
        let mut slug = format!("by-hand-{}", self.rng.below(1000));
        while self.world.sentry.teams().contains_key(&slug) {
            slug += "-again";
        }
        self.world.sentry.rename_team(team, &slug, "By hand");
        self.org.story.push(format!("Sentry team {team} is renamed by hand to `{slug}`"));
    }

    /// Any of them may be lost, doubled, late or out of order.
    fn send_by_chance(&mut self, step: usize, mut deliveries: Vec<Delivery>) {
        for at in (1..deliveries.len()).rev() {
            let other = self.rng.below(at as u64 + 1) as usize;
            deliveries.swap(at, other);
        }
        for delivery in deliveries {
            match self.rng.below(100) {
                0..=14 if !self.must_arrive(&delivery) => {
                    self.tally.lost += 1;
                    self.org.story.push(format!("  lost: {}", name(&delivery)));
                }
                15..=34 => {
                    self.tally.late += 1;
                    self.late.push((step + 1 + self.rng.below(5) as usize, delivery));
                }
                35..=46 => {
                    self.tally.doubled += 1;
                    self.late.push((step + self.rng.below(4) as usize, delivery.clone()));
                    self.send(&delivery);
                }
                _ => self.send(&delivery),
            }
        }
    }

    /// What REST shows to this token may lack secret teams: absence from it ends no team, so that an end has to be told.
    fn must_arrive(&self, delivery: &Delivery) -> bool {
        self.org.keeps_logins && delivery.action.as_deref() == Some("deleted")
    }

    /// Sends one, which may be in vain if it need not arrive.
    fn send(&mut self, delivery: &Delivery) {
        if self.must_arrive(delivery) {
            self.send_surely(delivery);
        } else {
            self.try_send(delivery);
        }
    }

    /// In the order in which they happened, each until it is answered; some of them come again.
    fn send_in_order(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            if self.recovers && self.rng.percent(15.0) && may_be_missed(&delivery) {
                self.world.github.log_delivery(&delivery, None);
                self.tally.lost += 1;
                self.org.story.push(format!("  missed: {}", name(&delivery)));
                self.missed.push(delivery);
                continue;
            }
            self.send_surely(&delivery);
            if self.sent.is_empty() {
                continue;
            }
            if self.rng.percent(15.0) {
                self.tally.doubled += 1;
                let again = self.sent[self.rng.below(self.sent.len() as u64) as usize].clone();
                self.send_surely(&again);
            }
            if self.rng.percent(6.0) {
                self.die();
            }
        }
    }

    fn send_surely(&mut self, delivery: &Delivery) {
        let until = Instant::now() + PATIENCE;
        while !self.try_send(delivery) {
            assert!(Instant::now() < until, "nobody answers: {}", self.context());
            self.revive();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends one; whether it was answered with a 2xx.
    fn try_send(&mut self, delivery: &Delivery) -> bool {
        let is_alive = self.world.is_started() && self.world.service_mut().is_alive();
        let answer = is_alive.then(|| self.world.sender().send(delivery).ok()).flatten();
        if let Some(answer) = answer.as_ref().filter(|_| self.recovers) {
            self.world.github.log_delivery(delivery, Some(answer));
        }
        let answered = answer.is_some_and(|answer| answer.status < 300);
        self.org.story.push(format!("  {}: {}", if answered { "sent" } else { "not taken" }, name(delivery)));
        if answered {
            self.tally.deliveries += 1;
            self.sent.push(delivery.clone());
        }
        answered
    }

    fn start(&mut self) {
        self.has_new_people = false;
        self.world.start();
        self.logs.push(self.world.service().log.clone());
    }

    fn revive(&mut self) {
        if !(self.world.is_started() && self.world.service_mut().is_alive()) {
            self.start();
        }
    }

    /// Ends it as a power cut would; it may be some time until it is started again.
    fn die(&mut self) {
        self.org.story.push("the process dies".into());
        self.tally.deaths += 1;
        if self.world.is_started() {
            self.world.take_service().kill();
        }
        if self.truth == Truth::Deliveries || self.rng.percent(70.0) {
            self.start();
        }
    }

    /// A comparison that nobody waits for.
    fn compare_meanwhile(&mut self) {
        self.revive();
        self.org.story.push("a comparison begins".into());
        self.tally.comparisons += 1;
        let mut command = Command::new(World::program());
        command.args(["sync", "--apply"]).env_clear();
        command.env("SYNC_STATE_DIR", &self.world.env["SYNC_STATE_DIR"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.comparing.push(command.spawn().expect("the program starts"));
    }

    fn end(&mut self) {
        if self.paused_at.is_some() {
            self.pause_or_resume();
        }
        let fair = self.org.make_way(&self.world, &mut self.rng);
        match self.truth {
            Truth::Deliveries => self.send_in_order(fair),
            Truth::Github => {
                let late = std::mem::take(&mut self.late).into_iter().map(|(_, delivery)| delivery);
                let late: Vec<_> = fair.into_iter().chain(late).collect();
                for delivery in &late {
                    self.send(delivery);
                }
            }
        }
        self.has_new_people |= self.rng.percent(50.0) && self.org.appear(&self.world);
        for site in [&self.world.sentry.wire, &self.world.github.wire] {
            self.tally.faults += site.calls().iter().filter(|call| call.fault.is_some()).count();
            site.clear_faults();
        }
        self.world.github.set_lag(Duration::ZERO);
        for mut child in std::mem::take(&mut self.comparing) {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Otherwise only time tells the service of new people in payload mode.
        if self.rng.percent(60.0) || self.recovers || self.has_new_people && self.truth == Truth::Deliveries {
            self.die();
        }
        self.revive();
        match self.truth {
            Truth::Github => self.come_to_an_end(),
            // Sentry's people, and GitHub's list, are read anew at every start, which nobody tells.
            Truth::Deliveries => {
                self.wait_until_equal(PATIENCE / 2);
                self.wait_for_rest();
            }
        }
        self.check();
    }

    /// What was said just before a comparison is not contradicted by it: then another one follows by itself.
    fn come_to_an_end(&mut self) {
        let until = Instant::now() + PATIENCE;
        if !self.compare_to_the_end() {
            self.tally.second_looks += 1;
            self.wait_until_equal(PATIENCE);
            // Equal by name is not done: what has the name may be another team's.
            while !self.compare_to_the_end() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(500));
            }
        }
        self.wait_until_equal(PATIENCE);
        // An approved deletion of a team that GitHub shows takes a second look to be over.
        while self.try_holds() > 0 && Instant::now() < until {
            self.approve();
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn try_holds(&self) -> usize {
        let status = self.world.try_status().unwrap_or_default();
        status["holds"].as_array().map_or(0, Vec::len)
    }

    /// Compares and approves until nothing is left to do; false if something is left for a second look.
    fn compare_to_the_end(&mut self) -> bool {
        // After a limit that names no end, GitHub is left alone for a minute.
        let until = Instant::now() + PATIENCE * 3;
        let mut rounds = 0;
        loop {
            self.tally.comparisons += 1;
            match self.command(&["sync", "--apply"], until) {
                0 => return true,
                // What is not held is left for a second look.
                2 if !self.approve() => return false,
                2 => rounds += 1,
                // Still waiting for what failed before.
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
            assert!(
                rounds <= ROUNDS && Instant::now() < until,
                "it does not come to an end: {}",
                self.context()
            );
        }
    }

    /// A person lets everything through but what would take over the foreign team. Whether there was anything.
    fn approve(&mut self) -> bool {
        let status = self.world.try_status().unwrap_or_default();
        let undecided =
            status["holds"].as_array().into_iter().flatten().filter(|hold| hold["decision"].is_null());
        let fine = undecided.filter(|hold| !hold["changes"].to_string().contains("`foreign`"));
        let names: Vec<_> = fine.filter_map(|hold| hold["name"].as_str()).collect();
        if names.is_empty() {
            return false;
        }
        self.check_before_approval();
        self.command(&[&["approve"], &names[..]].concat(), Instant::now() + PATIENCE);
        self.tally.approved += names.len();
        true
    }

    /// Has the service carry out a command: the exit code.
    fn command(&mut self, args: &[&str], until: Instant) -> i32 {
        let path = self.world.dir.0.join("said");
        let said = File::create(&path).expect("a file");
        let mut command = Command::new(World::program());
        command.args(args).env_clear().env("SYNC_STATE_DIR", &self.world.env["SYNC_STATE_DIR"]);
        command.stdin(Stdio::null()).stdout(said.try_clone().expect("a descriptor")).stderr(said);
        let mut child = command.spawn().expect("the program starts");
        let code = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status.code();
            }
            if Instant::now() > until {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        let said = std::fs::read_to_string(path).expect("what it said");
        self.org.story.push(format!("{args:?}: {code:?}\n{said}"));
        code.unwrap_or_else(|| panic!("no end: {}", self.context()))
    }

    /// What is held meanwhile is approved.
    fn wait_until_equal(&mut self, patience: Duration) {
        let until = Instant::now() + patience;
        while !self.differences().is_empty() && Instant::now() < until {
            self.approve();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for_rest(&mut self) {
        let until = Instant::now() + PATIENCE * 2;
        // What was missed is queued by the time at which it is told that GitHub's list was read.
        let nothing_missed = self.missed.is_empty();
        let is_read = |status: &serde_json::Value| nothing_missed || !status["recovered"].is_null();
        loop {
            match self.world.try_status() {
                Some(status) if is_read(&status) && status["queued"] == 0 && status["open_hints"] == 0 => {
                    return
                }
                // A deletion that is held keeps a slug from the team that waits for it, although all looks equal.
                _ => {
                    self.approve();
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            assert!(Instant::now() < until, "no rest: {}", self.context());
        }
    }
}

fn name(delivery: &Delivery) -> String {
    let payload = delivery.payload();
    let action = delivery.action.as_deref().unwrap_or_default();
    let (team, who) = (&payload["team"]["id"], &payload["member"]["login"]);
    let person = &payload["membership"]["user"]["login"];
    format!("{}.{action} {team} {who}{person} {}", delivery.event, delivery.guid)
}

/// A creation tells that a team is newer than the mirror, and without that it may take over an older Sentry team.
fn may_be_missed(delivery: &Delivery) -> bool {
    delivery.action.as_deref() != Some("created")
}
