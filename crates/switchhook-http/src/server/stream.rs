//! The bytes of a connection on their way, noted as they pass; and the end of it, which leaves the client time to read.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connection::{Connection, Phase};
use super::connections::ConnectionGuard;

/// Bytes read after the last answer, because closing a socket with unread data discards what was written.
const MOST_LINGERED: usize = 1024 * 1024;

/// A connection's socket. It counts as open until this is dropped, also when it has become a websocket.
pub(super) struct Stream {
    // Closed before the entry says so.
    tcp: TcpStream,
    entry: ConnectionGuard,
    is_shut: bool,
    lingered: usize,
}

impl Stream {
    pub(super) const fn new(tcp: TcpStream, entry: ConnectionGuard) -> Self {
        Self {
            tcp,
            entry,
            is_shut: false,
            lingered: 0,
        }
    }

    const fn connection(&self) -> &Arc<Connection> {
        &self.entry.connection
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => self.connection().wrote(Some(*bytes)),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.connection().wrote(None),
        }
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut thrown_away = [MaybeUninit::uninit(); 8 * 1024];
        while self.lingered < MOST_LINGERED {
            let mut buffer = ReadBuf::uninit(&mut thrown_away);
            match ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.lingered += buffer.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.tcp).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.connection().read();
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, pieces);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.tcp).poll_shutdown(cx))?;
            self.is_shut = true;
            self.connection().enter(Phase::Lingering);
        }
        self.poll_linger(cx).map(Ok)
    }
}
