//! One request and its answer over one connection.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use switchhook_domain::attempt::{ANSWER_HEAD, Answer, FailureReason, HeaderRecord};
use tokio::time::{Instant, timeout_at};

use super::connection::{Connection, ConnectionDriver, MAX_HEAD, Sender};
use super::exchange_error::{ExchangeError, in_words};
use crate::delivery::transport::SPEAKS_TLS;

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

/// With what the connection has to say of an answer, or of there being none.
pub(super) fn noted(
    answered: Result<Answer, ExchangeError>,
    connection: &Connection,
) -> Result<Answer, ExchangeError> {
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
    let for_head = timeouts.for_head();
    let head_by = for_head.map_or_else(|| timeouts.deadline(), |head| Instant::now() + head);
    let head = pin!(match &mut connection.sender {
        Sender::Http1(sender) => Either::Left(sender.send_request(request)),
        Sender::Http2(sender) => Either::Right(sender.send_request(request)),
    });
    let (failure, note) = match timeout_at(head_by, connection.driver.work_for(head)).await {
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
        body_head: Vec::new(),
        is_truncated: false,
        note: None,
    };
    let read = {
        let reading = pin!(read_body(body, &mut answer));
        timeout_at(timeouts.deadline(), driver.work_for(reading)).await
    };
    answer.note = match read {
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
