//! Outages of webhooks, and what waits for a webhook.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::attempt::{Failure, FailureReason};
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::outage::{LastFailure, Outage};
use switchhook_store::{DeliveryFilter, DeliveryProgress, FailedAttempt, OutageWrite, PageRequest};

use crate::samples::{COMPANY, OTHER_COMPANY, answered, unanswered};
use crate::world::{Effect, World, failures};

const HOOK: WebhookId = WebhookId(7);

fn outage(world: &World, attempts: u32, status: Option<u16>) -> Outage {
    Outage {
        since: world.now,
        until: None,
        attempts,
        last: LastFailure {
            at: world.now,
            delivery_id: DeliveryId(11),
            attempt_number: 2,
            failure: Some(status.map_or(Failure::NoAnswer(FailureReason::Tls), Failure::Status)),
        },
    }
}

async fn fails(world: &World, webhook_id: WebhookId, outage: &Outage) {
    let outage = outage.clone();
    let write = OutageWrite::Fails { webhook_id, outage };
    world
        .store
        .write_outages(vec![write])
        .await
        .expect("it is written");
}

async fn ended(world: &World, webhook_id: WebhookId) {
    let at = world.now;
    let write = OutageWrite::Ended { webhook_id, at };
    world
        .store
        .write_outages(vec![write])
        .await
        .expect("it is written");
}

pub(crate) async fn an_outage_grows_until_it_ends_and_stays_known(world: &mut World) {
    let id = world.webhook().await;
    let begun = outage(world, 3, Some(500));
    fails(world, id, &begun).await;
    world.after(10);
    let more = outage(world, 2, None);
    fails(world, id, &more).await;
    let expected = Outage {
        attempts: 5,
        last: more.last,
        ..begun.clone()
    };
    let lasting = world.store.lasting_outages(Some(COMPANY)).await.unwrap();
    assert_eq!(lasting, [(id, expected.clone())]);
    if world.fixture.outlives_its_process() {
        world.reopen().await;
    }
    assert_eq!(
        world.store.lasting_outages(None).await.unwrap(),
        [(id, expected.clone())]
    );
    assert_eq!(
        world.store.lasting_outages(Some(OTHER_COMPANY)).await.unwrap(),
        []
    );
    world.after(10);
    ended(world, id).await;
    assert_eq!(world.store.lasting_outages(None).await.unwrap(), []);
    let over = Outage {
        until: Some(world.now),
        ..expected
    };
    assert_eq!(
        world.store.outages_of(id, 9).await.unwrap(),
        std::slice::from_ref(&over)
    );
    ended(world, id).await;
    world.after(10);
    let second = outage(world, 1, Some(503));
    fails(world, id, &second).await;
    assert_eq!(
        world.store.outages_of(id, 9).await.unwrap(),
        [second.clone(), over]
    );
    assert_eq!(world.store.outages_of(id, 1).await.unwrap(), [second]);
}

pub(crate) async fn an_outage_that_ends_within_the_batch_that_begins_it_is_over(world: &mut World) {
    let id = world.webhook().await;
    let begun = outage(world, 2, Some(500));
    let (outage, at) = (begun.clone(), world.now.plus(Duration::from_secs(1)));
    let writes = vec![
        OutageWrite::Fails {
            webhook_id: id,
            outage,
        },
        OutageWrite::Ended { webhook_id: id, at },
    ];
    world.store.write_outages(writes).await.unwrap();
    let over = Outage {
        until: Some(at),
        ..begun.clone()
    };
    assert_eq!(world.store.outages_of(id, 9).await.unwrap(), [over]);
    fails(world, id, &begun).await;
    let again = world.store.outages_of(id, 9).await.unwrap();
    assert_eq!((again.len(), again[0].until, again[0].attempts), (1, None, 4));
}

pub(crate) async fn its_beginning_and_its_end_are_told_once_each(world: &mut World) {
    let id = world.webhook().await;
    let begun = outage(world, 3, Some(500));
    fails(world, id, &begun).await;
    world.after(10);
    fails(world, id, &begun).await;
    let told = async |world: &World| {
        let page = world.store.list_notifications(COMPANY, PageRequest::first(9));
        let told = page.await.unwrap().items.into_iter();
        told.map(|one| one.notification.payload.kind().as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(told(world).await, ["webhook.failing"]);
    ended(world, id).await;
    assert_eq!(told(world).await, [""; 0], "nobody had heard of it yet");
}

pub(crate) async fn a_webhook_that_is_gone_has_no_outage(world: &mut World) {
    let id = world.webhook().await;
    let begun = outage(world, 2, Some(500));
    fails(world, id, &begun).await;
    world.store.delete_webhook(COMPANY, id, world.now).await.unwrap();
    assert_eq!(world.store.lasting_outages(None).await.unwrap(), []);
    fails(world, WebhookId(404), &begun).await;
    assert_eq!(world.store.outages_of(WebhookId(404), 9).await.unwrap(), []);
}

pub(crate) async fn what_waits_for_a_webhook_is_counted_with_its_oldest(world: &mut World) {
    let counted = async |world: &World, most| {
        let hooks = vec![WebhookId(8), HOOK];
        let counts = world.store.count_pending(hooks, world.now, most).await;
        let own = counts.unwrap().pop().expect("one for each webhook");
        (own.webhook_id, own.due + own.later, own.oldest)
    };
    assert_eq!(counted(world, 9).await, (HOOK, 0, None));
    let first = world.send(1, HOOK).await;
    let second = world.leave(2, HOOK).await;
    world.leave(3, WebhookId(8)).await;
    assert_eq!(counted(world, 9).await, (HOOK, 2, Some(first)));
    world.fail(first, 1, 30).await;
    assert_eq!(counted(world, 9).await, (HOOK, 2, Some(first)));
    world
        .store
        .cancel_delivery(COMPANY, first, world.now)
        .await
        .unwrap();
    assert_eq!(counted(world, 9).await, (HOOK, 1, Some(second)));
}

pub(crate) async fn what_a_delivery_waits_for_is_told(world: &mut World) {
    let first = world.send(1, HOOK).await;
    world.fail(first, 1, 30).await;
    let behind = world.leave(1, HOOK).await;
    let claimed = world.send(2, HOOK).await;
    let done = world.send(3, HOOK).await;
    world.succeed(done, 1).await;
    let ids = vec![first, behind, claimed, done, DeliveryId(404)];
    let mut progress = world.store.progress_of(ids).await.unwrap();
    progress.sort_by_key(|one| one.delivery_id);
    let expected = |delivery_id, is_claimed, behind| DeliveryProgress {
        delivery_id,
        is_claimed,
        behind,
    };
    assert_eq!(
        progress,
        [
            expected(first, false, None),
            expected(behind, false, Some(first)),
            expected(claimed, true, None)
        ]
    );
}

pub(crate) async fn a_delivery_is_claimed_by_name_before_what_is_due_earlier(world: &mut World) {
    let first = world.leave(1, HOOK).await;
    world.after(1);
    let named = world.leave(2, HOOK).await;
    world.effects();
    assert_eq!(world.claim_only(HOOK, named).await.claimed, 1);
    assert_eq!(world.effects(), [Effect::Claimed(named, 1)]);
    assert_eq!(world.claim_only(HOOK, named).await.claimed, 0, "it is claimed");
    assert_eq!(
        world.claim_only(WebhookId(8), first).await.claimed,
        0,
        "it goes elsewhere"
    );
    let behind = world.leave(2, HOOK).await;
    world.fail(named, 1, 30).await;
    assert_eq!(
        world.claim_only(HOOK, behind).await.claimed,
        0,
        "it must not overtake"
    );
    assert_eq!(world.claim(HOOK, 9).await.claimed, 1);
    assert!(world.succeed(first, 1).await);
}

pub(crate) async fn deliveries_that_failed_are_found_whatever_became_of_them(world: &mut World) {
    let recovered = world.send(1, HOOK).await;
    world.fail(recovered, 1, 0).await;
    world.claim(HOOK, 1).await;
    world.succeed(recovered, 2).await;
    let given_up = world.send(2, HOOK).await;
    let attempt = answered(1, 410, world.now);
    world
        .finish(given_up, attempt, DeliveryState::Exhausted { at: world.now })
        .await;
    let fine = world.send(3, HOOK).await;
    world.succeed(fine, 1).await;
    let filter = DeliveryFilter {
        has_failed: true,
        ..DeliveryFilter::default()
    };
    for webhook_id in [None, Some(HOOK)] {
        let filter = DeliveryFilter {
            webhook_id,
            ..filter.clone()
        };
        let page = world
            .store
            .list_deliveries(COMPANY, filter, PageRequest::first(9));
        let found: Vec<_> = page.await.unwrap().items.iter().map(|one| one.id).collect();
        assert_eq!(found, [given_up, recovered]);
    }
    let of_others = DeliveryFilter {
        webhook_id: Some(WebhookId(8)),
        ..filter
    };
    let page = world
        .store
        .list_deliveries(COMPANY, of_others, PageRequest::first(9));
    assert_eq!(page.await.unwrap().items, []);
}

pub(crate) async fn why_attempts_failed_is_told_along_the_deliveries(world: &mut World) {
    let recovered = world.send(1, HOOK).await;
    let silent = unanswered(1, FailureReason::ConnectionRefused, world.now);
    let due_at = world.now;
    world
        .finish(recovered, silent, DeliveryState::Pending { due_at })
        .await;
    world.claim(HOOK, 1).await;
    world.succeed(recovered, 2).await;
    let fine = world.send(2, HOOK).await;
    world.succeed(fine, 1).await;
    let failing = world.send(3, HOOK).await;
    world.fail(failing, 1, 60).await;
    let filter = DeliveryFilter {
        has_failed: true,
        ..DeliveryFilter::default()
    };
    let told = async |filter: &DeliveryFilter, after, limit| {
        let page = PageRequest { after, limit };
        let told = world.store.failed_attempts(COMPANY, filter.clone(), page);
        told.await.unwrap()
    };
    let first = told(&filter, None, 1).await;
    let refused = FailedAttempt {
        delivery_id: failing,
        reason: None,
        detail: Some("its body broke off".to_owned()),
        answer_head: vec![0, 255, b'o', b'k'],
    };
    assert_eq!(first.attempts, std::slice::from_ref(&refused));
    assert_eq!((first.deliveries.len(), first.next), (1, Some(failing.0)));
    let second = told(&filter, first.next, 9).await;
    let silent = FailedAttempt {
        delivery_id: recovered,
        reason: Some(FailureReason::ConnectionRefused),
        detail: Some("it was connection_refused".to_owned()),
        answer_head: Vec::new(),
    };
    assert_eq!(second.attempts, [silent]);
    assert_eq!(
        (second.deliveries, second.next),
        ([(recovered, Kind::Call)].into(), None)
    );
    let all = told(&DeliveryFilter::default(), None, 9).await;
    assert_eq!((all.attempts.len(), all.deliveries.len()), (2, 3), "{all:?}");
    let by_failure = DeliveryFilter {
        failure: Some(Failure::Status(503)),
        ..DeliveryFilter::default()
    };
    assert_eq!(told(&by_failure, None, 9).await.attempts, [refused]);
    let ids = vec![recovered, DeliveryId(404), failing];
    let found = world.store.deliveries(COMPANY, ids.clone()).await.unwrap();
    let expected = [world.get(failing).await, world.get(recovered).await];
    assert_eq!(found, expected);
    assert_eq!(world.store.deliveries(OTHER_COMPANY, ids).await.unwrap(), []);
}

pub(crate) async fn deliveries_that_failed_often_are_told_a_few_at_a_time(world: &mut World) {
    let mut ids = Vec::new();
    for call in 1..=3 {
        let id = world.send(call, HOOK).await;
        // As if it had failed so often: two such have as many failures as are read at once.
        let delivery = Delivery {
            failures: failures(499, 0),
            ..world.get(id).await
        };
        let state = DeliveryState::Pending { due_at: world.now };
        let failed = answered(1, 503, world.now);
        assert!(world.finish_blocking(&delivery, failed, state, world.now).await);
        ids.push(id);
    }
    let mut page = PageRequest::first(9);
    for deliveries in [&ids[1..], &ids[..1]] {
        let told = world
            .store
            .failed_attempts(COMPANY, DeliveryFilter::default(), page);
        let told = told.await.unwrap();
        assert!(told.deliveries.keys().eq(deliveries), "{told:?}");
        assert_eq!(told.attempts.len(), deliveries.len());
        page.after = told.next;
    }
    assert_eq!(page.after, None);
}
