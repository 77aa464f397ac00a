//! The one place that takes connections: whoever listens for HTTP does it here.
//!
//! Clients may be strangers, so everything that is waited for has an end (`limits.rs`): the head of a request, the next
//! request, a body, the reader of an answer. `connections.rs` goes over all connections twice a second and closes what is
//! overdue, and makes room for new ones; `connection.rs` is what it sees of one. A request costs no timer. `body.rs` is how
//! handlers read bodies, `exchange.rs` and `stream.rs` stand between hyper and the socket, `tls.rs` makes connections secure,
//! and `client.rs` says who is at their other end.

pub mod body;
mod client;
mod coding;
mod connection;
pub mod connections;
mod exchange;
pub mod limits;
mod progress;
mod stream;
mod tls;

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ipnet::IpNet;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tower::Service;

pub use self::body::{BodyReadError, is_packed, next_piece, read_body};
pub use self::client::Client;
use self::client::Origin;
pub use self::connection::Overdue;
use self::connection::{Connection, Directive};
pub use self::connections::ConnectionCounts;
use self::connections::{ConnectionGuard, Connections};
use self::exchange::Exchange;
pub use self::limits::{ConnectionLimits, MOST_BY_DEFAULT};
use self::stream::Stream;
pub use self::tls::{Certificate, Identity};
use self::tls::{Protocol, TlsHandshaker};

/// The largest head, and how much of an answer is waiting to be written, in bytes.
pub const BUFFER: usize = 64 * 1024;

/// Concurrent requests on one HTTP/2 connection.
const STREAMS: u32 = 128;

/// Kernel's send buffer per connection. By default, one client that does not read could hold megabytes.
const SEND_BUFFER: u32 = 128 * 1024;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Pause in accepting when no file descriptor is left.
const PAUSE: Duration = Duration::from_millis(50);

/// Pause in accepting while connections that were told to close do so.
const ACCEPT_PAUSE: Duration = Duration::from_millis(2);

/// An answer that is being worked out.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Handler of requests.
pub type Handler = dyn Fn(Request) -> Answer + Send + Sync;

/// Answers a request by its route.
pub fn answer_by(router: &Router, request: Request) -> Answer {
    let answer = router.clone().call(request);
    Box::pin(async {
        let Ok(response) = answer.await;
        response
    })
}

/// Listener for clients, with its TLS and proxies.
pub struct Inbound {
    pub listener: TcpListener,
    /// Certificate, if connections are secure.
    pub identity: Option<Arc<Identity>>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl From<TcpListener> for Inbound {
    /// One that is neither secure nor behind anybody.
    fn from(listener: TcpListener) -> Self {
        Self {
            listener,
            identity: None,
            trusted_proxies: Vec::new(),
        }
    }
}

/// Something that listens and answers.
pub struct HttpServer {
    connections: Arc<Connections>,
    stop: watch::Sender<Stage>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// Nothing new is accepted, and what has no request is closed.
    Stopping,
}

impl HttpServer {
    /// Answers what comes in at `inbound`, on at most `max` connections at once.
    pub fn start(
        inbound: impl Into<Inbound>,
        handler: Arc<Handler>,
        limits: ConnectionLimits,
        max: usize,
        counts: ConnectionCounts,
    ) -> Self {
        Self::start_at(inbound.into(), handler, Connections::new(limits, max, counts))
    }

    /// Without a parameter of a type, so that the code of connections is made in this crate, which is optimized, and not in those that
    /// start a server.
    fn start_at(inbound: Inbound, handler: Arc<Handler>, connections: Arc<Connections>) -> Self {
        let (stop, stopped) = watch::channel(Stage::Open);
        let setup = Arc::new(ConnectionSetup::of(
            handler,
            inbound.identity,
            inbound.trusted_proxies,
        ));
        let accepting = run(inbound.listener, setup, Arc::clone(&connections), stopped);
        let accepting = tokio::spawn(accepting);
        Self {
            connections,
            stop,
            accepting,
        }
    }

    /// Waits until nothing is accepted any more, which nobody asked for: a fault of ours.
    pub async fn failed(&mut self) {
        // Whether it ended or panicked is the same.
        let _ = (&mut self.accepting).await;
    }

    /// Goes on as before, but closes each connection with its next answer.
    pub fn drain(&self) {
        self.connections.drain();
    }

    /// Accepts nothing more, closes at once what has no request, and lets requests end for so long. Answers how many
    /// connections were cut off.
    pub async fn stop(mut self, grace: Duration) -> usize {
        let _ = self.stop.send(Stage::Stopping);
        // It has ended before if it failed.
        let has_failed = self.accepting.is_finished();
        if !has_failed && timeout(grace, &mut self.accepting).await.is_ok() {
            return 0;
        }
        let remaining = self.connections.remaining();
        self.connections.cut();
        self.accepting.abort();
        remaining
    }
}

/// Listens at an address.
///
/// # Errors
/// If that is not possible: says where, why, and what to do.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
            io::ErrorKind::AddrNotAvailable => format!(
                "this machine has no such address; use one of its own, or {} for all of them",
                SocketAddr::new(all_of_same_family(address.ip()), address.port())
            ),
            io::ErrorKind::PermissionDenied if address.port() < 1024 => {
                "ports below 1024 need root's rights or CAP_NET_BIND_SERVICE".to_owned()
            }
            _ => error.to_string(),
        };
        io::Error::new(error.kind(), format!("cannot listen at {address}: {why}"))
    })
}

fn all_of_same_family(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    // Connections have it from the socket that accepts them.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens at a socket that somebody else has bound.
///
/// # Errors
/// If it is none that listens.
pub fn adopt(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    SockRef::from(&listener).set_send_buffer_size(SEND_BUFFER as usize)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Settings and state shared by all connections.
struct ConnectionSetup {
    handler: Arc<Handler>,
    tls: Option<TlsHandshaker>,
    trusted: Arc<[IpNet]>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl ConnectionSetup {
    fn of(handler: Arc<Handler>, identity: Option<Arc<Identity>>, trusted: Vec<IpNet>) -> Self {
        let mut http1 = http1::Builder::new();
        // What hyper could wait for is seen by the sweep.
        http1.header_read_timeout(None).max_buf_size(BUFFER);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(BUFFER as u32)
            .max_send_buf_size(BUFFER);
        Self {
            handler,
            tls: identity.map(TlsHandshaker::as_one),
            trusted: trusted.into(),
            http1,
            http2,
        }
    }

    fn exchange(&self, connection: &Arc<Connection>, peer: IpAddr) -> Exchange {
        let is_secure = self.tls.is_some();
        let origin = (is_secure || !self.trusted.is_empty()).then(|| Origin {
            peer,
            is_secure,
            trusted: Arc::clone(&self.trusted),
        });
        Exchange {
            handler: Arc::clone(&self.handler),
            connection: Arc::clone(connection),
            origin,
        }
    }
}

/// Accepts until it is stopped, then until the last connection is closed.
async fn run(
    listener: TcpListener,
    setup: Arc<ConnectionSetup>,
    connections: Arc<Connections>,
    mut stop: watch::Receiver<Stage>,
) {
    let mut sweep = interval(connections.sweep_every());
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(entry) = connections.admit(peer.ip()).await {
                        tokio::spawn(serve_connection(Arc::clone(&setup), stream, peer.ip(), entry));
                    }
                    if connections.is_crowded() {
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
                Err(error) => cannot_accept(&error, &connections).await,
            },
            _ = sweep.tick() => connections.sweep(),
            // An error means that the server is gone, which is a reason to stop too.
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    connections.drain();
    connections.await_first_requests().await;
    connections.finish();
    while connections.remaining() > 0 {
        tokio::select! {
            () = connections.one_closed() => {}
            _ = sweep.tick() => connections.sweep(),
        }
    }
}

/// Reports an error of `accept` and waits, if it is one of the machine: the next connection may do.
async fn cannot_accept(error: &io::Error, connections: &Connections) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return;
    }
    // Too few files or no memory: both pass, and trying again at once would only be busy.
    connections.had_no_file(error);
    sleep(PAUSE).await;
}

/// Serves a connection until it ends, is told to, or becomes a websocket.
async fn serve_connection(
    setup: Arc<ConnectionSetup>,
    stream: TcpStream,
    peer: IpAddr,
    entry: ConnectionGuard,
) {
    // An error means that it is gone already.
    let _ = stream.set_nodelay(true);
    let connection = Arc::clone(&entry.connection);
    let exchange = setup.exchange(&connection, peer);
    let stream = Stream::new(stream, entry);
    let Some(tls) = &setup.tls else {
        let serving = setup.http1.serve_connection(TokioIo::new(stream), exchange);
        return serve(
            serving.with_upgrades(),
            UpgradeableConnection::graceful_shutdown,
            &connection,
        )
        .await;
    };
    // What goes wrong here is told to the client by TLS itself, and is its business.
    let Some(Ok((stream, speech))) = unless_directed(&connection, tls.secure(stream)).await else {
        return;
    };
    let stream = TokioIo::new(stream);
    match speech {
        Protocol::Http1 => {
            let serving = setup.http1.serve_connection(stream, exchange);
            serve(
                serving.with_upgrades(),
                UpgradeableConnection::graceful_shutdown,
                &connection,
            )
            .await;
        }
        Protocol::Http2 => {
            connection.carries_many();
            let serving = setup.http2.serve_connection(stream, exchange);
            serve(serving, http2::Connection::graceful_shutdown, &connection).await;
        }
        Protocol::Nothing => {}
    }
}

/// Waits for something that comes before the first request; `None` if the connection is to end.
async fn unless_directed<T>(connection: &Connection, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        connection.task.register(cx.waker());
        match connection.order() {
            Directive::GoOn => work.as_mut().poll(cx).map(Some),
            Directive::Finish | Directive::Close | Directive::Cut => Poll::Ready(None),
        }
    })
    .await
}

/// Serves what is spoken on a connection; `finish` has it end with what is under way.
async fn serve<S: Future>(serving: S, finish: impl Fn(Pin<&mut S>), connection: &Arc<Connection>) {
    let mut serving = pin!(serving);
    let mut is_finishing = false;
    poll_fn(|cx| {
        connection.task.register(cx.waker());
        match connection.order() {
            Directive::GoOn => {}
            Directive::Finish if is_finishing => {}
            Directive::Finish => {
                finish(serving.as_mut());
                is_finishing = true;
            }
            Directive::Close => {}
            Directive::Cut => return Poll::Ready(()),
        }
        // How a connection breaks off is its client's business.
        let has_ended = serving.as_mut().poll(cx).is_ready();
        // Where many answers are under way, only who writes them knows when the last one is out.
        let is_done = is_finishing && !connection.is_busy() && !connection.has_many();
        if has_ended || is_done {
            return Poll::Ready(());
        }
        if connection.order() == Directive::Close {
            // A request that had arrived and was not read yet would be lost with its connection.
            if !connection.is_working() {
                return Poll::Ready(());
            }
            connection.all.spare(connection);
        }
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: SocketAddr, why: &str) {
        let error = listen(address).expect_err("nobody can listen there").to_string();
        assert!(
            error.starts_with(&format!("cannot listen at {address}: {why}")),
            "{error}"
        );
    }

    #[tokio::test]
    async fn why_nobody_can_listen_there_is_told() {
        let here = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        check(here.local_addr().unwrap(), "another program listens there");
        check(
            SocketAddr::from(([192, 0, 2, 1], 8400)),
            "this machine has no such address; use one of its own, or 0.0.0.0:8400 for all of them",
        );
    }
}
