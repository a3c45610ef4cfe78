//! All parts of the service in one place, for the work and the modules above it. It must never have rules of its own:
//! those belong in the files beside this one, and in the modules below.

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

pub struct Mirror {
    pub clock: Clock,
    pub settings: InForce,
    pub reloads: Reloads,
    /// The only way to change the state.
    pub journal: Arc<Journal>,
    pub audit: Audit,
    pub queue: Queue,
    /// The writes to Sentry that are in progress.
    pub writes: Writes,
    /// The source of truth.
    pub github: Github,
    pub github_token: TokenInUse,
    pub tree: TeamTree,
    /// The side that is changed to match.
    pub sentry: Sentry,
    /// The Sentry token's scopes, as far as they are known.
    pub scopes: scopes::InUse,
    /// The integration that CODEOWNERS links are made with.
    pub owners: Owners,
    pub who: Who,
    pub faults: Faults,
    pub started: Timestamp,
    /// How many deliveries ended in which way, since the start.
    pub outcomes: Outcomes,
    /// Deliveries that arrived or failed in the last hours.
    pub hours: Hours,
}

impl Mirror {
    /// Puts the parts together. Makes no call yet.
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

    /// Signs in to GitHub with this from now on. Returns whether it differs from before.
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

    /// Called when a team may have got another parent, or lost it. If members of child teams count, the members of all
    /// teams above it change. No event names these people, so a comparison looks at them, and guards apply.
    pub fn team_moved(&self, has_moved: bool) {
        if has_moved && self.settings().child_members {
            self.queue.ask_for_reconcile();
        }
    }

    /// Audits holds that have ended since the last call. Changes that were made have lines that name the hold.
    pub fn tell_ended_holds(&self) {
        for hold in self.journal.take_ended() {
            self.audit.write(decisions::ended(&hold));
        }
    }
}
