//! The admin listener's answers: status page, JSON, metrics, health, readiness. Nothing here changes anything.
//!
//! A page that shows names of teams and people is shown on this machine only; elsewhere there are metrics and health.
//! `Host` must be an address or `localhost`, so that no web page elsewhere can have a browser read it.

mod metrics;
mod page;
mod process;

use std::net::IpAddr;

use serde_json::json;

use crate::config::values::host_of;
use crate::engine::Engine;
use crate::gate;
use crate::intake::{Answer, Request};

/// What the answers are about.
pub struct Admin<'a> {
    /// Everything shared.
    pub engine: &'a Engine,
    /// The gates by name.
    pub gates: Vec<(&'static str, &'a gate::Counts)>,
    /// Whether only this machine can reach the listener.
    pub local: bool,
}

impl Admin<'_> {
    /// Answers a request of the admin listener.
    pub fn answer(&self, request: &Request) -> Answer {
        if !request.is_read() {
            return Answer::refused(
                405,
                "this listener is read with GET; nothing on it changes anything",
                "send deliveries to the address of SYNC_LISTEN",
            );
        }
        if !host_is_plain(request.header("host")) {
            let fix = "open it by its address or as localhost";
            return Answer::refused(
                403,
                "the name in the Host header is not an address and not localhost",
                fix,
            );
        }
        match request.path {
            "/healthz" | "/health" => Answer::json(200, &json!({ "status": "ok" })),
            "/readyz" => self.readiness(),
            "/metrics" => text(
                "text/plain; version=0.0.4; charset=utf-8",
                metrics::render(self.engine, &self.engine.status(), &self.gates),
            ),
            "/" | "/status.json" if !self.local => Answer::refused(
                403,
                "names are shown on this machine only",
                "ask the command `sentry-team-sync status`",
            ),
            "/" => text("text/html; charset=utf-8", page::render(&self.engine.status()))
                .with("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
            "/status.json" => text("application/json", self.engine.status().to_json()),
            _ => Answer::refused(
                404,
                "there is nothing at this path",
                "try /, /status.json, /metrics, /healthz, /readyz",
            ),
        }
    }

    fn readiness(&self) -> Answer {
        let status = self.engine.status();
        match status.ready {
            true if status.warnings.is_empty() => Answer::json(200, &json!({ "status": "ready" })),
            true => Answer::json(200, &json!({ "status": "ready", "warnings": status.warnings })),
            false => Answer::json(
                503,
                &json!({ "status": "not ready", "reasons": status.reasons, "warnings": status.warnings }),
            ),
        }
    }
}

fn text(content_type: &'static str, body: String) -> Answer {
    Answer {
        status: 200,
        content_type,
        headers: vec![("cache-control", "no-store".into())],
        body: body.into_bytes(),
    }
}

fn host_is_plain(host: Option<&str>) -> bool {
    let host = host_of(host.unwrap_or("localhost"));
    host == "localhost" || host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_hosts() {
        for good in [
            None,
            Some("localhost"),
            Some("localhost:8081"),
            Some("127.0.0.1:8081"),
            Some("[::1]:8081"),
            Some("10.0.0.7"),
        ] {
            assert!(host_is_plain(good), "{good:?}");
        }
        for bad in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", ""] {
            assert!(!host_is_plain(Some(bad)), "{bad}");
        }
    }
}
