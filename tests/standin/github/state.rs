//! Everything the pretend GitHub remembers beside its world: tokens, the hook and its deliveries,
//! options, counters.

use super::app::GithubApp;
use super::build::{Events, Flavour, GithubToken, Hook, Limits};
use super::payload::Bases;
use super::world::{History, World};
use crate::standin::deliver::Delivery;
use crate::standin::http::Response;
use crate::standin::rng::Rng;
use crate::standin::time;
use serde_json::{json, Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime};

/// One delivery that was sent, or should have been.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub id: u64,
    pub delivery: Delivery,
    pub at: SystemTime,
    pub redelivery: bool,
    /// `None`: no connection, or no answer in time.
    pub answer: Option<Response>,
}

/// A user's use of one rate limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub used: u64,
    pub reset: SystemTime,
}

pub(crate) struct State {
    pub flavour: Flavour,
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    pub history: History,
    pub tokens: BTreeMap<String, GithubToken>,
    pub hook: Hook,
    pub sent: Vec<Sent>,
    pub app: Option<GithubApp>,
    /// Single deliveries are shown without what was sent.
    pub hides_payloads: bool,
    /// What was asked to be sent again, and was not yet.
    pub asked_again: Vec<Delivery>,
    pub events: Events,
    pub limits: Limits,
    pub usage: BTreeMap<String, Usage>,
    pub per_minute: BTreeMap<String, (Instant, u64)>,
    /// GraphQL fields that answer FORBIDDEN.
    pub forbidden_fields: BTreeSet<String>,
    /// A larger GraphQL query is answered by this status.
    pub node_cap: Option<(u64, u16)>,
    /// Whose deed the next event is.
    pub actor: Option<u64>,
    next_user: u64,
    next_team: u64,
    pub rng: Rng,
}

impl State {
    pub fn new(flavour: Flavour, org: &str) -> State {
        State {
            flavour,
            base: String::new(),
            history: History::new(World::new(38_302_899, org)),
            tokens: BTreeMap::new(),
            hook: Hook::default(),
            sent: Vec::new(),
            app: None,
            hides_payloads: false,
            asked_again: Vec::new(),
            events: Events::default(),
            limits: Limits::default(),
            usage: BTreeMap::new(),
            per_minute: BTreeMap::new(),
            forbidden_fields: BTreeSet::new(),
            node_cap: None,
            actor: None,
            next_user: 21_031_067,
            next_team: 3_253_328,
            rng: Rng::new(0x617),
        }
    }

    pub fn enterprise_server(&self) -> bool {
        self.flavour == Flavour::EnterpriseServer
    }

    /// The path in front of REST routes.
    pub fn rest_prefix(&self) -> &'static str {
        if self.enterprise_server() {
            "/api/v3"
        } else {
            ""
        }
    }

    /// Addresses inside REST answers: this server, so that `Link` can be followed.
    pub fn own_bases(&self) -> Bases {
        Bases { api: format!("{}{}", self.base, self.rest_prefix()), html: self.base.clone() }
    }

    /// Addresses inside webhooks: the public ones, which must never be followed.
    pub fn public_bases(&self) -> Bases {
        let (api, html) = match self.flavour {
            Flavour::Dotcom => ("https://api.github.com", "https://github.com"),
            Flavour::EnterpriseServer => ("https://github.acme.test/api/v3", "https://github.acme.test"),
        };
        Bases { api: api.to_owned(), html: html.to_owned() }
    }

    /// Ids are not dense, as on the true site.
    pub fn next_user(&mut self) -> u64 {
        self.next_user += 7;
        self.next_user
    }

    pub fn next_team(&mut self) -> u64 {
        self.next_team += 3;
        self.next_team
    }

    pub fn next_guid(&mut self) -> String {
        let hex = self.rng.hex(32);
        format!("{}-{}-11f0-{}-{}", &hex[0..8], &hex[8..12], &hex[12..16], &hex[16..28])
    }

    /// Keeps a delivery for the hook's list. The same GUID again is a redelivery.
    pub fn log(&mut self, delivery: &Delivery, answer: Option<&Response>) -> u64 {
        let id = 12_345_678 + 11 * self.sent.len() as u64;
        let redelivery = self.sent.iter().any(|sent| sent.delivery.guid == delivery.guid);
        let (delivery, answer) = (delivery.clone(), answer.cloned());
        self.sent.push(Sent { id, delivery, at: time::now(), redelivery, answer });
        id
    }

    /// An entry of the hook's list of deliveries.
    pub fn sent_item(&self, sent: &Sent) -> Value {
        let code = sent.answer.as_ref().map_or(0, |answer| answer.status);
        let status = match code {
            0 => "failed to connect to host".to_owned(),
            200..=299 => "OK".to_owned(),
            _ => format!("Invalid HTTP Response: {code}"),
        };
        json!({
            "id": sent.id, "guid": sent.delivery.guid, "delivered_at": crate::standin::time::iso_micros(sent.at),
            "redelivery": sent.redelivery, "duration": 0.05, "status": status, "status_code": code,
            "event": sent.delivery.event, "action": sent.delivery.action, "installation_id": sent.delivery.payload()["installation"]["id"],
            "repository_id": null, "throttled_at": null,
        })
    }

    /// A single delivery with what was sent and answered.
    pub fn sent_details(&self, sent: &Sent) -> Value {
        let (headers, _) = sent.delivery.wire(&self.hook.secret);
        let map = |lines: &[(String, String)]| -> Value {
            Value::Object(
                lines.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>(),
            )
        };
        let mut value = self.sent_item(sent);
        value["url"] = json!(self.hook.url);
        let payload = if self.hides_payloads { Value::Null } else { sent.delivery.payload() };
        value["request"] = json!({"headers": map(&headers), "payload": payload});
        value["response"] = match &sent.answer {
            Some(answer) => {
                json!({"headers": map(&answer.headers), "payload": String::from_utf8_lossy(&answer.body)})
            }
            None => json!({"headers": {}, "payload": null}),
        };
        value
    }
}
