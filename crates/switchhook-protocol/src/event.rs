//! An event as its receiver sees it: a view of one of the five payloads, borrowed from the event's bytes.
//! What all kinds have in common is asked here, so that callers need not match for it.
//! The fields of each kind, and where it has what all have in common, are in the file of that name.

use crate::agent_status::AgentStatusEvent;
use crate::body::BodyError;
use crate::call::CallEvent;
use crate::changelog::ChangelogEvent;
use crate::common::{Direction, Event};
use crate::contact::ContactEvent;
use crate::kind::Kind;
use crate::outline::Outline;
use crate::party::Contact;
use crate::reading::read_view;
use crate::sms::SmsEvent;
use crate::target::Target;
use crate::timestamp::Timestamp;
use crate::value::{Id, Word};

/// The typed view of one event.
///
/// Lenient, as real traffic needs: null, `{}` and a value of an unexpected type are absent, unknown fields are
/// passed over, of a repeated key the last wins. The bytes stay what is true; a view is never written back.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a view lives on the stack while one event is matched; a box would cost an allocation per event"
)]
pub enum Payload<'a> {
    /// A call event.
    Call(CallEvent<'a>),
    /// An sms event.
    Sms(SmsEvent<'a>),
    /// An agent-status event.
    AgentStatus(AgentStatusEvent<'a>),
    /// A contact event.
    Contact(ContactEvent<'a>),
    /// A change-log event.
    Changelog(ChangelogEvent<'a>),
    /// An event of none of the five kinds: nobody knows what its members mean.
    Unknown,
}

impl<'a> Payload<'a> {
    /// Reads an event's bytes as one of `kind`.
    ///
    /// # Errors
    /// Only if the bytes are not one JSON object; [`check_object`](crate::check_object) accepts exactly what this reads. As
    /// [`Kind::Unknown`] any JSON can be read.
    pub fn read(kind: Kind, body: &'a [u8]) -> Result<Self, ReadError> {
        match Outline::read_as(kind, body) {
            Ok(outline) => Ok(Self::of(kind, &outline)),
            Err(reason) => Err(ReadError { kind, reason }),
        }
    }

    /// The event of which this is the outline as one of `kind`.
    #[must_use]
    pub fn of(kind: Kind, outline: &Outline<'a>) -> Self {
        match kind {
            Kind::Call => Self::Call(read_view(outline)),
            Kind::Sms => Self::Sms(read_view(outline)),
            Kind::AgentStatus => Self::AgentStatus(read_view(outline)),
            Kind::Contact => Self::Contact(read_view(outline)),
            Kind::Changelog => Self::Changelog(read_view(outline)),
            Kind::Unknown => Self::Unknown,
        }
    }

    /// The kind this was read as.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Call(_) => Kind::Call,
            Self::Sms(_) => Kind::Sms,
            Self::AgentStatus(_) => Kind::AgentStatus,
            Self::Contact(_) => Kind::Contact,
            Self::Changelog(_) => Kind::Changelog,
            Self::Unknown => Kind::Unknown,
        }
    }

    /// The Dialpad entity the event is about. Contact events have none.
    #[must_use]
    pub fn target(&self) -> Option<&Target<'a>> {
        self.view()?.target()
    }

    /// The outside party. Only calls, messages and contact events have one.
    #[must_use]
    pub fn contact(&self) -> Option<&Contact<'a>> {
        self.view()?.contact()
    }

    /// Time at which the event was made: `event_timestamp`, or a change log's `date`. Contact events have none.
    #[must_use]
    pub fn event_timestamp(&self) -> Option<Timestamp> {
        self.view()?.event_timestamp()
    }

    /// The id of the call, message, agent or contact that the event is about: the member that [`Kind::subject`] names.
    #[must_use]
    pub fn subject_id(&self) -> Option<&Id<'a>> {
        self.view()?.subject_id()
    }

    /// State of a call, status of a message, or change of a contact, in the payload's own word.
    #[must_use]
    pub fn what_happened(&self) -> Option<&str> {
        self.view()?.what_happened()
    }

    /// Direction of a call or a message.
    #[must_use]
    pub fn direction(&self) -> Option<&Word<'a, Direction>> {
        self.view()?.direction()
    }

    /// Values that distinguish the event from every other of its kind, if there are any.
    pub(crate) fn natural_key(&self) -> Option<[String; 3]> {
        self.view()?.natural_key()
    }

    fn view(&self) -> Option<&dyn Event<'a>> {
        match self {
            Self::Call(event) => Some(event),
            Self::Sms(event) => Some(event),
            Self::AgentStatus(event) => Some(event),
            Self::Contact(event) => Some(event),
            Self::Changelog(event) => Some(event),
            Self::Unknown => None,
        }
    }
}

/// Some bytes could not be read as an event; the source says what they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the body of a {kind} event")]
pub struct ReadError {
    /// The kind that was asked for.
    pub kind: Kind,
    /// Mistake in the bytes.
    #[source]
    pub reason: BodyError,
}
