//! One request and its answer: the handler is called with a body that does not wait for ever, and the connection knows
//! until when the answer is being written.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONNECTION, RETRY_AFTER};
use http::{HeaderValue, Request, StatusCode};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::Service;

use super::client::Origin;
use super::connection::{Connection, Directive, Phase};
use super::progress::RequestProgress;
use super::{Answer, Handler};

/// More than this is not held of a body by anybody.
const MOST_HELD: usize = 2 * 1024 * 1024;

/// Service of one connection.
pub(super) struct Exchange {
    pub(super) handler: Arc<Handler>,
    pub(super) connection: Arc<Connection>,
    /// Client of the connection, where somebody wants to know.
    pub(super) origin: Option<Origin>,
}

impl Service<Request<Incoming>> for Exchange {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = AnswerFuture;

    fn call(&self, mut request: Request<Incoming>) -> AnswerFuture {
        let guard = RequestGuard::begin(&self.connection);
        if let Some(origin) = &self.origin {
            origin.note(&mut request);
        }
        let is_refused = self.connection.is_spare && !asks_whether_the_server_is_well(&request);
        let answer = if is_refused {
            Box::pin(async { too_many_connections() })
        } else {
            (self.handler)(request.map(|incoming| RequestBody::read(incoming, &guard)))
        };
        AnswerFuture {
            answer,
            guard: Some(guard),
        }
    }
}

/// A request that is being dealt with, until this is dropped.
struct RequestGuard {
    connection: Arc<Connection>,
    progress: Arc<RequestProgress>,
}

impl RequestGuard {
    fn begin(connection: &Arc<Connection>) -> Self {
        Self {
            progress: connection.begin_request(),
            connection: Arc::clone(connection),
        }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.connection.end_request(&self.progress);
    }
}

fn asks_whether_the_server_is_well(request: &Request<Incoming>) -> bool {
    matches!(request.uri().path(), "/healthz" | "/readyz")
}

fn too_many_connections() -> Response {
    let headers = [(RETRY_AFTER, "1")];
    let text = "too many connections are open: close some, or raise --max-connections\n";
    (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
}

/// An answer that is being worked out.
pub(super) struct AnswerFuture {
    answer: Answer,
    guard: Option<RequestGuard>,
}

impl Future for AnswerFuture {
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(self.answer.as_mut().poll(cx));
        let guard = self.guard.take().expect("it is asked for its answer once");
        let connection = &guard.connection;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            connection.enter(Phase::Upgraded);
        } else if connection.is_spare || connection.all.is_draining() {
            close_after(connection, &mut response);
        }
        if connection.has_many() {
            guard.progress.hand_over(connection.all.coarse_now());
        }
        Poll::Ready(Ok(response.map(|body| AnswerBody {
            body,
            guard,
            handed_over: 0,
        })))
    }
}

/// Has a connection close with this answer.
fn close_after(connection: &Connection, response: &mut Response) {
    if connection.has_many() {
        connection.tell(Directive::Finish);
    } else {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
}

/// An answer's body. When it is dropped, the request is dealt with.
pub(super) struct AnswerBody {
    body: Body,
    guard: RequestGuard,
    /// Size of the chunk that the client got last.
    handed_over: usize,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let connection = &self.guard.connection;
        if !connection.has_many() {
            return Pin::new(&mut self.body).poll_frame(cx);
        }
        // More is asked for only when there is room for it in the client's window.
        let (now, rate) = (connection.all.coarse_now(), connection.all.limits.rate);
        self.guard.progress.took(now, self.handed_over, rate);
        self.handed_over = 0;
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.handed_over = frame.data_ref().map_or(0, Bytes::len);
            self.guard.progress.hand_over(now);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reason for which a request's body ends early.
#[derive(Debug)]
pub(super) enum BodyStreamError {
    TooSlow,
    /// There are too many bodies already that are not complete.
    NoRoom,
    Broken(hyper::Error),
}

impl fmt::Display for BodyStreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSlow => "the body came too slowly",
            Self::NoRoom => "too many requests are being read",
            Self::Broken(_) => "the body ended before it was complete",
        })
    }
}

impl Error for BodyStreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Broken(error) => Some(error),
            Self::TooSlow | Self::NoRoom => None,
        }
    }
}

/// A request's body. Whoever reads it waits no longer than its client may take.
struct RequestBody {
    incoming: Incoming,
    connection: Arc<Connection>,
    progress: Arc<RequestProgress>,
    held: usize,
}

impl RequestBody {
    fn read(incoming: Incoming, guard: &RequestGuard) -> Body {
        if incoming.is_end_stream() {
            return Body::empty();
        }
        Body::new(Self {
            incoming,
            connection: Arc::clone(&guard.connection),
            progress: Arc::clone(&guard.progress),
            held: 0,
        })
    }

    fn came(&self, bytes: Option<usize>) {
        let all = &self.connection.all;
        self.progress.body_came(all.coarse_now(), bytes, all.limits.rate);
    }

    /// Counts what its reader now holds of it; false if that is too much.
    fn hold(&mut self, bytes: usize) -> bool {
        let more = bytes.min(MOST_HELD.saturating_sub(self.held));
        if more == 0 {
            return true;
        }
        self.held += more;
        let all = &self.connection.all;
        let before = all.held.fetch_add(more, Ordering::Relaxed);
        before + more <= all.limits.bodies
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BodyStreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyStreamError>>> {
        if self.progress.is_body_failed() {
            return Poll::Ready(Some(Err(BodyStreamError::TooSlow)));
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.came(Some(bytes));
                // Most bodies come in one piece, which nobody needs to count.
                if !self.incoming.is_end_stream() && !self.hold(bytes) {
                    return Poll::Ready(Some(Err(BodyStreamError::NoRoom)));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(BodyStreamError::Broken(error)))),
            Poll::Ready(None) => {
                self.progress.end_body();
                Poll::Ready(None)
            }
            Poll::Pending => {
                self.progress.body_reader.register(cx.waker());
                self.came(None);
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.progress.end_body();
        if self.held > 0 {
            self.connection.all.held.fetch_sub(self.held, Ordering::Relaxed);
        }
    }
}
