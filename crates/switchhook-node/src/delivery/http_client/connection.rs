//! A connection to a receiver or a proxy, in either version of HTTP.
//!
//! Its own work is done by the task that waits for the answer: no task per connection, no hop between threads.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::exchange_error::ExchangeError;
use super::tls::tls_behind;
use switchhook_http::address::Address;
use switchhook_http::status_line::{SharedStatus, StatusWatcher};
use switchhook_http::tls::{HTTP2, agreed};

/// Bytes on a wire, in the clear or not.
pub(super) type Wire = Either<TcpStream, TlsStream<TcpStream>>;

/// The most that the head of an answer may take. It may have 100 headers, which is what hyper keeps on the stack.
pub const MAX_HEAD: usize = 64 * 1024;

/// Time for which a probe waits for the receiver to close the connection.
const OBJECTION: Duration = Duration::from_millis(250);

/// Open connection, used for one request at a time over HTTP/1.1.
pub(super) struct Connection {
    pub(super) sender: Sender,
    pub(super) driver: ConnectionDriver,
    pub(super) status: SharedStatus,
    pub(super) info: ConnectionInfo,
    pub(super) is_tls: bool,
    may_be_http2: bool,
}

/// Request half of a connection.
pub(super) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Form of the request target: origin form, or absolute form through a proxy (RFC 9112, section 3.2).
#[derive(Debug, Clone)]
pub(super) enum TargetForm {
    /// By its path: to the receiver.
    Origin,
    /// By its whole URL: to a proxy, with what that wants to see.
    Absolute(Option<HeaderValue>),
}

/// Facts from when a connection was made.
#[derive(Debug, Clone)]
pub(super) struct ConnectionInfo {
    /// Time after which it is not reused.
    pub(super) until: Instant,
    /// Note for every answer that comes over it.
    pub(super) note: Option<Arc<str>>,
    pub(super) form: TargetForm,
}

/// Connection's IO, which must be polled.
type ConnectionTask = dyn Future<Output = hyper::Result<()>> + Send;

/// The part of a connection that reads and writes.
pub(super) struct ConnectionDriver {
    wire: Pin<Box<ConnectionTask>>,
    pub(super) is_closed: bool,
}

impl Connection {
    /// Begins to speak over a wire, as was agreed with TLS.
    pub(super) async fn open(wire: Wire, info: ConnectionInfo) -> Result<Self, ExchangeError> {
        let agreed = match &wire {
            Either::Left(_) => None,
            Either::Right(tls) => agreed(tls),
        };
        let is_tls = matches!(wire, Either::Right(_));
        let may_be_http2 = is_tls && agreed.is_none();
        let status = SharedStatus::default();
        let opened = if agreed == Some(HTTP2) {
            open_http2(wire).await
        } else {
            open_http1(StatusWatcher::new(wire, Arc::clone(&status))).await
        };
        let (sender, wire) = opened.map_err(|error| ExchangeError::of(&error))?;
        Ok(Self {
            sender,
            driver: ConnectionDriver {
                wire,
                is_closed: false,
            },
            status,
            info,
            is_tls,
            may_be_http2,
        })
    }

    /// True if the receiver may speak only HTTP/2 although it did not negotiate it.
    pub(super) const fn may_be_http2(&self) -> bool {
        self.may_be_http2
    }

    pub(super) const fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// True if the answer comes from a proxy.
    pub(super) const fn is_to_proxy(&self) -> bool {
        matches!(self.info.form, TargetForm::Absolute(_))
    }

    /// The request as it goes over this connection.
    pub(super) fn for_connection(
        &self,
        mut request: Request<Full<Bytes>>,
        address: &Address,
    ) -> Request<Full<Bytes>> {
        *request.uri_mut() = match (&self.sender, &self.info.form) {
            (Sender::Http1(_), TargetForm::Origin) => address.path.clone(),
            (Sender::Http1(_), TargetForm::Absolute(authorization)) => {
                if let Some(authorization) = authorization {
                    request
                        .headers_mut()
                        .insert(PROXY_AUTHORIZATION, authorization.clone());
                }
                address.absolute()
            }
            (Sender::Http2(_), _) => {
                *request.version_mut() = http::Version::HTTP_2;
                request.headers_mut().remove(HOST);
                address.absolute()
            }
        };
        request
    }

    /// Waits for what the other side may have to say without having been asked: with TLS 1.3, that it does not let us in.
    pub(super) async fn objection(&mut self) -> Option<ExchangeError> {
        let ended = timeout(OBJECTION, poll_fn(|cx| self.driver.wire.as_mut().poll(cx))).await;
        tls_behind(&ended.ok()?.err()?)
    }

    /// True if another request may use it. Also polls the connection, so that a close by the peer is noticed.
    pub(super) fn is_reusable(&mut self) -> bool {
        if self.info.until <= Instant::now() {
            return false;
        }
        self.driver.work(&mut Context::from_waker(Waker::noop()));
        !self.driver.is_closed
            && match &self.sender {
                Sender::Http1(sender) => sender.is_ready(),
                Sender::Http2(sender) => sender.is_ready(),
            }
    }
}

type Opened = hyper::Result<(Sender, Pin<Box<ConnectionTask>>)>;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded connector: the address has been judged"
)]
async fn open_http1(wire: StatusWatcher<Wire>) -> Opened {
    let (sender, wire) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .title_case_headers(true)
        // Receivers are programs of every age. What is odd in their headers says nothing of whether they took the event.
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(TokioIo::new(wire))
        .await?;
    Ok((Sender::Http1(sender), Box::pin(wire)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded connector: the address has been judged"
)]
async fn open_http2(wire: Wire) -> Opened {
    let (sender, wire) = http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(u32::try_from(MAX_HEAD).expect("it is small"))
        .handshake(TokioIo::new(wire))
        .await?;
    Ok((Sender::Http2(sender), Box::pin(wire)))
}

impl ConnectionDriver {
    /// Reads and writes what can be.
    fn work(&mut self, cx: &mut Context<'_>) {
        if !self.is_closed && self.wire.as_mut().poll(cx).is_ready() {
            self.is_closed = true;
        }
    }

    /// Waits for what comes of the work.
    pub(super) async fn work_for<T>(&mut self, mut what: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|cx| {
            if let Poll::Ready(done) = what.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            self.work(cx);
            what.as_mut().poll(cx)
        })
        .await
    }
}
