//! The seam between the engine and the network: one POST in, what came of it out.
//!
//! The real one is `http_client`; tests bring receivers that need no socket.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use switchhook_domain::attempt::{Answer, AttemptOutcome, FailureReason, Phases};
use switchhook_http::tls::TlsTrouble;

use crate::destination::Destination;

/// One POST to make.
#[derive(Debug)]
pub struct Post {
    /// Where to, and how long it may take.
    pub destination: Arc<Destination>,
    /// Every header but `Host` and `Content-Length`.
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What came of a POST.
#[derive(Debug, Clone)]
pub struct Posted {
    /// In short.
    pub outcome: AttemptOutcome,
    pub answer: Option<Answer>,
    /// How long its parts took.
    pub phases: Phases,
}

impl Posted {
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

/// Why no connection can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoConnection {
    /// Which kind of silence.
    pub reason: FailureReason,
    /// What is wrong with TLS, if that is it.
    pub tls: Option<TlsTrouble>,
    /// Whether it is the operator's proxy that fails, and would on the way to anywhere.
    pub is_of_proxy: bool,
    /// In words for a person.
    pub detail: String,
}

/// What is noted if a request in the clear met TLS.
pub const SPEAKS_TLS: &str = "the receiver speaks TLS at this port: use https:// in the webhook's URL";

/// Carries POSTs.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Makes one POST within the destination's deadlines. Never fails: a failure is an outcome.
    async fn post(&self, post: Post) -> Posted;

    /// Makes a connection as for a POST, sends nothing and lets it go.
    ///
    /// # Errors
    /// Says why it cannot be made.
    async fn probe(&self, _route: &Destination) -> Result<Phases, NoConnection> {
        Ok(Phases::default())
    }

    /// Called every few seconds: the time to let go of what was not used for long.
    fn tidy_up(&self) {}
}
