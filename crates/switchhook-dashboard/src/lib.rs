//! The dashboard: pages made on the server, readable without a script.
//!
//! Pages read and change through the node's verbs, as the API does, with the rights of the signed-in person (`session.rs`), page by
//! page of a key and never by counting. `page.rs` has the parts that all pages share, `widgets.rs` the small elements on them. Scripts and styles are `assets.rs`.

mod assets;
mod attention;
mod call_timeline;
pub mod chart;
mod dead_letters;
mod deliveries;
mod delivery;
mod doctor;
mod event;
mod event_row;
mod events;
mod form;
pub mod history;
mod inspector;
mod json_text;
mod keys;
mod limits;
pub mod live_updates;
mod notifications;
mod overview;
mod page;
mod reference;
mod replay_form;
mod replays;
pub mod search;
pub mod session;
mod simulator;
mod sources;
mod subscription_form;
mod subscriptions;
mod webhook;
mod webhook_form;
mod webhooks;
mod websockets;
mod widgets;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::middleware::from_fn;
use axum::response::Redirect;
use axum::routing::{get, post};

use self::attention::Attentions;
use self::live_updates::LiveUpdates;
use self::reference::Reference;
use self::session::Sessions;
use self::simulator::Plays;
use switchhook_node::Node;
use switchhook_web::{RequestHandler, api};

/// State shared by all pages.
pub(crate) struct DashboardState {
    node: Arc<Node>,
    sessions: Sessions,
    attentions: Attentions,
    plays: Plays,
    live_updates: LiveUpdates,
    reference: OnceLock<Reference>,
}

type SharedState = Arc<DashboardState>;

/// Everything that a node answers to: the API and these pages.
pub fn router(node: Arc<Node>) -> Router {
    request_handler(node).into_router()
}

/// The same, as what a server of connections asks.
pub fn request_handler(node: Arc<Node>) -> RequestHandler {
    api::request_handler(Arc::clone(&node))
        .with(pages(node))
        .observed()
}

/// Every page of the dashboard.
fn pages(node: Arc<Node>) -> Router {
    let dashboard = Arc::new(DashboardState {
        node,
        sessions: Sessions::default(),
        attentions: Attentions::default(),
        plays: Plays::default(),
        live_updates: LiveUpdates::default(),
        reference: OnceLock::new(),
    });
    let pages = Router::new()
        .route("/dashboard/", get(overview::show))
        .route("/dashboard/sign-in", get(session::ask).post(session::sign_in))
        .route("/dashboard/sign-out", post(session::sign_out))
        .route("/dashboard/stream", get(live_updates::stream))
        .route("/dashboard/assets/{name}", get(assets::get))
        .route("/dashboard/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/dashboard/webhooks/new", get(webhooks::blank))
        .route("/dashboard/webhooks/{id}", get(webhook::show))
        .route(
            "/dashboard/webhooks/{id}/edit",
            get(webhooks::edit).post(webhooks::update),
        )
        .route("/dashboard/webhooks/{id}/pause", post(webhook::pause))
        .route("/dashboard/webhooks/{id}/resume", post(webhook::resume))
        .route("/dashboard/webhooks/{id}/retry", post(webhook::retry))
        .route("/dashboard/webhooks/{id}/skip-to-now", post(webhook::skip_to_now))
        .route(
            "/dashboard/webhooks/{id}/rotate-secret",
            post(webhook::rotate_secret),
        )
        .route("/dashboard/webhooks/{id}/test", post(webhook::test))
        .route(
            "/dashboard/webhooks/{id}/delete",
            get(webhooks::ask_to_delete).post(webhooks::delete),
        )
        .route(
            "/dashboard/subscriptions",
            get(subscriptions::list).post(subscriptions::create),
        )
        .route("/dashboard/subscriptions/new", get(subscriptions::blank))
        .route(
            "/dashboard/subscriptions/{kind}/{id}/edit",
            get(subscriptions::edit).post(subscriptions::update),
        )
        .route(
            "/dashboard/subscriptions/{kind}/{id}/enable",
            post(subscriptions::enable),
        )
        .route(
            "/dashboard/subscriptions/{kind}/{id}/disable",
            post(subscriptions::disable),
        )
        .route(
            "/dashboard/subscriptions/{kind}/{id}/delete",
            get(subscriptions::ask_to_delete).post(subscriptions::delete),
        )
        .route("/dashboard/events", get(events::list))
        .route("/dashboard/events/{id}", get(event::show))
        .route("/dashboard/deliveries", get(deliveries::list))
        .route("/dashboard/deliveries/{id}", get(delivery::show))
        .route("/dashboard/deliveries/{id}/redeliver", post(delivery::redeliver))
        .route("/dashboard/deliveries/{id}/cancel", post(delivery::cancel))
        .route("/dashboard/dead-letters", get(dead_letters::list))
        .route("/dashboard/dead-letters/export", get(dead_letters::export))
        .route("/dashboard/dead-letters/resend", post(dead_letters::resend))
        .route("/dashboard/dead-letters/dismiss", post(dead_letters::dismiss))
        .route("/dashboard/sources", get(sources::list))
        .route("/dashboard/sources/{id}", get(sources::show))
        .route(
            "/dashboard/sources/{id}/retry-refusals",
            post(sources::retry_refusals),
        )
        .route(
            "/dashboard/websockets",
            get(websockets::list).post(websockets::create),
        )
        .route("/dashboard/websockets/{id}/delete", post(websockets::delete))
        .route("/dashboard/keys", get(keys::list).post(keys::create))
        .route("/dashboard/keys/new", get(keys::blank))
        .route("/dashboard/keys/{id}/revoke", post(keys::revoke))
        .route(
            "/dashboard/notifications",
            get(notifications::list).post(notifications::create),
        )
        .route("/dashboard/notifications/new", get(notifications::blank))
        .route("/dashboard/notifications/{id}/test", post(notifications::test))
        .route(
            "/dashboard/notifications/{id}/delete",
            post(notifications::delete),
        )
        .route("/dashboard/api", get(reference::show_reference))
        .route("/dashboard/doctor", get(doctor::show))
        .route("/dashboard/replays", get(replays::list).post(replays::create))
        .route("/dashboard/replays/new", get(replays::blank))
        .route("/dashboard/replays/{id}", get(replays::show))
        .route("/dashboard/replays/{id}/cancel", post(replays::cancel))
        .route("/dashboard/inspector", get(inspector::list))
        .route("/dashboard/inspector/{name}", get(inspector::show))
        .route("/dashboard/inspector/{name}/behaviour", post(inspector::behave))
        .route("/dashboard/inspector/{name}/clear", post(inspector::clear))
        .route("/dashboard/inspector/{name}/{number}", get(inspector::arrival))
        .route("/dashboard/simulator", get(simulator::show).post(simulator::play))
        .route("/dashboard/{*rest}", get(page::nowhere))
        .layer(from_fn(page::wait_for_a_place))
        .layer(from_fn(page::refuse_nul))
        .layer(from_fn(page::protect))
        .with_state(dashboard);
    Router::new()
        .route("/dashboard", get(|| async { Redirect::permanent("/dashboard/") }))
        .merge(pages)
}

/// An event as pages show it, laid out and as it came, for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub fn masked_json(text: &str, mask: switchhook_node::mask::Mask) -> (String, String) {
    (
        json_text::pretty(text, mask),
        switchhook_node::json_text::raw(text, mask).into_owned(),
    )
}
