//! One attempt: prepare → post → judge. What comes of it is data, whatever happened.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Attempt, FailureReason, OutcomeClass, Phases};
use switchhook_domain::delivery::{Delivery, state_after_attempt, still_blocks};
use switchhook_domain::order::OrderKey;
use switchhook_domain::redaction::redact;
use switchhook_domain::retry::{Jitter, RetryContext, RetryPolicy};
use switchhook_domain::template::Circumstances;
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_store::{ClaimedDelivery, FinishedAttempt};

use super::EngineParts;
use super::body::body_of;
use super::memory::Reservation;
use super::transport::{Post, Posted};
use crate::destination::{Destination, Unwanted, add_own_headers};
use crate::live::AttemptOf;
use crate::templates::Templates;

/// An attempt that ended.
pub(super) struct Ended {
    pub(super) finished: FinishedAttempt,
    /// Where it went.
    pub(super) destination: Arc<Destination>,
    pub(super) of: AttemptOf,
    pub(super) order_key: Option<OrderKey>,
    pub(super) class: OutcomeClass,
    /// What the receiver wants no more of.
    pub(super) unwanted: Option<Unwanted>,
}

/// Makes one attempt of a claimed delivery; `room` is for what is made of its event.
pub(super) async fn attempt(
    claimed: Box<ClaimedDelivery>,
    destination: Arc<Destination>,
    room: Option<Reservation>,
    started_at: Timestamp,
    parts: Arc<EngineParts>,
) -> Ended {
    let posting = async {
        match prepare(&claimed, &destination, room, &parts.templates, started_at).await {
            Ok(post) => parts.transport.post(post).await,
            Err(words) => Posted::unanswered(FailureReason::Template, words, Phases::default()),
        }
    };
    // Whatever is odd about an event or a receiver ends one attempt, and not the engine.
    let posted = AssertUnwindSafe(posting).catch_unwind().await;
    let mut posted = posted.unwrap_or_else(|_panic| {
        let words = "the attempt failed inside the server";
        Posted::unanswered(FailureReason::BadRequest, words, Phases::default())
    });
    let class = posted.outcome.class();
    let unwanted = unwanted(&destination, &mut posted);
    let finished = judge(
        &claimed.delivery,
        posted,
        &Judgement {
            destination: &destination,
            unwanted,
            defaults: &parts.defaults,
            was_due_at: claimed.was_due_at,
            started_at,
            finished_at: parts.clock.now(),
            jitter: parts.dice.roll(),
        },
    );
    Ended {
        finished,
        destination,
        of: AttemptOf {
            company_id: claimed.delivery.company_id,
            event_id: claimed.delivery.event_id,
            kind: claimed.delivery.kind,
            created_at: claimed.delivery.created_at,
        },
        order_key: claimed.delivery.order_key,
        class,
        unwanted,
    }
}

/// What the receiver wants no more of, which is noted on its answer. Receivers of others are not listened to.
fn unwanted(destination: &Destination, posted: &mut Posted) -> Option<Unwanted> {
    destination.standard.as_ref()?;
    let unwanted = Unwanted::told_by(posted.answer.as_ref()?)?;
    posted.answer = posted.answer.take().map(|answer| answer.noting(unwanted.note()));
    Some(unwanted)
}

/// The POST for a claimed delivery, made at `now`.
async fn prepare(
    claimed: &ClaimedDelivery,
    destination: &Arc<Destination>,
    room: Option<Reservation>,
    templates: &Templates,
    now: Timestamp,
) -> Result<Post, String> {
    let delivery = &claimed.delivery;
    let mut headers = destination.headers.clone();
    let made = if destination.made.has_headers() || destination.made.has_body() {
        let event = redact(&claimed.body, claimed.hidden());
        let make = destination.made.make(
            templates,
            delivery.company_id,
            &mut headers,
            &event,
            circumstances(delivery),
        );
        // In a box: few attempts need the room that this takes.
        Box::pin(make).await?
    } else {
        None
    };
    add_own_headers(&mut headers, delivery, &destination.webhook.settings);
    let signer = destination.signer.as_ref();
    let body = match (made, signer) {
        (None, signer) => body_of(signer, &claimed.body, claimed.hidden()),
        (Some(made), None) => made.into(),
        (Some(made), Some(signer)) => signer.sign(made.as_bytes()).into(),
    };
    if let Some(signer) = &destination.standard {
        for (name, value) in signer.headers(delivery.event_id, now, &body) {
            headers.insert(name, value);
        }
    }
    Ok(Post {
        destination: Arc::clone(destination),
        headers,
        body: match room {
            // Where nothing had to be hidden, nothing was made.
            Some(room) if !std::ptr::eq(&*body, &*claimed.body) => room.over(body),
            _ => body,
        },
    })
}

const fn circumstances(delivery: &Delivery) -> Circumstances {
    Circumstances {
        kind: delivery.kind,
        event_id: delivery.event_id,
        delivery_id: delivery.id,
        webhook_id: delivery.webhook_id,
        attempt: delivery.attempt_number,
        created_at: delivery.created_at,
    }
}

/// What decides, besides the outcome, where a delivery goes after an attempt.
struct Judgement<'a> {
    destination: &'a Destination,
    unwanted: Option<Unwanted>,
    defaults: &'a DeliveryDefaults,
    was_due_at: Timestamp,
    started_at: Timestamp,
    finished_at: Timestamp,
    /// The chance in the next delay.
    jitter: Jitter,
}

/// The finished attempt of `delivery`, as the domain judges what came of the POST.
fn judge(delivery: &Delivery, posted: Posted, judgement: &Judgement<'_>) -> FinishedAttempt {
    let &Judgement {
        destination,
        unwanted,
        defaults,
        was_due_at,
        started_at,
        finished_at,
        jitter,
    } = judgement;
    let settings = &destination.webhook.settings;
    let class = posted.outcome.class();
    let failures = delivery.failures.and(class);
    let suspended = delivery.suspended + destination.suspended_time(was_due_at, started_at);
    let context = RetryContext {
        failures,
        age: finished_at.since(delivery.created_at).saturating_sub(suspended),
        is_unwanted: unwanted.is_some(),
    };
    let policy = RetryPolicy {
        profile: settings.profile(defaults),
        kind: delivery.kind,
        schedule: &settings.retry_schedule,
    };
    let blocks_until = if unwanted.is_none() && still_blocks(class, failures) {
        delivery.blocks_until
    } else {
        finished_at.min(delivery.blocks_until)
    };
    FinishedAttempt {
        delivery_id: delivery.id,
        webhook_id: delivery.webhook_id,
        state: state_after_attempt(&posted.outcome, context, policy, finished_at, jitter),
        failures,
        blocks_until,
        suspended,
        attempt: Attempt {
            number: delivery.attempt_number,
            started_at,
            finished_at,
            outcome: posted.outcome,
            request: Some(destination.record.clone()),
            answer: posted.answer,
            phases: posted.phases,
        },
    }
}
