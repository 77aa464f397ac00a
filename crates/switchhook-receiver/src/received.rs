//! An event that was received: its bytes, which are the truth, and the typed views of them.
//! Nothing here checks anything; that an event is what its sender signed was seen to before.
//! The fields are those of `switchhook-protocol`; how an event is put in a few words is `summary`.

mod summary;

use switchhook_protocol::{
    AgentStatusEvent, CallEvent, ChangelogEvent, ContactEvent, Kind, Payload, ReadError, RepeatKey, SmsEvent,
};

use crate::labels::Labels;

/// An event as it was sent, its signature checked if the receiver has a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Kind of the event, detected from its shape, since the body carries no kind; else from its label. `None` if
    /// neither tells; with a hook URL for each kind, [`Received::payload_as`] reads it nevertheless.
    pub kind: Option<Kind>,
    /// The event's JSON, byte for byte: an object, unless the receiver takes any.
    pub body: Vec<u8>,
    /// Labels from the request's headers, if those were handed over.
    pub labels: Labels,
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
    /// Only if `body` is not one JSON object.
    pub fn payload_as(&self, kind: Kind) -> Result<Payload<'_>, ReadError> {
        Payload::read(kind, &self.body)
    }

    /// The call event that this is.
    ///
    /// # Errors
    /// If it is of another kind. So it is with the other four.
    pub fn call(&self) -> Result<CallEvent<'_>, PayloadError> {
        match self.payload()? {
            Payload::Call(event) => Ok(event),
            other => Err(PayloadError::OtherKind(other.kind())),
        }
    }

    /// The sms event that this is.
    ///
    /// # Errors
    /// If it is of another kind.
    pub fn sms(&self) -> Result<SmsEvent<'_>, PayloadError> {
        match self.payload()? {
            Payload::Sms(event) => Ok(event),
            other => Err(PayloadError::OtherKind(other.kind())),
        }
    }

    /// The agent-status event that this is.
    ///
    /// # Errors
    /// If it is of another kind.
    pub fn agent_status(&self) -> Result<AgentStatusEvent<'_>, PayloadError> {
        match self.payload()? {
            Payload::AgentStatus(event) => Ok(event),
            other => Err(PayloadError::OtherKind(other.kind())),
        }
    }

    /// The contact event that this is.
    ///
    /// # Errors
    /// If it is of another kind.
    pub fn contact(&self) -> Result<ContactEvent<'_>, PayloadError> {
        match self.payload()? {
            Payload::Contact(event) => Ok(event),
            other => Err(PayloadError::OtherKind(other.kind())),
        }
    }

    /// The change-log event that this is.
    ///
    /// # Errors
    /// If it is of another kind.
    pub fn changelog(&self) -> Result<ChangelogEvent<'_>, PayloadError> {
        match self.payload()? {
            Payload::Changelog(event) => Ok(event),
            other => Err(PayloadError::OtherKind(other.kind())),
        }
    }

    /// By what this event is told from others: its label if it has one, else the natural key of its kind.
    #[must_use]
    pub fn repeat_key(&self) -> RepeatKey {
        match &self.labels.event_id {
            Some(id) => RepeatKey::of_labelled(id, &self.body),
            None => RepeatKey::natural(self.kind, &self.body),
        }
    }

    /// The event in a few words, for a log line: `hangup inbound call 4513924407164928`. Nothing that was said or
    /// written, and no name or number of a person.
    #[must_use]
    pub fn summary(&self) -> String {
        self.payload()
            .map_or_else(|_| "of no known kind".to_owned(), |payload| summary::of(&payload))
    }
}

/// Reason for which an event has no such typed view.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The event has none of the five known shapes.
    #[error("the event's kind is not known: it has none of the five shapes")]
    UnknownKind,
    /// The event is of another kind than the one asked for.
    #[error("the event is one of {0}")]
    OtherKind(Kind),
    /// The body is not one JSON object: the receiver takes any, or it was replaced.
    #[error(transparent)]
    Read(#[from] ReadError),
}
