//! Sending: when, in which order, how often; in virtual time.

mod breaker;
mod cancelling;
mod golden;
mod network;
mod order;
mod retries;
mod settings;
