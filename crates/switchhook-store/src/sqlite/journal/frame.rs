//! Frames: events as bytes and back. All numbers are little-endian.
//!
//! A frame is `length of the payload: u32 · checksum: u32 · generation: i32 · number: u32 · payload`. The checksum
//! (CRC-32) is over all that follows it. A frame counts only behind all frames of its generation before it.

use bytes::{Buf, BufMut, Bytes, TryGetError};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, SubscriptionId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::subscription::Revision;
use switchhook_domain::{Kind, Timestamp};

use crate::event::{Idempotency, NewDelivery, NewEvent};

/// Bytes before the payload.
pub(super) const HEAD: usize = 16;

/// Offset in the head from which the checksum counts.
const CHECKED_FROM: usize = 8;

/// Generation and number of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FramePosition {
    pub(super) generation: i32,
    pub(super) number: u32,
}

/// Writes a frame behind what is in `to`.
pub(super) fn write<'e>(to: &mut Vec<u8>, place: FramePosition, events: impl Iterator<Item = &'e NewEvent>) {
    let start = to.len();
    to.put_bytes(0, HEAD);
    for event in events {
        put_event(to, event);
    }
    seal(&mut to[start..], place);
}

/// Writes the head of a frame whose payload is there.
pub(super) fn seal(frame: &mut [u8], place: FramePosition) {
    let length = length(frame.len() - HEAD);
    let mut head = &mut frame[..HEAD];
    head.put_u32_le(length);
    head.put_u32_le(0);
    head.put_i32_le(place.generation);
    head.put_u32_le(place.number);
    let checksum = crc32fast::hash(&frame[CHECKED_FROM..]);
    frame[4..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

/// Position of the frame that begins here, by its head alone.
pub(super) fn place_of(mut head: &[u8]) -> Option<FramePosition> {
    head.advance(CHECKED_FROM.min(head.len()));
    Some(FramePosition {
        generation: head.try_get_i32_le().ok()?,
        number: head.try_get_u32_le().ok()?,
    })
}

/// Reads the frame at the beginning of `from` and passes it; `None` if there is not this one, or not all of it.
pub(super) fn read(from: &mut &[u8], place: FramePosition) -> Option<Vec<NewEvent>> {
    let mut head = *from;
    let payload_length = usize::try_from(head.try_get_u32_le().ok()?).ok()?;
    let checksum = head.try_get_u32_le().ok()?;
    let whole = from.get(..HEAD.checked_add(payload_length)?)?;
    if place_of(whole) != Some(place) || crc32fast::hash(&whole[CHECKED_FROM..]) != checksum {
        return None;
    }
    let mut payload = &whole[HEAD..];
    let mut events = Vec::new();
    while payload.has_remaining() {
        events.push(get_event(&mut payload).ok()?);
    }
    *from = &from[whole.len()..];
    Some(events)
}

fn put_event(to: &mut Vec<u8>, event: &NewEvent) {
    to.put_i64_le(event.id.0);
    to.put_i64_le(event.company_id.0);
    put_text(to, event.kind.route());
    to.put_i64_le(event.accepted_at.as_millis());
    to.put_i64_le(event.revision.0);
    to.put_u8(event.is_logged.into());
    put_maybe(to, event.order_key.as_ref(), |to, key| put_text(to, key.as_str()));
    put_maybe(to, event.idempotency.as_ref(), |to, idempotency| {
        put_text(to, &idempotency.key);
        to.put_i64_le(idempotency.not_before.as_millis());
    });
    put_list(to, &event.warnings, |to, warning| put_text(to, warning));
    put_list(to, &event.deliveries, put_delivery);
    put_bytes(to, &event.body);
}

fn get_event(from: &mut &[u8]) -> Result<NewEvent, Unreadable> {
    Ok(NewEvent {
        id: EventId(from.try_get_i64_le()?),
        company_id: CompanyId(from.try_get_i64_le()?),
        kind: Kind::of_kept(get_text(from)?).map_err(|_| Unreadable)?,
        accepted_at: get_time(from)?,
        revision: Revision(from.try_get_i64_le()?),
        concealable: Hidden::EVERYTHING,
        is_logged: from.try_get_u8()? != 0,
        order_key: get_maybe(from, |from| get_text(from).map(OrderKey::new))?,
        idempotency: get_maybe(from, |from| {
            Ok(Idempotency {
                key: get_text(from)?.to_owned(),
                not_before: get_time(from)?,
            })
        })?,
        warnings: get_list(from, |from| get_text(from).map(str::to_owned))?,
        deliveries: get_list(from, get_delivery)?,
        body: Bytes::copy_from_slice(get_bytes(from)?),
    })
}

fn put_delivery(to: &mut Vec<u8>, delivery: &NewDelivery) {
    to.put_i64_le(delivery.id.0);
    to.put_i64_le(delivery.webhook_id.0);
    put_list(to, &delivery.subscription_ids, |to, id| to.put_i64_le(id.0));
    to.put_u8(u8::from(delivery.hidden.recordings) | u8::from(delivery.hidden.message_text) << 1);
    to.put_u8(delivery.is_ordered.into());
    put_maybe(to, delivery.claim_until.as_ref(), |to, until| {
        to.put_i64_le(until.as_millis());
    });
}

fn get_delivery(from: &mut &[u8]) -> Result<NewDelivery, Unreadable> {
    Ok(NewDelivery {
        id: DeliveryId(from.try_get_i64_le()?),
        webhook_id: WebhookId(from.try_get_i64_le()?),
        subscription_ids: get_list(from, |from| Ok(SubscriptionId(from.try_get_i64_le()?)))?,
        hidden: {
            let hidden = from.try_get_u8()?;
            Hidden {
                recordings: hidden & 1 != 0,
                message_text: hidden & 2 != 0,
            }
        },
        is_ordered: from.try_get_u8()? != 0,
        claim_until: get_maybe(from, get_time)?,
    })
}

/// Frame with a valid checksum and unknown contents, which only another version writes.
#[derive(Debug)]
struct Unreadable;

impl From<TryGetError> for Unreadable {
    fn from(_: TryGetError) -> Self {
        Self
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("a commit has less than 4 GiB")
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    to.put_u32_le(length(bytes.len()));
    to.put_slice(bytes);
}

fn get_bytes<'f>(from: &mut &'f [u8]) -> Result<&'f [u8], Unreadable> {
    let length = usize::try_from(from.try_get_u32_le()?).map_err(|_| Unreadable)?;
    let (bytes, rest) = from.split_at_checked(length).ok_or(Unreadable)?;
    *from = rest;
    Ok(bytes)
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    put_bytes(to, text.as_bytes());
}

fn get_text<'f>(from: &mut &'f [u8]) -> Result<&'f str, Unreadable> {
    std::str::from_utf8(get_bytes(from)?).map_err(|_| Unreadable)
}

fn get_time(from: &mut &[u8]) -> Result<Timestamp, Unreadable> {
    Ok(Timestamp::from_millis(from.try_get_i64_le()?))
}

fn put_maybe<T>(to: &mut Vec<u8>, value: Option<&T>, put: impl FnOnce(&mut Vec<u8>, &T)) {
    to.put_u8(value.is_some().into());
    if let Some(value) = value {
        put(to, value);
    }
}

fn get_maybe<'f, T>(
    from: &mut &'f [u8],
    get: impl FnOnce(&mut &'f [u8]) -> Result<T, Unreadable>,
) -> Result<Option<T>, Unreadable> {
    match from.try_get_u8()? {
        0 => Ok(None),
        _ => get(from).map(Some),
    }
}

fn put_list<T>(to: &mut Vec<u8>, list: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    to.put_u32_le(length(list.len()));
    for one in list {
        put(to, one);
    }
}

fn get_list<'f, T>(
    from: &mut &'f [u8],
    mut get: impl FnMut(&mut &'f [u8]) -> Result<T, Unreadable>,
) -> Result<Vec<T>, Unreadable> {
    (0..from.try_get_u32_le()?).map(|_| get(from)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: FramePosition = FramePosition {
        generation: 7,
        number: 3,
    };

    fn any_delivery() -> impl Strategy<Value = NewDelivery> {
        let ids = prop::collection::vec(any::<i64>().prop_map(SubscriptionId), 0..4);
        (any::<i64>(), ids, any::<[bool; 3]>(), any::<Option<i64>>()).prop_map(|(id, ids, flags, until)| {
            NewDelivery {
                id: DeliveryId(id),
                webhook_id: WebhookId(id ^ 5),
                subscription_ids: ids,
                hidden: Hidden {
                    recordings: flags[0],
                    message_text: flags[1],
                },
                is_ordered: flags[2],
                claim_until: until.map(Timestamp::from_millis),
            }
        })
    }

    fn any_event() -> impl Strategy<Value = NewEvent> {
        let numbers = (any::<[i64; 3]>(), any::<bool>(), 0..Kind::KEPT.len());
        let texts = (
            any::<Option<String>>(),
            any::<Option<String>>(),
            any::<Vec<String>>(),
        );
        let deliveries = prop::collection::vec(any_delivery(), 0..4);
        (numbers, texts, deliveries, any::<String>()).prop_map(
            |((numbers, is_logged, kind), (order_key, key, warnings), deliveries, body)| NewEvent {
                id: EventId(numbers[0]),
                company_id: CompanyId(numbers[1]),
                kind: Kind::KEPT[kind],
                body: Bytes::from(body),
                accepted_at: Timestamp::from_millis(numbers[2]),
                order_key: order_key.map(|key| OrderKey::new(&*key)),
                warnings,
                idempotency: key.map(|key| Idempotency {
                    key,
                    not_before: Timestamp::from_millis(numbers[0]),
                }),
                deliveries,
                revision: Revision(numbers[1]),
                concealable: Hidden::EVERYTHING,
                is_logged,
            },
        )
    }

    fn frame(events: &[NewEvent]) -> Vec<u8> {
        let mut frame = Vec::new();
        write(&mut frame, PLACE, events.iter());
        frame
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(events in prop::collection::vec(any_event(), 0..4)) {
            let bytes = frame(&events);
            let mut from = &bytes[..];
            let read = read(&mut from, PLACE).unwrap();
            prop_assert_eq!(format!("{read:?}"), format!("{events:?}"));
            prop_assert!(from.is_empty());
        }

        #[test]
        fn a_frame_that_was_torn_or_changed_is_none(
            events in prop::collection::vec(any_event(), 1..3), place: prop::sample::Index, flip in 1_u8..,
        ) {
            let bytes = frame(&events);
            let place = place.index(bytes.len());
            prop_assert!(read(&mut &bytes[..place], PLACE).is_none(), "torn at {}", place);
            let mut changed = bytes;
            changed[place] ^= flip;
            prop_assert!(read(&mut &changed[..], PLACE).is_none(), "changed at {}", place);
        }
    }

    #[test]
    fn a_frame_of_another_place_is_none() {
        let bytes = frame(&[]);
        for (generation, number) in [(6, 3), (8, 3), (7, 2), (7, 4)] {
            assert!(read(&mut &bytes[..], FramePosition { generation, number }).is_none());
        }
        assert!(read(&mut &[0; 64][..], PLACE).is_none());
    }
}
