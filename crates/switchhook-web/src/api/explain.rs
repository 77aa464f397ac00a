//! `/v1/events/{id}/explain`: why an event went, or did not go, to each subscription.
//!
//! The store gives the subscriptions as they stood, the domain judges them again; here are the words for what was sent
//! and what to do if nothing was.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::Serialize;
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::event::EventFacts;
use switchhook_domain::id::{CompanyId, EventId, SubscriptionId};
use switchhook_domain::matching::{Decided, Reason, Verdict};
use switchhook_domain::subscription::SubscriptionVersion;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::Payload;
use switchhook_store::{EventHead, Explained, PageRequest, StoreError, SubscriptionFilter};
use utoipa::ToSchema;

use super::auth::Reader;
use super::compat::IdText;
use super::deliveries::DeliveryAnswer;
use super::error::ApiError;
use super::events::EventSummary;
use super::request::{PageQuery, PathId, Query};
use super::{Api, SharedApi, words};

/// The verdict of a subscription that points at a websocket.
const TOLD: &str = "told";

/// Which subscriptions are explained.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by name from the query; the fields are there for the document"
)]
pub(crate) struct ExplainQuery {
    /// Only this subscription.
    #[param(value_type = Option<String>)]
    subscription_id: Option<SubscriptionId>,
}

/// What became of an event at the company's subscriptions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explanation {
    event: EventSummary,
    /// What to do, if the event went nowhere.
    #[schema(required)]
    advice: Option<String>,
    /// What each subscription said to it, as it stood then; by id.
    items: Vec<ExplainedSubscription>,
    /// What to send as `cursor` to get the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    cursor: Option<IdText>,
}

/// What a subscription said to an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplainedSubscription {
    subscription_id: IdText,
    #[schema(schema_with = words::kind)]
    kind: Kind,
    /// The webhook that it pointed to.
    #[schema(required)]
    webhook_id: Option<IdText>,
    /// The websocket that it pointed to; absent if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    websocket_id: Option<IdText>,
    /// `sent`, `told` (it points at a websocket: that makes no delivery), or `passed_over`.
    #[schema(example = "passed_over")]
    verdict: &'static str,
    /// Why it was passed over: `other_kind`, `state_not_in_list` and the like; null if it was sent or told.
    #[schema(required, example = "state_not_in_list")]
    reason: Option<&'static str>,
    /// The same as a sentence, or how the delivery stands.
    #[schema(example = "its call_states (hangup) do not include ringing")]
    explanation: String,
    /// When the subscription was changed afterwards: from then on it may say something else.
    #[schema(value_type = Option<i64>, required)]
    changed_at: Option<Timestamp>,
    /// The delivery that it asked for; subscriptions of one webhook share one.
    #[schema(required)]
    delivery: Option<DeliveryAnswer>,
}

/// Explains why an event went, or did not go, to each subscription of the company.
///
/// The answer is given by the subscriptions as they stood when the event was accepted, whatever became of them. Those of
/// kinds that the key may not see are left out.
#[utoipa::path(
    get, path = "/v1/events/{event}/explain", tag = "events", operation_id = "events.explain",
    params(("event" = IdText, Path, description = "The event's id"), PageQuery, ExplainQuery),
    responses((status = 200, description = "A page of subscriptions and what each said", body = Explanation)),
)]
pub(crate) async fn explain(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<EventId>,
    uri: Uri,
) -> Result<Json<Explanation>, ApiError> {
    let query = Query::of(&uri);
    let page = PageQuery::read(query)?.ours()?;
    let only: Option<SubscriptionId> = query.id("subscription_id")?;
    let company_id = caller.company_id;
    let store = &api.node.store;
    let explained = store.explain_subscriptions(company_id, id, only, page).await?;
    if only.is_some() && page.after.is_none() && explained.versions.items.is_empty() {
        return Err(StoreError::NotFound("subscription").into());
    }
    caller.require_sight(explained.event.kind)?;
    let (kind, goes_nowhere) = (explained.event.kind, explained.deliveries.is_empty());
    let mut explanation = tell(&api, explained);
    let clearance = caller.clearance();
    explanation.items.retain(|one| clearance.sees(one.kind).is_ok());
    let is_told = |one: &ExplainedSubscription| one.verdict == TOLD;
    if goes_nowhere && !explanation.items.iter().any(is_told) {
        explanation.advice = Some(advice(&api, company_id, kind).await?);
    }
    Ok(Json(explanation))
}

/// What to do about an event that went nowhere.
async fn advice(api: &Api, company_id: CompanyId, kind: Kind) -> Result<String, ApiError> {
    let of_kind = SubscriptionFilter {
        kind: Some(kind),
        ..SubscriptionFilter::default()
    };
    let one = PageRequest::first(1);
    let store = &api.node.store;
    let mut page = one;
    let has_any = loop {
        let read = store.list_subscriptions(company_id, of_kind, page).await?;
        match read.next {
            Some(next) if read.items.is_empty() => page.after = Some(next),
            _ => break !read.items.is_empty(),
        }
    };
    if has_any {
        return Ok(format!(
            "no subscription of kind {kind} took it: change one with `switchhook subscriptions update ID`, or add one \
             with `switchhook subscriptions create {kind} --webhook ID`; that counts for events from then on"
        ));
    }
    let webhooks = store.list_webhooks(company_id, one).await?;
    let webhook = match webhooks.items.first() {
        Some(webhook) => webhook.id.to_string(),
        None => "ID, after `switchhook webhooks create URL`".to_owned(),
    };
    Ok(format!(
        "there is no subscription of kind {kind}: create one with `switchhook subscriptions create {kind} --webhook \
         {webhook}`"
    ))
}

fn tell(api: &Api, explained: Explained) -> Explanation {
    let decided = decided(&explained);
    let Explained {
        event,
        deliveries,
        versions,
        ..
    } = explained;
    let by_subscription: HashMap<SubscriptionId, &Delivery> = deliveries
        .iter()
        .flat_map(|delivery| delivery.subscription_ids.iter().map(move |id| (*id, delivery)))
        .collect();
    let tell_one = |version: &SubscriptionVersion| {
        let delivery = by_subscription.get(&version.subscription.id).copied();
        explained_subscription(api, &decided, version, delivery)
    };
    Explanation {
        event: EventSummary::of(EventHead::from(event), api.node.settings.dashboard.mask),
        advice: None,
        items: versions.items.iter().map(tell_one).collect(),
        cursor: versions.next.map(IdText),
    }
}

/// What is known of how the event was matched.
fn decided(explained: &Explained) -> Decided {
    let event = &explained.event;
    let payload = Payload::read(event.kind, &event.body);
    let has_payload = payload.is_ok();
    let payload = payload.or_else(|_gone| Payload::read(event.kind, b"{}"));
    Decided {
        revision: explained.revision,
        facts: EventFacts::of(&payload.expect("an empty object is an event of any kind")),
        has_payload,
        is_test: explained
            .deliveries
            .iter()
            .any(|delivery| delivery.subscription_ids.is_empty()),
    }
}

fn explained_subscription(
    api: &Api,
    decided: &Decided,
    version: &SubscriptionVersion,
    delivery: Option<&Delivery>,
) -> ExplainedSubscription {
    let subscription = &version.subscription;
    let (verdict, reason, explanation) = match (decided.verdict(version, delivery.is_some()), delivery) {
        (Verdict::PassedOver(reason @ Reason::Websocket), _) => (TOLD, None, reason.in_words().to_owned()),
        (Verdict::PassedOver(reason), _) => (
            "passed_over",
            Some(reason.as_str()),
            reason.explain(subscription, &decided.facts),
        ),
        (Verdict::Matches, delivery) => (
            "sent",
            None,
            delivery.map_or_else(String::new, |it| stands(api, it)),
        ),
    };
    ExplainedSubscription {
        subscription_id: IdText(subscription.id.0),
        kind: subscription.filter.kind(),
        webhook_id: subscription.webhook_id().map(|id| IdText(id.0)),
        websocket_id: subscription.websocket_id().map(|id| IdText(id.0)),
        verdict,
        reason,
        explanation,
        changed_at: version.until_at,
        delivery: delivery
            .cloned()
            .map(|delivery| DeliveryAnswer::of(delivery, api.node.settings.dashboard.mask)),
    }
}

/// How a delivery stands, as a sentence.
fn stands(api: &Api, delivery: &Delivery) -> String {
    let id = delivery.id;
    let attempts = attempts(delivery.attempt_number);
    let destination = api.node.registry.destination(delivery.webhook_id);
    let is_paused = destination.is_some_and(|destination| destination.webhook.paused_at.is_some());
    match delivery.state {
        DeliveryState::Pending { .. } if is_paused => {
            format!("delivery {id} waits, because its webhook is paused")
        }
        DeliveryState::Pending { due_at } => match delivery.failures.total() {
            0 => format!("delivery {id} is pending"),
            failed => format!(
                "delivery {id} is pending: {} failed, the next is due at {due_at}",
                self::attempts(failed)
            ),
        },
        DeliveryState::Delivered { at } => format!("delivery {id} was delivered at {at}, after {attempts}"),
        DeliveryState::Exhausted { at } => format!("delivery {id} was given up at {at}, after {attempts}"),
        DeliveryState::Cancelled { at } => format!("delivery {id} was cancelled at {at}, after {attempts}"),
    }
}

fn attempts(count: u32) -> String {
    match count {
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    }
}
