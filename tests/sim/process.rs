//! A simulated process: the parts of a service, put together as the service does it, without its sockets. Its threads hand
//! one baton on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use sentry_team_sync::parts::{
    load, reload, work, Actor, Bench, Clock, Command, Core, Intake, IntakeAnswer, IntakeRequest, Invocation,
    Journal, Keeper, Live, Mirror, Need, Observer, Reconciler, Reply, Schedule, StateDir, Surroundings, Way,
    EVERY,
};

use super::stage::Stage;

/// Where the state lies.
pub const STATE: &str = "/state";
/// How often the journal's keeper looks, at least where nothing happens.
pub const IDLE: Duration = Duration::from_secs(60);
/// A log is replaced by a snapshot when it is so long.
const COMPACT_AT: u64 = 2 << 10;

#[derive(Clone)]
pub struct Process {
    pub core: Arc<Core>,
    pub intake: Arc<Intake>,
    stop: Arc<AtomicBool>,
}

impl Process {
    /// Opens everything, as `service::run` does. To be called on a thread of the process.
    pub fn open(stage: &Stage) -> Result<Self, String> {
        let env = stage.env();
        let config = load(&Default::default(), &env, Need::Everything).map_err(|error| error.to_string())?;
        let state_dir = StateDir::on(Arc::new(stage.disk.clone()), Path::new(STATE));
        let opened = Journal::open(state_dir, Clock::Hand(stage.hand.clone()));
        let (journal, remarks) = opened.map_err(|error| error.to_string())?;
        remarks.iter().for_each(|remark| stage.heard.say(format!("journal: {remark}")));
        let journal = journal.compacting_at(COMPACT_AT);
        let mirror = Arc::new(Mirror::new(&config, &stage.network, Arc::new(journal)));
        let reader = Invocation::of_service(Path::new(STATE), &env);
        let around = Surroundings::new(&config, &env, &Way::local(), reader);
        mirror.queue.fill();
        mirror.look_at_decided();
        let intake = Arc::new(Intake::new(mirror.clone(), config.webhook_secrets.clone()));
        let observer = Observer::new(Arc::new(Reconciler::new(mirror)), intake.arrived.clone());
        let core = Arc::new(Core::new(observer, around));
        Ok(Self { core, intake, stop: Arc::default() })
    }

    pub fn mirror(&self) -> &Arc<Mirror> {
        self.core.mirror()
    }

    /// Its threads begin.
    pub fn begin(&self, stage: &Stage) {
        for _ in 0..self.mirror().settings().workers {
            let mirror = self.mirror().clone();
            stage.spawn(move || work(&mirror));
        }
        let (on_watch, least_rest) = (self.clone(), stage.least_rest.clone());
        stage.spawn(move || on_watch.watch(&least_rest));
        let on_keep = self.clone();
        let (baton, links) = (stage.baton.clone(), stage.links.clone());
        let least_rest = stage.least_rest.clone();
        stage.spawn(move || {
            let mut keeper = Keeper::new(&on_keep.mirror().journal);
            while !on_keep.stop.load(Ordering::Relaxed) {
                let calls = links.calls();
                baton.sleep(EVERY);
                keeper.look();
                // Nothing is noted without a call, so that a look every second would find nothing.
                if calls == links.calls() {
                    baton.wait_for_a_call(IDLE.max(Duration::from_secs(least_rest.load(Ordering::Relaxed))));
                }
            }
        });
    }

    fn watch(&self, least_rest: &AtomicU64) {
        let observer = &self.core.observer;
        let mut schedule = Schedule::new(&observer.reconciler);
        let lanes = &observer.mirror().queue.lanes;
        while !lanes.is_stopping() {
            let least = Duration::from_secs(least_rest.load(Ordering::Relaxed));
            lanes.rest(observer.step(&mut schedule).max(least));
        }
    }

    /// What a signal does: everything under way comes to its end.
    pub fn end(&self) {
        let mirror = self.mirror();
        mirror.queue.lanes.stop();
        mirror.github.host().stop();
        mirror.sentry.host().stop();
        self.stop.store(true, Ordering::Relaxed);
        mirror.journal.close();
    }

    /// What SIGHUP does.
    pub fn reload(&self, env: &BTreeMap<String, String>) {
        reload(&self.core, &self.intake, &Default::default(), env);
    }

    /// A delivery arrives.
    pub fn take(&self, headers: &[(String, String)], body: &[u8]) -> IntakeAnswer {
        self.intake.answer(&IntakeRequest { method: "POST", path: "/github", headers, body })
    }

    /// Somebody asks for something over the control socket.
    pub fn command(&self, command: &Command) -> Reply {
        let around = self.core.around();
        let mirror = self.mirror();
        let bench = Bench {
            journal: &mirror.journal,
            settings: mirror.settings(),
            live: Some(Live { observer: &self.core.observer, around: &around }),
            out: &|_| Ok(()),
            by: Actor { uid: Some(1000), user: Some("olive".into()), ..Actor::default() },
        };
        bench.run(command, &|_| {})
    }
}
