//! Status of deliveries in words, the same in the API, the dashboard and explanations.

use std::collections::HashMap;

use switchhook_domain::Timestamp;
use switchhook_domain::dead_letter::{Resolution, Resolved};
use switchhook_domain::delivery::{Delivery, DeliveryState, PendingFacts, WaitingFor};
use switchhook_domain::webhook::Condition;
use switchhook_store::{DeliveryProgress, StoreError};

use crate::{Node, amounts};

/// Status of a delivery, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// Reason for waiting; `None` if it has ended.
    pub waiting_for: Option<WaitingFor>,
    /// In a few words: `delivered`, `retrying`, `held: receiver fails`.
    pub label: String,
    /// In sentences. Instants in it are in RFC 3339.
    pub text: String,
}

/// Status of one delivery.
///
/// # Errors
/// If the store cannot be read.
pub async fn status(node: &Node, delivery: &Delivery) -> Result<DeliveryStatus, StoreError> {
    let mut all = statuses(node, std::slice::from_ref(delivery)).await?;
    Ok(all.pop().expect("one answer for one delivery"))
}

/// Status of each delivery, in the same order.
///
/// # Errors
/// If the store cannot be read.
pub async fn statuses(node: &Node, deliveries: &[Delivery]) -> Result<Vec<DeliveryStatus>, StoreError> {
    let pending: Vec<_> = deliveries
        .iter()
        .filter(|delivery| !delivery.state.is_final())
        .map(|delivery| delivery.id)
        .collect();
    let progress = match pending.is_empty() {
        true => Vec::new(),
        false => node.store.progress_of(pending).await?,
    };
    let progress: HashMap<_, _> = progress
        .into_iter()
        .map(|progress| (progress.delivery_id, progress))
        .collect();
    let now = node.clock.now();
    let of = |delivery: &Delivery| judge(node, delivery, progress.get(&delivery.id), now);
    Ok(deliveries.iter().map(of).collect())
}

fn judge(
    node: &Node,
    delivery: &Delivery,
    progress: Option<&DeliveryProgress>,
    now: Timestamp,
) -> DeliveryStatus {
    let destination = node.registry.destination(delivery.webhook_id);
    let breaker = destination.as_ref().map(|destination| destination.breaker());
    let quiet_until = destination
        .as_ref()
        .and_then(|destination| destination.quiet_until(now));
    let paused = destination
        .as_ref()
        .and_then(|destination| Condition::of_paused(&destination.webhook));
    let facts = PendingFacts {
        is_claimed: progress.is_some_and(|progress| progress.is_claimed),
        behind: progress.and_then(|progress| progress.behind),
        is_paused: paused.is_some(),
        is_quiet: quiet_until.is_some(),
        is_breaker_open: breaker.is_some_and(|breaker| breaker.is_open()),
    };
    let waiting_for = delivery.waiting_for(facts, now);
    DeliveryStatus {
        waiting_for,
        label: label(delivery, waiting_for),
        text: text(
            delivery,
            waiting_for,
            WebhookHolds {
                paused,
                quiet_until,
                probe_at: breaker.and_then(|breaker| breaker.not_before()),
                now,
            },
        ),
    }
}

fn label(delivery: &Delivery, waiting_for: Option<WaitingFor>) -> String {
    let label = match (delivery.state, waiting_for) {
        (DeliveryState::Delivered { .. }, _) => "delivered",
        (DeliveryState::Exhausted { .. }, _) => "failed",
        (DeliveryState::Cancelled { .. }, _) => "cancelled",
        (DeliveryState::Pending { .. }, Some(WaitingFor::Answer)) => "sending",
        (DeliveryState::Pending { .. }, Some(WaitingFor::Retry)) => "retrying",
        (DeliveryState::Pending { .. }, Some(WaitingFor::Receiver)) => "held: receiver fails",
        (DeliveryState::Pending { .. }, Some(WaitingFor::Resume)) => "held: paused",
        (DeliveryState::Pending { .. }, Some(WaitingFor::Quiet)) => "held: quiet hours",
        (DeliveryState::Pending { .. }, Some(WaitingFor::Delivery(id))) => {
            return format!("waits for delivery {id}");
        }
        (DeliveryState::Pending { .. }, Some(WaitingFor::Turn) | None) => "queued",
    };
    label.to_owned()
}

/// Reasons for waiting that all deliveries of a webhook share.
#[derive(Debug, Clone, Copy)]
struct WebhookHolds {
    /// `Paused` or `Disabled`, if it is.
    paused: Option<Condition>,
    quiet_until: Option<Timestamp>,
    /// Time at which an open breaker lets the next attempt through.
    probe_at: Option<Timestamp>,
    now: Timestamp,
}

fn text(delivery: &Delivery, waiting_for: Option<WaitingFor>, holds: WebhookHolds) -> String {
    let made = delivery.attempt_number;
    let due_at = match delivery.state {
        DeliveryState::Delivered { at } => return format!("Delivered at {at}, after {}.", attempts(made)),
        DeliveryState::Exhausted { at } => {
            return format!(
                "Failed: given up at {at}, after {}. {}",
                attempts(made),
                next(delivery)
            );
        }
        DeliveryState::Cancelled { at } => return format!("Cancelled at {at}, after {}.", attempts(made)),
        DeliveryState::Pending { due_at } => due_at,
    };
    let failed = match delivery.failures.total() {
        0 => String::new(),
        failures => format!(" {} failed.", attempts(failures)),
    };
    let waits = match waiting_for {
        Some(WaitingFor::Answer) => format!("Attempt {made} is being made."),
        Some(WaitingFor::Retry) => format!("Attempt {} is planned for {due_at}.", made + 1),
        Some(WaitingFor::Receiver) => {
            let next = match holds.probe_at {
                Some(at) if at > holds.now => format!(", the next at {at}"),
                _ => String::new(),
            };
            format!(
                "Held, because the receiver fails. The webhook is sent one attempt now and then{next}; when one succeeds, this \
                 delivery is sent."
            )
        }
        Some(WaitingFor::Quiet) => {
            let end = holds
                .quiet_until
                .map_or_else(String::new, |at| format!(" at {at}"));
            format!("Held: these are the webhook's quiet hours. It is sent when they end{end}.")
        }
        Some(WaitingFor::Resume) => {
            let state = holds.paused.unwrap_or(Condition::Paused);
            format!("Held, because the webhook is {state}. It is sent when the webhook is resumed.")
        }
        Some(WaitingFor::Delivery(id)) => {
            let end = match holds.probe_at {
                None => format!("It is sent at {due_at} at the latest."),
                Some(_) => "The receiver fails, so neither is sent before it works again.".to_owned(),
            };
            let whose = whose(delivery);
            format!("Waits for delivery {id} of the same {whose}, so that they arrive in order. {end}")
        }
        Some(WaitingFor::Turn) | None => {
            format!("Queued: it is due at {due_at} and sent when it is its turn.")
        }
    };
    format!("{waits}{failed}")
}

/// Sentence about a delivery that was given up: its resolution, or how to resend it.
fn next(delivery: &Delivery) -> String {
    match delivery.resolved {
        None => "It is not retried by itself; redeliver it once the receiver works.".to_owned(),
        Some(Resolved {
            how: Resolution::Resent,
            at,
        }) => format!("It was sent again at {at}, as another delivery."),
        Some(Resolved {
            how: Resolution::Dismissed,
            at,
        }) => format!("It was dismissed at {at}."),
    }
}

/// Noun for the subject of an order key.
fn whose(delivery: &Delivery) -> &'static str {
    delivery.kind.subject().map_or("subject", |subject| subject.title)
}

/// Number of attempts, in words.
pub(crate) fn attempts(count: u32) -> String {
    amounts::many(count as usize, "attempt")
}
