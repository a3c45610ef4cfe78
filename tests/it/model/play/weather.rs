//! What the network and both APIs do meanwhile: faults and lag, answers of others on the way, lists with gaps and odd ends,
//! and an end of a team that never was.

use std::time::Duration;

use super::Sequence;
use crate::standin::{Delivery, Fault, GraphqlFault, RandomFaults, Rule};
use crate::world::Truth;

impl Sequence {
    /// Faults and lag begin and end, and the clock is wrong where that can be.
    pub(super) fn weather(&mut self) {
        if cfg!(failpoints) && self.rng.percent(10.0) {
            let minutes = [0, -1, 1, -10, 10, -700, 700][self.rng.below(7) as usize];
            self.world.set_clock(minutes * 60);
            self.org.story.push(format!("the clock is wrong by {minutes} minutes"));
        }
        if self.rng.percent(25.0) {
            let faults = self.some_faults();
            self.world.sentry.wire.set_random(faults);
        }
        if self.rng.percent(20.0) {
            let faults = self.some_faults();
            self.world.github.wire.set_random(faults);
        }
        if self.truth == Truth::Github && self.rng.percent(20.0) {
            self.show_incompletely();
        }
        if self.rng.percent(20.0) {
            let lag = [0, 0, 50, 200, 700][self.rng.below(5) as usize];
            let percent = [50.0, 100.0][self.rng.below(2) as usize];
            self.world.github.set_uneven_lag(Duration::from_millis(lag), percent);
        }
    }

    /// GitHub's lists have nulls in them, or counts that do not fit, until the weather changes: nobody is removed for that,
    /// which is seen by whoever never leaves.
    fn show_incompletely(&mut self) {
        let wire = &self.world.github.wire;
        wire.clear_faults();
        let gaps = GraphqlFault::gaps();
        if let Some(gap) = gaps.get(self.rng.below(gaps.len() as u64 * 2) as usize) {
            wire.script(Rule::new("POST /graphql", Fault::Graphql(gap.clone())).always());
            self.org.story.push(format!("GitHub's lists are incomplete: {gap:?}"));
        }
    }

    fn some_faults(&mut self) -> Option<RandomFaults> {
        let seed = self.rng.next();
        self.rng.percent(60.0).then_some(RandomFaults {
            seed,
            errors_percent: 15.0,
            after_percent: 50.0,
            limited_percent: 4.0,
            odd_percent: 4.0,
        })
    }

    /// The first calls of all are answered by anybody but GitHub: that says nothing of what the token may do.
    pub(super) fn bad_start(&mut self) {
        let others = Fault::of_others();
        let fault = others[self.rng.below(others.len() as u64) as usize].clone();
        self.org.story.push(format!("GitHub's first answers are {fault:?}"));
        // After a few more of them, GitHub would be down for a minute.
        self.world.github.wire.script(Rule::new("*", fault).times(1 + self.rng.below(3) as usize));
        self.start();
    }

    /// GitHub says that a team is deleted, shows it to nobody for a moment, and has it all the same.
    pub(super) fn announce_an_end(&mut self) -> Vec<Delivery> {
        let Some(team) = self.org.some_team(&mut self.rng) else { return Vec::new() };
        self.org.story.push(format!("team {team} is said to be deleted, and is not"));
        let not_found = Fault::Refusal { status: 404, message: "Not Found".into() };
        let by_id = Rule::new("GET /organizations/{org_id}/team/{team_id}", not_found);
        self.world.github.wire.script(by_id.times(1 + self.rng.below(3) as usize));
        let told = self.world.github.announce_deletion(team);
        self.tally.announced += told.len();
        self.announced.extend(told.iter().cloned());
        told
    }
}
