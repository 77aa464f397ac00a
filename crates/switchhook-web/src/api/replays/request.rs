//! What somebody asks for who wants events sent again. A member that nobody knows is refused: a filter with a typing
//! mistake in it would send everything.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{EventId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::replay::ReplayFilter;
use switchhook_domain::webhook::HIGHEST_RATE;
use switchhook_domain::{Kind, Timestamp};
use utoipa::ToSchema;

use crate::api::SharedApi;
use crate::api::compat::LooseId;
use crate::api::error::ApiError;
use crate::api::words;
use switchhook_node::caller::Caller;
use switchhook_node::replay::{Wish, WishedDestination};
use switchhook_node::webhooks::{check_url, secret_of};

/// The most events that one request can name.
const MOST_IDS: usize = 1_000;

/// The smallest rate.
const LOWEST_RATE: f64 = 0.001;

/// Old events to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct ReplayRequest {
    /// Which events: everything in it must hold. At least one member. Of kinds that the key may not see none is sent.
    filter: Option<FilterRequest>,
    /// Where to; without it each event goes to the webhooks that it went to at first.
    to: Option<ToRequest>,
    /// Events a second at the most. Without it, as fast as the receiver takes them.
    #[schema(example = 50)]
    rate: Option<f64>,
    /// Only tell how many deliveries it would make.
    dry_run: Option<bool>,
}

/// Which events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct FilterRequest {
    /// Only these: at most 1,000.
    ids: Option<Vec<LooseId>>,
    /// Only this kind.
    #[schema(schema_with = words::kept_kind_or_null)]
    kind: Option<Kind>,
    /// Only those of one call, message, agent or contact.
    #[schema(example = "call:4513924407164928")]
    order_key: Option<String>,
    /// Only those of one call: the same as the order key `call:ID`.
    call: Option<LooseId>,
    /// Only those with an original delivery to this webhook.
    webhook_id: Option<LooseId>,
    /// Only those with an original delivery in this state.
    #[schema(schema_with = words::state)]
    state: Option<String>,
    /// Accepted at this time or later: RFC 3339 or unix milliseconds.
    #[schema(value_type = Option<String>)]
    since: Option<Instant>,
    /// Accepted before this time.
    #[schema(value_type = Option<String>)]
    until: Option<Instant>,
    /// Only those whose original delivery was given up or cancelled, and that the same webhook did not get since nor
    /// is about to.
    not_delivered: Option<bool>,
}

/// Where to: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct ToRequest {
    /// One webhook.
    webhook_id: Option<LooseId>,
    /// An address that is nobody's webhook.
    #[schema(example = "https://example.com/replayed")]
    url: Option<String>,
    /// With the address: signs the deliveries.
    secret: Option<String>,
}

/// An instant as RFC 3339 or as milliseconds.
#[derive(Debug, Clone, Copy)]
struct Instant(Timestamp);

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
    /// What is wished, and whether only to count.
    pub(super) fn read(self, api: &SharedApi, caller: Caller) -> Result<(Wish, bool), ApiError> {
        let filter = self.filter.ok_or_else(no_filter)?.read()?;
        if filter.is_empty() {
            return Err(no_filter());
        }
        if let Some(kind) = filter.kind {
            caller.require_sight(kind)?;
        }
        if let Some(rate) = self.rate
            && !(LOWEST_RATE..=HIGHEST_RATE).contains(&rate)
        {
            return Err(ApiError::invalid(format!(
                "rate: {LOWEST_RATE} to {HIGHEST_RATE} events a second; leave it out to have no limit"
            )));
        }
        let to = match self.to {
            None => WishedDestination::Origins,
            Some(to) => to.read(api)?,
        };
        let wish = Wish {
            company_id: caller.company_id,
            filter,
            to,
            rate: self.rate,
            clearance: caller.clearance(),
        };
        Ok((wish, self.dry_run.unwrap_or_default()))
    }
}

fn no_filter() -> ApiError {
    ApiError::required(
        "filter is required: say which events, for example {\"since\": \"2026-11-21T09:00:00Z\"} or {\"not_delivered\": \
         true}; {\"since\": 0} means all",
    )
}

impl FilterRequest {
    fn read(self) -> Result<ReplayFilter, ApiError> {
        let state = self.state.map(|state| state.parse::<StateName>());
        let state = state
            .transpose()
            .map_err(|error| ApiError::invalid(format!("filter.state: {error}")))?;
        let not_delivered = self.not_delivered.unwrap_or_default();
        if not_delivered && state.is_some() {
            return Err(ApiError::invalid(
                "filter.state and filter.not_delivered exclude each other: send one of them",
            ));
        }
        let order_key = match (self.order_key, self.call) {
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid(
                    "filter.call and filter.order_key mean the same: send one of them",
                ));
            }
            (Some(key), None) => Some(OrderKey::new(key)),
            (None, call) => call.map(|call| OrderKey::new(format!("call:{}", call.0))),
        };
        Ok(ReplayFilter {
            ids: self.ids.map(read_ids).transpose()?,
            kind: self.kind,
            order_key,
            since: self.since.map(|at| at.0),
            until: self.until.map(|at| at.0),
            webhook_id: self.webhook_id.map(|id| WebhookId(id.0)),
            state,
            not_delivered,
        })
    }
}

fn read_ids(ids: Vec<LooseId>) -> Result<Vec<EventId>, ApiError> {
    if !(1..=MOST_IDS).contains(&ids.len()) {
        return Err(ApiError::invalid(format!(
            "filter.ids names {} events: 1 to {MOST_IDS} can be named; filter by time for more",
            ids.len()
        )));
    }
    let mut ids: Vec<_> = ids.into_iter().map(|id| EventId(id.0)).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

impl ToRequest {
    fn read(self, api: &SharedApi) -> Result<WishedDestination, ApiError> {
        match (self.webhook_id, self.url) {
            (Some(_), None) if self.secret.is_some() => Err(ApiError::invalid(
                "to.secret goes with to.url: a webhook signs with its own",
            )),
            (Some(id), None) => Ok(WishedDestination::Webhook(WebhookId(id.0))),
            (None, Some(url)) => {
                check_url(&api.node, "to.url", &url)?;
                let secret = secret_of(self.secret)?;
                Ok(WishedDestination::Url { url, secret })
            }
            (None, None) | (Some(_), Some(_)) => Err(ApiError::invalid(
                "to: send webhook_id or url; leave `to` out to send to the same webhooks as before",
            )),
        }
    }
}
