//! One attempt as a short pipeline: prepare, post, judge.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use switchhook_domain::attempt::{Attempt, AttemptRequest};
use switchhook_domain::delivery::{state_after_attempt, still_blocks};
use switchhook_domain::redaction::redact;
use switchhook_domain::retry::{RetryPolicy, Roll, Setback};
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::headers;
use switchhook_store::{ClaimedDelivery, FinishedAttempt};

use super::route::Route;
use super::transport::{Post, Posted};

/// What is posted for a claimed delivery.
#[must_use]
pub(super) fn prepare(claimed: &ClaimedDelivery, route: &Arc<Route>) -> Post {
    let delivery = &claimed.delivery;
    let mut map = route.headers.clone();
    map.insert(headers::EVENT_ID, number(delivery.event_id.0));
    map.insert(headers::EVENT_KIND, kind_name(delivery.kind));
    map.insert(headers::DELIVERY_ID, number(delivery.id.0));
    map.insert(headers::ATTEMPT, number(delivery.attempt_number.into()));
    if let Some(replay_id) = delivery.replay_id {
        map.insert(headers::REPLAY, number(replay_id.0));
    }
    Post {
        route: Arc::clone(route),
        headers: map,
        body: body_of(claimed, route),
    }
}

fn body_of(claimed: &ClaimedDelivery, route: &Route) -> Bytes {
    let shown = redact(&claimed.body, claimed.delivery.hidden);
    match (&route.signer, shown) {
        (Some(signer), shown) => signer.sign(&shown).into(),
        (None, std::borrow::Cow::Borrowed(_)) => claimed.body.clone(),
        (None, std::borrow::Cow::Owned(shown)) => shown.into(),
    }
}

fn number(n: i64) -> HeaderValue {
    HeaderValue::from(n)
}

const fn kind_name(kind: Kind) -> HeaderValue {
    HeaderValue::from_static(kind.route())
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
    pub roll: Roll,
}

impl Judgement<'_> {
    /// The finished attempt of `claimed`.
    #[must_use]
    pub(super) fn of(
        self,
        claimed: &ClaimedDelivery,
        route: &Route,
        request: AttemptRequest,
        posted: Posted,
    ) -> FinishedAttempt {
        let delivery = &claimed.delivery;
        let class = posted.outcome.class();
        let failures = delivery.failures.and(class);
        let setback = Setback {
            failures,
            age: self.now.since(delivery.created_at),
        };
        let policy = RetryPolicy {
            profile: route.webhook.settings.profile(self.defaults),
            kind: delivery.kind,
        };
        let blocks_until = if still_blocks(class, failures) {
            delivery.blocks_until
        } else {
            self.now.min(delivery.blocks_until)
        };
        FinishedAttempt {
            delivery_id: delivery.id,
            webhook_id: delivery.webhook_id,
            state: state_after_attempt(&posted.outcome, setback, policy, self.now, self.roll),
            failures,
            blocks_until,
            attempt: Attempt {
                number: delivery.attempt_number,
                started_at: self.started_at,
                finished_at: self.now,
                outcome: posted.outcome,
                request: Some(request),
                answer: posted.answer,
                phases: posted.phases,
            },
        }
    }
}

/// What is kept of a request: where it went and its headers, credentials left out.
#[must_use]
pub(super) fn request_record(route: &Route, map: &HeaderMap) -> AttemptRequest {
    let mut shown = BTreeMap::new();
    for (name, value) in map {
        let text = if value.is_sensitive() {
            "***".into()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        shown.insert(name.as_str().to_owned(), text);
    }
    AttemptRequest {
        url: route.webhook.hook_url.clone(),
        headers: shown,
    }
}
