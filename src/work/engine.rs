//! Everything behind the intake, in one value: what workers, reads and commands share.
//!
//! It holds no rules of its own beyond two: when nothing may be worked on at all, and what a trouble with one of the
//! hosts means for the hint that met it.

mod denied;
mod people;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Timestamp};
use crate::commands::check::Surroundings;
use crate::commands::paste::Invocation;
use crate::config::live::Reloads;
use crate::config::{Config, Environment, Settings};
use crate::error::Result;
use crate::hosts::github::permission::{Permission, TokenInUse, PERMISSION_LOST};
use crate::hosts::github::tree::TeamTree;
use crate::hosts::github::Github;
use crate::hosts::http::pace::Health;
use crate::hosts::http::{tls, Trouble, TroubleKind};
use crate::hosts::sentry::permit::Writes;
use crate::hosts::sentry::{scopes, Sentry};
use crate::identity::matcher::Who;
use crate::intake::counts::Counts;
use crate::intake::missed::Recovered;
use crate::lock::{Mutex, RwLock, Turns};
use crate::queue::job::{Ask, Hint, LaneKey, Origin, Outcome, Own};
use crate::queue::lanes::Lanes;
use crate::queue::replica_lag::Heard;
use crate::reconcile::in_team::Scim;
use crate::reconcile::incomplete::Incompleteness;
use crate::reconcile::invite::InviteTrouble;
use crate::reconcile::run::Reconciled;
use crate::reconcile::team_ids;
use crate::reconcile::unused::Unused;
use crate::service::handover::Heir;
use crate::state::event::Event;
use crate::state::hours::Hours;
use crate::state::ids::{GithubTeamId, Login, Seq};
use crate::state::outcomes::Outcomes;
use crate::state::record::Record;
use crate::state::values::{Delivery, Mode};
use crate::state::{Org, State, LAG};
use crate::status::Conditions;
use crate::store::audit::{decisions, Audit};
use crate::store::journal::{Journal, NotKept};
use crate::work::decision::Replays;
use crate::work::{guard, pause};

/// How long a token that may not do one thing is left alone with it.
const DENIED_PAUSE: Duration = Duration::from_secs(300);
/// A token or an address that is wrong is tried again after this time.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// What workers, reads and commands share.
pub struct Engine {
    /// What time it is.
    pub clock: Clock,
    settings: RwLock<Arc<Settings>>,
    /// The only way to change the state.
    pub journal: Arc<Journal>,
    /// What is to be done.
    pub lanes: Lanes,
    /// What is being written to Sentry at this moment.
    pub writes: Writes,
    /// The source of truth.
    pub github: Github,
    /// What is to be made true.
    pub sentry: Sentry,
    pub who: Who,
    /// What was decided, for people.
    pub audit: Audit,
    /// What reloads have come to.
    pub reloads: Reloads,
    /// What is known of the GitHub token.
    pub github_token: TokenInUse,
    /// When this process began.
    pub started: Timestamp,
    /// What arrived, since start.
    pub arrived: Counts,
    /// What became of it, since start.
    pub outcomes: Outcomes,
    /// What arrived and failed in the last hours.
    pub hours: Hours,
    surroundings: RwLock<Arc<Surroundings>>,
    /// How whoever reads the service's log and page types a command.
    pub reader: Invocation,
    /// Which team stands below which.
    pub tree: TeamTree,
    scopes: Mutex<scopes::Told>,
    asking_for_scopes: Turns,
    fault: Mutex<Option<String>>,
    reconcile_due: AtomicBool,
    no_recovery: AtomicBool,
    recovered: Mutex<Option<(Recovered, Timestamp)>>,
    /// What deliveries have said lately.
    pub(crate) heard: Mutex<Heard>,
    began: Instant,
    /// Taken while a comparison is made: one at a time.
    pub(crate) comparing: Turns,
    /// Whether Sentry's SCIM can be read.
    pub scim: Scim,
    /// What GitHub does not show completely.
    pub incomplete: Incompleteness,
    /// The last comparison that was carried out.
    pub(crate) last_run: Mutex<Option<Reconciled>>,
    told: Mutex<Option<String>>,
    /// Why nobody can be invited.
    pub(crate) invite_trouble: Mutex<Option<InviteTrouble>>,
    /// What a service says that begins without the state of before; a command says nothing of the kind.
    pub(crate) heir: OnceLock<Heir>,
    /// Entries of lists that name nothing.
    pub(crate) unused: Mutex<Option<Vec<Unused>>>,
    /// Deliveries that a person wants to be looked at again.
    pub replays: Replays,
    /// Since when things are as they are.
    pub(crate) conditions: Conditions,
}

impl Engine {
    /// Puts the parts together. Nothing is asked of anybody yet.
    pub fn new(config: &Config, env: &Environment, journal: Arc<Journal>) -> Result<Self> {
        let clock = journal.clock().clone();
        let settings = config.settings.clone();
        let way = tls::way(env, settings.is_all_local())?;
        for (name, url) in [("GitHub", &settings.github_url), ("Sentry", &settings.sentry_url)] {
            if way.proxies.is_set() {
                log::info!("proxy: {name} ({}) {}", url.host(), way.proxies.route(url));
            }
        }
        way.proxies.odd().iter().for_each(|odd| log::warn!("proxy: {odd}"));
        let sentry = Sentry::new(
            &settings.sentry_url,
            &settings.sentry_org,
            &config.sentry_token,
            &settings.github_url,
            &way,
            &clock,
        );
        team_ids::remember(&sentry, &settings, &journal, clock.clone());
        Ok(Self {
            clock: clock.clone(),
            github: Github::new(&settings.github_url, &config.github_token, &way, &clock),
            sentry,
            who: Who::new(&settings, journal.files()),
            audit: Audit::new(journal.files(), &settings.state_dir, settings.audit_keep, clock.clone()),
            reloads: Reloads::default(),
            github_token: TokenInUse::new(config.github_token.fingerprint()),
            reader: Invocation::of_service(&settings.state_dir, env),
            surroundings: RwLock::new(Arc::new(Surroundings::new(config, env, &way))),
            lanes: Lanes::new(clock.clone()),
            writes: Writes::default(),
            tree: TeamTree::default(),
            scopes: Mutex::default(),
            asking_for_scopes: Turns::default(),
            fault: Mutex::new(None),
            reconcile_due: AtomicBool::new(false),
            no_recovery: AtomicBool::new(false),
            recovered: Mutex::default(),
            heard: Mutex::new(Heard::new(clock.now())),
            began: clock.now(),
            comparing: Turns::default(),
            scim: Scim::default(),
            incomplete: Incompleteness::default(),
            last_run: Mutex::default(),
            started: clock.wall(),
            arrived: Counts::default(),
            outcomes: Outcomes::default(),
            hours: journal.read(|state| Hours::of(state, clock.wall())),
            told: Mutex::default(),
            invite_trouble: Mutex::default(),
            heir: OnceLock::new(),
            unused: Mutex::default(),
            replays: Replays::default(),
            conditions: Conditions::default(),
            settings: RwLock::new(Arc::new(settings)),
            journal,
        })
    }

    /// The configuration without its secrets. It changes with a reload: whoever needs it to be one and the same for a
    /// while keeps what this returns.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().clone()
    }

    /// Puts other settings in the place of those in use.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write() = Arc::new(settings);
    }

    /// There is another GitHub token: nothing is worked on until it is known what it may do.
    pub fn replace_github_token(&self, fingerprint: String) {
        self.github_token.replace(fingerprint);
        self.no_recovery.store(false, Ordering::Relaxed);
    }

    /// What the doctor has to know of this process.
    pub fn surroundings(&self) -> Arc<Surroundings> {
        self.surroundings.read().clone()
    }

    /// Puts what the doctor has to know in the place of what it knew.
    pub fn set_surroundings(&self, surroundings: Surroundings) {
        *self.surroundings.write() = Arc::new(surroundings);
    }

    /// The pinned organisation and the mode, once both are known.
    pub fn bearings(&self) -> Option<(Org, Mode)> {
        self.journal.read(State::bearings)
    }

    /// Whether nothing but deliveries, and what a person asks for, may write yet.
    pub fn waits_to_begin(&self) -> bool {
        let settings = self.settings();
        self.state(|state| guard::waits_to_begin(&settings, state))
    }

    /// Puts every queued delivery and every open intent into its lane: after a start.
    pub fn fill_lanes(&self) {
        let (queued, teams, decided) = self.journal.read(|state| {
            let queued: Vec<Arc<Delivery>> = state.deliveries.queued().cloned().collect();
            let teams: BTreeSet<_> = state.teams.open_intents().chain(state.teams.unfilled()).collect();
            let decided: Vec<_> =
                state.holds.iter().filter(|hold| hold.decision.is_some()).cloned().collect();
            (queued, teams, decided)
        });
        for delivery in queued {
            self.hear_of(&delivery.event, delivery.seq);
            self.lanes.add(LaneKey::of(&delivery.event), Hint::of_delivery(delivery, self.clock.now()));
        }
        for team in teams {
            self.look_at_team(team, Own::OpenIntent);
        }
        for hold in &decided {
            self.look_at_hold(hold, hold.decision.is_some_and(|decision| decision.approved));
        }
    }

    /// A delivery is to be worked on: a reading that began before it, or just after, may not know what it says.
    pub fn hear_of(&self, event: &Event, seq: Seq) {
        self.heard.lock().hear(event, seq, self.clock.now());
    }

    /// The latest delivery whose word every replica of GitHub knows by now.
    pub fn settled_seq(&self) -> Seq {
        let (latest, now) = (self.now_seq(), self.clock.now());
        let heard = self.heard.lock().first_unsettled(now);
        // What a process of before has heard just before its end stands in the journal.
        let before = (now.duration_since(self.began) < LAG).then(|| {
            let since = self.clock.wall().before(LAG);
            self.state(|state| state.deliveries.first_since(since))
        });
        let first = heard.into_iter().chain(before.flatten()).min();
        first.map_or(latest, |first| latest.min(Seq(first.0.saturating_sub(1))))
    }

    /// For how long a replica may still show a team that has ended, if it is asked at `now`; `None` if not, or no longer.
    pub fn end_settles_in(&self, team: GithubTeamId, now: Instant) -> Option<Duration> {
        let ended = self.state(|state| state.teams.gone(team).map(|gone| gone.at))?;
        let wait = self.heard.lock().end_settles_in(team, ended, now, self.clock.wall());
        Some(wait).filter(|wait| !wait.is_zero())
    }

    /// Of the teams that a reading shows which began at `began`, those that a replica may show although they have ended.
    pub fn just_gone(
        &self,
        shown: impl Iterator<Item = GithubTeamId>,
        began: Instant,
    ) -> BTreeSet<GithubTeamId> {
        shown.filter(|team| self.end_settles_in(*team, began).is_some()).collect()
    }

    /// Forgets what was heard up to `seq`: a comparison that begins there has seen it.
    pub fn forget_heard(&self, seq: Seq) {
        self.heard.lock().forget(seq);
    }

    /// A comparison contradicts what a delivery said just before it: another one decides, a little later.
    pub fn look_again(&self) {
        self.heard.lock().look_again(self.clock.now());
    }

    /// Whether that other one is due.
    pub fn take_second_look(&self) -> bool {
        self.heard.lock().take_second_look(self.clock.now())
    }

    /// Whether the token may not read the list of deliveries.
    pub fn may_not_recover(&self) -> bool {
        self.no_recovery.load(Ordering::Relaxed)
    }

    /// The token may not read the list of deliveries: what was missed has to be redelivered by hand.
    pub fn learn_no_recovery(&self) {
        if !self.no_recovery.swap(true, Ordering::Relaxed) {
            log::info!(
                "recover: GH_TOKEN may not read the webhook's deliveries; missed ones can not be looked for"
            );
        }
    }

    /// What a look for missed deliveries has found.
    pub fn learn_recovered(&self, found: Recovered, at: Timestamp) {
        *self.recovered.lock() = Some((found, at));
    }

    /// The last look for missed deliveries.
    pub fn recovered(&self) -> Option<(Recovered, Timestamp)> {
        *self.recovered.lock()
    }

    /// A full comparison is due now.
    pub fn ask_for_reconcile(&self) {
        self.reconcile_due.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked for a full comparison since the last time.
    pub fn take_reconcile_due(&self) -> bool {
        let has_new_map = self.who.take_new_map();
        self.reconcile_due.swap(false, Ordering::Relaxed) || has_new_map
    }

    /// Asks for a look at a team's slug and name, and at whatever is open for it.
    pub fn look_at_team(&self, team: GithubTeamId, why: Own) {
        self.lanes.add(
            LaneKey::Team(team),
            Hint::new(self.now_seq(), Origin::Own(why), Ask::Team, self.clock.now()),
        );
    }

    /// The place of the latest delivery: what the mirror does by itself is newer than that, and older than the next.
    pub fn now_seq(&self) -> Seq {
        self.journal.read(|state| Seq(state.next_seq().0 - 1))
    }

    /// A mistake in the configuration that shows only once GitHub was asked: nothing is worked on until a restart.
    pub fn set_fault(&self, fault: String) {
        log::error!("{fault}");
        *self.fault.lock() = Some(fault);
    }

    /// A mistake that may be mended on the other side: told once, and until an organisation is found.
    pub fn tell_once(&self, what: &str) {
        let mut told = self.told.lock();
        if told.as_deref() != Some(what) {
            log::error!("{what}");
            *told = Some(what.into());
        }
    }

    /// What was told last in this way.
    pub fn told(&self) -> Option<String> {
        self.told.lock().clone()
    }

    /// That mistake, if there is one.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().clone()
    }

    /// How long nothing can be worked on, and why.
    pub fn paused_for(&self) -> Option<(Duration, String)> {
        let pause = self.pause().map(|pause| (pause::AGAIN, pause.to_string()));
        pause.or_else(|| self.blind_for())
    }

    /// How long both sides can not be looked at, and why. An operator's pause keeps nobody from that.
    pub fn blind_for(&self) -> Option<(Duration, String)> {
        let a_moment = Duration::from_secs(1);
        if let Some(fault) = self.fault() {
            return Some((a_moment, fault));
        }
        let Some((org, mode)) = self.bearings() else {
            let why = if self.state(|state| state.org.is_some()) {
                self.github_token.why_no_mode()
            } else {
                "the organisation is not known yet".into()
            };
            return Some((a_moment, why));
        };
        if self.github_token.is_new() {
            return Some((a_moment, self.github_token.why_no_mode()));
        }
        if org.deleted {
            return Some((a_moment, format!("GitHub says that the organisation `{}` is deleted", org.login)));
        }
        if let Some(why) = self.journal.trouble().filter(|_| self.journal.is_broken()) {
            return Some((a_moment, why.to_string()));
        }
        let host = |host: &crate::hosts::http::Upstream| {
            let why = match host.health() {
                Health::Well => String::new(),
                Health::Down(why) | Health::Refused(why) => format!(": {why}"),
            };
            host.paused_for().map(|wait| (wait, format!("{} can not be used{why}", host.name())))
        };
        let github = if mode == Mode::Read { host(self.github.host()) } else { None };
        github.into_iter().chain(host(self.sentry.host())).max()
    }

    /// Read mode: whether the token may still read members. GitHub answers 404 for what a token may not see, so an
    /// absence that came as a 404 is believed only after this. One call.
    pub fn check_permission(&self, org: &Org) -> Result<(), Outcome> {
        match self.probe(&self.github, org) {
            Permission::Reads => {
                self.github_token.learn_untold(None);
                Ok(())
            }
            Permission::Lacks(said) => {
                self.github.host().refuse(PERMISSION_LOST);
                Err(Outcome::Later(format!("{PERMISSION_LOST} ({said})"), None))
            }
            Permission::Untold(trouble) => {
                self.github_token.learn_untold(Some(&trouble));
                Err(self.github_trouble(trouble))
            }
        }
    }

    /// What the token may do, by `github`. A login that answers 404 may also be one of before: by its id, an organisation
    /// that was renamed while nobody listened is found, and followed.
    pub fn probe(&self, github: &Github, org: &Org) -> Permission {
        let told = github.probe(&org.login);
        if matches!(told, Permission::Reads) {
            return told;
        }
        match github.org_by_id(org.id) {
            Ok(Some(now)) if now.login != org.login => {
                self.follow_organisation(org, now.login.clone());
                github.probe(&now.login)
            }
            // A server without that route, or nothing new.
            _ => told,
        }
    }

    /// The pinned organisation has another login now.
    pub fn follow_organisation(&self, org: &Org, login: Login) {
        log::info!("the organisation `{}` is now `{login}`", org.login);
        self.journal.note(Record::Org { id: org.id, login, deleted: org.deleted });
    }

    /// What a trouble with GitHub means for the hint that met it. A refusal in read mode is a token that has lost its
    /// permission: it pauses the host, it never changes the mode.
    pub fn github_trouble(&self, trouble: Trouble) -> Outcome {
        let read_mode = self.bearings().is_some_and(|(_, mode)| mode == Mode::Read);
        match trouble.kind {
            TroubleKind::Denied if read_mode => {
                // One refused call is not a refused token: that is for the call to tell which every token may make
                // that reads members.
                let org = self.bearings().map(|(org, _)| org);
                if org.is_some_and(|org| matches!(self.github.probe(&org.login), Permission::Lacks(_))) {
                    self.github.host().refuse(PERMISSION_LOST);
                    return Outcome::Later(format!("{PERMISSION_LOST} ({trouble})"), Some(REFUSED_PAUSE));
                }
                Outcome::Later(trouble.to_string(), Some(DENIED_PAUSE))
            }
            TroubleKind::Denied => Outcome::Later(trouble.to_string(), Some(DENIED_PAUSE)),
            _ => later_or_never(trouble),
        }
    }

    /// A team may have another parent than before, or none any more. Where the people of child teams count, those of all
    /// teams above it are others then. A comparison looks at them: nobody has named these people, so that guards have to.
    pub fn team_moved(&self, has_moved: bool) {
        if has_moved && self.settings().child_members {
            self.ask_for_reconcile();
        }
    }

    /// Tells of holds that are over since the last time. What was done has lines of its own, with the hold's name.
    pub fn tell_ended_holds(&self) {
        for hold in self.journal.take_ended() {
            self.audit.write(decisions::ended(&hold));
        }
    }

    /// A synced record whose failure puts the hint off.
    pub fn keep(&self, record: Record) -> Result<(), Outcome> {
        self.journal.keep(record).map_err(not_kept)
    }

    /// A look at the state.
    pub fn state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.journal.read(look)
    }
}

/// A record could not be kept: nothing was done, and nothing may be done until it can.
pub fn not_kept(NotKept(why): NotKept) -> Outcome {
    Outcome::Later(format!("the journal can not be written: {why}"), None)
}

fn later_or_never(trouble: Trouble) -> Outcome {
    match trouble.kind {
        TroubleKind::Later(wait) => Outcome::Later(trouble.to_string(), Some(wait)),
        TroubleKind::Refused => Outcome::Later(trouble.to_string(), Some(REFUSED_PAUSE)),
        TroubleKind::Unknown | TroubleKind::Denied => Outcome::Later(trouble.to_string(), None),
        TroubleKind::Never => Outcome::Failed(trouble.to_string()),
    }
}
