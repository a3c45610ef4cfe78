//! All HTTP to GitHub and Sentry goes through this module: agent, timeouts, pace, verdict.
//!
//! It never follows a redirect, because the token would go to another host and a DELETE would become a GET. It never
//! repeats a call that may have changed something and whose outcome is unknown. It never keeps a token in anything
//! printable. If the host closes a kept connection while a GET uses it, the GET is repeated once on a fresh connection.

pub mod answer;
pub mod asked;
pub mod at_once;
pub mod credential;
pub mod first_answer;
pub mod graphql;
pub mod link;
pub mod pace;
pub mod proxies;
pub mod redirect;
pub mod refusal;
pub mod retired;
pub mod several;
pub mod tally;
pub mod tls;
pub mod transport;
mod trouble;
pub mod verdict;
pub mod window;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::secret::Secret;
use crate::config::values::BaseUrl;
use crate::lock::{Condvar, Mutex, RwLock};
use crate::state::exchange::Exchange;
use answer::{Answer, Headers};
use asked::Asked;
use at_once::AtOnce;
use credential::Credential;
use first_answer::{FirstAnswer, Heard};
use pace::{Health, Method, Pace};
use refusal::{Policy, Refusal};
use retired::RetiredCalls;
use tally::Tally;
use transport::{Carrier, Line, Outgoing, Transport, Unanswered};
pub use trouble::{Trouble, TroubleKind};
use verdict::Verdict;

/// A call waits up to this long itself. If it would have to wait longer, it returns and its job is put aside.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many rate limits one call may meet before its job is put aside.
const TRIES: u32 = 10;
/// How often one call is repeated after a 401 to a fetched token: GitHub may not know a newly issued token yet.
const MOST_REFUSALS: u32 = 8;
/// How long a call waits after it failed for a reason of its own. Other calls continue.
pub const POSTPONED: Duration = Duration::from_secs(300);

/// How an exchange's text begins if no answer came in time. [`Reply::is_late`] looks for it.
const LATE: &str = "no answer in time";

/// The client of one host, GitHub or Sentry.
pub struct Upstream {
    clock: Clock,
    name: &'static str,
    base: BaseUrl,
    transport: Arc<dyn Transport>,
    credential: RwLock<Credential>,
    /// How often the credential was replaced.
    replaced: AtomicU64,
    headers: &'static [(&'static str, &'static str)],
    pace: Mutex<Pace>,
    at_once: Arc<AtOnce>,
    retired: Arc<RetiredCalls>,
    first: Arc<FirstAnswer>,
    stopping: Condvar,
    stopped: AtomicBool,
    tally: Mutex<Tally>,
    /// Whether the last call was answered, so that its connection may have been kept.
    keeps: AtomicBool,
    token_expires: Mutex<Option<String>>,
}

/// One call: method, path with query (without host and port), body.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// Begins with a slash. Every part that comes from outside is percent-encoded.
    pub path: String,
    /// JSON.
    pub body: Option<serde_json::Value>,
}

impl Request {
    pub fn get(path: String) -> Self {
        Self { method: Method::Get, path, body: None }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.name(), self.path)
    }
}

/// The outcome of a call.
#[derive(Debug)]
pub struct Reply {
    pub verdict: Verdict,
    /// The answer; empty, with status 0, if there was none.
    pub answer: Answer,
    /// For the audit log.
    pub exchange: Exchange,
}

impl Upstream {
    /// Makes the client of one host. It sends the credential's token and `headers` with every call. `classes` names the
    /// two kinds of calls that the host counts separately, reads first.
    pub fn new(
        name: &'static str,
        classes: [&'static str; tally::N_CLASSES],
        base: &BaseUrl,
        credential: Credential,
        headers: &'static [(&'static str, &'static str)],
        carrier: &dyn Carrier,
        clock: &Clock,
    ) -> Self {
        Self {
            name,
            clock: clock.clone(),
            base: base.clone(),
            transport: carrier.to(base),
            credential: RwLock::new(credential),
            replaced: AtomicU64::new(0),
            headers,
            pace: Mutex::default(),
            at_once: Arc::default(),
            retired: Arc::default(),
            first: Arc::default(),
            stopping: Condvar::new(),
            stopped: AtomicBool::new(false),
            tally: Mutex::new(Tally::new(classes)),
            keeps: AtomicBool::new(false),
            token_expires: Mutex::default(),
        }
    }

    /// A client with the same host, token and connections, but its own pace: for a check that must not wait for an
    /// earlier refusal, and must not change the host's health for other callers.
    pub fn afresh(&self) -> Self {
        Self {
            name: self.name,
            clock: self.clock.clone(),
            base: self.base.clone(),
            transport: self.transport.clone(),
            credential: RwLock::new(self.credential()),
            headers: self.headers,
            pace: Mutex::default(),
            at_once: self.at_once.clone(),
            retired: self.retired.clone(),
            first: self.first.clone(),
            stopping: Condvar::new(),
            stopped: AtomicBool::new(false),
            tally: Mutex::new(self.tally()),
            keeps: AtomicBool::new(self.keeps.load(Ordering::Relaxed)),
            token_expires: Mutex::new(self.token_expires()),
            replaced: AtomicU64::new(0),
        }
    }

    /// A client for the same API at another address, without a token.
    pub fn without_token(&self, base: &BaseUrl) -> Self {
        let credential = RwLock::new(Credential::Standing(Secret::new("")));
        Self { base: base.clone(), credential, first: Arc::default(), ..self.afresh() }
    }

    /// Whether the token has this prefix, which shows its kind. Always false for a GitHub App.
    pub fn token_begins(&self, with: &str) -> bool {
        matches!(self.credential(), Credential::Standing(token) if token.expose().starts_with(with))
    }

    fn credential(&self) -> Credential {
        self.credential.read().clone()
    }

    /// Makes a call once the host's pace allows it. After a rate limit with a short wait, it waits and repeats the
    /// call, because a rate-limited call was not carried out.
    pub fn ask(&self, asked: Asked, request: &Request) -> Reply {
        self.ask_by(&|| self.credential(), asked, request)
    }

    /// Like [`Upstream::ask`], but signed in with `by`.
    pub fn ask_signed(&self, asked: Asked, request: &Request, by: Credential) -> Reply {
        self.ask_by(&|| by.clone(), asked, request)
    }

    fn ask_by(&self, credential: &dyn Fn() -> Credential, asked: Asked, request: &Request) -> Reply {
        let (mut tries, mut refusals, mut line) = (0, 0, Line::Any);
        loop {
            let replaced = self.replaced.load(Ordering::Acquire);
            let credential = credential();
            let token = match credential.token(self) {
                Ok(token) => token,
                Err(reply) => return *reply,
            };
            let Some(place) = self.at_once.take() else { return self.not_asked(request, Duration::ZERO) };
            let wait = self.pace.lock().turn(request.method, self.clock.now());
            // A call that has to wait gives its place back.
            let place = Some(place).filter(|_| wait.is_zero());
            if wait > PATIENCE || (!wait.is_zero() && !self.sleep(wait)) {
                return self.not_asked(request, wait);
            }
            if !wait.is_zero() {
                continue;
            }
            let (reply, was_closed) = self.call(asked, request, line, (credential.name(asked), &token));
            drop(place);
            self.at_once.learn(reply.answer.headers.concurrent_remaining);
            // Hosts close kept connections at some time, perhaps while one is reused. That is no sign of an outage.
            let was_kept = line == Line::Any && self.keeps.load(Ordering::Relaxed);
            if was_closed && was_kept && request.method == Method::Get {
                self.pace.lock().repeats(request.method);
                line = Line::Fresh;
                continue;
            }
            self.keeps.store(reply.answer.status != 0, Ordering::Relaxed);
            let again = match &reply.verdict {
                // The host refused the old token and carried out nothing: try the new token.
                Verdict::Refused(_) if replaced != self.replaced.load(Ordering::Acquire) => {
                    Some(Duration::ZERO)
                }
                Verdict::Refused(_) if reply.answer.status == 401 && refusals < MOST_REFUSALS => {
                    credential.refused(&token, reply.answer.headers.date)
                }
                _ => None,
            };
            if let Some(wait) = again {
                refusals += 1;
                self.pace.lock().repeats(request.method);
                if wait.is_zero() || self.sleep(wait) {
                    continue;
                }
            }
            self.learn(asked, request, &reply);
            tries += 1;
            match reply.verdict {
                Verdict::Wait(wait) if wait <= PATIENCE && tries < TRIES => {}
                _ => return reply,
            }
        }
    }

    /// How long no call at all can be made to this host; `None` if it isn't paused.
    pub fn paused_for(&self) -> Option<Duration> {
        self.pace.lock().paused_for(self.clock.now())
    }

    pub fn health(&self) -> Health {
        self.pace.lock().health()
    }

    /// Whether the expected API has answered since start.
    pub fn heard(&self) -> Heard {
        self.first.heard()
    }

    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The numbers of calls and failures since start, and the last reported rates.
    pub fn tally(&self) -> Tally {
        *self.tally.lock()
    }

    /// When the token expires, as the host last reported.
    pub fn token_expires(&self) -> Option<String> {
        self.token_expires.lock().clone()
    }

    /// Treats the token as refused, for a reason that the caller found and that no single answer shows.
    pub fn refuse(&self, why: &str) {
        if self.pace.lock().refused(why, self.clock.now()) {
            log::error!("{}: {why}", self.name);
        }
    }

    /// Like [`Upstream::refuse`], but tries again after `pause`: for faults that take longer to be fixed than a token.
    pub fn refuse_for(&self, why: &str, pause: Duration) {
        if self.pace.lock().refused_for(why, pause, self.clock.now()) {
            log::error!("{}: {why}", self.name);
        }
    }

    /// One sentence for each call that the host says it is retiring.
    pub fn retired(&self) -> Vec<String> {
        self.retired.all()
    }

    /// Signs in all further calls with `fresh`. Returns whether it differs from the old credential; if it does,
    /// refusals, rates and expiry of the old one are forgotten.
    pub fn sign_in(&self, fresh: Credential) -> bool {
        if self.credential() == fresh {
            return false;
        }
        *self.credential.write() = fresh;
        self.replaced.fetch_add(1, Ordering::Release);
        *self.token_expires.lock() = None;
        self.forget_refusal();
        self.tally.lock().forget_budgets();
        true
    }

    /// Forgets that the token was refused, because something about it has changed.
    pub fn forget_refusal(&self) {
        self.pace.lock().forget_token();
    }

    /// Wakes all callers that wait for the pace. No call is made from then on.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        drop(self.pace.lock());
        self.stopping.notify_all();
        self.at_once.stop();
    }

    /// Aborts the calls in progress, once the time to stop is over.
    pub fn cut(&self) {
        self.transport.cut();
    }

    /// Sleeps; `false` if the process stops meanwhile.
    fn sleep(&self, wait: Duration) -> bool {
        let stopped = || self.stopped.load(Ordering::Relaxed);
        drop(self.stopping.wait_timeout_while(self.pace.lock(), wait, |_| !stopped()));
        !stopped()
    }

    fn not_asked(&self, request: &Request, wait: Duration) -> Reply {
        let why = match self.health() {
            Health::Well => "waiting for the rate limit".to_string(),
            Health::Down(why) | Health::Refused(why) => format!("waiting: {why}"),
        };
        Reply {
            verdict: Verdict::Wait(wait.max(Duration::from_millis(200))),
            answer: Answer::default(),
            exchange: Exchange { call: request.to_string(), answer: why },
        }
    }

    /// Makes one call. Also returns whether the host closed the connection before the answer was complete.
    fn call(
        &self,
        asked: Asked,
        request: &Request,
        line: Line,
        (name, token): (&str, &Secret),
    ) -> (Reply, bool) {
        self.tally.lock().ask(asked);
        let began = self.clock.now();
        let mut was_closed = false;
        let (verdict, answer, said) = match self.send(request, line, token) {
            Ok(answer) => {
                let verdict = verdict::judge(asked, &answer, name, self.clock.wall());
                let said = if answer.status < 300 { answer.status.to_string() } else { answer.brief() };
                (verdict, answer, said)
            }
            Err(error) => {
                was_closed = matches!(error, Unanswered::Cut(_));
                let (verdict, said) = no_answer(&error);
                (verdict, Answer::default(), said)
            }
        };
        let exchange = Exchange { call: request.to_string(), answer: said };
        let Exchange { call, answer: said } = &exchange;
        say!(
            log::Level::Debug,
            "{}: {call} -> {said} in {} ms",
            self.name,
            self.clock.since(began).as_millis()
        );
        (Reply { verdict, answer, exchange }, was_closed)
    }

    fn send(&self, request: &Request, line: Line, token: &Secret) -> Result<Answer, Unanswered> {
        let body = request.body.as_ref().map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| Unanswered::Otherwise(error.to_string()))?;
        let bearer = bearer(token);
        let token = bearer.as_ref().map(|bearer| ("authorization", bearer.expose()));
        let kind = body.is_some().then_some(("content-type", "application/json"));
        let headers = token.into_iter().chain(self.headers.iter().copied()).chain(kind).collect();
        let uri = format!("{}{}", self.base.origin(), request.path);
        self.transport.exchange(Outgoing { method: request.method, uri, headers, body, line })
    }

    fn learn(&self, asked: Asked, request: &Request, reply: &Reply) {
        let now = self.clock.now();
        let headers = &reply.answer.headers;
        let told = told_of_the_token(&reply.verdict, headers);
        self.first.learn(Heard::of(asked, reply));
        self.tally.lock().learn(asked, &reply.verdict, told);
        if let Some(expires) = &headers.token_expires {
            *self.token_expires.lock() = Some(expires.clone());
        }
        if let Some(said) = self.retired.learn(request, headers) {
            log::warn!("{}: {said}: a newer version of sentry-team-sync may be needed", self.name);
        }
        let (method, mut pace) = (request.method, self.pace.lock());
        pace.came_back(method, told, headers.date.map(|date| date.0 / 1000), now);
        let is_used_up = headers.remaining == Some(0) && headers.told().is_none();
        if is_used_up && headers.retry_after.is_none() {
            let wait = headers.until_reset(self.clock.wall()).unwrap_or(1);
            pace.hold(method, Duration::from_secs(wait), now);
        }
        match &reply.verdict {
            Verdict::Wait(wait) => {
                pace.well();
                pace.overdrawn();
                pace.hold(method, *wait, now);
            }
            Verdict::Unknown(why) => {
                if pace.failed(why, now) {
                    log::warn!("{}: down, deliveries are waiting: {why}", self.name);
                }
            }
            Verdict::Refused(why) => {
                if pace.refused(why, now) {
                    log::error!("{}: {why}; deliveries wait until this is fixed", self.name);
                }
            }
            verdict => {
                let is_over = match verdict {
                    Verdict::Denied(_) | Verdict::Missing | Verdict::Nowhere | Verdict::Postponed(_) => {
                        pace.answered()
                    }
                    _ => pace.well(),
                };
                if is_over {
                    log::info!("{}: responding again", self.name);
                }
            }
        }
    }
}

/// The token's rate, if the answer reports it. An answer that refuses the token reports the rate of anonymous calls
/// (GitHub: 60 an hour per address). A failed call may have failed before its rate was known. If a rate limit has
/// `Retry-After`, that alone counts: the window's reset may be an hour away.
fn told_of_the_token(verdict: &Verdict, headers: &Headers) -> Option<window::Told> {
    headers.told().filter(|_| match verdict {
        Verdict::Refused(_) | Verdict::Unknown(_) => false,
        Verdict::Wait(_) => headers.retry_after.is_none(),
        _ => true,
    })
}

/// The value of the `Authorization` header; `None` without a token.
fn bearer(token: &Secret) -> Option<Secret> {
    let token = Some(token.expose()).filter(|token| !token.is_empty())?;
    Some(Secret::new(format!("Bearer {token}")))
}

impl Reply {
    /// Who sent a 403, 404 or 451 to a call of GitHub's REST API, and why.
    pub fn refusal(&self) -> Option<Refusal> {
        Refusal::of(&self.answer)
    }

    /// The policy that refuses the token, if this answer names one.
    pub fn policy(&self) -> Option<Policy> {
        match self.refusal()? {
            Refusal::Policy(policy) => Some(policy),
            _ => None,
        }
    }

    /// Whether the host took too long: it gave up itself (502 or 504), or no answer came in time.
    pub fn is_late(&self) -> bool {
        matches!(self.answer.status, 502 | 504)
            || self.answer.status == 0 && self.exchange.answer.starts_with(LATE)
    }
}

/// The verdict on a call without an answer. It may have taken place, unless the certificate was rejected.
fn no_answer(error: &Unanswered) -> (Verdict, String) {
    match error {
        Unanswered::Late(phase) => {
            let said = format!("{LATE} ({phase})");
            (Verdict::Unknown(said.clone()), said)
        }
        Unanswered::Untrusted(error) => {
            let why =
                format!("its certificate is not trusted ({error}): name your authority in SSL_CERT_FILE");
            (Verdict::Refused(why), format!("no answer: {error}"))
        }
        Unanswered::Cut(error) | Unanswered::Otherwise(error) => {
            let said = format!("no answer: {error}");
            (Verdict::Unknown(said.clone()), said)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_whoever_has_no_token_is_not_the_tokens() {
        let headers = Headers { limit: Some(60), remaining: Some(59), reset: Some(1), ..Headers::default() };
        let told = |verdict: Verdict| told_of_the_token(&verdict, &headers).is_some();
        assert!(told(Verdict::Done) && told(Verdict::Missing) && told(Verdict::Denied("no".into())));
        assert!(!told(Verdict::Refused("bad credentials".into())));
        assert!(!told(Verdict::Unknown("503".into())));
    }

    #[test]
    fn a_named_wait_counts_and_not_the_end_of_the_window() {
        let headers = Headers { limit: Some(60), remaining: Some(0), reset: Some(1), ..Headers::default() };
        let limited = Verdict::Wait(Duration::from_secs(1));
        assert!(told_of_the_token(&limited, &headers).is_some());
        let named = Headers { retry_after: Some(1), ..headers };
        assert_eq!(told_of_the_token(&limited, &named), None);
        assert!(told_of_the_token(&Verdict::Done, &named).is_some());
    }

    #[test]
    fn a_host_that_took_too_long_is_told_from_one_that_failed() {
        let late = |status, error: Option<Unanswered>| {
            let (verdict, said) = error.as_ref().map_or((Verdict::Done, String::new()), no_answer);
            let answer = Answer { status, ..Answer::default() };
            Reply { verdict, answer, exchange: Exchange { call: String::new(), answer: said } }.is_late()
        };
        let out_of_time = Unanswered::Late("receive response".into());
        assert!(late(0, Some(out_of_time)) && late(502, None) && late(504, None));
        assert!(
            !late(0, Some(Unanswered::Otherwise("host not found".into())))
                && !late(500, None)
                && !late(503, None)
        );
    }
}
