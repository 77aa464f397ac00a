//! Starting, claiming and returning.

use super::limits::CLAIMED_PER_ATTEMPT;
use super::*;
use crate::delivery::samples::{NOW, claimed, claimed_with, ids};

/// Of which a webhook with 64 attempts at once may have some 4 MiB.
const MEMORY: u64 = 100 << 20;

fn queue(max_in_flight: u32) -> WebhookQueue {
    WebhookQueue::new(
        Arc::new(Load::default()),
        max_in_flight,
        Memory::new(MEMORY, 10_000),
    )
}

/// A queue with so many deliveries in it.
fn queue_with(max_in_flight: u32, count: i64) -> WebhookQueue {
    let mut queue = queue(max_in_flight);
    for id in 1..=count {
        queue.take(claimed(id, None));
    }
    queue
}

fn start(queue: &mut WebhookQueue) -> Option<Box<ClaimedDelivery>> {
    let started = queue.start(None, NOW).expect("nothing is made of its event");
    started.map(|started| started.claimed)
}

fn started(queue: &mut WebhookQueue) -> Vec<i64> {
    std::iter::from_fn(|| start(queue))
        .map(|claimed| claimed.delivery.id.0)
        .collect()
}

fn end(queue: &mut WebhookQueue, class: OutcomeClass) -> Vec<Release> {
    queue.ended(&AttemptEnd {
        order_key: None,
        is_blocking: false,
        class,
        max_in_flight: 64,
    })
}

#[test]
fn failures_lower_what_is_under_way_at_once_and_successes_raise_it() {
    let mut queue = queue_with(8, 20);
    assert_eq!(started(&mut queue).len(), 8);
    for _ in 0..8 {
        end(&mut queue, OutcomeClass::Failed);
    }
    assert_eq!(started(&mut queue).len(), 1);
    end(&mut queue, OutcomeClass::Accepted);
    assert_eq!(started(&mut queue).len(), 2);
    end(&mut queue, OutcomeClass::Refused);
    assert_eq!(started(&mut queue).len(), 1, "a refusal is an answer");
}

#[test]
fn a_receiver_that_fails_gives_back_what_its_share_no_longer_holds() {
    let mut queue = queue_with(8, 100);
    assert_eq!(started(&mut queue).len(), 8);
    let given_back: usize = (0..4)
        .map(|_| end(&mut queue, OutcomeClass::Unanswered).len())
        .sum();
    assert_eq!(given_back, 100 - 8 - CLAIMED_PER_ATTEMPT as usize);
}

#[test]
fn a_receiver_that_fails_gives_back_what_its_share_of_the_bytes_no_longer_holds() {
    let mut queue = queue(64);
    for id in 1..=12 {
        queue.take(claimed_with(id, 500_000));
    }
    for _ in 1..=4 {
        start(&mut queue).unwrap();
    }
    let mut back = Vec::new();
    for _ in 0..3 {
        back.extend(end(&mut queue, OutcomeClass::Failed));
    }
    // A limit of 8 is a share of 0.5 MB.
    assert_eq!(ids(&back), [12, 11, 10, 9, 8, 7, 6]);
    assert_eq!(started(&mut queue), [5], "one can always go");
}

#[test]
fn a_queue_with_little_room_does_not_claim() {
    let mut queue = queue_with(1, CLAIMED_PER_ATTEMPT.into());
    queue.backlog().due(NOW);
    assert_eq!(queue.next_claim_at(), None);
    for id in 1..=i64::from(CLAIMED_PER_ATTEMPT / 2) {
        queue.settled(DeliveryId(id), 1);
    }
    assert_eq!(queue.next_claim_at(), Some(NOW));
}

#[test]
fn a_queue_with_more_than_half_its_bytes_asks_for_no_more_until_some_are_settled() {
    let mut queue = queue(64);
    for id in 1..=2 {
        assert!(queue.room() > 0, "{id}");
        queue.take(claimed_with(id, 1 << 20));
    }
    assert_eq!(queue.room(), 0);
    queue.settled(DeliveryId(1), 1);
    assert!(queue.room() > 0);
}

#[test]
fn a_claim_stops_after_the_bytes_that_are_left_of_a_share() {
    let mut queue = queue(64);
    let bytes_for = |queue: &WebhookQueue| queue.room_for_claim(1).unwrap().0;
    assert_eq!(bytes_for(&queue), queue.share());
    queue.take(claimed_with(1, 1 << 20));
    assert_eq!(bytes_for(&queue), queue.share() - (1 << 20));
}

#[test]
fn a_queue_asks_for_nothing_while_something_is_on_its_way_back() {
    let mut queue = queue(64);
    queue.backlog().due(NOW);
    for id in [1, 2] {
        queue.take(claimed(id, Some("call:a")));
    }
    let first = start(&mut queue).unwrap();
    assert_eq!(ids(&queue.not_attempted(&first)), [1, 2]);
    assert_eq!(queue.next_claim_at(), None);
    queue.settled(DeliveryId(1), 1);
    assert_eq!(queue.next_claim_at(), None);
    queue.settled(DeliveryId(2), 1);
    assert_eq!(queue.next_claim_at(), Some(NOW));
}

#[test]
fn a_queue_with_a_rate_claims_what_can_start_while_the_lease_lasts_and_when_it_can() {
    let mut queue = queue(64);
    let rate = Some(1.0 / 60.0);
    queue.keep_to(rate, Duration::from_secs(40));
    assert_eq!(queue.room(), 1);
    queue.backlog().due(NOW);
    queue.take(claimed(1, None));
    start(&mut queue).unwrap();
    queue.attempted(NOW, rate);
    end(&mut queue, OutcomeClass::Accepted);
    queue.settled(DeliveryId(1), 1);
    let next = queue.next_claim_at().unwrap();
    assert!(
        next > NOW.plus(Duration::from_secs(59)),
        "not before the next may start: {next}"
    );
    queue.take(claimed(2, None));
    assert!(!queue.can_start(NOW));
    assert_eq!(queue.next_step_at(NOW), Some(next), "then it starts");
}

const fn last_failure() -> LastFailure {
    LastFailure {
        at: NOW,
        delivery_id: DeliveryId(1),
        attempt_number: 1,
        failure: None,
    }
}

#[test]
fn an_open_breaker_lets_one_delivery_probe_the_receiver() {
    let mut queue = queue_with(64, 5);
    let mut probe_at = None;
    while probe_at.is_none() {
        let (_, breaker) = queue.note(OutcomeClass::Failed, last_failure(), true, NOW);
        probe_at = breaker.not_before();
    }
    assert!(!queue.can_start(NOW));
    assert_eq!(queue.next_step_at(NOW), probe_at);
    let probe_at = probe_at.unwrap();
    assert!(queue.start(None, probe_at).unwrap().is_some());
    assert!(queue.start(None, probe_at).unwrap().is_none(), "one is under way");
    assert_eq!(queue.room(), 0);
}

#[test]
fn a_queue_is_idle_when_nothing_is_here_and_nothing_in_the_store() {
    let mut queue = queue_with(1, 1);
    assert!(!queue.is_idle());
    queue.settled(DeliveryId(1), 1);
    assert!(queue.is_idle());
    queue.backlog().due(NOW);
    assert!(!queue.is_idle());
}
