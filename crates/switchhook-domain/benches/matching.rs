//! Cost of matching by the number of subscriptions: `cargo bench -p switchhook-domain`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use switchhook_domain::event::EventFacts;
use switchhook_domain::filter::{Content, PayloadFilter};
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
        payload_filter: None,
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
        assert_eq!(index.match_event(&facts, &Content::of(BODY)).len(), 1);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| index.match_event(black_box(&facts), &Content::of(BODY)));
        });
    }
    group.finish();
    filtered(criterion, &facts);
}

/// Cost of payload filters for an event that no subscription wants, and for one that a filter must be evaluated for.
fn filtered(criterion: &mut Criterion, facts: &EventFacts) {
    let filter = PayloadFilter::parse(r#"{"duration": {"$gt": 1e9}, "contact": {"name": "Nobody"}}"#);
    let filter = filter.expect("it is a filter");
    let with = |every: i64| {
        let filter = filter.clone();
        move |number: i64| Subscription {
            payload_filter: (number % every == 0).then(|| filter.clone()),
            ..subscription(number)
        }
    };
    let mut group = criterion.benchmark_group("match a call that none of a million subscriptions wants");
    for (name, every) in [("without filters", i64::MAX), ("a tenth with filters", 10)] {
        let index = CompanyIndex::build((1..=1_000_000).map(with(every)));
        assert_eq!(index.match_event(facts, &Content::of(BODY)).len(), 0);
        group.bench_function(name, |bencher| {
            bencher.iter(|| index.match_event(black_box(facts), &Content::of(BODY)));
        });
    }
    group.finish();
    let index = CompanyIndex::build((0..1).map(with(1)));
    criterion.bench_function("ask a filter about a call", |bencher| {
        bencher.iter(|| index.match_event(black_box(facts), &Content::of(BODY)));
    });
}

criterion_group!(benches, matching);
criterion_main!(benches);
