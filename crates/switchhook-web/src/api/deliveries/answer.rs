//! Answers about deliveries and attempts, as the API writes and its clients read them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchhook_domain::attempt::{
    Answer, Attempt, AttemptOutcome, AttemptRequest, Failure, OutcomeClass, Phases,
};
use switchhook_domain::credential::{shown_text, shown_url};
use switchhook_domain::dead_letter::Resolution;
use switchhook_domain::delivery::{Delivery, DeliveryState, StateName, WaitingFor};
use switchhook_domain::{Kind, Timestamp};
use utoipa::ToSchema;

use switchhook_ingress::id::IdText;
use switchhook_ingress::words;
use switchhook_node::deliveries::DeliveryStatus;
use switchhook_node::destination::complete_record;
use switchhook_node::mask::Mask;
use switchhook_node::visibility::Visibility;

/// One event for one webhook.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeliveryAnswer {
    pub id: IdText,
    pub event_id: IdText,
    pub webhook_id: IdText,
    #[schema(schema_with = words::kept_kind)]
    pub kind: Kind,
    /// The subscriptions that asked for it.
    pub subscription_ids: Vec<IdText>,
    #[schema(schema_with = words::state)]
    pub state: StateName,
    /// Reason for which a pending delivery waits: the `answer` (it is being sent), a `retry` (at `due_at`), the
    /// `receiver` (it fails, and the webhook's breaker is open), a `resume` (the webhook is paused), another
    /// `delivery` of the same call, message, agent or contact, or its `turn`. Null once it has ended.
    #[schema(schema_with = words::waiting_for_or_null, required)]
    pub waiting_for: Option<String>,
    /// Status in a few words: `delivered`, `retrying`, `held: receiver fails` and the like.
    #[schema(example = "delivered")]
    pub label: String,
    /// Status in sentences.
    #[schema(example = "Delivered at 2026-11-30T08:24:42.630Z, after 1 attempt.")]
    pub text: String,
    /// The delivery that it waits for, if `waiting_for` is `delivery`.
    #[schema(required)]
    pub waiting_for_delivery_id: Option<IdText>,
    /// Time of the next attempt, in unix milliseconds; null unless it is pending.
    #[schema(value_type = Option<i64>, required)]
    pub due_at: Option<Timestamp>,
    /// Time at which it reached its final state, in unix milliseconds; null while it is pending.
    #[schema(value_type = Option<i64>, required)]
    pub ended_at: Option<Timestamp>,
    /// The number of its last attempt, one under way included; 0 before the first.
    pub attempt_number: u32,
    /// Number of failed attempts.
    pub failures: u32,
    /// Key shared with the deliveries that it must not overtake.
    #[schema(required)]
    pub order_key: Option<String>,
    /// Time until which it holds those up, in unix milliseconds, unless it is delivered before.
    #[schema(value_type = i64)]
    pub blocks_until: Timestamp,
    /// Parts of the event that are removed before it is sent: `recordings`, `message_text`.
    pub hidden: Vec<String>,
    /// Remark, such as a reason for being sent out of order.
    #[schema(required)]
    pub note: Option<String>,
    /// The delivery that it repeats; null for an original one.
    #[schema(required)]
    pub origin: Option<IdText>,
    /// The replay that made it; null for others.
    #[schema(required)]
    pub replay_id: Option<IdText>,
    /// Failure of its last failed attempt: an HTTP status, or the reason for which no answer came. Null if none
    /// failed.
    #[schema(schema_with = words::failure_or_null, required)]
    pub last_failure: Option<Failure>,
    /// Resolution of a delivery that was given up. `resent`: its event was sent to the webhook again, as another delivery;
    /// `dismissed`: somebody decided against it. Null for a dead letter, which waits for one of the two.
    #[schema(schema_with = words::resolution_or_null, required)]
    pub resolution: Option<Resolution>,
    /// Time of the resolution, in unix milliseconds.
    #[schema(value_type = Option<i64>, required)]
    pub resolved_at: Option<Timestamp>,
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
}

/// A delivery as lists show it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ListedDelivery {
    #[serde(flatten)]
    pub delivery: DeliveryAnswer,
    /// Summary of its event and its participants; masked if the server masks. Never the text of a message. Null if the event is
    /// larger than {largest-summed-up}, or has no payload any more.
    #[schema(required, example = "hangup, Ann → Support")]
    pub summary: Option<String>,
    /// Last attempt that has ended; null before the first.
    #[schema(required)]
    pub last_attempt: Option<LastAttemptAnswer>,
}

/// Attempt in short.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LastAttemptAnswer {
    pub number: u32,
    /// The answer's HTTP status; null if no answer came.
    #[schema(required, example = 200)]
    pub status: Option<u16>,
    /// Duration, in milliseconds.
    pub total_ms: f64,
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeliveryWithAttempts {
    #[serde(flatten)]
    pub delivery: DeliveryAnswer,
    /// The attempts that have ended, first to last.
    pub attempts: Vec<AttemptAnswer>,
}

/// One POST and what came of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AttemptAnswer {
    pub number: u32,
    #[schema(value_type = i64)]
    pub started_at: Timestamp,
    #[schema(value_type = i64)]
    pub finished_at: Timestamp,
    #[schema(schema_with = words::outcome)]
    pub outcome: OutcomeClass,
    /// The answer's HTTP status.
    #[schema(required, example = 200)]
    pub status: Option<u16>,
    /// Reason for which no answer came: `dns`, `connect_timeout`, `tls` and the like.
    #[schema(required)]
    pub error: Option<String>,
    /// Explanation of why no answer came, or of an odd one.
    #[schema(required)]
    pub detail: Option<String>,
    /// Time until which the answer asked to wait, in unix milliseconds.
    #[schema(value_type = Option<i64>, required)]
    pub retry_after: Option<Timestamp>,
    /// Request without its body; null if nothing is known to have been sent.
    #[schema(required)]
    pub request: Option<RequestAnswer>,
    /// The head of what was answered.
    #[schema(required)]
    pub answer: Option<AnswerHead>,
    /// Durations of its parts, in milliseconds; null for a part that did not happen.
    pub timing: Timing,
}

/// Request without its body.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RequestAnswer {
    pub url: String,
    pub headers: BTreeMap<String, String>,
}

/// The head of what was answered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AnswerHead {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    /// Body as text, at most {answer-head} of it.
    pub body: String,
    /// True if the body was longer.
    pub truncated: bool,
}

/// Durations of an attempt's parts, in milliseconds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Timing {
    #[schema(required)]
    pub dns_ms: Option<f64>,
    #[schema(required)]
    pub connect_ms: Option<f64>,
    #[schema(required)]
    pub tls_ms: Option<f64>,
    #[schema(required)]
    pub first_byte_ms: Option<f64>,
    pub total_ms: f64,
}

impl DeliveryAnswer {
    /// The delivery as it is shown.
    pub(crate) fn of(delivery: Delivery, status: DeliveryStatus, mask: Mask) -> Self {
        let (due_at, ended_at) = match delivery.state {
            DeliveryState::Pending { due_at } => (Some(due_at), None),
            other => (None, Some(other.at())),
        };
        let hidden = delivery.hidden;
        let hidden = [
            (hidden.recordings, "recordings"),
            (hidden.message_text, "message_text"),
        ];
        Self {
            id: IdText(delivery.id.0),
            event_id: IdText(delivery.event_id.0),
            webhook_id: IdText(delivery.webhook_id.0),
            kind: delivery.kind,
            subscription_ids: delivery.subscription_ids.iter().map(|id| IdText(id.0)).collect(),
            state: delivery.state.name(),
            waiting_for: status.waiting_for.map(|waiting| waiting.as_str().to_owned()),
            waiting_for_delivery_id: match status.waiting_for {
                Some(WaitingFor::Delivery(id)) => Some(IdText(id.0)),
                _ => None,
            },
            label: status.label,
            text: status.text,
            due_at,
            ended_at,
            attempt_number: delivery.attempt_number,
            failures: delivery.failures.total(),
            order_key: delivery.order_key.map(|key| mask.id(key.as_str()).into_owned()),
            blocks_until: delivery.blocks_until,
            hidden: hidden
                .into_iter()
                .filter(|(is_hidden, _)| *is_hidden)
                .map(|(_, name)| name.to_owned())
                .collect(),
            note: delivery.note,
            origin: delivery.origin.map(|id| IdText(id.0)),
            replay_id: delivery.replay_id.map(|id| IdText(id.0)),
            last_failure: delivery.last_failure,
            resolution: delivery.resolved.map(|resolved| resolved.how),
            resolved_at: delivery.resolved.map(|resolved| resolved.at),
            created_at: delivery.created_at,
        }
    }
}

impl AttemptAnswer {
    pub(crate) fn of(attempt: Attempt, delivery: &Delivery, visibility: Visibility) -> Self {
        let outcome = attempt.outcome.class();
        let detail = attempt
            .detail()
            .map(|detail| visibility.mask.loose(&shown_text(detail)).into_owned());
        let (status, error, retry_after) = match attempt.outcome {
            AttemptOutcome::Answered { status, retry_after } => (Some(status), None, retry_after),
            AttemptOutcome::Unanswered { reason, .. } => (None, Some(reason.as_str().to_owned()), None),
            AttemptOutcome::Lost => (None, None, None),
        };
        Self {
            number: attempt.number,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            outcome,
            status,
            error,
            detail,
            retry_after,
            request: attempt.request.map(|request| {
                RequestAnswer::of(
                    &request,
                    delivery,
                    (attempt.number, attempt.started_at),
                    visibility,
                )
            }),
            answer: attempt
                .answer
                .map(|answer| AnswerHead::of(&answer, delivery.kind, visibility)),
            timing: attempt.phases.into(),
        }
    }
}

impl RequestAnswer {
    /// Attempt as stored, completed with what follows from the delivery.
    fn of(
        request: &AttemptRequest,
        delivery: &Delivery,
        (number, started_at): (u32, Timestamp),
        visibility: Visibility,
    ) -> Self {
        let mut headers = visibility.headers(delivery.kind, request.headers.to_map());
        complete_record(&mut headers, delivery, number, started_at);
        Self {
            url: shown_url(&request.url).into_owned(),
            headers,
        }
    }
}

impl AnswerHead {
    fn of(answer: &Answer, kind: Kind, visibility: Visibility) -> Self {
        Self {
            status: answer.status,
            headers: visibility.headers(kind, answer.headers.to_map()),
            body: visibility.answer(kind, &answer.body_head),
            truncated: answer.is_truncated,
        }
    }
}

impl From<Phases> for Timing {
    fn from(phases: Phases) -> Self {
        let millis = |part: Duration| part.as_secs_f64() * 1_000.0;
        Self {
            dns_ms: phases.dns.map(millis),
            connect_ms: phases.connect.map(millis),
            tls_ms: phases.tls.map(millis),
            first_byte_ms: phases.first_byte.map(millis),
            total_ms: millis(phases.total),
        }
    }
}
