//! Faults of the configuration that show only once GitHub was asked.

use crate::lock::Mutex;

/// The faults that were found, until they are fixed.
#[derive(Debug, Default)]
pub struct Faults {
    /// Stops all work until a restart.
    grave: Mutex<Option<String>>,
    /// May be fixed on GitHub's side.
    told: Mutex<Option<String>>,
}

impl Faults {
    /// Records a fault of the configuration that showed only once GitHub was asked. It stops all work until a restart.
    pub fn set_grave(&self, fault: String) {
        log::error!("{fault}");
        *self.grave.lock() = Some(fault);
    }

    pub fn grave(&self) -> Option<String> {
        self.grave.lock().clone()
    }

    /// Records a fault that may be fixed on GitHub's side. It is logged once, and shown until an organisation is found.
    pub fn tell_once(&self, what: &str) {
        let mut told = self.told.lock();
        if told.as_deref() != Some(what) {
            log::error!("{what}");
            *told = Some(what.into());
        }
    }

    /// The last fault of that kind.
    pub fn told(&self) -> Option<String> {
        self.told.lock().clone()
    }
}
