//! Sentry's rate limits: fixed windows per method and owner, parallel calls, and invites.
//!
//! Facts: sentry.io answers 429 with a bare JSON string as `text/html` and no `Retry-After`; a
//! self-hosted server has neither the limit nor the headers. Counted per method and, for an
//! integration, per organisation (all its integrations together), for a user token per user, else
//! per address. Invites have limits of their own, on self-hosted servers too.

use super::auth::{authenticate, Caller};
use super::route::Route;
use super::world::{Who, World};
use crate::standin::http::{lock, Request, Response};
use crate::standin::time::epoch_seconds;
use crate::standin::wire::Admission;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// The announced limit of a server that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls per window.
    pub calls: u64,
    /// Length of a window in whole seconds.
    pub window_seconds: u64,
    /// Parallel calls, announced on every answer.
    pub parallel: u64,
    /// Whether more parallel calls are refused; 23.7.1 does so only when configured.
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

/// What is counted, per key.
#[derive(Default)]
pub(crate) struct Counters {
    windows: Mutex<BTreeMap<String, (u64, u64)>>,
    running: Arc<Mutex<BTreeMap<String, u64>>>,
}

/// A running call; counts until dropped.
struct Running {
    key: String,
    all: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(count) = lock(&self.all).get_mut(&self.key) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Counters {
    /// Counts a call and says whether it may go on.
    pub fn admit(&self, world: &World, request: &Request) -> Admission {
        let Some(limit) = world.limit else {
            return Admission::default();
        };
        let (limit, key) = key_of(world, request, limit);
        let now = epoch_seconds(SystemTime::now());
        let window = now / limit.window_seconds;
        let reset = (window + 1) * limit.window_seconds;
        let count = self.count(&key, window);
        let over = count > limit.calls;
        let mut admission = Admission::default();
        let mut parallel_left = "None".to_owned();
        let mut crowded = false;
        if !over {
            let running = self.start(&key);
            crowded = limit.enforce_parallel && running > limit.parallel;
            parallel_left = limit.parallel.saturating_sub(running).to_string();
            admission.held = Some(Box::new(Running { key, all: Arc::clone(&self.running) }));
        }
        if over || crowded {
            admission.refused = Some(refusal(&limit));
        }
        admission.headers = headers(&limit, limit.calls.saturating_sub(count), reset, parallel_left);
        admission
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

    fn start(&self, key: &str) -> u64 {
        let mut running = lock(&self.running);
        let count = running.entry(key.to_owned()).or_default();
        *count += 1;
        *count
    }
}

/// Who is counted, and by which limit. Newer servers give the members listing a limit of its own.
fn key_of(world: &World, request: &Request, limit: RateLimit) -> (RateLimit, String) {
    let owner = match authenticate(world, request) {
        Ok(Some(Caller { who: Who::Integration { org, .. }, .. })) => format!("org:{org}"),
        Ok(Some(Caller { who: Who::User(user), .. })) => format!("user:{user}"),
        _ => "ip:127.0.0.1".to_owned(),
    };
    let members = matches!(Route::find(request.path()), Some(Route::Members { .. }));
    if world.newer() && members && matches!(request.method.as_str(), "GET" | "POST") {
        return (
            RateLimit { calls: limit.calls.min(40), ..limit },
            format!("{owner}:members:{}", request.method),
        );
    }
    (limit, format!("{owner}:{}", request.method))
}

/// The 429 of a window that is used up; too many parallel calls get the same words.
pub(crate) fn refusal(limit: &RateLimit) -> Response {
    let body = format!(
        "\"You are attempting to use this endpoint too frequently. Limit is {} requests in {} seconds\"",
        limit.calls, limit.window_seconds
    );
    Response::new(429, "text/html; charset=utf-8", body)
}

/// The five headers.
pub(crate) fn headers(
    limit: &RateLimit,
    left: u64,
    reset: u64,
    parallel_left: String,
) -> Vec<(String, String)> {
    let line = |name: &str, value: String| (format!("X-Sentry-Rate-Limit-{name}"), value);
    vec![
        line("Remaining", left.to_string()),
        line("Limit", limit.calls.to_string()),
        line("Reset", reset.to_string()),
        line("ConcurrentRemaining", parallel_left),
        line("ConcurrentLimit", limit.parallel.to_string()),
    ]
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
