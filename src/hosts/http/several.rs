//! Several readings at once: whole lists that do not wait for each other, and the calls of a list that no single call
//! tells. Nowhere else do threads begin that end with the call that began them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use super::{Trouble, TroubleKind};
use crate::lock::{Mutex, Seat};
use crate::state::exchange::Exchange;

/// So many are asked at the same time; how many a host gets is `at_once`'s to say.
const AT_ONCE: usize = 8;

/// Reads two things at once, the first on the caller's thread. Where the other panics or gets no thread, that is its
/// trouble.
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

/// Boxed, so that a thread's beginning is in the program once.
fn begin<'scope>(scope: &'scope Scope<'scope, '_>, work: Work<'scope>) -> io::Result<Reader<'scope>> {
    let seat = Seat::take();
    let of_thread = seat.clone();
    let work = move || {
        let _over = of_thread.as_ref().map(Seat::sit);
        work();
    };
    Ok(Reader { thread: Some(Builder::new().name("read".into()).spawn_scoped(scope, work)?), seat })
}

/// To be dropped once there is nothing else to do, which waits for its end; so does whoever panics before. A panic of its
/// own is in the log, and what it kept from being read is missed by whoever asked for it.
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

/// Asks for each of `items`, several at once, of whom the caller is one; the first trouble ends it.
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

/// Does each of so many things until one of them says that it is over. Not generic, so that it is in the program once.
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
