//! Sends a signed ping to the public address, as GitHub would: do TLS, proxy and secret let deliveries through?
//!
//! The ping carries no token, follows no redirect, and goes only to an https address or to this machine.

use std::io::Read;
use std::time::Duration;

use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use ureq::tls::TlsConfig;
use ureq::Agent;

use super::finding::{Area, Finding, Level};
use super::patient::Patient;
use crate::clock::Timestamp;
use crate::config::secret::Secret;
use crate::config::values::{self, BaseUrl};
use crate::hosts::http::answer::Answer;
use crate::hosts::http::tls;
use crate::intake::ping::OF_CHECK;
use crate::intake::signature;
use crate::text::{self, Quoted};

const AREA: Area = Area::Url;
/// How long GitHub waits for a webhook's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer is read: our own are far shorter, and the beginning of a proxy's page is enough.
const BODY: u64 = 64 << 10;

pub(super) fn look(patient: &Patient, url: &str) -> Finding {
    if let Err(why) = values::base_url(url) {
        return AREA.failed(format!("--url {why}"), "give the Payload URL from the webhook's form");
    }
    // A ping signed with the previous secret alone would not show whether the secret in GitHub's form is right.
    let is_there = patient.around.origins.iter().any(|(var, _)| *var == "GH_WEBHOOK_TOKEN");
    let Some(secret) = patient.around.webhook_secrets.first().filter(|_| is_there) else {
        let fix = "set GH_WEBHOOK_TOKEN: without the secret no ping can be signed";
        return AREA.failed(format!("{} was not tried", Quoted(url)), fix);
    };
    match send(patient, url, secret) {
        Ok(reply) => beside_odd_secret(patient, judge(url, &reply)),
        Err((what, fix)) => AREA.failed(format!("{}: {what}", Quoted(url)), fix),
    }
}

/// The ping is signed with the service's own secret. If that probably has something in it by mistake, a good answer
/// proves nothing about GitHub's deliveries, so it becomes a warning.
fn beside_odd_secret(patient: &Patient, finding: Finding) -> Finding {
    let odd = patient.around.warnings.iter().find(|warning| warning.var == "GH_WEBHOOK_TOKEN");
    match odd {
        Some(odd) if finding.level == Level::Ok => AREA.warning(
            format!("{}; but {}, and a delivery of GitHub's may get 401", finding.what, odd.what),
            &odd.fix,
        ),
        _ => finding,
    }
}

/// The reason why no answer came, and its fix.
type Unsent = (String, &'static str);

struct Reply {
    answer: Answer,
    location: Option<String>,
}

fn send(patient: &Patient, url: &str, secret: &Secret) -> Result<Reply, Unsent> {
    let base = values::base_url(url).ok();
    let is_local = base.as_ref().is_some_and(BaseUrl::is_loopback);
    // The service's own clients may have loaded no authorities.
    let roots = if url.starts_with("https://") {
        let fix = "name a PEM file with at least one certificate in SSL_CERT_FILE, or unset it";
        tls::roots(&patient.around.env).map_err(|error| (error.parts().0, fix))?
    } else {
        tls::Roots::none()
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .https_only(!is_local)
        .tls_config(TlsConfig::builder().root_certs(roots.certs).build())
        .timeout_global(Some(PATIENCE))
        .user_agent(concat!("GitHub-Hookshot/sentry-team-sync-", env!("CARGO_PKG_VERSION")));
    let config = config.proxy(base.and_then(|base| patient.around.proxies.for_client(&base)));
    let agent: Agent = config.build().into();
    let body = body();
    let answered = agent
        .post(url)
        .header("content-type", "application/json")
        .header("x-github-event", "ping")
        .header("x-github-delivery", guid(patient.clock.wall()))
        .header("x-hub-signature-256", signature::sign(secret, body.as_bytes()))
        .send(body.as_bytes());
    let mut response = answered.map_err(|error| unsent(&error))?;
    let location =
        response.headers().get("location").and_then(|value| Some(value.to_str().ok()?.to_string()));
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let read = response.body_mut().as_reader().take(BODY).read_to_end(&mut body);
    read.map_err(|why| (format!("the answer {status} was cut off: {why}"), "check the proxy's log"))?;
    Ok(Reply { answer: Answer { status, body, ..Answer::default() }, location })
}

fn body() -> String {
    json!({
        "zen": "sentry-team-sync check",
        "hook_id": 0,
        "hook": {
            "type": "Organization",
            "events": ["membership", "organization", "team"],
            "config": { "content_type": "json", "insecure_ssl": "0" },
        },
    })
    .to_string()
}

/// A GUID that no delivery from GitHub has, made from the time and the process.
fn guid(now: Timestamp) -> String {
    let sum = Sha256::digest(format!("{} {}", now.0, std::process::id()));
    let hex = hex::encode(sum);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{OF_CHECK}{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

fn unsent(error: &ureq::Error) -> Unsent {
    let said = error.to_string();
    match error {
        ureq::Error::Timeout(_) => (
            format!("no answer within {} s", PATIENCE.as_secs()),
            "check whether the port is open to the internet, and whether the proxy reaches the service",
        ),
        ureq::Error::HostNotFound => {
            ("the host name is unknown".into(), "correct the address or its DNS record")
        }
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => (
            format!("TLS failed: {said}"),
            "serve the full certificate chain of a public authority for this name; GitHub checks it too",
        ),
        _ if said.contains("certificate") || said.contains("invalid peer") => (
            format!("its certificate is not trusted: {said}"),
            "serve the full certificate chain of a public authority for this name; GitHub checks it too",
        ),
        _ if said.contains("InvalidContentType") || said.contains("corrupt message") => {
            (format!("TLS failed: {said}"), "enable TLS on this port of the proxy")
        }
        _ => (format!("no connection: {said}"), "start the proxy and open the port to the internet"),
    }
}

/// Interprets an answer. Our own answers are JSON with `status`, and refusals include a fix.
fn judge(url: &str, Reply { answer, location }: &Reply) -> Finding {
    let own: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| own.get(name).and_then(Value::as_str).map(|text| text::plain(text, 300));
    let (status, said) = (text("status").unwrap_or_default(), answer.brief());
    let url = Quoted(url);
    match (answer.status, status.as_str()) {
        (200, "pong") => AREA.ok(format!("{url} answers the signed ping: 200 pong")),
        (401, "refused") => AREA.failed(
            format!("{url} reaches a service that refuses the signature (401): it has another secret, or the proxy changes the body"),
            "point the proxy at this service and pass the body through unchanged; if you run two services, each has its own secret",
        ),
        (_, "refused") => AREA.failed(
            format!("{url} reaches the service, which refused the ping: {} {}", answer.status, text("error").unwrap_or_default()),
            text("fix").unwrap_or_default(),
        ),
        (300..=399, _) => {
            let to = location.as_deref().unwrap_or("nowhere");
            let what = format!("{url} answers with a redirect to {}, which GitHub does not follow", Quoted(to));
            AREA.failed(what, "use the final address as the webhook's Payload URL, or remove the redirect")
        }
        (404, _) => AREA.failed(
            format!("{url}: the proxy does not know this path: {said}"),
            "pass this path to SYNC_LISTEN in the proxy; the README has examples for nginx and Caddy",
        ),
        (502..=504, _) => AREA.failed(
            format!("{url}: the proxy does not reach the service: {said}"),
            "start the service, and point the proxy at the address of SYNC_LISTEN",
        ),
        (401 | 403, _) => AREA.failed(
            format!("{url}: something in front of the service refused the ping: {said}"),
            "let the webhook's path through without login, address filter or challenge",
        ),
        _ => AREA.failed(
            format!("{url}: something else answered: {said}"),
            "pass this path to SYNC_LISTEN in the proxy; the README has examples for nginx and Caddy",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::signature::signed_by;

    #[test]
    fn the_ping_is_signed_as_github_signs() {
        let secret = Secret::new("It's a Secret to Everybody");
        assert_eq!(signed_by(std::slice::from_ref(&secret), &signature::sign(&secret, b"x"), b"x"), Some(0));
        assert_eq!(guid(Timestamp::now()).len(), OF_CHECK.len() + 36);
    }
}
