//! One request and its answer over one connection.
//!
//! The connection's own work is done by the task that waits for the answer: no task per connection, no hop between
//! threads.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use switchhook_domain::attempt::{ANSWER_HEAD, Answer, HeaderRecord, Silence};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// Bytes on a wire, in the clear or not.
pub(super) type Wire = Either<TcpStream, TlsStream<TcpStream>>;

/// The most that the head of an answer may take. It may have 100 headers, which is what hyper keeps on the stack.
const MAX_HEAD: usize = 64 * 1024;

/// A standing connection.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    wire: Pin<Box<http1::Connection<TokioIo<Wire>, Full<Bytes>>>>,
    is_closed: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Failure {
    /// Which kind of silence.
    pub(super) reason: Silence,
    /// In words for a person.
    pub(super) detail: String,
    /// Whether the connection ended before a single byte of the answer came.
    pub(super) nothing_came: bool,
}

impl Failure {
    pub(super) fn new(reason: Silence, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            nothing_came: false,
        }
    }

    fn of(error: &hyper::Error) -> Self {
        let reason = if error.is_parse() {
            Silence::NotHttp
        } else {
            Silence::ConnectionLost
        };
        let nothing_came =
            error.is_incomplete_message() || error.is_closed() || error.is_canceled() || is_hang_up(error);
        let detail = if nothing_came {
            "the receiver closed the connection without an answer".to_owned()
        } else {
            with_causes(error)
        };
        Self {
            reason,
            detail,
            nothing_came,
        }
    }
}

/// Whether the other side was gone when we wrote or read.
fn is_hang_up(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
        )
    })
}

pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl Connection {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the guarded connector: the address has been judged"
    )]
    pub(super) async fn open(wire: Wire) -> Result<Self, Failure> {
        let (sender, wire) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| Failure::of(&error))?;
        Ok(Self {
            sender,
            wire: Box::pin(wire),
            is_closed: false,
        })
    }

    /// Whether another request may go over it. Also lets it notice that the other side has closed.
    pub(super) fn is_reusable(&mut self) -> bool {
        self.work(&mut Context::from_waker(Waker::noop()));
        !self.is_closed && self.sender.is_ready()
    }

    /// Lets the connection read and write what it can.
    fn work(&mut self, cx: &mut Context<'_>) {
        if !self.is_closed && self.wire.as_mut().poll(cx).is_ready() {
            self.is_closed = true;
        }
    }
}

/// Sends `request` and reads the answer's head and the beginning of its body. `on_head` gets the headers
/// when they are there, which must be within `head_timeout`, if there is one beside that of the whole.
pub(super) async fn exchange(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    head_timeout: Option<Duration>,
    on_head: impl FnOnce(&HeaderMap),
) -> Result<Answer, Failure> {
    let mut asked = pin!(connection.sender.send_request(request));
    let wire = &mut connection.wire;
    let is_closed = &mut connection.is_closed;
    let mut work = move |cx: &mut Context<'_>| {
        if !*is_closed && wire.as_mut().poll(cx).is_ready() {
            *is_closed = true;
        }
    };
    let head = poll_fn(|cx| {
        if let Poll::Ready(answered) = asked.as_mut().poll(cx) {
            return Poll::Ready(answered);
        }
        work(cx);
        asked.as_mut().poll(cx)
    });
    let answered = match head_timeout {
        None => head.await,
        Some(patience) => tokio::time::timeout(patience, head).await.map_err(|_elapsed| {
            let detail = format!(
                "no answer had begun {} ms after the request",
                patience.as_millis()
            );
            Failure::new(Silence::AnswerTimeout, detail)
        })?,
    };
    let response = answered.map_err(|error| Failure::of(&error))?;
    on_head(response.headers());
    let mut reading = pin!(read_answer(response));
    let (answer, is_whole) = poll_fn(|cx| {
        if let Poll::Ready(read) = reading.as_mut().poll(cx) {
            return Poll::Ready(read);
        }
        work(cx);
        reading.as_mut().poll(cx)
    })
    .await?;
    if !is_whole {
        connection.is_closed = true;
    }
    Ok(answer)
}

/// Reads what is kept of an answer, and whether that was all of it.
async fn read_answer(response: Response<Incoming>) -> Result<(Answer, bool), Failure> {
    let status = response.status().as_u16();
    let headers = record(response.headers());
    let mut body = response.into_body();
    let mut body_head = Vec::new();
    let mut is_truncated = false;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure {
            nothing_came: false,
            ..Failure::new(Silence::ConnectionLost, broken_body(&error))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let room = ANSWER_HEAD - body_head.len();
        body_head.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            is_truncated = true;
            break;
        }
    }
    Ok((
        Answer {
            status,
            headers,
            body_head,
            is_truncated,
        },
        !is_truncated,
    ))
}

fn broken_body(error: &hyper::Error) -> String {
    format!(
        "the connection broke in the middle of the answer ({})",
        with_causes(error)
    )
}

fn record(map: &HeaderMap) -> HeaderRecord {
    HeaderRecord::of(
        map.iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))),
    )
}
