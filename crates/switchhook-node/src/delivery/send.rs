//! One attempt as a short pipeline: prepare, post, judge.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue};
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::delivery::{Delivery, state_after_attempt, still_blocks};
use switchhook_domain::retry::{Jitter, RetryContext, RetryPolicy};
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_protocol::headers;
use switchhook_store::{ClaimedDelivery, FinishedAttempt};

use super::memory::Hold;
use super::shown::{shown_to, size_of_copy};
use super::transport::{Post, Posted};
use crate::destination::Destination;

/// How many bytes are made of a claimed delivery's event to post it; 0 if it is posted as it is.
pub(super) fn copy_size(claimed: &ClaimedDelivery, destination: &Destination) -> usize {
    size_of_copy(
        destination.signer.is_some(),
        claimed.body.len(),
        claimed.delivery.hidden,
    )
}

/// What is posted for a claimed delivery; `hold` is the room for what is made of its event.
#[must_use]
pub(super) fn prepare(claimed: &ClaimedDelivery, destination: &Arc<Destination>, hold: Option<Hold>) -> Post {
    let mut map = destination.headers.clone();
    for (name, value) in own_headers(&claimed.delivery, claimed.delivery.attempt_number) {
        map.insert(name, value);
    }
    let body = shown_to(
        destination.signer.as_ref(),
        &claimed.body,
        claimed.delivery.hidden,
    );
    Post {
        destination: Arc::clone(destination),
        headers: map,
        body: match hold {
            // Where nothing had to be hidden, nothing was made.
            Some(hold) if !std::ptr::eq(&*body, &*claimed.body) => hold.over(body),
            _ => body,
        },
    }
}

/// The headers that follow from the delivery and the attempt's number; the others are the webhook's.
pub fn own_headers(
    delivery: &Delivery,
    attempt_number: u32,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let [event_id, delivery_id, attempt] =
        numbers([delivery.event_id.0, delivery.id.0, attempt_number.into()]);
    let kind = HeaderValue::from_static(delivery.kind.route());
    // Names that are made while the program is built need no memory of their own.
    let always = [
        (const { HeaderName::from_static(headers::EVENT_ID) }, event_id),
        (const { HeaderName::from_static(headers::EVENT_KIND) }, kind),
        (
            const { HeaderName::from_static(headers::DELIVERY_ID) },
            delivery_id,
        ),
        (const { HeaderName::from_static(headers::ATTEMPT) }, attempt),
    ];
    let replay = delivery.replay_id.map(|id| {
        (
            const { HeaderName::from_static(headers::REPLAY) },
            HeaderValue::from(id.0),
        )
    });
    always.into_iter().chain(replay)
}

/// Numbers as header values, which share one piece of memory.
fn numbers<const N: usize>(numbers: [i64; N]) -> [HeaderValue; N] {
    const LONGEST: usize = "-9223372036854775808".len();
    let mut text = BytesMut::with_capacity(N * LONGEST);
    numbers.map(|number| {
        write!(text, "{number}").expect("there is room for each");
        HeaderValue::from_maybe_shared(text.split().freeze()).expect("digits may stand in a header")
    })
}

/// What the domain says of how an attempt went.
pub(super) struct Judgement<'a> {
    /// What webhooks that do not say get.
    pub defaults: &'a DeliveryDefaults,
    /// When the attempt was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub now: Timestamp,
    /// The chance in the next delay.
    pub jitter: Jitter,
}

impl Judgement<'_> {
    /// The finished attempt of `claimed`.
    #[must_use]
    pub(super) fn of(
        self,
        claimed: &ClaimedDelivery,
        destination: &Destination,
        posted: Posted,
    ) -> FinishedAttempt {
        let delivery = &claimed.delivery;
        let class = posted.outcome.class();
        let failures = delivery.failures.and(class);
        let suspended = delivery.suspended + destination.suspended_time(claimed.was_due_at, self.started_at);
        let context = RetryContext {
            failures,
            age: self.now.since(delivery.created_at).saturating_sub(suspended),
        };
        let policy = RetryPolicy {
            profile: destination.webhook.settings.profile(self.defaults),
            kind: delivery.kind,
            schedule: &destination.webhook.settings.retry_schedule,
        };
        let blocks_until = if still_blocks(class, failures) {
            delivery.blocks_until
        } else {
            self.now.min(delivery.blocks_until)
        };
        FinishedAttempt {
            delivery_id: delivery.id,
            webhook_id: delivery.webhook_id,
            state: state_after_attempt(&posted.outcome, context, policy, self.now, self.jitter),
            failures,
            blocks_until,
            suspended,
            attempt: Attempt {
                number: delivery.attempt_number,
                started_at: self.started_at,
                finished_at: self.now,
                outcome: posted.outcome,
                request: Some(destination.record.clone()),
                answer: posted.answer,
                phases: posted.phases,
            },
        }
    }
}
