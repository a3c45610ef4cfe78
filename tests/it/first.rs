//! Until a person approves the first comparison, nothing but deliveries writes to Sentry, whatever wakes the mirror.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::reload::{in_file, reload};
use crate::standin::{Fault, GithubToken, GithubUser, NewMember, Rule};
use crate::world::{Truth, World};

/// Sentry has a team, and people whom both sides know; GitHub has that team and another, both of a day ago.
struct Waiting {
    world: World,
    crew: u64,
    /// Everything written to Sentry from here on counts.
    mark: usize,
}

const MATCHED: [&str; 3] = ["ana", "ben", "kim"];

impl Waiting {
    fn new(truth: Truth) -> Self {
        let mut world = World::new(truth).may_list_teams();
        // Whoever wakes the mirror in a test does it themselves.
        world.set("SYNC_INTERVAL", "off");
        let (crew, search) = (world.old_team("Crew"), world.old_team("Search"));
        for login in MATCHED {
            let address = format!("{login}@acme.test");
            world.sentry.add_member(NewMember::new(&address));
            let person = world.github.add_person(GithubUser::new(login).verified(&address));
            world.github.join(crew, person);
            world.github.join(search, person);
        }
        world.sentry.add_team("crew", "Crew");
        let mark = world.sentry.wire.mark();
        Self { world, crew, mark }
    }

    /// Somebody in the team `crew` whom Sentry does not know.
    fn with_newcomer(self) -> Self {
        let zoe = self.world.github.add_person(GithubUser::new("zoe").verified("zoe@acme.test"));
        self.world.github.join(self.crew, zoe);
        self
    }

    fn started(mut self) -> Self {
        self.world.start();
        self
    }

    /// So many comparisons were made by this process.
    fn compared(&mut self, n: usize) {
        self.world.service_mut().wait_for_lines("info reconcile: ", n);
    }

    /// The one hold, which stops everything. Nothing was written, and nothing is about to be.
    #[track_caller]
    fn held(&self) -> Value {
        let hold = self.world.only_hold();
        self.world.wait_for_rest();
        assert_eq!(self.world.writes_since(self.mark), [""; 0], "{}", self.world.service().text());
        assert_eq!(self.world.status()["teams"], 0, "nothing is bound");
        assert!(hold["rule"].as_str().is_some_and(|rule| rule.starts_with("SYNC_FIRST hold")), "{hold}");
        assert_eq!(hold["decision"], Value::Null);
        hold
    }

    /// What was printed at first can still be typed, and makes both sides the same.
    #[track_caller]
    fn approve(&self, name: &Value) {
        let (code, out, err) = self.world.command(&["approve", name.as_str().expect("a name")]);
        assert_eq!(code, 0, "{out}{err}");
        self.world.wait_until("mirrored", || self.world.differences().is_empty());
        self.world.wait_until("in sync", || self.world.command(&["sync"]).0 == 0);
    }
}

#[test]
fn the_next_intervals_change_nothing() {
    let mut waiting = Waiting::new(Truth::Github);
    waiting.world.set("SYNC_INTERVAL", "1s");
    let mut waiting = waiting.started();
    let name = waiting.held()["name"].clone();
    waiting.compared(4);
    assert_eq!(waiting.held()["name"], name);
    waiting.approve(&name);
}

#[test]
fn a_user_map_changes_nothing_at_the_start_nor_when_it_is_another() {
    let mut waiting = Waiting::new(Truth::Github).with_newcomer();
    let map = waiting.world.dir.0.join("people.csv");
    fs::write(&map, "ana,ana@acme.test\n").expect("a map");
    waiting.world.set("SYNC_USER_MAP", map.to_str().expect("a plain path"));
    let mut waiting = waiting.started();
    let name = waiting.held()["name"].clone();
    waiting.compared(2);
    fs::write(&map, "ana,ana@acme.test\nzoe,olive@acme.test\n").expect("a map");
    waiting.compared(3);
    assert_eq!(waiting.held()["name"], name);
    fs::write(&map, "ana,ana@acme.test\n").expect("a map");
    waiting.compared(4);
    waiting.world.sentry.add_member("zoe@acme.test");
    waiting.approve(&name);
}

#[test]
fn a_reload_changes_nothing() {
    let mut waiting = Waiting::new(Truth::Github);
    let teams = in_file(&mut waiting.world, "SYNC_TEAMS", "*");
    let mut waiting = waiting.started();
    let name = waiting.held()["name"].clone();
    waiting.compared(1);
    fs::write(teams, "*\n!nobody\n").expect("a file");
    reload(&waiting.world, "done");
    waiting.compared(2);
    assert_eq!(waiting.held()["name"], name);
    waiting.approve(&name);
}

/// The comparison that carries it out fails at first. `SYNC_INTERVAL` is off, so no other one comes by itself.
#[test]
fn what_was_approved_is_done_although_sentry_cannot_be_read_just_then() {
    let waiting = Waiting::new(Truth::Github).started();
    let name = waiting.held()["name"].clone();
    let world = &waiting.world;
    world.sentry.wire.script(Rule::new("GET /organizations/{org}/teams/", Fault::Status(503)).always());
    assert_eq!(world.command(&["approve", name.as_str().expect("a name")]).0, 0);
    world.wait_until("the comparison has failed", || world.service().text().contains("interval: "));
    world.sentry.wire.clear_faults();
    world.wait_within(Duration::from_secs(90), "carried out", || {
        world.members("search").is_some_and(|members| members.len() == MATCHED.len())
    });
}

#[test]
fn a_restart_changes_nothing() {
    let mut waiting = Waiting::new(Truth::Github).started();
    let name = waiting.held()["name"].clone();
    waiting.compared(1);
    waiting.world.crash_and_restart();
    waiting.compared(1);
    assert_eq!(waiting.held()["name"], name);
    waiting.world.take_service().stop("-TERM");
    waiting.world.start();
    waiting.compared(1);
    assert_eq!(waiting.held()["name"], name);
    waiting.approve(&name);
}

/// A team that a delivery has brought in is bound, so that the state directory is not empty at the restart.
#[test]
fn a_restart_after_a_delivery_lets_only_that_delivery_through() {
    let mut waiting = Waiting::new(Truth::Github).started();
    waiting.held();
    let (late, created) = waiting.world.github.create_team("Late", waiting.world.olive);
    waiting.world.settle(&created);
    waiting.world.take_service().stop("-TERM");
    waiting.world.start();
    waiting.compared(1);
    let hold = waiting.world.only_hold();
    waiting.world.wait_for_rest();
    assert_eq!(waiting.world.members("crew"), Some(vec![]), "{hold}");
    assert_eq!(waiting.world.members("search"), None, "{hold}");
    // Unheard, in a team that follows already: that waits for the first comparison too.
    let ana = waiting.world.github.user_id("ana").expect("ana");
    waiting.world.github.join(late, ana);
    // Not by a crash: a delivery whose end was not on disk yet would be worked on again.
    waiting.world.take_service().stop("-TERM");
    waiting.world.start();
    waiting.compared(1);
    waiting.world.wait_for_rest();
    assert_eq!(waiting.world.members("late"), Some(vec!["olive@acme.test".into()]));
    waiting.approve(&hold["name"]);
    waiting.world.wait_for_members("late", &["ana"]);
}

#[test]
fn somebody_who_was_waited_for_is_not_added_by_themselves() {
    let mut waiting = Waiting::new(Truth::Github).with_newcomer();
    waiting.world.set("SYNC_INTERVAL", "1s");
    let mut waiting = waiting.started();
    waiting.held();
    // A delivery binds the team and has zoe waited for.
    let ana = waiting.world.github.user_id("ana").expect("ana");
    waiting.world.settle(&waiting.world.github.remove_member(waiting.crew, ana));
    let zoe = waiting.world.github.user_id("zoe").expect("zoe");
    waiting.world.settle(&waiting.world.github.add_member(waiting.crew, zoe));
    waiting.world.wait_until("waited for", || waiting.world.status()["wanted"] == 1);
    waiting.world.wait_for_rest();
    let before = waiting.world.members("crew").expect("the team");
    waiting.world.sentry.add_member("zoe@acme.test");
    let comparisons = waiting.world.service().text().matches("info reconcile: ").count();
    waiting.compared(comparisons + 3);
    waiting.world.wait_for_rest();
    assert_eq!(waiting.world.members("crew"), Some(before));
    let name = waiting.world.only_hold()["name"].clone();
    waiting.approve(&name);
    assert!(waiting.world.members("crew").expect("the team").contains(&"zoe@acme.test".to_string()));
}

#[test]
fn nobody_is_invited() {
    let mut waiting = Waiting::new(Truth::Github).with_newcomer();
    waiting.world.set("SYNC_INTERVAL", "1s");
    waiting.world.set("SYNC_INVITE", "member");
    let mut waiting = waiting.started();
    waiting.compared(3);
    waiting.held();
}

/// A token that learns to read members brings the first comparison of all, however long the mirror has followed.
#[test]
fn a_mode_that_changes_makes_the_first_comparison_one_hold() {
    let mut waiting = Waiting::new(Truth::Deliveries);
    let token = waiting.world.github_token.clone();
    let file = in_file(&mut waiting.world, "GH_TOKEN", &token);
    let mut waiting = waiting.started();
    waiting.world.wait_until("the mode is known", || waiting.world.status()["mode"] == "payload");
    let (_, created) = waiting.world.github.create_team("Late", waiting.world.olive);
    waiting.world.settle(&created);
    waiting.world.wait_for_rest();
    waiting.mark = waiting.world.sentry.wire.mark();
    let reads = GithubToken::members_read(waiting.world.olive);
    fs::write(file, waiting.world.github.add_token(reads)).expect("a token");
    reload(&waiting.world, "done");
    waiting.world.wait_until("the mode is another", || waiting.world.status()["mode"] == "read");
    waiting.compared(1);
    let hold = waiting.world.only_hold();
    waiting.world.wait_for_rest();
    assert_eq!(waiting.world.writes_since(waiting.mark), [""; 0], "{hold}");
    waiting.approve(&hold["name"]);
}

#[test]
fn refusing_it_lets_nothing_begin_either() {
    let mut waiting = Waiting::new(Truth::Github);
    waiting.world.set("SYNC_INTERVAL", "1s");
    let mut waiting = waiting.started();
    let name = waiting.held()["name"].clone();
    assert_eq!(waiting.world.command(&["reject", name.as_str().expect("a name")]).0, 0);
    let comparisons = waiting.world.service().text().matches("reconcile: ").count();
    waiting.world.service_mut().wait_for_lines("reconcile: ", comparisons + 3);
    waiting.world.crash_and_restart();
    waiting.world.service_mut().wait_for_lines("reconcile: ", 2);
    waiting.world.wait_for_rest();
    assert_eq!(waiting.world.writes_since(waiting.mark), [""; 0]);
    // What a delivery asks for is done.
    let (_, created) = waiting.world.github.create_team("Late", waiting.world.olive);
    waiting.world.settle(&created);
    assert!(waiting.world.members("late").is_some());
}
