//! The way into a node over HTTP: who asks, how errors are told, and the requests that bring events.
//!
//! What each event passes is here, and compiled to be fast. The routes of the API, which need not be, are `switchhook-web`.

pub mod auth;
pub mod error;
pub mod events;
pub mod id;
pub mod inlet;
pub mod query;
pub mod request_log;
pub mod words;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};

/// Answers may hold secrets, numbers and what people wrote.
pub fn forbid_caching(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
