//! Looks again at the changes of a hold after a person has decided about it.

use crate::queue::job::{Ask, LaneKey, Own};
use crate::state::event::{Change, Person};
use crate::state::holds::{HeldChange, Hold};
use crate::state::ids::Login;
use crate::state::values::Mode;
use crate::work::mirror::Mirror;

impl Mirror {
    /// Looks again at each change of a decided hold. If a comparison made the hold, its approved adoptions are left to
    /// another comparison: that costs a few pages, not several calls for each team.
    pub fn look_at_hold(&self, hold: &Hold, approved: bool) {
        let compares = self.bearings().is_some_and(|(_, mode)| mode == Mode::Read);
        for change in &hold.changes {
            match change {
                HeldChange::Adopt { .. } if approved && hold.compared && compares => {
                    self.queue.ask_for_reconcile()
                }
                change => self.look_at_decision(change),
            }
        }
    }

    /// Looks again at a decided change. It is made only if both the decision and the new look ask for it.
    pub fn look_at_decision(&self, change: &HeldChange) {
        let (team, user) = match change {
            HeldChange::Remove { team, user, .. } => (team, user),
            // These came from a comparison, so another comparison makes them.
            HeldChange::RemoveMember { .. } | HeldChange::Create { .. } | HeldChange::Link { .. } => {
                return self.queue.ask_for_reconcile()
            }
            HeldChange::Delete { team, .. } | HeldChange::Adopt { team, .. } => {
                return self.queue.look_at_team(*team, Own::Decision)
            }
            // The next look at the user map's file applies the decision.
            HeldChange::UserMap { .. } => return,
        };
        let login = self.state(|state| state.people.matched(*user).map(|found| found.login.clone()));
        // Without a login, the account is looked up by its id.
        let person = Person { id: *user, login: login.unwrap_or_else(|| Login::from("")), bot: false };
        let sure = self.bearings().is_some_and(|(_, mode)| mode == Mode::Payload);
        let ask = Ask::Member { person, change: Some(Change::Removed), sure };
        self.queue.ask(LaneKey::Team(*team), Own::Decision, ask);
    }

    /// After a start, looks again at everything that was decided before it.
    pub fn look_at_decided(&self) {
        let decided: Vec<_> =
            self.state(|state| state.holds.iter().filter(|hold| hold.decision.is_some()).cloned().collect());
        for hold in &decided {
            self.look_at_hold(hold, hold.decision.is_some_and(|decision| decision.approved));
        }
    }
}
