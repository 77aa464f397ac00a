//! One request and its answer over one connection.
//!
//! The connection's own work is done by the task that waits for the answer: no task per connection, no hop between
//! threads.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either as EitherFuture;
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use switchhook_domain::attempt::{ANSWER_HEAD, Answer, FailureReason, HeaderRecord};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::tls::tls_behind;
use crate::delivery::transport::SPEAKS_TLS;
use switchhook_http::address::Address;
use switchhook_http::cause::{closes_without_ending_tls, in_full};
use switchhook_http::status_line::{SharedStatus, StatusWatcher};
use switchhook_http::tls::{HTTP2, TlsFailure, agreed};

/// Bytes on a wire, in the clear or not.
pub(super) type Wire = Either<TcpStream, TlsStream<TcpStream>>;

/// The most that the head of an answer may take. It may have 100 headers, which is what hyper keeps on the stack.
pub const MAX_HEAD: usize = 64 * 1024;

/// Time for which a probe waits for the receiver to close the connection.
const OBJECTION: Duration = Duration::from_millis(250);

/// Open connection, used for one request at a time over HTTP/1.1.
pub(super) struct Connection {
    sender: Sender,
    driver: ConnectionDriver,
    status: SharedStatus,
    info: ConnectionInfo,
    is_tls: bool,
    may_be_http2: bool,
}

/// Request half of a connection.
enum Sender {
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
struct ConnectionDriver {
    wire: Pin<Box<ConnectionTask>>,
    is_closed: bool,
}

/// Until when an answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// Deadline for the head of the answer, counted from the request, if it is shorter than [`Timeouts::whole`].
    pub(super) head: Option<Duration>,
    /// Limit on the whole attempt.
    pub(super) whole: Duration,
    pub(super) start: Instant,
}

impl Timeouts {
    pub(super) fn deadline(&self) -> Instant {
        self.start + self.whole
    }

    /// Remaining time for the head, if it ends before the whole does.
    fn for_head(&self) -> Option<Duration> {
        self.head.filter(|head| Instant::now() + *head < self.deadline())
    }
}

/// In words, that what had begun did not end.
fn not_complete(within: Duration) -> String {
    format!("not complete within {} ms", within.as_millis())
}

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

    fn of(error: &hyper::Error) -> Self {
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
fn in_words(error: &hyper::Error) -> String {
    tls_behind(error).map_or_else(|| in_full(error), |failure| failure.detail)
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
    async fn work_for<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
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

/// Sends `request` and reads the answer's head and the beginning of its body. `on_head` gets the headers when they are
/// there.
///
/// The status decides: once it has come, whatever is wrong with the rest is a note on the answer.
pub(super) async fn exchange(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    timeouts: Timeouts,
    on_head: impl FnOnce(&HeaderMap),
) -> Result<Answer, ExchangeError> {
    let answered = exchange_unnoted(connection, request, timeouts, on_head).await;
    let wants_tls = !connection.is_tls
        && match &answered {
            Ok(answer) => is_about_tls(answer),
            Err(_) => connection.status.lock().is_tls(),
        };
    let notes = connection.info.note.as_deref().into_iter();
    let notes = notes.chain(wants_tls.then_some(SPEAKS_TLS));
    notes.fold(answered, |answered, note| {
        answered
            .map(|answer| answer.noting(note))
            .map_err(|failure| failure.noting(note))
    })
}

/// True if the answer says that TLS was expected, in the words of nginx, Apache, Tomcat and Go servers.
fn is_about_tls(answer: &Answer) -> bool {
    const WORDS: [&str; 4] = [
        "sent to HTTPS port",
        "SSL-enabled server port",
        "combination of host and port requires TLS",
        "HTTP request to an HTTPS server",
    ];
    let said = |words: &&str| memchr::memmem::find(&answer.body_head, words.as_bytes()).is_some();
    answer.status == 400 && WORDS.iter().any(said)
}

async fn exchange_unnoted(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    timeouts: Timeouts,
    on_head: impl FnOnce(&HeaderMap),
) -> Result<Answer, ExchangeError> {
    let for_head = timeouts.for_head();
    let head_by = for_head.map_or_else(|| timeouts.deadline(), |head| Instant::now() + head);
    let head = connection.driver.work_for(match &mut connection.sender {
        Sender::Http1(sender) => EitherFuture::Left(sender.send_request(request)),
        Sender::Http2(sender) => EitherFuture::Right(sender.send_request(request)),
    });
    let (failure, note) = match timeout_at(head_by, head).await {
        Ok(Ok(response)) => {
            on_head(response.headers());
            return Ok(read_answer(&mut connection.driver, response, timeouts).await);
        }
        Ok(Err(error)) => {
            let note = format!("its headers could not be read: {}", in_words(&error));
            (ExchangeError::of(&error), note)
        }
        Err(_elapsed) => {
            let late = match for_head {
                Some(head) => format!("no answer had begun {} ms after the request", head.as_millis()),
                None => format!("nothing was answered within {} ms", timeouts.whole.as_millis()),
            };
            let note = not_complete(for_head.unwrap_or(timeouts.whole));
            (
                ExchangeError::new(FailureReason::AnswerTimeout, late),
                format!("its headers were {note}"),
            )
        }
    };
    connection.driver.is_closed = true;
    let seen = connection.status.lock();
    match seen.status() {
        Some(status) => Ok(Answer {
            status,
            note: Some(note),
            ..Answer::default()
        }),
        None => Err(ExchangeError {
            nothing_came: failure.nothing_came && !seen.has_begun(),
            ..failure
        }),
    }
}

/// Reads what is kept of an answer of which the head is there. Of a connection that has more of it nothing can be used.
async fn read_answer(
    driver: &mut ConnectionDriver,
    response: Response<Incoming>,
    timeouts: Timeouts,
) -> Answer {
    let (head, body) = response.into_parts();
    let (headers, is_whole) = record(&head.headers);
    let mut answer = Answer {
        status: head.status.as_u16(),
        headers,
        ..Answer::default()
    };
    let reading = driver.work_for(read_body(body, &mut answer));
    answer.note = match timeout_at(timeouts.deadline(), reading).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("its body broke off: {}", in_words(&error))),
        Err(_elapsed) => Some(format!("its body was {}", not_complete(timeouts.whole))),
    };
    driver.is_closed |= answer.note.is_some() || answer.is_truncated;
    if is_whole {
        return answer;
    }
    answer.noting(&format!(
        "its headers have more than {} KiB, and the rest of them is left out",
        MAX_HEAD / 1024
    ))
}

/// Reads what is kept of an answer's body.
async fn read_body(mut body: Incoming, answer: &mut Answer) -> hyper::Result<()> {
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = ANSWER_HEAD - answer.body_head.len();
        answer.body_head.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            answer.is_truncated = true;
            break;
        }
    }
    Ok(())
}

/// Headers to store, and whether they are complete: hyper reads more than its limit if they arrive at once.
fn record(map: &HeaderMap) -> (HeaderRecord, bool) {
    let mut room = MAX_HEAD;
    let mut kept = Vec::with_capacity(map.len());
    for (name, value) in map {
        match room.checked_sub(name.as_str().len() + value.len()) {
            Some(left) => room = left,
            None => return (HeaderRecord::of(kept), false),
        }
        kept.push((name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    }
    (HeaderRecord::of(kept), true)
}
