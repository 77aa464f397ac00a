//! The body that a receiver gets of an event: its JSON, or that signed, without what is hidden from it.
//!
//! The deliveries of an event often start one after the other on the same thread. So each thread remembers the last small
//! event that it made bodies of, and works out once what they have in common. Of a large one nothing is remembered: every
//! thread would keep it in memory for as long as it has nothing else to do.

use std::borrow::Cow;
use std::cell::RefCell;

use bytes::Bytes;
use switchhook_domain::redaction::{Hidden, redact};
use switchhook_domain::template::Template;
use switchhook_protocol::Signer;
use switchhook_store::ClaimedDelivery;

use crate::destination::Destination;

/// The largest event that is remembered.
const REMEMBERED: usize = 4 * 1024;

thread_local! {
    static LAST: RefCell<Bodies> = RefCell::new(Bodies::of(&Bytes::new(), Hidden::NOTHING));
}

/// The body of a POST that brings `event`, which is as it came.
pub(super) fn body_of(signer: Option<&Signer>, event: &Bytes, hidden: Hidden) -> Bytes {
    if signer.is_none() && hidden.is_nothing() {
        return event.clone();
    }
    if event.len() > REMEMBERED {
        return Bodies::of(event, hidden).made_by(signer);
    }
    LAST.with_borrow_mut(|last| {
        if !last.are_of(event, hidden) {
            *last = Bodies::of(event, hidden);
        }
        last.made_by(signer)
    })
}

/// Size of the body built from a claimed delivery's event, in bytes; 0 if the event is posted as it is.
pub(super) fn size_of_body(claimed: &ClaimedDelivery, destination: &Destination) -> usize {
    let is_signed = destination.signer.is_some();
    let (event, hidden) = (claimed.body.len(), claimed.hidden());
    if destination.templates.has_body() {
        let made = Template::most_made_of(event);
        made + size_made(is_signed, made, hidden)
    } else {
        size_made(is_signed, event, hidden)
    }
}

/// At most how many bytes [`body_of`] makes of an event; 0 if the body is the event as it is.
const fn size_made(is_signed: bool, event: usize, hidden: Hidden) -> usize {
    /// The head of a JWT and its signature.
    const AROUND: usize = 512;
    let json = if hidden.is_nothing() { 0 } else { event };
    let token = if is_signed { event / 3 * 4 + AROUND } else { 0 };
    json + token
}

/// The bodies that were made of one event so far.
struct Bodies {
    event: Bytes,
    hidden: Hidden,
    json: Option<Bytes>,
    /// The JWT, signed by whoever was first.
    token: Option<Bytes>,
}

impl Bodies {
    fn of(event: &Bytes, hidden: Hidden) -> Self {
        Self {
            event: event.clone(),
            hidden,
            json: None,
            token: None,
        }
    }

    /// True if they were built from `event`. Comparing addresses suffices, because these bytes are kept; comparing
    /// contents would cost too much.
    fn are_of(&self, event: &Bytes, hidden: Hidden) -> bool {
        std::ptr::eq(&*self.event, &**event) && self.hidden == hidden
    }

    fn made_by(&mut self, signer: Option<&Signer>) -> Bytes {
        match signer {
            Some(signer) => self.signed_by(signer),
            None => self.json(),
        }
    }

    fn json(&mut self) -> Bytes {
        let (event, hidden) = (&self.event, self.hidden);
        let json = self.json.get_or_insert_with(|| match redact(event, hidden) {
            Cow::Borrowed(_) => event.clone(),
            Cow::Owned(json) => json.into(),
        });
        json.clone()
    }

    fn signed_by(&mut self, signer: &Signer) -> Bytes {
        let again = self.token.as_deref().and_then(|token| signer.sign_again(token));
        if let Some(again) = again {
            return again.into();
        }
        let token = Bytes::from(signer.sign_to_bytes(&redact(&self.event, self.hidden)));
        self.token = Some(token.clone());
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDINGS: Hidden = Hidden {
        recordings: true,
        message_text: false,
    };

    #[test]
    fn a_body_does_not_depend_on_what_was_made_before() {
        let large = format!(r#"{{"c":"{}","recording_url":"z"}}"#, "x".repeat(REMEMBERED));
        let events = [
            r#"{"a":1,"recording_url":"x"}"#,
            r#"{"b":2,"recording_url":"y"}"#,
            &large,
        ]
        .map(|event| Bytes::from(event.to_owned()));
        let signers = [None, Some(Signer::new("one")), Some(Signer::with_key_id("other"))];
        let mut seed = 1_usize;
        for _ in 0..1_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = |shift: u32, count: usize| (seed >> shift) % count;
            let (event, signer) = (&events[at(33, 3)], &signers[at(40, 3)]);
            let hidden = [Hidden::NOTHING, RECORDINGS][at(50, 2)];
            let expected = redact(event, hidden);
            let expected = signer
                .as_ref()
                .map_or_else(|| expected.to_vec(), |signer| signer.sign(&expected).into_bytes());
            // The same bytes somewhere else are as good.
            let event = [event.clone(), Bytes::copy_from_slice(event)][at(55, 2)].clone();
            assert_eq!(body_of(signer.as_ref(), &event, hidden), expected);
            let most = size_made(signer.is_some(), event.len(), hidden);
            assert!(
                expected.len() <= most || (signer.is_none() && hidden.is_nothing()),
                "{most}"
            );
        }
    }
}
