//! Order in which queues come up.

use super::*;
use crate::delivery::samples::{NOW, claimed, registry, webhook};

const A: WebhookId = WebhookId(1);
const B: WebhookId = WebhookId(2);
const PAUSED: WebhookId = WebhookId(3);

const LATER: Timestamp = Timestamp::from_millis(NOW.as_millis() + 1_000);

async fn schedule() -> Schedule {
    let mut paused = webhook(PAUSED);
    paused.paused_at = Some(NOW);
    Schedule {
        entries: IdMap::default(),
        due: BTreeSet::new(),
        runnable: VecDeque::new(),
        touched: BTreeSet::new(),
        share: Share::ALL,
        registry: registry([webhook(A), webhook(B), paused]).await,
        clock: Arc::new(|| NOW),
        defaults: DeliveryDefaults::default(),
        memory: Memory::new(100 << 20, 10_000),
    }
}

#[tokio::test]
async fn a_queue_is_runnable_once_and_only_while_it_can_start() {
    let mut schedule = schedule().await;
    schedule.queue(A);
    schedule.make_runnable(A);
    assert_eq!(schedule.next_runnable(), None, "it has nothing");
    schedule.queue(A).take(claimed(1, None));
    schedule.queue(B).take(claimed(2, None));
    for id in [A, B, A] {
        schedule.make_runnable(id);
    }
    assert_eq!(schedule.next_runnable(), Some(A));
    schedule.keep_runnable(vec![A]);
    assert_eq!(schedule.next_runnable(), Some(B), "who found no room is last");
    assert_eq!(schedule.next_runnable(), Some(A));
    assert_eq!(schedule.next_runnable(), None);
}

#[tokio::test]
async fn what_is_due_first_comes_first_and_each_queue_once() {
    let mut schedule = schedule().await;
    for (id, due_at) in [(A, LATER), (B, LATER), (B, NOW), (PAUSED, NOW)] {
        schedule.queue(id).backlog().due(due_at);
        schedule.reschedule(id);
    }
    assert_eq!(schedule.first_due(), Some((NOW, B)));
    assert_eq!(schedule.due.len(), 2, "nothing is due of what is paused");
    schedule.set_cancelling(B, true);
    schedule.reschedule(B);
    assert_eq!(schedule.first_due(), Some((LATER, A)));
    schedule.set_cancelling(B, false);
    schedule.reschedule(B);
    assert_eq!(schedule.oldest_due(), Some(NOW));
}

#[tokio::test]
async fn what_was_touched_is_runnable_due_or_forgotten() {
    let mut schedule = schedule().await;
    schedule.queue(B).take(claimed(1, None));
    schedule.queue(A).backlog().due(LATER);
    schedule.queue(PAUSED);
    for id in [B, A, PAUSED, B] {
        schedule.touch(id);
    }
    schedule.update_touched();
    assert_eq!(schedule.next_runnable(), Some(B));
    assert_eq!(schedule.next_runnable(), None);
    assert_eq!(schedule.first_due(), Some((LATER, A)));
    assert_eq!(schedule.ids(), [A, B]);
}

#[tokio::test]
async fn a_queue_is_not_forgotten_while_anything_is_known_of_it() {
    let mut schedule = schedule().await;
    schedule.queue(A).take(claimed(1, None));
    schedule.forget_if_idle(A);
    assert_eq!(schedule.ids(), [A], "it has a claim");
    schedule.queue(A).settled(claimed(1, None).delivery.id, 1);
    schedule.set_cancelling(A, true);
    schedule.forget_if_idle(A);
    assert_eq!(schedule.ids(), [A], "it is being cancelled");
    schedule.set_cancelling(A, false);
    schedule.forget_if_idle(A);
    assert!(schedule.ids().is_empty());
}

#[tokio::test]
async fn a_smaller_share_counts_at_once_and_a_larger_one_does_not() {
    let mut schedule = schedule().await;
    let mut nodes = crate::delivery::engine::nodes::Nodes::new();
    let alone = schedule.queue(A).room();
    for (count, parts) in [(4, 4), (2, 4)] {
        let share = nodes.set_count(count).expect("it is another count");
        schedule.set_share(share);
        assert_eq!(schedule.queue(A).room(), alone / parts, "{count} nodes");
    }
    let sends = schedule.registry.destination(B).expect("it is known");
    let cap = schedule.cap_of(&sends);
    assert_eq!(cap, DeliveryDefaults::default().max_in_flight / 2);
    assert_eq!(schedule.rate_of(&sends), None, "it has none");
    assert_eq!(schedule.queue(B).room(), alone / 2);
}
