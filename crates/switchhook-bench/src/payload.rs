//! The event that every trial sends: a call's hangup of the simulated company, brought to a kilobyte.
//!
//! Three of its numbers are written over in place for each event: whose call it is, who was called, and when the event
//! was due to be sent, which the receiver reads to tell how long it took. All have the same width, so that neither the
//! body's length nor any offset ever changes.

use std::ops::Range;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use switchhook_domain::Timestamp;
use switchhook_simulator::{Dialect, Scenario};

/// Size of a body, in bytes.
pub(super) const BODY_BYTES: usize = 1_024;

/// Digits of each of the three numbers; all stay below 2^53.
const DIGITS: usize = 16;

/// Base of the due times in bodies, so that they always have the same number of digits.
const STAMP_BASE: u64 = 1_000_000_000_000_000;

/// The first call id, and the room that each sender has from there.
const CALL_BASE: u64 = 4_000_000_000_000_000;
const CALLS_OF_A_SENDER: u64 = 1_000_000_000;

/// The first entity that is called.
pub(super) const TARGET_BASE: u64 = 5_000_000_000_000_000;

/// A body and where its numbers are.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    body: Vec<u8>,
    call_id: usize,
    target_id: usize,
    stamp: usize,
}

/// Variable parts of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventDetails {
    pub(super) sender: u64,
    /// The how-manieth call of that sender.
    pub(super) call: u64,
    /// The how-manieth of the entities that are called.
    pub(super) target: u64,
    /// Due time, since the start of the trial.
    pub(super) due: Duration,
}

impl Payload {
    /// The simulated company's hangup of an answered call.
    pub(super) fn simulated() -> Self {
        let scenario = Scenario::find("inbound-answered").expect("it is one of the simulator's scenarios");
        let start = Timestamp::from_millis(1_795_420_800_000);
        let mut events = scenario.play(7, start, Dialect::Asyncapi).into_iter();
        let hangup = events
            .find(|event| event.step == "hangup")
            .expect("an answered call ends");
        let mut body = hangup.body;
        let call_id = widen(&mut body, r#""call_id":"#);
        let target_id = widen(&mut body, r#""target":{"id":"#);
        let stamp = widen(&mut body, r#""event_timestamp":"#);
        // A long name brings it to its length.
        let name = after(&body, r#""display_name":""#);
        let missing = BODY_BYTES.saturating_sub(body.len());
        body.insert_str(name, &"x".repeat(missing));
        let moved = |offset| if offset >= name { offset + missing } else { offset };
        Self {
            call_id: moved(call_id),
            target_id: moved(target_id),
            stamp: moved(stamp),
            body: body.into_bytes(),
        }
    }

    /// The body as it stands.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Writes what an event says into `body`, which is a copy of this one's.
    pub(super) fn write(&self, body: &mut [u8], says: EventDetails) {
        let call_id = CALL_BASE + says.sender * CALLS_OF_A_SENDER + says.call;
        write_digits(body, self.call_id, call_id);
        write_digits(body, self.target_id, TARGET_BASE + says.target);
        let due_us = u64::try_from(says.due.as_micros()).unwrap_or(u64::MAX - STAMP_BASE);
        write_digits(body, self.stamp, STAMP_BASE + due_us);
    }

    /// Due time of an event that arrived, as JSON or as a JWT, since the start of the trial.
    pub(super) fn due(&self, arrived: &[u8]) -> Option<Duration> {
        let stamp = number_at(arrived, self.stamp)?;
        Some(Duration::from_micros(stamp.checked_sub(STAMP_BASE)?))
    }

    /// Id of the call that such an event is about.
    pub(super) fn call(&self, arrived: &[u8]) -> Option<u64> {
        number_at(arrived, self.call_id)
    }
}

/// Replaces the number after `label` by one of full width; answers where it begins.
fn widen(body: &mut String, label: &str) -> usize {
    let start = after(body, label);
    let digits = body[start..].bytes().take_while(u8::is_ascii_digit).count();
    body.replace_range(start..start + digits, &"9".repeat(DIGITS));
    start
}

fn after(body: &str, label: &str) -> usize {
    body.find(label)
        .expect("every call of the contract's dialect has it")
        + label.len()
}

fn write_digits(body: &mut [u8], at: usize, mut number: u64) {
    for byte in body[at..at + DIGITS].iter_mut().rev() {
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The number that begins there in the JSON, which is in a JWT if it does not stand by itself.
fn number_at(arrived: &[u8], start: usize) -> Option<u64> {
    let digits = start..start + DIGITS;
    if arrived.first() == Some(&b'{') {
        read_digits(arrived.get(digits)?)
    } else {
        let payload = arrived.iter().position(|byte| *byte == b'.')? + 1;
        read_encoded_digits(arrived.get(payload..)?, digits)
    }
}

fn read_digits(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Digits of a text of which the base64 form is there: decodes only the four-letter groups that hold them.
fn read_encoded_digits(encoded: &[u8], digits: Range<usize>) -> Option<u64> {
    let first = digits.start / 3;
    let groups = encoded.get(first * 4..digits.end.div_ceil(3) * 4)?;
    let mut decoded = [0; DIGITS + 6];
    let length = URL_SAFE_NO_PAD.decode_slice(groups, &mut decoded).ok()?;
    let start = digits.start - first * 3;
    read_digits(decoded[..length].get(start..start + DIGITS)?)
}

#[cfg(test)]
mod tests {
    use switchhook_protocol::sign;

    use super::*;

    #[test]
    fn the_event_is_a_kilobyte_of_valid_json_that_says_what_it_was_told_to() {
        let payload = Payload::simulated();
        let mut body = payload.body().to_vec();
        let due = Duration::from_micros(1_234_567);
        let says = EventDetails {
            sender: 3,
            call: 9,
            target: 2,
            due,
        };
        payload.write(&mut body, says);
        assert_eq!(body.len(), BODY_BYTES);
        let json: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
        assert_eq!(json["state"], "hangup");
        assert_eq!(json["call_id"], 4_000_003_000_000_009_u64);
        assert_eq!(json["target"]["id"], TARGET_BASE + 2);
        assert_eq!(payload.due(&body), Some(due));
        let token = sign("secret", &body);
        assert_eq!(payload.due(token.as_bytes()), Some(due));
        for arrived in [&body, token.as_bytes()] {
            assert_eq!(payload.call(arrived), Some(4_000_003_000_000_009));
        }
        assert_eq!(payload.due(b"not an event"), None);
    }
}
