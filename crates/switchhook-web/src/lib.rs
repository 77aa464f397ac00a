//! What a node answers over HTTP: the API for programs and the dashboard for people.

pub mod api;
pub mod dashboard;
pub mod observing;

use std::sync::Arc;

use axum::Router;
use switchhook_node::Node;

pub use self::api::FrontDoor;

/// Everything that a node answers to.
pub fn router(node: Arc<Node>) -> Router {
    front_door(node).into_router()
}

/// The same, as what a server of connections asks.
pub fn front_door(node: Arc<Node>) -> FrontDoor {
    api::front_door(Arc::clone(&node))
        .with(dashboard::router(node))
        .observed()
}
