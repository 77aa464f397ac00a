//! The seam between the engine and the network: one POST in, what came of it out.
//!
//! The real one is `http_client`; tests bring receivers that need no socket.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use switchhook_domain::attempt::{Answer, AttemptOutcome, FailureReason, Phases};
use switchhook_http::tls::TlsFailure;

use crate::destination::Destination;

/// One POST to make.
#[derive(Debug)]
pub struct Post {
    /// Receiver, with its settings and timeouts.
    pub destination: Arc<Destination>,
    /// Headers beyond those that every request to the destination has, or in their place.
    pub own_headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
}

impl Post {
    /// Sets a header of this POST alone.
    pub fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.own_headers.retain(|(known, _)| *known != name);
        self.own_headers.push((name, value));
    }

    /// Every header but `Content-Length`.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let standing = &self.destination.headers;
        // A copy of them would have no room for more, and grow twice.
        let mut headers = HeaderMap::with_capacity(standing.len() + self.own_headers.len());
        for (name, value) in standing {
            headers.append(name, value.clone());
        }
        for (name, value) in &self.own_headers {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }
}

/// Result of a POST.
#[derive(Debug, Clone)]
pub struct PostResult {
    pub outcome: AttemptOutcome,
    pub answer: Option<Answer>,
    pub phases: Phases,
}

impl PostResult {
    /// A POST that got no answer.
    #[must_use]
    pub fn unanswered(reason: FailureReason, detail: impl Into<String>, phases: Phases) -> Self {
        Self {
            outcome: AttemptOutcome::Unanswered {
                reason,
                detail: detail.into(),
            },
            answer: None,
            phases,
        }
    }
}

/// Reason for which no connection can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    pub reason: FailureReason,
    /// TLS failure, if it is one.
    pub tls: Option<TlsFailure>,
    /// True if the operator's proxy fails, which would concern every receiver.
    pub is_of_proxy: bool,
    /// In words for a person.
    pub detail: String,
}

/// Note on a request in the clear that met TLS.
pub const SPEAKS_TLS: &str = "the receiver speaks TLS at this port: use https:// in the webhook's URL";

/// Sends POSTs. Tests and the inspector have one of their own.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Makes one POST within the destination's deadlines. Never fails: a failure is an outcome.
    async fn post(&self, post: Post) -> PostResult;

    /// Makes a connection as for a POST, sends nothing and lets it go.
    ///
    /// # Errors
    /// Says why it cannot be made.
    async fn probe(&self, _route: &Destination) -> Result<Phases, ConnectError> {
        Ok(Phases::default())
    }

    /// Called every few seconds: the time to let go of what was not used for long.
    fn tidy_up(&self) {}
}
