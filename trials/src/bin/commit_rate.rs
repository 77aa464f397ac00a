//! Measures how many events a second the stores record and complete: `cargo trial commit_rate [FOLDER]`.
//!
//! Each producer records an event with one delivery, waits until it is durable, and records the next. Every delivery is
//! finished with a 200 as soon as it is handed over. PostgreSQL is measured where it is installed, on a temporary server.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::attempt::{Answer, Attempt, AttemptOutcome, AttemptRequest, HeaderRecord, Phases};
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, IdSequence, SubscriptionId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::retry::Failures;
use switchhook_domain::subscription::Revision;
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::postgres::cluster::{Cluster, Durability, create_database};
use switchhook_store::{
    ClaimedDelivery, Commit, FinishedAttempt, HandOver, HandedOver, NewDelivery, NewEvent, Store,
    StoreOptions,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

const START: Timestamp = Timestamp::from_millis(1_795_253_400_000);
const DURATION: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Counts {
    recorded: AtomicU64,
    finished: AtomicU64,
    commits: AtomicU64,
    waited_us: AtomicU64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let scratch = match &directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let folder = scratch.path().join("postgres");
    std::fs::create_dir(&folder)?;
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o711))?;
    let cluster = Cluster::start(&folder, Durability::Full);
    if let Err(error) = &cluster {
        println!("PostgreSQL is not measured: {error}");
    }
    for producers in [64, 256] {
        for ordered in [false, true] {
            let name = format!("commit_rate_{producers}_{ordered}");
            let file = scratch.path().join(format!("{name}.db"));
            let sqlite = format!("sqlite:{}", file.display());
            runtime.block_on(measure("sqlite", &sqlite, producers, ordered))?;
            if let Ok(cluster) = &cluster {
                let url = create_database(&cluster.url("postgres"), &name)?;
                runtime.block_on(measure("postgresql", &url, producers, ordered))?;
            }
        }
    }
    Ok(())
}

async fn measure(
    driver: &str,
    url: &str,
    producers: u64,
    ordered: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let counts = Arc::new(Counts::default());
    let theirs = Arc::clone(&counts);
    let observer = move |_: Commit| {
        theirs.commits.fetch_add(1, Ordering::Relaxed);
    };
    let options = StoreOptions {
        observer: Some(Arc::new(observer)),
        ..StoreOptions::owner(START)
    };
    let store = switchhook_store::open(url, options)?;
    let stream = store.take_hand_over().ok_or("the stream was taken")?;
    let finisher = tokio::spawn(finish(Arc::clone(&store), stream, Arc::clone(&counts)));

    let started = Instant::now();
    let ids = store.ids().await?;
    let tasks: Vec<_> = (0..producers)
        .map(|producer| {
            tokio::spawn(produce(
                Arc::clone(&store),
                Arc::clone(&ids),
                Arc::clone(&counts),
                producer,
                ordered,
            ))
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let (recorded, commits) = (
        counts.recorded.load(Ordering::Relaxed),
        counts.commits.load(Ordering::Relaxed),
    );
    let finished = counts.finished.load(Ordering::Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    let (rate, per_commit) = (recorded as f64 / seconds, recorded as f64 / commits as f64);
    println!(
        "{driver:10} {producers:>4} producers, {}: {rate:>7.0} events/s recorded, {:.0} % of them finished, {per_commit:.1} events a commit, \
         {} µs a record",
        if ordered { "ordered  " } else { "unordered" },
        100.0 * finished as f64 / recorded as f64,
        counts.waited_us.load(Ordering::Relaxed) / recorded.max(1),
    );
    store.close().await;
    finisher.abort();
    Ok(())
}

async fn produce(
    store: Arc<dyn Store>,
    ids: Arc<IdSequence>,
    counts: Arc<Counts>,
    producer: u64,
    ordered: bool,
) {
    let started = Instant::now();
    let mut number = 0;
    while started.elapsed() < DURATION {
        let asked = Instant::now();
        let event = event(&ids, producer * 1_000_000 + number / 5, ordered);
        store.record_events(vec![event]).await.expect("it is kept");
        counts.waited_us.fetch_add(
            u64::try_from(asked.elapsed().as_micros()).unwrap_or(0),
            Ordering::Relaxed,
        );
        counts.recorded.fetch_add(1, Ordering::Relaxed);
        number += 1;
    }
}

fn event(ids: &IdSequence, call: u64, ordered: bool) -> NewEvent {
    let id = ids.reserve(START, 2).first;
    let filler = "x".repeat(1024);
    NewEvent {
        id: EventId(id),
        company_id: CompanyId(1),
        kind: Kind::Call,
        body: Bytes::from(format!(
            r#"{{"call_id":{call},"state":"hangup","filler":"{filler}"}}"#
        )),
        accepted_at: START,
        order_key: Some(OrderKey::new(format!("call:{call}"))),
        warnings: Vec::new(),
        idempotency: None,
        deliveries: vec![NewDelivery {
            id: DeliveryId(id + 1),
            webhook_id: WebhookId(7),
            subscription_ids: vec![SubscriptionId(8)],
            hidden: Hidden::NOTHING,
            is_ordered: ordered,
            claim_until: Some(START.plus(Duration::from_secs(30))),
        }],
        revision: Revision(0),
        concealable: Hidden::EVERYTHING,
        is_logged: false,
    }
}

async fn finish(store: Arc<dyn Store>, mut stream: mpsc::UnboundedReceiver<HandOver>, counts: Arc<Counts>) {
    while let Some(handed_over) = stream.recv().await {
        let finished: Vec<_> = handed_over.iter().filter_map(finished).collect();
        let (store, counts) = (Arc::clone(&store), Arc::clone(&counts));
        if finished.is_empty() {
            continue;
        }
        tokio::spawn(async move {
            let count = finished.len();
            let late = store.finish_attempts(finished).await.expect("it is kept");
            assert_eq!(late, 0, "nothing is late here");
            counts.finished.fetch_add(count as u64, Ordering::Relaxed);
        });
    }
}

fn finished(item: &HandedOver) -> Option<FinishedAttempt> {
    let HandedOver::Claimed(claimed) = item else {
        return None;
    };
    let ClaimedDelivery { delivery, .. } = claimed.as_ref();
    let at = START.plus(Duration::from_millis(5));
    Some(FinishedAttempt {
        delivery_id: delivery.id,
        webhook_id: delivery.webhook_id,
        attempt: Attempt {
            number: delivery.attempt_number,
            started_at: START,
            finished_at: at,
            outcome: AttemptOutcome::Answered {
                status: 200,
                retry_after: None,
            },
            request: Some(AttemptRequest {
                url: "https://example.com/hooks/calls".into(),
                headers: HeaderRecord::of([("content-type", "application/json".into())]),
            }),
            answer: Some(Answer {
                status: 200,
                headers: HeaderRecord::of([("content-length", "2".into()), ("server", "example".into())]),
                body_head: b"ok".to_vec(),
                is_truncated: false,
                note: None,
            }),
            phases: Phases {
                total: Duration::from_millis(5),
                ..Phases::default()
            },
        },
        state: DeliveryState::Delivered { at },
        failures: Failures::default(),
        blocks_until: at,
        suspended: Duration::ZERO,
    })
}
