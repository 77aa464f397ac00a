//! A node: it takes events, decides where they go, keeps them, delivers them and answers questions about them.
//!
//! An event's path: `ingest` checks it and asks `registry` where it goes, the store keeps event and decision in one commit,
//! `delivery` sends to a `destination`. `node` puts the parts together. HTTP and the terminal are other crates.

pub mod amounts;
pub mod api_keys;
pub mod blocking;
pub mod caller;
pub mod callers;
pub mod clock;
pub mod counters;
pub mod dead_letters;
pub mod deliveries;
pub mod delivery;
pub mod destination;
pub mod doctor;
pub mod documents;
pub mod duration;
pub mod encryption;
pub mod events;
pub mod feed;
pub mod follower;
pub mod gauges;
pub mod health;
pub mod history;
pub mod ingest;
pub mod ingest_progress;
pub mod inspector;
pub mod json_text;
pub mod keys;
pub mod lease;
pub mod listeners;
pub mod live;
pub mod liveness;
pub mod mask;
mod node;
pub mod notification;
pub mod notifications;
pub mod pace;
pub mod randomness;
pub mod refusal;
pub mod registry;
pub mod replay;
pub mod replays;
pub mod retention;
pub mod sanitize;
pub mod secret_display;
pub mod sessions;
pub mod settings;
pub mod share;
pub mod source;
pub mod sources;
pub mod storage;
pub mod subscriptions;
pub mod summary;
pub mod telemetry;
pub mod templates;
pub mod traffic;
pub mod validation;
pub mod visibility;
pub mod webhooks;
pub mod websocket;
pub mod websockets;

pub use self::node::{Node, Parts, assemble};
