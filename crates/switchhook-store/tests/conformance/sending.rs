//! Ends of attempts and deliveries.

use std::time::Duration;

use switchhook_domain::attempt::{AttemptOutcome, FailureReason, OutcomeClass};
use switchhook_domain::delivery::{DeliveryState, StateName};
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::order::LONGEST_BLOCK;
use switchhook_store::{LastAttempt, NewEvent, StoreError};

use crate::samples::{COMPANY, LEASE, answered, attempt, unanswered};
use crate::world::{Effect, World, failures};

const HOOK: WebhookId = WebhookId(7);

pub(crate) async fn a_finished_attempt_is_kept_whole(world: &mut World) {
    let id = world.send(1, HOOK).await;
    world.effects();
    world.after(1);
    let accepted = answered(1, 204, world.now);
    assert!(
        world
            .finish(id, accepted.clone(), DeliveryState::Delivered { at: world.now })
            .await
    );
    let last = world
        .store
        .last_attempts(vec![DeliveryId(404), id])
        .await
        .unwrap();
    let expected = LastAttempt {
        delivery_id: id,
        number: 1,
        class: OutcomeClass::Accepted,
        status: Some(204),
        took: accepted.phases.total,
    };
    assert_eq!(last, [expected]);
    assert_eq!(world.attempts(id).await, [accepted]);
    let delivery = world.get(id).await;
    assert_eq!(delivery.state, DeliveryState::Delivered { at: world.now });
    assert_eq!((delivery.attempt_number, delivery.blocks_until), (1, world.now));
    assert_eq!(world.effects(), [Effect::Settled(id)]);
    assert_eq!(world.store.pending_webhooks(None, 9).await.unwrap(), []);
}

pub(crate) async fn every_outcome_reads_back_as_it_was(world: &mut World) {
    let retry_after = Some(world.now.plus(Duration::from_secs(7)));
    let mut outcomes = vec![
        AttemptOutcome::Answered {
            status: 429,
            retry_after,
        },
        AttemptOutcome::Answered {
            status: 599,
            retry_after: None,
        },
        AttemptOutcome::Lost,
    ];
    outcomes.extend(FailureReason::ALL.map(|reason| AttemptOutcome::Unanswered {
        reason,
        detail: format!("`{reason}`: connect ü"),
    }));
    let id = world.send(1, HOOK).await;
    let mut expected = Vec::new();
    for (number, outcome) in (1..).zip(outcomes) {
        let attempt = attempt(number, outcome, world.now);
        assert!(
            world
                .finish(id, attempt.clone(), DeliveryState::Pending { due_at: world.now })
                .await
        );
        expected.push(attempt);
        assert_eq!(world.claim(HOOK, 1).await.claimed, 1);
    }
    assert_eq!(world.attempts(id).await, expected);
    let last = world.store.last_attempts(vec![id]).await.unwrap();
    let last: Vec<_> = last
        .iter()
        .map(|last| (last.number as usize, last.class, last.status))
        .collect();
    assert_eq!(last, [(expected.len(), OutcomeClass::Unanswered, None)]);
    assert_eq!(world.get(id).await.failures, failures(3, 10));
}

pub(crate) async fn a_retry_is_due_when_the_domain_says(world: &mut World) {
    let id = world.send(1, HOOK).await;
    world.effects();
    let due_at = world.now.plus(Duration::from_secs(30));
    world.fail(id, 1, 30).await;
    assert_eq!(world.effects(), [Effect::Settled(id), Effect::Due(HOOK, due_at)]);
    let delivery = world.get(id).await;
    assert_eq!(
        (delivery.state, delivery.failures),
        (DeliveryState::Pending { due_at }, failures(1, 0))
    );
    assert_eq!(delivery.blocks_until, world.now.plus(LONGEST_BLOCK));
}

pub(crate) async fn a_late_answer_does_not_undo_a_newer_attempt(world: &mut World) {
    let id = world.send(1, HOOK).await;
    world.now = world.now.plus(LEASE);
    world.claim(HOOK, 1).await;
    world.effects();
    let before = world.get(id).await;
    assert!(!world.succeed(id, 1).await, "it is late");
    assert_eq!(world.effects(), [Effect::Settled(id)]);
    assert_eq!(world.get(id).await, before);
    assert_eq!(world.attempts(id).await.len(), 1, "only the lost one");
    assert!(world.succeed(id, 2).await);
}

pub(crate) async fn an_attempt_is_finished_once(world: &mut World) {
    let id = world.send(1, HOOK).await;
    assert!(world.fail(id, 1, 30).await);
    assert!(!world.succeed(id, 1).await, "nobody has it now");
    assert!(!world.fail(id, 2, 30).await, "nobody opened that one");
    assert_eq!(world.attempts(id).await.len(), 1);
    let unknown = switchhook_domain::delivery::Delivery {
        id: DeliveryId(404),
        ..world.get(id).await
    };
    let attempt = answered(1, 200, world.now);
    let delivered = DeliveryState::Delivered { at: world.now };
    assert!(
        !world
            .finish_blocking(&unknown, attempt, delivered, world.now)
            .await,
        "there is no such delivery"
    );
}

pub(crate) async fn a_final_state_stays(world: &mut World) {
    let id = world.send(1, HOOK).await;
    let exhausted = DeliveryState::Exhausted { at: world.now };
    world
        .finish(id, unanswered(1, FailureReason::Dns, world.now), exhausted)
        .await;
    world.after(100);
    assert!(!world.succeed(id, 1).await && !world.succeed(id, 2).await);
    assert!(world.store.cancel_delivery(COMPANY, id, world.now).await.is_err());
    world.release(id, 1).await;
    assert_eq!(world.claim(HOOK, 9).await.claimed, 0);
    assert_eq!(world.state(id).await, exhausted);
}

pub(crate) async fn a_delivery_cancelled_during_its_attempt_stays_cancelled_and_keeps_the_attempt(
    world: &mut World,
) {
    let id = world.send(1, HOOK).await;
    world.after(1);
    let cancelled = world.store.cancel_delivery(COMPANY, id, world.now).await.unwrap();
    assert_eq!(cancelled.state, DeliveryState::Cancelled { at: world.now });
    world.effects();
    world.after(1);
    assert!(world.fail(id, 1, 30).await, "it is not late");
    assert_eq!(world.effects(), [Effect::Settled(id)], "no retry is due");
    let delivery = world.get(id).await;
    assert_eq!(
        (delivery.state, delivery.failures),
        (cancelled.state, failures(1, 0))
    );
    assert_eq!(world.attempts(id).await.len(), 1);
}

pub(crate) async fn only_a_pending_delivery_can_be_cancelled(world: &mut World) {
    let id = world.leave(1, HOOK).await;
    world.store.cancel_delivery(COMPANY, id, world.now).await.unwrap();
    let again = world.store.cancel_delivery(COMPANY, id, world.now).await;
    assert!(
        matches!(&again, Err(StoreError::Conflict(why)) if why.contains("cancelled")),
        "{again:?}"
    );
    let unknown = world
        .store
        .cancel_delivery(COMPANY, DeliveryId(404), world.now)
        .await;
    assert!(
        matches!(unknown, Err(StoreError::NotFound("delivery"))),
        "{unknown:?}"
    );
}

pub(crate) async fn a_redelivery_is_a_new_delivery_that_names_its_origin(world: &mut World) {
    let webhook_id = world.webhook().await;
    let (one, two) = (world.claimed(webhook_id), world.delivery(WebhookId(8)));
    let first = one.id;
    let key = Some(crate::samples::order_key(1));
    let event = NewEvent {
        order_key: key,
        deliveries: vec![one, two],
        ..world.event()
    };
    world.record(event.clone()).await;
    world.fail(first, 1, 3_600).await;
    world.effects();
    world.after(5);
    let new_id = DeliveryId(world.id());
    let before = world.get(first).await;
    let again = world
        .store
        .redeliver(COMPANY, first, new_id, world.now)
        .await
        .unwrap();
    assert_eq!(world.effects(), [Effect::Due(webhook_id, world.now)]);
    assert_eq!((again.id, again.origin, again.ordinal), (new_id, Some(first), 2));
    assert_eq!(
        (again.order_key.as_ref(), again.attempt_number, again.failures),
        (None, 0, failures(0, 0))
    );
    assert_eq!(
        (&again.subscription_ids, again.hidden),
        (&before.subscription_ids, before.hidden)
    );
    assert_eq!(
        (again.state, again.created_at),
        (DeliveryState::Pending { due_at: world.now }, world.now)
    );
    assert_eq!(world.get(new_id).await, again);
    assert_eq!(world.get(first).await, before, "history is not rewritten");
    world.claim(webhook_id, 9).await;
    assert_eq!(world.the_claimed().body, event.body);
}

pub(crate) async fn nothing_is_redelivered_to_a_deleted_webhook(world: &mut World) {
    let webhook_id = world.webhook().await;
    let id = world.leave(1, webhook_id).await;
    world
        .store
        .delete_webhook(COMPANY, webhook_id, world.now)
        .await
        .unwrap();
    let refused = world
        .store
        .redeliver(COMPANY, id, DeliveryId(world.id()), world.now)
        .await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("was deleted")),
        "{refused:?}"
    );
}

pub(crate) async fn a_deleted_webhooks_deliveries_are_cancelled_in_slices(world: &mut World) {
    let mut ids = Vec::new();
    for call in 0..3 {
        ids.push(world.leave(call, HOOK).await);
        ids.push(world.send(10 + call, HOOK).await);
    }
    let (done, other) = (world.send(20, HOOK).await, world.leave(1, WebhookId(8)).await);
    world.succeed(done, 1).await;
    let mut slices = Vec::new();
    loop {
        let cancelled = world
            .store
            .cancel_deliveries_of(HOOK, world.now, 4)
            .await
            .unwrap();
        if cancelled == 0 {
            break;
        }
        slices.push(cancelled);
    }
    assert_eq!(slices, [4, 2]);
    for id in ids {
        assert_eq!(world.state(id).await, DeliveryState::Cancelled { at: world.now });
    }
    assert_eq!(world.state(done).await.name(), StateName::Delivered);
    assert_eq!(world.state(other).await.name(), StateName::Pending);
}

pub(crate) async fn what_waits_for_a_webhook_is_skipped_and_says_so(world: &mut World) {
    let (waiting, claimed) = (world.leave(1, HOOK).await, world.send(2, HOOK).await);
    let (behind, other) = (world.leave(1, HOOK).await, world.leave(1, WebhookId(8)).await);
    let made_until = world.now;
    world.after(1);
    let later = world.leave(1, HOOK).await;
    for expected in [2, 1, 0] {
        let skipped = world
            .store
            .skip_deliveries_of(HOOK, made_until, "Skipped.", world.now, 2)
            .await
            .unwrap();
        assert_eq!(skipped, expected);
    }
    for id in [waiting, claimed, behind] {
        let delivery = world.get(id).await;
        assert_eq!(delivery.state, DeliveryState::Cancelled { at: world.now });
        assert_eq!(delivery.note.as_deref(), Some("Skipped."));
    }
    for id in [other, later] {
        assert_eq!(world.state(id).await.name(), StateName::Pending);
    }
    // It waited for the others of its call, which nothing keeps it from any more.
    assert_eq!(world.claim(HOOK, 9).await.claimed, 1);
}

pub(crate) async fn who_skips_beside_others_ends_when_nothing_waits(world: &mut World) {
    for call in 0..60 {
        world.leave(call, HOOK).await;
    }
    let (store, now) = (&world.store, world.now);
    let skip = async || {
        let mut count = 0;
        loop {
            match store
                .skip_deliveries_of(HOOK, now, "Skipped.", now, 2)
                .await
                .unwrap()
            {
                0 => break,
                slice => count += slice,
            }
        }
        let waiting = store.longest_waiting(HOOK).await.unwrap();
        assert!(waiting.is_none(), "{waiting:?} was left, after {count}");
        count
    };
    let counts = tokio::join!(skip(), skip(), skip());
    assert_eq!(counts.0 + counts.1 + counts.2, 60);
}
