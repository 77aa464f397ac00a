//! Texts and pictures.

use switchhook_protocol::{MessageDeliveryResult, MessageStatus};

use super::{Scenario, Scene};
use crate::story::sms::Exchange;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "sms-conversation",
        "A question, an answer, a thank-you.",
        conversation,
    ),
    Scenario::new("mms-both-ways", "A picture comes in, another goes out.", pictures),
    Scenario::new(
        "sms-undelivered",
        "The carrier takes a message and cannot deliver it.",
        undelivered,
    ),
    Scenario::new("sms-failed", "A message is refused before it leaves.", failed),
    Scenario::new(
        "sms-from-a-group",
        "A member of a group answers under the group's number.",
        from_a_group,
    ),
    Scenario::new(
        "sms-internal",
        "One person of the company writes to another.",
        between_colleagues,
    ),
];

fn conversation(scene: &mut Scene) {
    let (user, contact) = (scene.user(0), scene.contact());
    let mut exchange = Exchange::empty();
    exchange.receive(scene.world(), 0, user, contact, false);
    let answer = exchange.write(scene.world(), 30_000, user, contact);
    exchange.step(800, answer, MessageStatus::Sent, None);
    exchange.step(3_000, answer, MessageStatus::Delivered, None);
    exchange.receive(scene.world(), 20_000, user, contact, false);
    scene.begin(exchange);
}

fn pictures(scene: &mut Scene) {
    let (user, contact) = (scene.user(0), scene.contact());
    let mut exchange = Exchange::empty();
    exchange.receive(scene.world(), 0, user, contact, true);
    let answer = exchange.write(scene.world(), 25_000, user, contact);
    exchange.with_picture(answer);
    exchange.step(1_500, answer, MessageStatus::Sent, None);
    let accepted = Some(MessageDeliveryResult::Accepted);
    exchange.step(6_000, answer, MessageStatus::Delivered, accepted);
    scene.begin(exchange);
}

fn undelivered(scene: &mut Scene) {
    let (user, contact) = (scene.user(0), scene.contact());
    let mut exchange = Exchange::empty();
    let message = exchange.write(scene.world(), 0, user, contact);
    exchange.step(700, message, MessageStatus::Sent, None);
    let result = Some(MessageDeliveryResult::InvalidDestination);
    exchange.step(12_000, message, MessageStatus::Undelivered, result);
    scene.begin(exchange);
}

fn failed(scene: &mut Scene) {
    let (user, contact) = (scene.user(0), scene.contact());
    let mut exchange = Exchange::empty();
    let message = exchange.write(scene.world(), 0, user, contact);
    let result = Some(MessageDeliveryResult::RejectedSpam);
    exchange.step(1_200, message, MessageStatus::Failed, result);
    scene.begin(exchange);
}

fn from_a_group(scene: &mut Scene) {
    let (sales, sender, contact) = (scene.sales(), scene.user(0), scene.contact());
    let mut exchange = Exchange::empty();
    exchange.receive(scene.world(), 0, sales, contact, false);
    let answer = exchange.write(scene.world(), 45_000, sales, contact);
    exchange.sent_by(answer, sender);
    exchange.step(600, answer, MessageStatus::Sent, None);
    exchange.step(2_500, answer, MessageStatus::Delivered, None);
    scene.begin(exchange);
}

fn between_colleagues(scene: &mut Scene) {
    let exchange = Exchange::between_colleagues(scene.world());
    scene.begin(exchange);
}
