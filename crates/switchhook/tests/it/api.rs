//! The API as its clients see it.

mod auth;
mod deliveries;
mod documents;
mod errors;
mod events;
mod limits;
mod replays;
mod subscriptions;
mod webhook_settings;
mod webhooks;
