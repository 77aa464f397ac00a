//! The headers of Standard Webhooks on the deliveries of a webhook that wants them, and what its receiver may answer.

use http::{HeaderName, HeaderValue};
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Answer;
use switchhook_domain::id::EventId;
use switchhook_domain::webhook::Webhook;
use switchhook_protocol::{StandardKey, headers};

pub(super) const SIGNATURE: HeaderName = HeaderName::from_static(headers::WEBHOOK_SIGNATURE);

/// Signs beside the body, with the secret and with those before it that still count.
#[derive(Debug)]
pub struct StandardSigner {
    /// Each with when it stops counting; the one in use never does.
    keys: Vec<(StandardKey, Option<Timestamp>)>,
}

/// Extent of an opt-out that a receiver asks for in its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOut {
    Delivery,
    /// This one, and all others until somebody resumes the webhook.
    Webhook,
}

impl StandardSigner {
    /// `None` if the webhook does not want it, or has no secret.
    pub(super) fn of(webhook: &Webhook) -> Option<Self> {
        let secret = webhook.secret.as_ref();
        let secret = secret.filter(|_| webhook.settings.standard_webhooks)?;
        let old = webhook.old_secrets.iter().rev();
        let old = old.map(|old| (StandardKey::new(old.secret.expose()), Some(old.valid_until)));
        let keys = [(StandardKey::new(secret.expose()), None)].into_iter().chain(old);
        Some(Self { keys: keys.collect() })
    }

    /// The headers of an attempt that is made at `now` with this body.
    pub(crate) fn headers(
        &self,
        event_id: EventId,
        now: Timestamp,
        body: &[u8],
    ) -> [(HeaderName, HeaderValue); 3] {
        let [id, time] = id_and_time(event_id, now);
        let id_text = message_id(event_id);
        let counts = |until: Option<Timestamp>| until.is_none_or(|until| until > now);
        let keys = self.keys.iter().filter(|(_, until)| counts(*until));
        let signatures: Vec<_> = keys.map(|(key, _)| key.sign(&id_text, now, body)).collect();
        let signatures = value(signatures.join(" "));
        [id, time, (SIGNATURE, signatures)]
    }
}

/// The two of the headers that follow from the delivery and from when the attempt was made.
pub(super) fn id_and_time(event_id: EventId, attempted_at: Timestamp) -> [(HeaderName, HeaderValue); 2] {
    let seconds = attempted_at.as_millis().div_euclid(1_000);
    [
        (
            const { HeaderName::from_static(headers::WEBHOOK_ID) },
            value(message_id(event_id)),
        ),
        (
            const { HeaderName::from_static(headers::WEBHOOK_TIMESTAMP) },
            HeaderValue::from(seconds),
        ),
    ]
}

/// The same for every attempt and every webhook, so that a receiver knows repeats by it.
fn message_id(event_id: EventId) -> String {
    format!("evt_{event_id}")
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("letters, digits and signs of base64 may stand in a header")
}

impl OptOut {
    /// Opt-out in an answer: the values of Svix, and `abort` for short.
    pub(crate) fn of(answer: &Answer) -> Option<Self> {
        // Most answers say nothing of the kind: their headers need not be taken apart for that.
        let json = answer.headers.as_json();
        if !json.contains(headers::WEBHOOK_DELIVERY) {
            return None;
        }
        match answer.headers.to_map().get(headers::WEBHOOK_DELIVERY)?.trim() {
            "disable" => Some(Self::Webhook),
            "abort" | "abort-message" => Some(Self::Delivery),
            _ => None,
        }
    }

    /// Note for the attempt.
    pub(crate) const fn note(self) -> &'static str {
        match self {
            Self::Delivery => {
                "the receiver wants no more attempts of this delivery (webhook-delivery: abort)"
            }
            Self::Webhook => {
                "the receiver wants no more deliveries (webhook-delivery: disable): the webhook is disabled"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use switchhook_domain::attempt::HeaderRecord;

    use super::*;

    #[test]
    fn an_answer_says_what_is_unwanted() {
        for (name, value, expected) in [
            ("webhook-delivery", "disable", Some(OptOut::Webhook)),
            ("webhook-delivery", "abort", Some(OptOut::Delivery)),
            ("webhook-delivery", " abort-message ", Some(OptOut::Delivery)),
            ("webhook-delivery", "later", None),
            ("x-other", "webhook-delivery", None),
        ] {
            let answer = Answer {
                headers: HeaderRecord::of([(name, value.into())]),
                ..Answer::default()
            };
            assert_eq!(OptOut::of(&answer), expected, "{name}: {value}");
        }
    }
}
