//! Order within a key, and what goes back.

use super::*;
use crate::delivery::samples::{NOW, claimed, claimed_at, ids};

/// Claims of these deliveries, each with its order key.
fn claims(deliveries: &[(i64, Option<&str>)]) -> Claims {
    let mut claims = Claims::default();
    for (id, key) in deliveries {
        assert!(claims.take(claimed(*id, *key)).is_none(), "{id}");
    }
    claims
}

fn started(claims: &mut Claims) -> Vec<i64> {
    std::iter::from_fn(|| claims.start(0))
        .map(|claimed| claimed.delivery.id.0)
        .collect()
}

#[test]
fn one_call_goes_in_order_and_others_beside_it() {
    let (a, b) = (Some("call:a"), Some("call:b"));
    let mut claims = claims(&[(1, a), (2, a), (3, b), (4, a)]);
    assert_eq!(started(&mut claims), [1, 3]);
    let a = OrderKey::new("call:a");
    assert!(claims.ended(Some(&a), false).is_empty());
    assert_eq!(started(&mut claims), [2]);
}

#[test]
fn a_failure_sends_its_followers_back_and_those_that_come_until_it_is_settled() {
    let a = OrderKey::new("call:a");
    let key = Some("call:a");
    let mut claims = claims(&[(1, key), (2, key), (3, key)]);
    assert_eq!(started(&mut claims), [1]);
    assert_eq!(ids(&claims.ended(Some(&a), true)), [2, 3]);
    assert!(
        claims.take(claimed(4, key)).is_some(),
        "it was claimed before the failure was stored"
    );
    for id in [1, 2, 3, 4] {
        claims.settled(DeliveryId(id), 1);
    }
    assert!(claims.take(claimed(1, key)).is_none(), "the retry starts afresh");
    assert_eq!(started(&mut claims), [1]);
}

#[test]
fn giving_everything_back_keeps_the_order_for_what_comes_meanwhile() {
    let key = Some("call:a");
    let mut claims = claims(&[(1, key), (2, key)]);
    assert_eq!(ids(&claims.give_back_all()), [1, 2]);
    assert!(claims.take(claimed(3, key)).is_some());
    assert!(started(&mut claims).is_empty());
}

#[test]
fn what_is_cancelled_is_given_back_and_what_is_behind_it_goes_on() {
    let mut claims = claims(&[(1, Some("a")), (2, Some("a")), (3, Some("a")), (4, None)]);
    let mut cancel = |id| {
        claims
            .cancelled(DeliveryId(id))
            .map(|release| release.delivery_id.0)
    };
    assert_eq!((cancel(2), cancel(1), cancel(4)), (Some(2), Some(1), Some(4)));
    assert_eq!(cancel(99), None, "another node's");
    assert_eq!(started(&mut claims), [3]);
    assert!(claims.cancelled(DeliveryId(3)).is_none(), "it is under way");
    assert!(claims.cancelled(DeliveryId(1)).is_none(), "it is on its way back");
    for id in [1, 2, 4] {
        claims.settled(DeliveryId(id), 1);
    }
    assert_eq!(claims.count(), 1);
}

#[test]
fn an_old_claim_and_a_new_one_of_a_delivery_are_settled_each_by_itself() {
    let mut claims = Claims::default();
    for attempt_number in [1, 2] {
        claims.take(claimed_at(1, "call:a", attempt_number));
    }
    let old = claims.start(0).unwrap();
    assert_eq!(
        claims.not_attempted(&old).len(),
        2,
        "the new one waited behind it"
    );
    assert!(claims.settled(DeliveryId(1), 1));
    assert!(
        claims.take(claimed_at(2, "call:a", 1)).is_some(),
        "the new one is not back yet"
    );
    for (id, attempt_number) in [(1, 2), (2, 1)] {
        assert!(claims.settled(DeliveryId(id), attempt_number));
        assert!(!claims.settled(DeliveryId(id), attempt_number), "only once");
    }
    assert!(
        claims.order_queues.is_empty(),
        "nothing of it is left that could hold up what comes"
    );
    assert!(claims.take(claimed_at(1, "call:a", 2)).is_none());
    assert_eq!(started(&mut claims), [1]);
}

#[test]
fn what_is_on_its_way_back_is_known_until_the_last_of_it_is_settled() {
    let key = Some("call:a");
    let mut claims = claims(&[(1, key), (2, key)]);
    let first = claims.start(0).unwrap();
    assert_eq!(ids(&claims.not_attempted(&first)), [1, 2]);
    for id in [1, 2] {
        assert!(claims.is_returning());
        claims.settled(DeliveryId(id), 1);
    }
    assert!(!claims.is_returning());
}

#[test]
fn what_may_not_be_its_own_goes_back_and_holds_up_what_comes_behind_it() {
    let key = Some("call:a");
    let mut claims = claims(&[(1, key)]);
    let back = claims.take_doubtful(&claimed(2, key));
    assert_eq!(back.delivery_id, DeliveryId(2));
    assert!(claims.take(claimed(3, key)).is_some());
    assert_eq!(started(&mut claims), [1], "what came before it goes on");
    assert!(claims.is_returning());
}

#[test]
fn a_lease_that_is_over_shows_until_its_claim_is_settled() {
    let before = Timestamp::from_millis(NOW.as_millis() - 1);
    let mut claims = claims(&[(1, None)]);
    assert!(!claims.has_overdue(before));
    assert!(claims.has_overdue(NOW));
    claims.settled(DeliveryId(1), 1);
    assert!(!claims.has_overdue(NOW));
}

#[test]
fn what_is_given_back_is_as_old_as_it_was() {
    let mut claims = Claims::default();
    let mut old = claimed(1, None);
    old.was_due_at = Timestamp::from_millis(NOW.as_millis() - 90_000);
    let due_at = old.was_due_at;
    claims.take(old);
    assert_eq!(claims.give_back_all()[0].due_at, due_at);
}
