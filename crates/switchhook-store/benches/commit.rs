//! Cost of a commit by the number of events in it: `cargo bench -p switchhook-store`. The file is in the temporary
//! folder; `TMPDIR` puts it on another disk.

use std::sync::Arc;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, IdSequence, SubscriptionId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::subscription::Revision;
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{NewDelivery, NewEvent, Store, StoreOptions};

const NOW: Timestamp = Timestamp::from_millis(1_795_253_400_000);

/// An event of a kilobyte with one delivery.
fn event(ids: &IdSequence) -> NewEvent {
    let id = ids.reserve(NOW, 2).first;
    let filler = "x".repeat(1_000);
    NewEvent {
        id: EventId(id),
        company_id: CompanyId(1),
        kind: Kind::Call,
        body: Bytes::from(format!(r#"{{"call_id":{id},"filler":"{filler}"}}"#)),
        accepted_at: NOW,
        order_key: Some(OrderKey::new(format!("call:{id}"))),
        warnings: Vec::new(),
        idempotency: None,
        concealable: Hidden::EVERYTHING,
        is_logged: false,
        deliveries: vec![NewDelivery {
            id: DeliveryId(id + 1),
            webhook_id: WebhookId(7),
            subscription_ids: vec![SubscriptionId(8)],
            hidden: Hidden::NOTHING,
            is_ordered: true,
            claim_until: None,
        }],
        revision: Revision(0),
    }
}

fn commit(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("commit.db");
    let store: Arc<SqliteStore> =
        SqliteStore::open(&file, StoreOptions::owner(NOW)).expect("a store can be made");
    let ids = IdSequence::after(0);
    let mut group = criterion.benchmark_group("commit with so many events");
    for count in [1_u64, 16, 256] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_with_setup(
                || (0..count).map(|_| event(&ids)).collect::<Vec<_>>(),
                |events| {
                    runtime
                        .block_on(store.record_events(events))
                        .expect("they are kept")
                },
            );
        });
    }
    group.finish();
    runtime.block_on(store.close());
}

criterion_group!(benches, commit);
criterion_main!(benches);
