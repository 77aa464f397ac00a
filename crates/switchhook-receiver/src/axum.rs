//! For axum: the handlers as a route, and an extractor for those who write their own.

use axum::extract::{FromRef, FromRequest, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use crate::Receiver;
use crate::operations::{Answer, Handlers};
use crate::received::Received;
use crate::refusal::Refusal;
use crate::whole_body::whole_body;

/// Extracts a verified event, whatever the `Content-Type`. The router's state must hold a [`Receiver`].
///
/// It drops no repeats: ask [`Repeats`](crate::Repeats) with [`Received::repeat_key`].
#[derive(Clone, Debug)]
pub struct Event(pub Received);

/// Reason for which an [`Event`] was not extracted. As a response it has the status and the reason.
#[derive(Clone, Debug)]
pub struct Rejection(pub Refusal);

impl<S> FromRequest<S> for Event
where
    Receiver: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let content = whole_body(body).await.map_err(Rejection)?;
        let header = |name: &str| parts.headers.get(name)?.to_str().ok();
        let event = Receiver::from_ref(state).receive_request(header, &content);
        event.map(Self).map_err(Rejection)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        (status(self.0.answer_status()), self.0.to_string()).into_response()
    }
}

impl Handlers {
    /// A route that takes POST requests: `Router::new().route("/hook", handlers.into_route())`.
    pub fn into_route<S: Clone + Send + Sync + 'static>(self) -> MethodRouter<S> {
        post(move |request: Request| async move {
            let (parts, body) = request.into_parts();
            match whole_body(body).await {
                Ok(content) => {
                    let header = |name: &str| parts.headers.get(name)?.to_str().ok();
                    let received = self.receiver().receive_request(header, &content);
                    self.deal_with(received).await
                }
                Err(refusal) => self.refuse(refusal),
            }
        })
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (status(self.status), self.message).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
