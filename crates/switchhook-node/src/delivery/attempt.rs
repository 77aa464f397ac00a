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
use switchhook_domain::template::TemplateContext;
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_store::{ClaimedDelivery, FinishedAttempt};

use super::EngineParts;
use super::body::body_of;
use super::memory::Reservation;
use super::transport::{Post, PostResult};
use crate::destination::{Destination, OptOut, headers_of};
use crate::live::AttemptInfo;
use crate::templates::Templates;

/// An attempt that ended.
pub(super) struct EndedAttempt {
    pub(super) finished: FinishedAttempt,
    pub(super) destination: Arc<Destination>,
    pub(super) of: AttemptInfo,
    pub(super) order_key: Option<OrderKey>,
    pub(super) class: OutcomeClass,
    /// Opt-out that the answer asked for.
    pub(super) opt_out: Option<OptOut>,
}

/// Makes one attempt of a claimed delivery; `room` is for what is made of its event.
pub(super) async fn attempt(
    claimed: Box<ClaimedDelivery>,
    destination: Arc<Destination>,
    room: Option<Reservation>,
    started_at: Timestamp,
    parts: Arc<EngineParts>,
) -> EndedAttempt {
    let posting = async {
        match prepare(&claimed, &destination, room, &parts.templates, started_at).await {
            Ok(post) => parts.transport.post(post).await,
            Err(words) => PostResult::unanswered(FailureReason::Template, words, Phases::default()),
        }
    };
    // Whatever is odd about an event or a receiver ends one attempt, and not the engine.
    let posted = AssertUnwindSafe(posting).catch_unwind().await;
    let mut posted = posted.unwrap_or_else(|_panic| {
        let words = "the attempt failed inside the server";
        PostResult::unanswered(FailureReason::BadRequest, words, Phases::default())
    });
    let class = posted.outcome.class();
    let opt_out = opt_out(&destination, &mut posted);
    let finished = judge(
        &claimed.delivery,
        posted,
        &Judgement {
            destination: &destination,
            opt_out,
            defaults: &parts.defaults,
            was_due_at: claimed.was_due_at,
            started_at,
            finished_at: parts.clock.now(),
            jitter: parts.jitter.sample(),
        },
    );
    EndedAttempt {
        finished,
        destination,
        of: AttemptInfo {
            company_id: claimed.delivery.company_id,
            event_id: claimed.delivery.event_id,
            kind: claimed.delivery.kind,
            created_at: claimed.delivery.created_at,
        },
        order_key: claimed.delivery.order_key,
        class,
        opt_out,
    }
}

/// Reads the opt-out from the answer and notes it there. Only receivers of Standard Webhooks have one.
fn opt_out(destination: &Destination, posted: &mut PostResult) -> Option<OptOut> {
    destination.standard.as_ref()?;
    let opt_out = OptOut::of(posted.answer.as_ref()?)?;
    posted.answer = posted.answer.take().map(|answer| answer.noting(opt_out.note()));
    Some(opt_out)
}

/// As many headers follow from most deliveries: of the event, the kind, the delivery, the attempt, and the key.
const OWN_HEADERS: usize = 5;

/// The POST for a claimed delivery, made at `now`.
async fn prepare(
    claimed: &ClaimedDelivery,
    destination: &Arc<Destination>,
    room: Option<Reservation>,
    templates: &Templates,
    now: Timestamp,
) -> Result<Post, String> {
    let delivery = &claimed.delivery;
    let mut own_headers = Vec::with_capacity(OWN_HEADERS);
    let made = if destination.templates.has_headers() || destination.templates.has_body() {
        let event = redact(&claimed.body, claimed.hidden());
        let make = destination.templates.make(
            templates,
            delivery.company_id,
            &mut own_headers,
            &event,
            context(delivery),
        );
        // In a box: few attempts need the room that this takes.
        Box::pin(make).await?
    } else {
        None
    };
    own_headers.extend(headers_of(delivery, &destination.webhook.settings));
    let signer = destination.signer.as_ref();
    let body = match (made, signer) {
        (None, signer) => body_of(signer, &claimed.body, claimed.hidden()),
        (Some(made), None) => made.into(),
        (Some(made), Some(signer)) => signer.sign_to_bytes(made.as_bytes()).into(),
    };
    if let Some(signer) = &destination.standard {
        own_headers.extend(signer.headers(delivery.event_id, now, &body));
    }
    Ok(Post {
        destination: Arc::clone(destination),
        own_headers,
        body: match room {
            // Where nothing had to be hidden, nothing was made.
            Some(room) if !std::ptr::eq(&*body, &*claimed.body) => room.over(body),
            _ => body,
        },
    })
}

const fn context(delivery: &Delivery) -> TemplateContext {
    TemplateContext {
        kind: delivery.kind,
        event_id: delivery.event_id,
        delivery_id: delivery.id,
        webhook_id: delivery.webhook_id,
        attempt: delivery.attempt_number,
        created_at: delivery.created_at,
    }
}

/// Inputs, besides the outcome, to the state after an attempt.
struct Judgement<'a> {
    destination: &'a Destination,
    opt_out: Option<OptOut>,
    defaults: &'a DeliveryDefaults,
    was_due_at: Timestamp,
    started_at: Timestamp,
    finished_at: Timestamp,
    /// The chance in the next delay.
    jitter: Jitter,
}

/// The finished attempt of `delivery`, as the domain judges what came of the POST.
fn judge(delivery: &Delivery, posted: PostResult, judgement: &Judgement<'_>) -> FinishedAttempt {
    let &Judgement {
        destination,
        opt_out,
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
        is_opted_out: opt_out.is_some(),
    };
    let policy = RetryPolicy {
        profile: settings.profile(defaults),
        kind: delivery.kind,
        schedule: &settings.retry_schedule,
    };
    let blocks_until = if opt_out.is_none() && still_blocks(class, failures) {
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
