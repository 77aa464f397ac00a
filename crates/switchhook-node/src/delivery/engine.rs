//! The engine's handle, what it is made of, and what it takes of an event at once. The loop itself is `dispatcher`.

mod breakers;
mod claiming;
mod dispatcher;
mod nodes;
pub mod outbox;
mod pending_scan;
pub mod pressure;
mod schedule;
mod tasks;
mod urgent;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::lease::Lease;
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_store::Store;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use self::dispatcher::Dispatcher;
use self::pressure::Pressure;
use super::memory::{Memory, Purpose, Reservation};
use super::transport::Transport;
use crate::counters::Counters;
use crate::destination::Destination;
use crate::live::Live;
use crate::liveness::Liveness;
use crate::randomness::JitterSource;
use crate::registry::Registry;
use crate::telemetry::Telemetry;
use crate::templates::Templates;

/// Name of the engine in reports that a part has failed.
const PART: &str = "delivery engine";

/// Deliveries that each webhook gets even on a full node, so that backlogs of others starve nobody.
const ALWAYS_TAKEN: u32 = 8;

/// Parts of the node that the engine uses.
pub struct EngineParts {
    pub store: Arc<dyn Store>,
    pub registry: Arc<Registry>,
    pub transport: Arc<dyn Transport>,
    pub clock: Arc<dyn Clock>,
    /// The chance in delays.
    pub jitter: Arc<JitterSource>,
    pub templates: Arc<Templates>,
    pub telemetry: Telemetry,
    /// Subscribers of live events hear of attempts.
    pub live: Live,
    pub history: Counters,
    /// Told if the engine fails.
    pub liveness: Liveness,
    /// Settings for webhooks that do not set their own.
    pub defaults: DeliveryDefaults,
    /// Duration of a claim.
    pub lease: Lease,
    /// Bound on the attempts in flight.
    pub max_in_flight: u32,
    /// Bound on the deliveries in memory.
    pub max_handed_over: u32,
    /// Bound on the memory for events to be sent, in bytes.
    pub max_handed_over_bytes: u64,
}

/// Handle to the engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    // Bounded by its use: one small message for each change that a person or program makes to a webhook.
    commands: mpsc::UnboundedSender<Command>,
}

/// State of the engine that its handle reads.
struct Shared {
    pressure: Pressure,
    max_handed_over: u32,
    memory: Arc<Memory>,
    lease: Lease,
    is_running: AtomicBool,
    stalled: Mutex<Option<String>>,
}

/// Request to the engine's loop.
enum Command {
    /// Something about this webhook changed, or something of it became due.
    Nudge(WebhookId),
    /// Try this webhook now, whatever its breaker and its delays say.
    Retry(WebhookId),
    /// The cause of this webhook's failures may be solved: closes its breaker and tries.
    ResetBreaker(WebhookId),
    /// Send this delivery now, whatever its webhook's breaker says.
    Send(WebhookId, DeliveryId),
    /// Stop; answer when everything that can end has ended.
    Stop {
        grace: Duration,
        done: oneshot::Sender<()>,
    },
}

/// Says that the engine has stopped, however it did.
struct RunningGuard(Arc<Shared>);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.0.is_running.store(false, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineState {
    Running,
    /// It does not send, because what comes of it could not be stored.
    Stalled(String),
    Stopped,
}

impl Engine {
    /// Starts sending on `runtime`.
    ///
    /// # Panics
    /// If another engine already takes the store's deliveries.
    #[must_use]
    pub fn start(parts: EngineParts, runtime: &Handle) -> Self {
        let shared = Arc::new(Shared {
            pressure: Pressure::default(),
            max_handed_over: parts.max_handed_over,
            memory: Memory::new(parts.max_handed_over_bytes, parts.max_handed_over),
            lease: parts.lease,
            is_running: AtomicBool::new(true),
            stalled: Mutex::new(None),
        });
        let hand_over = parts.store.take_hand_over().expect("one engine a store");
        // Bounded by its use: see `Engine::commands`.
        let (commands, received) = mpsc::unbounded_channel();
        let running = RunningGuard(Arc::clone(&shared));
        let liveness = parts.liveness.clone();
        let (dispatcher, reports) = Dispatcher::new(Arc::new(parts), Arc::clone(&shared), runtime.clone());
        liveness.spawn(PART, runtime, async move {
            let _running = running;
            dispatcher.run(received, hand_over, reports).await;
        });
        Self { shared, commands }
    }

    /// Offers the engine an event of `size` bytes that is about to be kept.
    #[must_use]
    pub fn offer(&self, size: usize) -> Offer<'_> {
        Offer {
            engine: &self.shared,
            size,
            room: None,
        }
    }

    /// Waits a moment before an event is taken in, if processors are short and sending is behind: else it would only wait later,
    /// in the store.
    pub async fn yield_to_sending(&self) {
        self.shared.pressure.yield_to_sending().await;
    }

    /// Memory used for events and for bodies built from them, in bytes.
    #[must_use]
    pub fn bytes_in_memory(&self) -> usize {
        self.shared.memory.in_use()
    }

    /// Tells the engine that a webhook was changed, paused, resumed or deleted, or that something of it became due.
    pub fn nudge(&self, webhook_id: WebhookId) {
        // An engine that has stopped does not need to know.
        let _ = self.commands.send(Command::Nudge(webhook_id));
    }

    /// Has a webhook tried now: one attempt at once, and if it succeeds everything that waits.
    pub fn retry(&self, webhook_id: WebhookId) {
        let _ = self.commands.send(Command::Retry(webhook_id));
    }

    /// Tells the engine that what made attempts to a webhook fail may be mended: its breaker is closed, and it is tried now.
    pub fn reset_breaker(&self, webhook_id: WebhookId) {
        let _ = self.commands.send(Command::ResetBreaker(webhook_id));
    }

    /// Has one delivery sent now, whatever its webhook's breaker says. A paused webhook is sent nothing.
    pub fn send(&self, webhook_id: WebhookId, delivery_id: DeliveryId) {
        let _ = self.commands.send(Command::Send(webhook_id, delivery_id));
    }

    #[must_use]
    pub fn state(&self) -> EngineState {
        if !self.shared.is_running.load(Ordering::Relaxed) {
            return EngineState::Stopped;
        }
        self.shared
            .stalled
            .lock()
            .clone()
            .map_or(EngineState::Running, EngineState::Stalled)
    }

    /// Stops starting attempts, lets those under way end within `grace`, gives everything else back to the store.
    pub async fn stop(&self, grace: Duration) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop { grace, done }).is_ok() {
            // An error means that the engine is already gone, which is what was asked for.
            let _ = stopped.await;
        }
    }
}

/// An event that is about to be kept, offered to the engine: deliveries that this node has room for are born claimed.
pub struct Offer<'e> {
    engine: &'e Shared,
    size: usize,
    /// The room for its bytes, as soon as one delivery is claimed.
    room: Option<Reservation>,
}

impl Offer<'_> {
    /// Until when its delivery to `destination` may be born claimed; `None` if the node has no room for it now.
    pub fn claim_until(&mut self, destination: &Destination, now: Timestamp) -> Option<Timestamp> {
        if !self.engine.is_running.load(Ordering::Relaxed)
            || !destination.has_room(now)
            || !self.has_place(destination)
        {
            return None;
        }
        let load = destination.load();
        if !self.engine.memory.is_within_share(&load, self.size) {
            return None;
        }
        if self.room.is_none() {
            let purpose = Purpose::event(load.bytes.load(Ordering::Relaxed), self.size);
            self.room = Some(self.engine.memory.reserve(self.size, purpose)?);
        }
        Some(now.plus(self.engine.lease.0))
    }

    fn has_place(&self, destination: &Destination) -> bool {
        self.engine.pressure.in_memory() < self.engine.max_handed_over
            || destination.load().handed_over.load(Ordering::Relaxed) < ALWAYS_TAKEN
    }

    /// The event's bytes: counted, if a delivery of it is claimed.
    #[must_use]
    pub fn keep(self, event_id: EventId, body: Bytes) -> Bytes {
        match self.room {
            Some(room) => self.engine.memory.keep(event_id, &body, room),
            None => body,
        }
    }
}
