//! The one place that speaks HTTP to GitHub and Sentry: agent, timeouts, pace, verdict.
//!
//! It never follows a redirect (a token would travel, and a DELETE would turn into a GET), never repeats a call that may
//! have changed something and whose outcome is unknown, and never holds a token in anything that can be printed. A GET
//! that met a kept connection at the moment when the other side closed it is asked once more, on a fresh one.

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

/// Waits up to this long happen within the call; longer ones are the job's business, which is put aside.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many rate limits one call bears before its job is put aside.
const TRIES: u32 = 10;
/// How many 401 one call bears that tokens get which are fetched: one that has just been made may not be known yet.
const MOST_REFUSALS: u32 = 8;
/// When something is asked again that failed alone, while everything else goes on.
pub const POSTPONED: Duration = Duration::from_secs(300);

/// How an exchange without an answer in time tells itself.
const LATE: &str = "no answer in time";

/// One of the two hosts.
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
    /// A connection that was good may be kept: the last call was answered.
    keeps: AtomicBool,
    token_expires: Mutex<Option<String>>,
}

/// One call: method, path behind host and port (with its query), body.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// Begins with a slash; every foreign part is percent-encoded.
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

/// What came of a call.
#[derive(Debug)]
pub struct Reply {
    pub verdict: Verdict,
    /// The answer; empty, with status 0, if there was none.
    pub answer: Answer,
    /// For the audit log.
    pub exchange: Exchange,
}

impl Upstream {
    /// A client of one host. The credential's token and `headers` go with every call. `classes`: how the host calls reads, and what it
    /// counts apart from them.
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

    /// The same host and token, with the same connections and a pace of its own: for one look that must not wait for
    /// what was refused before, nor change how the host is seen by others.
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

    /// The same API at another address, asked by somebody without a token.
    pub fn without_token(&self, base: &BaseUrl) -> Self {
        let credential = RwLock::new(Credential::Standing(Secret::new("")));
        Self { base: base.clone(), credential, first: Arc::default(), ..self.afresh() }
    }

    /// Whether the token begins like this: its kind is told by its first letters.
    pub fn token_begins(&self, with: &str) -> bool {
        matches!(self.credential(), Credential::Standing(token) if token.expose().starts_with(with))
    }

    fn credential(&self) -> Credential {
        self.credential.read().clone()
    }

    /// Asks, waiting for the host's pace. Rate limits that name a short wait are waited for and asked again: they
    /// say that nothing was carried out.
    pub fn ask(&self, asked: Asked, request: &Request) -> Reply {
        self.ask_by(&|| self.credential(), asked, request)
    }

    /// The same, signed in by this.
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
            // Nobody keeps a place who only waits.
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
            // Whoever keeps connections closes them at some time, which may be this very moment: no sign of an outage.
            let was_kept = line == Line::Any && self.keeps.load(Ordering::Relaxed);
            if was_closed && was_kept && request.method == Method::Get {
                self.pace.lock().came_back(request.method, None, None, self.clock.now());
                line = Line::Fresh;
                continue;
            }
            self.keeps.store(reply.answer.status != 0, Ordering::Relaxed);
            let again = match &reply.verdict {
                // It says nothing of the new token, and nothing was carried out.
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
                self.pace.lock().came_back(request.method, None, None, self.clock.now());
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

    /// How long nothing can be asked of this host.
    pub fn paused_for(&self) -> Option<Duration> {
        self.pace.lock().paused_for(self.clock.now())
    }

    pub fn health(&self) -> Health {
        self.pace.lock().health()
    }

    /// Whether it has answered as the API that it is taken for, since the start.
    pub fn heard(&self) -> Heard {
        self.first.heard()
    }

    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it was asked and how it answered, since start.
    pub fn tally(&self) -> Tally {
        *self.tally.lock()
    }

    /// When the token expires, as the host last said.
    pub fn token_expires(&self) -> Option<String> {
        self.token_expires.lock().clone()
    }

    /// Treats the token as refused: a call told so in a way that one answer alone does not show.
    pub fn refuse(&self, why: &str) {
        if self.pace.lock().refused(why, self.clock.now()) {
            log::error!("{}: {why}", self.name);
        }
    }

    /// The same for what changes more seldom than a token, and is tried again after this time.
    pub fn refuse_for(&self, why: &str, pause: Duration) {
        if self.pace.lock().refused_for(why, pause, self.clock.now()) {
            log::error!("{}: {why}", self.name);
        }
    }

    /// The calls that the host says it is retiring, a sentence each.
    pub fn retired(&self) -> Vec<String> {
        self.retired.all()
    }

    /// Calls are signed in with this from now on. Returns whether it is something else: what was said of the old one is
    /// forgotten then.
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

    /// That the token was refused says nothing any more: something about it has changed.
    pub fn forget_refusal(&self) {
        self.pace.lock().forget_token();
    }

    /// Wakes everybody who waits for the pace; no call is made from then on.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        drop(self.pace.lock());
        self.stopping.notify_all();
        self.at_once.stop();
    }

    /// Cuts the calls that are under way: the end of the time to stop.
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

    /// One call, and whether the other side closed the connection before its answer was whole.
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

/// What an answer says of the token's rate. One that refuses the token tells that of whoever has none (GitHub: 60 calls an
/// hour by address), one that failed may not have come as far as to know, and where `Retry-After` names the wait, it
/// counts: the window's reset may be an hour away.
fn told_of_the_token(verdict: &Verdict, headers: &Headers) -> Option<window::Told> {
    headers.told().filter(|_| match verdict {
        Verdict::Refused(_) | Verdict::Unknown(_) => false,
        Verdict::Wait(_) => headers.retry_after.is_none(),
        _ => true,
    })
}

/// Whoever has no token says nothing of one.
fn bearer(token: &Secret) -> Option<Secret> {
    let token = Some(token.expose()).filter(|token| !token.is_empty())?;
    Some(Secret::new(format!("Bearer {token}")))
}

impl Reply {
    /// Whose word a 403, 404 or 451 of GitHub's REST API is.
    pub fn refusal(&self) -> Option<Refusal> {
        Refusal::of(&self.answer)
    }

    /// The policy that refuses the token, if that is what this answer says.
    pub fn policy(&self) -> Option<Policy> {
        match self.refusal()? {
            Refusal::Policy(policy) => Some(policy),
            _ => None,
        }
    }

    /// The host took too long: it gave up on itself, or was given up.
    pub fn is_late(&self) -> bool {
        matches!(self.answer.status, 502 | 504)
            || self.answer.status == 0 && self.exchange.answer.starts_with(LATE)
    }
}

/// No answer at all: whether the call took place is unknown, unless the certificate was the reason.
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
