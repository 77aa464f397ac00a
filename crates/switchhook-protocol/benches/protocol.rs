//! Cost of an event on the wire: `cargo bench -p switchhook-protocol`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use switchhook_protocol::{Kind, Payload, Signer, Verifier, check_object};

/// A call as real traffic looks.
const BODY: &[u8] = include_bytes!("../tests/fixtures/observed_call.json");
const SECRET: &str = "a secret of the length that an HS256 key should have";

fn wire(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    group.throughput(Throughput::Bytes(BODY.len() as u64));
    let signer = Signer::new(SECRET);
    group.bench_function("sign", |bencher| bencher.iter(|| signer.sign(black_box(BODY))));
    let (verifier, token) = (Verifier::new([SECRET]), signer.sign(BODY));
    group.bench_function("sign again", |bencher| {
        bencher.iter(|| signer.sign_again(black_box(token.as_bytes())));
    });
    verifier
        .verify(token.as_bytes())
        .expect("what was signed verifies");
    group.bench_function("verify", |bencher| {
        bencher.iter(|| verifier.verify(black_box(token.as_bytes())));
    });
    group.bench_function("check that it is one object", |bencher| {
        bencher.iter(|| check_object(black_box(BODY)).is_ok());
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| Payload::read(Kind::Call, black_box(BODY)).is_ok());
    });
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
