//! A tower layer that lets only events pass: what is behind it gets the event's JSON as the body, whatever the sender
//! signed, and the [`Received`](crate::Received) among the request's extensions. It drops no repeats; see `Repeats`.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use switchhook_protocol::headers::CONTENT_TYPE_JSON;
use tower_layer::Layer;
use tower_service::Service;

use crate::Receiver;
use crate::refusal::Refusal;
use crate::whole_body::whole_body;

/// Verifies every request that goes through it.
#[derive(Clone, Debug)]
pub struct VerifyLayer {
    receiver: Receiver,
}

impl VerifyLayer {
    /// Lets pass what this receiver takes.
    #[must_use]
    pub fn new(receiver: Receiver) -> Self {
        Self { receiver }
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        let receiver = self.receiver.clone();
        Verify { receiver, inner }
    }
}

/// A service behind a [`VerifyLayer`].
#[derive(Clone, Debug)]
pub struct Verify<S> {
    receiver: Receiver,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Verify<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let receiver = self.receiver.clone();
        // The one that is ready goes along; its clone has to become ready first.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            match verified(&receiver, request).await {
                Ok(request) => inner.call(request).await,
                Err(refusal) => Ok(refuse(&refusal)),
            }
        })
    }
}

async fn verified<B>(receiver: &Receiver, request: Request<B>) -> Result<Request<Full<Bytes>>, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (mut parts, body) = request.into_parts();
    let content = whole_body(body).await?;
    let event = receiver.receive_request(|name| parts.headers.get(name)?.to_str().ok(), &content)?;
    let body = Bytes::copy_from_slice(&event.body);
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_JSON));
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    parts.extensions.insert(event);
    Ok(Request::from_parts(parts, Full::new(body)))
}

fn refuse<R: From<String>>(refusal: &Refusal) -> Response<R> {
    let mut response = Response::new(R::from(refusal.to_string()));
    *response.status_mut() = StatusCode::from_u16(refusal.answer_status()).unwrap_or(StatusCode::BAD_REQUEST);
    response
}
