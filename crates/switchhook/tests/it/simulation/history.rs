//! One history: some lives of a node on one store, each but the last ended by a crash.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;
use switchhook_domain::delivery::{Delivery, StateName};
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::lease::Lease;
use switchhook_domain::webhook::{WebhookChange, WebhookSettings};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::clock::NodeClock;
use switchhook_node::ingest::{self, Submission};
use switchhook_node::settings::Settings;
use switchhook_store::{DeliveryFilter, PageRequest, Store};
use tokio::time::Instant;

use super::fate::{Fate, in_memory_directory};
use super::promises;
use crate::support::rig::{COMPANY, Reaction, Rig, START, Seen};

/// Number of lives in a history; the last one ends in peace.
const LIVES: u32 = 4;

/// Commits that creating the webhooks takes.
pub(super) const REGISTERING: u64 = 6;

/// Bound on the steps in a life.
const STEPS: u32 = 60;

/// Hours of the last life: the longest wait for a retry, even while time runs slower because the clock was set back,
/// so that with healthy receivers every delivery comes to its end. It is over when that is so.
const LAST_HOURS: u32 = 18;

/// Results of a history.
pub(super) struct History {
    /// The ids of the deliveries of every event that was acknowledged.
    pub(super) acknowledged: Vec<DeliveryId>,
    /// Requests that the network saw, over all lives.
    pub(super) seen: Vec<Seen>,
    /// Attempts that began while another of the same delivery was under way in the same life.
    pub(super) overlaps: Vec<i64>,
    /// Every delivery at the end.
    pub(super) deliveries: Vec<Delivery>,
    /// Numbers of their attempts.
    pub(super) attempts: Vec<Vec<u32>>,
    crashes: u32,
}

/// Results of some histories.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) acknowledged: usize,
    pub(super) delivered: usize,
    pub(super) exhausted: usize,
    pub(super) cancelled: usize,
    pub(super) posts: usize,
    pub(super) repeats: usize,
    pub(super) crashes: u32,
}

impl Totals {
    pub(super) fn add(&mut self, history: &History) {
        let in_state = |state| {
            history
                .deliveries
                .iter()
                .filter(|one| one.state.name() == state)
                .count()
        };
        let distinct: HashSet<_> = history.seen.iter().map(|seen| seen.delivery_id).collect();
        self.acknowledged += history.acknowledged.len();
        self.delivered += in_state(StateName::Delivered);
        self.exhausted += in_state(StateName::Exhausted);
        self.cancelled += in_state(StateName::Cancelled);
        self.posts += history.seen.len();
        self.repeats += history.seen.len() - distinct.len();
        self.crashes += history.crashes;
    }
}

/// A small generator, so that a seed means the same on every machine (`SplitMix64`).
#[derive(Debug, Clone)]
pub(super) struct Luck(u64);

impl Luck {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

impl History {
    /// Lives through a history and checks the promises.
    pub(super) fn live(seed: u64) -> Self {
        let mut teller = Teller::new(seed);
        for _ in 1..LIVES {
            let commits = 20 + teller.luck.below(160);
            teller.live_once(Some(commits));
        }
        teller.live_once(None);
        teller.end()
    }

    /// Two lives, the first of which ends with its `commits`-th commit; `None` if it came to its end before.
    pub(super) fn live_cut_short(seed: u64, commits: u64) -> Option<Self> {
        let mut teller = Teller::new(seed);
        teller.live_once(Some(commits));
        teller.live_once(None);
        let history = teller.end();
        (history.crashes > 0).then_some(history)
    }
}

/// State that continues from life to life.
struct Teller {
    luck: Luck,
    path: PathBuf,
    /// Held so that it is removed at the end.
    _directory: tempfile::TempDir,
    now: Timestamp,
    /// Milliseconds by which the machine's clock is ahead of the truth.
    machine_ahead: Arc<AtomicI64>,
    webhooks: Vec<WebhookId>,
    history: History,
}

impl Teller {
    fn new(seed: u64) -> Self {
        let directory = in_memory_directory();
        let history = History {
            acknowledged: Vec::new(),
            seen: Vec::new(),
            overlaps: Vec::new(),
            deliveries: Vec::new(),
            attempts: Vec::new(),
            crashes: 0,
        };
        let path = directory.path().join("switchhook.db");
        Self {
            luck: Luck(seed),
            path,
            _directory: directory,
            now: START,
            machine_ahead: Arc::default(),
            webhooks: Vec::new(),
            history,
        }
    }

    /// A life that ends after some commits, or in peace, which is the last.
    fn live_once(&mut self, commits: Option<u64>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let runtime = runtime.expect("a runtime can be made");
        let fate = Fate::after(commits.unwrap_or(u64::MAX));
        let store = fate.open(&self.path, self.now);
        runtime.block_on(self.life(store, &fate, commits.is_none()));
        // Dropped with everything that was under way, as by `kill -9`.
        drop(runtime);
        self.history.crashes += u32::from(fate.has_struck());
    }

    async fn life(&mut self, store: Arc<dyn Store>, fate: &Arc<Fate>, is_last: bool) {
        let network = Network::new(self.luck.below(u64::MAX), is_last);
        let scripted = Arc::clone(&network);
        let began_at = self.now;
        let (machine_ahead, started) = (Arc::clone(&self.machine_ahead), Instant::now());
        let machine = move || {
            let now = began_at.plus(started.elapsed()).as_millis();
            Timestamp::from_millis(now + machine_ahead.load(Ordering::Relaxed))
        };
        let settings = Settings::default();
        let clock = NodeClock::new(Arc::new(machine), Lease(settings.lease));
        clock.go_on_after(began_at);
        let react = move |seen: &Seen| scripted.react(seen);
        let rig = Rig::with_clock(store, settings, Arc::new(clock), react).await;
        if self.webhooks.is_empty() {
            self.register(&rig).await;
        }
        for _ in 0..STEPS {
            // Fate strikes in whoever commits: in a task of the node, or in this step.
            let step = AssertUnwindSafe(self.step(&rig)).catch_unwind();
            tokio::select! {
                () = fate.strikes() => break,
                lived = step => if lived.is_err() { break },
            }
        }
        if is_last {
            for id in self.webhooks.clone() {
                set_paused(&rig, id, None).await;
            }
            for _ in 0..LAST_HOURS {
                rig.wait(Duration::from_secs(3_600)).await;
                if pending(&rig).await == 0 {
                    break;
                }
            }
            self.take_stock(&rig).await;
        }
        self.now = rig.node.clock.now();
        self.history.seen.extend(rig.network.seen());
        self.history.overlaps.extend(network.overlaps());
    }

    /// Three webhooks: as they come, without order, and narrow.
    async fn register(&mut self, rig: &Rig) {
        let settings = [
            WebhookSettings::default(),
            WebhookSettings {
                ordered: Some(false),
                ..WebhookSettings::default()
            },
            WebhookSettings {
                max_in_flight: Some(2),
                ..WebhookSettings::default()
            },
        ];
        for settings in settings {
            self.webhooks.push(rig.webhook(settings).await);
        }
    }

    /// One thing that happens.
    async fn step(&mut self, rig: &Rig) {
        match self.luck.below(21) {
            20 => {
                // Somebody sets the machine's clock, or NTP does.
                let most = [2_000, 120_000, 600_000, 7_200_000][self.luck.below(4) as usize];
                let ahead = self.luck.below(most) as i64 - most as i64 / 2;
                self.machine_ahead.store(ahead, Ordering::Relaxed);
            }
            0 => {
                let id = self.webhooks[self.luck.below(3) as usize];
                set_paused(rig, id, Some(rig.node.clock.now())).await;
            }
            1 => {
                let id = self.webhooks[self.luck.below(3) as usize];
                set_paused(rig, id, None).await;
            }
            2 => self.with_some_delivery(rig, false).await,
            3 => self.with_some_delivery(rig, true).await,
            4..=8 => {
                let wait = [1, 20, 300, 6_000, 40_000][self.luck.below(5) as usize];
                rig.wait(Duration::from_millis(self.luck.below(wait) + 1)).await;
            }
            _ => self.send_some(rig).await,
        }
    }

    async fn send_some(&mut self, rig: &Rig) {
        for _ in 0..=self.luck.below(4) {
            let body = format!(r#"{{"call_id":{},"state":"ringing"}}"#, self.luck.below(6));
            let submission = Submission {
                company_id: COMPANY,
                kind: Kind::Call,
                body: Bytes::from(body),
                idempotency_key: None,
            };
            if let Ok(accepted) = ingest::accept(&rig.node, submission).await {
                self.history
                    .acknowledged
                    .extend(accepted.deliveries.iter().map(|delivery| delivery.id));
            }
        }
    }

    /// Somebody cancels a delivery, or wants it again.
    async fn with_some_delivery(&mut self, rig: &Rig, again: bool) {
        let known = self.history.acknowledged.len() as u64;
        if known == 0 {
            return;
        }
        let id = self.history.acknowledged[self.luck.below(known) as usize];
        let now = rig.node.clock.now();
        if again {
            let new_id = DeliveryId(rig.node.ids.next(now));
            if rig.store.redeliver(COMPANY, id, new_id, now).await.is_ok() {
                self.history.acknowledged.push(new_id);
            }
        } else {
            // A conflict means that it was final, which is as well.
            let _ = rig.store.cancel_delivery(COMPANY, id, now).await;
        }
    }

    async fn take_stock(&mut self, rig: &Rig) {
        let page = rig
            .store
            .list_deliveries(COMPANY, DeliveryFilter::default(), PageRequest::first(100_000))
            .await;
        self.history.deliveries = page.expect("the store can be read").items;
        for delivery in &self.history.deliveries {
            let attempts = rig
                .store
                .attempts_of(delivery.id)
                .await
                .expect("the store can be read");
            self.history
                .attempts
                .push(attempts.iter().map(|attempt| attempt.number).collect());
        }
    }

    fn end(self) -> History {
        promises::check(&self.history);
        self.history
    }
}

/// Number of deliveries that have not ended.
async fn pending(rig: &Rig) -> usize {
    let filter = DeliveryFilter {
        state: Some(StateName::Pending),
        ..DeliveryFilter::default()
    };
    let page = rig
        .store
        .list_deliveries(COMPANY, filter, PageRequest::first(1))
        .await;
    page.expect("the store can be read").items.len()
}

async fn set_paused(rig: &Rig, id: WebhookId, paused_at: Option<Timestamp>) {
    let change = WebhookChange {
        paused_at: Some(paused_at),
        ..WebhookChange::default()
    };
    let _ = rig
        .store
        .update_webhook(COMPANY, id, change, rig.node.clock.now())
        .await;
    let _ = rig.node.registry.refresh(COMPANY).await;
    rig.node.engine.nudge(id);
}

/// Receivers with moods that change; in the last life they are well.
struct Network {
    luck: Mutex<Luck>,
    is_well: bool,
    begun: Mutex<HashSet<(i64, u32)>>,
    overlaps: Mutex<Vec<i64>>,
}

impl Network {
    fn new(seed: u64, is_well: bool) -> Arc<Self> {
        Arc::new(Self {
            luck: Mutex::new(Luck(seed)),
            is_well,
            begun: Mutex::default(),
            overlaps: Mutex::default(),
        })
    }

    fn overlaps(&self) -> Vec<i64> {
        self.overlaps.lock().clone()
    }

    fn react(&self, seen: &Seen) -> Reaction {
        // The same attempt of the same delivery twice in one life: it was opened twice.
        if !self.begun.lock().insert((seen.delivery_id, seen.attempt)) {
            self.overlaps.lock().push(seen.delivery_id);
        }
        let mut luck = self.luck.lock();
        match luck.below(if self.is_well { 1 } else { 12 }) {
            1 => Reaction::Answer(500),
            2 => Reaction::Answer(404),
            3 => Reaction::AnswerLater(429, Duration::from_secs(luck.below(600))),
            4 => Reaction::Refuse,
            5 => Reaction::Silence,
            6 | 7 => Reaction::Slowly(200, Duration::from_millis(luck.below(9_000))),
            _ => Reaction::Answer(200),
        }
    }
}
