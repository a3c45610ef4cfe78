//! SIGHUP: what is taken over without a restart, and what a reload with a fault leaves as it was.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::standin::{original_permissions, GithubToken, Sender};
use crate::world::{Truth, World, PATIENCE, SECRET};

/// A file below the world's folder that a variable names instead of a value.
pub fn in_file(world: &mut World, var: &str, value: &str) -> PathBuf {
    let path = world.dir.0.join(var.to_ascii_lowercase());
    fs::write(&path, value).unwrap();
    world.env.remove(var);
    world.set(&format!("{var}_FILE"), path.to_str().unwrap());
    path
}

/// Sends SIGHUP, and waits until it was dealt with.
pub fn reload(world: &World, result: &str) {
    let count = || {
        let (_, metrics) = world.get_admin("/metrics");
        let name = format!("sync_reloads_total{{result=\"{result}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap()
    };
    let before = count();
    let pid = world.service().pid().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    world.wait_until("the reload is over", || count() > before);
}

/// Sends a delivery signed with a secret; what is answered.
fn send_with(world: &World, secret: &str) -> u16 {
    let name = format!("Probe {}", world.github.teams().len());
    let mut sender = Sender::new(&format!("{}/github", world.service().url), secret);
    sender.send(&world.github.create_team(name.as_str(), world.olive).1.remove(0)).unwrap().status
}

#[test]
fn another_webhook_secret_is_taken_over_and_the_one_of_before_as_long_as_it_is_the_previous() {
    let mut world = World::new(Truth::Deliveries);
    let current = in_file(&mut world, "GH_WEBHOOK_TOKEN", SECRET);
    let previous = in_file(&mut world, "GH_WEBHOOK_TOKEN_PREVIOUS", "older");
    world.start();
    assert_eq!((send_with(&world, SECRET), send_with(&world, "newer")), (202, 401));
    fs::write(&previous, SECRET).unwrap();
    fs::write(&current, "newer\n").unwrap();
    assert_eq!(send_with(&world, "newer"), 401, "nothing changes without a signal");
    reload(&world, "done");
    assert_eq!((send_with(&world, SECRET), send_with(&world, "newer")), (202, 202));
    assert_eq!(send_with(&world, "older"), 401);
    fs::write(&previous, "newer").unwrap();
    reload(&world, "done");
    assert_eq!((send_with(&world, SECRET), send_with(&world, "newer")), (401, 202));
    assert!(world.service().text().contains("reloaded: GH_WEBHOOK_TOKEN"));
    assert!(!world.service().text().contains("newer"), "a secret is not told");
}

#[test]
fn a_reload_with_a_fault_changes_nothing_and_says_so_everywhere_until_one_succeeds() {
    let mut world = World::new(Truth::Deliveries);
    let secret = in_file(&mut world, "GH_WEBHOOK_TOKEN", SECRET);
    let teams = in_file(&mut world, "SYNC_TEAMS", "*");
    world.start();
    world.wait_until("it is ready", || world.get_admin("/readyz").0 == 200);
    fs::write(&secret, "").unwrap();
    fs::write(&teams, "# all\n").unwrap();
    reload(&world, "failed");
    assert_eq!(send_with(&world, SECRET), 202);
    let log = world.service().text();
    assert!(
        log.contains("error reload failed, keeping the previous settings: the configuration has 2 faults"),
        "{log}"
    );
    let (code, ready) = world.get_admin("/readyz");
    assert_eq!(code, 200, "the mirror works: {ready}");
    assert!(ready.contains("the reload of ") && ready.contains("gh_webhook_token` is empty"), "{ready}");
    assert!(world.get_admin("/metrics").1.contains("\nsync_reload_failed 1\n"));
    let (_, text, _) = world.command(&["status", "-v"]);
    assert!(text.contains("\nwarning: the reload of ") && text.contains("which holds no entry"), "{text}");
    fs::write(&secret, SECRET).unwrap();
    fs::write(&teams, "*\n").unwrap();
    reload(&world, "done");
    assert!(world.service().text().contains("reloaded: no changes"));
    assert!(world.get_admin("/metrics").1.contains("\nsync_reload_failed 0\n"));
    assert!(!world.get_admin("/readyz").1.contains("warnings"));
}

#[test]
fn a_new_sentry_token_ends_the_pause_of_a_revoked_one() {
    let mut world = World::new(Truth::Deliveries);
    let token = world.sentry_token.clone();
    let file = in_file(&mut world, "SENTRY_TOKEN", &token);
    world.start();
    world.wait_until("it is ready", || world.get_admin("/readyz").0 == 200);
    world.sentry.revoke(&token);
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("the token is refused", || world.get_admin("/readyz").0 == 503);
    fs::write(&file, world.sentry.add_token(original_permissions())).unwrap();
    reload(&world, "done");
    // The delivery has met the refusal itself, and by itself it would be tried after a minute.
    world.wait_within(PATIENCE / 2, "the team is made", || world.members("crew").is_some());
    assert_eq!(world.get_admin("/readyz").0, 200);
    assert!(world.service().text().contains("reloaded: SENTRY_TOKEN"));
}

#[test]
fn another_github_token_has_its_mode_found_out_anew_and_what_was_missed_is_compared() {
    let mut world = World::new(Truth::Deliveries);
    let ana = world.person("ana");
    let token = world.github_token.clone();
    let file = in_file(&mut world, "GH_TOKEN", &token);
    world.set("SYNC_FIRST", "apply");
    world.start();
    world.wait_until("the mode is known", || world.status()["mode"] == "payload");
    let (crew, _) = world.github.create_team("Crew", world.olive);
    world.github.add_member(crew, ana);
    fs::write(&file, world.github.add_token(GithubToken::members_read(world.olive))).unwrap();
    reload(&world, "done");
    world.wait_until("the mode is another", || world.status()["mode"] == "read");
    world.wait_until("what no delivery told is there", || {
        world.members("crew").is_some_and(|members| members.contains(&"ana@acme.test".to_string()))
    });
}

#[test]
fn another_github_token_that_may_do_less_is_no_lost_permission() {
    let mut world = World::new(Truth::Github);
    let token = world.github_token.clone();
    let file = in_file(&mut world, "GH_TOKEN", &token);
    world.start();
    world.wait_until("the mode is known", || world.status()["mode"] == "read");
    fs::write(&file, world.github.add_token(GithubToken::no_permission(world.olive))).unwrap();
    reload(&world, "done");
    world.wait_until("the mode is another", || world.status()["mode"] == "payload");
    let (_, created) = world.github.create_team("Crew", world.olive);
    world.send(&created);
    world.wait_until("the team is made", || world.members("crew").is_some());
    assert_eq!(world.get_admin("/readyz").0, 200);
}

#[test]
fn a_team_that_another_filter_leaves_out_is_dormant_and_one_that_it_lets_in_is_mirrored() {
    let mut world = World::new(Truth::Github);
    let ana = world.person("ana");
    let file = in_file(&mut world, "SYNC_TEAMS", "crew");
    world.set("SYNC_FIRST", "apply");
    world.start();
    let (crew, created) = world.github.create_team("Crew", world.olive);
    let (_, search) = world.github.create_team("Search", world.olive);
    world.send(&created);
    world.send(&search);
    world.wait_until("the team is made", || world.members("crew").is_some());
    world.wait_for_rest();
    assert!(world.members("search").is_none());
    fs::write(&file, "# not the crew any more\n!crew\n").unwrap();
    reload(&world, "done");
    world.wait_until("the other team is made", || world.members("search").is_some());
    world.send(&world.github.add_member(crew, ana));
    world.wait_for_rest();
    assert_eq!(world.members("crew"), Some(vec!["olive@acme.test".into()]), "nothing is written to it");
}
