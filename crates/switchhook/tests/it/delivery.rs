//! Sending: when, in which order, how often; in virtual time.

mod breaker;
mod cancelling;
mod connector;
mod golden;
mod hostile;
mod memory;
mod network;
mod order;
mod retries;
mod settings;
