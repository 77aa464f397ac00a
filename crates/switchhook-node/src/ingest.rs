//! Events on their way in: from bytes to a kept event with its deliveries.
//!
//! One path for all of them, one by one or many at once: read, validate, match (`ingest/decision.rs`), keep. Which requests bring
//! them is the API's; who sends them on is the delivery engine's, which is handed what it has room for by the store's commit.

pub mod batch;
mod decision;
pub mod sample;
mod submission;

use std::collections::BTreeSet;

use bytes::Bytes;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::matching::Match;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::{Kind, Timestamp};
pub use switchhook_protocol::LARGEST_EVENT;
use switchhook_protocol::Outline;
use switchhook_store::{NewEvent, StoreError};

use self::decision::{decide, facts, prepare, settle};
pub use self::submission::{
    Accepted, AcceptedDelivery, IdempotencyKey, KEY_LASTS, Rejected, SentAs, Submission,
};
use crate::Node;
use crate::live::EventInfo;
use crate::registry::Matched;
use crate::summary::Summary;
use crate::validation::ValidationMode;

/// Accepts one event: when this answers `Ok`, it is kept.
///
/// # Errors
/// Says why it is not.
pub async fn accept(node: &Node, submission: Submission) -> Result<Accepted, Rejected> {
    accept_judged(node, submission, node.settings.validation).await
}

/// Accepts one event that a source let in: it is authentic and nobody would send it again, so that no mode of validation
/// has it refused.
///
/// # Errors
/// Says why it is not accepted.
pub async fn accept_from_source(node: &Node, submission: Submission) -> Result<Accepted, Rejected> {
    accept_judged(node, submission, node.settings.validation.without_refusals()).await
}

async fn accept_judged(
    node: &Node,
    submission: Submission,
    mode: ValidationMode,
) -> Result<Accepted, Rejected> {
    node.engine.yield_to_sending().await;
    let now = node.clock.now();
    let notice = AcceptanceNotice::of(node, &submission, now);
    let outcome = match prepare(node, submission, mode, now) {
        Ok((event, accepted)) => keep_one(node, event, accepted).await,
        Err(rejected) => Err(rejected),
    };
    count(node, &outcome, notice);
    outcome
}

/// Accepts many events of one company in one commit, each whole or not at all; answers in their order.
///
/// # Errors
/// If the store did not keep any of them.
pub async fn accept_many(
    node: &Node,
    submissions: Vec<Submission>,
) -> Result<Vec<Result<Accepted, Rejected>>, StoreError> {
    accept_many_judged(node, submissions, node.settings.validation).await
}

/// The same for events that a source let in, as [`accept_from_source`].
///
/// # Errors
/// As there.
pub async fn accept_many_from_source(
    node: &Node,
    submissions: Vec<Submission>,
) -> Result<Vec<Result<Accepted, Rejected>>, StoreError> {
    accept_many_judged(node, submissions, node.settings.validation.without_refusals()).await
}

async fn accept_many_judged(
    node: &Node,
    submissions: Vec<Submission>,
    mode: ValidationMode,
) -> Result<Vec<Result<Accepted, Rejected>>, StoreError> {
    node.engine.yield_to_sending().await;
    let now = node.clock.now();
    let mut events = Vec::with_capacity(submissions.len());
    let mut outcomes = Vec::with_capacity(submissions.len());
    for submission in submissions {
        let notice = AcceptanceNotice::of(node, &submission, now);
        let prepared = prepare(node, submission, mode, now);
        let prepared = prepared.map(|(event, accepted)| {
            events.push(event);
            accepted
        });
        outcomes.push((prepared, notice));
    }
    let mut recorded = match events {
        none if none.is_empty() => Vec::new(),
        events => {
            let told: BTreeSet<_> = events
                .iter()
                .filter(|event| event.is_logged)
                .map(|event| event.company_id)
                .collect();
            let share = events.first().map(|event| node.shares.of(event.company_id));
            let place = match &share {
                Some(share) => share.take_in(&events).await,
                None => None,
            };
            let recorded = node
                .ingest_progress
                .keep(node.store.record_events(events))
                .await?;
            drop(place);
            told.iter().for_each(|id| node.listeners.wake(*id));
            recorded
        }
    }
    .into_iter();
    let settled = outcomes.into_iter().map(|(outcome, notice)| {
        let outcome = outcome.and_then(|accepted| {
            let recorded = recorded.next().expect("the store answers for every event");
            settle(accepted, recorded)
        });
        count(node, &outcome, notice);
        outcome
    });
    Ok(settled.collect())
}

/// Makes a sample event of the given kind and sends it to one webhook, whatever it is subscribed to.
///
/// # Errors
/// If it could not be kept.
pub async fn accept_sample(
    node: &Node,
    company_id: CompanyId,
    webhook_id: WebhookId,
    (kind, body): (Kind, String),
) -> Result<Accepted, Rejected> {
    let now = node.clock.now();
    let body = Bytes::from(body);
    let only = Match {
        endpoint: Endpoint::Webhook(webhook_id),
        subscription_ids: Vec::new(),
        hidden: Hidden::NOTHING,
    };
    let submission = Submission {
        company_id,
        kind,
        body,
        idempotency_key: None,
    };
    let notice = AcceptanceNotice::of(node, &submission, now);
    let facts = facts(kind, &Outline::read(&submission.body)?);
    if node.registry.destination(webhook_id).is_none() {
        // Another node may have made it a moment ago.
        node.registry.learn_of(webhook_id).await?;
    }
    let matched = Matched {
        matches: vec![only],
        revision: node.registry.revision(company_id),
        has_feed: false,
    };
    let (event, accepted) = decide(
        node,
        submission,
        &facts,
        Hidden::EVERYTHING,
        matched,
        Vec::new(),
        now,
    );
    let outcome = keep_one(node, event, accepted).await;
    count(node, &outcome, notice);
    outcome
}

async fn keep_one(node: &Node, event: NewEvent, accepted: Accepted) -> Result<Accepted, Rejected> {
    let told = event.is_logged.then_some(event.company_id);
    let share = node.shares.of(event.company_id);
    let place = share.take_in(std::slice::from_ref(&event)).await;
    let recorded = node
        .ingest_progress
        .keep(node.store.record_events(vec![event]))
        .await?;
    drop(place);
    told.inspect(|company_id| node.listeners.wake(*company_id));
    let recorded = recorded
        .into_iter()
        .next()
        .expect("the store answers for every event");
    settle(accepted, recorded)
}

/// Data about an accepted event for live subscribers and counters.
struct AcceptanceNotice {
    company_id: CompanyId,
    kind: Kind,
    at: Timestamp,
    /// Only if somebody watches.
    body: Option<Bytes>,
}

impl AcceptanceNotice {
    fn of(node: &Node, submission: &Submission, at: Timestamp) -> Self {
        let is_heard = node.live.is_heard(submission.company_id);
        Self {
            company_id: submission.company_id,
            kind: submission.kind,
            at,
            body: is_heard.then(|| submission.body.clone()),
        }
    }
}

/// Tells those who watch, and those who count, what came of an event.
fn count(node: &Node, outcome: &Result<Accepted, Rejected>, notice: AcceptanceNotice) {
    match outcome {
        Ok(accepted) => {
            let AcceptanceNotice {
                company_id,
                kind,
                at,
                body,
            } = notice;
            node.telemetry.accepted(accepted.kind, accepted.is_duplicate);
            let mask = node.settings.mask;
            let summary = || body.map(|body| Summary::of(kind, &body, mask));
            let event = EventInfo {
                id: accepted.id,
                kind: accepted.kind,
                is_duplicate: accepted.is_duplicate,
            };
            let deliveries = accepted.deliveries.iter();
            let deliveries = deliveries.map(|delivery| (delivery.id, delivery.webhook_id));
            node.live.accepted(company_id, event, deliveries, at, summary);
            if !accepted.is_duplicate {
                node.history.accepted(company_id, at);
            }
        }
        Err(rejected) => node.telemetry.rejected(rejected.reason()),
    }
}
