//! Frames that nobody wrote: what is read of them, for the fuzz targets.

use bytes::Bytes;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, SubscriptionId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::subscription::Revision;
use switchhook_domain::{Kind, Timestamp};

use super::frame::{self, FramePosition};
use crate::event::{Idempotency, NewDelivery, NewEvent};

const PLACE: FramePosition = FramePosition {
    generation: 7,
    number: 3,
};

/// The fewest bytes that an event takes.
const SMALLEST_EVENT: usize = 48;

/// Reads bytes as a frame, and as the payload of one whose checksum is right. Whatever is read means the same when it is
/// written again, and of a frame that is cut short nothing is read.
pub fn frame(input: &[u8]) {
    check(input);
    let mut whole = vec![0; frame::HEAD];
    whole.extend_from_slice(input);
    frame::seal(&mut whole, PLACE);
    check(&whole);
    for cut in (0..8).map(|part| whole.len() * part / 8) {
        assert!(frame::read(&mut &whole[..cut], PLACE).is_none(), "cut at {cut}");
    }
    let other = FramePosition { number: 4, ..PLACE };
    assert!(frame::read(&mut &whole[..], other).is_none());
}

fn check(bytes: &[u8]) {
    let mut rest = bytes;
    let Some(events) = frame::read(&mut rest, PLACE) else {
        assert_eq!(rest, bytes, "what is not read is not passed");
        return;
    };
    assert!(events.len() <= bytes.len() / SMALLEST_EVENT);
    let mut again = Vec::new();
    frame::write(&mut again, PLACE, events.iter());
    let read = frame::read(&mut &again[..], PLACE).expect("what was written is read");
    assert_eq!(format!("{read:?}"), format!("{events:?}"));
}

/// Whole frames, and payloads of them.
#[must_use]
pub fn frame_seeds() -> Vec<Vec<u8>> {
    let event = |key: Option<&str>| NewEvent {
        id: EventId(11),
        company_id: CompanyId(1),
        kind: Kind::Call,
        body: Bytes::from_static(b"{\"call_id\":1}"),
        accepted_at: Timestamp::from_millis(1_790_000_000_000),
        order_key: key.map(OrderKey::new),
        warnings: vec!["a warning".to_owned()],
        idempotency: key.map(|key| Idempotency {
            key: key.to_owned(),
            not_before: Timestamp::from_millis(5),
        }),
        deliveries: vec![NewDelivery {
            id: DeliveryId(12),
            webhook_id: WebhookId(13),
            subscription_ids: vec![SubscriptionId(14), SubscriptionId(15)],
            hidden: Hidden::EVERYTHING,
            is_ordered: true,
            claim_until: Some(Timestamp::from_millis(6)),
        }],
        revision: Revision(3),
        concealable: Hidden::EVERYTHING,
        is_logged: true,
    };
    let mut whole = Vec::new();
    frame::write(&mut whole, PLACE, [event(Some("call:1")), event(None)].iter());
    let payload = whole[frame::HEAD..].to_vec();
    vec![whole, payload, Vec::new()]
}
