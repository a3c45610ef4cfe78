//! Sentry's rate limits: fixed windows per method and owner, parallel calls, and invites.
//!
//! Facts: sentry.io answers 429 with a bare JSON string as `text/html` and no `Retry-After`; a
//! self-hosted server has neither the limit nor the headers. Counted per method and, for an
//! integration, per organisation (all its integrations together), for a user token per user, else
//! per address. Invites have limits of their own, on self-hosted servers too. Today's body is JSON all the same, and says
//! when too many calls ran at once, which is counted here for tests too.

use super::auth::{authenticate, Caller};
use super::era::Rules;
use super::route::Route;
use super::world::{Who, World};
use crate::standin::http::{lock, Request, Response};
use crate::standin::time::{self, epoch_seconds};
use crate::standin::wire::Admission;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The announced limit of a server that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls per window.
    pub calls: u64,
    /// Length of a window in whole seconds.
    pub window_seconds: u64,
    /// Parallel calls, announced on every answer.
    pub parallel: u64,
    /// Whether more parallel calls are refused; 23.7.1 does so only when configured. Where it is not, today's servers put a
    /// number of their own in place of the one above.
    pub enforce_parallel: bool,
}

impl RateLimit {
    /// So many calls per second; parallel calls announced as 999 and not enforced.
    pub fn per_second(calls: u64) -> RateLimit {
        RateLimit { calls, window_seconds: 1, parallel: 999, enforce_parallel: false }
    }

    /// The same with at most so many calls at once.
    pub fn parallel(self, parallel: u64) -> RateLimit {
        RateLimit { parallel, enforce_parallel: true, ..self }
    }
}

/// The limit that holds on this Sentry.
fn in_force(limit: RateLimit, rules: &Rules) -> RateLimit {
    match rules.at_once {
        Some(calls) if !limit.enforce_parallel => limit.parallel(calls),
        _ => limit,
    }
}

/// What is counted, per key.
#[derive(Default)]
pub(crate) struct Counters {
    windows: Mutex<BTreeMap<String, (u64, u64)>>,
    running: Arc<Mutex<BTreeMap<String, u64>>>,
    crowd: Arc<Mutex<Crowd>>,
}

/// How many calls run, whosever they are, and how many ever ran at once.
#[derive(Default)]
struct Crowd {
    now: u64,
    most: u64,
}

/// A running call; counts until dropped.
struct Running {
    /// Where its limit counts it, if there is one.
    key: Option<String>,
    all: Arc<Mutex<BTreeMap<String, u64>>>,
    crowd: Arc<Mutex<Crowd>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.crowd).now -= 1;
        let Some(key) = &self.key else { return };
        if let Some(count) = lock(&self.all).get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Counters {
    /// Counts a call and says whether it may go on.
    pub fn admit(&self, world: &World, request: &Request) -> Admission {
        let Some(limit) = world.limit else {
            return self.let_in();
        };
        let (limit, key) = key_of(world, request, in_force(limit, world.rules()));
        let now = epoch_seconds(time::now());
        let window = now / limit.window_seconds;
        let reset = (window + 1) * limit.window_seconds;
        let count = self.count(&key, window);
        let over = count > limit.calls;
        let running = lock(&self.running).get(&key).copied().unwrap_or(0) + 1;
        let crowded = !over && limit.enforce_parallel && running > limit.parallel;
        let parallel_left = (!over).then(|| limit.parallel.saturating_sub(running));
        let left = limit.calls.saturating_sub(count);
        // What is refused does not count as running, for any limit.
        let held = self.enter(Some(key).filter(|_| !over && !crowded));
        Admission {
            refused: (over || crowded).then(|| refusal(&limit, world.rules(), crowded)),
            headers: headers(&limit, left, reset, parallel_left, world.rules()),
            held: Some(Box::new(held)),
        }
    }

    /// Lets a call in that no limit counts.
    pub fn let_in(&self) -> Admission {
        let held = self.enter(None);
        Admission { held: Some(Box::new(held)), ..Admission::default() }
    }

    /// The most calls that ever ran at once.
    pub fn most_at_once(&self) -> u64 {
        lock(&self.crowd).most
    }

    /// Forgets how many there were.
    pub fn reset_most_at_once(&self) {
        let mut crowd = lock(&self.crowd);
        crowd.most = crowd.now;
    }

    fn enter(&self, key: Option<String>) -> Running {
        let mut crowd = lock(&self.crowd);
        crowd.now += 1;
        crowd.most = crowd.most.max(crowd.now);
        if let Some(key) = &key {
            *lock(&self.running).entry(key.clone()).or_default() += 1;
        }
        Running { key, all: Arc::clone(&self.running), crowd: Arc::clone(&self.crowd) }
    }

    fn count(&self, key: &str, window: u64) -> u64 {
        let mut windows = lock(&self.windows);
        let entry = windows.entry(key.to_owned()).or_insert((window, 0));
        if entry.0 != window {
            *entry = (window, 0);
        }
        entry.1 += 1;
        entry.1
    }
}

/// Who is counted, and by which limit. The members' listing may have one of its own.
fn key_of(world: &World, request: &Request, limit: RateLimit) -> (RateLimit, String) {
    let owner = match authenticate(world, request) {
        Ok(Some(Caller { who: Who::Integration { org, .. }, .. })) => format!("org:{org}"),
        Ok(Some(Caller { who: Who::User(user), .. })) => format!("user:{user}"),
        _ => "ip:127.0.0.1".to_owned(),
    };
    let members = matches!(Route::find(request.path()), Some(Route::Members { .. }));
    match world.rules().members_a_second {
        Some(calls) if members && matches!(request.method.as_str(), "GET" | "POST") => {
            let calls = limit.calls.min(calls * limit.window_seconds);
            (RateLimit { calls, ..limit }, format!("{owner}:members:{}", request.method))
        }
        _ => (limit, format!("{owner}:{}", request.method)),
    }
}

/// The 429 of a window that is used up, or of too many calls at once.
pub(crate) fn refusal(limit: &RateLimit, rules: &Rules, crowded: bool) -> Response {
    let words = if crowded && rules.crowd_told_apart {
        format!(
        "You are attempting to go above the allowed concurrency for this endpoint. Concurrency limit is {}",
        limit.parallel
    )
    } else {
        format!(
            "You are attempting to use this endpoint too frequently. Limit is {} requests in {} seconds",
            limit.calls, limit.window_seconds
        )
    };
    let body = if rules.limit_told_as_object { json!({ "detail": words }) } else { json!(words) };
    // Both bodies are JSON, and both are announced as pages.
    Response::new(429, "text/html; charset=utf-8", body.to_string())
}

/// The five headers. How many more may run at once is unknown where the window refuses already.
pub(crate) fn headers(
    limit: &RateLimit,
    left: u64,
    reset: u64,
    parallel_left: Option<u64>,
    rules: &Rules,
) -> Vec<(String, String)> {
    let unknown = rules.unknown_rest_is_a_word.then(|| "None".to_owned());
    let lines = [
        ("Remaining", Some(left.to_string())),
        ("Limit", Some(limit.calls.to_string())),
        ("Reset", Some(reset.to_string())),
        ("ConcurrentRemaining", parallel_left.map(|left| left.to_string()).or(unknown)),
        ("ConcurrentLimit", Some(limit.parallel.to_string())),
    ];
    let known = lines.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known.map(|(name, value)| (format!("X-Sentry-Rate-Limit-{name}"), value)).collect()
}

/// Invites counted for a day that never ends: 10 per address and organisation, 100 per inviter,
/// 100 per organisation.
#[derive(Clone, Debug, Default)]
pub(crate) struct InviteCounts(BTreeMap<String, u64>);

impl InviteCounts {
    /// Counts one more; true when it is one too many. All three are counted, also when one refuses.
    pub fn exceeded(&mut self, org: u64, inviter: u64, email: &str) -> bool {
        let limits = [
            (format!("user:{inviter}"), 100),
            (format!("org:{org}"), 100),
            (format!("email:{org}:{}", email.to_lowercase()), 10),
        ];
        let mut exceeded = false;
        for (key, limit) in limits {
            let count = self.0.entry(key).or_default();
            *count += 1;
            exceeded |= *count > limit;
        }
        exceeded
    }
}
