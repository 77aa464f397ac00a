//! Replies: how callers are answered once their writes are certain.

use tokio::sync::oneshot;

use crate::error::StoreError;

/// The writer's end of an answer. It keeps the result back until the commit is certain.
pub(crate) struct Reply<T> {
    caller: oneshot::Sender<Result<T, StoreError>>,
    result: Option<Result<T, StoreError>>,
}

/// Caller's end.
pub(crate) struct Answer<T>(oneshot::Receiver<Result<T, StoreError>>);

pub(crate) fn reply<T>() -> (Reply<T>, Answer<T>) {
    let (caller, answer) = oneshot::channel();
    let reply = Reply { caller, result: None };
    (reply, Answer(answer))
}

impl<T> Reply<T> {
    /// Sets the answer for a successful commit. The last one counts, because a write may run twice.
    pub(crate) fn set(&mut self, result: Result<T, StoreError>) {
        self.result = Some(result);
    }

    /// For one of those who shared a commit.
    pub(crate) fn send(self, committed: &Result<(), StoreError>) {
        let result = match committed {
            Ok(()) => self.result.unwrap_or_else(|| Err(StoreError::closed())),
            Err(error) => Err(for_each_caller(error)),
        };
        // A caller that went away does not want to know.
        let _ = self.caller.send(result);
    }
}

impl<T> Answer<T> {
    pub(crate) async fn wait(self) -> Result<T, StoreError> {
        self.0.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }

    /// For whoever has done the write itself.
    pub(crate) fn now(mut self) -> Result<T, StoreError> {
        self.0.try_recv().unwrap_or_else(|_| Err(StoreError::closed()))
    }
}

/// An error for each of those who shared a commit.
fn for_each_caller(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
        StoreError::Corrupt(why) => StoreError::Corrupt(why.clone()),
        StoreError::Conflict(why) => StoreError::Conflict(why.clone()),
        other => StoreError::Unavailable(other.to_string()),
    }
}
