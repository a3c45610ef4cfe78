//! All that a simulated process stands on: clock, disk, network, both sites, its settings, and the threads of the process
//! that runs.

use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use sentry_team_sync::parts::{conduct, Hand, Seat, Timestamp};

use super::baton::Baton;
use super::disk::Disk;
use super::draw::Draw;
use super::heard::{self, Heard};
use super::network::{Links, Network, GITHUB, SENTRY};
use super::threads::{self, Begun};
use crate::standin::github::Flavour;
use crate::standin::{Era, GithubStandin, SentryStandin, Silo};

pub struct Stage {
    pub baton: Arc<Baton>,
    /// The process's clock; the sites have one of their own.
    pub hand: Arc<Hand>,
    pub sites: Arc<Hand>,
    pub disk: Disk,
    pub links: Arc<Links>,
    pub network: Network,
    pub github: GithubStandin,
    pub sentry: SentryStandin,
    pub heard: Arc<Heard>,
    env: Mutex<BTreeMap<String, String>>,
    threads: Mutex<Vec<Begun>>,
    /// The least rest of the schedule, in seconds: what it looks at each second may be seldom of use.
    pub least_rest: Arc<AtomicU64>,
}

impl Stage {
    /// The calling thread is the world's.
    pub fn new(era: Era, silo: Silo, org: &str, sentry_org: &str) -> Self {
        // 2026-11-23T21:53:48Z.
        let [hand, sites] = [(); 2].map(|()| Arc::new(Hand::at(Timestamp::from_secs(1_795_470_828))));
        let heard = Arc::new(Heard::default());
        heard::listen(&heard, &sites);
        let baton = Baton::new(hand.clone(), sites.clone(), heard.clone());
        let github = GithubStandin::apart(Flavour::Dotcom, org, GITHUB);
        let sentry = SentryStandin::apart(era, silo, sentry_org, SENTRY);
        let links = Arc::new(Links::default());
        let network = Network {
            baton: baton.clone(),
            github: github.handler().clone(),
            sentry: sentry.handler().clone(),
            links: links.clone(),
            heard: heard.clone(),
            sites: sites.clone(),
        };
        Self {
            disk: Disk::new(&baton, &hand),
            baton,
            hand,
            sites,
            links,
            network,
            github,
            sentry,
            heard,
            env: Mutex::default(),
            threads: Mutex::default(),
            least_rest: Arc::default(),
        }
    }

    pub fn set(&self, name: &str, value: &str) {
        self.env.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), value.into());
    }

    pub fn env(&self) -> BTreeMap<String, String> {
        self.env.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a thread of the process. What it came to is there once it is over, unless its process has died.
    pub fn spawn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Spawned<T> {
        let seat = Seat::take().expect("the world is conducted");
        let waits_on = seat.clone();
        let (heard, sites) = (self.heard.clone(), self.sites.clone());
        let came_to = Arc::new(Mutex::new(None));
        let to = came_to.clone();
        let run = move || {
            heard::listen(&heard, &sites);
            // Whatever ends it has been told already.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let _sitting = seat.sit();
                let value = work();
                *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            }));
        };
        self.threads().push(threads::begin(run));
        Spawned { came_to, seat: waits_on }
    }

    /// Waits until all threads are over. Those of a process that has died run out by themselves.
    pub fn join(&self) {
        let threads = std::mem::take(&mut *self.threads());
        threads.into_iter().for_each(Begun::join);
    }

    /// The process dies; if its machine does too, what was not synced is lost.
    pub fn die(&self, power_cut: Option<&mut Draw>) {
        self.baton.kill();
        self.join();
        match power_cut {
            Some(draw) => self.disk.crash(draw),
            None => self.disk.survive(),
        }
        self.baton.bury();
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<Begun>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that has begun.
pub struct Spawned<T> {
    came_to: Arc<Mutex<Option<T>>>,
    seat: Seat,
}

impl<T> Spawned<T> {
    /// What it came to, once it is over.
    pub fn take(&self) -> Option<T> {
        self.came_to.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits for its end; nothing if its process has died.
    pub fn wait(&self) -> Option<T> {
        self.seat.join();
        self.take()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.baton.kill();
        self.join();
        conduct(None);
        heard::deafen();
    }
}
