//! One after the other within an order key.

use std::time::Duration;

use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::order::LONGEST_BLOCK;
use switchhook_store::{NewDelivery, NewEvent, Release};

use crate::samples::{NOON, answered, order_key};
use crate::world::{Effect, World};

const HOOK: WebhookId = WebhookId(7);

async fn check_held(world: &mut World, id: DeliveryId, until: switchhook_domain::Timestamp) {
    assert_eq!(world.effects(), [Effect::Due(HOOK, until)]);
    let delivery = world.get(id).await;
    assert_eq!(
        (delivery.state, delivery.attempt_number),
        (DeliveryState::Pending { due_at: until }, 0)
    );
}

pub(crate) async fn a_follower_of_a_claimed_one_is_handed_over_behind_it(world: &mut World) {
    let first = world.send(1, HOOK).await;
    let second = world.send(1, HOOK).await;
    let third = world.send(1, HOOK).await;
    assert_eq!(
        world.effects(),
        [first, second, third].map(|id| Effect::Claimed(id, 1))
    );
}

pub(crate) async fn a_follower_of_a_retry_is_held_until_the_block_ends(world: &mut World) {
    let first = world.send(1, HOOK).await;
    world.after(1);
    assert!(world.fail(first, 1, 30).await);
    world.effects();
    let second = world.send(1, HOOK).await;
    check_held(world, second, NOON.plus(LONGEST_BLOCK)).await;
    assert_eq!(world.claim(HOOK, 10).await.claimed, 0, "neither is due");
}

pub(crate) async fn a_follower_that_cannot_be_claimed_is_held(world: &mut World) {
    world.send(1, HOOK).await;
    world.effects();
    let second = world.leave(1, HOOK).await;
    check_held(world, second, NOON.plus(LONGEST_BLOCK)).await;
}

pub(crate) async fn other_keys_other_webhooks_and_the_unordered_go_at_once(world: &mut World) {
    let first = world.send(1, HOOK).await;
    world.fail(first, 1, 30).await;
    world.effects();
    let other_key = world.send(2, HOOK).await;
    let other_webhook = world.send(1, WebhookId(8)).await;
    let unordered = NewDelivery {
        is_ordered: false,
        ..world.claimed(HOOK)
    };
    let unordered_id = unordered.id;
    world
        .record(NewEvent {
            order_key: Some(order_key(1)),
            deliveries: vec![unordered],
            ..world.event()
        })
        .await;
    let keyless = world.claimed(HOOK);
    let keyless_id = keyless.id;
    world
        .record(NewEvent {
            deliveries: vec![keyless],
            ..world.event()
        })
        .await;
    let expected = [other_key, other_webhook, unordered_id, keyless_id].map(|id| Effect::Claimed(id, 1));
    assert_eq!(world.effects(), expected);
    assert_eq!(world.get(unordered_id).await.order_key, None);
}

pub(crate) async fn a_success_frees_exactly_the_next_one(world: &mut World) {
    let first = world.send(1, HOOK).await;
    world.fail(first, 1, 30).await;
    let (second, third) = (world.send(1, HOOK).await, world.send(1, HOOK).await);
    world.after(30);
    assert_eq!(world.claim(HOOK, 10).await.claimed, 1);
    world.effects();
    assert!(world.succeed(first, 2).await);
    assert_eq!(
        world.effects(),
        [Effect::Settled(first), Effect::Due(HOOK, world.now)]
    );
    assert_eq!(world.claim(HOOK, 10).await.claimed, 1);
    assert_eq!(world.effects(), [Effect::Claimed(second, 1)]);
    assert_eq!(world.get(second).await.note, None, "it went in its turn");
    assert!(world.succeed(second, 1).await);
    assert_eq!(
        world.effects(),
        [Effect::Settled(second), Effect::Due(HOOK, world.now)]
    );
    assert_eq!(world.claim(HOOK, 10).await.claimed, 1);
    assert_eq!(world.effects(), [Effect::Claimed(third, 1)]);
}

pub(crate) async fn a_retry_goes_on_blocking_and_a_refusal_does_not(world: &mut World) {
    let first = world.send(1, HOOK).await;
    world.fail(first, 1, 30).await;
    let second = world.send(1, HOOK).await;
    world.after(30);
    world.claim(HOOK, 10).await;
    world.effects();
    let retry = world.now.plus(Duration::from_secs(60));
    world.fail(first, 2, 60).await;
    assert_eq!(
        world.effects(),
        [Effect::Settled(first), Effect::Due(HOOK, retry)],
        "the second still waits"
    );

    world.after(60);
    world.claim(HOOK, 10).await;
    world.effects();
    let delivery = world.get(first).await;
    let refused = answered(3, 400, world.now);
    let retry = world.now.plus(Duration::from_secs(90));
    world
        .finish_blocking(
            &delivery,
            refused,
            DeliveryState::Pending { due_at: retry },
            world.now,
        )
        .await;
    assert_eq!(
        world.effects(),
        [
            Effect::Settled(first),
            Effect::Due(HOOK, retry),
            Effect::Due(HOOK, world.now)
        ]
    );
    assert_eq!(world.claim(HOOK, 10).await.claimed, 1);
    assert_eq!(world.effects(), [Effect::Claimed(second, 1)]);
    let note = world.get(second).await.note.expect("it says that it overtook");
    assert!(note.contains("call:1") && note.contains("refuses"), "{note}");

    assert!(world.succeed(second, 1).await);
    world.effects();
    let third = world.send(1, HOOK).await;
    assert_eq!(
        world.effects(),
        [Effect::Claimed(third, 1)],
        "later ones do not wait either"
    );
    assert!(world.get(third).await.note.is_some());
}

pub(crate) async fn cancelling_the_first_frees_the_next(world: &mut World) {
    let first = world.send(1, HOOK).await;
    world.fail(first, 1, 30).await;
    world.send(1, HOOK).await;
    world.effects();
    world
        .store
        .cancel_delivery(crate::samples::COMPANY, first, world.now)
        .await
        .unwrap();
    assert_eq!(world.effects(), [Effect::Due(HOOK, world.now)]);
}

pub(crate) async fn a_block_that_ends_lets_the_next_go_with_a_note(world: &mut World) {
    let first = world.send(123, HOOK).await;
    world.fail(first, 1, 3_600).await;
    world.after(1);
    let second = world.send(123, HOOK).await;
    world.now = NOON.plus(LONGEST_BLOCK);
    world.effects();
    assert_eq!(world.claim(HOOK, 10).await.claimed, 1);
    assert_eq!(world.effects(), [Effect::Claimed(second, 1)]);
    assert_eq!(
        world.get(second).await.note.as_deref(),
        Some("sent before earlier events of call:123, which were not accepted within 15 minutes")
    );
    let third = world.leave(123, HOOK).await;
    check_held(
        world,
        third,
        NOON.plus(Duration::from_secs(1)).plus(LONGEST_BLOCK),
    )
    .await;
}

pub(crate) async fn what_is_behind_a_held_one_is_held_too(world: &mut World) {
    let first = world.send(1, HOOK).await;
    world.fail(first, 1, 3_600).await;
    world.after(60);
    world.send(1, HOOK).await;
    world.effects();
    world.after(60);
    let third = world.send(1, HOOK).await;
    check_held(world, third, NOON.plus(LONGEST_BLOCK)).await;
}

pub(crate) async fn a_released_follower_waits_behind_the_retry(world: &mut World) {
    let (first, second, third) = (
        world.send(1, HOOK).await,
        world.send(1, HOOK).await,
        world.send(1, HOOK).await,
    );
    world.fail(first, 1, 30).await;
    world.effects();
    let release = |delivery_id| Release {
        delivery_id,
        webhook_id: HOOK,
        attempt_number: 1,
        due_at: world.now,
    };
    world
        .store
        .release_deliveries(vec![release(third), release(second)], world.now)
        .await
        .unwrap();
    let until = NOON.plus(LONGEST_BLOCK);
    assert_eq!(
        world.effects(),
        [
            Effect::Settled(third),
            Effect::Due(HOOK, until),
            Effect::Settled(second),
            Effect::Due(HOOK, until)
        ]
    );
    assert_eq!(world.get(second).await.attempt_number, 0);
    world.after(30);
    assert_eq!(world.claim(HOOK, 10).await.claimed, 1);
    world.effects();
    world.succeed(first, 2).await;
    world.claim(HOOK, 10).await;
    let now = world.now;
    assert_eq!(
        world.effects(),
        [
            Effect::Settled(first),
            Effect::Due(HOOK, now),
            Effect::Claimed(second, 1)
        ]
    );
    world.succeed(second, 1).await;
    world.claim(HOOK, 10).await;
    assert_eq!(
        world.effects(),
        [
            Effect::Settled(second),
            Effect::Due(HOOK, now),
            Effect::Claimed(third, 1)
        ]
    );
}

pub(crate) async fn a_due_one_does_not_overtake_a_waiting_retry(world: &mut World) {
    let (first, second) = (world.send(1, HOOK).await, world.send(1, HOOK).await);
    world.effects();
    world.after(61);
    assert_eq!(
        world.claim(HOOK, 1).await.claimed,
        1,
        "both leases ended; there is room for one"
    );
    assert_eq!(world.effects(), [Effect::Claimed(first, 2)]);
    world.fail(first, 2, 3_600).await;
    let answer = world.claim(HOOK, 1).await;
    assert_eq!(answer.claimed, 0, "the second must wait for the first");
    assert_eq!(answer.next_due_at, Some(NOON.plus(LONGEST_BLOCK)));
    assert_eq!(world.get(second).await.attempt_number, 1);
    assert_eq!(
        world.attempts(second).await.len(),
        1,
        "its first attempt was lost"
    );
}

/// The clock was set, or the webhook was paused for long: what waits is due before what it waits for gets its turn.
pub(crate) async fn one_whose_hold_is_over_waits_for_one_that_is_free_since_then(world: &mut World) {
    let first = world.send(1, HOOK).await;
    world.fail(first, 1, 30).await;
    world.after(500);
    let (second, third) = (world.send(1, HOOK).await, world.send(1, HOOK).await);
    assert_eq!(world.claim(HOOK, 1).await.claimed, 1, "the first");
    world.after(500);
    world.effects();
    assert!(world.succeed(first, 2).await);
    assert_eq!(
        world.effects(),
        [Effect::Settled(first), Effect::Due(HOOK, world.now)]
    );
    assert_eq!(world.claim(HOOK, 1).await.claimed, 1);
    assert_eq!(world.effects(), [Effect::Claimed(second, 1)]);
    world.fail(second, 1, 30).await;
    assert_eq!(world.claim(HOOK, 1).await.claimed, 0);
    let until = world.get(second).await.created_at.plus(LONGEST_BLOCK);
    assert_eq!(world.state(third).await, DeliveryState::Pending { due_at: until });
}

pub(crate) async fn what_follows_one_that_overtakes_says_so_too(world: &mut World) {
    let first = world.send(1, HOOK).await;
    world.fail(first, 1, 7_200).await;
    let held = world.send(1, HOOK).await;
    world.after(LONGEST_BLOCK.as_secs());
    let behind = world.leave(1, HOOK).await;
    assert_eq!(world.claim(HOOK, 10).await.claimed, 2);
    let new = world.send(1, HOOK).await;
    let note = async |id| world.get(id).await.note.expect("it says so");
    let minutes = "sent before earlier events of call:1, which were not accepted within 15 minutes";
    assert_eq!(note(held).await, minutes);
    let following = "sent behind an event that went before earlier events of call:1";
    assert_eq!(
        (note(behind).await, note(new).await),
        (following.into(), following.into())
    );
}
