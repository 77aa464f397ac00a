//! `/v1/events/{id}/explain`: reasons for which an event was or was not sent to each subscription.
//!
//! The node makes the explanation; it is shown here.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchhook_domain::id::{EventId, SubscriptionId};
use switchhook_domain::matching::{Reason, Verdict, VerdictName};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::events::{self, Explained};
use switchhook_node::mask::Mask;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::Reader;
use super::deliveries::DeliveryAnswer;
use super::events::answer::EventSummary;
use super::query::{PageQuery, Query, query};
use super::request::PathId;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

query! {
    /// Subscriptions to explain.
    ExplainQuery {
        /// Subscription to narrow to.
        #[param(value_type = Option<String>)]
        subscription_id: SubscriptionId,
    }
}

/// Verdicts of the company's subscriptions on an event.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    pub event: EventSummary,
    /// Action to take if the event went nowhere.
    #[schema(required)]
    pub advice: Option<String>,
    /// Verdict of each subscription as it was then, by id.
    pub items: Vec<ExplainedSubscription>,
    /// Value of `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub cursor: Option<IdText>,
}

/// Verdict of one subscription.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedSubscription {
    pub subscription_id: IdText,
    #[schema(schema_with = words::kind)]
    pub kind: Kind,
    /// The webhook that it pointed to.
    #[schema(required)]
    pub webhook_id: Option<IdText>,
    /// The websocket that it pointed to; absent if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub websocket_id: Option<IdText>,
    /// `sent`, `told` (it points at a websocket: that makes no delivery), or `passed_over`.
    #[schema(schema_with = words::verdict)]
    pub verdict: VerdictName,
    /// Reason for passing it over: `other_kind`, `state_not_in_list` and the like; null if it was sent.
    #[schema(required, example = "state_not_in_list")]
    pub reason: Option<String>,
    /// Verdict as a sentence, or the status of the delivery.
    #[schema(example = "its call_states (hangup) do not include ringing")]
    pub explanation: String,
    /// Clause of its filter that does not hold, after the place in the event that it is about; null unless the reason is `filter`.
    #[schema(required, example = "duration: {\"$gt\":30000}")]
    pub clause: Option<String>,
    /// Value at that place, as JSON; `***` if the key may not see it, null if there is none.
    #[schema(required, example = "8951.03")]
    pub seen: Option<String>,
    /// Time of the subscription's next change, after which its verdict may differ.
    #[schema(value_type = Option<i64>, required)]
    pub changed_at: Option<Timestamp>,
    /// The delivery that it asked for; subscriptions of one webhook share one.
    #[schema(required)]
    pub delivery: Option<DeliveryAnswer>,
}

/// Explains for each subscription of the company why an event was sent to it or not.
///
/// The subscriptions are those at the time of the event's acceptance, whatever happened to them since. Those of kinds that the key
/// may not see are left out.
#[utoipa::path(
    get, path = "/v1/events/{event}/explain", tag = "events", operation_id = "events.explain",
    params(("event" = IdText, Path, description = "The event's id."), PageQuery, ExplainQuery),
    responses((status = 200, description = "A page of subscriptions with the verdict of each.", body = Explanation)),
)]
pub(crate) async fn explain(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<EventId>,
    Query(page): Query<PageQuery>,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, ApiError> {
    let only = query.subscription_id;
    let explained = events::explain(&api.node, caller, id, only, page.ours()?).await?;
    let summaries = events::summaries(&api.node, caller, vec![id]).await?;
    let mask = api.node.settings.mask;
    let show = |one| ExplainedSubscription::of(one, mask);
    Ok(Json(Explanation {
        event: EventSummary::of(explained.event, summaries.get(&id), mask),
        advice: explained.advice,
        items: explained.items.into_iter().map(show).collect(),
        cursor: explained.next.map(IdText),
    }))
}

impl ExplainedSubscription {
    fn of(explained: Explained, mask: Mask) -> Self {
        let reason = match explained.verdict {
            Verdict::Matches | Verdict::PassedOver(Reason::Websocket) => None,
            Verdict::PassedOver(reason) => Some(reason.as_str()),
        };
        let subscription = explained.subscription;
        let refused_by = explained.refused_by.map(|by| (Some(by.clause), by.seen));
        let (clause, seen) = refused_by.unwrap_or_default();
        Self {
            subscription_id: IdText(subscription.id.0),
            kind: subscription.filter.kind(),
            webhook_id: subscription.webhook_id().map(|id| IdText(id.0)),
            websocket_id: subscription.websocket_id().map(|id| IdText(id.0)),
            verdict: explained.verdict.name(),
            reason: reason.map(str::to_owned),
            explanation: explained.explanation,
            clause,
            seen,
            changed_at: explained.changed_at,
            delivery: explained
                .delivery
                .map(|(delivery, status)| DeliveryAnswer::of(delivery, status, mask)),
        }
    }
}
