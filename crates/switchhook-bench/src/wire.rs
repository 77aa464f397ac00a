//! HTTP/1.1 with as little work as it can be done: what measures must leave the machine to what is measured.
//!
//! Good for both ends of kept connections on loopback, whose messages have a `content-length` and fit the buffer.

use std::net::SocketAddr;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};

/// Larger than every message: an event of a kilobyte as a JWT with its headers, an answer that names 20 deliveries.
const LARGEST_MESSAGE: usize = 16 << 10;

/// Reads one message after the other from a connection.
pub(super) struct Messages {
    buffer: Vec<u8>,
    filled: usize,
}

/// Ranges of a message's parts in [`Messages::bytes`].
pub(super) struct Message {
    pub(super) head: Range<usize>,
    pub(super) body: Range<usize>,
}

impl Messages {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; LARGEST_MESSAGE],
            filled: 0,
        }
    }

    /// The next message, or `None` where the connection ends between two.
    pub(super) async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Message>> {
        // Nobody sends the next request before the answer to the last: nothing is left over from it.
        self.filled = 0;
        loop {
            if let Some(message) = parse(&self.buffer[..self.filled])? {
                return Ok(Some(message));
            }
            ensure!(
                self.filled < LARGEST_MESSAGE,
                "a message is larger than {LARGEST_MESSAGE} bytes"
            );
            match stream.read(&mut self.buffer[self.filled..]).await? {
                0 if self.filled == 0 => return Ok(None),
                0 => bail!("the connection was closed in the middle of a message"),
                more => self.filled += more,
            }
        }
    }

    pub(super) fn bytes(&self, part: &Range<usize>) -> &[u8] {
        &self.buffer[part.clone()]
    }
}

/// The message at the start of `bytes`, once it is whole.
fn parse(bytes: &[u8]) -> Result<Option<Message>> {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..head]).context("a message's head is not text")?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>())
    });
    let length = length.context("a message does not tell its length")??;
    let body = head + 4..head + 4 + length;
    Ok((bytes.len() >= body.end).then_some(Message { head: 0..head, body }))
}

/// A connection on which small messages do not wait for company.
#[expect(clippy::disallowed_methods, reason = "loopback only; no hook URL comes here")]
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// An address at which nobody listens (now).
pub(super) async fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    Ok(listener.context("loopback has no free port")?.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_whole_when_its_body_is() {
        let mut stream = arriving(&[b"POST / HTTP/1.1\r\ncontent-", b"Length: 5\r\n\r\nhel", b"lo"]);
        let mut messages = Messages::new();
        let message = messages
            .next(&mut stream)
            .await
            .expect("it is one")
            .expect("it came");
        assert_eq!(messages.bytes(&message.body), b"hello");
        assert!(messages.bytes(&message.head).starts_with(b"POST /"));
        assert!(messages.next(&mut stream).await.expect("it is the end").is_none());
    }

    #[tokio::test]
    async fn a_message_that_breaks_off_or_grows_too_large_is_an_error() {
        let mut broken = arriving(&[b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"]);
        assert!(Messages::new().next(&mut broken).await.is_err());
        let endless = vec![b'x'; LARGEST_MESSAGE + 1];
        assert!(Messages::new().next(&mut endless.as_slice()).await.is_err());
    }

    /// A stream that arrives in these pieces.
    fn arriving(pieces: &[&'static [u8]]) -> impl AsyncRead + Unpin + use<> {
        let empty: Box<dyn AsyncRead + Unpin> = Box::new(tokio::io::empty());
        pieces
            .iter()
            .copied()
            .rev()
            .fold(empty, |rest, piece| Box::new(AsyncReadExt::chain(piece, rest)))
    }
}
