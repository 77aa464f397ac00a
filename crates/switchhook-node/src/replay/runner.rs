//! The task that runs a node's replays: it looks which are running, takes each one step further, and sleeps.
//! What it remembers between two turns is only how patient to be.
//!
//! A step makes a slice of deliveries and moves the cursor in one commit. Slices are small and made shortly before
//! they are due, so that memory and the queues stay bounded however long the replay is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::id::{DeliveryId, ReplayId};
use switchhook_domain::replay::{Destination, Pace, PlannedDelivery, Progress, Replay};
use switchhook_store::{PageRequest, ReplayDelivery, ReplayEnd, ReplayStep, Scan, Selection, StoreError};
use tokio::sync::{Notify, watch};
use tracing::{error, info, warn};

use super::ReplayParts;
use super::tally::can_be_made;

/// Bound on the events scanned in one step.
const SCANNED_AT_ONCE: u32 = 2_000;

/// Bound on the deliveries of a replay that wait for their first attempt, so that live ones wait behind few.
pub const MOST_UNTRIED: u64 = 500;

/// Bound on all pending deliveries of a replay: a receiver that accepts nothing stops it.
const MOST_PENDING: u64 = 5_000;

/// Pause between the steps of a replay that can continue.
const SOON: Duration = Duration::from_millis(20);

/// Longest pause between looks at a replay that waits for its deliveries.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Pause after an error of the store.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Interval of looking for replays that other nodes created.
const SCAN_EVERY: Duration = Duration::from_secs(10);

/// Page size.
const PAGE: u32 = 100;

pub(super) struct Runner {
    pub(super) parts: ReplayParts,
    pub(super) wake: Arc<Notify>,
    pub(super) stopped: watch::Receiver<bool>,
    /// Of those that wait for their deliveries: where they stood, and how soon to look again.
    pub(super) waiting: HashMap<ReplayId, (Progress, Duration)>,
}

impl Runner {
    pub(super) async fn run(mut self) {
        loop {
            let wait = self.turn().await;
            let wake = Arc::clone(&self.wake);
            tokio::select! {
                biased;
                // An error means that nobody is left who could stop it: the node is gone.
                _ = self.stopped.wait_for(|is_stopped| *is_stopped) => return,
                () = wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Takes every running replay one step further; answers how long there is nothing to do.
    async fn turn(&mut self) -> Duration {
        let mut wait = SCAN_EVERY;
        let mut page = PageRequest::first(PAGE);
        let mut seen = HashSet::new();
        loop {
            let running = match self.parts.store.running_replays(page).await {
                Ok(running) => running,
                Err(error) => {
                    warn!(%error, "the store could not be asked for replays");
                    return ASK_AGAIN_AFTER;
                }
            };
            for replay in running.items {
                seen.insert(replay.id);
                if *self.stopped.borrow() {
                    return Duration::ZERO;
                }
                wait = wait.min(self.advance(&replay).await);
            }
            match running.next {
                Some(after) => page.after = Some(after),
                None => break,
            }
        }
        // Somebody may have cancelled one.
        self.waiting.retain(|id, _| seen.contains(id));
        wait
    }

    /// Takes a replay one step further; answers how soon the next is worth while.
    async fn advance(&mut self, replay: &Replay) -> Duration {
        match self.step(replay).await {
            Ok(wait) => wait,
            // Another node took it further, or somebody ended it: there is no hurry here.
            Err(StoreError::Conflict(_)) => LONGEST_PAUSE,
            Err(error @ StoreError::Unavailable(_)) => {
                warn!(%error, replay_id = %replay.id, "a replay waits for the store");
                ASK_AGAIN_AFTER
            }
            Err(error) => {
                error!(%error, replay_id = %replay.id, "a replay failed");
                self.end(replay, ReplayEnd::Failed(error.to_string()))
                    .await
                    .unwrap_or(ASK_AGAIN_AFTER)
            }
        }
    }

    async fn step(&mut self, replay: &Replay) -> Result<Duration, StoreError> {
        if replay.is_all_created {
            return self.finish(replay).await;
        }
        if !self.has_somewhere_to_go(replay).await? {
            let reason = "its webhook was deleted".to_owned();
            return self.end(replay, ReplayEnd::Failed(reason)).await;
        }
        let now = self.parts.clock.now();
        let pace = Pace::of(replay, now);
        let room = room(replay);
        let most_selected = room.min(pace.allowed(now));
        if most_selected == 0 {
            return Ok(if room == 0 {
                self.pause(replay)
            } else {
                pace.look_again_at().since(now).clamp(SOON, SCAN_EVERY)
            });
        }
        let scan = Scan {
            after: replay.cursor,
            most_scanned: SCANNED_AT_ONCE,
            most_selected,
        };
        let selection = self.parts.store.select_for_replay(replay.clone(), scan).await?;
        let has_found = !selection.candidates.is_empty();
        let step = self.prepare(replay, &selection, pace, now);
        self.parts.store.advance_replay(step).await?;
        Ok(if has_found { SOON } else { Duration::ZERO })
    }

    /// Next step: deliveries for the selected events. All deliveries of one event are due together.
    fn prepare(&self, replay: &Replay, selection: &Selection, pace: Pace, now: Timestamp) -> ReplayStep {
        let mut deliveries = Vec::new();
        let mut skipped = 0;
        for (before, candidate) in (0..).zip(&selection.candidates) {
            for planned in replay.plan(candidate) {
                if can_be_made(&self.parts.registry, replay, planned.webhook_id) {
                    deliveries.push(self.delivery(planned, pace.due_at(before), now));
                } else {
                    skipped += 1;
                }
            }
        }
        let count = u32::try_from(selection.candidates.len()).unwrap_or(u32::MAX);
        ReplayStep {
            id: replay.id,
            from: replay.cursor,
            to: selection.cursor,
            is_last: selection.is_last,
            scanned: selection.scanned,
            skipped,
            deliveries,
            next_due_at: pace.next_due_at(count),
            now,
        }
    }

    fn delivery(&self, mut planned: PlannedDelivery, due_at: Timestamp, now: Timestamp) -> ReplayDelivery {
        let destination = self.parts.registry.destination(planned.webhook_id);
        if destination.is_none_or(|destination| !destination.is_ordered(&self.parts.defaults)) {
            planned.order_key = None;
        }
        ReplayDelivery {
            id: DeliveryId(self.parts.ids.next(now)),
            planned,
            due_at,
        }
    }

    /// True if the webhook of a replay to one destination exists.
    async fn has_somewhere_to_go(&self, replay: &Replay) -> Result<bool, StoreError> {
        let Some(id) = replay.to.webhook_id() else {
            return Ok(true);
        };
        if self.parts.registry.destination(id).is_some() {
            return Ok(true);
        }
        // It may be so new that this node has not heard of it.
        self.parts.registry.refresh(replay.company_id).await?;
        Ok(self.parts.registry.destination(id).is_some())
    }

    async fn finish(&mut self, replay: &Replay) -> Result<Duration, StoreError> {
        if replay.progress.pending() > 0 {
            return Ok(self.pause(replay));
        }
        self.end(replay, ReplayEnd::Finished).await
    }

    /// Pause until its deliveries may have progressed, doubled while they do not.
    fn pause(&mut self, replay: &Replay) -> Duration {
        let (seen, pause) = self.waiting.entry(replay.id).or_default();
        *pause = if *seen == replay.progress {
            (*pause * 2).clamp(SOON, LONGEST_PAUSE)
        } else {
            SOON
        };
        *seen = replay.progress;
        *pause
    }

    async fn end(&mut self, replay: &Replay, end: ReplayEnd) -> Result<Duration, StoreError> {
        let now = self.parts.clock.now();
        self.waiting.remove(&replay.id);
        let ended = self.parts.store.end_replay(replay.id, end, now).await?;
        info!(replay_id = %ended.id, state = %ended.state.name(), created = ended.progress.created, "a replay ended");
        if matches!(ended.to, Destination::Url { .. }) {
            self.parts.registry.refresh(ended.company_id).await?;
        }
        Ok(SCAN_EVERY)
    }
}

/// Number of events that it may still add.
fn room(replay: &Replay) -> u32 {
    let untried = MOST_UNTRIED.saturating_sub(replay.progress.untried);
    let pending = MOST_PENDING.saturating_sub(replay.progress.pending());
    u32::try_from(untried.min(pending)).unwrap_or(u32::MAX)
}
