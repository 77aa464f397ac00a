//! Due deliveries, leases, releases.

use std::time::Duration;

use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_store::{
    Claim, ClaimAnswer, ClaimRequest, ExpiredLeases, NewEvent, PendingWebhook, Release, WaitingDelivery,
};

use crate::samples::{COMPANY, LEASE, key};
use crate::world::{Effect, World, failures, is_lost};

const HOOK: WebhookId = WebhookId(7);
const OTHER: WebhookId = WebhookId(8);

pub(crate) async fn what_is_due_is_claimed_oldest_first_and_no_more_than_requested(world: &mut World) {
    let mut ids = Vec::new();
    for call in 0..5 {
        ids.push(world.leave(call, HOOK).await);
        world.after(1);
    }
    let other = world.leave(9, OTHER).await;
    world.effects();
    let request = |webhook_id, limit| ClaimRequest {
        webhook_id,
        limit,
        bytes: usize::MAX,
        only: None,
    };
    let requests = vec![request(OTHER, 5), request(HOOK, 3), request(WebhookId(404), 1)];
    let claim = Claim {
        requests,
        now: world.now,
        until: world.now.plus(LEASE),
        expired: ExpiredLeases::Claim,
    };
    let answers = world.store.claim_due_deliveries(claim).await.unwrap();
    let fourth_due = world.get(ids[3]).await.state.at();
    assert_eq!(
        answers,
        [
            ClaimAnswer {
                webhook_id: OTHER,
                claimed: 1,
                next_due_at: None
            },
            ClaimAnswer {
                webhook_id: HOOK,
                claimed: 3,
                next_due_at: Some(fourth_due)
            },
            ClaimAnswer {
                webhook_id: WebhookId(404),
                claimed: 0,
                next_due_at: None
            },
        ]
    );
    assert_eq!(
        world.effects(),
        [other, ids[0], ids[1], ids[2]].map(|id| Effect::Claimed(id, 1))
    );
    // Claimed or not, all of a webhook's are pending; of another's none is among them.
    let mut pending = world.store.pending_deliveries_of(HOOK, 9).await.unwrap();
    pending.sort_by_key(|delivery| delivery.id);
    assert!(pending.iter().map(|delivery| delivery.id).eq(ids.iter().copied()));
    assert_eq!(pending[4], world.get(ids[4]).await);
    assert_eq!(world.store.pending_deliveries_of(HOOK, 4).await.unwrap().len(), 4);
    assert_eq!(world.claim(HOOK, 0).await.claimed, 0);
    assert_eq!(
        world.claim(HOOK, 9).await,
        ClaimAnswer {
            webhook_id: HOOK,
            claimed: 2,
            next_due_at: None
        }
    );
}

pub(crate) async fn a_claim_ends_with_the_event_that_brings_its_bytes_together(world: &mut World) {
    for call in 0..5 {
        world.leave(call, HOOK).await;
        world.after(1);
    }
    world.effects();
    let size = {
        assert_eq!(world.claim_bytes(HOOK, 9, 1).await.claimed, 1, "one always is");
        let claimed = world.the_claimed();
        assert!(claimed.was_read);
        claimed.body.len()
    };
    assert_eq!(world.claim_bytes(HOOK, 9, 0).await.claimed, 0);
    assert_eq!(world.claim_bytes(HOOK, 9, size + 1).await.claimed, 2);
    let rest = world.claim_bytes(HOOK, 9, 100 * size).await;
    assert_eq!((rest.claimed, rest.next_due_at), (2, None));
}

pub(crate) async fn what_is_not_due_is_not_claimed(world: &mut World) {
    let id = world.send(1, HOOK).await;
    world.fail(id, 1, 30).await;
    world.effects();
    let due_at = world.now.plus(Duration::from_secs(30));
    let nothing = ClaimAnswer {
        webhook_id: HOOK,
        claimed: 0,
        next_due_at: Some(due_at),
    };
    assert_eq!(world.claim(HOOK, 9).await, nothing);
    assert_eq!(world.effects(), []);
    world.now = due_at;
    assert_eq!(world.claim(HOOK, 9).await.claimed, 1);
}

pub(crate) async fn a_claim_carries_the_body_and_opens_the_next_attempt(world: &mut World) {
    let new = world.claimed(HOOK);
    let id = new.id;
    let event = NewEvent {
        deliveries: vec![new],
        ..world.event()
    };
    world.record(event.clone()).await;
    world.fail(id, 1, 30).await;
    world.effects();
    world.after(30);
    world.claim(HOOK, 1).await;
    let claimed = world.the_claimed();
    assert_eq!(claimed.body, event.body);
    assert_eq!(
        (claimed.delivery.attempt_number, claimed.delivery.failures),
        (2, failures(1, 0))
    );
    assert_eq!(
        claimed.delivery.state,
        DeliveryState::Pending {
            due_at: world.now.plus(LEASE)
        }
    );
    assert_eq!(claimed.delivery, world.get(id).await);
}

pub(crate) async fn a_lease_that_ended_is_closed_as_lost(world: &mut World) {
    let id = world.send(1, HOOK).await;
    let opened_at = world.now;
    world.effects();
    world.now = world.now.plus(LEASE);
    assert_eq!(world.claim(HOOK, 9).await.claimed, 1);
    assert_eq!(world.effects(), [Effect::Claimed(id, 2)]);
    let lost = world.attempts(id).await;
    assert_eq!(lost.len(), 1);
    assert!(is_lost(&lost[0]), "{lost:?}");
    assert_eq!(
        (lost[0].number, lost[0].started_at, lost[0].finished_at),
        (1, opened_at, world.now)
    );
    assert_eq!((&lost[0].request, &lost[0].answer), (&None, &None));
    assert!(world.succeed(id, 2).await);
    let numbers: Vec<_> = world
        .attempts(id)
        .await
        .iter()
        .map(|attempt| attempt.number)
        .collect();
    assert_eq!(numbers, [1, 2], "counted without gaps");
    assert_eq!(
        world.get(id).await.failures,
        failures(0, 0),
        "what is lost did not fail as far as we know"
    );
}

pub(crate) async fn a_release_gives_the_attempts_number_back(world: &mut World) {
    let id = world.send(1, HOOK).await;
    world.effects();
    world.after(1);
    world.release(id, 1).await;
    assert_eq!(
        world.effects(),
        [Effect::Settled(id), Effect::Due(HOOK, world.now)]
    );
    assert_eq!(world.get(id).await.attempt_number, 0);
    assert_eq!(world.claim(HOOK, 9).await.claimed, 1);
    assert_eq!(world.effects(), [Effect::Claimed(id, 1)]);
    assert!(world.attempts(id).await.is_empty());
}

pub(crate) async fn a_late_release_changes_nothing(world: &mut World) {
    let id = world.send(1, HOOK).await;
    world.now = world.now.plus(LEASE);
    world.claim(HOOK, 9).await;
    world.effects();
    world.release(id, 1).await;
    assert_eq!(world.effects(), [Effect::Settled(id)]);
    assert_eq!(world.get(id).await.attempt_number, 2);
    assert!(world.succeed(id, 2).await, "the newer claim still stands");
}

pub(crate) async fn of_an_old_claim_and_the_new_one_given_back_together_the_new_one_counts(
    world: &mut World,
) {
    let id = world.send(1, HOOK).await;
    world.now = world.now.plus(LEASE);
    world.claim(HOOK, 9).await;
    world.effects();
    let release = |attempt_number| Release {
        delivery_id: id,
        webhook_id: HOOK,
        attempt_number,
        due_at: world.now,
    };
    let both = vec![release(1), release(2)];
    world.store.release_deliveries(both, world.now).await.unwrap();
    let settled = world
        .effects()
        .into_iter()
        .filter(|effect| *effect == Effect::Settled(id));
    assert_eq!(settled.count(), 2);
    assert_eq!(world.get(id).await.attempt_number, 1, "the lost one");
    assert_eq!(world.claim(HOOK, 9).await.claimed, 1, "nobody has it any more");
}

pub(crate) async fn what_looks_expired_is_left_if_the_time_is_not_known(world: &mut World) {
    let expired = world.send(1, HOOK).await;
    let due = world.leave(2, HOOK).await;
    world.now = world.now.plus(LEASE);
    world.effects();
    let claim = Claim {
        requests: vec![ClaimRequest {
            webhook_id: HOOK,
            limit: 9,
            bytes: usize::MAX,
            only: None,
        }],
        now: world.now,
        until: world.now.plus(LEASE),
        expired: ExpiredLeases::Leave,
    };
    world.store.claim_due_deliveries(claim).await.unwrap();
    assert_eq!(world.effects(), [Effect::Claimed(due, 1)]);
    assert!(world.succeed(expired, 1).await, "whoever has it may still say so");
}

pub(crate) async fn what_is_pending_is_counted_up_to_a_bound(world: &mut World) {
    world.store.create_key(key(1, COMPANY)).await.unwrap();
    let count = async |world: &World, most| {
        let counts = world
            .store
            .count_pending(vec![HOOK, OTHER], world.now, most)
            .await;
        let counts = counts.unwrap().into_iter();
        counts.map(|count| (count.due, count.later)).collect::<Vec<_>>()
    };
    let oldest = async |world: &World| world.store.oldest_undelivered().await.unwrap();
    assert_eq!(oldest(world).await, None);
    assert_eq!(count(world, 10).await, [(0, 0), (0, 0)]);
    let start = world.now;
    let failing = world.send(1, HOOK).await;
    world.after(1);
    let second = world.now;
    world.leave(2, HOOK).await;
    let sent = world.send(3, OTHER).await;
    world.leave(4, HOOK).await;
    assert_eq!(count(world, 10).await, [(3, 0), (1, 0)]);
    assert_eq!(count(world, 1).await, [(2, 0), (1, 0)], "of each sort");
    assert!(world.fail(failing, 1, 600).await);
    assert!(world.succeed(sent, 1).await);
    assert_eq!(count(world, 10).await, [(2, 1), (0, 0)]);
    assert_eq!(oldest(world).await, Some(start), "also what waits for a retry");
    world.after(600);
    world.claim(HOOK, 3).await;
    world.effects();
    assert!(world.succeed(failing, 2).await);
    assert_eq!(oldest(world).await, Some(second));
}

pub(crate) async fn what_has_waited_longest_is_found_claimed_or_not(world: &mut World) {
    let longest = async |world: &World| world.store.longest_waiting(HOOK).await.unwrap();
    assert_eq!(longest(world).await, None);
    let start = world.now;
    let since = |delivery_id, since| Some(WaitingDelivery { delivery_id, since });
    let first = world.send(1, HOOK).await;
    world.after(1);
    let (second, second_made) = (world.leave(2, HOOK).await, world.now);
    world.after(90);
    assert_eq!(
        longest(world).await,
        since(first, start),
        "it is claimed and was not attempted"
    );
    // Given back and claimed again it has waited all the time.
    let release = Release {
        delivery_id: first,
        webhook_id: HOOK,
        attempt_number: 1,
        due_at: start,
    };
    world
        .store
        .release_deliveries(vec![release], world.now)
        .await
        .unwrap();
    assert_eq!(longest(world).await, since(first, start));
    world.claim(HOOK, 1).await;
    assert_eq!(longest(world).await, since(first, start));
    world.succeed(first, 1).await;
    assert_eq!(longest(world).await, since(second, second_made));
}

pub(crate) async fn a_node_is_told_what_is_cancelled_of_what_it_has(world: &mut World) {
    let (unclaimed, claimed) = (world.leave(1, HOOK).await, world.send(2, HOOK).await);
    world.effects();
    for id in [unclaimed, claimed] {
        world.store.cancel_delivery(COMPANY, id, world.now).await.unwrap();
    }
    assert_eq!(world.effects(), [Effect::Cancelled(claimed)]);
    world.release(claimed, 1).await;
    assert_eq!(world.effects(), [Effect::Settled(claimed)]);
    let delivery = world.get(claimed).await;
    assert_eq!(
        (delivery.state, delivery.attempt_number),
        (DeliveryState::Cancelled { at: world.now }, 0)
    );
}

pub(crate) async fn a_cancelled_delivery_is_not_claimed_and_its_open_attempt_is_closed(world: &mut World) {
    let (unclaimed, claimed) = (world.leave(1, HOOK).await, world.send(2, HOOK).await);
    for id in [unclaimed, claimed] {
        world.store.cancel_delivery(COMPANY, id, world.now).await.unwrap();
    }
    world.effects();
    world.now = world.now.plus(LEASE);
    assert_eq!(
        world.claim(HOOK, 9).await,
        ClaimAnswer {
            webhook_id: HOOK,
            claimed: 0,
            next_due_at: None
        }
    );
    assert_eq!(world.effects(), []);
    assert!(world.attempts(unclaimed).await.is_empty());
    assert!(world.attempts(claimed).await.iter().all(is_lost));
    assert_eq!(world.attempts(claimed).await.len(), 1);
    assert!(!world.succeed(claimed, 1).await, "too late");
}

pub(crate) async fn webhooks_with_pending_deliveries_are_listed_with_their_first_due_time(world: &mut World) {
    let start = world.now;
    for hook in 1..=5 {
        for call in 0..3 {
            world.leave(call, WebhookId(hook)).await;
            world.after(1);
        }
    }
    let done = world.send(9, WebhookId(6)).await;
    world.succeed(done, 1).await;
    world.send(9, WebhookId(7)).await;
    let lease_end = world.now.plus(LEASE);
    let pending = |webhook, first_due_at| PendingWebhook {
        webhook_id: WebhookId(webhook),
        first_due_at,
    };
    let at = |seconds| start.plus(Duration::from_secs(seconds));
    let first = world.store.pending_webhooks(None, 3).await.unwrap();
    assert_eq!(first, [pending(1, at(0)), pending(2, at(3)), pending(3, at(6))]);
    let rest = world
        .store
        .pending_webhooks(Some(WebhookId(3)), 10)
        .await
        .unwrap();
    assert_eq!(
        rest,
        [pending(4, at(9)), pending(5, at(12)), pending(7, lease_end)]
    );
}

pub(crate) async fn claims_of_an_earlier_life_are_lost_and_due_at_once(world: &mut World) {
    if !world.fixture.outlives_its_process() {
        return;
    }
    let done = world.send(1, HOOK).await;
    world.succeed(done, 1).await;
    let mut open: Vec<DeliveryId> = Vec::new();
    for call in 0..3 {
        open.push(world.send(call, HOOK).await);
    }
    let cancelled = world.send(5, HOOK).await;
    world
        .store
        .cancel_delivery(COMPANY, cancelled, world.now)
        .await
        .unwrap();
    world.after(1);
    world.reopen().await;

    for id in &open {
        assert_eq!(
            world.state(*id).await,
            DeliveryState::Pending { due_at: world.now }
        );
        let attempts = world.attempts(*id).await;
        assert!(
            attempts.len() == 1 && attempts.iter().all(is_lost),
            "{attempts:?}"
        );
    }
    assert!(world.state(cancelled).await.is_final());
    assert_eq!(world.attempts(cancelled).await.len(), 1);
    assert_eq!(world.attempts(done).await.len(), 1);
    assert!(
        !world.succeed(open[0], 1).await,
        "the earlier life's answers come too late"
    );
    world.effects();
    assert_eq!(world.claim(HOOK, 9).await.claimed, 3);
    assert_eq!(
        world.effects(),
        [open[0], open[1], open[2]].map(|id| Effect::Claimed(id, 2))
    );
}
