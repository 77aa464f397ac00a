//! The delivery engine: takes claimed deliveries, makes their attempts and says how they ended.
//!
//! `engine` runs the loop, `queue` is one webhook's part of it, `memory` counts bytes, `attempt` makes one attempt with a
//! `body` for its receiver, `http_client` and `address_guard` carry it over the network. What an outcome means is the
//! domain's.

pub mod address_guard;
mod attempt;
mod body;
pub mod engine;
pub mod http_client;
mod memory;
mod queue;
#[cfg(test)]
mod samples;
pub mod transport;

pub use engine::{Engine, EngineParts, EngineState, Offer};
pub use http_client::{
    HttpTransport, LateAddresses, ResolvedAddresses, Resolver, ResolverSettings, SystemResolver,
};
