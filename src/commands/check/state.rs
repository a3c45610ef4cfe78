//! The state directory: whether the service can keep what it promises to keep, and what waits in it.

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
/// Less free space than this is soon none: a snapshot is written beside the old one.
const LITTLE: u64 = 64 << 20;
/// Less than this, and deliveries are about to be refused.
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
    findings.extend(ready(patient));
    findings
}

fn not_there(dir: &Path) -> Finding {
    let shown = dir.display();
    let there = dir.ancestors().skip(1).find(|path| path.as_os_str().is_empty() || path.exists());
    let there = there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => AREA.ok(format!("no service has run yet: `{shown}` is not there, and `serve` makes it")),
        Err(why) => AREA.failed(
            format!("`{shown}` is not there, and this user may not make it in `{}`: {why}", there.display()),
            "name a folder that this user may write to in SYNC_STATE_DIR, or check as the service's user",
        ),
    }
}

fn runs(patient: &Patient, dir: &Path) -> Finding {
    let shown = dir.display();
    AREA.ok(match patient.service {
        Some(_) => format!("a service runs on `{shown}`"),
        None => format!("no service runs on `{shown}`: this command's own variables are checked"),
    })
}

fn folder(patient: &Patient, dir: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let shown = dir.display();
    if let Err(why) = rustix::fs::access(dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        let fix = "give the folder to the service's user, or check as that user or root";
        findings.push(AREA.failed(format!("`{shown}` can not be written to by this user: {why}"), fix));
    }
    let Ok(meta) = dir.metadata() else { return findings };
    let (mode, own) = (meta.mode() & 0o777, meta.uid() == geteuid().as_raw());
    if mode & 0o077 != 0 {
        let what = format!("`{shown}` is open to others than its owner (mode {mode:04o})");
        findings.push(AREA.warning(what, patient.typed(false, "chmod 0700", dir)));
    } else {
        findings.push(AREA.ok(format!("its mode is {mode:04o}, its owner is user {}", meta.uid())));
    }
    if patient.service.is_some() && !own {
        let what = format!("`{shown}` belongs to user {}, and the service runs as another", meta.uid());
        let owner = format!("{}:{}", geteuid().as_raw(), getegid().as_raw());
        let fix = patient.typed(true, &format!("chown -R {owner}"), dir);
        findings.push(
            AREA.warning(what, format!("give the folder and what is in it to the service's user: {fix}")),
        );
    }
    findings
}

fn space(dir: &Path) -> Option<Finding> {
    let free = Machine.space(dir).ok()?.free;
    let what = format!("{} MiB are free on its disk", free >> 20);
    let fix = "make room on the disk of the state directory";
    Some(match free {
        0..NONE => AREA.failed(format!("{what}: deliveries can not be stored"), fix),
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
        let fix = "what verified was taken; look for a bad disk, then remove them";
        findings.push(AREA.warning(format!("{n} kept aside in the journal: {names}"), fix));
    }
    findings
}

fn waits(known: &Known, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let queued = counted(known.n_queued, "queued delivery", "queued deliveries");
    match known.oldest.map(|at| (at, now.since(at))) {
        Some((at, age)) if age > STUCK => findings.push(AREA.warning(
            format!("{queued}, the oldest waits for {} (since {at})", short(age)),
            "mend what else is told here: they go on by themselves; `sentry-team-sync status` says why they wait",
        )),
        _ => findings.push(AREA.ok(queued)),
    }
    if known.n_failed > 0 {
        let what = counted(known.n_failed, "delivery could not", "deliveries could not");
        let fix = "`sentry-team-sync status` says why; mend it, then `sentry-team-sync replay --failed`";
        findings.push(AREA.warning(format!("{what} be carried out"), fix));
    }
    let n_undecided = known.state.holds.iter().filter(|hold| hold.decision.is_none()).count();
    if n_undecided > 0 {
        let what = format!("{} for a decision", counted(n_undecided, "hold waits", "holds wait"));
        let fix = "`sentry-team-sync status` lists them, `approve` or `reject` decides";
        findings.push(AREA.warning(what, fix));
    }
    if let Some(pause) = &known.state.paused {
        findings.push(AREA.warning(pause.to_string(), "`sentry-team-sync resume` allows them again"));
    }
    if let Some(at) = known.state.damaged {
        let what = format!("the journal was damaged at {at}: every removal and deletion is held");
        findings.push(AREA.warning(what, "compare with `sentry-team-sync sync`, then approve what is right"));
    }
    findings
}

/// What the service itself says of its readiness; the cause of most is told in its own area.
fn ready(patient: &Patient) -> Vec<Finding> {
    let Some(status) = patient.service.map(Observer::status) else { return Vec::new() };
    if status.ready {
        return vec![AREA.ok("the service is ready")];
    }
    let fix = "what is told here of its cause says what to do; the service tries again by itself";
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
        let late = "2 queued deliveries, the oldest waits for 3h (since 2026-11-25T09:00:00Z)";
        assert_eq!(level(180), (Level::Warning, late.into()));
    }
}
