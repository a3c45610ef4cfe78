//! What the service's listeners and threads share.

use std::sync::Arc;

use crate::commands::check::Surroundings;
use crate::lock::RwLock;
use crate::status::Observer;
use crate::work::mirror::Mirror;

/// A running mirror, and what is known about its process.
pub struct Core {
    pub observer: Observer,
    around: RwLock<Arc<Surroundings>>,
}

impl Core {
    pub fn new(observer: Observer, around: Surroundings) -> Self {
        Self { observer, around: RwLock::new(Arc::new(around)) }
    }

    pub fn mirror(&self) -> &Arc<Mirror> {
        &self.observer.reconciler.mirror
    }

    pub fn around(&self) -> Arc<Surroundings> {
        self.around.read().clone()
    }

    /// Called after a reload.
    pub fn set_around(&self, around: Surroundings) {
        *self.around.write() = Arc::new(around);
    }
}
