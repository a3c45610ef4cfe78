//! The state directory: whether the service can store what it must keep, and what is queued or on hold in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::Access;
use rustix::process::{getegid, geteuid};

use super::finding::{Area, Finding};
use super::patient::{Known, Patient};
use crate::clock::{short, Timestamp};
use crate::state::record::FORMAT;
use crate::status::{Observer, STUCK};
use crate::store::files::{Files, Machine};
use crate::text::counted;

const AREA: Area = Area::State;
/// Less free space than this is a warning: a new snapshot is written beside the old one.
const LITTLE: u64 = 64 << 20;
/// Less free space than this is a failure: the service is about to refuse deliveries.
const NONE: u64 = 8 << 20;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let dir = &patient.settings.state_dir;
    if !dir.exists() {
        return vec![not_there(dir)];
    }
    let mut findings = vec![runs(patient, dir)];
    findings.extend(folder(patient, dir));
    findings.extend(space(dir));
    findings.extend(files(dir));
    if let Some(known) = &patient.known {
        findings.extend(waits(known, patient.clock.wall()));
    }
    findings
}

fn not_there(dir: &Path) -> Finding {
    let shown = dir.display();
    let there = dir.ancestors().skip(1).find(|path| path.as_os_str().is_empty() || path.exists());
    let there = there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => AREA.ok(format!("no service has run yet: `{shown}` does not exist; `serve` creates it")),
        Err(why) => AREA.failed(
            format!("`{shown}` does not exist, and this user cannot create it in `{}`: {why}", there.display()),
            "set SYNC_STATE_DIR to a folder that this user can write to, or run this check as the service's user",
        ),
    }
}

fn runs(patient: &Patient, dir: &Path) -> Finding {
    let shown = dir.display();
    AREA.ok(match patient.service {
        Some(_) => format!("a service is running with `{shown}`"),
        None => format!("no service is running with `{shown}`, so this command's own settings were checked"),
    })
}

fn folder(patient: &Patient, dir: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let shown = dir.display();
    if let Err(why) = rustix::fs::access(dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        let fix = "give the folder to the service's user, or run this check as that user or root";
        findings.push(AREA.failed(format!("this user cannot write to `{shown}`: {why}"), fix));
    }
    let Ok(meta) = dir.metadata() else { return findings };
    let (mode, own) = (meta.mode() & 0o777, meta.uid() == geteuid().as_raw());
    if mode & 0o077 != 0 {
        let what = format!("others than its owner can access `{shown}` (mode {mode:04o})");
        findings.push(AREA.warning(what, format!("run {}", patient.typed(false, "chmod 0700", dir))));
    } else {
        findings.push(
            AREA.ok(format!("the state directory has mode {mode:04o} and belongs to user {}", meta.uid())),
        );
    }
    if patient.service.is_some() && !own {
        let what = format!("`{shown}` belongs to user {}, but the service runs as another user", meta.uid());
        let owner = format!("{}:{}", geteuid().as_raw(), getegid().as_raw());
        let fix = patient.typed(true, &format!("chown -R {owner}"), dir);
        findings.push(AREA.warning(what, format!("give it to the service's user: {fix}")));
    }
    findings
}

fn space(dir: &Path) -> Option<Finding> {
    let free = Machine.space(dir).ok()?.free;
    let what = format!("{} MiB are free on the state directory's disk", free >> 20);
    let fix = "free some space on that disk";
    Some(match free {
        0..NONE => AREA.failed(format!("{what}: deliveries cannot be stored"), fix),
        NONE..LITTLE => AREA.warning(what, fix),
        _ => AREA.ok(what),
    })
}

fn files(dir: &Path) -> Vec<Finding> {
    let entries = fs::read_dir(dir.join("journal")).into_iter().flatten().flatten();
    let (mut bytes, mut damaged) = (0, Vec::new());
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".damaged") {
            damaged.push(name);
        } else if name.ends_with(".log") || name.ends_with(".snap") {
            bytes += entry.metadata().map_or(0, |meta| meta.len());
        }
    }
    damaged.sort();
    let mut findings =
        vec![AREA.ok(format!("the journal has {} KiB, in format {FORMAT}", bytes.div_ceil(1024)))];
    if !damaged.is_empty() {
        let names = super::finding::some_of(damaged.iter().map(String::as_str));
        let n = counted(damaged.len(), "damaged file", "damaged files");
        let fix = "the intact part is in use; check the disk, then remove these files";
        findings.push(AREA.warning(format!("the journal has {n}, kept aside: {names}"), fix));
    }
    findings
}

fn waits(known: &Known, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let queued = counted(known.n_queued, "queued delivery", "queued deliveries");
    match known.oldest.map(|at| (at, now.since(at))) {
        Some((at, age)) if age > STUCK => findings.push(AREA.warning(
            format!("{queued}, the oldest for {} (since {at})", short(age)),
            "fix the problems above, then they continue; `sentry-team-sync status` shows why each is queued",
        )),
        _ => findings.push(AREA.ok(queued)),
    }
    if known.n_failed > 0 {
        let what = counted(known.n_failed, "delivery could not", "deliveries could not");
        let fix = "`sentry-team-sync status` shows why; fix it, then run `sentry-team-sync replay --failed`";
        findings.push(AREA.warning(format!("{what} be carried out"), fix));
    }
    let n_undecided = known.state.holds.iter().filter(|hold| hold.decision.is_none()).count();
    if n_undecided > 0 {
        let what = format!("{} your decision", counted(n_undecided, "hold needs", "holds need"));
        let fix = "`sentry-team-sync status` lists them; decide with `approve` or `reject`";
        findings.push(AREA.warning(what, fix));
    }
    if let Some(pause) = &known.state.paused {
        findings.push(AREA.warning(pause.to_string(), "`sentry-team-sync resume` allows them again"));
    }
    if let Some(at) = known.state.damaged {
        let what = format!("the journal was damaged at {at}: all removals and deletions are on hold");
        findings
            .push(AREA.warning(what, "read the plan of `sentry-team-sync sync`, then approve what is right"));
    }
    findings
}

/// Reports whether the service says it is ready; most causes have a finding in their own area. It must run last: once
/// both hosts have answered this check, a service that has just begun no longer lacks their first answers.
pub(super) fn ready(patient: &Patient) -> Vec<Finding> {
    let Some(status) = patient.service.map(Observer::status) else { return Vec::new() };
    if status.ready {
        return vec![AREA.ok("the service is ready")];
    }
    let fix = "fix the cause, which is shown here too; the service then tries again";
    status.reasons.iter().map(|why| AREA.failed(format!("the service is not ready: {why}"), fix)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::finding::Level;
    use crate::state::State;

    #[test]
    fn a_delivery_that_waits_for_more_than_an_hour_is_told() {
        let now = Timestamp::parse("2026-11-25T12:00:00Z").unwrap();
        let level = |minutes: u64| {
            let oldest = Some(now.before(std::time::Duration::from_secs(minutes * 60)));
            let known = Known { n_queued: 2, oldest, ..Known::of(&State::new(now)) };
            let finding = waits(&known, now).remove(0);
            (finding.level, finding.what)
        };
        assert_eq!(level(60), (Level::Ok, "2 queued deliveries".into()));
        let late = "2 queued deliveries, the oldest for 3h (since 2026-11-25T09:00:00Z)";
        assert_eq!(level(180), (Level::Warning, late.into()));
    }
}
