//! Request for a replay. Unknown members are refused, because a filter with a typing mistake would send everything.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{EventId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::replay::ReplayFilter;
use switchhook_domain::{Kind, Timestamp};
use utoipa::ToSchema;

use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::LooseId;
use switchhook_ingress::words;
use switchhook_node::replays::{self, ReplayTarget};

/// Old events to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct ReplayRequest {
    /// Filter for events: everything in it must hold. At least one member. Events of kinds that the key may not see
    /// are not sent.
    filter: Option<FilterRequest>,
    /// Destination; without it each event goes to the webhooks that it went to at first.
    to: Option<ToRequest>,
    /// Maximum events per second. Without it, as fast as the receiver takes them.
    #[schema(example = 50)]
    rate: Option<f64>,
    /// True to only count the deliveries.
    dry_run: Option<bool>,
}

/// Filter for events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct FilterRequest {
    /// Events to narrow to, at most {most-named}.
    ids: Option<Vec<LooseId>>,
    /// Kind to narrow to.
    #[schema(schema_with = words::kept_kind_or_null)]
    kind: Option<Kind>,
    /// Order key to narrow to: one call, message, agent or contact.
    #[schema(example = "call:4513924407164928")]
    order_key: Option<String>,
    /// Call to narrow to: the same as the order key `call:ID`.
    call: Option<LooseId>,
    /// Webhook of the original delivery to narrow to.
    webhook_id: Option<LooseId>,
    /// State of the original delivery to narrow to.
    #[schema(schema_with = words::state)]
    state: Option<String>,
    /// Accepted at this time or later: RFC 3339 or unix milliseconds.
    #[schema(value_type = Option<String>)]
    since: Option<Instant>,
    /// Accepted before this time.
    #[schema(value_type = Option<String>)]
    until: Option<Instant>,
    /// True for only those whose original delivery was given up or cancelled, and that the same webhook did not get since nor
    /// is about to.
    not_delivered: Option<bool>,
}

/// Destination: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct ToRequest {
    /// One webhook.
    webhook_id: Option<LooseId>,
    /// URL that is not a registered webhook's.
    #[schema(example = "https://example.com/replayed")]
    url: Option<String>,
    /// Secret that signs the deliveries to the URL.
    secret: Option<String>,
}

/// An instant as RFC 3339 or as milliseconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Instant(pub(in crate::api) Timestamp);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Instant;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an instant: 2026-11-21T09:30:00Z or milliseconds since 1970")
            }

            fn visit_i64<E: Error>(self, millis: i64) -> Result<Instant, E> {
                Ok(Instant(Timestamp::from_millis(millis)))
            }

            fn visit_u64<E: Error>(self, millis: u64) -> Result<Instant, E> {
                let millis = i64::try_from(millis);
                self.visit_i64(millis.map_err(|_| E::custom("an instant is less than 2^63"))?)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Instant, E> {
                text.parse().map(Instant).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl ReplayRequest {
    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run.unwrap_or_default()
    }

    /// Replay that is asked for.
    pub(super) fn read(self) -> Result<replays::ReplayRequest, ApiError> {
        Ok(replays::ReplayRequest {
            filter: self
                .filter
                .map(FilterRequest::read)
                .transpose()?
                .unwrap_or_default(),
            to: self.to.map(ToRequest::read).transpose()?.unwrap_or_default(),
            rate: self.rate,
        })
    }
}

impl FilterRequest {
    fn read(self) -> Result<ReplayFilter, ApiError> {
        let state = self.state.map(|state| state.parse::<StateName>());
        let state = state
            .transpose()
            .map_err(|error| ApiError::invalid(format!("filter.state: {error}")))?;
        let order_key = match (self.order_key, self.call) {
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid(
                    "filter.call and filter.order_key mean the same: send one of them",
                ));
            }
            (Some(key), None) => Some(OrderKey::new(key)),
            (None, call) => call.map(|call| OrderKey::new(format!("call:{}", call.0))),
        };
        let event_ids = |ids: Vec<LooseId>| ids.into_iter().map(|id| EventId(id.0)).collect();
        Ok(ReplayFilter {
            ids: self.ids.map(event_ids),
            kind: self.kind,
            order_key,
            since: self.since.map(|at| at.0),
            until: self.until.map(|at| at.0),
            webhook_id: self.webhook_id.map(|id| WebhookId(id.0)),
            state,
            not_delivered: self.not_delivered.unwrap_or_default(),
            ..ReplayFilter::default()
        })
    }
}

impl ToRequest {
    fn read(self) -> Result<ReplayTarget, ApiError> {
        let Self {
            webhook_id,
            url,
            secret,
        } = self;
        match (webhook_id, url) {
            (Some(_), None) if secret.is_some() => Err(ApiError::invalid(
                "to.secret goes with to.url: a webhook signs with its own",
            )),
            (Some(id), None) => Ok(ReplayTarget::Webhook(WebhookId(id.0))),
            (None, Some(url)) => Ok(ReplayTarget::Url { url, secret }),
            (None, None) | (Some(_), Some(_)) => Err(ApiError::invalid(
                "to: send webhook_id or url; leave `to` out to send to the same webhooks as before",
            )),
        }
    }
}
