//! The parts of a running node, put together once and shared by everything that serves a request.

use std::sync::Arc;

use anyhow::{Context, Result};
use switchhook_domain::clock::Clock;
use switchhook_domain::id::IdSequence;
use switchhook_domain::lease::Lease;
use switchhook_store::Store;
use tokio::runtime::Handle;

use crate::callers::Callers;
use crate::chance::Dice;
use crate::counters::Counters;
use crate::delivery::address_guard::AddressGuard;
use crate::delivery::transport::Transport;
use crate::delivery::{Engine, EngineParts};
use crate::inspector::{InspectedTransport, Inspector};
use crate::intake::Intake;
use crate::lease::Leases;
use crate::listeners::Listeners;
use crate::live::Live;
use crate::notification::{LastEvents, Notifications, Sender};
use crate::registry::Registry;
use crate::replay::{ReplayParts, Replays};
use crate::settings::Settings;
use crate::share::Shares;
use crate::telemetry::Telemetry;
use crate::templates::Templates;
use crate::validation::Validator;
use crate::vitals::Vitals;

/// A running node.
pub struct Node {
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// What is known by heart.
    pub registry: Arc<Registry>,
    /// What sends.
    pub engine: Engine,
    /// What sends old events again.
    pub replays: Replays,
    /// Who listens.
    pub listeners: Listeners,
    /// Who has which key.
    pub callers: Arc<Callers>,
    /// What stays open for no longer than its key is valid.
    pub leases: Leases,
    /// What each company may take of the node.
    pub shares: Shares,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The next id.
    pub ids: Arc<IdSequence>,
    /// What the operator decided.
    pub settings: Settings,
    /// Where may be sent.
    pub address_guard: Arc<AddressGuard>,
    /// How is sent: to see whether it could be.
    pub transport: Arc<dyn Transport>,
    /// What events are checked against.
    pub validator: Validator,
    /// Who fills in templates.
    pub templates: Arc<Templates>,
    /// What is counted.
    pub telemetry: Telemetry,
    /// Whether what comes in is kept.
    pub intake: Intake,
    /// What happens, as it happens.
    pub live: Live,
    /// What comes of attempts, on its way to the store.
    pub history: Counters,
    /// What tells people when something goes wrong.
    pub notifications: Arc<Notifications>,
    /// Whether a part has failed without which this is no server.
    pub vitals: Vitals,
    /// The receiver in the house, if there is one.
    pub inspector: Option<Arc<Inspector>>,
}

/// What a node is put together from.
pub struct Parts {
    /// What the operator decided.
    pub settings: Settings,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The chance in delays.
    pub dice: Dice,
    /// What is counted.
    pub telemetry: Telemetry,
    /// Who is told if a part fails.
    pub vitals: Vitals,
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// How is sent.
    pub transport: Arc<dyn Transport>,
    /// Where may be sent.
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
        dice,
        telemetry,
        vitals,
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
            dice: Arc::new(dice),
            templates: Arc::clone(&templates),
            telemetry: telemetry.clone(),
            live: live.clone(),
            history: history.clone(),
            vitals: vitals.clone(),
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
        &vitals,
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
        intake: Intake::default(),
        live,
        history,
        notifications: Arc::new(notifications),
        vitals,
        inspector,
    })
}
