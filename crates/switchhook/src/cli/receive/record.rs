//! A line of the file: the event as it came, and what its body does not contain.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchhook_domain::{Kind, Timestamp};
use switchhook_receiver::{Format, Received, RepeatKey};

/// Fields in their order in the line; every line begins with the first one.
#[derive(Serialize)]
struct Record<'a> {
    received_at: String,
    kind: Option<Kind>,
    event_id: Option<&'a str>,
    delivery_id: Option<&'a str>,
    attempt: Option<u32>,
    repeat_key: String,
    event: &'a RawValue,
}

/// Fields by which an event is recognized.
#[derive(Deserialize)]
struct RecordKey<'a> {
    received_at: &'a str,
    repeat_key: &'a str,
}

pub(super) const FORMAT: Format = Format {
    opening: "{\"received_at\":",
    is_whole: |line| read(line).is_some(),
};

/// An event as a line, without its line feed.
pub(super) fn line(event: &Received, key: RepeatKey, at: Timestamp) -> anyhow::Result<Vec<u8>> {
    let body = String::from_utf8(event.body.clone())?;
    // In JSON a line's end can only stand between two tokens, where a space means the same.
    let body = body.trim().replace(['\n', '\r'], " ");
    let record = Record {
        received_at: at.to_string(),
        kind: event.kind,
        event_id: event.labels.event_id.as_deref(),
        delivery_id: event.labels.delivery_id.as_deref(),
        attempt: event.labels.attempt,
        repeat_key: key.to_string(),
        event: &RawValue::from_string(body)?,
    };
    Ok(serde_json::to_vec(&record)?)
}

/// Key of a line's event, and its time.
pub(super) fn read(line: &[u8]) -> Option<(RepeatKey, Timestamp)> {
    let key: RecordKey<'_> = serde_json::from_slice(line).ok()?;
    Some((key.repeat_key.parse().ok()?, key.received_at.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchhook_receiver::Receiver;

    #[test]
    fn an_event_that_is_no_object_becomes_a_line() {
        let receiver = Receiver::builder().accept_any_json().build().unwrap();
        let event = receiver.receive(b"[1.0,\n null]").unwrap();
        let line = line(&event, event.repeat_key(), Timestamp::from_millis(0)).unwrap();
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(
            text.contains(r#""kind":null"#) && text.ends_with(r#""event":[1.0,  null]}"#),
            "{text}"
        );
        assert!(read(&line).is_some());
    }

    #[test]
    fn an_event_over_several_lines_becomes_one_line_and_is_known_again() {
        let body = "{\"call_id\": 9223372036854775807,\r\n \"state\": \"hold\", \"x\": [1e400,\n8951.030], \"y\":\"a\\nb\"}\n";
        let receiver = Receiver::builder().build().unwrap();
        let event = receiver.receive(body.as_bytes()).unwrap();
        let at = Timestamp::from_millis(1_795_253_400_250);
        let line = line(&event, event.repeat_key(), at).unwrap();
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(text.starts_with(FORMAT.opening) && !text.contains('\n'), "{text}");
        assert!(text.contains(r#""x": [1e400, 8951.030], "y":"a\nb"}"#), "{text}");
        assert_eq!(read(&line), Some((event.repeat_key(), at)));
        for end in 0..line.len() {
            assert_eq!(read(&line[..end]), None, "a torn line is none");
        }
    }
}
