//! The Dialpad webhook event system as open, self-hosted software.
//!
//! An event's path: `api` takes it, `ingest` checks it and decides where it goes, the store keeps event and decision
//! in one commit, `delivery` sends. `dashboard` is what people look at. `server` puts the parts together; `cli` is what people type.

pub mod api;
pub mod bench;
mod blocking;
mod cause;
pub mod chance;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod dashboard;
pub mod delivery;
pub mod dev;
pub mod doctor;
pub mod documents;
pub mod encryption;
pub mod follower;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod http_server;
pub mod ingest;
pub mod inspector;
pub mod keys;
mod lease;
pub mod live;
pub mod mask;
mod open_files;
pub mod pace;
pub mod private_folder;
pub mod registry;
pub mod replay;
pub mod retention;
pub mod server;
pub mod share;
mod sight;
pub mod source;
pub mod storage;
pub mod summary;
pub mod system;
pub mod telemetry;
pub mod terminal;
mod tunnel;
pub mod visible;
pub mod vitals;
pub mod websocket;
