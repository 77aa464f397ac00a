//! What the views of all kinds have in common, and where each kind has it.

use crate::agent_status::AgentStatusEvent;
use crate::call::{CallEvent, Direction};
use crate::changelog::ChangelogEvent;
use crate::contact::{Contact, ContactEvent};
use crate::sms::SmsEvent;
use crate::target::Target;
use crate::timestamp::Timestamp;
use crate::value::{Id, Word};

/// What the views of all kinds have in common; what a kind lacks is `None`.
pub(super) trait Event<'a> {
    fn target(&self) -> Option<&Target<'a>> {
        None
    }

    fn contact(&self) -> Option<&Contact<'a>> {
        None
    }

    fn event_timestamp(&self) -> Option<Timestamp> {
        None
    }

    fn subject_id(&self) -> Option<&Id<'a>> {
        None
    }

    fn what_happened(&self) -> Option<&str>;

    fn direction(&self) -> Option<&Word<'a, Direction>> {
        None
    }

    /// Three parts that no two events of the kind share; empty where fewer do.
    fn natural_key(&self) -> Option<[String; 3]> {
        None
    }
}

impl<'a> Event<'a> for CallEvent<'a> {
    fn target(&self) -> Option<&Target<'a>> {
        self.target.as_ref()
    }

    fn contact(&self) -> Option<&Contact<'a>> {
        self.contact.as_ref()
    }

    fn event_timestamp(&self) -> Option<Timestamp> {
        self.event_timestamp
    }

    fn subject_id(&self) -> Option<&Id<'a>> {
        self.call_id.as_ref()
    }

    fn what_happened(&self) -> Option<&str> {
        self.state.as_ref().map(Word::as_str)
    }

    fn direction(&self) -> Option<&Word<'a, Direction>> {
        self.direction.as_ref()
    }

    fn natural_key(&self) -> Option<[String; 3]> {
        let state = self.what_happened().unwrap_or_default();
        let at = self.event_timestamp?.as_millis();
        Some([
            self.call_id.as_ref()?.to_string(),
            state.to_owned(),
            at.to_string(),
        ])
    }
}

impl<'a> Event<'a> for SmsEvent<'a> {
    fn target(&self) -> Option<&Target<'a>> {
        self.target.as_ref()
    }

    fn contact(&self) -> Option<&Contact<'a>> {
        self.contact.as_ref()
    }

    fn event_timestamp(&self) -> Option<Timestamp> {
        self.event_timestamp
    }

    fn subject_id(&self) -> Option<&Id<'a>> {
        self.id.as_ref()
    }

    fn what_happened(&self) -> Option<&str> {
        self.message_status.as_ref().map(Word::as_str)
    }

    fn direction(&self) -> Option<&Word<'a, Direction>> {
        self.direction.as_ref()
    }

    fn natural_key(&self) -> Option<[String; 3]> {
        let status = self.what_happened().unwrap_or_default();
        let result = self
            .message_delivery_result
            .as_ref()
            .map(Word::as_str)
            .unwrap_or_default();
        Some([
            self.id.as_ref()?.to_string(),
            status.to_owned(),
            result.to_owned(),
        ])
    }
}

impl<'a> Event<'a> for AgentStatusEvent<'a> {
    fn target(&self) -> Option<&Target<'a>> {
        self.target.as_ref()
    }

    fn event_timestamp(&self) -> Option<Timestamp> {
        self.event_timestamp
    }

    fn subject_id(&self) -> Option<&Id<'a>> {
        self.target.as_ref()?.id.as_ref()
    }

    fn what_happened(&self) -> Option<&str> {
        self.on_duty_status.as_ref().map(Word::as_str)
    }

    fn natural_key(&self) -> Option<[String; 3]> {
        let at = self.event_timestamp?.as_millis();
        Some([self.subject_id()?.to_string(), at.to_string(), String::new()])
    }
}

impl<'a> Event<'a> for ContactEvent<'a> {
    fn contact(&self) -> Option<&Contact<'a>> {
        self.contact.as_ref()
    }

    fn subject_id(&self) -> Option<&Id<'a>> {
        self.contact.as_ref()?.id.as_ref()
    }

    fn what_happened(&self) -> Option<&str> {
        self.event.as_ref().map(Word::as_str)
    }
}

impl<'a> Event<'a> for ChangelogEvent<'a> {
    fn target(&self) -> Option<&Target<'a>> {
        self.target.as_ref()
    }

    fn event_timestamp(&self) -> Option<Timestamp> {
        self.date
    }

    fn what_happened(&self) -> Option<&str> {
        self.action.as_deref()
    }
}
