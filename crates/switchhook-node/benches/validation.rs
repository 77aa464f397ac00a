//! Cost of parsing an event and validating it against its schema: `cargo bench -p switchhook`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::validation::Validator;
use switchhook_protocol::Outline;
use switchhook_simulator::Simulation;

fn validation(criterion: &mut Criterion) {
    let validator = Validator::new();
    let start = Timestamp::from_millis(1_795_420_800_000);
    let mut group = criterion.benchmark_group("validate");
    for kind in Kind::ALL {
        let event = Simulation::new(7, start).find(|event| event.kind == kind);
        let body = event.expect("a simulation has every kind").body;
        let look = || Outline::read(black_box(body.as_bytes())).expect("it is one JSON object");
        assert!(validator.check(kind, &look()).is_empty());
        group.bench_function(kind.to_string(), |bencher| {
            bencher.iter(|| validator.check(kind, &look()));
        });
    }
    group.finish();
}

criterion_group!(benches, validation);
criterion_main!(benches);
