//! An event that was received: its bytes, which are the truth, and the typed view of them.
//! Nothing here checks anything; that an event is what its sender signed was seen to before.
//! The fields are those of `switchhook-protocol`.

use switchhook_protocol::{Kind, Payload, ReadError};

/// An event as it was sent, its signature checked if the receiver has a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What the event is about, told by its shape, since the body carries no label. `None` if it has none of the
    /// known shapes; with a hook URL for each kind, [`Received::payload_as`] reads it nevertheless.
    pub kind: Option<Kind>,
    /// The event's JSON object, byte for byte.
    pub body: Vec<u8>,
}

impl Received {
    /// The typed view of the event.
    ///
    /// # Errors
    /// If its kind is not known.
    pub fn payload(&self) -> Result<Payload<'_>, PayloadError> {
        let kind = self.kind.ok_or(PayloadError::UnknownKind)?;
        Ok(self.payload_as(kind)?)
    }

    /// The typed view of the event as one of `kind`, whatever its shape.
    ///
    /// # Errors
    /// Only if `body` was replaced by something that is not one JSON object.
    pub fn payload_as(&self, kind: Kind) -> Result<Payload<'_>, ReadError> {
        Payload::read(kind, &self.body)
    }
}

/// Why an event has no typed view.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The event has none of the five known shapes.
    #[error("the event's kind is not known: it has none of the five shapes")]
    UnknownKind,
    /// The body was replaced by something that is not one JSON object.
    #[error(transparent)]
    Read(#[from] ReadError),
}
