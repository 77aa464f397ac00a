//! Sending: when, in which order, how often; in virtual time.

mod answers;
mod authentication;
mod breaker;
mod cancelling;
mod certificates;
mod chats;
mod connector;
mod golden;
mod hostile;
pub(crate) mod http2;
mod memory;
mod names;
pub(crate) mod network;
mod oidc;
mod order;
mod retries;
mod settings;
mod standard_webhooks;
mod templates;
