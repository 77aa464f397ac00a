//! Forwards each event once, in order, with the headers of a delivery.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::json;
use switchhook_domain::clock::Clock;
use switchhook_protocol::{headers, recognize_kind};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::cli::output;
use switchhook_client::{Hook, HookAnswer, WebsocketListener};
use switchhook_node::clock::SystemClock;
use switchhook_node::duration::show_duration;
use switchhook_node::websocket::frame::LabelledFrame;

/// First and longest delay before a program that is down is tried again.
const RETRY_DELAYS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A frame of the websocket.
pub(super) struct Frame {
    /// Position after the frame.
    position: Option<String>,
    event: Option<ReceivedEvent>,
}

/// An event of a frame.
struct ReceivedEvent {
    id: Option<String>,
    kind: Option<String>,
    content_type: String,
    body: Bytes,
}

impl Frame {
    /// Reads a frame with a position.
    pub(super) fn labelled(text: &str) -> serde_json::Result<Self> {
        let frame: LabelledFrame = serde_json::from_str(text)?;
        let event = |event: switchhook_node::websocket::frame::LabelledEvent| ReceivedEvent {
            id: Some(event.id),
            kind: Some(event.kind),
            content_type: event.content_type,
            body: event.body.into(),
        };
        Ok(Self {
            position: Some(frame.position),
            event: frame.event.map(event),
        })
    }

    /// Reads a frame that is only the event. JSON never begins as a JWT does.
    pub(super) fn plain(text: String) -> Self {
        let content_type = if text.starts_with("ey") {
            headers::CONTENT_TYPE_JWT
        } else {
            headers::CONTENT_TYPE_JSON
        };
        Self {
            position: None,
            event: Some(ReceivedEvent {
                id: None,
                kind: recognize_kind(text.as_bytes()).map(|kind| kind.route().to_owned()),
                content_type: content_type.to_owned(),
                body: text.into(),
            }),
        }
    }
}

impl ReceivedEvent {
    /// Headers of a delivery. There is no delivery, so its id is the event's.
    fn headers(&self, attempt: u32) -> HeaderMap {
        let values = [
            (header::CONTENT_TYPE.as_str(), Some(self.content_type.clone())),
            (headers::EVENT_ID, self.id.clone()),
            (headers::EVENT_KIND, self.kind.clone()),
            (headers::DELIVERY_ID, self.id.clone()),
            (headers::ATTEMPT, Some(attempt.to_string())),
        ];
        let values = values.into_iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_str(&value?).ok()?;
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        });
        values.collect()
    }
}

/// Posts events to a program.
pub(super) struct Forwarder {
    hook: Hook,
    url: Url,
    is_json: bool,
    position: Option<String>,
}

impl Forwarder {
    pub(super) fn new(hook: Hook, url: &Url, is_json: bool, position: Option<String>) -> Self {
        Self {
            hook,
            url: url.clone(),
            is_json,
            position,
        }
    }

    /// Position to continue from, if the server sends positions.
    pub(super) fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    pub(super) fn print_connected(&self, server: &Url, is_first: bool, listener: &WebsocketListener) {
        if !is_first {
            output::remark("connected again");
            return;
        }
        output::remark(format_args!(
            "listening at {server}, forwarding to {}; Ctrl-C stops",
            self.url
        ));
        if !listener.is_labelled() {
            output::remark(
                "this server sends no position to continue from: events are lost while the connection is down",
            );
        }
    }

    /// Posts one event. A program that is down, or closes without an answer, is waited for, so that restarting it loses
    /// nothing; its answer is printed and not acted on.
    pub(super) async fn take(&mut self, frame: Frame) -> anyhow::Result<()> {
        if let Some(event) = frame.event {
            self.forward_event(&event).await?;
        }
        // Only now: what was not passed on comes again.
        self.position = frame.position.or(self.position.take());
        Ok(())
    }

    async fn forward_event(&self, event: &ReceivedEvent) -> anyhow::Result<()> {
        let mut delay = RETRY_DELAYS.0;
        for attempt in 1.. {
            let started = Instant::now();
            let answer = self.hook.post(event.headers(attempt), event.body.clone()).await;
            let (HookAnswer::Unreachable(reason) | HookAnswer::Closed(reason)) = &answer else {
                return self.print(event, &answer, started.elapsed());
            };
            if attempt == 1 {
                output::remark(format_args!(
                    "no answer from {}: {reason}; trying again",
                    self.url
                ));
            }
            sleep(delay).await;
            delay = (delay * 2).min(RETRY_DELAYS.1);
        }
        Ok(())
    }

    fn print(&self, event: &ReceivedEvent, answer: &HookAnswer, duration: Duration) -> anyhow::Result<()> {
        let (status, error) = match answer {
            HookAnswer::Status(status) => (Some(*status), None),
            HookAnswer::Unreachable(reason) | HookAnswer::Closed(reason) | HookAnswer::NoAnswer(reason) => {
                (None, Some(reason))
            }
        };
        let now = SystemClock.now();
        if self.is_json {
            return output::print_data(json!({
                "at": now,
                "event_id": event.id,
                "kind": event.kind,
                "size": event.body.len(),
                "status": status,
                "error": error,
                "duration_ms": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            }));
        }
        let result = status.map_or_else(|| error.cloned().unwrap_or_default(), |status| status.to_string());
        output::print(format_args!(
            "{}  {}  {}  {result}  {}",
            output::time(now),
            event.kind.as_deref().unwrap_or("-"),
            event.id.as_deref().unwrap_or("-"),
            show_duration(Duration::from_millis(
                u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
            )),
        ))
    }
}

#[cfg(test)]
mod tests {
    use switchhook_client::Trust;
    use switchhook_protocol::sign;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[track_caller]
    fn check(frame: Frame, position: Option<&str>, body: &str, expected: &[(&str, &str)]) {
        assert_eq!(frame.position.as_deref(), position);
        let event = frame.event.expect("there is an event");
        assert_eq!(event.body, body);
        let headers = event.headers(2);
        let all: Vec<_> = expected
            .iter()
            .map(|(name, _)| (*name, headers.get(*name).and_then(|value| value.to_str().ok())))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| (*name, Some(*value)))
            .collect();
        assert_eq!(all, expected);
        assert_eq!(headers.len(), expected.len());
    }

    #[test]
    fn dialpads_own_frames_are_passed_on_with_what_they_tell() {
        let event = r#"{"call_id":1,"state":"hangup"}"#;
        check(
            Frame::plain(event.to_owned()),
            None,
            event,
            &[
                ("content-type", "application/json"),
                ("switchhook-event-kind", "call"),
                ("switchhook-attempt", "2"),
            ],
        );
        let token = sign("s3cret", event.as_bytes());
        check(
            Frame::plain(token.clone()),
            None,
            &token,
            &[("content-type", "application/jwt"), ("switchhook-attempt", "2")],
        );
    }

    #[tokio::test]
    async fn a_program_that_closes_without_an_answer_is_waited_for() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let url: Url = url.parse().unwrap();
        let hook = Hook::new(&url, Duration::from_secs(60), &Trust::System).unwrap();
        let mut forwarder = Forwarder::new(hook, &url, true, None);
        let receiving = async {
            let mut request = vec![0; 4096];
            for answer in ["", "HTTP/1.1 204 Taken\r\n\r\n"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let length = stream.read(&mut request).await.unwrap();
                request[length..].fill(0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            String::from_utf8_lossy(&request).into_owned()
        };
        let frame = Frame::plain(r#"{"call_id":1,"state":"hangup"}"#.to_owned());
        let (taken, request) = tokio::join!(forwarder.take(frame), receiving);
        taken.unwrap();
        assert!(request.contains("Switchhook-Attempt: 2"), "{request}");
    }

    #[test]
    fn a_labelled_frame_has_the_headers_of_a_delivery() {
        let frame = r#"{"position":"12","event":{"id":"7","kind":"agent_status","accepted_at":5,
                        "content_type":"application/json","body":"{\"a\": 1.0}"}}"#;
        check(
            Frame::labelled(frame).unwrap(),
            Some("12"),
            r#"{"a": 1.0}"#,
            &[
                ("content-type", "application/json"),
                ("switchhook-event-id", "7"),
                ("switchhook-event-kind", "agent_status"),
                ("switchhook-delivery-id", "7"),
                ("switchhook-attempt", "2"),
            ],
        );
        let beginning = Frame::labelled(r#"{"position":"11"}"#).unwrap();
        assert!(beginning.event.is_none() && beginning.position.as_deref() == Some("11"));
    }
}
