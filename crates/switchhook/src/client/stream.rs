//! Server-sent events: an answer that goes on, read line by line.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{Client, ClientError, Request, in_full};

/// The longest event that is read.
const LONGEST_EVENT: usize = 1 << 20;

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What it is.
    pub name: String,
    /// Its particulars.
    pub data: String,
}

/// A stream that is open.
#[derive(Debug)]
pub struct Stream {
    body: Incoming,
    read: Lines,
}

impl Client {
    /// Opens a stream.
    ///
    /// # Errors
    /// If the server does not give one.
    pub async fn stream(&self, request: Request) -> Result<Stream, ClientError> {
        let request = self.dress(request)?;
        let asking = self.http.request(request);
        let response = match tokio::time::timeout(super::TIMEOUT, asking).await {
            Ok(response) => response.map_err(|error| self.unreachable(error))?,
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
                read: Lines::default(),
            });
        }
        let body = body
            .collect()
            .await
            .map_err(|error| self.strange(in_full(&error)))?;
        Err(self.refused(head.status, &body.to_bytes()))
    }
}

impl Stream {
    /// Waits for the next event; `None` when the server has hung up.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.read.next() {
                return Some(told);
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.read.feed(&data);
            }
        }
    }
}

/// Lines that have come and are not an event yet.
#[derive(Debug, Default)]
struct Lines {
    rest: BytesMut,
    event: Told,
}

impl Lines {
    fn feed(&mut self, data: &Bytes) {
        // A server that sends no line's end is none of ours.
        if self.rest.len() < LONGEST_EVENT {
            self.rest.extend_from_slice(data);
        }
    }

    fn next(&mut self) -> Option<Told> {
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line = self.rest.split_to(end + 1);
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
    use super::*;

    #[test]
    fn events_are_put_together_however_they_are_cut() {
        let text = ": alive\n\nevent: event\ndata: {\"id\":\"1\"}\n\nevent: missed\r\ndata: {}\r\n\r\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut told = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                lines.feed(&Bytes::copy_from_slice(piece));
                told.extend(std::iter::from_fn(|| lines.next()));
            }
            let names: Vec<_> = told
                .iter()
                .map(|one| (one.name.as_str(), one.data.as_str()))
                .collect();
            assert_eq!(names, [("event", "{\"id\":\"1\"}"), ("missed", "{}")], "{size}");
        }
    }
}
