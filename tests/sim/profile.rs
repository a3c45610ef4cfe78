//! What a sequence is played with: era, truth, settings, threads.

use std::sync::atomic::Ordering;

use super::draw::Draw;
use super::sides::{Sides, Truth};
use super::stage::Stage;
use crate::standin::{mirror_permissions, Era, Events, GithubApp, GithubToken, Silo, APP_KEY};

/// How seldom the schedule looks where nothing is expected to happen, in seconds; at the end; and over the years.
pub const LONG_REST: u64 = 60;
pub const REST_AT_REST: u64 = 300;
pub const REST_OF_YEARS: u64 = 4 * 86_400;

/// What tells the draws of links and of maps apart.
const LINKS: u64 = 221;
const MAPS: u64 = 501;
const CROWDS: u64 = 602;
const HEARD: u64 = 731;

/// More than a page of any list has; one life in so many.
const CROWD: usize = 110;
const ONE_HAS_A_CROWD: u64 = 300;

#[derive(Clone, Debug)]
pub struct Profile {
    pub era: Era,
    pub truth: Truth,
    /// Whether the Sentry token may list all teams.
    pub may_list: bool,
    /// Whether the GitHub token may read the list of deliveries.
    pub recovers: bool,
    /// Whether GitHub is signed in to as an App.
    pub is_app: bool,
    /// Whether everything waits for a person at first.
    pub waits_to_begin: bool,
    /// Which of Sentry's servers the program is told.
    pub silo: Silo,
    /// Whether Sentry shows its teams by SCIM too.
    pub has_scim: bool,
    /// Whether people of child teams count.
    pub child_members: bool,
    /// Whether more than a year goes by in the middle.
    pub grows_old: bool,
    /// A comparison comes by itself so often.
    pub interval: &'static str,
    /// Whether names of CODEOWNERS are linked.
    pub links: bool,
    /// Whether there is a user map.
    pub has_map: bool,
    /// How many people are in both organisations who are in no team and never get into one: lists have several pages then.
    pub crowd: usize,
    /// Whether limits are as they are without a word: a person has more to decide.
    pub is_tight: bool,
    /// Whether all that GitHub tells arrives, so that nothing needs a comparison.
    pub is_heard: bool,
    draw: Draw,
}

impl Profile {
    pub fn of_seed(seed: u64) -> Self {
        let mut draw = Draw::of(seed, 0, 7);
        let truth = if draw.percent(70) { Truth::Github } else { Truth::Deliveries };
        let era = if draw.percent(50) { Era::Today } else { Era::V23_7_1 };
        // By this number, none of the lives is one that were kept before there were Apps.
        let is_app = Draw::of(seed, 0, 46).percent(14);
        // Nor is any of them one from before there were links.
        let links = Draw::of(seed, 0, LINKS).percent(15);
        let has_map = Draw::of(seed, 0, MAPS).percent(12);
        let is_heard = truth == Truth::Github && !has_map && !links && Draw::of(seed, 0, HEARD).percent(8);
        let in_region = era == Era::Today && draw.percent(30);
        Self {
            era,
            truth,
            silo: if in_region { Silo::Region("de".into()) } else { era.usual_silo() },
            has_scim: draw.percent(25),
            child_members: truth == Truth::Github && draw.percent(12) && !is_heard,
            is_tight: truth == Truth::Github && draw.percent(15),
            may_list: draw.percent(50),
            is_app,
            links,
            has_map,
            is_heard,
            crowd: if Draw::of(seed, 0, CROWDS).below(ONE_HAS_A_CROWD) == 0 { CROWD } else { 0 },
            recovers: truth == Truth::Deliveries && draw.percent(50) || is_app,
            waits_to_begin: truth == Truth::Github && draw.percent(20),
            // In payload mode, what is missed for three days is missed for ever.
            grows_old: truth == Truth::Github && !is_app && Draw::of(seed, 0, 8).below(350) == 0,
            interval: if is_heard { "off" } else { ["off", "off", "1m", "1h"][draw.below(4) as usize] },
            draw,
        }
    }

    pub fn stage(&self) -> Stage {
        let mut draw = self.draw.clone();
        let stage = Stage::new(self.era, self.silo.clone(), "acme", "acme-sentry");
        let least_rest = [0, 5, 5, 20, 20, LONG_REST][draw.below(6) as usize];
        stage.least_rest.store(least_rest, Ordering::Relaxed);
        stage
    }

    pub fn set_up(&self, stage: &Stage, sides: &Sides) {
        let mut draw = self.draw.clone();
        if self.may_list {
            stage.set("SENTRY_TOKEN", &sides.sentry.add_token(mirror_permissions()));
        }
        if self.is_app {
            let mut app = GithubApp::default();
            if self.truth == Truth::Deliveries {
                app.permissions.remove("members");
            }
            for (name, value) in [("GH_TOKEN", ""), ("GH_APP_ID", &app.client_id), ("GH_APP_KEY", APP_KEY)] {
                stage.set(name, value);
            }
            sides.github.set_app(app);
        } else if self.recovers {
            let token = GithubToken::no_permission(sides.olive).webhooks();
            stage.set("GH_TOKEN", &sides.github.add_token(token));
        }
        if self.links {
            stage.set("SYNC_CODEOWNERS", "link");
            if !self.may_list || self.silo != self.era.usual_silo() {
                stage.set("SYNC_CODEOWNERS_INTEGRATION", "1");
            }
        }
        sides.sentry.set_scim(self.has_scim);
        if self.child_members {
            stage.set("SYNC_CHILD_MEMBERS", "all");
        }
        if !self.is_tight {
            for name in ["SYNC_MAX_DELETIONS", "SYNC_MAX_REMOVALS", "SYNC_MAX_TEAM_REMOVALS"] {
                stage.set(name, "100%,1000");
            }
        }
        for (name, value) in [
            ("SYNC_FIRST", if self.waits_to_begin { "hold" } else { "apply" }),
            ("SYNC_INTERVAL", self.interval),
            ("SYNC_REMOVE_MEMBERS", ["left", "known"][draw.below(2) as usize]),
            ("SYNC_WORKERS", ["1", "2", "4"][draw.below(3) as usize]),
        ] {
            stage.set(name, value);
        }
        let told = self.truth == Truth::Deliveries || self.is_heard;
        sides.github.set_events(Events {
            creator_membership: told || draw.percent(30),
            // By absence alone an App never knows that a team was deleted.
            deleted_children: told || draw.percent(30) || self.is_app,
            members_of_deleted: draw.percent(50),
            // A departure that was missed is not taken once anything newer was said of the person.
            teams_of_leaver: self.recovers || self.is_heard || draw.percent(50),
            reparent: self.is_heard || draw.percent(30),
            ..Events::default()
        });
    }
}
