//! Agent status: the view of a payload, and the two spellings it comes in.
//! The published contract says boolean, capitalised and integers; Dialpad's documentation says words, lower case
//! and strings. Both are read, neither is rewritten.

use crate::common::Event;
use crate::outline::Value;
use crate::reading::{Read, view};
use crate::spelled_enum;
use crate::spelling::same_word;
use crate::target::Target;
use crate::text::Text;
use crate::timestamp::Timestamp;
use crate::value::{Id, Word};

spelled_enum! {
    /// Agents that an agent-status subscription is about. Dialpad knows one type.
    pub enum AgentType: "agent type" {
        Callcenter = "callcenter",
    }
}

spelled_enum! {
    /// Duty status of an agent. Written as in the contract; Dialpad's documentation writes it in lower case.
    pub enum OnDutyStatus: "on-duty status" {
        Available = "Available",
        Unavailable = "Unavailable",
        Occupied = "Occupied",
        Wrapup = "Wrapup",
        Busy = "Busy",
    }
}

/// Availability of an agent for calls: a boolean in the contract, a word in Dialpad's documentation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Availability<'a> {
    /// `true` or `false`.
    Flag(bool),
    /// `available`, `unavailable`, or a word not known.
    Word(Text<'a>),
}

impl Availability<'_> {
    /// True if the agent can take calls; `None` if the word is not known.
    #[must_use]
    pub fn is_available(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Word(word) if same_word(word, "available") => Some(true),
            Self::Word(word) if same_word(word, "unavailable") => Some(false),
            Self::Word(_) => None,
        }
    }
}

impl<'a> Read<'a> for Availability<'a> {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        let flag = bool::read(value).map(Self::Flag);
        flag.or_else(|| Text::read(value).map(Self::Word))
    }
}

view! {
    /// A contact-centre agent's status.
    pub struct AgentStatusEvent<'a> {
        /// Availability for calls: neither "do not disturb" nor in a call.
        availability_status: Option<Availability<'a>>,
        /// Duty status of the agent.
        on_duty_status: Option<Word<'a, OnDutyStatus>>,
        /// The reason the agent gave.
        on_duty_status_reason: Option<Text<'a>>,
        /// The contact centres the agent works for.
        call_center_ids: Vec<Id<'a>>,
        /// True if the agent uses the power dialler.
        powerdialer_mode: Option<bool>,
        /// The power dialler's session.
        powerdialer_session: Option<Text<'a>>,
        /// The agent.
        target: Option<Target<'a>>,
        /// Time of the change.
        date: Option<Timestamp>,
        /// Time at which the event was made.
        event_timestamp: Option<Timestamp>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::Outline;
    use crate::reading::read_view;

    #[track_caller]
    fn check(body: &str, is_available: bool, ids: [&str; 2]) {
        let outline = Outline::read(body.as_bytes()).expect("the body is an object");
        let event: AgentStatusEvent<'_> = read_view(&outline);
        let availability = event.availability_status.expect("it is there");
        assert_eq!(availability.is_available(), Some(is_available));
        assert_eq!(
            event.on_duty_status.and_then(|word| word.known()),
            Some(OnDutyStatus::Wrapup)
        );
        assert!(event.call_center_ids.iter().map(Id::as_str).eq(ids));
    }

    #[test]
    fn both_spellings_mean_the_same() {
        check(
            r#"{"availability_status": false, "on_duty_status": "Wrapup", "call_center_ids": [7, 8]}"#,
            false,
            ["7", "8"],
        );
        check(
            r#"{"availability_status": "available", "on_duty_status": "wrapup", "call_center_ids": ["7", "8"]}"#,
            true,
            ["7", "8"],
        );
    }
}
