//! Slot for the result of a task, filled while it runs.
//!
//! The code that runs tasks (a connection, a transaction, a thread) does not know the types of their results. So the
//! compiler generates it once, and not per result type, which took a third of this crate's compile time.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::StoreError;

/// Slot into which a task puts its result.
pub(crate) struct ResultSlot<T>(Arc<Mutex<Option<T>>>);

/// A place for an answer, for the task and for whoever waits for it.
pub(crate) fn result_slot<T>() -> (ResultSlot<T>, ResultSlot<T>) {
    let place = Arc::new(Mutex::new(None));
    (ResultSlot(Arc::clone(&place)), ResultSlot(place))
}

impl<T> ResultSlot<T> {
    pub(crate) fn put(&self, answer: T) {
        *self.0.lock() = Some(answer);
    }

    /// Result of a task that has ended well.
    pub(crate) fn take(&self) -> Result<T, StoreError> {
        self.0.lock().take().ok_or_else(StoreError::closed)
    }
}
