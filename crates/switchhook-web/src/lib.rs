//! What a node answers over HTTP: the API for programs and the dashboard for people.

pub mod api;
mod blocking;
pub mod dashboard;

use std::sync::Arc;

use axum::Router;
use switchhook_node::system::System;

pub use self::api::FrontDoor;

/// Everything that a node answers to.
pub fn router(system: Arc<System>) -> Router {
    front_door(system).into_router()
}

/// The same, as what a server of connections asks.
pub fn front_door(system: Arc<System>) -> FrontDoor {
    let (door, inside) = api::with_inside(Arc::clone(&system));
    door.with(dashboard::router(system, inside))
}
