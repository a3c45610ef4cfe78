//! The parts of a mirror in one place, for the work and the rooms above it. It must never grow rules of its own: those
//! stand in the files beside this one, and below.

use std::sync::Arc;

use super::faults::Faults;
use crate::clock::{Clock, Timestamp};
use crate::config::live::{InForce, Reloads};
use crate::config::sign_in::SignIn;
use crate::config::{Config, Settings};
use crate::hosts::github::app::Whose;
use crate::hosts::github::permission::TokenInUse;
use crate::hosts::github::tree::TeamTree;
use crate::hosts::github::Github;
use crate::hosts::http::transport::Carrier;
use crate::hosts::sentry::permit::Writes;
use crate::hosts::sentry::{scopes, Sentry};
use crate::identity::matcher::Who;
use crate::queue::Queue;
use crate::state::hours::Hours;
use crate::state::outcomes::Outcomes;
use crate::state::values::Mode;
use crate::state::{Org, State};
use crate::store::audit::{decisions, Audit};
use crate::store::journal::Journal;
use crate::work::owners::Owners;

/// The parts of a mirror. Functions name those that they use.
pub struct Mirror {
    pub clock: Clock,
    pub settings: InForce,
    pub reloads: Reloads,
    /// The only way to change the state.
    pub journal: Arc<Journal>,
    pub audit: Audit,
    pub queue: Queue,
    /// What is being written to Sentry at this moment.
    pub writes: Writes,
    /// The source of truth.
    pub github: Github,
    pub github_token: TokenInUse,
    pub tree: TeamTree,
    /// What is to be made true.
    pub sentry: Sentry,
    /// What is known of the Sentry token.
    pub scopes: scopes::InUse,
    /// With what CODEOWNERS links are made.
    pub owners: Owners,
    pub who: Who,
    pub faults: Faults,
    pub started: Timestamp,
    /// What became of deliveries, since start.
    pub outcomes: Outcomes,
    /// What arrived and failed in the last hours.
    pub hours: Hours,
}

impl Mirror {
    /// Puts the parts together. Nothing is asked of anybody yet.
    pub fn new(config: &Config, carrier: &dyn Carrier, journal: Arc<Journal>) -> Self {
        let clock = journal.clock().clone();
        let settings = config.settings.clone();
        let sentry = Sentry::new(
            &settings.sentry_url,
            &settings.sentry_org,
            &config.sentry_token,
            &settings.github_url,
            carrier,
            &clock,
        );
        let whose = journal.read(|state| Whose::of(&settings, state.org.as_ref()));
        Self {
            clock: clock.clone(),
            github: Github::new(&settings.github_url, &config.github, whose, carrier, &clock),
            sentry,
            who: Who::new(&settings, journal.files()),
            audit: Audit::new(journal.files(), &settings.state_dir, settings.audit_keep, clock.clone()),
            reloads: Reloads::default(),
            github_token: TokenInUse::new(&config.github),
            queue: Queue::new(&clock, &journal),
            writes: Writes::default(),
            tree: TeamTree::default(),
            scopes: scopes::InUse::default(),
            faults: Faults::default(),
            owners: Owners::default(),
            started: clock.wall(),
            outcomes: Outcomes::default(),
            hours: journal.read(|state| Hours::of(state, clock.wall())),
            settings: InForce::new(settings),
            journal,
        }
    }

    /// Signs in to GitHub as this from now on; returns whether it is something else than before.
    pub fn sign_in_to_github(&self, as_whom: &SignIn) -> bool {
        let whose = self.state(|state| Whose::of(&self.settings(), state.org.as_ref()));
        self.github.sign_in(as_whom, whose, &self.clock)
    }

    /// The configuration without its secrets, as it is now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.get()
    }

    pub fn state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.journal.read(look)
    }

    /// The pinned organisation and the mode, once both are known.
    pub fn bearings(&self) -> Option<(Org, Mode)> {
        self.journal.read(State::bearings)
    }

    /// A team may have another parent than before, or none any more. Where the people of child teams count, those of all
    /// teams above it are others then. A comparison looks at them: nobody has named these people, so that guards have to.
    pub fn team_moved(&self, has_moved: bool) {
        if has_moved && self.settings().child_members {
            self.queue.ask_for_reconcile();
        }
    }

    /// Tells of holds that are over since the last time. What was done has lines of its own, with the hold's name.
    pub fn tell_ended_holds(&self) {
        for hold in self.journal.take_ended() {
            self.audit.write(decisions::ended(&hold));
        }
    }
}
