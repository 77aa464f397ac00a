//! The delivery engine: takes claimed deliveries, makes their attempts and says how they ended.
//!
//! `engine` runs the loop, `lane` holds one webhook's turn, `memory` counts bytes, `send` makes one attempt of what is `shown`,
//! `http_client` and `address_guard` carry it over the network. What an outcome means is the domain's.

pub mod address_guard;
mod engine;
mod http_client;
mod lane;
mod memory;
mod send;
mod shown;
pub mod transport;

pub use engine::{Engine, EngineParts, EngineState, Offer};
pub use http_client::{Addresses, HttpTransport, Late, NameSettings, Names, SystemNames};
pub use send::own_headers;
