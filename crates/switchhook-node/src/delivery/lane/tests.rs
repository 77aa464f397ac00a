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
        suspended: Duration::ZERO,
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
    std::iter::from_fn(|| lane.start(NOW))
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
        assert!(lane.take(claimed(id, Some(key))).is_none());
    }
    assert_eq!(started(&mut lane), [1, 3]);
    let a = OrderKey::new("call:a");
    assert!(lane.ended(Some(&a), false).is_empty());
    assert_eq!(started(&mut lane), [2]);
}

#[test]
fn a_failure_sends_its_followers_back_and_those_that_come_until_it_is_settled() {
    let mut lane = lane(64);
    let a = OrderKey::new("call:a");
    for id in [1, 2, 3] {
        lane.take(claimed(id, Some("call:a")));
    }
    assert_eq!(started(&mut lane), [1]);
    assert_eq!(ids(&lane.ended(Some(&a), true)), [2, 3]);
    assert!(
        lane.take(claimed(4, Some("call:a"))).is_some(),
        "it was claimed before the failure was stored"
    );
    for id in [1, 2, 3, 4] {
        lane.settled(DeliveryId(id), 1);
    }
    assert!(
        lane.take(claimed(1, Some("call:a"))).is_none(),
        "the retry starts afresh"
    );
    assert_eq!(started(&mut lane), [1]);
}

#[test]
fn failures_lower_what_is_under_way_at_once_and_successes_raise_it() {
    let mut lane = lane(8);
    for id in 1..=20 {
        lane.take(claimed(id, None));
    }
    assert_eq!(started(&mut lane).len(), 8);
    for _ in 0..8 {
        lane.ended(None, false);
        lane.went_badly();
    }
    assert_eq!(started(&mut lane).len(), 1);
    lane.ended(None, false);
    lane.went_well(8);
    assert_eq!(started(&mut lane).len(), 2);
}

#[test]
fn a_lane_that_shrank_gives_its_surplus_back() {
    let mut lane = lane(8);
    for id in 1..=100 {
        lane.take(claimed(id, None));
    }
    for _ in 0..4 {
        lane.went_badly();
    }
    assert_eq!(
        lane.give_back_surplus().len(),
        100 - HANDED_OVER_PER_ATTEMPT as usize
    );
}

#[test]
fn giving_everything_back_keeps_the_order_for_what_comes_meanwhile() {
    let mut lane = lane(64);
    lane.take(claimed(1, Some("call:a")));
    lane.take(claimed(2, Some("call:a")));
    assert_eq!(ids(&lane.give_back_all()), [1, 2]);
    assert!(lane.take(claimed(3, Some("call:a"))).is_some());
    assert!(!lane.can_start(NOW));
}

#[test]
fn what_became_due_during_a_claim_is_not_forgotten_by_its_answer() {
    let mut lane = lane(64);
    lane.due_in_store(NOW);
    lane.claim_began();
    assert_eq!(lane.next_claim_at(), None);
    lane.due_in_store(NOW);
    lane.claim_ended(1, None, NOW);
    assert_eq!(lane.next_claim_at(), Some(NOW));
}

#[test]
fn a_lane_with_little_room_does_not_claim() {
    let mut lane = lane(1);
    lane.due_in_store(NOW);
    for id in 1..=i64::from(HANDED_OVER_PER_ATTEMPT) {
        lane.take(claimed(id, None));
    }
    assert_eq!(lane.next_claim_at(), None);
    for id in 1..=i64::from(HANDED_OVER_PER_ATTEMPT / 2) {
        lane.settled(DeliveryId(id), 1);
    }
    assert_eq!(lane.next_claim_at(), Some(NOW));
}

#[test]
fn what_is_cancelled_is_given_back_and_what_is_behind_it_goes_on() {
    let mut lane = lane(64);
    for (id, key) in [(1, Some("a")), (2, Some("a")), (3, Some("a")), (4, None)] {
        assert!(lane.take(claimed(id, key)).is_none());
    }
    let mut cancel = |id| {
        lane.cancelled(DeliveryId(id))
            .map(|release| release.delivery_id.0)
    };
    assert_eq!((cancel(2), cancel(1), cancel(4)), (Some(2), Some(1), Some(4)));
    assert_eq!(cancel(99), None, "another node's");
    assert_eq!(started(&mut lane), [3]);
    assert!(lane.cancelled(DeliveryId(3)).is_none(), "it is under way");
    assert!(lane.cancelled(DeliveryId(1)).is_none(), "it is on its way back");
    for id in [1, 2, 4] {
        lane.settled(DeliveryId(id), 1);
    }
    assert_eq!(lane.handed_over(), 1);
}

fn with_bytes(id: i64, size: usize) -> Box<ClaimedDelivery> {
    let mut claimed = claimed(id, None);
    claimed.body = Bytes::from(vec![b' '; size]);
    claimed
}

/// The claim of a delivery at an attempt.
fn claimed_at(id: i64, key: &str, attempt_number: u32) -> Box<ClaimedDelivery> {
    let mut claimed = claimed(id, Some(key));
    claimed.delivery.attempt_number = attempt_number;
    claimed
}

#[test]
fn a_lane_with_more_than_half_its_bytes_asks_for_no_more_until_some_are_settled() {
    let mut lane = lane(64);
    assert_eq!(lane.bytes_room(), lane.share());
    for id in 1..=2 {
        assert!(lane.room() > 0, "{id}");
        lane.take(with_bytes(id, 1 << 20));
    }
    assert_eq!((lane.bytes(), lane.room()), (2 << 20, 0));
    lane.settled(DeliveryId(1), 1);
    assert!(lane.room() > 0);
    assert_eq!(lane.bytes_room(), lane.share() - (1 << 20));
}

#[test]
fn a_receiver_that_fails_gives_back_what_its_share_of_the_bytes_no_longer_holds() {
    let mut lane = lane(64);
    for id in 1..=8 {
        lane.take(with_bytes(id, 500_000));
    }
    for _ in 0..3 {
        lane.went_badly();
    }
    // A limit of 8 is a share of 0.5 MB.
    assert_eq!(ids(&lane.give_back_surplus()), [8, 7, 6, 5, 4, 3, 2]);
    assert_eq!(started(&mut lane), [1], "one can always go");
}

#[test]
fn an_old_claim_and_a_new_one_of_a_delivery_are_settled_each_by_itself() {
    let mut lane = lane(64);
    for attempt_number in [1, 2] {
        lane.take(claimed_at(1, "call:a", attempt_number));
    }
    let old = lane.start(NOW).unwrap();
    assert_eq!(lane.not_attempted(&old).len(), 2, "the new one waited behind it");
    assert!(lane.settled(DeliveryId(1), 1));
    assert!(
        lane.take(claimed_at(2, "call:a", 1)).is_some(),
        "the new one is not back yet"
    );
    for (id, attempt_number) in [(1, 2), (2, 1)] {
        assert!(lane.settled(DeliveryId(id), attempt_number));
        assert!(!lane.settled(DeliveryId(id), attempt_number), "only once");
    }
    assert!(
        lane.is_idle(),
        "nothing of it is left that could hold up what comes"
    );
    assert!(lane.take(claimed_at(1, "call:a", 2)).is_none());
    assert_eq!(started(&mut lane), [1]);
}

#[test]
fn a_lane_asks_for_nothing_while_something_is_on_its_way_back() {
    let mut lane = lane(64);
    lane.due_in_store(NOW);
    for id in [1, 2] {
        lane.take(claimed(id, Some("call:a")));
    }
    let first = lane.start(NOW).unwrap();
    assert_eq!(ids(&lane.not_attempted(&first)), [1, 2]);
    assert_eq!(lane.next_claim_at(), None);
    lane.settled(DeliveryId(1), 1);
    assert_eq!(lane.next_claim_at(), None);
    lane.settled(DeliveryId(2), 1);
    assert_eq!(lane.next_claim_at(), Some(NOW));
}

#[test]
fn what_may_not_be_its_own_goes_back_and_holds_up_what_comes_behind_it() {
    let mut lane = lane(64);
    lane.take(claimed(1, Some("call:a")));
    assert_eq!(
        lane.take_doubtful(&claimed(2, Some("call:a"))).delivery_id,
        DeliveryId(2)
    );
    assert!(lane.take(claimed(3, Some("call:a"))).is_some());
    assert_eq!(started(&mut lane), [1], "what came before it goes on");
    assert_eq!(lane.next_claim_at(), None);
}

#[test]
fn a_lane_knows_when_a_lease_of_its_own_is_over() {
    let mut lane = lane(64);
    let before = Timestamp::from_millis(NOW.as_millis() - 1);
    lane.take(claimed(1, None));
    assert!(!lane.has_overdue(before));
    assert!(lane.has_overdue(NOW));
    lane.settled(DeliveryId(1), 1);
    assert!(!lane.has_overdue(NOW));
}

#[test]
fn what_is_given_back_is_as_old_as_it_was() {
    let mut lane = lane(64);
    let mut old = claimed(1, None);
    old.was_due_at = Timestamp::from_millis(NOW.as_millis() - 90_000);
    let due_at = old.was_due_at;
    lane.take(old);
    assert_eq!(lane.give_back_all()[0].due_at, due_at);
}

#[test]
fn a_lane_with_a_rate_takes_what_can_start_while_the_lease_lasts_and_when_it_can() {
    let mut lane = lane(64);
    lane.keep_to(Some(0.5), Duration::from_secs(40));
    assert_eq!(lane.room(), 20);
    lane.keep_to(Some(1.0 / 60.0), Duration::from_secs(40));
    assert_eq!(lane.room(), 1);
    lane.due_in_store(NOW);
    lane.take(claimed(1, None));
    lane.start(NOW).unwrap();
    lane.attempted(NOW, Some(1.0 / 60.0));
    lane.ended(None, false);
    lane.settled(DeliveryId(1), 1);
    let next = lane.next_claim_at().unwrap();
    assert!(
        next > NOW.plus(Duration::from_secs(59)),
        "not before the next may start: {next}"
    );
    assert!(!lane.can_start(NOW));
}

#[test]
fn a_claim_that_brings_nothing_is_not_made_again_at_once() {
    let mut lane = lane(64);
    let mut waits = Vec::new();
    for _ in 0..8 {
        lane.claim_began();
        lane.claim_ended(0, Some(NOW), NOW);
        waits.push(lane.next_claim_at().unwrap().since(NOW).as_millis());
    }
    assert_eq!(waits, [60, 120, 240, 480, 960, 1_920, 1_920, 1_920]);
    lane.claim_began();
    lane.claim_ended(1, Some(NOW), NOW);
    assert_eq!(lane.next_claim_at(), Some(NOW));
}
