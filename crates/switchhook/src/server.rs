//! Starting and stopping a node: opens the store, puts the parts together, listens, and leaves without losing a thing.
//!
//! Listening is `server/listeners.rs`, sending `server/sending.rs`, background tasks `server/tasks.rs`.

mod listeners;
mod sending;
mod tasks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use switchhook_domain::clock::Clock;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::made_at;
use switchhook_domain::lease::Lease;
use switchhook_store::{Store, is_in_memory};
use tracing::{error, info, warn};

use switchhook_dashboard::request_handler;
use switchhook_http::server::{self as http_server, ConnectionCounts, ConnectionLimits, HttpServer, Inbound};
use switchhook_node::clock::{NodeClock, SystemClock};
use switchhook_node::delivery::HttpTransport;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::liveness::Liveness;
use switchhook_node::randomness::JitterSource;
use switchhook_node::settings::Settings;
use switchhook_node::telemetry::Telemetry;
use switchhook_node::{Node, Parts, assemble, storage};

use self::listeners::Listeners;
use self::sending::SendingRuntime;
pub use self::sending::half_of_the_processors;
use self::tasks::Tasks;
use crate::own_program::own_program;
use crate::systemd::{self, Sockets};
use crate::tls::ServerCertificate;
use crate::{open_files, tls};

/// Bound on the connections to the address for metrics.
const METRICS_CONNECTIONS: usize = 64;

/// Time for stopping, beyond that for attempts in flight, after a part has failed.
pub const STOPPING: Duration = Duration::from_secs(5);

/// A node that runs.
pub struct Server {
    pub node: Arc<Node>,
    /// Actual address (the settings may have asked for any port).
    pub address: SocketAddr,
    /// Address for metrics, if it is a separate one.
    pub metrics_address: Option<SocketAddr>,
    http: HttpServer,
    metrics: Option<HttpServer>,
    tasks: Tasks,
    /// Absent if TLS is off, or ends at a proxy.
    _certificate: Option<ServerCertificate>,
    sending: SendingRuntime,
}

impl Server {
    /// Opens the store, starts sending and listens.
    ///
    /// # Errors
    /// If the store cannot be opened or the address cannot be listened at.
    pub async fn start(settings: Settings) -> Result<Self> {
        Self::start_at(Sockets::default(), settings).await
    }

    /// Starts with a socket that listens already.
    ///
    /// # Errors
    /// If the store cannot be opened or the socket cannot be used.
    pub async fn start_with(listener: std::net::TcpListener, settings: Settings) -> Result<Self> {
        let sockets = Sockets {
            listen: Some(listener),
            ..Sockets::default()
        };
        Self::start_at(sockets, settings).await
    }

    /// Starts with the sockets that systemd passed, if any.
    async fn start_at(sockets: Sockets, settings: Settings) -> Result<Self> {
        let (telemetry, liveness) = (Telemetry::new(), Liveness::default());
        let store = storage::open_as_owner(
            &settings.store,
            SystemClock.now(),
            storage::Observer::new(&telemetry, &liveness),
            settings.encryption.as_ref(),
            settings.commit_every,
        )?;
        Self::on_at(sockets, store, settings, telemetry, liveness).await
    }

    /// Starts sending from a store that is open, and listens.
    ///
    /// # Errors
    /// If the address cannot be listened at.
    pub async fn on(
        store: Arc<dyn Store>,
        settings: Settings,
        telemetry: Telemetry,
        liveness: Liveness,
    ) -> Result<Self> {
        Self::on_at(Sockets::default(), store, settings, telemetry, liveness).await
    }

    async fn on_at(
        sockets: Sockets,
        store: Arc<dyn Store>,
        settings: Settings,
        telemetry: Telemetry,
        liveness: Liveness,
    ) -> Result<Self> {
        let open_files = open_files::allow_many();
        let clock = clock_of(&*store, Lease(settings.lease)).await?;
        let (listeners, settings) = Listeners::open(sockets, settings)?;
        let certificate = tls::start(&settings.tls)?;
        let sending = SendingRuntime::start(&liveness)?;
        let parts = parts_of(settings, Arc::clone(&clock), store, telemetry, liveness)?;
        let node = Arc::new(assemble(parts, &sending.handle).await?);
        let handler = request_handler(Arc::clone(&node));
        let metrics = listeners.metrics.map(|listener| {
            let router = handler.metrics_only();
            let handler = move |request| http_server::answer_by(&router, request);
            let (limits, counts) = (ConnectionLimits::default(), ConnectionCounts::none());
            HttpServer::start(listener, Arc::new(handler), limits, METRICS_CONNECTIONS, counts)
        });
        let settings = &node.settings;
        let max_connections = max_connections(settings, open_files);
        let inbound = Inbound {
            listener: listeners.listener,
            identity: certificate.as_ref().map(ServerCertificate::identity),
            trusted_proxies: settings.trusted_proxies.clone(),
        };
        let http = HttpServer::start(
            inbound,
            Arc::new(move |request| handler.answer(request)),
            settings.connections,
            max_connections,
            node.telemetry.connections(),
        );
        let tasks = Tasks::start(&node, clock);
        if is_in_memory(&settings.store) {
            warn!("the store is in memory: everything is lost when the server stops");
        }
        let address = settings.listen;
        info!(%address, max_connections, store = %shown_url(&settings.store), "listening");
        Ok(Self {
            address,
            metrics_address: settings.metrics_listen,
            node,
            http,
            metrics,
            tasks,
            _certificate: certificate,
            sending,
        })
    }

    /// Runs until `asked_to_stop` is done, a part fails, or the store is lost; then stops, in good order
    /// unless the store is lost.
    ///
    /// # Errors
    /// If a part has failed, or the store was lost.
    pub async fn run_until(mut self, asked_to_stop: impl Future<Output = ()>) -> Result<()> {
        let liveness = self.node.liveness.clone();
        let store = Arc::clone(&self.node.store);
        let failure = tokio::select! {
            () = asked_to_stop => None,
            lost = store.lost() => {
                error!(%lost, "stopping");
                return Err(anyhow::Error::new(lost).context("the server lost its store"));
            }
            failure = liveness.failed() => Some(failure),
            () = self.http.failed() => {
                liveness.fail("listener", "no connections are accepted any more");
                liveness.failure()
            }
        };
        liveness.stop();
        systemd::stopping();
        let drain = self.node.settings.drain;
        if failure.is_none() && !drain.is_zero() {
            info!(
                ?drain,
                "stopping: requests are accepted until then; stop again to stop at once"
            );
            self.http.drain();
            tokio::select! {
                () = tokio::time::sleep(drain) => {}
                () = self::asked_to_stop() => {}
            }
        }
        info!("stopping");
        let Some(failure) = failure else {
            self.stop().await;
            return Ok(());
        };
        let timeout = self.node.settings.grace + STOPPING;
        // Whether it stops in order is no matter any more: the next process finds everything in the store.
        let _ = tokio::time::timeout(timeout, self.stop()).await;
        bail!("{failure}; nothing that was acknowledged is lost: start the server again")
    }

    /// Stops taking requests, lets open attempts end, gives the rest back to the store and closes it.
    pub async fn stop(self) {
        let grace = self.node.settings.grace;
        self.node.live.end();
        self.node.listeners.stop();
        let cut_off = self.http.stop(grace).await;
        if cut_off > 0 {
            warn!(connections = cut_off, "requests that were still open are cut off");
        }
        if let Some(metrics) = self.metrics {
            metrics.stop(Duration::ZERO).await;
        }
        self.tasks.abort();
        self.node.replays.stop().await;
        self.node.engine.stop(grace).await;
        let node = &self.node;
        if let Err(error) = node.history.flush(&*node.store, node.clock.now()).await {
            warn!(%error, "the latest counts could not be stored: charts will lack them");
        }
        self.node.store.close().await;
        drop(self.sending);
        info!("stopped");
    }
}

/// The clock of a node: the database's where there is one, else one that never goes back behind what the store has.
async fn clock_of(store: &dyn Store, lease: Lease) -> Result<Arc<NodeClock>> {
    let clock = Arc::new(NodeClock::new(Arc::new(SystemClock), lease));
    let unreadable = "the store cannot be read";
    match store.time().await.context(unreadable)? {
        Some(_) => clock.measure(store).await.context(unreadable)?,
        None => clock.go_on_after(made_at(store.last_id().await.context(unreadable)?)),
    }
    Ok(clock)
}

fn parts_of(
    settings: Settings,
    clock: Arc<NodeClock>,
    store: Arc<dyn Store>,
    telemetry: Telemetry,
    liveness: Liveness,
) -> Result<Parts> {
    let guard = Arc::new(AddressGuard {
        allow: settings.hook_allow.clone(),
        deny: settings.hook_deny.clone(),
        allow_http: settings.hook_allow_http,
    });
    let clock: Arc<dyn Clock> = clock;
    let transport = HttpTransport::new(
        Arc::clone(&guard),
        Arc::clone(&clock),
        settings.delivery,
        &settings.outbound,
    )?;
    Ok(Parts {
        settings,
        clock,
        jitter: JitterSource::from_entropy(),
        telemetry,
        liveness,
        store,
        transport: Arc::new(transport),
        guard,
    })
}

/// Bound on client connections, as far as the limit of open files allows.
fn max_connections(settings: &Settings, open_files: u64) -> usize {
    let limits = settings.connections;
    let max_connections = limits.max_within(open_files, other_open_files(settings));
    if let Some(wanted) = limits.max.filter(|wanted| *wanted as usize > max_connections) {
        warn!(
            wanted,
            max_connections,
            open_files,
            "the limit of open files allows fewer connections than were asked for"
        );
    }
    max_connections
}

/// Number of open files that attempts in flight need, and as many idle connections.
fn other_open_files(settings: &Settings) -> u64 {
    2 * u64::from(settings.max_in_flight)
}

/// Runs a node until it is asked to stop (Ctrl-C, SIGTERM).
///
/// # Errors
/// If it could not start, or failed.
pub async fn serve(settings: Settings) -> Result<()> {
    let settings = Settings {
        template_worker: own_program(),
        ..settings
    };
    let server = Server::start_at(Sockets::take()?, settings).await?;
    systemd::ready();
    let watchdog = tokio::spawn(systemd::keep_alive(server.node.liveness.clone()));
    let ended = server.run_until(asked_to_stop()).await;
    watchdog.abort();
    ended
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
