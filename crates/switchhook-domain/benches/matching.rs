//! What deciding where an event goes costs, by how many subscriptions there are: `cargo bench -p switchhook-domain`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use switchhook_domain::event::EventFacts;
use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId};
use switchhook_domain::matching::CompanyIndex;
use switchhook_domain::scope::Scopes;
use switchhook_domain::subscription::{CallFilter, Endpoint, Filter, Subscription, TargetRef};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::{Payload, TargetType};

/// A call as real traffic looks.
const BODY: &[u8] = include_bytes!("../../switchhook-protocol/tests/fixtures/observed_call.json");

fn facts() -> EventFacts {
    let payload = Payload::read(Kind::Call, BODY).expect("it is a call");
    EventFacts::of(&payload)
}

/// One for every call, and the others for entities that this call is not about.
fn subscription(number: i64) -> Subscription {
    let target = (number > 0).then_some(TargetRef {
        target_type: TargetType::User,
        target_id: number,
    });
    Subscription {
        id: SubscriptionId(number),
        company_id: CompanyId(1),
        endpoint: Some(Endpoint::Webhook(WebhookId(number % 10))),
        enabled: true,
        filter: Filter::Call(CallFilter {
            target,
            ..CallFilter::default()
        }),
        scopes: Scopes::NONE,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

fn matching(criterion: &mut Criterion) {
    criterion.bench_function("read the facts of a call", |bencher| {
        bencher.iter(|| {
            let payload = Payload::read(Kind::Call, black_box(BODY));
            payload.map(|payload| EventFacts::of(&payload)).is_ok()
        });
    });
    let facts = facts();
    let mut group = criterion.benchmark_group("match a call with one of so many subscriptions");
    for count in [10, 1_000, 100_000] {
        let index = CompanyIndex::build((0..count).map(subscription));
        assert_eq!(index.match_event(&facts).len(), 1);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| index.match_event(black_box(&facts)));
        });
    }
    group.finish();
}

criterion_group!(benches, matching);
criterion_main!(benches);
