//! The parts of a running node, put together once and shared by everything that serves a request.

use std::sync::Arc;

use anyhow::{Context, Result};
use switchhook_domain::clock::Clock;
use switchhook_domain::id::IdSequence;
use switchhook_domain::lease::Lease;
use switchhook_store::{Store, StoreError};
use tokio::runtime::Handle;

use crate::callers::Callers;
use crate::counters::Counters;
use crate::delivery::address_guard::AddressGuard;
use crate::delivery::transport::Transport;
use crate::delivery::{Engine, EngineParts};
use crate::ingest_progress::IngestProgress;
use crate::inspector::{InspectedTransport, Inspector};
use crate::lease::Leases;
use crate::listeners::Listeners;
use crate::live::Live;
use crate::liveness::Liveness;
use crate::notification::{LastEvents, Notifications, Sender};
use crate::randomness::JitterSource;
use crate::registry::Registry;
use crate::replay::{ReplayParts, Replays};
use crate::settings::Settings;
use crate::share::Shares;
use crate::telemetry::Telemetry;
use crate::templates::Templates;
use crate::validation::Validator;

/// Running node. Verbs take it; the parts that it holds take only what they use.
pub struct Node {
    pub store: Arc<dyn Store>,
    /// Webhooks, websockets and subscriptions in memory.
    pub registry: Arc<Registry>,
    /// Sends deliveries.
    pub engine: Engine,
    /// Runs replays.
    pub replays: Replays,
    /// Wakes those who wait for events.
    pub listeners: Listeners,
    /// Looks up keys.
    pub callers: Arc<Callers>,
    /// Ends what is open when its key becomes invalid.
    pub leases: Leases,
    /// Limits per company.
    pub shares: Shares,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdSequence>,
    pub settings: Settings,
    /// Decides which addresses may be sent to.
    pub address_guard: Arc<AddressGuard>,
    /// Sends requests; here for testing connections.
    pub transport: Arc<dyn Transport>,
    /// Validates events.
    pub validator: Validator,
    /// Renders templates.
    pub templates: Arc<Templates>,
    pub telemetry: Telemetry,
    /// Progress of ingest, for readiness.
    pub ingest_progress: IngestProgress,
    /// Live events and recent rates.
    pub live: Live,
    /// Counts of attempts on their way to the store.
    pub history: Counters,
    /// Sends notifications.
    pub notifications: Arc<Notifications>,
    /// Failure of a part that the server cannot do without.
    pub liveness: Liveness,
    /// The receiver in the house, if there is one.
    pub inspector: Option<Arc<Inspector>>,
}

impl Node {
    /// Number of nodes that live on the store, this one included.
    #[must_use]
    pub fn live_nodes(&self) -> u32 {
        self.store.nodes()
    }

    /// Asks the store whether it can keep events now.
    ///
    /// # Errors
    /// Says why it cannot.
    pub async fn check_store(&self) -> Result<(), StoreError> {
        self.store.check().await
    }
}

/// Parts from which a node is built.
pub struct Parts {
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    /// The chance in delays.
    pub jitter: JitterSource,
    pub telemetry: Telemetry,
    /// Told if a part fails.
    pub liveness: Liveness,
    pub store: Arc<dyn Store>,
    /// Sends requests.
    pub transport: Arc<dyn Transport>,
    /// Decides which addresses may be sent to.
    pub guard: Arc<AddressGuard>,
}

/// Puts a node together; its engine runs on `sending`.
///
/// # Errors
/// If the store cannot be read, or mail cannot be sent with these settings.
pub async fn assemble(parts: Parts, sending: &Handle) -> Result<Node> {
    let Parts {
        settings,
        clock,
        jitter,
        telemetry,
        liveness,
        store,
        transport,
        guard,
    } = parts;
    let registry = Arc::new(
        Registry::load(Arc::clone(&store), clock.now())
            .await
            .context("the store cannot be read")?,
    );
    let ids = store.ids().await.context("the store cannot be read")?;
    let inspector = settings
        .dashboard
        .inspector
        .then(|| Arc::new(Inspector::new(Arc::clone(&clock))));
    let transport = match &inspector {
        Some(inspector) => Arc::new(InspectedTransport {
            inspector: Arc::clone(inspector),
            network: transport,
            defaults: settings.delivery,
        }),
        None => transport,
    };
    telemetry.show_single_webhooks(settings.metrics_per_webhook);
    let templates = Arc::new(Templates::new(settings.template_worker.clone()));
    let (live, history) = (Live::new(), Counters::default());
    let engine = Engine::start(
        EngineParts {
            store: Arc::clone(&store),
            registry: Arc::clone(&registry),
            transport: Arc::clone(&transport),
            clock: Arc::clone(&clock),
            jitter: Arc::new(jitter),
            templates: Arc::clone(&templates),
            telemetry: telemetry.clone(),
            live: live.clone(),
            history: history.clone(),
            liveness: liveness.clone(),
            defaults: settings.delivery,
            lease: Lease(settings.lease),
            max_in_flight: settings.max_in_flight,
            max_handed_over: settings.max_handed_over,
            max_handed_over_bytes: settings.max_handed_over_bytes,
        },
        sending,
    );
    let replays = Replays::start(
        ReplayParts {
            store: Arc::clone(&store),
            registry: Arc::clone(&registry),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            defaults: settings.delivery,
        },
        &liveness,
        sending,
    );
    let sender = Sender::new(
        &settings.notifications,
        Arc::clone(&transport),
        &settings.outbound,
    )?;
    let notifications = Notifications {
        store: Arc::clone(&store),
        registry: Arc::clone(&registry),
        clock: Arc::clone(&clock),
        sender,
        last_events: LastEvents::default(),
        source_silent: settings.notifications.source_silent,
    };
    let validator = Validator::new();
    Ok(Node {
        callers: Arc::new(Callers::new(Arc::clone(&store), Arc::clone(&clock))),
        leases: Leases::new(Arc::clone(&store), Arc::clone(&clock)),
        shares: Shares::new(settings.company_limits),
        store,
        registry,
        engine,
        replays,
        listeners: Listeners::default(),
        clock,
        ids,
        settings,
        address_guard: guard,
        transport,
        validator,
        templates,
        telemetry,
        ingest_progress: IngestProgress::default(),
        live,
        history,
        notifications: Arc::new(notifications),
        liveness,
        inspector,
    })
}
