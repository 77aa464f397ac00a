//! Why a verb of a node was not done.

use switchhook_domain::clearance::Uncleared;
use switchhook_store::StoreError;

use crate::caller::Forbidden;
use crate::ingest::Rejected;

/// Why a verb was not done. Every text is for a person: what is wrong, where, and what to try.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Something that is needed was not given.
    #[error("{0}")]
    Required(String),
    /// Something that was given cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The event was not accepted.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// A company has as many of something as it may have.
    pub(crate) fn too_many(what: &str, there: usize, option: &str) -> Self {
        Self::Store(StoreError::LimitReached(format!(
            "this company has {there} {what}, which is as many as it may have ({option}): delete one first"
        )))
    }
}

impl From<Uncleared> for Forbidden {
    fn from(uncleared: Uncleared) -> Self {
        Self(format!(
            "{uncleared}, which this key does not have: make a key with `switchhook keys create {}`",
            uncleared.missing.options()
        ))
    }
}
