//! GitHub's rate limits: the hourly one per user, the secondary ones, and their headers.
//!
//! Facts: all tokens of a user share one count; exceeding it is 403 (or 429) with
//! `x-ratelimit-remaining: 0`; the secondary limit is 403 with `Retry-After` and a
//! `documentation_url` that names it; an Enterprise Server has none of it unless switched on.

use super::state::{State, Usage};
use crate::standin::http::Response;
use crate::standin::time::{self, epoch_seconds};
use serde_json::json;
use std::time::{Duration, SystemTime};

/// Which hourly limit a call counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Core,
    Graphql,
}

impl Resource {
    pub fn name(self) -> &'static str {
        match self {
            Resource::Core => "core",
            Resource::Graphql => "graphql",
        }
    }
}

impl State {
    /// The size of a limit for somebody; without a token it is 60.
    pub fn limit_of(&self, owner: &str, resource: Resource) -> u64 {
        match resource {
            Resource::Core if owner == "anonymous" => self.limits.core.min(60),
            Resource::Core => self.limits.core,
            Resource::Graphql => self.limits.graphql,
        }
    }

    /// The present use of a limit; a new window starts when the last is over.
    pub fn usage_of(&mut self, owner: &str, resource: Resource) -> Usage {
        let now = time::now();
        let fresh = Usage { used: 0, reset: now + self.limits.window };
        let usage = self.usage.entry(format!("{owner}:{}", resource.name())).or_insert(fresh);
        if usage.reset <= now {
            *usage = fresh;
        }
        *usage
    }

    /// Counts points; false when they are more than what is left, and then nothing is counted.
    pub fn spend(&mut self, owner: &str, resource: Resource, points: u64) -> bool {
        let usage = self.usage_of(owner, resource);
        if usage.used + points > self.limit_of(owner, resource) {
            return false;
        }
        if let Some(usage) = self.usage.get_mut(&format!("{owner}:{}", resource.name())) {
            usage.used += points;
        }
        true
    }

    /// Counts points of the present minute; false when they are too many.
    pub fn spend_minute(&mut self, owner: &str, resource: Resource) -> bool {
        let Some((core, graphql)) = self.limits.per_minute else {
            return true;
        };
        let now = time::instant();
        let entry = self.per_minute.entry(format!("{owner}:{}", resource.name())).or_insert((now, 0));
        if now.duration_since(entry.0) >= Duration::from_secs(60) {
            *entry = (now, 0);
        }
        entry.1 += 1;
        entry.1 <= if resource == Resource::Core { core } else { graphql }
    }

    /// The headers of every answer.
    pub fn limit_headers(&mut self, owner: &str, resource: Resource) -> Vec<(String, String)> {
        if self.enterprise_server() {
            return Vec::new();
        }
        let (limit, usage) = (self.limit_of(owner, resource), self.usage_of(owner, resource));
        limit_lines(limit, usage.used, usage.reset, resource)
    }
}

fn limit_lines(limit: u64, used: u64, reset: SystemTime, resource: Resource) -> Vec<(String, String)> {
    let line = |name: &str, value: String| (format!("X-RateLimit-{name}"), value);
    vec![
        line("Limit", limit.to_string()),
        line("Remaining", limit.saturating_sub(used).to_string()),
        line("Reset", epoch_seconds(reset).to_string()),
        line("Used", used.to_string()),
        line("Resource", resource.name().to_owned()),
    ]
}

/// The refusal of the hourly limit.
pub(crate) fn primary(
    status: u16,
    limit: u64,
    reset: SystemTime,
    owner: &str,
    resource: Resource,
) -> Response {
    let body = json!({
        "message": format!("API rate limit exceeded for {owner}."),
        "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
        "status": status.to_string(),
    });
    let mut response = Response::json(status, &body);
    response.headers.extend(limit_lines(limit, limit, reset, resource));
    response
}

/// The refusal of a secondary limit.
pub(crate) fn secondary(retry_after: u64) -> Response {
    let body = json!({
        "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
        "status": "403",
    });
    Response::json(403, &body).with("Retry-After", retry_after.to_string())
}
