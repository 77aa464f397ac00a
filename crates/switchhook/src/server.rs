//! Starting and stopping a node: opens the store, puts the parts together, listens, and leaves without losing a thing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::{Router, ServiceExt};
use switchhook_domain::clock::Clock;
use switchhook_domain::credential::shown_url;
use switchhook_store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::api::{self, FrontDoor};
use crate::chance::Dice;
use crate::clock::SystemClock;
use crate::dashboard;
use crate::delivery::address_guard::AddressGuard;
use crate::delivery::transport::Transport;
use crate::delivery::{Engine, EngineParts, HttpTransport};
use crate::ingest::validation::Validator;
use crate::inspector::{InspectedTransport, Inspector};
use crate::lease::Leases;
use crate::registry::Registry;
use crate::replay::{ReplayParts, Replays};
use crate::share::Shares;
use crate::system::{Settings, System};
use crate::telemetry::Telemetry;
use crate::websocket::Listeners;
use crate::{follower, open_files, retention, storage};

/// How often metrics fold their samples.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// A node that runs.
pub struct Server {
    /// Its parts.
    pub system: Arc<System>,
    /// Where it listens in fact (the settings may have asked for any port).
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    listening: JoinHandle<Result<()>>,
    sweeping: JoinHandle<()>,
    /// Not where there can be no other nodes.
    following: Option<JoinHandle<()>>,
    sending: Sending,
}

impl Server {
    /// Opens the store, starts sending and listens.
    ///
    /// # Errors
    /// If the store cannot be opened or the address cannot be listened at.
    pub async fn start(settings: Settings) -> Result<Self> {
        open_files::allow_many();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let telemetry = Telemetry::new();
        let store = storage::open_as_owner(
            &settings.store,
            clock.now(),
            &telemetry,
            settings.encryption.as_ref(),
        )?;
        let listener = TcpListener::bind(settings.listen).await.with_context(|| {
            format!(
                "cannot listen at {}: is another server running there?",
                settings.listen
            )
        })?;
        let address = listener.local_addr()?;
        let settings = Settings {
            listen: address,
            ..settings
        };
        let guard = AddressGuard {
            allow: settings.hook_allow.clone(),
            allow_http: settings.hook_allow_http,
        };
        let guard = Arc::new(guard);
        let transport = HttpTransport::new(
            Arc::clone(&guard),
            Arc::clone(&clock),
            settings.delivery,
            &settings.outbound,
        )?;
        let sending = Sending::start()?;
        let parts = Parts {
            settings,
            clock,
            dice: Dice::from_entropy(),
            telemetry,
            store,
            transport: Arc::new(transport),
            guard,
        };
        let system = Arc::new(assemble(parts, &sending.handle).await?);
        let (stop, stopped) = watch::channel(false);
        let listening = tokio::spawn(listen(listener, Arc::clone(&system), stopped));
        let sweeping = tokio::spawn(retention::run(Arc::clone(&system)));
        let following = follower::start(&system);
        info!(%address, store = %shown_url(&system.settings.store), "listening");
        Ok(Self {
            system,
            address,
            stop,
            listening,
            sweeping,
            following,
            sending,
        })
    }

    /// Waits until it is asked to stop, or may not use its store any more.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn ended(&self) -> Result<(), StoreError> {
        tokio::select! {
            () = asked_to_stop() => Ok(()),
            lost = self.system.store.lost() => Err(lost),
        }
    }

    /// Stops after it has [`ended`](Self::ended): in good order, unless what is under way could not be kept any more.
    ///
    /// # Errors
    /// If the listener had failed, or the store was lost.
    pub async fn leave(self, ended: Result<(), StoreError>) -> Result<()> {
        match ended {
            Ok(()) => {
                info!("stopping");
                self.stop().await
            }
            Err(lost) => {
                error!(%lost, "stopping");
                Err(anyhow::Error::new(lost).context("the server lost its store"))
            }
        }
    }

    /// Stops taking requests, lets open attempts end, gives the rest back to the store and closes it.
    ///
    /// # Errors
    /// If the listener had failed.
    pub async fn stop(mut self) -> Result<()> {
        let grace = self.system.settings.grace;
        let _ = self.stop.send(true);
        self.system.telemetry.live().end();
        self.system.listeners.stop();
        let listened = match tokio::time::timeout(grace, &mut self.listening).await {
            Ok(ended) => ended.context("the listener panicked")?,
            Err(_elapsed) => {
                warn!("requests that were still open are cut off");
                Ok(())
            }
        };
        self.sweeping.abort();
        if let Some(following) = &self.following {
            following.abort();
        }
        self.system.replays.stop().await;
        self.system.engine.stop(grace).await;
        self.system.store.close().await;
        drop(self.sending);
        info!("stopped");
        listened
    }
}

/// How many threads accept, and how many send: half of the processors each.
#[must_use]
pub fn half_of_the_processors() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .div_ceil(2)
}

/// Where sending runs: threads of its own, so that accepting cannot starve it. It ends when this is dropped, and nobody waits
/// for that: whoever drops it may be where waiting for threads is not possible.
struct Sending {
    handle: Handle,
    _until_dropped: oneshot::Sender<()>,
}

impl Sending {
    fn start() -> Result<Self> {
        // On a single thread tasks run in turns, so that attempts that ended together reach the engine together. With the
        // other scheduler each would be let in by itself, ahead of the rest.
        let mut builder = match half_of_the_processors() {
            1 => Builder::new_current_thread(),
            threads => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(threads).thread_name("sending");
                builder
            }
        };
        let no_threads = "no threads can be started";
        let runtime = builder.enable_all().build().context(no_threads)?;
        let handle = runtime.handle().clone();
        let (until_dropped, dropped) = oneshot::channel();
        let run = move || {
            // An error is what comes: the other end is never used but dropped.
            let _ = runtime.block_on(dropped);
            runtime.shutdown_background();
        };
        std::thread::Builder::new()
            .name("sending".to_owned())
            .spawn(run)
            .context(no_threads)?;
        Ok(Self {
            handle,
            _until_dropped: until_dropped,
        })
    }
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
/// If the store cannot be read.
pub async fn assemble(parts: Parts, sending: &Handle) -> Result<System> {
    let Parts {
        settings,
        clock,
        dice,
        telemetry,
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
    let engine = Engine::start(
        EngineParts {
            store: Arc::clone(&store),
            registry: Arc::clone(&registry),
            transport: Arc::clone(&transport),
            clock: Arc::clone(&clock),
            dice: Arc::new(dice),
            telemetry: telemetry.clone(),
            defaults: settings.delivery,
            lease: settings.lease,
            max_in_flight: settings.max_in_flight,
            max_handed_over: settings.max_handed_over,
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
        sending,
    );
    let validator = Validator::new();
    Ok(System {
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
        telemetry,
        inspector,
    })
}

/// Everything that a node answers to.
pub fn router(system: Arc<System>) -> Router {
    front_door(system).into_router()
}

fn front_door(system: Arc<System>) -> FrontDoor {
    let (door, inside) = api::with_inside(Arc::clone(&system));
    door.with(dashboard::router(system, inside))
}

async fn listen(
    listener: TcpListener,
    system: Arc<System>,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    let telemetry = system.telemetry.clone();
    let tidying = tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            telemetry.tidy_up();
        }
    });
    let until_stopped = async move {
        // An error means that the server is gone, which is a reason to stop too.
        let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
    };
    let served = axum::serve(listener, front_door(system).into_make_service())
        .with_graceful_shutdown(until_stopped)
        .await;
    tidying.abort();
    served.context("listening failed")
}

/// Runs a node until it is asked to stop (Ctrl-C, SIGTERM).
///
/// # Errors
/// If it could not start, or failed.
pub async fn serve(settings: Settings) -> Result<()> {
    let server = Server::start(settings).await?;
    let ended = server.ended().await;
    server.leave(ended).await
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be waited for");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
