//! The public profiles that were read one by one, for as long as they are good.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::lock::Mutex;
use crate::state::ids::GithubUserId;

/// How long a profile that was read is not read again.
const GOOD_FOR: Duration = Duration::from_secs(24 * 3600);

/// The public addresses that were read since the start.
#[derive(Default)]
pub struct Profiles(Mutex<HashMap<GithubUserId, (Option<String>, Instant)>>);

impl Profiles {
    /// The public address of somebody whose profile was read; `None` if it was not.
    pub fn get(&self, user: GithubUserId) -> Option<Option<String>> {
        self.0.lock().get(&user).map(|(address, _)| address.clone())
    }

    pub fn learn(&self, user: GithubUserId, address: Option<String>, now: Instant) {
        self.0.lock().insert(user, (address, now));
    }

    pub fn forget_old(&self, now: Instant) {
        self.0.lock().retain(|_, (_, at)| now.saturating_duration_since(*at) < GOOD_FOR);
    }
}
