//! Locks that survive a panic: if a thread panics while it holds one, other threads can still take it.
//!
//! Each change under a lock is small and leaves the data whole at every step, and a panic ends one job, not the
//! process. A lock that nobody could take any more would end everything else with it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{self, Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::time::Duration;

/// A [`std::sync::Mutex`] that ignores poisoning.
#[derive(Default)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        pass();
        let value = match self.0.try_lock() {
            Ok(value) => value,
            Err(TryLockError::Poisoned(left)) => left.into_inner(),
            Err(TryLockError::WouldBlock) => {
                conductor().iter().for_each(|conductor| conductor.is_blocked());
                self.0.lock().unwrap_or_else(PoisonError::into_inner)
            }
        };
        MutexGuard { value, of: self, _held: held() }
    }

    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

/// Access to the value of a [`Mutex`]. Dropping it releases the lock.
pub struct MutexGuard<'a, T> {
    value: sync::MutexGuard<'a, T>,
    of: &'a Mutex<T>,
    _held: Held,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// A [`std::sync::RwLock`] that ignores poisoning: many readers, or one writer.
#[derive(Default)]
pub struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    pub const fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    pub fn read(&self) -> Guard<RwLockReadGuard<'_, T>> {
        pass();
        Guard(self.0.read().unwrap_or_else(PoisonError::into_inner), held())
    }

    pub fn write(&self) -> Guard<RwLockWriteGuard<'_, T>> {
        pass();
        Guard(self.0.write().unwrap_or_else(PoisonError::into_inner), held())
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLock")
    }
}

/// Access to the value of an [`RwLock`]. Dropping it releases the lock.
pub struct Guard<G>(G, Held);

impl<G: Deref> Deref for Guard<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.0
    }
}

impl<G: DerefMut> DerefMut for Guard<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.0
    }
}

/// Wakes threads that wait for a change under a [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

impl Condvar {
    pub const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    pub fn notify_one(&self) {
        match conductor() {
            None => self.0.notify_one(),
            Some(conductor) => conductor.wake(self.name(), false),
        }
    }

    pub fn notify_all(&self) {
        match conductor() {
            None => self.0.notify_all(),
            Some(conductor) => conductor.wake(self.name(), true),
        }
    }

    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let MutexGuard { value, of, _held } = guard;
        match conductor() {
            None => {
                let value = self.0.wait(value).unwrap_or_else(PoisonError::into_inner);
                MutexGuard { value, of, _held }
            }
            Some(conductor) => {
                drop((value, _held));
                conductor.rest(self.name(), None);
                of.lock()
            }
        }
    }

    /// Waits as long as `goes_on` returns true.
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut goes_on: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while goes_on(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    pub fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, most: Duration) -> MutexGuard<'a, T> {
        let mut first = true;
        self.wait_timeout_while(guard, most, |_| std::mem::take(&mut first))
    }

    /// Waits as long as `goes_on` returns true, but not longer than `most`.
    pub fn wait_timeout_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        most: Duration,
        mut goes_on: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        let MutexGuard { value, of, _held } = guard;
        let Some(conductor) = conductor() else {
            let waited = self.0.wait_timeout_while(value, most, goes_on);
            return MutexGuard { value: waited.unwrap_or_else(PoisonError::into_inner).0, of, _held };
        };
        let (mut guard, mut left) = (MutexGuard { value, of, _held }, most);
        while goes_on(&mut guard) && !left.is_zero() {
            drop(guard);
            left = conductor.rest(self.name(), Some(left));
            guard = of.lock();
        }
        guard
    }

    /// Its address in memory, used only to compare it with others.
    fn name(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }
}

/// Decides which of several threads runs next, where exactly one of them runs at a time. Only tests that simulate the
/// program use one; the threads of a service have none.
pub trait Conductor: Send + Sync {
    /// This thread is about to take a lock and holds none. Another thread may run first.
    fn pass(&self);
    /// This thread cannot continue, because a thread that isn't running holds the lock.
    fn is_blocked(&self);
    /// Waits until this thread is woken at `place`, or for `most`. Returns the part of `most` that is left.
    fn rest(&self, place: usize, most: Option<Duration>) -> Duration;
    /// Lets all threads that wait at `place` continue, or one of them.
    fn wake(&self, place: usize, all: bool);
    /// Announces a thread that will start under this conductor. Returns its number.
    fn expect(&self) -> usize;
    /// This thread is the one with that number. Waits until it may run.
    fn begin(&self, number: usize);
    /// This thread has ended. Wakes the threads that wait in [`Conductor::join`] for its number.
    fn end(&self, number: usize);
    /// Waits until the thread with that number has ended.
    fn join(&self, number: usize);
}

static IS_CONDUCTED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static CONDUCTOR: RefCell<Option<Arc<dyn Conductor>>> = const { RefCell::new(None) };
    /// How many locks this thread holds.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Sets the conductor of this thread, or removes it.
pub fn conduct(by: Option<Arc<dyn Conductor>>) {
    IS_CONDUCTED.fetch_or(by.is_some(), Ordering::Relaxed);
    CONDUCTOR.set(by);
}

/// The conductor of this thread, if it has one.
pub fn conductor() -> Option<Arc<dyn Conductor>> {
    IS_CONDUCTED.load(Ordering::Relaxed).then(|| CONDUCTOR.with_borrow(Clone::clone)).flatten()
}

/// A place under a conductor, reserved for a thread that is about to start.
#[derive(Clone)]
pub struct Seat(Arc<dyn Conductor>, usize);

impl Seat {
    /// If this thread has a conductor, reserves a place under it for a new thread.
    pub fn take() -> Option<Self> {
        conductor().map(|conductor| Self(conductor.clone(), conductor.expect()))
    }

    /// Call this on the new thread. The conductor schedules that thread until the returned value is dropped.
    pub fn sit(&self) -> Sitting<'_> {
        conduct(Some(self.0.clone()));
        self.0.begin(self.1);
        Sitting(self)
    }

    /// Waits until the thread that took this place has ended.
    pub fn join(&self) {
        self.0.join(self.1);
    }
}

pub struct Sitting<'a>(&'a Seat);

impl Drop for Sitting<'_> {
    fn drop(&mut self) {
        conduct(None);
        self.0 .0.end(self.0 .1);
    }
}

/// Whether this thread holds a lock right now. It must not while it calls GitHub or Sentry.
pub fn holds_any() -> bool {
    HELD.get() > 0
}

fn pass() {
    if IS_CONDUCTED.load(Ordering::Relaxed) && !holds_any() {
        CONDUCTOR.with_borrow(|conductor| conductor.iter().for_each(|conductor| conductor.pass()));
    }
}

/// Counts one lock that this thread holds.
struct Held;

fn held() -> Held {
    HELD.set(HELD.get() + 1);
    Held
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}

/// Admits one thread at a time without holding a lock meanwhile, so that the thread may call GitHub or Sentry.
#[derive(Debug, Default)]
pub struct Turns {
    is_taken: Mutex<bool>,
    over: Condvar,
}

/// One thread's turn, until it is dropped.
pub struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits until the previous turn is over.
    pub fn take(&self) -> Turn<'_> {
        *self.over.wait_while(self.is_taken.lock(), |is_taken| *is_taken) = true;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.is_taken.lock() = false;
        self.0.over.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_taken_one_after_the_other_also_after_a_panic() {
        let (turns, n) = (Turns::default(), Mutex::new((0, 0)));
        std::thread::scope(|scope| {
            let take = || {
                let _turn = turns.take();
                let mut now = n.lock();
                now.0 += 1;
                assert_eq!(now.0, 1, "nobody else is at it");
                drop(now);
                std::thread::yield_now();
                let mut now = n.lock();
                *now = (0, now.1 + 1);
            };
            let panics = scope.spawn(|| {
                let _turn = turns.take();
                panic!("in its turn");
            });
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            assert!(panics.join().is_err() && threads.into_iter().all(|thread| thread.join().is_ok()));
        });
        assert_eq!(n.into_inner(), (0, 4));
    }

    #[test]
    fn a_panic_under_a_lock_leaves_it_to_the_others() {
        let lock = Mutex::new(1);
        let panicked = std::thread::scope(|scope| {
            let panics = scope.spawn(|| {
                let _held = lock.lock();
                panic!("under the lock");
            });
            panics.join().is_err()
        });
        assert!(panicked);
        *lock.lock() += 1;
        assert_eq!(lock.into_inner(), 2);
    }
}
