//! The HTTP API: every route is on this screen, and described where it is handled.
//!
//! A handler reads its request, calls one verb of the node, and shows the answer. Callers are `auth.rs`, errors `error.rs` of
//! `switchhook-ingress`, oddities of Dialpad's API `compat.rs`. The server that listens is in `switchhook-http`.

mod auth;
mod compat;
mod dead_letters;
mod deliveries;
mod description;
mod doctor;
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
    pub use super::health::Readiness;
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
    pub use switchhook_node::live::{AttemptMessage, EventMessage, LiveMessage, MissedMessage};
}

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::post;
use bytes::Bytes;
use governor::clock::DefaultClock;
use http::{Method, Uri};
use tokio::sync::Semaphore;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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

/// Routes of Dialpad's API.
fn compatible_routes() -> OpenApiRouter<SharedApi> {
    OpenApiRouter::new()
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::update, webhooks::delete))
        .routes(routes!(websockets::list, websockets::create))
        .routes(routes!(websockets::get, websockets::update, websockets::delete))
        .routes(routes!(call::list, call::create))
        .routes(routes!(call::get, call::update, call::delete))
        .routes(routes!(sms::list, sms::create))
        .routes(routes!(sms::get, sms::update, sms::delete))
        .routes(routes!(agent_status::list, agent_status::create))
        .routes(routes!(
            agent_status::get,
            agent_status::update,
            agent_status::delete
        ))
        .routes(routes!(contact::list, contact::create))
        .routes(routes!(contact::get, contact::update, contact::delete))
        .routes(routes!(changelog::list, changelog::create))
        .routes(routes!(changelog::get, changelog::update, changelog::delete))
}

/// Routes of our own API.
fn own_routes() -> OpenApiRouter<SharedApi> {
    OpenApiRouter::new()
        .routes(routes!(webhook_settings::list, webhook_settings::create))
        .routes(routes!(
            webhook_settings::get,
            webhook_settings::update,
            webhook_settings::delete
        ))
        .routes(routes!(webhook_settings::flow::pause))
        .routes(routes!(webhook_settings::flow::resume))
        .routes(routes!(webhook_settings::flow::retry))
        .routes(routes!(webhook_settings::flow::skip_to_now))
        .routes(routes!(webhook_settings::rotate_secret))
        .routes(routes!(webhook_settings::trial::test))
        .routes(routes!(webhook_settings::trial::preview))
        .routes(routes!(feed::read))
        .routes(routes!(feed::list))
        .routes(routes!(feed::get, feed::put, feed::delete))
        .routes(routes!(feed::read_as))
        .routes(routes!(feed::acknowledge))
        .routes(routes!(feed::seek))
        .routes(routes!(filtered::get, filtered::update))
        .routes(routes!(filtered::try_filter))
        .routes(routes!(events::list))
        .routes(routes!(events::get, events::send))
        .routes(routes!(rerouting::route))
        .routes(routes!(erasures::erase))
        .routes(routes!(explain::explain))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::get))
        .routes(routes!(deliveries::redeliver))
        .routes(routes!(deliveries::cancel))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::export::get))
        .routes(routes!(dead_letters::resend))
        .routes(routes!(dead_letters::dismiss))
        .routes(routes!(history::get))
        .routes(routes!(stream::stream))
        .routes(routes!(replays::list, replays::create))
        .routes(routes!(replays::get, replays::cancel))
        .routes(routes!(sources::list, sources::create))
        .routes(routes!(sources::get, sources::update, sources::delete))
        .routes(routes!(sources::list_refusals))
        .routes(routes!(sources::retry_refusals))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(notifications::list))
        .routes(routes!(
            notifications::list_channels,
            notifications::create_channel
        ))
        .routes(routes!(
            notifications::get_channel,
            notifications::update_channel,
            notifications::delete_channel
        ))
        .routes(routes!(notifications::test_channel))
        .routes(routes!(inlet::take))
        .routes(routes!(listening::listen))
        .routes(routes!(doctor::see))
        .routes(routes!(documents::index))
        .routes(routes!(documents::asyncapi))
        .routes(routes!(documents::openapi))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// The whole API of a node.
pub fn router(node: Arc<Node>) -> Router {
    request_handler(node).into_router()
}

/// Handler of the whole API, for a server of connections.
pub fn request_handler(node: Arc<Node>) -> RequestHandler {
    let openapi = openapi_text(&node.settings);
    let limiter = Limiter::new(node.settings.api_limits, DefaultClock::default());
    let api = Arc::new(Api {
        node,
        limiter,
        inlets: SourceCache::default(),
        readiness: LastReadiness::default(),
        openapi: Bytes::from(openapi),
        streams: Arc::new(Semaphore::new(stream::MOST_STREAMS)),
    });
    let limited = from_fn_with_state(Arc::clone(&api), limit_rate);
    let reading = from_fn_with_state(Arc::clone(&api), limit_reads);
    let compatible = compatible_routes()
        .route_layer(reading.clone())
        .route_layer(limited);
    let own = own_routes();
    let known = Arc::new(Parameters::of(own.get_openapi()));
    let checked = from_fn_with_state(known, parameters::check);
    let routes = compatible.merge(own.route_layer(reading).route_layer(checked));
    let (router, _) = routes.split_for_parts();
    let router = router
        // Some forms and gateways end every path with a slash.
        .route("/in/{token}/", post(inlet::take))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(middleware::check))
        .with_state(Arc::clone(&api));
    RequestHandler { api, router }
}

/// The description of every route.
#[must_use]
pub fn openapi() -> OpenApi {
    let (_, gathered) = compatible_routes().merge(own_routes()).split_for_parts();
    description::complete(gathered)
}

/// Description of every route as JSON, with the constraints of a server with these settings.
pub fn openapi_text(settings: &Settings) -> String {
    description::text(&openapi(), settings)
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
