//! Errors of the store, sorted by what the caller can do.

use switchhook_domain::subscription::InvalidChange;

/// Reason for which a store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is not there, or not the caller's. Nothing to do but say so.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It collides with what is there. The caller's caller must decide.
    #[error("{0}")]
    Conflict(String),
    /// The change makes no sense.
    #[error(transparent)]
    Invalid(#[from] InvalidChange),
    /// A limit was set and is reached.
    #[error("{0}")]
    LimitReached(String),
    /// It cannot now but may soon: disk full, locked, connection gone. Try again later; nothing was done.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Stored data cannot be read. A person must look at it.
    #[error("the store holds something that it cannot read: {0}")]
    Corrupt(String),
    /// The store cannot be opened as asked. A person must change the configuration.
    #[error("{0}")]
    Unusable(String),
}

impl StoreError {
    pub(crate) fn closed() -> Self {
        Self::Unavailable("it is closed".into())
    }
}
