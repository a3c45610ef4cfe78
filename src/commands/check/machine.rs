//! The machine: certificate authorities, proxies, and the unit that runs the service.

use std::time::Duration;

use super::finding::{Area, Finding};
use super::patient::Patient;
use crate::clock::short;
use crate::config::values;

const AREA: Area = Area::Machine;

/// `url` is the public address to send a ping to.
pub(super) fn look(patient: &Patient, url: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Empty means that a fault in authorities or proxy has been reported, and neither is in use.
    if !patient.around.authorities.is_empty() {
        findings.push(AREA.ok(format!("certificate authorities: {}", patient.around.authorities)));
        findings.extend(proxies(patient, url));
    }
    if patient.service.is_some() {
        findings.extend(unit(patient));
    }
    findings
}

fn proxies(patient: &Patient, url: Option<&str>) -> Vec<Finding> {
    let (settings, proxies) = (patient.settings, &patient.around.proxies);
    if !proxies.is_set() {
        return vec![AREA.ok("no proxy is used")];
    }
    let url = url.and_then(|url| values::base_url(url).ok());
    let hosts = [
        ("GitHub", Some(&settings.github_url)),
        ("Sentry", Some(&settings.sentry_url)),
        ("--url", url.as_ref()),
    ];
    let hosts = hosts.into_iter().filter_map(|(name, base)| Some((name, base?)));
    let mut findings: Vec<_> = hosts
        .map(|(name, base)| AREA.ok(format!("{name} ({}) {}", base.host(), proxies.route(base))))
        .collect();
    let fix = "write names, addresses or networks, separated by commas: .example.com,10.0.0.0/8";
    findings.extend(proxies.odd().map(|odd| AREA.warning(odd, fix)));
    findings
}

fn unit(patient: &Patient) -> Vec<Finding> {
    let env = &patient.around.env;
    // A shell that some unit has started also has an INVOCATION_ID, and passes it on.
    let own = env.get("SYSTEMD_EXEC_PID").is_some_and(|pid| pid.parse() == Ok(std::process::id()));
    if !(env.contains_key("NOTIFY_SOCKET") || own && env.contains_key("INVOCATION_ID")) {
        let what = "the service does not run under systemd, so nothing restarts it if it stops";
        return vec![AREA.note(what), user()];
    }
    let credentials =
        if env.contains_key("CREDENTIALS_DIRECTORY") { "with credentials" } else { "without credentials" };
    let watched = match patient.around.watchdog {
        Some(half) => format!("watchdog every {}", short(half.saturating_mul(2).max(Duration::from_secs(1)))),
        None => "no watchdog".into(),
    };
    vec![AREA.ok(format!("the service runs under systemd, {credentials}, {watched}")), user(), sandbox()]
}

fn user() -> Finding {
    if rustix::process::geteuid().is_root() {
        let fix = "run it as its own user, as the unit does with DynamicUser=yes";
        return AREA.warning("the service runs as root, which it does not need", fix);
    }
    AREA.ok(format!("the service runs as user {}", rustix::process::geteuid().as_raw()))
}

/// Reports whether the kernel confines this process as the unit asks for.
fn sandbox() -> Finding {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let has = |name: &str, value: &str| {
        status.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim() == value))
    };
    match (has("NoNewPrivs:", "1"), has("Seccomp:", "2")) {
        (true, true) => AREA.ok("the sandbox is on: no new privileges, filtered system calls"),
        _ => AREA.warning(
            "the sandbox of the unit is off or incomplete",
            "install systemd/sentry-team-sync.service unchanged, and put your changes into a drop-in",
        ),
    }
}
