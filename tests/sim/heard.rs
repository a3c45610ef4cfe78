//! What the threads of a simulation say to the log, and whether one of them panicked: told apart from what other tests of
//! the same program say meanwhile.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

use sentry_team_sync::parts::{conductor, Clock, Hand};

use crate::standin::time;

#[derive(Default)]
pub struct Heard {
    lines: Mutex<Vec<String>>,
    panics: Mutex<Vec<String>>,
    /// The process is dead, and what its threads may still say is said by nobody.
    is_mute: AtomicBool,
}

thread_local! {
    static TO: RefCell<Option<Arc<Heard>>> = const { RefCell::new(None) };
}

/// Panics of threads of whom nobody knows whose they are.
static STRAY: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on, this thread is heard, and the sites know their clock.
pub fn listen(to: &Arc<Heard>, sites: &Arc<Hand>) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let heard = TO.with_borrow(Clone::clone);
            match heard {
                Some(heard) => lock(&heard.panics).push(panic.to_string()),
                None if conductor().is_some() => lock(&STRAY).push(panic.to_string()),
                None => before(panic),
            }
        }));
        let _ = log::set_logger(&Logger);
        log::set_max_level(log::LevelFilter::Debug);
    });
    TO.set(Some(to.clone()));
    time::set_clock(Clock::Hand(sites.clone()));
}

/// From now on, this thread is nobody's.
pub fn deafen() {
    TO.set(None);
    time::set_clock(Clock::System);
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.target().starts_with("sentry_team_sync")
    }

    fn log(&self, record: &log::Record) {
        let heard = TO.with_borrow(Clone::clone).filter(|heard| !heard.is_mute.load(Ordering::SeqCst));
        let Some(heard) = heard.filter(|_| self.enabled(record.metadata())) else { return };
        let at = time::iso_micros(time::now());
        let line = format!("{at} {} {}", record.level().as_str().to_ascii_lowercase(), record.args());
        lock(&heard.lines).push(line);
    }

    fn flush(&self) {}
}

impl Heard {
    pub fn lines(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }

    pub fn mute(&self, is_mute: bool) {
        self.is_mute.store(is_mute, Ordering::SeqCst);
    }

    pub fn has(&self, part: &str) -> bool {
        lock(&self.lines).iter().any(|line| line.contains(part))
    }

    /// Says something between what the process says.
    pub fn say(&self, line: String) {
        lock(&self.lines).push(line);
    }

    pub fn panics(&self) -> Vec<String> {
        let mut all = lock(&self.panics).clone();
        all.append(&mut lock(&STRAY));
        all
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
