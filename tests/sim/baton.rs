//! Who goes on: of all threads of a simulated process exactly one runs, and hands the baton on at each seam. Who gets it
//! is drawn; if all wait, time goes on until the first of them need not.
//!
//! A process that dies hands nothing on any more: each of its threads ends at the next seam that it comes to, as if
//! nothing had come after it.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{park, Thread};
use std::time::{Duration, Instant};

use sentry_team_sync::parts::{conduct, holds_any, Conductor, Hand};

use super::draw::Draw;
use super::heard::Heard;

/// What ends a thread of a process that has died.
pub struct Died;

/// The one who makes the world go round: it outlives every process.
const WORLD: usize = 0;
/// Nobody hands on so often without that time goes on, unless somebody waits for something in vain.
const MOST_WITHOUT_TIME: u64 = 300_000;
/// Places to wait at that no condition has.
const NOWHERE: usize = 0;
const FOR_A_CALL: usize = 1;

pub struct Baton {
    hand: Arc<Hand>,
    /// The sites' clock, which nobody sets.
    sites: Arc<Hand>,
    heard: Arc<Heard>,
    inner: Mutex<Inner>,
    /// The process is dead.
    dead: AtomicBool,
    /// After so many seams it will be; 0 for never.
    dies_after: AtomicU64,
    died_at_its_seam: AtomicBool,
}

struct Inner {
    actors: Vec<Arc<Actor>>,
    states: Vec<State>,
    /// Those that are not over.
    alive: Vec<usize>,
    draw: Draw,
    handed_on: u64,
    without_time: u64,
    faults: Vec<String>,
}

struct Actor {
    name: String,
    goes: AtomicBool,
    thread: OnceLock<Thread>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Waiting { place: usize, until: Option<Instant> },
    Over,
}

thread_local! {
    static ME: Cell<usize> = const { Cell::new(WORLD) };
}

impl Baton {
    /// The calling thread is the world, and has the baton.
    pub fn new(hand: Arc<Hand>, sites: Arc<Hand>, heard: Arc<Heard>) -> Arc<Self> {
        let world = Arc::new(Actor::new("world"));
        let _ = world.thread.set(std::thread::current());
        let inner = Inner {
            actors: vec![world],
            states: vec![State::Ready],
            alive: vec![WORLD],
            draw: Draw::default(),
            handed_on: 0,
            without_time: 0,
            faults: Vec::new(),
        };
        let (dead, dies_after) = (AtomicBool::new(false), AtomicU64::new(0));
        let baton = Arc::new(Self {
            hand,
            sites,
            heard,
            inner: Mutex::new(inner),
            dead,
            dies_after,
            died_at_its_seam: AtomicBool::new(false),
        });
        ME.set(WORLD);
        conduct(Some(baton.clone()));
        baton
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, draws follow from this.
    pub fn draw_from(&self, draw: Draw) {
        self.inner().draw = draw;
    }

    /// How often the baton was handed on.
    pub fn handed_on(&self) -> u64 {
        self.inner().handed_on
    }

    /// What must never happen and did.
    pub fn faults(&self) -> Vec<String> {
        self.inner().faults.clone()
    }

    pub fn fault(&self, what: String) {
        self.inner().faults.push(what);
    }

    /// The process dies at the seam that comes after so many others.
    pub fn die_after(&self, seams: u64) {
        self.dies_after.store(seams + 1, Ordering::Relaxed);
    }

    /// No death is to come any more.
    pub fn live_on(&self) {
        self.dies_after.store(0, Ordering::Relaxed);
    }

    /// Whether a death that was to come after some seams has come.
    pub fn died_at_its_seam(&self) -> bool {
        self.died_at_its_seam.load(Ordering::Relaxed)
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// The process dies now. Its threads run out, each by itself.
    pub fn kill(&self) {
        if self.dead.swap(true, Ordering::SeqCst) {
            return;
        }
        self.heard.mute(true);
        let inner = self.inner();
        for (number, actor) in inner.actors.iter().enumerate() {
            if number != ME.get() {
                actor.go();
            }
        }
    }

    /// Another process may begin: nobody is left of the last one.
    pub fn bury(&self) {
        let mut inner = self.inner();
        inner.actors.truncate(1);
        inner.states.truncate(1);
        inner.alive.truncate(1);
        inner.actors[WORLD].goes.store(false, Ordering::SeqCst);
        self.live_on();
        self.dead.store(false, Ordering::SeqCst);
        self.heard.mute(false);
    }

    /// A place of work of the host, the disk or a lock is come to: here the process may die, and another may go on.
    pub fn seam(&self, what: &str) {
        if holds_any() {
            if !std::thread::panicking() && !self.is_dead() {
                self.fault(format!("a lock is held across {what}"));
            }
            return;
        }
        self.count_down();
        self.end_if_dead();
        if self.is_dead() || self.inner().draw.below(2) > 0 {
            return;
        }
        self.hand_on(State::Ready);
    }

    /// Waits until a call is made.
    pub fn wait_for_a_call(&self, most: Duration) {
        self.rest_at(FOR_A_CALL, Some(most));
    }

    pub fn is_called(&self) {
        self.wake(FOR_A_CALL, true);
    }

    /// Waits.
    pub fn sleep(&self, span: Duration) {
        self.rest_at(NOWHERE, Some(span));
    }

    fn count_down(&self) {
        if ME.get() == WORLD || self.dies_after.load(Ordering::Relaxed) == 0 {
            return;
        }
        if self.dies_after.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.died_at_its_seam.store(true, Ordering::Relaxed);
            self.kill();
        }
    }

    /// Ends this thread if its process is dead. Nothing is thrown into what is thrown already.
    fn end_if_dead(&self) {
        if ME.get() != WORLD && self.is_dead() && !std::thread::panicking() {
            resume_unwind(Box::new(Died));
        }
    }

    /// Gives the baton to whoever is drawn, and waits until it comes back.
    fn hand_on(&self, state: State) {
        let me = ME.get();
        self.end_if_dead();
        if self.is_dead() {
            return;
        }
        let mut inner = self.inner();
        inner.put(me, state);
        let Some(next) = inner.choose([&self.hand, &self.sites]) else {
            drop(inner);
            self.fault("everybody waits for ever".into());
            self.kill();
            return;
        };
        if next == me {
            return;
        }
        inner.handed_on += 1;
        let (mine, other) = (inner.actors[me].clone(), inner.actors[next].clone());
        drop(inner);
        other.go();
        if state != State::Over {
            mine.wait();
            self.end_if_dead();
        }
    }

    fn rest_at(&self, place: usize, most: Option<Duration>) -> Duration {
        if holds_any() && !std::thread::panicking() && !self.is_dead() {
            self.fault("somebody waits with a lock in hand".into());
            return Duration::ZERO;
        }
        self.count_down();
        let until = most.map(|most| self.hand.now() + most);
        self.hand_on(State::Waiting { place, until });
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(self.hand.now()))
    }
}

impl Inner {
    fn put(&mut self, number: usize, state: State) {
        self.states[number] = state;
        if state == State::Over {
            self.alive.retain(|n| *n != number);
        }
    }

    /// Who goes on; if nobody can, time does.
    fn choose(&mut self, hands: [&Hand; 2]) -> Option<usize> {
        self.without_time += 1;
        if self.without_time > MOST_WITHOUT_TIME {
            let names: Vec<_> = self.actors.iter().map(|actor| actor.name.as_str()).collect();
            self.faults.push(format!("they go round without an end: {names:?}"));
            self.without_time = 0;
            return None;
        }
        loop {
            let ready = || self.alive.iter().copied().filter(|n| self.states[*n] == State::Ready);
            let n = ready().count() as u64;
            if n > 0 {
                let nth = self.draw.below(n) as usize;
                return ready().nth(nth);
            }
            let until = |state: &State| match state {
                State::Waiting { until, .. } => *until,
                _ => None,
            };
            let first = self.alive.iter().filter_map(|n| until(&self.states[*n])).min()?;
            let span = first.saturating_duration_since(hands[0].now());
            hands.into_iter().for_each(|hand| hand.pass(span));
            self.without_time = 0;
            for n in &self.alive {
                let state = &mut self.states[*n];
                if until(state).is_some_and(|at| at <= first) {
                    *state = State::Ready;
                }
            }
        }
    }
}

impl Actor {
    fn new(name: &str) -> Self {
        Self { name: name.into(), goes: AtomicBool::new(false), thread: OnceLock::new() }
    }

    fn go(&self) {
        self.goes.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn wait(&self) {
        while !self.goes.swap(false, Ordering::SeqCst) {
            park();
        }
    }
}

impl Conductor for Baton {
    fn pass(&self) {
        self.count_down();
        self.end_if_dead();
        // Mostly whoever runs goes on: a change at every lock would tell no more, and take longer.
        if self.is_dead() || self.inner().draw.below(16) > 0 {
            return;
        }
        self.hand_on(State::Ready);
    }

    fn is_blocked(&self) {
        // Those of a dead process run all at once.
        if !self.is_dead() {
            self.fault("a lock is waited for that somebody has who does not run".into());
            self.kill();
        }
        self.end_if_dead();
    }

    fn rest(&self, place: usize, most: Option<Duration>) -> Duration {
        self.rest_at(place, most)
    }

    fn wake(&self, place: usize, all: bool) {
        if self.is_dead() {
            return;
        }
        let mut inner = self.inner();
        let inner = &mut *inner;
        let is_there = |state: &State| matches!(state, State::Waiting { place: at, .. } if *at == place);
        let there: Vec<usize> = inner.alive.iter().copied().filter(|n| is_there(&inner.states[*n])).collect();
        if all {
            there.into_iter().for_each(|n| inner.states[n] = State::Ready);
        } else if !there.is_empty() {
            let one = there[inner.draw.below(there.len() as u64) as usize];
            inner.states[one] = State::Ready;
        }
    }

    fn expect(&self) -> usize {
        let mut inner = self.inner();
        inner.actors.push(Arc::new(Actor::new("reader")));
        inner.states.push(State::Ready);
        let number = inner.actors.len() - 1;
        inner.alive.push(number);
        number
    }

    fn begin(&self, number: usize) {
        ME.set(number);
        let me = self.inner().actors[number].clone();
        let _ = me.thread.set(std::thread::current());
        if !self.is_dead() {
            me.wait();
        }
        self.end_if_dead();
    }

    fn end(&self, number: usize) {
        let place = usize::MAX - number;
        self.wake(place, true);
        if self.is_dead() {
            self.inner().put(number, State::Over);
        } else {
            self.hand_on(State::Over);
        }
    }

    fn join(&self, number: usize) {
        while self.inner().states[number] != State::Over {
            if self.is_dead() {
                return;
            }
            self.rest_at(usize::MAX - number, None);
        }
    }
}
