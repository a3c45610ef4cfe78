//! What a sequence is played with: era, truth, settings, threads.

use std::time::Duration;

use super::draw::Draw;
use super::sides::{Sides, Truth};
use super::stage::Stage;
use crate::standin::{mirror_permissions, Era, Events, GithubToken};

#[derive(Clone, Debug)]
pub struct Profile {
    pub era: Era,
    pub truth: Truth,
    /// Whether the Sentry token may list all teams.
    pub may_list: bool,
    /// Whether the GitHub token may read the list of deliveries.
    pub recovers: bool,
    /// Whether everything waits for a person at first.
    pub waits_to_begin: bool,
    draw: Draw,
}

impl Profile {
    pub fn of_seed(seed: u64) -> Self {
        let mut draw = Draw::of(seed, 0, 7);
        let truth = if draw.percent(70) { Truth::Github } else { Truth::Deliveries };
        Self {
            era: if draw.percent(50) { Era::Today } else { Era::V23_7_1 },
            truth,
            may_list: draw.percent(50),
            recovers: truth == Truth::Deliveries && draw.percent(50),
            waits_to_begin: truth == Truth::Github && draw.percent(20),
            draw,
        }
    }

    pub fn stage(&self) -> Stage {
        let mut draw = self.draw.clone();
        let mut stage = Stage::new(self.era, "acme", "acme-sentry");
        stage.keeper_period = Duration::from_secs([1, 30, 30, 60, 60, 60][draw.below(6) as usize]);
        stage.rest_longer = Duration::from_secs([0, 5, 5, 20, 20, 60][draw.below(6) as usize]);
        stage
    }

    pub fn set_up(&self, stage: &Stage, sides: &Sides) {
        let mut draw = self.draw.clone();
        if self.may_list {
            stage.set("SENTRY_TOKEN", &sides.sentry.add_token(mirror_permissions()));
        }
        if self.recovers {
            let token = GithubToken::no_permission(sides.olive).webhooks();
            stage.set("GH_TOKEN", &sides.github.add_token(token));
        }
        for (name, value) in [
            ("SYNC_FIRST", if self.waits_to_begin { "hold" } else { "apply" }),
            ("SYNC_MAX_DELETIONS", "100%,1000"),
            ("SYNC_MAX_REMOVALS", "100%,1000"),
            ("SYNC_MAX_TEAM_REMOVALS", "100%,1000"),
            ("SYNC_INTERVAL", ["off", "off", "1m", "1h"][draw.below(4) as usize]),
            ("SYNC_REMOVE_MEMBERS", ["left", "known"][draw.below(2) as usize]),
            ("SYNC_WORKERS", ["1", "2", "4"][draw.below(3) as usize]),
        ] {
            stage.set(name, value);
        }
        let told = self.truth == Truth::Deliveries;
        sides.github.set_events(Events {
            creator_membership: told || draw.percent(30),
            deleted_children: told || draw.percent(30),
            members_of_deleted: draw.percent(50),
            // A departure that was missed is not taken once anything newer was said of the person.
            teams_of_leaver: self.recovers || draw.percent(50),
            reparent: draw.percent(30),
            ..Events::default()
        });
    }
}
