//! A lane: order within a key, breathing, giving back.

use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::Kind;
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::{CompanyId, EventId, WebhookId};
use switchhook_domain::redaction::Hidden;
use switchhook_domain::retry::Failures;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Of which a webhook with 64 attempts at once may have some 4 MiB.
const MEMORY: u64 = 100 << 20;

fn claimed(id: i64, key: Option<&str>) -> Box<ClaimedDelivery> {
    let delivery = Delivery {
        id: DeliveryId(id),
        event_id: EventId(id),
        ordinal: 0,
        company_id: CompanyId(1),
        webhook_id: WebhookId(1),
        kind: Kind::Call,
        subscription_ids: vec![],
        hidden: Hidden::NOTHING,
        order_key: key.map(OrderKey::new),
        state: DeliveryState::Pending { due_at: NOW },
        attempt_number: 1,
        failures: Failures::default(),
        blocks_until: NOW,
        note: None,
        origin: None,
        replay_id: None,
        held: Duration::ZERO,
        created_at: NOW,
    };
    Box::new(ClaimedDelivery {
        delivery,
        body: Bytes::new(),
        was_read: false,
        was_due_at: NOW,
    })
}

fn lane(max_in_flight: u32) -> Lane {
    Lane::new(
        Arc::new(Load::default()),
        max_in_flight,
        Memory::new(MEMORY, 10_000),
    )
}

fn started(lane: &mut Lane) -> Vec<i64> {
    std::iter::from_fn(|| lane.start(NOW, None))
        .map(|claimed| claimed.delivery.id.0)
        .collect()
}

fn ids(released: &[Release]) -> Vec<i64> {
    released.iter().map(|release| release.delivery_id.0).collect()
}

#[test]
fn one_call_goes_in_order_and_others_beside_it() {
    let mut lane = lane(64);
    for (id, key) in [(1, "call:a"), (2, "call:a"), (3, "call:b"), (4, "call:a")] {
        assert!(lane.take(claimed(id, Some(key)), NOW).is_none());
    }
    assert_eq!(started(&mut lane), [1, 3]);
    let a = OrderKey::new("call:a");
    assert!(lane.ended(Some(&a), false, NOW).is_empty());
    assert_eq!(started(&mut lane), [2]);
}

#[test]
fn a_failure_sends_its_followers_back_and_those_that_come_until_it_is_settled() {
    let mut lane = lane(64);
    let a = OrderKey::new("call:a");
    for id in [1, 2, 3] {
        lane.take(claimed(id, Some("call:a")), NOW);
    }
    assert_eq!(started(&mut lane), [1]);
    assert_eq!(ids(&lane.ended(Some(&a), true, NOW)), [2, 3]);
    assert!(
        lane.take(claimed(4, Some("call:a")), NOW).is_some(),
        "it was claimed before the failure was stored"
    );
    for id in [1, 2, 3, 4] {
        lane.settled(DeliveryId(id));
    }
    assert!(
        lane.take(claimed(1, Some("call:a")), NOW).is_none(),
        "the retry starts afresh"
    );
    assert_eq!(started(&mut lane), [1]);
}

#[test]
fn failures_lower_what_is_under_way_at_once_and_successes_raise_it() {
    let mut lane = lane(8);
    for id in 1..=20 {
        lane.take(claimed(id, None), NOW);
    }
    assert_eq!(started(&mut lane).len(), 8);
    for _ in 0..8 {
        lane.ended(None, false, NOW);
        lane.went_badly();
    }
    assert_eq!(started(&mut lane).len(), 1);
    lane.ended(None, false, NOW);
    lane.went_well(8);
    assert_eq!(started(&mut lane).len(), 2);
}

#[test]
fn a_lane_that_shrank_gives_its_surplus_back() {
    let mut lane = lane(8);
    for id in 1..=100 {
        lane.take(claimed(id, None), NOW);
    }
    for _ in 0..4 {
        lane.went_badly();
    }
    assert_eq!(
        lane.give_back_surplus(NOW).len(),
        100 - HANDED_OVER_PER_ATTEMPT as usize
    );
}

#[test]
fn giving_everything_back_keeps_the_order_for_what_comes_meanwhile() {
    let mut lane = lane(64);
    lane.take(claimed(1, Some("call:a")), NOW);
    lane.take(claimed(2, Some("call:a")), NOW);
    assert_eq!(ids(&lane.give_back_all(NOW)), [1, 2]);
    assert!(lane.take(claimed(3, Some("call:a")), NOW).is_some());
    assert!(!lane.can_start(NOW));
}

#[test]
fn what_became_due_during_a_claim_is_not_forgotten_by_its_answer() {
    let mut lane = lane(64);
    lane.due_in_store(NOW);
    lane.claim_began();
    assert_eq!(lane.next_claim_at(), None);
    lane.due_in_store(NOW);
    lane.claim_ended(None);
    assert_eq!(lane.next_claim_at(), Some(NOW));
}

#[test]
fn a_lane_with_little_room_does_not_claim() {
    let mut lane = lane(1);
    lane.due_in_store(NOW);
    for id in 1..=i64::from(HANDED_OVER_PER_ATTEMPT) {
        lane.take(claimed(id, None), NOW);
    }
    assert_eq!(lane.next_claim_at(), None);
    for id in 1..=i64::from(HANDED_OVER_PER_ATTEMPT / 2) {
        lane.settled(DeliveryId(id));
    }
    assert_eq!(lane.next_claim_at(), Some(NOW));
}

#[test]
fn what_is_cancelled_is_given_back_and_what_is_behind_it_goes_on() {
    let mut lane = lane(64);
    for (id, key) in [(1, Some("a")), (2, Some("a")), (3, Some("a")), (4, None)] {
        assert!(lane.take(claimed(id, key), NOW).is_none());
    }
    let mut cancel = |id| {
        lane.cancelled(DeliveryId(id), NOW)
            .map(|release| release.delivery_id.0)
    };
    assert_eq!((cancel(2), cancel(1), cancel(4)), (Some(2), Some(1), Some(4)));
    assert_eq!(cancel(99), None, "another node's");
    assert_eq!(started(&mut lane), [3]);
    assert!(lane.cancelled(DeliveryId(3), NOW).is_none(), "it is under way");
    assert!(
        lane.cancelled(DeliveryId(1), NOW).is_none(),
        "it is on its way back"
    );
    for id in [1, 2, 4] {
        lane.settled(DeliveryId(id));
    }
    assert_eq!(lane.handed_over(), 1);
}

fn with_bytes(id: i64, size: usize) -> Box<ClaimedDelivery> {
    let mut claimed = claimed(id, None);
    claimed.body = Bytes::from(vec![b' '; size]);
    claimed
}

#[test]
fn a_lane_with_more_than_half_its_bytes_asks_for_no_more_until_some_are_settled() {
    let mut lane = lane(64);
    assert_eq!(lane.bytes_room(), lane.share());
    for id in 1..=2 {
        assert!(lane.room() > 0, "{id}");
        lane.take(with_bytes(id, 1 << 20), NOW);
    }
    assert_eq!((lane.bytes(), lane.room()), (2 << 20, 0));
    lane.settled(DeliveryId(1));
    assert!(lane.room() > 0);
    assert_eq!(lane.bytes_room(), lane.share() - (1 << 20));
}

#[test]
fn a_receiver_that_fails_gives_back_what_its_share_of_the_bytes_no_longer_holds() {
    let mut lane = lane(64);
    for id in 1..=8 {
        lane.take(with_bytes(id, 500_000), NOW);
    }
    for _ in 0..3 {
        lane.went_badly();
    }
    // A limit of 8 is a share of 0.5 MB.
    assert_eq!(ids(&lane.give_back_surplus(NOW)), [8, 7, 6, 5, 4, 3, 2]);
    assert_eq!(started(&mut lane), [1], "one can always go");
}
