//! The real clock: the one place of the server that asks the machine what time it is, and makes of it the time that a node
//! goes by.
//!
//! Time never goes back and never stands still for long: when the machine's clock is set back, time goes on a tenth slower until
//! the machine has caught up, so that what is due in a minute is due in a minute. Where nodes share a database its clock counts for
//! all of them: each measures how far its machine's is off, makes up for that, and says so if it is much.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::{Clock, ClockAgreement};
use switchhook_domain::lease::Lease;
use switchhook_store::{Store, StoreError};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::telemetry::Telemetry;

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the file that owns the clock")]
    fn now(&self) -> Timestamp {
        let millis = |span| micros(span) / 1_000;
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp::from_millis(since_1970.map_or_else(|before| -millis(before.duration()), millis))
    }
}

/// Interval of measuring the offset to the database's clock.
const MEASURE_EVERY: Duration = Duration::from_secs(2);

/// An answer that took longer says too little.
const LONGEST_ANSWER: Duration = Duration::from_secs(1);

/// After how long without an answer nobody knows any more.
const COUNTS_FOR: Duration = Duration::from_secs(15);

/// By how much a clock that goes well may differ from itself between two looks.
const JUMP_MS: i64 = 1_000;

/// The time that a node goes by.
pub struct NodeClock {
    machine: Arc<dyn Clock>,
    lease: Lease,
    began: Instant,
    state: Mutex<State>,
}

/// All in milliseconds, unless it says otherwise.
struct State {
    /// Last time handed out, in microseconds, and the monotonic time of that.
    told_us: i64,
    told_at: Instant,
    /// Machine's clock minus monotonic time.
    machine_base: i64,
    /// Database's clock minus monotonic time.
    shared_base: Option<i64>,
    /// Offset added to the machine's clock.
    correction: i64,
    measured_at: Option<Instant>,
    /// True if the machine's clock was set since the last measurement.
    was_set: bool,
    /// Until when leases are not judged, because the database's clock was set.
    unsure_until: Option<Instant>,
}

impl NodeClock {
    /// Begins with what the machine says.
    #[must_use]
    pub fn new(machine: Arc<dyn Clock>, lease: Lease) -> Self {
        let (now, began) = (machine.now().as_millis(), Instant::now());
        let state = State {
            told_us: now * 1_000,
            told_at: began,
            machine_base: now,
            shared_base: None,
            correction: 0,
            measured_at: None,
            was_set: false,
            unsure_until: None,
        };
        Self {
            machine,
            lease,
            began,
            state: Mutex::new(state),
        }
    }

    /// Time does not begin before `kept`, which is when the newest thing in the store was made: the machine's clock was set back
    /// while nobody looked. By more than a day is more than can be made up for.
    pub fn go_on_after(&self, kept: Timestamp) {
        let now = self.now();
        let ahead = kept.since(now);
        if ahead > Duration::from_secs(24 * 3_600) {
            error!(newest = %kept, %now, "the store has things from the future: this machine's clock is wrong, or was; see `date`");
        } else if ahead > Duration::ZERO {
            warn!(newest = %kept, %now, "this machine's clock went back: time goes on from the newest thing in the store, slower until the clock has caught up");
            self.state.lock().told_us = kept.as_millis() * 1_000;
        }
    }

    /// Asks the store what time it is, where that counts for all nodes.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn measure(&self, store: &dyn Store) -> Result<(), StoreError> {
        let (asked_at, machine) = (Instant::now(), self.machine.now());
        let Some(shared) = store.time().await? else {
            return Ok(());
        };
        self.take_measure(asked_at, machine, shared);
        Ok(())
    }

    /// The machine's clock said `machine` when the database was asked.
    fn take_measure(&self, asked_at: Instant, machine: Timestamp, shared: Timestamp) {
        let took = asked_at.elapsed();
        let machine_now = self.machine.now().as_millis();
        let half = i64::try_from(took.as_millis()).unwrap_or(i64::MAX) / 2;
        let was_set = (machine_now - machine.as_millis() - 2 * half).abs() > JUMP_MS;
        if took > LONGEST_ANSWER || was_set {
            return;
        }
        let shared_now = shared.as_millis() + half;
        let mut state = self.state.lock();
        let base = shared_now - self.elapsed_ms(Instant::now());
        let tolerated = i64::try_from(self.lease.tolerance().as_millis()).unwrap_or(i64::MAX);
        if state
            .shared_base
            .is_some_and(|before| (base - before).abs() > tolerated)
        {
            warn!("the database's clock was set: what looks expired is left alone for one lease");
            state.unsure_until = Some(Instant::now() + self.lease.0);
        }
        state.shared_base = Some(base);
        state.correction = shared_now - machine_now;
        state.machine_base = machine_now - self.elapsed_ms(Instant::now());
        state.measured_at = Some(Instant::now());
        state.was_set = false;
        if state.told_us / 1_000 - shared_now > JUMP_MS {
            // Ahead of all others, this node would give leases that are too long.
            (state.told_us, state.told_at) = (shared_now * 1_000, Instant::now());
        }
    }

    fn elapsed_ms(&self, now: Instant) -> i64 {
        micros(now - self.began) / 1_000
    }
}

/// A span of at most 290,000 years, in the arithmetic that is quickest: time is asked for several times in each event.
fn micros(span: Duration) -> i64 {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    seconds
        .saturating_mul(1_000_000)
        .saturating_add(i64::from(span.subsec_micros()))
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let mut state = self.state.lock();
        let (machine, now) = (self.machine.now().as_millis(), Instant::now());
        let base = machine - self.elapsed_ms(now);
        if (base - state.machine_base).abs() > JUMP_MS {
            (state.machine_base, state.was_set) = (base, true);
        }
        let at_least_us = state.told_us.saturating_add(micros(now - state.told_at) / 10 * 9);
        let us = at_least_us.max((machine + state.correction).saturating_mul(1_000));
        (state.told_us, state.told_at) = (us, now);
        Timestamp::from_millis(us / 1_000)
    }

    fn agreement(&self) -> ClockAgreement {
        let state = self.state.lock();
        let Some(measured_at) = state.measured_at else {
            return ClockAgreement::Alone;
        };
        let is_unsure = state.unsure_until.is_some_and(|until| Instant::now() < until);
        if state.was_set || is_unsure || measured_at.elapsed() > COUNTS_FOR {
            return ClockAgreement::Unknown;
        }
        ClockAgreement::Off {
            ahead_ms: -state.correction,
        }
    }
}

/// Measures again and again, and tells when the machine's clock goes wrong and when it is right again.
pub async fn keep_measuring(clock: Arc<NodeClock>, store: Arc<dyn Store>, telemetry: Telemetry) {
    let mut was_off = false;
    loop {
        // That the store does not answer is told by who needs it.
        let _ = clock.measure(&*store).await;
        let agreement = clock.agreement();
        if let ClockAgreement::Off { ahead_ms } = agreement {
            telemetry.clock_offset(ahead_ms);
        }
        match agreement.trouble(clock.lease) {
            Some(trouble) if !was_off => error!(
                "{trouble}: the node makes up for it, but is not ready and leaves expired leases to others; set the clock by NTP"
            ),
            None if was_off && agreement != ClockAgreement::Unknown => {
                info!("this machine's clock agrees with the database's again");
            }
            _ => {}
        }
        if agreement != ClockAgreement::Unknown {
            was_off = agreement.trouble(clock.lease).is_some();
        }
        sleep(MEASURE_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const NOON: i64 = 1_790_000_000_000;
    const LEASE: Lease = Lease(Duration::from_secs(60));

    /// A machine's clock that runs with tokio's and can be set.
    struct Machine {
        began: Instant,
        ahead: AtomicI64,
    }

    impl Clock for Machine {
        fn now(&self) -> Timestamp {
            let ms = i64::try_from(self.began.elapsed().as_millis()).unwrap();
            Timestamp::from_millis(NOON + ms + self.ahead.load(Ordering::Relaxed))
        }
    }

    fn clock() -> (Arc<Machine>, NodeClock) {
        let machine = Arc::new(Machine {
            began: Instant::now(),
            ahead: AtomicI64::new(0),
        });
        let clock = NodeClock::new(Arc::clone(&machine) as Arc<dyn Clock>, LEASE);
        (machine, clock)
    }

    /// Milliseconds since noon.
    fn told(clock: &NodeClock) -> i64 {
        clock.now().as_millis() - NOON
    }

    /// The database answers at once, and its clock is so far ahead of noon.
    fn measure(machine: &Machine, clock: &NodeClock, shared: i64) {
        clock.take_measure(
            Instant::now(),
            machine.now(),
            Timestamp::from_millis(NOON + shared),
        );
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_machine_is_set_back_time_goes_on_until_it_has_caught_up() {
        let (machine, clock) = clock();
        pass(10).await;
        assert_eq!(told(&clock), 10_000);
        machine.ahead.store(-3_000, Ordering::Relaxed);
        assert_eq!(told(&clock), 10_000);
        pass(10).await;
        assert_eq!(told(&clock), 19_000, "a tenth slower");
        pass(30).await;
        assert_eq!(told(&clock), 47_000, "as the machine says");
        machine.ahead.store(-3_600_000, Ordering::Relaxed);
        pass(60).await;
        assert_eq!(told(&clock), 101_000);
        assert_eq!(clock.agreement(), ClockAgreement::Alone);
    }

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_however_often_it_is_asked_for() {
        let (machine, clock) = clock();
        machine.ahead.store(-3_600_000, Ordering::Relaxed);
        for _ in 0..100_000 {
            told(&clock);
            tokio::time::advance(Duration::from_micros(100)).await;
        }
        assert_eq!(told(&clock), 9_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_from_the_future_is_gone_on_with() {
        let (_, clock) = clock();
        clock.go_on_after(Timestamp::from_millis(NOON + 3_600_000));
        assert_eq!(told(&clock), 3_600_000);
        pass(10).await;
        assert_eq!(told(&clock), 3_609_000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_databases_clock_counts_and_a_machine_that_is_off_says_so() {
        let (machine, clock) = clock();
        machine.ahead.store(70_000, Ordering::Relaxed);
        pass(1).await;
        measure(&machine, &clock, 1_000);
        assert_eq!(told(&clock), 1_000);
        let agreement = clock.agreement();
        assert_eq!(agreement, ClockAgreement::Off { ahead_ms: 70_000 });
        assert!(agreement.trouble(LEASE).is_some() && !agreement.may_judge_leases(LEASE));
        pass(1).await;
        machine.ahead.store(5_000, Ordering::Relaxed);
        assert_eq!(told(&clock), 1_900, "set back");
        assert_eq!(clock.agreement(), ClockAgreement::Unknown, "until it is measured");
        measure(&machine, &clock, 2_000);
        assert_eq!(told(&clock), 2_000);
        assert!(clock.agreement().may_judge_leases(LEASE));
        pass(60).await;
        assert_eq!(clock.agreement(), ClockAgreement::Unknown, "that was long ago");
    }

    #[tokio::test(start_paused = true)]
    async fn leases_are_not_judged_while_the_machines_clock_may_have_been_set() {
        let (machine, clock) = clock();
        measure(&machine, &clock, 0);
        assert!(clock.agreement().may_judge_leases(LEASE));
        machine.ahead.store(70_000, Ordering::Relaxed);
        assert_eq!(told(&clock), 70_000, "it may have slept");
        assert!(!clock.agreement().may_judge_leases(LEASE));
        measure(&machine, &clock, 0);
        assert_eq!(told(&clock), 0, "it had not");
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_databases_clock_was_set_leases_are_not_judged_for_one_lease() {
        let (machine, clock) = clock();
        measure(&machine, &clock, 0);
        pass(2).await;
        measure(&machine, &clock, 72_000);
        assert_eq!(told(&clock), 72_000);
        for _ in 0..29 {
            assert_eq!(clock.agreement(), ClockAgreement::Unknown);
            pass(2).await;
            measure(&machine, &clock, told(&clock));
        }
        pass(2).await;
        measure(&machine, &clock, told(&clock));
        assert_eq!(clock.agreement(), ClockAgreement::Off { ahead_ms: -70_000 });
    }
}
