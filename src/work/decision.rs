//! What a person has decided about a hold: its changes get a fresh look.

use crate::queue::job::{Ask, LaneKey, Own};
use crate::state::event::{Change, Person};
use crate::state::holds::{HeldChange, Hold};
use crate::state::ids::Login;
use crate::state::values::Mode;
use crate::work::mirror::Mirror;

impl Mirror {
    /// The changes of a decided hold get a fresh look. What a comparison would have bound is bound by another one: that costs
    /// pages, not calls for each team.
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

    /// A decided change gets a fresh look; what is in both, the decision and the look, is done.
    pub fn look_at_decision(&self, change: &HeldChange) {
        let (team, user) = match change {
            HeldChange::Remove { team, user, .. } => (team, user),
            // These came from a comparison, and another one does them.
            HeldChange::RemoveMember { .. } | HeldChange::Create { .. } | HeldChange::Link { .. } => {
                return self.queue.ask_for_reconcile()
            }
            HeldChange::Delete { team, .. } | HeldChange::Adopt { team, .. } => {
                return self.queue.look_at_team(*team, Own::Decision)
            }
            // The next look at the file takes it up.
            HeldChange::UserMap { .. } => return,
        };
        let login = self.state(|state| state.people.matched(*user).map(|found| found.login.clone()));
        // Without a login, the account is looked up by its id.
        let person = Person { id: *user, login: login.unwrap_or_else(|| Login::from("")), bot: false };
        let sure = self.bearings().is_some_and(|(_, mode)| mode == Mode::Payload);
        let ask = Ask::Member { person, change: Some(Change::Removed), sure };
        self.queue.ask(LaneKey::Team(*team), Own::Decision, ask);
    }

    /// After a start, what was decided before it.
    pub fn look_at_decided(&self) {
        let decided: Vec<_> =
            self.state(|state| state.holds.iter().filter(|hold| hold.decision.is_some()).cloned().collect());
        for hold in &decided {
            self.look_at_hold(hold, hold.decision.is_some_and(|decision| decision.approved));
        }
    }
}
