//! Mistakes of the configuration that show only once GitHub was asked.

use crate::lock::Mutex;

/// What was found, until it is mended.
#[derive(Debug, Default)]
pub struct Faults {
    /// Nothing is worked on until a restart.
    grave: Mutex<Option<String>>,
    /// It may be mended on the other side.
    told: Mutex<Option<String>>,
}

impl Faults {
    /// A mistake in the configuration that shows only once GitHub was asked: nothing is worked on until a restart.
    pub fn set_grave(&self, fault: String) {
        log::error!("{fault}");
        *self.grave.lock() = Some(fault);
    }

    pub fn grave(&self) -> Option<String> {
        self.grave.lock().clone()
    }

    /// A mistake that may be mended on the other side: told once, and until an organisation is found.
    pub fn tell_once(&self, what: &str) {
        let mut told = self.told.lock();
        if told.as_deref() != Some(what) {
            log::error!("{what}");
            *told = Some(what.into());
        }
    }

    /// What was told last in this way.
    pub fn told(&self) -> Option<String> {
        self.told.lock().clone()
    }
}
