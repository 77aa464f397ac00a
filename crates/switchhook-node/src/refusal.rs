//! Reasons for which a verb of the node does nothing.

use switchhook_domain::Kind;
use switchhook_domain::replay::InvalidReplay;
use switchhook_domain::subscription::InvalidRequest;
use switchhook_domain::traffic::Uncleared;
use switchhook_protocol::UnknownWord;
use switchhook_store::StoreError;

use crate::caller::Forbidden;
use crate::ingest::Rejected;
use crate::share::{Busy, Limit};

/// Reason for which a verb does nothing. Every text is for a person: what is wrong, where, and what to try.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Something that is needed was not given.
    #[error("{0}")]
    Required(String),
    /// Something that was given cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Something that was named is not there, or not the caller's.
    #[error("{0}")]
    NotFound(String),
    /// It collides with what is there.
    #[error("{0}")]
    Conflict(String),
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The caller's key was revoked, has expired or may do something else than when it was begun.
    #[error("this API key was revoked or has expired in the meantime")]
    KeyEnded,
    /// Others have to be done first.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The event was not accepted.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refuses one more of something than a company may have.
pub(crate) fn require_room(limit: Limit, there: usize, what: &str, option: &str) -> Result<(), Refusal> {
    if limit.allows_more_than(there) {
        return Ok(());
    }
    Err(Refusal::Store(StoreError::LimitReached(format!(
        "this company has {there} {what}, which is as many as it may have ({option}): delete one first"
    ))))
}

/// New value of a field that cannot be cleared; `None` leaves it.
pub(crate) fn not_null<T>(name: &'static str, change: Option<Option<T>>) -> Result<Option<T>, Refusal> {
    match change {
        Some(None) => Err(InvalidRequest::NotClearable(name).into()),
        given => Ok(given.flatten()),
    }
}

impl From<InvalidRequest> for Refusal {
    fn from(invalid: InvalidRequest) -> Self {
        match invalid {
            InvalidRequest::Required(_) => Self::Required(invalid.to_string()),
            InvalidRequest::NotClearable(_) | InvalidRequest::NoSuchKind(_) => {
                Self::Invalid(invalid.to_string())
            }
        }
    }
}

impl From<InvalidReplay> for Refusal {
    fn from(invalid: InvalidReplay) -> Self {
        match invalid {
            InvalidReplay::NoFilter => Self::Required(invalid.to_string()),
            _ => Self::Invalid(invalid.to_string()),
        }
    }
}

impl From<Uncleared> for Refusal {
    fn from(uncleared: Uncleared) -> Self {
        Self::Forbidden(uncleared.into())
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

/// One of the kinds that events are of: there is no use in naming the unknown one.
pub(crate) fn of_events(kind: Kind) -> Result<Kind, Refusal> {
    let read: Result<_, UnknownWord> = kind.route().parse();
    read.map_err(|error| Refusal::Invalid(format!("kind: {error}")))
}
