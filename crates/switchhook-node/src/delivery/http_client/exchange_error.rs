//! Reasons for which there is no answer, and what they say to a person.

use std::io;

use switchhook_domain::attempt::FailureReason;

use super::tls::tls_behind;
use switchhook_http::cause::{closes_without_ending_tls, in_full};
use switchhook_http::tls::TlsFailure;

/// Reason for which there is no answer.
#[derive(Debug)]
pub(super) struct ExchangeError {
    pub(super) reason: FailureReason,
    /// In words for a person.
    pub(super) detail: String,
    /// True if the connection ended before the first byte of the answer, so that the request may be sent again.
    pub(super) nothing_came: bool,
    /// TLS failure, if it is one.
    pub(super) tls: Option<TlsFailure>,
    /// True if the operator's proxy fails, which would concern every receiver.
    pub(super) is_of_proxy: bool,
}

impl ExchangeError {
    pub(super) fn new(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            nothing_came: false,
            tls: None,
            is_of_proxy: false,
        }
    }

    /// The operator's proxy fails, whoever the receiver is.
    pub(super) fn of_proxy(detail: String) -> Self {
        Self {
            is_of_proxy: true,
            ..Self::new(FailureReason::ConnectionLost, detail)
        }
    }

    /// One for several: the kind of silence that tells most, and every one's words.
    pub(super) fn of_all(failures: Vec<Self>) -> Self {
        let rank = |reason: FailureReason| match reason {
            FailureReason::ConnectionRefused => 0,
            FailureReason::ConnectTimeout => 1,
            _ => 2,
        };
        let reason = failures
            .iter()
            .map(|failure| failure.reason)
            .min_by_key(|reason| rank(*reason));
        let is_of_proxy = !failures.is_empty() && failures.iter().all(|failure| failure.is_of_proxy);
        let mut details: Vec<String> = Vec::with_capacity(failures.len());
        for failure in failures {
            // Of a proxy it is the same for each address.
            if !details.contains(&failure.detail) {
                details.push(failure.detail);
            }
        }
        Self {
            is_of_proxy,
            ..Self::new(reason.unwrap_or(FailureReason::Dns), details.join("; "))
        }
    }

    /// True if the bytes received are not HTTP/1.1.
    pub(super) fn is_no_http(&self) -> bool {
        self.nothing_came || self.reason == FailureReason::NotHttp
    }

    /// With something else that is to be said.
    pub(super) fn noting(mut self, note: &str) -> Self {
        self.detail = format!("{}; {note}", self.detail);
        self
    }

    pub(super) fn of(error: &hyper::Error) -> Self {
        if let Some(failure) = tls_behind(error) {
            return failure;
        }
        let reason = if error.is_parse() {
            FailureReason::NotHttp
        } else {
            FailureReason::ConnectionLost
        };
        let nothing_came =
            error.is_incomplete_message() || error.is_closed() || error.is_canceled() || is_hang_up(error);
        let detail = if nothing_came {
            "the receiver closed the connection without an answer".to_owned()
        } else {
            in_full(error)
        };
        Self {
            nothing_came,
            ..Self::new(reason, detail)
        }
    }
}

/// True if the peer closed the connection before we wrote or read.
fn is_hang_up(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
        ) || closes_without_ending_tls(cause)
    })
}

/// Description of the error, for people.
pub(super) fn in_words(error: &hyper::Error) -> String {
    tls_behind(error).map_or_else(|| in_full(error), |failure| failure.detail)
}
