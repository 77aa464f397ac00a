//! Starting and stopping a node: opens the store, puts the parts together, listens, and leaves without losing a thing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use switchhook_domain::clock::Clock;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::made_at;
use switchhook_domain::lease::Lease;
use switchhook_store::{Store, is_in_memory};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use switchhook_http::server::{
    self as http_server, ConnectionCounts, ConnectionLimits, Entrance, HttpServer,
};
use switchhook_node::chance::Dice;
use switchhook_node::clock::{self, NodeClock, SystemClock};
use switchhook_node::delivery::HttpTransport;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::settings::Settings;
use switchhook_node::telemetry::Telemetry;
use switchhook_node::vitals::Vitals;
use switchhook_node::{Node, Parts, assemble};
use switchhook_node::{callers, follower, gauges, history, notification, retention, storage};
use switchhook_web::front_door;

use crate::own_program::own_program;
use crate::systemd::{self, Sockets};
use crate::tls::Secured;
use crate::{open_files, tls};

/// How often metrics fold their samples.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// How many connections the address for metrics takes.
const METRICS_CONNECTIONS: usize = 64;

/// How much longer than open attempts a server may take to stop of which a part has failed.
const STOPPING: Duration = Duration::from_secs(5);

/// A node that runs.
pub struct Server {
    /// Its parts.
    pub node: Arc<Node>,
    /// Where it listens in fact (the settings may have asked for any port).
    pub address: SocketAddr,
    /// Where it serves metrics, if not there.
    pub metrics_address: Option<SocketAddr>,
    http: HttpServer,
    metrics: Option<HttpServer>,
    tidying: JoinHandle<()>,
    sweeping: JoinHandle<()>,
    counting: JoinHandle<()>,
    noting: JoinHandle<()>,
    gauging: JoinHandle<()>,
    /// Not where there can be no other nodes.
    following: Option<JoinHandle<()>>,
    measuring: JoinHandle<()>,
    notifying: JoinHandle<()>,
    /// Not where somebody else makes connections secure.
    _secured: Option<Secured>,
    sending: Sending,
}

impl Server {
    /// Opens the store, starts sending and listens.
    ///
    /// # Errors
    /// If the store cannot be opened or the address cannot be listened at.
    pub async fn start(settings: Settings) -> Result<Self> {
        Self::start_at(Sockets::default(), settings).await
    }

    /// The same, at a socket that listens already.
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

    /// The same, at sockets that we were started with, as far as there are such.
    async fn start_at(sockets: Sockets, settings: Settings) -> Result<Self> {
        let (telemetry, vitals) = (Telemetry::new(), Vitals::default());
        let store = storage::open_as_owner(
            &settings.store,
            SystemClock.now(),
            storage::Observer::new(&telemetry, &vitals),
            settings.encryption.as_ref(),
            settings.commit_every,
        )?;
        Self::on_at(sockets, store, settings, telemetry, vitals).await
    }

    /// Starts sending from a store that is open, and listens.
    ///
    /// # Errors
    /// If the address cannot be listened at.
    pub async fn on(
        store: Arc<dyn Store>,
        settings: Settings,
        telemetry: Telemetry,
        vitals: Vitals,
    ) -> Result<Self> {
        Self::on_at(Sockets::default(), store, settings, telemetry, vitals).await
    }

    async fn on_at(
        sockets: Sockets,
        store: Arc<dyn Store>,
        settings: Settings,
        telemetry: Telemetry,
        vitals: Vitals,
    ) -> Result<Self> {
        let open_files = open_files::allow_many();
        let clock = Arc::new(NodeClock::new(Arc::new(SystemClock), Lease(settings.lease)));
        match store.time().await.context("the store cannot be read")? {
            Some(_) => clock.measure(&*store).await.context("the store cannot be read")?,
            None => clock.go_on_after(made_at(
                store.last_id().await.context("the store cannot be read")?,
            )),
        }
        let node_clock = Arc::clone(&clock);
        let clock: Arc<dyn Clock> = clock;
        let listener = adopt_or_listen(sockets.listen, settings.listen)?;
        let metrics_listener = match (sockets.metrics, settings.metrics_listen) {
            (None, None) => None,
            (given, address) => Some(adopt_or_listen(given, address.unwrap_or(settings.listen))?),
        };
        let address = listener.local_addr()?;
        let metrics_address = metrics_listener
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()?;
        let settings = Settings {
            listen: address,
            metrics_listen: metrics_address,
            ..settings
        };
        let guard = AddressGuard {
            allow: settings.hook_allow.clone(),
            deny: settings.hook_deny.clone(),
            allow_http: settings.hook_allow_http,
        };
        let guard = Arc::new(guard);
        let transport = HttpTransport::new(
            Arc::clone(&guard),
            Arc::clone(&clock),
            settings.delivery,
            &settings.outbound,
        )?;
        let secured = tls::start(&settings.tls)?;
        let sending = Sending::start(&vitals)?;
        let parts = Parts {
            settings,
            clock,
            dice: Dice::from_entropy(),
            telemetry,
            vitals,
            store,
            transport: Arc::new(transport),
            guard,
        };
        let node = Arc::new(assemble(parts, &sending.handle).await?);
        let door = front_door(Arc::clone(&node));
        let metrics = metrics_listener.map(|listener| {
            let router = door.metrics_only();
            let handler = move |request| http_server::answer_by(&router, request);
            let (limits, counts) = (ConnectionLimits::default(), ConnectionCounts::none());
            HttpServer::start(listener, Arc::new(handler), limits, METRICS_CONNECTIONS, counts)
        });
        let limits = node.settings.connections;
        let max_connections = limits.max_within(open_files, files_of_others(&node.settings));
        if let Some(wanted) = limits.max.filter(|wanted| *wanted as usize > max_connections) {
            warn!(
                wanted,
                max_connections,
                open_files,
                "the limit of open files allows fewer connections than were asked for"
            );
        }
        let entrance = Entrance {
            listener,
            identity: secured.as_ref().map(Secured::identity),
            trusted_proxies: node.settings.trusted_proxies.clone(),
        };
        let http = HttpServer::start(
            entrance,
            Arc::new(move |request| door.answer(request)),
            limits,
            max_connections,
            node.telemetry.connections(),
        );
        let (vitals, here) = (&node.vitals, Handle::current());
        let tidying = vitals.spawn("keeper of metrics", &here, tidy_up(node.telemetry.clone()));
        let sweeping = vitals.spawn("retention", &here, retention::run(Arc::clone(&node)));
        let gauging = vitals.spawn("keeper of gauges", &here, gauges::run(Arc::clone(&node)));
        let counting = vitals.spawn("history", &here, history::run(Arc::clone(&node)));
        let noting = vitals.spawn("uses of keys", &here, callers::run(Arc::clone(&node)));
        let following = follower::start(&node);
        let notifying = notification::start(&node);
        let measuring = tokio::spawn(clock::keep_measuring(
            node_clock,
            Arc::clone(&node.store),
            node.telemetry.clone(),
        ));
        if is_in_memory(&node.settings.store) {
            warn!("the store is in memory: everything is lost when the server stops");
        }
        info!(%address, max_connections, store = %shown_url(&node.settings.store), "listening");
        Ok(Self {
            node,
            address,
            metrics_address,
            http,
            metrics,
            tidying,
            sweeping,
            counting,
            noting,
            gauging,
            following,
            measuring,
            notifying,
            _secured: secured,
            sending,
        })
    }

    /// Goes on until `asked_to_stop` is done, a part fails, or it may not use its store any more; then stops, in good order
    /// unless what is under way could not be kept any more.
    ///
    /// # Errors
    /// If a part has failed, or the store was lost.
    pub async fn run_until(mut self, asked_to_stop: impl Future<Output = ()>) -> Result<()> {
        let vitals = self.node.vitals.clone();
        let store = Arc::clone(&self.node.store);
        let failure = tokio::select! {
            () = asked_to_stop => None,
            lost = store.lost() => {
                error!(%lost, "stopping");
                return Err(anyhow::Error::new(lost).context("the server lost its store"));
            }
            failure = vitals.failed() => Some(failure),
            () = self.http.failed() => {
                vitals.fail("listener", "no connections are taken any more");
                vitals.failure()
            }
        };
        vitals.stop();
        systemd::stopping();
        let drain = self.node.settings.drain;
        if failure.is_none() && !drain.is_zero() {
            info!(
                ?drain,
                "stopping: requests are taken until then; stop again to stop at once"
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
        let patience = self.node.settings.grace + STOPPING;
        // Whether it stops in order is no matter any more: the next process finds everything in the store.
        let _ = tokio::time::timeout(patience, self.stop()).await;
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
        self.tidying.abort();
        self.sweeping.abort();
        self.counting.abort();
        self.noting.abort();
        self.gauging.abort();
        self.measuring.abort();
        self.notifying.abort();
        if let Some(following) = &self.following {
            following.abort();
        }
        self.node.replays.stop().await;
        self.node.engine.stop(grace).await;
        let node = &self.node;
        if let Err(error) = node.history.flush(&*node.store, node.clock.now()).await {
            warn!(%error, "what was counted last could not be stored: charts will lack it");
        }
        self.node.store.close().await;
        drop(self.sending);
        info!("stopped");
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
    fn start(vitals: &Vitals) -> Result<Self> {
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
        let vitals = vitals.clone();
        // An error is what comes: the other end is never used but dropped.
        let run = move || {
            vitals.guard("thread that sends", || {
                let _ = runtime.block_on(dropped);
                runtime.shutdown_background();
            })
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

fn listen(address: SocketAddr) -> Result<TcpListener> {
    http_server::listen(address)
        .with_context(|| format!("cannot listen at {address}: is another server running there?"))
}

fn adopt_or_listen(given: Option<std::net::TcpListener>, address: SocketAddr) -> Result<TcpListener> {
    match given {
        Some(given) => {
            http_server::adopt(given).context("the socket that the server was started with cannot be used")
        }
        None => listen(address),
    }
}

/// How many files others than clients may need: attempts under way, and as many connections that wait to be used again.
fn files_of_others(settings: &Settings) -> u64 {
    2 * u64::from(settings.max_in_flight)
}

async fn tidy_up(telemetry: Telemetry) {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        telemetry.tidy_up();
    }
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
    let telling = tokio::spawn(systemd::keep_alive(server.node.vitals.clone()));
    let ended = server.run_until(asked_to_stop()).await;
    telling.abort();
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
