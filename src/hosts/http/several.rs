//! Reads in parallel: whole lists, and lists that take one call for each item. Below `cli`, only this module starts
//! threads that end with the call that started them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use super::{Trouble, TroubleKind};
use crate::lock::{Mutex, Seat};
use crate::state::exchange::Exchange;

/// How many threads read at the same time. `at_once` limits how many calls a host gets.
const AT_ONCE: usize = 8;

/// Reads two things in parallel, the first on the caller's thread. If the second one panics or gets no thread, its
/// result is an error.
pub fn both<A, B: Send>(
    one: impl FnOnce() -> Result<A, Trouble>,
    other: impl FnOnce() -> Result<B, Trouble> + Send,
) -> (Result<A, Trouble>, Result<B, Trouble>) {
    let read = Mutex::new(None);
    let (one, begun) = thread::scope(|scope| {
        let begun = begin(scope, Box::new(|| *read.lock() = Some(other())));
        (one(), begun.map(drop))
    });
    let unread = || match begun {
        Ok(_) => unread("a reader met an internal error, see the log".into()),
        Err(error) => unread(format!("no thread to read with: {error}")),
    };
    (one, read.into_inner().unwrap_or_else(|| Err(unread())))
}

type Work<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Starts a reader. `work` is boxed so that this code is compiled only once.
fn begin<'scope>(scope: &'scope Scope<'scope, '_>, work: Work<'scope>) -> io::Result<Reader<'scope>> {
    let seat = Seat::take();
    let of_thread = seat.clone();
    let work = move || {
        let _over = of_thread.as_ref().map(Seat::sit);
        work();
    };
    Ok(Reader { thread: Some(Builder::new().name("read".into()).spawn_scoped(scope, work)?), seat })
}

/// A thread that reads. Dropping it waits for the thread to end, also if the caller panics. If the thread panics, the
/// log has the panic, and the caller finds the result missing.
struct Reader<'a> {
    thread: Option<ScopedJoinHandle<'a, ()>>,
    seat: Option<Seat>,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.seat.iter().for_each(Seat::join);
        drop(self.thread.take().map(ScopedJoinHandle::join));
    }
}

/// Calls `ask` for each of `items`, on several threads including the caller's. The first trouble ends it.
pub fn several_at_once<I: Sync, T: Send>(
    items: &[I],
    ask: impl Fn(&I) -> Result<T, Trouble> + Sync,
) -> Result<Vec<T>, Trouble> {
    let results: Mutex<Vec<Option<T>>> = Mutex::new(items.iter().map(|_| None).collect());
    let trouble: Mutex<Option<Trouble>> = Mutex::new(None);
    spread(items.len(), &|n| match items.get(n).map(&ask).transpose() {
        Ok(value) => {
            if let Some(to) = results.lock().get_mut(n) {
                *to = value;
            }
            true
        }
        Err(error) => {
            trouble.lock().get_or_insert(error);
            false
        }
    });
    if let Some(trouble) = trouble.into_inner() {
        return Err(trouble);
    }
    let results: Option<Vec<T>> = results.into_inner().into_iter().collect();
    results.ok_or_else(|| unread("a reader met an internal error, see the log".into()))
}

/// Calls `each` with 0 to `n - 1` on several threads until a call returns false. Not generic, to be compiled only once.
fn spread(n: usize, each: &(dyn Fn(usize) -> bool + Sync)) {
    let next = AtomicUsize::new(0);
    let work = || loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= n || !each(at) {
            next.store(n, Ordering::Relaxed);
            return;
        }
    };
    thread::scope(|scope| {
        let threads = (1..AT_ONCE.min(n)).filter_map(|_| begin(scope, Box::new(work)).ok());
        let threads: Vec<_> = threads.collect();
        work();
        drop(threads);
    });
}

fn unread(why: String) -> Trouble {
    let exchange = Exchange { call: "comparison".into(), answer: why.clone() };
    Trouble::new(TroubleKind::Unknown, why, exchange)
}
