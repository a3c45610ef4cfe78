//! The admin listener's answers: status page, JSON, metrics, health, readiness. Nothing here changes anything.
//!
//! A page that shows names of teams and people is only served on this machine. Other machines get metrics, health and
//! readiness. `Host` must be an address, `localhost`, or a name behind the address in `SYNC_ADMIN_LISTEN`, so that no
//! foreign web page can have a browser read the answers.

use std::net::IpAddr;

use serde_json::json;

use crate::config::values::host_of;
use crate::intake::{Answer, Request};
use crate::service::core::Core;
use crate::status::metrics::AtGate;
use crate::text;

/// Sent with every answer. The page contains its own style and loads nothing.
const HEADERS: [(&str, &str); 4] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

const HTML: &str = "text/html; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the answers are made from.
pub struct Admin<'a> {
    pub core: &'a Core,
    /// The counts of each gate, by its name.
    pub gates: Vec<(&'static str, AtGate)>,
    /// Whether only this machine can reach the listener.
    pub local: bool,
}

impl Admin<'_> {
    /// Answers a request to the admin listener. Browsers and proxies may not store, run or frame any of it.
    pub fn answer(&self, request: &Request) -> Answer {
        let answer = self.for_the_reader(self.choose(request));
        HEADERS.iter().fold(answer, |answer, (name, value)| answer.with(name, *value))
    }

    /// Makes commands work where they are read. Other machines get them unchanged, without this machine's paths.
    fn for_the_reader(&self, answer: Answer) -> Answer {
        if !self.local {
            return answer;
        }
        let Ok(text) = String::from_utf8(answer.body) else { return Answer { body: Vec::new(), ..answer } };
        let reader = &self.core.around().reader;
        let text = match answer.content_type {
            HTML => reader.in_html(&text),
            METRICS => text,
            _ => reader.in_json(&text),
        };
        Answer { body: text.into_bytes(), ..answer }
    }

    fn choose(&self, request: &Request) -> Answer {
        if !request.is_read() {
            return Answer::refused(
                405,
                "this listener is read-only: use GET",
                "send deliveries to the address of SYNC_LISTEN",
            )
            .with("allow", "GET, HEAD");
        }
        if !is_named_well(request.header("host"), &self.core.mirror().settings().admin_names) {
            let error = "the name in the Host header is not an address, not localhost and not configured";
            let fix = "open it by its address or as localhost, or write the name behind the address in SYNC_ADMIN_LISTEN";
            return Answer::refused(403, error, fix);
        }
        let observer = &self.core.observer;
        match request.path {
            "/healthz" | "/health" => Answer::json(200, &json!({ "status": "ok" })),
            "/readyz" => self.readiness(),
            "/metrics" => {
                text(METRICS, crate::status::metrics::render(observer, &observer.status(), &self.gates))
            }
            "/" | "/status.json" if !self.local => {
                Answer::refused(403, "names are only shown on this machine", "run `sentry-team-sync status`")
            }
            "/" => text(HTML, crate::status::page::render(&self.core.observer.status())),
            "/status.json" => text("application/json", text::pretty(&self.core.observer.status())),
            _ => Answer::refused(
                404,
                "there is nothing at this path",
                "try /, /status.json, /metrics, /healthz, /readyz",
            ),
        }
    }

    fn readiness(&self) -> Answer {
        let status = self.core.observer.status();
        let mut ready = json!({ "status": "ready" });
        if !status.warnings.is_empty() {
            ready["warnings"] = json!(status.warnings);
        }
        // An operator wants the pause, and deliveries must still come here: shown, but no reason for an alert.
        if let Some(pause) = &status.paused {
            ready["paused"] = json!(pause);
        }
        if status.ready {
            Answer::json(200, &ready)
        } else {
            Answer::json(
                503,
                &json!({
                    "status": "not ready",
                    "reasons": status.reasons,
                    "warnings": status.warnings,
                    "since": status.not_ready_since,
                    "deliveries": if status.stores_deliveries { "stored" } else { "refused" },
                }),
            )
        }
    }
}

fn text(content_type: &'static str, body: String) -> Answer {
    Answer { status: 200, content_type, headers: Vec::new(), body: body.into_bytes() }
}

fn is_named_well(host: Option<&str>, names: &[String]) -> bool {
    let host = host_of(host.unwrap_or("localhost")).to_ascii_lowercase();
    host == "localhost" || host.parse::<IpAddr>().is_ok() || names.contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_localhost_and_configured_names_are_hosts() {
        let names = ["status.example".to_string()];
        for good in [
            None,
            Some("localhost"),
            Some("localhost:8081"),
            Some("127.0.0.1:8081"),
            Some("[::1]:8081"),
            Some("10.0.0.7"),
            Some("Status.Example:443"),
        ] {
            assert!(is_named_well(good, &names), "{good:?}");
        }
        for bad in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "x.status.example", ""] {
            assert!(!is_named_well(Some(bad), &names), "{bad}");
        }
    }
}
