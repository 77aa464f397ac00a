//! The way into a node over HTTP: authentication, errors, and the requests that bring events.
//!
//! The code that each event passes is here, compiled to be fast. The routes of the API are `switchhook-web`.

pub mod auth;
pub mod error;
pub mod events;
pub mod id;
pub mod inlet;
pub mod query;
pub mod readiness;
pub mod request_log;
pub mod words;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};

/// Keeps an answer out of caches: it may hold secrets, numbers and texts.
pub fn forbid_caching(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
