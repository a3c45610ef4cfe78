//! What a person has decided: about a hold, whose changes get a fresh look, or about a delivery that had failed.

use std::collections::BTreeSet;

use crate::lock::Mutex;
use crate::queue::job::{Ask, Hint, LaneKey, Origin, Own};
use crate::state::event::{Change, Person};
use crate::state::holds::{HeldChange, Hold};
use crate::state::ids::{Login, Seq};
use crate::state::values::Mode;
use crate::work::engine::Engine;

/// Deliveries that a person wants to be looked at again: what comes of them is told in the audit log.
#[derive(Debug, Default)]
pub struct Replays(Mutex<BTreeSet<Seq>>);

impl Replays {
    pub fn note(&self, seq: Seq) {
        self.0.lock().insert(seq);
    }

    /// Whether a person wanted it; it is dealt with now.
    pub fn take(&self, seq: Seq) -> bool {
        self.0.lock().remove(&seq)
    }
}

impl Engine {
    /// The changes of a decided hold get a fresh look. What a comparison would have bound is bound by another one: that costs
    /// pages, not calls for each team.
    pub fn look_at_hold(&self, hold: &Hold, approved: bool) {
        let compares = self.bearings().is_some_and(|(_, mode)| mode == Mode::Read);
        for change in &hold.changes {
            match change {
                HeldChange::Adopt { .. } if approved && hold.compared && compares => self.ask_for_reconcile(),
                change => self.look_at_decision(change),
            }
        }
    }

    /// A decided change gets a fresh look; what is in both, the decision and the look, is done.
    pub fn look_at_decision(&self, change: &HeldChange) {
        let (team, user) = match change {
            HeldChange::Remove { team, user, .. } => (team, user),
            // These came from a comparison, and another one does them.
            HeldChange::RemoveMember { .. } | HeldChange::Create { .. } => return self.ask_for_reconcile(),
            HeldChange::Delete { team, .. } | HeldChange::Adopt { team, .. } => {
                return self.look_at_team(*team, Own::Decision)
            }
            // The next look at the file takes it up.
            HeldChange::UserMap { .. } => return,
        };
        let login = self.state(|state| state.people.matched(*user).map(|found| found.login.clone()));
        // Without a login, the account is looked up by its id.
        let person = Person { id: *user, login: login.unwrap_or_else(|| Login::from("")), bot: false };
        let sure = self.bearings().is_some_and(|(_, mode)| mode == Mode::Payload);
        let ask = Ask::Member { person, change: Some(Change::Removed), sure };
        self.lanes.add(
            LaneKey::Team(*team),
            Hint::new(self.now_seq(), Origin::Own(Own::Decision), ask, self.clock.now()),
        );
    }
}
