//! The API for those in the same process: the dashboard asks the same routes as everybody, with a caller's own rights.
//!
//! So a change made by hand is checked, refused and told in the same words as one made by a program.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;

use super::SharedApi;
use super::error::ApiError;
use switchhook_node::caller::{Caller, Forbidden};

/// The largest answer that is looked at.
const LARGEST_ANSWER: usize = 8 << 20;

/// Asks the API without a connection.
#[derive(Clone)]
pub(crate) struct Inside {
    pub(super) router: Router,
    pub(super) api: SharedApi,
}

/// What the API does not do, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Its status.
    pub(crate) status: StatusCode,
    /// For people.
    pub(crate) message: String,
}

#[derive(Deserialize)]
struct Envelope {
    error: Message,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

impl Inside {
    /// Who has the key with this hash, if it is valid now.
    pub(crate) async fn caller(&self, key_hash: [u8; 32]) -> Result<Caller, Refusal> {
        let found = self.api.keys.find(&self.api, key_hash).await;
        found.map_err(Refusal::from)
    }

    /// Asks on behalf of a caller; no body if it is null.
    pub(crate) async fn ask(
        &self,
        caller: Caller,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<Value, Refusal> {
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let request = Request::builder().method(method).uri(path).extension(caller);
        let request = request.body(body).map_err(|error| Refusal {
            status: StatusCode::BAD_REQUEST,
            message: error.to_string(),
        })?;
        let response = self.router.clone().oneshot(request).await;
        let (parts, body) = response.unwrap_or_else(|never| match never {}).into_parts();
        let body = to_bytes(body, LARGEST_ANSWER).await.unwrap_or_default();
        if parts.status.is_success() {
            return Ok(serde_json::from_slice(&body).unwrap_or_default());
        }
        let envelope = serde_json::from_slice(&body);
        Err(Refusal {
            status: parts.status,
            message: envelope.map_or_else(
                |_| format!("the API answered {}", parts.status),
                |Envelope { error }| error.message,
            ),
        })
    }
}

impl From<Forbidden> for Refusal {
    fn from(forbidden: Forbidden) -> Self {
        ApiError::from(forbidden).into()
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let body = error.body();
        Self {
            status: StatusCode::from_u16(body.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            message: body.message,
        }
    }
}
