//! Turns a complete request into a saved delivery and an answer.
//!
//! The order of the checks is fixed: path, method, content type, signature, other headers, body, organisation. (The
//! gate checks sizes.) An unsigned body is never parsed. A change gets its 2xx only after its record is on disk.

pub mod counts;
pub mod form;
pub mod missed;
pub mod ping;
pub mod signature;

use std::sync::Arc;

use serde_json::{json, Value};

use crate::clock::Timestamp;
use crate::config::secret::Secret;
use crate::lock::RwLock;
use crate::state::event::{self, Event, InstallationNews, Meaning, OrgRef, Parsed};
use crate::state::ids::{HookId, Login, Seq};
use crate::state::record::Record;
use crate::state::values::{Delivery, DeliveryKey, Mode, Settled, Status};
use crate::state::State;
use crate::store::journal::{Entry, NotKept};
use crate::text::Quoted;
use crate::work::mirror::Mirror;
use counts::{Counts, Said};

/// The paths that accept deliveries. `/github` is the path of the original handler.
const PATHS: [&str; 3] = ["/", "/github", "/webhook"];
/// The paths that answer whether the process works. `/health` is the path of the original handler.
const HEALTH: [&str; 2] = ["/healthz", "/health"];

/// A complete request, as the gate passed it on.
pub struct Request<'a> {
    pub method: &'a str,
    /// The path, without a query.
    pub path: &'a str,
    /// The headers, with names in lower case.
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

impl Request<'_> {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn is_read(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// JSON on one line.
    pub fn json(status: u16, body: &Value) -> Self {
        let body = format!("{body}\n").into_bytes();
        Self { status, content_type: "application/json", headers: Vec::new(), body }
    }

    /// The problem, and what to set in the webhook's settings. GitHub shows this body to the webhook's owner.
    pub fn refused(status: u16, error: impl Into<String>, fix: &str) -> Self {
        Self::json(status, &json!({ "status": "refused", "error": error.into(), "fix": fix }))
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

pub struct Intake {
    mirror: Arc<Mirror>,
    pub arrived: Arc<Counts>,
    secrets: RwLock<Vec<Secret>>,
}

/// Whether a delivery is new, and if not, what is known about it.
pub enum Kept {
    /// It is new, and on disk.
    Queued(Seq),
    /// It arrived before, and is still queued or held.
    AlreadyQueued,
    /// It had failed before, and is tried again.
    Again(Seq),
    /// It was dealt with before.
    Duplicate,
    /// A newer delivery was carried out instead.
    Superseded,
    /// It belongs to another organisation.
    OtherOrganisation(String),
    /// No organisation is pinned yet, so there is nothing that it could change.
    NotPinned,
}

impl Intake {
    /// The first secret is the current one.
    pub fn new(mirror: Arc<Mirror>, secrets: Vec<Secret>) -> Self {
        Self { mirror, arrived: Arc::default(), secrets: RwLock::new(secrets) }
    }

    /// Replaces the secrets. Returns whether they differ.
    pub fn take_over(&self, secrets: &[Secret]) -> bool {
        let mut known = self.secrets.write();
        let differ = *known != secrets;
        *known = secrets.to_vec();
        differ
    }

    /// Answers a request to the public listener.
    pub fn answer(&self, request: &Request) -> Answer {
        if HEALTH.contains(&request.path) {
            return if request.is_read() {
                Answer::json(200, &json!({ "status": "ok" }))
            } else {
                let fix = "set the payload URL's path to /github";
                Answer::refused(405, "only GET is accepted on this path", fix).with("allow", "GET, HEAD")
            };
        }
        let answer = self.delivery(request).unwrap_or_else(|refused| {
            self.arrived.refuse(refused.status);
            refused
        });
        say!(log::Level::Debug, "intake: {} {} -> {}", request.method, request.path, answer.status);
        answer
    }

    fn delivery(&self, request: &Request) -> Result<Answer, Answer> {
        if !PATHS.contains(&request.path) {
            let fix = "set the payload URL's path to /github";
            return Err(Answer::refused(404, "there is nothing at this path", fix));
        }
        if request.method != "POST" {
            let error = "only POST is accepted here";
            return Err(
                Answer::refused(405, error, "point GitHub's webhook at this address").with("allow", "POST")
            );
        }
        let is_form = content_type(request)?;
        let signed_by = self.signature(request)?;
        let headers = DeliveryHeaders::read(request)?;
        let malformed = |why: String| {
            let fix = "send deliveries from GitHub, with content type application/json";
            Answer::refused(400, why, fix)
        };
        let form = if is_form { Some(form::payload(request.body).map_err(malformed)?) } else { None };
        let body = form.as_deref().unwrap_or(request.body);
        let Parsed { org, meaning } = event::parse(headers.event, body).map_err(malformed)?;
        // A ping from `check` says nothing about the secret that GitHub's webhook has.
        if !headers.guid.starts_with(ping::OF_CHECK) {
            self.arrived.sign(signed_by, self.mirror.clock.wall());
        }
        // For a change, `keep` checks the organisation in one step with saving the record.
        let of_change = matches!(meaning, Meaning::Change(_));
        let looked_at = org.as_ref().filter(|_| !of_change);
        let refused = |org| {
            let settings = self.mirror.settings();
            self.mirror.state(|state| refused_organisation(state, settings.github_org.as_ref(), org))
        };
        if let Some(other) = looked_at.and_then(refused) {
            return Err(other_organisation(&other));
        }
        match (meaning, org) {
            (Meaning::Change(event), Some(org)) => self.take(&headers, event, org),
            (Meaning::Ping(ping), _) => Ok(self.pong(&ping, &headers)),
            (Meaning::Installation(news), _) => Ok(self.installation(&headers, news)),
            (Meaning::Ignored(reason), _) => Ok(self.ignored(headers.event, &reason)),
            // `parse` never returns a change without an organisation.
            (Meaning::Change(_), None) => Err(malformed("the body has no `organization`".into())),
        }
    }

    fn signature(&self, request: &Request) -> Result<usize, Answer> {
        let header = request.header("x-hub-signature-256").unwrap_or_default();
        let secrets = self.secrets.read();
        signature::signed_by(&secrets, header, request.body).ok_or_else(|| {
            Answer::refused(
                401,
                "the signature in X-Hub-Signature-256 is missing or wrong",
                "enter the value of GH_WEBHOOK_TOKEN as the Secret in the webhook's settings",
            )
        })
    }

    fn pong(&self, ping: &event::Ping, headers: &DeliveryHeaders) -> Answer {
        let guid = headers.guid;
        self.arrived.answer(headers.event, Said::Ignored);
        let advice: Vec<_> = ping::advice(ping).into_iter().map(|advice| advice.text).collect();
        for sentence in &advice {
            log::warn!("delivery={guid} event=\"ping\" note={}", Quoted(sentence));
        }
        if advice.is_empty() {
            let note = match &ping.events {
                _ if guid.starts_with(ping::OF_CHECK) => "sent by `check`",
                Some(_) => "webhook is configured correctly",
                None => "the ping did not include the webhook's settings",
            };
            log::info!("delivery={guid} event=\"ping\" note=\"{note}\"");
        }
        Answer::json(200, &json!({ "status": "pong", "warnings": advice }))
    }

    /// Nothing is saved: after a restart, the service asks GitHub about the App's installation anyway.
    fn installation(&self, headers: &DeliveryHeaders, news: InstallationNews) -> Answer {
        match self.mirror.installation_changed(news) {
            Ok(said) => {
                log::info!("delivery={} event=\"installation\" note=\"{said}\"", headers.guid);
                self.arrived.answer(headers.event, Said::Ignored);
                Answer::json(200, &json!({ "status": "noted", "reason": said }))
            }
            Err(why) => self.ignored(headers.event, why),
        }
    }

    fn ignored(&self, event: &str, reason: &str) -> Answer {
        self.arrived.answer(event, Said::Ignored);
        Answer::json(200, &json!({ "status": "ignored", "reason": reason }))
    }

    /// Saves a change: the check for duplicates and the record are one step, and the answer waits for the disk.
    fn take(&self, headers: &DeliveryHeaders, event: Event, org: OrgRef) -> Result<Answer, Answer> {
        let guid = headers.guid;
        let kept = keep(&self.mirror, headers.hook, guid, event, &org);
        let kept = kept.map_err(|NotKept(why)| {
            log::error!("delivery={guid} outcome=\"not kept\" note={}", Quoted(&why));
            Answer::refused(503, format!("cannot store the delivery: {why}"), "redeliver it later in GitHub")
                .with("retry-after", "30")
        })?;
        let counted = |said, status, word: &str| {
            self.arrived.answer(headers.event, said);
            Answer::json(status, &json!({ "status": word, "delivery": guid }))
        };
        Ok(match kept {
            Kept::Queued(seq) | Kept::Again(seq) => {
                let answer = counted(Said::Queued, 202, "queued");
                enqueue(&self.mirror, seq);
                answer
            }
            Kept::AlreadyQueued => counted(Said::Duplicate, 202, "queued"),
            Kept::Duplicate => counted(Said::Duplicate, 200, "duplicate"),
            Kept::Superseded => counted(Said::Superseded, 200, "superseded"),
            Kept::NotPinned => self.ignored(headers.event, "no team of this organisation is mirrored yet"),
            Kept::OtherOrganisation(other) => return Err(other_organisation(&other)),
        })
    }
}

/// Saves a change, unless it was seen before. The check and the record are one step, and the answer waits for the disk.
pub fn keep(mirror: &Mirror, hook: HookId, guid: &str, event: Event, org: &OrgRef) -> Result<Kept, NotKept> {
    let settings = mirror.settings();
    let configured = settings.github_org.as_ref();
    mirror.journal.decide(|state| {
        if let Some(other) = refused_organisation(state, configured, org) {
            return Entry::Nothing(Kept::OtherOrganisation(other));
        }
        let at = mirror.clock.wall();
        let by_key = |key| state.deliveries.known(key);
        // The same event from another webhook: with the same GUID, or with the same content a moment ago.
        let twins = &mirror.queue.twins;
        let others =
            || state.hooks.iter().filter(|_| hook != HookId(0)).map(|other| DeliveryKey::new(*other, guid));
        let elsewhere = || others().filter(|key| !twins.differs(*key, &event)).find_map(by_key);
        let twin = || twins.first_of(hook, &event, at).and_then(by_key);
        match by_key(DeliveryKey::new(hook, guid)).or_else(elsewhere).or_else(twin) {
            Some(known) => seen_before(state, known.seq, known.status, at),
            None => {
                let entry = first_seen(state, (hook, guid), event, org, configured.is_some(), at);
                if let Entry::Keep(records, _) = &entry {
                    for record in records {
                        if let Record::Received(delivery) = record {
                            mirror.queue.arrive(delivery);
                        }
                    }
                }
                entry
            }
        }
    })
}

/// Queues a saved delivery in its lane.
pub fn enqueue(mirror: &Mirror, seq: Seq) {
    if let Some(delivery) = mirror.state(|state| state.deliveries.queued_at(seq)) {
        say!(log::Level::Debug, "delivery={} event=\"{}\" queued", delivery.guid, delivery.event.name());
        mirror.hours.taken(mirror.clock.wall());
        mirror.queue.deliver(delivery);
    }
}

/// Whether the body is a form. Content types other than the two that GitHub sends are refused.
fn content_type(request: &Request) -> Result<bool, Answer> {
    let value = request.header("content-type").unwrap_or_default();
    match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Ok(false),
        "application/x-www-form-urlencoded" => Ok(true),
        _ => Err(Answer::refused(
            415,
            "the content type is neither application/json nor application/x-www-form-urlencoded",
            "choose application/json in the webhook's settings",
        )),
    }
}

struct DeliveryHeaders<'a> {
    event: &'a str,
    guid: &'a str,
    hook: HookId,
}

impl<'a> DeliveryHeaders<'a> {
    fn read(request: &'a Request) -> Result<Self, Answer> {
        let fix = "let GitHub send the delivery itself; a proxy must hand on all X-GitHub headers";
        let need = |name: &str| {
            let value = request.header(&name.to_ascii_lowercase()).filter(|value| !value.is_empty());
            value.ok_or_else(|| Answer::refused(400, format!("the header {name} is missing"), fix))
        };
        let event = need("X-GitHub-Event")?;
        let guid = need("X-GitHub-Delivery")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if guid.len() > 64 || !guid.chars().all(plain) {
            return Err(Answer::refused(400, "the header X-GitHub-Delivery is not a GUID", fix));
        }
        // Some relays drop this header. Deliveries without it count as from one webhook.
        let hook = match request.header("x-github-hook-id") {
            None | Some("") => HookId(0),
            Some(id) => id
                .parse()
                .map_err(|_| Answer::refused(400, "the header X-GitHub-Hook-ID is not a number", fix))?,
        };
        Ok(Self { event, guid, hook })
    }
}

/// The login of an organisation that this service doesn't mirror: by the pinned id, or else the configured login.
fn refused_organisation(state: &State, configured: Option<&Login>, org: &OrgRef) -> Option<String> {
    match (&state.org, configured) {
        (Some(pinned), _) => (pinned.id != org.id).then(|| org.login.to_string()),
        (None, Some(login)) => (!login.is(org.login.as_str())).then(|| org.login.to_string()),
        (None, None) => None,
    }
}

fn other_organisation(login: &str) -> Answer {
    let login = crate::text::plain(login, 60);
    Answer::refused(
        403,
        format!("this service does not mirror the organisation {login}"),
        "point the webhook of that organisation at a service of its own, or set GH_ORG",
    )
}

fn seen_before(state: &State, seq: Seq, status: Status, at: Timestamp) -> Entry<Kept> {
    match status {
        // This answer is a promise too, so it waits until the first delivery is synced to disk.
        Status::Queued | Status::Held => Entry::Await(Kept::AlreadyQueued),
        Status::Done => Entry::Nothing(Kept::Duplicate),
        Status::Superseded => Entry::Nothing(Kept::Superseded),
        Status::Failed => {
            let payload_mode = matches!(state.mode, Some((Mode::Payload, _)));
            let old = |delivery: &Delivery| payload_mode && state.is_superseded(delivery);
            match state.deliveries.failure(seq) {
                Some(failure) if old(&failure.delivery) => {
                    let note = "redelivered, but a newer delivery had arrived".into();
                    let how = Settled::Superseded;
                    Entry::Keep(
                        vec![Record::Settled { seqs: vec![seq], how, note, hold: None, at }],
                        Kept::Superseded,
                    )
                }
                Some(_) => Entry::Keep(vec![Record::Again { seq }], Kept::Again(seq)),
                None => Entry::Nothing(Kept::Duplicate),
            }
        }
    }
}

fn first_seen(
    state: &State,
    (hook, guid): (HookId, &str),
    event: Event,
    org: &OrgRef,
    configured: bool,
    at: Timestamp,
) -> Entry<Kept> {
    let mut records = Vec::new();
    if state.org.is_none() {
        // Without `GH_ORG`, only an event about a team pins. Before that, others have nothing to change.
        if event.team().is_none() && !configured {
            return Entry::Nothing(Kept::NotPinned);
        }
        log::info!("organisation pinned: {} ({})", Quoted(org.login.as_str()), org.id);
        records.push(Record::Org { id: org.id, login: org.login.clone(), deleted: false });
    }
    let seq = state.next_seq();
    let guid = guid.into();
    records.push(Record::Received(Delivery { seq, at, hook, guid, event }));
    Entry::Keep(records, Kept::Queued(seq))
}

#[cfg(test)]
mod tests;
