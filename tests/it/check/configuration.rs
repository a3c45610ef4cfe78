//! Faults, origins and file modes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{alone, healthy, Checked};
use crate::reload::{in_file, reload};
use crate::world::World;

fn secret_file(world: &mut World, var: &str, mode: u32) -> PathBuf {
    let path = world.dir.0.join(var.to_ascii_lowercase());
    let value = world.env.remove(var).expect("set");
    fs::write(&path, value + "\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn every_fault_is_told_at_once_and_what_does_not_need_it_is_still_checked() {
    let mut world = healthy();
    world.env.remove("GH_TOKEN");
    world.env.remove("GH_WEBHOOK_TOKEN");
    world.set("SYNC_WORKERS", "many");
    let checked = alone(&world);
    assert_eq!(checked.exit, 64);
    let faults: Vec<_> = checked.all("configuration").into_iter().filter(|f| f.level == "failed").collect();
    assert_eq!(faults.len(), 3, "{faults:?}");
    checked
        .one("configuration", "GH_TOKEN is not set")
        .must("failed", &["GH_TOKEN_FILE", "systemd credential"]);
    checked.one("configuration", "GH_WEBHOOK_TOKEN is not set").must("failed", &["GitHub's webhook form"]);
    checked.one("configuration", "SYNC_WORKERS").must("failed", &["default: 4"]);
    checked.one("github", "GitHub was not asked").must("warning", &["settings"]);
    assert_eq!(world.github.wire.n_calls(), 0);
    checked.one("sentry", "SENTRY_TOKEN has every scope").must("ok", &[]);
}

#[test]
fn a_token_never_goes_to_a_default_address_in_place_of_a_wrong_one() {
    for (var, area, wire) in [("GH_API_URL", "github", 0), ("SENTRY_URL", "sentry", 1)] {
        let mut world = healthy();
        world.set(var, "http://not-this-machine.test");
        let checked = alone(&world);
        assert_eq!(checked.exit, 64);
        checked.one("configuration", var).must("failed", &[]);
        checked.one(area, "was not asked").must("warning", &[]);
        let wires = [&world.github.wire, &world.sentry.wire];
        assert_eq!(wires[wire].n_calls(), 0, "{var}");
        assert!(wires[1 - wire].n_calls() > 0, "{var}: the other side is checked");
    }
}

#[test]
fn where_each_secret_comes_from_is_told_and_never_what_it_is() {
    let mut world = healthy();
    let file = secret_file(&mut world, "GH_TOKEN", 0o600);
    world.set("GH_TOKEN_FILE", file.to_str().unwrap());
    secret_file(&mut world, "SENTRY_TOKEN", 0o400);
    world.set("CREDENTIALS_DIRECTORY", &world.dir.0.display().to_string());
    let checked = alone(&world);
    checked
        .one("configuration", &format!("GH_TOKEN is set by the file `{}`", file.display()))
        .must("ok", &[]);
    checked.one("configuration", "SENTRY_TOKEN is set by the systemd credential `").must("ok", &[]);
    checked.one("configuration", "GH_WEBHOOK_TOKEN is set by its variable").must("ok", &[]);
    assert_eq!(checked.exit, 0);
}

#[test]
fn a_file_that_others_may_read_is_warned_of() {
    let mut world = healthy();
    let file = secret_file(&mut world, "SENTRY_TOKEN", 0o644);
    world.set("SENTRY_TOKEN_FILE", file.to_str().unwrap());
    let checked = alone(&world);
    let fix = format!("chmod 0600 {}", file.display());
    checked.one("configuration", "everyone on this machine can read (mode 0644)").must("warning", &[&fix]);
    assert_eq!(checked.exit, 0);
}

#[test]
fn unknown_variables_and_an_open_listener_are_warned_of() {
    let mut world = healthy();
    world.set("SYNC_INTERVALL", "1h");
    world.set("SYNC_LISTEN", "0.0.0.0:8080");
    let checked = alone(&world);
    checked.one("configuration", "the variable SYNC_INTERVALL is not known").must("warning", &["--help"]);
    checked
        .one("configuration", "`0.0.0.0:8080` can be reached from other machines")
        .must("warning", &["nginx or Caddy"]);
}

#[test]
fn a_proxy_or_authorities_that_can_not_be_read_are_a_fault() {
    for (var, says) in [("HTTPS_PROXY", "the proxy variable HTTPS_PROXY"), ("SSL_CERT_FILE", "SSL_CERT_FILE")]
    {
        let mut world = healthy();
        // Authorities are read only for hosts beyond this machine.
        world.set("GH_API_URL", "https://github.test/api/v3");
        world.set(var, "nonsense://a b");
        let checked = alone(&world);
        checked.one("machine", says).must("failed", &["unset"]);
        assert_eq!(checked.exit, 64, "{:#}", checked.report);
    }
}

#[test]
fn an_address_for_the_ping_that_is_neither_https_nor_local_is_wrong_usage() {
    let world = healthy();
    for url in
        ["http://hooks.example.com/github", "hooks.example.com", "https://me:secret@hooks.example.com/"]
    {
        let (exit, out, err) = world.alone(&["check", "--url", url]);
        assert_eq!((exit, out.as_str()), (64, ""), "{url}");
        assert!(
            err.starts_with("error: --url ") && err.contains("\n  fix: give the webhook's Payload URL"),
            "{err}"
        );
    }
}

#[test]
fn a_wrong_setting_of_the_command_does_not_keep_the_service_from_looking() {
    let mut world = healthy();
    world.start();
    world.wait_until("ready", || world.get_admin("/readyz").0 == 200);
    let env = world.env.clone();
    let only = ["SYNC_STATE_DIR"].map(|name| (name.to_string(), env[name].clone()));
    world.env = only.into();
    world.set("SYNC_WORKERS", "many");
    let checked = Checked::read(world.alone(&["check", "--json"]));
    assert_eq!((checked.exit, &checked.report["by_service"]), (0, &true.into()));
}

#[test]
fn a_service_checks_with_what_a_reload_took_over_and_tells_one_that_failed() {
    let mut world = healthy();
    let secret = in_file(&mut world, "GH_WEBHOOK_TOKEN", "older");
    world.start();
    fs::write(&secret, "newer").unwrap();
    reload(&world, "done");
    let url = format!("{}/github", world.service().url);
    let check = |world: &World| Checked::read(world.command(&["check", "--json", "--url", &url]));
    check(&world).one("url", "200 pong").must("ok", &[]);
    fs::write(&secret, "").unwrap();
    reload(&world, "failed");
    let checked = check(&world);
    checked.one("configuration", "the reload of").must("failed", &["kill -HUP"]);
    checked.one("url", "200 pong").must("ok", &[]);
}

#[test]
fn the_proxy_is_told_without_its_password() {
    let mut world = healthy();
    world.set("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:3128");
    let checked = alone(&world);
    checked
        .one("machine", "GitHub (127.0.0.1) is this machine itself and reached without the proxy")
        .must("ok", &[]);
    world.set("GH_API_URL", "https://ghe.corp.test/api/v3");
    let checked = alone(&world);
    checked
        .one("machine", "GitHub (ghe.corp.test) is reached through the proxy 127.0.0.1:3128 (HTTPS_PROXY)")
        .must("ok", &[]);
    assert!(!checked.report.to_string().contains("hunter2"));
}
