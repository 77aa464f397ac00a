//! Server-sent events: an answer that goes on, read line by line.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{Client, ClientError, Request, in_full};

/// Time without data after which the server counts as gone: it sends a keep-alive line every 15 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Bound on the bytes of an event.
const LONGEST_EVENT: usize = 1 << 20;

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSentEvent {
    pub name: String,
    pub data: String,
}

/// An open stream of server-sent events.
#[derive(Debug)]
pub struct Stream {
    body: Incoming,
    parser: EventParser,
}

impl Client {
    /// Opens a stream.
    ///
    /// # Errors
    /// If the server does not answer with a stream.
    pub async fn stream(&self, request: Request) -> Result<Stream, ClientError> {
        let request = self.http_request(request)?;
        let exchange = self.http.request(request);
        let response = match timeout(super::TIMEOUT, exchange).await {
            Ok(response) => response.map_err(|error| self.unreachable(&error))?,
            Err(_elapsed) => {
                return Err(ClientError::TimedOut {
                    url: self.base.clone(),
                });
            }
        };
        let (head, body) = response.into_parts();
        if head.status.is_success() {
            return Ok(Stream {
                body,
                parser: EventParser::default(),
            });
        }
        let body = body
            .collect()
            .await
            .map_err(|error| self.unexpected(in_full(&error)))?;
        Err(self.refused(head.status, &body.to_bytes()))
    }
}

impl Stream {
    /// Waits for the next event; `None` if the connection has ended.
    pub async fn next(&mut self) -> Option<ServerSentEvent> {
        loop {
            if let Some(event) = self.parser.next() {
                return Some(event);
            }
            let frame = timeout(IDLE_TIMEOUT, self.body.frame()).await.ok()??.ok()?;
            if let Ok(data) = frame.into_data() {
                self.parser.push(&data);
            }
        }
    }
}

/// Parser of server-sent events, whose data comes in pieces of any size.
#[derive(Debug, Default)]
struct EventParser {
    buffer: BytesMut,
    event: ServerSentEvent,
}

impl EventParser {
    fn push(&mut self, data: &Bytes) {
        // A server that sends no line's end is none of ours.
        if self.buffer.len() < LONGEST_EVENT {
            self.buffer.extend_from_slice(data);
        }
    }

    fn next(&mut self) -> Option<ServerSentEvent> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(end + 1);
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if !event.name.is_empty() {
                    return Some(event);
                }
                continue;
            }
            match line.split_once(": ") {
                Some(("event", name)) => self.event.name = name.to_owned(),
                Some(("data", data)) => self.event.data.push_str(data),
                // Comments keep the connection alive.
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_server_that_says_nothing_any_more_is_gone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nevent: event\ndata: {}\n\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
            // The machine is switched off: the connection stands, as far as anybody can see.
            std::future::pending::<()>().await;
        });
        let client = Client::new(&url.parse().unwrap(), None).unwrap();
        let mut stream = client.stream(Request::get("/v1/stream", &[])).await.unwrap();
        assert_eq!(stream.next().await.unwrap().name, "event");
        tokio::time::pause();
        assert_eq!(stream.next().await, None);
        serving.abort();
    }

    #[test]
    fn events_are_put_together_however_they_are_cut() {
        let text = ": alive\n\nevent: event\ndata: {\"id\":\"1\"}\n\nevent: missed\r\ndata: {}\r\n\r\n";
        for size in 1..text.len() {
            let mut lines = EventParser::default();
            let mut events = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                lines.push(&Bytes::copy_from_slice(piece));
                events.extend(std::iter::from_fn(|| lines.next()));
            }
            let names: Vec<_> = events
                .iter()
                .map(|one| (one.name.as_str(), one.data.as_str()))
                .collect();
            assert_eq!(names, [("event", "{\"id\":\"1\"}"), ("missed", "{}")], "{size}");
        }
    }
}
