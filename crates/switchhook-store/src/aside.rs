//! What a task answers, put aside while it runs.
//!
//! What runs tasks (a connection, a transaction, a thread) knows nothing of what they answer. So the compiler makes that once, and
//! not again for every answer: it was a third of the time that it takes for this crate.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::StoreError;

/// Where a task puts what it answers.
pub(crate) struct Aside<T>(Arc<Mutex<Option<T>>>);

/// A place for an answer, for the task and for whoever waits for it.
pub(crate) fn aside<T>() -> (Aside<T>, Aside<T>) {
    let place = Arc::new(Mutex::new(None));
    (Aside(Arc::clone(&place)), Aside(place))
}

impl<T> Aside<T> {
    pub(crate) fn put(&self, answer: T) {
        *self.0.lock() = Some(answer);
    }

    /// What the task has put here; it has ended well.
    pub(crate) fn take(&self) -> Result<T, StoreError> {
        self.0.lock().take().ok_or_else(StoreError::closed)
    }
}
