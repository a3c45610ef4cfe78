//! Several readings at once: whole lists that do not wait for each other, and the calls of a list that no single call
//! tells. Nowhere else do threads begin that end with the call that began them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder, ScopedJoinHandle};

use super::{Trouble, TroubleKind};
use crate::lock::Mutex;
use crate::state::exchange::Exchange;

/// So many are asked at the same time; how many a host gets is `at_once`'s to say.
const AT_ONCE: usize = 8;

/// Reads two things at once. Where either panics or gets no thread, that is its trouble.
pub fn both<A, B: Send>(
    one: impl FnOnce() -> Result<A, Trouble>,
    other: impl FnOnce() -> Result<B, Trouble> + Send,
) -> (Result<A, Trouble>, Result<B, Trouble>) {
    thread::scope(|scope| {
        let other = Builder::new().name("read".into()).spawn_scoped(scope, other);
        (one(), joined(other))
    })
}

fn joined<T>(thread: io::Result<ScopedJoinHandle<'_, Result<T, Trouble>>>) -> Result<T, Trouble> {
    match thread.map(ScopedJoinHandle::join) {
        Ok(Ok(read)) => read,
        Ok(Err(_)) => Err(unread("a reader met an internal error, see the log".into())),
        Err(error) => Err(unread(format!("no thread to read with: {error}"))),
    }
}

/// Asks for each of `items`, several at once; the first trouble ends it.
pub fn several_at_once<I: Sync, T: Send>(
    items: &[I],
    ask: impl Fn(&I) -> Result<T, Trouble> + Sync,
) -> Result<Vec<T>, Trouble> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(items.len()));
    let trouble: Mutex<Option<Trouble>> = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(items.len()) {
            scope.spawn(|| loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(n) else { return };
                match ask(item) {
                    Ok(value) => results.lock().push((n, value)),
                    Err(error) => {
                        trouble.lock().get_or_insert(error);
                        next.store(items.len(), Ordering::Relaxed);
                        return;
                    }
                }
            });
        }
    });
    if let Some(trouble) = trouble.into_inner() {
        return Err(trouble);
    }
    let mut results = results.into_inner();
    if results.len() != items.len() {
        return Err(unread("a reader met an internal error, see the log".into()));
    }
    results.sort_unstable_by_key(|(n, _)| *n);
    Ok(results.into_iter().map(|(_, value)| value).collect())
}

fn unread(why: String) -> Trouble {
    let exchange = Exchange { call: "comparison".into(), answer: why.clone() };
    Trouble::new(TroubleKind::Unknown, why, exchange)
}
