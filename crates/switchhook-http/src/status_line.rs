//! The status of an answer, read off the wire beside hyper: it decides how an attempt went, also where hyper can make
//! nothing of the rest of the head. Deliveries and commands post over such a wire.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a line that are examined, since a status is at its beginning.
const LOOKED_AT: usize = 32;

/// Head of an answer, read up to its status.
#[derive(Debug, Default)]
pub struct StatusLine {
    line: [u8; LOOKED_AT],
    /// Length of the line so far.
    length: usize,
    part: ReadState,
    /// Requests that were written, this one included.
    requests: u32,
}

/// State of reading an answer.
#[derive(Debug, Default, Clone, Copy)]
enum ReadState {
    /// At a line that should hold the status.
    #[default]
    Status,
    /// In the headers of an answer that is not the last (100 to 199, but for 101).
    Provisional,
    /// Past the first line, which held a status or did not.
    Rest(Option<u16>),
}

/// The one that is filled by who reads from the wire.
pub type SharedStatus = Arc<Mutex<StatusLine>>;

impl StatusLine {
    /// The status, if it has come.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.part {
            ReadState::Rest(status) => status,
            ReadState::Status | ReadState::Provisional => None,
        }
    }

    /// True if anything was read.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.length > 0 || !matches!(self.part, ReadState::Status)
    }

    /// True if the connection has carried another request before.
    #[must_use]
    pub const fn is_of_kept_connection(&self) -> bool {
        self.requests > 1
    }

    /// True if a TLS alert was read instead of HTTP.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        const ALERT: [u8; 2] = [21, 3];
        self.line.starts_with(&ALERT)
    }

    fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if matches!(self.part, ReadState::Rest(_)) {
                return;
            }
            if byte == b'\n' {
                let line = &self.line[..self.length.min(LOOKED_AT)];
                self.part = self.part.after(line);
                self.length = 0;
            } else {
                if let Some(place) = self.line.get_mut(self.length) {
                    *place = byte;
                }
                self.length += 1;
            }
        }
    }
}

impl ReadState {
    fn after(self, line: &[u8]) -> Self {
        match (self, line) {
            // Some write an empty line too many after the answer before.
            (Self::Status | Self::Provisional, [] | [b'\r']) => Self::Status,
            (Self::Provisional, _) => Self::Provisional,
            (Self::Status, line) => match status_of(line) {
                Some(100 | 102..=199) => Self::Provisional,
                status => Self::Rest(status),
            },
            (Self::Rest(status), _) => Self::Rest(status),
        }
    }
}

/// The status of a line like `HTTP/1.1 200 OK`.
fn status_of(line: &[u8]) -> Option<u16> {
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let version = words.next()?.strip_prefix(b"HTTP/")?;
    let is_version = !version.is_empty() && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let code: [u8; 3] = words.next()?.try_into().ok()?;
    let code = std::str::from_utf8(&code).ok()?.parse().ok()?;
    (is_version && (100..=999).contains(&code)).then_some(code)
}

/// A wire of which the status is read on the way: of the answer to the request that was written last.
#[derive(Debug)]
pub struct StatusWatcher<W> {
    wire: W,
    status: SharedStatus,
}

impl<W> StatusWatcher<W> {
    /// Watches `wire`, and fills `status`.
    pub const fn new(wire: W, status: SharedStatus) -> Self {
        Self { wire, status }
    }

    /// Starts over if a request begins, which is always at the beginning of a write: earlier data belonged to the
    /// previous answer.
    fn writes(&self, bytes: &[u8]) {
        if [&b"POST "[..], b"GET "]
            .iter()
            .any(|method| bytes.starts_with(method))
        {
            let mut status = self.status.lock();
            *status = StatusLine {
                requests: status.requests.saturating_add(1),
                ..StatusLine::default()
            };
        }
    }
}

/// Says of a connection of hyper's pool how to look at its status.
impl<W: Connection> Connection for StatusWatcher<W> {
    fn connected(&self) -> Connected {
        self.wire.connected().extra(Arc::clone(&self.status))
    }
}

impl<W: AsyncRead + Unpin> AsyncRead for StatusWatcher<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, buffer))?;
        self.status.lock().read(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for StatusWatcher<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes(bytes);
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes(pieces.first().map_or(&[], |piece| piece));
        Pin::new(&mut self.wire).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u16>) {
        let mut whole = StatusLine::default();
        whole.read(text.as_bytes());
        assert_eq!(whole.status(), expected, "{text:?}");
        let mut drop_by_drop = StatusLine::default();
        for byte in text.as_bytes() {
            drop_by_drop.read(&[*byte]);
        }
        assert_eq!(drop_by_drop.status(), expected, "{text:?}");
    }

    #[test]
    fn a_status_is_known_once_its_line_is_complete() {
        check("HTTP/1.1 200 OK\r\n", Some(200));
        check("HTTP/1.1 200\n", Some(200));
        check(
            "\r\nHTTP/1.0  503  Away for a long, long time, in which nothing works\r\n",
            Some(503),
        );
        check("HTTP/1.1 101 Switching Protocols\r\n", Some(101));
        check("HTTP/1.1 200 OK", None);
        check("", None);
    }

    #[test]
    fn provisional_answers_are_passed_by() {
        check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Done\r\n", Some(204));
        check(
            "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload; as=style; and much more\r\nHTTP/1.1 200 no\r\n\r\nHTTP/1.1 500 Oh\n",
            Some(500),
        );
        check("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n", None);
    }

    #[test]
    fn what_is_no_status_line_is_none() {
        for text in [
            "220 mail.example.com ESMTP\r\n",
            "HTTP/1.1 2000 OK\r\n",
            "HTTP/1.1 099 OK\r\n",
            "HTTP/1.1 +20 OK\r\n",
            "HTTP/x 200 OK\r\n",
            "xHTTP/1.1 200 OK\r\n",
            "220 mail.example.com ESMTP\r\nHTTP/1.1 200 OK\r\n",
        ] {
            check(text, None);
        }
    }
}
