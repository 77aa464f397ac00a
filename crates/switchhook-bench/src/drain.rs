//! A stored backlog on its way out: how fast, and in how much memory, from its first tenth to its last; and how much is left
//! of that when nothing more happens.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::prepared::{self, sqlite_url};
use super::receiver::{Receiver, ReceiverBehaviour, Scheme};
use super::row::{Row, Spread};
use super::subject::{ServerOptions, Subject};
use super::test_bed::TestBed;
use super::watch::Watch;

/// Time without progress after which the backlog is examined.
const IDLE: Duration = Duration::from_secs(15);

/// Measures one backlog of `count` deliveries, to a receiver that takes signed ones.
pub(super) async fn measure(count: u64, test_bed: &TestBed<'_>) -> Result<[Row; 2]> {
    let room = test_bed.room()?;
    let payload = test_bed.payload();
    let receiver = Receiver::start(Scheme::Http, 1, Arc::new(Watch::start()), payload.clone()).await?;
    let file = room.path().join("switchhook.db");
    prepared::with_backlog(
        &file,
        count,
        &receiver.hook_url(ReceiverBehaviour::Count, 0),
        payload,
    )
    .await?;
    let options = ServerOptions {
        store: &sqlite_url(&file),
        company: None,
        authority: None,
    };
    let mut subject = Subject::start_server(room.path(), &options).await?;
    let (mut rates, mut memory) = (Vec::new(), Vec::new());
    // The first deliveries are under way before the server says that it is ready: they count with no tenth.
    let early = receiver.arrivals.count();
    for tenth in 1..=10 {
        let goal = early + count.saturating_sub(early) * tenth / 10;
        let before = (receiver.arrivals.count(), Instant::now());
        receiver.wait_for(goal, &mut subject).await?;
        let arrived = receiver.arrivals.count() - before.0;
        // A tenth that passed between two looks has no rate.
        if arrived > 0 {
            #[expect(clippy::cast_precision_loss, reason = "at most ten million")]
            rates.push(arrived as f64 / before.1.elapsed().as_secs_f64());
        }
        memory.extend(subject.usage().memory_mb);
    }
    let spent = subject.usage().cpu;
    tokio::time::sleep(IDLE).await;
    let left = subject.usage().memory_mb;
    subject.stop().await?;
    let name = format!("drain-{}", short(count));
    let idle = Row {
        memory_mb: left.and_then(|left| Spread::of(&[left])),
        ..Row::named("drain", &format!("{name} idle"))
    };
    let mut row = Row::named("drain", &name);
    #[expect(clippy::cast_precision_loss, reason = "at most ten million")]
    let of_each = |spent: Duration| Spread::of(&[spent.as_secs_f64() * 1e6 / count as f64]);
    row.cpu_us = spent.and_then(of_each);
    row.per_second = Spread::of(&rates);
    row.memory_mb = Spread::of(&memory);
    Ok([row, idle])
}

/// A round count as people write it: 10, 1k, 100k, 1M.
pub(super) fn short(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}
