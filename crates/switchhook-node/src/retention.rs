//! Retention: removes what is too old or too much, delivered payloads that are not wanted, and expired secrets.
//!
//! One task sweeps now and then, in slices with pauses, so that no commit waits long. The store decides what may go;
//! the operator (`Settings`) decides how much is kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::history::{Granularity, MINUTES_KEPT};
use switchhook_domain::id::{CompanyId, EventId, first_id_at};
use switchhook_domain::source::RefusalBounds;
use switchhook_store::{PayloadSlice, RemovalSlice, Removed, StoreError, all_pages};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::Node;
use crate::telemetry::Removal;

/// Interval of sweeps.
pub const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Events removed in one commit, which is some milliseconds of the writer's time.
const SLICE: u32 = 500;

/// Payload bytes removed in one commit, since a large payload takes many pages.
const SLICE_BYTES: u64 = 4 << 20;

/// Events examined for payloads to drop.
const PAYLOAD_SLICE: u32 = 1_000;

/// Time for which notifications are kept.
pub const NOTIFICATIONS_LAST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Length of a pause relative to the slice before it, so that others get two thirds of the writer.
const PAUSE_FACTOR: u32 = 2;

/// A store that is too large is brought this much below its limit (a twentieth), so that it is not at it all the time.
const HEADROOM: u64 = 20;

/// Payloads of events younger than this are looked at in every sweep, older ones once an hour.
pub const YOUNG: Duration = Duration::from_secs(15 * 60);
pub const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(60 * 60);

/// A clock that gains more than this between two sweeps was set, and may be wrong.
const LARGEST_GAIN: Duration = Duration::from_secs(10 * 60);

/// Time without removals by age after the clock was set, so that somebody can see the warning and correct it.
pub const DISTRUST: Duration = Duration::from_secs(60 * 60);

/// Sweeps for as long as it is polled.
pub async fn run(node: Arc<Node>) {
    let mut retention = Retention::new(&node);
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        if let Err(error) = retention.sweep().await {
            warn!(%error, "what is too old could not be removed; the next try is in a minute");
        }
    }
}

/// State kept from one sweep to the next.
pub struct Retention<'s> {
    node: &'s Node,
    clock: ClockWatch,
    payloads: HashMap<CompanyId, PayloadScan>,
}

/// Progress of dropping a company's payloads.
#[derive(Debug, Clone, Copy)]
struct PayloadScan {
    to: Option<EventId>,
    began: Instant,
}

impl<'s> Retention<'s> {
    /// Nothing was swept yet.
    #[must_use]
    pub fn new(node: &'s Node) -> Self {
        Self {
            node,
            clock: ClockWatch::new(node.clock.now()),
            payloads: HashMap::new(),
        }
    }

    /// Removes what may go.
    ///
    /// # Errors
    /// If the store does not do it now.
    pub async fn sweep(&mut self) -> Result<(), StoreError> {
        let now = self.node.clock.now();
        let settings = self.node.settings.retention;
        if self.clock.is_trusted(now) {
            if let Some(age) = settings.age {
                let removed = self.remove(now.minus(age), || async { Ok(SLICE_BYTES) }).await?;
                self.tell(removed, "too old");
            }
            self.forget_refusals(now).await?;
            self.forget_history(Granularity::Minute, now.minus(MINUTES_KEPT))
                .await?;
            if let Some(age) = settings.history {
                self.forget_history(Granularity::Hour, now.minus(age)).await?;
            }
            self.forget_notifications(now).await?;
        }
        if let Some(limit) = settings.size {
            self.shrink(limit, now).await?;
        }
        self.drop_payloads(now).await?;
        let forgotten = self.node.store.forget_old_secrets(now).await? as u64;
        self.node.telemetry.removed(Removal::OldSecrets, forgotten);
        Ok(())
    }

    /// Removes what sources refused too long ago.
    async fn forget_refusals(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = now.minus(RefusalBounds::DEFAULT.age);
        loop {
            let began = Instant::now();
            if self.node.store.forget_old_refusals(before, SLICE).await? < SLICE {
                return Ok(());
            }
            pause(began).await;
        }
    }

    /// Removes what was counted too long ago.
    async fn forget_history(&self, resolution: Granularity, before: Timestamp) -> Result<(), StoreError> {
        let store = &self.node.store;
        loop {
            let began = Instant::now();
            if store.forget_old_history(resolution, before, SLICE).await? < SLICE {
                return Ok(());
            }
            pause(began).await;
        }
    }

    /// Removes notifications that are too old.
    async fn forget_notifications(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = now.minus(NOTIFICATIONS_LAST);
        loop {
            let began = Instant::now();
            if self.node.store.forget_old_notifications(before, SLICE).await? < SLICE {
                return Ok(());
            }
            pause(began).await;
        }
    }

    /// Removes the oldest events until the store is small enough.
    async fn shrink(&self, limit: u64, now: Timestamp) -> Result<(), StoreError> {
        let store = &self.node.store;
        if store.size().await?.used <= limit {
            return Ok(());
        }
        let wanted = limit - limit / HEADROOM;
        let too_much = || async { Ok(store.size().await?.used.saturating_sub(wanted)) };
        let removed = self.remove(now, too_much).await?;
        self.tell(removed, "the store was too large");
        let used = store.size().await?.used;
        if used > limit {
            warn!(
                used,
                limit, "the store is larger than it may be: all that is left of it is still needed"
            );
        }
        Ok(())
    }

    /// Removes what is older than `before`, slice by slice, while `too_much` is more than nothing.
    async fn remove<F>(&self, before: Timestamp, too_much: impl Fn() -> F) -> Result<Removed, StoreError>
    where
        F: Future<Output = Result<u64, StoreError>>,
    {
        let mut sum = Removed::default();
        loop {
            let bytes = too_much().await?.min(SLICE_BYTES);
            if bytes == 0 {
                break;
            }
            let slice = RemovalSlice {
                after: sum.next,
                before,
                limit: SLICE,
                bytes,
            };
            let began = Instant::now();
            let removed = self.node.store.remove_events(slice).await?;
            sum.events += removed.events;
            sum.deliveries += removed.deliveries;
            sum.attempts += removed.attempts;
            sum.next = removed.next;
            if removed.next.is_none() {
                break;
            }
            pause(began).await;
        }
        Ok(sum)
    }

    fn tell(&self, removed: Removed, why: &str) {
        let Removed {
            events,
            deliveries,
            attempts,
            ..
        } = removed;
        let telemetry = &self.node.telemetry;
        telemetry.removed(Removal::Events, events);
        telemetry.removed(Removal::Deliveries, deliveries);
        telemetry.removed(Removal::Attempts, attempts);
        if events > 0 {
            info!(events, deliveries, attempts, why, "removed");
        }
    }

    async fn drop_payloads(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let companies = all_pages(|page| self.node.store.list_companies(page)).await?;
        for company in companies.iter().filter(|company| company.drop_payloads) {
            self.drop_payloads_of(company.id, now).await?;
        }
        Ok(())
    }

    async fn drop_payloads_of(&mut self, company_id: CompanyId, now: Timestamp) -> Result<(), StoreError> {
        let began = Instant::now();
        let looked = self.payloads.get(&company_id).copied();
        let looked = looked.filter(|looked| began.duration_since(looked.began) < LOOK_AGAIN_EVERY);
        let mut looked = looked.unwrap_or(PayloadScan { to: None, began });
        let mut slice = PayloadSlice {
            company_id,
            after: looked.to,
            limit: PAYLOAD_SLICE,
        };
        let mut payloads = 0;
        loop {
            let began = Instant::now();
            let dropped = self.node.store.drop_payloads(slice, now).await?;
            payloads += dropped.payloads;
            let Some(next) = dropped.next else { break };
            slice.after = Some(next);
            pause(began).await;
        }
        let young = EventId(first_id_at(now.minus(YOUNG)));
        looked.to = slice.after.map(|seen| seen.min(young));
        self.payloads.insert(company_id, looked);
        self.node.telemetry.removed(Removal::Payloads, payloads);
        if payloads > 0 {
            info!(payloads, company = company_id.0, why = "delivered", "removed");
        }
        Ok(())
    }
}

async fn pause(began: Instant) {
    tokio::time::sleep(began.elapsed() * PAUSE_FACTOR).await;
}

/// Notices that the clock was set: what a wrong clock calls old may be of today.
#[derive(Debug)]
struct ClockWatch {
    seen: (Timestamp, Instant),
    distrusted_until: Option<Instant>,
}

impl ClockWatch {
    fn new(now: Timestamp) -> Self {
        Self {
            seen: (now, Instant::now()),
            distrusted_until: None,
        }
    }

    fn is_trusted(&mut self, now: Timestamp) -> bool {
        let (before, then) = std::mem::replace(&mut self.seen, (now, Instant::now()));
        let passed = self.seen.1.duration_since(then);
        if now.since(before) > passed + LARGEST_GAIN {
            warn!(clock = %now, "the clock jumped ahead: nothing is removed by its age for an hour");
            self.distrusted_until = Some(self.seen.1 + DISTRUST);
        }
        if before.since(now) > LARGEST_GAIN {
            // It was set back, perhaps right: what it says now makes nothing older.
            self.distrusted_until = None;
        }
        self.distrusted_until.is_none_or(|until| self.seen.1 >= until)
    }
}
