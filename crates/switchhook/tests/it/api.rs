//! The API as its clients see it.

mod auth;
mod deliveries;
mod documents;
mod erasures;
mod errors;
mod events;
mod limits;
mod rotation;
mod subscriptions;
mod webhook_settings;
mod webhooks;
