//! The API as its clients see it.

mod auth;
mod authorization;
mod conformance;
mod dead_letters;
mod deliveries;
mod doctor;
mod documents;
mod erasures;
mod errors;
mod events;
mod explain;
mod feed;
mod filters;
mod health;
mod history;
mod keys;
mod limits;
mod replays;
mod revocation;
mod rights;
mod rotation;
mod sources;
mod subscriptions;
mod webhook_settings;
mod webhooks;
mod websockets;
