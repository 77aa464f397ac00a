//! HTTP endpoint: any path takes POST requests, a bounded number at once, and each is processed to its end even if the sender
//! hangs up.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use switchhook_receiver::{MAX_BODY_BYTES, Refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::inbox::Inbox;
use crate::open_files;
use crate::server::asked_to_stop;
use switchhook_http::server::{
    Answer, BodyReadError, ConnectionCounts, ConnectionLimits, HttpServer, Inbound, read_body,
};

/// Bound on requests processed at once, after their bodies were read; each may hold 2 MiB.
const AT_ONCE: usize = 128;

/// Number of open files for commands and their pipes.
const FILES_OF_COMMANDS: u64 = 1_024;

/// Time for open requests to end at a stop; the sender of an unanswered one sends again.
const GRACE: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Endpoint {
    inbox: Arc<Inbox>,
    permits: Arc<Semaphore>,
}

/// Accepts requests until it is asked to stop, and returns when the last one is answered.
pub(super) async fn serve(inbound: Inbound, inbox: Arc<Inbox>) -> anyhow::Result<()> {
    let limits = ConnectionLimits::default();
    let max = limits.max_within(open_files::allow_many(), FILES_OF_COMMANDS);
    let endpoint = Endpoint {
        inbox,
        permits: Arc::new(Semaphore::new(AT_ONCE)),
    };
    let handler = Arc::new(move |request| Box::pin(take(endpoint.clone(), request)) as Answer);
    let mut server = HttpServer::start(inbound, handler, limits, max, ConnectionCounts::none());
    tokio::select! {
        () = asked_to_stop() => {}
        () = server.failed() => bail!("the listener has failed: no requests are accepted any more"),
    }
    server.stop(GRACE).await;
    Ok(())
}

async fn take(endpoint: Endpoint, request: Request) -> Response {
    if request.method() != Method::POST {
        let allow = [(header::ALLOW, "POST")];
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            allow,
            "events are sent here with POST\n",
        )
            .into_response();
    }
    let (parts, body) = request.into_parts();
    let content = match read_body(&parts.headers, body, MAX_BODY_BYTES).await {
        Ok(content) => Ok(content),
        Err(BodyReadError::TooLarge) => Err(Refusal::TooLarge {
            bytes: MAX_BODY_BYTES + 1,
        }),
        Err(BodyReadError::Broken) => Err(Refusal::BrokenOff),
        Err(BodyReadError::UnknownCoding) => return unknown_coding(),
        Err(BodyReadError::BrokenCoding) => Err(Refusal::BrokenOff),
        Err(BodyReadError::TooSlow) => return too_slow(),
        Err(BodyReadError::NoRoom) => return too_many(),
    };
    // Only now: whoever sends slowly takes no place from those who do not.
    let Ok(permit) = endpoint.permits.try_acquire_owned() else {
        return too_many();
    };
    process(endpoint.inbox, parts.headers, content, permit).await
}

/// Processes a request in a task, which goes on if the sender hangs up.
async fn process(
    inbox: Arc<Inbox>,
    headers: HeaderMap,
    content: Result<Bytes, Refusal>,
    permit: OwnedSemaphorePermit,
) -> Response {
    let processing = tokio::spawn(async move {
        let outcome = inbox.take(&headers, content).await;
        drop(permit);
        outcome
    });
    match processing.await {
        Ok(outcome) => outcome.into_response(),
        Err(_panicked) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn too_slow() -> Response {
    let close = [(header::CONNECTION, "close")];
    (StatusCode::REQUEST_TIMEOUT, close, "the body came too slowly\n").into_response()
}

fn unknown_coding() -> Response {
    let accepted = [(header::ACCEPT_ENCODING, "gzip, deflate")];
    let text = "the body has an unknown Content-Encoding\n";
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, accepted, text).into_response()
}

fn too_many() -> Response {
    let later = [(header::RETRY_AFTER, "1")];
    let text = "too many requests at once\n";
    (StatusCode::SERVICE_UNAVAILABLE, later, text).into_response()
}
