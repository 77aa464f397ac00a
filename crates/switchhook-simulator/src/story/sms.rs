//! Stories of messages: texts and pictures that come in, and those that go out, whose status is told until it is known
//! what became of them. What people write is in `words`.

mod words;

use std::collections::VecDeque;

use switchhook_protocol::{Direction, Kind, MessageDeliveryResult, MessageStatus};

use crate::company::EntityIndex;
use crate::dialect::Dialect;
use crate::json::Json;
use crate::story::Next;
use crate::story::world::World;

/// Messages that belong together: one with its statuses, or a few to and fro.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// Events, each some milliseconds after the one before.
    steps: VecDeque<(u64, Step)>,
    messages: Vec<Message>,
}

/// One event of a message.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Index of the message.
    message: usize,
    status: Option<MessageStatus>,
    result: Option<MessageDeliveryResult>,
}

#[derive(Clone, Debug)]
struct Message {
    id: i64,
    direction: Direction,
    /// Owner of the number: a person or a group.
    target: EntityIndex,
    /// Author on the company's side.
    sender: Option<EntityIndex>,
    other: Other,
    /// More receivers of the same message.
    also_to: Vec<String>,
    text: &'static str,
    is_mms: bool,
    created_at_ms: i64,
}

/// The other side.
#[derive(Clone, Copy, Debug)]
enum Other {
    /// A place in the address book.
    Contact(usize),
    /// A colleague.
    User(EntityIndex),
}

/// Reasons for which messages fail, each as often as it is listed.
const FAILURES: [(MessageStatus, MessageDeliveryResult); 9] = [
    (
        MessageStatus::Undelivered,
        MessageDeliveryResult::InvalidDestination,
    ),
    (MessageStatus::Undelivered, MessageDeliveryResult::NoRoute),
    (MessageStatus::Undelivered, MessageDeliveryResult::TimeOut),
    (MessageStatus::Undelivered, MessageDeliveryResult::Rejected),
    (MessageStatus::Undelivered, MessageDeliveryResult::RejectedSpam),
    (MessageStatus::Failed, MessageDeliveryResult::InternalError),
    (MessageStatus::Failed, MessageDeliveryResult::InvalidSource),
    (MessageStatus::Failed, MessageDeliveryResult::NotSupported),
    (MessageStatus::Failed, MessageDeliveryResult::RejectedSpam),
];

impl Exchange {
    /// Any of the usual ones.
    pub(crate) fn any(world: &mut World) -> Self {
        match world.rng.between(1..=100) {
            1..=35 => Self::inbound(world, false),
            36..=40 => Self::inbound(world, true),
            41..=62 => Self::outbound(world),
            63..=70 => Self::failed(world),
            71..=75 => Self::picture_sent(world),
            76..=83 => Self::from_a_group(world),
            84..=90 => Self::between_colleagues(world),
            _ => Self::conversation(world),
        }
    }

    /// A message that comes in; with a picture it is an MMS.
    pub(crate) fn inbound(world: &mut World, is_mms: bool) -> Self {
        let mut exchange = Self::empty();
        let user = world.some_user();
        let contact = world.some_contact();
        exchange.receive(world, 0, user, contact, is_mms);
        exchange
    }

    /// A message that goes out and arrives.
    pub(crate) fn outbound(world: &mut World) -> Self {
        let mut exchange = Self::empty();
        let user = world.some_user();
        let contact = world.some_contact();
        let message = exchange.write(world, 0, user, contact);
        exchange.arrive(world, message);
        exchange
    }

    /// A picture that goes out to two people and arrives; carriers call that a success.
    pub(crate) fn picture_sent(world: &mut World) -> Self {
        let mut exchange = Self::empty();
        let user = world.some_user();
        let contact = world.some_contact();
        let also_to = world.some_contact();
        let message = exchange.write(world, 0, user, contact);
        exchange.with_picture(message);
        if also_to != contact {
            exchange.messages[message].also_to = vec![world.company.contacts[also_to].phone.clone()];
        }
        exchange.step(world.rng.between(500..=2_000), message, MessageStatus::Sent, None);
        let end = match world.dialect {
            // Only real traffic knows this word.
            Dialect::Observed => MessageStatus::Success,
            Dialect::Asyncapi => MessageStatus::Delivered,
        };
        let after = world.rng.between(2_000..=9_000);
        exchange.step(after, message, end, Some(MessageDeliveryResult::Accepted));
        exchange
    }

    /// A message that goes out and does not arrive, with the reason.
    pub(crate) fn failed(world: &mut World) -> Self {
        let (status, result) = *world.rng.pick(&FAILURES);
        let mut exchange = Self::empty();
        let user = world.some_user();
        let contact = world.some_contact();
        let message = exchange.write(world, 0, user, contact);
        if status == MessageStatus::Undelivered {
            // The carrier took it and gave it up.
            exchange.step(world.rng.between(300..=1_500), message, MessageStatus::Sent, None);
        }
        let after = world.rng.between(1_000..=20_000);
        exchange.step(after, message, status, Some(result));
        exchange
    }

    /// A member of a group writes under the group's number.
    pub(crate) fn from_a_group(world: &mut World) -> Self {
        let mut exchange = Self::empty();
        let group = world.some_group();
        let contact = world.some_contact();
        let sender = world.some_user();
        exchange.receive(world, 0, group, contact, false);
        let after = world.rng.between(20_000..=90_000);
        let message = exchange.write(world, after, group, contact);
        exchange.sent_by(message, sender);
        exchange.arrive(world, message);
        exchange
    }

    /// One user writes to another: it goes out at the one and comes in at the other.
    pub(crate) fn between_colleagues(world: &mut World) -> Self {
        let mut exchange = Self::empty();
        let (from, to) = world.two_users();
        let text = *world.rng.pick(&words::BETWEEN_COLLEAGUES);
        let sent = exchange.add(world, Direction::Outbound, from, Other::User(to), text);
        exchange.messages[sent].sender = Some(from);
        exchange.step(0, sent, MessageStatus::Sent, None);
        let received = exchange.add(world, Direction::Inbound, to, Other::User(from), text);
        exchange.steps.push_back((120, Step::received(received)));
        exchange
    }

    /// A question, an answer, a thank-you.
    pub(crate) fn conversation(world: &mut World) -> Self {
        let mut exchange = Self::empty();
        let user = world.some_user();
        let contact = world.some_contact();
        exchange.receive(world, 0, user, contact, false);
        let after = world.rng.between(15_000..=80_000);
        let answer = exchange.write(world, after, user, contact);
        exchange.arrive(world, answer);
        let after = world.rng.between(8_000..=60_000);
        exchange.receive(world, after, user, contact, false);
        exchange
    }

    pub(crate) fn advance(&mut self, world: &mut World) -> Next {
        if let Some((_, step)) = self.steps.pop_front() {
            self.tell(step, world);
        }
        match self.steps.front() {
            Some((after, _)) => Next::After(*after),
            None => Next::Ended,
        }
    }

    /// Nobody has written anything yet.
    pub(crate) const fn empty() -> Self {
        Self {
            steps: VecDeque::new(),
            messages: Vec::new(),
        }
    }

    /// A message comes in, so much later.
    pub(crate) fn receive(
        &mut self,
        world: &mut World,
        after: u64,
        target: EntityIndex,
        contact: usize,
        is_mms: bool,
    ) {
        let text = *world.rng.pick(&words::QUESTIONS);
        let message = self.add(world, Direction::Inbound, target, Other::Contact(contact), text);
        if is_mms {
            self.with_picture(message);
        }
        self.steps.push_back((after, Step::received(message)));
    }

    /// Somebody writes a message, so much later; it is on its way.
    pub(crate) fn write(
        &mut self,
        world: &mut World,
        after: u64,
        target: EntityIndex,
        contact: usize,
    ) -> usize {
        let text = *world.rng.pick(&words::ANSWERS);
        let message = self.add(world, Direction::Outbound, target, Other::Contact(contact), text);
        self.messages[message].sender = Some(target);
        self.step(after, message, MessageStatus::Pending, None);
        message
    }

    /// Sets the member of a group who wrote it.
    pub(crate) fn sent_by(&mut self, message: usize, sender: EntityIndex) {
        self.messages[message].sender = Some(sender);
    }

    pub(crate) fn with_picture(&mut self, message: usize) {
        self.messages[message].is_mms = true;
        self.messages[message].text = words::PICTURE;
    }

    fn arrive(&mut self, world: &mut World, message: usize) {
        self.step(world.rng.between(300..=1_500), message, MessageStatus::Sent, None);
        let after = world.rng.between(700..=6_000);
        self.step(after, message, MessageStatus::Delivered, None);
    }

    /// The message's status changes, so much later.
    pub(crate) fn step(
        &mut self,
        after: u64,
        message: usize,
        status: MessageStatus,
        result: Option<MessageDeliveryResult>,
    ) {
        let status = Some(status);
        self.steps.push_back((
            after,
            Step {
                message,
                status,
                result,
            },
        ));
    }

    fn add(
        &mut self,
        world: &mut World,
        direction: Direction,
        target: EntityIndex,
        other: Other,
        text: &'static str,
    ) -> usize {
        self.messages.push(Message {
            id: world.rng.id(),
            direction,
            target,
            sender: None,
            other,
            also_to: Vec::new(),
            text,
            is_mms: false,
            created_at_ms: 0,
        });
        self.messages.len() - 1
    }

    fn tell(&mut self, step: Step, world: &mut World) {
        let message = &mut self.messages[step.message];
        if message.created_at_ms == 0 {
            message.created_at_ms = world.now.as_millis();
        }
        let message = &self.messages[step.message];
        let word = step.status.map_or("received", MessageStatus::as_str);
        world.tell(Kind::Sms, message.id, word, |json, world| {
            message.write(step, json, world);
        });
    }
}

impl Step {
    const fn received(message: usize) -> Self {
        Self {
            message,
            status: None,
            result: None,
        }
    }
}

impl Message {
    fn write(&self, step: Step, json: &mut Json, world: &World) {
        let target = world.company.entity(self.target);
        let others_number = match self.other {
            Other::Contact(index) => &world.company.contacts[index].phone,
            Other::User(index) => &world.company.entity(index).phone,
        };
        let (from, to) = match self.direction {
            Direction::Inbound => (others_number, &target.phone),
            Direction::Outbound => (&target.phone, others_number),
        };
        let media = format!("https://media.larkfield.example/mms/{}.jpg", self.id);
        let receivers = std::iter::once(to).chain(&self.also_to).map(String::as_str);
        json.number("id", self.id)
            .number("created_date", self.created_at_ms)
            .text("direction", self.direction.as_str())
            .object("target", |json| target.write_for_sms(json))
            .object("contact", |json| match self.other {
                Other::Contact(index) => world.company.contacts[index].write_for_sms(json),
                Other::User(index) => world.company.entity(index).write_as_sms_contact(json),
            })
            .number_or("sender_id", self.sender.map(|sender| world.company.entity(sender).id))
            .text("from_number", from)
            .texts("to_number", receivers)
            .flag("mms", self.is_mms)
            // The contract: the text, or for an MMS the address of its media.
            .text("text", if self.is_mms { &media } else { self.text })
            .observed(|json| {
                json.text("text_content", self.text)
                    .text_or("mms_url", self.is_mms.then_some(media.as_str()))
                    .flag("is_internal", matches!(self.other, Other::User(_)))
                    .objects("admins", world.company.admins_of(self.target), |json, admin| {
                        admin.write_for_sms(json);
                    })
                    // Real traffic has this word for what came in, too.
                    .text("message_status", step.status.unwrap_or(MessageStatus::Pending).as_str());
            })
            .contract(|json| _ = json.text_or("message_status", step.status.map(MessageStatus::as_str)))
            .text_or(
                "message_delivery_result",
                step.result.map(MessageDeliveryResult::as_str),
            )
            .observed(|json| _ = json.number("event_timestamp", world.now.as_millis()));
    }
}
