//! The HTTP API: every route is on this screen, and described where it is handled.
//!
//! A handler reads its request, calls one verb of the node, and shows the answer. Callers are `auth.rs`, errors `error.rs` of
//! `switchhook-ingress`, oddities of Dialpad's API `compat.rs`. The server that listens is in `switchhook-http`.

mod auth;
mod compat;
mod dead_letters;
mod deliveries;
#[cfg(test)]
mod description;
mod doctor;
mod document;
mod documents;
mod endpoint;
mod erasures;
mod events;
mod explain;
mod feed;
mod field;
mod filtered;
mod health;
mod history;
mod inlet;
mod keys;
mod limits;
mod listening;
mod middleware;
mod notifications;
mod parameters;
mod query;
mod replays;
mod request;
mod request_handler;
mod rerouting;
mod sources;
pub mod stream;
mod subscriptions;
mod webhook_settings;
mod webhooks;
mod websockets;

/// Types of the API's answers, with which the commands read them.
pub mod answers {
    pub use super::compat::{Signature, WebhookAnswer};
    pub use super::dead_letters::answer::{DeadLetterGroupAnswer, DeadLetterGroups, DismissAnswer};
    pub use super::deliveries::answer::{
        AnswerHead, AttemptAnswer, DeliveryAnswer, DeliveryWithAttempts, LastAttemptAnswer, ListedDelivery,
        RequestAnswer, Timing,
    };
    pub use super::doctor::{DoctorAnswer, FindingAnswer};
    pub use super::endpoint::EndpointAnswer;
    pub use super::erasures::ErasureAnswer;
    pub use super::events::answer::{EventAnswer, EventSummary, PayloadRemovalAnswer};
    pub use super::explain::{ExplainedSubscription, Explanation};
    pub use super::feed::{FeedAnswer, FeedItemAnswer};
    pub use super::filtered::{FilteredSubscription, TrialAnswer, TriedEvent};
    pub use super::keys::KeyAnswer;
    pub use super::notifications::answer::{
        NotificationAnswer, NotificationChannel, NotificationSend, NotificationTest,
    };
    pub use super::replays::answer::{DryRunAnswer, FilterAnswer, ProgressAnswer, ReplayAnswer, ToAnswer};
    pub use super::sources::answer::{RefusalAnswer, RetriedAnswer, SourceAnswer};
    pub use super::subscriptions::answer::AnySubscription;
    pub use super::webhook_settings::answer::health::{
        FailuresAnswer, HealthAnswer, RecentAnswer, WaitingAnswer,
    };
    pub use super::webhook_settings::answer::{
        BreakerAnswer, OldSecretAnswer, PreviewAnswer, SettingsAnswer, SettingsInForce, SkippedAnswer,
        WebhookWithSettings,
    };
    pub use super::websockets::WebsocketAnswer;
    pub use switchhook_ingress::error::{ErrorBody, ErrorDetail, ErrorEnvelope};
    pub use switchhook_ingress::events::{
        AcceptedDeliveryAnswer, AcceptedEvent, BatchAnswer, Deliveries, RejectedLineAnswer, WarnedLineAnswer,
    };
    pub use switchhook_ingress::id::IdText;
    pub use switchhook_ingress::readiness::Readiness;
    pub use switchhook_node::live::{AttemptMessage, EventMessage, LiveMessage, MissedMessage};
}

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, on, post};
use bytes::Bytes;
use governor::clock::DefaultClock;
use http::{Method, Uri};
use serde_json::Value;
use tokio::sync::Semaphore;
use utoipa::openapi::HttpMethod;
#[cfg(test)]
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::{PathItemExt, routes};

pub use self::compat::LARGEST_PAGE;
pub use self::dead_letters::export::{MOST_EXPORTED, export as export_dead_letters};
use self::health::LastReadiness;
use self::limits::{Limiter, limit_rate, limit_reads};
use self::parameters::Parameters;
pub use self::query::LARGEST_PAGE_OF_OURS;
pub use self::request_handler::RequestHandler;
use self::subscriptions::{agent_status, call, changelog, contact, sms};
use switchhook_ingress::error::ApiError;
use switchhook_node::Node;
use switchhook_node::settings::Settings;
use switchhook_node::source::SourceCache;
use switchhook_protocol::quoted;

/// State shared by all handlers.
pub(crate) struct Api {
    node: Arc<Node>,
    limiter: Limiter,
    inlets: SourceCache,
    readiness: LastReadiness,
    openapi: Bytes,
    /// The places of the streams that are open.
    streams: Arc<Semaphore>,
}

pub(crate) type SharedApi = Arc<Api>;

/// Declares the routes of operations, a path in each line. Tests gather their descriptions in the same way, for the document.
macro_rules! operations {
    ($(#[$comment:meta])* $routes:ident, $descriptions:ident: $([$($first:ident)::+ $(, $($other:ident)::+)*])+) => {
        $(#[$comment])*
        fn $routes() -> Router<SharedApi> {
            Router::new()$(.route(
                &routes!(@path [path()] of $($first)::+),
                on(methods(&routes!(@path [methods()] of $($first)::+)), $($first)::+)
                    $(.on(methods(&routes!(@path [methods()] of $($other)::+)), $($other)::+))*
            ))+
        }

        #[cfg(test)]
        fn $descriptions() -> OpenApiRouter<SharedApi> {
            OpenApiRouter::new()$(.routes(routes!($($first)::+ $(, $($other)::+)*)))+
        }
    };
}

fn methods(methods: &[HttpMethod]) -> MethodFilter {
    let mut filters = methods.iter().map(PathItemExt::to_method_filter);
    let first = filters.next().expect("an operation has a method");
    filters.fold(first, MethodFilter::or)
}

operations! {
    /// Routes of Dialpad's API.
    compatible_routes, compatible_descriptions:
    [webhooks::list, webhooks::create]
    [webhooks::get, webhooks::update, webhooks::delete]
    [websockets::list, websockets::create]
    [websockets::get, websockets::update, websockets::delete]
    [call::list, call::create]
    [call::get, call::update, call::delete]
    [sms::list, sms::create]
    [sms::get, sms::update, sms::delete]
    [agent_status::list, agent_status::create]
    [agent_status::get, agent_status::update, agent_status::delete]
    [contact::list, contact::create]
    [contact::get, contact::update, contact::delete]
    [changelog::list, changelog::create]
    [changelog::get, changelog::update, changelog::delete]
}

operations! {
    /// Routes of our own API.
    own_routes, own_descriptions:
    [webhook_settings::list, webhook_settings::create]
    [webhook_settings::get, webhook_settings::update, webhook_settings::delete]
    [webhook_settings::flow::pause]
    [webhook_settings::flow::resume]
    [webhook_settings::flow::retry]
    [webhook_settings::flow::skip_to_now]
    [webhook_settings::rotate_secret]
    [webhook_settings::trial::test]
    [webhook_settings::trial::preview]
    [feed::read]
    [feed::list]
    [feed::get, feed::put, feed::delete]
    [feed::read_as]
    [feed::acknowledge]
    [feed::seek]
    [filtered::get, filtered::update]
    [filtered::try_filter]
    [events::list]
    [events::get, events::send]
    [rerouting::route]
    [erasures::erase]
    [explain::explain]
    [deliveries::list]
    [deliveries::get]
    [deliveries::redeliver]
    [deliveries::cancel]
    [dead_letters::list]
    [dead_letters::export::get]
    [dead_letters::resend]
    [dead_letters::dismiss]
    [history::get]
    [stream::stream]
    [replays::list, replays::create]
    [replays::get, replays::cancel]
    [sources::list, sources::create]
    [sources::get, sources::update, sources::delete]
    [sources::list_refusals]
    [sources::retry_refusals]
    [keys::list, keys::create]
    [keys::revoke]
    [notifications::list]
    [notifications::list_channels, notifications::create_channel]
    [notifications::get_channel, notifications::update_channel, notifications::delete_channel]
    [notifications::test_channel]
    [inlet::take]
    [listening::listen]
    [doctor::see]
    [documents::index]
    [documents::asyncapi]
    [documents::openapi]
    [health::healthz]
    [health::readyz]
    [health::metrics]
}

/// The whole API of a node.
pub fn router(node: Arc<Node>) -> Router {
    request_handler(node).into_router()
}

/// Handler of the whole API, for a server of connections.
pub fn request_handler(node: Arc<Node>) -> RequestHandler {
    let document = openapi(&node.settings);
    let parameters = Parameters::of(&document);
    let limiter = Limiter::new(node.settings.api_limits, DefaultClock::default());
    let api = Arc::new(Api {
        node,
        limiter,
        inlets: SourceCache::default(),
        readiness: LastReadiness::default(),
        openapi: Bytes::from(document::text(&document)),
        streams: Arc::new(Semaphore::new(stream::MOST_STREAMS)),
    });
    let limited = from_fn_with_state(Arc::clone(&api), limit_rate);
    let reading = from_fn_with_state(Arc::clone(&api), limit_reads);
    let compatible = compatible_routes()
        .route_layer(reading.clone())
        .route_layer(limited);
    let checked = from_fn_with_state(Arc::new(parameters), parameters::check);
    let own = own_routes().route_layer(reading).route_layer(checked);
    let router = compatible
        .merge(own)
        // Some forms and gateways end every path with a slash.
        .route("/in/{token}/", post(inlet::take))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(middleware::check))
        .with_state(Arc::clone(&api));
    RequestHandler { api, router }
}

/// The OpenAPI document of a server with these settings.
#[must_use]
pub fn openapi(settings: &Settings) -> Value {
    document::of_server(settings)
}

/// The same as people read it.
#[must_use]
pub fn openapi_text(settings: &Settings) -> String {
    document::text(&openapi(settings))
}

async fn unknown_route(uri: Uri) -> ApiError {
    let path = quoted(uri.path());
    ApiError::not_found(format!(
        "there is nothing at {path}: GET /openapi.json tells what is where"
    ))
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let path = quoted(uri.path());
    ApiError::method_not_allowed(format!(
        "{path} does not take {method}: the Allow header tells what it takes"
    ))
}
