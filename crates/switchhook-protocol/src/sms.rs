//! SMS and MMS: the view of a payload, and the words that occur in it.
//! A message is reported once when it is sent or received, and again whenever its status changes.
//! Which of those are status updates, and who gets them, is decided in the domain.

use crate::common::{Direction, Event};
use crate::party::Contact;
use crate::reading::view;
use crate::spelled_enum;
use crate::target::Target;
use crate::text::Text;
use crate::timestamp::Timestamp;
use crate::value::{Id, Json, Word};

spelled_enum! {
    /// Messages that an sms subscription is about.
    pub enum SmsDirection: "message direction" {
        All = "all",
        Inbound = "inbound",
        Outbound = "outbound",
    }
}

spelled_enum! {
    /// Status of a message. An open set: payloads may hold others. `success` is observed, not in the contract.
    pub enum MessageStatus: "message status" {
        Sent = "sent",
        Failed = "failed",
        Pending = "pending",
        Delivered = "delivered",
        Undelivered = "undelivered",
        Success = "success",
    }
}

spelled_enum! {
    /// Reason for a message's status, as far as the carriers tell.
    pub enum MessageDeliveryResult: "message delivery result" {
        Accepted = "accepted",
        InternalError = "internal_error",
        InvalidDestination = "invalid_destination",
        InvalidSource = "invalid_source",
        NoRoute = "no_route",
        NotSupported = "not_supported",
        Rejected = "rejected",
        RejectedSpam = "rejected_spam",
        TimeOut = "time_out",
    }
}

view! {
    /// A message, or a new status of one.
    ///
    /// Fields marked "observed" are in real traffic and not in the published contract.
    pub struct SmsEvent<'a> {
        /// The message.
        id: Option<Id<'a>>,
        /// Creation of the message.
        created_date: Option<Timestamp>,
        /// Direction of the message.
        direction: Option<Word<'a, Direction>>,
        /// The Dialpad side.
        target: Option<Target<'a>>,
        /// The other side.
        contact: Option<Contact<'a>>,
        /// The user who wrote it, where a group's number is used.
        sender_id: Option<Id<'a>>,
        /// The sender's number.
        from_number: Option<Text<'a>>,
        /// The receivers' numbers.
        to_number: Vec<Text<'a>>,
        /// True for an MMS.
        mms: Option<bool>,
        /// The text; for an MMS the address of its media. Absent or empty without a scope.
        text: Option<Text<'a>>,
        /// The text (observed).
        text_content: Option<Text<'a>>,
        /// Address of the media (observed).
        mms_url: Option<Text<'a>>,
        /// Status of the message.
        message_status: Option<Word<'a, MessageStatus>>,
        /// Reason for the status.
        message_delivery_result: Option<Word<'a, MessageDeliveryResult>>,
        /// True if both sides belong to the company (observed).
        is_internal: Option<bool>,
        /// Time at which the event was made (observed).
        event_timestamp: Option<Timestamp>,
        /// The group's administrators (observed; form not fixed).
        admins: Option<Json<'a>>,
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
