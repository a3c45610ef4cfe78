//! Holds a user map that changes many matches until a person approves it. A file that was cut short, or whose columns
//! slipped, looks just like a good one.
//!
//! Until then, the previous map stays in use. A decision is about one content: other content is another hold.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use crate::identity::matcher::{Matcher, Untold};
use crate::identity::usermap::{self, UserMap};
use crate::state::address::Address;
use crate::state::holds::{HeldChange, Hold};
use crate::state::record::Record;
use crate::state::values::Source;
use crate::store::audit::Entry;

impl Matcher<'_> {
    /// The user map in use. If the file has changed, its map is taken into use or held first.
    pub fn user_map(&self) -> Result<Arc<UserMap>, Untold> {
        match self.who.map.candidate(self.clock.wall()) {
            Some(candidate) => self.judge_map(candidate)?,
            None => self.drop_map_holds(None),
        }
        self.who.map.current().map_err(Untold::Map)
    }

    fn judge_map(&self, candidate: Arc<UserMap>) -> Result<(), Untold> {
        let change = HeldChange::UserMap { fingerprint: candidate.fingerprint() };
        self.drop_map_holds(Some(&change));
        let (held, decision) = self.state(|state| {
            let held = state.holds.iter().any(|hold| hold.changes.contains(&change));
            (held, state.holds.decision(&change))
        });
        match decision {
            Some(decision) if decision.approved => {
                self.admit_map(candidate);
                self.journal.note(Record::NotDue { change });
            }
            None if !held => match self.suspicion(&candidate)? {
                Some(rule) => self.hold_map(change, rule),
                None => self.admit_map(candidate),
            },
            _ => {}
        }
        Ok(())
    }

    /// The guard's rule with its numbers, if too many matches would change.
    fn suspicion(&self, candidate: &UserMap) -> Result<Option<String>, Untold> {
        if !self.settings.identity.contains(&Source::Map) || self.state(|state| state.people.n_matched() == 0)
        {
            return Ok(None);
        }
        self.need_directory()?;
        let (changed, whole) = self.state(|state| {
            let bearer = |address: &Address| self.who.bearer_of(address, self.settings.trust_unverified);
            (candidate.changes(state.people.matches(), bearer), state.people.n_matched())
        });
        let rule =
            || format!("SYNC_USER_MAP: {changed} of {whole} matches change; up to 5, or 2 %, go through");
        Ok(usermap::is_suspicious(changed, whole).then(rule))
    }

    fn admit_map(&self, candidate: Arc<UserMap>) {
        self.who.map.admit(candidate);
        self.who.has_new_map.store(true, Ordering::Relaxed);
    }

    fn hold_map(&self, change: HeldChange, rule: String) {
        let hold = Hold::new(vec![change], rule.as_str().into(), self.clock.wall(), Vec::new());
        let name = hold.name.clone();
        log::warn!("user map: held {name}: {rule}; approve with: sentry-team-sync approve {name}");
        let entry = Entry { event: "user map", decision: "hold", hold: Some(name), ..Entry::default() };
        self.audit.write(entry.because(rule));
        self.journal.note(Record::Held { hold });
    }

    /// Releases the holds of maps that the file no longer contains, all except that of `but`.
    fn drop_map_holds(&self, but: Option<&HeldChange>) {
        let is_over = |hold: &&Hold| match hold.changes.as_slice() {
            [change @ HeldChange::UserMap { .. }] => Some(change) != but,
            _ => false,
        };
        let over: Vec<_> =
            self.state(|state| state.holds.iter().filter(is_over).map(|hold| hold.name.clone()).collect());
        over.into_iter().for_each(|name| self.journal.note(Record::Released { name }));
    }
}
