//! Sending: when, in which order, how often; in virtual time.

mod answers;
mod breaker;
mod cancelling;
mod certificates;
mod connector;
mod golden;
mod hostile;
mod memory;
mod names;
mod network;
mod order;
mod retries;
mod settings;
