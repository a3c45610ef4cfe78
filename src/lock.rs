//! Locks as the program uses them: whoever panics with one in hand leaves it to the others as it is.
//!
//! Every change under a lock is small and whole at each step, and a panic ends one job and not the process: a lock that
//! nobody could take any more would end everything else with it.

use std::fmt;
use std::sync::{self, PoisonError, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

pub use std::sync::MutexGuard;

/// One at a time.
#[derive(Default)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Many that look, or one that changes.
#[derive(Default)]
pub struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    pub const fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLock")
    }
}

/// Wakes those that wait for a change under a [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

impl Condvar {
    pub const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }

    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as `goes_on` says so.
    pub fn wait_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        goes_on: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        self.0.wait_while(guard, goes_on).unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wait_timeout<'a, T>(&self, guard: MutexGuard<'a, T>, most: Duration) -> MutexGuard<'a, T> {
        self.0.wait_timeout(guard, most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits as long as `goes_on` says so, but not longer than `most`.
    pub fn wait_timeout_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        most: Duration,
        goes_on: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        self.0.wait_timeout_while(guard, most, goes_on).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// One at a time, and nothing is locked meanwhile: for whoever asks a host.
#[derive(Debug, Default)]
pub struct Turns {
    is_taken: Mutex<bool>,
    over: Condvar,
}

/// Somebody's turn, until it is dropped.
pub struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits for one's turn.
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
