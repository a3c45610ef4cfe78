//! One host as the status shows it: whether it answers, and what is left of its rate limits.

use serde::Serialize;

use crate::clock::{self, Shown, Timestamp};
use crate::hosts::http::pace::Health;
use crate::hosts::http::tally::Budget;
use crate::hosts::http::Upstream;

#[derive(Clone, Debug, Serialize)]
pub struct Host {
    /// `well`, `down` or `refused`.
    pub health: &'static str,
    /// The reason, unless it is `well`.
    pub why: Option<String>,
    pub calls: u64,
    /// Calls without a usable answer.
    pub failures: u64,
    pub rates: Vec<Rate>,
    pub token_expires: Option<String>,
    /// The GitHub App that the service signs in as, and its installation.
    pub app: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Rate {
    /// GitHub: `core` and `graphql`. Sentry: `read` and `write`, in which each kind of call has a limit of its own.
    pub class: &'static str,
    pub limit: u64,
    pub remaining: u64,
    /// When the next window begins. This is in the past if no call was made since then.
    pub reset: Shown,
}

impl Rate {
    /// Whether less than a tenth of it is left.
    pub fn is_low(&self) -> bool {
        self.remaining.saturating_mul(10) < self.limit
    }
}

impl Host {
    pub(super) fn of(host: &Upstream, now: Timestamp) -> Self {
        let (health, why) = match host.health() {
            Health::Well => ("well", None),
            Health::Down(why) => ("down", Some(why)),
            Health::Refused(why) => ("refused", Some(why)),
        };
        let tally = host.tally();
        let (calls, failures) = tally.counts();
        let rate = |(class, _, budget): (_, _, Option<Budget>)| {
            let budget = budget?;
            let (limit, remaining) = (budget.limit, budget.left(now));
            Some(Rate { class, limit, remaining, reset: budget.reset.into() })
        };
        let rates = tally.classes().filter_map(rate).collect();
        let readable = |text: String| clock::parse_spaced(&text).map_or(text, |at| at.to_string());
        let token_expires = host.token_expires().map(readable);
        Self { health, why, calls, failures, rates, token_expires, app: None }
    }

    pub(super) fn is_well(&self) -> bool {
        self.health == "well"
    }
}

/// A host about which nothing is known, because no service is running.
impl Default for Host {
    fn default() -> Self {
        let (rates, token_expires) = (Vec::new(), None);
        Self { health: "well", why: None, calls: 0, failures: 0, rates, token_expires, app: None }
    }
}
