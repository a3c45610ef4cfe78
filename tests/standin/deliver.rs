//! Deliveries as GitHub sends them: signed over the raw body, JSON or form, over TCP or a Unix
//! socket.
//!
//! Facts: the header list, the two signatures (`sha256=` and the legacy `sha1=`), `payload=` as the
//! one field of a form with the signature over the form; no automatic retry; redirects are not
//! followed; the answer is awaited for 10 seconds. The sender repeats nothing by itself.

use super::client::{Connection, Place};
use super::encode::form_encode;
use super::http::Response;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::io;
use std::path::Path;
use std::time::Duration;

/// One delivery, not yet sent. Sending it twice is a redelivery: same GUID.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `X-GitHub-Delivery`.
    pub guid: String,
    /// `X-GitHub-Hook-ID`.
    pub hook_id: u64,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The payload's `action`; a ping has none.
    pub action: Option<String>,
    /// The payload, JSON.
    pub body: Vec<u8>,
    /// `organization`, `repository`, or `integration` for an App.
    pub target_type: String,
    /// The organisation's or App's id.
    pub target_id: u64,
    form: bool,
    tampered: bool,
    signature: Option<String>,
    without: Vec<String>,
    more: Vec<(String, String)>,
}

impl Delivery {
    /// A delivery of an organisation's hook.
    pub fn new(guid: &str, hook_id: u64, org_id: u64, event: &str, payload: &Value) -> Delivery {
        Delivery {
            guid: guid.to_owned(),
            hook_id,
            event: event.to_owned(),
            action: payload["action"].as_str().map(str::to_owned),
            body: payload.to_string().into_bytes(),
            target_type: "organization".to_owned(),
            target_id: org_id,
            form: false,
            tampered: false,
            signature: None,
            without: Vec::new(),
            more: Vec::new(),
        }
    }

    /// A delivery of a payload file, byte for byte.
    pub fn raw(guid: &str, hook_id: u64, event: &str, body: &[u8]) -> Delivery {
        let payload: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let org_id = payload["organization"]["id"].as_u64().unwrap_or(0);
        Delivery { body: body.to_vec(), ..Delivery::new(guid, hook_id, org_id, event, &payload) }
    }

    /// The payload as JSON; null when it is none.
    pub fn payload(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The same with a changed payload.
    pub fn with_payload(mut self, change: impl FnOnce(&mut Value)) -> Delivery {
        let mut payload = self.payload();
        change(&mut payload);
        self.action = payload["action"].as_str().map(str::to_owned);
        self.body = payload.to_string().into_bytes();
        self
    }

    /// Sent as a form.
    pub fn form(mut self) -> Delivery {
        self.form = true;
        self
    }

    /// Under another GUID.
    pub fn with_guid(mut self, guid: &str) -> Delivery {
        self.guid = guid.to_owned();
        self
    }

    /// From another hook.
    pub fn with_hook(mut self, hook_id: u64) -> Delivery {
        self.hook_id = hook_id;
        self
    }

    /// One byte of the body changes after it was signed.
    pub fn tampered(mut self) -> Delivery {
        self.tampered = true;
        self
    }

    /// With this `X-Hub-Signature-256` instead of the right one.
    pub fn signed_as(mut self, signature: &str) -> Delivery {
        self.signature = Some(signature.to_owned());
        self
    }

    /// Without one of its headers.
    pub fn without(mut self, header: &str) -> Delivery {
        self.without.push(header.to_lowercase());
        self
    }

    /// With one more header, or another value for one it has.
    pub fn with_header(mut self, name: &str, value: &str) -> Delivery {
        self.more.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body as it goes over the wire, before tampering.
    fn signed_body(&self) -> Vec<u8> {
        if self.form {
            let text = String::from_utf8_lossy(&self.body);
            return format!("payload={}", form_encode(&text)).into_bytes();
        }
        self.body.clone()
    }

    /// Headers and body as they go over the wire. An empty secret sends no signature.
    pub fn wire(&self, secret: &str) -> (Vec<(String, String)>, Vec<u8>) {
        let mut body = self.signed_body();
        let content_type = if self.form { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut headers = vec![
            ("Accept".to_owned(), "*/*".to_owned()),
            ("User-Agent".to_owned(), "GitHub-Hookshot/b8c71d8".to_owned()),
            ("Content-Type".to_owned(), content_type.to_owned()),
            ("X-GitHub-Delivery".to_owned(), self.guid.clone()),
            ("X-GitHub-Event".to_owned(), self.event.clone()),
            ("X-GitHub-Hook-ID".to_owned(), self.hook_id.to_string()),
            ("X-GitHub-Hook-Installation-Target-ID".to_owned(), self.target_id.to_string()),
            ("X-GitHub-Hook-Installation-Target-Type".to_owned(), self.target_type.clone()),
        ];
        if !secret.is_empty() {
            let signature = self.signature.clone().unwrap_or_else(|| sign(secret, &body));
            headers.push(("X-Hub-Signature".to_owned(), sign_sha1(secret, &body)));
            headers.push(("X-Hub-Signature-256".to_owned(), signature));
        }
        for (name, value) in &self.more {
            headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value.clone()));
        }
        headers.retain(|(name, _)| !self.without.contains(&name.to_lowercase()));
        if self.tampered {
            if let Some(last) = body.last_mut() {
                *last ^= 1;
            }
        }
        (headers, body)
    }
}

/// `sha256=` and the HMAC of the body under the secret's bytes.
pub fn sign(secret: &str, body: &[u8]) -> String {
    // A key of any length is fine for HMAC; the error type exists for other algorithms.
    let digest = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map(|mac| mac.chain_update(body).finalize().into_bytes());
    digest.map(|bytes| format!("sha256={}", hex::encode(bytes))).unwrap_or_default()
}

/// The legacy `sha1=` signature, which GitHub still sends beside the other.
pub fn sign_sha1(secret: &str, body: &[u8]) -> String {
    let mut key = [0u8; 64];
    let secret = secret.as_bytes();
    let short = if secret.len() > 64 { sha1(secret).to_vec() } else { secret.to_vec() };
    key[..short.len()].copy_from_slice(&short);
    let pad = |mask: u8| key.iter().map(|byte| byte ^ mask).collect::<Vec<u8>>();
    let inner = sha1(&[pad(0x36), body.to_vec()].concat());
    format!("sha1={}", hex::encode(sha1(&[pad(0x5c), inner.to_vec()].concat())))
}

/// SHA-1 by FIPS 180; for the legacy signature only.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut words = [0u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        for i in 16..80 {
            words[i] = (words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in words.iter().enumerate() {
            let (f, k) = match i / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (own, add) in state.iter_mut().zip([a, b, c, d, e]) {
            *own = own.wrapping_add(add);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// A signed delivery: headers and body.
#[derive(Clone, Debug)]
pub struct Prepared {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Sends deliveries to one hook.
pub struct Sender {
    place: Place,
    path: String,
    secret: String,
    patience: Duration,
    keep_alive: bool,
    connection: Option<Connection>,
}

impl Sender {
    /// To `http://HOST:PORT/path` or `unix:PATH` (then the path is `/`).
    pub fn new(url: &str, secret: &str) -> Sender {
        let (place, path) = Place::parse(url);
        let patience = Duration::from_secs(10);
        Sender { place, path, secret: secret.to_owned(), patience, keep_alive: false, connection: None }
    }

    /// To a path behind a Unix socket.
    pub fn unix(socket: &Path, path: &str, secret: &str) -> Sender {
        let place = Place::Unix(socket.to_owned());
        Sender { place, path: path.to_owned(), ..Sender::new("unix:", secret) }
    }

    /// Keeps one connection open between deliveries, for benchmarks. GitHub's own does not.
    pub fn keep_alive(mut self) -> Sender {
        self.keep_alive = true;
        self
    }

    /// Waits this long for an answer instead of 10 seconds.
    pub fn patience(mut self, patience: Duration) -> Sender {
        self.patience = patience;
        self
    }

    /// Signs a delivery once, to be sent often.
    pub fn prepare(&self, delivery: &Delivery) -> Prepared {
        let (headers, body) = delivery.wire(&self.secret);
        Prepared { headers, body }
    }

    /// Sends one delivery and reads the whole answer.
    pub fn send(&mut self, delivery: &Delivery) -> io::Result<Response> {
        let prepared = self.prepare(delivery);
        self.send_prepared(&prepared)
    }

    /// Sends what [`prepare`](Self::prepare) signed.
    pub fn send_prepared(&mut self, prepared: &Prepared) -> io::Result<Response> {
        let mut headers = prepared.headers.clone();
        let body = &prepared.body;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.place, self.patience)?,
        };
        if !self.keep_alive {
            headers.push(("Connection".to_owned(), "close".to_owned()));
        }
        let response = connection.send("POST", &self.path, &headers, body)?;
        if self.keep_alive && connection.reusable() {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}

/// Sends one delivery on a connection of its own.
pub fn deliver(url: &str, secret: &str, delivery: &Delivery) -> io::Result<Response> {
    Sender::new(url, secret).send(delivery)
}
