//! Accepting gives way to sending where processors are short, or events would come in faster than they go out.
//!
//! Short processors are told from slow receivers by the threads that send: who waits for a receiver lets them rest. Only while
//! they hardly do, and much is on its way out, do senders of events wait in line: they are let in as deliveries are sent and
//! stored, and after a short while in any case.

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

/// With so many deliveries that have not been sent, events wait: enough that those who send do not run dry before events that
/// are let in have been committed.
pub const MOST_UNSENT: u32 = 2_048;

/// With so many deliveries in memory, sent or not, events wait: those above the engine's bound would have to be read again.
pub const MOST_IN_MEMORY: u32 = 8_192;

/// Events let in at once, and the part of those who wait, if that is more.
const LET_IN: u32 = 8;
const LET_IN_PART: u32 = 4;

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
    in_memory: AtomicU32,
    unsent: AtomicU32,
    waiting: AtomicU32,
    room: Notify,
}

/// Deliveries of this node.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnTheWay {
    /// All that are in memory.
    pub(super) in_memory: u32,
    /// Those of which no attempt has ended.
    pub(super) unsent: u32,
}

impl OnTheWay {
    const fn is_much(self) -> bool {
        self.unsent >= MOST_UNSENT || self.in_memory >= MOST_IN_MEMORY
    }
}

/// One who waits, until it is dropped: requests may be broken off.
struct Waiter<'a>(&'a AtomicU32);

impl<'a> Waiter<'a> {
    fn among(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pressure {
    /// Sets whether the sending threads are saturated.
    pub(super) fn set_short(&self, is_short: bool) {
        self.is_short.store(is_short, Ordering::Relaxed);
    }

    /// So much is on its way now: lets in who may go on.
    pub(super) fn set_on_the_way(&self, on_the_way: OnTheWay) {
        let OnTheWay { in_memory, unsent } = on_the_way;
        self.in_memory.store(in_memory, Ordering::Relaxed);
        self.unsent.store(unsent, Ordering::Relaxed);
        if !self.is_short.load(Ordering::Relaxed) || unsent == 0 {
            self.room.notify_waiters();
        } else if !on_the_way.is_much() {
            let part = self.waiting.load(Ordering::Relaxed) / LET_IN_PART;
            (0..part.max(LET_IN)).for_each(|_| self.room.notify_one());
        }
    }

    /// Deliveries in memory.
    pub(super) fn in_memory(&self) -> u32 {
        self.in_memory.load(Ordering::Relaxed)
    }

    /// Waits while processors are short and much is on its way out, but never for long.
    pub(super) async fn yield_to_sending(&self) {
        if !self.is_short.load(Ordering::Relaxed) {
            return;
        }
        let on_the_way = OnTheWay {
            in_memory: self.in_memory(),
            unsent: self.unsent.load(Ordering::Relaxed),
        };
        // Nobody overtakes those who wait: a few would wait for all the others.
        if on_the_way.is_much() || self.waiting.load(Ordering::Relaxed) > 0 {
            let _waiter = Waiter::among(&self.waiting);
            // Whoever waited for long enough goes on like one that was let in.
            let _ = timeout(LONGEST_WAIT, self.room.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUCH: OnTheWay = OnTheWay {
        in_memory: MOST_UNSENT,
        unsent: MOST_UNSENT,
    };

    const LITTLE: OnTheWay = OnTheWay {
        in_memory: MOST_IN_MEMORY - 1,
        unsent: MOST_UNSENT - 1,
    };

    /// Pressure of processors that are short.
    fn short(on_the_way: OnTheWay) -> Pressure {
        let pressure = Pressure::default();
        pressure.set_short(true);
        pressure.set_on_the_way(on_the_way);
        pressure
    }

    async fn waited(pressure: &Pressure) -> Duration {
        let begun = Instant::now();
        pressure.yield_to_sending().await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_slow_receivers() {
        let pressure = short(MUCH);
        pressure.set_short(false);
        assert_eq!(waited(&pressure).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn where_processors_are_short_events_wait_but_not_for_long() {
        let much_to_store = OnTheWay {
            in_memory: MOST_IN_MEMORY,
            unsent: 1,
        };
        for much in [MUCH, much_to_store] {
            let pressure = short(much);
            assert!(waited(&pressure).await >= LONGEST_WAIT, "{much:?}");
            pressure.set_on_the_way(LITTLE);
            // One wait's permit is left over.
            pressure.yield_to_sending().await;
            assert_eq!(waited(&pressure).await, Duration::ZERO);
        }
    }

    /// How many of forty that wait have gone on after each step: whether processors are short, and what is on its way.
    async fn let_in_by(steps: &[(bool, OnTheWay)]) -> Vec<u32> {
        let pressure = short(MUCH);
        let let_in = AtomicU32::new(0);
        let wait = || async {
            pressure.yield_to_sending().await;
            let_in.fetch_add(1, Ordering::Relaxed);
        };
        let waiting = futures_util::future::join_all((0..40).map(|_| wait()));
        let history = async {
            let mut seen = Vec::new();
            tokio::time::sleep(Duration::from_millis(1)).await;
            for (is_short, on_the_way) in steps {
                pressure.set_short(*is_short);
                pressure.set_on_the_way(*on_the_way);
                tokio::time::sleep(Duration::from_millis(1)).await;
                seen.push(let_in.load(Ordering::Relaxed));
            }
            seen
        };
        futures_util::future::join(waiting, history).await.1
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_are_let_in_by_and_by_as_deliveries_end() {
        let steps = [MUCH, LITTLE, LITTLE, LITTLE, LITTLE].map(|step| (true, step));
        assert_eq!(let_in_by(&steps).await, [0, 10, 18, 26, 34]);
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_let_in_when_nothing_is_short_or_there_is_nothing_to_send() {
        let nothing = OnTheWay {
            in_memory: 900,
            unsent: 0,
        };
        for step in [(false, MUCH), (true, nothing)] {
            assert_eq!(let_in_by(&[step]).await, [40], "{step:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_overtakes_those_who_wait() {
        let pressure = short(MUCH);
        let first = pressure.yield_to_sending();
        tokio::pin!(first);
        assert!(futures_util::poll!(&mut first).is_pending());
        pressure.unsent.store(0, Ordering::Relaxed);
        let second = pressure.yield_to_sending();
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        {
            let third = pressure.yield_to_sending();
            tokio::pin!(third);
            assert!(futures_util::poll!(&mut third).is_pending());
            assert_eq!(pressure.waiting.load(Ordering::Relaxed), 3);
        }
        assert_eq!(pressure.waiting.load(Ordering::Relaxed), 2, "it was broken off");
        pressure.set_on_the_way(LITTLE);
        first.await;
        second.await;
        assert_eq!(pressure.waiting.load(Ordering::Relaxed), 0);
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
