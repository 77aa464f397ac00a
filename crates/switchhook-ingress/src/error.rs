//! Errors of the API: the one file that knows their statuses and the envelope.
//!
//! Everything that can fail becomes an [`ApiError`] with `?`. Its message is for a person: what, where, what to try.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use switchhook_store::StoreError;
use utoipa::ToSchema;

use switchhook_http::server::BodyReadError;
use switchhook_node::caller::Forbidden;
use switchhook_node::callers::AuthenticationError;
use switchhook_node::ingest::Rejected;
use switchhook_node::refusal::Refusal;
use switchhook_node::share::Busy;

/// Envelope of every error.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorEnvelope {
    /// The error.
    pub error: ErrorBody,
}

/// An error as it stands in the envelope, and beside a line of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The HTTP status.
    #[serde(default)]
    #[schema(required, example = 400)]
    pub code: u16,
    /// Message for a person: the mistake, and a remedy.
    #[schema(example = "hook_url is required: the URL that events are posted to")]
    pub message: String,
    /// Mistakes one by one.
    #[serde(default)]
    #[schema(required)]
    pub errors: Vec<ErrorDetail>,
}

/// One mistake in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// Always `global`.
    #[schema(example = "global")]
    pub domain: Cow<'static, str>,
    /// Description of the mistake.
    pub message: String,
    /// Reason, a word for programs.
    #[schema(example = "required")]
    pub reason: Cow<'static, str>,
}

/// Error that a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    reason: &'static str,
    message: String,
    details: Vec<String>,
    retry_after_seconds: Option<u64>,
    closes_connection: bool,
    /// Value of `Accept-Encoding`: the ways in which a body may be packed.
    accepted_codings: Option<&'static str>,
}

/// Time to wait for an unavailable store.
const STORE_RETRY_SECONDS: u64 = 1;

impl ApiError {
    fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
            details: Vec::new(),
            retry_after_seconds: None,
            closes_connection: false,
            accepted_codings: None,
        }
    }

    /// 400 for something wrong in the request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    /// 400 for something missing.
    pub fn required(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "required", message)
    }

    /// 401 for an unknown caller.
    pub fn unauthorized(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, reason, message)
    }

    /// 403 for a caller without the right.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404 for something that is not there, or not the caller's.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", message)
    }

    /// 405 for a method that a path does not take.
    pub fn method_not_allowed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed", message)
    }

    /// 408 for a body that came too slowly. The rest of the connection is not worth reading.
    pub fn too_slow(message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", message);
        Self {
            closes_connection: true,
            ..error
        }
    }

    /// 409 for a conflict with the current state.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 413 for a body that is too large. The rest of it was not read, so the connection cannot go on.
    pub fn too_large(message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "uploadTooLarge", message);
        Self {
            closes_connection: true,
            ..error
        }
    }

    /// 426 for a request to a websocket that does not upgrade as it should.
    pub fn upgrade_required(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, "upgradeRequired", message)
    }

    /// 415 for a body that is packed in none of these ways.
    pub fn unknown_coding(accepted: &'static str) -> Self {
        let message = match accepted {
            "identity" => "the body is packed (Content-Encoding): send lines as they are".to_owned(),
            accepted => format!(
                "the body is packed in a way that is not known here (Content-Encoding): send it as it is, or as \
                 {accepted}"
            ),
        };
        Self {
            accepted_codings: Some(accepted),
            ..Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupportedMediaType",
                message,
            )
        }
    }

    /// 429 for requests that come too often.
    pub fn too_often(message: impl Into<String>, retry_after_seconds: u64) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "rateLimitExceeded", message);
        Self {
            retry_after_seconds: Some(retry_after_seconds),
            ..error
        }
    }

    fn unavailable(message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "backendError", message);
        Self {
            retry_after_seconds: Some(STORE_RETRY_SECONDS),
            ..error
        }
    }

    fn internal() -> Self {
        let message = "the server could not do this because of a fault of its own: its log says which";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internalError", message)
    }

    pub const fn status(&self) -> StatusCode {
        self.status
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// Puts a preface before the message.
    pub fn with_preface(mut self, preface: &str) -> Self {
        self.message = format!("{preface}{}", self.message);
        self
    }

    /// Adds the mistakes one by one.
    fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// The error as it stands in the envelope.
    pub fn body(self) -> ErrorBody {
        let reason = self.reason;
        let detail = |message| ErrorDetail {
            domain: "global".into(),
            message,
            reason: reason.into(),
        };
        let errors = match self.details {
            details if details.is_empty() => vec![detail(self.message.clone())],
            details => details.into_iter().map(detail).collect(),
        };
        ErrorBody {
            code: self.status.as_u16(),
            message: self.message,
            errors,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status;
        let retry_after = self.retry_after_seconds;
        let closes_connection = self.closes_connection;
        let accepted_codings = self.accepted_codings;
        let envelope = ErrorEnvelope { error: self.body() };
        let body = serde_json::to_vec(&envelope).expect("an envelope is plain text");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UPGRADE_REQUIRED {
            // RFC 6455, section 4.4.
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(accepted) = accepted_codings {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        }
        if closes_connection {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Required(message) => Self::required(message),
            Refusal::Invalid(message) => Self::invalid(message),
            Refusal::NotFound(message) => Self::not_found(message),
            Refusal::Conflict(message) => Self::conflict(message),
            Refusal::Forbidden(forbidden) => forbidden.into(),
            Refusal::KeyEnded => Self::unauthorized("invalid", refusal.to_string()),
            Refusal::Busy(busy) => busy.into(),
            Refusal::Rejected(rejected) => rejected.into(),
            Refusal::Store(error) => error.into(),
        }
    }
}

impl From<AuthenticationError> for ApiError {
    fn from(nobody: AuthenticationError) -> Self {
        match nobody {
            AuthenticationError::Store(error) => error.into(),
            nobody => Self::unauthorized("invalid", nobody.to_string()),
        }
    }
}

impl From<Busy> for ApiError {
    fn from(busy: Busy) -> Self {
        Self::too_often(busy.to_string(), busy.retry_after_seconds())
    }
}

impl From<Forbidden> for ApiError {
    fn from(forbidden: Forbidden) -> Self {
        Self::forbidden(forbidden.0)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::not_found(format!("there is no such {what}")),
            StoreError::Conflict(message) => Self::conflict(message),
            // The change may be right by itself; the subscription that it would make is not.
            StoreError::Invalid(change) => Self::conflict(change.to_string()),
            StoreError::LimitReached(message) => Self::new(StatusCode::BAD_REQUEST, "limitExceeded", message),
            StoreError::Unavailable(_) => Self::unavailable(format!("{error}; try again")),
            StoreError::Corrupt(_) | StoreError::Unusable(_) => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl ApiError {
    /// Error for a body that could not be read, of which at most `limit` bytes are taken.
    pub fn unread(trouble: BodyReadError, limit: usize) -> Self {
        match trouble {
            BodyReadError::TooLarge => Self::too_large(format!(
                "the body is too large: at most {limit} bytes are taken here"
            )),
            BodyReadError::TooSlow => {
                Self::too_slow("the body came too slowly: send at least a kilobyte a second")
            }
            BodyReadError::NoRoom => Self {
                closes_connection: true,
                ..Self::unavailable("too many requests are being read: try again in a moment")
            },
            BodyReadError::Broken => Self::invalid("the body ended before it was complete"),
            BodyReadError::UnknownCoding => Self::unknown_coding("gzip, deflate"),
            BodyReadError::BrokenCoding => {
                Self::invalid("the body is not packed as its Content-Encoding says, or not to its end")
            }
        }
    }
}

impl From<Rejected> for ApiError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::NotAnEvent(error) => Self::invalid(error.to_string()),
            Rejected::Deviates(deviations) => {
                let details: Vec<_> = deviations.iter().map(ToString::to_string).collect();
                let message = format!(
                    "the event deviates from its schema (validation is strict): {}",
                    details.join("; ")
                );
                Self::invalid(message).with_details(details)
            }
            Rejected::TooLarge { limit } => {
                Self::too_large(format!("the event is too large: at most {limit} bytes are taken"))
            }
            Rejected::OfNoKind => Self::invalid(rejected.to_string()),
            Rejected::KeyReused => Self::conflict(
                "this Idempotency-Key was used with another event: use a new key for a new event",
            ),
            Rejected::NotKept(error) => error.into(),
        }
    }
}
