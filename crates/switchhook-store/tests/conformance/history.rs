//! History of attempts by minute and by hour.

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::history::{Counts, Granularity, HistorySubject, Latencies, Sum};
use switchhook_domain::id::WebhookId;

use crate::World;
use crate::samples::{COMPANY, NOON, OTHER_COMPANY};

const WEBHOOK: HistorySubject = HistorySubject::Webhook(COMPANY, WebhookId(7));

const HOUR: Duration = Duration::from_secs(60 * 60);

fn minute(number: u32) -> Timestamp {
    NOON.plus(Granularity::Minute.length() * number)
}

fn sum(subject: HistorySubject, from: Timestamp, delivered: u64) -> Sum {
    let mut latencies = Latencies::NONE;
    latencies.count(Duration::from_millis(40));
    Sum {
        subject,
        resolution: Granularity::Minute,
        from,
        counts: Counts {
            accepted: 1,
            delivered,
            failed_answered: 2,
            failed_unanswered: 3,
            exhausted: 4,
            latencies,
        },
    }
}

async fn delivered(world: &World, subject: &[HistorySubject]) -> Vec<u64> {
    let sums = world
        .store
        .history(subject.to_vec(), Granularity::Minute, NOON, NOON.plus(HOUR))
        .await
        .unwrap();
    sums.iter().map(|sum| sum.counts.delivered).collect()
}

pub(crate) async fn sums_are_added_up_and_read_by_whose_and_when(world: &mut World) {
    let store = Arc::clone(&world.store);
    let hour = Sum {
        resolution: Granularity::Hour,
        ..sum(WEBHOOK, NOON, 9)
    };
    let all = HistorySubject::Company(COMPANY);
    let others = HistorySubject::Webhook(OTHER_COMPANY, WebhookId(7));
    let first = vec![
        sum(WEBHOOK, minute(1), 10),
        hour.clone(),
        sum(all, NOON, 5),
        sum(others, NOON, 6),
        sum(WEBHOOK, NOON, 1),
    ];
    store.add_history(first).await.unwrap();
    store
        .add_history(vec![sum(WEBHOOK, minute(1), 20)])
        .await
        .unwrap();
    assert_eq!(delivered(world, &[WEBHOOK]).await, [1, 30]);
    assert_eq!(delivered(world, &[all, others]).await, [5, 6]);
    assert!(delivered(world, &[HistorySubject::Server]).await.is_empty());
    let read = |resolution, from, to| store.history(vec![WEBHOOK], resolution, from, to);
    assert_eq!(read(Granularity::Hour, NOON, minute(1)).await.unwrap(), [hour]);
    let later = read(Granularity::Minute, minute(1), minute(2)).await.unwrap();
    let mut counts = sum(WEBHOOK, minute(1), 10).counts;
    counts.add(&sum(WEBHOOK, minute(1), 20).counts);
    assert_eq!(later.len(), 1);
    assert_eq!(later[0].counts, counts);
    assert_eq!(read(Granularity::Minute, NOON, minute(1)).await.unwrap().len(), 1);
}

pub(crate) async fn nodes_that_add_to_the_same_sums_at_once_lose_nothing(world: &mut World) {
    let added = (0..16_u32).map(|node| {
        let store = Arc::clone(&world.store);
        // Each in another order.
        let minutes = (0..5).map(|place| (place + node) % 5);
        let sums: Vec<_> = minutes.map(|number| sum(WEBHOOK, minute(number), 1)).collect();
        tokio::spawn(async move { store.add_history(sums).await })
    });
    for one in added.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    assert_eq!(delivered(world, &[WEBHOOK]).await, [16; 5]);
}

pub(crate) async fn the_oldest_sums_are_forgotten_by_slices(world: &mut World) {
    let store = Arc::clone(&world.store);
    let minutes = (0..5_u32).map(|number| sum(WEBHOOK, minute(number), u64::from(number)));
    let hour = Sum {
        resolution: Granularity::Hour,
        ..sum(WEBHOOK, NOON, 9)
    };
    store
        .add_history(minutes.chain([hour.clone()]).collect())
        .await
        .unwrap();
    let forget = || store.forget_old_history(Granularity::Minute, minute(3), 2);
    assert_eq!(forget().await.unwrap(), 2);
    assert_eq!(delivered(world, &[WEBHOOK]).await, [2, 3, 4]);
    assert_eq!((forget().await.unwrap(), forget().await.unwrap()), (1, 0));
    assert_eq!(delivered(world, &[WEBHOOK]).await, [3, 4]);
    let hours = store.history(vec![WEBHOOK], Granularity::Hour, NOON, minute(1));
    assert_eq!(hours.await.unwrap(), [hour]);
}
