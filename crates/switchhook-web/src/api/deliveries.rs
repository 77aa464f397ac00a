//! `/v1/deliveries`: what became of each event at each webhook, and what a person can do about it.
//!
//! A delivery is sent again by making another one; history is never rewritten.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::Serialize;
use switchhook_domain::attempt::{Answer, Attempt, AttemptOutcome, AttemptRequest, Failure, Phases};
use switchhook_domain::credential::{shown_text, shown_url};
use switchhook_domain::dead_letter::Resolution;
use switchhook_domain::delivery::{Delivery, DeliveryState, StateName, WaitingFor};
use switchhook_domain::id::{DeliveryId, EventId, ReplayId, WebhookId};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::DeliveryFilter;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::{IdText, Items};
use super::error::ApiError;
use super::request::{PageQuery, PathId, Query};
use super::words;
use switchhook_node::deliveries::{self, LONGEST_TEXT, Sought, Standing};
use switchhook_node::delivery::add_own_headers;
use switchhook_node::mask::Mask;
use switchhook_node::sight::Sight;

/// Which deliveries a list is narrowed to.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by name from the query; the fields are there for the document"
)]
pub(crate) struct DeliveryQuery {
    /// Only those to this webhook.
    #[param(value_type = Option<String>)]
    webhook_id: Option<WebhookId>,
    /// Only those of this event.
    #[param(value_type = Option<String>)]
    event_id: Option<EventId>,
    /// Only those that this replay made.
    #[param(value_type = Option<String>)]
    replay_id: Option<ReplayId>,
    /// Only those in this state: pending, delivered, exhausted or cancelled.
    #[param(schema_with = words::state)]
    state: Option<StateName>,
    /// `true`: only those of which an attempt failed, whatever became of them.
    failed: Option<bool>,
    /// Only those whose last failed attempt failed so, whatever became of them: an HTTP status, or why no answer came.
    #[param(schema_with = words::failure)]
    failure: Option<Failure>,
    /// Only those with an attempt that failed and has this text in its answer, or in the words for why there was none. Small and large
    /// letters are alike. At most 1,000 deliveries are looked at for a page.
    #[param(example = "upstream connect error")]
    error: Option<String>,
    /// Only this kind.
    #[param(schema_with = words::kept_kind)]
    kind: Option<Kind>,
    /// Made at this time or later: RFC 3339 or unix milliseconds.
    #[param(value_type = Option<String>)]
    since: Option<Timestamp>,
    /// Made before this time.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
}

/// One event for one webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryAnswer {
    id: IdText,
    event_id: IdText,
    webhook_id: IdText,
    #[schema(schema_with = words::kept_kind)]
    kind: Kind,
    /// The subscriptions that asked for it.
    subscription_ids: Vec<IdText>,
    #[schema(schema_with = words::state)]
    state: &'static str,
    /// What a pending delivery waits for: the `answer` (it is being sent), a `retry` (at `due_at`), the `receiver` (it fails, and
    /// the webhook's breaker is open), a `resume` (the webhook is paused), another `delivery` of the same call, message, agent or
    /// contact, or its `turn`. Null once it has ended.
    #[schema(schema_with = words::waiting_for_or_null, required)]
    waiting_for: Option<&'static str>,
    /// How it stands, in a few words: `delivered`, `retrying`, `held: receiver fails` and the like.
    #[schema(example = "delivered")]
    label: String,
    /// The same in sentences.
    #[schema(example = "Delivered at 2026-11-30T08:24:42.630Z, after 1 attempt.")]
    text: String,
    /// The delivery that it waits for, if `waiting_for` is `delivery`.
    #[schema(required)]
    waiting_for_delivery_id: Option<IdText>,
    /// When the next attempt is due, in unix milliseconds; null unless it is pending.
    #[schema(value_type = Option<i64>, required)]
    due_at: Option<Timestamp>,
    /// Since when it is in its final state; null while it is pending.
    #[schema(value_type = Option<i64>, required)]
    ended_at: Option<Timestamp>,
    /// The number of its last attempt, one under way included; 0 before the first.
    attempt_number: u32,
    /// How many attempts failed.
    failures: u32,
    /// What it shares with those that it must not overtake.
    #[schema(required)]
    order_key: Option<String>,
    /// Until when it holds those up, if it is not delivered before.
    #[schema(value_type = i64)]
    blocks_until: Timestamp,
    /// What is taken out of the event before it is sent: `recordings`, `message_text`.
    hidden: Vec<&'static str>,
    /// Something to know of it.
    #[schema(required)]
    note: Option<String>,
    /// The delivery that it repeats; null for an original one.
    #[schema(required)]
    origin: Option<IdText>,
    /// The replay that made it; null for others.
    #[schema(required)]
    replay_id: Option<IdText>,
    /// How its last failed attempt failed: an HTTP status, or why no answer came. Null if none failed.
    #[schema(schema_with = words::failure_or_null, required)]
    last_failure: Option<Failure>,
    /// If it was given up: what was done about it since. `resent`: its event was sent to the webhook again, as another delivery;
    /// `dismissed`: somebody decided against it. Null for a dead letter, which waits for one of the two.
    #[schema(schema_with = words::resolution_or_null, required)]
    resolution: Option<Resolution>,
    /// When that was done, in unix milliseconds.
    #[schema(value_type = Option<i64>, required)]
    resolved_at: Option<Timestamp>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
}

/// A delivery as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedDelivery {
    #[serde(flatten)]
    delivery: DeliveryAnswer,
    /// How its last attempt that has ended went; null before the first.
    #[schema(required)]
    last_attempt: Option<LastAttemptAnswer>,
}

/// How an attempt went, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastAttemptAnswer {
    number: u32,
    /// The answer's HTTP status; null if no answer came.
    #[schema(required, example = 200)]
    status: Option<u16>,
    /// How long it took, in milliseconds.
    total_ms: f64,
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryWithAttempts {
    #[serde(flatten)]
    delivery: DeliveryAnswer,
    /// The attempts that have ended, first to last.
    attempts: Vec<AttemptAnswer>,
}

/// One POST and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptAnswer {
    number: u32,
    #[schema(value_type = i64)]
    started_at: Timestamp,
    #[schema(value_type = i64)]
    finished_at: Timestamp,
    /// `accepted`, `redirected`, `postponed`, `gone`, `refused`, `failed`, `unanswered` or `lost`.
    #[schema(example = "accepted")]
    outcome: &'static str,
    /// The answer's HTTP status.
    #[schema(required, example = 200)]
    status: Option<u16>,
    /// Why no answer came: `dns`, `connect_timeout`, `tls` and the like.
    #[schema(required)]
    error: Option<&'static str>,
    /// In words: why no answer came, or what was odd about the one that did.
    #[schema(required)]
    detail: Option<String>,
    /// Until when the answer asked us to wait.
    #[schema(value_type = Option<i64>, required)]
    retry_after: Option<Timestamp>,
    /// What was sent, but for the body; null if nothing was, as far as we know.
    #[schema(required)]
    request: Option<RequestAnswer>,
    /// The head of what was answered.
    #[schema(required)]
    answer: Option<AnswerHead>,
    /// How long its parts took, in milliseconds; null for what did not happen.
    timing: Timing,
}

/// What was sent, but for the body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestAnswer {
    url: String,
    headers: BTreeMap<String, String>,
}

/// The head of what was answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnswerHead {
    status: u16,
    headers: BTreeMap<String, String>,
    /// At most 16 KiB, as text.
    body: String,
    /// Whether there was more.
    truncated: bool,
}

/// How long the parts of an attempt took, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timing {
    #[schema(required)]
    dns_ms: Option<f64>,
    #[schema(required)]
    connect_ms: Option<f64>,
    #[schema(required)]
    tls_ms: Option<f64>,
    #[schema(required)]
    first_byte_ms: Option<f64>,
    total_ms: f64,
}

/// Lists the company's deliveries, newest first.
///
/// Kinds that the key may not see are left out, and a page that passes by many deliveries that are not wanted may have fewer items
/// than `limit`, even none: it is the last one only if it has no `cursor`.
#[utoipa::path(
    get, path = "/v1/deliveries", tag = "deliveries", operation_id = "deliveries.list",
    params(PageQuery, DeliveryQuery),
    responses((status = 200, description = "A page of deliveries", body = Items<ListedDelivery>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Items<ListedDelivery>>, ApiError> {
    let query = Query::of(&uri);
    let page = PageQuery::read(query)?.ours()?;
    let filter = DeliveryFilter {
        event_id: query.id("event_id")?,
        webhook_id: query.id("webhook_id")?,
        replay_id: query.id("replay_id")?,
        state: query.word("state")?,
        has_failed: query.get("failed", "true or false")?.unwrap_or(false),
        failure: query.word("failure")?,
        kind: query.kind()?,
        since: query.instant("since")?,
        until: query.instant("until")?,
    };
    if let Some(kind) = filter.kind {
        caller.require_sight(kind)?;
    }
    let text = query.text("error");
    if text
        .as_ref()
        .is_some_and(|text| text.chars().count() > LONGEST_TEXT)
    {
        return Err(ApiError::invalid(format!(
            "error: look for at most {LONGEST_TEXT} characters"
        )));
    }
    let sought = Sought {
        filter,
        class: None,
        text: text.map(Into::into),
    };
    let found = deliveries::search(&api.node, caller, &sought, page).await?;
    let mask = api.node.settings.dashboard.mask;
    Ok(Json(Items {
        items: listed(&api, found.deliveries, mask).await?,
        cursor: found.next.map(IdText),
    }))
}

/// Deliveries with how their last attempts went.
pub(crate) async fn listed(
    api: &SharedApi,
    deliveries: Vec<Delivery>,
    mask: Mask,
) -> Result<Vec<ListedDelivery>, ApiError> {
    let ids = deliveries.iter().map(|delivery| delivery.id).collect();
    let last = api.node.store.last_attempts(ids).await?;
    let mut last: HashMap<_, _> = last
        .into_iter()
        .map(|attempt| (attempt.delivery_id, attempt))
        .collect();
    let standings = deliveries::standings(&api.node, &deliveries).await?;
    let listed = deliveries
        .into_iter()
        .zip(standings)
        .map(|(delivery, standing)| ListedDelivery {
            last_attempt: last.remove(&delivery.id).map(|attempt| LastAttemptAnswer {
                number: attempt.number,
                status: attempt.status,
                total_ms: attempt.took.as_secs_f64() * 1_000.0,
            }),
            delivery: DeliveryAnswer::of(delivery, standing, mask),
        });
    Ok(listed.collect())
}

/// Shows a delivery with its attempts.
#[utoipa::path(
    get, path = "/v1/deliveries/{id}", tag = "deliveries", operation_id = "deliveries.get",
    params(("id" = IdText, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = DeliveryWithAttempts)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<DeliveryWithAttempts>, ApiError> {
    // In this order, so that what came of the attempts that are shown is shown too.
    let attempts = api.node.store.attempts_of(id).await?;
    let delivery = deliveries::get(&api.node, caller, id).await?;
    let sight = Sight::of(caller, &api.node);
    let attempts = attempts
        .into_iter()
        .map(|attempt| AttemptAnswer::of(attempt, &delivery, sight))
        .collect();
    Ok(Json(DeliveryWithAttempts {
        delivery: shown(&api, delivery).await?,
        attempts,
    }))
}

/// Sends the same event to the same webhook again, as a new delivery, at once and also while the webhook's breaker is open; of a webhook that is paused, or in its quiet hours, it waits until that ends. Takes a key that may see what it shows.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/redeliver", tag = "deliveries", operation_id = "deliveries.redeliver",
    params(("id" = IdText, Path, description = "The delivery's id")),
    responses((status = 200, description = "The new delivery", body = DeliveryAnswer)),
)]
pub(crate) async fn redeliver(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<DeliveryAnswer>, ApiError> {
    let delivery = deliveries::redeliver(&api.node, caller, id).await?;
    Ok(Json(shown(&api, delivery).await?))
}

/// Gives a pending delivery up.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/cancel", tag = "deliveries", operation_id = "deliveries.cancel",
    params(("id" = IdText, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = DeliveryAnswer)),
)]
pub(crate) async fn cancel(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<DeliveryAnswer>, ApiError> {
    let delivery = deliveries::cancel(&api.node, caller, id).await?;
    Ok(Json(shown(&api, delivery).await?))
}

async fn shown(api: &SharedApi, delivery: Delivery) -> Result<DeliveryAnswer, ApiError> {
    let standing = deliveries::standing(&api.node, &delivery).await?;
    Ok(DeliveryAnswer::of(
        delivery,
        standing,
        api.node.settings.dashboard.mask,
    ))
}

impl DeliveryAnswer {
    /// The delivery as it is shown.
    pub(crate) fn of(delivery: Delivery, standing: Standing, mask: Mask) -> Self {
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
            state: delivery.state.name().as_str(),
            waiting_for: standing.waiting_for.map(WaitingFor::as_str),
            waiting_for_delivery_id: match standing.waiting_for {
                Some(WaitingFor::Delivery(id)) => Some(IdText(id.0)),
                _ => None,
            },
            label: standing.label,
            text: standing.text,
            due_at,
            ended_at,
            attempt_number: delivery.attempt_number,
            failures: delivery.failures.total(),
            order_key: delivery.order_key.map(|key| mask.id(key.as_str()).into_owned()),
            blocks_until: delivery.blocks_until,
            hidden: hidden
                .into_iter()
                .filter_map(|(is_hidden, name)| is_hidden.then_some(name))
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
    pub(super) fn of(attempt: Attempt, delivery: &Delivery, sight: Sight) -> Self {
        let outcome = attempt.outcome.class().as_str();
        let detail = attempt
            .detail()
            .map(|detail| sight.mask.loose(&shown_text(detail)).into_owned());
        let (status, error, retry_after) = match attempt.outcome {
            AttemptOutcome::Answered { status, retry_after } => (Some(status), None, retry_after),
            AttemptOutcome::Unanswered { reason, .. } => (None, Some(reason.as_str()), None),
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
                RequestAnswer::of(&request, delivery, (attempt.number, attempt.started_at), sight)
            }),
            answer: attempt
                .answer
                .map(|answer| AnswerHead::of(&answer, delivery.kind, sight)),
            timing: attempt.phases.into(),
        }
    }
}

impl RequestAnswer {
    /// What was kept, and what followed from the delivery.
    fn of(
        request: &AttemptRequest,
        delivery: &Delivery,
        (number, started_at): (u32, Timestamp),
        sight: Sight,
    ) -> Self {
        let mut headers = sight.headers(request.headers.to_map());
        add_own_headers(&mut headers, delivery, number, started_at);
        Self {
            url: shown_url(&request.url).into_owned(),
            headers,
        }
    }
}

impl AnswerHead {
    /// Receivers like to send back what they got, so it is shown as the event would be.
    fn of(answer: &Answer, kind: Kind, sight: Sight) -> Self {
        Self {
            status: answer.status,
            headers: sight.headers(answer.headers.to_map()),
            body: sight.text(kind, &answer.body_head),
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
