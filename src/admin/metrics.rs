//! `/metrics` in Prometheus' text format. No names of people or teams: only numbers, and labels from fixed sets.

use std::fmt::Write;

use crate::clock::Timestamp;
use crate::gate;
use crate::intake;
use crate::status::{count, Status};

/// All metrics, in a fixed order.
pub fn render(status: &Status, intake: &intake::Counts, gates: &[(&str, &gate::Counts)]) -> String {
    let mut out = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, samples: &[(String, f64)]| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    };
    let plain = |value: f64| vec![(String::new(), value)];
    let label = |name: &str, value: &str, n: f64| (format!("{{{name}=\"{value}\"}}"), n);
    metric(
        "sync_ready",
        "gauge",
        "1 if everything that should work does.",
        &plain(f64::from(u8::from(status.ready))),
    );
    let answers = [
        ("queued", &intake.queued),
        ("duplicate", &intake.duplicate),
        ("ignored", &intake.ignored),
        ("refused", &intake.refused),
        ("not_kept", &intake.not_kept),
    ];
    let samples: Vec<_> =
        answers.iter().map(|(answer, n)| label("answer", answer, count(n) as f64)).collect();
    metric("sync_deliveries_total", "counter", "Deliveries by what was answered.", &samples);
    let secrets = ["current", "previous"];
    let samples: Vec<_> = secrets
        .iter()
        .zip(&intake.signed)
        .map(|(secret, n)| label("secret", secret, count(n) as f64))
        .collect();
    metric("sync_signed_total", "counter", "Signed deliveries by the secret that fitted.", &samples);
    let reloads = &status.reloads;
    let samples =
        [label("result", "done", reloads.done as f64), label("result", "failed", reloads.failed as f64)];
    metric("sync_reloads_total", "counter", "Reloads on SIGHUP; a failed one changes nothing.", &samples);
    metric(
        "sync_reload_failed",
        "gauge",
        "1 while the last reload was not taken over.",
        &plain(f64::from(u8::from(reloads.fault.is_some()))),
    );
    metric(
        "sync_queue_deliveries",
        "gauge",
        "Deliveries that are not dealt with.",
        &plain(status.queued as f64),
    );
    let age = status.oldest_queued.as_deref().and_then(Timestamp::parse).map(|at| Timestamp::now().since(at));
    let age = age.unwrap_or_default().as_secs_f64();
    metric("sync_queue_oldest_seconds", "gauge", "Age of the oldest delivery in the queue.", &plain(age));
    metric(
        "sync_failed_deliveries",
        "gauge",
        "Deliveries that could not be carried out.",
        &plain(status.failed as f64),
    );
    let open = status.holds.iter().filter(|hold| hold.decision.is_none()).count();
    metric("sync_holds", "gauge", "Changes that wait for a person.", &plain(open as f64));
    metric(
        "sync_wanted_people",
        "gauge",
        "People in GitHub teams whom Sentry does not know.",
        &plain(status.wanted as f64),
    );
    metric(
        "sync_bound_teams",
        "gauge",
        "Sentry teams that follow a GitHub team.",
        &plain(status.teams as f64),
    );
    let hosts = [("github", &status.github), ("sentry", &status.sentry)];
    let by_host = |value: fn(&crate::status::Host) -> f64| -> Vec<_> {
        hosts.iter().map(|(name, host)| label("host", name, value(host))).collect()
    };
    metric("sync_calls_total", "counter", "API calls made.", &by_host(|host| host.calls as f64));
    metric(
        "sync_call_failures_total",
        "counter",
        "API calls without a usable answer.",
        &by_host(|host| host.failures as f64),
    );
    let well = |host: &crate::status::Host| f64::from(u8::from(host.health == "well"));
    metric("sync_host_well", "gauge", "1 if the host answers and takes the token.", &by_host(well));
    let samples: Vec<_> = gates
        .iter()
        .flat_map(|(name, counts)| {
            let results = [("passed", &counts.passed), ("refused", &counts.refused), ("shed", &counts.shed)];
            results.map(|(result, n)| (format!("{{gate=\"{name}\",result=\"{result}\"}}"), count(n) as f64))
        })
        .collect();
    metric("sync_gate_requests_total", "counter", "Requests at the gates by what became of them.", &samples);
    out
}
