//! `GET /v1/stream`: events and attempts as they happen, as server-sent events.
//!
//! Nothing is kept for a stream: a slow reader gets a `missed` with the number of lost events, and goes on with new ones. The events
//! are made in `live.rs` of the node.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use http::HeaderValue;
use switchhook_domain::Kind;
use switchhook_domain::id::WebhookId;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::auth::Reader;
use super::query::{Query, query};
use super::{Api, SharedApi};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::words;
use switchhook_node::lease::Lease;
use switchhook_node::live::{Live, LiveEvent, LiveMessage, MissedMessage};
use switchhook_node::share::{NoSlot, Slot};

/// Bound on the streams of a node, over all companies.
pub const MOST_STREAMS: usize = 512;

/// Time to wait until another stream ends.
pub const ASK_AGAIN_SECONDS: u64 = 10;

/// Interval of keep-alive lines, so that no proxy closes a quiet connection.
pub const ALIVE_EVERY: Duration = Duration::from_secs(15);

query! {
    /// Filter for a stream.
    StreamQuery {
        /// Kind to narrow to.
        #[param(schema_with = words::kept_kind)]
        kind: Kind,
        /// Webhook to narrow to.
        #[param(value_type = Option<String>)]
        webhook_id: WebhookId,
    }
}

/// Streams events and attempts as they happen.
///
/// Server-sent events: `event` when one was accepted, `attempt` when one ended, and `missed` with `{"count":n}` after
/// the reader was too slow for n of them. Kinds that the key may not see are left out. The stream ends when its key is
/// revoked or expires.
#[utoipa::path(
    get, path = "/v1/stream", tag = "events", operation_id = "stream",
    params(StreamQuery),
    responses((status = 200, description = "A stream of server-sent events.", body = String, content_type = "text/event-stream")),
)]
pub(crate) async fn stream(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<StreamQuery>,
) -> Result<Response, ApiError> {
    let StreamQuery { kind, webhook_id } = query;
    if let Some(kind) = kind {
        caller.require_visible(kind)?;
    }
    let clearance = caller.clearance();
    let live = &api.node.live;
    let share = api.node.shares.of(caller.company_id);
    let place = Slot::take(&share.streams, &api.streams).map_err(|none| no_place(&api, none))?;
    let is_wanted = move |happening: &LiveEvent| {
        clearance.sees(happening.kind).is_ok()
            && kind.is_none_or(|kind| kind == happening.kind)
            && webhook_id.is_none_or(|id| happening.webhook_ids.contains(&id))
    };
    let told = OpenStream {
        live: live.clone(),
        heard: live.listen(caller.company_id),
        lease: api.node.leases.hold(caller),
        _place: place,
    };
    let told = told.events(is_wanted);
    let mut response = Sse::new(told)
        .keep_alive(KeepAlive::new().interval(ALIVE_EVERY))
        .into_response();
    let headers = response.headers_mut();
    // Asks proxies to pass it on at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

pub(super) fn no_place(api: &Api, none: NoSlot) -> ApiError {
    let message = match none {
        NoSlot::OfCompany => format!(
            "this company has {} streams open, which is as many as it may have (--limit-streams): close one",
            api.node.shares.limits().streams
        ),
        NoSlot::OfNode => {
            format!("{MOST_STREAMS} streams are open on this server, which is as many as it has: try later")
        }
    };
    ApiError::too_often(message, ASK_AGAIN_SECONDS)
}

/// State of an open stream.
struct OpenStream {
    live: Live,
    heard: Receiver<Arc<LiveEvent>>,
    lease: Lease,
    _place: Slot,
}

impl OpenStream {
    fn events(
        self,
        wanted: impl Fn(&LiveEvent) -> bool + Send + Sync + 'static,
    ) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        futures_util::stream::unfold((self, wanted), |(mut telling, wanted)| async move {
            let event = telling.next(&wanted).await?;
            Some((Ok(event), (telling, wanted)))
        })
    }

    async fn next(&mut self, wanted: &impl Fn(&LiveEvent) -> bool) -> Option<Event> {
        loop {
            let next = tokio::select! {
                biased;
                () = self.live.ended() => return None,
                () = self.lease.ended() => return None,
                next = self.heard.recv() => next,
            };
            match next {
                Ok(happening) if wanted(&happening) => {
                    return Some(Event::default().event(happening.name).data(&happening.json));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => {
                    let missed = MissedMessage { count };
                    let data = serde_json::to_string(&missed).expect("a number can be written as JSON");
                    return Some(Event::default().event(LiveMessage::MISSED).data(data));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
