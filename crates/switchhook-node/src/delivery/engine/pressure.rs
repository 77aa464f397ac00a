//! Accepting gives way to sending where processors are short, or events would come in faster than they go out.
//!
//! Short processors are told from slow receivers by the threads that send: who waits for a receiver lets them rest. Only while
//! they hardly do, and much is on its way out, do senders of events wait: each is let in when something has ended, and after a
//! short while in any case.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// With fewer attempts under way nobody looks how busy the threads are.
const LOOKED_AT_ABOVE: u32 = 128;

/// Length of a measurement: what is let in meanwhile, where twenty webhooks get each event, is twenty times as much to send.
const LOOK: Duration = Duration::from_millis(10);

/// Threads that work for so much of the time are busy: where processors are short, others take the rest.
pub const BUSY: f64 = 0.7;

/// With fewer deliveries in memory nobody waits.
pub const LET_IN_BELOW: u32 = 8_192;

/// Events let in at once.
const LET_IN: usize = 8;

/// Longest time for which an event is held back.
pub const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Utilization of a runtime's threads.
pub(super) struct Threads {
    metrics: RuntimeMetrics,
    looked_at: Instant,
    busy: Duration,
}

impl Threads {
    /// Those of a runtime, if it has threads of its own.
    pub(super) fn of(runtime: &Handle) -> Option<Self> {
        let own = Handle::try_current().is_ok_and(|current| current.id() != runtime.id());
        own.then(|| Self {
            metrics: runtime.metrics(),
            looked_at: Instant::now(),
            busy: Duration::ZERO,
        })
    }

    /// True if they are saturated while so many attempts are in flight; `None` until that is measured.
    pub(super) fn are_busy(&mut self, in_flight: u32) -> Option<bool> {
        let elapsed = self.looked_at.elapsed();
        if elapsed < LOOK {
            return None;
        }
        let workers = self.metrics.num_workers();
        let busy: Duration = (0..workers)
            .map(|worker| self.metrics.worker_total_busy_duration(worker))
            .sum();
        let since = busy.saturating_sub(self.busy);
        self.busy = busy;
        self.looked_at += elapsed;
        let most = elapsed * u32::try_from(workers).unwrap_or(u32::MAX);
        Some(in_flight > LOOKED_AT_ABOVE && since.as_secs_f64() >= most.as_secs_f64() * BUSY)
    }
}

/// Back pressure on accepting events while the processors that send are saturated.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    is_short: AtomicBool,
    /// Deliveries in memory.
    on_the_way: AtomicU32,
    room: Notify,
}

impl Pressure {
    /// Sets whether the sending threads are saturated.
    pub(super) fn set_short(&self, is_short: bool) {
        self.is_short.store(is_short, Ordering::Relaxed);
    }

    /// So many deliveries are in memory now: lets in who may go on.
    pub(super) fn set_on_the_way(&self, deliveries: u32) {
        self.on_the_way.store(deliveries, Ordering::Relaxed);
        if !self.is_short.load(Ordering::Relaxed) {
            self.room.notify_waiters();
        } else if deliveries < LET_IN_BELOW {
            (0..LET_IN).for_each(|_| self.room.notify_one());
        }
    }

    /// Deliveries in memory.
    pub(super) fn on_the_way(&self) -> u32 {
        self.on_the_way.load(Ordering::Relaxed)
    }

    /// Waits while processors are short and much is on its way out, but never for long.
    pub(super) async fn yield_to_sending(&self) {
        if self.is_short.load(Ordering::Relaxed) && self.on_the_way() >= LET_IN_BELOW {
            // Whoever waited for long enough goes on like one that was let in.
            let _ = timeout(LONGEST_WAIT, self.room.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: u32 = LET_IN_BELOW;

    async fn waited(pressure: &Pressure) -> Duration {
        let begun = Instant::now();
        pressure.yield_to_sending().await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_slow_receivers() {
        let pressure = Pressure::default();
        pressure.set_short(false);
        pressure.set_on_the_way(2 * MANY);
        assert_eq!(waited(&pressure).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn where_processors_are_short_events_wait_but_not_for_long() {
        let pressure = Pressure::default();
        pressure.set_short(true);
        pressure.set_on_the_way(MANY);
        assert!(waited(&pressure).await >= LONGEST_WAIT);
        pressure.set_on_the_way(MANY - 1);
        assert_eq!(waited(&pressure).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_let_in_by_and_by_as_deliveries_end_and_all_at_once_when_nothing_is_short() {
        let pressure = Pressure::default();
        pressure.set_short(true);
        pressure.set_on_the_way(MANY);
        let let_in = AtomicU32::new(0);
        let wait = || async {
            pressure.yield_to_sending().await;
            let_in.fetch_add(1, Ordering::Relaxed)
        };
        let waiting = futures_util::future::join_all((0..20).map(|_| wait()));
        let history = async {
            let settle = || tokio::time::sleep(Duration::from_millis(1));
            let mut seen = Vec::new();
            settle().await;
            for on_the_way in [MANY, MANY - 1, MANY - 1] {
                pressure.set_on_the_way(on_the_way);
                settle().await;
                seen.push(let_in.load(Ordering::Relaxed) as usize);
            }
            pressure.set_short(false);
            pressure.set_on_the_way(MANY);
            settle().await;
            seen.push(let_in.load(Ordering::Relaxed) as usize);
            seen
        };
        let (_, seen) = futures_util::future::join(waiting, history).await;
        assert_eq!(seen, [0, LET_IN, 2 * LET_IN, 20]);
    }

    #[test]
    fn threads_that_work_all_the_time_are_busy_and_those_that_wait_are_not() {
        let sending = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let other = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        other.block_on(async {
            assert!(
                Threads::of(&Handle::current()).is_none(),
                "it has none of its own"
            );
            let mut threads = Threads::of(sending.handle()).unwrap();
            tokio::time::sleep(LOOK).await;
            assert_eq!(threads.are_busy(LOOKED_AT_ABOVE + 1), Some(false));
            assert_eq!(threads.are_busy(LOOKED_AT_ABOVE + 1), None);
            sending.spawn(async { keep_the_thread(2 * LOOK) }).await.unwrap();
            // What a thread did is told when it rests.
            while threads.metrics.worker_total_busy_duration(0) < LOOK {
                tokio::task::yield_now().await;
            }
            assert_eq!(threads.are_busy(LOOKED_AT_ABOVE + 1), Some(true));
        });
    }

    #[expect(clippy::disallowed_methods, reason = "keeps the thread, as work does")]
    fn keep_the_thread(time: Duration) {
        std::thread::sleep(time);
    }
}
