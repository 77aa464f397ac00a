//! Stories of messages: one that comes in, or one that goes out and whose status is then told.

use std::time::Duration;

use switchhook_protocol::{Direction, Kind, MessageDeliveryResult, MessageStatus, Timestamp};

use crate::body::Object;
use crate::company::{Company, Entity, Person};
use crate::rng::Rng;
use crate::{SimulatedEvent, Story};

const QUESTIONS: [&str; 5] = [
    "Hi, is my order ready to pick up?",
    "Could you call me back after 3pm please?",
    "Thanks, that worked!",
    "Do you also have it in green? 🌿",
    "What are your opening hours on Saturday?",
];

const ANSWERS: [&str; 5] = [
    "Your order is ready at the front desk.",
    "We open at 9 and close at 5.",
    "Of course, we will call you this afternoon.",
    "Thank you for your patience!\nLarkfield Support",
    "It ships tomorrow; you will get a tracking link.",
];

pub(crate) fn tell(rng: &mut Rng, company: &Company, at: Timestamp) -> Story {
    let message = Message {
        id: rng.id(),
        created_at: at,
        user: rng.pick(&company.users).clone(),
        contact: rng.pick(&company.contacts).clone(),
    };
    if rng.chance(50) {
        vec![message.comes_in(rng)]
    } else {
        message.goes_out(rng)
    }
}

struct Message {
    id: i64,
    created_at: Timestamp,
    user: Entity,
    contact: Person,
}

impl Message {
    fn comes_in(&self, rng: &mut Rng) -> SimulatedEvent {
        let body = self
            .begin(Direction::Inbound)
            .text("from_number", &self.contact.phone)
            .texts("to_number", &[&self.user.phone])
            .flag("mms", false)
            .text("text", rng.pick::<&str>(&QUESTIONS));
        finish(body, self.created_at)
    }

    fn goes_out(&self, rng: &mut Rng) -> Story {
        let text = *rng.pick(&ANSWERS);
        let sent_at = self
            .created_at
            .plus(Duration::from_millis(rng.between(300..=1_500)));
        let known_at = sent_at.plus(Duration::from_millis(rng.between(700..=6_000)));
        let (end, result) = if rng.chance(90) {
            (MessageStatus::Delivered, None)
        } else {
            (
                MessageStatus::Undelivered,
                Some(MessageDeliveryResult::InvalidDestination),
            )
        };
        vec![
            self.status(text, MessageStatus::Pending, None, self.created_at),
            self.status(text, MessageStatus::Sent, None, sent_at),
            self.status(text, end, result, known_at),
        ]
    }

    fn status(
        &self,
        text: &str,
        status: MessageStatus,
        result: Option<MessageDeliveryResult>,
        at: Timestamp,
    ) -> SimulatedEvent {
        let body = self
            .begin(Direction::Outbound)
            .number("sender_id", self.user.id)
            .text("from_number", &self.user.phone)
            .texts("to_number", &[&self.contact.phone])
            .flag("mms", false)
            .text("text", text)
            .text("message_status", status.as_str());
        let body = match result {
            Some(result) => body.text("message_delivery_result", result.as_str()),
            None => body,
        };
        finish(body, at)
    }

    fn begin(&self, direction: Direction) -> Object {
        Object::new()
            .number("id", self.id)
            .number("created_date", self.created_at.as_millis())
            .text("direction", direction.as_str())
            .object("target", self.user.as_target())
            .object("contact", self.contact.as_party())
    }
}

fn finish(body: Object, at: Timestamp) -> SimulatedEvent {
    let body = body.number("event_timestamp", at.as_millis());
    SimulatedEvent {
        kind: Kind::Sms,
        at,
        body: body.finish(),
    }
}
