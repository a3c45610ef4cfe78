//! The configuration: its faults, where each secret comes from, and who else can read its file. It shows no secret.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::{Area, Finding};
use super::patient::Patient;
use super::{github, sentry};
use crate::config::secret::Secret;
use crate::config::values::Listen;
use crate::config::Origin;
use crate::identity::search;
use crate::reconcile::unused;
use crate::state::address::Address;
use crate::state::ids::SentrySlug;

const AREA: Area = Area::Configuration;
/// Permissions of users other than owner and group. Group bits of a systemd credential are the mask of its access list.
const OTHERS: u32 = 0o007;

/// Anybody who guesses the secret can send deliveries. Guessing one with fewer characters than this takes only days.
const SHORT: usize = 16;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let faults = patient.faults.iter().map(|fault| AREA.failed(&fault.what, &fault.fix));
    let mut findings: Vec<_> = faults.collect();
    if let Some(fault) = patient.service.and_then(|service| service.mirror().reloads.fault()) {
        let sudo = if patient.around.reader.needs_sudo() { "sudo " } else { "" };
        let fix = format!("correct it, then reload: `{sudo}kill -HUP {}`", std::process::id());
        findings.push(AREA.failed(fault, fix));
    }
    for (var, origin) in &patient.around.origins {
        findings.push(secret(patient, var, origin));
    }
    let is_short = |secret: &Secret| secret.expose().chars().count() < SHORT;
    if patient.around.webhook_secrets.first().is_some_and(is_short) {
        let what = format!("the webhook's secret has fewer than {SHORT} characters and can be guessed");
        findings.push(AREA.warning(what, "make a new one with `openssl rand -hex 32` and rotate to it"));
    }
    if !patient.settings.sentry_org.is_empty() {
        findings.push(AREA.ok(format!("SENTRY_ORG_SLUG is `{}`", patient.settings.sentry_org)));
    }
    for unknown in &patient.around.unknown {
        let fix = "correct its name or remove it; `sentry-team-sync --help settings` lists all variables";
        findings.push(AREA.warning(unknown.told(), fix));
    }
    let warnings = patient.around.warnings.iter();
    findings.extend(warnings.map(|warning| AREA.warning(&warning.what, &warning.fix)));
    if matches!(&patient.settings.listen, Listen::Tcp(addr) if !addr.ip().is_loopback()) {
        let what = format!(
            "SYNC_LISTEN `{}` can be reached from other machines without TLS",
            patient.settings.listen
        );
        findings.push(AREA.warning(what, "listen on 127.0.0.1, with nginx or Caddy in front"));
    }
    findings
}

/// Entries of `SYNC_PROTECT` and `SYNC_TEAMS` that match nothing, as far as both sides could be read.
pub(super) fn unused(patient: &Patient, github: &github::Seen, sentry: &sentry::Seen) -> Vec<Finding> {
    let settings = patient.settings;
    let mut all = Vec::new();
    if let (Some(members), Some(client)) = (&sentry.members, &patient.sentry) {
        let has_team = |slug: &SentrySlug| !matches!(client.team(slug), Ok(None));
        let is_found = |address: &Address| {
            let batches = search::batches(&BTreeSet::from([address.clone()]));
            // A failed search does not prove that nobody has the address.
            batches.iter().any(|batch| !client.members_with(batch).is_ok_and(|hits| hits.is_empty()))
        };
        let has_member = |address: &Address| unused::is_shown(members, address) || is_found(address);
        all.extend(unused::of_protect(settings, has_member, has_team));
    }
    if let Some(read) = &github.snapshot {
        let teams: Vec<_> = read.teams.iter().map(|team| &team.facts.slug).collect();
        all.extend(unused::of_teams(settings, &teams));
    }
    let fix = "correct the entry or remove it";
    all.iter().map(|one| AREA.warning(one.told(), fix)).collect()
}

fn secret(patient: &Patient, var: &str, origin: &Origin) -> Finding {
    match origin {
        Origin::Variable => AREA.ok(format!("{var} is set by its variable")),
        Origin::File(path) => file(patient, var, "file", path),
        Origin::Credential(path) => file(patient, var, "systemd credential", path),
    }
}

fn file(patient: &Patient, var: &str, kind: &str, path: &Path) -> Finding {
    let shown = path.display();
    let what = format!("{var} is set by the {kind} `{shown}`");
    // The secret has been read already. A file that is gone by now matters only at the next start.
    let mode = path.metadata().map(|meta| meta.mode() & 0o777).unwrap_or(0);
    match mode & OTHERS {
        0 => AREA.ok(what),
        _ => AREA.warning(
            format!("{what}, which everyone on this machine can read (mode {mode:04o})"),
            format!("run {}", patient.typed(false, "chmod 0600", path)),
        ),
    }
}
