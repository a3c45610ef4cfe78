//! Several calls at once, for lists that no single call tells.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Trouble, TroubleKind};
use crate::lock::Mutex;
use crate::state::exchange::Exchange;

/// So many are asked at the same time; how many a host gets is `at_once`'s to say.
const AT_ONCE: usize = 8;

/// Asks for each of `items`, several at once; the first trouble ends it.
pub fn several_at_once<I: Sync, T: Send>(
    items: &[I],
    ask: impl Fn(&I) -> Result<T, Trouble> + Sync,
) -> Result<Vec<T>, Trouble> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(items.len()));
    let trouble: Mutex<Option<Trouble>> = Mutex::new(None);
    std::thread::scope(|scope| {
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
        return Err(panicked());
    }
    results.sort_unstable_by_key(|(n, _)| *n);
    Ok(results.into_iter().map(|(_, value)| value).collect())
}

/// A thread that read something has panicked.
pub fn panicked() -> Trouble {
    let why = "a reader met an internal error, see the log".to_string();
    let exchange = Exchange { call: "comparison".into(), answer: why.clone() };
    Trouble::new(TroubleKind::Unknown, why, exchange)
}
